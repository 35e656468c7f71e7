//! The inner part of install.bat, and install.sh's twin: installs, upgrades or removes the app
//! agent.
//!
//! Nothing is changed that already is as it should be, and files are swapped whole. What was
//! installed is kept in `data\installed`: an edited file differs from that. The first step that
//! fails ends it, with a message and exit code 1.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::ptr;
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};
use windows_sys::Win32::Foundation::ERROR_ACCESS_DENIED;
use windows_sys::Win32::Storage::FileSystem::{MOVEFILE_DELAY_UNTIL_REBOOT, MoveFileExW};

use super::control::{Manager, Service, Wanted};
use super::dir::{Dir, wide};
use super::processes;
use crate::error::{Error, Result};
use crate::go::hex;

const USAGE: &str = r"usage: install.bat [/enable | /uninstall | /?]

Without an option: installs or upgrades. The service is not started, and not enabled: the platform starts it. One that runs
is started again when the program was replaced.

  /enable     also start it at boot
  /uninstall  stop it, and remove everything except logs, records of commands and edited files";

/// The directory in which the platform expects the agent, regardless of the system's own.
pub(super) const HOME: &str = r"C:\Program Files (x86)\QingCloud\App Agent";
const NAME: &str = "QingCloud_App_Agent";
/// The original agent's daily rotation.
const TASK: &str = "QingCloud App Logrotate Task";
const WANTED: Wanted<'static> = Wanted {
    title: "QingCloud App Agent",
    description: "Keeps configuration files in line with the cluster's metadata, and reloads what uses them.",
    command: concat!(
        r#""C:\Program Files (x86)\QingCloud\App Agent\bin\confd.exe" "#,
        r#"--config-file "C:\Program Files (x86)\QingCloud\App Agent\confd\confd.toml""#
    ),
};

const DIRECTORIES: [&str; 7] = [
    "bin",
    "log",
    r"data\cmd.started",
    r"data\installed",
    r"data\replaced",
    r"confd\conf.d",
    r"confd\templates",
];
/// Scripts beside the program, which replace what was there.
const SCRIPTS: [&str; 2] = ["exec.bat", "install.bat"];
/// Files that people edit, and their directories.
const CONFIGURATION: [(&str, &str); 2] = [
    ("cmd.info.toml", r"confd\conf.d"),
    ("cmd.info.tmpl", r"confd\templates"),
];
/// Files that confd creates for itself.
const TRACES: [&str; 4] = [
    r"confd\.confd.generation",
    r"confd\.confd.lock",
    r"confd\conf.d\.confd.lock",
    r"confd\status.json",
];
/// Directories of its records.
const RECORDS: [&str; 4] = [
    r"confd\made",
    r"confd\owed",
    r"confd\reloads",
    r"confd\swaps",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Install,
    Enable,
    Uninstall,
    Help,
}

/// Runs what was typed after `install.bat`. The word `/wait` is its own: after a double click the
/// window would close before anybody has read it.
pub(super) fn run(words: &[OsString]) -> ExitCode {
    let (waits, typed): (Vec<_>, Vec<_>) = words.iter().partition(|word| *word == "/wait");
    let done = match action(&typed) {
        None => {
            eprintln!("{USAGE}");
            ExitCode::FAILURE
        }
        Some(action) => match perform(action) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("install.bat: {}", error.chain());
                ExitCode::FAILURE
            }
        },
    };
    if !waits.is_empty() {
        println!("Press Enter to close this window.");
        // Whatever comes is the answer.
        let _any_key = io::stdin().read_line(&mut String::new());
    }
    done
}

fn action(words: &[&OsString]) -> Option<Action> {
    match words {
        [] => Some(Action::Install),
        [word] => match word.to_str()?.to_ascii_lowercase().as_str() {
            "/enable" | "--enable" => Some(Action::Enable),
            "/uninstall" | "--uninstall" => Some(Action::Uninstall),
            "/?" | "/help" | "--help" => Some(Action::Help),
            _ => None,
        },
        _ => None,
    }
}

fn perform(action: Action) -> Result<()> {
    if action == Action::Help {
        println!("{USAGE}");
        return Ok(());
    }
    let program = env::current_exe().map_err(|error| io_error("find", "this program", error))?;
    let setup = Setup {
        home: HOME.into(),
        manager: Manager::open().map_err(|error| match error.raw_os_error() {
            Some(code) if code == ERROR_ACCESS_DENIED.cast_signed() => Error::usage(
                "must be run as administrator: right-click it, \"Run as administrator\"".to_owned(),
            ),
            _ => io_error("open", "the service control manager", error),
        })?,
        originals: fs::read_to_string(program.with_file_name("originals")).unwrap_or_default(),
        program,
    };
    match action {
        Action::Uninstall => setup.uninstall(),
        Action::Enable => setup.install(true),
        Action::Install | Action::Help => setup.install(false),
    }
}

fn say(text: impl std::fmt::Display) {
    println!("install.bat: {text}");
}

struct Setup {
    home: PathBuf,
    manager: Manager,
    /// This program; what is installed is beside it.
    program: PathBuf,
    /// The checksums of the original agent's files; empty for a program that is installed.
    originals: String,
}

impl Setup {
    // --- installing
    // ---------------------------------------------------------------------------------------------

    fn install(&self, at_boot: bool) -> Result<()> {
        // Half an archive is found out before anything is changed.
        let scripts = self.read_shipped(SCRIPTS)?;
        let configuration = self.read_shipped(CONFIGURATION.map(|(name, _)| name))?;
        for directory in DIRECTORIES {
            let directory = self.home.join(directory);
            fs::create_dir_all(&directory)
                .map_err(|error| Error::io("make the directory", &directory, error))?;
        }
        for (name, content) in SCRIPTS.iter().zip(&scripts) {
            self.install_script(name, content)?;
        }
        for ((name, directory), content) in CONFIGURATION.iter().zip(&configuration) {
            self.install_configuration(name, &self.home.join(directory), content)?;
        }
        self.install_program()?;
        self.remove_original()?;
        if at_boot {
            let service = self.service()?.ok_or_else(|| not_there("is gone again"))?;
            service
                .start_at_boot()
                .map_err(|error| service_error("change", error))?;
            say("the service starts at boot");
        }
        say("the app agent is installed");
        Ok(())
    }

    /// The contents of the files of these names beside this program.
    fn read_shipped(&self, names: [&str; 2]) -> Result<Vec<Vec<u8>>> {
        let read = |name| {
            let path = self.program.with_file_name(name);
            read_old(&path)?.ok_or_else(|| {
                let problem = "is missing: unpack the whole archive";
                Error::resource(&path, problem)
            })
        };
        names.into_iter().map(read).collect()
    }

    /// Installs a script; an edited or foreign one is kept in data\replaced.
    fn install_script(&self, name: &str, new: &[u8]) -> Result<()> {
        let path = self.home.join("bin").join(name);
        let old = read_old(&path)?;
        if old.as_deref() != Some(new) {
            if let Some(old) = old.filter(|old| !self.is_unedited(name, old)) {
                write(&self.home.join(r"data\replaced").join(name), &old)?;
                say(format!(
                    r"{name} was another agent's or edited; it is kept in {HOME}\data\replaced"
                ));
            }
            write(&path, new)?;
            say(format!("installed {}", path.display()));
        }
        self.remember(name, new)
    }

    /// Installs a configuration file, unless it was edited: then the new one is put beside it as
    /// NAME.new, which confd does not read.
    fn install_configuration(&self, name: &str, directory: &Path, new: &[u8]) -> Result<()> {
        let (path, beside) = (directory.join(name), directory.join(format!("{name}.new")));
        let old = read_old(&path)?;
        // One that was beside it and took its place is not edited.
        let beside_name = format!("{name}.new");
        let is_edited = |old: &Vec<u8>| {
            let was_beside = self.installed(&beside_name).as_ref() == Some(old);
            old != new && !was_beside && !self.is_unedited(name, old)
        };
        if old.as_ref().is_some_and(is_edited) {
            if read_old(&beside)?.as_deref() != Some(new) {
                write(&beside, new)?;
            }
            let (path, beside) = (path.display(), beside.display());
            say(format!(
                "{path} was edited and stays; the new one is {beside}"
            ));
            return self.remember(&beside_name, new);
        }
        if old.as_deref() != Some(new) {
            write(&path, new)?;
            say(format!("installed {}", path.display()));
        }
        remove(&beside)?;
        self.remember(name, new)
    }

    /// Returns true if this installer or the original's put this content there as `name`.
    fn is_unedited(&self, name: &str, content: &[u8]) -> bool {
        self.installed(name).as_deref() == Some(content) || self.is_original(name, content)
    }

    /// Returns true if this is a known file of the original agent.
    fn is_original(&self, name: &str, content: &[u8]) -> bool {
        let sum = hex::encode(&Sha256::digest(content));
        self.originals.lines().any(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some(sum.as_str()) && words.next() == Some(name)
        })
    }

    /// Removes what only the original agent needs: the program that ran its service, and the script
    /// and task that rotated its logs, which would rename the log that this one writes to.
    fn remove_original(&self) -> Result<()> {
        for name in ["nssm.exe", "logrotate.ps1"] {
            let path = self.home.join("bin").join(name);
            let Some(content) = read_old(&path)? else {
                continue;
            };
            if self.is_original(name, &content) {
                remove(&path)?;
                say(format!("removed the original agent's {}", path.display()));
            } else {
                say(format!("{} was edited and stays", path.display()));
            }
        }
        if task_file().exists() {
            delete_task()?;
            say(format!(
                "removed the original agent's scheduled task {TASK}"
            ));
        }
        Ok(())
    }

    /// This program in its place, and the service for it. One that runs is stopped for the moment
    /// of the swap.
    fn install_program(&self) -> Result<()> {
        let path = self.home.join(r"bin\confd.exe");
        let staged = self.stage_program(&path)?;
        let known = self.service()?;
        let (is_running, is_other) = match &known {
            Some(service) => state(service).map_err(|error| service_error("look at", error))?,
            None => (false, false),
        };
        let to_restart = known
            .as_ref()
            .filter(|_| is_running && (is_other || staged.is_some()));
        if let Some(service) = to_restart {
            let hosted = hosted_daemons();
            service
                .stop()
                .map_err(|error| service_error("stop", error))?;
            for id in hosted {
                // Its host may have ended it already.
                let _gone = processes::terminate(id, 1);
            }
        }
        let swapped = staged.map_or(Ok(()), |staged| swap(&staged, &path));
        let registered = swapped.and_then(|()| self.register(known.as_ref(), is_other));
        // Whether or not that has worked, what ran before runs again.
        let restarted = to_restart.map_or(Ok(()), Service::start);
        clear_old(&path);
        registered?;
        restarted.map_err(|error| service_error("start", error))?;
        if to_restart.is_some() {
            say("the service was started again");
        }
        Ok(())
    }

    /// This program beside `path`, tried out; `None` when it is there already.
    fn stage_program(&self, path: &Path) -> Result<Option<PathBuf>> {
        let new = fs::read(&self.program);
        let new = new.map_err(|error| Error::io("read", &self.program, error))?;
        if read_old(path)?.as_ref() == Some(&new) {
            return Ok(None);
        }
        let staged = path.with_extension("exe.new.exe");
        write(&staged, &new)?;
        try_out(&staged).inspect_err(|_| clear_old(path))?;
        Ok(Some(staged))
    }

    fn register(&self, known: Option<&Service>, is_other: bool) -> Result<()> {
        let made;
        let service = match known {
            Some(service) => service,
            None => {
                made = self
                    .manager
                    .create(NAME, &WANTED)
                    .map_err(|error| service_error("make", error))?;
                say(format!("made the service {NAME}"));
                &made
            }
        };
        if is_other {
            service
                .change(&WANTED)
                .map_err(|error| service_error("change", error))?;
            say(format!("the service {NAME} runs {} now", WANTED.command));
        }
        service
            .describe(WANTED.description)
            .map_err(|error| service_error("change", error))
    }

    fn service(&self) -> Result<Option<Service>> {
        self.manager
            .find(NAME)
            .map_err(|error| service_error("find", error))
    }

    // --- removing
    // ---------------------------------------------------------------------------------------------

    fn uninstall(&self) -> Result<()> {
        let service = self.service()?;
        if service.is_none() && !self.home.join(r"bin\confd.exe").exists() {
            return Err(Error::usage("the app agent is not installed".to_owned()));
        }
        if let Some(service) = service {
            service
                .stop()
                .map_err(|error| service_error("stop", error))?;
            service
                .delete()
                .map_err(|error| service_error("delete", error))?;
            say(format!("removed the service {NAME}"));
        }
        let scripts = SCRIPTS.map(|name| (name, "bin"));
        for (name, directory) in CONFIGURATION.into_iter().chain(scripts) {
            self.remove_installed(name, &self.home.join(directory))?;
        }
        for trace in TRACES {
            remove(&self.home.join(trace))?;
        }
        for records in RECORDS {
            remove_all(&self.home.join(records))?;
        }
        self.remove_program()?;
        self.remove_empty_directories();
        say("the app agent is removed");
        if self.home.exists() {
            say(format!(
                "logs and files that were not installed are still in {HOME}"
            ));
        }
        Ok(())
    }

    /// Removes a file if it is as it was installed.
    fn remove_installed(&self, name: &str, directory: &Path) -> Result<()> {
        let (path, beside) = (directory.join(name), format!("{name}.new"));
        remove(&directory.join(&beside))?;
        let now = read_old(&path)?;
        if now.is_some() && now != self.installed(name) {
            say(format!("{} was edited and stays", path.display()));
        } else if now.is_some() {
            remove(&path)?;
            say(format!("removed {}", path.display()));
        }
        remove(&self.record(name))?;
        remove(&self.record(&beside))
    }

    /// A program that runs, as this one may, cannot be removed, but renamed: then it is in the
    /// directory for temporary files until the next boot.
    fn remove_program(&self) -> Result<()> {
        let path = self.home.join(r"bin\confd.exe");
        clear_old(&path);
        if !path.exists() {
            return Ok(());
        }
        let aside = move_aside(&path)?;
        if fs::remove_file(&aside).is_err() {
            let from = wide(&aside).map_err(|error| Error::io("remove", &aside, error))?;
            // SAFETY: the path is NUL-terminated, and the null pointer stands for no new name. When
            // it fails a file stays behind in a directory where many do.
            unsafe { MoveFileExW(from.as_ptr(), ptr::null(), MOVEFILE_DELAY_UNTIL_REBOOT) };
        }
        say(format!("removed {}", path.display()));
        Ok(())
    }

    /// Only what is empty goes.
    fn remove_empty_directories(&self) {
        let mut directories: Vec<PathBuf> = DIRECTORIES
            .iter()
            .map(|name| self.home.join(name))
            .collect();
        directories.extend(["data", "confd"].map(|name| self.home.join(name)));
        directories.extend(self.home.ancestors().take(2).map(Path::to_owned));
        for directory in directories {
            let _not_empty = fs::remove_dir(directory);
        }
    }

    // --- what was installed
    // ---------------------------------------------------------------------------------------------

    fn record(&self, name: &str) -> PathBuf {
        self.home.join(r"data\installed").join(name)
    }

    fn installed(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.record(name)).ok()
    }

    fn remember(&self, name: &str, content: &[u8]) -> Result<()> {
        match self.installed(name).as_deref() == Some(content) {
            true => Ok(()),
            false => write(&self.record(name), content),
        }
    }
}

fn io_error(verb: &'static str, noun: &str, error: io::Error) -> Error {
    Error::io(verb, noun.as_ref(), error)
}

fn service_error(verb: &'static str, error: io::Error) -> Error {
    io_error(verb, &format!("the service {NAME}"), error)
}

fn not_there(problem: &str) -> Error {
    let service = format!("the service {NAME}");
    Error::resource(service.as_ref(), problem)
}

/// The content of a file; `None` when there is none.
fn read_old(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path, error)),
    }
}

/// Puts a whole file in the place of what was there.
fn write(path: &Path, content: &[u8]) -> Result<()> {
    let name = path.file_name().unwrap_or_default();
    let mut staged = name.to_owned();
    staged.push(".tmp");
    let put = |directory: &Path| {
        let dir = Dir::at(directory)?;
        let mut file = File::create(directory.join(&staged))?;
        file.write_all(content)?;
        file.sync_all()?;
        drop(file);
        dir.replace(&staged, name)
    };
    put(path.parent().unwrap_or(path)).map_err(|error| Error::io("write", path, error))
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|error| Error::io("rename", from, error))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", path, error)),
        _ => Ok(()),
    }
}

fn remove_all(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Error::io("remove", directory, error))
        }
        _ => Ok(()),
    }
}

/// Returns whether the service runs, and whether it differs from the wanted one.
fn state(service: &Service) -> io::Result<(bool, bool)> {
    Ok((service.is_running()?, service.command()? != WANTED.command))
}

fn try_out(program: &Path) -> Result<()> {
    let output = Command::new(program).arg("-version").output();
    match output
        .map_err(|error| Error::io("run", program, error))?
        .status
    {
        status if status.success() => Ok(()),
        status => Err(Error::resource(
            program,
            &format!("does not run on this machine: {status}"),
        )),
    }
}

/// Moves a program that may run out of the way. Not every directory for temporary files is on the
/// same drive, so the last resort is its own.
fn move_aside(path: &Path) -> Result<PathBuf> {
    let name = format!("confd-{}.exe", std::process::id());
    let windows = env::var_os("SystemRoot").map(|root| Path::new(&root).join("Temp"));
    for directory in [Some(env::temp_dir()), windows].into_iter().flatten() {
        let aside = directory.join(&name);
        if fs::rename(path, &aside).is_ok() {
            return Ok(aside);
        }
    }
    let aside = path.with_extension(format!("exe.old-{}", std::process::id()));
    rename(path, &aside)?;
    Ok(aside)
}

/// The processes of confd.exe that a host of services has started, such as the original agent's.
fn hosted_daemons() -> Vec<u32> {
    let entries = processes::snapshot().unwrap_or_default();
    let is_hosted = |entry: &&processes::Entry| {
        let parent = entries.iter().find(|other| other.id == entry.parent);
        entry.is_program("confd.exe") && parent.is_some_and(|parent| parent.is_program("nssm.exe"))
    };
    entries
        .iter()
        .filter(is_hosted)
        .map(|entry| entry.id)
        .collect()
}

/// Where the system keeps the original agent's scheduled task.
fn task_file() -> PathBuf {
    let windows = env::var_os("SystemRoot").unwrap_or_default();
    Path::new(&windows).join(r"System32\Tasks").join(TASK)
}

fn delete_task() -> Result<()> {
    let mut command = Command::new("schtasks");
    let output = command.args(["/delete", "/f", "/tn", TASK]).output();
    let output = output.map_err(|error| Error::io("run", "schtasks".as_ref(), error))?;
    if output.status.success() {
        return Ok(());
    }
    let problem = String::from_utf8_lossy(&output.stderr);
    let problem = format!("cannot be deleted: {}", problem.trim());
    Err(Error::resource(
        format!("the scheduled task {TASK}").as_ref(),
        &problem,
    ))
}

/// Puts the new program in the place of the old one, which may run: then it can be renamed, but
/// neither replaced nor removed.
fn swap(new: &Path, path: &Path) -> Result<()> {
    let old = path.with_extension(format!("exe.old-{}", std::process::id()));
    let there_was_one = path.exists();
    if there_was_one {
        rename(path, &old)?;
    }
    if let Err(error) = rename(new, path) {
        if there_was_one {
            rename(&old, path)?;
        }
        return Err(error);
    }
    say(format!("installed {}", path.display()));
    Ok(())
}

/// Removes the programs that [`swap`] has put aside. One that still runs (a command of the
/// platform) is left for the next time.
fn clear_old(path: &Path) {
    let Some(directory) = path.parent() else {
        return;
    };
    let is_old = |name: &OsStr| name.as_encoded_bytes().starts_with(b"confd.exe.");
    let names = Dir::at(directory).and_then(|dir| dir.names(is_old));
    for name in names.unwrap_or_default() {
        // A service that has said it is stopped takes another moment to end.
        for _ in 0..20 {
            match fs::remove_file(directory.join(&name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    thread::sleep(Duration::from_millis(50));
                }
                _ => break,
            }
        }
    }
}
