//! Go's own functions, except the comparisons: the host brings its own.
//!
//! Arguments come checked against the table. `and` and `or` are not called but evaluated, since
//! they may leave arguments out.

use super::value::{Str, Value};
use super::{Budget, CallError, Function, Options, Type, format};
use crate::go::escape;

/// One of Go's functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Builtin {
    And,
    Or,
    Not,
    Len,
    Index,
    Slice,
    Print,
    Printf,
    Println,
    Html,
    Js,
    Urlquery,
    Call,
}

use Builtin::*;

/// The steps of a call that formats.
const FORMATTING: u64 = 10;
/// The bytes that it makes in one step.
const BYTES_A_STEP: usize = 16;

const ANY: &[Type] = &[Type::Any];

/// In the order of [`Builtin`].
static TABLE: [(Builtin, Function); 13] = [
    (And, function("and", ANY, Some(Type::Any))),
    (Or, function("or", ANY, Some(Type::Any))),
    (Not, function("not", ANY, None)),
    (Len, function("len", ANY, None)),
    (Index, function("index", ANY, Some(Type::Any))),
    (Slice, function("slice", ANY, Some(Type::Any))),
    (Print, function("print", &[], Some(Type::Any))),
    (Printf, function("printf", &[Type::Str], Some(Type::Any))),
    (Println, function("println", &[], Some(Type::Any))),
    (Html, function("html", &[], Some(Type::Any))),
    (Js, function("js", &[], Some(Type::Any))),
    (Urlquery, function("urlquery", &[], Some(Type::Any))),
    (Call, function("call", ANY, Some(Type::Any))),
];

const fn function(name: &'static str, params: &'static [Type], variadic: Option<Type>) -> Function {
    Function {
        name,
        params,
        variadic,
    }
}

/// The functions' names and parameters.
pub fn functions() -> impl Iterator<Item = &'static Function> {
    TABLE.iter().map(|(_, function)| function)
}

impl Builtin {
    /// The function of that name.
    pub(super) fn named(name: &[u8]) -> Option<Builtin> {
        let same = |function: &Function| function.name.as_bytes() == name;
        let found = TABLE.iter().find(|(_, function)| same(function));
        found.map(|(builtin, _)| *builtin)
    }

    /// Its name and parameters.
    pub(super) fn function(self) -> &'static Function {
        &TABLE[self as usize].1
    }

    /// Calls it. Text is made in `scratch`.
    pub(super) fn call(
        self,
        args: &[Value],
        options: Options,
        budget: &mut Budget,
        scratch: &mut Vec<u8>,
    ) -> Result<Value, CallError> {
        scratch.clear();
        if matches!(self, Print | Printf | Println | Html | Js | Urlquery) {
            budget.spend_steps(FORMATTING)?;
        }
        let (first, rest) = match args.split_first() {
            Some((first, rest)) => (first, rest),
            None => (&Value::Nil, args),
        };
        match self {
            And => Ok(logic(args, false)),
            Or => Ok(logic(args, true)),
            Not => Ok(Value::Bool(!first.is_true())),
            Len => len(first),
            Index => index(first, rest, options),
            Slice => slice(first, rest, budget),
            Print => {
                format::fprint(scratch, args, budget)?;
                formatted(scratch, budget)
            }
            Printf => match first {
                Value::Str(text) => {
                    format::fprintf(scratch, text.as_bytes(), rest, budget)?;
                    formatted(scratch, budget)
                }
                _ => Ok(Value::Nil),
            },
            Println => {
                format::fprintln(scratch, args, budget)?;
                formatted(scratch, budget)
            }
            Html => escaped(args, escape::html, budget),
            Js => escaped(args, escape::js, budget),
            Urlquery => escaped(args, escape::urlquery, budget),
            Call => Err(failed(match first {
                Value::Nil => "call of nil".to_owned(),
                _ => format!("non-function of type {}", first.type_name()),
            })),
        }
    }
}

fn failed(words: impl Into<String>) -> CallError {
    CallError::failed(words.into())
}

/// The first argument whose truth decides, or the last.
fn logic(args: &[Value], decides: bool) -> Value {
    let decisive = args.iter().find(|arg| arg.is_true() == decides);
    decisive.or(args.last()).cloned().unwrap_or(Value::Nil)
}

fn formatted(text: &[u8], budget: &mut Budget) -> Result<Value, CallError> {
    budget.spend_steps((text.len() / BYTES_A_STEP) as u64)?;
    Ok(Value::text(text))
}

fn escaped(
    args: &[Value],
    escape: fn(&[u8]) -> Vec<u8>,
    budget: &mut Budget,
) -> Result<Value, CallError> {
    let text = format::sprint_printed(args, budget)?;
    let text = escape(&text);
    budget.spend_bytes(text.len())?;
    formatted(&text, budget)
}

/// The name of a value's type; of a pointer, that of its target.
fn pointee_name(value: &Value) -> &'static str {
    match value {
        Value::Service(_) => "net.SRV",
        Value::Location(_) => "time.Location",
        _ => value.type_name(),
    }
}

fn len(item: &Value) -> Result<Value, CallError> {
    if matches!(item, Value::Nil) {
        return Err(failed("reflect: call of reflect.Value.Type on zero Value"));
    }
    match item.length() {
        Some(length) => Ok(Value::Int(length as i64)),
        None => Err(failed(format!("len of type {}", pointee_name(item)))),
    }
}

/// `index x 1 2` is `x[1][2]`.
fn index(item: &Value, indexes: &[Value], options: Options) -> Result<Value, CallError> {
    let mut item = item.clone();
    if matches!(item, Value::Nil) {
        return Err(failed("index of untyped nil"));
    }
    for index in indexes {
        item = match &item {
            Value::Nil => return Err(failed("index of nil pointer")),
            Value::Map(map) => {
                let key = map_key(index)?;
                match map.entries().get(key) {
                    Some(value) => value.clone(),
                    None if options.strict => return Err(no_entry(key)),
                    None => Value::Nil,
                }
            }
            _ => element(&item, index)?,
        };
    }
    Ok(item)
}

/// The words of a strict look-up.
fn no_entry(key: &Str) -> CallError {
    let key = super::problem::quoted(key.as_bytes());
    failed(format!("map has no entry for key {key}"))
}

fn map_key(index: &Value) -> Result<&Str, CallError> {
    match index {
        Value::Str(key) => Ok(key),
        Value::Nil => Err(failed("value is nil; should be of type string")),
        _ => Err(failed(format!(
            "value has type {}; should be string",
            index.type_name()
        ))),
    }
}

fn element(item: &Value, index: &Value) -> Result<Value, CallError> {
    let Some(length) = item.length() else {
        let name = pointee_name(item);
        return Err(failed(format!("can't index item of type {name}")));
    };
    let at = index_arg(index, length)?;
    item.element(at).ok_or_else(|| {
        // Go lets the length itself pass, and only reflection refuses it.
        let kind = match item {
            Value::Str(_) => "string",
            _ => "slice",
        };
        failed(format!("reflect: {kind} index out of range"))
    })
}

fn index_arg(index: &Value, cap: usize) -> Result<usize, CallError> {
    let number = match index {
        Value::Nil => return Err(failed("cannot index slice/array with nil")),
        _ => index.as_integer().ok_or_else(|| {
            let name = index.type_name();
            failed(format!("cannot index slice/array with type {name}"))
        })?,
    };
    let fits = usize::try_from(number).ok().filter(|index| *index <= cap);
    fits.ok_or_else(|| failed(format!("index out of range: {number}")))
}

/// `slice x 1 2` is `x[1:2]`. A list's capacity is its length here, while Go's may be larger by
/// chance.
fn slice(item: &Value, indexes: &[Value], budget: &mut Budget) -> Result<Value, CallError> {
    if matches!(item, Value::Nil) {
        return Err(failed("slice of untyped nil"));
    }
    if indexes.len() > 3 {
        let count = indexes.len();
        return Err(failed(format!("too many slice indexes: {count}")));
    }
    let cap = match item {
        Value::Str(_) if indexes.len() == 3 => {
            return Err(failed("cannot 3-index slice a string"));
        }
        Value::Map(_) => None,
        _ => item.length(),
    };
    let Some(cap) = cap else {
        let name = item.type_name();
        return Err(failed(format!("can't slice item of type {name}")));
    };
    let mut bounds = [0, cap, cap];
    for (bound, index) in bounds.iter_mut().zip(indexes) {
        *bound = index_arg(index, cap)?;
    }
    let [from, to, max] = bounds;
    for (low, high) in [(from, to), (to, max)] {
        if low > high {
            return Err(failed(format!("invalid slice index: {low} > {high}")));
        }
    }
    budget.spend_bytes((to - from).saturating_mul(size_of::<Value>()))?;
    Ok(item.part(from, to).unwrap_or(Value::Nil))
}
