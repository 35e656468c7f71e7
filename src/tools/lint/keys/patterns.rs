//! Keys that are not known in full: patterns, and strings with computed parts.

use super::{
    Mistake, Question, Reading, did_you_mean, escape, is_known, is_near_miss, is_special, without,
};
use crate::go::filepath::Pattern;
use crate::go::path;
use crate::tools::lint::code::Code;
use crate::tools::lint::shape::Shape;
use crate::tree::{MissingKey, View};

impl Question<'_> {
    /// A key with holes.
    pub(super) fn pattern(&self, shape: &Shape) -> Option<Mistake> {
        let head = shape.head();
        if head.is_empty() {
            return None;
        }
        if !head.starts_with('/') {
            return self.form(head, head);
        }
        let dir = &head[..=head.rfind('/').unwrap_or(0)];
        if let Some(rest) = without(&path::clean(dir), &self.facts.prefix) {
            return Some(self.doubled(&path::clean(dir), &rest));
        }
        self.below(head).or_else(|| self.misspelt(shape))
    }

    /// A key with holes that is like no key, but nearly like one.
    fn misspelt(&self, shape: &Shape) -> Option<Mistake> {
        let view = self.facts.view.as_ref()?;
        if !matches!(self.reading, Reading::Value | Reading::Question) {
            return None;
        }
        let pattern = shape.filled("*", escape);
        if !view
            .matching(&Pattern::parse(&pattern).ok()?)
            .items
            .is_empty()
        {
            return None;
        }
        let text = shape.filled("…", str::to_owned);
        let (_, last) = text
            .rsplit_once('/')
            .filter(|(_, last)| !last.contains('…'))?;
        let (dir, _) = pattern.rsplit_once('/')?;
        let beside = Pattern::parse(&format!("{dir}/*")).ok()?;
        let (neighbour, _) = view.matching(&beside).items.into_iter().next()?;
        let instance = format!("{}/{last}", path::key_dir(&neighbour));
        match view.missing_key(&instance)? {
            MissingKey::Misspelt { meant, .. } if self.is_meant(&instance, &meant) => {
                self.absent(&text, Some(did_you_mean(&meant)))
            }
            _ => None,
        }
    }

    /// A pattern that matches nothing, if it can be seen why.
    pub(super) fn unmatched(&self, key: &str, view: &View) -> Option<Mistake> {
        let matches = |pattern: &str| {
            let pattern = Pattern::parse(pattern).ok()?;
            let found = view.matching(&pattern).items.into_iter().next();
            found.map(|(key, _)| key.to_string())
        };
        let trimmed = key.trim_end_matches('/');
        if let Some(below) = matches(&format!("{trimmed}/*")) {
            let message = format!("\"{key}\" matches nothing: what it matches has keys below it");
            let help = format!(
                "go on to the keys: \"{key}/{}\" or \"{key}/*\"",
                path::base(&below)
            );
            return Some((Code::W407, message, help));
        }
        let message = format!("\"{key}\" matches nothing");
        if key.contains("**") {
            let help = "* stops at a /: write one * for each level, such as \"/hosts/*/*/ip\"";
            return Some((Code::W408, message, help.to_owned()));
        }
        // A level more or less: there are roles between /hosts and the instances, or none.
        let stars = || key.match_indices("/*").map(|(at, _)| key.split_at(at));
        let deeper = stars().map(|(head, tail)| format!("{head}/*{tail}"));
        if let Some(deeper) = deeper.into_iter().find(|deeper| matches(deeper).is_some()) {
            let help = format!("there is a level between: write \"{deeper}\"");
            return self.unless_read(&deeper, (Code::W408, message, help));
        }
        let shallower = stars().filter_map(|(head, tail)| {
            let rest = &tail["/*".len()..];
            (rest.is_empty() || rest.starts_with('/')).then(|| format!("{head}{rest}"))
        });
        if let Some(less) = shallower.into_iter().find(|less| matches(less).is_some()) {
            let help = format!("that is one level too many: write \"{less}\"");
            return self.unless_read(&less, (Code::W408, message, help));
        }
        let meant = self.respelt(key, view)?;
        Some((Code::W408, message, format!("did you mean \"{meant}\"?")))
    }

    /// A mistake, unless the template reads what it suggests, or a part of that, too: it is for
    /// both kinds of cluster.
    fn unless_read(&self, suggested: &str, mistake: Mistake) -> Option<Mistake> {
        let is_part = |read: &String| {
            let (read, suggested) = (read.split('/'), suggested.split('/'));
            read.clone().count() == suggested.clone().count()
                && read
                    .zip(suggested)
                    .all(|(one, all)| one == all || all == "*")
        };
        (!self.asked.read.iter().any(is_part)).then_some(mistake)
    }

    /// The pattern with one literal segment spelt as the metadata has it.
    fn respelt(&self, key: &str, view: &View) -> Option<String> {
        let segments: Vec<&str> = key.split('/').collect();
        for (index, segment) in segments.iter().enumerate().skip(1) {
            if segment.contains(is_special) || is_known(segment) {
                continue;
            }
            let wild: Vec<&str> = (0..segments.len())
                .map(|other| if other == index { "*" } else { segments[other] })
                .collect();
            let pattern = Pattern::parse(&wild.join("/")).ok()?;
            for (found, _) in view.matching(&pattern).items {
                let found = found.to_string();
                let name = found.split('/').nth(index)?;
                if is_near_miss(segment, name) {
                    let mut meant = segments.clone();
                    meant[index] = name;
                    return Some(meant.join("/"));
                }
            }
        }
        // Nothing is as deep as the pattern, but its first directories may have other names.
        let head = key.split(is_special).next()?;
        let dir = path::clean(head);
        let meant = view.nearest_dir(&dir)?;
        let is_meant = head.ends_with('/') && !is_known(&dir) && is_near_miss(&dir, &meant);
        is_meant.then(|| format!("{meant}/{}", &key[head.len()..]))
    }
}
