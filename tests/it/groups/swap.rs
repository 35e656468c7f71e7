//! `group`: all files of a group or none.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::env::{Env, Run, until};
use crate::metad::Metad;
use crate::security::lock::{Holder, has_flock};

const GROUP: &str = "group = \"kafka\"";
const RELOAD: &str = "reload_cmd = \"echo `cat $ROOT/out/a $ROOT/out/b` >> $ROOT/reloads\"";

fn pair(env: &Env, lines_of_b: &str) {
    env.simple_with("a", "{{getv \"/k\"}}", &format!("{GROUP}\n{RELOAD}"));
    env.simple_with(
        "b",
        "{{getv \"/k\"}}",
        &format!("{GROUP}\n{RELOAD}\n{lines_of_b}"),
    );
}

fn set(env: &Env, value: &str) {
    env.put("metadata.json", &json!({"k": value}).to_string());
}

fn tool(env: &Env, name: &str) -> Run {
    env.run(&[name, "-config-file", "$ROOT/etc/confd.toml"])
}

#[test]
fn a_group_is_swapped_together_and_reloaded_once() {
    let env = Env::with_tree(&json!({"k": "1"}));
    pair(&env, "");
    let lint = tool(&env, "-lint");
    lint.expect_code(0);
    assert!(!lint.stdout.contains("conf.d"), "{}", lint.stdout);
    tool(&env, "-diff").expect_code(3);
    let run = env.onetime();
    run.expect_code(0);
    assert!(run.at("WARNING").is_empty(), "{}", run.stderr);
    set(&env, "2");
    env.onetime().expect_code(0);
    assert_eq!(env.reloads(), ["11", "22"]);
    assert_eq!(env.names("out"), ["a", "b"]);
    assert!(env.names("etc/swaps").is_empty());
    assert!(!env.has_pending_reloads());
}

#[test]
fn if_one_fails_none_is_swapped_and_the_others_go_on() {
    for (lines, template, named) in [
        (
            "check_cmd = \"test x = `cat {{.src}}`\"",
            "{{getv \"/k\"}}",
            "x = `cat",
        ),
        ("", "{{getv \"/none\"}}", "/none"),
        ("", "{{if", "b.tmpl"),
        ("mode = \"9\"", "x", "mode"),
        ("broken", "x", "b.toml"),
        ("output = \"json\"", "{{getv \"/k\"}}", "json"),
        ("backup = 1", "{{getv \"/k\"}}", "b"),
    ] {
        let env = Env::with_tree(&json!({"k": "new"}));
        pair(&env, lines);
        env.template("b.tmpl", template);
        env.simple("other", "{{getv \"/k\"}}");
        env.put("out/a", "old");
        env.put("out/b", "old");
        if lines.starts_with("backup") {
            env.put("out/.b.confd-backup.1/in the way", "");
        }
        if !lines.starts_with("backup") && !lines.starts_with("check") {
            let diff = tool(&env, "-diff");
            diff.expect_code(1);
            assert!(!diff.stdout.contains("out/a"), "{lines}: {}", diff.stdout);
            assert!(
                diff.stdout.contains("out/other"),
                "{lines}: {}",
                diff.stdout
            );
            assert!(
                diff.stderr.contains("\"kafka\""),
                "{lines}: {}",
                diff.stderr
            );
        }
        let run = env.onetime();
        run.expect_code(1);
        assert_eq!(env.read("out/a"), "old", "{lines}: {}", run.stderr);
        assert_eq!(env.read("out/b"), "old", "{lines}");
        assert_eq!(env.read("out/other"), "new");
        assert_eq!(env.reloads(), ["other"]);
        let errors = run.at("ERROR").join("\n");
        assert!(errors.contains(named), "{lines}: {}", run.stderr);
        if lines != "broken" && !lines.starts_with("backup") {
            assert!(
                errors.contains("\"kafka\"") && errors.contains("b.toml"),
                "{}",
                run.stderr
            );
        }
        let leftovers = env.names("out");
        let leftovers: Vec<_> = leftovers
            .iter()
            .filter(|name| name.contains(".confd-"))
            .collect();
        assert!(
            leftovers.iter().all(|name| name.contains("backup")),
            "{leftovers:?}"
        );
    }
}

#[test]
fn the_daemon_swaps_the_group_once_all_of_it_works() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    pair(&env, "check_cmd = \"test ! -e $ROOT/refuse\"");
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("reloads", 1);
    env.put("refuse", "");
    metad.put("/k", "2");
    until("it is held", || {
        daemon.log().contains("none of its files is swapped")
    });
    assert_eq!(
        (env.read("out/a"), env.read("out/b")),
        ("1".into(), "1".into())
    );
    until("status says so", || {
        let status = tool(&env, "-status");
        status.code() == Some(1) && status.stdout.contains("kafka")
    });
    fs::remove_file(env.path("refuse")).expect("it");
    env.wait_lines("reloads", 2);
    assert_eq!(env.reloads(), ["11", "22"]);
    // What holds it is removed: the rest goes on.
    env.put("refuse", "");
    metad.put("/k", "3");
    until("it is held again", || {
        daemon.log().matches("none of its files is swapped").count() == 2
    });
    fs::remove_file(env.path("etc/conf.d/b.toml")).expect("it");
    metad.put("/other", "x");
    env.wait_content("out/a", "3");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_check_sees_the_new_files_of_its_group() {
    let env = Env::with_tree(&json!({"k": "new"}));
    pair(
        &env,
        "check_cmd = 'test new = \"$(cat {{ .stage \"a.toml\" }})\" && echo {{.src}} {{.stage \"c.toml\"}} > $ROOT/seen'",
    );
    env.simple_with("c", "same", GROUP);
    for name in ["a", "b"] {
        env.put(&format!("out/{name}"), "old");
    }
    env.put("out/c", "same");
    let lint = tool(&env, "-lint");
    assert!(!lint.stdout.contains("E208"), "{}", lint.stdout);
    env.onetime().expect_code(0);
    let seen = env.read("seen");
    assert!(seen.contains(".b.confd-"), "{seen}");
    assert!(
        seen.ends_with(&env.expand("$ROOT/out/c\n")),
        "in sync: {seen}"
    );
    pair(&env, "check_cmd = 'cat {{.stage \"none.toml\"}}'");
    set(&env, "newer");
    let run = env.onetime();
    run.expect_code(1);
    assert!(run.at("ERROR")[0].contains("none.toml"), "{}", run.stderr);
    assert_eq!(env.read("out/a"), "new");
    // A list has no file of its own.
    let toml = env
        .read("etc/conf.d/c.toml")
        .replace("out/c", "out/x-{{.}}");
    env.resource("none.toml", &(toml + "for_each = 'ls \"/\"'\n"));
    let run = env.onetime();
    run.expect_code(1);
    assert!(
        run.at("ERROR")[0].contains("with one file"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_slow_check_holds_its_group_only() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    let gate = env.gate("check");
    pair(&env, &format!("check_cmd = '{}'", gate.command()));
    env.simple("other", "{{getv \"/k\"}}");
    let daemon = env.daemon(&["-watch"]);
    gate.wait_started(1);
    env.wait_content("out/other", "1");
    until("the others are reloaded", || env.reloads() == ["other"]);
    assert_eq!(
        env.names("out")
            .iter()
            .filter(|name| !name.starts_with('.'))
            .count(),
        1
    );
    gate.open();
    env.wait_lines("reloads", 2);
    assert_eq!(env.reloads(), ["other", "11"], "{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn every_kind_of_file_may_be_in_a_group() {
    let env = Env::with_tree(&json!({"k": "1", "sites": {"a": "x", "b": "y"}}));
    env.simple_with(
        "list",
        "{{.}}",
        &format!("for_each = 'ls \"/sites\"'\n{GROUP}"),
    );
    let toml = env
        .read("etc/conf.d/list.toml")
        .replace("out/list", "out/site-{{.}}");
    env.resource("list.toml", &toml);
    env.simple_with(
        "block",
        "{{getv \"/k\"}}\n",
        &format!("block = \"x\"\n{GROUP}"),
    );
    env.simple_with("link", "{{getv \"/k\"}}", GROUP);
    env.put("real", "old");
    symlink("../real", env.path("out/link")).expect("a link");
    env.put("out/block", "theirs\n");
    env.simple_with(
        "last",
        "{{getv \"/k\"}}",
        &format!("{GROUP}\ncheck_cmd = \"test ! -e $ROOT/refuse\""),
    );
    env.put("refuse", "");
    env.onetime().expect_code(1);
    assert_eq!(env.names("out"), ["block", "link"]);
    assert_eq!(
        (env.read("real"), env.read("out/block")),
        ("old".into(), "theirs\n".into())
    );
    fs::remove_file(env.path("refuse")).expect("it");
    env.onetime().expect_code(0);
    assert_eq!(
        env.names("out"),
        ["block", "last", "link", "site-a", "site-b"]
    );
    assert_eq!(env.read("real"), "1");
    // A removal waits for the others as well.
    env.put("refuse", "");
    env.put(
        "metadata.json",
        &json!({"k": "2", "sites": {"b": "y"}}).to_string(),
    );
    env.onetime().expect_code(1);
    assert!(env.path("out/site-a").exists());
    fs::remove_file(env.path("refuse")).expect("it");
    env.onetime().expect_code(0);
    assert_eq!(env.names("out"), ["block", "last", "link", "site-b"]);
    assert!(env.read("out/block").contains("\n2\n"));
}

#[test]
fn an_edit_of_a_block_holds_the_whole_group_for_a_moment() {
    let env = Env::with_tree(&json!({"k": "1"}));
    pair(
        &env,
        "block = \"x\"\ncheck_cmd = \"test -e $ROOT/edited || echo edited >> $ROOT/out/b; touch $ROOT/edited\"",
    );
    env.put("out/b", "theirs\n");
    env.onetime().expect_code(0);
    assert_eq!(
        env.read("out/b"),
        "theirs\nedited\n# BEGIN confd x\n1\n# END confd x\n"
    );
    assert_eq!(env.read("out/a"), "1");
}

#[test]
fn noop_and_sync_only_mean_what_they_mean() {
    let env = Env::with_tree(&json!({"k": "1"}));
    pair(&env, "on_reload_failure = \"rollback\"");
    env.onetime_with(&["-noop"]).expect_code(0);
    assert!(env.names("out").is_empty());
    env.onetime_with(&["-sync-only"]).expect_code(0);
    assert_eq!(env.names("out"), ["a", "b"]);
    assert!(env.reloads().is_empty());
}

#[test]
fn beside_an_owner_group_is_the_group_of_that() {
    let env = Env::with_tree(&json!({"k": "1"}));
    for (name, template) in [("a", "{{getv \"/k\"}}"), ("b", "{{getv \"/none\"}}")] {
        env.simple_with(name, template, "owner = \"root\"\ngroup = \"root\"");
    }
    env.onetime().expect_code(1);
    assert_eq!(env.names("out"), ["a"]);
    for name in ["a", "b"] {
        let toml = env.read(&format!("etc/conf.d/{name}.toml"));
        env.resource(
            &format!("{name}.toml"),
            &toml
                .replace("\"root\"\n", "\"root:root\"\n")
                .replace("group = \"root:root\"", "group = \"unit\""),
        );
    }
    set(&env, "2");
    let run = env.onetime();
    run.expect_code(1);
    assert_eq!(env.read("out/a"), "1", "{}", run.stderr);
}

#[test]
fn what_changes_while_the_lock_is_awaited_changes_with_its_group() {
    let test = "what_changes_while_the_lock_is_awaited_changes_with_its_group";
    if !has_flock(test) {
        return;
    }
    let metad = Metad::start(json!({"a": "0", "b": "0"}));
    let env = Env::with_metad(&metad);
    for name in ["a", "b"] {
        let template = format!("{{{{getv \"/{name}\"}}}}");
        env.simple_with(name, &template, &format!("{GROUP}\n{RELOAD}"));
    }
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("reloads", 1);
    metad.wait_idle();
    let holder = Holder::of_confdir(&env);
    metad.set(json!({"a": "1", "b": "1"}));
    daemon.wait_log("holds the lock");
    metad.put("/a", "2");
    metad.wait_idle();
    drop(holder);
    env.wait_content("out/a", "2");
    env.wait_lines("reloads", 2);
    assert_eq!(env.reloads(), ["00", "21"], "{}", daemon.log());
    let log = daemon.log();
    let last = |what: &str| log.rfind(what).expect("a line");
    let is_together = last("out/a out of sync") < last("out/b has been updated");
    assert!(is_together, "b was swapped alone: {log}");
    assert_eq!(daemon.stop(), Some(0));
}
