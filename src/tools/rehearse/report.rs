//! The failures of a rehearsal, each once, with all places where it happens; and the reloads: for
//! every program that shows them.

use std::collections::BTreeSet;

use super::stages::Group;
use super::steps::{Rehearsal, Step};

/// One failure of one resource.
pub struct Report<'r> {
    /// The index of the resource.
    pub resource: usize,
    pub message: &'r str,
    /// The steps where it happens.
    pub steps: Vec<&'r Step>,
    /// True when one of them is of the cluster's life, so that the rehearsal fails.
    pub counts: bool,
}

impl Rehearsal {
    /// The failures in the order of the stages.
    pub fn reports(&self) -> Vec<Report<'_>> {
        let mut reports: Vec<Report<'_>> = Vec::new();
        for step in &self.steps {
            let counts = self.group(step) == Group::Life;
            for failure in &step.failures {
                let (resource, message) = (failure.resource, failure.message.as_str());
                let same = |known: &&mut Report<'_>| {
                    (known.resource, known.message) == (resource, message)
                };
                match reports.iter_mut().find(same) {
                    Some(known) => {
                        known.steps.push(step);
                        known.counts |= counts;
                    }
                    None => reports.push(Report {
                        resource,
                        message,
                        steps: vec![step],
                        counts,
                    }),
                }
            }
        }
        reports
    }

    /// The places of a failure in words: `2, 9 (db/i-3), 11 (/env/threads)`. The nodes are named
    /// where the others do not fail.
    pub fn places(&self, report: &Report<'_>) -> String {
        let stages: BTreeSet<usize> = report.steps.iter().map(|step| step.stage).collect();
        let places = stages.into_iter().map(|stage| {
            let all = self.steps.iter().filter(|step| step.stage == stage);
            let abouts: BTreeSet<&str> = report.abouts(stage).collect();
            let details = abouts.into_iter().filter_map(|about| {
                let everybody = all.clone().filter(|step| step.about == about).count();
                let nodes = report.nodes(stage, about);
                let names = nodes.iter().filter_map(|node| self.nodes.get(*node));
                let names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
                match (about, names.len() == everybody) {
                    ("", true) => None,
                    ("", false) => Some(names.join(", ")),
                    (about, true) => Some(about.to_owned()),
                    (about, false) => Some(format!("{about} on {}", names.join(", "))),
                }
            });
            let details: Vec<String> = details.collect();
            if details.is_empty() {
                format!("{}", stage + 1)
            } else {
                format!("{} ({})", stage + 1, details.join("; "))
            }
        });
        places.collect::<Vec<_>>().join(", ")
    }

    /// The reload commands, in the order of the resources, each once.
    pub fn reloads(&self) -> Vec<&str> {
        let mut commands: Vec<&str> = Vec::new();
        for resource in &self.resources {
            if let Some(reload) = resource.reload.as_deref()
                && !commands.contains(&reload)
            {
                commands.push(reload);
            }
        }
        commands
    }

    /// The indices of the reload commands that run because of a step; identical commands run once.
    pub fn reloads_of(&self, step: &Step) -> BTreeSet<usize> {
        let commands = self.reloads();
        let changed = step
            .changed
            .iter()
            .filter_map(|index| self.resources.get(*index));
        let reloads = changed.filter_map(|resource| resource.reload.as_deref());
        reloads
            .filter_map(|reload| commands.iter().position(|command| *command == reload))
            .collect()
    }
}

impl Report<'_> {
    fn abouts(&self, stage: usize) -> impl Iterator<Item = &str> {
        let steps = self.steps.iter().filter(move |step| step.stage == stage);
        steps.map(|step| step.about.as_str())
    }

    fn nodes(&self, stage: usize, about: &str) -> Vec<usize> {
        let here = |step: &&&Step| step.stage == stage && step.about == about;
        let steps = self.steps.iter().filter(here);
        steps.map(|step| step.node).collect()
    }
}
