//! `on_reload_failure = "rollback"`: the old files come back when the reload fails with the new
//! ones.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use serde_json::json;

use crate::env::{Daemon, Env, Gate, Run, until};
use crate::metad::Metad;

const ROLLBACK: &str = "on_reload_failure = \"rollback\"";

/// Fails with "bad" in the file, and says so.
fn reload(file: &str) -> String {
    format!(
        "reload_cmd = \"cat $ROOT/out/{file} >> $ROOT/reloads; echo >> $ROOT/reloads; \
         if grep -q bad $ROOT/out/{file}; then echo no$((1))good; exit 3; fi\""
    )
}

fn app(value: &str, lines: &str) -> Env {
    let env = Env::with_tree(&json!({"k": value}));
    env.simple_with(
        "app",
        "{{getv \"/k\"}}",
        &format!("{ROLLBACK}\n{}\n{lines}", reload("app")),
    );
    env
}

fn set(env: &Env, value: &str) {
    env.put("metadata.json", &json!({"k": value}).to_string());
}

fn tool(env: &Env, name: &str) -> Run {
    env.run(&[name, "-config-file", "$ROOT/etc/confd.toml"])
}

#[test]
fn the_old_file_comes_back_as_it_was_and_is_reloaded() {
    let env = app("good", "mode = \"0600\"");
    env.put("real", "old");
    symlink("../real", env.path("out/app")).expect("a link");
    fs::hard_link(env.path("real"), env.path("other-name")).expect("a second name");
    fs::set_permissions(env.path("real"), Permissions::from_mode(0o4711)).expect("a mode");
    let look = || {
        let meta = fs::metadata(env.path("real")).expect("the file");
        (
            meta.ino(),
            meta.mode(),
            meta.uid(),
            meta.nlink(),
            env.read("real"),
        )
    };
    let before = look();
    set(&env, "bad");
    let run = env.onetime();
    run.expect_code(1);
    assert_eq!(look(), before, "{}", run.stderr);
    assert!(
        fs::symlink_metadata(env.path("out/app"))
            .expect("it")
            .is_symlink()
    );
    assert_eq!(env.reloads(), ["bad", "old"]);
    let errors = run.at("ERROR").join("\n");
    for word in ["rolled back", "real", "no1good"] {
        assert!(
            errors.contains(word) || run.stderr.contains(word),
            "{word}: {}",
            run.stderr
        );
    }
    assert_eq!(env.names("out"), ["app"]);
    let status = tool(&env, "-status");
    status.expect_code(1);
    for word in ["rolled back", "no1good"] {
        assert!(status.stdout.contains(word), "{word}: {}", status.stdout);
    }
    // The same is not tried again, and says why.
    let run = env.onetime();
    run.expect_code(1);
    assert!(run.at("ERROR")[0].contains("rolled back"), "{}", run.stderr);
    assert_eq!(env.reloads(), ["bad", "old"]);
    let diff = tool(&env, "-diff");
    diff.expect_code(3);
    for word in ["app.toml changes", "stays rolled back", "exit status 3"] {
        assert!(diff.stdout.contains(word), "{word}: {}", diff.stdout);
    }
    assert!(!diff.stdout.contains("would reload"), "{}", diff.stdout);
    // Something else is.
    set(&env, "good");
    let diff = tool(&env, "-diff");
    diff.expect_code(3);
    assert!(!diff.stdout.contains("rolled back"), "{}", diff.stdout);
    assert!(diff.stdout.contains("would reload"), "{}", diff.stdout);
    env.onetime().expect_code(0);
    assert_eq!(env.reloads(), ["bad", "old", "good"]);
    assert_eq!(env.read("real"), "good");
    // Then the metadata has changed in between, and it is tried.
    set(&env, "bad");
    env.onetime().expect_code(1);
    assert_eq!(env.reloads()[3..], ["bad", "good"]);
    // In sync again: the rejection is forgotten.
    set(&env, "good");
    env.onetime().expect_code(0);
    set(&env, "bad");
    env.onetime().expect_code(1);
    assert_eq!(env.reloads()[5..], ["bad", "good"]);
}

#[test]
fn a_file_that_did_not_exist_is_removed_again() {
    let env = app("bad", "");
    let run = env.onetime();
    run.expect_code(1);
    assert!(env.names("out").is_empty(), "{}", run.stderr);
    assert!(!env.lines("reloads").is_empty());
    assert!(!env.has_pending_reloads());
}

#[test]
fn keep_is_the_default() {
    for lines in ["", "on_reload_failure = \"keep\""] {
        let env = Env::with_tree(&json!({"k": "bad"}));
        env.simple_with(
            "app",
            "{{getv \"/k\"}}",
            &format!("{}\n{lines}", reload("app")),
        );
        env.put("out/app", "old");
        env.onetime().expect_code(1);
        assert_eq!(env.read("out/app"), "bad");
        assert_eq!(env.reloads(), ["bad"]);
        assert!(!env.path("etc/swaps").exists());
    }
    let env = app("x", "");
    env.simple_with("app", "x", "on_reload_failure = \"undo\"");
    env.onetime().expect_code(1);
    tool(&env, "-lint").expect_code(1);
}

#[test]
fn a_whole_group_comes_back() {
    let env = Env::with_tree(&json!({"k": "good"}));
    let group = "group = \"pair\"";
    env.simple_with(
        "a",
        "{{getv \"/k\"}}",
        &format!("{group}\n{ROLLBACK}\n{}", reload("a")),
    );
    env.simple_with("b", "{{getv \"/k\"}}", group);
    env.simple_with("c", "{{getv \"/k\"}}", group);
    env.simple_with("other", "{{getv \"/k\"}}", "");
    env.onetime().expect_code(0);
    fs::remove_file(env.path("out/c")).expect("it");
    set(&env, "bad");
    let run = env.onetime();
    run.expect_code(1);
    assert_eq!(env.names("out"), ["a", "b", "other"], "{}", run.stderr);
    assert_eq!(
        (env.read("out/a"), env.read("out/b")),
        ("good".into(), "good".into())
    );
    assert_eq!(env.read("out/other"), "bad");
    assert_eq!(env.reloads(), ["good", "bad", "good"]);
    env.onetime().expect_code(1);
    assert_eq!(env.reloads().len(), 3);
}

#[test]
fn a_second_failure_is_reported_and_nothing_more_is_tried() {
    let env = app("bad", "reload_retry = true");
    env.put("out/app", "bad, too");
    let run = env.onetime();
    run.expect_code(1);
    assert_eq!(env.read("out/app"), "bad, too");
    assert_eq!(env.reloads(), ["bad", "bad, too"]);
    let errors = run.at("ERROR");
    assert_eq!(errors.len(), 3, "{}", run.stderr);
    for (error, word) in errors.iter().zip(["app.toml", "rolled back", "app.toml"]) {
        assert!(error.contains(word), "{}", run.stderr);
    }
    assert!(!env.has_pending_reloads());
    env.onetime().expect_code(1);
    assert_eq!(env.reloads().len(), 2);
}

#[test]
fn what_changes_during_the_reload_that_fails_is_tried_at_once() {
    let metad = Metad::start(json!({"k": "good"}));
    let env = Env::with_metad(&metad);
    let gate = "cat $ROOT/out/app >> $ROOT/reloads; echo >> $ROOT/reloads; \
                while ! test -e $ROOT/open; do sleep 0.01; done; ! grep bad $ROOT/out/app";
    let lines = format!("{ROLLBACK}\nreload_cmd = \"{gate}\"");
    env.simple_with("app", "{{getv \"/k\"}}", &lines);
    env.put("open", "");
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("reloads", 1);
    until("it has ended", || {
        tool(&env, "-status").stdout.contains("in sync")
    });
    fs::remove_file(env.path("open")).expect("it");
    metad.put("/k", "bad");
    env.wait_lines("reloads", 2);
    metad.put("/k", "better");
    metad.wait_idle();
    env.put("open", "");
    // The reload of the old file may be left out, since a newer one is on its way.
    until("the newest file is reloaded", || {
        env.reloads().last().is_some_and(|last| last == "better")
    });
    assert_eq!(env.read("out/app"), "better");
    assert!(daemon.log().contains("rolled back"), "{}", daemon.log());
}

#[test]
fn the_daemon_rolls_back_and_waits_for_a_change() {
    let metad = Metad::start(json!({"k": "good"}));
    let env = Env::with_metad(&metad);
    env.simple_with(
        "app",
        "{{getv \"/k\"}}",
        &format!("{ROLLBACK}\n{}", reload("app")),
    );
    let daemon = env.daemon(&["-watch", "-interval", "1"]);
    env.wait_lines("reloads", 1);
    metad.put("/k", "bad");
    env.wait_lines("reloads", 3);
    env.wait_content("out/app", "good");
    until("status says so", || {
        tool(&env, "-status").stdout.contains("rolled back")
    });
    metad.put("/unrelated", "x");
    metad.wait_idle();
    let daemon_log = daemon.log();
    assert_eq!(env.reloads(), ["good", "bad", "good"], "{daemon_log}");
    // A changed template is a new rendering.
    env.template("app.tmpl", "now {{getv \"/k\"}}-ish good");
    env.wait_lines("reloads", 5);
    assert_eq!(env.reloads()[3..], ["now bad-ish good", "good"]);
    metad.put("/k", "better");
    env.wait_content("out/app", "now better-ish good");
    env.wait_lines("reloads", 6);
    until("all is well", || tool(&env, "-status").code() == Some(0));
    until("the old file is not kept any more", || {
        env.names("etc/swaps").is_empty()
    });
    assert_eq!(daemon.stop(), Some(0));
}

/// A daemon that tries "bad" out in the place of "good": the reload waits at the gate, and fails.
fn try_bad(metad: &Metad, env: &Env, lines: &str) -> (Daemon, Gate) {
    let gate = env.gate("reload");
    gate.open();
    let command = format!("{}; ! grep bad $ROOT/out/app", gate.command());
    let lines = format!("{lines}\n{ROLLBACK}\nreload_cmd = \"{command}\"");
    env.simple_with("app", "{{getv \"/k\"}}", &lines);
    let daemon = env.daemon(&["-watch"]);
    gate.wait_started(1);
    until("it has ended", || env.names("etc/swaps").is_empty());
    gate.shut();
    let started = gate.started();
    metad.put("/k", "bad");
    gate.wait_started(started + 1);
    (daemon, gate)
}

#[test]
fn a_conf_d_file_that_is_renamed_while_the_reload_runs_is_told() {
    for lines in ["", "block = \"b\""] {
        let metad = Metad::start(json!({"k": "good"}));
        let env = Env::with_metad(&metad);
        let (daemon, gate) = try_bad(&metad, &env, lines);
        let conf_d = env.path("etc/conf.d");
        fs::rename(conf_d.join("app.toml"), conf_d.join("new.toml")).expect("it");
        daemon.signal("HUP");
        until("it is known under its new name", || {
            tool(&env, "-status").stdout.contains("new.toml")
        });
        gate.open();
        until("the file is rolled back, and status says so", || {
            let status = tool(&env, "-status");
            status.stdout.contains("new.toml")
                && status.stdout.contains("rolled back")
                && env.read("out/app").contains("good")
        });
        metad.put("/k", "better");
        until("what is new is there", || {
            env.read("out/app").contains("better")
        });
        assert_eq!(daemon.stop(), Some(0));
    }
}

#[test]
fn a_one_time_run_waits_for_the_files_that_the_daemon_tries_out() {
    let metad = Metad::start(json!({"k": "good"}));
    let env = Env::with_metad(&metad);
    let (daemon, gate) = try_bad(&metad, &env, "");
    metad.put("/k", "bad, too");
    let run = env.onetime();
    run.expect_code(1);
    run.expect_log("waits for the reload_cmd of another confd");
    assert_eq!(env.read("out/app"), "bad");
    gate.open();
    daemon.wait_logs("rolled back", 2);
    env.wait_content("out/app", "good");
    until("the reloads are over", || !env.has_pending_reloads());
    env.onetime().expect_code(1).expect_log("rolled back");
    assert_eq!(env.read("out/app"), "good");
    metad.put("/k", "better");
    env.wait_content("out/app", "better");
    until("it is healthy", || tool(&env, "-status").code() == Some(0));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_change_of_another_resource_is_no_new_try_for_a_part_of_a_group() {
    let metad = Metad::start(json!({"k": "good", "other": "1"}));
    let env = Env::with_metad(&metad);
    for (name, template) in [("a", "{{getv \"/k\"}}"), ("b", "always the same")] {
        let lines = format!("group = \"pair\"\n{ROLLBACK}\n{}", reload("a"));
        env.simple_with(name, template, &lines);
    }
    env.simple_with("other", "{{getv \"/other\"}}", "");
    let daemon = env.daemon(&["-watch", "-interval", "1"]);
    env.wait_content("out/other", "1");
    until("the pair is healthy", || {
        tool(&env, "-status").code() == Some(0)
    });
    metad.put("/k", "bad");
    daemon.wait_log("rolled back");
    // Only this one is rendered.
    env.template("other.tmpl", "edited {{getv \"/other\"}}");
    env.wait_content("out/other", "edited 1");
    for value in ["2", "3"] {
        metad.put("/other", value);
        env.wait_content("out/other", &format!("edited {value}"));
    }
    assert_eq!(daemon.count("out/a has been updated"), 2);
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(env.reloads(), ["good", "bad", "good"]);
}

#[test]
fn what_was_rejected_is_forgotten_with_its_resource() {
    let env = app("bad", "");
    env.simple_with("other", "x", "");
    env.onetime().expect_code(1);
    assert_eq!(env.names("etc/swaps").len(), 1);
    // It is known as long as the resource cannot be read, or another one.
    let toml = env.read("etc/conf.d/app.toml");
    for (name, text) in [("app", "broken"), ("app", &toml), ("other", "broken")] {
        env.resource(&format!("{name}.toml"), text);
        env.onetime().expect_code(1);
        assert_eq!(env.names("etc/swaps").len(), 1, "{name}: {text}");
    }
    env.simple_with("other", "x", "");
    env.resource("app.toml", &(toml.clone() + "group = \"new\"\n"));
    env.onetime().expect_code(1);
    assert_eq!(env.names("etc/swaps").len(), 1, "that of the group");
    fs::remove_file(env.path("etc/conf.d/app.toml")).expect("it");
    env.onetime().expect_code(0);
    assert!(env.names("etc/swaps").is_empty());
    // An item.
    env.put(
        "metadata.json",
        &json!({"sites": {"bad": "1", "b": "2"}}).to_string(),
    );
    let lines =
        format!("{ROLLBACK}\nfor_each = 'ls \"/sites\"'\nreload_cmd = \"test {{{{.}}}} != bad\"");
    env.simple_with("list", "{{.}}", &lines);
    let toml = env
        .read("etc/conf.d/list.toml")
        .replace("out/list", "out/{{.}}");
    env.resource("list.toml", &toml);
    env.onetime().expect_code(1);
    assert_eq!(env.names("out"), ["b", "other"]);
    assert_eq!(env.names("etc/swaps").len(), 1);
    env.resource("list.toml", &toml.replace("ls \"/sites", "getv \"/none"));
    env.onetime().expect_code(1);
    assert_eq!(env.names("etc/swaps").len(), 1, "the items are not known");
    env.resource("list.toml", &toml);
    env.put("metadata.json", &json!({"sites": {"b": "2"}}).to_string());
    env.onetime().expect_code(0);
    assert!(env.names("etc/swaps").is_empty());
}

#[test]
fn what_somebody_else_has_changed_meanwhile_stays() {
    let env = app("bad", "# the reload edits the file before it fails\n");
    env.simple_with(
        "app",
        "bad",
        &format!("{ROLLBACK}\nreload_cmd = \"echo theirs > $ROOT/out/app; exit 1\""),
    );
    env.put("out/app", "old");
    let run = env.onetime();
    run.expect_code(1);
    assert_eq!(env.read("out/app"), "theirs\n");
    assert!(run.stderr.contains("not rolled back"), "{}", run.stderr);
}

#[test]
fn a_mount_point_is_rolled_back_in_place() {
    let env = app("bad", "");
    env.put("inner", "old");
    env.put("out/app", "");
    let mounts = env.expand("mount --bind $ROOT/inner $ROOT/out/app");
    let Some(run) = env.onetime_with_mounts("a_mount_point_is_rolled_back_in_place", &mounts)
    else {
        return;
    };
    run.expect_code(1);
    assert_eq!(env.read("inner"), "old", "{}", run.stderr);
    assert_eq!(env.reloads(), ["bad", "old"]);
}

#[test]
fn another_reload_command_is_another_attempt() {
    let env = app("bad", "");
    env.put("out/app", "old");
    env.onetime().expect_code(1);
    assert_eq!(env.read("out/app"), "old");
    env.simple_with(
        "app",
        "{{getv \"/k\"}}",
        &format!("{ROLLBACK}\nreload_cmd = \"true\""),
    );
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/app"), "bad");
}

#[test]
fn a_removal_that_is_rolled_back_is_made_up_for_later() {
    let env = Env::with_tree(&json!({"k": "good", "sites": {"a": "1", "b": "2"}}));
    let group = "group = \"pair\"";
    let lines = format!("{group}\n{ROLLBACK}\n{}", reload("app"));
    env.simple_with("app", "{{getv \"/k\"}}", &lines);
    env.simple_with(
        "list",
        "{{.}}",
        &format!("{group}\nfor_each = 'ls \"/sites\"'"),
    );
    let toml = env
        .read("etc/conf.d/list.toml")
        .replace("out/list", "out/{{.}}");
    env.resource("list.toml", &toml);
    env.onetime().expect_code(0);
    env.put(
        "metadata.json",
        &json!({"k": "bad", "sites": {"b": "2", "c": "3"}}).to_string(),
    );
    env.onetime().expect_code(1);
    assert_eq!(env.names("out"), ["a", "app", "b"]);
    env.onetime().expect_code(1);
    assert_eq!(env.names("out"), ["a", "app", "b"]);
    env.put(
        "metadata.json",
        &json!({"k": "better", "sites": {"b": "2", "c": "3"}}).to_string(),
    );
    env.onetime().expect_code(0);
    assert_eq!(env.names("out"), ["app", "b", "c"]);
}
