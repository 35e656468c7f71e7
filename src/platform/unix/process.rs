//! A command in a process group of its own: started, waited for, ended with all that it started.
//!
//! Beside it the reaper of PID 1, which must not take the status of one of our own processes.

use std::fs::File;
use std::io::{self, PipeReader};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::signal;
use crate::threads;

/// `/bin/sh -c COMMAND`, in a process group of its own, with no signal blocked and the limits that
/// confd was given.
pub fn shell(command: &str) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command).process_group(0);
    // SAFETY: the function only makes system calls that are allowed between fork and exec.
    unsafe { shell.pre_exec(restore) };
    shell
}

/// Keeps descriptors that this process was started with from the commands that it starts: a lock or
/// a socket of a supervisor is not theirs. Standard input, output and error are replaced anyhow.
pub(super) fn keep_inherited_descriptors() {
    let first = libc::STDERR_FILENO + 1;
    let numbers = std::fs::read_dir("/proc/self/fd").map(|entries| {
        let names = entries.flatten().map(|entry| entry.file_name());
        let numbers = names.filter_map(|name| name.to_str()?.parse::<i32>().ok());
        numbers.filter(|number| *number >= first).collect()
    });
    // Without /proc, those that are usual.
    for number in numbers.unwrap_or_else(|_| Vec::from_iter(first..256)) {
        // SAFETY: changes a flag of a descriptor, and fails where there is none.
        unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// How many files this process might have open before [`raise_open_files`]; zero when that has
/// raised nothing.
static GIVEN: AtomicU64 = AtomicU64::new(0);

/// Takes as many open files as the administrator allows; commands get the number that was given.
/// The usual 1,024 is low for the sake of programs that use `select`, and a few hundred commands at
/// once need more.
pub fn raise_open_files() -> io::Result<()> {
    let limit = open_files()?;
    if limit.rlim_cur < limit.rlim_max {
        set_open_files(limit.rlim_max)?;
        GIVEN.store(limit.rlim_cur, Ordering::Relaxed);
    }
    Ok(())
}

fn open_files() -> io::Result<libc::rlimit> {
    let mut limit = MaybeUninit::uninit();
    // SAFETY: the pointer is valid for the call.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, limit.as_mut_ptr()) } {
        // SAFETY: the call has filled it in.
        0 => Ok(unsafe { limit.assume_init() }),
        _ => Err(io::Error::last_os_error()),
    }
}

fn set_open_files(count: libc::rlim_t) -> io::Result<()> {
    let mut limit = open_files()?;
    limit.rlim_cur = count;
    // SAFETY: the pointer is valid for the call.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// For a new process before it runs its program: as confd found it, with nothing blocked.
fn restore() -> io::Result<()> {
    let given = GIVEN.load(Ordering::Relaxed);
    if given > 0 {
        set_open_files(given)?;
    }
    signal::unblock_all()
}

/// The lines that a new process writes on its way to its program, after everything that can keep it
/// from starting but the program itself. The process that starts it may be killed at any moment:
/// what stands there is true all the same.
#[derive(Clone, Debug, Default)]
pub struct Announcement {
    /// The files, and the bytes that are appended to each.
    pub lines: Vec<(Arc<File>, Vec<u8>)>,
    /// The file that gets the identity of the process, for [`is_still_running`].
    ///
    /// [`is_still_running`]: super::is_still_running
    pub identity: Option<Arc<File>>,
}

impl Announcement {
    /// Called in the new process, between fork and exec. What cannot be written is not: then the
    /// command counts as not started, and is started once more after a crash.
    fn make(&self) {
        for (file, line) in &self.lines {
            write_all(file, line);
        }
        let Some(file) = &self.identity else {
            return;
        };
        let mut stat = [0_u8; 1024];
        let flags = libc::O_RDONLY | libc::O_CLOEXEC;
        // SAFETY: the path is NUL-terminated, and the buffer has the length given. All calls are
        // allowed between fork and exec.
        let length = unsafe {
            let own = libc::open(c"/proc/self/stat".as_ptr(), flags);
            let length = libc::read(own, stat.as_mut_ptr().cast(), stat.len());
            libc::close(own);
            length
        };
        let length = usize::try_from(length).unwrap_or(0);
        write_all(file, stat.get(..length).unwrap_or_default());
    }
}

/// Writes without allocating anything, which is not allowed after a fork.
fn write_all(file: &File, bytes: &[u8]) {
    // SAFETY: the descriptor is open, and the buffer has the length given. A short write counts as
    // none.
    unsafe { libc::write(file.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) };
}

/// The processes that somebody here waits for.
static OURS: Mutex<Vec<u32>> = Mutex::new(Vec::new());

fn ours() -> MutexGuard<'static, Vec<u32>> {
    threads::lock(&OURS)
}

/// A running command, the first of its process group.
#[derive(Debug)]
pub struct Process {
    child: Child,
    end: Option<Receiver<io::Result<()>>>,
}

impl Process {
    /// Starts a command made by [`shell`].
    pub fn start(command: &mut Command) -> io::Result<Process> {
        // Held while it starts: the reaper must not see the process before it stands on the list.
        // Only PID 1 has a reaper; nobody else is to start hundreds of commands one after the
        // other.
        let list = (std::process::id() == 1).then(ours);
        let child = command.spawn()?;
        if let Some(mut list) = list {
            list.push(child.id());
        }
        Ok(Process { child, end: None })
    }

    /// The same for a process that announces itself.
    pub fn start_announced(
        command: &mut Command,
        announcement: Announcement,
    ) -> io::Result<Process> {
        let make = move || {
            announcement.make();
            Ok(())
        };
        // SAFETY: the function only makes system calls that are allowed between fork and exec.
        unsafe { command.pre_exec(make) };
        Process::start(command)
    }

    /// Waits for the end of the command itself; false when it still runs after `limit`. Its status
    /// stays to be taken.
    pub fn ended_within(&mut self, limit: Duration) -> io::Result<bool> {
        let pid = self.child.id();
        if self.end.is_none() {
            // A descriptor to poll for this came with Linux 5.3; a thread that waits came with the
            // first.
            let (sender, receiver) = mpsc::sync_channel(1);
            let wait = move || {
                // Nobody listens any more when the process was given up.
                let _given_up = sender.send(wait_for_end(pid));
            };
            threads::spawn(&format!("wait {pid}"), wait)?;
            self.end = Some(receiver);
        }
        match self.end.as_ref().map(|end| end.recv_timeout(limit)) {
            Some(Ok(result)) => result.map(|()| true),
            Some(Err(RecvTimeoutError::Timeout)) => Ok(false),
            Some(Err(RecvTimeoutError::Disconnected)) | None => Ok(true),
        }
    }

    /// Asks the whole group to end.
    pub fn terminate(&self) {
        self.signal_group(libc::SIGTERM);
    }

    /// Ends the whole group. Also after the command itself has ended, as long as its status was not
    /// taken.
    pub fn kill(&self) {
        self.signal_group(libc::SIGKILL);
    }

    fn signal_group(&self, signal: i32) {
        let Ok(pid) = i32::try_from(self.child.id()) else {
            return;
        };
        // SAFETY: the status was not taken yet (that consumes `self`), so the number is still this
        // group's. A failure means that nobody is left in it, or nobody whom we may signal.
        unsafe { libc::kill(-pid, signal) };
    }

    /// Waits for the end of the command itself, and takes its status.
    pub fn finish(mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait();
        let pid = self.child.id();
        ours().retain(|id| *id != pid);
        // It may have stood before an orphan in the kernel's list, and SIGCHLD does not come again
        // for that one.
        if std::process::id() == 1 {
            reap_orphans();
        }
        status
    }
}

/// The signal that ended a process.
pub fn end_signal(status: ExitStatus) -> Option<i32> {
    status.signal()
}

/// Blocks until the child has ended, and leaves its status where it is.
fn wait_for_end(pid: u32) -> io::Result<()> {
    loop {
        let mut information = MaybeUninit::<libc::siginfo_t>::zeroed();
        let options = libc::WEXITED | libc::WNOWAIT;
        // SAFETY: the pointer is valid for the call.
        let code = unsafe { libc::waitid(libc::P_PID, pid, information.as_mut_ptr(), options) };
        if code == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Buries the processes that others left to PID 1. Stops at one of ours, which its own waiter
/// takes, and then calls again.
pub(super) fn reap_orphans() {
    let ours = ours();
    while let Some(pid) = ended_child() {
        if u32::try_from(pid).is_ok_and(|pid| ours.contains(&pid)) {
            return;
        }
        // SAFETY: no status is asked for; the child has ended, so this does not wait.
        if unsafe { libc::waitpid(pid, ptr::null_mut(), libc::WNOHANG) } != pid {
            return;
        }
    }
}

/// Any child that has ended, left as it is.
fn ended_child() -> Option<libc::pid_t> {
    let mut information = MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: the pointer is valid for the call.
    let code = unsafe { libc::waitid(libc::P_ALL, 0, information.as_mut_ptr(), options) };
    // SAFETY: zeroed is a valid `siginfo_t`, and `waitid` leaves the pid at zero when there is no
    // such child.
    let pid = unsafe { information.assume_init().si_pid() };
    (code == 0 && pid > 0).then_some(pid)
}

/// Leaves a pipe that somebody may still write to to a process of its own, which reads it to its
/// end: a writer must not be killed by SIGPIPE when confd is gone, even by SIGKILL. `Unsupported`
/// for the first process of a container, with which all others end.
pub fn leave_to_reader(pipe: PipeReader) -> io::Result<()> {
    if std::process::id() == 1 {
        return Err(io::ErrorKind::Unsupported.into());
    }
    if !has_writers(&pipe)? {
        return Ok(());
    }
    // The shell ends at once, so that its child is not ours to wait for.
    let mut reader = shell("exec 3<&0; cat <&3 3<&- >/dev/null 2>&1 &");
    reader
        .current_dir("/")
        .stdin(pipe)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Process::start(&mut reader)?.finish()?;
    Ok(())
}

/// True while a process has the writing end open.
fn has_writers(pipe: &PipeReader) -> io::Result<bool> {
    let mut state = libc::pollfd {
        fd: pipe.as_raw_fd(),
        events: 0,
        revents: 0,
    };
    // SAFETY: the descriptor is open, and there is one entry, valid for the call.
    match unsafe { libc::poll(&raw mut state, 1, 0) } {
        0.. => Ok(state.revents & libc::POLLHUP == 0),
        _ => Err(io::Error::last_os_error()),
    }
}
