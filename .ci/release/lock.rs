//! The packages of Cargo.lock, which cargo writes with one key or list item a line.

use crate::Result;

/// A package that the programs are made of, on one system at least.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Package {
    pub name: String,
    pub version: String,
    /// SHA-256 of the package as the registry has it; none for this one.
    pub checksum: Option<String>,
    /// The names of the packages that it needs.
    pub needs: Vec<String>,
}

/// All packages in the text of a Cargo.lock.
pub(crate) fn packages(text: &str) -> Result<Vec<Package>> {
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
            // Where there are several versions of one package, its version follows after a blank.
            "" => package
                .needs
                .push(value.split(' ').next().unwrap_or(&value).to_owned()),
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
        let packages = packages(text).expect("packages");
        let [a, b] = packages.as_slice() else {
            panic!("{packages:?}")
        };
        assert_eq!(
            (a.name.as_str(), a.version.as_str(), &a.checksum),
            ("a", "1.0", &None)
        );
        assert_eq!(a.needs, ["b", "c"]);
        assert_eq!(b.checksum.as_deref(), Some("00ff"));
        assert!(b.needs.is_empty());
    }

    #[test]
    fn nameless_packages_are_refused() {
        assert!(packages("[[package]]\nversion = \"1\"\n").is_err());
    }
}
