//! `-diff`: what a run would change, as a unified diff for each file, and which commands it would
//! run. Changes nothing.
//!
//! With `-against N`, each file against the version of N swaps before (`backup`).
//!
//! Content that not everyone may read is shown on request only: what is printed ends up in
//! tickets and logs.

mod rejected;
mod search;
pub mod text;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::backend::Backend;
use crate::cli::Args;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::log;
use crate::resource::made::{self, Made};
use crate::resource::pending;
use crate::resource::stage::{Difference, Target};
use crate::resource::{self, Resource, Templates};
use crate::tools::console::{self, Colour, Format, Style};
use crate::tree::Tree;

use rejected::Attempt;
use text::Line;

/// The exit code when something would change; that of `terraform plan` and the like is 2, which Go
/// has for wrong flags.
const PENDING: u8 = 3;

/// Prints what would change. 0 when nothing would, 3 when something would, 1 when a resource fails.
pub fn run(config: &Config, args: &Args) -> Result<ExitCode> {
    let format = Format::from_args(args)?;
    let against = args.last("against").map(version).transpose()?;
    let tree = if against.is_some() {
        Arc::default()
    } else {
        let mut backend = Backend::new(config);
        console::with_progress("fetching the metadata", || backend.fetch())?.tree
    };
    let mut preview = Preview {
        config,
        against,
        tree,
        show_secrets: args.is_on("show-secrets"),
        units: BTreeMap::new(),
        live: Vec::new(),
        gone: Vec::new(),
        files: Vec::new(),
        attempts: Vec::new(),
        due: Vec::new(),
        checks: Vec::new(),
        reloads: Vec::new(),
        failures: Vec::new(),
        templates: Templates::default(),
    };
    console::with_progress("comparing the files", || preview.look_at_all())?;
    console::print(&match format {
        Format::Text => preview.to_text(Style::of_stdout()),
        Format::Json => preview.to_json(),
    })?;
    Ok(if !preview.failures.is_empty() {
        ExitCode::FAILURE
    } else if preview.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(PENDING)
    })
}

/// Reads the number of a former version: 1 is the newest.
fn version(text: &str) -> Result<u32> {
    let number = text.parse().ok().filter(|number| *number > 0);
    let must = || format!("must be a number from 1 on, not {text:?}");
    number.ok_or_else(|| Error::config("-against".to_owned(), &must()))
}

/// The changes that a run would make, as far as they are known.
struct Preview<'a> {
    config: &'a Config,
    /// The former version that each file is compared with; none to compare with what is rendered.
    against: Option<u32>,
    tree: Arc<Tree>,
    show_secrets: bool,
    /// The group of each resource that is in one.
    units: BTreeMap<String, String>,
    /// The files and blocks that the resources and their items make.
    live: Vec<Made>,
    /// Those that were made for what is gone, with the conf.d file.
    gone: Vec<(PathBuf, Made)>,
    files: Vec<FileChange>,
    /// The changes of each unit that is swapped.
    attempts: Vec<Attempt>,
    /// The reloads that these make due: the unit, the command, the resource.
    due: Vec<(String, String, String)>,
    checks: Vec<Command>,
    reloads: Vec<Command>,
    /// The resources that fail, with the reasons.
    failures: Vec<(String, String)>,
    templates: Templates,
}

/// A file that would be made or changed.
struct FileChange {
    resource: String,
    /// The unit with which it is swapped; none for a look at a former version.
    unit: String,
    /// Why it was rolled back, and is not tried again.
    rolled_back: Option<String>,
    path: String,
    missing: bool,
    /// It would be removed.
    surplus: bool,
    /// The changes of owner and mode, one a line.
    attributes: Vec<String>,
    content: Content,
}

/// The change of a file's content.
enum Content {
    Same,
    /// Not everyone may read it.
    Secret,
    Lines(Vec<Line>),
}

/// A command that would run, and for which resources.
struct Command {
    text: String,
    resources: Vec<String>,
}

impl Preview<'_> {
    fn look_at_all(&mut self) -> Result<()> {
        let directory = resource::existing_conf_d(&self.config.confdir)?;
        let (mut unread, mut plain) = (Vec::new(), Vec::new());
        let found = resource::list(&directory)?.into_iter();
        let loaded: Vec<_> = found
            .map(|path| (Resource::load(&path, self.config), path))
            .collect();
        let units = loaded.iter().filter_map(|(loaded, path)| {
            let unit = match loaded {
                Ok(resource) => resource.unit().map(str::to_owned),
                Err(_) => resource::unit_of(path),
            };
            Some((self.name(path), unit?))
        });
        self.units = units.collect();
        for (loaded, path) in loaded {
            match loaded {
                Ok(resource) => {
                    resource.warnings().iter().for_each(log::warning);
                    self.live.extend(resource.makes());
                    self.look(&resource);
                    if !resource.is_for_each() {
                        plain.push(path);
                    }
                }
                Err(error) => {
                    self.fail(&path, error.chain());
                    unread.push(path);
                }
            }
        }
        if self.against.is_none() {
            let is_there = |file: &Path| plain.iter().any(|plain| plain == file);
            let mut gone = made::gone(&self.config.confdir, &self.live, is_there)?;
            gone.retain(|(file, _)| !unread.contains(file));
            gone.append(&mut self.gone);
            for (file, made) in gone {
                if !self.live.iter().any(|live| live.is_rival_of(&made)) {
                    self.look(&Resource::gone(&file, &made, self.config));
                }
            }
            self.mark_rejected();
            self.hold_groups();
        }
        Ok(())
    }

    /// Drops the changes of the groups in which a resource fails: none of their files is swapped.
    fn hold_groups(&mut self) {
        let failed = |(name, _): &(String, String)| {
            let unit = self.units.get(name)?;
            Some((unit.clone(), name.clone()))
        };
        for (unit, name) in self.failures.iter().filter_map(failed).collect::<Vec<_>>() {
            let is_held = |resource: &String| self.units.get(resource) == Some(&unit);
            let before = self.files.len();
            self.files.retain(|file| !is_held(&file.resource));
            for commands in [&mut self.checks, &mut self.reloads] {
                for command in &mut *commands {
                    command.resources.retain(|resource| !is_held(resource));
                }
                commands.retain(|command| !command.resources.is_empty());
            }
            if self.files.len() < before {
                log::error(format_args!(
                    "group {unit:?}: none of its files is swapped, because {name} failed"
                ));
            }
        }
    }

    fn name(&self, path: &Path) -> String {
        let directory = self.config.confdir.join("conf.d");
        let name = path.strip_prefix(&directory).unwrap_or(path);
        name.display().to_string()
    }

    fn look(&mut self, resource: &Resource) {
        let name = self.name(resource.path());
        let looked = match self.against {
            _ if resource.is_for_each() => self.look_at_items(resource),
            Some(number) => self.look_back(&name, resource, number),
            None => self.look_at(&name, resource),
        };
        if let Err(error) = looked {
            self.fail(resource.path(), resource.words(&error));
        }
    }

    /// Looks at the file of each item, and at what was made for items that are gone.
    fn look_at_items(&mut self, resource: &Resource) -> Result<()> {
        let known = made::of(&self.config.confdir, resource.path())?;
        let mut live = Vec::new();
        if self.against.is_none() {
            let rendered = resource.render(&mut self.templates, &self.tree, self.config)?;
            for item in rendered.items.unwrap_or_default() {
                live.extend(item.made());
                self.look(&item);
            }
        }
        self.live.extend_from_slice(&live);
        for made in known.into_iter().filter(|made| !made.is_in(&live)) {
            match self.against {
                None => self.gone.push((resource.path().to_owned(), made)),
                // Without metadata, the manifest has the files.
                Some(_) => self.look(&Resource::gone(resource.path(), &made, self.config)),
            }
        }
        Ok(())
    }

    fn fail(&mut self, path: &Path, message: String) {
        log::error(&message);
        self.failures.push((self.name(path), message));
    }

    fn look_at(&mut self, name: &str, resource: &Resource) -> Result<()> {
        let rendered = resource.render(&mut self.templates, &self.tree, self.config)?;
        let (new, mut ownership) = (rendered.content, rendered.ownership);
        let units = self.units.values().map(String::as_str);
        if units.filter(|unit| Some(*unit) == resource.unit()).count() < 2 {
            resource.be_alone(&mut ownership)?;
        }
        for problem in ownership.unknown {
            log::warning(format_args!("{problem}; the file is written without it"));
        }
        let mut target = resource.target_with(ownership.attributes, self.config)?;
        let unit = rejected::unit_of(resource);
        let rendered = rejected::sum(&new);
        let wanted = resource.wanted(new, &mut target)?;
        let difference = wanted.compare(&target)?;
        if let Some(difference) = &difference {
            self.add_file((name, &unit), &target, difference, wanted.content())?;
        }
        if self.config.sync_only {
            return Ok(());
        }
        if difference.is_some()
            && let Some(check) = resource.check_cmd()
        {
            note(&mut self.checks, check.to_owned(), name);
        }
        let is_pending = pending::is_pending(&self.config.confdir, resource.dest());
        let reload = resource.reload(Vec::new()).map(|reload| reload.text);
        let is_new = difference.is_some();
        if is_new {
            self.attempt(&unit, (target.path(), rendered), reload.clone());
        }
        if let Some(reload) = reload.filter(|_| is_new || is_pending) {
            self.due.push((unit, reload, name.to_owned()));
        }
        Ok(())
    }

    /// Compares the file with a former version of it, where there is one.
    fn look_back(&mut self, name: &str, resource: &Resource, number: u32) -> Result<()> {
        let most = text::LARGEST as u64 + 1;
        let target = resource.target(self.config)?;
        let Some(former) = target.read_backup(number, most)? else {
            return Ok(());
        };
        let now = target.read_old(most)?;
        if now.as_ref() == Some(&former) {
            return Ok(());
        }
        let path = target.path().display().to_string();
        let content = if target.is_secret() && !self.show_secrets {
            Content::Secret
        } else {
            let now = now.unwrap_or_default();
            Content::Lines(text::diff(&path, Some(&former), &now))
        };
        self.files.push(FileChange {
            resource: name.to_owned(),
            unit: String::new(),
            rolled_back: None,
            path,
            missing: false,
            surplus: false,
            attributes: Vec::new(),
            content,
        });
        Ok(())
    }

    fn add_file(
        &mut self,
        (name, unit): (&str, &str),
        target: &Target,
        difference: &Difference,
        new: &[u8],
    ) -> Result<()> {
        let path = target.path().display().to_string();
        let content = if difference.is_of_attributes() {
            Content::Same
        } else if target.is_secret() && !self.show_secrets {
            Content::Secret
        } else {
            let old = target.read_old(text::LARGEST as u64 + 1)?;
            Content::Lines(text::diff(&path, old.as_deref(), new))
        };
        self.files.push(FileChange {
            resource: name.to_owned(),
            unit: unit.to_owned(),
            rolled_back: None,
            path,
            missing: difference.missing,
            surplus: difference.surplus,
            attributes: attributes(target, difference),
            content,
        });
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.files.is_empty() && self.checks.is_empty() && self.reloads.is_empty()
    }
}

/// The two forms of the result.
impl Preview<'_> {
    /// The files, then the commands in the order of running: all checks before anything is
    /// replaced, then each different reload once.
    fn to_text(&self, style: Style) -> String {
        let mut lines = Lines {
            style,
            text: String::new(),
        };
        for file in &self.files {
            lines.add_file(file);
        }
        for (verb, commands) in [("check", &self.checks), ("reload", &self.reloads)] {
            for Command { text, resources } in commands {
                let title = format!("would {verb}, for {}:", resources.join(", "));
                lines.add(Colour::Bold, &title);
                for line in text.lines() {
                    let _ = writeln!(lines.text, "    {}", style.show(line));
                }
            }
        }
        lines.text
    }

    fn to_json(&self) -> String {
        let files = self.files.iter().map(|file| {
            let diff = match &file.content {
                Content::Lines(lines) => {
                    let lines = lines.iter().map(|line| format!("{}\n", line.text));
                    Some(lines.collect::<String>())
                }
                Content::Same | Content::Secret => None,
            };
            json!({
                "resource": file.resource,
                "path": file.path,
                "new": file.missing,
                "removed": file.surplus,
                "attributes": file.attributes,
                "rolled_back": file.rolled_back,
                "secret": matches!(file.content, Content::Secret),
                "diff": diff,
            })
        });
        let failures = self.failures.iter();
        let failures =
            failures.map(|(resource, message)| json!({"resource": resource, "message": message}));
        let report = json!({
            "version": 1,
            "files": files.collect::<Vec<_>>(),
            "checks": commands(&self.checks),
            "reloads": commands(&self.reloads),
            "failures": failures.collect::<Vec<_>>(),
        });
        format!("{report:#}\n")
    }
}

fn commands(commands: &[Command]) -> Vec<Json> {
    let commands = commands.iter();
    let to_json =
        |Command { text, resources }: &Command| json!({"command": text, "resources": resources});
    commands.map(to_json).collect()
}

/// Lines for people.
struct Lines {
    style: Style,
    text: String,
}

impl Lines {
    fn add(&mut self, colour: Colour, line: &str) {
        let line = self.style.show(line);
        self.text.push_str(&self.style.paint(colour, &line));
        self.text.push('\n');
    }

    fn add_file(&mut self, file: &FileChange) {
        let verb = match (file.missing, file.surplus) {
            (true, _) => "makes",
            (_, true) => "removes",
            _ => "changes",
        };
        let title = format!("{} {verb} {}", file.resource, file.path);
        self.add(Colour::Bold, &title);
        if let Some(reason) = &file.rolled_back {
            let why = format!("stays rolled back until its metadata or template changes: {reason}");
            self.add(Colour::Yellow, &why);
        }
        for line in &file.attributes {
            self.add(Colour::Yellow, line);
        }
        match &file.content {
            Content::Same => {}
            Content::Secret => {
                let why = "its content is not for everyone to read; -show-secrets shows it";
                self.add(Colour::Yellow, why);
            }
            Content::Lines(lines) => self.text.push_str(&painted(lines, self.style)),
        }
    }
}

/// The lines of a unified diff, for people.
pub fn painted(lines: &[Line], style: Style) -> String {
    let mut painted = String::new();
    for Line { colour, text } in lines {
        let shown = style.show(text);
        let line = colour.map(|colour| style.paint(colour, &shown));
        painted.push_str(&line.unwrap_or(shown));
        painted.push('\n');
    }
    painted
}

/// Adds a command, or a resource to the same one.
fn note(commands: &mut Vec<Command>, text: String, name: &str) {
    match commands.iter_mut().find(|command| command.text == text) {
        Some(command) => command.resources.push(name.to_owned()),
        None => commands.push(Command {
            text,
            resources: vec![name.to_owned()],
        }),
    }
}

/// The changes of owner and mode, one on each line.
fn attributes(target: &Target, difference: &Difference) -> Vec<String> {
    let mut lines = Vec::new();
    if difference.missing {
        let wanted = target.wanted();
        lines.extend(wanted.mode.map(|mode| format!("mode {mode:04o}")));
        lines.extend(wanted.uid.map(|uid| format!("owner {uid}")));
        lines.extend(wanted.gid.map(|gid| format!("group {gid}")));
    }
    let change = |what: &str, (is, will): (u32, u32)| format!("{what} {is} -> {will}");
    let mode = |(is, will): (u32, u32)| format!("mode {is:04o} -> {will:04o}");
    lines.extend(difference.mode.map(mode));
    lines.extend(difference.uid.map(|pair| change("owner", pair)));
    lines.extend(difference.gid.map(|pair| change("group", pair)));
    lines
}
