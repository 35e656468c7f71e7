//! The guarantees about time: never late, never twice, never stale. A file for each, or for two
//! that belong together.
//!
//! Bounds of time stand only where the guarantee is one of time, and leave room for a machine that
//! does much else.

mod beside;
mod boot;
mod edits;
mod foreign;
mod hangs;
mod newest;
mod services;
mod started;
mod starved;
mod strangers;

use std::time::{Duration, Instant};

use crate::env::{Daemon, Env};

/// The longest time from TERM to the end. 100 ms are promised; the rest is for a machine that stands
/// still for a while. (A loop that hangs is ended after two seconds, with another exit code.)
const TERM_LIMIT: Duration = Duration::from_secs(8);

/// A reload that adds the content of its file to `seen`, each on a line of its own.
fn show(name: &str) -> String {
    format!("reload_cmd = \"cat $ROOT/out/{name} >> $ROOT/seen; echo >> $ROOT/seen\"")
}

/// TERM; fails unless the daemon ends at once, with 0.
#[track_caller]
fn expect_prompt_end(mut daemon: Daemon, case: &str) {
    let start = Instant::now();
    daemon.signal("TERM");
    let status = daemon.wait_exit();
    let elapsed = start.elapsed();
    let log = daemon.log();
    assert_eq!(status.code(), Some(0), "{case}: {log}");
    assert!(
        elapsed < TERM_LIMIT,
        "{case}: {elapsed:?} after TERM\n{log}"
    );
}

/// A daemon in watch mode with these further arguments, where `mounts` were made.
fn watch_with_mounts(env: &Env, test: &str, mounts: &str, arguments: &[&str]) -> Option<Daemon> {
    let fixed = ["-config-file", "$ROOT/etc/confd.toml", "-watch"];
    let arguments = [&fixed, arguments].concat();
    let command = env.command_with_mounts(test, mounts, &arguments)?;
    Some(env.start(command))
}
