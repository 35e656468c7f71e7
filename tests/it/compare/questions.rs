//! Random questions of every kind, most of them near the edges of what is valid.

use serde_json::Value as Json;

use super::{Kind, Question, answers};
use crate::fuzz::choices::{Choices, Seeded};
use crate::fuzz::{grammar, values};

/// Every kind of question.
pub(super) const KINDS: &[Kind] = &[
    kind("pattern", pattern, answers::pattern),
    Kind {
        counts: |answer| !answer[0].ends_with(b"`(?<`"),
        ..kind("regexp", regexp, answers::regexp)
    },
    kind("float", float, answers::float),
    kind("integer", integer, answers::integer),
    kind("quote", quote, answers::quote),
    kind("case", case, answers::case),
    kind("path", path, answers::paths),
    kind("time", time, answers::time),
    kind("duration", duration, answers::durations),
    kind("json", json, answers::json),
    Kind {
        counts: |answer| answer[0] != b"several",
        ..kind("yaml", yaml, answers::yaml)
    },
    Kind {
        name: "template",
        counts: is_comparable,
        ..kind("render", template, answers::render)
    },
    Kind {
        name: "printf",
        counts: is_comparable,
        ..kind("render", printf, answers::render)
    },
];

const fn kind(
    name: &'static str,
    question: fn(&mut Seeded) -> Question,
    answer: fn(&[Vec<u8>]) -> super::Answer,
) -> Kind {
    Kind {
        name,
        asks: name,
        question,
        answer,
        counts: |_| true,
    }
}

/// A string of at most `most` of these pieces.
fn pieces(choices: &mut Seeded, most: usize, pieces: &[&str]) -> String {
    let count = choices.below(most + 1);
    (0..count).map(|_| choices.pick(pieces)).collect()
}

/// The same, with a byte that is not UTF-8 here and there.
fn bytes(choices: &mut Seeded, most: usize, all: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..choices.below(most + 1) {
        if choices.one_in(12) {
            out.push(0x80 + choices.below(128) as u8);
        }
        out.extend(choices.pick(all).bytes());
    }
    out
}

fn pattern(choices: &mut Seeded) -> Question {
    let pattern = pieces(
        choices,
        8,
        &[
            "a",
            "b",
            "/",
            "*",
            "?",
            "[",
            "]",
            "[a-b]",
            "[^a]",
            "\\",
            "-",
            "^",
            "中",
            "[中-文]",
            "/a/",
            "**",
        ],
    );
    let name = pieces(choices, 6, &["a", "b", "/", "中", "é", "]", "-", "[", "*"]);
    vec![pattern.into(), name.into()]
}

const REGEXP: &[&str] = &[
    "a",
    "b",
    "ab",
    "k",
    "s",
    "é",
    "中",
    "σ",
    "(",
    ")",
    "(?:",
    "(?i)",
    "(?P<n>",
    "(?s)",
    "(?m)",
    "(?U)",
    "(?-i)",
    "(?i:",
    "*",
    "+",
    "?",
    "|",
    "|",
    ".",
    "^",
    "$",
    "{2}",
    "{1,3}",
    "{0}",
    "{2,}",
    "{,3}",
    "{1001}",
    "[a-c]",
    "[^a]",
    "[[:alpha:]]",
    "[[:^word:]]",
    "[",
    "]",
    "[]a]",
    "[\\pL\\d]",
    "\\pL",
    "\\PN",
    "\\p{Han}",
    "\\p{^Lu}",
    "\\P{Greek}",
    "\\p{Lu}",
    "\\d",
    "\\W",
    "\\s",
    "\\b",
    "\\B",
    "\\A",
    "\\z",
    "\\x41",
    "\\x{4e2d}",
    "\\101",
    "\\",
    "\\Q.\\E",
    "\\p",
    "\\pX",
    "-",
    "(a)",
    "(a*)",
    "(|a)",
    "(b+|)",
];

fn regexp(choices: &mut Seeded) -> Question {
    let pattern = pieces(choices, 7, REGEXP);
    let text = bytes(
        choices,
        8,
        &[
            "a", "b", "ab", "A", "K", "\u{212a}", "ſ", "É", "中", "Σς", "1", " ", "\n", "_", ".",
        ],
    );
    let with = bytes(
        choices,
        3,
        &[
            "<$0>", "$1", "${n}", "$n", "$", "$$", "x", "$1x", "${1}x", "$é",
        ],
    );
    vec![pattern.into(), text, with]
}

fn bits(choices: &mut Seeded) -> u64 {
    (choices.below(1 << 32) as u64) << 32 | choices.below(1 << 32) as u64
}

fn float(choices: &mut Seeded) -> Question {
    let number = match choices.below(6) {
        0 => f64::from_bits(bits(choices)),
        1 => (1e14 * 8.0 + (bits(choices) % 7_200_000_000_000_000) as f64) / 8.0,
        2 => (bits(choices) % 100_000) as f64 / 1000.0,
        3 => 10_f64.powi(choices.below(640) as i32 - 320) * (1 + choices.below(9)) as f64,
        4 => bits(choices) as f64,
        _ => f64::from_bits(bits(choices) >> choices.below(64)),
    };
    let number = if choices.one_in(4) { -number } else { number };
    vec![number.to_bits().to_string().into_bytes()]
}

fn integer(choices: &mut Seeded) -> Question {
    let all = [
        "0",
        "1",
        "7",
        "8",
        "9",
        "_",
        "x",
        "X",
        "b",
        "o",
        "e",
        "E",
        "+",
        "-",
        ".",
        "f",
        "p",
        "inf",
        "nan",
        "true",
        "T",
        "99999999999999999999",
        "0x",
        "0b",
        " ",
        "\"",
        "中",
    ];
    vec![bytes(choices, 6, &all)]
}

fn quote(choices: &mut Seeded) -> Question {
    let all = [
        "a",
        "\"",
        "`",
        "\\",
        "\\n",
        "\\x41",
        "\\u4e2d",
        "\\U0001F600",
        "\\777",
        "\n",
        "\0",
        "\u{7f}",
        "\u{ad}",
        "\u{200b}",
        "中",
        "😀",
        "\u{e000}",
        "\u{1fae8}",
        "\u{feff}",
    ];
    let mut text = bytes(choices, 5, &all);
    if choices.one_in(2) {
        // Characters have a function of their own here.
        let end = choices.pick(&["\"", "`"]).as_bytes();
        text = [end, &text, end].concat();
    }
    vec![text]
}

fn case(choices: &mut Seeded) -> Question {
    let limit = choices.pick(&["600", "3000", "20000", "120000"]);
    let limit: usize = limit.parse().expect("a number");
    let all = (0..20).filter_map(|_| char::from_u32(choices.below(limit) as u32));
    vec![all.collect::<String>().into_bytes()]
}

fn path(choices: &mut Seeded) -> Question {
    vec![pieces(choices, 7, &["/", "/", ".", "..", "a", "中"]).into_bytes()]
}

pub(super) const ZONES: &[&str] = &[
    "UTC",
    "Asia/Shanghai",
    "America/New_York",
    "EST5EDT",
    "CST6CDT",
    "Europe/Dublin",
    "Australia/Sydney",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Etc/GMT-8",
    "America/Sao_Paulo",
    "Antarctica/Troll",
    "Asia/Tehran",
    "Pacific/Apia",
    "Europe/London",
];

const LAYOUTS: &[&str] = &[
    "2006",
    "06",
    "01",
    "1",
    "Jan",
    "January",
    "02",
    "2",
    "_2",
    "002",
    "__2",
    "15",
    "03",
    "3",
    "04",
    "4",
    "05",
    "5",
    "PM",
    "pm",
    "Mon",
    "Monday",
    "MST",
    "-0700",
    "-07:00",
    "-07",
    "-070000",
    "-07:00:00",
    "Z0700",
    "Z07:00",
    "Z07",
    "Z070000",
    "Z07:00:00",
    ".000",
    ",999",
    ".00",
    ".9",
    " ",
    "-",
    ":",
    "T",
    "Janet",
    "_2006",
    "中",
    "0",
    ".0000000000",
    "20",
    "年",
];

fn time(choices: &mut Seeded) -> Question {
    let seconds = match choices.below(4) {
        0 => bits(choices) as i64 % 300_000_000_000,
        1 => bits(choices) as i64 % 5_000_000_000,
        _ => choices.below(2_200_000_000) as i64,
    };
    let step = match choices.below(4) {
        0 => bits(choices) as i64,
        1 => choices.below(5) as i64 * 1_800_000_000_000,
        2 => -(choices.below(1_000_000_000) as i64),
        _ => choices.below(usize::MAX >> 20) as i64,
    };
    vec![
        choices.pick(ZONES).as_bytes().to_vec(),
        seconds.to_string().into_bytes(),
        choices.below(1_000_000_000).to_string().into_bytes(),
        pieces(choices, 6, LAYOUTS).into_bytes(),
        step.to_string().into_bytes(),
    ]
}

fn duration(choices: &mut Seeded) -> Question {
    let all = [
        "1",
        "0",
        "59",
        ".",
        ".5",
        "h",
        "m",
        "s",
        "ms",
        "us",
        "µs",
        "ns",
        "-",
        "+",
        "d",
        "9223372036",
        "854775807",
        "333333333333333333333",
        " ",
    ];
    let nanos = bits(choices) as i64 >> choices.below(63);
    vec![
        pieces(choices, 6, &all).into_bytes(),
        nanos.to_string().into_bytes(),
    ]
}

fn json(choices: &mut Seeded) -> Question {
    let all = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"b\"",
        "1",
        "-0",
        "1e3",
        "1.5e-7",
        "1e400",
        "null",
        "true",
        "fals",
        " ",
        "\"\\u4e2d\"",
        "\"\\ud83d\"",
        "\"<&>\"",
        "\"\u{2028}\"",
        "01",
        "{\"a\":",
        "[1,",
        "\"",
        "123456789012345678901",
        "0.000001",
    ];
    vec![bytes(choices, 7, &all)]
}

/// Scalars that YAML quotes, folds, escapes or sorts in its own way; not dates and `1e3`, which
/// newer versions of yaml.v2 quote.
const SCALARS: &[&str] = &[
    "a",
    "b",
    "Z",
    " ",
    "  ",
    "word ",
    "0",
    "1",
    "10",
    "9",
    "007",
    "0x1f",
    "0b1",
    "0o7",
    ".5",
    "+1",
    "-",
    "1_000",
    "~",
    "null",
    "Null",
    "true",
    "yes",
    "No",
    "on",
    "y",
    "n",
    "<<",
    "=",
    ".inf",
    ".nan",
    "e+3",
    "1:20",
    "---",
    "...",
    ":",
    ": ",
    "#",
    " #",
    "?",
    "!",
    "&a",
    "*",
    "|",
    ">",
    "%",
    "@",
    "`",
    "{",
    "}",
    "[",
    "]",
    ",",
    "'",
    "\"",
    "\\",
    "\n",
    "\r",
    "\t",
    "\0",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{2028}",
    "\u{feff}",
    "\u{301}",
    "\u{663}",
    "é",
    "中",
    "😀",
    "a long word of several others that goes on and on ",
    "/opt/application/conf/server.properties",
];

fn scalar(choices: &mut Seeded) -> String {
    pieces(choices, 5, SCALARS)
}

/// A JSON value. Numbers are those that yaml.v2 has always printed in the same way.
fn value(choices: &mut Seeded, depth: usize) -> Json {
    match choices.below(if depth == 0 { 5 } else { 9 }) {
        0 => Json::Null,
        1 => choices.below(2).eq(&0).into(),
        2 => (choices.below(100_000) as f64 / 8.0).into(),
        3 | 4 => scalar(choices).into(),
        5 | 6 => (0..choices.below(4))
            .map(|_| value(choices, depth - 1))
            .collect(),
        _ => (0..choices.below(5))
            .map(|_| (scalar(choices), value(choices, depth - 1)))
            .collect(),
    }
}

fn yaml(choices: &mut Seeded) -> Question {
    vec![value(choices, 3).to_string().into_bytes()]
}

fn question(template: Vec<u8>) -> Question {
    let leaves = answers::leaves().flat_map(|(key, value)| [key.into_bytes(), value.into_bytes()]);
    let mut question = vec![b"x.tmpl".to_vec(), template];
    question.extend(leaves);
    question
}

pub(super) fn template(choices: &mut Seeded) -> Question {
    question(grammar::template(choices).into_bytes())
}

const ARGUMENTS: &[&str] = &[
    "1",
    "-1",
    "0",
    "255",
    "20013",
    "1.5",
    "-2.25",
    "1e6",
    "1e21",
    "true",
    "nil",
    "\"a\"",
    "\"中\\n\"",
    "\"\\xff\"",
    "'x'",
    "1+2i",
    "(list 1 \"a\" nil)",
    "(list)",
    "(split \"a,b\" \",\")",
    "(map \"k\" 1.5 \"a\" (list 2))",
    "(json \"{\\\"n\\\":1e3}\")",
    "(fromJson \"[1,[2,null]]\")",
    "(gets \"/p/*\")",
    "(index (gets \"/p/*\") 0)",
    "datetime.Month",
    "datetime.Weekday",
    "(datetime.Sub datetime)",
    "(index \"abc\" 1)",
    "datetime.MarshalText",
    "(datetime.Unix)",
    "(print 1 2)",
    "-9223372036854775808",
];

fn printf(choices: &mut Seeded) -> Question {
    let mut format = values::format(choices);
    // Addresses differ.
    format.retain(|byte| *byte != b'p');
    let mut template = b"{{printf ".to_vec();
    template.extend(app_agent::go::strconv::quote(&format));
    for _ in 0..choices.below(4) {
        template.push(b' ');
        template.extend(choices.pick(ARGUMENTS).bytes());
    }
    template.extend(b"}}");
    question(template)
}

/// Messages of what the original refuses and this program does on purpose (docs/templates.md has
/// the list).
const DELIBERATE: &[&str] = &[
    "unexpected <with> in else",
    "expected []string; got []interface {}",
    "range can't iterate over ",
];

/// True if Go's answer is about what both know, and nothing that is different on purpose.
fn is_comparable(answer: &[Vec<u8>]) -> bool {
    let kind = answer[0].as_slice();
    let text = String::from_utf8_lossy(answer.get(1).map_or(&[][..], Vec::as_slice));
    match kind {
        b"parse" | b"error" => {
            let deliberate = DELIBERATE.iter().any(|words| text.contains(words));
            !deliberate && !text.contains("not defined")
        }
        b"out" => true,
        _ => false,
    }
}
