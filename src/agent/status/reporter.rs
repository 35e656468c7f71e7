//! The writer of the status file: takes the agent's reports, and writes the file when something in
//! them is new. While nothing is, a heartbeat sets the file's time.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::state::{Entry, Kind, Report, State};
use super::{file, heartbeat, now};
use crate::config::{Config, Mode};
use crate::log;
use crate::platform::Lock;
use crate::resource::stage::{self, Attributes, Target};

/// The time after which a state is written that is likely to change by itself.
const SETTLE: Duration = Duration::from_millis(500);
/// The pause after a failed write, and before the lock of a running daemon is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// The status file of one confdir, on the agent's side.
#[derive(Debug)]
pub struct Reporter {
    path: PathBuf,
    conf_d: PathBuf,
    /// The newest report, with its times.
    state: State,
    /// The resources as they were before they began to wait for something, from which times
    /// continue; at first those of the process before.
    settled: Vec<Entry>,
    /// The content of the file; none when that is unknown.
    written: Option<State>,
    /// The time to write the news that `written` does not have.
    due: Option<Instant>,
    /// The time of the next heartbeat.
    beat: Instant,
    /// The lock that shows others that this daemon is running.
    alive: Option<Lock>,
    /// That lock is worth another try soon.
    is_contended: bool,
    /// The last complaint about the status file in the log.
    complaint: Option<String>,
}

impl Reporter {
    /// `None` when nothing is to be written: with `-noop`, for an image, and for a one-time run
    /// beside a daemon, which knows more.
    pub fn start(config: &Config) -> Option<Reporter> {
        let kind = match config.mode {
            Mode::Onetime => Kind::Onetime,
            Mode::Interval | Mode::Watch => Kind::Daemon,
        };
        let conf_d = config.confdir.join("conf.d");
        // Not is_daemon_running: where no daemon has ever made the file of its lock, anybody who
        // locks the directory would be taken for one.
        let is_beside_daemon = || matches!(Lock::try_acquire(&conf_d), Ok(None));
        // A confdir that is not there may be mistyped: nothing is made.
        let is_there = config.confdir.exists();
        if config.looks_only() || !is_there || (kind == Kind::Onetime && is_beside_daemon()) {
            return None;
        }
        let path = file(&config.confdir);
        if kind == Kind::Daemon {
            clear_leftovers(&path);
        }
        // Whatever is wrong with it, it is replaced.
        let before = State::read(&path).ok().flatten();
        let last_success = before.as_ref().and_then(|state| state.last_success);
        let settled = before.map(|state| state.report.resources);
        let state = State {
            started: now(),
            last_success,
            ..State::first(kind, Report::default())
        };
        let mut reporter = Reporter {
            path,
            conf_d,
            state,
            settled: settled.unwrap_or_default(),
            written: None,
            due: None,
            beat: Instant::now(),
            alive: None,
            is_contended: false,
            complaint: None,
        };
        reporter.set_interval(config);
        Some(reporter)
    }

    /// The resources as the process before has left them.
    pub fn past(&self) -> &[Entry] {
        &self.settled
    }

    /// The status file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Somebody else has written the file: it is written again with the next report.
    pub fn write_again(&mut self) {
        self.written = None;
    }

    /// Takes over a new `interval`.
    pub fn set_interval(&mut self, config: &Config) {
        self.state.interval = config.interval.as_secs();
        self.state.heartbeat = heartbeat(self.state.interval);
    }

    /// Takes a report, and writes what is new in it: at once, or after a moment if it is about to
    /// change by itself.
    pub fn report(&mut self, report: Report, now: Instant) {
        if self.state.kind == Kind::Daemon && self.alive.is_none() {
            self.show_life();
        }
        self.follow(report);
        match self.news() {
            News::None => self.due = None,
            News::Transient => self.due = self.due.or(Some(now + SETTLE)),
            // After a failure it is tried again when that is due.
            News::Lasting if self.complaint.is_some() => {}
            News::Lasting => self.due = Some(now),
        }
        if self.due.is_some_and(|due| due <= now) {
            self.write(now);
        } else if self.state.kind == Kind::Daemon && self.beat <= now {
            self.beat(now);
        }
    }

    /// The time by which it wants the next report.
    pub fn next_due(&self) -> Option<Instant> {
        let beat = (self.state.kind == Kind::Daemon).then_some(self.beat);
        let lock = self.is_contended.then(|| Instant::now() + RETRY);
        [self.due, beat, lock].into_iter().flatten().min()
    }

    /// Takes the last report of this process.
    pub fn end(mut self, report: Report) {
        self.state.ended = Some(now());
        self.follow(report);
        self.write(Instant::now());
    }

    /// Takes a report into the state. Times continue where nothing has changed.
    fn follow(&mut self, mut report: Report) {
        let mut settled = Vec::new();
        for (index, entry) in report.resources.iter_mut().enumerate() {
            if let Some(known) = find(&self.state.report.resources, index, entry) {
                entry.follow(known);
            }
            let before = find(&self.settled, index, entry);
            if let Some(before) = before.filter(|before| before.condition == entry.condition) {
                entry.since = before.since;
            }
            match before {
                Some(before) if entry.is_waiting() => settled.push(before.clone()),
                _ => settled.push(entry.clone()),
            }
        }
        self.settled = settled;
        if report.is_success() {
            self.state.last_success = Some(now());
        }
        self.state.report = report;
    }

    fn news(&self) -> News {
        match &self.written {
            // Most one-time runs are over before anybody could look.
            None if self.state.kind == Kind::Onetime => News::Transient,
            None => News::Lasting,
            Some(written) => self.state.news_since(written),
        }
    }

    /// Takes the lock again with each state: conf.d may be another directory by now.
    fn show_life(&mut self) {
        if self.state.kind == Kind::Daemon {
            let lock = Lock::try_share(&self.conf_d);
            // While somebody tests for a running daemon it is not available; where there are no
            // locks, never.
            self.is_contended = matches!(lock, Ok(None)) && self.alive.is_none();
            self.alive = lock.ok().flatten().or(self.alive.take());
        }
    }

    /// Shows that the loop is running. A file that has gone or belongs to somebody else is
    /// replaced.
    fn beat(&mut self, now: Instant) {
        self.beat = now + Duration::from_secs(self.state.heartbeat);
        self.show_life();
        if State::touch(&self.path).is_err() {
            self.write(now);
        }
    }

    fn write(&mut self, at: Instant) {
        self.show_life();
        self.state.reported = now();
        self.beat = at + Duration::from_secs(self.state.heartbeat);
        match self.state.write(&self.path) {
            Ok(()) => {
                self.due = None;
                self.complaint = None;
                self.written = Some(self.state.clone());
            }
            Err(error) => {
                self.due = Some(at + RETRY);
                // Whatever is there now, it is not this state.
                self.written = None;
                // Each attempt has a staged file with a name of its own.
                let complaint = stage::without_random_parts(&error.chain());
                if self.complaint.as_ref() != Some(&complaint) {
                    log::info(format_args!("{complaint}; -status shows an older state"));
                }
                self.complaint = Some(complaint);
            }
        }
    }
}

/// How a state differs from the one in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    None,
    /// Only in what is about to change by itself.
    Transient,
    Lasting,
}

/// Removes what a daemon has left that was killed while it wrote.
fn clear_leftovers(path: &Path) {
    let target = Target::resolve(path, Attributes::default());
    // Nothing depends on it, and what prevents the removal is reported when the file is written.
    let _ = target.and_then(|target| stage::clear_leftovers(vec![&target], &BTreeSet::new()));
}

impl State {
    fn news_since(&self, written: &State) -> News {
        let without_resources = |state: &State| State {
            reported: 0,
            last_success: None,
            report: Report {
                resources: Vec::new(),
                ..state.report.clone()
            },
            ..*state
        };
        let (next, before) = (&self.report.resources, &written.report.resources);
        let pairs = || {
            next.iter()
                .zip(before)
                .filter(|(next, before)| next != before)
        };
        let is_transient =
            |next: &Entry, before: &Entry| next.is_same(before) && next.is_transient();
        if without_resources(self) != without_resources(written) || next.len() != before.len() {
            News::Lasting
        } else if pairs().next().is_none() {
            News::None
        } else if pairs().all(|(next, before)| is_transient(next, before)) {
            News::Transient
        } else {
            News::Lasting
        }
    }
}

/// The entry of the same resource, mostly at the same index.
fn find<'e>(entries: &'e [Entry], index: usize, entry: &Entry) -> Option<&'e Entry> {
    let there = entries.get(index).filter(|known| known.is_same(entry));
    there.or_else(|| entries.iter().find(|known| known.is_same(entry)))
}

#[cfg(test)]
mod tests {
    use super::super::state::{Command, Condition, Metadata, Running};
    use super::*;

    fn entry(condition: Condition) -> Entry {
        Entry {
            file: "a.toml".to_owned(),
            dest: "/x".to_owned(),
            condition,
            since: 0,
            running: None,
            reload_error: None,
            notes: Vec::new(),
        }
    }

    fn state(entry: Entry) -> State {
        let report = Report {
            metadata: Some(Metadata {
                version: 1,
                since: 50,
            }),
            resources: vec![entry],
            ..Report::default()
        };
        State::first(Kind::Daemon, report)
    }

    #[test]
    fn news_are_written_at_once_unless_they_change_by_themselves() {
        use Condition::{Failed, InSync, Pending};
        let before = state(entry(InSync));
        let waiting = || entry(Pending("waiting".to_owned()));
        let failed = || entry(Failed("why".to_owned()));
        let retrying = Entry {
            running: Some(Running {
                command: Command::Check,
                since: 1,
            }),
            ..failed()
        };
        let noted = Entry {
            notes: vec!["unknown owner".to_owned()],
            ..entry(InSync)
        };
        let later = State {
            reported: 99,
            last_success: Some(99),
            ..before.clone()
        };
        let restarted = State {
            started: 1,
            ..before.clone()
        };
        let other = Entry {
            file: "b.toml".to_owned(),
            ..waiting()
        };
        for (next, news) in [
            (before.clone(), News::None),
            (later, News::None),
            (restarted, News::Lasting),
            (state(waiting()), News::Transient),
            (state(failed()), News::Lasting),
            (state(retrying), News::Transient),
            (state(noted), News::Lasting),
            (state(other), News::Lasting),
            (State::first(Kind::Daemon, Report::default()), News::Lasting),
        ] {
            assert_eq!(next.news_since(&before), news, "{next:?}");
        }
    }

    #[test]
    fn only_complete_reports_are_a_success() {
        let good = state(entry(Condition::InSync)).report;
        let failed_reload = Entry {
            reload_error: Some("exit status 1".to_owned()),
            ..entry(Condition::InSync)
        };
        let without_metadata = Report {
            metadata: None,
            ..good.clone()
        };
        assert!(good.is_success());
        assert!(!state(failed_reload).report.is_success());
        assert!(!without_metadata.is_success());
    }
}
