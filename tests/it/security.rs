//! Each promise of SECURITY.md, against the real binary: users who own the directory of dest,
//! secrets, commands, locks.

mod commands;
mod hostile;
pub(crate) mod lock;
mod secrets;

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::apply::is_root;
use crate::env::Env;

/// A user who is not root. Nobody has to know the number.
pub(crate) const USER: u32 = 12345;

/// An environment that this user can reach; `None`, said aloud, when this is not root's test.
fn among_users(test: &str) -> Option<Env> {
    is_root(test).then(Env::in_public)
}

/// A shell of this user, in no group but his own.
fn his_shell(env: &Env, text: &str) -> Command {
    let mut shell = env.command_of("/bin/sh", &["-c", text]);
    shell.uid(USER).gid(USER).current_dir("/");
    shell
}

/// Runs a line in his shell.
#[track_caller]
fn he_does(env: &Env, text: &str) {
    env.finish(his_shell(env, text)).expect_code(0);
}
