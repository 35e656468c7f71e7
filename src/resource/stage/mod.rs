//! From rendered bytes to dest: a whole file beside it under a name of our own, then one rename.
//!
//! Whenever the process is killed or a disk is full, dest is the old file or the new one, whole,
//! with its owner and mode. A [`Target`] says where dest really is, [`Target::compare`] whether
//! anything is to be done; a [`Stage`] can be committed once. Knows no templates and no commands,
//! and logs only what a file system cannot do.

mod attributes;
mod backup;
mod compare;
mod mount;
mod names;
mod quirks;
mod shared;
mod target;
#[cfg(test)]
mod tests;
pub(crate) mod unit;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::platform::{self, Dir, Meta};
use crate::threads::{self, Work};

pub use compare::Difference;
pub use names::{clear_leftovers, find_leftovers, without_random_parts};
use quirks::Quirk;
pub use shared::Directories;
pub use target::{Attributes, Target};

/// The mode of a new file for which none is configured.
const NEW_FILE: u32 = 0o644;

/// How many files are flushed to the disk at once.
const SYNC_THREADS: usize = 8;

/// An I/O error with the path, and with what somebody can do about it.
fn refused(verb: &'static str, path: &Path, source: io::Error) -> Error {
    let source = match advice(path, &source) {
        Some(advice) => io::Error::new(source.kind(), format!("{source}; {advice}")),
        None => source,
    };
    Error::io(verb, path, source)
}

fn advice(path: &Path, error: &io::Error) -> Option<String> {
    let is_refused = error.kind() == io::ErrorKind::PermissionDenied;
    let mut places = [Some(path), path.parent()].into_iter().flatten();
    let protected = places.find_map(|place| Some((place, platform::protection(place)?)));
    match protected.filter(|_| is_refused) {
        Some((place, letter)) => Some(format!("run chattr -{letter} {}", place.display())),
        None => platform::advice(error).map(str::to_owned),
    }
}

/// The new content in a file beside dest, complete, with its final owner and mode. Removed when it
/// is dropped without a commit, unless it is to be kept. Holds one descriptor, of the directory,
/// which others may share.
#[derive(Debug)]
pub struct Stage {
    target: Target,
    file: StagedFile,
}

impl Stage {
    /// Writes `content` beside dest, first making the directories that are missing. Until it is
    /// whole nobody else may read it. With `keep` the file stays when it is not committed
    /// (`-keep-stage-file`), under a name that no later run clears away.
    pub fn create(mut target: Target, content: &[u8], keep: bool) -> Result<Stage> {
        target.make_directories()?;
        let (file, mut writer) = StagedFile::create(&target, keep)?;
        let mut stage = Stage { target, file };
        let made = writer
            .write_all(content)
            .and_then(|()| stage.give_attributes(&writer))
            .and_then(|()| platform::file_meta(&writer));
        let made = made.map_err(|error| refused("write", &stage.path(), error))?;
        stage.file.made = Some(made);
        Ok(stage)
    }

    /// The removal of dest, which is staged like a new file.
    pub(crate) fn removal(target: Target) -> Stage {
        let file = StagedFile {
            dir: Arc::clone(&target.dir),
            name: OsString::new(),
            is_there: false,
            keep: false,
            made: None,
            claim: None,
        };
        Stage { target, file }
    }

    fn is_removal(&self) -> bool {
        self.file.name.is_empty()
    }

    /// Returns true if dest is still the file that the new content was composed from.
    pub(crate) fn is_current(&self) -> bool {
        let Some(from) = &self.target.composed_from else {
            return true;
        };
        let (dir, name) = (&self.file.dir, &self.target.name);
        let attributes = |meta: &Meta| (meta.kind, meta.uid, meta.gid, meta.mode);
        let is_same = dir
            .look_up(name)
            .and_then(|now| match (now, &self.target.old) {
                (Some(now), Some(old)) if attributes(&now) == attributes(old) => {
                    compare::reads_as(&dir.open(name)?, from)
                }
                (now, old) => Ok(now.is_none() && old.is_none()),
            });
        // What cannot be read is looked at again.
        is_same.unwrap_or(false)
    }

    /// The content that dest is to have, as it was staged.
    pub(crate) fn content(&self) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        let read = self.file.open();
        read.and_then(|mut file| file.read_to_end(&mut content))
            .map(|_| content)
            .map_err(|error| refused("read", &self.path(), error))
    }

    /// The same with other content, in another staged file.
    pub(crate) fn with_content(self, content: &[u8]) -> Result<Stage> {
        let keep = self.file.keep;
        Stage::create(self.target, content, keep)
    }

    /// Where its dest is, all links followed.
    pub(crate) fn dest(&self) -> PathBuf {
        self.target.path()
    }

    /// Where the staged file is.
    pub fn path(&self) -> PathBuf {
        self.file.dir.path().join(&self.file.name)
    }

    /// Which file it replaces, by its number on the file system; none where there is none, or where
    /// files have no numbers.
    pub fn replaces(&self) -> Option<u64> {
        let old = self.target.old.as_ref()?;
        Some(old.id.1).filter(|number| *number != 0)
    }

    /// Returns true if dest has become by itself what this file would make it.
    pub fn is_in_place(&self) -> bool {
        if self.is_removal() {
            return matches!(self.file.dir.look_up(&self.target.name), Ok(None));
        }
        let compared = self.file.open().and_then(|file| {
            let Some(now) = self.file.dir.look_up(&self.target.name)? else {
                return Ok(false);
            };
            let staged = platform::file_meta(&file)?;
            let attributes = |meta: &Meta| (meta.kind, meta.uid, meta.gid, meta.mode, meta.size);
            if attributes(&now) != attributes(&staged) {
                return Ok(false);
            }
            let mut content = Vec::new();
            (&file).read_to_end(&mut content)?;
            compare::reads_as(&self.file.dir.open(&self.target.name)?, &content)
        });
        // What cannot be compared is replaced.
        compared.unwrap_or(false)
    }

    /// Keeps other processes from clearing the file away, which would take a lock on it first.
    /// Costs a descriptor.
    pub fn claim(&mut self) {
        if self.file.claim.is_none() && !self.is_removal() {
            let file = self.file.dir.open(&self.file.name);
            // Where there are no locks it is as good as it was.
            self.file.claim = file.ok().filter(|file| file.try_lock().is_ok());
        }
    }

    /// Waits until the staged file is on the disk. A check_cmd may have put another file in its
    /// place (`sed -i` does), so that owner and mode are looked at again.
    pub fn sync(&self) -> Result<()> {
        if self.is_removal() {
            return Ok(());
        }
        self.file
            .open()
            .and_then(|file| self.give_owner_and_mode(&file).and(Ok(file)))
            .and_then(|file| self.sync_file(&file))
            .map_err(|error| refused("sync", &self.path(), error))
    }

    fn sync_file(&self, file: &File) -> io::Result<()> {
        match file.sync_all() {
            Err(error) if platform::is_unsupported(&error) => {
                let device = platform::file_meta(file)?.id.0;
                quirks::report(Quirk::Sync, device, self.target.dir.path());
                Ok(())
            }
            result => result,
        }
    }

    /// Puts the staged file in the place of dest. To be called after [`Stage::sync`]: else a power
    /// cut could leave an empty dest.
    pub fn commit(self) -> Result<Committed> {
        self.keep_backup(0)?;
        self.place()
    }

    fn place(mut self) -> Result<Committed> {
        let dir = Arc::clone(&self.file.dir);
        if self.is_removal() {
            dir.remove(&self.target.name)
                .map_err(|error| refused("remove", &self.target.path(), error))?;
            return Ok(Committed { dir });
        }
        let placed = if self.target.is_create_only {
            place_new(&dir, &self.file.name, &self.target.name)
        } else {
            dir.replace(&self.file.name, &self.target.name)
        };
        match placed {
            Ok(()) => self.file.is_there = false,
            // A file that is itself a mount point, as container platforms make them, can only be
            // written to.
            Err(error) if is_mount_point(&error) => {
                self.file
                    .open()
                    .and_then(|new| mount::overwrite(&dir, new, &self.target.name))
                    .and_then(|file| self.give_owner_and_mode(&file).and(Ok(file)))
                    .and_then(|file| self.sync_file(&file))
                    .map_err(|error| refused("write over", &self.target.path(), error))?;
            }
            Err(error) => return Err(refused("replace", &self.target.path(), error)),
        }
        Ok(Committed { dir })
    }
}

/// Puts `from` at `to`, where nothing may stand. Without hard links, a file that is made there in
/// the same moment is not noticed.
fn place_new(dir: &Dir, from: &OsStr, to: &OsStr) -> io::Result<()> {
    match dir.link(from, to) {
        Ok(()) => dir.remove(from),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        Err(_) if dir.look_up(to)?.is_some() => Err(ErrorKind::AlreadyExists.into()),
        Err(_) => dir.replace(from, to),
    }
}

fn is_mount_point(error: &io::Error) -> bool {
    // The second is what a file bound from another file system may say.
    matches!(
        error.kind(),
        ErrorKind::ResourceBusy | ErrorKind::CrossesDevices
    )
}

/// A file of ours beside dest; goes away with this value.
#[derive(Debug)]
struct StagedFile {
    dir: Arc<Dir>,
    name: OsString,
    is_there: bool,
    keep: bool,
    /// Its metadata when it was complete.
    made: Option<Meta>,
    /// Holds a lock.
    claim: Option<File>,
}

impl StagedFile {
    fn create(target: &Target, keep: bool) -> Result<(StagedFile, File)> {
        if target.dir.is_append_only() {
            let text =
                "it is append-only (chattr +a): files can be neither replaced nor removed there";
            let error = io::Error::new(ErrorKind::PermissionDenied, text);
            return Err(refused("make a file in", target.dir.path(), error));
        }
        target.dir.claim();
        let (name, file) = names::create(&target.dir, &target.name, keep)
            .map_err(|error| refused("make a file in", target.dir.path(), error))?;
        let staged = StagedFile {
            dir: Arc::clone(&target.dir),
            name,
            is_there: true,
            keep,
            made: None,
            claim: None,
        };
        Ok((staged, file))
    }

    /// Opens it. Where others may change the directory, only the very file that was made will do:
    /// with one of theirs in its place, perhaps another name of a file that stands elsewhere, that
    /// one would get the owner and the mode of dest.
    fn open(&self) -> io::Result<File> {
        let file = self.dir.open_to_sync(&self.name)?;
        let identity = |meta: &Meta| (meta.kind, meta.id, meta.uid, meta.gid);
        let is_same =
            self.made.as_ref().map(identity) == Some(identity(&platform::file_meta(&file)?));
        if is_same || target::is_closed(&self.dir.meta()?, platform::own_user()) {
            return Ok(file);
        }
        let text = "another file was put in its place, in a directory that others may write to";
        Err(io::Error::new(ErrorKind::PermissionDenied, text))
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if self.is_there && !self.keep {
            // What cannot be removed now is a leftover for the next run, and the reason for
            // dropping it is reported already.
            let _cleared_later = self.dir.remove(&self.name);
        }
    }
}

/// [`Stage::sync`] for many, side by side: one after the other, each would wait for a write of the
/// file system's journal of its own. The results are in the order of the stages.
pub fn sync_all(stages: &[&Stage]) -> Vec<Result<()>> {
    if let [stage] = stages {
        return vec![stage.sync()];
    }
    let share = stages.len().div_ceil(SYNC_THREADS).max(1);
    let mut results: Vec<Option<Result<()>>> = Vec::new();
    results.resize_with(stages.len(), || None);
    let parts = stages.chunks(share).zip(results.chunks_mut(share));
    threads::run_all(parts.map(|(stages, results)| {
        let sync = move || {
            for (stage, result) in stages.iter().zip(results) {
                *result = Some(stage.sync());
            }
        };
        Box::new(sync) as Work
    }));
    let mut all = Vec::new();
    for (stage, result) in stages.iter().zip(results) {
        all.push(result.unwrap_or_else(|| stage.sync()));
    }
    all
}

/// A dest that is the new file. Safe from a power cut after [`sync_directories`].
#[derive(Debug)]
#[must_use]
pub struct Committed {
    dir: Arc<Dir>,
}

impl Committed {
    /// The directory of the file.
    pub fn directory(&self) -> &Path {
        self.dir.path()
    }
}

/// Waits until the new names are on the disk, each directory once. Tries all, and returns the first
/// failure; the new files are in their places all the same.
pub fn sync_directories(committed: &[Committed]) -> Result<()> {
    let mut dirs: Vec<&Dir> = committed.iter().map(|committed| &*committed.dir).collect();
    dirs.sort_unstable_by_key(|dir| dir.path());
    dirs.dedup_by_key(|dir| dir.path());
    dirs.into_iter()
        .map(|dir| {
            dir.sync()
                .map_err(|error| refused("sync", dir.path(), error))
        })
        .fold(Ok(()), Result::and)
}
