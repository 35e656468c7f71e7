//! `-check`: each check_cmd on each file that was rendered for it, once for equal files.

use std::collections::BTreeMap;
use std::env;
use std::rc::Rc;

use crate::error::Result;
use crate::resource::Resource;
use crate::resource::stage::{Attributes, Stage, Target};

/// The checks that ran, by resource and content.
#[derive(Default)]
pub(super) struct Checks {
    known: BTreeMap<(usize, Rc<[u8]>), Option<String>>,
}

impl Checks {
    /// Returns the content if the resource's check_cmd accepts it.
    pub(super) fn check(
        &mut self,
        index: usize,
        resource: &Resource,
        content: Rc<[u8]>,
    ) -> Result<Rc<[u8]>, String> {
        let entry = self.known.entry((index, Rc::clone(&content)));
        let problem =
            entry.or_insert_with(|| run(resource, &content).err().map(|error| error.chain()));
        match problem {
            None => Ok(content),
            Some(message) => Err(message.clone()),
        }
    }
}

/// Runs the check_cmd on a private copy of the content, which nobody else can read or replace.
fn run(resource: &Resource, content: &[u8]) -> Result<()> {
    // The other files of a group are not there to be checked together.
    if resource
        .check_cmd()
        .is_none_or(|check| check.contains(".stage "))
    {
        return Ok(());
    }
    let wanted = Attributes {
        mode: Some(0o600),
        ..Attributes::default()
    };
    let name = resource.dest().file_name().unwrap_or_default();
    let target = Target::resolve(&env::temp_dir().join(name), wanted)?.afresh();
    // Never committed: it goes when the check has ended.
    let stage = Stage::create(target, content, false)?;
    let check = resource.check_on(&stage.path())?;
    resource.judge_check(check.judge(&check.run()?))
}
