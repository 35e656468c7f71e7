//! The program of a command, as far as its text shows it, and what keeps it from running.
//!
//! Runs nothing: reads the command's text and looks at files. Used for the status of a command that
//! has failed, by `-lint` and by `-doctor`.

use std::env;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::nearest::nearest;
use crate::platform;

/// Words that a shell knows by itself.
const BUILTINS: &[&str] = &[
    ".", ":", "[", "[[", "alias", "case", "cd", "command", "do", "done", "echo", "elif", "else",
    "esac", "eval", "exec", "exit", "export", "false", "fi", "for", "if", "kill", "printf", "pwd",
    "read", "return", "set", "shift", "source", "test", "then", "time", "times", "trap", "true",
    "type", "ulimit", "umask", "unset", "until", "wait", "while",
];
/// Shells, whose first argument is the script that they read.
const SHELLS: &[&str] = &["sh", "bash", "dash", "ksh"];
/// The exit statuses of shells for a program that cannot be run, and for one that is not found; the
/// last one is that of Windows.
const CANNOT_RUN: i32 = 126;
const NOT_FOUND: &[i32] = &[127, 9009];
/// The beginning of a script that names its interpreter.
const SHEBANG: &[u8] = b"#!";
/// The length of that line which Linux reads, in bytes.
const LONGEST_LINE: u64 = 256;
/// Shorter names are similar to too many others.
const SHORTEST_NAME: usize = 4;

/// The reason why a program cannot run.
#[derive(Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The words that follow the program's path in a sentence.
    pub problem: String,
    /// How to remove it.
    pub help: String,
}

impl Obstacle {
    fn new(problem: impl Into<String>, help: impl Into<String>) -> Obstacle {
        Obstacle {
            problem: problem.into(),
            help: help.into(),
        }
    }
}

/// Returns true for a word that a shell does itself.
pub fn is_builtin(word: &str) -> bool {
    BUILTINS.contains(&word)
}

/// The first word of a command that is not an assignment (`NAME=value`).
pub fn first_word(command: &str) -> Option<&str> {
    let mut words = command.split_whitespace();
    let word = words.find(|word| !is_assignment(word))?;
    Some(unquoted(word.trim_end_matches(';')))
}

/// A word without the quotes around it, if they hide nothing else.
fn unquoted(word: &str) -> &str {
    let inner = ['"', '\''].into_iter().find_map(|quote| {
        let inner = word.strip_prefix(quote)?.strip_suffix(quote)?;
        is_plain(inner).then_some(inner)
    });
    inner.unwrap_or(word)
}

/// The first word of a command if it is an absolute path without quotes or variables.
pub fn absolute(command: &str) -> Option<&Path> {
    first_word(command)
        .filter(|word| word.starts_with('/') && is_plain(word))
        .map(Path::new)
}

/// The first word of a command if it is a relative path: where confd was started decides about it.
pub fn relative(command: &str) -> Option<&str> {
    first_word(command)
        .filter(|word| word.contains('/') && !word.starts_with('/') && is_plain(word))
}

/// `NAME=value` before a command.
fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// Returns true for a word that means itself to a shell.
fn is_plain(word: &str) -> bool {
    let plain = |found: char| found.is_ascii_alphanumeric() || "._-+/".contains(found);
    !word.is_empty() && word.chars().all(plain)
}

/// The reason for an exit status by which a shell says that it could not run a program; `None` for
/// other statuses.
pub fn reason(command: &str, status: i32) -> Option<String> {
    let usual = if status == CANNOT_RUN {
        "usually a program that is not executable, or whose file system is mounted noexec"
    } else if NOT_FOUND.contains(&status) {
        "usually a program that does not exist or is not in PATH"
    } else {
        return None;
    };
    let mut parts = parts(command);
    let mut moved = false;
    let found = parts.find_map(|part| {
        moved |= first_word(part) == Some("cd");
        obstacle_of_part(part, moved)
    });
    Some(found.unwrap_or_else(|| usual.to_owned()))
}

/// The simple commands of a command, where no quotes hide them.
pub fn parts(command: &str) -> impl Iterator<Item = &str> {
    let is_quoted = command.contains(['"', '\'', '`', '\\', '(']);
    let between = move |found: char| !is_quoted && ";&|\n".contains(found);
    command.split(between)
}

/// The script that a simple command gives a shell to read, if it is an absolute path.
pub fn script(part: &str) -> Option<&Path> {
    let word = first_word(part)?;
    let name = word.rsplit('/').next().unwrap_or(word);
    let mut words = part.split_whitespace().skip_while(|other| *other != word);
    let script = words.nth(1).filter(|_| SHELLS.contains(&name))?;
    (script.starts_with('/') && is_plain(script)).then(|| Path::new(script))
}

/// The reason why a simple command cannot run, in a sentence with its help. Where the shell has
/// `moved` to another directory, relative paths are not judged.
fn obstacle_of_part(part: &str, moved: bool) -> Option<String> {
    let word = first_word(part).filter(|word| is_plain(word) && !is_builtin(word))?;
    let sentence = |program: &str, obstacle: Obstacle| {
        format!("{program} {}; {}", obstacle.problem, obstacle.help)
    };
    if let Some(script) = script(part) {
        let shown = script.display().to_string();
        return absent(script).map(|obstacle| sentence(&shown, obstacle));
    }
    let program = Path::new(word);
    let relative = |problem: &str| Some(Obstacle::new(problem, "write its absolute path"));
    let found = match word {
        _ if word.starts_with('/') => absent(program).or_else(|| obstacle(program)),
        _ if word.contains('/') && moved => None,
        _ if word.contains('/') && program.exists() => obstacle(program),
        _ if word.contains('/') => relative("is looked for where confd was started"),
        _ if is_in_path(word) => None,
        _ => relative("is not in PATH"),
    };
    found.map(|obstacle| sentence(word, obstacle))
}

fn is_in_path(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| directory.join(name).is_file())
}

/// The obstacle that there is no such file; `None` if there is one.
pub fn absent(program: &Path) -> Option<Obstacle> {
    if fs::metadata(program).is_ok() {
        return None;
    }
    let help = match similar(program) {
        Some(meant) => format!("did you mean {}?", meant.display()),
        None => "correct the path, or install the program".to_owned(),
    };
    Some(Obstacle::new("does not exist", help))
}

/// The existing path that differs from a missing one in a misspelt name. A name with another
/// version (`python`, `python3`) is another program.
pub fn similar(program: &Path) -> Option<PathBuf> {
    let present = program.ancestors().skip(1).find(|above| above.is_dir())?;
    let absent = program.strip_prefix(present).ok()?.iter().next()?;
    let absent = absent.to_string_lossy();
    let names: Vec<String> = fs::read_dir(present)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    let is_version = |found: char| found.is_ascii_digit() || ".-".contains(found);
    let others = names.iter().map(String::as_str);
    let others =
        others.filter(|name| name.replace(is_version, "") != absent.replace(is_version, ""));
    let meant = nearest(&absent, others).filter(|_| absent.len() >= SHORTEST_NAME)?;
    Some(present.join(meant))
}

/// The reason why an existing file cannot run as a program.
pub fn obstacle(program: &Path) -> Option<Obstacle> {
    let metadata = fs::metadata(program).ok()?;
    if metadata.is_dir() {
        return Some(Obstacle::new(
            "is a directory",
            "write the path of a program",
        ));
    }
    if !platform::is_executable(&metadata) {
        let help = format!("make it executable: chmod +x {}", program.display());
        return Some(Obstacle::new("is not executable", help));
    }
    interpreter_obstacle(program)
}

/// The reason why a script cannot run, from its first line.
fn interpreter_obstacle(program: &Path) -> Option<Obstacle> {
    let mut bytes = Vec::new();
    let file = File::open(program).ok()?;
    file.take(LONGEST_LINE).read_to_end(&mut bytes).ok()?;
    let line = bytes
        .strip_prefix(SHEBANG)?
        .split(|byte| *byte == b'\n')
        .next()?;
    if line.ends_with(b"\r") {
        let problem = "has CRLF line ends, so that its interpreter is not found";
        let help = format!(
            "save it with LF line ends: sed -i 's/\\r$//' {}",
            program.display()
        );
        return Some(Obstacle::new(problem, help));
    }
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_whitespace();
    let interpreter = words.next()?;
    let help = "correct its first line, or install the interpreter";
    if !Path::new(interpreter).is_file() {
        let problem = format!("needs the interpreter {interpreter}, which does not exist");
        return Some(Obstacle::new(problem, help));
    }
    if !fs::metadata(interpreter).is_ok_and(|metadata| platform::is_executable(&metadata)) {
        let problem = format!("needs the interpreter {interpreter}, which is not executable");
        let help = format!("make it executable: chmod +x {interpreter}");
        return Some(Obstacle::new(problem, help));
    }
    // `#!/usr/bin/env python3` looks for the interpreter in PATH.
    let named = words.next().filter(|_| interpreter.ends_with("/env"))?;
    let is_missing = is_plain(named) && !named.starts_with('-') && !is_in_path(named);
    let problem = || format!("needs the interpreter {named}, which is not in PATH");
    is_missing.then(|| Obstacle::new(problem(), help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_the_first_word_that_is_no_assignment() {
        for (command, want) in [
            (
                "/opt/zk/bin/zkServer.sh restart",
                Some("/opt/zk/bin/zkServer.sh"),
            ),
            ("LANG=C /bin/x; y", Some("/bin/x")),
            ("/bin/x;", Some("/bin/x")),
            ("zkServer.sh restart", None),
            ("\"/opt/a b/run\"", None),
            ("\"/opt/a/run\" x", Some("/opt/a/run")),
            ("'/opt/a/run'", Some("/opt/a/run")),
            ("$HOME/run", None),
            ("", None),
        ] {
            assert_eq!(absolute(command), want.map(Path::new), "{command}");
        }
    }

    #[test]
    fn a_relative_path_has_a_slash_inside() {
        for (command, want) in [
            ("bin/run now", Some("bin/run")),
            ("LANG=C ./run", Some("./run")),
            ("/bin/run", None),
            ("run", None),
            ("$HOME/run", None),
            ("cd /opt && bin/run", None),
        ] {
            assert_eq!(relative(command), want, "{command}");
        }
    }

    #[test]
    fn only_the_statuses_of_shells_have_a_reason() {
        for (command, status, want) in [
            ("/bin/x", 1, None),
            ("/bin/x", 125, None),
            (
                "/none/x && y",
                127,
                Some("/none/x does not exist; correct the path, or install the program"),
            ),
            (
                "cd /; sh /none/x.sh",
                127,
                Some("/none/x.sh does not exist; correct the path, or install the program"),
            ),
            (
                "true && no-such-program-here",
                127,
                Some("no-such-program-here is not in PATH; write its absolute path"),
            ),
            (
                "bin/run",
                127,
                Some("bin/run is looked for where confd was started; write its absolute path"),
            ),
            (
                "cd /opt && bin/run",
                127,
                Some("usually a program that does not exist or is not in PATH"),
            ),
            (
                "/",
                126,
                Some("/ is a directory; write the path of a program"),
            ),
            (
                "\"$RUN\"",
                127,
                Some("usually a program that does not exist or is not in PATH"),
            ),
        ] {
            assert_eq!(
                reason(command, status).as_deref(),
                want,
                "{command} {status}"
            );
        }
    }
}
