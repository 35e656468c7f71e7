//! Why a resource finds no value at a key, and which key was probably meant.
//!
//! Asked only once a look-up has failed, and bounded all the same: a daemon may fail again and
//! again. No value is looked at, only keys.

use super::leaves::Leaves;
use super::view::{View, Visibility};
use super::{DirId, LeafId, leaf_order};
use crate::go::path;
use crate::nearest::Word;

/// At most this many names of one directory are compared with a wrong one.
const MOST_NAMES: usize = 1000;
/// At most this many ways to spell a path are followed at once.
const MOST_WAYS: usize = 8;
/// At most this many segments of a path are compared.
const MOST_SEGMENTS: usize = 16;
/// At most this many names of a directory are shown.
const SHOWN_NAMES: usize = 4;

/// Why a key has no value.
#[derive(Debug, PartialEq, Eq)]
pub enum MissingKey {
    /// It has keys below it; the names of the first of them, and whether there are more.
    Directory(Vec<String>, bool),
    /// The metadata has it (or keys below it), but the resource's keys do not cover it.
    Hidden,
    /// The same path stands elsewhere: at this key.
    Elsewhere(String),
    /// The same path stands outside of the resource's prefix: at this key of the whole tree.
    Outside(String),
    /// There is no such key, but one with nearly that name.
    Misspelt {
        /// The key that was probably meant.
        meant: String,
        /// True if the resource's `keys` cover that one.
        covered: bool,
    },
    /// Nothing like it is there.
    Unknown,
}

impl View {
    /// Why [`View::get`] finds nothing at `key`; none when it does.
    pub fn missing_key(&self, key: &str) -> Option<MissingKey> {
        if self.get(key).is_some() {
            return None;
        }
        Some(if self.has_below(key) {
            self.directory(key)
        } else if self.hides(key) {
            MissingKey::Hidden
        } else {
            let elsewhere = self.elsewhere(key).or_else(|| self.misspelt(key));
            elsewhere.unwrap_or(MissingKey::Unknown)
        })
    }

    /// The path of a directory that was probably meant by one that is not there, covered by the
    /// keys or not.
    pub fn nearest_dir(&self, path: &str) -> Option<String> {
        let whole = self.whole();
        let found = whole.nearest(path, &|way| whole.has_below(way));
        found.filter(|found| found != path)
    }

    fn misspelt(&self, key: &str) -> Option<MissingKey> {
        let whole = self.whole();
        let meant = whole.nearest(key, &|way| whole.get(way).is_some())?;
        Some(MissingKey::Misspelt {
            covered: self.get(&meant).is_some(),
            meant,
        })
    }

    /// The path spelt most nearly like this one of those that count.
    fn nearest(&self, key: &str, counts: &dyn Fn(&str) -> bool) -> Option<String> {
        let segments = || key.split('/').filter(|segment| !segment.is_empty());
        if segments().count() > MOST_SEGMENTS {
            return None;
        }
        let mut ways = vec![(0, String::new())];
        for segment in segments() {
            let word = Word::new(segment);
            let mut further = Vec::new();
            for (edits, dir) in &ways {
                for name in self.names(dir).take(MOST_NAMES) {
                    let more = spelling(segment, &word, name);
                    further.extend(more.map(|more| (edits + more, format!("{dir}/{name}"))));
                }
            }
            // Stable: of equally near ones the first in the order of keys stays.
            further.sort_by_key(|(edits, _)| *edits);
            further.truncate(MOST_WAYS);
            ways = further;
        }
        let mut ways = ways.into_iter().map(|(_, way)| way);
        ways.find(|way| counts(way))
    }

    /// The key written as metadata keys are, behind other segments, or without its first ones.
    fn elsewhere(&self, key: &str) -> Option<MissingKey> {
        let clean = path::clean(&format!("/{key}"));
        if clean != key && self.get(&clean).is_some() {
            return Some(MissingKey::Elsewhere(clean));
        }
        if let Some(found) = self.behind_others(key, &clean) {
            return Some(found);
        }
        // What a link leads to has keys of the same names, and they are other keys.
        if clean.starts_with("/links/") {
            return None;
        }
        let slashes = clean.match_indices('/').enumerate().skip(1);
        for (dropped, (slash, _)) in slashes.take(MOST_SEGMENTS) {
            let tail = &clean[slash..];
            // A name alone says too little, unless only one is before it.
            let tells = dropped == 1 || tail.rfind('/') > Some(0);
            if tells && self.get(tail).is_some() {
                return Some(MissingKey::Elsewhere(tail.to_owned()));
            }
        }
        None
    }

    /// The shortest key of the tree that ends with this one.
    fn behind_others(&self, key: &str, clean: &str) -> Option<MissingKey> {
        let mut shortest: Option<String> = None;
        let mut leaves = Leaves::of_tree(self.tree());
        while leaves.next_leaf().is_some() {
            let leaf = leaves.key();
            let is_shorter = |known: &String| leaf.len() < known.len();
            // What a link leads to has keys of the same names, and they are other keys.
            let is_linked = leaf.split('/').any(|segment| segment == "links");
            if leaf.ends_with(clean) && !is_linked && shortest.as_ref().is_none_or(is_shorter) {
                shortest = Some(leaf.to_owned());
            }
        }
        let leaf = shortest?;
        match leaf.strip_prefix(self.prefix()) {
            Some(inside) if inside.starts_with('/') && inside != key => {
                Some(MissingKey::Elsewhere(inside.to_owned()))
            }
            _ => Some(MissingKey::Outside(leaf)),
        }
    }

    fn directory(&self, key: &str) -> MissingKey {
        let mut names = self.names(key.trim_end_matches('/'));
        let mut shown = Vec::new();
        for name in names.by_ref().take(SHOWN_NAMES) {
            shown.push(name.to_owned());
        }
        MissingKey::Directory(shown, names.next().is_some())
    }

    /// The names directly below a clean path (empty for the root), sorted by key.
    fn names(&self, dir: &str) -> impl Iterator<Item = &str> {
        let tree = self.tree();
        let found = self.find_dir(dir);
        let visibility = found.map_or(Visibility::Whole, |(_, visibility)| visibility);
        let id = found.map_or(DirId::MAX, |(dir, _)| dir);
        let dir = tree.dir(id);
        let shown_leaf = move |leaf: &LeafId| self.shows(visibility, *leaf);
        let shown_dir = move |dir: &DirId| self.visibility(visibility, *dir).is_some();
        let mut leaves = dir.leaves.range().filter(shown_leaf).peekable();
        let mut dirs = dir.dirs.range().filter(shown_dir).peekable();
        std::iter::from_fn(move || {
            let leaf = leaves.peek().map(|leaf| tree.leaf_name(id, *leaf));
            let dir = dirs.peek().map(|dir| tree.dir_name(*dir));
            match (leaf, dir) {
                (Some(leaf), Some(dir)) if leaf_order(leaf.as_bytes(), dir.as_bytes()).is_gt() => {
                    dirs.next();
                    Some(dir)
                }
                (Some(leaf), _) => {
                    leaves.next();
                    Some(leaf)
                }
                (None, dir) => {
                    dirs.next();
                    dir
                }
            }
        })
    }
}

/// How far a name is from a segment of a wrong path; none when it cannot have been meant. Names
/// that differ by their numbers only are different things, not different spellings.
fn spelling(segment: &str, word: &Word, name: &str) -> Option<usize> {
    if segment == name {
        return Some(0);
    }
    if segment.eq_ignore_ascii_case(name) {
        return Some(1);
    }
    let is_letter = |letter: &char| !letter.is_ascii_digit();
    let letters = |text: &str| text.chars().filter(is_letter).collect::<String>();
    if letters(segment) == letters(name) {
        return None;
    }
    word.edits(name)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::tree::Tree;

    fn tree() -> Arc<Tree> {
        let keys = [
            "/cluster/zone",
            "/cluster/vxnet",
            "/env/port",
            "/host/ip",
            "/host/sid",
            "/host/node_id",
            "/hosts/i-1/ip",
            "/hosts/i-2/ip",
            "/hosts/i-3/ip",
            "/hosts/i-4/ip",
            "/hosts/i-5/ip",
        ];
        Arc::new(Tree::from_pairs(keys.map(|key| (key, "1"))))
    }

    fn missing_key(prefix: &str, keys: &[&str], key: &str) -> Option<MissingKey> {
        let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
        tree().view(prefix, &keys).missing_key(key)
    }

    fn misspelt(meant: &str, covered: bool) -> Option<MissingKey> {
        let meant = meant.to_owned();
        Some(MissingKey::Misspelt { meant, covered })
    }

    #[test]
    fn each_case_has_its_own_answer() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let elsewhere = |key: &str| Some(MissingKey::Elsewhere(key.to_owned()));
        for (key, want) in [
            ("/host/sid", None),
            (
                "/host",
                Some(MissingKey::Directory(
                    names(&["ip", "node_id", "sid"]),
                    false,
                )),
            ),
            (
                "/hosts",
                Some(MissingKey::Directory(
                    names(&["i-1", "i-2", "i-3", "i-4"]),
                    true,
                )),
            ),
            ("/cluster/zone", Some(MissingKey::Hidden)),
            ("/cluster", Some(MissingKey::Hidden)),
            ("/self/host/sid", elsewhere("/host/sid")),
            ("host/sid", elsewhere("/host/sid")),
            ("/host/sid/", elsewhere("/host/sid")),
            ("//host/sid", elsewhere("/host/sid")),
            ("/sid", elsewhere("/host/sid")),
            ("/hsot/sid", misspelt("/host/sid", true)),
            ("/host/SID", misspelt("/host/sid", true)),
            ("/hosts/sid", misspelt("/host/sid", true)),
            ("/host/node-id", misspelt("/host/node_id", true)),
            ("/hots/i-2/ipp", misspelt("/hosts/i-2/ip", true)),
            ("/clusters/zone", misspelt("/cluster/zone", false)),
            ("/hosts/i-9/ip", Some(MissingKey::Unknown)),
            ("/env/password", Some(MissingKey::Unknown)),
            ("/links/zk/host/sid", Some(MissingKey::Unknown)),
            (
                "/",
                Some(MissingKey::Directory(names(&["host", "hosts"]), false)),
            ),
        ] {
            assert_eq!(missing_key("", &["/host", "/hosts"], key), want, "{key}");
        }
    }

    #[test]
    fn a_prefix_shows_what_lies_beside_it() {
        let outside = |key: &str| Some(MissingKey::Outside(key.to_owned()));
        assert_eq!(
            missing_key("/host", &["/"], "/cluster/zone"),
            outside("/cluster/zone")
        );
        assert_eq!(
            missing_key("/host", &["/"], "/host/ip"),
            Some(MissingKey::Elsewhere("/ip".to_owned()))
        );
        assert_eq!(
            missing_key("/host", &["/"], "/spid"),
            misspelt("/sid", true)
        );
        assert_eq!(missing_key("/host", &[], "/sid"), Some(MissingKey::Hidden));
    }

    #[test]
    fn directories_have_neighbours_too() {
        let view = tree().view("", &["/host".to_owned()]);
        for (path, want) in [
            ("/hots", Some("/host")),
            ("/clusters", Some("/cluster")),
            ("/hosts", None),
            ("/hostz/i-1", Some("/hosts/i-1")),
            ("/adding-hosts", None),
        ] {
            assert_eq!(view.nearest_dir(path).as_deref(), want, "{path}");
        }
    }

    #[test]
    fn the_cost_has_a_limit() {
        let keys = (0..20_000).map(|number| (format!("/d/n{number:05}x/v{number}"), ""));
        let tree = Arc::new(Tree::from_pairs(keys));
        let view = tree.view("", &["/".to_owned()]);
        let deep = "/d/n00003y".repeat(5_000);
        assert_eq!(view.missing_key(&deep), Some(MissingKey::Unknown));
        assert_eq!(view.missing_key("/d/n00003y/v3"), {
            let meant = "/d/n00003x/v3".to_owned();
            Some(MissingKey::Misspelt {
                meant,
                covered: true,
            })
        });
    }
}
