//! The mistakes in a template, as data, and their words: Go's message, and help of our own.
//!
//! Knows no places: the parser and the executor add them.

use std::fmt;

use super::lex::{Kind, LexError};
use super::value::{self, Pair, Service};
use super::{CallError, Error, ErrorKind, Failure, Function, Limit, Type, budget, structs};
use crate::go::strconv;
use crate::go::{unicode, utf8};

/// The characters of a lexeme that a message shows.
const LEXEME_WIDTH: usize = 10;

/// A mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The lexer cannot read `text`; `started` is the action's `NAME:LINE`, when that is another
    /// line.
    Lex {
        error: LexError,
        text: Vec<u8>,
        started: Option<String>,
    },
    /// A lexeme where it cannot be; `context` is what was being read.
    Unexpected {
        kind: Kind,
        text: Vec<u8>,
        context: &'static str,
    },
    /// The text ends in a block that begins on this line.
    UnexpectedEof(usize),
    /// `{{end}}` or `{{else}}` with nothing to end.
    UnexpectedClause(&'static str),
    /// `{{else}}` in a block or a definition.
    ClauseWithin {
        clause: &'static str,
        context: &'static str,
    },
    ExpectedEnd(&'static str),
    MissingValue(&'static str),
    EmptyCommand,
    /// A constant in a pipeline's stage, counted from 1.
    NonExecutable(usize),
    TooManyDeclarations(&'static str),
    OnlyVariables,
    /// `{{break}}` or `{{continue}}` outside a range.
    OutsideRange(&'static str),
    DotAfter(String),
    UndeclaredVariable(Vec<u8>),
    UndefinedFunction {
        name: Vec<u8>,
        nearest: Option<&'static str>,
    },
    /// A quoted string or character with a wrong escape.
    InvalidSyntax,
    MalformedChar(Vec<u8>),
    IntegerOverflow(Vec<u8>),
    IllegalNumber(Vec<u8>),
    /// In the words of strconv.
    BadComplexPart(String),
    BadComplex,
    MultipleDefinition(Vec<u8>),
    /// Blocks or parentheses nest deeper than this many levels.
    NestedTooDeep(u32),
    TooLarge(usize),

    NotAFunction(String),
    NilCommand,
    OverflowsInt(String),
    UndefinedVariable(Vec<u8>),
    ArgumentCount {
        function: &'static Function,
        got: usize,
    },
    /// A method with no result, or with several.
    NoSingleResult {
        name: &'static str,
        results: usize,
    },
    /// A struct's field, given arguments.
    FieldArguments(String),
    /// A map's key, given arguments.
    KeyArguments(String),
    Unexported {
        field: String,
        in_type: &'static str,
    },
    NoField {
        field: String,
        in_type: &'static str,
    },
    NilPointer {
        field: String,
        in_type: &'static str,
    },
    /// Strict only: a map has no such key.
    NoEntry(Vec<u8>),
    /// Strict only: a field of nothing.
    NoEntryInNil(Vec<u8>),
    InvalidValue(Type),
    WrongType {
        want: Type,
        got: &'static str,
    },
    NilArgument(Type),
    /// A constant of another kind than the parameter's.
    WrongConstant {
        want: &'static str,
        found: String,
    },
    NoSuchConstant {
        node: String,
        want: Type,
    },
    Calling {
        name: &'static str,
        error: CallError,
    },
    UndefinedTemplate(Vec<u8>),
    TemplateDepth(u32),
    NotIterable(String),
    /// A range over an integer has no index.
    TwoVariables(String),
    Limit(Limit),
}

impl Problem {
    pub(super) fn kind(&self) -> ErrorKind {
        match self {
            Problem::Limit(_) | Problem::TemplateDepth(_) => ErrorKind::Limit,
            Problem::Calling { error, .. } => match &*error.0 {
                Failure::Failed(_) => ErrorKind::Exec,
                Failure::Missing(_) => ErrorKind::Missing,
                Failure::Limit(_) => ErrorKind::Limit,
                Failure::Nested(nested) => nested.kind(),
            },
            _ => ErrorKind::Exec,
        }
    }

    /// The error of a nested rendering that this one passes on.
    pub(super) fn nested(&self) -> Option<&Error> {
        match self {
            Problem::Calling { error, .. } => match &*error.0 {
                Failure::Nested(nested) => Some(nested),
                _ => None,
            },
            _ => None,
        }
    }

    /// Why a call failed.
    pub(super) fn failure_mut(&mut self) -> Option<&mut Failure> {
        match self {
            Problem::Calling { error, .. } => Some(&mut error.0),
            _ => None,
        }
    }

    /// One line for the author of the template, from the problem alone.
    pub fn help(&self) -> Option<String> {
        match self {
            Problem::UndefinedFunction {
                nearest: Some(nearest),
                ..
            } => Some(format!("there is a function {nearest}")),
            Problem::UndefinedFunction { nearest: None, .. } => Some(
                "write metadata as {{getv \"/…\"}}, a variable as {{$x}}, a string in quotes"
                    .to_owned(),
            ),
            Problem::ArgumentCount { function, .. } => Some(function.takes()),
            Problem::UndeclaredVariable(name) | Problem::UndefinedVariable(name) => {
                let name = String::from_utf8_lossy(name);
                Some(format!(
                    "declare it before, in the same block or around it: {{{{{name} := …}}}}"
                ))
            }
            Problem::NoField { in_type, .. } => fields_of(in_type),
            Problem::UnexpectedEof(line) => Some(format!(
                "the block that begins on line {line} has no {{{{end}}}}"
            )),
            Problem::Lex { error, .. } => error.help().map(str::to_owned),
            other => other.syntax_help().map(str::to_owned),
        }
    }

    /// The help that needs nothing but the kind of the mistake.
    fn syntax_help(&self) -> Option<&'static str> {
        Some(match self {
            Problem::Unexpected { text, .. } => match text.as_slice() {
                b"}" => "an action ends with }}",
                _ => return None,
            },
            Problem::UnexpectedClause(_) => {
                "no block is open here: remove it, or an {{end}} before it"
            }
            Problem::ClauseWithin { .. } => {
                "close the {{if}} inside it first, or remove the {{else}}"
            }
            Problem::ExpectedEnd(_) => "a block has at most one {{else}}, as its last part",
            Problem::MissingValue("block clause") => {
                "write the dot after the name: {{block \"name\" .}}"
            }
            Problem::MissingValue(_) => "write a value after it, as in {{if exists \"/k\"}}",
            Problem::EmptyCommand => "write a function or a value there, or remove the |",
            Problem::OnlyVariables => "declare both variables: {{range $index, $item := …}}",
            Problem::OutsideRange(_) => "write it inside {{range}}",
            Problem::MultipleDefinition(_) => "rename one of them",
            Problem::InvalidSyntax => {
                "write \\\\ for a backslash, or put the string in back quotes"
            }
            _ => return None,
        })
    }
}

fn fields_of(type_name: &str) -> Option<String> {
    let names = match type_name {
        "memkv.KVPair" => structs::names(Pair::FIELDS),
        "*net.SRV" => structs::names(Service::FIELDS),
        _ => return None,
    };
    Some(format!("a {type_name} has the fields {names}"))
}

impl LexError {
    fn help(self) -> Option<&'static str> {
        match self {
            LexError::UnclosedAction => Some("close it with }}"),
            LexError::UnclosedComment => Some("close it with */}}"),
            LexError::CommentEndsEarly => {
                Some("write nothing between */ and }}, or a space: */ -}}")
            }
            LexError::UnclosedParen => Some("close it with )"),
            LexError::UnterminatedQuote => Some("close it with \" on the same line"),
            LexError::UnterminatedRawQuote => Some("close it with `"),
            LexError::UnterminatedChar => Some("put strings in double quotes"),
            _ => None,
        }
    }

    fn words(self, text: &[u8]) -> String {
        match self {
            LexError::UnclosedAction => "unclosed action".into(),
            LexError::UnclosedComment => "unclosed comment".into(),
            LexError::CommentEndsEarly => "comment ends before closing delimiter".into(),
            LexError::UnclosedParen => "unclosed left paren".into(),
            LexError::ExpectedDeclare => "expected :=".into(),
            LexError::Unrecognized(found) => {
                format!("unrecognized character in action: {}", code_point(found))
            }
            LexError::BadCharacter(found) => format!("bad character {}", code_point(found)),
            LexError::BadNumber => format!("bad number syntax: {}", quoted(text)),
            LexError::UnterminatedChar => "unterminated character constant".into(),
            LexError::UnterminatedQuote => "unterminated quoted string".into(),
            LexError::UnterminatedRawQuote => "unterminated raw quoted string".into(),
        }
    }
}

/// A character as `%#U` prints it.
fn code_point(found: char) -> String {
    let number = format!("U+{:04X}", u32::from(found));
    if unicode::is_print(found) {
        format!("{number} '{found}'")
    } else {
        number
    }
}

/// Text as `%q` prints it.
pub(super) fn quoted(text: &[u8]) -> String {
    String::from_utf8_lossy(&strconv::quote(text)).into_owned()
}

/// A lexeme as messages show it.
fn lexeme(kind: Kind, text: &[u8]) -> String {
    if kind == Kind::Eof {
        return "EOF".into();
    }
    if kind.is_keyword() {
        return format!("<{}>", String::from_utf8_lossy(text));
    }
    if text.len() <= LEXEME_WIDTH {
        return quoted(text);
    }
    let widths = utf8::chars(text).take(LEXEME_WIDTH).map(|(_, width)| width);
    format!("{}...", quoted(&text[..widths.sum()]))
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Problem::*;
        let plain = String::from_utf8_lossy;
        match self {
            Lex {
                error,
                text,
                started,
            } => {
                let words = error.words(text);
                f.write_str(&words)?;
                match started {
                    // Go avoids "action in action".
                    Some(started) if words.ends_with(" action") => {
                        write!(f, " started at {started}")
                    }
                    Some(started) => write!(f, " in action started at {started}"),
                    None => Ok(()),
                }
            }
            Unexpected {
                kind,
                text,
                context,
            } => {
                write!(f, "unexpected {} in {context}", lexeme(*kind, text))
            }
            UnexpectedEof(_) => f.write_str("unexpected EOF"),
            UnexpectedClause(clause) => write!(f, "unexpected {clause}"),
            ClauseWithin { clause, context } => write!(f, "unexpected {clause} in {context}"),
            ExpectedEnd(found) => write!(f, "expected end; found {found}"),
            MissingValue(context) => write!(f, "missing value for {context}"),
            EmptyCommand => f.write_str("empty command"),
            NonExecutable(stage) => {
                write!(f, "non executable command in pipeline stage {stage}")
            }
            TooManyDeclarations(context) => write!(f, "too many declarations in {context}"),
            OnlyVariables => f.write_str("range can only initialize variables"),
            OutsideRange(action) => write!(f, "{action} outside {{{{range}}}}"),
            DotAfter(term) => {
                write!(f, "unexpected . after term {}", quoted(term.as_bytes()))
            }
            UndeclaredVariable(name) => write!(f, "undefined variable {}", quoted(name)),
            UndefinedFunction { name, .. } => {
                write!(f, "function {} not defined", quoted(name))
            }
            InvalidSyntax => f.write_str("invalid syntax"),
            MalformedChar(text) => {
                write!(f, "malformed character constant: {}", plain(text))
            }
            IntegerOverflow(text) => write!(f, "integer overflow: {}", quoted(text)),
            IllegalNumber(text) => write!(f, "illegal number syntax: {}", quoted(text)),
            BadComplexPart(words) => f.write_str(words),
            BadComplex => f.write_str("syntax error scanning complex number"),
            MultipleDefinition(name) => {
                write!(
                    f,
                    "template: multiple definition of template {}",
                    quoted(name)
                )
            }
            NestedTooDeep(limit) => write!(f, "nested deeper than {limit} levels"),
            TooLarge(limit) => write!(f, "larger than {} MiB", limit >> 20),
            NotAFunction(node) => write!(f, "can't give argument to non-function {node}"),
            NilCommand => f.write_str("nil is not a command"),
            OverflowsInt(number) => write!(f, "{number} overflows int"),
            UndefinedVariable(name) => write!(f, "undefined variable: {}", plain(name)),
            ArgumentCount { function, got } => write_count(f, function, *got),
            NoSingleResult { name, results } => {
                write!(
                    f,
                    "can't call method/function \"{name}\" with {results} results"
                )
            }
            FieldArguments(field) => {
                write!(f, "{field} has arguments but cannot be invoked as function")
            }
            KeyArguments(field) => write!(f, "{field} is not a method but has arguments"),
            Unexported { field, in_type } => {
                write!(f, "{field} is an unexported field of struct type {in_type}")
            }
            NoField { field, in_type } => {
                write!(f, "can't evaluate field {field} in type {in_type}")
            }
            NilPointer { field, in_type } => {
                write!(f, "nil pointer evaluating {in_type}.{field}")
            }
            NoEntry(key) => write!(f, "map has no entry for key {}", quoted(key)),
            NoEntryInNil(key) => write!(f, "nil data; no entry for key {}", quoted(key)),
            InvalidValue(want) => write!(f, "invalid value; expected {want}"),
            WrongType { want, got } => {
                write!(f, "wrong type for value; expected {want}; got {got}")
            }
            NilArgument(want) => write!(f, "cannot assign nil to {want}"),
            WrongConstant { want, found } => write!(f, "expected {want}; found {found}"),
            NoSuchConstant { node, want } => {
                write!(f, "can't handle {node} for arg of type {want}")
            }
            Calling { name, error } => write!(f, "error calling {name}: {error}"),
            UndefinedTemplate(name) => write!(f, "template {} not defined", quoted(name)),
            TemplateDepth(limit) => write!(f, "exceeded maximum template depth ({limit})"),
            NotIterable(value) => write!(f, "range can't iterate over {value}"),
            TwoVariables(value) => {
                write!(
                    f,
                    "can't use {value} to iterate over more than one variable"
                )
            }
            Limit(limit) => limit.fmt(f),
        }
    }
}

fn write_count(f: &mut fmt::Formatter<'_>, function: &Function, got: usize) -> fmt::Result {
    let Function {
        name,
        params,
        variadic,
    } = function;
    let at_least = if variadic.is_some() { "at least " } else { "" };
    let want = params.len();
    write!(
        f,
        "wrong number of args for {name}: want {at_least}{want} got {got}"
    )
}

impl Function {
    /// The parameters in words: `replace takes 4 arguments: string, string, string, int`.
    pub fn takes(&self) -> String {
        let mut types: Vec<String> = self.params.iter().map(Type::to_string).collect();
        let at_least = match self.variadic {
            Some(further) => {
                types.push(format!("{further}…"));
                "at least "
            }
            None => "",
        };
        let count = match self.params.len() {
            0 if self.variadic.is_some() => {
                return format!("{} takes any number of arguments", self.name);
            }
            0 => return format!("{} takes no arguments", self.name),
            1 => "1 argument".to_owned(),
            count => format!("{count} arguments"),
        };
        format!(
            "{} takes {at_least}{count}: {}",
            self.name,
            types.join(", ")
        )
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Failure::Failed(words) => f.write_str(words),
            Failure::Missing(key) => f.write_str(format!("key does not exist: {key}").trim_end()),
            Failure::Nested(nested) => nested.fmt(f),
            Failure::Limit(limit) => limit.fmt(f),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Steps => {
                let most = budget::MAX_STEPS / 1_000_000;
                write!(
                    f,
                    "the template takes too many steps: more than {most} million"
                )
            }
            Limit::Bytes => {
                let most = budget::MAX_BYTES >> 20;
                write!(f, "the template makes too much text: more than {most} MiB")
            }
            Limit::Depth => {
                let most = value::MAX_DEPTH;
                write!(
                    f,
                    "the template nests too deep: calls or values of more than {most} levels"
                )
            }
            Limit::Size => {
                let most = value::MAX_SIZE;
                write!(
                    f,
                    "the template makes too large a value: of more than {most} elements"
                )
            }
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Any => "interface {}",
            Type::Str => "string",
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Int64 => "int64",
            Type::Strings => "[]string",
            Type::List => "[]interface {}",
            Type::Map => "map[string]interface {}",
            Type::Time => "time.Time",
            Type::Duration => "time.Duration",
            Type::Location => "*time.Location",
            Type::Bytes => "[]uint8",
        })
    }
}
