//! A file that is checked: its bytes, how it is shown, and the line and column of every place in
//! it.

use std::path::Path;

use super::code::Code;
use crate::config::table::Lines;
use crate::tools::finding::{Finding, Place};

/// UTF-8's byte order mark.
pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";

/// A file that was read.
#[derive(Debug)]
pub(super) struct Source {
    /// The path as shown: relative below the current directory.
    pub shown: String,
    pub bytes: Vec<u8>,
    lines: Lines,
}

impl Source {
    pub(super) fn new(path: &Path, bytes: Vec<u8>) -> Source {
        Source {
            shown: shown(path),
            lines: Lines::new(&bytes),
            bytes,
        }
    }

    /// A finding at an offset in the file.
    pub(super) fn finding(
        &self,
        offset: usize,
        code: Code,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Finding {
        code.at(self.place(offset), message, help)
    }

    /// The place of an offset in the file.
    pub(super) fn place(&self, offset: usize) -> Place {
        let (line, column) = self.position(offset);
        Place {
            file: self.shown.clone(),
            line,
            column,
        }
    }

    /// The line of an offset, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.lines.line(offset.min(self.bytes.len()))
    }

    /// The line and the column in characters, both from 1. A mark at the beginning takes no column.
    fn position(&self, offset: usize) -> (usize, usize) {
        let offset = offset.min(self.bytes.len());
        let start = self.lines.start(offset);
        let on_line = self.bytes.get(start..offset).unwrap_or_default();
        let on_line = match start {
            0 => on_line.strip_prefix(MARK).unwrap_or(on_line),
            _ => on_line,
        };
        let line = self.lines.line(offset);
        (line, String::from_utf8_lossy(on_line).chars().count() + 1)
    }
}

/// A path as people see it: below the current directory without it.
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let below = here.and_then(|here| path.strip_prefix(here).ok());
    let below = below.or_else(|| path.strip_prefix(".").ok());
    below.unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let source = Source::new(Path::new("a"), "\u{feff}ab\nä中x\n".into());
        for (offset, want) in [
            (0, (1, 1)),
            (3, (1, 1)),
            (5, (1, 3)),
            (6, (2, 1)),
            (8, (2, 2)),
            (11, (2, 3)),
            (99, (3, 1)),
        ] {
            assert_eq!(source.position(offset), want, "{offset}");
        }
    }
}
