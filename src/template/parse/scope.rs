//! The variables that are visible at a place in a template, and their places on the executor's
//! stack.
//!
//! Go keeps a list of names when it parses, and a stack of names and values when it executes; the
//! two differ in a few places, and what they say about them is different: an undeclared variable
//! does not parse, while one that was declared in another branch fails when it is executed. Both
//! are followed here, so that executing needs no names.

use crate::template::interner::Interner;
use crate::template::lex::Span;
use crate::template::node::Slot;

/// The state of the parser within one template. A definition or block in it gets its own.
#[derive(Debug)]
pub(super) struct Scope {
    /// The names that Go's parser accepts here.
    pub declared: Names,
    /// The names on the executor's stack here.
    pub stack: Names,
    /// The number of open ranges.
    pub ranges: u32,
    /// The innermost open block can have an `{{else with}}`.
    pub else_with: bool,
    /// Where the action begins that is being read, until one within it has ended.
    pub action: Option<usize>,
    /// The token that was read last.
    pub last: Span,
}

impl Scope {
    /// The scope of a template's first node: there is `$`.
    pub(super) fn new() -> Self {
        let mut scope = Scope {
            declared: Names::default(),
            stack: Names::default(),
            ranges: 0,
            else_with: false,
            action: None,
            last: Span { start: 0, end: 0 },
        };
        scope.declared.push(b"$");
        scope.stack.push(b"$");
        scope
    }
}

/// A push-down list of names, each of which hides an earlier one of the same name.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: Interner,
    /// By name, where it is in the list, the last time last.
    places: Vec<Vec<Slot>>,
    /// The list.
    order: Vec<usize>,
}

impl Names {
    /// Declares a name.
    pub(super) fn push(&mut self, name: &[u8]) -> Slot {
        let slot = self.order.len();
        let name = self.known.add(name);
        self.order.push(name);
        match self.places.get_mut(name) {
            Some(places) => places.push(slot),
            None => self.places.push(vec![slot]),
        }
        slot
    }

    /// The last declaration of a name.
    pub(super) fn find(&self, name: &[u8]) -> Option<Slot> {
        let name = self.known.get(name)?;
        self.places.get(name)?.last().copied()
    }

    /// The length of the list, to pop to.
    pub(super) fn mark(&self) -> usize {
        self.order.len()
    }

    /// Forgets what was declared since the mark.
    pub(super) fn pop(&mut self, mark: usize) {
        while self.order.len() > mark {
            if let Some(name) = self.order.pop()
                && let Some(places) = self.places.get_mut(name)
            {
                places.pop();
            }
        }
    }
}
