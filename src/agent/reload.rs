//! Reload commands: one run of a command at a time, whoever asks for it; in the daemon beside each
//! other, in a one-time run one after the other in file order.
//!
//! Each is pending from its swap until its command has started, or, with `reload_retry`, until that
//! has succeeded; the journal keeps that over a crash.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::commands::{self, End};
use super::made::file_of_part;
use super::slot::Slot;
use super::{Agent, Event, MOST_ROUNDS};
use crate::config::Mode;
use crate::error::{Error, Result};
use crate::log;
use crate::platform::Announcement;
use crate::resource::Resource;
use crate::resource::command::Invocation;
use crate::resource::pending::{Claim, Journal, Record};

/// How long a command that runs in another process is left alone before it is looked at again.
const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// A reload that is to be started.
#[derive(Debug)]
pub(super) struct PendingReload {
    invocation: Invocation,
    /// One run may serve others with the same command.
    is_shared: bool,
    /// To be repeated until it succeeds.
    is_retried: bool,
    /// Its end decides whether the file stays.
    is_judged: bool,
    /// Its entries in the journal.
    numbers: Vec<u64>,
    due: Instant,
    backoff: Backoff,
}

/// A command that runs, or is being started.
#[derive(Debug)]
struct Run {
    number: u64,
    served: Vec<(PathBuf, PendingReload)>,
    claim: Option<Claim>,
    text: String,
    is_starting: bool,
    /// The command has cleared its entries in the journal.
    is_confirmed: bool,
}

/// All reloads.
#[derive(Debug)]
pub(super) struct Reloads {
    journal: Journal,
    /// By conf.d file.
    pending: BTreeMap<PathBuf, PendingReload>,
    runs: Vec<Run>,
    last_run: u64,
    /// The files are final, so that reloads may start: not between the rounds of a one-time run.
    pub may_start: bool,
    /// When a command that another process runs is looked at again.
    retry_at: Option<Instant>,
    busy_since: Option<Instant>,
    /// The last problem that was logged.
    logged: Option<String>,
}

impl Reloads {
    /// None yet.
    pub(super) fn new(confdir: &Path) -> Reloads {
        Reloads {
            journal: Journal::new(confdir),
            pending: BTreeMap::new(),
            runs: Vec::new(),
            last_run: 0,
            may_start: false,
            retry_at: None,
            busy_since: None,
            logged: None,
        }
    }

    /// The number of commands that run.
    pub(super) fn running(&self) -> usize {
        self.runs.len()
    }

    /// Returns true while a reload of this resource waits to be started, or runs.
    pub(super) fn is_at_work(&self, path: &Path) -> bool {
        let mut served = self.runs.iter().flat_map(|run| &run.served);
        self.is_pending(path) || served.any(|(other, _)| other == path)
    }

    /// True when a reload waits to be started.
    pub(super) fn is_pending(&self, path: &Path) -> bool {
        self.pending.contains_key(path)
    }

    /// True when nothing runs, and nothing is to be started at `now`.
    pub(super) fn are_done(&self, now: Instant) -> bool {
        self.runs.is_empty() && self.pending.values().all(|reload| reload.due > now)
    }

    /// When a reload has to be started.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let due = self
            .pending
            .values()
            .filter(|reload| !self.runs_now(&reload.invocation.text));
        let first = due.map(|reload| reload.due).min()?;
        Some(self.retry_at.map_or(first, |at| at.max(first)))
    }

    fn runs_now(&self, text: &str) -> bool {
        self.runs.iter().any(|run| run.text == text)
    }

    /// Logs a problem once.
    fn warn(&mut self, message: String) {
        if self.logged.as_ref() != Some(&message) {
            log::warning(&message);
            self.logged = Some(message);
        }
    }

    fn add(&mut self, path: &Path, mut reload: PendingReload) {
        if let Some(known) = self.pending.remove(path) {
            let keys = &mut reload.invocation.changed_keys;
            keys.extend(known.invocation.changed_keys);
            keys.sort_unstable();
            keys.dedup();
            reload.numbers.extend(known.numbers);
            reload.due = reload.due.min(known.due);
        }
        self.pending.insert(path.to_path_buf(), reload);
    }
}

impl Agent {
    pub(super) fn runs_reloads(&self) -> bool {
        !self.config.sync_only && !self.config.looks_only()
    }

    /// Records reloads; returns their numbers, as far as there are any.
    pub(super) fn record(&mut self, records: Vec<Option<Record>>) -> Vec<Option<u64>> {
        if !self.runs_reloads() {
            return Vec::new();
        }
        let wanted: Vec<Record> = records.iter().flatten().cloned().collect();
        match self.reloads.journal.record(&wanted) {
            Ok(numbers) => {
                let mut numbers = numbers.into_iter();
                let number = |record: Option<Record>| record.and_then(|_| numbers.next());
                records.into_iter().map(number).collect()
            }
            Err(error) => {
                // Better a reload that a crash would lose than a file that is not replaced.
                let chain = error.chain();
                self.reloads
                    .warn(format!("{chain}; pending reloads will not survive a crash"));
                Vec::new()
            }
        }
    }

    /// The swap for which this was recorded has failed.
    pub(super) fn clear_reload(&mut self, number: Option<u64>) {
        self.clear_reloads(&Vec::from_iter(number));
    }

    fn clear_reloads(&mut self, numbers: &[u64]) {
        if let Err(error) = self.reloads.journal.clear(numbers) {
            let chain = error.chain();
            self.reloads.warn(format!(
                "{chain}; this reload is started again after a restart"
            ));
        }
    }

    /// The file of this resource is new: its reload is due.
    pub(super) fn want_reload(
        &mut self,
        path: &Path,
        changed: Vec<String>,
        number: Option<u64>,
        now: Instant,
    ) {
        let is_run = self.runs_reloads();
        let is_judged = self.is_unproven(path);
        let Some(slot) = self.slots.get_mut(path) else {
            return;
        };
        match slot.resource.reload(changed).filter(|_| is_run) {
            Some(invocation) => {
                let reload = PendingReload {
                    invocation,
                    is_shared: slot.resource.shared_reload().is_some(),
                    is_retried: slot.resource.retries_reload() && !is_judged,
                    is_judged,
                    numbers: Vec::from_iter(number),
                    due: now,
                    backoff: Backoff::default(),
                };
                self.reloads.add(path, reload);
            }
            None => {
                self.health.take_reload(slot.reload_key(path), None);
                slot.reloaded();
                self.clear_reload(number);
            }
        }
    }

    /// Takes over the reloads of processes that are gone. One whose resource is not in conf.d any
    /// more is started all the same: its file was replaced.
    pub(super) fn take_over_reloads(&mut self, now: Instant) {
        if !self.runs_reloads() || !self.config.confdir.exists() {
            return;
        }
        let left = self.reloads.journal.take_over();
        left.problems
            .into_iter()
            .for_each(|problem| self.reloads.warn(problem));
        for (number, record) in left.pending {
            if record.took_place() {
                self.want_recorded(number, record, now);
            } else {
                self.clear_reload(Some(number));
            }
        }
        for dest in left.old {
            self.take_over_old(&dest, now);
        }
    }

    /// A recorded reload is due; also that of a resource that is not in conf.d any more.
    fn want_recorded(&mut self, number: u64, record: Record, now: Instant) {
        if self.slots.contains_key(&record.file) {
            self.want_reload(&record.file, record.keys, Some(number), now);
        } else {
            self.want_orphan(number, record, now);
        }
    }

    /// The reload of a file that is in its place is due, whatever became of it before.
    pub(super) fn resume_reload(&mut self, mut record: Record, now: Instant) {
        if !self.runs_reloads() {
            return;
        }
        // An old file that has come back would count as one that was never swapped.
        record.replaces = None;
        match self.record(vec![Some(record.clone())]).as_slice() {
            [Some(number)] => self.want_recorded(*number, record, now),
            _ => self.want_reload(&record.file, record.keys, None, now),
        }
    }

    /// These reloads are not started any more.
    pub(super) fn cancel_reloads(&mut self, paths: &BTreeSet<PathBuf>) {
        for path in paths {
            if let Some(reload) = self.reloads.pending.remove(path) {
                self.clear_reloads(&reload.numbers);
            }
        }
    }

    fn want_orphan(&mut self, number: u64, record: Record, now: Instant) {
        let is_judged = self.is_unproven(&record.file);
        // The items of a list are not known before it is rendered.
        let whole = self.whole(&record.file);
        let reload = PendingReload {
            is_shared: whole.is_some_and(|whole| whole.shared_reload().is_some()),
            is_retried: whole.is_some_and(Resource::retries_reload) && !is_judged,
            invocation: Invocation {
                text: record.command,
                src: record.dest.clone(),
                dest: record.dest,
                changed_keys: record.keys,
                time_limit: whole.and_then(Resource::reload_timeout),
            },
            is_judged,
            numbers: vec![number],
            due: now,
            backoff: Backoff::default(),
        };
        self.reloads.add(&record.file, reload);
    }

    /// Takes over what the version before this one has noted.
    fn take_over_old(&mut self, dest: &Path, now: Instant) {
        let owner = self
            .slots
            .iter()
            .find(|(_, slot)| slot.resource.dest() == dest);
        let Some((path, reload)) =
            owner.and_then(|(path, slot)| Some((path.clone(), slot.resource.reload(Vec::new())?)))
        else {
            return self.reloads.journal.remove_old(dest);
        };
        let record = Record {
            file: path.clone(),
            dest: dest.to_path_buf(),
            md5: String::new(),
            replaces: None,
            command: reload.text,
            keys: Vec::new(),
        };
        if let [Some(number)] = self.record(vec![Some(record)]).as_slice() {
            self.reloads.journal.remove_old(dest);
            self.want_reload(&path, Vec::new(), Some(*number), now);
        }
    }

    /// Starts the reloads that are due and may start; true when one runs.
    pub(super) fn go_on_reloading(&mut self, now: Instant) -> bool {
        if self.reloads.may_start {
            self.start_reloads(now);
        }
        !self.reloads.runs.is_empty()
    }

    /// As if one resource were handled after another: before the next reload, and at the end, what
    /// the reloads before it may have changed for a resource is put right. True if there is
    /// anything to look at.
    pub(super) fn catch_up(&mut self, now: Instant) -> bool {
        if self.gave_up || self.ending.load(Ordering::Relaxed) {
            return false;
        }
        let paths = self.behind_next_reload(now);
        for path in &paths {
            let Some(slot) = self.slots.get_mut(path) else {
                continue;
            };
            slot.is_behind = false;
            slot.catch_ups += 1;
            if slot.catch_ups > MOST_ROUNDS {
                // Reloads that change each other's resources would never come to an end.
                continue;
            }
            if slot.failure.is_some() {
                slot.wake(now);
            } else {
                slot.minds_dest = true;
                slot.inspect(now);
            }
        }
        !paths.is_empty()
    }

    /// `-onetime`: the resources that have to be looked at before the next reload starts, because
    /// others ran before them. Those that the reload serves are among them, and all that are left
    /// when there is none.
    fn behind_next_reload(&self, now: Instant) -> Vec<PathBuf> {
        if !self.reloads.runs.is_empty() {
            return Vec::new();
        }
        let next = self.due_reload_after(None, now);
        let reload = next
            .as_ref()
            .and_then(|path| self.reloads.pending.get(path));
        let shared = reload.filter(|reload| reload.is_shared);
        let shared = shared.map(|reload| reload.invocation.text.as_str());
        let comes_first = |path: &PathBuf, slot: &Slot| {
            let is_served = shared.is_some() && slot.resource.shared_reload() == shared;
            next.as_ref().is_none_or(|next| path <= next) || is_served
        };
        let slots = self.slots.iter();
        let behind = slots.filter(|(path, slot)| slot.is_behind && comes_first(path, slot));
        behind.map(|(path, _)| path.clone()).collect()
    }

    /// `-onetime`: what comes after these resources in file order may be different after their
    /// reload.
    fn leave_behind(&mut self, served: &[(PathBuf, PendingReload)]) {
        let Some((first, _)) = served.first().filter(|_| self.config.mode == Mode::Onetime) else {
            return;
        };
        // The next one starts when that is known.
        self.reloads.may_start = false;
        let after = (Bound::Excluded(first.as_path()), Bound::Unbounded);
        for (path, slot) in self.slots.range_mut::<Path, _>(after) {
            slot.is_behind |= !served.iter().any(|(served, _)| served == path);
        }
    }

    /// Starts the reloads that are due. Those of resources that are about to be swapped again wait
    /// for that.
    fn start_reloads(&mut self, now: Instant) {
        if self.reloads.retry_at.is_some_and(|at| at > now) {
            return;
        }
        self.reloads.retry_at = None;
        let is_alone = self.config.mode == Mode::Onetime;
        let mut next = self.due_reload_after(None, now);
        while let Some(path) = next {
            if is_alone && !self.reloads.runs.is_empty() {
                return;
            }
            self.start_reload(&path, now);
            if is_alone {
                if !self.reloads.runs.is_empty() {
                    self.reloads.busy_since = None;
                }
                // What comes before the next one is looked at first.
                return;
            }
            next = self.due_reload_after(Some(&path), now);
        }
        if self.reloads.retry_at.is_none() {
            self.reloads.busy_since = None;
        }
    }

    /// The first reload in file order, after that of `path`, which is to be started.
    fn due_reload_after(&self, path: Option<&Path>, now: Instant) -> Option<PathBuf> {
        let from = path.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = self
            .reloads
            .pending
            .range::<Path, _>((from, Bound::Unbounded));
        let mut due = rest.filter(|(path, _)| self.is_reload_due(path, now));
        due.next().map(|(path, _)| path.clone())
    }

    fn is_reload_due(&self, path: &Path, now: Instant) -> bool {
        let Some(reload) = self.reloads.pending.get(path) else {
            return false;
        };
        let is_in_apply = self.slots.get(path).is_some_and(|slot| slot.is_in_apply());
        reload.due <= now && !is_in_apply && !self.reloads.runs_now(&reload.invocation.text)
    }

    fn start_reload(&mut self, path: &Path, now: Instant) {
        let Some(text) = self
            .reloads
            .pending
            .get(path)
            .map(|reload| reload.invocation.text.clone())
        else {
            return;
        };
        let claim = match Claim::take(&self.config.confdir, &text) {
            Ok(Some(claim)) => Some(claim),
            Ok(None) => return self.wait_for_command(path, &text, now),
            Err(error) => {
                log::debug(format_args!(
                    "{}; {text:?} runs without a guard against a second run",
                    error.chain()
                ));
                None
            }
        };
        let served = self.take_served(path, &text, now);
        self.run_reload(text, served, claim, now);
    }

    /// Another process runs this command.
    fn wait_for_command(&mut self, path: &Path, text: &str, now: Instant) {
        let since = *self.reloads.busy_since.get_or_insert(now);
        let waited = now.saturating_duration_since(since);
        if self.config.mode == Mode::Onetime && waited > self.config.onetime_wait {
            // It stays in the journal, for the next process.
            let problem = "was not started: another process is still running it";
            self.reloads.pending.remove(path);
            self.leave_unit(path);
            if let Some(slot) = self.slots.get_mut(path) {
                slot.fail_reload(&Error::command(text, problem.to_owned()));
            }
            return;
        }
        if waited.is_zero() {
            log::info(format_args!(
                "command {text:?} is still running; its next run waits"
            ));
        }
        self.reloads.retry_at = Some(now + BUSY_PAUSE);
    }

    /// The reloads that one run of a command serves.
    fn take_served(
        &mut self,
        path: &Path,
        text: &str,
        now: Instant,
    ) -> Vec<(PathBuf, PendingReload)> {
        let first = self.reloads.pending.remove(path);
        let is_shared = first.as_ref().is_some_and(|reload| reload.is_shared);
        let others = self.reloads.pending.iter().filter(|(other, reload)| {
            is_shared
                && reload.is_shared
                && reload.invocation.text == text
                && self.is_reload_due(other, now)
        });
        let others: Vec<PathBuf> = others.map(|(other, _)| other.clone()).collect();
        let mut served = Vec::from_iter(first.map(|reload| (path.to_path_buf(), reload)));
        for other in others {
            if let Some(reload) = self.reloads.pending.remove(&other) {
                served.push((other, reload));
            }
        }
        served
    }

    fn run_reload(
        &mut self,
        text: String,
        served: Vec<(PathBuf, PendingReload)>,
        claim: Option<Claim>,
        now: Instant,
    ) {
        let mut invocations = served.iter().map(|(_, reload)| reload.invocation.clone());
        let Some(mut invocation) = invocations.next() else {
            return;
        };
        invocations.for_each(|other| invocation.also_serve(other));
        let clears = served.iter().filter(|(_, reload)| reload.is_once());
        let clears: Vec<u64> = clears
            .flat_map(|(_, reload)| reload.numbers.clone())
            .collect();
        let mut announcement = Announcement::default();
        announcement
            .lines
            .extend(self.reloads.journal.clearance(&clears));
        if let Some(claim) = &claim {
            claim.announce(&mut announcement);
        }
        for (path, _) in served.iter().filter(|(_, reload)| reload.is_judged) {
            self.note_try(path);
        }
        self.reloads.last_run += 1;
        let number = self.reloads.last_run;
        for (path, _) in &served {
            if let Some(slot) = self.slots.get_mut(path) {
                slot.reloading = Some(now);
            }
        }
        self.reloads.runs.push(Run {
            number,
            served,
            claim,
            text,
            is_starting: true,
            is_confirmed: false,
        });
        let started = Some(Event::ReloadStarted { run: number });
        let ended = move |end| Event::Reloaded { run: number, end };
        if let Err(error) = commands::start(invocation, announcement, &self.queue, started, ended) {
            self.take_reloaded(number, End::NotStarted(error), now);
        }
    }

    /// A reload command runs: its entries in the journal are cleared.
    pub(super) fn take_reload_started(&mut self, number: u64) {
        let Reloads { runs, journal, .. } = &mut self.reloads;
        if let Some(run) = runs.iter_mut().find(|run| run.number == number) {
            run.is_starting = false;
            run.is_confirmed = journal.confirm(&run.to_clear());
        }
        self.tidy_journal();
    }

    fn tidy_journal(&mut self) {
        let is_starting = self
            .reloads
            .runs
            .iter()
            .any(|run| run.is_starting || !run.is_confirmed);
        if !is_starting && let Err(error) = self.reloads.journal.tidy() {
            self.reloads.warn(error.chain());
        }
    }

    /// A reload command has ended, or could not be started.
    pub(super) fn take_reloaded(&mut self, number: u64, end: End, now: Instant) {
        let runs = &mut self.reloads.runs;
        let Some(index) = runs.iter().position(|run| run.number == number) else {
            return;
        };
        let run = runs.remove(index);
        let to_clear = run.to_clear();
        let outcome = match end {
            End::NotStarted(error) => Err((error, false)),
            // Killed before it ran its program, or it would have cleared its entries.
            End::Ended {
                outcome: Err(error),
                killed: true,
            } if !run.is_confirmed && !to_clear.is_empty() => Err((error, false)),
            End::Ended { outcome, .. } => outcome.map_err(|error| (error, true)),
        };
        if !run.is_confirmed && !matches!(outcome, Err((_, false))) {
            self.clear_reloads(&to_clear);
        }
        if let Some(claim) = run.claim {
            claim.end();
        }
        self.leave_behind(&run.served);
        for (path, reload) in run.served {
            self.take_outcome(&path, reload, &outcome, now);
        }
        self.tidy_journal();
    }

    /// The outcome of one resource's reload; `false` beside the error if it was not even started.
    fn take_outcome(
        &mut self,
        path: &Path,
        mut reload: PendingReload,
        outcome: &Result<(), (Error, bool)>,
        now: Instant,
    ) {
        let whole = self.whole(path).map(|whole| whole.dest().to_path_buf());
        let own = self.reload_key(path, &reload.invocation.dest);
        let slot = self.slots.get_mut(path);
        match outcome {
            Ok(()) => {
                for dest in whole.iter().chain([&own]) {
                    self.health.take_reload(dest, None);
                }
                if let Some(slot) = slot {
                    slot.reloading = None;
                    slot.reloaded();
                }
                if !reload.is_once() {
                    self.clear_reloads(&reload.numbers);
                }
            }
            Err((error, was_started)) => {
                // An item that is gone is not reported on any more, unless its file comes back.
                let is_over = slot.as_ref().is_none_or(|slot| {
                    slot.resource.is_gone() && !reload.is_judged && slot.failure.is_none()
                });
                let dest = whole.as_ref().filter(|_| is_over);
                self.health.take_reload(dest.unwrap_or(&own), Some(error));
                match slot {
                    Some(slot) => {
                        slot.reloading = None;
                        slot.fail_reload(error);
                    }
                    None => log::error(error.chain()),
                }
                if reload.is_judged && *was_started {
                    self.clear_reloads(&reload.numbers);
                    self.take_reload_failure(path, error);
                } else if reload.is_retried || !was_started {
                    reload.due = now + reload.backoff.pause();
                    self.put_back(path, reload, *was_started);
                }
            }
        }
    }

    /// The resource that this one is a part of, such as an item, even one that is gone.
    fn whole(&self, path: &Path) -> Option<&Resource> {
        let slot = self.slots.get(&file_of_part(path)?)?;
        Some(&slot.resource)
    }

    /// A reload is to be started again later; after a one-time run, by the next process, for which
    /// it is in the journal.
    fn put_back(&mut self, path: &Path, mut reload: PendingReload, was_started: bool) {
        if !was_started && self.reloads.journal.confirm(&reload.numbers) {
            // The new process had cleared its entries, but the system could not run its program.
            let record = Record {
                file: path.to_path_buf(),
                dest: reload.invocation.dest.clone(),
                md5: String::new(),
                replaces: None,
                command: reload.invocation.text.clone(),
                keys: reload.invocation.changed_keys.clone(),
            };
            let numbers = self.record(vec![Some(record)]);
            reload.numbers = numbers.into_iter().flatten().collect();
        }
        if self.config.mode != Mode::Onetime {
            self.reloads.add(path, reload);
        }
    }
}

impl PendingReload {
    /// Returns true if it is done once it has started.
    fn is_once(&self) -> bool {
        !self.is_retried && !self.is_judged
    }
}

impl Run {
    /// The entries that the command clears itself as it starts.
    fn to_clear(&self) -> Vec<u64> {
        let once = self.served.iter().filter(|(_, reload)| reload.is_once());
        once.flat_map(|(_, reload)| reload.numbers.clone())
            .collect()
    }
}
