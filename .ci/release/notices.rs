//! The third-party notices: what the programs contain, under which licence, with the texts that the
//! licences want to be passed on. A line "== NAME VERSION: LICENCE" begins each part; parts with
//! the same text share it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;

use crate::{Result, lock, read};

/// Where they are in the sources.
pub(crate) const PATH: &str = "THIRD-PARTY-NOTICES.txt";
/// The licences that anybody may pass on with these programs.
const PERMITTED: &[&str] = &[
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

const INTRODUCTION: &str = "\
Third-party notices

The programs of the app agent contain the packages below, or are built with them, on one system at least. Each part begins
with their names, versions and licences; where a licence gives a choice of MIT, MIT was chosen. The text of Apache-2.0 is
in the file LICENSE.
";
/// The runtimes that are linked in beside the packages of Cargo.lock.
const RUNTIMES: &str = include_str!("runtimes.txt");

/// The notices, from the packages' own files as cargo has downloaded them.
pub(crate) fn collect() -> Result<String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let metadata: Json = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"]
        .as_array()
        .ok_or("cargo metadata names no packages")?;
    // cargo names those of the whole workspace.
    let linked = lock::packages(&read("Cargo.lock")?)?;
    let is_linked = |package: &&Json| {
        let mut linked = linked.iter().filter(|one| one.checksum.is_some());
        linked.any(|one| package["name"] == one.name && package["version"] == one.version)
    };
    let mut parts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages.iter().filter(is_linked) {
        let string = |key: &str| {
            package[key]
                .as_str()
                .ok_or(format!("a package has no {key}"))
        };
        let (name, licence) = (string("name")?, string("license")?);
        if !is_permitted(licence) {
            return Err(format!("{name} has licence {licence}, which is not permitted").into());
        }
        let text = text_of(Path::new(string("manifest_path")?), licence)?;
        let title = format!("== {name} {}: {licence}", string("version")?);
        parts.entry(text).or_default().push(title);
    }
    let mut parts: Vec<_> = parts
        .into_iter()
        .map(|(text, titles)| (titles, text))
        .collect();
    parts.sort();
    let parts = parts
        .iter()
        .map(|(titles, text)| format!("{}\n\n{text}\n", titles.join("\n")));
    Ok(format!(
        "{INTRODUCTION}\n{}\n{RUNTIMES}",
        parts.collect::<Vec<_>>().join("\n")
    ))
}

/// The licence texts beside a package's manifest: that of MIT where there is a choice, else all.
fn text_of(manifest: &Path, licence: &str) -> Result<String> {
    let directory = manifest.parent().ok_or("a manifest without a directory")?;
    let mut texts = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        if [
            "LICENSE",
            "LICENCE",
            "COPYING",
            "COPYRIGHT",
            "NOTICE",
            "UNLICENSE",
        ]
        .iter()
        .any(|begin| name.starts_with(begin))
            && entry.file_type()?.is_file()
        {
            texts.push((name, fs::read_to_string(entry.path())?));
        }
    }
    texts.sort();
    let is_mit = |text: &str| text.contains("Permission is hereby granted, free of charge");
    let may_choose = licence.contains("MIT") && !licence.contains("AND");
    let mit: Vec<_> = texts
        .iter()
        .filter(|(_, text)| may_choose && is_mit(text))
        .collect();
    let chosen = if mit.is_empty() {
        texts.iter().collect()
    } else {
        mit
    };
    let chosen = chosen
        .iter()
        .filter(|(_, text)| !is_apache(text))
        .map(|(_, text)| tidy(text));
    let text = chosen.collect::<Vec<_>>().join("\n\n");
    if text.is_empty() && !licence.contains("Apache-2.0") {
        return Err(format!("{} has no licence text", directory.display()).into());
    }
    Ok(if text.is_empty() {
        "Apache-2.0: see the file LICENSE.".to_owned()
    } else {
        text
    })
}

fn is_apache(text: &str) -> bool {
    text.contains("Version 2.0, January 2004")
}

fn tidy(text: &str) -> String {
    text.trim()
        .lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The licence of each package and runtime, by its title ("NAME VERSION", or a runtime's name).
pub(crate) fn licences(text: &str) -> BTreeMap<&str, &str> {
    let titles = text.lines().filter_map(|line| line.strip_prefix("== "));
    titles.filter_map(|title| title.rsplit_once(": ")).collect()
}

/// Returns true if an expression in SPDX's language can be met with permitted licences only.
fn is_permitted(expression: &str) -> bool {
    let plain = expression.replace(['(', ')'], "").replace('/', " OR ");
    let all = |choice: &str| {
        choice
            .split(" AND ")
            .all(|licence| PERMITTED.contains(&licence.trim()))
    };
    // "(A OR B) AND C": each part of an AND must have a choice.
    if expression.contains(") AND ") {
        return expression.split(" AND ").all(is_permitted);
    }
    plain.split(" OR ").any(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_name_each_package_of_the_agent_and_no_other() {
        let notices = read(PATH).expect("the notices");
        let licences = licences(&notices);
        let lock = read("Cargo.lock").expect("Cargo.lock");
        let packages = lock::packages(&lock).expect("its packages");
        let packages = packages.iter().filter(|package| package.checksum.is_some());
        let titles: Vec<_> = packages
            .map(|package| format!("{} {}", package.name, package.version))
            .collect();
        for title in &titles {
            assert!(
                licences.contains_key(title.as_str()),
                "{title} is missing: run make generated"
            );
        }
        let runtimes = super::licences(RUNTIMES).len();
        assert_eq!(
            licences.len(),
            titles.len() + runtimes,
            "run make generated"
        );
    }

    #[test]
    fn each_licence_is_permitted() {
        let notices = read(PATH).expect("the notices");
        for (title, licence) in licences(&notices)
            .iter()
            .filter(|(title, _)| !RUNTIMES.contains(**title))
        {
            assert!(is_permitted(licence), "{title}: {licence}");
        }
    }

    #[test]
    fn a_choice_is_permitted_when_one_licence_of_it_is() {
        for (expression, expected) in [
            ("MIT", true),
            ("MIT OR GPL-3.0", true),
            ("GPL-3.0", false),
            ("MIT AND GPL-3.0", false),
            ("MIT/Apache-2.0", true),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("(GPL-2.0 OR LGPL-2.1) AND MIT", false),
        ] {
            assert_eq!(is_permitted(expression), expected, "{expression}");
        }
    }
}
