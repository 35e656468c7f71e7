//! The selection of the page: the edited metadata, a node, a stage of its life, and a file; and the
//! results derived from it, kept for the next question.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use app_agent::tools::rehearse::{Before, File, Plan, Rehearsal, Stage, Viewpoint};
use app_agent::tree::Tree;
use serde_json::Value as Json;

use crate::image::State;
use crate::uses::Traces;
use crate::what_if::Edits;

/// The life of the cluster whose metadata was recorded, and perhaps edited.
pub(crate) struct Life {
    pub state: Arc<State>,
    pub edits: Edits,
    /// The metadata with the edits.
    pub tree: Arc<Tree>,
    pub plan: Plan,
    /// The nodes that can look.
    pub viewpoints: Vec<Viewpoint>,
    /// The stages, by the node that looks.
    stages: Mutex<BTreeMap<usize, Arc<Vec<Stage>>>>,
    /// The origins in all files, of the selection that was asked for last.
    pub traces: Mutex<Option<(Place, Traces)>>,
}

/// The node, stage and variant that are looked at, as indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub node: usize,
    pub stage: usize,
    pub variant: usize,
}

impl Life {
    pub(crate) fn new(state: Arc<State>, edits: Edits) -> Life {
        let tree = match edits == Edits::default() {
            true => Arc::clone(&state.tree),
            false => Arc::new(edits.apply(&state.tree, state.own.as_deref())),
        };
        let plan = Plan::of(&tree);
        Life {
            viewpoints: plan.viewpoints(),
            plan,
            tree,
            edits,
            state,
            stages: Mutex::default(),
            traces: Mutex::default(),
        }
    }

    /// The stages as a node sees them.
    pub(crate) fn stages(&self, node: usize) -> Arc<Vec<Stage>> {
        let mut known = lock(&self.stages);
        let stages = known.entry(node).or_insert_with(|| {
            let viewpoint = self.viewpoints.get(node).or(self.viewpoints.first());
            Arc::new(viewpoint.map_or(Vec::new(), |node| self.plan.stages(node)))
        });
        Arc::clone(stages)
    }

    /// The place that a request names: a node by its name, a stage by its id, a variant by what is
    /// different in it. Where there is no such thing (any more), the nearest one.
    pub(crate) fn place(&self, request: &Json) -> Place {
        let wanted = request["node"].as_str();
        let named = |name: &str| self.viewpoints.iter().position(|node| node.name == name);
        let recorded = self.plan.recorded_node();
        let node = wanted
            .and_then(named)
            .or_else(|| recorded.as_deref().and_then(named));
        let node = node.unwrap_or(0);
        let stages = self.stages(node);
        let id = request["stage"].as_str().unwrap_or_default();
        let is_wanted = |stage: &Stage| stage.is_seen && stage_id(stage) == id;
        let first = || stages.iter().position(|stage| stage.is_seen);
        let stage = stages
            .iter()
            .position(is_wanted)
            .or_else(first)
            .unwrap_or(0);
        let abouts = stages.get(stage).map_or(Vec::new(), Stage::abouts);
        let about = request["about"].as_str().unwrap_or_default();
        let variant = abouts.iter().position(|known| *known == about);
        Place {
            node,
            stage,
            variant: variant.unwrap_or(0),
        }
    }

    /// The metadata at a place.
    pub(crate) fn tree_at(&self, place: Place) -> Arc<Tree> {
        let stages = self.stages(place.node);
        let stage = stages.get(place.stage);
        let variant = stage.and_then(|stage| stage.variants().nth(place.variant));
        variant.map_or_else(|| Arc::clone(&self.tree), |variant| variant.tree)
    }

    /// The file of a resource as the stages before have left it on the node. None when there is
    /// none, or nobody knows.
    pub(crate) fn file_before(&self, place: Place, resource: &str) -> Result<File, String> {
        let stages = self.stages(place.node);
        let mut chain = Vec::new();
        let mut before = stages.get(place.stage).map(|stage| stage.before);
        while let Some(Before::Stage(index)) = before {
            chain.push(index);
            before = stages.get(index).map(|stage| stage.before);
        }
        let Some(viewpoint) = self.viewpoints.get(place.node) else {
            return Ok(None);
        };
        if chain.is_empty() {
            return Ok(None);
        }
        let config = &self.state.config;
        let mut rehearsal = Rehearsal::load(config, false).map_err(|error| error.chain())?;
        rehearsal.resources.retain(|known| known.name == resource);
        rehearsal.visit(viewpoint, &stages, config, &mut |stage| {
            chain.contains(&stage)
        });
        let last = rehearsal.steps.pop();
        Ok(last.and_then(|step| step.after.into_iter().next().flatten()))
    }
}

/// A stage's name in requests.
pub(crate) fn stage_id(stage: &Stage) -> String {
    match stage.role.as_str() {
        "" => stage.slug.to_owned(),
        role => format!("{}/{role}", stage.slug),
    }
}

/// Locks what no thread leaves half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
