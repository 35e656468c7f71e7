//! The packages of Cargo.lock, which cargo writes with one key or list item a line.

use crate::Result;

/// A package that the programs are made of, on one system at least.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Package {
    pub name: String,
    pub version: String,
    /// SHA-256 of the package as the registry has it; none for this one.
    pub checksum: Option<String>,
    /// The packages that it needs: the name, and the version behind a blank where there are several
    /// of that name.
    pub needs: Vec<String>,
}

impl Package {
    /// Returns true if it needs `other` itself.
    pub(crate) fn needs(&self, other: &Package) -> bool {
        let versioned = format!("{} {}", other.name, other.version);
        let is_other = |need: &String| *need == other.name || *need == versioned;
        self.needs.iter().any(is_other)
    }
}

/// The packages of the agent in the text of a Cargo.lock: itself and all that it needs, in the
/// order of the text. Other members of the workspace have their own.
pub(crate) fn packages(text: &str) -> Result<Vec<Package>> {
    let all = all_packages(text)?;
    let is_agent = |package: &Package| package.name == env!("CARGO_PKG_NAME");
    let agent = all.iter().position(is_agent);
    let mut open = vec![agent.ok_or("Cargo.lock lacks the agent")?];
    let mut needed = vec![false; all.len()];
    while let Some(index) = open.pop() {
        if !std::mem::replace(&mut needed[index], true) {
            let needs = |other: &usize| all[index].needs(&all[*other]);
            open.extend((0..all.len()).filter(needs));
        }
    }
    let packages = all.into_iter().zip(needed);
    Ok(packages
        .filter_map(|(package, needed)| needed.then_some(package))
        .collect())
}

/// All packages in the text of a Cargo.lock.
fn all_packages(text: &str) -> Result<Vec<Package>> {
    let packages: Vec<_> = text.split("[[package]]").skip(1).map(package).collect();
    match packages
        .iter()
        .find(|package| package.name.is_empty() || package.version.is_empty())
    {
        Some(package) => {
            Err(format!("Cargo.lock has a package without a name or version: {package:?}").into())
        }
        None => Ok(packages),
    }
}

fn package(text: &str) -> Package {
    let mut package = Package::default();
    for line in text.lines() {
        let Some((key, value)) = line.split_once('"') else {
            continue;
        };
        let value = value.trim_end_matches([',', '"']).to_owned();
        match key.trim_end_matches([' ', '=']) {
            "name" => package.name = value,
            "version" => package.version = value,
            "checksum" => package.checksum = Some(value),
            "" => package.needs.push(value),
            _ => {}
        }
    }
    package
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_has_its_keys_and_needs() {
        let text = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0\"\ndependencies = [\n \"b\",\n \"c 2.0\",\n]\n\n\
                    [[package]]\nname = \"b\"\nversion = \"2\"\nsource = \"registry\"\nchecksum = \"00ff\"\n";
        let packages = all_packages(text).expect("packages");
        let [a, b] = packages.as_slice() else {
            panic!("{packages:?}")
        };
        assert_eq!(
            (a.name.as_str(), a.version.as_str(), &a.checksum),
            ("a", "1.0", &None)
        );
        assert_eq!(a.needs, ["b", "c 2.0"]);
        assert!(a.needs(b) && !b.needs(a));
        assert_eq!(b.checksum.as_deref(), Some("00ff"));
        assert!(b.needs.is_empty());
    }

    #[test]
    fn what_only_another_member_needs_is_left_out() {
        let text: String = [
            ("app-agent", "1", "\"both 1\","),
            ("both", "1", ""),
            ("both", "2", ""),
            ("confd-lab", "1", "\"app-agent\", \"both 2\", \"more\","),
            ("more", "1", ""),
        ]
        .map(|(name, version, needs)| {
            let needs = needs.replace(", ", ",\n");
            format!(
                "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\ndependencies = [\n{needs}\n]\n"
            )
        })
        .concat();
        let packages = packages(&text).expect("packages");
        let names = packages.iter().map(|one| (&*one.name, &*one.version));
        assert_eq!(
            names.collect::<Vec<_>>(),
            [("app-agent", "1"), ("both", "1")]
        );
        assert!(super::packages("").is_err());
    }

    #[test]
    fn nameless_packages_are_refused() {
        assert!(all_packages("[[package]]\nversion = \"1\"\n").is_err());
    }
}
