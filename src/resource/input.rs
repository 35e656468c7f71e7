//! A file that a rendering depends on, as it was read: enough to tell later whether it has changed.
//!
//! A stamp that is the same and old enough says so without reading; otherwise the content decides.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::Stamp;
use crate::platform;
use crate::template::MAX_SOURCE;

/// A file that was read.
#[derive(Clone, Debug)]
pub struct FileInput {
    path: PathBuf,
    stamp: Stamp,
    digest: u64,
}

impl FileInput {
    /// Reads a file of at most [`MAX_SOURCE`] bytes and one more, by which the caller knows that it
    /// is too long. Anything but a regular file, which could keep a reader waiting, is refused.
    pub fn read(path: &Path) -> io::Result<(FileInput, Vec<u8>)> {
        let file = platform::open_without_waiting(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            let text = "it is not a regular file";
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        let content = platform::read(&file, metadata.len(), MAX_SOURCE as u64 + 1)?;
        let input = FileInput {
            path: path.to_owned(),
            stamp: Stamp::of(&metadata),
            digest: digest(&content),
        };
        Ok((input, content))
    }

    /// Returns true if the file certainly has not changed since, found out without reading it.
    pub fn is_unchanged(&self, now: &fs::Metadata) -> bool {
        self.stamp.still(&Stamp::of(now))
    }

    /// Returns true if the file has other content now. A file that cannot be read has changed: the
    /// next rendering says why.
    pub fn has_changed(&mut self) -> bool {
        if fs::metadata(&self.path).is_ok_and(|now| self.is_unchanged(&now)) {
            return false;
        }
        match FileInput::read(&self.path) {
            Ok((now, _)) if now.digest == self.digest => {
                self.stamp = now.stamp;
                false
            }
            _ => true,
        }
    }

    /// Returns true if the file was changed so shortly before it was read that this may have been
    /// in the middle of a change.
    pub fn is_young(&self) -> bool {
        !self.stamp.is_settled()
    }
}

/// A number that stands for a content: equal contents have equal numbers.
pub(super) fn digest(content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    #[test]
    fn content_decides_where_the_stamp_does_not() {
        let path = std::env::temp_dir().join(format!("confd-input-{}", std::process::id()));
        fs::write(&path, "one").unwrap();
        let (mut input, content) = FileInput::read(&path).unwrap();
        assert_eq!(content, b"one");
        assert!(input.is_young() && !input.has_changed());
        // Another file of the same size and time.
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        let other = path.with_extension("other");
        fs::write(&other, "two").unwrap();
        let file = fs::File::options().write(true).open(&other).unwrap();
        file.set_modified(time).unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(input.has_changed());
        fs::write(&path, "one").unwrap();
        let later = SystemTime::now() + Duration::from_secs(7);
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(later).unwrap();
        assert!(!input.has_changed(), "only touched");
        fs::remove_file(&path).unwrap();
        assert!(input.has_changed());
        assert!(
            FileInput::read(&std::env::temp_dir()).is_err(),
            "a directory"
        );
    }
}
