//! confd's template functions, bound to what one resource sees of the metadata. For now: those of the store.

use std::path::Path;

use crate::template::value::{Pair, Str};
use crate::template::{Budget, CallError, Function, Host, Type, Value};
use crate::tree::View;
use crate::tree::glob::Pattern;

/// The functions, in the order of their numbers.
pub static FUNCTIONS: &[Function] = &[
    function("exists", None),
    function("get", None),
    function("gets", None),
    function("getv", Some(Type::Str)),
    function("getvs", None),
    function("ls", None),
    function("lsdir", None),
];

const fn function(name: &'static str, variadic: Option<Type>) -> Function {
    Function {
        name,
        params: &[Type::Str],
        variadic,
    }
}

/// The functions with their view.
#[derive(Debug)]
pub struct Funcs {
    view: View,
}

/// What a rendering has read.
#[derive(Debug)]
pub struct Reads;

impl Reads {
    /// The keys that were added, removed or changed between two views.
    pub fn changed(&self, old: &View, new: &View) -> Vec<String> {
        let differs = |(key, value): &(&str, &str)| old.get(key) != Some(value);
        let gone = |(key, _): &(&str, &str)| new.get(key).is_none();
        let new_or_changed = new.leaves().filter(differs);
        let all = new_or_changed.chain(old.leaves().filter(gone));
        all.map(|(key, _)| key.to_owned()).collect()
    }
}

impl Funcs {
    /// The functions for one rendering; `include` finds its files below `templates`.
    pub fn new(view: View, _templates: &Path) -> Funcs {
        Funcs { view }
    }

    /// What the rendering has read.
    pub fn into_reads(self) -> Reads {
        Reads
    }

    fn pairs(&self, pattern: &str) -> Result<Vec<Pair>, CallError> {
        let pattern =
            Pattern::parse(pattern).map_err(|error| CallError::Failed(error.to_string()))?;
        let pair = |(key, value): (&str, &str)| Pair {
            key: key.into(),
            value: value.into(),
        };
        Ok(self.view.matching(&pattern).into_iter().map(pair).collect())
    }
}

impl Host for Funcs {
    fn functions(&self) -> &'static [Function] {
        FUNCTIONS
    }

    fn call(&mut self, index: usize, args: &[Value], _: &mut Budget) -> Result<Value, CallError> {
        let text = |index: usize| match args.get(index) {
            Some(Value::Str(text)) => Some(text.to_text()),
            _ => None,
        };
        let key = text(0).unwrap_or_default();
        let missing = || CallError::Missing(format!("key does not exist: {key}"));
        let found = self.view.get(&key);
        let names = |names: Vec<&str>| Value::Strings(names.into_iter().map(Str::from).collect());
        Ok(
            match FUNCTIONS.get(index).map_or("", |function| function.name) {
                "exists" => Value::Bool(found.is_some()),
                "get" => Value::Pair(
                    Pair {
                        key: (&*key).into(),
                        value: found.ok_or_else(missing)?.into(),
                    }
                    .into(),
                ),
                "gets" => Value::Pairs(self.pairs(&key)?.into()),
                "getv" => Value::text(found.or(text(1).as_deref()).ok_or_else(missing)?),
                "getvs" => {
                    let mut values: Vec<Str> = self
                        .pairs(&key)?
                        .into_iter()
                        .map(|pair| pair.value)
                        .collect();
                    values.sort();
                    Value::Strings(values.into())
                }
                "ls" => names(self.view.list(&key)),
                _ => names(self.view.list_dirs(&key)),
            },
        )
    }
}
