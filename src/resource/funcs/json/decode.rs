//! Reading JSON as Go's `json.Unmarshal` does: bytes in, a value or Go's words for what is wrong
//! out.

use super::failed;
use crate::go::strconv;
use crate::go::utf8;
use crate::template::value::{MAX_DEPTH, Str};
use crate::template::{Budget, CallError, Value};

/// The kind of value that the text must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Any,
    /// An object, or `null` for a nil map.
    Object,
    /// An array, or `null` for a nil list.
    Array,
}

/// `json.Unmarshal`. Numbers become float64, of repeated keys the last counts.
pub(crate) fn decode(text: &[u8], want: Want, budget: &mut Budget) -> Result<Value, CallError> {
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
    /// The first number too large for a float64: an error, but only if the syntax is right to the
    /// end.
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
        let mut entries = Vec::new();
        self.skip_space();
        if self.accept(b'}') {
            return Value::map(entries).map_err(CallError::from);
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
            entries.push((key, value));
            self.skip_space();
            if self.accept(b'}') {
                return Value::map(entries).map_err(CallError::from);
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
            return Value::list(items).map_err(CallError::from);
        }
        loop {
            self.skip_space();
            items.push(self.value()?);
            self.skip_space();
            if self.accept(b']') {
                return Value::list(items).map_err(CallError::from);
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

    /// The rest of an escape sequence, after its backslash.
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
