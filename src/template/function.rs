//! The functions that a template can call: their types, and the host that runs them.

use super::{Budget, Error, Limit, Value};

/// A parameter's type, as Go's reflection sees it when it checks an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `interface {}`: anything, nil included.
    Any,
    /// `string`
    Str,
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `int64` (time.Duration counts as its own type)
    Int64,
    /// `[]string`
    Strings,
    /// `[]interface {}`
    List,
    /// `map[string]interface {}`
    Map,
    /// `time.Time`
    Time,
    /// `time.Duration`
    Duration,
    /// `*time.Location`
    Location,
    /// `[]uint8`
    Bytes,
}

/// A function that templates can call: its name and its parameters.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// The name in a template.
    pub name: &'static str,
    /// The fixed parameters.
    pub params: &'static [Type],
    /// The type of further arguments, if it is variadic.
    pub variadic: Option<Type>,
}

/// The reason why a call failed. The executor adds the place. Boxed, because most calls return a
/// value, and that is smaller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError(pub(super) Box<Failure>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// Go's message without the `error calling NAME: ` in front.
    Failed(String),
    /// The key.
    Missing(String),
    /// The error of a nested rendering, with its own place.
    Nested(Error),
    /// The call needs more than is left of the [`Budget`].
    Limit(Limit),
}

impl CallError {
    /// The function failed with this message, Go's without the `error calling NAME: ` in front.
    pub fn failed(words: String) -> CallError {
        CallError(Box::new(Failure::Failed(words)))
    }

    /// The store does not have this key. The rendering fails, after it has looked for other missing
    /// keys.
    pub fn missing(key: String) -> CallError {
        CallError(Box::new(Failure::Missing(key)))
    }

    /// A nested rendering (`include`) failed at its own place.
    pub fn nested(error: Error) -> CallError {
        CallError(Box::new(Failure::Nested(error)))
    }
}

/// The functions of a template.
pub trait Host {
    /// The table of functions. A parsed template refers to them by index.
    fn functions(&self) -> &'static [Function];
    /// Calls function `index`. The arguments match its [`Function`]; `budget` limits its work.
    fn call(
        &mut self,
        index: usize,
        args: &[Value],
        budget: &mut Budget,
    ) -> Result<Value, CallError>;
}

/// The options of an execution, as Go's `Template.Option`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// A missing map field or index is an error (`missingkey=error`); otherwise it prints
    /// `<no value>`.
    pub strict: bool,
}
