//! Any text as a template, and any decisions as a template by the grammar: it ends, with a text or an error, and
//! comes out the same again.
#![no_main]

mod bytes;
#[path = "../../tests/it/random/choices.rs"]
#[allow(dead_code)]
mod choices;
#[path = "../../tests/it/random/grammar.rs"]
mod grammar;
#[path = "../../tests/it/random/host.rs"]
mod host;
#[path = "../../tests/it/random/render.rs"]
mod render;
#[path = "../../tests/it/random/words.rs"]
mod words;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // Text begins with a brace or anything else that is not a control character.
    match data.split_first() {
        Some((0..0x20, decisions)) => {
            render::check(grammar::template(&mut Bytes(decisions)).as_bytes());
        }
        _ => render::check(data),
    }
});
