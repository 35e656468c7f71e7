//! The lock of confdir: an apply waits for it, and then for newer metadata if another process has
//! replaced files meanwhile. A one-time run also waits for the files that another process tries
//! out.

use std::time::{Duration, Instant};

use super::status::{self, Stuck};
use super::watchdog::{STUCK_AFTER, Step};
use super::{Agent, Phase};
use crate::config::Mode;
use crate::log;
use crate::platform::{self, Lock};

/// How long a busy lock is left alone before it is tried again.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The wait for the lock.
#[derive(Debug)]
pub(super) struct Locking {
    since: Instant,
    retry: Instant,
    /// Another process held the lock: what was rendered before may be older than its files.
    has_waited: bool,
    /// The tree is being fetched again.
    pub is_refetching: bool,
    /// The tree was fetched again.
    has_refetched: bool,
}

impl Locking {
    /// To be tried at once, but not before `from`.
    pub(super) fn new(now: Instant, from: Instant) -> Locking {
        Locking {
            since: now,
            retry: now.max(from),
            has_waited: false,
            is_refetching: false,
            has_refetched: false,
        }
    }

    /// To be tried at once, with a tree that was fetched again.
    pub(super) fn refetched(now: Instant) -> Locking {
        Locking {
            has_refetched: true,
            ..Locking::new(now, now)
        }
    }

    /// Since when the tree is being fetched again.
    pub(super) fn refetching_since(&self) -> Option<Instant> {
        self.is_refetching.then_some(self.since)
    }

    /// To be tried again in a moment; returns how long it has waited.
    pub(super) fn pause(&mut self, now: Instant) -> Duration {
        self.retry = now + LOCK_PAUSE;
        self.has_waited = true;
        now.saturating_duration_since(self.since)
    }

    /// When it is to be tried again; never before a new tree has come.
    pub(super) fn retry(&self) -> Option<Instant> {
        (!self.is_refetching).then_some(self.retry)
    }
}

/// The result of an attempt to take the lock.
enum Locked {
    Yes(Option<Lock>),
    Busy,
}

impl Agent {
    /// Tries to get the lock, and applies what waits for it.
    pub(super) fn try_apply(&mut self, now: Instant) {
        let Phase::Locking(locking) = &self.phase else {
            return;
        };
        if locking.retry().is_none_or(|retry| retry > now) {
            return;
        }
        let (has_waited, has_refetched) = (locking.has_waited, locking.has_refetched);
        if let Locked::Yes(lock) = self.lock(now) {
            if has_waited || self.is_stale(lock.is_some()) {
                drop(lock);
                self.refetch();
            } else {
                self.apply(lock, has_refetched, now);
            }
        }
    }

    /// The lock of this confdir. Where there are no locks, working without one beats not working.
    /// Who changes nothing on this machine needs none, and leaves no file for it.
    fn lock(&mut self, now: Instant) -> Locked {
        if self.config.looks_only() || !self.config.confdir.exists() {
            return Locked::Yes(None);
        }
        self.watchdog.enter(Step::Lock, &self.config.confdir);
        let confdir = self.config.confdir.display();
        match Lock::try_acquire(&self.config.confdir) {
            Ok(Some(lock)) => {
                self.lock_logged = None;
                if self.waits_for_trials(now) {
                    return Locked::Busy;
                }
                Locked::Yes(Some(lock))
            }
            Ok(None) => {
                self.wait_for_lock(now);
                Locked::Busy
            }
            Err(cause) => {
                let message = format!("cannot lock {confdir}: {cause}; working without a lock");
                if self.lock_logged.as_ref() != Some(&message) {
                    log::info(&message);
                    self.lock_logged = Some(message);
                }
                Locked::Yes(None)
            }
        }
    }

    /// Another process holds the lock. A one-time run gives up after its deadline.
    fn wait_for_lock(&mut self, now: Instant) {
        let Phase::Locking(locking) = &mut self.phase else {
            return;
        };
        let waited = locking.pause(now);
        let is_over = self.config.mode == Mode::Onetime && waited > self.config.onetime_wait;
        if self.lock_logged.is_some() && !is_over {
            return;
        }
        let holder = match Lock::holder(&self.config.confdir) {
            Some(pid) if platform::process(pid).is_ok_and(|process| process.stopped) => {
                format!(" (pid {pid}, which is stopped)")
            }
            Some(pid) => format!(" (pid {pid})"),
            None => String::new(),
        };
        let confdir = self.config.confdir.display();
        let message = format!("another confd{holder} holds the lock on {confdir}");
        if is_over {
            let wait = self.config.onetime_wait;
            self.give_up(&format!("{message}; gave up after {wait:?}"));
        } else {
            log::info(format_args!("{message}; waiting"));
        }
        self.lock_logged = Some(message);
    }

    /// The wait for the lock, when it has taken long.
    pub(super) fn stuck_at_lock(&self) -> Option<Stuck> {
        let Phase::Locking(locking) = &self.phase else {
            return None;
        };
        let waited = locking.since.elapsed();
        let reason = self.lock_logged.as_ref().filter(|_| locking.has_waited)?;
        (waited >= STUCK_AFTER && !locking.is_refetching).then(|| Stuck {
            step: format!("waiting for the lock ({reason})"),
            since: status::now().saturating_sub(waited.as_secs()),
        })
    }

    /// True when others have written files since the tree was asked for.
    fn is_stale(&self, is_locked: bool) -> bool {
        is_locked && self.freshness.is_stale(self.noted, self.generation())
    }

    pub(super) fn generation(&self) -> Option<u64> {
        platform::generation(&self.config.confdir).ok()
    }

    /// Asks for the tree again; what waits for the lock waits for that.
    fn refetch(&mut self) {
        log::debug("another confd was at work; the metadata is fetched again");
        self.poller.restart(&self.config, self.queue.clone());
        if let Phase::Locking(locking) = &mut self.phase {
            locking.is_refetching = true;
            locking.since = Instant::now();
        }
    }
}
