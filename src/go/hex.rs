//! Go's encoding/hex: bytes as lower-case hexadecimal digits.

/// Returns two digits for each byte, as Go's `hex.EncodeToString`.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(digit.into(), 16));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_two_digits() {
        assert_eq!(encode(b"\x00\x0f\xf0\xff"), "000ff0ff");
    }
}
