//! Every swap gets its reload started, at least once, across any crash; exec.sh starts each id
//! once.

use std::fs;

use md5::{Digest, Md5};
use serde_json::json;

use crate::env::{Daemon, Env, Gate, copy_program};
use crate::images;
use crate::metad::Metad;
use crate::security::lock::{Holder, has_flock, hold};

/// Adds a line NAME to `reloads`.
fn reload(name: &str) -> String {
    format!("reload_cmd = \"echo {name} >> $ROOT/reloads\"")
}

/// A one-time run that was killed when both files had been swapped, the first reload ran, and the
/// second had not begun.
fn killed_between(first: &str, second: &str) -> (Env, Gate) {
    let env = Env::with_tree(&json!({"k": "v"}));
    let gate = env.gate("init");
    let lines = format!("{first}reload_cmd = \"{}\"", gate.command());
    env.simple_with("10-init", r#"{{getv "/k"}}"#, &lines);
    env.simple_with("20-start", r#"{{getv "/k"}}"#, second);
    let mut run = env.daemon(&["-onetime"]);
    gate.wait_started(1);
    env.wait_content("out/20-start", "v");
    run.kill();
    assert!(env.reloads().is_empty(), "one after another");
    gate.open();
    (env, gate)
}

#[test]
fn a_reload_that_was_due_at_a_kill_is_started_by_the_next_one_time_run() {
    let (env, gate) = killed_between("", &reload("start"));
    for _ in 0..2 {
        env.onetime().expect_code(0);
    }
    assert_eq!(env.reloads(), ["start"]);
    assert_eq!(gate.started(), 1, "what has started is not repeated");
}

#[test]
fn a_reload_that_was_due_at_a_kill_is_started_by_the_daemon() {
    for mode in [&["-watch"][..], &["-interval", "600"]] {
        let (env, gate) = killed_between("", &reload("start"));
        let daemon = env.daemon(mode);
        env.wait_lines("reloads", 1);
        assert_eq!(daemon.stop(), Some(0));
        env.onetime().expect_code(0);
        assert_eq!((env.reloads().len(), gate.started()), (1, 1));
    }
}

#[test]
fn with_reload_retry_a_reload_is_due_until_it_has_succeeded() {
    let (env, gate) = killed_between("reload_retry = true\n", &reload("start"));
    for _ in 0..2 {
        env.onetime().expect_code(0);
    }
    assert_eq!((env.reloads().len(), gate.started()), (1, 2));
}

#[test]
fn noop_and_sync_only_neither_start_nor_forget_a_reload_that_is_due() {
    let (env, _gate) = killed_between("", &reload("start"));
    for mode in ["-noop", "-sync-only", "-noop"] {
        env.onetime_with(&[mode]).expect_code(0);
        assert!(env.reloads().is_empty(), "{mode}");
    }
    env.onetime().expect_code(0);
    assert_eq!(env.reloads(), ["start"]);
}

#[test]
fn a_reload_whose_resource_is_gone_is_not_started_with_another_command() {
    let (env, _gate) = killed_between("", &reload("start"));
    env.simple_with("20-start", r#"{{getv "/k"}}"#, "");
    env.onetime();
    assert!(env.reloads().len() <= 1);
    let count = env.reloads().len();
    env.onetime().expect_code(0);
    assert_eq!(env.reloads().len(), count, "it is settled");
}

#[test]
fn a_reload_that_waits_for_the_same_command_survives_a_kill_and_term() {
    let stop: [fn(Daemon); 2] = [
        |mut daemon| daemon.kill(),
        |daemon| {
            assert_eq!(daemon.stop(), Some(0));
        },
    ];
    for end in stop {
        let metad = Metad::start(json!({"a": "1", "b": "1"}));
        let env = Env::with_metad(&metad);
        env.simple_with("a", r#"{{getv "/a"}}"#, "");
        env.simple_with("b", r#"{{getv "/b"}}"#, "");
        env.onetime().expect_code(0);
        let gate = env.gate("reload");
        let shared = format!(
            "reload_cmd = \"cat $ROOT/out/b >> $ROOT/seen; echo >> $ROOT/seen; {}\"",
            gate.command()
        );
        env.simple_with("a", r#"{{getv "/a"}}"#, &shared);
        env.simple_with("b", r#"{{getv "/b"}}"#, &shared);
        let daemon = env.daemon(&["-watch"]);
        metad.wait_idle();
        metad.put("/a", "2");
        gate.wait_started(1);
        metad.put("/b", "2");
        env.wait_content("out/b", "2");
        assert_eq!(env.lines("seen"), ["1"], "it waits for the first");
        end(daemon);
        gate.open();
        env.onetime().expect_code(0);
        assert_eq!(env.lines("seen"), ["1", "2"]);
    }
}

/// A record of the version before this one: a file with the path of dest, by the MD5 of that.
fn owe(env: &Env, dest: &str) -> String {
    let dest = env.expand(dest);
    let digest: String = Md5::digest(&dest)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    env.put(&format!("etc/owed/{digest}"), &format!("{dest}\n"));
    format!("etc/owed/{digest}")
}

#[test]
fn reloads_that_the_version_before_has_noted_are_taken_over() {
    for mode in [&["-onetime"][..], &["-watch"]] {
        let env = Env::with_tree(&json!({"k": "v"}));
        env.simple("app", r#"{{getv "/k"}}"#);
        env.onetime_with(&["-sync-only"]).expect_code(0);
        owe(&env, "$ROOT/out/app");
        // Of a resource that is gone.
        owe(&env, "$ROOT/out/gone");
        for only in ["-noop", "-sync-only"] {
            env.onetime_with(&[only]).expect_code(0);
            assert_eq!((env.names("etc/owed").len(), env.reloads().len()), (2, 0));
        }
        let mut confd = env.daemon(mode);
        env.wait_lines("reloads", 1);
        if mode == ["-onetime"] {
            assert_eq!(confd.wait_exit().code(), Some(0), "{}", confd.log());
        } else {
            assert_eq!(confd.stop(), Some(0));
        }
        assert!(!env.path("etc/owed").exists());
        env.onetime().expect_code(0);
        assert_eq!(env.reloads(), ["app"], "once");
    }
}

#[test]
fn what_a_daemon_of_the_version_before_holds_is_left_to_it() {
    let test = "what_a_daemon_of_the_version_before_holds_is_left_to_it";
    if !has_flock(test) {
        return;
    }
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    env.onetime_with(&["-sync-only"]).expect_code(0);
    let owed = owe(&env, "$ROOT/out/app");
    let lock = hold(&format!("$ROOT/{owed}"));
    let holder = Holder::start(env.command_of("/bin/sh", &["-c", &lock])).expect("it is held");
    env.onetime().expect_code(0);
    assert!(env.reloads().is_empty() && env.path(&owed).exists());
    drop(holder);
    env.onetime().expect_code(0);
    assert_eq!(env.reloads(), ["app"]);
}

/// An image's app-agent folder, whose exec.sh is the reload of cmd.info, behind a reload that can
/// be held.
fn platform_command(env: &Env) {
    for folder in ["agent/bin", "agent/log"] {
        fs::create_dir_all(env.path(folder)).expect("a folder of the agent");
    }
    copy_program(images::source("exec.sh"), env.path("agent/bin/exec.sh"));
    env.template(
        "cmd.info.tmpl",
        r#"{{if exists "/cmd/id"}}{{getv "/cmd/id"}}:{{getv "/cmd/cmd"}}{{end}}"#,
    );
    env.resource(
        "20-cmd.info.toml",
        "[template]\nsrc = \"cmd.info.tmpl\"\ndest = \"$ROOT/agent/log/cmd.info\"\nkeys = [\"/cmd\"]\n\
         reload_cmd = \"$ROOT/agent/bin/exec.sh\"\n",
    );
}

#[test]
fn a_platform_command_survives_a_kill_and_runs_once() {
    let command = "echo ran >> $ROOT/ran";
    let env = Env::new();
    let metad = Metad::start(json!({"cmd": {"id": "c-1", "cmd": env.expand(command)}}));
    let mut env = env;
    env.ask(&metad);
    let gate = env.gate("init");
    env.simple_with(
        "10-init",
        "x",
        &format!("reload_cmd = \"{}\"", gate.command()),
    );
    platform_command(&env);
    let mut run = env.daemon(&["-onetime"]);
    gate.wait_started(1);
    run.kill();
    gate.open();
    assert!(!env.path("ran").exists());
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("ran", 1);
    metad.wait_idle();
    assert_eq!(daemon.stop(), Some(0));
    env.onetime().expect_code(0);
    assert_eq!(env.lines("ran").len(), 1);
}

#[test]
fn a_reload_that_could_not_be_started_is_started_later() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let test = "a_reload_that_could_not_be_started_is_started_later";
    // Without /bin/sh a program that is a script could not even be started.
    let program = std::env::var_os("CONFD").and_then(|path| std::fs::read(path).ok());
    if program.is_some_and(|bytes| bytes.starts_with(b"#!")) {
        eprintln!("SKIPPED: the program is a script");
        return;
    }
    let mounts = "mount --bind /dev/null \"$(readlink -f /bin/sh)\"";
    // The shell that makes the mount is running by then; confd finds none for its command.
    let Some(run) = env.onetime_with_mounts(test, mounts) else {
        return;
    };
    run.expect_code(1);
    assert_eq!(env.read("out/app"), "1");
    assert!(env.reloads().is_empty());
    env.onetime().expect_code(0);
    assert_eq!(env.reloads(), ["app"]);
}
