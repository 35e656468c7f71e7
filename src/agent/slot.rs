//! One resource in the agent's hands: what it is doing, when it is due, what its file was made
//! from.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backoff::Backoff;
use crate::error::Error;
use crate::log::{self, Level};
use crate::resource::{Change, Inputs, Prepared, Rendered, Resource, SETTLED, Stamp, stage};
use crate::tree::Tree;

/// How often in a row a file is composed again because another program has changed it.
const MOST_OUTRUN: u32 = 5;
/// After so many, what is in progress comes to its end although it is due again: files whose checks
/// take longer than the time between changes would stay old for ever.
pub(super) const MOST_DROPPED: u32 = 3;

/// The activity of a resource.
#[derive(Debug)]
pub(super) enum State {
    /// Nothing; it may be taken up.
    Idle,
    /// It is being rendered.
    Rendering {
        job: u64,
        /// When it was left to its thread, as it took long: the time when it had begun.
        left_since: Option<Instant>,
        origin: Origin,
    },
    /// Its rendering was given up or dropped, but has not returned yet.
    Hanging {
        job: u64,
        /// When it had begun, while it is not known that it hangs.
        since: Option<Instant>,
    },
    /// It waits for the lock.
    Rendered(Box<Rendered>, Origin),
    /// Its file is staged, and its check runs.
    Checking(Staged),
    /// Its file is staged and good, and waits for the swap.
    Checked(Staged),
}

/// Which metadata something was rendered from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    /// The generation that was noted before the request for the tree.
    pub noted: Option<u64>,
}

/// A staged file.
#[derive(Debug)]
pub(super) struct Staged {
    pub prepared: Box<Prepared>,
    pub origin: Origin,
    /// The number of its check, and when that began.
    pub check: u64,
    pub since: Instant,
    /// The apply in which it was staged went on without it.
    pub is_late: bool,
    /// If it is late: its template was looked at again and is still the same.
    pub is_verified: bool,
}

impl Staged {
    /// True when the check took long and its template was not looked at again since.
    pub(super) fn is_unfinished(&self) -> bool {
        self.is_late && !self.is_verified
    }
}

/// One resource and its state.
#[derive(Debug)]
pub(super) struct Slot {
    /// The conf.d file.
    pub resource: Arc<Resource>,
    /// The conf.d file as it was read.
    pub stamp: Stamp,
    /// Its activity.
    pub state: State,
    /// When it is to be taken up; never, when nothing is to be done.
    pub due: Option<Instant>,
    /// HUP: the conf.d file is to be read again.
    pub reread: bool,
    /// When its inputs are to be looked at, without rendering.
    pub inspect_at: Option<Instant>,
    /// The number of the job that looks at them.
    pub inspection: Option<u64>,
    /// The inputs from which the file on disk was rendered.
    pub inputs: Option<Inputs>,
    /// Where the file is, all links followed, once that was looked at.
    pub place: Option<PathBuf>,
    /// The file as this process left it, or last saw it.
    pub dest: Option<Stamp>,
    /// Another program has changed or removed the file since, and that is left alone.
    pub changed_by_others: bool,
    /// The conf.d file of another resource with the same dest, which is applied instead.
    pub shadowed_by: Option<PathBuf>,
    /// The users and groups in the resource that this machine does not know.
    pub unknown_owners: Vec<String>,
    /// Since when its reload runs.
    pub reloading: Option<Instant>,
    /// Why the last attempt failed, for anybody to read; none when it did not.
    pub failure: Option<String>,
    /// Why the last reload failed; none when it did not.
    pub reload_failure: Option<String>,
    /// Not tried again because time has passed: a one-time run decides by itself.
    pub is_once: bool,
    /// The last rendering took long: others go first.
    pub is_slow: bool,
    /// Its reload decides whether the file stays.
    pub is_unproven: bool,
    /// Why its group is not swapped; none while it is not held.
    pub held: Option<String>,
    /// Its file is in the manifest.
    pub is_recorded: bool,
    /// A removal: something else of its resource is new since it was tried.
    pub has_news: bool,
    /// How often in a row another program has changed the file before it could be swapped.
    pub outrun: u32,
    /// How often in a row what was in progress was dropped for something newer.
    pub dropped: u32,
    /// How often in a row the block of another resource was swapped into the file before its own.
    pub overtaken: u32,
    /// It waits for another block of the same file, which was overtaken again and again.
    pub gives_way: bool,
    /// `-onetime`: a reload before it has run since it was last looked at.
    pub is_behind: bool,
    /// `-onetime`: how often it was looked at again because of reloads.
    pub catch_ups: u64,
    /// The inspection in progress is about dest, too.
    pub minds_dest: bool,
    /// It was logged that the file is to be changed, and it has not been changed since.
    is_announced: bool,
    backoff: Backoff,
    /// The gist of the last error written to the log: a retry that fails alike is not news.
    said: Option<String>,
}

impl Slot {
    /// A resource that is due at once.
    pub(super) fn new(resource: Resource, stamp: Stamp, now: Instant) -> Slot {
        Slot {
            resource: Arc::new(resource),
            stamp,
            state: State::Idle,
            due: Some(now),
            reread: false,
            inspect_at: None,
            inspection: None,
            inputs: None,
            place: None,
            dest: None,
            changed_by_others: false,
            shadowed_by: None,
            unknown_owners: Vec::new(),
            reloading: None,
            failure: None,
            reload_failure: None,
            is_once: false,
            is_slow: false,
            is_unproven: false,
            held: None,
            is_recorded: false,
            has_news: false,
            outrun: 0,
            dropped: 0,
            overtaken: 0,
            gives_way: false,
            is_behind: false,
            catch_ups: 0,
            minds_dest: false,
            is_announced: false,
            backoff: Backoff::default(),
            said: None,
        }
    }

    /// Its conf.d file was read again. What is known of the same dest stays known. Whatever was in
    /// progress with the old one is dropped; a reload goes on.
    pub(super) fn replace(&mut self, resource: Resource, stamp: Stamp, now: Instant) {
        if resource.dest() != self.resource.dest() {
            self.inputs = None;
            self.place = None;
            self.dest = None;
        }
        self.resource = Arc::new(resource);
        self.stamp = stamp;
        self.reread = false;
        self.is_recorded = false;
        self.shadowed_by = None;
        self.unknown_owners.clear();
        self.drop_for_news();
        self.renew(now);
    }

    /// HUP: its conf.d file was read again and is the same, and what is in progress comes to its
    /// end.
    pub(super) fn keep(&mut self, stamp: Stamp, now: Instant) {
        self.stamp = stamp;
        self.reread = false;
        self.unknown_owners.clear();
        self.renew(now);
    }

    /// Drops what is rendered or staged, and whatever comes of the rendering in progress.
    pub(super) fn drop_work(&mut self) {
        self.state = match self.state {
            State::Rendering {
                job,
                left_since: since,
                ..
            }
            | State::Hanging { job, since } => State::Hanging { job, since },
            _ => State::Idle,
        };
    }

    /// [`Slot::drop_work`], which is counted if there is any.
    pub(super) fn drop_for_news(&mut self) {
        self.dropped += u32::from(self.has_work());
        self.drop_work();
    }

    /// True when something is rendered or staged, or is being rendered.
    pub(super) fn has_work(&self) -> bool {
        !matches!(self.state, State::Idle | State::Hanging { .. })
    }

    /// Goes on to a newer tree; false when it has to be rendered again.
    pub(super) fn follow(&mut self, tree: &Arc<Tree>) -> bool {
        let inputs = match &mut self.state {
            State::Rendered(rendered, _) => Some(&mut rendered.inputs),
            State::Checking(staged) | State::Checked(staged) => Some(&mut staged.prepared.inputs),
            State::Rendering { .. } => None,
            State::Idle | State::Hanging { .. } => {
                self.inputs.as_mut().filter(|_| self.failure.is_none())
            }
        };
        inputs.is_some_and(|inputs| inputs.follow(tree))
    }

    /// True when a new rendering can begin.
    pub(super) fn is_free(&self) -> bool {
        let is_waiting = match &self.state {
            State::Idle => true,
            State::Checked(staged) => staged.is_late && self.dropped < MOST_DROPPED,
            _ => false,
        };
        let is_proven = self.reloading.is_none() && !self.is_unproven;
        is_waiting && is_proven && self.shadowed_by.is_none() && !self.gives_way
    }

    /// True when nothing is in progress that ends by itself.
    pub(super) fn is_at_rest(&self) -> bool {
        matches!(self.state, State::Idle | State::Hanging { since: None, .. })
    }

    /// True when it is on its way to a swap that its apply waits for.
    pub(super) fn is_in_apply(&self) -> bool {
        match &self.state {
            State::Rendering { .. } | State::Rendered(..) => true,
            State::Checking(staged) | State::Checked(staged) => !staged.is_late,
            State::Idle | State::Hanging { .. } => false,
        }
    }

    /// True when it can be taken up at `now`.
    pub(super) fn is_ready(&self, now: Instant) -> bool {
        self.is_free() && self.due.is_some_and(|due| due <= now)
    }

    /// Taken up at `at`, or earlier if it was due earlier.
    pub(super) fn wake(&mut self, at: Instant) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// Something has changed: what failed before may work now.
    pub(super) fn renew(&mut self, at: Instant) {
        self.backoff.reset();
        self.due = Some(at);
    }

    /// Looked at, without rendering, at `at` or earlier.
    pub(super) fn inspect(&mut self, at: Instant) {
        self.inspect_at = Some(self.inspect_at.map_or(at, |due| due.min(at)));
    }

    /// Logs once which users and groups in the conf.d file at `path` this machine does not know.
    pub(super) fn note_owners(&mut self, path: &Path, unknown: &[String]) {
        if self.unknown_owners == unknown {
            return;
        }
        for problem in unknown {
            log::warning(format_args!(
                "{}: {problem}; {} is written without it",
                path.display(),
                self.resource.shown_dest().display()
            ));
        }
        self.unknown_owners = unknown.to_vec();
    }

    /// Logs what is to be changed; the same again after a failure is not news.
    pub(super) fn say(&mut self, change: &Change) {
        let level = if self.failure.is_some() && self.is_announced {
            Level::Debug
        } else {
            Level::Info
        };
        self.is_announced = true;
        for line in change.lines(self.resource.shown_dest()) {
            log::at(level, line);
        }
    }

    /// The file on disk is right, and was rendered from `inputs`.
    pub(super) fn settle(&mut self, inputs: Inputs, now: Instant) {
        if inputs.system.are_young() {
            self.inspect(now + SETTLED + Duration::from_millis(100));
        }
        self.inputs = Some(inputs);
        self.dest = self.stamp_of_dest();
        self.changed_by_others = false;
        self.is_announced = false;
        self.outrun = 0;
        self.dropped = 0;
        self.overtaken = 0;
        self.held = None;
        self.failure = None;
        if self.reload_failure.is_none() {
            self.said = None;
        }
        self.backoff.reset();
    }

    pub(super) fn stamp_of_dest(&self) -> Option<Stamp> {
        let metadata = std::fs::metadata(self.place.as_ref()?).ok()?;
        Some(Stamp::of(&metadata))
    }

    /// Another program has changed the file since the new one was composed from it: it is composed
    /// again, at once, unless that goes on and on.
    pub(super) fn compose_again(&mut self, now: Instant) {
        self.outrun += 1;
        let dest = self.resource.shown_dest();
        if self.outrun > MOST_OUTRUN {
            let problem = "is changed by another program again and again";
            self.fail(&Error::resource(dest, problem), now);
            return;
        }
        let dest = dest.display();
        log::info(format_args!(
            "{dest} was changed by another program; its block is put into the new file"
        ));
        self.drop_work();
        self.wake(now);
    }

    /// The block of another resource was swapped into the file since the new one was composed from
    /// it: it is composed again, at once.
    pub(super) fn compose_after_another(&mut self, now: Instant) {
        self.overtaken += 1;
        let dest = self.resource.shown_dest().display();
        log::debug(format_args!(
            "{dest} has another block now; this one is put into it"
        ));
        self.drop_work();
        self.wake(now);
    }

    /// The files are as before, because the reload failed with the new ones: nothing is tried
    /// before something changes, or if it has changed meanwhile, so that it is due.
    pub(super) fn take_back(&mut self, reason: &str) {
        self.state = State::Idle;
        self.dest = self.stamp_of_dest();
        self.failure = Some(format!("rolled back: {reason}"));
        // A reload that fails with the old files as well is news.
        self.said = None;
    }

    /// The last attempt failed: whatever was staged is dropped, and it is tried again after a
    /// pause.
    pub(super) fn fail(&mut self, error: &Error, now: Instant) {
        self.fail_within(error, &mut { usize::MAX }, now);
    }

    /// [`Slot::fail`] with at most this many lines of the log, and one when there are none left.
    pub(super) fn fail_within(&mut self, error: &Error, lines: &mut usize, now: Instant) {
        self.state = State::Idle;
        self.dropped = 0;
        self.overtaken = 0;
        self.failure = Some(error.redacted());
        self.log_failure(error, lines);
        if !self.is_once {
            let pause = self.backoff.pause();
            self.wake(now + pause);
        }
    }

    /// The last reload failed.
    pub(super) fn fail_reload(&mut self, error: &Error) {
        self.reload_failure = Some(error.redacted());
        self.log_failure(error, &mut { usize::MAX });
    }

    /// The reload worked.
    pub(super) fn reloaded(&mut self) {
        self.reload_failure = None;
        if self.failure.is_none() {
            self.said = None;
        }
    }

    fn log_failure(&mut self, error: &Error, lines: &mut usize) {
        let mut message = self.resource.words(error);
        // The staged file of each attempt has a name of its own.
        let gist = stage::without_random_parts(&error.redacted());
        if self.said.as_ref() == Some(&gist) {
            log::debug(format!("{message} (again)"));
        } else {
            let count = message.lines().count();
            if count > *lines {
                let first = message.lines().next().unwrap_or_default();
                message = format!("{first} (-status has more)");
            }
            *lines = lines.saturating_sub(count);
            log::error(&message);
            self.said = Some(gist);
        }
    }
}
