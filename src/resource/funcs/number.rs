//! Arithmetic and comparison: the original's `add` to `le`, which take numbers, numeric strings and
//! a few things more.
//!
//! Two rules decide which strings are numbers, as in the original: arithmetic, `eq` and `ne` read a
//! string with a `.` as a float and others as decimal integers; `lt` and its kin read whatever is a
//! float (`1e3`, `inf`).

use std::rc::Rc;

use crate::go::strconv::{self, NumError, NumErrorKind};
use crate::template::value::Str;
use crate::template::{Budget, CallError, Value};

/// The operators of [`arithmetic`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Sub,
    Mul,
    Div,
}

#[derive(Clone, Copy)]
enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    fn as_float(self) -> f64 {
        match self {
            Number::Int(number) => number as f64,
            Number::Float(number) => number,
        }
    }
}

/// `add`, `sub`, `mul`, `div`. Integers wrap around; a result of nothing but zeros is the int 0.
pub(super) fn arithmetic(
    operator: Operator,
    left: &Value,
    right: &Value,
) -> Result<Value, CallError> {
    let (left, right) = (number(left)?, number(right)?);
    match (left, right) {
        (Some(Number::Int(a)), Some(Number::Int(b))) => integers(operator, a, b),
        (Some(a), Some(b)) => floats(operator, a.as_float(), b.as_float()),
        _ => Err(failed("Can't apply the operator to the values")),
    }
}

fn integers(operator: Operator, a: i64, b: i64) -> Result<Value, CallError> {
    Ok(match operator {
        Operator::Div if b == 0 => return Err(failed("Can't divide the value by 0")),
        Operator::Div => Value::Int64(a.wrapping_div(b)),
        _ if a == 0 && b == 0 => Value::Int(0),
        Operator::Add => Value::Int64(a.wrapping_add(b)),
        Operator::Sub => Value::Int64(a.wrapping_sub(b)),
        Operator::Mul => Value::Int64(a.wrapping_mul(b)),
    })
}

fn floats(operator: Operator, a: f64, b: f64) -> Result<Value, CallError> {
    Ok(match operator {
        Operator::Div if b == 0.0 => return Err(failed("Can't divide the value by 0")),
        Operator::Div => Value::Float(a / b),
        _ if a == 0.0 && b == 0.0 => Value::Int(0),
        Operator::Add => Value::Float(a + b),
        Operator::Sub => Value::Float(a - b),
        Operator::Mul => Value::Float(a * b),
    })
}

/// `mod`: integers only.
pub(super) fn modulo(left: &Value, right: &Value) -> Result<Value, CallError> {
    match (number(left)?, number(right)?) {
        (Some(Number::Int(_)), Some(Number::Int(0))) => Err(failed(
            "The number can't be divided by zero at modulo operation",
        )),
        (Some(Number::Int(a)), Some(Number::Int(b))) => Ok(Value::Int64(a.wrapping_rem(b))),
        _ => Err(failed(
            "Modulo operator can't be used with non integer value",
        )),
    }
}

/// `max`, with Go's `math.Max`.
pub(super) fn max(left: &Value, right: &Value) -> Result<Value, CallError> {
    let (a, b) = two_floats(left, right)?;
    Ok(Value::Float(if a.is_nan() || b.is_nan() {
        // Infinity beats NaN.
        if a == f64::INFINITY || b == f64::INFINITY {
            f64::INFINITY
        } else {
            f64::NAN
        }
    } else if a == 0.0 && b == 0.0 {
        if a.is_sign_negative() { b } else { a }
    } else {
        a.max(b)
    }))
}

/// `min`, with Go's `math.Min`.
pub(super) fn min(left: &Value, right: &Value) -> Result<Value, CallError> {
    let (a, b) = two_floats(left, right)?;
    Ok(Value::Float(if a.is_nan() || b.is_nan() {
        let lowest = f64::NEG_INFINITY;
        if a == lowest || b == lowest {
            lowest
        } else {
            f64::NAN
        }
    } else if a == 0.0 && b == 0.0 {
        if a.is_sign_negative() { a } else { b }
    } else {
        a.min(b)
    }))
}

/// The original says "Max" for both.
fn two_floats(left: &Value, right: &Value) -> Result<(f64, f64), CallError> {
    match (number(left)?, number(right)?) {
        (Some(a), Some(b)) => Ok((a.as_float(), b.as_float())),
        _ => Err(failed("Max operator can't apply to the values")),
    }
}

/// `eq`: numbers and numeric strings by their float value, everything else exactly, as Go's
/// `reflect.DeepEqual`.
pub(super) fn equal(left: &Value, right: &Value, budget: &mut Budget) -> Result<bool, CallError> {
    match (spelled(left), spelled(right)) {
        (Some(a), Some(b)) => Ok(a.as_float() == b.as_float()),
        (None, None) => deep_equal(left, right, budget),
        _ => Ok(false),
    }
}

/// `lt`, `le`, `gt` and `ge`.
pub(super) fn compare(left: &Value, right: &Value, holds: fn(f64, f64) -> bool) -> Value {
    let (left, right) = compared(left, right);
    Value::Bool(holds(left, right))
}

/// Both sides of a comparison as floats.
fn compared(left: &Value, right: &Value) -> (f64, f64) {
    let ((a, text_a), (b, text_b)) = (measure(left), measure(right));
    match (text_a, text_b) {
        (Some(a), Some(b)) if a < b => (0.0, 1.0),
        (Some(a), Some(b)) if a > b => (1.0, 0.0),
        (Some(_), Some(_)) => (0.0, 0.0),
        _ => (a, b),
    }
}

/// A value's size for comparison, and the string when it is one that is no number.
fn measure(value: &Value) -> (f64, Option<&Str>) {
    let size = match value {
        Value::Str(text) => match strconv::parse_float(text.as_bytes()) {
            Ok(number) => number,
            Err(error) => {
                let negative = text.as_bytes().first() == Some(&b'-');
                let size = match error.kind {
                    NumErrorKind::Range if negative => f64::NEG_INFINITY,
                    NumErrorKind::Range => f64::INFINITY,
                    NumErrorKind::Syntax => 0.0,
                };
                return (size, Some(text));
            }
        },
        Value::Int(number) | Value::Int64(number) | Value::Duration(number) => *number as f64,
        Value::Month(number) | Value::Weekday(number) => f64::from(*number),
        Value::Float(number) => *number,
        Value::Time(time) => time.seconds as f64,
        Value::Strings(items) => items.len() as f64,
        Value::List(list) => list.items().len() as f64,
        Value::Map(map) => map.entries().len() as f64,
        Value::Pairs(pairs) => pairs.len() as f64,
        Value::Services(services) => services.len() as f64,
        Value::Bytes(bytes) => bytes.len() as f64,
        _ => 0.0,
    };
    (size, None)
}

/// The number that a value is or spells; nothing for values that have no number in them.
fn number(value: &Value) -> Result<Option<Number>, CallError> {
    Ok(Some(match value {
        Value::Str(text) => return parse(text.as_bytes()).map(Some),
        Value::Int(number) | Value::Int64(number) | Value::Duration(number) => Number::Int(*number),
        Value::Month(number) | Value::Weekday(number) | Value::Uint8(number) => {
            Number::Int(i64::from(*number))
        }
        Value::Uint16(number) => Number::Int(i64::from(*number)),
        Value::Float(number) => Number::Float(*number),
        _ => return Ok(None),
    }))
}

/// As [`number`], but a string that is no number is none, not an error.
fn spelled(value: &Value) -> Option<Number> {
    match value {
        Value::Str(text) => match text.as_bytes() {
            digits @ [b'0'..=b'9' | b'+' | b'-' | b'.', ..] => convert(digits).ok(),
            _ => None,
        },
        other => number(other).ok().flatten(),
    }
}

fn convert(text: &[u8]) -> Result<Number, NumError<'_>> {
    if text.contains(&b'.') {
        strconv::parse_float(text).map(Number::Float)
    } else {
        strconv::parse_int(text, 10, 64).map(Number::Int)
    }
}

fn parse(text: &[u8]) -> Result<Number, CallError> {
    convert(text).map_err(|error| {
        let text = String::from_utf8_lossy(text);
        failed(&format!(
            "Can't apply the operator to the value [{text}] ,err [{error}]"
        ))
    })
}

/// A whole number for functions that count; a numeric string will do, and a float without a
/// fraction such as `1e1`.
pub(super) fn whole(value: &Value) -> Result<i64, CallError> {
    match number(value)? {
        Some(Number::Int(number)) => Ok(number),
        Some(Number::Float(number)) if number.trunc() == number && number.abs() < 1e15 => {
            Ok(number as i64)
        }
        _ => Err(failed(&format!(
            "expected a whole number; found {}",
            value.type_name()
        ))),
    }
}

/// Same type, same content, all the way down.
fn deep_equal(left: &Value, right: &Value, budget: &mut Budget) -> Result<bool, CallError> {
    budget.spend_steps(1)?;
    Ok(match (left, right) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) | (Value::Int64(a), Value::Int64(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Complex(a, b), Value::Complex(c, d)) => a == c && b == d,
        (Value::Uint8(a), Value::Uint8(b)) | (Value::Month(a), Value::Month(b)) => a == b,
        (Value::Weekday(a), Value::Weekday(b)) => a == b,
        (Value::Uint16(a), Value::Uint16(b)) => a == b,
        (Value::Duration(a), Value::Duration(b)) => a == b,
        (Value::Str(a), Value::Str(b)) => a == b,
        (Value::Strings(a), Value::Strings(b)) => a == b,
        (Value::Pair(a), Value::Pair(b)) => a == b,
        (Value::Pairs(a), Value::Pairs(b)) => a == b,
        (Value::Service(a), Value::Service(b)) => a == b,
        (Value::Services(a), Value::Services(b)) => a == b,
        (Value::Time(a), Value::Time(b)) => a == b,
        (Value::Location(a), Value::Location(b)) => a == b,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::List(a), Value::List(b)) if Rc::ptr_eq(a, b) => true,
        (Value::List(a), Value::List(b)) => {
            let same_kind = a.is_nil() == b.is_nil() && a.items().len() == b.items().len();
            same_kind && all_equal(a.items().iter().zip(b.items()), budget)?
        }
        (Value::Map(a), Value::Map(b)) if Rc::ptr_eq(a, b) => true,
        (Value::Map(a), Value::Map(b)) => {
            let same_keys = a.is_nil() == b.is_nil() && a.entries().keys().eq(b.entries().keys());
            same_keys && all_equal(a.entries().values().zip(b.entries().values()), budget)?
        }
        _ => false,
    })
}

fn all_equal<'v>(
    pairs: impl Iterator<Item = (&'v Value, &'v Value)>,
    budget: &mut Budget,
) -> Result<bool, CallError> {
    for (left, right) in pairs {
        if !deep_equal(left, right, budget)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn failed(message: &str) -> CallError {
    CallError::failed(message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Operator::*;

    fn text(text: &str) -> Value {
        Value::text(text)
    }

    fn shown(result: Result<Value, CallError>) -> String {
        match result {
            Ok(Value::Int(number)) => format!("int {number}"),
            Ok(Value::Int64(number)) => format!("int64 {number}"),
            Ok(Value::Float(number)) => format!("float64 {number}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn arithmetic_keeps_the_originals_types() {
        for (operator, a, b, want) in [
            (Add, text("3"), Value::Int(2), "int64 5"),
            (Add, Value::Int(0), text("0"), "int 0"),
            (Add, text("0.0"), Value::Int(0), "int 0"),
            (Add, Value::Int(1), Value::Int(-1), "int64 0"),
            (Sub, text("+5"), text(".5"), "float64 4.5"),
            (Mul, Value::Int64(i64::MAX), Value::Int(2), "int64 -2"),
            (Mul, Value::Int(0), text("2.5"), "float64 0"),
            (Div, text("3"), Value::Int(2), "int64 1"),
            (Div, text("3.0"), Value::Int(2), "float64 1.5"),
            (Div, Value::Int(0), Value::Int(5), "int64 0"),
            (
                Div,
                Value::Int64(i64::MIN),
                Value::Int(-1),
                "int64 -9223372036854775808",
            ),
            (Sub, Value::Uint8(3), Value::Uint16(5), "int64 -2"),
            (Add, Value::Month(3), Value::Duration(1), "int64 4"),
        ] {
            assert_eq!(
                shown(arithmetic(operator, &a, &b)),
                want,
                "{a:?} {operator:?} {b:?}"
            );
        }
    }

    #[test]
    fn arithmetic_complains_in_the_originals_words() {
        for (a, b, want) in [
            (
                text("x"),
                text(""),
                "Can't apply the operator to the value [x] ,err [strconv.ParseInt: parsing \"x\": invalid syntax]",
            ),
            (
                Value::Nil,
                text("1.5.5"),
                "Can't apply the operator to the value [1.5.5] ,err [strconv.ParseFloat: parsing \"1.5.5\": invalid syntax]",
            ),
            (
                Value::Bool(true),
                text("1"),
                "Can't apply the operator to the values",
            ),
            (Value::Int(1), text("0.0"), "Can't divide the value by 0"),
        ] {
            assert_eq!(
                arithmetic(Div, &a, &b).err(),
                Some(failed(want)),
                "{a:?} {b:?}"
            );
        }
        assert_eq!(
            shown(modulo(&Value::Int64(i64::MIN), &Value::Int(-1))),
            "int64 0"
        );
    }

    #[test]
    fn extremes_follow_go() {
        let pick = |f: fn(&Value, &Value) -> Result<Value, CallError>, a: f64, b: f64| {
            shown(f(&Value::Float(a), &Value::Float(b)))
        };
        assert_eq!(pick(max, f64::NAN, f64::INFINITY), "float64 inf");
        assert_eq!(pick(max, f64::NAN, 1.0), "float64 NaN");
        assert_eq!(pick(min, f64::NAN, f64::NEG_INFINITY), "float64 -inf");
        assert_eq!(pick(max, -0.0, 0.0), "float64 0");
        assert_eq!(pick(min, 0.0, -0.0), "float64 -0");
    }

    #[test]
    fn equality_compares_numeric_text_as_numbers() {
        let list = |n| Value::list(vec![Value::Int(n)]).unwrap();
        let empty_map = || Value::map(Default::default()).unwrap();
        for (a, b, want) in [
            (text("5"), Value::Int(5), true),
            (text("5"), text("5.0"), true),
            (text("+5"), text("0005"), true),
            (text("1e3"), text("1000"), false),
            (text("1e3"), text("1e3"), true),
            (text("NaN"), text("NaN"), true),
            (
                text("9223372036854775807"),
                text("9223372036854775806"),
                true,
            ),
            (text("a"), text("A"), false),
            (Value::Uint8(97), Value::Int(97), true),
            (Value::Month(1), text("1"), true),
            (Value::Nil, Value::Nil, true),
            (Value::Nil, text(""), false),
            (list(1), list(1), true),
            (list(1), Value::list(vec![Value::Int64(1)]).unwrap(), false),
            (empty_map(), empty_map(), true),
            (empty_map(), Value::nil_map(), false),
        ] {
            assert_eq!(
                equal(&a, &b, &mut Budget::default()),
                Ok(want),
                "{a:?} {b:?}"
            );
        }
    }

    #[test]
    fn order_measures_what_is_no_number() {
        for (a, b, want) in [
            (text("10"), text("9"), (10.0, 9.0)),
            (text("b"), text("a"), (1.0, 0.0)),
            (text("b"), Value::Int(3), (0.0, 3.0)),
            (text("1e3"), text("x"), (1000.0, 0.0)),
            (text("-1e999"), Value::Int(3), (f64::NEG_INFINITY, 3.0)),
            (Value::Bool(true), Value::Uint8(9), (0.0, 0.0)),
            (
                Value::list(vec![Value::Nil]).unwrap(),
                text("1"),
                (1.0, 1.0),
            ),
        ] {
            assert_eq!(compared(&a, &b), want, "{a:?} {b:?}");
        }
    }
}
