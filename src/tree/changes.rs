//! The differences of two trees, or of two views of them: exact, by one walk over both, directory
//! beside directory. Directories with the same mark are the same.

use std::cmp::Ordering;
use std::ops::Range;

use super::view::View;
use super::{DirId, LeafId, Tree, dir_order};

/// One difference between two views.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The leaf's key.
    pub key: String,
    /// The kind of its change.
    pub kind: Kind,
}

/// The change of a key from the old view to the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only the new view has it.
    Added,
    /// Only the old view has it.
    Removed,
    /// Both have it, with different values.
    Value,
}

/// The differences of two trees.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Sorted by key.
    list: Vec<Change>,
    /// The leaves of the old tree that have other values in the new one.
    values: Vec<LeafId>,
    /// Where the leaves are that both trees have, in the order of the old one.
    kept: Vec<Kept>,
}

/// Leaves of the old tree that stand together in the new one as well.
#[derive(Clone, Copy, Debug)]
struct Kept {
    old: LeafId,
    new: LeafId,
    len: usize,
}

impl Changes {
    /// From one tree to another.
    pub(super) fn between(old: &Tree, new: &Tree) -> Changes {
        let mut walk = Walk {
            old,
            new,
            path: String::new(),
            found: Changes::default(),
            dirs: vec![Pair {
                old: Some(old.root()),
                new: Some(new.root()),
                around: 0,
            }],
        };
        while let Some(pair) = walk.dirs.pop() {
            walk.step(&pair);
        }
        let mut found = walk.found;
        let by_key = |one: &Change, other: &Change| one.key.cmp(&other.key);
        found.list.sort_unstable_by(by_key);
        found.kept.sort_unstable_by_key(|kept| kept.old);
        found
    }

    /// True when both trees are equal.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The number of keys.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The changes, sorted by key.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Change> {
        self.list.iter()
    }

    /// The leaves of the old tree that have other values in the new one, if both trees have the
    /// same keys.
    pub(super) fn only_values(&self) -> Option<&[LeafId]> {
        (self.values.len() == self.list.len()).then_some(&self.values)
    }

    /// Where a leaf of the old tree is in the new one.
    pub(super) fn moved(&self, old: LeafId) -> Option<LeafId> {
        let after = self.kept.partition_point(|kept| kept.old <= old);
        let kept = self.kept.get(after.checked_sub(1)?)?;
        let offset = old - kept.old;
        (offset < kept.len).then_some(kept.new + offset)
    }

    /// True when no leaf has another place.
    pub(super) fn moved_none(&self) -> bool {
        self.kept.iter().all(|kept| kept.old == kept.new)
    }

    fn keep(&mut self, old: LeafId, new: LeafId, len: usize) {
        match self.kept.last_mut() {
            Some(last) if last.old + last.len == old && last.new + last.len == new => {
                last.len += len;
            }
            _ => self.kept.push(Kept { old, new, len }),
        }
    }
}

/// A walk over two trees.
struct Walk<'t> {
    old: &'t Tree,
    new: &'t Tree,
    /// The path of the directory that is compared, with a slash at its end.
    path: String,
    found: Changes,
    /// Directories still to be compared, the next one last.
    dirs: Vec<Pair>,
}

/// A directory in both trees, or in one of them.
struct Pair {
    old: Option<DirId>,
    new: Option<DirId>,
    /// The length of the path of the directory around it.
    around: usize,
}

impl Walk<'_> {
    fn step(&mut self, pair: &Pair) {
        if let (Some(old), Some(new)) = (pair.old, pair.new)
            && self.is_same(old, new)
        {
            let (old, new) = (
                self.old.dir(old).all_leaves(),
                self.new.dir(new).all_leaves(),
            );
            self.found.keep(old.start, new.start, old.len());
            return;
        }
        self.path.truncate(pair.around);
        self.path.push_str(match (pair.old, pair.new) {
            (Some(old), _) => self.old.dir_name(old),
            (None, new) => self.new.dir_name(new.unwrap_or_default()),
        });
        self.path.push('/');
        self.compare_leaves(pair);
        self.pair_dirs(pair);
    }

    fn compare_leaves(&mut self, pair: &Pair) {
        // Beside a directory of one tree alone there are no leaves of the other.
        let dirs = [pair.old, pair.new].map(|dir| dir.unwrap_or(DirId::MAX));
        let ([old_dir, new_dir], old_tree, new_tree) = (dirs, self.old, self.new);
        let old_name = |leaf| old_tree.leaf_name(old_dir, leaf);
        let new_name = |leaf| new_tree.leaf_name(new_dir, leaf);
        let mut old = old_tree.dir(old_dir).leaves.range();
        let mut new = new_tree.dir(new_dir).leaves.range();
        while let Some(order) = order(&old, &new, |one, two| old_name(one).cmp(new_name(two))) {
            match take(&mut old, &mut new, order) {
                (Some(one), Some(two)) => {
                    self.found.keep(one, two, 1);
                    if old_tree.value(one) != new_tree.value(two) {
                        self.found.values.push(one);
                        self.add(old_name(one), Kind::Value);
                    }
                }
                (Some(one), None) => self.add(old_name(one), Kind::Removed),
                (None, Some(two)) => self.add(new_name(two), Kind::Added),
                (None, None) => {}
            }
        }
    }

    /// Returns true if the marks say that two directories are the same. Without marks they may be.
    fn is_same(&self, old: DirId, new: DirId) -> bool {
        let (old, new) = (self.old.dir(old).mark, self.new.dir(new).mark);
        old == new && old.is_there() && self.old.marker == self.new.marker
    }

    fn add(&mut self, name: &str, kind: Kind) {
        let key = format!("{}{name}", self.path);
        self.found.list.push(Change { key, kind });
    }

    /// Puts the directories of a directory on the stack, the first on top.
    fn pair_dirs(&mut self, pair: &Pair) {
        let place =
            |tree: &Tree, dir: Option<DirId>| dir.map_or(0..0, |dir| tree.dir(dir).dirs.range());
        let (mut old, mut new) = (place(self.old, pair.old), place(self.new, pair.new));
        let first = self.dirs.len();
        let around = self.path.len();
        loop {
            let order = order(&old, &new, |one, two| {
                let (one, two) = (self.old.dir(one).name, self.new.dir(two).name);
                dir_order(self.old.bytes(one), self.new.bytes(two))
            });
            let Some(order) = order else {
                break;
            };
            let (old, new) = take(&mut old, &mut new, order);
            self.dirs.push(Pair { old, new, around });
        }
        if let Some(added) = self.dirs.get_mut(first..) {
            added.reverse();
        }
    }
}

/// Which of two lists has the next entry; none when both are at their ends.
fn order(
    old: &Range<usize>,
    new: &Range<usize>,
    compare: impl FnOnce(usize, usize) -> Ordering,
) -> Option<Ordering> {
    match (old.is_empty(), new.is_empty()) {
        (true, true) => None,
        (false, true) => Some(Ordering::Less),
        (true, false) => Some(Ordering::Greater),
        (false, false) => Some(compare(old.start, new.start)),
    }
}

/// Takes the next entry from one list, or from both when they are equal.
fn take(
    old: &mut Range<usize>,
    new: &mut Range<usize>,
    order: Ordering,
) -> (Option<usize>, Option<usize>) {
    let one = if order.is_le() { old.next() } else { None };
    let two = if order.is_ge() { new.next() } else { None };
    (one, two)
}

/// The differences of any two views.
pub(super) fn between_views(old: &View, new: &View) -> Vec<Change> {
    let (mut old, mut new) = (old.leaves().peekable(), new.leaves().peekable());
    let mut changes = Vec::new();
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return changes,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(two)) => one.0.cmp(&two.0),
        };
        let one = if order.is_le() { old.next() } else { None };
        let two = if order.is_ge() { new.next() } else { None };
        let (key, kind) = match (one, two) {
            (Some(one), Some(two)) if one.1 == two.1 => continue,
            (Some((key, _)), Some(_)) => (key, Kind::Value),
            (Some((key, _)), None) => (key, Kind::Removed),
            (None, Some((key, _))) => (key, Kind::Added),
            (None, None) => continue,
        };
        changes.push(Change { key, kind });
    }
}
