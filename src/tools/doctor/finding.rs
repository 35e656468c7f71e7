//! What a check has found: how one thing is, and what to do. Lines for people, JSON for machines.

use std::fmt;

use serde_json::Value as Json;

use crate::tools::console::{self, Colour, Style};

/// The columns in which the name of the check and the message begin.
const NAME: usize = 9;
const MARGIN: usize = 20;

/// How a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Not to be seen by this user.
    Unknown,
    /// Not as it should be, but confd does its work.
    Warning,
    /// Keeps confd from its work.
    Wrong,
}

impl Verdict {
    fn look(self) -> (&'static str, Colour) {
        match self {
            Verdict::Ok => ("ok", Colour::Green),
            Verdict::Unknown => ("unknown", Colour::Cyan),
            Verdict::Warning => ("warning", Colour::Yellow),
            Verdict::Wrong => ("wrong", Colour::Red),
        }
    }
}

/// One thing, and how it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The name of the check, as in `docs/doctor.md`.
    pub check: &'static str,
    pub verdict: Verdict,
    /// How it is.
    pub message: String,
    /// What to do; empty when nothing is to be done.
    pub cure: &'static str,
}

impl Finding {
    /// All is well.
    pub fn ok(check: &'static str, message: impl fmt::Display) -> Finding {
        Finding::new(check, Verdict::Ok, message, "")
    }

    /// Whatever it is, and the cure.
    pub fn new(
        check: &'static str,
        verdict: Verdict,
        message: impl fmt::Display,
        cure: &'static str,
    ) -> Finding {
        Finding {
            check,
            verdict,
            message: message.to_string(),
            cure,
        }
    }

    /// The message and the cure below it, in lines of 80 columns where words allow it.
    pub fn to_text(&self, style: Style) -> String {
        let (word, colour) = self.verdict.look();
        let head = style.paint(colour, &format!("{word:NAME$}"));
        let width = MARGIN - NAME;
        let mut text = format!("{head}{:width$}", self.check);
        let mut margin = 0;
        let mut add = |line: &str| {
            let line = style.wrap(&style.show(line), MARGIN);
            text.push_str(&format!("{:margin$}{line}\n", ""));
            margin = MARGIN;
        };
        self.message.lines().for_each(&mut add);
        if !self.cure.is_empty() {
            add(&format!("cure: {}", self.cure));
        }
        text
    }

    /// The same for machines.
    pub fn to_json(&self) -> Json {
        console::json_object(vec![
            ("check", self.check.into()),
            ("verdict", self.verdict.look().0.into()),
            ("message", self.message.as_str().into()),
            ("cure", self.cure.into()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_aligned_in_80_columns_with_its_cure() {
        let wrong = Finding::new(
            "node",
            Verdict::Wrong,
            "10.0.0.2:80: connection refused after a wait that was long enough to fill lines",
            "start metad there",
        );
        let text = "wrong    node       10.0.0.2:80: connection refused after a wait that was long\n\
                    \x20                   enough to fill lines\n\
                    \x20                   cure: start metad there\n";
        assert_eq!(wrong.to_text(Style::of_width(80)), text);
        let ok = Finding::ok("clock", "right").to_text(Style::default());
        assert_eq!(ok, "ok       clock      right\n");
    }
}
