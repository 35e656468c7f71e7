//! The outline of a template, for tools that read templates without executing them: every
//! expression, with pipelines and parentheses taken apart, the use of its value, and what is
//! certain to fail.
//!
//! Knows nothing about what functions do. Places are offsets in the text.

use super::Function;
use super::lex::Span;
use super::node::{
    Branch, Callee, Command, List, Node, Operand, OperandKind, Pipeline, RangeNode, TemplateNode,
};
use super::parse::{MAIN, Template};
use super::value::{Str, Value};

/// A pipeline of more stages is followed no further back: each stage is a call around the one
/// before.
const MOST_STAGES: usize = 16;

/// A template's expressions, in the order of its text, and its flaws.
#[derive(Debug, Default)]
pub struct Outline {
    pub statements: Vec<Statement>,
    pub flaws: Vec<Flaw>,
}

/// An expression and the use of its value.
#[derive(Debug)]
pub struct Statement {
    pub expr: Expr,
    pub usage: Usage,
    /// The variables that it sets, with their `$`.
    pub sets: Vec<String>,
    pub when: When,
    /// The dot.
    pub dot: Dot,
}

/// The dot of a place in a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dot {
    /// The data of the whole template, which is nil in confd.
    Top,
    /// The value of the `{{with}}` statement with this index.
    Value(usize),
    /// An element of the value of the `{{range}}` statement with this index.
    Element(usize),
    /// The data that another template passes.
    Passed,
}

/// When an expression is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Whenever the template is executed.
    Always,
    /// In each turn of the ranges around it.
    EachTurn,
    /// When a condition holds, or another template calls its own.
    Sometimes,
}

/// The use of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// It is part of the output.
    Printed,
    /// `{{if}}` or `{{with}}` asks whether it is true.
    Tested,
    /// `{{range}}` goes through it.
    Ranged,
    /// A variable keeps it.
    Kept,
    /// `{{template}}` passes it on.
    Passed,
}

/// An expression. The first argument of a pipeline's stage stands last, as it does when executed.
#[derive(Debug)]
pub enum Expr {
    Text {
        pos: usize,
        text: Str,
    },
    Number {
        pos: usize,
        number: f64,
        /// It is a float constant, not an int.
        float: bool,
    },
    Variable {
        pos: usize,
        name: String,
    },
    Call(Call),
    /// A field or method of a value: `(json …).a.b`, `datetime.Format "…"`.
    Member {
        of: Box<Expr>,
        names: Vec<String>,
        args: Vec<Expr>,
    },
    /// `true` or `false`.
    Bool {
        pos: usize,
    },
    /// The dot.
    Dot {
        pos: usize,
    },
    /// `nil`, and numbers that are too large.
    Other {
        pos: usize,
    },
}

/// A call of a function.
#[derive(Debug)]
pub struct Call {
    /// Where the function's name stands.
    pub pos: usize,
    pub function: &'static Function,
    pub args: Vec<Expr>,
}

/// The flaws that can be seen without executing.
#[derive(Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It is assigned where nothing has declared it: fails when executed.
    Undeclared { pos: usize, name: String },
    /// It is called and nowhere defined: fails when executed.
    Undefined { pos: usize, name: String },
    /// A value that gets arguments, the first one perhaps a function that stands between two
    /// values: fails when executed.
    NotAFunction {
        pos: usize,
        operator: Option<String>,
    },
    /// A variable of an inner block, never used, while an outer one of this name keeps its value.
    Lost { pos: usize, name: String },
}

impl Expr {
    /// Where it begins.
    pub fn pos(&self) -> usize {
        match self {
            Expr::Text { pos, .. } | Expr::Number { pos, .. } => *pos,
            Expr::Variable { pos, .. } => *pos,
            Expr::Bool { pos } | Expr::Dot { pos } | Expr::Other { pos } => *pos,
            Expr::Call(call) => call.pos,
            Expr::Member { of, .. } => of.pos(),
        }
    }
}

impl Template {
    /// Reads the template, which was parsed with these functions.
    pub fn outline(&self, functions: &'static [Function]) -> Outline {
        let mut walk = Walk {
            template: self,
            functions,
            scopes: Vec::new(),
            when: When::Always,
            dot: Dot::Top,
            outline: Outline::default(),
        };
        for (id, list) in self.lists.iter().enumerate() {
            (walk.when, walk.dot) = if id == MAIN.0 {
                (When::Always, Dot::Top)
            } else {
                (When::Sometimes, Dot::Passed)
            };
            walk.list(list.as_deref().unwrap_or_default());
        }
        walk.outline
    }
}

/// The walk through a template's nodes. It recurses no deeper than the parser lets blocks and
/// parentheses nest.
struct Walk<'t> {
    template: &'t Template,
    functions: &'static [Function],
    /// The variables of the blocks around, the innermost last.
    scopes: Vec<Vec<Local>>,
    when: When,
    dot: Dot,
    outline: Outline,
}

struct Local {
    pos: usize,
    name: String,
    /// It is reported if it is not used.
    telling: bool,
    used: bool,
}

/// Blocks.
impl Walk<'_> {
    /// Nodes with a scope of their own.
    fn list(&mut self, list: &[Node]) {
        self.scopes.push(Vec::new());
        for node in list {
            match node {
                Node::Action(pipeline) if pipeline.decl.is_empty() => {
                    self.statement(pipeline, Usage::Printed);
                }
                Node::Action(pipeline) => self.statement(pipeline, Usage::Kept),
                Node::If(branch) => self.branch(branch, false),
                Node::With(branch) => self.branch(branch, true),
                Node::Range(range) => self.range(range),
                Node::Template(node) => self.template(node),
                Node::Text(_) | Node::Break | Node::Continue => {}
            }
        }
        self.leave();
    }

    fn branch(&mut self, branch: &Branch, sets_dot: bool) {
        let (when, dot) = (self.when, self.dot);
        self.scopes.push(Vec::new());
        for arm in &branch.arms {
            let condition = self.outline.statements.len();
            self.statement(&arm.pipeline, Usage::Tested);
            self.when = When::Sometimes;
            if sets_dot {
                self.dot = Dot::Value(condition);
            }
            self.list(&arm.list);
            self.dot = dot;
        }
        self.rest(branch.else_list.as_ref(), when);
    }

    fn range(&mut self, range: &RangeNode) {
        let (when, dot) = (self.when, self.dot);
        self.scopes.push(Vec::new());
        let element = Dot::Element(self.outline.statements.len());
        self.statement(&range.pipeline, Usage::Ranged);
        if when == When::Always {
            self.when = When::EachTurn;
        }
        self.dot = element;
        self.list(&range.list);
        self.dot = dot;
        self.when = When::Sometimes;
        self.rest(range.else_list.as_ref(), when);
    }

    fn rest(&mut self, else_list: Option<&List>, when: When) {
        self.list(else_list.map_or(&[], Vec::as_slice));
        self.when = when;
        self.leave();
    }

    fn template(&mut self, node: &TemplateNode) {
        if let Some(pipeline) = &node.pipeline {
            self.statement(pipeline, Usage::Passed);
        }
        let Template { names, lists, .. } = self.template;
        if lists.get(node.template.0).is_none_or(Option::is_none) {
            let name = names.get(node.template.0).map_or(&b""[..], Vec::as_slice);
            let name = String::from_utf8_lossy(name).into_owned();
            let pos = node.pos;
            self.outline.flaws.push(Flaw::Undefined { pos, name });
        }
    }

    fn leave(&mut self) {
        let scope = self.scopes.pop().unwrap_or_default();
        for local in scope {
            let outer = self.scopes.iter().flatten();
            let hides = outer.into_iter().any(|outer| outer.name == local.name);
            if local.telling && !local.used && hides {
                let Local { pos, name, .. } = local;
                self.outline.flaws.push(Flaw::Lost { pos, name });
            }
        }
    }

    fn statement(&mut self, pipeline: &Pipeline, usage: Usage) {
        let expr = self.pipeline(pipeline);
        let sets = pipeline.decl.iter();
        let sets = sets.map(|variable| self.words(variable.name)).collect();
        self.declare(pipeline, usage == Usage::Kept);
        self.outline.statements.push(Statement {
            expr,
            usage,
            sets,
            when: self.when,
            dot: self.dot,
        });
    }

    fn declare(&mut self, pipeline: &Pipeline, telling: bool) {
        for variable in &pipeline.decl {
            let (pos, name) = (variable.name.start, self.words(variable.name));
            if variable.slot.is_none() {
                self.outline.flaws.push(Flaw::Undeclared { pos, name });
            } else if let (false, Some(scope)) = (pipeline.assign, self.scopes.last_mut()) {
                scope.push(Local {
                    pos,
                    name,
                    telling,
                    used: false,
                });
            }
        }
    }
}

/// Expressions.
impl Walk<'_> {
    fn pipeline(&mut self, pipeline: &Pipeline) -> Expr {
        let pos = pipeline.pos;
        let mut last = None;
        for (stage, command) in (1..).zip(&pipeline.commands) {
            let expr = self.command(command, last);
            let cut = stage % MOST_STAGES == 0 && stage < pipeline.commands.len();
            last = Some(if cut { Expr::Other { pos } } else { expr });
        }
        last.unwrap_or(Expr::Other { pos })
    }

    fn command(&mut self, command: &Command, last: Option<Expr>) -> Expr {
        let pos = command.pos;
        let Some((first, args)) = command.args.split_first() else {
            return Expr::Other { pos };
        };
        let gets_arguments = !args.is_empty() || last.is_some();
        if gets_arguments && !takes_arguments(first) {
            let operator = args.first().filter(|arg| is_function(arg));
            let operator = operator.map(|operator| self.words(operator.span));
            let pos = first.span.start;
            self.outline
                .flaws
                .push(Flaw::NotAFunction { pos, operator });
        }
        let args = args.iter().map(|arg| self.operand(arg)).collect();
        self.word(first, args, last)
    }

    fn operand(&mut self, operand: &Operand) -> Expr {
        self.word(operand, Vec::new(), None)
    }

    /// A word and what it is applied to.
    fn word(&mut self, word: &Operand, mut args: Vec<Expr>, last: Option<Expr>) -> Expr {
        args.extend(last);
        let pos = word.span.start;
        match &word.kind {
            OperandKind::String(Value::Str(text)) => Expr::Text {
                pos,
                text: text.clone(),
            },
            OperandKind::Number(number) => match number.float {
                Some(float) => Expr::Number {
                    pos,
                    number: float,
                    float: number.looks_float,
                },
                None => Expr::Other { pos },
            },
            OperandKind::Identifier(callee) => self.call(*callee, pos, args),
            OperandKind::Variable { name, fields, .. } => {
                let (pos, name) = (name.start, self.words(*name));
                self.used(&name);
                self.member(Expr::Variable { pos, name }, fields, args)
            }
            OperandKind::Field(fields) => {
                // Go's place of `.a.b` is the second field.
                let pos = fields
                    .first()
                    .map_or(pos, |first| first.start.saturating_sub(1));
                self.member(Expr::Dot { pos }, fields, args)
            }
            OperandKind::Dot => Expr::Dot { pos },
            OperandKind::Bool(_) => Expr::Bool { pos },
            OperandKind::Chain { node, fields } => {
                let of = self.operand(node);
                self.member(of, fields, args)
            }
            OperandKind::Pipeline(pipeline) => {
                let expr = self.pipeline(pipeline);
                self.declare(pipeline, false);
                expr
            }
            _ => Expr::Other { pos },
        }
    }

    fn call(&self, callee: Callee, pos: usize, args: Vec<Expr>) -> Expr {
        let function = match callee {
            Callee::Builtin(builtin) => Some(builtin.function()),
            Callee::Host(index) => self.functions.get(index),
        };
        match function {
            Some(function) => Expr::Call(Call {
                pos,
                function,
                args,
            }),
            None => Expr::Other { pos },
        }
    }

    fn member(&self, of: Expr, fields: &[Span], args: Vec<Expr>) -> Expr {
        if fields.is_empty() {
            return of;
        }
        Expr::Member {
            of: Box::new(of),
            names: fields.iter().map(|field| self.words(*field)).collect(),
            args,
        }
    }

    fn used(&mut self, name: &str) {
        let mut visible = self.scopes.iter_mut().rev();
        let found = visible.find_map(|scope| scope.iter_mut().rev().find(|l| l.name == name));
        if let Some(local) = found {
            local.used = true;
        }
    }

    fn words(&self, span: Span) -> String {
        String::from_utf8_lossy(span.of(&self.template.source)).into_owned()
    }
}

/// Returns true if the first word of a command can have arguments: a function, or a field that may
/// be a method.
fn takes_arguments(first: &Operand) -> bool {
    match &first.kind {
        OperandKind::Identifier(_) | OperandKind::Field(_) | OperandKind::Chain { .. } => true,
        OperandKind::Variable { fields, .. } => !fields.is_empty(),
        _ => false,
    }
}

fn is_function(operand: &Operand) -> bool {
    matches!(operand.kind, OperandKind::Identifier(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Type;

    static FUNCTIONS: &[Function] = &[Function {
        name: "get",
        params: &[Type::Str],
        variadic: None,
    }];

    fn outline(text: &str) -> Outline {
        let template = Template::parse("t", text.as_bytes(), FUNCTIONS).expect(text);
        template.outline(FUNCTIONS)
    }

    /// An expression in one line: calls with brackets, so that the nesting shows.
    fn show(expr: &Expr) -> String {
        let all = |args: &[Expr]| args.iter().map(show).collect::<Vec<_>>().join(" ");
        match expr {
            Expr::Text { text, .. } => format!("{text:?}"),
            Expr::Number { number, .. } => number.to_string(),
            Expr::Variable { name, .. } => name.clone(),
            Expr::Call(call) => format!("{}[{}]", call.function.name, all(&call.args)),
            Expr::Member { of, names, args } => {
                format!("{}.{}[{}]", show(of), names.join("."), all(args))
            }
            Expr::Bool { .. } | Expr::Dot { .. } | Expr::Other { .. } => "_".to_owned(),
        }
    }

    #[test]
    fn pipelines_and_parentheses_become_calls_in_calls() {
        for (text, want) in [
            (r#"{{get "/k"}}"#, r#"Printed get["/k"]"#),
            (r#"{{"/k" | get}}"#, r#"Printed get["/k"]"#),
            (
                r#"{{(print "a" $ | get).b.c 1.5 | len}}"#,
                r#"Printed len[get[print["a" $]].b.c[1.5]]"#,
            ),
            (
                r#"{{$x := get `k`}}{{printf "%s" $x.y}}"#,
                r#"Kept $x get["k"]; Printed printf["%s" $x.y[]]"#,
            ),
            (
                "{{range $i, $e := .}}{{.}}{{if .}}{{len 1}}{{end}}{{else}}{{2}}{{end}}",
                "Ranged $i $e _; Printed* _; Tested* _; Printed? len[1]; Printed? 2",
            ),
            (
                "{{if 1}}{{len 2}}{{else if 3}}{{else}}{{4}}{{end}}{{5}}",
                "Tested 1; Printed? len[2]; Tested? 3; Printed? 4; Printed 5",
            ),
            (
                r#"{{define "a"}}{{1}}{{end}}{{template "a" 2}}"#,
                "Passed 2; Printed? 1",
            ),
        ] {
            let statements = outline(text).statements;
            let shown = statements.iter().map(|statement| {
                let unsure = match statement.when {
                    When::Always => "",
                    When::EachTurn => "*",
                    When::Sometimes => "?",
                };
                let mut words = vec![format!("{:?}{unsure}", statement.usage)];
                words.extend(statement.sets.iter().cloned());
                words.push(show(&statement.expr));
                words.join(" ")
            });
            assert_eq!(shown.collect::<Vec<_>>().join("; "), want, "{text}");
        }
    }

    #[test]
    fn expressions_nest_no_deeper_than_can_be_walked() {
        fn depth(expr: &Expr) -> usize {
            match expr {
                Expr::Call(call) => 1 + call.args.iter().map(depth).max().unwrap_or(0),
                _ => 0,
            }
        }
        let stages = "|print".repeat(50_000);
        let nested = format!("{}1{}", "(len ".repeat(90), "|print)".repeat(90));
        for text in [
            format!("{{{{1{stages}}}}}"),
            format!("{{{{{nested}{stages}}}}}"),
        ] {
            let statements = outline(&text).statements;
            let deepest = statements
                .iter()
                .map(|statement| depth(&statement.expr))
                .max();
            assert!(deepest < Some(1_000), "{deepest:?}");
        }
    }

    #[test]
    fn places_are_those_of_the_words() {
        let text = r#"{{ "/k" | get | printf "%s" }}"#;
        let statements = outline(text).statements;
        let Some(Expr::Call(printf)) = statements.first().map(|first| &first.expr) else {
            panic!("a call");
        };
        let mut places = vec![printf.pos];
        places.extend(printf.args.iter().map(Expr::pos));
        assert_eq!(places, [16, 23, 10]);
    }

    #[test]
    fn faults_are_what_execution_would_find_or_never_notice() {
        let lost = |pos| Flaw::Lost {
            pos,
            name: "$x".to_owned(),
        };
        for (text, want) in [
            ("{{$x := 1}}{{$x = 2}}{{$x}}", vec![]),
            ("{{.x 1}}{{$.x 1}}{{(1).x 2}}{{(1)}}{{1 | print}}", vec![]),
            (
                "{{(1) and 2}}",
                vec![Flaw::NotAFunction {
                    pos: 3,
                    operator: Some("and".to_owned()),
                }],
            ),
            (
                "{{1 | (2)}}",
                vec![Flaw::NotAFunction {
                    pos: 7,
                    operator: None,
                }],
            ),
            (
                "{{if 1}}{{$x := 1}}{{end}}{{if 1}}{{$x = 2}}{{end}}",
                vec![Flaw::Undeclared {
                    pos: 36,
                    name: "$x".to_owned(),
                }],
            ),
            (
                r#"{{template "b"}}"#,
                vec![Flaw::Undefined {
                    pos: 11,
                    name: "b".to_owned(),
                }],
            ),
            (
                "{{$x := 1}}{{if 1}}{{$x := 2}}{{end}}{{$x}}",
                vec![lost(21)],
            ),
            ("{{$x := 1}}{{if 1}}{{$x := 2}}{{$x}}{{end}}", vec![]),
            (
                "{{$x := 1}}{{range .}}{{$x := len $x}}{{end}}",
                vec![lost(24)],
            ),
            ("{{$x := 1}}{{range $x := .}}{{end}}", vec![]),
            (
                "{{if 1}}{{$x := 1}}{{end}}{{if 1}}{{$x := 2}}{{end}}",
                vec![],
            ),
        ] {
            assert_eq!(outline(text).flaws, want, "{text}");
        }
    }
}
