//! A map that is made once: a vector of entries, sorted by key. Looked up by key and by place,
//! which a `BTreeMap` is not.

use std::borrow::Borrow;

/// Values by key, in the order of the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortedMap<K, V>(Box<[(K, V)]>);

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        SortedMap(Box::default())
    }
}

impl<K: Ord, V> From<Vec<(K, V)>> for SortedMap<K, V> {
    /// Of equal keys the last counts.
    fn from(mut entries: Vec<(K, V)>) -> Self {
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        entries.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                std::mem::swap(later, kept);
            }
            same
        });
        SortedMap(entries.into())
    }
}

impl<K: Ord, V> SortedMap<K, V> {
    /// True if it has no entries.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The entry at a place in the order of the keys.
    pub fn at(&self, index: usize) -> Option<(&K, &V)> {
        self.0.get(index).map(|(key, value)| (key, value))
    }

    /// The value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let found = self
            .0
            .binary_search_by(|(known, _)| known.borrow().cmp(key));
        self.0.get(found.ok()?).map(|(_, value)| value)
    }

    /// The entries.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    /// The values.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_keys_the_last_counts() {
        let map = SortedMap::from(vec![("b", 1), ("a", 2), ("b", 3), ("a", 4), ("b", 5)]);
        assert_eq!(
            (map.at(0), map.at(1), map.at(2)),
            (Some((&"a", &4)), Some((&"b", &5)), None)
        );
        assert_eq!((map.get("b"), map.get("c"), map.len()), (Some(&5), None, 2));
        assert!(map.keys().eq(&["a", "b"]) && map.values().eq(&[4, 5]));
    }
}
