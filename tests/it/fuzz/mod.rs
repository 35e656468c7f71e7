//! The proof that no input breaks the template language or any parser: random input by the
//! thousand, the same every time.
//!
//! `cargo test` runs a short share; FUZZ_SECONDS=600 makes each test go on for so long, with ever
//! new seeds. The fuzz targets in `fuzz/` are the functions in `targets`, and share the generators.

mod answer;
mod bytes;
pub(crate) mod choices;
pub(crate) mod grammar;
mod host;
mod lint;
mod mutate;
mod reads;
mod render;
mod targets;
pub(crate) mod values;
mod words;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use app_agent::go::strconv;
use app_agent::template::format;
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
    let words = dictionary("template");
    for_seeds(3_000, |mut choices| {
        let mut text = || match choices.below(8) {
            0 => grammar::template(&mut choices),
            _ => recorded[choices.below(recorded.len())].clone(),
        };
        let (text, other) = (text(), text());
        let damaged = mutate::mutate(text.as_bytes(), other.as_bytes(), &words, &mut choices);
        render::check(&damaged);
    });
}

/// A file or folder of the fuzz package.
fn fuzz(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz")
        .join(path)
}

/// The names in a folder of the fuzz package without their extensions, sorted.
fn fuzz_names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(fuzz(folder)).expect("a folder of the fuzz package");
    let stem = |path: PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    let names = entries.map(|entry| stem(entry.expect("an entry").path()).expect("its name"));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// A fuzzer's dictionary: one quoted word a line, with `\\`, `\"` and `\xNN` in it.
fn dictionary(target: &str) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(fuzz(&format!("dict/{target}.dict"))).expect("a dictionary");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let words = lines.map(|line| strconv::unquote(line.as_bytes()).expect("a quoted word"));
    words.collect()
}

/// The kept inputs of a fuzz target.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = format!("corpus/{target}");
    let files = fuzz_names(&folder).into_iter();
    let read = |name| fs::read(fuzz(&folder).join(name)).expect("a kept input");
    files.map(read).collect()
}

#[test]
fn every_parser_survives_its_corpus_and_damage_to_it() {
    for (name, target) in targets::ALL {
        let (corpus, words) = (corpus(name), dictionary(name));
        corpus.iter().for_each(|text| target(text));
        for_seeds(300, |mut choices| {
            let mut text = || &corpus[choices.below(corpus.len())];
            let (text, other) = (text(), text());
            target(&mutate::mutate(text, other, &words, &mut choices));
        });
    }
}

/// Else random answers would prove nothing about what comes after the head of one.
#[test]
fn good_answers_are_read_to_their_end() {
    for (name, trees) in [
        ("whole", 1..3),
        ("chunked", 1..3),
        ("twice", 2..3),
        ("half", 0..1),
    ] {
        let answer = fs::read(fuzz("corpus/http").join(name)).expect("a kept input");
        let count = targets::fetch_twice(&answer).len();
        assert!(trees.contains(&count), "{name}: {count}");
    }
}

#[test]
fn every_parser_has_a_fuzz_target_a_corpus_and_a_dictionary() {
    let names: Vec<&str> = targets::ALL.iter().map(|(name, _)| *name).collect();
    for folder in ["fuzz_targets", "corpus", "dict"] {
        assert_eq!(fuzz_names(folder), names, "{folder}");
    }
    let package = fs::read_to_string(fuzz("Cargo.toml")).expect("the fuzz package");
    let programs = package
        .lines()
        .filter_map(|line| line.strip_prefix("path = "));
    let paths = names
        .iter()
        .map(|name| format!("\"fuzz_targets/{name}.rs\""));
    assert!(programs.eq(paths));
}

#[test]
fn a_template_cut_off_anywhere_is_an_error_or_a_template() {
    let text = grammar::template(&mut Seeded(3)).repeat(2);
    for end in 0..text.len().min(2_000) {
        render::check(&text.as_bytes()[..end]);
    }
}
