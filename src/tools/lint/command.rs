//! The commands of a resource, as texts: nothing is run.

use super::finding::Code;
use crate::template::Template;
use crate::template::outline::{Expr, Statement};

/// Words that a shell knows by itself.
const BUILTINS: &[&str] = &[
    ".", ":", "[", "[[", "alias", "case", "cd", "command", "echo", "eval", "exec", "exit",
    "export", "false", "for", "if", "kill", "printf", "pwd", "read", "return", "set", "shift",
    "source", "test", "time", "times", "trap", "true", "type", "ulimit", "umask", "unset", "until",
    "wait", "while",
];

/// Something wrong with a command.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistake {
    pub code: Code,
    pub message: String,
    pub help: String,
}

/// Checks the command of that key.
pub fn check(key: &str, text: &str) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    if let Some(word) = relative(text) {
        mistakes.push(Mistake {
            code: Code::W204,
            message: format!("{key} runs {word}, wherever PATH finds it"),
            help: format!("write its whole path: at boot PATH may lack it (/…/{word})"),
        });
    }
    if key == "check_cmd" {
        mistakes.extend(check_check(text));
    }
    mistakes
}

fn check_check(text: &str) -> Option<Mistake> {
    let (code, message, help) = match Template::parse("checkcmd", text.as_bytes(), &[]) {
        Err(error) => {
            let message = format!("check_cmd: {}", error.problem());
            let help = "only {{.src}}, {{.dest}} and Go's own functions work in it";
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
                let message = "check_cmd does not look at the new file".to_owned();
                let help = "name it where the program takes its file: {{.src}}";
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
        Expr::Member { of, names, .. } if matches!(**of, Expr::Other { .. }) => {
            let name = names.first()?;
            (!matches!(name.as_str(), "src" | "dest")).then(|| name.clone())
        }
        _ => None,
    }
}

/// The first word, if PATH decides what it runs.
fn relative(text: &str) -> Option<&str> {
    let words = text.split_whitespace();
    let word = words.into_iter().find(|word| !is_assignment(word))?;
    let word = word.trim_end_matches(';');
    let plain = |found: char| found.is_ascii_alphanumeric() || "._-+/[:".contains(found);
    // Variables, quotes, groups and the like: what they run is not to be seen here.
    if !word.chars().all(plain) || word.starts_with('/') || is_windows(word) {
        return None;
    }
    (!BUILTINS.contains(&word)).then_some(word)
}

/// `NAME=value` before a command.
fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// Whether a path is one of Windows: `C:\…` or `\\…`.
pub fn is_windows(path: &str) -> bool {
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
            ("service zookeeper restart", Some("service")),
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
