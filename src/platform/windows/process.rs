//! A command and all that it starts, held together by a job object: started, waited for, ended.

use std::io::{self, PipeReader};
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;
use std::{env, ptr};

use windows_sys::Win32::Foundation::{WAIT_FAILED, WAIT_TIMEOUT};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, TerminateJobObject,
};
use windows_sys::Win32::System::Threading::{INFINITE, TerminateProcess, WaitForSingleObject};

/// The exit code of what was ended from outside, as Windows' own task manager sets it.
const ENDED: u32 = 1;

/// `cmd /S /C "COMMAND"`: with /S the outer quotes are taken off, and the text between them is left as it is.
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

/// A running command.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// None where the system lets no process into a second job (NT 6.1 inside somebody's job); then only `child` is ended.
    job: Option<OwnedHandle>,
}

impl Process {
    /// Starts a command made by [`shell`].
    pub fn start(command: &mut Command) -> io::Result<Process> {
        let child = command.spawn()?;
        let job = job_of(&child).ok();
        Ok(Process { child, job })
    }

    /// Waits for the end of the command itself; false when it still runs after `limit`. Its status stays to be taken.
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
        // SAFETY: both handles are open as long as `self`. A failure means that nothing is left to end.
        unsafe {
            match &self.job {
                Some(job) => TerminateJobObject(job.as_raw_handle(), ENDED),
                None => TerminateProcess(self.child.as_raw_handle(), ENDED),
            }
        };
    }

    /// Waits for the end of the command itself, and takes its status.
    pub fn finish(mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }
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

/// Nothing to do: to write to a pipe that nobody reads is an ordinary error here, and does not end a process.
pub fn leave_to_reader(_pipe: PipeReader) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

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
