//! One-time runs beside a daemon under a stream of changes: the last version on disk in the end,
//! and no version ever goes back.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::for_each;
use crate::env::{Env, share_of, until};
use crate::metad::Metad;

const AT_ONCE: usize = 4;

/// Reads the file until `over`; returns the versions that it had, each once for as long as it
/// stayed.
fn watch_file(env: &Env, over: &AtomicBool) -> Vec<usize> {
    let path = env.path("out/app");
    let mut versions: Vec<usize> = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let text = fs::read_to_string(&path).unwrap_or_default();
        if let Ok(version) = text.trim().parse()
            && versions.last() != Some(&version)
        {
            versions.push(version);
        }
        thread::sleep(Duration::from_micros(300));
    }
    versions
}

/// Changes the metadata until `over`; returns the last version.
fn stream(metad: &Metad, over: &AtomicBool) -> usize {
    let mut version = 0;
    while !over.load(Ordering::Relaxed) {
        version += 1;
        metad.put("/k", &version.to_string());
        // The pace of the stream.
        thread::sleep(Duration::from_millis(7 + version as u64 % 5 * 9));
    }
    version
}

#[test]
fn one_time_runs_beside_a_daemon_never_take_a_version_back() {
    let metad = Metad::start(json!({"k": "0"}));
    let mut env = Env::with_metad(&metad);
    env.var("CONFD_ONETIME_WAIT", "60s");
    let reload = "reload_cmd = \"cat $ROOT/out/app >> $ROOT/seen\"";
    env.simple_with("app", "{{getv \"/k\"}}\n", reload);
    // A check in the same apply holds the lock for a moment, so that somebody waits for it.
    env.simple_with("checked", "{{getv \"/k\"}}\n", "check_cmd = \"sleep 0.02\"");
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("seen", 1);
    let (over, runs) = (AtomicBool::new(false), share_of(500));
    let (last, versions) = thread::scope(|scope| {
        let stream = scope.spawn(|| stream(&metad, &over));
        let watcher = scope.spawn(|| watch_file(&env, &over));
        // However a run ends, the others must hear of it.
        let codes = for_each(AT_ONCE, (0..runs).collect(), |_| {
            let run = env.onetime();
            (run.code(), run.stderr)
        });
        over.store(true, Ordering::Relaxed);
        for (code, log) in codes {
            assert_eq!(code, Some(0), "{log}");
        }
        let last = stream.join().expect("the stream");
        (last, watcher.join().expect("the watcher"))
    });
    env.wait_content("out/app", &format!("{last}\n"));
    env.wait_content("out/checked", &format!("{last}\n"));
    until("the last version is reloaded", || {
        env.lines("seen").last() == Some(&last.to_string())
    });
    assert_eq!(daemon.stop(), Some(0));
    assert!(versions.is_sorted(), "the file went back: {versions:?}");
    let seen: Vec<usize> = env
        .lines("seen")
        .iter()
        .flat_map(|line| line.parse())
        .collect();
    assert!(seen.is_sorted(), "a reload went back: {seen:?}");
    println!(
        "{runs} one-time runs beside a daemon, {last} versions, {} of them seen on disk, {} reloads",
        versions.len(),
        seen.len()
    );
}
