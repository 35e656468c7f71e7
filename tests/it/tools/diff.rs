//! `-diff`: everything that a run would do is said, and nothing is done.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::env::{Env, Run, confd};
use crate::metad::Metad;

fn diff(env: &Env, arguments: &[&str]) -> Run {
    let fixed = ["-config-file", "$ROOT/etc/confd.toml", "-diff"];
    env.run(&[&fixed, arguments].concat())
}

/// Everything below a directory: mode, inode and time of change of each entry.
fn look(directory: &Path, found: &mut BTreeMap<PathBuf, (u32, u64, i64)>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let meta = fs::symlink_metadata(&path).expect("an entry");
        // Where the output of the program itself goes.
        let is_output = path
            .extension()
            .is_some_and(|number| number.as_encoded_bytes().iter().all(u8::is_ascii_digit));
        if !is_output {
            found.insert(path.clone(), (meta.mode(), meta.ino(), meta.ctime_nsec()));
        }
        if meta.is_dir() {
            look(&path, found);
        }
    }
}

#[test]
fn a_directory_without_resources_is_an_error() {
    let env = Env::with_tree(&json!({"k": "v"}));
    let run = diff(&env, &["-confdir", "$ROOT/none"]);
    run.expect_code(1)
        .expect_log("none: there is no conf.d in it; set -confdir");
    assert_eq!(run.stdout, "");
}

fn set_mode(env: &Env, relative: &str, mode: u32) {
    fs::set_permissions(env.path(relative), Permissions::from_mode(mode)).expect("its mode");
}

#[test]
fn nothing_to_change_is_nothing_to_say() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    env.put("out/app", "v");
    let run = diff(&env, &[]);
    run.expect_code(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
}

#[test]
fn a_change_is_a_unified_diff_with_what_would_run() {
    let env = Env::with_tree(&json!({"a": "1", "b": "2"}));
    let commands = "check_cmd = \"test -s {{.src}}\"\nreload_cmd = \"touch $ROOT/reloaded\"";
    env.simple_with(
        "app",
        "one\na={{getv \"/a\"}}\nend\n",
        &format!("{commands}\nmode = \"0644\""),
    );
    env.simple_with(
        "new",
        "b={{getv \"/b\"}}",
        "reload_cmd = \"touch $ROOT/reloaded\"",
    );
    env.put("out/app", "one\na=0\nend\n");
    set_mode(&env, "out/app", 0o664);
    let run = diff(&env, &[]);
    run.expect_code(3);
    let expected = "\
app.toml changes $ROOT/out/app
mode 0664 -> 0644
--- $ROOT/out/app
+++ $ROOT/out/app
@@ -1,3 +1,3 @@
 one
-a=0
+a=1
 end
new.toml makes $ROOT/out/new
--- /dev/null
+++ $ROOT/out/new
@@ -0,0 +1 @@
+b=2
\\ No newline at end of file
would check, for app.toml:
    test -s {{.src}}
would reload, for app.toml, new.toml:
    touch $ROOT/reloaded
";
    assert_eq!(run.stdout, env.expand(expected));
    assert_eq!(run.stderr, "");
    let run = diff(&env, &["-sync-only"]);
    run.expect_code(3);
    assert!(!run.stdout.contains("would"), "{}", run.stdout);
}

#[test]
fn a_diff_writes_nothing_and_runs_nothing() {
    let metad = Metad::start(json!({"k": "new"}));
    let env = Env::with_metad(&metad);
    let lines =
        "check_cmd = \"touch $ROOT/ran\"\nreload_cmd = \"touch $ROOT/ran\"\nreload_retry = true";
    env.simple_with("app", r#"{{getv "/k"}}"#, lines);
    env.put("out/app", "old");
    env.resource(
        "deep.toml",
        "[template]\nsrc = \"app.tmpl\"\ndest = \"$ROOT/out/not/there/yet\"\nkeys = [\"/\"]\n",
    );
    let [mut before, mut after] = [BTreeMap::new(), BTreeMap::new()];
    look(&env.path("."), &mut before);
    diff(&env, &[]).expect_code(3);
    look(&env.path("."), &mut after);
    assert_eq!(before, after);
    assert_eq!(metad.request_count(), 1);
}

#[test]
fn what_not_everyone_may_read_is_not_shown() {
    let env = Env::with_tree(&json!({"password": "hunter2"}));
    env.simple_with("by-mode", r#"{{getv "/password"}}"#, "mode = \"0640\"");
    env.simple_with("as-it-is", r#"{{getv "/password"}}"#, "");
    env.simple_with("opened", r#"{{getv "/password"}}"#, "mode = \"0644\"");
    for name in ["as-it-is", "opened"] {
        env.put(&format!("out/{name}"), "hunter1");
        set_mode(&env, &format!("out/{name}"), 0o600);
    }
    let run = diff(&env, &[]);
    run.expect_code(3);
    assert!(!run.stdout.contains("hunter"), "{}", run.stdout);
    let note = "its content is not for everyone to read; -show-secrets shows it";
    assert_eq!(run.stdout.matches(note).count(), 3, "{}", run.stdout);
    let run = diff(&env, &["-show-secrets"]);
    run.expect_code(3);
    assert_eq!(run.stdout.matches("+hunter2").count(), 3, "{}", run.stdout);
    assert_eq!(run.stdout.matches("-hunter1").count(), 2, "{}", run.stdout);
}

#[test]
fn a_changed_mode_alone_is_shown_without_content() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple_with("app", r#"{{getv "/k"}}"#, "mode = \"0600\"");
    env.put("out/app", "v");
    set_mode(&env, "out/app", 0o644);
    let run = diff(&env, &[]);
    run.expect_code(3);
    let expected = "app.toml changes $ROOT/out/app\nmode 0644 -> 0600\n";
    assert_eq!(run.stdout, env.expand(expected));
}

#[test]
fn a_changed_owner_is_shown_to_every_user() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple_with("app", r#"{{getv "/k"}}"#, "uid = 12345\ngid = 54321");
    env.simple_with("new", "x\n", "uid = 12345\nmode = \"0755\"");
    env.put("out/app", "v");
    let old = fs::metadata(env.path("out/app")).expect("the file");
    let run = diff(&env, &[]);
    run.expect_code(3);
    let expected = format!(
        "app.toml changes $ROOT/out/app\nowner {} -> 12345\ngroup {} -> 54321\n\
         new.toml makes $ROOT/out/new\nmode 0755\nowner 12345\n--- /dev/null\n",
        old.uid(),
        old.gid()
    );
    let shown = &run.stdout;
    assert!(shown.starts_with(&env.expand(&expected)), "{shown}");
}

#[test]
fn what_fails_is_said_and_the_rest_is_shown() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple("bad", r#"{{getv "/missing"}}"#);
    env.simple("good", r#"{{getv "/k"}}"#);
    env.resource("ugly.toml", "[template]\nsrc = \"good.tmpl\"\n");
    let run = diff(&env, &[]);
    run.expect_code(1)
        .expect_log("confd: ERROR ")
        .expect_log("key does not exist: /missing")
        .expect_log("ugly.toml");
    assert!(run.stdout.contains("+v"), "{}", run.stdout);
    let metad = Metad::unregistered();
    let env = Env::with_metad(&metad);
    diff(&env, &[]).expect_code(1).expect_log("status 404");
}

#[test]
fn a_reload_that_is_owed_would_run() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple_with(
        "app",
        r#"{{getv "/k"}}"#,
        "reload_cmd = \"test -e $ROOT/works\"\nreload_retry = true",
    );
    env.onetime().expect_code(1);
    let run = diff(&env, &[]);
    run.expect_code(3);
    let expected = "would reload, for app.toml:\n    test -e $ROOT/works\n";
    assert_eq!(run.stdout, env.expand(expected));
    env.put("works", "");
    env.onetime().expect_code(0);
    diff(&env, &[]).expect_code(0);
}

#[test]
fn colours_are_for_a_terminal_without_no_color() {
    let mut env = Env::with_tree(&json!({"k": "new"}));
    env.simple("app", "{{getv \"/k\"}}\n\u{1b}[2J\n");
    env.put("out/app", "old\n");
    let plain = diff(&env, &[]);
    assert!(
        plain.stdout.contains("\n+new\n+\u{1b}[2J\n"),
        "{}",
        plain.stdout
    );

    let on_terminal = |env: &Env| {
        let line = format!("{} -config-file etc/confd.toml -diff", confd());
        env.finish(env.command_of("script", &["-qec", &line, "/dev/null"]))
    };
    if env.command_of("script", &["-V"]).output().is_err() {
        eprintln!("SKIPPED colours_are_for_a_terminal_without_no_color: no script(1)");
        return;
    }
    let coloured = on_terminal(&env);
    coloured.expect_code(3);
    assert!(
        coloured.stdout.contains("\u{1b}[32m+new\u{1b}[m"),
        "{}",
        coloured.stdout
    );
    assert!(
        coloured.stdout.contains("+\\u{1b}[2J"),
        "{}",
        coloured.stdout
    );
    env.var("NO_COLOR", "1");
    let plain = on_terminal(&env);
    assert!(!plain.stdout.contains('\u{1b}'), "{}", plain.stdout);
    assert!(plain.stdout.contains("+new"), "{}", plain.stdout);
}

#[test]
fn what_would_change_is_also_json() {
    let env = Env::with_tree(&json!({"port": "80"}));
    env.simple_with(
        "app",
        "listen {{getv \"/port\"}}\n",
        "check_cmd = \"true\"\nreload_cmd = \"touch reloaded\"",
    );
    env.simple_with("secret", "s\n", "mode = \"0600\"");
    env.simple_with("bad", "{{getv \"/nope\"}}", "");
    let run = env.run(&[
        "-diff",
        "-format",
        "json",
        "-config-file",
        "$ROOT/etc/confd.toml",
    ]);
    run.expect_code(1).expect_log("key does not exist: /nope");
    let told: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(told["version"], 1);
    let file = &told["files"][0];
    assert_eq!(file["resource"], "app.toml");
    assert_eq!(file["new"], true);
    let diff = file["diff"].as_str().expect("a diff");
    assert!(diff.ends_with("@@ -0,0 +1 @@\n+listen 80\n"), "{diff}");
    assert_eq!(told["files"][1]["secret"], true);
    assert_eq!(told["files"][1]["diff"], json!(null));
    assert_eq!(
        told["checks"],
        json!([{"command": "true", "resources": ["app.toml"]}])
    );
    assert_eq!(told["reloads"][0]["command"], "touch reloaded");
    assert_eq!(told["failures"][0]["resource"], "bad.toml");
}
