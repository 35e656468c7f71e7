//! `-diff`: what a run would change, as a unified diff for each file, and which commands it would run. Changes nothing.
//!
//! Content that not everyone may read is not shown unless asked for: what is printed ends up in tickets and logs.

mod search;
pub mod text;

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use crate::backend::Backend;
use crate::config::Config;
use crate::error::Result;
use crate::log;
use crate::resource::owed::Owed;
use crate::resource::stage::{Difference, Target};
use crate::resource::{self, Resource};
use crate::tools::console::{self, Colour, Style};
use crate::tree::Tree;

use text::Line;

/// The exit code when something would change; that of `terraform plan` and the like is 2, which Go has for wrong flags.
const PENDING: u8 = 3;

/// Prints what would change. 0 when nothing would, 3 when something would, 1 when a resource fails.
pub fn run(config: &Config, show_secrets: bool) -> Result<ExitCode> {
    let mut backend = Backend::new(config);
    let fetched = console::patiently("asking for the metadata", || backend.fetch())?;
    let tree = fetched.tree;
    let mut preview = Preview {
        config,
        tree,
        show_secrets,
        style: Style::of_stdout(),
        text: String::new(),
        checks: Vec::new(),
        reloads: Vec::new(),
        failed: false,
    };
    console::patiently("comparing the files", || preview.look_at_all())?;
    preview.add_commands();
    console::print(&preview.text)?;
    Ok(match (preview.failed, preview.text.is_empty()) {
        (true, _) => ExitCode::FAILURE,
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(PENDING),
    })
}

/// The changes found so far.
struct Preview<'a> {
    config: &'a Config,
    tree: Arc<Tree>,
    show_secrets: bool,
    style: Style,
    text: String,
    checks: Vec<Command>,
    reloads: Vec<Command>,
    failed: bool,
}

/// A command that would run, and for which resources.
struct Command {
    text: String,
    resources: Vec<String>,
}

impl Preview<'_> {
    fn look_at_all(&mut self) -> Result<()> {
        let directory = self.config.confdir.join("conf.d");
        for (path, _) in resource::find(&directory)? {
            let name = path.strip_prefix(&directory).unwrap_or(&path);
            let name = name.display().to_string();
            let looked = match Resource::load(&path, self.config) {
                Ok(mut resource) => {
                    let looked = self.look_at(&name, &mut resource);
                    looked.map_err(|error| resource.words(&error))
                }
                Err(error) => Err(error.chain()),
            };
            if let Err(message) = looked {
                log::error(message);
                self.failed = true;
            }
        }
        Ok(())
    }

    fn look_at(&mut self, name: &str, resource: &mut Resource) -> Result<()> {
        let new = resource.render(&self.tree, self.config)?.content;
        let target = resource.target(self.config)?;
        let difference = target.compare(&new)?;
        if let Some(difference) = &difference {
            self.add_file(name, &target, difference, &new)?;
        }
        if self.config.sync_only {
            return Ok(());
        }
        if difference.is_some()
            && let Some(check) = resource.check_cmd()
        {
            note(&mut self.checks, check.to_owned(), name);
        }
        let is_owed =
            resource.retries_reload() && Owed::exists(&self.config.confdir, resource.dest());
        if (difference.is_some() || is_owed)
            && let Some(reload) = resource.reload(Vec::new())
        {
            note(&mut self.reloads, reload.text, name);
        }
        Ok(())
    }

    fn add_file(
        &mut self,
        name: &str,
        target: &Target,
        difference: &Difference,
        new: &[u8],
    ) -> Result<()> {
        let path = target.path().display().to_string();
        let verb = if difference.missing {
            "makes"
        } else {
            "changes"
        };
        self.line(Colour::Bold, &format!("{name} {verb} {path}"));
        for line in attributes(target, difference) {
            self.line(Colour::Yellow, &line);
        }
        if !difference.missing && difference.md5.is_none() {
            return Ok(());
        }
        if target.is_secret() && !self.show_secrets {
            let why = "its content is not for everyone to read; -show-secrets shows it";
            self.line(Colour::Yellow, why);
            return Ok(());
        }
        let old = target.read_old(text::LARGEST as u64 + 1)?;
        self.text
            .push_str(&painted(&path, old.as_deref(), new, self.style));
        Ok(())
    }

    fn line(&mut self, colour: Colour, line: &str) {
        let line = self.style.show(line);
        self.text.push_str(&self.style.paint(colour, &line));
        self.text.push('\n');
    }

    /// The commands, in the order of running: all checks before anything is replaced, then each different reload once.
    fn add_commands(&mut self) {
        let checks = std::mem::take(&mut self.checks);
        let reloads = std::mem::take(&mut self.reloads);
        for (verb, commands) in [("check", checks), ("reload", reloads)] {
            for Command { text, resources } in commands {
                self.line(
                    Colour::Bold,
                    &format!("would {verb}, for {}:", resources.join(", ")),
                );
                for line in text.lines() {
                    let _ = writeln!(self.text, "    {}", self.style.show(line));
                }
            }
        }
    }
}

/// The unified diff of a file, for people; `None` is no file.
pub fn painted(path: &str, old: Option<&[u8]>, new: &[u8], style: Style) -> String {
    let mut painted = String::new();
    for Line { colour, text } in text::diff(path, old, new) {
        let shown = style.show(&text);
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
