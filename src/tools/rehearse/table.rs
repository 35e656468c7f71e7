//! The rehearsal as a table of 80 columns: a line for each stage, then the reloads and the failures in words.

use std::fmt::Write as _;

use super::stages::{Before, Stage};
use super::{Act, Failure, Troupe};
use crate::tools::console::{Colour, Style, wrap};

/// The width of a stage's name in the table.
const NAME: usize = 43;

/// The whole report.
pub fn show(stages: &[Stage], troupe: &Troupe, acts: &[Act], missing: &[&str]) -> String {
    let style = Style::of_stdout();
    let reloads = Reloads::of(troupe);
    let mut text = format!(
        "{:>3}  {:<NAME$} {:>5} {:>7}  {:<8} {:>6}\n",
        "", "stage", "after", "changed", "reloads", "failed"
    );
    for (number, (stage, act)) in stages.iter().zip(acts).enumerate() {
        let row = row(number + 1, stage, act, troupe.actors.len(), &reloads);
        let failed = !act.failures.is_empty();
        let row = if failed {
            style.paint(Colour::Red, &row)
        } else {
            row
        };
        text.push_str(row.trim_end());
        text.push('\n');
    }
    reloads.show(&mut text);
    show_failures(troupe, acts, style, &mut text);
    if !missing.is_empty() {
        text.push_str("\nnot rehearsed:\n");
        for why in missing {
            let _ = writeln!(text, "  {}", wrap(why, 2));
        }
    }
    text
}

fn row(number: usize, stage: &Stage, act: &Act, files: usize, reloads: &Reloads<'_>) -> String {
    let (after, changed, reloads) = match stage.before {
        Before::Unknown => ("-".to_owned(), "-".to_owned(), "-".to_owned()),
        Before::Nothing => ("-".to_owned(), changed(act, files), reloads.of_act(act)),
        Before::Stage(index) => (
            (index + 1).to_string(),
            changed(act, files),
            reloads.of_act(act),
        ),
    };
    let mut failing: Vec<usize> = act.failures.iter().map(|failure| failure.actor).collect();
    failing.sort_unstable();
    failing.dedup();
    let name = shortened(&stage.name);
    format!(
        "{number:>3}  {name:<NAME$} {after:>5} {changed:>7}  {reloads:<8} {:>6}",
        failing.len()
    )
}

/// How many files change, of how many.
fn changed(act: &Act, files: usize) -> String {
    format!("{}/{files}", act.changed.len())
}

fn shortened(name: &str) -> String {
    match name.chars().count() > NAME {
        true => format!("{name:.0$}…", NAME - 1),
        false => name.to_owned(),
    }
}

/// The reload commands, each with a letter.
struct Reloads<'t> {
    troupe: &'t Troupe,
    /// In the order of the resources.
    commands: Vec<&'t str>,
}

impl<'t> Reloads<'t> {
    fn of(troupe: &'t Troupe) -> Reloads<'t> {
        let mut commands: Vec<&str> = Vec::new();
        for actor in &troupe.actors {
            if let Some(reload) = actor.reload.as_deref()
                && !commands.contains(&reload)
            {
                commands.push(reload);
            }
        }
        Reloads { troupe, commands }
    }

    /// The letters of those that run because of a stage; identical commands run once.
    fn of_act(&self, act: &Act) -> String {
        let mut letters = Vec::new();
        for (index, command) in self.commands.iter().enumerate() {
            let mut actors = act.changed.iter().map(|actor| &self.troupe.actors[*actor]);
            if actors.any(|actor| actor.reload.as_deref() == Some(command)) {
                letters.push(letter(index));
            }
        }
        match letters.is_empty() {
            true => "-".to_owned(),
            false => letters.join(" "),
        }
    }

    fn show(&self, text: &mut String) {
        if !self.commands.is_empty() {
            text.push_str("\nreloads:\n");
        }
        for (index, command) in self.commands.iter().enumerate() {
            let _ = writeln!(text, "  {}  {}", letter(index), wrap(command, 5));
            let mut names = Vec::new();
            for actor in &self.troupe.actors {
                if actor.reload.as_deref() == Some(command) {
                    names.push(actor.name.as_str());
                }
            }
            let _ = writeln!(text, "       of {}", wrap(&names.join(" "), 10));
        }
    }
}

/// a to z, then a1 and so on.
fn letter(index: usize) -> String {
    let letter = char::from(b"abcdefghijklmnopqrstuvwxyz"[index % 26]);
    match index / 26 {
        0 => letter.to_string(),
        round => format!("{letter}{round}"),
    }
}

/// A failure and the stages that it comes in.
struct Told<'t> {
    name: &'t str,
    words: &'t str,
    stages: Vec<String>,
}

/// The failures in the order of the stages, each once.
fn told<'t>(troupe: &'t Troupe, acts: &'t [Act]) -> Vec<Told<'t>> {
    let mut all: Vec<Told<'t>> = Vec::new();
    let failures = (1..).zip(acts).flat_map(|(number, act)| {
        let failures = act.failures.iter();
        failures.map(move |failure| (number, failure))
    });
    for (
        number,
        Failure {
            actor,
            about,
            words,
        },
    ) in failures
    {
        let stage = match about.as_str() {
            "" => format!("{number}"),
            about => format!("{number} ({about})"),
        };
        let name = troupe.actors.get(*actor).map_or("", |actor| &actor.name);
        match all
            .iter_mut()
            .find(|told| told.name == name && told.words == words)
        {
            Some(told) => told.stages.push(stage),
            None => all.push(Told {
                name,
                words,
                stages: vec![stage],
            }),
        }
    }
    all
}

fn show_failures(troupe: &Troupe, acts: &[Act], style: Style, text: &mut String) {
    let failures = told(troupe, acts);
    if !failures.is_empty() || !troupe.broken.is_empty() {
        text.push_str("\nfailures:\n");
    }
    for words in &troupe.broken {
        let _ = writeln!(text, "  {}", wrap(&style.show(words), 2));
    }
    for Told {
        name,
        words,
        stages,
    } in failures
    {
        let title = wrap(&format!("{name} in stage {}:", stages.join(", ")), 4);
        let _ = writeln!(text, "  {}", style.paint(Colour::Bold, &title));
        for line in words.lines() {
            // The lines of a template stay as they are, so that the mark below them fits.
            let _ = match line.contains(" | ") {
                true => writeln!(text, "    {}", style.show(line)),
                false => writeln!(text, "    {}", wrap(&style.show(line.trim_start()), 4)),
            };
        }
    }
}
