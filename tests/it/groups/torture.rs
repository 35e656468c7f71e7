//! Groups and rollbacks under kills and failures of every system call: after the next run a group
//! is entirely old or entirely new, its reloads have been started, and nothing is left over.

use std::os::unix::process::ExitStatusExt;

use serde_json::json;

use crate::env::{Env, Run, until};
use crate::metad::Metad;
use crate::torture::calls::{Call, calls, calls_since, can_trace, injection, traced};
use crate::torture::reloads::NO_COMMANDS;
use crate::torture::{SIDE_BY_SIDE, for_each, sample};

/// Two files of a group, one of which was there before, and a file made for an item.
fn group(lines: &str) -> Env {
    let env = Env::with_tree(&json!({"k": "new", "sites": {"x": "1"}}));
    let reload = "reload_cmd = \"cat $ROOT/out/a $ROOT/out/b >> $ROOT/seen; echo >> $ROOT/seen\"";
    for name in ["a", "b"] {
        env.simple_with(
            name,
            "{{getv \"/k\"}}",
            &format!("group = \"pair\"\nbackup = 1\n{reload}\n{lines}"),
        );
        env.put(&format!("out/{name}"), "old");
    }
    env.simple_with("c", "{{.}}", "group = \"pair\"\nfor_each = 'ls \"/sites\"'");
    let toml = env.read("etc/conf.d/c.toml").replace("out/c", "out/{{.}}");
    env.resource("c.toml", &toml);
    env
}

/// The group as it is: old, new, or something else, which the text says.
fn state(env: &Env) -> String {
    let files = [env.read("out/a"), env.read("out/b")];
    let made = env.path("out/x").exists();
    match (files[0].as_str(), files[1].as_str(), made) {
        ("old", "old", false) => "old".to_owned(),
        ("new", "new", true) => "new".to_owned(),
        _ => format!("{files:?} {made}"),
    }
}

/// Waits until the last reload has noted this: one of the killed run may still be at work.
fn wait_last(env: &Env, line: &str, context: &str) {
    until(
        &format!("the last reload notes {line:?}: {context}"),
        || env.lines("seen").last().is_some_and(|last| last == line),
    );
}

/// The next run, which nothing hinders, finishes the job.
fn expect_new(env: &Env, context: &str) {
    let run = env.onetime();
    let context = format!("{context}\nthe next run: {}", run.stderr);
    assert_eq!(run.code(), Some(0), "{context}");
    assert_eq!(state(env), "new", "{context}");
    let names = [".a.confd-backup.1", ".b.confd-backup.1", "a", "b", "x"];
    assert_eq!(env.names("out"), names, "{context}");
    assert_eq!(env.read("out/.a.confd-backup.1"), "old", "{context}");
    wait_last(env, "newnew", &context);
    let seen = env.lines("seen");
    assert!(!env.has_pending_reloads(), "{context}");
    let swaps = env.path("etc/swaps");
    assert!(
        !swaps.exists() || env.names("etc/swaps").is_empty(),
        "{context}"
    );
    env.onetime().expect_code(0);
    assert_eq!(env.lines("seen").len(), seen.len(), "once: {context}");
}

fn calls_of(env: &Env, code: i32) -> Vec<Call> {
    let options = [&NO_COMMANDS[..], &["-o", "$ROOT/trace"]].concat();
    let run = env.finish(traced(env, &options, &["-onetime"]));
    run.expect_code(code);
    calls(&env.lines("trace"))
}

/// `confd -onetime` with something injected at this call, but not into its commands.
fn injected(env: &Env, call: &Call, what: &str) -> Run {
    let [trace, inject] = injection(call, what);
    let options = ["-o", "$ROOT/trace", "-e", &trace, "-e", &inject];
    let options = [&NO_COMMANDS[..], &options].concat();
    env.finish(traced(env, &options, &["-onetime"]))
}

fn context(run: &Run, what: &str) -> String {
    format!("{what}\n{}", run.stderr)
}

#[test]
fn a_kill_at_any_system_call_leaves_a_group_old_or_new_after_the_next_run() {
    if !can_trace("a_kill_at_any_system_call_leaves_a_group_old_or_new") {
        return;
    }
    for lines in ["", "on_reload_failure = \"rollback\""] {
        let every = calls_of(&group(lines), 0);
        let killed = for_each(SIDE_BY_SIDE, sample(every), |call: Call| {
            let env = group(lines);
            let run = injected(&env, &call, "signal=KILL");
            if run.code() == Some(1) {
                // It hit a process on its way to become a command, which was started and reported.
                return false;
            }
            expect_new(
                &env,
                &context(&run, &format!("killed at {call:?}, {lines}")),
            );
            run.status.signal() == Some(9)
        });
        let count = killed.iter().filter(|died| **died).count();
        println!("a group, {lines:?}: killed at {count} system calls");
    }
}

#[test]
fn a_failure_of_any_file_call_leaves_a_group_old_or_new_at_once() {
    if !can_trace("a_failure_of_any_file_call_leaves_a_group_old_or_new") {
        return;
    }
    let good = group("");
    let options = ["-o", "$ROOT/trace", "-e", "trace=%file,%desc"];
    let options = [&NO_COMMANDS[..], &options].concat();
    let run = good.finish(traced(&good, &options, &["-onetime"]));
    run.expect_code(0);
    let mut every = calls(&good.lines("trace"));
    every.retain(|call| !["mmap", "close", "dup2"].contains(&call.name.as_str()));
    let cases = every.into_iter();
    let cases = cases.flat_map(|call| ["EIO", "ENOSPC"].map(|errno| (call.clone(), errno)));
    let ends = for_each(SIDE_BY_SIDE, sample(cases.collect()), |(call, errno)| {
        let env = group("");
        let run = injected(&env, &call, &format!("error={errno}"));
        let context = context(&run, &format!("{errno} at {call:?}"));
        let found = state(&env);
        assert!(found == "old" || found == "new", "{found}: {context}");
        if run.code() == Some(0) {
            assert_eq!(found, "new", "{context}");
        }
        expect_new(&env, &context);
        found == "old"
    });
    let count = ends.iter().filter(|old| **old).count();
    println!(
        "a group: {} failed calls, {count} of which kept it old",
        ends.len()
    );
}

/// A file whose reload fails with the new content.
fn failing() -> Env {
    let env = Env::with_tree(&json!({"k": "bad"}));
    let reload = "reload_cmd = \"cat $ROOT/out/a >> $ROOT/seen; echo >> $ROOT/seen; grep -q old $ROOT/out/a\"";
    for name in ["a", "b"] {
        let lines = "group = \"pair\"\non_reload_failure = \"rollback\"\nbackup = 1";
        env.simple_with(name, "{{getv \"/k\"}}", &format!("{lines}\n{reload}"));
    }
    env.put("out/a", "old");
    env.put("out/.a.confd-backup.1", "older");
    env
}

#[test]
fn a_kill_at_any_system_call_of_a_rollback_is_survived() {
    if !can_trace("a_kill_at_any_system_call_of_a_rollback_is_survived") {
        return;
    }
    let every = calls_of(&failing(), 1);
    let killed = for_each(SIDE_BY_SIDE, sample(every), |call: Call| {
        let env = failing();
        let run = injected(&env, &call, "signal=KILL");
        let context = context(&run, &format!("killed at {call:?}"));
        let next = env.onetime();
        let context = format!("{context}\nthe next run: {}", next.stderr);
        assert_eq!(next.code(), Some(1), "{context}");
        assert_eq!(env.names("out"), [".a.confd-backup.1", "a"], "{context}");
        assert_eq!(env.read("out/.a.confd-backup.1"), "older", "{context}");
        assert_eq!(env.read("out/a"), "old", "{context}");
        wait_last(&env, "old", &context);
        let seen = env.lines("seen");
        assert!(next.stderr.contains("roll"), "{context}");
        assert!(!env.has_pending_reloads(), "{context}");
        // And that is the end of it.
        env.onetime().expect_code(1);
        assert_eq!(env.lines("seen").len(), seen.len(), "{context}");
        run.status.signal() == Some(9)
    });
    let count = killed.iter().filter(|died| **died).count();
    println!("a rollback: killed at {count} system calls");
}

#[test]
fn a_kill_at_any_system_call_while_a_removal_is_rolled_back_is_survived() {
    let test = "a_kill_at_any_system_call_while_a_removal_is_rolled_back_is_survived";
    if !can_trace(test) {
        return;
    }
    let scene = || {
        let env = Env::with_tree(&json!({"sites": {"a": "1", "b": "2"}}));
        let lines = "for_each = 'ls \"/sites\"'\non_reload_failure = \"rollback\"\n\
                     reload_cmd = \"ls $ROOT/out >> $ROOT/seen; test -e $ROOT/out/b\"";
        env.simple_with("list", "{{.}}", lines);
        let toml = env.read("etc/conf.d/list.toml");
        env.resource("list.toml", &toml.replace("out/list", "out/{{.}}"));
        env.onetime().expect_code(0);
        env.put("metadata.json", &json!({"sites": {"a": "1"}}).to_string());
        env
    };
    let every = calls_of(&scene(), 1);
    let killed = for_each(SIDE_BY_SIDE, sample(every), |call: Call| {
        let env = scene();
        let run = injected(&env, &call, "signal=KILL");
        let next = env.onetime();
        let (run_log, log) = (&run.stderr, &next.stderr);
        let context = format!("killed at {call:?}\n{run_log}\nthe next run: {log}");
        assert_eq!(next.code(), Some(1), "{context}");
        assert_eq!(env.names("out"), ["a", "b"], "{context}");
        assert!(log.contains("roll"), "{context}");
        wait_last(&env, "b", &context);
        assert!(!env.has_pending_reloads(), "{context}");
        let seen = env.lines("seen");
        env.onetime().expect_code(1);
        assert_eq!(env.lines("seen").len(), seen.len(), "{context}");
        env.put("metadata.json", &json!({"sites": {"b": "1"}}).to_string());
        let last = env.onetime();
        assert_eq!(
            last.code(),
            Some(0),
            "{context}\nthe last run: {}",
            last.stderr
        );
        assert_eq!(env.names("out"), ["b"], "{context}");
        run.status.signal() == Some(9)
    });
    let count = killed.iter().filter(|died| **died).count();
    println!("a removal that is rolled back: killed at {count} system calls");
}

#[test]
fn a_kill_at_any_system_call_while_a_block_is_rolled_back_spares_the_other() {
    let test = "a_kill_at_any_system_call_while_a_block_is_rolled_back_spares_the_other";
    if !can_trace(test) {
        return;
    }
    let scene = || {
        let env = Env::with_tree(&json!({"one": "1", "two": "2"}));
        for name in ["one", "two"] {
            let lines = format!(
                "block = \"{name}\"\non_reload_failure = \"rollback\"\n\
                 reload_cmd = \"echo {name} >> $ROOT/seen; ! grep 'bad {name}' $ROOT/out/hosts\""
            );
            env.simple_with(name, &format!("{{{{getv \"/{name}\"}}}}"), &lines);
            let file = format!("etc/conf.d/{name}.toml");
            let toml = env.read(&file).replace(&format!("out/{name}"), "out/hosts");
            env.put(&file, &toml);
        }
        env.put("out/hosts", "theirs\n");
        env.onetime().expect_code(0);
        let tree = json!({"one": "bad one", "two": "new"});
        env.put("metadata.json", &tree.to_string());
        env
    };
    let wanted = {
        let env = scene();
        env.onetime().expect_code(1);
        env.read("out/hosts")
    };
    assert!(wanted.contains("\n1\n") && wanted.contains("\nnew\n"));
    let every = calls_of(&scene(), 1);
    let killed = for_each(SIDE_BY_SIDE, sample(every), |call: Call| {
        let env = scene();
        let run = injected(&env, &call, "signal=KILL");
        if run.stderr.contains("killed by signal 9") {
            // It hit a process on its way to become a reload, which failed by that.
            return false;
        }
        let next = env.onetime();
        let (run_log, log) = (&run.stderr, &next.stderr);
        let context = format!("killed at {call:?}\n{run_log}\nthe next run: {log}");
        assert_eq!(next.code(), Some(1), "{context}");
        assert_eq!(env.read("out/hosts"), wanted, "{context}");
        assert_eq!(env.names("out"), ["hosts"], "{context}");
        assert!(!env.has_pending_reloads(), "{context}");
        run.status.signal() == Some(9)
    });
    let count = killed.iter().filter(|died| **died).count();
    println!("a block that is rolled back: killed at {count} system calls");
}

#[test]
fn a_reload_that_kills_confd_is_tried_twice_and_rolled_back() {
    let env = Env::with_tree(&json!({"k": "bad"}));
    let lines = "on_reload_failure = \"rollback\"\n\
                 reload_cmd = \"cat $ROOT/out/a >> $ROOT/seen; echo >> $ROOT/seen; grep -q old $ROOT/out/a || kill -9 $PPID\"";
    env.simple_with("a", "{{getv \"/k\"}}", lines);
    env.put("out/a", "old");
    for tries in 1..=2 {
        let run = env.onetime();
        assert_eq!(run.status.signal(), Some(9), "{}", run.stderr);
        assert_eq!(env.lines("seen").len(), tries);
        assert_eq!(env.read("out/a"), "bad");
    }
    let run = env.onetime();
    run.expect_code(1);
    assert!(run.stderr.contains("rolled back"), "{}", run.stderr);
    assert_eq!(env.read("out/a"), "old");
    assert_eq!(env.lines("seen"), ["bad", "bad", "old"]);
    assert_eq!(env.names("out"), ["a"]);
    env.onetime().expect_code(1);
    assert_eq!(env.lines("seen").len(), 3);
}

#[test]
fn a_full_disk_in_the_middle_of_a_group_keeps_all_of_it() {
    let env = group("");
    let script = env.expand(
        "mkdir $ROOT/small; mount -t tmpfs -o nr_inodes=4 none $ROOT/small; \
         echo old > $ROOT/small/a; mount --bind $ROOT/small $ROOT/out; echo old > $ROOT/out/b",
    );
    let test = "a_full_disk_in_the_middle_of_a_group_keeps_all_of_it";
    let command = env.expand(&format!(
        "{script}\n{} -onetime -config-file $ROOT/etc/confd.toml; code=$?; \
         cat $ROOT/out/a $ROOT/out/b > $ROOT/kept; ls -A $ROOT/out > $ROOT/names; exit $code",
        crate::env::confd()
    ));
    let Some(run) = env.run_with_mounts(test, "true", &["-version"]) else {
        return;
    };
    run.expect_code(0);
    let shell = ["-m", "--propagation", "private", "/bin/sh", "-c", &command];
    let run = env.finish(env.command_of("unshare", &shell));
    run.expect_code(1);
    assert_eq!(env.read("kept"), "old\nold\n", "{}", run.stderr);
    assert_eq!(env.read("names"), "a\nb\n", "{}", run.stderr);
    assert!(run.stderr.contains("No space left"), "{}", run.stderr);
}

#[test]
fn a_kill_at_any_system_call_makes_and_removes_the_files_of_items() {
    if !can_trace("a_kill_at_any_system_call_makes_and_removes_the_files_of_items") {
        return;
    }
    let scene = || {
        let env = Env::with_tree(&json!({"sites": {"a": "1", "b": "2"}}));
        env.simple_with("list", "{{.}}", "for_each = 'ls \"/sites\"'\nreload_cmd = \"ls $ROOT/out >> $ROOT/seen; echo end >> $ROOT/seen\"");
        let toml = env
            .read("etc/conf.d/list.toml")
            .replace("out/list", "out/{{.}}");
        env.resource("list.toml", &toml);
        env.onetime().expect_code(0);
        env.put(
            "metadata.json",
            &json!({"sites": {"b": "2", "c": "3"}}).to_string(),
        );
        env.put("out/theirs", "x");
        env
    };
    let every = calls_of(&scene(), 0);
    let killed = for_each(SIDE_BY_SIDE, sample(every), |call: Call| {
        let env = scene();
        let run = injected(&env, &call, "signal=KILL");
        let next = env.onetime();
        let context = format!(
            "killed at {call:?}\n{}\nthe next run: {}",
            run.stderr, next.stderr
        );
        assert_eq!(next.code(), Some(0), "{context}");
        assert_eq!(env.names("out"), ["b", "c", "theirs"], "{context}");
        until(&format!("the reload has seen the files: {context}"), || {
            env.lines("seen")
                .ends_with(&["b", "c", "theirs", "end"].map(str::to_owned))
        });
        run.status.signal() == Some(9)
    });
    let count = killed.iter().filter(|died| **died).count();
    println!("items: killed at {count} system calls");
}

/// A pair of files whose reload fails with "bad", and which the daemon has made with "good".
fn watched(value: &str) -> (Env, Metad) {
    let metad = Metad::start(json!({"k": value}));
    let env = Env::with_metad(&metad);
    for name in ["a", "b"] {
        let reload = "reload_cmd = \"cat $ROOT/out/a $ROOT/out/b >> $ROOT/seen; echo >> $ROOT/seen; ! grep -q bad $ROOT/out/a\"";
        let lines = format!("group = \"pair\"\non_reload_failure = \"rollback\"\n{reload}");
        env.simple_with(name, "{{getv \"/k\"}}", &lines);
        env.put(&format!("out/{name}"), "good");
    }
    (env, metad)
}

/// The daemon has rolled a change back, or taken it.
fn is_over(env: &Env, value: &str) -> bool {
    let last = if value == "bad" { "goodgood" } else { "newnew" };
    let seen = env.lines("seen");
    seen.last().is_some_and(|line| line == last) && !env.has_pending_reloads()
}

#[test]
fn a_kill_at_any_system_call_of_the_daemon_leaves_a_group_old_or_new() {
    if !can_trace("a_kill_at_any_system_call_of_the_daemon_leaves_a_group_old_or_new") {
        return;
    }
    for value in ["new", "bad"] {
        let (env, metad) = watched("good");
        let options = [&NO_COMMANDS[..], &["-D", "-o", "$ROOT/trace"]].concat();
        let daemon = env.start(traced(&env, &options, &["-watch"]));
        metad.wait_idle();
        daemon.wait_log("Starting confd");
        let before = env.lines("trace");
        metad.put("/k", value);
        until("the change is over", || is_over(&env, value));
        metad.wait_idle();
        let every = calls_since(&before, &env.lines("trace"));
        drop(daemon);
        let killed = for_each(SIDE_BY_SIDE, sample(every), |call: Call| {
            let (env, metad) = watched("good");
            let [trace, inject] = injection(&call, "signal=KILL");
            let options = ["-D", "-o", "/dev/null", "-e", &trace, "-e", &inject];
            let options = [&NO_COMMANDS[..], &options].concat();
            let mut daemon = env.start(traced(&env, &options, &["-watch"]));
            until("the daemon is idle", || {
                !daemon.is_running() || metad.is_idle()
            });
            metad.put("/k", value);
            until("the change is over, or the daemon", || {
                !daemon.is_running()
                    || is_over(&env, value)
                    || daemon.count("killed by signal 9") > 0
            });
            let died = !daemon.is_running();
            daemon.kill();
            if !died {
                return false;
            }
            let next = env.onetime();
            let log = daemon.log();
            let context = format!(
                "killed at {call:?}, {value}\n{log}\nthe next run: {}",
                next.stderr
            );
            let (wanted, code) = if value == "bad" {
                ("good", 1)
            } else {
                ("new", 0)
            };
            assert_eq!(next.code(), Some(code), "{context}");
            assert_eq!(
                (env.read("out/a"), env.read("out/b")),
                (wanted.into(), wanted.into()),
                "{context}"
            );
            assert_eq!(env.names("out"), ["a", "b"], "{context}");
            until(&format!("the reloads are over: {context}"), || {
                is_over(&env, value)
            });
            true
        });
        let count = killed.iter().filter(|died| **died).count();
        println!("the daemon, {value:?}: killed at {count} system calls");
    }
}
