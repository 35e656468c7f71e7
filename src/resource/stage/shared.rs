//! One open directory for all files of a batch that go into it: hundreds of files must not need
//! hundreds of descriptors.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use super::{Stage, Target};
use crate::platform::Dir;

/// The directories that are open, by the path on which they were reached. Keeps none of them open
/// itself.
#[derive(Debug, Default)]
pub struct Directories {
    open: BTreeMap<PathBuf, Weak<Dir>>,
}

impl Directories {
    /// Lets the target use the directory of an earlier one, if it is the same.
    pub fn share_target(&mut self, target: &mut Target) {
        self.share(&mut target.dir);
    }

    /// The same for a staged file, for which directories may have been made.
    pub fn share_stage(&mut self, stage: &mut Stage) {
        self.share(&mut stage.target.dir);
        stage.file.dir = Arc::clone(&stage.target.dir);
    }

    fn share(&mut self, dir: &mut Arc<Dir>) {
        match self.open.get(dir.path()).and_then(Weak::upgrade) {
            Some(known) if Arc::ptr_eq(&known, dir) => {}
            Some(known) if is_same(&known, dir) => *dir = known,
            _ => {
                let path = dir.path().to_owned();
                self.open.insert(path, Arc::downgrade(dir));
            }
        }
    }
}

/// Returns true if the path still leads to the same directory.
fn is_same(one: &Dir, other: &Dir) -> bool {
    let id = |dir: &Dir| dir.meta().map(|meta| meta.id).ok();
    id(one).is_some_and(|found| Some(found) == id(other))
}
