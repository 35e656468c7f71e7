//! Go's package strconv: text to numbers and back, and quoted text, with Go's rules and error
//! words.
//!
//! Text is bytes, since a template's strings need not be UTF-8. Nothing here knows templates or
//! values.

mod float;
mod quote;

use std::fmt;

pub use float::{format_float, parse_float};
pub use quote::{
    Unquoted, can_backquote, quote, quote_rune, quote_rune_to_ascii, quote_to_ascii, unquote,
    unquote_char,
};

/// Why a text is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumErrorKind {
    /// Go's `ErrSyntax`.
    Syntax,
    /// Go's `ErrRange`.
    Range,
}

/// Go's `*strconv.NumError`: prints as `strconv.ParseInt: parsing "x": invalid syntax`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumError<'t> {
    /// The Go function that refused, such as `ParseInt`.
    pub function: &'static str,
    /// The text as given.
    pub text: &'t [u8],
    /// The kind of the error.
    pub kind: NumErrorKind,
}

impl fmt::Display for NumError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = quote(self.text);
        let problem = match self.kind {
            NumErrorKind::Syntax => "invalid syntax",
            NumErrorKind::Range => "value out of range",
        };
        let text = String::from_utf8_lossy(&quoted);
        write!(f, "strconv.{}: parsing {text}: {problem}", self.function)
    }
}

impl std::error::Error for NumError<'_> {}

impl NumErrorKind {
    fn of<'t>(self, function: &'static str, text: &'t [u8]) -> NumError<'t> {
        NumError {
            function,
            text,
            kind: self,
        }
    }
}

/// `strconv.ParseInt`. `base` is 2..=36, or 0 for the base of the text's prefix; `bits` is 1..=64.
pub fn parse_int(text: &[u8], base: u32, bits: u32) -> Result<i64, NumError<'_>> {
    signed(text, base, bits).map_err(|kind| kind.of("ParseInt", text))
}

/// `strconv.Atoi`: base 10, 64 bits, no underscores.
pub fn atoi(text: &[u8]) -> Result<i64, NumError<'_>> {
    signed(text, 10, 64).map_err(|kind| kind.of("Atoi", text))
}

/// `strconv.ParseUint`: no sign. `base` and `bits` as for [`parse_int`].
pub fn parse_uint(text: &[u8], base: u32, bits: u32) -> Result<u64, NumError<'_>> {
    unsigned(text, base, bits).map_err(|kind| kind.of("ParseUint", text))
}

/// `strconv.ParseBool`: `1 t T TRUE true True`, or `0 f F FALSE false False`.
pub fn parse_bool(text: &[u8]) -> Result<bool, NumError<'_>> {
    match text {
        b"1" | b"t" | b"T" | b"TRUE" | b"true" | b"True" => Ok(true),
        b"0" | b"f" | b"F" | b"FALSE" | b"false" | b"False" => Ok(false),
        _ => Err(NumErrorKind::Syntax.of("ParseBool", text)),
    }
}

fn signed(text: &[u8], base: u32, bits: u32) -> Result<i64, NumErrorKind> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let magnitude = unsigned(digits, base, bits)?;
    let limit = 1_u64 << (bits.clamp(1, 64) - 1);
    match negative {
        false if magnitude < limit => Ok(magnitude.cast_signed()),
        true if magnitude <= limit => Ok(magnitude.cast_signed().wrapping_neg()),
        _ => Err(NumErrorKind::Range),
    }
}

fn unsigned(text: &[u8], base: u32, bits: u32) -> Result<u64, NumErrorKind> {
    let (radix, digits) = if base == 0 {
        base_of(text)
    } else {
        (base, text)
    };
    if text.is_empty() {
        return Err(NumErrorKind::Syntax);
    }
    let limit = u64::MAX >> (64 - bits.clamp(1, 64));
    let mut number = 0_u64;
    for &byte in digits {
        if byte == b'_' && base == 0 {
            continue;
        }
        // A number too large is reported before a wrong digit further on, as in Go.
        let digit = digit_of(byte).filter(|digit| *digit < radix);
        let digit = digit.ok_or(NumErrorKind::Syntax)?;
        number = number
            .checked_mul(u64::from(radix))
            .and_then(|number| number.checked_add(u64::from(digit)))
            .filter(|number| *number <= limit)
            .ok_or(NumErrorKind::Range)?;
    }
    if base == 0 && digits.contains(&b'_') && !underscores_fit(text) {
        return Err(NumErrorKind::Syntax);
    }
    Ok(number)
}

/// The base that a prefix asks for, and the digits after it. A lone `0` is the octal prefix of no
/// digits.
fn base_of(text: &[u8]) -> (u32, &[u8]) {
    match text {
        [b'0', b'b' | b'B', digits @ ..] if !digits.is_empty() => (2, digits),
        [b'0', b'o' | b'O', digits @ ..] if !digits.is_empty() => (8, digits),
        [b'0', b'x' | b'X', digits @ ..] if !digits.is_empty() => (16, digits),
        [b'0', digits @ ..] => (8, digits),
        _ => (10, text),
    }
}

fn digit_of(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(36)
}

/// True if every underscore stands between two digits, or between a base prefix and a digit.
fn underscores_fit(text: &[u8]) -> bool {
    let text = match text {
        [b'-' | b'+', rest @ ..] => rest,
        _ => text,
    };
    let (hex, digits, prefixed) = match text {
        [b'0', b'x' | b'X', rest @ ..] => (true, rest, true),
        [b'0', b'b' | b'B' | b'o' | b'O', rest @ ..] => (false, rest, true),
        _ => (false, text, false),
    };
    let is_digit = |byte: u8| byte.is_ascii_digit() || hex && byte.is_ascii_hexdigit();
    let mut after_digit = prefixed;
    let mut bytes = digits.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let before_digit = bytes.peek().is_some_and(|next| is_digit(*next));
        if byte == b'_' && !(after_digit && before_digit) {
            return false;
        }
        after_digit = is_digit(byte);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_follow_go() {
        for (text, base, bits, want) in [
            ("0", 10, 64, Ok(0)),
            ("-0", 10, 64, Ok(0)),
            ("+5", 10, 64, Ok(5)),
            ("007", 10, 64, Ok(7)),
            ("017", 0, 64, Ok(15)),
            ("0x1F", 0, 64, Ok(31)),
            ("-0b101", 0, 64, Ok(-5)),
            ("0o17", 0, 64, Ok(15)),
            ("0", 0, 64, Ok(0)),
            ("1_000", 0, 64, Ok(1000)),
            ("0x_ff", 0, 64, Ok(255)),
            ("0_7", 0, 64, Ok(7)),
            ("9223372036854775807", 10, 64, Ok(i64::MAX)),
            ("-9223372036854775808", 10, 64, Ok(i64::MIN)),
            ("zz", 36, 64, Ok(1295)),
            ("127", 10, 8, Ok(127)),
            ("-128", 10, 8, Ok(-128)),
            ("128", 10, 8, Err(NumErrorKind::Range)),
            ("9223372036854775808", 10, 64, Err(NumErrorKind::Range)),
            ("99999999999999999999x", 10, 64, Err(NumErrorKind::Range)),
            ("", 10, 64, Err(NumErrorKind::Syntax)),
            ("-", 10, 64, Err(NumErrorKind::Syntax)),
            (" 5", 10, 64, Err(NumErrorKind::Syntax)),
            ("1_000", 10, 64, Err(NumErrorKind::Syntax)),
            ("1__0", 0, 64, Err(NumErrorKind::Syntax)),
            ("_1", 0, 64, Err(NumErrorKind::Syntax)),
            ("1_", 0, 64, Err(NumErrorKind::Syntax)),
            ("0x", 0, 64, Err(NumErrorKind::Syntax)),
            ("08", 0, 64, Err(NumErrorKind::Syntax)),
            ("1e3", 10, 64, Err(NumErrorKind::Syntax)),
        ] {
            let found = parse_int(text.as_bytes(), base, bits);
            assert_eq!(found.map_err(|error| error.kind), want, "{text:?}");
        }
    }

    #[test]
    fn unsigned_integers_take_no_sign() {
        assert_eq!(parse_uint(b"18446744073709551615", 0, 64), Ok(u64::MAX));
        for text in ["-1", "+1", "", "18446744073709551616"] {
            assert!(parse_uint(text.as_bytes(), 0, 64).is_err(), "{text:?}");
        }
    }

    #[test]
    fn errors_use_go_words() {
        let text = |error: NumError<'_>| error.to_string();
        assert_eq!(
            parse_int(b"a\"b\n", 10, 64).map_err(text),
            Err(r#"strconv.ParseInt: parsing "a\"b\n": invalid syntax"#.to_owned())
        );
        assert_eq!(
            atoi(b"99999999999999999999").map_err(text),
            Err(r#"strconv.Atoi: parsing "99999999999999999999": value out of range"#.to_owned())
        );
        assert_eq!(
            parse_bool(b"yes").map_err(text),
            Err(r#"strconv.ParseBool: parsing "yes": invalid syntax"#.to_owned())
        );
    }
}
