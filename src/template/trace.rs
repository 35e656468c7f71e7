//! The hooks by which a tool learns what each part of an output comes from.
//!
//! The executor is compiled for each kind of trace. What [`NoTrace`] does is nothing, and nothing
//! is what the compiler leaves of it: an agent pays neither time nor bytes. Places are closures, so
//! that they are not computed either.

use super::Value;
use super::lex::Span;

/// A witness of an execution.
///
/// It collects what one node of the template uses: variables and dot tell by [`Trace::uses`], and
/// the functions by a way of their own. What it collected is the origin of what the node writes,
/// keeps in a variable or passes on.
pub trait Trace {
    /// Where a value comes from, as far as it is known. Travels with variables and dot.
    type Origin: Clone;
    /// False for a trace that is told nothing of conditions beyond the blocks that begin.
    const FOLLOWS: bool = true;

    /// The origin of the data that the template is executed with.
    fn data(&mut self) -> Self::Origin;
    /// The next node, at this part of the text, begins: nothing is collected yet.
    fn begin(&mut self, node: impl FnOnce() -> Span);
    /// The node uses a variable, or dot, of this origin.
    fn uses(&mut self, origin: &Self::Origin);
    /// The origin of the node's value.
    fn origin(&mut self) -> Self::Origin;
    /// The origin of the node's value in a variable from outside the block: that the block was
    /// executed is part of it.
    fn assigned(&mut self) -> Self::Origin;
    /// The origin of a variable that some list assigns, after the node has decided whether that
    /// list is executed.
    fn decided(&mut self, origin: &Self::Origin, node: Span) -> Self::Origin;
    /// The node, at this part of the text, has written so many bytes.
    fn wrote(&mut self, node: impl FnOnce() -> Span, size: usize);
    /// A block begins because of the node: a condition, a range, a call of a template.
    fn enter(&mut self, node: impl FnOnce() -> Span);
    /// The innermost block, a range, goes on to this element of a value of that origin. Returns the
    /// element's own origin.
    fn turn(&mut self, origin: &Self::Origin, element: &Value) -> Self::Origin;
    /// The node has decided whether a range goes on: after this turn, if it `ends`, or else to the
    /// end of this turn. Within the range are so many blocks, which the node may have begun.
    fn guards(&mut self, node: Span, within: usize, ends: bool);
    /// The innermost block ends.
    fn leave(&mut self);
}

/// No trace at all.
pub(super) struct NoTrace;

impl Trace for NoTrace {
    type Origin = ();
    const FOLLOWS: bool = false;

    fn data(&mut self) {}
    fn begin(&mut self, _: impl FnOnce() -> Span) {}
    fn uses(&mut self, (): &()) {}
    fn origin(&mut self) {}
    fn assigned(&mut self) {}
    fn decided(&mut self, (): &(), _: Span) {}
    fn wrote(&mut self, _: impl FnOnce() -> Span, _: usize) {}
    fn enter(&mut self, _: impl FnOnce() -> Span) {}
    fn turn(&mut self, (): &(), _: &Value) {}
    fn guards(&mut self, _: Span, _: usize, _: bool) {}
    fn leave(&mut self) {}
}
