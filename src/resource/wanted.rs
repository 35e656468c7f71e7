//! The use of a rendering: as the whole file, a block of it, no file, or not at all.

use std::path::Path;

use super::made::Made;
use super::stage::{Attributes, Difference, Target};
use super::{Id, Rendered, Resource};
use crate::config::Config;
use crate::error::{Error, Result};

/// The largest file that a block is put into, in bytes.
const LARGEST: u64 = 64 << 20;

/// The wanted state of dest.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// The file that there is, or none.
    Unchanged,
    /// A file with these bytes.
    Content(Vec<u8>),
    /// No file.
    Absent,
}

impl Wanted {
    /// The change to be made; none if dest is as it should be.
    pub(crate) fn compare(&self, target: &Target) -> Result<Option<Difference>> {
        match self {
            Wanted::Unchanged => Ok(None),
            Wanted::Content(content) => target.compare(content),
            Wanted::Absent => Ok(target.exists().then(|| Difference {
                surplus: true,
                ..Difference::default()
            })),
        }
    }

    /// The bytes of the file; none where there is to be no file.
    pub(crate) fn content(&self) -> &[u8] {
        match self {
            Wanted::Content(content) => content,
            Wanted::Unchanged | Wanted::Absent => &[],
        }
    }
}

impl Resource {
    /// The wanted state of dest after this rendering.
    pub(crate) fn wanted(&self, content: Vec<u8>, target: &mut Target) -> Result<Wanted> {
        // With a block that is about the block, and not about the file.
        if self.leaves_alone(&content, target.exists() && self.block.is_none()) {
            return Ok(Wanted::Unchanged);
        }
        let Some(block) = &self.block else {
            return Ok(if self.is_gone {
                Wanted::Absent
            } else {
                Wanted::Content(content)
            });
        };
        let old = target.read_old(LARGEST + 1)?;
        let others = target.with_others.take();
        let file = others.as_ref().or(old.as_ref());
        let file = file.map(Vec::as_slice).unwrap_or_default();
        let cannot = |problem: &str| Error::resource(&self.shown, problem);
        if file.len() as u64 > LARGEST {
            return Err(cannot("is too large for a block"));
        }
        let damaged = |problem: String| {
            let name = &block.begin;
            cannot(&format!(
                "is not changed, because the block {name:?} cannot be put into it: {problem}"
            ))
        };
        let is_there = block.lines(file).map_err(damaged)?.is_some();
        if self.leaves_alone(&content, is_there) {
            return Ok(Wanted::Unchanged);
        }
        let new = block.put(file, &content).map_err(damaged)?;
        let is_nothing = old.is_none() && new.is_empty();
        let is_in_others = others.is_some_and(|others| others == new);
        target.composed_from = Some(old.unwrap_or_default());
        Ok(if is_nothing || is_in_others {
            Wanted::Unchanged
        } else {
            Wanted::Content(new)
        })
    }

    /// Returns true if a file that is there, or not, stays so after this rendering. For a
    /// rehearsal, which has no dest.
    pub fn leaves_alone(&self, content: &[u8], exists: bool) -> bool {
        self.is_skipped(content) || (self.create_only && exists)
    }

    /// Returns true if an empty result leaves the file alone, and this is one.
    pub(super) fn is_skipped(&self, content: &[u8]) -> bool {
        self.skip_empty && content.trim_ascii().is_empty()
    }

    /// The record that is kept once it is made, so that it can be removed; none for a whole file
    /// that stays.
    pub(crate) fn made(&self) -> Option<Made> {
        let is_remembered = self.block.is_some() || self.item.is_some() || self.is_gone;
        is_remembered.then(|| self.makes()).flatten()
    }

    /// The file or block that it makes; none if it makes one for each item of a list.
    pub(crate) fn makes(&self) -> Option<Made> {
        if self.is_for_each() {
            return None;
        }
        let mut block = self.block.clone();
        if let Some(block) = &mut block {
            block.is_first = false;
        }
        Some(Made {
            dest: self.dest.clone(),
            block,
            reload: self.reload_cmd.clone(),
        })
    }

    /// The block of a file that it makes, by its first line; none for the whole file.
    pub(crate) fn marker(&self) -> Option<&str> {
        self.block.as_ref().map(|block| block.begin.as_str())
    }

    /// Returns true if it is here to remove what a resource has made.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Returns true if it makes the file of an item.
    pub(crate) fn is_item(&self) -> bool {
        self.item.is_some()
    }

    /// The same in the group of `list`, with what that says about the reload.
    pub(crate) fn of_list(self, list: &Resource) -> Resource {
        Resource {
            unit: list.unit.clone(),
            rolls_back: list.rolls_back,
            reload_timeout: list.reload_timeout,
            reload_retry: list.reload_retry,
            ..self
        }
    }

    /// The resource that removes what the one at `path` has made.
    pub(crate) fn gone(path: &Path, made: &Made, config: &Config) -> Resource {
        Resource {
            path: path.to_path_buf(),
            src: String::new(),
            shown: super::load::below_root(&made.dest, config),
            dest: made.dest.clone(),
            keys: Vec::new(),
            prefix: String::new(),
            mode: None,
            mode_text: String::new(),
            owner: Id::Kept,
            group: Id::Kept,
            unit: None,
            rolls_back: false,
            check_cmd: String::new(),
            check_timeout: None,
            reload_cmd: made.reload.clone(),
            reload_timeout: None,
            reload_retry: false,
            strict: false,
            output: None,
            reconcile: false,
            create_only: false,
            skip_empty: false,
            backups: 0,
            block: made.block.clone(),
            for_each: None,
            item: None,
            is_gone: true,
            warnings: Vec::new(),
        }
    }
}

impl Rendered {
    /// The rendering of a resource that removes something: nothing, which depends on nothing.
    pub(super) fn nothing(inputs: super::Inputs) -> Rendered {
        Rendered {
            content: Vec::new(),
            items: None,
            inputs,
            ownership: super::Ownership {
                attributes: Attributes::default(),
                unknown: Vec::new(),
                unknown_unit: None,
            },
        }
    }
}
