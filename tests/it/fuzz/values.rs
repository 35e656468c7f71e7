//! Random values of every Go type, and random formats for them.

use std::rc::Rc;

use app_agent::go::time::{Local, Offset, Time, Zone};
use app_agent::template::Value;
use app_agent::template::value::{Pair, Service, Str};

use super::choices::Choices;

const TEXTS: &[&[u8]] = &[
    b"",
    b"a",
    b"hello world",
    "中文 😀".as_bytes(),
    b"\xff\xfe",
    b"a\"b`c\\",
    b"%d",
    b"\0\n\x7f",
    "\u{2028}\u{feff}".as_bytes(),
];

const FLOATS: &[f64] = &[
    0.0,
    -0.0,
    1.0,
    -1.5,
    0.1,
    1e6,
    1e21,
    1e-7,
    123_456_789.125,
    f64::MAX,
    f64::MIN_POSITIVE,
    5e-324,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
];

const INTEGERS: &[i64] = &[
    0,
    1,
    -1,
    10,
    255,
    -256,
    0x4e2d,
    0x11_0000,
    i64::MAX,
    i64::MIN,
];

const VERBS: &[&str] = &[
    "v", "d", "s", "q", "x", "X", "b", "o", "O", "c", "U", "t", "T", "p", "e", "E", "f", "F", "g",
    "G", "w", "z", "%", "中", "!", "", ".", "[",
];

fn text(choices: &mut impl Choices) -> Str {
    Str::from(choices.pick(TEXTS))
}

fn integer(choices: &mut impl Choices) -> i64 {
    INTEGERS[choices.below(INTEGERS.len())]
}

fn pair(choices: &mut impl Choices) -> Pair {
    Pair {
        key: text(choices),
        value: text(choices),
    }
}

fn service(choices: &mut impl Choices) -> Service {
    Service {
        target: text(choices),
        port: choices.below(65_536) as u16,
        priority: 0,
        weight: 7,
    }
}

fn zone(seconds: i64) -> Offset {
    Offset {
        seconds: if seconds % 2 == 0 { 3600 } else { -34_200 },
        name: "XST".into(),
        is_dst: false,
    }
}

/// A value that nests at most `depth` levels.
pub(crate) fn value(choices: &mut impl Choices, depth: usize) -> Value {
    let count = choices.below(4);
    match choices.below(if depth == 0 { 17 } else { 21 }) {
        0 => Value::Nil,
        1 => Value::Bool(choices.one_in(2)),
        2 | 3 => Value::Int(integer(choices)),
        4 => Value::Int64(integer(choices)),
        5 => Value::Uint8(choices.below(256) as u8),
        6 => Value::Uint16(choices.below(65_536) as u16),
        7 => Value::Float(FLOATS[choices.below(FLOATS.len())]),
        8 => Value::Complex(
            FLOATS[choices.below(FLOATS.len())],
            FLOATS[choices.below(FLOATS.len())],
        ),
        9 | 10 => Value::Str(text(choices)),
        11 => Value::Pair(Rc::new(pair(choices))),
        12 => Value::Time(Rc::new(Time {
            seconds: integer(choices),
            nanos: choices.below(1_000_000_000) as u32,
            utc: choices.one_in(2),
            local: Local::new(Zone::of_system("Local", zone)),
        })),
        13 => Value::Duration(integer(choices)),
        14 => Value::Month(choices.below(14) as u8),
        15 if choices.one_in(2) => Value::Weekday(choices.below(8) as u8),
        15 => Value::Bytes(text(choices).as_bytes().into()),
        16 => Value::Service(Rc::new(service(choices))),
        17 => Value::Strings((0..count).map(|_| text(choices)).collect()),
        18 => Value::Pairs((0..count).map(|_| pair(choices)).collect()),
        19 => {
            let items = (0..count).map(|_| value(choices, depth - 1)).collect();
            Value::list(items).expect("shallow")
        }
        _ => {
            let entries = (0..count).map(|_| (text(choices), value(choices, depth - 1)));
            Value::map(entries.collect()).expect("shallow")
        }
    }
}

/// A format with up to four directives, right or wrong.
pub(crate) fn format(choices: &mut impl Choices) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..1 + choices.below(4) {
        out.extend_from_slice(choices.pick(TEXTS));
        out.push(b'%');
        for _ in 0..choices.below(3) {
            let flag = choices.pick(&["-", "+", "#", "0", " "]);
            out.extend(flag.bytes());
        }
        if choices.one_in(5) {
            let index = choices.pick(&[
                "[1]",
                "[2]",
                "[3]",
                "[0]",
                "[9]",
                "[",
                "[]",
                "[x]",
                "[99999999999]",
            ]);
            out.extend(index.bytes());
        }
        let width = choices.pick(&[
            "",
            "",
            "",
            "5",
            "0",
            "*",
            "12",
            "300",
            "1000000",
            "99999999999",
        ]);
        out.extend(width.bytes());
        let precision =
            choices.pick(&["", "", "", ".", ".3", ".0", ".*", ".400", ".99999", ".[2]*"]);
        out.extend(precision.bytes());
        out.extend(choices.pick(VERBS).bytes());
    }
    out
}
