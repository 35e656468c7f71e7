//! One apply at a time: a lock for each directory, which the kernel gives back when its holder
//! dies.
//!
//! It is on a file of its own in the directory, which nobody but its owner can open: whoever could
//! might hold the lock and make confd wait. The file is empty, stays, and means nothing by itself.
//!
//! Beside it stands the generation: a number that the holder of the lock increases before it
//! replaces files. Whoever notes it before a request for metadata, and finds it changed once it
//! holds the lock, knows that others may have written newer files meanwhile. It is a file of its
//! own because Windows lets nobody read a locked one.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use super::{lock_holder, open_for_lock, open_private, open_to_look};

/// In the directory; every version of confd must use the same.
const NAME: &str = ".confd.lock";
/// The file with the generation, in the same directory.
const GENERATION: &str = ".confd.generation";

/// Held from [`Lock::acquire`] until it is dropped or the process is gone. Commands do not inherit
/// it.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Waits until no other process holds the lock of `directory`. `Unsupported` and the like when
    /// its file system has no locks.
    pub fn acquire(directory: &Path) -> io::Result<Lock> {
        let file = open_for_lock(directory, NAME)?;
        loop {
            match file.lock() {
                Ok(()) => return Ok(Lock { file }),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The same without waiting; `None` when another process holds the lock.
    pub fn try_acquire(directory: &Path) -> io::Result<Option<Lock>> {
        let file = open_for_lock(directory, NAME)?;
        let locked = file.try_lock();
        Lock::tried(file, locked)
    }

    /// A lock that others of its kind can hold as well; `None` when somebody holds it exclusively.
    pub fn try_share(directory: &Path) -> io::Result<Option<Lock>> {
        let file = open_for_lock(directory, NAME)?;
        let locked = file.try_lock_shared();
        Lock::tried(file, locked)
    }

    /// Returns true if somebody holds a lock of `directory`, of either kind. Makes no file, and
    /// keeps nothing.
    pub fn is_taken(directory: &Path) -> io::Result<bool> {
        let file = open_to_look(directory, NAME)?;
        file.map_or(Ok(false), |file| {
            let locked = file.try_lock();
            Lock::tried(file, locked).map(|lock| lock.is_none())
        })
    }

    /// Returns true if somebody holds it exclusively. Makes no file, and keeps nothing.
    pub fn is_held(directory: &Path) -> io::Result<bool> {
        let file = open_to_look(directory, NAME)?;
        file.map_or(Ok(false), |file| {
            let locked = file.try_lock_shared();
            Lock::tried(file, locked).map(|lock| lock.is_none())
        })
    }

    /// The number of the process that holds it exclusively, if that can be seen.
    pub fn holder(directory: &Path) -> Option<u32> {
        lock_holder(&directory.join(NAME)).or_else(|| lock_holder(directory))
    }

    /// Increases the generation of `directory`, whose lock this is; returns the new one. It is not
    /// synced: after a power cut no process is left that has noted an older one.
    pub fn advance(&self, directory: &Path) -> io::Result<u64> {
        let next = generation(directory)?.wrapping_add(1);
        let mut file = open_private(&directory.join(GENERATION))?;
        // In one write of a fixed length, which no reader sees in part.
        file.write_all(format!("{next:020}\n").as_bytes())?;
        Ok(next)
    }

    fn tried(file: File, locked: Result<(), TryLockError>) -> io::Result<Option<Lock>> {
        match locked {
            Ok(()) => Ok(Some(Lock { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// The generation of the files that are made from `directory`: 0 before the first change. Needs no
/// lock.
pub fn generation(directory: &Path) -> io::Result<u64> {
    let text = match fs::read_to_string(directory.join(GENERATION)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        text => text?,
    };
    // Whatever else stands there, the next change puts a number in its place.
    Ok(text.trim_end().parse().unwrap_or(0))
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone would not do: a command being started shares the descriptor until it runs.
        // Nothing is left to try when this fails, and the descriptor is closed next.
        let _closed_next = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

    fn directory(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("confd-lock-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn one_holder_at_a_time() {
        let confdir = directory("one");
        let lock = Lock::acquire(&confdir).unwrap();
        assert!(Lock::try_acquire(&confdir).unwrap().is_none());
        drop(lock);
        assert!(Lock::try_acquire(&confdir).unwrap().is_some());
        std::fs::remove_dir_all(confdir).unwrap();
    }

    #[test]
    fn those_who_share_it_keep_out_only_those_who_do_not() {
        let confdir = directory("share");
        let [one, other] = [(); 2].map(|()| Lock::try_share(&confdir).unwrap());
        assert!(one.is_some() && other.is_some());
        assert!(Lock::try_acquire(&confdir).unwrap().is_none());
        drop((one, other));
        let lock = Lock::try_acquire(&confdir).unwrap();
        assert!(lock.is_some());
        assert!(Lock::try_share(&confdir).unwrap().is_none());
        drop(lock);
        std::fs::remove_dir_all(confdir).unwrap();
    }

    #[test]
    fn a_generation_grows_with_each_change() {
        let confdir = directory("generation");
        assert_eq!(generation(&confdir).unwrap(), 0);
        let lock = Lock::acquire(&confdir).unwrap();
        for expected in [1, 2] {
            assert_eq!(lock.advance(&confdir).unwrap(), expected);
            assert_eq!(generation(&confdir).unwrap(), expected);
        }
        std::fs::write(confdir.join(GENERATION), "no number").unwrap();
        assert_eq!(lock.advance(&confdir).unwrap(), 1);
        drop(lock);
        std::fs::remove_dir_all(confdir).unwrap();
    }

    #[test]
    fn the_next_one_waits_until_the_lock_is_free() {
        let confdir = directory("wait");
        let lock = Lock::acquire(&confdir).unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let place = confdir.clone();
        let waiting = std::thread::spawn(move || {
            let lock = Lock::acquire(&place).unwrap();
            sender.send("acquired").unwrap();
            drop(lock);
        });
        assert!(receiver.try_recv().is_err());
        drop(lock);
        assert_eq!(receiver.recv().unwrap(), "acquired");
        waiting.join().unwrap();
        std::fs::remove_dir_all(confdir).unwrap();
    }

    #[test]
    fn a_command_that_lives_on_does_not_hold_it() {
        let confdir = directory("child");
        let lock = Lock::acquire(&confdir).unwrap();
        let mut child = super::super::shell("sort")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        drop(lock);
        assert!(Lock::try_acquire(&confdir).unwrap().is_some());
        drop(child.stdin.take());
        child.wait().unwrap();
        std::fs::remove_dir_all(confdir).unwrap();
    }

    #[test]
    fn a_missing_directory_is_an_error() {
        let missing = directory("missing").join("not there");
        assert!(Lock::acquire(&missing).is_err());
        assert!(Lock::try_acquire(&missing).is_err());
        std::fs::remove_dir_all(missing.parent().unwrap()).unwrap();
    }
}
