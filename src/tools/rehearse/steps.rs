//! The rendering of all resources in all stages, step by step.

use std::rc::Rc;
use std::sync::Arc;

use super::check::Checks;
use super::stages::{Before, Group, Plan, Stage, Variant, Viewpoint};
use crate::config::Config;
use crate::error::Result;
use crate::log;
use crate::resource::{self, Inputs, Templates, items};
use crate::tree::Tree;

/// A file's content; none before it is made.
pub type File = Option<Rc<[u8]>>;

/// All resources, and what came of each step.
pub struct Rehearsal {
    pub resources: Vec<Resource>,
    /// The errors of resource files that could not be read.
    pub unread: Vec<String>,
    /// The stages that at least one node sees.
    pub stages: Vec<StageInfo>,
    /// The nodes that look: the name, and true for one that joins.
    pub nodes: Vec<(String, bool)>,
    pub steps: Vec<Step>,
    checks: Option<Checks>,
}

/// A resource that takes part.
pub struct Resource {
    /// The file, relative to conf.d.
    pub name: String,
    /// The reload command.
    pub reload: Option<String>,
    pub resource: resource::Resource,
    /// Its template, parsed.
    templates: Templates,
}

/// The report's entry for a stage.
pub struct StageInfo {
    pub slug: &'static str,
    pub role: String,
    pub name: String,
    pub group: Group,
    pub before: Before,
}

/// One variant of a stage as one node sees it.
pub struct Step {
    /// The index of the stage.
    pub stage: usize,
    /// The index of the node that looks.
    pub node: usize,
    /// The difference from the stage's other variants; empty when it is the only one.
    pub about: String,
    /// The resources, by index, whose files differ from those before.
    pub changed: Vec<usize>,
    pub failures: Vec<Failure>,
    /// The rendered file of each resource; none for one that failed.
    pub rendered: Vec<File>,
    /// The file of each resource on the disk afterwards.
    pub after: Vec<File>,
}

/// A resource that fails in a step.
pub struct Failure {
    /// The index of the resource.
    pub resource: usize,
    pub message: String,
}

/// The rendering of one resource at the recorded stage, which many variants have in common.
struct Known {
    content: Rc<[u8]>,
    inputs: Inputs,
}

impl Rehearsal {
    /// Reads the resources. With `check`, each check_cmd will run on the rendered files.
    pub fn load(config: &Config, check: bool) -> Result<Rehearsal> {
        let directory = resource::existing_conf_d(&config.confdir)?;
        let (mut resources, mut unread) = (Vec::new(), Vec::new());
        for path in resource::list(&directory)? {
            let name = path.strip_prefix(&directory).unwrap_or(&path);
            match resource::Resource::load(&path, config) {
                Ok(resource) => {
                    resource.warnings().iter().for_each(log::warning);
                    resources.push(Resource {
                        name: name.display().to_string(),
                        reload: resource.reload(Vec::new()).map(|reload| reload.text),
                        resource,
                        templates: Templates::default(),
                    });
                }
                Err(error) => unread.push(error.chain()),
            }
        }
        Ok(Rehearsal {
            resources,
            unread,
            stages: Vec::new(),
            nodes: Vec::new(),
            steps: Vec::new(),
            checks: check.then(Checks::default),
        })
    }

    /// Goes through the plan, node by node.
    pub fn run(&mut self, plan: &Plan, config: &Config) {
        for viewpoint in plan.viewpoints() {
            let stages = plan.stages(&viewpoint);
            self.visit(&viewpoint, &stages, config, &mut |_| true);
            if self.stages.is_empty() {
                self.stages = stages.into_iter().map(StageInfo::of).collect();
            }
        }
        self.steps.sort_by_key(|step| (step.stage, step.node));
    }

    /// True when a resource fails where it may not.
    pub fn has_failed(&self) -> bool {
        let mut failed = self.steps.iter().filter(|step| !step.failures.is_empty());
        let counts = |step: &Step| self.group(step) == Group::Life;
        !self.unread.is_empty() || failed.any(counts)
    }

    /// The group of a step's stage.
    pub fn group(&self, step: &Step) -> Group {
        let stage = self.stages.get(step.stage);
        stage.map_or(Group::Life, |stage| stage.group)
    }

    /// Goes through those stages of one node that are `wanted`, which is asked for each in turn. A
    /// stage needs those before it.
    pub fn visit(
        &mut self,
        viewpoint: &Viewpoint,
        stages: &[Stage],
        config: &Config,
        wanted: &mut dyn FnMut(usize) -> bool,
    ) {
        let node = self.nodes.len();
        self.nodes.push((viewpoint.name.clone(), viewpoint.joins));
        let mut known: Vec<Option<Known>> = self.resources.iter().map(|_| None).collect();
        let first = self.steps.len();
        for (index, stage) in stages.iter().enumerate() {
            let skips = stage.is_about_parameters() && !viewpoint.tries_parameters;
            if !stage.is_seen || skips || !wanted(index) {
                continue;
            }
            let before = match stage.before {
                Before::Stage(before) => {
                    let mut steps = self.steps.iter().skip(first);
                    let step = steps.rfind(|step| step.stage == before);
                    step.map(|step| step.after.clone())
                }
                Before::Unknown | Before::Nothing => None,
            };
            let before = before.unwrap_or_else(|| vec![None; self.resources.len()]);
            for variant in stage.variants() {
                let mut step = self.step(&variant, &before, &mut known, config);
                (step.stage, step.node) = (index, node);
                self.steps.push(step);
            }
        }
    }

    /// Renders all resources for one tree.
    fn step(
        &mut self,
        variant: &Variant,
        before: &[File],
        known: &mut [Option<Known>],
        config: &Config,
    ) -> Step {
        let mut step = Step {
            stage: 0,
            node: 0,
            about: variant.about.clone(),
            changed: Vec::new(),
            failures: Vec::new(),
            rendered: Vec::new(),
            after: before.to_vec(),
        };
        let files = step.after.iter_mut().zip(known);
        for (index, (resource, (file, known))) in self.resources.iter_mut().zip(files).enumerate() {
            let rendered = resource.render(&variant.tree, known, config);
            let checked = rendered.and_then(|content| match &mut self.checks {
                // A check_cmd is for one file of them.
                Some(_) if resource.resource.is_for_each() => Ok(content),
                Some(checks) => checks.check(index, &resource.resource, content),
                None => Ok(content),
            });
            match checked {
                Ok(content) if resource.resource.leaves_alone(&content, file.is_some()) => {
                    step.rendered.push(file.clone());
                }
                Ok(content) => {
                    if file.as_deref() != Some(&*content) {
                        *file = Some(Rc::clone(&content));
                        step.changed.push(index);
                    }
                    step.rendered.push(Some(content));
                }
                Err(message) => {
                    let resource = index;
                    step.failures.push(Failure { resource, message });
                    step.rendered.push(None);
                }
            }
        }
        step
    }
}

impl StageInfo {
    fn of(stage: Stage) -> StageInfo {
        StageInfo {
            slug: stage.slug,
            role: stage.role,
            name: stage.name,
            group: stage.group,
            before: stage.before,
        }
    }
}

impl Resource {
    /// Renders it, unless nothing has changed of what it read when it was rendered first.
    fn render(
        &mut self,
        tree: &Arc<Tree>,
        known: &mut Option<Known>,
        config: &Config,
    ) -> Result<Rc<[u8]>, String> {
        if let Some(known) = known
            && known.inputs.follow(tree)
        {
            return Ok(Rc::clone(&known.content));
        }
        let rendered = self.resource.render(&mut self.templates, tree, config);
        let rendered = rendered.map_err(|error| error.chain())?;
        if let Some(items) = rendered.items {
            return self.render_items(&items, tree, config);
        }
        let (content, inputs): (Rc<[u8]>, _) = (rendered.content.into(), rendered.inputs);
        if known.is_none() {
            let content = Rc::clone(&content);
            *known = Some(Known { content, inputs });
        }
        Ok(content)
    }

    /// The files of all items as one text, each below a line with its path.
    fn render_items(
        &mut self,
        items: &[resource::Resource],
        tree: &Arc<Tree>,
        config: &Config,
    ) -> Result<Rc<[u8]>, String> {
        let mut all = Vec::new();
        for item in items {
            let rendered = item.render(&mut self.templates, tree, config);
            let rendered = rendered.map_err(|error| item.words(&error))?;
            all.extend_from_slice(items::title(item.dest()).as_bytes());
            all.extend_from_slice(&rendered.content);
            if !rendered.content.ends_with(b"\n") {
                all.push(b'\n');
            }
        }
        Ok(all.into())
    }
}
