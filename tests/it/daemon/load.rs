//! Storms and long days: kills at random moments, a thousand changes, an hour's worth of renewed
//! polls.

use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::env::{Env, share_of, until};
use crate::metad::Metad;

/// The next of a fixed series of numbers that look random (xorshift64).
fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

/// A template whose file shows by itself whether it is one whole version.
const LONG: &str = r#"{{range seq 1 300}}{{getv "/k"}}
{{end}}end
"#;

fn long(version: usize) -> String {
    format!("{}end\n", format!("{version}\n").repeat(300))
}

#[test]
fn kills_at_random_moments_leave_whole_files_and_lose_nothing() {
    let metad = Metad::start(json!({"k": "0"}));
    let env = Env::with_metad(&metad);
    for name in ["a", "b", "c"] {
        env.simple(name, LONG);
    }
    let mut seed = 0x5eed_c0de_u64;
    let mut version = 0;
    for _ in 0..share_of(50) {
        let mut daemon = env.daemon(&["-watch"]);
        let end = next(&mut seed) % 60;
        for _ in 0..=end / 4 {
            version += 1;
            metad.put("/k", &version.to_string());
            // Not to wait for anything, but to spread the changes over the moments before the kill.
            thread::sleep(Duration::from_micros(next(&mut seed) % 8000));
        }
        daemon.kill();
        for name in ["a", "b", "c"] {
            let Ok(text) = fs::read_to_string(env.path(&format!("out/{name}"))) else {
                continue;
            };
            let found: usize = text
                .lines()
                .next()
                .and_then(|line| line.parse().ok())
                .expect("a version");
            assert!(
                found <= version && text == long(found),
                "{name} is not whole: {text}"
            );
        }
    }
    let daemon = env.daemon(&["-watch"]);
    for name in ["a", "b", "c"] {
        env.wait_content(&format!("out/{name}"), &long(version));
    }
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(env.names("out"), ["a", "b", "c"], "no stage is left");
}

#[test]
fn many_changes_in_a_row_end_right_with_every_reload_run_or_coalesced() {
    let changes = share_of(1000);
    let metad = Metad::start(json!({"k": "0"}));
    let env = Env::with_metad(&metad);
    for name in ["a", "b"] {
        let reload = format!("reload_cmd = \"cat $ROOT/out/{name} >> $ROOT/seen-{name}\"");
        env.simple_with(name, "{{getv \"/k\"}}\n", &reload);
    }
    let daemon = env.daemon(&["-watch"]);
    env.wait_content("out/a", "0\n");
    for version in 1..=changes {
        metad.put("/k", &version.to_string());
    }
    let last = changes.to_string();
    for name in ["a", "b"] {
        env.wait_content(&format!("out/{name}"), &format!("{last}\n"));
        let seen = format!("seen-{name}");
        until("the last version is reloaded", || {
            env.lines(&seen).last() == Some(&last)
        });
    }
    assert_eq!(daemon.stop(), Some(0));
    for name in ["seen-a", "seen-b"] {
        let seen: Vec<usize> = env
            .lines(name)
            .iter()
            .map(|line| line.parse().expect("a version"))
            .collect();
        assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
    }
}

#[test]
fn renewed_polls_cost_neither_memory_nor_descriptors() {
    let metad = Metad::start(json!({"k": "0"}));
    let mut env = Env::with_metad(&metad);
    // More polls of 100 ms than hours have of 60 s.
    env.settings("poll_limit = \"100ms\"");
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("reloads", 1);
    let polls = share_of(300);
    metad.wait_requests(polls);
    let held = || (daemon.descriptors(), daemon.status("VmRSS:"));
    let before = held();
    metad.wait_requests(3 * polls);
    let after = held();
    assert_eq!(after.0, before.0, "descriptors");
    assert!(
        after.1 <= before.1 + 256,
        "from {} KiB to {} KiB",
        before.1,
        after.1
    );
    metad.put("/k", "1");
    env.wait_content("out/app", "1");
    assert_eq!(daemon.count(": WARNING "), 0, "{}", daemon.log());
}
