//! The stages in the life of a cluster, and the metadata that the platform writes at each of them.
//!
//! docs/rehearse.md describes the same in words. The list of stages depends on the recording only;
//! the metadata of a stage also on the node that looks.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::cluster::{Cluster, HOSTS, Node};
use crate::tree::Tree;

/// The weight of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The platform produces it: a failure fails the rehearsal.
    Life,
    /// The platform produces it for a moment at most, between two writes.
    Between,
    /// It happens only to a cluster whose application version has other parameters.
    Absent,
}

impl Group {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Group::Life => "life",
            Group::Between => "between_writes",
            Group::Absent => "absent_parameters",
        }
    }
}

/// A moment in the life of a cluster, or several alike.
pub struct Stage {
    /// The name of its directory with rendered files.
    pub slug: &'static str,
    /// The role that it is about; empty for none.
    pub role: String,
    /// The name in the table.
    pub name: String,
    pub group: Group,
    pub before: Before,
    /// False when the node that looks does not exist at this time.
    pub is_seen: bool,
    cluster: Cluster,
    /// The changes that are tried one after the other; none when the cluster is the only variant.
    edits: Vec<Edit>,
}

/// A change of one key, or of all keys below one.
#[derive(Clone, Debug)]
struct Edit {
    about: String,
    key: String,
    value: Option<String>,
}

/// The stage before a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// The rehearsal begins here.
    Unknown,
    /// A machine without any of the files.
    Nothing,
    /// The stage of this index.
    Stage(usize),
}

/// One tree of a stage.
pub struct Variant {
    /// The difference from the other variants; empty when it is the only one.
    pub about: String,
    pub tree: Arc<Tree>,
}

impl Stage {
    /// The directories of its rendered files, all of them.
    pub const SLUGS: &[&str] = &[
        "as-recorded",
        "created",
        "scale-out",
        "scale-out-done",
        "scale-in",
        "scale-in-done",
        "vertical-scaling",
        "vertical-scaling-done",
        "role-without-nodes",
        "restarted",
        "link-absent",
        "parameter-empty",
        "between-scale-out",
        "between-scale-in",
        "parameter-absent",
    ];

    /// The differences between its variants, in their order; one empty one when there is a single
    /// variant.
    pub fn abouts(&self) -> Vec<&str> {
        let abouts: Vec<&str> = self.edits.iter().map(|edit| edit.about.as_str()).collect();
        if abouts.is_empty() { vec![""] } else { abouts }
    }

    /// True for the stages that try each parameter.
    pub(super) fn is_about_parameters(&self) -> bool {
        self.slug.starts_with("parameter-")
    }

    /// Its variants, each made when it is due: there may be many.
    pub fn variants(&self) -> Box<dyn Iterator<Item = Variant> + '_> {
        if self.edits.is_empty() {
            return Box::new(std::iter::once(Variant {
                about: String::new(),
                tree: Arc::new(self.cluster.tree()),
            }));
        }
        Box::new(self.edits.iter().map(|edit| {
            let mut cluster = self.cluster.clone();
            match &edit.value {
                Some(value) => {
                    cluster.rest.insert(edit.key.clone(), value.clone());
                }
                None => cluster.remove(&edit.key),
            }
            Variant {
                about: edit.about.clone(),
                tree: Arc::new(cluster.tree()),
            }
        }))
    }
}

/// A node that looks at the cluster.
pub struct Viewpoint {
    /// `ROLE/ID`, or the id where there are no roles; empty when nodes cannot be distinguished.
    pub name: String,
    /// True for a node that joins in the scale-out.
    pub joins: bool,
    /// True for the one node of its role that tries each parameter.
    pub tries_parameters: bool,
    /// The recording as this node would have made it.
    cluster: Cluster,
}

/// The plan of a rehearsal, made from a recording.
pub struct Plan {
    recorded: Cluster,
    newcomers: Vec<Node>,
    leaving: Vec<Node>,
    /// The reasons for stages that cannot be derived.
    pub missing: Vec<&'static str>,
}

impl Plan {
    /// Plans the rehearsal with a recording.
    pub fn of(recorded: &Tree) -> Plan {
        let recorded = Cluster::of(recorded);
        let mut plan = Plan {
            newcomers: Vec::new(),
            leaving: Vec::new(),
            missing: Vec::new(),
            recorded,
        };
        let cluster = &plan.recorded;
        for (role, number) in cluster.roles().iter().zip(1..) {
            plan.newcomers.extend(cluster.newcomer(role, number));
        }
        for role in cluster.roles() {
            let nodes = cluster.nodes.iter().chain(&plan.newcomers);
            let others = nodes.filter(|node| node.role == role && !cluster.is_own(node));
            let first = others.min_by(|one, other| one.id.cmp(&other.id));
            plan.leaving.extend(first.cloned());
        }
        plan.missing = plan.missing();
        plan
    }

    fn missing(&self) -> Vec<&'static str> {
        let rest = &self.recorded.rest;
        let has = |dir: &str| rest.keys().any(|key| key.starts_with(dir));
        let mut missing = Vec::new();
        if self.recorded.nodes.is_empty() {
            missing.push("nothing about nodes: the recording has no /hosts");
        } else if self.recorded.roles().len() < 2 {
            missing.push("no role without nodes: the recording has fewer than two roles in /hosts");
        }
        if !has("/links/") {
            missing.push("nothing about links: the recording has no /links");
        }
        if !has("/env/") {
            missing.push("nothing about parameters: the recording has no /env");
        }
        missing
    }

    /// The name of the node that the metadata was recorded on, if it can be told.
    pub fn recorded_node(&self) -> Option<String> {
        let cluster = &self.recorded;
        let own = cluster.nodes.iter().find(|node| cluster.is_own(node));
        own.map(Node::name)
    }

    /// The roles with nodes; one empty name stands for nodes without roles.
    pub fn roles(&self) -> Vec<String> {
        let roles = self.recorded.roles().into_iter();
        roles.map(Option::unwrap_or_default).collect()
    }

    /// The keys and values of one more node of a role, the like of its last one.
    pub fn another_node(&self, role: &str) -> Vec<(String, String)> {
        let role = Some(role.to_owned()).filter(|role| !role.is_empty());
        let mut pairs = Vec::new();
        for number in 1.. {
            let id = format!("i-added{number}");
            let is_taken = self.recorded.nodes.iter().any(|node| node.id == id);
            // Its number keeps its address apart from those that join in the stages.
            let Some(mut node) = self.recorded.newcomer(&role, NEWCOMERS + number) else {
                break;
            };
            if !is_taken {
                let own = node.leaves.values_mut().filter(|value| **value == node.id);
                own.for_each(|value| value.clone_from(&id));
                node.id = id;
                node.add_to(&mut pairs, HOSTS);
                break;
            }
        }
        pairs
    }

    /// The nodes that look: of each role the recorded one, the first, the middle and the last, and
    /// the one that joins.
    pub fn viewpoints(&self) -> Vec<Viewpoint> {
        let cluster = &self.recorded;
        let mut viewpoints = Vec::new();
        if cluster.can_tell_nodes() {
            for role in cluster.roles() {
                let nodes: Vec<&Node> = cluster.of_role(&role).collect();
                let own = nodes.iter().position(|node| cluster.is_own(node));
                let last = nodes.len().saturating_sub(1);
                let chosen: BTreeSet<usize> =
                    [0, nodes.len() / 2, last].into_iter().chain(own).collect();
                let trying = own.unwrap_or(0);
                for index in chosen {
                    let node = nodes.get(index).copied();
                    viewpoints
                        .extend(node.map(|node| self.viewpoint(node, false, index == trying)));
                }
            }
            let joining = self.newcomers.iter();
            viewpoints.extend(joining.map(|node| self.viewpoint(node, true, false)));
        }
        if viewpoints.is_empty() {
            viewpoints.push(Viewpoint {
                name: String::new(),
                joins: false,
                tries_parameters: true,
                cluster: cluster.clone(),
            });
        }
        viewpoints
    }

    fn viewpoint(&self, node: &Node, joins: bool, tries_parameters: bool) -> Viewpoint {
        Viewpoint {
            name: node.name(),
            joins,
            tries_parameters,
            cluster: self.recorded.seen_from(node),
        }
    }

    /// All stages as one node sees them; for each node the same list.
    pub fn stages(&self, viewpoint: &Viewpoint) -> Vec<Stage> {
        let mut life = Life {
            plan: self,
            knows_itself: !viewpoint.name.is_empty(),
            stages: Vec::new(),
            cluster: viewpoint.cluster.clone(),
        };
        life.add(
            "as-recorded",
            "as recorded",
            Before::Unknown,
            life.cluster.clone(),
        );
        // Every other stage has its own.
        life.cluster.adding.clear();
        life.cluster.deleting.clear();
        life.cluster.remove(VERTICAL);
        if !life.cluster.nodes.is_empty() {
            life.create();
            life.scale();
            life.enlarge();
            life.empty_roles();
            life.restart();
        }
        life.links();
        life.parameters(Group::Life);
        if !life.cluster.nodes.is_empty() {
            life.between();
        }
        life.parameters(Group::Absent);
        life.stages
    }
}

/// More than the roles, each of which has one node that joins.
const NEWCOMERS: usize = 100;

const VERTICAL: &str = "/vertical-scaling-roles";

/// The stages of one viewpoint while they are made.
struct Life<'p> {
    plan: &'p Plan,
    knows_itself: bool,
    stages: Vec<Stage>,
    /// As recorded, while nothing happens to it.
    cluster: Cluster,
}

/// The place of the recorded stage.
const RECORDED: Before = Before::Stage(0);

impl Life<'_> {
    /// Adds a stage, and returns its place.
    fn add(
        &mut self,
        slug: &'static str,
        name: impl Into<String>,
        before: Before,
        cluster: Cluster,
    ) -> Before {
        let is_there = |cluster: &Cluster| cluster.nodes.iter().any(|node| cluster.is_own(node));
        self.stages.push(Stage {
            slug,
            role: String::new(),
            name: name.into(),
            group: Group::Life,
            before,
            is_seen: !self.knows_itself || is_there(&cluster),
            cluster,
            edits: Vec::new(),
        });
        Before::Stage(self.stages.len() - 1)
    }

    fn change_last(&mut self, change: impl FnOnce(&mut Stage)) {
        if let Some(stage) = self.stages.last_mut() {
            change(stage);
        }
    }

    /// One node of each role: the one that looks, or the role's first.
    fn create(&mut self) {
        let mut cluster = self.cluster.clone();
        cluster.nodes.clear();
        for role in self.cluster.roles() {
            let mut nodes = self.cluster.of_role(&role);
            let own = nodes.find(|node| self.cluster.is_own(node));
            let kept = own.or_else(|| self.cluster.of_role(&role).next());
            cluster.nodes.extend(kept.cloned());
        }
        let name = match cluster.nodes.len() {
            1 => "created with one node",
            _ => "created with one node of each role",
        };
        self.add("created", name, Before::Nothing, cluster);
    }

    /// A node of each role joins, then one of each role leaves.
    fn scale(&mut self) {
        let mut cluster = self.cluster.clone();
        cluster.nodes.extend(self.plan.newcomers.iter().cloned());
        cluster.adding = self.plan.newcomers.clone();
        let at = self.add(
            "scale-out",
            "scale out: nodes join",
            RECORDED,
            cluster.clone(),
        );
        cluster.adding.clear();
        let at = self.add("scale-out-done", "scale out: done", at, cluster.clone());
        cluster.deleting = self.plan.leaving.clone();
        let at = self.add("scale-in", "scale in: nodes leave", at, cluster.clone());
        cluster.deleting.clear();
        cluster
            .nodes
            .retain(|node| !self.plan.leaving.contains(node));
        self.add("scale-in-done", "scale in: done", at, cluster);
    }

    /// The nodes of a role get more CPUs and memory: first the role is named, then they have it.
    fn enlarge(&mut self) {
        let roles = self.cluster.roles().into_iter().flatten();
        let edits: Vec<Edit> = roles
            .map(|role| Edit {
                about: role.clone(),
                key: VERTICAL.to_owned(),
                value: Some(role),
            })
            .collect();
        if !edits.is_empty() {
            let name = match edits.len() {
                1 => "vertical scaling: begins".to_owned(),
                count => format!("vertical scaling of each of {count} roles"),
            };
            self.add("vertical-scaling", name, RECORDED, self.cluster.clone());
            self.change_last(|stage| stage.edits = edits);
        }
        let mut cluster = self.cluster.clone();
        if cluster.enlarge() {
            let name = "vertical scaling: done, twice the size";
            self.add("vertical-scaling-done", name, RECORDED, cluster);
        }
    }

    /// Each role without nodes, seen from the others.
    fn empty_roles(&mut self) {
        let roles: Vec<_> = self.cluster.roles().into_iter().flatten().collect();
        for role in roles.iter().filter(|_| roles.len() > 1) {
            let mut cluster = self.cluster.clone();
            cluster
                .nodes
                .retain(|node| node.role.as_ref() != Some(role));
            let name = format!("no node of role {role}");
            self.add("role-without-nodes", name, RECORDED, cluster);
            self.change_last(|stage| stage.role = role.clone());
        }
    }

    fn restart(&mut self) {
        let mut cluster = self.cluster.clone();
        cluster.rename_instances();
        let name = "stopped and started: new instance ids";
        self.add("restarted", name, RECORDED, cluster);
    }

    /// Each link to another application absent.
    fn links(&mut self) {
        let keys = self.cluster.rest.keys();
        let below = keys.filter_map(|key| key.strip_prefix("/links/"));
        let names: BTreeSet<&str> = below.filter_map(|rest| rest.split('/').next()).collect();
        let edits: Vec<Edit> = names
            .iter()
            .map(|name| removal(format!("/links/{name}")))
            .collect();
        self.try_each("link-absent", "link", "absent", Group::Life, edits);
    }

    /// Each parameter empty, or absent.
    fn parameters(&mut self, group: Group) {
        let keys = self.cluster.rest.keys();
        let edits = keys.filter(|key| key.starts_with("/env/")).map(|key| Edit {
            value: (group == Group::Life).then(String::new),
            ..removal(key.clone())
        });
        let edits: Vec<Edit> = edits.collect();
        if group == Group::Life {
            self.try_each("parameter-empty", "parameter", "empty", group, edits);
        } else {
            self.try_each("parameter-absent", "parameter", "absent", group, edits);
        }
    }

    fn try_each(
        &mut self,
        slug: &'static str,
        noun: &str,
        verb: &str,
        group: Group,
        edits: Vec<Edit>,
    ) {
        let name = match edits.len() {
            0 => return,
            1 => format!("the {noun} {verb}"),
            count => format!("each of {count} {noun}s {verb}"),
        };
        self.add(slug, name, RECORDED, self.cluster.clone());
        self.change_last(|stage| {
            stage.group = group;
            stage.edits = edits;
        });
    }

    /// Nodes that stand in one of two places only: the platform writes both at once, but a node may
    /// read between two writes.
    fn between(&mut self) {
        let mut cluster = self.cluster.clone();
        cluster.adding = self.plan.newcomers.clone();
        let name = "nodes in adding-hosts only";
        self.add("between-scale-out", name, RECORDED, cluster);
        self.change_last(|stage| stage.group = Group::Between);

        let mut cluster = self.cluster.clone();
        cluster.nodes.extend(self.plan.newcomers.iter().cloned());
        cluster.deleting = self.plan.leaving.clone();
        cluster
            .nodes
            .retain(|node| !self.plan.leaving.contains(node));
        let leave = |stage: &Stage| stage.slug == "scale-in";
        let before = self
            .stages
            .iter()
            .position(leave)
            .map_or(RECORDED, Before::Stage);
        let name = "nodes in deleting-hosts only";
        self.add("between-scale-in", name, before, cluster);
        self.change_last(|stage| stage.group = Group::Between);
    }
}

/// The removal of a key and all that is below it.
fn removal(key: String) -> Edit {
    Edit {
        about: key.clone(),
        key,
        value: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each stage that a node sees: its directory, the number of the one before, and the keys that
    /// make the difference to that.
    fn shown(keys: &[(&str, &str)], viewpoint: &str) -> Vec<String> {
        let plan = Plan::of(&Tree::from_pairs(keys.iter().copied()));
        let viewpoints = plan.viewpoints();
        let viewpoint = viewpoints.iter().find(|known| known.name == viewpoint);
        let stages = plan.stages(viewpoint.expect("a viewpoint"));
        let everything = &["/".to_owned()];
        let lines = stages
            .iter()
            .filter(|stage| stage.is_seen)
            .flat_map(|stage| {
                let before = match stage.before {
                    Before::Stage(index) if stages[index].is_seen => {
                        stages[index].variants().next().expect("a variant").tree
                    }
                    _ => Arc::new(Tree::default()),
                };
                let before = before.view("", everything);
                let lines = stage.variants().map(move |variant| {
                    let changes = before.changes(&variant.tree.view("", everything));
                    let changes = changes.iter().map(|change| {
                        let sign = match change.kind {
                            crate::tree::Kind::Added => '+',
                            crate::tree::Kind::Removed => '-',
                            crate::tree::Kind::Value => '=',
                        };
                        format!(" {sign}{}", change.key)
                    });
                    let changes: String = changes.collect();
                    let before = match stage.before {
                        Before::Stage(index) => index.to_string(),
                        Before::Unknown | Before::Nothing => "-".to_owned(),
                    };
                    let role = &stage.role;
                    let line = format!("{} {role} {before} {}{changes}", stage.slug, variant.about);
                    line.split_whitespace().collect::<Vec<_>>().join(" ")
                });
                lines.collect::<Vec<_>>()
            });
        lines.collect()
    }

    const PLAIN: &[(&str, &str)] = &[
        ("/env/a", "1"),
        ("/env/b", ""),
        ("/host/ip", "10.0.0.2"),
        ("/hosts/i-1/ip", "10.0.0.1"),
        ("/hosts/i-2/ip", "10.0.0.2"),
        ("/adding-hosts/i-9/ip", "10.0.0.9"),
    ];

    #[test]
    fn the_life_of_a_cluster_without_roles() {
        assert_eq!(
            shown(PLAIN, "i-2"),
            [
                "as-recorded - +/adding-hosts/i-9/ip +/env/a +/env/b +/host/ip +/hosts/i-1/ip +/hosts/i-2/ip",
                "created - +/env/a +/env/b +/host/ip +/hosts/i-2/ip",
                "scale-out 0 -/adding-hosts/i-9/ip +/adding-hosts/i-joined1/ip +/hosts/i-joined1/ip",
                "scale-out-done 2 -/adding-hosts/i-joined1/ip",
                "scale-in 3 +/deleting-hosts/i-1/ip",
                "scale-in-done 4 -/deleting-hosts/i-1/ip -/hosts/i-1/ip",
                "restarted 0 -/adding-hosts/i-9/ip -/hosts/i-1/ip -/hosts/i-2/ip \
                 +/hosts/i-started1/ip +/hosts/i-started2/ip",
                "parameter-empty 0 /env/a -/adding-hosts/i-9/ip =/env/a",
                "parameter-empty 0 /env/b -/adding-hosts/i-9/ip",
                "between-scale-out 0 -/adding-hosts/i-9/ip +/adding-hosts/i-joined1/ip",
                "between-scale-in 4 -/hosts/i-1/ip",
                "parameter-absent 0 /env/a -/adding-hosts/i-9/ip -/env/a",
                "parameter-absent 0 /env/b -/adding-hosts/i-9/ip -/env/b",
            ]
        );
    }

    const ROLES: &[(&str, &str)] = &[
        ("/host/ip", "10.0.0.2"),
        ("/hosts/db/i-1/ip", "10.0.0.1"),
        ("/hosts/db/i-1/cpu", "2"),
        ("/hosts/web/i-2/ip", "10.0.0.2"),
        ("/hosts/web/i-3/ip", "10.0.0.3"),
        ("/links/zk/0/ip", "10.0.0.9"),
        ("/links/zk/1/ip", "10.0.0.8"),
        ("/vertical-scaling-roles", "web"),
    ];

    #[test]
    fn every_role_scales_and_may_be_empty() {
        assert_eq!(
            shown(ROLES, "web/i-2")[1..],
            [
                "created - +/host/ip +/hosts/db/i-1/cpu +/hosts/db/i-1/ip +/hosts/web/i-2/ip \
                 +/links/zk/0/ip +/links/zk/1/ip",
                "scale-out 0 +/adding-hosts/db/i-joined1/cpu +/adding-hosts/db/i-joined1/ip \
                 +/adding-hosts/web/i-joined2/ip +/hosts/db/i-joined1/cpu +/hosts/db/i-joined1/ip \
                 +/hosts/web/i-joined2/ip -/vertical-scaling-roles",
                "scale-out-done 2 -/adding-hosts/db/i-joined1/cpu -/adding-hosts/db/i-joined1/ip \
                 -/adding-hosts/web/i-joined2/ip",
                "scale-in 3 +/deleting-hosts/db/i-1/cpu +/deleting-hosts/db/i-1/ip \
                 +/deleting-hosts/web/i-3/ip",
                "scale-in-done 4 -/deleting-hosts/db/i-1/cpu -/deleting-hosts/db/i-1/ip \
                 -/deleting-hosts/web/i-3/ip -/hosts/db/i-1/cpu -/hosts/db/i-1/ip -/hosts/web/i-3/ip",
                "vertical-scaling 0 db =/vertical-scaling-roles",
                "vertical-scaling 0 web",
                "vertical-scaling-done 0 =/hosts/db/i-1/cpu -/vertical-scaling-roles",
                "role-without-nodes db 0 -/hosts/db/i-1/cpu -/hosts/db/i-1/ip -/vertical-scaling-roles",
                "restarted 0 -/hosts/db/i-1/cpu -/hosts/db/i-1/ip +/hosts/db/i-started1/cpu \
                 +/hosts/db/i-started1/ip -/hosts/web/i-2/ip -/hosts/web/i-3/ip \
                 +/hosts/web/i-started2/ip +/hosts/web/i-started3/ip -/vertical-scaling-roles",
                "link-absent 0 /links/zk -/links/zk/0/ip -/links/zk/1/ip -/vertical-scaling-roles",
                "between-scale-out 0 +/adding-hosts/db/i-joined1/cpu +/adding-hosts/db/i-joined1/ip \
                 +/adding-hosts/web/i-joined2/ip -/vertical-scaling-roles",
                "between-scale-in 4 -/hosts/db/i-1/cpu -/hosts/db/i-1/ip -/hosts/web/i-3/ip",
            ]
        );
    }

    #[test]
    fn a_node_sees_only_the_time_that_it_exists() {
        let slugs = |viewpoint| {
            let shown = shown(ROLES, viewpoint);
            let slugs = shown
                .iter()
                .map(|line| line.split(' ').next().unwrap_or_default());
            let mut slugs: Vec<String> = slugs.map(str::to_owned).collect();
            slugs.dedup();
            slugs.join(" ")
        };
        assert_eq!(
            slugs("db/i-joined1"),
            "scale-out scale-out-done scale-in scale-in-done between-scale-in"
        );
        let leaving = slugs("db/i-1");
        assert!(
            leaving.contains("scale-in") && !leaving.contains("scale-in-done"),
            "{leaving}"
        );
        assert!(
            shown(ROLES, "db/i-1")
                .iter()
                .any(|line| line.starts_with("role-without-nodes web"))
        );
    }

    #[test]
    fn of_each_role_the_first_the_middle_the_last_and_the_recorded_node_look() {
        let mut keys = vec![("/host/ip".to_owned(), "10.0.0.4".to_owned())];
        for number in 1..=9 {
            keys.push((
                format!("/hosts/web/i-{number}/ip"),
                format!("10.0.0.{number}"),
            ));
        }
        let plan = Plan::of(&Tree::from_pairs(keys));
        let viewpoints = plan.viewpoints();
        let names: Vec<&str> = viewpoints.iter().map(|known| known.name.as_str()).collect();
        assert_eq!(
            names,
            ["web/i-1", "web/i-4", "web/i-5", "web/i-9", "web/i-joined1"]
        );
        let trying = viewpoints.iter().filter(|known| known.tries_parameters);
        assert_eq!(
            trying.map(|known| &known.name).collect::<Vec<_>>(),
            ["web/i-4"]
        );
    }

    #[test]
    fn what_cannot_be_derived_has_a_reason() {
        let plan = Plan::of(&Tree::from_pairs([("/host/ip", "10.0.0.2")]));
        assert_eq!(plan.viewpoints().len(), 1);
        assert_eq!(shown(&[("/host/ip", "10.0.0.2")], "").len(), 1);
        assert_eq!(plan.missing.len(), 3);
    }
}
