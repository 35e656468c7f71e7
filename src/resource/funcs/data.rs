//! Lists, maps and choices: `map` and `filter` of the original, and what confd's other lines add.

use std::rc::Rc;

use super::regex::Expression;
use crate::template::value::{Map, Pair, Str};
use crate::template::{Budget, CallError, Value};

/// How Go's reflection calls the kind of a value's type.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Nil => "invalid",
        Value::Int64(_) | Value::Duration(_) => "int64",
        Value::Month(_) | Value::Weekday(_) => "int",
        Value::Strings(_)
        | Value::List(_)
        | Value::Pairs(_)
        | Value::Services(_)
        | Value::Bytes(_) => "slice",
        Value::Map(_) => "map",
        Value::Pair(_) | Value::Time(_) => "struct",
        Value::Service(_) | Value::Location(_) => "ptr",
        other => other.type_name(),
    }
}

/// `map` and `dict`: keys and values in turns.
pub(super) fn map(values: &[Value], budget: &mut Budget) -> Result<Value, CallError> {
    let (pairs, rest) = values.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(failed("invalid map call"));
    }
    budget.spend_bytes(size_of_val(values))?;
    let mut entries = Vec::with_capacity(pairs.len());
    for [key, value] in pairs {
        let Value::Str(key) = key else {
            return Err(failed("map keys must be strings"));
        };
        entries.push((key.clone(), value.clone()));
    }
    Value::map(entries).map_err(CallError::from)
}

/// A list of these.
pub(super) fn list(values: Vec<Value>, budget: &mut Budget) -> Result<Value, CallError> {
    budget.spend_bytes(size_of::<Value>().saturating_mul(values.len()))?;
    Value::list(values).map_err(CallError::from)
}

/// `filter`: the strings that match, and the pairs whose values do; everything else is left out.
/// The expression is made when the first of them needs it: without any, even a wrong one does no
/// harm, as in the original.
pub(super) fn filter(
    list_to_filter: &Value,
    mut expression: impl FnMut(&mut Budget) -> Result<Rc<Expression>, CallError>,
    budget: &mut Budget,
) -> Result<Value, CallError> {
    let Some(values) = elements(list_to_filter) else {
        return Err(failed("filter only support slice or array."));
    };
    let mut kept = Vec::new();
    let mut compiled = None;
    for value in values {
        let text = match &value {
            Value::Str(text) => text,
            Value::Pair(pair) => &pair.value,
            // The original takes every struct for a pair.
            Value::Time(_) => {
                return Err(failed(
                    "interface conversion: interface {} is time.Time, not memkv.KVPair",
                ));
            }
            _ => continue,
        };
        let expression = match &compiled {
            Some(expression) => expression,
            None => compiled.insert(expression(budget)?),
        };
        if expression.is_match(text.as_bytes(), budget)? {
            kept.push(value);
        }
    }
    list(kept, budget)
}

/// The elements of anything that is a slice in Go.
fn elements(value: &Value) -> Option<Vec<Value>> {
    Some(match value {
        Value::Strings(texts) => texts.iter().cloned().map(Value::Str).collect(),
        Value::List(list) => list.items().to_vec(),
        Value::Pairs(pairs) => pairs
            .iter()
            .map(|pair| Value::Pair(Rc::new(pair.clone())))
            .collect(),
        Value::Services(services) => {
            let one = |service: &crate::template::value::Service| {
                Value::Service(Rc::new(service.clone()))
            };
            services.iter().map(one).collect()
        }
        Value::Bytes(bytes) => bytes.iter().copied().map(Value::Uint8).collect(),
        _ => return None,
    })
}

/// `reverse`: strings, pairs and lists; anything else is returned unchanged.
pub(super) fn reverse(value: &Value, budget: &mut Budget) -> Result<Value, CallError> {
    fn reversed<T: Clone>(items: &[T], budget: &mut Budget) -> Result<Vec<T>, CallError> {
        budget.spend_bytes(size_of_val(items))?;
        Ok(items.iter().rev().cloned().collect())
    }
    Ok(match value {
        Value::Strings(texts) => Value::Strings(reversed(texts, budget)?.into()),
        Value::Pairs(pairs) => Value::Pairs(reversed(pairs, budget)?.into()),
        Value::List(items) => list(reversed(items.items(), budget)?, budget)?,
        other => other.clone(),
    })
}

/// `sortByLength`: the shortest first, those of one length in their old order.
pub(super) fn sort_by_length(texts: &Rc<[Str]>, budget: &mut Budget) -> Result<Value, CallError> {
    budget.spend_bytes(size_of_val(&**texts))?;
    let mut sorted = texts.to_vec();
    sorted.sort_by_key(|text| text.as_bytes().len());
    Ok(Value::Strings(sorted.into()))
}

/// `sortKVByLength`: pairs by the length of their keys.
pub(super) fn sort_pairs_by_length(value: &Value, budget: &mut Budget) -> Result<Value, CallError> {
    let refused = || {
        let found = value.type_name();
        failed(&format!("expected memkv.KVPairs; found {found}"))
    };
    let mut pairs = Vec::new();
    match value {
        Value::Pairs(all) => pairs.extend_from_slice(all),
        Value::List(list) => {
            for item in list.items() {
                let Value::Pair(pair) = item else {
                    return Err(refused());
                };
                pairs.push(Pair::clone(pair));
            }
        }
        _ => return Err(refused()),
    }
    budget.spend_bytes(size_of_val(&*pairs))?;
    pairs.sort_by_key(|pair| pair.key.as_bytes().len());
    Ok(Value::Pairs(pairs.into()))
}

/// `seq`: from the first to the last, both included, upwards or downwards.
pub(super) fn sequence(first: i64, last: i64, budget: &mut Budget) -> Result<Value, CallError> {
    let count = usize::try_from(first.abs_diff(last))
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    budget.spend_bytes(size_of::<Value>().saturating_mul(count))?;
    let values: Vec<Value> = if first <= last {
        (first..=last).map(Value::Int).collect()
    } else {
        (last..=first).rev().map(Value::Int).collect()
    };
    Value::list(values).map_err(CallError::from)
}

/// `append`: a new list with one more at its end; nil is an empty list.
pub(super) fn append(value: &Value, last: &Value, budget: &mut Budget) -> Result<Value, CallError> {
    let mut values = match (value, elements(value)) {
        (_, Some(values)) => values,
        (Value::Nil, None) => Vec::new(),
        (_, None) => return Err(failed(&format!("cannot append to {}", value.type_name()))),
    };
    values.push(last.clone());
    list(values, budget)
}

/// `keys`: sorted.
pub(super) fn keys(map: &Map, budget: &mut Budget) -> Result<Value, CallError> {
    budget.spend_bytes(size_of::<Str>().saturating_mul(map.entries().len()))?;
    Ok(Value::Strings(map.entries().keys().cloned().collect()))
}

/// `values`: in the order of their keys.
pub(super) fn values(map: &Map, budget: &mut Budget) -> Result<Value, CallError> {
    list(map.entries().values().cloned().collect(), budget)
}

/// `pluck`: what the maps that have this key have there; a nil list if none has it.
pub(super) fn pluck(key: &Str, maps: &[Value], budget: &mut Budget) -> Result<Value, CallError> {
    let mut found = Vec::new();
    for value in maps {
        if let Value::Map(map) = value {
            found.extend(map.entries().get(key).cloned());
        }
    }
    if found.is_empty() {
        return Ok(Value::nil_list());
    }
    list(found, budget)
}

/// `empty`: nil, false, zero, and what has no elements.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Nil => true,
        Value::Bool(yes) => !yes,
        Value::Int(number) | Value::Int64(number) | Value::Duration(number) => *number == 0,
        Value::Uint8(number) | Value::Month(number) | Value::Weekday(number) => *number == 0,
        Value::Uint16(number) => *number == 0,
        Value::Float(number) => *number == 0.0,
        Value::Complex(real, imaginary) => *real == 0.0 && *imaginary == 0.0,
        Value::Str(text) => text.as_bytes().is_empty(),
        Value::Strings(texts) => texts.is_empty(),
        Value::List(list) => list.items().is_empty(),
        Value::Map(map) => map.entries().is_empty(),
        Value::Pairs(pairs) => pairs.is_empty(),
        Value::Services(services) => services.is_empty(),
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::Pair(_) | Value::Service(_) | Value::Time(_) | Value::Location(_) => false,
    }
}

/// `default`: the value, unless it is empty.
pub(super) fn or_default(default: &Value, value: &Value) -> Value {
    if is_empty(value) {
        default.clone()
    } else {
        value.clone()
    }
}

/// `coalesce`: the first that is not empty; nil if all are.
pub(super) fn coalesce(values: &[Value]) -> Value {
    values
        .iter()
        .find(|value| !is_empty(value))
        .cloned()
        .unwrap_or(Value::Nil)
}

fn failed(message: &str) -> CallError {
    CallError::failed(message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::time::{Local, Time, Zone};
    use crate::template::{Limit, format};

    fn budget() -> Budget {
        Budget::default()
    }

    fn texts(items: &[&str]) -> Rc<[Str]> {
        items.iter().map(|item| Str::from(*item)).collect()
    }

    fn moment() -> Time {
        Time {
            seconds: 0,
            nanos: 0,
            utc: true,
            local: Local::new(Zone::utc()),
        }
    }

    fn shown(result: Result<Value, CallError>) -> String {
        match result {
            Ok(value) => {
                let bytes = format::sprint(&[value], &mut budget()).expect("prints");
                String::from_utf8_lossy(&bytes).into_owned()
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn filter_takes_texts_and_pairs() {
        let pair = |key: &str, value: &str| Pair {
            key: key.into(),
            value: value.into(),
        };
        let mixed = vec![
            Value::text("a1"),
            Value::Int(1),
            Value::Nil,
            Value::text("b1"),
        ];
        let expression = |pattern: &'static str| {
            move |budget: &mut Budget| Expression::new(pattern.as_bytes(), budget).map(Rc::new)
        };
        for (value, pattern, want) in [
            (
                Value::Strings(texts(&["a1", "b", "a3"])),
                "a[123]",
                "[a1 a3]",
            ),
            (Value::list(mixed).unwrap(), "1", "[a1 b1]"),
            (
                Value::Pairs([pair("/x", "a1"), pair("/a1", "b")].into()),
                "a",
                "[{/x a1}]",
            ),
            (
                Value::Strings(texts(&["a"])),
                "[",
                "error parsing regexp: missing closing ]: `[`",
            ),
            (Value::Strings(texts(&[])), "[", "[]"),
            (
                Value::list(vec![Value::text("a"), Value::Time(Rc::new(moment()))]).unwrap(),
                "a",
                "interface conversion: interface {} is time.Time, not memkv.KVPair",
            ),
            (Value::Bytes(b"ab"[..].into()), "a", "[]"),
            (Value::Nil, "[", "filter only support slice or array."),
            (Value::text("a"), "a", "filter only support slice or array."),
        ] {
            assert_eq!(
                shown(filter(&value, expression(pattern), &mut budget())),
                want,
                "{pattern}"
            );
        }
    }

    #[test]
    fn lists() {
        let three = Value::list(vec![Value::Int(1), Value::text("b"), Value::Nil]).unwrap();
        for (result, want) in [
            (sequence(2, 5, &mut budget()), "[2 3 4 5]"),
            (sequence(2, -1, &mut budget()), "[2 1 0 -1]"),
            (sequence(7, 7, &mut budget()), "[7]"),
            (
                sequence(i64::MIN, i64::MAX, &mut budget()),
                "the template makes too much text: more than 256 MiB",
            ),
            (reverse(&three, &mut budget()), "[<nil> b 1]"),
            (
                reverse(&Value::Strings(texts(&["a", "b"])), &mut budget()),
                "[b a]",
            ),
            (reverse(&Value::text("ab"), &mut budget()), "ab"),
            (
                sort_by_length(&texts(&["ccc", "b", "aa", "a"]), &mut budget()),
                "[b a aa ccc]",
            ),
            (
                append(&three, &Value::Int(4), &mut budget()),
                "[1 b <nil> 4]",
            ),
            (
                append(&Value::Int(1), &Value::Int(4), &mut budget()),
                "cannot append to int",
            ),
            (append(&Value::Nil, &Value::Int(4), &mut budget()), "[4]"),
            (
                Ok(coalesce(&[
                    Value::Nil,
                    Value::text(""),
                    Value::Int(0),
                    Value::text("x"),
                ])),
                "x",
            ),
            (Ok(coalesce(&[])), "<nil>"),
        ] {
            assert_eq!(shown(result), want);
        }
    }

    #[test]
    fn maps() {
        let entry = |key: &str, value: i64| [Value::text(key), Value::Int(value)];
        let both = [entry("b", 1), entry("a", 2)].concat();
        let Ok(Value::Map(made)) = map(&both, &mut budget()) else {
            panic!()
        };
        assert_eq!(shown(keys(&made, &mut budget())), "[a b]");
        assert_eq!(shown(values(&made, &mut budget())), "[2 1]");
        let maps = [
            Value::Map(made),
            map(&entry("c", 3), &mut budget()).unwrap(),
            map(&entry("a", 4), &mut budget()).unwrap(),
        ];
        assert_eq!(shown(pluck(&"a".into(), &maps, &mut budget())), "[2 4]");
        let none = pluck(&"x".into(), &maps, &mut budget());
        assert!(matches!(none, Ok(Value::List(list)) if list.is_nil()));
        assert_eq!(
            shown(map(&[Value::text("a")], &mut budget())),
            "invalid map call"
        );
        assert_eq!(
            shown(map(&[Value::Int(1), Value::Int(2)], &mut budget())),
            "map keys must be strings"
        );
    }

    #[test]
    fn a_value_cannot_nest_for_ever() {
        let mut nested = Value::Nil;
        let refused = (0..1000).find_map(|_| match list(vec![nested.clone()], &mut budget()) {
            Ok(deeper) => {
                nested = deeper;
                None
            }
            Err(error) => Some(error),
        });
        assert_eq!(refused, Some(Limit::Depth.into()));
    }
}
