//! Where each part of a rendered file comes from: the node of the template that wrote it, and the
//! metadata that this node read, itself or through variables, loops and included files.
//!
//! A rendering records it only when asked. Knows nothing of how it is shown.

mod notes;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::Resource;
use super::funcs::{FUNCTIONS, Funcs, doc};
use super::items::Item;
use crate::config::table::{LARGEST, Table, read_file};
use crate::template::value::Str;
use crate::template::{self, Budget, CallError, Function, Host, Options, Span, Template, Value};
use crate::tree::View;
use notes::{ITEM_KEYS, Witness};

/// No part of a text.
const NOTHING: Span = Span { start: 0, end: 0 };

/// The origin of an output. Everything is an index into the lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// The parts of the output in order, without gaps.
    pub parts: Vec<Part>,
    /// The templates: the resource's own, then those that it includes.
    pub templates: Vec<Source>,
    /// The conf.d file among them, where `for_each` and `dest` have made parts of the output.
    pub resource: Option<usize>,
    /// The reads of metadata, each once.
    pub reads: Vec<Read>,
    /// Sets of reads; the first is empty.
    pub sets: Vec<Set>,
    /// The reasons why a block was executed; the first is none.
    pub causes: Vec<Cause>,
}

/// A part of the output that one node wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The end of the part in bytes; it begins where the one before ends.
    pub end: usize,
    /// The template that the node is in.
    pub template: usize,
    /// The node's place in the template, in bytes.
    pub node: Range<usize>,
    /// The reads that it is made from.
    pub reads: usize,
    /// The innermost block around it.
    pub cause: usize,
}

/// A template that took part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The name, as messages have it.
    pub name: String,
    /// The text that was executed.
    pub text: Arc<[u8]>,
}

/// One read of metadata: a call, or one element of what it found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Read {
    /// The function.
    pub function: &'static str,
    /// Its first argument: a key, a pattern or a path.
    pub argument: String,
    /// The keys of the tree that it is about; what a listing or a pattern has found, or else
    /// itself.
    pub keys: Vec<String>,
}

/// A set of reads: some, and all of other sets, which are before it in the list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Set {
    /// The reads.
    pub reads: BTreeSet<usize>,
    /// The other sets.
    pub sets: BTreeSet<usize>,
}

impl Provenance {
    /// All reads of a set.
    pub fn reads_of(&self, set: usize) -> BTreeSet<usize> {
        let (mut reads, mut open, mut seen) = (BTreeSet::new(), vec![set], BTreeSet::new());
        while let Some(next) = open.pop() {
            if let Some(set) = self.sets.get(next).filter(|_| seen.insert(next)) {
                reads.extend(&set.reads);
                open.extend(&set.sets);
            }
        }
        reads
    }
}

/// The reason why a block was executed.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cause {
    /// The template, and the place of the condition, range or call in it.
    pub template: usize,
    /// In bytes.
    pub node: (usize, usize),
    /// The reads of that.
    pub reads: usize,
    /// The block around.
    pub outer: usize,
}

/// Executes templates as [`Template::execute`] does, and records.
#[derive(Default)]
pub(super) struct Recorder(Witness);

impl Recorder {
    /// Executes a template whose output follows what was recorded before.
    pub(super) fn execute(
        &mut self,
        template: &Template,
        funcs: &mut Funcs,
        (dot, options): (&Value, Options),
        view: &View,
    ) -> Result<Vec<u8>, template::Error> {
        let witness = self.0.clone();
        witness.0.borrow_mut().begin(template, view);
        let mut host = Witnessed {
            funcs,
            witness: witness.clone(),
        };
        template.execute_traced(&mut host, dot, options, &mut Budget::default(), witness)
    }

    /// Executes an action of a conf.d file that makes no part of the output: `for_each`, or a key
    /// that an item is put into.
    pub(super) fn evaluate(
        &mut self,
        key: &Template,
        funcs: &mut Funcs,
        (dot, options): (&Value, Options),
        view: &View,
    ) -> Result<Vec<u8>, template::Error> {
        let witness = self.0.clone();
        witness.0.borrow_mut().begin_key(dot, view);
        let mut host = Witnessed {
            funcs,
            witness: witness.clone(),
        };
        let budget = &mut Budget::default();
        let value = key.execute_traced(&mut host, dot, options, budget, witness.clone());
        witness.0.borrow_mut().end_key(key.name(), dot);
        value
    }

    /// Goes on with the files of the items of a resource with `for_each`.
    pub(super) fn begin_items(&mut self, template: &Template, resource: &Resource) {
        let notes = &mut *self.0.0.borrow_mut();
        notes.open(template);
        let text = read_file(&resource.path, LARGEST).unwrap_or_default();
        let place = |key| place_of(&resource.path, &text, key).unwrap_or(NOTHING);
        let keys = ["for_each"].into_iter().chain(ITEM_KEYS);
        notes.keys = keys.map(|key| (key, place(key))).collect();
        let name = resource.path.file_name().unwrap_or_default();
        let name = format!("conf.d/{}", name.to_string_lossy());
        let text = text.into();
        notes.provenance.templates.push(Source { name, text });
        notes.provenance.resource = Some(notes.provenance.templates.len() - 1);
    }

    /// Records that a title of so many bytes follows, and the file of an item.
    pub(super) fn begin_item(&mut self, resource: &Resource, title: usize) {
        let item = resource.item.as_ref().map_or(Value::Nil, Item::to_value);
        self.0.0.borrow_mut().begin_item(&item, title);
    }

    /// Records that so many bytes follow that no template has written.
    pub(super) fn skip(&mut self, size: usize) {
        self.0.0.borrow_mut().skip(size);
    }

    /// Everything that was recorded.
    pub(super) fn into_provenance(self) -> Provenance {
        std::mem::take(&mut self.0.0.borrow_mut().provenance)
    }
}

/// The line of a key of a conf.d file.
fn place_of(path: &Path, text: &[u8], key: &str) -> Option<Span> {
    let table = Table::parse(path, &String::from_utf8_lossy(text)).ok()?;
    let number = table.section("template").ok()??.line_of(key)?;
    let mut lines = text.split_inclusive(|byte| *byte == b'\n');
    let start = lines.by_ref().take(number - 1).map(<[u8]>::len).sum();
    let end = start + lines.next()?.trim_ascii_end().len();
    Some(Span { start, end })
}

/// The functions, with their reads noted.
struct Witnessed<'f> {
    funcs: &'f mut Funcs,
    witness: Witness,
}

impl Host for Witnessed<'_> {
    fn functions(&self) -> &'static [Function] {
        FUNCTIONS
    }

    fn call(
        &mut self,
        index: usize,
        args: &[Value],
        budget: &mut Budget,
    ) -> Result<Value, CallError> {
        let function = FUNCTIONS.get(index);
        let reading = function.and_then(doc).and_then(|doc| doc.reads);
        let function = function.map_or("", |function| function.name);
        if let ("include", [Value::Str(file), data @ ..]) = (function, args) {
            return self.include(file, data, budget);
        }
        if let (Some(reading), Some(Value::Str(argument))) = (reading, args.first()) {
            self.witness
                .0
                .borrow_mut()
                .called(function, reading, argument);
        }
        self.funcs.call(index, args, budget)
    }
}

impl Witnessed<'_> {
    /// `include`, with the parts of the included file on record.
    fn include(
        &mut self,
        file: &Str,
        data: &[Value],
        budget: &mut Budget,
    ) -> Result<Value, CallError> {
        let include = self.funcs.begin_include(file, data, budget)?;
        let witness = self.witness.clone();
        let outer = witness.0.borrow_mut().begin_include(&include.template);
        let (data, options) = (data.first().unwrap_or(&Value::Nil), self.funcs.options());
        let template = &include.template;
        let rendered = template.execute_traced(self, data, options, budget, witness.clone());
        witness.0.borrow_mut().end_include(outer);
        self.funcs.end_include(rendered, budget)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::funcs::HostEnv;
    use crate::tree::Tree;

    /// The output of a template, and its origin.
    fn record(text: &str, tree: Tree) -> (Vec<u8>, Provenance) {
        let tree = Arc::new(tree);
        let view = tree.view("", &["/".to_owned()]);
        let around = HostEnv::of_process(&std::env::temp_dir(), Options::default());
        let mut funcs = Funcs::new(view.clone(), around);
        let template = Template::parse("t", text.as_bytes(), FUNCTIONS).expect(text);
        let mut recorder = Recorder::default();
        let with = (&Value::Nil, Options::default());
        let out = recorder
            .execute(&template, &mut funcs, with, &view)
            .expect("an output");
        (out, recorder.into_provenance())
    }

    /// Each part of the output with the text of its node, the keys that it read, and behind a bar
    /// those of the blocks around it.
    fn parts(text: &str) -> Vec<String> {
        let tree = Tree::from_pairs([
            ("/env/a", "1"),
            ("/env/b", "2"),
            ("/hosts/i-1/ip", "10.0.0.1"),
            ("/hosts/i-2/ip", "10.0.0.2"),
        ]);
        let (out, found) = record(text, tree);
        let mut start = 0;
        let shown = found.parts.iter().map(|part| {
            let written = String::from_utf8_lossy(&out[start..part.end]).into_owned();
            start = part.end;
            let keys = |set: usize| {
                let reads = found.reads_of(set);
                let reads = reads.iter().map(|read| &found.reads[*read]);
                let keys: Vec<&str> = reads
                    .flat_map(|read| &read.keys)
                    .map(|key| &**key)
                    .collect();
                keys.join(" ")
            };
            let mut line = format!(
                "{written} < {} < {}",
                &text[part.node.clone()],
                keys(part.reads)
            );
            let mut cause = part.cause;
            while cause > 0 {
                line.push_str(&format!(" | {}", keys(found.causes[cause].reads)));
                cause = found.causes[cause].outer;
            }
            line.trim_end().to_owned()
        });
        let shown = shown.collect();
        assert_eq!(start, out.len(), "the parts are the whole output");
        shown
    }

    #[test]
    fn an_output_has_its_action_and_its_keys() {
        for (text, want) in [
            ("a", &["a < a <"][..]),
            (
                r#"x={{getv "/env/a"}}"#,
                &["x= < x= <", r#"1 < getv "/env/a" < /env/a"#],
            ),
            (
                r#"{{$x := getv "/env/a"}}{{$y := add $x 1}}{{$y}}{{getv "/env/b"}}"#,
                &["2 < $y < /env/a", r#"2 < getv "/env/b" < /env/b"#],
            ),
            (
                r#"{{range gets "/hosts/*/ip"}}{{.Value}},{{end}}"#,
                &[
                    "10.0.0.1 < .Value < /hosts/i-1/ip | /hosts/i-1/ip",
                    ", < , <  | /hosts/i-1/ip",
                    "10.0.0.2 < .Value < /hosts/i-2/ip | /hosts/i-2/ip",
                    ", < , <  | /hosts/i-2/ip",
                ],
            ),
            (
                r#"{{range $i, $h := lsdir "/hosts"}}{{getv (printf "/hosts/%s/ip" $h)}}{{end}}"#,
                &[
                    "10.0.0.1 < getv (printf \"/hosts/%s/ip\" $h) < /hosts/i-1 /hosts/i-1/ip | /hosts/i-1",
                    "10.0.0.2 < getv (printf \"/hosts/%s/ip\" $h) < /hosts/i-2 /hosts/i-2/ip | /hosts/i-2",
                ],
            ),
            (
                r#"{{join (getvs "/hosts/*/ip") ","}}"#,
                &[
                    "10.0.0.1,10.0.0.2 < join (getvs \"/hosts/*/ip\") \",\" < /hosts/i-1/ip /hosts/i-2/ip",
                ],
            ),
            (
                r#"{{(getv "/env/a")}}{{ (split ( getv "/env/b" ) "-" | len) -}}"#,
                &[
                    "1 < (getv \"/env/a\") < /env/a",
                    "1 < (split ( getv \"/env/b\" ) \"-\" | len) < /env/b",
                ],
            ),
            (
                r#"{{if exists "/env/none"}}a{{else}}b{{end}}{{with getv "/env/b"}}{{.}}{{end}}"#,
                &["b < b <  | /env/none", "2 < . < /env/b | /env/b"],
            ),
            (
                r#"{{define "d"}}{{.}}{{end}}{{template "d" (getv "/env/a")}}"#,
                &["1 < . < /env/a | /env/a"],
            ),
        ] {
            assert_eq!(parts(text), want, "{text}");
        }
    }

    #[test]
    fn what_decides_on_a_variable_decides_on_what_is_printed_of_it() {
        let by_a = r#"{{$x := "-"}}{{if eq (getv "/env/a") "1"}}{{$x = "y"}}{{end}}{{$x}}"#;
        let not_by_a = r#"{{$x := "-"}}{{if eq (getv "/env/a") "2"}}{{$x = "y"}}{{end}}{{$x}}"#;
        for (text, want) in [
            (by_a, &["y < $x <  | /env/a"][..]),
            (not_by_a, &["- < $x <  | /env/a"]),
            (
                r#"{{$x := "-"}}{{if exists "/env/a"}}{{if exists "/env/none"}}{{$x = "y"}}{{end}}{{end}}{{$x}}"#,
                &["- < $x <  | /env/none | /env/a"],
            ),
            (
                r#"{{$x := ""}}{{if exists "/env/a"}}{{$x = getv "/env/b"}}{{end}}{{$y := $x}}{{$y}}{{$x = "n"}}{{$x}}"#,
                &["2 < $y < /env/b | /env/a", "n < $x <"],
            ),
            (
                r#"{{$n := 0}}{{range gets "/hosts/*/ip"}}{{$n = add $n 1}}{{$n}}{{end}}{{$n}}"#,
                &[
                    "1 < $n <  | /hosts/i-1/ip",
                    "2 < $n <  | /hosts/i-2/ip",
                    "2 < $n <  | /hosts/i-1/ip /hosts/i-2/ip",
                ],
            ),
            (
                r#"{{$x := ""}}{{range ls "/none"}}{{$x = .}}{{else}}{{$x = "e"}}{{end}}{{if $x}}{{$x}}z{{end}}"#,
                &["e < $x <  |  | /none", "z < z <  |  | /none"],
            ),
            (
                r#"{{$x := ""}}{{if exists "/env/a"}}{{$x = "y"}}{{end}}{{if $x}}{{$x}}z{{end}}"#,
                &["y < $x <  |  | /env/a", "z < z <  |  | /env/a"],
            ),
            (
                r#"{{define "d"}}{{.}}{{end}}{{$x := 1}}{{if exists "/env/a"}}{{$x = 2}}{{end}}{{template "d" $x}}"#,
                &["2 < . <  |  | /env/a"],
            ),
        ] {
            assert_eq!(parts(text), want, "{text}");
        }
    }

    #[test]
    fn what_leaves_a_loop_decides_on_the_rest_of_it() {
        for (text, want) in [
            // The rest of this turn and all later ones, but nothing behind the loop.
            (
                r#"{{range gets "/hosts/*/ip"}}a{{if exists "/env/none"}}{{break}}{{end}}b{{end}}c"#,
                &[
                    "a < a <  | /hosts/i-1/ip",
                    "b < b <  | /env/none | /hosts/i-1/ip",
                    "a < a <  | /env/none | /hosts/i-2/ip",
                    "b < b <  | /env/none | /hosts/i-2/ip",
                    "c < c <",
                ][..],
            ),
            // Only the rest of this turn.
            (
                r#"{{range gets "/hosts/*/ip"}}a{{if exists "/env/none"}}{{continue}}{{end}}b{{end}}"#,
                &[
                    "a < a <  | /hosts/i-1/ip",
                    "b < b <  | /env/none | /hosts/i-1/ip",
                    "a < a <  | /hosts/i-2/ip",
                    "b < b <  | /env/none | /hosts/i-2/ip",
                ],
            ),
            // The conditions around it, too, and in lists that were not executed.
            (
                r#"{{range ls "/env"}}{{with getv "/env/b"}}{{if exists "/env/none"}}x{{else if eq . "3"}}{{continue}}{{end}}{{end}}b{{break}}{{end}}"#,
                &["b < b <  | /env/b /env/none | /env/b | /env/a"],
            ),
            // It leaves the range that it is in, which is not that of its own else list.
            (
                r#"{{range ls "/env"}}{{range ls "/none"}}{{if getv "/env/a"}}{{break}}{{end}}{{else}}{{if eq . "x"}}{{break}}{{end}}{{end}}b{{continue}}{{end}}"#,
                &[
                    "b < b <  | /env/a | /none | /env/a",
                    "b < b <  | /env/a /env/b | /none | /env/b",
                ],
            ),
            // What the loop assigns depends on it, whether it is reached or not.
            (
                r#"{{$n := 0}}{{range gets "/hosts/*/ip"}}{{if exists "/env/a"}}{{break}}{{end}}{{$n = 1}}{{end}}{{$n}}"#,
                &["0 < $n <  | /env/a | /hosts/i-1/ip /hosts/i-2/ip"],
            ),
            (
                r#"{{$n := 0}}{{range gets "/hosts/*/ip"}}{{if exists "/env/none"}}{{continue}}{{end}}{{$n = 1}}{{end}}{{$n}}"#,
                &["1 < $n <  | /env/none | /hosts/i-1/ip /hosts/i-2/ip"],
            ),
        ] {
            assert_eq!(parts(text), want, "{text}");
        }
    }

    #[test]
    fn what_grows_in_a_loop_does_not_grow_the_sets() {
        let keys = (0..1000).map(|number| (format!("/k/{number:03}"), "v".to_owned()));
        let text = r#"{{$n := 0}}{{$all := ""}}{{range gets "/k/*"}}{{$all = printf "%s%s" $all .Value}}{{if getv .Key}}{{$n = add $n 1}}{{end}}{{$n}}{{end}}{{$all}}"#;
        let (_, found) = record(text, Tree::from_pairs(keys));
        let last = found.parts.last().expect("a part");
        assert_eq!(found.reads_of(last.reads).len(), 1000);
        let numbers = found
            .sets
            .iter()
            .map(|set| set.reads.len() + set.sets.len());
        let numbers: usize = numbers.sum();
        assert!(numbers < 20_000, "{numbers}");
    }
}
