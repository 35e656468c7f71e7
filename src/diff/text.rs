//! Two contents in, the lines of a unified diff out, with their colours. What is no text, or too much of it, is only named.

use std::time::Duration;

use similar::udiff::UnifiedHunkHeader;
use similar::{ChangeTag, DiffOp, TextDiff};

use crate::console::Colour;

/// A larger file is not shown, in bytes: nobody would read it.
pub const LARGEST: usize = 4 << 20;
/// After this long the differences found so far have to do; they are right, but may be more than needed.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many lines around a change are shown.
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

/// The diff of the file at `path`, `None` being no file. Of a larger one than [`LARGEST`] its beginning is enough.
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
    // Not by similar's own idea of lines, for which a lone carriage return ends one.
    let [from, to] = [from, to].map(|text| text.split_inclusive('\n').collect::<Vec<&str>>());
    let diff = TextDiff::configure()
        .timeout(PATIENCE)
        .diff_slices(&from, &to);
    for operations in diff.grouped_ops(CONTEXT) {
        add_hunk(&mut lines, &diff, &operations);
    }
    lines
}

fn add_hunk(lines: &mut Vec<Line>, diff: &TextDiff<'_, '_, str>, operations: &[DiffOp]) {
    if operations.is_empty() {
        return;
    }
    let header = UnifiedHunkHeader::new(operations).to_string();
    lines.push(line(Colour::Cyan, header));
    for change in operations.iter().flat_map(|op| diff.iter_changes(op)) {
        let (sign, colour) = match change.tag() {
            ChangeTag::Equal => (' ', None),
            ChangeTag::Delete => ('-', Some(Colour::Red)),
            ChangeTag::Insert => ('+', Some(Colour::Green)),
        };
        let value = change.value();
        let whole = value.strip_suffix('\n');
        let text = format!("{sign}{}", whole.unwrap_or(value));
        lines.push(Line { colour, text });
        if whole.is_none() {
            let text = "\\ No newline at end of file".to_owned();
            lines.push(Line { colour: None, text });
        }
    }
}

/// What can be shown: UTF-8 without a NUL.
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
