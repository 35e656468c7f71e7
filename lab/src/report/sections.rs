//! The sections of a report: the summary, the stages, failures, findings, and the files with what
//! changes in each stage.

use std::collections::{BTreeMap, BTreeSet};

use app_agent::tools::console::Colour;
use app_agent::tools::diff::text::{Line, diff};
use app_agent::tools::finding::Severity;
use app_agent::tools::rehearse::{Before, Group, StageInfo, Step};

use super::Subject;
use super::html::Html;

/// More lines of a diff or a file are not shown.
const MOST_LINES: usize = 400;

const HEAD: &str = concat!(
    "<meta charset=\"utf-8\">\n",
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n",
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<style>\n",
    include_str!("../../page/colours.css"),
    include_str!("report.css"),
    "</style>\n<title>",
);

/// The whole report.
pub(super) fn document(subject: &Subject) -> String {
    let mut html = Html::default();
    html.raw("<!doctype html>\n<html lang=\"")
        .raw(subject.words.code);
    html.raw("\">\n<head>\n").raw(HEAD).raw(subject.words.title);
    html.text(&subject.name);
    html.raw("</title>\n</head>\n<body>\n");
    subject.summary(&mut html);
    subject.failures(&mut html);
    subject.stages(&mut html);
    subject.findings(&mut html);
    subject.changes(&mut html);
    subject.files(&mut html);
    html.raw("</body>\n</html>\n");
    html.into_string()
}

impl Subject {
    fn summary(&self, html: &mut Html) {
        let rehearsal = &self.rehearsal;
        let reports = rehearsal.reports();
        let failures = reports.iter().filter(|report| report.counts).count();
        let failures = failures + rehearsal.unread.len();
        let warnings = reports.iter().filter(|report| !report.counts).count();
        let words = self.words;
        html.raw("<header>\n").classed("p", "kind", words.kind);
        html.raw("\n");
        html.element("h1", &self.name);
        html.raw("<p class=\"verdict ");
        html.raw(if failures > 0 { "bad\">" } else { "good\">" });
        html.text(&match failures {
            0 => words.all_good.to_owned(),
            count => (words.failures_in_life)(count),
        });
        html.raw("</p>\n<p>");
        let nodes: Vec<&str> = rehearsal
            .nodes
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        let files = rehearsal.resources.len() + rehearsal.unread.len();
        let counts = [files, rehearsal.stages.len(), warnings];
        html.text(&(words.facts)(counts, &self.findings));
        if nodes.iter().any(|name| !name.is_empty()) {
            html.text(&(words.seen_from)(&nodes));
        }
        html.raw(words.redacted).raw("</p>\n</header>\n");
    }

    fn failures(&self, html: &mut Html) {
        let reports = self.rehearsal.reports();
        let (failures, warnings): (Vec<_>, Vec<_>) = reports.iter().partition(|one| one.counts);
        for (title, class, list) in [
            (self.words.failures, "failure", failures),
            (self.words.warnings, "warning", warnings),
        ] {
            let unread = &self.rehearsal.unread;
            let unread = if class == "failure" { &unread[..] } else { &[] };
            if list.is_empty() && unread.is_empty() {
                continue;
            }
            html.raw("<section>\n").element("h2", title);
            for message in unread {
                html.raw("\n").classed("pre", class, message);
            }
            for report in list {
                let places = self.rehearsal.places(report);
                let title = (self.words.in_stage)(self.resource(report.resource), &places);
                html.raw("\n").element("h3", &title);
                html.raw("\n").classed("pre", class, report.message);
            }
            html.raw("\n</section>\n");
        }
    }

    fn stages(&self, html: &mut Html) {
        html.raw("<section>\n").element("h2", self.words.stages);
        html.raw("\n<div class=\"wide\"><table>\n<tr>");
        for column in self.words.columns {
            html.element("th", column);
        }
        html.raw("</tr>\n");
        let mut group = Group::Life;
        for (index, stage) in self.rehearsal.stages.iter().enumerate() {
            if stage.group != group {
                group = stage.group;
                html.raw("<tr><th colspan=\"6\" class=\"group\">")
                    .text((self.words.group)(group));
                html.raw("</th></tr>\n");
            }
            self.stage(html, index, stage);
        }
        html.raw("</table></div>\n");
        if !self.life.plan.missing.is_empty() {
            html.raw("<p class=\"soft\">").raw(self.words.not_rehearsed);
            html.text(&self.life.plan.missing.join("; ")).raw(".</p>\n");
        }
        html.raw("</section>\n");
    }

    fn stage(&self, html: &mut Html, index: usize, stage: &StageInfo) {
        let rehearsal = &self.rehearsal;
        let steps: Vec<&Step> = self.steps_of(index).collect();
        let changed: BTreeSet<(usize, usize)> = steps
            .iter()
            .flat_map(|step| step.changed.iter().map(|file| (step.node, *file)))
            .collect();
        let nodes: BTreeSet<usize> = steps.iter().map(|step| step.node).collect();
        let failed = steps.iter().flat_map(|step| &step.failures);
        let failed: BTreeSet<usize> = failed.map(|failure| failure.resource).collect();
        let commands = rehearsal.reloads();
        let reloads: BTreeSet<usize> = steps
            .iter()
            .flat_map(|step| rehearsal.reloads_of(step))
            .collect();
        let reloads = reloads
            .into_iter()
            .filter_map(|index| commands.get(index).copied());
        let is_first = stage.before == Before::Unknown;
        let after = match stage.before {
            Before::Stage(before) => (before + 1).to_string(),
            Before::Unknown | Before::Nothing => "–".to_owned(),
        };
        html.raw(match (failed.is_empty(), stage.group) {
            (true, _) => "<tr>",
            (false, Group::Life) => "<tr class=\"failure\">",
            (false, _) => "<tr class=\"warning\">",
        });
        html.element("td", &(index + 1).to_string());
        html.element("td", &(self.words.stage)(stage));
        html.element("td", &after);
        let all = nodes.len() * rehearsal.resources.len();
        html.element(
            "td",
            &match is_first {
                true => "–".to_owned(),
                false => (self.words.of_all)(changed.len(), all),
            },
        );
        let reloads: Vec<&str> = if is_first {
            Vec::new()
        } else {
            reloads.collect()
        };
        html.raw("<td>");
        for reload in reloads {
            html.element("code", reload).raw("<br>");
        }
        html.raw("</td>").element("td", &failed.len().to_string());
        html.raw("</tr>\n");
    }

    fn findings(&self, html: &mut Html) {
        let findings = self.findings.findings();
        if findings.is_empty() {
            return;
        }
        html.raw("<section>\n").element("h2", self.words.findings);
        html.raw("\n<dl>\n");
        for finding in findings {
            let place = finding.place.as_ref().map(ToString::to_string);
            html.raw(match finding.severity {
                Severity::Error => "<dt class=\"failure\">",
                _ => "<dt class=\"warning\">",
            });
            html.element("code", finding.code).raw(" ");
            html.text(&place.unwrap_or_default()).raw("</dt>\n<dd>");
            html.text(&finding.message);
            if !finding.help.is_empty() {
                html.classed("span", "cure", &finding.help);
            }
            html.raw("</dd>\n");
        }
        html.raw("</dl>\n</section>\n");
    }

    /// The changes of each stage: a diff for each file, with the nodes that it is the same on.
    fn changes(&self, html: &mut Html) {
        html.raw("<section>\n").element("h2", self.words.changes);
        html.raw("\n");
        for (index, stage) in self.rehearsal.stages.iter().enumerate() {
            let Before::Stage(before) = stage.before else {
                continue;
            };
            let mut places: BTreeMap<(usize, String), Vec<String>> = BTreeMap::new();
            let mut diffs: BTreeMap<(usize, String), Vec<Line>> = BTreeMap::new();
            for step in self.steps_of(index) {
                for file in &step.changed {
                    let lines = self.diff(step, before, *file);
                    let text: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
                    let key = (*file, text.join("\n"));
                    places
                        .entry(key.clone())
                        .or_default()
                        .push(self.place(step));
                    diffs.insert(key, lines);
                }
            }
            if diffs.is_empty() {
                continue;
            }
            let name = (self.words.stage)(stage);
            html.element("h3", &format!("{}. {name}", index + 1))
                .raw("\n");
            for (key, lines) in &diffs {
                let places = places.get(key).map(|places| places.join(", "));
                html.raw("<details><summary>").text(&self.dest(key.0));
                html.raw(" ")
                    .classed("span", "soft", &places.unwrap_or_default());
                html.raw("</summary>\n");
                self.show_diff(html, lines);
                html.raw("</details>\n");
            }
        }
        html.raw("</section>\n");
    }

    /// Every file as it was recorded, or as the first node that can render it has it.
    fn files(&self, html: &mut Html) {
        html.raw("<section>\n").element("h2", self.words.files);
        html.raw("\n");
        let recorded = self.life.plan.recorded_node();
        let is_recorded = |step: &&Step| {
            let node = self.rehearsal.nodes.get(step.node);
            node.is_some_and(|(name, _)| recorded.as_ref() == Some(name))
        };
        let step = self
            .steps_of(0)
            .find(is_recorded)
            .or_else(|| self.steps_of(0).next());
        for index in 0..self.rehearsal.resources.len() {
            let content = step.and_then(|step| step.rendered.get(index)?.as_deref());
            html.raw("<details><summary>").text(&self.dest(index));
            html.raw("</summary>\n");
            match content {
                Some(content) => {
                    let text = String::from_utf8_lossy(content);
                    let lines: Vec<&str> = text.lines().take(MOST_LINES).collect();
                    html.element("pre", &lines.join("\n"));
                    self.show_rest(html, text.lines().count());
                }
                None => {
                    html.classed("p", "failure", self.words.fails);
                }
            }
            html.raw("</details>\n");
        }
        html.raw("</section>\n");
    }

    fn steps_of(&self, stage: usize) -> impl Iterator<Item = &Step> {
        self.rehearsal
            .steps
            .iter()
            .filter(move |step| step.stage == stage)
    }

    fn resource(&self, index: usize) -> &str {
        let resource = self.rehearsal.resources.get(index);
        resource.map_or("", |resource| resource.name.as_str())
    }

    fn dest(&self, index: usize) -> String {
        let resource = self.rehearsal.resources.get(index);
        resource.map_or(String::new(), |one| {
            one.resource.dest().display().to_string()
        })
    }

    /// The node and the variant of a step.
    fn place(&self, step: &Step) -> String {
        let node = self
            .rehearsal
            .nodes
            .get(step.node)
            .map_or("", |(name, _)| name);
        [node, &step.about]
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The diff of a file of a step from the stage before.
    fn diff(&self, step: &Step, before: usize, file: usize) -> Vec<Line> {
        let steps = &self.rehearsal.steps;
        let same = |known: &&Step| known.stage == before && known.node == step.node;
        let before = steps.iter().rfind(same);
        let content = |step: &'_ Step| step.after.get(file).cloned().flatten();
        let (old, new) = (before.and_then(content), content(step).unwrap_or_default());
        diff(&self.dest(file), old.as_deref(), &new)
    }

    fn show_diff(&self, html: &mut Html, lines: &[Line]) {
        html.raw("<pre class=\"diff\">");
        for line in lines.iter().take(MOST_LINES) {
            let class = match line.colour {
                Some(Colour::Green) => "added",
                Some(Colour::Red) => "removed",
                Some(_) => "soft",
                None => "same",
            };
            html.classed("span", class, &line.text).raw("\n");
        }
        html.raw("</pre>\n");
        self.show_rest(html, lines.len());
    }

    /// Says how many lines are left out.
    fn show_rest(&self, html: &mut Html, count: usize) {
        if let Some(rest @ 1..) = count.checked_sub(MOST_LINES) {
            html.classed("p", "soft", &(self.words.more_lines)(rest));
        }
    }
}
