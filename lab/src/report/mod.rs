//! `confd-lab report`: a rehearsal as one HTML file without scripts, for reviewers and tickets.
//!
//! The metadata is that of a redacted recording, before anything is rendered from it: no secret can
//! get into a file, an error or a finding.

mod html;
mod sections;
mod words;

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use app_agent::tools::dump::Redaction;
use app_agent::tools::finding::Report as Findings;
use app_agent::tools::rehearse::Rehearsal;

use crate::args::Flags;
use crate::findings;
use crate::image::{Image, State};
use crate::language::Language;
use crate::selection::Life;
use crate::view;
use crate::what_if::Edits;
use words::Words;

/// Everything that the report is about.
struct Subject {
    life: Life,
    rehearsal: Rehearsal,
    findings: Findings,
    words: &'static Words,
    /// The directory of the image.
    name: String,
}

/// Rehearses an image and writes the report to a path; `-` is stdout.
pub(crate) fn write(
    flags: Flags,
    path: &Path,
    redaction: &[String],
    language: Language,
) -> Result<(), String> {
    let text = sections::document(&rehearse(flags, redaction, language)?);
    if path == Path::new("-") {
        let written = io::stdout().lock().write_all(text.as_bytes());
        return written.map_err(|error| format!("cannot write to stdout: {error}"));
    }
    let written = fs::write(path, text);
    written.map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn rehearse(flags: Flags, redaction: &[String], language: Language) -> Result<Subject, String> {
    let image = Image::open(flags)?;
    let state = State::clone(&image.state());
    if let Some(problem) = state.problems.first() {
        return Err(problem.message.clone());
    }
    let state = Arc::new(State {
        tree: Arc::new(Redaction::new(redaction).redacted(&state.tree)),
        ..state
    });
    let life = Life::new(Arc::clone(&state), Edits::default());
    let rehearsal = Rehearsal::load(&state.config, false);
    let mut rehearsal = rehearsal.map_err(|error| error.chain())?;
    rehearsal.run(&life.plan, &state.config);
    let findings = findings::report(&life)?;
    let name = view::image_name(&state.config.confdir);
    Ok(Subject {
        life,
        rehearsal,
        findings,
        words: Words::of(language),
        name,
    })
}
