//! Clocks that jump: changes are applied, intervals kept, no loop begins, and the log tells the new
//! time.
//!
//! The daemon sees a clock of its own, by libfaketime: the wall clock jumps, the monotonic one goes
//! on, as when somebody sets the clock of a machine. Files keep the times that the real one gives
//! them.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::env::{Env, confd, until};
use crate::metad::Metad;

const LIBRARIES: &[&str] = &[
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib64/faketime/libfaketime.so.1",
];

/// Whether the program names a loader of libraries, as the one of `make build` does.
fn is_dynamic(program: &str) -> bool {
    let program = fs::read(program).expect("the program");
    program.windows(8).any(|bytes| bytes == b"/ld-linu")
}

/// libfaketime; none, and a line that says so, where it cannot be used.
fn library(test: &str) -> Option<&'static str> {
    let library = LIBRARIES.iter().find(|path| Path::new(path).exists());
    if library.is_none() {
        eprintln!("SKIPPED {test}: libfaketime is not installed");
    } else if !is_dynamic(confd()) {
        eprintln!("SKIPPED {test}: nothing can be loaded into a static program");
        return None;
    }
    library.copied()
}

#[test]
fn a_clock_that_jumps_changes_nothing() {
    let Some(library) = library("a_clock_that_jumps_changes_nothing") else {
        return;
    };
    let metad = Metad::start(json!({"k": "start"}));
    let mut env = Env::with_metad(&metad);
    env.settings("reconcile = true");
    env.put("clock", "+0");
    for (name, value) in [
        ("LD_PRELOAD", library),
        ("FAKETIME_TIMESTAMP_FILE", "$ROOT/clock"),
        ("FAKETIME_NO_CACHE", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
        ("NO_FAKE_STAT", "1"),
        ("TZ", "UTC"),
    ] {
        env.var(name, value);
    }
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch", "-interval", "1", "-log-level", "debug"]);
    env.wait_content("out/app", "start");
    for (step, year) in [
        ("+3650d", "203"),
        ("-3650d", "201"),
        ("@1970-01-01 00:00:00", "1970"),
        ("+0", "202"),
    ] {
        env.put("clock", step);
        metad.put("/k", step);
        env.wait_content("out/app", step);
        let before = daemon.count(" in sync");
        fs::remove_file(env.path("out/app")).expect("the file");
        env.wait_content("out/app", step);
        // Once a second, whatever the clock says.
        daemon.wait_logs(" in sync", before + 1);
        let log = daemon.log();
        let last = log.lines().last().unwrap_or_default();
        assert!(last.starts_with(year), "{step}: {last}");
        metad.wait_idle();
        assert!(metad.request_count() < 30, "{:#?}", metad.requests());
    }
    assert_eq!(daemon.stop(), Some(0));
    println!("a daemon whose clock jumped by ten years forth and back, and to 1970");
}

/// Lets the monotonic clock jump as well, as `$ROOT/clock` says: hours pass.
fn jump_all_clocks(env: &mut Env, library: &str) {
    env.put("clock", "+0");
    for (name, value) in [
        ("LD_PRELOAD", library),
        ("FAKETIME_TIMESTAMP_FILE", "$ROOT/clock"),
        ("FAKETIME_NO_CACHE", "1"),
        ("NO_FAKE_STAT", "1"),
    ] {
        env.var(name, value);
    }
}

/// As for a virtual machine that was paused.
#[test]
fn hours_that_pass_during_an_apply_do_not_delay_the_next_one() {
    let test = "hours_that_pass_during_an_apply_do_not_delay_the_next_one";
    let Some(library) = library(test) else {
        return;
    };
    let metad = Metad::start(json!({"k": "start"}));
    let mut env = Env::with_metad(&metad);
    jump_all_clocks(&mut env, library);
    let check = "touch $ROOT/checks; until test -e $ROOT/works; do sleep 0.05; done";
    let lines = format!("check_cmd = \"{check}\"");
    env.simple_with("app", r#"{{getv "/k"}}"#, &lines);
    let daemon = env.daemon(&["-watch"]);
    until("the check runs", || env.path("checks").exists());
    env.put("clock", "+3h");
    env.put("works", "");
    // A signal wakes the daemon, whose timers know nothing of the jump.
    let wait_content = |content: &str| {
        until(content, || {
            daemon.signal("HUP");
            thread::sleep(Duration::from_millis(100));
            fs::read(env.path("out/app")).is_ok_and(|found| found == content.as_bytes())
        });
    };
    wait_content("start");
    metad.put("/k", "next");
    wait_content("next");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn what_still_fails_is_logged_once_an_hour() {
    let test = "what_still_fails_is_logged_once_an_hour";
    let Some(library) = library(test) else {
        return;
    };
    let mut env = Env::with_tree(&json!({"k": "v"}));
    jump_all_clocks(&mut env, library);
    env.simple_with("app", "x", "check_cmd = \"test -e $ROOT/works\"");
    let daemon = env.daemon(&["-watch", "-interval", "86400"]);
    daemon.wait_log(": ERROR ");
    let reminder = env.expand("$ROOT/out/app (app.toml) still fails after");
    // A signal wakes the daemon, whose timers know nothing of the jumps.
    let wake = |clock: &str| {
        env.put("clock", clock);
        let before = daemon.count("are read again");
        daemon.signal("HUP");
        daemon.wait_logs("are read again", before + 1);
    };
    let wake_until = |clock: &str, text: &str| {
        until(text, || {
            wake(clock);
            daemon.count(text) > 0
        });
    };
    until("the failure is reported", || {
        wake("+0");
        env.read("etc/status.json").contains("\"failed\"")
    });
    wake("+50m");
    wake_until("+61m", &format!("{reminder} 1 hour: "));
    wake("+90m");
    wake("+119m");
    wake_until("+130m", &format!("{reminder} 2 hours: "));
    assert_eq!(daemon.count(&reminder), 2, "{}", daemon.log());
    env.put("works", "");
    wake_until(
        "+140m",
        &env.expand("$ROOT/out/app (app.toml) works again after 2 hours"),
    );
    assert_eq!(env.read("out/app"), "x");
    assert_eq!(daemon.stop(), Some(0));
}
