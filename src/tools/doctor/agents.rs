//! Other processes: the daemon and its log, a second daemon, and the holder of the lock.

use std::env;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Case, STEP};
use crate::cli::{self, Request};
use crate::config::{Config, Mode};
use crate::error::{self, Error};
use crate::platform::{self, Lock, Running};
use crate::threads::{self, Task};
use crate::tools::finding::{Finding, Severity};
use crate::tools::status;

/// The name of the program. Other names that it may have begin with it.
const NAME: &str = "confd";
/// The ending that [`Running`] adds to the path of a removed or replaced file.
const DELETED: &str = " (deleted)";
/// The pause between two looks at a lock that is held.
const PAUSE: Duration = Duration::from_millis(50);
const RESTART: &str = "restart it: service confd restart";

impl Case {
    /// The severity of an error of the system: unknown if the daemon's user may be allowed more.
    pub(super) fn refused_by(&self, error: &io::Error) -> Severity {
        let own = platform::own_user();
        let is_anothers = || daemons(self).iter().any(|daemon| daemon.uid != own);
        if error.kind() == ErrorKind::PermissionDenied && own != 0 && is_anothers() {
            Severity::Unknown
        } else {
            Severity::Error
        }
    }

    /// The same for any error.
    pub(super) fn refused(&self, error: &Error) -> Severity {
        match error.kind() {
            error::Kind::Io { source, .. } => self.refused_by(source),
            _ => Severity::Error,
        }
    }
}

/// The daemons that apply this confdir, whichever program they run. One that cannot be examined in
/// time is left out: the system makes others wait while a process starts its program.
pub(super) fn daemons(case: &Case) -> Vec<Running> {
    let mut tasks: Vec<Task<Option<Running>>> = Vec::new();
    for process in platform::processes(NAME).unwrap_or_default() {
        let config = Arc::clone(&case.config);
        tasks.push(Box::new(move || {
            let ours = applies(&process, &config.confdir) == Some(true);
            ours.then_some(process)
        }));
    }
    let mut daemons = Vec::new();
    for looked_at in threads::run_all_within(STEP, tasks) {
        daemons.extend(looked_at.flatten());
    }
    daemons
}

fn applies(process: &Running, confdir: &Path) -> Option<bool> {
    let mut arguments = process.arguments().ok()?.into_iter();
    let _program = arguments.next();
    let Ok(Request::Run(args)) = cli::parse(arguments) else {
        return None;
    };
    let variable = |name: &str| process.variable(name);
    // Settings that are broken now were good when it read them.
    let config = Config::load(&args, variable).or_else(|_| Config::without_file(&args, variable));
    let config = config.ok().filter(|config| config.mode != Mode::Onetime)?;
    // Another user's root and working directory cannot be seen: the path has to do.
    let seen = platform::same_file(&process.see(&config.confdir), confdir);
    Some(match seen {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => config.confdir == confdir,
        seen => seen.unwrap_or(false),
    })
}

/// Checks that there is one daemon, of this program, and that its log exists.
pub(super) fn check(case: &Case) -> Vec<Finding> {
    let daemons = daemons(case);
    let confdir = case.config.confdir.display();
    let mut findings = Vec::new();
    if daemons.len() > 1 {
        let pids: Vec<String> = daemons
            .iter()
            .map(|daemon| daemon.pid.to_string())
            .collect();
        let message = format_args!("several daemons apply {confdir}: pids {}", pids.join(", "));
        let help = "keep only the one of the service and end the others: kill PID";
        findings.push(Finding::new("agent", Severity::Error, message, help));
    }
    let is_running = case.is_daemon_running();
    for daemon in &daemons {
        findings.extend(program(daemon, is_running));
        findings.push(log(daemon));
    }
    findings.extend(on_path());
    if daemons.is_empty() && is_running == Some(true) {
        let message = "a daemon is running, but cannot be seen among the processes";
        let help = "run -doctor as root, in the container of the daemon";
        findings.push(Finding::new("agent", Severity::Unknown, message, help));
    } else if !findings.iter().any(|found| found.code == "agent") {
        let finding = match daemons.first() {
            Some(daemon) => {
                let message = format_args!("pid {} is the only daemon of {confdir}", daemon.pid);
                Finding::ok("agent", message)
            }
            None => Finding::ok("agent", format_args!("no daemon of {confdir} is running")),
        };
        findings.insert(0, finding);
    }
    findings
}

/// Checks the program of a daemon.
fn program(daemon: &Running, is_running: Option<bool>) -> Option<Finding> {
    let pid = daemon.pid;
    if daemon.stopped {
        let message = format_args!("pid {pid} is stopped (SIGSTOP)");
        let help = "continue it: kill -CONT PID";
        return Some(Finding::new("agent", Severity::Error, message, help));
    }
    let program = daemon.program().ok()?.display().to_string();
    let own = env::current_exe().ok()?;
    if daemon.runs(&own).ok()? {
        return None;
    }
    Some(match (program.strip_suffix(DELETED), is_running) {
        (Some(old), _) => {
            let message = format_args!("pid {pid} runs {old}, which has been replaced since");
            Finding::new("agent", Severity::Warning, message, RESTART)
        }
        // This program would hold the lock.
        (None, Some(false)) => {
            let message = format_args!("pid {pid} runs {program}, perhaps the original confd");
            let help = "end it (kill PID), and disable whatever starts it";
            Finding::new("agent", Severity::Error, message, help)
        }
        (None, _) => {
            let message = format_args!("pid {pid} runs {program}, not this {}", own.display());
            Finding::new("agent", Severity::Warning, message, RESTART)
        }
    })
}

/// Checks that typing the name starts this program.
fn on_path() -> Option<Finding> {
    let name = format!("{NAME}{}", env::consts::EXE_SUFFIX);
    let path = env::var_os("PATH")?;
    let mut found = env::split_paths(&path).map(|directory| directory.join(&name));
    let found = found.find(|program| program.is_file())?;
    let own = env::current_exe().ok()?;
    if platform::same_file(&found, &own).ok()? {
        return None;
    }
    let (found, own) = (found.display(), own.display());
    let message = format_args!("typing {NAME} starts {found}, not this {own}");
    let help = "remove the other one if it is the original, or type the whole path";
    Some(Finding::new("agent", Severity::Warning, message, help))
}

/// Checks the log of a daemon.
fn log(daemon: &Running) -> Finding {
    let pid = daemon.pid;
    match daemon.log().map(|path| path.display().to_string()) {
        Err(error) => Finding::new(
            "log",
            Severity::Unknown,
            format_args!("cannot find the log of pid {pid}: {error}"),
            "run -doctor as root",
        ),
        Ok(path) => match path.strip_suffix(DELETED) {
            None => Finding::ok("log", path),
            Some(old) => Finding::new(
                "log",
                Severity::Error,
                format_args!("pid {pid} writes to {old}, which has been deleted"),
                "restart it (service confd restart), and rotate with copytruncate as /etc/logrotate.d/app-agent does",
            ),
        },
    }
}

/// Checks whether somebody keeps confd from applying anything.
pub(super) fn lock(case: &Case) -> Vec<Finding> {
    let confdir = &case.config.confdir;
    let until = Instant::now() + STEP;
    let finding = loop {
        match Lock::is_held(confdir) {
            Ok(false) => break Finding::ok("lock", "free"),
            // Another check reports what is missing.
            Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                let message =
                    format_args!("cannot test the lock of {}: {error}", confdir.display());
                let help = "run -doctor as root; without locks, a -onetime run and the daemon disturb each other";
                break Finding::new("lock", Severity::Unknown, message, help);
            }
            Ok(true) if Instant::now() > until => break held(confdir),
            Ok(true) => thread::sleep(PAUSE),
        }
    };
    vec![finding]
}

/// A lock that is held for long: by a confd whose own work on files takes so long, or by somebody
/// else. Nobody holds it for a command.
fn held(confdir: &Path) -> Finding {
    let place = confdir.display();
    let Some(pid) = Lock::holder(confdir) else {
        let message = format_args!("the lock of {place} is held by a process that cannot be seen");
        let help = "find the process (fuser -v DIRECTORY): nothing is applied until it ends";
        return Finding::new("lock", Severity::Error, message, help);
    };
    let holder = platform::process(pid);
    let name = holder.as_ref().map_or("?", |holder| holder.name.as_str());
    let message = format_args!("pid {pid} ({name}) holds the lock of {place}");
    match &holder {
        Ok(holder) if holder.name.starts_with(NAME) && !holder.stopped => Finding::new(
            "lock",
            Severity::Warning,
            message,
            "wait until it is done; if that takes long, run confd -status: a file system may not answer",
        ),
        _ => {
            let help =
                "end it if it should not be there (kill PID): nothing is applied until it ends";
            Finding::new("lock", Severity::Error, message, help)
        }
    }
}

/// The output of `-status` in short.
pub(super) fn daemon(case: &Case) -> Vec<Finding> {
    let more = "run confd -status for each resource, and see the log for the reasons";
    let start = "start it: service confd start";
    let summary = match status::summary(&case.status_dir, case.is_daemon_running()) {
        Ok(Some(summary)) => summary,
        Ok(None) => {
            let message = "no confd has run with this confdir yet";
            return vec![Finding::new("daemon", Severity::Warning, message, start)];
        }
        Err(error) => {
            let (severity, message) = (case.refused(&error), error.chain());
            return vec![Finding::new("daemon", severity, message, more)];
        }
    };
    let mut findings = vec![if summary.problems.is_empty() {
        Finding::ok("daemon", &summary.process)
    } else if summary.is_only_stopped {
        Finding::new("daemon", Severity::Warning, &summary.process, start)
    } else {
        let message = format!("{}\n{}", summary.process, summary.problems.join("\n"));
        Finding::new("daemon", Severity::Error, message, more)
    }];
    for note in &summary.notes {
        findings.push(Finding::new("daemon", Severity::Warning, note, more));
    }
    findings
}
