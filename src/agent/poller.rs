//! The thread that asks the metadata source. It decides when to ask, and posts the answers to the
//! agent's queue.
//!
//! There is one thread and one connection at a time, whatever the settings change to: the thread
//! goes on to the new source when the old one's request has been cut off.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::time::{Duration, Instant};

use super::Event;
use super::backoff::Outage;
use super::pacing::Pacing;
use crate::backend::{Backend, Cancel, Fetched, Version};
use crate::config::{Config, Mode, Source};
use crate::error::{Error, Result};
use crate::platform;
use crate::threads;
use crate::tree::Tree;

/// When the source is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PollMode {
    /// Until one tree has come, for at most this time.
    Once(Duration),
    /// Again after each pause of this length.
    Interval(Duration),
    /// By a long poll: whenever the source says that something changed.
    Watch,
}

impl PollMode {
    fn of(config: &Config) -> PollMode {
        match (config.mode, &config.source) {
            (Mode::Onetime, Source::Metad(_)) => PollMode::Once(config.onetime_wait),
            // Whoever asks for a file now has made it before.
            (Mode::Onetime, Source::File(_) | Source::Env) => PollMode::Once(Duration::ZERO),
            (Mode::Interval, _) => PollMode::Interval(config.interval),
            (Mode::Watch, _) => PollMode::Watch,
        }
    }
}

/// The source of the trees. Dropping it ends the request in progress and the thread.
#[derive(Debug)]
pub(super) struct Poller {
    number: u32,
    jobs: Sender<Job>,
    cancel: Cancel,
}

impl Poller {
    /// Starts to ask the source of `config`. Its answers are posted to `queue` as [`Event::Tree`]
    /// and [`Event::FetchFailed`], with the [number](Poller::number) of the source.
    pub(super) fn start(config: &Config, queue: SyncSender<Event>) -> Result<Poller> {
        let (jobs, receiver) = mpsc::channel();
        let (job, cancel) = Job::new(1, config, queue);
        threads::spawn("metadata", move || run(job, receiver))
            .map_err(|source| Error::io("start a thread for", "metadata".as_ref(), source))?;
        Ok(Poller {
            number: 1,
            jobs,
            cancel,
        })
    }

    /// Leaves the source for that of `config`, which gets the next number.
    pub(super) fn restart(&mut self, config: &Config, queue: SyncSender<Event>) {
        self.cancel.cancel();
        self.number += 1;
        let (job, cancel) = Job::new(self.number, config, queue);
        self.cancel = cancel;
        // The thread ends only after this sender.
        let _sent = self.jobs.send(job);
    }

    /// The number that this source's events carry; events of an earlier one are out of date.
    pub(super) fn number(&self) -> u32 {
        self.number
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

fn run(first: Job, jobs: Receiver<Job>) {
    for job in std::iter::once(first).chain(jobs) {
        job.run();
    }
}

/// One source, asked until it is cancelled.
#[derive(Debug)]
struct Job {
    number: u32,
    mode: PollMode,
    backend: Backend,
    cancel: Cancel,
    queue: SyncSender<Event>,
    outage: Outage,
    /// The confdir whose generation is noted; none when no file is written.
    confdir: Option<PathBuf>,
    /// The last tree posted, so that an equal one is not posted again.
    last: Option<Arc<Tree>>,
}

impl Job {
    fn new(number: u32, config: &Config, queue: SyncSender<Event>) -> (Job, Cancel) {
        let backend = Backend::new(config);
        let cancel = backend.cancel();
        let job = Job {
            number,
            mode: PollMode::of(config),
            backend,
            cancel: cancel.clone(),
            queue,
            outage: Outage::new(config.jitter()),
            confdir: (!config.looks_only()).then(|| config.confdir.clone()),
            last: None,
        };
        (job, cancel)
    }

    fn run(mut self) {
        match self.mode {
            PollMode::Once(limit) => self.once(limit),
            PollMode::Interval(pause) => self.interval(pause),
            PollMode::Watch => self.watch(),
        }
    }

    fn once(&mut self, limit: Duration) {
        let start = Instant::now();
        while self.is_wanted() {
            let noted = self.note();
            match self.backend.fetch() {
                Ok(fetched) => {
                    self.post_tree(fetched, noted);
                    return;
                }
                Err(error) => {
                    let left = limit.saturating_sub(start.elapsed());
                    self.post_failure(error, left.is_zero());
                    if left.is_zero() {
                        return;
                    }
                    let pause = self.outage.pause(Instant::now());
                    self.cancel.sleep(pause.min(left));
                }
            }
        }
    }

    fn interval(&mut self, pause: Duration) {
        while self.is_wanted() {
            let noted = self.note();
            match self.backend.fetch() {
                Ok(fetched) => {
                    self.outage.end();
                    self.post_tree(fetched, noted);
                    self.cancel.sleep(pause);
                }
                Err(error) => self.pause_after(error),
            }
        }
    }

    /// A poll follows the answer whose version it carries at once. After a pause that version is
    /// old, and so the next request is a plain one, which brings the tree and the version of now.
    fn watch(&mut self) {
        let mut version: Option<Version> = None;
        // The version before a pause.
        let mut left: Option<Version> = None;
        let mut pacing = Pacing::new(Instant::now());
        while self.is_wanted() {
            let (asked, noted) = (Instant::now(), self.note());
            let answer = match version {
                None => self.backend.fetch().map(Some),
                Some(version) => self.backend.wait(version),
            };
            match answer {
                Ok(None) => pacing.reset(),
                Ok(Some(fetched)) => {
                    self.outage.end();
                    let (before, moved_to) = (version, fetched.version);
                    version = Some(moved_to);
                    // Answers in vain before the pause were those of other changes.
                    let is_moving = left.take().is_some_and(|left| left != moved_to);
                    if self.post_tree(fetched, noted) || is_moving {
                        pacing.reset();
                    } else if let Some(before) = before
                        && let Some(pause) = pacing.pause(before != moved_to, asked, Instant::now())
                    {
                        self.cancel.sleep(pause);
                        left = version.take();
                    }
                }
                Err(error) => {
                    // A server that comes back may count from any number.
                    version = None;
                    self.pause_after(error);
                }
            }
        }
    }

    fn pause_after(&mut self, error: Error) {
        self.post_failure(error, false);
        let pause = self.outage.pause(Instant::now());
        self.cancel.sleep(pause);
    }

    /// The generation of the files, before a request: what others write later may be newer than
    /// the answer.
    fn note(&self) -> Option<u64> {
        platform::generation(self.confdir.as_ref()?).ok()
    }

    fn is_wanted(&self) -> bool {
        !self.cancel.is_cancelled()
    }

    /// Posts a tree unless it equals the last one; true when it was posted.
    fn post_tree(&mut self, fetched: Fetched, noted: Option<u64>) -> bool {
        let Fetched { tree, version } = fetched;
        let is_last = |last: &Arc<Tree>| Arc::ptr_eq(last, &tree) || tree.is_as(last);
        if self.last.as_ref().is_some_and(is_last) {
            return false;
        }
        self.last = Some(Arc::clone(&tree));
        self.post(Event::Tree {
            poller: self.number,
            version,
            tree,
            noted,
        });
        true
    }

    fn post_failure(&mut self, error: Error, last: bool) {
        self.last = None;
        self.post(Event::FetchFailed {
            poller: self.number,
            error,
            last,
        });
    }

    fn post(&self, event: Event) {
        // Out of date: a request that was cut off has failed for no other reason.
        if self.is_wanted() && self.queue.send(event).is_err() {
            self.cancel.cancel();
        }
    }
}
