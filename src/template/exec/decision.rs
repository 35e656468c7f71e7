//! Tells a trace what a condition decides besides the block that it begins: the values of the
//! variables that its lists assign, and the rest of a loop that its lists leave.

use std::collections::BTreeSet;

use super::{Frame, FrameKind, State};
use crate::template::node::{Jump, List, Pipeline, Slot, jump_of, visit_pipelines};
use crate::template::trace::Trace;

impl<T: Trace> State<'_, '_, T> {
    /// Tells the trace which variables depend on a condition: those that its lists assign, whether
    /// these are executed or not.
    pub(super) fn decide<'l>(
        &mut self,
        lists: impl Iterator<Item = &'l List>,
        condition: &Pipeline,
    ) {
        if T::FOLLOWS {
            self.decide_slots(assigned(lists), condition);
        }
    }

    fn decide_slots(&mut self, slots: BTreeSet<Slot>, condition: &Pipeline) {
        for slot in slots {
            if let Some(Some((_, origin))) = self.vars.get_mut(self.base + slot) {
                *origin = self.trace.decided(origin, condition.span());
            }
        }
    }

    /// Tells the trace when the lists of a condition leave the loop that is around it, among so
    /// many frames, or its turn: what the loop does from here on depends on the condition, and so
    /// do the variables from outside that the loop assigns.
    pub(super) fn guard<'l>(
        &mut self,
        lists: impl Iterator<Item = &'l List>,
        condition: &Pipeline,
        depth: usize,
    ) {
        if !T::FOLLOWS {
            return;
        }
        let Some(jump) = lists.filter_map(jump_of).max() else {
            return;
        };
        let outer = self.frames.get(..depth).unwrap_or_default();
        let is_loop = |frame: &Frame<'_, T>| matches!(frame.kind, FrameKind::Loop(_));
        let Some(at) = outer.iter().rposition(is_loop) else {
            return;
        };
        let Some(FrameKind::Loop(turns)) = outer.get(at).map(|frame| &frame.kind) else {
            return;
        };
        let mut slots = assigned(std::iter::once(&turns.node.list));
        slots.retain(|slot| self.base + slot < turns.mark);
        let within = self.frames.len() - at - 1;
        let ends = jump == Jump::Break;
        self.trace.guards(condition.span(), within, ends);
        self.decide_slots(slots, condition);
    }
}

/// The variables that lists assign.
fn assigned<'l>(lists: impl Iterator<Item = &'l List>) -> BTreeSet<Slot> {
    let mut slots = BTreeSet::new();
    for list in lists {
        visit_pipelines(list, &mut |pipeline| {
            if pipeline.assign {
                slots.extend(pipeline.decl.iter().filter_map(|variable| variable.slot));
            }
        });
    }
    slots
}
