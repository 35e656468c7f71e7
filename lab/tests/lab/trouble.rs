//! Images that cannot be read, and too many connections.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use serde_json::{Value as Json, json};

use crate::browser::{WIDE, open};
use crate::env::{Image, LIMIT, Lab, text_of, until};

/// A connection to the lab, on which this was sent.
fn connect(lab: &Lab, method: &str, path: &str) -> TcpStream {
    let host = lab.address.split('/').nth(2).expect("host and port");
    let token = lab.address.splitn(4, '/').nth(3).expect("the path");
    let mut stream = TcpStream::connect(host).expect("it listens");
    stream.set_read_timeout(Some(LIMIT)).expect("a limit");
    if !method.is_empty() {
        let request = format!("{method} /{token}{path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
    }
    stream
}

/// Reads until this is there, or to the end.
fn read_until(stream: &mut TcpStream, wanted: &str) -> String {
    let (mut text, mut bytes) = (String::new(), [0; 256]);
    while !text.contains(wanted) {
        match stream.read(&mut bytes).expect("an answer") {
            0 => break,
            count => text.push_str(&String::from_utf8_lossy(&bytes[..count])),
        }
    }
    text
}

#[test]
fn the_page_that_came_first_makes_room_for_another_one_and_is_told() {
    let image = Image::zookeeper();
    let lab = image.show();
    let mut pages: Vec<TcpStream> = Vec::new();
    for _ in 0..65 {
        let mut page = connect(&lab, "GET", "api/events");
        let begun = read_until(&mut page, "event: change");
        assert!(begun.starts_with("HTTP/1.1 200"), "{begun}");
        pages.push(page);
    }
    let rest = read_until(&mut pages[0], "nothing more");
    assert!(rest.contains("event: full"), "{rest}");
    image.put("templates/myid.tmpl", "changed");
    for page in &mut pages[1..] {
        read_until(page, "data: 2");
    }
    assert_eq!(text_of(&lab.file("myid.toml")), "changed");
}

#[test]
fn a_connection_too_many_is_answered() {
    let image = Image::zookeeper();
    let lab = image.show();
    let idle: Vec<TcpStream> = (0..64).map(|_| connect(&lab, "", "")).collect();
    let answer = read_until(&mut connect(&lab, "GET", ""), "try again");
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.ends_with("try again"), "{answer}");
    drop(idle);
    until("there is room again", || {
        let answer = read_until(&mut connect(&lab, "GET", ""), "\r\n");
        answer.starts_with("HTTP/1.1 200").then_some(())
    });
}

#[test]
fn many_tabs_can_be_open() {
    let image = Image::zookeeper();
    let lab = image.show();
    let Some(browser) = open("tabs", &lab, WIDE) else {
        return;
    };
    let first = browser.this_tab();
    for _ in 0..9 {
        browser.new_tab();
        browser.go(&lab.address);
        browser.wait("document.documentElement.dataset.shown > 0");
    }
    // Those that are behind see what was saved when they come to the front.
    image.put("templates/myid.tmpl", "changed");
    for tab in [browser.this_tab(), first] {
        browser.tab(&tab);
        browser.wait("document.documentElement.dataset.generation === '2'");
        browser.click("[data-file=\"myid.toml\"]");
        browser.wait_text("#output", "changed");
        browser.wait_gone("#problems");
    }
}

#[test]
fn a_recording_that_is_broken_from_the_start_is_shown_with_its_cure_until_it_is_repaired() {
    let image = Image::zookeeper();
    let good = std::fs::read_to_string(image.path("metadata.json")).expect("the recording");
    image.put("metadata.json", "{\"hosts\": ");
    let lab = image.show();
    let Some(browser) = open("broken", &lab, WIDE) else {
        return;
    };
    browser.wait_text("#problems", "metadata.json");
    browser.wait_text("#problems .cure", "Correct the recording");
    browser.wait_text("#template", "getv");
    browser.wait_gone("#error");
    browser.click("#language");
    browser.wait_text("#problems .cure", "请改正录制文件");
    browser.click("[data-file=\"zoo.cfg.toml\"]");
    image.put("metadata.json", &good);
    browser.wait_text("#output", "server.1=192.168.100.2");
    browser.wait_gone("#problems");
    browser.wait_text("#tree", "hosts");
    assert_eq!(browser.errors(), Vec::<String>::new());
    let view = lab.ask("view", &json!({"edits": []}));
    assert_eq!(view["problems"], json!([]));
}

#[test]
fn pages_with_other_edits_take_nothing_from_each_other() {
    let nodes = (0..300).map(|id| (format!("i-{id}"), json!({"ip": format!("10.0.0.{id}")})));
    let nodes: serde_json::Map<String, Json> = nodes.collect();
    let image = Image::new(&json!({"env": {"a": "1"}, "host": nodes["i-0"], "hosts": nodes}));
    for number in 0..10 {
        let text = "{{range gets \"/hosts/*/ip\"}}{{.Value}} {{getv \"/env/a\"}}\n{{end}}";
        image.add(&format!("f{number}"), text);
    }
    let lab = image.show();
    let overview = |page: &str, value: usize| {
        let edits = json!([["/env/a", value.to_string()]]);
        lab.ask("overview", &json!({"edits": edits, "page": page}))
    };
    thread::scope(|scope| {
        let asked = scope.spawn(|| overview("one", 0));
        for value in 1.. {
            if asked.is_finished() {
                break;
            }
            // It changes its edits while it waits.
            let edits = json!([["/env/a", value.to_string()]]);
            let answer = lab.ask("view", &json!({"edits": edits, "page": "other"}));
            assert_eq!(answer["problem"], json!(null));
        }
        let answer = asked.join().expect("an answer");
        assert!(answer["steps"].is_array(), "{answer}");
    });
}

#[test]
fn a_finding_of_no_template_is_whole_on_the_screen() {
    let image = Image::zookeeper();
    image.put("confd.toml", "prefix = [\n");
    let lab = image.show();
    let Some(browser) = open("finding", &lab, WIDE) else {
        return;
    };
    browser.wait_text("#problems .cure", "Correct confd.toml");
    browser.wait_text("#findings .error", "unclosed array");
    let hidden = browser.eval(
        "(({ scrollWidth, clientWidth, scrollHeight, clientHeight }) => [scrollWidth - clientWidth, scrollHeight - clientHeight])(document.querySelector('#findings'))",
    );
    assert_eq!(hidden, json!([0, 0]));
}
