//! The missing keys of one rendering, those of one place in the text folded into one error: a loop
//! over a thousand hosts is one mistake, not a thousand.

use std::collections::BTreeSet;

use super::Error;

/// The number of missing keys after which a rendering stops.
const MOST_KEYS: usize = 10_000;
/// After missing keys at this many places, too.
const MOST_PLACES: usize = 100;

/// The missing keys found so far, in the order of their places.
#[derive(Debug, Default)]
pub(super) struct Missing {
    places: Vec<Error>,
    count: usize,
}

impl Missing {
    /// True when there is room for more.
    pub(super) fn has_room(&self) -> bool {
        self.count < MOST_KEYS && self.places.len() < MOST_PLACES
    }

    /// Takes the error of one or more missing keys.
    pub(super) fn push(&mut self, mut error: Error) {
        let keys = error.take_missing_keys();
        self.count += keys.len();
        let depth = keys.first().map(|key| segments(key).count());
        let same = self.places.iter_mut().rev().find(|known| {
            let first = known.missing_keys().first();
            known.is_at_place_of(&error) && first.map(|key| segments(key).count()) == depth
        });
        match same {
            Some(known) => known.add_missing_keys(keys),
            None => {
                error.add_missing_keys(keys);
                self.places.push(error);
            }
        }
    }

    /// The first error with the others as its [further](Error::further) ones; `None` when no key is
    /// missing.
    pub(super) fn into_error(self) -> Option<Error> {
        let mut places = self.places.into_iter();
        let first = places.next()?;
        Some(first.with_further(places.collect()))
    }
}

fn segments(key: &str) -> impl Iterator<Item = &str> {
    key.split('/')
}

/// The pattern of keys with equally many segments: `/hosts/*/sid`.
pub(super) fn pattern(keys: &BTreeSet<String>) -> String {
    let mut keys = keys.iter();
    let mut pattern: Vec<&str> = keys
        .next()
        .map(|key| segments(key).collect())
        .unwrap_or_default();
    for key in keys {
        for (known, segment) in pattern.iter_mut().zip(segments(key)) {
            if *known != segment {
                *known = "*";
            }
        }
    }
    pattern.join("/")
}

/// A number with a comma before each three digits: `1,000`.
pub(super) fn with_commas(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_a_pattern() {
        for (keys, want) in [
            (&["/hosts/a/sid", "/hosts/b/sid"][..], "/hosts/*/sid"),
            (&["/a/b", "/c/d", "/c/b"], "/*/*"),
            (&["/a", "a/"], "*/*"),
            (&["/one"], "/one"),
            (&[], ""),
        ] {
            let keys = keys.iter().map(|key| (*key).to_owned()).collect();
            assert_eq!(pattern(&keys), want);
        }
    }

    #[test]
    fn numbers_have_commas() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (123_456, "123,456"),
            (1_000_000, "1,000,000"),
        ] {
            assert_eq!(with_commas(number), text);
        }
    }
}
