//! The metadata of a file beside its owner and mode: labels of the security modules, access lists,
//! reserved blocks, room on its disk.

use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::dir::{file_meta, is_unsupported};
use crate::platform::Disk;

const SELINUX_LABEL: &CStr = c"security.selinux";
const ACCESS_LIST: &CStr = c"system.posix_acl_access";
/// The most bytes that Linux allows for one attribute.
const LARGEST_ATTRIBUTE: usize = 1 << 16;

/// Gives `new` the SELinux label of `old`, where there is one and it is not the same already.
pub fn copy_label(old: &File, new: &File) -> io::Result<()> {
    let Some(label) = attribute(old, SELINUX_LABEL)? else {
        return Ok(());
    };
    if attribute(new, SELINUX_LABEL)?.as_ref() == Some(&label) {
        return Ok(());
    }
    match set_attribute(new, SELINUX_LABEL, &label) {
        // The policy does not let us, so the label that it chose for the new file stands.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        result => result,
    }
}

/// The SELinux label of what is at `path`; `None` where there are none.
pub fn label(path: &Path) -> io::Result<Option<String>> {
    let label = attribute(&File::open(path)?, SELINUX_LABEL)?;
    let text = label.map(|label| String::from_utf8_lossy(&label).into_owned());
    Ok(text.map(|text| text.trim_end_matches('\0').to_owned()))
}

/// Returns true if SELinux enforces its policy; `None` where it is not in use.
pub fn selinux_enforces() -> Option<bool> {
    // The second place is that of Linux before 3.1.
    let places = ["/sys/fs/selinux/enforce", "/selinux/enforce"];
    let text = places.iter().find_map(|place| fs::read(place).ok())?;
    Some(text.starts_with(b"1"))
}

/// Gives `new` the access list of `old`, if it has one. With it comes the mode.
pub fn copy_access_list(old: &File, new: &File) -> io::Result<()> {
    match attribute(old, ACCESS_LIST)? {
        Some(list) => set_attribute(new, ACCESS_LIST, &list),
        None => Ok(()),
    }
}

/// Gives `new` the `user.*` attributes of `old`, as far as its file system has them.
pub fn copy_user_attributes(old: &File, new: &File) -> io::Result<()> {
    for name in attribute_names(old)? {
        if name.to_bytes().starts_with(b"user.")
            && let Some(value) = attribute(old, &name)?
        {
            match set_attribute(new, &name, &value) {
                Err(error) if is_unsupported(&error) => {}
                result => result?,
            }
        }
    }
    Ok(())
}

/// The names of all attributes; none where the file system has no attributes.
fn attribute_names(file: &File) -> io::Result<Vec<CString>> {
    let mut names = vec![0_u8; 1024];
    loop {
        // SAFETY: the descriptor is open, and the buffer has the length given.
        let length =
            unsafe { libc::flistxattr(file.as_raw_fd(), names.as_mut_ptr().cast(), names.len()) };
        if let Ok(length) = usize::try_from(length) {
            names.truncate(length);
            let each = names.split(|byte| *byte == 0);
            let each = each.filter(|name| !name.is_empty());
            return each.map(|name| Ok(CString::new(name)?)).collect();
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::ERANGE) if names.len() < LARGEST_ATTRIBUTE => {
                names.resize(LARGEST_ATTRIBUTE, 0);
            }
            Some(libc::ENOTSUP | libc::ENOSYS) => return Ok(Vec::new()),
            _ => return Err(error),
        }
    }
}

/// An attribute's value; `None` when the file has none, or its file system has no attributes.
fn attribute(file: &File, name: &CStr) -> io::Result<Option<Vec<u8>>> {
    let mut value = vec![0_u8; 256];
    loop {
        // SAFETY: the descriptor is open, the name NUL-terminated, and the buffer has the length
        // given.
        let length = unsafe {
            libc::fgetxattr(
                file.as_raw_fd(),
                name.as_ptr(),
                value.as_mut_ptr().cast(),
                value.len(),
            )
        };
        if let Ok(length) = usize::try_from(length) {
            value.truncate(length);
            return Ok(Some(value));
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::ERANGE) if value.len() < LARGEST_ATTRIBUTE => {
                value.resize(LARGEST_ATTRIBUTE, 0);
            }
            Some(libc::ENODATA | libc::ENOTSUP | libc::ENOSYS) => return Ok(None),
            _ => return Err(error),
        }
    }
}

fn set_attribute(file: &File, name: &CStr, value: &[u8]) -> io::Result<()> {
    // SAFETY: the descriptor is open, the name NUL-terminated, and the value has the length given.
    let code = unsafe {
        libc::fsetxattr(
            file.as_raw_fd(),
            name.as_ptr(),
            value.as_ptr().cast(),
            value.len(),
            0,
        )
    };
    match code {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes sure that `size` bytes can be written over the content of `file`, before any of them is.
pub fn reserve(file: &File, size: u64) -> io::Result<()> {
    let length = libc::off_t::try_from(size).map_err(|_| ErrorKind::FileTooLarge)?;
    if length == 0 {
        return Ok(());
    }
    // SAFETY: the descriptor is open. The content and the size stay.
    let code = unsafe { libc::fallocate(file.as_raw_fd(), libc::FALLOC_FL_KEEP_SIZE, 0, length) };
    if code == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        // A file system that cannot promise, or Linux before the call: what it says is free is the
        // best to be had.
        Some(libc::EOPNOTSUPP | libc::ENOSYS) => {
            let growth = size.saturating_sub(file_meta(file)?.size);
            if growth > free_space(file)? {
                Err(io::Error::from_raw_os_error(libc::ENOSPC))
            } else {
                Ok(())
            }
        }
        _ => Err(error),
    }
}

fn free_space(file: &File) -> io::Result<u64> {
    disk_of(file).map(|disk| disk.free.unwrap_or(u64::MAX))
}

/// The disk that the directory at `path` is on.
pub fn disk(path: &Path) -> io::Result<Disk> {
    disk_of(&File::open(path)?)
}

/// The letter of chattr(1) for the attribute that keeps even root from replacing the file or
/// directory at `path`: `i`, immutable, or `a`, append-only.
pub fn protection(path: &Path) -> Option<char> {
    const IMMUTABLE: libc::c_long = 0x10;
    const APPEND_ONLY: libc::c_long = 0x20;
    let kind = fs::symlink_metadata(path).ok()?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        return None;
    }
    let file = File::open(path).ok()?;
    // The kernel writes an int, whatever the declaration says: the rest stays zero.
    let mut flags: libc::c_long = 0;
    // SAFETY: the descriptor is open, and `flags` valid to be written and large enough.
    let code = unsafe { libc::ioctl(file.as_raw_fd(), libc::FS_IOC_GETFLAGS, &mut flags) };
    match flags {
        _ if code != 0 => None,
        flags if flags & IMMUTABLE != 0 => Some('i'),
        flags if flags & APPEND_ONLY != 0 => Some('a'),
        _ => None,
    }
}

fn disk_of(file: &File) -> io::Result<Disk> {
    let mut answer = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the descriptor is open, and `answer` valid to be written.
    if unsafe { libc::fstatvfs(file.as_raw_fd(), answer.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has filled it in.
    let answer = unsafe { answer.assume_init() };
    Ok(Disk {
        id: file.metadata()?.dev(),
        // Some file systems (proc, some of FUSE) do not count, and say 0 of 0.
        free: (answer.f_blocks > 0).then(|| answer.f_bavail.saturating_mul(answer.f_frsize)),
        // Some file systems have no limit, and say 0 of 0.
        files: (answer.f_files > 0).then_some(answer.f_favail),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_any_disk_holds_is_not_reserved() {
        let path = std::env::temp_dir().join(format!("confd-reserve-{}", std::process::id()));
        let file = File::create(&path).unwrap();
        reserve(&file, 0).unwrap();
        reserve(&file, 4096).unwrap();
        assert_eq!(file_meta(&file).unwrap().size, 0);
        assert!(reserve(&file, 1 << 62).is_err());
        assert!(reserve(&file, u64::MAX).is_err());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn attributes_are_copied_where_the_file_system_has_them() {
        let path = std::env::temp_dir().join(format!("confd-attribute-{}", std::process::id()));
        let (old, new) = (path.with_extension("old"), path.with_extension("new"));
        let files = (File::create(&old).unwrap(), File::create(&new).unwrap());
        // Owner rw, user 12345 rw, group r, mask rw, others nothing.
        let entry = |tag: u16, permissions: u16, id: u32| {
            let bytes = [tag.to_le_bytes(), permissions.to_le_bytes()].concat();
            [bytes, id.to_le_bytes().to_vec()].concat()
        };
        let list = [
            2_u32.to_le_bytes().to_vec(),
            entry(1, 6, u32::MAX),
            entry(2, 6, 12345),
            entry(4, 4, u32::MAX),
            entry(16, 6, u32::MAX),
            entry(32, 0, u32::MAX),
        ];
        copy_label(&files.0, &files.1).unwrap();
        if set_attribute(&files.0, ACCESS_LIST, &list.concat()).is_err() {
            eprintln!("SKIPPED: {} has no access lists", path.display());
        } else {
            copy_access_list(&files.0, &files.1).unwrap();
            let copied = attribute(&files.1, ACCESS_LIST).unwrap();
            assert_eq!(copied, Some(list.concat()));
        }
        std::fs::remove_file(old).unwrap();
        std::fs::remove_file(new).unwrap();
    }
}
