//! Nothing is put off for ever: whatever takes longer than the time between changes, signals or
//! edits comes to its end all the same.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::env::{Env, until};
use crate::metad::Metad;
use crate::security::lock::{Holder, has_flock};

/// How long something may take that waits for nothing any more, on a machine that stands still for a
/// while.
const SOON: Duration = Duration::from_secs(15);

/// Does something again and again, `pause` apart, until `done`.
fn meanwhile(what: &str, pause: u64, mut act: impl FnMut(), done: impl Fn() -> bool) {
    until(what, || {
        act();
        thread::sleep(Duration::from_millis(pause));
        done()
    });
}

#[test]
fn changes_during_each_check_do_not_put_the_reload_off() {
    let metad = Metad::start(json!({"k": "0"}));
    let env = Env::with_metad(&metad);
    let lines = "check_cmd = \"sleep 0.5\"\nreload_cmd = \"echo a >> $ROOT/reloads\"";
    env.simple_with("a", r#"{{getv "/k"}}"#, lines);
    let daemon = env.daemon(&["-watch"]);
    let mut version = 0;
    let change = || {
        version += 1;
        metad.put("/k", &version.to_string());
    };
    meanwhile("it is reloaded", 100, change, || !env.reloads().is_empty());
    env.wait_content("out/a", &version.to_string());
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn edits_of_the_template_during_each_check_do_not_keep_a_file_old_for_ever() {
    let env = Env::with_tree(&json!({"k": "0"}));
    env.simple_with("a", r#"{{getv "/k"}}"#, "check_cmd = \"sleep 2.2\"");
    let daemon = env.daemon(&["-watch"]);
    let mut version = 0;
    let edit = || {
        version += 1;
        env.template("a.tmpl", &format!("{version}"));
    };
    meanwhile("a version is there", 500, edit, || {
        env.path("out/a").exists()
    });
    env.wait_content("out/a", &version.to_string());
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn signals_during_each_check_do_not_keep_a_file_old_for_ever() {
    let env = Env::with_tree(&json!({"k": "0"}));
    env.simple_with("a", r#"{{getv "/k"}}"#, "check_cmd = \"sleep 0.7\"");
    let daemon = env.daemon(&["-watch"]);
    daemon.wait_log("Starting confd");
    let hup = || daemon.signal("HUP");
    meanwhile("a version is there", 300, hup, || {
        env.path("out/a").exists()
    });
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn old_files_come_back_once_the_lock_is_free() {
    let test = "old_files_come_back_once_the_lock_is_free";
    if !has_flock(test) {
        return;
    }
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    let gate = env.gate("reload");
    let reload = format!(
        "reload_cmd = \"grep -q 1 $ROOT/out/a || {{ {}; false; }}\"\non_reload_failure = \"rollback\"",
        gate.command()
    );
    env.simple_with("a", r#"{{getv "/k"}}"#, &reload);
    let daemon = env.daemon(&["-watch"]);
    env.wait_content("out/a", "1");
    metad.put("/k", "2");
    gate.wait_started(1);
    let holder = Holder::of_confdir(&env);
    gate.open();
    daemon.wait_log("ERROR");
    thread::sleep(Duration::from_millis(3000));
    assert_eq!(fs::read_to_string(env.path("out/a")).unwrap(), "2");
    drop(holder);
    let start = Instant::now();
    env.wait_content("out/a", "1");
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_block_that_changes_all_the_time_does_not_keep_another_one_old() {
    let metad = Metad::start(json!({"a": "0", "b": "0"}));
    let env = Env::with_metad(&metad);
    for (name, check) in [("a", 0.3), ("b", 0.6)] {
        env.template(
            &format!("{name}.tmpl"),
            &format!("{name} {{{{getv \"/{name}\"}}}}\n"),
        );
        env.resource(
            &format!("{name}.toml"),
            &format!(
                "[template]\nsrc = \"{name}.tmpl\"\ndest = \"$ROOT/out/hosts\"\nkeys = [\"/\"]\n\
                 block = \"{name}\"\ncheck_cmd = \"sleep {check}\"\n"
            ),
        );
    }
    let daemon = env.daemon(&["-watch"]);
    let has = |line: &str| env.lines("out/hosts").iter().any(|one| one == line);
    until("both are there", || has("a 0") && has("b 0"));
    let mut version = 0;
    let change = || {
        version += 1;
        metad.put("/a", &version.to_string());
        if version == 3 {
            metad.put("/b", "1");
        }
    };
    meanwhile("the other is new", 100, change, || has("b 1"));
    let last = format!("a {version}");
    until("it is new itself", || has(&last));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn metadata_settles_although_other_metadata_has_changed_long_before() {
    let settle = Duration::from_millis(150);
    let metad = Metad::start(json!({"k": "0", "other": "0"}));
    let mut env = Env::with_metad(&metad);
    env.settings("settle = \"150ms\"");
    env.simple_with("a", r#"{{getv "/k"}}"#, "");
    let daemon = env.daemon(&["-watch"]);
    env.wait_content("out/a", "0");
    // conf.d is not young any more, so that it is not read again.
    thread::sleep(Duration::from_millis(3400));
    metad.put("/other", "1");
    // Longer than metadata is waited for that never settles.
    thread::sleep(settle * 11);
    let start = Instant::now();
    metad.put("/k", "1");
    env.wait_content("out/a", "1");
    assert!(start.elapsed() >= settle, "{:?}", start.elapsed());
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_one_time_run_gets_the_lock_beside_a_daemon_whose_checks_never_stop() {
    let metad = Metad::start(json!({"k": "0"}));
    let env = Env::with_metad(&metad);
    let settings = env.read("etc/confd.toml").replace("\"1s\"", "\"30s\"");
    env.put("etc/confd.toml", &settings);
    env.simple_with("a", r#"{{getv "/k"}}"#, "check_cmd = \"sleep 1.5\"");
    let daemon = env.daemon(&["-watch"]);
    env.wait_content("out/a", "0");
    let mut run = env.start(env.command(&["-config-file", "$ROOT/etc/confd.toml", "-onetime"]));
    let mut version = 0;
    until("the one-time run has ended", || {
        version += 1;
        metad.put("/k", &version.to_string());
        thread::sleep(Duration::from_millis(100));
        !run.is_running()
    });
    assert_eq!(run.wait_exit().code(), Some(0), "{}", run.log());
    assert_eq!(daemon.stop(), Some(0));
}
