//! YAML as yaml.v2 prints it, the way the original's version of 2017 does: values in, block style
//! out.
//!
//! `yaml/scalar.rs` decides how a string is quoted; here is the layout: indents, lists, maps, and
//! lines that are folded once they are past column 80. The names and flags are libyaml's, whose
//! emitter has them, too.

mod scalar;

use self::scalar::{Analysis, Style};
use crate::go::strconv;
use crate::go::time::duration;
use crate::go::utf8;
use crate::template::structs::Field;
use crate::template::value::{Map, Pair, Service, Str};
use crate::template::{Budget, CallError, Value};

/// Spaces of one level.
const INDENT: usize = 2;
/// The column after which a space may become a line break.
const WIDTH: usize = 80;
/// The longest key that stands before its `:` on one line.
const SIMPLE_KEY: usize = 128;

/// The error of a time whose year does not have four digits.
const BEYOND: &str = "Time.MarshalText: year outside of range [0,9999]";

/// `yaml.Marshal`: always ends with a newline.
pub(super) fn encode(value: &Value, budget: &mut Budget) -> Result<Vec<u8>, CallError> {
    let mut emitter = Emitter {
        out: Vec::new(),
        charged: 0,
        column: 0,
        indent: None,
        whitespace: true,
        indention: true,
        budget,
    };
    emitter.node(value, Context::Root)?;
    emitter.write_indent();
    emitter.charge()?;
    Ok(emitter.out)
}

/// The place of a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    Root,
    Sequence,
    Mapping,
    /// A key on one line with its `:`.
    SimpleKey,
}

struct Emitter<'b> {
    out: Vec<u8>,
    /// How much of `out` the budget knows of.
    charged: usize,
    /// Characters since the last line break.
    column: usize,
    /// The column where lines of this block begin; none outside of any block.
    indent: Option<usize>,
    /// True if the last thing written was blank.
    whitespace: bool,
    /// True if nothing but indicators of blocks stands on this line.
    indention: bool,
    budget: &'b mut Budget,
}

impl Emitter<'_> {
    fn charge(&mut self) -> Result<(), CallError> {
        self.budget.spend_bytes(self.out.len() - self.charged)?;
        self.charged = self.out.len();
        Ok(())
    }

    fn node(&mut self, value: &Value, context: Context) -> Result<(), CallError> {
        match value {
            Value::Str(text) => self.string(text, context),
            Value::Strings(items) => {
                return self.sequence(items, context, |emitter, text, context| {
                    emitter.string(text, context);
                    emitter.charge()
                });
            }
            Value::List(list) => return self.sequence(list.items(), context, Self::node),
            Value::Pairs(pairs) => return self.sequence(pairs, context, Self::pair),
            Value::Services(services) => return self.sequence(services, context, Self::service),
            Value::Map(map) => return self.mapping(map),
            Value::Pair(pair) => return self.pair(pair, context),
            Value::Service(service) => return self.service(service, context),
            Value::Time(moment) => match moment.marshal_text() {
                Some(text) => self.string(&text.into(), context),
                None => return Err(CallError::failed(BEYOND.to_owned())),
            },
            Value::Duration(nanos) => self.string(&duration::to_text(*nanos).into(), context),
            Value::Location(_) => return self.empty("{}"),
            Value::Bytes(bytes) => return self.sequence(bytes, context, Self::byte),
            other => self.plain(&plain_text(other)?, true),
        }
        self.charge()
    }

    fn pair(&mut self, pair: &Pair, _: Context) -> Result<(), CallError> {
        self.fields(pair, Pair::FIELDS)
    }

    fn service(&mut self, service: &Service, _: Context) -> Result<(), CallError> {
        self.fields(service, Service::FIELDS)
    }

    fn byte(&mut self, byte: &u8, _: Context) -> Result<(), CallError> {
        self.plain(&byte.to_string(), true);
        self.charge()
    }

    /// A struct: `key: /a` and so on; the names are those of the fields in lower case.
    fn fields<T>(&mut self, value: &T, fields: &[Field<T>]) -> Result<(), CallError> {
        self.block(false, |emitter| {
            fields.iter().try_for_each(|field| {
                let name = field.name.to_ascii_lowercase();
                emitter.entry(&Str::from(name), &(field.get)(value))
            })
        })
    }

    fn sequence<T>(
        &mut self,
        items: &[T],
        context: Context,
        element: fn(&mut Self, &T, Context) -> Result<(), CallError>,
    ) -> Result<(), CallError> {
        if items.is_empty() {
            return self.empty("[]");
        }
        // A list below a key is not indented further.
        let indentless = context == Context::Mapping && !self.indention;
        self.block(indentless, |emitter| {
            items.iter().try_for_each(|item| {
                emitter.write_indent();
                emitter.indicator("-", true, true);
                element(emitter, item, Context::Sequence)
            })
        })
    }

    fn mapping(&mut self, map: &Map) -> Result<(), CallError> {
        if map.entries().is_empty() {
            return self.empty("{}");
        }
        let keys = scalar::sorted(map.entries().keys().collect(), self.budget)?;
        self.block(false, |emitter| {
            keys.iter()
                .try_for_each(|key| match map.entries().get(*key) {
                    Some(value) => emitter.entry(key, value),
                    None => Ok(()),
                })
        })
    }

    fn entry(&mut self, key: &Str, value: &Value) -> Result<(), CallError> {
        self.write_indent();
        if scalar::length_on_one_line(key).is_some_and(|length| length <= SIMPLE_KEY) {
            self.string(key, Context::SimpleKey);
            self.indicator(":", false, false);
        } else {
            self.indicator("?", true, true);
            self.string(key, Context::Mapping);
            self.write_indent();
            self.indicator(":", true, true);
        }
        self.node(value, Context::Mapping)
    }

    fn empty(&mut self, brackets: &str) -> Result<(), CallError> {
        self.indicator(brackets, true, false);
        self.charge()
    }

    /// One level further in.
    fn block(
        &mut self,
        indentless: bool,
        body: impl FnOnce(&mut Self) -> Result<(), CallError>,
    ) -> Result<(), CallError> {
        let outer = self.indent;
        self.indent = match outer {
            None => Some(0),
            Some(column) if indentless => Some(column),
            Some(column) => Some(column + INDENT),
        };
        body(self)?;
        self.indent = outer;
        self.charge()
    }

    fn string(&mut self, text: &Str, context: Context) {
        let scalar = scalar::Scalar::new(text.as_bytes());
        if let Some(tag) = scalar.tag {
            self.indicator(tag, true, false);
        }
        let outer = self.indent;
        self.indent = Some(outer.map_or(INDENT, |column| column + INDENT));
        let breaks = context != Context::SimpleKey;
        match Analysis::of(&scalar.text).allowed(scalar.style, !breaks) {
            Style::Plain => self.plain(&scalar.text, breaks),
            Style::Single => self.single_quoted(&scalar.text, breaks),
            Style::Double => self.double_quoted(&scalar.text, breaks),
            Style::Literal => self.literal(&scalar.text),
        }
        self.indent = outer;
    }

    fn put(&mut self, found: char) {
        let mut bytes = [0; 4];
        self.out
            .extend_from_slice(found.encode_utf8(&mut bytes).as_bytes());
        self.column += 1;
    }

    fn put_break(&mut self) {
        self.out.push(b'\n');
        self.column = 0;
    }

    /// A line break of the string itself: other kinds of break stay what they are.
    fn write_break(&mut self, found: char) {
        utf8::push(&mut self.out, found);
        self.column = 0;
    }

    /// Goes to where a line of this block begins, on a new line if need be.
    fn write_indent(&mut self) {
        let indent = self.indent.unwrap_or(0);
        let beyond = self.column > indent || (self.column == indent && !self.whitespace);
        if !self.indention || beyond {
            self.put_break();
        }
        while self.column < indent {
            self.put(' ');
        }
        self.whitespace = true;
        self.indention = true;
    }

    fn indicator(&mut self, indicator: &str, need_whitespace: bool, is_indention: bool) {
        if need_whitespace && !self.whitespace {
            self.put(' ');
        }
        indicator.chars().for_each(|found| self.put(found));
        self.whitespace = false;
        self.indention &= is_indention;
    }

    fn plain(&mut self, text: &str, breaks: bool) {
        if !self.whitespace {
            self.put(' ');
        }
        let mut spaces = false;
        let mut rest = text.chars().peekable();
        while let Some(found) = rest.next() {
            let fold = breaks && !spaces && self.column > WIDTH && rest.peek() != Some(&' ');
            if found == ' ' && fold {
                self.write_indent();
            } else {
                self.put(found);
            }
            spaces = found == ' ';
        }
        self.whitespace = false;
        self.indention = false;
    }

    fn single_quoted(&mut self, text: &str, allow_breaks: bool) {
        self.indicator("'", true, false);
        let (mut spaces, mut breaks) = (false, false);
        let mut rest = text.char_indices().peekable();
        while let Some((index, found)) = rest.next() {
            let next = rest.peek().map(|(_, next)| *next);
            if found == ' ' {
                let inside = index > 0 && next.is_some_and(|next| next != ' ');
                if allow_breaks && !spaces && self.column > WIDTH && inside {
                    self.write_indent();
                } else {
                    self.put(' ');
                }
                spaces = true;
            } else if scalar::is_break(found) {
                if !breaks && found == '\n' {
                    self.put_break();
                }
                self.write_break(found);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                if found == '\'' {
                    self.put('\'');
                }
                self.put(found);
                self.indention = false;
                (spaces, breaks) = (false, false);
            }
        }
        self.indicator("'", false, false);
    }

    fn double_quoted(&mut self, text: &str, breaks: bool) {
        self.indicator("\"", true, false);
        // yaml.v2 looks for the mark at the beginning, whatever character it has come to.
        let byte_order_mark = text.starts_with('\u{feff}');
        let mut spaces = false;
        let mut rest = text.char_indices().peekable();
        while let Some((index, found)) = rest.next() {
            let next = rest.peek().map(|(_, next)| *next);
            let escaped = if byte_order_mark {
                Some(scalar::escape(found))
            } else {
                scalar::escaped(found)
            };
            if let Some(escaped) = escaped {
                escaped.chars().for_each(|found| self.put(found));
            } else if found == ' '
                && breaks
                && !spaces
                && self.column > WIDTH
                && index > 0
                && next.is_some()
            {
                self.write_indent();
                if next == Some(' ') {
                    self.put('\\');
                }
            } else {
                self.put(found);
            }
            spaces = found == ' ';
        }
        self.indicator("\"", false, false);
    }

    fn literal(&mut self, text: &str) {
        self.indicator("|", true, false);
        if text.starts_with(|first| first == ' ' || scalar::is_break(first)) {
            self.indicator(&INDENT.to_string(), false, false);
        }
        let mut ends = text.chars().rev();
        match (
            ends.next().map(scalar::is_break),
            ends.next().map(scalar::is_break),
        ) {
            (Some(true), Some(false)) => {}
            (Some(true), _) => self.indicator("+", false, false),
            _ => self.indicator("-", false, false),
        }
        self.put_break();
        self.indention = true;
        self.whitespace = true;
        let mut breaks = true;
        for found in text.chars() {
            if scalar::is_break(found) {
                self.write_break(found);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                self.put(found);
                self.indention = false;
                breaks = false;
            }
        }
    }
}

/// A value that is not a string and needs no quotes.
fn plain_text(value: &Value) -> Result<String, CallError> {
    Ok(match value {
        Value::Bool(yes) => yes.to_string(),
        Value::Int(number) | Value::Int64(number) => number.to_string(),
        Value::Uint8(number) | Value::Month(number) | Value::Weekday(number) => number.to_string(),
        Value::Uint16(number) => number.to_string(),
        Value::Float(number) => float_text(*number),
        Value::Complex(..) => {
            return Err(CallError::failed(
                "cannot marshal type: complex128".to_owned(),
            ));
        }
        _ => "null".to_owned(),
    })
}

/// This version of yaml.v2 prints no more digits than a float32 has.
fn float_text(number: f64) -> String {
    let short = number as f32;
    if short.is_nan() {
        ".nan".to_owned()
    } else if short.is_infinite() {
        if short > 0.0 { ".inf" } else { "-.inf" }.to_owned()
    } else {
        // The shortest text for the float32, read again, has just these digits as a float64.
        let digits: f64 = short.to_string().parse().unwrap_or(number);
        String::from_utf8_lossy(&strconv::format_float(digits, b'g', None)).into_owned()
    }
}

#[cfg(test)]
mod tests;
