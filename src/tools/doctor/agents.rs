//! Who else is at work here: a daemon, alive or not and writing to a log that is there, a second one, whoever holds the lock.

use std::env;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Case, Finding, STEP, Verdict};
use crate::cli::{self, Asked};
use crate::config::{Config, Mode};
use crate::error::{self, Error};
use crate::platform::{self, Lock, Running};
use crate::threads::{self, Task};
use crate::tools::status;

/// The name of the program, and the beginning of whatever else it may be called.
const NAME: &str = "confd";
/// What [`Running`] adds to the path of a file that was removed or replaced.
const DELETED: &str = " (deleted)";
/// How often a lock is looked at while it is held.
const PAUSE: Duration = Duration::from_millis(50);
const RESTART: &str = "start it anew: service confd restart";

impl Case {
    /// How bad it is that the system does not let this user.
    pub(super) fn refused_by(&self, error: &io::Error) -> Verdict {
        let own = platform::own_user();
        let is_anothers = || daemons(self).iter().any(|daemon| daemon.uid != own);
        match error.kind() == ErrorKind::PermissionDenied && own != 0 && is_anothers() {
            true => Verdict::Unknown,
            false => Verdict::Wrong,
        }
    }

    /// The same of any error.
    pub(super) fn refused(&self, error: &Error) -> Verdict {
        match error.kind() {
            error::Kind::Io { source, .. } => self.refused_by(source),
            _ => Verdict::Wrong,
        }
    }
}

/// The daemons that apply this confdir, whichever program they run. One that cannot be looked at in time is none of them: the
/// system makes whoever asks wait while a process starts its program.
pub fn daemons(case: &Case) -> Vec<Running> {
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
    let Ok(Asked::Run(args)) = cli::parse(arguments) else {
        return None;
    };
    let variable = |name: &str| process.variable(name);
    // Settings that are broken now were good when it read them.
    let config = Config::load(&args, variable).or_else(|_| Config::without_file(&args, variable));
    let config = config.ok().filter(|config| config.mode != Mode::Onetime)?;
    // Another user's root and working directory cannot be looked into: the path has to do.
    let seen = platform::same_file(&process.see(&config.confdir), confdir);
    Some(match seen {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => config.confdir == confdir,
        seen => seen.unwrap_or(false),
    })
}

/// Is the daemon the only one, and of this program? Does its log still exist?
pub fn check(case: &Case) -> Vec<Finding> {
    let daemons = daemons(case);
    let confdir = case.config.confdir.display();
    let mut findings = Vec::new();
    if daemons.len() > 1 {
        let pids: Vec<String> = daemons
            .iter()
            .map(|daemon| daemon.pid.to_string())
            .collect();
        let message = format_args!("pids {} all apply {confdir}", pids.join(", "));
        let cure = "each undoes what another does: end all but the service's own (kill PID)";
        findings.push(Finding::new("agent", Verdict::Wrong, message, cure));
    }
    let lives = case.daemon_lives();
    for daemon in &daemons {
        findings.extend(program(daemon, lives));
        findings.push(log(daemon));
    }
    findings.extend(on_path());
    if daemons.is_empty() && lives == Some(true) {
        let message = "a daemon lives, but cannot be seen among the processes";
        let cure = "look from where it runs (another container?), as root";
        findings.push(Finding::new("agent", Verdict::Unknown, message, cure));
    } else if !findings.iter().any(|found| found.check == "agent") {
        let finding = match daemons.first() {
            Some(daemon) => {
                let message = format_args!("pid {} is the only one for {confdir}", daemon.pid);
                Finding::ok("agent", message)
            }
            None => Finding::ok("agent", format_args!("no daemon applies {confdir}")),
        };
        findings.insert(0, finding);
    }
    findings
}

/// What is odd about the program of a daemon.
fn program(daemon: &Running, lives: Option<bool>) -> Option<Finding> {
    let pid = daemon.pid;
    if daemon.stopped {
        let message = format_args!("pid {pid} is stopped, and does nothing");
        let cure = "let it go on: kill -CONT PID";
        return Some(Finding::new("agent", Verdict::Wrong, message, cure));
    }
    let program = daemon.program().ok()?.display().to_string();
    let own = env::current_exe().ok()?;
    if daemon.runs(&own).ok()? {
        return None;
    }
    Some(match (program.strip_suffix(DELETED), lives) {
        (Some(old), _) => {
            let message = format_args!("pid {pid} still runs the {old} that was replaced since");
            Finding::new("agent", Verdict::Warning, message, RESTART)
        }
        // This program would hold the lock that says so.
        (None, Some(false)) => {
            let message = format_args!("pid {pid} runs {program}, perhaps the original confd");
            let cure = "end it (kill PID), and keep whatever starts it from doing so again";
            Finding::new("agent", Verdict::Wrong, message, cure)
        }
        (None, _) => {
            let message = format_args!("pid {pid} runs {program}, not this {}", own.display());
            Finding::new("agent", Verdict::Warning, message, RESTART)
        }
    })
}

/// Whoever types the name should get this program.
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
    let cure = "remove the other if it is the original, or type the whole path";
    Some(Finding::new("agent", Verdict::Warning, message, cure))
}

/// Where a daemon logs to.
fn log(daemon: &Running) -> Finding {
    let pid = daemon.pid;
    match daemon.log().map(|path| path.display().to_string()) {
        Err(error) => Finding::new(
            "log",
            Verdict::Unknown,
            format_args!("where pid {pid} logs to cannot be seen: {error}"),
            "root can see it",
        ),
        Ok(path) => match path.strip_suffix(DELETED) {
            None => Finding::ok("log", path),
            Some(old) => Finding::new(
                "log",
                Verdict::Wrong,
                format_args!("pid {pid} goes on writing to {old}, which is deleted"),
                "service confd restart; rotate as /etc/logrotate.d/app-agent does (copytruncate)",
            ),
        },
    }
}

/// Does somebody keep confd from applying anything?
pub fn lock(case: &Case) -> Vec<Finding> {
    let confdir = &case.config.confdir;
    let until = Instant::now() + STEP;
    let finding = loop {
        match Lock::is_held(confdir) {
            Ok(false) => break Finding::ok("lock", "free"),
            // What is missing, another check says.
            Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                let message = format_args!("cannot look at {}: {error}", confdir.display());
                let cure = "root can; without locks, a -onetime run and the daemon get in each other's way";
                break Finding::new("lock", Verdict::Unknown, message, cure);
            }
            Ok(true) if Instant::now() > until => break held(confdir),
            Ok(true) => thread::sleep(PAUSE),
        }
    };
    vec![finding]
}

/// A lock that is held for long: by a confd whose checks take their time, or by somebody who has no business with it.
fn held(confdir: &Path) -> Finding {
    let place = confdir.display();
    let Some(pid) = Lock::holder(confdir) else {
        let message = format_args!("the lock of {place} is held by a process that cannot be seen");
        let cure = "until it ends nothing is applied; fuser -v DIRECTORY may know it";
        return Finding::new("lock", Verdict::Wrong, message, cure);
    };
    let holder = platform::process(pid);
    let name = holder.as_ref().map_or("?", |holder| holder.name.as_str());
    let message = format_args!("pid {pid} ({name}) holds the lock of {place}");
    match &holder {
        Ok(holder) if holder.name.starts_with(NAME) && !holder.stopped => Finding::new(
            "lock",
            Verdict::Warning,
            message,
            "it applies something right now; if that lasts, see its check_cmd and its log",
        ),
        _ => {
            let cure = "until it ends nothing is applied: kill PID, if it should not be there";
            Finding::new("lock", Verdict::Wrong, message, cure)
        }
    }
}

/// What `-status` says.
pub fn daemon(case: &Case) -> Vec<Finding> {
    let more = "confd -status says it of each resource, the log why";
    let start = "start it: service confd start";
    let found = |verdict, message: &str, cure| vec![Finding::new("daemon", verdict, message, cure)];
    match status::summary(&case.config.confdir, case.daemon_lives()) {
        Err(error) => found(case.refused(&error), &error.chain(), more),
        Ok(None) => {
            let message = "no confd has run with this confdir yet";
            found(Verdict::Warning, message, start)
        }
        Ok(Some(summary)) if summary.problems.is_empty() => {
            found(Verdict::Ok, &summary.process, "")
        }
        Ok(Some(summary)) if summary.is_only_stopped => {
            found(Verdict::Warning, &summary.process, start)
        }
        Ok(Some(summary)) => {
            let message = format!("{}\n{}", summary.process, summary.problems.join("\n"));
            found(Verdict::Wrong, &message, more)
        }
    }
}
