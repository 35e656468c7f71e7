//! The changes that a run would not make, because they were rolled back before: they are shown, and
//! marked. The records of the swaps say which ones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use md5::{Digest, Md5};

use super::{Preview, note};
use crate::go::hex;
use crate::resource::Resource;
use crate::resource::stage::unit::rejection;

/// The changes of a unit, as its record has them.
#[derive(Default)]
pub(super) struct Attempt {
    /// The files with the MD5 of their renderings.
    renderings: BTreeSet<(PathBuf, String)>,
    /// The reload commands.
    reloads: BTreeSet<String>,
}

impl Attempt {
    pub(super) fn add(&mut self, rendering: (PathBuf, String), reload: Option<String>) {
        self.renderings.insert(rendering);
        self.reloads.extend(reload);
    }
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
    /// Marks what was rolled back; its reloads would not run.
    pub(super) fn mark_rejected(&mut self) {
        let mut rejected: BTreeMap<String, String> = BTreeMap::new();
        for (
            unit,
            Attempt {
                renderings,
                reloads,
            },
        ) in &self.attempts
        {
            if let Some(reason) = rejection(&self.config.confdir, unit, renderings, reloads) {
                rejected.insert(unit.clone(), reason.brief);
            }
        }
        // A removal is tried again with any other change of its resource.
        let new = self.files.iter();
        let new = new.filter(|file| !rejected.contains_key(&file.unit));
        let new: BTreeSet<String> = new.map(|file| file.resource.clone()).collect();
        for file in &self.files {
            if file.surplus && new.contains(&file.resource) {
                rejected.remove(&file.unit);
            }
        }
        for file in &mut self.files {
            file.rolled_back = rejected.get(&file.unit).cloned();
        }
        for (unit, reload, name) in std::mem::take(&mut self.due) {
            if !rejected.contains_key(&unit) {
                note(&mut self.reloads, reload, &name);
            }
        }
    }
}
