//! The watch on the loop's own work on files. A file system that does not answer, such as that of a
//! dead NFS server, stops the loop in the middle of a step. Then the step is logged and written
//! into the status file, a one-time run is given up after a while, and TERM ends the process all
//! the same.
//!
//! Its thread sleeps while the loop does. It knows nothing of what the steps do.

use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::status::{self, Stuck};
use crate::log::{self, age};
use crate::threads;

/// A step that takes longer is reported.
pub(super) const STUCK_AFTER: Duration = Duration::from_secs(5);
/// The loop has this time from TERM to the end of the process.
const LAST_MOMENTS: Duration = Duration::from_secs(2);
/// A sync may take this much longer than any other step, before the process ends.
const SYNC: Duration = Duration::from_secs(10);
/// Time is counted in ticks of this length: not the time in which the process itself was stopped.
const TICK: Duration = Duration::from_millis(250);

/// Work on files that the loop waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Lock,
    Read,
    Resolve,
    Clear,
    Stage,
    Sync,
    Swap,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Step::Lock => "locking",
            Step::Read => "reading",
            Step::Resolve => "looking up",
            Step::Clear => "looking for leftovers beside",
            Step::Stage => "staging",
            Step::Sync => "syncing",
            Step::Swap => "swapping",
        }
    }

    /// The time that it may take beyond a limit.
    fn extra(self) -> Duration {
        if self == Step::Sync {
            SYNC
        } else {
            Duration::ZERO
        }
    }
}

/// The watch; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Watchdog {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    now: Mutex<Now>,
    changed: Condvar,
}

/// The knowledge at this moment.
#[derive(Debug, Default)]
struct Now {
    /// The step in hand; none while the loop waits for events.
    entered: Option<Entered>,
    /// The status file to report to.
    status: Option<PathBuf>,
    /// The thread waits for another step, without a time limit.
    is_asleep: bool,
    /// The thread writes the status file.
    is_writing: bool,
    /// The status file has a report about a step.
    has_written: bool,
}

/// A step that the loop is in.
#[derive(Clone, Debug)]
struct Entered {
    step: Step,
    path: PathBuf,
    since: Instant,
    /// The time of it in which this process was running.
    taken: Duration,
    is_reported: bool,
}

impl Entered {
    fn name(&self) -> String {
        format!("{} {}", self.step.name(), self.path.display())
    }

    fn age(&self) -> String {
        age(self.since.elapsed().as_secs())
    }
}

impl Watchdog {
    /// Starts the thread. With `limit` the process ends when a step takes so long.
    pub(super) fn start(&self, limit: Option<Duration>) {
        let shared = Arc::clone(&self.shared);
        if let Err(error) = threads::spawn("watchdog", move || shared.watch(limit)) {
            log::debug(format_args!("no thread for the watchdog: {error}"));
        }
    }

    /// Names the status file that reports go to; none when nothing is to be written.
    pub(super) fn report_to(&self, status: Option<PathBuf>) {
        self.shared.lock().status = status;
    }

    /// The loop begins a step.
    pub(super) fn enter(&self, step: Step, path: &Path) {
        self.shared.go_on(Some(Entered {
            step,
            path: path.to_owned(),
            since: Instant::now(),
            taken: Duration::ZERO,
            is_reported: false,
        }));
    }

    /// The loop has done its steps.
    pub(super) fn leave(&self) {
        self.shared.go_on(None);
    }

    /// Returns true if the status file has been written since the last call, so that its content is
    /// not the loop's.
    pub(super) fn has_written(&self) -> bool {
        std::mem::take(&mut self.shared.lock().has_written)
    }

    /// Ends the process, unless the loop does in time: it was asked to end. Returns only with the
    /// process.
    pub(super) fn end_process(&self) {
        let mut left = LAST_MOMENTS + SYNC;
        loop {
            thread::sleep(TICK);
            left = left.saturating_sub(TICK);
            let entered = self.shared.lock().entered.clone();
            let extra = entered
                .as_ref()
                .map_or(Duration::ZERO, |entered| entered.step.extra());
            if left + extra <= SYNC {
                log::warning(match entered {
                    Some(entered) => {
                        let name = entered.name();
                        format!("shutting down in the middle of {name}, which hangs")
                    }
                    None => "shutting down, though the agent hangs".to_owned(),
                });
                process::exit(1);
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Now> {
        threads::lock(&self.now)
    }

    fn wait<'n>(&self, now: MutexGuard<'n, Now>) -> MutexGuard<'n, Now> {
        self.changed
            .wait(now)
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn go_on(&self, next: Option<Entered>) {
        let mut now = self.lock();
        // What the loop writes comes after what is being written.
        while now.is_writing {
            now = self.wait(now);
        }
        if let Some(before) = now.entered.take().filter(|before| before.is_reported) {
            log::info(format_args!("{} took {}", before.name(), before.age()));
        }
        now.entered = next;
        if std::mem::take(&mut now.is_asleep) {
            self.changed.notify_all();
        }
    }

    fn watch(&self, limit: Option<Duration>) {
        let mut now = self.lock();
        loop {
            now.is_asleep = now
                .entered
                .as_ref()
                .is_none_or(|entered| entered.is_reported && limit.is_none());
            if now.is_asleep {
                now = self.wait(now);
                continue;
            }
            let waited = self.changed.wait_timeout(now, TICK);
            now = waited.unwrap_or_else(PoisonError::into_inner).0;
            let Some(entered) = &mut now.entered else {
                continue;
            };
            // It may have begun within this tick.
            entered.taken += TICK.min(entered.since.elapsed());
            let entered = entered.clone();
            if limit.is_some_and(|limit| entered.taken >= limit + entered.step.extra()) {
                log::error(format_args!(
                    "{} has taken {}; gave up",
                    entered.name(),
                    entered.age()
                ));
                process::exit(1);
            }
            if !entered.is_reported && entered.taken >= STUCK_AFTER {
                now = self.report(now, &entered);
            }
        }
    }

    /// Reports the step in hand, without the lock: the status file may be on a file system that
    /// does not answer, too.
    fn report<'n>(
        &'n self,
        mut now: MutexGuard<'n, Now>,
        entered: &Entered,
    ) -> MutexGuard<'n, Now> {
        if let Some(entered) = &mut now.entered {
            entered.is_reported = true;
        }
        let file = now.status.clone();
        now.is_writing = file.is_some();
        drop(now);
        log::warning(format_args!(
            "{} has taken {} so far: its file system may not answer",
            entered.name(),
            entered.age()
        ));
        let stuck = Stuck {
            step: entered.name(),
            since: status::now().saturating_sub(entered.since.elapsed().as_secs()),
        };
        if let Some(file) = file
            && let Err(error) = status::report_stuck(&file, stuck)
        {
            log::debug(error.chain());
        }
        let mut now = self.lock();
        now.has_written |= std::mem::take(&mut now.is_writing);
        self.changed.notify_all();
        now
    }
}
