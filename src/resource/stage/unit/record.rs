//! The records of units on the disk: written whole, read by whoever finishes a swap, and asked
//! about files that were put back. Knows nothing of renames.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use md5::{Digest, Md5};
use serde_json::{Value as Json, json};

use super::{Lines, Part, Plan, Reason, Unit};
use crate::error::{Error, Result};
use crate::go::hex;
use crate::platform::{self, Dir};
use crate::random;
use crate::resource::pending::{self, Record};

/// The directory below confdir.
const DIRECTORY: &str = "swaps";
/// A record that is being written.
const UNFINISHED: &str = ".new-";

/// A part as the record has it.
pub(super) struct RecordedPart {
    pub(super) dir: PathBuf,
    pub(super) dir_id: (u64, u64),
    pub(super) name: OsString,
    pub(super) dest: PathBuf,
    pub(super) new: Option<OsString>,
    pub(super) old: Option<OsString>,
    pub(super) md5: String,
    pub(super) rendered: String,
    pub(super) lines: Option<Lines>,
    pub(super) backups: u32,
}

impl RecordedPart {
    fn from_json(json: &Json) -> Option<RecordedPart> {
        let text = |key| json.get(key).and_then(Json::as_str).map(str::to_owned);
        let number = |index| json.get("dir_id")?.get(index)?.as_u64();
        Some(RecordedPart {
            dir: text("dir")?.into(),
            dir_id: (number(0)?, number(1)?),
            name: text("name")?.into(),
            dest: text("dest")?.into(),
            new: text("new").map(OsString::from),
            old: text("old").map(OsString::from),
            md5: text("md5")?,
            rendered: text("rendered")?,
            lines: json.get("lines").and_then(Lines::from_json),
            backups: json.get("backups").and_then(Json::as_u64).unwrap_or(0) as u32,
        })
    }

    pub(super) fn open(self, dir: Dir) -> Part {
        Part {
            dir: Arc::new(dir),
            dir_id: self.dir_id,
            name: self.name,
            dest: self.dest,
            new: self.new,
            old: self.old,
            md5: self.md5,
            rendered: self.rendered,
            lines: self.lines,
            backups: self.backups,
        }
    }
}

pub(super) type Parsed = (
    String,
    BTreeSet<PathBuf>,
    Vec<Record>,
    bool,
    Vec<RecordedPart>,
);

pub(super) fn from_json(json: &Json) -> Option<Parsed> {
    let list = |key| json.get(key).and_then(Json::as_array);
    let parts = list("parts")?.iter().map(RecordedPart::from_json);
    let reloads = list("reloads")?.iter().map(Record::from_json);
    let members = list("members")?.iter().filter_map(Json::as_str);
    Some((
        json.get("unit")?.as_str()?.to_owned(),
        members.map(PathBuf::from).collect(),
        reloads.collect::<Option<_>>()?,
        json.get("keeps_old")?.as_bool()?,
        parts.collect::<Option<_>>()?,
    ))
}

/// Takes the place of an older record of the unit, whose old files are of no use any more.
pub(super) fn write_record(confdir: &Path, plan: &Plan, parts: &[Part]) -> Result<(PathBuf, File)> {
    let json: Option<Vec<Json>> = parts.iter().map(Part::to_json).collect();
    let unnamed = || Error::resource(confdir, "cannot record a swap: a file's name is not UTF-8");
    let json = json!({
        "unit": plan.name,
        "members": plan.members.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>(),
        "keeps_old": plan.keeps_old,
        "parts": json.ok_or_else(unnamed)?,
        "reloads": plan.reloads.iter().map(Record::to_json).collect::<Vec<_>>(),
    });
    let directory = confdir.join(DIRECTORY);
    pending::make_directory(&directory)?;
    let path = record_path(confdir, &plan.name);
    let older = fs::read_to_string(&path).unwrap_or_default();
    let unfinished = directory.join(format!("{UNFINISHED}{:x}", random::number()));
    let written = platform::open_private(&unfinished).and_then(|file| {
        // Where there are no locks, nobody else is known to be at work.
        let _no_locks = file.try_lock();
        (&file).write_all(format!("{json}\n").as_bytes())?;
        pending::sync(&file)?;
        fs::rename(&unfinished, &path)?;
        pending::sync_directory(&directory).inspect_err(|_| {
            // The first error is the one to report. What stays is a swap of files that are gone.
            let _finished_later = fs::remove_file(&path);
        })?;
        Ok(file)
    });
    let file = written.map_err(|source| {
        // The first error is the one to report; the next run removes it.
        let _removed_later = fs::remove_file(&unfinished);
        Error::io("write", &path, source)
    })?;
    for file in recorded_files(&older) {
        // Else the next run takes it for a leftover.
        let _cleared_later = fs::remove_file(file);
    }
    Ok((path, file))
}

fn record_path(confdir: &Path, unit: &str) -> PathBuf {
    let sum = hex::encode(&Md5::digest(unit.as_bytes()));
    confdir.join(DIRECTORY).join(sum)
}

/// The staged and the old files of a record.
fn recorded_files(text: &str) -> Vec<PathBuf> {
    let first = text.lines().next().unwrap_or_default();
    let json = serde_json::from_str(first).ok();
    let parts = json.as_ref().and_then(from_json).map(|(.., parts)| parts);
    let mut files = Vec::new();
    for part in parts.into_iter().flatten() {
        let names = part.new.into_iter().chain(part.old);
        files.extend(names.map(|name| part.dir.join(name)));
    }
    files
}

/// The paths of all records; the ones that were never finished are removed.
fn records(confdir: &Path) -> Vec<PathBuf> {
    let directory = confdir.join(DIRECTORY);
    let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort_unstable();
    paths
}

fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(UNFINISHED.as_bytes())
}

/// Returns true if anything is recorded. Needs no lock.
pub(crate) fn has_records(confdir: &Path) -> bool {
    !records(confdir).is_empty()
}

/// The names of the files beside their dests that belong to a unit, and are no leftovers: the
/// random part of each is its own. Needs no lock.
pub(crate) fn recorded(confdir: &Path) -> BTreeSet<OsString> {
    let texts = records(confdir).into_iter();
    let texts = texts.filter_map(|path| fs::read_to_string(path).ok());
    let files = texts.flat_map(|text| recorded_files(&text));
    files
        .filter_map(|file| file.file_name().map(OsStr::to_owned))
        .collect()
}

/// The units whose process is gone, and that it has not brought to an end. What cannot be read is
/// added to `problems`.
pub(crate) fn abandoned(confdir: &Path, problems: &mut Vec<Error>) -> Vec<Unit> {
    let mut units = Vec::new();
    for path in records(confdir) {
        let read = if is_unfinished(&path) {
            remove(&path).map(|()| None)
        } else {
            match pending::open_abandoned(&path) {
                Ok(Some(file)) => Unit::read(&path, file),
                Ok(None) => Ok(None),
                Err(source) => Err(Error::io("read", &path, source)),
            }
        };
        match read {
            Ok(unit) => units.extend(unit.filter(|unit| !unit.is_rejected())),
            Err(error) => problems.push(error),
        }
    }
    units
}

/// The units that a process, perhaps this one, tries out: it has swapped them, and their reloads
/// have not ended. Needs no lock.
pub(crate) fn tried(confdir: &Path) -> BTreeSet<String> {
    let is_held = |path: &PathBuf| matches!(pending::open_abandoned(path), Ok(None));
    let held = records(confdir).into_iter();
    let texts = held
        .filter(|path| !is_unfinished(path) && is_held(path))
        .filter_map(|path| fs::read_to_string(path).ok());
    let name = |text: String| {
        let json: Json = serde_json::from_str(text.lines().next()?).ok()?;
        Some(json.get("unit")?.as_str()?.to_owned())
    };
    texts.filter_map(name).collect()
}

/// A record as it lies on the disk, without the lock.
struct Stored {
    parsed: Parsed,
    /// Why the old files come back, or have come back.
    reason: Option<Reason>,
    is_undone: bool,
}

impl Stored {
    /// None if it is damaged, or if this user may not read it.
    fn read(path: &Path) -> Option<Stored> {
        let text = fs::read_to_string(path).ok()?;
        let mut lines = text.lines();
        let parsed = from_json(&serde_json::from_str(lines.next()?).ok()?)?;
        let reason = |line: &str| Reason::from_line(line.strip_prefix("undo ")?);
        Some(Stored {
            parsed,
            reason: lines.clone().find_map(reason),
            is_undone: lines.any(|line| line == "undone"),
        })
    }

    fn all(confdir: &Path) -> impl Iterator<Item = Stored> {
        let paths = records(confdir).into_iter();
        paths.filter_map(|path| Stored::read(&path))
    }
}

/// The files that were made for blocks which are tried out.
pub(super) fn made_for_blocks(confdir: &Path) -> BTreeSet<PathBuf> {
    let tried = Stored::all(confdir).filter(|record| !record.is_undone);
    let parts = tried.flat_map(|Stored { parsed, .. }| {
        let (.., parts) = parsed;
        parts
    });
    let is_made = |part: &RecordedPart| part.lines.as_ref().is_some_and(|lines| lines.is_made);
    parts.filter(is_made).map(|part| part.dest).collect()
}

/// Why these renderings of a unit were put back, if it was with these reload commands: pairs of a
/// dest and the MD5 of what was rendered.
pub(crate) fn rejection(
    confdir: &Path,
    unit: &str,
    renderings: &BTreeSet<(PathBuf, String)>,
    commands: &BTreeSet<String>,
) -> Option<Reason> {
    let record = Stored::read(&record_path(confdir, unit))?;
    let (_, _, reloads, _, parts) = record.parsed;
    let parts = parts.into_iter();
    let parts = parts.map(|part| (part.dest, part.rendered));
    let reloads = reloads.into_iter().map(|record| record.command);
    if parts.collect::<BTreeSet<_>>() != *renderings
        || reloads.collect::<BTreeSet<_>>() != *commands
    {
        return None;
    }
    record.reason
}

/// Why the file of this resource, by its name below confdir, was put back; none if it was not, or
/// if this user may not read the records. Needs no lock.
pub(crate) fn why_undone(confdir: &Path, member: &Path) -> Option<Reason> {
    Stored::all(confdir).find_map(|Stored { parsed, reason, .. }| {
        let (_, members, ..) = parsed;
        let is_member = members.iter().any(|path| path.ends_with(member));
        reason.filter(|_| is_member)
    })
}

/// The units that were put back, with the names of their resources.
pub(crate) fn rejected(confdir: &Path) -> Vec<(String, BTreeSet<PathBuf>)> {
    let undone = Stored::all(confdir).filter(|record| record.is_undone);
    let units = undone.map(|Stored { parsed, .. }| {
        let (unit, members, ..) = parsed;
        (unit, members)
    });
    units.collect()
}

/// Forgets what was put back of a unit: its files are right by now.
pub(crate) fn forget_rejection(confdir: &Path, unit: &str) -> Result<()> {
    let path = record_path(confdir, unit);
    if !path.exists() {
        return Ok(());
    }
    match pending::open_abandoned(&path) {
        Ok(Some(_locked)) => remove(&path),
        Ok(None) => Ok(()),
        Err(source) => Err(Error::io("read", &path, source)),
    }
}

pub(super) fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(|source| Error::io("remove", path, source))
}
