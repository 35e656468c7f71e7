//! Windows, from NT 6.1 on: the same names as on Unix.

mod dir;
mod host;
mod proc;
mod process;
mod signal;

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_DISK_FULL, ERROR_HANDLE_DISK_FULL, ERROR_SHARING_VIOLATION,
    ERROR_USER_MAPPED_FILE, ERROR_WRITE_PROTECT,
};

pub use dir::{
    Dir, copy_access_list, copy_label, disk, file_meta, label, own_user, reserve, selinux_enforces,
    set_mode, set_owner,
};
pub use host::{group_id, hostname, interface_addresses, local_zone, nameservers, user_id};
pub use proc::{lock_holder, process, processes, same_file};
pub use process::{Process, end_signal, leave_to_reader, raise_open_files, shell};
pub use signal::{block_signals, listen_for_signals};

/// Files have no numbered owner and no mode.
pub const HAS_OWNERS: bool = false;

/// Consoles before Windows 10 print the codes for colours as they are.
pub const HAS_COLOURS: bool = false;

/// What somebody can do about an error; `None` when its own words say all.
pub fn advice(error: &io::Error) -> Option<&'static str> {
    Some(match u32::try_from(error.raw_os_error()?).ok()? {
        ERROR_SHARING_VIOLATION | ERROR_USER_MAPPED_FILE => {
            "another program has it open; it is tried again"
        }
        ERROR_ACCESS_DENIED => {
            "another program has it open, or the user whom confd runs as may not do that"
        }
        ERROR_DISK_FULL | ERROR_HANDLE_DISK_FULL => "free some space on its disk",
        ERROR_WRITE_PROTECT => "its disk has to be made writable",
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

/// The file that stands for the lock of `directory`.
pub fn open_for_lock(directory: &Path, name: &str) -> io::Result<File> {
    open_private(&directory.join(name))
}

/// The same to look whether it is locked: nothing is made, and nothing is what there is when nobody ever locked it.
pub fn open_to_look(directory: &Path, name: &str) -> io::Result<Option<File>> {
    match File::open(directory.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}
