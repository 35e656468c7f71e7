//! Reads one conf.d file into a [`Resource`].
//!
//! Unknown keys are warnings; anything else that is wrong is an error, with its line.

use std::path::{Path, PathBuf};

use super::block::Block;
use super::format::{self, Format};
use super::{Id, Resource, items};
use crate::config::Config;
use crate::config::table::Table;
use crate::error::{Error, Result};
use crate::keys;

/// The bit that a file has in the mode that the system keeps, beside the permissions.
const REGULAR_FILE: u32 = 0o100_000;

/// The largest value of `backup`.
const MOST_BACKUPS: u32 = 99;

impl Resource {
    /// Reads a conf.d file. Unknown keys are kept as warnings; anything else that is wrong is an
    /// error.
    pub fn load(path: &Path, config: &Config) -> Result<Resource> {
        let file = Table::read(path)?;
        let no_section = || {
            let message = "there is no [template] section";
            Error::config(path.display().to_string(), message)
        };
        let table = file.section("template")?.ok_or_else(no_section)?;
        let required = |key| {
            let value = table.string(key)?.filter(|value| !value.is_empty());
            value.ok_or_else(|| table.error(key, "is missing; a resource needs src and dest"))
        };
        let for_each = table.string("for_each")?;
        if let Some(pipeline) = &for_each {
            let checked = items::check(pipeline, &required("dest")?);
            checked.map_err(|problem| table.error("for_each", &problem))?;
        }
        let owner = name(table, "owner")?;
        let (owner, owner_group) = owner.split_once(':').unwrap_or((&owner, ""));
        let group = name(table, "group")?;
        // Beside a plain owner it is the group of that, as it always was.
        let has_owner = !owner.is_empty() || table.is_integer("owner");
        let is_unit = !group.is_empty() && (!has_owner || !owner_group.is_empty());
        let (gids, file_group) = if owner_group.is_empty() {
            (&["gid", "group"][..], group.as_str())
        } else {
            (&["gid"][..], owner_group)
        };
        let src = required("src")?;
        let dest = PathBuf::from(required("dest")?);
        let known: Vec<&str> = keys::names(keys::RESOURCE).collect();
        let mut warnings = file.unknown(&["template"]);
        warnings.extend(table.unknown(&known));
        Ok(Resource {
            path: path.to_path_buf(),
            src,
            shown: below_root(&dest, config),
            dest,
            keys: table.strings("keys")?.unwrap_or_default(),
            prefix: resource_prefix(table, config)?,
            mode: if for_each.is_some() {
                None
            } else {
                mode(table)?
            },
            mode_text: table.string("mode")?.unwrap_or_default(),
            owner: Id::new(table, &["uid", "owner"], owner)?,
            group: Id::new(table, gids, file_group)?,
            unit: is_unit.then(|| group.clone()),
            rolls_back: rolls_back(table)?,
            check_cmd: table.string("check_cmd")?.unwrap_or_default(),
            check_timeout: table.duration("check_cmd_timeout")?,
            reload_cmd: table.string("reload_cmd")?.unwrap_or_default(),
            reload_timeout: table.duration("reload_cmd_timeout")?,
            reload_retry: table.boolean("reload_retry")?.unwrap_or(false),
            strict: table.boolean("strict")?.unwrap_or(config.strict),
            output: output(table)?,
            reconcile: table.boolean("reconcile")?.unwrap_or(config.reconcile),
            create_only: table.boolean("create_only")?.unwrap_or(false),
            skip_empty: table.boolean("skip_empty")?.unwrap_or(false),
            backups: backups(table)?,
            block: Block::load(table)?,
            for_each,
            item: None,
            is_gone: false,
            warnings,
        })
    }
}

/// The global prefix, with which the tree was fetched, replaces that of the resource.
fn resource_prefix(table: &Table, config: &Config) -> Result<String> {
    let prefix = table.string("prefix")?.unwrap_or_default();
    Ok(if config.prefix.is_none() {
        prefix
    } else {
        String::new()
    })
}

/// A user or group by name; empty for none, and for a number, which is allowed as well.
fn name(table: &Table, key: &str) -> Result<String> {
    if table.is_integer(key) {
        return Ok(String::new());
    }
    Ok(table.string(key)?.unwrap_or_default())
}

/// Octal, as written: "0644", "644", "0o644" and "0100644" are the same.
fn mode(table: &Table) -> Result<Option<u32>> {
    let text = table.string("mode")?.unwrap_or_default();
    parse_mode(&text)
        .map_err(|()| table.error("mode", "is not an octal file mode such as \"0644\""))
}

/// The mode that a text means; none for an empty one.
pub(super) fn parse_mode(text: &str) -> Result<Option<u32>, ()> {
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.strip_prefix("0o").or_else(|| text.strip_prefix("0O"));
    let digits = digits.unwrap_or(text);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // A sign, say.
        return Err(());
    }
    let mode = u32::from_str_radix(digits, 8).map_err(|_| ())?;
    // `stat` shows it with the type of a file.
    let mode = mode & !REGULAR_FILE;
    (mode <= 0o7777).then_some(Some(mode)).ok_or(())
}

/// The value of `on_reload_failure`.
fn rolls_back(table: &Table) -> Result<bool> {
    match table.string("on_reload_failure")?.as_deref() {
        None | Some("keep") => Ok(false),
        Some("rollback") => Ok(true),
        Some(_) => {
            let must = "must be \"keep\" or \"rollback\"";
            Err(table.error("on_reload_failure", must))
        }
    }
}

/// The number of former versions to keep.
fn backups(table: &Table) -> Result<u32> {
    let number = table.integer("backup")?.unwrap_or(0);
    let number = u32::try_from(number)
        .ok()
        .filter(|number| *number <= MOST_BACKUPS);
    number.ok_or_else(|| table.error("backup", "is not a number from 0 to 99"))
}

/// The path of `dest` below `-root`, or `dest` itself.
pub(super) fn below_root(dest: &Path, config: &Config) -> PathBuf {
    match &config.root {
        Some(root) => root.join(dest.strip_prefix("/").unwrap_or(dest)),
        None => dest.to_path_buf(),
    }
}

/// The format that the rendered file must have.
fn output(table: &Table) -> Result<Option<Format>> {
    let Some(name) = table.string("output")?.filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    let format = Format::named(&name);
    let must = || {
        table.error(
            "output",
            &format!("must be {}, not {name:?}", format::NAMES),
        )
    };
    format.map(Some).ok_or_else(must)
}

impl Id {
    /// The first number wins, and over the name, as in the original; -1 there meant "not set".
    fn new(table: &Table, numbers: &[&str], name: &str) -> Result<Id> {
        for (index, key) in numbers.iter().enumerate() {
            if index > 0 && !table.is_integer(key) {
                continue;
            }
            match table.integer(key)? {
                None | Some(-1) => {}
                Some(id) => {
                    let id = u32::try_from(id).map(Id::Number);
                    return id.map_err(|_| table.error(key, "is not a user or group id"));
                }
            }
        }
        Ok(if name.is_empty() {
            Id::Kept
        } else {
            Id::Named(name.to_owned())
        })
    }
}
