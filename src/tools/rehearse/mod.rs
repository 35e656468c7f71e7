//! `-rehearse`: renders everything for each stage in the life of a cluster, derived from one recording, in memory. Says what
//! would fail, and which reloads would run.
//!
//! Writes no file and runs no command.

mod cluster;
mod stages;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;

use crate::backend::Backend;
use crate::config::{Config, Source};
use crate::error::Result;
use crate::resource::{self, Resource};
use crate::tools::console;
use crate::tree::Tree;

use stages::{Before, Stage};

/// Rehearses with the recording at `path`, prints what came of it, and ends with 1 when anything failed.
pub fn run(mut config: Config, path: &str) -> Result<ExitCode> {
    config.source = Source::File(vec![PathBuf::from(path)]);
    let recorded = Backend::new(&config).fetch()?.tree;
    let (stages, missing) = stages::stages(&recorded);
    let mut troupe = Troupe::load(&config)?;
    let acts = console::patiently("rehearsing", || troupe.play(&stages, &config));
    let text = table::show(&stages, &troupe, &acts, &missing);
    console::print(&text)?;
    let failed = acts.iter().any(|act| !act.failures.is_empty());
    Ok(ExitCode::from(u8::from(
        failed || !troupe.broken.is_empty(),
    )))
}

/// The resources that take part.
struct Troupe {
    actors: Vec<Actor>,
    /// What was said against the files that could not be read.
    broken: Vec<String>,
}

struct Actor {
    /// The conf.d file below conf.d.
    name: String,
    resource: Resource,
    /// The reload's command.
    reload: Option<String>,
}

/// What came of a stage.
#[derive(Default)]
struct Act {
    /// The resources, by index, whose files differ from those before.
    changed: Vec<usize>,
    failures: Vec<Failure>,
    /// The file of each resource on the disk, as a run at that time leaves it.
    files: Vec<File>,
}

/// A file's content; none before it was made.
type File = Option<Rc<[u8]>>;

/// A resource that fails in a scene.
struct Failure {
    actor: usize,
    /// What tells the scene from the others of its stage.
    about: String,
    words: String,
}

impl Troupe {
    fn load(config: &Config) -> Result<Troupe> {
        let directory = config.confdir.join("conf.d");
        let (mut actors, mut broken) = (Vec::new(), Vec::new());
        for (path, _) in resource::find(&directory)? {
            let name = path.strip_prefix(&directory).unwrap_or(&path);
            match Resource::load(&path, config) {
                Ok(resource) => actors.push(Actor {
                    name: name.display().to_string(),
                    reload: resource.reload(Vec::new()).map(|reload| reload.text),
                    resource,
                }),
                Err(error) => broken.push(error.chain()),
            }
        }
        Ok(Troupe { actors, broken })
    }

    fn play(&mut self, stages: &[Stage], config: &Config) -> Vec<Act> {
        let mut acts: Vec<Act> = Vec::new();
        for stage in stages {
            let before = match stage.before {
                Before::Stage(index) => acts.get(index).map(|act| act.files.clone()),
                Before::Unknown | Before::Nothing => None,
            };
            let before = before.unwrap_or_else(|| vec![None; self.actors.len()]);
            acts.push(self.play_stage(stage, &before, config));
        }
        acts
    }

    fn play_stage(&mut self, stage: &Stage, before: &[File], config: &Config) -> Act {
        let mut act = Act::default();
        for scene in stage.scenes() {
            act.files = before.to_vec();
            for (index, actor) in self.actors.iter_mut().enumerate() {
                match (actor.render(&scene.tree, config), act.files.get_mut(index)) {
                    (Ok(content), Some(file)) => {
                        if file.as_deref() != Some(&*content) {
                            *file = Some(content);
                            act.changed.push(index);
                        }
                    }
                    (Err(words), _) => act.failures.push(Failure {
                        actor: index,
                        about: scene.about.clone(),
                        words,
                    }),
                    (Ok(_), None) => {}
                }
            }
        }
        act.changed.sort_unstable();
        act.changed.dedup();
        act
    }
}

impl Actor {
    fn render(&mut self, tree: &Arc<Tree>, config: &Config) -> Result<Rc<[u8]>, String> {
        match self.resource.render(tree, config) {
            Ok(rendered) => Ok(rendered.content.into()),
            Err(error) => Err(error.chain()),
        }
    }
}
