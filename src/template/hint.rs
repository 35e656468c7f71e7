//! Help that depends on the text around a mistake: what the author probably meant.
//!
//! Help that follows from the kind of problem alone is in `problem.rs`.

use super::foreign;
use super::lex::{LexError, Span};
use super::problem::Problem;
use crate::go::utf8;
use crate::lookalike;

/// The text around the token that the parser cannot use.
struct Around<'t> {
    /// The text before the token.
    before: &'t [u8],
    /// The token itself.
    token: &'t [u8],
    /// The text after the token.
    after: &'t [u8],
}

/// The help for a problem that the parser found at `span`.
pub(super) fn of_parse(problem: &Problem, text: &[u8], span: Span) -> Option<String> {
    let around = Around {
        before: text.get(..span.start)?,
        token: span.of(text),
        after: text.get(span.end..).unwrap_or_default(),
    };
    match problem {
        Problem::UndefinedFunction { name, .. } => around.of_function(name),
        Problem::Unexpected { .. } => around.of_unexpected(),
        Problem::Lex { error, .. } => around.of_lexeme(*error),
        Problem::IllegalNumber(_) => around.of_number(),
        Problem::UndeclaredVariable(name) => around.of_variable(name),
        Problem::MalformedChar(_) => Some("put strings in double quotes".to_owned()),
        _ => None,
    }
}

impl Around<'_> {
    /// The rest of the line from the token on.
    fn line(&self) -> Vec<u8> {
        let rest = self.after.split(|byte| *byte == b'\n').next();
        [self.token, rest.unwrap_or_default()].concat()
    }

    fn of_function(&self, name: &[u8]) -> Option<String> {
        let word = str::from_utf8(name).ok()?;
        let after = self.after.trim_ascii_start();
        if after.starts_with(b":=") || (after.starts_with(b"=") && !after.starts_with(b"==")) {
            let sign = if after.starts_with(b":=") { ":=" } else { "=" };
            return Some(format!(
                "names of variables begin with $: {{{{${word} {sign} …}}}}"
            ));
        }
        if let Some(second) = second_variable(after) {
            return Some(format!(
                "names of variables begin with $: {{{{range ${word}, ${second} := …}}}}"
            ));
        }
        if is_part_of_path(self.before, after) {
            return Some("put paths in double quotes".to_owned());
        }
        foreign::help(word).map(str::to_owned)
    }

    fn of_variable(&self, name: &[u8]) -> Option<String> {
        let name = String::from_utf8_lossy(name);
        let after = self.after.trim_ascii_start();
        if after.starts_with(b"in ") {
            return Some(format!("write {{{{range {name} := LIST}}}}"));
        }
        if let Some((found, _)) = utf8::chars(after).next()
            && let Some(help) = lookalike::help(found)
        {
            return Some(help);
        }
        let colon = after.starts_with(b":") && !after.starts_with(b":=");
        colon.then(|| format!("declare a variable with :=, as in {{{{{name} := …}}}}"))
    }

    fn of_unexpected(&self) -> Option<String> {
        let line = self.line();
        let action = self.before.trim_ascii_end().ends_with(b"{{");
        let is_else = self.before.trim_ascii_end().ends_with(b"else");
        if is_else && (line.starts_with(b"if") || line.starts_with(b"range")) {
            return Some("write {{else}}{{if …}}…{{end}}{{end}}: only if has else if".to_owned());
        }
        let is_end = self.before.trim_ascii_end().ends_with(b"end");
        if is_end && begins_with_block_word(&line) {
            return Some("write {{end}}".to_owned());
        }
        if line.starts_with(b"#") && action {
            return Some(
                "write blocks without #: {{if …}}, {{range …}}; comments as {{/* … */}}".to_owned(),
            );
        }
        if action && line.get(1..).is_some_and(begins_with_block_word) && line.starts_with(b"/") {
            return Some("write {{end}}".to_owned());
        }
        if action && line.starts_with(b"/") && self.after.starts_with(b"*") {
            return Some("a comment begins right after the braces: {{/* … */}}".to_owned());
        }
        if line.starts_with(b"/") {
            let spaced = self.after.first().is_some_and(u8::is_ascii_whitespace);
            return Some(if spaced {
                "write div before both values: {{div A B}}".to_owned()
            } else {
                "put strings and paths in double quotes".to_owned()
            });
        }
        // The lexer cuts an operator of two characters in two.
        let mut operator = line.as_slice();
        let joined;
        if let Some(first) = self.before.last().filter(|byte| b"=!<>&|+-".contains(byte)) {
            joined = [&[*first], operator].concat();
            operator = &joined;
        }
        if operator.starts_with(b"=")
            && !operator.starts_with(b"==")
            && !operator.starts_with(b"=~")
        {
            return Some(
                "declare a variable with {{$x := …}}, compare with {{if eq A B}}".to_owned(),
            );
        }
        let help = match line.first()? {
            b',' => "separate arguments with a space".to_owned(),
            b';' => "write each statement in its own action: {{…}}{{…}}".to_owned(),
            b'[' => "use index: {{index LIST 0}}".to_owned(),
            b'(' => "write arguments after the name, separated by spaces: {{getv \"/k\" \"x\"}}"
                .to_owned(),
            b'.' => "put strings in double quotes".to_owned(),
            b'{' if action => "an action begins with {{".to_owned(),
            b'{' | b'}' => "an action ends with }}".to_owned(),
            b'@' => "declare variables: {{range $index, $item := …}}".to_owned(),
            b'%' if action => "write {{…}} instead of {%…%}".to_owned(),
            b'|' if !operator.starts_with(b"||") => {
                "write a function or a value between two |".to_owned()
            }
            _ => {
                return foreign::operator_help(operator)
                    .or_else(|| foreign::operator_help(&line))
                    .map(str::to_owned);
            }
        };
        Some(help)
    }

    fn of_lexeme(&self, error: LexError) -> Option<String> {
        match error {
            LexError::Unrecognized(found) => lookalike::help(found),
            LexError::BadCharacter(found) => self.of_character(found),
            LexError::ExpectedDeclare => Some(if self.after.starts_with(b":") {
                "write ::= as :=".to_owned()
            } else {
                "declare a variable with :=, as in {{$x := …}}".to_owned()
            }),
            LexError::BadNumber => self.of_number(),
            _ => None,
        }
    }

    /// A character that cannot follow the word before it.
    fn of_character(&self, found: char) -> Option<String> {
        if let Some(help) = lookalike::help(found) {
            return Some(help);
        }
        let word = String::from_utf8_lossy(self.token);
        let after = self.after;
        if after.starts_with(b"-}}") {
            return Some(format!("put a space before the -}}}}: {{{{{word} -}}}}"));
        }
        if found == '=' && !after.starts_with(b"==") && !after.starts_with(b"=~") {
            return Some("put a space before the = of an assignment".to_owned());
        }
        match found {
            '-' if !word.starts_with('$') || word.contains('.') => {
                Some("names have no -; use index MAP \"some-key\"".to_owned())
            }
            '"' | '`' | '\'' => Some(format!("put a space after {word}")),
            '[' => Some(format!("use index: {{{{index {word} 0}}}}")),
            '/' => Some("put paths in double quotes".to_owned()),
            ';' => Some("write each statement in its own action: {{…}}{{…}}".to_owned()),
            '$' | '{' => Some("put strings in double quotes; join values with printf".to_owned()),
            '@' | '\\' => Some("put strings in double quotes".to_owned()),
            _ => foreign::operator_help(after).map(str::to_owned),
        }
    }

    fn of_number(&self) -> Option<String> {
        let signed = matches!(self.token.first(), Some(b'+' | b'-'));
        let rest = self.token.get(1..).unwrap_or_default();
        if signed && self.before.ends_with(b"{{") && self.token.starts_with(b"-") {
            return Some("put a space after the {{-, as in {{- if …}}".to_owned());
        }
        if signed && !rest.first().is_some_and(u8::is_ascii_digit) {
            return foreign::operator_help(&self.line()).map(str::to_owned);
        }
        Some("put strings in double quotes; names do not begin with a digit".to_owned())
    }
}

/// The second name in `i, v := …`.
fn second_variable(after: &[u8]) -> Option<String> {
    let after = str::from_utf8(after.strip_prefix(b",")?).ok()?.trim_start();
    let is_of_name = |found: &char| found.is_alphanumeric() || *found == '_';
    let name: String = after.chars().take_while(is_of_name).collect();
    let rest = after.get(name.len()..)?.trim_start();
    (!name.is_empty() && rest.starts_with(":=")).then_some(name)
}

/// Returns true for `getv /a/b` without quotes: the word stands after a slash.
fn is_part_of_path(before: &[u8], after: &[u8]) -> bool {
    before.ends_with(b"/") && !after.starts_with(b"(")
}

/// Returns true if the text begins with the word of a block, as in Handlebars' `{{/if}}`.
fn begins_with_block_word(text: &[u8]) -> bool {
    [
        &b"if"[..],
        b"each",
        b"range",
        b"with",
        b"unless",
        b"for",
        b"end",
    ]
    .iter()
    .any(|word| text.starts_with(word))
}

/// The number of characters of `span` on its first line, at least one: the width of the underline.
pub(super) fn underline(text: &[u8], span: Span) -> usize {
    let line = span.of(text).split(|byte| *byte == b'\n').next();
    let line = line.unwrap_or_default().trim_ascii_end();
    utf8::count(line).max(1)
}
