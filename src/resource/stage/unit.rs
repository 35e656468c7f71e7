//! A unit: files that are swapped all or none, over kills and failures, and that can be put back.
//!
//! Before the first rename everything is recorded, on the disk; the old files get second names. A
//! restart finishes the renames of a record, or, once that says `undo`, puts the old files back.
//! A record is written under another name first, so that there is no half of one. It is kept until
//! the new files have proved good, and after that if they have not: the same files are not tried
//! again. The process that works on a unit holds a lock on its record.
//!
//! ```text
//! confdir/swaps/MD5-OF-UNIT   {"unit": …, "parts": [{"dir": …, "name": …, "new": …, "old": …}], …}
//!                             try               its reload is about to start
//!                             undo REASON       the old files come back
//!                             undone            they are back, and their reloads are recorded
//! ```
//!
//! To be used with the apply lock held, except where it says otherwise.

mod lines;
mod record;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::compare::md5_of;
use super::{
    Committed, Stage, Target, backup, is_mount_point, mount, names, refused, sync_directories,
};
use crate::error::{Error, Result};
use crate::platform::{self, Dir, Kind};
use crate::resource::pending::{self, Record};

use lines::Lines;
pub(crate) use record::{
    abandoned, forget_rejection, has_records, recorded, rejected, rejection, tried, why_undone,
};
use record::{from_json, made_for_blocks, remove, write_record};

/// One file of a unit.
#[derive(Debug)]
struct Part {
    dir: Arc<Dir>,
    /// The device and number of the directory: another one in its place is left alone.
    dir_id: (u64, u64),
    name: OsString,
    /// The path, for messages and to compare.
    dest: PathBuf,
    /// The staged file; none for a removal.
    new: Option<OsString>,
    /// The second name of the file that there was; none if there was none.
    old: Option<OsString>,
    /// The MD5 of the new content, in hex; empty for a removal.
    md5: String,
    /// The MD5 of what was rendered, which a check_cmd may have edited.
    rendered: String,
    /// Only a block of the file is made; none for the whole file.
    lines: Option<Lines>,
    /// How many former versions of the file are kept in the end.
    backups: u32,
}

/// A unit that is recorded.
#[derive(Debug)]
pub(crate) struct Unit {
    name: String,
    /// The record, and the lock on it.
    path: PathBuf,
    file: File,
    parts: Vec<Part>,
    /// The names of its resources.
    pub members: BTreeSet<PathBuf>,
    /// The reloads of its resources.
    pub reloads: Vec<Record>,
    /// The old files are kept until the reloads have succeeded.
    pub keeps_old: bool,
    /// How often a reload was about to start.
    pub tries: usize,
    /// The old files come back, for this reason.
    pub undo: Option<Reason>,
    is_undone: bool,
}

/// Why the old files of a unit have come back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reason {
    /// For everybody.
    pub brief: String,
    /// With the output of the command that failed, which may have values of the metadata.
    pub full: String,
}

impl Reason {
    fn from_line(text: &str) -> Option<Reason> {
        let (brief, full) = serde_json::from_str(text).ok()?;
        Some(Reason { brief, full })
    }
}

/// A unit that is to be swapped.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The name of the unit: its group, or the conf.d file.
    pub name: String,
    /// The names of its resources.
    pub members: BTreeSet<PathBuf>,
    /// The reloads of its resources.
    pub reloads: Vec<Record>,
    /// The old files are kept until the reloads have succeeded.
    pub keeps_old: bool,
}

impl Unit {
    /// Gives the old files their second names, and records what is to be renamed. `stages` come
    /// with the MD5 of what was rendered.
    pub(crate) fn prepare(confdir: &Path, plan: Plan, stages: &[(Stage, String)]) -> Result<Unit> {
        let mut parts = Vec::new();
        let made = made_for_blocks(confdir);
        let prepared = stages.iter().try_for_each(|(stage, rendered)| {
            let mut part = stage.to_part(rendered)?;
            if let Some(lines) = &mut part.lines {
                lines.is_made |= made.contains(&part.dest);
            }
            parts.push(part);
            Ok(())
        });
        let recorded = prepared
            .and_then(|()| sync_directories(&committed(&parts)))
            .and_then(|()| write_record(confdir, &plan, &parts));
        match recorded {
            Ok((path, file)) => Ok(Unit {
                name: plan.name,
                path,
                file,
                parts,
                members: plan.members,
                reloads: plan.reloads,
                keeps_old: plan.keeps_old,
                tries: 0,
                undo: None,
                is_undone: false,
            }),
            Err(error) => {
                // The first error is the one to report; the next run clears the rest away.
                let _cleared_later = parts.iter().try_for_each(Part::forget_old);
                Err(error)
            }
        }
    }

    /// Puts all new files in their places. If one cannot be, the old ones are put back.
    pub(crate) fn commit(mut self, stages: Vec<(Stage, String)>) -> Result<Unit> {
        for (stage, _) in stages {
            if let Err(error) = stage.place() {
                return Err(self.take_back(error));
            }
        }
        Ok(self)
    }

    /// Brings the new names to the disk.
    pub(crate) fn sync(&self) -> Result<()> {
        sync_directories(&committed(&self.parts))
    }

    /// Undoes a swap that has failed half way. What cannot be undone now is undone by the next run.
    fn take_back(&mut self, error: Error) -> Error {
        let noted = self.append("undo");
        match self.restore().and_then(|()| self.forget()) {
            Ok(()) => error,
            Err(problem) => {
                let noted = noted.err().map(|error| format!("; {}", error.chain()));
                let (error, problem) = (error.chain(), problem.chain());
                let noted = noted.unwrap_or_default();
                let problem = format!("{error}; not all is as before: {problem}{noted}");
                Error::resource(&self.path, &problem)
            }
        }
    }

    /// The group, or the conf.d file of a resource that is for itself.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The first of the files.
    pub(crate) fn place(&self) -> PathBuf {
        self.parts
            .first()
            .map(|part| part.dest.clone())
            .unwrap_or_default()
    }

    /// The files, for messages.
    pub(crate) fn files(&self) -> String {
        let files = self
            .parts
            .iter()
            .map(|part| part.dest.display().to_string());
        let mut files: Vec<String> = files.collect();
        // Several blocks of one file.
        files.dedup();
        files.join(", ")
    }

    /// Returns true if it makes this file, or this block of it, by its first marker line.
    pub(crate) fn makes(&self, place: &Path, marker: Option<&str>) -> bool {
        let is_it = |part: &Part| {
            let lines = part.lines.as_ref();
            part.dest == place && lines.map(Lines::marker) == marker
        };
        self.parts.iter().any(is_it)
    }

    /// Finishes the renames of a process that is gone.
    pub(crate) fn finish(&self) -> Result<()> {
        self.parts.iter().try_for_each(Part::finish)?;
        self.sync()
    }

    /// Puts the old files back. May be repeated.
    pub(crate) fn restore(&self) -> Result<()> {
        let restored = self.parts.iter().rev().map(Part::restore);
        restored.fold(Ok(()), Result::and)?;
        self.sync()
    }

    /// Returns the first file that is not the new one any more.
    pub(crate) fn changed(&self) -> Option<PathBuf> {
        let changed = self.parts.iter().find(|part| !part.is_new());
        changed.map(|part| part.dest.clone())
    }

    /// The old files and the record are of no use any more.
    pub(crate) fn forget(&self) -> Result<()> {
        if self.is_ours() {
            remove(&self.path)?;
        }
        self.parts.iter().try_for_each(Part::forget_old)?;
        let prune =
            |part: &Part| part.settle_backups(|dir, name| backup::prune(dir, name, part.backups));
        self.parts.iter().try_for_each(prune)
    }

    /// Records that a reload is about to start. Needs no lock.
    pub(crate) fn note_try(&mut self) -> Result<()> {
        self.tries += 1;
        self.append("try")
    }

    /// Records that the old files come back, and why.
    pub(crate) fn note_undo(&mut self, reason: Reason) -> Result<()> {
        let line = format!("undo {}", json!([reason.brief, reason.full]));
        self.undo = Some(reason);
        self.append(&line)
    }

    /// Records that they are back, and their reloads are recorded.
    pub(crate) fn note_undone(&mut self) -> Result<()> {
        self.is_undone = true;
        self.append("undone")
    }

    fn append(&self, line: &str) -> Result<()> {
        (&self.file)
            .write_all(format!("{line}\n").as_bytes())
            .and_then(|()| pending::sync(&self.file))
            .map_err(|source| Error::io("write", &self.path, source))
    }

    /// Returns true if another process has not swapped the unit since.
    fn is_ours(&self) -> bool {
        let id = |file: &File| platform::file_meta(file).map(|meta| meta.id).ok();
        platform::open_without_waiting(&self.path).is_ok_and(|file| id(&file) == id(&self.file))
    }

    fn is_rejected(&self) -> bool {
        self.undo.is_some() && self.is_undone
    }

    fn read(path: &Path, file: File) -> Result<Option<Unit>> {
        let read = |source| Error::io("read", path, source);
        let mut text = String::new();
        (&file).read_to_string(&mut text).map_err(read)?;
        let mut lines = text.lines();
        let json = lines
            .next()
            .and_then(|line| serde_json::from_str(line).ok());
        let parsed = json.as_ref().and_then(from_json);
        let damaged = || Error::resource(path, "is no record of a swap");
        let (name, members, reloads, keeps_old, parts) = parsed.ok_or_else(damaged)?;
        let mut unit = Unit {
            name,
            path: path.to_path_buf(),
            file,
            parts: Vec::new(),
            members,
            reloads,
            keeps_old,
            tries: 0,
            undo: None,
            is_undone: false,
        };
        for line in lines {
            match line.split_once(' ').unwrap_or((line, "")) {
                ("try", _) => unit.tries += 1,
                ("undone", _) => unit.is_undone = true,
                ("undo", reason) => {
                    unit.undo = Some(Reason::from_line(reason).unwrap_or_default());
                }
                _ => {}
            }
        }
        if unit.is_rejected() {
            return Ok(Some(unit));
        }
        for part in parts {
            let opened = Dir::at(&part.dir).and_then(|dir| Ok((dir.meta()?.id, dir)));
            match opened {
                Ok((id, dir)) if id == part.dir_id => unit.parts.push(part.open(dir)),
                // What is not there any more needs no swap.
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(refused("open", &part.dir, error)),
            }
        }
        Ok(Some(unit))
    }
}

impl Stage {
    /// The part of a unit that this file is.
    fn to_part(&self, rendered: &str) -> Result<Part> {
        self.keep_backup(1)?;
        let cannot = |error| refused("look at", &self.target.path(), error);
        let dir = Arc::clone(&self.file.dir);
        let sum = |name: &OsStr| dir.open(name).and_then(|file| md5_of(&file));
        let new = (!self.is_removal()).then(|| self.file.name.clone());
        let md5 = new.as_deref().map(sum).transpose().map_err(cannot)?;
        Ok(Part {
            dir_id: dir.meta().map_err(cannot)?.id,
            name: self.target.name.clone(),
            dest: self.target.path(),
            new,
            old: self.second_name()?,
            md5: md5.unwrap_or_default(),
            rendered: rendered.to_owned(),
            lines: self.lines()?,
            backups: self.target.backups,
            dir,
        })
    }

    /// Gives the file that there is a second name; where it can have none, a copy.
    fn second_name(&self) -> Result<Option<OsString>> {
        let (dir, target) = (&self.file.dir, &self.target);
        let Some(old) = &target.old else {
            return Ok(None);
        };
        let name = names::unused(dir, &target.name)
            .map_err(|error| refused("make a file in", dir.path(), error))?;
        let linked = dir
            .link(&target.name, &name)
            .and_then(|()| dir.look_up(&name));
        if let Ok(Some(found)) = linked {
            if found.kind == Kind::File && found.id == old.id {
                return Ok(Some(name));
            }
            dir.remove(&name)
                .map_err(|error| refused("remove", &dir.path().join(&name), error))?;
        }
        let mut content = Vec::new();
        let read = dir.open(&target.name).and_then(|mut file| {
            if platform::file_meta(&file)?.id != old.id {
                return Err(ErrorKind::NotFound.into());
            }
            file.read_to_end(&mut content)
        });
        read.map_err(|error| refused("read", &target.path(), error))?;
        let copy = Target::found(Arc::clone(dir), target.name.clone(), old.clone());
        let copy = Stage::create(copy, &content, false)?;
        copy.sync()?;
        Ok(Some(copy.leave()))
    }

    /// Leaves the staged file where it is.
    fn leave(mut self) -> OsString {
        self.file.is_there = false;
        self.file.name.clone()
    }
}

impl Part {
    fn look_up(&self, name: &OsStr) -> Result<Option<(u64, u64)>> {
        let found = self.dir.look_up(name);
        found
            .map(|found| found.map(|meta| meta.id))
            .map_err(|error| refused("look at", &self.dir.path().join(name), error))
    }

    fn remove(&self, name: &OsStr) -> Result<()> {
        match self.dir.remove(name) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(refused("remove", &self.dir.path().join(name), error))
            }
            _ => Ok(()),
        }
    }

    fn finish(&self) -> Result<()> {
        match &self.new {
            Some(new) if self.look_up(new)?.is_some() => {
                if !self.is_staged(new) {
                    let path = self.dir.path().join(new);
                    return Err(Error::resource(&path, "is not the file that was staged"));
                }
                match &self.lines {
                    Some(lines) => self.finish_lines(lines, new),
                    None => self.put(new),
                }
            }
            Some(_) => Ok(()),
            // Only the file that there was: somebody may have made another.
            None => match (&self.old, self.look_up(&self.name)?) {
                (Some(old), Some(id)) if self.look_up(old)? == Some(id) => self.remove(&self.name),
                _ => Ok(()),
            },
        }
    }

    fn restore(&self) -> Result<()> {
        match &self.old {
            Some(old) => {
                if let Some(id) = self.look_up(old)? {
                    if id.1 != 0 && self.look_up(&self.name)? == Some(id) {
                        // Two names of one file: renaming one to the other would do nothing.
                        self.remove(old)?;
                    } else if let Some(lines) = &self.lines
                        && !self.is_staged(&self.name)
                    {
                        self.restore_lines(lines, Some(old))?;
                        self.remove(old)?;
                    } else {
                        self.put(old)?;
                    }
                }
            }
            None if self.is_staged(&self.name) => self.remove(&self.name)?,
            None => {
                if let Some(lines) = &self.lines {
                    self.restore_lines(lines, None)?
                }
            }
        }
        self.new.as_deref().map_or(Ok(()), |new| self.remove(new))?;
        self.settle_backups(backup::take_back)
    }

    fn settle_backups(&self, settle: impl FnOnce(&Dir, &OsStr) -> io::Result<()>) -> Result<()> {
        let settled = (self.backups > 0).then(|| settle(&self.dir, &self.name));
        let cannot = |error| refused("settle the former versions of", &self.dest, error);
        settled.unwrap_or(Ok(())).map_err(cannot)
    }

    /// Puts a file in the place of dest; where that is a mount point, its content.
    fn put(&self, from: &OsStr) -> Result<()> {
        match self.dir.replace(from, &self.name) {
            Err(error) if is_mount_point(&error) => self
                .dir
                .open(from)
                .and_then(|file| mount::overwrite(&self.dir, file, &self.name))
                .and_then(|file| file.sync_all())
                .and_then(|()| self.dir.remove(from)),
            result => result,
        }
        .map_err(|error| refused("replace", &self.dest, error))
    }

    /// Returns true if dest is as the swap has left it.
    fn is_new(&self) -> bool {
        if let Some(lines) = &self.lines {
            return self.has_lines(lines);
        }
        let found = self.dir.look_up(&self.name);
        match (found, &self.new) {
            (Ok(None), None) => true,
            (Ok(Some(_)), Some(_)) => self.is_staged(&self.name),
            _ => false,
        }
    }

    /// Returns true if the file with this name has the content that was staged.
    fn is_staged(&self, name: &OsStr) -> bool {
        let sum = self.dir.open(name).and_then(|file| md5_of(&file));
        sum.is_ok_and(|sum| sum == self.md5)
    }

    fn forget_old(&self) -> Result<()> {
        self.old.as_deref().map_or(Ok(()), |old| self.remove(old))
    }

    fn to_json(&self) -> Option<Json> {
        let text = |name: &OsString| name.to_str().map(str::to_owned);
        let optional = |name: &Option<OsString>| name.as_ref().map(text);
        Some(json!({
            "dir": self.dir.path().to_str()?,
            "dir_id": [self.dir_id.0, self.dir_id.1],
            "name": text(&self.name)?,
            "dest": self.dest.to_str()?,
            "new": optional(&self.new),
            "old": optional(&self.old),
            "md5": self.md5,
            "rendered": self.rendered,
            "lines": self.lines.as_ref().map(Lines::to_json),
            "backups": self.backups,
        }))
    }
}

fn committed(parts: &[Part]) -> Vec<Committed> {
    let dirs = parts.iter().map(|part| Arc::clone(&part.dir));
    dirs.map(|dir| Committed { dir }).collect()
}
