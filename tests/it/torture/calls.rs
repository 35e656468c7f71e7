//! strace as an instrument: which system calls a good run makes, and the same run with one of them
//! made to fail or to kill.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::env::{Env, Run};

/// The `number`th call (from 1) of `name` that one thread makes.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub name: String,
    pub number: usize,
}

/// Whether calls can be traced here; says so when they cannot, and what is left out.
pub(crate) fn can_trace(test: &str) -> bool {
    let traced = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .output();
    let reason = match traced {
        Err(_) => "strace is not installed",
        Ok(output) if !output.status.success() => "this system does not permit ptrace",
        Ok(_) => return true,
    };
    eprintln!("SKIPPED {test}: {reason}");
    false
}

/// strace with these options before confd, which gets its settings and `arguments`.
pub(crate) fn traced(env: &Env, options: &[&str], arguments: &[&str]) -> Command {
    let confd = [
        env!("CARGO_BIN_EXE_confd"),
        "-config-file",
        "$ROOT/etc/confd.toml",
    ];
    let fixed = ["-f", "-qq"];
    env.command_of("strace", &[&fixed, options, &confd, arguments].concat())
}

/// `confd -onetime` with something injected at this call.
pub(crate) fn injected(env: &Env, call: &Call, what: &str) -> Run {
    let [trace, inject] = injection(call, what);
    let options = ["-o", "$ROOT/trace", "-e", &trace, "-e", &inject];
    env.finish(traced(env, &options, &["-onetime"]))
}

/// The options of an injection at this call.
pub(crate) fn injection(call: &Call, what: &str) -> [String; 2] {
    let Call { name, number } = call;
    let trace = format!("trace={name}");
    [trace, format!("inject={name}:{what}:when={number}")]
}

/// Every call in a trace of strace -f, as often as the busiest thread made it: strace counts for
/// each thread by itself. What commands do after their start is theirs.
pub(crate) fn calls(trace: &[String]) -> Vec<Call> {
    counts(trace)
        .into_iter()
        .flat_map(|(name, count)| (1..=count).map(move |number| (name.clone(), number)))
        .map(|(name, number)| Call { name, number })
        .collect()
}

/// The calls that `trace` has beyond `before`, which is its beginning.
pub(crate) fn calls_since(before: &[String], trace: &[String]) -> Vec<Call> {
    let before = counts(before);
    let mut calls = calls(trace);
    calls.retain(|call| call.number > before.get(&call.name).copied().unwrap_or(0));
    calls
}

fn counts(trace: &[String]) -> BTreeMap<String, usize> {
    let (mut threads, mut commands) = (BTreeMap::new(), BTreeSet::new());
    for line in trace {
        let Some((thread, name)) = begun(line) else {
            continue;
        };
        if name == "execve" && !threads.is_empty() {
            commands.insert(thread);
        }
        if !commands.contains(thread) {
            *threads.entry((thread, name)).or_insert(0) += 1;
        }
    }
    let mut most = BTreeMap::new();
    for ((_, name), count) in threads {
        let known = most.entry(name.to_owned()).or_insert(0);
        *known = count.max(*known);
    }
    // With it strace counts its own start.
    most.remove("execve");
    most
}

/// The thread and the name of a call that begins in this line: `4711  openat(…`.
fn begun(line: &str) -> Option<(&str, &str)> {
    let (thread, rest) = line.split_once(' ')?;
    let (name, _) = rest.trim_start().split_once('(')?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (!name.is_empty() && name.bytes().all(is_name)).then_some((thread, name))
}
