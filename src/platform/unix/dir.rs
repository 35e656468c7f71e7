//! An open directory, and what stands in it by name. No name is followed when it is a link, and
//! none is looked up twice by path: whoever renames or replaces a directory above changes nothing
//! for the one that is open.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use crate::platform::{Kind, Meta};

/// The longest text of a link that Linux stores.
const LONGEST_LINK: usize = 4096;

/// An open directory. A child does not inherit it.
#[derive(Debug)]
pub struct Dir {
    fd: OwnedFd,
    path: PathBuf,
    /// Holds a shared lock on the directory.
    claim: OnceLock<File>,
}

/// A directory that no other process has claimed; none may until this is dropped.
#[derive(Debug)]
pub struct Alone {
    _lock: Option<File>,
}

/// How long a claim waits for a process that clears the directory.
const CLAIM_ATTEMPTS: u32 = 20;
const CLAIM_PAUSE: Duration = Duration::from_millis(5);

impl Dir {
    /// Where the walk along `path` begins: the root, or the working directory.
    pub fn start(path: &Path) -> io::Result<Dir> {
        let path = Path::new(if path.has_root() { "/" } else { "." });
        let fd = open_at(libc::AT_FDCWD, path.as_os_str(), DIRECTORY, 0)?;
        Ok(Dir::new(fd, path.to_owned()))
    }

    /// The directory at `path`, whose last name is no link.
    pub fn at(path: &Path) -> io::Result<Dir> {
        let fd = open_at(libc::AT_FDCWD, path.as_os_str(), DIRECTORY, 0)?;
        Ok(Dir::new(fd, path.to_owned()))
    }

    fn new(fd: OwnedFd, path: PathBuf) -> Dir {
        Dir {
            fd,
            path,
            claim: OnceLock::new(),
        }
    }

    /// How it was reached: for messages and for commands.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The metadata of the directory itself.
    pub fn meta(&self) -> io::Result<Meta> {
        // By way of ".", since Linux 2.6.39 to 3.5 know no fstat of a descriptor with O_PATH.
        self.stat(OsStr::new("."))
    }

    /// Succeeds if this user may create files here; the error says why not.
    pub fn may_write(&self) -> io::Result<()> {
        let (fd, wanted) = (self.fd.as_raw_fd(), libc::W_OK | libc::X_OK);
        // SAFETY: the descriptor is open, and the name NUL-terminated.
        check(unsafe { libc::faccessat(fd, c".".as_ptr(), wanted, 0) })
    }

    /// The metadata of `name`, without following a link; `None` when nothing is there.
    pub fn look_up(&self, name: &OsStr) -> io::Result<Option<Meta>> {
        match self.stat(name) {
            Ok(meta) => Ok(Some(meta)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn stat(&self, name: &OsStr) -> io::Result<Meta> {
        let name = c_string(name)?;
        let mut stat = MaybeUninit::uninit();
        let flags = libc::AT_SYMLINK_NOFOLLOW;
        // SAFETY: the descriptor is open, the name NUL-terminated, and `stat` valid to be written.
        let code =
            unsafe { libc::fstatat(self.fd.as_raw_fd(), name.as_ptr(), stat.as_mut_ptr(), flags) };
        check(code)?;
        // SAFETY: the call has filled it in.
        Ok(meta(unsafe { stat.assume_init_ref() }))
    }

    /// The text of the link `name`.
    pub fn read_link(&self, name: &OsStr) -> io::Result<PathBuf> {
        let name = c_string(name)?;
        let mut text = vec![0_u8; LONGEST_LINK];
        // SAFETY: the descriptor is open, the name NUL-terminated, and the buffer has the length
        // given.
        let length = unsafe {
            libc::readlinkat(
                self.fd.as_raw_fd(),
                name.as_ptr(),
                text.as_mut_ptr().cast(),
                text.len(),
            )
        };
        let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
        text.truncate(length);
        Ok(OsString::from_vec(text).into())
    }

    /// The directory `name` in this one (`..` too); an error when it is a link.
    pub fn open_dir(&self, name: &OsStr) -> io::Result<Dir> {
        let fd = open_at(self.fd.as_raw_fd(), name, DIRECTORY, 0)?;
        Ok(Dir::new(fd, self.path.join(name)))
    }

    /// Makes the directory `name`, 0755 whatever the umask, and opens it. One that somebody else
    /// has just made will do as it is.
    pub fn make_dir(&self, name: &OsStr) -> io::Result<Dir> {
        let text = c_string(name)?;
        // SAFETY: the descriptor is open, and the name NUL-terminated.
        match check(unsafe { libc::mkdirat(self.fd.as_raw_fd(), text.as_ptr(), 0o755) }) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return self.open_dir(name),
            result => result?,
        }
        let dir = self.open_dir(name)?;
        let readable = dir.open_readable()?;
        // The set-group-id bit comes from the directory above, and is kept.
        let mode = file_meta(&readable)?.mode;
        if mode & 0o755 != 0o755 {
            // Whoever owns this one may have put another in the place of the new one, to have that
            // opened to all.
            if !dir.names(|name| name != "." && name != "..")?.is_empty() {
                return Err(ErrorKind::DirectoryNotEmpty.into());
            }
            set_mode(&readable, mode | 0o755)?;
        }
        self.sync()?;
        Ok(dir)
    }

    /// Opens the file `name` to read it, without waiting for anything: the caller has looked at
    /// what it is.
    pub fn open(&self, name: &OsStr) -> io::Result<File> {
        let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY;
        open_at(self.fd.as_raw_fd(), name, flags, 0).map(File::from)
    }

    /// Opens the file `name` so that it can be flushed to the disk.
    pub fn open_to_sync(&self, name: &OsStr) -> io::Result<File> {
        self.open(name)
    }

    /// Opens the existing file `name` to read it and to write over it.
    pub fn open_to_overwrite(&self, name: &OsStr) -> io::Result<File> {
        let flags = libc::O_RDWR | libc::O_NONBLOCK | libc::O_NOCTTY;
        open_at(self.fd.as_raw_fd(), name, flags, 0).map(File::from)
    }

    /// Tells other processes that files are in progress here, as long as this value lives. Does
    /// nothing on a file system without locks.
    pub fn claim(&self) {
        if self.claim.get().is_some() {
            return;
        }
        let Ok(file) = self.open_readable() else {
            return;
        };
        for _ in 0..CLAIM_ATTEMPTS {
            match file.try_lock_shared() {
                Err(TryLockError::WouldBlock) => thread::sleep(CLAIM_PAUSE),
                Err(TryLockError::Error(_)) => return,
                Ok(()) => {
                    // Another thread may have been faster, which is as good.
                    let _first = self.claim.set(file);
                    return;
                }
            }
        }
    }

    /// Keeps others from claiming the directory; `None` when somebody has claimed it already.
    pub fn claim_alone(&self) -> Option<Alone> {
        let file = self.open_readable().ok();
        let locked = file.as_ref().map(File::try_lock);
        match locked {
            Some(Err(TryLockError::WouldBlock)) => None,
            _ => Some(Alone { _lock: file }),
        }
    }

    /// True when names may only be added here (`chattr +a`).
    pub fn is_append_only(&self) -> bool {
        let Ok(file) = self.open_readable() else {
            return false;
        };
        let mut flags: libc::c_int = 0;
        // SAFETY: the descriptor is open, and `flags` valid to be written: the kernel writes an
        // int.
        let code = unsafe { libc::ioctl(file.as_raw_fd(), libc::FS_IOC_GETFLAGS, &raw mut flags) };
        code == 0 && flags & FS_APPEND_FL != 0
    }

    /// Makes the file `name`, which must not exist, 0600.
    pub fn create(&self, name: &OsStr) -> io::Result<File> {
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL;
        open_at(self.fd.as_raw_fd(), name, flags, 0o600).map(File::from)
    }

    /// Puts `from` in the place of `to`, in one step: there is no moment without a whole `to`.
    pub fn replace(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let (from, to) = (c_string(from)?, c_string(to)?);
        let fd = self.fd.as_raw_fd();
        // SAFETY: the descriptor is open, and both names NUL-terminated.
        check(unsafe { libc::renameat(fd, from.as_ptr(), fd, to.as_ptr()) })
    }

    /// Gives the file `from` the second name `to`, where nothing may stand.
    pub(crate) fn link(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let (from, to) = (c_string(from)?, c_string(to)?);
        let fd = self.fd.as_raw_fd();
        // SAFETY: the descriptor is open, and both names NUL-terminated.
        check(unsafe { libc::linkat(fd, from.as_ptr(), fd, to.as_ptr(), 0) })
    }

    /// Removes the file `name`.
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        let name = c_string(name)?;
        // SAFETY: the descriptor is open, and the name NUL-terminated.
        check(unsafe { libc::unlinkat(self.fd.as_raw_fd(), name.as_ptr(), 0) })
    }

    /// The names in the directory for which `wanted` holds, in no order.
    pub fn names(&self, mut wanted: impl FnMut(&OsStr) -> bool) -> io::Result<Vec<OsString>> {
        let list = List::open(self.open_readable()?)?;
        let mut names = Vec::new();
        while let Some(name) = list.next()? {
            if wanted(&name) {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Waits until the names in it are on the disk.
    pub fn sync(&self) -> io::Result<()> {
        match self.open_readable()?.sync_all() {
            // Some file systems cannot do this for directories, and keep their names safe by
            // themselves, or not at all.
            Err(error) if is_unsupported(&error) => Ok(()),
            result => result,
        }
    }

    /// A descriptor that can do more than name things: `fd` has O_PATH, so that a directory without
    /// the right to list can be passed.
    fn open_readable(&self) -> io::Result<File> {
        let flags = libc::O_RDONLY | libc::O_DIRECTORY;
        open_at(self.fd.as_raw_fd(), OsStr::new("."), flags, 0).map(File::from)
    }
}

/// Linux's flag of an append-only file or directory.
const FS_APPEND_FL: libc::c_int = 0x20;

/// True for the errors of a file system that does not know the operation: EINVAL, ENOSYS,
/// EOPNOTSUPP.
pub fn is_unsupported(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP)
    )
}

/// Linux before 2.6.39 knows no O_PATH, and opens for reading instead.
const DIRECTORY: i32 = libc::O_PATH | libc::O_DIRECTORY;

fn open_at(directory: i32, name: &OsStr, flags: i32, mode: libc::mode_t) -> io::Result<OwnedFd> {
    let name = c_string(name)?;
    let flags = flags | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    loop {
        // SAFETY: the directory is open or AT_FDCWD, and the name NUL-terminated.
        let fd = unsafe { libc::openat(directory, name.as_ptr(), flags, mode) };
        if fd >= 0 {
            // SAFETY: just opened, and nobody else's.
            return Ok(unsafe { OwnedFd::from_raw_fd(fd) });
        }
        let error = io::Error::last_os_error();
        if error.kind() != ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn c_string(name: &OsStr) -> io::Result<CString> {
    CString::new(name.as_bytes()).map_err(io::Error::from)
}

fn check(code: i32) -> io::Result<()> {
    match code {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The entries of a directory, closed when dropped.
struct List(*mut libc::DIR);

impl List {
    fn open(directory: File) -> io::Result<List> {
        // SAFETY: the descriptor is open.
        let list = unsafe { libc::fdopendir(directory.as_raw_fd()) };
        if list.is_null() {
            return Err(io::Error::last_os_error());
        }
        // The list owns the descriptor now.
        std::mem::forget(directory);
        Ok(List(list))
    }

    fn next(&self) -> io::Result<Option<OsString>> {
        // SAFETY: errno belongs to this thread. It is the only way to tell the end from a failure.
        unsafe { *libc::__errno_location() = 0 };
        // SAFETY: the list is open, and used by this thread only.
        let entry = unsafe { libc::readdir(self.0) };
        if entry.is_null() {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                Some(0) | None => Ok(None),
                Some(_) => Err(error),
            };
        }
        // SAFETY: the entry is valid until the next call, and its name NUL-terminated.
        let name = unsafe { CStr::from_ptr((*entry).d_name.as_ptr()) };
        Ok(Some(OsStr::from_bytes(name.to_bytes()).to_owned()))
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: the list is open, and not used after this. There is nothing to lose in a list
        // that was read.
        unsafe { libc::closedir(self.0) };
    }
}

fn meta(stat: &libc::stat) -> Meta {
    let kind = match stat.st_mode & libc::S_IFMT {
        libc::S_IFREG => Kind::File,
        libc::S_IFDIR => Kind::Directory,
        libc::S_IFLNK => Kind::Link,
        _ => Kind::Other,
    };
    Meta {
        kind,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        has_other_names: stat.st_nlink > 1,
        id: (stat.st_dev, stat.st_ino),
    }
}

/// The metadata of an open file.
pub fn file_meta(file: &File) -> io::Result<Meta> {
    let mut stat = MaybeUninit::uninit();
    // SAFETY: the descriptor is open, and `stat` valid to be written.
    check(unsafe { libc::fstat(file.as_raw_fd(), stat.as_mut_ptr()) })?;
    // SAFETY: the call has filled it in.
    Ok(meta(unsafe { stat.assume_init_ref() }))
}

/// Gives an open file to a user and a group. The kernel clears its set-id bits, so the mode comes
/// after this.
pub fn set_owner(file: &File, uid: u32, gid: u32) -> io::Result<()> {
    std::os::unix::fs::fchown(file, Some(uid), Some(gid))
}

/// Sets the mode of an open file, whatever the umask.
pub fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(PermissionsExt::from_mode(mode))
}

/// Returns true if the mode lets anybody execute the file.
pub fn is_executable(metadata: &std::fs::Metadata) -> bool {
    metadata.permissions().mode() & 0o111 != 0
}

/// The user as whom this process acts.
pub fn own_user() -> u32 {
    // SAFETY: cannot fail and touches no memory.
    unsafe { libc::geteuid() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_from_an_open_directory() {
        let path = std::env::temp_dir().join(format!("confd-dir-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("b\u{e4}"), "").unwrap();
        let mut dir = Dir::start(&path).unwrap();
        for name in path.iter().skip(1) {
            dir = dir.open_dir(name).unwrap();
        }
        assert_eq!(dir.path(), path);
        // A directory that was moved away is still the same one.
        let moved = path.with_extension("moved");
        std::fs::rename(&path, &moved).unwrap();
        dir.create(OsStr::new("c")).unwrap();
        let mut names = dir
            .names(|name| name.len() == 1 || name.len() == 3)
            .unwrap();
        names.sort();
        assert_eq!(names, [".", "b\u{e4}", "c"]);
        assert!(dir.create(OsStr::new("c")).is_err());
        assert!(dir.create(OsStr::new("a\0b")).is_err());
        std::fs::remove_dir_all(&moved).unwrap();
    }
}
