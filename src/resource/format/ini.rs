//! Well-formed INI: sections, `key = value` or `key: value`, comments and continuation lines.
//!
//! There is no standard. What MySQL, PHP, systemd and Python read is accepted, bare keys such as
//! `skip-networking` and directives such as `!include` too.

use super::Flaw;

/// Checks a text.
pub(super) fn check(text: &str) -> Result<(), Flaw> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut offset = 0;
    // An indented line, and one after a backslash, continues a value.
    let (mut in_value, mut continued) = (false, false);
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        let continues = continued || (in_value && content.starts_with([' ', '\t']));
        if !content.is_empty() && !continues {
            let start = offset + content.len() - content.trim_start().len();
            in_value =
                check_line(content.trim_start()).map_err(|message| Flaw::new(start, message))?;
        } else if content.is_empty() {
            in_value = false;
        }
        continued = content.ends_with('\\') && !is_comment(content.trim_start());
        offset += line.len();
    }
    Ok(())
}

/// Checks a line that continues nothing; returns true if it has a value.
fn check_line(line: &str) -> Result<bool, &'static str> {
    if is_comment(line) || line.starts_with(['!', '%']) {
        return Ok(false);
    }
    if let Some(section) = line.strip_prefix('[') {
        return check_section(section).map(|()| false);
    }
    match line.split_once(['=', ':']) {
        Some((key, _)) if key.trim().is_empty() => Err("a value without a key"),
        Some(_) => Ok(true),
        None if line.contains(char::is_whitespace) => {
            Err("neither a section nor a key with a value")
        }
        None => Ok(false),
    }
}

fn check_section(section: &str) -> Result<(), &'static str> {
    let Some((name, after)) = section
        .rsplit_once(']')
        .filter(|(name, _)| !name.contains(']'))
    else {
        return check_commented_section(section);
    };
    if name.trim().is_empty() {
        return Err("a section without a name");
    }
    if after.trim().is_empty() || is_comment(after.trim_start()) {
        return Ok(());
    }
    Err("text after the name of a section")
}

/// A section whose comment has brackets, or none that ends.
fn check_commented_section(section: &str) -> Result<(), &'static str> {
    match section.split_once(']') {
        None => Err("the name of a section has no closing ]"),
        Some((name, _)) if name.trim().is_empty() => Err("a section without a name"),
        Some((_, after)) if is_comment(after.trim_start()) => Ok(()),
        Some(_) => Err("text after the name of a section"),
    }
}

fn is_comment(line: &str) -> bool {
    line.starts_with(['#', ';'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_read_is_accepted() {
        let text = "\u{feff}; comment\r\n\n[client]\nport=3306\n# [not a section\n[mysqld] # the [server]\n\
                    skip-networking\n!includedir /etc/mysql\nsql_mode = a,\n    b,\n\tc d e\n\
                    ExecStart=/bin/x \\\nand more words\nkey: value\nempty=\n[a b \"c\"]\n  x = [1]\n";
        assert_eq!(check(text), Ok(()));
        assert_eq!(check(""), Ok(()));
    }

    #[test]
    fn what_is_broken_is_refused_at_its_place() {
        for (text, offset, message) in [
            ("[a\nb=1\n", 0, "the name of a section has no closing ]"),
            ("[]\n", 0, "a section without a name"),
            ("[a] b\n", 0, "text after the name of a section"),
            ("[a] b [c]\n", 0, "text after the name of a section"),
            ("[a]\n  = 1\n", 6, "a value without a key"),
            (
                "[a]\n<no value>\n",
                4,
                "neither a section nor a key with a value",
            ),
            (
                "a=1\n\n two words\n",
                6,
                "neither a section nor a key with a value",
            ),
        ] {
            assert_eq!(check(text), Err(Flaw::new(offset, message)), "{text}");
        }
    }
}
