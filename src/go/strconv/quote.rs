//! Go string and character literals: writing them (`Quote…`) and reading them (`Unquote…`).

use super::super::unicode::is_print;
use super::super::utf8;

/// `strconv.Quote`: a double-quoted literal; bytes that are not UTF-8 become `\xhh`.
pub fn quote(text: &[u8]) -> Vec<u8> {
    quote_with(text, '"', false)
}

/// `strconv.QuoteToASCII`: as [`quote`], with everything beyond ASCII escaped.
pub fn quote_to_ascii(text: &[u8]) -> Vec<u8> {
    quote_with(text, '"', true)
}

/// `strconv.QuoteRune`: a single-quoted literal.
pub fn quote_rune(found: char) -> Vec<u8> {
    quote_with(found.encode_utf8(&mut [0; 4]).as_bytes(), '\'', false)
}

/// `strconv.QuoteRuneToASCII`: as [`quote_rune`], with everything beyond ASCII escaped.
pub fn quote_rune_to_ascii(found: char) -> Vec<u8> {
    quote_with(found.encode_utf8(&mut [0; 4]).as_bytes(), '\'', true)
}

/// `strconv.CanBackquote`: whether a raw literal can hold the text on one line.
pub fn can_backquote(text: &[u8]) -> bool {
    utf8::chars(text).all(|(found, width)| match found {
        '\u{feff}' | '`' | '\x7f' => false,
        utf8::ERROR => width > 1,
        _ => found >= ' ' || found == '\t',
    })
}

fn quote_with(text: &[u8], quote: char, only_ascii: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    utf8::push(&mut out, quote);
    let mut rest = text;
    while let Some(&byte) = rest.first() {
        let (found, width) = utf8::decode(rest);
        rest = rest.get(width..).unwrap_or_default();
        if found == utf8::ERROR && width == 1 {
            push_hex(&mut out, 'x', 2, u32::from(byte));
        } else if found == quote || found == '\\' {
            out.push(b'\\');
            utf8::push(&mut out, found);
        } else if is_print(found) && (found.is_ascii() || !only_ascii) {
            utf8::push(&mut out, found);
        } else {
            push_escape(&mut out, found);
        }
    }
    utf8::push(&mut out, quote);
    out
}

fn push_escape(out: &mut Vec<u8>, found: char) {
    let letter = match found {
        '\x07' => b'a',
        '\x08' => b'b',
        '\x0c' => b'f',
        '\n' => b'n',
        '\r' => b'r',
        '\t' => b't',
        '\x0b' => b'v',
        '\0'..' ' | '\x7f' => return push_hex(out, 'x', 2, found.into()),
        '\0'..'\u{10000}' => return push_hex(out, 'u', 4, found.into()),
        _ => return push_hex(out, 'U', 8, found.into()),
    };
    out.extend([b'\\', letter]);
}

fn push_hex(out: &mut Vec<u8>, letter: char, places: usize, number: u32) {
    out.extend(format!("\\{letter}{number:0places$x}").bytes());
}

/// One character or byte of a literal, as `strconv.UnquoteChar` reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unquoted<'a> {
    /// The character's number, or the byte.
    pub value: u32,
    /// True if `value` stands for its UTF-8 and not for one byte.
    pub multibyte: bool,
    /// The rest of the text.
    pub rest: &'a [u8],
}

impl Unquoted<'_> {
    /// Appends what it stands for.
    fn push(&self, out: &mut Vec<u8>) {
        match u8::try_from(self.value) {
            Ok(byte) if !self.multibyte => out.push(byte),
            _ => utf8::push(out, utf8::from_number(self.value.into())),
        }
    }
}

/// `strconv.UnquoteChar`: the first character of a literal's inside; `quote` may only occur
/// escaped. None is Go's `ErrSyntax`.
pub fn unquote_char(text: &[u8], quote: u8) -> Option<Unquoted<'_>> {
    match text {
        [] => None,
        [byte, ..] if *byte == quote && matches!(quote, b'\'' | b'"') => None,
        [b'\\', letter, rest @ ..] => unquote_escape(*letter, rest, quote),
        [b'\\'] => None,
        [byte, rest @ ..] if byte.is_ascii() => Some(Unquoted {
            value: u32::from(*byte),
            multibyte: false,
            rest,
        }),
        _ => {
            let (found, width) = utf8::decode(text);
            Some(Unquoted {
                value: found.into(),
                multibyte: true,
                rest: text.get(width..)?,
            })
        }
    }
}

fn unquote_escape(letter: u8, rest: &[u8], quote: u8) -> Option<Unquoted<'_>> {
    let byte = |value: u8| Unquoted {
        value: u32::from(value),
        multibyte: false,
        rest,
    };
    match letter {
        b'a' => Some(byte(0x07)),
        b'b' => Some(byte(0x08)),
        b'f' => Some(byte(0x0c)),
        b'n' => Some(byte(b'\n')),
        b'r' => Some(byte(b'\r')),
        b't' => Some(byte(b'\t')),
        b'v' => Some(byte(0x0b)),
        b'\\' => Some(byte(b'\\')),
        b'\'' | b'"' if letter == quote => Some(byte(letter)),
        b'x' => unquote_hex(rest, 2, false),
        b'u' => unquote_hex(rest, 4, true),
        b'U' => unquote_hex(rest, 8, true),
        b'0'..=b'7' => unquote_octal(letter, rest),
        _ => None,
    }
}

fn unquote_hex(text: &[u8], places: usize, multibyte: bool) -> Option<Unquoted<'_>> {
    let (digits, rest) = text.split_at_checked(places)?;
    let mut value = 0_u32;
    for byte in digits {
        value = value << 4 | char::from(*byte).to_digit(16)?;
    }
    if multibyte {
        char::from_u32(value)?;
    }
    Some(Unquoted {
        value,
        multibyte,
        rest,
    })
}

fn unquote_octal(first: u8, text: &[u8]) -> Option<Unquoted<'_>> {
    let (digits, rest) = text.split_at_checked(2)?;
    let mut value = u32::from(first - b'0');
    for byte in digits {
        value = value << 3 | char::from(*byte).to_digit(8)?;
    }
    (value <= 255).then_some(Unquoted {
        value,
        multibyte: false,
        rest,
    })
}

/// `strconv.Unquote` for the two kinds of string literal, `"…"` and `` `…` ``, given with their
/// quotes: the text that it stands for. Bytes that are not UTF-8 come out as U+FFFD, as in Go. None
/// is Go's `ErrSyntax`.
pub fn unquote(literal: &[u8]) -> Option<Vec<u8>> {
    match literal {
        [b'`', inside @ .., b'`'] if inside.contains(&b'`') => None,
        [b'`', inside @ .., b'`'] => {
            let mut text = inside.to_vec();
            text.retain(|byte| *byte != b'\r');
            Some(text)
        }
        [b'"', inside @ .., b'"'] => unquote_inside(inside),
        _ => None,
    }
}

fn unquote_inside(mut inside: &[u8]) -> Option<Vec<u8>> {
    let is_plain = |byte: &u8| byte.is_ascii() && !matches!(byte, b'\\' | b'"' | b'\n');
    if inside.iter().all(is_plain) {
        return Some(inside.to_vec());
    }
    let mut out = Vec::with_capacity(inside.len());
    while let Some(&byte) = inside.first() {
        let found = unquote_char(inside, b'"').filter(|_| byte != b'\n')?;
        found.push(&mut out);
        inside = found.rest;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn quotes_as_go() {
        for (bytes, want, ascii) in [
            (&b""[..], r#""""#, r#""""#),
            (b"a\"b\\'", r#""a\"b\\'""#, r#""a\"b\\'""#),
            (
                b"\x07\x08\x0c\n\r\t\x0b\0\x7f",
                r#""\a\b\f\n\r\t\v\x00\x7f""#,
                r#""\a\b\f\n\r\t\v\x00\x7f""#,
            ),
            (
                "é中😀".as_bytes(),
                r#""é中😀""#,
                r#""\u00e9\u4e2d\U0001f600""#,
            ),
            (b"\xff\xe4\xb8", r#""\xff\xe4\xb8""#, r#""\xff\xe4\xb8""#),
            (
                "\u{2028}\u{a0}\u{ad}".as_bytes(),
                r#""\u2028\u00a0\u00ad""#,
                r#""\u2028\u00a0\u00ad""#,
            ),
            ("a\u{301}".as_bytes(), "\"a\u{301}\"", r#""a\u0301""#),
            (
                "\u{fffd}\u{e000}".as_bytes(),
                "\"\u{fffd}\\ue000\"",
                r#""\ufffd\ue000""#,
            ),
            (
                "\u{10ffff}\u{378}".as_bytes(),
                r#""\U0010ffff\u0378""#,
                r#""\U0010ffff\u0378""#,
            ),
        ] {
            assert_eq!(text(quote(bytes)), want);
            assert_eq!(text(quote_to_ascii(bytes)), ascii);
        }
        assert_eq!(text(quote_rune('\'')), r"'\''");
        assert_eq!(text(quote_rune('"')), r#"'"'"#);
        assert_eq!(text(quote_rune('\u{301}')), "'\u{301}'");
        assert_eq!(text(quote_rune_to_ascii('☺')), r"'\u263a'");
    }

    #[test]
    fn quoting_and_unquoting_are_inverse() {
        let all: Vec<u8> = (0..=255).chain("é中😀\u{2028}".bytes()).collect();
        assert_eq!(unquote(&quote(&all)).as_deref(), Some(&all[..]));
        assert_eq!(unquote(&quote_to_ascii(&all)).as_deref(), Some(&all[..]));
    }

    #[test]
    fn unquotes_as_go() {
        for (literal, want) in [
            (r#""a\tb""#, Some("a\tb")),
            (r#""\u4e2d\U0001F600\x41\101""#, Some("中😀AA")),
            (r#""it's""#, Some("it's")),
            ("`a\r\n\\n`", Some("a\n\\n")),
            (r#""\'""#, None),
            (r#""\x4""#, None),
            (r"'x'", None),
            (r#"""#, None),
            ("", None),
            (r#""a"#, None),
            ("\"a\nb\"", None),
            (r#""\ud800""#, None),
            (r#""\U00110000""#, None),
            (r#""\400""#, None),
            (r#""\8""#, None),
            (r#""a"b""#, None),
            ("`a`b`", None),
            ("xx", None),
        ] {
            let found = unquote(literal.as_bytes());
            assert_eq!(found.as_deref(), want.map(str::as_bytes), "{literal}");
        }
        let mixed = unquote(b"\"\\xff\xfe\"");
        assert_eq!(mixed.as_deref(), Some(&b"\xff\xef\xbf\xbd"[..]));
    }

    #[test]
    fn characters_keep_what_follows() {
        let found = unquote_char(br"\x41'", b'\'');
        assert_eq!(
            found,
            Some(Unquoted {
                value: 0x41,
                multibyte: false,
                rest: b"'"
            })
        );
    }

    #[test]
    fn raw_literals_hold_printable_lines() {
        for (text, want) in [
            ("a\tb\\", true),
            ("中", true),
            ("\u{2028}", true),
            ("`", false),
            ("\n", false),
            ("\x7f", false),
            ("\u{feff}", false),
        ] {
            assert_eq!(can_backquote(text.as_bytes()), want, "{text:?}");
        }
        assert!(!can_backquote(b"\xff"));
    }
}
