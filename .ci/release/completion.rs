//! The bash completion of confd: flags of the table, and what their values may be. For bash from
//! 4.1 on, without the functions of the bash-completion package, which small images lack.

use std::fmt::Write as _;

use app_agent::cli;

/// The flags whose values are words of a list.
const WORDS: &[(&str, &str)] = &[
    ("backend", "metad file env"),
    ("format", "text json"),
    ("log-level", "debug info warn error fatal"),
    ("scheme", "http"),
];
/// The flags whose values are directories.
const DIRECTORIES: &[&str] = &["confdir", "root"];
/// The flags whose values are paths of the metadata.
const METADATA: &[&str] = &["get", "keys", "prefix"];
/// The names that paths have in the table.
const PATHS: &[&str] = &["PATH", "FILE"];

const BEGIN: &str = r#"# shellcheck shell=bash
# Bash completion for confd(8); bash 4.1 or later. Source it, or put it into /etc/bash_completion.d.

_confd() {
    local current=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    # "-flag=value" is three words for bash, of which the second is "=".
    if [[ $current == = ]]; then
        current=
    elif [[ $flag == = ]]; then
        flag=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case ${flag/#--/-} in
"#;
const END: &str = r#"    esac
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "${current/#--/-}")
}
complete -o filenames -F _confd confd
"#;

/// The script.
pub(crate) fn script() -> String {
    let mut script = BEGIN.to_owned();
    for (flag, words) in WORDS {
        let _ = writeln!(
            script,
            "    -{flag})\n        mapfile -t COMPREPLY < <(compgen -W \"{words}\" -- \"$current\")\n        return\n        ;;"
        );
    }
    let values = |wanted: &dyn Fn(&cli::Row) -> bool| {
        let rows = cli::rows().filter(|row| row.value.is_some() && !row.is_optional);
        let rows = rows.filter(|row| !WORDS.iter().any(|(flag, _)| *flag == row.name));
        let flags: Vec<_> = rows
            .filter(|row| wanted(row))
            .map(|row| format!("-{}", row.name))
            .collect();
        flags.join(" | ")
    };
    let is_directory = |row: &cli::Row| DIRECTORIES.contains(&row.name);
    let is_free = |row: &cli::Row| {
        METADATA.contains(&row.name) || !row.value.is_some_and(|value| PATHS.contains(&value))
    };
    let is_file = |row: &cli::Row| !is_free(row) && !DIRECTORIES.contains(&row.name);
    for (flags, action) in [(values(&is_directory), "-d"), (values(&is_file), "-f")] {
        let _ = writeln!(
            script,
            "    {flags})\n        mapfile -t COMPREPLY < <(compgen {action} -- \"$current\")\n        return\n        ;;"
        );
    }
    let _ = writeln!(
        script,
        "    {})\n        return\n        ;;",
        values(&is_free)
    );
    let flags: Vec<_> = cli::rows().map(|row| format!("-{}", row.name)).collect();
    let end = format!("    esac\n    local flags=\"{}\"\n", flags.join(" "));
    script + &END.replacen("    esac\n", &end, 1)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Bash's offers after these words.
    fn offers(words: &[&str]) -> Option<Vec<String>> {
        let line = words
            .iter()
            .map(|word| format!("'{word}'"))
            .collect::<Vec<_>>()
            .join(" ");
        let script = format!(
            "{}\nCOMP_WORDS=(confd {line}); COMP_CWORD={}; _confd; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            script(),
            words.len()
        );
        let output = Command::new("bash")
            .args(["--norc", "-c", &script])
            .output()
            .ok()?;
        assert!(
            output.stderr.is_empty(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout).ok()?;
        Some(
            text.lines()
                .filter(|line| !line.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    }

    #[test]
    fn bash_completes_flags_and_values() {
        let cases: &[(&[&str], &[&str])] = &[
            (&["-wat"], &["-watch"]),
            (&["--one"], &["-onetime"]),
            (&["-backend", ""], &["metad", "file", "env"]),
            (&["-log-level", "=", "d"], &["debug"]),
            (&["-format", "="], &["text", "json"]),
            (&["-node", ""], &[]),
            (&["-onetime", "-confd"], &["-confdir"]),
            (&["-config-file", "Cargo.to"], &["Cargo.toml"]),
            (&["-confdir", "Cargo"], &[]),
            (&["-root", "benc"], &["benches"]),
            (&["-render", "Cargo.to"], &["Cargo.toml"]),
            (&["-get", "Cargo.to"], &[]),
            (&["-keys", "Cargo.to"], &[]),
        ];
        for (words, expected) in cases {
            let Some(offered) = offers(words) else {
                println!("SKIPPED: bash is not installed");
                return;
            };
            assert_eq!(offered, *expected, "{words:?}");
        }
    }

    #[test]
    fn the_lists_name_flags_of_the_table() {
        let names: Vec<_> = cli::rows().map(|row| row.name).collect();
        for name in WORDS
            .iter()
            .map(|(name, _)| name)
            .chain(DIRECTORIES)
            .chain(METADATA)
        {
            assert!(names.contains(name), "{name}");
        }
    }
}
