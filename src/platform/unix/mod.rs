//! Unix: libc calls behind safe functions.

mod dir;
mod host;
mod process;
mod signal;
mod storage;

use std::fs::File;
use std::io;
use std::path::Path;

pub use dir::{Dir, file_meta, own_user, set_mode, set_owner};
pub use host::{group_id, hostname, interface_addresses, local_zone, nameservers, user_id};
pub use process::{Process, end_signal, leave_to_reader, shell};
pub use signal::{block_signals, listen_for_signals};
pub use storage::{copy_access_list, copy_label, reserve};

/// Files have an owner, a group and a mode.
pub const HAS_OWNERS: bool = true;

/// Terminals understand the codes for colours.
pub const HAS_COLOURS: bool = true;

/// What somebody can do about an error; `None` when its own words say all.
pub fn advice(error: &io::Error) -> Option<&'static str> {
    Some(match error.raw_os_error()? {
        libc::ENOSPC => "free some space, or inodes, on its file system",
        libc::EDQUOT => "raise the quota on its file system, or free some space",
        libc::EROFS => "its file system has to be mounted for writing",
        libc::EIO => "the disk fails: see the kernel's log",
        libc::EMFILE | libc::ENFILE => "raise the limit of open files",
        libc::EACCES | libc::EPERM => "see to it that confd runs as a user who may do that",
        _ => return None,
    })
}

/// The directory itself: it can be locked without making a file, also where nothing may be written.
pub fn open_for_lock(confdir: &Path) -> io::Result<File> {
    File::open(confdir)
}
