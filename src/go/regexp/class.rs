//! A set of characters as sorted ranges, built piece by piece.

use crate::go::unicode;

/// Where folding changes anything: the first and the last character with another case.
const FOLDING: (u32, u32) = (0x41, 0x1E943);

/// A set of characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Class {
    /// First and last, sorted and apart once the set is [`finish`](Class::finish)ed.
    ranges: Vec<(u32, u32)>,
}

impl Class {
    /// Adds a range; with `fold` also the other cases of everything in it.
    pub(super) fn add(&mut self, low: u32, high: u32, fold: bool) {
        self.ranges.push((low, high));
        if !fold || (low <= FOLDING.0 && high >= FOLDING.1) {
            return;
        }
        for code in low.max(FOLDING.0)..=high.min(FOLDING.1) {
            let mut other = unicode::simple_fold(code);
            while other != code {
                self.ranges.push((other, other));
                other = unicode::simple_fold(other);
            }
        }
    }

    /// Adds another set, or what is not in it; with `fold` the other cases are of the set.
    pub(super) fn add_class(&mut self, ranges: &[(u32, u32)], negated: bool, fold: bool) {
        let mut class = Class::default();
        for (low, high) in ranges {
            class.add(*low, *high, fold);
        }
        let class = class.finish();
        let class = if negated { class.negated() } else { class };
        self.ranges.extend(class.ranges);
    }

    /// Sorts the ranges and joins those that touch.
    pub(super) fn finish(mut self) -> Class {
        self.ranges.sort_unstable();
        self.ranges.dedup_by(|next, kept| {
            let touches = next.0 <= kept.1.saturating_add(1);
            if touches {
                kept.1 = kept.1.max(next.1);
            }
            touches
        });
        self
    }

    /// The ranges, first and last character each.
    pub(super) fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    /// Everything that is not in a finished set.
    pub(super) fn negated(self) -> Class {
        let mut ranges = Vec::with_capacity(self.ranges.len() + 1);
        let mut next = 0;
        for (low, high) in self.ranges {
            if next < low {
                ranges.push((next, low - 1));
            }
            next = high + 1;
        }
        if next <= unicode::MAX {
            ranges.push((next, unicode::MAX));
        }
        Class { ranges }
    }

    /// True if a finished set has this character.
    pub(super) fn contains(&self, code: u32) -> bool {
        let after = self.ranges.partition_point(|(low, _)| *low <= code);
        let range = after
            .checked_sub(1)
            .and_then(|index| self.ranges.get(index));
        range.is_some_and(|(_, high)| code <= *high)
    }

    /// The bytes that the set takes.
    pub(super) fn size(&self) -> usize {
        size_of_val(&*self.ranges)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_join_and_turn_round() {
        let ranges = vec![(5, 9), (1, 2), (3, 3), (20, 30), (25, 26)];
        let class = Class { ranges }.finish();
        assert_eq!(class.ranges, [(1, 3), (5, 9), (20, 30)]);
        assert!(
            class.contains(3) && class.contains(20) && !class.contains(4) && !class.contains(0)
        );
        let rest = class.negated();
        assert_eq!(rest.ranges, [(0, 0), (4, 4), (10, 19), (31, 0x10_FFFF)]);
        assert_eq!(Class::default().negated().negated(), Class::default());
    }

    #[test]
    fn folding_adds_every_case() {
        let mut class = Class::default();
        class.add(u32::from('j'), u32::from('k'), true);
        let class = class.finish();
        for found in ['j', 'J', 'k', 'K', '\u{212a}'] {
            assert!(class.contains(found.into()), "{found}");
        }
        let mut others = Class::default();
        others.add_class(&[(0x4b, 0x4b)], true, true);
        assert!(!others.finish().contains(0x212a));
    }
}
