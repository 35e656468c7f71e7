//! Manifests: what resources have made and must remove again, which is never guessed from a
//! pattern. One file for each conf.d file that makes blocks, or many files from one template.
//!
//! ```text
//! confdir/made/MD5-OF-PATH   {"file": …, "made": [{"dest": …, "begin": …, "end": …, "reload": …}]}
//! ```
//!
//! Changed only with the apply lock held.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use md5::{Digest, Md5};
use serde_json::{Value as Json, json};

use super::block::Block;
use super::stage::{Attributes, Stage, Target, sync_directories};
use crate::error::{Error, Result};
use crate::go::hex;

/// The directory below confdir.
const DIRECTORY: &str = "made";

/// Something that a resource has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    /// The file.
    pub dest: PathBuf,
    /// Only this block of it.
    pub block: Option<Block>,
    /// The reload command for when it is removed; empty for none.
    pub reload: String,
}

impl Made {
    /// Returns true if both are about the same file, or the same block of it.
    pub(crate) fn is_of(&self, other: &Made) -> bool {
        let markers = |made: &Made| made.block.as_ref().map(|block| block.begin.clone());
        self.dest == other.dest && markers(self) == markers(other)
    }

    /// Returns true if not both of them can be made.
    pub(crate) fn is_rival_of(&self, other: &Made) -> bool {
        let has_both = self.block.is_some() && other.block.is_some();
        self.dest == other.dest && (!has_both || self.is_of(other))
    }

    /// Returns true if one of the list is about the same.
    pub(crate) fn is_in(&self, list: &[Made]) -> bool {
        list.iter().any(|other| self.is_of(other))
    }

    /// The name of this part of the resource of a conf.d file among the resources.
    pub(crate) fn key(&self, file: &Path) -> PathBuf {
        let mut key = format!("{}[{}", file.display(), self.dest.display());
        if let Some(block) = &self.block {
            key.push_str(": ");
            key.push_str(&block.begin);
        }
        key.push(']');
        key.into()
    }

    fn to_json(&self) -> Json {
        let block = self.block.as_ref();
        json!({
            "dest": self.dest.to_string_lossy(),
            "begin": block.map(|block| &block.begin),
            "end": block.map(|block| &block.end),
            "reload": self.reload,
        })
    }

    fn from_json(json: &Json) -> Option<Made> {
        let text = |key| json.get(key).and_then(Json::as_str).map(str::to_owned);
        let block = text("begin").zip(text("end")).map(|(begin, end)| Block {
            begin,
            end,
            is_first: false,
        });
        Some(Made {
            dest: text("dest")?.into(),
            block,
            reload: text("reload")?,
        })
    }
}

/// The records of what is not `live` any more, each with the conf.d file that has made it: blocks,
/// and the files of items where the conf.d file is `there` and has no items now. They stay when
/// their resource is gone, as any file does.
pub(crate) fn gone(
    confdir: &Path,
    live: &[Made],
    is_there: impl Fn(&Path) -> bool,
) -> Result<Vec<(PathBuf, Made)>> {
    let mut gone = Vec::new();
    for (file, made) in list(confdir)? {
        let is_file_there = is_there(&file);
        let made = made.into_iter();
        let made = made.filter(|made| made.block.is_some() || is_file_there);
        let made = made.filter(|made| !made.is_in(live));
        gone.extend(made.map(|made| (file.clone(), made)));
    }
    Ok(gone)
}

/// Everything that is recorded in a confdir, by conf.d file.
fn list(confdir: &Path) -> Result<Vec<(PathBuf, Vec<Made>)>> {
    let directory = confdir.join(DIRECTORY);
    let entries = match fs::read_dir(&directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|source| Error::io("list", &directory, source))?,
    };
    let mut all = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name();
        if !name.as_encoded_bytes().starts_with(b".") {
            all.push(read(&entry.path())?);
        }
    }
    all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    Ok(all)
}

/// The records of the resource of a conf.d file.
pub(crate) fn of(confdir: &Path, file: &Path) -> Result<Vec<Made>> {
    let path = manifest(confdir, file);
    if path.exists() {
        read(&path).map(|(_, made)| made)
    } else {
        Ok(Vec::new())
    }
}

fn manifest(confdir: &Path, file: &Path) -> PathBuf {
    let sum = hex::encode(&Md5::digest(file.as_os_str().as_encoded_bytes()));
    confdir.join(DIRECTORY).join(sum)
}

fn read(path: &Path) -> Result<(PathBuf, Vec<Made>)> {
    let text = fs::read(path).map_err(|source| Error::io("read", path, source))?;
    let parsed: Option<Json> = serde_json::from_slice(&text).ok();
    let parsed = parsed.as_ref().and_then(|json| {
        let made = json.get("made")?.as_array()?;
        let made = made.iter().map(Made::from_json).collect::<Option<_>>()?;
        Some((json.get("file")?.as_str()?.into(), made))
    });
    parsed.ok_or_else(|| Error::resource(path, "is no list of what confd has made"))
}

/// Adds what the resource of a conf.d file is about to make, and removes what it has removed; on
/// the disk when this returns.
pub(crate) fn update(confdir: &Path, file: &Path, add: &[Made], remove: &[Made]) -> Result<()> {
    let path = manifest(confdir, file);
    let known = of(confdir, file)?;
    let mut made = known.clone();
    made.retain(|made| !made.is_in(add) && !made.is_in(remove));
    made.extend_from_slice(add);
    made.sort_unstable_by(|one, other| one.dest.cmp(&other.dest));
    if made == known {
        return Ok(());
    }
    if made.is_empty() {
        let removed = fs::remove_file(&path);
        return removed.map_err(|source| Error::io("remove", &path, source));
    }
    let made: Vec<Json> = made.iter().map(Made::to_json).collect();
    let json = json!({"file": file.to_string_lossy(), "made": made});
    let private = Attributes {
        mode: Some(0o600),
        ..Attributes::default()
    };
    let target = Target::resolve(&path, private)?;
    let stage = Stage::create(target, format!("{json:#}\n").as_bytes(), false)?;
    stage.sync()?;
    sync_directories(&[stage.commit()?])
}
