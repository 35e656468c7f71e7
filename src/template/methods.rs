//! The methods that templates may call on values: those of times, and of `memkv.KVPairs`.

use super::time::{self, Method};
use super::value::{Pair, Value};
use super::{CallError, Function, Type};

const fn method(name: &'static str, params: &'static [Type], results: usize) -> Method {
    let function = Function {
        name,
        params,
        variadic: None,
    };
    Method { function, results }
}

/// What makes `KVPairs` sortable in Go.
static PAIRS: [Method; 3] = [
    method("Len", &[], 1),
    method("Less", &[Type::Int, Type::Int], 1),
    method("Swap", &[Type::Int, Type::Int], 0),
];

/// The method `name` of a value's type, if it has one.
pub fn find(receiver: &Value, name: &[u8]) -> Option<&'static Method> {
    let Value::Pairs(_) = receiver else {
        return time::method(receiver, name);
    };
    let same = |method: &&Method| method.function.name.as_bytes() == name;
    PAIRS.iter().find(same)
}

/// Calls a method found by [`find`] for this receiver, with arguments checked against it.
pub fn call(receiver: &Value, method: &Method, args: &[Value]) -> Result<Value, CallError> {
    match (receiver, args) {
        (Value::Pairs(pairs), []) => Ok(Value::Int(pairs.len() as i64)),
        (Value::Pairs(pairs), [Value::Int(left), Value::Int(right)]) => {
            let less = pair(pairs, *left)?.key < pair(pairs, *right)?.key;
            Ok(Value::Bool(less))
        }
        _ => time::call_method(receiver, method, args),
    }
}

fn pair(pairs: &[Pair], index: i64) -> Result<&Pair, CallError> {
    let found = usize::try_from(index).ok().and_then(|at| pairs.get(at));
    found.ok_or_else(|| {
        let length = pairs.len();
        let range = if index < 0 {
            format!("[{index}]")
        } else {
            format!("[{index}] with length {length}")
        };
        CallError::failed(format!("runtime error: index out of range {range}"))
    })
}
