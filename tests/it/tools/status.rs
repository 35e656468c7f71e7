//! `-status`: what the daemon, or the last one-time run, knows.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use serde_json::{Value as Json, json};

use crate::env::{Env, Run, until};
use crate::http::Answer;
use crate::metad::{Fault, Metad};

fn status(env: &Env, arguments: &[&str]) -> Run {
    let fixed = ["-config-file", "$ROOT/etc/confd.toml", "-status"];
    env.run(&[&fixed, arguments].concat())
}

fn json(env: &Env) -> Json {
    let run = status(env, &["-format", "json"]);
    serde_json::from_str(&run.stdout).expect("JSON on stdout")
}

/// Waits until the state of the only resource is this.
fn wait_state(env: &Env, state: &str) {
    until(&format!("the resource is {state}"), || {
        env.path("etc/status.json").exists() && json(env)["resources"][0]["state"] == state
    });
}

/// What shows that the state file was written anew.
fn stamp(env: &Env) -> (u64, i64, i64) {
    let meta = fs::metadata(env.path("etc/status.json")).expect("the state file");
    // The number alone may be that of a file removed before.
    (meta.ino(), meta.mtime(), meta.mtime_nsec())
}

#[test]
fn a_daemon_is_well_until_it_ends() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    status(&env, &[])
        .expect_code(1)
        .expect_log("no confd has run with this confdir yet");
    let daemon = env.daemon(&["-watch"]);
    wait_state(&env, "in sync");
    let run = status(&env, &[]);
    run.expect_code(0);
    let first = format!("confd      runs as pid {}, since ", daemon.pid());
    assert!(run.stdout.starts_with(&first), "{}", run.stdout);
    let resource = format!("in sync    {}", env.expand("$ROOT/out/app"));
    assert!(run.stdout.contains(&resource), "{}", run.stdout);
    assert!(
        run.stdout.contains("\nmetadata   version 1, since "),
        "{}",
        run.stdout
    );
    let state = json(&env);
    assert_eq!(
        (&state["healthy"], &state["daemon_lives"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(state["resources"][0]["file"], "app.toml");
    let mode = fs::metadata(env.path("etc/status.json"))
        .expect("the file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o644);

    assert_eq!(daemon.stop(), Some(0));
    let run = status(&env, &[]);
    run.expect_code(1);
    assert!(run.stdout.contains("it was told to end"), "{}", run.stdout);
    assert!(
        run.stdout.contains("not well   no daemon is running"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_daemon_that_was_killed_is_not_taken_for_alive() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let mut daemon = env.daemon(&["-watch"]);
    wait_state(&env, "in sync");
    daemon.kill();
    let run = status(&env, &[]);
    run.expect_code(1);
    assert!(
        run.stdout.contains("it was killed or has crashed"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_daemon_clears_what_one_has_left_that_was_killed_while_it_wrote() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    env.put("etc/.status.json.confd-abcdefghij", "{");
    env.onetime_with(&["-noop"]).expect_code(0);
    assert!(env.path("etc/.status.json.confd-abcdefghij").exists());
    let _daemon = env.daemon(&["-watch"]);
    wait_state(&env, "in sync");
    assert!(!env.path("etc/.status.json.confd-abcdefghij").exists());
}

#[test]
fn what_failed_is_said_without_secrets() {
    let env = Env::with_tree(&json!({"password": "hunter2"}));
    let put = |name, template, lines| env.simple_with(name, template, lines);
    put(
        "check",
        r#"{{getv "/password"}}"#,
        "check_cmd = \"cat {{.src}}; false\"",
    );
    put("missing", r#"{{getv "/nothing"}}"#, "");
    put("number", r#"{{div (getv "/password") 2}}"#, "");
    put("parse", "{{if}}", "");
    put(
        "reload",
        r#"{{getv "/password"}}"#,
        "reload_cmd = \"cat $CONFD_DEST; exit 3\"",
    );
    env.resource("toml.toml", "[template]\nsrc = \"x\"\n");
    let run = env.onetime();
    run.expect_code(1).expect_log("hunter2");
    let text = env.read("etc/status.json");
    assert!(!text.contains("hunter"), "{text}");

    let run = status(&env, &["-onetime"]);
    run.expect_code(1);
    assert!(!run.stdout.contains("hunter"), "{}", run.stdout);
    let details: Vec<Json> = json(&env)["resources"].as_array().expect("a list").clone();
    let expected = [
        ("check.toml", "Config check failed: command \"cat "),
        (
            "missing.toml",
            "error calling getv: key does not exist: /nothing",
        ),
        (
            "number.toml",
            "at <div (getv \"/password\") 2>: failed; the log says why",
        ),
        ("parse.toml", "missing value for if"),
        ("reload.toml", "failed with exit status 3"),
        ("toml.toml", "dest is missing"),
    ];
    assert_eq!(details.len(), expected.len());
    for (detail, (file, words)) in details.iter().zip(expected) {
        assert_eq!(
            (&detail["file"], &detail["state"]),
            (&json!(file), &json!("failed"))
        );
        let detail = detail["detail"].as_str().expect("a reason");
        assert!(detail.contains(words), "{file}: {detail}");
    }
    assert!(
        run.stdout.contains("not well   6 resources have failed"),
        "{}",
        run.stdout
    );
}

#[test]
fn what_is_pending_is_well_and_said() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    let gate = env.gate("reload");
    let reload = format!("reload_cmd = \"\"\"{}\"\"\"", gate.command());
    env.simple_with("app", r#"{{getv "/k"}}"#, &reload);
    let _daemon = env.daemon(&["-watch"]);
    gate.wait_started(1);
    wait_state(&env, "pending");
    let run = status(&env, &[]);
    run.expect_code(0);
    let words = "\n           its reload_cmd runs\n";
    assert!(run.stdout.contains(words), "{}", run.stdout);
    gate.open();
    wait_state(&env, "in sync");
}

#[test]
fn a_steady_state_writes_nothing() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    env.onetime().expect_code(0);
    let before = stamp(&env);
    metad.change_elsewhere();
    env.onetime().expect_code(0);
    assert_eq!(stamp(&env), before, "after another one-time run");
    let run = status(&env, &[]);
    run.expect_code(1);
    assert!(
        run.stdout.contains("last was a -onetime run"),
        "{}",
        run.stdout
    );
    status(&env, &["-onetime"]).expect_code(0);

    let daemon = env.daemon(&["-watch", "-log-level", "debug"]);
    until("the daemon has reported", || json(&env)["run"] == "daemon");
    metad.wait_idle();
    wait_state(&env, "in sync");
    let before = stamp(&env);
    metad.touch();
    metad.wait_idle();
    assert_eq!(stamp(&env), before, "after the same metadata again");
    metad.put("/k", "new");
    env.wait_content("out/app", "new");
    until("the change is reported", || stamp(&env) != before);
    drop(daemon);
}

#[test]
fn a_one_time_run_leaves_the_daemons_word_alone() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    wait_state(&env, "in sync");
    env.onetime().expect_code(0);
    assert_eq!(json(&env)["pid"], daemon.pid());
}

#[test]
fn lost_metadata_is_not_well_and_passes() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let _daemon = env.daemon(&["-watch"]);
    wait_state(&env, "in sync");
    metad.fail(Fault::Answer(Answer::error(500, "Internal error")));
    until("the trouble is known", || {
        json(&env)["metadata"]["trouble"].is_string()
    });
    let run = status(&env, &[]);
    run.expect_code(1);
    assert!(
        run.stdout.contains("not well   no metadata: "),
        "{}",
        run.stdout
    );
    metad.heal();
    until("it is over", || json(&env)["healthy"] == true);
}

#[test]
fn a_run_that_changes_nothing_has_no_state() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    env.onetime_with(&["-noop"]).expect_code(0);
    assert!(!env.path("etc/status.json").exists());
}
