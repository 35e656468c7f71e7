//! Where metadata comes from: a whole tree at a time, or an error and nothing.
//!
//! All sources look alike from outside: fetch the tree below the global prefix, wait for another one. Knows no resources
//! and does not try again: when to ask is the agent's decision.

mod env;
mod file;
mod http;
mod metad;

use std::fmt;

use crate::config::{Config, Source};
use crate::error::Result;
use crate::tree::Tree;

pub use metad::{Sight, look, urls};

/// Where in the history of the metadata a tree stands. Only for [`Backend::wait`] and for people: a server that starts
/// anew counts anew, so versions have no order.
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
    /// The metadata below the global prefix, whose keys do not have it.
    pub tree: Tree,
    /// What to wait from.
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
                let (poll_limit, spread) = (config.poll_limit, config.spread());
                Backend::Metad(metad::Metad::new(nodes, prefix, limits, poll_limit, spread))
            }
            Source::File(paths) => Backend::File(file::Recorded::new(paths, config.poll_limit)),
            Source::Env => Backend::Env(env::Environment::new(prefix, config.poll_limit)),
        }
    }

    /// Asks once, every node if need be. Takes no longer than the limits of [`http`] for each of them.
    pub fn fetch(&mut self) -> Result<Fetched> {
        match self {
            Backend::Metad(metad) => metad.fetch(),
            Backend::File(recorded) => recorded.fetch(),
            Backend::Env(environment) => environment.fetch(),
        }
    }

    /// Waits until there is another tree than that of `known`. It may be the same one again, so compare; none when there
    /// was nothing new for `poll_limit`.
    pub fn wait(&mut self, known: Version) -> Result<Option<Fetched>> {
        match self {
            Backend::Metad(metad) => metad.wait(known),
            Backend::File(recorded) => recorded.wait(),
            Backend::Env(environment) => Ok(environment.wait()),
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
