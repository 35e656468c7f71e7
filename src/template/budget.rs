//! The budget of one rendering: time in steps, memory in bytes, native stack in levels.
//!
//! The limits are far above what a configuration file needs; they only stop a template that would
//! never end.

use super::{CallError, Failure};

/// Nodes executed, turns of loops and the work of functions in one rendering: about five seconds on
/// the slowest machines in use.
pub const MAX_STEPS: u64 = 50_000_000;
/// Bytes of output and of values made in one rendering, in total.
pub const MAX_BYTES: u64 = 256 << 20;
/// Levels of native recursion that may be open at once: a parenthesis is one, a nested rendering
/// several. With the parser's own limit, what they need stays below 1.5 MiB even in a debug build;
/// a test thread has 2.
pub const MAX_DEPTH: u32 = 125;
/// The levels of a rendering, without those of its host.
pub(super) const RENDERING_DEPTH: u32 = 4;
/// Templates that may be in execution at once, each called by the one before: Go's own limit.
pub(super) const MAX_TEMPLATES: u32 = 100_000;

/// The rest of a rendering's budget, shared with nested renderings.
#[derive(Debug)]
pub struct Budget {
    /// Steps (nodes executed, loop turns, work of functions) left.
    pub steps: u64,
    /// Bytes of values and output that may still be made.
    pub bytes: u64,
    /// Levels of native recursion that may still be entered.
    pub depth: u32,
    /// Templates that may still be entered.
    pub templates: u32,
}

/// The limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// [`MAX_STEPS`]
    Steps,
    /// [`MAX_BYTES`]
    Bytes,
    /// [`MAX_DEPTH`], or [that of values](super::value::MAX_DEPTH).
    Depth,
    /// [`MAX_SIZE`](super::value::MAX_SIZE)
    Size,
}

impl Default for Budget {
    fn default() -> Self {
        Budget {
            steps: MAX_STEPS,
            bytes: MAX_BYTES,
            depth: MAX_DEPTH,
            templates: MAX_TEMPLATES,
        }
    }
}

impl Budget {
    /// Uses up `count` steps.
    pub fn spend_steps(&mut self, count: u64) -> Result<(), Limit> {
        self.steps = self.steps.checked_sub(count).ok_or(Limit::Steps)?;
        Ok(())
    }

    /// Uses up `count` bytes.
    pub fn spend_bytes(&mut self, count: usize) -> Result<(), Limit> {
        let left = self.bytes.checked_sub(count as u64);
        self.bytes = left.ok_or(Limit::Bytes)?;
        Ok(())
    }

    /// Enters a level of native recursion, to be followed by [`leave`](Budget::leave).
    pub fn enter(&mut self) -> Result<(), Limit> {
        self.enter_levels(1)
    }

    pub(super) fn enter_levels(&mut self, levels: u32) -> Result<(), Limit> {
        self.depth = self.depth.checked_sub(levels).ok_or(Limit::Depth)?;
        Ok(())
    }

    /// Leaves a level.
    pub fn leave(&mut self) {
        self.depth += 1;
    }
}

impl From<Limit> for CallError {
    fn from(limit: Limit) -> Self {
        CallError(Box::new(Failure::Limit(limit)))
    }
}
