//! The image that is shown: its settings and metadata as they are on disk now.
//!
//! Replaced as a whole when something is saved. What is wrong with a file that was saved is a
//! problem on the page; the last good settings and metadata stay. At first there may be none.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use app_agent::backend::Backend;
use app_agent::cli::Args;
use app_agent::config::{Config, Source};
use app_agent::resource::{self, Resource};
use app_agent::tools::{lint, looks, rehearse};
use app_agent::tree::Tree;

use crate::args::Flags;

/// An image, as the command line names it.
pub(crate) struct Image {
    flags: Flags,
    /// The looks of its files before they were read first.
    opened: looks::Looks,
    state: RwLock<Arc<State>>,
}

/// An image at one moment.
#[derive(Clone)]
pub(crate) struct State {
    /// Counts the changes on disk.
    pub generation: u64,
    /// The flags of confd that it has now.
    pub args: Args,
    pub config: Config,
    /// The metadata, as recorded or from the node; empty before any could be read.
    pub tree: Arc<Tree>,
    /// The node that the metadata was recorded on, if it can be told.
    pub own: Option<String>,
    /// The problems of settings or metadata since they were read last.
    pub problems: Vec<Problem>,
    /// The templates of its resources, wherever they are.
    pub templates: Vec<PathBuf>,
}

/// The reason why settings or metadata are not what the files say, or the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub origin: Origin,
    pub message: String,
}

/// The origin of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Settings,
    Recording,
    Node,
}

impl Origin {
    /// The name by which the page knows what to do.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Origin::Settings => "settings",
            Origin::Recording => "recording",
            Origin::Node => "node",
        }
    }

    /// A problem of this origin.
    pub(crate) fn problem(self, message: String) -> Problem {
        Problem {
            origin: self,
            message,
        }
    }
}

impl Image {
    /// Reads the settings and the metadata, as far as they can be read. Only wrong flags and
    /// variables are an error.
    pub(crate) fn open(flags: Flags) -> Result<Image, String> {
        let args = flags.args()?;
        let at_hand = lint::settings_at_hand(&args).map_err(|error| error.chain())?;
        let (mut config, problem) = (render_only(at_hand.0), at_hand.1);
        let problem = problem.map(|error| Origin::Settings.problem(error.chain()));
        let mut problems: Vec<Problem> = problem.into_iter().collect();
        let templates = templates(&config);
        let opened = look(&config, &args, &flags, &templates);
        let tree = match Backend::new(&config).fetch() {
            Ok(fetched) => fetched.tree,
            Err(error) => {
                let origin = match config.source {
                    Source::Metad(_) => Origin::Node,
                    Source::File(_) | Source::Env => Origin::Recording,
                };
                problems.push(origin.problem(error.chain()));
                Arc::default()
            }
        };
        rehearse::set_prefix(&mut config, &tree);
        let state = State {
            generation: 1,
            args,
            config,
            own: own_node(&tree),
            tree,
            problems,
            templates,
        };
        Ok(Image {
            flags,
            opened,
            state: RwLock::new(Arc::new(state)),
        })
    }

    /// The image as it is now.
    pub(crate) fn state(&self) -> Arc<State> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&state)
    }

    /// The looks of its files when they were opened.
    pub(crate) fn opened(&self) -> &looks::Looks {
        &self.opened
    }

    /// The looks of its files now.
    pub(crate) fn looks(&self) -> looks::Looks {
        self.looks_of(&self.state())
    }

    fn looks_of(&self, state: &State) -> looks::Looks {
        look(&state.config, &state.args, &self.flags, &state.templates)
    }

    /// Returns true if its metadata comes from a file, not from a live node.
    pub(crate) fn is_recorded(&self) -> bool {
        matches!(self.state().config.source, Source::File(_))
    }

    /// Reads the settings and a recording again, after something was saved. Returns the looks of
    /// the files before that.
    pub(crate) fn reload(&self) -> looks::Looks {
        let old = self.state();
        let mut new = State::clone(&old);
        new.problems.retain(|known| known.origin == Origin::Node);
        match self.flags.args() {
            Ok(args) => new.args = args,
            Err(problem) => new.problems.push(Origin::Settings.problem(problem)),
        }
        match load(&new.args) {
            Ok(config) => new.config = config,
            Err(problem) => new.problems.push(Origin::Settings.problem(problem)),
        }
        new.templates = templates(&new.config);
        let looks = self.looks_of(&new);
        if self.is_recorded() {
            match Backend::new(&new.config).fetch() {
                Ok(fetched) => new.tree = fetched.tree,
                Err(error) => {
                    let problem = Origin::Recording.problem(error.chain());
                    new.problems.push(problem);
                }
            }
        }
        rehearse::set_prefix(&mut new.config, &new.tree);
        self.replace(new);
        looks
    }

    /// Goes on with the metadata of a live node, or with what is wrong with it.
    pub(crate) fn update(&self, tree: Result<Arc<Tree>, Problem>) {
        let mut new = State::clone(&self.state());
        new.problems.retain(|known| known.origin != Origin::Node);
        match tree {
            Ok(tree) => new.tree = tree,
            Err(problem) => new.problems.push(problem),
        }
        self.replace(new);
    }

    fn replace(&self, mut state: State) {
        state.generation += 1;
        state.own = own_node(&state.tree);
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
    }
}

/// The templates of all resources that can be read.
fn templates(config: &Config) -> Vec<PathBuf> {
    let found = resource::find(&config.confdir.join("conf.d")).unwrap_or_default();
    let resources = found.into_iter().filter_map(|(path, _)| {
        let resource = Resource::load(&path, config).ok()?;
        Some(looks::template_of(&resource, config))
    });
    resources.collect()
}

fn look(config: &Config, args: &Args, flags: &Flags, templates: &[PathBuf]) -> looks::Looks {
    let settings = flags.settings.iter().chain(&flags.recordings);
    let others: Vec<PathBuf> = templates.iter().chain(settings).cloned().collect();
    looks::of_image(config, args, &others)
}

fn own_node(tree: &Tree) -> Option<String> {
    rehearse::Plan::of(tree).recorded_node()
}

fn load(args: &Args) -> Result<Config, String> {
    let config = Config::load(args, |name| std::env::var_os(name));
    config.map(render_only).map_err(|error| error.chain())
}

/// Nothing is written anywhere: owners are not looked up for files that are not made.
fn render_only(config: Config) -> Config {
    Config {
        root: None,
        ..config
    }
}
