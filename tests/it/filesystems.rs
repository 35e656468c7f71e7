//! File systems that lack something, and directories that others use as well.

use std::process::Command;

use serde_json::json;

use crate::env::{Env, Run, confd, until};

/// `confd -onetime` under strace, which lets some system calls do nothing. None, said aloud, where
/// that is not possible.
fn onetime_with_injection(test: &str, env: &Env, injection: &str) -> Option<Run> {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("SKIPPED {test}: strace is not installed");
        return None;
    }
    let strace = ["-f", "-qq", "-e", injection, "-o", "/dev/null", confd()];
    let arguments = ["-onetime", "-config-file", "$ROOT/etc/confd.toml"];
    let run = env.finish(env.command_of("strace", &[&strace[..], &arguments].concat()));
    if run.stderr.contains("ptrace") {
        eprintln!("SKIPPED {test}: this system does not permit ptrace");
        return None;
    }
    Some(run)
}

#[test]
fn where_chmod_and_chown_do_nothing_the_content_decides() {
    let test = "where_chmod_and_chown_do_nothing_the_content_decides";
    let ignored = "inject=fchmod,fchown:retval=0";
    // As on vfat, where the calls fail instead.
    let refused = "inject=fchmod,fchown:error=EPERM";
    for injection in [ignored, refused] {
        let env = Env::with_tree(&json!({"k": "v"}));
        for name in ["a", "b"] {
            let lines = format!("mode = \"0640\"\nreload_cmd = \"echo {name} >> $ROOT/reloads\"");
            env.simple_with(name, r#"{{getv "/k"}}"#, &lines);
        }
        let Some(first) = onetime_with_injection(test, &env, injection) else {
            return;
        };
        first.expect_code(0);
        assert_eq!(env.read("out/a"), "v");
        assert_eq!(env.reloads().len(), 2, "{}", first.stderr);
        let warnings = first.at("WARNING");
        assert_eq!(warnings.len(), 1, "{injection}:\n{}", first.stderr);
        let words = "does not keep owners and modes";
        assert!(warnings[0].contains(words), "{}", warnings[0]);
        let Some(second) = onetime_with_injection(test, &env, injection) else {
            return;
        };
        second.expect_code(0).expect_no_log("has been updated");
        assert_eq!(env.reloads().len(), 2, "{}", second.stderr);
        assert_eq!(env.names("out"), ["a", "b"]);
        // What is wanted is done where it can be.
        env.onetime().expect_code(0).expect_log("has been updated");
        assert_eq!(env.reloads().len(), 4);
    }
}

#[test]
fn a_file_system_that_cannot_sync_is_used_without() {
    let test = "a_file_system_that_cannot_sync_is_used_without";
    for error in ["EINVAL", "ENOSYS", "EOPNOTSUPP"] {
        let env = Env::with_tree(&json!({"k": "v"}));
        for name in ["a", "b"] {
            env.simple(name, r#"{{getv "/k"}}"#);
        }
        let injection = format!("inject=fsync,fdatasync:error={error}");
        let Some(run) = onetime_with_injection(test, &env, &injection) else {
            return;
        };
        run.expect_code(0);
        assert_eq!(env.read("out/b"), "v");
        assert_eq!(run.at("WARNING").len(), 1, "{error}:\n{}", run.stderr);
        run.expect_log("cannot sync files");
    }
}

#[test]
fn a_sync_that_fails_is_no_quirk() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    let test = "a_sync_that_fails_is_no_quirk";
    let Some(run) = onetime_with_injection(test, &env, "inject=fsync:error=EIO") else {
        return;
    };
    run.expect_code(1).expect_log("cannot sync ");
    assert!(env.names("out").is_empty());
}

#[test]
fn extended_attributes_of_users_survive_a_swap() {
    let test = "extended_attributes_of_users_survive_a_swap";
    let env = Env::with_tree(&json!({"k": "new"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    env.put("out/app", "old");
    let path = env.path("out/app").display().to_string();
    let python = |code: &str| Command::new("python3").args(["-c", code, &path]).output();
    let set = "import os, sys; os.setxattr(sys.argv[1], 'user.origin', b'backup'); \
               os.setxattr(sys.argv[1], 'user.large', b'x' * 1000)";
    if !python(set).is_ok_and(|done| done.status.success()) {
        eprintln!("SKIPPED {test}: there is no python3, or no extended attributes");
        return;
    }
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/app"), "new");
    let get = "import os, sys; print(os.getxattr(sys.argv[1], 'user.origin').decode(), \
               len(os.getxattr(sys.argv[1], 'user.large')))";
    let output = python(get).expect("python3").stdout;
    assert_eq!(String::from_utf8_lossy(&output), "backup 1000\n");
}

#[test]
fn two_confdirs_leave_each_others_staged_files_alone() {
    let env = Env::with_tree(&json!({"k": "v"}));
    let gate = env.gate("check");
    let check = format!("check_cmd = \"{}\"", gate.command());
    env.simple_with("app", "one", &check);
    let daemon = env.daemon(&["-interval", "600"]);
    gate.wait_started(1);
    let staged = || {
        let mut names = env.names("out");
        names.retain(|name| name.starts_with(".app.confd-"));
        names
    };
    let before = staged();
    assert_eq!(before.len(), 1);
    env.put("other/templates/app.tmpl", "two");
    env.put(
        "other/conf.d/app.toml",
        "[template]\nsrc = \"app.tmpl\"\ndest = \"$ROOT/out/app\"\n",
    );
    env.onetime_with(&["-confdir", "$ROOT/other"])
        .expect_code(0);
    assert_eq!(env.read("out/app"), "two");
    assert_eq!(staged(), before);
    gate.open();
    env.wait_content("out/app", "one");
    assert_eq!(daemon.stop(), Some(0));
    // What a killed run leaves is still cleared away.
    env.put("out/.app.confd-abcdefghij", "left");
    env.onetime().expect_code(0);
    until("the leftover is gone", || staged().is_empty());
}

#[test]
fn an_append_only_directory_does_not_fill_with_staged_files() {
    let test = "an_append_only_directory_does_not_fill_with_staged_files";
    let env = Env::with_tree(&json!({"k": "new"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    env.put("out/app", "old");
    let out = env.path("out");
    let chattr = |change: &str| Command::new("chattr").arg(change).arg(&out).status();
    if !chattr("+a").is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED {test}: chattr +a does not work here");
        return;
    }
    for _ in 0..3 {
        let run = env.onetime();
        run.expect_code(1).expect_log("append-only");
    }
    let names = env.names("out");
    assert!(chattr("-a").is_ok_and(|status| status.success()));
    assert_eq!(names, ["app"]);
    assert_eq!(env.read("out/app"), "old");
}
