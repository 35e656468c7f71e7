//! The metadata service: one request for the whole tree, and the long poll whose answer is the next tree.
//!
//! Of several nodes one is taken at random and kept as long as it works; the others are there for when it does not.

use std::thread;
use std::time::{Duration, Instant};

use super::http::{Answer, Client, Head, Limits, Problem};
use super::{Fetched, Version};
use crate::config::Nodes;
use crate::error::{Error, Result};
use crate::net::{self, SrvRecord};
use crate::random;
use crate::tree::Tree;

const VERSION_HEADER: &str = "X-Metad-Version";
/// A poll that fails sooner is not followed by a request at once: it may be the server's way to refuse.
const SHORTEST_POLL: Duration = Duration::from_secs(1);

/// A metadata service.
#[derive(Debug)]
pub struct Metad {
    client: Client,
    nodes: Nodes,
    /// The URLs to try; empty until the SRV record has been looked up.
    urls: Vec<String>,
    /// Which of them works, as far as is known.
    current: usize,
    /// The prefix as it stands in a URL.
    path: String,
    poll_limit: Duration,
    spread: Duration,
    /// The last poll was not answered: is the server quiet because nothing changed, or because it is dead?
    in_doubt: bool,
}

impl Metad {
    /// The service at these nodes; nothing is asked yet. `spread` is the time over which those ask again whose polls were cut off
    /// in one moment, as by a server that is replaced.
    pub fn new(
        nodes: &Nodes,
        prefix: &str,
        limits: Limits,
        poll_limit: Duration,
        spread: Duration,
    ) -> Metad {
        let urls = match nodes {
            Nodes::Urls(urls) => urls.clone(),
            Nodes::Srv(_) => Vec::new(),
        };
        Metad {
            client: Client::new(limits),
            nodes: nodes.clone(),
            current: random::below(urls.len()),
            urls,
            path: encode_path(prefix),
            poll_limit,
            spread,
            in_doubt: false,
        }
    }

    /// Asks the node that worked last, then the others, until one has the tree.
    pub fn fetch(&mut self) -> Result<Fetched> {
        self.in_doubt = false;
        self.look_up()?;
        let mut problems: Vec<(usize, String)> = Vec::new();
        for step in 0..self.urls.len() {
            let node = (self.current + step) % self.urls.len();
            match self.ask(node, "", self.client.patience()) {
                Ok(fetched) => {
                    self.current = node;
                    return Ok(fetched);
                }
                Err(problem) => problems.push((node, explain(problem, self.client.patience()))),
            }
        }
        Err(self.no_node(problems))
    }

    /// The long poll. When it ends without an answer, the next call makes sure with a plain request that the server is
    /// alive and nothing was missed: a connection may be dead without either side having noticed.
    pub fn wait(&mut self, known: Version) -> Result<Option<Fetched>> {
        if self.in_doubt || self.urls.is_empty() {
            return self.fetch().map(Some);
        }
        let start = Instant::now();
        let query = format!("?wait=true&prev_version={known}");
        // After a change all nodes poll in the same moment: they must not all renew their polls in the same moment.
        let patience = self.poll_limit - random::up_to(self.poll_limit / 4);
        match self.ask(self.current, &query, patience) {
            Ok(fetched) => Ok(Some(fetched)),
            Err(Problem::Silence) => {
                self.in_doubt = true;
                Ok(None)
            }
            Err(Problem::Other(_)) => {
                // A server is only lost when a plain request says so, too.
                let least = SHORTEST_POLL.saturating_sub(start.elapsed());
                thread::sleep(least + random::up_to(self.spread));
                self.fetch().map(Some)
            }
        }
    }

    fn ask(&self, node: usize, query: &str, patience: Duration) -> Result<Fetched, Problem> {
        let url = format!("{}{query}", self.url(node));
        fetched(self.client.get(&url, VERSION_HEADER, patience)?)
    }

    fn url(&self, node: usize) -> String {
        let base = self.urls.get(node).map_or("", String::as_str);
        format!("{base}{}", self.path)
    }

    /// One error for all nodes, in their own order, so that the same trouble gives the same words.
    fn no_node(&mut self, mut problems: Vec<(usize, String)>) -> Error {
        problems.sort_unstable();
        let mut lines = problems.into_iter();
        let first = lines.next().unwrap_or_default();
        let url = self.url(first.0);
        let problem = lines.fold(first.1, |text, (node, problem)| {
            format!("{text}; {}: {problem}", self.url(node))
        });
        if matches!(self.nodes, Nodes::Srv(_)) {
            // The service may have moved.
            self.urls.clear();
        }
        Error::backend(url, problem)
    }

    /// Finds the nodes, where they are known by an SRV record.
    fn look_up(&mut self) -> Result<()> {
        if self.urls.is_empty() {
            self.urls = urls(&self.nodes)?;
            self.current = 0;
        }
        Ok(())
    }
}

/// What one node answers to one request, whatever that is.
#[derive(Debug)]
pub struct Sight {
    /// None when there was no answer.
    pub head: Option<Head>,
    /// The tree, or why there is none.
    pub tree: Result<Tree, String>,
}

/// Asks the node at `url` for what is below `prefix`, and keeps nothing.
pub fn look(url: &str, prefix: &str, patience: Duration) -> Sight {
    let limits = Limits {
        connect: patience,
        answer: patience,
        body: patience,
        ..Limits::default()
    };
    let url = format!("{url}{}", encode_path(prefix));
    let (head, answer) = Client::new(limits).look(&url, VERSION_HEADER, patience);
    let tree = answer.and_then(fetched).map(|fetched| fetched.tree);
    Sight {
        head,
        tree: tree.map_err(|problem| explain(problem, patience)),
    }
}

fn fetched(answer: Answer) -> Result<Fetched, Problem> {
    let tree = Tree::from_json(&answer.body).map_err(Problem::Other)?;
    // A server that tells no version is held by a poll from 0 until something changes: that will do.
    let version = Version(answer.number.unwrap_or(0));
    Ok(Fetched { tree, version })
}

fn explain(problem: Problem, patience: Duration) -> String {
    match problem {
        Problem::Silence => format!("no answer within {patience:?}"),
        Problem::Other(words) => words,
    }
}

/// The URLs of the nodes, which an SRV record has to be asked for.
pub fn urls(nodes: &Nodes) -> Result<Vec<String>> {
    match nodes {
        Nodes::Urls(urls) => Ok(urls.clone()),
        Nodes::Srv(name) => {
            let records = net::query_srv(name);
            records
                .map(urls_of)
                .map_err(|error| Error::backend(format!("SRV record {name}"), error.to_string()))
        }
    }
}

/// The nodes of an SRV record, the most wanted first.
fn urls_of(mut records: Vec<SrvRecord>) -> Vec<String> {
    records.sort_by_key(|record| record.priority);
    let mut urls = Vec::new();
    for record in records {
        let host = record.target.trim_end_matches('.');
        urls.push(format!("http://{host}:{}", record.port));
    }
    urls
}

/// A clean path as it may stand in a URL.
fn encode_path(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
