//! The story: one loop over one queue of events. Decides when resources are taken up, never how they are rendered.
//!
//! The metadata source and each running command have a thread of their own and do nothing but post to the queue.

mod backoff;
mod batch;
mod commands;
mod pacing;
mod poller;
mod reload;
mod reminders;
mod report;
mod resources;
mod slot;
pub mod status;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::{Duration, Instant};

use crate::backend::Version;
use crate::config::{Config, Mode};
use crate::error::{Error, Result};
use crate::log;
use crate::platform::{self, Signal};
use crate::random;
use crate::resource::command;
use crate::tree::Tree;

use batch::Batch;
use poller::Poller;
use report::Health;
use slot::{Slot, State};

/// What the threads tell the loop.
#[derive(Debug)]
pub enum Event {
    /// The source gave a tree that differs from the one before.
    Tree {
        poller: u32,
        version: Version,
        tree: Arc<Tree>,
    },
    /// The source gave nothing usable; `last` when it will not be asked again.
    FetchFailed {
        poller: u32,
        error: Error,
        last: bool,
    },
    /// The `check_cmd` of this resource ended.
    Checked { path: PathBuf, outcome: Result<()> },
    /// The reload command of these resources ended.
    Reloaded {
        paths: Vec<PathBuf>,
        outcome: Result<()>,
    },
    /// The system asks for something.
    Signal(Signal),
}

/// How long the loop waits when nothing at all is due.
const IDLE: Duration = Duration::from_secs(3600);
/// How long a busy lock is left alone before it is tried again.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Reads the settings as they are now.
pub type Load = Box<dyn Fn() -> Result<Config>>;

/// Runs until the work is done (`-onetime`) or the system says so. The exit code is 1 when a resource failed.
pub fn run(load: Load) -> Result<ExitCode> {
    platform::block_signals()
        .map_err(|source| Error::io("block the signals of", "this process".as_ref(), source))?;
    let (queue, events) = mpsc::sync_channel(1);
    let signals = queue.clone();
    platform::listen_for_signals(move |signal| {
        // The loop has ended: nobody is left to tell.
        let _ = signals.send(Event::Signal(signal));
    })
    .map_err(|source| Error::io("watch for signals on", "this process".as_ref(), source))?;
    let config = load()?;
    if let Err(error) = platform::raise_open_files() {
        log::debug(format_args!(
            "the limit of open files stays as it is: {error}"
        ));
    }
    let agent = Agent::start(config, load, queue)?;
    platform::say_ready();
    let done = agent.run(&events);
    if let Err(error) = command::leave_open_outputs() {
        log::warning(format_args!(
            "what commands have left running may die of a closed output: {error}"
        ));
    }
    done
}

struct Agent {
    config: Config,
    load: Load,
    queue: SyncSender<Event>,
    poller: Poller,
    /// Why the last fetch failed, as it was logged.
    fetch_error: Option<String>,
    tree: Option<Arc<Tree>>,
    slots: BTreeMap<PathBuf, Slot>,
    /// conf.d files that cannot be used, with what was said of them.
    broken: BTreeMap<PathBuf, String>,
    batch: Option<Batch>,
    batches: u64,
    /// When the first tree of an unsettled series came.
    unsettled: Option<Instant>,
    reconcile: Instant,
    /// HUP: all resources are to be read again.
    stale: bool,
    lock_retry: Option<Instant>,
    /// What was last said of the lock.
    lock_said: Option<String>,
    /// `-onetime`: the source gave up.
    gave_up: bool,
    /// Which metadata `tree` is.
    metadata: Option<status::Metadata>,
    /// What others see of it.
    health: Health,
}

impl Agent {
    fn start(config: Config, load: Load, queue: SyncSender<Event>) -> Result<Agent> {
        let poller = Poller::start(&config, queue.clone())?;
        Ok(Agent {
            health: Health::start(&config),
            reconcile: Instant::now() + config.interval,
            config,
            load,
            queue,
            poller,
            fetch_error: None,
            tree: None,
            slots: BTreeMap::new(),
            broken: BTreeMap::new(),
            batch: None,
            batches: 0,
            unsettled: None,
            stale: false,
            lock_retry: None,
            lock_said: None,
            gave_up: false,
            metadata: None,
        })
    }

    fn run(mut self, events: &Receiver<Event>) -> Result<ExitCode> {
        self.log_source();
        // Whatever hangs from here on, others can see that this process is running.
        self.report();
        self.log_start();
        self.report();
        loop {
            if self.finished() {
                self.report_end();
                let failed = self.gave_up
                    || !self.broken.is_empty()
                    || self.slots.values().any(|slot| slot.failure.is_some());
                return Ok(ExitCode::from(u8::from(failed)));
            }
            let wait = self.next_due().saturating_duration_since(Instant::now());
            match events.recv_timeout(wait) {
                Ok(Event::Signal(Signal::Terminate)) => return Ok(self.terminate()),
                Ok(event) => self.take(event),
                // Something is due: nobody hangs up while the loop itself has a sender.
                Err(_) => {}
            }
            self.turn(Instant::now());
            self.report();
        }
    }

    /// Takes one event in; what follows from it is done in [`Agent::turn`].
    fn take(&mut self, event: Event) {
        match event {
            Event::Tree {
                poller,
                version,
                tree,
            } if poller == self.poller.number() => self.take_tree(version, tree),
            Event::FetchFailed {
                poller,
                error,
                last,
            } if poller == self.poller.number() => self.take_fetch_error(&error, last),
            Event::Tree { .. } | Event::FetchFailed { .. } => {}
            Event::Checked { path, outcome } => self.take_checked(&path, outcome),
            Event::Reloaded { paths, outcome } => self.take_reloaded(&paths, outcome),
            Event::Signal(Signal::Reload) => self.reread(),
            Event::Signal(Signal::Terminate) => {}
        }
    }

    fn take_tree(&mut self, version: Version, tree: Arc<Tree>) {
        log::debug(format!("metadata has version {version}"));
        if self.fetch_error.take().is_some() {
            log::info("metadata is back");
        }
        if self.tree.as_ref() == Some(&tree) {
            return;
        }
        self.metadata = Some(status::Metadata::come_now(version));
        let at = self.when_to_apply(Instant::now());
        if self.tree.replace(tree).is_none() {
            self.reconcile = at;
        }
        self.slots.values_mut().for_each(|slot| slot.renew(at));
    }

    /// `settle`: when metadata has been quiet for so long, but not put off for ever; `splay`: then some time at random.
    fn when_to_apply(&mut self, now: Instant) -> Instant {
        if self.tree.is_none() || self.config.mode == Mode::Onetime {
            return now;
        }
        let settle = self.config.settle;
        let since = *self.unsettled.get_or_insert(now);
        (now + settle).min(since + settle * 10) + random::up_to(self.config.splay)
    }

    fn take_fetch_error(&mut self, error: &Error, last: bool) {
        let problem = error.chain();
        if last {
            log::error(format!("no metadata, nothing was changed: {problem}"));
            self.gave_up = true;
        } else if self.fetch_error.is_none() {
            log::warning(format_args!("no metadata, trying again: {problem}"));
        } else if self.fetch_error.as_ref() != Some(&problem) {
            log::debug(format_args!("still no metadata: {problem}"));
        }
        self.fetch_error = Some(problem);
    }

    /// Does all that is due.
    fn turn(&mut self, now: Instant) {
        if let Some(batch) = &self.batch {
            if batch.complete(&self.slots, now) {
                self.commit();
            }
        } else if self.due(now) {
            self.begin(now);
        }
    }

    fn due(&self, now: Instant) -> bool {
        self.tree.is_some()
            && self.lock_retry.is_none_or(|at| at <= now)
            && (self.reconcile <= now || self.slots.values().any(|slot| slot.ready(now)))
    }

    /// When the loop has to look again, if nothing happens before.
    fn next_due(&self) -> Instant {
        let work = self.next_work();
        self.health.next_due().map_or(work, |due| due.min(work))
    }

    fn next_work(&self) -> Instant {
        let now = Instant::now();
        if let Some(batch) = &self.batch {
            return if batch.complete(&self.slots, now) {
                now
            } else {
                batch.until()
            };
        }
        if self.tree.is_none() {
            return now + IDLE;
        }
        let slots = self
            .slots
            .values()
            .filter(|slot| slot.idle())
            .filter_map(|slot| slot.due);
        let first = slots.fold(self.reconcile, Instant::min);
        self.lock_retry.map_or(first, |at| at.max(first))
    }

    /// `-onetime`: nothing is left to do.
    fn finished(&self) -> bool {
        self.config.mode == Mode::Onetime
            && (self.gave_up
                || (self.batches > 0
                    && self.batch.is_none()
                    && self.slots.values().all(Slot::finished)))
    }

    /// TERM or INT: the swap in hand is done by now; staged files are dropped, running commands left alone.
    fn terminate(mut self) -> ExitCode {
        self.report_end();
        let running = self
            .slots
            .values()
            .filter(|slot| matches!(slot.state, State::Reloading))
            .count();
        log::info(format!("told to end; {running} commands are left running"));
        ExitCode::from(u8::from(self.config.mode == Mode::Onetime))
    }

    /// HUP: confd.toml, conf.d and the templates are read again. With settings that are wrong nothing changes.
    fn reread(&mut self) {
        let config = match (self.load)() {
            Ok(config) => config,
            Err(error) => {
                let problem = format!("{}; the settings from before are in use", error.chain());
                log::error(&problem);
                self.health.note("settings", Some(problem));
                return;
            }
        };
        if !self.config.asks_like(&config) {
            self.poller.restart(&config, self.queue.clone());
            // What the old source said may not be what the new one says.
            self.tree = None;
        }
        log::info("the settings, resources and templates are read again");
        self.config = config;
        self.health.take_config(&self.config);
        self.health.note("settings", None);
        self.stale = true;
        self.reconcile = Instant::now();
    }
}
