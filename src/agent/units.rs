//! Groups: resources that are rendered, staged and checked together and swapped all or none. If one
//! fails, the others are held until it works.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::apply::Waits;
use super::made::file_of_part;
use super::slot::{MOST_DROPPED, Slot, Staged, State};
use super::watchdog::Step;
use super::{Agent, Phase};
use crate::config::Mode;
use crate::error::Result;
use crate::log;
use crate::resource::pending::Record;
use crate::resource::stage::Target;
use crate::resource::stage::unit::{Plan, Reason, Unit, forget_rejection, rejected, rejection};
use crate::resource::{Ownership, Prepared, Stamp};

/// After so many swaps of other blocks before its own, a block goes first.
const MOST_OVERTAKEN: u32 = 3;

/// The standing of a unit: what it is, or is to become.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// Each resource is right, or checked.
    Ready,
    /// A resource is still at work.
    Busy,
    /// This one has failed.
    Failed(PathBuf),
}

/// The files of a unit with the MD5 of their renderings, and its reload commands.
type Attempt = (BTreeSet<(PathBuf, String)>, BTreeSet<String>);

/// A staged file on its way to the swap, with the number of its reload in the journal.
pub(super) type Synced = (PathBuf, Staged, Option<u64>);

impl Agent {
    /// The resources of each group.
    fn groups(&self) -> BTreeMap<&str, Vec<(&PathBuf, &Slot)>> {
        let mut groups: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        let slots = self.slots.iter();
        for (path, slot) in slots.filter(|(_, slot)| slot.shadowed_by.is_none()) {
            if let Some(group) = slot.resource.unit() {
                groups.entry(group).or_default().push((path, slot));
            }
        }
        groups
    }

    /// The groups with a resource that cannot be taken up now: they are taken up as a whole.
    pub(super) fn busy_groups(&self) -> BTreeSet<String> {
        let groups = self.groups().into_iter();
        let busy = groups.filter(|(_, members)| members.iter().any(|(_, slot)| !slot.is_free()));
        busy.map(|(group, _)| group.to_owned()).collect()
    }

    /// The resources that are taken up with these, since they are in one group with them.
    pub(super) fn companions(&self, ready: &[PathBuf]) -> Vec<PathBuf> {
        let is_ready = |path: &PathBuf| ready.binary_search(path).is_ok();
        let groups = self.groups().into_values();
        let groups = groups.filter(|members| members.iter().any(|(path, _)| is_ready(path)));
        let members = groups.flatten().filter(|(path, slot)| {
            !is_ready(path) && !self.broken.contains_key(slot.resource.path())
        });
        members.map(|(path, _)| path.clone()).collect()
    }

    fn standing(&self, group: &str, members: &[(&PathBuf, &Slot)]) -> Standing {
        let mut broken = self.broken.iter();
        if let Some((path, _)) = broken.find(|(_, broken)| broken.unit.as_deref() == Some(group)) {
            return Standing::Failed(path.clone());
        }
        let mut standing = Standing::Ready;
        for (path, slot) in members {
            match &slot.state {
                _ if self.broken.contains_key(slot.resource.path()) => {
                    return Standing::Failed((*path).clone());
                }
                State::Idle | State::Hanging { .. } if slot.failure.is_some() => {
                    return Standing::Failed((*path).clone());
                }
                State::Idle if slot.inputs.is_some() => {}
                State::Checked(staged) if !staged.is_unfinished() => {}
                _ => standing = Standing::Busy,
            }
        }
        standing
    }

    /// The groups that cannot be swapped now.
    pub(super) fn unready_groups(&self, waits: &Waits<'_>, now: Instant) -> BTreeSet<String> {
        let groups = self.groups().into_iter();
        let unready = groups.filter(|(group, members)| {
            self.standing(group, members) != Standing::Ready
                || members.iter().any(|(_, slot)| {
                    matches!(slot.state, State::Checked(_)) && waits.hold(slot, now)
                })
        });
        unready.map(|(group, _)| group.to_owned()).collect()
    }

    /// The groups in which something is being rendered or checked, so that what is rendered waits.
    pub(super) fn groups_at_work(&self) -> BTreeSet<String> {
        let at_work = self
            .slots
            .values()
            .filter(|slot| matches!(slot.state, State::Rendering { .. } | State::Checking(_)));
        let groups = at_work.filter_map(|slot| slot.resource.unit());
        groups.map(str::to_owned).collect()
    }

    /// Drops the work of the groups in which a resource has failed.
    pub(super) fn hold_groups(&mut self) {
        if matches!(self.phase, Phase::Rendering(_)) {
            return;
        }
        let groups = self.groups().into_iter();
        let failed = groups.filter_map(|(group, members)| match self.standing(group, &members) {
            Standing::Failed(path) => Some((group.to_owned(), path)),
            _ => None,
        });
        for (group, failed) in failed.collect::<Vec<_>>() {
            self.hold(&group, &failed);
        }
    }

    /// Drops the work of a group: this resource of it has failed.
    fn hold(&mut self, group: &str, failed: &Path) {
        let reason = format!(
            "group {group:?}: none of its files is swapped, because {} failed",
            failed.display()
        );
        let mut is_news = false;
        for slot in self.slots.values_mut() {
            let has_work = matches!(
                slot.state,
                State::Rendered(..) | State::Checking(_) | State::Checked(_)
            );
            if slot.resource.unit() == Some(group) && has_work {
                slot.drop_work();
                is_news |= slot.held.as_ref() != Some(&reason);
                slot.held = Some(reason.clone());
            }
        }
        if is_news {
            log::error(reason);
        }
    }

    /// Drops a staged file whose template has changed since, and those that are swapped with it;
    /// but not again and again.
    pub(super) fn drop_changed(&mut self, path: &Path, now: Instant) {
        let Some(slot) = self.slots.get(path) else {
            return;
        };
        let group = slot.resource.unit().map(str::to_owned);
        let slots = self.slots.iter_mut().filter(|(other, slot)| {
            *other == path || (group.is_some() && slot.resource.unit() == group.as_deref())
        });
        let members: Vec<&mut Slot> = slots.map(|(_, slot)| slot).collect();
        if members.iter().any(|slot| slot.dropped >= MOST_DROPPED) {
            return;
        }
        for slot in members {
            if matches!(slot.state, State::Checking(_) | State::Checked(_)) {
                slot.drop_for_news();
                slot.wake(now);
            }
        }
    }

    /// Wakes what is held: the resources have changed, so that the one which failed may be gone.
    pub(super) fn wake_held(&mut self, now: Instant) {
        let held = self.slots.values_mut().filter(|slot| slot.held.is_some());
        held.for_each(|slot| slot.wake(now));
    }

    /// Where the new file of another resource in the group of `path` is: staged, or in its place.
    pub(super) fn staged_file(&self, path: &Path, name: &str) -> Option<PathBuf> {
        let group = self.slots.get(path)?.resource.unit()?;
        let mut slots = self.slots.iter();
        let (_, slot) = slots
            .find(|(other, slot)| slot.resource.unit() == Some(group) && other.ends_with(name))
            .filter(|(_, slot)| !slot.resource.is_for_each())?;
        match &slot.state {
            State::Checking(staged) | State::Checked(staged) => Some(staged.prepared.stage.path()),
            _ => Some(slot.resource.shown_dest().to_path_buf()),
        }
    }

    /// The unit that a resource is swapped with; none for one that is swapped for itself.
    pub(super) fn unit_name(&self, path: &Path) -> Option<String> {
        self.unit_of_slot(path, self.slots.get(path)?)
    }

    fn unit_of_slot(&self, path: &Path, slot: &Slot) -> Option<String> {
        // Below -root nothing of this machine is written, records among it.
        if self.config.looks_only() {
            return None;
        }
        let resource = &slot.resource;
        let own = || {
            let rolls_back = resource.rolls_back() && self.runs_reloads();
            rolls_back.then(|| path.display().to_string())
        };
        resource.unit().map(str::to_owned).or_else(own)
    }

    pub(super) fn keeps_old(&self, members: &[Synced]) -> bool {
        let mut slots = members.iter().filter_map(|(path, ..)| self.slots.get(path));
        self.runs_reloads() && slots.any(|slot| slot.resource.rolls_back())
    }

    /// Starts the checks of groups, all of whose files are staged by now.
    pub(super) fn check_groups(&mut self, now: Instant) {
        self.hold_groups();
        for path in std::mem::take(&mut self.unchecked) {
            if let Some(slot) = self.slots.get_mut(&path)
                && matches!(slot.state, State::Checking(_))
                && let State::Checking(staged) = std::mem::replace(&mut slot.state, State::Idle)
            {
                self.check(&path, staged, now);
            }
        }
    }

    /// The staged resources of its group that put other blocks into the same file: this block is
    /// put into what they make of it.
    pub(super) fn join_blocks(&self, path: &Path, target: &mut Target) -> Result<Vec<PathBuf>> {
        let Some(slot) = self.slots.get(path) else {
            return Ok(Vec::new());
        };
        let is_other = |other: &Slot| {
            other.resource.unit() == slot.resource.unit()
                && other.resource.marker().is_some()
                && other.place == slot.place
        };
        let has_block = slot.resource.marker().is_some();
        let others = self.unchecked.iter().filter(|_| has_block);
        let others = others.filter(|path| self.slots.get(*path).is_some_and(is_other));
        let others: Vec<PathBuf> = others.cloned().collect();
        let last = others.last().and_then(|last| self.slots.get(last));
        if let Some(State::Checking(staged)) = last.map(|slot| &slot.state) {
            target.with_others = Some(staged.prepared.stage.content()?);
        }
        Ok(others)
    }

    /// Gives the other blocks of the same file the content that has all of them, so that it is
    /// right whichever is renamed last.
    pub(super) fn share_blocks(&mut self, path: &Path, others: &[PathBuf], now: Instant) {
        for other in others {
            let Some(State::Checking(last)) = self.slots.get(path).map(|slot| &slot.state) else {
                return;
            };
            let (content, md5) = (last.prepared.stage.content(), last.prepared.md5.clone());
            let Some(slot) = self.slots.get_mut(other) else {
                continue;
            };
            let State::Checking(staged) = std::mem::replace(&mut slot.state, State::Idle) else {
                continue;
            };
            let Prepared {
                stage,
                inputs,
                change,
                rendered,
                ..
            } = *staged.prepared;
            match content.and_then(|content| stage.with_content(&content)) {
                Ok(stage) => {
                    let prepared = Prepared {
                        stage,
                        inputs,
                        change,
                        md5,
                        rendered,
                    };
                    slot.state = State::Checking(Staged {
                        prepared: Box::new(prepared),
                        ..staged
                    });
                }
                Err(error) => slot.fail(&error, now),
            }
        }
    }

    /// The file of a block is not any more what the new one was composed from.
    pub(super) fn compose_again(&mut self, path: &Path, now: Instant) {
        let stamp = self.slots.get(path).and_then(Slot::stamp_of_dest);
        let is_own = self.is_left_by_another(path, stamp.as_ref());
        if let Some(slot) = self.slots.get_mut(path) {
            if is_own {
                slot.compose_after_another(now);
            } else {
                slot.compose_again(now);
            }
        }
    }

    /// Sees to it that blocks which change all the time do not keep another one of the same file
    /// old: the one that was overtaken most goes first.
    pub(super) fn give_way(&mut self) {
        let is_next = |slot: &Slot| {
            slot.overtaken >= MOST_OVERTAKEN
                && slot.shadowed_by.is_none()
                && slot.place.is_some()
                && self.is_readable(slot)
                && (slot.due.is_some() || slot.has_work())
        };
        let next = self.slots.iter().filter(|(_, slot)| is_next(slot));
        let next = next.max_by_key(|(_, slot)| slot.overtaken);
        let next = next.filter(|_| self.config.mode != Mode::Onetime);
        let next = next.map(|(path, slot)| {
            let unit = slot.resource.unit().map(str::to_owned);
            (path.clone(), slot.place.clone(), unit)
        });
        for (path, slot) in &mut self.slots {
            slot.gives_way = next.as_ref().is_some_and(|(next, place, unit)| {
                let is_together =
                    path == next || (unit.is_some() && slot.resource.unit() == unit.as_deref());
                slot.place == *place && slot.resource.marker().is_some() && !is_together
            });
        }
    }

    /// Returns true if another resource, with a block of the same file, has left it like this.
    pub(super) fn is_left_by_another(&self, path: &Path, stamp: Option<&Stamp>) -> bool {
        let (Some(slot), Some(stamp)) = (self.slots.get(path), stamp) else {
            return false;
        };
        let mut others = self.slots.values().filter(|other| !other.changed_by_others);
        slot.resource.marker().is_some()
            && others.any(|other| {
                let left = other.dest.as_ref().filter(|_| other.place == slot.place);
                left.is_some_and(|left| left.is_same(stamp))
            })
    }

    /// Drops the groups of files that could not be synced.
    pub(super) fn drop_incomplete(
        &mut self,
        staged: &[PathBuf],
        mut synced: Vec<(PathBuf, Staged)>,
    ) -> Vec<(PathBuf, Staged)> {
        for failed in staged {
            let group = self.slots.get(failed).and_then(|slot| slot.resource.unit());
            let Some(group) = group.map(str::to_owned) else {
                continue;
            };
            if synced.iter().any(|(path, _)| path == failed) {
                continue;
            }
            for (path, one) in std::mem::take(&mut synced) {
                match self.slots.get_mut(&path) {
                    Some(slot) if slot.resource.unit() == Some(&group) => {
                        slot.state = State::Checked(one);
                    }
                    _ => synced.push((path, one)),
                }
            }
            self.hold(&group, failed);
        }
        synced
    }

    /// Drops what was put back before, because a reload failed with exactly these files.
    pub(super) fn drop_rejected(
        &mut self,
        staged: Vec<(PathBuf, Staged)>,
        now: Instant,
    ) -> Vec<(PathBuf, Staged)> {
        self.prune_rejections();
        let units = self.settled_units().into_iter();
        let mut units: BTreeMap<String, Attempt> =
            units.map(|unit| (unit, Attempt::default())).collect();
        for (path, one) in &staged {
            if let Some(unit) = self.unit_name(path) {
                let file = (one.prepared.stage.dest(), one.prepared.rendered.clone());
                let (renderings, commands) = units.entry(unit).or_default();
                renderings.insert(file);
                commands.extend(self.reload_record(path, one).map(|record| record.command));
            }
        }
        let mut rejected = BTreeMap::new();
        for (unit, (renderings, commands)) in units {
            let confdir = &self.config.confdir;
            if !renderings.is_empty() {
                if let Some(reason) = rejection(confdir, &unit, &renderings, &commands) {
                    rejected.insert(unit, reason);
                }
            } else if let Err(error) = forget_rejection(confdir, &unit) {
                log::warning(error.chain());
            }
        }
        self.try_removals_again(&staged, &mut rejected, now);
        let mut left = Vec::new();
        for (path, one) in staged {
            let reason = self.unit_name(&path).and_then(|unit| rejected.get(&unit));
            match (reason, self.slots.get_mut(&path)) {
                (Some(reason), Some(slot)) => {
                    let is_news = slot.failure.is_none();
                    slot.take_back(&reason.brief);
                    if is_news {
                        let (dest, reason) = (slot.resource.shown_dest().display(), &reason.full);
                        log::error(format_args!(
                            "{dest} stays rolled back until its metadata or template changes: {reason}"
                        ));
                    }
                }
                _ => left.push((path, one)),
            }
        }
        left
    }

    /// The units that roll back, and all of whose files are right.
    fn settled_units(&self) -> Vec<String> {
        let (mut settled, mut others) = (Vec::new(), BTreeSet::new());
        let live = self.slots.iter();
        for (path, slot) in live.filter(|(_, slot)| slot.shadowed_by.is_none()) {
            if let Some(unit) = self.unit_of_slot(path, slot) {
                if !slot.is_settled() {
                    others.insert(unit);
                } else if slot.resource.rolls_back() {
                    settled.push(unit);
                }
            }
        }
        settled.retain(|unit| !others.contains(unit));
        settled
    }

    /// Forgets what was put back of units that do not exist any more. As long as a resource cannot
    /// be read or rendered, nobody knows.
    fn prune_rejections(&self) {
        if !self.runs_reloads() || !self.broken.is_empty() {
            return;
        }
        let exists = |unit: &str, path: &PathBuf| match self.slots.get(path) {
            Some(_) => self.unit_name(path).as_deref() == Some(unit),
            None => {
                let list = file_of_part(path).and_then(|file| self.slots.get(&file));
                list.is_some_and(|list| !list.is_settled())
            }
        };
        for (unit, members) in rejected(&self.config.confdir) {
            if !members.iter().any(|path| exists(&unit, path))
                && let Err(error) = forget_rejection(&self.config.confdir, &unit)
            {
                log::warning(error.chain());
            }
        }
    }

    /// Accepts removals that were rejected, once something else of the same resource is new: a
    /// removal itself never looks different. One that is not staged now is tried when it can be.
    fn try_removals_again(
        &mut self,
        staged: &[(PathBuf, Staged)],
        rejected: &mut BTreeMap<String, Reason>,
        now: Instant,
    ) {
        let accepted = staged.iter().filter(|(path, _)| {
            let unit = self.unit_name(path);
            unit.is_none_or(|unit| !rejected.contains_key(&unit))
        });
        let slots = accepted.filter_map(|(path, _)| self.slots.get(path));
        let news: BTreeSet<PathBuf> = slots
            .map(|slot| slot.resource.path().to_path_buf())
            .collect();
        let is_staged = |path: &PathBuf| staged.iter().any(|(staged, _)| staged == path);
        for (path, slot) in &mut self.slots {
            if slot.resource.is_gone() && news.contains(slot.resource.path()) {
                slot.has_news = true;
                if !is_staged(path) {
                    slot.wake(now);
                }
            }
        }
        for (path, _) in staged {
            let unit = self.unit_name(path);
            if let Some(slot) = self.slots.get_mut(path)
                && std::mem::take(&mut slot.has_news)
            {
                rejected.remove(&unit.unwrap_or_default());
            }
        }
    }

    /// Swaps a unit, all or none.
    pub(super) fn swap_unit(&mut self, name: String, members: Vec<Synced>, now: Instant) {
        if let Some(path) = outrun(&members) {
            let path = path.to_path_buf();
            self.drop_unit(members);
            self.compose_again(&path, now);
            return;
        }
        let plan = Plan {
            keeps_old: self.keeps_old(&members),
            reloads: self.reloads_of(&members),
            members: members.iter().map(|(path, ..)| path.clone()).collect(),
            name,
        };
        let (mut swapped, mut stages) = (Vec::new(), Vec::new());
        for (path, one, number) in members {
            let prepared = *one.prepared;
            stages.push((prepared.stage, prepared.rendered));
            swapped.push((path, prepared.inputs, prepared.change, number));
        }
        if let Some((stage, _)) = stages.first() {
            self.watchdog.enter(Step::Swap, &stage.dest());
        }
        let unit = Unit::prepare(&self.config.confdir, plan, &stages);
        let unit = unit.and_then(|unit| unit.commit(stages));
        let unit = match unit {
            Ok(unit) => unit,
            Err(error) => {
                for (index, (path, .., number)) in swapped.into_iter().enumerate() {
                    self.clear_reload(number);
                    if let Some(slot) = self.slots.get_mut(&path)
                        && index == 0
                    {
                        slot.fail(&error, now);
                    }
                }
                return;
            }
        };
        if let Err(error) = unit.sync() {
            // The files are in place; only a power cut in the next seconds could bring the old ones
            // back.
            log::warning(error.chain());
        }
        self.take_unit(unit);
        for (path, inputs, change, number) in swapped {
            self.take_swapped(&path, inputs, change, number, now);
        }
    }

    fn drop_unit(&mut self, members: Vec<Synced>) {
        for (.., number) in members {
            self.clear_reload(number);
        }
    }

    fn reloads_of(&self, members: &[Synced]) -> Vec<Record> {
        let reloads = members
            .iter()
            .filter_map(|(path, one, _)| self.reload_record(path, one));
        reloads.filter(|_| self.runs_reloads()).collect()
    }
}

/// The first resource whose file another program has changed meanwhile.
fn outrun(members: &[Synced]) -> Option<&Path> {
    let mut outrun = members.iter();
    let outrun = outrun.find(|(_, one, _)| !one.prepared.stage.is_current());
    outrun.map(|(path, ..)| path.as_path())
}

impl Agent {
    /// Takes a group of one for a group of users, as it always was.
    pub(super) fn judge_group(&self, path: &Path, ownership: &mut Ownership) -> Result<()> {
        let Some(slot) = self
            .slots
            .get(path)
            .filter(|_| ownership.unknown_unit.is_some())
        else {
            return Ok(());
        };
        let mut others = self.slots.values().map(|other| &other.resource);
        let unit = slot.resource.unit();
        let has_others =
            others.any(|other| other.unit() == unit && other.path() != slot.resource.path());
        let mut broken = self.broken.values();
        if has_others || broken.any(|broken| broken.unit.as_deref() == unit) {
            return Ok(());
        }
        slot.resource.be_alone(ownership)
    }
}

impl Slot {
    /// Returns true if it is in one of these groups.
    pub(super) fn is_in_group(&self, groups: &BTreeSet<String>) -> bool {
        self.resource
            .unit()
            .is_some_and(|group| groups.contains(group))
    }
}
