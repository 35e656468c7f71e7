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
        let signature = doc.signature();
        let width = signature.chars().count() + ":".len();
        let help = style.wrap_after(doc.help, width, "    ".len());
        let signature = style.paint(Colour::Bold, &signature);
        let _ = writeln!(text, "{signature}:{help}");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_on_a_terminal() {
        let docs: Vec<&Doc> = funcs::docs().collect();
        let text = to_text(&docs, Style::of_width(80));
        // Examples stay whole, so that they can be copied.
        let is_too_long = |line: &&str| line.chars().count() > 80 && !line.contains("{{");
        assert_eq!(text.lines().find(is_too_long), None);
        assert!(text.contains("print VALUE…: the values as text"), "{text}");
    }
}
