//! JSON as Go's encoding/json reads and writes it, error words included: text in, values out, and back.

use std::collections::BTreeMap;

use super::too_deep;
use crate::template::strconv;
use crate::template::value::{MAX_DEPTH, Map, Pair, Service, Str};
use crate::template::{Budget, CallError, Value, utf8};

/// How `time.Time` marshals itself.
pub(super) const RFC3339_NANO: &[u8] = b"2006-01-02T15:04:05.999999999Z07:00";

/// What the text must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    Any,
    /// An object, or `null` for a nil map.
    Object,
    /// An array, or `null` for a nil list.
    Array,
}

/// `json.Unmarshal`. Numbers become float64, of repeated keys the last counts.
pub(super) fn decode(text: &[u8], want: Want, budget: &mut Budget) -> Result<Value, CallError> {
    let mut decoder = Decoder {
        text,
        pos: 0,
        depth: 0,
        bad_number: None,
        budget,
    };
    decoder.skip_space();
    let found = decoder.value()?;
    decoder.skip_space();
    if decoder.peek().is_some() {
        return Err(decoder.unexpected("after top-level value"));
    }
    let (bad_number, go_type) = (decoder.bad_number, want.go_type());
    match (want, &found) {
        (Want::Object, Value::Nil) => return Ok(Value::nil_map()),
        (Want::Array, Value::Nil) => return Ok(Value::nil_list()),
        (Want::Any, _) | (Want::Object, Value::Map(_)) | (Want::Array, Value::List(_)) => {}
        _ => {
            return Err(failed(format!(
                "json: cannot unmarshal {} into Go value of type {go_type}",
                kind(&found)
            )));
        }
    }
    match bad_number {
        None => Ok(found),
        Some(number) => Err(failed(format!(
            "json: cannot unmarshal number {number} into Go value of type float64"
        ))),
    }
}

impl Want {
    fn go_type(self) -> &'static str {
        match self {
            Want::Any => "interface {}",
            Want::Object => "map[string]interface {}",
            Want::Array => "[]interface {}",
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Map(_) => "object",
        Value::List(_) => "array",
        Value::Str(_) => "string",
        Value::Bool(_) => "bool",
        _ => "number",
    }
}

struct Decoder<'t, 'b> {
    text: &'t [u8],
    pos: usize,
    depth: u32,
    /// The first number too large for a float64: an error, but only if the syntax is right to the end.
    bad_number: Option<String>,
    budget: &'b mut Budget,
}

impl Decoder<'_, '_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.pos).copied()
    }

    fn accept(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.pos += usize::from(found);
        found
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek() {
            self.pos += 1;
        }
    }

    /// The next byte does not belong here, where blanks would.
    fn unexpected(&self, place: &str) -> CallError {
        match self.peek() {
            Some(_) => self.invalid(place),
            None => failed("unexpected end of JSON input".to_owned()),
        }
    }

    /// The next byte does not belong here; the end counts as a blank, as in Go.
    fn invalid(&self, place: &str) -> CallError {
        let shown = match self.peek().unwrap_or(b' ') {
            b'\'' => r"'\''".to_owned(),
            b'"' => "'\"'".to_owned(),
            byte => {
                // Go takes the byte for a character's number.
                let quoted = strconv::quote(char::from(byte).encode_utf8(&mut [0; 4]).as_bytes());
                let inside = quoted.get(1..quoted.len() - 1).unwrap_or_default();
                format!("'{}'", String::from_utf8_lossy(inside))
            }
        };
        failed(format!("invalid character {shown} {place}"))
    }

    /// A value and its place in memory.
    fn value(&mut self) -> Result<Value, CallError> {
        self.budget.spend_bytes(size_of::<Value>())?;
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => Ok(Value::Str(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Nil),
            _ => Err(self.unexpected("looking for beginning of value")),
        }
    }

    fn nested(
        &mut self,
        read: fn(&mut Self) -> Result<Value, CallError>,
    ) -> Result<Value, CallError> {
        if self.depth >= MAX_DEPTH {
            return Err(failed("exceeded max depth".to_owned()));
        }
        self.depth += 1;
        self.pos += 1;
        let found = read(self);
        self.depth -= 1;
        found
    }

    fn object(&mut self) -> Result<Value, CallError> {
        let mut entries = BTreeMap::new();
        self.skip_space();
        if self.accept(b'}') {
            return Value::map(entries).map_err(too_deep);
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("looking for beginning of object key string"));
            }
            let key = self.string()?;
            self.skip_space();
            if !self.accept(b':') {
                return Err(self.unexpected("after object key"));
            }
            self.skip_space();
            let value = self.value()?;
            entries.insert(key, value);
            self.skip_space();
            if self.accept(b'}') {
                return Value::map(entries).map_err(too_deep);
            }
            if !self.accept(b',') {
                return Err(self.unexpected("after object key:value pair"));
            }
        }
    }

    fn array(&mut self) -> Result<Value, CallError> {
        let mut items = Vec::new();
        self.skip_space();
        if self.accept(b']') {
            return Value::list(items).map_err(too_deep);
        }
        loop {
            self.skip_space();
            items.push(self.value()?);
            self.skip_space();
            if self.accept(b']') {
                return Value::list(items).map_err(too_deep);
            }
            if !self.accept(b',') {
                return Err(self.unexpected("after array element"));
            }
        }
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value, CallError> {
        for expected in word.bytes() {
            if !self.accept(expected) {
                let expected = char::from(expected);
                return Err(self.invalid(&format!("in literal {word} (expecting '{expected}')")));
            }
        }
        Ok(value)
    }

    fn number(&mut self) -> Result<Value, CallError> {
        let start = self.pos;
        self.accept(b'-');
        if !self.accept(b'0') {
            self.digits("in numeric literal")?;
        }
        if self.accept(b'.') {
            self.digits("after decimal point in numeric literal")?;
        }
        if self.accept(b'e') || self.accept(b'E') {
            if !self.accept(b'+') {
                self.accept(b'-');
            }
            self.digits("in exponent of numeric literal")?;
        }
        let literal = self.text.get(start..self.pos).unwrap_or_default();
        match strconv::parse_float(literal) {
            Ok(number) => Ok(Value::Float(number)),
            Err(_) => {
                let literal = String::from_utf8_lossy(literal).into_owned();
                self.bad_number.get_or_insert(literal);
                Ok(Value::Float(0.0))
            }
        }
    }

    /// One digit or more.
    fn digits(&mut self, place: &str) -> Result<(), CallError> {
        let start = self.pos;
        while let Some(b'0'..=b'9') = self.peek() {
            self.pos += 1;
        }
        if self.pos == start {
            Err(self.invalid(place))
        } else {
            Ok(())
        }
    }

    /// A quoted string; what is not UTF-8 in it becomes U+FFFD.
    fn string(&mut self) -> Result<Str, CallError> {
        self.pos += 1;
        let mut out = Vec::new();
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    self.pos += 1;
                    self.escape(&mut out)?;
                }
                Some(b' '..=b'~') => {
                    let rest = self.text.get(self.pos..).unwrap_or_default();
                    let plain =
                        |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
                    let length = rest.iter().take_while(|byte| plain(byte)).count();
                    out.extend_from_slice(&rest[..length]);
                    self.pos += length;
                }
                Some(0x7f..) => {
                    let (found, width) =
                        utf8::decode(self.text.get(self.pos..).unwrap_or_default());
                    utf8::push(&mut out, found);
                    self.pos += width;
                }
                Some(_) => return Err(self.invalid("in string literal")),
                None => return Err(self.unexpected("")),
            }
        }
        self.pos += 1;
        self.budget.spend_bytes(out.len() + size_of::<Str>())?;
        Ok(out.into())
    }

    /// What follows a backslash.
    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), CallError> {
        let byte = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                self.pos += 1;
                let unit = self.hex4()?;
                utf8::push(out, self.surrogates(unit));
                return Ok(());
            }
            _ => return Err(self.invalid("in string escape code")),
        };
        out.push(byte);
        self.pos += 1;
        Ok(())
    }

    fn hex4(&mut self) -> Result<u32, CallError> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            match digit {
                Some(digit) => unit = unit * 16 + digit,
                None => return Err(self.invalid("in \\u hexadecimal character escape")),
            }
            self.pos += 1;
        }
        Ok(unit)
    }

    /// The character of a UTF-16 unit, and of the next one when both make a pair.
    fn surrogates(&mut self, unit: u32) -> char {
        let rest = self.text.get(self.pos..).unwrap_or_default();
        if let (0xD800..=0xDBFF, [b'\\', b'u', ..]) = (unit, rest) {
            let start = self.pos;
            self.pos += 2;
            if let Ok(low @ 0xDC00..=0xDFFF) = self.hex4() {
                return utf8::from_number(u64::from(
                    0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00),
                ));
            }
            self.pos = start;
        }
        utf8::from_number(u64::from(unit))
    }
}

/// `json.Marshal`, or with `pretty` `json.MarshalIndent(v, "", "  ")`. Keys are sorted, HTML's characters escaped.
pub(super) fn encode(
    value: &Value,
    pretty: bool,
    budget: &mut Budget,
) -> Result<Vec<u8>, CallError> {
    let mut encoder = Encoder {
        out: Vec::new(),
        charged: 0,
        indent: pretty.then_some(0),
        budget,
    };
    encoder.value(value)?;
    encoder.charge()?;
    Ok(encoder.out)
}

struct Encoder<'b> {
    out: Vec<u8>,
    /// How much of `out` the budget knows of.
    charged: usize,
    /// How many levels deep, when every element has a line of its own.
    indent: Option<usize>,
    budget: &'b mut Budget,
}

impl Encoder<'_> {
    fn charge(&mut self) -> Result<(), CallError> {
        self.budget.spend_bytes(self.out.len() - self.charged)?;
        self.charged = self.out.len();
        Ok(())
    }

    fn value(&mut self, value: &Value) -> Result<(), CallError> {
        match value {
            Value::Nil => self.plain("null"),
            Value::Bool(yes) => self.plain(if *yes { "true" } else { "false" }),
            Value::Int(number) | Value::Int64(number) | Value::Duration(number) => {
                self.plain(&number.to_string())
            }
            Value::Uint8(number) | Value::Month(number) | Value::Weekday(number) => {
                self.plain(&number.to_string())
            }
            Value::Uint16(number) => self.plain(&number.to_string()),
            Value::Float(number) => return self.float(*number),
            Value::Complex(..) => {
                return Err(failed("json: unsupported type: complex128".to_owned()));
            }
            Value::Str(text) => self.string(text),
            Value::Time(moment) => self.string(&moment.format(RFC3339_NANO).into()),
            Value::Strings(items) => {
                return self.array(items.iter(), |encoder, item| {
                    encoder.string(item);
                    Ok(())
                });
            }
            Value::List(list) if list.is_nil() => self.plain("null"),
            Value::List(list) => return self.array(list.items().iter(), Self::value),
            Value::Map(map) if map.is_nil() => self.plain("null"),
            Value::Map(map) => return self.map(map),
            Value::Pair(pair) => return self.pair(pair),
            Value::Pairs(pairs) => return self.array(pairs.iter(), Self::pair),
            Value::Service(service) => return self.service(service),
            Value::Services(services) => return self.array(services.iter(), Self::service),
        }
        self.charge()
    }

    fn plain(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// The start of a line, when lines are wanted.
    fn line(&mut self) {
        if let Some(level) = self.indent {
            self.out.push(b'\n');
            self.out.extend(std::iter::repeat_n(b' ', level * 2));
        }
    }

    fn deeper(&mut self, by: isize) {
        self.indent = self.indent.map(|level| level.saturating_add_signed(by));
    }

    fn array<'v, T: 'v>(
        &mut self,
        items: impl Iterator<Item = &'v T>,
        mut element: impl FnMut(&mut Self, &'v T) -> Result<(), CallError>,
    ) -> Result<(), CallError> {
        self.out.push(b'[');
        self.deeper(1);
        let mut empty = true;
        for item in items {
            if !std::mem::replace(&mut empty, false) {
                self.out.push(b',');
            }
            self.line();
            element(self, item)?;
        }
        self.close(b']', empty)
    }

    fn close(&mut self, bracket: u8, empty: bool) -> Result<(), CallError> {
        self.deeper(-1);
        if !empty {
            self.line();
        }
        self.out.push(bracket);
        self.charge()
    }

    fn map(&mut self, map: &Map) -> Result<(), CallError> {
        self.out.push(b'{');
        self.deeper(1);
        for (index, (key, value)) in map.entries().iter().enumerate() {
            self.key(key, index == 0);
            self.value(value)?;
        }
        self.close(b'}', map.entries().is_empty())
    }

    fn key(&mut self, key: &Str, first: bool) {
        if !first {
            self.out.push(b',');
        }
        self.line();
        self.string(key);
        self.plain(if self.indent.is_some() { ": " } else { ":" });
    }

    fn pair(&mut self, pair: &Pair) -> Result<(), CallError> {
        let fields = [
            ("Key", Value::Str(pair.key.clone())),
            ("Value", Value::Str(pair.value.clone())),
        ];
        self.fields(&fields)
    }

    fn service(&mut self, service: &Service) -> Result<(), CallError> {
        self.fields(&[
            ("Target", Value::Str(service.target.clone())),
            ("Port", Value::Uint16(service.port)),
            ("Priority", Value::Uint16(service.priority)),
            ("Weight", Value::Uint16(service.weight)),
        ])
    }

    /// A struct: its fields in their own order.
    fn fields(&mut self, fields: &[(&str, Value)]) -> Result<(), CallError> {
        self.out.push(b'{');
        self.deeper(1);
        for (index, (name, value)) in fields.iter().enumerate() {
            self.key(&Str::from(*name), index == 0);
            self.value(value)?;
        }
        self.close(b'}', false)
    }

    /// As ES6 prints numbers: an exponent below 1e-6 and from 1e21 on.
    fn float(&mut self, number: f64) -> Result<(), CallError> {
        if !number.is_finite() {
            let shown = strconv::format_float(number, b'g', None);
            let shown = String::from_utf8_lossy(&shown);
            return Err(failed(format!("json: unsupported value: {shown}")));
        }
        let size = number.abs();
        let exponent = size != 0.0 && !(1e-6..1e21).contains(&size);
        let mut text = strconv::format_float(number, if exponent { b'e' } else { b'f' }, None);
        if let [.., b'e', b'-', b'0', _] = text[..] {
            // e-09 is written e-9.
            text.remove(text.len() - 2);
        }
        self.out.extend_from_slice(&text);
        self.charge()
    }

    fn string(&mut self, text: &Str) {
        self.out.push(b'"');
        for (found, width) in utf8::chars(text.as_bytes()) {
            match found {
                '"' | '\\' => self.out.extend_from_slice(&[b'\\', found as u8]),
                '\n' => self.plain("\\n"),
                '\r' => self.plain("\\r"),
                '\t' => self.plain("\\t"),
                '\0'..='\x1f' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                    self.plain(&format!("\\u{:04x}", u32::from(found)));
                }
                utf8::ERROR if width == 1 => self.plain("\\ufffd"),
                _ => utf8::push(&mut self.out, found),
            }
        }
        self.out.push(b'"');
    }
}

fn failed(message: String) -> CallError {
    CallError::Failed(message)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            Err(CallError::Failed(message)) => message,
            other => format!("{other:?}"),
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
        assert!(matches!(
            decode(long.as_bytes(), Want::Any, &mut budget),
            Err(CallError::Limit(_))
        ));
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
