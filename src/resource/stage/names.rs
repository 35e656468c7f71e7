//! The names of staged files: `.NAME.confd-XXXXXXXXXX` beside dest NAME, so that a later run knows
//! whose they are.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use md5::{Digest, Md5};

use super::{Target, refused};
use crate::error::Result;
use crate::go::hex;
use crate::platform::{Dir, Kind};
use crate::random;

const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
/// Between the name of dest and the random letters.
const MARK: &str = ".confd-";
/// Too many for a word, so that nobody's own `.zoo.cfg.confd-backup` is taken for ours.
const RANDOM: usize = 10;
/// The longest name that file systems allow, less the additions of this module.
const LONGEST: usize = 255 - ".".len() - ".confd-kept-".len() - RANDOM;
/// How often another name is tried when one is taken.
const ATTEMPTS: u32 = 100;

/// Makes a new staged file for dest `name`, 0600. One to be kept gets a name that
/// [`clear_leftovers`] leaves alone.
pub(super) fn create(dir: &Dir, name: &OsStr, keep: bool) -> io::Result<(OsString, File)> {
    let mut failure = io::Error::from(ErrorKind::AlreadyExists);
    for _ in 0..ATTEMPTS {
        let mut staged = prefix(name);
        if keep {
            staged.push("kept-");
        }
        staged.push(random_letters());
        match dir.create(&staged) {
            Ok(file) => return Ok((staged, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => failure = error,
            Err(error) => return Err(error),
        }
    }
    Err(failure)
}

/// A name for a file beside dest `name` that nothing has yet.
pub(super) fn unused(dir: &Dir, name: &OsStr) -> io::Result<OsString> {
    for _ in 0..ATTEMPTS {
        let mut unused = prefix(name);
        unused.push(random_letters());
        if dir.look_up(&unused)?.is_none() {
            return Ok(unused);
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// The name of a former version of dest `name`; 1 is the newest.
pub(super) fn backup(name: &OsStr, number: u32) -> OsString {
    let mut backup = prefix(name);
    backup.push(format!("backup.{number}"));
    backup
}

/// The prefix of all staged files of dest `name`. A name near the limit of file systems is stood
/// for by its MD5.
fn prefix(name: &OsStr) -> OsString {
    let mut prefix = OsString::from(".");
    if name.len() <= LONGEST {
        prefix.push(name)
    } else {
        prefix.push(hex::encode(&Md5::digest(name.as_encoded_bytes())))
    }
    prefix.push(MARK);
    prefix
}

/// Hard enough to guess that nobody takes the name first: the hasher's keys come from the system's
/// random numbers.
fn random_letters() -> String {
    let mut number = random::number();
    let letter = |_| {
        let place = number % LETTERS.len() as u64;
        number /= LETTERS.len() as u64;
        LETTERS
            .get(place as usize)
            .map(|letter| char::from(*letter))
    };
    (0..RANDOM).filter_map(letter).collect()
}

/// Returns true if `name` is the prefix and ten of our letters, and nothing else.
fn is_staged(name: &OsStr, prefix: &OsStr) -> bool {
    let rest = name
        .as_encoded_bytes()
        .strip_prefix(prefix.as_encoded_bytes());
    rest.is_some_and(|rest| rest.len() == RANDOM && rest.iter().all(|b| LETTERS.contains(b)))
}

/// `text` with the random part of every staged file's name left out, so that what is said of two
/// attempts can be compared.
pub fn without_random_parts(text: &str) -> String {
    let mut pieces = text.split(MARK);
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let random = piece.get(..RANDOM);
        let is_ours = |random: &str| random.bytes().all(|byte| LETTERS.contains(&byte));
        let rest = if random.is_some_and(is_ours) {
            piece.get(RANDOM..).unwrap_or_default()
        } else {
            piece
        };
        plain.push_str(MARK);
        plain.push_str(rest);
    }
    plain
}

/// Removes the staged files that killed runs have left beside these targets, and says which. To be
/// called with the apply lock held and before anything is staged: every such file is then nobody's,
/// except those that are claimed, and the `recorded` ones of units. Reads each directory once.
pub fn clear_leftovers(
    mut targets: Vec<&Target>,
    recorded: &BTreeSet<OsString>,
) -> Result<Vec<PathBuf>> {
    targets.retain(|target| target.has_directory());
    targets.sort_unstable_by_key(|target| target.dir.path());
    let mut removed = Vec::new();
    for group in targets.chunk_by(|a, b| a.dir.path() == b.dir.path()) {
        if let Some(first) = group.first() {
            let prefixes: Vec<OsString> = group.iter().map(|t| prefix(&t.name)).collect();
            clear_directory(&first.dir, &prefixes, recorded, &mut removed)
                .map_err(|error| refused("clear leftovers in", first.dir.path(), error))?;
        }
    }
    Ok(removed)
}

fn clear_directory(
    dir: &Dir,
    prefixes: &[OsString],
    recorded: &BTreeSet<OsString>,
    removed: &mut Vec<PathBuf>,
) -> io::Result<()> {
    // A confd of another confdir may be staging here, under another lock.
    let Some(_alone) = dir.claim_alone() else {
        return Ok(());
    };
    for name in staged_files(dir, prefixes)? {
        if !is_claimed(dir, &name) && !recorded.contains(&name) {
            dir.remove(&name)?;
            removed.push(dir.path().join(name));
        }
    }
    Ok(())
}

/// The staged files beside this target that nobody has claimed: those of killed runs, and for a
/// moment those of a run at work. A check that runs for long has claimed its file.
pub fn find_leftovers(target: &Target) -> io::Result<Vec<PathBuf>> {
    if !target.has_directory() {
        return Ok(Vec::new());
    }
    let mut names = staged_files(&target.dir, &[prefix(&target.name)])?;
    // One that cannot be opened may be claimed, too.
    names.retain(|name| {
        let file = target.dir.open(name);
        file.is_ok_and(|file| file.try_lock().is_ok())
    });
    let paths = names.iter().map(|name| target.dir.path().join(name));
    Ok(paths.collect())
}

fn staged_files(dir: &Dir, prefixes: &[OsString]) -> io::Result<Vec<OsString>> {
    let ours = |name: &OsStr| prefixes.iter().any(|prefix| is_staged(name, prefix));
    let mut files = Vec::new();
    for name in dir.names(ours)? {
        let meta = dir.look_up(&name)?;
        if meta.is_some_and(|meta| meta.kind == Kind::File) {
            files.push(name);
        }
    }
    Ok(files)
}

fn is_claimed(dir: &Dir, name: &OsStr) -> bool {
    let locked = dir.open(name).map(|file| file.try_lock());
    matches!(locked, Ok(Err(TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_ours() {
        let prefix = prefix(OsStr::new("zoo.cfg"));
        assert_eq!(prefix, ".zoo.cfg.confd-");
        for (name, ours) in [
            (".zoo.cfg.confd-abc1230000", true),
            (".zoo.cfg.confd-ABC1230000", false),
            (".zoo.cfg.confd-abc123000", false),
            (".zoo.cfg.confd-abc12300000", false),
            (".zoo.cfg.confd-kept-abc1230000", false),
            (".zoo.cfg.confd-abc1230000.confd-abc1230000", false),
            (".zoo.cfg.confd-", false),
            ("zoo.cfg.confd-abc1230000", false),
            (".myid.confd-abc1230000", false),
            (".zoo.cfg123456", false),
        ] {
            assert_eq!(is_staged(OsStr::new(name), &prefix), ours, "{name}");
        }
    }

    #[test]
    fn what_is_said_of_two_staged_files_is_the_same() {
        for (text, plain) in [
            ("no name", "no name"),
            (
                "grep /a/.x.confd-abc1230000 (/a/.y.confd-0123456789)",
                "grep /a/.x.confd- (/a/.y.confd-)",
            ),
            (".x.confd-kept-abc1230000", ".x.confd-kept-abc1230000"),
            (".x.confd-abc", ".x.confd-abc"),
            (
                ".x.confd-\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}",
                ".x.confd-\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}",
            ),
        ] {
            assert_eq!(without_random_parts(text), plain);
        }
    }

    #[test]
    fn random_names_are_ours_and_differ() {
        let (one, two) = (random_letters(), random_letters());
        assert_ne!(one, two);
        let prefix = prefix(OsStr::new("x"));
        for letters in [one, two] {
            let mut name = prefix.clone();
            name.push(letters);
            assert!(is_staged(&name, &prefix), "{name:?}");
        }
    }

    #[test]
    fn no_name_grows_beyond_what_file_systems_take() {
        for length in [1, LONGEST, LONGEST + 1, 255] {
            let name = OsString::from("n".repeat(length));
            assert!(
                prefix(&name).len() + "kept-".len() + RANDOM <= 255,
                "{length}"
            );
        }
        let (a, b) = ("a".repeat(255), "a".repeat(254) + "b");
        assert_ne!(prefix(OsStr::new(&a)), prefix(OsStr::new(&b)));
    }
}
