//! Recorded metadata: JSON or TOML files, each with what is below the global prefix. Later files
//! add to earlier ones.
//!
//! For trying templates without a server, and for the tests. Refuses to guess: a file that is not
//! whole is an error.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Map, Number, Value as Json};
use toml::de::{DeTable, DeValue};

use super::{Cancel, Fetched, Version};
use crate::config::table::read_file;
use crate::error::{Error, Result};
use crate::tree::Tree;

/// As large as an answer of the metadata service may be, in bytes.
const LARGEST: u64 = 64 << 20;
/// The pause between two looks at the files.
const PAUSE: Duration = Duration::from_secs(1);

/// Recorded metadata.
#[derive(Debug)]
pub struct Recorded {
    paths: Vec<PathBuf>,
    /// The stamps of the files when they were read last.
    seen: Vec<Option<Look>>,
    poll_limit: Duration,
    /// Counts the readings.
    version: u64,
    cancel: Cancel,
}

/// The properties that reveal a changed file without reading it: modification time and size.
type Look = (SystemTime, u64);

impl Recorded {
    /// The metadata in these files; nothing is read yet.
    pub fn new(paths: &[PathBuf], poll_limit: Duration) -> Recorded {
        Recorded {
            paths: paths.to_vec(),
            seen: Vec::new(),
            poll_limit,
            version: 0,
            cancel: Cancel::default(),
        }
    }

    /// Reads all files.
    pub fn fetch(&mut self) -> Result<Fetched> {
        // Looked at first: what is written during the reading counts as a change.
        self.seen = self.look();
        let mut trees = Vec::new();
        for path in &self.paths {
            trees.push(read_tree(path)?);
        }
        let tree = match trees.len() {
            1 => trees.remove(0),
            _ => Tree::from_pairs(trees.iter().flat_map(Tree::leaves)),
        };
        self.version += 1;
        Ok(Fetched {
            tree: Arc::new(tree),
            version: Version(self.version),
        })
    }

    /// Waits until a file looks different.
    pub fn wait(&mut self) -> Result<Option<Fetched>> {
        let start = Instant::now();
        while self.look() == self.seen {
            let left = self.poll_limit.saturating_sub(start.elapsed());
            if left.is_zero() || self.cancel.is_cancelled() {
                return Ok(None);
            }
            self.cancel.sleep(PAUSE.min(left));
        }
        self.fetch().map(Some)
    }

    /// Ends a wait.
    pub fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    fn look(&self) -> Vec<Option<Look>> {
        let looks = self.paths.iter().map(|path| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        });
        looks.collect()
    }
}

fn read_tree(path: &Path) -> Result<Tree> {
    let refuse = |problem| Error::backend(path.display().to_string(), problem);
    let bytes = read_file(path, LARGEST)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    if is_json(path, bytes) {
        return Tree::from_json(bytes).map_err(refuse);
    }
    let text = str::from_utf8(bytes).map_err(|error| refuse(error.to_string()))?;
    let table = DeTable::parse(text).map_err(|error| {
        let before = &text[..error.span().map_or(0, |span| span.start)];
        let line = before.matches('\n').count() + 1;
        refuse(format!("line {line}: {}", error.message()))
    })?;
    let json = table_to_json(table.get_ref()).to_string();
    Tree::from_json(json.as_bytes()).map_err(refuse)
}

/// By its name, or else by its first character.
fn is_json(path: &Path, bytes: &[u8]) -> bool {
    let extension = path
        .extension()
        .map(|extension| extension.to_ascii_lowercase());
    match extension.as_ref().and_then(|extension| extension.to_str()) {
        Some("json") => true,
        Some("toml") => false,
        _ => bytes.trim_ascii_start().starts_with(b"{"),
    }
}

fn table_to_json(table: &DeTable<'_>) -> Json {
    let mut entries = Map::new();
    for (key, value) in table {
        entries.insert(key.get_ref().to_string(), to_json(value.get_ref()));
    }
    Json::Object(entries)
}

/// Recursive, but no deeper than the parser lets tables and lists nest (80).
fn to_json(value: &DeValue<'_>) -> Json {
    match value {
        DeValue::String(text) => Json::String(text.to_string()),
        DeValue::Boolean(truth) => Json::Bool(*truth),
        DeValue::Datetime(moment) => Json::String(moment.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Json::from(number),
            Err(_) => Json::String(number.to_string()),
        },
        DeValue::Float(number) => {
            let number = number.as_str();
            let finite = number.parse().ok().and_then(Number::from_f64);
            finite.map_or_else(|| Json::String(number.to_owned()), Json::Number)
        }
        DeValue::Array(items) => items.iter().map(|item| to_json(item.get_ref())).collect(),
        DeValue::Table(table) => table_to_json(table),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of its own for one test, gone afterwards.
    struct Dir(PathBuf);

    impl Dir {
        fn new(test: &str) -> Dir {
            let name = format!("confd-file-{test}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).expect("a directory");
            Dir(path)
        }

        fn put(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.join(name);
            fs::write(&path, text).expect("a file");
            path
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            // Nothing depends on it.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn recorded(paths: &[PathBuf]) -> Recorded {
        Recorded::new(paths, Duration::ZERO)
    }

    #[test]
    fn json_and_toml_are_told_apart_by_name_and_content() {
        let dir = Dir::new("kinds");
        let json = r#" {"hosts": {"a": "1"}, "n": 1.5, "t": true}"#;
        let toml = "n = 1.5\nt = true\n[hosts]\na = \"1\"\n";
        let expected = Tree::from_pairs([("/hosts/a", "1"), ("/n", "1.5"), ("/t", "true")]);
        let bom = format!("\u{feff}{toml}").replace('\n', "\r\n");
        for (name, text) in [
            ("a.json", json),
            ("a.JSON", json),
            ("a.toml", toml),
            ("b.toml", &bom),
            ("json", json),
            ("toml.txt", toml),
        ] {
            let fetched = recorded(&[dir.put(name, text)]).fetch().expect(name);
            assert_eq!(*fetched.tree, expected, "{name}");
        }
    }

    #[test]
    fn tomls_types_become_text() {
        let dir = Dir::new("types");
        let text = "a = [1, 'x']\nd = 2016-10-11T13:54:41+08:00\nh = 0xff\ni = inf\n\
                    big = 99999999999999999999\n[[t]]\nname = 'n'\nv = 2\n";
        let fetched = recorded(&[dir.put("a.toml", text)]).fetch().expect("TOML");
        let expected = [
            ("/a/0", "1"),
            ("/a/1", "x"),
            ("/d", "2016-10-11T13:54:41+08:00"),
            ("/h", "255"),
            ("/i", "inf"),
            ("/big", "99999999999999999999"),
            ("/t/n/name", "n"),
            ("/t/n/v", "2"),
        ];
        assert_eq!(*fetched.tree, Tree::from_pairs(expected));
    }

    #[test]
    fn later_files_add_to_earlier_ones() {
        let dir = Dir::new("merge");
        let first = dir.put("1.json", r#"{"d": {"a": "1", "b": "1"}}"#);
        let second = dir.put("2.toml", "[d]\nb = '2'\nc = '2'\n");
        let fetched = recorded(&[first, second]).fetch().expect("both");
        let expected = [("/d/a", "1"), ("/d/b", "2"), ("/d/c", "2")];
        assert_eq!(*fetched.tree, Tree::from_pairs(expected));
    }

    #[test]
    fn whatever_is_no_whole_tree_is_an_error_without_its_content() {
        let dir = Dir::new("bad");
        for (name, text, expected) in [
            ("a.json", r#"{"secret": "#, "the body is not valid JSON"),
            ("b.json", "{}", "there is no metadata in it"),
            ("a.toml", "\nsecret\n", "line 2: "),
            ("b.toml", "", "there is no metadata in it"),
        ] {
            let path = dir.put(name, text);
            let error = recorded(std::slice::from_ref(&path))
                .fetch()
                .expect_err(name);
            let said = error.chain();
            let start = format!("{}: {expected}", path.display());
            assert!(said.starts_with(&start), "{said}");
            assert!(!said.contains("secret"), "{said}");
        }
        let missing = recorded(&[dir.0.join("none.json")]).fetch();
        let said = missing.expect_err("missing").chain();
        assert!(said.starts_with("cannot read "), "{said}");
    }

    #[test]
    fn a_changed_file_ends_the_waiting() {
        let dir = Dir::new("wait");
        let path = dir.put("a.json", r#"{"k": "1"}"#);
        let mut recorded = recorded(std::slice::from_ref(&path));
        let first = recorded.fetch().expect("good");
        assert_eq!(recorded.wait().expect("unchanged"), None);
        dir.put("a.json", r#"{"k": "longer"}"#);
        let second = recorded.wait().expect("good").expect("changed");
        assert_eq!(*second.tree, Tree::from_pairs([("/k", "longer")]));
        assert_ne!(second.version, first.version);
        fs::remove_file(path).expect("removed");
        recorded.wait().expect_err("gone");
    }
}
