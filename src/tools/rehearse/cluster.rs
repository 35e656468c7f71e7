//! A cluster as its metadata shows it: nodes with their keys, with roles or without, and everything
//! else.
//!
//! Trees are taken apart into it and put together from it; what may happen to a cluster is the
//! stages' to know.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::tree::Tree;

/// A cluster at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cluster {
    /// The nodes below /hosts.
    pub nodes: Vec<Node>,
    /// The nodes below /adding-hosts.
    pub adding: Vec<Node>,
    /// The nodes below /deleting-hosts.
    pub deleting: Vec<Node>,
    /// All other leaves, by key.
    pub rest: BTreeMap<String, String>,
}

/// A node of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// The directory between /hosts and it, where there are roles.
    pub role: Option<String>,
    /// The name of its directory.
    pub id: String,
    /// Its leaves by what follows that name, such as `/ip`.
    pub leaves: BTreeMap<String, String>,
}

const HOST: &str = "/host";
pub(super) const HOSTS: &str = "/hosts";
const ADDING: &str = "/adding-hosts";
const DELETING: &str = "/deleting-hosts";

impl Cluster {
    /// Takes a tree apart.
    pub(super) fn of(tree: &Tree) -> Cluster {
        let mut rest = BTreeMap::new();
        for (key, value) in tree.leaves() {
            rest.insert(key.to_owned(), value.to_owned());
        }
        Cluster {
            nodes: take_nodes(HOSTS, &mut rest),
            adding: take_nodes(ADDING, &mut rest),
            deleting: take_nodes(DELETING, &mut rest),
            rest,
        }
    }

    /// The tree that shows it.
    pub(super) fn tree(&self) -> Tree {
        let mut pairs = Vec::new();
        for (key, value) in self.rest.iter() {
            pairs.push((key.clone(), value.clone()));
        }
        for (dir, nodes) in [
            (HOSTS, &self.nodes),
            (ADDING, &self.adding),
            (DELETING, &self.deleting),
        ] {
            for node in nodes {
                node.add_to(&mut pairs, dir);
            }
        }
        Tree::from_pairs(pairs)
    }

    /// The roles in order; `None` stands for nodes without one.
    pub(super) fn roles(&self) -> Vec<Option<String>> {
        let mut roles = Vec::new();
        for node in &self.nodes {
            if !roles.contains(&node.role) {
                roles.push(node.role.clone());
            }
        }
        roles.sort_unstable();
        roles
    }

    /// The nodes of a role.
    pub(super) fn of_role<'c>(
        &'c self,
        role: &'c Option<String>,
    ) -> impl Iterator<Item = &'c Node> {
        self.nodes.iter().filter(move |node| node.role == *role)
    }

    /// Returns true if this is the node that the metadata was recorded on.
    pub(super) fn is_own(&self, node: &Node) -> bool {
        let same = |leaf: &str| {
            let own = self.rest.get(&format!("/host{leaf}"));
            own.filter(|own| !own.is_empty())
                .map(|own| node.leaves.get(leaf) == Some(own))
        };
        let by_id = self.rest.get("/host/instance_id");
        let by_id = by_id.map(|id| *id == node.id).filter(|same| *same);
        by_id
            .or_else(|| same("/instance_id"))
            .or_else(|| same("/ip"))
            .unwrap_or(false)
    }

    /// The node that the metadata was recorded on.
    fn own(&self) -> Option<&Node> {
        self.nodes.iter().find(|node| self.is_own(node))
    }

    /// True when there is something in /host by which a node knows itself.
    pub(super) fn can_tell_nodes(&self) -> bool {
        let leaves = ["/instance_id", "/ip"].into_iter();
        let mut leaves = leaves.filter(|leaf| self.rest.contains_key(&format!("{HOST}{leaf}")));
        leaves.any(|leaf| {
            leaf == "/instance_id" || self.nodes.iter().all(|node| node.leaves.contains_key(leaf))
        })
    }

    /// The cluster as `node` sees it: everything is the same except /host.
    pub(super) fn seen_from(&self, node: &Node) -> Cluster {
        let mut cluster = self.clone();
        if self.is_own(node) {
            return cluster;
        }
        cluster.remove(HOST);
        let recorded = self.own().map(|own| &own.leaves);
        let is_in_hosts = |leaf: &str| recorded.is_some_and(|leaves| leaves.contains_key(leaf));
        let mut host: BTreeMap<&str, String> = BTreeMap::new();
        for (key, value) in &self.rest {
            let Some(leaf) = key.strip_prefix(HOST).filter(|leaf| leaf.starts_with('/')) else {
                continue;
            };
            let value = match (leaf, node.leaves.get(leaf), &node.role) {
                (_, Some(value), _) => value,
                ("/instance_id", None, _) => &node.id,
                ("/role", None, Some(role)) => role,
                // The recorded node has it, and this one has not.
                _ if is_in_hosts(leaf) => continue,
                _ => value,
            };
            host.insert(leaf, value.clone());
        }
        for (leaf, value) in &node.leaves {
            if !is_in_hosts(leaf) {
                host.insert(leaf, value.clone());
            }
        }
        for (leaf, value) in host {
            cluster.rest.insert(format!("{HOST}{leaf}"), value);
        }
        cluster
    }

    /// Removes a key, and all that is below it.
    pub(super) fn remove(&mut self, key: &str) {
        self.rest.retain(|known, _| {
            let rest = known.strip_prefix(key);
            !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
    }

    /// Doubles the CPUs and memory of every node; returns false if no node has such keys.
    pub(super) fn enlarge(&mut self) -> bool {
        let double = |value: &mut String| match value.parse::<u64>() {
            Ok(size) => {
                *value = size.saturating_mul(2).to_string();
                true
            }
            Err(_) => false,
        };
        let mut enlarged = false;
        for size in ["/cpu", "/memory"] {
            let own = self.rest.get_mut(&format!("{HOST}{size}"));
            let nodes = self
                .nodes
                .iter_mut()
                .filter_map(|node| node.leaves.get_mut(size));
            for value in nodes.chain(own) {
                enlarged |= double(value);
            }
        }
        enlarged
    }

    /// A node that joins a role, the like of its last one.
    pub(super) fn newcomer(&self, role: &Option<String>, number: usize) -> Option<Node> {
        let mut node = self.of_role(role).last()?.clone();
        node.id = format!("i-joined{number}");
        for (leaf, value) in node.leaves.iter_mut() {
            *value = match leaf.as_str() {
                "/instance_id" => node.id.clone(),
                "/node_id" => format!("cln-joined{number}"),
                "/ip" => self.free_address(value, number),
                "/sid" | "/gsid" => self
                    .next_number(leaf, number)
                    .unwrap_or_else(|| value.clone()),
                "/mac" => format!("52:54:00:00:00:{number:02x}"),
                _ => continue,
            };
        }
        Some(node)
    }

    /// The address after this one that no node has; `number` keeps newcomers apart.
    fn free_address(&self, like: &str, number: usize) -> String {
        let Ok(address) = like.parse::<Ipv4Addr>() else {
            return format!("{like}{number}");
        };
        let mut used: Vec<&str> = Vec::new();
        for address in self.nodes.iter().filter_map(|node| node.leaves.get("/ip")) {
            used.push(address);
        }
        used.sort_unstable();
        let first = u32::from(address);
        let next = (1..=u32::MAX).map(|step| Ipv4Addr::from(first.wrapping_add(step)).to_string());
        let mut free = next.filter(|address| used.binary_search(&address.as_str()).is_err());
        free.nth(number.saturating_sub(1)).unwrap_or_default()
    }

    /// The number after the largest that a node has at a leaf.
    fn next_number(&self, leaf: &str, number: usize) -> Option<String> {
        let values = self.nodes.iter().filter_map(|node| node.leaves.get(leaf));
        let largest = values
            .filter_map(|value| value.parse::<usize>().ok())
            .max()?;
        Some(largest.saturating_add(number).to_string())
    }

    /// Gives every node a new instance id, everywhere.
    pub(super) fn rename_instances(&mut self) {
        let mut ids: Vec<(String, usize)> = Vec::new();
        for (node, number) in self.nodes.iter().zip(1..) {
            ids.push((node.id.clone(), number));
        }
        ids.sort_unstable();
        let new = |value: &mut String| {
            let after = ids.partition_point(|(id, _)| *id <= *value);
            if let Some((id, number)) = after.checked_sub(1).map(|last| &ids[last])
                && id == value
            {
                *value = format!("i-started{number}");
            }
        };
        self.rest.values_mut().for_each(new);
        for node in &mut self.nodes {
            new(&mut node.id);
            node.leaves.values_mut().for_each(new);
        }
    }
}

impl Node {
    /// `ROLE/ID`, or the id where there are no roles.
    pub(super) fn name(&self) -> String {
        let role = self.role.iter().map(String::as_str);
        role.chain([self.id.as_str()]).collect::<Vec<_>>().join("/")
    }

    pub(super) fn add_to(&self, pairs: &mut Vec<(String, String)>, dir: &str) {
        let role = self
            .role
            .as_ref()
            .map_or(String::new(), |role| format!("/{role}"));
        for (leaf, value) in self.leaves.iter() {
            pairs.push((format!("{dir}{role}/{}{leaf}", self.id), value.clone()));
        }
    }
}

/// Takes the nodes below a directory out of the leaves. A directory with leaves directly in it is a
/// node; any other is a role.
fn take_nodes(dir: &str, leaves: &mut BTreeMap<String, String>) -> Vec<Node> {
    let below = format!("{dir}/");
    let mut inside: Vec<(String, String)> = Vec::new();
    leaves.retain(|key, value| {
        let path = key.strip_prefix(&below);
        let Some(path) = path.filter(|path| path.contains('/')) else {
            return true;
        };
        inside.push((path.to_owned(), value.clone()));
        false
    });
    let mut with_leaves: Vec<&str> = Vec::new();
    for (path, _) in &inside {
        if let Some((first, rest)) = path.split_once('/')
            && !rest.contains('/')
        {
            with_leaves.push(first);
        }
    }
    with_leaves.sort_unstable();
    let mut nodes: Vec<Node> = Vec::new();
    for (path, value) in &inside {
        let Some((first, rest)) = path.split_once('/') else {
            continue;
        };
        let (role, id, leaf) = match rest.split_once('/') {
            Some((id, leaf)) if with_leaves.binary_search(&first).is_err() => {
                (Some(first.to_owned()), id, leaf)
            }
            _ => (None, first, rest),
        };
        // The leaves of one node follow each other.
        if nodes
            .last()
            .is_none_or(|last| (&last.role, last.id.as_str()) != (&role, id))
        {
            nodes.push(Node {
                role,
                id: id.to_owned(),
                leaves: BTreeMap::new(),
            });
        }
        if let Some(node) = nodes.last_mut() {
            node.leaves.insert(format!("/{leaf}"), value.clone());
        }
    }
    nodes.sort_unstable_by(|one, other| (&one.role, &one.id).cmp(&(&other.role, &other.id)));
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(keys: &[(&str, &str)]) -> Tree {
        Tree::from_pairs(keys.iter().copied())
    }

    #[test]
    fn nodes_are_found_with_and_without_roles() {
        let tree = tree(&[
            ("/hosts/i-1/ip", "10.0.0.1"),
            ("/hosts/i-1/disk/a", "x"),
            ("/hosts/web/i-2/ip", "10.0.0.2"),
            ("/hosts/odd", "leaf"),
            ("/adding-hosts/web/i-3/ip", "10.0.0.3"),
            ("/host/ip", "10.0.0.2"),
        ]);
        let cluster = Cluster::of(&tree);
        let shown: Vec<String> = cluster
            .nodes
            .iter()
            .map(|node| {
                let leaves: Vec<&String> = node.leaves.keys().collect();
                format!("{:?} {} {leaves:?}", node.role, node.id)
            })
            .collect();
        assert_eq!(
            shown,
            [
                "None i-1 [\"/disk/a\", \"/ip\"]",
                "Some(\"web\") i-2 [\"/ip\"]",
            ]
        );
        assert_eq!(cluster.adding.len(), 1);
        assert_eq!(cluster.rest.len(), 2);
        let own: Vec<bool> = cluster
            .nodes
            .iter()
            .map(|node| cluster.is_own(node))
            .collect();
        assert_eq!(own, [false, true]);
        assert_eq!(cluster.tree(), tree);
    }

    #[test]
    fn a_newcomer_is_like_the_others_and_none_of_them() {
        let cluster = Cluster::of(&tree(&[
            ("/hosts/i-1/ip", "10.0.0.254"),
            ("/hosts/i-1/sid", "7"),
            ("/hosts/i-2/ip", "10.0.0.255"),
            ("/hosts/i-2/instance_id", "i-2"),
            ("/hosts/i-2/sid", "3"),
            ("/hosts/i-2/cpu", "4"),
            ("/hosts/i-3/ip", "10.0.0.253"),
            ("/hosts/i-3/sid", "4"),
            ("/hosts/i-3/cpu", "4"),
        ]));
        let node = cluster.newcomer(&None, 1).expect("a node");
        let leaves: Vec<String> = node
            .leaves
            .iter()
            .map(|(leaf, value)| format!("{leaf}={value}"))
            .collect();
        assert_eq!(leaves, ["/cpu=4", "/ip=10.0.1.0", "/sid=8"]);
        assert_eq!(cluster.newcomer(&Some("web".to_owned()), 1), None);
    }

    #[test]
    fn each_node_has_its_own_host() {
        let cluster = Cluster::of(&tree(&[
            ("/host/ip", "10.0.0.1"),
            ("/host/instance_id", "i-1"),
            ("/host/role", "web"),
            ("/host/eip", "1.2.3.4"),
            ("/host/own", "x"),
            ("/host/cpu", "2"),
            ("/hosts/web/i-1/ip", "10.0.0.1"),
            ("/hosts/web/i-1/eip", "1.2.3.4"),
            ("/hosts/db/i-2/ip", "10.0.0.2"),
            ("/hosts/db/i-2/disk", "d"),
            ("/hosts/db/i-2/cpu", "8"),
        ]));
        let db = cluster.nodes.first().expect("a node");
        assert_eq!(db.name(), "db/i-2");
        let seen = cluster.seen_from(db);
        let host: Vec<String> = seen
            .rest
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        assert_eq!(
            host,
            [
                "/host/cpu=8",
                "/host/disk=d",
                "/host/instance_id=i-2",
                "/host/ip=10.0.0.2",
                "/host/own=x",
                "/host/role=db",
            ]
        );
        assert!(seen.is_own(db) && seen.own() == Some(db));
        let mut larger = seen.clone();
        assert!(larger.enlarge());
        assert_eq!(larger.rest.get("/host/cpu").map(String::as_str), Some("16"));
    }

    #[test]
    fn instances_are_renamed_everywhere() {
        let mut cluster = Cluster::of(&tree(&[
            ("/host/instance_id", "i-1"),
            ("/hosts/i-1/instance_id", "i-1"),
            ("/hosts/i-2/peer", "i-1"),
        ]));
        cluster.rename_instances();
        assert_eq!(
            cluster.tree(),
            tree(&[
                ("/host/instance_id", "i-started1"),
                ("/hosts/i-started1/instance_id", "i-started1"),
                ("/hosts/i-started2/peer", "i-started1"),
            ])
        );
        assert!(cluster.is_own(&cluster.nodes[0]));
    }
}
