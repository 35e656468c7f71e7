//! The methods that a template may call on times: `{{datetime.Format "2006-01-02"}}`.
//!
//! A method is looked up by the receiver's type and its name; the executor checks the arguments against it, as it
//! does for functions.

use std::rc::Rc;

use super::super::value::{Time, Value};
use super::super::{CallError, Function, Type};
use super::{Civil, ZERO, duration};

/// A method of a value's Go type.
#[derive(Debug)]
pub struct Method {
    /// Its name and parameters, without the receiver.
    pub function: Function,
    /// How many results Go's method has; a template can call only those with one.
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
    takes("Before", &[Type::Time]),
    many("Clock", 3),
    many("Date", 3),
    plain("Day"),
    takes("Equal", &[Type::Time]),
    takes("Format", &[Type::Str]),
    plain("GoString"),
    plain("Hour"),
    many("ISOWeek", 2),
    plain("IsZero"),
    plain("Local"),
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

const NAME: &[Method] = &[plain("String")];

/// The method `name` of a value's type, if it has one.
pub fn method(receiver: &Value, name: &[u8]) -> Option<&'static Method> {
    let methods = match receiver {
        Value::Time(_) => TIME,
        Value::Duration(_) => DURATION,
        Value::Month(_) | Value::Weekday(_) => NAME,
        _ => return None,
    };
    methods
        .iter()
        .find(|method| method.function.name.as_bytes() == name)
}

/// Calls a method found by [`method`] for this receiver, with arguments checked against it.
pub fn call_method(receiver: &Value, method: &Method, args: &[Value]) -> Result<Value, CallError> {
    let name = method.function.name;
    let result = match receiver {
        Value::Time(time) => call_time(time, name, args),
        Value::Duration(duration) => call_duration(*duration, name, args),
        Value::Month(_) | Value::Weekday(_) if name == "String" => Some(text_of(receiver)),
        _ => None,
    };
    result.ok_or_else(|| {
        let kind = receiver.type_name();
        CallError::failed(format!("{kind} has no method {name} with these arguments"))
    })
}

fn text_of(receiver: &Value) -> Value {
    match receiver {
        Value::Month(month) => Value::text(super::month_name(*month)),
        Value::Weekday(weekday) => Value::text(super::weekday_name(*weekday)),
        _ => Value::Nil,
    }
}

fn in_zone(time: &Time, utc: bool) -> Value {
    time_value(Time {
        utc,
        ..time.clone()
    })
}

fn time_value(time: Time) -> Value {
    Value::Time(Rc::new(time))
}

fn call_time(time: &Time, name: &str, args: &[Value]) -> Option<Value> {
    let civil = || Civil::of(time);
    let instant = (time.seconds, time.nanos);
    Some(match (name, args) {
        ("Add", [Value::Duration(step)]) => time_value(time.add(*step)),
        ("AddDate", [Value::Int(years), Value::Int(months), Value::Int(days)]) => {
            time_value(time.add_date(*years, *months, *days))
        }
        ("After", [Value::Time(other)]) => Value::Bool(instant > (other.seconds, other.nanos)),
        ("Before", [Value::Time(other)]) => Value::Bool(instant < (other.seconds, other.nanos)),
        ("Equal", [Value::Time(other)]) => Value::Bool(instant == (other.seconds, other.nanos)),
        ("Format", [Value::Str(layout)]) => Value::text(time.format(layout.as_bytes())),
        ("Round", [Value::Duration(multiple)]) => time_value(time.round(*multiple)),
        ("Sub", [Value::Time(other)]) => Value::Duration(time.sub(other)),
        ("Truncate", [Value::Duration(multiple)]) => time_value(time.truncate(*multiple)),
        ("Day", []) => Value::Int(civil().day.into()),
        ("GoString", []) => Value::text(time.to_go()),
        ("Hour", []) => Value::Int(civil().hour.into()),
        ("IsZero", []) => Value::Bool(instant == (ZERO, 0)),
        ("Local", []) => in_zone(time, false),
        ("Minute", []) => Value::Int(civil().minute.into()),
        ("Month", []) => Value::Month(civil().month),
        ("Nanosecond", []) => Value::Int(time.nanos.into()),
        ("Second", []) => Value::Int(civil().second.into()),
        ("String", []) => Value::text(time.to_text()),
        ("UTC", []) => in_zone(time, true),
        ("Unix", []) => Value::Int64(time.seconds),
        ("UnixMicro", []) => Value::Int64(super::narrow(time.unix_nanos().div_euclid(1_000))),
        ("UnixMilli", []) => Value::Int64(super::narrow(time.unix_nanos().div_euclid(1_000_000))),
        ("UnixNano", []) => Value::Int64(super::narrow(time.unix_nanos())),
        ("Weekday", []) => Value::Weekday(civil().weekday),
        ("Year", []) => Value::Int(civil().year),
        ("YearDay", []) => Value::Int(civil().yday.into()),
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

#[cfg(test)]
mod tests {
    use super::super::tests::utc;
    use super::*;
    use crate::template::value::Str;

    fn call(receiver: &Value, name: &str, args: &[Value]) -> Value {
        let method = method(receiver, name.as_bytes()).expect(name);
        call_method(receiver, method, args).expect(name)
    }

    /// What a method gives, as its Go type and text.
    fn show(receiver: &Value, name: &str, args: &[Value]) -> String {
        let value = call(receiver, name, args);
        let text = match &value {
            Value::Time(time) => String::from_utf8_lossy(&time.to_text()).into_owned(),
            Value::Str(text) => text.to_text().into_owned(),
            Value::Int(number) | Value::Int64(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            Value::Duration(_) | Value::Month(_) | Value::Weekday(_) => show(&value, "String", &[]),
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
            let found = method(&time, name.as_bytes()).map(|method| method.results);
            assert_eq!(found, Some(results), "{name}");
        }
        assert!(method(&time, b"Nope").is_none());
        assert!(method(&Value::Int(1), b"String").is_none());
    }

    #[test]
    fn wrong_arguments_are_an_error() {
        let time = time_value(utc(0, 0));
        for method in TIME {
            let args = [Value::Nil, Value::Nil, Value::Nil, Value::Nil];
            assert!(call_method(&time, method, &args).is_err(), "{method:?}");
        }
    }
}
