//! The inspection tools and the keys for files that belong together.

use std::fs;

use serde_json::json;

use crate::env::{Env, Run};

fn tool(env: &Env, arguments: &[&str]) -> Run {
    env.run(&[&["-config-file", "$ROOT/etc/confd.toml"], arguments].concat())
}

#[test]
fn lint_reports_keys_that_have_no_effect() {
    for (lines, words) in [
        (
            "comment = \";\"",
            Some("comment has no effect without block"),
        ),
        (
            "insert = \"begin\"",
            Some("insert has no effect without block"),
        ),
        (
            "create_only = true\nbackup = 1",
            Some("backup has no effect beside create_only"),
        ),
        (
            "on_reload_failure = \"rollback\"",
            Some("without reload_cmd"),
        ),
        (
            "on_reload_failure = \"rollback\"\nreload_cmd = \"/bin/true\"\nreload_retry = true",
            Some("reload_retry has no effect beside on_reload_failure"),
        ),
        (
            "block = \"x\"\ncomment = \";\"\ninsert = \"end\"\nbackup = 1",
            None,
        ),
        (
            "on_reload_failure = \"rollback\"\nreload_cmd = \"/bin/true\"",
            None,
        ),
    ] {
        let env = Env::with_tree(&json!({"k": "v"}));
        env.simple_with("app", "x", lines);
        let run = tool(&env, &["-lint"]);
        run.expect_code(0);
        let found: Vec<&str> = run
            .stdout
            .lines()
            .filter(|line| line.contains("W217"))
            .collect();
        match words {
            Some(words) => assert!(
                found.len() == 1 && run.stdout.contains(words),
                "{}",
                run.stdout
            ),
            None => assert!(found.is_empty(), "{}", run.stdout),
        }
    }
}

#[test]
fn lint_knows_a_group_from_a_group_of_users() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple_with("a", "x", "group = \"nobody-knows-me\"");
    let alone = tool(&env, &["-lint"]);
    assert!(alone.stdout.contains("nobody-knows-me"), "{}", alone.stdout);
    env.simple_with("b", "x", "group = \"nobody-knows-me\"");
    for name in ["-lint", "-doctor", "-diff"] {
        let run = tool(&env, &[name]);
        let shown = run.stdout + &run.stderr;
        assert!(!shown.contains("no group"), "{name}: {shown}");
    }
    // One that is known may be meant as one of users only.
    for (lines, count) in [
        ("group = \"root\"", 1),
        ("group = \"root\"\ngid = 0", 0),
        ("group = \"root\"\nowner = \":root\"", 0),
        ("group = \"root\"\nowner = \"root\"", 0),
        ("owner = \":root\"", 0),
    ] {
        let env = Env::with_tree(&json!({"k": "v"}));
        for name in ["a", "b"] {
            env.simple_with(name, "x", lines);
            let run = tool(&env, &["-lint"]);
            run.expect_code(0);
            let count = if name == "a" { 0 } else { count };
            assert_eq!(run.stdout.matches("W218").count(), count, "{}", run.stdout);
        }
        env.onetime().expect_code(0);
    }
    // The other one is there, whatever is wrong with it.
    for break_it in [
        &(|| fs::remove_file(env.path("etc/templates/b.tmpl")).expect("it")) as &dyn Fn(),
        &|| {
            let lines = "group = \"nobody-knows-me\"\nmode = 7";
            env.simple_with("b", "x", lines);
        },
    ] {
        break_it();
        let run = tool(&env, &["-lint"]);
        run.expect_code(1);
        assert!(!run.stdout.contains("no group"), "{}", run.stdout);
    }
}

#[test]
fn a_rehearsal_leaves_alone_what_a_run_would() {
    let env = Env::with_tree(&json!({"host": {"ip": "10.0.0.1"}, "env": {"p": "1"}}));
    env.simple_with("once", "{{getv \"/env/p\"}}", "create_only = true");
    env.simple_with("empty", "{{getv \"/env/p\"}}", "skip_empty = true");
    env.simple_with(
        "staged",
        "x",
        "group = \"g\"\ncheck_cmd = 'false {{.stage \"once.toml\"}}'",
    );
    let run = tool(
        &env,
        &[
            "-rehearse",
            "$ROOT/metadata.json",
            "-check",
            "-format",
            "json",
        ],
    );
    run.expect_code(0);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    let stages = report["stages"].as_array().expect("a list");
    let empty = stages.iter().find(|stage| {
        let name = stage["name"].as_str().unwrap_or_default();
        name.contains("empty")
    });
    let steps = empty.expect("the parameter empty")["steps"]
        .as_array()
        .expect("a list");
    for step in steps {
        assert_eq!(step["changed"], json!([]), "{step}");
    }
}

#[test]
fn an_image_gets_its_groups_without_records_of_this_machine() {
    let env = Env::with_tree(&json!({"k": "v"}));
    for name in ["a", "b"] {
        let lines =
            "group = \"pair\"\non_reload_failure = \"rollback\"\nreload_cmd = \"touch $ROOT/ran\"";
        env.simple_with(name, "{{getv \"/k\"}}", lines);
    }
    env.onetime_with(&["-root", "$ROOT/image"]).expect_code(0);
    for name in ["a", "b"] {
        let below = format!("image{}", env.expand(&format!("$ROOT/out/{name}")));
        assert_eq!(env.read(&below), "v");
    }
    assert!(!env.path("etc/swaps").exists() && !env.path("ran").exists());
    assert!(fs::read_dir(env.path("out")).expect("it").next().is_none());
}
