//! A host with all of confd's function names, which gives something back for any arguments.

use std::rc::Rc;
use std::sync::LazyLock;

use app_agent::template::value::{LocalZone, Offset, Pair, Str, Time};
use app_agent::template::{Budget, CallError, Function, Host, Type, Value};

use super::words::FUNCTION_NAMES;

const BUILTINS: [&str; 13] = [
    "and", "or", "not", "len", "index", "slice", "print", "printf", "println", "html", "js",
    "urlquery", "call",
];

static TABLE: LazyLock<&'static [Function]> = LazyLock::new(|| {
    let mut names: Vec<&'static str> = FUNCTION_NAMES
        .into_iter()
        .filter(|name| !BUILTINS.contains(name))
        .collect();
    names.sort();
    names.dedup();
    let table: Vec<Function> = names
        .into_iter()
        .map(|name| Function {
            name,
            params: &[],
            variadic: Some(Type::Any),
        })
        .collect();
    Box::leak(table.into_boxed_slice())
});

pub struct Stub;

fn zone(_: i64) -> Offset {
    Offset {
        seconds: 3600,
        name: Str::from("XST"),
    }
}

impl Host for Stub {
    fn functions(&self) -> &'static [Function] {
        *TABLE
    }
    fn call(&mut self, index: usize, args: &[Value], _: &mut Budget) -> Result<Value, CallError> {
        let name = TABLE[index].name;
        let deep = |value: Result<Value, app_agent::template::value::TooDeep>| {
            value.map_err(|_| CallError::Failed("deep".to_owned()))
        };
        match name {
            "ls" | "lsdir" | "getvs" | "split" | "filter" | "reverse" => {
                Ok(Value::Strings([Str::from("a"), Str::from("b")].into()))
            }
            "gets" => Ok(Value::Pairs(
                [Pair {
                    key: Str::from("/a"),
                    value: Str::from("1"),
                }]
                .into(),
            )),
            "get" => Ok(Value::Pair(Rc::new(Pair {
                key: Str::from("/a"),
                value: Str::from("1"),
            }))),
            "list" | "append" | "seq" => deep(Value::list(args.to_vec())),
            "map" | "dict" | "json" => deep(Value::map(
                args.iter()
                    .map(|value| (Str::from("a"), value.clone()))
                    .collect(),
            )),
            "datetime" => Ok(Value::Time(Rc::new(Time {
                seconds: 1,
                nanos: 2,
                utc: false,
                local: LocalZone(zone),
            }))),
            "eq" | "ne" | "lt" | "exists" => Ok(Value::Bool(args.len().is_multiple_of(2))),
            "add" | "mul" | "len" => Ok(Value::Int64(args.len() as i64)),
            "max" => Ok(Value::Float(1.5)),
            "getv" if args.is_empty() => Err(CallError::Missing("key does not exist: ".to_owned())),
            "atoi" => Err(CallError::Failed("bad".to_owned())),
            _ => Ok(args.first().cloned().unwrap_or(Value::Nil)),
        }
    }
}
