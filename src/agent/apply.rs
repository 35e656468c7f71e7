//! An apply: what is rendered is compared, staged and checked under the lock; then all is synced,
//! recorded and swapped, and the reloads begin.
//!
//! The lock is held for that and for at most [`GRACE`] of checks. What is checked for longer is
//! swapped by itself when its check ends.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::commands::{self, End};
use super::slot::{Origin, Slot, Staged, State};
use super::units::Synced;
use super::watchdog::Step;
use super::{Agent, Event, Phase};
use crate::config::Mode;
use crate::log;
use crate::platform::{Announcement, Lock};
use crate::resource::pending::Record;
use crate::resource::stage::{self, Committed, Directories, Stage, Target, unit};
use crate::resource::{Change, Inputs, Outcome, Rendered};

/// How long an apply waits for each check, counted from its start.
const GRACE: Duration = Duration::from_secs(2);
/// How long resources that share a reload command wait for each other's checks.
const SHARED_GRACE: Duration = Duration::from_secs(10);

/// How long a file waits for those that share its reload command, in all: where one after the other
/// changes, there is always one that is being checked.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// After an apply that held the lock for longer than this, others get it for an eighth of that time
/// before it is taken again. No longer than the rest: a process may have stood still meanwhile, for
/// hours.
const LONG_HOLD: Duration = Duration::from_millis(500);
const LONGEST_REST: Duration = Duration::from_secs(2);

/// An apply in progress.
#[derive(Debug)]
pub(super) struct Apply {
    since: Instant,
    /// None where nothing is changed, or the file system of confdir has no locks.
    lock: Option<Lock>,
    directories: Directories,
}

/// Until when files wait for others that share their reload command, by that command.
pub(super) struct Waits<'a>(BTreeMap<&'a str, Instant>);

impl Waits<'_> {
    fn until(&self, slot: &Slot) -> Option<Instant> {
        let until = *self.0.get(slot.resource.shared_reload()?)?;
        match &slot.state {
            State::Checked(staged) => Some(until.min(staged.since + LONGEST_WAIT)),
            _ => Some(until),
        }
    }

    pub(super) fn hold(&self, slot: &Slot, now: Instant) -> bool {
        self.until(slot).is_some_and(|until| until > now)
    }
}

impl Agent {
    /// True when something waits to be applied, apart from a round.
    pub(super) fn is_to_be_applied(&self, now: Instant) -> bool {
        let waits = self.waits(Staged::is_unfinished);
        let (at_work, unready) = (self.groups_at_work(), self.unready_groups(&waits, now));
        self.slots.values().any(|slot| match &slot.state {
            State::Rendered(..) => !slot.is_in_group(&at_work),
            State::Checked(staged) => {
                staged.is_verified && !waits.hold(slot, now) && !slot.is_in_group(&unready)
            }
            _ => false,
        })
    }

    /// Who waits for whom: files whose check has ended for those that share their reload command
    /// and are being checked, or whose check has ended and that are awaited all the same.
    fn waits(&self, is_awaited: fn(&Staged) -> bool) -> Waits<'_> {
        let mut waits = BTreeMap::new();
        for slot in self.slots.values() {
            let (staged, is_awaited) = match &slot.state {
                State::Checking(staged) => (staged, true),
                State::Checked(staged) => (staged, is_awaited(staged)),
                _ => continue,
            };
            if let Some(command) = slot.resource.shared_reload().filter(|_| is_awaited) {
                let end = staged.since + SHARED_GRACE;
                let until = waits.entry(command).or_insert(end);
                *until = end.max(*until);
            }
        }
        Waits(waits)
    }

    /// The late files of which only a look at their templates is missing before they are swapped.
    pub(super) fn to_be_verified(&self, now: Instant) -> Vec<PathBuf> {
        let waits = self.waits(|_| false);
        let is_next = |slot: &Slot| match &slot.state {
            State::Checked(staged) => staged.is_unfinished() && !waits.hold(slot, now),
            _ => false,
        };
        let next = self.slots.iter().filter(|(_, slot)| is_next(slot));
        next.map(|(path, _)| path.clone()).collect()
    }

    /// When a staged file has waited long enough for others.
    pub(super) fn next_late_swap(&self) -> Option<Instant> {
        let waits = self.waits(Staged::is_unfinished);
        let waiting = self
            .slots
            .values()
            .filter(|slot| matches!(slot.state, State::Checked(_)));
        waiting.filter_map(|slot| waits.until(slot)).min()
    }

    /// Compares, stages and checks what is rendered.
    pub(super) fn apply(&mut self, lock: Option<Lock>, has_refetched: bool, now: Instant) {
        if lock.is_some() && self.finish_swaps(lock.as_ref(), now) {
            self.take_over_reloads(now);
        }
        self.drop_tried(now);
        self.drop_outdated(has_refetched, now);
        self.hold_groups();
        let mut apply = Apply {
            since: now,
            lock,
            directories: Directories::default(),
        };
        let targets = self.resolve(&mut apply.directories, now);
        if let Some((_, target)) = targets.first() {
            self.watchdog.enter(Step::Clear, &target.path());
        }
        let all = targets.iter().map(|(_, target)| target).collect();
        if !self.config.noop
            && let Err(error) =
                stage::clear_leftovers(all, &unit::recorded(&self.config.confdir)).map(log_cleared)
        {
            log::warning(error.chain());
        }
        for (path, target) in targets {
            if self.ending.load(Ordering::Relaxed) {
                break;
            }
            let Some(slot) = self.slots.get_mut(&path) else {
                continue;
            };
            match std::mem::replace(&mut slot.state, State::Idle) {
                State::Rendered(rendered, origin) => {
                    self.stage(&path, *rendered, target, origin, &mut apply.directories);
                }
                state => slot.state = state,
            }
        }
        self.check_groups(now);
        self.record_settled();
        self.phase = Phase::Checking(apply);
    }

    /// Drops what was rendered from a tree that is not the newest any more, if it would be
    /// different now and the files may be newer already, or if the tree was fetched again because
    /// of a wait; and what is swapped with it.
    fn drop_outdated(&mut self, has_refetched: bool, now: Instant) {
        let (Some(tree), current) = (&self.tree, self.generation()) else {
            return;
        };
        let mut groups = BTreeSet::new();
        for slot in self.slots.values_mut() {
            let (inputs, origin, is_new) = match &mut slot.state {
                State::Rendered(rendered, origin) => (&mut rendered.inputs, origin, true),
                State::Checked(staged) | State::Checking(staged) => {
                    (&mut staged.prepared.inputs, &mut staged.origin, false)
                }
                _ => continue,
            };
            if inputs.follow(tree) {
                origin.noted = self.noted;
            } else if (has_refetched && is_new) || self.freshness.is_stale(origin.noted, current) {
                slot.drop_work();
                slot.wake(now);
                groups.extend(slot.resource.unit().map(str::to_owned));
            }
        }
        for slot in self.slots.values_mut() {
            if slot.has_work() && slot.is_in_group(&groups) {
                slot.drop_work();
                slot.wake(now);
            }
        }
    }

    /// Finds where everything that is rendered goes.
    fn resolve(&mut self, directories: &mut Directories, now: Instant) -> Vec<(PathBuf, Target)> {
        let mut targets = Vec::new();
        let at_work = self.groups_at_work();
        for (path, slot) in &mut self.slots {
            let State::Rendered(rendered, _) = &slot.state else {
                continue;
            };
            if slot.is_in_group(&at_work) {
                continue;
            }
            let wanted = rendered.ownership.attributes;
            self.watchdog.enter(Step::Resolve, slot.resource.dest());
            let target = slot.resource.target_in(directories, wanted, &self.config);
            match target {
                Ok(target) => {
                    slot.place = Some(target.path());
                    targets.push((path.clone(), target));
                }
                Err(error) => slot.fail(&error, now),
            }
        }
        // Links may have shown that two are one.
        self.find_shadowed(now);
        targets.retain(|(path, _)| {
            let slot = self.slots.get(path);
            slot.is_some_and(|slot| matches!(slot.state, State::Rendered(..)))
        });
        targets
    }

    fn stage(
        &mut self,
        path: &Path,
        rendered: Rendered,
        mut target: Target,
        origin: Origin,
        directories: &mut Directories,
    ) {
        let now = Instant::now();
        let others = self.join_blocks(path, &mut target);
        let Some(slot) = self.slots.get_mut(path) else {
            return;
        };
        let others = match others {
            Ok(others) => others,
            Err(error) => return slot.fail(&error, now),
        };
        self.watchdog.enter(Step::Stage, slot.resource.dest());
        let before = slot.inputs.as_ref();
        match slot.resource.stage(rendered, target, before, &self.config) {
            Ok(Outcome::InSync(inputs)) => {
                log::debug(format_args!(
                    "Target config {} in sync",
                    slot.resource.shown_dest().display()
                ));
                slot.settle(inputs, now);
            }
            Ok(Outcome::LeftAlone(inputs, change)) => {
                slot.say(&change);
                let dest = slot.resource.shown_dest().display();
                log::warning(format_args!(
                    "Noop mode enabled. {dest} will not be modified"
                ));
                slot.settle(inputs, now);
            }
            Ok(Outcome::Staged(mut prepared)) => {
                slot.say(&prepared.change);
                directories.share_stage(&mut prepared.stage);
                self.last_check += 1;
                let staged = Staged {
                    prepared,
                    origin,
                    check: self.last_check,
                    since: now,
                    is_late: false,
                    is_verified: false,
                };
                if slot.resource.unit().is_some() {
                    // Its check may use the files of the others, which are not all staged yet.
                    slot.state = State::Checking(staged);
                    self.unchecked.push(path.to_path_buf());
                    self.share_blocks(path, &others, now);
                } else {
                    self.check(path, staged, now);
                }
            }
            Err(error) => slot.fail(&error, now),
        }
    }

    /// Starts the `check_cmd`; without one the staged file is good.
    pub(super) fn check(&mut self, path: &Path, staged: Staged, now: Instant) {
        let staged_file = |name: &str| self.staged_file(path, name);
        let Some(resource) = self.slots.get(path).map(|slot| &slot.resource) else {
            return;
        };
        let invocation = resource.check(&staged.prepared, &self.config, &staged_file);
        let Some(slot) = self.slots.get_mut(path) else {
            return;
        };
        let invocation = match invocation {
            Ok(Some(invocation)) => invocation,
            Ok(None) => {
                slot.state = State::Checked(staged);
                return;
            }
            Err(error) => return slot.fail(&error, now),
        };
        let (path, check) = (path.to_path_buf(), staged.check);
        let ended = move |end: End| Event::Checked {
            path,
            check,
            outcome: end.outcome(),
        };
        slot.state = State::Checking(staged);
        let announcement = Announcement::default();
        if let Err(error) = commands::start(invocation, announcement, &self.queue, None, ended) {
            slot.fail(&error, now);
        }
    }

    pub(super) fn take_checked(
        &mut self,
        path: &Path,
        check: u64,
        outcome: crate::error::Result<()>,
        now: Instant,
    ) {
        let Some(slot) = self.slots.get_mut(path) else {
            return;
        };
        if !matches!(&slot.state, State::Checking(staged) if staged.check == check) {
            return;
        }
        match slot.resource.judge_check(outcome) {
            Ok(()) => {
                if let State::Checking(staged) = std::mem::replace(&mut slot.state, State::Idle) {
                    slot.state = State::Checked(staged);
                }
            }
            Err(error) => slot.fail(&error, now),
        }
    }

    /// When the checks of the apply in progress have taken long enough; none when all have ended.
    pub(super) fn checks_end(&self) -> Option<Instant> {
        let ends = self.slots.values().filter_map(|slot| match &slot.state {
            State::Checking(staged) if !staged.is_late => Some(staged.since + GRACE),
            _ => None,
        });
        ends.max()
    }

    /// The second half of an apply: all swaps, then the reloads.
    pub(super) fn commit(&mut self, now: Instant) {
        let Phase::Checking(apply) = std::mem::replace(&mut self.phase, Phase::Idle) else {
            return;
        };
        self.hold_groups();
        let staged = self.take_staged(now);
        self.leave_unchecked();
        let staged = self.drop_rejected(staged, now);
        let paths: Vec<PathBuf> = staged.iter().map(|(path, _)| path.clone()).collect();
        let synced = self.sync(staged, now);
        let synced = self.drop_incomplete(&paths, synced);
        self.record_made(synced.iter().map(|(path, _)| path));
        let numbers = self.record_reloads(&synced);
        self.advance(apply.lock.as_ref(), !synced.is_empty());
        let swapped = self.swap(synced, numbers, now);
        self.forget_removed();
        if let Some(committed) = swapped.first() {
            self.watchdog.enter(Step::Sync, committed.directory());
        }
        if let Err(error) = stage::sync_directories(&swapped) {
            // The files are in place and whole; only a power cut in the next seconds could bring
            // the old ones back.
            log::warning(error.chain());
        }
        let held = apply.since.elapsed();
        drop(apply);
        if held > LONG_HOLD && self.config.mode != Mode::Onetime {
            self.lock_from = Instant::now() + (held / 8).min(LONGEST_REST);
        }
    }

    /// The staged files that are checked and need not wait for others.
    fn take_staged(&mut self, now: Instant) -> Vec<(PathBuf, Staged)> {
        let waits = self.waits(Staged::is_unfinished);
        let unready = self.unready_groups(&waits, now);
        let ready = |(path, slot): (&PathBuf, &Slot)| match &slot.state {
            State::Checked(staged) => {
                let is_usable = !staged.is_late || staged.is_verified;
                let is_held = waits.hold(slot, now) || slot.is_in_group(&unready);
                (is_usable && !is_held).then(|| path.clone())
            }
            _ => None,
        };
        let ready: Vec<PathBuf> = self.slots.iter().filter_map(ready).collect();
        let mut staged = Vec::new();
        for path in ready {
            if let Some(slot) = self.slots.get_mut(&path)
                && let State::Checked(one) = std::mem::replace(&mut slot.state, State::Idle)
            {
                if one.is_late && one.prepared.stage.is_in_place() {
                    // Another confd was here meanwhile.
                    slot.settle(one.prepared.inputs, now);
                } else {
                    staged.push((path, one));
                }
            }
        }
        staged
    }

    /// The lock is given up while these are still being checked: nobody is to take them for
    /// leftovers.
    fn leave_unchecked(&mut self) {
        for slot in self.slots.values_mut() {
            if let State::Checking(staged) | State::Checked(staged) = &mut slot.state {
                staged.is_late = true;
                staged.prepared.stage.claim();
            }
        }
    }

    /// Brings the staged files to the disk; returns those that are there.
    fn sync(&mut self, staged: Vec<(PathBuf, Staged)>, now: Instant) -> Vec<(PathBuf, Staged)> {
        if let Some(slot) = staged.first().and_then(|(path, _)| self.slots.get(path)) {
            self.watchdog.enter(Step::Sync, slot.resource.dest());
        }
        let stages: Vec<&Stage> = staged.iter().map(|(_, one)| &one.prepared.stage).collect();
        let results = stage::sync_all(&stages);
        let mut synced = Vec::new();
        for ((path, one), result) in staged.into_iter().zip(results) {
            match (result, self.slots.get_mut(&path)) {
                (Ok(()), _) => synced.push((path, one)),
                (Err(error), Some(slot)) => slot.fail(&error, now),
                (Err(_), None) => {}
            }
        }
        synced
    }

    /// Tells other processes that files are about to change.
    pub(super) fn advance(&mut self, lock: Option<&Lock>, is_change: bool) {
        let Some(lock) = lock.filter(|_| is_change) else {
            return;
        };
        match lock.advance(&self.config.confdir) {
            Ok(generation) => self.freshness.advance(generation),
            Err(cause) => log::debug(format_args!(
                "cannot count the changes in {}: {cause}",
                self.config.confdir.display()
            )),
        }
    }

    fn swap(
        &mut self,
        synced: Vec<(PathBuf, Staged)>,
        mut numbers: Vec<Option<u64>>,
        now: Instant,
    ) -> Vec<Committed> {
        let mut swapped = Vec::new();
        let mut units: BTreeMap<String, Vec<Synced>> = BTreeMap::new();
        numbers.resize(synced.len(), None);
        for ((path, one), number) in synced.into_iter().zip(numbers) {
            match self.unit_name(&path) {
                Some(unit) => units.entry(unit).or_default().push((path, one, number)),
                None => swapped.extend(self.swap_one((path, one, number), now)),
            }
        }
        for (name, mut members) in units {
            // One rename needs no record, unless the old file is to be kept.
            match members.pop() {
                Some(only)
                    if members.is_empty() && !self.keeps_old(std::slice::from_ref(&only)) =>
                {
                    swapped.extend(self.swap_one(only, now));
                }
                last => {
                    members.extend(last);
                    self.swap_unit(name, members, now);
                }
            }
        }
        swapped
    }

    fn swap_one(&mut self, (path, one, number): Synced, now: Instant) -> Option<Committed> {
        let prepared = *one.prepared;
        self.watchdog.enter(Step::Swap, &prepared.stage.dest());
        if !prepared.stage.is_current() {
            self.compose_again(&path, now);
            self.clear_reload(number);
            return None;
        }
        match prepared.stage.commit() {
            Ok(committed) => {
                self.take_swapped(&path, prepared.inputs, prepared.change, number, now);
                Some(committed)
            }
            Err(error) => {
                self.slots.get_mut(&path)?.fail(&error, now);
                self.clear_reload(number);
                None
            }
        }
    }

    /// The new file of a resource is in place.
    pub(super) fn take_swapped(
        &mut self,
        path: &Path,
        inputs: Inputs,
        change: Change,
        number: Option<u64>,
        now: Instant,
    ) {
        let Some(slot) = self.slots.get_mut(path) else {
            return;
        };
        let dest = slot.resource.shown_dest().display();
        let verb = if change.difference.surplus {
            "removed"
        } else {
            "updated"
        };
        log::info(format_args!("Target config {dest} has been {verb}"));
        slot.settle(inputs, now);
        self.has_swapped = true;
        self.want_reload(path, change.keys, number, now);
    }

    /// Records the reloads that the swaps will make due, before them.
    fn record_reloads(&mut self, synced: &[(PathBuf, Staged)]) -> Vec<Option<u64>> {
        let records = synced
            .iter()
            .map(|(path, one)| self.reload_record(path, one));
        let records: Vec<Option<Record>> = records.collect();
        self.record(records)
    }

    /// The record of the reload that a swap makes due; none without a command.
    pub(super) fn reload_record(&self, path: &Path, one: &Staged) -> Option<Record> {
        let slot = self.slots.get(path)?;
        let reload = slot.resource.reload(Vec::new())?;
        Some(Record {
            file: path.to_path_buf(),
            dest: slot.resource.dest().to_path_buf(),
            md5: one.prepared.md5.clone(),
            replaces: one.prepared.stage.replaces(),
            command: reload.text,
            keys: one.prepared.change.keys.clone(),
        })
    }
}

fn log_cleared(cleared: Vec<PathBuf>) {
    for path in cleared {
        log::info(format!(
            "removed {}, left by a run that was killed",
            path.display()
        ));
    }
}
