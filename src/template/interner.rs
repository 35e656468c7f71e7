//! Names as numbers: of templates, of variables.

use std::collections::BTreeMap;

/// Gives every name a number of its own, counted from 0 in the order in which they come.
#[derive(Debug, Default)]
pub struct Interner {
    numbers: BTreeMap<Vec<u8>, usize>,
}

impl Interner {
    /// The number of a name that came before.
    pub fn get(&self, name: &[u8]) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// The number of a name, a new one if need be.
    pub fn number(&mut self, name: &[u8]) -> usize {
        self.get(name).unwrap_or_else(|| {
            let next = self.numbers.len();
            self.numbers.insert(name.to_vec(), next);
            next
        })
    }
}
