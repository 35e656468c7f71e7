//! Rows 1, 4, 7, 8, 9: what comes from the metadata service, and what does not come.

use std::thread;

use serde_json::json;

use crate::env::Env;
use crate::http::Answer;
use crate::metad::{Fault, Metad};

/// Answers for the prefix that are no metadata.
fn bad_answers() -> Vec<(&'static str, Fault)> {
    let html = "<html><body>502 Bad Gateway</body></html>";
    let tree = r#"{"k": "bad"}"#;
    let typed = |kind: &str, body: &str| Fault::Answer(Answer::new(200, kind, body));
    vec![
        ("404", Fault::error(404, "Not found")),
        ("500", Fault::error(500, "Internal error")),
        (
            "302",
            Fault::Answer(Answer::new(302, "application/json", tree).header("Location", "/x")),
        ),
        ("html", typed("text/html", html)),
        ("html as json", typed("application/json", html)),
        ("wrong content type", typed("application/yaml", tree)),
        ("a listing for people", typed("text/plain", "k\n")),
        ("empty object", typed("application/json", "{}")),
        ("empty body", typed("application/json", "")),
        ("not an object", typed("application/json", "[\"bad\"]")),
        (
            "only empty objects",
            typed("application/json", r#"{"hosts": {}}"#),
        ),
        (
            "invalid UTF-8",
            Fault::Raw(b"HTTP/1.1 200 OK\r\nX-Metad-Version: 9\r\nContent-Length: 10\r\n\r\n{\"k\": \"\xff\"}".to_vec()),
        ),
        ("half a body", Fault::HalfBody),
        ("reset", Fault::Reset),
        ("garbage", Fault::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec())),
    ]
}

/// Runs `test` for every bad answer, all at the same time since most of it is waiting.
fn for_each_bad_answer(test: impl Fn(&str, Fault) + Sync) {
    thread::scope(|scope| {
        for (name, fault) in bad_answers() {
            let test = &test;
            scope.spawn(move || test(name, fault));
        }
    });
}

#[test]
fn row_01_error_bodies_change_nothing_in_a_one_time_run() {
    for_each_bad_answer(|name, fault| {
        let metad = Metad::start(json!({"k": "good"}));
        let env = Env::with_metad(&metad);
        env.simple("app", r#"{{getv "/k" "default"}}"#);
        env.onetime().expect_code(0);
        metad.put("/k", "next");
        metad.fail(fault);
        let run = env.onetime();
        assert_eq!(run.code(), Some(1), "{name}: {}", run.stderr);
        assert_eq!(env.read("out/app"), "good", "{name}");
        assert_eq!(env.reloads(), ["app"], "{name}");
    });
}

#[test]
fn row_01_error_bodies_change_nothing_in_the_daemon_and_are_logged_once() {
    for_each_bad_answer(|name, fault| {
        let metad = Metad::start(json!({"k": "good"}));
        let env = Env::with_metad(&metad);
        env.simple("app", r#"{{getv "/k" "default"}}"#);
        let daemon = env.daemon(&["-watch"]);
        env.wait_content("out/app", "good");
        metad.wait_idle();
        metad.fail(fault);
        metad.put("/k", "next");
        // Asked again after two bad answers: the first two are dealt with.
        metad.wait_requests(metad.request_count() + 2);
        assert_eq!(env.read("out/app"), "good", "{name}");
        metad.heal();
        env.wait_content("out/app", "next");
        env.wait_lines("reloads", 2);
        metad.wait_idle();
        assert_eq!(env.reloads(), ["app", "app"], "{name}");
        assert_eq!(daemon.count(": WARNING "), 1, "{name}: {}", daemon.log());
        assert_eq!(daemon.stop(), Some(0), "{name}");
    });
}

#[test]
fn row_04_a_change_costs_two_requests_and_one_connection() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    for number in 0..20 {
        env.simple(&format!("app{number:02}"), r#"{{getv "/k"}}"#);
    }
    let _daemon = env.daemon(&["-watch"]);
    env.wait_lines("reloads", 20);
    metad.wait_idle();
    let before = metad.request_count();
    metad.put("/k", "2");
    env.wait_lines("reloads", 40);
    metad.wait_idle();
    // The change itself, metad's early answer, and the poll that is held now.
    assert!(
        metad.request_count() - before <= 2,
        "{:#?}",
        metad.requests()
    );
    // The same one from the start.
    assert_eq!((metad.open_connections(), metad.connections()), (1, 1));
    for number in 0..20 {
        assert_eq!(env.read(&format!("out/app{number:02}")), "2");
    }
}

#[test]
fn row_07_a_one_time_run_waits_for_metad_and_then_gives_up() {
    let mut metad = Metad::start(json!({"k": "v"}));
    metad.stop();
    let mut env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    env.onetime().expect_code(1).expect_log(&metad.node());
    assert!(env.names("out").is_empty());

    env.var("CONFD_ONETIME_WAIT", "60s");
    let mut started = env.daemon(&["-onetime"]);
    started.wait_log(": WARNING ");
    metad.restart();
    assert_eq!(started.wait_exit().code(), Some(0), "{}", started.log());
    assert_eq!(env.read("out/app"), "v");
}

#[test]
fn row_07_the_daemon_outlives_a_metad_that_is_not_there_yet() {
    let mut metad = Metad::start(json!({"k": "v"}));
    metad.stop();
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let mut daemon = env.daemon(&["-watch"]);
    daemon.wait_log(": WARNING ");
    // Three tries with a doubling pause take longer than what a one-time run waits here.
    metad.restart();
    metad.fail(Fault::error(500, "starting"));
    metad.wait_requests(3);
    assert!(daemon.is_running(), "{}", daemon.log());
    metad.heal();
    env.wait_content("out/app", "v");
    env.wait_lines("reloads", 1);
    assert_eq!(daemon.count(": WARNING "), 1, "{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn row_08_a_one_time_run_gives_up_on_a_server_that_never_answers() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    metad.fail(Fault::Silence);
    env.onetime().expect_code(1).expect_log(&metad.node());
    assert!(env.names("out").is_empty());
}

#[test]
fn row_08_the_daemon_asks_a_server_that_never_answers_again() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    metad.fail(Fault::Silence);
    let daemon = env.daemon(&["-watch"]);
    daemon.wait_log(": WARNING ");
    metad.heal();
    env.wait_content("out/app", "v");
}

#[test]
fn row_08_a_long_poll_that_nothing_answers_is_renewed() {
    let metad = Metad::start(json!({"k": "1"}));
    let mut env = Env::with_metad(&metad);
    env.settings("poll_limit = \"2s\"");
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("reloads", 1);
    metad.wait_idle();
    // As when the connection was lost without a word: of this change the held poll never hears.
    metad.fail_next(Fault::Silence);
    metad.put("/k", "2");
    env.wait_content("out/app", "2");
    assert_eq!(daemon.count(": WARNING "), 0, "{}", daemon.log());
}

#[test]
fn row_09_no_proxy_is_asked() {
    let metad = Metad::start(json!({"k": "v"}));
    let proxy = Metad::start(json!({"k": "from the proxy"}));
    let mut env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    for name in [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ] {
        env.var(name, &format!("http://{}", proxy.node()));
    }
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/app"), "v");
    assert_eq!((proxy.connections(), metad.request_count()), (0, 1));
}

#[test]
fn row_09_no_redirect_is_followed() {
    let metad = Metad::start(json!({"k": "v"}));
    let other = Metad::start(json!({"k": "from elsewhere"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let there = format!("http://{}/self", other.node());
    let answer = Answer::new(302, "text/html", "moved").header("Location", &there);
    metad.fail(Fault::Answer(answer));
    env.onetime().expect_code(1).expect_log("302");
    assert!(env.names("out").is_empty());
    assert_eq!(other.connections(), 0);
}
