//! Changes of other clusters, whose version counter is ours as well: never late, never a storm.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::env::{Daemon, Env, until};
use crate::metad::Metad;

/// How much later than in a quiet service half of the changes may be on disk.
const LATER: Duration = Duration::from_millis(500);
/// How late any change may be, whatever else the machine does. One that was missed would wait for
/// the end of a poll: 45 s or more.
const LATEST: Duration = Duration::from_secs(20);
/// The changes of one measurement.
const CHANGES: usize = 15;

/// A daemon that has made its file from this service, whose `/k` is 0.
fn watch(metad: &Metad) -> (Env, Daemon) {
    let env = Env::with_metad(metad);
    env.simple_with("app", r#"{{getv "/k"}}"#, "");
    let daemon = env.daemon(&["-watch"]);
    env.wait_content("out/app", "0");
    (env, daemon)
}

/// The times from a change to the file, sorted. Each change comes after another pause, so that they
/// fall into all moments of the poller's life.
fn times(metad: &Metad, env: &Env, from: usize) -> Vec<Duration> {
    let mut times: Vec<Duration> = (from..from + CHANGES)
        .map(|turn| {
            std::thread::sleep(Duration::from_millis(37 * (turn as u64 % 7)));
            let start = Instant::now();
            metad.put("/k", &turn.to_string());
            env.wait_content("out/app", &turn.to_string());
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times
}

/// Measures changes beside this many foreign changes a second.
fn check(a_second: u32, wakes: bool) {
    let metad = Metad::start(json!({"k": "0"}));
    let (env, _daemon) = watch(&metad);
    metad.wait_idle();
    let quiet = times(&metad, &env, 1);
    let (before, start) = (metad.extra_requests(), Instant::now());
    let changes = metad.change_elsewhere_often(a_second, wakes);
    let busy = times(&metad, &env, 1 + CHANGES);
    let seconds = start.elapsed().as_secs_f64();
    // The poll that was held before has been answered.
    let extra = metad.extra_requests().saturating_sub(before);
    drop(changes);
    let case = format!("{extra} extra requests in {seconds} s, quiet {quiet:?}, busy {busy:?}");
    // The last poll may be on its way.
    assert!(extra as f64 <= 2.0 * seconds + 1.0, "{case}");
    assert!(busy[CHANGES / 2] <= quiet[CHANGES / 2] + LATER, "{case}");
    assert!(busy[CHANGES - 1] <= LATEST, "{case}");
}

#[test]
fn a_foreign_change_a_second_makes_no_change_late() {
    check(1, false);
}

#[test]
fn ten_foreign_changes_a_second_that_end_polls_make_no_change_late() {
    check(10, true);
}

#[test]
fn a_hundred_foreign_changes_a_second_make_no_change_late() {
    check(100, false);
}

#[test]
fn a_hundred_foreign_changes_a_second_that_end_polls_make_no_change_late() {
    check(100, true);
}

#[test]
fn a_storm_of_foreign_changes_does_not_fetch_a_large_tree_all_the_time() {
    let metad = Metad::start(json!({"k": "0", "large": "x".repeat(2_000_000)}));
    let (env, _daemon) = watch(&metad);
    let changes = metad.change_elsewhere_often(100, true);
    let (before, start) = (metad.request_count(), Instant::now());
    metad.wait_requests(before + 150);
    // Without a pause each change is answered twice: 200 a second.
    assert!(
        start.elapsed() > Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    drop(changes);
    metad.put("/k", "1");
    env.wait_content("out/app", "1");
}

/// Polls that were answered in vain for a moment, too, do not make the pauses longer and longer.
#[test]
fn a_storm_of_foreign_changes_is_no_server_that_does_not_wait() {
    let metad = Metad::start(json!({"k": "0"}));
    let (env, _daemon) = watch(&metad);
    metad.wait_idle();
    for _ in 0..6 {
        let answer = crate::http::Answer::new(200, "application/json", r#"{"k":"0"}"#.to_owned());
        let answer = answer.header("X-Metad-Version", "1");
        metad.fail_next(crate::metad::Fault::Answer(answer));
    }
    let changes = metad.change_elsewhere_often(20, true);
    metad.wait_requests(metad.request_count() + 150);
    drop(changes);
    metad.put("/k", "1");
    env.wait_content("out/app", "1");
}

#[test]
fn a_server_that_answers_polls_at_once_for_ever_is_not_hammered() {
    let metad = Metad::start(json!({"k": "0"}));
    let env = Env::with_metad(&metad);
    env.simple_with("app", r#"{{getv "/k"}}"#, "");
    // The version stays at 0, and every poll is answered.
    let answer = crate::http::Answer::new(200, "application/json", r#"{"k": "1"}"#.to_owned());
    metad.fail(crate::metad::Fault::Answer(answer));
    let _daemon = env.daemon(&["-watch"]);
    env.wait_content("out/app", "1");
    let start = Instant::now();
    metad.wait_requests(8);
    let (count, seconds) = (metad.request_count(), start.elapsed().as_secs_f64());
    assert!(seconds > 1.0, "{count} requests in {seconds} s");
}

#[test]
fn settings_that_change_often_leave_one_thread_and_one_connection() {
    let metad = Metad::start(json!({"k": "0"}));
    let (env, daemon) = watch(&metad);
    metad.wait_idle();
    let settings = env.read("etc/confd.toml");
    let threads = daemon.status("Threads:");
    for turn in 0..30 {
        let limit = format!("poll_limit = \"{}s\"\n", 100 + turn);
        env.put("etc/confd.toml", &format!("{settings}{limit}"));
        let requests = metad.request_count();
        daemon.signal("HUP");
        // Its own fetch and its own poll.
        metad.wait_requests(requests + 2);
        metad.wait_idle();
    }
    until("the connections of earlier settings are closed", || {
        metad.open_connections() == 1
    });
    until("the threads of earlier settings have ended", || {
        daemon.status("Threads:") == threads
    });
    metad.put("/k", "1");
    env.wait_content("out/app", "1");
}
