//! `-root`: a whole image made elsewhere, by the same code, without the rights and the commands of
//! a node.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;

use serde_json::json;

use crate::env::{Env, Run};

fn make(env: &Env, arguments: &[&str]) -> Run {
    let fixed = [
        "-config-file",
        "$ROOT/etc/confd.toml",
        "-root",
        "$ROOT/image",
    ];
    env.run(&[&fixed, arguments].concat())
}

fn resource(env: &Env, dest: &str, lines: &str) {
    env.template("app.tmpl", r#"{{getv "/k"}}"#);
    env.resource(
        "app.toml",
        &format!("[template]\nsrc = \"app.tmpl\"\ndest = \"{dest}\"\nkeys = [\"/\"]\n{lines}\n"),
    );
}

#[test]
fn an_image_is_made_once_below_its_root_without_commands() {
    let mut env = Env::with_tree(&json!({"k": "v"}));
    env.settings("watch = true");
    resource(
        &env,
        "/opt/app/app.conf",
        "mode = \"0640\"\nowner = \"no-such-user\"\nuid = 12345\ncheck_cmd = \"touch $ROOT/checked\"\n\
         reload_cmd = \"touch $ROOT/reloaded\"\nreload_retry = true",
    );
    let before = env.names("etc");
    let told = "Target config $ROOT/image/opt/app/app.conf has been updated";
    make(&env, &[]).expect_code(0).expect_log(&env.expand(told));
    assert_eq!(env.read("image/opt/app/app.conf"), "v");
    let made = fs::metadata(env.path("image/opt/app/app.conf")).expect("the file");
    assert_eq!(made.permissions().mode() & 0o7777, 0o640);
    assert_eq!(env.names("image/opt/app"), ["app.conf"]);
    assert!(!env.path("checked").exists() && !env.path("reloaded").exists());
    assert_eq!(env.names("etc"), before, "confdir is left as it was");
    make(&env, &[]).expect_code(0).expect_no_log("out of sync");
}

#[test]
fn a_user_other_than_root_makes_the_same_image() {
    const NOBODY: u32 = 65_534;
    let env = Env::with_tree(&json!({"k": "v"}));
    let lines = "mode = \"0640\"\nuid = 12345\nreload_cmd = \"touch $ROOT/image/reloaded\"";
    resource(&env, "/opt/app/app.conf", lines);
    fs::create_dir(env.path("image")).expect("the image");
    let arguments = [
        "-config-file",
        "$ROOT/etc/confd.toml",
        "-root",
        "$ROOT/image",
    ];
    let mut command = env.command(&arguments);
    let own = fs::metadata(env.path("image")).expect("the image").uid();
    if own == 0 {
        std::os::unix::fs::chown(env.path("image"), Some(NOBODY), Some(NOBODY)).expect("given");
        command.uid(NOBODY).gid(NOBODY);
    }
    if command.output().is_err() {
        eprintln!(
            "SKIPPED whoever_is_not_root_…: others may not come to {}",
            env.expand("$ROOT")
        );
        return;
    }
    assert_eq!(env.read("image/opt/app/app.conf"), "v");
    let made = fs::metadata(env.path("image/opt/app/app.conf")).expect("the file");
    let whose = if own == 0 { NOBODY } else { own };
    assert_eq!((made.uid(), made.mode() & 0o7777), (whose, 0o640));
    assert_eq!(env.names("image"), ["opt"], "no command ran");
}

#[test]
fn links_in_an_image_stay_in_it() {
    for (link, text, dest, made) in [
        ("etc", "/opt/etc", "/etc/app.conf", "image/opt/etc/app.conf"),
        ("etc", "../../opt", "/etc/app.conf", "image/opt/app.conf"),
        ("app.conf", "/opt/real", "/app.conf", "image/opt/real"),
        ("opt/up", "..", "/opt/up/../../app.conf", "image/app.conf"),
        ("opt/a", "/opt/b", "/opt/a/app.conf", "image/opt/b/app.conf"),
    ] {
        let env = Env::with_tree(&json!({"k": "v"}));
        fs::create_dir_all(env.path("image/opt")).expect("the image");
        symlink(text, env.path("image").join(link)).expect("a link");
        resource(&env, dest, "");
        make(&env, &[]).expect_code(0);
        assert_eq!(env.read(made), "v", "{link} -> {text}");
    }
}

#[test]
fn dots_lead_nowhere_out_of_an_image() {
    for exists in [true, false] {
        let env = Env::with_tree(&json!({"k": "v"}));
        if exists {
            fs::create_dir(env.path("image")).expect("the image");
        }
        resource(&env, "/../../out/app.conf", "");
        make(&env, &[]).expect_code(0);
        assert_eq!(env.read("image/out/app.conf"), "v");
        assert!(env.names("out").is_empty());
    }
    let env = Env::with_tree(&json!({"k": "v"}));
    fs::create_dir(env.path("image")).expect("the image");
    resource(&env, "/missing/../../out/app.conf", "");
    make(&env, &[])
        .expect_code(1)
        .expect_log("a directory that does not exist yet");
    assert!(env.names("image").is_empty() && env.names("out").is_empty());
}
