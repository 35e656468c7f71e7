//! The test's own server, tested: what it answers must be what metad answers, or the other tests
//! prove nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use serde_json::json;

use crate::env::until;
use crate::metad::{Fault, Metad};

/// One request on a connection of its own; the whole answer as text.
fn ask(metad: &Metad, target: &str, accept: &str) -> String {
    let mut stream = TcpStream::connect(metad.node()).expect("the server listens");
    let head = "Host: metadata\r\nConnection: close\r\n";
    write!(stream, "GET {target} HTTP/1.1\r\n{head}{accept}\r\n").expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    text
}

const JSON: &str = "Accept: application/json\r\n";

#[test]
fn metad_answers_a_subtree_as_json_with_its_headers() {
    let metad = Metad::start(json!({"host": {"ip": "10.0.0.1"}}));
    let text = ask(&metad, "/self/host", JSON);
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    assert!(text.contains("\r\nX-Metad-Version: 1\r\n"), "{text}");
    assert!(text.contains("\r\nX-Metad-Requestid: REQ-1\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\n{\"ip\":\"10.0.0.1\"}"), "{text}");
}

#[test]
fn metad_answers_text_to_those_who_do_not_ask_for_json() {
    let metad = Metad::start(json!({"host": {"ip": "10.0.0.1"}, "x": "1"}));
    let text = ask(&metad, "/self", "");
    assert!(text.ends_with("\r\n\r\nhost/\nx\n"), "{text}");
    assert!(text.contains("\r\nContent-Type: text/plain\r\n"), "{text}");
}

#[test]
fn metad_answers_404_with_its_body() {
    let metad = Metad::unregistered();
    let text = ask(&metad, "/self", JSON);
    assert!(text.starts_with("HTTP/1.1 404 "), "{text}");
    let body = r#"{"code":404,"message":"Not found","type":"ERROR"}"#;
    assert!(text.ends_with(body), "{text}");
}

#[test]
fn a_held_poll_ends_with_the_new_tree_and_the_old_version() {
    let metad = Metad::start(json!({"k": "old"}));
    thread::scope(|scope| {
        let poll = || {
            let mut stream = TcpStream::connect(metad.node()).expect("the server listens");
            let target = "/self?wait=true&prev_version=1";
            write!(stream, "GET {target} HTTP/1.1\r\n{JSON}\r\n").expect("sent");
            let mut bytes = [0; 4096];
            let count = stream.read(&mut bytes).expect("an answer");
            String::from_utf8_lossy(&bytes[..count]).into_owned()
        };
        let first = scope.spawn(poll);
        metad.wait_idle();
        metad.put("/k", "new");
        let text = first.join().expect("the first poll");
        assert!(text.contains("\r\nX-Metad-Version: 1\r\n"), "{text}");
        assert!(text.ends_with("{\"k\":\"new\"}"), "{text}");
        let text = poll();
        assert!(text.contains("\r\nX-Metad-Version: 2\r\n"), "{text}");
        assert!(text.ends_with("{\"k\":\"new\"}"), "{text}");
    });
    assert_eq!((metad.request_count(), metad.connections()), (2, 2));
}

#[test]
fn faults_are_what_they_say() {
    let mut metad = Metad::start(json!({"k": "0123456789"}));
    metad.fail_next(Fault::HalfBody);
    let text = ask(&metad, "/self", JSON);
    assert!(text.ends_with("{\"k\":\"012"), "{text}");
    metad.fail_next(Fault::Dribble);
    let text = ask(&metad, "/self", JSON);
    assert!(text.ends_with("{\"k\":\"0123456789\"}"), "{text}");
    metad.fail_next(Fault::Reset);
    let mut stream = TcpStream::connect(metad.node()).expect("the server listens");
    write!(stream, "GET /self HTTP/1.1\r\n\r\n").expect("sent");
    let error = stream.read(&mut [0]).expect_err("a reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    metad.put("/k", "later");
    metad.stop();
    // A process that another test is making may have the listener open for a moment.
    until("connections are refused", || {
        let error = TcpStream::connect(metad.node()).err();
        error.is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
    });
    metad.restart();
    let text = ask(&metad, "/self", JSON);
    assert!(text.contains("\r\nX-Metad-Version: 1\r\n"), "{text}");
    assert!(text.ends_with("{\"k\":\"later\"}"), "{text}");
}
