//! `for_each`: one template, many files, and their removal.

use std::fs;

use serde_json::{Value as Json, json};

use crate::env::{Env, Run, until};
use crate::metad::Metad;

fn put(env: &Env, for_each: &str, dest: &str, template: &str, lines: &str) {
    env.template("site.tmpl", template);
    let toml = format!(
        "[template]\nsrc = \"site.tmpl\"\nfor_each = '{for_each}'\ndest = '$ROOT/out/{dest}'\n\
         keys = [\"/\"]\n{lines}\n"
    );
    env.resource("sites.toml", &toml);
}

fn sites(tree: &Json, lines: &str) -> Env {
    let env = Env::with_tree(tree);
    put(
        &env,
        "lsdir \"/sites\"",
        "{{.}}.conf",
        "{{.}} {{getv (printf \"/sites/%s/port\" .)}}",
        lines,
    );
    env
}

fn set(env: &Env, tree: &Json) {
    env.put("metadata.json", &tree.to_string());
}

fn tool(env: &Env, arguments: &[&str]) -> Run {
    env.run(&[&["-config-file", "$ROOT/etc/confd.toml"], arguments].concat())
}

const RELOAD: &str = "reload_cmd = \"echo all >> $ROOT/reloads\"";

#[test]
fn each_item_has_a_file_and_those_of_gone_items_are_removed() {
    let two = json!({"sites": {"a": {"port": "1"}, "b": {"port": "2"}}});
    let env = sites(&two, RELOAD);
    env.put("out/c.conf", "somebody's");
    tool(&env, &["-lint"]).expect_code(0);
    let diff = tool(&env, &["-diff"]);
    diff.expect_code(3);
    assert!(diff.stdout.contains("+b 2"), "{}", diff.stdout);
    env.onetime().expect_code(0);
    assert_eq!(env.names("out"), ["a.conf", "b.conf", "c.conf"]);
    assert_eq!(env.read("out/b.conf"), "b 2");
    assert_eq!(env.reloads(), ["all"], "once for both");
    tool(&env, &["-diff"]).expect_code(0);
    // One changes: only that is written.
    let before = fs::metadata(env.path("out/a.conf"))
        .expect("it")
        .modified()
        .expect("a time");
    set(
        &env,
        &json!({"sites": {"a": {"port": "1"}, "b": {"port": "3"}}}),
    );
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/b.conf"), "b 3");
    let after = fs::metadata(env.path("out/a.conf"))
        .expect("it")
        .modified()
        .expect("a time");
    assert_eq!((before, env.reloads().len()), (after, 2));
    // One goes.
    set(&env, &json!({"sites": {"b": {"port": "3"}}}));
    let diff = tool(&env, &["-diff"]);
    diff.expect_code(3);
    assert!(diff.stdout.contains("-a 1"), "{}", diff.stdout);
    let noop = env.onetime_with(&["-noop"]);
    noop.expect_code(0);
    assert_eq!(env.names("out"), ["a.conf", "b.conf", "c.conf"]);
    let run = env.onetime();
    run.expect_code(0);
    assert_eq!(env.names("out"), ["b.conf", "c.conf"]);
    let line = env.expand("Target config $ROOT/out/a.conf has been removed");
    assert!(run.stderr.contains(&line), "{}", run.stderr);
    assert_eq!(env.reloads().len(), 3);
    // All go, but not what somebody else has made.
    set(&env, &json!({"other": "x"}));
    env.onetime().expect_code(0);
    assert_eq!(env.names("out"), ["c.conf"]);
    assert_eq!(env.reloads().len(), 4);
    env.onetime().expect_code(0);
    assert_eq!(env.reloads().len(), 4);
}

#[test]
fn the_daemon_follows_the_list() {
    let metad = Metad::start(json!({"sites": {"a": {"port": "1"}}}));
    let env = Env::with_metad(&metad);
    put(
        &env,
        "gets \"/sites/*/port\"",
        "{{base (dir .Key)}}-{{.Value}}",
        "{{.Key}}={{.Value}}",
        "mode = '06{{.Value}}0'\nreload_cmd = 'echo {{base (dir .Key)}} >> $ROOT/reloads'",
    );
    let daemon = env.daemon(&["-watch"]);
    env.wait_content("out/a-1", "/sites/a/port=1");
    metad.put("/sites/b/port", "4");
    env.wait_content("out/b-4", "/sites/b/port=4");
    env.wait_lines("reloads", 2);
    let mode = fs::metadata(env.path("out/b-4")).expect("it").permissions();
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777,
        0o640
    );
    metad.put("/sites/a/port", "2");
    env.wait_content("out/a-2", "/sites/a/port=2");
    until("the file of before is gone", || {
        env.names("out") == ["a-2", "b-4"]
    });
    env.wait_lines("reloads", 3);
    until("the status has its files", || {
        let status = tool(&env, &["-status"]);
        status.code() == Some(0) && status.stdout.contains("out/b-4")
    });
    daemon.stop();
    // A restart knows them.
    metad.set(json!({"x": "y"}));
    let daemon = env.daemon(&["-watch"]);
    until("all are gone", || env.names("out").is_empty());
    env.wait_lines("reloads", 5);
    let reloads = env.reloads();
    let (before, mut last) = (&reloads[..3], reloads[3..].to_vec());
    last.sort();
    assert_eq!(before, ["a", "b", "a"], "{}", daemon.log());
    assert_eq!(last, ["a", "b"], "{}", daemon.log());
}

#[test]
fn a_reload_that_fails_after_a_removal_is_retried_and_shown() {
    let metad = Metad::start(json!({"sites": {"a": {"port": "1"}, "b": {"port": "2"}}}));
    for is_retried in [false, true] {
        metad.put("/sites/b/port", "2");
        let env = Env::with_metad(&metad);
        let lines = format!(
            "reload_retry = {is_retried}\nreload_cmd_timeout = '1s'\nreload_cmd = \
             'echo {{{{.}}}} >> $ROOT/reloads; test ! -e $ROOT/bad || sleep 60'"
        );
        put(&env, "lsdir \"/sites\"", "{{.}}.conf", "{{.}}", &lines);
        let daemon = env.daemon(&["-watch"]);
        env.wait_lines("reloads", 2);
        env.put("bad", "");
        metad.delete("/sites/b");
        until("the failure is shown", || {
            let status = tool(&env, &["-status"]);
            status.code() == Some(1) && status.stdout.contains("timed out after 1s")
        });
        assert_eq!(env.names("out"), ["a.conf"], "{}", daemon.log());
        fs::remove_file(env.path("bad")).expect("it");
        if is_retried {
            until("the reload works", || {
                tool(&env, &["-status"]).code() == Some(0)
            });
            assert!(
                env.reloads()[3..].contains(&"b".to_owned()),
                "{}",
                daemon.log()
            );
        } else {
            // It is forgotten once another reload of the list works.
            metad.put("/sites/c/port", "3");
            env.wait_lines("reloads", 4);
            until("all is well", || tool(&env, &["-status"]).code() == Some(0));
            metad.delete("/sites/c");
        }
    }
}

#[test]
fn a_reload_of_an_item_is_retried_after_a_restart() {
    let metad = Metad::start(json!({"sites": {"a": {"port": "1"}, "b": {"port": "2"}}}));
    let env = Env::with_metad(&metad);
    let lines = "reload_retry = true\n\
                 reload_cmd = 'echo {{.}} >> $ROOT/reloads; test ! -e $ROOT/bad'";
    put(&env, "lsdir \"/sites\"", "{{.}}.conf", "{{.}}", lines);
    let mut daemon = env.daemon(&["-watch"]);
    env.wait_lines("reloads", 2);
    env.put("bad", "");
    // One that is gone, and one that is new.
    metad.delete("/sites/b");
    metad.put("/sites/c/port", "3");
    until("both are tried", || {
        let reloads = env.reloads();
        ["b", "c"]
            .iter()
            .all(|name| reloads[2..].iter().any(|line| line == name))
    });
    daemon.kill();
    env.put("reloads", "");
    let daemon = env.daemon(&["-watch"]);
    until("both are tried again and again", || {
        let reloads = env.reloads();
        let count = |name| reloads.iter().filter(|line| *line == name).count();
        count("b") > 1 && count("c") > 1
    });
    fs::remove_file(env.path("bad")).expect("it");
    until("they work", || tool(&env, &["-status"]).code() == Some(0));
    daemon.stop();
}

#[test]
fn an_item_cannot_leave_its_directory_and_changes_nothing() {
    for item in [
        "..",
        ".",
        "a/b",
        "../x",
        "/etc/passwd",
        "",
        "a\u{0}b",
        "a\nb",
        "a\\b",
    ] {
        let env = Env::with_tree(&json!({"names": {"1": "good", "2": item}}));
        put(&env, "getvs \"/names/*\"", "{{.}}.conf", "x", RELOAD);
        env.simple("other", "x");
        env.put("out/good.conf", "old");
        let run = env.onetime();
        run.expect_code(1);
        let errors = run.at("ERROR");
        let named = format!("{item:?}");
        assert!(errors[0].contains(&named), "{named}: {}", run.stderr);
        assert_eq!(errors[0].matches("sites.toml").count(), 1, "{}", run.stderr);
        assert_eq!(env.names("out"), ["good.conf", "other"]);
        assert_eq!(env.read("out/good.conf"), "old");
        assert_eq!(tool(&env, &["-diff"]).code(), Some(1));
    }
}

#[test]
fn two_items_cannot_make_one_file() {
    let env = Env::with_tree(&json!({"names": {"1": "One", "2": "one"}}));
    put(&env, "getvs \"/names/*\"", "{{toLower .}}", "x", "");
    let run = env.onetime();
    run.expect_code(1);
    let error = run.at("ERROR")[0];
    assert!(
        error.contains("\"One\"") && error.contains("\"one\""),
        "{error}"
    );
    assert!(env.names("out").is_empty());
}

#[test]
fn two_lists_may_make_different_files_of_one_pattern() {
    let tree = json!({"sites": {"a": {"port": "1"}}, "more": {"b": "2"}});
    let env = sites(&tree, RELOAD);
    env.resource(
        "more.toml",
        "[template]\nsrc = \"more.tmpl\"\nfor_each = 'ls \"/more\"'\ndest = '$ROOT/out/{{.}}.conf'\n\
         keys = [\"/\"]\n",
    );
    env.template("more.tmpl", "{{.}} more");
    let lint = tool(&env, &["-lint"]);
    assert!(!lint.stdout.contains("E202"), "{}", lint.stdout);
    let run = env.onetime();
    run.expect_code(0);
    assert!(run.at("WARNING").is_empty(), "{}", run.stderr);
    assert_eq!(env.names("out"), ["a.conf", "b.conf"]);
}

#[test]
fn an_item_is_never_a_piece_of_shell() {
    for item in [
        "$(touch hacked)",
        "a; touch hacked",
        "`touch hacked`",
        "-rf",
        "a'b",
        "a b",
    ] {
        let env = Env::with_tree(&json!({"names": {"1": item}}));
        let lines = "reload_cmd = 'echo \"{{.}}\" >> $ROOT/reloads'";
        put(&env, "getvs \"/names/*\"", "{{.}}.conf", "x", lines);
        let run = env.onetime();
        run.expect_code(1);
        assert!(run.at("ERROR")[0].contains("reload_cmd"), "{}", run.stderr);
        assert!(env.names("out").is_empty() && !env.path("hacked").exists());
        // Where no command has it, it is a name like any other.
        put(&env, "getvs \"/names/*\"", "{{.}}.conf", "{{.}}", RELOAD);
        env.onetime().expect_code(0);
        assert_eq!(env.read(&format!("out/{item}.conf")), item);
    }
}

#[test]
fn one_item_that_fails_does_not_stop_the_others() {
    let tree = json!({"sites": {"a": {"port": "1"}, "b": {"x": "2"}, "c": {"port": "3"}}});
    let env = sites(&tree, RELOAD);
    let run = env.onetime();
    run.expect_code(1);
    assert_eq!(env.names("out"), ["a.conf", "c.conf"]);
    assert!(run.stderr.contains("for item \"b\""), "{}", run.stderr);
    // And it is not taken for gone.
    env.put("out/b.conf", "old");
    env.onetime().expect_code(1);
    assert_eq!(env.read("out/b.conf"), "old");
}

#[test]
fn what_is_no_list_is_an_error() {
    for (for_each, words) in [
        ("getv \"/k\"", "no list"),
        ("json \"{}\"", "no list"),
        ("jsonArray \"[[1]]\"", "neither a string nor a pair"),
        ("getv \"/none\"", "/none"),
        ("nofunc", "nofunc"),
        ("lsdir (", "for_each"),
    ] {
        let env = Env::with_tree(&json!({"k": "v"}));
        put(&env, for_each, "{{.}}", "x", "");
        let run = env.onetime();
        run.expect_code(1);
        assert!(run.stderr.contains(words), "{for_each}: {}", run.stderr);
    }
    let env = Env::with_tree(&json!({"k": "v"}));
    put(&env, "lsdir \"/\"", "fixed", "x", "");
    env.onetime().expect_code(1);
    tool(&env, &["-lint"]).expect_code(1);
}

#[test]
fn the_files_stay_when_the_resource_goes_and_are_known_when_it_is_back() {
    let env = sites(
        &json!({"sites": {"a": {"port": "1"}, "b": {"port": "2"}}}),
        RELOAD,
    );
    env.onetime().expect_code(0);
    let toml = env.read("etc/conf.d/sites.toml");
    fs::remove_file(env.path("etc/conf.d/sites.toml")).expect("it");
    env.simple("other", "x");
    env.onetime().expect_code(0);
    assert_eq!(env.names("out"), ["a.conf", "b.conf", "other"]);
    set(&env, &json!({"sites": {"b": {"port": "2"}}}));
    env.resource("sites.toml", &toml);
    env.onetime().expect_code(0);
    assert_eq!(env.names("out"), ["b.conf", "other"]);
}

#[test]
fn a_file_that_was_right_before_is_not_removed() {
    for is_restarted in [false, true] {
        let metad = Metad::start(json!({"sites": {"a": {"port": "1"}, "b": {"port": "2"}}}));
        let env = Env::with_metad(&metad);
        let lines = "check_cmd = 'true'";
        put(&env, "lsdir \"/sites\"", "{{.}}.conf", "{{.}}", lines);
        env.put("out/a.conf", "a");
        let mut daemon = env.daemon(&["-watch"]);
        env.wait_content("out/b.conf", "b");
        metad.wait_idle();
        if is_restarted {
            daemon.stop();
            daemon = env.daemon(&["-watch"]);
        }
        metad.set(json!({"sites": {"c": {"port": "3"}}}));
        env.wait_content("out/c.conf", "c");
        until("only what it has made is removed", || {
            env.names("out") == ["a.conf", "c.conf"]
        });
        daemon.stop();
        env.onetime().expect_code(0);
        assert_eq!(env.names("out"), ["a.conf", "c.conf"]);
    }
}

#[test]
fn the_files_go_when_the_resource_has_no_items_any_more() {
    let two = json!({"sites": {"a": {"port": "1"}, "b": {"port": "2"}}});
    let env = sites(&two, RELOAD);
    env.put("out/theirs.conf", "x");
    env.onetime().expect_code(0);
    let toml = env.read("etc/conf.d/sites.toml");
    let toml = toml.replace("for_each", "# ");
    // It makes one of the files itself.
    env.resource("sites.toml", &toml.replace("{{.}}", "a"));
    env.template("site.tmpl", "a 1");
    let diff = tool(&env, &["-diff"]);
    diff.expect_code(3);
    assert!(diff.stdout.contains("removes"), "{}", diff.stdout);
    assert!(!diff.stdout.contains("a.conf"), "{}", diff.stdout);
    let before = env.reloads().len();
    let run = env.onetime();
    run.expect_code(0);
    assert!(run.at("WARNING").is_empty(), "{}", run.stderr);
    assert_eq!(env.names("out"), ["a.conf", "theirs.conf"]);
    assert_eq!(env.reloads().len(), before + 1);
    tool(&env, &["-diff"]).expect_code(0);
    env.onetime().expect_code(0);
    assert_eq!(env.names("out"), ["a.conf", "theirs.conf"]);
    assert!(env.names("etc/made").is_empty());
}

#[test]
fn the_daemon_removes_the_files_when_for_each_is_taken_out() {
    let metad = Metad::start(json!({"sites": {"a": {"port": "1"}, "b": {"port": "2"}}}));
    let env = Env::with_metad(&metad);
    put(&env, "lsdir \"/sites\"", "{{.}}.conf", "x", RELOAD);
    let daemon = env.daemon(&["-watch", "-interval", "1"]);
    env.wait_lines("reloads", 1);
    let toml = env.read("etc/conf.d/sites.toml");
    let toml = toml.replace("for_each", "# ").replace("{{.}}", "one");
    env.resource("sites.toml", &toml);
    until("only its own file is there", || {
        env.names("out") == ["one.conf"]
    });
    until("status forgets the others", || {
        let status = tool(&env, &["-status"]);
        status.code() == Some(0) && !status.stdout.contains("a.conf")
    });
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn what_another_resource_makes_now_is_not_removed() {
    // The other one stands before and behind it in file order, and may be a list itself.
    for (name, for_each) in [
        ("another", ""),
        ("zz", ""),
        ("another", "for_each = 'lsdir \"/moved\"'\n"),
        ("zz", "for_each = 'lsdir \"/moved\"'\n"),
    ] {
        let env = sites(
            &json!({"sites": {"a": {"port": "1"}, "b": {"port": "2"}}}),
            RELOAD,
        );
        env.onetime().expect_code(0);
        set(
            &env,
            &json!({"sites": {"a": {"port": "1"}}, "moved": {"b": {"port": "3"}}}),
        );
        let file = if for_each.is_empty() { "b" } else { "{{.}}" };
        env.template("moved.tmpl", "moved");
        let toml = format!(
            "[template]\nsrc = \"moved.tmpl\"\ndest = '$ROOT/out/{file}.conf'\n\
             keys = [\"/\"]\n{for_each}"
        );
        env.resource(&format!("{name}.toml"), &toml);
        let diff = tool(&env, &["-diff"]);
        assert!(!diff.stdout.contains("removes"), "{}", diff.stdout);
        for _ in 0..2 {
            let run = env.onetime();
            run.expect_code(0);
            assert!(run.at("WARNING").is_empty(), "{}", run.stderr);
            assert_eq!(env.names("out"), ["a.conf", "b.conf"], "{name} {for_each}");
            assert_eq!(env.read("out/b.conf"), "moved");
        }
        // It is not the list's any more.
        fs::remove_file(env.path(&format!("etc/conf.d/{name}.toml"))).expect("it");
        env.onetime().expect_code(0);
        assert_eq!(env.names("out"), ["a.conf", "b.conf"]);
    }
}

#[test]
fn a_removal_runs_the_reload_that_there_is_now() {
    let env = sites(
        &json!({"sites": {"a": {"port": "1"}, "b": {"port": "2"}}}),
        RELOAD,
    );
    env.onetime().expect_code(0);
    let toml = env.read("etc/conf.d/sites.toml");
    env.resource("sites.toml", &toml.replace("echo all", "echo new"));
    env.onetime().expect_code(0);
    set(&env, &json!({"sites": {"a": {"port": "1"}}}));
    env.onetime().expect_code(0);
    assert_eq!(env.names("out"), ["a.conf"]);
    assert_eq!(env.reloads(), ["all", "new"]);
}

#[test]
fn a_block_in_each_of_many_files() {
    let env = Env::with_tree(&json!({"sites": {"a": {"port": "1"}, "b": {"port": "2"}}}));
    put(&env, "lsdir \"/sites\"", "{{.}}", "{{.}}", "block = \"x\"");
    env.put("out/a", "theirs\n");
    env.onetime().expect_code(0);
    assert_eq!(
        env.read("out/a"),
        "theirs\n# BEGIN confd x\na\n# END confd x\n"
    );
    set(&env, &json!({"sites": {"b": {"port": "2"}}}));
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/a"), "theirs\n");
}

#[test]
fn against_knows_the_files_without_metadata() {
    let env = sites(&json!({"sites": {"a": {"port": "1"}}}), "backup = 1");
    env.onetime().expect_code(0);
    set(&env, &json!({"sites": {"a": {"port": "2"}}}));
    env.onetime().expect_code(0);
    fs::remove_file(env.path("metadata.json")).expect("it");
    let run = tool(&env, &["-diff", "-against", "1"]);
    run.expect_code(3);
    assert!(
        run.stdout.contains("-a 1") && run.stdout.contains("+a 2"),
        "{}",
        run.stdout
    );
}

#[test]
fn the_other_tools_know_it() {
    let env = sites(
        &json!({"hosts": {"i-1": {"ip": "10.0.0.1"}}, "host": {"ip": "10.0.0.1"}}),
        "",
    );
    put(
        &env,
        "lsdir \"/hosts\"",
        "{{.}}.conf",
        "{{getv (printf \"/hosts/%s/ip\" .)}}",
        "",
    );
    let run = tool(
        &env,
        &["-rehearse", "$ROOT/metadata.json", "-root", "$ROOT/life"],
    );
    run.expect_code(0);
    tool(&env, &["-doctor"]);
    let run = env.onetime_with(&["-root", "$ROOT/image"]);
    run.expect_code(0);
    let below = format!("image{}", env.expand("$ROOT/out/i-1.conf"));
    assert_eq!(env.read(&below), "10.0.0.1");
    assert!(!env.path("etc/made").exists());
}
