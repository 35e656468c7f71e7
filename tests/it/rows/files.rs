//! Rows 5, 6, 10, 15, 16, 17: what is read from conf.d, and what becomes of dest.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::process::Command;

use serde_json::json;

use crate::apply::is_root;
use crate::env::{Env, confd};

#[test]
fn row_05_one_broken_resource_does_not_stop_the_others() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.resource("a.toml", "[template\nsrc = ");
    env.simple("b", "{{if}}");
    env.simple("c", r#"{{getv "/none"}}"#);
    env.resource(
        "d.toml",
        "[template]\nsrc = \"d.tmpl\"\ndest = \"$ROOT/out/d\"\nkeys = [\"/\"]\n",
    );
    env.resource("e.toml", "[template]\nsrc = \"c.tmpl\"\n");
    env.simple("f", r#"{{getv "/k"}}"#);
    symlink("nowhere", env.path("etc/conf.d/g.toml")).expect("a link");
    let run = env.onetime();
    run.expect_code(1);
    for noun in [
        "conf.d/a.toml",
        "b.tmpl",
        "c.tmpl",
        "d.tmpl",
        "conf.d/e.toml",
        "conf.d/g.toml",
    ] {
        assert!(
            run.at("ERROR").iter().any(|line| line.contains(noun)),
            "{noun} in:\n{}",
            run.stderr
        );
    }
    assert_eq!(env.names("out"), ["f"]);
    assert_eq!(env.read("out/f"), "v");
    assert_eq!(env.reloads(), ["f"]);
}

#[test]
fn row_06_a_misspelt_key_is_named_with_its_file_line_and_likely_key() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple_with("app", "x", "relaod_cmd = \"true\"");
    let line = env.lines("etc/conf.d/app.toml").len();
    let run = env.onetime();
    run.expect_code(0);
    let warnings = run.at("WARNING");
    assert_eq!(warnings.len(), 1, "{}", run.stderr);
    let place = env.expand(&format!("$ROOT/etc/conf.d/app.toml:{line}"));
    for word in [place.as_str(), "relaod_cmd", "\"reload_cmd\""] {
        assert!(warnings[0].contains(word), "{word} in {}", warnings[0]);
    }
    assert_eq!(env.read("out/app"), "x");
}

#[test]
fn row_10_the_target_of_a_link_is_replaced_not_the_link() {
    let env = Env::with_tree(&json!({"k": "new"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    env.put("data/real", "old");
    symlink("hop", env.path("out/app")).expect("a link");
    symlink("../data/real", env.path("out/hop")).expect("a link");
    env.onetime().expect_code(0);
    assert_eq!(env.read("data/real"), "new");
    assert!(env.path("out/app").is_symlink() && env.path("out/hop").is_symlink());
    assert_eq!(env.names("data"), ["real"]);
}

#[test]
fn row_10_owner_and_mode_stay_unless_configured() {
    if !is_root("row_10_owner_and_mode_stay_unless_configured") {
        return;
    }
    let env = Env::with_tree(&json!({"k": "new"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    env.put("out/app", "old");
    chown(env.path("out/app"), Some(12345), Some(54321)).expect("root may");
    fs::set_permissions(env.path("out/app"), Permissions::from_mode(0o600)).expect("a mode");
    env.onetime().expect_code(0);
    let data = fs::metadata(env.path("out/app")).expect("the file");
    assert_eq!((data.uid(), data.gid()), (12345, 54321));
    assert_eq!(data.mode() & 0o7777, 0o600);
    assert_eq!(env.read("out/app"), "new");
}

#[test]
fn row_10_owner_and_group_names_apply() {
    if !is_root("row_10_owner_and_group_names_apply") {
        return;
    }
    let id = |flag| {
        let output = Command::new("id").args([flag, "nobody"]).output();
        let text = String::from_utf8(output.expect("id").stdout).expect("digits");
        text.trim().parse::<u32>().expect("a number")
    };
    let group = Command::new("id").args(["-gn", "nobody"]).output();
    let group = String::from_utf8(group.expect("id").stdout).expect("a name");
    let env = Env::with_tree(&json!({"k": "new"}));
    let lines = format!("owner = \"nobody\"\ngroup = \"{}\"", group.trim());
    env.simple_with("app", "x", &lines);
    env.onetime().expect_code(0);
    let data = fs::metadata(env.path("out/app")).expect("the file");
    assert_eq!((data.uid(), data.gid()), (id("-u"), id("-g")));
}

#[test]
fn row_10_numbers_are_owners_and_groups_too() {
    let env = Env::with_tree(&json!({"k": "new"}));
    // Each of these is in files that the original reads, which does not know the keys.
    let root = is_root("row_10_numbers_are_owners_and_groups_too");
    let own = fs::metadata(env.path("out")).expect("a directory");
    let (uid, gid) = if root {
        (12345, 54321)
    } else {
        (own.uid(), own.gid())
    };
    env.simple_with("app", "x", &format!("owner = {uid}\ngroup = {gid}"));
    env.simple_with("other", "x", &format!("owner = {uid}\ngroup = {gid}"));
    env.simple_with("fails", "{{if}}", &format!("group = {gid}"));
    for (name, text) in [("named", "x"), ("named-fails", "{{if}}")] {
        env.simple_with(name, text, &format!("owner = {uid}\ngroup = \"no-such\""));
    }
    env.onetime().expect_code(1);
    assert!(env.path("out/named").exists(), "its owner makes it no unit");
    let data = fs::metadata(env.path("out/app")).expect("the file");
    assert_eq!((data.uid(), data.gid()), (uid, gid));
    assert!(env.path("out/other").exists(), "a number is no unit");
    env.resource("fails.toml", "");
    let report = env.run(&["-lint", "-config-file", "$ROOT/etc/confd.toml"]);
    assert!(!report.stdout.contains("E102"), "{}", report.stdout);
}

#[test]
fn row_10_others_than_root_make_files_of_their_own() {
    const NOBODY: u32 = 65_534;
    if !is_root("row_10_others_than_root_make_files_of_their_own") {
        return;
    }
    let env = Env::in_public();
    env.put("metadata.json", "{\"k\": \"new\"}");
    env.simple_with(
        "app",
        r#"{{getv "/k"}}"#,
        "uid = 0\ngid = 0\nmode = \"0640\"",
    );
    env.simple("kept", r#"{{getv "/k"}}"#);
    env.put("out/kept", "old");
    env.put("reloads", "");
    for (path, mode) in [("", 0o755), ("out", 0o777), ("reloads", 0o666)] {
        let mode = Permissions::from_mode(mode);
        fs::set_permissions(env.path(path), mode).expect("a mode");
    }
    let run = || {
        let mut command = env.command(&[
            "-onetime",
            "-config-file",
            "$ROOT/etc/confd.toml",
            "-backend=file",
            "-file=$ROOT/metadata.json",
        ]);
        std::os::unix::process::CommandExt::uid(&mut command, NOBODY);
        std::os::unix::process::CommandExt::gid(&mut command, NOBODY);
        command
    };
    if run().output().is_err() {
        eprintln!("SKIPPED: others may not come to {}", confd());
        return;
    }
    let first = env.finish(run());
    first.expect_code(0);
    for name in ["app", "kept"] {
        let data = fs::metadata(env.path(&format!("out/{name}"))).expect("the file");
        assert_eq!((data.uid(), data.gid()), (NOBODY, NOBODY), "{name}");
        assert_eq!(env.read(&format!("out/{name}")), "new");
    }
    let data = fs::metadata(env.path("out/app")).expect("the file");
    assert_eq!(data.mode() & 0o7777, 0o640);
    // One that changes nothing runs nothing.
    env.finish(run())
        .expect_code(0)
        .expect_no_log("has been updated");
    assert_eq!(env.reloads(), ["kept"]);
}

#[test]
fn row_10_a_name_that_nobody_has_is_a_warning_and_no_more() {
    let env = Env::with_tree(&json!({"k": "new"}));
    env.simple_with(
        "app",
        "x",
        "owner = \"no-such-user\"\ngroup = \"no-such-group\"",
    );
    let run = env.onetime();
    run.expect_code(0);
    let warnings = run.at("WARNING");
    assert_eq!(warnings.len(), 2, "{}", run.stderr);
    let dest = env.expand("$ROOT/out/app");
    for (warning, name) in warnings.iter().zip(["no-such-user", "no-such-group"]) {
        for word in [name, "conf.d/app.toml", &dest] {
            assert!(warning.contains(word), "{word} in {warning}");
        }
    }
    assert_eq!(env.read("out/app"), "x");
}

#[test]
fn row_15_an_empty_default_is_a_default() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple("app", r#"[{{getv "/none" ""}}]"#);
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/app"), "[]");
}

#[test]
fn row_16_leftovers_of_a_killed_run_are_cleared() {
    let env = Env::with_tree(&json!({"k": "new"}));
    let gate = env.gate("check");
    let check = format!("check_cmd = \"{}\"", gate.command());
    env.simple_with("app", r#"{{getv "/k"}}"#, &check);
    env.put("out/app", "old");
    env.put("out/somebody-elses.tmp", "kept");
    let arguments = ["-onetime", "-config-file", "$ROOT/etc/confd.toml"];
    let mut killed = env.start(env.command(&arguments));
    gate.wait_started(1);
    killed.kill();
    assert_eq!(env.read("out/app"), "old");
    assert_eq!(env.names("out").len(), 3, "a stage is there to be cleared");
    gate.open();
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/app"), "new");
    assert_eq!(env.names("out"), ["app", "somebody-elses.tmp"]);
}

#[test]
fn row_16_leftovers_are_cleared_even_when_nothing_is_to_change() {
    let env = Env::with_tree(&json!({"k": "new"}));
    let gate = env.gate("check");
    let check = format!("check_cmd = \"{}\"", gate.command());
    env.simple_with("app", r#"{{getv "/k"}}"#, &check);
    let arguments = ["-onetime", "-config-file", "$ROOT/etc/confd.toml"];
    let mut killed = env.start(env.command(&arguments));
    gate.wait_started(1);
    killed.kill();
    env.put("out/app", "new");
    env.onetime_with(&["-noop"]).expect_code(0);
    assert_eq!(env.names("out").len(), 2, "-noop touches nothing");
    env.onetime().expect_code(0).expect_no_log("out of sync");
    assert_eq!(env.names("out"), ["app"]);
}

#[test]
fn row_16_the_file_is_synced_before_the_swap_and_its_directory_after() {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("SKIPPED row_16_the_file_is_synced…: strace is not installed");
        return;
    }
    let env = Env::with_tree(&json!({"k": "new"}));
    env.simple_with("app", r#"{{getv "/k"}}"#, "");
    let traced = "trace=fsync,fdatasync,rename,renameat,renameat2";
    let confd = confd();
    let strace = ["-f", "-y", "-e", traced, "-o", "$ROOT/trace", confd];
    let arguments = ["-onetime", "-config-file", "$ROOT/etc/confd.toml"];
    let run = env.finish(env.command_of("strace", &[&strace[..], &arguments].concat()));
    if run.stderr.contains("ptrace") {
        eprintln!("SKIPPED row_16_the_file_is_synced…: this system does not permit ptrace");
        return;
    }
    run.expect_code(0);
    let calls = env.lines("trace");
    let out = env.expand("$ROOT/out");
    let position = |wanted: &dyn Fn(&str) -> bool| {
        let found = calls.iter().position(|call| wanted(call));
        found.unwrap_or_else(|| panic!("not called:\n{}", calls.join("\n")))
    };
    let data = position(&|call| call.contains("sync(") && call.contains(&format!("<{out}/")));
    let swap = position(&|call| call.contains("rename") && call.contains("app\""));
    let directory = position(&|call| call.contains("fsync(") && call.contains(&format!("<{out}>")));
    assert!(data < swap && swap < directory, "{}", calls.join("\n"));
}

#[test]
fn row_17_a_mode_is_octal_as_written() {
    for (written, meant) in [
        ("644", 0o644),
        ("0644", 0o644),
        ("600", 0o600),
        ("755", 0o755),
        ("0o640", 0o640),
        ("0100640", 0o640),
        ("01770", 0o1770),
    ] {
        let env = Env::with_tree(&json!({"k": "new"}));
        env.simple_with("app", "x", &format!("mode = \"{written}\""));
        env.onetime().expect_code(0);
        let data = fs::metadata(env.path("out/app")).expect("the file");
        assert_eq!(data.mode() & 0o7777, meant, "{written}");
    }
    for wrong in ["u+x", "888", "0o0o644", "+0644", "0644 ", "0200644"] {
        let env = Env::with_tree(&json!({"k": "new"}));
        env.simple_with("app", "x", &format!("mode = \"{wrong}\""));
        env.onetime()
            .expect_code(1)
            .expect_log("app.toml:5: mode is not an octal file mode");
    }
}

#[test]
fn row_24_a_template_that_does_not_parse_is_named_as_in_its_resource() {
    let env = Env::with_tree(&json!({"k": "new"}));
    env.simple("app", "{{end}}");
    env.onetime()
        .expect_code(1)
        .expect_log(
            "ERROR Unable to process template app.tmpl, template: app.tmpl:1: unexpected {{end}}",
        )
        .expect_log(&env.expand("in $ROOT/etc/conf.d/app.toml"));
}
