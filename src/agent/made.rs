//! The files and blocks that resources have made and must remove again: those of items of a
//! `for_each` that are gone, and blocks whose resource is gone. What another resource makes now
//! stays.
//!
//! A removal is a resource of its own, which is rendered to nothing and dropped once that is done.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::Agent;
use super::slot::{Slot, State};
use crate::log;
use crate::resource::made::{self, Made};
use crate::resource::{Resource, Stamp};

impl Agent {
    /// Finds what no resource makes any more, after the resources have changed.
    pub(super) fn find_gone(&mut self, now: Instant) {
        let reloads = &self.reloads;
        self.slots.retain(|path, slot| {
            let is_busy = slot.reloading.is_some() || reloads.is_pending(path);
            !slot.is_removed() || slot.is_recorded || is_busy
        });
        if !std::mem::take(&mut self.has_new_resources) {
            return;
        }
        let live = self.slots.values().filter(|slot| !slot.resource.is_gone());
        let live: Vec<Made> = live.filter_map(|slot| slot.resource.made()).collect();
        let is_there = |file: &Path| self.slots.contains_key(file);
        let gone = match made::gone(&self.config.confdir, &live, is_there) {
            Ok(gone) => gone,
            Err(error) => {
                self.has_new_resources = true;
                return self.note_made(Some(error.chain()));
            }
        };
        self.note_made(None);
        self.slots.retain(|_, slot| {
            let made = slot.resource.made().filter(|_| slot.resource.is_gone());
            made.is_none_or(|made| !made.is_in(&live))
        });
        for (file, made) in gone {
            // The items of a list are not known before it is rendered.
            let is_list = self
                .slots
                .get(&file)
                .is_some_and(|slot| slot.resource.is_for_each());
            if !is_list && !self.broken.contains_key(&file) {
                self.add_gone(&file, &made, now);
            }
        }
    }

    /// Takes the items of a resource: makes and drops their slots, and removes what was made for
    /// items that are gone.
    pub(super) fn take_items(&mut self, file: &Path, items: Vec<Resource>, now: Instant) {
        let stamp = self
            .slots
            .get(file)
            .map_or(Stamp::UNKNOWN, |slot| slot.stamp);
        let live: Vec<Made> = items.iter().filter_map(Resource::made).collect();
        self.slots.retain(|key, slot| {
            let made = slot
                .resource
                .made()
                .filter(|_| slot.resource.path() == file);
            key == file || made.is_none_or(|made| made.is_in(&live) != slot.resource.is_gone())
        });
        for (made, resource) in live.iter().zip(items) {
            let key = made.key(file);
            match self.slots.get_mut(&key) {
                Some(slot) if *slot.resource == resource && !slot.reread => {}
                Some(slot) => slot.replace(resource, stamp, now),
                None => {
                    let slot = self.new_slot(&key, resource, stamp, now);
                    self.slots.insert(key.clone(), slot);
                }
            }
            self.join_round(&key, now);
        }
        match made::of(&self.config.confdir, file) {
            Ok(known) => {
                for made in known.iter().filter(|made| !made.is_in(&live)) {
                    self.add_gone(file, made, now);
                    self.join_round(&made.key(file), now);
                }
            }
            Err(error) => self.note_made(Some(error.chain())),
        }
    }

    /// Adds the removal of what the resource of a conf.d file has made.
    pub(super) fn add_gone(&mut self, file: &Path, made: &Made, now: Instant) {
        let key = made.key(file);
        if !self.slots.contains_key(&key) {
            let mut resource = Resource::gone(file, made, &self.config);
            if let Some(list) = self.slots.get(file) {
                resource = resource.of_list(&list.resource);
            }
            let slot = self.new_slot(&key, resource, Stamp::UNKNOWN, now);
            self.slots.insert(key.clone(), slot);
        }
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.is_recorded = true;
        }
    }

    /// Reports once what is wrong with the manifests.
    fn note_made(&mut self, problem: Option<String>) {
        if let Some(problem) = &problem
            && self.made_logged.as_ref() != Some(problem)
        {
            log::warning(problem);
        }
        self.made_logged.clone_from(&problem);
        self.health.note("made", problem);
    }

    /// Records the blocks that are in place, so that they are removed when their resource is gone,
    /// and what has changed about other records. A file that was right before is not confd's to
    /// remove.
    pub(super) fn record_settled(&mut self) {
        let is_unrecorded = |slot: &Slot| !slot.is_recorded && slot.resource.made().is_some();
        let slots = self.slots.iter();
        let settled = slots.filter(|(_, slot)| slot.is_settled() && is_unrecorded(slot));
        let settled: Vec<PathBuf> = settled.map(|(path, _)| path.clone()).collect();
        self.record_parts(settled.iter(), false);
    }

    /// Records what is about to be made. Without its record it would stay when its resource is
    /// gone, which is better than a file that is not made.
    pub(super) fn record_made<'a>(&mut self, paths: impl Iterator<Item = &'a PathBuf>) {
        self.record_parts(paths, true);
    }

    fn record_parts<'a>(&mut self, paths: impl Iterator<Item = &'a PathBuf>, is_new: bool) {
        if !self.keeps_manifests() {
            return;
        }
        let mut lists: BTreeMap<PathBuf, Vec<Made>> = BTreeMap::new();
        for path in paths {
            if let Some(slot) = self.slots.get_mut(path)
                && !slot.is_recorded
                && let Some(made) = slot.resource.made()
            {
                slot.is_recorded = true;
                let file = slot.resource.path().to_path_buf();
                lists.entry(file).or_default().push(made);
            }
        }
        for (file, mut made) in lists {
            if !is_new {
                // What cannot be read is reported by the update.
                let known = made::of(&self.config.confdir, &file).unwrap_or_default();
                made.retain(|made| made.block.is_some() || made.is_in(&known));
            }
            self.update_made(&file, &made, &[]);
        }
    }

    /// Forgets what has been removed.
    pub(super) fn forget_removed(&mut self) {
        if !self.keeps_manifests() {
            return;
        }
        let mut lists: BTreeMap<PathBuf, Vec<Made>> = BTreeMap::new();
        for slot in self.slots.values_mut() {
            if slot.is_removed() && std::mem::take(&mut slot.is_recorded) {
                let file = slot.resource.path().to_path_buf();
                let made = slot.resource.made();
                lists.entry(file).or_default().extend(made);
            }
        }
        for (file, made) in lists {
            self.update_made(&file, &[], &made);
        }
    }

    /// Returns true unless nothing is made, or for an image, which another confd will look after.
    fn keeps_manifests(&self) -> bool {
        !self.config.looks_only() && self.config.root.is_none()
    }

    fn update_made(&mut self, file: &Path, add: &[Made], remove: &[Made]) {
        let updated = made::update(&self.config.confdir, file, add, remove);
        if let Err(error) = updated {
            let chain = error.chain();
            let problem = format!("{chain}; what confd makes may stay when its resource is gone");
            self.note_made(Some(problem));
        }
    }
}

impl Slot {
    /// Returns true if the last attempt has succeeded, and nothing is in progress.
    pub(super) fn is_settled(&self) -> bool {
        matches!(self.state, State::Idle) && self.inputs.is_some() && self.failure.is_none()
    }

    /// Returns true for a removal that is done, or that is not to be made because another resource
    /// makes the file now.
    pub(super) fn is_removed(&self) -> bool {
        let is_done = self.inputs.is_some() && self.due.is_none() && self.failure.is_none();
        let is_done = is_done || self.shadowed_by.is_some();
        self.resource.is_gone() && self.is_at_rest() && is_done && !self.is_unproven
    }
}

/// The conf.d file of a part of a resource, by its name; none for what is no part.
pub(super) fn file_of_part(key: &Path) -> Option<PathBuf> {
    let (file, _) = key.to_str()?.split_once("toml[")?;
    Some(format!("{file}toml").into())
}
