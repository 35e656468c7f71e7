//! `on_reload_failure = "rollback"`: the old files of a unit are kept until its reloads have
//! succeeded. If one fails, they come back, and the reloads run again with them; the same files are
//! not tried again. Also the end of swaps that a process which is gone has left half done.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::slot::{Slot, State};
use super::watchdog::Step;
use super::{Agent, Phase};
use crate::config::Mode;
use crate::error::Error;
use crate::log;
use crate::platform::Lock;
use crate::resource::pending::Record;
use crate::resource::stage::unit::{self, Reason, Unit};

/// A unit whose reloads decide whether its files stay.
#[derive(Debug)]
pub(super) struct Unproven {
    unit: Unit,
    /// This process has started one of its reloads.
    is_tried: bool,
    /// Why the old files are to come back.
    failure: Option<Reason>,
}

/// How many processes may end while the reloads of a unit run before these count as failed.
const MOST_TRIES: usize = 2;
/// How long files that another process tries out are left alone before they are looked at again.
const TRIED_PAUSE: Duration = Duration::from_millis(200);

impl Agent {
    /// Takes a unit that is swapped.
    pub(super) fn take_unit(&mut self, unit: Unit) {
        if !unit.keeps_old {
            if let Err(error) = unit.forget() {
                self.note_unit(&error);
            }
            return;
        }
        for path in &unit.members {
            if let Some(slot) = self.slots.get_mut(path) {
                slot.is_unproven = true;
            }
        }
        let name = unit.name().to_owned();
        let unproven = Unproven {
            unit,
            is_tried: false,
            failure: None,
        };
        self.units.insert(name, unproven);
    }

    /// Logs once what went wrong with the record of a unit.
    fn note_unit(&mut self, error: &Error) {
        let chain = error.chain();
        if self.unit_logged.as_ref() != Some(&chain) {
            log::error(&chain);
            self.unit_logged = Some(chain);
        }
    }

    fn unproven(&mut self, path: &Path) -> Option<&mut Unproven> {
        let mut units = self.units.values_mut();
        units.find(|unproven| unproven.unit.members.contains(path))
    }

    /// Returns true if a reload of this resource decides about files.
    pub(super) fn is_unproven(&self, path: &Path) -> bool {
        let mut units = self.units.values();
        units.any(|unproven| unproven.unit.members.contains(path))
    }

    /// Records, once in the life of this process, that the reloads of a unit are about to start: if
    /// they end confd, that is not tried for ever.
    pub(super) fn note_try(&mut self, path: &Path) {
        let unproven = self.unproven(path).filter(|unproven| !unproven.is_tried);
        let noted = unproven.map(|unproven| {
            unproven.is_tried = true;
            unproven.unit.note_try()
        });
        if let Some(Err(error)) = noted {
            self.note_unit(&error);
        }
    }

    /// A reload has failed: the old files of its unit come back, if they are to.
    pub(super) fn take_reload_failure(&mut self, path: &Path, error: &Error) {
        let slot = self.slots.get(path);
        let is_meant = slot.is_none_or(|slot| slot.resource.rolls_back());
        if let Some(unproven) = self.unproven(path).filter(|_| is_meant) {
            unproven.failure.get_or_insert(Reason {
                brief: error.redacted(),
                full: error.chain(),
            });
            let members = unproven.unit.members.clone();
            self.cancel_reloads(&members);
        }
    }

    /// Leaves a unit to the next process, with its reload.
    pub(super) fn leave_unit(&mut self, path: &Path) {
        let name = self
            .unproven(path)
            .map(|unproven| unproven.unit.name().to_owned());
        if let Some(unproven) = name.and_then(|name| self.units.remove(&name)) {
            self.prove(&unproven.unit.members);
        }
    }

    /// True when the reloads of a unit have all ended.
    fn is_decided(&self, unproven: &Unproven) -> bool {
        let mut members = unproven.unit.members.iter();
        !members.any(|path| self.reloads.is_at_work(path))
    }

    /// When old files are to come back, for which the lock was not to be had.
    pub(super) fn next_rollback(&self) -> Option<Instant> {
        let mut units = self.units.values();
        let waits = units.any(|unit| unit.failure.is_some() && self.is_decided(unit));
        waits.then_some(self.turned)
    }

    /// Ends the units whose reloads have all ended, one way or the other. Old files come back with
    /// the lock, which is tried again in the next turn while others have it.
    pub(super) fn settle_units(&mut self, now: Instant) {
        let done: Vec<String> = self
            .units
            .iter()
            .filter(|(_, unproven)| self.is_decided(unproven))
            .map(|(name, _)| name.clone())
            .collect();
        for name in done {
            let has_failed = self
                .units
                .get(&name)
                .is_some_and(|unit| unit.failure.is_some());
            if has_failed {
                self.try_roll_back(name, now);
            } else if let Some(unproven) = self.units.remove(&name) {
                self.prove(&unproven.unit.members);
                self.wake_removed(&unproven.unit.members, now);
                if let Err(error) = unproven.unit.forget() {
                    self.note_unit(&error);
                }
            }
        }
    }

    /// Has what is removed for good forgotten by an apply, which has the lock.
    fn wake_removed(&mut self, members: &BTreeSet<PathBuf>, now: Instant) {
        for path in members {
            if let Some(slot) = self.slots.get_mut(path).filter(|slot| slot.is_removed()) {
                slot.wake(now);
            }
        }
    }

    /// Returns true while old files wait for the lock to come back.
    pub(super) fn is_rolling_back(&self) -> bool {
        self.units
            .values()
            .any(|unproven| unproven.failure.is_some())
    }

    fn prove(&mut self, members: &BTreeSet<PathBuf>) {
        for path in members {
            if let Some(slot) = self.slots.get_mut(path) {
                slot.is_unproven = false;
            }
        }
    }

    fn try_roll_back(&mut self, name: String, now: Instant) {
        if matches!(self.phase, Phase::Checking(_)) {
            return;
        }
        let Some(lock) = self.lock_to_restore() else {
            return;
        };
        let removed = self.units.remove(&name);
        let Some((unit, reason)) =
            removed.and_then(|unproven| Some((unproven.unit, unproven.failure?)))
        else {
            return;
        };
        self.prove(&unit.members);
        self.roll_back(unit, reason, lock.as_ref(), now);
    }

    /// None while another process has the lock; without one where there are no locks.
    fn lock_to_restore(&self) -> Option<Option<Lock>> {
        match Lock::try_acquire(&self.config.confdir) {
            Ok(None) => None,
            Ok(lock) => Some(lock),
            Err(_no_locks) => Some(None),
        }
    }

    /// Brings the old files of a unit back, unless somebody has changed the new ones.
    fn roll_back(&mut self, mut unit: Unit, reason: Reason, lock: Option<&Lock>, now: Instant) {
        if let Some(path) = unit.changed() {
            let path = path.display();
            log::error(format_args!(
                "{path} was changed by another program since; it is not rolled back"
            ));
            if let Err(error) = unit.forget() {
                self.note_unit(&error);
            }
            return;
        }
        if let Err(error) = unit.note_undo(reason) {
            self.note_unit(&error);
        }
        self.advance(lock, true);
        self.restore(unit, now);
    }

    /// Puts the old files in their places and starts the reloads again. What cannot be done now is
    /// done in the next round.
    fn restore(&mut self, mut unit: Unit, now: Instant) {
        self.watchdog.enter(Step::Swap, &unit.place());
        if let Err(error) = unit.restore() {
            return self.note_unit(&error);
        }
        let reason = unit.undo.clone().unwrap_or_default();
        if reason.brief.is_empty() {
            // A swap that has failed half way, before any reload.
            if let Err(error) = unit.forget() {
                self.note_unit(&error);
            }
            return;
        }
        let (files, full) = (unit.files(), &reason.full);
        log::error(format_args!("rolled back {files}: {full}"));
        for path in &unit.members {
            if let Some(slot) = self.slots.get_mut(path) {
                slot.take_back(&reason.brief);
            }
        }
        self.wake_makers(&unit, now);
        for record in std::mem::take(&mut unit.reloads) {
            self.resume_reload(record, now);
        }
        if let Err(error) = unit.note_undone() {
            self.note_unit(&error);
        }
    }

    /// Other resources may make the files by now, and have found them right: a conf.d file was
    /// renamed while the reload ran.
    fn wake_makers(&mut self, unit: &Unit, now: Instant) {
        let others = self.slots.iter_mut();
        for (_, slot) in others.filter(|(path, _)| !unit.members.contains(*path)) {
            let place = slot.place.as_deref();
            if place.is_some_and(|place| unit.makes(place, slot.resource.marker())) {
                slot.wake(now);
            }
        }
    }

    /// Finishes the swaps that processes which are gone have begun; false when others have the
    /// lock, and may do so.
    pub(super) fn finish_swaps(&mut self, lock: Option<&Lock>, now: Instant) -> bool {
        if self.config.looks_only() || !unit::has_records(&self.config.confdir) {
            return true;
        }
        let own = match lock {
            Some(_) => None,
            None => match self.lock_to_restore() {
                Some(own) => own,
                None => return false,
            },
        };
        let lock = lock.or(own.as_ref());
        let mut problems = Vec::new();
        let units = unit::abandoned(&self.config.confdir, &mut problems);
        for problem in problems {
            self.note_unit(&problem);
        }
        for unit in units {
            self.finish_swap(unit, lock, now);
        }
        true
    }

    fn finish_swap(&mut self, unit: Unit, lock: Option<&Lock>, now: Instant) {
        self.advance(lock, true);
        if unit.undo.is_some() {
            return self.restore(unit, now);
        }
        self.watchdog.enter(Step::Swap, &unit.place());
        if let Err(error) = unit.finish() {
            return self.note_unit(&error);
        }
        let files = unit.files();
        log::info(format_args!(
            "finished the swap of a run that was killed: {files}"
        ));
        if unit.keeps_old && unit.tries >= MOST_TRIES {
            let brief = format!("confd was ended {MOST_TRIES} times while the reload ran");
            let full = brief.clone();
            return self.roll_back(unit, Reason { brief, full }, lock, now);
        }
        let reloads: Vec<Record> = unit.reloads.clone();
        self.take_unit(unit);
        for record in reloads {
            self.resume_reload(record, now);
        }
    }
}

/// Units that are tried out: their next files wait until it is known whether these stay.
impl Agent {
    /// The resources with new files for a unit that is tried out, and those of their groups.
    fn renderings_of_tried(&self, tried: &BTreeSet<String>) -> Vec<PathBuf> {
        let is_new = |slot: &Slot| {
            matches!(
                slot.state,
                State::Rendered(..) | State::Checking(_) | State::Checked(_)
            )
        };
        let is_tried = |path: &PathBuf, slot: &Slot| {
            let unit = self.unit_name(path);
            slot.is_unproven || unit.is_some_and(|unit| tried.contains(&unit))
        };
        let new = self.slots.iter().filter(|(_, slot)| is_new(slot));
        let new = new.filter(|(path, slot)| is_tried(path, slot));
        new.map(|(path, _)| path.clone()).collect()
    }

    /// `-onetime`: waits for a moment while another process tries out files of which there are new
    /// ones. When that has taken long enough, these have failed.
    pub(super) fn waits_for_trials(&mut self, now: Instant) -> bool {
        let mut tried = BTreeSet::new();
        if self.config.mode == Mode::Onetime && unit::has_records(&self.config.confdir) {
            let others = unit::tried(&self.config.confdir).into_iter();
            tried.extend(others.filter(|unit| !self.units.contains_key(unit)));
        }
        let paths = self.renderings_of_tried(&tried);
        let Phase::Locking(locking) = &mut self.phase else {
            return false;
        };
        if tried.is_empty() || paths.is_empty() {
            return false;
        }
        if locking.pause(now) > self.config.onetime_wait {
            for path in paths {
                if let Some(slot) = self.slots.get_mut(&path) {
                    let problem = "waits for the reload_cmd of another confd, which decides \
                                   whether the file stays";
                    let error = Error::resource(slot.resource.dest(), problem);
                    slot.fail(&error, now);
                }
            }
        }
        true
    }

    /// Drops new files for units that are tried out, by this process or by another one: they would
    /// take the place of the old files that may have to come back.
    pub(super) fn drop_tried(&mut self, now: Instant) {
        if self.config.looks_only() || !unit::has_records(&self.config.confdir) {
            return;
        }
        let tried = unit::tried(&self.config.confdir);
        for path in self.renderings_of_tried(&tried) {
            if let Some(slot) = self.slots.get_mut(&path) {
                slot.drop_work();
                slot.wake(if slot.is_unproven {
                    now
                } else {
                    now + TRIED_PAUSE
                });
            }
        }
    }
}
