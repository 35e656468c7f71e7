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
#[path = "../../tests/it/random/words.rs"]
mod words;

use app_agent::resource::funcs::FUNCTIONS;
use app_agent::template::{Budget, Error, Options, Template, Value};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // Text begins with a brace or anything else that is not a control character.
    match data.split_first() {
        Some((0..0x20, decisions)) => try_template(grammar::template(&mut Bytes(decisions)).as_bytes()),
        _ => try_template(data),
    }
});

fn try_template(text: &[u8]) {
    let render = || -> Result<Vec<u8>, Error> {
        let mut budget = Budget {
            steps: 20_000,
            bytes: 200_000,
            ..Budget::default()
        };
        let template = Template::parse("x.tmpl", text, FUNCTIONS)?;
        let mut host = host::Machineless::new();
        template.execute(&mut host, &Value::Nil, Options::default(), &mut budget)
    };
    let once = render();
    if let Err(error) = &once {
        assert!(!format!("{error}{}", error.snippet()).is_empty());
    }
    assert_eq!(once, render());
}
