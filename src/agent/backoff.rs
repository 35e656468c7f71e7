//! Pauses before another attempt: growing, limited, and different on any two machines.

use std::time::{Duration, Instant};

use crate::random;

/// The first pause, before its random part is left out.
pub(super) const FIRST: Duration = Duration::from_secs(1);
/// The longest pause.
pub(super) const LONGEST: Duration = Duration::from_secs(60);

/// The pauses after failures in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The next pause: 1 s doubling to 60 s, of which up to a quarter is left out at random.
    pub(super) fn pause(&mut self) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        let whole = doubled.min(LONGEST);
        whole - random::up_to(whole / 4)
    }

    /// An attempt has worked: the next failure starts from the first pause again.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// The pauses while a service is away that many nodes lost at one moment: they must not come back
/// at one moment. With doubling pauses, nodes that are one pause apart would come in waves.
#[derive(Debug)]
pub(super) struct Outage {
    jitter: Duration,
    since: Option<Instant>,
}

impl Outage {
    /// No outage yet. `jitter` is the time over which all may come back after a short one.
    pub(super) fn new(jitter: Duration) -> Outage {
        Outage {
            jitter,
            since: None,
        }
    }

    /// The next pause at `now`: half the time that the service has been away, at least the jitter
    /// and at most 60 s, of which up to half is left out at random. So the nodes are back evenly
    /// spread over half the length of the outage.
    pub(super) fn pause(&mut self, now: Instant) -> Duration {
        let since = *self.since.get_or_insert(now);
        let away = now.saturating_duration_since(since);
        let whole = (away / 2).max(self.jitter).min(LONGEST);
        whole - random::up_to(whole / 2)
    }

    /// The service is back.
    pub(super) fn end(&mut self) {
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_a_minute_and_start_again() {
        let mut backoff = Backoff::default();
        for whole in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            let whole = Duration::from_secs(whole);
            let pause = backoff.pause();
            assert!(
                pause <= whole && pause >= whole / 4 * 3,
                "{pause:?} of {whole:?}"
            );
        }
        backoff.reset();
        assert!(backoff.pause() <= FIRST);
    }

    /// The time from the return of a service to that of a node, after an outage of this length.
    fn back_after(outage: Duration, jitter: Duration) -> Duration {
        let lost = Instant::now();
        let mut pauses = Outage::new(jitter);
        let mut now = lost + random::up_to(jitter);
        while now < lost + outage {
            now += pauses.pause(now);
        }
        now - lost - outage
    }

    #[test]
    fn nodes_come_back_spread_however_long_the_service_was_away() {
        const NODES: usize = 5_000;
        let outages = [0, 1, 2, 3, 5, 8, 13, 20, 30, 60, 100, 200, 1000];
        for (outage, spread) in outages
            .into_iter()
            .flat_map(|outage| [(outage, 2), (outage, 20)])
        {
            let mut by_second = [0_usize; 61];
            for _ in 0..NODES {
                let [outage, spread] = [outage, spread].map(Duration::from_secs);
                let second = back_after(outage, spread).as_secs();
                by_second[usize::try_from(second).unwrap()] += 1;
            }
            let seconds = 61
                - by_second
                    .iter()
                    .rev()
                    .take_while(|count| **count == 0)
                    .count();
            let most = by_second.iter().max().copied().unwrap_or(0);
            let what = format!("away for {outage} s, spread over {spread} s: {by_second:?}");
            assert!(seconds as u64 <= (outage / 2 + 1).max(spread), "{what}");
            assert!(most * seconds <= 3 * NODES, "{what}");
        }
    }

    #[test]
    fn an_outage_that_is_over_is_forgotten() {
        let mut outage = Outage::new(2 * FIRST);
        let start = Instant::now();
        outage.pause(start);
        let later = start + Duration::from_secs(1000);
        assert!(outage.pause(later) >= LONGEST / 2);
        outage.end();
        assert!(outage.pause(later) <= 2 * FIRST);
    }
}
