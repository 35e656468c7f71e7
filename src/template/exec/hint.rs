//! Help for a failed execution that depends on the nodes around the failure.

use super::State;
use super::eval::Args;
use crate::template::foreign;
use crate::template::lex::Span;
use crate::template::node::{NodeRef, Operand, OperandKind, Pipeline, visit_pipelines};
use crate::template::problem::Problem;
use crate::template::trace::Trace;
use crate::template::value::Value;
use crate::template::{CallError, Failure};

impl<'t, T: Trace> State<'t, '_, T> {
    /// The help for a problem at this node.
    pub(super) fn hint(&self, problem: &Problem, node: NodeRef<'t>) -> Option<String> {
        match problem {
            Problem::NotAFunction(_) => Some(
                "the first word of an action is a function; join values with printf".to_owned(),
            ),
            Problem::NoEntryInNil(_) | Problem::NilPointer { .. } => hint_at_nil(node, self),
            _ => None,
        }
    }

    /// The help for a wrong number of arguments: an inner call without parentheses, whose arguments
    /// were taken for those of the outer one, as in `getv printf "/x/%s" $y`.
    pub(super) fn hint_at_count(&self, words: Args<'t>, is_argument: bool) -> Option<String> {
        if is_argument {
            let inner = self.print(NodeRef::Operand(words.first));
            let operator = foreign::infix_help(&inner);
            return operator
                .filter(|_| self.is_behind_value(words.first))
                .or_else(|| Some(format!("put the inner call in parentheses: ({inner} …)")));
        }
        let place = words.args.iter().position(is_call)?;
        let inner = words.args.get(place)?;
        let operator = foreign::infix_help(&self.print(NodeRef::Operand(inner)));
        if let Some(operator) = operator.filter(|_| place > 0) {
            return Some(operator);
        }
        let [outer, inner] = [words.first, inner].map(|word| self.print(NodeRef::Operand(word)));
        Some(format!(
            "put the inner call in parentheses: {outer} ({inner} …)"
        ))
    }

    /// The help for words that begin with a value: a function between it and the next one.
    pub(super) fn hint_at_operator(&self, words: Args<'t>) -> Option<String> {
        let operator = words.args.first().filter(|arg| is_call(arg))?;
        foreign::infix_help(&self.print(NodeRef::Operand(operator)))
    }

    /// Returns true if the word before is a value, not the name of a function.
    fn is_behind_value(&self, operand: &Operand) -> bool {
        let before = self.template.source.get(..operand.span.start);
        let before = before.unwrap_or_default().trim_ascii_end();
        let is_of_name = |byte: &&u8| byte.is_ascii_alphanumeric();
        let name: Vec<u8> = before
            .iter()
            .rev()
            .take_while(is_of_name)
            .copied()
            .collect();
        let sign = before.get(..before.len() - name.len());
        let sign = sign.and_then(|rest| rest.last()).copied();
        let begins_with_letter = name.last().is_some_and(u8::is_ascii_alphabetic);
        !begins_with_letter || matches!(sign, Some(b'.' | b'$' | b'_'))
    }

    /// The help for an index that no element has: the origin of the list, and its length.
    pub(super) fn hint_at_index(&self, list: &Value, error: &CallError) -> Option<String> {
        let Failure::Failed(words) = &*error.0 else {
            return None;
        };
        let Some(NodeRef::Command(command)) = self.node else {
            return None;
        };
        // With several indexes it may be a list inside the list.
        if !words.contains("out of range") || command.args.len() != 3 {
            return None;
        }
        let length = list.length()?;
        let list = command.args.get(1)?;
        let made = self.origin(list);
        let list = self.print(NodeRef::Operand(list));
        let list = match made {
            Some(made) if made != list => format!("{list} ({made})"),
            _ => list,
        };
        Some(match length {
            0 => format!(
                "{list} is empty: nothing matches; use it inside {{{{if …}}}} or {{{{with …}}}}"
            ),
            1 => format!("{list} has 1 element, at index 0"),
            count => format!("{list} has {count} elements, from index 0 to {}", count - 1),
        })
    }

    /// The pipeline that a variable was set to last before this place, as printed.
    fn origin(&self, operand: &Operand) -> Option<String> {
        let OperandKind::Variable { name, .. } = &operand.kind else {
            return None;
        };
        let wanted = name.of(&self.template.source);
        let mut found: Option<&Pipeline> = None;
        for list in self.template.lists.iter().flatten() {
            visit_pipelines(list, &mut |pipeline| {
                let declares = |name: Span| name.of(&self.template.source) == wanted;
                let before = pipeline.pos < operand.span.start;
                if before && pipeline.decl.iter().any(|declared| declares(declared.name)) {
                    found = found
                        .filter(|known| known.pos > pipeline.pos)
                        .or(Some(pipeline));
                }
            });
        }
        let commands: Vec<String> = found?
            .commands
            .iter()
            .map(|command| self.print(NodeRef::Command(command)))
            .collect();
        Some(commands.join(" | "))
    }
}

/// Dot is nil outside of `range` and `with`: the metadata is not in it.
fn hint_at_nil<T: Trace>(node: NodeRef<'_>, state: &State<'_, '_, T>) -> Option<String> {
    let NodeRef::Operand(Operand {
        kind: OperandKind::Field(fields),
        ..
    }) = node
    else {
        return None;
    };
    let fields = fields.iter().map(|field| field.of(&state.template.source));
    let names: Vec<_> = fields.map(String::from_utf8_lossy).collect();
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    let help = foreign::nil_dot_help(&names);
    Some(format!("the dot has no metadata; {help}"))
}

/// Returns true if the operand is a function without arguments.
fn is_call(operand: &Operand) -> bool {
    matches!(operand.kind, OperandKind::Identifier(_))
}
