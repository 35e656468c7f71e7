//! The diagnosis of a status file at one moment: the problems that make confd unhealthy.

use crate::agent::status::{Command, Entry, Kind, State, heartbeat};
use crate::log::age;
use crate::platform;

pub(super) const NO_DAEMON: &str = "no daemon is running";
/// The missing heartbeats after which a daemon hangs.
const MISSED_HEARTBEATS: u64 = 2;
/// The seconds after which a check_cmd hangs. A reload_cmd may take as long as it likes.
const LONGEST_CHECK: u64 = 60;

/// The circumstances in which a state is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    /// Seconds since 1970.
    pub now: u64,
    /// `None` if that cannot be found out.
    pub is_daemon_running: Option<bool>,
    /// A daemon must be running; else the last run counts.
    pub wants_daemon: bool,
}

/// A state, judged.
#[derive(Debug)]
pub(super) struct Diagnosis {
    /// Seconds since 1970.
    pub now: u64,
    /// `None` if that cannot be found out.
    pub is_daemon_running: Option<bool>,
    /// The problems that make it unhealthy; empty when it is healthy.
    pub problems: Vec<String>,
}

impl Diagnosis {
    pub(super) fn new(state: &State, probe: Probe) -> Diagnosis {
        let Probe {
            now,
            is_daemon_running,
            ..
        } = probe;
        let mut problems = Vec::new();
        if is_daemon_running == Some(false) && probe.wants_daemon {
            problems.push(NO_DAEMON.to_owned());
        }
        problems.extend(silence(state, probe));
        problems.extend(stuck(state, probe));
        if let Some(error) = &state.report.fetch_error {
            problems.push(format!("no metadata: {error}"));
        }
        let failing = state
            .report
            .resources
            .iter()
            .filter(|entry| entry.is_failing());
        match failing.count() {
            0 => {}
            1 => problems.push("1 resource has failed".to_owned()),
            count => problems.push(format!("{count} resources have failed")),
        }
        if !state.has_ended() && is_daemon_running != Some(false) {
            let hanging = state.report.resources.iter();
            problems.extend(hanging.filter_map(|entry| hanging_check(entry, now)));
        }
        Diagnosis {
            now,
            is_daemon_running,
            problems,
        }
    }
}

impl State {
    /// Returns true if the process that wrote it ended as intended.
    pub fn has_ended(&self) -> bool {
        self.ended.is_some() || self.kind == Kind::Onetime
    }
}

/// The reason to believe that a running daemon hangs.
fn silence(state: &State, probe: Probe) -> Option<String> {
    // Who may not open the lock learns from the silence alone.
    let may_run = probe.is_daemon_running.unwrap_or(!state.has_ended());
    if !may_run {
        return None;
    }
    if probe.is_daemon_running == Some(true) && state.kind == Kind::Daemon && is_stopped(state.pid)
    {
        return Some(format!("the daemon is stopped (pid {})", state.pid));
    }
    // The clock may have been set back: the next heartbeat has its time.
    let silent = probe.now.abs_diff(state.reported);
    let heartbeat = state.heartbeat.max(heartbeat(0));
    (silent > heartbeat * MISSED_HEARTBEATS)
        .then(|| format!("the daemon has not reported for {}: it hangs", age(silent)))
}

/// The step in which a process hangs, or hung when it was killed.
fn stuck(state: &State, probe: Probe) -> Option<String> {
    let stuck = state.report.stuck.as_ref()?;
    let may_run = probe.is_daemon_running.unwrap_or(true) || state.kind == Kind::Onetime;
    (state.ended.is_none() && may_run).then(|| {
        let age = age(probe.now.saturating_sub(stuck.since));
        format!("{} has taken {age}", stuck.step)
    })
}

/// Returns true if somebody has stopped this process (SIGSTOP).
fn is_stopped(pid: u32) -> bool {
    let process = platform::process(pid);
    process.is_ok_and(|process| process.stopped && process.name.starts_with("confd"))
}

fn hanging_check(entry: &Entry, now: u64) -> Option<String> {
    let running = entry
        .running
        .filter(|running| running.command == Command::Check)?;
    let seconds = now.saturating_sub(running.since);
    (seconds > LONGEST_CHECK).then(|| {
        let name = running.command.name();
        format!(
            "{name} of {} has been running for {}",
            entry.file,
            age(seconds)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::status::{Condition, Report, Running};

    fn entry(condition: Condition) -> Entry {
        Entry {
            file: "a.toml".to_owned(),
            dest: "/a".to_owned(),
            condition,
            since: 0,
            running: None,
            reload_error: None,
            notes: Vec::new(),
        }
    }

    fn state(resources: Vec<Entry>, fetch_error: Option<&str>) -> State {
        let report = Report {
            fetch_error: fetch_error.map(str::to_owned),
            resources,
            ..Report::default()
        };
        State {
            // No process has this number.
            pid: u32::MAX,
            heartbeat: 30,
            reported: 10_000,
            ..State::first(Kind::Daemon, report)
        }
    }

    fn problems(
        state: &State,
        is_daemon_running: Option<bool>,
        wants_daemon: bool,
        now: u64,
    ) -> Vec<String> {
        let probe = Probe {
            now,
            is_daemon_running,
            wants_daemon,
        };
        Diagnosis::new(state, probe).problems
    }

    #[test]
    fn a_daemon_must_be_running_and_report() {
        let silent = "the daemon has not reported for 1 minute: it hangs";
        let daemon = state(Vec::new(), None);
        let onetime = State {
            kind: Kind::Onetime,
            ..daemon.clone()
        };
        for (state, is_running, wants_daemon, now, expected) in [
            (&daemon, Some(true), true, 10_060, None),
            (&daemon, Some(true), true, 10_061, Some(silent)),
            (&daemon, Some(true), true, 9_939, Some(silent)),
            (&daemon, Some(true), false, 10_061, Some(silent)),
            (&daemon, Some(false), true, 10_000, Some(NO_DAEMON)),
            (&daemon, Some(false), false, 99_999, None),
            (&daemon, None, true, 10_060, None),
            (&daemon, None, true, 10_061, Some(silent)),
            (&onetime, Some(false), false, 99_999, None),
            (&onetime, None, true, 99_999, None),
            (&onetime, Some(true), true, 10_061, Some(silent)),
        ] {
            let found = problems(state, is_running, wants_daemon, now);
            assert_eq!(
                found,
                Vec::from_iter(expected),
                "{is_running:?} {now} {state:?}"
            );
        }
    }

    #[test]
    fn failures_and_missing_metadata_are_problems() {
        let failed = || entry(Condition::Failed("why".to_owned()));
        let reload_failed = Entry {
            reload_error: Some("exit status 1".to_owned()),
            ..entry(Condition::Pending("waiting".to_owned()))
        };
        for (state, expected) in [
            (state(vec![entry(Condition::InSync)], None), vec![]),
            (state(vec![failed()], None), vec!["1 resource has failed"]),
            (
                state(vec![reload_failed], None),
                vec!["1 resource has failed"],
            ),
            (
                state(
                    vec![failed(), entry(Condition::InSync), failed()],
                    Some("refused"),
                ),
                vec!["no metadata: refused", "2 resources have failed"],
            ),
        ] {
            assert_eq!(problems(&state, Some(true), true, 10_000), expected);
        }
    }

    #[test]
    fn a_check_that_hangs_is_a_problem_and_a_long_reload_is_not() {
        let running = |command| Entry {
            running: Some(Running {
                command,
                since: 9_900,
            }),
            ..entry(Condition::Pending("running".to_owned()))
        };
        let both = state(
            vec![running(Command::Check), running(Command::Reload)],
            None,
        );
        assert!(problems(&both, Some(true), true, 9_960).is_empty());
        let words = "check_cmd of a.toml has been running for 1 minute";
        assert_eq!(problems(&both, Some(true), true, 9_961), [words]);
        assert_eq!(problems(&both, Some(false), true, 9_961), [NO_DAEMON]);
    }
}
