//! `-rehearse`: renders every resource for each stage in the life of a cluster, derived from one
//! recording, as each kind of node sees it. Reports failures and the reloads that would run.
//!
//! Works in memory. Writes only below `-root` and with `-update`, and runs a command only with
//! `-check`.

mod check;
mod cluster;
mod golden;
mod json;
mod report;
mod stages;
mod steps;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use crate::backend::Backend;
use crate::cli::Args;
use crate::config::{Config, Source};
use crate::error::{Error, Result};
use crate::tools::console::{self, Format};
use crate::tree::Tree;

use golden::{Difference, GoldenFiles};

pub use report::Report;
pub use stages::{Before, Group, Plan, Stage, Variant, Viewpoint};
pub use steps::{Failure, File, Rehearsal, Resource, StageInfo, Step};

/// The directories that were typed, and what to do with them.
struct Options<'a> {
    recording: &'a str,
    /// Every rendered file is written below it.
    root: Option<&'a Path>,
    /// The directory with which every rendered file is compared.
    expected: Option<&'a Path>,
    /// The expected files become the rendered ones.
    update: bool,
    /// Each check_cmd runs.
    check: bool,
    json: bool,
}

impl Options<'_> {
    fn from_args(args: &Args) -> Result<Options<'_>> {
        let path = |name| {
            args.last(name)
                .filter(|path| !path.is_empty())
                .map(Path::new)
        };
        let options = Options {
            recording: args.last("rehearse").unwrap_or_default(),
            root: path("root"),
            expected: path("expect"),
            update: args.is_on("update"),
            check: args.is_on("check"),
            json: Format::from_args(args)? == Format::Json,
        };
        if options.update && options.expected.is_none() {
            let message = "-update goes with -expect: it rewrites that directory";
            return Err(Error::usage(message.to_owned()));
        }
        Ok(options)
    }
}

/// The prefix that the platform sets on every node. It replaces those of the resources.
const PREFIX: &str = "/self";

/// True for a recording of what a node sees below the platform's prefix.
fn shows_a_node(tree: &Arc<Tree>) -> bool {
    let everything = tree.view("", &["/".to_owned()]);
    everything.has_below("/host") || everything.has_below("/hosts")
}

/// Gives the settings the platform's prefix, unless they have one, where a recording shows what is
/// below it.
pub fn set_prefix(config: &mut Config, recorded: &Arc<Tree>) {
    if config.prefix.is_none() && shows_a_node(recorded) {
        config.prefix = Some(PREFIX.to_owned());
    }
}

/// Rehearses with a recording, and prints the result. Exits with 1 when a resource fails in the
/// life of the cluster, or when a file is not as expected.
pub fn run(mut config: Config, args: &Args) -> Result<ExitCode> {
    let options = Options::from_args(args)?;
    config.source = Source::File(vec![PathBuf::from(options.recording)]);
    // Here it is the directory of all files, and stands for / of no node.
    config.root = None;
    let recorded = Backend::new(&config).fetch()?.tree;
    set_prefix(&mut config, &recorded);
    let plan = Plan::of(&recorded);
    let mut rehearsal = Rehearsal::load(&config, options.check)?;
    console::with_progress("rehearsing", || rehearsal.run(&plan, &config));
    let golden = GoldenFiles::of(&rehearsal);
    if let Some(root) = options.root {
        golden.write(root)?;
    }
    let differences = match options.expected {
        Some(directory) if options.update => {
            golden.write(directory)?;
            Vec::new()
        }
        Some(directory) => golden.compare(directory)?,
        None => Vec::new(),
    };
    let has_failed = rehearsal.has_failed() || !differences.is_empty();
    let text = if options.json {
        json::show(&rehearsal, &plan.missing, &differences, has_failed)
    } else {
        let mut text = table::show(&rehearsal, &plan.missing);
        if let Some(directory) = options.expected {
            text.push_str(&show_comparison(
                &golden,
                directory,
                &differences,
                options.update,
            ));
        }
        text
    };
    console::print(&text)?;
    Ok(ExitCode::from(u8::from(has_failed)))
}

fn show_comparison(
    golden: &GoldenFiles,
    directory: &Path,
    differences: &[Difference],
    update: bool,
) -> String {
    let count = golden.len();
    let files = if count == 1 { "file" } else { "files" };
    let directory = directory.display();
    if update {
        return format!("\n{directory}: {count} {files} written\n");
    }
    if differences.is_empty() {
        return format!("\n{directory}: {count} {files} as expected\n");
    }
    let mut text = format!("\ndifferences from {directory} (-update accepts them):\n");
    for difference in differences {
        text.push_str(&difference.text());
    }
    text
}
