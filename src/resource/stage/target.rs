//! Where dest really is: the path walked step by step, links followed only where that is safe, the
//! last directory held open.
//!
//! A link may be made by somebody who wants confd, which is root, to write in a place of theirs
//! choice. So it counts only
//! - when nobody but root and we can change what stands in its directory,
//! - or when it belongs to root or to us, and is no second name of a link that stands elsewhere,
//! - or when it belongs to somebody else, and so does the directory or the file that it leads to in
//!   the end.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::refused;
use crate::error::{Error, Result};
use crate::platform::{self, Dir, Kind, Meta};
use crate::resource::block::Block;

/// As many as Linux itself follows in one path.
const MOST_LINKS: u32 = 40;

/// The owner and mode that a resource wants for its dest; what is not configured stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// The permissions, with the set-id and sticky bits.
    pub mode: Option<u32>,
    /// The owner.
    pub uid: Option<u32>,
    /// The group.
    pub gid: Option<u32>,
}

/// A dest found: its directory, open, and what stands there. Made again for each apply.
#[derive(Debug)]
pub struct Target {
    /// The deepest directory on the way that exists.
    pub(super) dir: Arc<Dir>,
    /// The directories below it that are yet to be made.
    missing: VecDeque<OsString>,
    pub(super) name: OsString,
    /// The file that there is.
    pub(super) old: Option<Meta>,
    pub(super) wanted: Attributes,
    /// The file is made, and one that has been made meanwhile is never replaced.
    pub(crate) is_create_only: bool,
    /// How many former versions of the file are kept.
    pub(crate) backups: u32,
    /// The block of the file that is made; none for the whole file.
    pub(crate) block: Option<Block>,
    /// The content of the file that the new one was composed from; none if it is new as a whole.
    pub(crate) composed_from: Option<Vec<u8>>,
    /// The file with the other blocks of the same group in it: the new one is composed from that.
    pub(crate) with_others: Option<Vec<u8>>,
}

impl Target {
    /// Follows `dest` to the place where its file is or will be. Changes nothing. An error when
    /// that is no place for a file.
    pub fn resolve(dest: &Path, wanted: Attributes) -> Result<Target> {
        check_name(dest)?;
        Walk::start(dest)?.walk(wanted)
    }

    /// The same for a dest whose directory is open already.
    pub(super) fn resolve_in(dir: Arc<Dir>, dest: &Path, wanted: Attributes) -> Result<Target> {
        check_name(dest)?;
        Walk::start_in(dir, dest).walk(wanted)
    }

    /// The same in an image at `root`, which neither a link nor `..` leads out of: there, both
    /// begin and end at `root`.
    pub fn resolve_below(root: &Path, dest: &Path, wanted: Attributes) -> Result<Target> {
        check_name(dest)?;
        Walk::start_below(root, dest)?.walk(wanted)
    }

    /// Where the file is or will be, all links followed.
    pub fn path(&self) -> PathBuf {
        let mut path = PathBuf::new();
        let missing = self.missing.iter().map(OsString::as_os_str);
        for name in self.dir.path().iter().chain(missing) {
            // No step is a link any more, so that each leads to one place and back.
            if name == ".." {
                path.pop();
            } else {
                path.push(name);
            }
        }
        path.join(&self.name)
    }

    /// The owner and mode that are configured.
    pub fn wanted(&self) -> Attributes {
        self.wanted
    }

    /// Returns true if some users may not read the file, now or after the swap.
    pub fn is_secret(&self) -> bool {
        let modes = [self.old.as_ref().map(|old| old.mode), self.wanted.mode];
        platform::HAS_OWNERS && modes.into_iter().flatten().any(|mode| mode & 0o004 == 0)
    }

    /// The content of the file, at most `most` bytes; `None` when there is no file.
    pub fn read_old(&self, most: u64) -> Result<Option<Vec<u8>>> {
        let size = self.old_size().unwrap_or(0);
        let read = |file: File| platform::read(&file, size, most);
        let content = self.open_old().and_then(|old| old.map(read).transpose());
        content.map_err(|error| refused("read", &self.path(), error))
    }

    /// Forgets the file that there is: the new one takes over neither its owner nor who may read
    /// it.
    pub fn afresh(self) -> Target {
        Target { old: None, ..self }
    }

    /// The deepest directory on the way to it that exists.
    pub fn directory(&self) -> &Path {
        self.dir.path()
    }

    /// Succeeds if this user may create a file, or a directory on the way to it, in
    /// [`Target::directory`].
    pub fn may_be_made(&self) -> io::Result<()> {
        self.dir.may_write()
    }

    /// A file that was found, to be made again as it is.
    pub(super) fn found(dir: Arc<Dir>, name: OsString, old: Meta) -> Target {
        Target {
            dir,
            missing: VecDeque::new(),
            name,
            old: Some(old),
            wanted: Attributes::default(),
            is_create_only: false,
            backups: 0,
            block: None,
            composed_from: None,
            with_others: None,
        }
    }

    /// Returns true if there is a file.
    pub(crate) fn exists(&self) -> bool {
        self.old.is_some()
    }

    /// The size of the file that there is.
    pub fn old_size(&self) -> Option<u64> {
        self.old.as_ref().map(|old| old.size)
    }

    /// Returns true if the directory of dest exists.
    pub(super) fn has_directory(&self) -> bool {
        self.missing.is_empty()
    }

    /// Opens the file that there is, if there is one.
    pub(super) fn open_old(&self) -> io::Result<Option<File>> {
        match self.old {
            Some(_) => self.dir.open(&self.name).map(Some),
            None => Ok(None),
        }
    }

    /// Makes the directories that are missing, 0755.
    pub(super) fn make_directories(&mut self) -> Result<()> {
        while let Some(name) = self.missing.front() {
            let dir = if name == ".." {
                self.dir.open_dir(name)
            } else {
                self.dir.make_dir(name)
            };
            let path = || self.dir.path().join(name);
            let dir = dir.map_err(|error| refused("make the directory", &path(), error))?;
            self.dir = Arc::new(dir);
            self.missing.pop_front();
        }
        Ok(())
    }
}

fn check_name(dest: &Path) -> Result<()> {
    let last = dest.as_os_str().as_encoded_bytes().last();
    let last = char::from(last.copied().unwrap_or(b'/'));
    if std::path::is_separator(last) {
        Err(Error::resource(
            dest,
            "is the name of a directory, not of a file",
        ))
    } else {
        Ok(())
    }
}

/// A path half walked.
struct Walk<'a> {
    dest: &'a Path,
    dir: Arc<Dir>,
    rest: VecDeque<OsString>,
    links: u32,
    /// An image: its root, and how many names the walk is below it.
    image: Option<(PathBuf, usize)>,
    /// The links that count only if they lead to something of their owner's, with the owner.
    doubted: Vec<(PathBuf, u32)>,
}

impl Walk<'_> {
    fn start(dest: &Path) -> Result<Walk<'_>> {
        let dir = Dir::start(dest).map_err(|error| refused("open", dest, error))?;
        Ok(Walk {
            rest: steps(dest).into(),
            ..Walk::start_in(Arc::new(dir), dest)
        })
    }

    /// The last step alone.
    fn start_in(dir: Arc<Dir>, dest: &Path) -> Walk<'_> {
        Walk {
            dest,
            dir,
            rest: dest.file_name().map(OsStr::to_owned).into_iter().collect(),
            links: 0,
            image: None,
            doubted: Vec::new(),
        }
    }

    fn start_below<'a>(root: &Path, dest: &'a Path) -> Result<Walk<'a>> {
        let cannot = |source| refused("open", root, source);
        let mut walk = Walk::start(dest)?;
        match root.canonicalize() {
            Ok(root) => {
                walk.dir = Dir::at(&root).map_err(cannot)?.into();
                walk.image = Some((root, 0));
            }
            // There is no link below it yet, so this is the way to a file like any other.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                walk.dir = Dir::start(root).map_err(cannot)?.into();
                let mut rest = steps(root);
                rest.extend(clean_steps(dest));
                walk.rest = rest.into();
            }
            Err(error) => return Err(cannot(error)),
        }
        Ok(walk)
    }

    fn walk(mut self, wanted: Attributes) -> Result<Target> {
        while let Some(name) = self.rest.pop_front() {
            if name == ".." && self.is_at_the_top() {
                continue;
            }
            let found = self.dir.look_up(&name);
            let found = found.map_err(|error| refused("look at", &self.at(&name), error))?;
            let Some(meta) = found else {
                return self.arrive(name, None, wanted);
            };
            match meta.kind {
                Kind::Link => self.follow(&name, &meta)?,
                Kind::Directory => self.enter(&name)?,
                Kind::File if self.rest.is_empty() => {
                    return self.arrive(name, Some(meta), wanted);
                }
                Kind::File => return Err(Error::resource(&self.at(&name), "is not a directory")),
                Kind::Other => {
                    let text = "is a device, a pipe or a socket, not a file";
                    return Err(Error::resource(&self.at(&name), text));
                }
            }
        }
        Err(Error::resource(self.dest, "is a directory, not a file"))
    }

    fn at(&self, name: &OsStr) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Returns true if there is nothing above, as at `/`; below -root the system does not know.
    fn is_at_the_top(&self) -> bool {
        matches!(self.image, Some((_, 0)))
    }

    fn enter(&mut self, name: &OsStr) -> Result<()> {
        let dir = self.dir.open_dir(name);
        self.dir = Arc::new(dir.map_err(|error| refused("open", &self.at(name), error))?);
        if let Some((_, depth)) = &mut self.image {
            *depth = if name == ".." {
                depth.saturating_sub(1)
            } else {
                *depth + 1
            };
        }
        Ok(())
    }

    fn follow(&mut self, name: &OsStr, link: &Meta) -> Result<()> {
        let at = self.at(name);
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(Error::resource(self.dest, "leads through too many links"));
        }
        let text = self.dir.read_link(name);
        let text = text.map_err(|error| refused("read the link", &at, error))?;
        let dir = self.dir.meta();
        let dir = dir.map_err(|error| refused("look at", self.dir.path(), error))?;
        match trust(&dir, link, platform::own_user()) {
            Trust::Always => {}
            Trust::IfOwn => self.doubted.push((at, link.uid)),
            Trust::Never => {
                let text = "is a hard link to a symbolic link elsewhere, and is not followed";
                return Err(Error::resource(&at, text));
            }
        }
        if text.has_root() {
            let dir = match &mut self.image {
                None => Dir::start(&text).map_err(|error| refused("open", &text, error)),
                Some((root, depth)) => {
                    *depth = 0;
                    Dir::at(root).map_err(|error| refused("open", root, error))
                }
            };
            self.dir = Arc::new(dir?);
        }
        for step in steps(&text).into_iter().rev() {
            self.rest.push_front(step);
        }
        Ok(())
    }

    /// The walk ends at `name`, with a file there, or at the first name on the way that does not
    /// exist.
    fn arrive(self, name: OsString, old: Option<Meta>, wanted: Attributes) -> Result<Target> {
        for (link, owner) in self.doubted {
            let dir = self.dir.meta();
            let dir = dir.map_err(|error| refused("look at", self.dir.path(), error))?;
            let belongs = |meta: &Meta| meta.uid == owner;
            if !belongs(&dir) && !old.as_ref().is_some_and(belongs) {
                let text = format!(
                    "is a link made by user {owner} to a place that they do not own, and is not followed"
                );
                return Err(Error::resource(&link, &text));
            }
        }
        let mut missing = self.rest;
        if self.image.is_some() && missing.iter().any(|step| step == "..") {
            let text = "leads through `..` of a directory that does not exist yet";
            return Err(Error::resource(self.dest, text));
        }
        missing.push_front(name);
        let wanted = if platform::HAS_OWNERS {
            wanted
        } else {
            Attributes::default()
        };
        match missing.pop_back() {
            Some(name) if name != ".." => Ok(Target {
                dir: self.dir,
                missing,
                name,
                old,
                wanted,
                is_create_only: false,
                backups: 0,
                block: None,
                composed_from: None,
                with_others: None,
            }),
            _ => Err(Error::resource(self.dest, "is a directory, not a file")),
        }
    }
}

/// The names along a path, `..` among them.
fn steps(path: &Path) -> Vec<OsString> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name.to_owned()),
            Component::ParentDir => names.push("..".into()),
            _ => {}
        }
    }
    names
}

/// The same without a `..`, taken as text: for a path on which nothing exists.
fn clean_steps(path: &Path) -> Vec<OsString> {
    let mut kept = Vec::new();
    for step in steps(path) {
        if step == ".." {
            drop(kept.pop())
        } else {
            kept.push(step)
        }
    }
    kept
}

/// Where a link may lead.
#[derive(Debug, PartialEq)]
enum Trust {
    /// Anywhere.
    Always,
    /// To what belongs to its owner.
    IfOwn,
    /// Nowhere.
    Never,
}

fn is_ours(meta: &Meta, own: u32) -> bool {
    meta.uid == 0 || meta.uid == own
}

/// Returns true if only root and this user can change the entries of `dir`.
pub(super) fn is_closed(dir: &Meta, own: u32) -> bool {
    is_ours(dir, own) && dir.mode & 0o022 == 0
}

fn trust(dir: &Meta, link: &Meta, own: u32) -> Trust {
    match (
        is_closed(dir, own),
        is_ours(link, own),
        link.has_other_names,
    ) {
        (true, ..) | (false, true, false) => Trust::Always,
        // Linux before 3.6 lets everybody give root's links second names.
        (false, true, true) => Trust::Never,
        (false, false, _) => Trust::IfOwn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(kind: Kind, uid: u32, mode: u32) -> Meta {
        Meta {
            kind,
            size: 0,
            mode,
            uid,
            gid: 0,
            has_other_names: false,
            id: (1, 1),
        }
    }

    #[test]
    fn links_are_trusted_by_directory_and_owner() {
        const OWN: u32 = 7;
        for (what, dir, mode, link, other_names, wanted) in [
            ("root's in root's", 0, 0o755, 0, false, Trust::Always),
            ("ours in ours", OWN, 0o700, OWN, false, Trust::Always),
            ("given away in root's", 0, 0o755, 9, false, Trust::Always),
            ("a second name in root's", 0, 0o755, 0, true, Trust::Always),
            ("root's in a user's", 9, 0o755, 0, false, Trust::Always),
            ("ours in a user's", 9, 0o755, OWN, false, Trust::Always),
            ("root's in /tmp", 0, 0o1777, 0, false, Trust::Always),
            ("a second name in a user's", 9, 0o755, 0, true, Trust::Never),
            ("a second name in /tmp", 0, 0o1777, OWN, true, Trust::Never),
            ("a user's in their own", 9, 0o755, 9, false, Trust::IfOwn),
            ("a user's in /tmp", 0, 0o1777, 9, true, Trust::IfOwn),
            ("a user's in a group's", 0, 0o775, 9, false, Trust::IfOwn),
        ] {
            let dir = meta(Kind::Directory, dir, mode);
            let mut link = meta(Kind::Link, link, 0o777);
            link.has_other_names = other_names;
            assert_eq!(trust(&dir, &link, OWN), wanted, "{what}");
        }
    }
}
