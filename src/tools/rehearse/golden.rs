//! Every rendered file of a rehearsal in a directory: `STAGE/NODE/DEST`, or
//! `STAGE/VARIANT/NODE/DEST`.
//!
//! Of the stages with variants only the files that differ from the stage before are kept. Only
//! files in the directories of stages are ever removed.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use super::stages::Stage;
use super::steps::{Rehearsal, Step};
use crate::config::table::read_file;
use crate::error::{Error, Result};
use crate::tools::diff::text::diff;

/// The largest file that is compared, in bytes.
const LARGEST: u64 = 256 << 20;
/// Deeper directories are not entered.
const DEEPEST: u32 = 64;

/// The files by their paths below the directory.
pub(super) struct GoldenFiles {
    files: BTreeMap<PathBuf, Rc<[u8]>>,
}

/// A file that is not as expected.
pub(super) struct Difference {
    /// Below the directory.
    pub path: PathBuf,
    /// The expected content; none when no such file is expected.
    expected: Option<Vec<u8>>,
    /// The rendered content; none when no such file was rendered.
    rendered: Option<Rc<[u8]>>,
    directory: PathBuf,
}

impl GoldenFiles {
    /// The files of a rehearsal.
    pub(super) fn of(rehearsal: &Rehearsal) -> GoldenFiles {
        let mut files = BTreeMap::new();
        for step in &rehearsal.steps {
            let directory = directory(rehearsal, step);
            for (index, resource) in rehearsal.resources.iter().enumerate() {
                let is_kept = step.about.is_empty() || step.changed.contains(&index);
                if let Some(Some(content)) = step.rendered.get(index)
                    && is_kept
                {
                    let path = directory.join(below(resource.resource.dest()));
                    files.insert(path, Rc::clone(content));
                }
            }
        }
        GoldenFiles { files }
    }

    /// The number of files.
    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// Makes the stages' directories in `root` hold these files and no others.
    pub(super) fn write(&self, root: &Path) -> Result<()> {
        for path in found_in(root)? {
            if !self.files.contains_key(&path) {
                let path = root.join(path);
                fs::remove_file(&path).map_err(|source| Error::io("remove", &path, source))?;
            }
        }
        for (path, content) in &self.files {
            let path = root.join(path);
            if fs::read(&path).is_ok_and(|old| *old == **content) {
                continue;
            }
            let parent = path.parent().unwrap_or(root);
            fs::create_dir_all(parent).map_err(|source| Error::io("make", parent, source))?;
            fs::write(&path, content).map_err(|source| Error::io("write", &path, source))?;
        }
        Ok(())
    }

    /// Compares with the files in a directory, which must exist.
    pub(super) fn compare(&self, directory: &Path) -> Result<Vec<Difference>> {
        let listed = fs::metadata(directory).map(drop);
        listed.map_err(|source| Error::io("read the expected files in", directory, source))?;
        let mut expected = BTreeMap::new();
        for path in found_in(directory)? {
            let content = read_file(&directory.join(&path), LARGEST)?;
            expected.insert(path, content);
        }
        let mut differences = Vec::new();
        for (path, content) in &self.files {
            let expected = expected.remove(path);
            if expected.as_deref() != Some(&**content) {
                differences.push(Difference {
                    path: path.clone(),
                    expected,
                    rendered: Some(Rc::clone(content)),
                    directory: directory.to_owned(),
                });
            }
        }
        differences.extend(expected.into_iter().map(|(path, content)| Difference {
            path,
            expected: Some(content),
            rendered: None,
            directory: directory.to_owned(),
        }));
        Ok(differences)
    }
}

impl Difference {
    /// Its kind: `changed`, `missing` or `unexpected`.
    pub(super) fn kind(&self) -> &'static str {
        match (&self.expected, &self.rendered) {
            (Some(_), Some(_)) => "changed",
            (Some(_), None) => "missing",
            _ => "unexpected",
        }
    }

    /// The unified diff from the expected file to the rendered one.
    pub(super) fn text(&self) -> String {
        let path = self.directory.join(&self.path).display().to_string();
        let rendered = self.rendered.as_deref().unwrap_or_default();
        let mut text = String::new();
        if self.rendered.is_none() {
            text.push_str(&format!("{path} is expected, but not rendered\n"));
        }
        for line in diff(&path, self.expected.as_deref(), rendered) {
            text.push_str(&line.text);
            text.push('\n');
        }
        text
    }
}

/// The directory of a step's files.
fn directory(rehearsal: &Rehearsal, step: &Step) -> PathBuf {
    let mut directory = PathBuf::new();
    if let Some(stage) = rehearsal.stages.get(step.stage) {
        directory.push(stage.slug);
        push_name(&mut directory, &stage.role);
    }
    push_name(&mut directory, &step.about);
    match rehearsal.nodes.get(step.node) {
        Some((name, _)) if !name.is_empty() => name
            .split('/')
            .for_each(|part| push_name(&mut directory, part)),
        _ => directory.push("node"),
    }
    directory
}

/// Adds a name that came from the metadata as one safe part of the path.
fn push_name(path: &mut PathBuf, name: &str) {
    let name: String = name
        .trim_start_matches('/')
        .chars()
        .map(|found| match found {
            '/' | '\\' => '-',
            found if found.is_control() || ":*?\"<>|".contains(found) => '_',
            found => found,
        })
        .collect();
    if !name.is_empty() {
        let is_special = name.chars().all(|found| found == '.');
        path.push(if is_special { "_".to_owned() } else { name });
    }
}

/// A dest as a path below a directory.
fn below(dest: &Path) -> PathBuf {
    let mut path = PathBuf::new();
    for part in dest.components() {
        match part {
            Component::Normal(name) => push_name(&mut path, &name.to_string_lossy()),
            Component::ParentDir => {
                path.pop();
            }
            _ => {}
        }
    }
    path
}

/// The files in the stages' directories, relative to `root`. Links are not followed.
fn found_in(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for slug in Stage::SLUGS {
        find(root, Path::new(slug), 0, &mut found)?;
    }
    Ok(found)
}

fn find(root: &Path, directory: &Path, depth: u32, found: &mut Vec<PathBuf>) -> Result<()> {
    let full = root.join(directory);
    let list = |source| Error::io("list", &full, source);
    let entries = match fs::read_dir(&full) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(list)?,
    };
    for entry in entries {
        let entry = entry.map_err(list)?;
        let path = directory.join(entry.file_name());
        if !entry.file_type().map_err(list)?.is_dir() {
            found.push(path);
        } else if depth < DEEPEST {
            find(root, &path, depth + 1, found)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_directory() {
        for (name, safe) in [
            ("web", "web"),
            ("/env/a.b", "env-a.b"),
            ("..", "_"),
            ("../../etc", "..-..-etc"),
            ("a\nb:c", "a_b_c"),
            ("", ""),
        ] {
            let mut path = PathBuf::new();
            push_name(&mut path, name);
            assert_eq!(path, Path::new(safe), "{name}");
        }
        for (dest, safe) in [
            ("/opt/app/x.conf", "opt/app/x.conf"),
            ("/../../x", "x"),
            ("relative/../y", "y"),
        ] {
            assert_eq!(below(Path::new(dest)), Path::new(safe), "{dest}");
        }
    }
}
