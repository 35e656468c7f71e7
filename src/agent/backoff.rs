//! How long to wait before trying again: doubling, capped, and never the same on two machines.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The first pause.
pub const FIRST: Duration = Duration::from_secs(1);
/// No pause is longer.
pub const LONGEST: Duration = Duration::from_secs(60);

/// The pauses after failures in a row.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The next pause: 1 s doubling to 60 s, of which up to a quarter is left out at random.
    pub fn pause(&mut self) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        let whole = doubled.min(LONGEST);
        whole - random_up_to(whole / 4)
    }

    /// It worked: the next failure starts from the first pause again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A random time in `0..limit`; zero for a zero limit.
pub fn random_up_to(limit: Duration) -> Duration {
    let limit = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
    // RandomState is seeded by the system for every map, which is all the randomness a pause needs.
    let random = RandomState::new().hash_one(0u8);
    Duration::from_nanos(random.checked_rem(limit).unwrap_or(0))
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

    #[test]
    fn two_machines_do_not_pause_alike() {
        let limit = Duration::from_secs(10);
        let first = random_up_to(limit);
        assert!((0..20).any(|_| random_up_to(limit) != first));
        assert!(random_up_to(limit) < limit);
        assert_eq!(random_up_to(Duration::ZERO), Duration::ZERO);
    }
}
