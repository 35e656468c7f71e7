//! Parts of a unit that are a block of a file: others may change the rest of it at any time, which
//! then stays.

use std::ffi::OsStr;
use std::io::{ErrorKind, Read};

use md5::{Digest, Md5};
use serde_json::{Value as Json, json};

use super::super::{Stage, Target, refused};
use super::Part;
use crate::error::{Error, Result};
use crate::go::hex;
use crate::resource::block::Block;

/// How often a file is composed again because another program has changed it.
const MOST_OUTRUN: u32 = 5;

/// A block that is swapped.
#[derive(Debug)]
pub(super) struct Lines {
    block: Block,
    /// The MD5 of its new lines, in hex; empty without the block.
    new: String,
    /// The MD5 of the file that the new one was composed from; empty if there was none.
    from: String,
    /// There was no file, or only one that was made for other blocks which are tried out: when the
    /// last of them leaves, it goes.
    pub(super) is_made: bool,
}

impl Lines {
    /// The lines of the block in a file.
    fn of<'f>(&self, file: &'f [u8]) -> Option<&'f [u8]> {
        self.block.lines(file).ok().flatten()
    }

    /// The marker line before the block.
    pub(super) fn marker(&self) -> &str {
        &self.block.begin
    }

    pub(super) fn to_json(&self) -> Json {
        let Block {
            begin,
            end,
            is_first,
        } = &self.block;
        json!({
            "begin": begin,
            "end": end,
            "is_first": is_first,
            "new": self.new,
            "from": self.from,
            "is_made": self.is_made,
        })
    }

    pub(super) fn from_json(json: &Json) -> Option<Lines> {
        let text = |key| json.get(key).and_then(Json::as_str).map(str::to_owned);
        Some(Lines {
            block: Block {
                begin: text("begin")?,
                end: text("end")?,
                is_first: json.get("is_first")?.as_bool()?,
            },
            new: text("new")?,
            from: text("from")?,
            is_made: json.get("is_made").and_then(Json::as_bool) == Some(true),
        })
    }
}

fn sum(content: Option<&[u8]>) -> String {
    let sum = |content| hex::encode(&Md5::digest(content));
    content.map(sum).unwrap_or_default()
}

impl Stage {
    /// The block that this file is made for.
    pub(super) fn lines(&self) -> Result<Option<Lines>> {
        let Some(block) = &self.target.block else {
            return Ok(None);
        };
        let mut lines = Lines {
            block: block.clone(),
            new: String::new(),
            from: String::new(),
            is_made: !self.target.exists(),
        };
        lines.new = sum(lines.of(&self.content()?));
        let from = self.target.composed_from.as_deref();
        lines.from = sum(from.filter(|_| self.target.exists()));
        Ok(Some(lines))
    }
}

impl Part {
    /// The content of a file beside dest; none if there is none.
    fn read(&self, name: &OsStr) -> Result<Option<Vec<u8>>> {
        let mut content = Vec::new();
        let read = self.dir.open(name);
        match read.and_then(|mut file| file.read_to_end(&mut content)) {
            Ok(_) => Ok(Some(content)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(refused("read", &self.dir.path().join(name), error)),
        }
    }

    /// Returns true if the block of dest is as the swap has left it.
    pub(super) fn has_lines(&self, lines: &Lines) -> bool {
        let file = self.read(&self.name);
        file.is_ok_and(|file| file.is_some_and(|file| sum(lines.of(&file)) == lines.new))
    }

    /// Puts the new lines into dest, which may have changed since they were staged.
    pub(super) fn finish_lines(&self, lines: &Lines, new: &OsStr) -> Result<()> {
        let now = self.read(&self.name)?;
        if now.is_none() || sum(now.as_deref()) == lines.from {
            return self.put(new);
        }
        let staged = self.read(new)?.unwrap_or_default();
        self.put_lines(lines, lines.of(&staged))?;
        self.remove(new)
    }

    /// Puts the lines of the old file back, unless somebody has changed them since.
    pub(super) fn restore_lines(&self, lines: &Lines, old: Option<&OsStr>) -> Result<()> {
        if !self.has_lines(lines) {
            return Ok(());
        }
        let old = old.map(|old| self.read(old)).transpose()?.flatten();
        self.put_lines(lines, lines.of(&old.unwrap_or_default()))
    }

    /// Puts these lines into the block of dest as it is now.
    fn put_lines(&self, lines: &Lines, content: Option<&[u8]>) -> Result<()> {
        let refuse = |problem: &str| Error::resource(&self.dest, problem);
        for _ in 0..MOST_OUTRUN {
            let found = self.dir.look_up(&self.name);
            let found = found.map_err(|error| refused("look at", &self.dest, error))?;
            let (Some(meta), Some(file)) = (found, self.read(&self.name)?) else {
                return Err(refuse("is gone, so that its block cannot be put into it"));
            };
            let new = lines.block.put(&file, content.unwrap_or_default());
            let new = new.map_err(|problem| refuse(&problem))?;
            let mut target = Target::found(self.dir.clone(), self.name.clone(), meta);
            target.composed_from = Some(file);
            let stage = if new.is_empty() && lines.is_made {
                Stage::removal(target)
            } else {
                Stage::create(target, &new, false)?
            };
            stage.sync()?;
            if stage.is_current() {
                let _synced_with_the_unit = stage.place()?;
                return Ok(());
            }
        }
        Err(refuse("is changed by another program again and again"))
    }
}
