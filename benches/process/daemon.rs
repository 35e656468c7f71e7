//! The daemon: from a change to the file on disk, and what it costs while nothing happens.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::env::{self, Daemon, Env};
use crate::limits;
use crate::metad::Metad;
use crate::programs::Program;
use crate::sample::{Entry, entry, in_turns};
use crate::{RESOURCES, environments, name_of, tree};

/// How long the idle daemons are watched.
const IDLE: Duration = Duration::from_secs(60);
/// The pause between two looks for a change. Without one, looking would take one of the cores.
pub(crate) const LOOK: Duration = Duration::from_micros(50);
/// After this time an agent that had something to do is idle.
pub(crate) const SETTLED: Duration = Duration::from_secs(5);

/// A daemon at its place, with everything in sync and a poll open.
fn start(program: &Program, metad: &Metad, env: &Env) -> Daemon {
    let daemon = program.watch(env);
    for number in 0..RESOURCES {
        wait_value(env, number, "0");
    }
    metad.wait_idle();
    daemon
}

fn has_value(env: &Env, number: usize, value: &str) -> bool {
    let wanted = format!("value={value}\n");
    let path = env.path("out").join(name_of(number));
    fs::read(path).is_ok_and(|bytes| bytes.starts_with(wanted.as_bytes()))
}

fn wait_value(env: &Env, number: usize, value: &str) {
    env::until("every file is right", || has_value(env, number, value));
}

/// Changes one value, and waits until the first of the files has it, then until all have.
fn change(metad: &Metad, env: &Env, value: &str) -> Duration {
    let time = change_value(metad, env, value);
    metad.wait_idle();
    time
}

/// [`change`] without waiting for the next poll.
fn change_value(metad: &Metad, env: &Env, value: &str) -> Duration {
    let start = metad.put("/env/value", value);
    while !has_value(env, 0, value) {
        thread::sleep(LOOK);
    }
    let time = start.elapsed();
    for number in 1..RESOURCES {
        wait_value(env, number, value);
    }
    time
}

/// One value changes, and all files with it.
pub(crate) fn change_to_file(programs: &[Program]) {
    const CHANGES: usize = 300;
    println!("daemon: a change to the first of {RESOURCES} files on disk; {CHANGES} changes");
    let places = environments(programs, 3, RESOURCES);
    let pairs = || programs.iter().zip(&places);
    let _daemons: Vec<Daemon> = pairs()
        .map(|(program, (metad, env))| start(program, metad, env))
        .collect();
    let requests = |metad: &Metad| metad.request_count();
    let before: Vec<usize> = places.iter().map(|(metad, _)| requests(metad)).collect();
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for (program, (metad, env)) in pairs() {
        let measure = move |turn: usize| change(metad, env, &format!("{}", turn + 1));
        entries.push((program.name.clone(), Box::new(measure)));
    }
    let (_, env) = &places[0];
    entries.push(entry("limit: only syncing and renaming as many", || {
        limits::swap_files(env, RESOURCES);
    }));
    in_turns(CHANGES, &mut entries);
    for ((program, (metad, _)), before) in pairs().zip(before) {
        let each = (requests(metad) - before) as f64 / CHANGES as f64;
        let open = metad.open_connections();
        println!(
            "  {:<46} {each:.2} requests a change, {open} open connections",
            program.name
        );
    }
}

/// One value changes while other clusters change theirs: the service answers polls at once, and the
/// tree is the same.
pub(crate) fn change_beside_foreign_ones(programs: &[Program]) {
    const CHANGES: usize = 100;
    println!("daemon: the same beside changes of other clusters; {CHANGES} changes each");
    for (a_second, wakes) in [(1, false), (10, false), (100, false), (100, true)] {
        let held = if wakes {
            "end held polls"
        } else {
            "leave held polls"
        };
        println!("  {a_second} a second, which {held}");
        for program in programs {
            let (metad, env) = environments(&programs[..1], 3, RESOURCES).remove(0);
            let _daemon = start(program, &metad, &env);
            let measure = |turn: usize| {
                // Another moment of the poller's life each time.
                thread::sleep(Duration::from_millis(37 * (turn as u64 % 13)));
                change_value(&metad, &env, &format!("{}", turn + 1))
            };
            let (before, started) = (metad.extra_requests(), Instant::now());
            let foreign = metad.change_elsewhere_often(a_second, wakes);
            in_turns(CHANGES, &mut [(program.name.clone(), Box::new(measure))]);
            let extra = metad.extra_requests().saturating_sub(before) as f64;
            println!(
                "  {:<46} {:.2} requests a second besides answered polls",
                "",
                extra / started.elapsed().as_secs_f64()
            );
            drop(foreign);
        }
    }
}

/// Nothing happens, after one change.
pub(crate) fn idle(programs: &[Program]) {
    println!(
        "idle daemon: {RESOURCES} resources, watched for {} s",
        IDLE.as_secs()
    );
    let places = environments(programs, 3, RESOURCES);
    let pairs = || programs.iter().zip(&places);
    let daemons: Vec<Daemon> = pairs()
        .map(|(program, (metad, env))| start(program, metad, env))
        .collect();
    for (metad, env) in &places {
        change(metad, env, "1");
    }
    let count = || -> Vec<(usize, usize)> {
        let both = places.iter().zip(&daemons);
        both.map(|((metad, _), daemon)| (metad.request_count(), switches(daemon)))
            .collect()
    };
    // Files this young are read once more.
    thread::sleep(SETTLED);
    let before = count();
    thread::sleep(IDLE);
    let minutes = IDLE.as_secs_f64() / 60.0;
    for ((program, daemon), (after, before)) in programs
        .iter()
        .zip(&daemons)
        .zip(count().iter().zip(&before))
    {
        let a_minute = |after: usize, before: usize| (after - before) as f64 / minutes;
        println!(
            "  {:<46} {:.1} wake-ups and {:.1} requests a minute",
            program.name,
            a_minute(after.1, before.1),
            a_minute(after.0, before.0)
        );
        let [all, own, threads] =
            ["VmRSS:", "RssAnon:", "Threads:"].map(|name| status(daemon, name));
        let descriptors = fs::read_dir(format!("/proc/{}/fd", daemon.pid()))
            .expect("proc")
            .count();
        println!(
            "  {:<46} {all} KiB resident ({own} its own), {threads} threads, {descriptors} descriptors",
            ""
        );
    }
}

/// The memory of an idle daemon, against the size of the metadata.
pub(crate) fn idle_memory(programs: &[Program]) {
    for (hosts, resources) in [(3, RESOURCES), (10_000, 1), (10_000, RESOURCES)] {
        let json = tree(hosts, "0").to_string().len();
        println!("idle daemon: {resources} resources, {hosts} hosts ({json} bytes of JSON)");
        for (program, (metad, env)) in programs
            .iter()
            .zip(environments(programs, hosts, resources))
        {
            let daemon = program.watch(&env);
            for number in 0..resources {
                wait_value(&env, number, "0");
            }
            metad.wait_idle();
            metad.put("/env/value", "1");
            for number in 0..resources {
                wait_value(&env, number, "1");
            }
            metad.wait_idle();
            // The files are right before the agent is at rest.
            thread::sleep(SETTLED);
            let [all, own] = ["VmRSS:", "RssAnon:"].map(|name| status(&daemon, name));
            let times = (all << 10) as f64 / json as f64;
            println!(
                "  {:<46} {all} KiB resident ({own} its own), {times:.2} times the JSON",
                program.name
            );
        }
    }
}

/// How often the daemon's threads gave up the processor because they waited.
fn switches(daemon: &Daemon) -> usize {
    let tasks = fs::read_dir(format!("/proc/{}/task", daemon.pid())).expect("proc");
    let counts = tasks.flatten().map(|task| {
        let text = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        field(&text, "voluntary_ctxt_switches:")
    });
    counts.sum()
}

fn status(daemon: &Daemon, name: &str) -> usize {
    let text = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("proc");
    field(&text, name)
}

fn field(text: &str, name: &str) -> usize {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let word = line.and_then(|line| line.split_whitespace().next());
    word.and_then(|number| number.parse().ok()).unwrap_or(0)
}
