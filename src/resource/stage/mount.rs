//! The one place that writes dest where it stands: a file that is a mount point can be replaced in
//! no other way.
//!
//! A kill in the middle leaves a part; the next run sees that and writes it again.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek};

use super::target::is_closed;
use crate::platform::{self, Dir, Kind};

/// An old file up to this size is put back when the new one cannot be written to its end.
const PUT_BACK: u64 = 16 << 20;

/// Writes the content of `new` over that of `to`. The room is reserved first, so that a full disk
/// is found before a byte has changed. Returns `to`, still open, to be synced.
pub(super) fn overwrite(dir: &Dir, mut new: File, to: &OsStr) -> io::Result<File> {
    let file = dir.open_to_overwrite(to)?;
    let found = platform::file_meta(&file)?;
    if found.kind != Kind::File {
        return Err(ErrorKind::InvalidInput.into());
    }
    if found.has_other_names && !is_closed(&dir.meta()?, platform::own_user()) {
        let text =
            "it is a mount point with a second hard link, in a directory that others may write to";
        return Err(io::Error::new(ErrorKind::PermissionDenied, text));
    }
    let mut before = Vec::new();
    let mut head = file.take(PUT_BACK + 1);
    head.read_to_end(&mut before)?;
    let file = head.into_inner();
    platform::reserve(&file, platform::file_meta(&new)?.size)?;
    if let Err(error) = rewrite(&file, &mut new) {
        if before.len() as u64 <= PUT_BACK {
            // If this fails as well, the first error is still the one to report.
            let _reported_already = rewrite(&file, &mut before.as_slice());
        }
        return Err(error);
    }
    Ok(file)
}

fn rewrite(mut file: &File, content: &mut dyn Read) -> io::Result<()> {
    file.rewind()?;
    let length = io::copy(content, &mut file)?;
    file.set_len(length)
}
