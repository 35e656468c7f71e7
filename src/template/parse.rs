//! The parser: a template's text in, a [`Template`] out. Recursive descent with Go's rules in Go's
//! order, so that it finds the same error first.
//!
//! Functions, variables and template names are resolved here; executing looks nothing up by name.

mod action;
mod pipeline;
mod scope;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::Function;
use super::error::{Error, Place};
use super::hint;
use super::interner::Interner;
use super::lex::{Kind, LexError, Lexer, Span, Token};
use super::node::{List, Node, TemplateId};
use super::problem::Problem;
use crate::go::strconv::unquote;
use crate::go::utf8;
use scope::Scope;

/// The deepest nesting of blocks and parentheses.
pub const MAX_NESTING: u32 = 100;
/// The length limit of a template, in bytes.
pub const MAX_SOURCE: usize = 64 << 20;

type Result<T> = std::result::Result<T, Error>;

/// A parsed text: the template itself, and those that it defines.
#[derive(Debug)]
pub struct Template {
    pub(super) name: Arc<str>,
    pub(super) source: Arc<[u8]>,
    /// The names of templates, defined or just called; the first is this template's own.
    pub(super) names: Vec<Vec<u8>>,
    /// The definition of each name; `None` if there is none.
    pub(super) lists: Vec<Option<List>>,
}

/// The template that a text is parsed under.
pub(super) const MAIN: TemplateId = TemplateId(0);

impl Template {
    /// The name that the text was parsed under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text.
    pub fn text(&self) -> &Arc<[u8]> {
        &self.source
    }

    /// Parses a text, any bytes, that may call `functions` and Go's builtins. The name is for
    /// messages, and the text may call itself by it.
    pub fn parse(name: &str, text: &[u8], functions: &'static [Function]) -> Result<Template> {
        let source: Arc<[u8]> = text.into();
        let name: Arc<str> = name.into();
        let mut parser = Parser::new(name.clone(), source.clone(), &source, functions);
        if source.len() > MAX_SOURCE {
            return Err(parser.error(Problem::TooLarge(MAX_SOURCE)));
        }
        let list = parser.parse()?;
        parser.add(MAIN, list)?;
        let Parser { names, lists, .. } = parser;
        Ok(Template {
            name,
            source,
            names,
            lists,
        })
    }
}

/// A node, or the end of the list.
enum Item {
    Node(Node),
    Clause(Clause),
}

/// The clauses that end a list.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clause {
    End,
    Else,
}

impl Clause {
    fn words(self) -> &'static str {
        match self {
            Clause::End => "{{end}}",
            Clause::Else => "{{else}}",
        }
    }
}

struct Parser<'t> {
    name: Arc<str>,
    source: Arc<[u8]>,
    text: &'t [u8],
    functions: &'static [Function],
    lexer: Lexer<'t>,
    /// Lexemes that were read ahead and put back, the next one last: never more than three.
    pending: Vec<Token>,
    scope: Scope,
    /// The first word of each open level.
    open: Vec<Span>,
    ids: Interner,
    names: Vec<Vec<u8>>,
    lists: Vec<Option<List>>,
}

impl<'t> Parser<'t> {
    fn new(
        name: Arc<str>,
        source: Arc<[u8]>,
        text: &'t [u8],
        functions: &'static [Function],
    ) -> Self {
        let mut parser = Parser {
            source,
            text,
            functions,
            lexer: Lexer::new(text),
            pending: Vec::new(),
            scope: Scope::new(),
            open: Vec::new(),
            ids: Interner::default(),
            names: Vec::new(),
            lists: Vec::new(),
            name,
        };
        parser.template_id(parser.name.as_bytes().to_vec());
        parser
    }

    /// The next lexeme that has a meaning.
    fn next(&mut self) -> Token {
        if let Some(token) = self.pending.pop() {
            return token;
        }
        loop {
            let token = self.lexer.next_token();
            if !matches!(token.kind, Kind::Trim | Kind::Comment) {
                self.scope.last = token.span;
                return token;
            }
        }
    }

    fn backup(&mut self, token: Token) {
        self.pending.push(token);
    }

    fn peek(&mut self) -> Token {
        let token = self.next();
        self.backup(token);
        token
    }

    fn next_non_space(&mut self) -> Token {
        loop {
            let token = self.next();
            if token.kind != Kind::Space {
                return token;
            }
        }
    }

    fn peek_non_space(&mut self) -> Token {
        let token = self.next_non_space();
        self.backup(token);
        token
    }

    fn text_of(&self, token: Token) -> &'t [u8] {
        token.span.of(self.text)
    }

    /// An error on the line of the token that was read last, which is the line that Go names.
    fn error(&self, problem: Problem) -> Error {
        Error::parse(problem, self.place(self.scope.last.start)).about(self.scope.last)
    }

    /// An error about one token. Go's message names the line of the token that was read last.
    fn error_at(&self, token: Token, problem: Problem) -> Error {
        self.error_in(token.span, problem)
    }

    fn error_in(&self, span: Span, problem: Problem) -> Error {
        let hint = hint::of_parse(&problem, self.text, span);
        self.error(problem).about(span).with_hint(hint)
    }

    fn place(&self, pos: usize) -> Place {
        Place {
            name: self.name.clone(),
            source: self.source.clone(),
            pos,
        }
    }

    fn fail<T>(&self, problem: Problem) -> Result<T> {
        Err(self.error(problem))
    }

    fn expect(&mut self, kind: Kind, context: &'static str) -> Result<Token> {
        let token = self.next_non_space();
        if token.kind == kind {
            Ok(token)
        } else {
            self.unexpected(token, context)
        }
    }

    fn unexpected<T>(&self, token: Token, context: &'static str) -> Result<T> {
        let text = self.text_of(token).to_vec();
        let Kind::Error(error) = token.kind else {
            let kind = token.kind;
            let problem = Problem::Unexpected {
                kind,
                text,
                context,
            };
            return Err(self.error_at(token, problem));
        };
        let failed = self.place(token.span.start);
        let action = self.scope.action.map(|pos| self.place(pos).line());
        let started = action
            .filter(|line| *line != failed.line())
            .map(|line| format!("{}:{line}", self.name));
        let problem = Problem::Lex {
            error,
            text,
            started,
        };
        let span = match (error, self.scope.action) {
            (LexError::UnclosedAction, Some(start)) => Span {
                start,
                end: token.span.start.max(start),
            },
            _ => token.span,
        };
        Err(self.error_in(span, problem))
    }

    /// Goes a level deeper; the caller goes back up with [`leave`](Parser::leave), unless it
    /// failed.
    fn enter(&mut self) -> Result<()> {
        self.open.push(self.scope.last);
        if self.open.len() > MAX_NESTING as usize {
            return self.fail(Problem::NestedTooDeep(MAX_NESTING));
        }
        Ok(())
    }

    fn leave(&mut self) {
        self.open.pop();
    }
}

/// Templates and lists.
impl Parser<'_> {
    /// ```text
    /// template = { definition | node } EOF
    /// ```
    fn parse(&mut self) -> Result<List> {
        let mut list = List::new();
        loop {
            let token = self.peek();
            if token.kind == Kind::Eof {
                return Ok(list);
            }
            if token.kind == Kind::LeftDelim {
                let delim = self.next();
                let word = self.next_non_space();
                if word.kind == Kind::Define {
                    self.parse_definition()?;
                    continue;
                }
                self.backup(word);
                self.backup(delim);
            }
            match self.text_or_action()? {
                Item::Node(node) => list.push(node),
                Item::Clause(clause) => {
                    return self.fail(Problem::UnexpectedClause(clause.words()));
                }
            }
        }
    }

    /// ```text
    /// definition = "{{define" string "}}" list "{{end}}"
    /// ```
    /// Begins after `define`.
    fn parse_definition(&mut self) -> Result<()> {
        let context = "define clause";
        let outer = std::mem::replace(&mut self.scope, Scope::new());
        let token = self.next_non_space();
        let id = self.template_name(token, context)?;
        self.expect(Kind::RightDelim, context)?;
        let list = self.template_body(context, None)?;
        self.add(id, list)?;
        self.scope = outer;
        Ok(())
    }

    /// The body of a definition or block, in a scope of its own, to its end. An `{{else}}` there is
    /// an error at `place`, or where it stands.
    fn template_body(&mut self, context: &'static str, place: Option<usize>) -> Result<List> {
        self.enter()?;
        let (list, clause) = self.item_list()?;
        self.leave();
        if clause != Clause::End {
            let clause = clause.words();
            let place = self.place(place.unwrap_or(self.scope.last.start));
            let problem = Problem::ClauseWithin { clause, context };
            return Err(Error::parse(problem, place));
        }
        Ok(list)
    }

    fn template_name(&mut self, token: Token, context: &'static str) -> Result<TemplateId> {
        if !matches!(token.kind, Kind::String | Kind::RawString) {
            return self.unexpected(token, context);
        }
        match unquote(self.text_of(token)) {
            Some(name) => Ok(self.template_id(name)),
            None => self.fail(Problem::InvalidSyntax),
        }
    }

    fn template_id(&mut self, name: Vec<u8>) -> TemplateId {
        let id = self.ids.add(&name);
        if id == self.names.len() {
            self.names.push(name);
            self.lists.push(None);
        }
        TemplateId(id)
    }

    /// Defines a template. An empty definition never replaces another, and is replaced by any.
    fn add(&mut self, id: TemplateId, list: List) -> Result<()> {
        let Some(place) = self.lists.get_mut(id.0) else {
            return Ok(());
        };
        let defined = |list: &List| !is_empty(self.text, list);
        if !place.as_ref().is_some_and(defined) {
            *place = Some(list);
        } else if defined(&list) {
            let name = self.names.get(id.0).cloned().unwrap_or_default();
            return self.fail(Problem::MultipleDefinition(name));
        }
        Ok(())
    }

    /// ```text
    /// list = { node }, up to "{{end}}" or "{{else …"
    /// ```
    fn item_list(&mut self) -> Result<(List, Clause)> {
        let mut list = List::new();
        while self.peek_non_space().kind != Kind::Eof {
            match self.text_or_action()? {
                Item::Node(node) => list.push(node),
                Item::Clause(clause) => return Ok((list, clause)),
            }
        }
        let opened = self.open.last().copied().unwrap_or(self.scope.last);
        let problem = Problem::UnexpectedEof(self.place(opened.start).line());
        Err(self.error_in(opened, problem))
    }

    /// ```text
    /// node = text | "{{" action
    /// ```
    fn text_or_action(&mut self) -> Result<Item> {
        let token = self.next_non_space();
        match token.kind {
            Kind::Text => Ok(Item::Node(Node::Text(token.span))),
            Kind::LeftDelim => {
                self.scope.action = Some(token.span.start);
                let item = self.action()?;
                self.scope.action = None;
                Ok(item)
            }
            _ => self.unexpected(token, "input"),
        }
    }
}

/// Returns true if a template prints nothing except white space, as Go's `IsEmptyTree`.
fn is_empty(text: &[u8], list: &List) -> bool {
    list.iter().all(|node| match node {
        Node::Text(span) => utf8::chars(span.of(text)).all(|(found, _)| found.is_whitespace()),
        _ => false,
    })
}
