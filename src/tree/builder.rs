//! Puts a tree together, directory by directory: entries wait until their directory is complete,
//! then they stand together.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use super::carried::Carried;
use super::mark::Mark;
use super::{Dir, DirId, Leaf, Span, Tree, dir_order, small};

/// A tree in the making. Leaves of one directory must come in the order of their names, each name
/// once; directories in any order, each name once.
pub(super) struct Builder {
    text: String,
    leaves: Vec<Leaf>,
    dirs: Vec<Dir>,
    /// The entries of the directories that are open, those of the innermost last.
    open_leaves: Vec<Leaf>,
    open_dirs: Vec<Dir>,
    open: Vec<Open>,
    /// Where texts of an older tree stand in this one.
    carried: Carried,
}

/// A directory whose entries are still coming.
struct Open {
    name: Span,
    /// Where its entries begin in [`Builder::open_leaves`] and [`Builder::open_dirs`].
    first_leaf: usize,
    first_dir: usize,
    /// Where those of the directories in it begin in the tree's arrays.
    below_leaf: usize,
    below_dir: usize,
    /// The leaves of the directory before this one, as far as they have not been passed: mostly
    /// they have the same names.
    model: Range<usize>,
    /// The leaves of the last directory that was closed in this one.
    last: Range<usize>,
}

impl Builder {
    /// An empty root, with room for this much text.
    pub(super) fn new(text: usize) -> Builder {
        Builder::with_capacity(text, 0, 0)
    }

    /// An empty root, with room for as much as an older tree has.
    pub(super) fn like(older: &Tree) -> Builder {
        Builder::with_capacity(older.text.len(), older.leaves.len(), older.dirs.len())
    }

    fn with_capacity(text: usize, leaves: usize, dirs: usize) -> Builder {
        let mut builder = Builder {
            text: String::with_capacity(text),
            leaves: Vec::with_capacity(leaves),
            dirs: Vec::with_capacity(dirs),
            open_leaves: Vec::new(),
            open_dirs: Vec::new(),
            open: Vec::new(),
            carried: Carried::default(),
        };
        builder.open("");
        builder
    }

    /// Starts a directory in the innermost one.
    pub(super) fn open(&mut self, name: &str) {
        let name = self.store(name);
        let model = self.open.last().map_or(0..0, |open| open.last.clone());
        self.open.push(Open {
            name,
            first_leaf: self.open_leaves.len(),
            first_dir: self.open_dirs.len(),
            below_leaf: self.leaves.len(),
            below_dir: self.dirs.len(),
            model,
            last: 0..0,
        });
    }

    /// Adds a leaf to the innermost directory.
    pub(super) fn leaf(&mut self, name: &str, value: &str) {
        let leaf = match self.known(name) {
            Some(known) if self.holds(known.value, value) => known,
            Some(known) => Leaf {
                name: known.name,
                value: self.store(value),
            },
            None => Leaf {
                name: self.store(name),
                value: self.store(value),
            },
        };
        self.open_leaves.push(leaf);
    }

    /// The leaf of this name in the directory before.
    fn known(&mut self, name: &str) -> Option<Leaf> {
        let open = self.open.last_mut()?;
        while let Some(leaf) = self.leaves.get(open.model.start..open.model.end)?.first() {
            let found = self.text.as_bytes().get(leaf.name.range())?;
            if found > name.as_bytes() {
                return None;
            }
            open.model.start += 1;
            if found == name.as_bytes() {
                return Some(*leaf);
            }
        }
        None
    }

    fn holds(&self, span: Span, text: &str) -> bool {
        self.text.as_bytes().get(span.range()) == Some(text.as_bytes())
    }

    fn store(&mut self, text: &str) -> Span {
        store(&mut self.text, text)
    }

    /// Adds a directory of an older tree, with all that is in it, to the innermost one.
    pub(super) fn copy(&mut self, older: &Tree, dir: DirId) {
        let dir = older.dir(dir);
        let text = dir.text();
        let place = self.text.len();
        self.text.push_str(older.str(text));
        self.carried.insert(text, place);
        let (leaves, dirs) = (dir.all_leaves(), dir.all_dirs());
        let by = Shift {
            leaves: shift(leaves.start, self.leaves.len()),
            dirs: shift(dirs.start, self.dirs.len()),
            text: shift(text.start as usize, place),
        };
        let first = self.leaves.len();
        self.leaves
            .extend_from_slice(older.leaves.get(leaves).unwrap_or_default());
        for leaf in self.leaves.get_mut(first..).unwrap_or_default() {
            for span in [&mut leaf.name, &mut leaf.value] {
                if text.holds(*span) {
                    *span = span.moved(by.text);
                } else {
                    *span = self.carried.find(*span).unwrap_or_else(|| {
                        let stored = store(&mut self.text, older.str(*span));
                        self.carried.insert(*span, stored.start as usize);
                        stored
                    });
                }
            }
        }
        let dirs = older.dirs.get(dirs).unwrap_or_default().iter();
        self.dirs.extend(dirs.map(|dir| dir.moved(&by)));
        let mut dir = dir.moved(&by);
        // With the texts that are not from the directory itself.
        dir.text_end = small(self.text.len());
        self.push_dir(dir);
    }

    /// Ends the innermost directory, whose JSON text has this mark. One without any entry is no
    /// directory, unless it is the root.
    pub(super) fn close(&mut self, mark: Mark) {
        let Some(open) = self.open.pop() else {
            return;
        };
        let first_leaf = self.leaves.len();
        let first_dir = self.dirs.len();
        self.leaves
            .extend(self.open_leaves.drain(open.first_leaf..));
        self.dirs.extend(self.open_dirs.drain(open.first_dir..));
        let text = self.text.as_bytes();
        let name = |dir: &Dir| text.get(dir.name.range()).unwrap_or_default();
        let order = |one: &Dir, other: &Dir| dir_order(name(one), name(other));
        // JSON sorted by name has `a` before `a-b`; the keys in them come the other way round.
        if let Some(dirs) = self.dirs.get_mut(first_dir..)
            && !dirs.is_sorted_by(|one, other| order(one, other).is_lt())
        {
            dirs.sort_unstable_by(order);
        }
        let dir = Dir {
            name: open.name,
            leaves: Span::new(first_leaf, self.leaves.len()),
            dirs: Span::new(first_dir, self.dirs.len()),
            below_leaf: small(open.below_leaf),
            below_dir: small(open.below_dir),
            text_end: small(self.text.len()),
            mark,
        };
        if self.open.is_empty() {
            self.dirs.push(dir);
        } else if dir.leaves.len > 0 || dir.dirs.len > 0 {
            self.push_dir(dir);
        }
    }

    /// Adds a directory to the innermost one.
    fn push_dir(&mut self, dir: Dir) {
        if let Some(around) = self.open.last_mut() {
            around.last = dir.leaves.range();
        }
        self.open_dirs.push(dir);
    }

    /// Ends all directories.
    pub(super) fn finish(mut self) -> Tree {
        while !self.open.is_empty() {
            self.close(Mark::default());
        }
        self.text.shrink_to_fit();
        Tree {
            text: Arc::new(self.text),
            leaves: self.leaves.into(),
            dirs: self.dirs.into(),
            marker: None,
            since: Mutex::new(None),
        }
    }
}

/// Adds a name or a value to the text.
fn store(all: &mut String, text: &str) -> Span {
    let start = all.len();
    all.push_str(text);
    Span::new(start, all.len())
}

/// The difference from one place to another; added to the one, it gives the other.
fn shift(from: usize, to: usize) -> u32 {
    small(to).wrapping_sub(small(from))
}

/// How far a directory of another tree moves in each of the arrays.
pub(super) struct Shift {
    pub(super) leaves: u32,
    pub(super) dirs: u32,
    pub(super) text: u32,
}
