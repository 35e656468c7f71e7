//! `block`: a few lines of a file that otherwise belongs to others.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use serde_json::json;

use crate::env::{Env, Run, until};
use crate::metad::Metad;

const HOSTS: &str = "127.0.0.1 localhost\n";
const RELOAD: &str = "reload_cmd = \"echo app >> $ROOT/reloads\"";

/// A resource that makes the block "cluster" of out/hosts.
fn hosts(value: &str, lines: &str) -> Env {
    let env = Env::with_tree(&json!({"k": value}));
    put(&env, "app", "cluster", lines);
    env.put("out/hosts", HOSTS);
    env
}

fn put(env: &Env, name: &str, block: &str, lines: &str) {
    put_with(env, name, block, "{{getv \"/k\"}}\n", lines);
}

fn put_with(env: &Env, name: &str, block: &str, template: &str, lines: &str) {
    env.template(&format!("{name}.tmpl"), template);
    let toml = format!(
        "[template]\nsrc = \"{name}.tmpl\"\ndest = \"$ROOT/out/hosts\"\nkeys = [\"/\"]\n\
         block = \"{block}\"\n{RELOAD}\n{lines}\n"
    );
    env.resource(&format!("{name}.toml"), &toml);
}

fn set(env: &Env, value: &str) {
    env.put("metadata.json", &json!({"k": value}).to_string());
}

fn block(value: &str) -> String {
    format!("# BEGIN confd cluster\n{value}\n# END confd cluster\n")
}

fn tool(env: &Env, name: &str) -> Run {
    env.run(&[name, "-config-file", "$ROOT/etc/confd.toml"])
}

#[test]
fn a_block_is_made_changed_and_emptied_and_the_rest_stays() {
    let env = hosts("10.0.0.1 a", "");
    let path = env.path("out/hosts");
    fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("its mode");
    let settings = ["-config-file", "$ROOT/etc/confd.toml"];
    let diff = env.run(&[&["-diff", "-show-secrets"][..], &settings].concat());
    diff.expect_code(3);
    assert!(diff.stdout.contains("+10.0.0.1 a"), "{}", diff.stdout);
    assert!(!diff.stdout.contains("-127.0.0.1"), "{}", diff.stdout);
    env.onetime().expect_code(0);
    assert_eq!(
        env.read("out/hosts"),
        HOSTS.to_owned() + &block("10.0.0.1 a")
    );
    assert_eq!(fs::metadata(&path).expect("it").mode() & 0o777, 0o640);
    tool(&env, "-diff").expect_code(0);
    // What others write around it stays.
    let around = |text: &str| format!("first\r\n{HOSTS}{text}last");
    env.put("out/hosts", &around(&block("10.0.0.1 a")));
    set(&env, "10.0.0.2 b");
    env.onetime().expect_code(0);
    assert_eq!(
        env.read("out/hosts").replace("\r\n", "\n"),
        around(&block("10.0.0.2 b")).replace("\r\n", "\n")
    );
    assert!(
        env.read("out/hosts")
            .starts_with("first\r\n127.0.0.1 localhost\n#")
    );
    assert!(env.read("out/hosts").ends_with("last"));
    set(&env, "");
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/hosts"), around(""));
    assert_eq!(env.reloads().len(), 3);
    assert_eq!(env.names("out"), ["hosts"]);
}

#[test]
fn a_missing_file_is_made_with_the_block_and_without_one_not_at_all() {
    let env = hosts(
        "",
        "mode = \"0600\"\ninsert = \"begin\"\ncomment = \"<!-- -->\"",
    );
    let path = env.path("out/hosts");
    fs::remove_file(&path).expect("it");
    env.onetime().expect_code(0);
    assert!(env.names("out").is_empty());
    set(&env, "1");
    env.onetime().expect_code(0);
    let text = "<!-- BEGIN confd cluster -->\n1\n<!-- END confd cluster -->\n";
    assert_eq!(env.read("out/hosts"), text);
    assert_eq!(fs::metadata(&path).expect("it").mode() & 0o777, 0o600);
    env.put("out/hosts", "theirs\n");
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/hosts"), format!("{text}theirs\n"));
}

#[test]
fn several_blocks_of_one_file_do_not_disturb_each_other() {
    let env = hosts("1", "");
    put(&env, "other", "second", "");
    let run = env.onetime();
    run.expect_code(0);
    assert!(run.at("WARNING").is_empty(), "{}", run.stderr);
    let text = env.read("out/hosts");
    assert!(
        text.starts_with(HOSTS) && text.contains(&block("1")),
        "{text}"
    );
    let second = "# BEGIN confd second\n1\n# END confd second\n";
    assert!(text.contains(second), "{text}");
    let run = env.onetime();
    run.expect_code(0);
    assert_eq!(env.read("out/hosts"), text);
    let lint = tool(&env, "-lint");
    lint.expect_code(0);
    assert!(!lint.stdout.contains("both"), "{}", lint.stdout);
    // The whole file and a block of it are in each other's way.
    env.template("whole.tmpl", "whole");
    env.resource(
        "whole.toml",
        "[template]\nsrc = \"whole.tmpl\"\ndest = \"$ROOT/out/hosts\"\nkeys = [\"/\"]\n",
    );
    let run = env.onetime();
    assert_eq!(run.at("WARNING").len(), 2, "{}", run.stderr);
    assert_eq!(env.read("out/hosts"), "whole");
}

#[test]
fn another_block_of_the_file_is_no_other_program() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    put(&env, "app", "cluster", "");
    put_with(&env, "other", "second", "{{getv \"/other\"}}\n", "");
    env.put("out/hosts", HOSTS);
    let daemon = env.daemon(&["-watch", "-interval", "1"]);
    env.wait_lines("reloads", 1);
    for other in ["1", "2"] {
        metad.put("/other", other);
        until("both are there", || {
            let text = env.read("out/hosts");
            text.contains("END confd cluster")
                && text.contains(&format!("\n{other}\n# END confd second"))
        });
    }
    // The interval notices a file that a template asks for, and looks at all others as well.
    for name in ["flag-1", "flag-2"] {
        env.simple_with(
            "zz",
            &env.expand(&format!("{{{{fileExists \"$ROOT/{name}\"}}}}")),
            "",
        );
        env.wait_content("out/zz", "false");
        env.put(name, "");
        env.wait_content("out/zz", "true");
    }
    let status = || tool(&env, "-status").stdout;
    let log = daemon.log();
    assert!(
        !(log + &status()).contains("another program"),
        "{}",
        daemon.log()
    );
    env.put("out/hosts", &(env.read("out/hosts") + "theirs\n"));
    until("only their edit is noticed", || {
        status().matches("changed by another program").count() == 2
    });
}

#[test]
fn blocks_of_one_file_in_one_group_are_swapped_and_rolled_back_together() {
    let env = hosts("1", "group = \"both\"\non_reload_failure = \"rollback\"");
    let lines = "group = \"both\"\ninsert = \"begin\"\n\
                 check_cmd = \"cmp {{.src}} {{.stage \\\"app.toml\\\"}}\"";
    put(&env, "other", "second", lines);
    let toml = "[template]\nsrc = \"app.tmpl\"\ndest = \"$ROOT/out/hosts\"\nkeys = [\"/\"]\n\
                block = \"third\"\ngroup = \"both\"\non_reload_failure = \"rollback\"\n\
                reload_cmd = \"! grep bad $ROOT/out/hosts\"\n";
    env.resource("third.toml", toml);
    let all = |value: &str| {
        let named = |name| block(value).replace("cluster", name);
        format!(
            "{}{HOSTS}{}{}",
            named("second"),
            block(value),
            named("third")
        )
    };
    let run = env.onetime();
    run.expect_code(0);
    assert_eq!(env.read("out/hosts"), all("1"), "{}", run.stderr);
    set(&env, "bad");
    let run = env.onetime();
    run.expect_code(1);
    assert_eq!(env.read("out/hosts"), all("1"), "{}", run.stderr);
    assert!(run.stderr.contains("rolled back"), "{}", run.stderr);
    env.onetime().expect_code(1);
    assert_eq!(env.read("out/hosts"), all("1"));
    // Only one of them changes.
    set(&env, "2");
    env.onetime().expect_code(0);
    put_with(&env, "other", "second", "three\n", "group = \"both\"");
    env.onetime().expect_code(0);
    let text = all("2").replacen("\n2\n", "\nthree\n", 1);
    assert_eq!(env.read("out/hosts"), text);
    assert_eq!(fs::read_dir(env.path("out")).expect("it").count(), 1);
}

#[test]
fn a_comment_is_closed() {
    for (comment, begin, end) in [
        ("//", "// BEGIN confd cluster", "// END confd cluster"),
        (
            "<!--",
            "<!-- BEGIN confd cluster -->",
            "<!-- END confd cluster -->",
        ),
        ("/*", "/* BEGIN confd cluster */", "/* END confd cluster */"),
        (
            "(* *)",
            "(* BEGIN confd cluster *)",
            "(* END confd cluster *)",
        ),
    ] {
        let env = hosts("1", &format!("comment = \"{comment}\""));
        env.onetime().expect_code(0);
        assert_eq!(env.read("out/hosts"), format!("{HOSTS}{begin}\n1\n{end}\n"));
    }
}

#[test]
fn create_only_makes_a_missing_block_and_never_changes_it() {
    for is_there in [true, false] {
        let env = hosts("1", "create_only = true");
        put(&env, "other", "second", "create_only = true");
        if !is_there {
            fs::remove_file(env.path("out/hosts")).expect("it");
        }
        let before = if is_there { HOSTS } else { "" };
        env.onetime().expect_code(0);
        let second = block("1").replace("cluster", "second");
        let text = format!("{before}{}{second}", block("1"));
        assert_eq!(env.read("out/hosts"), text);
        for value in ["2", ""] {
            set(&env, value);
            tool(&env, "-diff").expect_code(0);
            env.onetime().expect_code(0);
            assert_eq!(env.read("out/hosts"), text);
        }
        set(&env, "3");
        env.put("out/hosts", &second);
        env.onetime().expect_code(0);
        assert_eq!(env.read("out/hosts"), second + &block("3"));
        assert_eq!(env.reloads().len(), 2);
    }
}

#[test]
fn damaged_markers_are_an_error_and_nothing_changes() {
    for damaged in [
        "# BEGIN confd cluster\nx\n".to_owned(),
        "# END confd cluster\nx\n".to_owned(),
        block("1") + &block("2"),
        "# END confd cluster\n# BEGIN confd cluster\n".to_owned(),
    ] {
        let env = hosts("1", "");
        env.put("out/hosts", &damaged);
        let run = env.onetime();
        run.expect_code(1);
        let errors = run.at("ERROR");
        let place = env.expand("$ROOT/out/hosts");
        assert!(
            errors[0].contains(&place) && errors[0].contains("marker"),
            "{}",
            run.stderr
        );
        assert_eq!(env.read("out/hosts"), damaged);
        assert!(env.reloads().is_empty());
        assert_eq!(tool(&env, "-diff").code(), Some(1));
    }
    let env = hosts("# END confd cluster", "");
    env.onetime().expect_code(1);
    assert_eq!(env.read("out/hosts"), HOSTS);
}

#[test]
fn what_makes_no_sense_is_an_error_of_the_resource_and_of_lint() {
    for line in ["insert = \"middle\"", "comment = \"\"", "comment = \" #\""] {
        let env = hosts("1", line);
        let run = env.onetime();
        run.expect_code(1);
        let key = line.split(' ').next().expect("a key");
        assert!(run.at("ERROR")[0].contains(key), "{}", run.stderr);
        assert_eq!(tool(&env, "-lint").code(), Some(1));
        assert_eq!(env.read("out/hosts"), HOSTS);
    }
    let env = hosts("1", "");
    put(&env, "app", "", "");
    env.onetime().expect_code(1);
}

#[test]
fn an_edit_between_reading_and_swapping_is_kept() {
    let env = hosts(
        "1",
        "check_cmd = \"test -e $ROOT/edited || echo edited >> $ROOT/out/hosts; touch $ROOT/edited\"",
    );
    let run = env.onetime();
    run.expect_code(0);
    let text = format!("{HOSTS}edited\n{}", block("1"));
    assert_eq!(env.read("out/hosts"), text, "{}", run.stderr);
    assert_eq!(env.reloads(), ["app"]);
}

#[test]
fn a_file_that_is_edited_all_the_time_is_an_error_in_the_end() {
    let env = hosts("1", "check_cmd = \"echo again >> $ROOT/out/hosts\"");
    let run = env.onetime();
    run.expect_code(1);
    assert!(
        run.at("ERROR")[0].contains("another program"),
        "{}",
        run.stderr
    );
    assert!(env.read("out/hosts").starts_with(HOSTS));
    assert!(env.reloads().is_empty());
}

#[test]
fn a_file_that_appears_before_the_swap_is_kept() {
    let env = hosts(
        "1",
        "check_cmd = \"test -e $ROOT/out/hosts || echo theirs > $ROOT/out/hosts\"",
    );
    fs::remove_file(env.path("out/hosts")).expect("it");
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/hosts"), format!("theirs\n{}", block("1")));
}

#[test]
fn a_link_is_followed_and_stays() {
    let env = hosts("1", "");
    fs::rename(env.path("out/hosts"), env.path("out/real")).expect("it");
    symlink("real", env.path("out/hosts")).expect("a link");
    env.onetime().expect_code(0);
    let link = fs::symlink_metadata(env.path("out/hosts")).expect("it");
    assert!(link.is_symlink());
    assert_eq!(env.read("out/real"), HOSTS.to_owned() + &block("1"));
}

#[test]
fn a_bind_mount_gets_its_block() {
    let env = hosts("1", "");
    env.put("inner", HOSTS);
    let mounts = env.expand("mount --bind $ROOT/inner $ROOT/out/hosts");
    for (value, text) in [("1", block("1")), ("2", block("2")), ("", String::new())] {
        set(&env, value);
        let run = env.onetime_with_mounts("a_bind_mount_gets_its_block", &mounts);
        let Some(run) = run else { return };
        run.expect_code(0);
        assert_eq!(env.read("inner"), HOSTS.to_owned() + &text);
    }
    assert_eq!(env.read("out/hosts"), HOSTS);
}

#[test]
fn the_block_goes_with_its_resource() {
    let metad = Metad::start(json!({"k": "1"}));
    let env = Env::with_metad(&metad);
    put(&env, "app", "cluster", "");
    put(&env, "other", "second", "");
    env.put("out/hosts", HOSTS);
    let daemon = env.daemon(&["-watch", "-interval", "1"]);
    until("both are there", || {
        let text = env.read("out/hosts");
        text.contains("END confd cluster") && text.contains("END confd second")
    });
    metad.wait_idle();
    env.wait_lines("reloads", 2);
    // Another name of the same resource; then none.
    put(&env, "app", "renamed", "");
    until("the old one is gone", || {
        let text = env.read("out/hosts");
        !text.contains("confd cluster") && text.contains("END confd renamed")
    });
    fs::remove_file(env.path("etc/conf.d/app.toml")).expect("it");
    let second = "# BEGIN confd second\n1\n# END confd second\n";
    env.wait_content("out/hosts", &format!("{HOSTS}{second}"));
    daemon.stop();
    // In a one-time run, too; another conf.d file may take it over.
    fs::rename(
        env.path("etc/conf.d/other.toml"),
        env.path("etc/conf.d/another.toml"),
    )
    .expect("renamed");
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/hosts"), format!("{HOSTS}{second}"));
    fs::remove_file(env.path("etc/conf.d/another.toml")).expect("it");
    env.simple("unrelated", "x");
    let before = env.reloads().len();
    let diff = tool(&env, "-diff");
    diff.expect_code(3);
    assert!(
        diff.stdout.contains("-# BEGIN confd second"),
        "{}",
        diff.stdout
    );
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/hosts"), HOSTS);
    assert_eq!(env.reloads().len(), before + 2, "its reload, too");
    env.onetime().expect_code(0);
    assert_eq!(env.reloads().len(), before + 2);
    assert!(!env.path("etc/made").exists() || env.names("etc/made").is_empty());
}

#[test]
fn noop_says_what_it_would_do_to_a_block_and_leaves_it() {
    let env = hosts("1", "");
    env.onetime().expect_code(0);
    let before = env.read("out/hosts");
    fs::remove_file(env.path("etc/conf.d/app.toml")).expect("it");
    let run = env.onetime_with(&["-noop"]);
    run.expect_code(0);
    assert_eq!(env.read("out/hosts"), before);
    assert!(
        run.stderr.contains("will not be modified"),
        "{}",
        run.stderr
    );
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/hosts"), HOSTS);
}
