//! `-status`: prints the status file that the agent writes, and exits with 1 if it is unhealthy.
//!
//! Reads nothing else: a broken confd.toml only matters where it says which confdir is meant.

mod diagnosis;
mod view;

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::agent::status::{State, file, is_daemon_running, now};
use crate::cli::Args;
use crate::config::{self, Config};
use crate::error::{self, Error, Result};
use crate::tools::console::{self, Style};
use crate::tools::lint;

use diagnosis::{Diagnosis, NO_DAEMON, Probe};

/// Prints the state. 0 when it is healthy, else 1.
pub fn run(args: &Args) -> Result<ExitCode> {
    let as_json = console::wants_json(args)?;
    let (confdir, refusal) = confdir(args)?;
    if let Some(error) = refusal {
        let place = confdir.display();
        // Who does not read stderr misses only this.
        let _ = writeln!(io::stderr(), "confd: {}; reading {place}", error.chain());
    }
    let path = file(&confdir);
    let Some(state) = State::read(&path)? else {
        let problem = "does not exist: no confd has run with this confdir yet";
        return Err(Error::resource(&path, problem));
    };
    let probe = Probe {
        now: now(),
        is_daemon_running: is_daemon_running(&confdir),
        wants_daemon: !args.is_on("onetime"),
    };
    let diagnosis = Diagnosis::new(&state, probe);
    let text = if as_json {
        format!("{:#}\n", view::json(&state, &diagnosis))
    } else {
        view::text(&state, &diagnosis, Style::of_stdout())
    };
    console::print(&text)?;
    Ok(ExitCode::from(u8::from(!diagnosis.problems.is_empty())))
}

/// The confdir whose status is meant, and what is wrong with confd.toml. That file is believed as
/// far as it can be read; where that leads to no status, the directory of the file itself is looked
/// at. Wrong flags and variables are an error.
pub fn confdir(args: &Args) -> Result<(PathBuf, Option<Error>)> {
    let variable = |name: &str| env::var_os(name);
    let (config, refusal) = match Config::load(args, variable) {
        Ok(config) => (config, None),
        Err(error) if matches!(error.kind(), error::Kind::Usage(_)) => return Err(error),
        Err(error) => {
            let known = lint::settings_at_hand(args);
            let config = known.or_else(|_| Config::without_file(args, variable))?;
            (config, Some(error))
        }
    };
    let is_typed = args
        .last("confdir")
        .is_some_and(|confdir| !confdir.is_empty());
    let settings = config::settings_file(args).filter(|_| !is_typed);
    let beside = settings.as_deref().and_then(Path::parent);
    let has_status = |confdir: &&Path| file(confdir).exists();
    let found = [Some(config.confdir.as_path()), beside]
        .into_iter()
        .flatten()
        .find(has_status);
    Ok((found.unwrap_or(&config.confdir).to_owned(), refusal))
}

/// The output of `-status` in short.
#[derive(Debug)]
pub struct Summary {
    /// The state of the process that reported last.
    pub process: String,
    /// What makes it unhealthy; nothing when it is healthy.
    pub problems: Vec<String>,
    /// The only problem is that no daemon is running, because it was shut down or never started.
    pub is_only_stopped: bool,
    /// What else deserves attention.
    pub notes: Vec<String>,
}

/// The state of this confdir in short; `None` when no confd has run with it yet.
pub fn summary(confdir: &Path, is_daemon_running: Option<bool>) -> Result<Option<Summary>> {
    let Some(state) = State::read(&file(confdir))? else {
        return Ok(None);
    };
    let probe = Probe {
        now: now(),
        is_daemon_running,
        wants_daemon: true,
    };
    let diagnosis = Diagnosis::new(&state, probe);
    Ok(Some(Summary {
        process: view::process(&state, &diagnosis),
        is_only_stopped: state.has_ended() && diagnosis.problems == [NO_DAEMON],
        problems: diagnosis.problems,
        notes: view::notes(&state),
    }))
}
