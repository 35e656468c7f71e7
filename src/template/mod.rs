//! Go's text/template, and nothing else: text and functions in, bytes or an [`Error`] out.
//!
//! Knows no metadata, no HTTP and no files: what a template may call is a [`Host`].

mod error;
pub mod escape;
pub mod format;
pub mod strconv;
pub mod time;
pub mod utf8;
pub mod value;

pub use error::{Error, ErrorKind};
pub use value::Value;

/// A parameter's type, as Go's reflection sees it when it checks an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `interface {}`: anything, nil included.
    Any,
    /// `string`
    Str,
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
#[derive(Debug)]
pub struct Function {
    /// The name in a template.
    pub name: &'static str,
    /// The fixed parameters.
    pub params: &'static [Type],
    /// The type of the further arguments, when it takes any number of them.
    pub variadic: Option<Type>,
}

/// Why a call failed. Places are attached by the executor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// The function refused; Go's words without the `error calling NAME: ` in front.
    Failed(String),
    /// A key is not in the store; the rendering fails, but goes on first to find what else is missing.
    Missing(String),
    /// A nested rendering (`include`) failed at its own place.
    Nested(Box<Error>),
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

/// What one rendering may still use up; shared with nested renderings.
#[derive(Debug)]
pub struct Budget {
    /// Steps (nodes executed, loop turns) left.
    pub steps: u64,
    /// Bytes of values and output that may still be made.
    pub bytes: u64,
    /// Levels of nesting (templates, blocks, pipelines) that may still be entered.
    pub depth: u32,
}
