//! The metadata of one node: directories and leaves. Made once per answer, then shared and never
//! changed.
//!
//! Flat arrays hold it: the text of all names and values, the places of those in it, and the
//! directories; the entries of one directory stand together, sorted. Equal names and values of
//! neighbouring directories are stored once. Keys are clean absolute paths below the prefix that
//! the tree was fetched with. What one resource may see is a [`View`]. Knows nothing of HTTP, files
//! or templates.

mod builder;
mod carried;
mod changes;
mod flatten;
mod following;
mod json;
mod leaves;
mod listing;
mod mark;
mod missing_key;
mod pattern;
mod read_set;
#[cfg(test)]
mod tests;
mod view;

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, Weak};

use builder::Shift;
use changes::Changes;
use leaves::Leaves;
use mark::{Mark, Marker};

pub use changes::{Change, Kind};
pub use listing::Found;
pub use missing_key::MissingKey;
pub use read_set::ReadSet;
pub use view::View;

/// All leaves of this node's metadata, by directory. Equal trees hold the same leaves.
#[derive(Default)]
pub struct Tree {
    /// Every name and every value.
    text: Arc<String>,
    /// The names of leaves. Directories with the same ones have them in common, as hosts do.
    names: Box<[Span]>,
    /// The values of all leaves.
    values: Box<[Span]>,
    /// The root is the last one: a directory comes after those in it.
    dirs: Box<[Dir]>,
    /// What made the marks of the directories; none when they have none.
    marker: Option<Marker>,
    /// The changes since another tree, as found last: each resource asks for the same.
    since: Mutex<Option<(Weak<Tree>, Arc<Changes>)>>,
}

/// A part of the tree's text, or of one of its arrays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span {
    start: u32,
    len: u32,
}

impl Span {
    const NONE: Span = Span { start: 0, len: 0 };

    /// The span from `start` to before `end`. Answers are limited to 64 MiB, so that any place
    /// fits.
    fn new(start: usize, end: usize) -> Span {
        Span {
            start: small(start),
            len: small(end - start),
        }
    }

    fn range(self) -> Range<usize> {
        self.start as usize..self.end()
    }

    fn end(self) -> usize {
        self.start as usize + self.len as usize
    }

    /// Returns true if all of another span is in it.
    fn holds(self, other: Span) -> bool {
        other.start >= self.start && other.end() <= self.end()
    }

    fn moved(self, by: u32) -> Span {
        Span {
            start: self.start.wrapping_add(by),
            ..self
        }
    }
}

/// A place in a tree's text or arrays.
fn small(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// A directory: nothing but a name and where its entries stand. Never empty, unless it is the root.
#[derive(Clone, Copy, Debug)]
struct Dir {
    name: Span,
    /// In [`Tree::values`], sorted by name.
    leaves: Span,
    /// Where their names begin in [`Tree::names`].
    names: u32,
    /// In [`Tree::dirs`], sorted as [`dir_order`] has it.
    dirs: Span,
    /// Where the leaves of all directories in it begin; its own come last.
    below_leaf: u32,
    /// Where the directories of those begin.
    below_dir: u32,
    /// The end of the text that was stored for it; its name is the beginning.
    text_end: u32,
    /// That of its JSON text, if its tree has marks.
    mark: Mark,
}

impl Dir {
    /// One that is not there.
    const NONE: Dir = Dir {
        name: Span::NONE,
        leaves: Span::NONE,
        names: 0,
        dirs: Span::NONE,
        below_leaf: 0,
        below_dir: 0,
        text_end: 0,
        mark: Mark::NONE,
    };

    /// The leaves in it and in all directories below.
    fn all_leaves(&self) -> Range<LeafId> {
        self.below_leaf as usize..self.leaves.end()
    }

    /// The names of its leaves, in [`Tree::names`].
    fn leaf_names(&self) -> Span {
        Span {
            start: self.names,
            len: self.leaves.len,
        }
    }

    /// All directories below it.
    fn all_dirs(&self) -> Range<DirId> {
        self.below_dir as usize..self.dirs.end()
    }

    /// The text that was stored for it. Names and values may stand in front of that as well.
    fn text(&self) -> Span {
        Span::new(self.name.start as usize, self.text_end as usize)
    }

    /// The same directory in another tree, where the names of its leaves begin at `names`.
    fn moved(&self, by: &Shift, names: u32) -> Dir {
        Dir {
            name: self.name.moved(by.text),
            leaves: self.leaves.moved(by.leaves),
            names,
            dirs: self.dirs.moved(by.dirs),
            below_leaf: self.below_leaf.wrapping_add(by.leaves),
            below_dir: self.below_dir.wrapping_add(by.dirs),
            text_end: self.text_end.wrapping_add(by.text),
            mark: self.mark,
        }
    }
}

/// More changes than this are found again for each resource that asks: they would take too much
/// memory for as long as the tree is there.
const MOST_KEPT: usize = 10_000;

/// A leaf's place in [`Tree::values`].
type LeafId = usize;
/// A directory's place in [`Tree::dirs`].
type DirId = usize;

impl Tree {
    /// The tree in the JSON object `body`. The error has the reason, without quoting any metadata.
    pub fn from_json(body: &[u8]) -> Result<Tree, String> {
        json::parse(body, None)
    }

    /// The tree of these paths and values; paths are cleaned, of equal ones the last counts.
    pub fn from_pairs<K: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Tree {
        let mut flat = flatten::Flat::default();
        for (key, value) in pairs {
            flat.push_any(key.as_ref(), value.as_ref());
        }
        flat.into_tree()
    }

    /// The leaves that a resource with these `keys` may see below `prefix`.
    pub fn view(self: &Arc<Tree>, prefix: &str, keys: &[String]) -> View {
        View::new(Arc::clone(self), prefix, keys)
    }

    /// The number of leaves.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// True when there is no leaf at all.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The keys and values of all leaves, in the order of the keys.
    pub fn leaves(&self) -> impl Iterator<Item = (String, &str)> {
        Leaves::of_tree(self).pairs()
    }

    /// Returns true if this tree has the leaves of an `older` one, whose changes are then known.
    pub fn is_as(&self, older: &Arc<Tree>) -> bool {
        std::ptr::eq(self, Arc::as_ptr(older)) || self.changes_since(older).is_empty()
    }

    /// The differences of this tree from an `older` one.
    fn changes_since(&self, older: &Arc<Tree>) -> Arc<Changes> {
        let mut since = self.since.lock().unwrap_or_else(|lock| lock.into_inner());
        if let Some((known, changes)) = &*since
            && known.as_ptr() == Arc::as_ptr(older)
        {
            return Arc::clone(changes);
        }
        let changes = Arc::new(Changes::between(older, self));
        if changes.len() <= MOST_KEPT {
            *since = Some((Arc::downgrade(older), Arc::clone(&changes)));
        }
        changes
    }

    fn root(&self) -> DirId {
        self.dirs.len().saturating_sub(1)
    }

    fn dir(&self, id: DirId) -> &Dir {
        static NONE: Dir = Dir::NONE;
        self.dirs.get(id).unwrap_or(&NONE)
    }

    fn str(&self, span: Span) -> &str {
        self.text.get(span.range()).unwrap_or_default()
    }

    fn bytes(&self, span: Span) -> &[u8] {
        self.text.as_bytes().get(span.range()).unwrap_or_default()
    }

    /// The names of the leaves of a directory, in their order.
    fn leaf_names(&self, dir: &Dir) -> &[Span] {
        self.names.get(dir.leaf_names().range()).unwrap_or_default()
    }

    /// The name of a leaf of this directory.
    fn leaf_name(&self, dir: DirId, leaf: LeafId) -> &str {
        let dir = self.dir(dir);
        let place = leaf.wrapping_sub(dir.leaves.start as usize);
        let name = self.names.get((dir.names as usize).wrapping_add(place));
        self.str(name.copied().unwrap_or_default())
    }

    fn dir_name(&self, id: DirId) -> &str {
        self.str(self.dir(id).name)
    }

    fn value(&self, id: LeafId) -> &str {
        self.str(self.values.get(id).copied().unwrap_or_default())
    }

    /// The leaf of this name directly in a directory, and its place there, which may be as guessed.
    fn find_leaf(&self, dir: DirId, name: &[u8], guess: usize) -> Option<(LeafId, usize)> {
        let dir = self.dir(dir);
        let names = self.leaf_names(dir);
        let is_it = |span: &Span| self.bytes(*span) == name;
        let place = match names.get(guess) {
            Some(span) if is_it(span) => guess,
            _ => names
                .binary_search_by(|span| self.bytes(*span).cmp(name))
                .ok()?,
        };
        Some((dir.leaves.start as usize + place, place))
    }

    /// The directory of this name directly in a directory. It may be `near`: templates take one
    /// after the other.
    fn find_dir(&self, dir: DirId, name: &[u8], near: DirId) -> Option<DirId> {
        let place = self.dir(dir).dirs;
        let range = place.range();
        if range.contains(&near) && self.bytes(self.dir(near).name) == name {
            return Some(near);
        }
        let found = self
            .dirs
            .get(range)?
            .binary_search_by(|dir| dir_order(self.bytes(dir.name), name));
        Some(place.start as usize + found.ok()?)
    }

    /// The leaves of a directory whose names begin with `head`.
    fn leaves_from(&self, dir: DirId, head: &str) -> Range<LeafId> {
        let dir = self.dir(dir);
        let names = self.leaf_names(dir);
        let head = head.as_bytes();
        let from = names.partition_point(|name| self.bytes(*name) < head);
        let tail = names.get(from..).unwrap_or_default();
        let count = tail.partition_point(|name| self.bytes(*name).starts_with(head));
        let start = dir.leaves.start as usize + from;
        start..start + count
    }

    /// The directories of a directory whose names begin with `head`.
    fn dirs_from(&self, dir: DirId, head: &str) -> Range<DirId> {
        let place = self.dir(dir).dirs;
        let dirs = self.dirs.get(place.range()).unwrap_or_default();
        let head = head.as_bytes();
        let before = |dir: &Dir| {
            let name = self.bytes(dir.name);
            !name.starts_with(head) && dir_order(name, head).is_lt()
        };
        let from = dirs.partition_point(before);
        let tail = dirs.get(from..).unwrap_or_default();
        let count = tail.partition_point(|dir| self.bytes(dir.name).starts_with(head));
        let start = place.start as usize + from;
        start..start + count
    }
}

impl PartialEq for Tree {
    fn eq(&self, other: &Tree) -> bool {
        self.len() == other.len() && Changes::between(self, other).is_empty()
    }
}

impl Eq for Tree {}

impl fmt::Debug for Tree {
    /// The number of leaves: metadata holds secrets, and stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tree({} leaves)", self.len())
    }
}

/// The order of two directories' names among the keys, where each is followed by a slash: `a-b/`
/// comes before `a/`.
fn dir_order(one: &[u8], other: &[u8]) -> Ordering {
    let common = one.len().min(other.len());
    let (head, tail) = one.split_at(common);
    let (other_head, other_tail) = other.split_at(common);
    let next = |tail: &[u8]| tail.first().copied().unwrap_or(b'/');
    head.cmp(other_head)
        .then_with(|| next(tail).cmp(&next(other_tail)))
}

/// The order of a leaf's and a directory's name among the keys; a leaf comes before the directory
/// of the same name.
fn leaf_order(leaf: &[u8], dir: &[u8]) -> Ordering {
    match leaf.strip_prefix(dir) {
        Some([]) => Ordering::Less,
        Some([next, ..]) => next.cmp(&b'/'),
        None => leaf.cmp(dir),
    }
}
