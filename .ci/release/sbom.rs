//! The software bill of materials: the packages of Cargo.lock in CycloneDX's JSON, version 1.5,
//! with the licences of the notices. The same sources give the same document, so it has no serial
//! number and no time.

use serde_json::{Value as Json, json};

use crate::lock::{self, Package};
use crate::{Result, notices};

/// The document, for the texts of a Cargo.lock and of the notices.
pub(crate) fn document(lock: &str, notices: &str) -> Result<String> {
    let packages = lock::packages(lock)?;
    let licences = notices::licences(notices);
    let reference = |package: &Package| format!("pkg:cargo/{}@{}", package.name, package.version);
    let mut components = Vec::new();
    let mut dependencies = Vec::new();
    let mut own = Json::Null;
    for package in &packages {
        let title = format!("{} {}", package.name, package.version);
        let licence = match &package.checksum {
            None => env!("CARGO_PKG_LICENSE"),
            Some(_) => licences
                .get(title.as_str())
                .ok_or(format!("the notices lack {title}"))?,
        };
        let mut component = json!({
            "type": "library",
            "bom-ref": reference(package),
            "name": package.name,
            "version": package.version,
            "purl": reference(package),
            "licenses": [{ "expression": licence }],
        });
        match &package.checksum {
            Some(checksum) => {
                component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
                components.push(component);
            }
            None => {
                component["type"] = json!("application");
                own = component;
            }
        }
        let needs = packages.iter().filter(|other| package.needs(other));
        let needs: Vec<_> = needs.map(reference).collect();
        dependencies.push(json!({ "ref": reference(package), "dependsOn": needs }));
    }
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": own },
        "components": components,
        "dependencies": dependencies,
    });
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read;

    #[test]
    fn it_lists_each_package_with_licence_and_checksum() {
        let lock = read("Cargo.lock").expect("Cargo.lock");
        let notices = read(notices::PATH).expect("the notices");
        let document = document(&lock, &notices).expect("a document");
        let document: Json = serde_json::from_str(&document).expect("JSON");
        let components = document["components"].as_array().expect("components");
        let packages = lock::packages(&lock).expect("its packages");
        assert_eq!(components.len() + 1, packages.len());
        for component in components {
            let checksum = component["hashes"][0]["content"]
                .as_str()
                .unwrap_or_default();
            assert_eq!(checksum.len(), 64, "{component}");
            assert!(
                component["licenses"][0]["expression"].is_string(),
                "{component}"
            );
            assert!(lock.contains(checksum), "{component}");
        }
        let own = &document["metadata"]["component"];
        assert_eq!(own["version"], env!("CARGO_PKG_VERSION"));
        let dependencies = document["dependencies"].as_array().expect("dependencies");
        assert!(
            dependencies
                .iter()
                .any(|one| one["ref"] == own["bom-ref"] && one["dependsOn"][0].is_string())
        );
    }
}
