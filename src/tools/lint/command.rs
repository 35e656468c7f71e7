//! The commands of a resource, as strings; nothing is run. Programs that this machine has are
//! looked at: it may be the image.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::code::Code;
use crate::resource::command::program;
use crate::template::Template;
use crate::template::outline::{Expr, Statement};

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

/// A mistake in a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub code: Code,
    pub message: String,
    pub help: String,
}

/// Checks the command of a key. The programs that confd makes itself need not exist.
pub(super) fn check(key: &str, text: &str, made: &BTreeSet<PathBuf>) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    if let Some(word) = relative(text) {
        let (depends, help) = if word.contains('/') {
            let help = "write its absolute path".to_owned();
            ("the directory in which confd starts", help)
        } else {
            let help = format!("write its absolute path: PATH is short at boot (/…/{word})");
            ("PATH", help)
        };
        mistakes.push(Mistake {
            code: Code::W204,
            message: format!("{key} runs {word}, which depends on {depends}"),
            help,
        });
    }
    let programs = programs(text).into_iter();
    let programs = programs.filter(|(program, _)| !made.contains(*program));
    mistakes.extend(programs.filter_map(|(program, how)| check_program(key, program, how)));
    if key == "check_cmd" {
        mistakes.extend(check_check(text));
    }
    mistakes
}

/// How a command uses a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Runs,
    /// A shell reads it.
    Reads,
}

/// The absolute paths of the programs that a command runs, and of the scripts that its shells read.
/// One that stands twice behind the first command may be tested before: `[ -x /x ] && /x`.
fn programs(text: &str) -> Vec<(&Path, Use)> {
    let mut found = Vec::new();
    for (index, part) in program::parts(text).enumerate() {
        let program = program::absolute(part).map(|program| (program, Use::Runs));
        let script = program::script(part).map(|script| (script, Use::Reads));
        let is_certain = |(path, _): &(&Path, Use)| {
            let path = path.to_string_lossy();
            index == 0 || text.matches(&*path).count() == 1
        };
        found.extend(program.into_iter().chain(script).filter(is_certain));
    }
    found
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

/// The first word, if PATH or the directory in which confd starts decides which program it is.
fn relative(text: &str) -> Option<&str> {
    let word = program::first_word(text)?;
    let plain = |found: char| found.is_ascii_alphanumeric() || "._-+/[:".contains(found);
    // Variables, quotes, groups and the like: what they run is not to be seen here.
    if !word.chars().all(plain) || word.starts_with('/') || is_windows(word) {
        return None;
    }
    let is_found = program::is_builtin(word) || COMMON.contains(&word);
    (!is_found).then_some(word)
}

/// Looks at a program, if this machine has the directories that lead to it: another machine than
/// the image lacks the application.
fn check_program(key: &str, program: &Path, how: Use) -> Option<Mistake> {
    let shown = program.display();
    if !program.exists() {
        let help = help_for_missing(program)?;
        return Some(Mistake {
            code: Code::W210,
            message: format!("{key} runs {shown}, which this machine does not have"),
            help,
        });
    }
    if how == Use::Reads {
        return None;
    }
    let program::Obstacle { problem, help } = program::obstacle(program)?;
    Some(Mistake {
        code: Code::E211,
        message: format!("{key} runs {shown}, which {problem}"),
        help,
    })
}

/// The help for a program that is missing; `None` if its directory is missing, too, and nothing
/// there has a similar name.
fn help_for_missing(program: &Path) -> Option<String> {
    if let Some(meant) = program::similar(program) {
        return Some(format!("did you mean {}?", meant.display()));
    }
    let directory = program.parent()?;
    let is_its_own = directory.is_dir() && !is_shared(directory);
    is_its_own.then(|| "correct the path, or install the program".to_owned())
}

/// Returns true for a directory that every machine has: a program missing there proves nothing.
pub(super) fn is_shared(directory: &Path) -> bool {
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
    fn programs_stand_behind_other_commands_too() {
        let (runs, reads) = (Use::Runs, Use::Reads);
        for (text, want) in [
            ("/a/x restart", &[("/a/x", runs)][..]),
            ("cd /a && /a/x; /a/y &", &[("/a/x", runs), ("/a/y", runs)]),
            (
                "/bin/sh /a/x.sh stop",
                &[("/bin/sh", runs), ("/a/x.sh", reads)],
            ),
            ("bash /a/x.sh", &[("/a/x.sh", reads)]),
            ("/a/x stop; /a/x start", &[("/a/x", runs)]),
            ("[ -x /a/x ] && /a/x", &[]),
            ("echo '; /a/x'", &[]),
            ("/a/x > /dev/null 2>&1", &[("/a/x", runs)]),
        ] {
            let want: Vec<_> = want
                .iter()
                .map(|(path, how)| (Path::new(*path), *how))
                .collect();
            assert_eq!(programs(text), want, "{text}");
        }
    }

    #[test]
    fn a_relative_path_depends_on_a_directory() {
        for (text, want) in [
            (
                "./run",
                "runs ./run, which depends on the directory in which confd starts",
            ),
            ("run", "runs run, which depends on PATH"),
        ] {
            let found = check("reload_cmd", text, &BTreeSet::new());
            assert_eq!(found[0].message, format!("reload_cmd {want}"));
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
            let found = check("check_cmd", text, &BTreeSet::new());
            assert_eq!(found.first().map(|mistake| mistake.code), want, "{text}");
        }
        assert_eq!(
            check(
                "reload_cmd",
                "/bin/x --format '{{.Names}}'",
                &BTreeSet::new()
            ),
            []
        );
    }
}
