//! Settings: Go's flag grammar, confd.toml, environment variables, and which of them wins.

use serde_json::json;

use crate::env::{Env, Run};
use crate::metad::Metad;

/// The paths of the first requests of a run that finds nothing; tells which prefix was used.
fn prefix_asked(env: &Env, metad: &Metad, arguments: &[&str]) -> String {
    let before = metad.request_count();
    env.onetime_with(arguments);
    metad.requests()[before].path.clone()
}

#[test]
fn flags_beat_the_environment_which_beats_the_file() {
    let metad = Metad::start(json!({"file": {"k": "v"}, "env": {"k": "v"}, "flag": {"k": "v"}}));
    let mut env = Env::new();
    env.settings(&format!(
        "nodes = [\"{}\"]\nprefix = \"/self/file\"",
        metad.node()
    ));
    env.simple("app", r#"{{getv "/k"}}"#);
    assert_eq!(prefix_asked(&env, &metad, &[]), "/self/file");
    env.var("CONFD_PREFIX", "/self/env");
    assert_eq!(prefix_asked(&env, &metad, &[]), "/self/env");
    let flag = ["-prefix", "/self/flag"];
    assert_eq!(prefix_asked(&env, &metad, &flag), "/self/flag");
}

#[test]
fn every_spelling_of_gos_flags_is_understood() {
    let env = Env::with_tree(&json!({"k": "new"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    let config = ["-config-file", "$ROOT/etc/confd.toml"];
    let spellings: [&[&str]; 7] = [
        &["-onetime", "-noop", "-log-level", "debug"],
        &["--onetime", "--noop", "--log-level", "debug"],
        &["-onetime=true", "-noop=true", "-log-level=debug"],
        &["--onetime=1", "--noop=t", "--log-level=debug"],
        &["-onetime", "-noop=TRUE", "-watch=false", "-log-level=debug"],
        &[
            "-onetime",
            "-sync-only=0",
            "-noop",
            "-log-level=debug",
            "--",
        ],
        &["-onetime", "-noop", "-log-level=info", "-log-level=debug"],
    ];
    for spelling in spellings {
        let run = env.run(&[&config, spelling].concat());
        run.expect_code(0).expect_log("Noop mode enabled.");
        assert!(!run.at("DEBUG").is_empty(), "{spelling:?}: {}", run.stderr);
    }
    assert!(env.names("out").is_empty());
}

#[test]
fn node_may_be_repeated() {
    let metad = Metad::start(json!({"k": "v"}));
    let mut dead = Metad::start(json!({}));
    dead.stop();
    let env = Env::new();
    env.simple("app", r#"{{getv "/k"}}"#);
    let (dead, alive) = (dead.node(), format!("-node={}", metad.node()));
    env.onetime_with(&["-node", &dead, &alive, "-prefix", "/self"])
        .expect_code(0);
    assert_eq!(env.read("out/app"), "v");
}

#[test]
fn flags_of_other_backends_are_accepted() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple("app", "x");
    let values = [
        "-auth-token",
        "-auth-type",
        "-client-ca-keys",
        "-client-cert",
        "-client-key",
        "-password",
        "-table",
        "-username",
        "-user-id",
        "-app-id",
        "-srv-domain",
        "-srv-record",
        "-scheme",
    ];
    let mut arguments = vec!["-basic-auth"];
    for flag in values {
        let value = if flag == "-scheme" { "http" } else { "x" };
        arguments.extend([flag, value]);
    }
    env.onetime_with(&arguments).expect_code(0);
}

/// Fails unless the program refused the command line: exit 2, one line on stderr with this word.
#[track_caller]
fn expect_usage_error(run: &Run, word: &str) {
    run.expect_code(2).expect_log(word);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    assert_eq!(run.stdout, "");
}

#[test]
fn a_wrong_command_line_is_one_clear_line_and_exit_2() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple("app", "x");
    let wrong: [(&[&str], &str); 8] = [
        (&["-nosuch"], "nosuch"),
        (&["--nosuch=1"], "nosuch"),
        (&["-interval"], "interval"),
        (&["-interval", "soon"], "interval"),
        (&["-interval=-5"], "interval"),
        (&["-watch=maybe"], "watch"),
        (&["-log-level", "loud"], "loud"),
        (&["-onetime", "stray"], "stray"),
    ];
    for (arguments, word) in wrong {
        let config = ["-config-file", "$ROOT/etc/confd.toml", "-onetime"];
        expect_usage_error(&env.run(&[&config, arguments].concat()), word);
    }
    assert!(env.names("out").is_empty());
}

#[test]
fn an_abbreviated_flag_is_refused() {
    // getopts would take it; Go does not.
    let env = Env::with_tree(&json!({"k": "v"}));
    expect_usage_error(&env.onetime_with(&["-pref", "/x"]), "pref");
}

#[test]
fn help_fits_one_screen_and_names_every_flag() {
    let env = Env::new();
    for spelling in ["-help", "--help", "-h"] {
        let run = env.run(&[spelling]);
        run.expect_code(0);
        for flag in [
            "-onetime",
            "-config-file",
            "-watch",
            "-backend",
            "-file",
            "-version",
        ] {
            assert!(run.stdout.contains(flag), "{flag} in:\n{}", run.stdout);
        }
        assert!(run.stdout.lines().all(|line| line.chars().count() <= 80));
        assert!(run.stdout.lines().count() <= 60, "{}", run.stdout);
    }
}

#[test]
fn version_is_printed() {
    let run = Env::new().run(&["-version"]);
    run.expect_code(0);
    let version = env!("CARGO_PKG_VERSION");
    assert!(run.stdout.contains(version), "{:?}", run.stdout);
    assert_eq!(run.stdout.lines().count(), 1);
}

#[test]
fn an_explicit_settings_file_must_exist() {
    let env = Env::new();
    let run = env.run(&["-onetime", "-config-file", "$ROOT/none.toml"]);
    run.expect_code(2)
        .expect_log(&env.expand("$ROOT/none.toml"));
}

#[test]
fn an_unknown_setting_is_harmless_and_named_with_its_line() {
    let mut env = Env::with_tree(&json!({"k": "v"}));
    env.settings("intervall = 5");
    let line = env.lines("etc/confd.toml").len();
    env.simple("app", "x");
    let run = env.onetime();
    run.expect_code(0);
    let warnings = run.at("WARNING");
    assert_eq!(warnings.len(), 1, "{}", run.stderr);
    for word in [
        &env.expand(&format!("$ROOT/etc/confd.toml:{line}")),
        "intervall",
        "\"interval\"",
    ] {
        assert!(warnings[0].contains(word), "{word} in {}", warnings[0]);
    }
    assert_eq!(env.read("out/app"), "x");
}

#[test]
fn a_settings_file_that_does_not_parse_is_named_with_its_line() {
    let mut env = Env::with_tree(&json!({"k": "v"}));
    env.settings("watch = maybe");
    let line = env.lines("etc/confd.toml").len();
    let told = env.expand(&format!("$ROOT/etc/confd.toml:{line}"));
    let config = ["-config-file", "$ROOT/etc/confd.toml"];
    env.run(&config).expect_code(2).expect_log(&told);
    for tool in [
        "-onetime",
        "-diff",
        "-dump=-",
        "-get=/",
        "-rehearse=x",
        "-watch",
    ] {
        let run = env.run(&[&[tool], &config[..]].concat());
        run.expect_code(2).expect_log(&told);
    }
}

#[test]
fn row_34_every_setting_has_an_environment_variable() {
    let mut env = Env::with_tree(&json!({"k": "v"}));
    env.simple("app", "x");
    env.var("CONFD_NOOP", "true");
    env.var("CONFD_LOG_LEVEL", "debug");
    let run = env.onetime();
    run.expect_code(0).expect_log("Noop mode enabled.");
    assert!(!run.at("DEBUG").is_empty(), "{}", run.stderr);
}

#[test]
fn a_wrong_environment_variable_is_named() {
    let mut env = Env::with_tree(&json!({"k": "v"}));
    env.var("CONFD_INTERVAL", "soon");
    env.onetime().expect_code(2).expect_log("CONFD_INTERVAL");
}

#[test]
fn the_platforms_own_settings_file_is_read_without_a_warning() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::new();
    env.simple("app", r#"{{getv "/k"}}"#);
    env.put(
        "platform.toml",
        &format!(
            "confdir = \"$ROOT/etc\"\nbackend = \"metad\"\nnodes = [\"{}\"]\nprefix = \"/self\"\n\
             scheme = \"http\"\nverbose = true\nwatch = true\nlog-level = \"debug\"\n",
            metad.node()
        ),
    );
    let run = env.run(&["-onetime", "-config-file", "$ROOT/platform.toml"]);
    run.expect_code(0);
    assert_eq!(env.read("out/app"), "v");
    assert_eq!(run.at("ERROR"), [""; 0]);
}

#[test]
fn an_unknown_variable_is_harmless_and_named_with_the_likely_one() {
    let mut env = Env::with_tree(&json!({"k": "v"}));
    env.simple("app", "x");
    env.var("CONFD_PREFX", "/self");
    env.var("CONFD_QUITE_DIFFERENT", "1");
    env.var("CONFD_SRC", "/x");
    env.var("CONFD_LOG_LEVEL", "info");
    let run = env.onetime();
    run.expect_code(0)
        .expect_log(
            "environment: unknown variable CONFD_PREFX is ignored; did you mean CONFD_PREFIX?",
        )
        .expect_log("environment: unknown variable CONFD_QUITE_DIFFERENT is ignored")
        .expect_no_log("CONFD_SRC")
        .expect_no_log("CONFD_LOG_LEVEL");
}
