//! Random numbers, for what must not be alike on two machines or in two runs. Seeded by the system
//! each time; not for secrets that have to last.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

/// Any number.
pub(crate) fn number() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A number below `count`; zero for zero.
pub(crate) fn below(count: usize) -> usize {
    usize::try_from(number() % (count.max(1) as u64)).unwrap_or(0)
}

/// A time in `0..limit`; zero for a zero limit.
pub(crate) fn up_to(limit: Duration) -> Duration {
    let limit = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(number().checked_rem(limit).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_differ_and_stay_below_their_limit() {
        let limit = Duration::from_secs(10);
        let first = up_to(limit);
        assert!((0..20).any(|_| up_to(limit) != first));
        assert!(up_to(limit) < limit);
        assert_eq!(up_to(Duration::ZERO), Duration::ZERO);
        assert!((0..20).all(|_| below(3) < 3));
        assert_eq!(below(0), 0);
    }
}
