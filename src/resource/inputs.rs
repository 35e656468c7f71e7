//! Everything that a rendering depends on: the metadata that it read, and what it asked others.

use std::sync::Arc;

use super::funcs::{HostEnv, Observed};
use super::input::FileInput;
use crate::config::Config;
use crate::template::Options;
use crate::tree::{ReadSet, Tree};

/// Everything that a rendering depends on.
#[derive(Debug)]
pub struct Inputs {
    pub(super) reads: ReadSet,
    /// The part that is not metadata.
    pub system: SystemInputs,
}

impl Inputs {
    /// Goes on to a newer tree if a rendering of that would be the same; false if it has to be
    /// rendered again.
    pub fn follow(&mut self, tree: &Arc<Tree>) -> bool {
        self.reads.follow(tree)
    }
}

/// The inputs of a rendering beside the metadata. Inspecting them takes as long as files and name
/// servers take.
#[derive(Clone, Debug)]
pub struct SystemInputs {
    pub(super) observed: Observed,
    /// The template, and what it includes.
    pub(super) files: Vec<FileInput>,
}

impl SystemInputs {
    /// Returns true if the template, or a file that it includes, has changed.
    pub fn have_files_changed(&mut self) -> bool {
        self.files.iter_mut().any(FileInput::has_changed)
    }

    /// Returns true if a call of the template would return something else now.
    pub fn have_calls_changed(&self, config: &Config) -> bool {
        let around = HostEnv::of_process(&config.confdir.join("templates"), Options::default());
        self.observed.has_changed(&around)
    }

    /// Returns true if a file was read so shortly after a change that this may have been in the
    /// middle of it.
    pub fn are_young(&self) -> bool {
        self.files.iter().any(FileInput::is_young)
    }
}
