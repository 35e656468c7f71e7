//! Nobody but the owner of confdir can hold confd up, or make a daemon look alive.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::{Child, Command, Stdio};

use crate::env::{Env, until};
use crate::security::{among_users, his_shell};

/// Somebody who holds a lock on a path until his value ends.
pub(crate) struct Holder(Child);

impl Holder {
    /// `None` when the shell cannot open it.
    pub(crate) fn start(mut shell: Command) -> Option<Holder> {
        shell.stdin(Stdio::piped()).stdout(Stdio::piped());
        shell.stderr(Stdio::null());
        let mut child = shell.spawn().expect("a shell");
        let output = child.stdout.take().expect("its output");
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line);
        read.expect("its first line");
        let holder = Holder(child);
        (line == "held\n").then_some(holder)
    }

    /// Holds the lock of confdir.
    pub(crate) fn of_confdir(env: &Env) -> Holder {
        let shell = env.command_of("/bin/sh", &["-c", &hold("$ROOT/etc/.confd.lock")]);
        Holder::start(shell).expect("the lock")
    }

    /// The process that was started.
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Sends a signal by name to the process that holds it.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("/bin/sh")
            .args(["-c", &format!("kill -{name} {}", self.0.id())])
            .status();
        assert!(status.expect("a shell").success());
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It may be stopped, and would not notice the end of its input.
        let _ = self.0.kill();
        self.0.wait().expect("the state of a child");
    }
}

pub(crate) fn hold(path: &str) -> String {
    format!("exec 9<{path} && flock -n -x 9 && echo held && exec cat")
}

pub(crate) fn has_flock(test: &str) -> bool {
    let there = Command::new("flock").arg("--version").output().is_ok();
    if !there {
        eprintln!("SKIPPED {test}: flock is not installed");
    }
    there
}

fn mode(env: &Env, path: &str) -> u32 {
    let data = fs::symlink_metadata(env.path(path)).expect("metadata");
    data.mode() & 0o7777
}

#[test]
fn a_user_who_locks_all_that_he_can_open_holds_nobody_up() {
    let test = "a_user_who_locks_all_that_he_can_open_holds_nobody_up";
    let Some(mut env) = among_users(test) else {
        return;
    };
    if !has_flock(test) {
        return;
    }
    env.put("metadata.json", "{\"k\": \"v\"}");
    env.settings("backend = \"file\"\nfile = \"$ROOT/metadata.json\"");
    // An owed reload, too, since that has a lock of its own.
    env.simple_with(
        "app",
        r#"{{getv "/k"}}"#,
        "reload_retry = true\nreload_cmd = \"echo run >> $ROOT/reloads; test -e $ROOT/works\"",
    );
    env.onetime().expect_code(1);
    let journal = env.names("etc/reloads").pop().expect("a reload is pending");
    let owed = format!("etc/reloads/{journal}");
    let closed = ["etc/.confd.lock", "etc/conf.d/.confd.lock", &owed];
    let open = ["etc", "etc/conf.d", "etc/reloads", "etc/status.json"];
    let holder = |path: &str| Holder::start(his_shell(&env, &hold(&format!("$ROOT/{path}"))));
    for path in closed {
        assert!(holder(path).is_none(), "{path} can be held");
    }
    let held = open.map(|path| holder(path).expect("he may open it"));
    env.put("works", "");
    let run = env.onetime();
    run.expect_code(0).expect_no_log("another confd");
    assert_eq!(env.reloads(), ["run", "run"], "the owed reload is found");
    let daemon = env.daemon(&["-watch", "-log-level", "debug"]);
    daemon.wait_log("in sync");
    // Its state is written when the turn is over, which is after that line.
    until("the daemon is well", || {
        let status = env.run(&["-status", "-config-file", "$ROOT/etc/confd.toml"]);
        status.code() == Some(0)
    });
    assert_eq!(daemon.stop(), Some(0));
    let status = env.run(&["-status", "-config-file", "$ROOT/etc/confd.toml"]);
    status.expect_code(1);
    assert!(
        status.stdout.contains("no daemon is running"),
        "{}",
        status.stdout
    );
    drop(held);
}

#[test]
fn the_lock_is_waited_for_when_its_owner_holds_it() {
    let test = "the_lock_is_waited_for_when_its_owner_holds_it";
    if !has_flock(test) {
        return;
    }
    let env = Env::with_tree(&serde_json::json!({"k": "v"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    env.onetime().expect_code(0);
    fs::remove_file(env.path("out/app")).expect("removed");
    let holder = Holder::of_confdir(&env);
    let mut waiting = env.daemon(&["-onetime"]);
    waiting.wait_log("another confd");
    assert!(waiting.is_running() && env.names("out").is_empty());
    drop(holder);
    assert_eq!(waiting.wait_exit().code(), Some(0));
    assert_eq!(env.read("out/app"), "v");
}

#[test]
fn lock_files_are_made_closed_and_closed_again() {
    let env = Env::with_tree(&serde_json::json!({"k": "v"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    for _ in 0..2 {
        env.onetime().expect_code(0);
        let daemon = env.daemon(&["-interval", "600"]);
        until("the daemon says that it lives", || {
            env.path("etc/conf.d/.confd.lock").exists()
                && env.read("etc/status.json").contains("\"daemon\"")
        });
        assert_eq!(daemon.stop(), Some(0));
        for path in ["etc/.confd.lock", "etc/conf.d/.confd.lock"] {
            assert_eq!(mode(&env, path), 0o600, "{path}");
            // As a careless restore of a backup leaves it.
            let open = Permissions::from_mode(0o666);
            fs::set_permissions(env.path(path), open).expect("chmod");
        }
    }
}

#[test]
fn a_link_in_place_of_the_lock_is_not_followed() {
    let env = Env::with_tree(&serde_json::json!({"k": "v"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    symlink(env.path("elsewhere"), env.path("etc/.confd.lock")).expect("linked");
    env.onetime().expect_code(0).expect_log("cannot lock");
    assert!(!env.path("elsewhere").exists());
}

#[test]
fn who_only_looks_leaves_no_lock_file() {
    let env = Env::with_tree(&serde_json::json!({"k": "v"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    env.onetime_with(&["-noop"]).expect_code(0);
    env.onetime_with(&["-root", "$ROOT/image"]).expect_code(0);
    env.run(&["-diff", "-config-file", "$ROOT/etc/confd.toml"])
        .expect_code(3);
    assert_eq!(env.names("etc"), ["conf.d", "confd.toml", "templates"]);
    assert_eq!(env.names("etc/conf.d"), ["app.toml"]);
}

#[test]
fn a_confdir_that_is_read_only_is_locked_itself() {
    let env = Env::with_tree(&serde_json::json!({"k": "v"}));
    let gate = env.gate("check");
    let lines = format!("check_cmd = \"{}\"", gate.command());
    env.simple_with("app", r#"{{getv "/k"}}"#, &lines);
    let test = "a_confdir_that_is_read_only_is_locked_itself";
    if !has_flock(test) || !crate::apply::is_root(test) {
        return;
    }
    let mounts = "mount --bind $ROOT/etc $ROOT/etc; mount -o remount,ro,bind $ROOT/etc
        \"$0\" \"$@\" &
        while [ ! -s $ROOT/check.started ]; do sleep 0.01; done
        flock -n -x $ROOT/etc true && echo free; rm $ROOT/check.shut; wait $!; exit";
    let Some(run) = env.onetime_with_mounts(test, mounts) else {
        gate.open();
        return;
    };
    run.expect_code(0).expect_no_log("cannot lock");
    assert_eq!(run.stdout, "", "the lock was free");
    assert_eq!(env.read("out/app"), "v");
}
