//! `ParseFloat` and `FormatFloat`, 64 bits: text to float and back, with Go's syntax and shapes.
//!
//! The hard part, correct rounding between decimal and binary, is std's; the syntax and the layout
//! are Go's.

use std::borrow::Cow;

use super::{NumError, NumErrorKind, underscores_fit};

/// `strconv.ParseFloat(text, 64)`: decimal, hexadecimal (`0x1p-2`), underscores between digits, and
/// `inf`, `infinity`, `nan` in any case; infinity from a finite text is a range error.
pub fn parse_float(text: &[u8]) -> Result<f64, NumError<'_>> {
    parse(text).map_err(|kind| kind.of("ParseFloat", text))
}

fn parse(text: &[u8]) -> Result<f64, NumErrorKind> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if text.contains(&b'_') && !underscores_fit(text) {
        return Err(NumErrorKind::Syntax);
    }
    let magnitude = if is_any_of(rest, &["inf", "infinity"]) {
        f64::INFINITY
    } else if is_any_of(text, &["nan"]) {
        return Ok(f64::NAN);
    } else if let [b'0', b'x' | b'X', digits @ ..] = rest {
        parse_hex(digits)?
    } else {
        parse_decimal(rest)?
    };
    Ok(if negative { -magnitude } else { magnitude })
}

fn is_any_of(text: &[u8], words: &[&str]) -> bool {
    words
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word.as_bytes()))
}

/// Digits with at most one point, then perhaps an exponent, are std's syntax too; signs and words
/// were dealt with.
fn parse_decimal(text: &[u8]) -> Result<f64, NumErrorKind> {
    let mut plain = Cow::Borrowed(text);
    if text.contains(&b'_') {
        plain.to_mut().retain(|byte| *byte != b'_');
    }
    if !plain
        .first()
        .is_some_and(|byte| byte.is_ascii_digit() || *byte == b'.')
    {
        return Err(NumErrorKind::Syntax);
    }
    let number = std::str::from_utf8(&plain)
        .ok()
        .and_then(|text| text.parse::<f64>().ok());
    match number {
        None => Err(NumErrorKind::Syntax),
        Some(number) if number.is_infinite() => Err(NumErrorKind::Range),
        Some(number) => Ok(number),
    }
}

/// `MANTISSApEXPONENT` after the `0x`: the mantissa in hexadecimal, the exponent of two in decimal
/// and required.
fn parse_hex(text: &[u8]) -> Result<f64, NumErrorKind> {
    let split = text.iter().position(|byte| matches!(byte, b'p' | b'P'));
    let (mantissa, exponent) = text.split_at(split.ok_or(NumErrorKind::Syntax)?);
    let exponent = parse_exponent(exponent.get(1..).unwrap_or_default())?;
    let (bits, scale) = read_hex_mantissa(mantissa)?;
    scale_by_two(bits, scale.saturating_add(exponent))
}

fn parse_exponent(text: &[u8]) -> Result<i64, NumErrorKind> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if !digits.first().is_some_and(u8::is_ascii_digit) {
        return Err(NumErrorKind::Syntax);
    }
    let mut number = 0_i64;
    for byte in digits.iter().filter(|byte| **byte != b'_') {
        if !byte.is_ascii_digit() {
            return Err(NumErrorKind::Syntax);
        }
        // Far beyond what a float holds, further digits make no difference.
        if number < 10_000 {
            number = number * 10 + i64::from(byte - b'0');
        }
    }
    Ok(if negative { -number } else { number })
}

/// At least the first 60 bits of the mantissa, the last one set if anything follows; and the power
/// of two it counts in.
fn read_hex_mantissa(text: &[u8]) -> Result<(u64, i64), NumErrorKind> {
    let (mut bits, mut scale) = (0_u64, 0_i64);
    let (mut digits, mut point) = (false, false);
    for &byte in text {
        match char::from(byte).to_digit(16) {
            Some(digit) => {
                digits = true;
                if bits >> 60 == 0 {
                    bits = bits << 4 | u64::from(digit);
                    scale -= if point { 4 } else { 0 };
                } else {
                    bits |= u64::from(digit != 0);
                    scale += if point { 0 } else { 4 };
                }
            }
            None if byte == b'.' && !point => point = true,
            None if byte == b'_' => {}
            None => return Err(NumErrorKind::Syntax),
        }
    }
    if digits {
        Ok((bits, scale))
    } else {
        Err(NumErrorKind::Syntax)
    }
}

/// `bits * 2^exponent`, rounded once, half to even; the lowest bit of `bits` stands for all that
/// was cut off.
fn scale_by_two(bits: u64, exponent: i64) -> Result<f64, NumErrorKind> {
    if bits == 0 {
        return Ok(0.0);
    }
    let top = 63 - i64::from(bits.leading_zeros());
    // The unit of the result's last place: 52 places below the top bit, but never below the
    // smallest float.
    let unit = (top + exponent - 52).max(-1074);
    let rounded = match unit - exponent {
        down @ 1..=63 => round_half_even(bits, down.unsigned_abs()),
        down if down > 63 => 0,
        up => bits << up.unsigned_abs().min(63),
    };
    if top + exponent > 1023 || rounded >> 53 != 0 && top + exponent == 1023 {
        return Err(NumErrorKind::Range);
    }
    if rounded == 0 {
        return Ok(0.0);
    }
    // Carrying into the exponent when the mantissa overflows is exactly what rounding up means.
    let fraction = rounded & !(1 << 52);
    let biased = if rounded >> 52 == 0 { 0 } else { unit + 1075 };
    if rounded >> 53 != 0 {
        return Ok(f64::from_bits(((biased + 1) as u64) << 52));
    }
    Ok(f64::from_bits((biased as u64) << 52 | fraction))
}

fn round_half_even(bits: u64, down: u64) -> u64 {
    let kept = bits >> down;
    let (rest, half) = (bits & ((1 << down) - 1), 1 << (down - 1));
    kept + u64::from(rest > half || rest == half && kept & 1 == 1)
}

/// More digits than the longest float has (767), so anything beyond is zeros.
const MOST_DIGITS: usize = 1100;

/// A float's decimal digits: 0.d1d2d3… times 10^point, without trailing zeros; none for zero.
struct Digits {
    digits: Vec<u8>,
    point: i32,
}

/// `strconv.FormatFloat(number, verb, precision, 64)`: verb is one of `eEfgGbxX`, precision `None`
/// is Go's -1, the fewest digits that read back as the same float. The caller bounds the precision.
pub fn format_float(number: f64, verb: u8, precision: Option<usize>) -> Vec<u8> {
    if number.is_nan() {
        return b"NaN".to_vec();
    }
    if number.is_infinite() {
        let text = if number > 0.0 { "+Inf" } else { "-Inf" };
        return text.into();
    }
    let mut out = Vec::new();
    if number.is_sign_negative() {
        out.push(b'-');
    }
    let number = number.abs();
    match verb {
        b'b' => format_b(&mut out, number),
        b'x' | b'X' => format_x(&mut out, number, verb, precision),
        b'e' | b'E' => format_e(&mut out, number, verb, precision),
        b'f' => format_f(&mut out, number, precision),
        b'g' | b'G' => format_g(&mut out, number, verb, precision),
        _ => return vec![b'%', verb],
    }
    out
}

/// The fewest digits that read back as the same float. Of two that are equally near, Go takes the
/// even one, std the larger.
fn shortest(number: f64) -> String {
    let text = format!("{number:e}");
    let digits = text.bytes().take_while(|byte| *byte != b'e');
    let places = digits.filter(u8::is_ascii_digit).count();
    let even = format!("{number:.*e}", places.saturating_sub(1));
    if even != text && even.parse() == Ok(number) {
        even
    } else {
        text
    }
}

impl Digits {
    /// `places` significant digits (at least one), or as many as it takes.
    fn of(number: f64, places: Option<usize>) -> Digits {
        let text = match places {
            Some(places) => format!("{number:.*e}", places.clamp(1, MOST_DIGITS) - 1),
            None => shortest(number),
        };
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let mut digits = mantissa.as_bytes().to_vec();
        digits.retain(u8::is_ascii_digit);
        let used = digits.iter().rposition(|digit| *digit != b'0');
        digits.truncate(used.map_or(0, |last| last + 1));
        let exponent = super::atoi(exponent.as_bytes()).unwrap_or(0) as i32;
        let point = if digits.is_empty() { 0 } else { exponent + 1 };
        Digits { digits, point }
    }

    fn digit(&self, place: usize) -> u8 {
        self.digits.get(place).copied().unwrap_or(b'0')
    }

    fn count(&self) -> i32 {
        i32::try_from(self.digits.len()).unwrap_or(i32::MAX)
    }

    /// `d.dddde±dd` with `places` digits after the point.
    fn push_e(&self, out: &mut Vec<u8>, verb: u8, places: usize) {
        out.push(self.digit(0));
        if places > 0 {
            out.push(b'.');
            push_padded(out, self.digits.get(1..).unwrap_or_default(), places);
        }
        out.push(verb);
        let exponent = if self.digits.is_empty() {
            0
        } else {
            self.point - 1
        };
        push_exponent(out, exponent);
    }

    /// `ddd.ddd` with `places` digits after the point.
    fn push_f(&self, out: &mut Vec<u8>, places: usize) {
        let whole = usize::try_from(self.point).unwrap_or(0);
        if whole == 0 {
            out.push(b'0');
        }
        push_padded(out, &self.digits, whole);
        if places == 0 {
            return;
        }
        out.push(b'.');
        let zeros = usize::try_from(-self.point).unwrap_or(0).min(places);
        push_padded(out, &[], zeros);
        let rest = self.digits.get(whole..).unwrap_or_default();
        push_padded(out, rest, places - zeros);
    }
}

/// Exactly `places` digits: those given, cut off or filled up with zeros.
fn push_padded(out: &mut Vec<u8>, digits: &[u8], places: usize) {
    let known = digits.get(..places).unwrap_or(digits);
    out.extend_from_slice(known);
    out.resize(out.len() + places - known.len(), b'0');
}

/// Sign and at least two digits.
fn push_exponent(out: &mut Vec<u8>, exponent: i32) {
    let sign = if exponent < 0 { '-' } else { '+' };
    out.extend(format!("{sign}{:02}", exponent.unsigned_abs()).bytes());
}

fn format_e(out: &mut Vec<u8>, number: f64, verb: u8, precision: Option<usize>) {
    let digits = Digits::of(number, precision.map(|places| places.saturating_add(1)));
    let places = precision.unwrap_or(digits.digits.len().saturating_sub(1));
    digits.push_e(out, verb, places);
}

fn format_f(out: &mut Vec<u8>, number: f64, precision: Option<usize>) {
    match precision {
        None => {
            let digits = Digits::of(number, None);
            let places = usize::try_from(digits.count() - digits.point).unwrap_or(0);
            digits.push_f(out, places);
        }
        Some(places) => {
            let known = places.min(MOST_DIGITS);
            out.extend(format!("{number:.known$}").bytes());
            out.resize(out.len() + places - known, b'0');
        }
    }
}

/// `%e` for large and small exponents, `%f` between, without trailing zeros in both.
fn format_g(out: &mut Vec<u8>, number: f64, verb: u8, precision: Option<usize>) {
    let digits = Digits::of(number, precision);
    let exponent = digits.point - 1;
    // From which exponent on `%e` takes over: the precision, but not for the sake of zeros that are
    // not printed.
    let count = digits.count();
    let bound = match precision.map(|places| i32::try_from(places.max(1)).unwrap_or(i32::MAX)) {
        None => 6,
        Some(places) if places > count && count >= digits.point => count,
        Some(places) => places,
    };
    if exponent < -4 || exponent >= bound {
        let e = if verb == b'G' { b'E' } else { b'e' };
        digits.push_e(out, e, digits.digits.len().saturating_sub(1));
    } else {
        let places = usize::try_from(digits.count() - digits.point).unwrap_or(0);
        digits.push_f(out, places);
    }
}

/// The mantissa as an integer and the power of two that it counts in.
fn split_float(number: f64) -> (u64, i32) {
    let bits = number.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    match (bits >> 52) & 0x7ff {
        0 => (fraction, -1074),
        exponent => (fraction | 1 << 52, exponent as i32 - 1075),
    }
}

/// `MANTISSAp±EXPONENT`, both decimal.
fn format_b(out: &mut Vec<u8>, number: f64) {
    let (mantissa, exponent) = split_float(number);
    out.extend(format!("{mantissa}p{exponent:+}").bytes());
}

/// `0x1.hhhp±dd`.
fn format_x(out: &mut Vec<u8>, number: f64, verb: u8, precision: Option<usize>) {
    let (mut mantissa, mut exponent) = split_float(number);
    if mantissa == 0 {
        exponent = 0;
    } else {
        // The leading one goes to bit 60, so that 15 hexadecimal digits follow it.
        let shift = mantissa.leading_zeros() - 3;
        mantissa <<= shift;
        exponent += 60 - shift as i32;
    }
    if let Some(places @ 0..15) = precision {
        let cut = 60 - 4 * places as u64;
        mantissa = round_half_even(mantissa, cut) << cut;
        if mantissa >> 61 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let whole = mantissa >> 60;
    let fraction = format!("{:015x}", mantissa & ((1 << 60) - 1));
    let start = out.len();
    out.extend(format!("0x{whole}").bytes());
    let places = precision.unwrap_or(fraction.trim_end_matches('0').len());
    if places > 0 {
        out.push(b'.');
        push_padded(out, fraction.as_bytes(), places);
    }
    out.push(b'p');
    push_exponent(out, exponent);
    if verb == b'X' {
        out.iter_mut()
            .skip(start)
            .for_each(|byte| byte.make_ascii_uppercase());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_parse_as_in_go() {
        let syntax = Err(NumErrorKind::Syntax);
        let range = Err(NumErrorKind::Range);
        for (text, want) in [
            ("0", Ok(0.0)),
            ("-0", Ok(-0.0)),
            ("+5", Ok(5.0)),
            (".5", Ok(0.5)),
            ("5.", Ok(5.0)),
            ("1e3", Ok(1000.0)),
            ("1E-2", Ok(0.01)),
            ("1_23.50_0_0e+1_2", Ok(1.235e14)),
            ("INF", Ok(f64::INFINITY)),
            ("-Infinity", Ok(f64::NEG_INFINITY)),
            ("0x10p0", Ok(16.0)),
            ("0x1.8p1", Ok(3.0)),
            ("-0x.8P+2", Ok(-2.0)),
            ("0x_1_0p0", Ok(16.0)),
            ("0x1p-1074", Ok(5e-324)),
            ("0x1p-1075", Ok(0.0)),
            ("0x1.8p-1075", Ok(5e-324)),
            ("0x0p99999", Ok(0.0)),
            ("0x1.fffffffffffffp1023", Ok(f64::MAX)),
            ("0x1.fffffffffffff7p1023", Ok(f64::MAX)),
            ("0x1.fffffffffffff8p1023", range),
            ("0x1.00000000000008p0", Ok(1.0)),
            (
                "0x1.000000000000080000000000000001p0",
                Ok(1.0 + f64::EPSILON),
            ),
            ("0x1.fffffffffffff8p0", Ok(2.0)),
            ("0x0.fffffffffffff8p-1022", Ok(f64::MIN_POSITIVE)),
            ("0x100000000000000000000p-80", Ok(1.0)),
            ("0x1p1024", range),
            ("1e309", range),
            ("-1e400", range),
            ("1e_400", syntax),
            ("1e-400", Ok(0.0)),
            ("0x10", syntax),
            ("0xp1", syntax),
            ("0x", syntax),
            ("0x1p", syntax),
            ("", syntax),
            (".", syntax),
            ("e5", syntax),
            ("1e", syntax),
            ("1e+", syntax),
            ("1.2.3", syntax),
            ("--1", syntax),
            ("+-1", syntax),
            ("+nan", syntax),
            ("infin", syntax),
            (" 5", syntax),
            ("5 ", syntax),
            ("_1", syntax),
            ("1_", syntax),
            ("1__0", syntax),
            ("1._5", syntax),
            ("1e_5", syntax),
        ] {
            let found = parse_float(text.as_bytes()).map_err(|error| error.kind);
            assert_eq!(found.map(f64::to_bits), want.map(f64::to_bits), "{text:?}");
        }
        assert!(parse_float(b"nAn").is_ok_and(f64::is_nan));
    }

    #[test]
    fn hexadecimal_text_reads_back() {
        for number in [
            1.0,
            0.1,
            5e-324,
            f64::MAX,
            f64::MIN_POSITIVE,
            1e21,
            2.5e-310,
        ] {
            let text = format_float(number, b'x', None);
            assert_eq!(parse_float(&text), Ok(number), "{number:e}");
        }
    }

    #[test]
    fn floats_print_as_in_go() {
        for (number, verb, precision, want) in [
            (1.0, 'e', Some(5), "1.00000e+00"),
            (1.0, 'f', Some(5), "1.00000"),
            (1.0, 'g', Some(5), "1"),
            (1.0, 'g', None, "1"),
            (1.0, 'x', None, "0x1p+00"),
            (1.0, 'x', Some(5), "0x1.00000p+00"),
            (20.0, 'g', None, "20"),
            (1234567.8, 'g', None, "1.2345678e+06"),
            (200000.0, 'g', None, "200000"),
            (2000000.0, 'g', None, "2e+06"),
            (400.0, 'g', Some(2), "4e+02"),
            (40.0, 'g', Some(2), "40"),
            (0.0, 'e', Some(4), "0.0000e+00"),
            (0.0, 'e', None, "0e+00"),
            (0.0, 'f', Some(0), "0"),
            (0.0, 'g', Some(3), "0"),
            (0.0, 'b', None, "0p-1074"),
            (0.0, 'x', None, "0x0p+00"),
            (-0.0, 'g', None, "-0"),
            (-1.0, 'e', None, "-1e+00"),
            (12.0, 'x', None, "0x1.8p+03"),
            (400.0, 'f', None, "400"),
            (1e21, 'f', None, "1000000000000000000000"),
            (1e-7, 'f', None, "0.0000001"),
            (123.45, 'f', None, "123.45"),
            (0.05, 'f', Some(1), "0.1"),
            (0.5, 'f', Some(0), "0"),
            (217_990_407_738_357.62, 'g', None, "2.1799040773835762e+14"),
            (
                217_990_407_738_357.0 + 0.625,
                'f',
                None,
                "217990407738357.62",
            ),
            (
                217_990_407_738_357.0 + 0.375,
                'f',
                None,
                "217990407738357.38",
            ),
            (
                123_456_789_012_345.0 + 0.125,
                'e',
                None,
                "1.2345678901234512e+14",
            ),
            (5e-324, 'e', None, "5e-324"),
            (2.5, 'f', Some(0), "2"),
            (2.5, 'e', Some(0), "2e+00"),
            (1.1, 'x', Some(0), "0x1p+00"),
            (1.9, 'x', Some(0), "0x1p+01"),
            (5e-324, 'g', None, "5e-324"),
            (5e-324, 'x', None, "0x1p-1074"),
            (1e300, 'g', Some(400), ""),
            (1e100, 'G', None, "1E+100"),
            (100_000_000.0, 'x', Some(2), "0x1.7dp+26"),
            (1e21, 'X', None, "0X1.B1AE4D6E2EF5P+69"),
            (3.0, 'b', None, "6755399441055744p-51"),
            (4.0, 'y', None, "%y"),
            (f64::NAN, 'f', Some(3), "NaN"),
            (f64::NEG_INFINITY, 'f', Some(3), "-Inf"),
        ] {
            let found = format_float(number, verb as u8, precision);
            let found = String::from_utf8_lossy(&found).into_owned();
            if want.is_empty() {
                assert_eq!(found.len(), 301, "{found}");
            } else {
                assert_eq!(found, want, "{number:e} {verb} {precision:?}");
            }
        }
    }

    #[test]
    fn large_precision_is_zeros() {
        let text = format_float(0.5, b'f', Some(100_000));
        assert_eq!(text.len(), 100_002);
        assert!(text.starts_with(b"0.5000") && text.ends_with(b"000"));
        assert_eq!(format_float(5e-324, b'e', Some(100_000)).len(), 100_007);
        assert_eq!(format_float(1.5, b'x', Some(70_000)).len(), 70_008);
    }
}
