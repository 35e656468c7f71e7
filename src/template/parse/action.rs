//! The actions: control structures, calls of templates, and pipelines to print.

use super::{Clause, Item, Parser, Problem, Result, Scope};
use crate::template::lex::{Kind, Token};
use crate::template::node::{
    Arm, Branch, List, Node, Pipeline, RangeNode, TemplateId, TemplateNode,
};

/// The state that a control structure restores when it closes.
struct Marks {
    declared: usize,
    stack: usize,
    else_with: bool,
}

impl Parser<'_> {
    /// ```text
    /// action = if | with | range | template | block | break | continue
    ///        | "else" … | "end" "}}" | pipeline "}}"
    /// ```
    /// Begins after the left delimiter.
    pub(super) fn action(&mut self) -> Result<Item> {
        let token = self.next_non_space();
        match token.kind {
            Kind::Block => self.block_control(),
            Kind::Break => self.loop_control("{{break}}", Node::Break),
            Kind::Continue => self.loop_control("{{continue}}", Node::Continue),
            Kind::Else => self.else_control(),
            Kind::End => {
                self.expect(Kind::RightDelim, "end")?;
                Ok(Item::Clause(Clause::End))
            }
            Kind::If => Ok(Item::Node(Node::If(self.branch("if", Kind::If)?))),
            Kind::Range => self.range_control(),
            Kind::Template => self.template_control(),
            Kind::With => Ok(Item::Node(Node::With(self.branch("with", Kind::With)?))),
            _ => {
                self.backup(token);
                // Variables that it declares live until the block ends.
                let pipeline = self.pipeline("command", Kind::RightDelim)?;
                Ok(Item::Node(Node::Action(pipeline)))
            }
        }
    }

    /// ```text
    /// break = "break" "}}"        continue = "continue" "}}"
    /// ```
    fn loop_control(&mut self, context: &'static str, node: Node) -> Result<Item> {
        self.expect(Kind::RightDelim, context)?;
        if self.scope.ranges == 0 {
            return self.fail(Problem::OutsideRange(context));
        }
        Ok(Item::Node(node))
    }

    /// ```text
    /// else = "else" ( "}}" | if | with )
    /// ```
    /// Leaves the word of `{{else if …}}` and `{{else with …}}` to be read.
    fn else_control(&mut self) -> Result<Item> {
        let next = self.peek_non_space();
        let chained = next.kind == Kind::If || next.kind == Kind::With && self.scope.else_with;
        if !chained {
            self.expect(Kind::RightDelim, "else")?;
        }
        Ok(Item::Clause(Clause::Else))
    }

    /// ```text
    /// if   = "if" pipeline "}}" list { "{{else if" pipeline "}}" list } [ "{{else}}" list ] "{{end}}"
    /// with = "with" pipeline "}}" list { "{{else with" pipeline "}}" list } [ "{{else}}" list ] "{{end}}"
    /// ```
    /// Begins after the first word.
    fn branch(&mut self, context: &'static str, word: Kind) -> Result<Branch> {
        let marks = self.open(word == Kind::With)?;
        let mut arms = Vec::new();
        let else_list = loop {
            let pipeline = self.pipeline(context, Kind::RightDelim)?;
            let stack = self.scope.stack.mark();
            let (list, clause) = self.item_list()?;
            arms.push(Arm { pipeline, list });
            if clause == Clause::End {
                break None;
            }
            // What the list declared is not on the stack when it was not executed.
            self.scope.stack.pop(stack);
            if self.peek().kind == word {
                self.next();
                continue;
            }
            break Some(self.else_list()?);
        };
        self.close(marks);
        Ok(Branch { arms, else_list })
    }

    /// ```text
    /// range = "range" pipeline "}}" list [ "{{else}}" list ] "{{end}}"
    /// ```
    fn range_control(&mut self) -> Result<Item> {
        let marks = self.open(false)?;
        let pipeline = self.pipeline("range", Kind::RightDelim)?;
        let stack = self.scope.stack.mark();
        // As Go 1.19 does it, also when the variables are assigned and not declared: the top of the
        // stack.
        let top = |n: usize| stack.checked_sub(n).filter(|_| pipeline.decl.len() >= n);
        let (element, index) = (top(1), top(2));
        self.scope.ranges += 1;
        let (list, clause) = self.item_list()?;
        self.scope.ranges -= 1;
        self.scope.stack.pop(stack);
        let else_list = match clause {
            Clause::End => None,
            Clause::Else => Some(self.else_list()?),
        };
        self.close(marks);
        Ok(Item::Node(Node::Range(RangeNode {
            pipeline,
            element,
            index,
            list,
            else_list,
        })))
    }

    /// The last list of a control structure, to its `{{end}}`.
    fn else_list(&mut self) -> Result<List> {
        let (list, clause) = self.item_list()?;
        if clause != Clause::End {
            return self.fail(Problem::ExpectedEnd(clause.words()));
        }
        Ok(list)
    }

    /// Opens a control structure.
    fn open(&mut self, else_with: bool) -> Result<Marks> {
        self.enter()?;
        Ok(Marks {
            declared: self.scope.declared.mark(),
            stack: self.scope.stack.mark(),
            else_with: std::mem::replace(&mut self.scope.else_with, else_with),
        })
    }

    /// Closes it, with the variables that live in it.
    fn close(&mut self, marks: Marks) {
        self.scope.declared.pop(marks.declared);
        self.scope.stack.pop(marks.stack);
        self.scope.else_with = marks.else_with;
        self.leave();
    }

    /// ```text
    /// block = "block" string pipeline "}}" list "{{end}}"
    /// ```
    /// A definition and a call of it.
    fn block_control(&mut self) -> Result<Item> {
        let context = "block clause";
        let token = self.next_non_space();
        let template = self.template_name(token, context)?;
        let pipeline = Some(self.pipeline(context, Kind::RightDelim)?);
        let outer = std::mem::replace(&mut self.scope, Scope::new());
        // Go counts this error's line in the block's own action.
        let list = self.template_body(context, Some(outer.last.start))?;
        self.add(template, list)?;
        self.scope = outer;
        Ok(template_item(token, template, pipeline))
    }

    /// ```text
    /// template = "template" string [ pipeline ] "}}"
    /// ```
    fn template_control(&mut self) -> Result<Item> {
        let context = "template clause";
        let token = self.next_non_space();
        let template = self.template_name(token, context)?;
        let next = self.next_non_space();
        let pipeline = if next.kind == Kind::RightDelim {
            None
        } else {
            self.backup(next);
            Some(self.pipeline(context, Kind::RightDelim)?)
        };
        Ok(template_item(token, template, pipeline))
    }
}

fn template_item(name: Token, template: TemplateId, pipeline: Option<Pipeline>) -> Item {
    Item::Node(Node::Template(TemplateNode {
        pos: name.span.start,
        end: name.span.end,
        template,
        pipeline,
    }))
}
