//! The metadata: leaves only, sorted by key. Made from JSON once per change, then shared and never changed.

use std::ops::Range;
use std::sync::Arc;

/// The metadata of this node below the prefix it was fetched with.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tree {
    leaves: Vec<(Box<str>, Box<str>)>,
}

/// What one resource may see of a tree: the leaves below its keys. Cheap to clone.
#[derive(Clone, Debug)]
pub struct View {
    tree: Arc<Tree>,
    ranges: Vec<Range<usize>>,
}

impl View {
    /// The leaves in order of their keys.
    pub fn leaves(&self) -> impl Iterator<Item = (&str, &str)> {
        self.ranges
            .iter()
            .flat_map(|range| self.tree.leaves[range.clone()].iter())
            .map(|(key, value)| (&**key, &**value))
    }
}
