//! Nothing is put off for ever: whatever takes longer than the time between changes, signals or
//! edits comes to its end all the same.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::env::{Env, until};
use crate::metad::Metad;

/// Does something again and again, `pause` apart, until `done`.
fn meanwhile(what: &str, pause: u64, mut act: impl FnMut(), done: impl Fn() -> bool) {
    until(what, || {
        act();
        thread::sleep(Duration::from_millis(pause));
        done()
    });
}

#[test]
fn changes_during_each_check_do_not_put_the_reload_off() {
    let metad = Metad::start(json!({"k": "0"}));
    let env = Env::with_metad(&metad);
    let lines = "check_cmd = \"sleep 0.5\"\nreload_cmd = \"echo a >> $ROOT/reloads\"";
    env.simple_with("a", r#"{{getv "/k"}}"#, lines);
    let daemon = env.daemon(&["-watch"]);
    let mut version = 0;
    let change = || {
        version += 1;
        metad.put("/k", &version.to_string());
    };
    meanwhile("it is reloaded", 100, change, || !env.reloads().is_empty());
    env.wait_content("out/a", &version.to_string());
    assert_eq!(daemon.stop(), Some(0));
}
