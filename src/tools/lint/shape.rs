//! The string that an expression returns, as far as it can be seen without executing it: literal
//! parts and holes.

use std::cell::Cell;

use crate::template::format::Directive;
use crate::template::interner::Interner;
use crate::template::outline::{Call, Expr, Outline, Usage};

/// Variables may stand for calls with variables; deeper nesting is not made by hand.
const DEEPEST: u32 = 16;
/// The number of variables that are followed in one template.
const FUEL: u32 = 100_000;
/// The longest text that is put together, in bytes.
const LONGEST: usize = 4096;

/// The variables of a template that have one value wherever they are used: those that are set once.
#[derive(Debug)]
pub(super) struct Variables<'o> {
    names: Interner,
    /// By name: nothing for those that are set again, or to what cannot be followed.
    values: Vec<Option<Known<'o>>>,
    /// Every value that a variable is set to, by name.
    assigned: Vec<Vec<&'o Expr>>,
    fuel: Cell<u32>,
}

/// The value of a variable.
#[derive(Clone, Copy, Debug)]
struct Known<'o> {
    expr: &'o Expr,
    /// The nesting of its calls, those of its variables included.
    level: u32,
}

impl<'o> Variables<'o> {
    pub(super) fn of(outline: &'o Outline) -> Variables<'o> {
        let mut variables = Variables {
            names: Interner::default(),
            values: Vec::new(),
            assigned: Vec::new(),
            fuel: Cell::new(FUEL),
        };
        for statement in &outline.statements {
            let known = match statement.usage {
                Usage::Kept => variables.known(&statement.expr),
                _ => None,
            };
            for name in &statement.sets {
                let number = variables.names.add(name.as_bytes());
                if variables.assigned.len() <= number {
                    variables.assigned.resize_with(number + 1, Vec::new);
                }
                if let (Usage::Kept, Some(assigned)) =
                    (statement.usage, variables.assigned.get_mut(number))
                {
                    assigned.push(&statement.expr);
                }
                match variables.values.get_mut(number) {
                    Some(value) => *value = None,
                    None => variables.values.push(known),
                }
            }
        }
        variables
    }

    /// The values that a variable is set to anywhere in the template.
    pub(super) fn assigned(&self, name: &str) -> impl Iterator<Item = &'o Expr> {
        let number = self.names.get(name.as_bytes());
        let values = number.and_then(|number| self.assigned.get(number));
        values.into_iter().flatten().copied()
    }

    /// The value of a variable that was set.
    fn value(&self, name: &str) -> Option<Option<Known<'o>>> {
        let number = self.names.get(name.as_bytes())?;
        self.values.get(number).copied()
    }

    /// An expression that can be followed: its variables, if it has any, were set before.
    fn known(&self, expr: &'o Expr) -> Option<Known<'o>> {
        let level = self.level(expr)?;
        (level <= DEEPEST).then_some(Known { expr, level })
    }

    fn level(&self, expr: &Expr) -> Option<u32> {
        let deepest = |args: &[Expr]| {
            let mut levels = args.iter().map(|arg| self.level(arg));
            levels.try_fold(0, |deepest, level| Some(level?.max(deepest)))
        };
        match expr {
            Expr::Variable { name, .. } => {
                let value = self.value(name)?;
                Some(value.map_or(0, |known| known.level))
            }
            Expr::Call(call) => Some(deepest(&call.args)? + 1),
            Expr::Member { of, args, .. } => Some(self.level(of)?.max(deepest(args)?) + 1),
            _ => Some(0),
        }
    }

    /// The value of a variable; any other expression itself.
    pub(super) fn resolve<'e>(&self, expr: &'e Expr) -> &'e Expr
    where
        'o: 'e,
    {
        let mut expr = expr;
        while let Expr::Variable { name, .. } = expr
            && let Some(Some(known)) = self.value(name)
            && self.fuel.get() > 0
        {
            self.fuel.set(self.fuel.get() - 1);
            expr = known.expr;
        }
        expr
    }
}

/// A text with holes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    parts: Vec<Part>,
    length: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Hole,
}

impl Shape {
    /// The text that an expression makes.
    pub(super) fn of(expr: &Expr, variables: &Variables<'_>) -> Shape {
        let mut shape = Shape::default();
        shape.add(expr, variables, DEEPEST);
        shape
    }

    /// Where the text begins that an expression makes: where it is written, behind variables and
    /// calls.
    pub(super) fn origin(expr: &Expr, variables: &Variables<'_>) -> usize {
        match variables.resolve(expr) {
            Expr::Call(call) if matches!(call.function.name, "printf" | "print") => {
                let first = call.args.first();
                let literal = first.filter(|first| matches!(first, Expr::Text { .. }));
                literal.map_or(call.pos, Expr::pos)
            }
            found => found.pos(),
        }
    }

    fn add(&mut self, expr: &Expr, variables: &Variables<'_>, depth: u32) {
        match variables.resolve(expr) {
            Expr::Text { text, .. } => self.push(&text.to_text()),
            Expr::Call(call) if depth > 0 => match call.function.name {
                "printf" => self.add_printf(call, variables, depth - 1),
                "print" => {
                    for arg in &call.args {
                        self.add(arg, variables, depth - 1);
                    }
                }
                _ => self.push_hole(),
            },
            _ => self.push_hole(),
        }
    }

    fn add_printf(&mut self, call: &Call, variables: &Variables<'_>, depth: u32) {
        let pieces = call.args.split_first().and_then(|(format, args)| {
            let Expr::Text { text, .. } = variables.resolve(format) else {
                return None;
            };
            Some((pieces(&text.to_text())?, args))
        });
        let Some((pieces, args)) = pieces else {
            self.push_hole();
            return;
        };
        let mut args = args.iter();
        for piece in pieces {
            match (piece, args.len()) {
                (Piece::Text(text), _) => self.push(&text),
                (
                    Piece::Verb {
                        verb: 's' | 'v',
                        plain: true,
                    },
                    1..,
                ) => {
                    if let Some(arg) = args.next() {
                        self.add(arg, variables, depth);
                    }
                }
                _ => {
                    args.next();
                    self.push_hole();
                }
            }
        }
    }

    /// One hole for as many as follow one another.
    fn push_hole(&mut self) {
        if self.parts.last() != Some(&Part::Hole) {
            self.parts.push(Part::Hole);
        }
    }

    fn push(&mut self, text: &str) {
        self.length = self.length.saturating_add(text.len());
        if self.length > LONGEST {
            self.push_hole();
            return;
        }
        match self.parts.last_mut() {
            Some(Part::Text(last)) => last.push_str(text),
            _ => self.parts.push(Part::Text(text.to_owned())),
        }
    }

    /// The whole text, when it has no holes.
    pub(super) fn literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text before the first hole.
    pub(super) fn head(&self) -> &str {
        match self.parts.first() {
            Some(Part::Text(text)) => text,
            _ => "",
        }
    }

    /// The text with something else for its holes, and its own parts written by `escape`.
    pub(super) fn filled(&self, hole: &str, escape: fn(&str) -> String) -> String {
        let mut filled = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.push_str(&escape(text)),
                Part::Hole => filled.push_str(hole),
            }
        }
        filled
    }
}

/// A part of a `printf` format.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Verb {
        verb: char,
        /// Without width, precision and the like.
        plain: bool,
    },
}

/// Takes a `printf` format apart; nothing when it counts its arguments in its own way (`*`, `[1]`).
pub(super) fn pieces(format: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut text = Vec::new();
    let mut rest = format.as_bytes();
    while let Some(percent) = rest.iter().position(|byte| *byte == b'%') {
        text.extend_from_slice(&rest[..percent]);
        let (directive, after) = Directive::read(&rest[percent + 1..]);
        rest = after;
        match directive.verb {
            _ if !directive.takes_one_argument() => return None,
            Some('%') => text.push(b'%'),
            verb => {
                pieces.extend(take_text(&mut text));
                pieces.push(Piece::Verb {
                    // A lone % at the end prints `%!(NOVERB)`.
                    verb: verb.unwrap_or('\0'),
                    plain: directive.is_plain(),
                });
            }
        }
    }
    text.extend_from_slice(rest);
    pieces.extend(take_text(&mut text));
    Some(pieces)
}

/// The text that was collected, if there is any.
fn take_text(text: &mut Vec<u8>) -> Option<Piece> {
    let text = std::mem::take(text);
    (!text.is_empty()).then(|| Piece::Text(String::from_utf8_lossy(&text).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Template;

    /// The shape of the last expression of a template, with a star for each hole.
    fn shape(text: &str) -> String {
        let template = Template::parse("t", text.as_bytes(), &[]).expect(text);
        let outline = template.outline(&[]);
        let last = outline.statements.last().expect("an expression");
        let shape = Shape::of(&last.expr, &Variables::of(&outline));
        shape.filled("*", str::to_owned)
    }

    #[test]
    fn texts_are_followed_through_printf_and_variables() {
        for (text, want) in [
            (r#"{{"/k"}}"#, "/k"),
            (r#"{{printf "/hosts/%s/sid" .}}"#, "/hosts/*/sid"),
            (r#"{{printf "/%s/%03d%%" "hosts" 5}}"#, "/hosts/*%"),
            (r#"{{$d := "/host"}}{{printf "%s/ip" $d}}"#, "/host/ip"),
            (
                r#"{{$d := "/host"}}{{$d = "/x"}}{{print $d "/ip"}}"#,
                "*/ip",
            ),
            (
                r#"{{range $d := .}}{{print "/hosts/" $d}}{{end}}"#,
                "/hosts/*",
            ),
            (r#"{{printf "%s/%s" "a"}}"#, "a/*"),
            (r#"{{printf "%[1]s" "a"}}"#, "*"),
            (r#"{{"a" | printf "%s/%s" .}}"#, "*/a"),
            (r#"{{$d := print ($d := "/x") $d}}{{$d}}"#, "*"),
            (
                r#"{{$d := "/x"}}{{range .}}{{$d := print $d}}{{end}}{{$d}}"#,
                "*",
            ),
            ("{{len .}}", "*"),
        ] {
            assert_eq!(shape(text), want, "{text}");
        }
    }

    #[test]
    fn variables_of_variables_cost_no_more_than_they_are_worth() {
        let mut text = String::from("{{$v0 := print .}}");
        for number in 0..100 {
            let next = number + 1;
            text.push_str(&format!("{{{{$v{next} := print $v{number} $v{number}}}}}"));
        }
        assert_eq!(shape(&format!("{text}{{{{$v100}}}}")), "*");
        let long = "x".repeat(LONGEST / 2 + 1);
        assert_eq!(
            shape(&format!("{{{{print \"{long}\" \"{long}\"}}}}")),
            format!("{long}*")
        );
    }

    #[test]
    fn formats_are_taken_apart() {
        let verb = |verb, plain| Piece::Verb { verb, plain };
        let text = |text: &str| Piece::Text(text.to_owned());
        for (format, want) in [
            ("", Some(vec![])),
            ("a%%b", Some(vec![text("a%b")])),
            (
                "%s-%.2f",
                Some(vec![verb('s', true), text("-"), verb('f', false)]),
            ),
            ("%", Some(vec![verb('\0', true)])),
            ("%*d", None),
        ] {
            assert_eq!(pieces(format), want, "{format}");
        }
    }
}
