//! One-time runs: with nothing to do, with everything to do, and with ever more hosts.

use std::fs;

use crate::env::Env;
use crate::limits;
use crate::metad::Metad;
use crate::programs::Program;
use crate::sample::{self, Entry, entry, in_turns};
use crate::{RESOURCES, environment, environments, name_of, tree};

/// Nothing to change.
pub(crate) fn steady(programs: &[Program]) {
    const RUNS: usize = 300;
    println!("one-time run, nothing to change: {RESOURCES} resources, 3 hosts; {RUNS} runs");
    let metad = Metad::start(tree(3, "0"));
    let env = environment(&metad, RESOURCES);
    programs[0].onetime(&env);
    let before = metad.request_count();
    programs[0].onetime(&env);
    let requests = metad.request_count() - before;
    let mut entries = runs_of(programs, &env);
    entries.push(entry("limit: /bin/true, the same way", || {
        limits::start_a_process(&env);
    }));
    in_turns(RUNS, &mut entries);
    println!("  {:<46} {requests}", "requests a run");
}

fn runs_of<'a>(programs: &'a [Program], env: &'a Env) -> Vec<Entry<'a>> {
    let run = |program: &'a Program| entry(&program.name, || program.onetime(env));
    programs.iter().map(run).collect()
}

/// No file is there yet.
pub(crate) fn first(programs: &[Program]) {
    const RUNS: usize = 100;
    println!("first run: {RESOURCES} files to be made; {RUNS} runs");
    let places = environments(programs, 3, RESOURCES);
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for (program, (_, env)) in programs.iter().zip(&places) {
        let measure = move |_| {
            for number in 0..RESOURCES {
                // There is none before the first run.
                let _ = fs::remove_file(env.path("out").join(name_of(number)));
            }
            sample::timed(|| program.onetime(env))
        };
        entries.push((program.name.clone(), Box::new(measure)));
    }
    let (_, env) = &places[0];
    entries.push(entry("limit: only syncing and renaming as many", || {
        limits::swap_files(env, RESOURCES);
    }));
    in_turns(RUNS, &mut entries);
}

/// One resource with a line for each host, in sync.
pub(crate) fn hosts(programs: &[Program]) {
    let mut before = None;
    for (hosts, runs) in [(100, 200), (1_000, 100), (10_000, 30), (100_000, 5)] {
        let metad = Metad::start(tree(hosts, "0"));
        let env = environment(&metad, 1);
        programs[0].onetime(&env);
        let json = tree(hosts, "0").to_string();
        println!(
            "one-time run, nothing to change: 1 resource, {hosts} hosts ({} KB of JSON); {runs} runs",
            json.len() / 1000
        );
        let mut entries = runs_of(programs, &env);
        entries.push(entry("limit: reading the tree from the socket", || {
            drop(limits::read_tree(&metad));
        }));
        entries.push(entry("limit: parsing it", || limits::parse_tree(&json)));
        let medians = in_turns(runs, &mut entries);
        if let Some(before) = before.replace(medians[0]) {
            let growth = medians[0].as_secs_f64() / before.as_secs_f64();
            println!("  {:<46} {growth:.1}", "growth, for ten times the hosts");
        }
    }
}
