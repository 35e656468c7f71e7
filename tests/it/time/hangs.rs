//! File systems that do not answer: they hold up what is on them, are reported, and keep nobody
//! from ending the daemon.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use serde_json::json;

use super::watch_with_mounts;
use crate::env::{Env, until};
use crate::metad::Metad;
use crate::security::lock::{Holder, has_flock};

/// The time that the loop has from TERM to the end of the process, and room for a busy machine.
const END: Duration = Duration::from_secs(9);

/// Shell text that mounts a file system without a server at `hang`. Whoever has descriptor 3 open
/// keeps it there; it does not answer anything. None, and a line that says so, where the system
/// does not permit that.
fn mount(env: &Env, test: &str) -> Option<&'static str> {
    const MOUNT: &str = "exec 3<>/dev/fuse; mount -i -t fuse -o \
        fd=3,rootmode=40000,user_id=0,group_id=0 hang $ROOT/hang";
    fs::create_dir(env.path("hang")).expect("a directory");
    let script = format!("set -e; {}", env.expand(MOUNT));
    let arguments = ["-m", "--propagation", "private", "/bin/sh", "-c", &script];
    let tried = env.finish(env.command_of("unshare", &arguments));
    if tried.code() != Some(0) {
        eprintln!("SKIPPED {test}: no FUSE: {}", tried.stderr.trim());
        return None;
    }
    Some(MOUNT)
}

/// A resource whose dest is on the file system that does not answer, and one that works.
fn put_dead_and_app(env: &Env) {
    env.template("dead.tmpl", "x");
    let lines = "src = \"dead.tmpl\"\ndest = \"$ROOT/hang/dead\"\n";
    env.resource("0-dead.toml", &format!("[template]\n{lines}"));
    env.simple("app", r#"{{getv "/k"}}"#);
}

#[test]
fn a_dest_on_a_file_system_that_does_not_answer_fails_its_own_resource_only() {
    let test = "a_dest_on_a_file_system_that_does_not_answer";
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    let Some(mounts) = mount(&env, test) else {
        return;
    };
    put_dead_and_app(&env);
    let mounts = env.expand(mounts);
    let Some(mut daemon) = watch_with_mounts(&env, test, &mounts, &[]) else {
        return;
    };
    env.wait_content("out/app", "1");
    metad.put("/k", "2");
    env.wait_content("out/app", "2");
    daemon.wait_log("hang/dead: cannot be rendered: no result within 10 s");
    let start = Instant::now();
    daemon.signal("TERM");
    assert_eq!(daemon.wait_exit().code(), Some(0));
    assert!(start.elapsed() < END, "{:?}", start.elapsed());

    let arguments = ["-config-file", "$ROOT/etc/confd.toml", "-onetime"];
    if let Some(run) = env.run_with_mounts(test, &mounts, &arguments) {
        run.expect_code(1).expect_log("0-dead.toml");
    }
    assert_eq!(env.read("out/app"), "2");
}

/// Returns true if a process has a thread with this name.
fn has_thread(pid: u32, name: &str) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter();
    let mut threads = threads.flatten().flatten();
    threads.any(|thread| {
        let found = fs::read_to_string(thread.path().join("comm"));
        found.is_ok_and(|found| found.trim_end() == name)
    })
}

#[test]
fn a_rendering_that_hangs_has_failed_even_if_a_hup_came_meanwhile() {
    let test = "a_rendering_that_hangs_has_failed_even_if_a_hup_came_meanwhile";
    let env = Env::with_tree(&json!({"k": "1"}));
    let Some(mounts) = mount(&env, test) else {
        return;
    };
    put_dead_and_app(&env);
    let fixed = ["-config-file", "$ROOT/etc/confd.toml", "-onetime"];
    let Some(command) = env.command_with_mounts(test, &env.expand(mounts), &fixed) else {
        return;
    };
    let mut run = env.start(command);
    until("it hangs", || has_thread(run.pid(), "renderer"));
    run.signal("HUP");
    env.wait_content("out/app", "1");
    assert_eq!(run.wait_exit().code(), Some(1), "{}", run.log());
    run.wait_log("hang/dead: cannot be rendered: no result within 10 s");
}

#[test]
fn a_one_time_run_ends_though_a_reload_makes_a_file_system_hang() {
    let test = "a_one_time_run_ends_though_a_reload_makes_a_file_system_hang";
    let env = Env::with_tree(&json!({"k": "1"}));
    let Some(mounts) = mount(&env, test) else {
        return;
    };
    // Something of the reload keeps the file system for as long as the test lasts.
    env.put("alive", "");
    let keep = "while [ -e $ROOT/alive ]; do sleep 0.1; done > $ROOT/kept 2>&1 &";
    env.put("hang.sh", &format!("set -e; {mounts}; {keep}"));
    let changes = "echo changed > $ROOT/out/b; /bin/sh $ROOT/hang.sh";
    env.simple_with("a", "x", &format!("reload_cmd = \"{changes}\""));
    env.simple_with("b", "x", "");
    env.template("c.tmpl", "x");
    env.resource(
        "c.toml",
        "[template]\nsrc = \"c.tmpl\"\ndest = \"$ROOT/hang/c\"\n",
    );
    env.simple("d", "x");
    let Some(_run) = env.onetime_with_mounts(test, "true") else {
        return;
    };
    assert_eq!(env.read("out/b"), "x");
    assert_eq!(env.reloads(), ["d"]);
}

#[test]
fn a_loop_that_hangs_is_reported_and_ended() {
    let test = "a_loop_that_hangs_is_reported_and_ended";
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    let Some(mounts) = mount(&env, test) else {
        return;
    };
    symlink(env.path("hang/app.toml"), env.path("etc/conf.d/app.toml")).expect("a link");
    let mounts = env.expand(mounts);
    let Some(mut daemon) = watch_with_mounts(&env, test, &mounts, &[]) else {
        return;
    };
    let step = env.expand("reading $ROOT/etc has taken");
    daemon.wait_log(&step);
    until("-status says so", || {
        let status = env.run(&["-status", "-config-file", "$ROOT/etc/confd.toml"]);
        status.code() == Some(1) && status.stdout.contains(&step)
    });
    let start = Instant::now();
    daemon.signal("TERM");
    assert_eq!(daemon.wait_exit().code(), Some(1));
    assert!(start.elapsed() < END, "{:?}", start.elapsed());
    daemon.wait_log("shutting down in the middle of reading");

    let arguments = ["-config-file", "$ROOT/etc/confd.toml", "-onetime"];
    if let Some(run) = env.run_with_mounts(test, &mounts, &arguments) {
        run.expect_code(1).expect_log(&step).expect_log("gave up");
    }
}

#[test]
fn a_daemon_that_waits_for_the_lock_of_a_stopped_process_says_so() {
    let test = "a_daemon_that_waits_for_the_lock_of_a_stopped_process_says_so";
    if !has_flock(test) {
        return;
    }
    let env = Env::with_tree(&json!({"k": "1"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    env.put("etc/.confd.lock", "");
    let lock = "exec flock -x $ROOT/etc/.confd.lock -c 'kill -STOP $PPID; echo held; exec cat'";
    let holder = Holder::start(env.command_of("/bin/sh", &["-c", lock])).expect("it is held");
    let daemon = env.daemon(&["-watch"]);
    let status = || env.run(&["-status", "-config-file", "$ROOT/etc/confd.toml"]);
    let words = format!(
        "waiting for the lock (another confd (pid {}, which is stopped)",
        holder.pid()
    );
    until("-status says so", || {
        let status = status();
        status.code() == Some(1) && status.stdout.contains(&words)
    });
    holder.signal("CONT");
    drop(holder);
    env.wait_content("out/app", "1");
    until("-status is good", || status().code() == Some(0));
    assert_eq!(daemon.stop(), Some(0));
}
