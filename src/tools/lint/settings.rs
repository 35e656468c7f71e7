//! confd.toml, and the settings that it has for all resources.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};

use super::Context;
use super::code::Code;
use super::document::Document;
use super::source::{Source, shown};
use crate::cli::Args;
use crate::config::table::{LARGEST, read_file};
use crate::config::{self, Config};
use crate::error::{self, Error, Result};
use crate::go::path;
use crate::keys::{self, Kind};
use crate::tools::finding::{Finding, Place, Report};

/// Checks the settings file, if there is one, and returns what the resources are checked with.
/// Wrong flags are an error, as always.
pub(super) fn check(args: &Args, report: &mut Report) -> Result<Context> {
    check_environment(report);
    let file = config::settings_file(args);
    let Some(bytes) = file
        .as_deref()
        .map(|path| read_file(path, LARGEST))
        .transpose()
        .map_err(Error::in_settings)?
    else {
        return Config::load(args, |name| env::var_os(name)).map(context);
    };
    let path = file.unwrap_or_default();
    let source = Source::new(&path, bytes);
    let document = Document::read(&source, report);
    if let Some(document) = &document {
        let mut keys = keys::kinds(keys::SETTINGS);
        keys.extend(keys::UNUSED_SETTINGS.iter().map(|key| (*key, Kind::Any)));
        document.check(document.root(), &keys, report);
    }
    match Config::load(args, |name| env::var_os(name)) {
        Ok(config) => Ok(context(config)),
        Err(error) if matches!(error.kind(), error::Kind::Usage(_)) => Err(error),
        Err(error) => {
            if !report.has_error_in(&source.shown) {
                report.add(refusal(&path, &error));
            }
            guess(args, &path, document.as_ref())
        }
    }
}

/// Checks the names of the environment variables that look like settings.
fn check_environment(report: &mut Report) {
    let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for warning in config::unknown_variables(names) {
        let place = Place {
            file: warning.place,
            line: 1,
            column: 1,
        };
        report.add(Code::W104.at(place, warning.message, ""));
    }
}

fn context(config: Config) -> Context {
    Context {
        config,
        tree: None,
        made: BTreeSet::new(),
    }
}

/// The settings that can be known in spite of a broken file.
fn guess(args: &Args, file: &Path, document: Option<&Document<'_>>) -> Result<Context> {
    let mut config = Config::without_file(args, |name| env::var_os(name))?;
    let written = |key| document.and_then(|d| d.text(d.root(), key).map(|(text, _)| text));
    if args.last("confdir").is_none() {
        let beside = file.parent().unwrap_or(Path::new("."));
        config.confdir = written("confdir").map_or(beside.into(), PathBuf::from);
    }
    if let (None, Some(prefix)) = (args.last("prefix"), written("prefix")) {
        config.prefix = Some(path::clean(&format!("/{prefix}")));
    }
    Ok(context(config))
}

/// The program's own error about a file.
pub(super) fn refusal(path: &Path, error: &Error) -> Finding {
    let (place, message) = match error.kind() {
        error::Kind::Config { place, message } => (place.as_str(), message.clone()),
        _ => ("", error.chain()),
    };
    let line = place
        .rsplit_once(':')
        .and_then(|(_, line)| line.parse().ok());
    let place = Place {
        file: shown(path),
        line: line.unwrap_or(1),
        column: 1,
    };
    Code::E103.at(place, message, "")
}
