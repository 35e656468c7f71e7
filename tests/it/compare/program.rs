//! The program against a real Go: the one that `CONFD` names, such as the static one, with the C
//! library that it ships with. The library's comparisons do not run there.

use serde_json::{Map, Value as Json};

use super::peer::Peer;
use super::questions::{self, ZONES};
use super::{Question, answers};
use crate::env::Env;
use crate::fuzz::choices::{Choices, Seeded};

/// The templates of one run.
const RUN: usize = 300;
/// The moments of one zone.
const MOMENTS: usize = 200;
/// A layout with all that a zone decides.
const LAYOUT: &str = "2006-01-02 15:04:05.000000000 -0700 MST Z07:00:00";

/// The metadata of the questions.
fn metadata() -> Json {
    let leaves = answers::leaves();
    let leaves = leaves.map(|(key, value)| (key.trim_start_matches('/').to_owned(), value.into()));
    Json::Object(leaves.collect::<Map<String, Json>>())
}

/// Random templates whose output depends on nothing but their metadata, and is not huge.
fn templates(seed: u64) -> Vec<Question> {
    let mut choices = Seeded(seed);
    let mut found = Vec::new();
    while found.len() < RUN {
        let question = questions::template(&mut choices);
        let text = String::from_utf8_lossy(&question[1]);
        let depends = ["datetime", "getenv", "hostname"];
        let is_fixed = !depends.iter().any(|name| text.contains(name));
        if is_fixed && answers::render(&question).is_some_and(|answer| answer[0] == b"out") {
            found.push(question);
        }
    }
    found
}

/// Renders the templates in one run, and returns those whose output differs from Go's.
fn wrong_in_one_run(peer: &mut Peer, seed: u64) -> Vec<String> {
    let env = Env::with_tree(&metadata());
    let questions = templates(seed);
    for (number, question) in questions.iter().enumerate() {
        let path = env.path(&format!("etc/templates/{number}.tmpl"));
        env.simple(&number.to_string(), "");
        std::fs::write(path, &question[1]).expect("a template");
    }
    env.onetime();
    let asked = peer.ask("render", &questions);
    let answers = questions.iter().zip(asked).enumerate();
    let different = answers.filter_map(|(number, (question, theirs))| {
        if theirs[0] != b"out" {
            return None;
        }
        let ours = std::fs::read(env.path(&format!("out/{number}"))).ok();
        let shown = || format!("{:?}\n  Go   {:?}", question[1], theirs[1]);
        (ours.as_ref() != Some(&theirs[1])).then(shown)
    });
    different.collect()
}

#[test]
fn the_program_renders_what_go_renders() {
    let Some(mut peer) = Peer::start() else {
        return;
    };
    let runs = super::batches().div_ceil(10);
    let wrong: Vec<String> = (0..runs)
        .flat_map(|run| wrong_in_one_run(&mut peer, run * 7_777_777 + 1))
        .collect();
    eprintln!(
        "compare: {} templates of the program: {} differ",
        runs * RUN as u64,
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A template that prints moments, each as seconds since 1970 and by the layout in the local zone.
fn moments(choices: &mut Seeded) -> String {
    // `Truncate` counts from the year 1, and has come to a fixed moment of 1755 for a long time.
    let mut template = String::from("{{$then := (datetime.Truncate 9223372036854775807).UTC}}");
    for _ in 0..MOMENTS {
        let (years, days) = (choices.below(300) + 160, choices.below(400));
        let step = choices.below(86_400) as u64 * 1_000_000_000;
        template += &format!(
            "{{{{$at := ($then.AddDate {years} 0 {days}).Add {step}}}}}{{{{$at.Unix}}}} {{{{$at.Nanosecond}}}} {{{{$at.Local.Format {LAYOUT:?}}}}}\n"
        );
    }
    template
}

#[test]
fn the_program_has_the_zones_of_go() {
    let Some(mut peer) = Peer::start() else {
        return;
    };
    let mut choices = Seeded(1);
    let mut wrong = Vec::new();
    for zone in ZONES {
        let mut env = Env::with_tree(&metadata());
        env.var("TZ", zone);
        env.simple("then", &moments(&mut choices));
        env.onetime().expect_code(0);
        let text = env.read("out/then");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), MOMENTS);
        let parts: Vec<Vec<&str>> = lines
            .iter()
            .map(|line| line.splitn(3, ' ').collect())
            .collect();
        let ask = |part: &Vec<&str>| {
            let [seconds, nanos] = [part[0], part[1]];
            [zone, seconds, nanos, LAYOUT, "1"]
                .map(|part| part.as_bytes().to_vec())
                .to_vec()
        };
        let asked: Vec<Question> = parts.iter().map(ask).collect();
        for (part, theirs) in parts.iter().zip(peer.ask("time", &asked)) {
            let theirs = String::from_utf8_lossy(&theirs[0]).into_owned();
            if theirs != part[2] {
                wrong.push(format!("{zone} {}: Go {theirs}, here {}", part[0], part[2]));
            }
        }
    }
    eprintln!(
        "compare: {} moments of the program: {} differ",
        ZONES.len() * MOMENTS,
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
