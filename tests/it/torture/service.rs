//! A metadata service that answers anything: no file ever changes because of it, and the next good
//! answer is applied.

use serde_json::{Value as Json, json};

use super::{SIDE_BY_SIDE, for_each, is_whole, sample};
use crate::env::{Env, share_of};
use crate::http::Answer;
use crate::metad::{Fault, Metad};

/// Daemons at once: they do nothing but wait.
const DAEMONS: usize = 8;
const JSON: &str = "application/json";
/// A tree that would show in the file.
const BAD: &str = r#"{"k": "bad"}"#;

type Case = (String, Fault);

/// The bytes of an answer with this head and body.
fn raw(head: &str, body: impl AsRef<[u8]>) -> Fault {
    Fault::Raw([head.as_bytes(), b"\r\n\r\n", body.as_ref()].concat())
}

/// A head for JSON, with these lines more.
fn head(lines: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\nX-Metad-Version: 7{lines}")
}

/// A body with a right length.
fn body(body: impl AsRef<[u8]>) -> Fault {
    let length = body.as_ref().len();
    raw(&head(&format!("\r\nContent-Length: {length}")), body)
}

/// A body sent as chunks, just so.
fn chunked(body: &str) -> Fault {
    raw(&head("\r\nTransfer-Encoding: chunked"), body)
}

fn statuses() -> Vec<Case> {
    let codes = [
        201, 202, 204, 206, 300, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 408, 409,
        410, 418, 429, 451, 500, 501, 502, 503, 504, 511, 599, 999,
    ];
    let answer = |code: u16| {
        let answer = Answer::new(code, JSON, BAD).header("Location", "http://127.0.0.1:9/self");
        Fault::Answer(answer.header("Retry-After", "86400"))
    };
    let named = |code| (format!("status {code}"), answer(code));
    codes.into_iter().map(named).collect()
}

fn heads() -> Vec<Case> {
    let many = "\r\nX: y".repeat(10_000);
    let long = format!("\r\nX: {}", "y".repeat(1 << 20));
    let cases = [
        ("nothing but a line end", Fault::Raw(b"\r\n".to_vec())),
        (
            "another protocol",
            Fault::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        ),
        ("no head", Fault::Raw(BAD.into())),
        ("no status", raw("HTTP/1.1", BAD)),
        ("a status that is none", raw("HTTP/1.1 OK 200", BAD)),
        ("a later version", raw("HTTP/2.0 200 OK", BAD)),
        ("only an interim answer", raw("HTTP/1.1 100 Continue", "")),
        (
            "another type",
            Fault::Answer(Answer::new(200, "text/html", BAD)),
        ),
        (
            "nearly the type",
            Fault::Answer(Answer::new(200, "application/jsonp", BAD)),
        ),
        (
            "a head without an end",
            Fault::Raw(head("\r\nX: y").into_bytes()),
        ),
        ("ten thousand headers", raw(&head(&many), BAD)),
        ("a header of a megabyte", raw(&head(&long), BAD)),
        ("a NUL in the head", raw(&head("\r\nX: \0"), BAD)),
        ("a header without a colon", raw(&head("\r\nX"), BAD)),
    ];
    named(cases)
}

fn lengths() -> Vec<Case> {
    let length = |text: &str| raw(&head(&format!("\r\nContent-Length: {text}")), BAD);
    named([
        ("a length too large", length("13")),
        ("a length too small", length("11")),
        ("no body", length("0")),
        ("a negative length", length("-12")),
        ("a length that is no number", length("twelve")),
        ("a length beyond 64 bits", length("99999999999999999999999")),
        ("a length of a terabyte", length("1099511627776")),
        ("two lengths", length("12\r\nContent-Length: 11")),
        (
            "a chunk size that is none",
            chunked("zz\r\n{\"k\": \"bad\"}\r\n0\r\n\r\n"),
        ),
        (
            "a negative chunk",
            chunked("-c\r\n{\"k\": \"bad\"}\r\n0\r\n\r\n"),
        ),
        (
            "a chunk too long",
            chunked("d\r\n{\"k\": \"bad\"}\r\n0\r\n\r\n"),
        ),
        (
            "a chunk too short",
            chunked("b\r\n{\"k\": \"bad\"}\r\n0\r\n\r\n"),
        ),
        (
            "a chunk of 2^64",
            chunked("ffffffffffffffff\r\n{\"k\": \"bad\"}\r\n0\r\n\r\n"),
        ),
        (
            "a chunk beyond 64 bits",
            chunked("10000000000000000c\r\n{\"k\": \"bad\"}\r\n0\r\n\r\n"),
        ),
        ("no last chunk", chunked("c\r\n{\"k\": \"bad\"}\r\n")),
        ("chunks without line ends", chunked("c{\"k\": \"bad\"}0")),
        ("no chunk at all", chunked("")),
        ("only the last chunk", chunked("0\r\n\r\n")),
    ])
}

fn bodies() -> Vec<Case> {
    let nested = |open: &str, close: &str| {
        let (open, close) = (open.repeat(100_000), close.repeat(100_000));
        body(format!("{{\"k\": \"bad\", \"d\": {open}1{close}}}"))
    };
    named([
        ("nothing", body("")),
        ("an empty object", body("{}")),
        ("only empty objects", body(r#"{"k": {}, "l": [[], {}]}"#)),
        ("a list", body(r#"["bad"]"#)),
        ("a text", body(r#""bad""#)),
        ("null", body("null")),
        ("half an object", body(r#"{"k": "bad""#)),
        ("two objects", body(r#"{"k": "bad"}{"k": "bad"}"#)),
        ("an object and more", body("{\"k\": \"bad\"}\0")),
        ("a NUL before it", body("\0{\"k\": \"bad\"}")),
        ("a NUL in a value", body("{\"k\": \"bad\0\"}")),
        ("a NUL in a key", body("{\"k\": \"bad\", \"\0\": \"\"}")),
        ("a byte order mark", body("\u{feff}{\"k\": \"bad\"}")),
        ("UTF-16", body(b"{\0\"\0k\0\"\0:\0\"\0b\0\"\0}\0")),
        ("bad UTF-8 in a value", body(b"{\"k\": \"bad\xff\"}")),
        (
            "bad UTF-8 in a key",
            body(b"{\"k\": \"bad\", \"\xc3\": \"\"}"),
        ),
        ("half a surrogate pair", body(r#"{"k": "bad\ud800"}"#)),
        (
            "a number beyond float64",
            body(r#"{"k": "bad", "n": 1e999}"#),
        ),
        ("a number that is none", body(r#"{"k": "bad", "n": NaN}"#)),
        ("single quotes", body("{'k': 'bad'}")),
        ("a comma too many", body(r#"{"k": "bad",}"#)),
        ("a comment", body(r#"{"k": "bad" /* x */}"#)),
        ("deep objects", nested("{\"d\":", "}")),
        ("deep lists", nested("[", "]")),
        ("HTML", body("<html>502 Bad Gateway</html>")),
        ("gzip", body(b"\x1f\x8b\x08\0\0\0\0\0\0\x03")),
    ])
}

/// More than anybody has as metadata: refused, whatever is in it, and however its length is told.
fn floods() -> Vec<Case> {
    let flood = format!("{}{BAD}", " ".repeat(100 << 20));
    let one_chunk = format!("{:x}\r\n{flood}\r\n0\r\n\r\n", flood.len());
    named([
        ("100 MB in chunks", chunked(&one_chunk)),
        ("100 MB without a length", raw(&head(""), &flood)),
        ("100 MB", body(&flood)),
    ])
}

fn named<const COUNT: usize>(cases: [(&str, Fault); COUNT]) -> Vec<Case> {
    let named = |(name, fault): (&str, Fault)| (name.to_owned(), fault);
    cases.into_iter().map(named).collect()
}

/// The right answer, broken off at every byte.
fn cuts() -> Vec<Case> {
    let metad = Metad::start(json!({"k": "2"}));
    let env = environment(&metad);
    env.onetime().expect_code(0);
    let length = metad.bytes_sent();
    (0..length)
        .flat_map(|at| {
            [
                (format!("closed at byte {at} of {length}"), Fault::Cut(at)),
                (
                    format!("reset at byte {at} of {length}"),
                    Fault::CutByReset(at),
                ),
            ]
        })
        .collect()
}

/// One file that shows the metadata, at version 1; a one-time run asks once.
fn environment(metad: &Metad) -> Env {
    let mut env = Env::with_metad(metad);
    env.var("CONFD_ONETIME_WAIT", "0s");
    let reload = "reload_cmd = \"cat $ROOT/out/app >> $ROOT/seen; echo >> $ROOT/seen\"";
    env.simple_with("app", r#"{{getv "/k" "default"}}"#, reload);
    env.put("out/app", "1");
    env
}

#[test]
fn no_answer_that_is_none_changes_a_file() {
    let mut cases = sample([cuts(), statuses(), heads(), lengths(), bodies()].concat());
    if is_whole() {
        cases.extend(floods());
        cases.extend(named([
            ("never answers", Fault::Silence),
            ("a byte at a time", Fault::Drip),
        ]));
    }
    let done = for_each(SIDE_BY_SIDE, cases, |(name, fault): Case| {
        let metad = Metad::start(json!({"k": "2"}));
        let mut env = environment(&metad);
        metad.fail(fault);
        let run = env.onetime();
        let context = format!("{name}: {}", run.stderr);
        assert_eq!(run.code(), Some(1), "{context}");
        assert_eq!(env.read("out/app"), "1", "{context}");
        assert!(
            run.stderr.contains(&metad.node()) && !run.stderr.contains("bad\""),
            "{context}"
        );
        metad.heal();
        env.var("CONFD_ONETIME_WAIT", "30s");
        env.onetime().expect_code(0);
        assert_eq!(env.read("out/app"), "2", "{context}");
    });
    println!(
        "one-time runs with a bad answer, then a good one: {}",
        done.len()
    );
}

#[test]
fn a_daemon_takes_the_next_good_answer_after_any_other() {
    let mut cases = sample([statuses(), heads(), lengths(), bodies()].concat());
    cases.extend(sample(cuts()).into_iter().step_by(10));
    let count = cases.len();
    let mut shares: Vec<Vec<Case>> = (0..DAEMONS).map(|_| Vec::new()).collect();
    for (number, case) in cases.into_iter().enumerate() {
        shares[number % DAEMONS].push(case);
    }
    for_each(DAEMONS, shares, |cases: Vec<Case>| {
        let metad = Metad::start(json!({"k": "2"}));
        let env = environment(&metad);
        let daemon = env.daemon(&["-watch"]);
        env.wait_lines("seen", 1);
        metad.wait_idle();
        let mut wanted = vec!["2".to_owned()];
        for (name, fault) in cases {
            metad.fail_next(fault);
            metad.put("/k", &name);
            env.wait_content("out/app", &name);
            wanted.push(name);
            env.wait_lines("seen", wanted.len());
            metad.wait_idle();
        }
        assert_eq!(daemon.stop(), Some(0));
        assert_eq!(env.lines("seen"), wanted, "nothing but what was right");
    });
    println!("daemon: {count} bad answers to a poll, each followed by a good one");
}

#[test]
fn odd_answers_that_are_right_are_taken() {
    let odd = [
        ("the last of two keys counts", r#"{"k":"bad","k":"2"}"#, "2"),
        ("a NUL as JSON writes it", r#"{"k":"a\u0000b"}"#, "a\0b"),
        ("white space around it", "\r\n\t {\"k\":\"2\"} \r\n", "2"),
        (
            "what has no letters",
            r#"{"k":"\ud83d\ude00\u0007","":{"":""}}"#,
            "\u{1f600}\u{7}",
        ),
    ];
    for (name, text, wanted) in odd {
        let metad = Metad::start(json!({"k": "other"}));
        let mut env = environment(&metad);
        env.var("CONFD_ONETIME_WAIT", "30s");
        let untyped = format!("HTTP/1.1 200 OK\r\nContent-Length: {}", text.len());
        for fault in [body(text), raw(&head(""), text), raw(&untyped, text)] {
            metad.fail(fault);
            env.onetime().expect_code(0);
            assert_eq!(env.read("out/app"), wanted, "{name}");
        }
    }
}

#[test]
fn a_service_that_forgets_its_version_is_followed_and_not_overrun() {
    for version in [
        None,
        Some("abc"),
        Some("-1"),
        Some("99999999999999999999999"),
    ] {
        let answer = |value: &str| {
            let answer = Answer::new(200, JSON, json!({"k": value}).to_string());
            Fault::Answer(match version {
                Some(version) => answer.header("X-Metad-Version", version),
                None => answer,
            })
        };
        let metad = Metad::start(Json::Null);
        metad.fail(answer("2"));
        let env = environment(&metad);
        let _daemon = env.daemon(&["-watch"]);
        for value in ["2", "3"] {
            metad.fail(answer(value));
            env.wait_content("out/app", value);
        }
        // Each change is answered at once, so that only pauses keep the daemon from asking for
        // ever.
        assert!(metad.request_count() < 20, "{:#?}", metad.requests());
    }
}

#[test]
fn a_daemon_follows_from_node_to_node() {
    let nodes = [(); 2].map(|()| Metad::start(json!({"k": "0"})));
    let mut env = environment(&nodes[0]);
    let names = nodes.each_ref().map(Metad::node).join(",");
    env.var("CONFD_NODES", &names);
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("seen", 1);
    let flips = share_of(20).max(2);
    for flip in 1..=flips {
        let (down, up) = (&nodes[flip % 2], &nodes[1 - flip % 2]);
        up.heal();
        down.fail(Fault::error(503, "elsewhere"));
        for node in &nodes {
            node.put("/k", &flip.to_string());
        }
        env.wait_lines("seen", flip + 1);
    }
    assert_eq!(daemon.stop(), Some(0));
    let all: Vec<String> = (0..=flips).map(|flip| flip.to_string()).collect();
    assert_eq!(env.lines("seen"), all);
    println!("daemon: {flips} times from one node to the other");
}
