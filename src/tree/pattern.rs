//! The leaves that a `filepath.Match` pattern matches, found by stepping through the directories
//! that its segments match.

use std::ops::Range;

use super::listing::Found;
use super::view::{View, Visibility};
use super::{DirId, LeafId};
use crate::go::filepath::Pattern;

/// A pattern for one name.
struct Segment {
    pattern: Pattern,
    /// The only name that matches.
    literal: Option<String>,
    /// The beginning of every name that matches.
    head: String,
}

/// A directory whose names are held against a segment.
struct Level {
    dirs: Range<DirId>,
    visibility: Visibility,
    /// The length of its path, with the slash at its end.
    path: usize,
}

/// Takes a leaf: its directory with a slash at the end, its name, and the leaf.
type Visit<'f> = &'f mut dyn FnMut(&str, &str, LeafId);

/// A walk through the directories that match.
struct Walk<'v, 'f> {
    view: &'v View,
    segments: Vec<Segment>,
    /// One for each segment that has been matched so far.
    levels: Vec<Level>,
    path: String,
    walked: u64,
    visit: Visit<'f>,
}

impl View {
    /// The keys and values of the leaves whose keys match, in the order of the keys.
    pub fn matching(&self, pattern: &Pattern) -> Found<(String, &str)> {
        let mut items = Vec::new();
        let walked = self.visit_matching(pattern, &mut |dir, name, leaf| {
            items.push((format!("{dir}{name}"), self.tree().value(leaf)));
        });
        Found { items, walked }
    }

    /// The values of the leaves whose keys match, in the order of the keys.
    pub fn matching_values(&self, pattern: &Pattern) -> Found<&str> {
        let mut items = Vec::new();
        let walked = self.visit_matching(pattern, &mut |_, _, leaf| {
            items.push(self.tree().value(leaf));
        });
        Found { items, walked }
    }

    /// Visits each leaf that matches. Returns the number of entries looked at.
    fn visit_matching(&self, pattern: &Pattern, visit: Visit<'_>) -> u64 {
        let Some(names) = pattern.segments() else {
            return self.visit_all(pattern, visit);
        };
        let mut names = names.into_iter();
        // Before the first slash there is nothing in a key.
        if !names.next().is_some_and(|first| first.matches("")) {
            return 0;
        }
        let mut walk = Walk {
            view: self,
            segments: names.map(Segment::new).collect(),
            levels: Vec::new(),
            path: String::new(),
            walked: 0,
            visit,
        };
        if let Some((root, visibility)) = self.find_dir("") {
            walk.enter(root, visibility);
        }
        walk.run();
        walk.walked
    }

    /// Holds every key against a pattern that has a class which matches slashes too.
    fn visit_all(&self, pattern: &Pattern, visit: Visit<'_>) -> u64 {
        let mut leaves = self.leaves_walk();
        let mut walked = 0;
        while let Some(leaf) = leaves.next_leaf() {
            walked += 1;
            let key = leaves.key();
            if pattern.matches(key) {
                let (dir, name) = key.split_at(key.rfind('/').map_or(0, |slash| slash + 1));
                visit(dir, name, leaf);
            }
        }
        walked
    }
}

impl Segment {
    fn new(pattern: Pattern) -> Segment {
        Segment {
            literal: pattern.literal(),
            head: pattern.head(),
            pattern,
        }
    }
}

impl Walk<'_, '_> {
    fn run(&mut self) {
        while let Some(level) = self.levels.last_mut() {
            self.path.truncate(level.path);
            let Some(dir) = level.dirs.next() else {
                self.levels.pop();
                continue;
            };
            self.walked += 1;
            let visibility = level.visibility;
            let name = self.view.tree().dir_name(dir);
            let segment = self.segments.get(self.levels.len() - 1);
            if segment.is_some_and(|segment| segment.matches(name))
                && let Some(visibility) = self.view.visibility(visibility, dir)
            {
                self.path.push_str(name);
                self.enter(dir, visibility);
            }
        }
    }

    /// Goes into a directory: on to its directories, or to its leaves when this is the last
    /// segment's.
    fn enter(&mut self, dir: DirId, visibility: Visibility) {
        self.path.push('/');
        let tree = self.view.tree();
        let depth = self.levels.len();
        let Some(segment) = self.segments.get(depth) else {
            return;
        };
        let dirs = match &segment.literal {
            _ if depth + 1 == self.segments.len() => return self.take_leaves(dir, visibility),
            Some(name) => tree
                .find_dir(dir, name.as_bytes(), 0)
                .map_or(0..0, |dir| dir..dir + 1),
            None => tree.dirs_from(dir, &segment.head),
        };
        self.levels.push(Level {
            dirs,
            visibility,
            path: self.path.len(),
        });
    }

    fn take_leaves(&mut self, dir: DirId, visibility: Visibility) {
        let tree = self.view.tree();
        let Some(segment) = self.segments.last() else {
            return;
        };
        let leaves = match &segment.literal {
            Some(name) => tree
                .find_leaf(dir, name.as_bytes(), 0)
                .map_or(0..0, |(leaf, _)| leaf..leaf + 1),
            None => tree.leaves_from(dir, &segment.head),
        };
        for leaf in leaves {
            self.walked += 1;
            let name = tree.leaf_name(dir, leaf);
            if segment.matches(name) && self.view.shows(visibility, leaf) {
                (self.visit)(&self.path, name, leaf);
            }
        }
    }
}

impl Segment {
    fn matches(&self, name: &str) -> bool {
        self.literal.is_some() || self.pattern.matches(name)
    }
}
