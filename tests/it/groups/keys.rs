//! `create_only`, `skip_empty`, and `backup` with `-diff -against`.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use serde_json::json;

use crate::env::{Env, Run};

const RELOAD: &str = "reload_cmd = \"echo app >> $ROOT/reloads\"";

fn set(env: &Env, value: &str) {
    env.put("metadata.json", &json!({"k": value}).to_string());
}

fn app(value: &str, lines: &str) -> Env {
    let env = Env::with_tree(&json!({"k": value}));
    env.simple_with("app", r#"{{getv "/k"}}"#, &format!("{lines}\n{RELOAD}"));
    env
}

fn diff(env: &Env, arguments: &[&str]) -> Run {
    let fixed = ["-config-file", "$ROOT/etc/confd.toml", "-diff"];
    env.run(&[&fixed, arguments].concat())
}

#[test]
fn create_only_makes_a_missing_file_and_never_changes_it() {
    let env = app("1", "create_only = true\nmode = \"0600\"");
    diff(&env, &[]).expect_code(3);
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/app"), "1");
    set(&env, "2");
    let path = env.path("out/app");
    fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("its mode");
    assert_eq!(diff(&env, &[]).stdout, "");
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/app"), "1");
    assert_eq!(fs::metadata(&path).expect("it").mode() & 0o777, 0o640);
    assert_eq!(env.reloads(), ["app"]);
    fs::remove_file(&path).expect("it");
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/app"), "2");
    assert_eq!(env.names("out"), ["app"]);
}

#[test]
fn create_only_does_not_replace_a_file_that_is_made_during_its_check() {
    let env = app(
        "1",
        "create_only = true\ncheck_cmd = \"echo theirs > $ROOT/out/app\"",
    );
    let run = env.onetime();
    assert_eq!(env.read("out/app"), "theirs\n", "{}", run.stderr);
    env.onetime().expect_code(0);
    assert_eq!(env.names("out"), ["app"]);
    assert!(env.reloads().is_empty());
}

#[test]
fn skip_empty_leaves_the_file_alone_when_nothing_is_rendered() {
    for empty in ["", " \n\t\n"] {
        let env = app(empty, "skip_empty = true\noutput = \"json\"");
        env.onetime().expect_code(0);
        assert!(env.names("out").is_empty());
        env.put("out/app", "theirs");
        assert_eq!(diff(&env, &[]).code(), Some(0));
        env.onetime().expect_code(0);
        assert_eq!(env.read("out/app"), "theirs");
        set(&env, "{}");
        env.onetime().expect_code(0);
        assert_eq!(env.read("out/app"), "{}");
        set(&env, empty);
        env.onetime().expect_code(0);
        assert_eq!(env.read("out/app"), "{}");
        assert_eq!(env.reloads(), ["app"]);
    }
}

/// The former versions of out/app, the newest first.
fn versions(env: &Env) -> Vec<String> {
    let names = env.names("out");
    let count = names
        .iter()
        .filter(|name| name.contains(".confd-backup."))
        .count();
    assert_eq!(names.len(), count + 1, "nothing else: {names:?}");
    (1..=count)
        .map(|number| env.read(&format!("out/.app.confd-backup.{number}")))
        .collect()
}

#[test]
fn backup_keeps_the_last_versions_privately_and_prunes_them() {
    let env = app("1", "backup = 2");
    for (value, kept) in [
        ("1", vec![]),
        ("2", vec!["1"]),
        ("3", vec!["2", "1"]),
        ("3", vec!["2", "1"]),
        ("4", vec!["3", "2"]),
    ] {
        set(&env, value);
        env.onetime().expect_code(0);
        assert_eq!(versions(&env), kept);
    }
    for number in 1..=2 {
        let path = env.path(&format!("out/.app.confd-backup.{number}"));
        assert_eq!(fs::metadata(path).expect("it").mode() & 0o777, 0o600);
    }
    env.simple_with("app", r#"{{getv "/k"}}"#, "backup = 1");
    set(&env, "5");
    env.onetime().expect_code(0);
    assert_eq!(versions(&env), ["4"]);
}

#[test]
fn a_version_that_cannot_be_kept_keeps_the_file() {
    let env = app("1", "backup = 1");
    env.onetime().expect_code(0);
    set(&env, "2");
    let place = env.path("out/.app.confd-backup.1");
    fs::create_dir_all(place.join("in the way")).expect("a directory");
    let run = env.onetime();
    run.expect_code(1);
    let errors = run.at("ERROR");
    assert!(errors[0].contains("cannot back up"), "{}", run.stderr);
    assert_eq!(env.read("out/app"), "1");
    fs::remove_dir_all(place).expect("it");
    env.onetime().expect_code(0);
    assert_eq!(versions(&env), ["1"]);
}

#[test]
fn a_gap_between_versions_is_used_again() {
    let env = app("5", "backup = 3");
    env.put("out/app", "4");
    env.put("out/.app.confd-backup.1", "3");
    env.put("out/.app.confd-backup.3", "1");
    env.onetime().expect_code(0);
    assert_eq!(versions(&env), ["4", "3", "1"]);
}

#[test]
fn against_compares_the_file_with_a_former_version() {
    let env = app("1\n", "backup = 2");
    assert_eq!(diff(&env, &["-against", "1"]).code(), Some(0));
    for value in ["1\n", "2\n", "3\n"] {
        set(&env, value);
        env.onetime().expect_code(0);
    }
    // No metadata is needed.
    fs::remove_file(env.path("metadata.json")).expect("it");
    for (number, old) in [("1", "-2"), ("2", "-1")] {
        let run = diff(&env, &["-against", number]);
        run.expect_code(3);
        let lines: Vec<&str> = run.stdout.lines().collect();
        assert!(lines.contains(&old), "{}", run.stdout);
        assert!(lines.contains(&"+3"), "{}", run.stdout);
    }
    assert_eq!(diff(&env, &["-against", "3"]).code(), Some(0));
    let run = diff(&env, &["-against", "0"]);
    assert!(run.stderr.contains("-against"), "{}", run.stderr);
    assert_ne!(run.code(), Some(0));
    // What not everyone may read is not shown.
    let path = env.path("out/app");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("its mode");
    let shows = |run: Run| run.stdout.lines().any(|line| line == "-2");
    assert!(!shows(diff(&env, &["-against", "1"])));
    assert!(shows(diff(&env, &["-against", "1", "-show-secrets"])));
}

#[test]
fn a_number_of_versions_that_makes_no_sense_is_an_error() {
    for value in ["-1", "100", "\"two\""] {
        let env = app("1", &format!("backup = {value}"));
        let run = env.onetime();
        run.expect_code(1);
        assert!(run.at("ERROR")[0].contains("backup"), "{}", run.stderr);
        let lint = env.run(&["-lint", "-config-file", "$ROOT/etc/confd.toml"]);
        lint.expect_code(1);
        assert!(lint.stdout.contains("backup"), "{}", lint.stdout);
    }
}

#[test]
fn a_swap_that_is_rolled_back_leaves_the_versions_as_they_were() {
    for (lines, has_backups) in [
        ("", true),
        ("group = \"one\"", true),
        ("group = \"one\"\nbackup = 0", false),
    ] {
        let env = Env::with_tree(&json!({"k": "1"}));
        let lines = format!(
            "on_reload_failure = \"rollback\"\n{lines}\n\
             reload_cmd = \"ls -A $ROOT/out > $ROOT/seen; ! grep bad $ROOT/out/app\""
        );
        let lines = if has_backups {
            lines + "\nbackup = 2"
        } else {
            lines
        };
        env.simple_with("app", r#"{{getv "/k"}}"#, &lines);
        let run = |value: &str, code, kept: &[&str]| {
            set(&env, value);
            let run = env.onetime();
            run.expect_code(code);
            let kept = if has_backups { kept } else { &[] };
            assert_eq!(versions(&env), kept, "{value}: {}", run.stderr);
        };
        run("1", 0, &[]);
        run("2", 0, &["1"]);
        run("bad 3", 1, &["1"]);
        run("3", 0, &["2", "1"]);
        for _ in 0..2 {
            run("bad 4", 1, &["2", "1"]);
            let against = diff(&env, &["-against", "1"]);
            assert_eq!(against.stdout.contains("-2"), has_backups);
        }
        run("bad 5", 1, &["2", "1"]);
        run("4", 0, &["3", "2"]);
        run("4", 0, &["3", "2"]);
        assert_eq!(env.read("out/app"), "4");
        assert!(env.names("etc/swaps").is_empty());
    }
}
