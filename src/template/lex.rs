//! The lexer: a template's text in, lexemes out, one at a time, as Go's text/template/parse cuts
//! them.
//!
//! Every byte of the text belongs to exactly one lexeme, those that trimming drops included. Knows
//! no grammar: which lexeme may follow which is the parser's business.

use crate::go::{unicode, utf8};

const LEFT_DELIM: &[u8] = b"{{";
const RIGHT_DELIM: &[u8] = b"}}";
const LEFT_COMMENT: &[u8] = b"/*";
const RIGHT_COMMENT: &[u8] = b"*/";
/// A trim marker is a `-` and the white space on its inner side.
const TRIM_MARKER_LEN: usize = 2;

/// A piece of the text, in bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    /// The piece itself; nothing when the span is not from this text.
    pub(super) fn of(self, text: &[u8]) -> &[u8] {
        text.get(self.start..self.end).unwrap_or_default()
    }
}

/// One lexeme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: Kind,
    pub span: Span,
}

/// The kinds of lexemes, Go's `itemType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An error. Every further lexeme is the same error.
    Error(LexError),
    /// White space or a marker that trimming drops; the parser never sees it.
    Trim,
    /// A whole comment action; the parser never sees it.
    Comment,
    Eof,
    Text,
    LeftDelim,
    RightDelim,
    /// A run of white space inside an action.
    Space,
    Bool,
    /// A printable ASCII character without a meaning of its own.
    Char,
    CharConstant,
    Complex,
    Number,
    /// A quoted string, with its quotes.
    String,
    RawString,
    Assign,
    Declare,
    Pipe,
    LeftParen,
    RightParen,
    Field,
    Identifier,
    /// `$` or `$name`.
    Variable,
    Block,
    Break,
    Continue,
    Define,
    Dot,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

/// The errors of the lexer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexError {
    UnclosedAction,
    UnclosedComment,
    CommentEndsEarly,
    UnclosedParen,
    ExpectedDeclare,
    Unrecognized(char),
    BadCharacter(char),
    BadNumber,
    UnterminatedChar,
    UnterminatedQuote,
    UnterminatedRawQuote,
}

impl Kind {
    /// Returns true for a keyword (or `.`), which messages put into angle brackets.
    pub fn is_keyword(self) -> bool {
        use Kind::*;
        matches!(
            self,
            Block
                | Break
                | Continue
                | Define
                | Dot
                | Else
                | End
                | If
                | Nil
                | Range
                | Template
                | With
        )
    }

    fn of_word(word: &[u8]) -> Kind {
        match word {
            b"block" => Kind::Block,
            b"break" => Kind::Break,
            b"continue" => Kind::Continue,
            b"define" => Kind::Define,
            b"else" => Kind::Else,
            b"end" => Kind::End,
            b"if" => Kind::If,
            b"nil" => Kind::Nil,
            b"range" => Kind::Range,
            b"template" => Kind::Template,
            b"with" => Kind::With,
            b"true" | b"false" => Kind::Bool,
            _ => Kind::Identifier,
        }
    }
}

/// The state of the lexer, Go's `stateFn`.
#[derive(Clone, Copy, Debug)]
enum State {
    Text,
    /// White space that the `{{-` after it trims.
    TrimBefore,
    LeftDelim,
    /// The `- ` of a `{{-`.
    LeftMarker,
    Inside,
    /// The ` -` of a `-}}`.
    RightMarker,
    RightDelim {
        trim: bool,
    },
    /// White space that the `-}}` before it trims.
    TrimAfter,
    End,
    Failed(Token),
}

/// Reads lexemes from a template's text.
#[derive(Debug)]
pub(super) struct Lexer<'t> {
    text: &'t [u8],
    start: usize,
    pos: usize,
    paren_depth: u32,
    state: State,
}

impl<'t> Lexer<'t> {
    /// A lexer at the start of a text.
    pub(super) fn new(text: &'t [u8]) -> Self {
        Lexer {
            text,
            start: 0,
            pos: 0,
            paren_depth: 0,
            state: State::Text,
        }
    }

    /// The next lexeme; at the end always [`Kind::Eof`] or the first error.
    pub(super) fn next_token(&mut self) -> Token {
        self.start = self.pos;
        match self.state {
            State::Text => self.lex_text(),
            State::TrimBefore => self.lex_trim(State::LeftDelim),
            State::LeftDelim => self.lex_left_delim(),
            State::LeftMarker => self.lex_marker(State::Inside),
            State::Inside => self.lex_inside_action(),
            State::RightMarker => self.lex_marker(State::RightDelim { trim: true }),
            State::RightDelim { trim } => self.lex_right_delim(trim),
            State::TrimAfter => self.lex_trim(State::Text),
            State::End => self.emit(Kind::Eof),
            State::Failed(token) => token,
        }
    }

    fn emit(&mut self, kind: Kind) -> Token {
        Token {
            kind,
            span: Span {
                start: self.start,
                end: self.pos,
            },
        }
    }

    fn emit_then(&mut self, kind: Kind, state: State) -> Token {
        self.state = state;
        self.emit(kind)
    }

    fn fail(&mut self, error: LexError) -> Token {
        let token = self.emit(Kind::Error(error));
        self.state = State::Failed(token);
        token
    }

    fn rest(&self) -> &'t [u8] {
        self.text.get(self.pos..).unwrap_or_default()
    }

    fn peek_byte(&self) -> Option<u8> {
        self.text.get(self.pos).copied()
    }

    /// The next character, `None` at the end.
    fn peek(&self) -> Option<char> {
        let (found, width) = utf8::decode(self.rest());
        (width > 0).then_some(found)
    }

    fn next(&mut self) -> Option<char> {
        let (found, width) = utf8::decode(self.rest());
        self.pos += width;
        (width > 0).then_some(found)
    }

    fn accept(&mut self, valid: &[u8]) -> bool {
        let found = self.peek_byte().is_some_and(|byte| valid.contains(&byte));
        self.pos += usize::from(found);
        found
    }

    fn accept_run(&mut self, valid: &[u8]) {
        while self.accept(valid) {}
    }
}

/// Text, delimiters and comments.
impl Lexer<'_> {
    fn lex_text(&mut self) -> Token {
        let rest = self.rest();
        let Some(length) = find(rest, LEFT_DELIM) else {
            self.pos = self.text.len();
            return if rest.is_empty() {
                self.emit_then(Kind::Eof, State::End)
            } else {
                self.emit_then(Kind::Text, State::End)
            };
        };
        let (text, delim) = rest.split_at(length);
        let kept = match delim.get(LEFT_DELIM.len()..) {
            Some(inner) if has_left_trim_marker(inner) => trim_end(text).len(),
            _ => length,
        };
        self.state = if kept < length {
            State::TrimBefore
        } else {
            State::LeftDelim
        };
        if kept == 0 {
            return self.next_token();
        }
        self.pos += kept;
        self.emit(Kind::Text)
    }

    /// White space next to a trimming delimiter.
    fn lex_trim(&mut self, then: State) -> Token {
        let rest = self.rest();
        self.pos += rest.len() - trim_start(rest).len();
        self.state = then;
        if self.pos == self.start {
            return self.next_token();
        }
        self.emit(Kind::Trim)
    }

    fn lex_marker(&mut self, then: State) -> Token {
        self.pos += TRIM_MARKER_LEN;
        self.emit_then(Kind::Trim, then)
    }

    fn lex_left_delim(&mut self) -> Token {
        self.pos += LEFT_DELIM.len();
        let inner = self.rest();
        let trim = has_left_trim_marker(inner);
        let marker = if trim { TRIM_MARKER_LEN } else { 0 };
        if inner[marker..].starts_with(LEFT_COMMENT) {
            return self.lex_comment(marker);
        }
        self.paren_depth = 0;
        let then = if trim {
            State::LeftMarker
        } else {
            State::Inside
        };
        self.emit_then(Kind::LeftDelim, then)
    }

    /// A whole comment action, from after its left delimiter; an error begins at the `/*`.
    fn lex_comment(&mut self, marker: usize) -> Token {
        let action = self.start;
        self.pos += marker;
        self.start = self.pos;
        let Some(length) = find(&self.rest()[LEFT_COMMENT.len()..], RIGHT_COMMENT) else {
            return self.fail(LexError::UnclosedComment);
        };
        self.pos += LEFT_COMMENT.len() + length + RIGHT_COMMENT.len();
        let trim = has_right_trim_marker(self.rest());
        if trim {
            self.pos += TRIM_MARKER_LEN;
        }
        if !self.rest().starts_with(RIGHT_DELIM) {
            return self.fail(LexError::CommentEndsEarly);
        }
        self.pos += RIGHT_DELIM.len();
        self.start = action;
        let then = if trim { State::TrimAfter } else { State::Text };
        self.emit_then(Kind::Comment, then)
    }

    fn lex_right_delim(&mut self, trim: bool) -> Token {
        self.pos += RIGHT_DELIM.len();
        let then = if trim { State::TrimAfter } else { State::Text };
        self.emit_then(Kind::RightDelim, then)
    }

    /// The right delimiter at this place: true if it trims, `None` if there is none.
    fn right_delim(&self) -> Option<bool> {
        let rest = self.rest();
        if has_right_trim_marker(rest) {
            Some(true)
        } else {
            rest.starts_with(RIGHT_DELIM).then_some(false)
        }
    }
}

/// Inside an action.
impl Lexer<'_> {
    fn lex_inside_action(&mut self) -> Token {
        if let Some(trim) = self.right_delim() {
            if self.paren_depth > 0 {
                return self.fail(LexError::UnclosedParen);
            }
            self.state = if trim {
                State::RightMarker
            } else {
                State::RightDelim { trim: false }
            };
            return self.next_token();
        }
        let Some(first) = self.next() else {
            return self.fail(LexError::UnclosedAction);
        };
        match first {
            ' ' | '\t' | '\r' | '\n' => self.lex_space(),
            '=' => self.emit(Kind::Assign),
            ':' if self.accept(b"=") => self.emit(Kind::Declare),
            ':' => self.fail(LexError::ExpectedDeclare),
            '|' => self.emit(Kind::Pipe),
            '"' => self.lex_quoted('"', Kind::String, LexError::UnterminatedQuote),
            '\'' => self.lex_quoted('\'', Kind::CharConstant, LexError::UnterminatedChar),
            '`' => self.lex_raw_quote(),
            '$' => self.lex_field_or_variable(Kind::Variable, Kind::Variable),
            // At the very end of the text Go takes a dot for a number, and so complains about its
            // syntax.
            '.' if self.peek_byte().is_some_and(|next| !next.is_ascii_digit()) => {
                self.lex_field_or_variable(Kind::Dot, Kind::Field)
            }
            '.' | '+' | '-' | '0'..='9' => self.lex_number(),
            '(' => {
                self.paren_depth += 1;
                self.emit(Kind::LeftParen)
            }
            ')' => self.lex_right_paren(),
            _ if is_alphanumeric(first) => self.lex_identifier(),
            '!'..='~' => self.emit(Kind::Char),
            _ => self.fail(LexError::Unrecognized(first)),
        }
    }

    /// A run of white space; its last character may belong to a trim marker instead.
    fn lex_space(&mut self) -> Token {
        while self.peek_byte().is_some_and(is_space) {
            self.pos += 1;
        }
        if self
            .text
            .get(self.pos - 1..)
            .is_some_and(has_right_trim_marker)
        {
            self.pos -= 1;
            if self.pos == self.start {
                self.state = State::RightMarker;
                return self.next_token();
            }
        }
        self.emit(Kind::Space)
    }

    /// One parenthesis too many is no error here: the parser has no rule that gets past it.
    fn lex_right_paren(&mut self) -> Token {
        self.paren_depth = self.paren_depth.saturating_sub(1);
        self.emit(Kind::RightParen)
    }

    fn lex_identifier(&mut self) -> Token {
        while self.peek().is_some_and(is_alphanumeric) {
            self.next();
        }
        if let Some(bad) = self.before_no_terminator() {
            return self.fail(LexError::BadCharacter(bad));
        }
        let kind = Kind::of_word(&self.text[self.start..self.pos]);
        self.emit(kind)
    }

    /// `alone` is what the `.` or `$` is when nothing of interest follows.
    fn lex_field_or_variable(&mut self, alone: Kind, named: Kind) -> Token {
        if self.before_no_terminator().is_none() {
            return self.emit(alone);
        }
        while self.peek().is_some_and(is_alphanumeric) {
            self.next();
        }
        match self.before_no_terminator() {
            Some(bad) => self.fail(LexError::BadCharacter(bad)),
            None => self.emit(named),
        }
    }

    /// The next character, unless a word may end before it.
    fn before_no_terminator(&self) -> Option<char> {
        let found = self.peek()?;
        let ends = matches!(
            found,
            ' ' | '\t' | '\r' | '\n' | '.' | ',' | '|' | ':' | ')' | '('
        );
        (!ends && !self.rest().starts_with(RIGHT_DELIM)).then_some(found)
    }

    /// A string or character constant from after its first quote; the parser checks what is in it.
    fn lex_quoted(&mut self, quote: char, kind: Kind, unterminated: LexError) -> Token {
        loop {
            match self.next() {
                Some('\\') => {
                    if matches!(self.next(), None | Some('\n')) {
                        return self.fail(unterminated);
                    }
                }
                None | Some('\n') => return self.fail(unterminated),
                Some(found) if found == quote => return self.emit(kind),
                Some(_) => {}
            }
        }
    }

    fn lex_raw_quote(&mut self) -> Token {
        match self.rest().iter().position(|byte| *byte == b'`') {
            Some(length) => {
                self.pos += length + 1;
                self.emit(Kind::RawString)
            }
            None => self.fail(LexError::UnterminatedRawQuote),
        }
    }

    /// A number, or two with a sign between them: a complex constant. Lets nonsense such as `0x0.2`
    /// pass, which the parser refuses.
    fn lex_number(&mut self) -> Token {
        self.pos = self.start;
        if !self.scan_number() {
            return self.fail(LexError::BadNumber);
        }
        if !matches!(self.peek_byte(), Some(b'+' | b'-')) {
            return self.emit(Kind::Number);
        }
        if self.scan_number() && self.text[self.start..self.pos].ends_with(b"i") {
            self.emit(Kind::Complex)
        } else {
            self.fail(LexError::BadNumber)
        }
    }

    fn scan_number(&mut self) -> bool {
        self.accept(b"+-");
        let mut digits: &[u8] = b"0123456789_";
        let mut exponent: &[u8] = b"eE";
        if self.accept(b"0") {
            if self.accept(b"xX") {
                (digits, exponent) = (b"0123456789abcdefABCDEF_", b"pP");
            } else if self.accept(b"oO") {
                (digits, exponent) = (b"01234567_", b"");
            } else if self.accept(b"bB") {
                (digits, exponent) = (b"01_", b"");
            }
        }
        self.accept_run(digits);
        if self.accept(b".") {
            self.accept_run(digits);
        }
        if self.accept(exponent) {
            self.accept(b"+-");
            self.accept_run(b"0123456789_");
        }
        self.accept(b"i");
        let clean = !self.peek().is_some_and(is_alphanumeric);
        if !clean {
            self.next();
        }
        clean
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|found| found == wanted)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Letters, digits and `_`. Rust's idea of a letter is a little wider than Go's (combining vowel
/// signs count).
fn is_alphanumeric(found: char) -> bool {
    found == '_' || unicode::is_letter(found) || unicode::is_digit(found)
}

fn trim_start(text: &[u8]) -> &[u8] {
    let kept = text.iter().position(|byte| !is_space(*byte));
    &text[kept.unwrap_or(text.len())..]
}

fn trim_end(text: &[u8]) -> &[u8] {
    let kept = text.iter().rposition(|byte| !is_space(*byte));
    &text[..kept.map_or(0, |last| last + 1)]
}

fn has_left_trim_marker(inner: &[u8]) -> bool {
    matches!(inner, [b'-', space, ..] if is_space(*space))
}

/// Returns true if ` -}}` follows.
fn has_right_trim_marker(rest: &[u8]) -> bool {
    matches!(rest, [space, b'-', b'}', b'}', ..] if is_space(*space))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lex(text: &[u8]) -> Vec<Token> {
        let mut lexer = Lexer::new(text);
        let mut tokens = Vec::new();
        loop {
            let token = lexer.next_token();
            tokens.push(token);
            if matches!(token.kind, Kind::Eof | Kind::Error(_)) {
                assert_eq!(lexer.next_token(), token, "the end stays the end");
                return tokens;
            }
        }
    }

    /// Kinds and texts, one lexeme after the other.
    fn shown(text: &str) -> String {
        let show = |token: Token| match token.kind {
            Kind::Error(error) => format!("{error:?}"),
            kind => format!(
                "{kind:?}<{}>",
                String::from_utf8_lossy(token.span.of(text.as_bytes()))
            ),
        };
        let tokens = lex(text.as_bytes());
        let shown: Vec<String> = tokens.into_iter().map(show).collect();
        shown.join(" ")
    }

    #[test]
    fn lexemes() {
        for (text, want) in [
            ("", "Eof<>"),
            ("a } }} b", "Text<a } }} b> Eof<>"),
            (
                "a{{}}b",
                "Text<a> LeftDelim<{{> RightDelim<}}> Text<b> Eof<>",
            ),
            (
                "{{if .x.y}}",
                "LeftDelim<{{> If<if> Space< > Field<.x> Field<.y> RightDelim<}}> Eof<>",
            ),
            (
                "{{$x:=1|f .}}",
                "LeftDelim<{{> Variable<$x> Declare<:=> Number<1> Pipe<|> Identifier<f> Space< > Dot<.> \
                 RightDelim<}}> Eof<>",
            ),
            (
                "{{$ = ($y)}}",
                "LeftDelim<{{> Variable<$> Space< > Assign<=> Space< > LeftParen<(> Variable<$y> \
                 RightParen<)> RightDelim<}}> Eof<>",
            ),
            (
                "{{\"a\\\"}}\" `}}` '\\''}}",
                "LeftDelim<{{> String<\"a\\\"}}\"> Space< > RawString<`}}`> Space< > CharConstant<'\\''> \
                 RightDelim<}}> Eof<>",
            ),
            (
                "{{-1 0x_Fp-2 .5 1+2i 0b1 1e+3 +.i}}",
                "LeftDelim<{{> Number<-1> Space< > Number<0x_Fp-2> Space< > Number<.5> Space< > \
                 Complex<1+2i> Space< > Number<0b1> Space< > Number<1e+3> Space< > Number<+.i> \
                 RightDelim<}}> Eof<>",
            ),
            (
                "{{true nil else,@}}",
                "LeftDelim<{{> Bool<true> Space< > Nil<nil> Space< > Else<else> Char<,> Char<@> \
                 RightDelim<}}> Eof<>",
            ),
            ("{{é}}", "LeftDelim<{{> Identifier<é> RightDelim<}}> Eof<>"),
        ] {
            assert_eq!(shown(text), want, "{text}");
        }
    }

    #[test]
    fn trimming() {
        for (text, want) in [
            (
                "a \n{{- 1 -}}\r\n b",
                "Text<a> Trim< \n> LeftDelim<{{> Trim<- > Number<1> Trim< -> RightDelim<}}> \
                 Trim<\r\n > Text<b> Eof<>",
            ),
            (
                " {{-\n1  -}}",
                "Trim< > LeftDelim<{{> Trim<-\n> Number<1> Space< > Trim< -> RightDelim<}}> Eof<>",
            ),
            (
                "{{-1 -}} {{- 2}}",
                "LeftDelim<{{> Number<-1> Trim< -> RightDelim<}}> Trim< > LeftDelim<{{> Trim<- > \
                 Number<2> RightDelim<}}> Eof<>",
            ),
            ("{{1-}}", "LeftDelim<{{> BadNumber"),
            (
                "{{- -}}",
                "LeftDelim<{{> Trim<- > Number<-> RightDelim<}}> Eof<>",
            ),
            (
                "a {{- /* }} */ -}} b",
                "Text<a> Trim< > Comment<{{- /* }} */ -}}> Trim< > Text<b> Eof<>",
            ),
            (
                "{{/*a*/}} {{/**/ -}}",
                "Comment<{{/*a*/}}> Text< > Comment<{{/**/ -}}> Eof<>",
            ),
        ] {
            assert_eq!(shown(text), want, "{text}");
        }
    }

    #[test]
    fn errors() {
        for (text, want) in [
            ("{{", "UnclosedAction"),
            ("{{1", "UnclosedAction"),
            ("{{/*", "UnclosedComment"),
            ("{{/* */ }}", "CommentEndsEarly"),
            ("{{(1}}", "UnclosedParen"),
            ("{{:1}}", "ExpectedDeclare"),
            ("{{\u{1}}}", "Unrecognized('\\u{1}')"),
            ("{{$x=5}}", "BadCharacter('=')"),
            ("{{a-b}}", "BadCharacter('-')"),
            ("{{.a\"\"}}", "BadCharacter('\"')"),
            ("{{1x}}", "BadNumber"),
            ("{{1+2}}", "BadNumber"),
            ("{{'a", "UnterminatedChar"),
            ("{{\"a\n\"}}", "UnterminatedQuote"),
            ("{{\"\\", "UnterminatedQuote"),
            ("{{`a", "UnterminatedRawQuote"),
        ] {
            let tokens = lex(text.as_bytes());
            let last = tokens.last().map(|token| token.kind);
            let shown = match last {
                Some(Kind::Error(error)) => format!("{error:?}"),
                other => format!("{other:?}"),
            };
            assert_eq!(shown, want, "{text}");
        }
    }

    #[test]
    fn lexemes_rebuild_the_text() {
        for text in [
            &b"a \n{{- if eq .x \"}}\" -}} b {{else}}\r\n\t{{ $x := (f 1 | g).y }} {{end -}}  \n"[..],
            b"{{- /* c */ -}}\n {{range $i, $_ := .}}{{break}}{{end}}",
            b"\xff{{`\xfe`}}\x00{{ \t1 -}}{{- 2 }}  ",
            b"{{printf \"%d\" 'x' 1+2i}} }} {{ 3 |}}",
        ] {
            let tokens = lex(text);
            let rebuilt: Vec<u8> = tokens
                .iter()
                .flat_map(|token| token.span.of(text).to_vec())
                .collect();
            assert_eq!(rebuilt, text);
            let ends = tokens.windows(2);
            assert!(
                ends.into_iter()
                    .all(|pair| pair[0].span.end == pair[1].span.start)
            );
        }
    }
}
