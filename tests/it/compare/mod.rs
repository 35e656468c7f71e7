//! The library against a real Go, for as many random questions as there is time for: `make compare
//! GO=go`. Without COMPARE_GO, a Go 1.19, nothing is compared; COMPARE_YAML is a directory with the
//! source of yaml.v2, without which toYaml is not.
//!
//! The program itself is compared in `program`.
//!
//! `tests/compare` is a small Go program that answers the questions; here are the questions, and
//! our answers to them.

mod answers;
mod peer;
mod program;
mod questions;

use std::collections::BTreeMap;

use crate::fuzz::choices::Seeded;
use peer::Peer;

/// How many questions go to Go at once.
const BATCH: usize = 200;

/// A question: its kind, and its parts.
type Question = Vec<Vec<u8>>;

/// An answer: its parts, or none where both may say what they like.
type Answer = Option<Vec<Vec<u8>>>;

/// A kind of question, how to make one, and our answer.
struct Kind {
    name: &'static str,
    /// The kind that Go is asked for.
    asks: &'static str,
    question: fn(&mut Seeded) -> Question,
    answer: fn(&[Vec<u8>]) -> Answer,
    /// True if Go's answer is one to compare with.
    counts: fn(&[Vec<u8>]) -> bool,
}

/// Asks Go, and returns what differs by kind.
fn differences(peer: &mut Peer, kind: &Kind, batches: u64) -> Vec<String> {
    let mut different = Vec::new();
    for batch in 0..batches {
        let mut choices = Seeded(batch * 1_000_003);
        let questions: Vec<Question> = (0..BATCH).map(|_| (kind.question)(&mut choices)).collect();
        let answers = peer.ask(kind.asks, &questions);
        for (question, theirs) in questions.iter().zip(answers) {
            let Some(ours) = (kind.answer)(question).filter(|_| (kind.counts)(&theirs)) else {
                continue;
            };
            if ours != theirs {
                different.push(shown(question, &theirs, &ours));
            }
        }
    }
    different
}

fn shown(question: &[Vec<u8>], theirs: &[Vec<u8>], ours: &[Vec<u8>]) -> String {
    let text = |part: &Vec<u8>| format!("{:?}", String::from_utf8_lossy(part));
    let parts: Vec<String> = question.iter().take(4).map(text).collect();
    let mut lines = format!("{}\n", parts.join(" "));
    for (place, their) in theirs.iter().enumerate() {
        let our = ours.get(place).map_or_else(|| "nothing".to_owned(), text);
        if Some(their) != ours.get(place) {
            lines += &format!("  Go   {}\n  here {our}\n", text(their));
        }
    }
    lines
}

/// The number of batches of each kind.
fn batches() -> u64 {
    let batches = std::env::var("COMPARE_BATCHES").ok();
    batches.and_then(|text| text.parse().ok()).unwrap_or(25)
}

#[test]
fn go_says_the_same() {
    let Some(mut peer) = Peer::start() else {
        eprintln!("compare: COMPARE_GO names no Go: nothing is compared");
        return;
    };
    let batches = batches();
    let only = std::env::var("COMPARE_ONLY").ok();
    let mut report = BTreeMap::new();
    for kind in questions::KINDS {
        let is_left_out = only.as_ref().is_some_and(|only| only != kind.name);
        if is_left_out || (kind.name == "yaml" && !peer.has_yaml) {
            continue;
        }
        let different = differences(&mut peer, kind, batches);
        eprintln!(
            "compare: {} {}: {} differ",
            batches * BATCH as u64,
            kind.name,
            different.len()
        );
        if !different.is_empty() {
            report.insert(kind.name, different);
        }
    }
    let examples = report.iter().map(|(name, all)| {
        let some: Vec<&str> = all.iter().take(20).map(String::as_str).collect();
        format!("{name}: {}\n{}", all.len(), some.join("\n"))
    });
    let examples: Vec<String> = examples.collect();
    assert!(examples.is_empty(), "{}", examples.join("\n"));
}
