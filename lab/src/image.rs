//! The image that is shown: its settings and metadata as they are on disk now.
//!
//! Replaced as a whole when something is saved. What is wrong with a file that was saved is a
//! problem on the page; the last good settings and metadata stay.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use app_agent::backend::Backend;
use app_agent::cli::Args;
use app_agent::config::{Config, Source};
use app_agent::resource::{self, Resource};
use app_agent::tools::{looks, rehearse};
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
    /// The metadata, as recorded or from the node.
    pub tree: Arc<Tree>,
    /// The node that the metadata was recorded on, if it can be told.
    pub own: Option<String>,
    /// The problems of settings or metadata since they were read last.
    pub problems: Vec<String>,
    /// The templates of its resources, wherever they are.
    pub templates: Vec<PathBuf>,
}

impl Image {
    /// Reads the settings and the metadata, which must be good at first.
    pub(crate) fn open(flags: Flags) -> Result<Image, String> {
        let args = flags.args()?;
        let mut config = load(&args)?;
        let templates = templates(&config);
        let opened = look(&config, &args, &flags, &templates);
        let tree = Backend::new(&config)
            .fetch()
            .map_err(|error| error.chain())?
            .tree;
        rehearse::set_prefix(&mut config, &tree);
        let state = State {
            generation: 1,
            args,
            config,
            own: own_node(&tree),
            tree,
            problems: Vec::new(),
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
        let mut new = State {
            problems: Vec::new(),
            ..State::clone(&old)
        };
        match self.flags.args() {
            Ok(args) => new.args = args,
            Err(problem) => new.problems.push(problem),
        }
        match load(&new.args) {
            Ok(config) => new.config = config,
            Err(problem) => new.problems.push(problem),
        }
        new.templates = templates(&new.config);
        let looks = self.looks_of(&new);
        if self.is_recorded() {
            match Backend::new(&new.config).fetch() {
                Ok(fetched) => new.tree = fetched.tree,
                Err(error) => new.problems.push(error.chain()),
            }
        }
        rehearse::set_prefix(&mut new.config, &new.tree);
        self.replace(new);
        looks
    }

    /// Goes on with the metadata of a live node, or with what is wrong with it.
    pub(crate) fn update(&self, tree: Result<Arc<Tree>, String>) {
        let mut new = State::clone(&self.state());
        new.problems.clear();
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
    let settings = flags.settings.iter();
    let others: Vec<PathBuf> = templates.iter().chain(settings).cloned().collect();
    looks::of_image(config, args, &others)
}

fn own_node(tree: &Tree) -> Option<String> {
    rehearse::Plan::of(tree).recorded_node()
}

fn load(args: &Args) -> Result<Config, String> {
    let config = Config::load(args, |name| std::env::var_os(name));
    let mut config = config.map_err(|error| error.chain())?;
    // Nothing is written anywhere: owners are not looked up for files that are not made.
    config.root = None;
    Ok(config)
}
