//! Pipelines, commands and operands.

use super::{Parser, Problem, Result};
use crate::go::strconv::unquote;
use crate::nearest::nearest;
use crate::template::builtins::{self, Builtin};
use crate::template::lex::{Kind, Span, Token};
use crate::template::node::{
    Callee, Command, Declared, NodeRef, Number, Operand, OperandKind, Pipeline, Printer,
};
use crate::template::value::Value;

impl Parser<'_> {
    /// ```text
    /// pipeline = [ declarations ] command { "|" command }
    /// ```
    /// Reads the `end` token, too.
    pub(super) fn pipeline(&mut self, context: &'static str, end: Kind) -> Result<Pipeline> {
        let mut pipeline = Pipeline {
            pos: self.peek_non_space().span.start,
            assign: false,
            decl: Vec::new(),
            commands: Vec::new(),
        };
        self.declarations(&mut pipeline, context)?;
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => break,
                kind if begins_operand(kind) => {
                    self.backup(token);
                    let command = self.command()?;
                    pipeline.commands.push(command);
                }
                _ => return self.unexpected(token, context),
            }
        }
        self.check_pipeline(&pipeline, context)?;
        for variable in &mut pipeline.decl {
            let name = variable.name.of(self.text);
            variable.slot = if pipeline.assign {
                self.scope.stack.find(name)
            } else {
                Some(self.scope.stack.push(name))
            };
        }
        Ok(pipeline)
    }

    /// ```text
    /// declarations = variable [ "," variable ] ( ":=" | "=" )
    /// ```
    /// Two variables are for `range` only. What only looks like a declaration is put back.
    fn declarations(&mut self, pipeline: &mut Pipeline, context: &'static str) -> Result<()> {
        loop {
            let variable = self.peek_non_space();
            if variable.kind != Kind::Variable {
                return Ok(());
            }
            self.next();
            let after = self.peek();
            let next = self.peek_non_space();
            let comma = next.kind == Kind::Char && self.text_of(next) == b",";
            if !comma && !matches!(next.kind, Kind::Assign | Kind::Declare) {
                // The space distinguishes `$x foo` from `$x.foo`.
                if after.kind == Kind::Space {
                    self.backup(after);
                }
                self.backup(variable);
                return Ok(());
            }
            self.next_non_space();
            pipeline.assign = next.kind == Kind::Assign;
            pipeline.decl.push(Declared {
                name: variable.span,
                slot: None,
            });
            self.scope.declared.push(self.text_of(variable));
            if !comma {
                return Ok(());
            }
            if context != "range" || pipeline.decl.len() >= 2 {
                return self.fail(Problem::TooManyDeclarations(context));
            }
            let following = self.peek_non_space().kind;
            if !matches!(
                following,
                Kind::Variable | Kind::RightDelim | Kind::RightParen
            ) {
                return self.fail(Problem::OnlyVariables);
            }
        }
    }

    fn check_pipeline(&self, pipeline: &Pipeline, context: &'static str) -> Result<()> {
        if pipeline.commands.is_empty() {
            return self.fail(Problem::MissingValue(context));
        }
        let constant = |command: &Command| {
            use OperandKind::*;
            let first = command.args.first().map(|operand| &operand.kind);
            matches!(first, Some(Bool(_) | Dot | Nil | Number(_) | String(_)))
        };
        match pipeline.commands.iter().skip(1).position(constant) {
            Some(stage) => self.fail(Problem::NonExecutable(stage + 2)),
            None => Ok(()),
        }
    }

    /// ```text
    /// command = operand { space operand }
    /// ```
    /// Reads the `|` after it, but not the end of the pipeline.
    fn command(&mut self) -> Result<Command> {
        let pos = self.peek_non_space().span.start;
        let mut args = Vec::new();
        loop {
            self.peek_non_space();
            if let Some(operand) = self.operand()? {
                args.push(operand);
            }
            let token = self.next();
            match token.kind {
                Kind::Space => continue,
                Kind::RightDelim | Kind::RightParen => self.backup(token),
                Kind::Pipe => {}
                _ => return self.unexpected(token, "operand"),
            }
            break;
        }
        if args.is_empty() {
            return self.fail(Problem::EmptyCommand);
        }
        Ok(Command { pos, args })
    }

    /// ```text
    /// operand = term { field }
    /// ```
    fn operand(&mut self) -> Result<Option<Operand>> {
        let Some(term) = self.term()? else {
            return Ok(None);
        };
        let first = self.peek();
        if first.kind != Kind::Field {
            return Ok(Some(term));
        }
        let mut more = Vec::new();
        while self.peek().kind == Kind::Field {
            more.push(field_name(self.next()));
        }
        self.with_fields(term, first.span, more).map(Some)
    }

    /// Fields and variables take further fields into themselves, and their place from the first of
    /// those.
    fn with_fields(&self, term: Operand, first: Span, more: Vec<Span>) -> Result<Operand> {
        use OperandKind::*;
        let kind = match term.kind {
            Field(mut fields) => {
                fields.extend(more);
                Field(fields)
            }
            Variable { name, slot, .. } => Variable {
                name,
                slot,
                fields: more,
            },
            Bool(_) | String(_) | Number(_) | Nil | Dot => {
                return self.fail(Problem::DotAfter(self.print(&term)));
            }
            Identifier(_) | Chain { .. } | Pipeline(_) => Chain {
                node: Box::new(term),
                fields: more,
            },
        };
        Ok(Operand { span: first, kind })
    }

    fn print(&self, operand: &Operand) -> String {
        let printer = Printer {
            text: self.text,
            names: &self.names,
        };
        printer.print(NodeRef::Operand(operand))
    }

    /// ```text
    /// term = identifier | "." | field { field } | variable | "nil" | bool | number | char | string
    ///      | "(" pipeline ")"
    /// ```
    /// Returns `None`, and reads nothing, if there is no term.
    fn term(&mut self) -> Result<Option<Operand>> {
        let token = self.next_non_space();
        let kind = match token.kind {
            Kind::Identifier => OperandKind::Identifier(self.function(token)?),
            Kind::Dot => OperandKind::Dot,
            Kind::Nil => OperandKind::Nil,
            Kind::Variable => self.use_var(token)?,
            Kind::Field => OperandKind::Field(vec![field_name(token)]),
            Kind::Bool => OperandKind::Bool(self.text_of(token) == b"true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => {
                let number = Number::parse(token.kind, self.text_of(token));
                let number = number.map_err(|problem| self.error_at(token, problem))?;
                OperandKind::Number(Box::new(number))
            }
            Kind::LeftParen => {
                self.enter()?;
                let pipeline = self.pipeline("parenthesized pipeline", Kind::RightParen)?;
                self.leave();
                // From where Go's errors find it to the end of the parenthesis.
                let span = Span {
                    start: pipeline.pos,
                    end: self.scope.last.end,
                };
                let kind = OperandKind::Pipeline(Box::new(pipeline));
                return Ok(Some(Operand { span, kind }));
            }
            Kind::String | Kind::RawString => match unquote(self.text_of(token)) {
                Some(text) => OperandKind::String(Value::text(text)),
                None => return Err(self.error_at(token, Problem::InvalidSyntax)),
            },
            _ => {
                self.backup(token);
                return Ok(None);
            }
        };
        let span = token.span;
        Ok(Some(Operand { span, kind }))
    }

    /// The host's functions come first: they may replace Go's.
    fn function(&self, token: Token) -> Result<Callee> {
        let name = self.text_of(token);
        let mut host = self.functions.iter();
        if let Some(index) = host.position(|function| function.name.as_bytes() == name) {
            return Ok(Callee::Host(index));
        }
        if let Some(builtin) = Builtin::named(name) {
            return Ok(Callee::Builtin(builtin));
        }
        let known = self.functions.iter().chain(builtins::functions());
        let known = known.map(|function| function.name);
        let nearest = nearest(&String::from_utf8_lossy(name), known);
        let name = name.to_vec();
        Err(self.error_at(token, Problem::UndefinedFunction { name, nearest }))
    }

    fn use_var(&self, token: Token) -> Result<OperandKind> {
        let name = self.text_of(token);
        if self.scope.declared.find(name).is_none() {
            let problem = Problem::UndeclaredVariable(name.to_vec());
            return Err(self.error_at(token, problem));
        }
        Ok(OperandKind::Variable {
            name: token.span,
            slot: self.scope.stack.find(name),
            fields: Vec::new(),
        })
    }
}

fn begins_operand(kind: Kind) -> bool {
    use Kind::*;
    matches!(
        kind,
        Bool | CharConstant
            | Complex
            | Dot
            | Field
            | Identifier
            | Number
            | Nil
            | RawString
            | String
            | Variable
            | LeftParen
    )
}

/// A field's name without its dot.
fn field_name(token: Token) -> Span {
    Span {
        start: token.span.start + 1,
        end: token.span.end,
    }
}
