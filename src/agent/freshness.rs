//! Guarantee that no older metadata is written over newer: the generation of the files, noted
//! before each request for metadata and compared once the lock is held.
//!
//! Other processes with the same confdir increase the generation with every change. A tree whose
//! request was sent before such a change may be older than the files, so that it is fetched again.

/// The generations between which no others have changed files.
#[derive(Debug, Default)]
pub(super) struct Freshness {
    /// The generations from the first to the second are all this process's own changes. Its trees
    /// come in order, so that none of them makes the next one old.
    own: Option<(u64, u64)>,
}

impl Freshness {
    /// Returns true if others may have written files from newer metadata than a tree for whose
    /// request this generation was noted; `current` is that of now. Without one of them nothing is
    /// known.
    pub(super) fn is_stale(&self, noted: Option<u64>, current: Option<u64>) -> bool {
        let (Some(noted), Some(current)) = (noted, current) else {
            return false;
        };
        let is_own = |(first, last)| noted >= first && current == last;
        noted != current && !self.own.is_some_and(is_own)
    }

    /// This process has increased the generation by one, to `current`.
    pub(super) fn advance(&mut self, current: u64) {
        let before = current.wrapping_sub(1);
        let first = match self.own {
            Some((first, last)) if last == before => first,
            _ => before,
        };
        self.own = Some((first, current));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_stale_after_a_change_of_others_only() {
        let mut freshness = Freshness::default();
        for (noted, current) in [(None, Some(7)), (Some(7), None), (Some(7), Some(7))] {
            assert!(!freshness.is_stale(noted, current), "{noted:?} {current:?}");
        }
        freshness.advance(8);
        freshness.advance(9);
        assert!(!freshness.is_stale(Some(7), Some(9)), "its own changes");
        assert!(freshness.is_stale(Some(7), Some(10)), "a change of others");
        // The others' change, then one of its own from the tree that was fetched after it.
        freshness.advance(11);
        assert!(!freshness.is_stale(Some(10), Some(11)));
        assert!(
            freshness.is_stale(Some(9), Some(11)),
            "asked for before the others' change"
        );
    }
}
