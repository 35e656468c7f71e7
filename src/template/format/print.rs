//! How a value of each Go type answers a verb: Go's `printArg` and `printValue`, in one.

use super::super::value::{Pair, Service, Value};
use super::super::{Budget, Limit, structs};
use super::field::{Field, Integer};
use crate::go::time::{self, Location, Time, duration};

/// The number that stands for the address of anything: the output of a template must not depend on
/// where the memory lies.
const ADDRESS: u64 = 0xc0_0000_0000;

/// The output so far, and the verb's flags.
pub(super) struct Printer {
    pub field: Field,
    out: Vec<u8>,
    /// Bytes that `out` may grow to.
    limit: usize,
    /// Set while a wrong verb is reported: methods are not asked then, as in Go.
    complaining: bool,
}

impl Printer {
    /// Appends what `body` prints to `out` and charges it to the budget. What was printed before an
    /// error stays.
    pub(super) fn append(
        out: &mut Vec<u8>,
        budget: &mut Budget,
        body: impl FnOnce(&mut Printer) -> Result<(), Limit>,
    ) -> Result<(), Limit> {
        let before = out.len();
        let left = usize::try_from(budget.bytes).unwrap_or(usize::MAX);
        let mut printer = Printer {
            field: Field::default(),
            out: std::mem::take(out),
            limit: before.saturating_add(left),
            complaining: false,
        };
        let done = body(&mut printer);
        *out = printer.out;
        budget.bytes = budget.bytes.saturating_sub((out.len() - before) as u64);
        done
    }

    /// Returns the output of `body`, charged to the budget.
    pub(super) fn run(
        budget: &mut Budget,
        body: impl FnOnce(&mut Printer) -> Result<(), Limit>,
    ) -> Result<Vec<u8>, Limit> {
        let mut out = Vec::new();
        Printer::append(&mut out, budget, body)?;
        Ok(out)
    }

    /// Fails when this many more bytes would not fit; asked before they are made.
    pub(super) fn reserve(&self, bytes: usize) -> Result<(), Limit> {
        if bytes > self.limit - self.out.len() {
            return Err(Limit::Bytes);
        }
        Ok(())
    }

    /// Makes room for this many bytes, within the budget.
    pub(super) fn expect(&mut self, bytes: usize) {
        self.out.reserve(bytes.min(self.limit - self.out.len()));
    }

    pub(super) fn push(&mut self, text: &[u8]) -> Result<(), Limit> {
        self.reserve(text.len())?;
        self.out.extend_from_slice(text);
        Ok(())
    }

    pub(super) fn push_repeated(&mut self, byte: u8, count: usize) -> Result<(), Limit> {
        self.reserve(count)?;
        self.out.resize(self.out.len() + count, byte);
        Ok(())
    }

    /// `%!verb` and why.
    pub(super) fn push_complaint(&mut self, verb: char, reason: &str) -> Result<(), Limit> {
        self.push(b"%!")?;
        self.push(verb.encode_utf8(&mut [0; 4]).as_bytes())?;
        self.push(reason.as_bytes())
    }

    /// An operand: `%T`, `%p` and nil are special here, but not inside lists and maps.
    pub(super) fn print(&mut self, value: &Value, verb: char) -> Result<(), Limit> {
        match (value, verb) {
            (Value::Nil, 'T' | 'v') => self.pad(b"<nil>"),
            (Value::Nil, _) => self.push_complaint(verb, "(<nil>)"),
            (_, 'T') => self.string(value.type_name().as_bytes()),
            (_, 'p') => self.pointer(value),
            // Go calls the type by its other name where it is no part of a list.
            (Value::Bytes(bytes), 'v') if self.field.sharp_v => {
                self.push(b"[]byte{")?;
                self.print_items(bytes.len(), &mut byte_of(bytes, verb))?;
                self.push(b"}")
            }
            (Value::Service(service), _) if verb != 'w' => {
                self.push(b"&")?;
                self.print_service(service, verb)
            }
            _ => self.print_inner(value, verb),
        }
    }

    /// `%p`: only what Go holds by reference has an address.
    fn pointer(&mut self, value: &Value) -> Result<(), Limit> {
        match value {
            Value::Strings(_)
            | Value::List(_)
            | Value::Map(_)
            | Value::Pairs(_)
            | Value::Service(_)
            | Value::Services(_)
            | Value::Location(_)
            | Value::Bytes(_) => {
                self.field.sharp = !self.field.sharp;
                self.integer(Integer::unsigned(ADDRESS), 16, 'v')
            }
            _ => self.bad_verb(value, 'p'),
        }
    }

    /// A value at any depth; the depth is bounded by that of values.
    fn print_inner(&mut self, value: &Value, verb: char) -> Result<(), Limit> {
        if let Some(done) = self.print_by_method(value, verb) {
            return done;
        }
        match value {
            Value::Nil if self.field.sharp_v => self.push(b"interface {}(nil)"),
            Value::Nil => self.push(b"<nil>"),
            Value::List(list) if list.is_nil() && self.field.sharp_v => {
                self.push(b"[]interface {}(nil)")
            }
            Value::Map(map) if map.is_nil() && self.field.sharp_v => {
                self.push(b"map[string]interface {}(nil)")
            }
            Value::Bool(truth) => match verb {
                't' | 'v' => self.pad(if *truth { b"true" } else { b"false" }),
                _ => self.bad_verb(value, verb),
            },
            Value::Int(number) | Value::Int64(number) | Value::Duration(number) => {
                self.print_integer(value, Integer::signed(*number), verb)
            }
            Value::Month(number) | Value::Weekday(number) => {
                self.print_integer(value, Integer::signed(i64::from(*number)), verb)
            }
            Value::Uint8(number) => {
                self.print_integer(value, Integer::unsigned(u64::from(*number)), verb)
            }
            Value::Uint16(number) => {
                self.print_integer(value, Integer::unsigned(u64::from(*number)), verb)
            }
            Value::Float(number) => self.print_float(value, *number, verb),
            Value::Complex(real, imaginary) => self.print_complex(value, (*real, *imaginary), verb),
            Value::Str(text) => self.print_string(value, text.as_bytes(), verb),
            Value::Strings(items) => self.print_list(value, items.len(), |printer, place| {
                let item = items.get(place).cloned().map_or(Value::Nil, Value::Str);
                printer.print_inner(&item, verb)
            }),
            Value::List(list) => self.print_list(value, list.items().len(), |printer, place| {
                printer.print_inner(list.items().get(place).unwrap_or(&Value::Nil), verb)
            }),
            Value::Map(_) => self.print_map(value, verb),
            Value::Pair(pair) => self.print_pair(pair, verb),
            Value::Pairs(pairs) => self.print_list(value, pairs.len(), |printer, place| {
                pairs
                    .get(place)
                    .map_or(Ok(()), |pair| printer.print_pair(pair, verb))
            }),
            Value::Service(service) => self.print_service(service, verb),
            Value::Services(services) => {
                self.print_list(value, services.len(), |printer, place| {
                    // Go prints addresses here, which mean nothing to a reader.
                    printer.push(b"&")?;
                    services
                        .get(place)
                        .map_or(Ok(()), |service| printer.print_service(service, verb))
                })
            }
            Value::Time(time) => self.print_struct("time.Time", &**time, TIME, verb),
            Value::Location(location) => {
                self.push(b"&")?;
                self.print_struct("time.Location", &**location, LOCATION, verb)
            }
            Value::Bytes(bytes) => self.print_bytes(value, bytes, verb),
        }
    }

    /// Bytes as a string, or as a list of numbers.
    fn print_bytes(&mut self, value: &Value, bytes: &[u8], verb: char) -> Result<(), Limit> {
        if matches!(verb, 's' | 'q' | 'x' | 'X') {
            return self.print_string(value, bytes, verb);
        }
        self.print_list(value, bytes.len(), byte_of(bytes, verb))
    }

    /// Go's `handleMethods`: types with a `String` method print its result.
    fn print_by_method(&mut self, value: &Value, verb: char) -> Option<Result<(), Limit>> {
        if self.complaining {
            return None;
        }
        // Only basic types refuse `%w` one by one.
        if verb == 'w' && !is_basic(value) {
            return Some(self.bad_verb(value, verb));
        }
        match (value, verb) {
            (Value::Time(time), 'v') if self.field.sharp_v => {
                return Some(self.string(time.to_go().as_bytes()));
            }
            (_, 'v' | 's' | 'x' | 'X' | 'q') if !self.field.sharp_v => {}
            _ => return None,
        }
        let text = match value {
            Value::Time(time) => time.to_text(),
            Value::Duration(nanos) => duration::to_text(*nanos).into_bytes(),
            Value::Location(location) => location.name().to_owned().into_bytes(),
            Value::Month(month) => time::month_name(*month).into_bytes(),
            Value::Weekday(weekday) => time::weekday_name(*weekday).into_bytes(),
            _ => return None,
        };
        Some(self.print_string(value, &text, verb))
    }

    /// `%!verb(type=value)`
    fn bad_verb(&mut self, value: &Value, verb: char) -> Result<(), Limit> {
        self.complaining = true;
        self.push_complaint(verb, "(")?;
        self.push(value.type_name().as_bytes())?;
        self.push(b"=")?;
        if let Value::Service(_) = value {
            self.push(b"&")?;
        }
        self.print_inner(value, 'v')?;
        self.complaining = false;
        self.push(b")")
    }

    fn print_integer(&mut self, value: &Value, number: Integer, verb: char) -> Result<(), Limit> {
        match verb {
            'v' if self.field.sharp_v && number.unsigned => {
                let sharp = std::mem::replace(&mut self.field.sharp, true);
                let done = self.integer(number, 16, verb);
                self.field.sharp = sharp;
                done
            }
            'v' | 'd' => self.integer(number, 10, verb),
            'b' => self.integer(number, 2, verb),
            'o' | 'O' => self.integer(number, 8, verb),
            'x' | 'X' => self.integer(number, 16, verb),
            'c' => self.character(number.bits()),
            'q' => self.quoted_character(number.bits()),
            'U' => self.unicode(number.bits()),
            _ => self.bad_verb(value, verb),
        }
    }

    fn print_float(&mut self, value: &Value, number: f64, verb: char) -> Result<(), Limit> {
        match verb {
            'v' => self.float(number, 'g', None),
            'b' | 'g' | 'G' | 'x' | 'X' => self.float(number, verb, None),
            'f' | 'e' | 'E' => self.float(number, verb, Some(6)),
            'F' => self.float(number, 'f', Some(6)),
            _ => self.bad_verb(value, verb),
        }
    }

    fn print_complex(
        &mut self,
        value: &Value,
        (real, imaginary): (f64, f64),
        verb: char,
    ) -> Result<(), Limit> {
        if !matches!(
            verb,
            'v' | 'b' | 'g' | 'G' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E'
        ) {
            return self.bad_verb(value, verb);
        }
        self.push(b"(")?;
        self.print_float(value, real, verb)?;
        let plus = std::mem::replace(&mut self.field.plus, true);
        self.print_float(value, imaginary, verb)?;
        self.field.plus = plus;
        self.push(b"i)")
    }

    fn print_string(&mut self, value: &Value, text: &[u8], verb: char) -> Result<(), Limit> {
        match verb {
            'v' if self.field.sharp_v => self.quoted(text),
            'v' | 's' => self.string(text),
            'x' | 'X' => self.hex(text, verb == 'X'),
            'q' => self.quoted(text),
            _ => self.bad_verb(value, verb),
        }
    }

    fn separate(&mut self, place: usize) -> Result<(), Limit> {
        match (place, self.field.sharp_v) {
            (0, _) => Ok(()),
            (_, true) => self.push(b", "),
            (_, false) => self.push(b" "),
        }
    }

    fn print_list(
        &mut self,
        value: &Value,
        count: usize,
        mut item: impl FnMut(&mut Printer, usize) -> Result<(), Limit>,
    ) -> Result<(), Limit> {
        let (open, close) = if self.field.sharp_v {
            (format!("{}{{", value.type_name()), b"}")
        } else {
            ("[".to_owned(), b"]")
        };
        self.push(open.as_bytes())?;
        self.print_items(count, &mut item)?;
        self.push(close)
    }

    fn print_items(
        &mut self,
        count: usize,
        item: &mut dyn FnMut(&mut Printer, usize) -> Result<(), Limit>,
    ) -> Result<(), Limit> {
        for place in 0..count {
            self.separate(place)?;
            item(self, place)?;
        }
        Ok(())
    }

    fn print_map(&mut self, value: &Value, verb: char) -> Result<(), Limit> {
        let Value::Map(map) = value else {
            return Ok(());
        };
        let (open, close) = if self.field.sharp_v {
            ("map[string]interface {}{", b"}")
        } else {
            ("map[", b"]")
        };
        self.push(open.as_bytes())?;
        for (place, (key, entry)) in map.entries().iter().enumerate() {
            self.separate(place)?;
            self.print_inner(&Value::Str(key.clone()), verb)?;
            self.push(b":")?;
            self.print_inner(entry, verb)?;
        }
        self.push(close)
    }

    fn print_struct<T>(
        &mut self,
        name: &str,
        value: &T,
        fields: &[structs::Field<T>],
        verb: char,
    ) -> Result<(), Limit> {
        if self.field.sharp_v {
            self.push(name.as_bytes())?;
        }
        self.push(b"{")?;
        for (place, field) in fields.iter().enumerate() {
            self.separate(place)?;
            if self.field.plus_v || self.field.sharp_v {
                self.push(field.name.as_bytes())?;
                self.push(b":")?;
            }
            self.print_inner(&(field.get)(value), verb)?;
        }
        self.push(b"}")
    }

    fn print_pair(&mut self, pair: &Pair, verb: char) -> Result<(), Limit> {
        self.print_struct("memkv.KVPair", pair, Pair::FIELDS, verb)
    }

    /// The record itself, without the `&` of its pointer.
    pub(super) fn print_service(&mut self, service: &Service, verb: char) -> Result<(), Limit> {
        self.print_struct("net.SRV", service, Service::FIELDS, verb)
    }
}

/// For verbs that `Time.String` does not answer, Go shows the struct's private fields. The instant
/// is enough.
const TIME: &[structs::Field<Time>] = &[
    structs::field("wall", |time| Value::Int64(time.nanos.into())),
    structs::field("ext", |time| Value::Int64(time.seconds)),
];

/// Of a zone's private fields only its name is shown.
const LOCATION: &[structs::Field<Location>] = &[structs::field("name", |location| {
    Value::text(location.name())
})];

/// Prints one of several bytes.
fn byte_of(bytes: &[u8], verb: char) -> impl FnMut(&mut Printer, usize) -> Result<(), Limit> {
    move |printer, place| {
        let byte = bytes.get(place).copied().map_or(Value::Nil, Value::Uint8);
        printer.print_inner(&byte, verb)
    }
}

/// Go's fast path for types without methods.
fn is_basic(value: &Value) -> bool {
    matches!(
        value,
        Value::Nil
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Int64(_)
            | Value::Uint8(_)
            | Value::Uint16(_)
            | Value::Float(_)
            | Value::Complex(..)
            | Value::Str(_)
            | Value::Bytes(_)
    )
}
