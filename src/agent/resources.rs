//! Keeps the slots in step with the files below conf.d: new and changed ones are read, deleted ones dropped.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::Agent;
use super::slot::{Slot, State};
use crate::log;
use crate::resource::owed::Owed;
use crate::resource::{self, Resource, Stamp};

impl Agent {
    /// Reads what is new or changed below conf.d; on the reconcile interval everything becomes due.
    pub(super) fn refresh_resources(&mut self, now: Instant) {
        if self.reconcile <= now {
            self.reconcile = now + self.config.interval;
            self.slots.values_mut().for_each(|slot| slot.wake(now));
        }
        let found = match resource::find(&self.config.confdir.join("conf.d")) {
            Ok(found) => found,
            Err(error) => {
                // Going on with what was read before: a directory that cannot be read is not an empty one.
                self.say_broken(&self.config.confdir.join("conf.d"), error.chain());
                return;
            }
        };
        if found.is_empty() && self.batches == 1 {
            log::warning(format_args!(
                "there are no resources below {}/conf.d",
                self.config.confdir.display()
            ));
        }
        let stale = std::mem::take(&mut self.stale);
        for (path, stamp) in &found {
            self.refresh(path, *stamp, stale, now);
        }
        let gone = |path: &PathBuf| !found.iter().any(|(found, _)| found == path);
        self.slots
            .retain(|path, slot| !(gone(path) && matches!(slot.state, State::Idle)));
        self.broken.retain(|path, _| !gone(path));
        self.find_owed(now);
    }

    fn refresh(&mut self, path: &Path, stamp: Stamp, stale: bool, now: Instant) {
        if let Some(slot) = self.slots.get(path)
            && ((slot.stamp.still(&stamp) && !stale) || !slot.idle())
        {
            return;
        }
        match Resource::load(path, &self.config) {
            Ok(resource) => {
                self.broken.remove(path);
                match self.slots.get_mut(path) {
                    Some(slot) => slot.replace(resource, stamp, now),
                    None => {
                        let slot = Slot::new(resource, stamp, now);
                        self.slots.insert(path.to_path_buf(), slot);
                    }
                }
            }
            Err(error) => {
                self.slots.remove(path);
                self.say_broken(path, error.chain());
            }
        }
    }

    /// Says once what is wrong with a file; said again only when that changes.
    fn say_broken(&mut self, path: &Path, message: String) {
        if self.broken.get(path) != Some(&message) {
            log::error(&message);
            self.broken.insert(path.to_path_buf(), message);
        }
    }

    /// Reloads that an earlier run did not come to, or that failed in it.
    fn find_owed(&mut self, now: Instant) {
        for slot in self.slots.values_mut() {
            if slot.owed.is_none() && slot.idle() && slot.resource.retries_reload() {
                slot.owed = Owed::find(&self.config.confdir, slot.resource.dest());
                if slot.owed.is_some() {
                    slot.owes = true;
                    slot.wake(now);
                }
            }
        }
    }
}
