//! The Go program that answers: built with COMPARE_GO, asked through its standard input and output.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::LazyLock;

use app_agent::go::hex;

use super::Question;

/// The version of Unicode, and so of Go, whose answers are ours.
const UNICODE: &[u8] = b"13.0.0";

pub(super) struct Peer {
    /// True if the program knows yaml.v2.
    pub(super) has_yaml: bool,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    /// Builds and starts the program; none when no Go is named.
    pub(super) fn start() -> Option<Peer> {
        static PROGRAM: LazyLock<Option<(PathBuf, bool)>> = LazyLock::new(build);
        let (program, has_yaml) = PROGRAM.as_ref()?;
        let mut child = Command::new(program)
            .env_clear()
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let input = child.stdin.take().expect("its input");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let mut peer = Peer {
            has_yaml: *has_yaml,
            child,
            input,
            output,
        };
        let version = peer.ask("unicode", &[Vec::new()]);
        assert_eq!(version, [[UNICODE.to_vec()]], "a Go with this Unicode");
        Some(peer)
    }

    /// The answers to questions of one kind.
    pub(super) fn ask(&mut self, kind: &str, questions: &[Question]) -> Vec<Vec<Vec<u8>>> {
        let mut lines = String::new();
        for question in questions {
            lines += &hex::encode(kind.as_bytes());
            for part in question {
                lines.push(' ');
                lines += &hex::encode(part);
            }
            lines.push('\n');
        }
        let input = &mut self.input;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                input.write_all(lines.as_bytes()).expect("it reads");
                input.flush().expect("it reads");
            });
            let output = &mut self.output;
            questions.iter().map(|_| answer(output)).collect()
        })
    }
}

/// Builds the program; returns its path, and whether it knows yaml.v2.
fn build() -> Option<(PathBuf, bool)> {
    let go = env::var_os("COMPARE_GO").filter(|go| !go.is_empty())?;
    let yaml = env::var_os("COMPARE_YAML").filter(|yaml| !yaml.is_empty());
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = here.join("target/compare");
    let mut build = Command::new(&go);
    build.args(["build", "-o"]).arg(&program);
    if let Some(yaml) = &yaml {
        let module = here.join("target/compare.mod");
        fs::write(&module, module_with(Path::new(yaml))).expect("target can be written");
        build.args(["-tags", "yaml", "-modfile"]).arg(&module);
    }
    build.arg(".").current_dir(here.join("tests/compare"));
    let built = build.status();
    assert!(
        built.is_ok_and(|status| status.success()),
        "{go:?} builds tests/compare"
    );
    Some((program, yaml.is_some()))
}

/// A go.mod that also has yaml.v2, which is in this directory.
fn module_with(yaml: &Path) -> String {
    let own = include_str!("../../compare/go.mod");
    let yaml = yaml.display();
    format!("{own}\nrequire gopkg.in/yaml.v2 v2.4.0\nreplace gopkg.in/yaml.v2 => {yaml}\n")
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Whatever comes of it: the test is over.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn answer(output: &mut impl BufRead) -> Vec<Vec<u8>> {
    let mut line = String::new();
    output.read_line(&mut line).expect("an answer");
    assert!(line.ends_with('\n'), "Go gave up");
    let line = line.trim_end_matches('\n');
    line.split(' ').map(decode).collect()
}

fn decode(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| digit.to_digit(16).expect("hexadecimal") as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}
