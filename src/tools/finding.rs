//! The findings of `-lint` and `-doctor`: data until the end, then lines for people or JSON for
//! machines.
//!
//! Knows neither TOML nor templates nor nodes.

use std::fmt::{self, Write as _};
use std::process::ExitCode;

use serde_json::{Value as Json, json};

use crate::error::Result;
use crate::tools::console::{self, Colour, Format, Style};

/// The version of the JSON. Keys may be added to it; none changes its meaning or goes.
const VERSION: u64 = 1;
/// The column of further lines of a finding with a place.
const INDENT: usize = 4;
/// The columns of the check and of the message of a finding without one.
const CHECK: usize = 9;
const MARGIN: usize = 20;

/// The weights of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It is as it should be.
    Ok,
    /// This user cannot find out.
    Unknown,
    /// It should be changed, but confd does its work.
    Warning,
    /// It keeps confd from its work.
    Error,
}

impl Severity {
    /// The name, as printed.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Ok => "ok",
            Severity::Unknown => "unknown",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }

    fn colour(self) -> Colour {
        match self {
            Severity::Ok => Colour::Green,
            Severity::Unknown => Colour::Cyan,
            Severity::Warning => Colour::Yellow,
            Severity::Error => Colour::Red,
        }
    }
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as shown.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One finding. Ordered by place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The place of a mistake; none for a check of the machine.
    pub place: Option<Place>,
    /// The code of the mistake, or the name of the check.
    pub code: &'static str,
    pub severity: Severity,
    /// The mistake.
    pub message: String,
    /// The help; empty if there is none.
    pub help: String,
}

impl Finding {
    /// The result of a check of the machine.
    pub fn new(
        check: &'static str,
        severity: Severity,
        message: impl fmt::Display,
        help: &str,
    ) -> Finding {
        Finding {
            place: None,
            code: check,
            severity,
            message: message.to_string(),
            help: help.to_owned(),
        }
    }

    /// A check that found nothing wrong.
    pub fn ok(check: &'static str, message: impl fmt::Display) -> Finding {
        Finding::new(check, Severity::Ok, message, "")
    }

    /// `file:line:column: CODE message`, or the severity, check and message in columns; and the
    /// help below it.
    fn write(&self, style: Style, out: &mut String) {
        let colour = self.severity.colour();
        let (start, indent, label) = match &self.place {
            Some(place) => {
                let place = place.to_string();
                let code = style.paint(colour, self.code);
                let _ = write!(out, "{}: {code}", style.show(&place));
                (place.chars().count() + 2 + self.code.len(), INDENT, "")
            }
            None => {
                let severity = format!("{:CHECK$}", self.severity.name());
                let (severity, width) = (style.paint(colour, &severity), MARGIN - CHECK);
                let _ = write!(out, "{severity}{:width$}", self.code);
                (MARGIN, MARGIN, "help: ")
            }
        };
        let mut lines = self.message.lines().map(|line| style.show(line));
        let first = lines.next().unwrap_or_default();
        let _ = writeln!(out, "{}", style.wrap_after(&first, start, indent));
        let help = Some(format!("{label}{}", self.help)).filter(|_| !self.help.is_empty());
        for line in lines.chain(help.map(|help| style.show(&help))) {
            let _ = writeln!(out, "{:indent$}{}", "", style.wrap(&line, indent));
        }
    }

    fn to_json(&self) -> Json {
        let Finding {
            place,
            code,
            severity,
            message,
            help,
        } = self;
        let severity = severity.name();
        match place {
            Some(Place { file, line, column }) => json!({
                "file": file,
                "line": line,
                "column": column,
                "code": code,
                "severity": severity,
                "message": message,
                "help": help,
            }),
            None => json!({
                "check": code,
                "severity": severity,
                "message": message,
                "help": help,
            }),
        }
    }
}

/// All findings of a run.
#[derive(Debug, Default)]
pub struct Report {
    /// In any order, some more than once.
    found: Vec<Finding>,
}

impl Report {
    /// Takes one more.
    pub fn add(&mut self, finding: Finding) {
        self.found.push(finding);
    }

    /// Returns true if this was found before, wherever it was.
    pub(super) fn has(&self, code: &str, message: &str) -> bool {
        let mut found = self.found.iter();
        found.any(|found| found.code == code && found.message == message)
    }

    /// Takes one if there is one.
    pub(super) fn extend(&mut self, finding: Option<Finding>) {
        self.found.extend(finding);
    }

    /// Returns true if an error was found in this file.
    pub fn has_error_in(&self, file: &str) -> bool {
        let mut errors = self
            .found
            .iter()
            .filter(|found| found.severity == Severity::Error);
        errors.any(|found| found.place.as_ref().is_some_and(|place| place.file == file))
    }

    /// The findings in order of their places, each once; those without a place as they came.
    pub fn findings(&self) -> Vec<&Finding> {
        let mut findings: Vec<&Finding> = self.found.iter().collect();
        if findings.iter().all(|finding| finding.place.is_some()) {
            findings.sort_unstable();
        }
        findings.dedup();
        findings
    }

    /// The number of findings of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        let findings = self.findings().into_iter();
        findings
            .filter(|finding| finding.severity == severity)
            .count()
    }

    /// `1 error, 2 warnings`.
    pub fn summary(&self) -> String {
        let [errors, warnings] = [Severity::Error, Severity::Warning].map(|s| self.count(s));
        format!(
            "{}, {}",
            console::counted(errors, "error"),
            console::counted(warnings, "warning")
        )
    }

    /// The first error, or else the first warning.
    pub fn first(&self) -> Option<&Finding> {
        let findings = self.findings();
        let first = |severity| findings.iter().find(|found| found.severity == severity);
        first(Severity::Error)
            .or_else(|| first(Severity::Warning))
            .copied()
    }

    /// Prints everything to stdout, and the summary, after `subject`, to stderr. 1 if there is an
    /// error, else 0.
    pub fn print(&self, format: Format, subject: &str) -> Result<ExitCode> {
        console::print(&match format {
            Format::Text => self.to_text(Style::of_stdout()),
            Format::Json => format!("{:#}\n", self.to_json()),
        })?;
        console::note(format_args!("{subject}{}", self.summary()));
        let is_bad = self.count(Severity::Error) > 0;
        Ok(ExitCode::from(u8::from(is_bad)))
    }

    fn to_text(&self, style: Style) -> String {
        let mut text = String::new();
        for finding in self.findings() {
            finding.write(style, &mut text);
        }
        text
    }

    fn to_json(&self) -> Json {
        let findings: Vec<Json> = self.findings().into_iter().map(Finding::to_json).collect();
        json!({
            "version": VERSION,
            "errors": self.count(Severity::Error),
            "warnings": self.count(Severity::Warning),
            "findings": findings,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(line: usize, severity: Severity, message: &str, help: &str) -> Finding {
        let file = "conf.d/a.toml".to_owned();
        Finding {
            place: Some(Place {
                file,
                line,
                column: 3,
            }),
            code: "E101",
            ..Finding::new("", severity, message, help)
        }
    }

    #[test]
    fn findings_are_sorted_listed_once_and_wrapped_for_a_terminal() {
        let mut report = Report::default();
        let long = "word ".repeat(30);
        report.add(finding(20, Severity::Warning, "later", ""));
        report.add(finding(3, Severity::Error, long.trim(), "do this"));
        report.add(finding(3, Severity::Error, long.trim(), "do this"));
        let whole = format!(
            "conf.d/a.toml:3:3: E101 {}\n    do this\nconf.d/a.toml:20:3: E101 later\n",
            long.trim()
        );
        assert_eq!(report.to_text(Style::default()), whole);
        let wrapped = report.to_text(Style::of_width(80));
        assert!(wrapped.starts_with("conf.d/a.toml:3:3: E101 word"));
        assert!(wrapped.lines().all(|line| line.len() <= 80), "{wrapped}");
        assert_eq!(wrapped.replace("\n    word", " word"), whole);
        assert_eq!(report.summary(), "1 error, 1 warning");
        assert!(report.has_error_in("conf.d/a.toml") && !report.has_error_in("b"));
    }

    #[test]
    fn checks_are_aligned_with_their_help() {
        let mut report = Report::default();
        report.add(Finding::new(
            "node",
            Severity::Error,
            "10.0.0.2:80: connection refused after a wait that was long enough to fill lines\nmore",
            "start metad there",
        ));
        report.add(Finding::ok("clock", "right"));
        let text = "error    node       10.0.0.2:80: connection refused after a wait that was long\n\
                    \x20                   enough to fill lines\n\
                    \x20                   more\n\
                    \x20                   help: start metad there\n\
                    ok       clock      right\n";
        assert_eq!(report.to_text(Style::of_width(80)), text);
    }

    #[test]
    fn machines_get_a_version_the_counts_and_the_list() {
        let mut report = Report::default();
        let empty = json!({"version": 1, "errors": 0, "warnings": 0, "findings": []});
        assert_eq!(report.to_json(), empty);
        report.add(finding(1, Severity::Warning, "a \"b\"", "c"));
        let json = report.to_json();
        let expected = json!({
            "file": "conf.d/a.toml", "line": 1, "column": 3, "code": "E101",
            "severity": "warning", "message": "a \"b\"", "help": "c",
        });
        assert_eq!(json["findings"], json!([expected]));
        assert_eq!(json["warnings"], 1);
    }
}
