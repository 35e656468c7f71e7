//! The settings, the user, and whether the resources can be read: what `-lint` says at length.

use super::{Case, Finding, Verdict};
use crate::config;
use crate::platform;
use crate::tools::lint;

/// Which settings hold, and as whom.
pub fn check(case: &Case) -> Vec<Finding> {
    let mut findings = Vec::new();
    let file = config::settings_file(&case.args);
    let confdir = case.config.confdir.display();
    findings.push(match (&case.refusal, file) {
        (Some(error), _) => Finding::new(
            "settings",
            Verdict::Wrong,
            error.chain(),
            "confd does not start with it; confd -lint says all that is wrong there",
        ),
        (None, Some(file)) => Finding::ok(
            "settings",
            format_args!("{}; confdir is {confdir}", file.display()),
        ),
        (None, None) => Finding::new(
            "settings",
            Verdict::Warning,
            format_args!("there is no confd.toml; confdir is {confdir}"),
            "on a node the platform writes /etc/confd/confd.toml; -config-file names another",
        ),
    });
    for warning in &case.config.warnings {
        let cure = "correct the key, or remove it";
        findings.push(Finding::new("settings", Verdict::Warning, warning, cure));
    }
    findings.extend(user());
    findings
}

/// As whom it is tried.
fn user() -> Option<Finding> {
    let user = platform::own_user();
    platform::HAS_OWNERS.then(|| match user {
        0 => Finding::ok("user", "root: everything can be seen"),
        _ => Finding::new(
            "user",
            Verdict::Unknown,
            format_args!("user {user}, who cannot see everything"),
            "as root, or as the user of the daemon, -doctor sees more",
        ),
    })
}

/// Whether resources and templates can be used.
pub fn resources(case: &Case) -> Vec<Finding> {
    let lint = "confd -lint says all of it, with the cures";
    vec![match lint::summary(&case.args) {
        Err(error) => Finding::new("resources", case.refused(&error), error.chain(), lint),
        Ok(found) if found.errors + found.warnings > 0 => {
            let verdict = match found.errors {
                0 => Verdict::Warning,
                _ => Verdict::Wrong,
            };
            let message = format_args!(
                "{} errors and {} warnings in {} files; first:\n{}",
                found.errors,
                found.warnings,
                found.files,
                found.first.unwrap_or_default()
            );
            Finding::new("resources", verdict, message, lint)
        }
        Ok(found) if found.files == 0 => Finding::new(
            "resources",
            Verdict::Warning,
            format_args!("there are none in {}", case.config.confdir.display()),
            "put them in conf.d, or name the right -confdir",
        ),
        Ok(found) => Finding::ok("resources", format_args!("{} good files", found.files)),
    }]
}
