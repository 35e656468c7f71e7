//! Which parts of which files come from a key of the metadata.

use std::sync::Arc;

use app_agent::resource::Templates;
use app_agent::resource::provenance::Provenance;
use serde_json::{Value as Json, json};

use crate::selection::{Life, Place, lock};
use crate::view;

/// The origins in all files at one place.
pub(crate) struct Traces(Vec<Trace>);

struct Trace {
    file: String,
    content: Vec<u8>,
    provenance: Provenance,
}

/// The files that use a key, or one below it: the lines, and whether the key itself is in them or
/// only decides about them.
pub(crate) fn find(life: &Life, request: &Json) -> Json {
    let key = request["key"].as_str().unwrap_or_default();
    let traces = traces(life, life.place(request));
    let files = traces.0.iter().filter_map(|trace| {
        let lines = trace.lines(key);
        let direct: Vec<usize> = lines
            .iter()
            .filter(|line| line.1)
            .map(|line| line.0)
            .collect();
        let decided: Vec<usize> = lines
            .iter()
            .filter(|line| !line.1)
            .map(|line| line.0)
            .collect();
        let found = json!({"file": trace.file, "lines": direct, "decided": decided});
        (!lines.is_empty()).then_some(found)
    });
    json!({"key": key, "files": files.collect::<Vec<_>>()})
}

fn traces(life: &Life, place: Place) -> Arc<Traces> {
    let mut known = lock(&life.traces);
    if let Some((known, traces)) = &*known
        && *known == place
    {
        return Arc::clone(traces);
    }
    let traces = Arc::new(Traces(trace_all(life, place)));
    *known = Some((place, Arc::clone(&traces)));
    traces
}

fn trace_all(life: &Life, place: Place) -> Vec<Trace> {
    let tree = life.tree_at(place);
    let mut templates = Templates::default();
    let (resources, _) = view::resources(life);
    let traces = resources.into_iter().filter_map(|(file, resource)| {
        // One that fails has no output.
        let rendered = resource.render_traced(&mut templates, &tree, &life.state.config);
        let (content, provenance) = rendered.ok()?;
        Some(Trace {
            file,
            content,
            provenance,
        })
    });
    traces.collect()
}

impl Trace {
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
