//! The tools' output on a terminal: no control character of the metadata, neither C0 nor C1.

use std::process::Command;

use serde_json::json;

use crate::env::{Env, confd};

#[test]
fn no_tool_writes_control_characters_of_the_metadata_to_a_terminal() {
    let test = "no_tool_writes_control_characters_of_the_metadata_to_a_terminal";
    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("SKIPPED {test}: script is not installed");
        return;
    }
    let hostile = "a\u{9b}2J\u{1b}]0;title\u{7}b";
    let env = Env::with_tree(&json!({"k": hostile, "d": {"\u{9b}3J": hostile}}));
    env.simple("app", r#"{{getv "/k"}}"#);
    env.simple("failing", r#"{{getv "/d/\u009b4J"}}{{atoi (getv "/k")}}"#);
    env.put("out/app", "old\n");
    for tool in [
        "-get /k",
        "-get /",
        "-get / -format json",
        "-dump -",
        "-dump - -show-secrets",
        "-diff",
        "-diff -format json",
        "-diff -show-secrets",
        "-lint",
        "-lint -format json",
        "-doctor",
        "-status",
        "-render app.toml",
        "-render app.toml -format json",
        "-rehearse $ROOT/metadata.json",
        "-onetime -noop",
    ] {
        let command = format!("{} -config-file $ROOT/etc/confd.toml {tool}", confd());
        let command = env.expand(&command);
        let run = env.finish(env.command_of("script", &["-qec", &command, "/dev/null"]));
        assert!(!run.stdout.is_empty(), "{tool}");
        let controls: Vec<char> = run
            .stdout
            .chars()
            .filter(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{1b}'))
            .collect();
        assert!(
            controls.is_empty(),
            "{tool}: {controls:?} in {:?}",
            run.stdout
        );
        assert!(!run.stdout.contains("\u{1b}]"), "{tool}: {:?}", run.stdout);
    }
}
