//! Marks of texts: two texts with the same mark are the same.
//!
//! A mark is the text's length and its polynomial hash at a random point (Carter and Wegman),
//! modulo the prime 2^61 - 1. Two different texts of n bytes, chosen without knowledge of the
//! point, have the same mark with a probability of at most n / 2^58.

use std::hash::{BuildHasher, RandomState};

use super::small;

/// The modulus.
const PRIME: u64 = (1 << 61) - 1;
/// The bytes in a word, so that each is less than the modulus.
const WORD: usize = 7;
/// Hashed at once: four words. The last of them is read with one byte more.
const CHUNK: usize = 4 * WORD;

/// A text's length and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// In bytes.
    len: u32,
    /// In two halves, which need no more room in an array than they have.
    hash: [u32; 2],
}

impl Mark {
    /// That of no text.
    pub(super) const NONE: Mark = Mark {
        len: 0,
        hash: [0; 2],
    };

    /// The length of the text in bytes; 0 without one.
    pub(super) fn len(self) -> usize {
        self.len as usize
    }

    /// Returns true if it is that of a text.
    pub(super) fn is_there(self) -> bool {
        self.len > 0
    }
}

/// Makes marks. Those of different markers cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    /// The point, its square, its cube and its fourth power.
    powers: [u64; 4],
}

impl Marker {
    /// A marker that nobody knows.
    pub(super) fn random() -> Marker {
        let point = 1 + RandomState::new().hash_one(0) % (PRIME - 1);
        let mut powers = [point; 4];
        for at in 1..powers.len() {
            powers[at] = reduce(u128::from(powers[at - 1]) * u128::from(point));
        }
        Marker { powers }
    }

    /// The mark of a text, of at most 4 GiB.
    pub(super) fn mark(&self, text: &[u8]) -> Mark {
        let [one, two, three, four] = self.powers.map(u128::from);
        let mut hash = 0;
        let mut rest = text;
        let mut last = [0; CHUNK + 1];
        // Horner's rule, four words at a time: each product is less than 2^122.
        while !rest.is_empty() {
            let chunk = rest.first_chunk().unwrap_or_else(|| {
                // Only texts of one length are compared: zeros at the end tell nothing.
                for (to, from) in last.iter_mut().zip(rest) {
                    *to = *from;
                }
                &last
            });
            let word = |at: usize| {
                let bytes = chunk.get(at..).and_then(|rest| rest.first_chunk());
                let word = u64::from_le_bytes(*bytes.unwrap_or(&[0; 8]));
                u128::from(word & (u64::MAX >> 8))
            };
            let sum = u128::from(hash) * four
                + word(0) * three
                + word(WORD) * two
                + word(2 * WORD) * one
                + word(3 * WORD);
            hash = reduce(sum);
            rest = rest.get(CHUNK..).unwrap_or_default();
        }
        Mark {
            len: small(text.len()),
            hash: [hash as u32, (hash >> 32) as u32],
        }
    }
}

/// A number below 2^124, modulo the prime.
#[inline(always)]
fn reduce(number: u128) -> u64 {
    let once = (number as u64 & PRIME) + (number >> 61) as u64;
    let twice = (once & PRIME) + (once >> 61);
    if twice >= PRIME { twice - PRIME } else { twice }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_counts() {
        let marker = Marker::random();
        for len in 0..130 {
            let mut text: Vec<u8> = (0..len).map(|at| (at * 37) as u8).collect();
            let mark = marker.mark(&text);
            assert_eq!(mark.len(), text.len());
            assert_eq!(marker.mark(&text.clone()), mark);
            for at in 0..text.len() {
                for bit in 0..8 {
                    text[at] ^= 1 << bit;
                    assert_ne!(marker.mark(&text), mark, "bit {bit} of byte {at} of {len}");
                    text[at] ^= 1 << bit;
                }
            }
            text.push(0);
            assert_ne!(marker.mark(&text), mark);
        }
        assert_ne!(Marker::random(), marker);
    }

    #[test]
    fn numbers_are_reduced() {
        let prime = u128::from(PRIME);
        for number in [
            0,
            1,
            prime - 1,
            prime,
            prime + 1,
            prime * prime,
            (1 << 124) - 1,
        ] {
            assert_eq!(u128::from(reduce(number)), number % prime);
        }
    }
}
