//! The inner part of exec.bat, and exec.sh's twin: runs the platform's command that `log/cmd.info`
//! holds as "ID:COMMAND".
//!
//! Each ID is started at most once, whatever happens to cmd.info, to confd or to the machine. The
//! command's output goes to `log/app.log`; its start and verdict go to `log/cmd.log`. There is no
//! time limit unless `log/cmd.timeout` holds a number of seconds above 0. While a command runs, its
//! record below `data/cmd.started` is locked and has a copy of cmd.info; afterwards it is empty. So
//! a command that a reboot cut off is known, and gets its verdict at the next start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
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
/// The state of a command that was cut off: that of one killed by signal 9.
const CUT_OFF: &str = "failed137";

/// Writes the verdict of each command that was cut off. A record that cannot be read is left for
/// the next time.
pub fn recover(home: &Path) {
    let records = fs::read_dir(home.join("data").join("cmd.started"));
    for record in records.into_iter().flatten().flatten() {
        if let Err(error) = recover_one(home, &record.path()) {
            eprintln!("exec: cannot recover {}: {error}", record.path().display());
        }
    }
}

fn recover_one(home: &Path, record: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(record)?;
    // One that is locked belongs to a command that runs.
    if file.metadata()?.len() == 0 || file.try_lock().is_err() {
        return Ok(());
    }
    let mut info = Vec::new();
    Read::by_ref(&mut file)
        .take(LONGEST)
        .read_to_end(&mut info)?;
    // A batch file of several lines is no record.
    let Some(command) = String::from_utf8(info)
        .ok()
        .and_then(|info| PlatformCommand::parse(home, &info))
    else {
        return Ok(());
    };
    if record
        .file_name()
        .is_some_and(|name| name == command.name().as_str())
    {
        let is_verdict = |state: &str| state == "successful" || state.starts_with("failed");
        if !command.is_logged(is_verdict) {
            eprintln!("exec: command {} was cut off", command.id);
            command.note(CUT_OFF);
        }
        file.set_len(0)?;
    }
    Ok(())
}

/// Runs the command of `home`'s cmd.info, if its id is new. Succeeds when there is nothing to do or
/// the command succeeded.
pub fn run(home: &Path) -> ExitCode {
    recover(home);
    let done = PlatformCommand::read(home).and_then(|command| match command {
        Some(command) => command.run_once(),
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
struct PlatformCommand<'a> {
    home: &'a Path,
    id: String,
    command: String,
}

impl<'a> PlatformCommand<'a> {
    /// The command of cmd.info; `None` when there is none.
    fn read(home: &'a Path) -> Result<Option<PlatformCommand<'a>>> {
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
        match PlatformCommand::parse(home, info) {
            _ if info.is_empty() => Ok(None),
            None => Err(refuse("is not ID:COMMAND")),
            command => Ok(command),
        }
    }

    /// The command of the text "ID:COMMAND"; `None` when it is something else.
    fn parse(home: &'a Path, info: &str) -> Option<PlatformCommand<'a>> {
        let (id, command) = info.split_once(':').filter(|(id, _)| !id.is_empty())?;
        Some(PlatformCommand {
            home,
            id: id.to_owned(),
            command: command.to_owned(),
        })
    }

    /// Returns true if it succeeds, or was started before.
    fn run_once(&self) -> Result<bool> {
        let record = self.home.join("data").join("cmd.started").join(self.name());
        // The original agent kept no records, but it wrote the same log.
        if record.exists() || self.is_logged(|state| state == "executing") {
            eprintln!("exec: command {} was started before", self.id);
            return Ok(true);
        }
        let claimed = match self.claim(&record) {
            Ok(Some(file)) => file,
            // Another caller came first.
            Ok(None) => return Ok(true),
            Err(error) => return self.refuse(error),
        };
        self.note("executing");
        let status = match self.execute(&record) {
            Ok(status) => status,
            Err(error) => return self.refuse(error),
        };
        match status {
            0 => self.note("successful"),
            status => self.note(&format!("failed{status}")),
        }
        if let Err(error) = claimed.set_len(0) {
            eprintln!("exec: cannot empty {}: {error}", record.display());
        }
        Ok(status == 0)
    }

    fn refuse(&self, error: Error) -> Result<bool> {
        self.note("failed1");
        Err(error)
    }

    /// The name of its record. An id with unusual characters is spelled in hexadecimal after a "=",
    /// which plain ids never have.
    fn name(&self) -> String {
        let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_plain = self.id.bytes().all(is_usual) && !self.id.starts_with('.');
        if is_plain && platform::is_plain_name(&self.id) {
            return self.id.clone();
        }
        format!("={}", hex::encode(self.id.as_bytes()))
    }

    /// Returns true if cmd.log has a line of this id in such a state.
    fn is_logged(&self, is_wanted: impl Fn(&str) -> bool) -> bool {
        let log = fs::read(self.log("cmd.log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        log.lines().filter_map(after_time).any(|entry| {
            let state = entry
                .strip_prefix(&self.id)
                .and_then(|rest| rest.strip_prefix(" ["));
            let state = state.and_then(|rest| rest.split_once("]: "));
            state.is_some_and(|(state, _)| is_wanted(state))
        })
    }

    /// Makes the record, on the disk, in one step, and locks it: of two callers one gets it.
    fn claim(&self, record: &Path) -> Result<Option<File>> {
        if let Some(records) = record.parent() {
            fs::create_dir_all(records)
                .map_err(|error| Error::io("make the directory", records, error))?;
        }
        match OpenOptions::new().write(true).create_new(true).open(record) {
            Ok(file) => self.fill(file).map(Some),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(error),
        }
        .map_err(|error| Error::io("make the record", record, error))
    }

    /// Locks a new record and writes into it what [`recover`] needs.
    fn fill(&self, mut file: File) -> io::Result<File> {
        // Others lock it only for moments, to see whether it is locked.
        file.lock()?;
        file.write_all(format!("{}:{}", self.id, self.command).as_bytes())?;
        match file.sync_all() {
            Err(error) if platform::is_unsupported(&error) => {}
            result => result?,
        }
        Ok(file)
    }

    /// Runs the command; its exit status, as a shell has it.
    fn execute(&self, record: &Path) -> Result<i32> {
        let problem =
            |error: io::Error| Error::command(&self.command, format!("cannot be run: {error}"));
        let app_log = self.open_log("app.log")?;
        let is_script = self.command.contains('\n');
        // No record has such a name.
        let script = record.with_file_name(format!("={}.bat", self.name()));
        let mut command = if is_script {
            platform::script(&self.command, &script).map_err(problem)?
        } else {
            platform::shell(&self.command)
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
        Ok(if timed_out {
            TIMED_OUT
        } else {
            ended_by.or(status.code()).unwrap_or(1)
        })
    }

    fn time_limit(&self) -> Option<Duration> {
        let text = fs::read_to_string(self.log("cmd.timeout")).ok()?;
        let seconds = text.trim_end().parse().ok().filter(|seconds| *seconds > 0);
        seconds.map(Duration::from_secs)
    }

    /// Writes that it is in this state. A log that cannot be written keeps no command from running.
    fn note(&self, state: &str) {
        let (id, command) = (&self.id, self.spelled());
        let line = format!("{} {id} [{state}]: {command}\n", time());
        let written = self.open_log("cmd.log").and_then(|mut log| {
            log.write(line.as_bytes())
                .map_err(|error| Error::io("write to", &self.log("cmd.log"), error))
        });
        if let Err(error) = written {
            eprintln!("exec: {}", error.chain());
        }
    }

    /// The command for the log. A blank before each further line that looks like one of the log
    /// tells that it is none.
    fn spelled(&self) -> String {
        let mut lines = self.command.split('\n');
        let mut text = lines.next().unwrap_or_default().to_owned();
        for line in lines {
            let blank = after_time(line).map_or("", |_| " ");
            text.extend(["\n", blank, line]);
        }
        text
    }

    /// Opens a log to append to it. On systems without logrotate it is rotated like the agent's
    /// own.
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

/// The part of a line of cmd.log after its date and time. The original's exec.bat writes a quote
/// before them, in the forms of the system's language.
fn after_time(line: &str) -> Option<&str> {
    let line = line.strip_prefix('"').unwrap_or(line);
    let (date, rest) = line.split_once(' ')?;
    let (time, rest) = rest.trim_start().split_once(' ')?;
    let is_time = |byte: u8| byte.is_ascii_digit() || b":.,".contains(&byte);
    (date.contains('-') && time.contains(':') && time.bytes().all(is_time)).then_some(rest)
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
        let home =
            std::env::temp_dir().join(format!("confd-command-{}-{name}", std::process::id()));
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
            PlatformCommand {
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
    fn a_commands_text_makes_no_other_id_look_started() {
        let home = home("ids");
        let log = "2016-10-11 13:54:41 c-1 [executing]: echo c-2 [executing]: x\n\
                   \"Tue-10-11  8:54:41.12 c-3 [executing]: echo x\" \n";
        fs::write(home.join("log/cmd.log"), log).unwrap();
        assert!(run(&home, "c-2:echo y").1.contains("c-2 [successful]"));
        assert!(!run(&home, "c-3:echo x").1.contains("c-3 [successful]"));
        assert_eq!(output(&home), "y\n");
        let line = "2016-10-11 13:54:41 c-5 [executing]: x";
        run(&home, &format!("c-4:echo a\n{line}"));
        assert!(run(&home, "c-5:echo z").1.contains("c-5 [successful]"));
        fs::remove_dir_all(home).unwrap();
    }

    #[test]
    fn a_command_that_was_cut_off_gets_its_verdict_once() {
        let home = home("cut");
        let records = home.join("data/cmd.started");
        fs::create_dir_all(&records).unwrap();
        fs::write(records.join("c-1"), "c-1:echo a\necho b").unwrap();
        fs::write(records.join("c-2"), "").unwrap();
        fs::write(records.join("c-3"), "c-3:echo x").unwrap();
        fs::write(
            home.join("log/cmd.log"),
            "2016-10-11 13:54:41 c-3 [failed7]: echo x\n",
        )
        .unwrap();
        let running = File::create(records.join("c-4")).unwrap();
        running.lock().unwrap();
        (&running).write_all(b"c-4:echo x").unwrap();
        for _ in 0..2 {
            recover(&home);
        }
        let log = fs::read_to_string(home.join("log/cmd.log")).unwrap();
        assert!(log.contains(" c-1 [failed137]: echo a\necho b\n"), "{log}");
        assert_eq!(log.matches("[failed").count(), 2, "{log}");
        drop(running);
        fs::remove_dir_all(home).unwrap();
    }

    #[test]
    fn a_limit_ends_it() {
        let home = home("limit");
        fs::write(home.join("log/cmd.timeout"), "1\n").unwrap();
        // An endless loop for sh, and one for cmd.
        let command = if platform::HAS_OWNERS {
            "while :; do :; done"
        } else {
            "for /L %i in (0,0,1) do @rem"
        };
        let (good, log) = run(&home, &format!("x:{command}"));
        assert!(!good && log.contains("x [failed124]"), "{log}");
        fs::remove_dir_all(home).unwrap();
    }
}
