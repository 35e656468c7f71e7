//! A value of the metadata is in the files that templates put it in, and nowhere else.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::json;

use crate::env::{Env, until};
use crate::metad::Metad;

const SECRET: &str = "hunter2-hunter2";

/// The files below a directory in which the secret stands.
fn places(directory: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            places(&path, found);
        } else if String::from_utf8_lossy(&fs::read(&path).expect("read")).contains(SECRET) {
            found.push(path.to_string_lossy().into_owned());
        }
    }
}

/// The daemon at its most talkative: a change, a failed check, an owed reload, a missing key. Its
/// commands write down what every process of the machine shows to everybody.
#[test]
fn a_value_is_in_no_log_state_file_process_list_or_environment() {
    let metad = Metad::start(json!({"password": "before", "other": "1"}));
    let env = Env::with_metad(&metad);
    // A process may end between two steps of cat, which fails then.
    let look = "cat /proc/[0-9]*/cmdline /proc/$PPID/environ /proc/self/environ >> $ROOT/seen 2>/dev/null; true";
    let value = r#"{{getv "/password"}}"#;
    let lines = format!(
        "mode = \"0600\"\ncheck_cmd = \"{look}\"\nreload_cmd = \"{look}; false\"\nreload_retry = true"
    );
    env.simple_with("app", value, &lines);
    env.simple_with("failing", value, "check_cmd = \"false\"");
    env.simple("missing", &format!("{value}{{{{getv \"/none\"}}}}"));
    let daemon = env.daemon(&["-watch", "-log-level", "debug"]);
    env.wait_content("out/app", "before");
    metad.put("/password", SECRET);
    env.wait_content("out/app", SECRET);
    daemon.wait_log("app changes because of /password");
    until("the failures are reported", || {
        env.read("etc/status.json")
            .contains("failed with exit status 1")
    });
    assert!(env.has_pending_reloads() && !env.read("seen").is_empty());
    assert_eq!(daemon.stop(), Some(0));
    let mut found = Vec::new();
    places(&env.path(""), &mut found);
    assert_eq!(found, [env.expand("$ROOT/out/app")]);
}

#[test]
fn settings_that_do_not_parse_are_not_quoted() {
    let env = Env::new();
    for broken in [
        format!("password = \"{SECRET}"),
        format!("auth_token = {SECRET}"),
        format!("password = \"x\" {SECRET}"),
        format!("client-key = \"{SECRET}\"\nclient_key = \"{SECRET}\""),
    ] {
        env.put("broken.toml", &broken);
        // To -lint they are a finding.
        for (tool, code) in [("-onetime", 2), ("-lint", 1)] {
            let run = env.run(&["-config-file", "$ROOT/broken.toml", tool]);
            run.expect_code(code).expect_no_log(SECRET);
            assert!(!run.stdout.contains(SECRET), "{}", run.stdout);
        }
    }
}

/// A short one could be found by trying.
#[test]
fn the_sum_of_a_file_that_not_everybody_may_read_is_not_told() {
    let env = Env::with_tree(&json!({"k": "1234"}));
    env.simple_with("app", r#"{{getv "/k"}}"#, "mode = \"0640\"");
    env.put("out/app", "4321");
    let text = env.expand("$ROOT/out/app has md5sum (secret) should be (secret)");
    env.onetime().expect_code(0).expect_log(&text);
}

/// The promise of SECURITY.md for each file that confd makes for itself.
#[test]
fn the_files_of_a_daemon_have_the_modes_that_security_md_says() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    env.simple_with("app", "x", "reload_retry = true\nreload_cmd = \"false\"");
    let daemon = env.daemon(&["-watch"]);
    daemon.wait_log("failed with exit status 1");
    until("it has reported", || env.path("etc/status.json").exists());
    let mode = |path: &Path| fs::metadata(path).expect("metadata").mode() & 0o7777;
    let document = include_str!("../../../SECURITY.md");
    let mut own = Vec::new();
    for line in document
        .lines()
        .filter(|line| line.starts_with("| `CONFDIR/"))
    {
        let cells: Vec<&str> = line
            .split('|')
            .map(|cell| cell.trim().trim_matches('`'))
            .collect();
        let name = cells[1].trim_start_matches("CONFDIR/");
        let path = match name.strip_suffix("/*") {
            Some(folder) => env
                .path("etc")
                .join(folder)
                .join(&env.names(&format!("etc/{folder}"))[0]),
            None => env.path("etc").join(name),
        };
        let wanted = u32::from_str_radix(cells[2], 8).expect("a mode");
        assert_eq!(mode(&path), wanted, "{name}");
        own.push(name);
    }
    own.sort_unstable();
    assert_eq!(
        own,
        [
            ".confd.generation",
            ".confd.lock",
            "conf.d/.confd.lock",
            "reloads/*",
            "status.json"
        ]
    );
    let made: Vec<String> = env.lasting_names("etc");
    let known = [
        ".confd.generation",
        ".confd.lock",
        "conf.d",
        "confd.toml",
        "reloads",
        "status.json",
        "templates",
    ];
    assert_eq!(made, known);
    assert_eq!(daemon.stop(), Some(0));
}
