//! The source of the metadata: each node by itself, step by step, so that the failing step is
//! known.
//!
//! Prints the number of keys, never their values.

use std::env;
use std::fmt;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::{Case, LIMIT, STEP, clock, in_time};
use crate::backend::{self, Backend, Probe};
use crate::cli::Args;
use crate::config::Source;
use crate::threads::{self, Task};
use crate::tools::finding::{Finding, Severity};

/// The prefix of metad's view for the node that asks.
const OWN: &str = "/self";
/// The time after which an answer is slow.
const SLOW: Duration = Duration::from_secs(1);

/// Checks all nodes side by side.
pub(super) fn check(case: &Case) -> Vec<Finding> {
    if case.refusal.is_some() && !names_source(&case.args) {
        // The default node would be blamed for what it has nothing to do with.
        let message = "not checked: confd.toml, which names the nodes, cannot be used";
        let help = "correct confd.toml first, or name a node with -node";
        return vec![Finding::new("node", Severity::Unknown, message, help)];
    }
    let Source::Metad(nodes) = &case.config.source else {
        return vec![recorded(case)];
    };
    let nodes = nodes.clone();
    let urls = match in_time(move || backend::urls(&nodes)) {
        Some(Ok(urls)) => urls,
        Some(Err(error)) => return vec![wrong(error.chain(), NAME_HELP)],
        None => {
            return vec![wrong(
                format_args!("no SRV record within {STEP:?}"),
                NAME_HELP,
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
            findings.push(wrong(silent, LOG_HELP));
            continue;
        };
        for finding in found {
            // One clock is wrong, however many nodes show it.
            if finding.code == "node" || findings.iter().all(|said| said.code == "node") {
                findings.push(finding);
            }
        }
    }
    findings
}

/// Returns true if flags or variables name the source of the metadata.
fn names_source(args: &Args) -> bool {
    let flags = ["backend", "file", "node", "srv-domain", "srv-record"];
    let variables = ["BACKEND", "FILE", "NODES", "SRV_DOMAIN", "SRV_RECORD"];
    let is_set = |name: &str| env::var_os(format!("CONFD_{name}")).is_some_and(|v| !v.is_empty());
    flags.iter().any(|flag| args.last(flag).is_some()) || variables.iter().any(|v| is_set(v))
}

fn wrong(message: impl fmt::Display, help: &'static str) -> Finding {
    Finding::new("node", Severity::Error, message, help)
}

const NAME_HELP: &str =
    "correct the name, its address in /etc/hosts, or the nameserver in /etc/resolv.conf";
const LOG_HELP: &str = "see the log of metad there";
const CONNECTION_HELP: &str =
    "check the machine, the address and firewalls in between; curl -v tries the same";

/// Recordings and variables.
fn recorded(case: &Case) -> Finding {
    match Backend::new(&case.config).fetch() {
        Ok(fetched) => Finding::ok(
            "node",
            format_args!("not needed: {} recorded keys", fetched.tree.len()),
        ),
        Err(error) => wrong(
            error.chain(),
            "record it again on a node of a cluster: confd -dump FILE",
        ),
    }
}

/// An established connection.
struct Connection {
    server: SocketAddr,
    /// The address that the server sees.
    own: Option<IpAddr>,
    resolved: Duration,
    connected: Duration,
}

fn examine(url: &str, prefix: &str) -> Vec<Finding> {
    let node = url.strip_prefix("http://").unwrap_or(url);
    let connection = match connect(node) {
        Ok(connection) => connection,
        Err((problem, help)) => return vec![wrong(format_args!("{node}: {problem}"), help)],
    };
    let start = Instant::now();
    let probe = backend::probe(url, prefix, STEP);
    let answered = start.elapsed();
    let date = probe.head.as_ref().and_then(|head| head.date.as_deref());
    let clock = date.and_then(|date| clock::compare(node, date));
    let node = if node.contains(&connection.server.ip().to_string()) {
        node.to_owned()
    } else {
        format!("{node} ({})", connection.server.ip())
    };
    let finding = match explain(&probe, url, prefix, connection.own) {
        Some((severity, problem, help)) => {
            Finding::new("node", severity, format_args!("{node}: {problem}"), help)
        }
        None => well(&node, &probe, &connection, answered),
    };
    let mut findings = vec![finding];
    findings.extend(clock);
    findings
}

/// The steps before the first byte; else the problem and the help.
fn connect(node: &str) -> Result<Connection, (String, &'static str)> {
    let name = node.to_owned();
    let start = Instant::now();
    let resolve = move || host_and_port(&name).to_socket_addrs();
    let addresses = match in_time(resolve) {
        None => {
            return Err((
                format!("its name was not resolved within {STEP:?}"),
                NAME_HELP,
            ));
        }
        Some(Err(error)) => return Err((error.to_string(), NAME_HELP)),
        Some(Ok(addresses)) => addresses,
    };
    let resolved = start.elapsed();
    let start = Instant::now();
    let share = STEP / u32::try_from(addresses.len().max(1)).unwrap_or(1);
    let mut failure = ("it has no address".to_owned(), NAME_HELP);
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
            (format!("no connection within {STEP:?}"), CONNECTION_HELP)
        }
        _ => (format!("no connection: {error}"), CONNECTION_HELP),
    }
}

/// The problem with an answer, and the help; none when it is a tree from metad.
fn explain(
    probe: &Probe,
    url: &str,
    prefix: &str,
    own: Option<IpAddr>,
) -> Option<(Severity, String, &'static str)> {
    let other = "correct nodes in confd.toml: something other than metad listens there";
    let (status, version) = match &probe.head {
        Some(head) => (head.status, head.number),
        None => (0, None),
    };
    let problem = match &probe.tree {
        Ok(_) if version.is_some() => return None,
        Ok(_) => {
            let problem = "it answers, but without metad's X-Metad-Version".to_owned();
            return Some((Severity::Warning, problem, other));
        }
        Err(problem) => problem,
    };
    let (problem, help) = match (status, version) {
        (0, _) => (problem.clone(), LOG_HELP),
        (_, None) => (format!("{problem}; it is not metad"), other),
        (404, _) if prefix != OWN && backend::probe(url, OWN, STEP).tree.is_ok() => (
            format!("nothing below the prefix {prefix}, but there is below {OWN}"),
            "correct prefix in confd.toml, or -prefix",
        ),
        (404, _) => {
            let own = own.map_or_else(String::new, |own| format!("; the request comes from {own}"));
            (
                format!("{problem}{own}"),
                "wait until the platform has registered a new node; metad knows an old one by another \
                 address",
            )
        }
        (200, _) => (
            format!("{problem}, below the prefix {prefix}"),
            "correct prefix in confd.toml, or wait until the platform has written the metadata",
        ),
        _ => (problem.clone(), LOG_HELP),
    };
    Some((Severity::Error, problem, help))
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
        return Finding::new("node", Severity::Warning, message, NAME_HELP);
    }
    if connection.connected.max(answered) > SLOW {
        let help = "check its load and the network in between";
        return Finding::new("node", Severity::Warning, message, help);
    }
    Finding::ok("node", message)
}

/// Milliseconds with one decimal.
fn shown(time: Duration) -> String {
    let tenths = time.as_secs() * 10_000 + u64::from(time.subsec_micros() / 100);
    format!("{}.{} ms", tenths / 10, tenths % 10)
}

/// Checks for a proxy, which other programs use: they may see another server.
pub(super) fn proxy(case: &Case) -> Vec<Finding> {
    let names = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
    let is_set = |name: &&&str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let set = names.iter().find(is_set);
    let asks = matches!(case.config.source, Source::Metad(_));
    let finding = set.filter(|_| asks).map(|name| {
        Finding::new(
            "proxy",
            Severity::Warning,
            format_args!("{name} is set; confd ignores it"),
            "use curl --noproxy '*' to see what confd sees",
        )
    });
    finding.into_iter().collect()
}
