//! Other processes, which are not examined on Windows: there seem to be none, and the holder of a
//! lock is unknown.

use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::platform::Running;

/// None: see above.
pub fn processes(_name: &str) -> io::Result<Vec<Running>> {
    Ok(Vec::new())
}

/// None: see above.
pub fn process(_pid: u32) -> io::Result<Running> {
    Err(ErrorKind::Unsupported.into())
}

impl Running {
    /// Not known.
    pub fn arguments(&self) -> io::Result<Vec<OsString>> {
        Err(ErrorKind::Unsupported.into())
    }

    /// Not known.
    pub fn variable(&self, _name: &str) -> Option<OsString> {
        None
    }

    /// All processes see the same files.
    pub fn see(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }

    /// Not known.
    pub fn program(&self) -> io::Result<PathBuf> {
        Err(ErrorKind::Unsupported.into())
    }

    /// Not known.
    pub fn runs(&self, _program: &Path) -> io::Result<bool> {
        Err(ErrorKind::Unsupported.into())
    }

    /// Not known.
    pub fn log(&self) -> io::Result<PathBuf> {
        Err(ErrorKind::Unsupported.into())
    }
}

/// Returns true if two paths lead to one file or directory.
pub fn same_file(one: &Path, other: &Path) -> io::Result<bool> {
    Ok(fs::canonicalize(one)? == fs::canonicalize(other)?)
}

/// Not known.
pub fn lock_holder(_confdir: &Path) -> Option<u32> {
    None
}
