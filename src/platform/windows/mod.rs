//! Windows, from NT 6.1 on: the same names as on Unix.

mod dir;
mod host;
mod process;
mod signal;

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

pub use dir::{
    Dir, copy_access_list, copy_label, file_meta, own_user, reserve, set_mode, set_owner,
};
pub use host::{group_id, hostname, interface_addresses, local_zone, nameservers, user_id};
pub use process::{Process, end_signal, leave_to_reader, shell};
pub use signal::{block_signals, listen_for_signals};

/// A file made for it, since directories cannot be locked here.
pub fn open_for_lock(confdir: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(confdir.join(".confd.lock"))
}
