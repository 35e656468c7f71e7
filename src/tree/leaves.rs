//! All leaves of a tree or a view in the order of their keys: a walk with a stack of its own.

use std::ops::Range;

use super::view::{View, Visibility};
use super::{DirId, LeafId, Tree, leaf_order};

/// A walk over leaves.
pub(super) struct Leaves<'t> {
    tree: &'t Tree,
    /// None for all of the tree.
    view: Option<&'t View>,
    /// The key of the leaf found last.
    key: String,
    levels: Vec<Level>,
}

/// A directory on the way.
struct Level {
    dir: DirId,
    leaves: Range<LeafId>,
    dirs: Range<DirId>,
    visibility: Visibility,
    /// The length of its path, with the slash at its end.
    path: usize,
}

impl<'t> Leaves<'t> {
    /// The leaves of a whole tree.
    pub(super) fn of_tree(tree: &'t Tree) -> Self {
        Leaves::below(tree, None, Some((tree.root(), Visibility::Whole)), "")
    }

    /// The leaves of a view in a directory of it, whose path is `path` (empty for its root).
    pub(super) fn of_view(view: &'t View, start: Option<(DirId, Visibility)>, path: &str) -> Self {
        Leaves::below(view.tree(), Some(view), start, path)
    }

    fn below(
        tree: &'t Tree,
        view: Option<&'t View>,
        start: Option<(DirId, Visibility)>,
        path: &str,
    ) -> Self {
        let mut leaves = Leaves {
            tree,
            view,
            key: path.to_owned(),
            levels: Vec::new(),
        };
        if let Some((dir, visibility)) = start {
            leaves.enter(dir, visibility);
        }
        leaves
    }

    /// The next leaf; [`Leaves::key`] is its key.
    pub(super) fn next_leaf(&mut self) -> Option<LeafId> {
        loop {
            let tree = self.tree;
            let level = self.levels.last_mut()?;
            self.key.truncate(level.path);
            let leaf_first = match (level.leaves.is_empty(), level.dirs.is_empty()) {
                (true, true) => {
                    self.levels.pop();
                    continue;
                }
                (no_leaf, true) => !no_leaf,
                (true, false) => false,
                (false, false) => {
                    let leaf = tree.leaf_name(level.dir, level.leaves.start);
                    let dir = tree.dir_name(level.dirs.start);
                    leaf_order(leaf.as_bytes(), dir.as_bytes()).is_lt()
                }
            };
            if leaf_first {
                let leaf = level.leaves.start;
                level.leaves.start += 1;
                if self
                    .view
                    .is_none_or(|view| view.shows(level.visibility, leaf))
                {
                    self.key.push_str(tree.leaf_name(level.dir, leaf));
                    return Some(leaf);
                }
            } else {
                let dir = level.dirs.start;
                level.dirs.start += 1;
                let visibility = match self.view {
                    None => Some(Visibility::Whole),
                    Some(view) => view.visibility(level.visibility, dir),
                };
                if let Some(visibility) = visibility {
                    self.key.push_str(tree.dir_name(dir));
                    self.enter(dir, visibility);
                }
            }
        }
    }

    /// The key of the leaf found last.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// The keys and values.
    pub(super) fn pairs(mut self) -> impl Iterator<Item = (String, &'t str)> {
        std::iter::from_fn(move || {
            let leaf = self.next_leaf()?;
            Some((self.key.clone(), self.tree.value(leaf)))
        })
    }

    fn enter(&mut self, dir: DirId, visibility: Visibility) {
        let entries = self.tree.dir(dir);
        self.key.push('/');
        self.levels.push(Level {
            dir,
            leaves: entries.leaves.range(),
            dirs: entries.dirs.range(),
            visibility,
            path: self.key.len(),
        });
    }
}
