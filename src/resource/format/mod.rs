//! The formats that a resource can promise with `output = "json"`, and the check of what was
//! rendered against them.
//!
//! Only well-formedness is checked, no schema. There is no yaml: it cannot be checked without a
//! whole parser for it.

mod ini;
mod xml;

use serde::de::IgnoredAny;
use toml::de::DeTable;

/// A format of rendered files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Toml,
    Ini,
    Xml,
}

/// The formats by their names in a resource.
const FORMATS: &[(&str, Format)] = &[
    ("json", Format::Json),
    ("toml", Format::Toml),
    ("ini", Format::Ini),
    ("xml", Format::Xml),
];

/// The requirement for the name of a format.
pub(super) const NAMES: &str = "json, toml, ini or xml";

/// A place in a text, as an offset in bytes, and why the text is wrong there.
#[derive(Debug, PartialEq, Eq)]
struct Flaw {
    offset: usize,
    message: String,
}

impl Flaw {
    fn new(offset: usize, message: impl Into<String>) -> Flaw {
        Flaw {
            offset,
            message: message.into(),
        }
    }
}

impl Format {
    /// The format of that name.
    pub(super) fn named(name: &str) -> Option<Format> {
        let found = FORMATS.iter().find(|(known, _)| *known == name);
        found.map(|(_, format)| *format)
    }

    /// The name.
    pub(super) fn name(self) -> &'static str {
        let found = FORMATS.iter().find(|(_, format)| *format == self);
        found.map_or("", |(name, _)| name)
    }

    /// Checks that `content` is well-formed. The error has line and column, both from 1, and of the
    /// content, which may hold secrets, no more than the names of tags.
    pub(super) fn check(self, content: &[u8]) -> Result<(), String> {
        let problem = |line, column, message: &str| {
            let name = self.name();
            Err(format!(
                "the output is not valid {name}: line {line}, column {column}: {message}"
            ))
        };
        let text = match str::from_utf8(content) {
            Ok(text) => text,
            Err(error) => {
                let (line, column) = position(content, error.valid_up_to());
                return problem(line, column, "not UTF-8");
            }
        };
        let checked = match self {
            Format::Json => match serde_json::from_str::<IgnoredAny>(text) {
                Ok(_) => Ok(()),
                Err(error) => {
                    let message = error.to_string();
                    let message = message.split(" at line ").next().unwrap_or_default();
                    return problem(error.line(), error.column().max(1), message);
                }
            },
            Format::Toml => check_toml(text),
            Format::Ini => ini::check(text),
            Format::Xml => xml::check(text),
        };
        match checked {
            Ok(()) => Ok(()),
            Err(Flaw { offset, message }) => {
                let (line, column) = position(content, offset);
                problem(line, column, &message)
            }
        }
    }
}

fn check_toml(text: &str) -> Result<(), Flaw> {
    match DeTable::parse(text.strip_prefix('\u{feff}').unwrap_or(text)) {
        Ok(_) => Ok(()),
        Err(error) => {
            let offset = error.span().map_or(0, |span| span.start);
            let first = error.message().lines().next().unwrap_or_default();
            Err(Flaw::new(offset, first))
        }
    }
}

/// The line and the column, in characters, of an offset; both from 1.
fn position(content: &[u8], offset: usize) -> (usize, usize) {
    let before = content.get(..offset).unwrap_or(content);
    let line = before.split(|byte| *byte == b'\n').next_back();
    let is_start = |byte: &&u8| (**byte & 0xc0) != 0x80;
    let column = line.unwrap_or_default().iter().filter(is_start).count();
    let newlines = before.iter().filter(|byte| **byte == b'\n').count();
    (newlines + 1, column + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The complaint of a format about a text, without the words that all have.
    fn complaint(format: Format, text: &[u8]) -> String {
        let problem = format.check(text).expect_err("refused");
        let words = format!("the output is not valid {}: ", format.name());
        problem.strip_prefix(&words).expect("the words").to_owned()
    }

    #[test]
    fn json_is_one_value() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        for good in [
            "{}",
            " [1, \"é\"]\n",
            "null",
            "{\"a\": 1e99}",
            deep.as_str(),
        ] {
            assert_eq!(Format::Json.check(good.as_bytes()), Ok(()), "{good:.20}");
        }
        for (bad, expected) in [
            ("", "line 1, column 1: EOF while parsing a value"),
            ("{\"a\": }", "line 1, column 7: expected value"),
            ("{\"a\": 1,\n}", "line 2, column 1: key must be a string"),
            ("{} {}", "line 1, column 4: trailing characters"),
            ("{\"a\": <no value>}", "line 1, column 7: expected value"),
            (
                "[\"a\nb\"]",
                "line 1, column 3: control character (\\u0000-\\u001F) found while parsing a string",
            ),
        ] {
            assert_eq!(complaint(Format::Json, bad.as_bytes()), expected, "{bad}");
        }
        assert_eq!(
            complaint(Format::Json, b"\"\xff\""),
            "line 1, column 2: not UTF-8"
        );
    }

    #[test]
    fn toml_has_a_place() {
        assert_eq!(Format::Toml.check(b"a = 1\n[b]\nc = \"\"\n"), Ok(()));
        for (bad, place) in [
            ("a = \n", "line 1, column "),
            ("a = 1\nb = <no value>\n", "line 2, column 5: "),
            ("a = 1\na = 2\n", "line 2, column 1: "),
        ] {
            let expected = complaint(Format::Toml, bad.as_bytes());
            assert!(expected.starts_with(place), "{bad}: {expected}");
        }
    }

    #[test]
    fn names_are_those_of_the_message() {
        for (name, format) in FORMATS {
            assert!(NAMES.contains(name));
            assert_eq!(Format::named(name), Some(*format));
            assert_eq!(format.name(), *name);
        }
        assert_eq!(Format::named("yaml"), None);
    }
}
