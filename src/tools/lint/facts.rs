//! The facts about one resource: collected by the check of its conf.d file, used by the checks of
//! its template and of its keys.

use std::path::PathBuf;

use super::code::Code;
use crate::tools::finding::{Finding, Place};
use crate::tree::View;

/// The facts about a resource that the check of its template needs.
pub(super) struct ResourceFacts {
    /// The conf.d file, as shown.
    pub shown: String,
    /// `file:line` of `dest`.
    pub dest_line: String,
    pub dest_place: Place,
    pub dest: String,
    /// The name of the block that it makes in `dest`; none for the whole file.
    pub(super) block: Option<String>,
    /// The group that it is swapped with.
    pub(super) unit: Option<String>,
    /// To be reported when nothing else is in that group: nobody knows its name.
    pub(super) unknown_unit: Option<Finding>,
    /// To be reported when something else is in that group: it is one of users, too.
    pub(super) known_unit: Option<Finding>,
    /// It renders the template for each item of a list.
    pub(super) is_for_each: bool,
    pub template: PathBuf,
    pub keys: Vec<String>,
    /// The prefix that counts for it, global or its own; empty for none.
    pub prefix: String,
    pub commands: Vec<String>,
    /// The metadata that it sees, if there is metadata.
    pub view: Option<View>,
    /// To be reported when the template reads metadata.
    pub no_keys: Option<Finding>,
    /// Everybody can read the file.
    pub is_public: bool,
}

impl ResourceFacts {
    /// The finding for a secret that everybody can read.
    pub(super) fn readable_secret(&self, key: &str) -> Finding {
        let message = format!("everybody can read {}, which has {key}", self.dest);
        let help = "write mode = \"0600\", or \"0640\" with a group";
        Code::W213.at(self.dest_place.clone(), message, help)
    }
}
