//! `-dump`, and the replay of what it wrote.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value as Json, json};

use crate::env::{Env, Run};
use crate::metad::{Fault, Metad};

fn look(env: &Env, arguments: &[&str]) -> Run {
    let fixed = ["-config-file", "$ROOT/etc/confd.toml"];
    env.run(&[&fixed, arguments].concat())
}

#[test]
fn a_live_run_and_the_replay_of_its_dump_give_the_same_bytes() {
    let metad = Metad::start(json!({
        "hosts": {"i-2": {"ip": "10.0.0.2", "sid": 2}, "i-1": {"ip": "10.0.0.1", "sid": 1}},
        "host": {"ip": "10.0.0.1"},
        "list": ["a", {"name": "named", "v": 1.50}, {"v": null}],
        "env": {"": "root", "a": "leaf", "a/b": "below a leaf", "text": "line\n\"é\"\t%s"},
    }));
    let env = Env::with_metad(&metad);
    env.simple(
        "hosts",
        r#"{{range lsdir "/hosts"}}{{.}}={{getv (printf "/hosts/%s/sid" .)}} {{end}}"#,
    );
    env.simple(
        "all",
        r#"{{range gets "/*/*"}}{{.Key}}={{.Value}};{{end}}{{range getvs "/*/*/*"}}{{.}},{{end}}"#,
    );
    env.onetime().expect_code(0);
    look(&env, &["-dump", "dump.json"]).expect_code(0);
    drop(metad);

    env.run(&[
        "-confdir",
        "etc",
        "-backend",
        "file",
        "-file",
        "dump.json",
        "-root",
        "image",
    ])
    .expect_code(0);
    for name in ["hosts", "all"] {
        let replayed = env
            .path("image")
            .join(env.path("out").strip_prefix("/").expect("absolute"));
        let replayed = fs::read_to_string(replayed.join(name)).expect("the replayed file");
        assert_eq!(replayed, env.read(&format!("out/{name}")));
        assert!(replayed.len() > 10, "{replayed}");
    }
}

#[test]
fn a_dump_is_sorted_json_and_for_its_owner_only() {
    let metad = Metad::start(json!({"b": {"y": "2", "x": 1}, "a": [true]}));
    let env = Env::with_metad(&metad);
    env.put("dump.json", "somebody else's");
    let path = env.path("dump.json");
    fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("its mode");
    let run = look(&env, &["-dump", "dump.json"]);
    run.expect_code(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    let text = "{\n  \"a\": {\n    \"0\": \"true\"\n  },\n  \"b\": {\n    \"x\": \"1\",\n    \"y\": \"2\"\n  }\n}\n";
    assert_eq!(env.read("dump.json"), text);
    let mode = fs::metadata(&path).expect("the dump").permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert_eq!(metad.request_count(), 1);
}

#[test]
fn secrets_are_hidden_on_request() {
    let env = Env::with_tree(&json!({
        "env": {"db_password": "hunter2", "pin": "1234", "port": "80"},
        "cluster": {"zone": "pek3"},
    }));
    let dump = |arguments: &[&str]| -> Json {
        let run = look(&env, &[&["-dump", "-"], arguments].concat());
        run.expect_code(0);
        serde_json::from_str(&run.stdout).expect("JSON on stdout")
    };
    assert_eq!(dump(&[])["env"]["db_password"], "hunter2");
    let redacted = dump(&["-redact"]);
    assert_eq!(redacted["env"]["db_password"], "REDACTED");
    assert_eq!(redacted["env"]["pin"], "1234");
    let redacted = dump(&["-redact=pin", "-redact=/cluster"]);
    assert_eq!(
        redacted["env"],
        json!({"db_password": "REDACTED", "pin": "REDACTED", "port": "80"})
    );
    assert_eq!(redacted["cluster"]["zone"], "REDACTED");
    look(&env, &["-dump", "-", "-redact", "pin"])
        .expect_code(2)
        .expect_log("-redact takes it as -redact=pin");
}

#[test]
fn without_metadata_there_is_no_dump() {
    let metad = Metad::unregistered();
    let env = Env::with_metad(&metad);
    look(&env, &["-dump", "dump.json"])
        .expect_code(1)
        .expect_log("status 404");
    assert!(!env.path("dump.json").exists());
}

#[test]
fn long_work_is_announced() {
    let mut metad = Metad::start(json!({"k": "v"}));
    metad.fail(Fault::Silence);
    let env = Env::with_metad(&metad);
    let arguments = ["-config-file", "$ROOT/etc/confd.toml", "-dump", "-"];
    let mut asking = env.start(env.command(&arguments));
    asking.wait_log("confd: still fetching the metadata ...");
    metad.stop();
    assert_eq!(asking.wait_exit().code(), Some(1));
}
