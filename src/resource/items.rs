//! `for_each`: one template, many files. A pipeline over the view gives the items; each is a
//! resource of its own, with the item in its `dest`, `mode` and commands and as the template's dot.
//!
//! Metadata may come from people who are not the machine's: an item cannot choose a directory, and
//! nothing that a shell would take for more than a word gets into a command.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::Value as Json;

use super::Resource;
use super::funcs::{FUNCTIONS, Funcs};
use super::load::{below_root, parse_mode};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::template::value::Pair;
use crate::template::{self, Options, Template, Value};

/// How many files one resource may make.
const MOST_ITEMS: usize = 10_000;
/// The characters that an item in a command may have besides letters and digits.
const PLAIN: &str = "-_./:@+=,";

/// The line above the file of an item where the files of all items are shown as one.
pub(crate) fn title(dest: &Path) -> String {
    format!("==> {} <==\n", dest.display())
}

/// One item: a string, or a key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    key: String,
    value: Option<String>,
}

impl Item {
    /// The string, or the key.
    pub(crate) fn name(&self) -> &str {
        &self.key
    }

    /// The dot of the template.
    pub(super) fn to_value(&self) -> Value {
        match &self.value {
            None => Value::text(self.key.as_str()),
            Some(value) => Value::Pair(Rc::new(Pair {
                key: self.key.as_str().into(),
                value: value.as_str().into(),
            })),
        }
    }

    fn from_json(json: &Json) -> Option<Item> {
        let (key, value) = match json {
            Json::String(text) => (text.clone(), None),
            Json::Number(_) | Json::Bool(_) => (json.to_string(), None),
            Json::Object(fields) if fields.len() == 2 => {
                let field = |name| fields.get(name).and_then(Json::as_str).map(str::to_owned);
                (field("Key")?, Some(field("Value")?))
            }
            _ => return None,
        };
        Some(Item { key, value })
    }
}

/// The way to execute an action of a key, such as `dest`, with these functions and this dot.
type Execute<'e> =
    dyn FnMut(&Template, &mut Funcs, &Value, Options) -> Result<Vec<u8>, template::Error> + 'e;

/// Evaluates `for_each`, and the keys that an item is put into.
pub(super) struct Actions<'f> {
    pub funcs: &'f mut Funcs,
    pub execute: &'f mut Execute<'f>,
}

impl Actions<'_> {
    fn evaluate(&mut self, key: &str, text: &str, dot: &Value) -> Result<Vec<u8>> {
        let template = Template::parse(key, text.as_bytes(), FUNCTIONS)?;
        let strict = Options { strict: true };
        Ok((self.execute)(&template, self.funcs, dot, strict)?)
    }
}

impl Resource {
    /// Returns true if it makes a file for each item of a list.
    pub(crate) fn is_for_each(&self) -> bool {
        self.for_each.is_some()
    }

    /// The resources of the items. An item that cannot be used is an error, and nothing is changed.
    pub(super) fn items(
        &self,
        pipeline: &str,
        mut actions: Actions<'_>,
        config: &Config,
    ) -> Result<Vec<Resource>> {
        let mut made: BTreeMap<PathBuf, String> = BTreeMap::new();
        let mut resources = Vec::new();
        for item in self.list(pipeline, &mut actions)? {
            let resource = self.for_item(&item, &mut actions, config)?;
            if let Some(other) = made.insert(resource.dest.clone(), item.key.clone()) {
                let (key, dest) = (&item.key, resource.dest.display());
                return Err(self.refuse(&format!(
                    "items {other:?} and {key:?} would both make {dest}"
                )));
            }
            resources.push(resource);
        }
        Ok(resources)
    }

    fn refuse(&self, problem: &str) -> Error {
        Error::resource(&self.shown, &format!("for_each: {problem}"))
    }

    /// The items: what the pipeline gives, by way of JSON.
    fn list(&self, pipeline: &str, actions: &mut Actions<'_>) -> Result<Vec<Item>> {
        let json = actions.evaluate("for_each", &wrap(pipeline), &Value::Nil)?;
        let items = match serde_json::from_slice(&json) {
            Ok(Json::Null) => Vec::new(),
            Ok(Json::Array(items)) => items,
            _ => return Err(self.refuse("the value is no list, such as lsdir or gets return")),
        };
        if items.len() > MOST_ITEMS {
            let count = items.len();
            return Err(self.refuse(&format!("there are {count} items, more than {MOST_ITEMS}")));
        }
        let item = |json| {
            let must = "an item is neither a string nor a pair of key and value";
            Item::from_json(json).ok_or_else(|| self.refuse(must))
        };
        items.iter().map(item).collect()
    }

    fn for_item(
        &self,
        item: &Item,
        actions: &mut Actions<'_>,
        config: &Config,
    ) -> Result<Resource> {
        let mut put = |key: &'static str, text: &str, check: fn(&str) -> Option<&'static str>| {
            self.put_item(item, (key, text), check, actions)
        };
        let dest: PathBuf = put("dest", &self.dest.to_string_lossy(), as_name)?.into();
        let mode = put("mode", &self.mode_text, as_name)?;
        let check_cmd = put("check_cmd", &self.check_cmd, as_word)?;
        let reload_cmd = put("reload_cmd", &self.reload_cmd, as_word)?;
        let wrong_mode =
            || self.refuse(&format!("item {:?} has no octal mode: {mode:?}", item.key));
        Ok(Resource {
            mode: parse_mode(&mode).map_err(|()| wrong_mode())?,
            shown: below_root(&dest, config),
            dest,
            check_cmd,
            reload_cmd,
            for_each: None,
            item: Some(item.clone()),
            warnings: Vec::new(),
            ..self.clone()
        })
    }

    /// The text of a key with the item in it.
    fn put_item(
        &self,
        item: &Item,
        (key, text): (&'static str, &str),
        check: fn(&str) -> Option<&'static str>,
        actions: &mut Actions<'_>,
    ) -> Result<String> {
        let dot = item.to_value();
        let mut put = String::new();
        for part in parts(text) {
            let Part::Action(action) = part else {
                put.push_str(part.text());
                continue;
            };
            let value = actions.evaluate(key, action, &dot)?;
            let value = String::from_utf8_lossy(&value);
            if let Some(problem) = check(&value) {
                let name = &item.key;
                return Err(self.refuse(&format!(
                    "item {name:?} cannot be put into {key}: {value:?} {problem}"
                )));
            }
            put.push_str(&value);
        }
        Ok(put)
    }
}

/// The error if `for_each` does not parse, or if its item is not used in `dest`.
pub(super) fn check(pipeline: &str, dest: &str) -> Result<(), String> {
    Template::parse("for_each", wrap(pipeline).as_bytes(), FUNCTIONS)
        .map_err(|error| format!("is no pipeline: {}", with_cure(&error)))?;
    for part in parts(dest) {
        if let Part::Action(action) = part {
            return Template::parse("dest", action.as_bytes(), FUNCTIONS)
                .map(|_| ())
                .map_err(|error| format!("makes no sense with this dest: {}", with_cure(&error)));
        }
    }
    Err("makes one file for each item, but dest has no {{.}}".to_owned())
}

/// The error, and what to do.
fn with_cure(error: &template::Error) -> String {
    match error.cure() {
        Some(cure) => format!("{error}; {cure}"),
        None => error.to_string(),
    }
}

/// The text of a key as it would be with the item `item`.
pub(crate) fn with_sample(text: &str) -> String {
    let sample = |part: Part<'_>| match part {
        Part::Action(_) => "item".to_owned(),
        Part::Text(text) => text.to_owned(),
    };
    parts(text).into_iter().map(sample).collect()
}

fn wrap(pipeline: &str) -> String {
    format!("{{{{toJson ({pipeline})}}}}")
}

/// A part of a text.
enum Part<'t> {
    Text(&'t str),
    /// `{{…}}` with the item in it.
    Action(&'t str),
}

impl<'t> Part<'t> {
    fn text(&self) -> &'t str {
        match self {
            Part::Text(text) | Part::Action(text) => text,
        }
    }
}

/// Tells the actions that use the item from everything else, such as `{{.src}}`, and the braces of
/// other programs' formats.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut rest, mut from) = (text, 0);
    while let Some(open) = rest.get(from..).and_then(|tail| tail.find("{{")) {
        let open = from + open;
        let Some(length) = rest.get(open..).and_then(|tail| tail.find("}}")) else {
            break;
        };
        let close = open + length + 2;
        let action = rest.get(open..close).unwrap_or_default();
        let mut words = action.split(|c: char| c.is_whitespace() || "{}()|".contains(c));
        if words.any(|word| [".", ".Key", ".Value"].contains(&word)) {
            parts.push(Part::Text(rest.get(..open).unwrap_or_default()));
            parts.push(Part::Action(action));
            rest = rest.get(close..).unwrap_or_default();
            from = 0;
        } else {
            from = close;
        }
    }
    parts.push(Part::Text(rest));
    parts
}

/// The reason why a part of a file's name is refused.
fn as_name(value: &str) -> Option<&'static str> {
    if value.is_empty() {
        Some("is empty")
    } else if value == "." || value == ".." {
        Some("is a directory")
    } else if value.contains(['/', '\\']) {
        Some("leads to another directory")
    } else if value.chars().any(char::is_control) {
        Some("has a control character")
    } else {
        None
    }
}

/// The reason why a part of a command is refused.
fn as_word(value: &str) -> Option<&'static str> {
    if value.is_empty() {
        Some("is empty")
    } else if value.starts_with('-') {
        Some("would be an option")
    } else if !value
        .chars()
        .all(|c| c.is_alphanumeric() || PLAIN.contains(c))
    {
        Some("may mean more to a shell: only letters, digits and -_./:@+=, can stand there")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_actions_with_the_item_are_the_items() {
        for (text, wanted) in [
            ("/etc/{{.}}.conf", "/etc/item.conf"),
            (
                "/etc/{{ base .Key }}/{{.Value | toLower}}",
                "/etc/item/item",
            ),
            ("x {{.src}} {{.dest}} {{.}}", "x {{.src}} {{.dest}} item"),
            (
                "docker ps --format '{{.Names}}'",
                "docker ps --format '{{.Names}}'",
            ),
            ("{{.src}}", "{{.src}}"),
            ("{{(base .)}}{{", "item{{"),
            ("\u{e4}{{.Keys}}\u{e4}", "\u{e4}{{.Keys}}\u{e4}"),
            ("", ""),
        ] {
            assert_eq!(with_sample(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_misspelt_function_is_named() {
        for (pipeline, dest) in [
            ("lsdirr \"/x\"", "/etc/{{.}}"),
            ("ls \"/x\"", "/{{lsdirr .}}"),
        ] {
            let problem = check(pipeline, dest).expect_err("a problem");
            assert!(
                problem.ends_with("\"lsdirr\" not defined; there is a function lsdir"),
                "{problem}"
            );
        }
    }

    #[test]
    fn names_stay_in_their_directory() {
        for bad in ["", ".", "..", "a/b", "/", "..\\x", "a\0", "a\nb"] {
            assert!(as_name(bad).is_some(), "{bad:?}");
        }
        for good in ["a", "a.b", "..a", " ", "\u{4e2d}", "$(x)"] {
            assert!(as_name(good).is_none(), "{good:?}");
        }
    }

    #[test]
    fn words_of_commands_mean_nothing_to_a_shell() {
        for bad in [
            "", "-rf", "a b", "a;b", "$(x)", "`x`", "a'", "a\nb", "*", "%x%", "~",
        ] {
            assert!(as_word(bad).is_some(), "{bad:?}");
        }
        for good in ["a", "a-b.c", "/env/x", "10.0.0.1:80", "\u{4e2d}"] {
            assert!(as_word(good).is_none(), "{good:?}");
        }
    }
}
