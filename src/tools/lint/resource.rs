//! One conf.d file, and what two of them can do to each other.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::code::Code;
use super::document::{COMMAS, Document, Entry};
use super::facts::ResourceFacts;
use super::source::Source;
use super::{Context, command, keys, names, settings};
use crate::config::table::{LARGEST, read_file};
use crate::error::{Error, Result};
use crate::go::path;
use crate::keys::{Kind, RESOURCE, kinds};
use crate::nearest::nearest;
use crate::platform;
use crate::resource::{Resource, items, template_path, with_staged};
use crate::tools::finding::{Finding, Report};
use crate::tree::View;

/// Checks the file, and adds its facts to all when it names a template and a dest.
pub(super) fn check(
    path: &Path,
    context: &Context,
    all: &mut Vec<ResourceFacts>,
    report: &mut Report,
) -> Result<()> {
    let bytes = match read_file(path, LARGEST) {
        Ok(bytes) => bytes,
        Err(error) => {
            report.add(names::unreadable(path, &error));
            return Ok(());
        }
    };
    let source = Source::new(path, bytes);
    let Some(document) = Document::read(&source, report) else {
        return Ok(());
    };
    let section = document.entry(document.root(), "template");
    let has_no_head = section.is_none() && document.text(document.root(), "src").is_some();
    // Keys that stand outside of a broken or missing section are not what is wrong.
    if document.is_whole() && !has_no_head {
        document.check(document.root(), &[("template", Kind::Section)], report);
    }
    if let Some(DeValue::Table(table)) = section.as_ref().map(|entry| entry.value) {
        document.check(table, &kinds(RESOURCE), report);
        let section = Section {
            document: &document,
            table,
            context,
        };
        section.check(section_start(&section), all, report)?;
    }
    // Whatever else the program would refuse.
    if document.is_whole()
        && !report.has_error_in(&source.shown)
        && let Err(error) = Resource::load(path, &context.config)
    {
        let mut refusal = settings::refusal(path, &error);
        if section.is_none() {
            refusal.help = "write [template] on a line above the keys".to_owned();
        }
        report.add(refusal);
    }
    Ok(())
}

/// The `[template]` section.
struct Section<'d> {
    document: &'d Document<'d>,
    table: &'d DeTable<'d>,
    context: &'d Context,
}

/// Where findings about the section as a whole belong: at its first key.
fn section_start(section: &Section<'_>) -> usize {
    let entries = section.document.entries(section.table);
    entries.map(|entry| entry.key).min().unwrap_or(0)
}

impl<'d> Section<'d> {
    fn text(&self, key: &str) -> Option<(&'d str, Entry<'d>)> {
        let found = self.document.text(self.table, key);
        found.filter(|(text, _)| !text.is_empty())
    }

    fn is_for_each(&self) -> bool {
        self.text("for_each").is_some()
    }

    /// The text of a key; of one with an item in it, an example.
    fn sample(&self, text: &str) -> String {
        if self.is_for_each() {
            items::with_sample(text)
        } else {
            text.to_owned()
        }
    }

    fn finding(&self, at: usize, code: Code, message: String, help: String) -> Finding {
        self.document.source.finding(at, code, message, help)
    }

    fn check(&self, start: usize, all: &mut Vec<ResourceFacts>, report: &mut Report) -> Result<()> {
        let mode = self.check_mode(report);
        self.check_idle_keys(report);
        let prefix = self.prefix(report);
        let mut keys = Vec::new();
        for (key, at) in self.keys() {
            self.check_key(&key, at, &prefix, report);
            keys.push(key);
        }
        let dest = self.dest(report);
        let directory = dest.as_ref().and_then(|(dest, _)| Path::new(dest).parent());
        let is_image =
            directory.is_some_and(|directory| directory.is_dir() && !command::is_shared(directory));
        let owner = self.text("owner").map_or("", |(name, _)| name);
        let number = self.document.entry(self.table, "owner");
        let is_number = number.is_some_and(|entry| matches!(entry.value, DeValue::Integer(_)));
        let has_owner = !owner.is_empty() || is_number;
        let (owner, owner_group) = owner.split_once(':').unwrap_or((owner, ""));
        let group = self.text("group").map_or("", |(name, _)| name);
        let user = |name| self.unknown_id(("owner", "uid"), name, platform::user_id, is_image);
        let of_owner = |name| self.unknown_id(("owner", "gid"), name, platform::group_id, is_image);
        let unknown_group = self.unknown_id(("group", "gid"), group, platform::group_id, is_image);
        add_id(user(owner), report);
        add_id(of_owner(owner_group), report);
        // Beside a plain owner it is the group of that.
        let is_unit = !group.is_empty() && (!has_owner || !owner_group.is_empty());
        let (mut unknown_unit, mut known_unit) = (None, None);
        if !is_unit {
            add_id(unknown_group, report);
        } else if owner_group.is_empty() {
            unknown_unit = unknown_group;
            known_unit = self.known_group(group);
        }
        let windows = dest
            .as_ref()
            .is_some_and(|(dest, _)| command::is_windows(dest));
        let commands = self.commands(windows, report);
        let (Some(template), Some((dest, at))) = (self.template(start, report)?, dest) else {
            return Ok(());
        };
        let Source { shown, .. } = self.document.source;
        all.push(ResourceFacts {
            shown: shown.clone(),
            dest_line: format!("{shown}:{}", self.document.source.line(at)),
            dest_place: self.document.source.place(at),
            dest,
            is_for_each: self.is_for_each(),
            unit: is_unit.then(|| group.to_owned()),
            unknown_unit,
            known_unit,
            block: self.text("block").map(|(name, _)| name.to_owned()),
            template,
            view: self.view(&prefix, &keys),
            no_keys: self.no_keys(start, &keys),
            keys,
            prefix,
            commands,
            is_public: mode & 0o004 != 0,
        });
        Ok(())
    }

    /// Reports keys that have no effect without another one, or beside one.
    fn check_idle_keys(&self, report: &mut Report) {
        let has = |key| self.document.entry(self.table, key).is_some();
        let rolls_back = self
            .text("on_reload_failure")
            .is_some_and(|(text, _)| text == "rollback");
        for (key, is_idle, why) in [
            ("comment", !has("block"), "without block"),
            ("insert", !has("block"), "without block"),
            ("backup", has("create_only"), "beside create_only"),
            ("reload_retry", rolls_back, "beside on_reload_failure"),
            (
                "on_reload_failure",
                !has("reload_cmd"),
                "without reload_cmd",
            ),
        ] {
            if let Some(entry) = self.document.entry(self.table, key).filter(|_| is_idle) {
                let message = format!("{key} has no effect {why}");
                let help = "remove it".to_owned();
                report.add(self.finding(entry.key, Code::W217, message, help));
            }
        }
    }

    /// The view of these keys, if there is metadata. The tree begins below the global prefix.
    fn view(&self, prefix: &str, keys: &[String]) -> Option<View> {
        let prefix = match self.context.config.prefix {
            Some(_) => "",
            None => prefix,
        };
        let tree = self.context.tree.as_ref()?;
        Some(tree.view(prefix, keys))
    }

    fn no_keys(&self, start: usize, keys: &[String]) -> Option<Finding> {
        let message = "the template reads metadata, but keys is missing";
        let help = "list what it reads below the prefix, or everything: keys = [\"/\"]";
        let finding = || self.finding(start, Code::E209, message.into(), help.into());
        (keys.is_empty() && self.document.is_whole()).then(finding)
    }

    /// A finding about a name that this machine does not have, unless a number is used in its
    /// place. A machine without the directory of `dest` may not be the image: there it is a
    /// warning.
    fn unknown_id(
        &self,
        (key, number): (&str, &str),
        name: &str,
        find: fn(&str) -> io::Result<Option<u32>>,
        is_image: bool,
    ) -> Option<Finding> {
        let has_number = self.document.entry(self.table, number).is_some();
        let (_, entry) = self.text(key).filter(|_| !has_number && !name.is_empty())?;
        // An answer that cannot be had is no mistake of the file.
        if !matches!(find(name), Ok(None)) || !platform::HAS_OWNERS {
            return None;
        }
        let at = entry.span.start;
        // The name behind the `:` of an owner is that of a group.
        let what = if number == "gid" { "group" } else { key };
        let create = "create it before confd runs (useradd, groupadd)";
        Some(if is_image {
            let message =
                format!("this machine has no {what} {name}; the file is written without it");
            let help = format!("correct the name, or {create}");
            self.finding(at, Code::E215, message, help)
        } else {
            let message = format!("this machine has no {what} {name}");
            let help = format!("if the image has none, either: correct the name, or {create}");
            self.finding(at, Code::W216, message, help)
        })
    }

    /// A finding about a group of resources that is one of users on this machine, unless a number
    /// is used in its place.
    fn known_group(&self, name: &str) -> Option<Finding> {
        let has_number = self.document.entry(self.table, "gid").is_some();
        let (_, entry) = self.text("group").filter(|_| !has_number)?;
        let is_known = platform::HAS_OWNERS && matches!(platform::group_id(name), Ok(Some(_)));
        let message = format!("group {name} is one of users and one of resources");
        let help = format!(
            "if only the files are to belong to it, write owner = \":{name}\"; if they are only to \
             be swapped together, choose another name"
        );
        is_known.then(|| self.finding(entry.span.start, Code::W218, message, help))
    }

    /// Returns the mode that the file will have; without one, that of a new file.
    fn check_mode(&self, report: &mut Report) -> u32 {
        const DEFAULT: u32 = 0o644;
        let Some((mode, entry)) = self.text("mode") else {
            return DEFAULT;
        };
        if self.is_for_each() {
            return DEFAULT;
        }
        let bits = u32::from_str_radix(mode.trim_start_matches("0o"), 8).unwrap_or(DEFAULT);
        if bits & 0o002 != 0 {
            let message = format!("mode \"{mode}\" lets everybody write to the file");
            let help = format!("write mode = \"{:04o}\"", bits & !0o022);
            report.add(self.finding(entry.span.start, Code::W212, message, help));
        }
        if mode.bytes().all(|byte| byte.is_ascii_digit()) && !mode.starts_with('0') {
            let message = format!("mode \"{mode}\" has no leading zero");
            let help = format!("write mode = \"0{mode}\": other programs read it as decimal");
            report.add(self.finding(entry.span.start, Code::W203, message, help));
        }
        bits
    }

    /// The prefix that counts.
    fn prefix(&self, report: &mut Report) -> String {
        let own = self.text("prefix").map(|(own, entry)| {
            let clean = path::clean(&format!("/{own}"));
            (clean.trim_end_matches('/').to_owned(), entry)
        });
        let Some(global) = &self.context.config.prefix else {
            return own.map_or(String::new(), |(own, _)| own);
        };
        let global = global.trim_end_matches('/');
        if let Some((own, entry)) = own.filter(|(own, _)| own != global) {
            let message = format!("prefix {own} is not used: the global prefix is {global}");
            let below = own.strip_prefix(global).unwrap_or(&own);
            let help = format!("remove it, and write keys = [\"{below}/…\"]");
            report.add(self.finding(entry.span.start, Code::W207, message, help));
        }
        global.to_owned()
    }

    /// The keys and their places.
    fn keys(&self) -> Vec<(String, usize)> {
        let Some(entry) = self.document.entry(self.table, "keys") else {
            return Vec::new();
        };
        match entry.value {
            DeValue::String(text) => vec![(text.to_string(), entry.span.start)],
            DeValue::Array(items) => {
                // Where an element stands is counted from where the file's text begins.
                let mut keys = Vec::new();
                for item in items.iter() {
                    if let DeValue::String(text) = item.get_ref() {
                        keys.push((text.to_string(), entry.shift + item.span().start));
                    }
                }
                keys
            }
            _ => Vec::new(),
        }
    }

    fn check_key(&self, key: &str, at: usize, prefix: &str, report: &mut Report) {
        let view = self.view(prefix, &["/".to_owned()]);
        if key.contains(COMMAS) {
            let parts: Vec<&str> = key.split(COMMAS).map(str::trim).collect();
            let message = format!("\"{key}\" is one key with commas in it");
            let help = format!("put each key in quotes: keys = {parts:?}");
            report.add(self.finding(at, Code::W105, message, help));
            return;
        }
        let clean = path::clean(&format!("/{key}"));
        let has = |view: &View| view.get(&clean).is_some() || view.has_below(&clean);
        if view.as_ref().is_some_and(has) {
            return;
        }
        let near = view.as_ref().and_then(|view| view.nearest_dir(&clean));
        if let Some(rest) = keys::without(&clean, prefix) {
            let message = format!("key {key} repeats the prefix {prefix}");
            let help = format!("keys begin below the prefix: write \"{rest}\"");
            report.add(self.finding(at, Code::E402, message, help));
        } else if let Some(meant) = near.filter(|_| !keys::is_known(&clean)) {
            let message = format!("the metadata has nothing at {clean}");
            let help = format!("did you mean {meant}?");
            report.add(self.finding(at, Code::W405, message, help));
        }
    }

    fn dest(&self, report: &mut Report) -> Option<(String, usize)> {
        let (dest, entry) = self.text("dest")?;
        let problem = if dest.ends_with('/') {
            Some("is a directory")
        } else if Path::new(dest).is_dir() {
            Some("is a directory on this machine")
        } else if !dest.starts_with('/') && !command::is_windows(dest) {
            Some("depends on the directory in which confd starts")
        } else {
            None
        };
        if let Some(problem) = problem {
            let message = format!("dest {dest} {problem}");
            let help = "write the absolute path of the file";
            report.add(self.finding(entry.span.start, Code::E205, message, help.into()));
        }
        Some((dest.to_owned(), entry.span.start))
    }

    fn commands(&self, windows: bool, report: &mut Report) -> Vec<String> {
        let mut commands = Vec::new();
        for key in ["check_cmd", "reload_cmd"] {
            let Some((text, entry)) = self.text(key) else {
                continue;
            };
            let example = |_: &str| Some(PathBuf::from("/staged"));
            let staged = with_staged(text, &example).unwrap_or_default();
            let text = &self.sample(&staged);
            for mistake in command::check(key, text, &self.context.made) {
                let command::Mistake {
                    code,
                    message,
                    help,
                } = mistake;
                if !(windows && code == Code::W204) {
                    report.add(self.finding(entry.span.start, code, message, help));
                }
            }
            commands.push(text.clone());
        }
        commands
    }

    /// The path of the template, if there is such a file.
    fn template(&self, start: usize, report: &mut Report) -> Result<Option<PathBuf>> {
        let templates = self.context.config.confdir.join("templates");
        let Some((src, entry)) = self.text("src") else {
            let is_written = self.document.entry(self.table, "src").is_some();
            if self.document.is_whole() && !is_written {
                let message = "src is missing";
                let help = "write the name of a file in templates: src = \"….tmpl\"";
                report.add(self.finding(start, Code::E201, message.into(), help.into()));
            }
            return Ok(None);
        };
        let path = template_path(&templates, src);
        if path.is_file() {
            return Ok(Some(path));
        }
        if path.symlink_metadata().is_ok() {
            let error = Error::resource(&path, "is not a file that can be read");
            report.add(names::unreadable(&path, &error));
            return Ok(None);
        }
        let names = names::below(&templates)?;
        let inside = src.strip_prefix("templates/");
        let meant = inside.filter(|inside| names.iter().any(|name| name == inside));
        let meant = meant.or_else(|| nearest(src, names.iter().map(String::as_str)));
        let parts = template_path(&templates, src).with_extension("");
        let help = match meant {
            _ if parts.is_dir() => {
                format!("join its parts, which are in {}", parts.display())
            }
            Some(meant) => format!("did you mean src = \"{meant}\"?"),
            None => "write the name of a file in templates".to_owned(),
        };
        let message = format!("there is no template {src}");
        report.add(self.finding(entry.span.start, Code::E201, message, help));
        Ok(None)
    }
}

/// Reports a finding about a name; a warning once.
fn add_id(finding: Option<Finding>, report: &mut Report) {
    let is_known = |finding: &Finding| {
        finding.code != Code::E215.name() && report.has(finding.code, &finding.message)
    };
    if !finding.as_ref().is_some_and(is_known) {
        report.extend(finding);
    }
}

/// Reports groups that nobody knows and in which there is only one resource, and those that may be
/// meant as one of users only.
pub(super) fn check_groups(all: &[ResourceFacts], units: &[String], report: &mut Report) {
    for facts in all {
        let same = units
            .iter()
            .filter(|unit| facts.unit.as_ref() == Some(unit));
        if same.count() < 2 {
            add_id(facts.unknown_unit.clone(), report);
        } else {
            add_id(facts.known_unit.clone(), report);
        }
    }
}

/// Reports resources that make one file: the later one wins, then the other, at every change.
pub(super) fn check_twins(all: &[ResourceFacts], report: &mut Report) {
    let mut makers: BTreeMap<String, Vec<&ResourceFacts>> = BTreeMap::new();
    // Lists with the same text in dest may have different items.
    for facts in all.iter().filter(|facts| !facts.is_for_each) {
        let others = makers.entry(path::clean(&facts.dest)).or_default();
        // Different blocks of one file are not in each other's way.
        let first = others.iter().find(|other| {
            facts.block.is_none() || other.block.is_none() || facts.block == other.block
        });
        if let Some(first) = first {
            let message = format!("{} has dest {}, too", first.dest_line, facts.dest);
            let help = "remove one of the two resources";
            report.add(Code::E202.at(facts.dest_place.clone(), message, help));
        }
        others.push(facts);
    }
}

/// Reports a `dest` below which another resource has its own: it cannot be both a file and a
/// directory.
pub(super) fn check_directories(all: &[ResourceFacts], report: &mut Report) {
    for facts in all {
        let dest = path::clean(&facts.dest);
        let below = format!("{dest}/");
        let inside = all
            .iter()
            .find(|other| path::clean(&other.dest).starts_with(&below));
        if let Some(other) = inside {
            let message = format!("dest {dest} is a directory: {} is in it", other.dest);
            let help = "write the absolute path of the file";
            report.add(Code::E205.at(facts.dest_place.clone(), message, help));
        }
    }
}
