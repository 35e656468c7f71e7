//! Where the texts of one tree stand in another one that was made after it.

use super::{Span, small};

/// Parts of the older text, sorted by their places in it, none of which overlap.
#[derive(Default)]
pub(super) struct Carried {
    parts: Vec<Part>,
    /// The part in which a text was found last.
    near: usize,
}

/// A part of the older text, and its place in the newer one.
struct Part {
    older: Span,
    newer: u32,
}

impl Part {
    fn find(&self, span: Span) -> Option<Span> {
        let by = self.newer.wrapping_sub(self.older.start);
        self.older.holds(span).then(|| span.moved(by))
    }
}

impl Carried {
    /// The place of an older text in the newer one.
    pub(super) fn find(&mut self, span: Span) -> Option<Span> {
        if let Some(found) = self.parts.get(self.near).and_then(|part| part.find(span)) {
            return Some(found);
        }
        self.near = self.after(span).checked_sub(1)?;
        self.parts.get(self.near)?.find(span)
    }

    /// Notes the place of an older text.
    pub(super) fn insert(&mut self, older: Span, newer: usize) {
        let (at, newer) = (self.after(older), small(newer));
        let before = at.checked_sub(1).and_then(|at| self.parts.get_mut(at));
        match before {
            Some(part)
                if part.older.end() == older.start as usize
                    && part.newer + part.older.len == newer =>
            {
                part.older.len += older.len;
            }
            _ => self.parts.insert(at, Part { older, newer }),
        }
    }

    /// The number of parts that begin at a text or before it.
    fn after(&self, span: Span) -> usize {
        self.parts
            .partition_point(|part| part.older.start <= span.start)
    }
}
