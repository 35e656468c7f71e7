//! `-dump`: the metadata as this node sees it, into a JSON file that `-backend file` reads back as
//! the same tree.
//!
//! Hides on request what looks like a secret. Knows no resources.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Map, Value as Json};

use crate::backend::Backend;
use crate::cli::Args;
use crate::config::Config;
use crate::error::Result;
use crate::go::unicode;
use crate::resource::stage::{self, Attributes, Stage, Target};
use crate::tools::console;
use crate::tree::Tree;

/// Stands for a value that is hidden. An empty value stays empty: there is nothing to hide,
/// and templates test for it.
const HIDDEN: &str = "REDACTED";
/// Deeper levels are written as one key with slashes: JSON readers have a limit, serde's is 128.
const DEEPEST: usize = 100;

/// The options.
#[derive(Debug)]
pub struct Options<'a> {
    /// The file to write; `-` is stdout.
    path: &'a str,
    redaction: Option<Redaction>,
}

impl Options<'_> {
    /// `-dump PATH`, `-redact`, `-redact=NAMES`.
    pub fn from_args(args: &Args) -> Options<'_> {
        let redacted = args.is_given("redact");
        Options {
            path: args.last("dump").unwrap_or("-"),
            redaction: redacted.then(|| Redaction::new(args.all("redact"))),
        }
    }
}

/// Asks for the metadata once, and writes it.
pub fn run(config: &Config, options: &Options<'_>) -> Result<ExitCode> {
    let mut backend = Backend::new(config);
    let tree = console::with_progress("fetching the metadata", || backend.fetch())?.tree;
    let text = text_of(&tree, options.redaction.as_ref());
    match options.path {
        "-" => console::print(&text)?,
        path => write(Path::new(path), &text)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The recording of a tree, as text.
pub fn text_of(tree: &Tree, redaction: Option<&Redaction>) -> String {
    let hides = |key: &str| redaction.is_some_and(|redaction| redaction.hides(key));
    let text = format!("{:#}\n", to_json(tree.leaves(), hides));
    // JSON leaves DEL and the C1 control characters alone, which terminals obey.
    console::without_controls(&text)
}

/// For the eyes of the caller only: 0600, whosesoever the file was before.
fn write(path: &Path, text: &str) -> Result<()> {
    let wanted = Attributes {
        mode: Some(0o600),
        ..Attributes::default()
    };
    let target = Target::resolve(path, wanted)?.afresh();
    let stage = Stage::create(target, text.as_bytes(), false)?;
    stage.sync()?;
    stage::sync_directories(&[stage.commit()?])
}

/// Leaves as nested objects, sorted, without the values of keys for which `hides` holds.
pub fn to_json<'t>(
    leaves: impl Iterator<Item = (String, &'t str)>,
    hides: impl Fn(&str) -> bool,
) -> Json {
    let mut root = Map::new();
    for (key, value) in leaves {
        let hidden = !value.is_empty() && hides(&key);
        let value = if hidden { HIDDEN } else { value };
        insert(&mut root, key.trim_start_matches('/'), value);
    }
    Json::Object(root)
}

/// A key below one that has a value itself (`/a` and `/a/b`) has no place of its own in JSON; it is
/// written with its slash, which reads back as the same key. The leaves come sorted, so that `/a`
/// is there first.
fn insert(root: &mut Map<String, Json>, key: &str, value: &str) {
    let (mut place, mut rest) = (root, key);
    for _ in 1..DEEPEST {
        let Some((name, below)) = rest.split_once('/') else {
            break;
        };
        if matches!(place.get(name), Some(Json::String(_))) {
            break;
        }
        let entry = place.entry(name).or_insert_with(|| Map::new().into());
        let Json::Object(next) = entry else { return };
        (place, rest) = (next, below);
    }
    place.insert(rest.to_owned(), value.into());
}

/// The rules for hidden values: words in their keys, and the names that the user gave.
#[derive(Debug)]
pub struct Redaction {
    /// Lower case; one with a slash is a whole key or what is above it, else any segment.
    named: Vec<String>,
}

impl Redaction {
    /// Of what was typed for `-redact`: `true` for the flag alone, or names separated by commas.
    pub fn new(typed: &[String]) -> Redaction {
        let mut named = Vec::new();
        for text in typed.iter().filter(|text| *text != "true") {
            for name in text.split(',') {
                let name = unicode::lowered(name.trim().trim_end_matches('/'));
                if !name.is_empty() {
                    named.push(name);
                }
            }
        }
        Redaction { named }
    }

    /// The same tree without the values that it hides.
    pub fn redacted(&self, tree: &Tree) -> Tree {
        Tree::from_pairs(tree.leaves().map(|(key, value)| {
            let hidden = !value.is_empty() && self.hides(&key);
            (key, if hidden { HIDDEN } else { value })
        }))
    }

    fn hides(&self, key: &str) -> bool {
        let key = unicode::lowered(key);
        let is_below = |name: &str| {
            let rest = key.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let is_named = |segment: &str| self.named.iter().any(|name| name == segment);
        key.split('/')
            .any(|segment| is_named(segment) || looks_secret(segment))
            || self.named.iter().any(|name| is_below(name))
    }
}

/// The names of secrets, anywhere in a word. Rather too much is hidden than too
/// little, also everything below such a name.
const ANYWHERE: &[&str] = &["credential", "passphrase", "passw", "secret"];
/// The same, but only at the end of a word (`apikey`, `tokens`, `pwd2`), since others begin like
/// that: `keyspace`, `passive`.
const AT_THE_END: &[&str] = &["auth", "cred", "key", "pass", "private", "pwd", "token"];

/// Returns true for the name of a key that certainly holds a secret.
pub fn is_surely_secret(name: &str) -> bool {
    let name = unicode::lowered(name);
    ANYWHERE.iter().any(|secret| name.contains(secret)) || name.ends_with("token")
}

/// Returns true if a segment, in lower case, has a word for a secret.
fn looks_secret(segment: &str) -> bool {
    let mut words = segment.split(|c: char| !c.is_alphanumeric());
    ANYWHERE.iter().any(|secret| segment.contains(secret))
        || words.any(|word| {
            let word = word.trim_end_matches(char::is_numeric);
            let singular = word.strip_suffix('s').unwrap_or(word);
            let mut secrets = AT_THE_END.iter();
            secrets.any(|secret| word.ends_with(secret) || singular.ends_with(secret))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(pairs: &[(&str, &str)]) -> String {
        let tree = Tree::from_pairs(pairs.iter().copied());
        to_json(tree.leaves(), |_| false).to_string()
    }

    #[test]
    fn control_characters_are_escaped_and_read_back() {
        let value = "a\u{9b}2J\u{7f}é\u{1b}";
        let text = console::without_controls(&json(&[("/k", value)]));
        assert!(text.chars().all(|found| !found.is_control()), "{text}");
        let tree = Tree::from_json(text.as_bytes()).expect("JSON");
        assert_eq!(
            tree.leaves().next().map(|(_, value)| value.to_owned()),
            Some(value.to_owned())
        );
    }

    #[test]
    fn leaves_nest_and_are_sorted() {
        let pairs = [
            ("/b/y", "2"),
            ("/b/x", "\"1\"\n"),
            ("/a", ""),
            ("/c-/1", "é"),
        ];
        let expected = r#"{"a":"","b":{"x":"\"1\"\n","y":"2"},"c-":{"1":"é"}}"#;
        assert_eq!(json(&pairs), expected);
    }

    #[test]
    fn every_tree_reads_back_as_it_was() {
        let deep = "/d".repeat(1000);
        let deeper = format!("{deep}/e");
        let trees: [&[(&str, &str)]; 5] = [
            &[("/a", "1")],
            &[("/", "root"), ("/a", "1"), ("/a/b/c", "2"), ("/a-b", "3")],
            &[
                ("/a/b", "1"),
                ("/a/b/c", "2"),
                ("/a/b/c/d/e", "3"),
                ("/a/c", "4"),
            ],
            &[(&deep, "1"), (&deeper, "2")],
            &[
                ("/0/1", "true"),
                ("/0/name", "n"),
                ("/ä/\"", "\u{0}\u{feff}"),
            ],
        ];
        for pairs in trees {
            let tree = Tree::from_pairs(pairs.iter().copied());
            let text = to_json(tree.leaves(), |_| false).to_string();
            assert_eq!(Tree::from_json(text.as_bytes()), Ok(tree), "{text:.200}");
        }
    }

    #[test]
    fn secrets_are_known_by_their_names() {
        let redaction = Redaction::new(&["true".to_owned()]);
        for (key, hidden) in [
            ("/env/password", true),
            ("/env/DB_Password", true),
            ("/env/root.passwd", true),
            ("/env/requirepass", true),
            ("/env/admin-pwd2", true),
            ("/env/api_key", true),
            ("/env/ssh_keys", true),
            ("/env/secretKey", true),
            ("/env/access_token_ttl", true),
            ("/env/tokens/0", true),
            ("/links/db/credentials/user", true),
            ("/env/keyspace", false),
            ("/env/passive", false),
            ("/env/tokenizer", false),
            ("/env/bytes", false),
            ("/hosts/i-abc/ip", false),
            ("/env/true", false),
            ("/env/dbPasswordHash", true),
        ] {
            assert_eq!(redaction.hides(key), hidden, "{key}");
        }
    }

    #[test]
    fn keys_are_hidden_by_name() {
        let typed = ["true", "Pin, /cluster/vxnet/", "/env/license"].map(str::to_owned);
        let redaction = Redaction::new(&typed);
        for (key, hidden) in [
            ("/env/pin", true),
            ("/pin/x", true),
            ("/cluster/vxnet", true),
            ("/cluster/vxnet/name", true),
            ("/cluster/vxnets", false),
            ("/env/license", true),
            ("/x/env/license", false),
            ("/env/pins", false),
        ] {
            assert_eq!(redaction.hides(key), hidden, "{key}");
        }
    }

    #[test]
    fn an_empty_value_needs_no_hiding() {
        let tree = Tree::from_pairs([("/password", ""), ("/token", "t")]);
        let text = to_json(tree.leaves(), |_| true).to_string();
        assert_eq!(text, r#"{"password":"","token":"REDACTED"}"#);
    }
}
