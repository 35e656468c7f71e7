//! Go's text/template: a string and functions in, bytes or an [`Error`] out.
//!
//! Knows no metadata, no HTTP and no files; the functions that a template can call belong to a
//! [`Host`]. The stages are Go's, in files that can be read beside its own: lex, parse, exec.

mod budget;
mod builtins;
mod error;
mod exec;
#[cfg(test)]
mod fixture;
mod foreign;
pub mod format;
mod function;
mod hint;
pub mod interner;
mod lex;
mod methods;
mod missing;
mod node;
mod number;
pub mod outline;
mod parse;
mod problem;
mod sorted;
pub(crate) mod structs;
mod trace;
pub mod value;

pub use budget::{Budget, Limit, MAX_BYTES, MAX_DEPTH, MAX_STEPS};
pub use builtins::functions as go_functions;
pub use error::{Error, ErrorKind};
pub use foreign::{infix_help, nil_dot_help};
use function::Failure;
pub use function::{CallError, Function, Host, Options, Type};
pub use lex::Span;
pub use methods::time_methods;
pub use parse::{MAX_NESTING, MAX_SOURCE, Template};
pub use problem::Problem;
pub use trace::Trace;
pub use value::Value;
