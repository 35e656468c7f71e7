//! The metadata service: one request for the whole tree, and the long poll whose answer is the next
//! tree.
//!
//! Of several nodes one is chosen at random and kept as long as it works; when it fails, a random
//! other one takes its place. SRV records say by priority and weight which nodes come first.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::http::{Answer, Client, Head, Limits, Problem};
use super::{Cancel, Fetched, Version};
use crate::config::Nodes;
use crate::error::{Error, Result};
use crate::net::{self, SrvRecord};
use crate::random;
use crate::tree::Tree;

const VERSION_HEADER: &str = "X-Metad-Version";
/// A poll that fails sooner is not followed by a request at once: the server may be refusing polls.
const SHORTEST_POLL: Duration = Duration::from_secs(1);

/// A metadata service.
#[derive(Debug)]
pub struct Metad {
    client: Client,
    cancel: Cancel,
    source: Nodes,
    /// The nodes to try; empty until the SRV record has been looked up.
    nodes: Vec<Node>,
    /// The node that worked last, or that was chosen first.
    current: usize,
    /// The prefix as it stands in a URL.
    path: String,
    poll_limit: Duration,
    jitter: Duration,
    /// The last poll was not answered: the server may be quiet because nothing changed, or dead.
    in_doubt: bool,
    /// True when the first tree will be the last.
    asked_once: bool,
    /// The last tree: what is the same in the next answer is not parsed again.
    last: Option<Arc<Tree>>,
}

impl Metad {
    /// The service at these nodes; nothing is asked yet. `jitter` is the time over which those ask
    /// again whose polls were cut off at one moment, as by a server that restarts. When it is
    /// `asked_once`, nothing is kept for a second tree.
    pub fn new(
        source: &Nodes,
        prefix: &str,
        limits: Limits,
        poll_limit: Duration,
        jitter: Duration,
        asked_once: bool,
    ) -> Metad {
        let nodes = match source {
            Nodes::Urls(urls) => nodes_of(urls),
            Nodes::Srv(_) => Vec::new(),
        };
        let client = Client::new(limits);
        Metad {
            cancel: client.cancel(),
            client,
            source: source.clone(),
            current: order(&nodes).first().copied().unwrap_or(0),
            nodes,
            path: encode_path(prefix),
            poll_limit,
            jitter,
            in_doubt: false,
            asked_once,
            last: None,
        }
    }

    /// Ends a call of [`Metad::fetch`] or [`Metad::wait`].
    pub fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    /// Asks the node that worked last, then the others, until one has the tree.
    pub fn fetch(&mut self) -> Result<Fetched> {
        self.in_doubt = false;
        self.look_up()?;
        let mut others = order(&self.nodes);
        others.retain(|node| *node != self.current);
        let mut problems: Vec<(usize, String)> = Vec::new();
        for node in std::iter::once(self.current).chain(others) {
            match self.ask(node, "", self.client.timeout()) {
                Ok(fetched) => {
                    self.current = node;
                    return Ok(fetched);
                }
                Err(problem) => problems.push((node, explain(problem, self.client.timeout()))),
            }
            if self.cancel.is_cancelled() {
                break;
            }
        }
        Err(self.no_node(problems))
    }

    /// The long poll. When it ends without an answer, the next call makes sure with a plain request
    /// that the server is alive and nothing was missed: a connection may be dead without either
    /// side having noticed.
    pub fn wait(&mut self, known: Version) -> Result<Option<Fetched>> {
        if self.in_doubt || self.nodes.is_empty() {
            return self.fetch().map(Some);
        }
        let start = Instant::now();
        let query = format!("?wait=true&prev_version={known}");
        // After a change all nodes poll at one moment: they must not all renew their polls at one.
        let timeout = self.poll_limit - random::up_to(self.poll_limit / 4);
        match self.ask(self.current, &query, timeout) {
            Ok(fetched) => Ok(Some(fetched)),
            Err(Problem::Timeout) => {
                self.in_doubt = true;
                Ok(None)
            }
            Err(Problem::Other(_)) => {
                // A server is only lost when a plain request says so, too.
                let least = SHORTEST_POLL.saturating_sub(start.elapsed());
                self.cancel.sleep(least + random::up_to(self.jitter));
                if self.cancel.is_cancelled() {
                    return Ok(None);
                }
                self.fetch().map(Some)
            }
        }
    }

    fn ask(&mut self, node: usize, query: &str, timeout: Duration) -> Result<Fetched, Problem> {
        let url = format!("{}{query}", self.url(node));
        let answer = self.client.get(&url, VERSION_HEADER, timeout)?;
        let version = version_of(&answer);
        let tree = self.tree_of(&answer.body)?;
        Ok(Fetched { tree, version })
    }

    /// The tree of a body; that of the last one when the bytes are the same.
    fn tree_of(&mut self, body: &[u8]) -> Result<Arc<Tree>, Problem> {
        if self.asked_once {
            return Tree::from_json(body).map(Arc::new).map_err(Problem::Other);
        }
        let tree = Tree::following(self.last.as_ref(), body).map_err(Problem::Other)?;
        self.last = Some(Arc::clone(&tree));
        Ok(tree)
    }

    fn url(&self, node: usize) -> String {
        let base = self.nodes.get(node).map_or("", |node| &node.url);
        format!("{base}{}", self.path)
    }

    /// One error for all nodes, in the order of the settings, so that the same errors have the same
    /// words.
    fn no_node(&mut self, mut problems: Vec<(usize, String)>) -> Error {
        problems.sort_unstable();
        let mut lines = problems.into_iter();
        let first = lines.next().unwrap_or_default();
        let url = self.url(first.0);
        let problem = lines.fold(first.1, |text, (node, problem)| {
            format!("{text}; {}: {problem}", self.url(node))
        });
        if matches!(self.source, Nodes::Srv(_)) {
            // The service may have moved.
            self.nodes.clear();
        }
        Error::backend(url, problem)
    }

    /// Finds the nodes where they are known by an SRV record, and chooses one.
    fn look_up(&mut self) -> Result<()> {
        if self.nodes.is_empty() {
            self.nodes = look_up(&self.source)?;
            self.current = order(&self.nodes).first().copied().unwrap_or(0);
        }
        Ok(())
    }
}

/// The answer of one node to one request.
#[derive(Debug)]
pub struct Probe {
    /// None when there was no answer.
    pub head: Option<Head>,
    /// The tree, or why there is none.
    pub tree: Result<Tree, String>,
}

/// Asks the node at `url` for the tree below `prefix` over a connection of its own.
pub fn probe(url: &str, prefix: &str, timeout: Duration) -> Probe {
    let limits = Limits {
        connect: timeout,
        answer: timeout,
        body: timeout,
        ..Limits::default()
    };
    let url = format!("{url}{}", encode_path(prefix));
    let (head, answer) = Client::new(limits).probe(&url, VERSION_HEADER, timeout);
    let tree = answer
        .map_err(|problem| explain(problem, timeout))
        .and_then(|answer| Tree::from_json(&answer.body));
    Probe { head, tree }
}

/// A server that sends no version holds a poll from 0 until something changes.
fn version_of(answer: &Answer) -> Version {
    Version(answer.number.unwrap_or(0))
}

fn explain(problem: Problem, timeout: Duration) -> String {
    match problem {
        Problem::Timeout => format!("no answer within {timeout:?}"),
        Problem::Other(words) => words,
    }
}

/// One place where the service is. Lower priorities come first (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    url: String,
    priority: u16,
    weight: u16,
}

/// The URLs of the nodes, those of an SRV record looked up first.
pub fn urls(source: &Nodes) -> Result<Vec<String>> {
    let nodes = look_up(source)?;
    Ok(nodes.into_iter().map(|node| node.url).collect())
}

fn look_up(source: &Nodes) -> Result<Vec<Node>> {
    match source {
        Nodes::Urls(urls) => Ok(nodes_of(urls)),
        Nodes::Srv(name) => {
            let refused = |problem| Error::backend(format!("SRV record {name}"), problem);
            let records = net::query_srv(name).map_err(|error| refused(error.to_string()))?;
            let nodes = srv_nodes(records);
            if nodes.is_empty() {
                return Err(refused("names no node".to_owned()));
            }
            Ok(nodes)
        }
    }
}

/// Nodes without a preference among them.
fn nodes_of(urls: &[String]) -> Vec<Node> {
    let node = |url: &String| Node {
        url: url.clone(),
        priority: 0,
        weight: 0,
    };
    urls.iter().map(node).collect()
}

/// The nodes of an SRV record by priority. The target "." says that there is no service.
fn srv_nodes(mut records: Vec<SrvRecord>) -> Vec<Node> {
    records.retain(|record| record.target != ".");
    records.sort_by_key(|record| record.priority);
    let node = |record: SrvRecord| Node {
        url: format!(
            "http://{}:{}",
            record.target.trim_end_matches('.'),
            record.port
        ),
        priority: record.priority,
        weight: record.weight,
    };
    records.into_iter().map(node).collect()
}

/// The order in which to try the nodes, as their indices: by priority, and within one at random by
/// weight, as RFC 2782 wants it. A weight of 0 leaves a small chance.
fn order(nodes: &[Node]) -> Vec<usize> {
    let mut rest: Vec<(usize, &Node)> = nodes.iter().enumerate().collect();
    rest.sort_by_key(|(_, node)| node.priority);
    let mut order = Vec::new();
    while let Some((_, first)) = rest.first() {
        let share = |node: &Node| usize::from(node.weight) * 1000 + 1;
        let group = rest.iter().map(|(_, node)| *node);
        let group = group.take_while(|node| node.priority == first.priority);
        let mut mark = random::below(group.clone().map(share).sum());
        let mut chosen = 0;
        for node in group {
            if mark < share(node) {
                break;
            }
            mark -= share(node);
            chosen += 1;
        }
        order.push(rest.remove(chosen).0);
    }
    order
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
