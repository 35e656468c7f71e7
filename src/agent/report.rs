//! What the agent tells others about itself: how each resource is, in values that may be read by anybody.

use std::path::Path;

use super::Agent;
use super::slot::{Slot, State};
use super::status::{Condition, Entry, Report, Reporter};

impl Agent {
    /// Called when a turn is over. In the middle of a batch there is nothing to tell: it ends in seconds.
    pub(super) fn report(&mut self) {
        if self.reporter.is_none() || self.batch.is_some() {
            return;
        }
        let report = self.to_report();
        if let Some(reporter) = &mut self.reporter {
            reporter.report(report);
        }
    }

    /// The last one.
    pub(super) fn report_end(&mut self) {
        let report = self.to_report();
        if let Some(reporter) = self.reporter.take() {
            reporter.end(report);
        }
    }

    /// New settings may name another confdir.
    pub(super) fn renew_reporter(&mut self) {
        self.reporter = Reporter::start(&self.config);
    }

    fn to_report(&self) -> Report {
        let conf_d = self.config.confdir.join("conf.d");
        let entry = |path: &Path, dest: String, condition| Entry {
            file: path
                .strip_prefix(&conf_d)
                .unwrap_or(path)
                .display()
                .to_string(),
            dest,
            condition,
        };
        let mut resources = Vec::new();
        for (path, slot) in self.slots.iter() {
            let dest = slot.resource.dest().display().to_string();
            resources.push(entry(path, dest, condition(slot)));
        }
        for (path, why) in self.broken.iter() {
            let condition = Condition::Failed(why.clone());
            resources.push(entry(path, String::new(), condition));
        }
        resources.sort_unstable_by(|one, other| one.file.cmp(&other.file));
        Report {
            metadata: self.metadata.clone(),
            trouble: self.fetch_error.clone(),
            resources,
        }
    }
}

fn condition(slot: &Slot) -> Condition {
    let pending = |what: &str| Condition::Pending(what.to_owned());
    match (&slot.state, &slot.failure) {
        (State::Reloading, _) => pending("its reload_cmd runs"),
        (State::Staged { .. }, _) => pending("its check_cmd runs"),
        (State::Idle, Some(why)) => Condition::Failed(why.clone()),
        (State::Idle, None) if slot.due.is_some() => pending("it waits to be looked at"),
        (State::Idle, None) => Condition::InSync,
    }
}
