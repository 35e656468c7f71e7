//! Matching: all alternatives at once, character by character (Pike's machine), so that the time is
//! bounded by the length of the string times the size of the program, and the match is the one that
//! Perl would find first.

use super::Regexp;
use super::program::{Assertion, Inst};
use crate::go::utf8;

/// No place: the slot has not been passed.
const NONE: usize = usize::MAX;

/// The match needs more steps than there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfSteps;

/// The instructions that are made ready for a search in the time of one step.
const INSTRUCTIONS_A_STEP: usize = 64;

/// The threads at one place in the string, by priority.
#[derive(Default)]
struct Threads {
    /// The turn in which each instruction was last visited.
    visited: Vec<u32>,
    turn: u32,
    /// The instructions that wait for a character, or match.
    order: Vec<u32>,
    /// The slots of each thread in `order`.
    slots: Vec<usize>,
}

impl Threads {
    fn new(instructions: usize) -> Threads {
        Threads {
            visited: vec![0; instructions],
            turn: 1,
            order: Vec::new(),
            slots: Vec::new(),
        }
    }

    /// True if an instruction is visited for the first time in this turn.
    fn visit(&mut self, at: usize) -> bool {
        let turn = self.turn;
        self.visited
            .get_mut(at)
            .is_some_and(|visited| std::mem::replace(visited, turn) != turn)
    }

    fn clear(&mut self) {
        self.turn += 1;
        self.order.clear();
        self.slots.clear();
    }
}

/// The tasks on the way through the instructions that take no character.
enum Task {
    Visit(usize),
    /// Puts a slot back, once what came after saving it has been visited.
    Restore(usize, usize),
}

/// The searches of one expression in one string.
pub(super) struct Machine<'r, 't, 's> {
    regexp: &'r Regexp,
    text: &'t [u8],
    steps: &'s mut u64,
    /// The number of slots that are wanted.
    wanted: usize,
    now: Threads,
    after: Threads,
    tasks: Vec<Task>,
    scratch: Vec<usize>,
}

/// A place in the string, and the characters around it: none at the ends.
#[derive(Clone, Copy)]
struct Place {
    at: usize,
    before: Option<char>,
    next: Option<char>,
}

impl<'r, 't, 's> Machine<'r, 't, 's> {
    /// A machine that fills `wanted` slots at most, and takes the steps that it needs from `steps`.
    pub(super) fn new(
        regexp: &'r Regexp,
        text: &'t [u8],
        wanted: usize,
        steps: &'s mut u64,
    ) -> Result<Machine<'r, 't, 's>, OutOfSteps> {
        let instructions = regexp.code.len();
        let mut machine = Machine {
            regexp,
            text,
            steps,
            wanted,
            now: Threads::new(instructions),
            after: Threads::new(instructions),
            tasks: Vec::new(),
            scratch: vec![NONE; wanted],
        };
        machine.spend(instructions / INSTRUCTIONS_A_STEP)?;
        Ok(machine)
    }

    /// The first match at or after `start`: the places where each group begins and ends, the whole
    /// match being the first.
    pub(super) fn search(&mut self, start: usize) -> Result<Option<Vec<usize>>, OutOfSteps> {
        let mut now = std::mem::take(&mut self.now);
        let mut after = std::mem::take(&mut self.after);
        now.clear();
        after.clear();
        let found = self.run(start, &mut now, &mut after);
        (self.now, self.after) = (now, after);
        found
    }

    fn run(
        &mut self,
        start: usize,
        now: &mut Threads,
        after: &mut Threads,
    ) -> Result<Option<Vec<usize>>, OutOfSteps> {
        let mut found = None;
        let mut at = start;
        loop {
            if now.order.is_empty() {
                match self.next_start(at).filter(|_| found.is_none()) {
                    Some(next) => at = next,
                    None => return Ok(found),
                }
            }
            let (next, width) = self.next(at);
            if found.is_none() {
                self.scratch.fill(NONE);
                let before = self.text.get(..at).and_then(last_char);
                self.add(now, 0, Place { at, before, next })?;
            }
            self.spend(now.order.len())?;
            let place = Place {
                at: at + width,
                before: next,
                next: self.next(at + width).0,
            };
            if let Some(slots) = self.step(now, after, place)? {
                found = Some(slots);
            }
            std::mem::swap(now, after);
            after.clear();
            if next.is_none() || (found.is_some() && self.wanted == 0) {
                return Ok(found);
            }
            at += width;
        }
    }

    /// The next place where a match can begin; none when there is none.
    fn next_start(&mut self, at: usize) -> Option<usize> {
        if self.regexp.anchored && at > 0 {
            return None;
        }
        let Some(first) = &self.regexp.first else {
            return Some(at);
        };
        let skipped = first.position(self.text.get(at..)?)?;
        Some(at + skipped)
    }

    /// Lets every thread take the character before `place`; returns the slots of the one that
    /// matches before it.
    fn step(
        &mut self,
        now: &Threads,
        after: &mut Threads,
        place: Place,
    ) -> Result<Option<Vec<usize>>, OutOfSteps> {
        for (thread, instruction) in now.order.iter().enumerate() {
            let instruction = *instruction as usize;
            let slots = thread * self.wanted..(thread + 1) * self.wanted;
            let slots = now.slots.get(slots).unwrap_or_default();
            if self.takes(instruction, place.before) {
                self.scratch.copy_from_slice(slots);
                self.add(after, instruction + 1, place)?;
            } else if let Some(Inst::Match) = self.regexp.code.get(instruction) {
                // The threads after it have a lower priority.
                return Ok(Some(slots.to_vec()));
            }
        }
        Ok(None)
    }

    fn spend(&mut self, steps: usize) -> Result<(), OutOfSteps> {
        let left = self.steps.checked_sub(steps as u64 + 1);
        *self.steps = left.ok_or(OutOfSteps)?;
        Ok(())
    }

    /// The character at a place and its width; none at the end.
    fn next(&self, at: usize) -> (Option<char>, usize) {
        match utf8::decode(self.text.get(at..).unwrap_or_default()) {
            (_, 0) => (None, 0),
            (found, width) => (Some(found), width),
        }
    }

    fn takes(&self, instruction: usize, next: Option<char>) -> bool {
        let Some(next) = next.map(u32::from) else {
            return false;
        };
        match self.regexp.code.get(instruction) {
            Some(Inst::Char(code)) => *code == next,
            Some(Inst::Class(index)) => {
                let class = self.regexp.classes.get(*index as usize);
                class.is_some_and(|class| class.contains(next))
            }
            Some(Inst::Any) => true,
            Some(Inst::AnyButNewline) => next != u32::from('\n'),
            _ => false,
        }
    }

    /// Adds the threads that an instruction leads to without taking a character; `scratch` has its
    /// slots.
    fn add(
        &mut self,
        threads: &mut Threads,
        instruction: usize,
        place: Place,
    ) -> Result<(), OutOfSteps> {
        self.tasks.push(Task::Visit(instruction));
        while let Some(task) = self.tasks.pop() {
            match task {
                Task::Restore(slot, old) => {
                    if let Some(slot) = self.scratch.get_mut(slot) {
                        *slot = old;
                    }
                }
                Task::Visit(at) if threads.visit(at) => {
                    self.spend(0)?;
                    if !self.follow(at, place) {
                        threads.order.push(at as u32);
                        threads.slots.extend_from_slice(&self.scratch);
                    }
                }
                Task::Visit(_) => {}
            }
        }
        Ok(())
    }

    /// Goes on behind an instruction that takes no character; false for one that does, or matches.
    fn follow(&mut self, at: usize, place: Place) -> bool {
        let target = |offset: i32| Task::Visit(at.saturating_add_signed(offset as isize));
        match self.regexp.code.get(at) {
            Some(Inst::Jump(offset)) => self.tasks.push(target(*offset)),
            Some(Inst::Split(first, second)) => {
                self.tasks.extend([target(*second), target(*first)]);
            }
            Some(Inst::Assert(assertion)) => {
                if assertion.holds(place.before, place.next) {
                    self.tasks.push(target(1));
                }
            }
            Some(Inst::Save(slot)) => {
                let slot = *slot as usize;
                if let Some(kept) = self.scratch.get_mut(slot) {
                    let old = std::mem::replace(kept, place.at);
                    self.tasks.push(Task::Restore(slot, old));
                }
                self.tasks.push(target(1));
            }
            _ => return false,
        }
        true
    }
}

impl Assertion {
    /// True if it holds between two characters, or an end of the string.
    fn holds(self, before: Option<char>, next: Option<char>) -> bool {
        let is_word = |found: Option<char>| {
            found.is_some_and(|found| found == '_' || found.is_ascii_alphanumeric())
        };
        match self {
            Assertion::BeginText => before.is_none(),
            Assertion::EndText => next.is_none(),
            Assertion::BeginLine => before.is_none_or(|before| before == '\n'),
            Assertion::EndLine => next.is_none_or(|next| next == '\n'),
            Assertion::WordBoundary => is_word(before) != is_word(next),
            Assertion::NoWordBoundary => is_word(before) == is_word(next),
        }
    }
}

/// The last character of a string.
fn last_char(text: &[u8]) -> Option<char> {
    let start = text.len().saturating_sub(4);
    let tails = (start..text.len()).filter_map(|from| text.get(from..));
    let mut whole = tails.filter_map(|tail| match utf8::decode(tail) {
        (found, width) if width == tail.len() => Some(found),
        _ => None,
    });
    whole.next()
}
