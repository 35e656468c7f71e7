//! The methods that a template may call on values: those of times, durations, zones, and of
//! `memkv.KVPairs`.
//!
//! A method is looked up by the receiver's type and its name; the executor checks the arguments
//! against it, as it does for functions.

use std::rc::Rc;

use super::value::{Pair, Value};
use super::{CallError, Function, Type};
use crate::go::time::{self, Civil, Time, duration};

/// A method of a value's Go type.
#[derive(Debug)]
pub(super) struct Method {
    /// Its name and parameters, without the receiver.
    pub function: Function,
    /// How many results Go's method has; a template can call only those with one, or with an error
    /// besides.
    pub results: usize,
}

const fn takes(name: &'static str, params: &'static [Type]) -> Method {
    Method {
        function: Function {
            name,
            params,
            variadic: None,
        },
        results: 1,
    }
}

const fn plain(name: &'static str) -> Method {
    takes(name, &[])
}

const fn many(name: &'static str, results: usize) -> Method {
    Method {
        results,
        ..plain(name)
    }
}

const TIME: &[Method] = &[
    takes("Add", &[Type::Duration]),
    takes("AddDate", &[Type::Int, Type::Int, Type::Int]),
    takes("After", &[Type::Time]),
    takes("AppendFormat", &[Type::Bytes, Type::Str]),
    takes("Before", &[Type::Time]),
    many("Clock", 3),
    many("Date", 3),
    plain("Day"),
    takes("Equal", &[Type::Time]),
    takes("Format", &[Type::Str]),
    plain("GoString"),
    plain("GobEncode"),
    plain("Hour"),
    many("ISOWeek", 2),
    takes("In", &[Type::Location]),
    plain("IsDST"),
    plain("IsZero"),
    plain("Local"),
    plain("Location"),
    plain("MarshalBinary"),
    plain("MarshalJSON"),
    plain("MarshalText"),
    plain("Minute"),
    plain("Month"),
    plain("Nanosecond"),
    takes("Round", &[Type::Duration]),
    plain("Second"),
    plain("String"),
    takes("Sub", &[Type::Time]),
    takes("Truncate", &[Type::Duration]),
    plain("UTC"),
    plain("Unix"),
    plain("UnixMicro"),
    plain("UnixMilli"),
    plain("UnixNano"),
    plain("Weekday"),
    plain("Year"),
    plain("YearDay"),
    many("Zone", 2),
    many("ZoneBounds", 2),
];

const DURATION: &[Method] = &[
    plain("Abs"),
    plain("Hours"),
    plain("Microseconds"),
    plain("Milliseconds"),
    plain("Minutes"),
    plain("Nanoseconds"),
    takes("Round", &[Type::Duration]),
    plain("Seconds"),
    plain("String"),
    takes("Truncate", &[Type::Duration]),
];

/// Of months, weekdays and zones.
const NAMED: &[Method] = &[plain("String")];

/// The methods that make `KVPairs` sortable in Go.
const PAIRS: &[Method] = &[
    plain("Len"),
    takes("Less", &[Type::Int, Type::Int]),
    Method {
        results: 0,
        ..takes("Swap", &[Type::Int, Type::Int])
    },
];

/// The names of the methods of a time.
pub fn time_methods() -> impl Iterator<Item = &'static str> {
    TIME.iter().map(|method| method.function.name)
}

/// The method `name` of a value's type, if it has one.
pub(super) fn find(receiver: &Value, name: &[u8]) -> Option<&'static Method> {
    let methods = match receiver {
        Value::Time(_) => TIME,
        Value::Duration(_) => DURATION,
        Value::Month(_) | Value::Weekday(_) | Value::Location(_) => NAMED,
        Value::Pairs(_) => PAIRS,
        _ => return None,
    };
    methods
        .iter()
        .find(|method| method.function.name.as_bytes() == name)
}

/// Calls a method found by [`find`] for this receiver, with arguments checked against it.
pub(super) fn call(receiver: &Value, method: &Method, args: &[Value]) -> Result<Value, CallError> {
    let name = method.function.name;
    let result = match receiver {
        Value::Time(time) => call_time(time, name, args)?,
        Value::Duration(duration) => call_duration(*duration, name, args),
        Value::Month(month) => Some(Value::text(time::month_name(*month))),
        Value::Weekday(weekday) => Some(Value::text(time::weekday_name(*weekday))),
        Value::Location(location) => Some(Value::text(location.name())),
        Value::Pairs(pairs) => call_pairs(pairs, args)?,
        _ => None,
    };
    result.ok_or_else(|| {
        let kind = receiver.type_name();
        failed(&format!("{kind} has no method {name} with these arguments"))
    })
}

fn failed(message: &str) -> CallError {
    CallError::failed(message.to_owned())
}

fn time_value(time: Time) -> Option<Value> {
    Some(Value::Time(Rc::new(time)))
}

fn call_time(time: &Time, name: &str, args: &[Value]) -> Result<Option<Value>, CallError> {
    Ok(match (name, args) {
        ("Add", [Value::Duration(step)]) => time_value(time.add(*step)),
        ("AddDate", [Value::Int(years), Value::Int(months), Value::Int(days)]) => {
            time_value(time.add_date(*years, *months, *days))
        }
        ("Round", [Value::Duration(multiple)]) => time_value(time.round(*multiple)),
        ("Truncate", [Value::Duration(multiple)]) => time_value(time.truncate(*multiple)),
        ("Sub", [Value::Time(other)]) => Some(Value::Duration(time.sub(other))),
        ("In", [Value::Location(location)]) => time_value(time.in_location(location)),
        ("In", [Value::Nil]) => {
            return Err(failed("time: missing Location in call to Time.In"));
        }
        (_, []) => return call_time_alone(time, name),
        (_, args) => compare_or_format(time, name, args),
    })
}

fn compare_or_format(time: &Time, name: &str, args: &[Value]) -> Option<Value> {
    let instant = |time: &Time| (time.seconds, time.nanos);
    Some(match (name, args) {
        ("After", [Value::Time(other)]) => Value::Bool(instant(time) > instant(other)),
        ("Before", [Value::Time(other)]) => Value::Bool(instant(time) < instant(other)),
        ("Equal", [Value::Time(other)]) => Value::Bool(instant(time) == instant(other)),
        ("Format", [Value::Str(layout)]) => Value::text(time.format(layout.as_bytes())),
        ("AppendFormat", [before, Value::Str(layout)]) => {
            let before: &[u8] = match before {
                Value::Bytes(bytes) => bytes,
                _ => &[],
            };
            Value::Bytes([before, &time.format(layout.as_bytes())].concat().into())
        }
        _ => return None,
    })
}

fn call_time_alone(time: &Time, name: &str) -> Result<Option<Value>, CallError> {
    let beyond = |method: &str| failed(&format!("Time.{method}: year outside of range [0,9999]"));
    let text = |method| time.marshal_text().ok_or_else(|| beyond(method));
    Ok(match name {
        "Local" => time_value(Time {
            utc: false,
            ..time.clone()
        }),
        "UTC" => time_value(Time {
            utc: true,
            ..time.clone()
        }),
        "Location" => Some(Value::Location(Rc::new(time.location()))),
        "MarshalText" => Some(Value::Bytes(text(name)?.into())),
        "MarshalJSON" => Some(Value::Bytes([b"\"", &*text(name)?, b"\""].concat().into())),
        "MarshalBinary" | "GobEncode" => Some(Value::Bytes(time.marshal_binary().into())),
        "GoString" => Some(Value::text(time.to_go())),
        "String" => Some(Value::text(time.to_text())),
        "IsZero" => Some(Value::Bool((time.seconds, time.nanos) == (time::ZERO, 0))),
        "Unix" => Some(Value::Int64(time.seconds)),
        "UnixMilli" => Some(since_1970(time, 1_000_000)),
        "UnixMicro" => Some(since_1970(time, 1_000)),
        "UnixNano" => Some(since_1970(time, 1)),
        "Nanosecond" => Some(Value::Int(time.nanos.into())),
        _ => calendar_part(&Civil::of(time), name),
    })
}

/// The time since 1970 in units of this many nanoseconds.
fn since_1970(time: &Time, unit: i128) -> Value {
    Value::Int64(time::narrow(time.unix_nanos().div_euclid(unit)))
}

fn calendar_part(civil: &Civil, name: &str) -> Option<Value> {
    Some(match name {
        "Year" => Value::Int(civil.year),
        "Month" => Value::Month(civil.month),
        "Day" => Value::Int(civil.day.into()),
        "YearDay" => Value::Int(civil.yday.into()),
        "Weekday" => Value::Weekday(civil.weekday),
        "Hour" => Value::Int(civil.hour.into()),
        "Minute" => Value::Int(civil.minute.into()),
        "Second" => Value::Int(civil.second.into()),
        "IsDST" => Value::Bool(civil.offset.is_dst),
        _ => return None,
    })
}

fn call_duration(nanos: i64, name: &str, args: &[Value]) -> Option<Value> {
    Some(match (name, args) {
        ("Round", [Value::Duration(multiple)]) => {
            Value::Duration(duration::round(nanos, *multiple))
        }
        ("Truncate", [Value::Duration(multiple)]) => {
            Value::Duration(duration::truncate(nanos, *multiple))
        }
        ("Abs", []) => Value::Duration(nanos.saturating_abs()),
        ("Hours", []) => Value::Float(duration::in_units(nanos, 3600)),
        ("Microseconds", []) => Value::Int64(nanos / 1_000),
        ("Milliseconds", []) => Value::Int64(nanos / 1_000_000),
        ("Minutes", []) => Value::Float(duration::in_units(nanos, 60)),
        ("Nanoseconds", []) => Value::Int64(nanos),
        ("Seconds", []) => Value::Float(duration::in_units(nanos, 1)),
        ("String", []) => Value::text(duration::to_text(nanos)),
        _ => return None,
    })
}

fn call_pairs(pairs: &[Pair], args: &[Value]) -> Result<Option<Value>, CallError> {
    Ok(match args {
        [] => Some(Value::Int(pairs.len() as i64)),
        [Value::Int(left), Value::Int(right)] => {
            let less = pair(pairs, *left)?.key < pair(pairs, *right)?.key;
            Some(Value::Bool(less))
        }
        _ => None,
    })
}

fn pair(pairs: &[Pair], index: i64) -> Result<&Pair, CallError> {
    let found = usize::try_from(index).ok().and_then(|at| pairs.get(at));
    found.ok_or_else(|| {
        let length = pairs.len();
        let range = if index < 0 {
            format!("[{index}]")
        } else {
            format!("[{index}] with length {length}")
        };
        CallError::failed(format!("runtime error: index out of range {range}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::time::{Local, Offset, ZERO, Zone};
    use crate::template::value::Str;

    fn utc(seconds: i64, nanos: u32) -> Time {
        let summer = |_| Offset {
            seconds: 7200,
            name: "CEST".into(),
            is_dst: true,
        };
        Time {
            seconds,
            nanos,
            utc: true,
            local: Local::new(Zone::of_system("Europe/Berlin", summer)),
        }
    }

    fn time_value(time: Time) -> Value {
        Value::Time(Rc::new(time))
    }

    fn call(receiver: &Value, name: &str, args: &[Value]) -> Value {
        let method = find(receiver, name.as_bytes()).expect(name);
        super::call(receiver, method, args).expect(name)
    }

    /// The result of a method, as its Go type and text.
    fn show(receiver: &Value, name: &str, args: &[Value]) -> String {
        let value = call(receiver, name, args);
        let text = match &value {
            Value::Time(time) => String::from_utf8_lossy(&time.to_text()).into_owned(),
            Value::Str(text) => text.to_text().into_owned(),
            Value::Int(number) | Value::Int64(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            Value::Bytes(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
            Value::Duration(_) | Value::Month(_) | Value::Weekday(_) | Value::Location(_) => {
                show(&value, "String", &[])
            }
            other => format!("{other:?}"),
        };
        let kind = value.type_name();
        match receiver {
            Value::Time(_) => format!("{kind} {text}"),
            _ => text,
        }
    }

    #[test]
    fn times() {
        let time = time_value(utc(1_620_000_000, 123_456_789)); // Monday 2021-05-03 00:00:00
        let hour = &[Value::Duration(3_600_000_000_000)][..];
        let other = &[call(&time, "Add", hour)][..];
        for (name, args, want) in [
            (
                "Add",
                hour,
                "time.Time 2021-05-03 01:00:00.123456789 +0000 UTC",
            ),
            (
                "AddDate",
                &[Value::Int(1), Value::Int(-1), Value::Int(0)],
                "time.Time 2022-04-03 00:00:00.123456789 +0000 UTC",
            ),
            ("After", other, "bool false"),
            ("Before", other, "bool true"),
            ("Equal", other, "bool false"),
            ("Sub", other, "time.Duration -1h0m0s"),
            ("Format", &[Value::Str(Str::from("Jan 2"))], "string May 3"),
            ("Truncate", hour, "time.Time 2021-05-03 00:00:00 +0000 UTC"),
            ("Round", hour, "time.Time 2021-05-03 00:00:00 +0000 UTC"),
            (
                "Local",
                &[],
                "time.Time 2021-05-03 02:00:00.123456789 +0200 CEST",
            ),
            (
                "UTC",
                &[],
                "time.Time 2021-05-03 00:00:00.123456789 +0000 UTC",
            ),
            ("Location", &[], "*time.Location UTC"),
            ("IsDST", &[], "bool false"),
            (
                "MarshalText",
                &[],
                "[]uint8 \"2021-05-03T00:00:00.123456789Z\"",
            ),
            (
                "MarshalJSON",
                &[],
                "[]uint8 \"\\\"2021-05-03T00:00:00.123456789Z\\\"\"",
            ),
            (
                "AppendFormat",
                &[Value::Bytes(b"on "[..].into()), Value::text("Jan 2")],
                "[]uint8 \"on May 3\"",
            ),
            (
                "AppendFormat",
                &[Value::Nil, Value::text("Jan 2")],
                "[]uint8 \"May 3\"",
            ),
            ("Year", &[], "int 2021"),
            ("Month", &[], "time.Month May"),
            ("Day", &[], "int 3"),
            ("Hour", &[], "int 0"),
            ("Minute", &[], "int 0"),
            ("Second", &[], "int 0"),
            ("Nanosecond", &[], "int 123456789"),
            ("Weekday", &[], "time.Weekday Monday"),
            ("YearDay", &[], "int 123"),
            ("Unix", &[], "int64 1620000000"),
            ("UnixMilli", &[], "int64 1620000000123"),
            ("UnixMicro", &[], "int64 1620000000123456"),
            ("UnixNano", &[], "int64 1620000000123456789"),
            ("IsZero", &[], "bool false"),
            (
                "String",
                &[],
                "string 2021-05-03 00:00:00.123456789 +0000 UTC",
            ),
            (
                "GoString",
                &[],
                "string time.Date(2021, time.May, 3, 0, 0, 0, 123456789, time.UTC)",
            ),
        ] {
            assert_eq!(show(&time, name, args), want, "{name}");
        }
        assert_eq!(show(&time_value(utc(ZERO, 0)), "IsZero", &[]), "bool true");
    }

    #[test]
    fn zones() {
        let time = time_value(utc(0, 0));
        let local = call(&time, "Local", &[]);
        let zone = call(&local, "Location", &[]);
        assert_eq!(show(&zone, "String", &[]), "Europe/Berlin");
        assert_eq!(show(&local, "IsDST", &[]), "bool true");
        let in_zone = call(&time, "In", std::slice::from_ref(&zone));
        let want = "string 1970-01-01 02:00:00 +0200 CEST";
        assert_eq!(show(&in_zone, "String", &[]), want);
        let back = call(&in_zone, "In", &[call(&time, "Location", &[])]);
        assert_eq!(
            show(&back, "String", &[]),
            "string 1970-01-01 00:00:00 +0000 UTC"
        );
    }

    #[test]
    fn a_year_of_five_digits_cannot_be_marshalled() {
        let late = time_value(utc(253_402_300_800, 0));
        for name in ["MarshalText", "MarshalJSON"] {
            let method = find(&late, name.as_bytes()).expect(name);
            let want = failed(&format!("Time.{name}: year outside of range [0,9999]"));
            assert_eq!(super::call(&late, method, &[]).err(), Some(want));
        }
    }

    #[test]
    fn the_binary_form() {
        let local = call(&time_value(utc(0, 1)), "Local", &[]);
        let Value::Bytes(bytes) = call(&local, "MarshalBinary", &[]) else {
            panic!("no bytes");
        };
        assert_eq!(
            *bytes,
            [1, 0, 0, 0, 14, 119, 145, 247, 0, 0, 0, 0, 1, 0, 120]
        );
    }

    #[test]
    fn durations() {
        let duration = Value::Duration(-5_400_500_000_000);
        for (name, want) in [
            ("String", "-1h30m0.5s"),
            ("Abs", "1h30m0.5s"),
            ("Hours", "-1.500138888888889"),
            ("Minutes", "-90.00833333333334"),
            ("Seconds", "-5400.5"),
            ("Milliseconds", "-5400500"),
            ("Microseconds", "-5400500000"),
            ("Nanoseconds", "-5400500000000"),
        ] {
            assert_eq!(show(&duration, name, &[]), want, "{name}");
        }
        let second = Value::Duration(1_000_000_000);
        let second = std::slice::from_ref(&second);
        assert_eq!(show(&duration, "Round", second), "-1h30m1s");
        assert_eq!(show(&duration, "Truncate", second), "-1h30m0s");
    }

    #[test]
    fn several_results_are_known_but_not_callable() {
        let time = time_value(utc(0, 0));
        for (name, results) in [
            ("Date", 3),
            ("Clock", 3),
            ("ISOWeek", 2),
            ("Zone", 2),
            ("Year", 1),
        ] {
            let found = find(&time, name.as_bytes()).map(|method| method.results);
            assert_eq!(found, Some(results), "{name}");
        }
        assert!(find(&time, b"Nope").is_none());
        assert!(find(&Value::Int(1), b"String").is_none());
    }

    #[test]
    fn wrong_arguments_are_an_error() {
        let time = time_value(utc(0, 0));
        for method in TIME {
            let args = [Value::Nil, Value::Nil, Value::Nil, Value::Nil];
            assert!(super::call(&time, method, &args).is_err(), "{method:?}");
        }
    }
}
