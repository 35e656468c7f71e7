//! Commands that a shell cannot run: the log, `-status` and `-doctor` name the reason.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value as Json, json};

use crate::env::{Env, copy_program};

/// One resource with this reload_cmd, and its program if there is a text for it.
fn image(reload: &str, program: Option<(&str, u32)>) -> Env {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple_with("app", "x", &format!("reload_cmd = \"{reload}\"\n"));
    if let Some((text, mode)) = program {
        env.put("bin/reload.text", text);
        copy_program(env.path("bin/reload.text"), env.path("bin/reload"));
        let mode = Permissions::from_mode(mode);
        fs::set_permissions(env.path("bin/reload"), mode).expect("chmod");
    }
    env
}

fn json_of(env: &Env, tool: &str) -> Json {
    let run = env.run(&[
        tool,
        "-format",
        "json",
        "-config-file",
        "$ROOT/etc/confd.toml",
    ]);
    serde_json::from_str(&run.stdout).expect("JSON on stdout")
}

/// The findings of the check "commands" as severity, message and help.
fn doctor(env: &Env) -> Vec<[String; 3]> {
    let report = json_of(env, "-doctor");
    let findings = report["findings"].as_array().expect("a list").iter();
    let of_commands = findings.filter(|found| found["check"] == "commands");
    of_commands
        .map(|found| {
            ["severity", "message", "help"].map(|key| found[key].as_str().expect(key).to_owned())
        })
        .collect()
}

#[test]
fn a_program_that_cannot_be_run_is_explained_everywhere() {
    let correct = "correct the path, or install the program";
    let install = "correct its first line, or install the interpreter";
    for (program, problem, help) in [
        (
            Some(("#!/bin/sh\n", 0o644)),
            "is not executable",
            "make it executable: chmod +x $ROOT/bin/reload",
        ),
        (
            Some(("#!/bin/sh\r\ntrue\r\n", 0o755)),
            "has CRLF line ends, so that its interpreter is not found",
            "save it with LF line ends: sed -i 's/\\r$//' $ROOT/bin/reload",
        ),
        (
            Some(("#!/opt/none/python -u\n", 0o755)),
            "needs the interpreter /opt/none/python, which does not exist",
            install,
        ),
        (
            Some(("#!/usr/bin/env no-such-python\n", 0o755)),
            "needs the interpreter no-such-python, which is not in PATH",
            install,
        ),
        (None, "does not exist", correct),
    ] {
        let env = image("$ROOT/bin/reload now", program);
        let words = env.expand(&format!("$ROOT/bin/reload {problem}; {help}"));
        let run = env.onetime();
        run.expect_code(1).expect_log(&words);
        let status = json_of(&env, "-status");
        let reload = status["resources"][0]["reload_error"].as_str();
        assert!(
            reload.is_some_and(|error| error.contains(&words)),
            "{status}"
        );
        let message = env.expand(&format!(
            "$ROOT/etc/conf.d/app.toml: reload_cmd runs $ROOT/bin/reload, which {problem}"
        ));
        let found = ["error".to_owned(), message, env.expand(help)];
        assert_eq!(doctor(&env), [found]);
    }
}

#[test]
fn a_name_that_path_does_not_have_and_a_relative_path_are_explained() {
    for (reload, words) in [
        (
            "no-such-program now",
            "no-such-program is not in PATH; write its absolute path",
        ),
        (
            "true && bin/no-such-program",
            "bin/no-such-program is looked for where confd was started; write its absolute path",
        ),
        (
            "sh $ROOT/bin/none.sh",
            "$ROOT/bin/none.sh does not exist; correct the path, or install the program",
        ),
        (
            "exit 127",
            "failed with exit status 127: usually a program that does not exist or is not in PATH",
        ),
        (
            "exit 126",
            "usually a program that is not executable, or whose file system is mounted noexec",
        ),
    ] {
        let env = image(reload, None);
        let run = env.onetime();
        // A dash does not tell a missing script from other failures.
        if !run.stderr.contains("exit status 2") {
            run.expect_code(1).expect_log(&env.expand(words));
        }
        assert_eq!(doctor(&env), [[""; 3]; 0], "{reload}");
    }
}

#[test]
fn a_check_that_cannot_be_run_is_explained() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple_with("app", "x", "check_cmd = \"$ROOT/bin/check {{.src}}\"\n");
    env.onetime()
        .expect_code(1)
        .expect_log(&env.expand("$ROOT/bin/check does not exist; correct the path"));
    let found = doctor(&env);
    assert!(found[0][1].contains("check_cmd runs"), "{found:?}");
}

#[test]
fn programs_that_can_be_run_or_that_confd_makes_are_fine() {
    let env = image("$ROOT/bin/reload", Some(("#!/bin/sh\nexit 0\n", 0o755)));
    assert_eq!(
        doctor(&env),
        [["ok", "1 program can be run", ""].map(str::to_owned)]
    );
    // The first run of confd writes the program and then runs it.
    let env = image("$ROOT/out/app now", None);
    assert_eq!(doctor(&env), [[""; 3]; 0]);
}

#[test]
fn a_relative_path_is_a_warning() {
    let env = image("bin/reload now", None);
    let message = "$ROOT/etc/conf.d/app.toml: reload_cmd runs bin/reload, which is a relative path";
    let help = "write its absolute path: it is looked for where confd was started";
    let want = ["warning", message, help].map(|text| env.expand(text));
    assert_eq!(doctor(&env), [want]);
}
