//! `-doctor`: tries what usually is wrong on a node, and says of each thing how it is and what to do. Changes nothing, runs no
//! command, shows no value of the metadata, and ends in seconds whatever hangs: things are tried side by side, with a limit.
//!
//! `docs/doctor.md` explains each check.

mod agents;
mod clock;
mod finding;
mod nodes;
mod places;
mod settings;

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use crate::cli::Args;
use crate::config::Config;
use crate::console::{self, Style};
use crate::error::{Error, Result};
use crate::lint;
use crate::log::{self, Level};
use crate::status;

use finding::{Finding, Verdict};

/// How long one step of a check may take: a name, a connection, an answer, a file system.
const STEP: Duration = Duration::from_secs(2);
/// How long a check may take with all its steps.
const LIMIT: Duration = Duration::from_secs(9);

/// What is examined.
#[derive(Debug)]
struct Case {
    args: Args,
    /// The settings, or what could be read of them.
    config: Arc<Config>,
    /// Why confd would not start with them.
    refusal: Option<Error>,
    lives: OnceLock<Option<bool>>,
}

type Check = fn(&Case) -> Vec<Finding>;

/// In the order of what is printed.
const CHECKS: &[(&str, Check)] = &[
    ("settings", settings::check),
    ("resources", settings::resources),
    ("node", nodes::check),
    ("proxy", nodes::proxy),
    ("dest", places::check),
    ("lock", agents::lock),
    ("agent", agents::check),
    ("daemon", agents::daemon),
    ("clock", clock::check),
];

/// Tries everything and prints what was found. 0 when nothing is wrong, else 1; a warning is not wrong.
pub fn run(args: Args) -> Result<ExitCode> {
    // What the program would log while reading the files is among the findings.
    log::set_level(Level::Fatal);
    let as_json = console::wants_json(&args)?;
    let case = in_time(move || Case::new(args)).ok_or_else(|| Error::Config {
        place: "confd.toml".to_owned(),
        message: format!("cannot be read within {STEP:?}: its file system hangs"),
    })?;
    let case = Arc::new(case?);
    let findings = console::patiently("trying what usually is wrong", || examine(&case));
    console::print(&match as_json {
        true => console::json_list(findings.iter().map(Finding::to_json)),
        false => {
            let style = Style::of_stdout();
            findings.iter().map(|found| found.to_text(style)).collect()
        }
    })?;
    let count = |verdict| findings.iter().filter(|f| f.verdict == verdict).count();
    let (wrong, warnings) = (count(Verdict::Wrong), count(Verdict::Warning));
    // Who does not listen to stderr loses nothing but this.
    let _ = writeln!(io::stderr(), "confd: {wrong} wrong, {warnings} warnings");
    Ok(ExitCode::from(u8::from(wrong > 0)))
}

impl Case {
    /// Wrong flags and variables are an error, as always; a wrong file is among the findings.
    fn new(args: Args) -> Result<Case> {
        let (config, refusal) = match Config::load(&args, |name| env::var_os(name)) {
            Ok(config) => (config, None),
            Err(error @ Error::Usage(_)) => return Err(error),
            // The file may be one that cannot even be read.
            Err(error) => match lint::settings_at_hand(&args) {
                Ok(config) => (config, Some(error)),
                Err(_) => (
                    Config::without_file(&args, |name| env::var_os(name))?,
                    Some(error),
                ),
            },
        };
        Ok(Case {
            args,
            config: Arc::new(config),
            refusal,
            lives: OnceLock::new(),
        })
    }

    /// Whether a daemon lives. Tried once: two who try at the same time take each other for it.
    fn daemon_lives(&self) -> Option<bool> {
        let lives = || status::daemon_lives(&self.config.confdir);
        *self.lives.get_or_init(lives)
    }
}

fn examine(case: &Arc<Case>) -> Vec<Finding> {
    let checks = CHECKS.iter().map(|(_, check)| {
        let case = Arc::clone(case);
        move || check(&case)
    });
    let found = side_by_side(checks, LIMIT).into_iter().zip(CHECKS);
    let found = found.flat_map(|(found, (name, _))| {
        found.unwrap_or_else(|| {
            let message = format!("no answer within {LIMIT:?}");
            let cure = "something hangs that cannot be interrupted: see the kernel's log (dmesg)";
            vec![Finding::new(name, Verdict::Wrong, message, cure)]
        })
    });
    found.collect()
}

/// Does all the work at once, each in a thread of its own; `None` for what is not done within `limit`. What hangs is left
/// behind, and ends with the process.
fn side_by_side<T: Send + 'static, W: FnOnce() -> T + Send + 'static>(
    work: impl IntoIterator<Item = W>,
    limit: Duration,
) -> Vec<Option<T>> {
    let (mut jobs, mut results) = (Vec::new(), Vec::new());
    for work in work {
        let result = Arc::new(Mutex::new(None));
        results.push(Arc::clone(&result));
        let job = move || {
            let done = work();
            *hold(&result) = Some(done);
        };
        jobs.push(Box::new(job) as Job);
    }
    run_for(jobs, limit);
    results.iter().map(|result| hold(result).take()).collect()
}

type Job = Box<dyn FnOnce() + Send>;

/// Starts all jobs, and returns when they have ended or the time is over.
fn run_for(jobs: Vec<Job>, limit: Duration) {
    let running = Arc::new((Mutex::new(0_usize), Condvar::new()));
    for job in jobs {
        let ended = Arc::clone(&running);
        *hold(&running.0) += 1;
        let work = move || {
            job();
            *hold(&ended.0) -= 1;
            ended.1.notify_one();
        };
        if thread::Builder::new().spawn(work).is_err() {
            *hold(&running.0) -= 1;
        }
    }
    // Whether all have ended is seen by their results.
    let _ = (running.1).wait_timeout_while(hold(&running.0), limit, |running| *running > 0);
}

/// What a job that panicked has left is as good as none.
fn hold<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does the work; `None` when it is not done within a [`STEP`].
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    side_by_side([work], STEP).pop().flatten()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn what_hangs_holds_up_nothing_else() {
        let (open, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let work = [false, true, false].map(|hangs| {
            let gate = Arc::clone(&gate);
            move || {
                if hangs {
                    let _closed = gate.lock().unwrap().recv();
                }
                hangs
            }
        });
        let limit = Duration::from_millis(500);
        assert_eq!(side_by_side(work, limit), [Some(false), None, Some(false)]);
        drop(open);
        assert_eq!(in_time(|| 7), Some(7));
    }
}
