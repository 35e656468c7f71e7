//! Evaluates pipelines, commands and their operands to values: fields, functions, constants.

use super::{Reflected, Result, State};
use crate::template::lex::Span;
use crate::template::methods;
use crate::template::node::{
    Command, Declared, NodeRef, Number, Operand, OperandKind, Pipeline, Slot,
};
use crate::template::problem::Problem;
use crate::template::trace::Trace;
use crate::template::value::{Map, Value};

use super::call::Callable;

/// The words of a command: the first, and the arguments after it.
#[derive(Clone, Copy)]
pub(super) struct Args<'t> {
    pub first: &'t Operand,
    pub args: &'t [Operand],
}

impl<'t> Args<'t> {
    /// A word that is itself an argument, and so has none.
    fn alone(first: &'t Operand) -> Self {
        Args { first, args: &[] }
    }
}

impl<'t, T: Trace> State<'t, '_, T> {
    /// The pipeline's value. Variables that it declares are pushed; the caller pops them.
    pub(super) fn eval_pipeline(&mut self, pipeline: &'t Pipeline) -> Result<Value> {
        self.at(NodeRef::Pipeline(pipeline));
        let mut value = None;
        let outer = self.piped;
        for command in &pipeline.commands {
            value = Some(self.eval_command(command, value)?.value);
            self.piped = Some(command);
        }
        self.piped = outer;
        let value = value.unwrap_or(Value::Nil);
        for variable in &pipeline.decl {
            self.eval_declared(variable, pipeline.assign, &value)?;
        }
        Ok(value)
    }

    fn eval_declared(&mut self, variable: &Declared, assign: bool, value: &Value) -> Result<()> {
        let origin = if assign {
            self.trace.assigned()
        } else {
            self.trace.origin()
        };
        let value = (Reflected::plain(value.clone()), origin);
        match variable.slot {
            Some(slot) if !assign => self.declare(slot, value),
            slot => match slot.and_then(|slot| self.var(slot)) {
                Some(var) => *var = value,
                None => return self.undefined(variable.name),
            },
        }
        Ok(())
    }

    fn undefined<V>(&self, name: Span) -> Result<V> {
        let name = name.of(&self.template.source);
        self.fail(Problem::UndefinedVariable(name.to_vec()))
    }

    /// `last` is the value of the command before, which becomes the last argument.
    fn eval_command(&mut self, command: &'t Command, last: Option<Value>) -> Result<Reflected> {
        self.step()?;
        let Some((first, args)) = command.args.split_first() else {
            return Ok(Reflected::plain(Value::Nil));
        };
        let words = Args { first, args };
        match &first.kind {
            OperandKind::Field(fields) => self.eval_field_node(fields, words, last),
            OperandKind::Chain { node, fields } => self.eval_chain_node(node, fields, words, last),
            OperandKind::Identifier(callee) => {
                self.eval_function(*callee, NodeRef::Command(command), words, last)
            }
            OperandKind::Pipeline(pipeline) => {
                self.not_a_function(words, &last)?;
                self.eval_nested(pipeline)
            }
            OperandKind::Variable { name, slot, fields } => {
                let variable = (*name, *slot);
                self.eval_variable_node(variable, fields, words, last)
            }
            _ => {
                self.at(NodeRef::Operand(first));
                self.not_a_function(words, &last)?;
                self.eval_constant(first)
            }
        }
    }

    /// A pipeline in parentheses.
    fn eval_nested(&mut self, pipeline: &'t Pipeline) -> Result<Reflected> {
        let entered = self.budget.enter();
        entered.map_err(|limit| self.limit(limit))?;
        let value = self.eval_pipeline(pipeline)?;
        self.budget.leave();
        Ok(Reflected::plain(value))
    }

    fn not_a_function(&self, words: Args<'t>, last: &Option<Value>) -> Result<()> {
        if words.args.is_empty() && last.is_none() {
            return Ok(());
        }
        let node = self.print(NodeRef::Operand(words.first));
        let error = self.error(Problem::NotAFunction(node));
        Err(match self.hint_at_operator(words) {
            None => error,
            hint => error.with_hint(hint),
        })
    }

    /// A word that is evaluated the same way whatever type is wanted.
    pub(super) fn eval_operand(&mut self, operand: &'t Operand) -> Result<Reflected> {
        let words = Args::alone(operand);
        match &operand.kind {
            OperandKind::Field(fields) => self.eval_field_node(fields, words, None),
            OperandKind::Variable { name, slot, fields } => {
                let variable = (*name, *slot);
                self.eval_variable_node(variable, fields, words, None)
            }
            OperandKind::Pipeline(pipeline) => self.eval_nested(pipeline),
            OperandKind::Identifier(callee) => {
                self.eval_function(*callee, NodeRef::Operand(operand), words, None)
            }
            OperandKind::Chain { node, fields } => self.eval_chain_node(node, fields, words, None),
            _ => self.eval_constant(operand),
        }
    }

    /// Dot, or a constant where no particular type is wanted.
    pub(super) fn eval_constant(&mut self, operand: &'t Operand) -> Result<Reflected> {
        Ok(match &operand.kind {
            OperandKind::Dot => {
                self.trace.uses(&self.dot_origin);
                self.dot.clone()
            }
            OperandKind::Bool(value) => Reflected::plain(Value::Bool(*value)),
            OperandKind::String(text) => Reflected::plain(text.clone()),
            OperandKind::Number(number) => Reflected::plain(self.ideal_constant(operand, number)?),
            _ => return self.fail(Problem::NilCommand),
        })
    }

    /// The syntax of a number determines its type. There are no unsigned constants.
    fn ideal_constant(&mut self, operand: &'t Operand, number: &Number) -> Result<Value> {
        match *number {
            Number {
                complex: Some((real, imaginary)),
                ..
            } => Ok(Value::Complex(real, imaginary)),
            Number {
                float: Some(float),
                looks_float: true,
                ..
            } => Ok(Value::Float(float)),
            Number { int: Some(int), .. } => Ok(Value::Int(int)),
            _ => {
                let text = self.print(NodeRef::Operand(operand));
                self.fail(Problem::OverflowsInt(text))
            }
        }
    }

    fn eval_field_node(
        &mut self,
        fields: &'t [Span],
        words: Args<'t>,
        last: Option<Value>,
    ) -> Result<Reflected> {
        self.at(NodeRef::Operand(words.first));
        self.trace.uses(&self.dot_origin);
        self.eval_field_chain(self.dot.clone(), fields, words, last)
    }

    fn eval_chain_node(
        &mut self,
        node: &'t Operand,
        fields: &'t [Span],
        words: Args<'t>,
        last: Option<Value>,
    ) -> Result<Reflected> {
        self.at(NodeRef::Operand(node));
        let receiver = self.eval_operand(node)?;
        self.eval_field_chain(receiver, fields, words, last)
    }

    fn eval_variable_node(
        &mut self,
        (name, slot): (Span, Option<Slot>),
        fields: &'t [Span],
        words: Args<'t>,
        last: Option<Value>,
    ) -> Result<Reflected> {
        self.at(NodeRef::Operand(words.first));
        let Some((value, origin)) = slot.and_then(|slot| self.var(slot)).cloned() else {
            return self.undefined(name);
        };
        self.trace.uses(&origin);
        if fields.is_empty() {
            self.not_a_function(words, &last)?;
            return Ok(value);
        }
        self.eval_field_chain(value, fields, words, last)
    }

    /// `.a.b.c`: the last field, if it is a method, gets the arguments.
    fn eval_field_chain(
        &mut self,
        mut receiver: Reflected,
        fields: &'t [Span],
        words: Args<'t>,
        mut last: Option<Value>,
    ) -> Result<Reflected> {
        for (i, field) in fields.iter().enumerate() {
            let (words, last) = if i + 1 == fields.len() {
                (words, last.take())
            } else {
                (Args::alone(words.first), None)
            };
            receiver = self.eval_field(receiver, *field, words, last)?;
        }
        Ok(receiver)
    }

    fn eval_field(
        &mut self,
        receiver: Reflected,
        field: Span,
        words: Args<'t>,
        last: Option<Value>,
    ) -> Result<Reflected> {
        let template = self.template;
        let name = field.of(&template.source);
        if receiver.is_invalid() {
            return if self.options.strict {
                self.fail(Problem::NoEntryInNil(name.to_vec()))
            } else {
                Ok(receiver)
            };
        }
        if let Some(method) = methods::find(&receiver.value, name) {
            let callable = Callable::Method(receiver.value, method);
            return self.eval_call(callable, NodeRef::Operand(words.first), words, last);
        }
        let has_args = !words.args.is_empty() || last.is_some();
        let found = match &receiver.value {
            Value::Map(map) => self.map_field(map, name, has_args),
            _ => struct_field(&receiver, name, has_args),
        };
        found.map_err(|problem| self.error(problem))
    }

    fn map_field(&self, map: &Map, name: &[u8], has_args: bool) -> Field {
        if has_args {
            return Err(Problem::KeyArguments(to_text(name)));
        }
        match map.entries().get(name) {
            Some(value) => Ok(Reflected::interface(value.clone())),
            None if self.options.strict => Err(Problem::NoEntry(name.to_vec())),
            None => Ok(Reflected::plain(Value::Nil)),
        }
    }
}

type Field = std::result::Result<Reflected, Problem>;

fn to_text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

fn struct_field(receiver: &Reflected, name: &[u8], has_args: bool) -> Field {
    match receiver.value.field(name) {
        Some(_) if has_args => Err(Problem::FieldArguments(to_text(name))),
        Some(value) => Ok(Reflected::plain(value)),
        None => {
            let (field, in_type) = (to_text(name), receiver.type_name());
            Err(match (&receiver.value, name) {
                (Value::Nil, _) => Problem::NilPointer { field, in_type },
                (Value::Time(_), b"wall" | b"ext" | b"loc") => {
                    Problem::Unexported { field, in_type }
                }
                _ => Problem::NoField { field, in_type },
            })
        }
    }
}
