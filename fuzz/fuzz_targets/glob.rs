//! Any pattern and any name: `gets` neither hangs nor fails on what `filepath.Match` accepts.
#![no_main]

use std::sync::Arc;

use app_agent::tree::Tree;
use app_agent::tree::glob::Pattern;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (&str, &str)| {
    let (pattern, name) = data;
    let tree = Arc::new(Tree::from_pairs([(name, "a"), ("/a/b", "c")]));
    let view = tree.view("/", &["/".to_owned()]);
    let _ = view.list(pattern);
    let _ = view.list_dirs(pattern);
    if let Ok(pattern) = Pattern::parse(pattern) {
        let all: Vec<_> = view
            .leaves()
            .filter(|(key, _)| pattern.matches(key))
            .collect();
        assert_eq!(view.matching(&pattern).items, all);
    }
});
