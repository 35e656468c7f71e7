//! Any bytes as a metadata service's answer: a tree with clean, sorted keys, or an error.
#![no_main]

use app_agent::tree::{Tree, path};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(tree) = Tree::from_json(data) else {
        return;
    };
    let keys: Vec<&str> = tree.leaves().map(|(key, _)| key).collect();
    assert!(keys.is_sorted());
    assert!(keys.iter().all(|key| path::clean(key) == **key));
});
