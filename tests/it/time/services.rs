//! Watching does not fight with the services: what others did to a file stays until its inputs
//! change; `reconcile = true`, interval mode and one-time runs put it back.

use std::fs;

use serde_json::json;

use super::watch_with_mounts;
use crate::env::{Daemon, Env, until};
use crate::metad::Metad;
use crate::names;

const EVERY_SECOND: [&str; 3] = ["-watch", "-interval", "1"];

/// A resource whose file is put back at each interval: it shows that intervals pass.
fn clock(env: &Env) {
    env.simple_with("zz-clock", "tick", "reconcile = true");
}

/// Waits until three intervals have passed since now, and what was begun in them is done.
fn wait_intervals(env: &Env) {
    for _ in 0..3 {
        env.wait_content("out/zz-clock", "tick");
        fs::remove_file(env.path("out/zz-clock")).expect("the file");
    }
    env.wait_content("out/zz-clock", "tick");
}

fn status(env: &Env) -> String {
    let run = env.run(&["-status", "-config-file", "$ROOT/etc/confd.toml"]);
    run.stdout
}

/// Fails unless the log and the status say once that somebody else changed the file.
#[track_caller]
fn expect_reported(env: &Env, daemon: &Daemon, dest: &str) {
    let log = daemon.log();
    let dest = env.expand(dest);
    let lines = log.lines().filter(|line| {
        line.contains(": INFO ") && line.contains(&dest) && line.contains("another program")
    });
    assert_eq!(lines.count(), 1, "{log}");
    until("-status says so", || {
        status(env).contains("changed by another program")
    });
}

#[test]
fn a_service_that_rewrites_its_file_is_not_restarted_for_that() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    // As redis does: CONFIG REWRITE at each start.
    let reload =
        "reload_cmd = \"echo start >> $ROOT/reloads; echo rewritten >> $ROOT/out/redis.conf\"";
    env.simple_with("redis.conf", "port {{getv \"/k\"}}\n", reload);
    clock(&env);
    let daemon = env.daemon(&EVERY_SECOND);
    env.wait_content("out/redis.conf", "port 1\nrewritten\n");
    wait_intervals(&env);
    assert_eq!(env.reloads(), ["start"], "{}", daemon.log());
    assert_eq!(env.read("out/redis.conf"), "port 1\nrewritten\n");
    expect_reported(&env, &daemon, "$ROOT/out/redis.conf");
    metad.put("/k", "2");
    env.wait_content("out/redis.conf", "port 2\nrewritten\n");
    assert_eq!(env.reloads().len(), 2);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_trigger_file_that_a_script_removes_stays_away() {
    let metad = Metad::start(json!({"k": "1", "other": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("trigger", r#"{{getv "/k"}}"#);
    clock(&env);
    let daemon = env.daemon(&EVERY_SECOND);
    env.wait_lines("reloads", 1);
    fs::remove_file(env.path("out/trigger")).expect("the file");
    metad.put("/other", "2");
    wait_intervals(&env);
    assert!(!env.path("out/trigger").exists(), "{}", daemon.log());
    expect_reported(&env, &daemon, "$ROOT/out/trigger");
    metad.put("/k", "2");
    env.wait_content("out/trigger", "2");
    env.wait_lines("reloads", 2);
    // The inputs of a file are its template and its conf.d file as well.
    for (version, edit) in [("template", true), ("resource", false)] {
        fs::remove_file(env.path("out/trigger")).expect("the file");
        if edit {
            env.template("trigger.tmpl", r#"{{getv "/k"}} edited"#);
        } else {
            env.simple_with("trigger", r#"{{getv "/k"}} edited"#, "mode = \"0600\"");
        }
        until(&format!("a new {version} makes the file again"), || {
            env.path("out/trigger").exists()
        });
    }
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_template_with_the_time_reloads_nothing_by_itself() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", "{{datetime}} {{getv \"/k\"}}");
    clock(&env);
    let daemon = env.daemon(&EVERY_SECOND);
    env.wait_lines("reloads", 1);
    let before = env.read("out/app");
    wait_intervals(&env);
    assert_eq!(env.read("out/app"), before);
    assert_eq!(env.reloads().len(), 1, "{}", daemon.log());
    metad.put("/k", "2");
    env.wait_lines("reloads", 2);
    assert!(env.read("out/app").ends_with(" 2"));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn what_a_template_asks_the_system_is_seen_when_the_answer_changes() {
    let env = Env::with_tree(&json!({"k": "1"}));
    env.template("part.tmpl", "one");
    env.simple("exists", "{{fileExists \"$ROOT/flag\"}}");
    env.simple("include", "{{include \"part.tmpl\"}}");
    for name in ["exists", "include"] {
        let text = env.read(&format!("etc/templates/{name}.tmpl"));
        env.template(&format!("{name}.tmpl"), &env.expand(&text));
    }
    clock(&env);
    let daemon = env.daemon(&EVERY_SECOND);
    env.wait_lines("reloads", 2);
    env.put("flag", "");
    env.wait_content("out/exists", "true");
    env.template("part.tmpl", "two");
    env.wait_content("out/include", "two");
    env.wait_lines("reloads", 4);
    // The answers stay, and so does what others do to the files.
    env.put("out/exists", "changed");
    fs::remove_file(env.path("out/include")).expect("the file");
    wait_intervals(&env);
    assert_eq!(env.read("out/exists"), "changed", "{}", daemon.log());
    assert!(!env.path("out/include").exists());
    assert_eq!(env.reloads().len(), 4);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_name_is_looked_up_again_and_its_new_address_applied() {
    let test = "a_name_is_looked_up_again_and_its_new_address_applied";
    let env = Env::with_tree(&json!({"k": "1"}));
    let Some(mounts) = names::mounts(&env, test, "") else {
        return;
    };
    names::set("moves.example", &[[10, 0, 0, 1]]);
    env.simple("app", "{{lookupIP \"moves.example\"}}");
    clock(&env);
    let Some(daemon) = watch_with_mounts(&env, test, mounts, &["-interval", "1"]) else {
        return;
    };
    env.wait_content("out/app", "[10.0.0.1]");
    names::set("moves.example", &[[10, 0, 0, 2]]);
    env.wait_content("out/app", "[10.0.0.2]");
    env.wait_lines("reloads", 2);
    env.put("out/app", "changed");
    wait_intervals(&env);
    assert_eq!(env.read("out/app"), "changed", "{}", daemon.log());
    assert_eq!(env.reloads().len(), 2);
    assert_eq!(daemon.stop(), Some(0));
}

/// Fails unless this file, removed and then changed, comes back and is reloaded each time.
fn expect_put_back(mut env: Env, settings: &str, lines: &str, mode: &[&str]) {
    env.settings(settings);
    let lines = format!("{lines}\nreload_cmd = \"echo app >> $ROOT/reloads\"");
    env.simple_with("app", "v", &lines);
    let daemon = env.daemon(mode);
    env.wait_lines("reloads", 1);
    fs::remove_file(env.path("out/app")).expect("the file");
    env.wait_content("out/app", "v");
    env.wait_lines("reloads", 2);
    env.put("out/app", "changed");
    env.wait_content("out/app", "v");
    env.wait_lines("reloads", 3);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn reconcile_and_interval_mode_put_files_back_and_reload() {
    let env = || Env::with_tree(&json!({"k": "1"}));
    std::thread::scope(|scope| {
        scope.spawn(|| expect_put_back(env(), "reconcile = true", "", &EVERY_SECOND));
        scope.spawn(|| expect_put_back(env(), "", "reconcile = true", &EVERY_SECOND));
        scope.spawn(|| expect_put_back(env(), "", "", &["-interval", "1"]));
    });
}

#[test]
fn a_resource_may_say_no_to_the_settings_reconcile() {
    let mut env = Env::with_tree(&json!({"k": "1"}));
    env.settings("reconcile = true");
    let lines = "reconcile = false\nreload_cmd = \"echo app >> $ROOT/reloads\"";
    env.simple_with("app", "v", lines);
    clock(&env);
    let daemon = env.daemon(&EVERY_SECOND);
    env.wait_lines("reloads", 1);
    env.put("out/app", "changed");
    wait_intervals(&env);
    assert_eq!(env.read("out/app"), "changed", "{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_one_time_run_beside_the_daemon_puts_a_file_back() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("reloads", 1);
    env.put("out/app", "changed");
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/app"), "1");
    assert_eq!(env.reloads().len(), 2);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn after_a_restart_the_daemon_puts_back_what_differs() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("reloads", 1);
    assert_eq!(daemon.stop(), Some(0));
    metad.put("/k", "2");
    let daemon = env.daemon(&["-watch"]);
    env.wait_content("out/app", "2");
    env.wait_lines("reloads", 2);
    assert_eq!(daemon.stop(), Some(0));
}
