//! One command never runs beside itself: not across batches, restarts, or a one-time run; and it is
//! merged only where one run serves all.

use std::fs;

use serde_json::json;

use crate::env::{Env, Gate};
use crate::metad::Metad;

/// A reload that adds `begin` and `end` to `seen`, and is held in between.
fn held(gate: &Gate) -> String {
    format!(
        "reload_cmd = \"echo begin >> $ROOT/seen; {}; echo end >> $ROOT/seen\"",
        gate.command()
    )
}

/// Fails if one began before the last one had ended, or if there are not `count`.
#[track_caller]
fn expect_one_at_a_time(env: &Env, count: usize) {
    let expected = ["begin", "end"].repeat(count);
    assert_eq!(env.lines("seen"), expected);
}

/// Two resources with one reload, both in place, and then nothing due.
fn pair(metad: &Metad) -> (Env, Gate) {
    let env = Env::with_metad(metad);
    let gate = env.gate("reload");
    for name in ["a", "b"] {
        env.simple_with(name, &format!("{{{{getv \"/{name}\"}}}}"), &held(&gate));
    }
    // Another resource shows that a daemon goes on while the command is held.
    env.simple("c", r#"{{getv "/c"}}"#);
    env.onetime_with(&["-sync-only"]).expect_code(0);
    (env, gate)
}

fn tree() -> Metad {
    Metad::start(json!({"a": "0", "b": "0", "c": "0"}))
}

#[test]
fn a_second_batch_waits_for_the_same_command_and_runs_it_once_for_all() {
    let metad = tree();
    let (env, gate) = pair(&metad);
    let daemon = env.daemon(&["-watch"]);
    metad.wait_idle();
    metad.put("/a", "1");
    gate.wait_started(1);
    metad.put("/b", "1");
    env.wait_content("out/b", "1");
    metad.put("/c", "1");
    env.wait_content("out/c", "1");
    assert_eq!(gate.started(), 1);
    gate.open();
    env.wait_lines("seen", 4);
    metad.wait_idle();
    assert_eq!(daemon.stop(), Some(0));
    env.onetime().expect_code(0);
    expect_one_at_a_time(&env, 2);
}

#[test]
fn a_restarted_daemon_waits_for_a_command_that_still_runs() {
    for kill in [true, false] {
        let metad = tree();
        let (env, gate) = pair(&metad);
        let mut daemon = env.daemon(&["-watch"]);
        metad.wait_idle();
        metad.put("/a", "1");
        gate.wait_started(1);
        if kill {
            daemon.kill();
        } else {
            assert_eq!(daemon.stop(), Some(0));
        }
        let daemon = env.daemon(&["-watch"]);
        metad.put("/b", "1");
        env.wait_content("out/b", "1");
        metad.wait_idle();
        metad.put("/c", "1");
        env.wait_lines("reloads", 1);
        daemon.wait_log("is still running; its next run waits");
        assert_eq!(gate.started(), 1, "kill: {kill}\n{}", daemon.log());
        gate.open();
        env.wait_lines("seen", 4);
        assert_eq!(daemon.stop(), Some(0));
        expect_one_at_a_time(&env, 2);
    }
}

#[test]
fn a_one_time_run_waits_for_a_command_of_the_daemon() {
    let metad = tree();
    let (env, gate) = pair(&metad);
    let daemon = env.daemon(&["-watch"]);
    metad.wait_idle();
    metad.put("/a", "1");
    gate.wait_started(1);
    fs::remove_file(env.path("out/b")).expect("the file");
    let mut run = env.daemon(&["-onetime"]);
    env.wait_content("out/b", "0");
    // It shows what it does next: it waits, or it runs the command.
    crate::env::until("the run waits or goes on", || {
        gate.started() > 1 || run.count("another") > 0 || run.count("wait") > 0
    });
    assert_eq!(gate.started(), 1, "{}", run.log());
    gate.open();
    assert_eq!(run.wait_exit().code(), Some(0), "{}", run.log());
    assert_eq!(daemon.stop(), Some(0));
    expect_one_at_a_time(&env, 2);
}

#[test]
fn two_one_time_runs_do_not_run_one_command_at_once() {
    let metad = tree();
    let (env, gate) = pair(&metad);
    fs::remove_file(env.path("out/a")).expect("the file");
    let mut first = env.daemon(&["-onetime"]);
    gate.wait_started(1);
    fs::remove_file(env.path("out/b")).expect("the file");
    let mut second = env.daemon(&["-onetime"]);
    env.wait_content("out/b", "0");
    crate::env::until("the second waits or goes on", || {
        gate.started() > 1 || second.count("another") > 0 || second.count("wait") > 0
    });
    gate.open();
    assert_eq!(first.wait_exit().code(), Some(0), "{}", first.log());
    assert_eq!(second.wait_exit().code(), Some(0), "{}", second.log());
    expect_one_at_a_time(&env, 2);
}

/// Three resources with this reload, applied in this mode; returns once `count` reloads have noted
/// their start.
fn shared(text: &str, mode: &[&str], count: usize) -> Env {
    let env = Env::with_tree(&json!({"k": "v"}));
    fs::create_dir(env.path("copies")).expect("a directory");
    for name in ["a", "b", "c"] {
        env.simple_with(name, name, &format!("reload_cmd = '''{text}'''"));
    }
    let mut confd = env.daemon(mode);
    if mode == ["-onetime"] {
        assert_eq!(confd.wait_exit().code(), Some(0), "{}", confd.log());
    }
    env.wait_lines("reloads", count);
    env
}

#[test]
fn commands_that_use_their_file_run_for_each() {
    for mode in [&["-onetime"][..], &["-interval", "600"]] {
        for variable in ["$CONFD_DEST", "${CONFD_DEST}", "`printenv CONFD_DEST`"] {
            let text = format!("cp \"{variable}\" $ROOT/copies/ && echo x >> $ROOT/reloads");
            let env = shared(&text, mode, 3);
            assert_eq!(env.names("copies"), ["a", "b", "c"], "{text}");
        }
        let env = shared("echo \"$CONFD_SRC\" >> $ROOT/reloads", mode, 3);
        assert!(env.reloads().iter().all(|line| !line.contains(' ')));
    }
}

#[test]
fn commands_that_do_not_use_their_file_run_once_for_all() {
    let env = shared("echo x >> $ROOT/reloads", &["-onetime"], 1);
    assert_eq!(env.reloads(), ["x"]);
}
