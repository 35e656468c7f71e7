//! The lines of the log about failures that last: one reminder an hour for each, and one line when
//! it is over. The first line of a failure is logged where it happens.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::status::{Condition, Entry, Report};
use crate::log::{Level, age};

/// The pause between two reminders of one failure.
const PAUSE: Duration = Duration::from_secs(3600);

/// The failures that last.
#[derive(Debug, Default)]
pub(super) struct Reminders {
    /// By conf.d file.
    resources: BTreeMap<String, Failing>,
    metadata: Option<Failing>,
}

/// One failure.
#[derive(Clone, Copy, Debug)]
struct Failing {
    since: Instant,
    /// When it was logged last.
    logged: Instant,
}

impl Failing {
    fn new(now: Instant) -> Failing {
        Failing {
            since: now,
            logged: now,
        }
    }

    /// Its age, when a reminder is due.
    fn remind(&mut self, now: Instant) -> Option<String> {
        let is_due = now.saturating_duration_since(self.logged) >= PAUSE;
        is_due.then(|| {
            self.logged = now;
            self.age(now)
        })
    }

    fn age(&self, now: Instant) -> String {
        age(now.saturating_duration_since(self.since).as_secs())
    }
}

impl Reminders {
    /// Takes a report; returns what is to be logged.
    pub(super) fn take(&mut self, report: &Report, now: Instant) -> Vec<(Level, String)> {
        let mut lines = Vec::new();
        let mut resources = BTreeMap::new();
        for entry in &report.resources {
            let known = self.resources.get(&entry.file);
            if let Some(reason) = reason(entry) {
                let mut failing = known.copied().unwrap_or_else(|| Failing::new(now));
                if let Some(age) = failing.remind(now) {
                    let message = format!("{} still fails after {age}: {reason}", name(entry));
                    lines.push((Level::Warning, message));
                }
                resources.insert(entry.file.clone(), failing);
            } else if let Some(failing) = known {
                if entry.condition == Condition::InSync {
                    let age = failing.age(now);
                    let message = format!("{} works again after {age}", name(entry));
                    lines.push((Level::Info, message));
                } else {
                    resources.insert(entry.file.clone(), *failing);
                }
            }
        }
        self.resources = resources;
        lines.extend(self.remind_of_metadata(report, now));
        lines
    }

    fn remind_of_metadata(&mut self, report: &Report, now: Instant) -> Option<(Level, String)> {
        let Some(error) = &report.fetch_error else {
            self.metadata = None;
            return None;
        };
        let failing = self.metadata.get_or_insert_with(|| Failing::new(now));
        let age = failing.remind(now)?;
        let message = format!("still no metadata after {age}: {error}");
        Some((Level::Warning, message))
    }

    /// The time of the next reminder.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let all = self.resources.values().chain(&self.metadata);
        all.map(|failing| failing.logged + PAUSE).min()
    }
}

fn reason(entry: &Entry) -> Option<&str> {
    match &entry.condition {
        Condition::Failed(reason) => Some(reason),
        _ => entry.reload_error.as_deref(),
    }
}

fn name(entry: &Entry) -> String {
    let Entry { file, dest, .. } = entry;
    if dest.is_empty() {
        file.clone()
    } else {
        format!("{dest} ({file})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(condition: Condition, fetch_error: Option<&str>) -> Report {
        let entry = Entry {
            file: "a.toml".to_owned(),
            dest: "/a".to_owned(),
            condition,
            since: 0,
            running: None,
            reload_error: None,
            notes: Vec::new(),
        };
        Report {
            fetch_error: fetch_error.map(str::to_owned),
            resources: vec![entry],
            ..Report::default()
        }
    }

    #[test]
    fn a_failure_is_remembered_each_hour_and_its_end_is_logged() {
        use Condition::{Failed, InSync, Pending};
        let failed = |reason: &str| Failed(reason.to_owned());
        let start = Instant::now();
        let mut reminders = Reminders::default();
        for (minute, condition, expected) in [
            (0, InSync, None),
            (1, failed("x"), None),
            (2, failed("y"), None),
            (60, failed("x"), None),
            (
                61,
                failed("y"),
                Some("/a (a.toml) still fails after 1 hour: y"),
            ),
            (62, Pending("retry".to_owned()), None),
            (63, failed("x"), None),
            (120, failed("x"), None),
            (
                200,
                failed("x"),
                Some("/a (a.toml) still fails after 3 hours: x"),
            ),
            (241, InSync, Some("/a (a.toml) works again after 4 hours")),
            (242, InSync, None),
            (243, failed("x"), None),
        ] {
            let now = start + Duration::from_secs(minute * 60);
            let lines = reminders.take(&report(condition, None), now);
            let lines: Vec<&str> = lines.iter().map(|(_, line)| line.as_str()).collect();
            assert_eq!(lines, Vec::from_iter(expected), "minute {minute}");
        }
        let due = reminders.next_due().expect("a failure");
        assert_eq!(due, start + Duration::from_secs(303 * 60));
        assert!(
            reminders.take(&Report::default(), due).is_empty(),
            "removed"
        );
        assert_eq!(reminders.next_due(), None);
    }

    #[test]
    fn missing_metadata_is_remembered_too() {
        let start = Instant::now();
        let mut reminders = Reminders::default();
        let mut take = |minutes: u64, error| {
            let now = start + Duration::from_secs(minutes * 60);
            reminders.take(&report(Condition::InSync, error), now)
        };
        assert!(take(0, Some("refused")).is_empty());
        assert!(take(59, Some("refused")).is_empty());
        let line = "still no metadata after 1 hour: timed out".to_owned();
        assert_eq!(take(60, Some("timed out")), [(Level::Warning, line)]);
        assert!(take(61, None).is_empty());
        assert!(take(62, Some("refused")).is_empty());
        assert!(take(120, Some("refused")).is_empty());
    }
}
