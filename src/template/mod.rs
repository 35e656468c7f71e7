//! Go's text/template, and nothing else: text and functions in, bytes or an [`Error`] out.
//!
//! Knows no metadata, no HTTP and no files: what a template may call is a [`Host`]. The stages are Go's, in files
//! that can be read beside its own: lex, parse, exec.

mod budget;
mod builtins;
mod error;
mod exec;
#[cfg(test)]
mod fixture;
pub mod format;
pub mod interner;
mod lex;
mod methods;
mod node;
mod number;
pub mod outline;
mod parse;
mod problem;
mod sorted;
pub mod time;
pub mod value;

pub use budget::{Budget, Limit, MAX_BYTES, MAX_DEPTH, MAX_STEPS};
pub use error::{Error, ErrorKind};
pub use parse::{MAX_NESTING, MAX_SOURCE, Template};
pub use problem::Problem;
pub use value::Value;

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
}

/// A function that templates may call: its name and what it takes.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// The name in a template.
    pub name: &'static str,
    /// The fixed parameters.
    pub params: &'static [Type],
    /// The type of the further arguments, when it takes any number of them.
    pub variadic: Option<Type>,
}

/// Why a call failed. Places are attached by the executor. Boxed: most calls give a value, and that is smaller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError(Box<Failure>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Failure {
    /// Go's words without the `error calling NAME: ` in front.
    Failed(String),
    /// The key.
    Missing(String),
    /// Its own error, with its own place.
    Nested(Error),
    /// The call would use more than is left of the [`Budget`].
    Limit(Limit),
}

impl CallError {
    /// The function refused; Go's words without the `error calling NAME: ` in front.
    pub fn failed(words: String) -> CallError {
        CallError(Box::new(Failure::Failed(words)))
    }

    /// This key is not in the store; the rendering fails, but goes on first to find what else is missing.
    pub fn missing(key: String) -> CallError {
        CallError(Box::new(Failure::Missing(key)))
    }

    /// A nested rendering (`include`) failed at its own place.
    pub fn nested(error: Error) -> CallError {
        CallError(Box::new(Failure::Nested(error)))
    }
}

/// Where a template's functions live.
pub trait Host {
    /// The table of functions, in an order that does not change: a parsed template refers to them by index.
    fn functions(&self) -> &'static [Function];
    /// Calls function `index` with arguments already checked against its [`Function`]; `budget` limits what it may make.
    fn call(
        &mut self,
        index: usize,
        args: &[Value],
        budget: &mut Budget,
    ) -> Result<Value, CallError>;
}

/// How a template is executed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// A missing map field or index is an error, instead of printing `<no value>`.
    pub strict: bool,
}
