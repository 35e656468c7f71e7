//! Keeps the slots in step with the files below conf.d: new and changed ones are read, deleted ones
//! dropped, broken ones tried again with growing pauses.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Agent;
use super::backoff::Backoff;
use super::slot::Slot;
use crate::config::Mode;
use crate::error::Error;
use crate::log::{self, Level};
use crate::resource::{self, Resource, SETTLED, Stamp};

/// A conf.d file that cannot be used.
#[derive(Debug, Default)]
pub(super) struct Broken {
    /// The reason, as it was logged.
    pub message: String,
    /// When it is read again.
    pub due: Option<Instant>,
    /// The group that it names, as far as it can be read.
    pub unit: Option<String>,
    backoff: Backoff,
}

impl Agent {
    /// Reads what is new or changed below conf.d.
    pub(super) fn refresh_resources(&mut self, now: Instant) {
        self.unread = false;
        self.look_at = None;
        self.take_interval(now);
        let conf_d = self.config.confdir.join("conf.d");
        let found = match resource::find(&conf_d) {
            Ok(found) => found,
            Err(error) => {
                // What was read before stays: a directory that cannot be read is not an empty one.
                self.break_resource(&conf_d, &error, now);
                return;
            }
        };
        self.broken.remove(&conf_d);
        if found.is_empty() && self.slots.is_empty() {
            self.log_empty();
        }
        for (path, stamp) in self.changed_files(&found) {
            self.refresh(path, *stamp, now);
        }
        let there: BTreeSet<&OsStr> = found.iter().map(|(path, _)| path.as_os_str()).collect();
        let is_there = |path: &Path| there.contains(path.as_os_str());
        let before = self.slots.len();
        // The block of a resource that is gone is removed; files stay.
        self.slots.retain(|_, slot| {
            let is_block = slot.resource.is_gone() && slot.resource.marker().is_some();
            is_block || is_there(slot.resource.path())
        });
        self.has_new_resources |= self.slots.len() != before;
        self.broken.retain(|path, _| is_there(path));
        if self.has_new_resources {
            self.wake_held(now);
        }
        self.find_gone(now);
        self.find_shadowed(now);
    }

    /// Those of the files found, in the order of their paths, that may be news. The slots are in
    /// that order as well, so that none is looked up.
    fn changed_files<'f>(&self, found: &'f [(PathBuf, Stamp)]) -> Vec<&'f (PathBuf, Stamp)> {
        let mut slots = self.slots.iter().peekable();
        let is_changed = |(path, stamp): &&(PathBuf, Stamp)| {
            let path = path.as_os_str();
            while slots.next_if(|(key, _)| key.as_os_str() < path).is_some() {}
            let known = slots.next_if(|(key, _)| key.as_os_str() == path);
            known.is_none_or(|(_, slot)| !slot.is_current(stamp))
        };
        if self.broken.is_empty() {
            found.iter().filter(is_changed).collect()
        } else {
            found.iter().collect()
        }
    }

    /// Once: there is nothing to do.
    fn log_empty(&mut self) {
        if std::mem::replace(&mut self.is_empty_logged, true) {
            return;
        }
        let confdir = self.config.confdir.display();
        if self.config.confdir.exists() {
            log::warning(format_args!(
                "there are no resources below {confdir}/conf.d"
            ));
        } else {
            log::warning(format_args!(
                "Cannot load template resources: confdir '{confdir}' does not exist"
            ));
        }
    }

    /// At the interval everything is looked at again. In watch mode, what others change is left
    /// alone where the settings do not say otherwise.
    fn take_interval(&mut self, now: Instant) {
        if self.interval_at > now {
            return;
        }
        self.interval_at = now + self.config.interval;
        let is_watching = self.config.mode == Mode::Watch;
        // What is about to be swapped is not older than that.
        for slot in self.slots.values_mut().filter(|slot| slot.is_at_rest()) {
            if is_watching && !slot.resource.reconciles() {
                slot.inspect(now);
            } else {
                slot.wake(now);
            }
        }
    }

    fn refresh(&mut self, path: &Path, stamp: Stamp, now: Instant) {
        let broken_due = self.broken.get(path).map(|broken| broken.due);
        if let Some(slot) = self.slots.get(path)
            && broken_due.is_none()
            && slot.is_current(&stamp)
        {
            return;
        }
        if broken_due.flatten().is_some_and(|due| due > now) {
            return;
        }
        match Resource::load(path, &self.config) {
            Ok(resource) => {
                self.broken.remove(path);
                self.take_resource(path, resource, stamp, now);
            }
            Err(error) => self.break_resource(path, &error, now),
        }
    }

    fn take_resource(&mut self, path: &Path, resource: Resource, stamp: Stamp, now: Instant) {
        if !stamp.is_settled() {
            // It may have been read in the middle of a change.
            let at = now + SETTLED + Duration::from_millis(100);
            self.look_at = Some(self.look_at.map_or(at, |due| due.min(at)));
        }
        let is_to_be_finished = self.is_to_be_finished();
        match self.slots.get_mut(path) {
            Some(slot) if *slot.resource == resource && !slot.reread => slot.stamp = stamp,
            Some(slot) if *slot.resource == resource && is_to_be_finished => slot.keep(stamp, now),
            Some(slot) => {
                resource.warnings().iter().for_each(log::warning);
                let is_list = resource.is_for_each();
                slot.replace(resource, stamp, now);
                self.has_new_resources = true;
                // The items of before belong to nobody now.
                self.slots
                    .retain(|key, slot| is_list || key == path || slot.resource.path() != path);
            }
            None => {
                self.has_new_resources = true;
                resource.warnings().iter().for_each(log::warning);
                let slot = self.new_slot(path, resource, stamp, now);
                self.slots.insert(path.to_path_buf(), slot);
            }
        }
    }

    /// A slot that is due at once. A reload that decides about its files may run already.
    pub(super) fn new_slot(
        &self,
        path: &Path,
        resource: Resource,
        stamp: Stamp,
        now: Instant,
    ) -> Slot {
        let mut slot = Slot::new(resource, stamp, now);
        slot.is_once = self.config.mode == Mode::Onetime;
        slot.is_unproven = self.is_unproven(path);
        slot
    }

    /// Logs once what is wrong with a file, again when that changes, and sees to it that it is read
    /// again.
    fn break_resource(&mut self, path: &Path, error: &Error, now: Instant) {
        let message = error.chain();
        let broken = self.broken.entry(path.to_path_buf()).or_default();
        if broken.message != message {
            log::error(&message);
            broken.message = message;
            broken.unit = resource::unit_of(path);
        }
        broken.due = Some(now + broken.backoff.pause());
    }

    /// Of several resources with one dest the last in file order is applied, which is what remains
    /// in the original. A removal gives way to all others.
    pub(super) fn find_shadowed(&mut self, now: Instant) {
        let mut makers: Vec<(Cow<'_, OsStr>, &Path, &Resource)> = Vec::new();
        for (path, slot) in &self.slots {
            // A list makes no file itself.
            if !slot.resource.is_for_each() {
                makers.push((slot.place_of_dest(), path, &slot.resource));
            }
        }
        // Those of one place stay in file order, which often is that of the places as well.
        if !makers.is_sorted_by(|(one, ..), (other, ..)| one <= other) {
            makers.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        }
        let mut winners: Vec<(PathBuf, PathBuf)> = Vec::new();
        for rivals in makers.chunk_by(|(one, ..), (other, ..)| one == other) {
            for (_, path, resource) in rivals.iter().filter(|_| rivals.len() > 1) {
                let marker = resource.marker();
                // Different blocks of one file are not in each other's way.
                let rivals = rivals.iter().filter(|(.., other)| {
                    let other = other.marker();
                    marker.is_none() || other.is_none() || other == marker
                });
                // Of several that are greatest, the last.
                let winner = rivals.max_by_key(|(.., other)| !other.is_gone());
                if let Some((_, winner, _)) = winner
                    && winner != path
                {
                    winners.push((path.to_path_buf(), winner.to_path_buf()));
                }
            }
        }
        for (path, slot) in &mut self.slots {
            let is_of = |(loser, _): &(PathBuf, PathBuf)| loser.as_os_str() == path.as_os_str();
            let winner = winners.iter().position(is_of);
            let winner = winner.map(|at| winners.swap_remove(at).1);
            if slot.shadowed_by != winner {
                slot.shadow(winner, path, now);
            }
        }
    }
}

impl Slot {
    /// Returns true if the conf.d file, which has this stamp now, need not be read again.
    fn is_current(&self, stamp: &Stamp) -> bool {
        self.stamp.still(stamp) && !self.reread
    }

    /// The clean path of its file: two are one place when their bytes are the same.
    fn place_of_dest(&self) -> Cow<'_, OsStr> {
        match &self.place {
            Some(place) => place.as_os_str().into(),
            None => OsString::from(clean(self.resource.dest())).into(),
        }
    }

    /// Gives way to another resource with the same dest, or takes its place.
    fn shadow(&mut self, winner: Option<PathBuf>, path: &Path, now: Instant) {
        if let Some(winner) = &winner {
            let level = if self.resource.is_gone() {
                Level::Debug
            } else {
                Level::Warning
            };
            log::at(
                level,
                format_args!(
                    "{} and {} both make {}; only the last one is applied",
                    path.display(),
                    winner.display(),
                    self.resource.dest().display()
                ),
            );
            self.failure = None;
            self.drop_work();
        } else {
            self.wake(now);
        }
        self.shadowed_by = winner;
    }
}

/// The path without `.` and `..`, taken as text.
fn clean(path: &Path) -> String {
    crate::go::path::clean(&path.to_string_lossy())
}
