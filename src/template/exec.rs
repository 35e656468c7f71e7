//! The executor: walks the parse tree and writes what it prints. `walk_*` print, `eval_*` (in
//! `eval.rs`) return.
//!
//! Blocks and templates in execution are frames on a heap of their own, not calls, so that
//! templates may call each other as deep as Go lets them. Only parentheses and nested renderings
//! use the native stack, as the budget allows.

mod call;
mod decision;
mod eval;
mod hint;
#[cfg(test)]
mod tests;

use super::budget::{Budget, Limit, MAX_TEMPLATES, RENDERING_DEPTH};
use super::error::{Error, ErrorKind, Executing, Place};
use super::format;
use super::lex::Span;
use super::missing::Missing;
use super::node::{
    Branch, Command, List, Node, NodeRef, Pipeline, Printer, RangeNode, Slot, TemplateId,
    TemplateNode,
};
use super::parse::{MAIN, Template};
use super::problem::Problem;
use super::trace::{NoTrace, Trace};
use super::value::Value;
use super::{CallError, Failure, Host, Options};

type Result<T> = std::result::Result<T, Error>;

/// No part of the text.
const NOTHING: Span = Span { start: 0, end: 0 };

/// A value as reflection sees it: what lies in a `[]interface {}` or a map is an `interface {}` to
/// it, until a pipeline passes it on.
#[derive(Clone, Debug)]
struct Reflected {
    value: Value,
    interface: bool,
}

impl Reflected {
    fn plain(value: Value) -> Reflected {
        Reflected {
            value,
            interface: false,
        }
    }

    fn interface(value: Value) -> Reflected {
        Reflected {
            value,
            interface: true,
        }
    }

    /// No value at all, unlike a nil interface.
    fn is_invalid(&self) -> bool {
        matches!(self.value, Value::Nil) && !self.interface
    }

    fn is_nil_interface(&self) -> bool {
        matches!(self.value, Value::Nil) && self.interface
    }

    fn type_name(&self) -> &'static str {
        if self.interface {
            "interface {}"
        } else {
            self.value.type_name()
        }
    }
}

impl Template {
    /// Executes the template with `data` as dot. The error is Go's first one; when keys are
    /// missing, all of them are looked for, and the others are [`further`](Error::further) ones of
    /// the first.
    pub fn execute(
        &self,
        host: &mut dyn Host,
        data: &Value,
        options: Options,
        budget: &mut Budget,
    ) -> Result<Vec<u8>> {
        self.execute_traced(host, data, options, budget, NoTrace)
    }

    /// The same, followed by a trace.
    pub fn execute_traced<T: Trace>(
        &self,
        host: &mut dyn Host,
        data: &Value,
        options: Options,
        budget: &mut Budget,
        trace: T,
    ) -> Result<Vec<u8>> {
        let (depth, templates) = (budget.depth, budget.templates);
        let mut state = State::new(self, host, data, (options, trace), budget);
        let result = state.render();
        let State { out, missing, .. } = state;
        // What was entered when it failed, it did not leave.
        budget.depth = depth;
        budget.templates = templates;
        match missing.into_error() {
            None => result.map(|()| out),
            // What fails after a missing key may fail because of it.
            Some(error) => Err(error),
        }
    }
}

/// The state of an execution.
struct State<'t, 'h, T: Trace> {
    template: &'t Template,
    host: &'h mut dyn Host,
    budget: &'h mut Budget,
    options: Options,
    out: Vec<u8>,
    /// The lists in execution, the innermost last.
    frames: Vec<Frame<'t, T>>,
    dot: Reflected,
    dot_origin: T::Origin,
    /// The template whose text is being executed.
    running: TemplateId,
    /// The variables of all templates in execution; `None` for one whose declaration was left out
    /// by `and` or `or`.
    vars: Vec<Option<Variable<T>>>,
    /// Where the variables of the running template begin.
    base: usize,
    /// The arguments of the calls that are being evaluated.
    args: Vec<Value>,
    /// The buffer in which functions build strings.
    scratch: Vec<u8>,
    /// True if the argument evaluated last was a nil interface, which `len` distinguishes from nil.
    nil_interface: bool,
    /// The command whose value the running one gets as its last argument.
    piped: Option<&'t Command>,
    /// The node that an error would be about.
    node: Option<NodeRef<'t>>,
    missing: Missing,
    trace: T,
}

/// A variable's value, and what a trace knows of it.
type Variable<T> = (Reflected, <T as Trace>::Origin);

/// A list in execution.
struct Frame<'t, T: Trace> {
    /// The nodes that are left of it.
    nodes: std::slice::Iter<'t, Node>,
    /// The variables to keep at its end.
    mark: usize,
    /// The dot around it.
    dot: Reflected,
    dot_origin: T::Origin,
    kind: FrameKind<'t, T>,
}

enum FrameKind<'t, T: Trace> {
    Block,
    Loop(Box<Loop<'t, T>>),
    /// Back to the calling template.
    Call {
        running: TemplateId,
        base: usize,
    },
}

/// A range in execution.
struct Loop<'t, T: Trace> {
    node: &'t RangeNode,
    items: Items,
    /// That of the value that it goes through.
    origin: T::Origin,
    next: usize,
    /// The variables to keep at the end of each turn.
    mark: usize,
}

/// The values that a range goes through.
enum Items {
    /// A slice, a map, or nothing.
    Elements(Value),
    /// From 0 up to before an integer.
    Numbers(Value, usize),
}

impl Items {
    fn len(&self) -> usize {
        match self {
            Items::Elements(value) => value.length().unwrap_or(0),
            Items::Numbers(_, count) => *count,
        }
    }

    /// The index or key, and the element.
    fn get(&self, at: usize) -> Option<(Value, Reflected)> {
        let index = i64::try_from(at).ok()?;
        match self {
            Items::Elements(list @ Value::List(_)) => {
                Some((Value::Int(index), Reflected::interface(list.element(at)?)))
            }
            Items::Elements(Value::Map(map)) => {
                let (key, value) = map.entries().at(at)?;
                Some((Value::Str(key.clone()), Reflected::interface(value.clone())))
            }
            Items::Elements(value) => {
                Some((Value::Int(index), Reflected::plain(value.element(at)?)))
            }
            Items::Numbers(end, count) => {
                let number = (at < *count).then(|| end.same_integer(index))?;
                Some((Value::Nil, Reflected::plain(number)))
            }
        }
    }
}

impl<'t, 'h, T: Trace> State<'t, 'h, T> {
    fn new(
        template: &'t Template,
        host: &'h mut dyn Host,
        data: &Value,
        (options, mut trace): (Options, T),
        budget: &'h mut Budget,
    ) -> Self {
        let origin = trace.data();
        State {
            template,
            host,
            budget,
            options,
            out: Vec::new(),
            frames: Vec::new(),
            dot: Reflected::plain(data.clone()),
            dot_origin: origin.clone(),
            running: MAIN,
            vars: vec![Some((Reflected::plain(data.clone()), origin))],
            base: 0,
            args: Vec::new(),
            scratch: Vec::new(),
            nil_interface: false,
            piped: None,
            node: None,
            missing: Missing::default(),
            trace,
        }
    }

    /// Marks the state to be on a node, for errors.
    fn at(&mut self, node: NodeRef<'t>) {
        self.node = Some(node);
    }

    fn error(&self, problem: Problem) -> Error {
        let node = self.node.map(|node| self.print(node));
        let place = Place {
            name: self.template.name.clone(),
            source: self.template.source.clone(),
            pos: self.node.map_or(0, NodeRef::pos),
        };
        let running = self.template.names.get(self.running.0);
        let executing = Executing {
            template: running.cloned().unwrap_or_default(),
            node: node.unwrap_or_default(),
        };
        let hint = self.node.and_then(|node| self.hint(&problem, node));
        let error = Error::exec(problem, place, executing).with_hint(hint);
        match self.node {
            Some(node) => error.about(node.span()),
            None => error,
        }
    }

    fn fail<V>(&self, problem: Problem) -> Result<V> {
        Err(self.error(problem))
    }

    fn limit(&self, limit: Limit) -> Error {
        self.error(Problem::Limit(limit))
    }

    fn print(&self, node: NodeRef<'t>) -> String {
        let printer = Printer {
            text: &self.template.source,
            names: &self.template.names,
        };
        printer.print(node)
    }

    fn step(&mut self) -> Result<()> {
        let spent = self.budget.spend_steps(1);
        spent.map_err(|limit| self.limit(limit))
    }

    /// Puts a failed call on record, with its place: an error, unless the rendering can go on
    /// without the value.
    fn call_failed(&mut self, name: &'static str, error: CallError) -> Result<()> {
        let Failure::Nested(nested) = *error.0 else {
            let error = self.error(Problem::Calling { name, error });
            return self.record(error);
        };
        for nested in nested.into_each() {
            let error = CallError::nested(nested);
            let error = self.error(Problem::Calling { name, error });
            self.record(error)?;
        }
        Ok(())
    }

    fn record(&mut self, error: Error) -> Result<()> {
        if error.kind() != ErrorKind::Missing || !self.missing.has_room() {
            return Err(error);
        }
        self.missing.push(error);
        Ok(())
    }
}

/// Variables.
impl<T: Trace> State<'_, '_, T> {
    fn mark(&self) -> usize {
        self.vars.len()
    }

    fn pop(&mut self, mark: usize) {
        self.vars.truncate(mark);
    }

    fn declare(&mut self, slot: Slot, variable: Variable<T>) {
        let at = self.base + slot;
        if self.vars.len() <= at {
            self.vars.resize_with(at + 1, || None);
        }
        self.vars[at] = Some(variable);
    }

    /// A declared variable.
    fn var(&mut self, slot: Slot) -> Option<&mut Variable<T>> {
        self.vars.get_mut(self.base + slot)?.as_mut()
    }
}

/// Walk functions step through the structure of the template, generating output as they go.
impl<'t, T: Trace> State<'t, '_, T> {
    fn render(&mut self) -> Result<()> {
        let entered = self.budget.enter_levels(RENDERING_DEPTH);
        entered.map_err(|limit| self.limit(limit))?;
        self.enter(MAIN, self.mark(), || NOTHING);
        self.walk()
    }

    fn walk(&mut self) -> Result<()> {
        while let Some(frame) = self.frames.last_mut() {
            match frame.nodes.next() {
                Some(node) => self.walk_node(node)?,
                None => self.walk_end()?,
            }
        }
        Ok(())
    }

    fn walk_node(&mut self, node: &'t Node) -> Result<()> {
        self.step()?;
        self.trace.begin(|| node.span());
        match node {
            Node::Text(span) => {
                let text = span.of(&self.template.source);
                self.write(text)?;
                self.trace.wrote(|| *span, text.len());
                Ok(())
            }
            Node::Action(pipeline) => self.walk_action(pipeline),
            Node::If(branch) => self.walk_if_or_with(branch, false),
            Node::With(branch) => self.walk_if_or_with(branch, true),
            Node::Range(range) => self.walk_range(range),
            Node::Template(call) => self.walk_template(call),
            Node::Break => {
                self.unwind_to_loop();
                self.leave();
                Ok(())
            }
            Node::Continue => {
                self.unwind_to_loop();
                self.next_turn();
                Ok(())
            }
        }
    }

    /// The innermost list is at its end.
    fn walk_end(&mut self) -> Result<()> {
        match self.frames.last() {
            Some(Frame {
                kind: FrameKind::Loop(_),
                ..
            }) => {
                self.step()?;
                self.next_turn();
            }
            _ => self.leave(),
        }
        Ok(())
    }

    /// Starts on a list; its end goes back to `mark` variables.
    fn push(&mut self, list: &'t List, mark: usize, kind: FrameKind<'t, T>) {
        self.frames.push(Frame {
            nodes: list.iter(),
            mark,
            dot: self.dot.clone(),
            dot_origin: self.dot_origin.clone(),
            kind,
        });
    }

    /// Leaves the innermost frame.
    fn leave(&mut self) {
        let Some(frame) = self.frames.pop() else {
            return;
        };
        self.trace.leave();
        self.pop(frame.mark);
        self.dot = frame.dot;
        self.dot_origin = frame.dot_origin;
        if let FrameKind::Call { running, base } = frame.kind {
            self.running = running;
            self.base = base;
            self.budget.templates += 1;
        }
    }

    /// Leaves the blocks within the innermost loop.
    fn unwind_to_loop(&mut self) {
        while let Some(Frame {
            kind: FrameKind::Block,
            ..
        }) = self.frames.last()
        {
            self.leave();
        }
    }

    /// A variable that an action declares lives until the block ends, and is not printed.
    fn walk_action(&mut self, pipeline: &'t Pipeline) -> Result<()> {
        let value = self.eval_pipeline(pipeline)?;
        if !pipeline.decl.is_empty() {
            return Ok(());
        }
        self.at(NodeRef::Pipeline(pipeline));
        let before = self.out.len();
        if let Value::Str(text) = &value {
            self.write(text.as_bytes())?;
        } else {
            let printed = format::print_value(&value, &mut self.out, self.budget);
            printed.map_err(|limit| self.limit(limit))?;
        }
        self.trace
            .wrote(|| pipeline.span(), self.out.len() - before);
        Ok(())
    }

    fn write(&mut self, text: &[u8]) -> Result<()> {
        let spent = self.budget.spend_bytes(text.len());
        spent.map_err(|limit| self.limit(limit))?;
        self.out.extend_from_slice(text);
        Ok(())
    }

    fn walk_if_or_with(&mut self, branch: &'t Branch, with: bool) -> Result<()> {
        let (mark, depth) = (self.mark(), self.frames.len());
        for arm in &branch.arms {
            let value = self.eval_pipeline(&arm.pipeline)?;
            if value.is_true() {
                self.decide(branch.lists(), &arm.pipeline);
                self.trace.enter(|| arm.pipeline.span());
                self.push(&arm.list, mark, FrameKind::Block);
                self.guard(branch.lists(), &arm.pipeline, depth);
                if with {
                    self.dot = Reflected::plain(value);
                    self.dot_origin = self.trace.origin();
                }
                return Ok(());
            }
        }
        let last = branch.arms.last().map(|arm| &arm.pipeline);
        if let Some(last) = last {
            self.decide(branch.lists(), last);
        }
        self.walk_else(branch.else_list.as_ref(), last, mark);
        if let Some(last) = last {
            self.guard(branch.lists(), last, depth);
        }
        Ok(())
    }

    fn walk_else(&mut self, list: Option<&'t List>, condition: Option<&'t Pipeline>, mark: usize) {
        match list {
            Some(list) => {
                self.trace
                    .enter(|| condition.map_or(NOTHING, Pipeline::span));
                self.push(list, mark, FrameKind::Block);
            }
            None => self.pop(mark),
        }
    }

    fn walk_range(&mut self, node: &'t RangeNode) -> Result<()> {
        let (mark, depth) = (self.mark(), self.frames.len());
        let value = self.eval_pipeline(&node.pipeline)?;
        let items = self.items(value, node)?;
        let lists = std::iter::once(&node.list).chain(&node.else_list);
        self.decide(lists, &node.pipeline);
        if items.len() == 0 {
            self.walk_else(node.else_list.as_ref(), Some(&node.pipeline), mark);
            self.guard(node.else_list.iter(), &node.pipeline, depth);
            return Ok(());
        }
        let turns = Loop {
            node,
            items,
            origin: self.trace.origin(),
            next: 0,
            mark: self.mark(),
        };
        self.trace.enter(|| node.pipeline.span());
        self.push(&node.list, mark, FrameKind::Loop(Box::new(turns)));
        self.guard(node.else_list.iter(), &node.pipeline, depth);
        self.next_turn();
        Ok(())
    }

    fn items(&mut self, value: Value, node: &RangeNode) -> Result<Items> {
        match &value {
            Value::Nil
            | Value::Strings(_)
            | Value::List(_)
            | Value::Map(_)
            | Value::Pairs(_)
            | Value::Services(_) => Ok(Items::Elements(value)),
            _ => match value.as_integer() {
                Some(_) if node.pipeline.decl.len() > 1 => {
                    let words = self.words(&value)?;
                    self.fail(Problem::TwoVariables(words))
                }
                Some(end) => Ok(Items::Numbers(value, usize::try_from(end).unwrap_or(0))),
                None => {
                    let words = self.words(&value)?;
                    self.fail(Problem::NotIterable(words))
                }
            },
        }
    }

    /// A value for a message, as `%v` prints it.
    fn words(&mut self, value: &Value) -> Result<String> {
        let mut out = Vec::new();
        let printed = format::print_value(value, &mut out, self.budget);
        printed.map_err(|limit| self.limit(limit))?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    /// Starts the next turn of the loop that is the innermost frame, or leaves it.
    fn next_turn(&mut self) {
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        let FrameKind::Loop(turns) = &mut frame.kind else {
            return;
        };
        let Some((index, element)) = turns.items.get(turns.next) else {
            return self.leave();
        };
        turns.next += 1;
        let node = turns.node;
        let mark = turns.mark;
        let origin = self.trace.turn(&turns.origin, &element.value);
        frame.nodes = node.list.iter();
        self.pop(mark);
        self.set_turn(node.element, (element.clone(), origin.clone()));
        self.set_turn(node.index, (Reflected::plain(index), origin.clone()));
        (self.dot, self.dot_origin) = (element, origin);
    }

    fn set_turn(&mut self, slot: Option<Slot>, value: Variable<T>) {
        if let Some(var) = slot.and_then(|slot| self.var(slot)) {
            *var = value;
        }
    }

    /// Calls a template. It sees no variables but its own `$`.
    fn walk_template(&mut self, node: &'t TemplateNode) -> Result<()> {
        self.at(NodeRef::Template(node));
        if self.list(node.template).is_none() {
            let name = self.template.names.get(node.template.0);
            let name = name.cloned().unwrap_or_default();
            return self.fail(Problem::UndefinedTemplate(name));
        }
        let Some(left) = self.budget.templates.checked_sub(1) else {
            return self.fail(Problem::TemplateDepth(MAX_TEMPLATES));
        };
        // What the pipeline declares stays declared for the caller.
        let value = match &node.pipeline {
            Some(pipeline) => self.eval_pipeline(pipeline)?,
            None => Value::Nil,
        };
        self.budget.templates = left;
        let mark = self.mark();
        self.enter(node.template, mark, || NodeRef::Template(node).span());
        self.dot = Reflected::plain(value);
        self.dot_origin = self.trace.origin();
        self.base = mark;
        self.declare(0, (self.dot.clone(), self.dot_origin.clone()));
        Ok(())
    }

    fn list(&self, template: TemplateId) -> Option<&'t List> {
        self.template.lists.get(template.0)?.as_ref()
    }

    fn enter(&mut self, template: TemplateId, mark: usize, call: impl FnOnce() -> Span) {
        if let Some(list) = self.list(template) {
            let (running, base) = (self.running, self.base);
            self.trace.enter(call);
            self.push(list, mark, FrameKind::Call { running, base });
            self.running = template;
        }
    }
}
