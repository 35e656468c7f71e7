//! Makes what a release ships beside the programs, from the tables of the sources:
//!
//! - `update` writes the manual page, the bash completion and the third-party notices, which are
//!   committed;
//! - `sbom` prints the bill of materials, in CycloneDX's JSON.
//!
//! Its tests fail while a committed file differs from what `update` would write. Only `update`
//! looks at the crates' own files, so it alone needs them all to be downloaded.

mod completion;
mod lock;
mod man;
mod notices;
mod sbom;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// The result of a step; the text of the error is for a developer.
type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let command = std::env::args().nth(1);
    match command.as_deref() {
        Some("update") => {
            fs::write(path("src/image/confd.8"), man::page())?;
            fs::write(
                path("src/image/confd.bash-completion"),
                completion::script(),
            )?;
            fs::write(path(notices::PATH), notices::collect()?)?;
        }
        Some("sbom") => print!(
            "{}",
            sbom::document(&read("Cargo.lock")?, &read(notices::PATH)?)?
        ),
        _ => return Err("usage: release update | sbom".into()),
    }
    Ok(())
}

/// A file of the sources.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> Result<String> {
    fs::read_to_string(path(name)).map_err(|error| format!("cannot read {name}: {error}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expect_up_to_date(name: &str, text: &str) {
        let found = read(name).expect("a committed file");
        assert!(found == text, "{name} is out of date: run make generated");
    }

    #[test]
    fn the_manual_page_and_the_completion_are_up_to_date() {
        expect_up_to_date("src/image/confd.8", &man::page());
        expect_up_to_date("src/image/confd.bash-completion", &completion::script());
    }

    #[test]
    fn the_documents_name_the_archives_of_this_version() {
        let name = concat!("app-agent-", env!("CARGO_PKG_VERSION"), "-");
        for page in ["README", "docs/images", "docs/images-windows"] {
            for language in [".md", ".zh-CN.md"] {
                let page = format!("{page}{language}");
                let text = read(&page).expect("a document");
                let archives = text.match_indices("app-agent-").map(|(at, _)| &text[at..]);
                let is_numbered = |found: &&str| {
                    let rest = &found.as_bytes()["app-agent-".len()..];
                    rest.first().is_some_and(u8::is_ascii_digit)
                };
                let mut numbered = archives.filter(is_numbered).peekable();
                assert!(numbered.peek().is_some(), "{page}");
                assert!(numbered.all(|found| found.starts_with(name)), "{page}");
            }
        }
    }
}
