//! Where parts of one tree's text, or of its names, stand in another tree that was made after it.

use super::{Span, small};

/// Parts of the older one, sorted by their places in it; no two overlap.
#[derive(Default)]
pub(super) struct Carried {
    parts: Vec<Part>,
    /// The one in which a place was found last.
    near: usize,
}

/// A part of the older one, never empty, and where it begins in the newer one.
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
    /// Where a part of the older one is in the newer one.
    pub(super) fn find(&mut self, span: Span) -> Option<Span> {
        if let Some(found) = self.parts.get(self.near).and_then(|part| part.find(span)) {
            return Some(found);
        }
        self.near = self.after(span).checked_sub(1)?;
        self.parts.get(self.near)?.find(span)
    }

    /// Notes where a part of the older one begins in the newer one.
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

    /// The number of parts that begin where this one does, or before.
    fn after(&self, span: Span) -> usize {
        self.parts
            .partition_point(|part| part.older.start <= span.start)
    }
}
