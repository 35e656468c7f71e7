//! Metadata and templates of hostile shape: limits that hold before memory or time is taken.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::sample;
use crate::env::{Env, until};
use crate::http::Answer;
use crate::metad::{Fault, Metad};

/// More than any of these may need, in KiB.
const MEMORY: usize = 400 << 10;
/// How long others may be held up; 5 s are promised for a rendering on an old machine, whose
/// program is optimized.
const HELD_UP: Duration = Duration::from_secs(25);

/// A daemon that gets this body as its metadata, and the right tree afterwards; its peak in KiB.
fn survives(body: String, case: &str) {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    let length = body.len();
    let answer = Answer::new(200, "application/json", body).header("X-Metad-Version", "9");
    metad.fail(Fault::Answer(answer));
    let daemon = env.daemon(&["-watch"]);
    let start = Instant::now();
    until(&format!("{case} is taken or refused"), || {
        env.path("out/app").exists() || daemon.count(": WARNING ") > 0
    });
    let elapsed = start.elapsed();
    let peak = daemon.status("VmHWM:");
    assert!(peak < MEMORY, "{case}: {length} bytes took {peak} KiB");
    assert!(elapsed < HELD_UP, "{case}: {elapsed:?}");
    metad.heal();
    env.wait_content("out/app", "v");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn metadata_of_hostile_shape_costs_neither_memory_nor_time() {
    let long_key = format!("a/{}", "b/".repeat(180_000));
    survives(
        json!({"k": "v", long_key: "x"}).to_string(),
        "a key of 180,000 steps",
    );
    let wide: serde_json::Map<String, Json> = (0..180)
        .map(|number| (format!("{number}/{}", "b/".repeat(1000)), json!("x")))
        .collect();
    survives(
        json!({"k": "v", "wide": wide}).to_string(),
        "180 keys of 1,000 steps",
    );
    let objects = 60_000;
    let nested = format!("{}1{}", "{\"d\":".repeat(objects), "}".repeat(objects));
    survives(
        format!("{{\"k\":\"v\",\"d\":{nested}}}"),
        "60,000 objects in each other",
    );
    let lists = 2_000_000;
    let nested = format!("{}1{}", "[".repeat(lists), "]".repeat(lists));
    survives(
        format!("{{\"k\":\"v\",\"d\":{nested}}}"),
        "2,000,000 lists in each other",
    );
    let many = "[[[[1],[1]],[[1],[1]]]],".repeat(150_000);
    survives(
        format!("{{\"k\":\"v\",\"d\":[{many}1]}}"),
        "many nested lists",
    );
}

#[test]
fn functions_that_make_much_of_little_hit_a_limit_before_memory_is_taken() {
    let commas = ",".repeat(8 << 20);
    let tree = json!({"commas": commas, "k": "v"});
    for call in [
        r#"{{len (split (getv "/commas") ",")}}"#,
        r#"{{len (split (getv "/commas") "")}}"#,
        r#"{{len (replace (getv "/commas") "," "0123456789012345678901234567890123456789" -1)}}"#,
        r#"{{contains (repeat 100000000 (getv "/commas")) "x"}}"#,
        r#"{{range seq 1 40}}{{$x := split (getv "/commas") ","}}{{len $x}}{{end}}"#,
        r#"{{len (jsonArray (printf "[%s1]" (replace (getv "/commas") "," "1," -1)))}}"#,
        r#"{{len (repeat 1000000000 "x")}}"#,
    ] {
        let metad = Metad::start(tree.clone());
        let env = Env::with_metad(&metad);
        env.simple("much", call);
        env.simple("zz", r#"{{getv "/k"}}"#);
        let daemon = env.daemon(&["-watch"]);
        until(&format!("{call} has an end"), || {
            daemon.count("much.tmpl") > 0 || env.path("out/much").exists()
        });
        env.wait_content("out/zz", "v");
        let peak = daemon.status("VmHWM:");
        assert!(peak < MEMORY, "{call}: {peak} KiB\n{}", daemon.log());
        assert_eq!(daemon.stop(), Some(0));
    }
}

#[test]
fn work_inside_functions_counts_and_holds_nobody_up() {
    let tree = json!({"large": "x".repeat(4 << 20), "k": "v"});
    for call in sample(vec![
        "sha256sum",
        "base64Encode",
        "toUpper",
        "toJson",
        "quote",
        "html",
    ]) {
        let metad = Metad::start(tree.clone());
        let env = Env::with_metad(&metad);
        let text =
            format!("{{{{range seq 1 100000}}}}{{{{$x := {call} (getv \"/large\")}}}}{{{{end}}}}");
        env.simple("much", &text);
        env.simple("zz", r#"{{getv "/k"}}"#);
        let start = Instant::now();
        let daemon = env.daemon(&["-watch"]);
        env.wait_content("out/zz", "v");
        assert!(start.elapsed() < HELD_UP, "{call}: {:?}", start.elapsed());
        metad.put("/k", "w");
        let start = Instant::now();
        env.wait_content("out/zz", "w");
        assert!(start.elapsed() < HELD_UP, "{call}: {:?}", start.elapsed());
        until(&format!("{call} hits a limit"), || {
            daemon.count("much.tmpl") > 0
        });
        assert_eq!(daemon.stop(), Some(0));
    }
}
