//! Former versions of dest, beside it and for its owner's eyes only: `.NAME.confd-backup.1` is the
//! newest.
//!
//! A kill loses none: numbers move up from the first one that is free, so that a gap is used again.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind, Read};

use super::compare::md5_of;
use super::{Stage, Target, names, refused};
use crate::error::Result;
use crate::platform::{self, Dir, Kind};

impl Target {
    /// The content of the version that was replaced `number` swaps ago, up to `most` bytes; none if
    /// there is no such version.
    pub(crate) fn read_backup(&self, number: u32, most: u64) -> Result<Option<Vec<u8>>> {
        let name = names::backup(&self.name, number);
        let mut content = Vec::new();
        let read = match self.dir.look_up(&name) {
            Ok(Some(_)) => self
                .dir
                .open(&name)
                .and_then(|file| file.take(most).read_to_end(&mut content)),
            Ok(None) => return Ok(None),
            Err(error) => Err(error),
        };
        read.map(|_| Some(content))
            .map_err(|error| refused("read", &self.dir.path().join(name), error))
    }
}

impl Stage {
    /// Makes the file that is about to be replaced a former version, and keeps this many more than
    /// there are to be: the swap may be taken back.
    pub(super) fn keep_backup(&self, more: u32) -> Result<()> {
        if self.target.backups == 0 || !self.target.exists() {
            return Ok(());
        }
        self.add_backup(self.target.backups + more)
            .map_err(|error| refused("back up", &self.target.path(), error))
    }

    fn add_backup(&self, most: u32) -> io::Result<()> {
        let dir = &self.file.dir;
        let name = |number| names::backup(&self.target.name, number);
        let exists = |number| dir.look_up(&name(number)).map(|found| found.is_some());
        prune(dir, &self.target.name, most)?;
        if is_newest(dir, &self.target.name)? {
            // A run that was killed before the swap has made it already.
            return Ok(());
        }
        let mut free = 1;
        while free < most && exists(free)? {
            free += 1;
        }
        let oldest = dir.look_up(&name(free - 1))?;
        if free > self.target.backups && oldest.is_some_and(|oldest| oldest.kind != Kind::File) {
            // It could not be removed later.
            return Err(ErrorKind::IsADirectory.into());
        }
        let copy = self.copy_privately(dir.open(&self.target.name)?)?;
        let moved = (1..free)
            .rev()
            .try_for_each(|number| dir.replace(&name(number), &name(number + 1)));
        moved
            .and_then(|()| dir.replace(&copy, &name(1)))
            .inspect_err(|_| {
                // The first error is the one to report; the next run clears it away.
                let _cleared_later = dir.remove(&copy);
            })
    }

    /// A copy of a file beside dest, on the disk, under a name that the next run would clear away.
    fn copy_privately(&self, mut from: impl Read) -> io::Result<OsString> {
        let dir = &self.file.dir;
        let (name, mut file) = names::create(dir, &self.target.name, false)?;
        let copied = io::copy(&mut from, &mut file).and_then(|_| self.sync_file(&file));
        match copied {
            Ok(()) => Ok(name),
            Err(error) => {
                // The first error is the one to report; the next run clears it away.
                let _cleared_later = dir.remove(&name);
                Err(error)
            }
        }
    }
}

/// Removes the versions after this number.
pub(super) fn prune(dir: &Dir, name: &OsStr, most: u32) -> io::Result<()> {
    let surplus = (most + 1..).map(|number| names::backup(name, number));
    for surplus in surplus {
        if dir.look_up(&surplus)?.is_none() {
            break;
        }
        dir.remove(&surplus)?;
    }
    Ok(())
}

/// Returns true if the newest version is the file as it is.
fn is_newest(dir: &Dir, name: &OsStr) -> io::Result<bool> {
    let newest = names::backup(name, 1);
    if dir.look_up(&newest)?.is_none() || dir.look_up(name)?.is_none() {
        return Ok(false);
    }
    let (newest, file) = (dir.open(&newest)?, dir.open(name)?);
    let size = |file| platform::file_meta(file).map(|meta| meta.size);
    Ok(size(&newest)? == size(&file)? && md5_of(&newest)? == md5_of(&file)?)
}

/// Takes the newest version away again, which is the file that has come back. May be repeated.
pub(super) fn take_back(dir: &Dir, name: &OsStr) -> io::Result<()> {
    if !is_newest(dir, name)? {
        return Ok(());
    }
    let version = |number| names::backup(name, number);
    let mut number = 1;
    while dir.look_up(&version(number + 1))?.is_some() {
        dir.replace(&version(number + 1), &version(number))?;
        number += 1;
    }
    if number == 1 {
        dir.remove(&version(1))?;
    }
    Ok(())
}
