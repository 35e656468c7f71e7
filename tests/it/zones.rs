//! The machine's time zone as templates and the log see it, by `TZ`: zone files are read as Go
//! reads them, also those with names that look like rules; a rule is one, which it is not to the
//! original; everything else is UTC.

use std::path::Path;

use serde_json::json;

use crate::env::Env;

/// A day in winter and a day in summer that do not change: Go's `Truncate` counts from the year 1,
/// and has come to the year 1755 for a long time to come.
const TEMPLATE: &str = r#"{{$then := (datetime.Truncate 9223372036854775807).UTC -}}
{{range split "xxxx,xxxxxxxxxx" "," -}}
{{$day := ($then.AddDate 266 (len .) 0).Local}}{{$day.Format "2006-01-02 15:04 -0700 MST"}} {{$day.IsDST}}; {{end}}
{{- with $then.Local.Location}}{{.}} {{printf "%T" .}}{{end}}"#;

fn check(zone: &str, want: &str) {
    let mut env = Env::with_tree(&json!({"a": "1"}));
    env.var("TZ", &env.expand(zone));
    std::fs::write(env.path("zone"), zone_file()).expect("a zone file");
    env.simple("then", TEMPLATE);
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/then"), env.expand(want), "{zone}");
}

/// Half an hour ahead of UTC for ever, called HALF; twice ahead from the second 0x60000000 (January
/// 2021) on.
fn zone_file() -> Vec<u8> {
    let mut bytes = b"TZif".to_vec();
    bytes.resize(20, 0);
    let counts = [0_u32, 0, 0, 1, 2, 11];
    bytes.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
    bytes.extend(b"\x60\0\0\0\x01");
    for (seconds, is_dst, name) in [(1800_i32, 0, 0), (3600, 1, 5)] {
        bytes.extend(seconds.to_be_bytes());
        bytes.extend([is_dst, name]);
    }
    bytes.extend(b"HALF\0WHOLE\0");
    bytes
}

#[test]
fn zone_files_and_names_of_no_zone() {
    let utc =
        "2020-12-30 22:43 +0000 UTC false; 2021-06-30 22:43 +0000 UTC false; UTC *time.Location";
    for (zone, want) in [
        ("", utc),
        ("UTC", utc),
        ("Local", utc),
        ("Foo/Bar", utc),
        ("/nonexistent", utc),
        ("/", utc),
        (
            "$ROOT/zone",
            "2020-12-30 23:13 +0030 HALF false; 2021-06-30 23:43 +0100 WHOLE true; $ROOT/zone *time.Location",
        ),
    ] {
        check(zone, want);
    }
}

#[test]
fn row_19_a_rule_is_a_zone() {
    let want =
        "2020-12-31 06:43 +0800 CST false; 2021-07-01 06:43 +0800 CST false; CST-8 *time.Location";
    check("CST-8", want);
}

#[test]
fn zones_of_the_system_are_those_of_go() {
    if !Path::new("/usr/share/zoneinfo/EST5EDT").exists() {
        eprintln!("no zone files are installed: not tried");
        return;
    }
    for (zone, want) in [
        (
            "EST5EDT",
            "2020-12-30 17:43 -0500 EST false; 2021-06-30 18:43 -0400 EDT true; EST5EDT *time.Location",
        ),
        (
            "CST6CDT",
            "2020-12-30 16:43 -0600 CST false; 2021-06-30 17:43 -0500 CDT true; CST6CDT *time.Location",
        ),
        (
            ":Asia/Shanghai",
            "2020-12-31 06:43 +0800 CST false; 2021-07-01 06:43 +0800 CST false; Asia/Shanghai *time.Location",
        ),
        (
            "Australia/Sydney",
            "2020-12-31 09:43 +1100 AEDT true; 2021-07-01 08:43 +1000 AEST false; Australia/Sydney *time.Location",
        ),
    ] {
        check(zone, want);
    }
}

#[test]
fn the_log_is_in_the_same_zone() {
    let mut env = Env::with_tree(&json!({"a": "1"}));
    env.var("TZ", "XXX-5:45");
    env.simple("a", "x");
    env.onetime().expect_code(0).expect_log("+05:45 ");
}
