//! Windows, from NT 6.1 on: the same names as on Unix.

mod control;
mod dir;
mod host;
mod proc;
mod process;
mod processes;
mod service;
mod setup;
mod signal;

use std::env;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::MetadataExt;
use std::os::windows::io::AsRawHandle;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_DISK_FULL, ERROR_HANDLE_DISK_FULL, ERROR_SHARING_VIOLATION,
    ERROR_USER_MAPPED_FILE, ERROR_WRITE_PROTECT,
};
use windows_sys::Win32::System::Console::{STD_ERROR_HANDLE, SetStdHandle};

use crate::platform::Roles;

pub use dir::{
    Dir, copy_access_list, copy_label, copy_user_attributes, disk, file_meta, is_executable,
    is_unsupported, label, own_user, protection, reserve, selinux_enforces, set_mode, set_owner,
};
pub use host::{
    group_id, hostname, interface_addresses, local_zone, nameservers, terminal_columns, user_id,
};
pub(super) use proc::lock_holder;
pub use proc::{is_still_running, process, processes, same_file};
pub use process::{
    Announcement, Process, end_signal, leave_to_reader, raise_open_files, script, shell,
};
pub use service::say_ready;
pub use signal::{block_signals, listen_for_signals};

/// The system's own.
pub type Allocator = std::alloc::System;

/// The allocator of the program.
pub const ALLOCATOR: Allocator = std::alloc::System;

/// Files have no numbered owner and no mode.
pub const HAS_OWNERS: bool = false;

/// Consoles before Windows 10 print the codes for colours as they are.
pub const HAS_COLOURS: bool = false;

/// A daemon here is a service, without a stderr.
pub const HAS_SERVICES: bool = true;

/// The app agent's directory, which has this program in its `bin`.
fn home() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    program
        .ancestors()
        .nth(2)
        .map_or_else(|| setup::HOME.into(), Path::to_owned)
}

/// The confdir that belongs to this program.
pub fn usual_confdir() -> PathBuf {
    home().join("confd")
}

/// Advice for an error; `None` when its message is enough.
pub fn advice(error: &io::Error) -> Option<&'static str> {
    Some(match u32::try_from(error.raw_os_error()?).ok()? {
        ERROR_SHARING_VIOLATION | ERROR_USER_MAPPED_FILE => {
            "another program has it open; it is tried again"
        }
        ERROR_ACCESS_DENIED => {
            "another program has it open, or the account of confd lacks the right"
        }
        ERROR_DISK_FULL | ERROR_HANDLE_DISK_FULL => "free some space on its disk",
        ERROR_WRITE_PROTECT => "make its disk writable",
        _ => return None,
    })
}

/// Nothing that is counted here runs out.
pub fn is_shortage(_: &io::Error) -> bool {
    false
}

/// Opens the file at `path`, made where it is missing. Who may open it, its directory says.
pub fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

/// Opens a file to read it.
pub fn open_without_waiting(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// The time when a file was made: another one that takes its place was made later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision {
    made: u64,
}

impl Revision {
    /// The revision of a file about which nothing is known.
    pub const UNKNOWN: Revision = Revision { made: 0 };

    /// The revision of a file from what the system says of it.
    pub fn of(metadata: &Metadata) -> Revision {
        Revision {
            made: metadata.creation_time(),
        }
    }

    /// The time of the last change: not known apart from that of the content.
    pub fn changed(&self) -> Option<SystemTime> {
        None
    }
}

/// The file that stands for the lock of `directory`.
pub(super) fn open_for_lock(directory: &Path, name: &str) -> io::Result<File> {
    open_private(&directory.join(name))
}

/// The same file to see whether it is locked, without creating it; `None` when it was never locked.
pub(super) fn open_to_look(directory: &Path, name: &str) -> io::Result<Option<File>> {
    match File::open(directory.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

/// Finds out which role is wanted. exec.bat and install.bat say it by a first word of their own;
/// what is no service is a program.
pub fn start(roles: &Roles) -> ExitCode {
    let words: Vec<_> = env::args_os().skip(1).collect();
    match words.split_first() {
        Some((first, _)) if first == "-cmd-info" => (roles.cmd_info)(&home()),
        Some((first, rest)) if first == "-setup" => setup::run(rest),
        _ => service::serve(roles.service).unwrap_or_else(roles.program),
    }
}

/// From now on, stderr is this file, which must stay open as long.
pub fn set_stderr(file: &File) {
    // SAFETY: the handle is open, and it is not passed on: std asks for it again at each write. It
    // cannot fail.
    unsafe { SetStdHandle(STD_ERROR_HANDLE, file.as_raw_handle()) };
}

/// Returns true if a file of this name stands for this name only: not for another one in other
/// letters, nor for a device.
pub fn is_plain_name(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let is_device = match stem.len() {
        3 => matches!(stem, "con" | "prn" | "aux" | "nul"),
        4 => stem.starts_with("com") || stem.starts_with("lpt"),
        _ => false,
    };
    !is_device && !name.ends_with('.') && !name.bytes().any(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_stand_for_something_else_are_not_plain() {
        for name in ["c-1", "a.b", "null", "conf", "com10", "8f3a"] {
            assert!(is_plain_name(name), "{name}");
        }
        for name in ["C-1", "nul", "con.txt", "com1", "lpt9.a.b", "a."] {
            assert!(!is_plain_name(name), "{name}");
        }
    }
}
