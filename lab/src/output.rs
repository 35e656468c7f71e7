//! A rendered file as lines of pieces, each with its origin, for the page.
//!
//! Origins are numbers into lists that are sent once. Places in templates are offsets in UTF-16, as
//! JavaScript counts.

use std::collections::BTreeMap;

use app_agent::resource::provenance::{Part, Provenance, Set};
use serde_json::{Value as Json, json};

/// More of a file is not shown, in bytes: nobody would read it.
const LARGEST: usize = 4 << 20;

/// The lines of a content without origins.
pub(crate) fn plain(content: &[u8]) -> Json {
    let parts = Parts {
        content,
        parts: std::iter::once((content.len(), 0)),
    };
    json!({"lines": parts.lines(), "truncated": content.len() > LARGEST})
}

/// The lines of a content with their origins, and the lists that these refer to.
pub(crate) fn traced(content: &[u8], provenance: &Provenance) -> Json {
    let texts: Vec<Text> = provenance
        .templates
        .iter()
        .map(|one| Text::new(&one.text))
        .collect();
    let place = |template: usize, start: usize, end: usize| {
        let text = texts.get(template);
        let at = |offset| text.map_or(0, |text| text.units(offset));
        (template, at(start), at(end))
    };
    let mut origins: BTreeMap<(usize, usize, usize, usize, usize), usize> = BTreeMap::new();
    let mut list = Vec::new();
    let parts = provenance.parts.iter().map(|part| {
        let Part {
            template,
            node,
            reads,
            cause,
            ..
        } = part;
        let known = (*template, node.start, node.end, *reads, *cause);
        let origin = *origins.entry(known).or_insert_with(|| {
            let (template, start, end) = place(*template, node.start, node.end);
            list.push(json!([template, start, end, reads, cause]));
            list.len() - 1
        });
        (part.end, origin)
    });
    let lines = Parts { content, parts }.lines();
    let causes = provenance.causes.iter().map(|cause| {
        let (template, start, end) = place(cause.template, cause.node.0, cause.node.1);
        json!([template, start, end, cause.reads, cause.outer])
    });
    let reads = provenance.reads.iter();
    json!({
        "lines": lines,
        "truncated": content.len() > LARGEST,
        "origins": list,
        "causes": causes.collect::<Vec<_>>(),
        "sets": provenance.sets.iter().map(show_set).collect::<Vec<_>>(),
        "resource": provenance.resource,
        "reads": reads.map(|read| json!([read.function, read.argument, read.keys])).collect::<Vec<_>>(),
        "templates": provenance.templates.iter().map(|one| json!({
            "name": one.name,
            "text": String::from_utf8_lossy(&one.text),
        })).collect::<Vec<_>>(),
    })
}

/// The reads of a set; and other sets that are in it, as negative numbers: none is in the empty
/// one.
fn show_set(set: &Set) -> Json {
    let reads = set.reads.iter().map(|read| json!(read));
    let sets = set
        .sets
        .iter()
        .filter_map(|set| i64::try_from(*set).ok())
        .map(|set| json!(-set));
    reads.chain(sets).collect()
}

/// A content and its parts: the end of each, and a number.
struct Parts<'c, I> {
    content: &'c [u8],
    parts: I,
}

impl<I: Iterator<Item = (usize, usize)>> Parts<'_, I> {
    /// The lines without their ends: a text and a number for each piece, one after the other.
    fn lines(self) -> Vec<Vec<Json>> {
        let mut lines = vec![Vec::new()];
        let mut start = 0;
        for (end, number) in self.parts {
            let end = end.min(LARGEST);
            let part = self.content.get(start..end).unwrap_or_default();
            start = end;
            for (index, piece) in part.split(|byte| *byte == b'\n').enumerate() {
                if index > 0 {
                    lines.push(Vec::new());
                }
                if let (false, Some(line)) = (piece.is_empty(), lines.last_mut()) {
                    line.push(String::from_utf8_lossy(piece).into());
                    line.push(number.into());
                }
            }
        }
        // What follows the last line feed is no line, unless something is there.
        if lines.last().is_some_and(Vec::is_empty) {
            lines.pop();
        }
        lines
    }
}

/// A text and the lengths of its beginnings.
struct Text {
    /// For each byte, the UTF-16 units before it. Offsets are asked for in any order.
    before: Vec<u32>,
}

impl Text {
    fn new(bytes: &[u8]) -> Text {
        let mut before = Vec::with_capacity(bytes.len() + 1);
        let mut units = 0;
        for chunk in bytes.utf8_chunks() {
            for found in chunk.valid().chars() {
                before.extend(std::iter::repeat_n(units, found.len_utf8()));
                units += if found.len_utf16() == 2 { 2 } else { 1 };
            }
            before.extend(chunk.invalid().iter().map(|_| units));
            units += u32::from(!chunk.invalid().is_empty());
        }
        before.push(units);
        Text { before }
    }

    fn units(&self, offset: usize) -> u32 {
        let last = self.before.last().copied().unwrap_or_default();
        self.before.get(offset).copied().unwrap_or(last)
    }
}

/// The first lines of a content that are replaced, for a diff: at which line, how many there are,
/// and the texts of those that they replace. None where there is nothing to compare.
pub(crate) fn changes(before: &[u8], after: &[u8]) -> Option<Json> {
    let changes = app_agent::tools::diff::text::changes(before, after)?;
    let old = str::from_utf8(before).ok()?;
    let old: Vec<&str> = old.lines().collect();
    let changes = changes.iter().map(|change| {
        json!({
            "at": change.new.start,
            "count": change.new.len(),
            "removed": old.get(change.old.clone()).unwrap_or_default(),
        })
    });
    Some(changes.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_numbers_of_their_parts() {
        let parts = Parts {
            content: b"ab\ncd\n\nef",
            parts: [(1, 0), (4, 1), (9, 2)].into_iter(),
        };
        assert_eq!(
            json!(parts.lines()),
            json!([["a", 0, "b", 1], ["c", 1, "d", 2], [], ["ef", 2]])
        );
        assert_eq!(plain(b"")["lines"], json!([]));
        assert_eq!(plain(b"a\n")["lines"], json!([["a", 0]]));
    }

    #[test]
    fn offsets_are_those_of_javascript() {
        let text = Text::new("a中😀\u{0}b".as_bytes());
        let units = [0, 1, 4, 8, 9, 10, 99].map(|offset| text.units(offset));
        assert_eq!(units, [0, 1, 2, 4, 5, 6, 6]);
        assert_eq!(Text::new(b"\xff\xfeb").units(2), 2);
    }
}
