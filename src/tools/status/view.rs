//! A state as lines for people and as JSON for machines.

use std::fmt::Write as _;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::diagnosis::Diagnosis;
use crate::agent::status::{Condition, Entry, Kind, State};
use crate::log::{age, local_time};
use crate::tools::console::{Colour, Style};

/// The column in which texts begin.
const MARGIN: usize = 11;

/// The content of the status file, and what follows from it, as JSON.
pub(super) struct Findings<'s>(pub(super) &'s State, pub(super) &'s Diagnosis);

impl Serialize for Findings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Findings(state, diagnosis) = self;
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("healthy", &diagnosis.problems.is_empty())?;
        object.serialize_entry("problems", &diagnosis.problems)?;
        object.serialize_entry("daemon_running", &diagnosis.is_daemon_running)?;
        state.write_entries(&mut object)?;
        object.end()
    }
}

/// The state in lines.
pub(super) fn text(state: &State, diagnosis: &Diagnosis, style: Style) -> String {
    let now = diagnosis.now;
    let mut text = String::new();
    add(&mut text, "confd", &process(state, diagnosis), style);
    add(&mut text, "metadata", &metadata(state, now), style);
    let success = state.last_success.map(|at| ago(at, now));
    let success = success.unwrap_or_else(|| "never".to_owned());
    add(&mut text, "last good", &success, style);
    for note in &state.report.notes {
        add(&mut text, "note", note, style);
    }
    if !state.report.resources.is_empty() {
        text.push('\n');
    }
    for entry in &state.report.resources {
        add_resource(&mut text, entry, now, style);
    }
    if !diagnosis.problems.is_empty() {
        text.push('\n');
    }
    for problem in &diagnosis.problems {
        let head = style.paint(Colour::Red, &format!("{:MARGIN$}", "unhealthy"));
        let problem = style.wrap(&style.show(problem), MARGIN);
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{head}{problem}");
    }
    text
}

fn add(text: &mut String, head: &str, line: &str, style: Style) {
    let line = style.wrap(&style.show(line), MARGIN);
    let _ = writeln!(text, "{head:MARGIN$}{line}");
}

/// The process that reported last.
pub(super) fn process(state: &State, diagnosis: &Diagnosis) -> String {
    let now = diagnosis.now;
    let since = ago(state.started, now);
    match (diagnosis.is_daemon_running, state.kind) {
        (Some(true), Kind::Daemon) => format!("running as pid {}, since {since}", state.pid),
        // It cannot write the file.
        (Some(true), Kind::Onetime) => {
            format!("running, but it has not reported; the last run was -onetime, {since}")
        }
        (_, Kind::Onetime) => format!("not running; the last run was -onetime, {since}"),
        (Some(false), Kind::Daemon) => match state.ended {
            Some(ended) => format!("not running; shut down {}", ago(ended, now)),
            None => format!(
                "not running; killed or crashed, pid {}, last report {}",
                state.pid,
                ago(state.reported, now)
            ),
        },
        (None, Kind::Daemon) => format!("reported as pid {}, since {since}", state.pid),
    }
}

fn metadata(state: &State, now: u64) -> String {
    match &state.report.metadata {
        Some(metadata) => {
            let since = ago(metadata.since, now);
            format!("version {}, since {since}", metadata.version)
        }
        None => "none yet".to_owned(),
    }
}

/// All notes, those of resources with their files.
pub(super) fn notes(state: &State) -> Vec<String> {
    let mut notes = state.report.notes.clone();
    for entry in &state.report.resources {
        let of_entry = entry.notes.iter();
        notes.extend(of_entry.map(|note| format!("{}: {note}", entry.file)));
    }
    notes
}

fn ago(at: u64, now: u64) -> String {
    let time = local_time(at.cast_signed());
    format!("{time} ({} ago)", age(now.saturating_sub(at)))
}

fn add_resource(text: &mut String, entry: &Entry, now: u64, style: Style) {
    let Entry {
        file,
        dest,
        condition,
        ..
    } = entry;
    let colour = match condition {
        Condition::InSync => Colour::Green,
        Condition::Pending(_) => Colour::Yellow,
        Condition::Failed(_) => Colour::Red,
    };
    let name = condition.name().replace('_', " ");
    let head = style.paint(colour, &format!("{name:MARGIN$}"));
    let whose = if dest.is_empty() {
        file.clone()
    } else {
        format!("{dest} ({file})")
    };
    let line = format!("{whose} for {}", age(now.saturating_sub(entry.since)));
    let _ = writeln!(text, "{head}{}", style.wrap(&style.show(&line), MARGIN));
    for line in details(entry, now) {
        add(text, "", &line, style);
    }
}

/// The lines about a resource below its first line.
fn details(entry: &Entry, now: u64) -> Vec<String> {
    let mut details = Vec::new();
    let detail = entry.condition.detail();
    // A command that is running says it with its time.
    let is_said = entry.running.is_some() && matches!(entry.condition, Condition::Pending(_));
    for line in detail.filter(|_| !is_said).unwrap_or_default().lines() {
        details.push(line.to_owned());
    }
    if let Some(running) = entry.running {
        let seconds = now.saturating_sub(running.since);
        let name = running.command.name();
        details.push(format!("{name} has been running for {}", age(seconds)));
    }
    if let Some(error) = entry
        .reload_error
        .as_deref()
        .filter(|error| detail != Some(error))
    {
        details.push(format!("the last reload failed: {error}"));
    }
    for note in &entry.notes {
        details.push(format!("note: {note}"));
    }
    details
}

#[cfg(test)]
mod tests {
    use super::super::diagnosis::Probe;
    use super::*;
    use crate::agent::status::{Command, Metadata, Report, Running};

    fn entry(file: &str, dest: &str, condition: Condition, since: u64) -> Entry {
        Entry {
            file: file.to_owned(),
            dest: dest.to_owned(),
            condition,
            since,
            running: None,
            reload_error: None,
            notes: Vec::new(),
        }
    }

    fn state(kind: Kind) -> State {
        let error = "template: myid.tmpl:1:2: executing \"myid.tmpl\" at <getv \"/host/sid\">: \
                     error calling getv: key does not exist: /host/sid";
        let (failed, running) = (
            Condition::Failed(error.to_owned()),
            Condition::Pending("reload_cmd is running".to_owned()),
        );
        let zoo = "/opt/zookeeper/conf/zoo.cfg";
        let report = Report {
            metadata: Some(Metadata {
                version: 17,
                since: 1_000_000,
            }),
            resources: vec![
                entry("myid.toml", "/zk_data/myid", failed, 1_000_000),
                entry("zoo.toml", zoo, Condition::InSync, 996_400),
                Entry {
                    running: Some(Running {
                        command: Command::Reload,
                        since: 1_000_030,
                    }),
                    reload_error: Some("exit status 1".to_owned()),
                    notes: vec!["no user \"zk\" on this machine".to_owned()],
                    ..entry("bad.toml", "", running, 1_000_060)
                },
            ],
            ..Report::default()
        };
        State {
            // No process has this number.
            pid: u32::MAX,
            started: 996_400,
            heartbeat: 30,
            reported: 1_000_060,
            ..State::first(kind, report)
        }
    }

    fn diagnosis(state: &State, is_daemon_running: Option<bool>) -> Diagnosis {
        let probe = Probe {
            now: 1_000_060,
            is_daemon_running,
            wants_daemon: true,
        };
        Diagnosis::new(state, probe)
    }

    fn shown(state: &State, is_daemon_running: Option<bool>, style: Style) -> String {
        text(state, &diagnosis(state, is_daemon_running), style)
    }

    #[test]
    fn a_state_fits_a_terminal_and_says_what_is_wrong() {
        let text = shown(&state(Kind::Daemon), Some(false), Style::of_width(80));
        let resources = "
failed     /zk_data/myid (myid.toml) for 1 minute
           template: myid.tmpl:1:2: executing \"myid.tmpl\" at <getv \"/host/sid\">:
           error calling getv: key does not exist: /host/sid
in sync    /opt/zookeeper/conf/zoo.cfg (zoo.toml) for 1 hour
pending    bad.toml for 0 seconds
           reload_cmd has been running for 30 seconds
           the last reload failed: exit status 1
           note: no user \"zk\" on this machine

unhealthy  no daemon is running
unhealthy  2 resources have failed
";
        assert!(text.ends_with(resources), "{text}");
        assert!(text.contains("\nlast good  never\n"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    }

    #[test]
    fn lines_that_are_not_for_a_terminal_can_be_searched() {
        let text = shown(&state(Kind::Daemon), Some(true), Style::default());
        let line = "at <getv \"/host/sid\">: error calling getv: key does not exist: /host/sid\n";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn the_process_is_alive_dead_or_unknown() {
        let ended = State {
            ended: Some(1_000_000),
            ..state(Kind::Daemon)
        };
        let pid = u32::MAX;
        for (state, is_running, words) in [
            (
                state(Kind::Daemon),
                Some(true),
                format!("running as pid {pid}, since "),
            ),
            (
                state(Kind::Daemon),
                Some(false),
                "not running; killed or crashed".to_owned(),
            ),
            (ended, Some(false), "not running; shut down ".to_owned()),
            (state(Kind::Daemon), None, format!("reported as pid {pid}")),
            (
                state(Kind::Onetime),
                Some(false),
                "not running; the last run was".to_owned(),
            ),
            (
                state(Kind::Onetime),
                Some(true),
                "running, but it has not".to_owned(),
            ),
        ] {
            let text = shown(&state, is_running, Style::default());
            assert!(text.starts_with(&format!("confd      {words}")), "{text}");
        }
    }

    #[test]
    fn machines_get_the_state_and_the_diagnosis() {
        let state = state(Kind::Daemon);
        let json = serde_json::to_value(Findings(&state, &diagnosis(&state, None)));
        let json = json.expect("JSON");
        assert_eq!(json["version"], 1);
        assert_eq!(json["healthy"], false);
        assert_eq!(json["problems"][0], "2 resources have failed");
        assert_eq!(json["daemon_running"], serde_json::Value::Null);
        assert_eq!(json["resources"][1]["state"], "in_sync");
        assert_eq!(json["resources"][2]["running"]["command"], "reload_cmd");
        assert_eq!(json["metadata"]["version"], 17);
    }
}
