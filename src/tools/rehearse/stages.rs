//! The life of a cluster, from one recording: which stages there are, and what the metadata is at each of them.
//!
//! docs/rehearse.md says the same in words.

use std::sync::Arc;

use super::cluster::{Cluster, Node};
use crate::tree::Tree;

/// A moment in the life of a cluster, or several alike.
pub struct Stage {
    pub name: String,
    /// What was before.
    pub before: Before,
    cluster: Cluster,
    /// What is tried with it, one after the other.
    trials: Option<Trials>,
}

/// Keys that one after the other get this value, or go.
struct Trials {
    keys: Vec<String>,
    value: Option<&'static str>,
}

/// What was before a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// It is where the rehearsal begins.
    Unknown,
    /// A machine without any of the files.
    Nothing,
    /// The stage of this index.
    Stage(usize),
}

/// One tree of a stage.
pub struct Scene {
    /// What tells it from the others of its stage; empty when it is the only one.
    pub about: String,
    pub tree: Arc<Tree>,
}

impl Stage {
    /// Its scenes, each made when it is its turn: they may be many.
    pub fn scenes(&self) -> Box<dyn Iterator<Item = Scene> + '_> {
        let Some(Trials { keys, value }) = &self.trials else {
            return Box::new(std::iter::once(Scene {
                about: String::new(),
                tree: Arc::new(self.cluster.tree()),
            }));
        };
        Box::new(keys.iter().map(move |key| {
            let mut cluster = self.cluster.clone();
            match value {
                Some(value) => cluster.rest.insert(key.clone(), (*value).to_owned()),
                None => cluster.rest.remove(key),
            };
            Scene {
                about: key.clone(),
                tree: Arc::new(cluster.tree()),
            }
        }))
    }
}

/// All stages that can be derived from a recording, and why others cannot.
pub fn stages(recorded: &Tree) -> (Vec<Stage>, Vec<&'static str>) {
    let mut life = Life {
        stages: Vec::new(),
        missing: Vec::new(),
        cluster: Cluster::of(recorded),
    };
    life.add("as recorded", Before::Unknown, life.cluster.clone());
    // Every other stage has its own.
    life.cluster.adding.clear();
    life.cluster.deleting.clear();
    if life.cluster.nodes.is_empty() {
        life.missing
            .push("nothing about nodes: the recording has no /hosts");
    } else {
        life.create();
        life.scale();
        life.empty_roles();
        life.restart();
    }
    life.parameters();
    (life.stages, life.missing)
}

struct Life {
    stages: Vec<Stage>,
    missing: Vec<&'static str>,
    /// As recorded, while nothing happens to it.
    cluster: Cluster,
}

/// Where the recorded stage is.
const RECORDED: Before = Before::Stage(0);

impl Life {
    /// Adds a stage; where it is.
    fn add(&mut self, name: impl Into<String>, before: Before, cluster: Cluster) -> Before {
        self.stages.push(Stage {
            name: name.into(),
            before,
            cluster,
            trials: None,
        });
        Before::Stage(self.stages.len() - 1)
    }

    /// One node of each role: this one, or the role's first.
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
        self.add(name, Before::Nothing, cluster);
    }

    /// A node of each role joins, then another one leaves, in the steps that the platform takes.
    fn scale(&mut self) {
        let mut cluster = self.cluster.clone();
        let mut newcomers: Vec<Node> = Vec::new();
        for (role, number) in cluster.roles().iter().zip(1..) {
            newcomers.extend(cluster.newcomer(role, number));
        }
        cluster.adding = newcomers.clone();
        let at = self.add(
            "scale out: nodes in adding-hosts",
            RECORDED,
            cluster.clone(),
        );
        cluster.nodes.extend(newcomers);
        let at = self.add("scale out: they are in hosts, too", at, cluster.clone());
        cluster.adding.clear();
        let at = self.add("scale out: done", at, cluster.clone());

        for role in cluster.roles() {
            let others = cluster.of_role(&role).filter(|node| !cluster.is_own(node));
            let leaves = others.min_by(|one, other| one.id.cmp(&other.id)).cloned();
            cluster.deleting.extend(leaves);
        }
        let at = self.add("scale in: nodes in deleting-hosts", at, cluster.clone());
        let gone = cluster.deleting.clone();
        cluster.nodes.retain(|node| !gone.contains(node));
        let at = self.add(
            "scale in: they are not in hosts any more",
            at,
            cluster.clone(),
        );
        cluster.deleting.clear();
        self.add("scale in: done", at, cluster);
    }

    /// Each role without nodes, but that of this node.
    fn empty_roles(&mut self) {
        let whole = self.cluster.clone();
        let own = whole.nodes.iter().find(|node| whole.is_own(node));
        let own_role = own.map(|node| node.role.clone());
        if whole.nodes.iter().all(|node| node.role.is_none()) {
            self.missing
                .push("no role without nodes: the recording has no roles in /hosts");
        }
        for role in whole.roles() {
            if let Some(name) = &role
                && own_role.as_ref() != Some(&role)
            {
                let mut cluster = whole.clone();
                cluster.nodes.retain(|node| node.role != role);
                self.add(format!("no node of role {name}"), RECORDED, cluster);
            }
        }
    }

    fn restart(&mut self) {
        let mut cluster = self.cluster.clone();
        cluster.rename_instances();
        self.add("stopped and started: new instance ids", RECORDED, cluster);
    }

    /// Each parameter, empty and absent.
    fn parameters(&mut self) {
        let mut keys: Vec<String> = Vec::new();
        for key in self.cluster.rest.keys() {
            if key.starts_with("/env/") {
                keys.push(key.clone());
            }
        }
        if keys.is_empty() {
            self.missing
                .push("nothing about parameters: the recording has no /env");
            return;
        }
        for (what, value) in [("empty", Some("")), ("absent", None)] {
            let name = match keys.len() {
                1 => format!("the parameter {what}"),
                count => format!("each of {count} parameters {what}"),
            };
            self.stages.push(Stage {
                name,
                before: RECORDED,
                cluster: self.cluster.clone(),
                trials: Some(Trials {
                    keys: keys.clone(),
                    value,
                }),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each stage: its name, the number of the one before, and the keys that make the difference to that.
    fn shown(keys: &[(&str, &str)]) -> Vec<String> {
        let (stages, _) = stages(&Tree::from_pairs(keys.iter().copied()));
        let everything = &["/".to_owned()];
        let lines = stages.iter().flat_map(|stage| {
            let empty = Arc::new(Tree::default());
            let before = match stage.before {
                Before::Stage(index) => stages[index].scenes().next().expect("a scene").tree,
                Before::Unknown | Before::Nothing => empty,
            };
            let before = before.view("", everything);
            let lines = stage.scenes().map(move |scene| {
                let now = scene.tree.view("", everything);
                let changes = before.changes(&now);
                let changes = changes.iter().map(|change| {
                    let sign = match change.kind {
                        crate::tree::Kind::Added => '+',
                        crate::tree::Kind::Removed => '-',
                        crate::tree::Kind::Value => '=',
                    };
                    format!(" {sign}{}", change.key)
                });
                let changes: String = changes.collect();
                format!("{} {:?}{}{changes}", stage.name, stage.before, scene.about)
            });
            lines.collect::<Vec<_>>()
        });
        lines.collect()
    }

    #[test]
    fn the_life_of_a_cluster_without_roles() {
        let keys = [
            ("/env/a", "1"),
            ("/env/b", ""),
            ("/host/ip", "10.0.0.2"),
            ("/hosts/i-1/ip", "10.0.0.1"),
            ("/hosts/i-2/ip", "10.0.0.2"),
            ("/adding-hosts/i-9/ip", "10.0.0.9"),
        ];
        let plain: Vec<String> = shown(&keys);
        assert_eq!(
            plain,
            [
                "as recorded Unknown +/adding-hosts/i-9/ip +/env/a +/env/b +/host/ip +/hosts/i-1/ip +/hosts/i-2/ip",
                "created with one node Nothing +/env/a +/env/b +/host/ip +/hosts/i-2/ip",
                "scale out: nodes in adding-hosts Stage(0) -/adding-hosts/i-9/ip +/adding-hosts/i-joined1/ip",
                "scale out: they are in hosts, too Stage(2) +/hosts/i-joined1/ip",
                "scale out: done Stage(3) -/adding-hosts/i-joined1/ip",
                "scale in: nodes in deleting-hosts Stage(4) +/deleting-hosts/i-1/ip",
                "scale in: they are not in hosts any more Stage(5) -/hosts/i-1/ip",
                "scale in: done Stage(6) -/deleting-hosts/i-1/ip",
                "stopped and started: new instance ids Stage(0) -/adding-hosts/i-9/ip -/hosts/i-1/ip -/hosts/i-2/ip \
                 +/hosts/i-started1/ip +/hosts/i-started2/ip",
                "each of 2 parameters empty Stage(0)/env/a -/adding-hosts/i-9/ip =/env/a",
                "each of 2 parameters empty Stage(0)/env/b -/adding-hosts/i-9/ip",
                "each of 2 parameters absent Stage(0)/env/a -/adding-hosts/i-9/ip -/env/a",
                "each of 2 parameters absent Stage(0)/env/b -/adding-hosts/i-9/ip -/env/b",
            ]
        );
    }

    #[test]
    fn every_role_has_its_newcomer_and_may_be_empty() {
        let keys = [
            ("/host/ip", "10.0.0.2"),
            ("/hosts/db/i-1/ip", "10.0.0.1"),
            ("/hosts/web/i-2/ip", "10.0.0.2"),
            ("/hosts/web/i-3/ip", "10.0.0.3"),
        ];
        assert_eq!(
            shown(&keys)[1..],
            [
                "created with one node of each role Nothing +/host/ip +/hosts/db/i-1/ip +/hosts/web/i-2/ip",
                "scale out: nodes in adding-hosts Stage(0) +/adding-hosts/db/i-joined1/ip +/adding-hosts/web/i-joined2/ip",
                "scale out: they are in hosts, too Stage(2) +/hosts/db/i-joined1/ip +/hosts/web/i-joined2/ip",
                "scale out: done Stage(3) -/adding-hosts/db/i-joined1/ip -/adding-hosts/web/i-joined2/ip",
                "scale in: nodes in deleting-hosts Stage(4) +/deleting-hosts/db/i-1/ip +/deleting-hosts/web/i-3/ip",
                "scale in: they are not in hosts any more Stage(5) -/hosts/db/i-1/ip -/hosts/web/i-3/ip",
                "scale in: done Stage(6) -/deleting-hosts/db/i-1/ip -/deleting-hosts/web/i-3/ip",
                "no node of role db Stage(0) -/hosts/db/i-1/ip",
                "stopped and started: new instance ids Stage(0) -/hosts/db/i-1/ip +/hosts/db/i-started1/ip \
                 -/hosts/web/i-2/ip -/hosts/web/i-3/ip +/hosts/web/i-started2/ip +/hosts/web/i-started3/ip",
            ]
        );
    }

    #[test]
    fn what_cannot_be_derived_is_told() {
        let (all, missing) = stages(&Tree::from_pairs([("/host/ip", "10.0.0.2")]));
        assert_eq!(all.len(), 1);
        assert_eq!(missing.len(), 2);
    }
}
