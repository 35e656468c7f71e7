//! Whether a file is still the one that was read, without reading it.

use std::fs::Metadata;
use std::time::{Duration, SystemTime};

/// Old file systems count whole seconds: a file changed this shortly before it was read may change again unseen.
const GRANULARITY: Duration = Duration::from_secs(2);

/// What is remembered of a file that was read.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    len: u64,
    modified: Option<SystemTime>,
    settled: bool,
}

impl Stamp {
    /// Of a file about which the system says nothing: it is read anew each time.
    pub const UNKNOWN: Stamp = Stamp {
        len: 0,
        modified: None,
        settled: false,
    };

    /// The stamp of a file from what the system says of it, taken before the file is read.
    pub fn of(metadata: &Metadata) -> Stamp {
        let modified = metadata.modified().ok();
        let settled = modified
            .and_then(|modified| SystemTime::now().duration_since(modified).ok())
            .is_some_and(|age| age > GRANULARITY);
        Stamp {
            len: metadata.len(),
            modified,
            settled,
        }
    }

    /// True when the file of `now` is certainly the one that was read.
    pub fn still(&self, now: &Stamp) -> bool {
        self.settled && self.len == now.len && self.modified == now.modified
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    #[test]
    fn a_young_file_is_read_again_and_an_old_one_only_when_changed() {
        let path = std::env::temp_dir().join(format!("confd-stamp-{}", std::process::id()));
        fs::write(&path, "a").unwrap();
        let stamp = || Stamp::of(&fs::metadata(&path).unwrap());
        assert!(!stamp().still(&stamp()), "just written");
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(hour_ago)
            .unwrap();
        let old = stamp();
        assert!(old.still(&stamp()));
        fs::write(&path, "ab").unwrap();
        assert!(!old.still(&stamp()));
        fs::remove_file(&path).unwrap();
    }
}
