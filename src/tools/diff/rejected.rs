//! The changes that a run would not make, because they were rolled back before: they are shown, and
//! marked. The records of the swaps say which ones.

use std::collections::BTreeSet;
use std::path::PathBuf;

use md5::{Digest, Md5};

use super::{Preview, note};
use crate::go::hex;
use crate::resource::Resource;
use crate::resource::stage::unit::rejection;

/// The changes of a unit, as its record has them.
pub(super) struct Attempt {
    unit: String,
    /// The files with the MD5 of their renderings.
    renderings: BTreeSet<(PathBuf, String)>,
    /// The reload commands.
    reloads: BTreeSet<String>,
}

/// The MD5 of a rendering.
pub(super) fn sum(rendered: &[u8]) -> String {
    hex::encode(&Md5::digest(rendered))
}

/// The name of the unit that a resource is swapped with.
pub(super) fn unit_of(resource: &Resource) -> String {
    let path = resource.path();
    let is_part = resource.is_gone() || resource.is_item();
    let own = || match resource.made().filter(|_| is_part) {
        Some(made) => made.key(path).display().to_string(),
        None => path.display().to_string(),
    };
    resource.unit().map_or_else(own, str::to_owned)
}

impl Preview<'_> {
    /// Adds a file that would be changed, with the MD5 of its rendering, and its reload command.
    pub(super) fn attempt(
        &mut self,
        unit: &str,
        rendering: (PathBuf, String),
        reload: Option<String>,
    ) {
        let known = self.attempts.iter().position(|one| one.unit == unit);
        let at = known.unwrap_or_else(|| {
            self.attempts.push(Attempt {
                unit: unit.to_owned(),
                renderings: BTreeSet::new(),
                reloads: BTreeSet::new(),
            });
            self.attempts.len() - 1
        });
        if let Some(attempt) = self.attempts.get_mut(at) {
            attempt.renderings.insert(rendering);
            attempt.reloads.extend(reload);
        }
    }

    /// Marks what was rolled back; its reloads would not run.
    pub(super) fn mark_rejected(&mut self) {
        let mut rejected: Vec<(String, String)> = Vec::new();
        for attempt in std::mem::take(&mut self.attempts) {
            let (renderings, reloads) = (&attempt.renderings, &attempt.reloads);
            let reason = rejection(&self.config.confdir, &attempt.unit, renderings, reloads);
            rejected.extend(reason.map(|reason| (attempt.unit, reason.brief)));
        }
        let is_rejected = |rejected: &[(String, String)], unit: &str| {
            let mut units = rejected.iter();
            units.any(|(rejected, _)| rejected == unit)
        };
        // A removal is tried again with any other change of its resource.
        let new = self.files.iter();
        let new = new.filter(|file| !is_rejected(&rejected, &file.unit));
        let new: BTreeSet<String> = new.map(|file| file.resource.clone()).collect();
        for file in &self.files {
            if file.surplus && new.contains(&file.resource) {
                rejected.retain(|(unit, _)| *unit != file.unit);
            }
        }
        for file in &mut self.files {
            let mut units = rejected.iter();
            let own = units.find(|(unit, _)| *unit == file.unit);
            file.rolled_back = own.map(|(_, reason)| reason.clone());
        }
        for (unit, reload, name) in std::mem::take(&mut self.due) {
            if !is_rejected(&rejected, &unit) {
                note(&mut self.reloads, reload, &name);
            }
        }
    }
}
