//! The explanation of a key that a template asks for and does not get: the case, and what to do.
//!
//! Keys only: no value of the metadata is ever in these words.

use std::path::Path;

use super::Resource;
use crate::go::path;
use crate::tree::{MissingKey, View};

/// A resource's view of the tree and the settings that limit it.
pub struct Probe<'r> {
    view: &'r View,
    toml: &'r Path,
    keys: &'r [String],
    prefix: &'r str,
}

impl<'r> Probe<'r> {
    /// The probe of a key on the command line, without a resource.
    pub fn of_flags(view: &'r View, keys: &'r [String], prefix: &'r str) -> Probe<'r> {
        Probe {
            view,
            toml: Path::new("the command line"),
            keys,
            prefix,
        }
    }

    /// The probe of a resource and its view.
    pub fn of(resource: &'r Resource, view: &'r View) -> Probe<'r> {
        Probe {
            view,
            toml: &resource.path,
            keys: &resource.keys,
            prefix: &resource.prefix,
        }
    }

    /// Why there is no value at `key`, in one line.
    pub fn answer(&self, key: &str) -> String {
        match self.view.missing_key(key) {
            Some(MissingKey::Directory(names, more)) => {
                let rest = if more { " and more" } else { "" };
                let dir = key.trim_end_matches('/');
                format!(
                    "{dir}/ is a directory, not a value: it has {}{rest}",
                    names.join(" ")
                )
            }
            Some(MissingKey::Hidden) => {
                format!("the metadata has {key}, but {}", self.limits())
            }
            Some(MissingKey::Elsewhere(found)) if path::clean(&format!("/{key}")) == found => {
                format!("no key is ever written like that; did you mean {found}?")
            }
            Some(MissingKey::Elsewhere(found)) => {
                format!("there is no such key; under another prefix there is {found}")
            }
            Some(MissingKey::Outside(found)) => format!(
                "there is no such key below prefix {:?} of {}; outside of it there is {found}",
                self.prefix,
                self.toml.display()
            ),
            Some(MissingKey::Misspelt { meant, covered }) => {
                let limits = if covered {
                    String::new()
                } else {
                    format!(" (but {})", self.limits())
                };
                format!("the metadata has no such key; did you mean {meant}?{limits}")
            }
            Some(MissingKey::Unknown) | None => "the metadata has no such key".to_owned(),
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
