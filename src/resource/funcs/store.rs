//! The functions that read the metadata: `exists get gets getv getvs ls lsdir`.
//! Values and names are parts of the tree's strings, not copies. What is read goes into the
//! rendering's [`ReadSet`].
//!
//! [`ReadSet`]: crate::tree::ReadSet

use super::Funcs;
use crate::go::filepath::{BadPattern, Pattern};
use crate::template::value::{Pair, Str};
use crate::template::{Budget, CallError, Value};
use crate::tree::Found;

impl Funcs {
    /// `exists`
    pub(super) fn exists(&mut self, key: &Str, budget: &mut Budget) -> Result<Value, CallError> {
        let key = key.as_bytes();
        budget.spend_bytes(key.len())?;
        Ok(Value::Bool(self.reads.ask(key)))
    }

    /// `get`
    pub(super) fn get(&mut self, key: &Str, budget: &mut Budget) -> Result<Value, CallError> {
        let Some(value) = self.look_up(key, budget)? else {
            return Err(missing(key));
        };
        let key = key.clone();
        Ok(Value::Pair(Pair { key, value }.into()))
    }

    /// `getv`: a key that exists but is empty beats the default.
    pub(super) fn getv(
        &mut self,
        key: &Str,
        default: Option<&Value>,
        budget: &mut Budget,
    ) -> Result<Value, CallError> {
        match (self.look_up(key, budget)?, default) {
            (Some(value), _) => Ok(Value::Str(value)),
            (None, Some(default)) => Ok(default.clone()),
            (None, None) => Err(missing(key)),
        }
    }

    fn look_up(&mut self, key: &Str, budget: &mut Budget) -> Result<Option<Str>, CallError> {
        let key = key.as_bytes();
        let found = self.reads.read(key);
        let size = found.map_or(0, str::len);
        budget.spend_bytes(key.len() + size + size_of::<Str>())?;
        Ok(found.map(|value| Str::part_of(&self.text, value)))
    }

    /// `gets`: sorted by key.
    pub(super) fn gets(&mut self, pattern: &Str, budget: &mut Budget) -> Result<Value, CallError> {
        let Some(pattern) = self.pattern(pattern, budget)? else {
            return Ok(Value::Pairs([].into()));
        };
        let view = self.reads.view();
        let Found { items, walked } = view.matching(&pattern);
        budget.spend_steps(walked)?;
        let size: usize = items
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum();
        budget.spend_bytes(size + items.len() * size_of::<Pair>())?;
        let pair = |(key, value): (String, &str)| Pair {
            key: key.into(),
            value: Str::part_of(&self.text, value),
        };
        Ok(Value::Pairs(items.into_iter().map(pair).collect()))
    }

    /// `getvs`: sorted as strings.
    pub(super) fn getvs(&mut self, pattern: &Str, budget: &mut Budget) -> Result<Value, CallError> {
        let Some(pattern) = self.pattern(pattern, budget)? else {
            return Ok(Value::Strings([].into()));
        };
        let mut found = self.reads.view().matching_values(&pattern);
        found.items.sort_unstable();
        self.strings(found, budget)
    }

    /// Reads a pattern; none when it cannot match anything.
    fn pattern(&mut self, text: &Str, budget: &mut Budget) -> Result<Option<Pattern>, CallError> {
        let Ok(text) = str::from_utf8(text.as_bytes()) else {
            return Ok(None);
        };
        budget.spend_bytes(text.len())?;
        self.reads.note_pattern(text);
        match Pattern::parse(text) {
            Ok(pattern) => Ok(Some(pattern)),
            Err(bad) => {
                self.reads.note_everything();
                self.check_unreached(&bad, budget).map(|()| None)
            }
        }
    }

    /// Fails when a key reaches the pattern's error, as in the original; else no key matches.
    fn check_unreached(&self, bad: &BadPattern, budget: &mut Budget) -> Result<(), CallError> {
        for (key, _) in self.reads.view().leaves() {
            budget.spend_steps(1)?;
            if bad.is_reached(key.as_bytes()) {
                return Err(CallError::failed(bad.to_string()));
            }
        }
        Ok(())
    }

    /// `ls`, and with `dirs_only` `lsdir`.
    pub(super) fn list(
        &mut self,
        dir: &Str,
        dirs_only: bool,
        budget: &mut Budget,
    ) -> Result<Value, CallError> {
        let Ok(dir) = str::from_utf8(dir.as_bytes()) else {
            return Ok(Value::Strings([].into()));
        };
        budget.spend_bytes(dir.len())?;
        self.reads.note_listing(dir, dirs_only);
        let view = self.reads.view();
        let found = if dirs_only {
            view.list_dirs(dir)
        } else {
            view.list(dir)
        };
        self.strings(found, budget)
    }

    /// A `[]string` of parts of the tree's strings.
    fn strings(&self, found: Found<&str>, budget: &mut Budget) -> Result<Value, CallError> {
        let Found { items, walked } = found;
        budget.spend_steps(walked)?;
        let size: usize = items.iter().map(|name| name.len()).sum();
        budget.spend_bytes(size + items.len() * size_of::<Str>())?;
        let strings = items.into_iter();
        let strings = strings.map(|item| Str::part_of(&self.text, item));
        Ok(Value::Strings(strings.collect()))
    }
}

fn missing(key: &Str) -> CallError {
    CallError::missing(key.to_text().into_owned())
}
