//! Other processes, as /proc shows them: who runs, with which words, where it logs to, and who
//! holds a lock.
//!
//! Processes of other users are visible only in part, and without /proc none are.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::platform::Running;

/// The processes whose name begins like this, in the system's order.
pub fn processes(name: &str) -> io::Result<Vec<Running>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let pid = entry?.file_name();
        let process = pid.to_str().and_then(|pid| process(pid.parse().ok()?).ok());
        found.extend(process.filter(|process| process.name.starts_with(name)));
    }
    Ok(found)
}

/// One process by its number.
pub fn process(pid: u32) -> io::Result<Running> {
    let directory = PathBuf::from(format!("/proc/{pid}"));
    let stat = fs::read(directory.join("stat"))?;
    let (name, state) = parse_stat(&stat).ok_or(ErrorKind::InvalidData)?;
    Ok(Running {
        pid,
        uid: fs::metadata(&directory)?.uid(),
        name,
        stopped: state == 'T',
    })
}

/// `PID (NAME) STATE …`, where the name may hold anything.
fn parse_stat(stat: &[u8]) -> Option<(String, char)> {
    let text = String::from_utf8_lossy(stat);
    let (_, rest) = text.split_once('(')?;
    let (name, rest) = rest.rsplit_once(')')?;
    Some((name.to_owned(), rest.trim_start().chars().next()?))
}

/// Returns true if the process of this [`Announcement`] has not ended. Its number alone would not
/// tell: another process may have it by now, but none that began at the same time.
///
/// [`Announcement`]: super::process::Announcement
pub fn is_still_running(announced: &[u8]) -> bool {
    let Some((pid, began)) = parse_begin(announced) else {
        return false;
    };
    let Ok(stat) = fs::read(format!("/proc/{pid}/stat")) else {
        return false;
    };
    let is_dead = parse_stat(&stat).is_some_and(|(_, state)| matches!(state, 'Z' | 'X'));
    !is_dead && parse_begin(&stat) == Some((pid, began))
}

/// The number of a process and the time when it began, fields 1 and 22 of its `stat`.
fn parse_begin(stat: &[u8]) -> Option<(u32, u64)> {
    let text = String::from_utf8_lossy(stat);
    let (pid, _) = text.split_once(' ')?;
    let (_, rest) = text.rsplit_once(')')?;
    let began = rest.split_ascii_whitespace().nth(19)?;
    Some((pid.parse().ok()?, began.parse().ok()?))
}

impl Running {
    fn at(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.pid))
    }

    /// The words that it was started with, its own name first.
    pub fn arguments(&self) -> io::Result<Vec<OsString>> {
        let text = fs::read(self.at("cmdline"))?;
        let text = text.strip_suffix(b"\0").unwrap_or(&text);
        let mut words = Vec::new();
        for word in text.split(|byte| *byte == 0) {
            words.push(OsStr::from_bytes(word).into());
        }
        Ok(words)
    }

    /// A variable of the environment that it was started with.
    pub fn variable(&self, name: &str) -> Option<OsString> {
        let text = fs::read(self.at("environ")).ok()?;
        let mut variables = text.split(|byte| *byte == 0);
        variables.find_map(|variable| {
            let value = variable.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            Some(OsStr::from_bytes(value).into())
        })
    }

    /// A path of its own as others can open it: it may have another root or working directory.
    pub fn see(&self, path: &Path) -> PathBuf {
        match path.strip_prefix("/") {
            Ok(below) => self.at("root").join(below),
            Err(_) => self.at("cwd").join(path),
        }
    }

    /// The path of its program; ends with ` (deleted)` when that was replaced since.
    pub fn program(&self) -> io::Result<PathBuf> {
        fs::read_link(self.at("exe"))
    }

    /// Returns true if it runs `program`.
    pub fn runs(&self, program: &Path) -> io::Result<bool> {
        same_file(&self.at("exe"), program)
    }

    /// Where its stderr goes; ends with ` (deleted)` when that file was removed since.
    pub fn log(&self) -> io::Result<PathBuf> {
        fs::read_link(self.at("fd/2"))
    }
}

/// Returns true if two paths lead to one file or directory.
pub fn same_file(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (fs::metadata(one)?, fs::metadata(other)?);
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
}

/// The number of the process that holds the lock of this directory by itself.
pub(crate) fn lock_holder(confdir: &Path) -> Option<u32> {
    let inode = fs::metadata(confdir).ok()?.ino();
    let locks = fs::read("/proc/locks").ok()?;
    parse_locks(&String::from_utf8_lossy(&locks), inode)
}

/// `1: FLOCK  ADVISORY  WRITE 812 08:01:1234 0 EOF`. The device is not compared: some file systems
/// show another one elsewhere.
fn parse_locks(text: &str, inode: u64) -> Option<u32> {
    text.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, "WRITE", pid, file, ..] = words.as_slice() else {
            return None;
        };
        let (_, number) = file.rsplit_once(':')?;
        let pid = pid.parse().ok()?;
        (number.parse() == Ok(inode) && pid > 0).then_some(pid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen() {
        let own = process(std::process::id()).unwrap();
        let found = processes(&own.name).unwrap();
        assert!(found.iter().any(|process| process.pid == own.pid));
        assert_eq!(
            own.arguments().unwrap(),
            Vec::from_iter(std::env::args_os())
        );
        assert!(own.runs(&std::env::current_exe().unwrap()).unwrap());
        assert_eq!(own.variable("PATH"), std::env::var_os("PATH"));
        assert_eq!(own.variable("PAT"), None);
        assert!(!own.stopped);
        assert!(same_file(&own.see(Path::new("/proc")), Path::new("/proc")).unwrap());
    }

    #[test]
    fn a_name_may_hold_anything() {
        for (stat, parsed) in [
            (&b"7 (confd) S 1"[..], Some(("confd", 'S'))),
            (b"7 (a) R (b) T 1", Some(("a) R (b", 'T'))),
            (b"7 (confd)", None),
            (b"", None),
        ] {
            let parsed = parsed.map(|(name, state)| (name.to_owned(), state));
            assert_eq!(parse_stat(stat), parsed);
        }
    }

    #[test]
    fn a_process_is_known_by_its_number_and_its_begin() {
        let own = fs::read("/proc/self/stat").unwrap();
        assert!(is_still_running(&own));
        let (pid, began) = parse_begin(&own).unwrap();
        let other = String::from_utf8(own).unwrap();
        let other = other.replace(&format!(" {began} "), &format!(" {} ", began + 1));
        assert!(!is_still_running(other.as_bytes()), "{pid}");
        for nothing in [&b""[..], b"7", b"7 (x) S 1 2", b"0 (x"] {
            assert!(!is_still_running(nothing));
        }
    }

    #[test]
    fn the_holder_of_a_lock_is_found_by_the_inode() {
        let text = "1: POSIX  ADVISORY  WRITE 5 08:01:77 0 EOF\n\
                    2: FLOCK  ADVISORY  READ  6 08:01:77 0 EOF\n\
                    3: -> FLOCK  ADVISORY  WRITE 7 08:01:77 0 EOF\n\
                    4: FLOCK  ADVISORY  WRITE 0 08:01:77 0 EOF\n\
                    5: FLOCK  ADVISORY  WRITE 812 08:01:77 0 EOF\n\
                    6: FLOCK  ADVISORY  WRITE 9 08:01:78 0 EOF\n";
        for (inode, pid) in [(77, Some(812)), (78, Some(9)), (7, None)] {
            assert_eq!(parse_locks(text, inode), pid, "{inode}");
        }
    }
}
