//! Retries after a failure: of resources always, of reloads where their resource says so, across
//! restarts too.

use serde_json::json;

use crate::env::{Env, until};
use crate::metad::Metad;

/// Waits until the end of a reload that worked has been seen, which comes a moment after what it
/// has written.
fn wait_settled(env: &Env) {
    until("no reload is pending", || !env.has_pending_reloads());
}

const RETRIED: &str = "reload_retry = true\n\
    reload_cmd = \"echo try >> $ROOT/tries; test -e $ROOT/works\"";

#[test]
fn a_failure_is_logged_once_however_often_it_is_tried() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    env.simple_with(
        "app",
        r#"{{getv "/k"}}"#,
        "check_cmd = \"echo try >> $ROOT/tries; ls {{.src}}; test -e $ROOT/works\"",
    );
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("tries", 3);
    env.put("works", "");
    env.wait_content("out/app", "v");
    assert_eq!(daemon.count(": ERROR "), 1, "{}", daemon.log());
}

#[test]
fn a_new_tree_is_tried_at_once() {
    let metad = Metad::start(json!({"other": "v"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    daemon.wait_log("key does not exist: /k");
    metad.put("/k", "v");
    env.wait_content("out/app", "v");
    env.wait_lines("reloads", 1);
}

#[test]
fn a_reload_is_repeated_until_it_works() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    env.simple_with("app", r#"{{getv "/k"}}"#, RETRIED);
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("tries", 2);
    env.put("works", "");
    wait_settled(&env);
    assert_eq!(daemon.stop(), Some(0));
    let tries = env.lines("tries").len();
    env.onetime().expect_code(0);
    assert_eq!(
        env.lines("tries").len(),
        tries,
        "it worked: no reload is pending"
    );
}

#[test]
fn a_reload_that_is_not_to_be_repeated_runs_once_a_change() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    let reload = "reload_cmd = \"cat $ROOT/out/app >> $ROOT/tries; echo >> $ROOT/tries; false\"";
    env.simple_with("app", r#"{{getv "/k"}}"#, reload);
    let daemon = env.daemon(&["-watch", "-interval", "1"]);
    env.wait_lines("tries", 1);
    metad.put("/k", "2");
    env.wait_lines("tries", 2);
    metad.put("/k", "3");
    env.wait_lines("tries", 3);
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(env.lines("tries"), ["1", "2", "3"]);
}

#[test]
fn an_owed_reload_survives_a_restart() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    env.simple_with("app", r#"{{getv "/k"}}"#, RETRIED);
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("tries", 1);
    assert_eq!(daemon.stop(), Some(0));
    env.put("works", "");
    let tries = env.lines("tries").len();
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("tries", tries + 1);
    wait_settled(&env);
    assert_eq!(daemon.stop(), Some(0));
    env.onetime().expect_code(0);
    assert_eq!(env.lines("tries").len(), tries + 1);
}

#[test]
fn a_reload_cut_short_by_a_kill_is_repeated_only_where_it_may_be() {
    for (retry, runs) in [("reload_retry = true\n", 2), ("", 1)] {
        let env = Env::with_tree(&json!({"k": "v"}));
        let gate = env.gate("reload");
        env.simple_with(
            "app",
            "x",
            &format!("{retry}reload_cmd = \"{}\"", gate.command()),
        );
        let mut killed = env.daemon(&["-onetime"]);
        gate.wait_started(1);
        killed.kill();
        gate.open();
        env.onetime().expect_code(0);
        env.onetime().expect_code(0);
        assert_eq!(gate.started(), runs);
    }
}

#[test]
fn an_owed_reload_has_one_owner() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    let gate = env.gate("reload");
    let lines = format!("reload_retry = true\nreload_cmd = \"{}\"", gate.command());
    env.simple_with("app", r#"{{getv "/k"}}"#, &lines);
    let daemon = env.daemon(&["-watch"]);
    gate.wait_started(1);
    env.onetime().expect_code(0);
    assert_eq!(gate.started(), 1, "the daemon takes care of it");
    gate.open();
    assert_eq!(daemon.stop(), Some(0));
}
