//! One setting at a time, from the strongest of the places that have it: confd.toml < environment <
//! flags.
//!
//! Knows how each place writes a value, not which values make sense.

use std::ffi::OsString;
use std::time::Duration;

use crate::cli::{self, Args};
use crate::config::table::{DURATION, Table, parse_duration};
use crate::error::{Error, Result};
use crate::go::strconv;

/// The meaning of a value, or the end of an error message that begins with its key.
pub(super) type Meaning<T> = Result<T, String>;

/// A key's value and the place that it came from.
pub(super) struct Found<T> {
    pub value: T,
    key: &'static str,
    place: Place,
}

impl<T> Found<T> {
    /// Converts the value. An error message follows the key's name and gets the place.
    pub(super) fn mean<U>(self, meaning: impl FnOnce(T) -> Meaning<U>) -> Result<U> {
        let Found { value, key, place } = self;
        meaning(value).map_err(|message| place.refuse(key, &message))
    }
}

enum Place {
    /// `path:line`
    Line(String),
    /// The variable's name.
    Variable(String),
    /// The flag's name.
    Flag(&'static str),
}

impl Place {
    /// A wrong flag or variable is a wrong call; a wrong line is a wrong file.
    fn refuse(&self, key: &str, message: &str) -> Error {
        match self {
            Place::Flag(name) => Error::usage(format!("-{name} {message}")),
            Place::Variable(name) => Error::usage(format!("{name} {message}")),
            Place::Line(line) => Error::config(line.clone(), &format!("{key} {message}")),
        }
    }
}

/// Looks up one environment variable.
pub(super) type Variables<'a> = dyn Fn(&str) -> Option<OsString> + 'a;

/// The places, the weakest first.
pub(super) struct Layers<'a> {
    pub file: Option<Table>,
    pub env: &'a Variables<'a>,
    pub args: &'a Args,
}

impl Layers<'_> {
    /// A string. An empty one counts as none and overrides weaker places.
    pub(super) fn text(&self, key: &'static str) -> Result<Option<Found<String>>> {
        let found = self.read(key, Table::string, |texts| Ok(last(texts).to_owned()))?;
        Ok(found.filter(|found| !found.value.is_empty()))
    }

    /// A list of strings without the empty ones. The environment separates them with commas.
    pub(super) fn list(&self, key: &'static str) -> Result<Option<Found<Vec<String>>>> {
        let mut found = self.read(key, Table::strings, |texts| Ok(texts.to_vec()))?;
        if let Some(found) = &mut found {
            if let (Place::Variable(_), [text]) = (&found.place, found.value.as_slice()) {
                let parts = text.split(',').map(|part| part.trim().to_owned());
                found.value = parts.collect();
            }
            found.value.retain(|text| !text.is_empty());
        }
        Ok(found.filter(|found| !found.value.is_empty()))
    }

    /// Returns true if a switch is on. It is off if no place has it.
    pub(super) fn is_on(&self, key: &'static str) -> Result<bool> {
        let found = self.read(key, Table::boolean, |texts| {
            let text = last(texts);
            strconv::parse_bool(text.as_bytes())
                .map_err(|_| format!("must be true or false, not {text:?}"))
        })?;
        Ok(found.is_some_and(|found| found.value))
    }

    /// A whole number.
    pub(super) fn integer(&self, key: &'static str) -> Result<Option<Found<i64>>> {
        self.read(key, Table::integer, |texts| {
            let text = last(texts);
            text.parse()
                .map_err(|_| format!("must be a whole number, not {text:?}"))
        })
    }

    /// A duration.
    pub(super) fn duration(&self, key: &'static str) -> Result<Option<Found<Duration>>> {
        self.read(key, Table::duration, |texts| {
            let text = last(texts);
            parse_duration(text).ok_or_else(|| format!("must be {DURATION}, not {text:?}"))
        })
    }

    /// The value from the strongest place that has one. A malformed value is an error in any place.
    fn read<T>(
        &self,
        key: &'static str,
        from_file: fn(&Table, &str) -> Result<Option<T>>,
        from_texts: fn(&[String]) -> Meaning<T>,
    ) -> Result<Option<Found<T>>> {
        let mut found = None;
        if let Some(file) = &self.file
            && let Some(value) = from_file(file, key)?
        {
            let place = Place::Line(file.place(key));
            found = Some(Found { value, key, place });
        }
        for (place, texts) in self.texts(key)? {
            let value = from_texts(&texts).map_err(|message| place.refuse(key, &message))?;
            found = Some(Found { value, key, place });
        }
        Ok(found)
    }

    /// The values of `key` in the environment, then on the command line.
    fn texts(&self, key: &str) -> Result<Vec<(Place, Vec<String>)>> {
        let mut texts = Vec::new();
        texts.extend(self.variable(key)?);
        texts.extend(self.flag(key));
        Ok(texts)
    }

    /// The value of `key` in the environment. An empty variable counts as not set.
    fn variable(&self, key: &str) -> Result<Option<(Place, Vec<String>)>> {
        let name = variable_name(key);
        match (self.env)(&name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(text)) if text.is_empty() => Ok(None),
            Some(Ok(text)) => Ok(Some((Place::Variable(name), vec![text]))),
            Some(Err(_)) => Err(Place::Variable(name).refuse(key, "must be UTF-8 text")),
        }
    }

    /// The values of `key` on the command line. Not every key has a flag.
    fn flag(&self, key: &str) -> Option<(Place, Vec<String>)> {
        let name = if key == "nodes" { "node" } else { key };
        let name = cli::flag_name(&name.replace('_', "-"))?;
        let texts = self.args.all(name);
        (!texts.is_empty()).then(|| (Place::Flag(name), texts.to_vec()))
    }
}

/// The environment variable of a setting: `CONFD_LOG_LEVEL` for `log-level`.
pub(super) fn variable_name(key: &str) -> String {
    format!("CONFD_{}", key.to_ascii_uppercase().replace('-', "_"))
}

fn last(texts: &[String]) -> &str {
    texts.last().map_or("", String::as_str)
}
