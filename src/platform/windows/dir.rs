//! A directory by its path, with the names that the Unix side has for an open one. Owners and modes
//! do not exist here; the access rights of a replaced file are kept.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind};
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};
use std::ptr;
use std::thread;
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION};
use windows_sys::Win32::Security::{DACL_SECURITY_INFORMATION, GetFileSecurityW, SetFileSecurityW};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_ADD_FILE, FILE_FLAG_BACKUP_SEMANTICS, GetDiskFreeSpaceExW, MOVEFILE_REPLACE_EXISTING,
    MOVEFILE_WRITE_THROUGH, MoveFileExW,
};

use crate::platform::{Disk, Kind, Meta};

/// How long to wait before each further try to replace a file that is in use.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(10),
    Duration::from_millis(40),
    Duration::from_millis(80),
    Duration::from_millis(120),
];

/// A directory that no other process has claimed: here nobody can claim one.
#[derive(Debug)]
pub struct Alone;

/// A directory.
#[derive(Debug)]
pub struct Dir {
    path: PathBuf,
}

impl Dir {
    /// Where the walk along `path` begins: its root, or the working directory.
    pub fn start(path: &Path) -> io::Result<Dir> {
        let whole = std::path::absolute(path)?;
        let root = whole
            .components()
            .take_while(|component| matches!(component, Component::Prefix(_) | Component::RootDir));
        let path = match path.has_root() {
            true => root.collect(),
            false => std::env::current_dir()?,
        };
        Ok(Dir { path })
    }

    /// The directory at `path`.
    pub fn at(path: &Path) -> io::Result<Dir> {
        match fs::metadata(path)?.is_dir() {
            true => Ok(Dir {
                path: path.to_owned(),
            }),
            false => Err(ErrorKind::NotADirectory.into()),
        }
    }

    /// The directory's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The metadata of the directory itself.
    pub fn meta(&self) -> io::Result<Meta> {
        fs::symlink_metadata(&self.path).map(|found| meta(&found))
    }

    /// Succeeds when this user may create files here.
    pub fn may_write(&self) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.access_mode(FILE_ADD_FILE);
        let directory = options.custom_flags(FILE_FLAG_BACKUP_SEMANTICS);
        directory.open(&self.path).map(drop)
    }

    /// The metadata of `name`, without following a link; `None` when there is nothing.
    pub fn look_up(&self, name: &OsStr) -> io::Result<Option<Meta>> {
        let path = self.path.join(name);
        match fs::symlink_metadata(&path) {
            Ok(found) => Ok(Some(meta(&found))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The text of the link `name`.
    pub fn read_link(&self, name: &OsStr) -> io::Result<PathBuf> {
        fs::read_link(self.path.join(name))
    }

    /// The directory `name` in this one (`..` too); an error when it is a link.
    pub fn open_dir(&self, name: &OsStr) -> io::Result<Dir> {
        let path = match name == ".." {
            // No part of the path is a link, so what stands before its last part is above it.
            true => self.path.parent().unwrap_or(&self.path).to_owned(),
            false => self.path.join(name),
        };
        match fs::symlink_metadata(&path)?.is_dir() {
            true => Ok(Dir { path }),
            false => Err(ErrorKind::NotADirectory.into()),
        }
    }

    /// Makes the directory `name`. An existing one is used.
    pub fn make_dir(&self, name: &OsStr) -> io::Result<Dir> {
        match fs::create_dir(self.path.join(name)) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => self.open_dir(name),
        }
    }

    /// Opens the file `name` to read it.
    pub fn open(&self, name: &OsStr) -> io::Result<File> {
        File::open(self.path.join(name))
    }

    /// Opens the file `name` so that it can be flushed to the disk, which needs the right to write
    /// here.
    pub fn open_to_sync(&self, name: &OsStr) -> io::Result<File> {
        self.open_to_overwrite(name)
    }

    /// Opens the existing file `name` to read it and to write over it.
    pub fn open_to_overwrite(&self, name: &OsStr) -> io::Result<File> {
        let path = self.path.join(name);
        OpenOptions::new().read(true).write(true).open(path)
    }

    /// Nothing to do: directories have no locks here.
    pub fn claim(&self) {}

    /// Always: nobody can claim a directory here.
    pub fn claim_alone(&self) -> Option<Alone> {
        Some(Alone)
    }

    /// There are no such directories here.
    pub fn is_append_only(&self) -> bool {
        false
    }

    /// Makes the file `name`, which must not exist.
    pub fn create(&self, name: &OsStr) -> io::Result<File> {
        let path = self.path.join(name);
        OpenOptions::new().write(true).create_new(true).open(path)
    }

    /// Puts `from` in the place of `to`, in one step, with the access rights of the old one. Fails
    /// when another program has `to` open without leave to replace it.
    pub fn replace(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        let (from, to) = (self.path.join(from), self.path.join(to));
        if let Ok(old) = fs::metadata(&to) {
            copy_rights(&wide(&to)?, &wide(&from)?)?;
            let read_only = old.permissions();
            if read_only.readonly() {
                // A read-only file is not replaced; the new one is as read-only as it was.
                fs::set_permissions(&from, read_only.clone())?;
                set_writable(&to)?;
                return move_over(&from, &to).inspect_err(|_| {
                    // The error says what went wrong; the old file must be as before, and the new
                    // one can only be removed when it is writable.
                    let _old = fs::set_permissions(&to, read_only);
                    let _new = set_writable(&from);
                });
            }
        }
        move_over(&from, &to)
    }

    /// Gives the file `from` the second name `to`, where nothing may stand.
    pub(crate) fn link(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        fs::hard_link(self.path.join(from), self.path.join(to))
    }

    /// Removes the file `name`.
    pub fn remove(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    /// The names in the directory for which `wanted` holds, in no order.
    pub fn names(&self, mut wanted: impl FnMut(&OsStr) -> bool) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            if wanted(&name) {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Nothing to do: [`Dir::replace`] returns when the name is on the disk.
    pub fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

fn set_writable(path: &Path) -> io::Result<()> {
    let mut permissions = fs::metadata(path)?.permissions();
    #[expect(
        clippy::permissions_set_readonly_false,
        reason = "only on Unix that opens it to everybody"
    )]
    permissions.set_readonly(false);
    fs::set_permissions(path, permissions)
}

/// Puts `from` in the place of `to`. A scanner or an indexer has a new file open for moments: then
/// it is tried again, for a quarter of a second at most. NT 6.1 refuses as long as anybody has `to`
/// open, whatever they permit.
fn move_over(from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (wide(from)?, wide(to)?);
    let flags = MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH;
    let mut pauses = PAUSES.iter();
    loop {
        // SAFETY: both paths are NUL-terminated.
        match check(unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), flags) }) {
            Err(error) if is_in_use(&error) => match pauses.next() {
                Some(pause) => thread::sleep(*pause),
                None => return Err(error),
            },
            result => return result,
        }
    }
}

/// Returns true if the error may come from another program that has the file open.
fn is_in_use(error: &io::Error) -> bool {
    let codes = [ERROR_SHARING_VIOLATION, ERROR_ACCESS_DENIED];
    codes
        .iter()
        .any(|code| error.raw_os_error() == Some(code.cast_signed()))
}

/// Copies the access rights of a file.
fn copy_rights(from: &[u16], to: &[u16]) -> io::Result<()> {
    let kind = DACL_SECURITY_INFORMATION;
    let mut needed = 0;
    // SAFETY: the path is NUL-terminated; with no buffer the call only says how much it needs.
    unsafe { GetFileSecurityW(from.as_ptr(), kind, ptr::null_mut(), 0, &mut needed) };
    // Of u64, so that the descriptor is aligned.
    let mut rights = vec![0_u64; (needed as usize).div_ceil(size_of::<u64>())];
    let buffer = rights.as_mut_ptr().cast();
    // SAFETY: the path is NUL-terminated, and the buffer has at least the length given.
    check(unsafe { GetFileSecurityW(from.as_ptr(), kind, buffer, needed, &mut needed) })?;
    // SAFETY: the path is NUL-terminated, and the buffer was filled in by the system.
    check(unsafe { SetFileSecurityW(to.as_ptr(), kind, buffer) })
}

fn check(done: i32) -> io::Result<()> {
    match done {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// A path for the system: absolute, NUL-terminated, and in the form that has no limit of 260
/// characters.
pub(super) fn wide(path: &Path) -> io::Result<Vec<u16>> {
    let path = std::path::absolute(path)?;
    let text: Vec<u16> = path.as_os_str().encode_wide().collect();
    let start = |prefix: &str| text.starts_with(&prefix.encode_utf16().collect::<Vec<_>>());
    let (prefix, skipped) = match (start(r"\\?\") || start(r"\\.\"), start(r"\\")) {
        (true, _) => ("", 0),
        (_, true) => (r"\\?\UNC\", 2),
        _ => (r"\\?\", 0),
    };
    let rest = text.into_iter().skip(skipped);
    Ok(prefix.encode_utf16().chain(rest).chain([0]).collect())
}

/// Owners and modes are the same for all files, so that they never differ.
fn meta(found: &fs::Metadata) -> Meta {
    let kind = match found.file_type() {
        kind if kind.is_symlink() => Kind::Link,
        kind if kind.is_dir() => Kind::Directory,
        kind if kind.is_file() => Kind::File,
        _ => Kind::Other,
    };
    Meta {
        kind,
        size: found.len(),
        mode: 0,
        uid: 0,
        gid: 0,
        has_other_names: false,
        id: (0, 0),
    }
}

/// The metadata of an open file.
pub fn file_meta(file: &File) -> io::Result<Meta> {
    file.metadata().map(|found| meta(&found))
}

/// Nothing to do: files have no numbered owner here.
pub fn set_owner(_file: &File, _uid: u32, _gid: u32) -> io::Result<()> {
    Ok(())
}

/// Nothing to do: files have no mode here.
pub fn set_mode(_file: &File, _mode: u32) -> io::Result<()> {
    Ok(())
}

/// Returns true: Windows decides by the name of a file whether it is a program.
pub fn is_executable(_metadata: &std::fs::Metadata) -> bool {
    true
}

/// The owner that all files seem to have.
pub fn own_user() -> u32 {
    0
}

/// False: file systems here can do all that is asked of them.
pub fn is_unsupported(_: &io::Error) -> bool {
    false
}

/// Nothing to do: there are no such labels here.
pub fn copy_label(_old: &File, _new: &File) -> io::Result<()> {
    Ok(())
}

/// Nothing to do: there are no such attributes here.
pub fn copy_user_attributes(_old: &File, _new: &File) -> io::Result<()> {
    Ok(())
}

/// Access lists are kept by [`Dir::replace`].
pub fn copy_access_list(_old: &File, _new: &File) -> io::Result<()> {
    Ok(())
}

/// The disk that the directory at `path` is on; another one for each letter of a drive or share.
pub fn disk(path: &Path) -> io::Result<Disk> {
    let mut free = 0;
    // SAFETY: the path is NUL-terminated, `free` valid to be written, and the other figures are not
    // asked for.
    check(unsafe {
        GetDiskFreeSpaceExW(
            wide(path)?.as_ptr(),
            &mut free,
            ptr::null_mut(),
            ptr::null_mut(),
        )
    })?;
    let mut hasher = DefaultHasher::new();
    let whole = std::path::absolute(path)?;
    whole.components().next().hash(&mut hasher);
    Ok(Disk {
        id: hasher.finish(),
        free: Some(free),
        files: None,
    })
}

/// None: there are no such attributes here.
pub fn protection(_path: &Path) -> Option<char> {
    None
}

/// None: there are no such labels here.
pub fn label(_path: &Path) -> io::Result<Option<String>> {
    Ok(None)
}

/// There is no SELinux here.
pub fn selinux_enforces() -> Option<bool> {
    None
}

/// Nothing to do: no file is written over here.
pub fn reserve(_file: &File, _size: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_read_only(path: &Path, readonly: bool) {
        let mut permissions = fs::metadata(path).unwrap().permissions();
        permissions.set_readonly(readonly);
        fs::set_permissions(path, permissions).unwrap();
    }

    fn scratch(name: &str) -> (Dir, PathBuf) {
        let path = std::env::temp_dir().join(format!("confd-dir-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        let mut dir = Dir::start(&path).unwrap();
        for component in path.components() {
            if let Component::Normal(name) = component {
                dir = dir.open_dir(name).unwrap();
            }
        }
        (dir, path)
    }

    #[test]
    fn paths_take_the_form_without_a_limit() {
        for (path, wanted) in [
            (r"C:\a\b", r"\\?\C:\a\b"),
            (r"C:/a/../b", r"\\?\C:\b"),
            (r"\\server\share\a", r"\\?\UNC\server\share\a"),
            (r"\\?\C:\a", r"\\?\C:\a"),
        ] {
            let text = wide(Path::new(path)).unwrap();
            let text = String::from_utf16(&text).unwrap();
            assert_eq!(text, format!("{wanted}\0"), "{path}");
        }
    }

    #[test]
    fn a_read_only_file_is_replaced_and_stays_read_only() {
        let (dir, path) = scratch("readonly");
        let (new, old) = (OsStr::new("new"), OsStr::new("old \u{4e2d}"));
        fs::write(path.join(new), "new").unwrap();
        fs::write(path.join(old), "old").unwrap();
        let set = |readonly| set_read_only(&path.join(old), readonly);
        set(true);
        dir.replace(new, old).unwrap();
        assert_eq!(fs::read(path.join(old)).unwrap(), b"new");
        assert!(
            fs::metadata(path.join(old))
                .unwrap()
                .permissions()
                .readonly()
        );
        set(false);
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_read_only_file_that_cannot_be_replaced_stays_read_only() {
        let (dir, path) = scratch("readonly-open");
        let (new, old) = (OsStr::new("new"), OsStr::new("old"));
        fs::write(path.join(new), "new").unwrap();
        fs::write(path.join(old), "old").unwrap();
        let set = |readonly| set_read_only(&path.join(old), readonly);
        set(true);
        let held = OpenOptions::new()
            .read(true)
            .share_mode(1)
            .open(path.join(old))
            .unwrap();
        assert!(dir.replace(new, old).is_err());
        dir.remove(new).unwrap();
        drop(held);
        assert!(
            fs::metadata(path.join(old))
                .unwrap()
                .permissions()
                .readonly()
        );
        assert_eq!(fs::read(path.join(old)).unwrap(), b"old");
        set(false);
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_path_beyond_260_characters_is_walked() {
        let (mut dir, path) = scratch("long");
        for _ in 0..4 {
            dir = dir.make_dir(OsStr::new(&"d".repeat(100))).unwrap();
        }
        let (new, old) = (OsStr::new("new"), OsStr::new("old"));
        drop(dir.create(new).unwrap());
        dir.replace(new, old).unwrap();
        assert!(dir.look_up(old).unwrap().is_some());
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_file_open_elsewhere_is_an_error_and_stays() {
        use std::os::windows::fs::OpenOptionsExt;
        let (dir, path) = scratch("open");
        let (new, old) = (OsStr::new("new"), OsStr::new("old"));
        fs::write(path.join(new), "new").unwrap();
        fs::write(path.join(old), "old").unwrap();
        let held = OpenOptions::new()
            .read(true)
            .share_mode(1)
            .open(path.join(old))
            .unwrap();
        let error = dir.replace(new, old).unwrap_err();
        assert!(
            super::super::advice(&error)
                .unwrap()
                .contains("another program has it open")
        );
        drop(held);
        assert_eq!(fs::read(path.join(old)).unwrap(), b"old");
        dir.replace(new, old).unwrap();
        fs::remove_dir_all(path).unwrap();
    }
}
