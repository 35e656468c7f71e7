//! Nothing waits for a stranger: checks, name servers, blocking templates and commands hold up
//! their own resource only.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{expect_prompt_end, show, watch_with_mounts};
use crate::env::{Env, share_of, until};
use crate::metad::{Fault, Metad};
use crate::names;
use crate::security::lock::{Holder, has_flock, hold};

/// How long a resource may take that waits for nothing: two seconds are promised in the worst case,
/// and a rendering that hangs is given up after ten.
const SOON: Duration = Duration::from_secs(9);
/// Three names, looked up one after another by a resolver that gives each ten seconds.
const LOOKUPS: &str =
    r#"{{lookupIP "one.silent"}}{{lookupIP "two.silent"}}{{lookupIP "three.silent"}}"#;

/// Fails unless the lock of confdir is free before `limit` is over.
#[track_caller]
fn expect_free_lock(env: &Env, limit: Duration) {
    let start = Instant::now();
    let lock = env.path("etc/.confd.lock");
    until("the lock is free", || {
        let taken = Command::new("flock")
            .args(["-n", "-x"])
            .arg(&lock)
            .arg("true")
            .status();
        taken.expect("flock").success() || start.elapsed() > limit
    });
    assert!(start.elapsed() < limit, "the lock is held for {limit:?}");
}

fn make_fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.expect("mkfifo").success());
}

#[test]
fn a_long_check_holds_unrelated_files_up_for_two_seconds_at_most() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    let gate = env.gate("check");
    let check = format!("check_cmd = \"{}\"", gate.command());
    env.simple_with("slow", r#"{{getv "/k"}}"#, &check);
    env.simple("unrelated", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    for version in 1..3 {
        gate.wait_started(1);
        let start = Instant::now();
        metad.put("/k", &version.to_string());
        env.wait_content("out/unrelated", &version.to_string());
        assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
        assert!(!env.path("out/slow").exists(), "its check still runs");
    }
    gate.open();
    env.wait_content("out/slow", "2");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn files_with_one_reload_wait_for_each_others_checks_and_the_others_do_not() {
    let env = Env::with_tree(&json!({"k": "1"}));
    let gate = env.gate("check");
    let shared = "reload_cmd = \"cat $ROOT/out/a $ROOT/out/b >> $ROOT/seen; echo >> $ROOT/seen\"";
    let checked = format!("check_cmd = \"{}\"\n{shared}", gate.command());
    env.simple_with("a", r#"{{getv "/k"}}"#, &checked);
    env.simple_with("b", r#"{{getv "/k"}}"#, shared);
    env.simple("unrelated", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    env.wait_content("out/unrelated", "1");
    assert!(!env.path("out/b").exists(), "the check of a still runs");
    gate.open();
    env.wait_lines("seen", 1);
    env.wait_content("out/a", "1");
    env.wait_content("out/b", "1");
    assert_eq!(daemon.stop(), Some(0));
    env.onetime().expect_code(0);
    assert_eq!(env.lines("seen"), ["11"], "once, after both");
}

#[test]
fn a_check_that_takes_longer_than_the_interval_counts() {
    let env = Env::with_tree(&json!({"k": "1"}));
    let check = "check_cmd = \"sleep 2.5\"";
    env.simple_with("a", r#"{{getv "/k"}}"#, check);
    env.simple_with("b", r#"{{getv "/k"}}"#, &format!("group = \"b\"\n{check}"));
    env.simple_with("c", r#"{{getv "/k"}}"#, "group = \"b\"");
    let daemon = env.daemon(&["-interval", "1"]);
    for name in ["out/a", "out/b", "out/c"] {
        env.wait_content(name, "1");
    }
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn changes_during_each_check_do_not_keep_a_file_old_for_ever() {
    let metad = Metad::start(json!({"k": "0"}));
    let env = Env::with_metad(&metad);
    env.simple_with("a", r#"{{getv "/k"}}"#, "check_cmd = \"sleep 2.2\"");
    let daemon = env.daemon(&["-watch"]);
    let mut version = 0;
    until("a version is there", || {
        version += 1;
        metad.put("/k", &version.to_string());
        env.path("out/a").exists()
    });
    env.wait_content("out/a", &version.to_string());
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_check_of_more_than_ten_seconds_runs_once_and_counts() {
    let env = Env::with_tree(&json!({"k": "1"}));
    let gate = env.gate("check");
    let shared = "reload_cmd = \"echo reload >> $ROOT/seen\"";
    let checked = format!("check_cmd = \"{}\"\n{shared}", gate.command());
    env.simple_with("a", r#"{{getv "/k"}}"#, &checked);
    env.simple_with("b", r#"{{getv "/k"}}"#, shared);
    let daemon = env.daemon(&["-watch", "-interval", "1"]);
    // What waits for the check goes ahead after ten seconds.
    env.wait_content("out/b", "1");
    assert!(!env.path("out/a").exists());
    gate.open();
    env.wait_content("out/a", "1");
    env.wait_lines("seen", 2);
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(gate.started(), 1, "{}", "the check is not repeated");
}

#[test]
fn a_silent_name_server_holds_up_neither_files_nor_the_lock_nor_term() {
    let test = "a_silent_name_server_holds_up";
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    let Some(mounts) = names::mounts(&env, test, "") else {
        return;
    };
    let lookups = LOOKUPS.replace(".silent", ".held.silent");
    env.simple_with("0-names", &lookups, "");
    env.simple("app", r#"{{getv "/k"}}"#);
    let Some(daemon) = watch_with_mounts(&env, test, mounts, &[]) else {
        return;
    };
    names::wait_asked("one.held.silent");
    let start = Instant::now();
    env.wait_content("out/app", "1");
    metad.put("/k", "2");
    env.wait_content("out/app", "2");
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    if has_flock(test) {
        expect_free_lock(&env, SOON);
    }
    expect_prompt_end(daemon, "lookups");
}

#[test]
fn all_names_of_a_rendering_have_one_deadline() {
    let test = "all_names_of_a_rendering_have_one_deadline";
    let env = Env::with_tree(&json!({"k": "1"}));
    let Some(mounts) = names::mounts(&env, test, "") else {
        return;
    };
    env.simple_with("names", LOOKUPS, "");
    let start = Instant::now();
    let Some(_run) = env.onetime_with_mounts(test, mounts) else {
        return;
    };
    let elapsed = start.elapsed();
    assert!(elapsed < Duration::from_secs(20), "{elapsed:?}");
}

#[test]
fn a_template_that_blocks_fails_its_own_resource_only() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("blocks", "");
    fs::remove_file(env.path("etc/templates/blocks.tmpl")).expect("the file");
    make_fifo(&env.path("etc/templates/blocks.tmpl"));
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    env.wait_content("out/app", "1");
    metad.put("/k", "2");
    env.wait_content("out/app", "2");
    daemon.wait_log("blocks.tmpl: it is not a regular file");
    expect_prompt_end(daemon, "a FIFO as src");
    let start = Instant::now();
    let run = env.onetime();
    run.expect_code(1).expect_log("blocks.tmpl");
    assert!(start.elapsed() < Duration::from_secs(20), "{}", run.stderr);
}

#[test]
fn a_look_at_results_that_waits_for_a_name_server_holds_no_change_up() {
    let test = "a_look_at_results_that_waits_for_a_name_server_holds_no_change_up";
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    let Some(mounts) = names::mounts(&env, test, "") else {
        return;
    };
    names::set("falls.example", &[[10, 0, 0, 1]]);
    env.simple_with("0-names", r#"{{lookupIP "falls.example"}}"#, "");
    env.simple_with("app", r#"{{getv "/k"}}"#, "");
    let Some(daemon) = watch_with_mounts(&env, test, mounts, &["-interval", "1"]) else {
        return;
    };
    env.wait_content("out/0-names", "[10.0.0.1]");
    env.wait_content("out/app", "1");
    names::silence("falls.example");
    for version in ["2", "3", "4"] {
        names::wait_asked_again("falls.example");
        let start = Instant::now();
        metad.put("/k", version);
        env.wait_content("out/app", version);
        // A round would wait for two seconds for a rendering.
        let elapsed = start.elapsed();
        assert!(elapsed < Duration::from_millis(1500), "{elapsed:?}");
    }
    assert_eq!(env.read("out/0-names"), "[10.0.0.1]");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn an_included_file_that_blocks_fails_its_own_resource_only() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("blocks", r#"{{include "part.tmpl"}}"#);
    make_fifo(&env.path("etc/templates/part.tmpl"));
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    env.wait_content("out/app", "1");
    metad.put("/k", "2");
    env.wait_content("out/app", "2");
    daemon.wait_log("part.tmpl");
    expect_prompt_end(daemon, "a FIFO to include");
}

#[test]
fn term_ends_the_daemon_at_once_whatever_it_waits_for() {
    let metad = Metad::start(json!({"k": "1"}));
    let with_gate = |kind: &str| {
        let env = Env::with_metad(&metad);
        let gate = env.gate("command");
        env.simple_with("app", "x", &format!("{kind} = \"{}\"", gate.command()));
        let daemon = env.daemon(&["-watch"]);
        gate.wait_started(1);
        expect_prompt_end(daemon, kind);
        gate.open();
        let names = env.names("out");
        assert!(names.is_empty() || names == ["app"], "{names:?}");
    };
    with_gate("check_cmd");
    with_gate("reload_cmd");

    let silent = Metad::start(json!({"k": "1"}));
    silent.fail(Fault::Silence);
    let env = Env::with_metad(&silent);
    env.simple("app", "x");
    let daemon = env.daemon(&["-watch"]);
    silent.wait_requests(1);
    expect_prompt_end(daemon, "a silent service");

    if has_flock("term_ends_the_daemon_that_waits_for_the_lock") {
        let env = Env::with_metad(&metad);
        env.simple("app", "x");
        env.put("etc/.confd.lock", "");
        let lock = hold("$ROOT/etc/.confd.lock");
        let holder = Holder::start(env.command_of("/bin/sh", &["-c", &lock]));
        let daemon = env.daemon(&["-watch"]);
        daemon.wait_log("another confd");
        expect_prompt_end(daemon, "the lock");
        drop(holder);
    }
}

#[test]
fn term_at_any_moment_leaves_whole_files_and_nothing_staged() {
    for turn in 0..share_of(100) {
        let metad = Metad::start(json!({"k": "1"}));
        let env = Env::with_metad(&metad);
        for number in 0..6 {
            let lines = format!(
                "check_cmd = \"sleep 0.{number}\"\n{}",
                show(&number.to_string())
            );
            env.simple_with(&number.to_string(), r#"{{getv "/k"}}"#, &lines);
        }
        let daemon = env.daemon(&["-watch"]);
        metad.wait_requests(1);
        // To spread the moments of TERM over the apply; nothing is waited for.
        std::thread::sleep(Duration::from_millis(turn as u64 * 97 % 900));
        expect_prompt_end(daemon, "an apply");
        for name in env.names("out") {
            assert!(name.len() == 1, "{name} is left");
            assert_eq!(env.read(&format!("out/{name}")), "1");
        }
    }
}

#[test]
fn the_lock_is_free_while_a_command_or_a_long_check_runs() {
    if !has_flock("the_lock_is_free_while_a_command_or_a_long_check_runs") {
        return;
    }
    for kind in ["check_cmd", "reload_cmd"] {
        let env = Env::with_tree(&json!({"k": "1"}));
        let gate = env.gate("command");
        env.simple_with("app", "x", &format!("{kind} = \"{}\"", gate.command()));
        let daemon = env.daemon(&["-watch"]);
        gate.wait_started(1);
        expect_free_lock(&env, SOON);
        gate.open();
        env.wait_content("out/app", "x");
        assert_eq!(daemon.stop(), Some(0));
    }
}
