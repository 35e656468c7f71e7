//! Go's package unicode/utf8 for byte strings that may hold anything: invalid bytes count as one
//! U+FFFD each, where std's lossy conversion would fold several of them into one.

/// The character that stands for a byte that is not UTF-8.
pub const ERROR: char = char::REPLACEMENT_CHARACTER;

/// The first character and its width in bytes; `(U+FFFD, 1)` for an invalid byte, `(U+FFFD, 0)` for
/// no bytes.
pub fn decode(bytes: &[u8]) -> (char, usize) {
    let Some(&first) = bytes.first() else {
        return (ERROR, 0);
    };
    let width = match first {
        0..=0x7f => return (char::from(first), 1),
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return (ERROR, 1),
    };
    let found = bytes
        .get(..width)
        .and_then(|head| std::str::from_utf8(head).ok())
        .and_then(|text| text.chars().next());
    match found {
        Some(found) => (found, width),
        None => (ERROR, 1),
    }
}

/// The characters with their widths, invalid bytes one by one.
pub fn chars(mut bytes: &[u8]) -> impl Iterator<Item = (char, usize)> {
    std::iter::from_fn(move || {
        let (found, width) = decode(bytes);
        bytes = bytes.get(width..).unwrap_or_default();
        (width > 0).then_some((found, width))
    })
}

/// How many characters `bytes` holds, as `utf8.RuneCount` counts.
pub fn count(bytes: &[u8]) -> usize {
    if bytes.is_ascii() {
        bytes.len()
    } else {
        chars(bytes).count()
    }
}

/// The character of a number; U+FFFD for surrogates and what is beyond Unicode.
pub fn from_number(number: u64) -> char {
    u32::try_from(number)
        .ok()
        .and_then(char::from_u32)
        .unwrap_or(ERROR)
}

/// Appends a character's UTF-8.
pub fn push(out: &mut Vec<u8>, found: char) {
    out.extend_from_slice(found.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_bytes_count_one_by_one() {
        for (bytes, want) in [
            (&b""[..], vec![]),
            (b"a\xc3\xa9", vec![('a', 1), ('é', 2)]),
            (b"\xe4\xb8", vec![(ERROR, 1), (ERROR, 1)]),
            (b"\xed\xa0\x80", vec![(ERROR, 1), (ERROR, 1), (ERROR, 1)]),
            (b"\xc0\x80", vec![(ERROR, 1), (ERROR, 1)]),
            (b"\xf0\x9f\x98\x80x", vec![('😀', 4), ('x', 1)]),
            (b"\xef\xbf\xbd", vec![(ERROR, 3)]),
        ] {
            assert_eq!(chars(bytes).collect::<Vec<_>>(), want, "{bytes:?}");
            assert_eq!(count(bytes), want.len(), "{bytes:?}");
        }
    }
}
