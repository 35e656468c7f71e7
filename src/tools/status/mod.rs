//! `-status`: prints the status file that the agent writes, and exits with 1 if it is unhealthy.
//!
//! Reads nothing else, except confd.toml for the confdir.

mod diagnosis;
mod view;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::agent::status::{Condition, State, file, is_daemon_running, now};
use crate::cli::Args;
use crate::config::{self, Config};
use crate::error::{Error, Result};
use crate::resource::stage::unit::why_undone;
use crate::tools::console::{self, Format, Style};
use crate::tools::lint;

use diagnosis::{Diagnosis, NO_DAEMON, Probe};
use view::Findings;

/// Prints the state. 0 when it is healthy, else 1.
pub fn run(args: &Args) -> Result<ExitCode> {
    let format = Format::from_args(args)?;
    let (config, refusal) = lint::settings_at_hand(args)?;
    let confdir = confdir(args, &config);
    if let Some(error) = refusal {
        let place = confdir.display();
        console::note(format_args!("{}; reading {place}", error.chain()));
    }
    let path = file(&confdir);
    let Some(mut state) = State::read(&path)? else {
        let problem = "does not exist: no confd has run with this confdir yet";
        return Err(Error::resource(&path, problem));
    };
    add_outputs(&mut state, &confdir);
    let probe = Probe {
        now: now(),
        is_daemon_running: is_daemon_running(&confdir),
        wants_daemon: !args.is_on("onetime"),
    };
    let diagnosis = Diagnosis::new(&state, probe);
    console::print(&match format {
        Format::Text => view::text(&state, &diagnosis, Style::of_stdout()),
        Format::Json => {
            let json = serde_json::to_string_pretty(&Findings(&state, &diagnosis));
            json.map_err(|error| Error::io("print", &path, error.into()))? + "\n"
        }
    })?;
    Ok(ExitCode::from(u8::from(!diagnosis.problems.is_empty())))
}

/// Adds the output of the commands because of which files were rolled back, which not everybody may
/// read and the status file does not have.
fn add_outputs(state: &mut State, confdir: &Path) {
    for entry in &mut state.report.resources {
        if let Condition::Failed(detail) = &mut entry.condition
            && detail.starts_with("rolled back: ")
            && let Some(reason) = why_undone(confdir, &Path::new("conf.d").join(&entry.file))
        {
            *detail = format!("rolled back: {}", reason.full);
        }
    }
}

/// The confdir whose status is meant with these settings: where they lead to no status, and no flag
/// names the directory, that of the settings file is looked at.
pub fn confdir(args: &Args, config: &Config) -> PathBuf {
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
    found.unwrap_or(&config.confdir).to_owned()
}

/// The output of `-status` in short.
#[derive(Debug)]
pub struct Summary {
    /// The state of the process that reported last.
    pub process: String,
    /// The problems that make it unhealthy; empty when it is healthy.
    pub problems: Vec<String>,
    /// The only problem is that no daemon is running, because it was shut down or never started.
    pub is_only_stopped: bool,
    /// The notes.
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
