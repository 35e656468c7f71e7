//! The figures of the commit before: kept from an earlier run, or measured now, in a copy of the
//! repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::figures::Figures;

/// Set when another commit's bench runs this one: the file to write the figures to, and nothing
/// else to do.
pub(crate) const ONLY_FIGURES: &str = "BENCH_FIGURES";

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Where a commit's figures are kept; not for a tree with changes, which is no commit.
pub(crate) fn kept(target: &Path) -> Option<PathBuf> {
    let clean = git(&["status", "--porcelain"])?.is_empty();
    let commit = git(&["rev-parse", "HEAD"]).filter(|_| clean)?;
    Some(file_of(target, &commit))
}

fn file_of(target: &Path, commit: &str) -> PathBuf {
    target.join(format!("bench/{commit}.tsv"))
}

/// The commit to compare with: the one before, or the last one for a tree with changes.
fn commit_before() -> Option<String> {
    let clean = git(&["status", "--porcelain"])?.is_empty();
    git(&[
        "rev-parse",
        "--verify",
        "-q",
        if clean { "HEAD~1" } else { "HEAD" },
    ])
}

/// The figures of the commit before, and that commit; or why there are none.
pub(crate) fn figures(target: &Path) -> Result<(String, BTreeMap<String, Duration>), String> {
    let commit = commit_before().ok_or("there is no commit before this one")?;
    let file = file_of(target, &commit);
    let short = commit.get(..10).unwrap_or(&commit).to_owned();
    if let Some(figures) = Figures::read(&file) {
        return Ok((short, figures));
    }
    println!("measuring the commit before, {short} …");
    let measured = measure(&target.join("bench"), &commit, &file);
    measured.map_err(|problem| format!("{short} {problem}"))?;
    let figures = Figures::read(&file).ok_or("it wrote no figures")?;
    Ok((short, figures))
}

/// Runs the commit's own bench, in a copy of the repository below `scratch`.
fn measure(scratch: &Path, commit: &str, file: &Path) -> Result<(), &'static str> {
    let copy = scratch.join("before");
    if copy.exists() {
        std::fs::remove_dir_all(&copy).map_err(|_| "has an old copy that cannot be removed")?;
    }
    let copy_text = copy.to_string_lossy();
    git(&["clone", "-q", "--shared", "--no-checkout", ".", &copy_text])
        .and_then(|_| git(&["-C", &copy_text, "checkout", "-q", commit]))
        .ok_or("cannot be checked out")?;
    let file = std::path::absolute(file).map_err(|_| "has no place for its figures")?;
    let status = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(["bench", "--quiet", "--locked", "--bench", "template"])
        .current_dir(&copy)
        .env(
            "CARGO_TARGET_DIR",
            std::path::absolute(scratch.join("target")).unwrap_or_default(),
        )
        .env(ONLY_FIGURES, file)
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        _ => Err("has no such bench, or it does not build"),
    }
}
