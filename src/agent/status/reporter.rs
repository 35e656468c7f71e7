//! The agent's side: takes its reports, and writes the state file when there is something new in one.
//!
//! A steady state is written once in each interval, to say that it still holds.

use std::path::{Path, PathBuf};

use super::state::{Condition, Kind, Report, State};
use super::{daemon_lives, file, now, rhythm};
use crate::config::{Config, Mode};
use crate::log;
use crate::platform::Lock;
use crate::resource::stage::{self, Attributes, Target};

/// Keeps the state file of one confdir.
#[derive(Debug)]
pub struct Reporter {
    path: PathBuf,
    conf_d: PathBuf,
    /// What the state file says now, as far as it is known.
    written: Option<State>,
    /// What the next one says, but for the report.
    next: State,
    /// Tells others that this daemon lives.
    alive: Option<Lock>,
    /// What was last said to be wrong with the state file.
    said: Option<String>,
}

impl Reporter {
    /// `None` when nothing is to be written: with `-noop`, for an image, and for a one-time run beside a daemon, which knows more.
    pub fn start(config: &Config) -> Option<Reporter> {
        let kind = match config.mode {
            Mode::Onetime => Kind::Onetime,
            Mode::Interval | Mode::Watch => Kind::Daemon,
        };
        if config.looks_only()
            || (kind == Kind::Onetime && daemon_lives(&config.confdir) == Some(true))
        {
            return None;
        }
        let path = file(&config.confdir);
        if kind == Kind::Daemon {
            clear_leftovers(&path);
        }
        Some(Reporter {
            // Whatever is wrong with it, it is replaced.
            written: State::read(&path).ok().flatten(),
            path,
            conf_d: config.confdir.join("conf.d"),
            next: State {
                started: now(),
                interval: config.interval.as_secs(),
                ..State::first(kind, Report::default())
            },
            alive: None,
            said: None,
        })
    }

    /// Takes the agent's report, and writes it if it is news.
    pub fn report(&mut self, report: Report) {
        if self.next.kind == Kind::Daemon && self.alive.is_none() {
            self.show_life();
        }
        let next = self.next.followed_by(report, self.written.as_ref(), now());
        let is_known = |written: &State| next.repeats(written);
        if !self.written.as_ref().is_some_and(is_known) {
            self.show_life();
            self.write(next);
        }
    }

    /// The agent ends after this report.
    pub fn end(mut self, report: Report) {
        self.next.ended = Some(now());
        self.report(report);
    }

    /// Taken anew with each state: conf.d may be another directory by now.
    fn show_life(&mut self) {
        if self.next.kind == Kind::Daemon {
            // While somebody else tries whether a daemon lives, it is not to be had; where there are no locks, never.
            let lock = Lock::try_share(&self.conf_d).ok().flatten();
            self.alive = lock.or(self.alive.take());
        }
    }

    fn write(&mut self, next: State) {
        let failed = next.write(&self.path).err().map(|error| error.chain());
        if let Some(message) = failed.as_ref().filter(|_| failed != self.said) {
            log::info(format_args!("{message}; -status will not know"));
        }
        self.said = failed;
        self.written = Some(next);
    }
}

/// What a daemon has left that was killed while it wrote.
fn clear_leftovers(path: &Path) {
    let target = Target::resolve(path, Attributes::default());
    // Nothing depends on it, and what keeps it from being removed will be said when the file is to be written.
    let _ = target.and_then(|target| stage::clear_leftovers(vec![&target]));
}

impl State {
    /// This process's state with a new report. Times go on from the state before, whoever wrote that.
    fn followed_by(&self, report: Report, before: Option<&State>, now: u64) -> State {
        let is_fine = report.trouble.is_none()
            && report.metadata.is_some()
            && report
                .resources
                .iter()
                .all(|entry| entry.condition == Condition::InSync);
        let since = |entry| {
            let before = before?;
            let known = before.report.resources.iter().zip(&before.since);
            let same = known
                .filter(|(known, _)| *known == entry)
                .map(|(_, since)| *since);
            same.min()
        };
        let mut since_each = Vec::new();
        for entry in &report.resources {
            since_each.push(since(entry).unwrap_or(now));
        }
        State {
            since: since_each,
            last_success: match is_fine {
                true => Some(now),
                false => before.and_then(|before| before.last_success),
            },
            checked: now,
            report,
            ..self.clone()
        }
    }

    /// Whether there is nothing new in it, nor will be soon. A one-time run that finds everything as the one before did is not
    /// news, nor is a version of the metadata that changes no file.
    fn repeats(&self, written: &State) -> bool {
        let is_due = self.checked.abs_diff(written.checked) >= rhythm(self.interval);
        let is_same_run = match self.kind {
            Kind::Onetime => true,
            Kind::Daemon => {
                (self.pid, self.started, self.ended, &self.report.metadata)
                    == (
                        written.pid,
                        written.started,
                        written.ended,
                        &written.report.metadata,
                    )
            }
        };
        !is_due
            && is_same_run
            && self.kind == written.kind
            && self.report.trouble == written.report.trouble
            && self.report.resources == written.report.resources
    }
}

#[cfg(test)]
mod tests {
    use super::super::state::{Entry, Metadata};
    use super::*;

    fn report(version: u64, conditions: &[Condition]) -> Report {
        let entries = conditions
            .iter()
            .enumerate()
            .map(|(number, condition)| Entry {
                file: format!("{number}.toml"),
                dest: "/x".to_owned(),
                condition: condition.clone(),
            });
        Report {
            metadata: Some(Metadata { version, since: 50 }),
            trouble: None,
            resources: entries.collect(),
        }
    }

    fn process(kind: Kind, pid: u32) -> State {
        State {
            pid,
            started: 40,
            interval: 600,
            ..State::first(kind, Report::default())
        }
    }

    #[test]
    fn times_go_on_over_reports_and_processes() {
        use Condition::{Failed, InSync};
        let daemon = process(Kind::Daemon, 1);
        let first = daemon.followed_by(report(1, &[InSync, InSync]), None, 100);
        assert_eq!(
            (first.last_success, first.since.as_slice()),
            (Some(100), &[100, 100][..])
        );
        let failed = report(2, &[InSync, Failed("why".to_owned())]);
        let second = daemon.followed_by(failed.clone(), Some(&first), 200);
        assert_eq!(
            (second.last_success, second.since.as_slice()),
            (Some(100), &[100, 200][..])
        );
        let other = process(Kind::Onetime, 2);
        let third = other.followed_by(failed, Some(&second), 300);
        assert_eq!(
            (third.last_success, third.since.as_slice()),
            (Some(100), &[100, 200][..])
        );
        assert_eq!((third.pid, third.checked), (2, 300));
    }

    #[test]
    fn without_metadata_nothing_is_a_success() {
        let none = Report::default();
        let state = process(Kind::Daemon, 1).followed_by(none, None, 100);
        assert_eq!(state.last_success, None);
    }

    #[test]
    fn only_news_is_written_and_once_in_an_interval_the_old() {
        use Condition::{InSync, Pending};
        let pending = || Pending("its check_cmd runs".to_owned());
        let daemon = process(Kind::Daemon, 1);
        let onetime = process(Kind::Onetime, 2);
        let state = |process: &State, version, condition, now| {
            process.followed_by(report(version, &[condition]), None, now)
        };
        for (what, next, before, repeats) in [
            (
                "the same",
                state(&daemon, 1, InSync, 699),
                state(&daemon, 1, InSync, 100),
                true,
            ),
            (
                "due",
                state(&daemon, 1, InSync, 700),
                state(&daemon, 1, InSync, 100),
                false,
            ),
            (
                "set back",
                state(&daemon, 1, InSync, 100),
                state(&daemon, 1, InSync, 900),
                false,
            ),
            (
                "changed",
                state(&daemon, 1, pending(), 100),
                state(&daemon, 1, InSync, 100),
                false,
            ),
            (
                "new metadata",
                state(&daemon, 2, InSync, 100),
                state(&daemon, 1, InSync, 100),
                false,
            ),
            (
                "restarted",
                state(&process(Kind::Daemon, 3), 1, InSync, 100),
                state(&daemon, 1, InSync, 100),
                false,
            ),
            (
                "another one-time run",
                state(&process(Kind::Onetime, 3), 2, InSync, 100),
                state(&onetime, 1, InSync, 100),
                true,
            ),
            (
                "after a daemon",
                state(&onetime, 1, InSync, 100),
                state(&daemon, 1, InSync, 100),
                false,
            ),
        ] {
            assert_eq!(next.repeats(&before), repeats, "{what}");
        }
    }
}
