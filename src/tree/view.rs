//! What one resource may see of a tree: look-ups, listings and comparisons over ranges of the shared tree.
//!
//! Nothing is copied and no look-up walks over what it does not return: listings jump over subtrees.
//! The rules of `ls` and `lsdir` are the original's (package memkv), oddities included; the tests hold them
//! against a direct reading of those rules.

mod absence;

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

use super::Tree;
use crate::go::filepath::{Pattern, Step, Walk};
use crate::go::path;
pub use absence::Absence;

/// The leaves below a resource's keys, with its prefix taken off. Cheap to clone.
#[derive(Clone, Debug)]
pub struct View {
    tree: Arc<Tree>,
    /// What every visible leaf's key begins with and does not show: empty or a clean path.
    prefix: String,
    /// Which leaves are visible: ascending, disjoint, none empty.
    ranges: Vec<Range<usize>>,
}

impl View {
    pub(super) fn new(tree: Arc<Tree>, prefix: &str, keys: &[String]) -> View {
        let prefix = match path::clean(&format!("/{prefix}")) {
            root if root == "/" => String::new(),
            prefix => prefix,
        };
        let below = format!("{prefix}/");
        let mut ranges = Vec::new();
        for key in keys {
            let covered = path::clean(&format!("{below}{key}"));
            let subtree = match covered.as_str() {
                "/" => covered.clone(),
                covered => format!("{covered}/"),
            };
            // `..` may lead above the prefix, which covers all of it, but shows nothing beside it.
            if below.starts_with(&subtree) {
                ranges.push(tree.subtree(&below));
            } else if subtree.starts_with(&below) {
                let leaf = tree.search(0, |key| *key < *covered);
                ranges.push(leaf..leaf + usize::from(tree.key(leaf) == covered));
                ranges.push(tree.subtree(&subtree));
            }
        }
        View {
            tree,
            prefix,
            ranges: merged(ranges),
        }
    }

    /// Whether it is a view of this very tree.
    pub fn is_of(&self, tree: &Arc<Tree>) -> bool {
        Arc::ptr_eq(&self.tree, tree)
    }

    /// The leaves in order of their keys.
    pub fn leaves(&self) -> impl Iterator<Item = (&str, &str)> {
        let indexes = self.ranges.iter().flat_map(Range::clone);
        indexes.map(|index| (self.key(index), self.tree.value(index)))
    }

    /// The value of exactly this key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.get_around(&mut 0, key)
    }

    /// The value of exactly this key, looked for around `near` first and leaving its place there: templates ask for
    /// one leaf of a directory after the other.
    pub fn get_around(&self, near: &mut usize, key: &str) -> Option<&str> {
        let before = |found: &str| self.compare(found, key, usize::MAX).is_lt();
        let index = self.tree.search_around(*near, before);
        *near = index;
        let found = self.visible(index) == Some(index) && self.key(index) == key;
        found.then(|| self.tree.value(index))
    }

    /// Whether there is a leaf below this clean path: whether it is a directory.
    pub fn has_below(&self, dir: &str) -> bool {
        let subtree = format!("{}/", dir.trim_end_matches('/'));
        self.visible(self.seek(0, &subtree))
            .is_some_and(|index| self.key(index).starts_with(&subtree))
    }

    /// Whether the metadata has this leaf or directory, but the resource's keys do not cover it.
    pub fn hides(&self, key: &str) -> bool {
        if self.get(key).is_some() || self.has_below(key) {
            return false;
        }
        let subtree = format!("{}/", key.trim_end_matches('/'));
        let is = |wanted: &str, test: fn(&str, &str) -> bool| {
            let found = self.tree.key(self.seek(0, wanted));
            found
                .strip_prefix(self.prefix.as_str())
                .is_some_and(|found| test(found, wanted))
        };
        is(key, |found, wanted| found == wanted)
            || is(&subtree, |found, wanted| found.starts_with(wanted))
    }

    /// The leaves whose keys match, in order of their keys.
    pub fn matching(&self, pattern: &Pattern) -> Found<(&str, &str)> {
        let walk = Walk::new(pattern);
        let (mut items, mut walked) = (Vec::new(), 0);
        let mut next = self.visible(0);
        while let Some(index) = next {
            walked += 1;
            let key = self.key(index);
            let goal = match walk.step(key) {
                Step::Match => {
                    items.push((key, self.tree.value(index)));
                    index + 1
                }
                Step::Next => index + 1,
                Step::Past(length) => self.past(index, &key[..length]),
                Step::Seek(length, text) => self.seek(index, &format!("{}{text}", &key[..length])),
            };
            next = self.visible(goal);
        }
        Found { items, walked }
    }

    /// `ls`: the names below `path`, sorted, by the original's rule. A key counts when `path` and the key's
    /// directory are the same, or one leads to the other; it contributes its first segment without the text `path`.
    pub fn list(&self, path: &str) -> Found<&str> {
        let dir = path::clean(path);
        let mut names = Names::default();
        if dir.starts_with('/') {
            let text = self.beginning_with(path);
            self.list_below(path, &text, &dir, &mut names);
            self.list_others(&text, &dir, &mut names);
        }
        names.into()
    }

    /// What the keys that begin with the text `path` contribute to [`View::list`].
    fn list_below<'v>(&'v self, path: &str, text: &Range<usize>, dir: &str, names: &mut Names<'v>) {
        let mut next = self.visible(text.start);
        while let Some(index) = next.filter(|index| text.contains(index)) {
            names.walked += 1;
            let key = self.key(index);
            if key == path {
                names.found.push(path::base(key));
                next = self.visible(index + 1);
                continue;
            }
            let rest = &key[path.len()..];
            let rest = rest.strip_prefix('/').unwrap_or(rest);
            let name = first_segment(rest);
            if same_way(dir, path::key_dir(key)) {
                names.found.push(name);
            }
            next = self.visible(match name.len() {
                length if length == rest.len() => index + 1,
                length => self.past(index, &key[..key.len() - rest.len() + length + 1]),
            });
        }
    }

    /// What all other keys contribute to [`View::list`]: their first segment, as `path` does not come off them.
    fn list_others<'v>(&'v self, text: &Range<usize>, dir: &str, names: &mut Names<'v>) {
        if dir == "/" {
            for index in self.direct(dir) {
                names.walked += 1;
                if !text.contains(&index) {
                    names.found.push(&self.key(index)[1..]);
                }
            }
            return;
        }
        let below = self.beginning_with(&format!("{dir}/"));
        let inside = [
            below.start..text.start.min(below.end),
            text.end.max(below.start)..below.end,
        ];
        let found = inside
            .into_iter()
            .find_map(|part| self.visible(part.start).filter(|index| *index < part.end));
        let found = found.or_else(|| self.leaf_on_the_way(dir, text));
        names
            .found
            .extend(found.map(|index| first_segment(&self.key(index)[1..])));
    }

    /// A leaf directly in one of the directories above `dir`, the root not included, outside of `except`.
    fn leaf_on_the_way(&self, dir: &str, except: &Range<usize>) -> Option<usize> {
        for (slash, _) in dir.match_indices('/').skip(1) {
            let above = &dir[..slash];
            if !self.has_below(above) {
                break;
            }
            let found = self.direct(above).find(|index| !except.contains(index));
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// `lsdir`: the directories below `path`, sorted, by the original's rule.
    pub fn list_dirs(&self, path: &str) -> Found<&str> {
        let dir = path::clean(path);
        let mut names = Names::default();
        if !dir.starts_with('/') || dir == "/" {
            return names.into();
        }
        let (text, below) = (
            self.beginning_with(path),
            self.beginning_with(&format!("{dir}/")),
        );
        let end = text.end.min(below.end);
        let mut next = self.visible(text.start.max(below.start));
        while let Some(index) = next.filter(|index| *index < end) {
            names.walked += 1;
            let key = self.key(index);
            let name = first_segment(&key[dir.len() + 1..]);
            let name_end = dir.len() + 1 + name.len();
            next = self.visible(if name_end < key.len() {
                names.found.push(name);
                self.past(index, &key[..=name_end])
            } else {
                index + 1
            });
        }
        names.into()
    }

    /// The keys that only one of the two views has, and those whose values differ.
    pub fn changed<'v>(&'v self, other: &'v View) -> Vec<Change<'v>> {
        let (mut old, mut new) = (self.leaves().peekable(), other.leaves().peekable());
        let mut changes = Vec::new();
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => return changes,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(one), Some(two)) => one.0.cmp(two.0),
            };
            let one = if order.is_le() { old.next() } else { None };
            let two = if order.is_ge() { new.next() } else { None };
            match (one, two) {
                (Some(one), Some(two)) if one.1 == two.1 => {}
                (Some((key, _)), Some(_)) => changes.push(Change {
                    key,
                    kind: Kind::Value,
                }),
                (Some((key, _)), None) => changes.push(Change {
                    key,
                    kind: Kind::Removed,
                }),
                (None, Some((key, _))) => changes.push(Change {
                    key,
                    kind: Kind::Added,
                }),
                (None, None) => {}
            }
        }
    }

    fn key(&self, index: usize) -> &str {
        self.tree
            .key(index)
            .get(self.prefix.len()..)
            .unwrap_or_default()
    }

    /// The first visible leaf at or after this place in the tree.
    fn visible(&self, index: usize) -> Option<usize> {
        let after = self.ranges.partition_point(|range| range.end <= index);
        self.ranges.get(after).map(|range| range.start.max(index))
    }

    /// The first place from `from` on whose key is not before `text`.
    fn seek(&self, from: usize, text: &str) -> usize {
        self.tree
            .search(from, |key| self.compare(key, text, usize::MAX).is_lt())
    }

    /// The first place from `from` on whose key comes after all that begin with `head`.
    fn past(&self, from: usize, head: &str) -> usize {
        self.tree
            .search(from, |key| self.compare(key, head, head.len()).is_le())
    }

    fn beginning_with(&self, head: &str) -> Range<usize> {
        let start = self.seek(0, head);
        start..self.past(start, head)
    }

    /// The visible leaves that stand directly in a clean path.
    fn direct(&self, dir: &str) -> impl Iterator<Item = usize> {
        let full = match dir {
            "/" if !self.prefix.is_empty() => self.prefix.clone(),
            _ => format!("{}{dir}", self.prefix),
        };
        let here = self
            .tree
            .by_dir
            .get(self.tree.directly_in(&full))
            .unwrap_or_default();
        // Both lists ascend: the leaves of each visible range stand together.
        self.ranges.iter().flat_map(move |range| {
            let start = here.partition_point(|&index| index < range.start);
            let end = here.partition_point(|&index| index < range.end);
            here[start..end].iter().copied()
        })
    }

    /// Compares a key of the tree with prefix and `text`, as far as `length` bytes behind the prefix.
    fn compare(&self, key: &str, text: &str, length: usize) -> Ordering {
        let (key, prefix) = (key.as_bytes(), self.prefix.as_bytes());
        let (head, tail) = key.split_at(prefix.len().min(key.len()));
        let tail = &tail[..tail.len().min(length)];
        head.cmp(prefix).then_with(|| tail.cmp(text.as_bytes()))
    }
}

impl PartialEq for View {
    /// Whether both show the same leaves.
    fn eq(&self, other: &View) -> bool {
        let same_tree = Arc::ptr_eq(&self.tree, &other.tree);
        (same_tree && self.prefix == other.prefix && self.ranges == other.ranges)
            || self.leaves().eq(other.leaves())
    }
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub struct Found<T> {
    /// In order.
    pub items: Vec<T>,
    /// How many keys were looked at on the way: the cost.
    pub walked: u64,
}

/// The names of a listing, as they are found: in any order, some more than once.
#[derive(Default)]
struct Names<'v> {
    found: Vec<&'v str>,
    walked: u64,
}

impl<'v> From<Names<'v>> for Found<&'v str> {
    fn from(names: Names<'v>) -> Self {
        let (mut items, walked) = (names.found, names.walked);
        // They come in order, but for names of which one begins as another.
        if !items.is_sorted_by(|one, other| one <= other) {
            items.sort_unstable();
        }
        items.dedup();
        Found { items, walked }
    }
}

/// One difference between two views.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'v> {
    /// The leaf's key.
    pub key: &'v str,
    /// What happened to it.
    pub kind: Kind,
}

/// What happened to a key from the old view to the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only the new view has it.
    Added,
    /// Only the old view has it.
    Removed,
    /// Both have it, with different values.
    Value,
}

fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_unstable_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

fn first_segment(text: &str) -> &str {
    text.find('/').map_or(text, |slash| &text[..slash])
}

/// Whether one of two clean absolute paths leads to the other, segment by segment. The root leads nowhere but to
/// itself: the original splits it into two empty segments.
pub(crate) fn same_way(one: &str, two: &str) -> bool {
    let (short, long) = if one.len() <= two.len() {
        (one, two)
    } else {
        (two, one)
    };
    long.strip_prefix(short)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests;
