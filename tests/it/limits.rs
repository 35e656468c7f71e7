//! Limits: trees and templates that would take all memory or all time.

use serde_json::json;

use crate::env::{Env, Run, confd};

/// More than reading the metadata takes, however busy the machine is.
const ONETIME_WAIT: &str = "60s";

/// `confd -onetime` with at most this many KiB of address space.
fn onetime_within(env: &Env, kib: u64) -> Run {
    let script = format!("ulimit -v {kib}; exec \"$0\" \"$@\"");
    let arguments = [
        "-c",
        &script,
        confd(),
        "-onetime",
        "-config-file",
        "$ROOT/etc/confd.toml",
    ];
    env.finish(env.command_of("/bin/sh", &arguments))
}

#[test]
fn work_inside_functions_counts_before_it_is_done() {
    let steps = "the template takes too many steps: more than 50 million";
    let bytes = "the template makes too much text: more than 256 MiB";
    for (call, problem) in [
        ("sha256sum $s", format!("error calling sha256sum: {steps}")),
        ("toUpper $s", format!("error calling toUpper: {steps}")),
        ("quote $s", format!("error calling quote: {steps}")),
        ("split $s \"a\"", format!("error calling split: {steps}")),
        (
            "replace $s \"a\" \"\" -1",
            format!("error calling replace: {steps}"),
        ),
        ("toYaml $s", format!("error calling toYaml: {steps}")),
        ("repeat 9 $s", format!("error calling repeat: {bytes}")),
        ("print $s $s", format!("error calling print: {bytes}")),
        (
            "gets $s",
            "error calling gets: the pattern has more than 65536 bytes".to_owned(),
        ),
    ] {
        let mut env = Env::with_tree(&json!({"k": "v"}));
        env.var("CONFD_ONETIME_WAIT", ONETIME_WAIT);
        let template = format!("{{{{$s := repeat 200000000 \"a\"}}}}{{{{{call}}}}}");
        env.simple("app", &template);
        let run = onetime_within(&env, 2_000_000);
        run.expect_code(1).expect_log(&problem);
        assert!(env.names("out").is_empty());
    }
}

#[test]
fn a_small_tree_with_long_names_takes_little_memory() {
    let leaves: Vec<String> = (0..20_000)
        .map(|number| format!("\"{number}\":1"))
        .collect();
    let name = "n".repeat(1500);
    let before = format!("{{\"{name}\":").repeat(100);
    let body = format!("{before}{{{}}}{}", leaves.join(","), "}".repeat(100));
    assert!(body.len() < 500_000);
    let mut env = Env::with_tree(&json!({"k": "v"}));
    // It is read again and again for this long.
    env.var("CONFD_ONETIME_WAIT", "5s");
    env.simple("app", "x");
    env.put("metadata.json", &body);
    let run = onetime_within(&env, 600_000);
    run.expect_code(1)
        .expect_log("its keys and values have more than");
}

#[test]
fn deeply_nested_lists_are_read_once() {
    let inner = format!("{}\"v\"{}", "[".repeat(100), "]".repeat(100));
    let body = format!("{{\"l\":[{}]}}", vec![inner; 2000].join(","));
    let mut env = Env::with_tree(&json!({"k": "v"}));
    env.var("CONFD_ONETIME_WAIT", ONETIME_WAIT);
    let key = format!("/l/1999{}", "/0".repeat(100));
    env.simple("app", &format!("{{{{getv \"{key}\"}}}}"));
    env.put("metadata.json", &body);
    // Reading each level again takes a hundred times as long; the limit is of the processor's time.
    let script = "ulimit -t 20; exec \"$0\" \"$@\"";
    let config = "$ROOT/etc/confd.toml";
    let arguments = ["-c", script, confd(), "-onetime", "-config-file", config];
    env.finish(env.command_of("/bin/sh", &arguments))
        .expect_code(0);
    assert_eq!(env.read("out/app"), "v");
}
