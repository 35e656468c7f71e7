//! What the whole program costs, measured on the real binary against the tests' metadata server: a one-time run with
//! nothing to do, a change in the daemon, and an idle daemon. Prints figures and the machine's own limits beside them;
//! judges nothing.

#[allow(dead_code)] // the tests use the rest
#[path = "../tests/it/env.rs"]
mod env;
#[allow(dead_code)]
#[path = "../tests/it/http.rs"]
mod http;
#[allow(dead_code)]
#[path = "../tests/it/metad.rs"]
mod metad;

use std::fs::{self, File};
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use env::{Daemon, Env};
use metad::Metad;

const RESOURCES: usize = 20;
const RUNS: usize = 300;
const CHANGES: usize = 300;
/// How long the idle daemon is watched.
const IDLE: Duration = Duration::from_secs(20);

fn main() {
    println!("one-time run: {RESOURCES} resources, 3 hosts, nothing to change; {RUNS} runs");
    steady_state();
    println!(
        "daemon: {RESOURCES} resources, one value changes; {CHANGES} changes, one after the other"
    );
    change_to_file();
    println!(
        "idle daemon: {RESOURCES} resources, watched for {} s",
        IDLE.as_secs()
    );
    idle();
}

/// Durations, sorted.
struct Sample(Vec<Duration>);

impl Sample {
    fn of(count: usize, mut measure: impl FnMut(usize) -> Duration) -> Sample {
        let mut all: Vec<Duration> = (0..count).map(&mut measure).collect();
        all.sort();
        Sample(all)
    }

    /// The smallest duration that `percent` of all do not exceed.
    fn at(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0[rank - 1]
    }

    fn print(&self, what: &str) {
        let [best, half, most] = [0, 50, 99].map(|percent| milliseconds(self.at(percent)));
        println!("  {what:<46} best {best:>7} ms   p50 {half:>7} ms   p99 {most:>7} ms");
    }

    fn print_beside(&self, what: &str, limit: &Sample, limit_name: &str) {
        self.print(what);
        limit.print(limit_name);
        let ratio = self.at(50).as_secs_f64() / limit.at(50).as_secs_f64();
        println!("  {:<46} {ratio:.1}", "ratio");
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn tree(value: &str) -> Json {
    json!({
        "hosts": {
            "i-1": {"ip": "192.168.100.2", "sid": "1"},
            "i-2": {"ip": "192.168.100.3", "sid": "2"},
            "i-3": {"ip": "192.168.100.4", "sid": "3"},
        },
        "env": {"value": value},
    })
}

/// The usual twenty resources of an image, all of them in sync.
fn environment(metad: &Metad) -> Env {
    let env = Env::with_metad(metad);
    for number in 0..RESOURCES {
        let template = "value={{getv \"/env/value\"}}\n{{range $dir := lsdir \"/hosts\"}}\
            server.{{getv (printf \"/hosts/%s/sid\" $dir)}}={{getv (printf \"/hosts/%s/ip\" $dir)}}:2888:3888\n{{end}}";
        env.simple_with(&format!("app{number:02}"), template, "");
    }
    env.onetime().expect_code(0);
    env
}

fn steady_state() {
    let metad = Metad::start(tree("0"));
    let env = environment(&metad);
    let before = metad.request_count();
    let run = |mut command: Command| {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        timed(|| assert!(command.status().expect("it starts").success()))
    };
    let confd = Sample::of(RUNS, |_| {
        run(env.command(&["-onetime", "-config-file", "$ROOT/etc/confd.toml"]))
    });
    let nothing = Sample::of(RUNS, |_| run(env.command_of("/bin/true", &[])));
    confd.print_beside(
        "confd -onetime, start to exit",
        &nothing,
        "/bin/true, the same way",
    );
    let requests = (metad.request_count() - before) as f64 / RUNS as f64;
    println!("  {:<46} {requests:.2}", "requests a run");
}

fn change_to_file() {
    let metad = Metad::start(tree("start"));
    let env = environment(&metad);
    let _daemon = env.daemon(&["-watch"]);
    metad.wait_idle();
    let (before, dest) = (metad.request_count(), env.path("out/app00"));
    let latency = Sample::of(CHANGES, |number| {
        let value = format!("{number}");
        let wanted = format!("value={value}\n");
        let time = timed(|| {
            metad.put("/env/value", &value);
            // Looks without a pause, which costs one core: a pause would be measured as well.
            while !fs::read(&dest).is_ok_and(|bytes| bytes.starts_with(wanted.as_bytes())) {
                thread::yield_now();
            }
        });
        for other in 1..RESOURCES {
            let path = env.path(&format!("out/app{other:02}"));
            env::until("every file is right", || {
                fs::read(&path).is_ok_and(|bytes| bytes.starts_with(wanted.as_bytes()))
            });
        }
        metad.wait_idle();
        time
    });
    let disk = Sample::of(CHANGES, |_| timed(|| swap_all(&env)));
    latency.print_beside(
        "change to the first of the files on disk",
        &disk,
        "only syncing and renaming as many files",
    );
    let requests = (metad.request_count() - before) as f64 / CHANGES as f64;
    println!("  {:<46} {requests:.2}", "requests a change");
    println!("  {:<46} {}", "connections", metad.open_connections());
}

/// The least that a safe swap of all files costs here: write and sync them side by side, rename each, sync the directory.
fn swap_all(env: &Env) {
    let path = |kind: &str, number: usize| env.path(&format!("out/{kind}{number:02}"));
    let write = |number| {
        let mut file = File::create(path("limit-new", number)).expect("a file");
        file.write_all(&[b'x'; 200]).expect("written");
        file.sync_all().expect("synced");
    };
    thread::scope(|scope| {
        let write = &write;
        for number in 0..RESOURCES {
            scope.spawn(move || write(number));
        }
    });
    for number in 0..RESOURCES {
        fs::rename(path("limit-new", number), path("limit", number)).expect("renamed");
    }
    let directory = File::open(env.path("out")).expect("the directory");
    directory.sync_all().expect("synced");
}

fn idle() {
    let metad = Metad::start(tree("0"));
    let env = environment(&metad);
    let daemon = env.daemon(&["-watch"]);
    metad.wait_idle();
    metad.put("/env/value", "1");
    env::until("the first change is applied", || {
        env.read("out/app19").starts_with("value=1\n")
    });
    metad.wait_idle();
    let (requests, wakeups) = (metad.request_count(), switches(&daemon));
    thread::sleep(IDLE);
    let minutes = IDLE.as_secs_f64() / 60.0;
    let a_minute = |count: usize| count as f64 / minutes;
    println!(
        "  {:<46} {:.1}",
        "wake-ups a minute",
        a_minute(switches(&daemon) - wakeups)
    );
    println!(
        "  {:<46} {:.1}",
        "requests a minute",
        a_minute(metad.request_count() - requests)
    );
    for (name, what) in [
        ("VmRSS:", "resident memory, KiB"),
        ("RssAnon:", "of that its own, KiB"),
    ] {
        println!("  {what:<46} {}", status(&daemon, name));
    }
    let descriptors = fs::read_dir(format!("/proc/{}/fd", daemon.pid()))
        .expect("proc")
        .count();
    println!("  {:<46} {descriptors}", "open descriptors");
    println!("  {:<46} {}", "threads", status(&daemon, "Threads:"));
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
