//! When the daemon works: on a change, at the interval, once things have settled; and when it does
//! not.

use std::fs;
use std::thread;

use serde_json::json;

use crate::env::Env;
use crate::metad::Metad;

const DEBUG: [&str; 3] = ["-watch", "-log-level", "debug"];

#[test]
fn a_change_is_applied_and_nothing_else_is() {
    let metad = Metad::start(json!({"a": "1", "b": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("a", r#"{{getv "/a"}}"#);
    env.simple("b", r#"{{getv "/b"}}"#);
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("reloads", 2);
    metad.put("/a", "2");
    env.wait_content("out/a", "2");
    env.wait_lines("reloads", 3);
    assert_eq!(env.read("out/b"), "1");
    assert_eq!(env.reloads()[2..], ["a"]);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn an_answer_without_a_change_causes_no_work() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&DEBUG);
    env.wait_lines("reloads", 1);
    metad.wait_idle();
    metad.touch();
    metad.wait_idle();
    metad.put("/k", "2");
    env.wait_lines("reloads", 2);
    metad.wait_idle();
    assert_eq!(daemon.count("Target config"), 4, "{}", daemon.log());
    assert_eq!(daemon.count("in sync"), 0, "{}", daemon.log());
}

#[test]
fn a_change_of_somebody_elses_data_wakes_nobody() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let _daemon = env.daemon(&["-watch"]);
    env.wait_lines("reloads", 1);
    metad.wait_idle();
    let before = metad.request_count();
    metad.change_elsewhere();
    metad.put("/k", "2");
    env.wait_lines("reloads", 2);
    metad.wait_idle();
    assert!(
        metad.request_count() - before <= 2,
        "{:#?}",
        metad.requests()
    );
}

#[test]
fn an_interval_without_watch_asks_again_and_applies() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-interval", "1"]);
    env.wait_content("out/app", "1");
    metad.put("/k", "2");
    env.wait_content("out/app", "2");
    let polls = metad.requests();
    assert!(polls.iter().all(|poll| poll.prev_version().is_none()));
    assert_eq!(metad.connections(), 1);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn what_others_change_or_delete_comes_back_at_the_interval() {
    let comes_back = |mode: &[&str], settings: &str| {
        let metad = Metad::start(json!({"k": "1"}));
        let mut env = Env::with_metad(&metad);
        env.settings(settings);
        env.simple("app", r#"{{getv "/k"}}"#);
        let _daemon = env.daemon(mode);
        env.wait_lines("reloads", 1);
        fs::remove_file(env.path("out/app")).expect("the file");
        env.wait_content("out/app", "1");
        env.wait_lines("reloads", 2);
        env.put("out/app", "changed by hand");
        env.wait_content("out/app", "1");
        env.wait_lines("reloads", 3);
    };
    thread::scope(|scope| {
        scope.spawn(|| comes_back(&["-interval", "1"], ""));
        scope.spawn(|| comes_back(&["-watch", "-interval", "1"], "reconcile = true"));
    });
}

#[test]
fn row_27_new_changed_and_deleted_resources_are_noticed_at_the_next_cycle() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let _daemon = env.daemon(&["-watch", "-interval", "1"]);
    env.wait_lines("reloads", 1);
    env.simple("new", r#"new {{getv "/k"}}"#);
    env.wait_content("out/new", "new 1");
    env.template("app.tmpl", r#"changed {{getv "/k"}}"#);
    env.wait_content("out/app", "changed 1");
    env.resource(
        "app.toml",
        "[template]\nsrc = \"app.tmpl\"\ndest = \"$ROOT/out/moved\"\nkeys = [\"/\"]\n",
    );
    env.wait_content("out/moved", "changed 1");
    fs::remove_file(env.path("etc/conf.d/app.toml")).expect("the file");
    metad.put("/k", "2");
    env.wait_content("out/new", "new 2");
    assert_eq!(env.read("out/moved"), "changed 1", "its resource is gone");
}

#[test]
fn a_resource_that_breaks_keeps_its_file_and_works_again_when_mended() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch", "-interval", "1"]);
    env.wait_lines("reloads", 1);
    env.template("app.tmpl", "{{broken");
    daemon.wait_log(": ERROR ");
    assert_eq!(env.read("out/app"), "1");
    env.template("app.tmpl", r#"{{getv "/k"}} again"#);
    env.wait_content("out/app", "1 again");
    assert_eq!(daemon.count(": ERROR "), 1, "{}", daemon.log());
}

#[test]
fn settle_waits_until_the_platform_has_written_everything() {
    let metad = Metad::start(json!({"hosts": {"i-1": {"ip": "10.0.0.1"}}}));
    let mut env = Env::with_metad(&metad);
    env.settings("settle = \"3s\"");
    env.simple("app", r#"{{range ls "/hosts"}}{{.}} {{end}}"#);
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("reloads", 1);
    for number in 2..6 {
        metad.wait_idle();
        metad.put(&format!("/hosts/i-{number}/ip"), "10.0.0.2");
    }
    env.wait_content("out/app", "i-1 i-2 i-3 i-4 i-5 ");
    env.wait_lines("reloads", 2);
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(
        env.reloads().len(),
        2,
        "one for the start, one for all five steps"
    );
}

#[test]
fn a_scale_in_takes_lines_away() {
    let metad = Metad::start(json!({"hosts": {"i-1": {"ip": "1"}, "i-2": {"ip": "2"}}}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{range ls "/hosts"}}{{.}} {{end}}"#);
    let _daemon = env.daemon(&["-watch"]);
    env.wait_content("out/app", "i-1 i-2 ");
    metad.delete("/hosts/i-1");
    env.wait_content("out/app", "i-2 ");
}

#[test]
fn splay_delays_and_does_not_lose() {
    let metad = Metad::start(json!({"k": "1"}));
    let mut env = Env::with_metad(&metad);
    env.settings("splay = \"1s\"");
    env.simple("app", r#"{{getv "/k"}}"#);
    let _daemon = env.daemon(&["-watch"]);
    for step in ["1", "2", "3"] {
        metad.put("/k", step);
        env.wait_content("out/app", step);
    }
}
