//! Stamps the program with its target, commit and build date, which `-version` prints.
//!
//! The commit is that of the environment (CONFD_COMMIT), of git, or of an exported source archive;
//! the date that of SOURCE_DATE_EPOCH or of the commit, so that the same sources give the same
//! program at any time.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// `git archive` replaces its content by the commit and its time.
const EXPORTED: &str = ".ci/release/commit";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={EXPORTED}");
    println!("cargo::rerun-if-env-changed=CONFD_COMMIT");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let (commit, time) = from_git().or_else(from_export).unwrap_or_default();
    let commit = env::var("CONFD_COMMIT").unwrap_or(commit);
    let time = env::var("SOURCE_DATE_EPOCH").unwrap_or(time);
    let date = time.trim().parse().map(date).unwrap_or_default();
    let target = env::var("TARGET").unwrap_or_default();
    for (name, value) in [("TARGET", target), ("COMMIT", commit), ("DATE", date)] {
        let value = if value.is_empty() { "unknown" } else { &value };
        println!("cargo::rustc-env=CONFD_BUILD_{name}={value}");
    }
}

/// The commit and its time, where this directory is the top of a git work tree.
fn from_git() -> Option<(String, String)> {
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let here = env::var_os("CARGO_MANIFEST_DIR")?;
    if fs::canonicalize(top).ok()? != fs::canonicalize(Path::new(&here)).ok()? {
        return None;
    }
    // It changes with each commit and checkout.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    if Path::new(&log).exists() {
        println!("cargo::rerun-if-changed={log}");
    }
    parse(&git(&["log", "-1", "--format=%H %ct"])?)
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn from_export() -> Option<(String, String)> {
    parse(fs::read_to_string(EXPORTED).ok()?.trim())
}

/// "COMMIT SECONDS"; the commit is cut to 12 digits.
fn parse(text: &str) -> Option<(String, String)> {
    let (commit, time) = text.split_once(' ')?;
    let is_commit = commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_commit.then(|| (commit.chars().take(12).collect(), time.to_owned()))
}

/// The day in UTC of a time in seconds after 1970, as `2026-11-25`.
fn date(seconds: i64) -> String {
    // Howard Hinnant's civil_from_days: eras of 400 years that begin in March.
    let days = seconds.div_euclid(86_400) + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = (year + 400 * era, month + 3);
    let (year, month) = if month > 12 {
        (year + 1, month - 12)
    } else {
        (year, month)
    };
    format!("{year:04}-{month:02}-{day:02}")
}
