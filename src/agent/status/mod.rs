//! The status file: its format and its writer. The agent writes it into confdir; `-status` and `-doctor` read it.
//!
//! Anybody may read that file, so no value of the metadata gets into it.

mod reporter;
mod state;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::platform::Lock;

pub use reporter::Reporter;
pub use state::{Condition, Entry, Kind, Metadata, Report, State};

/// The name of the status file in confdir.
const FILE: &str = "status.json";
/// However short the interval, no state is written more often because of it, in seconds.
const SHORTEST_RHYTHM: u64 = 60;

/// How often a state that stays the same is written, in seconds.
pub fn rhythm(interval: u64) -> u64 {
    interval.max(SHORTEST_RHYTHM)
}

/// The status file of a confdir.
pub fn file(confdir: &Path) -> PathBuf {
    confdir.join(FILE)
}

/// Returns true if a daemon of this confdir runs; `None` if that cannot be found out. The daemon holds a shared lock on conf.d,
/// which the system releases when it dies: there is no pid file to go stale.
pub fn daemon_lives(confdir: &Path) -> Option<bool> {
    Lock::is_taken(&confdir.join("conf.d")).ok()
}

/// Seconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
