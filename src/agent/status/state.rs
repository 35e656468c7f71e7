//! The format of the status file: who reported what and when, as JSON and back.
//!
//! All times are in seconds since 1970.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::SystemTime;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value as Json;

use crate::backend::Version;
use crate::config::table::read_file;
use crate::error::{Error, Result};
use crate::resource::stage::{Attributes, Stage, Target};

/// The result of writing something as JSON.
type Written<S> = std::result::Result<<S as Serializer>::Ok, <S as Serializer>::Error>;

/// The version of the format. Keys may be added to it; none changes its meaning or goes.
const VERSION: u64 = 1;
/// The size in bytes above which a file is not read.
const LARGEST: u64 = 4 << 20;

/// A step of the agent's work on files that has taken long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The step and its file, for people.
    pub step: String,
    /// The time of its beginning.
    pub since: u64,
}

/// The agent's knowledge at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The metadata that the files are made from; none before the first answer.
    pub metadata: Option<Metadata>,
    /// The reason why there is no newer metadata; none when the source answers.
    pub fetch_error: Option<String>,
    /// The step in which the agent hangs; none when it goes on, or has not been found out yet.
    pub stuck: Option<Stuck>,
    /// In file order.
    pub resources: Vec<Entry>,
    /// The notes that belong to no single resource.
    pub notes: Vec<String>,
}

impl Report {
    /// Returns true if all resources are in sync with the newest metadata.
    pub fn is_success(&self) -> bool {
        let is_good = |entry: &Entry| entry.condition == Condition::InSync && !entry.is_failing();
        self.fetch_error.is_none()
            && self.metadata.is_some()
            && self.stuck.is_none()
            && self.resources.iter().all(is_good)
    }
}

/// A version of the metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The number, as the source counts.
    pub version: u64,
    /// The time of its arrival.
    pub since: u64,
}

impl Metadata {
    /// Metadata that has arrived just now.
    pub fn come_now(version: Version) -> Metadata {
        Metadata {
            version: version.number(),
            since: super::now(),
        }
    }
}

/// One resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The conf.d file, relative to conf.d.
    pub file: String,
    /// The file that it makes; empty when that is not known.
    pub dest: String,
    /// The state of that file.
    pub condition: Condition,
    /// The time since which it is in that condition.
    pub since: u64,
    /// The command that runs for it.
    pub running: Option<Running>,
    /// The result of its last reload; none when that succeeded, or none has run yet.
    pub reload_error: Option<String>,
    /// The notes, such as an unknown owner.
    pub notes: Vec<String>,
}

impl Entry {
    /// Returns true if it needs somebody's attention.
    pub fn is_failing(&self) -> bool {
        matches!(self.condition, Condition::Failed(_)) || self.reload_error.is_some()
    }

    /// Returns true if it is going to change by itself in a moment.
    pub fn is_transient(&self) -> bool {
        matches!(self.condition, Condition::Pending(_)) || self.running.is_some()
    }

    /// Returns true if it only waits, with its file and its service as they were before.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.condition, Condition::Pending(_)) && self.running.is_none()
    }

    /// Takes the times from the entry before, where nothing has changed since.
    pub(super) fn follow(&mut self, before: &Entry) {
        if self.condition == before.condition {
            self.since = before.since;
        }
        if let (Some(running), Some(before)) = (&mut self.running, &before.running)
            && running.command == before.command
        {
            running.since = before.since;
        }
    }

    /// Returns true if both speak of one resource.
    pub(super) fn is_same(&self, other: &Entry) -> bool {
        (&self.file, &self.dest) == (&other.file, &other.dest)
    }
}

/// The state of a resource's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The file on disk is right, and its reload done.
    InSync,
    /// Something is still to be done, as described.
    Pending(String),
    /// The last attempt failed, for this reason, which has no value of the metadata in it.
    Failed(String),
}

impl Condition {
    /// The name, as in the file.
    pub fn name(&self) -> &'static str {
        match self {
            Condition::InSync => "in_sync",
            Condition::Pending(_) => "pending",
            Condition::Failed(_) => "failed",
        }
    }

    /// The pending work, or the failure.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Condition::InSync => None,
            Condition::Pending(detail) | Condition::Failed(detail) => Some(detail),
        }
    }

    fn parse(name: &str, detail: String) -> Option<Condition> {
        match name {
            "in_sync" => Some(Condition::InSync),
            "pending" => Some(Condition::Pending(detail)),
            "failed" => Some(Condition::Failed(detail)),
            _ => None,
        }
    }
}

/// A command of a resource that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    pub command: Command,
    /// The time of its start.
    pub since: u64,
}

/// The commands of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Check,
    Reload,
}

impl Command {
    /// Its key in the conf.d file.
    pub fn name(self) -> &'static str {
        match self {
            Command::Check => "check_cmd",
            Command::Reload => "reload_cmd",
        }
    }

    fn parse(name: &str) -> Option<Command> {
        let all = [Command::Check, Command::Reload];
        all.into_iter().find(|command| command.name() == name)
    }
}

/// The kinds of processes that report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Daemon,
    Onetime,
}

impl Kind {
    /// The name, as in the file.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Daemon => "daemon",
            Kind::Onetime => "onetime",
        }
    }

    fn parse(name: &str) -> Option<Kind> {
        let all = [Kind::Daemon, Kind::Onetime];
        all.into_iter().find(|kind| kind.name() == name)
    }
}

/// A report with its circumstances: the content of the status file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The kind of process that reports.
    pub kind: Kind,
    /// Its number.
    pub pid: u32,
    /// The time of its start.
    pub started: u64,
    /// The time of its end, if it could still report that.
    pub ended: Option<u64>,
    /// The seconds after which everything is looked at again.
    pub interval: u64,
    /// The seconds after which it reports again, even if nothing has changed.
    pub heartbeat: u64,
    /// The time of the last report: in the file the time when it was written, after reading the
    /// file's modification time, which a heartbeat sets.
    pub reported: u64,
    /// The last time when all resources were in sync with the newest metadata.
    pub last_success: Option<u64>,
    pub report: Report,
}

impl State {
    /// The state of this process before its first report.
    pub fn first(kind: Kind, report: Report) -> State {
        State {
            kind,
            pid: std::process::id(),
            started: 0,
            ended: None,
            interval: 0,
            heartbeat: 0,
            reported: 0,
            last_success: None,
            report,
        }
    }

    /// Reads a status file; `None` when there is none.
    pub fn read(path: &Path) -> Result<Option<State>> {
        let bytes = match read_file(path, LARGEST) {
            Err(error) if error.is_not_found() => return Ok(None),
            read => read?,
        };
        let json = serde_json::from_slice(&bytes).ok();
        let state = json.as_ref().and_then(State::from_json);
        let mut state = state.ok_or_else(|| {
            let problem = "is corrupt or from another version of confd; it will be rewritten";
            Error::resource(path, problem)
        })?;
        if let Ok(modified) = fs::metadata(path).and_then(|meta| meta.modified()) {
            state.reported = super::seconds(modified);
            if state.report.is_success() {
                state.last_success = Some(state.reported);
            }
        }
        Ok(Some(state))
    }

    /// Replaces the status file as a whole, 0644. Not synced: after a power cut the next run
    /// rewrites it.
    pub fn write(&self, path: &Path) -> Result<()> {
        let wanted = Attributes {
            mode: Some(0o644),
            ..Attributes::default()
        };
        let target = Target::resolve(path, wanted)?.afresh();
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::io("write", path, error.into()))?;
        text.push(b'\n');
        let _need_not_survive_a_power_cut = Stage::create(target, &text, false)?.commit()?;
        Ok(())
    }

    /// Sets the time of the report to now, and leaves the content alone.
    pub fn touch(path: &Path) -> io::Result<()> {
        let file = File::options().write(true).open(path)?;
        file.set_modified(SystemTime::now())
    }

    fn from_json(json: &Json) -> Option<State> {
        if number(json, "version")? != VERSION {
            return None;
        }
        let metadata = json.get("metadata")?;
        let (version, since) = (number(metadata, "version"), number(metadata, "since"));
        let resources = json.get("resources")?.as_array()?;
        Some(State {
            kind: Kind::parse(&string(json, "run")?)?,
            pid: number(json, "pid")?.try_into().ok()?,
            started: number(json, "started")?,
            ended: number(json, "ended"),
            interval: number(json, "interval")?,
            heartbeat: number(json, "heartbeat")?,
            reported: number(json, "reported")?,
            last_success: number(json, "last_success"),
            report: Report {
                metadata: version
                    .zip(since)
                    .map(|(version, since)| Metadata { version, since }),
                fetch_error: string(metadata, "error"),
                stuck: json.get("stuck").and_then(Stuck::from_json),
                resources: resources
                    .iter()
                    .map(Entry::from_json)
                    .collect::<Option<Vec<Entry>>>()?,
                notes: strings(json, "notes"),
            },
        })
    }
}

impl Stuck {
    fn from_json(json: &Json) -> Option<Stuck> {
        Some(Stuck {
            step: string(json, "step")?,
            since: number(json, "since")?,
        })
    }
}

impl Entry {
    fn from_json(json: &Json) -> Option<Entry> {
        let running = json.get("running").and_then(|running| {
            Some(Running {
                command: Command::parse(&string(running, "command")?)?,
                since: number(running, "since")?,
            })
        });
        let detail = string(json, "detail").unwrap_or_default();
        Some(Entry {
            file: string(json, "file")?,
            dest: string(json, "dest")?,
            condition: Condition::parse(&string(json, "state")?, detail)?,
            since: number(json, "since")?,
            running,
            reload_error: string(json, "reload_error"),
            notes: strings(json, "notes"),
        })
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Written<S> {
        let mut object = serializer.serialize_map(None)?;
        self.write_entries(&mut object)?;
        object.end()
    }
}

impl State {
    /// Writes the keys of the status file and their values into an object.
    pub(crate) fn write_entries<M: SerializeMap>(
        &self,
        object: &mut M,
    ) -> std::result::Result<(), M::Error> {
        object.serialize_entry("version", &VERSION)?;
        object.serialize_entry("confd", env!("CARGO_PKG_VERSION"))?;
        object.serialize_entry("run", self.kind.name())?;
        object.serialize_entry("pid", &self.pid)?;
        object.serialize_entry("started", &self.started)?;
        object.serialize_entry("ended", &self.ended)?;
        object.serialize_entry("interval", &self.interval)?;
        object.serialize_entry("heartbeat", &self.heartbeat)?;
        object.serialize_entry("reported", &self.reported)?;
        object.serialize_entry("last_success", &self.last_success)?;
        object.serialize_entry("stuck", &self.report.stuck)?;
        object.serialize_entry("metadata", &Source(&self.report))?;
        object.serialize_entry("resources", &self.report.resources)?;
        object.serialize_entry("notes", &self.report.notes)
    }
}

/// The `metadata` of the file.
struct Source<'r>(&'r Report);

impl Serialize for Source<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Written<S> {
        let metadata = self.0.metadata.as_ref();
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("version", &metadata.map(|metadata| metadata.version))?;
        object.serialize_entry("since", &metadata.map(|metadata| metadata.since))?;
        object.serialize_entry("error", &self.0.fetch_error)?;
        object.end()
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Written<S> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("file", &self.file)?;
        object.serialize_entry("dest", &self.dest)?;
        object.serialize_entry("state", self.condition.name())?;
        object.serialize_entry("detail", &self.condition.detail())?;
        object.serialize_entry("since", &self.since)?;
        object.serialize_entry("running", &self.running)?;
        object.serialize_entry("reload_error", &self.reload_error)?;
        object.serialize_entry("notes", &self.notes)?;
        object.end()
    }
}

impl Serialize for Stuck {
    fn serialize<S: Serializer>(&self, serializer: S) -> Written<S> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("step", &self.step)?;
        object.serialize_entry("since", &self.since)?;
        object.end()
    }
}

impl Serialize for Running {
    fn serialize<S: Serializer>(&self, serializer: S) -> Written<S> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("command", self.command.name())?;
        object.serialize_entry("since", &self.since)?;
        object.end()
    }
}

fn number(json: &Json, key: &str) -> Option<u64> {
    json.get(key).and_then(Json::as_u64)
}

fn string(json: &Json, key: &str) -> Option<String> {
    json.get(key).and_then(Json::as_str).map(str::to_owned)
}

fn strings(json: &Json, key: &str) -> Vec<String> {
    let list = json.get(key).and_then(Json::as_array);
    let strings = list.into_iter().flatten().filter_map(Json::as_str);
    strings.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(file: &str, condition: Condition) -> Entry {
        Entry {
            file: file.to_owned(),
            dest: "/opt/x".to_owned(),
            condition,
            since: 3,
            running: None,
            reload_error: None,
            notes: Vec::new(),
        }
    }

    fn state() -> State {
        let running = Running {
            command: Command::Check,
            since: 4,
        };
        let report = Report {
            metadata: Some(Metadata {
                version: 17,
                since: 5,
            }),
            fetch_error: Some("http://x: refused".to_owned()),
            stuck: Some(Stuck {
                step: "syncing /opt/x".to_owned(),
                since: 6,
            }),
            resources: vec![
                entry("a.toml", Condition::InSync),
                Entry {
                    reload_error: Some("exit status 1".to_owned()),
                    notes: vec!["no user \"x\" on this machine".to_owned()],
                    ..entry("b/c.toml", Condition::Failed("why".to_owned()))
                },
                Entry {
                    running: Some(running),
                    ..entry("d.toml", Condition::Pending("check_cmd runs".to_owned()))
                },
            ],
            notes: vec!["confd.toml cannot be read".to_owned()],
        };
        State {
            started: 1,
            ended: Some(9),
            interval: 600,
            heartbeat: 30,
            reported: 8,
            last_success: Some(7),
            ..State::first(Kind::Daemon, report)
        }
    }

    #[test]
    fn a_state_reads_back_as_it_was_written() {
        let bare = State::first(Kind::Onetime, Report::default());
        for state in [state(), bare] {
            let json = serde_json::to_value(&state).expect("JSON");
            assert_eq!(State::from_json(&json), Some(state));
        }
    }

    #[test]
    fn the_file_is_replaced_as_a_whole_and_a_corrupt_one_is_refused() {
        let directory = std::env::temp_dir().join(format!("confd-state-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        let path = directory.join("status.json");
        assert_eq!(State::read(&path).expect("nothing yet"), None);
        let read = || {
            let state = State::read(&path).expect("readable").expect("there");
            (
                state.reported,
                State {
                    reported: 8,
                    ..state
                },
            )
        };
        state().write(&path).expect("written");
        let (reported, read_back) = read();
        assert_eq!(read_back, state());
        assert!(reported >= super::super::now() - 60, "the file's own time");
        state().write(&path).expect("written again");
        assert_eq!(std::fs::read_dir(&directory).expect("listed").count(), 1);

        let old = File::options().write(true).open(&path).expect("open");
        old.set_modified(SystemTime::UNIX_EPOCH).expect("set");
        assert_eq!(read().0, 0);
        State::touch(&path).expect("touched");
        assert!(read().0 >= reported, "a heartbeat is a report");

        let mut newer = serde_json::to_value(state()).expect("JSON");
        newer["version"] = 2.into();
        for corrupt in ["", "{", "[]", "{\"version\":1}", &newer.to_string()] {
            std::fs::write(&path, corrupt).expect("written");
            let error = State::read(&path).expect_err(corrupt).to_string();
            assert!(error.contains("is corrupt or from another"), "{error}");
        }
        std::fs::remove_dir_all(&directory).expect("removed");
    }

    #[test]
    fn times_continue_while_nothing_changes() {
        let running = |command, since| Some(Running { command, since });
        let before = Entry {
            since: 10,
            running: running(Command::Check, 11),
            ..entry("a", Condition::Pending("x".to_owned()))
        };
        for (condition, command, expected) in [
            (Condition::Pending("x".to_owned()), Command::Check, (10, 11)),
            (Condition::Pending("y".to_owned()), Command::Check, (50, 11)),
            (Condition::InSync, Command::Reload, (50, 51)),
        ] {
            let mut next = Entry {
                since: 50,
                running: running(command, 51),
                ..entry("a", condition)
            };
            next.follow(&before);
            let times = (next.since, next.running.map_or(0, |running| running.since));
            assert_eq!(times, expected, "{next:?}");
        }
    }
}
