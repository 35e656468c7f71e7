//! The source of the metadata: each node by itself, step by step, so that it is known which step fails.
//!
//! Says how many keys there are, never what is in them.

use std::env;
use std::fmt;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::{Case, Finding, LIMIT, STEP, Verdict, clock, in_time};
use crate::backend::{self, Backend, Probe};
use crate::config::Source;
use crate::threads::{self, Task};

/// The prefix under which metad has what belongs to whoever asks.
const OWN: &str = "/self";
/// An answer that takes longer deserves a word.
const SLOW: Duration = Duration::from_secs(1);

/// Tries every node at once.
pub fn check(case: &Case) -> Vec<Finding> {
    let Source::Metad(nodes) = &case.config.source else {
        return vec![recorded(case)];
    };
    let nodes = nodes.clone();
    let urls = match in_time(move || backend::urls(&nodes)) {
        Some(Ok(urls)) => urls,
        Some(Err(error)) => return vec![wrong(error.chain(), NAME_CURE)],
        None => {
            return vec![wrong(
                format_args!("no SRV record within {STEP:?}"),
                NAME_CURE,
            )];
        }
    };
    let prefix = case.config.fetch_prefix();
    let mut tasks: Vec<Task<Vec<Finding>>> = Vec::new();
    for url in &urls {
        let (url, prefix) = (url.clone(), prefix.to_owned());
        tasks.push(Box::new(move || examine(&url, &prefix)));
    }
    let found = threads::run_all_within(LIMIT - Duration::from_secs(1), tasks);
    let mut findings: Vec<Finding> = Vec::new();
    for (found, url) in found.into_iter().zip(&urls) {
        let Some(found) = found else {
            let silent = format_args!("{url}: its answer does not end");
            findings.push(wrong(silent, LOG_CURE));
            continue;
        };
        for finding in found {
            // One clock is wrong, whichever nodes say so.
            if finding.check == "node" || findings.iter().all(|said| said.check == "node") {
                findings.push(finding);
            }
        }
    }
    findings
}

fn wrong(message: impl fmt::Display, cure: &'static str) -> Finding {
    Finding::new("node", Verdict::Wrong, message, cure)
}

const NAME_CURE: &str =
    "correct the name or its address in /etc/hosts, or the nameserver in /etc/resolv.conf";
const LOG_CURE: &str = "see the log of metad there";
const CONNECTION_CURE: &str =
    "is the machine up, the address right, a firewall in between? curl -v tries the same";

/// Recordings and variables.
fn recorded(case: &Case) -> Finding {
    match Backend::new(&case.config).fetch() {
        Ok(fetched) => Finding::ok(
            "node",
            format_args!("not asked: {} recorded keys", fetched.tree.len()),
        ),
        Err(error) => wrong(
            error.chain(),
            "record it anew on a node of a cluster: confd -dump FILE",
        ),
    }
}

/// A connection, and how it came about.
struct Connection {
    server: SocketAddr,
    /// Whom the server sees.
    own: Option<IpAddr>,
    resolved: Duration,
    connected: Duration,
}

fn examine(url: &str, prefix: &str) -> Vec<Finding> {
    let node = url.strip_prefix("http://").unwrap_or(url);
    let connection = match connect(node) {
        Ok(connection) => connection,
        Err((problem, cure)) => return vec![wrong(format_args!("{node}: {problem}"), cure)],
    };
    let start = Instant::now();
    let probe = backend::probe(url, prefix, STEP);
    let answered = start.elapsed();
    let date = probe.head.as_ref().and_then(|head| head.date.as_deref());
    let clock = date.and_then(|date| clock::compare(node, date));
    let node = match node.contains(&connection.server.ip().to_string()) {
        true => node.to_owned(),
        false => format!("{node} ({})", connection.server.ip()),
    };
    let finding = match explain(&probe, url, prefix, connection.own) {
        Some((verdict, problem, cure)) => {
            Finding::new("node", verdict, format_args!("{node}: {problem}"), cure)
        }
        None => well(&node, &probe, &connection, answered),
    };
    let mut findings = vec![finding];
    findings.extend(clock);
    findings
}

/// The steps before the first byte; else what is wrong, and the cure.
fn connect(node: &str) -> Result<Connection, (String, &'static str)> {
    let name = node.to_owned();
    let start = Instant::now();
    let resolve = move || host_and_port(&name).to_socket_addrs();
    let addresses = match in_time(resolve) {
        None => return Err((format!("its name is not found within {STEP:?}"), NAME_CURE)),
        Some(Err(error)) => return Err((error.to_string(), NAME_CURE)),
        Some(Ok(addresses)) => addresses,
    };
    let resolved = start.elapsed();
    let start = Instant::now();
    let share = STEP / u32::try_from(addresses.len().max(1)).unwrap_or(1);
    let mut failure = ("it has no address".to_owned(), NAME_CURE);
    for server in addresses {
        match TcpStream::connect_timeout(&server, share) {
            Ok(stream) => {
                return Ok(Connection {
                    server,
                    own: stream.local_addr().ok().map(|own| own.ip()),
                    resolved,
                    connected: start.elapsed(),
                });
            }
            Err(error) => failure = refused(&error),
        }
    }
    Err(failure)
}

/// A node as the resolver takes it: an IPv6 address without its brackets. Every node has a port.
fn host_and_port(node: &str) -> (&str, u16) {
    let (host, port) = node.rsplit_once(':').unwrap_or((node, ""));
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (host, port.parse().unwrap_or_default())
}

fn refused(error: &std::io::Error) -> (String, &'static str) {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => (
            "connection refused: nothing listens there".to_owned(),
            "start metad there, or correct nodes in confd.toml",
        ),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => {
            (format!("no connection within {STEP:?}"), CONNECTION_CURE)
        }
        _ => (format!("no connection: {error}"), CONNECTION_CURE),
    }
}

/// What is wrong with an answer, and the cure; nothing when it is a tree of metad's.
fn explain(
    probe: &Probe,
    url: &str,
    prefix: &str,
    own: Option<IpAddr>,
) -> Option<(Verdict, String, &'static str)> {
    let other = "correct nodes in confd.toml: something else than metad listens there";
    let (status, version) = match &probe.head {
        Some(head) => (head.status, head.number),
        None => (0, None),
    };
    let problem = match &probe.tree {
        Ok(_) if version.is_some() => return None,
        Ok(_) => {
            let problem = "it answers, but without metad's X-Metad-Version".to_owned();
            return Some((Verdict::Warning, problem, other));
        }
        Err(problem) => problem,
    };
    let (problem, cure) = match (status, version) {
        (0, _) => (problem.clone(), LOG_CURE),
        (_, None) => (format!("{problem}; it is not metad"), other),
        (404, _) if prefix != OWN && backend::probe(url, OWN, STEP).tree.is_ok() => (
            format!("nothing below the prefix {prefix}, but below {OWN} there is"),
            "correct prefix in confd.toml, or -prefix",
        ),
        (404, _) => {
            let own = own.map_or_else(String::new, |own| format!("; it is asked from {own}"));
            (
                format!("{problem}{own}"),
                "a new node: wait until the platform has registered it; an old one: metad knows it \
                 by another address",
            )
        }
        (200, _) => (
            format!("{problem}, below the prefix {prefix}"),
            "correct prefix in confd.toml; if it is right, wait until the platform has written it",
        ),
        _ => (problem.clone(), LOG_CURE),
    };
    Some((Verdict::Wrong, problem, cure))
}

fn well(node: &str, probe: &Probe, connection: &Connection, answered: Duration) -> Finding {
    let version = probe.head.as_ref().and_then(|head| head.number);
    let keys = probe.tree.as_ref().map_or(0, |tree| tree.len());
    let message = format!(
        "{node} connects in {}, answers in {}; version {}, {keys} keys",
        shown(connection.connected),
        shown(answered),
        version.unwrap_or(0)
    );
    if connection.resolved > SLOW {
        let message = format_args!("{message}; its name took {}", shown(connection.resolved));
        return Finding::new("node", Verdict::Warning, message, NAME_CURE);
    }
    if connection.connected.max(answered) > SLOW {
        let cure = "it is slow: see its load, and the network in between";
        return Finding::new("node", Verdict::Warning, message, cure);
    }
    Finding::ok("node", message)
}

/// In milliseconds, with a digit behind the point.
fn shown(time: Duration) -> String {
    let tenths = time.as_secs() * 10_000 + u64::from(time.subsec_micros() / 100);
    format!("{}.{} ms", tenths / 10, tenths % 10)
}

/// Others take a proxy where confd takes none, and see another metad.
pub fn proxy(case: &Case) -> Vec<Finding> {
    let names = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
    let is_set = |name: &&&str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let set = names.iter().find(is_set);
    let asks = matches!(case.config.source, Source::Metad(_));
    let finding = set.filter(|_| asks).map(|name| {
        Finding::new(
            "proxy",
            Verdict::Warning,
            format_args!("{name} is set; confd ignores it, and asks the nodes themselves"),
            "curl does not: try with curl --noproxy '*'",
        )
    });
    finding.into_iter().collect()
}
