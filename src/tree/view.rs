//! The part of a tree that one resource may see: its keys below its prefix, as a restriction on
//! directories and leaves.
//!
//! Nothing is copied. A look-up is one step for each segment of the key.

use std::sync::Arc;

use super::changes::Change;
use super::leaves::Leaves;
use super::{DirId, LeafId, Tree};
use crate::go::path;

/// The leaves below a resource's keys, with its prefix taken off. Cheap to clone.
#[derive(Clone, Debug)]
pub struct View {
    tree: Arc<Tree>,
    scope: Arc<Scope>,
    /// The directory of the prefix, when the tree has it and something of it is visible.
    root: Option<(DirId, Visibility)>,
    /// Where only part of a directory is visible.
    limits: Limits,
}

/// The directory of the last look-up: templates ask for one leaf of it after the other, and then
/// for the same ones of the next directory.
#[derive(Clone, Debug, Default)]
pub(super) struct Near {
    path: Vec<u8>,
    found: Option<(DirId, Visibility)>,
    /// The directory around it.
    around: Option<(DirId, Visibility)>,
    /// The places within their directory of the leaves that were asked for, in that order; and the
    /// next one.
    places: Vec<usize>,
    turn: usize,
}

/// As many places are remembered.
const PLACES: usize = 32;

/// The restrictions as the resource states them.
#[derive(Debug, PartialEq, Eq)]
struct Scope {
    /// Empty, or a clean path.
    prefix: String,
    /// What the keys cover below it, as clean paths.
    covered: Vec<String>,
    /// They cover all of it.
    is_whole: bool,
}

impl Scope {
    fn new(prefix: &str, keys: &[String]) -> Scope {
        let prefix = match path::clean(&format!("/{prefix}")) {
            root if root == "/" => String::new(),
            prefix => prefix,
        };
        let below = format!("{prefix}/");
        let (mut covered, mut is_whole) = (Vec::new(), false);
        for key in keys {
            let path = path::clean(&format!("{below}{key}"));
            match path.strip_prefix(&prefix) {
                Some(inside) if path != "/" && inside.starts_with('/') => {
                    covered.push(inside.to_owned());
                }
                // `..` may lead above the prefix, which covers all of it, but shows nothing beside
                // it.
                _ => is_whole |= path == "/" || below.starts_with(&format!("{path}/")),
            }
        }
        Scope {
            prefix,
            covered,
            is_whole,
        }
    }
}

/// How much of a directory is visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visibility {
    Whole,
    /// Only what [`Limits`] has.
    Part,
}

/// The visible parts of directories that are not visible as a whole; each list is sorted.
#[derive(Clone, Debug, Default)]
struct Limits {
    /// On the way to something visible.
    part: Vec<DirId>,
    whole: Vec<DirId>,
    leaves: Vec<LeafId>,
}

impl View {
    pub(super) fn new(tree: Arc<Tree>, prefix: &str, keys: &[String]) -> View {
        View::of(tree, Arc::new(Scope::new(prefix, keys)))
    }

    fn of(tree: Arc<Tree>, scope: Arc<Scope>) -> View {
        let mut view = View {
            root: root(&tree, &scope.prefix),
            tree,
            scope,
            limits: Limits::default(),
        };
        if let Some((root, _)) = view.root {
            for path in &view.scope.covered {
                view.limits.cover(&view.tree, root, path);
            }
        }
        view.limits.sort();
        if !view.scope.is_whole && view.limits.is_empty() {
            view.root = None;
        } else if !view.scope.is_whole {
            view.root = view.root.map(|(root, _)| (root, Visibility::Part));
        }
        view
    }

    /// The same part of another tree.
    pub fn of_tree(&self, tree: &Arc<Tree>) -> View {
        View::of(Arc::clone(tree), Arc::clone(&self.scope))
    }

    /// The same part of the metadata, below the same prefix, all of it.
    pub(super) fn whole(&self) -> View {
        View::new(
            Arc::clone(&self.tree),
            &self.scope.prefix,
            &["/".to_owned()],
        )
    }

    /// The tree that it is a view of.
    pub(super) fn tree(&self) -> &Arc<Tree> {
        &self.tree
    }

    /// True when it is a view of this very tree.
    pub fn is_of(&self, tree: &Arc<Tree>) -> bool {
        Arc::ptr_eq(&self.tree, tree)
    }

    /// The text that all names and values of the tree are parts of.
    pub fn text(&self) -> &Arc<String> {
        &self.tree.text
    }

    /// Empty, or a clean path that every visible key begins with in the tree and not here.
    pub(crate) fn prefix(&self) -> &str {
        &self.scope.prefix
    }

    /// True when there is no visible leaf.
    pub fn is_empty(&self) -> bool {
        self.leaves_walk().next_leaf().is_none()
    }

    /// The keys and values of the visible leaves, in the order of the keys.
    pub fn leaves(&self) -> impl Iterator<Item = (String, &str)> {
        self.leaves_walk().pairs()
    }

    pub(super) fn leaves_walk(&self) -> Leaves<'_> {
        Leaves::of_view(self, self.root, "")
    }

    /// The value of exactly this key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.find(key).map(|leaf| self.tree.value(leaf))
    }

    /// The leaf of exactly this key.
    pub(super) fn find(&self, key: &str) -> Option<LeafId> {
        self.find_near(&mut Near::default(), key.as_bytes())
    }

    /// The leaf of exactly this key, looked for beside the one before.
    pub(super) fn find_near(&self, near: &mut Near, key: &[u8]) -> Option<LeafId> {
        let slash = key.iter().rposition(|byte| *byte == b'/')?;
        let (path, name) = (key.get(..slash)?, key.get(slash + 1..)?);
        if near.found.is_none() || near.path != path {
            self.move_near(near, path);
        }
        let (dir, visibility) = near.found?;
        let guess = near.places.get(near.turn).copied().unwrap_or(0);
        let (leaf, place) = self.tree.find_leaf(dir, name, guess)?;
        match near.places.get_mut(near.turn) {
            Some(known) => *known = place,
            None if near.turn < PLACES => near.places.push(place),
            None => {}
        }
        near.turn += 1;
        self.shows(visibility, leaf).then_some(leaf)
    }

    /// Goes on to the directory of this path.
    fn move_near(&self, near: &mut Near, path: &[u8]) {
        let slash = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        let (above, name) = path.split_at(slash);
        let is_beside = near.path.get(slash) == Some(&b'/')
            && near.path.starts_with(above)
            && !near
                .path
                .get(slash + 1..)
                .unwrap_or_default()
                .contains(&b'/');
        let next = near.found.map_or(0, |(dir, _)| dir + 1);
        if !is_beside || near.around.is_none() {
            near.around = self.descend(above);
        }
        near.found = match name.strip_prefix(b"/") {
            None => self.root.filter(|_| path.is_empty()),
            Some(name) => near.around.and_then(|(around, visibility)| {
                let dir = self.tree.find_dir(around, name, next)?;
                Some((dir, self.visibility(visibility, dir)?))
            }),
        };
        near.path.clear();
        near.path.extend_from_slice(path);
        near.turn = 0;
    }

    /// The directory of exactly this path, the empty one for the root, and how much of it is
    /// visible.
    pub(super) fn find_dir(&self, path: &str) -> Option<(DirId, Visibility)> {
        self.descend(path.as_bytes())
    }

    fn descend(&self, path: &[u8]) -> Option<(DirId, Visibility)> {
        let mut found = self.root?;
        if path.is_empty() {
            return Some(found);
        }
        for name in path.strip_prefix(b"/")?.split(|byte| *byte == b'/') {
            let dir = self.tree.find_dir(found.0, name, 0)?;
            found = (dir, self.visibility(found.1, dir)?);
        }
        Some(found)
    }

    /// How much is visible of a directory in one of which this much is visible.
    pub(super) fn visibility(&self, around: Visibility, dir: DirId) -> Option<Visibility> {
        let is_in = |dirs: &[DirId]| dirs.binary_search(&dir).is_ok();
        match around {
            Visibility::Whole => Some(Visibility::Whole),
            Visibility::Part if is_in(&self.limits.whole) => Some(Visibility::Whole),
            Visibility::Part => is_in(&self.limits.part).then_some(Visibility::Part),
        }
    }

    /// True when a leaf is visible in a directory of which this much is visible.
    pub(super) fn shows(&self, around: Visibility, leaf: LeafId) -> bool {
        around == Visibility::Whole || self.limits.leaves.binary_search(&leaf).is_ok()
    }

    /// True when there is a visible leaf below this clean path: when it is a directory.
    pub fn has_below(&self, dir: &str) -> bool {
        match self.find_dir(dir.trim_end_matches('/')) {
            Some((dir, _)) => dir != self.tree.root() || !self.tree.is_empty(),
            None => false,
        }
    }

    /// True when the metadata has this leaf or directory, but the resource's keys do not cover it.
    pub fn hides(&self, key: &str) -> bool {
        let has = |view: &View| view.find(key).is_some() || view.has_below(key);
        !has(self) && has(&self.whole())
    }

    /// The keys that only one of the two views has, and those whose values differ, sorted by key.
    pub fn changes(&self, newer: &View) -> Vec<Change> {
        if *self.scope != *newer.scope {
            return super::changes::between_views(self, newer);
        }
        let changes = newer.tree.changes_since(&self.tree);
        let mut visible = Vec::new();
        for change in changes.iter() {
            let inside = change.key.strip_prefix(self.prefix());
            let shown = |key: &&str| self.find(key).is_some() || newer.find(key).is_some();
            if let Some(key) = inside.filter(shown) {
                let (key, kind) = (key.to_owned(), change.kind);
                visible.push(Change { key, kind });
            }
        }
        visible
    }
}

impl PartialEq for View {
    /// True when both show the same leaves.
    fn eq(&self, other: &View) -> bool {
        self.changes(other).is_empty()
    }
}

impl Limits {
    /// Adds the leaf and the directory at a clean path below `root`.
    fn cover(&mut self, tree: &Tree, root: DirId, path: &str) {
        let mut way = Vec::new();
        let mut dir = root;
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        for segment in above.split('/').skip(1) {
            match tree.find_dir(dir, segment.as_bytes(), 0) {
                Some(found) => dir = found,
                None => return,
            }
            way.push(dir);
        }
        let name = name.as_bytes();
        let leaf = tree.find_leaf(dir, name, 0).map(|(leaf, _)| leaf);
        let whole = tree.find_dir(dir, name, 0);
        if leaf.is_some() || whole.is_some() {
            self.part.append(&mut way);
        }
        self.leaves.extend(leaf);
        self.whole.extend(whole);
    }

    fn sort(&mut self) {
        for list in [&mut self.part, &mut self.whole, &mut self.leaves] {
            list.sort_unstable();
            list.dedup();
        }
    }

    fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.leaves.is_empty()
    }
}

/// The directory of a prefix.
fn root(tree: &Tree, prefix: &str) -> Option<(DirId, Visibility)> {
    let mut dir = tree.root();
    for name in prefix.split('/').skip(1) {
        dir = tree.find_dir(dir, name.as_bytes(), 0)?;
    }
    Some((dir, Visibility::Whole))
}
