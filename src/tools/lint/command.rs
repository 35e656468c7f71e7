//! The commands of a resource, as strings; nothing is run. Programs that this machine has are
//! looked at: it may be the image.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use super::code::Code;
use crate::nearest::nearest;
use crate::platform;
use crate::template::Template;
use crate::template::outline::{Expr, Statement};

/// Words that a shell knows by itself.
const BUILTINS: &[&str] = &[
    ".", ":", "[", "[[", "alias", "case", "cd", "command", "echo", "eval", "exec", "exit",
    "export", "false", "for", "if", "kill", "printf", "pwd", "read", "return", "set", "shift",
    "source", "test", "time", "times", "trap", "true", "type", "ulimit", "umask", "unset", "until",
    "wait", "while",
];

/// Programs that every PATH finds, at boot too: those of coreutils, procps, util-linux and the init
/// systems that distributions keep in /bin, /sbin, /usr/bin or /usr/sbin.
const COMMON: &[&str] = &[
    "awk",
    "basename",
    "bash",
    "cat",
    "chgrp",
    "chmod",
    "chown",
    "chroot",
    "cmp",
    "cp",
    "curl",
    "cut",
    "dash",
    "date",
    "dd",
    "df",
    "diff",
    "dirname",
    "du",
    "egrep",
    "env",
    "expr",
    "fgrep",
    "find",
    "flock",
    "grep",
    "gunzip",
    "gzip",
    "head",
    "hostname",
    "id",
    "initctl",
    "install",
    "ip",
    "iptables",
    "killall",
    "ln",
    "logger",
    "ls",
    "md5sum",
    "mkdir",
    "mktemp",
    "mount",
    "mountpoint",
    "mv",
    "nice",
    "nohup",
    "pgrep",
    "pidof",
    "pkill",
    "ps",
    "rc-service",
    "readlink",
    "reload",
    "restart",
    "rm",
    "rmdir",
    "runuser",
    "sed",
    "seq",
    "service",
    "setsid",
    "sh",
    "sha256sum",
    "sleep",
    "sort",
    "start",
    "stat",
    "stop",
    "su",
    "sudo",
    "sync",
    "sysctl",
    "systemctl",
    "tail",
    "tar",
    "tee",
    "timeout",
    "touch",
    "tr",
    "umount",
    "uname",
    "uniq",
    "useradd",
    "wc",
    "wget",
    "which",
    "xargs",
];

/// Shorter names are similar to too many others.
const SHORTEST_NAME: usize = 4;
/// The beginning of a script that names its interpreter.
const SHEBANG: &[u8] = b"#!";
/// The length of that line which Linux reads, in bytes.
const LONGEST_LINE: u64 = 256;

/// A mistake in a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub code: Code,
    pub message: String,
    pub help: String,
}

/// Checks the command of a key.
pub(super) fn check(key: &str, text: &str) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    if let Some(word) = relative(text) {
        mistakes.push(Mistake {
            code: Code::W204,
            message: format!("{key} runs {word}, which depends on PATH"),
            help: format!("write its absolute path: PATH is short at boot (/…/{word})"),
        });
    }
    mistakes.extend(absolute(text).and_then(|program| check_program(key, Path::new(program))));
    if key == "check_cmd" {
        mistakes.extend(check_check(text));
    }
    mistakes
}

fn check_check(text: &str) -> Option<Mistake> {
    let (code, message, help) = match Template::parse("checkcmd", text.as_bytes(), &[]) {
        Err(error) => {
            let message = format!("check_cmd: {}", error.problem());
            let help = "only {{.src}}, {{.dest}} and Go's own functions work here";
            (Code::E208, message, help.to_owned())
        }
        Ok(template) => {
            let outline = template.outline(&[]);
            if let Some(name) = outline.statements.iter().find_map(unknown_field) {
                let message = format!("check_cmd: there is no .{name}");
                (Code::E208, message, "the new file is {{.src}}".to_owned())
            } else if text.contains(".src") || text.contains("CONFD_SRC") {
                return None;
            } else {
                let message = "check_cmd does not check the new file".to_owned();
                let help = "pass the new file to the program: {{.src}}";
                (Code::W206, message, help.to_owned())
            }
        }
    };
    Some(Mistake {
        code,
        message,
        help,
    })
}

/// A field that a `check_cmd` does not have.
fn unknown_field(statement: &Statement) -> Option<String> {
    match &statement.expr {
        Expr::Member { of, names, .. } if matches!(**of, Expr::Dot { .. }) => {
            let name = names.first()?;
            (!matches!(name.as_str(), "src" | "dest")).then(|| name.clone())
        }
        _ => None,
    }
}

/// The first word, if PATH decides which program it is.
fn relative(text: &str) -> Option<&str> {
    let words = text.split_whitespace();
    let word = words.into_iter().find(|word| !is_assignment(word))?;
    let word = word.trim_end_matches(';');
    let plain = |found: char| found.is_ascii_alphanumeric() || "._-+/[:".contains(found);
    // Variables, quotes, groups and the like: what they run is not to be seen here.
    if !word.chars().all(plain) || word.starts_with('/') || is_windows(word) {
        return None;
    }
    let is_found = BUILTINS.contains(&word) || COMMON.contains(&word);
    (!is_found).then_some(word)
}

/// The first word, if it is the absolute path of a program without quotes or variables.
fn absolute(text: &str) -> Option<&str> {
    let mut words = text.split_whitespace();
    let word = words.find(|word| !is_assignment(word))?;
    let word = word.trim_end_matches(';');
    let plain = |found: char| found.is_ascii_alphanumeric() || "._-+/".contains(found);
    (word.starts_with('/') && word.chars().all(plain)).then_some(word)
}

/// Looks at a program, if this machine has the directories that lead to it: another machine than
/// the image lacks the application.
fn check_program(key: &str, program: &Path) -> Option<Mistake> {
    let shown = program.display();
    let Ok(metadata) = fs::metadata(program) else {
        let help = missing(program)?;
        return Some(Mistake {
            code: Code::W210,
            message: format!("{key} runs {shown}, which this machine does not have"),
            help,
        });
    };
    let problem = if metadata.is_dir() {
        (
            "is a directory".to_owned(),
            "write the path of a program".to_owned(),
        )
    } else if !platform::is_executable(&metadata) {
        let help = format!("make it executable: chmod +x {shown}");
        ("is not executable".to_owned(), help)
    } else {
        interpreter_problem(program)?
    };
    Some(Mistake {
        code: Code::E211,
        message: format!("{key} runs {shown}, which {}", problem.0),
        help: problem.1,
    })
}

/// The help for a program that is missing; `None` if its directory is missing, too, and nothing
/// there has a similar name.
fn missing(program: &Path) -> Option<String> {
    let present = program.ancestors().skip(1).find(|above| above.is_dir())?;
    let absent = program.strip_prefix(present).ok()?.iter().next()?;
    let names: Vec<String> = fs::read_dir(present)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    let names = names.iter().map(String::as_str);
    let absent = absent.to_string_lossy();
    match nearest(&absent, names).filter(|_| absent.len() >= SHORTEST_NAME) {
        Some(meant) => Some(format!("did you mean {}?", present.join(meant).display())),
        None if program.parent() == Some(present) && !is_shared(present) => {
            Some("correct the path, or install the program".to_owned())
        }
        None => None,
    }
}

/// Returns true for a directory that every machine has: what is missing there says nothing.
fn is_shared(directory: &Path) -> bool {
    let parts: Vec<_> = directory.iter().skip(1).collect();
    let is_system = |part: &&std::ffi::OsStr| {
        [
            "usr", "local", "bin", "sbin", "opt", "etc", "init.d", "root", "home", "var", "lib",
            "libexec",
        ]
        .iter()
        .any(|known| part == known)
    };
    parts.iter().all(is_system)
}

/// The problem of a script's interpreter line, and the help.
fn interpreter_problem(program: &Path) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    let file = File::open(program).ok()?;
    file.take(LONGEST_LINE).read_to_end(&mut bytes).ok()?;
    let line = bytes
        .strip_prefix(SHEBANG)?
        .split(|byte| *byte == b'\n')
        .next()?;
    let shown = program.display();
    if line.ends_with(b"\r") {
        let help = format!("save it with LF line ends: sed -i 's/\\r$//' {shown}");
        return Some((
            "has CRLF line ends, so that its interpreter is not found".to_owned(),
            help,
        ));
    }
    let line = String::from_utf8_lossy(line);
    let interpreter = line.split_whitespace().next()?;
    if !Path::new(interpreter).is_file() {
        let help = "correct its first line, or install the interpreter".to_owned();
        return Some((
            format!("needs the interpreter {interpreter}, which does not exist"),
            help,
        ));
    }
    None
}

/// `NAME=value` before a command.
fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// Returns true for a path of Windows: `C:\…` or `\\…`.
pub(super) fn is_windows(path: &str) -> bool {
    let mut start = path.chars();
    let drive = (start.next(), start.next(), start.next());
    path.starts_with("\\\\")
        || matches!(drive, (Some(letter), Some(':'), Some('\\' | '/')) if letter.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_path_decides_is_relative() {
        for (text, want) in [
            ("/opt/zookeeper/bin/zkServer.sh restart", None),
            ("zkServer.sh restart", Some("zkServer.sh")),
            ("./bin/run", Some("./bin/run")),
            ("service zookeeper restart", None),
            ("chown zookeeper /data; x", None),
            ("supervisorctl restart x", Some("supervisorctl")),
            ("LANG=C zkServer.sh", Some("zkServer.sh")),
            ("LANG=C /bin/x", None),
            ("cd /opt && ./run", None),
            ("[ -f /x ] && y", None),
            ("if [ -f /x ]; then y; fi", None),
            ("true;", None),
            ("$HOME/run", None),
            ("\"/opt/a b/run\"", None),
            ("(sleep 1; x)", None),
            ("C:\\bin\\x.exe", None),
            ("", None),
        ] {
            assert_eq!(relative(text), want, "{text}");
        }
    }

    #[test]
    fn a_check_looks_at_the_new_file() {
        for (text, want) in [
            ("/bin/x -t {{.src}}", None),
            ("/bin/x -t {{ .src }} {{.dest}}", None),
            ("/bin/x -t $CONFD_SRC", None),
            ("/bin/x -t /etc/x.conf", Some(Code::W206)),
            ("/bin/x -t {{.Src}}", Some(Code::E208)),
            ("/bin/x -t {{getv \"/x\"}}", Some(Code::E208)),
            ("/bin/x -t {{.src", Some(Code::E208)),
        ] {
            let found = check("check_cmd", text);
            assert_eq!(found.first().map(|mistake| mistake.code), want, "{text}");
        }
        assert_eq!(check("reload_cmd", "/bin/x --format '{{.Names}}'"), []);
    }
}
