//! A TOML file with the place of everything in it, and all that is wrong with its form at once.
//!
//! Knows which types there are, not which keys.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::code::Code;
use super::source::{MARK, Source};
use crate::config::advice;
use crate::config::table::parse_duration;
use crate::keys::{self, Kind};
use crate::nearest::nearest;
use crate::tools::finding::Report;

/// The separators of several keys in one string.
pub(super) const COMMAS: &[char] = &[',', '，', '、'];

/// The known keys of a table, each with the kind of its value.
pub(super) type Keys = [(&'static str, Kind)];

/// A TOML file.
pub(super) struct Document<'s> {
    pub source: &'s Source,
    table: Spanned<DeTable<'s>>,
    /// Where the text begins, behind a mark.
    start: usize,
    /// The lines with a mistake in their form, in order: nothing else is said about these.
    broken: Vec<usize>,
}

/// A key with its value.
pub(super) struct Entry<'d> {
    /// As written.
    pub name: &'d str,
    /// Where the key stands.
    pub key: usize,
    /// Where the value stands.
    pub span: Range<usize>,
    /// The offset of the places within the value.
    pub shift: usize,
    pub value: &'d DeValue<'d>,
}

impl<'s> Document<'s> {
    /// Reads what can be read, and reports what cannot; nothing when the file is no text.
    pub(super) fn read(source: &'s Source, report: &mut Report) -> Option<Document<'s>> {
        let (start, text) = text(source, report)?;
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut document = Document {
            source,
            table,
            start,
            broken: Vec::new(),
        };
        let place = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
        let errors = errors.iter().map(|error| (place(error), error.message()));
        let mut errors: Vec<(usize, &str)> = errors.collect();
        errors.sort_unstable();
        for (at, message) in errors {
            // A reader that is confused by a line has more to say about it than helps.
            let line = source.line(start + at);
            if document.broken.last() != Some(&line) {
                document.broken.push(line);
                let message = advice::words(message);
                let help = advice::on(text, at);
                report.add(source.finding(start + at, Code::E101, message, help));
            }
        }
        Some(document)
    }

    /// Returns true if all of it could be parsed.
    pub(super) fn is_whole(&self) -> bool {
        self.broken.is_empty()
    }

    /// The file's own table.
    pub(super) fn root(&self) -> &DeTable<'s> {
        self.table.get_ref()
    }

    /// The entries of a table, as they stand in the file.
    pub(super) fn entries<'d>(&'d self, table: &'d DeTable<'s>) -> impl Iterator<Item = Entry<'d>> {
        table.iter().map(|(key, value)| Entry {
            name: key.get_ref(),
            key: self.start + key.span().start,
            span: self.start + value.span().start..self.start + value.span().end,
            shift: self.start,
            value: value.get_ref(),
        })
    }

    /// The entry of that key, in any of its spellings.
    pub(super) fn entry<'d>(&'d self, table: &'d DeTable<'s>, key: &str) -> Option<Entry<'d>> {
        self.entries(table)
            .find(|entry| keys::is_same(entry.name, key))
    }

    /// The text of that key, when it is one.
    pub(super) fn text<'d>(
        &'d self,
        table: &'d DeTable<'s>,
        key: &str,
    ) -> Option<(&'d str, Entry<'d>)> {
        let entry = self.entry(table, key)?;
        match entry.value {
            DeValue::String(text) => Some((text, entry)),
            _ => None,
        }
    }

    /// Reports unknown keys, and values of a wrong type.
    pub(super) fn check(&self, table: &DeTable<'s>, keys: &Keys, report: &mut Report) {
        for entry in self.entries(table) {
            if self
                .broken
                .binary_search(&self.source.line(entry.key))
                .is_ok()
            {
                continue;
            }
            match keys.iter().find(|(key, _)| keys::is_same(entry.name, key)) {
                Some((key, wanted)) => self.check_type(key, &entry, *wanted, report),
                None => {
                    let known = keys.iter().map(|(key, _)| *key);
                    let help = match nearest(&entry.name.to_ascii_lowercase(), known) {
                        Some(meant) => format!("did you mean {meant}?"),
                        None => "remove it, or see the reference for the keys".to_owned(),
                    };
                    let message = format!("unknown key {} is ignored", entry.name);
                    report.add(self.source.finding(entry.key, Code::W104, message, help));
                }
            }
        }
    }

    fn check_type(&self, key: &str, entry: &Entry<'_>, wanted: Kind, report: &mut Report) {
        let is_text = |value: &DeValue<'_>| matches!(value, DeValue::String(_));
        let (right, words) = match (wanted, entry.value) {
            (Kind::Any, _) => (true, ""),
            // A number there means the same as in uid and gid.
            (Kind::String, value) if matches!(key, "owner" | "group") && is_integer(value) => {
                (true, "")
            }
            (Kind::String, value) => (is_text(value), "a string"),
            (Kind::Strings, DeValue::Array(items)) => (
                items.iter().all(|item| is_text(item.get_ref())),
                "a list of strings",
            ),
            // The check of the keys says more about several of them in one string.
            (Kind::Strings, DeValue::String(text)) if key == "keys" && text.contains(COMMAS) => {
                (true, "")
            }
            (Kind::Strings, value) if is_text(value) => {
                let message = format!("{key} is a list, this is one string");
                let help = format!("write {key} = [{}]", self.raw(entry));
                report.add(
                    self.source
                        .finding(entry.span.start, Code::W105, message, help),
                );
                (true, "")
            }
            (Kind::Strings, _) => (false, "a list of strings"),
            (Kind::Integer, value) => (is_integer(value), "a whole number"),
            (Kind::Boolean, value) => (matches!(value, DeValue::Boolean(_)), "true or false"),
            (Kind::Duration, DeValue::String(text)) => {
                (parse_duration(text).is_some(), "a duration such as \"30s\"")
            }
            (Kind::Duration, value) => (
                matches!(value, DeValue::Integer(_)),
                "a duration such as \"30s\"",
            ),
            (Kind::Section, value) => (matches!(value, DeValue::Table(_)), "a section"),
        };
        if !right {
            let message = format!("{key} must be {words}, not {}", kind(entry.value));
            let help = self.help_on_type(key, entry, wanted);
            report.add(
                self.source
                    .finding(entry.span.start, Code::E102, message, help),
            );
        }
    }

    /// The help for a value of the wrong type.
    fn help_on_type(&self, key: &str, entry: &Entry<'_>, wanted: Kind) -> String {
        let raw = self.raw(entry);
        match (wanted, entry.value) {
            (Kind::String, DeValue::Integer(_)) if key == "mode" => {
                format!("write mode = \"0{}\"", raw.trim_start_matches("0o"))
            }
            (Kind::String, DeValue::Array(_) | DeValue::Table(_)) => {
                format!("write {key} = \"…\"")
            }
            (Kind::String, _) => format!("write {key} = \"{raw}\""),
            (Kind::Integer, DeValue::String(text)) if text.parse::<i64>().is_ok() => {
                format!("write {key} = {text}")
            }
            (Kind::Integer, DeValue::String(_)) if key == "uid" => {
                format!("write the name as owner = {raw}")
            }
            (Kind::Integer, DeValue::String(_)) if key == "gid" => {
                format!("write the name as group = {raw}")
            }
            (Kind::Boolean, DeValue::String(text)) if matches!(&**text, "true" | "false") => {
                format!("write {key} = {text}")
            }
            (Kind::Section, _) => format!("write [{key}], and its keys in the lines below"),
            (Kind::Strings, _) => format!("write {key} = [\"…\", \"…\"]"),
            _ => String::new(),
        }
    }

    /// A value as it is written.
    fn raw(&self, entry: &Entry<'_>) -> String {
        let raw = self.source.bytes.get(entry.span.clone());
        String::from_utf8_lossy(raw.unwrap_or_default()).into_owned()
    }
}

/// Returns true for an integer of at most 64 bits.
fn is_integer(value: &DeValue<'_>) -> bool {
    match value {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).is_ok(),
        _ => false,
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}

/// The file's text, and where it begins behind a mark.
fn text<'s>(source: &'s Source, report: &mut Report) -> Option<(usize, &'s str)> {
    let marked = source.bytes.strip_prefix(MARK);
    let bytes = marked.unwrap_or(&source.bytes);
    let start = source.bytes.len() - bytes.len();
    if start > 0 {
        let help = "save it as UTF-8 without BOM: other readers of TOML refuse the mark";
        let message = "the file begins with a byte order mark";
        report.add(source.finding(0, Code::W106, message, help));
    }
    match str::from_utf8(bytes) {
        Ok(text) => Some((start, text)),
        Err(error) => {
            let at = start + error.valid_up_to();
            report.add(source.finding(at, Code::E101, "not UTF-8 text", "save it as UTF-8"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::finding::{Finding, Place};
    use std::path::Path;

    const KEYS: &Keys = &[
        ("src", Kind::String),
        ("mode", Kind::String),
        ("keys", Kind::Strings),
        ("uid", Kind::Integer),
        ("retry", Kind::Boolean),
        ("wait", Kind::Duration),
        ("section", Kind::Section),
        ("other", Kind::Any),
    ];

    /// The findings in a file, one a line, without the file's name.
    fn findings(text: &str) -> String {
        let source = Source::new(Path::new("x"), text.into());
        let mut report = Report::default();
        if let Some(document) = Document::read(&source, &mut report) {
            document.check(document.root(), KEYS, &mut report);
        }
        let shown = report.findings().into_iter().map(|found| {
            let Finding {
                place,
                code,
                message,
                help,
                ..
            } = found;
            let Place { line, column, .. } = place.as_ref().expect("a place");
            let help = if help.is_empty() {
                String::new()
            } else {
                format!("; {help}")
            };
            format!("{line}:{column}: {code} {message}{help}\n")
        });
        shown.collect()
    }

    #[test]
    fn all_mistakes_of_a_file_are_found_one_a_line() {
        let found = findings("src = mysql\nmode = 0644\nmoed = '1'\nuid = 1_\n");
        let lines: Vec<&str> = found.lines().collect();
        assert_eq!(lines.len(), 4, "{found}");
        assert!(
            lines
                .iter()
                .zip(1..)
                .all(|(line, number)| { line.starts_with(&format!("{number}:")) }),
            "{found}"
        );
    }

    #[test]
    fn wrong_types_are_reported_with_what_was_meant() {
        for (text, want) in [
            (
                "mode = 644",
                "1:8: E102 mode must be a string, not a number; write mode = \"0644\"\n",
            ),
            (
                "src = true",
                "1:7: E102 src must be a string, not true or false; write src = \"true\"\n",
            ),
            (
                "uid = \"0\"",
                "1:7: E102 uid must be a whole number, not a string; write uid = 0\n",
            ),
            (
                "uid = \"mysql\"",
                "1:7: E102 uid must be a whole number, not a string; write the name as owner = \"mysql\"\n",
            ),
            (
                "retry = \"true\"",
                "1:9: E102 retry must be true or false, not a string; write retry = true\n",
            ),
            (
                "keys = \"/\"",
                "1:8: W105 keys is a list, this is one string; write keys = [\"/\"]\n",
            ),
            (
                "keys = [1]",
                "1:8: E102 keys must be a list of strings, not a list; write keys = [\"…\", \"…\"]\n",
            ),
            (
                "wait = '5x'",
                "1:8: E102 wait must be a duration such as \"30s\", not a string\n",
            ),
            (
                "Moed = '1'",
                "1:1: W104 unknown key Moed is ignored; did you mean mode?\n",
            ),
            (
                "mode = '1'\nkeys = []\nuid = 1\nwait = 5\nother = 1\n[section]",
                "",
            ),
        ] {
            assert_eq!(findings(text), want, "{text}");
        }
    }

    #[test]
    fn a_mark_is_reported_and_does_not_move_columns() {
        let found = findings("\u{feff}mode = 1\n");
        assert!(found.starts_with("1:1: W106 "), "{found}");
        assert!(found.contains("\n1:8: E102 "), "{found}");
    }
}
