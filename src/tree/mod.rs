//! The metadata: leaves only, sorted by key. Made once per change, then shared and never changed.
//!
//! Keys are clean absolute paths below the prefix that the tree was fetched with. What one resource may see
//! of a tree is a [`View`]. Knows nothing of HTTP, files or templates.

mod json;
mod view;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::go::path;

pub use view::{Absence, Change, Found, Kind, View};

/// All leaves of this node's metadata. Equal trees hold the same leaves.
#[derive(Default, PartialEq, Eq)]
pub struct Tree {
    /// Every leaf's key and value, one after the other in the order of the keys.
    text: String,
    /// Where each leaf's key and value begin; a value ends where the next key begins.
    leaves: Vec<(usize, usize)>,
    /// The leaves ordered by directory: all leaves of one directory stand together.
    by_dir: Vec<usize>,
}

impl Tree {
    /// The tree in the JSON object `body`. An error says what is wrong, without quoting any metadata.
    pub fn from_json(body: &[u8]) -> Result<Tree, String> {
        json::parse(body)
    }

    /// The tree of these paths and values; paths are cleaned, of equal ones the last counts.
    pub fn from_pairs<K: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Tree {
        let mut builder = Builder::default();
        for (key, value) in pairs {
            builder.push_any(key.as_ref(), value.as_ref());
        }
        builder.finish()
    }

    /// What a resource with these `keys` may see below `prefix`.
    pub fn view(self: &Arc<Tree>, prefix: &str, keys: &[String]) -> View {
        View::new(Arc::clone(self), prefix, keys)
    }

    /// How many leaves there are.
    pub fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Whether there is no leaf at all.
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// The leaves in order of their keys.
    pub fn leaves(&self) -> impl Iterator<Item = (&str, &str)> {
        (0..self.len()).map(|index| (self.key(index), self.value(index)))
    }

    fn key(&self, index: usize) -> &str {
        match self.leaves.get(index) {
            Some(&(key, value)) => &self.text[key..value],
            None => "",
        }
    }

    fn value(&self, index: usize) -> &str {
        let end = self
            .leaves
            .get(index + 1)
            .map_or(self.text.len(), |next| next.0);
        match self.leaves.get(index) {
            Some(&(_, value)) => &self.text[value..end],
            None => "",
        }
    }

    /// The first leaf at or after `from` for whose key `before` is false; `before` must hold for a head of the rest.
    /// From within the tree it looks near first: whoever starts there goes on to a neighbour, as a rule.
    fn search(&self, from: usize, before: impl Fn(&str) -> bool) -> usize {
        let (mut low, mut high) = (from, self.len().max(from));
        let mut step = if from == 0 { high } else { 1 };
        while step < high - low {
            if !before(self.key(low + step)) {
                high = low + step;
                break;
            }
            low += step + 1;
            step *= 2;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if before(self.key(middle)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The first leaf for whose key `before` is false, looked for around `near` first.
    fn search_around(&self, near: usize, before: impl Fn(&str) -> bool) -> usize {
        let (mut from, mut step) = (near.min(self.len()), 1);
        while from > 0 && !before(self.key(from - 1)) {
            from = from.saturating_sub(step);
            step *= 2;
        }
        self.search(from, before)
    }

    /// The leaves whose keys begin with `head`.
    fn subtree(&self, head: &str) -> Range<usize> {
        let start = self.search(0, |key| key < head);
        start..self.search(start, |key| key.starts_with(head))
    }

    /// For `by_dir`. Neighbours mostly are in the same directory: sorted are runs of them, not each.
    fn ordered_by_dir(&self) -> Vec<usize> {
        let mut runs: Vec<(&str, Range<usize>)> = Vec::new();
        for index in 0..self.len() {
            let dir = path::key_dir(self.key(index));
            match runs.last_mut() {
                Some((last, run)) if *last == dir => run.end = index + 1,
                _ => runs.push((dir, index..index + 1)),
            }
        }
        runs.sort_by_key(|(dir, _)| *dir);
        let mut ordered = Vec::with_capacity(self.len());
        for (_, run) in runs {
            ordered.extend(run);
        }
        ordered
    }

    /// The part of `by_dir` that holds the leaves which stand directly in `dir`.
    fn directly_in(&self, dir: &str) -> Range<usize> {
        let dir_of = |&index: &usize| path::key_dir(self.key(index));
        let start = self.by_dir.partition_point(|index| dir_of(index) < dir);
        let end = self.by_dir.partition_point(|index| dir_of(index) <= dir);
        start..end
    }
}

impl fmt::Debug for Tree {
    /// The number of leaves: metadata holds secrets, and stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tree({} leaves)", self.len())
    }
}

/// Collects leaves in any order.
#[derive(Default)]
struct Builder {
    text: String,
    /// Where a leaf's key begins, its value begins, and its value ends.
    leaves: Vec<(usize, usize, usize)>,
}

impl Builder {
    /// A path that may have no leading slash.
    fn push_any(&mut self, path: &str, value: &str) {
        match path.starts_with('/') {
            true => self.push(path, value),
            false => self.push(&format!("/{path}"), value),
        }
    }

    fn push(&mut self, path: &str, value: &str) {
        let start = self.text.len();
        if path::is_clean_key(path) {
            self.text.push_str(path);
        } else {
            self.text.push_str(&path::clean(path));
        }
        let middle = self.text.len();
        self.text.push_str(value);
        self.leaves.push((start, middle, self.text.len()));
    }

    /// Sorts what is not sorted, as metad's answers mostly are; of leaves with the same key the last stays.
    fn finish(mut self) -> Tree {
        let text = &self.text;
        let key = |&(key, value, _): &(usize, usize, usize)| &text[key..value];
        if !self.leaves.is_sorted_by_key(key) {
            self.leaves.sort_by_key(key);
        }
        let mut tree = Tree {
            text: String::with_capacity(text.len()),
            leaves: Vec::with_capacity(self.leaves.len()),
            by_dir: Vec::new(),
        };
        for (index, &(key, value, end)) in self.leaves.iter().enumerate() {
            let next = self.leaves.get(index + 1);
            if next.is_some_and(|&(k, v, _)| text[k..v] == text[key..value]) {
                continue;
            }
            let start = tree.text.len();
            tree.text.push_str(&text[key..end]);
            tree.leaves.push((start, start + value - key));
        }
        tree.by_dir = tree.ordered_by_dir();
        tree
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_equal_keys_counts() {
        let tree = Tree::from_pairs([("/b", "1"), ("a//x", "2"), ("/b/", "3"), ("/a/x", "4")]);
        assert_eq!(
            tree.leaves().collect::<Vec<_>>(),
            [("/a/x", "4"), ("/b", "3")]
        );
    }

    #[test]
    fn searching_from_anywhere_finds_the_same() {
        let tree = Tree::from_pairs((0..50).map(|number| (format!("/{number:02}"), "x")));
        for goal in 0..=50 {
            let before = |key: &str| key < format!("/{goal:02}").as_str();
            for from in 0..60 {
                assert_eq!(tree.search_around(from, before), goal, "{from}");
                assert_eq!(tree.search(from, before), goal.max(from), "{from}");
            }
        }
    }

    #[test]
    fn equality_is_about_leaves_not_their_order() {
        let one = Tree::from_pairs([("/a", "1"), ("/b", "2")]);
        assert_eq!(one, Tree::from_pairs([("/b", "2"), ("/a", "1")]));
        assert_ne!(one, Tree::from_pairs([("/b", "21"), ("/a", "")]));
        assert_ne!(one, Tree::from_pairs([("/a", "1/b2")]));
    }
}
