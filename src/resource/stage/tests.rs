//! The way of a file from bytes to dest, on any system. Owners, modes, links and full disks:
//! tests/it/stage.rs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

/// A directory of its own for each test, gone afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("confd-stage-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn target(dest: &Path) -> Target {
    Target::resolve(dest, Attributes::default()).unwrap()
}

fn apply(dest: &Path, content: &str) {
    let stage = Stage::create(target(dest), content.as_bytes(), false).unwrap();
    stage.sync().unwrap();
    let committed = stage.commit().unwrap();
    sync_directories(&[committed]).unwrap();
}

#[test]
fn a_new_file_is_made_with_its_directories() {
    let scratch = Scratch::new("new");
    let dest = scratch.0.join("a").join("b").join("zoo.cfg");
    let difference = target(&dest).compare(b"x").unwrap().unwrap();
    assert!(difference.missing);
    assert!(difference.lines(&dest).is_empty());
    assert_eq!(scratch.names(), [""; 0], "comparing makes nothing");
    apply(&dest, "x");
    assert_eq!(fs::read(&dest).unwrap(), b"x");
    assert_eq!(target(&dest).compare(b"x").unwrap(), None);
}

#[test]
fn an_old_file_is_replaced_and_the_difference_named() {
    let scratch = Scratch::new("replace");
    let dest = scratch.file("zoo.cfg", "old\n");
    let difference = target(&dest).compare(b"confd\n").unwrap().unwrap();
    let line = format!(
        "{} has md5sum 814fa5ca98406a903e22b43d9b610105 should be 5f60d2578c210d209f450046bcc2e453",
        dest.display()
    );
    assert_eq!(difference.lines(&dest), [line]);
    apply(&dest, "confd\n");
    assert_eq!(fs::read(&dest).unwrap(), b"confd\n");
    assert_eq!(scratch.names(), ["zoo.cfg"]);
}

#[test]
fn until_the_commit_dest_is_the_old_file() {
    let scratch = Scratch::new("dropped");
    let dest = scratch.file("zoo.cfg", "old");
    let stage = Stage::create(target(&dest), b"new", false).unwrap();
    assert_eq!(fs::read(stage.path()).unwrap(), b"new");
    assert_eq!(stage.path().parent(), dest.parent());
    stage.sync().unwrap();
    drop(stage);
    assert_eq!(fs::read(&dest).unwrap(), b"old");
    assert_eq!(scratch.names(), ["zoo.cfg"], "nothing is left");
}

#[test]
fn a_staged_file_that_is_to_be_kept_stays_for_good() {
    let scratch = Scratch::new("kept");
    let dest = scratch.file("zoo.cfg", "old");
    let stage = Stage::create(target(&dest), b"new", true).unwrap();
    let path = stage.path();
    drop(stage);
    assert_eq!(
        clear_leftovers(vec![&target(&dest)], &BTreeSet::new()).unwrap(),
        [""; 0].map(PathBuf::from)
    );
    assert_eq!(fs::read(path).unwrap(), b"new");
}

#[test]
fn leftovers_of_these_targets_go_and_nothing_else() {
    let scratch = Scratch::new("leftovers");
    let (zoo, myid) = (scratch.0.join("zoo.cfg"), scratch.0.join("myid"));
    let gone = [
        scratch.file(".myid.confd-abcdef0000", ""),
        scratch.file(".zoo.cfg.confd-0000010000", "half a fi"),
        scratch.file(".zoo.cfg.confd-zzzzzz0000", ""),
    ];
    scratch.file(".zoo.cfg.confd-kept-zzzzzzzzzz", "");
    scratch.file(".zoo.cfg.confd-backup", "somebody's");
    scratch.file(".other.confd-zzzzzzzzzz", "");
    fs::create_dir(scratch.0.join(".zoo.cfg.confd-direct0000")).unwrap();
    let nowhere = scratch.0.join("no such directory").join("x");

    let targets = [target(&zoo), target(&nowhere), target(&myid)];
    let mut removed = clear_leftovers(targets.iter().collect(), &BTreeSet::new()).unwrap();
    removed.sort();
    assert_eq!(removed, gone);
    let left = [
        ".other.confd-zzzzzzzzzz",
        ".zoo.cfg.confd-backup",
        ".zoo.cfg.confd-direct0000",
        ".zoo.cfg.confd-kept-zzzzzzzzzz",
    ];
    assert_eq!(scratch.names(), left);
}

#[test]
fn what_is_no_place_for_a_file_is_an_error() {
    let scratch = Scratch::new("places");
    scratch.file("file", "");
    fs::create_dir(scratch.0.join("directory")).unwrap();
    for (dest, words) in [
        ("directory", "is a directory, not a file"),
        ("missing/..", "is a directory, not a file"),
        ("directory/../directory", "is a directory, not a file"),
        ("missing/", "is the name of a directory, not of a file"),
        ("file/below", "is not a directory"),
    ] {
        let path = scratch.0.join(dest);
        let error = Target::resolve(&path, Attributes::default()).unwrap_err();
        assert!(error.to_string().ends_with(words), "{dest}: {error}");
    }
    assert!(Target::resolve(Path::new(""), Attributes::default()).is_err());
}

#[test]
fn a_way_through_dots_is_walked() {
    let scratch = Scratch::new("dots");
    fs::create_dir(scratch.0.join("a")).unwrap();
    let dest = scratch.0.join("a").join("..").join(".").join("x");
    apply(&dest, "1");
    assert_eq!(scratch.names(), ["a", "x"]);
}

#[test]
fn a_name_as_long_as_names_can_be_is_staged() {
    let scratch = Scratch::new("long");
    let dest = scratch.file(&"n".repeat(200), "old");
    apply(&dest, "new");
    assert_eq!(fs::read(&dest).unwrap(), b"new");
}

#[test]
fn content_is_any_bytes_of_any_length() {
    let scratch = Scratch::new("bytes");
    let dest = scratch.0.join("zoo \u{e4}\u{4e2d}.cfg");
    for content in ["", "a\0b\r\n", &"long ".repeat(100_000), ""] {
        assert!(target(&dest).compare(content.as_bytes()).unwrap().is_some());
        apply(&dest, content);
        assert_eq!(fs::read_to_string(&dest).unwrap(), content);
        assert_eq!(target(&dest).compare(content.as_bytes()).unwrap(), None);
    }
}

#[test]
fn a_check_that_puts_another_file_in_its_place_is_taken_along() {
    let scratch = Scratch::new("checked");
    let dest = scratch.file("zoo.cfg", "old");
    let stage = Stage::create(target(&dest), b"new", false).unwrap();
    fs::remove_file(stage.path()).unwrap();
    fs::write(stage.path(), "edited").unwrap();
    stage.sync().unwrap();
    let _not_synced = stage.commit().unwrap();
    assert_eq!(fs::read(&dest).unwrap(), b"edited");
}

#[test]
fn a_staged_file_that_is_gone_is_an_error_and_dest_stays() {
    let scratch = Scratch::new("gone");
    let dest = scratch.file("zoo.cfg", "old");
    let stage = Stage::create(target(&dest), b"new", false).unwrap();
    fs::remove_file(stage.path()).unwrap();
    assert!(stage.sync().is_err());
    assert!(stage.commit().is_err());
    assert_eq!(fs::read(&dest).unwrap(), b"old");
}

#[test]
fn many_are_synced_and_each_has_its_result() {
    let scratch = Scratch::new("many");
    let stage = |n: usize| {
        let dest = scratch.0.join(format!("{n}"));
        Stage::create(target(&dest), b"new", false).unwrap()
    };
    for count in [0, 1, 3, 20] {
        let stages: Vec<Stage> = (0..count).map(stage).collect();
        let gone = count.saturating_sub(2);
        if let Some(stage) = stages.get(gone) {
            fs::remove_file(stage.path()).unwrap();
        }
        let results = sync_all(&stages.iter().collect::<Vec<_>>());
        let failed: Vec<bool> = results.iter().map(Result::is_err).collect();
        let wanted: Vec<bool> = (0..count).map(|n| n == gone).collect();
        assert_eq!(failed, wanted);
    }
    assert_eq!(scratch.names(), [""; 0]);
}
