//! Names as numbers: of templates, of variables, of keys.

use std::collections::BTreeMap;

/// A set of names, each with a number of its own, counted from 0 in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Interner {
    numbers: BTreeMap<Vec<u8>, usize>,
}

impl Interner {
    /// The number of a name that came before.
    pub fn get(&self, name: &[u8]) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.numbers.keys().map(Vec::as_slice)
    }

    /// The number of a name, a new one if need be.
    pub fn add(&mut self, name: &[u8]) -> usize {
        self.get(name).unwrap_or_else(|| {
            let next = self.numbers.len();
            self.numbers.insert(name.to_vec(), next);
            next
        })
    }
}
