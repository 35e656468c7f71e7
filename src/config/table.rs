//! TOML with places: confd.toml and the resource files, read key by key, every complaint with
//! `file:line`.
//!
//! Keys are found in any case and with `-` or `_`, as the original's decoder and the platform's
//! files have it. Which keys there are and what they mean is for others to know.

use std::fmt;
use std::fs::{self, File};
use std::path::Path;
use std::rc::Rc;
use std::string::FromUtf8Error;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::advice;
use crate::error::{Error, Result};
use crate::go::time::duration;
use crate::keys::{canonical, is_same};
use crate::nearest::nearest;
use crate::platform;

/// The largest settings file that is read, in bytes.
pub const LARGEST: u64 = 1 << 20;

/// A harmless mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// `path:line`.
    pub place: String,
    /// The mistake and the fix.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// A table of a TOML file: the file itself or a section of it.
#[derive(Debug)]
pub struct Table {
    path: Rc<Path>,
    /// By key, lower case with `_`: in the order of these.
    entries: Vec<(String, Entry)>,
}

#[derive(Debug)]
struct Entry {
    /// The key as written.
    name: String,
    line: usize,
    value: Value,
}

#[derive(Debug)]
enum Value {
    Text(String),
    Integer(i64),
    Boolean(bool),
    List(Vec<Value>),
    Table(Table),
    Other(&'static str),
}

impl Table {
    /// Reads and parses the file at `path`.
    pub fn read(path: &Path) -> Result<Table> {
        match String::from_utf8(read_file(path, LARGEST)?) {
            Ok(text) => Table::parse(path, &text),
            Err(error) => Table::parse_around(path, &error),
        }
    }

    /// As in the original, comments may be in another encoding, GBK say; keys and values may not.
    fn parse_around(path: &Path, error: &FromUtf8Error) -> Result<Table> {
        let text = String::from_utf8_lossy(error.as_bytes());
        match Table::parse(path, &text) {
            Ok(table) if !table.has(char::REPLACEMENT_CHARACTER) => Ok(table),
            _ => {
                let lines = Lines::new(error.as_bytes());
                let line = lines.line(error.utf8_error().valid_up_to());
                Err(refuse(path, line, "not UTF-8 text"))
            }
        }
    }

    /// Returns true if a key or a string has this character.
    fn has(&self, character: char) -> bool {
        let mut entries = self.entries.iter();
        entries.any(|(_, entry)| entry.name.contains(character) || entry.value.has(character))
    }

    /// Parses `text`, the content of the file at `path`. A byte order mark and CRLF are nothing
    /// special.
    pub fn parse(path: &Path, text: &str) -> Result<Table> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = Lines::new(text.as_bytes());
        let table = DeTable::parse(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            let (words, help) = (advice::words(error.message()), advice::on(text, offset));
            refuse(path, lines.line(offset), &format!("{words}; {help}"))
        })?;
        Table::convert(&path.into(), &lines, table.get_ref())
    }

    /// Recursive, but no deeper than the parser lets tables and lists nest (80).
    fn convert(path: &Rc<Path>, lines: &Lines, table: &DeTable<'_>) -> Result<Table> {
        let mut entries: Vec<(String, Entry)> = Vec::new();
        for (key, value) in table {
            let entry = Entry {
                name: key.get_ref().to_string(),
                line: lines.line(key.span().start),
                value: Value::convert(path, lines, value)?,
            };
            entries.push((canonical(&entry.name), entry));
        }
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        for pair in entries.windows(2) {
            if let [(key, twin), (same, entry)] = pair
                && key == same
            {
                let twin = format!("{} (line {})", twin.name, twin.line);
                let message = format!("{} and {twin} are one key", entry.name);
                return Err(refuse(path, entry.line, &message));
            }
        }
        Ok(Table {
            path: Rc::clone(path),
            entries,
        })
    }

    /// The text of `key`.
    pub fn string(&self, key: &str) -> Result<Option<String>> {
        self.get(key, "a string", |value| match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        })
    }

    /// The list of texts of `key`; a single text is a list of one.
    pub fn strings(&self, key: &str) -> Result<Option<Vec<String>>> {
        self.get(key, "a list of strings", |value| match value {
            Value::Text(text) => Some(vec![text.clone()]),
            Value::List(items) => {
                let mut texts = Vec::new();
                for item in items {
                    let Value::Text(text) = item else {
                        return None;
                    };
                    texts.push(text.clone());
                }
                Some(texts)
            }
            _ => None,
        })
    }

    /// The integer of `key`.
    pub fn integer(&self, key: &str) -> Result<Option<i64>> {
        self.get(key, "an integer", |value| match value {
            Value::Integer(number) => Some(*number),
            _ => None,
        })
    }

    /// Returns true if `key` is there, and an integer.
    pub fn is_integer(&self, key: &str) -> bool {
        self.entry(key)
            .is_some_and(|entry| matches!(entry.value, Value::Integer(_)))
    }

    /// The truth value of `key`.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>> {
        self.get(key, "true or false", |value| match value {
            Value::Boolean(truth) => Some(*truth),
            _ => None,
        })
    }

    /// The duration of `key`: see [`parse_duration`]; an integer counts seconds.
    pub fn duration(&self, key: &str) -> Result<Option<Duration>> {
        self.get(key, DURATION, |value| match value {
            Value::Text(text) => parse_duration(text),
            Value::Integer(seconds) => u64::try_from(*seconds).ok().map(Duration::from_secs),
            _ => None,
        })
    }

    /// The section (or inline table) `key`.
    pub fn section(&self, key: &str) -> Result<Option<&Table>> {
        match self.entry(key).map(|entry| &entry.value) {
            Some(Value::Table(table)) => Ok(Some(table)),
            Some(other) => Err(self.mismatch(key, "a table", other)),
            None => Ok(None),
        }
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        let mut entries = self.entries.iter();
        let found = entries.find(|(known, _)| is_same(known, key));
        found.map(|(_, entry)| entry)
    }

    fn get<T>(
        &self,
        key: &str,
        wanted: &str,
        accept: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(entry) = self.entry(key) else {
            return Ok(None);
        };
        match accept(&entry.value) {
            Some(value) => Ok(Some(value)),
            None => Err(self.mismatch(key, wanted, &entry.value)),
        }
    }

    fn mismatch(&self, key: &str, wanted: &str, value: &Value) -> Error {
        self.error(key, &format!("must be {wanted}, not {}", value.kind()))
    }

    /// An error about the value of `key`, with its place; `message` goes on after the key's name.
    pub fn error(&self, key: &str, message: &str) -> Error {
        Error::config(self.place(key), &format!("{key} {message}"))
    }

    /// The line of `key`, from 1.
    pub fn line_of(&self, key: &str) -> Option<usize> {
        self.entry(key).map(|entry| entry.line)
    }

    /// `path:line` of `key`; `path` alone when it is not there.
    pub fn place(&self, key: &str) -> String {
        match self.entry(key) {
            Some(entry) => self.line(entry),
            None => self.path.display().to_string(),
        }
    }

    fn line(&self, entry: &Entry) -> String {
        format!("{}:{}", self.path.display(), entry.line)
    }

    /// One warning for each key that is none of `known`, in the order of the file.
    pub fn unknown(&self, known: &[&str]) -> Vec<Warning> {
        let is_known = |key: &str| known.iter().any(|name| is_same(name, key));
        let mut unknown: Vec<(usize, &str)> = Vec::new();
        for (key, entry) in &self.entries {
            if !is_known(key) {
                unknown.push((entry.line, key));
            }
        }
        unknown.sort_unstable();
        let mut warnings = Vec::new();
        for entry in unknown.iter().filter_map(|(_, key)| self.entry(key)) {
            warnings.push(Warning {
                place: self.line(entry),
                message: unknown_key(&entry.name, known),
            });
        }
        warnings
    }
}

fn unknown_key(name: &str, known: &[&str]) -> String {
    let hint = nearest(&canonical(name), known.iter().copied());
    let hint = hint.map_or(String::new(), |meant| format!("; did you mean {meant:?}?"));
    format!("unknown key {name:?} is ignored{hint}")
}

fn refuse(path: &Path, line: usize, message: &str) -> Error {
    Error::config(format!("{}:{line}", path.display()), message)
}

impl Value {
    fn convert(path: &Rc<Path>, lines: &Lines, value: &Spanned<DeValue<'_>>) -> Result<Value> {
        Ok(match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Boolean(truth) => Value::Boolean(*truth),
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(number) => Value::Integer(number),
                    Err(_) => Value::Other("a number of more than 64 bits"),
                }
            }
            DeValue::Float(_) => Value::Other("a fraction"),
            DeValue::Datetime(_) => Value::Other("a date"),
            DeValue::Array(items) => {
                let mut list = Vec::new();
                for item in items {
                    list.push(Value::convert(path, lines, item)?);
                }
                Value::List(list)
            }
            DeValue::Table(table) => Value::Table(Table::convert(path, lines, table)?),
        })
    }

    fn has(&self, character: char) -> bool {
        match self {
            Value::Text(text) => text.contains(character),
            Value::List(items) => items.iter().any(|item| item.has(character)),
            Value::Table(table) => table.has(character),
            Value::Integer(_) | Value::Boolean(_) | Value::Other(_) => false,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "this string",
            Value::Integer(_) => "this integer",
            Value::Boolean(_) => "true or false",
            Value::List(_) => "this list",
            Value::Table(_) => "a table",
            Value::Other(kind) => kind,
        }
    }
}

/// Where the lines of a text begin.
#[derive(Debug)]
pub struct Lines(Vec<usize>);

impl Lines {
    /// Of a text in any encoding.
    pub fn new(text: &[u8]) -> Lines {
        let mut starts = vec![0];
        for (offset, byte) in text.iter().enumerate() {
            if *byte == b'\n' {
                starts.push(offset + 1);
            }
        }
        Lines(starts)
    }

    /// The line of the byte at `offset`, from 1.
    pub fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }

    /// Where the line begins that has the byte at `offset`.
    pub fn start(&self, offset: usize) -> usize {
        self.0[self.line(offset) - 1]
    }
}

/// The whole of a file of at most `largest` bytes. Refuses what is no file: reading a pipe might
/// never end.
pub fn read_file(path: &Path, largest: u64) -> Result<Vec<u8>> {
    let cannot = |source| Error::io("read", path, source);
    let metadata = fs::metadata(path).map_err(cannot)?;
    if !metadata.is_file() {
        return Err(cannot(std::io::Error::other("not a file")));
    }
    let file = File::open(path).map_err(cannot)?;
    // One byte more tells a file of just that size from a larger one.
    let bytes = platform::read(&file, metadata.len(), largest + 1).map_err(cannot)?;
    if bytes.len() as u64 > largest {
        let text = format!("larger than {largest} bytes");
        return Err(cannot(std::io::Error::other(text)));
    }
    Ok(bytes)
}

/// The description of a duration in error messages.
pub const DURATION: &str = "a duration such as \"1.5s\" or \"2m\"";

/// Go's duration syntax (`300ms`, `1.5s`, `2h45m`) without a minus sign; a bare number counts
/// seconds. None for anything else, and for more than a year.
pub fn parse_duration(text: &str) -> Option<Duration> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs).and_then(sane);
    }
    let nanos = duration::parse(text).and_then(|nanos| u64::try_from(nanos).ok());
    nanos.map(Duration::from_nanos).and_then(sane)
}

/// A longer time than a year is a mistake, and would overflow the system's clocks.
fn sane(duration: Duration) -> Option<Duration> {
    (duration <= Duration::from_secs(366 * 86_400)).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        Table::parse(Path::new("x.toml"), text).expect(text)
    }

    fn complaint<T: fmt::Debug>(result: Result<T>) -> String {
        result.expect_err("refused").chain()
    }

    #[test]
    fn values_are_read_by_type() {
        let table = table(
            "[template]\nsrc = 'a'\nkeys = [\"/\", '/b']\nuid = 0x1f\nstrict = true\none = '/'\nwait = '1m'\nsecs = 5\n",
        );
        let section = table.section("template").expect("a table");
        let section = section.expect("is there");
        assert_eq!(section.string("src").expect("text"), Some("a".to_owned()));
        assert_eq!(section.string("dest").expect("absent"), None);
        assert_eq!(
            section.strings("keys").expect("list"),
            Some(vec!["/".to_owned(), "/b".to_owned()])
        );
        assert_eq!(
            section.strings("one").expect("one"),
            Some(vec!["/".to_owned()])
        );
        assert_eq!(section.integer("uid").expect("integer"), Some(31));
        assert_eq!(section.boolean("strict").expect("boolean"), Some(true));
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(section.duration("wait").expect("duration"), seconds(60));
        assert_eq!(section.duration("secs").expect("duration"), seconds(5));
        assert!(table.section("other").expect("absent").is_none());
    }

    #[test]
    fn keys_are_found_in_any_spelling() {
        for text in ["log-level = 'x'", "log_level = 'x'", "Log-Level = 'x'"] {
            let found = table(text).string("log-level").expect("text");
            assert_eq!(found, Some("x".to_owned()), "{text}");
        }
        let twice = "a = 1\nlog-level = 'x'\nlog_level = 'y'\n";
        assert_eq!(
            complaint(Table::parse(Path::new("x.toml"), twice)),
            "x.toml:3: log_level and log-level (line 2) are one key"
        );
    }

    #[test]
    fn byte_order_mark_and_crlf_do_not_matter() {
        let table = table("\u{feff}# c\r\nsrc = 'a'\r\nuid = 'b'\r\n");
        assert_eq!(table.string("src").expect("text"), Some("a".to_owned()));
        assert_eq!(
            complaint(table.integer("uid")),
            "x.toml:3: uid must be an integer, not this string"
        );
    }

    #[test]
    fn only_comments_may_be_in_another_encoding() {
        let path = std::env::temp_dir().join(format!("confd-settings-{}", std::process::id()));
        // "配置" in GBK.
        let read = |text: &str| {
            let bytes = text.replace("GBK", "\u{1}").into_bytes();
            let gbk = |byte| match byte {
                1 => vec![0xc5, 0xe4, 0xd6, 0xc3],
                other => vec![other],
            };
            fs::write(&path, bytes.into_iter().flat_map(gbk).collect::<Vec<u8>>()).expect("a file");
            Table::read(&path)
        };
        let table = read("# GBK\nsrc = 'a' # GBK\n").expect("comments only");
        assert_eq!(table.string("src").expect("text"), Some("a".to_owned()));
        for text in [
            "# fine\nsrc = 'GBK'",
            "\nlist = [['GBK']]",
            "\n[t]\nk = 1\n'GBK' = 2",
            "\n# GBK\nwrong",
        ] {
            let line = 1 + text
                .split("GBK")
                .next()
                .unwrap_or_default()
                .matches('\n')
                .count();
            let place = format!("{}:{line}: ", path.display());
            assert_eq!(complaint(read(text)), place + "not UTF-8 text", "{text}");
        }
        fs::remove_file(path).expect("removed");
    }

    #[test]
    fn wrong_types_are_told_with_their_place() {
        let table = table(
            "a = 1\nb = 'x'\nc = [1, 'x']\nd = 1.5\ne = 99999999999999999999\nf = -1\n[g]\n[[h]]\n",
        );
        let cases = [
            (
                complaint(table.string("a")),
                "1: a must be a string, not this integer",
            ),
            (
                complaint(table.boolean("b")),
                "2: b must be true or false, not this string",
            ),
            (
                complaint(table.strings("c")),
                "3: c must be a list of strings, not this list",
            ),
            (
                complaint(table.integer("d")),
                "4: d must be an integer, not a fraction",
            ),
            (
                complaint(table.integer("e")),
                "5: e must be an integer, not a number of more than 64 bits",
            ),
            (
                complaint(table.duration("f")),
                "6: f must be a duration such as \"1.5s\" or \"2m\", not this integer",
            ),
            (
                complaint(table.string("g")),
                "7: g must be a string, not a table",
            ),
            (
                complaint(table.section("h")),
                "8: h must be a table, not this list",
            ),
        ];
        for (said, expected) in cases {
            assert_eq!(said, format!("x.toml:{expected}"));
        }
    }

    #[test]
    fn broken_files_are_told_with_their_place() {
        for (text, line) in [("a = 1\nb = \n", 2), ("a = 1\na = 2", 2), ("[x\n", 1)] {
            let said = complaint(Table::parse(Path::new("x.toml"), text));
            assert!(said.starts_with(&format!("x.toml:{line}: ")), "{said}");
        }
        let deep = format!("a = {}", "[".repeat(100_000));
        complaint(Table::parse(Path::new("x.toml"), &deep));
    }

    #[test]
    fn unknown_keys_come_in_order_with_the_likely_one() {
        let table = table("zzz = 1\nsrc = 'a'\nrelaod_cmd = 'b'\nBackend = 'c'\n");
        let said: Vec<String> = table
            .unknown(&["src", "reload_cmd"])
            .iter()
            .map(Warning::to_string)
            .collect();
        assert_eq!(
            said,
            [
                "x.toml:1: unknown key \"zzz\" is ignored",
                "x.toml:3: unknown key \"relaod_cmd\" is ignored; did you mean \"reload_cmd\"?",
                "x.toml:4: unknown key \"Backend\" is ignored",
            ]
        );
    }

    #[test]
    fn durations_are_those_of_go() {
        let cases = [
            ("0", Some(0)),
            ("5", Some(5_000_000)),
            ("500ms", Some(500_000)),
            ("1.5s", Some(1_500_000)),
            (".5s", Some(500_000)),
            ("+2m", Some(120_000_000)),
            ("1h1m1s1ms1us", Some(3_661_001_001)),
            ("1µs", Some(1)),
            ("", None),
            ("s", None),
            ("+", None),
            ("1", Some(1_000_000)),
            ("1.5", None),
            ("1 s", None),
            ("-1s", None),
            ("1d", None),
            ("1.2.3s", None),
            ("1s2", None),
            ("1e3s", None),
            ("99999999h", None),
            ("99999999999999999999", None),
        ];
        for (text, micros) in cases {
            let expected = micros.map(Duration::from_micros);
            assert_eq!(parse_duration(text), expected, "{text}");
        }
    }

    #[test]
    fn only_files_of_a_bearable_size_are_read() {
        let said = complaint(read_file(Path::new("src"), 1));
        assert_eq!(said, "cannot read src: not a file");
        let said = complaint(read_file(Path::new("Cargo.toml"), 1));
        assert_eq!(said, "cannot read Cargo.toml: larger than 1 bytes");
        let said = complaint(read_file(Path::new("no such file"), 1));
        assert!(said.starts_with("cannot read no such file: "), "{said}");
    }
}
