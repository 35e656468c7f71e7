//! Any format with any values: it prints something, and the same twice.
#![no_main]

mod bytes;
#[path = "../../tests/it/random/choices.rs"]
#[allow(dead_code)]
mod choices;
#[path = "../../tests/it/random/values.rs"]
#[allow(dead_code)]
mod values;

use app_agent::template::{Budget, format, strconv};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let split = data
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(data.len());
    let (format, rest) = data.split_at(split);
    let mut choices = Bytes(rest);
    let args: Vec<_> = (0..3).map(|_| values::value(&mut choices, 3)).collect();
    let budget = || Budget {
        bytes: 1_000_000,
        steps: 1000,
        ..Budget::default()
    };
    let once = format::sprintf(format, &args, &mut budget());
    assert_eq!(once, format::sprintf(format, &args, &mut budget()));
    let _ = strconv::parse_int(format, 0, 64);
    let _ = strconv::parse_float(format);
    let _ = strconv::unquote(format);
});
