//! The rehearsal as a table: a line for each stage, then the reloads, the failures and the warnings
//! in words.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::report::Report;
use super::stages::{Before, Group};
use super::steps::{Rehearsal, StageInfo, Step};
use crate::tools::console::{Colour, Style};

/// The width of a stage's name in the table.
const NAME: usize = 43;

/// The whole report.
pub(super) fn show(rehearsal: &Rehearsal, missing: &[&str]) -> String {
    let style = Style::of_stdout();
    let mut text = nodes(rehearsal, style);
    let _ = writeln!(
        text,
        "{:>3}  {:<NAME$} {:>5} {:>7}  {:<8} {:>6}",
        "", "stage", "after", "changed", "reloads", "failed"
    );
    let mut group = Group::Life;
    for (index, stage) in rehearsal.stages.iter().enumerate() {
        if stage.group != group {
            group = stage.group;
            let _ = writeln!(text, "{}", style.paint(Colour::Bold, title(group)));
        }
        let (row, failed) = row(rehearsal, index, stage);
        let row = match (failed, group) {
            (false, _) => row,
            (true, Group::Life) => style.paint(Colour::Red, &row),
            (true, _) => style.paint(Colour::Yellow, &row),
        };
        let _ = writeln!(text, "{}", row.trim_end());
    }
    show_reloads(rehearsal, style, &mut text);
    show_failures(rehearsal, style, &mut text);
    if !missing.is_empty() {
        text.push_str("\nnot rehearsed:\n");
        for why in missing {
            let _ = writeln!(text, "  {}", style.wrap(why, 2));
        }
    }
    text
}

/// The line above the stages of a group.
fn title(group: Group) -> &'static str {
    match group {
        Group::Life => "the life of the cluster:",
        Group::Between => "between two writes of the platform (only warnings):",
        Group::Absent => "parameters that the application does not have (only warnings):",
    }
}

/// The nodes that look, where there are several.
fn nodes(rehearsal: &Rehearsal, style: Style) -> String {
    let names = |joins: bool| {
        let nodes = rehearsal.nodes.iter().filter(|node| node.1 == joins);
        let names = nodes.map(|(name, _)| style.show(name));
        names.collect::<Vec<_>>().join(" ")
    };
    let (present, joining) = (names(false), names(true));
    if present.is_empty() {
        return String::new();
    }
    let line = if joining.is_empty() {
        format!("seen from {present}")
    } else {
        format!("seen from {present}, and as they join from {joining}")
    };
    format!("{}\n\n", style.wrap(&line, 0))
}

/// A row, and whether a resource fails in it.
fn row(rehearsal: &Rehearsal, index: usize, stage: &StageInfo) -> (String, bool) {
    let steps: Vec<&Step> = rehearsal
        .steps
        .iter()
        .filter(|step| step.stage == index)
        .collect();
    let failures = steps.iter().flat_map(|step| &step.failures);
    let failing: BTreeSet<usize> = failures.map(|failure| failure.resource).collect();
    let after = match stage.before {
        Before::Unknown | Before::Nothing => "-".to_owned(),
        Before::Stage(before) => (before + 1).to_string(),
    };
    let (changed, reloads) = match stage.before {
        Before::Unknown => ("-".to_owned(), "-".to_owned()),
        _ => (changed(rehearsal, &steps), reloads(rehearsal, &steps)),
    };
    let (number, name, failed) = (index + 1, shortened(&stage.name), failing.len());
    let row =
        format!("{number:>3}  {name:<NAME$} {after:>5} {changed:>7}  {reloads:<8} {failed:>6}");
    (row, failed > 0)
}

/// The number of files that change, on all nodes, and of all files there.
fn changed(rehearsal: &Rehearsal, steps: &[&Step]) -> String {
    let files = steps
        .iter()
        .flat_map(|step| step.changed.iter().map(|file| (step.node, *file)));
    let changed = files.collect::<BTreeSet<_>>().len();
    let nodes: BTreeSet<usize> = steps.iter().map(|step| step.node).collect();
    format!("{changed}/{}", nodes.len() * rehearsal.resources.len())
}

/// The letters of the reload commands that run on any node.
fn reloads(rehearsal: &Rehearsal, steps: &[&Step]) -> String {
    let commands = steps.iter().flat_map(|step| rehearsal.reloads_of(step));
    let commands: BTreeSet<usize> = commands.collect();
    let letters: Vec<String> = commands.into_iter().map(letter).collect();
    if letters.is_empty() {
        "-".to_owned()
    } else {
        letters.join(" ")
    }
}

fn shortened(name: &str) -> String {
    if name.chars().count() > NAME {
        format!("{name:.0$}…", NAME - 1)
    } else {
        name.to_owned()
    }
}

fn show_reloads(rehearsal: &Rehearsal, style: Style, text: &mut String) {
    let commands = rehearsal.reloads();
    if !commands.is_empty() {
        text.push_str("\nreloads:\n");
    }
    for (index, command) in commands.into_iter().enumerate() {
        let _ = writeln!(
            text,
            "  {}  {}",
            letter(index),
            style.wrap(&style.show(command), 5)
        );
        let resources = rehearsal.resources.iter();
        let resources = resources.filter(|resource| resource.reload.as_deref() == Some(command));
        let names: Vec<&str> = resources.map(|resource| resource.name.as_str()).collect();
        let _ = writeln!(text, "       of {}", style.wrap(&names.join(" "), 10));
    }
}

/// a to z, then a1 and so on.
fn letter(index: usize) -> String {
    let letter = char::from(b'a' + u8::try_from(index % 26).unwrap_or_default());
    match index / 26 {
        0 => letter.to_string(),
        round => format!("{letter}{round}"),
    }
}

fn show_failures(rehearsal: &Rehearsal, style: Style, text: &mut String) {
    let reports = rehearsal.reports();
    let (failures, warnings): (Vec<_>, Vec<_>) = reports.iter().partition(|report| report.counts);
    if !failures.is_empty() || !rehearsal.unread.is_empty() {
        text.push_str("\nfailures:\n");
    }
    for words in &rehearsal.unread {
        let _ = writeln!(text, "  {}", style.wrap(&style.show(words), 2));
    }
    for report in failures {
        show_report(rehearsal, report, style, text);
    }
    if !warnings.is_empty() {
        text.push_str("\nwarnings:\n");
    }
    for report in warnings {
        show_report(rehearsal, report, style, text);
    }
}

fn show_report(rehearsal: &Rehearsal, report: &Report<'_>, style: Style, text: &mut String) {
    let resource = rehearsal.resources.get(report.resource);
    let name = resource.map_or("", |resource| resource.name.as_str());
    let title = format!("{name} in stage {}:", rehearsal.places(report));
    let title = style.wrap(&style.show(&title), 4);
    let _ = writeln!(text, "  {}", style.paint(Colour::Bold, &title));
    for line in report.message.lines() {
        // The lines of a template are not wrapped, so that the mark below them fits.
        let _ = if line.contains(" | ") {
            writeln!(text, "    {}", style.show(line))
        } else {
            writeln!(
                text,
                "    {}",
                style.wrap(&style.show(line.trim_start()), 4)
            )
        };
    }
}
