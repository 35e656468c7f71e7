//! The looks of an image's files from outside: sizes, times of change and identities, by which
//! anybody who shows an image knows that something was saved. Works on any file system, and reads
//! no content.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::cli::Args;
use crate::config::{self, Config, Source};
use crate::platform::Revision;
use crate::resource::{Resource, template_path};

/// Larger directories of templates are not watched to the end.
const MOST_FILES: usize = 10_000;
/// Deeper directories are not entered.
const DEEPEST: u32 = 64;

/// The size of a file, the time of its change, and which file it is; none for one that is not
/// there.
pub type Look = Option<(u64, Option<SystemTime>, Revision)>;
/// The looks of files by their paths.
pub type Looks = BTreeMap<PathBuf, Look>;

/// The template of a resource, which need not be below `templates`.
pub fn template_of(resource: &Resource, config: &Config) -> PathBuf {
    template_path(&config.confdir.join("templates"), resource.src())
}

/// The files that an image is rendered from: resources, templates, recordings and settings; and
/// `others`, if they are not among these.
pub fn of_image(config: &Config, args: &Args, others: &[PathBuf]) -> Looks {
    let mut looks = Looks::new();
    for directory in ["conf.d", "templates"] {
        let directory = config.confdir.join(directory);
        look_below(&directory, 0, &mut BTreeSet::new(), &mut looks);
    }
    if let Source::File(recordings) = &config.source {
        looks.extend(recordings.iter().map(|path| (path.clone(), look(path))));
    }
    looks.extend(config::settings_file(args).map(|path| (path.clone(), look(&path))));
    for path in others {
        if !looks.contains_key(path) {
            looks.insert(path.clone(), look(path));
        }
    }
    looks
}

fn look(path: &Path) -> Look {
    let metadata = fs::metadata(path).ok()?;
    Some((
        metadata.len(),
        metadata.modified().ok(),
        Revision::of(&metadata),
    ))
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
