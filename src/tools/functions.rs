//! `-help-functions`: every template function with its signature, its purpose and an example.
//!
//! Reads the table of functions and nothing else.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::json;

use crate::cli::Args;
use crate::error::Result;
use crate::resource::funcs::{self, Doc};
use crate::tools::console::{self, Colour, Format, Style};

/// Prints all functions, by name.
pub fn run(args: &Args) -> Result<ExitCode> {
    let mut docs: Vec<&Doc> = funcs::docs().collect();
    docs.sort_by_key(|doc| doc.name.to_ascii_lowercase());
    console::print(&match Format::from_args(args)? {
        Format::Text => to_text(&docs, Style::of_stdout()),
        Format::Json => to_json(&docs),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn to_text(docs: &[&Doc], style: Style) -> String {
    let mut text = String::new();
    for doc in docs {
        let signature = style.paint(Colour::Bold, &doc.signature());
        let _ = writeln!(text, "{signature}: {}", doc.help);
        if !doc.example.is_empty() {
            let _ = writeln!(text, "    {}", doc.example);
        }
    }
    text
}

fn to_json(docs: &[&Doc]) -> String {
    let functions = docs.iter().map(|doc| {
        json!({
            "name": doc.name,
            "signature": doc.signature(),
            "result": doc.result.name(),
            "help": doc.help,
            "example": doc.example,
        })
    });
    let functions: Vec<_> = functions.collect();
    format!("{:#}\n", json!({"version": 1, "functions": functions}))
}
