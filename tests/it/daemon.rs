//! The daemon: nothing lost, nothing twice, and hardly anything while nothing happens.

mod load;
mod outage;
mod reloads;
mod retry;
mod signals;
mod watch;
