//! Go's `path/filepath.Match` patterns: `*` and `?` stop at `/`, `[a-z]` and `[^a-z]` are classes,
//! `\` takes the next character unchanged.
//!
//! Matching follows Go's algorithm, not only its documentation: a part between stars takes the
//! first place where it fits, and a class (but nothing else) matches a `/` too.

/// A pattern with a syntax error, Go's `ErrBadPattern`. Go reads a pattern while it matches, so
/// that only a name that matches everything before the error finds it: see
/// [`BadPattern::is_reached`].
#[derive(Clone, Debug)]
pub struct BadPattern {
    /// The part that could be read: whole parts between stars.
    before: Pattern,
}

impl std::fmt::Display for BadPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("syntax error in pattern")
    }
}

/// A pattern that has been read.
#[derive(Clone, Debug)]
pub struct Pattern {
    chunks: Vec<Chunk>,
}

/// The part of a pattern between two stars.
#[derive(Clone, Debug, Default)]
struct Chunk {
    /// True if any text without a `/` may come first.
    star: bool,
    items: Vec<Item>,
}

#[derive(Clone, Debug)]
enum Item {
    Byte(u8),
    /// `?`
    Any,
    /// `[...]`
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Pattern {
    /// Parses a whole pattern.
    pub fn parse(pattern: &str) -> Result<Pattern, BadPattern> {
        let mut chunks = Vec::new();
        let mut rest = pattern;
        while !rest.is_empty() {
            let after_stars = rest.trim_start_matches('*');
            let mut chunk = Chunk {
                star: after_stars.len() < rest.len(),
                items: Vec::new(),
            };
            rest = after_stars;
            while !rest.is_empty() && !rest.starts_with('*') {
                let Some(after) = parse_item(rest, &mut chunk.items) else {
                    let before = Pattern { chunks };
                    return Err(BadPattern { before });
                };
                rest = after;
            }
            chunks.push(chunk);
        }
        Ok(Pattern { chunks })
    }

    /// True if the pattern matches the whole of `name`.
    pub fn matches(&self, name: &str) -> bool {
        let mut name = name.as_bytes();
        for (index, chunk) in self.chunks.iter().enumerate() {
            let last = index + 1 == self.chunks.len();
            if last && chunk.star && chunk.items.is_empty() {
                return !name.contains(&b'/');
            }
            match chunk.find(name, last) {
                Some(rest) => name = rest,
                None => return false,
            }
        }
        name.is_empty()
    }
}

impl BadPattern {
    /// True if Go finds the error when it matches `name`.
    pub fn is_reached(&self, mut name: &[u8]) -> bool {
        self.before.chunks.iter().all(|chunk| {
            let rest = chunk.find(name, false);
            name = rest.unwrap_or(name);
            rest.is_some()
        })
    }
}

/// Parses one item at the head of `pattern`; returns what follows, nothing when the item is
/// malformed.
fn parse_item<'p>(pattern: &'p str, items: &mut Vec<Item>) -> Option<&'p str> {
    let mut rest = pattern.chars();
    match rest.next() {
        Some('[') => return parse_class(rest.as_str(), items),
        Some('?') => items.push(Item::Any),
        Some('\\') => push_char(rest.next()?, items),
        Some(plain) => push_char(plain, items),
        None => {}
    }
    Some(rest.as_str())
}

fn push_char(character: char, items: &mut Vec<Item>) {
    let mut buffer = [0; 4];
    let bytes = character.encode_utf8(&mut buffer).bytes();
    items.extend(bytes.map(Item::Byte));
}

fn parse_class<'p>(pattern: &'p str, items: &mut Vec<Item>) -> Option<&'p str> {
    let (negated, mut rest) = match pattern.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    let mut ranges = Vec::new();
    loop {
        if let (Some(after), false) = (rest.strip_prefix(']'), ranges.is_empty()) {
            items.push(Item::Class { negated, ranges });
            return Some(after);
        }
        let (low, after) = class_char(rest)?;
        let (high, after) = match after.strip_prefix('-') {
            Some(after) => class_char(after)?,
            None => (low, after),
        };
        ranges.push((low, high));
        rest = after;
    }
}

/// Parses one end of a range; something must follow it.
fn class_char(pattern: &str) -> Option<(char, &str)> {
    let mut rest = pattern.chars();
    let first = match rest.next() {
        None | Some('-' | ']') => return None,
        Some('\\') => rest.next()?,
        Some(plain) => plain,
    };
    let after = rest.as_str();
    (!after.is_empty()).then_some((first, after))
}

impl Chunk {
    /// The rest of `name` behind this chunk; nothing when it does not match. The last chunk must
    /// leave no rest.
    fn find<'n>(&self, name: &'n [u8], last: bool) -> Option<&'n [u8]> {
        let fits = |rest: &&[u8]| !last || rest.is_empty();
        if let Some(rest) = self.take(name).filter(fits) {
            return Some(rest);
        }
        let in_segment = name.iter().take_while(|&&byte| byte != b'/').count();
        let skippable = if self.star { in_segment } else { 0 };
        (1..=skippable)
            .filter_map(|skipped| name.get(skipped..))
            .find_map(|tail| self.take(tail).filter(fits))
    }

    /// The rest of `name` when the chunk matches at its head.
    fn take<'n>(&self, mut name: &'n [u8]) -> Option<&'n [u8]> {
        for item in &self.items {
            let (&first, after) = name.split_first()?;
            name = match item {
                Item::Byte(byte) if *byte == first => after,
                Item::Byte(_) => return None,
                Item::Any if first == b'/' => return None,
                Item::Any => after_char(name).1,
                Item::Class { negated, ranges } => {
                    let (found, after) = after_char(name);
                    if in_ranges(found, ranges) == *negated {
                        return None;
                    }
                    after
                }
            };
        }
        Some(name)
    }
}

fn in_ranges(character: char, ranges: &[(char, char)]) -> bool {
    ranges
        .iter()
        .any(|&(low, high)| (low..=high).contains(&character))
}

/// The first character and what follows; a byte in the middle of a character counts as U+FFFD, as
/// in Go.
fn after_char(name: &[u8]) -> (char, &[u8]) {
    let length = match name.first() {
        Some(0xC0..=0xDF) => 2,
        Some(0xE0..=0xEF) => 3,
        Some(0xF0..=0xFF) => 4,
        _ => 1,
    };
    let head = name
        .get(..length)
        .and_then(|head| std::str::from_utf8(head).ok());
    match head.and_then(|head| head.chars().next()) {
        Some(found) => (found, &name[length..]),
        None => (
            char::REPLACEMENT_CHARACTER,
            name.get(1..).unwrap_or_default(),
        ),
    }
}

impl Pattern {
    /// The text that every match begins with.
    pub(crate) fn head(&self) -> String {
        let literal = |item: &Item| match item {
            Item::Byte(byte) => Some(*byte),
            _ => None,
        };
        let items = match self.chunks.first() {
            Some(chunk) if !chunk.star => chunk.items.as_slice(),
            _ => &[],
        };
        let bytes: Vec<u8> = items.iter().map_while(literal).collect();
        // Literals come from whole characters of the pattern.
        String::from_utf8(bytes).unwrap_or_default()
    }

    /// The only text that matches, when there is but one.
    pub(crate) fn literal(&self) -> Option<String> {
        let is_byte = |item: &Item| matches!(item, Item::Byte(_));
        let is_literal = |chunk: &Chunk| !chunk.star && chunk.items.iter().all(is_byte);
        self.chunks.iter().all(is_literal).then(|| self.head())
    }

    /// One pattern for each name between slashes; none when a class matches slashes too.
    pub(crate) fn segments(&self) -> Option<Vec<Pattern>> {
        let mut names = vec![Pattern { chunks: Vec::new() }];
        for chunk in &self.chunks {
            let mut open = Chunk {
                star: chunk.star,
                items: Vec::new(),
            };
            for item in &chunk.items {
                match item {
                    Item::Byte(b'/') => {
                        add_chunk(&mut names, std::mem::take(&mut open));
                        names.push(Pattern { chunks: Vec::new() });
                    }
                    Item::Class { negated, ranges } if in_ranges('/', ranges) != *negated => {
                        return None;
                    }
                    item => open.items.push(item.clone()),
                }
            }
            add_chunk(&mut names, open);
        }
        Some(names)
    }
}

fn add_chunk(names: &mut [Pattern], chunk: Chunk) {
    if let (Some(name), true) = (names.last_mut(), chunk.star || !chunk.items.is_empty()) {
        name.chunks.push(chunk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_filepath_match() {
        for (pattern, name, want) in [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*c", "abc", true),
            ("a*", "ab/c", false),
            ("a*/b", "abc/b", true),
            ("a*/b", "a/c/b", false),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", false),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("a*b?c*x", "abxbbxdbxebxczzy", false),
            ("ab[c]", "abc", true),
            ("ab[e-g]", "abc", false),
            ("ab[^c]", "abc", false),
            ("ab[^e-g]", "abc", true),
            ("a\\*b", "a*b", true),
            ("a?b", "a☺b", true),
            ("a[^a]b", "a☺b", true),
            ("a???b", "a☺b", false),
            ("[a-ζ]*", "α", true),
            ("*[a-ζ]", "A", false),
            ("a?b", "a/b", false),
            ("a*b", "a/b", false),
            ("a[^x]b", "a/b", true),
            ("[\\]a]", "]", true),
            ("[\\-x]", "x", true),
            ("*x", "xxx", true),
            ("*", "", true),
            ("", "", true),
            ("?", "", false),
            ("*?", "中", true),
            // Go: the class takes the `x` and is not tried again for the slash.
            ("*[^a]*b", "x/yb", false),
        ] {
            let read = Pattern::parse(pattern).expect(pattern);
            assert_eq!(read.matches(name), want, "{pattern} {name}");
        }
    }

    #[test]
    fn bad_patterns() {
        for pattern in [
            "[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[", "[^", "[^bc", "a[", "a[b", "\\", "a*[",
            "[a-", "[\\", "*x*[",
        ] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn errors_are_found_by_names_that_reach_them() {
        for (pattern, name, want) in [
            ("[", "", true),
            ("[", "a", true),
            ("a[", "b", true),
            ("a*[", "b", false),
            ("a*[", "a", true),
            ("a*[", "ab/c", true),
            ("/q*[", "/a", false),
            ("/q*[", "/q/x", true),
            ("/a/*/b*[-]", "/a/x/c", false),
            ("/a/*/b*[-]", "/a/x/bc", true),
            ("/a/*/b*\\", "/a/x/y/b", false),
            ("*?*[", "", false),
            ("*?*[", "中", true),
        ] {
            let bad = Pattern::parse(pattern).expect_err(pattern);
            assert_eq!(bad.is_reached(name.as_bytes()), want, "{pattern} {name}");
        }
    }
}
