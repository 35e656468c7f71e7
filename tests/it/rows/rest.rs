//! Rows 25 and on: settings, resource files and commands that the original takes differently. Rows
//! 26, 27 and 34 are tested where their neighbours are.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::json;

use crate::env::{Env, confd};

#[test]
fn row_25_settings_that_cannot_be_used_and_stray_words_are_refused_with_2() {
    for line in [
        "interval = 0",
        "scheme = \"https\"",
        "log-level = \"trace\"",
        "watch = \"true\"",
    ] {
        let mut env = Env::new();
        env.settings(line);
        env.simple("app", "x");
        let key = line.split(' ').next().unwrap_or_default();
        env.onetime().expect_code(2).expect_log(key);
        assert!(env.names("out").is_empty(), "{line}");
    }
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple("app", "x");
    env.onetime_with(&["true"]).expect_code(2);
    assert!(env.names("out").is_empty());
}

#[test]
fn row_28_src_and_dest_in_a_reload_cmd_are_the_path_of_dest() {
    let env = Env::with_tree(&json!({"k": "v"}));
    let reload = "reload_cmd = \"echo '{{.src}} {{ .dest }} {{.Names}} {{getv}}' > $ROOT/seen\"";
    env.simple_with("app", "x", reload);
    env.onetime().expect_code(0);
    let expected = env.expand("$ROOT/out/app $ROOT/out/app {{.Names}} {{getv}}\n");
    assert_eq!(env.read("seen"), expected);
}

#[test]
fn row_29_what_is_no_toml_is_an_error_with_its_line() {
    let lines: [(&[u8], &str); 4] = [
        (b"uid = 0500", "write uid = 500"),
        (b"reload_cmd = \"echo \x1b\"", "control character U+001B"),
        (b"# form feed \x0c", "control character U+000C"),
        // The first word of a message in GBK.
        (b"reload_cmd = 'echo \xd6\xd8'", "not UTF-8 text"),
    ];
    for (line, words) in lines {
        let env = Env::with_tree(&json!({"k": "v"}));
        env.simple_with("app", "x", "");
        env.simple("other", "y");
        let path = env.path("etc/conf.d/app.toml");
        let mut text = fs::read(&path).expect("the resource");
        text.extend_from_slice(line);
        fs::write(&path, text).expect("the resource");
        let run = env.onetime();
        run.expect_code(1).expect_log(words);
        run.expect_log("app.toml:6: ");
        assert_eq!(env.names("out"), ["other"], "{words}");
    }
}

#[test]
fn row_30_the_new_file_and_the_output_of_commands_are_logged_at_info() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple_with("app", "x", "reload_cmd = \"echo a word; exit 3\"");
    env.simple_with("other", "x", "reload_cmd = \"echo another; echo word\"");
    let run = env.onetime();
    run.expect_code(1)
        .expect_log(&env.expand("INFO Target config $ROOT/out/app has been updated"));
    for line in ["    a word", "    another", "    word"] {
        assert!(run.stderr.lines().any(|found| found == line), "{line}");
    }
}

#[test]
fn row_31_the_env_backend_takes_whole_names_in_any_case() {
    let mut env = Env::new();
    for (name, value) in [("HOST_IP", "1"), ("HOSTNAME_2", "2"), ("host_lower", "3")] {
        env.var(name, value);
    }
    env.template(
        "app.tmpl",
        r#"{{range gets "/*/*"}}{{.Key}}={{.Value}} {{end}}"#,
    );
    env.resource(
        "app.toml",
        "[template]\nsrc = \"app.tmpl\"\ndest = \"$ROOT/out/app\"\nkeys = [\"/host\"]\n",
    );
    env.onetime_with(&["-backend", "env"]).expect_code(0);
    assert_eq!(env.read("out/app"), "/host/ip=1 /host/lower=3 ");
}

#[test]
fn row_32_a_dest_that_is_no_file_stays() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple("app", "x");
    let made = Command::new("mkfifo").arg(env.path("out/app")).status();
    assert!(made.expect("mkfifo").success());
    env.onetime()
        .expect_code(1)
        .expect_log("is a device, a pipe or a socket");
    let kind = fs::symlink_metadata(env.path("out/app")).expect("the pipe");
    assert!(!kind.is_file());
    assert_eq!(env.names("out"), ["app"]);
}

#[test]
fn row_33_new_directories_have_mode_0755_whatever_the_umask() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.template("app.tmpl", "x");
    env.resource(
        "app.toml",
        "[template]\nsrc = \"app.tmpl\"\ndest = \"$ROOT/out/new/deep/app\"\n",
    );
    let script = "umask 077; exec \"$0\" -onetime -config-file $ROOT/etc/confd.toml";
    let script = env.expand(script);
    env.finish(env.command_of("/bin/sh", &["-c", &script, confd()]))
        .expect_code(0);
    for (path, mode) in [("new", 0o755), ("new/deep", 0o755), ("new/deep/app", 0o644)] {
        let found = fs::metadata(env.path(&format!("out/{path}"))).expect(path);
        assert_eq!(found.permissions().mode() & 0o7777, mode, "{path}");
    }
}
