//! A block: the lines between two marker comments of a file that otherwise belongs to others.
//!
//! ```text
//! 127.0.0.1 localhost
//! # BEGIN confd cluster
//! 10.0.0.1 node-1
//! # END confd cluster
//! ```
//!
//! Bytes in, bytes out: the lines around the block stay byte for byte, and its own get the line
//! ends of the file.

use crate::config::table::Table;
use crate::error::Result;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The block of a resource: its marker lines, and where it is added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The marker line before it, without a line end.
    pub begin: String,
    /// The marker line behind it.
    pub end: String,
    /// It is added at the beginning of the file.
    pub is_first: bool,
}

impl Block {
    /// The block that a resource says, if it says one.
    pub(super) fn load(table: &Table) -> Result<Option<Block>> {
        let name = table.string("block")?;
        let comment = table.string("comment")?.unwrap_or_else(|| "#".to_owned());
        let insert = table.string("insert")?;
        let is_line = |text: &str| {
            !text.is_empty() && text.trim() == text && !text.chars().any(char::is_control)
        };
        if !is_line(&comment) {
            return Err(table.error("comment", "must be the sign of a comment, such as \"#\""));
        }
        let is_first = match insert.as_deref() {
            None | Some("end") => false,
            Some("begin") => true,
            Some(_) => return Err(table.error("insert", "must be \"begin\" or \"end\"")),
        };
        let Some(name) = name else {
            return Ok(None);
        };
        if !is_line(&name) {
            let must = "must be a name: one line, without white space around it";
            return Err(table.error("block", must));
        }
        // Such as <!-- -->.
        let (open, close) = comment.split_once(' ').unwrap_or_else(|| match &*comment {
            "<!--" => ("<!--", "-->"),
            "/*" => ("/*", "*/"),
            open => (open, ""),
        });
        let marker = |word| {
            format!("{open} {word} confd {name} {close}")
                .trim_end()
                .to_owned()
        };
        Ok(Some(Block {
            begin: marker("BEGIN"),
            end: marker("END"),
            is_first,
        }))
    }

    /// The file with this content in its block; without the block if there is none. The error says
    /// what is wrong with the markers.
    pub(super) fn put(&self, file: &[u8], content: &[u8]) -> Result<Vec<u8>, String> {
        let is_empty = content.trim_ascii().is_empty();
        if lines(content).any(|line| self.is_marker(line)) {
            let begin = &self.begin;
            return Err(format!("its new content has a marker line, {begin:?}"));
        }
        let (before, after) = match self.find(file)? {
            Some(((before, _), (_, after))) => (before, after),
            None if is_empty => return Ok(file.to_vec()),
            None if self.is_first => (start(file), start(file)),
            None => (file.len(), file.len()),
        };
        let (before, after) = (file.get(..before), file.get(after..));
        let mut new = before.unwrap_or_default().to_vec();
        if !is_empty {
            let first = lines(file).next().unwrap_or_default();
            let eol: &[u8] = if first.ends_with(b"\r\n") {
                b"\r\n"
            } else {
                b"\n"
            };
            if !new.is_empty() && new != BOM && !new.ends_with(b"\n") {
                new.extend_from_slice(eol);
            }
            let body = lines(content).map(|line| {
                let line = line.strip_suffix(b"\n").unwrap_or(line);
                line.strip_suffix(b"\r").unwrap_or(line)
            });
            let (begin, end) = (self.begin.as_bytes(), self.end.as_bytes());
            for line in [begin].into_iter().chain(body).chain([end]) {
                new.extend_from_slice(line);
                new.extend_from_slice(eol);
            }
        }
        new.extend_from_slice(after.unwrap_or_default());
        Ok(new)
    }

    /// The lines between the markers; none without the block.
    pub(super) fn lines<'f>(&self, file: &'f [u8]) -> Result<Option<&'f [u8]>, String> {
        let found = self.find(file)?;
        Ok(found.and_then(|((_, inside), (close, _))| file.get(inside..close)))
    }

    /// Where the marker lines begin and end.
    fn find(&self, file: &[u8]) -> Result<Option<(Span, Span)>, String> {
        match (place(file, &self.begin)?, place(file, &self.end)?) {
            (Some(begin), Some(end)) if begin.1 <= end.0 => Ok(Some((begin, end))),
            (Some(_), Some(_)) => Err("its END marker stands before BEGIN".to_owned()),
            (Some(_), None) => Err("its END marker is missing".to_owned()),
            (None, Some(_)) => Err("its BEGIN marker is missing".to_owned()),
            (None, None) => Ok(None),
        }
    }

    fn is_marker(&self, line: &[u8]) -> bool {
        let line = line.trim_ascii();
        line == self.begin.as_bytes() || line == self.end.as_bytes()
    }
}

/// The places in a file where something begins and ends.
type Span = (usize, usize);

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

/// Where the line of a marker begins and ends; none if it is missing.
fn place(file: &[u8], marker: &str) -> Result<Option<Span>, String> {
    let (mut at, mut found) = (0, None);
    for line in lines(file) {
        let text = line.strip_prefix(BOM).filter(|_| at == 0).unwrap_or(line);
        let start = at + line.len() - text.len();
        at += line.len();
        if text.trim_ascii() == marker.as_bytes() && found.replace((start, at)).is_some() {
            return Err(format!("its marker line {marker:?} stands there twice"));
        }
    }
    Ok(found)
}

/// The first place for a line: behind a byte order mark and the line that names an interpreter.
fn start(file: &[u8]) -> usize {
    if file.starts_with(b"#!") {
        lines(file).next().map_or(0, <[u8]>::len)
    } else if file.starts_with(BOM) {
        BOM.len()
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(is_first: bool) -> Block {
        Block {
            begin: "# BEGIN confd x".to_owned(),
            end: "# END confd x".to_owned(),
            is_first,
        }
    }

    fn put(file: &str, content: &str) -> Result<String, String> {
        let new = block(false).put(file.as_bytes(), content.as_bytes())?;
        Ok(String::from_utf8(new).unwrap())
    }

    #[test]
    fn a_block_is_added_changed_and_removed_and_nothing_else() {
        let with = |text: &str| format!("a\n# BEGIN confd x\n{text}# END confd x\n");
        for (file, content, wanted) in [
            ("a\n", "1\n", with("1\n")),
            ("a", "1", with("1\n")),
            (&with("1\n"), "2\n3\n", with("2\n3\n")),
            (&with("1\n"), "1", with("1\n")),
            (&(with("1\n") + "b"), "2\n", with("2\n") + "b"),
            (&(with("") + "b\r\n\0"), "2", with("2\n") + "b\r\n\0"),
            (&with("1\n"), " \n", "a\n".to_owned()),
            ("a", "", "a".to_owned()),
            ("", "1", "# BEGIN confd x\n1\n# END confd x\n".to_owned()),
            (
                "a\r\nb\r\n",
                "1\n2\r\n",
                "a\r\nb\r\n# BEGIN confd x\r\n1\r\n2\r\n# END confd x\r\n".to_owned(),
            ),
            (
                "a\n  # BEGIN confd x\t\nold\n# END confd x\r\nb\n",
                "1",
                with("1\n") + "b\n",
            ),
        ] {
            assert_eq!(put(file, content), Ok(wanted), "{file:?} {content:?}");
        }
    }

    #[test]
    fn a_block_at_the_beginning_comes_after_what_must_come_first() {
        let text = "# BEGIN confd x\n1\n# END confd x\n";
        for (file, before, after) in [
            ("a\n", "", "a\n"),
            ("#!/bin/sh\na\n", "#!/bin/sh\n", "a\n"),
            ("#!/bin/sh", "#!/bin/sh\n", ""),
            ("\u{feff}a\n", "\u{feff}", "a\n"),
        ] {
            let new = block(true).put(file.as_bytes(), b"1").unwrap();
            let wanted = format!("{before}{text}{after}");
            assert_eq!(String::from_utf8(new.clone()).unwrap(), wanted, "{file:?}");
            assert_eq!(block(true).put(&new, b"1").unwrap(), new, "{file:?}");
        }
    }

    #[test]
    fn damaged_markers_are_an_error() {
        for (file, content, words) in [
            ("# BEGIN confd x\n", "1", "END marker is missing"),
            ("# END confd x\n", "1", "BEGIN marker is missing"),
            ("# END confd x\n# BEGIN confd x", "", "before BEGIN"),
            (
                "# BEGIN confd x\n# BEGIN confd x\n# END confd x\n",
                "1",
                "twice",
            ),
            (
                "# BEGIN confd x\n# END confd x\n# END confd x",
                "1",
                "twice",
            ),
            ("", "a\n# END confd x\n", "new content has a marker line"),
        ] {
            let error = put(file, content).unwrap_err();
            assert!(error.contains(words), "{file:?}: {error}");
        }
    }
}
