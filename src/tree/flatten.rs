//! Any JSON as leaves, by the original's rules: arrays, numbers and odd names included. For what
//! [`super::json`] does not read by itself.
//!
//! The path so far is one buffer that grows and shrinks with the nesting. Errors carry no metadata:
//! serde's own complaints about types would quote values, so every type is accepted here and judged
//! in our own words.

use std::fmt;
use std::ops::Range;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use super::Tree;
use super::builder::Builder;
use super::mark::Mark;
use crate::go::path;

/// Reads one whole JSON object.
pub(super) fn parse(body: &[u8]) -> Result<Tree, String> {
    let mut walk = Walk {
        flat: Flat::within(most_text(body)),
        ..Walk::default()
    };
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    walk.deserialize(&mut deserializer)
        .and_then(|()| deserializer.end())
        .map_err(|error| format!("the body is not valid JSON: {error}"))?;
    if walk.flat.is_full {
        let most = walk.flat.most;
        return Err(format!("its keys and values have more than {most} bytes"));
    }
    Ok(walk.flat.into_tree())
}

/// The limit of all keys and values. Each key is a whole path here, so a small body with long names
/// around many leaves could take any memory; 32 times its size is more than lists of digits need.
fn most_text(body: &[u8]) -> usize {
    body.len().saturating_mul(32).saturating_add(16 << 20)
}

/// Leaves in any order, each with its whole key.
pub(super) struct Flat {
    text: String,
    leaves: Vec<FlatLeaf>,
    /// The limit of the text in bytes.
    most: usize,
    /// True when there was a leaf beyond the limit.
    is_full: bool,
}

impl Default for Flat {
    /// Without a limit.
    fn default() -> Self {
        Flat::within(usize::MAX)
    }
}

/// Where in the text a leaf's key begins, its value begins, and its value ends.
#[derive(Clone, Copy)]
struct FlatLeaf {
    key: usize,
    value: usize,
    end: usize,
}

impl Flat {
    fn within(most: usize) -> Flat {
        Flat {
            text: String::new(),
            leaves: Vec::new(),
            most,
            is_full: false,
        }
    }

    /// Adds a leaf whose path may have no leading slash.
    pub(super) fn push_any(&mut self, path: &str, value: &str) {
        if path.starts_with('/') {
            self.push(path, value);
        } else {
            self.push(&format!("/{path}"), value);
        }
    }

    fn push(&mut self, path: &str, value: &str) {
        let length = path.len().saturating_add(value.len());
        if length > self.most.saturating_sub(self.text.len()) {
            self.is_full = true;
            return;
        }
        let key = self.text.len();
        if path::is_clean_key(path) {
            self.text.push_str(path);
        } else {
            self.text.push_str(&path::clean(path));
        }
        let middle = self.text.len();
        self.text.push_str(value);
        let (value, end) = (middle, self.text.len());
        self.leaves.push(FlatLeaf { key, value, end });
    }

    /// Sorts the leaves; of those with the same key the last stays.
    pub(super) fn into_tree(mut self) -> Tree {
        let text = &self.text;
        let key = |leaf: &FlatLeaf| text.get(leaf.key..leaf.value).unwrap_or_default();
        let value = |leaf: &FlatLeaf| text.get(leaf.value..leaf.end).unwrap_or_default();
        if !self.leaves.is_sorted_by_key(key) {
            self.leaves.sort_by_key(key);
        }
        let mut builder = Builder::new(text.len() / 4);
        let mut above = "";
        let mut leaves = self.leaves.iter().peekable();
        while let Some(leaf) = leaves.next() {
            if leaves.peek().is_some_and(|next| key(next) == key(leaf)) {
                continue;
            }
            let (dir, name) = key(leaf).rsplit_once('/').unwrap_or_default();
            change_dir(&mut builder, above, dir);
            builder.leaf(name, value(leaf));
            above = dir;
        }
        builder.finish()
    }
}

/// Closes the directories of one path that are not on the other, and opens those that are only
/// there.
fn change_dir(builder: &mut Builder, from: &str, to: &str) {
    if from == to {
        return;
    }
    let (mut from, mut to) = (from.split('/').peekable(), to.split('/').peekable());
    while from.peek().is_some() && from.peek() == to.peek() {
        from.next();
        to.next();
    }
    from.for_each(|_| builder.close(Mark::NONE));
    to.for_each(|name| builder.open(name));
}

/// The leaves found so far and the path of the value that comes next.
#[derive(Default)]
struct Walk {
    path: String,
    flat: Flat,
    /// The names of the objects that are being read, one after the other: for objects with the same
    /// name twice.
    names: String,
    seen: Vec<Seen>,
}

/// One name of an object that is being read.
struct Seen {
    /// Where in [`Walk::names`].
    name: Range<usize>,
    /// Which leaves its value gave.
    leaves: Range<usize>,
}

impl Walk {
    fn leaf(&mut self, value: &str) {
        self.flat.push(&self.path, value);
    }

    /// Numbers are float64 in the original, printed without an exponent: `FormatFloat(v, 'f', -1,
    /// 64)`.
    fn number(&mut self, value: f64) {
        self.leaf(&value.to_string());
    }

    /// Does `read` one level further down.
    fn below<T, E>(
        &mut self,
        segment: &str,
        read: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<(), E> {
        let length = self.path.len();
        self.path.push('/');
        self.path.push_str(segment);
        read(self)?;
        self.path.truncate(length);
        Ok(())
    }

    /// An element of an array, by its name or its index.
    fn element(&mut self, index: usize, element: &Json) {
        let name = element.get("name").and_then(Json::as_str);
        let segment = name.map_or_else(|| index.to_string(), str::to_owned);
        self.member(&segment, element);
    }

    fn member(&mut self, segment: &str, value: &Json) {
        let length = self.path.len();
        self.path.push('/');
        self.path.push_str(segment);
        self.json(value);
        self.path.truncate(length);
    }

    /// A value that was read whole. Recursive, but no deeper than the parser lets values nest
    /// (128).
    fn json(&mut self, value: &Json) {
        match value {
            Json::Null => self.leaf("null"),
            Json::Bool(value) => self.leaf(if *value { "true" } else { "false" }),
            Json::Number(number) => self.number(number.as_f64().unwrap_or_default()),
            Json::String(value) => self.leaf(value),
            Json::Array(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    self.element(index, element);
                }
            }
            Json::Object(members) => {
                for (name, value) in members {
                    self.member(name, value);
                }
            }
        }
    }

    /// The leaves of all but the last of equal names, of those from `first` on.
    fn replaced(&mut self, first: usize) -> Vec<Range<usize>> {
        let Some(seen) = self.seen.get_mut(first..) else {
            return Vec::new();
        };
        let names = &self.names;
        let name = |seen: &Seen| names.get(seen.name.clone());
        if seen.is_sorted_by(|one, next| name(one) < name(next)) {
            return Vec::new();
        }
        seen.sort_unstable_by(|one, other| {
            (name(one), one.name.start).cmp(&(name(other), other.name.start))
        });
        let mut replaced = Vec::new();
        for pair in seen.windows(2) {
            if let [one, next] = pair
                && name(one) == name(next)
            {
                replaced.push(one.leaves.clone());
            }
        }
        replaced
    }

    /// Drops these leaves: a repeated key replaces all that its first value held.
    fn forget(&mut self, mut replaced: Vec<Range<usize>>) {
        replaced.sort_unstable_by_key(|range| range.start);
        let Some(first) = replaced.first().map(|range| range.start) else {
            return;
        };
        let mut replaced = replaced.into_iter().peekable();
        let tail = self.flat.leaves.split_off(first);
        for (index, leaf) in (first..).zip(tail) {
            while replaced.next_if(|range| range.end <= index).is_some() {}
            if replaced.peek().is_none_or(|range| index < range.start) {
                self.flat.leaves.push(leaf);
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for &mut Walk {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Walk {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.leaf(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.number(value as f64);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.number(value as f64);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.number(value);
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.leaf(value);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.leaf("null");
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (length, names, first) = (self.path.len(), self.names.len(), self.seen.len());
        loop {
            let start = self.names.len();
            if map.next_key_seed(Name(&mut self.names))?.is_none() {
                break;
            }
            let name = start..self.names.len();
            self.path.push('/');
            self.path
                .push_str(self.names.get(name.clone()).unwrap_or_default());
            let before = self.flat.leaves.len();
            map.next_value_seed(&mut *self)?;
            self.path.truncate(length);
            let leaves = before..self.flat.leaves.len();
            self.seen.push(Seen { name, leaves });
        }
        let replaced = self.replaced(first);
        self.forget(replaced);
        self.seen.truncate(first);
        self.names.truncate(names);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut index = 0_usize;
        while seq
            .next_element_seed(Element { walk: self, index })?
            .is_some()
        {
            index += 1;
        }
        Ok(())
    }
}

/// An element of an array. An object's `name` stands for its index; it may come last, so objects
/// are read whole first.
struct Element<'w> {
    walk: &'w mut Walk,
    index: usize,
}

impl Element<'_> {
    /// Reads anything except an object.
    fn read<T, E>(self, read: impl FnOnce(&mut Walk) -> Result<T, E>) -> Result<(), E> {
        self.walk.below(&self.index.to_string(), read)
    }
}

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.read(|walk| walk.visit_bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.read(|walk| walk.visit_i64(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.read(|walk| walk.visit_u64(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.read(|walk| walk.visit_f64(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.read(|walk| walk.visit_str(value))
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.read(|walk| walk.visit_unit())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        self.read(|walk| walk.visit_seq(seq))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let element = Json::deserialize(MapAccessDeserializer::new(map))?;
        self.walk.element(self.index, &element);
        Ok(())
    }
}

/// Appends the name of a member to a string.
struct Name<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<(), E> {
        self.0.push_str(name);
        Ok(())
    }
}
