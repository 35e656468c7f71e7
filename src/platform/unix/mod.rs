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

/// The directory itself: it can be locked without making a file, also where nothing may be written.
pub fn open_for_lock(confdir: &Path) -> io::Result<File> {
    File::open(confdir)
}
