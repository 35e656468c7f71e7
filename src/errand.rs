//! The inner part of exec.bat, and exec.sh's twin: runs the command of the platform that stands in `log/cmd.info` as "ID:COMMAND".
//!
//! Each ID is started once and never again, whatever happens to cmd.info, to confd or to the machine. The command's output goes to
//! `log/app.log`; its start and end go to `log/cmd.log`. There is no time limit, unless `log/cmd.timeout` holds a number of seconds.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::{Error, Result};
use crate::go::hex;
use crate::log::{self, LogFile};
use crate::platform::{self, Process};
use crate::resource::command;

/// The longest cmd.info that is taken, in bytes. No shell takes a longer command.
const LONGEST: u64 = 1 << 20;
/// The status of a command whose time was over, as timeout(1) has it.
const TIMED_OUT: i32 = 124;

/// Does what `home`'s cmd.info says, if that is new. Succeeds when there is nothing to do or the command has succeeded.
pub fn run(home: &Path) -> ExitCode {
    let done = Errand::read(home).and_then(|errand| match errand {
        Some(errand) => errand.run_once(),
        None => Ok(true),
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("exec: {}", error.chain());
            ExitCode::FAILURE
        }
    }
}

/// One command of the platform.
#[derive(Debug)]
struct Errand<'a> {
    home: &'a Path,
    id: String,
    command: String,
}

impl<'a> Errand<'a> {
    /// What cmd.info says; `None` when it says nothing.
    fn read(home: &'a Path) -> Result<Option<Errand<'a>>> {
        let path = home.join("log").join("cmd.info");
        let refuse = |problem: &str| Error::resource(&path, problem);
        let mut info = Vec::new();
        match File::open(&path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut info)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", &path, error)),
            Ok(_) if info.len() as u64 > LONGEST => return Err(refuse("is too long")),
            Ok(_) => {}
        }
        let info = String::from_utf8(info).map_err(|_| refuse("is not UTF-8 text"))?;
        let info = info.trim_end_matches(['\r', '\n']);
        match info.split_once(':') {
            _ if info.is_empty() => Ok(None),
            Some((id, command)) if !id.is_empty() => Ok(Some(Errand {
                home,
                id: id.to_owned(),
                command: command.to_owned(),
            })),
            _ => Err(refuse("is not ID:COMMAND")),
        }
    }

    /// Whether it has succeeded, now or in an earlier run.
    fn run_once(&self) -> Result<bool> {
        let record = self.home.join("data").join("cmd.started").join(self.name());
        if record.exists() || self.is_in_old_log() {
            eprintln!("exec: command {} was started before", self.id);
            return Ok(true);
        }
        match self.claim(&record) {
            Ok(true) => {}
            // Somebody else has come first.
            Ok(false) => return Ok(true),
            Err(error) => return self.refuse(error),
        }
        self.note("executing");
        let status = match self.execute(&record) {
            Ok(status) => status,
            Err(error) => return self.refuse(error),
        };
        match status {
            0 => self.note("successful"),
            status => self.note(&format!("failed{status}")),
        }
        Ok(status == 0)
    }

    fn refuse(&self, error: Error) -> Result<bool> {
        self.note("failed1");
        Err(error)
    }

    /// The name of its record. An id with unusual characters is spelled in hexadecimal after a "=", which plain ids never have.
    fn name(&self) -> String {
        let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_plain = self.id.bytes().all(is_usual) && !self.id.starts_with('.');
        if is_plain && platform::is_plain_name(&self.id) {
            return self.id.clone();
        }
        format!("={}", hex::encode(self.id.as_bytes()))
    }

    /// The agent that was here before this one kept no records, but it wrote the same log.
    fn is_in_old_log(&self) -> bool {
        let started = format!(" {} [executing]: ", self.id);
        let log = fs::read(self.log("cmd.log")).unwrap_or_default();
        let mut places = log.windows(started.len());
        places.any(|place| place == started.as_bytes())
    }

    /// Makes the record, on the disk, in one step: of two callers one gets true.
    fn claim(&self, record: &Path) -> Result<bool> {
        if let Some(records) = record.parent() {
            fs::create_dir_all(records)
                .map_err(|error| Error::io("make the directory", records, error))?;
        }
        match OpenOptions::new().write(true).create_new(true).open(record) {
            Ok(file) => file.sync_all().map(|()| true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
        .map_err(|error| Error::io("make the record", record, error))
    }

    /// Runs the command; its exit status, as a shell has it.
    fn execute(&self, record: &Path) -> Result<i32> {
        let problem =
            |error: io::Error| Error::command(&self.command, format!("cannot be run: {error}"));
        let app_log = self.open_log("app.log")?;
        let is_script = self.command.contains('\n');
        // No record has such a name.
        let script = record.with_file_name(format!("={}.bat", self.name()));
        let mut command = match is_script {
            true => platform::script(&self.command, &script).map_err(problem)?,
            false => platform::shell(&self.command),
        };
        let outputs = (app_log.file().try_clone(), app_log.file().try_clone());
        command
            .stdin(Stdio::null())
            .stdout(outputs.0.map_err(problem)?)
            .stderr(outputs.1.map_err(problem)?);
        let mut process = Process::start(&mut command).map_err(problem)?;
        let timed_out = match self.time_limit() {
            Some(limit) => command::end_within(&mut process, limit).map_err(problem)?,
            None => false,
        };
        let status = process.finish().map_err(problem)?;
        if is_script {
            // Of no use to anybody any more; on some systems it was never there.
            let _gone = fs::remove_file(script);
        }
        let ended_by = platform::end_signal(status).map(|signal| 128 + signal);
        Ok(match timed_out {
            true => TIMED_OUT,
            false => ended_by.or(status.code()).unwrap_or(1),
        })
    }

    fn time_limit(&self) -> Option<Duration> {
        let text = fs::read_to_string(self.log("cmd.timeout")).ok()?;
        text.trim_end().parse().ok().map(Duration::from_secs)
    }

    /// Writes that it is in this state. A log that cannot be written keeps no command from running.
    fn note(&self, state: &str) {
        let (id, command) = (&self.id, &self.command);
        let line = format!("{} {id} [{state}]: {command}\n", time());
        let written = self.open_log("cmd.log").and_then(|mut log| {
            log.write(line.as_bytes())
                .map_err(|error| Error::io("write to", &self.log("cmd.log"), error))
        });
        if let Err(error) = written {
            eprintln!("exec: {}", error.chain());
        }
    }

    /// Opens a log to append to it. Where nobody else rotates logs, these are rotated as the agent's own is.
    fn open_log(&self, name: &str) -> Result<LogFile> {
        let mut log = LogFile::open(&self.log(name), log::LARGEST)?;
        if let Err(error) = log.make_room(0) {
            eprintln!("exec: {}; going on in the same log file", error.chain());
        }
        Ok(log)
    }

    fn log(&self, name: &str) -> PathBuf {
        self.home.join("log").join(name)
    }
}

/// Now, as `2016-10-11 13:54:41`.
fn time() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = now.map_or(0, |time| time.as_secs().cast_signed());
    let time = log::local_time(seconds).replace('T', " ");
    time.get(..19).unwrap_or(&time).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(name: &str) -> PathBuf {
        let home = std::env::temp_dir().join(format!("confd-errand-{}-{name}", std::process::id()));
        fs::create_dir_all(home.join("log")).unwrap();
        home
    }

    /// Runs with this cmd.info; what cmd.log says now, without its times.
    fn run(home: &Path, info: &str) -> (bool, String) {
        fs::write(home.join("log/cmd.info"), info).unwrap();
        let good = super::run(home) == ExitCode::SUCCESS;
        let log = fs::read_to_string(home.join("log/cmd.log")).unwrap_or_default();
        let untimed = |line: &str| line.get(20..).unwrap_or_default().to_owned() + "\n";
        (good, log.lines().map(untimed).collect())
    }

    fn output(home: &Path) -> String {
        let text = fs::read_to_string(home.join("log/app.log")).unwrap_or_default();
        text.replace("\r\n", "\n")
    }

    #[test]
    fn a_command_runs_once_and_is_logged_as_exec_sh_does() {
        let home = home("once");
        fs::write(home.join("log/app.log"), "before\n").unwrap();
        let log = "c-1 [executing]: echo a:b\nc-1 [successful]: echo a:b\n".to_owned();
        for _ in 0..2 {
            assert_eq!(run(&home, "c-1:echo a:b"), (true, log.clone()));
        }
        assert_eq!(output(&home), "before\na:b\n");
        let text = fs::read_to_string(home.join("log/cmd.log")).unwrap();
        let shape = |c: char| if c.is_ascii_digit() { '0' } else { c };
        let shape: String = text.chars().take(20).map(shape).collect();
        assert_eq!(shape, "0000-00-00 00:00:00 ");
        fs::remove_dir_all(home).unwrap();
    }

    #[test]
    fn a_failure_is_logged_with_its_status_and_not_repeated() {
        let home = home("fails");
        let log = "x [executing]: exit 7\nx [failed7]: exit 7\n".to_owned();
        assert_eq!(run(&home, "x:exit 7"), (false, log.clone()));
        assert_eq!(run(&home, "x:exit 7"), (true, log));
        fs::remove_dir_all(home).unwrap();
    }

    #[test]
    fn several_lines_are_a_script() {
        let home = home("lines");
        assert!(
            run(&home, "x:echo one\necho two\nexit 3")
                .1
                .contains("failed3")
        );
        assert_eq!(output(&home), "one\ntwo\n");
        let records = fs::read_dir(home.join("data/cmd.started")).unwrap();
        assert_eq!(records.count(), 1);
        fs::remove_dir_all(home).unwrap();
    }

    #[test]
    fn nothing_to_do_is_no_failure_and_nonsense_is_refused() {
        let home = home("none");
        for (info, good) in [
            ("", true),
            ("\r\n\n", true),
            ("no colon", false),
            (":echo x", false),
        ] {
            assert_eq!(run(&home, info), (good, String::new()), "{info:?}");
        }
        fs::remove_file(home.join("log/cmd.info")).unwrap();
        assert!(super::run(&home) == ExitCode::SUCCESS);
        fs::remove_dir_all(home).unwrap();
    }

    #[test]
    fn callers_at_the_same_time_start_it_once() {
        let home = home("race");
        fs::write(home.join("log/cmd.info"), "c-1:echo once").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert!(super::run(&home) == ExitCode::SUCCESS));
            }
        });
        assert_eq!(output(&home), "once\n");
        fs::remove_dir_all(home).unwrap();
    }

    #[test]
    fn every_id_has_a_record_of_its_own() {
        let home = home("names");
        let name = |id: &str| {
            let (id, command) = (id.to_owned(), String::new());
            Errand {
                home: &home,
                id,
                command,
            }
            .name()
        };
        assert_eq!(name("c-1.a_b"), "c-1.a_b");
        assert_eq!(name(".."), "=2e2e");
        assert_eq!(name("a/b"), "=612f62");
        assert_eq!(name("=41"), "=3d3431");
        assert_eq!(name("节"), "=e88a82");
        fs::remove_dir_all(home).unwrap();
    }

    #[test]
    fn what_the_former_agent_has_started_is_not_started_again() {
        let home = home("former");
        let log = "2016-10-11 13:54:41 c-1 [executing]: echo x\n";
        fs::write(home.join("log/cmd.log"), log).unwrap();
        assert!(run(&home, "c-1:echo x").0);
        assert!(run(&home, "c-11:echo y").1.contains("c-11 [successful]"));
        assert_eq!(output(&home), "y\n");
        fs::remove_dir_all(home).unwrap();
    }

    #[test]
    fn a_limit_ends_it() {
        let home = home("limit");
        fs::write(home.join("log/cmd.timeout"), "1\n").unwrap();
        // An endless loop for sh, and one for cmd.
        let command = match platform::HAS_OWNERS {
            true => "while :; do :; done",
            false => "for /L %i in (0,0,1) do @rem",
        };
        let (good, log) = run(&home, &format!("x:{command}"));
        assert!(!good && log.contains("x [failed124]"), "{log}");
        fs::remove_dir_all(home).unwrap();
    }
}
