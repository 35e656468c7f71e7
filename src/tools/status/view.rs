//! A state in words, for people, and as JSON, for machines.

use serde_json::Value as Json;

use super::Findings;
use crate::agent::status::{Condition, Entry, Kind, State};
use crate::log;
use crate::tools::console::{self, Colour, Style};

/// The column in which texts begin.
const MARGIN: usize = 11;

/// The state file's content, with what follows from it.
pub fn json(state: &State, findings: &Findings) -> Json {
    let mut json = state.to_json();
    if let Json::Object(map) = &mut json {
        map.insert("healthy".to_owned(), findings.problems.is_empty().into());
        map.insert("problems".to_owned(), findings.problems.clone().into());
        map.insert("daemon_lives".to_owned(), findings.daemon_lives.into());
    }
    json
}

/// The state in lines of 80 columns, unless a path is longer.
pub fn text(state: &State, findings: &Findings, style: Style) -> String {
    let now = findings.now;
    let mut text = String::new();
    let mut add = |head: &str, line: &str| {
        text.push_str(&format!("{head:MARGIN$}{}\n", console::wrap(line, MARGIN)));
    };
    add("confd", &process(state, findings));
    add("metadata", &metadata(state, now));
    let success = state.last_success.map(|at| ago(at, now));
    add("last good", &success.unwrap_or_else(|| "never".to_owned()));
    if !state.report.resources.is_empty() {
        text.push('\n');
    }
    for (entry, since) in state.report.resources.iter().zip(&state.since) {
        text.push_str(&resource(entry, now.saturating_sub(*since), style));
    }
    if !findings.problems.is_empty() {
        text.push('\n');
    }
    for problem in &findings.problems {
        let head = style.paint(Colour::Red, &format!("{:MARGIN$}", "not well"));
        text.push_str(&format!("{head}{}\n", console::wrap(problem, MARGIN)));
    }
    text
}

/// How the process is that reported last.
pub fn process(state: &State, findings: &Findings) -> String {
    let since = ago(state.started, findings.now);
    match (findings.daemon_lives, state.kind) {
        (Some(true), Kind::Daemon) => format!("runs as pid {}, since {since}", state.pid),
        // It has not reported yet, or cannot write the file.
        (Some(true), Kind::Onetime) => {
            format!("runs, but has not reported; last was a -onetime run, {since}")
        }
        (_, Kind::Onetime) => format!("does not run; last was a -onetime run, {since}"),
        (Some(false), Kind::Daemon) => match state.ended {
            Some(ended) => format!(
                "does not run; it was told to end {}",
                ago(ended, findings.now)
            ),
            None => format!(
                "does not run; it was killed or has crashed, pid {}, last seen {}",
                state.pid,
                ago(state.checked, findings.now)
            ),
        },
        (None, Kind::Daemon) => format!("reported as pid {}, since {since}", state.pid),
    }
}

fn metadata(state: &State, now: u64) -> String {
    match (&state.report.metadata, &state.report.trouble) {
        (Some(metadata), _) => {
            format!(
                "version {}, since {}",
                metadata.version,
                ago(metadata.since, now)
            )
        }
        (None, _) => "none has come yet".to_owned(),
    }
}

fn ago(at: u64, now: u64) -> String {
    let time = log::local_time(at.cast_signed());
    format!("{time} ({} ago)", console::age(now.saturating_sub(at)))
}

fn resource(entry: &Entry, age: u64, style: Style) -> String {
    let Entry {
        file,
        dest,
        condition,
    } = entry;
    let colour = match condition {
        Condition::InSync => Colour::Green,
        Condition::Pending(_) => Colour::Yellow,
        Condition::Failed(_) => Colour::Red,
    };
    let name = style.paint(colour, &format!("{:MARGIN$}", condition.name()));
    let whose = match dest.is_empty() {
        true => file.clone(),
        false => format!("{dest} ({file})"),
    };
    let line = format!("{whose} for {}", console::age(age));
    let mut text = format!("{name}{}\n", console::wrap(&style.show(&line), MARGIN));
    for line in condition.detail().unwrap_or_default().lines() {
        let line = console::wrap(&style.show(line), MARGIN);
        text.push_str(&format!("{:MARGIN$}{line}\n", ""));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::status::{Metadata, Report};

    fn state(kind: Kind) -> State {
        let entry = |file: &str, dest: &str, condition| Entry {
            file: file.to_owned(),
            dest: dest.to_owned(),
            condition,
        };
        let why = "template: myid.tmpl:1:2: executing \"myid.tmpl\" at <getv \"/host/sid\">: \
                   error calling getv: key does not exist: /host/sid";
        let report = Report {
            metadata: Some(Metadata {
                version: 17,
                since: 1_000_000,
            }),
            trouble: None,
            resources: vec![
                entry(
                    "myid.toml",
                    "/zk_data/zookeeper/myid",
                    Condition::Failed(why.to_owned()),
                ),
                entry(
                    "zoo.cfg.toml",
                    "/opt/zookeeper/conf/zoo.cfg",
                    Condition::InSync,
                ),
                entry("bad.toml", "", Condition::Pending("waits".to_owned())),
            ],
        };
        State {
            pid: 812,
            started: 996_400,
            checked: 1_000_060,
            since: vec![1_000_000, 996_400, 1_000_060],
            ..State::first(kind, report)
        }
    }

    fn shown(state: &State, daemon_lives: Option<bool>) -> String {
        let findings = Findings::new(state, daemon_lives, false, 1_000_060);
        text(state, &findings, Style::default())
    }

    #[test]
    fn a_state_fits_a_console_and_says_what_is_wrong() {
        let text = shown(&state(Kind::Daemon), Some(false));
        let resources = "
failed     /zk_data/zookeeper/myid (myid.toml) for 1 minute
           template: myid.tmpl:1:2: executing \"myid.tmpl\" at <getv \"/host/sid\">:
           error calling getv: key does not exist: /host/sid
in sync    /opt/zookeeper/conf/zoo.cfg (zoo.cfg.toml) for 1 hour
pending    bad.toml for 0 seconds
           waits

not well   no daemon is running
not well   1 resource has failed
";
        assert!(text.ends_with(resources), "{text}");
        assert!(text.contains("\nlast good  never\n"), "{text}");
        assert!(
            text.lines().all(|line| line.len() <= console::WIDTH),
            "{text}"
        );
    }

    #[test]
    fn the_process_is_alive_dead_or_unknown() {
        let ended = State {
            ended: Some(1_000_000),
            ..state(Kind::Daemon)
        };
        for (state, lives, words) in [
            (state(Kind::Daemon), Some(true), "runs as pid 812, since "),
            (
                state(Kind::Daemon),
                Some(false),
                "does not run; it was killed",
            ),
            (ended, Some(false), "does not run; it was told to end "),
            (state(Kind::Daemon), None, "reported as pid 812"),
            (
                state(Kind::Onetime),
                Some(false),
                "does not run; last was a -onetime run",
            ),
            (
                state(Kind::Onetime),
                Some(true),
                "runs, but has not reported",
            ),
        ] {
            let text = shown(&state, lives);
            assert!(text.starts_with(&format!("confd      {words}")), "{text}");
        }
    }

    #[test]
    fn machines_get_the_state_and_the_judgement() {
        let state = state(Kind::Daemon);
        let findings = Findings::new(&state, None, false, 1_000_060);
        let json = json(&state, &findings);
        assert_eq!(json["healthy"], false);
        assert_eq!(json["problems"][0], "1 resource has failed");
        assert_eq!(json["daemon_lives"], Json::Null);
        assert_eq!(json["resources"][1]["state"], "in sync");
        assert_eq!(json["metadata"]["version"], 17);
    }
}
