//! Numeric and character constants: a lexeme in, every Go type that can hold it out.

use super::lex::Kind;
use super::node::Number;
use super::problem::Problem;
use crate::go::strconv::{parse_float, parse_int, parse_uint, unquote_char};

/// 2⁶³ and 2⁶⁴, the first floats that do not fit.
const INT_END: f64 = 9_223_372_036_854_775_808.0;
const UINT_END: f64 = 18_446_744_073_709_551_616.0;

impl Number {
    /// Reads a constant of kind `CharConstant`, `Complex` or `Number`, by the rules of Go's
    /// `newNumber`.
    pub(super) fn parse(kind: Kind, text: &[u8]) -> Result<Number, Problem> {
        let mut number = match kind {
            Kind::CharConstant => parse_char(text)?,
            Kind::Complex => parse_complex(text)?,
            _ => parse_number(text)?,
        };
        number.looks_float = kind != Kind::CharConstant
            && !is_hex_int(text)
            && text.iter().any(|byte| b".eEpP".contains(byte));
        Ok(number)
    }

    fn from_complex(real: f64, imaginary: f64) -> Number {
        let mut number = if imaginary == 0.0 {
            Number::from_float(real)
        } else {
            Number::default()
        };
        number.complex = Some((real, imaginary));
        number
    }

    fn from_float(float: f64) -> Number {
        let whole = float.trunc() == float;
        let fits_int = whole && (-INT_END..INT_END).contains(&float);
        let fits_uint = whole && (0.0..UINT_END).contains(&float);
        Number {
            int: fits_int.then_some(float as i64),
            uint: fits_uint.then_some(float as u64),
            float: Some(float),
            ..Number::default()
        }
    }
}

fn parse_char(text: &[u8]) -> Result<Number, Problem> {
    let inside = text.get(1..).unwrap_or_default();
    let found = unquote_char(inside, b'\'').ok_or(Problem::InvalidSyntax)?;
    if found.rest != b"'" {
        return Err(Problem::MalformedChar(text.to_vec()));
    }
    Ok(Number {
        int: Some(found.value.into()),
        uint: Some(found.value.into()),
        float: Some(found.value.into()),
        ..Number::default()
    })
}

/// `1+2i`, as `fmt.Sscan` reads it: two floats, the second with its sign.
fn parse_complex(text: &[u8]) -> Result<Number, Problem> {
    let (real, imaginary) = text.split_at(real_len(text));
    let Some((b'i', imaginary)) = imaginary.split_last() else {
        return Err(Problem::BadComplex);
    };
    // Go takes an `i` without digits for the beginning of `inf`.
    if !matches!(imaginary, [b'+' | b'-', _, ..]) {
        return Err(Problem::BadComplex);
    }
    let part = |text| parse_float(text).map_err(|error| Problem::BadComplexPart(error.to_string()));
    let (real, imaginary) = (part(real)?, part(imaginary)?);
    Ok(Number::from_complex(real, imaginary))
}

/// Up to where the real part reaches: to the sign that is neither the first byte nor an exponent's.
fn real_len(text: &[u8]) -> usize {
    let digits = text.iter().position(|byte| !b"+-".contains(byte));
    let hex =
        digits.is_some_and(|start| matches!(text.get(start..), Some([b'0', b'x' | b'X', ..])));
    let exponent: &[u8] = if hex { b"pP" } else { b"eE" };
    let ends = |at: &usize| match (text[at - 1], text[*at]) {
        (before, b'+' | b'-') => !exponent.contains(&before),
        (_, b'i') => true,
        _ => false,
    };
    (1..text.len()).find(ends).unwrap_or(text.len())
}

fn parse_number(text: &[u8]) -> Result<Number, Problem> {
    if let Some((b'i', real)) = text.split_last()
        && let Ok(imaginary) = parse_float(real)
    {
        return Ok(Number::from_complex(0.0, imaginary));
    }
    let int = parse_int(text, 0, 64).ok();
    // Go reads -0 as unsigned too.
    let uint = parse_uint(text, 0, 64)
        .ok()
        .or((int == Some(0)).then_some(0));
    if int.is_some() || uint.is_some() {
        let float = int.map(|int| int as f64).or(uint.map(|uint| uint as f64));
        return Ok(Number {
            int,
            uint,
            float,
            ..Number::default()
        });
    }
    let Ok(float) = parse_float(text) else {
        return Err(Problem::IllegalNumber(text.to_vec()));
    };
    if !text.iter().any(|byte| b".eEpP".contains(byte)) {
        return Err(Problem::IntegerOverflow(text.to_vec()));
    }
    Ok(Number::from_float(float))
}

fn is_hex_int(text: &[u8]) -> bool {
    matches!(text, [b'0', b'x' | b'X', _, ..]) && !text.iter().any(|byte| b"pP".contains(byte))
}
