//! Rows 2, 3, 11 to 14, 18: what is tried again, what waits for whom, in which order things happen,
//! and a long day's log.

use std::process::Command;

use serde_json::json;

use crate::env::{Env, confd};
use crate::metad::Metad;

#[test]
fn row_02_a_failed_resource_is_tried_again_without_a_change() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    env.simple_with(
        "app",
        r#"{{getv "/k"}}"#,
        "check_cmd = \"test -e $ROOT/allowed\"",
    );
    let daemon = env.daemon(&["-watch", "-log-level", "debug"]);
    daemon.wait_logs("Config check failed", 2);
    metad.wait_idle();
    let before = metad.request_count();
    env.put("allowed", "");
    env.wait_content("out/app", "v");
    assert_eq!(metad.request_count(), before);
}

#[test]
fn row_03_a_failed_reload_is_remembered_where_the_resource_says_so() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple_with(
        "app",
        "x",
        "reload_retry = true\nreload_cmd = \"echo try >> $ROOT/tries; test -e $ROOT/works\"",
    );
    env.onetime().expect_code(1);
    assert_eq!(env.read("out/app"), "x");
    env.onetime().expect_code(1);
    assert_eq!(env.lines("tries").len(), 2, "tried again, though in sync");
    env.put("works", "");
    env.onetime().expect_code(0);
    assert_eq!(env.lines("tries").len(), 3);
    env.onetime().expect_code(0);
    assert_eq!(env.lines("tries").len(), 3, "it worked: no more");
}

#[test]
fn row_03_a_failed_reload_is_not_repeated_otherwise() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple_with(
        "app",
        "x",
        "reload_cmd = \"echo try >> $ROOT/tries; false\"",
    );
    env.onetime().expect_code(1);
    env.onetime().expect_code(0);
    assert_eq!(env.lines("tries").len(), 1);
}

#[test]
fn row_11_a_daemon_that_a_reload_leaves_behind_is_not_waited_for() {
    let env = Env::with_tree(&json!({"k": "v"}));
    let gate = env.gate("left");
    let reload = format!(
        "reload_cmd = \"\"\"echo starting; ({}) & echo app >> $ROOT/reloads\"\"\"",
        gate.command()
    );
    env.simple_with("app", "x", &reload);
    env.onetime().expect_code(0);
    gate.wait_started(1);
    assert_eq!(env.reloads(), ["app"]);
}

#[test]
fn row_12_a_one_time_run_beside_the_daemon_applies_after_it() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    let gate = env.gate("check");
    let lines = format!(
        "check_cmd = \"{}\"\nreload_cmd = \"echo app >> $ROOT/reloads\"",
        gate.command()
    );
    env.simple_with("app", r#"{{getv "/k"}}"#, &lines);
    let daemon = env.daemon(&["-watch"]);
    gate.wait_started(1);
    let arguments = [
        "-onetime",
        "-config-file",
        "$ROOT/etc/confd.toml",
        "-log-level",
        "debug",
    ];
    let mut beside = env.start(env.command(&arguments));
    // Either it says that it waits, or it wrongly comes to the gate as well.
    crate::env::until("the second run waits", || {
        beside.log().contains("; waiting") || gate.started() > 1
    });
    gate.open();
    assert_eq!(beside.wait_exit().code(), Some(0), "{}", beside.log());
    daemon.wait_log("has been updated");
    env.wait_lines("reloads", 1);
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!((gate.started(), env.reloads().len()), (1, 1));
    assert_eq!(beside.count("has been updated"), 0);
}

#[test]
fn row_13_a_long_reload_delays_neither_the_fetch_nor_other_resources() {
    let metad = Metad::start(json!({"slow": "1", "fast": "1"}));
    let env = Env::with_metad(&metad);
    let gate = env.gate("reload");
    let reload = format!("reload_cmd = \"{}\"", gate.command());
    env.simple_with("slow", r#"{{getv "/slow"}}"#, &reload);
    env.simple("fast", r#"{{getv "/fast"}}"#);
    let daemon = env.daemon(&["-watch"]);
    gate.wait_started(1);
    for step in 2..5 {
        metad.put("/fast", &step.to_string());
        env.wait_content("out/fast", &step.to_string());
        env.wait_lines("reloads", step);
    }
    assert_eq!(gate.started(), 1);
    gate.open();
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn row_14_all_files_are_swapped_before_any_reload() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    for name in ["a", "b", "c"] {
        let lines =
            format!("reload_cmd = \"cat $ROOT/out/a $ROOT/out/b $ROOT/out/c > $ROOT/seen-{name}\"");
        env.simple_with(name, "{{getv \"/k\"}}\n", &lines);
    }
    env.onetime().expect_code(0);
    metad.put("/k", "2");
    env.onetime().expect_code(0);
    for name in ["a", "b", "c"] {
        assert_eq!(env.read(&format!("seen-{name}")), "2\n2\n2\n");
    }
}

#[test]
fn row_14_identical_reloads_run_once_and_in_the_order_of_the_files() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    for number in 0..20 {
        let lines = format!("reload_cmd = \"echo {} >> $ROOT/reloads\"", number % 2);
        env.simple_with(&format!("app{number:02}"), r#"{{getv "/k"}}"#, &lines);
    }
    let run = env.onetime_with(&["-log-level", "debug"]);
    run.expect_code(0);
    let mut reloads = env.reloads();
    reloads.sort();
    assert_eq!(reloads, ["0", "1"]);
    let started = ["0", "1"].map(|name| {
        run.stderr
            .find(&env.expand(&format!("echo {name} >> $ROOT/reloads")))
    });
    assert!(
        started[0].is_some() && started[0] < started[1],
        "{}",
        run.stderr
    );
}

#[test]
fn row_18_the_shipped_rotation_empties_the_log_that_is_written_to() {
    let name = "row_18_the_shipped_rotation_empties_the_log_that_is_written_to";
    if Command::new("logrotate").arg("--version").output().is_err() {
        eprintln!("SKIPPED {name}: logrotate is not installed");
        return;
    }
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let shipped = include_str!("../../../src/image/app-agent.logrotate");
    let log = "/opt/qingcloud/app-agent/log";
    assert!(shipped.contains(log), "{shipped}");
    env.put("rotation", &shipped.replace(log, "$ROOT/log"));
    env.put("log/confd.log", "");
    // As the init script starts it.
    let script = "exec \"$0\" -watch -config-file $ROOT/etc/confd.toml >> $ROOT/log/confd.log 2>&1";
    let confd = confd();
    let _daemon = env.start(env.command_of("/bin/sh", &["-c", script, confd]));
    env.wait_lines("reloads", 1);
    metad.wait_idle();
    let rotate = ["--force", "--state", "$ROOT/rotated", "$ROOT/rotation"];
    env.finish(env.command_of("logrotate", &rotate))
        .expect_code(0);
    assert_eq!(env.names("log"), ["confd.log", "confd.log.1.gz"]);
    assert_eq!(env.read("log/confd.log"), "");
    metad.put("/k", "2");
    env.wait_lines("reloads", 2);
    let log = env.read("log/confd.log");
    assert!(
        log.starts_with("20") && log.contains("has been updated"),
        "{log:?}"
    );
}
