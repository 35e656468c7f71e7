//! Go's package fmt for template values: `printf`, `print`, `println`, and what `{{.}}` prints.
//!
//! `directive` reads the syntax of formats (`%-8.3f`, `%[2]*d`), this file gives its parts their
//! arguments; `print` decides how a value of each type answers a
//! verb, `field` lays out one number or string with its flags. The output is charged to the
//! rendering's budget as it grows.

mod directive;
mod field;
mod print;
#[cfg(test)]
mod tests;

use super::value::Value;
use super::{Budget, Limit};
pub(crate) use directive::Directive;
use directive::{Count, Index, MOST};
use field::Field;
use print::Printer;

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
        // Most arguments are short strings: one allocation is enough.
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

/// `fmt.Sprint` of what actions would print for the arguments: the string that `html`, `js` and
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
                let (directive, rest) = Directive::read(self.rest);
                self.rest = rest;
                self.directive(&directive)?;
            }
        }
        self.extra()
    }

    /// The parts of a directive take their arguments in the order in which they are written.
    fn directive(&mut self, directive: &Directive<'_>) -> Result<(), Limit> {
        self.good_index = !directive.is_index_misplaced;
        self.printer.field = Field::default();
        self.flags(directive.flags);
        self.index(directive.index);
        self.width(directive.width)?;
        if let Some((index, count)) = directive.precision {
            self.index(index);
            self.precision(count)?;
        }
        self.index(directive.verb_index);
        match directive.verb {
            Some(verb) => self.verb(verb),
            None => self.printer.push(b"%!(NOVERB)"),
        }
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

    fn flags(&mut self, flags: &[u8]) {
        let field = &mut self.printer.field;
        for flag in flags {
            match flag {
                b'#' => field.sharp = true,
                b'0' => field.zero = !field.minus,
                b'+' => field.plus = true,
                b'-' => field.left(),
                _ => field.space = true,
            }
        }
    }

    /// Goes to the argument of an index, if there is one.
    fn index(&mut self, index: Option<Index>) {
        let Some(Index(number)) = index else { return };
        self.reordered = true;
        match number.and_then(|number| number.checked_sub(1)) {
            Some(place) if place < self.args.len() => self.next = place,
            _ => self.good_index = false,
        }
    }

    fn width(&mut self, width: Count) -> Result<(), Limit> {
        match width {
            Count::Absent => {}
            Count::Number(width) => self.printer.field.width = Some(width),
            Count::Argument => {
                let Some(width) = self.int_arg() else {
                    return self.printer.push(b"%!(BADWIDTH)");
                };
                if width < 0 {
                    self.printer.field.left();
                }
                self.printer.field.width = usize::try_from(width.unsigned_abs()).ok();
            }
        }
        Ok(())
    }

    fn precision(&mut self, precision: Count) -> Result<(), Limit> {
        let precision = match precision {
            Count::Absent => 0,
            Count::Number(precision) => precision,
            Count::Argument => match self.int_arg().map(usize::try_from) {
                Some(Ok(precision)) => precision,
                _ => return self.printer.push(b"%!(BADPREC)"),
            },
        };
        self.printer.field.precision = Some(precision);
        Ok(())
    }

    /// The next argument as a width or precision; none when it is no integer, or too large.
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
        (number.unsigned_abs() <= MOST as u64).then_some(number)
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
