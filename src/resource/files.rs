//! The files of resources: those below conf.d, and where their templates are.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Stamp;
use crate::error::{Error, Result};

/// The conf.d of `confdir`. Tools need one; to the agent, a missing one is an empty one.
pub fn existing_conf_d(confdir: &Path) -> Result<PathBuf> {
    let directory = confdir.join("conf.d");
    if directory.is_dir() {
        return Ok(directory);
    }
    let place = confdir.display().to_string();
    Err(Error::config(
        place,
        "there is no conf.d in it; set -confdir",
    ))
}

/// The files below `directory` whose name ends in "toml", in the order of filepath.Walk; symlinked
/// directories are not entered.
pub fn list(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    match fs::metadata(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        // One that cannot be looked at is not an empty one.
        Err(source) => return Err(Error::io("list", directory, source)),
        Ok(_) => list_below(directory, &mut found, 0)?,
    }
    Ok(found)
}

/// [`list`], with their stamps.
pub fn find(directory: &Path) -> Result<Vec<(PathBuf, Stamp)>> {
    let stamp = |path: PathBuf| {
        // A link that leads nowhere, say: its problem is reported when it is loaded.
        let metadata = fs::metadata(&path);
        let stamp = metadata.map_or(Stamp::UNKNOWN, |metadata| Stamp::of(&metadata));
        (path, stamp)
    };
    Ok(list(directory)?.into_iter().map(stamp).collect())
}

/// Deeper directories than anybody makes on purpose.
const DEEPEST: u32 = 64;

fn list_below(directory: &Path, found: &mut Vec<PathBuf>, depth: u32) -> Result<()> {
    let list = |source| Error::io("list", directory, source);
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory).map_err(list)? {
        let entry = entry.map_err(list)?;
        entries.push((entry.file_name(), entry));
    }
    entries.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    for (name, entry) in entries {
        let (path, kind) = (entry.path(), entry.file_type().map_err(list)?);
        if kind.is_dir() {
            if depth < DEEPEST {
                list_below(&path, found, depth + 1)?;
            }
        } else if name.as_encoded_bytes().ends_with(b"toml")
            && (kind.is_file() || fs::metadata(&path).map_or(true, |metadata| metadata.is_file()))
        {
            found.push(path);
        }
    }
    Ok(())
}

/// Where template `src` is: as Go's filepath.Join has it, below `templates` even with a slash
/// before it.
pub fn template_path(templates: &Path, src: &str) -> PathBuf {
    templates.join(src.trim_start_matches(std::path::is_separator))
}

/// The group that a conf.d file names, as far as it can be read: that of a broken one must be
/// known, too.
pub(crate) fn unit_of(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| {
        let value = line.trim_start().strip_prefix("group")?.trim_start();
        let value = value.strip_prefix('=')?.trim_start();
        let quote = value
            .chars()
            .next()
            .filter(|quote| "\"'".contains(*quote))?;
        let (unit, _) = value.strip_prefix(quote)?.split_once(quote)?;
        (!unit.is_empty()).then(|| unit.to_owned())
    })
}
