//! Unix: libc calls behind safe functions.

mod allocator;
mod dir;
mod host;
#[cfg(all(target_arch = "x86_64", any(target_env = "musl", test)))]
mod memory;
mod proc;
mod process;
mod signal;
mod storage;

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::platform::{Kind, Roles};

pub use allocator::{ALLOCATOR, Allocator};
pub use dir::{Dir, file_meta, is_executable, is_unsupported, own_user, set_mode, set_owner};
pub use host::{
    group_id, hostname, interface_addresses, local_zone, nameservers, terminal_columns, user_id,
};
pub(super) use proc::lock_holder;
pub use proc::{is_still_running, process, processes, same_file};
pub use process::{Announcement, Process, end_signal, leave_to_reader, raise_open_files, shell};
pub use signal::{block_signals, listen_for_signals};
pub use storage::{
    copy_access_list, copy_label, copy_user_attributes, disk, label, protection, reserve,
    selinux_enforces,
};

/// Files have an owner, a group and a mode.
pub const HAS_OWNERS: bool = true;

/// Terminals understand the codes for colours.
pub const HAS_COLOURS: bool = true;

/// A daemon here is a process like others.
pub const HAS_SERVICES: bool = false;

/// The confdir that the platform's images have.
pub fn usual_confdir() -> PathBuf {
    "/etc/confd".into()
}

/// A cure for an error; `None` when its message says enough.
pub fn advice(error: &io::Error) -> Option<&'static str> {
    Some(match error.raw_os_error()? {
        libc::ENOSPC => "free some space, or inodes, on its file system",
        libc::EDQUOT => "raise the quota on its file system, or free some space",
        libc::EROFS => "mount its file system read-write",
        libc::EIO => "the disk is failing; see the kernel's log",
        libc::EMFILE | libc::ENFILE => "raise the limit of open files",
        libc::EACCES | libc::EPERM if own_user() == 0 => {
            "a security module, or the server of its file system, refuses even root"
        }
        libc::EACCES | libc::EPERM => "run confd as a user who may do that",
        _ => return None,
    })
}

/// Returns true if the system has run out of a resource that a process frees when it ends.
pub fn is_shortage(error: &io::Error) -> bool {
    let short = [libc::EMFILE, libc::ENFILE, libc::EAGAIN, libc::ENOMEM];
    error
        .raw_os_error()
        .is_some_and(|code| short.contains(&code))
}

/// Opens the file at `path`, which only its owner may do; made where it is missing. Neither follows
/// a link nor waits.
pub fn open_private(path: &Path) -> io::Result<File> {
    let file = private(true).create(true).truncate(false).open(path)?;
    let found = file_meta(&file)?;
    if found.kind != Kind::File {
        return Err(ErrorKind::InvalidInput.into());
    }
    // A copy or an older one may be open to others.
    if found.mode & 0o077 != 0 && found.uid == own_user() {
        set_mode(&file, 0o600)?;
    }
    Ok(file)
}

fn private(to_write: bool) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(to_write).mode(0o600);
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options
}

/// Opens a file to read it, without waiting for what is no file to be ready.
pub fn open_without_waiting(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    options.read(true).open(path)
}

/// The identity of a file, and the time of its last change of any kind, which no program can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision {
    id: (u64, u64),
    changed: (i64, i64),
}

impl Revision {
    /// The revision of a file about which nothing is known.
    pub const UNKNOWN: Revision = Revision {
        id: (0, 0),
        changed: (0, 0),
    };

    /// The revision of a file from what the system says of it.
    pub fn of(metadata: &Metadata) -> Revision {
        Revision {
            id: (metadata.dev(), metadata.ino()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// The time of the last change, if the system knows it.
    pub fn changed(&self) -> Option<SystemTime> {
        let seconds = Duration::from_secs(self.changed.0.try_into().ok()?);
        let nanos = Duration::from_nanos(self.changed.1.try_into().ok()?);
        UNIX_EPOCH.checked_add(seconds + nanos)
    }
}

/// The file that stands for the lock of `directory`. Not the directory itself, for whoever may open
/// that could hold its lock; it is the last resort where nothing may be written and no such file
/// was made before.
pub(super) fn open_for_lock(directory: &Path, name: &str) -> io::Result<File> {
    let path = directory.join(name);
    match open_private(&path) {
        Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => {
            private(false).open(path).or_else(|_| File::open(directory))
        }
        result => result,
    }
}

/// The same to look whether it is locked: nothing is made, and nothing is what there is when nobody
/// ever locked it.
pub(super) fn open_to_look(directory: &Path, name: &str) -> io::Result<Option<File>> {
    let none = |error: &io::Error| error.kind() == ErrorKind::NotFound;
    match private(false).open(directory.join(name)) {
        // It may be the directory that is locked.
        Err(error) if none(&error) => File::open(directory).map(Some),
        result => result.map(Some),
    }
}

/// Always a command line: neither a service nor exec.sh has another way in.
pub fn start(roles: &Roles) -> ExitCode {
    process::keep_inherited_descriptors();
    (roles.program)()
}

/// Does nothing: no service manager waits for it.
pub fn say_ready() {}

/// From now on, stderr is this file.
pub fn set_stderr(file: &File) {
    // SAFETY: the descriptor is open. It fails only when it is not, or is interrupted on systems
    // other than Linux.
    unsafe { libc::dup2(file.as_raw_fd(), libc::STDERR_FILENO) };
}

/// A text of several lines for the shell. It is written nowhere: the shell takes it as it is.
pub fn script(text: &str, _scratch: &Path) -> io::Result<Command> {
    Ok(shell(text))
}

/// Returns true if a file of this name is an ordinary file (on Windows `nul` is none).
pub fn is_plain_name(_name: &str) -> bool {
    true
}
