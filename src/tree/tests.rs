//! The fast paths against a direct reading of the original's rules, over seeded random trees.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::go::filepath::Pattern;
use crate::go::path::{clean, key_dir};

/// A small deterministic generator (xorshift), so that a failure can be repeated.
pub(super) struct Seeded(pub u64);

impl Seeded {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    pub(super) fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    /// A path of up to `depth` segments.
    fn path(&mut self, segments: &[&str], depth: usize) -> String {
        (0..=self.below(depth))
            .map(|_| format!("/{}", self.pick(segments)))
            .collect()
    }
}

const NAMES: &[&str] = &[
    "a", "b", "ab", "a-b", "a.b", "a b", "i", "i-1", "i-10", ".x", "..x", "中", "a*",
];
const ODD: &[&str] = &["a", "b", "ab", "i-1", "", ".", "..", "i", "none", "中"];
const GLOBS: &[&str] = &[
    "*", "a*", "*b", "?", "i-*", "[ab]", "[^a]", "a", "i-1", "*a*b*", "\\a", "a\\*", "??*", "i?1",
    "[0-中]",
];

fn split(path: &str) -> Vec<String> {
    clean(path).split('/').map(str::to_owned).collect()
}

fn same_terms(one: &[String], two: &[String]) -> bool {
    one.iter().zip(two).all(|(a, b)| a == b)
}

fn plain_list(view: &View, path: &str) -> Vec<String> {
    let mut names = BTreeSet::new();
    for (key, _) in view.leaves() {
        let key = key.as_str();
        if key == path {
            names.insert(key.rsplit('/').next().unwrap().to_owned());
        } else if same_terms(&split(path), &split(key_dir(key))) {
            let rest = key.strip_prefix(path).unwrap_or(key);
            let rest = rest.strip_prefix('/').unwrap_or(rest);
            names.insert(rest.split('/').next().unwrap().to_owned());
        }
    }
    names.into_iter().collect()
}

fn plain_list_dirs(view: &View, path: &str) -> Vec<String> {
    let mut names = BTreeSet::new();
    let terms = split(path);
    for (key, _) in view.leaves().filter(|(key, _)| key.starts_with(path)) {
        let items = split(key_dir(&key));
        if let (true, Some(name)) = (same_terms(&terms, &items), items.get(terms.len())) {
            names.insert(name.clone());
        }
    }
    names.into_iter().collect()
}

fn plain_leaves(tree: &Tree, prefix: &str, keys: &[String]) -> Vec<(String, String)> {
    let prefix = match clean(&format!("/{prefix}")) {
        root if root == "/" => String::new(),
        prefix => prefix,
    };
    let covered = |key: &str| {
        keys.iter()
            .map(|k| split(&format!("{prefix}/{k}")))
            .any(|terms| {
                let terms = if terms == ["", ""] {
                    &terms[..1]
                } else {
                    &terms[..]
                };
                split(key).len() >= terms.len() && same_terms(terms, &split(key))
            })
    };
    let below = format!("{prefix}/");
    tree.leaves()
        .filter(|(key, _)| key.starts_with(&below) && covered(key))
        .map(|(key, value)| (key[prefix.len()..].to_owned(), value.to_owned()))
        .collect()
}

/// A tree of up to 40 leaves and a view of it.
fn random_view(random: &mut Seeded) -> View {
    let count = random.below(40);
    let pairs: Vec<_> = (0..count)
        .map(|n| (random.path(NAMES, 4), n.to_string()))
        .collect();
    let tree = Arc::new(Tree::from_pairs(pairs));
    let prefix = ["", "/", "/a", "i-1/", "/a/b"][random.below(5)];
    let all = random.below(2) == 0;
    let keys: Vec<String> = if all {
        vec!["/".to_owned()]
    } else {
        (0..random.below(4)).map(|_| random.path(ODD, 2)).collect()
    };
    let view = tree.view(prefix, &keys);
    let leaves = view.leaves().map(|(key, value)| (key, value.to_owned()));
    assert_eq!(
        leaves.collect::<Vec<_>>(),
        plain_leaves(&tree, prefix, &keys),
        "{prefix} {keys:?}"
    );
    view
}

#[test]
fn lookups_and_listings_follow_the_rules() {
    let mut random = Seeded(0x9E37_79B9_7F4A_7C15);
    for _ in 0..1500 {
        let view = random_view(&mut random);
        let leaves: Vec<_> = view.leaves().collect();
        for _ in 0..12 {
            let segments = if random.below(3) == 0 { ODD } else { NAMES };
            let mut path = random.path(segments, 4);
            match random.below(6) {
                0 => path.push('/'),
                1 => path.truncate(path.len() - path.chars().last().map_or(0, char::len_utf8)),
                2 => path = path[1..].to_owned(),
                _ => {}
            }
            let found = leaves
                .iter()
                .find(|(key, _)| *key == path)
                .map(|(_, value)| *value);
            assert_eq!(view.get(&path), found, "get {path} {leaves:?}");
            assert_eq!(
                view.list(&path).items,
                plain_list(&view, &path),
                "ls {path:?} {leaves:?}"
            );
            assert_eq!(
                view.list_dirs(&path).items,
                plain_list_dirs(&view, &path),
                "lsdir {path:?} {leaves:?}"
            );
            let below = format!("{}/", path.trim_end_matches('/'));
            let has = leaves.iter().any(|(key, _)| key.starts_with(&below));
            assert_eq!(view.has_below(&path), has, "below {path:?} {leaves:?}");
        }
    }
}

#[test]
fn patterns_find_what_matching_every_key_finds() {
    let mut random = Seeded(0xD1B5_4A32_D192_ED03);
    for _ in 0..1500 {
        let view = random_view(&mut random);
        for _ in 0..12 {
            let mut text = random.path(GLOBS, 4);
            if random.below(8) == 0 {
                text = text[1..].to_owned();
            }
            let pattern = Pattern::parse(&text).unwrap();
            let plain: Vec<_> = view
                .leaves()
                .filter(|(key, _)| pattern.matches(key))
                .collect();
            assert_eq!(
                view.matching(&pattern).items,
                plain,
                "{text} {:?}",
                view.leaves().collect::<Vec<_>>()
            );
            let values: Vec<_> = plain.into_iter().map(|(_, value)| value).collect();
            assert_eq!(view.matching_values(&pattern).items, values, "{text}");
        }
    }
}

#[test]
fn keys_cover_whole_segments() {
    let pairs = [
        ("/host/ip", "1"),
        ("/hosts/a", "2"),
        ("/host", "3"),
        ("/host-x", "4"),
        ("/x/host/y", "5"),
    ];
    let tree = Arc::new(Tree::from_pairs(pairs));
    for (prefix, keys, want) in [
        ("", vec!["/"], "/host /host-x /host/ip /hosts/a /x/host/y"),
        ("", vec!["/host"], "/host /host/ip"),
        (
            "",
            vec!["host/", "/hosts/a", "/host/ip"],
            "/host /host/ip /hosts/a",
        ),
        (
            "",
            vec!["/hos", ""],
            "/host /host-x /host/ip /hosts/a /x/host/y",
        ),
        ("", vec!["/none", "/../hosts"], "/hosts/a"),
        ("/x", vec!["/"], "/host/y"),
        ("x/", vec!["host"], "/host/y"),
        ("/x", vec!["../hosts"], ""),
        ("", vec![], ""),
    ] {
        let keys: Vec<String> = keys.into_iter().map(str::to_owned).collect();
        let view = tree.view(prefix, &keys);
        let found: Vec<_> = view.leaves().map(|(key, _)| key).collect();
        assert_eq!(found.join(" "), want, "{prefix} {keys:?}");
    }
}

#[test]
fn what_a_view_hides_is_known() {
    let tree = Arc::new(Tree::from_pairs([
        ("/p/a/x", "1"),
        ("/p/b/y", "2"),
        ("/c", "3"),
    ]));
    let view = tree.view("/p", &["/a".to_owned()]);
    let hidden = [
        "/a/x", "/a", "/a/z", "/b", "/b/y", "/b/", "/b/z", "/c", "/bb",
    ]
    .map(|key| view.hides(key));
    assert_eq!(
        hidden,
        [false, false, false, true, true, true, false, false, false]
    );
}

#[test]
fn changes_between_views() {
    let all = ["/".to_owned()];
    let old = Arc::new(Tree::from_pairs([("/a", "1"), ("/b", "2"), ("/d", "4")])).view("", &all);
    let new = Arc::new(Tree::from_pairs([("/a", "1"), ("/b", "3"), ("/c", "4")])).view("", &all);
    let changes: Vec<_> = old
        .changes(&new)
        .into_iter()
        .map(|change| (change.key, change.kind))
        .collect();
    let expected = [
        ("/b", Kind::Value),
        ("/c", Kind::Added),
        ("/d", Kind::Removed),
    ];
    assert_eq!(changes, expected.map(|(key, kind)| (key.to_owned(), kind)));
    assert!(old != new && old == old.clone());
}

#[test]
fn changes_are_those_of_a_comparison_leaf_by_leaf() {
    let mut random = Seeded(0x0BAD_5EED_0BAD_5EED);
    let view = |leaves: &BTreeMap<String, String>| {
        Arc::new(Tree::from_pairs(leaves)).view("", &["/".to_owned()])
    };
    for _ in 0..300 {
        let mut leaves = BTreeMap::new();
        for host in 0..random.below(40) {
            for key in ["ip", "id", "role"] {
                let value = format!("{key}{}", random.below(50));
                leaves.insert(format!("/hosts/i-{host:02}/{key}"), value);
            }
        }
        let old = view(&leaves);
        let before = leaves.clone();
        for _ in 0..random.below(4) {
            let key = format!(
                "/hosts/i-{:02}/{}",
                random.below(40),
                random.pick(&["ip", "new"])
            );
            match random.below(3) {
                0 => drop(leaves.remove(&key)),
                // Of the same length, or not.
                _ => drop(leaves.insert(key, format!("ip{}", random.below(120)))),
            }
        }
        let keys = before.keys().chain(leaves.keys()).collect::<BTreeSet<_>>();
        let changed = keys
            .into_iter()
            .filter(|key| before.get(*key) != leaves.get(*key));
        let found = old.changes(&view(&leaves)).into_iter();
        assert_eq!(
            found.map(|change| change.key).collect::<Vec<_>>(),
            changed.cloned().collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_listing_does_not_walk_the_tree() {
    let pairs = (0..20_000).map(|n| (format!("/hosts/i-{}/k{}", n / 10, n % 10), "v"));
    let tree = Arc::new(Tree::from_pairs(pairs));
    let view = tree.view("", &["/".to_owned()]);
    for path in ["/hosts", "/hosts/"] {
        let found = view.list(path);
        assert_eq!((found.items.len(), found.walked), (2000, 2000));
        assert_eq!(view.list_dirs(path), found);
    }
    // The names that only begin like it are looked at, but nothing below them.
    assert!(view.list("/hosts/i-17").walked < 10 + 1 + 10 + 100);
    for (pattern, items, walked) in [
        ("/hosts/i-1999/k*", 10, 12),
        ("/hosts/*/k3", 2000, 6002),
        ("/hosts/*/none", 0, 4002),
        ("/hosts/i-19/k3", 1, 5),
        ("/*/*/*", 20_000, 22_002),
        ("/none/*", 0, 2),
    ] {
        let found = view.matching(&Pattern::parse(pattern).unwrap());
        assert_eq!(found.items.len(), items, "{pattern}");
        assert!(found.walked <= walked, "{pattern} {}", found.walked);
    }
}

#[test]
fn the_last_of_equal_keys_counts() {
    let tree = Tree::from_pairs([("/b", "1"), ("a//x", "2"), ("/b/", "3"), ("/a/x", "4")]);
    let leaves: Vec<_> = tree.leaves().collect();
    assert_eq!(leaves, [("/a/x".to_owned(), "4"), ("/b".to_owned(), "3")]);
}

#[test]
fn equality_is_about_leaves_not_their_order() {
    let one = Tree::from_pairs([("/a", "1"), ("/b", "2")]);
    assert_eq!(one, Tree::from_pairs([("/b", "2"), ("/a", "1")]));
    assert_ne!(one, Tree::from_pairs([("/b", "21"), ("/a", "")]));
    assert_ne!(one, Tree::from_pairs([("/a", "1/b2")]));
    assert_ne!(one, Tree::default());
    assert_eq!(Tree::default(), Tree::from_pairs([("", ""); 0]));
}

#[test]
fn what_stands_in_several_directories_is_stored_once() {
    let host = |number: usize| format!(r#""i-{number:04}":{{"cpu":"4","ip":"10.0.0.{number}"}}"#);
    let hosts: Vec<String> = (0..1000).map(host).collect();
    let body = format!(r#"{{"hosts":{{{}}}}}"#, hosts.join(","));
    let tree = Tree::from_json(body.as_bytes()).unwrap();
    assert_eq!(tree.len(), 2000);
    assert_eq!(tree.names.len(), 2);
    // For each host only its name and its address.
    assert!(
        tree.text.len() < 1000 * (6 + 10) + 20,
        "{}",
        tree.text.len()
    );
}

#[test]
fn trees_and_what_is_read_of_them_go_from_thread_to_thread() {
    fn moves<T: Send + Sync>() {}
    moves::<Tree>();
    moves::<View>();
    moves::<ReadSet>();
}

/// A read set that has read everything that these name.
fn reads(view: &View, keys: &[&str], listings: &[&str], patterns: &[&str]) -> ReadSet {
    let mut reads = ReadSet::new(view.clone());
    for key in keys {
        let _ = reads.read(key.as_bytes());
    }
    for path in listings {
        reads.note_listing(path, false);
    }
    for pattern in patterns {
        reads.note_pattern(pattern);
    }
    reads
}

#[test]
fn a_change_is_named_by_the_keys_that_were_read() {
    let view = |pairs: &[(&str, &str)]| {
        Arc::new(Tree::from_pairs(pairs.iter().copied())).view("", &["/".to_owned()])
    };
    let old = view(&[
        ("/a/x", "1"),
        ("/a/y", "1"),
        ("/b/h1/ip", "1"),
        ("/b/h1/id", "1"),
        ("/c", "1"),
        ("/d/e", "1"),
    ]);
    let new = view(&[
        ("/a/x", "2"),
        ("/a/z", "1"),
        ("/b/h1/ip", "2"),
        ("/b/h1/id", "2"),
        ("/b/h2/ip", "1"),
        ("/d/e", "2"),
    ]);
    for (keys, listings, patterns, want) in [
        (
            &["/a/x", "/c", "/no", "/b"][..],
            &[][..],
            &[][..],
            "/a/x /c",
        ),
        (&["/a/z", "/b/h2/ip", "/d"], &[], &[], "/a/z /b/h2/ip"),
        (&[], &["/a"], &[], "/a/y /a/z"),
        (&[], &["/b"], &[], "/b/h2/ip"),
        (&[], &["/b/h2"], &[], "/b/h2/ip"),
        // Its leaves make `a` a name here, before and after.
        (&[], &["/a/none/deep"], &[], ""),
        (&[], &["/b/h1", "/d"], &[], ""),
        (&[], &["/"], &[], "/c"),
        (
            &[],
            &[],
            &["/b/*/ip", "/d/?", "["],
            "/b/h1/ip /b/h2/ip /d/e",
        ),
        (&[], &[], &["/*"], "/c"),
        (&[], &["/c", "/x"], &[], "/c"),
        (&[], &[], &[], ""),
    ] {
        for view in [&old, &new] {
            let mut reads = reads(view, keys, listings, patterns);
            assert_eq!(reads.changed(&old, &new).join(" "), want, "{reads:?}");
            assert!(reads.changed(&old, &old).is_empty());
            assert_eq!(reads.follow(new.tree()), want.is_empty() || view == &new);
        }
    }
}

#[test]
fn a_set_of_everything_depends_on_all_that_it_sees() {
    let tree = |a: &str, b: &str| Arc::new(Tree::from_pairs([("/a", a), ("/b", b)]));
    let mut reads = ReadSet::new(tree("1", "1").view("", &["/a".to_owned()]));
    reads.note_everything();
    assert!(reads.follow(&tree("1", "2")));
    assert!(!reads.follow(&tree("2", "2")));
}

#[test]
fn presence_is_no_value() {
    let tree = |pairs: &[(&str, &str)]| Arc::new(Tree::from_pairs(pairs.iter().copied()));
    let old = tree(&[("/b/k", "1")]);
    let mut reads = ReadSet::new(old.view("", &["/".to_owned()]));
    assert!(reads.ask(b"/b/k") && !reads.ask(b"/b/none"));
    // What comes before it moves it within the tree.
    assert!(reads.follow(&tree(&[("/a/k", "1"), ("/b/j", "1"), ("/b/k", "2")])));
    assert!(!reads.follow(&tree(&[("/b/k", "2"), ("/b/none", "")])));
    assert!(!reads.follow(&tree(&[("/a/k", "1"), ("/b/j", "1")])));
}
