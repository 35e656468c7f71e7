//! Which parts of which files come from a key of the metadata.
//!
//! Many large files take longer than anybody wants to wait: a question is answered with what is
//! known after a moment, and the page asks again for the others.

use std::collections::VecDeque;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use app_agent::config::Config;
use app_agent::resource::provenance::Provenance;
use app_agent::resource::{Resource, Templates};
use app_agent::tree::Tree;
use serde_json::{Value as Json, json};

use crate::selection::{Life, lock};
use crate::view;

/// How long files are rendered for one answer.
const MOMENT: Duration = Duration::from_millis(150);

/// The origins in all files at one place.
pub(crate) struct Traces {
    known: Vec<Trace>,
    /// The files that are not rendered yet.
    left: VecDeque<(String, Resource)>,
}

struct Trace {
    file: String,
    content: Vec<u8>,
    provenance: Provenance,
}

/// The files that use a key, or one below it: the lines, and whether the key itself is in them or
/// only decides about them. The first files, as many as `after` says, were in answers before; more
/// are to be asked for while some are left.
pub(crate) fn find(life: &Life, request: &Json) -> Json {
    let key = request["key"].as_str().unwrap_or_default();
    let after = request["after"].as_u64().unwrap_or(0);
    let after = usize::try_from(after).unwrap_or(usize::MAX);
    let place = life.place(request);
    let mut known = lock(&life.traces);
    let traces = match &mut *known {
        Some((of, traces)) if *of == place => traces,
        other => &mut other.insert((place, Traces::new(life))).1,
    };
    if traces.known.len() <= after {
        traces.go_on(&life.tree_at(place), &life.state.config);
    }
    let files = traces.known.iter().skip(after);
    let files = files.filter_map(|trace| trace.show(key));
    json!({
        "key": key,
        "files": files.collect::<Vec<_>>(),
        "next": traces.known.len(),
        "left": traces.left.len(),
    })
}

impl Traces {
    fn new(life: &Life) -> Traces {
        let (resources, _) = view::resources(life);
        Traces {
            known: Vec::new(),
            left: resources.into(),
        }
    }

    /// Renders files for a moment, as many at the same time as the machine can.
    fn go_on(&mut self, tree: &Arc<Tree>, config: &Config) {
        let begun = Instant::now();
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        while !self.left.is_empty() && begun.elapsed() < MOMENT {
            let next = self.left.drain(..threads.min(self.left.len()));
            let known = &mut self.known;
            thread::scope(|scope| {
                let begin = |(file, resource)| scope.spawn(|| trace(file, resource, tree, config));
                let running: Vec<_> = next.map(begin).collect();
                let done = running.into_iter().map(|thread| thread.join());
                known.extend(done.filter_map(|traced| traced.ok().flatten()));
            });
        }
    }
}

/// None for a file that fails: it has no output.
fn trace(file: String, resource: Resource, tree: &Arc<Tree>, config: &Config) -> Option<Trace> {
    let rendered = resource.render_traced(&mut Templates::default(), tree, config);
    let (content, provenance) = rendered.ok()?;
    Some(Trace {
        file,
        content,
        provenance,
    })
}

impl Trace {
    /// The lines that come from the key, and those that depend on it; none where there are none.
    fn show(&self, key: &str) -> Option<Json> {
        let lines = self.lines(key);
        let of = |wanted: bool| {
            let lines = lines.iter().filter(move |(_, direct)| *direct == wanted);
            lines.map(|(line, _)| *line).collect::<Vec<_>>()
        };
        let found = json!({"file": self.file, "lines": of(true), "decided": of(false)});
        (!lines.is_empty()).then_some(found)
    }

    /// The lines, from 0, with parts that come from the key (true) or depend on it (false).
    fn lines(&self, key: &str) -> Vec<(usize, bool)> {
        let provenance = &self.provenance;
        let below = format!("{}/", key.trim_end_matches('/'));
        let is_meant = |known: &String| known == key || known.starts_with(&below);
        let reads = provenance
            .reads
            .iter()
            .map(|read| read.keys.iter().any(is_meant));
        let reads: Vec<bool> = reads.collect();
        let mut sets: Vec<bool> = Vec::with_capacity(provenance.sets.len());
        for set in &provenance.sets {
            let is_in = |list: &[bool], index: &usize| list.get(*index) == Some(&true);
            let has_read = set.reads.iter().any(|read| is_in(&reads, read));
            sets.push(has_read || set.sets.iter().any(|set| is_in(&sets, set)));
        }
        let has = |set: usize| sets.get(set) == Some(&true);
        let depends = |mut cause: usize| {
            while let Some(found) = provenance.causes.get(cause).filter(|_| cause > 0) {
                if has(found.reads) {
                    return true;
                }
                cause = found.outer;
            }
            false
        };
        let (mut lines, mut line, mut start) = (Vec::new(), 0, 0);
        for part in &provenance.parts {
            let text = self.content.get(start..part.end).unwrap_or_default();
            let newlines = text.iter().filter(|byte| **byte == b'\n').count();
            let last = line + newlines - usize::from(text.ends_with(b"\n"));
            let direct = has(part.reads);
            if direct || depends(part.cause) {
                lines.extend((line..=last).map(|line| (line, direct)));
            }
            (line, start) = (line + newlines, part.end);
        }
        // Of a line with both, what comes from the key counts.
        lines.sort_by_key(|(line, direct)| (*line, !direct));
        lines.dedup_by_key(|(line, _)| *line);
        lines
    }
}
