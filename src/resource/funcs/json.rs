//! JSON as Go's encoding/json reads and writes it, error words included: text in, values out, and
//! back.

mod decode;
mod encode;

use crate::template::CallError;

pub(super) use decode::{Want, decode};
pub(super) use encode::encode;

fn failed(message: String) -> CallError {
    CallError::failed(message)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::go::time::{Local, Time, Zone};
    use crate::template::value::{Pair, Str};
    use crate::template::{Budget, Limit, Value};

    fn read(text: &[u8], want: Want) -> Result<Value, CallError> {
        decode(text, want, &mut Budget::default())
    }

    fn round(text: &str) -> String {
        let value = read(text.as_bytes(), Want::Any).expect(text);
        let bytes = encode(&value, false, &mut Budget::default()).expect(text);
        String::from_utf8(bytes).expect(text)
    }

    #[test]
    fn what_is_read_is_written() {
        for (text, want) in [
            (
                r#" { "b" : [1, 2.50, -0, 1e3] , "a":null,"b":[true,false,{}] } "#,
                r#"{"a":null,"b":[true,false,{}]}"#,
            ),
            (
                "[1e21,1e-7,1e20,0.000001,123456789,-0]",
                "[1e+21,1e-7,100000000000000000000,0.000001,123456789,-0]",
            ),
            (
                r#""\u4e2d\n\b\f\/<>&\u2028\ud83d\ude00\ud83dx\udc00""#,
                "\"中\\n\\u0008\\u000c/\\u003c\\u003e\\u0026\\u2028😀\u{fffd}x\u{fffd}\"",
            ),
            (r#""\ud83d\ud83d\ude00""#, "\"\u{fffd}😀\""),
            ("[]", "[]"),
        ] {
            assert_eq!(round(text), want, "{text}");
        }
        let Ok(Value::Str(text)) = read(b"\"\xff\xe4x\"", Want::Any) else {
            panic!()
        };
        assert_eq!(text.to_text(), "\u{fffd}\u{fffd}x");
        let written = encode(
            &Value::Str(b"\xff"[..].into()),
            false,
            &mut Budget::default(),
        );
        assert_eq!(written, Ok(b"\"\\ufffd\"".to_vec()));
    }

    #[test]
    fn errors_are_gos() {
        for (text, want) in [
            ("", "unexpected end of JSON input"),
            (" ", "unexpected end of JSON input"),
            ("[1,2", "unexpected end of JSON input"),
            ("\"a", "unexpected end of JSON input"),
            ("{", "unexpected end of JSON input"),
            ("{\"a\"", "unexpected end of JSON input"),
            ("{\"a\":", "unexpected end of JSON input"),
            ("x", "invalid character 'x' looking for beginning of value"),
            (
                "\u{e9}",
                "invalid character 'Ã' looking for beginning of value",
            ),
            (
                "'",
                r"invalid character '\'' looking for beginning of value",
            ),
            ("[\"]", "unexpected end of JSON input"),
            (
                "[1,]",
                "invalid character ']' looking for beginning of value",
            ),
            ("[1 2]", "invalid character '2' after array element"),
            (
                "{1}",
                "invalid character '1' looking for beginning of object key string",
            ),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            (
                "{\"a\":01}",
                "invalid character '1' after object key:value pair",
            ),
            (
                "{\"a\":1,}",
                "invalid character '}' looking for beginning of object key string",
            ),
            ("1 x", "invalid character 'x' after top-level value"),
            (
                "tru",
                "invalid character ' ' in literal true (expecting 'e')",
            ),
            (
                "nul]",
                "invalid character ']' in literal null (expecting 'l')",
            ),
            ("-", "invalid character ' ' in numeric literal"),
            (
                "1.e",
                "invalid character 'e' after decimal point in numeric literal",
            ),
            ("1e", "invalid character ' ' in exponent of numeric literal"),
            ("\"\n\"", r"invalid character '\n' in string literal"),
            ("\"\\x\"", "invalid character 'x' in string escape code"),
            (
                "\"\\u12\"",
                "invalid character '\"' in \\u hexadecimal character escape",
            ),
            (
                "[1e400,2e400]",
                "json: cannot unmarshal number 1e400 into Go value of type float64",
            ),
            (
                "[1e400,]",
                "invalid character ']' looking for beginning of value",
            ),
        ] {
            assert_eq!(
                read(text.as_bytes(), Want::Any).err(),
                Some(failed(want.to_owned())),
                "{text}"
            );
        }
    }

    #[test]
    fn the_wanted_kind_or_null() {
        let refused = |text: &[u8], want| match read(text, want) {
            Err(error) => error.to_string(),
            Ok(value) => format!("{value:?}"),
        };
        for (text, kind) in [
            ("[1e400]", "array"),
            ("\"s\"", "string"),
            ("5", "number"),
            ("true", "bool"),
        ] {
            let want = format!(
                "json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
            );
            assert_eq!(refused(text.as_bytes(), Want::Object), want);
        }
        assert_eq!(
            refused(b"{}", Want::Array),
            "json: cannot unmarshal object into Go value of type []interface {}"
        );
        let nil =
            read(b"null", Want::Object).and_then(|map| encode(&map, false, &mut Budget::default()));
        assert_eq!(nil, Ok(b"null".to_vec()));
    }

    #[test]
    fn depth_and_size_have_limits() {
        let deep = |levels| "[".repeat(levels) + &"]".repeat(levels);
        assert!(read(deep(500).as_bytes(), Want::Any).is_ok());
        assert_eq!(
            read(deep(501).as_bytes(), Want::Any).err(),
            Some(failed("exceeded max depth".to_owned()))
        );
        assert!(read("[".repeat(1_000_000).as_bytes(), Want::Any).is_err());
        let mut budget = Budget {
            bytes: 1000,
            ..Budget::default()
        };
        let long = format!("[{}1]", "1,".repeat(100));
        assert_eq!(
            decode(long.as_bytes(), Want::Any, &mut budget).err(),
            Some(Limit::Bytes.into())
        );
    }

    #[test]
    fn times_zones_and_bytes() {
        let time = |seconds| Time {
            seconds,
            nanos: 0,
            utc: true,
            local: Local::new(Zone::utc()),
        };
        let written = |value| match encode(&value, false, &mut Budget::default()) {
            Ok(text) => String::from_utf8_lossy(&text).into_owned(),
            Err(error) => error.to_string(),
        };
        let zone = Value::Location(Rc::new(time(0).location()));
        assert_eq!(written(zone), "{}");
        assert_eq!(written(Value::Bytes(b"ab"[..].into())), "\"YWI=\"");
        let first = Value::Time(Rc::new(time(0)));
        assert_eq!(written(first), "\"1970-01-01T00:00:00Z\"");
        let late = Value::Time(Rc::new(time(253_402_300_800)));
        assert!(written(late).ends_with("Time.MarshalJSON: year outside of range [0,9999]"));
    }

    #[test]
    fn structs_and_lines() {
        let pair = Pair {
            key: "/k".into(),
            value: "<v>".into(),
        };
        let pairs = Value::Pairs([pair].into());
        let entries = [("e", Value::list(vec![]).unwrap()), ("p", pairs)];
        let map = Value::map(entries.map(|(k, v)| (Str::from(k), v)).into()).unwrap();
        let text = |pretty| {
            String::from_utf8(encode(&map, pretty, &mut Budget::default()).unwrap()).unwrap()
        };
        assert_eq!(
            text(false),
            r#"{"e":[],"p":[{"Key":"/k","Value":"\u003cv\u003e"}]}"#
        );
        let lines = [
            "{",
            "  \"e\": [],",
            "  \"p\": [",
            "    {",
            "      \"Key\": \"/k\",",
            "      \"Value\": \"\\u003cv\\u003e\"",
            "    }",
            "  ]",
            "}",
        ];
        assert_eq!(text(true), lines.join("\n"));
        assert_eq!(
            encode(&Value::Float(f64::INFINITY), false, &mut Budget::default()).err(),
            Some(failed("json: unsupported value: +Inf".to_owned()))
        );
    }
}
