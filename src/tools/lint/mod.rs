//! `-lint`: reads confd.toml, conf.d and the templates, and says all that is wrong with them. Executes nothing, changes
//! nothing, and needs no metadata; what metadata is at hand makes it know more.
//!
//! `docs/lint.md` explains each code.

mod calls;
mod command;
mod document;
mod fields;
mod finding;
mod keys;
mod names;
mod resource;
mod settings;
mod shape;
mod source;
mod template;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::backend::Backend;
use crate::cli::Args;
use crate::config::{Config, Source as Origin};
use crate::error::{Error, Result};
use crate::log::{self, Level};
use crate::resource::find;
use crate::threads;
use crate::tools::console::{self, Style};
use crate::tree::Tree;

use finding::{Code, Report};
use resource::Facts;
use source::Source;

/// The time that a metadata service has to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// The facts that all resources share.
pub struct Image {
    /// The settings, or what could be read of them.
    pub config: Config,
    /// The metadata below the global prefix, when there is some.
    pub tree: Option<Arc<Tree>>,
}

/// Checks everything and prints the findings. The exit status is 1 if there is an error.
pub fn run(args: &Args) -> Result<ExitCode> {
    // What the program would log while reading the files is among the findings.
    log::set_level(Level::Fatal);
    let mut report = Report::default();
    let files = console::patiently("checking", || check(args, &mut report))?;
    let text = match args.last("format") {
        Some("json") => report.to_json(),
        _ => report.to_text(Style::of_stdout()),
    };
    console::print(&text)?;
    let (errors, warnings) = report.count();
    say(&format!(
        "{files} files: {errors} errors, {warnings} warnings"
    ));
    Ok(ExitCode::from(u8::from(errors > 0)))
}

/// A summary of the findings.
#[derive(Debug)]
pub struct Summary {
    /// The number of files.
    pub files: usize,
    pub errors: usize,
    pub warnings: usize,
    /// The first finding that counts most, in one line.
    pub first: Option<String>,
}

/// Checks everything without metadata.
pub fn summary(args: &Args) -> Result<Summary> {
    let mut report = Report::default();
    let image = settings::check(args, &mut report)?;
    let files = check_files(&image, &mut report)?;
    let (errors, warnings) = report.count();
    Ok(Summary {
        files,
        errors,
        warnings,
        first: report.first(),
    })
}

/// The settings as far as they can be known, however broken they are.
pub fn settings_at_hand(args: &Args) -> Result<Config> {
    settings::check(args, &mut Report::default()).map(|image| image.config)
}

/// A line beside the report.
fn say(message: &str) {
    // Who does not listen to stderr loses nothing but this.
    let _ = writeln!(io::stderr(), "confd: {message}");
}

/// Checks all files; their number.
fn check(args: &Args, report: &mut Report) -> Result<usize> {
    let mut image = settings::check(args, report)?;
    let tree = metadata(&image.config)?;
    image.tree = tree.map(|tree| below_prefix(tree, &image.config, report));
    check_files(&image, report)
}

fn check_files(image: &Image, report: &mut Report) -> Result<usize> {
    let conf_d = image.config.confdir.join("conf.d");
    if !conf_d.is_dir() {
        return Err(Error::config(
            image.config.confdir.display().to_string(),
            "there is no conf.d in it; set -confdir",
        ));
    }
    let mut all = Vec::new();
    let mut files = 0;
    for (path, _) in find(&conf_d)? {
        files += 1;
        resource::check(&path, image, &mut all, report)?;
    }
    let resources = files;
    names::check_ignored(&conf_d, report);
    resource::check_twins(&all, report);
    resource::check_directories(&all, report);
    let mut templates = template::find(&image.config.confdir.join("templates"))?;
    templates.extend(all.iter().map(|facts| facts.template.clone()));
    templates.sort_unstable();
    templates.dedup();
    let mut users: Vec<&Facts> = all.iter().collect();
    users.sort_by(|one, other| one.template.cmp(&other.template));
    let mut included = Vec::new();
    let mut unused = Vec::new();
    for path in &templates {
        files += 1;
        let first = users.partition_point(|facts| facts.template < *path);
        let after = users.partition_point(|facts| facts.template <= *path);
        let users = &users[first..after];
        included.extend(template::check(path, users, image, report));
        if users.is_empty() {
            unused.push(path);
        }
    }
    // A resource that could not be read may use any of them.
    if all.len() == resources {
        template::check_unused(&unused, &included, report);
    }
    Ok(files)
}

/// The tree of a recording without the prefix that all of its keys have by mistake. One finding
/// stands for the many that would follow.
fn below_prefix(tree: Arc<Tree>, config: &Config, report: &mut Report) -> Arc<Tree> {
    let (Origin::File(files), Some(prefix)) = (&config.source, &config.prefix) else {
        return tree;
    };
    let top = format!("{}/", prefix.trim_end_matches('/'));
    if top == "/" || !tree.leaves().all(|(key, _)| key.starts_with(&top)) {
        return tree;
    }
    if let Some(file) = files.first() {
        let message = format!("everything in the recording is below {prefix}, the prefix");
        let help =
            format!("record the part below it with confd -dump, or leave out -prefix {prefix}");
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
    let why = match threads::run_within(PATIENCE, move || backend.fetch()) {
        Some(Ok(fetched)) => return Ok(Some(fetched.tree)),
        Some(Err(error)) => error.chain(),
        None => "no answer within a second".to_owned(),
    };
    say(&format!("no metadata ({why}); -file DUMP finds more"));
    Ok(None)
}
