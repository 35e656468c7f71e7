//! Go's package fmt for template values: `printf`, `print`, `println`, and what `{{.}}` prints.
//!
//! This file reads formats (`%-8.3f`, `%[2]*d`); `print` decides how a value of each type answers a
//! verb, `field` lays out one number or text with its flags. What is made is charged to the
//! rendering's budget as it grows.

mod field;
mod print;
#[cfg(test)]
mod tests;

use super::value::Value;
use super::{Budget, Limit};
use crate::go::utf8;
use field::Field;
use print::Printer;

/// Go's bound for widths and precisions that come from arguments.
const MOST: i64 = 1_000_000;

/// The output of an action whose value is nil or missing.
const NO_VALUE: &str = "<no value>";

/// `fmt.Sprintf`: as [`fprintf`].
pub fn sprintf(format: &[u8], args: &[Value], budget: &mut Budget) -> Result<Vec<u8>, Limit> {
    let mut out = Vec::new();
    fprintf(&mut out, format, args, budget)?;
    Ok(out)
}

/// `fmt.Fprintf`, appended to `out`. Wrong formats and arguments are no errors, but shown in the
/// text (`%!d(string=x)`), as in Go; the only error is an exhausted budget.
pub fn fprintf(
    out: &mut Vec<u8>,
    format: &[u8],
    args: &[Value],
    budget: &mut Budget,
) -> Result<(), Limit> {
    let before = out.len();
    if print_plain(out, format, args) {
        return budget.spend_bytes(out.len() - before);
    }
    out.truncate(before);
    Printer::append(out, budget, |printer| {
        // Most arguments are short texts: one piece of memory will do.
        printer.expect(format.len().saturating_add(args.len().saturating_mul(16)));
        Format::new(format, args, printer).run()
    })
}

/// The formats of nearly all templates: `%s` for strings, `%d` for integers, nothing else. False
/// when it is another one.
fn print_plain(out: &mut Vec<u8>, format: &[u8], args: &[Value]) -> bool {
    let (mut rest, mut args) = (format, args.iter());
    while let Some(percent) = rest.iter().position(|byte| *byte == b'%') {
        let (text, directive) = rest.split_at(percent);
        out.extend_from_slice(text);
        match (directive, args.next()) {
            ([_, b's', after @ ..], Some(Value::Str(text))) => {
                out.extend_from_slice(text.as_bytes());
                rest = after;
            }
            ([_, b'd', after @ ..], Some(Value::Int(number) | Value::Int64(number))) => {
                out.extend_from_slice(decimal(*number, &mut [0; 20]));
                rest = after;
            }
            _ => return false,
        }
    }
    out.extend_from_slice(rest);
    args.next().is_none()
}

/// An integer in decimal, at the end of `room`, which is enough for any.
fn decimal(number: i64, room: &mut [u8; 20]) -> &[u8] {
    let mut rest = number.unsigned_abs();
    let mut first = room.len();
    for (place, byte) in room.iter_mut().enumerate().rev() {
        first = place;
        if rest == 0 && place < 19 {
            *byte = b'-';
            break;
        }
        *byte = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 && number >= 0 {
            break;
        }
    }
    room.get(first..).unwrap_or_default()
}

/// `fmt.Sprint`: as [`fprint`].
pub fn sprint(args: &[Value], budget: &mut Budget) -> Result<Vec<u8>, Limit> {
    let mut out = Vec::new();
    fprint(&mut out, args, budget)?;
    Ok(out)
}

/// `fmt.Fprint`, appended to `out`: a space between two operands when neither is a string.
pub fn fprint(out: &mut Vec<u8>, args: &[Value], budget: &mut Budget) -> Result<(), Limit> {
    Printer::append(out, budget, |printer| {
        let is_string = |value: &Value| matches!(value, Value::Str(_));
        print_spaced(args, is_string, printer, |value, printer| {
            printer.print(value, 'v')
        })
    })
}

/// `fmt.Sprint` of what actions would print for the arguments: the text that `html`, `js` and
/// `urlquery` escape.
pub fn sprint_printed(args: &[Value], budget: &mut Budget) -> Result<Vec<u8>, Limit> {
    Printer::run(budget, |printer| {
        let is_string = |value: &Value| matches!(value, Value::Str(_) | Value::Nil);
        print_spaced(args, is_string, printer, print_printed)
    })
}

fn print_spaced(
    args: &[Value],
    is_string: fn(&Value) -> bool,
    printer: &mut Printer,
    print: fn(&Value, &mut Printer) -> Result<(), Limit>,
) -> Result<(), Limit> {
    let mut after_string = true;
    for value in args {
        if !after_string && !is_string(value) {
            printer.push(b" ")?;
        }
        print(value, printer)?;
        after_string = is_string(value);
    }
    Ok(())
}

/// `fmt.Sprintln`: as [`fprintln`].
pub fn sprintln(args: &[Value], budget: &mut Budget) -> Result<Vec<u8>, Limit> {
    let mut out = Vec::new();
    fprintln(&mut out, args, budget)?;
    Ok(out)
}

/// `fmt.Fprintln`, appended to `out`: a space between all operands, a newline at the end.
pub fn fprintln(out: &mut Vec<u8>, args: &[Value], budget: &mut Budget) -> Result<(), Limit> {
    Printer::append(out, budget, |printer| {
        for (place, value) in args.iter().enumerate() {
            if place > 0 {
                printer.push(b" ")?;
            }
            printer.print(value, 'v')?;
        }
        printer.push(b"\n")
    })
}

/// Appends the output of an action for its value to `out`: `fmt.Fprint`, with `<no value>` for nil.
pub fn print_value(value: &Value, out: &mut Vec<u8>, budget: &mut Budget) -> Result<(), Limit> {
    Printer::append(out, budget, |printer| print_printed(value, printer))
}

fn print_printed(value: &Value, printer: &mut Printer) -> Result<(), Limit> {
    match value {
        Value::Nil => printer.push(NO_VALUE.as_bytes()),
        Value::Int(number) | Value::Int64(number) => printer.push(decimal(*number, &mut [0; 20])),
        // The template package follows pointers before it prints.
        Value::Service(service) => printer.print_service(service, 'v'),
        _ => printer.print(value, 'v'),
    }
}

/// One pass over a format, `fmt`'s `doPrintf`.
struct Format<'a, 'p> {
    rest: &'a [u8],
    args: &'a [Value],
    /// The next argument.
    next: usize,
    /// True if the format chose an argument itself (`%[2]d`): then unused ones are no mistake.
    reordered: bool,
    /// True if the verb's argument indexes are valid so far.
    good_index: bool,
    /// True if the last thing read was an argument index.
    after_index: bool,
    printer: &'p mut Printer,
}

impl<'a, 'p> Format<'a, 'p> {
    fn new(format: &'a [u8], args: &'a [Value], printer: &'p mut Printer) -> Self {
        Format {
            rest: format,
            args,
            next: 0,
            reordered: false,
            good_index: true,
            after_index: false,
            printer,
        }
    }

    fn run(mut self) -> Result<(), Limit> {
        while !self.rest.is_empty() {
            let percent = self.rest.iter().position(|byte| *byte == b'%');
            let (text, rest) = self.rest.split_at(percent.unwrap_or(self.rest.len()));
            self.printer.push(text)?;
            self.rest = rest.get(1..).unwrap_or_default();
            if percent.is_some() {
                self.directive()?;
            }
        }
        self.extra()
    }

    /// One `%…` after its percent sign: flags, index, width, precision, index, verb.
    fn directive(&mut self) -> Result<(), Limit> {
        self.good_index = true;
        self.after_index = false;
        self.printer.field = Field::default();
        self.flags();
        self.index();
        self.width()?;
        self.precision()?;
        if !self.after_index {
            self.index();
        }
        if self.rest.is_empty() {
            return self.printer.push(b"%!(NOVERB)");
        }
        let (verb, width) = utf8::decode(self.rest);
        self.advance(width);
        self.verb(verb)
    }

    fn verb(&mut self, verb: char) -> Result<(), Limit> {
        if verb == '%' {
            return self.printer.push(b"%");
        }
        if !self.good_index {
            return self.printer.push_complaint(verb, "(BADINDEX)");
        }
        let Some(value) = self.args.get(self.next) else {
            return self.printer.push_complaint(verb, "(MISSING)");
        };
        self.next += 1;
        if verb == 'v' {
            self.printer.field.for_v();
        }
        self.printer.print(value, verb)
    }

    fn advance(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    fn flags(&mut self) {
        while let Some(byte) = self.rest.first() {
            let field = &mut self.printer.field;
            match byte {
                b'#' => field.sharp = true,
                b'0' => field.zero = !field.minus,
                b'+' => field.plus = true,
                b'-' => field.left(),
                b' ' => field.space = true,
                _ => return,
            }
            self.advance(1);
        }
    }

    /// An argument index such as `[2]`, if there is one.
    fn index(&mut self) {
        self.after_index = false;
        if self.rest.first() != Some(&b'[') {
            return;
        }
        self.reordered = true;
        // A bracket is only one with room for a number in it and with its partner.
        let close = self.rest.iter().position(|byte| *byte == b']');
        let Some(close) = close.filter(|_| self.rest.len() >= 3) else {
            self.good_index = false;
            return self.advance(1);
        };
        let inside = self.rest.get(1..close).unwrap_or_default();
        let number = match read_number(inside) {
            (Some(number), width) if width == inside.len() => Some(number),
            _ => None,
        };
        self.advance(close + 1);
        self.after_index = number.is_some();
        match number.and_then(|number| number.checked_sub(1)) {
            Some(place) if place < self.args.len() => self.next = place,
            _ => self.good_index = false,
        }
    }

    fn width(&mut self) -> Result<(), Limit> {
        if self.rest.first() == Some(&b'*') {
            self.advance(1);
            self.after_index = false;
            let Some(width) = self.int_arg() else {
                return self.printer.push(b"%!(BADWIDTH)");
            };
            if width < 0 {
                self.printer.field.left();
            }
            self.printer.field.width = usize::try_from(width.unsigned_abs()).ok();
            return Ok(());
        }
        let (width, read) = read_number(self.rest);
        self.advance(read);
        self.printer.field.width = width;
        if self.after_index && width.is_some() {
            self.good_index = false;
        }
        Ok(())
    }

    fn precision(&mut self) -> Result<(), Limit> {
        // A point at the very end is taken for the verb.
        if !matches!(self.rest, [b'.', _, ..]) {
            return Ok(());
        }
        self.advance(1);
        if self.after_index {
            self.good_index = false;
        }
        self.index();
        if self.rest.first() == Some(&b'*') {
            self.advance(1);
            self.after_index = false;
            let precision = self.int_arg().map(usize::try_from);
            let Some(Ok(precision)) = precision else {
                return self.printer.push(b"%!(BADPREC)");
            };
            self.printer.field.precision = Some(precision);
            return Ok(());
        }
        let (precision, read) = read_number(self.rest);
        self.advance(read);
        self.printer.field.precision = Some(precision.unwrap_or(0));
        Ok(())
    }

    /// The next argument as a width or precision; none when it is no integer, or a monstrous one.
    fn int_arg(&mut self) -> Option<i64> {
        let value = self.args.get(self.next)?;
        self.next += 1;
        let number = match value {
            Value::Int(number) | Value::Int64(number) | Value::Duration(number) => *number,
            Value::Uint8(number) | Value::Month(number) | Value::Weekday(number) => {
                i64::from(*number)
            }
            Value::Uint16(number) => i64::from(*number),
            _ => return None,
        };
        (-MOST..=MOST).contains(&number).then_some(number)
    }

    /// The arguments that no verb took.
    fn extra(self) -> Result<(), Limit> {
        let unused = self.args.get(self.next..).unwrap_or_default();
        if self.reordered || unused.is_empty() {
            return Ok(());
        }
        let printer = self.printer;
        printer.field = Field::default();
        printer.push(b"%!(EXTRA ")?;
        for (place, value) in unused.iter().enumerate() {
            if place > 0 {
                printer.push(b", ")?;
            }
            if !matches!(value, Value::Nil) {
                printer.push(value.type_name().as_bytes())?;
                printer.push(b"=")?;
            }
            printer.print(value, 'v')?;
        }
        printer.push(b")")
    }
}

/// A decimal number at the beginning of `text` and the bytes that it takes. A number beyond all
/// bounds swallows the whole format, as Go's `parsenum` does.
fn read_number(text: &[u8]) -> (Option<usize>, usize) {
    let mut number = None;
    for (read, byte) in text.iter().enumerate() {
        if !byte.is_ascii_digit() {
            return (number, read);
        }
        let so_far = number.unwrap_or(0);
        if so_far > MOST as usize {
            return (None, text.len());
        }
        number = Some(so_far * 10 + usize::from(byte - b'0'));
    }
    (number, text.len())
}
