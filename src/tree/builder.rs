//! Puts a tree together, directory by directory: entries wait until their directory is complete,
//! then they stand together.

use std::mem;
use std::sync::{Arc, Mutex};

use super::carried::Carried;
use super::mark::Mark;
use super::{Dir, DirId, Span, Tree, dir_order, small};

/// A tree in the making. Leaves of one directory must come in the order of their names, each name
/// once; directories in any order, each name once.
pub(super) struct Builder {
    text: String,
    names: Vec<Span>,
    values: Vec<Span>,
    dirs: Vec<Dir>,
    /// The entries of the directories that are open, those of the innermost last.
    open_leaves: Vec<Leaf>,
    open_dirs: Vec<Dir>,
    open: Vec<Open>,
    /// Where texts of an older tree stand in this one.
    carried: Carried,
    /// Where the names of leaves of the older tree stand in this one.
    carried_names: Carried,
}

/// A name and its value.
struct Leaf {
    name: Span,
    value: Span,
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
    /// The leaves of the directory before this one: mostly they have the same names.
    model: Model,
    /// How many of them have been passed, and how many were of the same name as one of this one's.
    passed: usize,
    shared: usize,
    /// The leaves of the last directory that was closed in this one.
    last: Model,
}

/// The leaves of a directory that is complete.
#[derive(Clone, Copy, Default)]
struct Model {
    names: Span,
    /// Where their values begin.
    values: usize,
}

impl Model {
    fn of(dir: &Dir) -> Model {
        Model {
            names: dir.leaf_names(),
            values: dir.leaves.start as usize,
        }
    }
}

impl Builder {
    /// An empty root, with room for this much text.
    pub(super) fn new(text: usize) -> Builder {
        Builder::with_capacity(text, [0; 3])
    }

    /// An empty root, with room for as much as an older tree has.
    pub(super) fn like(older: &Tree) -> Builder {
        let counts = [older.names.len(), older.values.len(), older.dirs.len()];
        Builder::with_capacity(older.text.len(), counts)
    }

    fn with_capacity(text: usize, [names, values, dirs]: [usize; 3]) -> Builder {
        let mut builder = Builder {
            text: String::with_capacity(text),
            names: Vec::with_capacity(names),
            values: Vec::with_capacity(values),
            dirs: Vec::with_capacity(dirs),
            open_leaves: Vec::new(),
            open_dirs: Vec::new(),
            open: Vec::new(),
            carried: Carried::default(),
            carried_names: Carried::default(),
        };
        builder.open("");
        builder
    }

    /// Starts a directory in the innermost one.
    pub(super) fn open(&mut self, name: &str) {
        let name = self.store(name);
        let model = self.open.last().map(|open| open.last).unwrap_or_default();
        self.open.push(Open {
            name,
            first_leaf: self.open_leaves.len(),
            first_dir: self.open_dirs.len(),
            below_leaf: self.values.len(),
            below_dir: self.dirs.len(),
            model,
            passed: 0,
            shared: 0,
            last: Model::default(),
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
        let Model { names, values } = open.model;
        let names = self.names.get(names.range())?;
        while let Some(known) = names.get(open.passed) {
            let found = self.text.as_bytes().get(known.range())?;
            if found > name.as_bytes() {
                return None;
            }
            let value = self.values.get(values + open.passed)?;
            open.passed += 1;
            if found == name.as_bytes() {
                open.shared += 1;
                let (name, value) = (*known, *value);
                return Some(Leaf { name, value });
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

    /// Adds a directory of an older tree, with all that is in it, to the innermost one.
    pub(super) fn copy(&mut self, older: &Tree, dir: DirId) {
        let dir = older.dir(dir);
        let text = dir.text();
        let place = self.text.len();
        self.text.push_str(older.str(text));
        self.carried.insert(text, place);
        let (leaves, dirs) = (dir.all_leaves(), dir.all_dirs());
        let by = Shift {
            leaves: shift(leaves.start, self.values.len()),
            dirs: shift(dirs.start, self.dirs.len()),
            text: shift(text.start as usize, place),
        };
        // Nothing else is added to these meanwhile.
        let mut values = mem::take(&mut self.values);
        let copied = older.values.get(leaves).unwrap_or_default().iter();
        values.extend(copied.map(|value| {
            if text.holds(*value) {
                value.moved(by.text)
            } else {
                self.carry(older, *value)
            }
        }));
        self.values = values;
        for dir in older.dirs.get(dirs).unwrap_or_default() {
            let names = self.carry_names(older, dir);
            self.dirs.push(dir.moved(&by, names));
        }
        let names = self.carry_names(older, dir);
        self.push_dir(Dir {
            // With the texts that are not from the directory itself.
            text_end: small(self.text.len()),
            ..dir.moved(&by, names)
        });
    }

    /// A text of the older tree in this one.
    fn carry(&mut self, older: &Tree, span: Span) -> Span {
        if span.len == 0 {
            return Span::NONE;
        }
        self.carried.find(span).unwrap_or_else(|| {
            let stored = self.store(older.str(span));
            self.carried.insert(span, stored.start as usize);
            stored
        })
    }

    /// Where the names of the leaves of a directory of the older tree begin in this one.
    fn carry_names(&mut self, older: &Tree, dir: &Dir) -> u32 {
        let names = dir.leaf_names();
        if names.len == 0 {
            return 0;
        }
        if let Some(found) = self.carried_names.find(names) {
            return found.start;
        }
        let start = self.names.len();
        self.carried_names.insert(names, start);
        for name in older.leaf_names(dir) {
            let name = self.carry(older, *name);
            self.names.push(name);
        }
        small(start)
    }

    /// Ends the innermost directory, whose JSON text has this mark. One without any entry is no
    /// directory, unless it is the root.
    pub(super) fn close(&mut self, mark: Mark) {
        let Some(open) = self.open.pop() else {
            return;
        };
        let first_leaf = self.values.len();
        let first_dir = self.dirs.len();
        let leaves = self.open_leaves.get(open.first_leaf..).unwrap_or_default();
        self.values.extend(leaves.iter().map(|leaf| leaf.value));
        let counts = [open.shared, open.model.names.len as usize];
        let names = if counts == [leaves.len(); 2] {
            open.model.names.start
        } else {
            let start = small(self.names.len());
            self.names.extend(leaves.iter().map(|leaf| leaf.name));
            start
        };
        self.open_leaves.truncate(open.first_leaf);
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
            leaves: Span::new(first_leaf, self.values.len()),
            names,
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
            around.last = Model::of(&dir);
        }
        self.open_dirs.push(dir);
    }

    /// Ends all directories.
    pub(super) fn finish(mut self) -> Tree {
        while !self.open.is_empty() {
            self.close(Mark::NONE);
        }
        self.text.shrink_to_fit();
        Tree {
            text: Arc::new(self.text),
            names: self.names.into(),
            values: self.values.into(),
            dirs: self.dirs.into(),
            marker: None,
            since: Mutex::new(None),
        }
    }
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
