//! The notes that a recorder takes while templates are executed: the reads of each node, the blocks
//! around it, and the origins that travel with variables and dot.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use super::{Cause, NOTHING, Part, Provenance, Read, Set, Source};
use crate::go::filepath::Pattern;
use crate::resource::funcs::Reading;
use crate::template::value::Str;
use crate::template::{Span, Template, Trace, Value};
use crate::tree::View;

/// Sets of no more reads are taken over; of larger ones it is noted that they are in another. A
/// list that grows in a loop has as many sets as elements, and each is a little larger than the one
/// before.
const FEW: usize = 4;

/// The keys of a conf.d file that an item is put into.
pub(super) const ITEM_KEYS: [&str; 4] = ["dest", "mode", "check_cmd", "reload_cmd"];

/// Where a value comes from.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    /// The set of the reads that are in it.
    pub reads: usize,
    /// The decisions by which it is this value and no other.
    decided: Rc<Decided>,
}

/// The places of conditions, and the sets of what they read.
type Decided = BTreeMap<Place, usize>;
/// The template, and the place in it in bytes.
type Place = (usize, (usize, usize));

/// A block that is executed.
#[derive(Clone)]
struct Block {
    cause: usize,
    /// The decisions by which it is executed. Of a range all turns together, which are many.
    decided: Decided,
    /// Of a range, the cause of the turn alone.
    turn: usize,
    /// The decisions by which the range has not ended.
    ending: Decided,
    /// The decisions by which the turn has not ended.
    skipping: Decided,
}

impl Block {
    fn new(cause: usize, decided: Decided) -> Block {
        Block {
            cause,
            decided,
            turn: cause,
            ending: Decided::new(),
            skipping: Decided::new(),
        }
    }
}

/// The notes so far.
pub(super) struct Notes {
    view: Option<View>,
    pub provenance: Provenance,
    /// The indices of reads, sets, causes and templates that are known.
    known_reads: HashMap<Read, usize>,
    known_sets: HashMap<Set, usize>,
    known_causes: HashMap<Cause, usize>,
    /// Which keys of a read an element stands for, by the element's text.
    elements: BTreeMap<usize, BTreeMap<Vec<u8>, BTreeSet<String>>>,
    /// The reads of the node that is executed.
    collected: Set,
    /// The decisions on the values that it used.
    decided: Decided,
    /// All reads of the file that is executed, whether something came of them or not.
    touched: BTreeSet<usize>,
    /// The blocks around it.
    blocks: Vec<Block>,
    /// The template that it is in, and its place there.
    template: usize,
    node: Span,
    /// The origin of the data of the template that begins next.
    data: Origin,
    /// The origin of the list of `for_each`, and the reads of the other keys by item.
    list: Origin,
    made: BTreeMap<Vec<u8>, BTreeMap<&'static str, Set>>,
    /// The places of these keys in the conf.d file.
    pub keys: BTreeMap<&'static str, Span>,
    /// That there is the item that is rendered.
    item: Option<Block>,
    written: usize,
    /// The parts of the file that the node has just included, and its size.
    included: Option<(Vec<Part>, usize)>,
}

impl Default for Notes {
    fn default() -> Notes {
        let provenance = Provenance {
            sets: vec![Set::default()],
            causes: vec![Cause::default()],
            ..Provenance::default()
        };
        Notes {
            view: None,
            provenance,
            known_reads: HashMap::new(),
            known_sets: HashMap::from([(Set::default(), 0)]),
            known_causes: HashMap::new(),
            elements: BTreeMap::new(),
            collected: Set::default(),
            decided: Decided::new(),
            touched: BTreeSet::new(),
            blocks: Vec::new(),
            template: 0,
            node: NOTHING,
            data: Origin::default(),
            list: Origin::default(),
            made: BTreeMap::new(),
            keys: BTreeMap::new(),
            item: None,
            written: 0,
            included: None,
        }
    }
}

impl Notes {
    /// Begins with a resource's template.
    pub(super) fn begin(&mut self, template: &Template, view: &View) {
        self.view = Some(view.clone());
        self.blocks = self.item.iter().cloned().collect();
        self.open(template);
    }

    /// Begins with the action of a key of a conf.d file. Its dot is an item of the list, if
    /// anything.
    pub(super) fn begin_key(&mut self, dot: &Value, view: &View) {
        self.view = Some(view.clone());
        self.blocks.clear();
        self.data = match dot {
            Value::Nil => Origin::default(),
            item => self.narrowed(&self.list.clone(), item),
        };
    }

    /// Keeps the origin of the action's value, which is no part of the output.
    pub(super) fn end_key(&mut self, key: &str, dot: &Value) {
        self.provenance.parts.clear();
        self.written = 0;
        let key = ITEM_KEYS.into_iter().find(|known| *known == key);
        match (key, element_text(dot)) {
            (None, _) => self.list = self.origin(),
            (Some(key), Some(item)) => {
                let made = self.made.entry(item).or_default().entry(key).or_default();
                made.reads.extend(&self.collected.reads);
                made.sets.extend(&self.collected.sets);
            }
            (Some(_), None) => {}
        }
    }

    /// Goes on with an item, and a title of so many bytes for its file. What else the item's mode
    /// and commands have read decides on the file, too.
    pub(super) fn begin_item(&mut self, item: &Value, title: usize) {
        let origin = self.narrowed(&self.list.clone(), item);
        let resource = self.provenance.resource.unwrap_or(0);
        let place_of = |notes: &Notes, key| notes.keys.get(key).copied().unwrap_or(NOTHING);
        let list = place_of(self, "for_each");
        let place = (resource, (list.start, list.end));
        let mut decided = Decided::clone(&origin.decided);
        self.decide(&mut decided, place, origin.reads);
        let cause = self.cause(Cause {
            template: resource,
            node: place.1,
            reads: origin.reads,
            outer: 0,
        });
        let own = self.provenance.reads_of(origin.reads);
        self.data = origin;
        let block = Block::new(cause, decided);
        self.item = Some(block.clone());
        self.blocks = vec![block];
        let item = element_text(item).unwrap_or_default();
        let mut made = self.made.get(&item).cloned().unwrap_or_default();
        self.collected = made.remove("dest").unwrap_or_default();
        self.template = resource;
        let mut others = Decided::new();
        for (key, set) in made {
            let (place, reads) = (place_of(self, key), self.set(set));
            if !self.provenance.reads_of(reads).is_subset(&own) {
                self.decide(&mut others, (resource, (place.start, place.end)), reads);
            }
        }
        self.decided = others;
        self.part(place_of(self, "dest"), title);
    }

    /// Notes bytes that no template has written.
    pub(super) fn skip(&mut self, size: usize) {
        self.collected = Set::default();
        self.decided.clear();
        self.part(NOTHING, size);
    }

    /// Goes on with the nodes of this template.
    pub(super) fn open(&mut self, template: &Template) {
        let (name, text) = (template.name().to_owned(), Arc::clone(template.text()));
        let templates = &mut self.provenance.templates;
        // Two may have one name: that of a resource is without its directory.
        let is_it = |source: &Source| source.name == name && source.text == text;
        let known = templates.iter().position(is_it);
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

    fn set(&mut self, set: Set) -> usize {
        if let Some(known) = self.known_sets.get(&set) {
            return *known;
        }
        self.provenance.sets.push(set.clone());
        let index = self.provenance.sets.len() - 1;
        self.known_sets.insert(set, index);
        index
    }

    fn collected(&mut self) -> usize {
        match self.known_sets.get(&self.collected) {
            Some(known) => *known,
            None => self.set(self.collected.clone()),
        }
    }

    fn use_all(&mut self, set: usize) {
        self.provenance.add(&mut self.collected, set);
    }

    /// The origin of what the node makes.
    fn origin(&mut self) -> Origin {
        Origin {
            reads: self.collected(),
            decided: Rc::new(self.decided.clone()),
        }
    }

    /// Adds a decision to others.
    fn decide(&mut self, decided: &mut Decided, place: Place, reads: usize) {
        let known = decided.get(&place).copied().unwrap_or(0);
        if reads != known && reads != 0 {
            let mut both = Set::default();
            self.provenance.add(&mut both, known);
            self.provenance.add(&mut both, reads);
            let both = self.set(both);
            decided.insert(place, both);
        }
    }

    fn decide_all(&mut self, decided: &mut Decided, more: &Decided) {
        for (place, reads) in more {
            self.decide(decided, *place, *reads);
        }
    }

    /// The cause of the innermost block.
    fn innermost(&self) -> usize {
        self.blocks.last().map_or(0, |block| block.cause)
    }

    /// The innermost block, and within it what else decided on the values that the node used.
    fn because(&mut self) -> usize {
        self.within(self.innermost(), &self.decided.clone())
    }

    /// The decisions that are not known around a block, and within it.
    fn within(&mut self, mut cause: usize, decided: &Decided) -> usize {
        for (place, reads) in decided {
            let is_it = |known: &Cause| (known.template, known.node) == *place;
            if !self.chain(cause).any(is_it) {
                let (template, node) = *place;
                cause = self.cause(Cause {
                    template,
                    node,
                    reads: *reads,
                    outer: cause,
                });
            }
        }
        cause
    }

    /// Begins a block because of the node.
    fn enter(&mut self, node: Span) {
        if node.start == node.end {
            let cause = self.innermost();
            return self.blocks.push(Block::new(cause, Decided::new()));
        }
        let (place, reads, outer) = (self.place(node), self.collected(), self.because());
        let mut decided = self.decided.clone();
        self.decide(&mut decided, place, reads);
        let (template, node) = place;
        let cause = self.cause(Cause {
            template,
            node,
            reads,
            outer,
        });
        self.blocks.push(Block::new(cause, decided));
    }

    /// Notes that the rest of a range depends on the node, or the rest of its turn.
    fn guard(&mut self, node: Span, within: usize, ends: bool) {
        let (place, reads) = (self.place(node), self.collected());
        let mut guard = self.decided.clone();
        self.decide(&mut guard, place, reads);
        let at = self.blocks.len().saturating_sub(within + 1);
        let mut blocks = self.blocks.split_off(at).into_iter();
        if let Some(mut range) = blocks.next() {
            let known = if ends {
                &mut range.ending
            } else {
                &mut range.skipping
            };
            self.decide_all(known, &guard);
            self.decide_all(&mut range.decided, &guard);
            range.cause = self.within(range.turn, &range.ending);
            range.cause = self.within(range.cause, &range.skipping);
            self.blocks.push(range);
        }
        for mut block in blocks {
            block.cause = self.within(block.cause, &guard);
            self.blocks.push(block);
        }
    }

    /// A cause and those around it.
    fn chain(&self, cause: usize) -> impl Iterator<Item = &Cause> {
        let causes = &self.provenance.causes;
        let at = |index: usize| causes.get(index).filter(|_| index > 0);
        std::iter::successors(at(cause), move |cause| at(cause.outer))
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
    pub(super) fn called(&mut self, function: &'static str, reading: Reading, argument: &Str) {
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
        let mut keys: Vec<String> = match reading {
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
        // That nothing was found is a reason, too.
        if keys.is_empty() {
            keys.push(format!("{prefix}{argument}"));
        }
        let read = self.read(Read {
            function,
            argument,
            keys,
        });
        self.elements.insert(read, elements);
        self.collected.reads.insert(read);
        self.touched.insert(read);
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
            function: whole.function,
            argument: whole.argument.clone(),
            keys: keys.iter().cloned().collect(),
        };
        self.read(part)
    }

    /// The origin of one element of a value.
    fn narrowed(&mut self, origin: &Origin, element: &Value) -> Origin {
        let Some(text) = element_text(element) else {
            return origin.clone();
        };
        let reads = self.provenance.reads_of(origin.reads).into_iter();
        let elements = Set {
            reads: reads.map(|read| self.element(read, &text)).collect(),
            sets: BTreeSet::new(),
        };
        Origin {
            reads: self.set(elements),
            decided: Rc::clone(&origin.decided),
        }
    }

    fn place(&self, node: Span) -> Place {
        (self.template, (node.start, node.end))
    }

    /// Goes on with an included file, because of the keys that the call has read. Returns what is
    /// put aside for its end.
    pub(super) fn begin_include(&mut self, template: &Template) -> Outer {
        let is_fixed = self.collected == Set::default() && self.decided.is_empty();
        let call = if is_fixed { NOTHING } else { self.node };
        self.enter(call);
        let outer = Outer {
            call: self.place(call),
            collected: self.collected.clone(),
            decided: self.decided.clone(),
            touched: std::mem::take(&mut self.touched),
            parts: std::mem::take(&mut self.provenance.parts),
            template: self.template,
            node: self.node,
            data: std::mem::take(&mut self.data),
            written: std::mem::take(&mut self.written),
        };
        self.data = self.origin();
        self.open(template);
        outer
    }

    /// Goes back to the file that includes: all that the included one has read is its origin, too.
    pub(super) fn end_include(&mut self, outer: Outer) {
        self.blocks.pop();
        let parts = std::mem::replace(&mut self.provenance.parts, outer.parts);
        let size = std::mem::replace(&mut self.written, outer.written);
        (self.template, self.node, self.data) = (outer.template, outer.node, outer.data);
        self.collected = outer.collected;
        let touched = std::mem::replace(&mut self.touched, outer.touched);
        if parts.is_empty() {
            self.collected.reads.extend(&touched);
        }
        self.touched.extend(touched);
        let sets: BTreeSet<usize> = parts.iter().map(|part| part.reads).collect();
        sets.into_iter().for_each(|set| self.use_all(set));
        let causes: BTreeSet<usize> = parts.iter().map(|part| part.cause).collect();
        let causes = causes.into_iter().flat_map(|cause| self.chain(cause));
        let causes: BTreeSet<Cause> = causes.cloned().collect();
        let mut decided = outer.decided;
        for cause in causes {
            let place = (cause.template, cause.node);
            // What the call has read is in what it returns.
            if place != outer.call {
                self.decide(&mut decided, place, cause.reads);
            }
        }
        self.decided = decided;
        self.included = Some((parts, size));
    }

    pub(super) fn part(&mut self, node: Span, size: usize) {
        let (reads, template) = (self.collected(), self.template);
        let cause = self.because();
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

/// The text by which an element of a list is known.
fn element_text(element: &Value) -> Option<Vec<u8>> {
    match element {
        Value::Str(text) => Some(text.as_bytes().to_vec()),
        Value::Pair(pair) => Some(pair.key.as_bytes().to_vec()),
        _ => None,
    }
}

impl Provenance {
    /// Adds what is in a set to another one.
    fn add(&self, to: &mut Set, number: usize) {
        match self.sets.get(number) {
            Some(set) if set.sets.is_empty() && set.reads.len() <= FEW => {
                to.reads.extend(&set.reads);
            }
            Some(_) => {
                to.sets.insert(number);
            }
            None => {}
        }
    }
}

/// The state of a file while another one that it includes is executed.
pub(super) struct Outer {
    /// The place of the call.
    call: Place,
    collected: Set,
    decided: Decided,
    touched: BTreeSet<usize>,
    parts: Vec<Part>,
    template: usize,
    node: Span,
    data: Origin,
    written: usize,
}

/// The notes, as the executor and the functions share them.
#[derive(Clone, Default)]
pub(super) struct Witness(pub Rc<RefCell<Notes>>);

impl Trace for Witness {
    type Origin = Origin;

    fn data(&mut self) -> Origin {
        self.0.borrow().data.clone()
    }

    fn begin(&mut self, node: impl FnOnce() -> Span) {
        let notes = &mut *self.0.borrow_mut();
        notes.node = node();
        notes.collected = Set::default();
        notes.decided.clear();
        notes.included = None;
    }

    fn uses(&mut self, origin: &Origin) {
        let notes = &mut *self.0.borrow_mut();
        notes.use_all(origin.reads);
        let mut decided = std::mem::take(&mut notes.decided);
        notes.decide_all(&mut decided, &origin.decided);
        notes.decided = decided;
    }

    fn origin(&mut self) -> Origin {
        self.0.borrow_mut().origin()
    }

    fn assigned(&mut self) -> Origin {
        let notes = &mut *self.0.borrow_mut();
        let mut decided = notes.decided.clone();
        for block in std::mem::take(&mut notes.blocks) {
            notes.decide_all(&mut decided, &block.decided);
            notes.blocks.push(block);
        }
        Origin {
            reads: notes.collected(),
            decided: Rc::new(decided),
        }
    }

    fn decided(&mut self, origin: &Origin, node: Span) -> Origin {
        let notes = &mut *self.0.borrow_mut();
        let mut decided = Decided::clone(&origin.decided);
        let (place, reads) = (notes.place(node), notes.collected());
        notes.decide(&mut decided, place, reads);
        let more = notes.decided.clone();
        notes.decide_all(&mut decided, &more);
        Origin {
            reads: origin.reads,
            decided: Rc::new(decided),
        }
    }

    fn wrote(&mut self, node: impl FnOnce() -> Span, size: usize) {
        self.0.borrow_mut().part(node(), size);
    }

    fn enter(&mut self, node: impl FnOnce() -> Span) {
        self.0.borrow_mut().enter(node());
    }

    fn turn(&mut self, origin: &Origin, element: &Value) -> Origin {
        let notes = &mut *self.0.borrow_mut();
        let origin = notes.narrowed(origin, element);
        if let Some(mut block) = notes.blocks.pop() {
            let around = notes.provenance.causes.get(block.turn).cloned();
            block.turn = notes.cause(Cause {
                reads: origin.reads,
                ..around.unwrap_or_default()
            });
            block.skipping.clear();
            block.cause = notes.within(block.turn, &block.ending);
            notes.blocks.push(block);
        }
        origin
    }

    fn guards(&mut self, node: Span, within: usize, ends: bool) {
        self.0.borrow_mut().guard(node, within, ends);
    }

    fn leave(&mut self) {
        self.0.borrow_mut().blocks.pop();
    }
}
