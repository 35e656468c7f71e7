//! Live updates: notices what is saved, and tells the pages by server-sent events.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use app_agent::backend::Backend;

use crate::api::Lab;
use crate::image::Origin;
use crate::selection::lock;

/// How often the files are looked at. A change counts when two looks agree: an editor may be
/// writing.
const PAUSE: Duration = Duration::from_millis(40);
/// How long a page hears nothing when nothing happens. One that has gone is noticed then.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// The pause before a live node that does not answer is asked again.
const RETRY: Duration = Duration::from_secs(1);
/// As many pages can listen.
const MOST_PAGES: usize = 64;
/// The event for a page that makes room for another one.
const FULL: &[u8] = b"event: full\ndata: \n\n";

/// The head of an answer that does not end.
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
    Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n\
    retry: 500\n\n";

/// The pages that listen.
#[derive(Default)]
pub(crate) struct Pages(Mutex<Vec<TcpStream>>);

impl Pages {
    /// Takes one more, and tells it what was saved last; the one that came first makes room for it.
    pub(crate) fn add(&self, mut page: TcpStream, lab: &Lab) {
        // Locked first, so that no change is missed between the answer and the list.
        let mut pages = lock(&self.0);
        let first = [HEAD, change(lab).as_bytes()].concat();
        if page.write_all(&first).is_err() {
            return;
        }
        if pages.len() >= MOST_PAGES {
            // One that has gone need not know.
            let _ = pages.remove(0).write_all(FULL);
        }
        pages.push(page);
    }

    fn tell(&self, event: &str) {
        // Who does not take it has gone.
        let took = |page: &mut TcpStream| page.write_all(event.as_bytes()).is_ok();
        lock(&self.0).retain_mut(took);
    }

    fn tell_change(&self, lab: &Lab) {
        self.tell(&change(lab));
    }
}

/// The event of what was saved last.
fn change(lab: &Lab) -> String {
    let generation = lab.image.state().generation;
    format!("event: change\ndata: {generation}\n\n")
}

/// Watches the files. Never returns.
pub(crate) fn watch_files(lab: &Lab, pages: &Pages) {
    let mut rendered = lab.image.opened().clone();
    let mut looked = rendered.clone();
    let mut heard = Instant::now();
    loop {
        thread::sleep(PAUSE);
        let now = lab.image.looks();
        if now == looked && now != rendered {
            rendered = lab.image.reload();
            pages.tell_change(lab);
            heard = Instant::now();
        } else if heard.elapsed() > HEARTBEAT {
            pages.tell(": nothing happens\n\n");
            heard = Instant::now();
        }
        looked = now;
    }
}

/// Follows a live node. Never returns.
pub(crate) fn follow_node(lab: &Lab, pages: &Pages) {
    let mut backend = Backend::new(&lab.image.state().config);
    let mut version = None;
    loop {
        let fetched = match version {
            Some(version) => backend.wait(version),
            None => backend.fetch().map(Some),
        };
        let tree = match fetched {
            Ok(Some(fetched)) => {
                version = Some(fetched.version);
                Ok(fetched.tree)
            }
            Ok(None) => continue,
            Err(error) => {
                version = None;
                Err(Origin::Node.problem(error.chain()))
            }
        };
        let failed = tree.is_err();
        let state = lab.image.state();
        let known = state.problems.iter();
        let mut of_node = known.filter(|known| known.origin == Origin::Node);
        let is_same = match &tree {
            Ok(tree) => *tree == state.tree && of_node.next().is_none(),
            Err(problem) => of_node.eq([problem]),
        };
        if !is_same {
            lab.image.update(tree);
            pages.tell_change(lab);
        }
        if failed {
            thread::sleep(RETRY);
        }
    }
}
