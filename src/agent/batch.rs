//! One change in phases over all idle resources: render, compare, stage, check; then sync all, rename all, reload.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::slot::{Slot, State};
use super::{Agent, Event, LOCK_PAUSE, commands};
use crate::error::Result;
use crate::log;
use crate::platform::Lock;
use crate::resource::stage::{self, Committed, Directories, Stage, Target};
use crate::resource::{Outcome, Prepared, Rendered};

/// Another confd holds the lock.
struct Busy;

/// How long a batch waits for its checks; a resource whose check takes longer is swapped by itself when that ends.
const CHECK_GRACE: Duration = Duration::from_secs(10);

/// The resources that are staged together. Holds the lock: one apply at a time on this machine.
#[derive(Debug)]
pub struct Batch {
    number: u64,
    until: Instant,
    directories: Directories,
    /// None where the file system of confdir has no locks.
    _lock: Option<Lock>,
}

impl Batch {
    /// When its checks have taken long enough.
    pub fn until(&self) -> Instant {
        self.until
    }

    /// True when no check of this batch is to be waited for any more.
    pub fn complete(&self, slots: &BTreeMap<PathBuf, Slot>, now: Instant) -> bool {
        now >= self.until || !slots.values().any(|slot| self.awaits(slot))
    }

    fn awaits(&self, slot: &Slot) -> bool {
        matches!(slot.state, State::Staged { batch, checked: false, .. } if batch == self.number)
    }
}

impl Agent {
    /// Takes up everything that is due: renders, compares, stages, and starts the checks.
    pub(super) fn begin(&mut self, now: Instant) {
        let lock = match self.lock(now) {
            Ok(lock) => lock,
            Err(Busy) => return,
        };
        self.batches += 1;
        self.unsettled = None;
        self.refresh_resources(now);
        self.batch = Some(Batch {
            number: self.batches,
            until: now + CHECK_GRACE,
            directories: Directories::default(),
            _lock: lock,
        });
        let rendered = self.render(now);
        let targets = rendered.iter().map(|(_, _, target)| target).collect();
        if !self.config.noop
            && let Err(error) = stage::clear_leftovers(targets).map(say_cleared)
        {
            log::warning(error.chain());
        }
        for (path, rendered, target) in rendered {
            self.stage(&path, rendered, target, now);
        }
    }

    /// The lock of this confdir. Where there are no locks, working without one beats not working. Who changes nothing on this
    /// machine needs none, and leaves no file for it.
    fn lock(&mut self, now: Instant) -> Result<Option<Lock>, Busy> {
        if self.config.looks_only() {
            return Ok(None);
        }
        let confdir = self.config.confdir.display();
        let (said, locked) = match Lock::try_acquire(&self.config.confdir) {
            Ok(Some(lock)) => (None, Ok(Some(lock))),
            Ok(None) => (
                Some(format!("another confd applies {confdir}; waiting for it")),
                Err(Busy),
            ),
            Err(cause) => (
                Some(format!("cannot lock {confdir}: {cause}; going on without")),
                Ok(None),
            ),
        };
        self.lock_retry = locked.is_err().then(|| now + LOCK_PAUSE);
        if let Some(message) = said.as_ref().filter(|_| self.lock_said != said) {
            log::info(message);
        }
        self.lock_said = said;
        locked
    }

    /// Renders everything that is due, and finds where it goes.
    fn render(&mut self, now: Instant) -> Vec<(PathBuf, Rendered, Target)> {
        let Some(tree) = &self.tree else {
            return Vec::new();
        };
        let mut all = Vec::new();
        for (path, slot) in self.slots.iter_mut().filter(|(_, slot)| slot.ready(now)) {
            slot.due = None;
            // A stage that its batch did not wait for is used while it is still of this tree, else made anew.
            match &mut slot.state {
                State::Staged {
                    prepared, batch, ..
                } if prepared.is_of(tree) => *batch = self.batches,
                state => {
                    *state = State::Idle;
                    match slot
                        .resource
                        .render(tree, &self.config)
                        .and_then(|done| Ok((done, slot.resource.target(&self.config)?)))
                    {
                        Ok((rendered, mut target)) => {
                            if let Some(batch) = &mut self.batch {
                                batch.directories.share_target(&mut target);
                            }
                            all.push((path.clone(), rendered, target));
                        }
                        Err(error) => slot.fail(&error, now),
                    }
                }
            }
        }
        all
    }

    fn stage(&mut self, path: &Path, rendered: Rendered, target: Target, now: Instant) {
        let Some(slot) = self.slots.get_mut(path) else {
            return;
        };
        match slot
            .resource
            .stage(rendered, target, slot.seen.as_ref(), &self.config)
        {
            Ok(Outcome::InSync(seen)) => {
                log::debug(format_args!(
                    "Target config {} in sync",
                    slot.resource.shown_dest().display()
                ));
                slot.in_sync(seen);
            }
            Ok(Outcome::LeftAlone(seen, change)) => {
                slot.say(&change);
                let dest = slot.resource.shown_dest().display();
                log::warning(format_args!(
                    "Noop mode enabled. {dest} will not be modified"
                ));
                slot.in_sync(seen);
            }
            Ok(Outcome::Staged(mut prepared)) => {
                slot.say(&prepared.change);
                if let Some(batch) = &mut self.batch {
                    batch.directories.share_stage(&mut prepared.stage);
                }
                self.check(path, prepared, now);
            }
            Err(error) => slot.fail(&error, now),
        }
    }

    /// Starts the `check_cmd`; without one the staged file is good.
    fn check(&mut self, path: &Path, prepared: Box<Prepared>, now: Instant) {
        let Some(slot) = self.slots.get_mut(path) else {
            return;
        };
        let invocation = match slot.resource.check(&prepared, &self.config) {
            Ok(invocation) => invocation,
            Err(error) => return slot.fail(&error, now),
        };
        slot.state = State::Staged {
            prepared,
            batch: self.batches,
            checked: invocation.is_none(),
        };
        if let Some(invocation) = invocation {
            let path = path.to_path_buf();
            let event = move |outcome| Event::Checked { path, outcome };
            if let Err(error) = commands::start(invocation, &self.queue, event) {
                slot.fail(&error, now);
            }
        }
    }

    pub(super) fn take_checked(&mut self, path: &Path, outcome: Result<()>) {
        let Some(slot) = self.slots.get_mut(path) else {
            return;
        };
        let State::Staged { batch, checked, .. } = &mut slot.state else {
            return;
        };
        match slot.resource.judge_check(outcome) {
            Ok(()) => {
                *checked = true;
                if self
                    .batch
                    .as_ref()
                    .is_none_or(|current| current.number != *batch)
                {
                    slot.wake(Instant::now());
                }
            }
            Err(error) => slot.fail(&error, Instant::now()),
        }
    }

    /// The second half of a batch: all swaps, then the reloads.
    pub(super) fn commit(&mut self) {
        let Some(batch) = self.batch.take() else {
            return;
        };
        let staged = self.take_staged(batch.number);
        self.claim_unchecked();
        let synced = self.sync(staged);
        self.owe(&synced);
        let swapped = self.swap(synced);
        if let Err(error) = stage::sync_directories(&swapped) {
            // The files are in place and whole; only a power cut in the next seconds could bring the old ones back.
            log::warning(error.chain());
        }
        drop(batch);
        self.start_reloads();
    }

    /// The lock is given up while these are still being checked: nobody is to take them for leftovers.
    fn claim_unchecked(&mut self) {
        for slot in self.slots.values_mut() {
            if let State::Staged { prepared, .. } = &mut slot.state {
                prepared.stage.claim();
            }
        }
    }

    /// What is staged and checked in the batch of this `number`.
    fn take_staged(&mut self, number: u64) -> Vec<(PathBuf, Box<Prepared>)> {
        let mut staged = Vec::new();
        for (path, slot) in self.slots.iter_mut() {
            match std::mem::replace(&mut slot.state, State::Idle) {
                State::Staged {
                    prepared,
                    batch,
                    checked: true,
                } if batch == number => staged.push((path.clone(), prepared)),
                state => slot.state = state,
            }
        }
        staged
    }

    /// Brings the staged files to the disk; gives those that are there.
    fn sync(&mut self, staged: Vec<(PathBuf, Box<Prepared>)>) -> Vec<(PathBuf, Box<Prepared>)> {
        let stages: Vec<&Stage> = staged.iter().map(|(_, prepared)| &prepared.stage).collect();
        let results = stage::sync_all(&stages);
        let mut synced = Vec::new();
        for ((path, prepared), result) in staged.into_iter().zip(results) {
            match (result, self.slots.get_mut(&path)) {
                (Ok(()), _) => synced.push((path, prepared)),
                (Err(error), Some(slot)) => slot.fail(&error, Instant::now()),
                (Err(_), None) => {}
            }
        }
        synced
    }

    fn swap(&mut self, synced: Vec<(PathBuf, Box<Prepared>)>) -> Vec<Committed> {
        let mut swapped = Vec::new();
        for (path, prepared) in synced {
            let Some(slot) = self.slots.get_mut(&path) else {
                continue;
            };
            match prepared.stage.commit() {
                Ok(committed) => {
                    swapped.push(committed);
                    let dest = slot.resource.shown_dest().display();
                    log::info(format_args!("Target config {dest} has been updated"));
                    slot.swapped(prepared.seen, prepared.change.keys);
                }
                Err(error) => slot.fail(&error, Instant::now()),
            }
        }
        swapped
    }
}

fn say_cleared(cleared: Vec<PathBuf>) {
    for path in cleared {
        log::info(format!(
            "removed {}, left by a run that was killed",
            path.display()
        ));
    }
}
