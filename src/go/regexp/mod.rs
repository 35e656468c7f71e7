//! Go's package regexp: its syntax, its error messages, its matches, on strings of any bytes.
//!
//! `parse` reads an expression and makes a program, `exec` runs it. Every search takes a number of
//! steps that it may use: every expression ends.

mod class;
mod exec;
mod first;
mod parse;
mod program;
#[cfg(test)]
mod tests;

use std::fmt;

use super::{unicode, utf8};
use class::Class;
use exec::Machine;
use first::FirstBytes;
use program::Code;

pub use exec::OutOfSteps;

/// Go's `*syntax.Error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    problem: &'static str,
    /// The part of the expression that is wrong.
    part: String,
}

impl Error {
    fn new(problem: &'static str, part: &str) -> Error {
        let part = part.to_owned();
        Error { problem, part }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Error { problem, part } = self;
        write!(f, "error parsing regexp: {problem}: `{part}`")
    }
}

impl std::error::Error for Error {}

/// A compiled expression.
#[derive(Debug)]
pub struct Regexp {
    code: Code,
    classes: Vec<Class>,
    /// The groups' names, by number; the whole match is group 0.
    names: Vec<Option<String>>,
    /// True if a match can only begin where the string begins.
    anchored: bool,
    /// The bytes with which every match begins, if they are known.
    first: Option<FirstBytes>,
}

impl Regexp {
    /// `regexp.Compile`.
    pub fn new(pattern: &[u8]) -> Result<Regexp, Error> {
        match std::str::from_utf8(pattern) {
            Ok(pattern) => parse::parse(pattern),
            Err(error) => {
                let rest = pattern.get(error.valid_up_to()..).unwrap_or_default();
                Err(Error::new("invalid UTF-8", &String::from_utf8_lossy(rest)))
            }
        }
    }

    /// The number of instructions: each may take a step for every character of a string.
    pub fn size(&self) -> usize {
        self.code.len()
    }

    /// `Regexp.Match`: whether it matches anywhere in the string.
    pub fn is_match(&self, text: &[u8], steps: &mut u64) -> Result<bool, OutOfSteps> {
        Ok(Machine::new(self, text, 0, steps)?.search(0)?.is_some())
    }

    /// `Regexp.Find`: the first match.
    pub fn find<'t>(
        &self,
        text: &'t [u8],
        steps: &mut u64,
    ) -> Result<Option<&'t [u8]>, OutOfSteps> {
        let found = Machine::new(self, text, 2, steps)?.search(0)?;
        Ok(found.and_then(|slots| group(text, &slots, 0)))
    }

    /// `Regexp.ReplaceAll`: `$1` and `${name}` in the replacement stand for groups. No more than
    /// `limit` bytes.
    pub fn replace_all(
        &self,
        text: &[u8],
        replacement: &[u8],
        limit: usize,
        steps: &mut u64,
    ) -> Result<Vec<u8>, OutOfSteps> {
        let mut machine = Machine::new(self, text, 2 * self.names.len(), steps)?;
        let mut out = Vec::new();
        let (mut copied, mut at) = (0, 0);
        while at <= text.len() && out.len() <= limit {
            let Some(slots) = machine.search(at)? else {
                break;
            };
            let [start, end, ..] = slots[..] else { break };
            out.extend_from_slice(text.get(copied..start).unwrap_or_default());
            // An empty match right behind another one does not count.
            if end > copied || start == 0 {
                self.expand(replacement, text, &slots, &mut out);
            }
            copied = end;
            let (_, width) = utf8::decode(text.get(at..).unwrap_or_default());
            at = end.max(at + width.max(1));
        }
        out.extend_from_slice(text.get(copied..).unwrap_or_default());
        Ok(out)
    }

    /// `Regexp.Expand`.
    fn expand(&self, template: &[u8], text: &[u8], slots: &[usize], out: &mut Vec<u8>) {
        let mut rest = template;
        while let Some(dollar) = rest.iter().position(|byte| *byte == b'$') {
            let (before, after) = rest.split_at(dollar);
            out.extend_from_slice(before);
            rest = after.get(1..).unwrap_or_default();
            if let Some(after) = rest.strip_prefix(b"$") {
                out.push(b'$');
                rest = after;
            } else if let Some((name, after)) = reference(rest) {
                out.extend_from_slice(self.group_named(name, text, slots).unwrap_or_default());
                rest = after;
            } else {
                out.push(b'$');
            }
        }
        out.extend_from_slice(rest);
    }

    /// The match of a group, by its number or its name: of several with one name, the first that
    /// has matched.
    fn group_named<'t>(&self, name: &[u8], text: &'t [u8], slots: &[usize]) -> Option<&'t [u8]> {
        let is_number = name.iter().all(u8::is_ascii_digit) && (name[0] != b'0' || name.len() == 1);
        let number = std::str::from_utf8(name).ok().filter(|_| is_number);
        if let Some(number) = number.and_then(|digits| digits.parse::<u32>().ok()) {
            return group(text, slots, number as usize);
        }
        let same =
            |known: &&Option<String>| known.as_ref().is_some_and(|known| known.as_bytes() == name);
        let all = self
            .names
            .iter()
            .enumerate()
            .filter(|(_, known)| same(known));
        all.filter_map(|(number, _)| group(text, slots, number))
            .next()
    }
}

fn group<'t>(text: &'t [u8], slots: &[usize], number: usize) -> Option<&'t [u8]> {
    let start = *slots.get(2 * number)?;
    let end = *slots.get(2 * number + 1)?;
    text.get(start..end)
}

/// The name at the head of what follows a `$`, with or without braces, and what follows that.
fn reference(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let braced = text.strip_prefix(b"{");
    let text = braced.unwrap_or(text);
    let is_word =
        |found: char| found == '_' || unicode::is_letter(found) || unicode::is_digit(found);
    let word = utf8::chars(text).take_while(|(found, _)| is_word(*found));
    let length: usize = word.map(|(_, width)| width).sum();
    let (name, rest) = text.split_at(length);
    if name.is_empty() {
        return None;
    }
    match braced {
        Some(_) => Some((name, rest.strip_prefix(b"}")?)),
        None => Some((name, rest)),
    }
}
