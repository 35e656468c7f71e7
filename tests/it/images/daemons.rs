//! daemons.sh: finds the daemons of one installation by their program, whoever started them, and
//! ends them.
//!
//! The stand-in for the program is a copy of a shell, which waits as a process of that name.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use super::{said, shells, source, under};
use crate::env::{Env, confd, copy_program, until};

/// An installation's `bin` with daemons.sh and a stand-in in it.
struct Site {
    env: Env,
    shell: &'static [&'static str],
}

impl Site {
    fn new(shell: &'static [&'static str]) -> Site {
        let env = Env::new();
        env.put("bin/confd", "");
        copy_program(source("daemons.sh"), env.path("bin/daemons.sh"));
        let site = Site { env, shell };
        site.replace_program();
        site
    }

    /// Puts another copy of the stand-in in place, as an upgrade does.
    fn replace_program(&self) {
        let staged = self.env.path("bin/staged");
        copy_program("/bin/sh", &staged);
        fs::rename(staged, self.env.path("bin/confd")).expect("the stand-in");
    }

    /// Runs daemons.sh; the numbers that it prints.
    fn daemons(&self, arguments: &[&str]) -> Vec<u32> {
        let mut command = under(self.shell, self.env.path("bin/daemons.sh"));
        let output = command.args(arguments).output().expect("daemons.sh");
        assert!(output.status.success(), "{}", said(&output));
        let text = String::from_utf8(output.stdout).expect("text");
        let number = |line: &str| line.parse().unwrap_or_else(|_| panic!("{text}"));
        text.lines().map(number).collect()
    }
}

/// A running stand-in; it ends with its input.
struct StandIn {
    child: Child,
    input: ChildStdin,
}

impl StandIn {
    /// Starts `program` with these words on its command line.
    fn start(program: PathBuf, words: &[&str]) -> StandIn {
        let mut command = Command::new(program);
        // The echo shows that it is past its own start.
        command
            .args(["-c", "echo started; read -r line", "confd"])
            .args(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a stand-in");
        let mut output = child.stdout.take().expect("its output");
        std::io::Read::read_exact(&mut output, &mut [0; 8]).expect("a line");
        let input = child.stdin.take().expect("its input");
        StandIn { child, input }
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("its state").is_some()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_daemon_is_found_by_its_program_also_after_an_upgrade() {
    for shell in shells() {
        let site = Site::new(shell);
        assert!(site.daemons(&[]).is_empty());
        let old = StandIn::start(site.env.path("bin/confd"), &["-watch"]);
        site.replace_program();
        let new = StandIn::start(site.env.path("bin/confd"), &["-config-file", "x"]);
        assert_eq!(site.daemons(&[]), [new.pid(), old.pid()]);
    }
}

#[test]
fn a_renamed_program_and_a_linked_directory_hide_no_daemon() {
    for shell in shells() {
        let site = Site::new(shell);
        let daemon = StandIn::start(site.env.path("bin/confd"), &[]);
        fs::rename(site.env.path("bin/confd"), site.env.path("bin/confd.bak")).expect("renamed");
        assert_eq!(site.daemons(&[]), [daemon.pid()]);
        std::os::unix::fs::symlink("bin", site.env.path("link")).expect("a link");
        let mut command = under(shell, site.env.path("link/daemons.sh"));
        let output = command.output().expect("daemons.sh");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(text, format!("{}\n", daemon.pid()));
    }
}

#[test]
fn one_time_runs_tools_and_other_installations_are_no_daemons() {
    for shell in shells() {
        let site = Site::new(shell);
        let other = Site::new(shell);
        let program = || site.env.path("bin/confd");
        let _others = [
            StandIn::start(program(), &["-onetime"]),
            StandIn::start(program(), &["--onetime=true", "-log-level", "debug"]),
            StandIn::start(program(), &["-dump", "-"]),
            StandIn::start(program(), &["-rehearse=dump.json"]),
            StandIn::start(program(), &["-noop", "-watch"]),
            StandIn::start(other.env.path("bin/confd"), &["-watch"]),
        ];
        assert!(site.daemons(&[]).is_empty());
        let daemon = StandIn::start(program(), &["-onetime=false", "-prefix", "/status"]);
        assert_eq!(site.daemons(&[]), [daemon.pid()]);
    }
}

#[test]
fn a_process_that_the_daemon_has_just_made_is_no_other_daemon() {
    for shell in shells() {
        let site = Site::new(shell);
        let mut parent = Command::new(site.env.path("bin/confd"))
            .args(["-c", "(read -r line); echo"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a stand-in");
        let children = format!("/proc/{0}/task/{0}/children", parent.id());
        let child = || fs::read_to_string(&children).unwrap_or_default();
        until("it has a child", || !child().is_empty());
        assert_eq!(site.daemons(&[]), [parent.id()]);
        let mut input = parent.stdin.take().expect("its input");
        writeln!(input).expect("the child may end");
        parent.wait().expect("the end");
    }
}

#[test]
fn all_are_ended_except_the_one_that_is_kept() {
    for shell in shells() {
        let site = Site::new(shell);
        let program = || site.env.path("bin/confd");
        let mut tool = StandIn::start(program(), &["-onetime"]);
        let mut kept = StandIn::start(program(), &[]);
        let mut strays = [
            StandIn::start(program(), &[]),
            StandIn::start(program(), &[]),
        ];
        let pid = kept.pid().to_string();
        assert!(site.daemons(&["end", &pid]).is_empty());
        assert!(strays.iter_mut().all(StandIn::has_ended));
        assert!(!kept.has_ended());
        assert!(site.daemons(&["end"]).is_empty());
        assert!(kept.has_ended());
        assert!(!tool.has_ended());
    }
}

#[test]
fn a_start_is_over_when_the_shell_has_become_the_daemon_or_ended() {
    for shell in shells() {
        let site = Site::new(shell);
        let wait = |pid: u32| {
            let mut command = under(shell, site.env.path("bin/daemons.sh"));
            command.args(["wait", &pid.to_string()]);
            command.spawn().expect("daemons.sh")
        };
        let start = |rest: &str| {
            let script = format!("read -r line; {rest}");
            let mut command = Command::new("/bin/sh");
            command.args(["-c", &script]).stdin(Stdio::piped());
            let mut child = command.spawn().expect("a shell");
            let input = child.stdin.take().expect("its input");
            StandIn { child, input }
        };
        let program = site.env.path("bin/confd");
        let exec = format!("exec '{}' -c 'read -r line; exit'", program.display());
        let mut shell_of_unit = start(&exec);
        let mut waiting = wait(shell_of_unit.pid());
        assert!(waiting.try_wait().expect("its state").is_none());
        writeln!(shell_of_unit.input).expect("the shell goes on");
        assert!(waiting.wait().expect("the end").success());
        assert_eq!(site.daemons(&[]), [shell_of_unit.pid()]);

        let mut failing = start("exit 1");
        let mut waiting = wait(failing.pid());
        writeln!(failing.input).expect("the shell goes on");
        assert!(waiting.wait().expect("the end").success());
        until("it has ended", || failing.has_ended());
    }
}

/// The flags with which confd may be a daemon.
const OF_DAEMONS: &[&str] = &[
    "watch",
    "interval",
    "sync-only",
    "strict",
    "keep-stage-file",
    "backend",
    "node",
    "prefix",
    "scheme",
    "srv-domain",
    "srv-record",
    "file",
    "show-secrets",
    "against",
    "format",
    "config-file",
    "confdir",
    "log-level",
];

#[test]
fn each_flag_is_known_as_one_of_a_daemon_or_of_a_tool() {
    let script = fs::read_to_string(source("daemons.sh")).expect("daemons.sh");
    let tools = script.lines().find_map(|line| line.strip_prefix("tools='"));
    let tools: Vec<_> = tools
        .expect("the flags of tools")
        .split(['|', '\''])
        .collect();
    let output = Command::new(confd()).arg("-help").output().expect("confd");
    let help = String::from_utf8(output.stdout).expect("text");
    let flags = help.lines().filter_map(|line| line.strip_prefix("  -"));
    let mut count = 0;
    for flag in flags.filter(|line| line.contains("  ")) {
        let name = flag.split([' ', '[', '=']).next().unwrap_or_default();
        assert!(
            tools.contains(&name) != OF_DAEMONS.contains(&name),
            "is confd -{name} a daemon? daemons.sh and this test must know"
        );
        count += 1;
    }
    assert!(count > 20, "{help}");
}
