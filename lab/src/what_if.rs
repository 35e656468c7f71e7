//! "What if": changes to the metadata that are tried on the page. The recording on disk stays.
//!
//! A node's own /host and its directory in /hosts show the same facts, on the platform and here: a
//! change of one is a change of the other.

use std::collections::BTreeMap;

use app_agent::tree::Tree;
use serde_json::Value as Json;

/// The changes in the order in which they were made: a key with a value, or without one when it and
/// all below it is removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edits(Vec<(String, Option<String>)>);

impl Edits {
    /// Reads `[[KEY, VALUE or null], …]`.
    pub(crate) fn from_json(json: &Json) -> Result<Edits, String> {
        let mut edits = Vec::new();
        for edit in json.as_array().into_iter().flatten() {
            let value = match &edit[1] {
                Json::Null => None,
                Json::String(value) => Some(value.clone()),
                _ => return Err("the value of an edit is a string or null".to_owned()),
            };
            let key = edit[0]
                .as_str()
                .filter(|key| key.len() > 1 && key.starts_with('/'));
            let key = key.ok_or("the key of an edit begins with a slash")?;
            edits.push((key.to_owned(), value));
        }
        Ok(Edits(edits))
    }

    /// Returns true if a key, or one above it, was changed.
    pub(crate) fn touch(&self, key: &str) -> bool {
        self.0.iter().any(|(edited, _)| is_at_or_below(key, edited))
    }

    /// The tree with the changes. The node that it was recorded on is `own`.
    pub(crate) fn apply(&self, recorded: &Tree, own: Option<&str>) -> Tree {
        let leaves = recorded.leaves();
        let mut leaves: BTreeMap<String, String> =
            leaves.map(|(key, value)| (key, value.to_owned())).collect();
        let own = own.map(|name| format!("/hosts/{name}"));
        for (key, value) in &self.0 {
            let twin = own.as_deref().and_then(|own| twin(key, own));
            let twin = twin.filter(|twin| leaves.contains_key(twin));
            for key in [Some(key), twin.as_ref()].into_iter().flatten() {
                match value {
                    Some(value) => {
                        leaves.insert(key.clone(), value.clone());
                    }
                    None => leaves.retain(|known, _| !is_at_or_below(known, key)),
                }
            }
        }
        Tree::from_pairs(leaves)
    }
}

fn is_at_or_below(key: &str, above: &str) -> bool {
    let rest = key.strip_prefix(above);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The other place of a leaf of the recorded node, whose directory is `own`.
fn twin(key: &str, own: &str) -> Option<String> {
    let in_host = key
        .strip_prefix("/host/")
        .map(|leaf| format!("{own}/{leaf}"));
    in_host.or_else(|| {
        let leaf = key.strip_prefix(own)?.strip_prefix('/')?;
        Some(format!("/host/{leaf}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn leaves(edits: &Json) -> Vec<String> {
        let recorded = Tree::from_pairs([
            ("/env/a", "1"),
            ("/host/ip", "10.0.0.1"),
            ("/hosts/web/i-1/ip", "10.0.0.1"),
            ("/hosts/web/i-2/ip", "10.0.0.2"),
        ]);
        let tree = Edits::from_json(edits)
            .expect("edits")
            .apply(&recorded, Some("web/i-1"));
        tree.leaves()
            .map(|(key, value)| format!("{key}={value}"))
            .collect()
    }

    #[test]
    fn values_are_changed_added_and_removed() {
        assert_eq!(
            leaves(&json!([
                ["/env/a", ""],
                ["/env/b", "2"],
                ["/hosts/web/i-2", null]
            ])),
            [
                "/env/a=",
                "/env/b=2",
                "/host/ip=10.0.0.1",
                "/hosts/web/i-1/ip=10.0.0.1"
            ]
        );
    }

    #[test]
    fn the_recorded_node_has_its_values_in_two_places() {
        for edit in ["/host/ip", "/hosts/web/i-1/ip"] {
            let leaves = leaves(&json!([[edit, "10.9.9.9"]]));
            assert_eq!(
                leaves[1..3],
                ["/host/ip=10.9.9.9", "/hosts/web/i-1/ip=10.9.9.9"]
            );
        }
    }

    #[test]
    fn what_is_no_edit_is_refused() {
        for edit in [
            json!([["a", "1"]]),
            json!([["/a", 1]]),
            json!(["/a"]),
            json!([["/", ""]]),
        ] {
            assert!(Edits::from_json(&edit).is_err(), "{edit}");
        }
    }
}
