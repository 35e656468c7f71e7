//! The words of random templates: functions with what they take, and texts that are likely to hit
//! something.

use std::sync::LazyLock;

use app_agent::resource::funcs::{self, Doc, docs};

/// The kind that an argument should have; one in ten is something else all the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Any,
    Path,
    Glob,
    Text,
    Number,
    Bool,
    Strings,
    List,
    Map,
    Regex,
    Json,
    Time,
    /// Any number of anything.
    Rest,
}

use Kind::{Any, Bool, Glob, Json, List, Map, Number, Path, Regex, Rest, Strings, Text, Time};

/// A function's name, and what it takes.
pub(super) type Signature = (&'static str, Vec<Kind>);

/// Every function, Go's and confd's, as the table of functions documents them: once without the
/// arguments that may be omitted, once with them.
pub(super) static FUNCTIONS: LazyLock<Vec<Signature>> =
    LazyLock::new(|| docs().flat_map(signatures).collect());

fn signatures(doc: &Doc) -> Vec<Signature> {
    let (fixed, optional) = doc.args.split_once('[').unwrap_or((doc.args, ""));
    let kinds = |args: &str| {
        let words = args.split([' ', '[', ']']).filter(|word| !word.is_empty());
        words.map(|word| kind(word, doc)).collect::<Vec<Kind>>()
    };
    let fixed = kinds(fixed);
    let all = [fixed.clone(), kinds(optional)].concat();
    let mut signatures = vec![(doc.name, fixed)];
    if !optional.is_empty() {
        signatures.push((doc.name, all));
    }
    // Operators take everything.
    if doc.args == "A B" {
        signatures.push((doc.name, vec![Any, Any]));
    }
    signatures
}

/// The kind of an argument, by its word in the documentation.
fn kind(word: &str, doc: &Doc) -> Kind {
    match word {
        "KEY" if doc.reads.is_some() => Path,
        "PATH" => Path,
        "PATTERN" if doc.reads.is_some() => Glob,
        "PATTERN" => Regex,
        "JSON" => Json,
        "A" | "B" | "COUNT" | "FIRST" | "LAST" | "FROM" | "TO" => Number,
        "LIST" if doc.result == funcs::Kind::Varies => List,
        "LIST" | "PAIRS" => Strings,
        "MAP" => Map,
        "CONDITION" => Bool,
        "VALUE" | "YES" | "NO" | "DEFAULT" => Any,
        _ if word.ends_with('…') => Rest,
        _ => Text,
    }
}

pub(super) const METHODS: &[(&str, &[Kind])] = &[
    ("Format", &[Text]),
    ("UTC", &[]),
    ("Local", &[]),
    ("Year", &[]),
    ("Month", &[]),
    ("Weekday", &[]),
    ("Add", &[Number]),
    ("AddDate", &[Number, Number, Number]),
    ("Truncate", &[Number]),
    ("Sub", &[Time]),
    ("Date", &[]),
    ("Location", &[]),
    ("In", &[Any]),
    ("IsDST", &[]),
    ("MarshalText", &[]),
    ("MarshalJSON", &[]),
    ("AppendFormat", &[Any, Text]),
    ("String", &[]),
];

pub(super) const PATHS: &[&str] = &[
    "/", "/hosts", "/hosts/", "/k", "/only", "/p/a", "/none", "/n/int", "/n/float", "/s/hello",
    "/j/obj", "", "//", "/../..", "/svc/web", "/p", "中",
];

pub(super) const GLOBS: &[&str] = &[
    "/*",
    "/p/*",
    "/p/a*",
    "/*/*",
    "/s/?",
    "/p/[a-b]",
    "/p/[",
    "/p/[^a]",
    "*",
    "\\",
    "/svc/*/*/*",
    "/*a*a*a*a*a*a*a*a*b",
];

pub(super) const TEXTS: &[&str] = &[
    "",
    "a",
    "hello world",
    "a,b,,c",
    "中文 😀",
    "\\u0000",
    "1",
    "-7",
    "3.14",
    "1e3",
    "NaN",
    "true",
    "t",
    "0x10",
    "%d",
    "%s %v",
    "%[2]*.[1]*f",
    "%!",
    "%999999999d",
    "%99999d",
    "%+#x",
    "%q %T %p",
    "%.99999f",
    "2006-01-02 15:04:05 MST",
    "__2 .999",
    "$1 ${name}",
    "aGVsbG8=",
    "t0",
    "x.tmpl",
    "../x",
    "Key",
    "a_b-c D",
    ",",
];

pub(super) const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "3",
    "10",
    "017",
    "0x1F",
    "0b11",
    "1_000",
    "1.5",
    "-0.0",
    "1e3",
    "1e-400",
    "0x1p-2",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "1e3i",
    "'x'",
    "'\\n'",
    "'中'",
    "100000",
    "1000000000",
];

pub(super) const REGEXES: &[&str] = &[
    "a",
    ".*",
    "^vxnet-[a-z0-9]+$",
    "(a+)+$",
    "[",
    "(?i)A",
    "(?P<name>b)",
    "\\\\d+",
    "a{1000}",
    "(((((a)))))",
    "\\\\pL",
    "x*",
    "a{,3}",
    "(?:(?:(?:a{20}){20}){20})",
];

pub(super) const JSONS: &[&str] = &[
    "{}",
    "[]",
    "[1,2]",
    "{\\\"a\\\":{\\\"b\\\":[1,null,true,\\\"x\\\"]}}",
    "{bad",
    "null",
    "1e999",
    "\\\"\\\\ud800\\\"",
    "[[[[[[[[[[]]]]]]]]]]",
    "",
];

pub(super) const WORDS: &[&str] = &[
    "text ",
    "\n",
    "  \n\t",
    "server {{\"{{\"}}:",
    "中文",
    "}}",
    "{ ",
    "# x\r\n",
    "\u{feff}",
    "",
];

/// Words that are wrong in most places.
pub(super) const ODDITIES: &[&str] = &[
    "nil",
    "$undefined",
    "1e400",
    "1i",
    "1e3i",
    "nosuch",
    ".5.5",
    "''",
    "\"",
];

pub(super) const FIELDS: &[&str] = &[
    ".Key", ".Value", ".a", ".a.b", ".IP", ".中", ".x_1", ".Year",
];
