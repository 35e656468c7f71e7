//! The metadata server of the tests by itself, for scripts: `metad FILE` serves the JSON in FILE as
//! a node's view, and prints its address. Then each line of its input is an order: `put KEY VALUE`,
//! `delete KEY`, `fail CODE`, `heal`. It ends with its input.

#[path = "it/http.rs"]
#[allow(dead_code, reason = "the tests need all of it")]
mod http;
#[path = "it/metad.rs"]
#[allow(dead_code, reason = "the tests need all of it")]
mod metad;

/// The part of the tests' environment that the server is compiled with, and no order needs.
mod env {
    pub(crate) const LIMIT: std::time::Duration = std::time::Duration::from_secs(60);

    pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
        assert!(done(), "this program does not wait until {what}");
    }
}

use std::io::stdin;

use metad::{Fault, Metad};

fn main() {
    let file = std::env::args_os().nth(1).expect("usage: metad FILE");
    let text = std::fs::read_to_string(file).expect("the file can be read");
    let metad = Metad::start(serde_json::from_str(&text).expect("the file is JSON"));
    println!("{}", metad.node());
    for line in stdin().lines() {
        let line = line.expect("the input is text");
        match line.splitn(3, ' ').collect::<Vec<_>>()[..] {
            ["put", key, value] => drop(metad.put(key, value)),
            ["delete", key] => metad.delete(key),
            ["fail", code] => {
                let code = code.parse().expect("a status code");
                metad.fail(Fault::error(code, "as ordered"));
            }
            ["heal"] => metad.heal(),
            _ => panic!("no such order: {line}"),
        }
    }
}
