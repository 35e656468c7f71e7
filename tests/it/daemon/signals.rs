//! Signals: end, read again, reap.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::env::{Env, confd, until};
use crate::metad::Metad;

#[test]
fn term_and_int_end_an_idle_daemon_with_0() {
    for signal in ["TERM", "INT"] {
        let metad = Metad::start(json!({"k": "1"}));
        let env = Env::with_metad(&metad);
        env.simple("app", r#"{{getv "/k"}}"#);
        let mut daemon = env.daemon(&["-watch"]);
        env.wait_lines("reloads", 1);
        metad.wait_idle();
        daemon.signal(signal);
        assert_eq!(daemon.wait_exit().code(), Some(0));
    }
}

#[test]
fn signals_without_a_meaning_end_nothing() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    env.wait_content("out/app", "1");
    for signal in ["USR1", "USR2", "ALRM"] {
        daemon.signal(signal);
    }
    metad.put("/k", "2");
    env.wait_content("out/app", "2");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn term_ends_a_daemon_that_waits_for_metadata() {
    let mut metad = Metad::start(json!({"k": "1"}));
    metad.stop();
    let env = Env::with_metad(&metad);
    let daemon = env.daemon(&["-watch"]);
    daemon.wait_log(": WARNING ");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn term_leaves_a_running_command_alone() {
    let env = Env::with_tree(&json!({"k": "1"}));
    let gate = env.gate("reload");
    let reload = format!(
        "reload_cmd = \"{}; echo done >> $ROOT/reloads\"",
        gate.command()
    );
    env.simple_with("app", "x", &reload);
    let daemon = env.daemon(&["-interval", "600"]);
    gate.wait_started(1);
    assert_eq!(daemon.stop(), Some(0));
    gate.open();
    env.wait_lines("reloads", 1);
}

#[test]
fn term_during_a_check_leaves_dest_and_no_stage() {
    let env = Env::with_tree(&json!({"k": "1"}));
    let gate = env.gate("check");
    env.simple_with("app", "x", &format!("check_cmd = \"{}\"", gate.command()));
    env.put("out/app", "old");
    let daemon = env.daemon(&["-interval", "600"]);
    gate.wait_started(1);
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(env.read("out/app"), "old");
    assert_eq!(env.names("out"), ["app"]);
}

#[test]
fn row_26_hup_reads_settings_resources_and_templates_again() {
    let metad = Metad::start(json!({"one": {"k": "1"}, "two": {"k": "2"}}));
    let mut env = Env::new();
    env.settings(&format!("nodes = [\"{}\"]", metad.node()));
    let fixed = env.read("etc/confd.toml");
    env.put(
        "etc/confd.toml",
        &format!("{fixed}prefix = \"/self/one\"\n"),
    );
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    env.wait_content("out/app", "1");
    env.put(
        "etc/confd.toml",
        &format!("{fixed}prefix = \"/self/two\"\n"),
    );
    env.template("app.tmpl", r#"changed {{getv "/k"}}"#);
    env.simple("new", r#"new {{getv "/k"}}"#);
    daemon.signal("HUP");
    env.wait_content("out/app", "changed 2");
    env.wait_content("out/new", "new 2");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn hup_with_broken_settings_goes_on_with_the_old_ones() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("reloads", 1);
    env.put("etc/confd.toml", "nodes = 5");
    daemon.signal("HUP");
    daemon.wait_log(": ERROR ");
    metad.put("/k", "2");
    env.wait_content("out/app", "2");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn many_hups_leave_one_connection() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let _daemon = env.daemon(&["-watch"]);
    env.wait_lines("reloads", 1);
    for count in 1..6 {
        _daemon.signal("HUP");
        _daemon.wait_logs("the settings, resources and templates", count);
    }
    metad.put("/k", "2");
    env.wait_content("out/app", "2");
    until("old connections are closed", || {
        metad.open_connections() <= 1
    });
}

/// The process ids whose parent is this one, with their state letters.
fn children(parent: u32) -> Vec<(u32, char)> {
    let processes = fs::read_dir("/proc").expect("proc");
    let stats = processes.flatten().filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (_, rest) = stat.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        let state = fields.next()?.chars().next()?;
        let of: u32 = fields.next()?.parse().ok()?;
        (of == parent).then_some((pid, state))
    });
    stats.collect()
}

#[test]
fn as_the_first_process_of_a_container_it_reaps_orphans() {
    let allowed = Command::new("unshare")
        .args(["-p", "--fork", "true"])
        .status();
    if !allowed.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED as_the_first_process_…: this system does not permit pid namespaces");
        return;
    }
    let env = Env::with_tree(&json!({"k": "1"}));
    // The subshell is handed to process 1 as soon as the command ends, and ends when the test says
    // so.
    let gate = env.gate("orphan");
    let reload = format!("({}) & echo app >> $ROOT/reloads", gate.command());
    env.simple_with("app", "x", &format!("reload_cmd = \"\"\"{reload}\"\"\""));
    let confd = confd();
    let fixed = ["-p", "--fork", "--kill-child", confd, "-interval", "600"];
    let config = ["-config-file", "$ROOT/etc/confd.toml"];
    let daemon = env.start(env.command_of("unshare", &[&fixed[..], &config].concat()));
    env.wait_lines("reloads", 1);
    gate.wait_started(1);
    let (first, _) = children(daemon.pid())[0];
    until("the orphan is process 1's", || children(first).len() == 1);
    gate.open();
    until("the orphan is reaped", || children(first).is_empty());
}
