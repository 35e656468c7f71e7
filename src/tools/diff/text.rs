//! Two contents in, the lines of a unified diff out, with their colours. What is no text, or too
//! much of it, is only named.

use std::fmt;
use std::ops::Range;

use super::search;

pub use super::search::Change;
use crate::tools::console::Colour;

/// A larger file is not shown, in bytes: nobody would read it.
pub const LARGEST: usize = 4 << 20;
/// The number of lines shown around a change.
const CONTEXT: usize = 3;

/// A line without its end.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// None for what stays.
    pub colour: Option<Colour>,
    /// With the sign that unified diffs begin their lines with.
    pub text: String,
}

fn line(colour: Colour, text: String) -> Line {
    let colour = Some(colour);
    Line { colour, text }
}

/// The diff of the file at `path`, `None` being no file. Of a larger one than [`LARGEST`] its
/// beginning is enough.
pub fn diff(path: &str, old: Option<&[u8]>, new: &[u8]) -> Vec<Line> {
    let before = old.unwrap_or_default();
    if before.len().max(new.len()) > LARGEST {
        let text = format!("{path} is too large to be shown: more than {LARGEST} bytes");
        return vec![line(Colour::Yellow, text)];
    }
    let (Some(from), Some(to)) = (as_text(before), as_text(new)) else {
        let sizes = format!("{} bytes before, {} bytes after", before.len(), new.len());
        return vec![line(Colour::Yellow, format!("{path} is not text: {sizes}"))];
    };
    let from_path = if old.is_some() { path } else { "/dev/null" };
    let mut lines = vec![
        line(Colour::Bold, format!("--- {from_path}")),
        line(Colour::Bold, format!("+++ {path}")),
    ];
    let (from, to) = (lines_of(from), lines_of(to));
    for hunk in hunks(&search::changes(&from, &to)) {
        add_hunk(&mut lines, &from, &to, hunk);
    }
    lines
}

/// The lines, by their indices, that are replaced from one content to another; none for contents
/// that are too large or not text.
pub fn changes(old: &[u8], new: &[u8]) -> Option<Vec<Change>> {
    if old.len().max(new.len()) > LARGEST {
        return None;
    }
    let (old, new) = (as_text(old)?, as_text(new)?);
    Some(search::changes(&lines_of(old), &lines_of(new)))
}

/// The lines with their ends.
fn lines_of(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// The changes, those together that have no more lines between them than are shown around them.
fn hunks(changes: &[Change]) -> impl Iterator<Item = &[Change]> {
    changes.chunk_by(|a, b| b.old.start - a.old.end <= 2 * CONTEXT)
}

fn add_hunk(lines: &mut Vec<Line>, from: &[&str], to: &[&str], changes: &[Change]) {
    let (Some(first), Some(last)) = (changes.first(), changes.last()) else {
        return;
    };
    let before = first.old.start.min(CONTEXT);
    let after = (from.len() - last.old.end).min(CONTEXT);
    let old = Span(first.old.start - before..last.old.end + after);
    let new = Span(first.new.start - before..last.new.end + after);
    lines.push(line(Colour::Cyan, format!("@@ -{old} +{new} @@")));
    let mut shown = old.0.start;
    for Change { old, new } in changes {
        add_lines(lines, None, ' ', from.get(shown..old.start));
        add_lines(lines, Some(Colour::Red), '-', from.get(old.clone()));
        add_lines(lines, Some(Colour::Green), '+', to.get(new.clone()));
        shown = old.end;
    }
    add_lines(lines, None, ' ', from.get(shown..shown + after));
}

fn add_lines(lines: &mut Vec<Line>, colour: Option<Colour>, sign: char, added: Option<&[&str]>) {
    for added in added.unwrap_or_default() {
        let whole = added.strip_suffix('\n');
        let text = format!("{sign}{}", whole.unwrap_or(added));
        lines.push(Line { colour, text });
        if whole.is_none() {
            let text = "\\ No newline at end of file".to_owned();
            lines.push(Line { colour: None, text });
        }
    }
}

/// Lines of a file, counted from 0; shown as POSIX has it: from 1, the count left out when it is 1,
/// and the line before when there are none.
struct Span(Range<usize>);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.0.start;
        match self.0.len() {
            0 => write!(f, "{start},0"),
            1 => write!(f, "{}", start + 1),
            count => write!(f, "{},{count}", start + 1),
        }
    }
}

/// Returns the text if it can be shown: UTF-8 without a NUL.
fn as_text(content: &[u8]) -> Option<&str> {
    let text = str::from_utf8(content).ok();
    text.filter(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(old: Option<&str>, new: &str) -> String {
        let lines = diff("/x", old.map(str::as_bytes), new.as_bytes());
        let lines: Vec<String> = lines.into_iter().map(|line| line.text).collect();
        lines.join("\n")
    }

    #[test]
    fn the_format_is_that_of_diff_u() {
        let ten = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";
        for (old, new, expected) in [
            (None, "", "--- /dev/null\n+++ /x"),
            (None, "a\n", "--- /dev/null\n+++ /x\n@@ -0,0 +1 @@\n+a"),
            (Some("a\n"), "", "--- /x\n+++ /x\n@@ -1 +0,0 @@\n-a"),
            (
                Some(ten),
                "1\n2\n3\n4\n5\n6\n7\n8\nnine\n10\n",
                "--- /x\n+++ /x\n@@ -6,5 +6,5 @@\n 6\n 7\n 8\n-9\n+nine\n 10",
            ),
            (
                Some("a\nb"),
                "a\nb\n",
                "--- /x\n+++ /x\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b",
            ),
            (
                Some("a\r\nb\rc\n"),
                "a\nb\rc\n",
                "--- /x\n+++ /x\n@@ -1,2 +1,2 @@\n-a\r\n+a\n b\rc",
            ),
        ] {
            assert_eq!(shown(old, new), expected);
        }
    }

    #[test]
    fn distant_changes_are_two_hunks() {
        let old: String = (0..40).map(|n| format!("{n}\n")).collect();
        let new = old.replace("5\n", "five\n");
        let hunks = shown(Some(&old), &new);
        assert_eq!(hunks.matches("\n@@ ").count(), 4, "{hunks}");
    }

    #[test]
    fn what_is_no_text_is_only_named() {
        let no_text = diff("/x", Some(b"a\0b"), b"ab");
        assert_eq!(no_text.len(), 1);
        assert_eq!(
            no_text[0].text,
            "/x is not text: 3 bytes before, 2 bytes after"
        );
        assert_eq!(diff("/x", None, b"\xff").len(), 1);
        let large = vec![b'x'; LARGEST + 1];
        assert!(diff("/x", Some(&large), b"")[0].text.contains("too large"));
    }

    #[test]
    fn a_hopeless_comparison_ends_and_is_still_right() {
        let old: String = (0..60_000)
            .map(|n| format!("{}\n", n * 7 % 60_013))
            .collect();
        let new: String = (0..60_000)
            .map(|n| format!("{}\n", n * 11 % 60_013))
            .collect();
        let shown = shown(Some(&old), &new);
        let side = |gone: char| -> String {
            let lines = shown.lines().skip(2);
            let kept = lines.filter(|line| !line.starts_with(['@', gone]));
            kept.map(|line| format!("{}\n", &line[1..])).collect()
        };
        // Few lines are the same, so that hardly any lies outside the hunks.
        assert!(side('-').len() > new.len() / 2 && side('+').len() > old.len() / 2);
    }
}
