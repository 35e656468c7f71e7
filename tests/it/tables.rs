//! The tables of settings and resource keys, against the places that list them for people and
//! fuzzers.

use app_agent::keys::{Key, RESOURCE, SETTINGS};

const READMES: [(&str, &str); 2] = [
    ("README.md", include_str!("../../README.md")),
    ("README.zh-CN.md", include_str!("../../README.zh-CN.md")),
];

/// The row of a Markdown table whose first cell names `key`.
fn row<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let named = format!("`{key}`");
    text.lines().find(|line| {
        let mut cells = line.split('|').skip(1);
        line.starts_with('|') && cells.next().is_some_and(|first| first.contains(&named))
    })
}

#[test]
fn each_readme_has_a_row_for_every_setting_with_its_default() {
    for (name, text) in READMES {
        for Key {
            name: key, default, ..
        } in SETTINGS
        {
            let row = row(text, key).unwrap_or_else(|| panic!("{name} has no row for {key}"));
            assert!(row.contains(default), "{name}: {key} = {default}: {row}");
        }
    }
}

#[test]
fn each_readme_has_a_row_for_every_key_of_a_resource() {
    for (name, text) in READMES {
        for Key {
            name: key, default, ..
        } in RESOURCE
        {
            let row = row(text, key).unwrap_or_else(|| panic!("{name} has no row for {key}"));
            assert!(row.contains(default), "{name}: {key} = {default}: {row}");
        }
    }
}

#[test]
fn the_fuzzers_know_every_key() {
    let settings = include_str!("../../fuzz/dict/settings.dict");
    let resource = include_str!("../../fuzz/dict/resource.dict");
    for (dictionary, keys) in [(settings, SETTINGS), (resource, RESOURCE)] {
        for key in keys {
            let known = dictionary.contains(&format!("\"{} = ", key.name));
            assert!(known, "{} is missing", key.name);
        }
    }
}
