//! Former versions of dest, beside it and for its owner's eyes only: `.NAME.confd-backup.1` is the
//! newest.
//!
//! A kill loses none: numbers move up from the first one that is free, so that a gap is used again.

use std::ffi::OsString;
use std::io::{self, Read};

use super::compare::md5_of;
use super::{Stage, Target, names, refused};
use crate::error::Result;
use crate::platform;

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
    /// Makes the file that is about to be replaced a former version.
    pub(super) fn keep_backup(&self) -> Result<()> {
        if self.target.backups == 0 || !self.target.exists() {
            return Ok(());
        }
        self.add_backup()
            .map_err(|error| refused("back up", &self.target.path(), error))
    }

    fn add_backup(&self) -> io::Result<()> {
        let (dir, most) = (&self.file.dir, self.target.backups);
        let name = |number| names::backup(&self.target.name, number);
        let exists = |number| dir.look_up(&name(number)).map(|found| found.is_some());
        let mut surplus = most + 1;
        while exists(surplus)? {
            dir.remove(&name(surplus))?;
            surplus += 1;
        }
        let file = dir.open(&self.target.name)?;
        if exists(1)? {
            let newest = dir.open(&name(1))?;
            let size = |file| platform::file_meta(file).map(|meta| meta.size);
            if size(&newest)? == size(&file)? && md5_of(&newest)? == md5_of(&file)? {
                // A run that was killed before the swap has made it already.
                return Ok(());
            }
        }
        let copy = self.copy_privately(dir.open(&self.target.name)?)?;
        let mut free = 1;
        while free < most && exists(free)? {
            free += 1;
        }
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
