//! The instructions of an expression, and how its operators combine them.
//!
//! Code goes on with the next instruction unless it says otherwise, and jumps are relative: so a
//! piece can be copied, and pieces can be put one behind the other.

/// A place to go to, relative to the instruction.
type Offset = i32;

/// One instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inst {
    /// Takes this character.
    Char(u32),
    /// Takes a character of the class with this number.
    Class(u32),
    /// Takes any character.
    Any,
    /// Takes any character except a newline.
    AnyButNewline,
    /// Goes on at two places, the first preferred.
    Split(Offset, Offset),
    /// Goes on elsewhere.
    Jump(Offset),
    /// Remembers the place in the string, in the slot with this number.
    Save(u32),
    /// Goes on only where this holds.
    Assert(Assertion),
    /// The expression matches.
    Match,
}

/// A condition on a place in the string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Assertion {
    BeginText,
    EndText,
    BeginLine,
    EndLine,
    WordBoundary,
    NoWordBoundary,
}

/// Code for a piece of the expression.
pub(super) type Code = Vec<Inst>;

/// How often an operand may occur.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repeat {
    pub(super) min: u32,
    /// Any number when there is none.
    pub(super) max: Option<u32>,
    pub(super) greedy: bool,
    /// True if the operand may match nothing.
    pub(super) nullable: bool,
}

fn offset(length: usize) -> Offset {
    Offset::try_from(length).unwrap_or(Offset::MAX)
}

impl Repeat {
    /// The instructions that [`apply`](Repeat::apply) will make of an operand of this many.
    pub(super) fn size(self, operand: usize) -> usize {
        let copies = match self.max {
            Some(max) => max,
            None => self.min.max(1),
        };
        let copies = usize::try_from(copies).unwrap_or(usize::MAX);
        operand.saturating_add(2).saturating_mul(copies)
    }

    /// The operand repeated: `x{2,4}` is `xx(x(x)?)?`, `x{2,}` is `xx+`.
    pub(super) fn apply(self, operand: &[Inst]) -> Code {
        let mut code = Code::new();
        let required = match self.max {
            Some(_) => self.min,
            None => self.min.saturating_sub(1),
        };
        for _ in 0..required {
            code.extend_from_slice(operand);
        }
        match self.max {
            Some(max) => self.push_optional(&mut code, operand, max.saturating_sub(self.min)),
            None if self.min > 0 => self.push_plus(&mut code, operand),
            None if self.nullable => {
                // Go's (x+)?: the loop comes after the first turn, whatever that took.
                code.push(self.split(1, operand.len() + 2));
                self.push_plus(&mut code, operand);
            }
            None => {
                code.push(self.split(1, operand.len() + 2));
                code.extend_from_slice(operand);
                code.push(Inst::Jump(-offset(operand.len() + 1)));
            }
        }
        code
    }

    fn push_plus(self, code: &mut Code, operand: &[Inst]) {
        code.extend_from_slice(operand);
        let back = -offset(operand.len());
        code.push(if self.greedy {
            Inst::Split(back, 1)
        } else {
            Inst::Split(1, back)
        });
    }

    fn push_optional(self, code: &mut Code, operand: &[Inst], times: u32) {
        let each = operand.len() + 1;
        for left in (1..=times).rev() {
            let end = usize::try_from(left).unwrap_or(0).saturating_mul(each);
            code.push(self.split(1, end));
            code.extend_from_slice(operand);
        }
    }

    /// Into the operand or past it.
    fn split(self, operand: usize, past: usize) -> Inst {
        let (operand, past) = (offset(operand), offset(past));
        if self.greedy {
            Inst::Split(operand, past)
        } else {
            Inst::Split(past, operand)
        }
    }
}

/// One of several, the first preferred.
pub(super) fn alternate(branches: Vec<Code>) -> Code {
    let mut rest: usize = branches.iter().map(|branch| branch.len() + 2).sum();
    // The last branch needs neither a split before it nor a jump behind it.
    rest = rest.saturating_sub(2);
    let last = branches.len().saturating_sub(1);
    let mut code = Code::with_capacity(rest);
    for (index, branch) in branches.into_iter().enumerate() {
        if index == last {
            code.extend(branch);
            break;
        }
        rest -= branch.len() + 2;
        code.push(Inst::Split(1, offset(branch.len() + 2)));
        code.extend(branch);
        code.push(Inst::Jump(offset(rest + 1)));
    }
    code
}
