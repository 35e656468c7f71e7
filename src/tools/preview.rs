//! `-watch -root OUT` with a recording: renders again when a template, a resource or the recording
//! is saved, writes the files below OUT, and prints what changed.
//!
//! Runs no command. Looks at the files' sizes and times every tenth of a second, which works on any
//! file system; an error leaves the file and goes on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::backend::Backend;
use crate::cli::Args;
use crate::config::{Config, Source};
use crate::error::Result;
use crate::log;
use crate::resource::stage::{self, Stage};
use crate::resource::{self, Resource, Templates};
use crate::tools::console::{self, Colour, Style};
use crate::tools::diff;
use crate::tools::looks::{self, Look, Looks};
use crate::tree::Tree;

/// How often the files are looked at. A change counts when two looks agree: an editor may be
/// writing.
const PAUSE: Duration = Duration::from_millis(100);

/// True for settings that a preview is made with: a recording, and a directory in place of /.
pub fn is_meant(config: &Config) -> bool {
    config.root.is_some() && !config.noop && matches!(config.source, Source::File(_))
}

/// Renders again and again; `load` reads the settings. Returns only when they cannot be read at
/// first.
pub fn run(args: &Args, load: impl Fn() -> Result<Config>) -> Result<ExitCode> {
    let mut preview = Preview {
        style: Style::of_stdout(),
        config: load()?,
        tree: Arc::default(),
        resources: BTreeMap::new(),
        problems: BTreeMap::new(),
        templates: Templates::default(),
    };
    let mut rendered = None;
    let mut looked = preview.looks(args);
    loop {
        let now = preview.looks(args);
        if now == looked && rendered.as_ref() != Some(&now) {
            if rendered.is_some() {
                preview.reload(&load)?;
            }
            preview.fetch()?;
            preview.render_all(&now)?;
            rendered = Some(now.clone());
        }
        looked = now;
        thread::sleep(PAUSE);
    }
}

struct Preview {
    style: Style,
    config: Config,
    /// The last metadata that could be read.
    tree: Arc<Tree>,
    /// By path, each with the look of the file that was read; none when it could not be read.
    resources: BTreeMap<PathBuf, (Look, Option<Resource>)>,
    /// By file, the error that was printed last and still holds.
    problems: BTreeMap<PathBuf, String>,
    templates: Templates,
}

impl Preview {
    fn looks(&self, args: &Args) -> Looks {
        let resources = self.resources.values().filter_map(|(_, one)| one.as_ref());
        let templates = resources.map(|one| looks::template_of(one, &self.config));
        looks::of_image(&self.config, args, &templates.collect::<Vec<_>>())
    }

    /// Reads the settings again; wrong ones are reported, and the old ones stay.
    fn reload(&mut self, load: &impl Fn() -> Result<Config>) -> Result<()> {
        let place = PathBuf::from("settings");
        match load() {
            Ok(config) => {
                if config != self.config {
                    self.resources.clear();
                }
                self.config = config;
                self.settle(&place, None)
            }
            Err(error) => self.settle(&place, Some(error.chain())),
        }
    }

    /// Reads the recording; a wrong one is reported, and the metadata stays.
    fn fetch(&mut self) -> Result<()> {
        let place = PathBuf::from("recording");
        match Backend::new(&self.config).fetch() {
            Ok(fetched) => {
                self.tree = fetched.tree;
                self.settle(&place, None)
            }
            Err(error) => self.settle(&place, Some(error.chain())),
        }
    }

    fn render_all(&mut self, looks: &Looks) -> Result<()> {
        let directory = self.config.confdir.join("conf.d");
        let found = match resource::list(&directory) {
            Ok(found) => found,
            Err(error) => return self.settle(&directory, Some(error.chain())),
        };
        self.settle(&directory, None)?;
        for path in found {
            let look = looks.get(&path).copied().flatten();
            let problem = self.render(&path, look).err();
            self.settle(&path, problem)?;
        }
        self.resources.retain(|path, _| looks.contains_key(path));
        Ok(())
    }

    /// Renders one resource into its file, and prints the diff.
    fn render(&mut self, path: &Path, look: Look) -> Result<(), String> {
        let known = self.resources.remove(path);
        let known = known.filter(|(known, _)| look.is_some() && *known == look);
        let resource = match known {
            Some((_, Some(resource))) => resource,
            _ => {
                let loaded = Resource::load(path, &self.config).map_err(|error| error.chain())?;
                loaded.warnings().iter().for_each(log::warning);
                loaded
            }
        };
        let changed = self.write(&resource);
        let changed = changed.map_err(|error| resource.words(&error));
        self.resources
            .insert(path.to_path_buf(), (look, Some(resource)));
        changed
    }

    fn write(&mut self, resource: &Resource) -> Result<()> {
        let rendered = resource.render(&mut self.templates, &self.tree, &self.config)?;
        if let Some(items) = rendered.items {
            return items.iter().try_for_each(|item| self.write(item));
        }
        let content = rendered.content;
        let mut target = resource.target(&self.config)?;
        let wanted = resource.wanted(content, &mut target)?;
        if wanted.compare(&target)?.is_none() {
            return Ok(());
        }
        let content = wanted.content();
        let path = resource.shown_dest().display().to_string();
        let old = target.read_old(diff::text::LARGEST as u64 + 1)?;
        let lines = diff::text::diff(&path, old.as_deref(), content);
        let text = diff::painted(&lines, self.style);
        let stage = Stage::create(target, content, false)?;
        stage.sync()?;
        stage::sync_directories(&[stage.commit()?])?;
        console::print(&text)
    }

    /// Prints a problem that is new, and the end of one.
    fn settle(&mut self, place: &Path, problem: Option<String>) -> Result<()> {
        let before = self.problems.remove(place);
        let Some(problem) = problem else {
            return match before {
                Some(_) => self.say(Colour::Green, &format!("{}: works again", place.display())),
                None => Ok(()),
            };
        };
        if before.as_ref() != Some(&problem) {
            self.say(Colour::Red, &problem)?;
        }
        self.problems.insert(place.to_path_buf(), problem);
        Ok(())
    }

    fn say(&self, colour: Colour, text: &str) -> Result<()> {
        let lines: Vec<String> = text.lines().map(|line| self.style.show(line)).collect();
        let text = self.style.paint(colour, &lines.join("\n"));
        console::print(&format!("{text}\n"))
    }
}
