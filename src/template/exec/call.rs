//! Calls of functions and methods: how many arguments, of which types, and what comes of a failure.

use super::eval::Args;
use super::{NOTHING, Reflected, Result, State};
use crate::template::builtins::Builtin;
use crate::template::methods::{self, Method};
use crate::template::node::{Callee, Command, NodeRef, Operand, OperandKind};
use crate::template::problem::Problem;
use crate::template::trace::Trace;
use crate::template::value::Value;
use crate::template::{CallError, Function, Type};

/// The target of a call.
pub(super) enum Callable {
    Function(Callee),
    /// A method, with its receiver.
    Method(Value, &'static Method),
}

impl<'t, T: Trace> State<'t, '_, T> {
    /// `node` is what a failure of the call itself is about.
    pub(super) fn eval_function(
        &mut self,
        callee: Callee,
        node: NodeRef<'t>,
        words: Args<'t>,
        last: Option<Value>,
    ) -> Result<Reflected> {
        self.at(NodeRef::Operand(words.first));
        self.eval_call(Callable::Function(callee), node, words, last)
    }

    pub(super) fn eval_call(
        &mut self,
        callable: Callable,
        node: NodeRef<'t>,
        words: Args<'t>,
        last: Option<Value>,
    ) -> Result<Reflected> {
        let function = self.function(&callable, words.first)?;
        self.check_count(function, words.args.len(), last.is_some())
            .map_err(|error| {
                let is_argument = matches!(node, NodeRef::Operand(_));
                error.or_hint(self.hint_at_count(words, is_argument))
            })?;
        match callable {
            Callable::Method(_, method) => self.check_results(method)?,
            Callable::Function(Callee::Builtin(builtin @ (Builtin::And | Builtin::Or))) => {
                return self.eval_logic(words, last, builtin == Builtin::Or);
            }
            Callable::Function(_) => {}
        }
        let base = self.eval_args(function, words.args, last)?;
        let result = self.call(&callable, base);
        let list = self
            .args
            .get(base)
            .filter(|_| function.name == "index")
            .cloned();
        self.args.truncate(base);
        match result {
            Ok(value) => Ok(Reflected::plain(value)),
            Err(error) => {
                self.at(node);
                let hint = list.and_then(|list| self.hint_at_index(&list, &error));
                let failed = self.call_failed(function.name, error);
                failed.map_err(|error| error.or_hint(hint))?;
                Ok(Reflected::plain(Value::text("")))
            }
        }
    }

    fn function(&self, callable: &Callable, word: &Operand) -> Result<&'static Function> {
        match callable {
            Callable::Function(Callee::Builtin(builtin)) => Ok(builtin.function()),
            Callable::Method(_, method) => Ok(&method.function),
            Callable::Function(Callee::Host(index)) => match self.host.functions().get(*index) {
                Some(function) => Ok(function),
                // Parsed for another host.
                None => self.fail(Problem::UndefinedFunction {
                    name: word.span.of(&self.template.source).to_vec(),
                    nearest: None,
                }),
            },
        }
    }

    fn check_count(&self, function: &'static Function, args: usize, last: bool) -> Result<()> {
        let all = args + usize::from(last);
        let want = function.params.len();
        let got = match function.variadic {
            // As Go does, without the one from the pipeline.
            Some(_) if all < want => args,
            None if all != want => all,
            _ => return Ok(()),
        };
        self.fail(Problem::ArgumentCount { function, got })
    }

    fn check_results(&self, method: &Method) -> Result<()> {
        match method.results {
            1 => Ok(()),
            results => self.fail(Problem::NoSingleResult {
                name: method.function.name,
                results,
            }),
        }
    }

    /// Evaluates the arguments onto the stack of arguments; returns the place of the first.
    fn eval_args(
        &mut self,
        function: &'static Function,
        args: &'t [Operand],
        last: Option<Value>,
    ) -> Result<usize> {
        let base = self.args.len();
        for (i, arg) in args.iter().enumerate() {
            let arg = self
                .eval_arg(function.type_of(i), arg)
                .map_err(|error| error.or_signature(function))?;
            self.args.push(arg);
        }
        if let Some(last) = last {
            let want = function.type_of(args.len());
            let last = self
                .validate_type(Reflected::plain(last), want)
                .map_err(|error| {
                    let piped = self.piped.map_or(NOTHING, Command::span);
                    error.about(piped).or_signature(function)
                })?;
            self.args.push(last);
        }
        Ok(base)
    }

    /// Calls with the arguments from `base` on.
    fn call(&mut self, callable: &Callable, base: usize) -> std::result::Result<Value, CallError> {
        let args = self.args.get(base..).unwrap_or_default();
        match callable {
            Callable::Function(Callee::Host(index)) => self.host.call(*index, args, self.budget),
            Callable::Function(Callee::Builtin(Builtin::Len)) if self.nil_interface => {
                Err(CallError::failed("len of nil pointer".to_owned()))
            }
            Callable::Function(Callee::Builtin(builtin)) => {
                builtin.call(args, self.options, self.budget, &mut self.scratch)
            }
            Callable::Method(receiver, method) => methods::call(receiver, method, args),
        }
    }

    /// `and` and `or` evaluate arguments only until one decides.
    fn eval_logic(
        &mut self,
        words: Args<'t>,
        last: Option<Value>,
        decides: bool,
    ) -> Result<Reflected> {
        let mut value = Value::Nil;
        for arg in words.args {
            value = self.eval_arg(Type::Any, arg)?;
            if value.is_true() == decides {
                return Ok(Reflected::plain(value));
            }
        }
        Ok(Reflected::plain(last.unwrap_or(value)))
    }

    /// An argument for a parameter of type `want`.
    fn eval_arg(&mut self, want: Type, arg: &'t Operand) -> Result<Value> {
        self.at(NodeRef::Operand(arg));
        match &arg.kind {
            OperandKind::Nil => match want.nil() {
                Some(value) => {
                    self.nil_interface = false;
                    Ok(value)
                }
                None => self.fail(Problem::NilArgument(want)),
            },
            OperandKind::Bool(_) | OperandKind::Number(_) | OperandKind::String(_) => {
                self.eval_typed_constant(want, arg)
            }
            _ => {
                let cell = self.eval_operand(arg)?;
                // Go names the node that was evaluated last, which may be deep inside the argument.
                self.validate_type(cell, want)
                    .map_err(|error| error.about(NodeRef::Operand(arg).span()))
            }
        }
    }

    /// A constant takes the parameter's type, if it can.
    fn eval_typed_constant(&mut self, want: Type, arg: &'t Operand) -> Result<Value> {
        let kind = match (want, &arg.kind) {
            (Type::Any, _) => return Ok(self.eval_constant(arg)?.value),
            (Type::Bool, OperandKind::Bool(value)) => return Ok(Value::Bool(*value)),
            (Type::Str, OperandKind::String(text)) => return Ok(text.clone()),
            (Type::Int | Type::Int64 | Type::Duration, OperandKind::Number(number)) => {
                match (want, number.int) {
                    (Type::Int, Some(int)) => return Ok(Value::Int(int)),
                    (Type::Int64, Some(int)) => return Ok(Value::Int64(int)),
                    (_, Some(int)) => return Ok(Value::Duration(int)),
                    (_, None) => "integer",
                }
            }
            (Type::Bool, _) => "bool",
            (Type::Str, _) => "string",
            (Type::Int | Type::Int64 | Type::Duration, _) => "integer",
            (
                Type::Strings | Type::List | Type::Map | Type::Time | Type::Location | Type::Bytes,
                _,
            ) => {
                let node = self.print(NodeRef::Operand(arg));
                return self.fail(Problem::NoSuchConstant { node, want });
            }
        };
        let found = self.print(NodeRef::Operand(arg));
        self.fail(Problem::WrongConstant { want: kind, found })
    }

    /// The value, if a parameter of type `want` takes it.
    fn validate_type(&mut self, cell: Reflected, want: Type) -> Result<Value> {
        self.nil_interface = cell.is_nil_interface();
        if cell.is_invalid() {
            return match want.nil() {
                Some(value) => Ok(value),
                None => self.fail(Problem::InvalidValue(want)),
            };
        }
        if want.takes(&cell.value) {
            return Ok(cell.value);
        }
        let got = if self.nil_interface {
            cell.type_name()
        } else {
            cell.value.type_name()
        };
        self.fail(Problem::WrongType { want, got })
    }
}

impl Function {
    /// The type of the argument at an index.
    fn type_of(&self, index: usize) -> Type {
        let fixed = self.params.get(index).copied();
        fixed.or(self.variadic).unwrap_or(Type::Any)
    }
}

impl Type {
    /// The type's nil, if it has one.
    fn nil(self) -> Option<Value> {
        match self {
            Type::Any | Type::Location => Some(Value::Nil),
            Type::Bytes => Some(Value::Bytes([].into())),
            Type::Strings => Some(Value::Strings([].into())),
            Type::List => Some(Value::nil_list()),
            Type::Map => Some(Value::nil_map()),
            _ => None,
        }
    }

    /// True if a parameter of this type takes a value: Go's assignability, except that a list of
    /// nothing but strings, such as confd's `filter` returns, passes for a `[]string`.
    fn takes(self, value: &Value) -> bool {
        if let (Type::Strings, Value::List(list)) = (self, value) {
            let is_text = |item: &Value| matches!(item, Value::Str(_));
            return list.items().iter().all(is_text);
        }
        matches!(
            (self, value),
            (Type::Any, _)
                | (Type::Str, Value::Str(_))
                | (Type::Bool, Value::Bool(_))
                | (Type::Int, Value::Int(_))
                | (Type::Int64, Value::Int64(_))
                | (Type::Strings, Value::Strings(_))
                | (Type::List, Value::List(_))
                | (Type::Map, Value::Map(_))
                | (Type::Time, Value::Time(_))
                | (Type::Location, Value::Location(_))
                | (Type::Bytes, Value::Bytes(_))
                | (Type::Duration, Value::Duration(_))
        )
    }
}
