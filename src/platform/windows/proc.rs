//! Other processes, which are not examined on Windows: there seem to be none, and the holder of a
//! lock is unknown.

use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::path::{Path, PathBuf};

use windows_sys::Win32::Foundation::{FILETIME, WAIT_TIMEOUT};
use windows_sys::Win32::System::Threading::{
    GetProcessTimes, OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE,
    WaitForSingleObject,
};

use crate::platform::Running;

/// None: see above.
pub fn processes(_name: &str) -> io::Result<Vec<Running>> {
    Ok(Vec::new())
}

/// None: see above.
pub fn process(_pid: u32) -> io::Result<Running> {
    Err(ErrorKind::Unsupported.into())
}

/// Returns true if the process of this [`Announcement`] has not ended. Its number alone would not
/// tell: another process may have it by now, but none that began at the same time.
///
/// [`Announcement`]: super::process::Announcement
pub fn is_still_running(announced: &[u8]) -> bool {
    let text = String::from_utf8_lossy(announced);
    let mut words = text.split_ascii_whitespace();
    let pid = words.next().and_then(|word| word.parse().ok());
    let began = words.next().and_then(|word| word.parse().ok());
    pid.zip(began)
        .is_some_and(|(pid, began)| began_at(pid) == Some(began))
}

/// The time when a running process began, as the system counts; `None` when it has ended.
fn began_at(pid: u32) -> Option<u64> {
    let rights = PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_SYNCHRONIZE;
    // SAFETY: no pointers are passed.
    let handle = unsafe { OpenProcess(rights, 0, pid) };
    if handle.is_null() {
        return None;
    }
    // SAFETY: the handle is open, and nobody else's.
    let handle = unsafe { OwnedHandle::from_raw_handle(handle) };
    // SAFETY: the handle is open.
    let is_running = unsafe { WaitForSingleObject(handle.as_raw_handle(), 0) } == WAIT_TIMEOUT;
    let began = began(handle.as_raw_handle());
    began.filter(|_| is_running)
}

/// The time when the process of this open handle began, as the system counts.
pub(super) fn began(handle: RawHandle) -> Option<u64> {
    let mut times = [FILETIME::default(); 4];
    let [begin, end, kernel, user] = &mut times;
    // SAFETY: the handle is open, and the pointers are valid to be written.
    let done = unsafe { GetProcessTimes(handle, begin, end, kernel, user) };
    (done != 0).then(|| u64::from(begin.dwHighDateTime) << 32 | u64::from(begin.dwLowDateTime))
}

impl Running {
    /// Not known.
    pub fn arguments(&self) -> io::Result<Vec<OsString>> {
        Err(ErrorKind::Unsupported.into())
    }

    /// Not known.
    pub fn variable(&self, _name: &str) -> Option<OsString> {
        None
    }

    /// All processes see the same files.
    pub fn see(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }

    /// Not known.
    pub fn program(&self) -> io::Result<PathBuf> {
        Err(ErrorKind::Unsupported.into())
    }

    /// Not known.
    pub fn runs(&self, _program: &Path) -> io::Result<bool> {
        Err(ErrorKind::Unsupported.into())
    }

    /// Not known.
    pub fn log(&self) -> io::Result<PathBuf> {
        Err(ErrorKind::Unsupported.into())
    }
}

/// Returns true if two paths lead to one file or directory.
pub fn same_file(one: &Path, other: &Path) -> io::Result<bool> {
    Ok(fs::canonicalize(one)? == fs::canonicalize(other)?)
}

/// Not known.
pub(crate) fn lock_holder(_confdir: &Path) -> Option<u32> {
    None
}
