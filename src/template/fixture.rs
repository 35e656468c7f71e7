//! A host for tests: a few functions whose results are easy to foresee, one for each type of
//! parameter.

use std::rc::Rc;

use super::value::{Pair, Service, Str};
use super::{Budget, CallError, Error, Function, Host, Options, Template, Type, Value};
use crate::go::time::{Local, Time, Zone};

/// The host.
pub(super) struct Fixture;

const fn function(name: &'static str, params: &'static [Type], variadic: Option<Type>) -> Function {
    Function {
        name,
        params,
        variadic,
    }
}

pub(super) static FUNCTIONS: [Function; 20] = [
    function("add", &[Type::Int, Type::Int], None),
    function("dur", &[Type::Duration], None),
    function("fail", &[], None),
    function("five", &[], None),
    function("flag", &[Type::Bool], None),
    function("i64", &[Type::Int64], None),
    function("include", &[Type::Str], None),
    function("join", &[Type::Strings, Type::Str], None),
    function("key", &[Type::Str], None),
    function("list", &[], Some(Type::Any)),
    function("lst", &[Type::List], None),
    function("map", &[], Some(Type::Any)),
    function("mp", &[Type::Map], None),
    function("now", &[], None),
    function("pair", &[Type::Str, Type::Str], None),
    function("pairs", &[], Some(Type::Str)),
    function("split", &[Type::Str, Type::Str], None),
    function("srv", &[], None),
    function("tm", &[Type::Time], None),
    function("twice", &[Type::Str], None),
];

impl Host for Fixture {
    fn functions(&self) -> &'static [Function] {
        &FUNCTIONS
    }

    fn call(
        &mut self,
        index: usize,
        args: &[Value],
        budget: &mut Budget,
    ) -> Result<Value, CallError> {
        match (FUNCTIONS[index].name, args) {
            ("add", [Value::Int(left), Value::Int(right)]) => Ok(Value::Int(left + right)),
            ("five", []) => Ok(Value::Int(5)),
            ("flag", [Value::Bool(flag)]) => Ok(Value::text(flag.to_string())),
            ("dur" | "i64", [number]) => Ok(number.clone()),
            ("include", [Value::Str(text)]) => self.include(text, budget),
            ("join", [Value::Strings(texts), by]) => Ok(Value::text(join(texts, by))),
            ("key", [Value::Str(key)]) => Err(CallError::missing(key.to_text().into_owned())),
            ("list", items) => Value::list(items.to_vec()).map_err(CallError::from),
            ("lst" | "mp", [value]) => Ok(Value::Int(value.length().unwrap_or(0) as i64)),
            ("map", pairs) => {
                Value::map(pairs.chunks(2).map(entry).collect()).map_err(CallError::from)
            }
            ("now", []) => Ok(Value::Time(Rc::new(now()))),
            ("pair", [Value::Str(key), Value::Str(value)]) => {
                let (key, value) = (key.clone(), value.clone());
                Ok(Value::Pair(Rc::new(Pair { key, value })))
            }
            ("pairs", keys) => Ok(Value::Pairs(keys.iter().map(pair).collect())),
            ("split", [Value::Str(text), Value::Str(by)]) => {
                let (text, by) = (text.to_text(), by.to_text());
                Ok(Value::Strings(text.split(&*by).map(Str::from).collect()))
            }
            ("srv", []) => Ok(Value::Service(Rc::new(service()))),
            ("tm", [_]) => Ok(Value::text("tm")),
            ("twice", [Value::Str(text)]) => {
                let text = text.as_bytes().repeat(2);
                budget.spend_bytes(text.len())?;
                Ok(Value::text(text))
            }
            _ => Err(CallError::failed("as asked".to_owned())),
        }
    }
}

impl Fixture {
    /// Renders its argument, which is a template.
    fn include(&mut self, text: &Str, budget: &mut Budget) -> Result<Value, CallError> {
        let template =
            Template::parse("included", text.as_bytes(), &FUNCTIONS).map_err(CallError::nested)?;
        let data = Value::Str(text.clone());
        budget.enter()?;
        let out = template.execute(self, &data, Options::default(), budget);
        budget.leave();
        out.map(Value::text).map_err(CallError::nested)
    }
}

fn join(texts: &[Str], by: &Value) -> Vec<u8> {
    let Value::Str(by) = by else {
        return Vec::new();
    };
    let texts: Vec<&[u8]> = texts.iter().map(Str::as_bytes).collect();
    texts.join(by.as_bytes())
}

fn entry(pair: &[Value]) -> (Str, Value) {
    match pair {
        [Value::Str(key), value] => (key.clone(), value.clone()),
        _ => ("?".into(), Value::Nil),
    }
}

/// `a` and `av`.
fn pair(key: &Value) -> Pair {
    let Value::Str(key) = key else {
        unreachable!("the executor checks arguments");
    };
    Pair {
        key: key.clone(),
        value: [key.as_bytes(), b"v"].concat().into(),
    }
}

fn service() -> Service {
    Service {
        target: "h.".into(),
        port: 80,
        priority: 1,
        weight: 2,
    }
}

/// 2017-07-14T02:40:00Z
fn now() -> Time {
    Time {
        seconds: 1_500_000_000,
        nanos: 5,
        utc: true,
        local: Local::new(Zone::utc()),
    }
}

/// Renders a template named `t`.
pub(super) fn render_with(
    text: &str,
    options: Options,
    budget: &mut Budget,
) -> Result<String, Error> {
    let template = Template::parse("t", text.as_bytes(), &FUNCTIONS)?;
    let out = template.execute(&mut Fixture, &Value::Nil, options, budget)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// Renders with a budget that a test can use up in a moment.
pub(super) fn render(text: &str) -> Result<String, Error> {
    let mut budget = Budget {
        steps: 700_000,
        bytes: 4 << 20,
        ..Budget::default()
    };
    render_with(text, Options::default(), &mut budget)
}

/// The output of the template, or the first line of its error.
pub(super) fn shown(text: &str) -> String {
    render(text).unwrap_or_else(|error| error.to_string())
}
