//! The environment of one test: conf.d, templates and metadata in; exit status, log, files and
//! requests out.
//!
//! Each test has a directory of its own below target/tmp and starts the real binary there. In every
//! text that goes into the environment `$ROOT` stands for that directory.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::metad::Metad;

/// How long anything that must happen may take. Far more than it needs: only a failure ever waits
/// this long.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Looks again and again until `done`; fails when [`LIMIT`] is over. The only place that waits by
/// looking.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    assert!(holds_within_limit(&mut done), "waited in vain until {what}");
}

fn holds_within_limit(done: &mut dyn FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if done() {
            return true;
        }
        if start.elapsed() > LIMIT {
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Copies a program, with its mode. Another process writes the copy: a descriptor of this one would
/// be inherited by what other tests start at that moment, and the program be busy (ETXTBSY).
pub(crate) fn copy_program(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    let mut command = Command::new("cp");
    command.arg("-p").arg(from.as_ref()).arg(to.as_ref());
    assert!(command.status().expect("cp").success(), "{command:?}");
}

/// How much of the long tests to run: `full` times the share (0 to 1) in `PROOF_SHARE`, or a
/// twentieth of it.
pub(crate) fn share_of(full: usize) -> usize {
    let share = std::env::var("PROOF_SHARE").ok();
    let share = share.and_then(|text| text.parse::<f64>().ok());
    let count = full as f64 * share.unwrap_or(0.05);
    (count.round() as usize).max(1)
}

/// The program that is tested: the one that `CONFD` names, such as a static build, or else cargo's.
pub(crate) fn confd() -> &'static str {
    static PROGRAM: LazyLock<String> = LazyLock::new(|| {
        let Some(path) = std::env::var_os("CONFD") else {
            return env!("CARGO_BIN_EXE_confd").to_string();
        };
        let path =
            fs::canonicalize(&path).unwrap_or_else(|error| panic!("CONFD={path:?}: {error}"));
        path.into_os_string()
            .into_string()
            .expect("a path in UTF-8")
    });
    &PROGRAM
}

/// The directory, settings and environment variables of one test.
pub(crate) struct Env {
    root: PathBuf,
    settings: String,
    vars: Vec<(String, String)>,
}

impl Env {
    /// An environment without metadata: `confd.toml` names the confdir, and how soon a one-time run
    /// gives up.
    pub(crate) fn new() -> Env {
        Env::below(Path::new(env!("CARGO_TARGET_TMPDIR")))
    }

    /// The same in the system's directory for such things, which every user of the machine can
    /// reach.
    pub(crate) fn in_public() -> Env {
        Env::below(&std::env::temp_dir())
    }

    fn below(directory: &Path) -> Env {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "confd-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let root = directory.join(name);
        for below in ["etc/conf.d", "etc/templates", "out"] {
            fs::create_dir_all(root.join(below)).expect("a directory for the test");
        }
        let mut env = Env {
            root,
            settings: String::new(),
            vars: Vec::new(),
        };
        env.settings("confdir = \"$ROOT/etc\"\nonetime_wait = \"1s\"");
        env
    }

    /// An environment whose metadata comes from `metad`, below `/self`.
    pub(crate) fn with_metad(metad: &Metad) -> Env {
        let mut env = Env::new();
        env.ask(metad);
        env
    }

    /// Adds settings: from now on the metadata comes from `metad`.
    pub(crate) fn ask(&mut self, metad: &Metad) {
        self.settings(&format!(
            "nodes = [\"{}\"]\nprefix = \"/self\"",
            metad.node()
        ));
    }

    /// An environment whose metadata is recorded: no server, no network.
    pub(crate) fn with_tree(tree: &Json) -> Env {
        let mut env = Env::new();
        env.put("metadata.json", &tree.to_string());
        env.settings("backend = \"file\"\nfile = \"$ROOT/metadata.json\"");
        env
    }

    /// Adds lines to confd.toml.
    pub(crate) fn settings(&mut self, lines: &str) {
        self.settings.push_str(lines);
        self.settings.push('\n');
        self.put("etc/confd.toml", &self.settings);
    }

    /// Sets an environment variable for every process started from now on.
    pub(crate) fn var(&mut self, name: &str, value: &str) {
        self.vars.push((name.to_string(), self.expand(value)));
    }

    /// The path of `relative` in this environment.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// `text` with `$ROOT` put in.
    pub(crate) fn expand(&self, text: &str) -> String {
        text.replace("$ROOT", &self.root.to_string_lossy())
    }

    /// Writes a file, its directories too.
    pub(crate) fn put(&self, relative: &str, text: &str) {
        let path = self.path(relative);
        let parent = path.parent().expect("a file in a directory");
        fs::create_dir_all(parent).expect("the directories of a test's file");
        fs::write(&path, self.expand(text)).expect("a test's file");
    }

    /// Reads a file; fails when it is not there.
    pub(crate) fn read(&self, relative: &str) -> String {
        let path = self.path(relative);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The lines of a file; none when it is not there.
    pub(crate) fn lines(&self, relative: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(relative)).unwrap_or_default();
        text.lines().map(str::to_string).collect()
    }

    /// The names in a directory, sorted.
    pub(crate) fn names(&self, relative: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(relative)).expect("a directory of the test");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// The same, without what is there only while a daemon replaces its state file.
    pub(crate) fn lasting_names(&self, relative: &str) -> Vec<String> {
        let mut names = self.names(relative);
        names.retain(|name| !name.starts_with(".status.json.confd-"));
        names
    }

    /// True while a journal in etc/reloads has an entry that is not cleared.
    pub(crate) fn has_pending_reloads(&self) -> bool {
        let Ok(entries) = fs::read_dir(self.path("etc/reloads")) else {
            return false;
        };
        entries.flatten().any(|entry| {
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            let numbers = |sign| {
                let lines = text.lines().filter_map(move |line| line.strip_prefix(sign));
                lines.filter_map(|line| line.split(' ').next())
            };
            entry.file_name().to_string_lossy().starts_with("journal-")
                && numbers('+').any(|number| numbers('-').all(|cleared| cleared != number))
        })
    }

    /// Waits until a file has exactly this content.
    pub(crate) fn wait_content(&self, relative: &str, content: &str) {
        let path = self.path(relative);
        until(&format!("{relative} is {content:?}"), || {
            fs::read(&path).is_ok_and(|bytes| bytes == content.as_bytes())
        });
    }

    /// Waits until a file has at least `count` lines.
    pub(crate) fn wait_lines(&self, relative: &str, count: usize) {
        until(&format!("{relative} has {count} lines"), || {
            self.lines(relative).len() >= count
        });
    }

    /// Writes conf.d/NAME.
    pub(crate) fn resource(&self, name: &str, toml: &str) {
        self.put(&format!("etc/conf.d/{name}"), toml);
    }

    /// Writes templates/NAME.
    pub(crate) fn template(&self, name: &str, text: &str) {
        self.put(&format!("etc/templates/{name}"), text);
    }

    /// The usual resource: NAME.tmpl with this text makes out/NAME, sees everything, and each
    /// reload adds a line NAME to the file `reloads`.
    pub(crate) fn simple(&self, name: &str, template: &str) {
        self.simple_with(
            name,
            template,
            &format!("reload_cmd = \"echo {name} >> $ROOT/reloads\""),
        );
    }

    /// As [`Env::simple`], with these lines of TOML in place of the reload command.
    pub(crate) fn simple_with(&self, name: &str, template: &str, lines: &str) {
        self.template(&format!("{name}.tmpl"), template);
        self.resource(
            &format!("{name}.toml"),
            &format!(
                "[template]\nsrc = \"{name}.tmpl\"\ndest = \"$ROOT/out/{name}\"\nkeys = [\"/\"]\n{lines}\n"
            ),
        );
    }

    /// A gate, shut.
    pub(crate) fn gate(&self, name: &str) -> Gate {
        let gate = Gate {
            shut: self.path(&format!("{name}.shut")),
            passed: self.path(&format!("{name}.started")),
        };
        gate.shut();
        gate
    }

    /// The names of the simple resources whose reload ran, in that order.
    pub(crate) fn reloads(&self) -> Vec<String> {
        self.lines("reloads")
    }

    /// The program with these arguments, in this environment, with nothing of the caller's but
    /// PATH.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(confd(), arguments)
    }

    /// Another program, in this environment.
    pub(crate) fn command_of(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments.iter().map(|argument| self.expand(argument)))
            .current_dir(&self.root)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(self.vars.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs with exactly these arguments and waits for the end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.finish(self.command(arguments))
    }

    /// Runs a prepared command and waits for the end.
    pub(crate) fn finish(&self, mut command: Command) -> Run {
        let [stdout, stderr] = ["stdout", "stderr"].map(|name| self.capture(name));
        command.stdout(stdout.1).stderr(stderr.1);
        let mut child = command.spawn().expect("the program starts");
        let status = wait(&mut child);
        let [stdout, stderr] = [stdout.0, stderr.0]
            .map(|path| fs::read(path).expect("captured output"))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Run {
            status: status.unwrap_or_else(|| panic!("still running; its log:\n{stderr}")),
            stdout,
            stderr,
        }
    }

    /// The program with these arguments where `mounts` were made, in a mount namespace of its own.
    /// None, and a line that says so, where the system does not permit that.
    pub(crate) fn command_with_mounts(
        &self,
        test: &str,
        mounts: &str,
        arguments: &[&str],
    ) -> Option<Command> {
        let private = ["-m", "--propagation", "private"];
        let allowed = Command::new("unshare").args(private).arg("true").status();
        if !allowed.is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED {test}: this system does not permit mount namespaces");
            return None;
        }
        let script = format!("set -e; {mounts}; exec \"$0\" \"$@\"");
        let fixed = ["/bin/sh", "-c", &script, confd()];
        let arguments = [&private[..], &fixed, arguments].concat();
        Some(self.command_of("unshare", &arguments))
    }

    /// Runs [`Env::command_with_mounts`] and waits for the end.
    pub(crate) fn run_with_mounts(
        &self,
        test: &str,
        mounts: &str,
        arguments: &[&str],
    ) -> Option<Run> {
        let command = self.command_with_mounts(test, mounts, arguments)?;
        Some(self.finish(command))
    }

    /// `confd -onetime` with this environment's confd.toml and these further arguments.
    pub(crate) fn onetime_with(&self, arguments: &[&str]) -> Run {
        let fixed = ["-config-file", "$ROOT/etc/confd.toml", "-onetime"];
        self.run(&[&fixed, arguments].concat())
    }

    /// `confd -onetime` with this environment's confd.toml.
    pub(crate) fn onetime(&self) -> Run {
        self.onetime_with(&[])
    }

    /// `confd -onetime` where `mounts` were made, in a mount namespace of its own. None, said
    /// aloud, where the system does not permit that to `test`.
    pub(crate) fn onetime_with_mounts(&self, test: &str, mounts: &str) -> Option<Run> {
        let arguments = ["-onetime", "-config-file", "$ROOT/etc/confd.toml"];
        self.run_with_mounts(test, mounts, &arguments)
    }

    /// Starts `confd` with this environment's confd.toml and these further arguments.
    pub(crate) fn daemon(&self, arguments: &[&str]) -> Daemon {
        let fixed = ["-config-file", "$ROOT/etc/confd.toml"];
        self.start(self.command(&[&fixed, arguments].concat()))
    }

    /// Starts a prepared command that does not end by itself.
    pub(crate) fn start(&self, mut command: Command) -> Daemon {
        let (log, file) = self.capture("daemon.log");
        let twin = file.try_clone().expect("a second handle of the log");
        let child = command
            .stdout(twin)
            .stderr(file)
            .spawn()
            .expect("the program starts");
        Daemon { child, log }
    }

    /// A new file for a program's output. A file and not a pipe: whoever inherits it holds nobody
    /// up.
    fn capture(&self, name: &str) -> (PathBuf, File) {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = self.path(&format!("{name}.{number}"));
        let file = File::create(&path).expect("a file for the program's output");
        (path, file)
    }
}

impl Drop for Env {
    fn drop(&mut self) {
        // Kept after a failure, for whoever looks into it.
        if !thread::panicking() {
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}

/// Holds commands up for as long as it is shut. Opens when its value ends, so that nothing waits
/// for ever.
pub(crate) struct Gate {
    shut: PathBuf,
    passed: PathBuf,
}

impl Gate {
    /// Shell text that adds a line to a file when it starts, and ends when the gate is open.
    pub(crate) fn command(&self) -> String {
        format!(
            "echo $$ >> {}; while [ -e {} ]; do sleep 0.01; done",
            self.passed.display(),
            self.shut.display()
        )
    }

    /// How many commands came to the gate so far.
    pub(crate) fn started(&self) -> usize {
        let text = fs::read_to_string(&self.passed).unwrap_or_default();
        text.lines().count()
    }

    /// Waits until `count` commands came to the gate.
    pub(crate) fn wait_started(&self, count: usize) {
        until("a command came to the gate", || self.started() >= count);
    }

    /// From now on commands are held.
    pub(crate) fn shut(&self) {
        fs::write(&self.shut, "").expect("the gate's file");
    }

    /// From now on commands pass, those that are held too.
    pub(crate) fn open(&self) {
        fs::remove_file(&self.shut).expect("the gate is shut");
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // It may be open already.
        let _ = fs::remove_file(&self.shut);
    }
}

/// Waits for the end; ends it by force when [`LIMIT`] is over.
fn wait(child: &mut Child) -> Option<ExitStatus> {
    let mut status = None;
    holds_within_limit(&mut || {
        status = child.try_wait().expect("the state of a child");
        status.is_some()
    });
    if status.is_none() {
        child.kill().expect("a child can be killed");
        child.wait().expect("the state of a child");
    }
    status
}

/// The result of a run.
pub(crate) struct Run {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// The exit code; none after a signal.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Fails, with the log, unless the exit code is this.
    #[track_caller]
    pub(crate) fn expect_code(&self, code: i32) -> &Run {
        assert_eq!(self.code(), Some(code), "its log:\n{}", self.stderr);
        self
    }

    /// Fails, with the log, unless a line has this text.
    #[track_caller]
    pub(crate) fn expect_log(&self, text: &str) -> &Run {
        assert!(
            self.stderr.contains(text),
            "no {text:?} in the log:\n{}",
            self.stderr
        );
        self
    }

    /// Fails, with the log, when a line has this text.
    #[track_caller]
    pub(crate) fn expect_no_log(&self, text: &str) -> &Run {
        assert!(
            !self.stderr.contains(text),
            "{text:?} in the log:\n{}",
            self.stderr
        );
        self
    }

    /// The lines of one level.
    pub(crate) fn at(&self, level: &str) -> Vec<&str> {
        let mark = format!(": {level} ");
        let lines = self.stderr.lines();
        lines.filter(|line| line.contains(&mark)).collect()
    }
}

/// A running daemon. Killed with its value.
pub(crate) struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything logged so far.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(&self.log).expect("the daemon's log");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The number of log lines with this text.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.log()
            .lines()
            .filter(|line| line.contains(text))
            .count()
    }

    /// Waits for a log line with this text.
    #[track_caller]
    pub(crate) fn wait_log(&self, text: &str) {
        self.wait_logs(text, 1);
    }

    /// Waits until `count` log lines have this text.
    #[track_caller]
    pub(crate) fn wait_logs(&self, text: &str, count: usize) {
        assert!(
            holds_within_limit(&mut || self.count(text) >= count),
            "waited in vain for {count} lines {text:?} in the log:\n{}",
            self.log()
        );
    }

    /// Its open descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        let directory = format!("/proc/{}/fd", self.pid());
        fs::read_dir(directory).expect("proc").count()
    }

    /// A line of its status, such as `VmRSS:` (in KiB) or `Threads:`.
    pub(crate) fn status(&self, name: &str) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("proc");
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let word = line.and_then(|line| line.split_whitespace().next());
        let number = word.and_then(|number| number.parse().ok());
        number.unwrap_or_else(|| panic!("no {name} in {status}"))
    }

    /// Sends a signal by name (`TERM`, `HUP`, …).
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("/bin/sh")
            .args(["-c", &format!("kill -{name} {}", self.pid())])
            .status()
            .expect("a shell");
        assert!(status.success(), "kill -{name} {}", self.pid());
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("the state of a child");
    }

    /// Waits for the end.
    #[track_caller]
    pub(crate) fn wait_exit(&mut self) -> ExitStatus {
        let status = wait(&mut self.child);
        status.unwrap_or_else(|| panic!("still running; its log:\n{}", self.log()))
    }

    /// TERM, then the exit code.
    #[track_caller]
    pub(crate) fn stop(mut self) -> Option<i32> {
        self.signal("TERM");
        self.wait_exit().code()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("the state of a child")
            .is_none()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the daemon's log:\n{}", self.log());
        }
    }
}
