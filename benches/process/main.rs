//! The cost of the whole program, measured on the real binary against the tests' metadata server,
//! with the machine's own limits beside it. Prints figures, judges nothing.
//!
//! Arguments are the names of the [`CASES`] to measure, instead of all. CONFD=path measures that
//! program in place of the one just built; OTHER=path measures another one in turns with it.

#[allow(dead_code)] // the tests use the rest
#[path = "../../tests/it/env.rs"]
mod env;
#[allow(dead_code)]
#[path = "../../tests/it/http.rs"]
mod http;
#[allow(dead_code)]
#[path = "../../tests/it/metad.rs"]
mod metad;

mod daemon;
mod limits;
mod onetime;
mod programs;
mod sample;
mod scale;

use serde_json::{Value as Json, json};

use env::Env;
use metad::Metad;
use programs::Program;

/// As many as a large image has.
const RESOURCES: usize = 20;

type Case = (&'static str, fn(&[Program]));

/// The measurements, in this order.
const CASES: &[Case] = &[
    ("steady", onetime::steady),
    ("first", onetime::first),
    ("hosts", onetime::hosts),
    ("runs", scale::runs),
    ("instructions", scale::instructions),
    ("change", daemon::change_to_file),
    ("foreign", daemon::change_beside_foreign_ones),
    ("many", scale::one_of_many),
    ("idle", daemon::idle),
    ("memory", daemon::idle_memory),
    ("size", size),
];

fn main() {
    // cargo's own flags come along.
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let wanted: Vec<&String> = wanted
        .iter()
        .filter(|name| !name.starts_with('-'))
        .collect();
    let programs = programs::all();
    for (name, measure) in CASES {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            measure(&programs);
        }
    }
}

fn size(programs: &[Program]) {
    println!("size of the program");
    for program in programs {
        println!("  {:<46} {} bytes", program.name, program.size());
    }
}

/// The metadata of a cluster with this number of hosts, and a value that changes.
fn tree(hosts: usize, value: &str) -> Json {
    let host = |number: usize| {
        let ip = format!("10.{}.{}.{}", number >> 16, number >> 8 & 255, number & 255);
        let instance = format!("i-{number:08x}");
        let host = json!({
            "ip": ip, "sid": number.to_string(), "gid": "1", "gsid": number.to_string(), "node_id": format!("cln-{number:08x}"),
            "instance_id": instance, "cpu": "4", "memory": "8192", "volume_size": "100", "role": "node",
            "mac": format!("52:54:00:00:{:02x}:{:02x}", number >> 8 & 255, number & 255),
        });
        (instance, host)
    };
    let hosts: serde_json::Map<String, Json> = (1..=hosts).map(host).collect();
    json!({"hosts": hosts, "env": {"value": value}})
}

/// This number of resources, each with a line for every host.
fn environment(metad: &Metad, resources: usize) -> Env {
    let mut env = Env::with_metad(metad);
    // The measurement may take its time, under valgrind above all.
    env.settings("backend = \"metad\"");
    env.var("CONFD_ONETIME_WAIT", "10m");
    for number in 0..resources {
        let template = "value={{getv \"/env/value\"}}\n{{range $dir := lsdir \"/hosts\"}}\
            server.{{getv (printf \"/hosts/%s/sid\" $dir)}}={{getv (printf \"/hosts/%s/ip\" $dir)}}:2888:3888\n{{end}}";
        env.simple_with(&name_of(number), template, "");
    }
    env
}

/// The name of a resource and its file in out/.
fn name_of(number: usize) -> String {
    format!("app{number:02}")
}

/// An environment for each program, with a server of its own.
fn environments(programs: &[Program], hosts: usize, resources: usize) -> Vec<(Metad, Env)> {
    let one = |_: &Program| {
        let metad = Metad::start(tree(hosts, "0"));
        let env = environment(&metad, resources);
        (metad, env)
    };
    programs.iter().map(one).collect()
}
