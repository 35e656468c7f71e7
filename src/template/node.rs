//! The parse tree, and how Go prints its nodes in error messages.
//!
//! Nodes keep places in the text instead of copies of it; functions, variables and templates are
//! resolved: they are numbers here. Knows nothing of values but the constants.

use super::builtins::Builtin;
use super::lex::Span;
use super::problem::quoted;
use super::value::Value;

/// Nodes to be executed one after the other.
pub(super) type List = Vec<Node>;

/// Something that prints or controls.
#[derive(Debug)]
pub(super) enum Node {
    /// Text outside actions.
    Text(Span),
    /// `{{pipeline}}`
    Action(Pipeline),
    If(Branch),
    With(Branch),
    Range(RangeNode),
    Template(TemplateNode),
    Break,
    Continue,
}

impl Node {
    /// The part of the text that is evaluated or written first.
    pub(super) fn span(&self) -> Span {
        let pipeline = match self {
            Node::Text(span) => return *span,
            Node::Action(pipeline) => Some(pipeline),
            Node::If(branch) | Node::With(branch) => branch.arms.first().map(|arm| &arm.pipeline),
            Node::Range(range) => Some(&range.pipeline),
            Node::Template(call) => call.pipeline.as_ref(),
            Node::Break | Node::Continue => None,
        };
        pipeline.map_or(Span { start: 0, end: 0 }, Pipeline::span)
    }
}

/// `{{if}}` or `{{with}}`, with their `{{else if}}` or `{{else with}}`. Go nests these; a flat list
/// lets a chain be of any length.
#[derive(Debug)]
pub(super) struct Branch {
    pub arms: Vec<Arm>,
    pub else_list: Option<List>,
}

impl Branch {
    /// The lists, of which at most one is executed.
    pub(super) fn lists(&self) -> impl Iterator<Item = &List> {
        let arms = self.arms.iter().map(|arm| &arm.list);
        arms.chain(&self.else_list)
    }
}

/// A condition, and what to do when it holds.
#[derive(Debug)]
pub(super) struct Arm {
    pub pipeline: Pipeline,
    pub list: List,
}

/// `{{range pipeline}}`.
#[derive(Debug)]
pub(super) struct RangeNode {
    pub pipeline: Pipeline,
    /// The variable that each turn sets to the element.
    pub element: Option<Slot>,
    /// The variable that each turn sets to the index or key.
    pub index: Option<Slot>,
    pub list: List,
    pub else_list: Option<List>,
}

/// `{{template "name" pipeline}}`.
#[derive(Debug)]
pub(super) struct TemplateNode {
    /// Where the name begins.
    pub pos: usize,
    /// Where the name ends.
    pub end: usize,
    pub template: TemplateId,
    pub pipeline: Option<Pipeline>,
}

/// The number of a template name of a parsed text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TemplateId(pub usize);

/// A variable's place on the stack, from the frame of its template; 0 is `$`.
pub(super) type Slot = usize;

/// Commands, each of which gets the value of the one before as its last argument.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub pos: usize,
    /// The variables are assigned (`=`), not declared (`:=`).
    pub assign: bool,
    pub decl: Vec<Declared>,
    pub commands: Vec<Command>,
}

/// Calls `each` for the pipelines of a list and of the lists in it.
pub(super) fn visit_pipelines<'t>(list: &'t List, each: &mut impl FnMut(&'t Pipeline)) {
    for node in list {
        match node {
            Node::Action(pipeline) => each(pipeline),
            Node::If(branch) | Node::With(branch) => {
                for arm in &branch.arms {
                    each(&arm.pipeline);
                    visit_pipelines(&arm.list, each);
                }
                branch
                    .else_list
                    .iter()
                    .for_each(|list| visit_pipelines(list, each));
            }
            Node::Range(range) => {
                each(&range.pipeline);
                visit_pipelines(&range.list, each);
                range
                    .else_list
                    .iter()
                    .for_each(|list| visit_pipelines(list, each));
            }
            Node::Template(template) => template.pipeline.iter().for_each(&mut *each),
            Node::Text(_) | Node::Break | Node::Continue => {}
        }
    }
}

/// A way to leave a turn of a loop before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Jump {
    /// Goes on with the next turn.
    Continue,
    /// Ends the loop.
    Break,
}

/// The farthest way out of the loop around a list that is in the list.
pub(super) fn jump_of(list: &List) -> Option<Jump> {
    let jumps = list.iter().filter_map(|node| match node {
        Node::Break => Some(Jump::Break),
        Node::Continue => Some(Jump::Continue),
        Node::If(branch) | Node::With(branch) => branch.lists().filter_map(jump_of).max(),
        // What is in its own list leaves this range.
        Node::Range(range) => range.else_list.as_ref().and_then(jump_of),
        Node::Text(_) | Node::Action(_) | Node::Template(_) => None,
    });
    jumps.max()
}

/// A variable that a pipeline declares or assigns.
#[derive(Debug)]
pub(super) struct Declared {
    /// Its name, with the `$`.
    pub name: Span,
    /// `None` when nothing that executes before it declares it.
    pub slot: Option<Slot>,
}

/// A word and its arguments.
#[derive(Debug)]
pub(super) struct Command {
    pub pos: usize,
    /// Never empty.
    pub args: Vec<Operand>,
}

/// A word of a command.
#[derive(Debug)]
pub(super) struct Operand {
    /// Where errors find it. For merged fields (`.a.b`) that is Go's place: the second field.
    pub span: Span,
    pub kind: OperandKind,
}

/// The kinds of operands.
#[derive(Debug)]
pub(super) enum OperandKind {
    Dot,
    Nil,
    Bool(bool),
    Number(Box<Number>),
    String(Value),
    Identifier(Callee),
    /// `.a.b`: the names without their dots.
    Field(Vec<Span>),
    /// `$x.a.b`
    Variable {
        name: Span,
        slot: Option<Slot>,
        fields: Vec<Span>,
    },
    /// `(pipeline).a.b` or `function.a.b`
    Chain {
        node: Box<Operand>,
        fields: Vec<Span>,
    },
    Pipeline(Box<Pipeline>),
}

/// A function, found when the template was parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Callee {
    /// Number such in the host's table.
    Host(usize),
    /// One of Go's own.
    Builtin(Builtin),
}

/// A numeric constant, under every type that can hold it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Number {
    pub int: Option<i64>,
    pub uint: Option<u64>,
    pub float: Option<f64>,
    pub complex: Option<(f64, f64)>,
    /// The constant is written as a float.
    pub looks_float: bool,
}

/// A node that an error can be about.
#[derive(Clone, Copy, Debug)]
pub(super) enum NodeRef<'t> {
    Pipeline(&'t Pipeline),
    Command(&'t Command),
    Operand(&'t Operand),
    Template(&'t TemplateNode),
}

impl Pipeline {
    /// The part of the text that it covers.
    pub(super) fn span(&self) -> Span {
        let end = self
            .commands
            .last()
            .map_or(self.pos, |last| last.span().end);
        Span {
            start: self.pos,
            end,
        }
    }
}

impl Command {
    /// The part of the text that it covers.
    pub(super) fn span(&self) -> Span {
        let end = self.args.last().map_or(self.pos, |last| last.end());
        Span {
            start: self.pos,
            end,
        }
    }
}

impl Operand {
    /// The end of its last field, or of its parenthesis.
    fn end(&self) -> usize {
        let fields = match &self.kind {
            OperandKind::Field(fields)
            | OperandKind::Variable { fields, .. }
            | OperandKind::Chain { fields, .. } => fields.last(),
            _ => None,
        };
        fields.map_or(self.span.end, |last| last.end.max(self.span.end))
    }
}

impl NodeRef<'_> {
    /// The part of the text that it covers, from its place on.
    pub(super) fn span(self) -> Span {
        let end = match self {
            NodeRef::Pipeline(pipeline) => pipeline.span().end,
            NodeRef::Command(command) => command.span().end,
            // Without the parentheses: they begin before the place that Go names.
            NodeRef::Operand(Operand {
                kind: OperandKind::Pipeline(pipeline),
                ..
            }) => pipeline.span().end,
            NodeRef::Operand(operand) => operand.end(),
            NodeRef::Template(node) => node.end,
        };
        Span {
            start: self.pos(),
            end,
        }
    }

    /// The place that Go names.
    pub(super) fn pos(self) -> usize {
        match self {
            NodeRef::Pipeline(pipeline) => pipeline.pos,
            NodeRef::Command(command) => command.pos,
            NodeRef::Operand(operand) => operand.span.start,
            NodeRef::Template(node) => node.pos,
        }
    }
}

/// Prints nodes as Go does: from the tree, not from the text, so that white space is normal.
pub(super) struct Printer<'t> {
    pub text: &'t [u8],
    /// The names that [`TemplateId`]s stand for.
    pub names: &'t [Vec<u8>],
}

impl Printer<'_> {
    /// The node, as an error message shows it.
    pub(super) fn print(&self, place: NodeRef<'_>) -> String {
        let mut out = Vec::new();
        match place {
            NodeRef::Pipeline(pipeline) => self.pipeline(pipeline, &mut out),
            NodeRef::Command(command) => self.command(command, &mut out),
            NodeRef::Operand(operand) => self.operand(operand, &mut out),
            NodeRef::Template(node) => self.template(node, &mut out),
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    fn template(&self, node: &TemplateNode, out: &mut Vec<u8>) {
        out.extend(b"{{template ");
        let name = self.names.get(node.template.0);
        out.extend(quoted(name.map_or(b"", Vec::as_slice)).bytes());
        if let Some(pipeline) = &node.pipeline {
            out.push(b' ');
            self.pipeline(pipeline, out);
        }
        out.extend(b"}}");
    }

    fn pipeline(&self, pipeline: &Pipeline, out: &mut Vec<u8>) {
        for (i, variable) in pipeline.decl.iter().enumerate() {
            out.extend(if i > 0 { &b", "[..] } else { b"" });
            out.extend(variable.name.of(self.text));
        }
        if !pipeline.decl.is_empty() {
            // For an assignment too: so does Go 1.19.
            out.extend(b" := ");
        }
        for (i, command) in pipeline.commands.iter().enumerate() {
            out.extend(if i > 0 { &b" | "[..] } else { b"" });
            self.command(command, out);
        }
    }

    fn command(&self, command: &Command, out: &mut Vec<u8>) {
        for (i, operand) in command.args.iter().enumerate() {
            out.extend(if i > 0 { &b" "[..] } else { b"" });
            self.inner(operand, out);
        }
    }

    /// An operand within something else: a pipeline gets its parentheses back.
    fn inner(&self, operand: &Operand, out: &mut Vec<u8>) {
        if let OperandKind::Pipeline(pipeline) = &operand.kind {
            out.push(b'(');
            self.pipeline(pipeline, out);
            out.push(b')');
        } else {
            self.operand(operand, out);
        }
    }

    fn operand(&self, operand: &Operand, out: &mut Vec<u8>) {
        match &operand.kind {
            OperandKind::Dot => out.push(b'.'),
            OperandKind::Nil
            | OperandKind::Bool(_)
            | OperandKind::Number(_)
            | OperandKind::String(_)
            | OperandKind::Identifier(_) => out.extend(operand.span.of(self.text)),
            OperandKind::Field(fields) => self.fields(fields, out),
            OperandKind::Variable { name, fields, .. } => {
                out.extend(name.of(self.text));
                self.fields(fields, out);
            }
            OperandKind::Chain { node, fields } => {
                self.inner(node, out);
                self.fields(fields, out);
            }
            OperandKind::Pipeline(pipeline) => self.pipeline(pipeline, out),
        }
    }

    fn fields(&self, fields: &[Span], out: &mut Vec<u8>) {
        for field in fields {
            out.push(b'.');
            out.extend(field.of(self.text));
        }
    }
}
