//! The promise that nothing which happens to the program costs a file, tried out: kills and
//! failures at every system call, a service that answers anything, commands that misbehave, clocks
//! that jump, more of everything than anybody has.
//!
//! `make test` runs a short share, `make torture` everything; each test ends with a line that says
//! what it has run.

pub(crate) mod calls;
mod commands;
mod disks;
mod errors;
mod fleet;
mod kills;
mod load;
pub(crate) mod reloads;
mod runs;
mod scene;
mod service;
mod shapes;
mod soak;
mod time;

use std::sync::Mutex;
use std::thread;

use crate::env::share_of;
use crate::fuzz::choices::{Choices, Seeded};

/// How many runs go on at once: most of their time they wait for the disk and for each other.
pub(crate) const SIDE_BY_SIDE: usize = 6;

/// Whether everything is wanted, as by `make torture`.
fn is_whole() -> bool {
    share_of(1000) == 1000
}

/// All of the cases, or as many of them as the share asks for, the same ones every time.
pub(crate) fn sample<T>(mut cases: Vec<T>) -> Vec<T> {
    let wanted = share_of(cases.len());
    let mut choices = Seeded(7);
    while cases.len() > wanted {
        cases.swap_remove(choices.below(cases.len()));
    }
    cases
}

/// Runs `test` for each case, so many at once, and returns what it returned, in no order.
pub(crate) fn for_each<T: Send, R: Send>(
    at_once: usize,
    cases: Vec<T>,
    test: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let (cases, results) = (Mutex::new(cases), Mutex::new(Vec::new()));
    let take = || cases.lock().expect("nobody panics with the lock").pop();
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(case) = take() {
                    let result = test(case);
                    let mut results = results.lock().expect("nobody panics with the lock");
                    results.push(result);
                }
            });
        }
    });
    results.into_inner().expect("nobody panics with the lock")
}
