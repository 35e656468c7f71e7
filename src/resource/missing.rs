//! What to say about a key that a template asks for and does not get: which of the cases it is, and what to do.
//!
//! Keys only: no value of the metadata is ever in these words.

use std::path::Path;

use super::Resource;
use crate::go::path;
use crate::tree::{Absence, View};

/// What a resource sees, and by whose word.
pub struct Sight<'r> {
    view: &'r View,
    toml: &'r Path,
    keys: &'r [String],
    prefix: &'r str,
}

impl<'r> Sight<'r> {
    /// The sight of what was typed in place of a resource.
    pub fn of_flags(view: &'r View, keys: &'r [String], prefix: &'r str) -> Sight<'r> {
        Sight {
            view,
            toml: Path::new("the command line"),
            keys,
            prefix,
        }
    }

    /// The sight of a resource that has this view.
    pub fn of(resource: &'r Resource, view: &'r View) -> Sight<'r> {
        Sight {
            view,
            toml: &resource.path,
            keys: &resource.keys,
            prefix: &resource.prefix,
        }
    }

    /// Why there is no value at `key`, in one line.
    pub fn answer(&self, key: &str) -> String {
        match self.view.absence(key) {
            Some(Absence::Directory(names, more)) => {
                let rest = if more { " and more" } else { "" };
                let dir = key.trim_end_matches('/');
                format!(
                    "{dir}/ is a directory, not a value: it has {}{rest}",
                    names.join(" ")
                )
            }
            Some(Absence::Hidden) => {
                format!("the metadata has {key}, but {}", self.limits())
            }
            Some(Absence::Elsewhere(found)) if path::clean(&format!("/{key}")) == found => {
                format!("no key is ever written like that; did you mean {found}?")
            }
            Some(Absence::Elsewhere(found)) => {
                format!("there is no such key; under another prefix there is {found}")
            }
            Some(Absence::Outside(found)) => format!(
                "there is no such key below prefix {:?} of {}; outside of it there is {found}",
                self.prefix,
                self.toml.display()
            ),
            Some(Absence::Misspelt { meant, covered }) => {
                let limits = match covered {
                    true => String::new(),
                    false => format!(" (but {})", self.limits()),
                };
                format!("the metadata has no such key; did you mean {meant}?{limits}")
            }
            Some(Absence::Unknown) | None => "the metadata has no such key".to_owned(),
        }
    }

    fn limits(&self) -> String {
        match self.keys {
            [] => format!(
                "{} has no keys, and so the template sees nothing",
                self.toml.display()
            ),
            keys => format!(
                "keys = {keys:?} of {} does not cover it",
                self.toml.display()
            ),
        }
    }
}
