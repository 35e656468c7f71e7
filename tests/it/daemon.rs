//! The daemon: nothing lost, nothing twice, and hardly anything while nothing happens. The
//! guarantees about time have their tests in `time`.

mod load;
mod outage;
mod reloads;
mod retry;
mod signals;
mod watch;
