//! The findings of -lint in the image with its metadata, by file.

use std::sync::Arc;

use app_agent::tools::finding::{Finding, Report, Severity};
use app_agent::tools::lint;
use serde_json::{Value as Json, json};

use crate::selection::Life;

/// All findings.
pub(crate) fn report(life: &Life) -> Result<Report, String> {
    // No key is missing before there is metadata.
    if life.tree.is_empty() {
        let found = lint::examine(&life.state.args);
        return found
            .map(|(report, _)| report)
            .map_err(|error| error.chain());
    }
    let prefix = life.state.config.prefix.as_deref();
    let found = lint::examine_with(&life.state.args, prefix, Arc::clone(&life.tree));
    found.map_err(|error| error.chain())
}

/// The findings with their files below conf.d and templates.
pub(crate) fn show(life: &Life) -> Result<Json, String> {
    let report = report(life)?;
    let confdir = lint::shown(&life.state.config.confdir);
    let findings = report.findings().into_iter();
    let findings = findings.map(|finding| show_finding(finding, &confdir));
    Ok(json!({
        "generation": life.state.generation,
        "errors": report.count(Severity::Error),
        "warnings": report.count(Severity::Warning),
        "findings": findings.collect::<Vec<_>>(),
    }))
}

fn show_finding(finding: &Finding, confdir: &str) -> Json {
    let place = finding.place.as_ref();
    let file = place.map(|place| place.file.as_str()).unwrap_or_default();
    let below = file
        .strip_prefix(confdir)
        .map(|rest| rest.trim_start_matches(['/', '\\']));
    json!({
        "file": below.unwrap_or(file),
        "line": place.map(|place| place.line),
        "column": place.map(|place| place.column),
        "code": finding.code,
        "severity": finding.severity.name(),
        "message": finding.message,
        "cure": finding.help,
    })
}
