//! The machine's own time for the parts of the work that cannot be left out.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use app_agent::tree::Tree;

use crate::env::Env;
use crate::metad::Metad;
use crate::programs::run;

/// Starting a process and waiting for its end.
pub(crate) fn start_a_process(env: &Env) {
    run(env.command_of("/bin/true", &[]));
}

/// The least that a safe swap of `count` files costs here: write and sync them side by side, rename
/// each, sync the directory.
pub(crate) fn swap_files(env: &Env, count: usize) {
    let path = |kind: &str, number: usize| env.path(&format!("out/{kind}{number:02}"));
    let write = |number| {
        let mut file = File::create(path("limit-new", number)).expect("a file");
        file.write_all(&[b'x'; 200]).expect("written");
        file.sync_all().expect("synced");
    };
    thread::scope(|scope| {
        let write = &write;
        for number in 0..count {
            scope.spawn(move || write(number));
        }
    });
    for number in 0..count {
        fs::rename(path("limit-new", number), path("limit", number)).expect("renamed");
    }
    let directory = File::open(env.path("out")).expect("the directory");
    directory.sync_all().expect("synced");
}

/// Asks for the whole tree and reads the answer, without looking at it. What the server does for it
/// is in it as well.
pub(crate) fn read_tree(metad: &Metad) -> Vec<u8> {
    let mut stream = TcpStream::connect(metad.node()).expect("the server");
    let head = "GET /self HTTP/1.1\r\nAccept: application/json\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("asked");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("answered");
    answer
}

/// Makes a tree of its JSON.
pub(crate) fn parse_tree(json: &str) {
    black_box(Tree::from_json(json.as_bytes()).expect("a tree"));
}
