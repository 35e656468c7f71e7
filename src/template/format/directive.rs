//! The syntax of one directive of a format, such as `%-8.3f` or `%[2]*d`: bytes in, its parts out.
//!
//! Knows no arguments; whoever has them decides what a part does.

use crate::go::utf8;

/// Go's bound for widths and precisions, and for argument indexes.
pub(super) const MOST: usize = 1_000_000;

/// One directive, in the order of its parts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Directive<'f> {
    /// Any of `#0+- `.
    pub(super) flags: &'f [u8],
    pub(super) index: Option<Index>,
    pub(super) width: Count,
    pub(super) precision: Option<(Option<Index>, Count)>,
    pub(super) verb_index: Option<Index>,
    /// True if an argument index stands before a width or precision that takes no argument.
    pub(super) is_index_misplaced: bool,
    /// None at the end of the format.
    pub(crate) verb: Option<char>,
}

/// An argument index such as `[2]`; without a number if it cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Index(pub(super) Option<usize>);

/// A width or precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    Absent,
    Number(usize),
    /// `*`: the next argument.
    Argument,
}

impl<'f> Directive<'f> {
    /// Reads a directive from after its percent sign; returns the rest of the format, too.
    pub(crate) fn read(format: &'f [u8]) -> (Directive<'f>, &'f [u8]) {
        let mut reader = Reader {
            rest: format,
            is_after_index: false,
        };
        let flags = reader.flags();
        let index = reader.index();
        let width = reader.count();
        let mut is_index_misplaced = reader.is_after_index && matches!(width, Count::Number(_));
        let precision = reader.take_point().then(|| {
            is_index_misplaced |= reader.is_after_index;
            (reader.index(), reader.count())
        });
        let verb_index = (!reader.is_after_index).then(|| reader.index()).flatten();
        let directive = Directive {
            flags,
            index,
            width,
            precision,
            verb_index,
            is_index_misplaced,
            verb: reader.verb(),
        };
        (directive, reader.rest)
    }

    /// Returns true if it takes just the next argument: nothing like `[2]` or `*` is in it.
    pub(crate) fn takes_one_argument(&self) -> bool {
        let precision = self.precision.unwrap_or((None, Count::Absent));
        let indexes = [self.index, precision.0, self.verb_index];
        indexes.iter().all(Option::is_none) && ![self.width, precision.1].contains(&Count::Argument)
    }

    /// Returns true if it has nothing but its verb.
    pub(crate) fn is_plain(&self) -> bool {
        self.flags.is_empty()
            && self.width == Count::Absent
            && self.precision.is_none()
            && self.takes_one_argument()
    }
}

struct Reader<'f> {
    rest: &'f [u8],
    /// True if the last thing read was an argument index.
    is_after_index: bool,
}

impl<'f> Reader<'f> {
    fn advance(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    fn flags(&mut self) -> &'f [u8] {
        let is_flag = |byte: &u8| b"#0+- ".contains(byte);
        let end = self.rest.iter().position(|byte| !is_flag(byte));
        let (flags, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        flags
    }

    fn index(&mut self) -> Option<Index> {
        self.is_after_index = false;
        if self.rest.first() != Some(&b'[') {
            return None;
        }
        // A bracket is only one with room for a number in it and with its partner.
        let close = self.rest.iter().position(|byte| *byte == b']');
        let Some(close) = close.filter(|_| self.rest.len() >= 3) else {
            self.advance(1);
            return Some(Index(None));
        };
        let inside = self.rest.get(1..close).unwrap_or_default();
        let number = match read_number(inside) {
            (number, width) if width == inside.len() => number,
            _ => None,
        };
        self.advance(close + 1);
        self.is_after_index = number.is_some();
        Some(Index(number))
    }

    fn count(&mut self) -> Count {
        if self.rest.first() == Some(&b'*') {
            self.advance(1);
            self.is_after_index = false;
            return Count::Argument;
        }
        let (number, read) = read_number(self.rest);
        self.advance(read);
        number.map_or(Count::Absent, Count::Number)
    }

    /// Takes the point of a precision. One at the very end is taken for the verb.
    fn take_point(&mut self) -> bool {
        let is_there = matches!(self.rest, [b'.', _, ..]);
        self.advance(usize::from(is_there));
        is_there
    }

    fn verb(&mut self) -> Option<char> {
        if self.rest.is_empty() {
            return None;
        }
        let (verb, width) = utf8::decode(self.rest);
        self.advance(width);
        Some(verb)
    }
}

/// A decimal number at the beginning of `text` and the bytes that it takes. A number beyond all
/// bounds consumes the whole format, as Go's `parsenum` does.
fn read_number(text: &[u8]) -> (Option<usize>, usize) {
    let mut number = None;
    for (read, byte) in text.iter().enumerate() {
        if !byte.is_ascii_digit() {
            return (number, read);
        }
        let so_far = number.unwrap_or(0);
        if so_far > MOST {
            return (None, text.len());
        }
        number = Some(so_far * 10 + usize::from(byte - b'0'));
    }
    (number, text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_read_to_their_verbs() {
        for (format, verb, rest, takes_one, is_plain) in [
            ("s-%d", Some('s'), "-%d", true, true),
            ("-8.3f", Some('f'), "", true, false),
            ("é!", Some('é'), "!", true, true),
            ("*d", Some('d'), "", false, false),
            (".*f", Some('f'), "", false, false),
            ("[2]s", Some('s'), "", false, false),
            ("5-d", Some('-'), "d", true, false),
            ("", None, "", true, true),
            (".", Some('.'), "", true, true),
            ("99999999d", None, "", true, true),
        ] {
            let (directive, left) = Directive::read(format.as_bytes());
            assert_eq!(directive.verb, verb, "{format}");
            assert_eq!(left, rest.as_bytes(), "{format}");
            assert_eq!(directive.takes_one_argument(), takes_one, "{format}");
            assert_eq!(directive.is_plain(), is_plain, "{format}");
        }
    }
}
