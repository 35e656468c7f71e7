//! The features that a file system lacks and that confd does without: one WARNING each.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::log;
use crate::threads;

/// Something that a file system lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Quirk {
    /// It keeps no owners or no modes.
    Attributes,
    /// It cannot flush a file to the disk.
    Sync,
}

impl Quirk {
    fn text(self) -> &'static str {
        match self {
            Quirk::Attributes => "does not keep owners and modes; only the content of files counts",
            Quirk::Sync => "cannot sync files; after a power cut the last changes may be lost",
        }
    }
}

/// Warns of a quirk of the file system on `device`, once in the life of this process.
pub(super) fn report(quirk: Quirk, device: u64, directory: &Path) {
    static REPORTED: Mutex<BTreeSet<(u64, Quirk)>> = Mutex::new(BTreeSet::new());
    if threads::lock(&REPORTED).insert((device, quirk)) {
        log::warning(format_args!(
            "the file system of {} {}",
            directory.display(),
            quirk.text()
        ));
    }
}

/// Warns, once in the life of this process, that the file at `path` cannot belong to this user and
/// group, but to our own.
pub(super) fn report_owner(path: &Path, (uid, gid): (u32, u32), (own, group): (u32, u32)) {
    static REPORTED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    if threads::lock(&REPORTED).insert(path.to_path_buf()) {
        log::warning(format_args!(
            "{}: only root can give it to {uid}:{gid} (user:group); it belongs to {own}:{group}",
            path.display()
        ));
    }
}
