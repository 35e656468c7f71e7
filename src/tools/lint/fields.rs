//! Fields and comparisons that the type of a value rules out.

use super::calls::Mistake;
use super::code::Code;
use super::shape::Variables;
use crate::nearest::nearest;
use crate::resource::funcs::{self, Kind};
use crate::template::outline::{Call, Dot, Expr, Outline, Statement, Usage};
use crate::template::structs::{self, Field};
use crate::template::value::{Pair, Service};
use crate::template::{nil_dot_help, time_methods};

/// Checks the expressions of a template. The dot of the whole template is nil when a resource
/// renders it, not `include`.
pub(super) fn check(
    outline: &Outline,
    variables: &Variables<'_>,
    top_is_nil: bool,
) -> Vec<Mistake> {
    let mut checker = Checker {
        outline,
        variables,
        top_is_nil,
        mistakes: Vec::new(),
    };
    for statement in &outline.statements {
        checker.expr(&statement.expr, statement);
    }
    checker.mistakes
}

/// The checks of one template.
struct Checker<'o> {
    outline: &'o Outline,
    variables: &'o Variables<'o>,
    top_is_nil: bool,
    mistakes: Vec<Mistake>,
}

/// The value of an expression, as far as its fields go.
enum Value {
    Kind(Kind),
    Service,
    /// The dot of the whole template.
    Nil,
}

impl<'o> Checker<'o> {
    fn expr(&mut self, expr: &'o Expr, statement: &'o Statement) {
        match expr {
            Expr::Call(call) => {
                call.args.iter().for_each(|arg| self.expr(arg, statement));
                self.comparison(call, statement);
            }
            Expr::Member { of, names, args } => {
                self.expr(of, statement);
                args.iter().for_each(|arg| self.expr(arg, statement));
                self.field(of, names, statement);
            }
            _ => {}
        }
    }

    /// `eq (getv "/k") true`: a string is never equal to a truth value.
    fn comparison(&mut self, call: &'o Call, statement: &'o Statement) {
        let [one, other] = call.args.as_slice() else {
            return;
        };
        let truth = [one, other]
            .into_iter()
            .find(|arg| matches!(arg, Expr::Bool { .. }));
        let is_string = |arg| self.is_string(arg, statement);
        let name = call.function.name;
        if let Some(truth) = truth.filter(|_| matches!(name, "eq" | "ne"))
            && (is_string(one) || is_string(other))
        {
            self.mistakes.push(Mistake {
                at: truth.pos(),
                code: Code::E311,
                message: format!("{name} compares a string with a truth value: never equal"),
                help: "put it in quotes: \"true\" or \"false\"".to_owned(),
            });
        }
    }

    fn field(&mut self, of: &'o Expr, names: &[String], statement: &'o Statement) {
        let (Some(value), Some(name)) = (self.value(of, statement), names.first()) else {
            return;
        };
        let (message, help) = match value {
            Value::Nil if self.top_is_nil => (
                "the dot has no metadata".to_owned(),
                nil_dot_help(&names.iter().map(String::as_str).collect::<Vec<_>>()),
            ),
            Value::Kind(Kind::Pair) if !has(Pair::FIELDS, name) => (
                format!("memkv.KVPair has no field {name}"),
                format!("its fields are {}", structs::names(Pair::FIELDS)),
            ),
            Value::Service if !has(Service::FIELDS, name) => (
                format!("*net.SRV has no field {name}"),
                format!("its fields are {}", structs::names(Service::FIELDS)),
            ),
            Value::Kind(Kind::Time) if !time_methods().any(|method| method == name) => (
                format!("{} has no method {name}", Kind::Time.name()),
                match nearest(name, time_methods()) {
                    Some(meant) => format!("did you mean {meant}?"),
                    None => "its methods are those of Go's time.Time".to_owned(),
                },
            ),
            Value::Kind(
                kind @ (Kind::Text | Kind::Texts | Kind::Bool | Kind::Int | Kind::Float),
            ) => (
                format!("{} has no field {name}", kind.name()),
                "use get or gets for .Key and .Value, json for the fields of an object".to_owned(),
            ),
            _ => return,
        };
        self.mistakes.push(Mistake {
            at: of.pos(),
            code: Code::E313,
            message,
            help,
        });
    }

    fn is_string(&self, expr: &'o Expr, statement: &'o Statement) -> bool {
        match self.variables.resolve(expr) {
            Expr::Text { .. } => true,
            // The fields of a pair.
            Expr::Member { of, names, args } => {
                let is_pair = || matches!(self.value(of, statement), Some(Value::Kind(Kind::Pair)));
                args.is_empty()
                    && matches!(names.as_slice(), [name] if has(Pair::FIELDS, name))
                    && is_pair()
            }
            Expr::Call(call) => result(call) == Some(Kind::Text),
            _ => false,
        }
    }

    fn value(&self, expr: &'o Expr, statement: &'o Statement) -> Option<Value> {
        match self.variables.resolve(expr) {
            Expr::Dot { .. } => match statement.dot {
                Dot::Top => Some(Value::Nil),
                Dot::Value(index) => {
                    let outer = self.outline.statements.get(index)?;
                    self.value(&outer.expr, outer)
                }
                Dot::Element(index) => self.element(self.outline.statements.get(index)?),
                Dot::Passed => None,
            },
            Expr::Variable { name, .. } if name != "$" => self.element(self.range_of(name)?),
            Expr::Variable { .. } if statement.dot != Dot::Passed => Some(Value::Nil),
            Expr::Call(call) => result(call).map(Value::Kind),
            _ => None,
        }
    }

    /// The one range that sets this variable to its elements.
    fn range_of(&self, name: &str) -> Option<&'o Statement> {
        let mut setters = self
            .outline
            .statements
            .iter()
            .filter(|statement| statement.sets.iter().any(|set| set == name));
        let setter = setters.next()?;
        let is_element = setter.sets.last().is_some_and(|set| set == name);
        let is_range = setter.usage == Usage::Ranged && is_element;
        (is_range && setters.next().is_none()).then_some(setter)
    }

    /// An element of what a range goes through.
    fn element(&self, range: &Statement) -> Option<Value> {
        let Expr::Call(call) = self.variables.resolve(&range.expr) else {
            return None;
        };
        match result(call) {
            Some(Kind::Texts) => Some(Value::Kind(Kind::Text)),
            Some(Kind::Pairs) => Some(Value::Kind(Kind::Pair)),
            _ if call.function.name == "lookupSRV" => Some(Value::Service),
            _ => None,
        }
    }
}

/// The kind of value that a call returns, if it is always the same.
fn result(call: &Call) -> Option<Kind> {
    let kind = funcs::doc(call.function).map(|doc| doc.result)?;
    (kind != Kind::Varies).then_some(kind)
}

fn has<T>(fields: &[Field<T>], name: &str) -> bool {
    fields.iter().any(|field| field.name == name)
}
