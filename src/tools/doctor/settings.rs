//! The settings, the user and the resources; `-lint` reports more of them.

use std::fmt;

use super::Case;
use crate::config;
use crate::platform;
use crate::tools::finding::{Finding, Severity};
use crate::tools::{console, lint};

/// Checks the settings and the user.
pub(super) fn check(case: &Case) -> Vec<Finding> {
    let mut findings = Vec::new();
    let file = config::settings_file(&case.args);
    let confdir = case.config.confdir.display();
    findings.push(match (&case.refusal, file) {
        (Some(error), _) => Finding::new(
            "settings",
            Severity::Error,
            error.chain(),
            "correct it: confd does not start with it; confd -lint lists all mistakes",
        ),
        (None, Some(file)) => Finding::ok(
            "settings",
            format_args!("{}, confdir {confdir}", file.display()),
        ),
        (None, None) => Finding::new(
            "settings",
            Severity::Warning,
            format_args!("there is no confd.toml, confdir {confdir}"),
            "wait until the platform writes /etc/confd/confd.toml, or name another with -config-file",
        ),
    });
    for warning in &case.config.warnings {
        let help = "correct the key, or remove it";
        findings.push(Finding::new("settings", Severity::Warning, warning, help));
    }
    findings.extend(user());
    findings
}

/// The user of this process.
fn user() -> Option<Finding> {
    let user = platform::own_user();
    platform::HAS_OWNERS.then(|| match user {
        0 => Finding::ok("user", "root, who can see everything"),
        _ => Finding::new(
            "user",
            Severity::Unknown,
            format_args!("user {user}, who cannot see everything"),
            "run -doctor as root or as the user of the daemon to see more",
        ),
    })
}

/// The findings of `-lint` in short.
pub(super) fn resources(case: &Case) -> Vec<Finding> {
    let help = "run confd -lint, which lists everything with its help";
    let found = |severity, message: fmt::Arguments<'_>, help| {
        vec![Finding::new("resources", severity, message, help)]
    };
    let (report, files) = match lint::examine(&case.args) {
        Ok(examined) => examined,
        Err(error) => {
            let severity = case.refused(&error);
            return found(severity, format_args!("{}", error.chain()), help);
        }
    };
    let files_found = console::counted(files, "file");
    match report.first() {
        Some(first) => {
            let place = first.place.as_ref().map(|place| format!("{place}: "));
            let (place, summary) = (place.unwrap_or_default(), report.summary());
            let message = format_args!(
                "{summary} in {files_found}; the first:\n{place}{} {}",
                first.code, first.message
            );
            found(first.severity, message, help)
        }
        None if files == 0 => found(
            Severity::Warning,
            format_args!("there are none in {}", case.config.confdir.display()),
            "put them into conf.d, or name the right directory with -confdir",
        ),
        None => found(Severity::Ok, format_args!("{files_found}, all good"), ""),
    }
}
