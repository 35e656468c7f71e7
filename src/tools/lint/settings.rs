//! confd.toml, and what it says for all resources.

use std::env;
use std::path::{Path, PathBuf};

use super::Image;
use super::document::{Document, Keys, Wanted};
use super::finding::{Code, Finding, Report};
use super::source::{Source, shown};
use crate::cli::Args;
use crate::config::{self, Config};
use crate::error::{self, Error, Result};
use crate::go::path;
use crate::settings::{LARGEST, read_file};

/// What the settings are; those of other backends are whatever they are.
const TYPES: &Keys = &[
    ("backend", Wanted::Text),
    ("confdir", Wanted::Text),
    ("file", Wanted::Texts),
    ("interval", Wanted::Integer),
    ("keep-stage-file", Wanted::Boolean),
    ("log-level", Wanted::Text),
    ("nodes", Wanted::Texts),
    ("noop", Wanted::Boolean),
    ("onetime_wait", Wanted::Duration),
    ("poll_limit", Wanted::Duration),
    ("prefix", Wanted::Text),
    ("scheme", Wanted::Text),
    ("settle", Wanted::Duration),
    ("splay", Wanted::Duration),
    ("srv_domain", Wanted::Text),
    ("srv_record", Wanted::Text),
    ("strict", Wanted::Boolean),
    ("sync-only", Wanted::Boolean),
    ("watch", Wanted::Boolean),
];

/// Checks the settings file, if there is one, and says what the resources are to be checked with. Wrong flags are an
/// error, as always.
pub fn check(args: &Args, report: &mut Report) -> Result<Image> {
    let file = config::settings_file(args);
    let Some(bytes) = file
        .as_deref()
        .map(|path| read_file(path, LARGEST))
        .transpose()?
    else {
        return Config::load(args, |name| env::var_os(name)).map(image);
    };
    let path = file.unwrap_or_default();
    let source = Source::new(&path, bytes);
    let document = Document::read(&source, report);
    if let Some(document) = &document {
        let mut keys = TYPES.to_vec();
        for key in config::UNUSED_KEYS {
            keys.push((key, Wanted::Anything));
        }
        document.check(document.root(), &keys, report);
    }
    match Config::load(args, |name| env::var_os(name)) {
        Ok(config) => Ok(image(config)),
        Err(error) if matches!(error.kind(), error::Kind::Usage(_)) => Err(error),
        Err(error) => {
            if !report.has_error_in(&source.shown) {
                report.add(refusal(&path, &error));
            }
            guess(args, &path, document.as_ref())
        }
    }
}

fn image(config: Config) -> Image {
    Image { tree: None, config }
}

/// What can be known in spite of a broken file.
fn guess(args: &Args, file: &Path, document: Option<&Document<'_>>) -> Result<Image> {
    let mut config = Config::without_file(args, |name| env::var_os(name))?;
    let written = |key| document.and_then(|d| d.text(d.root(), key).map(|(text, _)| text));
    if args.last("confdir").is_none() {
        let beside = file.parent().unwrap_or(Path::new("."));
        config.confdir = written("confdir").map_or(beside.into(), PathBuf::from);
    }
    if let (None, Some(prefix)) = (args.last("prefix"), written("prefix")) {
        config.prefix = Some(path::clean(&format!("/{prefix}")));
    }
    Ok(image(config))
}

/// What the program itself says against a file.
pub fn refusal(path: &Path, error: &Error) -> Finding {
    let (place, message) = match error.kind() {
        error::Kind::Config { place, message } => (place.as_str(), message.clone()),
        _ => ("", error.chain()),
    };
    let line = place
        .rsplit_once(':')
        .and_then(|(_, line)| line.parse().ok());
    Finding {
        file: shown(path),
        line: line.unwrap_or(1),
        column: 1,
        code: Code::E103,
        message,
        help: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_a_type() {
        let typed: Vec<&str> = TYPES.iter().map(|(key, _)| *key).collect();
        assert_eq!(typed, config::KEYS);
    }
}
