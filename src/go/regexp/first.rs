//! The bytes with which a match can begin: a search skips all others without running the machine.

use super::class::Class;
use super::program::Inst;

/// The instructions that are followed; a set of more than they lead to is not worth its making.
const MOST_INSTRUCTIONS: usize = 64;
/// The bytes that are no ASCII character: a part of one, or of none.
const NOT_ASCII: std::ops::RangeInclusive<usize> = 0x80..=0xff;

/// A set of bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FirstBytes(Box<[bool; 256]>);

impl FirstBytes {
    /// The first bytes of all matches; `None` if a match may be empty, or begin with any byte.
    pub(super) fn of(code: &[Inst], classes: &[Class]) -> Option<FirstBytes> {
        let mut first = FirstBytes(Box::new([false; 256]));
        let mut followed = Vec::new();
        let mut next = vec![0_usize];
        while let Some(at) = next.pop() {
            if followed.contains(&at) {
                continue;
            }
            followed.push(at);
            if followed.len() > MOST_INSTRUCTIONS {
                return None;
            }
            let target = |offset: i32| at.saturating_add_signed(offset as isize);
            match *code.get(at)? {
                Inst::Char(code) => first.add(code, code),
                Inst::Class(index) => {
                    let ranges = classes.get(index as usize)?.ranges();
                    ranges.iter().for_each(|(low, high)| first.add(*low, *high));
                }
                Inst::Split(one, other) => next.extend([target(one), target(other)]),
                Inst::Jump(offset) => next.push(target(offset)),
                Inst::Save(_) | Inst::Assert(_) => next.push(target(1)),
                Inst::Any | Inst::AnyButNewline | Inst::Match => return None,
            }
        }
        Some(first)
    }

    fn add(&mut self, low: u32, high: u32) {
        let last_ascii = 0x7f;
        for (byte, is_first) in (0..=last_ascii).zip(self.0.iter_mut()) {
            *is_first |= (low..=high).contains(&byte);
        }
        if high > last_ascii {
            // U+FFFD is also what a byte that is not UTF-8 is read as.
            self.0.get_mut(NOT_ASCII).unwrap_or_default().fill(true);
        }
    }

    /// The offset of the first byte in `text` that is in the set.
    pub(super) fn position(&self, text: &[u8]) -> Option<usize> {
        text.iter().position(|byte| self.0[usize::from(*byte)])
    }
}

#[cfg(test)]
mod tests {
    use crate::go::regexp::Regexp;

    #[test]
    fn the_bytes_are_those_of_matches() {
        for (pattern, begins, others) in [
            ("abc", "a", "bc\0é"),
            ("(?i)k", "kK\u{212a}", "ajl"),
            ("[0-9]+x", "059", "x/:"),
            (r"\b(web|job)", "wj", "eo é"),
            ("x?y", "xy", "z"),
            ("[^a]", "bé\0", "a"),
        ] {
            let regexp = Regexp::new(pattern.as_bytes()).expect(pattern);
            let first = regexp.first.as_ref().expect(pattern);
            let has = |found: &char| first.position(found.to_string().as_bytes()) == Some(0);
            assert!(begins.chars().all(|found| has(&found)), "{pattern}");
            assert!(
                !others.chars().any(|found| found.is_ascii() && has(&found)),
                "{pattern}"
            );
        }
        for pattern in ["", "a*", ".a", "a|", "(?s).", "^"] {
            let regexp = Regexp::new(pattern.as_bytes()).expect(pattern);
            assert_eq!(regexp.first, None, "{pattern}");
        }
    }
}
