//! More of everything than anybody has: versions, resources, keys, bytes. The right result, within
//! bounds of memory and descriptors; the figures are printed.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value as Json, json};

use super::is_whole;
use crate::env::{Daemon, Env, confd, share_of, until};
use crate::metad::Metad;

/// The most memory that a daemon has needed, in KiB.
fn peak(daemon: &Daemon) -> usize {
    daemon.status("VmHWM:")
}

#[test]
fn thousands_of_versions_end_with_the_last_one() {
    let metad = Metad::start(json!({"k": "0"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let daemon = env.daemon(&["-watch"]);
    env.wait_content("out/app", "0");
    metad.wait_idle();
    let before = (daemon.descriptors(), daemon.status("VmRSS:"));
    let (start, versions) = (Instant::now(), share_of(10_000));
    for version in 1..=versions {
        metad.put("/k", &version.to_string());
        // Most come faster than anybody can follow; some are waited for.
        if version % 10 == 0 {
            metad.wait_idle();
        }
    }
    let last = versions.to_string();
    env.wait_content("out/app", &last);
    metad.wait_idle();
    until("the commands have ended", || {
        daemon.descriptors() <= before.0
    });
    let after = daemon.status("VmRSS:");
    assert!(after <= before.1 + 2048, "from {} to {after} KiB", before.1);
    println!(
        "{versions} versions in {:.1} s: {} requests, {} reloads; {} KiB resident before, {after} KiB after",
        start.elapsed().as_secs_f64(),
        metad.request_count(),
        env.reloads().len(),
        before.1,
    );
}

/// So many resources, each with a directory of its own if so wished, and each with a reload of its
/// own.
fn resources(count: usize, directories: bool) -> Env {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.template("app.tmpl", "{{getv \"/k\"}}");
    for number in 0..count {
        let directory = if directories {
            format!("d{number}/")
        } else {
            String::new()
        };
        env.resource(
            &format!("{number:03}.toml"),
            &format!(
                "[template]\nsrc = \"app.tmpl\"\ndest = \"$ROOT/out/{directory}app{number}\"\nkeys = [\"/\"]\n\
                 reload_cmd = \"echo {number} >> $ROOT/reloads\"\n"
            ),
        );
    }
    env
}

/// The processor time in seconds of a one-time run with nothing to change and this many resources.
fn cost(count: usize) -> f64 {
    let env = resources(count, false);
    env.onetime_with(&["-sync-only"]).expect_code(0);
    let script = "\"$0\" \"$@\" 2>/dev/null; times";
    let arguments = [
        "-c",
        script,
        confd(),
        "-onetime",
        "-config-file",
        "$ROOT/etc/confd.toml",
    ];
    let run = env.finish(env.command_of("/bin/sh", &arguments));
    // The last line is about the shell's children: `0m0.310s 0m0.040s`.
    let line = run.stdout.lines().last().expect("the times").to_owned();
    let seconds = |word: &str| -> f64 {
        let (minutes, seconds) = word.split_once('m').expect("minutes");
        let number = |text: &str| text.trim_end_matches('s').parse::<f64>().expect("a number");
        number(minutes) * 60.0 + number(seconds)
    };
    line.split_whitespace().map(seconds).sum()
}

#[test]
fn five_times_the_resources_cost_five_times_as_much() {
    let count = if is_whole() { 1000 } else { 400 };
    let (few, many) = (cost(count), cost(5 * count));
    println!(
        "runs with {count} resources and five times as many: {few:.2} s and {many:.2} s of CPU"
    );
    // Each looking at all others would cost 25 times as much.
    assert!(many < 12.0 * few, "{few} s and {many} s");
}

/// The files below `directory`.
fn files(directory: &Path) -> usize {
    let entries = fs::read_dir(directory).expect("a directory").flatten();
    let below = entries.map(|entry| {
        if entry.path().is_dir() {
            files(&entry.path())
        } else {
            1
        }
    });
    below.sum()
}

#[test]
fn hundreds_of_resources_need_few_descriptors() {
    let count = if is_whole() { 500 } else { 100 };
    // Soft and hard: as many as a program usually gets, and far fewer than there are files and
    // commands.
    for (limit, directories) in [(1024, false), (1024, true), (64, false)] {
        let env = resources(count, directories);
        let script = format!("ulimit -n {limit}; exec \"$0\" \"$@\"");
        let confd = env!("CARGO_BIN_EXE_confd");
        let arguments = [
            "-c",
            &script,
            confd,
            "-onetime",
            "-config-file",
            "$ROOT/etc/confd.toml",
        ];
        let start = Instant::now();
        let run = env.finish(env.command_of("/bin/sh", &arguments));
        run.expect_code(0);
        // With 64 the state file may not find one while a hundred commands start: that is an INFO.
        run.expect_no_log(": WARNING ").expect_no_log(": ERROR ");
        assert_eq!(files(&env.path("out")), count);
        let mut reloads = env.reloads();
        reloads.sort();
        reloads.dedup();
        assert_eq!(reloads.len(), count, "each reload ran");
        println!(
            "{count} resources with {limit} descriptors, {}: one run, {:.1} s",
            if directories {
                "each in its own directory"
            } else {
                "in one directory"
            },
            start.elapsed().as_secs_f64()
        );
    }
}

/// Starts a daemon with this tree, which makes one file with this template; the file, and what was
/// needed.
fn rendered(tree: &Json, template: &str, what: &str) -> (String, usize) {
    let metad = Metad::start(tree.clone());
    let env = Env::with_metad(&metad);
    env.simple_with("app", template, "");
    let start = Instant::now();
    let daemon = env.daemon(&["-watch"]);
    until("the file is made", || env.path("out/app").exists());
    let elapsed = start.elapsed().as_secs_f64();
    let peak = peak(&daemon);
    println!("{what}: file after {elapsed:.1} s, at most {peak} KiB");
    assert_eq!(daemon.stop(), Some(0));
    (env.read("out/app"), peak)
}

#[test]
fn a_hundred_thousand_keys_are_rendered() {
    let count = share_of(100_000);
    let hosts =
        (0..count).map(|number| (format!("i-{number:06}"), json!({"ip": number.to_string()})));
    let tree = json!({"hosts": hosts.collect::<serde_json::Map<_, _>>()});
    let template = "{{range gets \"/hosts/*/ip\"}}{{.Key}} {{.Value}}\n{{end}}";
    let (text, peak) = rendered(&tree, template, &format!("{count} keys"));
    let wanted = (0..count).map(|number| format!("/hosts/i-{number:06}/ip {number}\n"));
    assert!(text == wanted.collect::<String>());
    assert!(peak < 200 << 10, "{peak} KiB");
}

#[test]
fn values_of_a_megabyte_and_trees_of_fifty_are_rendered() {
    let count = share_of(50);
    let values: serde_json::Map<String, Json> = (0..count)
        .map(|number| (format!("v{number}"), Json::from("x".repeat(1 << 20))))
        .collect();
    let what = format!("{count} values of 1 MiB");
    let (text, peak) = rendered(&json!({"values": values}), "{{getv \"/values/v0\"}}", &what);
    assert!(text == "x".repeat(1 << 20));
    // The answer as it came, and the tree that it is read into.
    assert!(peak < (count * 3 + 20) << 10, "{peak} KiB");
}
