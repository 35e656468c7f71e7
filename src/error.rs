//! The crate's error. Every kind names its object: path, URL, command or resource. The cause is in
//! `source()`.
//!
//! The kind decides what happens next: `Usage` and `Config` end the program, `Backend` backs off,
//! and everything else belongs to one resource, is reported and tried again.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::template;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with its object. One pointer wide.
#[derive(Debug)]
pub struct Error(Box<Kind>);

/// The kinds of errors.
#[derive(Debug)]
pub enum Kind {
    /// A flag or an environment variable is wrong, with the reason.
    Usage(String),
    /// A settings file is wrong; `place` is `path` or `path:line`.
    Config { place: String, message: String },
    /// The settings cannot be read or are wrong; nothing has been done yet.
    Settings(Error),
    /// A system call failed: `cannot VERB PATH: cause`.
    Io {
        verb: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// The metadata source at `url` (or path, or `environment`) returned no usable tree.
    Backend { url: String, problem: String },
    /// The template `src` does not parse.
    Unprocessed { src: String, error: template::Error },
    /// A template does not execute.
    Template(template::Error),
    /// A command could not be started or failed after this output.
    Command {
        command: String,
        problem: String,
        output: String,
    },
    /// The check_cmd of `dest` did not run or rejected the new file.
    Check { dest: PathBuf, cause: Error },
    /// Anything else about one resource.
    Resource { path: PathBuf, problem: String },
}

impl Error {
    /// A wrong flag or environment variable.
    pub fn usage(message: String) -> Error {
        Error::from(Kind::Usage(message))
    }

    /// A wrong settings file, at `path` or `path:line`.
    pub fn config(place: String, message: &str) -> Error {
        Error::from(Kind::Config {
            place,
            message: message.to_owned(),
        })
    }

    /// The same error, as one of the settings. A wrong command line remains one.
    pub fn in_settings(self) -> Error {
        match self.kind() {
            Kind::Usage(_) => self,
            _ => Error::from(Kind::Settings(self)),
        }
    }

    /// An I/O error with the verb and the path.
    pub fn io(verb: &'static str, path: &Path, source: io::Error) -> Error {
        Error::from(Kind::Io {
            verb,
            path: path.to_path_buf(),
            source,
        })
    }

    /// A metadata source that returned no usable tree.
    pub fn backend(url: String, problem: String) -> Error {
        Error::from(Kind::Backend { url, problem })
    }

    /// A command that could not be run and has no output.
    pub fn command(command: &str, problem: String) -> Error {
        Error::from(Kind::Command {
            command: command.to_owned(),
            problem,
            output: String::new(),
        })
    }

    /// A problem with the resource or the file at `path`.
    pub fn resource(path: &Path, problem: &str) -> Error {
        Error::from(Kind::Resource {
            path: path.to_path_buf(),
            problem: problem.to_owned(),
        })
    }

    /// The kind, for decisions.
    pub fn kind(&self) -> &Kind {
        &self.0
    }

    /// Returns true if the file does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(&*self.0, Kind::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// The message and its causes, joined with `: `, and the details of a template error below.
    pub fn chain(&self) -> String {
        let mut text = self.line();
        if let Kind::Unprocessed { error, .. } | Kind::Template(error) = self.kind() {
            text.push('\n');
            text.push_str(&error.details());
        }
        text
    }

    /// The message and its causes.
    fn line(&self) -> String {
        match self.kind() {
            Kind::Settings(cause) => cause.line(),
            Kind::Io { source, .. } => format!("{self}: {source}"),
            Kind::Check { cause, .. } => format!("{self}: {}", cause.line()),
            _ => self.to_string(),
        }
    }

    /// The message for readers who may not see the metadata: without the output of commands and the
    /// words of template functions, which can contain values. The log has them.
    pub fn redacted(&self) -> String {
        match self.kind() {
            Kind::Template(error) => error.redacted(),
            Kind::Command {
                command, problem, ..
            } => format!("command {command:?} {problem}"),
            Kind::Check { cause, .. } => format!("{self}: {}", cause.redacted()),
            Kind::Unprocessed { .. } => self.to_string(),
            _ => self.chain(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind() {
            Kind::Usage(message) => f.write_str(message),
            Kind::Settings(cause) => cause.fmt(f),
            Kind::Config { place, message } => write!(f, "{place}: {message}"),
            Kind::Io { verb, path, .. } => write!(f, "cannot {verb} {}", path.display()),
            Kind::Backend { url, problem } => write!(f, "{url}: {problem}"),
            Kind::Unprocessed { src, error } => {
                write!(f, "Unable to process template {src}, {error}")
            }
            Kind::Template(error) => error.fmt(f),
            Kind::Command {
                command,
                problem,
                output,
            } => {
                write!(f, "command {command:?} {problem}")?;
                if output.is_empty() {
                    Ok(())
                } else {
                    write!(f, "; its output:\n{output}")
                }
            }
            Kind::Check { dest, .. } => write!(f, "{}: Config check failed", dest.display()),
            Kind::Resource { path, problem } => write!(f, "{}: {problem}", path.display()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self.kind() {
            Kind::Settings(cause) => Some(cause),
            Kind::Io { source, .. } => Some(source),
            Kind::Check { cause, .. } => Some(cause),
            _ => None,
        }
    }
}

impl From<Kind> for Error {
    fn from(kind: Kind) -> Self {
        Error(Box::new(kind))
    }
}

impl From<template::Error> for Error {
    fn from(error: template::Error) -> Self {
        Error::from(Kind::Template(error))
    }
}
