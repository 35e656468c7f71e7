//! The processes of this machine with their parents, to end everything that a command started and
//! to find out what started this program.

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::process::Child;

use windows_sys::Win32::Foundation::{ERROR_NO_MORE_FILES, FILETIME, HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::Threading::{
    GetProcessTimes, OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_TERMINATE,
    TerminateProcess,
};

/// One process of a snapshot.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its number.
    pub id: u32,
    /// The number of the process that started it, which may have ended since.
    pub parent: u32,
    /// The file name of its program.
    pub program: String,
}

impl Entry {
    /// Returns true if its program has this file name.
    pub(super) fn is_program(&self, name: &str) -> bool {
        self.program.eq_ignore_ascii_case(name)
    }
}

/// All processes, as they are now.
pub(super) fn snapshot() -> io::Result<Vec<Entry>> {
    // SAFETY: takes no pointers.
    let handle = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0) };
    if handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle is open, and nobody else's.
    let snapshot = unsafe { OwnedHandle::from_raw_handle(handle) };
    let mut raw = PROCESSENTRY32W {
        dwSize: size_of::<PROCESSENTRY32W>() as u32,
        ..PROCESSENTRY32W::default()
    };
    let mut entries = Vec::new();
    // SAFETY: the handle is open, and the entry has the size that it names.
    let mut found = unsafe { Process32FirstW(snapshot.as_raw_handle(), &mut raw) };
    while found != 0 {
        let program = raw.szExeFile.split(|unit| *unit == 0).next();
        entries.push(Entry {
            id: raw.th32ProcessID,
            parent: raw.th32ParentProcessID,
            program: String::from_utf16_lossy(program.unwrap_or_default()),
        });
        // SAFETY: as above.
        found = unsafe { Process32NextW(snapshot.as_raw_handle(), &mut raw) };
    }
    match io::Error::last_os_error() {
        error if error.raw_os_error() == Some(ERROR_NO_MORE_FILES.cast_signed()) => Ok(entries),
        error => Err(error),
    }
}

/// The process that started this one, if it still runs.
pub(super) fn parent() -> Option<Entry> {
    let mut entries = snapshot().ok()?;
    let own = std::process::id();
    let parent = entries.iter().find(|entry| entry.id == own)?.parent;
    let at = entries.iter().position(|entry| entry.id == parent)?;
    Some(entries.swap_remove(at))
}

/// Ends a command and all that it started, as far as their parents are known. Failures mean that
/// nothing is left to end.
pub(super) fn terminate_tree(root: &Child, exit_code: u32) {
    let entries = snapshot().unwrap_or_default();
    let mut family = vec![(root.id(), created(root.as_raw_handle()))];
    let mut handles = Vec::new();
    let mut next = 0;
    while let Some(&(parent, since)) = family.get(next) {
        next += 1;
        for entry in entries.iter().filter(|entry| entry.parent == parent) {
            let is_known = family.iter().any(|(id, _)| *id == entry.id);
            if let Some(process) = open(entry.id).filter(|_| !is_known) {
                let birth = created(process.as_raw_handle());
                // One that is older had a parent with the same number before.
                if birth >= since {
                    family.push((entry.id, birth));
                    handles.push(process);
                }
            }
        }
    }
    // The root first, so that it starts no more.
    // SAFETY: all handles are open.
    unsafe { TerminateProcess(root.as_raw_handle(), exit_code) };
    for handle in handles {
        // SAFETY: as above.
        unsafe { TerminateProcess(handle.as_raw_handle(), exit_code) };
    }
}

/// Ends process `id`.
pub(super) fn terminate(id: u32, exit_code: u32) -> io::Result<()> {
    let process = open(id).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the handle is open.
    match unsafe { TerminateProcess(process.as_raw_handle(), exit_code) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// A handle to end process `id` with.
fn open(id: u32) -> Option<OwnedHandle> {
    let access = PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_TERMINATE;
    // SAFETY: takes no pointers.
    let handle = unsafe { OpenProcess(access, 0, id) };
    // SAFETY: the handle is open, and nobody else's.
    (!handle.is_null()).then(|| unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// The time at which a process was made, in steps of 100 ns; 0 when it is not known.
fn created(process: HANDLE) -> u64 {
    let mut times = [FILETIME::default(); 4];
    let [birth, end, kernel, user] = &mut times;
    // SAFETY: the handle is open, and all four are valid to be written.
    unsafe { GetProcessTimes(process, birth, end, kernel, user) };
    u64::from(birth.dwHighDateTime) << 32 | u64::from(birth.dwLowDateTime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_snapshot_has_this_process_and_its_parent() {
        let entries = snapshot().unwrap();
        let own = entries.iter().find(|entry| entry.id == std::process::id());
        assert!(own.unwrap().program.ends_with(".exe"));
        assert!(parent().is_none_or(|parent| parent.id == own.unwrap().parent));
    }
}
