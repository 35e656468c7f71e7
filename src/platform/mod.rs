//! The operating system, by the same names on Unix and Windows. The only room with `cfg(unix)`,
//! `cfg(windows)` and `unsafe`.
//!
//! Nothing newer than Linux 2.6.32 or Windows NT 6.1 is needed; where a newer call is better it is
//! tried, and done without. Knows no configuration, no metadata and no log: it returns `io::Error`,
//! and its callers say to what it happened.

#![allow(unsafe_code, reason = "system calls that std does not offer")]

mod lock;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub use lock::{Lock, generation};
pub use system::{
    ALLOCATOR, Allocator, Announcement, Dir, HAS_COLOURS, HAS_OWNERS, HAS_SERVICES, Process,
    Revision, advice, block_signals, copy_access_list, copy_label, copy_user_attributes, disk,
    end_signal, file_meta, group_id, hostname, interface_addresses, is_executable, is_plain_name,
    is_shortage, is_still_running, is_unsupported, label, leave_to_reader, listen_for_signals,
    local_zone, nameservers, open_private, open_without_waiting, own_user, process, processes,
    protection, raise_open_files, reserve, same_file, say_ready, script, selinux_enforces,
    set_mode, set_owner, set_stderr, shell, start, terminal_columns, user_id, usual_confdir,
};

use system::{lock_holder, open_for_lock, open_to_look};

/// Reads a file, at most `most` bytes of it, into a buffer for its `size`, which may be another one
/// by now.
pub fn read(file: &File, size: u64, most: u64) -> io::Result<Vec<u8>> {
    let size = usize::try_from(size.min(most)).unwrap_or(0);
    // The end is found without growing.
    let mut content = Vec::with_capacity(size.saturating_add(1));
    file.take(most).read_to_end(&mut content)?;
    Ok(content)
}

/// The signals that the daemon handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Finish what is in hand, and go (SIGTERM, SIGINT; Ctrl-C, stop and shutdown on Windows).
    Terminate,
    /// Read the settings, resources and templates again (SIGHUP; Ctrl-Break and a service's
    /// PARAMCHANGE on Windows).
    Reload,
}

/// The roles of a process of this program. The system decides which one it has.
#[derive(Clone, Copy, Debug)]
pub struct Roles {
    /// A command line.
    pub program: fn() -> ExitCode,
    /// A service that the system has started (Windows), in the app agent's folder.
    pub service: fn(&Path) -> ExitCode,
    /// The inner part of exec.bat (Windows), in that folder.
    pub cmd_info: fn(&Path) -> ExitCode,
}

/// The kind of a directory entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An ordinary file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A device, a pipe, a socket.
    Other,
}

/// The metadata of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The kind.
    pub kind: Kind,
    /// The length of its content in bytes.
    pub size: u64,
    /// The permissions with the set-id and sticky bits, and nothing else.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// It has other names (hard links).
    pub has_other_names: bool,
    /// Device and inode number; zeros where the system has none.
    pub id: (u64, u64),
}

/// A process that runs.
#[derive(Debug)]
pub struct Running {
    /// Its number.
    pub pid: u32,
    /// The user as whom it acts.
    pub uid: u32,
    /// Its name, of which the system keeps 15 bytes.
    pub name: String,
    /// It is stopped (SIGSTOP).
    pub stopped: bool,
}

/// The room on a disk, or whatever a file system lies on.
#[derive(Clone, Copy, Debug)]
pub struct Disk {
    /// The number of the file system, unique until the machine restarts.
    pub id: u64,
    /// The bytes that can still be written; none where that is not counted.
    pub free: Option<u64>,
    /// The number of files that can still be created; none without a limit.
    pub files: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::time::{Civil, Time};

    #[test]
    fn the_shell_gets_the_text_unharmed() {
        let output = shell("echo \"a  b\" && echo 'c'").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success());
        assert!(text.contains("a  b"), "{text:?}");
    }

    #[test]
    fn this_machine_has_a_name() {
        assert!(!hostname().is_empty());
    }

    #[test]
    fn a_zone_is_less_than_a_day_from_greenwich_at_any_moment() {
        let mut time = Time {
            seconds: 0,
            nanos: 0,
            utc: false,
            local: local_zone(),
        };
        for seconds in [0, 1_476_165_281, -1, 253_402_300_799, i64::MAX, i64::MIN] {
            time.seconds = seconds;
            let offset = Civil::of(&time).offset;
            assert!(offset.seconds.abs() < 86_400, "{seconds}: {offset:?}");
            assert!(!offset.name.is_empty(), "{seconds}: {offset:?}");
        }
    }

    #[test]
    fn an_unknown_interface_has_no_address() {
        for name in ["no such", ""] {
            let addresses = interface_addresses(name).unwrap();
            assert!(addresses.is_empty(), "{name:?}: {addresses:?}");
        }
    }

    #[test]
    fn an_unknown_user_or_group_has_no_id() {
        for name in ["no-such-name-here", "", "a\0b"] {
            assert_eq!(user_id(name).unwrap(), None, "{name:?}");
            assert_eq!(group_id(name).unwrap(), None, "{name:?}");
        }
    }
}
