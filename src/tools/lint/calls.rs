//! Checks of a template's calls, apart from the keys: arguments, formats, and values that do
//! not print as one expects.

use super::code::Code;
use super::shape::{Piece, Variables, pieces};
use crate::resource::funcs::{self, Kind};
use crate::template::outline::{Call, Expr, Statement, Usage};
use crate::template::{Function, Type, infix_help};

/// The smallest float that prints with an exponent.
const EXPONENT: f64 = 1e6;
/// No cluster has a list as long as this.
const LONGEST_LIST: f64 = 1e5;
/// Calls nest no deeper on purpose.
const DEEPEST: u32 = 16;

/// A mistake in an expression.
pub(super) struct Mistake {
    pub at: usize,
    pub code: Code,
    pub message: String,
    pub help: String,
}

/// The checks of one template's expressions.
pub(super) struct Checker<'o> {
    pub variables: &'o Variables<'o>,
    pub mistakes: Vec<Mistake>,
}

impl Checker<'_> {
    /// Checks an expression and what becomes of its value.
    pub(super) fn statement(&mut self, statement: &Statement) {
        self.expr(&statement.expr);
        let kind = self.kind(&statement.expr);
        match statement.usage {
            Usage::Printed => self.printed(&statement.expr),
            Usage::Ranged if matches!(kind, Some(Kind::Text | Kind::Bool | Kind::Float)) => {
                let name = kind.map_or("", Kind::name);
                let message = format!("range cannot go through a {name}");
                let help = "list names with ls, values with getvs, or split the text";
                self.add(statement.expr.pos(), Code::E304, message, help);
            }
            _ => {}
        }
    }

    fn add(&mut self, at: usize, code: Code, message: impl Into<String>, help: impl Into<String>) {
        self.mistakes.push(Mistake {
            at,
            code,
            message: message.into(),
            help: help.into(),
        });
    }

    /// The calls in an expression, the inner ones first.
    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Call(call) => match bare_argument(call) {
                Some((place, inner)) => self.bare_argument(call, place, inner),
                None => {
                    call.args.iter().for_each(|arg| self.expr(arg));
                    self.call(call);
                }
            },
            Expr::Member { of, args, .. } => {
                self.expr(of);
                args.iter().for_each(|arg| self.expr(arg));
            }
            _ => {}
        }
    }

    /// `getv printf "/x/%s" $y`: the arguments of the inner call are taken for those of the outer
    /// one.
    fn bare_argument(&mut self, call: &Call, place: usize, inner: &Call) {
        let (outer, inner_name) = (call.function.name, inner.function.name);
        let message = format!("{inner_name} gets 0 arguments");
        let operator = infix_help(inner_name).filter(|_| place > 0);
        let help = operator.unwrap_or_else(|| {
            format!("put the inner call in parentheses: {outer} ({inner_name} …)")
        });
        self.add(inner.pos, Code::E303, message, help);
    }

    fn call(&mut self, call: &Call) {
        let Function {
            name,
            params,
            variadic,
        } = call.function;
        let (want, got) = (params.len(), call.args.len());
        if got < want || (got > want && variadic.is_none()) {
            let message = format!("{name} gets {}", count(got, "argument"));
            self.add(call.pos, Code::E303, message, call.function.takes());
            return;
        }
        for (index, arg) in call.args.iter().enumerate() {
            let wanted = params.get(index).copied().or(*variadic);
            self.argument(call.function, wanted.unwrap_or(Type::Any), arg);
        }
        match *name {
            "printf" => self.printf(call),
            "print" | "println" => call.args.iter().for_each(|arg| self.printed(arg)),
            _ => {}
        }
    }

    fn argument(&mut self, function: &'static Function, wanted: Type, arg: &Expr) {
        let (kind, what) = match self.variables.resolve(arg) {
            Expr::Call(inner) => (self.kind(arg), format!("{} returns", inner.function.name)),
            _ => (self.kind(arg), "this is".to_owned()),
        };
        let Some(kind) = kind else {
            return;
        };
        let fits = match wanted {
            Type::Str => kind == Kind::Text,
            Type::Strings => kind == Kind::Texts,
            Type::Bool => kind == Kind::Bool,
            Type::Int | Type::Int64 => kind == Kind::Int,
            Type::Time => kind == Kind::Time,
            Type::Map | Type::List | Type::Duration | Type::Location | Type::Bytes => false,
            Type::Any => true,
        };
        if !fits {
            let name = kind.name();
            let message = format!("{} takes {wanted}; {what} {name}", function.name);
            self.add(arg.pos(), Code::E304, message, function.takes());
        }
    }

    fn kind(&self, expr: &Expr) -> Option<Kind> {
        match self.variables.resolve(expr) {
            Expr::Text { .. } => Some(Kind::Text),
            Expr::Number { float: false, .. } => Some(Kind::Int),
            Expr::Number { .. } => Some(Kind::Float),
            Expr::Call(call) => {
                let kind = funcs::doc(call.function).map(|doc| doc.result);
                kind.filter(|kind| *kind != Kind::Varies)
            }
            _ => None,
        }
    }
}

/// Values that are printed.
impl Checker<'_> {
    /// A value that is printed unchanged.
    fn printed(&mut self, expr: &Expr) {
        if let Some(call) = self.float(expr, DEEPEST) {
            let name = call.function.name;
            let message =
                format!("{name} returns a float: values from 1,000,000 on print as 1e+06");
            let help = format!("print it as {{{{printf \"%.0f\" ({name} …)}}}}");
            self.add(call.pos, Code::W310, message, help);
        }
        match self.variables.resolve(expr) {
            Expr::Call(call) if call.function.name == "datetime" => {
                let message = "datetime prints the current time: the file differs at every run";
                self.add(call.pos, Code::W309, message, TIMELESS);
            }
            Expr::Member { of, names, args } => self.printed_member(of, names, args),
            _ => {}
        }
    }

    fn printed_member(&mut self, of: &Expr, names: &[String], args: &[Expr]) {
        let Expr::Call(call) = self.variables.resolve(of) else {
            return;
        };
        let coarse = ["Year", "YearDay", "Month", "Day", "Weekday", "Location"];
        let method = names.first().map_or("", String::as_str);
        if call.function.name != "datetime" || coarse.contains(&method) {
            return;
        }
        if let ("Format", Some(Expr::Text { text, .. })) = (method, args.first()) {
            let layout = text.to_text();
            if !["15", "03", "04", "05", ".0", ".9", "PM"]
                .iter()
                .any(|part| layout.contains(part))
            {
                return;
            }
        }
        let message = "this prints the time of day: the file differs at every run";
        self.add(call.pos, Code::W309, message, TIMELESS);
    }

    /// The call that makes an expression a float of any size.
    fn float<'e>(&'e self, expr: &'e Expr, depth: u32) -> Option<&'e Call> {
        let depth = depth.checked_sub(1)?;
        if let Expr::Variable { name, .. } = expr {
            // A variable that is set several times prints a float if one of the values is one.
            let mut values = self.variables.assigned(name);
            return values.find_map(|value| match self.variables.resolve(value) {
                Expr::Variable { .. } => None,
                value => self.float(value, depth),
            });
        }
        let Expr::Call(call) = expr else {
            return None;
        };
        match call.function.name {
            "max" | "min" => {
                let bound = self.bound(expr, DEEPEST);
                bound.is_none_or(|bound| bound >= EXPONENT).then_some(call)
            }
            "add" | "sub" | "mul" | "div" => {
                call.args.iter().find_map(|arg| self.float(arg, depth))
            }
            _ => None,
        }
    }

    /// The largest absolute value that an expression can have; `None` if nothing is known.
    fn bound(&self, expr: &Expr, depth: u32) -> Option<f64> {
        let depth = depth.checked_sub(1)?;
        match self.variables.resolve(expr) {
            Expr::Number { number, .. } => Some(number.abs()),
            Expr::Text { text, .. } => text.to_text().parse().ok().map(f64::abs),
            Expr::Call(call) => {
                let bounds: Vec<Option<f64>> =
                    call.args.iter().map(|arg| self.bound(arg, depth)).collect();
                let all = || bounds.iter().copied().collect::<Option<Vec<f64>>>();
                match (call.function.name, bounds.as_slice()) {
                    ("max", _) => all()?.into_iter().reduce(f64::max),
                    ("min", _) => bounds.into_iter().flatten().reduce(f64::min),
                    ("add" | "sub", _) => Some(all()?.into_iter().sum()),
                    ("mul", _) => Some(all()?.into_iter().product()),
                    ("div", [dividend, _]) => *dividend,
                    ("mod", [_, divisor]) => *divisor,
                    ("len", _) => Some(LONGEST_LIST),
                    ("getv", _) => small_parameter(call),
                    ("atoi", [text]) => *text,
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn printf(&mut self, call: &Call) {
        let Some((Expr::Text { text, .. }, args)) = call.args.split_first() else {
            return;
        };
        let Some(pieces) = pieces(&text.to_text()) else {
            return;
        };
        let mut verbs = Vec::new();
        for piece in &pieces {
            if let Piece::Verb { verb, .. } = piece {
                verbs.push(*verb);
            }
        }
        if verbs.contains(&'\0') {
            let help = "a percent sign is written %%";
            self.add(call.pos, Code::E308, "printf prints %!(NOVERB)", help);
        } else if verbs.len() != args.len() {
            let prints = if verbs.len() > args.len() {
                "(MISSING)"
            } else {
                "(EXTRA …)"
            };
            let message = format!(
                "printf has {} for {}: it prints %!{prints}",
                count(verbs.len(), "verb"),
                count(args.len(), "argument"),
            );
            self.add(
                call.pos,
                Code::E308,
                message,
                "one verb for each argument; a percent sign is %%",
            );
        } else {
            for (verb, arg) in verbs.into_iter().zip(args) {
                self.verb(verb, arg);
            }
        }
    }

    /// One verb of a `printf` and its argument.
    fn verb(&mut self, verb: char, arg: &Expr) {
        let kind = self.kind(arg);
        let fits = match verb {
            'v' | 'T' => {
                self.printed(arg);
                true
            }
            's' => !matches!(kind, Some(Kind::Int | Kind::Float | Kind::Bool)),
            'q' | 'x' | 'X' => kind != Some(Kind::Bool),
            'd' | 'b' | 'o' | 'O' | 'c' | 'U' => !matches!(
                kind,
                Some(Kind::Text | Kind::Float | Kind::Bool | Kind::Texts)
            ),
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' => !matches!(
                kind,
                Some(Kind::Text | Kind::Int | Kind::Bool | Kind::Texts)
            ),
            't' => matches!(kind, None | Some(Kind::Bool)),
            'p' => true,
            _ => false,
        };
        if !fits {
            let name = kind.map_or("…", Kind::name);
            let message = format!("printf prints %!{verb}({name}=…)");
            let help = match kind {
                Some(Kind::Float) => "a float is printed by %.0f",
                Some(Kind::Int) => "an int is printed by %d",
                Some(Kind::Text) => "text is printed by %s; a number in it, too",
                _ => "any value is printed by %v",
            };
            self.add(arg.pos(), Code::E308, message, help);
        }
    }
}

/// `1 verb`, `2 verbs`.
fn count(number: usize, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{s}")
}

/// The help for a time in a file.
const TIMELESS: &str = "remove it: each run rewrites the file and runs the reload_cmd";

/// The largest value of a parameter whose name has a unit or a count.
fn small_parameter(call: &Call) -> Option<f64> {
    let Some(Expr::Text { text, .. }) = call.args.first() else {
        return None;
    };
    let key = text.to_text();
    let name = key.rsplit('/').next()?.to_ascii_lowercase();
    let is = |words: &[&str]| {
        words
            .iter()
            .any(|word| name == *word || name.ends_with(word))
    };
    if is(&["port"]) {
        Some(65_535.0)
    } else if is(&[
        "cpu", "cpus", "cores", "vcpu", "sid", "gid", "percent", "ratio", "replicas",
    ]) {
        Some(LONGEST_LIST)
    } else {
        None
    }
}

/// The first argument that is a call which lacks all of its own arguments, and its place.
fn bare_argument(call: &Call) -> Option<(usize, &Call)> {
    let mut args = call.args.iter().enumerate();
    args.find_map(|(place, arg)| Some((place, bare_call(arg)?)))
}

/// The call of an argument that lacks all of its own arguments.
fn bare_call(arg: &Expr) -> Option<&Call> {
    match arg {
        Expr::Call(inner) if inner.args.is_empty() && !inner.function.params.is_empty() => {
            Some(inner)
        }
        _ => None,
    }
}
