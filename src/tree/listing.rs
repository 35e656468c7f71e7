//! `ls` and `lsdir`: the names below a path, by the original's rules (package memkv), oddities
//! included. The tests hold this against a direct reading of those rules.
//!
//! A key counts for `ls` when `path`, cleaned, and the key's directory are the same, or one leads
//! to the other. It contributes its first segment once the text `path` is taken off its head. For
//! nearly every path that means the names in a directory.

use super::view::{View, Visibility};
use super::{DirId, LeafId};
use crate::go::path;

/// Entries, in order.
#[derive(Debug, PartialEq, Eq)]
pub struct Found<T> {
    pub items: Vec<T>,
    /// How many entries were looked at on the way: the cost.
    pub walked: u64,
}

/// The names of a listing, as they are found: in any order, some more than once.
#[derive(Default)]
struct Names<'v> {
    found: Vec<&'v str>,
    walked: u64,
}

impl<'v> Names<'v> {
    fn into_found(self) -> Found<&'v str> {
        let (mut items, walked) = (self.found, self.walked);
        if !items.is_sorted_by(|one, other| one <= other) {
            items.sort_unstable();
        }
        items.dedup();
        Found { items, walked }
    }
}

/// The path of a listing, taken apart.
struct ListingPath<'p> {
    /// As the template has it.
    text: &'p str,
    /// Cleaned.
    dir: &'p str,
    /// The directory in which the names begin with the rest of the text; none when no key begins
    /// with the text.
    parent: Option<(DirId, Visibility)>,
    /// That rest: what is behind the last slash.
    head: &'p str,
}

impl View {
    /// `ls`: the names below `path`, sorted.
    pub fn list(&self, path: &str) -> Found<&str> {
        let dir = path::clean(path);
        let mut names = Names::default();
        if !dir.starts_with('/') {
            return names.into_found();
        }
        let asked = self.asked(path, &dir);
        if let Some(found) = self.find_dir(&dir).filter(|_| asked.heads_dir()) {
            self.push_all(found, &mut names);
        }
        self.list_below_text(&asked, &mut names);
        self.list_others(&asked, &mut names);
        names.into_found()
    }

    fn asked<'p>(&self, text: &'p str, dir: &'p str) -> ListingPath<'p> {
        let (parent, head) = text.rsplit_once('/').unwrap_or_default();
        ListingPath {
            text,
            dir,
            parent: self.find_dir(parent),
            head,
        }
    }

    /// All names in a directory.
    fn push_all<'v>(&'v self, (dir, visibility): (DirId, Visibility), names: &mut Names<'v>) {
        let entries = self.tree().dir(dir);
        for leaf in entries.leaves.range() {
            names.walked += 1;
            if self.shows(visibility, leaf) {
                names.found.push(self.tree().leaf_name(dir, leaf));
            }
        }
        self.push_dirs((dir, visibility), names);
    }

    /// The names of all directories in a directory.
    fn push_dirs<'v>(&'v self, (dir, visibility): (DirId, Visibility), names: &mut Names<'v>) {
        for dir in self.tree().dir(dir).dirs.range() {
            names.walked += 1;
            if self.visibility(visibility, dir).is_some() {
                names.found.push(self.tree().dir_name(dir));
            }
        }
    }

    /// The names contributed by the keys that begin with the text, other than those below the
    /// directory that it names.
    fn list_below_text<'v>(&'v self, asked: &ListingPath<'_>, names: &mut Names<'v>) {
        let Some((parent, visibility)) = asked.parent else {
            return;
        };
        let (tree, length) = (self.tree(), asked.head.len());
        if asked.heads_dir() && length == 0 {
            return;
        }
        // All leaves here have the same directory.
        let above = asked.text.rsplit_once('/').map_or("", |(above, _)| above);
        let inside = same_way(asked.dir, if above.is_empty() { "/" } else { above });
        for leaf in tree.leaves_from(parent, asked.head) {
            names.walked += 1;
            let name = tree.leaf_name(parent, leaf);
            let rest = name.get(length..).unwrap_or_default();
            match (self.shows(visibility, leaf), rest) {
                (true, "") if name.is_empty() => names.found.push("/"),
                (true, "") => names.found.push(name),
                (true, rest) if inside => names.found.push(rest),
                _ => {}
            }
        }
        if asked.heads_dir() {
            return;
        }
        for dir in tree.dirs_from(parent, asked.head) {
            names.walked += 1;
            let name = tree.dir_name(dir);
            let leads = same_way(asked.dir, &format!("{above}/{name}"));
            if leads && self.visibility(visibility, dir).is_some() {
                names.found.push(name.get(length..).unwrap_or_default());
            }
        }
    }

    /// The names contributed by all other keys: their first segment, as the text does not come off
    /// them.
    fn list_others<'v>(&'v self, asked: &ListingPath<'_>, names: &mut Names<'v>) {
        if asked.dir == "/" {
            let Some((root, visibility)) = self.find_dir("") else {
                return;
            };
            let is_other = |name: &str| !format!("/{name}").starts_with(asked.text);
            for leaf in self.tree().dir(root).leaves.range() {
                names.walked += 1;
                let name = self.tree().leaf_name(root, leaf);
                if self.shows(visibility, leaf) && is_other(name) {
                    names.found.push(name);
                }
            }
            return;
        }
        if self.has_other_below(asked) || self.has_other_on_the_way(asked) {
            names.found.extend(self.first_segment(asked.dir));
        }
    }

    /// The stored name of the first directory on a path.
    fn first_segment(&self, dir: &str) -> Option<&str> {
        let end = dir
            .match_indices('/')
            .nth(1)
            .map_or(dir.len(), |(at, _)| at);
        let (first, _) = self.find_dir(dir.get(..end)?)?;
        Some(self.tree().dir_name(first))
    }

    /// True when a key below the directory does not begin with the text. The text of a clean path,
    /// with or without a slash at its end, is the head of all.
    fn has_other_below(&self, asked: &ListingPath<'_>) -> bool {
        if asked.heads_dir() {
            return false;
        }
        let mut below = super::leaves::Leaves::of_view(self, self.find_dir(asked.dir), asked.dir);
        while below.next_leaf().is_some() {
            if !below.key().starts_with(asked.text) {
                return true;
            }
        }
        false
    }

    /// True when there is a leaf that does not begin with the text directly in one of the
    /// directories above, the root not included.
    fn has_other_on_the_way(&self, asked: &ListingPath<'_>) -> bool {
        for (slash, _) in asked.dir.match_indices('/').skip(1) {
            let above = &asked.dir[..slash];
            let Some((dir, visibility)) = self.find_dir(above) else {
                return false;
            };
            let is_other = |leaf: LeafId| {
                let key = || format!("{above}/{}", self.tree().leaf_name(dir, leaf));
                self.shows(visibility, leaf) && !key().starts_with(asked.text)
            };
            if self.tree().dir(dir).leaves.range().any(is_other) {
                return true;
            }
        }
        false
    }

    /// `lsdir`: the directories below `path`, sorted. A key counts when its directory lies below
    /// `path`, cleaned, and the key begins with the text `path`.
    pub fn list_dirs(&self, path: &str) -> Found<&str> {
        let dir = path::clean(path);
        let mut names = Names::default();
        if !dir.starts_with('/') || dir == "/" {
            return names.into_found();
        }
        let asked = self.asked(path, &dir);
        match (self.find_dir(&dir), asked.parent) {
            (Some(found), _) if asked.heads_dir() => self.push_dirs(found, &mut names),
            (Some((dir, _)), Some((parent, visibility))) if dir == parent => {
                // `/dir/.`: the names that begin with a dot.
                for dir in self.tree().dirs_from(parent, asked.head) {
                    names.walked += 1;
                    if self.visibility(visibility, dir).is_some() {
                        names.found.push(self.tree().dir_name(dir));
                    }
                }
            }
            (Some(_), Some((parent, visibility)))
                if self.has_name(parent, visibility, asked.head) =>
            {
                // `/dir/name/..`: below that name only what begins with two dots.
                names.walked += 1;
                names.found.push(self.tree().dir_name(parent));
            }
            _ => {}
        }
        names.into_found()
    }

    /// True when a visible name in a directory begins with `head`.
    fn has_name(&self, dir: DirId, visibility: Visibility, head: &str) -> bool {
        let shows = |leaf: LeafId| self.shows(visibility, leaf);
        let mut dirs = self.tree().dirs_from(dir, head);
        self.tree().leaves_from(dir, head).any(shows)
            || dirs.any(|dir| self.visibility(visibility, dir).is_some())
    }
}

impl ListingPath<'_> {
    /// True when the text is the directory's path, with or without a slash at its end: every key
    /// below begins with it.
    fn heads_dir(&self) -> bool {
        self.dir != "/" && self.text.strip_suffix('/').unwrap_or(self.text) == self.dir
    }
}

/// True when one of two clean absolute paths leads to the other, segment by segment. The root leads
/// nowhere but to itself: the original splits it into two empty segments.
fn same_way(one: &str, two: &str) -> bool {
    let (short, long) = if one.len() <= two.len() {
        (one, two)
    } else {
        (two, one)
    };
    long.strip_prefix(short)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
