//! The thread that asks the metadata source. It only posts to the agent's queue; it decides nothing but when to ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::{Duration, Instant};

use super::Event;
use super::backoff::{Backoff, Outage};
use crate::backend::{Backend, Fetched, Version};
use crate::error::{Error, Result};
use crate::threads;
use crate::tree::Tree;

/// So many answers in a row with nothing new are metad's habit; more are a server that does not wait.
const ECHOES: u32 = 3;
/// An answer that took so long was waited for, even if it brings nothing new.
const HELD: Duration = Duration::from_secs(1);

/// When the source is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// Until one tree has come, for this long at most.
    Once(Duration),
    /// Again after each pause.
    Every(Duration),
    /// Whenever the source says that something changed.
    Watch,
}

/// Where trees come from; dropping it makes its thread end after the request in hand.
#[derive(Debug)]
pub struct Feed {
    number: u32,
    ended: Arc<AtomicBool>,
}

impl Feed {
    /// Starts asking `backend`; what comes of it is posted as [`Event::Tree`] and [`Event::Lost`] with this `number`. `spread` is
    /// the time over which nodes may ask a source again that all of them have lost.
    pub fn start(
        number: u32,
        backend: Backend,
        rhythm: Rhythm,
        spread: Duration,
        queue: SyncSender<Event>,
    ) -> Result<Feed> {
        let ended = Arc::new(AtomicBool::new(false));
        let asker = Asker {
            number,
            backend,
            queue,
            ended: Arc::clone(&ended),
            outage: Outage::new(spread),
            last: None,
        };
        threads::spawn("metadata", move || asker.run(rhythm))
            .map_err(|source| Error::io("start a thread for", "metadata".as_ref(), source))?;
        Ok(Feed { number, ended })
    }

    /// The number that this source's events carry; events of an earlier one are out of date.
    pub fn number(&self) -> u32 {
        self.number
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

struct Asker {
    number: u32,
    backend: Backend,
    queue: SyncSender<Event>,
    ended: Arc<AtomicBool>,
    outage: Outage,
    /// The last tree posted, so that the same one is not posted again.
    last: Option<Arc<Tree>>,
}

impl Asker {
    fn run(mut self, rhythm: Rhythm) {
        match rhythm {
            Rhythm::Once(limit) => self.once(limit),
            Rhythm::Every(pause) => self.every(pause),
            Rhythm::Watch => self.watch(),
        }
    }

    fn once(&mut self, limit: Duration) {
        let start = Instant::now();
        while self.listening() {
            match self.backend.fetch() {
                Ok(fetched) => {
                    self.tree(fetched);
                    return;
                }
                Err(error) => {
                    let left = limit.saturating_sub(start.elapsed());
                    self.lost(error, left.is_zero());
                    if left.is_zero() {
                        return;
                    }
                    thread::sleep(self.outage.pause(Instant::now()).min(left));
                }
            }
        }
    }

    fn every(&mut self, pause: Duration) {
        while self.listening() {
            match self.backend.fetch() {
                Ok(fetched) => {
                    self.outage.end();
                    self.tree(fetched);
                    thread::sleep(pause);
                }
                Err(error) => {
                    self.lost(error, false);
                    thread::sleep(self.outage.pause(Instant::now()));
                }
            }
        }
    }

    fn watch(&mut self) {
        let mut version: Option<Version> = None;
        let (mut echoes, mut backoff) = (0, Backoff::default());
        while self.listening() {
            let asked = Instant::now();
            let answer = match version {
                None => self.backend.fetch().map(Some),
                Some(version) => self.backend.wait(version),
            };
            match answer {
                Ok(None) => echoes = 0,
                Ok(Some(fetched)) => {
                    version = Some(fetched.version);
                    let news = self.tree(fetched) || asked.elapsed() >= HELD;
                    echoes = if news { 0 } else { echoes + 1 };
                    self.outage.end();
                    if echoes <= ECHOES {
                        backoff.reset();
                    } else {
                        thread::sleep(backoff.pause());
                    }
                }
                Err(error) => {
                    // A server that comes back may count from any number: start with the whole tree.
                    version = None;
                    self.lost(error, false);
                    thread::sleep(self.outage.pause(Instant::now()));
                }
            }
        }
    }

    fn listening(&self) -> bool {
        !self.ended.load(Ordering::Relaxed)
    }

    /// Posts a tree unless it is the last one again; true when it was new.
    fn tree(&mut self, fetched: Fetched) -> bool {
        if self.last.as_deref() == Some(&fetched.tree) {
            return false;
        }
        let tree = Arc::new(fetched.tree);
        self.last = Some(Arc::clone(&tree));
        self.post(Event::Tree {
            feed: self.number,
            version: fetched.version,
            tree,
        });
        true
    }

    fn lost(&mut self, error: Error, last: bool) {
        self.last = None;
        self.post(Event::Lost {
            feed: self.number,
            error,
            last,
        });
    }

    fn post(&self, event: Event) {
        if self.queue.send(event).is_err() {
            self.ended.store(true, Ordering::Relaxed);
        }
    }
}
