//! `-lint`: reads confd.toml, conf.d and the templates, and reports every mistake in them.
//! Executes nothing, changes nothing, and needs no metadata; what metadata is at hand makes it know
//! more.
//!
//! `docs/lint.md` explains each code.

mod calls;
mod code;
mod command;
mod document;
mod facts;
mod fields;
mod keys;
mod names;
mod resource;
mod settings;
mod shape;
mod source;
mod template;

use std::collections::BTreeSet;
use std::env;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::backend::Backend;
use crate::cli::Args;
use crate::config::{Config, Source as Origin};
use crate::error::{self, Error, Result};
use crate::log::{self, Level};
use crate::resource::{Resource, existing_conf_d, list, unit_of};
use crate::threads;
use crate::tools::console::{self, Format};
use crate::tools::finding::Report;
use crate::tree::Tree;

use code::Code;
use facts::ResourceFacts;
use source::Source;

pub use source::shown;

/// The timeout of the metadata service.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The facts that all resources share.
pub struct Context {
    /// The settings, or what could be read of them.
    pub config: Config,
    /// The metadata below the global prefix, when there is some.
    pub tree: Option<Arc<Tree>>,
    /// The files that the resources make.
    pub made: BTreeSet<PathBuf>,
}

/// Checks everything and prints the findings. The exit status is 1 if there is an error.
pub fn run(args: &Args) -> Result<ExitCode> {
    let format = Format::from_args(args)?;
    // What the program would log while reading the files is among the findings.
    log::set_level(Level::Fatal);
    let mut report = Report::default();
    let files = console::with_progress("checking", || check(args, &mut report))?;
    report.print(format, &format!("{}: ", console::counted(files, "file")))
}

/// All findings without metadata, and the number of files.
pub fn examine(args: &Args) -> Result<(Report, usize)> {
    let mut report = Report::default();
    let context = settings::check(args, &mut report)?;
    let files = check_files(context, &mut report)?;
    Ok((report, files))
}

/// All findings with metadata that the caller has, fetched below `prefix`.
pub fn examine_with(args: &Args, prefix: Option<&str>, tree: Arc<Tree>) -> Result<Report> {
    let mut report = Report::default();
    let mut context = settings::check(args, &mut report)?;
    context.config.prefix = prefix.map(str::to_owned);
    context.tree = Some(tree);
    check_files(context, &mut report)?;
    Ok(report)
}

/// The settings as far as they can be known, however broken confd.toml is, and what is wrong with
/// it. Wrong flags and variables are an error.
pub fn settings_at_hand(args: &Args) -> Result<(Config, Option<Error>)> {
    let variable = |name: &str| env::var_os(name);
    match Config::load(args, variable) {
        Ok(config) => Ok((config, None)),
        Err(error) if matches!(error.kind(), error::Kind::Usage(_)) => Err(error),
        Err(error) => {
            let known = settings::check(args, &mut Report::default());
            // The file may be unreadable.
            let config = known
                .map(|context| context.config)
                .or_else(|_| Config::without_file(args, variable))?;
            Ok((config, Some(error)))
        }
    }
}

/// Checks all files with the metadata that is at hand, and returns their number.
fn check(args: &Args, report: &mut Report) -> Result<usize> {
    let mut context = settings::check(args, report)?;
    let tree = metadata(&context.config)?;
    context.tree = tree.map(|tree| below_prefix(tree, &context.config, report));
    check_files(context, report)
}

/// Checks all files, and returns their number.
fn check_files(mut context: Context, report: &mut Report) -> Result<usize> {
    let conf_d = existing_conf_d(&context.config.confdir)?;
    let resources = list(&conf_d)?;
    let mut units = Vec::new();
    for path in &resources {
        // What is wrong with one that cannot be loaded is found below.
        match Resource::load(path, &context.config) {
            Ok(resource) => {
                context.made.insert(resource.dest().to_owned());
                units.extend(resource.unit().map(str::to_owned));
            }
            Err(_) => units.extend(unit_of(path)),
        }
    }
    let mut all = Vec::new();
    for path in &resources {
        resource::check(path, &context, &mut all, report)?;
    }
    names::check_ignored(&conf_d, report);
    resource::check_groups(&all, &units, report);
    resource::check_twins(&all, report);
    resource::check_directories(&all, report);
    // A resource that could not be read may use any template.
    let is_whole = all.len() == resources.len();
    let templates = check_templates(&context, all, is_whole, report)?;
    Ok(resources.len() + templates)
}

/// Checks the templates that resources use and those that are there, and returns their number.
fn check_templates(
    context: &Context,
    mut users: Vec<ResourceFacts>,
    is_whole: bool,
    report: &mut Report,
) -> Result<usize> {
    let directory = context.config.confdir.join("templates");
    let mut templates = names::templates(&directory)?;
    templates.extend(users.iter().map(|facts| facts.template.clone()));
    templates.sort_unstable();
    templates.dedup();
    users.sort_by(|one, other| one.template.cmp(&other.template));
    let mut included = Vec::new();
    let mut unused = Vec::new();
    for path in &templates {
        let first = users.partition_point(|facts| facts.template < *path);
        let after = users.partition_point(|facts| facts.template <= *path);
        let users = &users[first..after];
        if users.is_empty() && template::is_part(path) {
            continue;
        }
        included.extend(template::check(path, users, context, report));
        if users.is_empty() {
            unused.push(path);
        }
    }
    if is_whole {
        template::check_unused(&unused, &included, report);
    }
    Ok(templates.len())
}

/// The prefix of the platform.
const PLATFORM_PREFIX: &str = "/self";

/// The tree of a recording without the prefix that all of its keys have by mistake. One finding
/// stands for the many that would follow.
fn below_prefix(tree: Arc<Tree>, config: &Config, report: &mut Report) -> Arc<Tree> {
    let Origin::File(files) = &config.source else {
        return tree;
    };
    let prefix = config.prefix.as_deref().unwrap_or(PLATFORM_PREFIX);
    let top = format!("{}/", prefix.trim_end_matches('/'));
    if top == "/" || !tree.leaves().all(|(key, _)| key.starts_with(&top)) {
        return tree;
    }
    let (is, cure) = match config.prefix {
        Some(_) => ("the prefix", "leave out"),
        // An image that names it means it.
        None if names::mention(&config.confdir, PLATFORM_PREFIX) => return tree,
        None => ("and no prefix is set", "set"),
    };
    if let Some(file) = files.first() {
        let message = format!("everything in the recording is below {prefix}, {is}");
        let help = format!("record the part below it with confd -dump, or {cure} -prefix {prefix}");
        let source = Source::new(file, Vec::new());
        report.add(source.finding(0, Code::W409, message, help));
    }
    let leaves = tree.leaves();
    let leaves = leaves.map(|(key, value)| (key[top.len() - 1..].to_owned(), value.to_owned()));
    Arc::new(Tree::from_pairs(leaves))
}

/// The metadata, if it is to be had at once. A recording that was named must be good.
fn metadata(config: &Config) -> Result<Option<Arc<Tree>>> {
    let mut backend = Backend::new(config);
    if matches!(config.source, Origin::File(_)) {
        return backend.fetch().map(|fetched| Some(fetched.tree));
    }
    let why = match threads::run_within(TIMEOUT, move || backend.fetch()) {
        Some(Ok(fetched)) => return Ok(Some(fetched.tree)),
        Some(Err(error)) => error.chain(),
        None => "no answer within a second".to_owned(),
    };
    console::note(format_args!("no metadata ({why}); -file DUMP finds more"));
    Ok(None)
}
