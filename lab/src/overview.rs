//! The whole life of the cluster as one node sees it: in which stages files change, fail or reload.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use app_agent::tools::rehearse::{Before, Rehearsal, Step};
use serde_json::{Value as Json, json};

use crate::selection::{Life, lock};

/// More pages are not told apart.
const MOST_PAGES: usize = 64;

/// The number of the question that each page asked last: an older one is given up.
#[derive(Default)]
pub(crate) struct Tickets(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

impl Tickets {
    fn of(&self, page: &str) -> Arc<AtomicU64> {
        let mut tickets = lock(&self.0);
        if tickets.len() >= MOST_PAGES && !tickets.contains_key(page) {
            tickets.clear();
        }
        Arc::clone(tickets.entry(page.to_owned()).or_default())
    }

    /// Gives up the question that a page asked last: nobody will want its answer.
    pub(crate) fn give_up(&self, page: &str) {
        self.of(page).fetch_add(1, Ordering::Relaxed);
    }
}

/// All steps of the node that a request names. Null when the page has asked another question since.
pub(crate) fn show(life: &Life, request: &Json, tickets: &Tickets) -> Result<Json, String> {
    let last = tickets.of(request["page"].as_str().unwrap_or_default());
    let ticket = last.fetch_add(1, Ordering::Relaxed) + 1;
    let is_wanted = || last.load(Ordering::Relaxed) == ticket;
    let place = life.place(request);
    let stages = life.stages(place.node);
    let config = &life.state.config;
    let mut rehearsal = Rehearsal::load(config, false).map_err(|error| error.chain())?;
    // Without any metadata nothing happens.
    let viewpoint = life.viewpoints.get(place.node);
    if let Some(viewpoint) = viewpoint.filter(|_| !life.tree.is_empty()) {
        rehearsal.visit(viewpoint, &stages, config, &mut |_| is_wanted());
    }
    if !is_wanted() {
        return Ok(Json::Null);
    }
    let steps = rehearsal.steps.iter().map(|step| {
        let before = stages.get(step.stage).map(|stage| stage.before);
        show_step(&rehearsal, step, before == Some(Before::Unknown))
    });
    Ok(json!({
        "node": life.viewpoints.get(place.node).map(|node| node.name.as_str()),
        "generation": life.state.generation,
        "steps": steps.collect::<Vec<_>>(),
        "missing": life.plan.missing,
    }))
}

fn show_step(rehearsal: &Rehearsal, step: &Step, is_first: bool) -> Json {
    let name = |index: usize| rehearsal.resources.get(index).map(|one| one.name.as_str());
    let commands = rehearsal.reloads();
    let reloads = rehearsal.reloads_of(step).into_iter();
    let reloads: Vec<&str> = reloads
        .filter_map(|index| commands.get(index).copied())
        .collect();
    let changed: Vec<&str> = step
        .changed
        .iter()
        .filter_map(|index| name(*index))
        .collect();
    let failed = step.failures.iter().map(|failure| {
        let first = failure.message.lines().next().unwrap_or_default();
        json!({"file": name(failure.resource), "message": first})
    });
    json!({
        "stage": step.stage,
        "about": step.about,
        // Nobody knows what was there before the recording.
        "changed": if is_first { Vec::new() } else { changed },
        "reloads": if is_first { Vec::new() } else { reloads },
        "failed": failed.collect::<Vec<_>>(),
    })
}
