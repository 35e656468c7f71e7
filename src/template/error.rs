//! Errors as data: the [`Problem`], the template and the place. They become words here and in
//! `problem.rs`.
//!
//! The first line is Go's, word for word. The rest shows the source line and, where possible, help.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::hint;
use super::lex::Span;
use super::missing::{pattern, with_commas};
use super::problem::{Problem, quoted};
use super::{Failure, Function};
use crate::go::utf8;

/// The number of characters of a source line that a snippet shows. With margins it fits into 80
/// columns.
const SNIPPET_WIDTH: usize = 64;
/// The number of places with missing keys that are reported, with two lines each.
const SHOWN_PLACES: usize = 4;

/// The kinds of failures, for decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text does not parse.
    Parse,
    /// A parsed template failed while executing.
    Exec,
    /// A key that the template asks for is not in the store.
    Missing,
    /// The template wants more than its [`Budget`](super::Budget) allows.
    Limit,
}

/// A place in a template's text.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The name that the text was parsed under.
    pub name: Arc<str>,
    /// The text.
    pub source: Arc<[u8]>,
    /// Bytes from the start of the text.
    pub pos: usize,
}

/// The node that was executing when it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Executing {
    /// The template, or one that it defines.
    pub template: Vec<u8>,
    /// The innermost node, as Go prints it.
    pub node: String,
}

/// A template error with its place.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Details>);

#[derive(Clone, PartialEq, Eq)]
struct Details {
    problem: Problem,
    /// The place that Go names.
    place: Place,
    /// The part of the text that is wrong, when it is not just the place.
    span: Option<Span>,
    /// Help that depends on the text around the place.
    hint: Option<String>,
    executing: Option<Executing>,
    further: Vec<Error>,
    /// The missing keys at this place.
    keys: BTreeSet<String>,
    /// The explanation of the first one.
    answer: Option<String>,
}

impl Error {
    /// The text at `place` does not parse.
    pub(super) fn parse(problem: Problem, place: Place) -> Error {
        Error::new(problem, place, None)
    }

    /// The node at `place` failed.
    pub(super) fn exec(problem: Problem, place: Place, executing: Executing) -> Error {
        Error::new(problem, place, Some(executing))
    }

    fn new(problem: Problem, place: Place, executing: Option<Executing>) -> Error {
        let further = Vec::new();
        Error(Box::new(Details {
            problem,
            place,
            span: None,
            hint: None,
            executing,
            further,
            keys: BTreeSet::new(),
            answer: None,
        }))
    }

    /// The same error, about this part of the text.
    pub(super) fn about(mut self, span: Span) -> Error {
        self.0.span = Some(span);
        self
    }

    /// The same error with help that depends on the text around the place.
    pub(super) fn with_hint(mut self, hint: Option<String>) -> Error {
        self.0.hint = hint;
        self
    }

    /// The same error with the parameters of `function` as help, if it is about the type of an
    /// argument and has no help yet.
    pub(super) fn or_signature(self, function: &Function) -> Error {
        let is_type_error = matches!(
            self.0.problem,
            Problem::WrongType { .. }
                | Problem::WrongConstant { .. }
                | Problem::NoSuchConstant { .. }
                | Problem::NilArgument(_)
                | Problem::InvalidValue(_)
        );
        if is_type_error {
            self.or_hint(Some(function.takes()))
        } else {
            self
        }
    }

    /// The same error with a hint if it has none.
    pub(super) fn or_hint(mut self, hint: Option<String>) -> Error {
        self.0.hint = self.0.hint.or(hint);
        self
    }

    /// This error, followed by others of the same rendering.
    pub(super) fn with_further(mut self, further: Vec<Error>) -> Error {
        self.0.further = further;
        self
    }

    /// This error and the further ones, each by itself.
    pub(super) fn into_each(mut self) -> impl Iterator<Item = Error> {
        let further = std::mem::take(&mut self.0.further);
        std::iter::once(self).chain(further)
    }

    /// True when both errors are about one place in the text, called from the same places.
    pub(super) fn is_at_place_of(&self, other: &Error) -> bool {
        let (here, there) = (&self.0.place, &other.0.place);
        let nested = match (self.0.problem.nested(), other.0.problem.nested()) {
            (None, None) => true,
            (Some(one), Some(other)) => one.is_at_place_of(other),
            _ => false,
        };
        nested && here.pos == there.pos && here.name == there.name
    }

    /// The missing keys at this place, as [`Error::add_missing_keys`] has added them.
    pub(super) fn missing_keys(&self) -> &BTreeSet<String> {
        &self.0.keys
    }

    pub(super) fn add_missing_keys(&mut self, keys: BTreeSet<String>) {
        self.0.keys.extend(keys);
    }

    /// Takes the missing keys out, those of a nested rendering for the error that passes them on.
    pub(super) fn take_missing_keys(&mut self) -> BTreeSet<String> {
        let keys = std::mem::take(&mut self.0.keys);
        if !keys.is_empty() {
            return keys;
        }
        match self.0.problem.failure_mut() {
            Some(Failure::Missing(key)) => BTreeSet::from([key.clone()]),
            Some(Failure::Nested(nested)) => nested.take_missing_keys(),
            _ => keys,
        }
    }

    /// The number of missing keys, here and in the further errors.
    fn missing_count(&self) -> usize {
        let further = self.0.further.iter().map(Error::missing_count);
        self.0.keys.len() + further.sum::<usize>()
    }

    /// Lets `why` explain the missing keys that are shown: of each place the first one.
    pub fn explain(&mut self, why: &mut dyn FnMut(&str) -> String) {
        let Details {
            problem,
            further,
            answer,
            ..
        } = &mut *self.0;
        match problem.failure_mut() {
            Some(Failure::Missing(key)) => *answer = Some(why(key)),
            Some(Failure::Nested(nested)) => nested.explain(why),
            _ => {}
        }
        for error in further.iter_mut().take(SHOWN_PLACES - 1) {
            error.explain(why);
        }
    }

    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        match &self.0.executing {
            None => ErrorKind::Parse,
            Some(_) => self.0.problem.kind(),
        }
    }

    /// Go's line without what may be a value of the data: what a failed function has said. Of a
    /// missing key the answer, too.
    pub fn redacted(&self) -> String {
        let mut text = match self.kind() {
            ErrorKind::Exec => format!("{} failed; see the log", self.origin()),
            ErrorKind::Parse | ErrorKind::Missing | ErrorKind::Limit => self.to_string(),
        };
        if let Some(answer) = self.answer() {
            text.push('\n');
            text.push_str(&answer);
        }
        if !self.further().is_empty() {
            let count = with_commas(self.missing_count());
            text.push_str(&format!("\n{count} keys are missing; the log has more"));
        }
        text
    }

    /// The mistake.
    pub fn problem(&self) -> &Problem {
        &self.0.problem
    }

    /// Further errors of the same rendering: the other missing keys.
    pub fn further(&self) -> &[Error] {
        &self.0.further
    }

    /// The start of the wrong part of the text, in bytes.
    pub fn offset(&self) -> usize {
        self.span().start
    }

    fn span(&self) -> Span {
        let pos = self.0.place.pos;
        self.0.span.unwrap_or(Span {
            start: pos,
            end: pos + 1,
        })
    }

    /// One line for the author of the template.
    pub fn help(&self) -> Option<String> {
        self.0.hint.clone().or_else(|| self.0.problem.help())
    }

    /// The error in an included file that this one passes on, or itself.
    pub fn innermost(&self) -> &Error {
        self.0.problem.nested().map_or(self, Error::innermost)
    }

    /// The name of the template that the place is in.
    pub fn template(&self) -> &str {
        &self.0.place.name
    }

    /// The answer about a missing key, or else the help.
    pub fn cure(&self) -> Option<String> {
        self.answer().or_else(|| self.innermost().help())
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.0.place.line()
    }

    /// The bytes before the place on its line.
    pub fn column(&self) -> usize {
        self.0.place.column()
    }

    /// The lines below Go's, indented: the facts about a missing key, or else the source
    /// line; then the further errors, each with its own.
    pub fn details(&self) -> String {
        let mut text = self.indented_answer();
        let further = &self.0.further;
        for error in further.iter().take(SHOWN_PLACES - 1) {
            text.push_str(&format!("\n{error}\n{}", error.indented_answer()));
        }
        // Those of one place have their number with them.
        let count = self.missing_count();
        if !further.is_empty() && count > SHOWN_PLACES {
            text.push_str(&format!("\n{} keys are missing", with_commas(count)));
        }
        text
    }

    fn indented_answer(&self) -> String {
        let answer = self.answer().unwrap_or_else(|| self.snippet());
        let mut text = String::new();
        for line in answer.lines() {
            text.push_str(if text.is_empty() { "  " } else { "\n  " });
            text.push_str(line);
        }
        text
    }

    /// The explanation of the missing key; of several at this place their pattern as well.
    fn answer(&self) -> Option<String> {
        let nested = || self.0.problem.nested().and_then(Error::answer);
        let answer = self.0.answer.clone().or_else(nested)?;
        Some(match (self.0.keys.len(), self.first_missing_key()) {
            (count @ 2.., Some(key)) => {
                let (pattern, count) = (pattern(&self.0.keys), with_commas(count));
                format!("{pattern}: {count} keys, such as {key}: {answer}")
            }
            _ => answer,
        })
    }

    fn first_missing_key(&self) -> Option<&str> {
        match &self.0.problem {
            Problem::Calling { error, .. } => match &*error.0 {
                Failure::Missing(key) => Some(key),
                Failure::Nested(nested) => nested.first_missing_key(),
                _ => None,
            },
            _ => None,
        }
    }

    /// The beginning of Go's line.
    fn origin(&self) -> String {
        let place = &self.0.place;
        let origin = format!("template: {}:{}:", place.name, place.line());
        match &self.0.executing {
            None => origin,
            Some(Executing { template, node }) => {
                let (template, column) = (quoted(template), place.column());
                format!("{origin}{column}: executing {template} at <{node}>:")
            }
        }
    }

    /// The source line with a marker under the place, and a line of help where there is something
    /// to say. For a nested template it is that template's line.
    pub fn snippet(&self) -> String {
        if let Some(nested) = self.0.problem.nested() {
            return nested.snippet();
        }
        let place = &self.0.place;
        let span = self.span();
        let start = Place {
            pos: span.start,
            ..place.clone()
        };
        let mut text = start.snippet(hint::underline(&place.source, span));
        if let Some(help) = self.help() {
            text.push_str("\nhelp: ");
            text.push_str(&help);
        }
        text
    }
}

impl Place {
    fn before(&self) -> &[u8] {
        self.source.get(..self.pos).unwrap_or(&self.source)
    }

    fn line_start(&self) -> usize {
        let newline = self.before().iter().rposition(|byte| *byte == b'\n');
        newline.map_or(0, |newline| newline + 1)
    }

    /// The line, from 1.
    pub(super) fn line(&self) -> usize {
        1 + self.before().iter().filter(|byte| **byte == b'\n').count()
    }

    /// The bytes before the place on its line.
    pub(super) fn column(&self) -> usize {
        self.before().len() - self.line_start()
    }

    /// Two lines: the source line (the part around the place, when it is long), and below it a
    /// marker for `width` characters.
    fn snippet(&self, width: usize) -> String {
        let line_start = self.line_start();
        let line = self.source.get(line_start..).unwrap_or_default();
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let column = self.column().min(line.len());
        let (before, after) = line.split_at(column);
        // No more than can be shown, in a line of any length; a character takes up to four bytes.
        let before = &before[before.len().saturating_sub(4 * SNIPPET_WIDTH)..];
        let after = &after[..after.len().min(4 * SNIPPET_WIDTH)];
        let count = utf8::count(before);
        // A line that fits is shown whole, else the part around the place.
        let surplus = (count + utf8::count(after)).saturating_sub(SNIPPET_WIDTH);
        let skipped = count.saturating_sub(SNIPPET_WIDTH / 2).min(surplus);
        let (mut shown, mut marker) = (String::new(), String::new());
        for (found, _) in utf8::chars(before).skip(skipped) {
            shown.push(visible(found));
            marker.push(blank(found));
        }
        let room = SNIPPET_WIDTH - marker.len();
        for (found, _) in utf8::chars(after).take(room) {
            shown.push(visible(found));
        }
        let number = self.line().to_string();
        let margin = " ".repeat(number.len());
        let width = width.min(room).max(1);
        format!(
            " {number} | {shown}\n {margin} | {marker}{}",
            "^".repeat(width)
        )
    }
}

/// The character of the marker line below `found`: a tab below a tab, so that columns agree.
fn blank(found: char) -> char {
    if found == '\t' { '\t' } else { ' ' }
}

fn visible(found: char) -> char {
    if found.is_control() && found != '\t' {
        utf8::ERROR
    } else {
        found
    }
}

impl fmt::Display for Error {
    /// Go's line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.origin(), self.0.problem)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::error::Error for Error {}
