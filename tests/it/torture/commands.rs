//! Commands that misbehave: that never end, leave daemons behind, flood, spoil what they check or
//! reload, run confd itself.

use std::fs;
use std::time::Duration;

use serde_json::json;

use super::is_whole;
use crate::env::{Env, share_of, until};
use crate::metad::Metad;

#[test]
fn commands_that_never_end_hold_nobody_up() {
    let metad = Metad::start(json!({"k": "0"}));
    let env = Env::with_metad(&metad);
    let forever = env.gate("forever");
    let command = forever.command();
    env.simple_with(
        "a",
        r#"{{getv "/k"}}"#,
        &format!("reload_cmd = \"{command}\""),
    );
    let limited = format!("check_cmd = \"{command}\"\ncheck_cmd_timeout = \"1s\"");
    env.simple_with("b", r#"{{getv "/k"}}"#, &limited);
    env.simple("c", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    for version in 0..share_of(20).max(3) {
        metad.put("/k", &version.to_string());
        env.wait_content("out/c", &version.to_string());
    }
    daemon.wait_log("timed out after 1s");
    assert!(!env.path("out/b").exists());
    assert_eq!(
        env.read("out/a"),
        "0",
        "taken up again when its command ends"
    );
    forever.open();
    let last = env.read("out/c");
    for name in ["a", "b"] {
        env.wait_content(&format!("out/{name}"), &last);
    }
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_check_that_takes_long_holds_the_others_up_for_a_while_only_and_keeps_its_file() {
    let env = Env::with_tree(&json!({"k": "1"}));
    let slow = env.gate("slow");
    env.simple_with("a", "x", &format!("check_cmd = \"{}\"", slow.command()));
    env.simple("b", "x");
    let mut run = env.daemon(&["-onetime"]);
    env.wait_content("out/b", "x");
    assert!(!env.path("out/a").exists());
    // Another run meanwhile does not take the file that is being checked for a leftover.
    env.onetime_with(&["-sync-only"]).expect_code(0);
    fs::remove_file(env.path("out/a")).expect("made without a check");
    slow.open();
    assert_eq!(run.wait_exit().code(), Some(0), "{}", run.log());
    assert_eq!(env.read("out/a"), "x");
    assert_eq!(env.names("out"), ["a", "b"]);
}

#[test]
fn daemons_left_behind_hold_nothing_but_their_own_output() {
    let metad = Metad::start(json!({"k": "0"}));
    let env = Env::with_metad(&metad);
    let gate = env.gate("daemons");
    let lines = format!(
        "reload_cmd = \"({}) & echo done >> $ROOT/done\"",
        gate.command()
    );
    env.simple_with("app", r#"{{getv "/k"}}"#, &lines);
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("done", 1);
    metad.wait_idle();
    let before = daemon.descriptors();
    let count = share_of(200);
    for version in 1..=count {
        metad.put("/k", &version.to_string());
        env.wait_lines("done", version + 1);
    }
    gate.wait_started(count + 1);
    until("there is one for each daemon", || {
        daemon.descriptors() <= before + count
    });
    gate.open();
    // The daemon may already have left all outputs to readers when it was counted first.
    until("the descriptors are closed", || {
        daemon.descriptors() <= before
    });
    println!("{count} daemons left behind, each with the output of its command");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_flood_of_output_costs_no_memory() {
    let metad = Metad::start(json!({"k": "0"}));
    let env = Env::with_metad(&metad);
    let megabytes = share_of(200);
    let flood = format!("head -c {megabytes}M /dev/zero; echo; echo the end");
    let lines = format!("check_cmd = \"{flood}\"\nreload_cmd = \"{flood}\"");
    env.simple_with("app", r#"{{getv "/k"}}"#, &lines);
    let daemon = env.daemon(&["-watch"]);
    daemon.wait_logs("the end", 2);
    let peak = daemon.status("VmHWM:");
    assert!(peak < 40 << 10, "{peak} KiB");
    println!("two commands that print {megabytes} MiB each: at most {peak} KiB");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_reload_that_spoils_its_file_is_put_right_at_the_interval_and_not_in_a_loop() {
    for spoil in ["echo spoilt > $ROOT/out/app", "rm $ROOT/out/app"] {
        let env = Env::with_tree(&json!({"k": "right"}));
        let lines = format!(
            "reload_cmd = \"cat $ROOT/out/app >> $ROOT/seen; echo >> $ROOT/seen; {spoil}\""
        );
        env.simple_with("app", r#"{{getv "/k"}}"#, &lines);
        let start = std::time::Instant::now();
        let daemon = env.daemon(&["-interval", "1"]);
        env.wait_lines("seen", 3);
        assert!(
            start.elapsed() >= Duration::from_secs(2),
            "once a second: {}",
            daemon.log()
        );
        assert!(env.lines("seen").iter().all(|line| line == "right"));
        assert_eq!(daemon.stop(), Some(0));
    }
}

#[test]
fn a_check_that_takes_the_staged_file_away_fails() {
    for (spoil, words) in [
        ("rm {{.src}}", "No such file or directory"),
        ("rm {{.src}}; mkdir {{.src}}", "Not a directory"),
        ("rm {{.src}}; ln -s $ROOT/secret {{.src}}", "cannot sync "),
    ] {
        let env = Env::with_tree(&json!({"k": "new"}));
        env.put("out/app", "old");
        env.put("secret", "of root");
        env.simple_with(
            "app",
            r#"{{getv "/k"}}"#,
            &format!("check_cmd = \"{spoil}\""),
        );
        let run = env.onetime();
        run.expect_code(1).expect_log(words);
        run.expect_log(&env.expand(" $ROOT/out/"));
        assert_eq!(env.read("out/app"), "old", "{spoil}");
        assert_eq!(env.read("secret"), "of root");
    }
}

#[test]
fn commands_may_run_confd_themselves() {
    let env = Env::with_tree(&json!({"k": "v"}));
    let confd = env!("CARGO_BIN_EXE_confd");
    let nested = format!("{confd} -config-file $ROOT/etc/confd.toml -onetime");
    let lines =
        format!("reload_retry = true\nreload_cmd = \"echo app >> $ROOT/reloads; {nested}\"");
    env.simple_with("app", r#"{{getv "/k"}}"#, &lines);
    env.onetime().expect_code(0);
    assert_eq!(env.reloads(), ["app"]);
    if is_whole() {
        // The batch that waits for the check holds the lock for ten seconds.
        let lines = format!("check_cmd = \"{nested} -noop\"");
        env.simple_with("app", r#"{{getv "/k"}} again"#, &lines);
        env.onetime().expect_code(0);
        assert_eq!(env.read("out/app"), "v again");
    }
    assert_eq!(fs::read_dir(env.path("out")).expect("it").count(), 1);
}
