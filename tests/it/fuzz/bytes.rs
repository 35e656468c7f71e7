//! A fuzzer's bytes as the source of a generator's decisions.

use super::choices::Choices;

/// Takes one or two bytes for each decision; 0 when there are no more.
pub(super) struct Bytes<'a>(pub &'a [u8]);

impl Choices for Bytes<'_> {
    fn below(&mut self, count: usize) -> usize {
        let mut number = 0;
        for _ in 0..if count > 256 { 2 } else { 1 } {
            let Some((byte, rest)) = self.0.split_first() else {
                return 0;
            };
            number = number << 8 | usize::from(*byte);
            self.0 = rest;
        }
        number % count.max(1)
    }
}
