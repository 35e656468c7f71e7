//! A round: everything that is due is rendered, outside of the loop, and then applied together.
//!
//! A rendering that takes long is left to itself after a while, so that nobody waits for it; what
//! comes of it is applied by itself.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::renderer::{Done, Inspection, Job, Outcome, Work};
use super::slot::{MOST_DROPPED, Origin, Slot, State};
use super::watchdog::Step;
use super::{Agent, Phase};
use crate::config::{Config, Mode};
use crate::error::{Error, Result};
use crate::log;
use crate::random;
use crate::resource::{Rendered, SETTLED};
use crate::tree::Tree;

/// How long a round waits for slow renderings in all, and then for each further one.
const GRACE: Duration = Duration::from_secs(2);
const SHORT_GRACE: Duration = Duration::from_millis(100);
/// A rendering that has not returned after this time has failed.
const LIMIT: Duration = Duration::from_secs(10);

/// How many rounds in a row may begin before a reload that is due.
const MOST_PASSED: u32 = 3;

/// The lines of the log that the failed renderings of one round may take. After these each has one.
const LINES: usize = 90;
/// The lines of one that the round has not waited for.
const LATE_LINES: usize = 10;

/// A round in progress.
#[derive(Debug)]
pub(super) struct Round {
    queue: VecDeque<PathBuf>,
    tree: Arc<Tree>,
    origin: Origin,
    started: Instant,
    /// The lines of the log that the errors of its templates may still take.
    lines: usize,
}

impl Round {
    /// When the rendering in progress has taken long enough.
    fn deadline(&self, busy_since: Instant) -> Instant {
        (self.started + GRACE).max(busy_since + SHORT_GRACE)
    }
}

impl Agent {
    /// `settle`: when metadata has been quiet for so long, but not put off without end; `splay`:
    /// then some time at random.
    pub(super) fn when_to_apply(&mut self, now: Instant) -> Instant {
        if self.tree.is_none() || self.config.mode == Mode::Onetime {
            return now;
        }
        let settle = self.config.settle;
        // A series about which nothing is to be done is over.
        let has_due = self.slots.values().any(|slot| slot.due.is_some());
        let since = self.unsettled.filter(|_| has_due).unwrap_or(now);
        self.unsettled = Some(since);
        (now + settle).min(since + settle * 10) + random::up_to(self.config.splay)
    }

    /// True when a round is to begin.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.tree.is_some()
            && self.apply_from.is_none_or(|from| from <= now)
            && (self.unread
                || self.interval_at <= now
                || self.look_at.is_some_and(|at| at <= now)
                || self
                    .broken
                    .values()
                    .any(|broken| broken.due.is_some_and(|due| due <= now))
                || self.has_ready(now))
    }

    fn has_ready(&self, now: Instant) -> bool {
        let mut ready = self.slots.values();
        let mut ready = ready
            .by_ref()
            .filter(|slot| slot.is_ready(now) && self.is_readable(slot));
        let Some(first) = ready.next() else {
            return false;
        };
        let busy = self.busy_groups();
        !first.is_in_group(&busy) || ready.any(|slot| !slot.is_in_group(&busy))
    }

    /// Returns true if the conf.d file of a resource can be used as it is now.
    pub(super) fn is_readable(&self, slot: &Slot) -> bool {
        !self.broken.contains_key(slot.resource.path())
    }

    /// When a round may begin, if nothing happens before.
    pub(super) fn next_round(&self) -> Option<Instant> {
        self.tree.as_ref()?;
        let slots = self.slots.values();
        let slots = slots.filter(|slot| slot.is_free() && self.is_readable(slot));
        let broken = self.broken.values().filter_map(|broken| broken.due);
        let first = slots
            .filter_map(|slot| slot.due)
            .chain(broken)
            .chain(self.look_at)
            .fold(self.interval_at, Instant::min);
        Some(self.apply_from.map_or(first, |from| from.max(first)))
    }

    /// Takes up everything that is due.
    pub(super) fn begin_round(&mut self, now: Instant) {
        let Some(tree) = self.tree.clone() else {
            return;
        };
        self.rounds += 1;
        self.start_passed_reloads(now);
        self.watchdog.enter(Step::Read, &self.config.confdir);
        self.apply_from = None;
        self.unsettled = None;
        self.refresh_resources(now);
        if self.finish_swaps(None, now) {
            self.take_over_reloads(now);
        }
        let busy = self.busy_groups();
        let ready = self.slots.iter().filter(|(_, slot)| {
            slot.is_ready(now) && self.is_readable(slot) && !slot.is_in_group(&busy)
        });
        let mut paths: Vec<PathBuf> = ready.map(|(path, _)| path.clone()).collect();
        paths.extend(self.companions(&paths));
        paths.sort_unstable();
        let mut ready: Vec<(bool, PathBuf)> = Vec::new();
        for path in paths {
            if let Some(slot) = self.slots.get_mut(&path) {
                slot.due = None;
                // What is staged is of no use any more.
                slot.dropped += u32::from(matches!(slot.state, State::Checked(_)));
                slot.state = State::Idle;
                ready.push((slot.is_slow, path));
            }
        }
        self.interrupt_inspection(now);
        // Stable: in file order otherwise.
        ready.sort_by_key(|(is_slow, _)| *is_slow);
        self.phase = Phase::Rendering(Round {
            queue: ready.into_iter().map(|(_, path)| path).collect(),
            tree,
            origin: Origin { noted: self.noted },
            started: now,
            lines: LINES,
        });
    }

    /// Starts the reloads that several rounds in a row have passed over: where changes never stop,
    /// their files would always be on the way to the next swap.
    fn start_passed_reloads(&mut self, now: Instant) {
        let is_waiting = self.reloads.next_due().is_some_and(|due| due <= now);
        if !is_waiting || self.config.mode == Mode::Onetime {
            self.passed_rounds = 0;
            return;
        }
        self.passed_rounds += 1;
        if self.passed_rounds > MOST_PASSED {
            self.passed_rounds = 0;
            self.go_on_reloading(now);
        }
    }

    /// Starts what is to be rendered; true when all is done or left to itself.
    pub(super) fn go_on_rendering(&mut self, now: Instant) -> bool {
        let Phase::Rendering(round) = &self.phase else {
            return false;
        };
        if let Some(since) = self.renderer.busy_since() {
            if round.deadline(since) > now {
                return false;
            }
            let waiting = self.leave_rendering(now);
            if let Phase::Rendering(round) = &mut self.phase {
                // Before those that have come meanwhile.
                let later = std::mem::replace(&mut round.queue, waiting);
                round.queue.extend(later);
            }
        }
        self.start_rendering(now)
    }

    /// Starts all that is queued; true when that is nothing.
    fn start_rendering(&mut self, now: Instant) -> bool {
        let Phase::Rendering(round) = &mut self.phase else {
            return false;
        };
        let (origin, mut jobs) = (round.origin, Vec::new());
        for path in std::mem::take(&mut round.queue) {
            let Some(slot) = self.slots.get_mut(&path) else {
                continue;
            };
            // What was dropped before it had begun is not begun.
            if !matches!(slot.state, State::Idle | State::Rendering { .. }) {
                slot.state = State::Idle;
                continue;
            }
            jobs.push(Job {
                resource: Arc::clone(&slot.resource),
                config: Arc::clone(&self.config),
                work: Work::Render(Arc::clone(&round.tree)),
                path,
            });
        }
        let paths: Vec<PathBuf> = jobs.iter().map(|job| job.path.clone()).collect();
        let first = self.renderer.start(jobs);
        for (at, path) in paths.iter().enumerate() {
            let Some(slot) = self.slots.get_mut(path) else {
                continue;
            };
            match &first {
                Ok(first) => {
                    slot.state = State::Rendering {
                        job: first + at as u64,
                        left_since: None,
                        origin,
                    }
                }
                Err(error) => slot.fail(error, now),
            }
        }
        paths.is_empty() || first.is_err()
    }

    /// Leaves the rendering in progress to itself: it takes long, or was dropped. Returns the
    /// resources whose renderings have not begun.
    fn leave_rendering(&mut self, now: Instant) -> VecDeque<PathBuf> {
        let left = self.renderer.leave_rendering();
        self.take_done(left.done, now);
        if let Some(doing) = left.doing
            && let Some(slot) = self.slots.get_mut(&doing.path)
            && let State::Rendering {
                job,
                left_since: since,
                ..
            }
            | State::Hanging { job, since } = &mut slot.state
            && *job == doing.job
        {
            *since = Some(doing.since);
        }
        left.waiting
    }

    /// HUP: drops what is in progress, which may be about the old settings. Where these are the
    /// same, that is not done again and again.
    pub(super) fn interrupt(&mut self, before: &Config, now: Instant) {
        if *before == *self.config && self.is_to_be_finished() {
            return;
        }
        self.phase = Phase::Idle;
        self.drop_renderings(now);
    }

    /// True when the work on a file was dropped so often that now all comes to its end first.
    pub(super) fn is_to_be_finished(&self) -> bool {
        let mut slots = self.slots.values();
        slots.any(|slot| slot.dropped >= MOST_DROPPED && slot.has_work())
    }

    /// Drops all renderings. Those that have not begun are not begun.
    fn drop_renderings(&mut self, now: Instant) {
        self.slots.values_mut().for_each(Slot::drop_for_news);
        for path in self.leave_rendering(now) {
            if let Some(slot) = self.slots.get_mut(&path) {
                slot.state = State::Idle;
            }
        }
    }

    /// Takes the results of renderings and inspections.
    pub(super) fn take_done(&mut self, done: Vec<Done>, now: Instant) {
        for one in done {
            match one.outcome {
                Outcome::Rendered(outcome) => {
                    let is_slow = one.took > SHORT_GRACE;
                    self.take_rendered(&one.path, one.job, outcome, is_slow, now);
                }
                Outcome::Inspected(found) => self.take_inspected(&one.path, one.job, *found, now),
            }
        }
    }

    fn take_rendered(
        &mut self,
        path: &Path,
        job: u64,
        outcome: Result<Box<Rendered>>,
        is_slow: bool,
        now: Instant,
    ) {
        let mut late = LATE_LINES;
        let lines = match &mut self.phase {
            Phase::Rendering(round) => &mut round.lines,
            // The round has not waited for it.
            _ => &mut late,
        };
        let Some(slot) = self.slots.get_mut(path) else {
            return;
        };
        let origin = match slot.state {
            State::Rendering {
                job: own, origin, ..
            } if own == job => {
                slot.is_slow = is_slow;
                origin
            }
            State::Hanging { job: own, .. } if own == job => {
                slot.state = State::Idle;
                return;
            }
            _ => return,
        };
        match outcome {
            Ok(mut rendered) if rendered.items.is_some() => {
                slot.state = State::Idle;
                slot.settle(rendered.inputs, now);
                let items = rendered.items.take().unwrap_or_default();
                self.take_items(path, items, now);
            }
            Ok(mut rendered) => match self.judge_group(path, &mut rendered.ownership) {
                Ok(()) => {
                    if let Some(slot) = self.slots.get_mut(path) {
                        slot.note_owners(path, &rendered.ownership.unknown);
                        slot.state = State::Rendered(rendered, origin);
                    }
                }
                Err(error) => {
                    if let Some(slot) = self.slots.get_mut(path) {
                        slot.fail(&error, now);
                    }
                }
            },
            Err(error) => slot.fail_within(&error, lines, now),
        }
    }

    /// Takes a resource up in the round in progress, if it is due. If that may be because of a
    /// newer tree than that of the round, it stays due.
    pub(super) fn join_round(&mut self, path: &Path, now: Instant) {
        if let (Phase::Rendering(round), Some(slot)) = (&mut self.phase, self.slots.get_mut(path))
            && slot.is_ready(now)
        {
            let is_newest = |tree: &Arc<Tree>| Arc::ptr_eq(tree, &round.tree);
            slot.due = slot
                .due
                .filter(|_| !self.tree.as_ref().is_some_and(is_newest));
            slot.state = State::Idle;
            round.queue.push_back(path.to_path_buf());
        }
    }

    /// There is a newer tree than that of the round in progress: what it has not begun to render is
    /// due again, even if the file on disk is right for the newer one.
    pub(super) fn renew_queued(&mut self, at: Instant) {
        let Phase::Rendering(round) = &self.phase else {
            return;
        };
        for path in &round.queue {
            if let Some(slot) = self.slots.get_mut(path) {
                slot.renew(at);
            }
        }
    }

    /// Gives up renderings that hang.
    pub(super) fn give_up_renderings(&mut self, now: Instant) {
        for slot in self.slots.values_mut() {
            let (State::Rendering {
                job,
                left_since: Some(since),
                ..
            }
            | State::Hanging {
                job,
                since: Some(since),
            }) = slot.state
            else {
                continue;
            };
            if since + LIMIT <= now {
                let problem = format!(
                    "cannot be rendered: no result within {} s; a name server or a file system may \
                     not answer, or it is too much work",
                    LIMIT.as_secs()
                );
                if slot.shadowed_by.is_none() {
                    slot.fail(&Error::resource(slot.resource.dest(), &problem), now);
                }
                slot.is_slow = true;
                slot.state = State::Hanging { job, since: None };
            }
        }
    }

    /// When the loop has to look again at what is rendered.
    pub(super) fn next_rendering(&self) -> Option<Instant> {
        let limits = self.slots.values().filter_map(|slot| match slot.state {
            State::Rendering {
                left_since: Some(since),
                ..
            }
            | State::Hanging {
                since: Some(since), ..
            } => Some(since + LIMIT),
            _ => None,
        });
        let deadline = match (&self.phase, self.renderer.busy_since()) {
            (Phase::Rendering(round), Some(since)) => Some(round.deadline(since)),
            (_, Some(since)) => Some(since + GRACE),
            _ => None,
        };
        limits.chain(deadline).min()
    }

    /// Starts to look at the inputs of one resource, where that is due and nothing else is done.
    pub(super) fn inspect_next(&mut self, now: Instant) {
        if let Some(since) = self.renderer.busy_since() {
            if since + GRACE > now {
                return;
            }
            self.renderer.leave_inspection();
            if self.config.mode == Mode::Onetime {
                // It is not waited for.
                for slot in self.slots.values_mut() {
                    slot.inspection = None;
                    slot.minds_dest = false;
                }
            }
        }
        if !self.go_on_inspecting(now) {
            self.inspections = self.due_inspections(now);
            self.go_on_inspecting(now);
        }
    }

    /// Leaves an inspection in progress to its thread, since something is to be rendered. Its
    /// result counts when it comes, but a one-time run, which would wait for that, begins it again.
    fn interrupt_inspection(&mut self, now: Instant) {
        self.renderer.leave_inspection();
        if self.config.mode == Mode::Onetime {
            let slots = self.slots.values_mut();
            for slot in slots.filter(|slot| slot.inspection.is_some()) {
                slot.inspection = None;
                slot.inspect(now);
            }
        }
    }

    /// Starts the next inspection of those that were found due; true when one is in progress.
    pub(super) fn go_on_inspecting(&mut self, now: Instant) -> bool {
        // Not every slot that is due has something to look at.
        while self.renderer.busy_since().is_none()
            && let Some(path) = self.inspections.pop_front()
        {
            if let Err(error) = self.start_inspection(&path, now) {
                // No thread to be had: later.
                log::debug(error.chain());
                return false;
            }
        }
        self.renderer.busy_since().is_some()
    }

    fn due_inspections(&self, now: Instant) -> VecDeque<PathBuf> {
        let mut due = self.to_be_verified(now);
        let is_due = |slot: &Slot| slot.inspect_at.is_some_and(|at| at <= now);
        let looked_at = self.slots.iter().filter(|(_, slot)| is_due(slot));
        due.extend(looked_at.map(|(path, _)| path.clone()));
        due.into()
    }

    fn start_inspection(&mut self, path: &Path, now: Instant) -> Result<()> {
        let slot = self.slots.get_mut(path);
        let Some(slot) = slot.filter(|slot| slot.inspection.is_none()) else {
            return Ok(());
        };
        slot.inspect_at = None;
        let (inputs, files_only) = match (&slot.state, &slot.inputs) {
            (State::Checked(staged), _) => (Some(&staged.prepared.inputs), true),
            (_, inputs) => (inputs.as_ref(), false),
        };
        let Some(inputs) = inputs else {
            return Ok(());
        };
        let started = self.renderer.start(vec![Job {
            path: path.to_path_buf(),
            resource: Arc::clone(&slot.resource),
            config: Arc::clone(&self.config),
            work: Work::Inspect {
                inputs: inputs.system.clone(),
                place: slot.place.clone(),
                files_only,
            },
        }]);
        match started {
            Ok(job) => slot.inspection = Some(job),
            Err(error) => {
                slot.inspect(now + SETTLED);
                return Err(error);
            }
        }
        Ok(())
    }

    /// When the next inspection is due.
    pub(super) fn next_inspection(&self) -> Option<Instant> {
        let idle = self.slots.values().filter(|slot| slot.inspection.is_none());
        idle.filter_map(|slot| slot.inspect_at).min()
    }

    fn take_inspected(&mut self, path: &Path, job: u64, found: Inspection, now: Instant) {
        let is_watching = self.config.mode == Mode::Watch;
        let is_own = self.is_left_by_another(path, found.dest.as_ref());
        let Some(slot) = self.slots.get_mut(path) else {
            return;
        };
        if slot.inspection != Some(job) {
            return;
        }
        slot.inspection = None;
        if let State::Checked(staged) = &mut slot.state {
            staged.is_verified = true;
            if found.has_changed {
                slot.wake(now);
                self.drop_changed(path, now);
            }
            return;
        }
        let minds_dest = std::mem::take(&mut slot.minds_dest);
        let is_same = match (&slot.dest, &found.dest) {
            (Some(before), Some(now)) => before.is_same(now),
            (before, now) => before.is_none() == now.is_none(),
        };
        if found.has_changed || (minds_dest && !is_same) {
            return slot.wake(now);
        }
        if found.inputs.are_young() {
            slot.inspect(now + SETTLED);
        }
        if let Some(inputs) = &mut slot.inputs {
            inputs.system = found.inputs;
        }
        let is_left_alone = is_watching && !slot.resource.reconciles();
        let is_quiet = matches!(slot.state, State::Idle) && slot.due.is_none();
        if !is_same && is_left_alone && is_quiet && slot.dest.is_some() {
            slot.dest = found.dest;
            if !is_own && !std::mem::replace(&mut slot.changed_by_others, true) {
                log::info(format_args!(
                    "{} was changed by another program; it is left alone until its metadata or \
                     template changes",
                    slot.resource.shown_dest().display()
                ));
            }
        }
    }
}
