//! The programs of check_cmd and reload_cmd: whether a shell could run them.

use std::collections::BTreeSet;
use std::path::Path;

use super::Case;
use crate::resource::Resource;
use crate::resource::command::program::{self, Obstacle};
use crate::tools::console;
use crate::tools::finding::{Finding, Severity};

/// Checks the program of each command whose path can be seen in its text.
pub(super) fn check(case: &Case) -> Vec<Finding> {
    let mut resources = Vec::new();
    for file in case.resource_files() {
        // Another check reports a file that cannot be used.
        if let Ok(resource) = Resource::load(&file, &case.config) {
            resources.push((file, resource));
        }
    }
    let made: BTreeSet<&Path> = resources
        .iter()
        .map(|(_, resource)| resource.dest())
        .collect();
    let mut findings = Vec::new();
    let mut good = BTreeSet::new();
    for (file, resource) in &resources {
        for (key, command) in resource.commands() {
            if let Some(program) = program::relative(command) {
                findings.push(relative(file, key, program));
            }
            let Some(program) = program::absolute(command) else {
                continue;
            };
            // What confd itself writes does not exist before the first run.
            if made.contains(program) && !program.exists() {
                continue;
            }
            match program::absent(program).or_else(|| program::obstacle(program)) {
                Some(obstacle) => findings.push(broken(file, key, program, &obstacle)),
                None => {
                    good.insert(program.to_owned());
                }
            }
        }
    }
    findings.dedup();
    if findings.is_empty() && !good.is_empty() {
        let programs = console::counted(good.len(), "program");
        findings.push(Finding::ok(
            "commands",
            format_args!("{programs} can be run"),
        ));
    }
    findings
}

/// A path that means another file, or none, where confd is started in another directory.
fn relative(file: &Path, key: &str, program: &str) -> Finding {
    let file = file.display();
    let message = format_args!("{file}: {key} runs {program}, which is a relative path");
    let help = "write its absolute path: it is looked for where confd was started";
    Finding::new("commands", Severity::Warning, message, help)
}

fn broken(file: &Path, key: &str, program: &Path, obstacle: &Obstacle) -> Finding {
    let (file, program) = (file.display(), program.display());
    let Obstacle { problem, help } = obstacle;
    let message = format_args!("{file}: {key} runs {program}, which {problem}");
    Finding::new("commands", Severity::Error, message, help)
}
