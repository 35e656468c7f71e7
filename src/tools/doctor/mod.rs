//! `-doctor`: checks a node for common problems, and prints the status of each check and how to fix
//! it. Changes nothing, runs no command, shows no value of the metadata, and ends in seconds
//! whatever hangs: the checks run side by side, with a limit.
//!
//! `docs/doctor.md` explains each check.

mod agents;
mod clock;
mod commands;
mod nodes;
mod places;
mod settings;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::agent;
use crate::cli::Args;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::log::{self, Level};
use crate::resource;
use crate::threads::{self, Task};
use crate::tools::console::{self, Format};
use crate::tools::finding::{Finding, Report, Severity};
use crate::tools::{lint, status};

/// The timeout of one step of a check: a name, a connection, an answer, a file system.
const STEP: Duration = Duration::from_secs(2);
/// The timeout of a check with all its steps.
const LIMIT: Duration = Duration::from_secs(9);

/// The node that is examined.
#[derive(Debug)]
struct Case {
    args: Args,
    /// The settings, or what could be read of them.
    config: Arc<Config>,
    /// The error with which confd would not start.
    refusal: Option<Error>,
    /// The confdir whose status is meant.
    status_dir: PathBuf,
    is_daemon_running: OnceLock<Option<bool>>,
}

type Check = fn(&Case) -> Vec<Finding>;

/// In the order of the output.
const CHECKS: &[(&str, Check)] = &[
    ("settings", settings::check),
    ("resources", settings::resources),
    ("node", nodes::check),
    ("proxy", nodes::proxy),
    ("dest", places::check),
    ("commands", commands::check),
    ("lock", agents::lock),
    ("agent", agents::check),
    ("daemon", agents::daemon),
    ("clock", clock::check),
];

/// Checks everything and prints the findings. 0 when nothing is wrong, else 1; a warning is not
/// wrong.
pub fn run(args: Args) -> Result<ExitCode> {
    // What the program would log while reading the files is among the findings.
    log::set_level(Level::Fatal);
    let format = Format::from_args(&args)?;
    let case = in_time(move || Case::new(args)).ok_or_else(|| {
        let message = format!("cannot be read within {STEP:?}: its file system hangs");
        Error::config("confd.toml".to_owned(), &message)
    })?;
    let case = Arc::new(case?);
    let mut report = Report::default();
    for finding in console::with_progress("checking", || examine(&case)) {
        report.add(finding);
    }
    report.print(format, "")
}

impl Case {
    /// Wrong flags and variables are an error, as always; a wrong file is among the findings.
    fn new(args: Args) -> Result<Case> {
        let (mut config, refusal) = lint::settings_at_hand(&args)?;
        let status_dir = status::confdir(&args, &config);
        if refusal.is_some() {
            // As -status does: what can be read of the file may lead nowhere.
            config.confdir.clone_from(&status_dir);
        }
        Ok(Case {
            status_dir,
            args,
            config: Arc::new(config),
            refusal,
            is_daemon_running: OnceLock::new(),
        })
    }

    /// The files of the resources; none when they cannot be listed, which another check reports.
    fn resource_files(&self) -> Vec<PathBuf> {
        resource::list(&self.config.confdir.join("conf.d")).unwrap_or_default()
    }

    /// Returns true if a daemon is running. Found out once: two tests at the same time take each
    /// other for a daemon.
    fn is_daemon_running(&self) -> Option<bool> {
        let is_running = || agent::status::is_daemon_running(&self.status_dir);
        *self.is_daemon_running.get_or_init(is_running)
    }
}

fn examine(case: &Arc<Case>) -> Vec<Finding> {
    let mut tasks: Vec<Task<Vec<Finding>>> = Vec::new();
    for (_, check) in CHECKS {
        let case = Arc::clone(case);
        tasks.push(Box::new(move || check(&case)));
    }
    let mut findings = Vec::new();
    for (found, (name, _)) in threads::run_all_within(LIMIT, tasks)
        .into_iter()
        .zip(CHECKS)
    {
        match found {
            Some(found) => findings.extend(found),
            None => {
                let message = format_args!("no answer within {LIMIT:?}");
                let help =
                    "see the kernel's log (dmesg): something hangs that cannot be interrupted";
                findings.push(Finding::new(name, Severity::Error, message, help));
            }
        }
    }
    findings
}

/// The result of the work; `None` when it takes longer than a [`STEP`].
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    threads::run_within(STEP, work)
}
