//! Which confds are measured.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::env::{Daemon, Env, confd};

/// A confd.
pub(crate) struct Program {
    pub name: String,
    path: PathBuf,
}

/// The one to be measured, and another one to compare it with, if there is one.
pub(crate) fn all() -> Vec<Program> {
    let mut programs = vec![Program::new("confd", confd().into())];
    if let Some(other) = std::env::var_os("OTHER") {
        programs.push(Program::new("the other confd", other.into()));
    }
    programs
}

impl Program {
    fn new(what: &str, path: PathBuf) -> Program {
        let path = path
            .canonicalize()
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        println!("{what}: {}", path.display());
        Program {
            name: what.to_owned(),
            path,
        }
    }

    /// In bytes.
    pub(crate) fn size(&self) -> u64 {
        self.path.metadata().expect("the program").len()
    }

    fn command(&self, env: &Env, flag: &str) -> Command {
        let path = self.path.to_string_lossy();
        env.command_of(&path, &["-config-file", "$ROOT/etc/confd.toml", flag])
    }

    /// One run, to its end.
    pub(crate) fn onetime(&self, env: &Env) {
        run(self.command(env, "-onetime"));
    }

    /// The instructions of one run, as callgrind counts them.
    pub(crate) fn instructions(&self, env: &Env) -> u64 {
        let path = self.path.to_string_lossy();
        let tool = ["--tool=callgrind", "--callgrind-out-file=/dev/null", &path];
        let run = ["-config-file", "$ROOT/etc/confd.toml", "-onetime"];
        let output = env
            .command_of("valgrind", &[&tool[..], &run[..]].concat())
            .output();
        let output = output.expect("valgrind starts");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        let count = text
            .lines()
            .find_map(|line| line.split_once("Collected : "));
        let count = count.and_then(|(_, count)| count.trim().parse().ok());
        count.unwrap_or_else(|| panic!("no count: {text}"))
    }

    /// The daemon that waits for changes.
    pub(crate) fn watch(&self, env: &Env) -> Daemon {
        env.start(self.command(env, "-watch"))
    }
}

/// Runs a command to its good end.
pub(crate) fn run(mut command: Command) {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let status = command.status().expect("it starts");
    assert!(status.success(), "{command:?}: {status}");
}
