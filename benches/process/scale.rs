//! Growth with the cluster and with the image: instructions, counted to the last one by valgrind
//! where that is there, and one change among many resources.

use std::fs;
use std::process::Command;
use std::thread;

use serde_json::json;

use crate::daemon::{LOOK, SETTLED};
use crate::env::{self, Daemon, Env};
use crate::limits;
use crate::metad::Metad;
use crate::programs::Program;
use crate::sample::{self, Entry, entry, in_turns};
use crate::{RESOURCES, environment, environments, name_of, tree};

/// As many resources as nobody has.
const MANY: usize = 500;
const HOSTS: usize = 10_000;

/// All resources of a large image, with nothing to change and with everything to make.
pub(crate) fn runs(programs: &[Program]) {
    for (hosts, runs) in [(100, 100), (1_000, 50)] {
        println!("one-time run: {RESOURCES} resources, {hosts} hosts; {runs} runs");
        let places = environments(programs, hosts, RESOURCES);
        let mut entries: Vec<Entry<'_>> = Vec::new();
        for (program, (_, env)) in programs.iter().zip(&places) {
            program.onetime(env);
            entries.push(entry(
                &format!("{}, nothing to change", program.name),
                || {
                    program.onetime(env);
                },
            ));
        }
        for (program, (_, env)) in programs.iter().zip(&places) {
            let measure = |_| {
                fs::remove_dir_all(env.path("out")).expect("the files");
                fs::create_dir(env.path("out")).expect("a directory");
                sample::timed(|| program.onetime(env))
            };
            let name = format!("{}, everything to make", program.name);
            entries.push((name, Box::new(measure)));
        }
        in_turns(runs, &mut entries);
    }
}

/// Instructions of a run with nothing to change.
pub(crate) fn instructions(programs: &[Program]) {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("instructions: not counted, for valgrind is not installed");
        return;
    }
    println!("instructions, one-time run, nothing to change, in millions");
    for (hosts, resources) in [(3, 20), (1_000, 20), (10_000, 1), (100_000, 1)] {
        let metad = Metad::start(tree(hosts, "0"));
        let env = environment(&metad, resources);
        for program in programs {
            program.onetime(&env);
            let count = program.instructions(&env) as f64 / 1e6;
            let case = format!("{}: {resources} resources, {hosts} hosts", program.name);
            println!("  {case:<46} {count:>8.1}");
        }
    }
}

/// One of many resources reads what changes.
pub(crate) fn one_of_many(programs: &[Program]) {
    const CHANGES: usize = 30;
    println!(
        "daemon: a change to the one of {MANY} files that it concerns, {HOSTS} hosts; {CHANGES} changes"
    );
    let places: Vec<(Metad, Env)> = programs.iter().map(|_| many()).collect();
    let start = |(program, (metad, env)): (&Program, &(Metad, Env))| {
        let daemon = program.watch(env);
        for number in 0..MANY {
            env::until("every file is there", || has(env, number, "0"));
        }
        metad.wait_idle();
        daemon
    };
    let _daemons: Vec<Daemon> = programs.iter().zip(&places).map(start).collect();
    // Resource files younger than 3 s are read again with each change; those of an image are older.
    thread::sleep(SETTLED);
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for (program, (metad, env)) in programs.iter().zip(&places) {
        let measure = move |turn: usize| {
            let (number, value) = (turn * 7 % MANY, format!("{}", turn + 1));
            let start = metad.put(&format!("/env/p{number}"), &value);
            while !has(env, number, &value) {
                thread::sleep(LOOK);
            }
            let time = start.elapsed();
            metad.wait_idle();
            time
        };
        entries.push((program.name.clone(), Box::new(measure)));
    }
    let (metad, env) = &places[0];
    entries.push(entry("limit: only syncing and renaming one", || {
        limits::swap_files(env, 1);
    }));
    entries.push(entry("limit: reading the tree from the socket", || {
        drop(limits::read_tree(metad));
    }));
    in_turns(CHANGES, &mut entries);
}

/// Many resources, each with a parameter of its own.
fn many() -> (Metad, Env) {
    let mut all = tree(HOSTS, "0");
    for number in 0..MANY {
        all["env"][format!("p{number}")] = json!("0");
    }
    let metad = Metad::start(all);
    let mut env = Env::with_metad(&metad);
    env.settings("backend = \"metad\"");
    for number in 0..MANY {
        let template = format!(
            "value={{{{getv \"/env/p{number}\"}}}}\nhosts={{{{len (lsdir \"/hosts\")}}}}\n"
        );
        env.simple_with(&name_of(number), &template, "");
    }
    (metad, env)
}

fn has(env: &Env, number: usize, value: &str) -> bool {
    let wanted = format!("value={value}\n");
    let path = env.path("out").join(name_of(number));
    fs::read(path).is_ok_and(|bytes| bytes.starts_with(wanted.as_bytes()))
}
