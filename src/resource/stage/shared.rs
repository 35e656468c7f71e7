//! One open directory for all files of a batch that go into it: hundreds of files need neither
//! hundreds of descriptors nor hundreds of walks along the same path.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use super::{Attributes, Stage, Target};
use crate::error::Result;
use crate::platform::Dir;

/// The directories that are open, by the path on which they were reached. Keeps none of them open
/// itself.
#[derive(Debug, Default)]
pub struct Directories {
    open: BTreeMap<PathBuf, Weak<Dir>>,
}

impl Directories {
    /// [`Target::resolve`], by way of the directory of an earlier one where that is on the path.
    pub fn resolve(&mut self, dest: &Path, wanted: Attributes) -> Result<Target> {
        let known = dest.parent().and_then(|parent| self.open.get(parent));
        if let Some(dir) = known.and_then(Weak::upgrade) {
            return Target::resolve_in(dir, dest, wanted);
        }
        let mut target = Target::resolve(dest, wanted)?;
        self.share_target(&mut target);
        Ok(target)
    }

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
