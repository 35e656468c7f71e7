//! The result of a rehearsal for programs. docs/rehearse.md describes it.

use serde_json::{Value as Json, json};

use super::golden::Difference;
use super::stages::Before;
use super::steps::{Rehearsal, StageInfo, Step};

/// The whole report.
pub(super) fn show(
    rehearsal: &Rehearsal,
    missing: &[&str],
    differences: &[Difference],
    has_failed: bool,
) -> String {
    let nodes = rehearsal.nodes.iter();
    let nodes = nodes.map(|(name, joins)| json!({"name": name, "joins": joins}));
    let resources = rehearsal.resources.iter().map(|resource| {
        json!({
            "name": resource.name,
            "dest": resource.resource.dest().display().to_string(),
            "reload_cmd": resource.reload,
        })
    });
    let stages = rehearsal.stages.iter().enumerate();
    let differences = differences.iter().map(|difference| {
        json!({
            "path": difference.path.display().to_string(),
            "kind": difference.kind(),
            "diff": difference.text(),
        })
    });
    let report = json!({
        "version": 1,
        "failed": has_failed,
        "nodes": list(nodes),
        "resources": list(resources),
        "stages": list(stages.map(|(index, stage)| show_stage(rehearsal, index, stage))),
        "failures": list(show_failures(rehearsal)),
        "unread_resources": rehearsal.unread,
        "not_rehearsed": missing,
        "differences": list(differences),
    });
    format!("{report:#}\n")
}

fn list(items: impl Iterator<Item = Json>) -> Json {
    Json::Array(items.collect())
}

fn show_stage(rehearsal: &Rehearsal, index: usize, stage: &StageInfo) -> Json {
    let after = match stage.before {
        Before::Stage(before) => Some(before + 1),
        Before::Unknown | Before::Nothing => None,
    };
    let steps = rehearsal.steps.iter().filter(|step| step.stage == index);
    json!({
        "number": index + 1,
        "name": stage.name,
        "directory": stage.slug,
        "group": stage.group.name(),
        "after": after,
        "steps": list(steps.map(|step| show_step(rehearsal, stage, step))),
    })
}

fn show_step(rehearsal: &Rehearsal, stage: &StageInfo, step: &Step) -> Json {
    let resource = |index: &usize| rehearsal.resources.get(*index);
    let names = |indices: &mut dyn Iterator<Item = &usize>| {
        let resources = indices.filter_map(resource);
        list(resources.map(|resource| Json::from(resource.name.as_str())))
    };
    let commands = rehearsal.reloads();
    let reloads = rehearsal.reloads_of(step).into_iter();
    let reloads =
        reloads.filter_map(|index| commands.get(index).map(|command| Json::from(*command)));
    // Nobody knows what was there before the recording.
    let is_first = stage.before == Before::Unknown;
    json!({
        "node": node(rehearsal, step),
        "variant": step.about,
        "changed": if is_first { Json::Null } else { names(&mut step.changed.iter()) },
        "reloads": if is_first { Json::Null } else { list(reloads) },
        "failed": names(&mut step.failures.iter().map(|failure| &failure.resource)),
    })
}

fn show_failures(rehearsal: &Rehearsal) -> impl Iterator<Item = Json> {
    rehearsal.reports().into_iter().map(|report| {
        let resource = rehearsal.resources.get(report.resource);
        let places = report.steps.iter().map(|step| {
            json!({
                "stage": step.stage + 1,
                "node": node(rehearsal, step),
                "variant": step.about,
            })
        });
        json!({
            "resource": resource.map(|resource| resource.name.as_str()),
            "message": report.message,
            "severity": if report.counts { "error" } else { "warning" },
            "places": list(places),
        })
    })
}

fn node<'r>(rehearsal: &'r Rehearsal, step: &Step) -> &'r str {
    let node = rehearsal.nodes.get(step.node);
    node.map_or("", |(name, _)| name)
}
