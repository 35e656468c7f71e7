//! Runs a check_cmd or a reload_cmd in the shell: text and environment in, its end and the last of
//! its output out.
//!
//! Only the command itself is waited for, never a daemon that it leaves behind with the output
//! still open. Without a time limit it may take a day. Knows no templates and no retries, and does
//! not log.

mod output;
pub mod program;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{self, Error, Result};
use crate::platform::{self, Announcement, Process};

use output::Capture;
pub use output::{Output, leave_open_outputs};

/// The time for a command to clean up after its limit, before it is killed.
const GRACE: Duration = Duration::from_secs(2);
/// How long a command may wait to be started when the system has run out of what it needs, and how
/// often it tries. Whoever asked for it tries again later.
const SHORTAGE: Duration = Duration::from_secs(5);
const SHORTAGE_PAUSE: Duration = Duration::from_millis(100);
/// The most bytes of changed keys in one variable: both systems have limits (Linux 128 KiB, Windows
/// 32,767 characters), and a command that cannot be started is worse than a list that is cut.
const LONGEST_LIST: usize = 30_000;

/// One command to be run.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The text for the shell, its `{{.src}}` and `{{.dest}}` already filled in.
    pub text: String,
    /// The staged file, as `CONFD_SRC`.
    pub src: PathBuf,
    /// The file that it is for, as `CONFD_DEST`.
    pub dest: PathBuf,
    /// The keys that made the change, as `CONFD_CHANGED_KEYS`, one a line; the last line is `...`
    /// when there are too many.
    pub changed_keys: Vec<String>,
    /// After this long the command and all that it has started are ended.
    pub time_limit: Option<Duration>,
}

/// A command that has run.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub status: Status,
    /// Its stdout and stderr, in the order of writing.
    pub output: Output,
}

/// How a command ended. Displays as what follows the command in a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// With exit status 0.
    Success,
    /// With another exit status.
    Code(i32),
    /// Ended by a signal.
    Signal(i32),
    /// Not within its time limit; it was ended.
    TimedOut(Duration),
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Success => f.write_str("succeeded"),
            Status::Code(code) => write!(f, "failed with exit status {code}"),
            Status::Signal(signal) => write!(f, "killed by signal {signal}"),
            Status::TimedOut(limit) => write!(f, "timed out after {limit:?}"),
        }
    }
}

impl Invocation {
    /// Lets one run serve another resource, too: `CONFD_SRC` and `CONFD_DEST` then name one file a
    /// line.
    pub fn also_serve(&mut self, other: Invocation) {
        push_line(&mut self.src, &other.src);
        push_line(&mut self.dest, &other.dest);
        self.changed_keys.extend(other.changed_keys);
        self.changed_keys.sort_unstable();
        self.changed_keys.dedup();
    }

    /// Starts the command. It goes on when this process ends meanwhile.
    pub fn start(&self, announcement: &Announcement) -> Result<RunningCommand<'_>> {
        let started = self.start_when_possible(announcement);
        let (capture, writer, process) =
            started.map_err(|error| self.problem("be started", &error))?;
        Ok(RunningCommand {
            invocation: self,
            capture,
            writer,
            process,
        })
    }

    /// Runs the command and blocks until it has ended.
    pub fn run(&self) -> Result<Ended> {
        self.start(&Announcement::default())?.wait()
    }

    /// An error if the command has failed, with its output and the reason that its exit status
    /// names.
    pub fn judge(&self, ended: &Ended) -> Result<()> {
        let mut problem = ended.status.to_string();
        match ended.status {
            Status::Success => return Ok(()),
            Status::Code(code) => {
                let reason = program::reason(&self.text, code);
                problem.extend(reason.map(|reason| format!(": {reason}")));
            }
            Status::Signal(_) | Status::TimedOut(_) => {}
        }
        Err(Error::from(error::Kind::Command {
            command: self.text.clone(),
            problem,
            output: ended.output.to_string().trim_end().to_owned(),
        }))
    }

    fn problem(&self, verb: &str, error: &io::Error) -> Error {
        Error::command(&self.text, format!("cannot {verb}: {error}"))
    }

    /// Where descriptors or processes have run out, as when hundreds of commands start at once,
    /// waits for others to end.
    fn start_when_possible(
        &self,
        announcement: &Announcement,
    ) -> io::Result<(Capture, io::PipeWriter, Process)> {
        let begun = Instant::now();
        loop {
            match self.try_start(announcement) {
                Err(error) if platform::is_shortage(&error) && begun.elapsed() < SHORTAGE => {
                    thread::sleep(SHORTAGE_PAUSE);
                }
                result => return result,
            }
        }
    }

    fn try_start(
        &self,
        announcement: &Announcement,
    ) -> io::Result<(Capture, io::PipeWriter, Process)> {
        let (capture, output) = output::capture()?;
        let mut command = platform::shell(&self.text);
        command
            .env("CONFD_SRC", &self.src)
            .env("CONFD_DEST", &self.dest)
            .env("CONFD_CHANGED_KEYS", list(&self.changed_keys))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output.try_clone()?);
        let process = Process::start_announced(&mut command, announcement.clone())?;
        Ok((capture, output, process))
    }
}

/// A command that was started.
#[derive(Debug)]
pub struct RunningCommand<'a> {
    invocation: &'a Invocation,
    capture: Capture,
    writer: io::PipeWriter,
    process: Process,
}

impl RunningCommand<'_> {
    /// Blocks until the command has ended. A failure of the command is a [`Status`].
    pub fn wait(mut self) -> Result<Ended> {
        let limit = self.invocation.time_limit;
        let limited = match limit {
            Some(limit) => end_within(&mut self.process, limit),
            None => Ok(false),
        };
        let status = self.process.finish();
        let output = self.capture.finish(self.writer);
        let problem = |verb: &str, error| self.invocation.problem(verb, &error);
        let status = status.map_err(|error| problem("be waited for", error))?;
        let timed_out = limited.map_err(|error| problem("be timed", error))?;
        let status = match limit {
            Some(limit) if timed_out => Status::TimedOut(limit),
            _ => status_of(status),
        };
        Ok(Ended { status, output })
    }
}

/// True when the command was ended because its time was over. Then everything that it has started
/// is ended, too.
pub fn end_within(process: &mut Process, limit: Duration) -> io::Result<bool> {
    if process.ended_within(limit)? {
        return Ok(false);
    }
    process.terminate();
    process.ended_within(GRACE)?;
    process.kill();
    Ok(true)
}

fn push_line(list: &mut PathBuf, path: &Path) {
    let list = list.as_mut_os_string();
    list.push("\n");
    list.push(path);
}

fn status_of(status: ExitStatus) -> Status {
    match (platform::end_signal(status), status.code()) {
        (Some(signal), _) => Status::Signal(signal),
        (None, Some(0)) => Status::Success,
        (None, code) => Status::Code(code.unwrap_or(-1)),
    }
}

/// The keys one a line, as many whole ones as there is room for. What no variable or no line can
/// hold is replaced.
fn list(keys: &[String]) -> String {
    let mut list = String::new();
    for key in keys {
        if list.len() + key.len() > LONGEST_LIST {
            list.push_str("...\n");
            break;
        }
        list.push_str(&key.replace(['\0', '\n'], "\u{fffd}"));
        list.push('\n');
    }
    list.pop();
    list
}
