//! The state file: what the agent reported, by whom and when; as JSON, and back.

use std::path::Path;

use serde_json::{Value as Json, json};

use crate::backend::Version;
use crate::config::table::read_file;
use crate::error::{Error, Result};
use crate::resource::stage::{Attributes, Stage, Target};

/// No state file is larger, in bytes.
const LARGEST: u64 = 4 << 20;

/// What the agent knows at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What the files are made from; none before the first answer.
    pub metadata: Option<Metadata>,
    /// Why there is no newer metadata; none when the source answers.
    pub trouble: Option<String>,
    /// In file order.
    pub resources: Vec<Entry>,
}

/// Which metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// As the source counts.
    pub version: u64,
    /// When it came, in seconds since 1970.
    pub since: u64,
}

impl Metadata {
    /// What has come just now.
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
    /// The conf.d file, below conf.d.
    pub file: String,
    /// The file that it makes; empty when that is not known.
    pub dest: String,
    /// How it is.
    pub condition: Condition,
}

/// How a resource is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The file on disk is right, and its reload done.
    InSync,
    /// Something is still to be done; what.
    Pending(String),
    /// The last attempt failed; why, without any value of the metadata.
    Failed(String),
}

impl Condition {
    /// One word for it, or two.
    pub fn name(&self) -> &'static str {
        match self {
            Condition::InSync => "in sync",
            Condition::Pending(_) => "pending",
            Condition::Failed(_) => "failed",
        }
    }

    /// What there is to say beyond the name.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Condition::InSync => None,
            Condition::Pending(detail) | Condition::Failed(detail) => Some(detail),
        }
    }

    fn read(name: &str, detail: String) -> Option<Condition> {
        match name {
            "in sync" => Some(Condition::InSync),
            "pending" => Some(Condition::Pending(detail)),
            "failed" => Some(Condition::Failed(detail)),
            _ => None,
        }
    }
}

/// Who reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Daemon,
    Onetime,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Daemon => "daemon",
            Kind::Onetime => "onetime",
        }
    }
}

/// A report with its circumstances. All times are in seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Who reports.
    pub kind: Kind,
    /// Its process.
    pub pid: u32,
    /// When that began.
    pub started: u64,
    /// When that ended, if it could still say so.
    pub ended: Option<u64>,
    /// How often everything is looked at again, in seconds.
    pub interval: u64,
    /// When the report was last known to hold.
    pub checked: u64,
    /// When everything was last as it should be.
    pub last_success: Option<u64>,
    pub report: Report,
    /// Since when each resource of the report is as it is.
    pub since: Vec<u64>,
}

impl State {
    /// A state without a past, of this process.
    pub fn first(kind: Kind, report: Report) -> State {
        State {
            kind,
            pid: std::process::id(),
            started: 0,
            ended: None,
            interval: 0,
            checked: 0,
            last_success: None,
            since: vec![0; report.resources.len()],
            report,
        }
    }

    /// Reads a state file; `None` when there is none.
    pub fn read(path: &Path) -> Result<Option<State>> {
        let bytes = match read_file(path, LARGEST) {
            Err(error) if error.is_not_found() => return Ok(None),
            read => read?,
        };
        let json = serde_json::from_slice(&bytes).ok();
        let state = json.as_ref().and_then(State::from_json);
        state.map(Some).ok_or_else(|| {
            let problem = "is damaged, or of another version of confd; the next run writes it anew";
            Error::resource(path, problem)
        })
    }

    /// Puts it in the place of the old state file, whole, 0644. Not synced: after a power cut the next run writes it anew.
    pub fn write(&self, path: &Path) -> Result<()> {
        let wanted = Attributes {
            mode: Some(0o644),
            ..Attributes::default()
        };
        let target = Target::resolve(path, wanted)?.afresh();
        let text = format!("{:#}\n", self.to_json());
        let _need_not_survive_a_power_cut =
            Stage::create(target, text.as_bytes(), false)?.commit()?;
        Ok(())
    }

    pub fn to_json(&self) -> Json {
        let Report {
            metadata,
            trouble,
            resources,
        } = &self.report;
        let mut entries = Vec::new();
        for (entry, since) in resources.iter().zip(&self.since) {
            entries.push(json!({
                "file": entry.file,
                "dest": entry.dest,
                "state": entry.condition.name(),
                "detail": entry.condition.detail(),
                "since": since,
            }));
        }
        let metadata = metadata.as_ref();
        let metadata = json!({
            "version": metadata.map(|metadata| metadata.version),
            "since": metadata.map(|metadata| metadata.since),
            "trouble": trouble,
        });
        json!({
            "confd": env!("CARGO_PKG_VERSION"),
            "run": self.kind.name(),
            "pid": self.pid,
            "started": self.started,
            "ended": self.ended,
            "interval": self.interval,
            "checked": self.checked,
            "last_success": self.last_success,
            "metadata": metadata,
            "resources": entries,
        })
    }

    fn from_json(json: &Json) -> Option<State> {
        let metadata = json.get("metadata")?;
        let version = metadata.get("version").and_then(Json::as_u64);
        let since = metadata.get("since").and_then(Json::as_u64);
        let trouble = metadata.get("trouble").and_then(Json::as_str);
        let (mut resources, mut since_each) = (Vec::new(), Vec::new());
        for json in json.get("resources")?.as_array()? {
            let (resource, since) = entry(json)?;
            resources.push(resource);
            since_each.push(since);
        }
        Some(State {
            kind: match json.get("run")?.as_str()? {
                "daemon" => Kind::Daemon,
                "onetime" => Kind::Onetime,
                _ => return None,
            },
            pid: json.get("pid")?.as_u64()?.try_into().ok()?,
            started: json.get("started")?.as_u64()?,
            ended: json.get("ended").and_then(Json::as_u64),
            interval: json.get("interval")?.as_u64()?,
            checked: json.get("checked")?.as_u64()?,
            last_success: json.get("last_success").and_then(Json::as_u64),
            report: Report {
                metadata: version
                    .zip(since)
                    .map(|(version, since)| Metadata { version, since }),
                trouble: trouble.map(str::to_owned),
                resources,
            },
            since: since_each,
        })
    }
}

fn entry(json: &Json) -> Option<(Entry, u64)> {
    let text = |key| json.get(key).and_then(Json::as_str).map(str::to_owned);
    let entry = Entry {
        file: text("file")?,
        dest: text("dest")?,
        condition: Condition::read(&text("state")?, text("detail").unwrap_or_default())?,
    };
    Some((entry, json.get("since")?.as_u64()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let entry = |file: &str, condition| Entry {
            file: file.to_owned(),
            dest: "/opt/x".to_owned(),
            condition,
        };
        let report = Report {
            metadata: Some(Metadata {
                version: 17,
                since: 5,
            }),
            trouble: Some("http://x: refused".to_owned()),
            resources: vec![
                entry("a.toml", Condition::InSync),
                entry("b/c.toml", Condition::Failed("why".to_owned())),
                entry(
                    "d.toml",
                    Condition::Pending("its check_cmd runs".to_owned()),
                ),
            ],
        };
        State {
            started: 1,
            ended: Some(9),
            interval: 600,
            checked: 8,
            last_success: Some(7),
            since: vec![2, 3, 4],
            ..State::first(Kind::Daemon, report)
        }
    }

    #[test]
    fn a_state_reads_back_as_it_was() {
        let bare = State::first(Kind::Onetime, Report::default());
        for state in [state(), bare] {
            assert_eq!(State::from_json(&state.to_json()), Some(state));
        }
    }

    #[test]
    fn the_file_is_replaced_whole_and_a_damaged_one_is_refused() {
        let directory = std::env::temp_dir().join(format!("confd-state-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory");
        let path = directory.join("status.json");
        assert_eq!(State::read(&path).expect("nothing yet"), None);
        state().write(&path).expect("written");
        assert_eq!(State::read(&path).expect("readable"), Some(state()));
        state().write(&path).expect("written again");
        assert_eq!(std::fs::read_dir(&directory).expect("listed").count(), 1);
        for damaged in ["", "{", "[]", "{\"run\":\"daemon\",\"resources\":[{}]}"] {
            std::fs::write(&path, damaged).expect("written");
            let error = State::read(&path).expect_err(damaged).to_string();
            assert!(error.contains("is damaged"), "{error}");
        }
        std::fs::remove_dir_all(&directory).expect("removed");
    }
}
