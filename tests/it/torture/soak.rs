//! A long day in ten minutes: 20 resources, changes and foreign changes, kills of agent and server,
//! HUPs, edits, slow and failing checks. In the end every file is right, every last reload has seen
//! it, and nothing has grown.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::is_whole;
use crate::env::{Daemon, Env, share_of, until};
use crate::fuzz::choices::{Choices, Seeded};
use crate::metad::Metad;

const RESOURCES: usize = 20;
/// Five changes a second.
const TICK: Duration = Duration::from_millis(200);

/// A node: the metadata, the number of each template's edits, and the agent.
struct Node {
    env: Env,
    metad: Metad,
    values: Vec<String>,
    edits: Vec<usize>,
    /// Odd numbers are another mode of the file.
    modes: Vec<usize>,
    version: usize,
    choices: Seeded,
}

fn key(number: usize) -> String {
    format!("/r/r{number:02}")
}

fn name(number: usize) -> String {
    format!("r{number:02}")
}

impl Node {
    fn new(seed: u64) -> Node {
        let values = vec![String::from("0"); RESOURCES];
        let tree: serde_json::Map<String, Json> = (0..RESOURCES)
            .map(|number| (name(number), Json::from("0")))
            .collect();
        let metad = Metad::start(json!({"r": tree}));
        let mut env = Env::with_metad(&metad);
        env.settings("interval = 3");
        let node = Node {
            env,
            metad,
            values,
            edits: vec![0; RESOURCES],
            modes: vec![0; RESOURCES],
            version: 0,
            choices: Seeded(seed),
        };
        for number in 0..RESOURCES {
            node.write_template(number);
            node.write_resource(number);
        }
        node
    }

    fn write_template(&self, number: usize) {
        let text = format!(
            "{{{{getv \"{}\"}}}} edit {}\n",
            key(number),
            self.edits[number]
        );
        self.env.template(&format!("{}.tmpl", name(number)), &text);
    }

    /// Own reloads, shared ones, slow checks, and checks that some values fail.
    fn write_resource(&self, number: usize) {
        let name = name(number);
        let reload = match number {
            0..5 => String::from(
                "for i in 0 1 2 3 4; do cat $ROOT/out/r0$i > $ROOT/seen/r0$i; done; sleep 0.1",
            ),
            _ => format!("cat $ROOT/out/{name} > $ROOT/seen/{name}"),
        };
        let check = match number {
            10..13 => "check_cmd = \"sleep 0.3\"",
            13 => "check_cmd = \"sleep 3\"",
            14..18 => "check_cmd = \"! grep -q bad {{.src}}\"",
            _ => "",
        };
        let mode = ["0644", "0600"][self.modes[number] % 2];
        let toml = format!(
            "[template]\nsrc = \"{name}.tmpl\"\ndest = \"$ROOT/out/{name}\"\nkeys = [\"{}\"]\n\
             mode = \"{mode}\"\nreload_cmd = \"{reload}\"\n{check}\n",
            key(number)
        );
        self.env.resource(&format!("{name}.toml"), &toml);
    }

    fn change(&mut self, number: usize, is_bad: bool) {
        self.version += 1;
        let bad = if is_bad { "bad " } else { "" };
        self.values[number] = format!("{bad}{}", self.version);
        self.metad.put(&key(number), &self.values[number]);
    }

    /// A change of any resource; one in four is one that some checks refuse.
    fn change_any(&mut self) {
        let (number, is_bad) = (self.choices.below(RESOURCES), self.choices.below(4) == 0);
        self.change(number, is_bad);
    }

    fn edit_any(&mut self, daemon: &Daemon) {
        let number = self.choices.below(RESOURCES);
        if self.choices.below(2) == 0 {
            self.edits[number] += 1;
            self.write_template(number);
        } else {
            self.modes[number] += 1;
            // As an editor saves: empty for a moment.
            self.env.resource(&format!("{}.toml", name(number)), "");
            self.write_resource(number);
        }
        if self.choices.below(2) == 0 {
            daemon.signal("HUP");
        }
    }

    fn start(&self) -> Daemon {
        let daemon = self.env.daemon(&["-watch"]);
        // Signals before that would end it.
        daemon.wait_log("Starting confd");
        daemon
    }

    /// Changes and disturbances until `end`.
    fn disturb(&mut self, mut daemon: Daemon, end: Instant, kills: bool) -> Daemon {
        let mut down = 0;
        while Instant::now() < end {
            self.change_any();
            match self.choices.below(if kills { 12 } else { 30 }) {
                0 if kills => {
                    daemon.kill();
                    daemon = self.start();
                }
                1 if kills => {
                    assert_eq!(daemon.stop(), Some(0));
                    daemon = self.start();
                }
                2 if kills && down == 0 => {
                    self.metad.stop();
                    down = 1 + self.choices.below(8);
                }
                3 => daemon.signal("HUP"),
                4..6 => self.edit_any(&daemon),
                6 if kills => {
                    // Its result is that of the moment: the server may be down, a check may fail.
                    self.env.onetime();
                }
                _ => {}
            }
            if down > 0 {
                down -= 1;
                if down == 0 {
                    self.metad.restart();
                }
            }
            thread::sleep(TICK);
        }
        if down > 0 {
            self.metad.restart();
        }
        daemon
    }

    fn expected(&self, number: usize) -> String {
        format!("{} edit {}\n", self.values[number], self.edits[number])
    }

    /// The last values are ones that all checks accept; waits until all that follows from them has
    /// happened.
    fn settle(&mut self, daemon: &Daemon) {
        for number in 0..RESOURCES {
            self.change(number, false);
        }
        let is_right = |number: usize| {
            ["out", "seen"].iter().all(|directory| {
                let path = self.env.path(&format!("{directory}/{}", name(number)));
                fs::read_to_string(path).is_ok_and(|text| text == self.expected(number))
            })
        };
        let wrong = || (0..RESOURCES).find(|number| !is_right(*number));
        until("all files are right and all reloads have seen them", || {
            wrong().is_none()
        });
        assert_eq!(daemon.count("panicked"), 0, "{}", daemon.log());
    }
}

/// Resident memory in KiB, threads and descriptors.
fn needs(daemon: &Daemon) -> [usize; 3] {
    [
        daemon.status("VmRSS:"),
        daemon.status("Threads:"),
        daemon.descriptors(),
    ]
}

#[test]
fn a_long_day_ends_with_all_files_right_and_nothing_grown() {
    let seed = 0x50a4_u64;
    let seconds = if is_whole() {
        600
    } else {
        share_of(200) as u64
    };
    let half = Duration::from_secs(seconds) / 2;
    let mut node = Node::new(seed);
    fs::create_dir(node.env.path("seen")).expect("a directory");
    let foreign = node.metad.change_elsewhere_often(5, false);
    let daemon = node.start();
    let mut daemon = node.disturb(daemon, Instant::now() + half, true);
    node.settle(&daemon);
    // From here on it is one process, which has to stay as small as it is once it has seen
    // everything.
    daemon = node.disturb(daemon, Instant::now() + half / 5, false);
    node.settle(&daemon);
    let before = needs(&daemon);
    daemon = node.disturb(daemon, Instant::now() + half * 4 / 5, false);
    node.settle(&daemon);
    drop(foreign);
    let mut after = needs(&daemon);
    until("threads and descriptors of what is over are gone", || {
        after = needs(&daemon);
        after[1] <= before[1] && after[2] <= before[2]
    });
    assert!(after[0] <= before[0] + 2048, "from {before:?} to {after:?}");
    let staged = node.env.names("out");
    assert_eq!(staged.len(), RESOURCES, "{staged:?}");
    let status = node
        .env
        .run(&["-status", "-config-file", "$ROOT/etc/confd.toml"]);
    status.expect_code(0);
    println!(
        "{seconds} s, seed {seed:#x}: {} changes; KiB, threads and descriptors: {before:?}, then {after:?}",
        node.version
    );
    assert_eq!(daemon.stop(), Some(0));
}
