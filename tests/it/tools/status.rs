//! `-status`: the state of the daemon or of the last one-time run, and whether it is healthy.

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

/// Identifies one version of the status file.
fn stamp(env: &Env) -> (u64, i64, i64) {
    let meta = fs::metadata(env.path("etc/status.json")).expect("the state file");
    // The number alone may be that of a file removed before.
    (meta.ino(), meta.mtime(), meta.mtime_nsec())
}

#[test]
fn a_daemon_is_healthy_until_it_ends() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    status(&env, &[])
        .expect_code(1)
        .expect_log("no confd has run with this confdir yet");
    let daemon = env.daemon(&["-watch"]);
    wait_state(&env, "in_sync");
    let run = status(&env, &[]);
    run.expect_code(0);
    let first = format!("confd      running as pid {}, since ", daemon.pid());
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
        (&state["healthy"], &state["daemon_running"]),
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
    assert!(
        run.stdout.contains("not running; shut down "),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout.contains("unhealthy  no daemon is running"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_daemon_that_was_killed_is_not_running() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let mut daemon = env.daemon(&["-watch"]);
    wait_state(&env, "in_sync");
    daemon.kill();
    let run = status(&env, &[]);
    run.expect_code(1);
    assert!(
        run.stdout.contains("not running; killed or crashed, pid "),
        "{}",
        run.stdout
    );
}

#[test]
fn a_daemon_removes_the_leftovers_of_one_that_was_killed_while_writing() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    env.put("etc/.status.json.confd-abcdefghij", "{");
    env.onetime_with(&["-noop"]).expect_code(0);
    assert!(env.path("etc/.status.json.confd-abcdefghij").exists());
    let _daemon = env.daemon(&["-watch"]);
    wait_state(&env, "in_sync");
    assert!(!env.path("etc/.status.json.confd-abcdefghij").exists());
}

#[test]
fn failures_are_shown_without_secrets() {
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
            "at <div (getv \"/password\") 2>: failed; see the log",
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
        run.stdout.contains("unhealthy  6 resources have failed"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_reload_that_is_running_is_healthy_and_shown() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    let gate = env.gate("reload");
    let reload = format!("reload_cmd = \"\"\"{}\"\"\"", gate.command());
    env.simple_with("app", r#"{{getv "/k"}}"#, &reload);
    let _daemon = env.daemon(&["-watch"]);
    gate.wait_started(1);
    until("the reload is reported", || {
        json(&env)["resources"][0]["running"]["command"] == "reload_cmd"
    });
    let run = status(&env, &[]);
    run.expect_code(0);
    let words = "\n           reload_cmd has been running for ";
    assert!(run.stdout.contains(words), "{}", run.stdout);
    gate.open();
    wait_state(&env, "in_sync");
}

#[test]
fn a_steady_state_writes_nothing() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    env.onetime().expect_code(0);
    let run = status(&env, &[]);
    run.expect_code(1);
    assert!(
        run.stdout.contains("the last run was -onetime"),
        "{}",
        run.stdout
    );
    status(&env, &["-onetime"]).expect_code(0);

    let daemon = env.daemon(&["-watch", "-log-level", "debug"]);
    until("the daemon has reported", || json(&env)["run"] == "daemon");
    metad.wait_idle();
    wait_state(&env, "in_sync");
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
fn a_one_time_run_leaves_the_daemons_status_alone() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    wait_state(&env, "in_sync");
    env.onetime().expect_code(0);
    assert_eq!(json(&env)["pid"], daemon.pid());
}

#[test]
fn lost_metadata_is_unhealthy_until_it_is_back() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let _daemon = env.daemon(&["-watch"]);
    wait_state(&env, "in_sync");
    metad.fail(Fault::Answer(Answer::error(500, "Internal error")));
    until("the trouble is known", || {
        json(&env)["metadata"]["error"].is_string()
    });
    let run = status(&env, &[]);
    run.expect_code(1);
    assert!(
        run.stdout.contains("unhealthy  no metadata: "),
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

#[test]
fn a_failed_reload_stays_failed_until_one_succeeds() {
    let metad = Metad::start(json!({"a": "1", "b": "1"}));
    let env = Env::with_metad(&metad);
    let reload = "keys = [\"/a\"]\nreload_cmd = \"test -e $ROOT/allowed\"";
    env.simple_with("app", r#"{{getv "/a"}}"#, reload);
    env.template("app.tmpl", r#"{{getv "/a"}}"#);
    env.resource(
        "app.toml",
        "[template]\nsrc = \"app.tmpl\"\ndest = \"$ROOT/out/app\"\nkeys = [\"/a\"]\nreload_cmd = \"test -e $ROOT/allowed\"\n",
    );
    env.simple("other", r#"{{getv "/b"}}"#);
    let expect_failed = |when: &str| {
        let state = json(&env);
        assert_eq!(state["healthy"], false, "{when}: {state:#}");
        let app = &state["resources"][0];
        assert_eq!(app["state"], "failed", "{when}: {state:#}");
        let error = app["reload_error"].as_str().expect("an error");
        assert!(error.contains("exit status 1"), "{when}: {error}");
    };
    let daemon = env.daemon(&["-watch"]);
    wait_state(&env, "failed");
    expect_failed("after the reload");
    let since = json(&env)["resources"][0]["since"].clone();
    metad.put("/b", "2");
    env.wait_content("out/other", "2");
    until("the other reload is over", || env.reloads().len() == 2);
    expect_failed("after a change of another key");
    daemon.signal("HUP");
    daemon.wait_log("read again");
    metad.put("/b", "3");
    env.wait_content("out/other", "3");
    expect_failed("after HUP");
    assert_eq!(json(&env)["resources"][0]["since"], since, "since when");
    assert_eq!(daemon.stop(), Some(0));
    expect_failed("after the end");

    let daemon = env.daemon(&["-watch"]);
    until("the next daemon has compared the files", || {
        let state = json(&env);
        state["pid"] == daemon.pid() && state["resources"][1]["state"] == "in_sync"
    });
    expect_failed("after a restart");
    env.put("allowed", "");
    metad.put("/a", "2");
    wait_state(&env, "in_sync");
    assert_eq!(json(&env)["healthy"], true);
    daemon.wait_log("out/app (app.toml) works again after ");
}

#[test]
fn a_file_that_is_broken_by_an_edit_has_one_entry() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    env.simple("app", "{{getv \"/k\"}}");
    let daemon = env.daemon(&["-watch"]);
    wait_state(&env, "in_sync");
    env.resource("app.toml", "broken");
    daemon.signal("HUP");
    wait_state(&env, "failed");
    let state = json(&env);
    assert_eq!(
        state["resources"].as_array().map(Vec::len),
        Some(1),
        "{state}"
    );
    let entry = &state["resources"][0];
    assert_eq!(entry["dest"], json!(env.expand("$ROOT/out/app")), "{state}");
    assert!(
        entry["detail"]
            .as_str()
            .is_some_and(|text| text.contains("app.toml:1")),
        "{state}"
    );
}

#[test]
fn the_state_is_written_before_the_first_round() {
    let metad = Metad::start(json!({"k": "v"}));
    metad.fail(Fault::Silence);
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    wait_state(&env, "pending");
    let run = status(&env, &[]);
    let words = format!("confd      running as pid {}, since ", daemon.pid());
    assert!(run.stdout.starts_with(&words), "{}", run.stdout);
    assert!(
        run.stdout.contains("waiting for metadata"),
        "{}",
        run.stdout
    );
    metad.heal();
    wait_state(&env, "in_sync");
}

#[test]
fn a_check_that_is_running_is_shown_with_its_time() {
    let env = Env::with_tree(&json!({"k": "v"}));
    let gate = env.gate("check");
    let check = format!("check_cmd = \"\"\"{}\"\"\"", gate.command());
    env.simple_with("app", r#"{{getv "/k"}}"#, &check);
    let _daemon = env.daemon(&[]);
    gate.wait_started(1);
    until("the check is reported", || {
        json(&env)["resources"][0]["running"].is_object()
    });
    let app = json(&env)["resources"][0].clone();
    assert_eq!(app["running"]["command"], "check_cmd", "{app:#}");
    assert!(app["running"]["since"].as_u64() > Some(0), "{app:#}");
    let run = status(&env, &[]);
    run.expect_code(0);
    let words = "check_cmd has been running for ";
    assert!(run.stdout.contains(words), "{}", run.stdout);
    // A minute later.
    let mut later: Json = serde_json::from_str(&env.read("etc/status.json")).expect("JSON");
    later["resources"][0]["running"]["since"] = json!(1_000_000_000);
    env.put("etc/status.json", &later.to_string());
    let run = status(&env, &[]);
    run.expect_code(1);
    let words = "unhealthy  check_cmd of app.toml has been running for ";
    assert!(run.stdout.contains(words), "{}", run.stdout);
    gate.open();
    wait_state(&env, "in_sync");
}

/// Sets the time of the last report back.
fn set_back(env: &Env, seconds: u64) {
    let file = fs::File::options()
        .write(true)
        .open(env.path("etc/status.json"));
    let time = std::time::SystemTime::now() - std::time::Duration::from_secs(seconds);
    let set = file.and_then(|file| file.set_modified(time));
    set.expect("the time of the status file");
}

#[test]
fn a_daemon_that_is_stopped_or_hangs_is_unhealthy() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-interval", "1"]);
    wait_state(&env, "in_sync");
    let heartbeat = json(&env)["heartbeat"].as_u64().expect("a number");
    assert!((1..=30).contains(&heartbeat), "{heartbeat}");
    status(&env, &[]).expect_code(0);
    daemon.signal("STOP");
    until("it is seen to be stopped", || {
        status(&env, &[]).code() == Some(1)
    });
    let run = status(&env, &[]);
    let words = format!("unhealthy  the daemon is stopped (pid {})", daemon.pid());
    assert!(run.stdout.contains(&words), "{}", run.stdout);
    daemon.signal("CONT");
    until("it runs again", || status(&env, &[]).code() == Some(0));

    set_back(&env, 2 * heartbeat + 2);
    let run = status(&env, &[]);
    run.expect_code(1);
    let words = "unhealthy  the daemon has not reported for ";
    assert!(run.stdout.contains(words), "{}", run.stdout);
    // The loop shows by itself, and without any news, that it runs.
    let written = fs::metadata(env.path("etc/status.json"))
        .expect("the file")
        .ino();
    until("the next heartbeat", || status(&env, &[]).code() == Some(0));
    let meta = fs::metadata(env.path("etc/status.json")).expect("the file");
    assert_eq!(meta.ino(), written, "the content is left alone");
}

#[test]
fn a_state_that_could_not_be_written_is_written_again() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    wait_state(&env, "in_sync");
    // Nobody, not even root, replaces a directory by a file.
    fs::remove_file(env.path("etc/status.json")).expect("removed");
    env.put("etc/status.json/x", "");
    daemon.signal("HUP");
    env.put("etc/templates/app.tmpl", "new{{getv \"/none\"}}");
    daemon.signal("HUP");
    daemon.wait_log("-status shows an older state");
    fs::remove_dir_all(env.path("etc/status.json")).expect("removed");
    wait_state(&env, "failed");
    assert_eq!(daemon.count("-status shows an older state"), 1);
}

#[test]
fn since_is_not_reset_by_hup() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    wait_state(&env, "in_sync");
    let mut old: Json = serde_json::from_str(&env.read("etc/status.json")).expect("JSON");
    let times = |state: &Json| {
        [
            state["started"].clone(),
            state["resources"][0]["since"].clone(),
        ]
    };
    let before = times(&old);
    // A second must pass for a difference to be seen.
    let second = old["reported"].as_u64().expect("a time");
    until("the next second", || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.expect("after 1970").as_secs() > second + 1
    });
    for count in 1..=2 {
        daemon.signal("HUP");
        daemon.wait_logs("read again", count);
    }
    env.simple("later", "x");
    daemon.signal("HUP");
    until("the new resource is reported", || {
        old = json(&env);
        old["resources"][1]["state"] == "in_sync"
    });
    assert_eq!(times(&old), before);
}

#[test]
fn the_status_is_found_whatever_confd_toml_says() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    wait_state(&env, "in_sync");
    for (broken, expected) in [
        ("interval = \"often\"\n", "interval must be an integer"),
        ("nodes = [\n", "confd.toml"),
        ("\u{0}\u{1}", "confd.toml"),
        ("confdir = 1\n", "confdir must be a string"),
    ] {
        env.put("etc/confd.toml", broken);
        let run = status(&env, &[]);
        run.expect_code(0).expect_log(expected);
        assert!(run.stdout.contains("in sync"), "{}", run.stdout);
    }
    env.put("etc/confd.toml", "confdir = \"$ROOT/elsewhere\"\n");
    status(&env, &[]).expect_code(0);
    fs::remove_file(env.path("etc/confd.toml")).expect("removed");
    status(&env, &[]).expect_code(0);
    env.run(&["-status", "-confdir", "$ROOT/etc"])
        .expect_code(0);
    status(&env, &["-confdir", "$ROOT/out"])
        .expect_code(1)
        .expect_log("out/status.json: does not exist");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn settings_that_could_not_be_read_again_are_noted() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    let settings = env.read("etc/confd.toml");
    let daemon = env.daemon(&["-watch"]);
    wait_state(&env, "in_sync");
    env.put("etc/confd.toml", "interval = 0\n");
    daemon.signal("HUP");
    until("it is noted", || json(&env)["notes"][0].is_string());
    let run = status(&env, &[]);
    run.expect_code(0);
    let words = "the settings from before are in use";
    assert!(run.stdout.contains(words), "{}", run.stdout);
    env.put("etc/confd.toml", &settings);
    daemon.signal("HUP");
    until("it is over", || json(&env)["notes"] == json!([]));
}

#[test]
fn the_documents_name_every_key() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    env.onetime().expect_code(0);
    let state = json(&env);
    let keys = |object: &Json| {
        let object = object.as_object().expect("an object");
        object.keys().cloned().collect::<Vec<_>>()
    };
    let all = [
        keys(&state),
        keys(&state["metadata"]),
        keys(&state["resources"][0]),
    ]
    .concat();
    for document in [
        include_str!("../../../docs/status.md"),
        include_str!("../../../docs/status.zh-CN.md"),
    ] {
        for key in &all {
            assert!(document.contains(&format!("`{key}`")), "{key}");
        }
    }
}

#[test]
fn an_unknown_owner_is_shown_by_every_tool() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    let lines = "owner = \"no-such-user\"\ngroup = \"no-such-group\"";
    env.simple_with("app", r#"{{getv "/k"}}"#, lines);
    env.simple_with("number", "x", "owner = \"no-such-user\"\nuid = 0");
    let daemon = env.daemon(&["-watch"]);
    wait_state(&env, "in_sync");
    let notes = [
        "this machine has no user \"no-such-user\"",
        "this machine has no group \"no-such-group\"",
    ];
    let state = json(&env);
    assert_eq!(state["resources"][0]["notes"], json!(notes));
    assert_eq!(state["resources"][1]["notes"], json!([]));
    let run = status(&env, &[]);
    run.expect_code(0);
    let tool = |tool: &str| env.run(&["-config-file", "$ROOT/etc/confd.toml", tool]);
    let (lint, doctor) = (tool("-lint"), tool("-doctor"));
    for note in notes {
        assert!(
            run.stdout.contains(&format!("note: {note}")),
            "{}",
            run.stdout
        );
        let shown = doctor.stdout.lines().filter(|line| line.contains(note));
        // As a warning of the place and of the daemon's status.
        assert_eq!(shown.count(), 2, "{}", doctor.stdout);
    }
    lint.expect_code(1);
    let errors = lint.stdout.lines().filter(|line| line.contains(" E215 "));
    assert_eq!(errors.count(), 2, "{}", lint.stdout);
    assert_eq!(daemon.stop(), Some(0));
}
