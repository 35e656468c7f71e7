//! The agent's reports about itself: the status file, and the log's lines about the start
//! and about failures that last. Everybody may read it, so no value of the metadata gets in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Agent;
use super::reminders::Reminders;
use super::slot::{Slot, State};
use super::status::{self, Command, Condition, Entry, Report, Reporter, Running};
use crate::config::{Config, Mode, Nodes, Source};
use crate::error::Error;
use crate::log;
use crate::resource;

/// A report that took longer than this, as one of thousands of resources does, is followed by none
/// for so many times as long, and no longer than that.
const SHORT: Duration = Duration::from_millis(5);
const REST: u32 = 4;
const LONGEST_REST: Duration = Duration::from_millis(500);

/// The side of the agent that others see.
#[derive(Debug)]
pub(super) struct Health {
    /// None when nothing is to be written.
    reporter: Option<Reporter>,
    reminders: Reminders,
    /// The last reload of each of these files failed, with the reason; of blocks, that of each of
    /// these resources. Kept until one succeeds, across changes of conf.d and restarts.
    reload_errors: BTreeMap<PathBuf, String>,
    /// The resources as they are before conf.d has been read.
    expected: Vec<Entry>,
    /// The notes that belong to no resource, by their cause.
    notes: BTreeMap<&'static str, String>,
    /// No report before: thousands of resources are not reported after each event.
    report_from: Instant,
    /// Something may have happened since the last report.
    is_behind: bool,
}

impl Health {
    /// Nothing is written before the first report.
    pub(super) fn start(config: &Config) -> Health {
        let reporter = Reporter::start(config);
        let mut reload_errors = BTreeMap::new();
        for entry in reporter.iter().flat_map(Reporter::past) {
            if let Some(error) = &entry.reload_error {
                // It is not known which of them are blocks.
                let file = config.confdir.join("conf.d").join(&entry.file);
                reload_errors.insert(file, error.clone());
                reload_errors.insert(PathBuf::from(&entry.dest), error.clone());
            }
        }
        Health {
            reload_errors,
            reporter,
            reminders: Reminders::default(),
            expected: Vec::new(),
            notes: BTreeMap::new(),
            report_from: Instant::now(),
            is_behind: false,
        }
    }

    /// Lists the files of conf.d, which is reported until they are read.
    fn expect_resources(&mut self, conf_d: &Path) -> usize {
        // What is wrong with the directory is reported when its files are read.
        let found = resource::list(conf_d).unwrap_or_default();
        let past = self.reporter.as_ref().map_or(&[][..], Reporter::past);
        let mut expected = Vec::new();
        for path in &found {
            let pending = Condition::Pending("waiting for metadata".to_owned());
            let mut entry = bare_entry(conf_d, path, pending);
            if let Some(past) = past.iter().find(|past| past.file == entry.file) {
                entry.dest = past.dest.clone();
                entry.take_reload_error(past.reload_error.as_ref());
            }
            expected.push(entry);
        }
        self.expected = expected;
        found.len()
    }

    /// Takes the result of the reload of a file, or of a block: its error, if it failed. One that
    /// has no reload command has succeeded.
    pub(super) fn take_reload(&mut self, key: &Path, error: Option<&Error>) {
        match error {
            None => self.reload_errors.remove(key),
            Some(error) => self.reload_errors.insert(key.to_owned(), error.redacted()),
        };
    }

    /// Takes a note about what is wrong with `cause`, or that nothing is any more.
    pub(super) fn note(&mut self, cause: &'static str, problem: Option<String>) {
        match problem {
            Some(problem) => self.notes.insert(cause, problem),
            None => self.notes.remove(cause),
        };
    }

    /// Takes over new settings of the same confdir.
    pub(super) fn take_config(&mut self, config: &Config) {
        match &mut self.reporter {
            Some(reporter) if !config.looks_only() => reporter.set_interval(config),
            reporter => *reporter = Reporter::start(config),
        }
    }

    /// The status file; none when none is written.
    pub(super) fn status_file(&self) -> Option<PathBuf> {
        Some(self.reporter.as_ref()?.path().to_owned())
    }

    /// The time by which it wants the next report.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let report = self.reporter.as_ref().and_then(Reporter::next_due);
        let behind = self.is_behind.then_some(self.report_from);
        [report, self.reminders.next_due(), behind]
            .into_iter()
            .flatten()
            .min()
    }
}

impl Agent {
    /// Reports the state of everything, or notes that this is to be done in a moment; to be called
    /// whenever the loop has done something, and when [`Health::next_due`] says so.
    pub(super) fn report_in_time(&mut self) {
        let start = Instant::now();
        self.health.is_behind = start < self.health.report_from;
        if !self.health.is_behind {
            self.report();
            let end = Instant::now();
            let cost = end.saturating_duration_since(start);
            if cost > SHORT {
                self.health.report_from = end + (cost * REST).min(LONGEST_REST);
            }
        }
    }

    /// Reports the state of everything.
    pub(super) fn report(&mut self) {
        let now = Instant::now();
        let report = self.remind(now);
        let is_overwritten = self.watchdog.has_written();
        if let Some(reporter) = &mut self.health.reporter {
            if is_overwritten {
                reporter.write_again();
            }
            reporter.report(report, now);
        }
    }

    /// Reports for the last time.
    pub(super) fn report_end(&mut self) {
        let report = self.remind(Instant::now());
        if let Some(reporter) = self.health.reporter.take() {
            reporter.end(report);
        }
    }

    /// Logs what is to be logged about lasting failures; returns the state of everything.
    fn remind(&mut self, now: Instant) -> Report {
        let report = self.to_report();
        for (level, line) in self.health.reminders.take(&report, now) {
            log::at(level, line);
        }
        report
    }

    fn to_report(&self) -> Report {
        let conf_d = self.config.confdir.join("conf.d");
        let mut resources = Vec::new();
        if self.rounds == 0 {
            resources.clone_from(&self.health.expected);
        }
        let is_over = |path: &PathBuf, slot: &Slot| {
            slot.is_removed() && slot.reloading.is_none() && !self.reloads.is_pending(path)
        };
        let is_shown =
            |path: &PathBuf, slot: &Slot| !self.broken.contains_key(path) && !is_over(path, slot);
        let slots = self.slots.iter();
        for (path, slot) in slots.filter(|(path, slot)| is_shown(path, slot)) {
            resources.push(self.entry(&conf_d, path, slot));
        }
        for (path, broken) in self.broken.iter() {
            let condition = Condition::Failed(broken.message.clone());
            // The resource as it was before may have a reload that runs, or that has failed.
            resources.push(match self.slots.get(path) {
                Some(slot) => Entry {
                    condition,
                    ..self.entry(&conf_d, path, slot)
                },
                None => bare_entry(&conf_d, path, condition),
            });
        }
        // Mostly they are in this order already.
        if !resources.is_sorted_by(|one, other| one.file <= other.file) {
            resources.sort_unstable_by(|one, other| one.file.cmp(&other.file));
        }
        Report {
            metadata: self.metadata.clone(),
            fetch_error: self.fetch_error.clone(),
            stuck: self.stuck_at_lock(),
            resources,
            notes: self.health.notes.values().cloned().collect(),
        }
    }

    fn entry(&self, conf_d: &Path, path: &Path, slot: &Slot) -> Entry {
        let dest = slot.resource.dest();
        let command = match &slot.state {
            _ if slot.reloading.is_some() => Some(Command::Reload),
            State::Checking(_) => Some(Command::Check),
            _ => None,
        };
        let is_reload_pending = self.reloads.is_pending(path);
        let condition = condition(slot, command, is_reload_pending);
        let mut entry = Entry {
            dest: dest.display().to_string(),
            running: command.map(|command| Running {
                command,
                since: status::now(),
            }),
            notes: notes(slot),
            ..bare_entry(conf_d, path, condition)
        };
        entry.take_reload_error(self.health.reload_errors.get(slot.reload_key(path)));
        entry
    }

    /// [`Slot::reload_key`]; that of a resource which is gone is its dest.
    pub(super) fn reload_key(&self, path: &Path, dest: &Path) -> PathBuf {
        let slot = self.slots.get(path);
        slot.map_or(dest, |slot| slot.reload_key(path)).to_owned()
    }

    /// The backend, and the places that the metadata comes from.
    pub(super) fn source(&self) -> (&'static str, String) {
        match &self.config.source {
            Source::Metad(Nodes::Urls(urls)) => ("metad", urls.join(", ").replace("http://", "")),
            Source::Metad(Nodes::Srv(record)) => {
                ("metad", format!("those of the SRV record {record}"))
            }
            Source::File(paths) => {
                let paths: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
                ("file", paths.join(", "))
            }
            Source::Env => ("env", "the environment".to_owned()),
        }
    }

    /// Logs the original's lines about the source of the metadata.
    pub(super) fn log_source(&self) {
        let (backend, nodes) = self.source();
        log::info(format_args!("Backend set to {backend}"));
        log::info("Starting confd");
        log::info(format_args!("Backend nodes set to {nodes}"));
    }

    /// Logs what this process is going to work on.
    pub(super) fn log_start(&mut self) {
        let count = self
            .health
            .expect_resources(&self.config.confdir.join("conf.d"));
        let Config {
            confdir,
            mode,
            interval,
            ..
        } = &*self.config;
        let prefix = self.config.prefix.as_deref().unwrap_or("none");
        let mode = match mode {
            Mode::Onetime => "once".to_owned(),
            Mode::Interval => format!("every {} s", interval.as_secs()),
            Mode::Watch => "watching".to_owned(),
        };
        let plural = if count == 1 { "" } else { "s" };
        log::info(format_args!(
            "confd {}, confdir {}, prefix {prefix}, {mode}, {count} resource{plural}",
            env!("CARGO_PKG_VERSION"),
            confdir.display(),
        ));
    }
}

impl Slot {
    /// Whose the result of its reload is: that of its file, or its own where that has several
    /// blocks.
    pub(super) fn reload_key<'a>(&'a self, path: &'a Path) -> &'a Path {
        match self.resource.marker() {
            Some(_) => path,
            None => self.resource.dest(),
        }
    }
}

fn bare_entry(conf_d: &Path, path: &Path, condition: Condition) -> Entry {
    let file = path.strip_prefix(conf_d).unwrap_or(path);
    Entry {
        file: file.display().to_string(),
        dest: String::new(),
        condition,
        since: status::now(),
        running: None,
        reload_error: None,
        notes: Vec::new(),
    }
}

/// A failure holds until an attempt succeeds, whatever is done about it meanwhile.
fn condition(slot: &Slot, command: Option<Command>, is_reload_pending: bool) -> Condition {
    let pending = |detail: &str| Condition::Pending(detail.to_owned());
    if let Some(reason) = &slot.failure {
        Condition::Failed(reason.clone())
    } else if let Some(reason) = &slot.held {
        pending(reason)
    } else if let Some(command) = command {
        pending(&format!("{} is running", command.name()))
    } else if is_reload_pending {
        pending("waiting for its reload_cmd to start")
    } else {
        match &slot.state {
            State::Rendering { .. } | State::Hanging { .. } => pending("being rendered"),
            State::Rendered(..) | State::Checking(_) | State::Checked(_) => {
                pending("waiting for the other files of this change")
            }
            State::Idle if slot.due.is_some() && slot.shadowed_by.is_none() => {
                pending("waiting to be rendered")
            }
            State::Idle => Condition::InSync,
        }
    }
}

/// The notes about a resource: they deserve attention and are no failure.
fn notes(slot: &Slot) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(winner) = &slot.shadowed_by {
        let winner = winner.display();
        notes.push(format!("not applied: {winner} makes the same file"));
    }
    if slot.changed_by_others {
        notes.push("changed by another program".to_owned());
    }
    for name in &slot.unknown_owners {
        notes.push(name.clone());
    }
    notes
}

impl Entry {
    /// Takes the result of the last reload, which holds until one succeeds.
    fn take_reload_error(&mut self, error: Option<&String>) {
        self.reload_error = error.cloned();
        if let Some(error) = error
            && !matches!(self.condition, Condition::Failed(_))
        {
            self.condition = Condition::Failed(error.clone());
        }
    }
}
