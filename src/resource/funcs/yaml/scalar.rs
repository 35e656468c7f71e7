//! The quotes that a YAML string needs, the order of keys, and the escapes: yaml.v2's rules for
//! one scalar.

use std::borrow::Cow;

use base64::prelude::{BASE64_STANDARD, Engine};

use crate::go::strconv;
use crate::go::unicode;
use crate::go::utf8;
use crate::template::value::Str;
use crate::template::{Budget, CallError};

/// The style in which a string is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    /// `|` and lines.
    Literal,
}

/// A string, and the style that it would have if its characters allow it.
pub(super) struct Scalar<'t> {
    pub(super) text: Cow<'t, str>,
    /// `!!binary` for what is not UTF-8.
    pub(super) tag: Option<&'static str>,
    pub(super) style: Style,
}

impl Scalar<'_> {
    pub(super) fn new(bytes: &[u8]) -> Scalar<'_> {
        let (text, tag) = match std::str::from_utf8(bytes) {
            Ok(text) => (Cow::Borrowed(text), None),
            Err(_) => (Cow::Owned(binary(bytes)), Some("!!binary")),
        };
        let style = if tag.is_none() && (reads_otherwise(&text) || is_base60(&text)) {
            Style::Double
        } else if text.contains('\n') {
            Style::Literal
        } else {
            Style::Plain
        };
        Scalar { text, tag, style }
    }
}

/// Base64 in lines of 70.
fn binary(bytes: &[u8]) -> String {
    let encoded = BASE64_STANDARD.encode(bytes);
    if encoded.len() < 70 {
        return encoded;
    }
    let mut lines = String::with_capacity(encoded.len() + encoded.len() / 70 + 1);
    for (index, byte) in encoded.chars().enumerate() {
        lines.push(byte);
        if index % 70 == 69 || index + 1 == encoded.len() {
            lines.push('\n');
        }
    }
    lines
}

/// True if a plain string would be read as something other than a string: a bool, null, a number.
/// (yaml.v2 forgets `<<`, the merge key.)
fn reads_otherwise(text: &str) -> bool {
    match text.as_bytes() {
        [] => true,
        [
            b'~' | b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O',
            ..,
        ] => is_word(text),
        [b'.', ..] => {
            is_infinity(text) || is_nan(text) || strconv::parse_float(text.as_bytes()).is_ok()
        }
        [b'+' | b'-', ..] => is_infinity(&text[1..]) || is_number(text),
        [b'0'..=b'9', ..] => is_number(text),
        _ => false,
    }
}

fn is_word(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let known = matches!(
        lower.as_str(),
        "y" | "yes" | "true" | "on" | "n" | "no" | "false" | "off" | "~" | "null"
    );
    // In one case throughout, or with a capital.
    let rest = text.get(1..).unwrap_or_default();
    let is_lower = |c: char| c.is_ascii_lowercase();
    known && (rest.chars().all(is_lower) || !text.contains(is_lower))
}

fn is_nan(text: &str) -> bool {
    matches!(text, ".nan" | ".NaN" | ".NAN")
}

fn is_infinity(text: &str) -> bool {
    matches!(text, ".inf" | ".Inf" | ".INF")
}

/// An integer in any base that Go reads, or a decimal float with a sign in its exponent.
fn is_number(text: &str) -> bool {
    let plain = text.replace('_', "");
    let bytes = plain.as_bytes();
    let binary = |digits: &str| strconv::parse_int(digits.as_bytes(), 2, 64).is_ok();
    strconv::parse_int(bytes, 0, 64).is_ok()
        || strconv::parse_uint(bytes, 0, 64).is_ok()
        || (looks_float(&plain) && strconv::parse_float(bytes).is_ok())
        || plain.strip_prefix("0b").is_some_and(|digits| {
            binary(digits) || strconv::parse_uint(digits.as_bytes(), 2, 64).is_ok()
        })
        || plain.strip_prefix("-0b").is_some_and(binary)
}

/// `[-+]?[0-9]*\.?[0-9]+([eE][-+][0-9]+)?`
fn looks_float(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.strip_prefix(['-', '+'])),
        None => (text, Some("0")),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or(("", mantissa));
    (whole.is_empty() || digits(whole)) && digits(fraction) && exponent.is_some_and(digits)
}

/// `1:30` and the like, `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`: numbers to older parsers.
fn is_base60(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digit_or_line = |byte: u8| byte.is_ascii_digit() || byte == b'_';
    let (text, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or_default();
    let first_fits =
        first.starts_with(|c: char| c.is_ascii_digit()) && first.bytes().all(digit_or_line);
    let part_fits =
        |part: &str| matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9']);
    text.contains(':') && first_fits && parts.all(part_fits) && fraction.bytes().all(digit_or_line)
}

/// The properties of a string that rule out a style.
#[derive(Debug, Default)]
pub(super) struct Analysis {
    empty: bool,
    indicators: bool,
    line_breaks: bool,
    special_characters: bool,
    leading_blank: bool,
    trailing_space: bool,
    trailing_break: bool,
    break_space: bool,
    space_break: bool,
}

impl Analysis {
    pub(super) fn of(text: &str) -> Analysis {
        let mut found = Analysis {
            empty: text.is_empty(),
            indicators: text.starts_with("---") || text.starts_with("..."),
            ..Analysis::default()
        };
        let (mut before, mut rest) = (None, text.chars().peekable());
        while let Some(character) = rest.next() {
            found.character(before, character, rest.peek().copied());
            before = Some(character);
        }
        found
    }

    fn character(&mut self, before: Option<char>, found: char, after: Option<char>) {
        let is_blank = |c: char| matches!(c, ' ' | '\t');
        let followed = after.is_none_or(is_blank);
        let preceded = before.is_none_or(|c| is_blank(c) || is_break(c) || c == '\0');
        self.indicators |= match (before, found) {
            (
                None,
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
                | '@' | '`',
            ) => true,
            (None, '?' | '-') | (_, ':') => followed,
            (Some(_), '#') => preceded,
            _ => false,
        };
        self.special_characters |= !is_printable(found);
        if found == ' ' {
            self.leading_blank |= before.is_none();
            self.trailing_space |= after.is_none();
            self.break_space |= before.is_some_and(is_break);
        } else if is_break(found) {
            self.line_breaks = true;
            self.leading_blank |= before.is_none();
            self.trailing_break |= after.is_none();
            self.space_break |= before == Some(' ');
        }
    }

    /// The wanted style, or the nearest one that the string allows.
    pub(super) fn allowed(&self, wanted: Style, simple_key: bool) -> Style {
        let special = self.space_break || self.special_characters;
        let no_plain = special
            || self.break_space
            || self.line_breaks
            || self.indicators
            || self.leading_blank
            || self.trailing_space
            || self.trailing_break
            || (self.empty && simple_key);
        let no_single = special || self.break_space || (simple_key && self.line_breaks);
        let no_literal = special || self.empty || self.trailing_space || simple_key;
        match wanted {
            Style::Plain | Style::Single if no_single => Style::Double,
            Style::Plain if no_plain => Style::Single,
            Style::Literal if no_literal => Style::Double,
            style => style,
        }
    }
}

/// The bytes of a key that fits on one line; nothing for one with line breaks.
pub(super) fn length_on_one_line(key: &Str) -> Option<usize> {
    let scalar = Scalar::new(key.as_bytes());
    let tag = scalar.tag.map_or(0, str::len);
    (!scalar.text.contains(is_break)).then_some(scalar.text.len() + tag)
}

pub(super) fn is_break(character: char) -> bool {
    matches!(character, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// The characters that yaml.v2 prints unchanged: no tab, no byte order mark, nothing beyond U+FFFD.
fn is_printable(character: char) -> bool {
    matches!(character, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && character != '\u{feff}'
}

/// The escape of a character that cannot stand in double quotes itself.
pub(super) fn escaped(character: char) -> Option<String> {
    if is_printable(character) && !is_break(character) && !matches!(character, '"' | '\\') {
        None
    } else {
        Some(escape(character))
    }
}

/// The escape of any character in double quotes.
pub(super) fn escape(character: char) -> String {
    let short = match character {
        '\0' => '0',
        '\x07' => 'a',
        '\x08' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\x0b' => 'v',
        '\x0c' => 'f',
        '\r' => 'r',
        '\x1b' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => {
            return match u32::from(character) {
                code @ 0..=0xff => format!("\\x{code:02X}"),
                code @ 0x100..=0xffff => format!("\\u{code:04X}"),
                code => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{short}")
}

/// Keys in yaml.v2's natural order: numbers inside of keys by their value.
///
/// Its comparison is no consistent order (`a10` < `a1b` < `a2` < `a10`), which std's sort may
/// refuse.
pub(super) fn sorted<'k>(
    mut keys: Vec<&'k Str>,
    budget: &mut Budget,
) -> Result<Vec<&'k Str>, CallError> {
    let mut width = 1;
    while width < keys.len() {
        let mut merged = Vec::with_capacity(keys.len());
        for pair in keys.chunks(width * 2) {
            budget.spend_steps(pair.len() as u64)?;
            let (mut left, mut right) = pair.split_at(width.min(pair.len()));
            while let ([one, after_one @ ..], [two, after_two @ ..]) = (left, right) {
                if is_less(two, one) {
                    merged.push(*two);
                    right = after_two;
                } else {
                    merged.push(*one);
                    left = after_one;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        keys = merged;
        width *= 2;
    }
    Ok(keys)
}

fn is_less(one: &Str, two: &Str) -> bool {
    let chars = |key: &Str| -> Vec<char> {
        let all = utf8::chars(key.as_bytes());
        all.map(|(found, _)| found).collect()
    };
    let (one, two) = (chars(one), chars(two));
    let Some(place) = one.iter().zip(&two).position(|(a, b)| a != b) else {
        return one.len() < two.len();
    };
    let (a, b) = (one[place], two[place]);
    match (unicode::is_letter(a), unicode::is_letter(b)) {
        (true, true) => a < b,
        (false, false) => {
            let (a_value, a_digits) = number(&one[place..]);
            let (b_value, b_digits) = number(&two[place..]);
            (a_value, a_digits, a) < (b_value, b_digits, b)
        }
        (_, letter) => letter,
    }
}

/// The number at the head of a string, and its digits. yaml.v2 takes every digit's distance from
/// `0` for its value.
fn number(text: &[char]) -> (i64, usize) {
    let digits = text.iter().take_while(|c| unicode::is_digit(**c));
    digits.fold((0_i64, 0), |(value, count), digit| {
        let digit = i64::from(u32::from(*digit)) - i64::from(u32::from('0'));
        (value.wrapping_mul(10).wrapping_add(digit), count + 1)
    })
}
