//! Files by their names: those that cannot be read, those in conf.d that confd does not read, and
//! the list of templates.

use std::fs;
use std::path::{Path, PathBuf};

use super::code::Code;
use super::source::{Source, shown};
use crate::error::{Error, Result};
use crate::nearest::nearest;
use crate::tools::finding::{Finding, Place, Report};

/// A file that cannot be read.
pub(super) fn unreadable(path: &Path, error: &Error) -> Finding {
    let is_dangling = path.symlink_metadata().is_ok_and(|link| link.is_symlink()) && !path.exists();
    let help = if is_dangling {
        let target = fs::read_link(path).unwrap_or_default();
        format!(
            "the link leads to {}: correct or remove it",
            target.display()
        )
    } else {
        "correct its owner and mode, or its content".to_owned()
    };
    let place = Place {
        file: shown(path),
        line: 1,
        column: 1,
    };
    Code::E108.at(place, error.chain(), help)
}

/// Reports files in conf.d that look like resources, but whose names do not end in toml.
pub(super) fn check_ignored(conf_d: &Path, report: &mut Report) {
    // A directory that cannot be listed is an error of its own.
    let Ok(entries) = fs::read_dir(conf_d) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.ends_with("toml") && path.is_file() && looks_like_resource(&path, &name) {
            let source = Source::new(&path, Vec::new());
            let message = format!("{name} is not read: its name does not end in toml");
            let stem = stem(&name);
            let help = format!("rename it to {stem}.toml, or move it out of conf.d");
            report.add(source.finding(0, Code::W109, message, help));
        }
    }
}

/// The name that was meant, without its ending: `zoo.cfg` of `zoo.cfg.toml.bak` and `zoo.cfg.tmol`.
fn stem(name: &str) -> &str {
    let visible = name.trim_start_matches('.');
    let stem = visible.split_once(".toml").or(visible.rsplit_once('.'));
    stem.map_or(visible, |(stem, _)| stem)
}

/// Returns true if a resource or template has this text.
pub(super) fn mention(confdir: &Path, text: &str) -> bool {
    ["conf.d", "templates"].iter().any(|name| {
        let directory = confdir.join(name);
        // What cannot be listed or read is reported elsewhere.
        let files = below(&directory).unwrap_or_default();
        let mut paths = files.iter().map(|file| directory.join(file));
        paths.any(|path| fs::read_to_string(path).is_ok_and(|found| found.contains(text)))
    })
}

/// Returns true for a misspelt ending, and for a copy or backup that has a resource in it.
fn looks_like_resource(path: &Path, name: &str) -> bool {
    let is_misspelt = name
        .rsplit('.')
        .next()
        .is_some_and(|ending| nearest(ending, ["toml"]).is_some());
    is_misspelt
        || name.contains("toml")
        || fs::read_to_string(path).is_ok_and(|text| text.contains("[template]"))
}

/// Deeper directories than anybody makes on purpose.
const DEEPEST: u32 = 16;

/// The templates that are to be checked even if no resource uses them: `include` may.
pub(super) fn templates(templates: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for name in below(templates)? {
        if name.ends_with(".tmpl") {
            found.push(templates.join(name));
        }
    }
    Ok(found)
}

/// The files below a directory, with `/` between their names, sorted; none when there is no such
/// directory.
pub(super) fn below(templates: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    if templates.is_dir() {
        add_names(templates, "", DEEPEST, &mut names)?;
    }
    names.sort_unstable();
    Ok(names)
}

fn add_names(dir: &Path, head: &str, depth: u32, names: &mut Vec<String>) -> Result<()> {
    let list = |source| Error::io("list", dir, source);
    for entry in fs::read_dir(dir).map_err(list)? {
        let entry = entry.map_err(list)?;
        let name = format!("{head}{}", entry.file_name().to_string_lossy());
        let path = entry.path();
        // A link that leads nowhere is reported when it is read.
        let is_dangling = entry.file_type().map_err(list)?.is_symlink() && !path.exists();
        if path.is_file() || is_dangling {
            names.push(name);
        } else if depth > 0 && entry.file_type().map_err(list)?.is_dir() {
            add_names(&path, &format!("{name}/"), depth - 1, names)?;
        }
    }
    Ok(())
}
