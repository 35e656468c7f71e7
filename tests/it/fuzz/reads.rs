//! The cost of a change: only those renderings are done again that read something that changed, and
//! that gives the same files as doing all of them again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::choices::{Choices, Seeded};
use super::for_seeds;
use app_agent::resource::funcs::{FUNCTIONS, Funcs, HostEnv};
use app_agent::template::{Budget, Options, Template, Value};
use app_agent::tree::{ReadSet, Tree};

const NAMES: &[&str] = &["a", "b", "ab", "a-b", "a.b", "i-1", "i-2", "i-10", "..x"];
const GLOBS: &[&str] = &["*", "a*", "i-?", "[ab]", "[^a]", "a", "i-1"];

fn path(choices: &mut Seeded, names: &[&str]) -> String {
    let depth = 1 + choices.below(3);
    (0..depth)
        .map(|_| format!("/{}", choices.pick(names)))
        .collect()
}

/// A template that prints everything that it reads.
fn template(choices: &mut Seeded) -> Template {
    let actions = (0..1 + choices.below(4)).map(|_| {
        let key = path(choices, NAMES);
        match choices.below(8) {
            0 => format!("{{{{getv \"{key}\"}}}}"),
            1 | 2 => format!("{{{{getv \"{key}\" \"none\"}}}}"),
            3 => format!("{{{{exists \"{key}\"}}}}"),
            4 => format!("{{{{ls \"{key}\"}}}}"),
            5 => format!("{{{{lsdir \"{key}/\"}}}}"),
            6 => format!("{{{{gets \"{}\"}}}}", path(choices, GLOBS)),
            _ => format!(
                "{{{{range $d := lsdir \"{key}\"}}}}{{{{getv (printf \"{key}/%s/a\" $d) \"-\"}}}}{{{{end}}}}"
            ),
        }
    });
    let text = actions.collect::<Vec<_>>().join(" ");
    Template::parse("t", text.as_bytes(), FUNCTIONS).expect("it parses")
}

/// Changes a few leaves: sets, removes, moves below another name.
fn change(choices: &mut Seeded, leaves: &mut BTreeMap<String, String>) {
    for _ in 0..choices.below(4) {
        let key = path(choices, NAMES);
        match choices.below(4) {
            0 => drop(leaves.remove(&key)),
            1 => leaves.retain(|known, _| !known.starts_with(&key)),
            _ => drop(leaves.insert(key, choices.below(3).to_string())),
        }
    }
}

/// The leaves as the service sends them: an object in an object, as far as that can be.
fn json(leaves: &BTreeMap<String, String>) -> Json {
    let mut nested = json!({});
    for (key, value) in leaves {
        let mut place = &mut nested;
        for name in key.split('/').skip(1) {
            let Json::Object(members) = place else {
                // A leaf and a directory of one name.
                return json!(leaves);
            };
            place = members.entry(name).or_insert(json!({}));
        }
        *place = json!(value);
    }
    nested
}

/// The next tree of a source that is asked again and again, or one by itself.
fn next_tree(
    is_followed: bool,
    older: Option<&Arc<Tree>>,
    leaves: &BTreeMap<String, String>,
) -> Arc<Tree> {
    if !is_followed || leaves.is_empty() {
        return Arc::new(Tree::from_pairs(leaves));
    }
    Tree::following(older, json(leaves).to_string().as_bytes()).expect("it is JSON")
}

/// The result of a rendering, and its reads; an error is as good as a file.
fn render(template: &Template, tree: &Arc<Tree>, keys: &[String]) -> (String, Option<ReadSet>) {
    let around = HostEnv::of_process(Path::new("."), Options::default());
    let mut funcs = Funcs::new(tree.view("", keys), around);
    let mut budget = Budget::default();
    match template.execute(&mut funcs, &Value::Nil, Options::default(), &mut budget) {
        Ok(bytes) => (
            String::from_utf8_lossy(&bytes).into_owned(),
            Some(funcs.into_reads()),
        ),
        Err(error) => (error.to_string(), None),
    }
}

#[test]
fn rendering_what_the_read_sets_name_is_rendering_everything() {
    let (mut followed, mut again) = (0, 0);
    for_seeds(1_500, |mut choices| {
        let mut leaves = BTreeMap::new();
        for _ in 0..choices.below(30) {
            leaves.insert(path(&mut choices, NAMES), choices.below(3).to_string());
        }
        let keys: Vec<String> = match choices.below(3) {
            0 => vec![path(&mut choices, NAMES), "/a".to_owned()],
            _ => vec!["/".to_owned()],
        };
        let template = template(&mut choices);
        let is_followed = choices.below(2) == 0;
        let mut tree = next_tree(is_followed, None, &leaves);
        let (mut text, mut reads) = render(&template, &tree, &keys);
        for _ in 0..6 {
            change(&mut choices, &mut leaves);
            let next = next_tree(is_followed, Some(&tree), &leaves);
            assert_eq!(*next, Tree::from_pairs(&leaves));
            let before = std::mem::replace(&mut tree, next);
            let (wanted, new) = render(&template, &tree, &keys);
            let named = match (&reads, &new) {
                (Some(_), Some(new)) => new.changed(&before.view("", &keys), &tree.view("", &keys)),
                _ => Vec::new(),
            };
            if reads.as_mut().is_some_and(|reads| reads.follow(&tree)) {
                assert_eq!(text, wanted);
                assert!(named.is_empty(), "{named:?}");
                followed += 1;
            } else {
                // Nothing is done again for nothing.
                assert!(reads.is_none() || text != wanted, "{text} {reads:?}");
                again += 1;
                reads = new;
            }
            text = wanted;
        }
    });
    assert!(followed > 1000 && again > 1000, "{followed} {again}");
}
