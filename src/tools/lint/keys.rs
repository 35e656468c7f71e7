//! The keys that a template reads, compared with those that its resource can see.

mod patterns;

use super::Context;
use super::code::Code;
use super::facts::ResourceFacts;
use super::shape::{Shape, Variables};
use super::source::Source;
use crate::go::filepath::Pattern;
use crate::go::path;
use crate::nearest::Word;
use crate::resource::funcs;
use crate::template::outline::{Call, Expr, Outline, Usage, When};
use crate::tools::finding::Finding;
use crate::tree::{MissingKey, View};

/// Directories of every node's metadata, or of some nodes' at some times.
const DIRECTORIES: &[&str] = &[
    "/adding-hosts",
    "/cluster",
    "/cmd",
    "/deleting-hosts",
    "/env",
    "/host",
    "/hosts",
    "/links",
];

/// Names that the platform writes at times: one that is absent is not misspelt.
const NAMES: &[&str] = &[
    "adding-hosts",
    "app_id",
    "cluster",
    "cluster_id",
    "cmd",
    "cpu",
    "deleting-hosts",
    "eip",
    "endpoints",
    "env",
    "gid",
    "gsid",
    "host",
    "hosts",
    "id",
    "instance_id",
    "ip",
    "links",
    "mac",
    "memory",
    "node_id",
    "role",
    "sid",
    "timeout",
    "user_id",
    "vertical-scaling-roles",
    "volume_size",
    "vxnet",
    "zone",
];

/// The slash of Chinese input methods.
const WIDE_SLASH: char = '／';

/// The use of a key by a function.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// Fails when it is not there.
    Value,
    /// Goes on when it is not there.
    Question,
    Pattern,
    Listing,
}

impl Reading {
    fn of(call: &Call) -> Option<Reading> {
        let doc = funcs::doc(call.function)?;
        Some(match doc.reads? {
            // One that returns a truth asks; one with a default goes on.
            funcs::Reading::Key if doc.result == funcs::Kind::Bool => Reading::Question,
            funcs::Reading::Key if call.args.len() > 1 => Reading::Question,
            funcs::Reading::Key => Reading::Value,
            funcs::Reading::Pattern => Reading::Pattern,
            funcs::Reading::Listing => Reading::Listing,
            funcs::Reading::System => return None,
        })
    }
}

/// Returns true if a function reads metadata.
pub(super) fn reads(call: &Call) -> bool {
    Reading::of(call).is_some()
}

/// The keys of one template, all together.
#[derive(Debug, Default)]
pub(super) struct TemplateKeys {
    /// The literal keys and patterns that it reads in any way.
    read: Vec<String>,
    /// The paths whose presence it tests, with `…` for what is computed.
    tested: Vec<String>,
}

impl TemplateKeys {
    /// Collects the keys of a template.
    pub(super) fn of(outline: &Outline, variables: &Variables<'_>) -> TemplateKeys {
        let mut asked = TemplateKeys::default();
        for statement in &outline.statements {
            asked.add(&statement.expr, statement.usage == Usage::Tested, variables);
        }
        asked
    }

    fn add(&mut self, expr: &Expr, tested: bool, variables: &Variables<'_>) {
        match variables.resolve(expr) {
            Expr::Call(call) => {
                if let (Some(reading), Some(key)) = (Reading::of(call), call.args.first()) {
                    let path = Shape::of(key, variables).filled("…", str::to_owned);
                    if tested || reading == Reading::Question {
                        self.tested.push(path.clone());
                    }
                    self.read.push(path);
                }
                for arg in &call.args {
                    self.add(arg, tested, variables);
                }
            }
            Expr::Member { of, args, .. } => {
                self.add(of, tested, variables);
                args.iter().for_each(|arg| self.add(arg, tested, variables));
            }
            _ => {}
        }
    }

    /// Returns true if the template tests whether this key, something above or below it is present.
    fn tests(&self, key: &str) -> bool {
        self.tested.iter().any(|tested| {
            let tested = tested.split(['*', '…']).next().unwrap_or(tested);
            let tested = tested.trim_end_matches('/');
            // A test of the root or of a whole top directory proves nothing about a key.
            tested.matches('/').count() > 1 && leads(tested, key)
                || tested == key
                || (tested.starts_with("/links") && key.starts_with("/links"))
        })
    }
}

/// Returns true if `meant` is one slip away from `key`: one letter, in one segment. Names that
/// differ in a digit are often neighbours.
fn is_near_miss(key: &str, meant: &str) -> bool {
    let (key, meant): (Vec<&str>, Vec<&str>) =
        (key.split('/').collect(), meant.split('/').collect());
    let mut differing = key.iter().zip(&meant).filter(|(one, other)| one != other);
    let (Some((one, other)), None) = (differing.next(), differing.next()) else {
        return false;
    };
    let letters = |name: &str| name.replace(|found: char| found.is_ascii_digit(), "");
    key.len() == meant.len()
        && Word::new(one).edits(other) == Some(1)
        && letters(one) != letters(other)
}

/// Checks the key of one call for one resource.
pub(super) fn check(
    call: &Call,
    when: When,
    variables: &Variables<'_>,
    asked: &TemplateKeys,
    facts: &ResourceFacts,
    context: &Context,
    source: &Source,
) -> Option<Finding> {
    let reading = Reading::of(call)?;
    let key = call.args.first()?;
    let shape = Shape::of(key, variables);
    let question = Question {
        function: call.function.name,
        reading,
        when,
        asked,
        facts,
        platform: matches!(context.config.prefix.as_deref(), None | Some("/self")),
    };
    let mistake = match shape.literal() {
        Some(key) => question.literal(key),
        None => question.pattern(&shape),
    };
    let (code, message, help) = mistake?;
    let at = Shape::origin(key, variables);
    Some(source.finding(at, code, message, help))
}

type Mistake = (Code, String, String);

/// A function with a key.
struct Question<'f> {
    function: &'static str,
    reading: Reading,
    when: When,
    asked: &'f TemplateKeys,
    facts: &'f ResourceFacts,
    /// The tree is that of the platform.
    platform: bool,
}

impl Question<'_> {
    fn literal(&self, key: &str) -> Option<Mistake> {
        let clean = path::clean(&format!("/{key}"));
        let view = self.facts.view.as_ref();
        if view.is_some_and(|view| self.finds(view, key)) {
            return None;
        }
        if let Some(mistake) = self.form(key, &clean) {
            return Some(mistake);
        }
        if let Some(rest) = without(&clean, &self.facts.prefix) {
            return Some(self.doubled(key, &rest));
        }
        match self.reading {
            Reading::Value | Reading::Question => self.exact(&clean),
            Reading::Pattern => {
                let head = key.split(is_special).next().unwrap_or(key);
                self.below(head).or_else(|| self.unmatched(key, view?))
            }
            Reading::Listing => {
                let unlisted = view.and_then(|view| self.unlisted(key, &clean, view));
                unlisted.or_else(|| self.below(&format!("{clean}/")))
            }
        }
    }

    fn finds(&self, view: &View, key: &str) -> bool {
        match self.reading {
            Reading::Value | Reading::Question => view.get(key).is_some(),
            Reading::Pattern => Pattern::parse(key)
                // A pattern that cannot be read is another mistake.
                .map_or(true, |pattern| !view.matching(&pattern).items.is_empty()),
            Reading::Listing => view.has_below(&path::clean(key)) && key.starts_with('/'),
        }
    }

    /// A key that no metadata has, however it is made.
    fn form(&self, key: &str, clean: &str) -> Option<Mistake> {
        let listing = self.reading == Reading::Listing;
        if key.contains("{{") {
            let message = format!("the key \"{key}\" has an action in it");
            let help = "actions do not nest: (printf \"/hosts/%s/ip\" $x)";
            return Some((Code::E406, message, help.to_owned()));
        }
        let problem = if key.contains(WIDE_SLASH) {
            "has a full-width / in it"
        } else if key.trim() != key && !key.starts_with('/') {
            "has a space at an end"
        } else if !key.starts_with('/') {
            "does not begin with /"
        } else if key.contains("//") {
            "has // in it"
        } else if key.len() > 1 && key.ends_with('/') && !listing {
            "ends with /"
        } else {
            return None;
        };
        let message = format!("the key \"{key}\" {problem}");
        let plain = key.trim().replace(WIDE_SLASH, "/");
        let help = if plain != key && plain.starts_with('/') {
            format!("write \"{plain}\"")
        } else if clean.starts_with('/') {
            format!("write \"{clean}\"")
        } else {
            format!("write \"/{clean}…\"")
        };
        Some((Code::E406, message, help))
    }

    fn doubled(&self, key: &str, rest: &str) -> Mistake {
        let prefix = &self.facts.prefix;
        let message = format!("{key} repeats the prefix {prefix}");
        let help = format!("keys begin below the prefix: write \"{rest}\"");
        (Code::E402, message, help)
    }

    fn uncovered(&self, key: &str) -> Mistake {
        let ResourceFacts { shown, keys, .. } = self.facts;
        let message = format!("keys of {shown} do not cover {key}");
        let top = key.get(1..).and_then(|rest| rest.split('/').next());
        let top = format!("/{}", top.unwrap_or_default());
        let mut wanted: Vec<&str> = keys.iter().map(String::as_str).collect();
        wanted.push(&top);
        let help = format!("write keys = {wanted:?}");
        (Code::E401, message, help)
    }

    /// The part below the last slash of a string must be covered at least in part.
    fn below(&self, head: &str) -> Option<Mistake> {
        let dir = path::clean(&head[..=head.rfind('/')?]);
        let near = |key: &String| leads(&path::clean(&format!("/{key}")), &dir);
        let ResourceFacts { keys, .. } = self.facts;
        (!keys.is_empty() && !keys.iter().any(near)).then(|| self.uncovered(&dir))
    }

    /// A value's key.
    fn exact(&self, key: &str) -> Option<Mistake> {
        let covered = covers(&self.facts.keys, key);
        let missing = match &self.facts.view {
            Some(view) => view.missing_key(key)?,
            None if !covered => MissingKey::Hidden,
            None if self.platform && DIRECTORIES.contains(&key) => {
                MissingKey::Directory(Vec::new(), true)
            }
            None => return None,
        };
        let help = match missing {
            MissingKey::Directory(..) => return Some(self.directory(key)),
            MissingKey::Hidden => return Some(self.uncovered(key)),
            // A key that may be absent is not one that ends in the same way, except without a
            // prefix.
            MissingKey::Elsewhere(meant) if self.is_sure() || meant.len() < key.len() => {
                Some(did_you_mean(&meant))
            }
            MissingKey::Outside(meant) if self.is_sure() => {
                let prefix = &self.facts.prefix;
                Some(format!("it stands at {meant}, outside of prefix {prefix}"))
            }
            MissingKey::Misspelt { meant, .. } if self.is_meant(key, &meant) => {
                Some(did_you_mean(&meant))
            }
            _ if !covered => return Some(self.uncovered(key)),
            _ => None,
        };
        self.absent(key, help)
    }

    fn directory(&self, key: &str) -> Mistake {
        let message = match self.function {
            "exists" => format!("{key} is a directory: exists is always false"),
            function => format!("{key} is a directory: {function} never finds it"),
        };
        let help = match self.function {
            "exists" => format!("test whether it has names: {{{{if ls \"{key}\"}}}}"),
            _ => format!("read a value in it, or list its names: ls \"{key}\""),
        };
        (Code::E403, message, help)
    }

    /// Returns true if the rendering fails without the key.
    fn is_sure(&self) -> bool {
        self.reading == Reading::Value && self.when == When::Always
    }

    /// Returns true if `meant` is worth a finding. A key that may be absent is reported for a near
    /// miss only, and not when the template reads the other key, too.
    fn is_meant(&self, key: &str, meant: &str) -> bool {
        self.is_sure()
            || (!is_known(key)
                && is_near_miss(key, meant)
                && !self.asked.read.iter().any(|read| read == meant))
    }

    fn absent(&self, key: &str, help: Option<String>) -> Option<Mistake> {
        let fails = self.reading == Reading::Value && self.when != When::Sometimes;
        let message = format!("the metadata has no {key}");
        match help {
            Some(help) => {
                let code = if fails { Code::E404 } else { Code::W405 };
                Some((code, message, help))
            }
            None if self.is_sure() => {
                let help = "test it: {{if exists \"…\"}}, or give a default: getv \"…\" \"\"";
                Some((Code::E404, message, help.to_owned()))
            }
            None => None,
        }
    }

    fn unlisted(&self, key: &str, clean: &str, view: &View) -> Option<Mistake> {
        let message = format!("the metadata has nothing below {key}");
        let near = view.nearest_dir(clean);
        if let Some(meant) = near.filter(|meant| !is_known(clean) && is_near_miss(clean, meant)) {
            return Some((Code::W405, message, did_you_mean(&meant)));
        }
        let names = view.list(key).items;
        (self.function == "ls" && !names.is_empty() && !self.asked.tests(clean)).then(|| {
            let help =
                format!("ls returns {names:?} then, names from above it: test it with lsdir");
            (Code::W405, message, help)
        })
    }
}

/// The rest of a clean path below a prefix; `None` if it is not below it.
pub(super) fn without(path: &str, prefix: &str) -> Option<String> {
    let prefix = prefix.trim_end_matches('/');
    let rest = path.strip_prefix(prefix).filter(|_| !prefix.is_empty())?;
    match rest {
        "" => Some("/".to_owned()),
        rest => rest.starts_with('/').then(|| rest.to_owned()),
    }
}

/// Returns true if keys cover a clean path or something below it.
fn covers(keys: &[String], path: &str) -> bool {
    let covers = |key: &String| leads(&path::clean(&format!("/{key}")), path);
    keys.is_empty() || keys.iter().any(covers)
}

/// Returns true if one of two clean paths is the other or above it.
fn leads(one: &str, other: &str) -> bool {
    let below = |path: &str, dir: &str| {
        let rest = path.strip_prefix(dir.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    below(one, other) || below(other, one)
}

/// Returns true if the platform writes keys of this name.
pub(super) fn is_known(key: &str) -> bool {
    NAMES.contains(&path::base(key))
}

fn did_you_mean(key: &str) -> String {
    format!("did you mean {key}?")
}

/// Returns true if a character is special in patterns.
fn is_special(found: char) -> bool {
    "*?[\\".contains(found)
}

/// Text as a pattern that matches nothing else.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for found in text.chars() {
        if is_special(found) {
            escaped.push('\\');
        }
        escaped.push(found);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_cover_what_lies_on_the_way_to_them_and_below() {
        let keys = ["/hosts/zk".to_owned(), "host/".to_owned()];
        for (path, want) in [
            ("/hosts/zk/i-1/ip", true),
            ("/hosts/zk", true),
            ("/hosts", true),
            ("/", true),
            ("/host/ip", true),
            ("/hosts/kafka", false),
            ("/hostss", false),
            ("/cluster", false),
        ] {
            assert_eq!(covers(&keys, path), want, "{path}");
        }
        assert!(covers(&["/".to_owned()], "/x"));
    }

    #[test]
    fn a_prefix_comes_off_whole_segments() {
        for (path, prefix, want) in [
            ("/self/host", "/self", Some("/host")),
            ("/self", "/self", Some("/")),
            ("/selfish", "/self", None),
            ("/host", "/self", None),
            ("/host", "", None),
            ("/host", "/", None),
        ] {
            assert_eq!(without(path, prefix).as_deref(), want, "{path} {prefix}");
        }
    }
}
