//! The agent: one loop over one queue of events. It decides when resources are rendered and
//! applied.
//!
//! ```text
//! poller ──Tree──▶ ┌──────┐ ──Job──▶ renderer threads (templates, files, names)
//! signals ───────▶ │ loop │ ◀─Worked───┘
//! commands ◀─start─│      │ ──▶ compare, stage, sync, rename (its own short work, under the lock)
//!    └─Checked,    └──────┘
//!      ReloadStarted, Reloaded
//! ```
//!
//! Due resources are taken up in a round ([`Phase`]): they are rendered by a thread; then, with the
//! lock, compared, staged and checked; then swapped, and its reloads begin. The loop itself never
//! waits for a name server, a command, the lock or a file system other than those of dest and
//! confdir.
//!
//! The invariants, and where they are kept:
//! - No older metadata over newer: each tree carries the generation of the files that was noted
//!   before its request; a change of it by others makes the tree stale (`freshness`, `apply`).
//! - Nobody waits for a stranger: a rendering or a check that takes long is left to itself after
//!   two seconds, and applied by itself when it ends (`round`, `apply`).
//! - Every swap has its reload started, and each command runs once at a time (`reload`, and
//!   `resource::pending` for the files).
//! - In watch mode a resource is taken up only when something that it depends on has changed
//!   (`resource::inputs`).

mod apply;
mod backoff;
mod commands;
mod freshness;
mod locking;
mod made;
mod pacing;
mod poller;
mod reload;
mod reminders;
mod renderer;
mod report;
mod resources;
mod rollback;
mod round;
mod slot;
pub mod status;
mod units;
mod watchdog;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::{Duration, Instant};

use crate::backend::Version;
use crate::config::{Config, Mode};
use crate::error::{Error, Result};
use crate::log;
use crate::platform::{self, Signal};
use crate::resource::command;
use crate::tree::Tree;

use apply::Apply;
use commands::End;
use freshness::Freshness;
use locking::Locking;
use poller::Poller;
use reload::Reloads;
use renderer::{Jobs, Renderer};
use report::Health;
use resources::Broken;
use rollback::Unproven;
use round::Round;
use slot::Slot;
use watchdog::{Step, Watchdog};

/// A message from a thread to the loop.
#[derive(Debug)]
pub enum Event {
    /// The source gave a tree that differs from the one before.
    Tree {
        poller: u32,
        version: Version,
        tree: Arc<Tree>,
        /// The generation of the files before the request; none when it is unknown.
        noted: Option<u64>,
    },
    /// The source gave nothing usable; `last` when it will not be asked again.
    FetchFailed {
        poller: u32,
        error: Error,
        last: bool,
    },
    /// The jobs of a renderer thread are done.
    Worked(Arc<Jobs>),
    /// The `check_cmd` of this resource ended.
    Checked {
        path: PathBuf,
        check: u64,
        outcome: Result<()>,
    },
    /// A reload command runs.
    ReloadStarted { run: u64 },
    /// A reload command ended.
    Reloaded { run: u64, end: End },
    /// The system asks for something.
    Signal(Signal),
}

impl Event {
    /// Returns true if there may be thousands of its kind at once, each of little consequence.
    fn is_one_of_many(&self) -> bool {
        matches!(
            self,
            Event::Worked(_) | Event::ReloadStarted { .. } | Event::Reloaded { .. }
        )
    }
}

/// How long the loop leaves what is due but cannot be done yet.
const BLOCKED_PAUSE: Duration = Duration::from_millis(50);
/// How long the loop waits when nothing at all is due.
const IDLE: Duration = Duration::from_secs(3600);
/// The least time that a one-time run gives a single step of its work on files.
const SHORTEST_LIMIT: Duration = Duration::from_secs(10);
/// How many rounds a one-time run makes, when each changes something, and how often it looks again
/// at one resource because of reloads.
const MOST_ROUNDS: u64 = 16;

/// Reads the settings as they are now.
pub type Load = Box<dyn Fn() -> Result<Config>>;

/// Runs until the work is done (`-onetime`) or the system says so. The exit code is 1 when a
/// resource failed.
pub fn run(load: Load) -> Result<ExitCode> {
    platform::block_signals()
        .map_err(|source| Error::io("block the signals of", "this process".as_ref(), source))?;
    let (queue, events) = mpsc::sync_channel(1);
    let signals = queue.clone();
    let ending = Arc::new(AtomicBool::new(false));
    let ends = Arc::clone(&ending);
    let watchdog = Watchdog::default();
    let watched = watchdog.clone();
    platform::listen_for_signals(move |signal| {
        if signal == Signal::Terminate {
            ends.store(true, Ordering::Relaxed);
            // Where there is no room, the loop sees it after the event that is there.
            let _seen_anyway = signals.try_send(Event::Signal(signal));
            watched.end_process();
        }
        // The loop has ended: nobody is left to tell.
        let _ = signals.send(Event::Signal(signal));
    })
    .map_err(|source| Error::io("watch for signals on", "this process".as_ref(), source))?;
    let config = load()?;
    if let Err(error) = platform::raise_open_files() {
        log::debug(format_args!("cannot raise the open-file limit: {error}"));
    }
    let agent = Agent::start(config, load, queue, ending, watchdog)?;
    platform::say_ready();
    let done = agent.run(&events);
    if let Err(error) = command::leave_open_outputs() {
        log::warning(format_args!(
            "cannot keep the outputs of commands open; programs that they left running may be killed by SIGPIPE: {error}"
        ));
    }
    done
}

/// The activity of the loop as a whole, apart from commands and single inspections.
#[derive(Debug)]
enum Phase {
    /// Nothing.
    Idle,
    /// Everything that was due is being rendered.
    Rendering(Round),
    /// The rendered files wait for the lock, or for a newer tree.
    Locking(Locking),
    /// The staged files are being checked. Holds the lock.
    Checking(Apply),
}

struct Agent {
    config: Arc<Config>,
    load: Load,
    queue: SyncSender<Event>,
    /// Set as soon as the process is asked to end.
    ending: Arc<AtomicBool>,
    /// Sees when the loop's own work on files hangs.
    watchdog: Watchdog,
    started: Instant,
    /// When everything that was due was last done.
    turned: Instant,
    /// When the loop has to look again, if nothing happens before.
    wake_at: Instant,
    poller: Poller,
    /// Why the last fetch failed, as it was logged.
    fetch_error: Option<String>,
    tree: Option<Arc<Tree>>,
    /// The generation of the files before the tree was asked for.
    noted: Option<u64>,
    freshness: Freshness,
    renderer: Renderer,
    slots: BTreeMap<PathBuf, Slot>,
    /// The resources whose inputs are to be looked at next.
    inspections: VecDeque<PathBuf>,
    /// conf.d files that cannot be used.
    broken: BTreeMap<PathBuf, Broken>,
    phase: Phase,
    rounds: u64,
    last_check: u64,
    reloads: Reloads,
    /// When the first tree of an unsettled series came.
    unsettled: Option<Instant>,
    /// No round begins before: the metadata has to settle.
    apply_from: Option<Instant>,
    /// When everything is looked at again.
    interval_at: Instant,
    /// conf.d was not read yet, or is to be read again (HUP).
    unread: bool,
    /// When conf.d is read again because a file was changed as it was read.
    look_at: Option<Instant>,
    /// The resources have changed: what they have made may have to go.
    has_new_resources: bool,
    /// The staged files of groups whose checks have not begun.
    unchecked: Vec<PathBuf>,
    /// The units whose reloads decide whether their files stay, by name.
    units: BTreeMap<String, Unproven>,
    /// The last log line about the record of a unit.
    unit_logged: Option<String>,
    /// The last log line about the manifests.
    made_logged: Option<String>,
    /// It was logged that there are no resources.
    is_empty_logged: bool,
    /// How many rounds have begun in a row before a reload that is due.
    passed_rounds: u32,
    /// Others may take the lock until then.
    lock_from: Instant,
    /// The last line logged about the lock.
    lock_logged: Option<String>,
    /// `-onetime`: something was swapped since the last round began.
    has_swapped: bool,
    /// `-onetime`: it is no use to go on.
    gave_up: bool,
    /// Which metadata `tree` is.
    metadata: Option<status::Metadata>,
    /// Its health as others see it.
    health: Health,
}

impl Agent {
    fn start(
        config: Config,
        load: Load,
        queue: SyncSender<Event>,
        ending: Arc<AtomicBool>,
        watchdog: Watchdog,
    ) -> Result<Agent> {
        let limit = config.onetime_wait.max(SHORTEST_LIMIT);
        watchdog.start((config.mode == Mode::Onetime).then_some(limit));
        let poller = Poller::start(&config, queue.clone())?;
        let now = Instant::now();
        Ok(Agent {
            health: Health::start(&config),
            interval_at: now + config.interval,
            reloads: Reloads::new(&config.confdir),
            config: Arc::new(config),
            load,
            renderer: Renderer::new(queue.clone()),
            queue,
            ending,
            watchdog,
            started: now,
            turned: now,
            wake_at: now,
            poller,
            fetch_error: None,
            tree: None,
            noted: None,
            freshness: Freshness::default(),
            slots: BTreeMap::new(),
            inspections: VecDeque::new(),
            broken: BTreeMap::new(),
            phase: Phase::Idle,
            rounds: 0,
            last_check: 0,
            unsettled: None,
            apply_from: None,
            unread: true,
            look_at: None,
            has_new_resources: true,
            unchecked: Vec::new(),
            units: BTreeMap::new(),
            unit_logged: None,
            made_logged: None,
            is_empty_logged: false,
            passed_rounds: 0,
            lock_from: now,
            lock_logged: None,
            has_swapped: false,
            gave_up: false,
            metadata: None,
        })
    }

    fn run(mut self, events: &Receiver<Event>) -> Result<ExitCode> {
        self.log_source();
        // Whatever hangs from here on, others can see that this process is running.
        self.report();
        self.watchdog.report_to(self.health.status_file());
        self.watchdog.enter(Step::Read, &self.config.confdir);
        self.log_start();
        self.report();
        loop {
            let wait = self.wake_at.saturating_duration_since(Instant::now());
            match events.recv_timeout(wait) {
                _ if self.ending.load(Ordering::Relaxed) => return Ok(self.terminate()),
                Ok(event) => {
                    let is_one_of_many = event.is_one_of_many();
                    self.take(event);
                    if is_one_of_many && self.goes_straight_on(Instant::now()) {
                        continue;
                    }
                }
                // Something is due: nobody disconnects while the loop itself has a sender.
                Err(_) => {}
            }
            self.turn();
            self.watchdog.leave();
            if self.is_finished(Instant::now()) {
                self.report_end();
                return Ok(ExitCode::from(u8::from(self.has_failed())));
            }
            // The end of a rendering or an inspection alone is no news, and there may be hundreds.
            if !matches!(self.phase, Phase::Rendering(_)) && !self.is_looking_around() {
                self.report_in_time();
            }
            self.wake_at = self.next_due();
        }
    }

    /// Starts the next rendering, inspection or reload of many after the end of one; false when
    /// there is none, or when it is time to look at all else. So what a thousand resources cost
    /// does not grow with their square.
    fn goes_straight_on(&mut self, now: Instant) -> bool {
        if now >= self.turned + BLOCKED_PAUSE {
            return false;
        }
        let goes_on = match self.phase {
            Phase::Rendering(_) => !self.go_on_rendering(now),
            _ => self.go_on_inspecting(now) || self.go_on_reloading(now),
        };
        self.wake_at = self.wake_at.min(self.turned + BLOCKED_PAUSE);
        goes_on
    }

    /// `-onetime`: the inputs of one resource after another are looked at.
    fn is_looking_around(&self) -> bool {
        self.config.mode == Mode::Onetime && self.renderer.busy_since().is_some()
    }

    fn has_failed(&self) -> bool {
        let failed = |slot: &Slot| slot.failure.is_some() || slot.reload_failure.is_some();
        self.gave_up || !self.broken.is_empty() || self.slots.values().any(failed)
    }

    /// Takes one event in; what follows from it is done in [`Agent::turn`].
    fn take(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Tree {
                poller,
                version,
                tree,
                noted,
            } if poller == self.poller.number() => self.take_tree(version, tree, noted),
            Event::FetchFailed {
                poller,
                error,
                last,
            } if poller == self.poller.number() => self.take_fetch_error(&error, last),
            Event::Tree { .. } | Event::FetchFailed { .. } => {}
            Event::Worked(jobs) => self.take_done(jobs.take_done(), now),
            Event::Checked {
                path,
                check,
                outcome,
            } => self.take_checked(&path, check, outcome, now),
            Event::ReloadStarted { run } => self.take_reload_started(run),
            Event::Reloaded { run, end } => self.take_reloaded(run, end, now),
            Event::Signal(Signal::Reload) => self.reread(),
            Event::Signal(Signal::Terminate) => {}
        }
    }

    fn take_tree(&mut self, version: Version, tree: Arc<Tree>, noted: Option<u64>) {
        log::debug(format!("metadata has version {version}"));
        if self.fetch_error.take().is_some() {
            log::info("metadata is back");
        }
        let now = Instant::now();
        self.noted = noted;
        if let Phase::Locking(locking) = &mut self.phase
            && locking.is_refetching
        {
            *locking = Locking::refetched(now);
        }
        if self.tree.as_ref().is_some_and(|last| tree.is_as(last)) {
            return;
        }
        self.metadata = Some(status::Metadata::come_now(version));
        let at = self.when_to_apply(now);
        self.apply_from = Some(at).filter(|at| *at > now);
        // What is rendered by now may be the same with this tree.
        self.take_done(self.renderer.take_done(), now);
        for slot in self.slots.values_mut() {
            if !slot.follow(&tree) {
                slot.renew(at);
            }
        }
        self.renew_queued(at);
        self.tree = Some(tree);
    }

    fn take_fetch_error(&mut self, error: &Error, last: bool) {
        let problem = error.chain();
        if last {
            self.give_up(&format!("no metadata, nothing was changed: {problem}"));
        } else if self.fetch_error.is_none() {
            log::warning(format_args!("no metadata, trying again: {problem}"));
        } else if self.fetch_error.as_ref() != Some(&problem) {
            log::debug(format_args!("still no metadata: {problem}"));
        }
        self.fetch_error = Some(problem);
    }

    /// `-onetime`: it is no use to go on.
    fn give_up(&mut self, reason: &str) {
        log::error(reason);
        self.gave_up = true;
    }

    /// Does all that is due.
    fn turn(&mut self) {
        loop {
            let now = Instant::now();
            self.turned = now;
            if self.config.mode == Mode::Onetime {
                self.hold_back(now);
            }
            self.give_up_renderings(now);
            self.hold_groups();
            self.settle_units(now);
            self.give_way();
            if !self.step(now) {
                self.inspect_next(now);
                let is_onetime = self.config.mode == Mode::Onetime;
                let is_final = !is_onetime || !self.is_between_rounds(now);
                if is_onetime && is_final && self.catch_up(now) {
                    continue;
                }
                self.reloads.may_start = is_final;
                self.go_on_reloading(now);
                return;
            }
        }
    }

    /// Goes on to the next phase; false when that has to wait.
    fn step(&mut self, now: Instant) -> bool {
        if self.gave_up || self.ending.load(Ordering::Relaxed) {
            return false;
        }
        match &self.phase {
            Phase::Idle if self.is_to_be_applied(now) => {
                self.phase = Phase::Locking(Locking::new(now, self.lock_from));
                true
            }
            Phase::Idle if self.is_due(now) => {
                self.begin_round(now);
                true
            }
            Phase::Idle => self.config.mode == Mode::Onetime && self.begin_next_round(now),
            Phase::Rendering(_) => {
                if self.go_on_rendering(now) {
                    self.phase = if self.is_to_be_applied(now) {
                        Phase::Locking(Locking::new(now, self.lock_from))
                    } else {
                        Phase::Idle
                    };
                    return true;
                }
                false
            }
            Phase::Locking(_) => {
                self.try_apply(now);
                matches!(self.phase, Phase::Checking(_))
            }
            Phase::Checking(_) => {
                let is_over = self.checks_end().is_none_or(|end| end <= now);
                if is_over {
                    self.commit(now);
                }
                is_over
            }
        }
    }

    /// When the loop has to look again, if nothing happens before. What was due in the last turn
    /// and was not done then waits for something else: it is looked at again after a pause.
    fn next_due(&self) -> Instant {
        let phase = match &self.phase {
            Phase::Idle => self.next_round(),
            Phase::Rendering(_) => None,
            Phase::Locking(locking) => locking.retry(),
            Phase::Checking(_) => self.checks_end(),
        };
        [
            phase,
            self.next_rendering(),
            self.next_inspection(),
            self.next_late_swap(),
            self.next_rollback(),
            self.reloads.next_due(),
            self.metadata_deadline(),
            self.health.next_due(),
        ]
        .into_iter()
        .flatten()
        .map(|due| {
            if due > self.turned {
                due
            } else {
                self.turned + BLOCKED_PAUSE
            }
        })
        .fold(self.turned + IDLE, Instant::min)
    }

    /// TERM or INT: the swap in hand is done by now; staged files are dropped, running commands
    /// left alone.
    fn terminate(mut self) -> ExitCode {
        self.report_end();
        let running = self.reloads.running();
        log::info(format!(
            "shutting down; {running} commands are still running"
        ));
        ExitCode::from(u8::from(self.config.mode == Mode::Onetime))
    }

    /// HUP: confd.toml, conf.d and the templates are read again. With settings that are wrong
    /// nothing changes.
    fn reread(&mut self) {
        let mut config = match (self.load)() {
            Ok(config) => config,
            Err(error) => {
                let problem = format!("{}; the settings from before are in use", error.chain());
                log::error(&problem);
                self.health.note("settings", Some(problem));
                return;
            }
        };
        self.keep_confdir(&mut config);
        if !self.config.asks_like(&config) {
            self.poller.restart(&config, self.queue.clone());
        }
        if !self.config.sees_like(&config) {
            // What the old source said may not be what the new one says.
            self.tree = None;
        }
        log::info("the settings, resources and templates are read again");
        let now = Instant::now();
        let before = std::mem::replace(&mut self.config, Arc::new(config));
        self.health.take_config(&self.config);
        self.watchdog.report_to(self.health.status_file());
        self.health.note("settings", None);
        self.interrupt(&before, now);
        for slot in self.slots.values_mut() {
            slot.reread = true;
            slot.wake(now);
        }
        self.unread = true;
        self.interval_at = now + self.config.interval;
    }
}

impl Agent {
    /// The lock, the journal and the status file of this process are in its confdir, where other
    /// processes look for them: only a restart changes it.
    fn keep_confdir(&mut self, config: &mut Config) {
        let is_another = config.confdir != self.config.confdir;
        let problem = is_another.then(|| {
            let (new, own) = (config.confdir.display(), self.config.confdir.display());
            format!("confdir {new} needs a restart; {own} stays in use")
        });
        if let Some(problem) = &problem {
            log::warning(problem);
        }
        self.health.note("confdir", problem);
        config.confdir.clone_from(&self.config.confdir);
    }
}

/// `-onetime`: rounds, until one changes nothing.
impl Agent {
    /// Nothing is tried again because time has passed.
    fn hold_back(&mut self, now: Instant) {
        self.look_at = None;
        self.interval_at = now + self.config.interval;
        self.broken
            .values_mut()
            .for_each(|broken| broken.due = None);
        for slot in self.slots.values_mut() {
            slot.inspect_at = slot.inspect_at.filter(|at| *at <= now);
        }
    }

    /// True while the files are not final: no reload begins.
    fn is_between_rounds(&self, now: Instant) -> bool {
        !matches!(self.phase, Phase::Idle) || !self.is_quiet(now)
    }

    /// True when no resource is in progress, or waits for a round.
    fn is_quiet(&self, now: Instant) -> bool {
        let busy = self.busy_groups();
        let is_quiet = |slot: &Slot| {
            let is_usable = slot.is_free()
                && !self.broken.contains_key(slot.resource.path())
                && !slot.is_in_group(&busy);
            slot.is_at_rest()
                && slot.due.is_none_or(|due| due > now || !is_usable)
                && slot.inspection.is_none()
                && slot.inspect_at.is_none_or(|at| at > now)
        };
        self.slots.values().all(is_quiet)
    }

    /// After something was swapped, what failed is tried again, and what can be different now is
    /// looked at; true if there is anything.
    fn begin_next_round(&mut self, now: Instant) -> bool {
        if !self.has_swapped || self.rounds == 0 || !self.is_quiet(now) {
            return false;
        }
        self.has_swapped = false;
        if self.rounds >= MOST_ROUNDS {
            return false;
        }
        for slot in self.slots.values_mut() {
            if slot.failure.is_some() {
                slot.wake(now);
            } else {
                slot.inspect(now);
            }
        }
        true
    }

    fn is_finished(&mut self, now: Instant) -> bool {
        if self.config.mode != Mode::Onetime {
            return false;
        }
        if !self.gave_up && self.metadata_deadline().is_some_and(|end| end <= now) {
            let silent = || format!("no answer in time from {}", self.source().1);
            let problem = self.fetch_error.clone().unwrap_or_else(silent);
            let message = format!("no metadata, nothing was changed: {problem}");
            self.give_up(&message);
        }
        let is_done = self.rounds > 0
            && matches!(self.phase, Phase::Idle)
            && self.is_quiet(now)
            && !self.has_swapped
            && !self.is_rolling_back()
            && self.reloads.are_done(now);
        self.gave_up || is_done
    }

    /// `-onetime`: when there is no metadata to wait for any more.
    fn metadata_deadline(&self) -> Option<Instant> {
        let since = match &self.phase {
            Phase::Locking(locking) => locking.refetching_since()?,
            _ if self.tree.is_none() => self.started,
            _ => return None,
        };
        // The poller itself gives up in time, unless it hangs.
        let wait = self.config.onetime_wait + Duration::from_millis(500);
        (self.config.mode == Mode::Onetime).then(|| since + wait)
    }
}
