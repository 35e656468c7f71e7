//! Keeps the slots in step with the files below conf.d: new and changed ones are read, deleted ones
//! dropped, broken ones tried again with growing pauses.

use std::collections::{BTreeMap, BTreeSet};
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
        for (path, stamp) in &found {
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
            && slot.stamp.still(&stamp)
            && !slot.reread
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
        // Clean paths are one place when their bytes are the same.
        let place = |slot: &Slot| match &slot.place {
            Some(place) => place.clone().into_os_string(),
            None => clean(slot.resource.dest()).into(),
        };
        let places: Vec<OsString> = self.slots.values().map(place).collect();
        let mut makers: BTreeMap<&OsStr, Vec<(&Path, &Resource)>> = BTreeMap::new();
        for (place, (path, slot)) in places.iter().zip(&self.slots) {
            // A list makes no file itself.
            if !slot.resource.is_for_each() {
                let maker = (path.as_path(), &*slot.resource);
                makers.entry(place).or_default().push(maker);
            }
        }
        // Different blocks of one file are not in each other's way.
        let winner = |(place, (path, slot)): (&OsString, (&PathBuf, &Slot))| {
            if slot.resource.is_for_each() {
                return None;
            }
            let marker = slot.resource.marker();
            let rivals = makers.get(place.as_os_str())?.iter().filter(|(_, other)| {
                let other = other.marker();
                marker.is_none() || other.is_none() || other == marker
            });
            // Of several that are greatest, the last.
            let (winner, _) = rivals.max_by_key(|(_, other)| !other.is_gone())?;
            (*winner != path).then(|| winner.to_path_buf())
        };
        let winners: Vec<Option<PathBuf>> = places.iter().zip(&self.slots).map(winner).collect();
        for ((path, slot), winner) in self.slots.iter_mut().zip(winners) {
            if slot.shadowed_by != winner {
                slot.shadow(winner, path, now);
            }
        }
    }
}

impl Slot {
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
