//! The manual page confd(8): the flags and settings of the tables, and what is around them.

use std::fmt::Write as _;

use app_agent::{cli, keys};

const INTRODUCTION: &str = r#".TH CONFD 8 "" "app agent" "System administration"
.SH NAME
confd \- render configuration files from cluster metadata and reload services
.SH SYNOPSIS
.B confd
.RI [ FLAGS ]
.SH DESCRIPTION
.B confd
fetches the metadata of this node from the metadata service, renders the
templates of its configuration directory from it, swaps each file whose content
differs, whole, and runs the commands that make services read it.
With
.B \-watch
it is a daemon that applies each change at once; with
.B \-onetime
it does so once.
.PP
The grammar of flags is Go's: \fB\-x v\fP, \fB\-x=v\fP, \fB\-\-x v\fP,
\fB\-\-x=v\fP, and \fB\-watch=false\fP for switches.
"#;

const REST: &str = r#".SH FILES
.TP
.I /etc/confd/confd.toml
settings; each key is explained below
.TP
.I /etc/confd/conf.d/*.toml
resources: the template, the file to make and the commands
.TP
.I /etc/confd/templates
templates of the resources
.TP
.I /etc/confd/status.json
the state of the daemon and of each file, which \fB\-status\fP shows
.TP
.I /opt/qingcloud/app\-agent
the program, the scripts around it and their logs
.SH EXIT STATUS
.TP
.B 0
success
.TP
.B 1
a resource failed, no metadata came, or an inspection found a problem
.TP
.B 2
the command line or a setting is wrong
.TP
.B 3
\fB\-diff\fP: something would change
.SH SIGNALS
HUP makes the daemon read settings, resources and templates again.
TERM and INT end it between two steps; commands that are running go on.
.SH SEE ALSO
.BR logrotate (8),
.BR systemd (1),
and the files README.md and docs/ of the archive.
"#;

/// The page, in man(7) macros.
pub(crate) fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    let mut group = "";
    page += ".SH OPTIONS\n";
    for row in cli::rows() {
        if row.group != group {
            group = row.group;
            let _ = writeln!(page, ".SS {}", escape(group));
        }
        let flag = format!("\\fB\\-{}\\fP", escape(row.name));
        let typed = match row.value {
            None => flag,
            Some(value) if row.is_optional => format!("{flag}[=\\fI{}\\fP]", escape(value)),
            Some(value) => format!("{flag} \\fI{}\\fP", escape(value)),
        };
        let _ = writeln!(page, ".TP\n{typed}\n{}", escape(&row.help));
    }
    let unused: Vec<_> = cli::unused_flags()
        .map(|name| format!("\\fB\\-{}\\fP", escape(name)))
        .collect();
    let _ = writeln!(page, ".SS Accepted without effect\n{}", unused.join(",\n"));
    page += ".SH SETTINGS\nKeys of confd.toml. Each is also a variable of the environment:\n\
             \\fBlog\\-level\\fP is \\fBCONFD_LOG_LEVEL\\fP.\n\
             Flags override variables, and variables override keys.\n";
    for key in keys::SETTINGS {
        let default = match key.default {
            "" => String::new(),
            default => format!(" ({})", escape(default)),
        };
        let _ = writeln!(
            page,
            ".TP\n\\fB{}\\fP\n{}{default}",
            escape(key.name),
            escape(key.help)
        );
    }
    page + REST
}

/// Text as the macros take it: every "-" is one that can be typed, and no line begins as a request
/// does.
fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    match text.chars().next() {
        Some('.' | '\'') => format!("\\&{text}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_every_flag_and_setting() {
        let page = page();
        for row in cli::rows() {
            assert!(
                page.contains(&format!("\n\\fB\\-{}\\fP", escape(row.name))),
                "{}",
                row.name
            );
        }
        for key in keys::SETTINGS {
            assert!(
                page.contains(&format!("\n\\fB{}\\fP\n", escape(key.name))),
                "{}",
                key.name
            );
        }
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape(".a-b\\"), "\\&.a\\-b\\e");
    }
}
