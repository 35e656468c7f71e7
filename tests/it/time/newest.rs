//! A change is applied from the newest metadata: nothing that was fetched before a wait overwrites
//! what came meanwhile.

use std::fs;

use serde_json::json;

use crate::env::{Env, until};
use crate::metad::Metad;

#[test]
fn a_one_time_run_that_waited_for_the_daemon_does_not_write_older_metadata() {
    let metad = Metad::start(json!({"k": "1"}));
    let mut env = Env::with_metad(&metad);
    env.settings("onetime_wait = \"30s\"");
    let fixed = env
        .read("etc/confd.toml")
        .replace("onetime_wait = \"1s\"\n", "");
    env.put("etc/confd.toml", &fixed);
    env.simple_with(
        "app",
        r#"{{getv "/k"}}"#,
        "reload_cmd = \"cat $ROOT/out/app >> $ROOT/seen; echo >> $ROOT/seen\"",
    );
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("seen", 1);
    metad.wait_idle();
    let lock = fs::File::open(env.path("etc/.confd.lock")).expect("the lock");
    lock.lock().expect("locked");
    metad.put("/k", "2");
    let mut beside = env.daemon(&["-onetime"]);
    beside.wait_log("; waiting");
    daemon.wait_log("; waiting");
    metad.put("/k", "3");
    metad.wait_idle();
    drop(lock);
    assert_eq!(beside.wait_exit().code(), Some(0), "{}", beside.log());
    env.wait_content("out/app", "3");
    until("the last reload has run", || {
        env.lines("seen").last().is_some_and(|line| line == "3")
    });
    assert_eq!(daemon.stop(), Some(0));
    let seen = env.lines("seen");
    assert!(seen.is_sorted(), "{seen:?}");
}
