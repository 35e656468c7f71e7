//! Puts a tree together, directory by directory: entries wait until their directory is complete,
//! then they stand together.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use super::{Dir, Leaf, Span, Tree, dir_order};

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
}

/// A directory whose entries are still coming.
struct Open {
    name: Span,
    /// Where its entries begin in [`Builder::open_leaves`] and [`Builder::open_dirs`].
    first_leaf: usize,
    first_dir: usize,
    /// The leaves of the directory before this one, as far as they have not been passed: mostly
    /// they have the same names.
    model: Range<usize>,
    /// The leaves of the last directory that was closed in this one.
    last: Range<usize>,
}

impl Builder {
    /// An empty root, with room for this much text.
    pub(super) fn new(text: usize) -> Builder {
        let mut builder = Builder {
            text: String::with_capacity(text),
            leaves: Vec::new(),
            dirs: Vec::new(),
            open_leaves: Vec::new(),
            open_dirs: Vec::new(),
            open: Vec::new(),
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
        let start = self.text.len();
        self.text.push_str(text);
        Span::new(start, self.text.len())
    }

    /// Ends the innermost directory. One without any entry is no directory, unless it is the root.
    pub(super) fn close(&mut self) {
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
        };
        match self.open.last_mut() {
            None => self.dirs.push(dir),
            Some(_) if dir.leaves.len == 0 && dir.dirs.len == 0 => {}
            Some(around) => {
                around.last = dir.leaves.range();
                self.open_dirs.push(dir);
            }
        }
    }

    /// Ends all directories.
    pub(super) fn finish(mut self) -> Tree {
        while !self.open.is_empty() {
            self.close();
        }
        self.text.shrink_to_fit();
        Tree {
            text: Arc::new(self.text),
            leaves: self.leaves.into(),
            dirs: self.dirs.into(),
            since: Mutex::new(None),
        }
    }
}
