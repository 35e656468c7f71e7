//! One resource in the agent's hands: what it is doing, when it is due, and what is still owed.

use std::time::Instant;

use super::backoff::Backoff;
use crate::error::Error;
use crate::log::{self, Level};
use crate::resource::owed::Owed;
use crate::resource::{Change, Prepared, Resource, Seen, Stamp, stage};

/// What a resource is doing.
#[derive(Debug)]
pub enum State {
    /// Nothing; it may be taken up.
    Idle,
    /// Its new file is staged; with batch `batch` it waits for its check and for the swap.
    Staged {
        prepared: Box<Prepared>,
        batch: u64,
        checked: bool,
    },
    /// Its reload command runs.
    Reloading,
}

/// One resource and its state.
#[derive(Debug)]
pub struct Slot {
    /// The conf.d file and its template.
    pub resource: Resource,
    /// The conf.d file as it was read.
    pub stamp: Stamp,
    /// What it is doing.
    pub state: State,
    /// When it is to be taken up; never, when nothing is to be done.
    pub due: Option<Instant>,
    /// What the file on disk was rendered from.
    pub seen: Option<Seen>,
    /// The reload is to be started, because of these keys.
    pub wants_reload: Option<Vec<String>>,
    /// A reload has not worked yet, where the resource says `reload_retry`.
    pub owes: bool,
    /// The same on the disk.
    pub owed: Option<Owed>,
    /// Why the last attempt failed, for anybody to read; none when it did not.
    pub failure: Option<String>,
    backoff: Backoff,
    /// The gist of the last error written to the log: a retry that fails alike is not news.
    said: Option<String>,
}

impl Slot {
    /// A resource that is due at once.
    pub fn new(resource: Resource, stamp: Stamp, now: Instant) -> Slot {
        Slot {
            resource,
            stamp,
            state: State::Idle,
            due: Some(now),
            seen: None,
            wants_reload: None,
            owes: false,
            owed: None,
            failure: None,
            backoff: Backoff::default(),
            said: None,
        }
    }

    /// Its conf.d file was read again. What is known of the same dest stays known.
    pub fn replace(&mut self, resource: Resource, stamp: Stamp, now: Instant) {
        if resource.dest() != self.resource.dest() {
            self.seen = None;
            self.owes = false;
            self.owed = None;
        }
        self.resource = resource;
        self.stamp = stamp;
        self.state = State::Idle;
        self.renew(now);
    }

    /// True when no check and no reload runs.
    pub fn idle(&self) -> bool {
        matches!(
            self.state,
            State::Idle | State::Staged { checked: true, .. }
        )
    }

    /// True when nothing is staged and no command runs.
    pub fn finished(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// True when it can be taken up at `now`.
    pub fn ready(&self, now: Instant) -> bool {
        self.idle() && self.due.is_some_and(|due| due <= now)
    }

    /// Taken up at `at`, or earlier if it was due earlier.
    pub fn wake(&mut self, at: Instant) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// There is a new tree: what failed with the old one may work now.
    pub fn renew(&mut self, at: Instant) {
        self.backoff.reset();
        self.due = Some(at);
    }

    /// Logs what is to be changed; the same again after a failure is not news.
    pub fn say(&self, change: &Change) {
        let level = if self.failure.is_some() {
            Level::Debug
        } else {
            Level::Info
        };
        for line in change.lines(self.resource.shown_dest()) {
            log::at(level, line);
        }
    }

    /// The file on disk is right, rendered from `seen`.
    pub fn in_sync(&mut self, seen: Seen) {
        self.seen = Some(seen);
        if self.owes {
            self.wants_reload = Some(Vec::new());
        } else {
            self.succeed();
        }
    }

    /// The new file is in place, rendered from `seen`, because of the `changed` keys.
    pub fn swapped(&mut self, seen: Seen, changed: Vec<String>) {
        self.seen = Some(seen);
        self.wants_reload = Some(changed);
    }

    /// The reload worked.
    pub fn reloaded(&mut self) {
        self.owes = false;
        if let Some(owed) = self.owed.take()
            && let Err(error) = owed.settle()
        {
            log::warning(format!(
                "{}; this reload will run once more after a restart",
                error.chain()
            ));
        }
        self.succeed();
    }

    /// The last attempt worked: nothing to try again.
    pub fn succeed(&mut self) {
        self.failure = None;
        self.said = None;
        self.backoff.reset();
    }

    /// The last attempt failed: whatever was staged is dropped, and it is tried again after a pause.
    pub fn fail(&mut self, error: &Error, now: Instant) {
        self.state = State::Idle;
        self.fail_for_now(error);
        let pause = self.backoff.pause();
        self.wake(now + pause);
    }

    /// The last attempt failed, and is not tried again before something changes.
    pub fn fail_for_now(&mut self, error: &Error) {
        self.failure = Some(error.redacted());
        let message = self.resource.words(error);
        // The staged file of each attempt has a name of its own.
        let gist = stage::without_random_parts(&error.redacted());
        if self.said.as_ref() == Some(&gist) {
            log::debug(format!("{message} (again)"));
        } else {
            log::error(&message);
            self.said = Some(gist);
        }
    }
}
