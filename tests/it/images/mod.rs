//! The files that the installers put on an image, under the shells of the images, in throw-away
//! directories without root rights; `.ci/try-images` does the same on real systems.

mod daemons;
mod exec;
mod install;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The shells of the images: dash (Debian, Ubuntu), busybox (Alpine), bash as sh (Red Hat, SUSE).
/// Those that are installed here.
fn shells() -> Vec<&'static [&'static str]> {
    let all: [&[&str]; 3] = [&["dash"], &["busybox", "sh"], &["bash", "--posix"]];
    let found: Vec<_> = all.into_iter().filter(|shell| works(shell)).collect();
    assert!(!found.is_empty(), "no shell to test with");
    found
}

fn works(shell: &[&str]) -> bool {
    let output = under(shell, "-c").arg("exit 0").output();
    output.is_ok_and(|output| output.status.success())
}

/// `script` (or an option) under `shell`.
fn under(shell: &[&str], script: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).arg(script.as_ref());
    command
}

/// The path of the file `name` of the archive in the sources.
pub(crate) fn source(name: &str) -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    match name {
        "install.sh" => sources.join(name),
        _ => sources.join("src/image").join(name),
    }
}

/// The status and output of a program, for messages of failed tests.
fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    format!("{}\n{}", output.status, String::from_utf8_lossy(&text))
}
