//! The proof that no input breaks the template language: random input by the thousand, the same every time.
//!
//! `cargo test` runs a short share; FUZZ_SECONDS=600 makes each test go on for so long, with ever new seeds. The fuzz
//! targets in `fuzz/` share the generators.

mod choices;
mod grammar;
mod host;
mod lint;
mod mutate;
mod render;
mod values;
mod words;

use std::time::{Duration, Instant};

use app_agent::template::{format, strconv};
use choices::{Choices, Seeded};
use render::small_budget;
use serde_json::Value as Json;

/// Says which seed a failed assertion or a panic belongs to.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the seed was {}", self.0);
        }
    }
}

/// Runs `body` for the seeds below `count`, or for as long as FUZZ_SECONDS asks.
fn for_seeds(count: u64, mut body: impl FnMut(Seeded)) {
    let seconds = std::env::var("FUZZ_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok());
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    for seed in 0.. {
        let wanted = match end {
            Some(end) => Instant::now() < end,
            None => seed < count,
        };
        if !wanted {
            return;
        }
        let _seed = Seed(seed);
        body(Seeded(seed));
    }
}

#[test]
fn random_formats_print_something() {
    for_seeds(5_000, |mut choices| {
        let format = values::format(&mut choices);
        let count = choices.below(4);
        let args: Vec<_> = (0..count).map(|_| values::value(&mut choices, 3)).collect();
        let once = format::sprintf(&format, &args, &mut small_budget());
        let twice = format::sprintf(&format, &args, &mut small_budget());
        assert_eq!(once, twice);
        for print in [format::sprint, format::sprintln] {
            let text = print(&args, &mut small_budget());
            assert!(text.is_ok_and(|text| text.len() < 100_000));
        }
    });
}

#[test]
fn random_floats_read_back() {
    for_seeds(5_000, |mut choices| {
        let mut half = || choices.below(1 << 32) as u64;
        let number = f64::from_bits(half() << 32 | half());
        if number.is_nan() {
            return;
        }
        for verb in [b'e', b'f', b'g', b'x'] {
            let text = strconv::format_float(number, verb, None);
            let back = strconv::parse_float(&text).map(f64::to_bits);
            assert_eq!(back, Ok(number.to_bits()), "{number:e}");
        }
    });
}

#[test]
fn random_bytes_quote_and_unquote() {
    for_seeds(5_000, |mut choices| {
        let count = choices.below(40);
        let bytes: Vec<u8> = (0..count).map(|_| choices.below(256) as u8).collect();
        for literal in [strconv::quote(&bytes), strconv::quote_to_ascii(&bytes)] {
            assert_eq!(strconv::unquote(&literal).as_ref(), Some(&bytes));
        }
        let _ = strconv::unquote(&bytes);
        let _ = strconv::parse_float(&bytes);
        let _ = strconv::parse_int(&bytes, 0, 64);
    });
}

#[test]
fn random_templates_end() {
    for_seeds(500, |mut choices| {
        render::check(grammar::template(&mut choices).as_bytes());
    });
}

#[test]
fn damaged_templates_end() {
    let recorded: Vec<String> = include_str!("../../conformance/cases.jsonl")
        .lines()
        .map(|line| {
            let case: Json = serde_json::from_str(line).expect("a case");
            case["tmpl"].as_str().expect("its template").to_owned()
        })
        .collect();
    for_seeds(3_000, |mut choices| {
        let mut text = || match choices.below(8) {
            0 => grammar::template(&mut choices),
            _ => recorded[choices.below(recorded.len())].clone(),
        };
        let (text, other) = (text(), text());
        render::check(&mutate::mutate(
            text.as_bytes(),
            other.as_bytes(),
            &mut choices,
        ));
    });
}

#[test]
fn a_template_cut_off_anywhere_is_an_error_or_a_template() {
    let text = grammar::template(&mut Seeded(3)).repeat(2);
    for end in 0..text.len().min(2_000) {
        render::check(&text.as_bytes()[..end]);
    }
}
