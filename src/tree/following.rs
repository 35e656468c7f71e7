//! The next tree of a source that is asked again and again: what its JSON text has in common with
//! the one before is copied, directory by directory, and not parsed.
//!
//! The text itself is not kept, which would take as much memory as the tree; each directory has the
//! mark of its part.

use std::sync::Arc;

use super::mark::Marker;
use super::{Tree, json};

/// How a tree gets its marks, and the tree before it.
#[derive(Clone, Copy)]
pub(super) struct Following<'t> {
    pub(super) marker: Marker,
    /// Its marks are of this marker.
    pub(super) older: Option<&'t Tree>,
}

impl Tree {
    /// The tree in the JSON object `body`, as [`Tree::from_json`] makes it, after an `older` one of
    /// the same source: that very tree when the bytes are the same. The first tree takes somewhat
    /// longer than by [`Tree::from_json`].
    pub fn following(older: Option<&Arc<Tree>>, body: &[u8]) -> Result<Arc<Tree>, String> {
        let older = older.filter(|tree| tree.marker.is_some());
        let marker = older.and_then(|tree| tree.marker);
        let marker = marker.unwrap_or_else(Marker::random);
        let mark = marker.mark(body);
        if let Some(tree) = older.filter(|tree| tree.dir(tree.root()).mark == mark) {
            return Ok(Arc::clone(tree));
        }
        let older = older.map(|tree| &**tree);
        let mut tree = json::parse(body, Some(Following { marker, older }))?;
        if let Some(root) = tree.dirs.last_mut() {
            root.mark = mark;
        }
        tree.marker = Some(marker);
        Ok(Arc::new(tree))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Map, Value as Json, json};

    use super::super::tests::Seeded;
    use super::*;

    const NAMES: &[&str] = &["a", "a-b", "a.b", "ab", "b", "hosts", "i-1", "i-10", "中"];

    /// An object, mostly as the service writes it.
    fn random_object(random: &mut Seeded, depth: usize) -> Json {
        let mut members = Map::new();
        for _ in 0..random.below(7) {
            let value = random_value(random, depth);
            members.insert(random.pick(NAMES).to_owned(), value);
        }
        Json::Object(members)
    }

    fn random_value(random: &mut Seeded, depth: usize) -> Json {
        match random.below(3) {
            0 | 1 if depth > 0 => random_object(random, depth - 1),
            _ => json!(random.pick(&["", "1", "2", "\"\\", "中", "10.0.0.1", "10.0.0.27"])),
        }
    }

    /// Sets, adds or removes something somewhere.
    fn change(random: &mut Seeded, object: &mut Json, depth: usize) {
        let members = object.as_object_mut().unwrap();
        let inner = members.values_mut().filter(|value| value.is_object());
        let mut inner: Vec<&mut Json> = inner.collect();
        if !inner.is_empty() && depth > 0 && random.below(4) > 0 {
            let at = random.below(inner.len());
            return change(random, inner.swap_remove(at), depth - 1);
        }
        let name = random.pick(NAMES);
        if random.below(3) == 0 {
            members.remove(name);
        } else {
            members.insert(name.to_owned(), random_value(random, depth));
        }
    }

    fn leaves(tree: &Tree) -> BTreeMap<String, String> {
        tree.leaves()
            .map(|(key, value)| (key, value.to_owned()))
            .collect()
    }

    #[test]
    fn what_is_copied_is_what_would_be_parsed() {
        let mut random = Seeded(0x0F0F_1234_5678_9ABC);
        for _ in 0..100 {
            let mut object = json!({ "always": "there", "x": random_object(&mut random, 4) });
            let mut older: Option<Arc<Tree>> = None;
            for round in 0..20 {
                for _ in 0..random.below(4) {
                    change(&mut random, &mut object["x"], 4);
                }
                object["x"].as_object_mut().unwrap().remove("number");
                if random.below(10) == 0 {
                    // Not for the plain reader.
                    object["x"]["number"] = json!(round);
                }
                let body = object.to_string();
                let tree = Tree::following(older.as_ref(), body.as_bytes()).unwrap();
                let parsed = Tree::from_json(body.as_bytes()).unwrap();
                assert_eq!(leaves(&tree), leaves(&parsed), "{body}");
                assert_eq!(*tree, parsed);
                assert!(tree.text.len() <= 2 * body.len(), "{body}");
                assert!(tree.names.len() <= tree.values.len(), "{body}");
                // The arrays themselves are in order, too.
                for (key, value) in tree.leaves() {
                    let view = tree.view("", &["/".to_owned()]);
                    assert_eq!(view.get(&key), Some(value), "{key} in {body}");
                }
                if let Some(older) = &older {
                    check_changes(older, &tree);
                }
                older = Some(tree);
            }
        }
    }

    /// Holds the changes against those of trees without marks.
    fn check_changes(older: &Arc<Tree>, tree: &Arc<Tree>) {
        let plain = |tree: &Tree| Arc::new(Tree::from_pairs(leaves(tree)));
        let (changes, expected) = (
            tree.changes_since(older),
            plain(tree).changes_since(&plain(older)),
        );
        assert!(changes.iter().eq(expected.iter()), "{changes:?}");
        let (mut old, mut new) = (
            super::super::leaves::Leaves::of_tree(older),
            super::super::leaves::Leaves::of_tree(tree),
        );
        let mut places = BTreeMap::new();
        while let Some(leaf) = new.next_leaf() {
            places.insert(new.key().to_owned(), leaf);
        }
        while let Some(leaf) = old.next_leaf() {
            assert_eq!(changes.moved(leaf), places.get(old.key()).copied());
        }
    }

    fn hosts(ip: impl Fn(usize) -> String) -> String {
        let host = |number| {
            let ip = ip(number);
            format!(r#""i-{number:04}":{{"cpu":"4","ip":"{ip}","role":"slave"}}"#)
        };
        let hosts: Vec<String> = (0..1000).map(host).collect();
        format!(r#"{{"env":{{"a":"1"}},"hosts":{{{}}}}}"#, hosts.join(","))
    }

    #[test]
    fn the_same_bytes_are_the_same_tree() {
        let body = hosts(|number| format!("10.0.0.{number}"));
        let first = Tree::following(None, body.as_bytes()).unwrap();
        let second = Tree::following(Some(&first), body.as_bytes()).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        // An array is not for the plain reader.
        let odd = br#"{"a":["1"]}"#;
        let first = Tree::following(Some(&second), odd).unwrap();
        let second = Tree::following(Some(&first), odd).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
    }

    #[test]
    fn only_what_changed_is_parsed() {
        let ip = |number: usize| format!("10.0.{}.{}", number / 256, number % 256);
        // A tree without the marks of its directories comes before.
        let odd = hosts(ip).replace("\"a\":\"1\"", "\"a\":1");
        let odd = Tree::following(None, odd.as_bytes()).unwrap();
        let mut first = Tree::following(Some(&odd), hosts(ip).as_bytes()).unwrap();
        // What is copied can be told from what is parsed.
        let tree = Arc::get_mut(&mut first).unwrap();
        tree.text = Arc::new(tree.text.replace("10.0.", "copy."));
        let body = hosts(|number| match number {
            0 | 500 => "elsewhere".to_owned(),
            number => ip(number),
        });
        let second = Tree::following(Some(&first), body.as_bytes()).unwrap();
        for (key, value) in second.leaves().filter(|(key, _)| key.ends_with("/ip")) {
            let is_changed = key == "/hosts/i-0000/ip" || key == "/hosts/i-0500/ip";
            assert_eq!(value == "elsewhere", is_changed, "{key} {value}");
            assert_eq!(value.starts_with("copy."), !is_changed, "{key} {value}");
        }
        assert_eq!(second.changes_since(&first).len(), 2);
        // What the first host had for all is stored once again, as are the names.
        assert!(second.names.len() < 20);
        assert!(second.text.len() < first.text.len() + 200);
    }
}
