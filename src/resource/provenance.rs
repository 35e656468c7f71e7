//! Where each part of a rendered file comes from: the node of the template that wrote it, and the
//! metadata that this node read, itself or through variables, loops and included files.
//!
//! A rendering records it only when asked. Knows nothing of how it is shown.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use super::funcs::{FUNCTIONS, Funcs, Reading, doc};
use crate::go::filepath::Pattern;
use crate::template::value::Str;
use crate::template::{
    self, Budget, CallError, Function, Host, Options, Span, Template, Trace, Value,
};
use crate::tree::View;

/// The most reads of one origin: a list that grows in a loop has as many origins as elements.
const MOST_READS: usize = 4096;

/// The origin of an output. Everything is an index into the lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// The parts of the output in order, without gaps.
    pub parts: Vec<Part>,
    /// The templates: the resource's own, then those that it includes.
    pub templates: Vec<Source>,
    /// The reads of metadata, each once.
    pub reads: Vec<Read>,
    /// Sets of reads; the first is empty.
    pub sets: Vec<Vec<usize>>,
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
    /// What it read.
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Read {
    /// The function.
    pub function: &'static str,
    /// Its first argument: a key, a pattern or a path.
    pub argument: String,
    /// The keys of the tree that it is about; directories for listings.
    pub keys: Vec<String>,
}

/// The reason why a block was executed.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    /// The template, and the place of the condition, range or call in it.
    pub template: usize,
    /// In bytes.
    pub node: (usize, usize),
    /// What that read.
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

    /// Records that so many bytes follow that no template has written.
    pub(super) fn skip(&mut self, size: usize) {
        let notes = &mut *self.0.0.borrow_mut();
        notes.collected.clear();
        notes.part(Span { start: 0, end: 0 }, size);
    }

    /// Everything that was recorded.
    pub(super) fn into_provenance(self) -> Provenance {
        std::mem::take(&mut self.0.0.borrow_mut().provenance)
    }
}

/// What has been noted so far.
struct Notes {
    view: Option<View>,
    provenance: Provenance,
    /// The indices of reads, sets, causes and templates that are known.
    known_reads: BTreeMap<Read, usize>,
    known_sets: BTreeMap<Vec<usize>, usize>,
    known_causes: BTreeMap<Cause, usize>,
    /// Which keys of a read an element stands for, by the element's text.
    elements: BTreeMap<usize, BTreeMap<Vec<u8>, BTreeSet<String>>>,
    /// The reads of the node that is executed.
    collected: BTreeSet<usize>,
    /// The blocks around it: their causes.
    blocks: Vec<usize>,
    /// The template that it is in.
    template: usize,
    /// The origin of the data of the template that begins next.
    data: usize,
    written: usize,
    /// The parts of the file that the node has just included, and its size.
    included: Option<(Vec<Part>, usize)>,
}

impl Default for Notes {
    fn default() -> Notes {
        let provenance = Provenance {
            sets: vec![Vec::new()],
            causes: vec![Cause::default()],
            ..Provenance::default()
        };
        Notes {
            view: None,
            provenance,
            known_reads: BTreeMap::new(),
            known_sets: BTreeMap::from([(Vec::new(), 0)]),
            known_causes: BTreeMap::new(),
            elements: BTreeMap::new(),
            collected: BTreeSet::new(),
            blocks: Vec::new(),
            template: 0,
            data: 0,
            written: 0,
            included: None,
        }
    }
}

impl Notes {
    /// Begins with a resource's template.
    fn begin(&mut self, template: &Template, view: &View) {
        self.view = Some(view.clone());
        self.blocks.clear();
        self.open(template);
    }

    /// Goes on with the nodes of this template.
    fn open(&mut self, template: &Template) {
        let (name, text) = (template.name().to_owned(), Arc::clone(template.text()));
        let templates = &mut self.provenance.templates;
        let known = templates.iter().position(|source| source.name == name);
        self.template = known.unwrap_or_else(|| {
            templates.push(Source { name, text });
            templates.len() - 1
        });
    }

    fn read(&mut self, read: Read) -> usize {
        if let Some(known) = self.known_reads.get(&read) {
            return *known;
        }
        self.provenance.reads.push(read.clone());
        let index = self.provenance.reads.len() - 1;
        self.known_reads.insert(read, index);
        index
    }

    fn set(&mut self, reads: Vec<usize>) -> usize {
        if let Some(known) = self.known_sets.get(&reads) {
            return *known;
        }
        self.provenance.sets.push(reads.clone());
        let index = self.provenance.sets.len() - 1;
        self.known_sets.insert(reads, index);
        index
    }

    fn collected(&mut self) -> usize {
        self.set(self.collected.iter().copied().collect())
    }

    fn use_all(&mut self, set: usize) {
        let reads = self.provenance.sets.get(set).cloned().unwrap_or_default();
        let room = MOST_READS.saturating_sub(self.collected.len());
        self.collected.extend(reads.into_iter().take(room));
    }

    fn cause(&mut self, cause: Cause) -> usize {
        if let Some(known) = self.known_causes.get(&cause) {
            return *known;
        }
        self.provenance.causes.push(cause.clone());
        let index = self.provenance.causes.len() - 1;
        self.known_causes.insert(cause, index);
        index
    }

    /// Notes a call that reads metadata.
    fn called(&mut self, function: &'static str, reading: Reading, argument: &Str) {
        let argument = argument.to_text().into_owned();
        let Some(view) = self.view.clone() else {
            return;
        };
        let prefix = view.prefix();
        let mut elements: BTreeMap<Vec<u8>, BTreeSet<String>> = BTreeMap::new();
        let mut add = |text: &str, key: &str| {
            let keys = elements.entry(text.as_bytes().to_vec()).or_default();
            keys.insert(format!("{prefix}{key}"));
        };
        let keys: Vec<String> = match reading {
            Reading::Key => vec![format!("{prefix}{argument}")],
            Reading::Pattern => {
                let pattern = Pattern::parse(&argument).ok();
                let found = pattern.map(|pattern| view.matching(&pattern).items);
                for (key, value) in found.iter().flatten() {
                    add(if function == "gets" { key } else { value }, key);
                }
                elements.values().flatten().cloned().collect()
            }
            Reading::Listing => {
                let dir = argument.trim_end_matches('/');
                let found = match function {
                    "lsdir" => view.list_dirs(&argument).items,
                    _ => view.list(&argument).items,
                };
                for name in found {
                    add(name, &format!("{dir}/{name}"));
                }
                elements.values().flatten().cloned().collect()
            }
            Reading::System => return,
        };
        let read = self.read(Read {
            function,
            argument,
            keys,
        });
        self.elements.insert(read, elements);
        self.collected.insert(read);
    }

    /// The read of one element of what a read has found; the read itself when the element is not
    /// one of them.
    fn element(&mut self, read: usize, text: &[u8]) -> usize {
        let keys = self.elements.get(&read).and_then(|known| known.get(text));
        let whole = self.provenance.reads.get(read);
        let (Some(keys), Some(whole)) = (keys, whole) else {
            return read;
        };
        let part = Read {
            keys: keys.iter().cloned().collect(),
            ..whole.clone()
        };
        self.read(part)
    }

    /// Goes on with an included file. Returns what is put aside for its end.
    fn begin_include(&mut self, template: &Template) -> Outer {
        let outer = Outer {
            collected: self.collected.clone(),
            parts: std::mem::take(&mut self.provenance.parts),
            template: self.template,
            data: self.data,
            written: std::mem::take(&mut self.written),
        };
        self.data = self.collected();
        self.open(template);
        outer
    }

    /// Goes back to the file that includes: all that the included one has read is its origin, too.
    fn end_include(&mut self, outer: Outer) {
        let parts = std::mem::replace(&mut self.provenance.parts, outer.parts);
        let size = std::mem::replace(&mut self.written, outer.written);
        (self.template, self.data) = (outer.template, outer.data);
        self.collected = outer.collected;
        let sets: BTreeSet<usize> = parts.iter().map(|part| part.reads).collect();
        sets.into_iter().for_each(|set| self.use_all(set));
        self.included = Some((parts, size));
    }

    fn part(&mut self, node: Span, size: usize) {
        let (reads, template) = (self.collected(), self.template);
        let cause = self.blocks.last().copied().unwrap_or(0);
        let start = self.written;
        self.written += size;
        match self.included.take() {
            // Unchanged by the rest of the pipeline, as far as sizes tell.
            Some((parts, whole)) if whole == size => {
                self.provenance
                    .parts
                    .extend(parts.into_iter().map(|part| Part {
                        end: start + part.end,
                        ..part
                    }));
            }
            _ if size > 0 => self.provenance.parts.push(Part {
                end: self.written,
                template,
                node: node.start..node.end,
                reads,
                cause,
            }),
            _ => {}
        }
    }
}

/// The state of a file while another one that it includes is executed.
struct Outer {
    collected: BTreeSet<usize>,
    parts: Vec<Part>,
    template: usize,
    data: usize,
    written: usize,
}

/// The notes, as the executor and the functions share them.
#[derive(Clone, Default)]
struct Witness(Rc<RefCell<Notes>>);

impl Trace for Witness {
    /// The index of a set of reads.
    type Origin = usize;

    fn data(&mut self) -> usize {
        self.0.borrow().data
    }

    fn begin(&mut self) {
        let notes = &mut *self.0.borrow_mut();
        notes.collected.clear();
        notes.included = None;
    }

    fn uses(&mut self, origin: &usize) {
        self.0.borrow_mut().use_all(*origin);
    }

    fn origin(&mut self) -> usize {
        self.0.borrow_mut().collected()
    }

    fn wrote(&mut self, node: impl FnOnce() -> Span, size: usize) {
        self.0.borrow_mut().part(node(), size);
    }

    fn enter(&mut self, node: impl FnOnce() -> Span) {
        let node = node();
        let notes = &mut *self.0.borrow_mut();
        let outer = notes.blocks.last().copied().unwrap_or(0);
        let cause = if node.start == node.end {
            outer
        } else {
            let (reads, template) = (notes.collected(), notes.template);
            notes.cause(Cause {
                template,
                node: (node.start, node.end),
                reads,
                outer,
            })
        };
        notes.blocks.push(cause);
    }

    fn turn(&mut self, origin: &usize, element: &Value) -> usize {
        let notes = &mut *self.0.borrow_mut();
        let text = match element {
            Value::Str(text) => text.as_bytes().to_vec(),
            Value::Pair(pair) => pair.key.as_bytes().to_vec(),
            _ => return *origin,
        };
        let reads = notes
            .provenance
            .sets
            .get(*origin)
            .cloned()
            .unwrap_or_default();
        let elements: BTreeSet<usize> = reads
            .into_iter()
            .map(|read| notes.element(read, &text))
            .collect();
        let reads = notes.set(elements.into_iter().collect());
        if let Some(block) = notes.blocks.pop() {
            let around = notes.provenance.causes.get(block).cloned();
            let turn = notes.cause(Cause {
                reads,
                ..around.unwrap_or_default()
            });
            notes.blocks.push(turn);
        }
        reads
    }

    fn leave(&mut self) {
        self.0.borrow_mut().blocks.pop();
    }
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

    /// Each part of the output with the text of its node, the keys that it read, and behind a bar
    /// those of the blocks around it.
    fn parts(text: &str) -> Vec<String> {
        let tree = Arc::new(Tree::from_pairs([
            ("/env/a", "1"),
            ("/env/b", "2"),
            ("/hosts/i-1/ip", "10.0.0.1"),
            ("/hosts/i-2/ip", "10.0.0.2"),
        ]));
        let view = tree.view("", &["/".to_owned()]);
        let around = HostEnv::of_process(&std::env::temp_dir(), Options::default());
        let mut funcs = Funcs::new(view.clone(), around);
        let template = Template::parse("t", text.as_bytes(), FUNCTIONS).expect(text);
        let mut recorder = Recorder::default();
        let with = (&Value::Nil, Options::default());
        let out = recorder
            .execute(&template, &mut funcs, with, &view)
            .expect("an output");
        let found = recorder.into_provenance();
        let mut start = 0;
        let shown = found.parts.iter().map(|part| {
            let written = String::from_utf8_lossy(&out[start..part.end]).into_owned();
            start = part.end;
            let keys = |set: usize| {
                let reads = found.sets[set].iter().map(|read| &found.reads[*read]);
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
}
