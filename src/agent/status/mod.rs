//! The status file: its format and its writer. The agent writes it into confdir; `-status` and
//! `-doctor` read it. `docs/status.md` describes the format.
//!
//! Anybody may read that file, so no value of the metadata gets into it.

mod reporter;
mod state;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::Result;
use crate::platform::Lock;

pub use reporter::Reporter;
pub use state::{Command, Condition, Entry, Kind, Metadata, Report, Running, State, Stuck};

/// The name of the status file in confdir.
const FILE: &str = "status.json";
/// The bounds of the heartbeat in seconds. Two of the longest are a minute, after which a daemon
/// that hangs is unhealthy; an idle daemon wakes up twice in it, and sets the time of one file.
const SHORTEST_HEARTBEAT: u64 = 5;
const LONGEST_HEARTBEAT: u64 = 30;

/// The seconds after which the loop of a daemon reports again that it is alive, with this
/// `interval` in seconds.
pub fn heartbeat(interval: u64) -> u64 {
    interval.clamp(SHORTEST_HEARTBEAT, LONGEST_HEARTBEAT)
}

/// The status file of a confdir.
pub fn file(confdir: &Path) -> PathBuf {
    confdir.join(FILE)
}

/// Adds to a status file that the loop of its process hangs in this step. The loop itself writes
/// the file again when it goes on.
pub fn report_stuck(file: &Path, stuck: Stuck) -> Result<()> {
    let Some(mut state) = State::read(file)? else {
        return Ok(());
    };
    state.report.stuck = Some(stuck);
    state.write(file)
}

/// Returns true if a daemon of this confdir is running; `None` if that cannot be found out. The
/// daemon holds a shared lock on conf.d, which the system releases when it dies: there is no pid
/// file to go stale.
pub fn is_daemon_running(confdir: &Path) -> Option<bool> {
    Lock::is_taken(&confdir.join("conf.d")).ok()
}

/// Seconds since 1970.
pub fn now() -> u64 {
    seconds(SystemTime::now())
}

/// A time in seconds since 1970.
pub fn seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
