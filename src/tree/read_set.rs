//! The metadata that one rendering depends on: which leaves it read, which keys it did not find,
//! which names it listed and which patterns it matched; so that a new tree tells by itself which
//! resources have to be rendered again.
//!
//! Exact for keys, listings and patterns. Knows nothing of what a rendering asks others than the
//! metadata.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::changes::{Change, Changes, Kind};
use super::view::Near;
use super::{LeafId, Tree, View};
use crate::go::filepath::Pattern;
use crate::go::path;

/// A rendering's reads of one view.
#[derive(Clone, Debug)]
pub struct ReadSet {
    view: View,
    near: Near,
    /// The leaves whose values were read.
    values: Leaves,
    /// The leaves of which only the presence was asked.
    present: Leaves,
    /// The keys that were not found.
    absent: BTreeSet<String>,
    /// The listings by their cleaned paths.
    listings: BTreeMap<String, BTreeSet<Listing>>,
    patterns: BTreeSet<String>,
    reads_everything: bool,
}

/// One `ls` or `lsdir`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Listing {
    /// The path as the template has it.
    path: String,
    dirs_only: bool,
}

impl ReadSet {
    /// Nothing has been read of this view yet.
    pub fn new(view: View) -> ReadSet {
        ReadSet {
            view,
            near: Near::default(),
            values: Leaves::default(),
            present: Leaves::default(),
            absent: BTreeSet::new(),
            listings: BTreeMap::new(),
            patterns: BTreeSet::new(),
            reads_everything: false,
        }
    }

    /// The view that was read.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Reads the value of a key: a part of the text that is returned with it.
    pub fn read(&mut self, key: &[u8]) -> Option<&str> {
        match self.view.find_near(&mut self.near, key) {
            Some(leaf) => {
                self.values.insert(leaf);
                Some(self.view.tree().value(leaf))
            }
            None => {
                self.miss(key);
                None
            }
        }
    }

    /// Asks for the presence of a key.
    pub fn ask(&mut self, key: &[u8]) -> bool {
        let found = self.view.find_near(&mut self.near, key);
        match found {
            Some(leaf) => self.present.insert(leaf),
            None => self.miss(key),
        }
        found.is_some()
    }

    /// Notes a key that is not there. One that no metadata can have will never be there.
    fn miss(&mut self, key: &[u8]) {
        if let Ok(key) = str::from_utf8(key)
            && path::is_clean_key(key)
            && !self.absent.contains(key)
        {
            self.absent.insert(key.to_owned());
        }
    }

    /// Notes that `ls` or `lsdir` was asked for a path.
    pub fn note_listing(&mut self, path: &str, dirs_only: bool) {
        let listings = self.listings.entry(path::clean(path)).or_default();
        let path = path.to_owned();
        listings.insert(Listing { path, dirs_only });
    }

    /// Notes that a pattern was matched.
    pub fn note_pattern(&mut self, pattern: &str) {
        if !self.patterns.contains(pattern) {
            self.patterns.insert(pattern.to_owned());
        }
    }

    /// Notes that the rendering depends on everything that it may see.
    pub fn note_everything(&mut self) {
        self.reads_everything = true;
    }

    /// The keys that a rendering with these reads depends on and that were added, removed or
    /// changed from `old` to `new`, sorted. A listing depends on which names it shows, not on their
    /// values.
    pub fn changed(&self, old: &View, new: &View) -> Vec<String> {
        let mut reader = Reader::new(self, old, new);
        let mut changed = old.changes(new);
        changed.retain(|change| reader.depends_on(change));
        changed.into_iter().map(|change| change.key).collect()
    }

    /// Goes on to a newer tree when a rendering of that would be the same; false when it has to be
    /// rendered again.
    pub fn follow(&mut self, tree: &Arc<Tree>) -> bool {
        if self.view.is_of(tree) {
            return true;
        }
        let new = self.view.of_tree(tree);
        let changes = tree.changes_since(self.view.tree());
        if !self.reads_none_of(&changes) {
            let visible = self.view.changes(&new);
            let mut reader = Reader::new(self, &self.view, &new);
            if visible
                .iter()
                .any(|change| self.reads_everything || reader.depends_on(change))
            {
                return false;
            }
        }
        self.values.move_along(&changes);
        self.present.move_along(&changes);
        (self.view, self.near) = (new, Near::default());
        true
    }

    /// Returns true if it is clear without looking up a key that nothing of this was read.
    fn reads_none_of(&self, changes: &Changes) -> bool {
        let is_read = |leaf: &LeafId| self.values.contains(*leaf);
        let values = changes.only_values();
        self.patterns.is_empty()
            && !self.reads_everything
            && values.is_some_and(|leaves| !leaves.iter().any(is_read))
    }
}

/// A read set's answers about changes from one view to another.
struct Reader<'r> {
    set: &'r ReadSet,
    old: &'r View,
    new: &'r View,
    patterns: Vec<(String, Pattern)>,
    /// True for the listings that are not the same any more, as far as they were asked for.
    listings: BTreeMap<&'r Listing, bool>,
}

impl<'r> Reader<'r> {
    fn new(set: &'r ReadSet, old: &'r View, new: &'r View) -> Reader<'r> {
        let mut patterns = Vec::new();
        for text in &set.patterns {
            if let Ok(pattern) = Pattern::parse(text) {
                patterns.push((pattern.head(), pattern));
            }
        }
        patterns.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Reader {
            set,
            old,
            new,
            patterns,
            listings: BTreeMap::new(),
        }
    }

    fn depends_on(&mut self, change: &Change) -> bool {
        let Change { key, kind } = change;
        let read = match self.set.view.find(key) {
            Some(leaf) => {
                self.set.values.contains(leaf)
                    || *kind != Kind::Value && self.set.present.contains(leaf)
            }
            None => self.set.absent.contains(key),
        };
        read || *kind != Kind::Value && self.is_listed(key) || self.matches(key)
    }

    /// True when a listing that counts this key is not the same any more.
    fn is_listed(&mut self, key: &str) -> bool {
        let all = &self.set.listings;
        if all.is_empty() {
            return false;
        }
        let dir = path::key_dir(key);
        // The original's rule: a listing of the key itself, of its directory, or of one above or
        // below that.
        let above = dir
            .match_indices('/')
            .skip(1)
            .map(|(slash, _)| &dir[..slash]);
        let on_the_way = [key, dir].into_iter().chain(above);
        let mut counting: Vec<&'r Listing> = Vec::new();
        for path in on_the_way {
            counting.extend(all.get(path).into_iter().flatten());
        }
        if dir != "/" {
            let below = format!("{dir}/");
            let rest = all.range(below.clone()..);
            let rest = rest.take_while(|(path, _)| path.starts_with(&below));
            counting.extend(rest.flat_map(|(_, listings)| listings));
        }
        counting.into_iter().any(|listing| self.differs(listing))
    }

    fn differs(&mut self, listing: &'r Listing) -> bool {
        let (old, new) = (self.old, self.new);
        *self.listings.entry(listing).or_insert_with(|| {
            let Listing { path, dirs_only } = listing;
            if *dirs_only {
                old.list_dirs(path).items != new.list_dirs(path).items
            } else {
                old.list(path).items != new.list(path).items
            }
        })
    }

    /// Looks only at the patterns that begin as the key does: there may be one for every host.
    fn matches(&self, key: &str) -> bool {
        if self.patterns.is_empty() {
            return false;
        }
        let mut ends = key.char_indices().map(|(end, _)| end).chain([key.len()]);
        ends.any(|end| {
            let head = &key[..end];
            let first = self
                .patterns
                .partition_point(|(known, _)| known.as_str() < head);
            let mut same = self.patterns[first..]
                .iter()
                .take_while(|(known, _)| known == head);
            same.any(|(_, pattern)| pattern.matches(key))
        })
    }
}

/// Leaves on a page.
const PAGE: usize = 4096;

/// A set of a tree's leaves: a bit for each, on pages that are there when something is on them.
#[derive(Clone, Debug, Default)]
struct Leaves {
    pages: Vec<Option<Box<[u64; PAGE / 64]>>>,
}

impl Leaves {
    fn insert(&mut self, leaf: LeafId) {
        let (page, place) = (leaf / PAGE, leaf % PAGE);
        if self.pages.len() <= page {
            self.pages.resize(page + 1, None);
        }
        if let Some(page) = self.pages.get_mut(page) {
            let words = page.get_or_insert_with(|| Box::new([0; PAGE / 64]));
            words[place / 64] |= 1 << (place % 64);
        }
    }

    fn contains(&self, leaf: LeafId) -> bool {
        let (page, place) = (leaf / PAGE, leaf % PAGE);
        match self.pages.get(page) {
            Some(Some(words)) => words[place / 64] & 1 << (place % 64) != 0,
            _ => false,
        }
    }

    fn iter(&self) -> impl Iterator<Item = LeafId> {
        let pages = self.pages.iter().enumerate();
        let words = pages.flat_map(|(page, words)| {
            let words = words.iter().flat_map(|words| words.iter().enumerate());
            words.map(move |(word, bits)| (page * PAGE + word * 64, *bits))
        });
        words.flat_map(|(first, bits)| {
            (0..64).filter_map(move |bit| (bits & 1 << bit != 0).then_some(first + bit))
        })
    }

    /// The same leaves in the newer tree, which has them all.
    fn move_along(&mut self, changes: &Changes) {
        if changes.moved_none() {
            return;
        }
        let mut moved = Leaves::default();
        for leaf in self.iter().filter_map(|leaf| changes.moved(leaf)) {
            moved.insert(leaf);
        }
        *self = moved;
    }
}
