//! kill -9 and failures to start at every system call from the fetch to the end of the reload: once
//! restarted, each swapped file's reload has been started at least once, and no id of exec.sh
//! twice.

use std::fs;
use std::os::unix::process::ExitStatusExt;

use serde_json::{Value as Json, json};

use super::calls::{Call, calls, calls_since, can_trace, injection, traced};
use super::{SIDE_BY_SIDE, for_each, sample};
use crate::env::{Env, Run, copy_program, until};
use crate::images;
use crate::metad::Metad;

/// Commands are not traced: what is injected hits confd, and what becomes a command until it does.
pub(crate) const NO_COMMANDS: [&str; 2] = ["-b", "execve"];
/// The calls that a start makes, and their errors where processes, memory or descriptors are short.
const STARTS: [&str; 7] = ["clone", "clone3", "fork", "vfork", "pipe", "pipe2", "dup2"];
const SHORTAGES: [&str; 3] = ["EAGAIN", "ENOMEM", "EMFILE"];

/// Files of version 1 in place, and reloads that note with which content they were started.
struct Node {
    env: Env,
}

fn tree(env: &Env, version: &str) -> Json {
    let command = env.expand(&format!("echo {version} >> $ROOT/ran"));
    json!({"k": version, "cmd": {"id": format!("c-{version}"), "cmd": command}})
}

impl Node {
    /// The node, and its metadata of this version.
    fn new(version: &str) -> (Node, Metad) {
        let mut env = Env::new();
        let metad = Metad::start(tree(&env, version));
        env.ask(&metad);
        env.var("CONFD_ONETIME_WAIT", "10s");
        let note = |name: &str, files: &[&str]| {
            let shown = files.iter().map(|file| format!("`cat $ROOT/out/{file}`"));
            let shown = shown.collect::<Vec<_>>().join(" ");
            format!("reload_cmd = \"echo {name} {shown} >> $ROOT/seen\"")
        };
        let own = note("own", &["10-own"]);
        let shared = note("shared", &["20-shared", "30-shared"]);
        let retried = format!("reload_retry = true\n{}", note("retried", &["50-retried"]));
        for (name, lines) in [
            ("10-own", &own),
            ("20-shared", &shared),
            ("30-shared", &shared),
            ("50-retried", &retried),
        ] {
            env.simple_with(name, r#"{{getv "/k"}}"#, lines);
            env.put(&format!("out/{name}"), "1");
        }
        for folder in ["agent/bin", "agent/log"] {
            fs::create_dir_all(env.path(folder)).expect("a folder of the agent");
        }
        copy_program(images::source("exec.sh"), env.path("agent/bin/exec.sh"));
        env.template("cmd.tmpl", r#"{{getv "/cmd/id"}}:{{getv "/cmd/cmd"}}"#);
        env.resource(
            "40-cmd.toml",
            "[template]\nsrc = \"cmd.tmpl\"\ndest = \"$ROOT/agent/log/cmd.info\"\nkeys = [\"/cmd\"]\n\
             reload_cmd = \"$ROOT/agent/bin/exec.sh\"\n",
        );
        let info = tree(&env, "1");
        let info = info["cmd"]["cmd"].as_str().expect("a command");
        env.put("agent/log/cmd.info", &format!("c-1:{info}"));
        (Node { env }, metad)
    }

    /// Returns true if every file is new and every reload has been started with it.
    fn is_done(&self) -> bool {
        let seen = self.env.lines("seen");
        ["own 2", "shared 2 2", "retried 2"]
            .iter()
            .all(|line| seen.iter().any(|found| found == line))
            && !self.env.lines("ran").is_empty()
    }

    /// The next run: everything is done after it, and nothing is done twice that must not be.
    fn expect_done(&self, context: &str) {
        let run = self.env.onetime();
        let context = format!("{context}\nthe next run: {}", run.stderr);
        assert_eq!(run.code(), Some(0), "{context}");
        let seen = self.env.lines("seen");
        // exec.sh of the run before may still be at work.
        until(
            &format!("all reloads have started: {seen:?}: {context}"),
            || self.is_done(),
        );
        assert_eq!(self.env.lines("ran"), ["2"], "once: {context}");
        // Nothing is left to do.
        self.env.onetime().expect_code(0);
        assert_eq!(self.env.lines("ran"), ["2"], "once: {context}");
    }

    fn injected(&self, call: &Call, what: &str) -> Run {
        let [trace, inject] = injection(call, what);
        let options = ["-o", "/dev/null", "-e", &trace, "-e", &inject];
        let options = [&NO_COMMANDS[..], &options].concat();
        self.env.finish(traced(&self.env, &options, &["-onetime"]))
    }
}

/// The system calls of a good one-time run.
fn calls_of_a_run() -> Vec<Call> {
    let (node, _metad) = Node::new("2");
    let options = [&NO_COMMANDS[..], &["-o", "$ROOT/trace"]].concat();
    let run = node.env.finish(traced(&node.env, &options, &["-onetime"]));
    run.expect_code(0);
    node.expect_done("a good run");
    calls(&node.env.lines("trace"))
}

#[test]
fn a_kill_at_any_system_call_of_a_one_time_run_loses_no_reload() {
    if !can_trace("a_kill_at_any_system_call_of_a_one_time_run_loses_no_reload") {
        return;
    }
    let killed = for_each(SIDE_BY_SIDE, sample(calls_of_a_run()), |call: Call| {
        let (node, _metad) = Node::new("2");
        let run = node.injected(&call, "signal=KILL");
        let died = run.status.signal() == Some(9);
        if !died && run.code() != Some(0) {
            // It hit a process on its way to become a command, which was started and reported.
            return false;
        }
        node.expect_done(&format!("killed at {call:?}\n{}", run.stderr));
        died
    });
    let count = killed.iter().filter(|died| **died).count();
    println!("one-time run: killed at {count} system calls, each reload started by the next run");
}

#[test]
fn a_reload_that_could_not_be_started_without_resources_is_started_by_the_next_run() {
    if !can_trace("a_reload_that_could_not_be_started_without_resources") {
        return;
    }
    let starts = calls_of_a_run();
    let starts = starts
        .into_iter()
        .filter(|call| STARTS.contains(&call.name.as_str()));
    let cases = starts.flat_map(|call| SHORTAGES.map(|error| (call.clone(), error)));
    let cases: Vec<_> = cases.collect();
    assert!(!cases.is_empty());
    let done = for_each(SIDE_BY_SIDE, sample(cases), |(call, error)| {
        let (node, _metad) = Node::new("2");
        let run = node.injected(&call, &format!("error={error}"));
        node.expect_done(&format!("{error} in {call:?}\n{}", run.stderr));
    });
    println!("one-time run: {} failures to start anything", done.len());
}

/// The system calls that a change costs the daemon.
fn calls_of_a_change() -> Vec<Call> {
    let (node, metad) = Node::new("1");
    let options = [&NO_COMMANDS[..], &["-D", "-o", "$ROOT/trace"]].concat();
    let daemon = node.env.start(traced(&node.env, &options, &["-watch"]));
    metad.wait_idle();
    daemon.wait_log("Starting confd");
    let before = node.env.lines("trace");
    metad.set(tree(&node.env, "2"));
    until("the change is over", || node.is_done());
    metad.wait_idle();
    let after = node.env.lines("trace");
    drop(daemon);
    calls_since(&before, &after)
}

#[test]
fn a_kill_at_any_system_call_of_the_daemons_apply_loses_no_reload() {
    if !can_trace("a_kill_at_any_system_call_of_the_daemons_apply_loses_no_reload") {
        return;
    }
    let killed = for_each(SIDE_BY_SIDE, sample(calls_of_a_change()), |call: Call| {
        let (node, metad) = Node::new("1");
        let [trace, inject] = injection(&call, "signal=KILL");
        let options = ["-D", "-o", "/dev/null", "-e", &trace, "-e", &inject];
        let options = [&NO_COMMANDS[..], &options].concat();
        let mut daemon = node.env.start(traced(&node.env, &options, &["-watch"]));
        until("the daemon is idle", || {
            !daemon.is_running() || metad.is_idle()
        });
        metad.set(tree(&node.env, "2"));
        until("the change is over, or the daemon", || {
            !daemon.is_running() || node.is_done() || daemon.count(": ERROR ") > 0
        });
        let died = !daemon.is_running();
        if !died && !node.is_done() {
            // It hit a process on its way to become a command, which was started and reported.
            daemon.kill();
            return false;
        }
        if !died {
            daemon.kill();
        }
        node.expect_done(&format!("killed at {call:?}\n{}", daemon.log()));
        died
    });
    let count = killed.iter().filter(|died| **died).count();
    println!("the daemon: killed at {count} system calls, each reload started by the next run");
}

#[test]
fn a_shortage_of_threads_and_processes_leaks_no_descriptors() {
    if !can_trace("a_shortage_of_threads_and_processes_leaks_no_descriptors") {
        return;
    }
    let metad = Metad::start(json!({"k": "0"}));
    let env = Env::with_metad(&metad);
    for name in ["a", "b", "c"] {
        env.simple_with(
            name,
            r#"{{getv "/k"}}"#,
            "check_cmd = \"true\"\nreload_cmd = \"true\"",
        );
    }
    let inject = "inject=clone,clone3,fork,vfork:error=EAGAIN:when=30+";
    let options = ["-D", "-o", "/dev/null", "-e", inject];
    let options = [&NO_COMMANDS[..], &options].concat();
    let daemon = env.start(traced(&env, &options, &["-watch"]));
    metad.wait_idle();
    let mut version = 0;
    let mut change = || {
        version += 1;
        metad.put("/k", &version.to_string());
        metad.wait_idle();
    };
    until("something could not be started", || {
        change();
        daemon.count(": ERROR ") > 0
    });
    let before = daemon.descriptors();
    (0..40).for_each(|_| change());
    // The last change may still be going on.
    until("there are as few descriptors as before", || {
        daemon.descriptors() <= before + 3
    });
}
