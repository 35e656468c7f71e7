//! How soon to poll again after an answer that brought nothing new.
//!
//! metad counts the changes of all its clusters in one version, and answers a poll with an older
//! number at once. Such an answer is followed by the next poll at once, so that a change of our own
//! finds a poll waiting. Two things have a limit: how long such answers are taken in a row, since
//! each carries the whole tree; and a server that does not wait although its version stays.

use std::time::{Duration, Instant};

use super::backoff::Backoff;

/// A poll held for this long did wait.
const HELD: Duration = Duration::from_millis(500);
/// A pause ends at least this long after the pause before it ended. Each costs one plain request,
/// so that these are at most two a second.
const WINDOW: Duration = Duration::from_millis(500);
/// A pause makes a change late by no more than this.
const PAUSE: Duration = Duration::from_millis(300);
/// A pause is made after more answers than this that brought nothing, within one window.
const BURST: u32 = 16;
/// This many answers with an old version and nothing new are taken in a row. metad itself gives one
/// when something was written that leaves the tree unchanged.
const UNMOVED: u32 = 3;

/// The recent answers that brought nothing new.
#[derive(Debug)]
pub(super) struct Pacing {
    window: Instant,
    answers: u32,
    unmoved: u32,
    backoff: Backoff,
}

impl Pacing {
    /// No answer so far.
    pub(super) fn new(now: Instant) -> Pacing {
        Pacing {
            window: now,
            answers: 0,
            unmoved: 0,
            backoff: Backoff::default(),
        }
    }

    /// The server does wait: an answer brought something new, or there was none for long, or its
    /// version has moved on during a pause.
    pub(super) fn reset(&mut self) {
        self.unmoved = 0;
        self.backoff.reset();
    }

    /// The pause after an answer at `now` to a poll of `asked` that brought nothing new; none when
    /// the next poll is to follow at once. `moved` when the version is another one than the poll's.
    pub(super) fn pause(&mut self, moved: bool, asked: Instant, now: Instant) -> Option<Duration> {
        if now.saturating_duration_since(asked) >= HELD {
            self.reset();
            return None;
        }
        self.unmoved = if moved {
            self.unmoved.saturating_sub(1)
        } else {
            self.unmoved + 1
        };
        if self.unmoved > UNMOVED {
            return Some(self.backoff.pause());
        }
        let end = self.window + WINDOW;
        if now >= end {
            self.window = now;
            self.answers = 0;
        }
        self.answers += 1;
        let is_burst = self.answers > BURST && now + PAUSE >= end;
        is_burst.then(|| end.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The requests in `length` to a server that answers each poll after `held`, and the longest
    /// pause. Every poll's version has `moved`.
    fn simulate(length: Duration, held: Duration, moved: bool) -> (u32, u32, Duration) {
        let start = Instant::now();
        let (mut now, mut pacing) = (start, Pacing::new(start));
        let (mut polls, mut fetches, mut longest) = (0, 0, Duration::ZERO);
        while now < start + length {
            let asked = now;
            now += held;
            polls += 1;
            if let Some(pause) = pacing.pause(moved, asked, now) {
                now += pause;
                fetches += 1;
                longest = longest.max(pause);
            }
        }
        (polls, fetches, longest)
    }

    #[test]
    fn foreign_changes_cost_two_plain_requests_a_second_and_little_time() {
        const SECONDS: u32 = 100;
        let length = Duration::from_secs(SECONDS.into());
        for held in [1, 5, 10, 50, 100, 400].map(Duration::from_millis) {
            let (polls, fetches, longest) = simulate(length, held, true);
            assert!(fetches <= 2 * SECONDS + 1, "{held:?}: {fetches} fetches");
            assert!(longest <= PAUSE, "{held:?}: {longest:?}");
            let taken = Duration::from_secs(u64::from(SECONDS)) - PAUSE * fetches;
            let most = taken.as_millis() / held.as_millis() + u128::from(2 * SECONDS);
            assert!(u128::from(polls) <= most, "{held:?}: {polls} polls");
        }
        let (_, fetches, _) = simulate(length, Duration::from_millis(5), true);
        assert!(
            fetches >= 2 * SECONDS - 2,
            "only {fetches} pauses in a storm"
        );
    }

    #[test]
    fn polls_that_are_answered_slower_than_the_burst_never_pause() {
        let (_, fetches, _) = simulate(Duration::from_secs(60), Duration::from_millis(32), true);
        assert_eq!(fetches, 0);
    }

    #[test]
    fn a_server_that_does_not_wait_is_asked_less_and_less() {
        let minutes = Duration::from_secs(600);
        let (polls, fetches, longest) = simulate(minutes, Duration::from_millis(1), false);
        assert!(polls + fetches < 60, "{polls} polls, {fetches} fetches");
        assert!(longest > Duration::from_secs(30), "{longest:?}");
    }

    #[test]
    fn a_poll_that_was_held_is_followed_at_once() {
        let (_, fetches, _) = simulate(Duration::from_secs(600), HELD, false);
        assert_eq!(fetches, 0);
    }
}
