//! The looks of an image's files from outside: sizes and times of change, by which anybody who shows an
//! image knows that something was saved. Works on any file system, and reads no content.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::cli::Args;
use crate::config::{self, Config, Source};

/// Larger directories of templates are not watched to the end.
const MOST_FILES: usize = 10_000;
/// Deeper directories are not entered.
const DEEPEST: u32 = 64;

/// The size and time of change of a file; none for one that is not there.
pub type Look = Option<(u64, Option<SystemTime>)>;
/// The looks of files by their paths.
pub type Looks = BTreeMap<PathBuf, Look>;

/// The files that an image is rendered from: resources, templates, recordings and settings.
pub fn of_image(config: &Config, args: &Args) -> Looks {
    let mut looks = Looks::new();
    for directory in ["conf.d", "templates"] {
        let directory = config.confdir.join(directory);
        look_below(&directory, 0, &mut BTreeSet::new(), &mut looks);
    }
    if let Source::File(recordings) = &config.source {
        looks.extend(recordings.iter().map(|path| (path.clone(), look(path))));
    }
    looks.extend(config::settings_file(args).map(|path| (path.clone(), look(&path))));
    looks
}

fn look(path: &Path) -> Look {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()))
}

/// Adds the looks of the files below a directory. A linked directory is entered once, wherever it
/// leads: it may be one that the link is in.
fn look_below(directory: &Path, depth: u32, entered: &mut BTreeSet<PathBuf>, looks: &mut Looks) {
    // One that cannot be listed is reported by whoever reads it.
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries {
        let path = entry.path();
        let kind = entry.file_type().ok();
        let is_link = kind.is_some_and(|kind| kind.is_symlink());
        let is_dir = kind.is_some_and(|kind| kind.is_dir()) || is_link && path.is_dir();
        if looks.len() >= MOST_FILES {
            return;
        }
        if !is_dir {
            looks.insert(path.clone(), look(&path));
        } else if depth < DEEPEST
            && (!is_link || fs::canonicalize(&path).is_ok_and(|real| entered.insert(real)))
        {
            look_below(&path, depth + 1, entered, looks);
        }
    }
}
