//! `-status`: prints the status file that the agent writes, and whether that is healthy.
//!
//! Anybody may read that file, so no value of the metadata gets into it.

mod view;

use std::path::Path;
use std::process::ExitCode;

use crate::agent::status::{Condition, Kind, State, daemon_lives, file, now, rhythm};
use crate::cli::Args;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::tools::console::{self, Style};

/// The daemon looks at everything once in each interval, and says so; after so many without a word it hangs.
const SILENT_INTERVALS: u64 = 3;
const NO_DAEMON: &str = "no daemon is running";

/// What was typed.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    as_json: bool,
    /// The last run counts, whether or not a daemon lives.
    onetime: bool,
}

impl Options {
    /// `-status`, `-format json`, `-onetime`.
    pub fn from_args(args: &Args) -> Result<Options> {
        Ok(Options {
            as_json: console::wants_json(args)?,
            onetime: args.is_on("onetime"),
        })
    }
}

/// Prints the state. 0 when all is well, else 1.
pub fn run(config: &Config, options: Options) -> Result<ExitCode> {
    let path = file(&config.confdir);
    let Some(state) = State::read(&path)? else {
        return Err(Error::resource(
            &path,
            "is not there: no confd has run with this confdir yet",
        ));
    };
    let findings = Findings::new(
        &state,
        daemon_lives(&config.confdir),
        options.onetime,
        now(),
    );
    console::print(&match options.as_json {
        true => format!("{:#}\n", view::json(&state, &findings)),
        false => view::text(&state, &findings, Style::of_stdout()),
    })?;
    Ok(ExitCode::from(u8::from(!findings.problems.is_empty())))
}

/// What `-status` says, in short.
#[derive(Debug)]
pub struct Summary {
    /// How the process is that reported last.
    pub process: String,
    /// What a health check has to know; nothing when all is well.
    pub problems: Vec<String>,
    /// Nothing is wrong but that no daemon runs, because it was told to end or was never started.
    pub only_ended: bool,
}

/// The state of this confdir in short; `None` when no confd has run with it yet.
pub fn summary(confdir: &Path, daemon_lives: Option<bool>) -> Result<Option<Summary>> {
    let Some(state) = State::read(&file(confdir))? else {
        return Ok(None);
    };
    let findings = Findings::new(&state, daemon_lives, false, now());
    let ended = state.ended.is_some() || state.kind == Kind::Onetime;
    Ok(Some(Summary {
        process: view::process(&state, &findings),
        only_ended: ended && findings.problems == [NO_DAEMON],
        problems: findings.problems,
    }))
}

/// What follows from a state at one moment.
#[derive(Debug)]
struct Findings {
    /// Seconds since 1970.
    now: u64,
    /// `None`: there is no telling.
    daemon_lives: Option<bool>,
    /// What a health check has to know; nothing when all is well.
    problems: Vec<String>,
}

impl Findings {
    fn new(state: &State, daemon_lives: Option<bool>, onetime: bool, now: u64) -> Findings {
        let mut problems = Vec::new();
        let silence = now.saturating_sub(state.checked);
        // Who may not open the lock learns from the daemon's silence alone.
        let is_daemon = match daemon_lives {
            None => state.kind == Kind::Daemon && state.ended.is_none(),
            Some(lives) => lives,
        };
        if daemon_lives == Some(false) && !onetime {
            problems.push(NO_DAEMON.to_owned());
        } else if is_daemon && silence > rhythm(state.interval) * SILENT_INTERVALS {
            let age = console::age(silence);
            problems.push(format!("the daemon has not been heard of for {age}"));
        }
        if let Some(trouble) = &state.report.trouble {
            problems.push(format!("no metadata: {trouble}"));
        }
        let failed = state.report.resources.iter();
        let failed = failed.filter(|entry| matches!(entry.condition, Condition::Failed(_)));
        match failed.count() {
            0 => {}
            1 => problems.push("1 resource has failed".to_owned()),
            count => problems.push(format!("{count} resources have failed")),
        }
        Findings {
            now,
            daemon_lives,
            problems,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::status::{Entry, Report};

    fn state(conditions: &[Condition], trouble: Option<&str>) -> State {
        let entries = conditions.iter().map(|condition| Entry {
            file: "a.toml".to_owned(),
            dest: "/a".to_owned(),
            condition: condition.clone(),
        });
        let report = Report {
            metadata: None,
            trouble: trouble.map(str::to_owned),
            resources: entries.collect(),
        };
        State {
            interval: 600,
            checked: 10_000,
            ..State::first(Kind::Daemon, report)
        }
    }

    #[test]
    fn what_a_health_check_has_to_know() {
        let failed = || Condition::Failed("why".to_owned());
        let pending = || Condition::Pending("its reload_cmd runs".to_owned());
        let well = state(&[Condition::InSync, pending()], None);
        let ill = state(&[failed(), Condition::InSync, failed()], Some("refused"));
        let one = state(&[failed()], None);
        let silent = "the daemon has not been heard of for 30 minutes";
        let none: &[&str] = &[];
        for (state, lives, onetime, now, problems) in [
            (&well, Some(true), false, 10_600, none),
            (&well, Some(true), false, 9_000, none),
            (&well, Some(true), true, 11_801, &[silent]),
            (&well, Some(false), false, 10_000, &["no daemon is running"]),
            (&well, Some(false), true, 99_999, none),
            (&well, None, false, 10_600, none),
            (&well, None, false, 11_801, &[silent]),
            (&one, Some(true), false, 10_000, &["1 resource has failed"]),
            (
                &ill,
                Some(true),
                false,
                10_000,
                &["no metadata: refused", "2 resources have failed"],
            ),
        ] {
            let findings = Findings::new(state, lives, onetime, now);
            assert_eq!(findings.problems, problems, "{lives:?} {onetime} {now}");
        }
    }
}
