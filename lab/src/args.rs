//! The command line: the lab's own flags, and those of confd, which confd's parser reads.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use app_agent::cli::{self, Args, Request};

use crate::language::Language;

/// The text of `-help`.
pub(crate) const HELP: &str = "\
Usage: confd-lab DIR [FLAGS]            show an image in the browser
       confd-lab report DIR [FLAGS]     write a report of its rehearsal

DIR has conf.d and templates. The metadata is a recording made with confd -dump: DIR/metadata.json
unless a flag names another one.

  -file DUMP            use this recording
  -node HOST:PORT       use the metadata of a live node, and follow it
  -port NUMBER          listen on this port of 127.0.0.1; a free one by default
  -o FILE               with report: write it here (report.html); - for stdout
  -lang zh              with report: in Chinese
  -redact KEYS          with report: also hide these keys; what looks secret is always hidden

Flags of confd that say how an image is rendered are accepted, too: -prefix, -strict, -config-file.
The lab listens on this machine only, runs no command and writes no file except the report.
";

/// The request of a command line.
pub(crate) enum Command {
    Help,
    Show {
        image: Flags,
        port: u16,
    },
    Report {
        image: Flags,
        path: PathBuf,
        /// Further keys to hide.
        redaction: Vec<String>,
        language: Language,
    },
}

/// The flags of confd for an image.
pub(crate) struct Flags {
    flags: Vec<String>,
    /// The confd.toml of the image, which may come and go. None when another one was named.
    pub settings: Option<PathBuf>,
    /// The recordings of the image, of which the first that is there counts. None when the metadata
    /// was named.
    pub recordings: Vec<PathBuf>,
}

impl Flags {
    /// The flags as they are now, as confd's parser reads them.
    pub(crate) fn args(&self) -> Result<Args, String> {
        let settings = self.settings.iter().filter(|path| path.is_file());
        let settings = settings.flat_map(|path| ["-config-file".to_owned(), shown(path)]);
        let found = self.recordings.iter().find(|path| path.is_file());
        let recording = found.or(self.recordings.first()).into_iter();
        let recording = recording.flat_map(|path| ["-file".to_owned(), shown(path)]);
        let flags = settings.chain(recording).chain(self.flags.iter().cloned());
        match cli::parse(flags.map(OsString::from)) {
            Ok(Request::Run(args)) => Ok(args),
            Ok(_) => Err("flags of confd's own tools have no meaning here".to_owned()),
            Err(error) => Err(error.chain()),
        }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The reason why the program ends, and its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    pub message: String,
    pub code: u8,
}

impl From<String> for Failure {
    fn from(message: String) -> Failure {
        Failure { message, code: 1 }
    }
}

fn usage(message: impl Into<String>) -> Failure {
    Failure {
        message: message.into(),
        code: 2,
    }
}

/// The recordings that are looked for in an image's directory.
const RECORDINGS: [&str; 2] = ["metadata.json", "dump.json"];

/// Parses what follows the program's name.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, Failure> {
    let mut texts = Vec::new();
    for arg in args {
        let text = arg.into_string();
        texts.push(text.map_err(|arg| usage(format!("{arg:?} is not UTF-8 text")))?);
    }
    let is_help = |text: &String| ["-help", "--help", "-h"].contains(&text.as_str());
    if texts.is_empty() || texts.iter().any(is_help) {
        return Ok(Command::Help);
    }
    let is_report = texts.first().is_some_and(|first| first == "report");
    let mut rest = texts.into_iter().skip(usize::from(is_report));
    let directory = rest.next().unwrap_or_default();
    if directory.is_empty() || directory.starts_with('-') {
        return Err(usage("the directory of the image comes first; see -help"));
    }
    let mut own = Own::default();
    let passed = own.take(rest)?;
    let image = image_args(Path::new(&directory), passed)?;
    let has_recording =
        image.recordings.is_empty() || image.recordings.iter().any(|path| path.is_file());
    match is_report {
        true if !has_recording => Err(usage(format!(
            "there is no metadata.json in {directory}; name a recording with -file, or a node with -node"
        ))),
        true if own.port.is_some() => Err(usage("-port does not go with report")),
        true => Ok(Command::Report {
            image,
            path: own.path.unwrap_or_else(|| "report.html".into()),
            redaction: own.redaction,
            language: own.language.unwrap_or(Language::English),
        }),
        false if own.path.is_some() || !own.redaction.is_empty() || own.language.is_some() => {
            Err(usage("-o, -redact and -lang go with report"))
        }
        false => Ok(Command::Show {
            image,
            port: own.port.unwrap_or(0),
        }),
    }
}

/// The lab's own flags.
#[derive(Default)]
struct Own {
    port: Option<u16>,
    path: Option<PathBuf>,
    redaction: Vec<String>,
    language: Option<Language>,
}

impl Own {
    /// Takes its flags out, and returns those of confd.
    fn take(&mut self, args: impl Iterator<Item = String>) -> Result<Vec<String>, Failure> {
        let mut passed = Vec::new();
        let mut args = args;
        while let Some(arg) = args.next() {
            let name = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-'));
            let (name, inline) = match name.and_then(|name| name.split_once('=')) {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (name.unwrap_or_default(), None),
            };
            if !["port", "o", "redact", "lang"].contains(&name) {
                passed.push(arg);
                continue;
            }
            let value = inline.or_else(|| args.next());
            let value = value.ok_or_else(|| usage(format!("-{name} needs a value")))?;
            match name {
                "port" => {
                    let port = value.parse().ok();
                    let wrong =
                        || usage(format!("-port must be a number below 65536, not {value:?}"));
                    self.port = Some(port.ok_or_else(wrong)?);
                }
                "lang" => {
                    let wrong = || usage(format!("-lang must be en or zh, not {value:?}"));
                    self.language = Some(Language::named(&value).ok_or_else(wrong)?);
                }
                "o" => self.path = Some(value.into()),
                _ => self.redaction.push(value),
            }
        }
        Ok(passed)
    }
}

/// The flags of confd for an image in a directory.
fn image_args(directory: &Path, passed: Vec<String>) -> Result<Flags, Failure> {
    let conf_d = directory.join("conf.d");
    if !conf_d.is_dir() {
        let directory = directory.display();
        return Err(usage(format!(
            "{directory} is no image: there is no conf.d in it"
        )));
    }
    let is_given = |name: &str| {
        passed.iter().any(|arg| {
            let flag = arg.trim_start_matches('-');
            arg.starts_with('-') && flag.split('=').next() == Some(name)
        })
    };
    let mut flags = vec!["-confdir".to_owned(), shown(directory)];
    let settings = (!is_given("config-file")).then(|| directory.join("confd.toml"));
    let is_named = is_given("file") || is_given("node") || is_given("backend");
    if is_given("node") && !is_given("backend") {
        flags.extend(["-backend".to_owned(), "metad".to_owned()]);
    }
    flags.extend(passed);
    let recordings = RECORDINGS.iter().filter(|_| !is_named);
    let flags = Flags {
        flags,
        settings,
        recordings: recordings.map(|name| directory.join(name)).collect(),
    };
    match flags.args() {
        Ok(_) => Ok(flags),
        Err(problem) => Err(usage(problem)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(line: &str) -> String {
        let args = line.split_whitespace().map(OsString::from);
        match parse(args) {
            Ok(_) => "nothing".to_owned(),
            Err(Failure { message, code }) => format!("{code}: {message}"),
        }
    }

    #[test]
    fn wrong_lines_have_a_reason_and_exit_2() {
        let image = "../tests/fixtures/zookeeper";
        let mistakes = "../tests/fixtures/mistakes";
        for (line, want) in [
            ("-file x", "2: the directory of the image comes first"),
            ("report", "2: the directory of the image comes first"),
            ("src", "2: src is no image: there is no conf.d in it"),
            (
                &format!("report {mistakes}"),
                "2: there is no metadata.json in ../tests/fixtures/mistakes",
            ),
            (&format!("{image} -port x"), "2: -port must be a number"),
            (
                &format!("{image} -o x"),
                "2: -o, -redact and -lang go with report",
            ),
            (
                &format!("report {image} -port 1"),
                "2: -port does not go with report",
            ),
            (
                &format!("{image} -prefx /self"),
                "2: unknown flag -prefx; did you mean -prefix?",
            ),
            (&format!("{image} -lint"), "2: flags of confd's own tools"),
            (&format!("{image} -o"), "2: -o needs a value"),
            (
                &format!("report {image} -lang fr"),
                "2: -lang must be en or zh, not \"fr\"",
            ),
        ] {
            let found = failure(line);
            assert!(found.starts_with(want), "{line}: {found}");
        }
    }

    #[test]
    fn a_directory_with_a_recording_is_enough() {
        let args = ["../tests/fixtures/zookeeper", "--port=7000"].map(OsString::from);
        let Ok(Command::Show { image, port }) = parse(args) else {
            panic!("an image to show");
        };
        assert_eq!(port, 7000);
        let args = image.args().expect("good flags");
        let file = args.last("file").map(Path::new);
        assert!(file.is_some_and(|file| file.ends_with("zookeeper/metadata.json")));
    }
}
