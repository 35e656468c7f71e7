//! `-render FILE`: one template to stdout, from a recording or a live node, without a resource.
//!
//! `-keys`, `-prefix` and `-strict` stand for the keys of the same names in a resource.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use crate::backend::Backend;
use crate::cli::Args;
use crate::config::Config;
use crate::config::table::read_file;
use crate::error::{self, Error, Result};
use crate::resource::funcs::FUNCTIONS;
use crate::resource::missing::Probe;
use crate::resource::{self, template_path};
use crate::template::{MAX_SOURCE, Options, Template};
use crate::tools::console::{self, Format};
use crate::tree::View;

/// Prints the rendered template.
pub fn run(config: &Config, args: &Args) -> Result<ExitCode> {
    let templates = config.confdir.join("templates");
    let file = args.last("render").unwrap_or("-");
    let (name, text) = read(file, &templates)?;
    let unprocessed = |error| error::Kind::Unprocessed {
        src: file.to_owned(),
        error,
    };
    let template = Template::parse(&name, &text, FUNCTIONS).map_err(unprocessed)?;
    let keys = keys(args);
    let view = view(config, &keys)?;
    let options = Options {
        strict: config.strict,
    };
    let executed = resource::execute(&template, &view, &templates, options);
    let (content, _) = executed.map_err(|mut error| {
        let probe = Probe::of_flags(&view, &keys, config.fetch_prefix());
        error.explain(&mut |key| probe.answer(key));
        error
    })?;
    if Format::from_args(args)? == Format::Json {
        let content = String::from_utf8_lossy(&content);
        let object = json!({"version": 1, "template": name, "content": content});
        console::print(&format!("{object:#}\n"))?;
    } else {
        console::print_bytes(&content)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Fetches the metadata, and limits it to `keys` below the prefix. A recording may be of what is
/// below the prefix, or of more.
pub fn view(config: &Config, keys: &[String]) -> Result<View> {
    let mut backend = Backend::new(config);
    let fetched = console::with_progress("asking for the metadata", || backend.fetch())?;
    let tree = fetched.tree;
    let prefix = config.prefix.as_deref().unwrap_or_default();
    let everything = tree.view("", &["/".to_owned()]);
    let prefix = if everything.has_below(prefix) {
        prefix
    } else {
        ""
    };
    Ok(tree.view(prefix, keys))
}

/// The keys given with `-keys`, separated by commas; everything without the flag.
fn keys(args: &Args) -> Vec<String> {
    let typed = args.all("keys").iter().flat_map(|typed| typed.split(','));
    let typed = typed.map(|key| key.trim().to_owned());
    let keys: Vec<String> = typed.filter(|key| !key.is_empty()).collect();
    if keys.is_empty() {
        vec!["/".to_owned()]
    } else {
        keys
    }
}

/// The name and the text of a template: a file here or in `templates`; `-` is standard input.
fn read(file: &str, templates: &Path) -> Result<(String, Vec<u8>)> {
    let largest = MAX_SOURCE as u64;
    if file == "-" {
        let mut text = Vec::new();
        let stdin = io::stdin().lock().take(largest + 1);
        let read = { stdin }.read_to_end(&mut text);
        read.map_err(|source| Error::io("read", "standard input".as_ref(), source))?;
        return Ok(("stdin".to_owned(), text));
    }
    let mut path = PathBuf::from(file);
    let below = template_path(templates, file);
    if !path.exists() && below.exists() {
        path = below;
    }
    let name = path.file_name().unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    Ok((name, read_file(&path, largest)?))
}
