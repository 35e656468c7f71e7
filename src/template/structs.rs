//! The fields of Go's structs that templates see: `memkv.KVPair` and `net.SRV`. One table for
//! whoever reads, prints, encodes or names them.

use super::value::{Pair, Service, Value};

/// A field of a struct.
pub(crate) struct Field<T> {
    /// Its name in Go.
    pub name: &'static str,
    /// Reads it.
    pub get: fn(&T) -> Value,
}

impl Pair {
    /// The fields of `memkv.KVPair`, in Go's order.
    pub(crate) const FIELDS: &'static [Field<Pair>] = &[
        field("Key", |pair| Value::Str(pair.key.clone())),
        field("Value", |pair| Value::Str(pair.value.clone())),
    ];
}

impl Service {
    /// The fields of `net.SRV`, in Go's order.
    pub(crate) const FIELDS: &'static [Field<Service>] = &[
        field("Target", |service| Value::Str(service.target.clone())),
        field("Port", |service| Value::Uint16(service.port)),
        field("Priority", |service| Value::Uint16(service.priority)),
        field("Weight", |service| Value::Uint16(service.weight)),
    ];
}

/// A field and its reader.
pub(super) const fn field<T>(name: &'static str, get: fn(&T) -> Value) -> Field<T> {
    Field { name, get }
}

impl Value {
    /// The field of this name, if the value is a struct that has it.
    pub(super) fn field(&self, name: &[u8]) -> Option<Value> {
        match self {
            Value::Pair(pair) => read(&**pair, Pair::FIELDS, name),
            Value::Service(service) => read(&**service, Service::FIELDS, name),
            _ => None,
        }
    }
}

fn read<T>(value: &T, fields: &[Field<T>], name: &[u8]) -> Option<Value> {
    let found = fields.iter().find(|field| field.name.as_bytes() == name)?;
    Some((found.get)(value))
}

/// The names in a sentence: `Key and Value`.
pub(crate) fn names<T>(fields: &[Field<T>]) -> String {
    let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
        None => String::new(),
    }
}
