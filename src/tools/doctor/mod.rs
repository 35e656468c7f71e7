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
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::agent::status;
use crate::cli::Args;
use crate::config::Config;
use crate::error::{self, Error, Result};
use crate::log::{self, Level};
use crate::resource;
use crate::threads::{self, Task};
use crate::tools::console::{self, Style};
use crate::tools::lint;

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
    let case = in_time(move || Case::new(args)).ok_or_else(|| {
        let message = format!("cannot be read within {STEP:?}: its file system hangs");
        Error::config("confd.toml".to_owned(), &message)
    })?;
    let case = Arc::new(case?);
    let findings = console::patiently("trying what usually is wrong", || examine(&case));
    console::print(&match as_json {
        true => console::json_list(findings.iter().map(Finding::to_json)),
        false => in_words(&findings, Style::of_stdout()),
    })?;
    let count = |verdict| findings.iter().filter(|f| f.verdict == verdict).count();
    let (wrong, warnings) = (count(Verdict::Wrong), count(Verdict::Warning));
    // Who does not listen to stderr loses nothing but this.
    let _ = writeln!(io::stderr(), "confd: {wrong} wrong, {warnings} warnings");
    Ok(ExitCode::from(u8::from(wrong > 0)))
}

fn in_words(findings: &[Finding], style: Style) -> String {
    let mut text = String::new();
    for finding in findings {
        text.push_str(&finding.to_text(style));
    }
    text
}

impl Case {
    /// Wrong flags and variables are an error, as always; a wrong file is among the findings.
    fn new(args: Args) -> Result<Case> {
        let (config, refusal) = match Config::load(&args, |name| env::var_os(name)) {
            Ok(config) => (config, None),
            Err(error) if matches!(error.kind(), error::Kind::Usage(_)) => return Err(error),
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

    /// The files of the resources; none when they cannot be listed, which another check says.
    fn resource_files(&self) -> Vec<PathBuf> {
        let found = resource::find(&self.config.confdir.join("conf.d")).unwrap_or_default();
        found.into_iter().map(|(path, _)| path).collect()
    }

    /// Whether a daemon lives. Tried once: two who try at the same time take each other for it.
    fn daemon_lives(&self) -> Option<bool> {
        let lives = || status::is_daemon_running(&self.config.confdir);
        *self.lives.get_or_init(lives)
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
                let cure =
                    "something hangs that cannot be interrupted: see the kernel's log (dmesg)";
                findings.push(Finding::new(name, Verdict::Wrong, message, cure));
            }
        }
    }
    findings
}

/// Does the work; `None` when it is not done within a [`STEP`].
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    threads::run_within(STEP, work)
}
