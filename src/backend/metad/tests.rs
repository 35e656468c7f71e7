//! Against a real listener on 127.0.0.1, with limits so short that nothing has to be waited for.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::*;

/// The server's answer to one request.
enum Reply {
    /// Sends this and keeps the connection.
    Keep(String),
    /// Sends this and closes the connection.
    Close(String),
    /// Sends nothing and keeps the connection.
    Silence,
}

use Reply::{Close, Keep, Silence};

/// A server that answers each request, given its number and its text, as a function says.
struct Server {
    url: String,
    /// The number of the connection and the head of each request.
    requests: Arc<Mutex<Vec<(usize, String)>>>,
}

impl Server {
    fn start(reply: impl Fn(usize, &str) -> Reply + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (reply, seen) = (Arc::new(reply), Arc::clone(&requests));
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let stream = stream.expect("a connection");
                let (reply, seen) = (Arc::clone(&reply), Arc::clone(&seen));
                thread::spawn(move || serve(connection, &stream, &*reply, &seen));
            }
        });
        Server { url, requests }
    }

    fn requests(&self) -> Vec<(usize, String)> {
        self.requests.lock().expect("no panic").clone()
    }

    /// The request lines without their version.
    fn targets(&self) -> Vec<String> {
        let lines = self.requests().into_iter().map(|(_, head)| {
            let line = head.lines().next().unwrap_or_default();
            line.trim_end_matches(" HTTP/1.1").to_owned()
        });
        lines.collect()
    }

    fn connections(&self) -> usize {
        let requests = self.requests();
        let last = requests.iter().map(|(connection, _)| connection + 1).max();
        last.unwrap_or(0)
    }

    fn metad(&self) -> Metad {
        metad(&[&self.url])
    }
}

fn serve(
    connection: usize,
    mut stream: &TcpStream,
    reply: &dyn Fn(usize, &str) -> Reply,
    seen: &Mutex<Vec<(usize, String)>>,
) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            match reader.read_line(&mut head) {
                Ok(1..) => {}
                _ => return,
            }
        }
        let number = {
            let mut seen = seen.lock().expect("no panic");
            seen.push((connection, head.clone()));
            seen.len() - 1
        };
        // A client that has given up meanwhile is part of some tests.
        let sent = match reply(number, &head) {
            Silence => continue,
            Keep(text) => stream.write_all(text.as_bytes()),
            Close(text) => {
                let _ = stream.write_all(text.as_bytes());
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

/// For what is never to come.
const SHORT: Duration = Duration::from_millis(200);
/// For what does come, however busy the machine is.
const LONG: Duration = Duration::from_secs(60);

fn limits() -> Limits {
    Limits {
        connect: LONG,
        answer: LONG,
        body: LONG,
        size: 1000,
    }
}

/// Asks these nodes for /self, the first one first.
fn metad_with(urls: &[&str], limits: Limits, poll_limit: Duration) -> Metad {
    let urls = urls.iter().map(|url| (*url).to_owned()).collect();
    let mut metad = Metad::new(
        &Nodes::Urls(urls),
        "/self",
        limits,
        poll_limit,
        Duration::ZERO,
        false,
    );
    metad.current = 0;
    metad
}

fn metad(urls: &[&str]) -> Metad {
    metad_with(urls, limits(), LONG)
}

fn json(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
}

fn good(version: u64) -> String {
    json(
        "200 OK",
        &format!("X-Metad-Version: {version}\r\n"),
        r#"{"k": "v"}"#,
    )
}

fn tree() -> Arc<Tree> {
    Arc::new(Tree::from_pairs([("/k", "v")]))
}

/// Nobody listens there.
fn dead_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

#[test]
fn one_request_brings_the_tree_and_its_version() {
    let server = Server::start(|_, _| Keep(good(7)));
    let fetched = server.metad().fetch().expect("good");
    let version = Version(7);
    let tree = tree();
    assert_eq!(fetched, Fetched { tree, version });
    let [(_, head)] = &server.requests()[..] else {
        panic!("{:?}", server.requests());
    };
    let head = head.to_lowercase();
    assert!(head.starts_with("get /self http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\naccept: application/json\r\n"), "{head}");
    assert!(!head.contains("accept-encoding"), "{head}");
}

#[test]
fn a_server_without_versions_is_version_0() {
    let server = Server::start(|_, _| Keep(json("200 OK", "", r#"{"k": "v"}"#)));
    let fetched = server.metad().fetch().expect("good");
    assert_eq!(fetched.version, Version(0));
}

fn typed(kind: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\n{kind}Content-Length: {length}\r\n\r\n{body}")
}

#[test]
fn a_server_that_leaves_the_type_to_go_is_believed() {
    for kind in ["", "Content-Type: text/plain; charset=utf-8\r\n"] {
        let server = Server::start(move |_, _| Keep(typed(kind, r#"{"k": "v"}"#)));
        let fetched = server.metad().fetch().expect(kind);
        assert_eq!(fetched.tree, tree(), "{kind:?}");
    }
}

#[test]
fn whatever_is_no_whole_tree_is_an_error() {
    let tree = r#"{"k": "v"}"#;
    let half = good(1).replace("Length: 10", "Length: 20");
    let half_chunk = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{";
    let cases = [
        (
            json("404 Not Found", "", r#"{"code":404}"#),
            "there is no metadata for this node (yet): status 404",
        ),
        (json("500 Oops", "", tree), "status 500"),
        (json("201 Created", "", tree), "status 201"),
        (
            json("302 Found", "Location: http://x/\r\n", tree),
            "a redirect to http://x/ (status 302), which is not followed",
        ),
        (
            json("307 Moved", "", tree),
            "a redirect to nowhere (status 307), which is not followed",
        ),
        (
            typed("Content-Type: text/html; x\r\n", "<html>"),
            "the answer is text/html, not JSON",
        ),
        (
            typed("Content-Type: application/yaml\r\n", tree),
            "the answer is application/yaml, not JSON",
        ),
        (
            typed("Content-Type: text/plain\r\n", "host/\n"),
            "the body is not a JSON object",
        ),
        (json("200 OK", "", ""), "the body is empty"),
        (json("200 OK", "", "{}"), "there is no metadata in it"),
        (
            json("200 OK", "", "[\"a\"]"),
            "the body is not a JSON object",
        ),
        (half, "the connection broke"),
        (half_chunk.to_owned(), "the connection broke"),
        (
            json("200 OK", "", &format!(r#"{{"k": "{}"}}"#, "x".repeat(1000))),
            "the answer is larger than 1000 bytes",
        ),
        (
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}",
                " ".repeat(1001)
            ),
            "the answer is larger than 1000 bytes",
        ),
        (
            "SSH-2.0-OpenSSH_9.2\r\n\r\n".to_owned(),
            "the answer is not HTTP",
        ),
        (String::new(), "the connection broke"),
    ];
    for (answer, expected) in cases {
        let server = Server::start(move |_, _| Close(answer.clone()));
        let error = server.metad().fetch().expect_err(expected);
        assert_eq!(
            error.to_string(),
            format!("{}/self: {expected}", server.url)
        );
        assert_eq!(server.requests().len(), 1, "{expected}");
    }
}

#[test]
fn hostile_answers_are_errors_too() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let body = r#"{"k": "v"}"#;
    let many = "X: y\r\n".repeat(10_000);
    let long = format!("X: {}\r\n", "y".repeat(1 << 20));
    let endless = "X: y\r\n".repeat(1 << 20);
    let interim = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1000);
    let answers = [
        format!("{head}{many}\r\n{body}"),
        format!("{head}{long}\r\n{body}"),
        format!("{head}{endless}"),
        format!("{interim}{head}Content-Length: 11\r\n\r\n{body}"),
        format!("{head}Content-Length: -1\r\n\r\n{body}"),
        format!("{head}Content-Length: 99999999999999999999\r\n\r\n{body}"),
        format!("{head}Content-Length: 18446744073709551615\r\n\r\n{body}"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{body}"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{body}"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n-1\r\n{body}"),
        format!("{head}Content-Encoding: gzip\r\n\r\n\x1f{body}"),
        format!("HTTP/9.9 200 OK\r\n\r\n{body}"),
        format!("HTTP/1.1 99999 OK\r\n\r\n{body}"),
        "\0".repeat(1 << 20),
    ];
    for answer in answers {
        let start: String = answer.chars().take(200).collect();
        let server = Server::start(move |_, _| Close(answer.clone()));
        let error = server.metad().fetch().expect_err(&start);
        let said = error.to_string();
        assert!(said.len() < 200, "{said}");
    }
}

#[test]
fn a_server_that_never_answers_or_never_ends_holds_nobody_up() {
    let begun = good(1).replace("Length: 10", "Length: 11");
    let (mut no_answer, mut no_end) = (limits(), limits());
    no_answer.answer = SHORT;
    no_end.body = SHORT;
    let cases = [
        ("", no_answer, "no answer within 200ms"),
        ("HTTP/1.1 200", no_answer, "no answer within 200ms"),
        (&begun, no_end, "the answer did not end within 200ms"),
    ];
    for (begin, limits, expected) in cases {
        let begin = begin.to_owned();
        let server = Server::start(move |_, _| Keep(begin.clone()));
        let mut metad = metad_with(&[&server.url], limits, LONG);
        let error = metad.fetch().expect_err(expected);
        assert_eq!(
            error.to_string(),
            format!("{}/self: {expected}", server.url)
        );
    }
}

#[test]
fn a_server_that_dribbles_holds_nobody_up() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
        let _ = stream.write_all(head.as_bytes());
        // Each byte comes well before the limit; only all of them together take too long.
        while stream.write_all(b" ").is_ok() {
            thread::sleep(SHORT / 20);
        }
    });
    let mut limits = limits();
    limits.body = SHORT;
    let error = metad_with(&[&url], limits, LONG).fetch();
    let error = error.expect_err("endless");
    let expected = format!("{url}/self: the answer did not end within 200ms");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn many_requests_share_one_connection() {
    let server = Server::start(|number, _| Keep(good(number as u64)));
    let mut metad = server.metad();
    let mut known = metad.fetch().expect("good").version;
    for _ in 0..20 {
        let fetched = metad.wait(known).expect("good").expect("answered");
        known = fetched.version;
    }
    assert_eq!(known, Version(20));
    assert_eq!(server.connections(), 1);
    assert_eq!(server.targets()[20], "GET /self?wait=true&prev_version=19");
}

#[test]
fn a_poll_without_an_answer_is_followed_by_a_plain_request() {
    let server = Server::start(|_, head| {
        if head.contains("wait=true") {
            Silence
        } else {
            Keep(good(3))
        }
    });
    let mut metad = metad_with(&[&server.url], limits(), SHORT);
    let known = metad.fetch().expect("good").version;
    for _ in 0..2 {
        assert_eq!(metad.wait(known).expect("quiet"), None);
        let fetched = metad.wait(known).expect("alive").expect("a tree");
        assert_eq!(fetched.tree, tree());
    }
    let poll = "GET /self?wait=true&prev_version=3";
    let plain = "GET /self";
    assert_eq!(server.targets(), [plain, poll, plain, poll, plain]);
}

#[test]
fn a_server_that_died_in_silence_is_found_out() {
    let server = Server::start(|number, _| match number {
        0 => Keep(good(3)),
        _ => Silence,
    });
    let mut metad = metad_with(&[&server.url], limits(), SHORT);
    let known = metad.fetch().expect("good").version;
    assert_eq!(metad.wait(known).expect("quiet"), None);
    let mut impatient = limits();
    impatient.answer = SHORT;
    metad.client = Client::new(impatient);
    let error = metad.wait(known).expect_err("dead");
    assert!(error.to_string().ends_with("no answer within 200ms"));
}

#[test]
fn a_poll_that_is_cut_off_is_only_an_error_when_a_plain_request_is_one_too() {
    let cut_off = |number: usize, head: &str| match (number, head.contains("wait=true")) {
        (_, true) => Close("HTTP/1.1 200".to_owned()),
        (0..=2, false) => Keep(good(3)),
        _ => Close(json("500 Oops", "", "{}")),
    };
    let server = Server::start(cut_off);
    let mut metad = server.metad();
    let known = metad.fetch().expect("good").version;
    let fetched = metad.wait(known).expect("alive").expect("a tree");
    let error = metad.wait(fetched.version).expect_err("broken");
    assert!(error.to_string().ends_with("/self: status 500"), "{error}");
}

#[test]
fn the_next_node_is_taken_when_one_is_dead_and_kept() {
    let server = Server::start(|number, _| Keep(good(number as u64)));
    let mut metad = metad(&[&dead_url(), &server.url]);
    let known = metad.fetch().expect("the second").version;
    metad.wait(known).expect("the second").expect("a tree");
    metad.fetch().expect("the second");
    assert_eq!(metad.current, 1);
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_random_other_node_takes_the_place_of_one_that_failed() {
    let servers = [(); 2].map(|()| Server::start(|number, _| Keep(good(number as u64))));
    let dead = dead_url();
    let mut taken = [0; 3];
    for _ in 0..60 {
        let mut metad = metad(&[&dead, &servers[0].url, &servers[1].url]);
        metad.fetch().expect("another one");
        taken[metad.current] += 1;
    }
    // That one of two is never taken in 60 times has a chance of 1 in 2 to the 59th.
    assert!(taken[0] == 0 && taken[1] > 0 && taken[2] > 0, "{taken:?}");
}

#[test]
fn when_all_nodes_fail_each_is_named_in_their_own_order() {
    let (first, second) = (dead_url(), dead_url());
    let mut metad = metad(&[&first, &second]);
    let expected = format!("{first}/self: connection refused; {second}/self: connection refused");
    for current in [0, 1] {
        metad.current = current;
        let error = metad.fetch().expect_err("dead");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_host_that_nobody_knows_is_an_error_in_words() {
    let error = metad(&["http://no-such-host.invalid:80"]).fetch();
    let said = error.expect_err("unknown").to_string();
    assert!(
        said.starts_with("http://no-such-host.invalid:80/self: "),
        "{said}"
    );
}

#[test]
fn the_first_node_is_a_random_one() {
    let urls: Vec<String> = (0..2).map(|node| format!("http://n{node}:80")).collect();
    let nodes = Nodes::Urls(urls);
    let first = |_| Metad::new(&nodes, "/", limits(), SHORT, Duration::ZERO, false).current;
    let taken: Vec<usize> = (0..200).map(first).collect();
    // That one of two is never taken has a chance of 1 in 2 to the 199th.
    assert!(taken.contains(&0) && taken.contains(&1));
}

fn record(target: &str, priority: u16, weight: u16) -> SrvRecord {
    SrvRecord {
        target: target.to_owned(),
        port: 81,
        priority,
        weight,
    }
}

#[test]
fn srv_records_become_nodes_by_priority() {
    let records = vec![
        record("b.example.", 2, 0),
        record(".", 0, 0),
        record("a.example.", 1, 0),
    ];
    let urls: Vec<String> = srv_nodes(records)
        .into_iter()
        .map(|node| node.url)
        .collect();
    assert_eq!(urls, ["http://a.example:81", "http://b.example:81"]);
}

#[test]
fn srv_records_are_tried_by_priority_and_weight() {
    let records = vec![
        record("never-first.", 2, 65535),
        record("often.", 1, 9),
        record("seldom.", 1, 1),
        record("hardly.", 1, 0),
    ];
    let nodes = srv_nodes(records);
    let mut first = [0; 4];
    for _ in 0..2000 {
        let order = order(&nodes);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2, 3]);
        assert_eq!(order[3], 3, "a lower priority comes last");
        first[order[0]] += 1;
    }
    // Nine in ten of 2,000 and more than six standard deviations around it.
    assert!((1700..1900).contains(&first[0]), "{first:?}");
    assert!((100..300).contains(&first[1]), "{first:?}");
}

#[test]
fn nodes_without_weights_are_tried_in_any_order() {
    let nodes = nodes_of(&["a", "b", "c"].map(str::to_owned));
    let mut orders: Vec<Vec<usize>> = (0..500).map(|_| order(&nodes)).collect();
    orders.sort_unstable();
    orders.dedup();
    assert_eq!(orders.len(), 6);
}

#[test]
fn a_body_that_comes_again_is_not_parsed_again() {
    let server = Server::start(|number, _| Keep(good(number as u64)));
    let mut metad = server.metad();
    let first = metad.fetch().expect("good");
    let second = metad.fetch().expect("good");
    assert_ne!(first.version, second.version);
    assert!(Arc::ptr_eq(&first.tree, &second.tree));
}

#[test]
fn a_poll_that_is_cancelled_ends_at_once_and_asks_no_more() {
    let server = Server::start(|_, head| {
        if head.contains("wait=true") {
            Silence
        } else {
            Keep(good(3))
        }
    });
    let mut metad = metad_with(&[&server.url], limits(), LONG);
    let known = metad.fetch().expect("good").version;
    let (cancel, start) = (metad.cancel(), Instant::now());
    let poll = thread::spawn(move || metad.wait(known));
    while server.requests().len() < 2 {
        thread::yield_now();
    }
    cancel.cancel();
    assert_eq!(poll.join().expect("no panic").expect("no error"), None);
    assert!(start.elapsed() < LONG);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn paths_are_encoded() {
    for (path, encoded) in [
        ("/", "/"),
        ("/self/a-b_c.d~e", "/self/a-b_c.d~e"),
        ("/a b?c#d%", "/a%20b%3Fc%23d%25"),
        ("/größe", "/gr%C3%B6%C3%9Fe"),
    ] {
        assert_eq!(encode_path(path), encoded);
    }
}

#[test]
fn the_same_bytes_are_the_same_tree() {
    let replies = [
        r#"{"k": "v"}"#,
        r#"{"k": "v"}"#,
        r#"{"k": "w"}"#,
        r#"{"k" :"w"}"#,
    ];
    let count = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |_, _| {
        let turn = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Keep(json("200 OK", "", replies[turn % replies.len()]))
    });
    let mut metad = server.metad();
    let [first, again, other, spaced] = [(); 4].map(|()| metad.fetch().expect("good").tree);
    assert!(Arc::ptr_eq(&first, &again));
    assert_ne!(first, other);
    assert!(other == spaced && !Arc::ptr_eq(&other, &spaced));
}
