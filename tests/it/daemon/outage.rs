//! Waiting for metadata: gone at any time, for any time, in any way; back with whatever version.

use serde_json::json;

use crate::env::Env;
use crate::metad::{Fault, Metad};

/// Fails unless the log says exactly once that metadata is gone and once that it is back.
#[track_caller]
fn expect_one_line_each_way(log: &str) {
    let count = |text: &str| log.lines().filter(|line| line.contains(text)).count();
    let said = (
        count(": WARNING "),
        count("metadata is back"),
        count(": ERROR "),
    );
    assert_eq!(said, (1, 1, 0), "{log}");
}

#[test]
fn a_restarted_server_counts_anew_and_is_believed() {
    let mut metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    for step in 2..8 {
        metad.put("/k", &step.to_string());
        env.wait_content("out/app", &step.to_string());
    }
    metad.wait_idle();
    metad.stop();
    daemon.wait_log(": WARNING ");
    metad.put("/k", "later");
    metad.restart();
    env.wait_content("out/app", "later");
    metad.put("/k", "last");
    env.wait_content("out/app", "last");
    expect_one_line_each_way(&daemon.log());
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn the_same_tree_after_a_restart_reloads_nothing() {
    let mut metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("reloads", 1);
    metad.wait_idle();
    metad.stop();
    metad.restart();
    metad.wait_idle();
    metad.put("/k", "2");
    env.wait_lines("reloads", 2);
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(env.reloads().len(), 2);
}

#[test]
fn a_node_that_is_not_registered_yet_waits_with_one_line() {
    let metad = Metad::unregistered();
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    metad.wait_requests(3);
    assert!(env.names("out").is_empty());
    metad.set(json!({"k": "v"}));
    env.wait_content("out/app", "v");
    expect_one_line_each_way(&daemon.log());
}

#[test]
fn a_node_that_is_taken_off_keeps_its_files() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k" "default"}}"#);
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("reloads", 1);
    metad.wait_idle();
    metad.unregister();
    metad.wait_requests(metad.request_count() + 2);
    assert_eq!(env.read("out/app"), "v");
    metad.set(json!({"k": "back"}));
    env.wait_content("out/app", "back");
    expect_one_line_each_way(&daemon.log());
}

#[test]
fn a_change_cut_off_in_the_middle_is_fetched_again() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("reloads", 1);
    metad.wait_idle();
    metad.fail_next(Fault::HalfBody);
    metad.put("/k", "2");
    env.wait_content("out/app", "2");
    env.wait_lines("reloads", 2);
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(env.reloads().len(), 2);
}

#[test]
fn nodes_that_die_one_after_the_other_are_replaced_by_the_next() {
    let mut nodes: Vec<Metad> = (0..3).map(|_| Metad::start(json!({"k": "0"}))).collect();
    let mut env = Env::new();
    let names: Vec<String> = nodes
        .iter()
        .map(|node| format!("\"{}\"", node.node()))
        .collect();
    env.settings(&format!(
        "nodes = [{}]\nprefix = \"/self\"",
        names.join(", ")
    ));
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    env.wait_content("out/app", "0");
    for step in ["1", "2"] {
        let used = nodes.iter().position(|node| node.open_connections() > 0);
        nodes.remove(used.expect("one node is used")).stop();
        for node in &nodes {
            node.put("/k", step);
        }
        env.wait_content("out/app", step);
    }
    // All of them gone: said once, though each try meets another node.
    let mut last = nodes.remove(0);
    last.stop();
    daemon.wait_log(": WARNING ");
    last.restart();
    last.put("/k", "3");
    env.wait_content("out/app", "3");
}

#[test]
fn an_outage_is_one_line_though_its_reason_changes() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("reloads", 1);
    metad.wait_idle();
    for fault in [
        Fault::error(500, "first"),
        Fault::HalfBody,
        Fault::error(404, "Not found"),
    ] {
        metad.fail_next(fault);
    }
    metad.put("/k", "2");
    env.wait_content("out/app", "2");
    expect_one_line_each_way(&daemon.log());
}
