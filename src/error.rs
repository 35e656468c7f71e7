//! The crate's one error. Every variant carries its noun (path, URL, command, resource); the cause is in `source()`.
//!
//! The variant tells the loop what to do: `Usage` and `Config` end the program, `Backend` backs off,
//! everything else belongs to one resource and is reported and tried again.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::template;

/// The crate's result. Its error is boxed, so that passing it on moves one pointer and no caller makes room for the largest.
pub type Result<T> = std::result::Result<T, Box<Error>>;

/// What went wrong, with the thing that it went wrong with.
#[derive(Debug)]
pub enum Error {
    /// A flag or an environment variable is wrong; says how.
    Usage(String),
    /// A settings file is wrong; `place` is `path` or `path:line`.
    Config { place: String, message: String },
    /// The system refused something: `cannot VERB PATH: cause`.
    Io {
        verb: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// The metadata source at `url` (or path, or `environment`) gave no usable tree.
    Backend { url: String, problem: String },
    /// The template `src` does not parse.
    Unprocessed { src: String, error: template::Error },
    /// A template does not execute.
    Template(template::Error),
    /// A command could not be started, or ended with a failure after this output.
    Command {
        command: String,
        problem: String,
        output: String,
    },
    /// The check_cmd of `dest` did not run, or refused the new file.
    Check { dest: PathBuf, cause: Box<Error> },
    /// Anything else about one resource, already with its noun.
    Resource { path: PathBuf, problem: String },
}

/// The common kinds, made ready to be returned.
impl Error {
    /// A wrong flag or environment variable.
    pub fn usage(message: String) -> Box<Self> {
        Box::new(Error::Usage(message))
    }

    /// A wrong settings file, at `path` or `path:line`.
    pub fn config(place: String, message: &str) -> Box<Self> {
        Box::new(Error::Config {
            place,
            message: message.to_owned(),
        })
    }

    /// Wraps an I/O error with what was being done to which path.
    pub fn io(verb: &'static str, path: &Path, source: io::Error) -> Box<Self> {
        Box::new(Error::Io {
            verb,
            path: path.to_path_buf(),
            source,
        })
    }

    /// A metadata source without a usable tree.
    pub fn backend(url: String, problem: String) -> Box<Self> {
        Box::new(Error::Backend { url, problem })
    }

    /// A command that could not be run, and so has no output.
    pub fn command(command: &str, problem: String) -> Box<Self> {
        Box::new(Error::Command {
            command: command.to_owned(),
            problem,
            output: String::new(),
        })
    }

    /// Something about the file `path`, or about what goes by that name.
    pub fn resource(path: &Path, problem: &str) -> Box<Self> {
        Box::new(Error::Resource {
            path: path.to_path_buf(),
            problem: problem.to_owned(),
        })
    }

    /// Whether the file is just not there.
    pub fn is_absence(&self) -> bool {
        matches!(self, Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// The message and its causes, joined with `: `; below a template's error its details.
    pub fn chain(&self) -> String {
        let mut text = self.line();
        if let Error::Unprocessed { error, .. } | Error::Template(error) = self {
            text.push('\n');
            text.push_str(&error.details());
        }
        text
    }

    /// The message and its causes.
    fn line(&self) -> String {
        match self {
            Error::Io { source, .. } => format!("{self}: {source}"),
            Error::Check { cause, .. } => format!("{self}: {}", cause.line()),
            _ => self.to_string(),
        }
    }

    /// The message for those who may not read the metadata: without what a template's function or a command has said, since
    /// that may be a value. The log has it.
    pub fn harmless(&self) -> String {
        match self {
            Error::Template(error) => error.harmless(),
            Error::Command {
                command, problem, ..
            } => format!("command {command:?} {problem}"),
            Error::Check { cause, .. } => format!("{self}: {}", cause.harmless()),
            Error::Unprocessed { .. } => self.to_string(),
            other => other.chain(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Usage(message) => f.write_str(message),
            Error::Config { place, message } => write!(f, "{place}: {message}"),
            Error::Io { verb, path, .. } => write!(f, "cannot {verb} {}", path.display()),
            Error::Backend { url, problem } => write!(f, "{url}: {problem}"),
            Error::Unprocessed { src, error } => {
                write!(f, "Unable to process template {src}, {error}")
            }
            Error::Template(error) => error.fmt(f),
            Error::Command {
                command,
                problem,
                output,
            } => {
                write!(f, "command {command:?} {problem}")?;
                match output.is_empty() {
                    true => Ok(()),
                    false => write!(f, "; its output:\n{output}"),
                }
            }
            Error::Check { dest, .. } => write!(f, "{}: Config check failed", dest.display()),
            Error::Resource { path, problem } => write!(f, "{}: {problem}", path.display()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            Error::Check { cause, .. } => Some(&**cause),
            _ => None,
        }
    }
}

impl From<template::Error> for Box<Error> {
    fn from(error: template::Error) -> Self {
        Box::new(Error::Template(error))
    }
}
