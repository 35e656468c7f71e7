//! One conf.d file: what it says, and its way from a tree to a staged file.
//!
//! Knows nothing of other resources and of when it is taken up; that is the agent's.

mod block;
pub mod command;
mod files;
mod format;
pub mod funcs;
mod input;
mod inputs;
mod invocations;
pub(crate) mod items;
mod load;
pub(crate) mod made;
pub mod missing;
pub mod pending;
pub mod provenance;
pub mod stage;
mod stamp;
mod templates;
mod wanted;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use md5::{Digest, Md5};

use crate::config::Config;
use crate::config::table::Warning;
use crate::error::{self, Error, Result};
use crate::go::hex;
use crate::log;
use crate::platform;
use crate::template::{self, Budget, Options, Template, Value};
use crate::tree::{ReadSet, Tree, View};

use block::Block;
pub(crate) use files::unit_of;
pub use files::{existing_conf_d, find, list, template_path};
use format::Format;
use funcs::{Funcs, HostEnv};
use input::FileInput;
pub use inputs::{Inputs, SystemInputs};
pub(crate) use invocations::with_staged;
use items::{Actions, Item};
use provenance::{Provenance, Recorder};
use stage::{Attributes, Difference, Directories, Stage, Target};
pub use stamp::{SETTLED, Stamp};
pub use templates::Templates;
pub(crate) use wanted::Wanted;

/// The words by which a command names the files that it is for.
const FILE_NAMES: [&str; 6] = [
    "CONFD_SRC",
    "CONFD_DEST",
    "{{.src}}",
    "{{ .src }}",
    "{{.dest}}",
    "{{ .dest }}",
];

/// One conf.d file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    path: PathBuf,
    src: String,
    dest: PathBuf,
    shown: PathBuf,
    keys: Vec<String>,
    prefix: String,
    mode: Option<u32>,
    /// The mode as configured, which may name the item of a `for_each`.
    mode_text: String,
    owner: Id,
    group: Id,
    /// The group of resources that are swapped all or none.
    unit: Option<String>,
    rolls_back: bool,
    check_cmd: String,
    check_timeout: Option<Duration>,
    reload_cmd: String,
    reload_timeout: Option<Duration>,
    reload_retry: bool,
    strict: bool,
    output: Option<Format>,
    reconcile: bool,
    create_only: bool,
    skip_empty: bool,
    backups: u32,
    block: Option<Block>,
    for_each: Option<String>,
    item: Option<Item>,
    is_gone: bool,
    warnings: Vec<Warning>,
}

/// Looks up a user or group by name.
type FindId = fn(&str) -> io::Result<Option<u32>>;

/// A user or group as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Id {
    /// As the file has it.
    Kept,
    Number(u32),
    Named(String),
}

/// The owner and mode that dest should have.
#[derive(Clone, Debug, Default)]
pub struct Ownership {
    /// The configured attributes, as far as this machine knows them.
    pub attributes: Attributes,
    /// The problems with names, such as that this machine has no such user.
    pub unknown: Vec<String>,
    /// The same for a name that is right if other resources are in this group.
    pub(crate) unknown_unit: Option<String>,
}

/// The new content of dest, and what it was rendered from.
#[derive(Debug)]
pub struct Rendered {
    /// The bytes.
    pub content: Vec<u8>,
    /// The resources of the items, in place of a content.
    pub(crate) items: Option<Vec<Resource>>,
    /// Its inputs.
    pub inputs: Inputs,
    /// The owner and mode that go with it.
    pub ownership: Ownership,
}

/// So many changed keys are named in the log.
const MOST_SHOWN: usize = 20;

/// How dest differs from what was rendered, and why.
#[derive(Debug)]
pub struct Change {
    /// The difference from the wanted file.
    pub difference: Difference,
    /// The keys that made it so, as far as they are known.
    pub keys: Vec<String>,
}

impl Change {
    /// The original's log lines about it, and one with the keys.
    pub fn lines(&self, dest: &Path) -> Vec<String> {
        let mut lines = self.difference.lines(dest);
        let dest = dest.display();
        lines.push(format!("Target config {dest} out of sync"));
        if !self.keys.is_empty() {
            let keys = shown(&self.keys);
            lines.push(format!("{dest} changes because of {keys}"));
        }
        lines
    }
}

/// The first keys of a list, and how many others there are: a large cluster would make a log line
/// of a megabyte.
fn shown(keys: &[String]) -> String {
    let first = keys.iter().take(MOST_SHOWN);
    let mut text = first.map(String::as_str).collect::<Vec<_>>().join(" ");
    if let Some(others @ 1..) = keys.len().checked_sub(MOST_SHOWN) {
        text.push_str(&format!(" and {others} more"));
    }
    text
}

/// The outcome of rendering a resource.
#[derive(Debug)]
pub enum Outcome {
    /// The file on disk is right.
    InSync(Inputs),
    /// The file on disk is to be replaced, but `-noop` leaves it alone.
    LeftAlone(Inputs, Change),
    /// The file on disk is to be replaced.
    Staged(Box<Prepared>),
}

/// A staged file on its way to dest.
#[derive(Debug)]
pub struct Prepared {
    /// The file beside dest.
    pub stage: Stage,
    /// The inputs from which it was rendered.
    pub inputs: Inputs,
    /// The change that it makes.
    pub change: Change,
    /// The MD5 of the new content, in hex.
    pub md5: String,
    /// The MD5 of what was rendered: the same, or that of a block's lines.
    pub rendered: String,
}

impl Resource {
    /// The harmless mistakes of the conf.d file.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The conf.d file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The template, relative to `templates`.
    pub fn src(&self) -> &str {
        &self.src
    }

    /// The file that it makes.
    pub fn dest(&self) -> &Path {
        &self.dest
    }

    /// The file as messages name it: below `-root`, if there is one.
    pub fn shown_dest(&self) -> &Path {
        &self.shown
    }

    /// The `check_cmd` as configured; `None` when there is none.
    pub fn check_cmd(&self) -> Option<&str> {
        Some(self.check_cmd.as_str()).filter(|command| !command.is_empty())
    }

    /// The time limit of a reload; `None` for none.
    pub fn reload_timeout(&self) -> Option<Duration> {
        self.reload_timeout
    }

    /// True when a failed reload is to be repeated.
    pub fn retries_reload(&self) -> bool {
        self.reload_retry && !self.reload_cmd.is_empty() && !self.rolls_back
    }

    /// Returns true if the daemon is to put back in watch mode what others change, as it does in
    /// interval mode.
    pub fn reconciles(&self) -> bool {
        self.reconcile
    }

    /// The reload command, if one run of it can serve this and other resources: it does not name
    /// files that are different for each.
    pub fn shared_reload(&self) -> Option<&str> {
        let command = self.reload_cmd.as_str();
        let names_files = FILE_NAMES.iter().any(|name| command.contains(name));
        (!command.is_empty() && !names_files).then_some(command)
    }

    /// Renders its view of the tree, in memory. May wait for a file system and for name servers.
    pub fn render(
        &self,
        templates: &mut Templates,
        tree: &Arc<Tree>,
        config: &Config,
    ) -> Result<Rendered> {
        self.render_by(
            templates,
            tree,
            config,
            |template, funcs, dot, options, _| {
                template.execute(funcs, dot, options, &mut Budget::default())
            },
        )
    }

    /// The same, with the origin of each part of the content. The files of all items of a
    /// `for_each` are one content, each below a line with its path.
    pub fn render_traced(
        &self,
        templates: &mut Templates,
        tree: &Arc<Tree>,
        config: &Config,
    ) -> Result<(Vec<u8>, Provenance)> {
        let mut recorder = Recorder::default();
        if !self.is_for_each() {
            let rendered = self.render_recorded(templates, tree, config, &mut recorder)?;
            return Ok((rendered.content, recorder.into_provenance()));
        }
        let rendered =
            self.render_by(templates, tree, config, |key, funcs, dot, options, view| {
                recorder.evaluate(key, funcs, (dot, options), view)
            })?;
        let path = template_path(&config.confdir.join("templates"), &self.src);
        // One that cannot be read is the error of the first item.
        if let Ok(parsed) = templates.get(&path, &self.src) {
            recorder.begin_items(&parsed.template, self);
        }
        let mut content = Vec::new();
        for item in rendered.items.into_iter().flatten() {
            let title = items::title(item.dest());
            recorder.begin_item(&item, title.len());
            content.extend_from_slice(title.as_bytes());
            let made = item.render_recorded(templates, tree, config, &mut recorder)?;
            content.extend_from_slice(&made.content);
            if !made.content.ends_with(b"\n") {
                recorder.skip(1);
                content.push(b'\n');
            }
        }
        Ok((content, recorder.into_provenance()))
    }

    fn render_recorded(
        &self,
        templates: &mut Templates,
        tree: &Arc<Tree>,
        config: &Config,
        recorder: &mut Recorder,
    ) -> Result<Rendered> {
        self.render_by(
            templates,
            tree,
            config,
            |template, funcs, dot, options, view| {
                recorder.execute(template, funcs, (dot, options), view)
            },
        )
    }

    /// Renders with this way to execute the template.
    fn render_by(
        &self,
        templates: &mut Templates,
        tree: &Arc<Tree>,
        config: &Config,
        mut execute: impl FnMut(
            &Template,
            &mut Funcs,
            &Value,
            Options,
            &View,
        ) -> Result<Vec<u8>, template::Error>,
    ) -> Result<Rendered> {
        let directory = config.confdir.join("templates");
        let view = tree.view(&self.prefix, &self.keys);
        let options = Options {
            strict: self.strict,
        };
        let around = HostEnv::of_process(&directory, options);
        if self.is_gone {
            return Ok(Rendered::nothing(inputs(Funcs::new(view, around), None)));
        }
        if let Some(pipeline) = &self.for_each {
            let mut funcs = Funcs::new(view.clone(), around);
            let actions = Actions {
                funcs: &mut funcs,
                execute: &mut |key, funcs, dot, options| {
                    let value = execute(key, funcs, dot, options, &view);
                    value.map_err(|error| self.explained(error, &view))
                },
            };
            let items = self.items(pipeline, actions, config)?;
            let mut rendered = Rendered::nothing(inputs(funcs, None));
            rendered.items = Some(items);
            return Ok(rendered);
        }
        let parsed = templates.get(&template_path(&directory, &self.src), &self.src)?;
        let mut funcs = Funcs::new(view.clone(), around);
        let dot = self.item.as_ref().map_or(Value::Nil, Item::to_value);
        let content = execute(&parsed.template, &mut funcs, &dot, options, &view);
        let content = content.map_err(|error| self.explained(error, &view))?;
        if !self.is_skipped(&content) {
            self.check_output(&content)?;
        }
        Ok(Rendered {
            content,
            items: None,
            inputs: inputs(funcs, Some(parsed.file)),
            ownership: self.ownership(config)?,
        })
    }

    /// The error with an answer for each key that is missing.
    fn explained(&self, mut error: template::Error, view: &View) -> template::Error {
        let probe = missing::Probe::of(self, view);
        error.explain(&mut |key| probe.answer(key));
        error
    }

    /// Checks what was rendered against the format that the resource promises.
    fn check_output(&self, content: &[u8]) -> Result<()> {
        let checked = self.output.map_or(Ok(()), |format| format.check(content));
        checked.map_err(|problem| Error::resource(&self.shown, &problem))
    }

    /// The error with the resource: behind the words of a template, which people search their logs
    /// for as Go has them.
    pub fn words(&self, error: &Error) -> String {
        let (mut path, chain) = (self.path.display().to_string(), error.chain());
        if let Some(item) = &self.item {
            path.push_str(&format!(" for item {:?}", item.name()));
        }
        match error.kind() {
            error::Kind::Template(_) | error::Kind::Unprocessed { .. } => {
                format!("{chain}\nin {path}")
            }
            _ => format!("{path}: {chain}"),
        }
    }

    /// The owner and mode that dest should have. A name that this machine does not know is left
    /// out, and with `strict` an error. An image may be made by a user who cannot give files away;
    /// then they belong to that user.
    pub fn ownership(&self, config: &Config) -> Result<Ownership> {
        let mut ownership = Ownership::default();
        ownership.attributes.mode = self.mode;
        if config.root.is_some() && platform::own_user() != 0 {
            return Ok(ownership);
        }
        let Ownership {
            attributes,
            unknown,
            unknown_unit,
        } = &mut ownership;
        attributes.uid = self.owner.number("user", platform::user_id, unknown);
        let mut unknown_groups = Vec::new();
        attributes.gid = self
            .group
            .number("group", platform::group_id, &mut unknown_groups);
        match (&self.group, &self.unit) {
            (Id::Named(name), Some(unit)) if name == unit => *unknown_unit = unknown_groups.pop(),
            _ => unknown.append(&mut unknown_groups),
        }
        self.judge_names(&ownership)?;
        Ok(ownership)
    }

    /// Takes the name of a group in which no other resource is for that of a group of users only.
    pub(crate) fn be_alone(&self, ownership: &mut Ownership) -> Result<()> {
        ownership.unknown.extend(ownership.unknown_unit.take());
        self.judge_names(ownership)
    }

    fn judge_names(&self, ownership: &Ownership) -> Result<()> {
        let unknown = &ownership.unknown;
        if self.strict && !unknown.is_empty() {
            let problem = format!("{}, and strict is set", unknown.join(", "));
            return Err(Error::resource(&self.dest, &problem));
        }
        Ok(())
    }

    /// The group of resources that are swapped all or none; none for one that is for itself.
    pub(crate) fn unit(&self) -> Option<&str> {
        self.unit.as_deref()
    }

    /// Returns true if the old files come back when the reload fails.
    pub(crate) fn rolls_back(&self) -> bool {
        self.rolls_back && !self.reload_cmd.is_empty()
    }

    /// The place of dest, and which owner and mode it should have.
    pub fn target(&self, config: &Config) -> Result<Target> {
        self.target_with(self.ownership(config)?.attributes, config)
    }

    /// The place of dest, with this owner and mode.
    pub fn target_with(&self, wanted: Attributes, config: &Config) -> Result<Target> {
        self.target_in(&mut Directories::default(), wanted, config)
    }

    /// The same, for one of many resources: those that share a directory open it once.
    pub fn target_in(
        &self,
        directories: &mut Directories,
        wanted: Attributes,
        config: &Config,
    ) -> Result<Target> {
        let mut target = match &config.root {
            None => directories.resolve(&self.dest, wanted)?,
            Some(root) => {
                let mut target = Target::resolve_below(root, &self.dest, wanted)?;
                directories.share_target(&mut target);
                target
            }
        };
        target.is_create_only = self.create_only && self.block.is_none();
        target.backups = self.backups;
        target.block.clone_from(&self.block);
        Ok(target)
    }

    /// Compares what was rendered with dest, and stages it where they differ. `before` is what dest
    /// was rendered from.
    pub fn stage(
        &self,
        rendered: Rendered,
        mut target: Target,
        before: Option<&Inputs>,
        config: &Config,
    ) -> Result<Outcome> {
        let Rendered {
            content, inputs, ..
        } = rendered;
        let sum = |content: &[u8]| hex::encode(&Md5::digest(content));
        // The content of a whole file is what was rendered, unless the file is left alone.
        let may_differ = target.block.is_some() || self.create_only || self.skip_empty;
        let rendered = may_differ.then(|| sum(&content));
        let wanted = self.wanted(content, &mut target)?;
        let Some(difference) = wanted.compare(&target)? else {
            if config.keep_stage_file {
                create(target, &wanted, config)?;
            }
            return Ok(Outcome::InSync(inputs));
        };
        let changed = before.map(|before| {
            let reads = &inputs.reads;
            reads.changed(before.reads.view(), reads.view())
        });
        let change = Change {
            difference,
            keys: changed.unwrap_or_default(),
        };
        if config.noop {
            if config.keep_stage_file {
                create(target, &wanted, config)?;
            }
            return Ok(Outcome::LeftAlone(inputs, change));
        }
        let md5 = sum(wanted.content());
        let stage = create(target, &wanted, config)?;
        if change.difference.is_of_attributes() && stage.keeps_owner_and_mode() {
            // The file system keeps neither: the new file would differ from what is wanted as much.
            return Ok(Outcome::InSync(inputs));
        }
        Ok(Outcome::Staged(Box::new(Prepared {
            stage,
            inputs,
            change,
            rendered: rendered.unwrap_or_else(|| md5.clone()),
            md5,
        })))
    }
}

/// The inputs of an execution, besides the template in this file.
fn inputs(funcs: Funcs, template: Option<FileInput>) -> Inputs {
    let (reads, observed, mut files) = funcs.into_inputs();
    files.extend(template);
    Inputs {
        reads,
        system: SystemInputs { observed, files },
    }
}

/// Executes a template for a view of the metadata: the output, and what it read.
pub fn execute(
    template: &Template,
    view: &View,
    templates: &Path,
    options: Options,
) -> Result<(Vec<u8>, ReadSet), template::Error> {
    let around = HostEnv::of_process(templates, options);
    let mut funcs = Funcs::new(view.clone(), around);
    let budget = &mut Budget::default();
    let content = template.execute(&mut funcs, &Value::Nil, options, budget)?;
    Ok((content, funcs.into_reads()))
}

/// Stages a file; with `-keep-stage-file` it stays there unless it takes the place of dest.
fn create(target: Target, wanted: &Wanted, config: &Config) -> Result<Stage> {
    let content = match wanted {
        Wanted::Content(content) => content,
        Wanted::Unchanged | Wanted::Absent => return Ok(Stage::removal(target)),
    };
    let stage = Stage::create(target, content, config.keep_stage_file)?;
    if config.keep_stage_file {
        log::info(format_args!(
            "Keeping staged file: {}",
            stage.path().display()
        ));
    }
    Ok(stage)
}

impl Id {
    /// The number, asked for each time: the name may be made by another resource's reload. A name
    /// that this machine does not know is added to `unknown`.
    fn number(&self, kind: &str, find: FindId, unknown: &mut Vec<String>) -> Option<u32> {
        match self {
            Id::Kept => None,
            Id::Number(number) => Some(*number),
            Id::Named(name) => {
                let problem = match find(name) {
                    Ok(Some(number)) => return Some(number),
                    Ok(None) => format!("this machine has no {kind} {name:?}"),
                    Err(error) => format!("cannot look up {kind} {name:?}: {error}"),
                };
                unknown.push(problem);
                None
            }
        }
    }
}
