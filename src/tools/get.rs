//! `-get PATH`: a value of the metadata, a directory as an indented tree, or what matches a
//! pattern.
//!
//! Works on a recording or a live node. Paths are below the prefix, as templates have them.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::{Map, Value as Json, json};

use crate::cli::Args;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::go::filepath::Pattern;
use crate::go::path;
use crate::resource::missing::Probe;
use crate::tools::console::{self, Format, Style};
use crate::tools::{dump, render};
use crate::tree::View;

/// Prints what is at the path.
pub fn run(config: &Config, args: &Args) -> Result<ExitCode> {
    let typed = args.last("get").unwrap_or("/");
    let everything = ["/".to_owned()];
    let view = render::view(config, &everything)?;
    let found = if typed.contains(['*', '?', '[']) {
        find_matching(&view, typed)?
    } else {
        find(&view, &path::clean(&format!("/{typed}")))
    };
    let Some(found) = found else {
        let probe = Probe::of_flags(&view, &everything, config.fetch_prefix());
        return Err(Error::resource(
            typed.as_ref(),
            &reason(&view, typed, &probe),
        ));
    };
    let text = if Format::from_args(args)? == Format::Json {
        format!(
            "{:#}\n",
            json!({"version": 1, "path": typed, "value": found})
        )
    } else {
        to_text(&found, Style::of_stdout())
    };
    console::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The value at a clean path, or what is below it.
fn find(view: &View, path: &str) -> Option<Json> {
    if !view.has_below(path) {
        return view.get(path).map(Json::from);
    }
    let dir = path.trim_end_matches('/');
    let inside = view.leaves().filter_map(|(key, value)| {
        let rest = key.strip_prefix(dir)?;
        let is_inside = rest.is_empty() || rest.starts_with('/');
        is_inside.then(|| (rest.to_owned(), value))
    });
    Some(dump::to_json(inside, |_| false))
}

/// The keys that match a pattern, with their values.
fn find_matching(view: &View, typed: &str) -> Result<Option<Json>> {
    let refuse = |_| Error::usage(format!("-get {typed:?}: syntax error in pattern"));
    let pattern = Pattern::parse(typed).map_err(refuse)?;
    let pairs = view.matching(&pattern).items.into_iter();
    let found: Map<String, Json> = pairs.map(|(key, value)| (key, value.into())).collect();
    Ok((!found.is_empty()).then_some(Json::Object(found)))
}

/// Why there is nothing at the path, and which one was probably meant.
fn reason(view: &View, typed: &str, probe: &Probe<'_>) -> String {
    let key = path::clean(&format!("/{typed}"));
    if typed.contains(['*', '?', '[']) {
        return "the pattern matches no key; * and ? stop at /".to_owned();
    }
    match view.nearest_dir(&key) {
        Some(dir) => format!("the metadata has no such key; did you mean {dir}?"),
        None => probe.answer(&key),
    }
}

/// A value, or a directory with two spaces more for each level. What has several lines is quoted
/// inside of a directory.
fn to_text(found: &Json, style: Style) -> String {
    match found {
        Json::Object(entries) => {
            let mut text = String::new();
            add_entries(entries, 0, style, &mut text);
            text
        }
        value => format!("{}\n", value.as_str().unwrap_or_default()),
    }
}

/// Recursive, but no deeper than the dump nests objects (100).
fn add_entries(entries: &Map<String, Json>, indent: usize, style: Style, text: &mut String) {
    for (name, value) in entries {
        let name = style.show(name);
        let _ = match value {
            Json::Object(below) => {
                let written = writeln!(text, "{:indent$}{name}", "");
                add_entries(below, indent + 2, style, text);
                written
            }
            Json::String(value) if value.contains(char::is_control) => {
                writeln!(text, "{:indent$}{name}: {value:?}", "")
            }
            value => {
                let value = value.as_str().unwrap_or_default();
                writeln!(text, "{:indent$}{name}: {value}", "")
            }
        };
    }
}
