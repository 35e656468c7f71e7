//! `-doctor`: each thing that usually is wrong on a node, made wrong, and what the program says
//! about it.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value as Json, json};

use crate::env::{Env, Run, confd, until};
use crate::http::Answer;
use crate::metad::{Fault, Metad};
use crate::security::lock::{Holder, has_flock};

const DOCTOR: &[&str] = &["-config-file", "$ROOT/etc/confd.toml", "-doctor"];

const DOCUMENT: &str = include_str!("../../../docs/doctor.md");

/// A run, and its findings.
struct Examined {
    run: Run,
    findings: Vec<[String; 4]>,
}

fn examine(env: &Env, arguments: &[&str]) -> Examined {
    let json = ["-format", "json"];
    read(env.run(&[DOCTOR, &json, arguments].concat()))
}

fn read(run: Run) -> Examined {
    let report: Json = serde_json::from_str(&run.stdout).unwrap_or_else(|error| {
        panic!("{error}:\n{}\n{}", run.stdout, run.stderr);
    });
    assert_eq!(report["version"], 1);
    let list = report["findings"].as_array().expect("a list");
    let findings = list.iter().map(|finding| {
        let found = finding.as_object().expect("an object");
        let name = format!("\n| {} | ", finding["check"]).replace('"', "`");
        assert!(DOCUMENT.contains(&name), "docs/doctor.md explains {name}");
        assert_eq!(found.len(), 4, "{finding}");
        ["check", "severity", "message", "help"]
            .map(|key| found[key].as_str().expect("text").to_owned())
    });
    Examined {
        findings: findings.collect(),
        run,
    }
}

impl Examined {
    /// Fails unless there is a finding of this check with this severity, these words, and a cure
    /// with those.
    #[track_caller]
    fn expect(&self, check: &str, severity: &str, words: &str, cure: &str) -> &Examined {
        let is_it = |found: &&[String; 4]| {
            let [name, how, message, remedy] = found;
            name == check && how == severity && message.contains(words) && remedy.contains(cure)
        };
        let found = self.findings.iter().find(is_it);
        assert!(
            found.is_some(),
            "no {check} {severity} {words:?} {cure:?} in {:#?}",
            self.findings
        );
        self.run
            .expect_code(i32::from(self.severities().contains("error")));
        self
    }

    /// The findings that are not ok, as check and severity.
    fn problems(&self) -> Vec<String> {
        let problems = self.findings.iter().filter(|found| found[1] != "ok");
        // Those who are not root are told so.
        let problems = problems.filter(|found| found[0] != "user");
        problems
            .map(|[check, severity, ..]| format!("{check} {severity}"))
            .collect()
    }

    fn severities(&self) -> BTreeSet<&str> {
        self.findings
            .iter()
            .map(|found| found[1].as_str())
            .collect()
    }
}

/// An environment whose metadata is recorded, with one good resource.
fn recorded() -> Env {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    env
}

/// The log of the only daemon.
fn daemon_log(env: &Env) -> String {
    let names = env.names(".").into_iter();
    let mut logs = names.filter(|name| name.starts_with("daemon.log."));
    logs.next().expect("a daemon's log")
}

/// Waits until a daemon, not a one-time run before it, has said that all is well.
fn wait_report(env: &Env) {
    until("the daemon has reported", || {
        let run = env.run(&["-status", "-format", "json", "-confdir", "$ROOT/etc"]);
        let state: Json = serde_json::from_str(&run.stdout).unwrap_or_default();
        run.code() == Some(0) && state["run"] == "daemon"
    });
}

#[test]
fn a_node_in_good_order_is_healthy() {
    let metad = Metad::start(json!({"k": "hunter2", "l": "2"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    env.wait_content("out/app", "hunter2");
    wait_report(&env);
    metad.wait_idle();
    let names = || (env.lasting_names("etc"), env.names("out"));
    let (requests, before) = (metad.request_count(), names());
    let examined = examine(&env, &[]);
    assert_eq!(examined.problems(), [""; 0], "{:#?}", examined.findings);
    examined
        .expect("settings", "ok", &env.expand("$ROOT/etc/confd.toml"), "")
        .expect("resources", "ok", "2 files, all good", "")
        .expect("node", "ok", "; version 1, 2 keys", "")
        .expect("node", "ok", &format!("{} connects in ", metad.node()), "")
        .expect("dest", "ok", "2 of 2 directories are writable", "")
        .expect("disk", "ok", " free", "")
        .expect("lock", "ok", "free", "")
        .expect(
            "agent",
            "ok",
            &format!("pid {} is the only daemon", daemon.pid()),
            "",
        )
        .expect("log", "ok", &env.expand("$ROOT/daemon.log."), "")
        .expect(
            "daemon",
            "ok",
            &format!("running as pid {}", daemon.pid()),
            "",
        )
        .expect("clock", "ok", "20", "");
    let run = env.run(DOCTOR);
    run.expect_code(0).expect_log("confd: 0 errors, 0 warnings");
    assert!(
        run.stdout.starts_with("ok       settings   "),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.contains("hunter2"), "{}", run.stdout);
    assert_eq!(metad.request_count(), requests + 2, "one for each look");
    assert_eq!(names(), before, "nothing is written");
}

#[test]
fn the_problems_of_a_node_are_distinguished() {
    let own = json!({"k": "v"});
    let html = Answer::new(200, "text/html", "<html>welcome</html>");
    let not_found = Answer::new(404, "text/html", "<html>not here</html>");
    let silent = Answer::new(200, "application/json", own.to_string());
    let of_metad = |status, text: &str| {
        let answer = Answer::new(status, "application/json", text);
        Fault::Answer(answer.header("X-Metad-Version", "7"))
    };
    // What it answers; severity, words and cure.
    let cases = [
        (
            Fault::Answer(html),
            "error",
            "text/html, not JSON; it is not metad",
            "something other",
        ),
        (
            Fault::Answer(not_found),
            "error",
            "status 404; it is not metad",
            "something other",
        ),
        (
            Fault::Answer(silent),
            "warning",
            "without metad's X-Metad-Version",
            "something other",
        ),
        (
            Fault::Raw(b"SSH-2.0-x\r\n".to_vec()),
            "error",
            "not HTTP",
            "the log of metad",
        ),
        (
            Fault::Reset,
            "error",
            "the connection broke",
            "the log of metad",
        ),
        (
            Fault::Silence,
            "error",
            "no answer within 2s",
            "the log of metad",
        ),
        (
            of_metad(500, "{}"),
            "error",
            "status 500",
            "the log of metad",
        ),
        (
            of_metad(200, "{}"),
            "error",
            "below the prefix /self",
            "correct prefix",
        ),
        (
            of_metad(200, "\"hunter2\""),
            "error",
            "below the prefix /self",
            "correct prefix",
        ),
        (
            of_metad(404, "{}"),
            "error",
            "no metadata for this node (yet): status 404; the request comes from 127.0.0.1",
            "another address",
        ),
    ];
    for (fault, severity, words, cure) in cases {
        let metad = Metad::start(own.clone());
        metad.fail(fault);
        let env = Env::with_metad(&metad);
        env.simple("app", r#"{{getv "/k"}}"#);
        let examined = examine(&env, &[]);
        examined.expect("node", severity, words, cure);
        assert!(!examined.run.stdout.contains("hunter2"), "{words}");
    }
}

#[test]
fn a_node_that_cannot_be_reached_is_explained() {
    let mut metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    metad.stop();
    examine(&env, &[]).expect(
        "node",
        "error",
        "nothing listens there",
        "start metad there",
    );
    examine(&env, &["-node", "no..such.name:80"]).expect(
        "node",
        "error",
        "no..such.name:80: ",
        "/etc/hosts",
    );
    let recording = ["-file", "$ROOT/none.json"];
    examine(&env, &recording).expect("node", "error", "none.json", "confd -dump");
}

#[test]
fn a_wrong_prefix_differs_from_a_node_without_metadata() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    examine(&env, &["-prefix", "/slef"]).expect(
        "node",
        "error",
        "nothing below the prefix /slef, but there is below /self",
        "correct prefix",
    );
    examine(&env, &["-prefix", "/self/k"]).expect(
        "node",
        "error",
        "below the prefix /self/k",
        "correct prefix",
    );
    let metad = Metad::unregistered();
    let env = Env::with_metad(&metad);
    for prefix in ["/self", "/slef"] {
        examine(&env, &["-prefix", prefix]).expect(
            "node",
            "error",
            "status 404",
            "has registered a new node",
        );
    }
}

#[test]
fn nodes_that_hang_are_tried_side_by_side() {
    let mut env = recorded();
    // The system accepts connections to a listener that nobody serves.
    let listeners = [(); 8].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    let nodes = listeners.each_ref().map(|listener| {
        let address = listener.local_addr().expect("the address just bound");
        format!("\"{address}\"")
    });
    env.settings(&format!("nodes = [{}]", nodes.join(", ")));
    let start = Instant::now();
    let examined = examine(&env, &["-backend", "metad"]);
    let elapsed = start.elapsed();
    assert!(
        elapsed < Duration::from_secs(12),
        "{elapsed:?} for 8 times 2 s"
    );
    let silent = examined
        .findings
        .iter()
        .filter(|found| found[2].contains("no answer within 2s"));
    assert_eq!(silent.count(), 8, "{:#?}", examined.findings);
    examined.run.expect_log("confd: still checking ...");
}

#[test]
fn a_clock_that_differs_from_the_servers_is_reported_once() {
    let metad = Metad::start(json!({"k": "v"}));
    let answer =
        Answer::new(200, "application/json", "{\"k\":\"v\"}").header("X-Metad-Version", "7");
    let mut env = Env::with_metad(&metad);
    for (date, words) in [
        ("Sun, 06 Nov 1994 08:49:37 GMT", " days ahead of that of "),
        ("Sun, 06 Nov 2094 08:49:37 GMT", " days behind that of "),
    ] {
        metad.fail(Fault::Answer(answer.clone().header("Date", date)));
        examine(&env, &[]).expect("clock", "warning", words, "ntpd");
    }
    let other = Metad::start(json!({"k": "v"}));
    other.fail(Fault::Answer(
        answer.header("Date", "Sun, 06 Nov 2094 08:49:37 GMT"),
    ));
    env.settings(&format!("# {}", other.node()));
    let examined = examine(&env, &["-node", &metad.node(), "-node", &other.node()]);
    let clocks = examined
        .findings
        .iter()
        .filter(|found| found[0] == "clock" && found[1] != "ok");
    assert_eq!(clocks.count(), 1, "{:#?}", examined.findings);
}

#[test]
fn a_file_from_the_future_is_reported() {
    let env = recorded();
    let file = File::options()
        .append(true)
        .open(env.path("etc/conf.d/app.toml"));
    let later = SystemTime::now() + Duration::from_secs(50 * 3600);
    file.expect("the file")
        .set_modified(later)
        .expect("its time");
    examine(&env, &[]).expect(
        "clock",
        "warning",
        "app.toml was written 2 days later",
        "set it",
    );
}

#[test]
fn settings_and_resources_that_are_broken_point_at_lint() {
    let mut env = recorded();
    env.settings("intervall = 5");
    examine(&env, &[]).expect(
        "settings",
        "warning",
        "did you mean \"interval\"?",
        "correct the key",
    );
    env.template("app.tmpl", "{{gtev 1}}");
    let words = "1 error, 2 warnings in 2 files; the first:\netc/templates/app.tmpl:1:3: E302 ";
    examine(&env, &[]).expect("resources", "error", words, "confd -lint");
    env.settings("interval = 0");
    examine(&env, &[]).expect("settings", "error", "interval must be 1 to", "confd -lint");
    env.run(&["-doctor", "-interval", "0"])
        .expect_code(2)
        .expect_log("-interval must be");
    let missing = [
        "-doctor",
        "-format",
        "json",
        "-config-file",
        "$ROOT/none.toml",
    ];
    read(env.run(&missing)).expect("settings", "error", "none.toml", "");
    let without = ["-doctor", "-format", "json", "-confdir", "$ROOT/etc"];
    if !fs::exists("/etc/confd/confd.toml").expect("the answer") {
        read(env.run(&without)).expect(
            "settings",
            "warning",
            "there is no confd.toml",
            "the platform",
        );
    }
    let empty = ["-doctor", "-format", "json", "-confdir", "$ROOT/out"];
    read(env.run(&empty)).expect("resources", "error", "there is no conf.d in it", "");
}

#[test]
fn a_proxy_that_others_use_is_reported() {
    let metad = Metad::start(json!({"k": "v"}));
    let mut env = Env::with_metad(&metad);
    env.var("http_proxy", "http://127.0.0.1:1");
    let examined = examine(&env, &[]);
    examined.expect(
        "proxy",
        "warning",
        "http_proxy is set; confd ignores it",
        "--noproxy",
    );
    examined.expect("node", "ok", &metad.node(), "");
}

#[test]
fn a_directory_that_cannot_be_written_is_explained() {
    const TEST: &str = "a_directory_that_cannot_be_written_is_explained";
    let env = recorded();
    let json = [DOCTOR, &["-format", "json"]].concat();
    let mounts = "mount -t tmpfs none $ROOT/out; mount -o remount,ro $ROOT/out";
    if let Some(run) = env.run_with_mounts(TEST, mounts, &json) {
        let words = env.expand("cannot make files in $ROOT/out: Read-only file system");
        read(run).expect("dest", "error", &words, "mount its file system read-write");
    }
    let mounts = "mount -t tmpfs none $ROOT/etc/conf.d; mount --bind $ROOT/etc $ROOT/etc; \
                  mount -o remount,bind,ro $ROOT/etc";
    if let Some(run) = env.run_with_mounts(TEST, mounts, &json) {
        let words = env.expand("cannot make files in $ROOT/etc: Read-only file system");
        read(run).expect(
            "dest",
            "warning",
            &words,
            "mount its file system read-write",
        );
    }
    fs::create_dir(env.path("out/app")).expect("a directory");
    examine(&env, &[]).expect(
        "dest",
        "error",
        "is a directory, not a file",
        "correct dest in ",
    );
}

#[test]
fn a_user_other_than_root_learns_what_cannot_be_seen() {
    const NOBODY: u32 = 65_534;
    let env = recorded();
    let own = fs::metadata(env.path("out")).expect("a directory");
    if std::os::unix::fs::MetadataExt::uid(&own) != 0 {
        fs::set_permissions(env.path("out"), Permissions::from_mode(0o555)).expect("its mode");
        let examined = examine(&env, &[]);
        examined.expect("user", "unknown", "cannot see everything", "as root");
        examined.expect(
            "dest",
            "error",
            "Permission denied",
            "a user who may do that",
        );
        return;
    }
    let as_nobody = || {
        let mut command = env.command(&[DOCTOR, &["-format", "json"]].concat());
        command.uid(NOBODY).gid(NOBODY);
        command
    };
    if as_nobody().output().is_err() {
        eprintln!(
            "SKIPPED who_is_not_root_…: others may not come to {}",
            env.expand("$ROOT")
        );
        return;
    }
    let examined = read(env.finish(as_nobody()));
    examined.expect(
        "user",
        "unknown",
        "user 65534, who cannot see everything",
        "as root",
    );
    examined.expect(
        "dest",
        "error",
        "/out: Permission denied",
        "a user who may do that",
    );
    let daemon = env.daemon(&["-interval", "600"]);
    wait_report(&env);
    let examined = read(env.finish(as_nobody()));
    let words = format!("cannot find the log of pid {}", daemon.pid());
    examined.expect("log", "unknown", &words, "as root");
    examined.expect(
        "dest",
        "unknown",
        "/out: Permission denied",
        "a user who may do that",
    );
    examined.expect(
        "agent",
        "ok",
        &format!("pid {} is the only daemon", daemon.pid()),
        "",
    );
    examined.run.expect_code(0);
}

#[test]
fn a_full_disk_is_reported_by_bytes_and_inodes() {
    const TEST: &str = "a_full_disk_is_reported_by_bytes_and_inodes";
    let env = recorded();
    let json = [DOCTOR, &["-format", "json"]].concat();
    let full = "mount -t tmpfs -o size=64k none $ROOT/out; \
                head -c 61440 /dev/zero > $ROOT/out/much";
    let Some(run) = env.run_with_mounts(TEST, full, &json) else {
        return;
    };
    let words = env.expand("only 4 KB free, 16 KB needed, where $ROOT/out is");
    read(run).expect("disk", "error", &words, "free some space");
    let many = "mount -t tmpfs -o nr_inodes=2 none $ROOT/out; : > $ROOT/out/one";
    let run = env.run_with_mounts(TEST, many, &json).expect("as before");
    read(run).expect("disk", "error", "no more than 0 files can be made", "df -i");
    let little = "mount -t tmpfs -o size=1m none $ROOT/out";
    let run = env.run_with_mounts(TEST, little, &json).expect("as before");
    read(run).expect("disk", "warning", "1 MB free where", "free some space");
}

#[test]
fn a_lock_that_is_held_is_reported_with_its_holder() {
    let env = recorded();
    env.put("etc/.confd.lock", "");
    let confdir = File::open(env.path("etc/.confd.lock")).expect("the file");
    confdir.lock().expect("the lock");
    let words = format!("pid {} (", std::process::id());
    examine(&env, &[]).expect("lock", "error", &words, "kill PID");
    drop(confdir);
    examine(&env, &[]).expect("lock", "ok", "free", "");

    // As a confd whose work on its files takes long, such as on a file system that does not answer.
    if has_flock("a_lock_that_somebody_holds_is_told_with_the_holder") {
        let hold = "cp \"$(command -v flock)\" $ROOT/confd && exec $ROOT/confd -x $ROOT/etc/.confd.lock -c 'echo held; exec cat'";
        let holder = Holder::start(env.command_of("/bin/sh", &["-c", hold])).expect("it is held");
        let words = format!("pid {} (confd) holds the lock", holder.pid());
        examine(&env, &[]).expect("lock", "warning", &words, "run confd -status");
    }

    // A confd in the middle of an apply holds it for the first seconds of its checks.
    let gate = env.gate("check");
    env.simple_with(
        "app",
        "x",
        &format!("check_cmd = \"\"\"{}\"\"\"", gate.command()),
    );
    let daemon = env.daemon(&["-interval", "600"]);
    gate.wait_started(1);
    daemon.signal("STOP");
    let words = format!("pid {} (confd) holds the lock", daemon.pid());
    let examined = examine(&env, &[]);
    examined.expect("lock", "error", &words, "kill ");
    examined.expect("agent", "error", "is stopped", "kill -CONT PID");
}

#[test]
fn a_log_deleted_under_the_daemon_is_reported() {
    let env = recorded();
    let daemon = env.daemon(&["-interval", "600"]);
    env.wait_content("out/app", "v");
    let log = daemon_log(&env);
    fs::rename(env.path(&log), env.path("rotated")).expect("renamed");
    examine(&env, &[]).expect("log", "ok", "/rotated", "");
    fs::hard_link(env.path("rotated"), env.path(&log)).expect("for the daemon's own log");
    fs::remove_file(env.path("rotated")).expect("removed");
    let words = format!(
        "pid {} writes to {}",
        daemon.pid(),
        env.expand("$ROOT/rotated")
    );
    examine(&env, &[]).expect("log", "error", &words, "service confd restart");
}

#[test]
fn a_second_daemon_is_reported() {
    let env = recorded();
    let first = env.daemon(&["-interval", "600"]);
    let second = env.daemon(&["-interval", "600"]);
    let one_time = env.onetime();
    one_time.expect_code(0);
    let mut pids = [first.pid(), second.pid()];
    pids.sort_unstable();
    let words = env.expand(&format!(
        "several daemons apply $ROOT/etc: pids {}, {}",
        pids[0], pids[1]
    ));
    until("both have read their settings", || {
        examine(&env, &[])
            .findings
            .iter()
            .any(|found| found[0] == "agent" && found[2].starts_with(&words))
    });
    examine(&env, &[]).expect("agent", "error", &words, "kill PID");
    drop(second);
    let other = recorded();
    let _elsewhere = other.daemon(&["-interval", "600"]);
    let words = format!("pid {} is the only daemon", first.pid());
    examine(&env, &[]).expect("agent", "ok", &words, "");
}

/// A copy of the program. Made by another process: a command that another test starts meanwhile
/// would inherit the file while it is written to, and the system starts no such program.
fn copy_program(env: &Env, to: &str) {
    let to = format!("$ROOT/{to}");
    env.finish(env.command_of("cp", &[confd(), &to]))
        .expect_code(0);
}

#[test]
fn another_program_of_that_name_is_reported() {
    if !fs::read(confd())
        .expect("the program")
        .starts_with(b"\x7fELF")
    {
        eprintln!(
            "SKIPPED another_program_of_that_name: a script starts the program, and its copy the same one"
        );
        return;
    }
    let metad = Metad::start(json!({"k": "v"}));
    let mut env = Env::with_metad(&metad);
    env.put("metadata.json", "{\"k\": \"v\"}");
    env.simple("app", r#"{{getv "/k"}}"#);
    fs::create_dir(env.path("bin")).expect("a directory");
    let copy = env.path("bin/confd");
    copy_program(&env, "bin/confd");
    let settings = ["-config-file", "$ROOT/etc/confd.toml", "-watch"];
    let program = copy.to_string_lossy();
    // With -noop it does not show that it is running; the original never does.
    let daemon = env.start(env.command_of(&program, &[&settings[..], &["-noop"]].concat()));
    metad.wait_requests(1);
    let recording = ["-file", "$ROOT/metadata.json"];
    let words = format!(
        "pid {} runs {program}, perhaps the original confd",
        daemon.pid()
    );
    examine(&env, &recording).expect("agent", "error", &words, "kill PID");
    assert_eq!(daemon.stop(), Some(0));
    let daemon = env.start(env.command_of(&program, &settings));
    env.wait_content("out/app", "v");
    wait_report(&env);
    let words = format!("pid {} runs {program}, not this ", daemon.pid());
    examine(&env, &recording).expect("agent", "warning", &words, "service confd restart");
    fs::rename(&copy, env.path("bin/old")).expect("renamed");
    fs::remove_file(env.path("bin/old")).expect("removed");
    let words = format!("pid {} runs ", daemon.pid());
    examine(&env, &recording).expect("agent", "warning", &words, "service confd restart");

    copy_program(&env, "bin/confd");
    let path = format!("$ROOT/bin:{}", std::env::var("PATH").expect("a path"));
    env.var("PATH", &path);
    let words = format!("typing confd starts {program}, not this ");
    examine(&env, &recording).expect("agent", "warning", &words, "the whole path");
}

#[test]
fn a_daemon_that_does_not_run_is_explained() {
    let env = recorded();
    examine(&env, &[]).expect(
        "daemon",
        "warning",
        "no confd has run",
        "service confd start",
    );
    env.onetime().expect_code(0);
    examine(&env, &[]).expect(
        "daemon",
        "warning",
        "the last run was -onetime",
        "service confd start",
    );
    let mut daemon = env.daemon(&["-interval", "600"]);
    wait_report(&env);
    daemon.kill();
    examine(&env, &[]).expect("daemon", "error", "killed or crashed", "confd -status");
    env.put("etc/status.json", "{");
    examine(&env, &[]).expect("daemon", "error", "is corrupt", "");
    env.template("app.tmpl", r#"{{getv "/missing"}}"#);
    env.onetime().expect_code(1);
    examine(&env, &[]).expect("daemon", "error", "1 resource has failed", "confd -status");
}

#[test]
fn the_leftovers_of_killed_runs_are_reported() {
    let env = recorded();
    env.put("out/.app.confd-abcdefghij", "half a fi");
    let words = env.expand("1 staged file of killed runs, the first in $ROOT/out");
    examine(&env, &[]).expect("leftovers", "warning", &words, "what kills confd");
    assert_eq!(env.names("out"), [".app.confd-abcdefghij"]);
    assert_eq!(env.names("etc"), ["conf.d", "confd.toml", "templates"]);
    assert_eq!(env.names("etc/conf.d"), ["app.toml"]);
    env.onetime().expect_code(0);
    let examined = examine(&env, &[]);
    assert!(
        examined
            .findings
            .iter()
            .all(|found| found[0] != "leftovers")
    );
}

#[test]
fn every_tool_colours_a_terminal_and_nothing_with_no_color() {
    let mut env = Env::with_tree(&json!({"k": "new"}));
    env.simple("app", "{{getv \"/k\"}}{{datetime}}");
    env.onetime().expect_code(0);
    env.put("out/app", "old");
    if env.command_of("script", &["-V"]).output().is_err() {
        eprintln!("SKIPPED every_tool_colours_a_terminal_…: no script(1)");
        return;
    }
    let on_terminal = |env: &Env, tool: &str| {
        let confd = confd();
        let line = format!("{confd} -config-file etc/confd.toml {tool}");
        env.finish(env.command_of("script", &["-qec", &line, "/dev/null"]))
            .stdout
    };
    let tools = ["-diff", "-lint", "-doctor", "-status -onetime"];
    for tool in tools {
        let shown = on_terminal(&env, tool);
        assert!(shown.contains("\u{1b}[3"), "{tool}: {shown}");
    }
    env.var("NO_COLOR", "1");
    for tool in tools {
        let shown = on_terminal(&env, tool);
        assert!(
            !shown.contains('\u{1b}') && !shown.is_empty(),
            "{tool}: {shown}"
        );
    }
}

#[test]
fn the_staged_file_of_a_running_check_is_no_leftover() {
    let env = Env::with_tree(&json!({"k": "v"}));
    let gate = env.gate("check");
    let check = format!("check_cmd = \"\"\"{}\"\"\"", gate.command());
    env.simple_with("app", r#"{{getv "/k"}}"#, &check);
    let daemon = env.daemon(&["-log-level", "debug"]);
    gate.wait_started(1);
    let staged = || {
        let names = env.names("out").into_iter();
        names.filter(|name| name.starts_with(".app.confd-")).count()
    };
    // The daemon goes on after a while; the file of the check stays.
    until("the lock is free", || {
        let examined = examine(&env, &[]);
        assert!(
            examined
                .findings
                .iter()
                .all(|found| found[0] != "leftovers")
        );
        examined
            .findings
            .iter()
            .any(|found| found[0] == "lock" && found[1] == "ok")
    });
    assert_eq!(staged(), 1);
    let examined = examine(&env, &[]);
    assert!(
        examined
            .findings
            .iter()
            .all(|found| found[0] != "leftovers")
    );
    gate.open();
    env.wait_content("out/app", "v");
    // Killed, it might leave a staged status file.
    daemon.stop();
    env.put("out/.app.confd-abcdefghij", "");
    examine(&env, &[]).expect("leftovers", "warning", "1 staged file of", "kills confd");
}

#[test]
fn a_broken_confd_toml_does_not_blame_the_default_node() {
    let env = recorded();
    env.put("etc/confd.toml", "nodes = [\"10.0.0.1:80\"\n");
    let examined = examine(&env, &[]);
    examined.expect("settings", "error", "confd.toml", "correct it");
    examined.expect("node", "unknown", "cannot be used", "-node");
    assert!(
        examined
            .findings
            .iter()
            .all(|found| !found[2].contains("127.0.0.1")),
        "{:#?}",
        examined.findings
    );
    examine(&env, &["-node", "127.0.0.1:9"]).expect("node", "error", "127.0.0.1:9", "");
}

#[test]
fn a_file_system_that_counts_no_blocks_is_not_full() {
    const TEST: &str = "a_file_system_that_counts_no_blocks_is_not_full";
    let env = recorded();
    let json = [DOCTOR, &["-format", "json"]].concat();
    let mounts = "mount -t proc none $ROOT/out";
    if let Some(run) = env.run_with_mounts(TEST, mounts, &json) {
        read(run).expect("disk", "ok", " free", "");
    }
}

/// Sets an attribute until its value ends; `None`, said aloud, where that is not possible.
struct Attribute(std::path::PathBuf);

impl Attribute {
    fn set(test: &str, letter: &str, path: std::path::PathBuf) -> Option<Attribute> {
        let mut chattr = std::process::Command::new("chattr");
        let set = chattr.arg(format!("+{letter}")).arg(&path).status();
        if !set.is_ok_and(|status| status.success()) {
            eprintln!("SKIPPED {test}: no chattr +{letter} here");
            return None;
        }
        Some(Attribute(path))
    }
}

impl Drop for Attribute {
    fn drop(&mut self) {
        let mut chattr = std::process::Command::new("chattr");
        let done = chattr.arg("-ia").arg(&self.0).status();
        assert!(done.expect("chattr").success());
    }
}

#[test]
fn immutable_files_and_append_only_directories_are_explained() {
    const TEST: &str = "immutable_files_and_append_only_directories_are_explained";
    let env = recorded();
    env.put("out/app", "old");
    for (letter, path, kind) in [
        ("i", "out/app", "immutable"),
        ("i", "out", "immutable"),
        ("a", "out", "append-only"),
    ] {
        let Some(attribute) = Attribute::set(TEST, letter, env.path(path)) else {
            return;
        };
        let path = env.path(path).display().to_string();
        let (words, cure) = (
            format!("{path} is {kind}"),
            format!("chattr -{letter} {path}"),
        );
        let examined = examine(&env, &[]);
        examined.expect("dest", "error", &words, &cure);
        let dest = examined.findings.iter().filter(|found| found[0] == "dest");
        assert_eq!(dest.count(), 1, "{:#?}", examined.findings);
        if letter == "i" {
            env.onetime()
                .expect_code(1)
                .expect_log(&format!("run {cure}"));
        }
        drop(attribute);
    }
}
