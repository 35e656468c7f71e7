//! A command and all that it starts, held together by a job object: started, waited for, ended.

use std::fs::File;
use std::io::{self, PipeReader, Seek, SeekFrom, Write};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, ptr};

use windows_sys::Win32::Foundation::{WAIT_FAILED, WAIT_TIMEOUT};
use windows_sys::Win32::Globalization::{CP_OEMCP, MultiByteToWideChar, WideCharToMultiByte};
use windows_sys::Win32::System::Console::GetConsoleOutputCP;
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, TerminateJobObject,
};
use windows_sys::Win32::System::SystemInformation::GetVersion;
use windows_sys::Win32::System::Threading::{INFINITE, WaitForSingleObject};

use super::processes;

use super::proc::began;

/// The exit code of what was ended from outside, as Windows' own task manager sets it.
const ENDED: u32 = 1;

/// `cmd /S /C "COMMAND"`: with /S the outer quotes are removed, and the text between them is
/// unchanged.
pub fn shell(command: &str) -> Command {
    let system = env::var_os("SystemRoot").map(PathBuf::from);
    let cmd = system.map(|root| root.join("System32").join("cmd.exe"));
    let mut shell = Command::new(cmd.unwrap_or_else(|| "cmd.exe".into()));
    shell.raw_arg(format!("/S /C \"{command}\""));
    shell
}

/// There is no such limit.
pub fn raise_open_files() -> io::Result<()> {
    Ok(())
}

/// A text of several lines, of which cmd would take the first only: it is written to the batch file
/// `scratch`, and that is the command.
pub fn script(text: &str, scratch: &Path) -> io::Result<Command> {
    let text = format!("@echo off\n{text}\n");
    let text = text.replace("\r\n", "\n").replace('\n', "\r\n");
    fs::write(scratch, in_console_letters(&text)?)?;
    let path = scratch.display();
    Ok(shell(&format!("\"{path}\"")))
}

/// The code page in which a child's cmd reads files: that of this program's console, which it
/// shares, or else of the new one that it gets.
fn code_page() -> u32 {
    // SAFETY: takes no pointers.
    match unsafe { GetConsoleOutputCP() } {
        0 => CP_OEMCP,
        page => page,
    }
}

/// The text as cmd reads it from files.
fn in_console_letters(text: &str) -> io::Result<Vec<u8>> {
    if text.is_ascii() {
        return Ok(text.as_bytes().to_vec());
    }
    let wide: Vec<u16> = text.encode_utf16().collect();
    // No code page takes more than four bytes for a character.
    let (mut bytes, mut back) = (vec![0; 4 * wide.len()], vec![0; 4 * wide.len()]);
    let (length, room) = (i32::try_from(wide.len()), i32::try_from(bytes.len()));
    let (Ok(length), Ok(room)) = (length, room) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // SAFETY: all buffers have the lengths given; the null pointers stand for the usual replacement
    // character.
    let (written, read) = unsafe {
        let (from, to) = (wide.as_ptr(), bytes.as_mut_ptr());
        let none = (ptr::null(), ptr::null_mut());
        let page = code_page();
        let written = WideCharToMultiByte(page, 0, from, length, to, room, none.0, none.1);
        let read = MultiByteToWideChar(page, 0, to, written, back.as_mut_ptr(), room);
        (written, read)
    };
    bytes.truncate(usize::try_from(written).unwrap_or(0));
    back.truncate(usize::try_from(read).unwrap_or(0));
    // What was replaced, by a letter that looks alike too, does not come back.
    if back == wide {
        return Ok(bytes);
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        "it has characters that the console's code page lacks; write it on one line",
    ))
}

/// The lines that are written about a process as soon as it runs.
#[derive(Clone, Debug, Default)]
pub struct Announcement {
    /// The files, and the bytes that are appended to each.
    pub lines: Vec<(Arc<File>, Vec<u8>)>,
    /// The file that gets the identity of the process, for [`is_still_running`].
    ///
    /// [`is_still_running`]: super::is_still_running
    pub identity: Option<Arc<File>>,
}

/// A running command.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// None before NT 6.2, where a process can be in one job only: a command whose programs have
    /// jobs of their own, such as an installer, would fail in this one.
    job: Option<OwnedHandle>,
}

impl Process {
    /// Starts a command made by [`shell`].
    pub fn start(command: &mut Command) -> io::Result<Process> {
        let child = command.spawn()?;
        let job = if has_nested_jobs() {
            job_of(&child).ok()
        } else {
            None
        };
        Ok(Process { child, job })
    }

    /// The same, announced. What cannot be written is not: then the command counts as not started,
    /// and is started once more after a crash.
    pub fn start_announced(
        command: &mut Command,
        announcement: Announcement,
    ) -> io::Result<Process> {
        let process = Process::start(command)?;
        let pid = process.child.id();
        let began = began(process.child.as_raw_handle()).unwrap_or(0);
        for (file, line) in &announcement.lines {
            let _once_more = append(file, line);
        }
        if let Some(file) = &announcement.identity {
            let _not_recognized = append(file, format!("{pid} {began}\n").as_bytes());
        }
        Ok(process)
    }

    /// Waits for the end of the command itself; false when it still runs after `limit`. Its status
    /// stays to be taken.
    pub fn ended_within(&mut self, limit: Duration) -> io::Result<bool> {
        let milliseconds = u32::try_from(limit.as_millis()).unwrap_or(INFINITE);
        // SAFETY: the handle is open as long as `child`.
        match unsafe { WaitForSingleObject(self.child.as_raw_handle(), milliseconds) } {
            WAIT_TIMEOUT => Ok(false),
            WAIT_FAILED => Err(io::Error::last_os_error()),
            _ => Ok(true),
        }
    }

    /// Ends everything: there is no way to ask.
    pub fn terminate(&self) {
        self.kill();
    }

    /// Ends everything that the command started, and the command.
    pub fn kill(&self) {
        let Some(job) = &self.job else {
            return processes::terminate_tree(&self.child, ENDED);
        };
        // SAFETY: the handle is open as long as `self`. A failure means that nothing is left to
        // end.
        unsafe { TerminateJobObject(job.as_raw_handle(), ENDED) };
    }

    /// Waits for the end of the command itself, and takes its status.
    pub fn finish(mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }
}

/// Returns true if a process may be in several jobs, which NT 6.2 introduced.
fn has_nested_jobs() -> bool {
    // SAFETY: takes no pointers.
    let version = unsafe { GetVersion() };
    let (major, minor) = (version & 0xff, version >> 8 & 0xff);
    (major, minor) >= (6, 2)
}

fn append(mut file: &File, line: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::End(0))?;
    file.write_all(line)
}

/// A job with the child in it. The little that a child starts before it is in stays outside.
fn job_of(child: &Child) -> io::Result<OwnedHandle> {
    // SAFETY: both pointers may be null: no name, and the usual rights.
    let job = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
    if job.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle is open, and nobody else's.
    let job = unsafe { OwnedHandle::from_raw_handle(job) };
    // SAFETY: both handles are open.
    match unsafe { AssignProcessToJobObject(job.as_raw_handle(), child.as_raw_handle()) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(job),
    }
}

/// Always `None`: nothing is ended by a signal here.
pub fn end_signal(_status: ExitStatus) -> Option<i32> {
    None
}

/// Always `Unsupported`: a write to a pipe that nobody reads is an ordinary error here, and does
/// not end a process.
pub fn leave_to_reader(_pipe: PipeReader) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

    #[test]
    fn a_script_has_the_letters_of_consoles_or_is_refused() {
        assert_eq!(in_console_letters("a%%b\r\n").unwrap(), b"a%%b\r\n");
        // Every code page for consoles lacks one of these, but that for UTF-8.
        for text in ["\u{e9}", "\u{4e2d}", "\u{416}", "\u{1f600}"] {
            match in_console_letters(text) {
                Ok(bytes) => assert!(!bytes.is_empty() && !bytes.contains(&b'?'), "{text}"),
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{text}"),
            }
        }
    }

    #[test]
    fn a_limit_ends_what_the_command_has_started() {
        let (mut reader, writer) = io::pipe().unwrap();
        // Both levels of cmd hold the pipe, and wait for an input that never comes.
        let (input, _kept_open) = io::pipe().unwrap();
        let mut command = shell("cmd /C \"set /p line=\" & set /p line=");
        command.stdin(input).stdout(writer).stderr(Stdio::null());
        let mut process = Process::start(&mut command).unwrap();
        drop(command);
        assert!(!process.ended_within(Duration::from_millis(200)).unwrap());
        process.kill();
        assert!(process.ended_within(Duration::from_secs(60)).unwrap());
        assert_eq!(process.finish().unwrap().code(), Some(ENDED as i32));
        io::Read::read_to_end(&mut reader, &mut Vec::new()).unwrap();
    }
}
