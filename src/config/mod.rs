//! The settings: defaults < confd.toml < environment (`CONFD_<KEY>`) < flags. Checked once, never
//! changed after.
//!
//! Every complaint names the place that the wrong value came from. Reads one file and touches
//! nothing else: whether a node answers or a directory exists is found out by those who use it.

pub mod advice;
mod layers;
mod nodes;
pub mod table;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::Args;
use crate::error::Result;
use crate::go::path;
use crate::keys;
use crate::log::Level;
use crate::nearest::nearest;
use crate::platform;

use layers::{Found, Layers, Variables};
pub use nodes::Nodes;
use table::{Table, Warning};

/// In the usual confdir; read when it is there and `-config-file` does not name another one.
const DEFAULT_FILE: &str = "confd.toml";
const DEFAULT_INTERVAL: u64 = 600;
const DEFAULT_ONETIME_WAIT: Duration = Duration::from_secs(15);
const DEFAULT_POLL_LIMIT: Duration = Duration::from_secs(60);
/// The longest interval in seconds, a year: more would leave the system's clocks when added up.
const LONGEST_INTERVAL: u64 = 366 * 86_400;
/// The shortest time of a long poll: a shorter one would be a busy loop.
const SHORTEST_POLL_LIMIT: Duration = Duration::from_millis(100);

const SHORTEST_JITTER: Duration = Duration::from_secs(2);
const LONGEST_JITTER: Duration = Duration::from_secs(60);

/// The settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the metadata comes from.
    pub source: Source,
    /// The global prefix, cleaned, with a leading slash; none when it is not set, so that each
    /// resource's own counts.
    pub prefix: Option<String>,
    /// The directory of `conf.d` and `templates`.
    pub confdir: PathBuf,
    /// The mode of the run.
    pub mode: Mode,
    /// The time after which everything is checked again; at least 1 s.
    pub interval: Duration,
    /// The longest wait for metadata with `-onetime`.
    pub onetime_wait: Duration,
    /// Log what would change, change nothing.
    pub noop: bool,
    /// Run no command.
    pub sync_only: bool,
    /// Keep staged files.
    pub keep_stage_file: bool,
    /// The default of `strict` in a resource.
    pub strict: bool,
    /// In watch mode, put back at the interval what others change, where the resource does not say.
    pub reconcile: bool,
    /// The time without changes of the metadata before a change is applied.
    pub settle: Duration,
    /// The longest random wait before a change is applied, and before a service that was lost is
    /// asked again, so that a cluster does neither as one.
    pub splay: Duration,
    /// The time after which a long poll is renewed.
    pub poll_limit: Duration,
    /// The directory that stands for `/` where files are written: an image that is made elsewhere.
    /// No command runs then.
    pub root: Option<PathBuf>,
    /// The lowest level that is logged.
    pub log_level: Level,
    /// Harmless mistakes in confd.toml. Logged by the caller, after the level is set.
    pub warnings: Vec<Warning>,
}

/// Where the metadata comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A metadata service, at any of its nodes.
    Metad(Nodes),
    /// Recorded metadata; later files add to earlier ones.
    File(Vec<PathBuf>),
    /// Environment variables.
    Env,
}

/// The mode of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Render everything once.
    Onetime,
    /// Check everything at each interval.
    Interval,
    /// Wait for changes.
    Watch,
}

impl Config {
    /// Loads the settings. `env` looks up one environment variable.
    pub fn load(args: &Args, env: impl Fn(&str) -> Option<OsString>) -> Result<Config> {
        Config::load_with(args, &env)
    }

    fn load_with(args: &Args, env: &Variables<'_>) -> Result<Config> {
        let file = read_file(args)?;
        Config::from_layers(&Layers { file, env, args })
    }

    /// Loads the settings without a file.
    pub fn without_file(args: &Args, env: impl Fn(&str) -> Option<OsString>) -> Result<Config> {
        Config::from_layers(&Layers {
            file: None,
            env: &env,
            args,
        })
    }

    fn from_layers(layers: &Layers<'_>) -> Result<Config> {
        let prefix = layers.text("prefix")?;
        let confdir = layers.text("confdir")?;
        let onetime_wait = layers.duration("onetime_wait")?;
        let settle = layers.duration("settle")?;
        let splay = layers.duration("splay")?;
        // Only as a flag: in a file or a variable it would quietly keep a node's own files from
        // being made.
        let root = layers.args.last("root").filter(|root| !root.is_empty());
        Ok(Config {
            source: Source::from_layers(layers)?,
            prefix: prefix.map(|found| path::clean(&format!("/{}", found.value))),
            confdir: confdir.map_or_else(platform::usual_confdir, |found| found.value.into()),
            mode: mode(layers)?,
            interval: interval(layers.integer("interval")?)?,
            onetime_wait: onetime_wait.map_or(DEFAULT_ONETIME_WAIT, |found| found.value),
            noop: layers.is_on("noop")?,
            sync_only: root.is_some() || layers.is_on("sync-only")?,
            keep_stage_file: layers.is_on("keep-stage-file")?,
            strict: layers.is_on("strict")?,
            reconcile: layers.is_on("reconcile")?,
            settle: settle.map_or(Duration::ZERO, |found| found.value),
            splay: splay.map_or(Duration::ZERO, |found| found.value),
            poll_limit: poll_limit(layers.duration("poll_limit")?)?,
            root: root.map(PathBuf::from),
            log_level: log_level(layers.text("log-level")?)?,
            warnings: layers.file.as_ref().map_or(Vec::new(), |file| {
                let known =
                    keys::names(keys::SETTINGS).chain(keys::UNUSED_SETTINGS.iter().copied());
                file.unknown(&known.collect::<Vec<_>>())
            }),
        })
    }

    /// Returns true if both ask the same source for the same metadata at the same times.
    pub fn asks_like(&self, other: &Config) -> bool {
        (&self.source, &self.prefix, self.mode) == (&other.source, &other.prefix, other.mode)
            && (self.interval, self.poll_limit) == (other.interval, other.poll_limit)
            && (self.splay, self.looks_only()) == (other.splay, other.looks_only())
    }

    /// Returns true if both see the same metadata.
    pub fn sees_like(&self, other: &Config) -> bool {
        (&self.source, &self.prefix) == (&other.source, &other.prefix)
    }

    /// The time over which nodes that lost the service in the same moment ask it again.
    pub fn jitter(&self) -> Duration {
        match self.mode {
            Mode::Onetime => SHORTEST_JITTER,
            Mode::Interval | Mode::Watch => self.splay.clamp(SHORTEST_JITTER, LONGEST_JITTER),
        }
    }

    /// Returns true if nothing on this machine is changed, as with -noop and -root.
    pub fn looks_only(&self) -> bool {
        self.noop || self.root.is_some()
    }

    /// The path of the metadata to fetch: the global prefix, or everything.
    pub fn fetch_prefix(&self) -> &str {
        self.prefix.as_deref().unwrap_or("/")
    }
}

/// The settings file: the one given, which must exist, or the default one if it exists.
pub fn settings_file(args: &Args) -> Option<PathBuf> {
    let typed = args.last("config-file").filter(|path| !path.is_empty());
    match typed {
        Some(path) => Some(path.into()),
        // Whether it can be read is found out by reading it.
        None => {
            let usual = platform::usual_confdir().join(DEFAULT_FILE);
            usual.symlink_metadata().is_ok().then_some(usual)
        }
    }
}

/// Variables that commands get from the daemon: confd may be run by one of them.
const OF_COMMANDS: &[&str] = &["CONFD_SRC", "CONFD_DEST", "CONFD_CHANGED_KEYS"];

/// One warning for each of these environment variables that begins like a setting's and is none,
/// with the one that was probably meant.
pub fn unknown_variables(names: impl Iterator<Item = String>) -> Vec<Warning> {
    let mut names: Vec<String> = names.filter(|name| name.starts_with("CONFD_")).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let known: Vec<String> = keys::names(keys::SETTINGS)
        .chain(keys::UNUSED_SETTINGS.iter().copied())
        .map(layers::variable_name)
        .collect();
    let known = || {
        known
            .iter()
            .map(String::as_str)
            .chain(OF_COMMANDS.iter().copied())
    };
    names.retain(|name| !known().any(|known| known == name));
    names.sort_unstable();
    let warning = |name: String| {
        let meant = nearest(&name, known());
        let hint = meant.map_or(String::new(), |meant| format!("; did you mean {meant}?"));
        Warning {
            place: "environment".to_owned(),
            message: format!("unknown variable {name} is ignored{hint}"),
        }
    };
    names.into_iter().map(warning).collect()
}

fn read_file(args: &Args) -> Result<Option<Table>> {
    let file = settings_file(args);
    file.as_deref().map(Table::read).transpose()
}

fn mode(layers: &Layers<'_>) -> Result<Mode> {
    // An image is made once, whatever the confd.toml of its nodes says.
    let typed_root = layers.args.is_given("root") && !layers.args.is_given("watch");
    let watch = layers.is_on("watch")?;
    Ok(match (layers.args.is_on("onetime") || typed_root, watch) {
        (true, _) => Mode::Onetime,
        (false, true) => Mode::Watch,
        (false, false) => Mode::Interval,
    })
}

fn interval(found: Option<Found<i64>>) -> Result<Duration> {
    let Some(found) = found else {
        return Ok(Duration::from_secs(DEFAULT_INTERVAL));
    };
    found.mean(|seconds| match u64::try_from(seconds) {
        Ok(seconds @ 1..=LONGEST_INTERVAL) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!(
            "must be 1 to {LONGEST_INTERVAL} seconds, not {seconds}"
        )),
    })
}

fn poll_limit(found: Option<Found<Duration>>) -> Result<Duration> {
    let Some(found) = found else {
        return Ok(DEFAULT_POLL_LIMIT);
    };
    found.mean(|limit| {
        if limit >= SHORTEST_POLL_LIMIT {
            Ok(limit)
        } else {
            Err(format!("must be {SHORTEST_POLL_LIMIT:?} at least"))
        }
    })
}

fn log_level(found: Option<Found<String>>) -> Result<Level> {
    let Some(found) = found else {
        return Ok(Level::Info);
    };
    found.mean(|name| {
        Level::parse(&name)
            .ok_or_else(|| format!("must be debug, info, warn, error or fatal, not {name:?}"))
    })
}

impl Source {
    fn from_layers(layers: &Layers<'_>) -> Result<Source> {
        let files = layers.list("file")?;
        let files = files.map_or(Vec::new(), |found| found.value);
        let files: Vec<PathBuf> = files.into_iter().map(PathBuf::from).collect();
        // Whoever types -file means it, whatever backend confd.toml names.
        let typed = |flag| !layers.args.all(flag).is_empty();
        if typed("file") && !typed("backend") && !files.is_empty() {
            return Ok(Source::File(files));
        }
        let Some(backend) = layers.text("backend")? else {
            return Nodes::from_layers(layers).map(Source::Metad);
        };
        if backend.value == "metad" {
            return Nodes::from_layers(layers).map(Source::Metad);
        }
        backend.mean(|name| match name.as_str() {
            "env" => Ok(Source::Env),
            "file" if files.is_empty() => Err("is file, but no file is given".to_owned()),
            "file" => Ok(Source::File(files)),
            _ => Err(format!("must be metad, file or env, not {name:?}")),
        })
    }
}

#[cfg(test)]
mod tests;
