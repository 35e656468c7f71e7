//! Functions from strings to strings: Go's package strings, and what confd's other lines add.
//!
//! A string is bytes, usually UTF-8; bytes that are not stay unchanged, except where Go puts
//! U+FFFD.

use std::rc::Rc;

use base64::prelude::{BASE64_STANDARD, Engine};
use sha2::{Digest, Sha256};

use super::data;
use crate::go::hex;
use crate::go::path;
use crate::go::strconv;
use crate::go::unicode;
use crate::go::utf8;
use crate::template::value::Str;
use crate::template::{Budget, CallError, Value};

/// `path.Base`
pub(super) fn base(text: &Str) -> Value {
    as_text(text, |text| path::base(text).to_owned())
}

/// `path.Dir`
pub(super) fn dir(text: &Str) -> Value {
    as_text(text, path::dir)
}

/// Applies an operation on `/` and `.` to bytes that may not be UTF-8, one character a byte if need
/// be.
fn as_text(bytes: &Str, operation: fn(&str) -> String) -> Value {
    match std::str::from_utf8(bytes.as_bytes()) {
        Ok(text) => Value::text(operation(text)),
        Err(_) => {
            let wide: String = bytes
                .as_bytes()
                .iter()
                .map(|byte| char::from(*byte))
                .collect();
            let narrow = operation(&wide);
            let bytes = narrow.chars().filter_map(|found| u8::try_from(found).ok());
            Value::text(bytes.collect::<Vec<u8>>())
        }
    }
}

/// `strings.Split`; without a separator, into characters.
pub(super) fn split(text: &Str, separator: &Str, budget: &mut Budget) -> Result<Value, CallError> {
    let text = text.as_bytes();
    let mut parts: Vec<Str> = Vec::new();
    let mut add = |part: &[u8]| {
        budget.spend_steps(1)?;
        budget.spend_bytes(part.len() + 2 * size_of::<Str>())?;
        parts.push(part.into());
        Ok::<(), CallError>(())
    };
    let mut start = 0;
    if separator.as_bytes().is_empty() {
        for (_, width) in utf8::chars(text) {
            add(&text[start..start + width])?;
            start += width;
        }
    } else {
        for found in occurrences(text, separator.as_bytes()) {
            add(&text[start..found])?;
            start = found + separator.as_bytes().len();
        }
        add(&text[start..])?;
    }
    Ok(Value::Strings(parts.into()))
}

/// `strings.Join`
pub(super) fn join(
    parts: &Rc<[Str]>,
    separator: &Str,
    budget: &mut Budget,
) -> Result<Value, CallError> {
    let text: usize = parts.iter().map(|part| part.as_bytes().len()).sum();
    let separators = separator.as_bytes().len().saturating_mul(parts.len());
    budget.spend_bytes(text.saturating_add(separators))?;
    let mut out = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(separator.as_bytes());
        }
        out.extend_from_slice(part.as_bytes());
    }
    Ok(Value::text(out))
}

/// `strings.Replace`: the first `limit` occurrences, all when it is negative. An empty `old` is
/// found before every character and at the end.
pub(super) fn replace(
    text: &Str,
    old: &Str,
    new: &Str,
    limit: i64,
    budget: &mut Budget,
) -> Result<Value, CallError> {
    let (text, old, new) = (text.as_bytes(), old.as_bytes(), new.as_bytes());
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    budget.spend_bytes(text.len())?;
    let (mut out, mut start) = (Vec::new(), 0);
    for place in places(text, old).take(limit) {
        budget.spend_bytes(new.len())?;
        out.extend_from_slice(&text[start..place]);
        out.extend_from_slice(new);
        start = place + old.len();
    }
    out.extend_from_slice(&text[start..]);
    Ok(Value::text(out))
}

/// The places of `old` in `text`; an empty one is before every character and at the end.
fn places<'t>(text: &'t [u8], old: &'t [u8]) -> Box<dyn Iterator<Item = usize> + 't> {
    if !old.is_empty() {
        return Box::new(occurrences(text, old));
    }
    let ends = utf8::chars(text).scan(0, |place, (_, width)| {
        *place += width;
        Some(*place)
    });
    Box::new(std::iter::once(0).chain(ends))
}

/// `strings.Contains`
pub(super) fn contains(text: &Str, part: &Str) -> bool {
    part.as_bytes().is_empty()
        || occurrences(text.as_bytes(), part.as_bytes())
            .next()
            .is_some()
}

/// Where `part`, which is not empty, stands in `text`, without overlaps: Knuth, Morris and Pratt's
/// search, since bytes have none in std and a naive one can be made quadratic.
fn occurrences<'t>(text: &'t [u8], part: &'t [u8]) -> impl Iterator<Item = usize> + 't {
    // For every length matched so far, the length that still matches when the next byte does not.
    let mut fallback = vec![0_usize; part.len()];
    let mut matched = 0;
    for index in 1..part.len() {
        while matched > 0 && part[index] != part[matched] {
            matched = fallback[matched - 1];
        }
        matched += usize::from(part[index] == part[matched]);
        fallback[index] = matched;
    }
    let mut matched = 0;
    text.iter().enumerate().filter_map(move |(index, byte)| {
        while matched > 0 && part[matched] != *byte {
            matched = fallback[matched - 1];
        }
        matched += usize::from(part[matched] == *byte);
        let found = (matched == part.len()).then(|| index + 1 - matched);
        if found.is_some() {
            matched = 0;
        }
        found
    })
}

/// `strings.ToUpper`
pub(super) fn upper(text: &Str, budget: &mut Budget) -> Result<Value, CallError> {
    mapped(text, unicode::upper, budget)
}

/// `strings.ToLower`
pub(super) fn lower(text: &Str, budget: &mut Budget) -> Result<Value, CallError> {
    mapped(text, unicode::lower, budget)
}

/// `strings.Map`: bytes that are not UTF-8 become U+FFFD.
fn mapped(text: &Str, map: fn(char) -> char, budget: &mut Budget) -> Result<Value, CallError> {
    let mut out = Vec::new();
    for (found, _) in utf8::chars(text.as_bytes()) {
        let before = out.len();
        utf8::push(&mut out, map(found));
        budget.spend_bytes(out.len() - before)?;
    }
    Ok(Value::text(out))
}

/// Text that has been made, charged.
fn made(out: Vec<u8>, budget: &mut Budget) -> Result<Value, CallError> {
    budget.spend_bytes(out.len())?;
    Ok(Value::text(out))
}

/// `trimPrefix`
pub(super) fn trim_prefix(text: &Str, prefix: &Str) -> Value {
    let bytes = text.as_bytes();
    Value::text(bytes.strip_prefix(prefix.as_bytes()).unwrap_or(bytes))
}

/// `trimSuffix`
pub(super) fn trim_suffix(text: &Str, suffix: &Str) -> Value {
    let bytes = text.as_bytes();
    Value::text(bytes.strip_suffix(suffix.as_bytes()).unwrap_or(bytes))
}

/// `repeat`; nothing for a negative count.
pub(super) fn repeat(count: i64, text: &Str, budget: &mut Budget) -> Result<Value, CallError> {
    let count = match usize::try_from(count.max(0)) {
        Ok(count) => count,
        Err(_) => usize::MAX,
    };
    budget.spend_bytes(text.as_bytes().len().saturating_mul(count))?;
    Ok(Value::text(text.as_bytes().repeat(
        if text.as_bytes().is_empty() { 0 } else { count },
    )))
}

/// `nospace`: without any blanks. Each byte that is not UTF-8 becomes U+FFFD, as in Go's `Map`.
pub(super) fn no_space(text: &Str, budget: &mut Budget) -> Result<Value, CallError> {
    let found = utf8::chars(text.as_bytes()).map(|(found, _)| found);
    let out: String = found.filter(|found| !found.is_whitespace()).collect();
    made(out.into_bytes(), budget)
}

/// `indent`: spaces before every line; `nindent`: after a newline of its own. The empty string
/// stays empty.
pub(super) fn indent(
    count: i64,
    text: &Str,
    newline: bool,
    budget: &mut Budget,
) -> Result<Value, CallError> {
    let text = text.as_bytes();
    if text.is_empty() {
        return Ok(Value::text(""));
    }
    let width = usize::try_from(count).unwrap_or(0);
    let lines = 1 + text.iter().filter(|byte| **byte == b'\n').count();
    budget.spend_bytes(width.saturating_mul(lines).saturating_add(text.len() + 1))?;
    let mut out = Vec::new();
    if newline {
        out.push(b'\n');
    }
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        out.extend(std::iter::repeat_n(b' ', width));
        out.extend_from_slice(line);
    }
    if text.ends_with(b"\n") {
        // What follows the last newline is a line, too.
        out.extend(std::iter::repeat_n(b' ', width));
    }
    Ok(Value::text(out))
}

/// `quote`: as `%q`.
pub(super) fn quote(text: &Str, budget: &mut Budget) -> Result<Value, CallError> {
    made(strconv::quote(text.as_bytes()), budget)
}

/// `squote`: in single quotes, those inside doubled.
pub(super) fn single_quote(text: &Str, budget: &mut Budget) -> Result<Value, CallError> {
    let mut out = vec![b'\''];
    for byte in text.as_bytes() {
        out.push(*byte);
        if *byte == b'\'' {
            out.push(b'\'');
        }
    }
    out.push(b'\'');
    made(out, budget)
}

/// `sha256sum`: in hexadecimal.
pub(super) fn sha256(text: &Str) -> Value {
    Value::text(hex::encode(&Sha256::digest(text.as_bytes())))
}

/// The separator of words, and how each begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// `snake_case`
    Snake,
    /// `camelCase`
    Camel,
    /// `kebab-case`
    Kebab,
}

/// `snakecase`, `camelcase`, `kebabcase`, from any of them: words end at `_`, `-`, U+0020, and
/// before a capital that begins a word (`HTTPServer` is `http_server`). Other white space stays.
pub(super) fn change_case(text: &Str, case: Case, budget: &mut Budget) -> Result<Value, CallError> {
    let text = text.to_text();
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    for (index, word) in words(&text).into_iter().enumerate() {
        match case {
            Case::Snake if index > 0 => out.push('_'),
            Case::Kebab if index > 0 => out.push('-'),
            _ => {}
        }
        let mut letters = word.chars();
        if let (Case::Camel, true) = (case, index > 0) {
            out.extend(letters.next().map(unicode::lower).map(unicode::upper));
        }
        out.extend(letters.map(unicode::lower));
    }
    made(out.into_bytes(), budget)
}

fn words(text: &str) -> Vec<&str> {
    let (mut words, mut start) = (Vec::new(), 0);
    let mut before = None;
    let mut rest = text.char_indices().peekable();
    while let Some((place, found)) = rest.next() {
        let separator = matches!(found, '_' | '-' | ' ');
        let next_is_lower = rest
            .peek()
            .is_some_and(|(_, next)| unicode::is_lower(*next));
        let begins = unicode::is_upper(found)
            && before.is_some_and(|before| !unicode::is_upper(before) || next_is_lower);
        if separator || begins {
            words.extend(text.get(start..place).filter(|word| !word.is_empty()));
            start = if separator {
                place + found.len_utf8()
            } else {
                place
            };
        }
        before = (!separator).then_some(found);
    }
    words.extend(text.get(start..).filter(|word| !word.is_empty()));
    words
}

/// `base64Encode`
pub(super) fn base64_encode(value: &Value, budget: &mut Budget) -> Result<Value, CallError> {
    let text = text_for_base64(value)?;
    budget.spend_bytes(text.as_bytes().len().div_ceil(3).saturating_mul(4))?;
    Ok(Value::text(BASE64_STANDARD.encode(text.as_bytes())))
}

/// `base64Decode`: line breaks do not count, padding must be there.
pub(super) fn base64_decode(value: &Value, budget: &mut Budget) -> Result<Value, CallError> {
    let out = decode_base64(text_for_base64(value)?.as_bytes())
        .map_err(|place| CallError::failed(format!("illegal base64 data at input byte {place}")))?;
    made(out, budget)
}

fn text_for_base64(value: &Value) -> Result<&Str, CallError> {
    match value {
        Value::Str(text) => Ok(text),
        other => Err(CallError::failed(format!(
            "unsupported type {}",
            data::kind(other)
        ))),
    }
}

/// The bytes, or where Go says that they go wrong.
fn decode_base64(text: &[u8]) -> Result<Vec<u8>, usize> {
    let mut rest = text
        .iter()
        .enumerate()
        .filter(|(_, byte)| !matches!(byte, b'\r' | b'\n'));
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut group, mut count) = (0_u32, 0);
    while let Some((place, byte)) = rest.next() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' if count >= 2 => {
                out.extend_from_slice(&(group << (32 - 6 * count)).to_be_bytes()[..count - 1]);
                return padding(count, text.len(), rest).map(|()| out);
            }
            _ => return Err(place),
        };
        group = (group << 6) | u32::from(digit);
        count += 1;
        if count == 4 {
            out.extend_from_slice(&group.to_be_bytes()[1..]);
            (group, count) = (0, 0);
        }
    }
    // Go counts from the end, by digits.
    if count == 0 {
        Ok(out)
    } else {
        Err(text.len() - count)
    }
}

/// The rest of the padding after the first `=`: another one after two digits, and nothing more.
fn padding<'t>(
    digits: usize,
    end: usize,
    mut rest: impl Iterator<Item = (usize, &'t u8)>,
) -> Result<(), usize> {
    if digits == 2 {
        match rest.next() {
            None => return Err(end),
            Some((_, b'=')) => {}
            Some((next, _)) => return Err(next - 1),
        }
    }
    rest.next().map_or(Ok(()), |(next, _)| Err(next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Limit;

    fn budget() -> Budget {
        Budget::default()
    }

    fn shown(result: Result<Value, CallError>) -> String {
        match result {
            Ok(Value::Str(text)) => text.to_text().into_owned(),
            Ok(Value::Strings(parts)) => {
                let parts: Vec<_> = parts.iter().map(Str::to_text).collect();
                parts.join("|")
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn split_join_replace() {
        for (text, separator, want) in [
            ("a,b,c", ",", "a|b|c"),
            ("", ",", ""),
            ("aXXb", "XX", "a|b"),
            ("aaa", "aa", "|a"),
            ("中a", "", "中|a"),
            ("", "", ""),
        ] {
            assert_eq!(
                shown(split(&text.into(), &separator.into(), &mut budget())),
                want
            );
        }
        assert!(
            matches!(split(&"".into(), &"".into(), &mut budget()), Ok(Value::Strings(parts)) if parts.is_empty())
        );
        for (text, old, new, limit, want) in [
            ("a,b,c", ",", ";", 1, "a;b,c"),
            ("a,b,c", "", "x", -1, "xax,xbx,xcx"),
            ("中b", "", "x", 2, "x中xb"),
            ("aaa", "aa", "b", -1, "ba"),
            ("ababac", "abac", "-", -1, "ab-"),
            ("abc", "b", "x", 0, "abc"),
        ] {
            assert_eq!(
                shown(replace(
                    &text.into(),
                    &old.into(),
                    &new.into(),
                    limit,
                    &mut budget()
                )),
                want
            );
        }
        let parts: Rc<[Str]> = ["a".into(), "".into(), "b".into()].into();
        assert_eq!(shown(join(&parts, &"-".into(), &mut budget())), "a--b");
        assert!(contains(&"ababac".into(), &"abac".into()) && contains(&"".into(), &"".into()));
        assert!(!contains(&"ab".into(), &"ba".into()) && !contains(&"".into(), &"a".into()));
    }

    #[test]
    fn letters_change_one_by_one() {
        for (text, up, down) in [
            ("aÉß", "AÉß", "aéß"),
            ("ŉǰᾀᾳ", "ŉǰᾈᾼ", "ŉǰᾀᾳ"),
            ("İΣ", "İΣ", "iσ"),
            ("ǆ中", "Ǆ中", "ǆ中"),
        ] {
            assert_eq!(shown(upper(&text.into(), &mut budget())), up);
            assert_eq!(shown(lower(&text.into(), &mut budget())), down);
        }
        assert_eq!(
            shown(upper(&b"a\xff"[..].into(), &mut budget())),
            "A\u{fffd}"
        );
    }

    #[test]
    fn paths_of_any_bytes() {
        let Value::Str(found) = dir(&b"a\xff//b"[..].into()) else {
            panic!()
        };
        assert_eq!(found.as_bytes(), b"a\xff");
    }

    #[test]
    fn cases() {
        for (text, snake, camel) in [
            ("maxClients", "max_clients", "maxClients"),
            ("HTTPServer2Go", "http_server2_go", "httpServer2Go"),
            ("  some-Text_here ", "some_text_here", "someTextHere"),
            ("ID", "id", "id"),
            ("", "", ""),
            ("éCole", "é_cole", "éCole"),
            ("a\tb\nc d", "a\tb\nc_d", "a\tb\ncD"),
            ("a\u{3000}b c", "a\u{3000}b_c", "a\u{3000}bC"),
            ("A\u{a0}B", "a\u{a0}_b", "a\u{a0}B"),
            ("a_İ", "a_i", "aI"),
        ] {
            assert_eq!(
                shown(change_case(&text.into(), Case::Snake, &mut budget())),
                snake
            );
            assert_eq!(
                shown(change_case(&text.into(), Case::Camel, &mut budget())),
                camel
            );
            assert_eq!(
                shown(change_case(&text.into(), Case::Kebab, &mut budget())),
                snake.replace('_', "-")
            );
        }
    }

    #[test]
    fn small_ones() {
        let text = |result: Value| shown(Ok(result));
        assert_eq!(text(trim_prefix(&"abab".into(), &"ab".into())), "ab");
        assert_eq!(text(trim_suffix(&"a.cfg".into(), &".cfg".into())), "a");
        assert_eq!(text(trim_suffix(&"a".into(), &"x".into())), "a");
        assert_eq!(
            shown(no_space(&" a\t中\u{a0}b\n".into(), &mut budget())),
            "a中b"
        );
        let invalid = b" a\xff b"[..].into();
        assert_eq!(shown(no_space(&invalid, &mut budget())), "a\u{fffd}b");
        assert_eq!(
            shown(indent(2, &"a\n\nb".into(), false, &mut budget())),
            "  a\n  \n  b"
        );
        assert_eq!(
            shown(indent(2, &"a\n".into(), true, &mut budget())),
            "\n  a\n  "
        );
        assert_eq!(shown(quote(&"a\"b\n".into(), &mut budget())), r#""a\"b\n""#);
        assert_eq!(
            shown(single_quote(&"it's".into(), &mut budget())),
            "'it''s'"
        );
        assert_eq!(shown(repeat(3, &"ab".into(), &mut budget())), "ababab");
        assert_eq!(shown(repeat(-1, &"ab".into(), &mut budget())), "");
        assert_eq!(shown(indent(2, &"".into(), false, &mut budget())), "");
        assert_eq!(shown(indent(2, &"".into(), true, &mut budget())), "");
        assert!(text(sha256(&"abc".into())).starts_with("ba7816bf8f01cfea"));
    }

    #[test]
    fn what_would_be_huge_is_refused_before_it_is_made() {
        let huge = |result: Result<Value, CallError>| result.err() == Some(Limit::Bytes.into());
        assert!(huge(repeat(i64::MAX, &"ab".into(), &mut budget())));
        assert!(huge(indent(i64::MAX, &"a\nb".into(), false, &mut budget())));
        let text: Str = "a".repeat(1 << 20).into();
        assert!(huge(replace(&text, &"a".into(), &text, -1, &mut budget())));
        assert!(matches!(
            repeat(i64::MAX, &"".into(), &mut budget()),
            Ok(Value::Str(_))
        ));
    }

    #[test]
    fn base64_is_gos() {
        for (text, want) in [
            ("", ""),
            ("aGVsbG8=", "hello"),
            ("aGVs\nbG8\r\n=", "hello"),
            ("YQ=\n=", "a"),
            ("YR==", "a"),
            ("+/+/", "\u{fffd}\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(
                shown(base64_decode(&Value::text(text), &mut budget())),
                want,
                "{text}"
            );
        }
        for (text, place) in [
            ("a*b", 1),
            ("=", 0),
            ("Y=", 1),
            ("YQ", 0),
            ("YWJjYQ", 4),
            ("YQ=", 3),
            ("YQ=x", 2),
            ("YQ==x", 4),
            ("YWI=YQ", 4),
            ("Y Q=", 1),
        ] {
            let want = CallError::failed(format!("illegal base64 data at input byte {place}"));
            assert_eq!(
                base64_decode(&Value::text(text), &mut budget()).err(),
                Some(want),
                "{text}"
            );
        }
        assert_eq!(
            base64_encode(&Value::Nil, &mut budget()).err(),
            Some(CallError::failed("unsupported type invalid".to_owned()))
        );
        assert_eq!(
            shown(base64_encode(&Value::text("中,文"), &mut budget())),
            "5LitLOaWhw=="
        );
    }
}
