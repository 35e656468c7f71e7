//! Reloads that are still owed, remembered on disk: a marker file for each dest whose resource says `reload_retry`.
//!
//! Made before the swap and removed when the reload worked. The process that takes care of a marker holds a lock
//! on it, which the system releases when that process dies: a marker without a lock is one to take over.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use md5::{Digest, Md5};

use crate::error::{Error, Result};
use crate::go::hex;
use crate::platform;

/// Below confdir.
const DIRECTORY: &str = "owed";

/// An owed reload that this process takes care of.
#[derive(Debug)]
pub struct Owed {
    path: PathBuf,
    /// Holds the lock.
    _file: File,
}

impl Owed {
    /// Marks the reload of `dest` as owed, on the disk.
    pub fn mark(confdir: &Path, dest: &Path) -> Result<Owed> {
        let path = marker(confdir, dest);
        let directory = confdir.join(DIRECTORY);
        match fs::create_dir(&directory) {
            Err(source) if !directory.is_dir() => {
                return Err(Error::io("make", &directory, source));
            }
            _ => {}
        }
        // For nobody else to open: his lock on it would make this reload look like one that is taken care of.
        let made = platform::open_private(&path);
        let mut file = made.map_err(|source| Error::io("make", &path, source))?;
        file.try_lock()
            .map_err(|error| Error::io("lock", &path, error.into()))?;
        let write = writeln!(file, "{}", dest.display()).and_then(|()| file.sync_all());
        write.map_err(|source| Error::io("write", &path, source))?;
        Ok(Owed { path, _file: file })
    }

    /// The owed reload of `dest`, if there is one that nobody takes care of.
    pub fn find(confdir: &Path, dest: &Path) -> Option<Owed> {
        let path = marker(confdir, dest);
        let file = File::options().write(true).open(&path).ok()?;
        file.try_lock().ok()?;
        // Whoever settled it in between has removed it.
        path.exists().then_some(Owed { path, _file: file })
    }

    /// Whether a reload of `dest` is owed, whoever takes care of it. Leaves the marker alone.
    pub fn exists(confdir: &Path, dest: &Path) -> bool {
        marker(confdir, dest).exists()
    }

    /// The reload worked.
    pub fn settle(self) -> Result<()> {
        fs::remove_file(&self.path).map_err(|source| Error::io("remove", &self.path, source))?;
        if let Some(directory) = self.path.parent() {
            // Refused while other reloads are owed, which is as it should be.
            let _ = fs::remove_dir(directory);
        }
        Ok(())
    }
}

fn marker(confdir: &Path, dest: &Path) -> PathBuf {
    let digest = Md5::digest(dest.as_os_str().as_encoded_bytes());
    confdir.join(DIRECTORY).join(hex::encode(&digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_once_nobody_holds_it_and_gone_when_settled() {
        let confdir = std::env::temp_dir().join(format!("confd-owed-{}", std::process::id()));
        fs::create_dir_all(&confdir).unwrap();
        let dest = Path::new("/etc/a.conf");
        let owed = Owed::mark(&confdir, dest).unwrap();
        assert!(Owed::find(&confdir, dest).is_none(), "held by this process");
        drop(owed);
        assert!(Owed::find(&confdir, Path::new("/etc/b.conf")).is_none());
        let owed = Owed::find(&confdir, dest).expect("left behind");
        owed.settle().unwrap();
        assert!(Owed::find(&confdir, dest).is_none());
        fs::remove_dir_all(&confdir).unwrap();
    }
}
