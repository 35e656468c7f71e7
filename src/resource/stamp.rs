//! Returns whether a file is still the one that was read, without reading it.

use std::fs::Metadata;
use std::time::{Duration, SystemTime};

use crate::platform;

/// A file that was changed less than this before it was read may be half written, and old file
/// systems, which count whole seconds, may not show the rest of the change.
pub const SETTLED: Duration = Duration::from_secs(3);

/// The attributes of a file that change when the file does.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    len: u64,
    modified: Option<SystemTime>,
    revision: platform::Revision,
    settled: bool,
}

impl Stamp {
    /// The stamp of a file about which the system says nothing: it has always changed.
    pub const UNKNOWN: Stamp = Stamp {
        len: 0,
        modified: None,
        revision: platform::Revision::UNKNOWN,
        settled: false,
    };

    /// The stamp of a file from what the system says of it, taken before the file is read.
    pub fn of(metadata: &Metadata) -> Stamp {
        let modified = metadata.modified().ok();
        let revision = platform::Revision::of(metadata);
        let changed = modified.max(revision.changed());
        let settled = changed
            .and_then(|changed| SystemTime::now().duration_since(changed).ok())
            .is_some_and(|age| age > SETTLED);
        Stamp {
            len: metadata.len(),
            modified,
            revision,
            settled,
        }
    }

    /// Returns true if the file of `now` is certainly the one that was read.
    pub fn still(&self, now: &Stamp) -> bool {
        self.settled && self.is_same(now)
    }

    /// Returns true if nothing that the system says about the file is different.
    pub fn is_same(&self, now: &Stamp) -> bool {
        (self.len, self.modified, self.revision) == (now.len, now.modified, now.revision)
    }

    /// Returns true if the last change was long enough ago to be complete.
    pub fn is_settled(&self) -> bool {
        self.settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    #[test]
    fn a_young_file_is_not_certain_and_every_change_shows() {
        let path = std::env::temp_dir().join(format!("confd-stamp-{}", std::process::id()));
        fs::write(&path, "a").unwrap();
        let stamp = || Stamp::of(&fs::metadata(&path).unwrap());
        let first = stamp();
        assert!(!first.still(&stamp()) && first.is_same(&stamp()));
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(hour_ago).unwrap();
        let old = stamp();
        assert!(!first.is_same(&old));
        fs::write(&path, "b").unwrap();
        file.set_modified(hour_ago).unwrap();
        if platform::Revision::of(&fs::metadata(&path).unwrap())
            .changed()
            .is_some()
        {
            assert!(!old.is_same(&stamp()), "of the same size and time");
        }
        let settled = Stamp {
            settled: true,
            ..stamp()
        };
        assert!(settled.still(&stamp()));
        fs::write(&path, "ab").unwrap();
        assert!(!settled.still(&stamp()));
        fs::remove_file(&path).unwrap();
    }
}
