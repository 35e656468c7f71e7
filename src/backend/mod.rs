//! Where metadata comes from: a whole tree at a time, or an error and nothing.
//!
//! All sources have the same interface: fetch the tree below the global prefix, wait for another
//! one. Knows no resources and does not try again: the agent decides when to ask.

mod cancel;
mod env;
mod file;
mod http;
mod metad;

use std::fmt;
use std::sync::Arc;

use crate::config::{Config, Mode, Source};
use crate::error::Result;
use crate::tree::Tree;

pub use cancel::Cancel;
pub use metad::{Probe, probe, urls};

/// The position of a tree in the history of the metadata, for [`Backend::wait`] and for people. A
/// server that restarts counts from 1 again, so versions have no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(u64);

impl Version {
    /// As the source counts.
    pub fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One answer: a whole tree, with at least one leaf.
#[derive(Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The metadata below the global prefix, without it in the keys. Shared with the answer before
    /// when that had the same bytes.
    pub tree: Arc<Tree>,
    /// The version to wait from.
    pub version: Version,
}

/// A source of metadata.
#[derive(Debug)]
pub enum Backend {
    /// A metadata service.
    Metad(metad::Metad),
    /// Recorded metadata.
    File(file::Recorded),
    /// Environment variables.
    Env(env::Environment),
}

impl Backend {
    /// The source that the settings name. Nothing is asked yet.
    pub fn new(config: &Config) -> Backend {
        let prefix = config.fetch_prefix();
        match &config.source {
            Source::Metad(nodes) => {
                let limits = http::Limits::default();
                let (poll_limit, jitter) = (config.poll_limit, config.jitter());
                let once = config.mode == Mode::Onetime;
                let metad = metad::Metad::new(nodes, prefix, limits, poll_limit, jitter, once);
                Backend::Metad(metad)
            }
            Source::File(paths) => Backend::File(file::Recorded::new(paths, config.poll_limit)),
            Source::Env => Backend::Env(env::Environment::new(prefix, config.poll_limit)),
        }
    }

    /// Asks once, every node if need be, each within the limits of [`http`].
    pub fn fetch(&mut self) -> Result<Fetched> {
        match self {
            Backend::Metad(metad) => metad.fetch(),
            Backend::File(recorded) => recorded.fetch(),
            Backend::Env(environment) => environment.fetch(),
        }
    }

    /// Waits until there is another tree than that of `known`. It may be an equal one, so compare.
    /// None when there was nothing new for `poll_limit`, or after a cancel.
    pub fn wait(&mut self, known: Version) -> Result<Option<Fetched>> {
        match self {
            Backend::Metad(metad) => metad.wait(known),
            Backend::File(recorded) => recorded.wait(),
            Backend::Env(environment) => Ok(environment.wait()),
        }
    }

    /// The switch by which another thread ends a call of [`Backend::fetch`] or [`Backend::wait`].
    pub fn cancel(&self) -> Cancel {
        match self {
            Backend::Metad(metad) => metad.cancel(),
            Backend::File(recorded) => recorded.cancel(),
            Backend::Env(environment) => environment.cancel(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_can_live_in_a_thread_of_its_own() {
        fn moves<T: Send>() {}
        moves::<Backend>();
        moves::<Fetched>();
    }
}
