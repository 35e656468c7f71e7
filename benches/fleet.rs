//! Many daemons at one metadata server, all on this machine: what one change costs, what a restart
//! of the server brings down on it, and what the idle fleet asks. Prints figures, judges nothing;
//! docs/scale.md is made from them.
//!
//! FLEET=100 takes another number of daemons than 500, FLEET_SPLAY=10s gives them a `splay`.

#[allow(dead_code)] // the tests use the rest
#[path = "../tests/it/env.rs"]
mod env;
#[allow(dead_code)]
#[path = "../tests/it/http.rs"]
mod http;
#[allow(dead_code)]
#[path = "../tests/it/metad.rs"]
mod metad;

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use env::{Daemon, Env};
use http::Request;
use metad::Metad;

/// How many changes are measured.
const CHANGES: usize = 5;
/// How long the server is away each time it restarts.
const OUTAGES: [u64; 4] = [0, 2, 10, 30];
/// How long the idle fleet is watched: long enough for each poll to be renewed.
const IDLE: Duration = Duration::from_secs(120);
/// The hosts in the metadata, each with the usual keys: what a cluster of a few dozen nodes has.
const HOSTS: usize = 30;

fn main() {
    let fleet = std::env::var("FLEET").ok();
    let count = fleet.and_then(|text| text.parse().ok()).unwrap_or(500);
    let splay = std::env::var("FLEET_SPLAY").unwrap_or_else(|_| "0s".to_owned());
    let mut metad = Metad::start(tree());
    println!("{count} daemons, splay {splay}, one server; {HOSTS} hosts in the metadata");
    let start = Instant::now();
    let nodes: Vec<Node> = (0..count).map(|_| Node::start(&metad, &splay)).collect();
    nodes.iter().for_each(|node| node.wait("0"));
    metad.wait_all_idle(count);
    print("all started and idle after", &seconds(start.elapsed()));
    changes(&metad, &nodes);
    memory(&nodes);
    for outage in OUTAGES {
        restart(&mut metad, count, Duration::from_secs(outage));
    }
    idle(&metad, count);
}

fn print(what: &str, figure: &str) {
    println!("  {what:<58} {figure}");
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn tree() -> Json {
    let host = |number: usize| {
        let host = json!({
            "ip": format!("192.168.100.{number}"), "sid": number.to_string(), "gid": "1", "gsid": number.to_string(),
            "node_id": format!("cln-{number:08}"), "instance_id": format!("i-{number:08}"), "cpu": "2",
            "memory": "4096", "volume_size": "10", "role": "node", "mac": format!("52:54:99:00:00:{number:02x}"),
        });
        (format!("i-{number:08}"), host)
    };
    let hosts: serde_json::Map<_, _> = (1..=HOSTS).map(host).collect();
    json!({"hosts": hosts, "env": {"value": "0"}})
}

/// One daemon with a confdir of its own.
struct Node {
    env: Env,
    daemon: Daemon,
}

impl Node {
    fn start(metad: &Metad, splay: &str) -> Node {
        let mut env = Env::with_metad(metad);
        env.settings(&format!("splay = \"{splay}\""));
        let hosts = "{{range ls \"/hosts\"}}{{.}} {{getv (printf \"/hosts/%s/ip\" .)}}\n{{end}}";
        env.simple_with(
            "app",
            &format!("value={{{{getv \"/env/value\"}}}}\n{hosts}"),
            "",
        );
        let daemon = env.daemon(&["-watch"]);
        Node { env, daemon }
    }

    fn wait(&self, value: &str) {
        let (path, wanted) = (self.env.path("out/app"), format!("value={value}\n"));
        env::until("a file is right", || {
            fs::read(&path).is_ok_and(|bytes| bytes.starts_with(wanted.as_bytes()))
        });
    }
}

fn changes(metad: &Metad, nodes: &[Node]) {
    let (requests, bytes) = (metad.request_count(), metad.bytes_sent());
    let mut times = Vec::new();
    for number in 1..=CHANGES {
        let (start, value) = (Instant::now(), number.to_string());
        metad.put("/env/value", &value);
        nodes.iter().for_each(|node| node.wait(&value));
        times.push(start.elapsed());
        metad.wait_all_idle(nodes.len());
    }
    times.sort();
    print(
        "a change until the last file is right, median",
        &seconds(times[times.len() / 2]),
    );
    print("the same, longest", &seconds(times[times.len() - 1]));
    let each = |total: usize| total as f64 / (CHANGES * nodes.len()) as f64;
    print(
        "requests a change and node",
        &format!("{:.2}", each(metad.request_count() - requests)),
    );
    let asked: usize = metad.requests()[requests..].iter().map(length).sum();
    print(
        "bytes of requests a change and node",
        &format!("{:.0}", each(asked)),
    );
    print(
        "bytes of answers a change and node",
        &format!("{:.0}", each(metad.bytes_sent() - bytes)),
    );
    print(
        "connections since the start, each node",
        &format!("{:.2}", metad.connections() as f64 / nodes.len() as f64),
    );
}

/// The bytes of a request: each line has two for its end, each header two between name and value.
fn length(request: &Request) -> usize {
    let Request {
        method,
        path,
        query,
        ..
    } = request;
    let line = format!("{method} {path}?{query} HTTP/1.1\r\n");
    let headers = request
        .headers
        .iter()
        .map(|(name, value)| name.len() + value.len() + 4);
    line.len() + headers.sum::<usize>() + 2
}

/// The proportional set size: what several processes share is counted once.
fn memory(nodes: &[Node]) {
    let pss = |node: &Node| -> usize {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", node.daemon.pid()));
        let rollup = rollup.unwrap_or_default();
        let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        let word = line.and_then(|line| line.split_whitespace().next());
        word.and_then(|number| number.parse().ok()).unwrap_or(0)
    };
    let total: usize = nodes.iter().map(pss).sum();
    print(
        "memory of all daemons (PSS)",
        &format!("{:.0} MiB", total as f64 / 1024.0),
    );
    print(
        "the same, each node",
        &format!("{:.0} KiB", total as f64 / nodes.len() as f64),
    );
}

/// How the daemons come back, by the second after the server has.
fn restart(metad: &mut Metad, count: usize, outage: Duration) {
    metad.stop();
    thread::sleep(outage);
    let (before, back) = (metad.connections(), Instant::now());
    metad.restart();
    metad.wait_all_idle(count);
    let accepted = metad.accepted();
    let times = accepted[before..]
        .iter()
        .map(|at| at.duration_since(back).as_secs());
    let mut by_second: Vec<usize> = Vec::new();
    for second in times {
        let second = usize::try_from(second).expect("not so long");
        by_second.resize(by_second.len().max(second + 1), 0);
        by_second[second] += 1;
    }
    let mean = by_second.iter().sum::<usize>() as f64 / by_second.len() as f64;
    let most = by_second.iter().copied().max().unwrap_or(0);
    print(
        &format!(
            "restart, away for {} s: connections by the second",
            outage.as_secs()
        ),
        &format!("{by_second:?}"),
    );
    print(
        "the busiest second, as a multiple of the mean",
        &format!("{:.2}", most as f64 / mean),
    );
}

fn idle(metad: &Metad, count: usize) {
    let (requests, bytes, connections) = (
        metad.request_count(),
        metad.bytes_sent(),
        metad.connections(),
    );
    thread::sleep(IDLE);
    let minutes = IDLE.as_secs_f64() / 60.0;
    let each = |total: usize| total as f64 / minutes / count as f64;
    let requests = &metad.requests()[requests..];
    let fetches = requests
        .iter()
        .filter(|request| request.prev_version().is_none())
        .count();
    print(
        "idle: requests a minute and node",
        &format!("{:.2}", each(requests.len())),
    );
    print(
        "idle: of these for the whole tree",
        &format!("{:.2}", each(fetches)),
    );
    print(
        "idle: bytes of answers a minute and node",
        &format!("{:.0}", each(metad.bytes_sent() - bytes)),
    );
    print(
        "idle: connections a minute and node",
        &format!("{:.2}", each(metad.connections() - connections)),
    );
}
