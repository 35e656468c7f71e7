//! Commands as shells write them: daemons left behind, floods, groups of processes, signals.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use app_agent::platform::Announcement;
use app_agent::resource::command::{Ended, Invocation, RunningCommand, Status};

use crate::env::{Env, confd, until};

fn invocation(text: &str) -> Invocation {
    Invocation {
        text: text.to_owned(),
        src: "/etc/.x.confd-1".into(),
        dest: "/etc/x".into(),
        changed_keys: vec!["/a".to_owned(), "/b c".to_owned()],
        time_limit: None,
    }
}

fn run(text: &str) -> Ended {
    run_invocation(&invocation(text))
}

fn run_invocation(invocation: &Invocation) -> Ended {
    let running = invocation.start(&Announcement::default());
    let ended = running.and_then(RunningCommand::wait);
    ended.expect("it starts and ends")
}

fn run_within(limit: Duration, text: &str) -> Ended {
    let mut invocation = invocation(text);
    invocation.time_limit = Some(limit);
    run_invocation(&invocation)
}

/// A named pipe between the test and what a command leaves behind. The test never waits in it.
struct Pipe {
    path: PathBuf,
    file: File,
}

impl Pipe {
    fn new() -> Pipe {
        let path = Pipe::make();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&path)
            .expect("opened");
        Pipe { path, file }
    }

    /// One that comes to its end when all others who can write to it are gone.
    fn with_an_end() -> Pipe {
        let path = Pipe::make();
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&path)
            .expect("opened");
        Pipe { path, file }
    }

    fn make() -> PathBuf {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("pipe-{}-{count}", std::process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let made = Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo").success());
        path
    }

    /// For a shell: blocks until [`Pipe::open`], or for a minute when that never comes.
    fn wait(&self) -> String {
        format!("timeout 60 head -n 1 {}", self.path.display())
    }

    fn open(&mut self) {
        self.file.write_all(b"go\n").expect("written");
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        fs::remove_file(&self.path).expect("removed");
    }
}

#[test]
fn output_is_kept_in_the_order_of_writing() {
    let ended = run("echo 1; echo 2 >&2; echo 3; echo 4 >&2; exit 7");
    assert_eq!(ended.status, Status::Code(7));
    assert_eq!(ended.output.to_string(), "1\n2\n3\n4");
}

#[test]
fn the_environment_says_what_it_is_about() {
    let ended = run(r#"echo "$CONFD_SRC,$CONFD_DEST,$CONFD_CHANGED_KEYS""#);
    assert_eq!(ended.output.to_string(), "/etc/.x.confd-1,/etc/x,/a\n/b c");
}

#[test]
fn a_command_reads_nothing() {
    let ended = run("cat");
    assert_eq!(ended.status, Status::Success);
    assert_eq!(ended.output.to_string(), "");
}

#[test]
fn a_command_longer_than_the_system_allows_is_an_error_that_names_it() {
    let long = "x".repeat(3 << 20);
    let long = invocation(&long);
    let error = long.start(&Announcement::default()).expect_err("too long");
    let error = error.to_string();
    assert!(error.contains("cannot be started: "));
}

#[test]
fn row_11_a_daemon_that_keeps_the_output_is_not_waited_for() {
    let mut gate = Pipe::new();
    let ended = run(&format!(
        "echo started; {{ {}; echo late; }} &",
        gate.wait()
    ));
    assert_eq!(ended.status, Status::Success);
    assert_eq!(ended.output.to_string(), "started");
    gate.open();
}

#[test]
fn row_11_a_daemon_may_go_on_writing() {
    let (mut gate, mut answer) = (Pipe::new(), Pipe::new());
    // More than a pipe holds, so that it is stuck, or killed by SIGPIPE, unless somebody reads.
    let write = "head -c 1000000 /dev/zero";
    let answer_to = answer.path.display().to_string();
    let ended = run(&format!(
        "({}; {write} && echo alive >{answer_to}) &",
        gate.wait()
    ));
    assert_eq!(ended.status, Status::Success);
    gate.open();
    let mut text = [0; 6];
    until("the daemon has written all", || {
        answer.file.read_exact(&mut text).is_ok()
    });
    assert_eq!(&text, b"alive\n");
}

#[test]
fn row_11_a_daemon_may_go_on_writing_when_confd_is_gone() {
    let mut gate = Pipe::new();
    let env = Env::with_tree(&serde_json::json!({"k": "v"}));
    let write = "head -c 1000000 /dev/zero && echo alive > $ROOT/answer";
    let reload = format!("reload_cmd = \"({}; {write}) &\"", gate.wait());
    env.simple_with("x", "{{getv \"/k\"}}", &reload);
    env.onetime().expect_code(0);
    gate.open();
    env.wait_content("answer", "alive\n");
}

#[test]
fn a_service_that_a_reload_started_survives_a_kill_of_confd() {
    let mut gate = Pipe::new();
    let env = Env::with_tree(&serde_json::json!({"k": "v"}));
    let write = "head -c 1000000 /dev/zero && echo alive > $ROOT/answer";
    let reload = format!("reload_cmd = \"({}; {write}) &\"", gate.wait());
    env.simple_with("x", "{{getv \"/k\"}}", &reload);
    let mut daemon = env.daemon(&["-interval", "600", "-log-level", "debug"]);
    daemon.wait_log("succeeded");
    daemon.kill();
    gate.open();
    env.wait_content("answer", "alive\n");
}

#[test]
fn descriptors_that_confd_inherited_are_not_passed_on() {
    let env = Env::with_tree(&serde_json::json!({"k": "v"}));
    let list = "ls -l /proc/self/fd > $ROOT";
    let lines = format!("check_cmd = \"{list}/check\"\nreload_cmd = \"{list}/reload\"");
    env.simple_with("x", "{{getv \"/k\"}}", &lines);
    env.put("inherited", "");
    let script = "exec 7<$ROOT/inherited 200<$ROOT/inherited; exec \"$0\" \"$@\"";
    let program = ["-c", script, confd(), "-onetime", "-config-file"];
    let arguments = [&program[..], &["$ROOT/etc/confd.toml"]].concat();
    // Not every sh can redirect a descriptor of more than one digit.
    env.finish(env.command_of("bash", &arguments))
        .expect_code(0);
    for command in ["check", "reload"] {
        let listed = env.read(command);
        assert!(listed.contains("/dev/null"), "{listed}");
        assert!(!listed.contains("inherited"), "{listed}");
    }
}

#[test]
fn a_flood_is_read_to_its_end_and_its_end_kept() {
    let ended = run("yes 'a line of a flood' | head -n 200000; echo the end");
    assert_eq!(ended.status, Status::Success);
    assert!(ended.output.tail.len() <= 8192);
    assert_eq!(
        ended.output.dropped + ended.output.tail.len() as u64,
        200_000 * 18 + 8
    );
    assert!(
        ended
            .output
            .to_string()
            .ends_with("a line of a flood\nthe end")
    );
}

#[test]
fn a_daemon_that_floods_the_output_does_not_hold_up_the_command() {
    let mut gate = Pipe::new();
    let ended = run(&format!("(yes & {}; kill $!) & echo started", gate.wait()));
    assert_eq!(ended.status, Status::Success);
    gate.open();
}

#[test]
fn an_end_by_a_signal_is_told_from_an_exit_status() {
    assert_eq!(run("kill -9 $$").status, Status::Signal(9));
    assert_eq!(run("exit 137").status, Status::Code(137));
}

#[test]
fn a_command_within_its_limit_ends_as_usual() {
    let ended = run_within(Duration::from_secs(600), "echo done; exit 3");
    assert_eq!(ended.status, Status::Code(3));
    assert_eq!(ended.output.to_string(), "done");
}

#[test]
fn a_limit_ends_everything_the_command_has_started() {
    let mut survivors = Pipe::with_an_end();
    let limit = Duration::from_millis(300);
    // Both grandchildren hold the pipe open, and one of them does not listen to SIGTERM.
    let text = format!(
        "exec 3>{}; (trap '' TERM; sleep 600) & sleep 600 & wait",
        survivors.path.display()
    );
    assert_eq!(run_within(limit, &text).status, Status::TimedOut(limit));
    until("nobody of the group is left", || {
        matches!(survivors.file.read(&mut [0]), Ok(0))
    });
}

#[test]
fn a_command_that_ignores_the_request_to_end_is_killed() {
    let mut survivors = Pipe::with_an_end();
    let limit = Duration::from_millis(300);
    let text = format!(
        "trap '' TERM; exec 3>{}; for i in 1 2 3 4 5 6; do sleep 10; done; echo survived >&3",
        survivors.path.display()
    );
    assert_eq!(run_within(limit, &text).status, Status::TimedOut(limit));
    until("nobody of the group is left", || {
        matches!(survivors.file.read(&mut [0]), Ok(0))
    });
}
