//! The attributes of a staged file besides its content: owner, mode, label, access list, extended
//! attributes.
//!
//! Configured values come first, then those of the old file. A file system that keeps no owners or
//! modes (vfat, some FUSE and CIFS mounts) is reported once and used all the same.

use std::fs::File;
use std::io::{self, ErrorKind};

use super::quirks::{self, Quirk};
use super::{NEW_FILE, Stage};
use crate::platform;

/// A mode that no file system makes up by itself.
const PROBE_MODE: u32 = 0o400;

impl Stage {
    /// Gives the staged file everything except its content.
    pub(super) fn give_attributes(&self, file: &File) -> io::Result<()> {
        self.give_label(file)?;
        self.give_user_attributes(file)?;
        self.give_owner_and_mode(file)?;
        self.give_access_list(file)
    }

    /// The owner and mode that are configured, else those of the old file. Changes only what
    /// differs, and the mode last: a change of owner clears the set-id bits, and nobody is let in
    /// before the file is whole.
    pub(super) fn give_owner_and_mode(&self, file: &File) -> io::Result<()> {
        let (wanted, old) = (&self.target.wanted, self.target.old.as_ref());
        let now = platform::file_meta(file)?;
        let mut uid = wanted.uid.or(old.map(|old| old.uid)).unwrap_or(now.uid);
        let mut gid = wanted.gid.or(old.map(|old| old.gid)).unwrap_or(now.gid);
        let mode = wanted.mode.or(old.map(|old| old.mode)).unwrap_or(NEW_FILE);
        if (uid, gid) != (now.uid, now.gid) {
            match unless_not_kept(file, platform::set_owner(file, uid, gid)) {
                // As in the original, others than root make files of their own.
                Err(error) if is_refusal(&error) && platform::own_user() != 0 => {
                    // The group alone may be one of theirs.
                    let _as_far_as_possible = platform::set_owner(file, now.uid, gid);
                    let own = platform::file_meta(file)?;
                    quirks::report_owner(&self.target.path(), (uid, gid), (own.uid, own.gid));
                    (uid, gid) = (own.uid, own.gid);
                }
                result => result?,
            }
        }
        if platform::file_meta(file)?.mode != mode {
            unless_not_kept(file, platform::set_mode(file, mode))?;
        }
        let now = platform::file_meta(file)?;
        if platform::HAS_OWNERS && (now.uid, now.gid, now.mode) != (uid, gid, mode) {
            quirks::report(Quirk::Attributes, now.id.0, self.target.dir.path());
        }
        Ok(())
    }

    /// True when the old file has the owner and mode that the staged one has, wanted or not.
    pub fn keeps_owner_and_mode(&self) -> bool {
        let (new, old) = (self.file.made.as_ref(), self.target.old.as_ref());
        new.zip(old)
            .is_some_and(|(new, old)| (new.uid, new.gid, new.mode) == (old.uid, old.gid, old.mode))
    }

    /// The label of the old file. A new file has the label that the policy gave it.
    fn give_label(&self, file: &File) -> io::Result<()> {
        match self.target.open_old()? {
            Some(old) => platform::copy_label(&old, file),
            None => Ok(()),
        }
    }

    /// The `user.*` attributes of the old file.
    fn give_user_attributes(&self, file: &File) -> io::Result<()> {
        match self.target.open_old()? {
            Some(old) => platform::copy_user_attributes(&old, file),
            None => Ok(()),
        }
    }

    /// The access list of the old file, unless a mode is configured, which replaces it.
    fn give_access_list(&self, file: &File) -> io::Result<()> {
        if self.target.wanted.mode.is_some() {
            return Ok(());
        }
        match self.target.open_old()? {
            Some(old) => platform::copy_access_list(&old, file),
            None => Ok(()),
        }
    }
}

/// The result of a change of owner or mode, without the refusals of a file system that keeps
/// neither: it refuses even a change of mode of a file that is our own.
fn unless_not_kept(file: &File, changed: io::Result<()>) -> io::Result<()> {
    match changed {
        Err(error) if is_refusal(&error) && !keeps_modes(file)? => Ok(()),
        result => result,
    }
}

fn is_refusal(error: &io::Error) -> bool {
    error.kind() == ErrorKind::PermissionDenied || platform::is_unsupported(error)
}

/// Tries a mode on the file, and puts the old one back.
fn keeps_modes(file: &File) -> io::Result<bool> {
    let before = platform::file_meta(file)?.mode;
    let kept = platform::set_mode(file, PROBE_MODE).is_ok()
        && platform::file_meta(file)?.mode == PROBE_MODE;
    // Where that fails, the mode was not changed either.
    let _restored = platform::set_mode(file, before);
    Ok(kept)
}
