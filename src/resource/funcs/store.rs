//! What a template may see of the metadata, as functions: `exists get gets getv getvs ls lsdir`. Remembers what was
//! asked for, so that a change can be named by the keys that this template reads.

use super::Funcs;
use crate::go::filepath::{BadPattern, Pattern};
use crate::go::path;
use crate::template::interner::Interner;
use crate::template::value::{Pair, Str};
use crate::template::{Budget, CallError, Value};
use crate::tree::{Change, Found, Kind, View};

/// What one rendering asked the store for. There may be thousands of each.
#[derive(Clone, Debug, Default)]
pub struct Reads {
    keys: Interner,
    /// The cleaned paths of `ls` and `lsdir`.
    listings: Interner,
    patterns: Interner,
}

impl Reads {
    /// The keys that a rendering with these reads depends on and that were added, removed or changed from `old` to
    /// `new`, sorted. A listing depends on which keys there are, not on their values.
    pub fn changed(&self, old: &View, new: &View) -> Vec<String> {
        let patterns = self.patterns_by_head();
        let listings: Vec<&[u8]> = self.listings.names().collect();
        let read = |change: &Change| {
            self.keys.get(change.key.as_bytes()).is_some()
                || (change.kind != Kind::Value && shows(&listings, change.key))
                || matches_any(&patterns, change.key)
        };
        let mut changed = Vec::new();
        for change in old.changed(new) {
            if read(&change) {
                changed.push(change.key.to_owned());
            }
        }
        changed
    }

    fn patterns_by_head(&self) -> Vec<(String, Pattern)> {
        let mut patterns = Vec::new();
        for text in self.patterns.names() {
            if let Ok(Ok(pattern)) = str::from_utf8(text).map(Pattern::parse) {
                patterns.push((pattern.head(), pattern));
            }
        }
        patterns.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        patterns
    }
}

/// Whether one of the sorted listings shows this key, or, as the original's rule has it, leads through its directory.
fn shows(listings: &[&[u8]], key: &str) -> bool {
    let has = |path: &str| listings.binary_search(&path.as_bytes()).is_ok();
    let dir = path::key_dir(key);
    let mut above = dir.match_indices('/').skip(1);
    let below = format!("{dir}/");
    let first_below = listings.partition_point(|path| *path < below.as_bytes());
    has(key)
        || has(dir)
        || above.any(|(slash, _)| has(&dir[..slash]))
        || (dir != "/"
            && listings
                .get(first_below)
                .is_some_and(|path| path.starts_with(below.as_bytes())))
}

/// Looks only at the patterns that begin as the key does: there may be one for every host.
fn matches_any(patterns: &[(String, Pattern)], key: &str) -> bool {
    let mut ends = key.char_indices().map(|(end, _)| end).chain([key.len()]);
    ends.any(|end| {
        let head = &key[..end];
        let first = patterns.partition_point(|(known, _)| known.as_str() < head);
        let mut same = patterns[first..]
            .iter()
            .take_while(|(known, _)| known == head);
        same.any(|(_, pattern)| pattern.matches(key))
    })
}

impl Funcs {
    /// `exists`
    pub(super) fn exists(&mut self, key: &Str, budget: &mut Budget) -> Result<Value, CallError> {
        Ok(Value::Bool(self.look_up(key, budget)?.is_some()))
    }

    /// `get`
    pub(super) fn get(&mut self, key: &Str, budget: &mut Budget) -> Result<Value, CallError> {
        match self.look_up(key, budget)? {
            Some(value) => Ok(Value::Pair(
                Pair {
                    key: key.clone(),
                    value,
                }
                .into(),
            )),
            None => Err(missing(key)),
        }
    }

    /// `getv`: a key that exists but is empty beats the default.
    pub(super) fn getv(
        &mut self,
        key: &Str,
        default: Option<&Value>,
        budget: &mut Budget,
    ) -> Result<Value, CallError> {
        match (self.look_up(key, budget)?, default) {
            (Some(value), _) => Ok(Value::Str(value)),
            (None, Some(default)) => Ok(default.clone()),
            (None, None) => Err(missing(key)),
        }
    }

    fn look_up(&mut self, key: &Str, budget: &mut Budget) -> Result<Option<Str>, CallError> {
        let Ok(key) = std::str::from_utf8(key.as_bytes()) else {
            return Ok(None);
        };
        let value = self.view.get_around(&mut self.near, key);
        budget.spend_bytes(key.len() + value.map_or(0, str::len) + size_of::<Str>())?;
        self.reads.keys.add(key.as_bytes());
        Ok(value.map(Str::from))
    }

    /// `gets`: sorted by key.
    pub(super) fn gets(&mut self, pattern: &Str, budget: &mut Budget) -> Result<Value, CallError> {
        let mut pairs = Vec::new();
        for (key, value) in self.matching(pattern, budget)? {
            pairs.push(Pair {
                key: key.into(),
                value: value.into(),
            });
        }
        Ok(Value::Pairs(pairs.into()))
    }

    /// `getvs`: sorted as text.
    pub(super) fn getvs(&mut self, pattern: &Str, budget: &mut Budget) -> Result<Value, CallError> {
        let pairs = self.matching(pattern, budget)?;
        let mut values: Vec<&str> = pairs.into_iter().map(|(_, value)| value).collect();
        values.sort_unstable();
        Ok(strings(&values))
    }

    fn matching(
        &mut self,
        text: &Str,
        budget: &mut Budget,
    ) -> Result<Vec<(&str, &str)>, CallError> {
        let Ok(text) = std::str::from_utf8(text.as_bytes()) else {
            return Ok(Vec::new());
        };
        budget.spend_bytes(text.len())?;
        let pattern = match Pattern::parse(text) {
            Ok(pattern) => pattern,
            // The original looks at the pattern only when there is a key to hold against it.
            Err(BadPattern) if self.view.leaves().next().is_none() => return Ok(Vec::new()),
            Err(error) => return Err(CallError::failed(error.to_string())),
        };
        self.reads.patterns.add(text.as_bytes());
        let Found { items, walked } = self.view.matching(&pattern);
        budget.spend_steps(walked)?;
        let size: usize = items
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum();
        budget.spend_bytes(size + items.len() * size_of::<Pair>())?;
        Ok(items)
    }

    /// `ls`, and with `dirs_only` `lsdir`.
    pub(super) fn list(
        &mut self,
        dir: &Str,
        dirs_only: bool,
        budget: &mut Budget,
    ) -> Result<Value, CallError> {
        let Ok(dir) = std::str::from_utf8(dir.as_bytes()) else {
            return Ok(strings(&[]));
        };
        self.reads.listings.add(path::clean(dir).as_bytes());
        let Found { items, walked } = if dirs_only {
            self.view.list_dirs(dir)
        } else {
            self.view.list(dir)
        };
        budget.spend_steps(walked)?;
        let size: usize = items.iter().map(|name| name.len()).sum();
        budget.spend_bytes(dir.len() + size + items.len() * size_of::<Str>())?;
        Ok(strings(&items))
    }
}

fn missing(key: &Str) -> CallError {
    CallError::missing(key.to_text().into_owned())
}

fn strings(texts: &[&str]) -> Value {
    Value::Strings(texts.iter().map(|text| Str::from(*text)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;
    use std::sync::Arc;

    fn view(leaves: &[(&str, &str)]) -> View {
        Arc::new(Tree::from_pairs(leaves.iter().copied())).view("", &["/".to_owned()])
    }

    #[test]
    fn a_change_is_named_by_the_keys_that_were_read() {
        let old = view(&[
            ("/a/x", "1"),
            ("/a/y", "1"),
            ("/b/h1/ip", "1"),
            ("/b/h1/id", "1"),
            ("/c", "1"),
            ("/d/e", "1"),
        ]);
        let new = view(&[
            ("/a/x", "2"),
            ("/a/z", "1"),
            ("/b/h1/ip", "2"),
            ("/b/h1/id", "2"),
            ("/b/h2/ip", "1"),
            ("/d/e", "2"),
        ]);
        let set = |texts: &[&str]| {
            let mut set = Interner::default();
            for text in texts {
                set.add(text.as_bytes());
            }
            set
        };
        for (keys, listings, patterns, want) in [
            (
                &["/a/x", "/c", "/no", "/b"][..],
                &[][..],
                &[][..],
                "/a/x /c",
            ),
            (&[], &["/a"], &[], "/a/y /a/z"),
            (&[], &["/b"], &[], "/b/h2/ip"),
            (&[], &["/b/h2"], &[], "/b/h2/ip"),
            (&[], &["/a/none/deep"], &[], "/a/y /a/z"),
            (&[], &["/"], &[], "/c"),
            (
                &[],
                &[],
                &["/b/*/ip", "/d/?", "["],
                "/b/h1/ip /b/h2/ip /d/e",
            ),
            (&[], &[], &["/*"], "/c"),
            (&[], &["/c", "/x"], &[], "/c"),
            (&[], &[], &[], ""),
        ] {
            let reads = Reads {
                keys: set(keys),
                listings: set(listings),
                patterns: set(patterns),
            };
            assert_eq!(reads.changed(&old, &new).join(" "), want, "{reads:?}");
            assert!(reads.changed(&old, &old).is_empty());
        }
    }
}
