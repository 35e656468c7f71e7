//! Everything at once: metadata, templates and conf.d change, other processes come and go, and the
//! daemon is killed, while reloads, rollbacks and checks are held up. Once all is quiet, each file
//! is what the newest metadata makes of it, or an older one of which `-status` says that it was
//! rolled back or held; and nothing is tried again without news.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::env::{Daemon, Env, share_of, until};
use crate::fuzz::choices::{Choices, Seeded};
use crate::metad::Metad;

const STATUS: [&str; 5] = [
    "-status",
    "-format",
    "json",
    "-config-file",
    "$ROOT/etc/confd.toml",
];
const HOSTS: &str = "127.0.0.1 localhost\n";
const PAIR: [&str; 3] = ["a", "b", "c"];
const BLOCKS: [&str; 2] = ["one", "two"];
/// Items whose names begin with `keep` cannot be removed: the reload fails without their files.
const SITES: [&str; 5] = ["x1", "x2", "x3", "keep1", "keep2"];
const HOLDS: [&str; 5] = ["pair", "list", "one", "two", "check"];
/// A resource that has nothing to do with the others.
const OTHER: &str = "other";

/// What may happen beside changes of metadata, templates and conf.d.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Others {
    Nothing,
    Kills,
    Onetimes,
}

/// The world of one daemon, and what is known about it.
struct Scene {
    env: Env,
    metad: Metad,
    choices: Seeded,
    daemon: Option<Daemon>,
    onetimes: Vec<Daemon>,
    others: Others,
    version: usize,
    values: BTreeMap<&'static str, String>,
    sites: BTreeMap<&'static str, String>,
    /// How often each template was edited.
    edits: BTreeMap<&'static str, usize>,
    modes: BTreeMap<&'static str, usize>,
    /// The resources whose conf.d file is taken away.
    absent: BTreeSet<&'static str>,
    /// The files of `keep` items that were there when all was quiet.
    kept: BTreeSet<&'static str>,
    /// How often what was rejected may have been tried: by each process, and with each change of
    /// conf.d.
    tries: usize,
    /// What was done, for the report of a failure.
    done: Vec<String>,
}

impl Scene {
    fn new(seed: u64, others: Others) -> Scene {
        let values = PAIR.iter().chain(&BLOCKS);
        let values: BTreeMap<_, _> = values.map(|name| (*name, "v0".to_owned())).collect();
        let sites = BTreeMap::from([("x0", "v0".to_owned()), ("keep1", "v0".to_owned())]);
        let metad = Metad::start(json!({"v": values, "sites": sites, OTHER: "v0"}));
        let mut env = Env::with_metad(&metad);
        env.settings("interval = 1");
        env.put("out/hosts", HOSTS);
        fs::create_dir(env.path("hold")).expect("a directory");
        let mut scene = Scene {
            env,
            metad,
            choices: Seeded(seed),
            daemon: None,
            onetimes: Vec::new(),
            others,
            version: 0,
            values,
            sites,
            edits: BTreeMap::new(),
            modes: BTreeMap::new(),
            absent: BTreeSet::new(),
            kept: BTreeSet::new(),
            tries: 0,
            done: vec![format!("seed {seed}, {others:?}")],
        };
        for name in PAIR.iter().chain(&BLOCKS).chain(&["list", OTHER]) {
            scene.write_template(name);
            scene.write_resource(name);
        }
        scene.start();
        scene
    }

    fn start(&mut self) {
        self.tries += 1;
        let daemon = self.env.daemon(&["-watch"]);
        // Signals before that would end it.
        daemon.wait_log("Starting confd");
        self.daemon = Some(daemon);
    }

    fn edit(&self, name: &str) -> String {
        format!("edit {}", self.edits.get(name).copied().unwrap_or(0))
    }

    fn write_template(&self, name: &str) {
        let value = match name {
            "list" => "{{.}} {{getv (printf \"/sites/%s\" .)}}".to_owned(),
            OTHER => "other {{getv \"/other\"}}".to_owned(),
            _ => format!("{name} {{{{getv \"/v/{name}\"}}}}"),
        };
        let text = format!("{value} {}\n", self.edit(name));
        self.env.template(&format!("{name}.tmpl"), &text);
    }

    fn write_resource(&self, name: &str) {
        let note = |what: &str, hold: &str, bad: &str| {
            format!(
                "reload_cmd = '''x=$({what}); echo {hold} $x >> $ROOT/seen; \
                 while test -e $ROOT/hold/{hold}; do sleep 0.02; done; \
                 case {{{{dot}}}}:$x in {bad}) exit 1;; esac'''\n\
                 on_reload_failure = \"rollback\"\n"
            )
        };
        let (dest, lines) = match name {
            "list" => {
                let lines = note(
                    "cat $ROOT/out/{{.}}.conf 2> /dev/null || echo {{.}} gone",
                    "list",
                    "*bad*|keep*gone",
                );
                let lines = lines.replace("{{dot}}", "{{.}}");
                ("{{.}}.conf", format!("for_each = 'ls \"/sites\"'\n{lines}"))
            }
            OTHER => (OTHER, "reload_cmd = \"true\"\n".to_owned()),
            _ if BLOCKS.contains(&name) => {
                let lines = note(&format!("grep '^{name} ' $ROOT/out/hosts"), name, "*bad*");
                ("hosts", format!("block = \"{name}\"\n{lines}"))
            }
            _ => {
                let lines = note("cat $ROOT/out/a $ROOT/out/b $ROOT/out/c", "pair", "*bad*");
                let check = "check_cmd = '''while test -e $ROOT/hold/check; do sleep 0.02; done; \
                             ! grep -q worse {{.src}}'''\n";
                let check = if name == "c" { check } else { "" };
                (name, format!("group = \"pair\"\n{check}{lines}"))
            }
        };
        let mode = ["0644", "0640"][self.modes.get(name).copied().unwrap_or(0) % 2];
        let mode = if BLOCKS.contains(&name) {
            String::new()
        } else {
            format!("mode = \"{mode}\"\n")
        };
        let lines = lines.replace("{{dot}}", "x");
        let toml = format!(
            "[template]\nsrc = \"{name}.tmpl\"\ndest = \"$ROOT/out/{dest}\"\nkeys = [\"/\"]\n\
             {mode}{lines}"
        );
        self.env.resource(&format!("{name}.toml"), &toml);
    }

    fn note(&mut self, what: String) {
        self.done.push(what);
    }

    /// A value that was never there before.
    fn value(&mut self, bad: &str) -> String {
        self.version += 1;
        let bad = if self.choices.one_in(3) { bad } else { "v" };
        format!("{bad}{}", self.version)
    }

    fn change_value(&mut self) {
        let names = [&PAIR[..], &BLOCKS].concat();
        let name = names[self.choices.below(names.len())];
        let bad = if name == "c" { "worse" } else { "bad" };
        let value = self.value(bad);
        self.metad.put(&format!("/v/{name}"), &value);
        self.note(format!("{name} = {value}"));
        self.values.insert(name, value);
    }

    fn change_site(&mut self) {
        let name = SITES[self.choices.below(SITES.len())];
        if self.sites.contains_key(name) && self.choices.one_in(2) {
            self.metad.delete(&format!("/sites/{name}"));
            self.sites.remove(name);
            self.note(format!("{name} is gone"));
        } else {
            let value = self.value("bad");
            self.metad.put(&format!("/sites/{name}"), &value);
            self.note(format!("{name} = {value}"));
            self.sites.insert(name, value);
        }
    }

    fn edit_template(&mut self) {
        let name = ["a", "one", "list"][self.choices.below(3)];
        if self.choices.one_in(3) {
            self.env.template(&format!("{name}.tmpl"), "{{nope");
            self.note(format!("{name}.tmpl is broken"));
        } else {
            *self.edits.entry(name).or_default() += 1;
            self.write_template(name);
            self.note(format!("{name}.tmpl: {}", self.edit(name)));
        }
        self.hang_up();
    }

    fn edit_resource(&mut self) {
        let name = ["a", "b", "one", "two", "list"][self.choices.below(5)];
        if self.absent.remove(name) {
            self.write_resource(name);
            self.note(format!("{name}.toml is back"));
        } else if self.choices.one_in(2) {
            // A group without it is another attempt, and so is the whole one after that.
            self.tries += 2;
            fs::remove_file(self.env.path(&format!("etc/conf.d/{name}.toml"))).expect("it");
            self.absent.insert(name);
            self.note(format!("{name}.toml is taken away"));
        } else {
            // Another attempt for a group.
            self.tries += 1;
            *self.modes.entry(name).or_default() += 1;
            self.write_resource(name);
            self.note(format!("{name}.toml has another mode"));
        }
        self.hang_up();
    }

    /// Edits are seen at the interval, or at once.
    fn hang_up(&mut self) {
        if self.choices.one_in(2) {
            self.daemon.as_ref().expect("a daemon").signal("HUP");
            self.note("HUP".to_owned());
        }
    }

    fn hold(&mut self) {
        let name = HOLDS[self.choices.below(HOLDS.len())];
        let path = self.env.path("hold").join(name);
        if path.exists() {
            fs::remove_file(path).expect("it");
            self.note(format!("{name} goes on"));
        } else {
            fs::write(path, "").expect("a file");
            self.note(format!("{name} is held"));
        }
    }

    fn kill(&mut self) {
        let mut daemon = self.daemon.take().expect("a daemon");
        if self.choices.one_in(3) {
            self.note("TERM".to_owned());
            assert_eq!(daemon.stop(), Some(0));
        } else {
            self.note("KILL".to_owned());
            daemon.kill();
        }
        self.start();
    }

    fn start_onetime(&mut self) {
        self.tries += 1;
        self.note("a one-time run".to_owned());
        let run = ["-onetime", "-config-file", "$ROOT/etc/confd.toml"];
        self.onetimes.push(self.env.start(self.env.command(&run)));
    }

    fn act(&mut self) {
        match self.choices.below(16) {
            0..4 => self.change_value(),
            4..8 => self.change_site(),
            8..12 => self.hold(),
            12 => self.edit_template(),
            13 => self.edit_resource(),
            14 => match self.others {
                Others::Nothing => self.hang_up(),
                Others::Kills => self.kill(),
                Others::Onetimes => self.start_onetime(),
            },
            _ => self.hang_up(),
        }
        // Some follow each other at once, some find what is there settled, or held.
        if let pause @ 1.. = self.choices.below(4) {
            let longest = [0, 10, 60, 300][pause];
            thread::sleep(Duration::from_millis(self.choices.below(longest) as u64));
        }
    }

    /// Ends all that holds anything up, in any order.
    fn release(&mut self) {
        let mut left: Vec<usize> = (0..HOLDS.len() + 2).collect();
        while !left.is_empty() {
            match left.swap_remove(self.choices.below(left.len())) {
                number if number < HOLDS.len() => {
                    let _not_held = fs::remove_file(self.env.path("hold").join(HOLDS[number]));
                }
                number if number == HOLDS.len() => {
                    for name in ["a", "one", "list"] {
                        self.write_template(name);
                    }
                }
                _ => {
                    for name in std::mem::take(&mut self.absent) {
                        self.write_resource(name);
                    }
                }
            }
            thread::sleep(Duration::from_millis(self.choices.below(40) as u64));
        }
        self.note("all goes on".to_owned());
    }

    fn rendering(&self, name: &str, value: &str, template: &str) -> String {
        format!("{name} {value} {}\n", self.edit(template))
    }

    /// The first thing that is not as it has to be once all is quiet.
    fn find_problem(&self) -> Option<String> {
        if !self.metad.is_idle() || self.env.has_pending_reloads() {
            return Some("not all is done".to_owned());
        }
        let wrong = self.wrong_pair().or_else(|| self.wrong_sites());
        let wrong = wrong.or_else(|| self.wrong_blocks());
        if wrong.is_some() {
            return wrong;
        }
        let run = self.env.run(&STATUS);
        let status: Json = serde_json::from_str(&run.stdout).unwrap_or_default();
        let entries = status["resources"].as_array().cloned().unwrap_or_default();
        let mut states = BTreeMap::new();
        for entry in &entries {
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            let dest = text("dest")
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned();
            let name = match dest.as_str() {
                "hosts" => text("file")
                    .split('.')
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
                dest => dest.to_owned(),
            };
            states.insert(name, (text("state"), text("detail")));
        }
        self.wrong_state(&states)
            .map(|wrong| format!("{wrong}: {}", run.stdout))
    }

    fn content(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.env.path("out").join(name)).ok()
    }

    fn is_pair_good(&self) -> bool {
        let values = PAIR.iter().map(|name| &self.values[name]);
        values.into_iter().all(|value| value.starts_with('v'))
    }

    fn wrong_pair(&self) -> Option<String> {
        for name in PAIR {
            let wanted = self.rendering(name, &self.values[name], name);
            let found = self.content(name);
            let is_right = match &found {
                Some(found) if self.is_pair_good() => *found == wanted,
                Some(found) => !found.contains("bad") && !found.contains("worse"),
                None => false,
            };
            if !is_right {
                return Some(format!("{name} is {found:?}, not {wanted:?}"));
            }
        }
        None
    }

    fn wrong_sites(&self) -> Option<String> {
        for name in ["x0"].iter().chain(&SITES) {
            let found = self.content(&format!("{name}.conf"));
            let is_sane = found.as_ref().is_none_or(|found| !found.contains("bad"));
            let is_right = is_sane
                && match self.sites.get(name) {
                    Some(value) if value.starts_with('v') => {
                        found.as_ref() == Some(&self.rendering(name, value, "list"))
                    }
                    None if name.starts_with('x') => found.is_none(),
                    _ => found.is_some() || !self.kept.contains(name),
                };
            if !is_right {
                return Some(format!(
                    "{name}.conf is {found:?}, not {:?}",
                    self.sites.get(name)
                ));
            }
        }
        None
    }

    fn wrong_blocks(&self) -> Option<String> {
        let hosts = self.content("hosts").unwrap_or_default();
        for name in BLOCKS {
            let (begin, end) = (
                format!("# BEGIN confd {name}\n"),
                format!("# END confd {name}\n"),
            );
            let block = hosts.split(&begin).nth(1);
            let block = block.and_then(|rest| rest.split(&end).next());
            let is_right = match (&self.values[name], block) {
                (value, Some(block)) if value.starts_with('v') => {
                    block == self.rendering(name, value, name)
                }
                (value, None) => !value.starts_with('v'),
                (_, Some(block)) => !block.contains("bad"),
            };
            if !is_right || hosts.matches(&begin).count() > 1 || !hosts.contains(HOSTS) {
                return Some(format!("block {name} is wrong in {hosts:?}"));
            }
        }
        None
    }

    /// The first file that is not the newest one, and of which the status does not say why, or that
    /// is, and of which the status says something else.
    fn wrong_state(&self, states: &BTreeMap<String, (String, String)>) -> Option<String> {
        let rolled_back = |name: &str| match states.get(name) {
            Some((state, detail)) if state == "failed" && detail.starts_with("rolled back: ") => {
                None
            }
            state => Some(format!("{name} is rolled back, but {state:?}")),
        };
        let in_sync = |name: &str| match states.get(name) {
            Some((state, _)) if state == "in_sync" => None,
            // The reload that has worked since may be that of another process.
            Some((_, detail))
                if self.others == Others::Onetimes && detail.starts_with("command ") =>
            {
                None
            }
            state => Some(format!("{name} is in sync, but {state:?}")),
        };
        let is_good = |value: &String| value.starts_with('v');
        let is_worse = self.values["c"].starts_with("worse");
        for name in PAIR {
            let is_current =
                self.content(name) == Some(self.rendering(name, &self.values[name], name));
            let wrong = match states.get(name) {
                // None of its files is swapped.
                Some((state, _)) if is_worse && !is_current => {
                    (state == "in_sync").then(|| format!("{name} is held, but in sync"))
                }
                _ if is_worse => None,
                _ if is_current && self.is_pair_good() => in_sync(name),
                _ if is_current => None,
                _ => rolled_back(name),
            };
            if wrong.is_some() {
                return wrong;
            }
        }
        for name in BLOCKS {
            let wrong = if is_good(&self.values[name]) {
                in_sync(name)
            } else {
                rolled_back(name)
            };
            if wrong.is_some() {
                return wrong;
            }
        }
        for name in ["x0"].iter().chain(&SITES) {
            let file = format!("{name}.conf");
            let wrong = match self.sites.get(name) {
                Some(value) if is_good(value) => in_sync(&file),
                Some(_) => rolled_back(&file),
                None if self.content(&file).is_some() => rolled_back(&file),
                None => states
                    .get(&file)
                    .map(|state| format!("{name} is gone, but {state:?}")),
            };
            if wrong.is_some() {
                return wrong;
            }
        }
        None
    }

    /// Waits until all is as it has to be.
    fn settle(&mut self) {
        let runs = std::mem::take(&mut self.onetimes);
        let daemon = self.daemon.as_ref().expect("a daemon");
        for mut run in runs {
            run.wait_exit();
            // It may have used older metadata, in which the daemon had found nothing to do.
            daemon.signal("HUP");
        }
        let mut problem = None;
        let done = self.done.join("\n");
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until("everything is as it has to be", || {
                problem = self.find_problem();
                problem.is_none()
            });
        }));
        if result.is_err() {
            let status = self.env.run(&STATUS).stdout;
            panic!("{}\n{done}\n{status}", problem.unwrap_or_default());
        }
        for name in SITES {
            let is_there = self.content(&format!("{name}.conf")).is_some();
            if name.starts_with("keep") && is_there {
                self.kept.insert(name);
            }
        }
    }

    /// What concerns others only is no news for what was rejected.
    fn nudge(&mut self) {
        let mut before = BTreeMap::new();
        for round in 0..4 {
            if round == 2 {
                *self.edits.entry(OTHER).or_default() += 1;
                self.write_template(OTHER);
            }
            self.version += 1;
            let value = format!("v{}", self.version);
            self.metad.put("/other", &value);
            if round == 0 || round == 3 {
                self.daemon.as_ref().expect("a daemon").signal("HUP");
            }
            let wanted = self.rendering(OTHER, &value, OTHER);
            self.env.wait_content("out/other", &wanted);
            self.settle();
            if round == 0 {
                // From here on, every edit of before is seen.
                before = self.counts();
            }
        }
        let done = self.done.join("\n");
        for (line, count) in self.counts() {
            let before = before.get(&line).copied().unwrap_or(1);
            assert!(count <= before, "{line} was tried again\n{done}");
        }
    }

    /// How often what cannot work was tried.
    fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        let lines = self.env.lines("seen").into_iter();
        for line in lines.filter(|line| line.contains("bad") || line.contains("gone")) {
            *counts.entry(line).or_default() += 1;
        }
        counts
    }

    /// Each bad rendering was tried once, or once more because of a process or an edit.
    fn count_tries(&self) {
        let counts = self.counts().into_iter();
        for (line, count) in counts.filter(|(line, _)| line.contains("bad")) {
            let done = self.done.join("\n");
            assert!(count <= self.tries, "{count} tries of {line}\n{done}");
        }
    }
}

fn run(seed: u64, others: Others) {
    let mut scene = Scene::new(seed, others);
    scene.settle();
    for _ in 0..3 {
        for _ in 0..12 {
            scene.act();
        }
        scene.release();
        scene.settle();
        scene.nudge();
        scene.count_tries();
    }
    let daemon = scene.daemon.take().expect("a daemon");
    assert_eq!(daemon.count("panicked"), 0, "{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
}

/// Seeds from `SEED` on, for a look at one failure, or the usual ones.
fn seeds() -> Vec<u64> {
    let first = std::env::var("SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let first = first.unwrap_or(1);
    (first..first + share_of(60) as u64).collect()
}

#[test]
fn what_happens_while_a_reload_runs_is_not_lost() {
    crate::torture::for_each(3, seeds(), |seed| run(seed, Others::Nothing));
}

#[test]
fn what_happens_around_kills_is_not_lost() {
    crate::torture::for_each(3, seeds(), |seed| run(seed, Others::Kills));
}

#[test]
fn what_happens_beside_one_time_runs_is_not_lost() {
    crate::torture::for_each(3, seeds(), |seed| run(seed, Others::Onetimes));
}
