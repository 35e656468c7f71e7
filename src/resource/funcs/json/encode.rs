//! Writing JSON as Go's `json.Marshal` does: a value in, bytes out.

use base64::prelude::{BASE64_STANDARD, Engine};

use super::failed;
use crate::go::strconv;
use crate::go::utf8;
use crate::template::structs::Field;
use crate::template::value::{Map, Pair, Service, Str};
use crate::template::{Budget, CallError, Value};

/// The error of a time whose year does not have four digits.
const BEYOND: &str = "json: error calling MarshalJSON for type time.Time: Time.MarshalJSON: \
                      year outside of range [0,9999]";

/// `json.Marshal`, or with `pretty` `json.MarshalIndent(v, "", "  ")`. Keys are sorted, HTML's
/// characters escaped.
pub(crate) fn encode(
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
            Value::Time(moment) => match moment.marshal_text() {
                Some(text) => self.string(&text.into()),
                None => return Err(failed(BEYOND.to_owned())),
            },
            Value::Location(_) => self.plain("{}"),
            Value::Bytes(bytes) => self.string(&BASE64_STANDARD.encode(bytes).into()),
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
        self.fields(pair, Pair::FIELDS)
    }

    fn service(&mut self, service: &Service) -> Result<(), CallError> {
        self.fields(service, Service::FIELDS)
    }

    /// A struct: its fields in their own order.
    fn fields<T>(&mut self, value: &T, fields: &[Field<T>]) -> Result<(), CallError> {
        self.out.push(b'{');
        self.deeper(1);
        for (index, field) in fields.iter().enumerate() {
            self.key(&Str::from(field.name), index == 0);
            self.value(&(field.get)(value))?;
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
