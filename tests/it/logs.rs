//! The log: the form of a line, the words that people search for, and what must never be in it.

use serde_json::json;

use crate::env::Env;
use crate::metad::Metad;

const SECRET: &str = "s3cr3t-v4lue";

/// Splits `2016-10-11T13:54:41+08:00 HOST confd[PID]: LEVEL message`; none when the line is not of
/// that form.
fn parse(line: &str) -> Option<(&str, &str, u32, &str, &str)> {
    let mut words = line.splitn(5, ' ');
    let (time, host, tag) = (words.next()?, words.next()?, words.next()?);
    let (level, message) = (words.next()?, words.next()?);
    let pid = tag.strip_prefix("confd[")?.strip_suffix("]:")?;
    let shape: String = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    let known = ["DEBUG", "INFO", "WARNING", "ERROR", "FATAL"];
    (matches!(shape.as_str(), "0000-00-00T00:00:00+00:00") && known.contains(&level)).then_some((
        time,
        host,
        pid.parse().ok()?,
        level,
        message,
    ))
}

#[test]
fn every_line_has_the_form_that_the_platform_reads() {
    let mut env = Env::with_tree(&json!({"k": "v"}));
    env.var("TZ", "CST-8");
    env.simple("app", r#"{{getv "/k"}}"#);
    env.simple("broken", r#"{{getv "/none"}}"#);
    env.simple_with("refused", "x", "check_cmd = \"seq 1 3; exit 1\"");
    let run = env.onetime_with(&["-log-level", "debug"]);
    run.expect_code(1);
    let mut pids = Vec::new();
    // What follows in an event of several lines is indented, so that it cannot be taken for another
    // event.
    let events = run.stderr.lines().filter(|line| !line.starts_with("    "));
    for line in events {
        let Some((time, host, pid, _, message)) = parse(line) else {
            panic!("not a log line: {line:?}");
        };
        assert!(time.ends_with("+08:00"), "{line}");
        assert!(!host.is_empty() && !message.is_empty(), "{line}");
        pids.push(pid);
    }
    pids.dedup();
    assert_eq!(pids.len(), 1);
    assert_eq!(run.stdout, "");
}

#[test]
fn the_start_is_logged_as_by_the_original_and_with_what_it_works_on() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    env.simple("app", r#"{{getv "/k"}}"#);
    env.simple("broken", "{{");
    let nodes = format!("Backend nodes set to {}", metad.node());
    let start = |mode: &str| {
        let what = format!(
            "confd {}, confdir $ROOT/etc, prefix /self, {mode}, 2 resources",
            env!("CARGO_PKG_VERSION")
        );
        let lines = ["Backend set to metad", "Starting confd", &nodes, &what];
        lines.map(|line| ("INFO".to_owned(), env.expand(line)))
    };
    let first_of = |log: &str| {
        let events = log.lines().filter_map(parse).take(4);
        let words = events.map(|(.., level, message)| (level.to_owned(), message.to_owned()));
        words.collect::<Vec<_>>()
    };
    let run = env.onetime();
    assert_eq!(first_of(&run.stderr), start("once"));
    let watching = env.daemon(&["-watch"]);
    watching.wait_log("2 resources");
    assert_eq!(first_of(&watching.log()), start("watching"));
    drop(watching);
    let polling = env.daemon(&["-interval", "7"]);
    polling.wait_log("2 resources");
    assert_eq!(first_of(&polling.log()), start("every 7 s"));
}

#[test]
fn a_failure_that_lasts_is_one_line_and_its_end_another() {
    let metad = Metad::start(json!({"k": "v", "other": "0"}));
    let env = Env::with_metad(&metad);
    // Each attempt fails with other words.
    let check = "check_cmd = \"echo $$ >> $ROOT/tries; echo $$; test -e $ROOT/allowed\"";
    env.simple_with("app", r#"{{getv "/k"}}"#, check);
    let daemon = env.daemon(&["-watch"]);
    env.wait_lines("tries", 2);
    for step in 1..3 {
        metad.put("/other", &step.to_string());
        env.wait_lines("tries", 2 + step);
    }
    env.put("allowed", "");
    metad.put("/other", "last");
    daemon.wait_log(&env.expand("INFO $ROOT/out/app (app.toml) works again after "));
    assert_eq!(daemon.count(": ERROR "), 1, "{}", daemon.log());
    assert_eq!(daemon.count("works again"), 1, "{}", daemon.log());
    assert_eq!(daemon.count("still fails"), 0, "{}", daemon.log());
}

#[test]
fn a_change_is_logged_once_also_when_something_failed_before() {
    let metad = Metad::start(json!({"k": "v"}));
    let env = Env::with_metad(&metad);
    env.put("out/app", "old");
    let check = "check_cmd = \"echo >> $ROOT/tries; test -e $ROOT/allowed\"";
    env.simple_with("app", r#"{{getv "/new"}}"#, check);
    let daemon = env.daemon(&["-watch"]);
    daemon.wait_log("key does not exist: /new");
    metad.put("/new", "v");
    let line = env.expand(": INFO Target config $ROOT/out/app out of sync");
    daemon.wait_log(&line);
    // The attempts after the first are no news.
    env.wait_lines("tries", 3);
    env.put("allowed", "");
    daemon.wait_log("app has been updated");
    assert_eq!(daemon.count(&line), 1, "{}", daemon.log());
    assert_eq!(daemon.count("app has md5sum"), 1, "{}", daemon.log());
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn the_level_hides_what_is_below_it() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    let counts = ["debug", "info", "warning", "error"].map(|level| {
        env.put("out/app", "old");
        let run = env.onetime_with(&["-log-level", level]);
        run.expect_code(0);
        run.stderr.lines().count()
    });
    assert!(counts[0] > counts[1] && counts[1] > 0, "{counts:?}");
    assert_eq!(counts[2..], [0, 0], "nothing was wrong");
}

#[test]
fn the_words_that_people_search_for() {
    let env = Env::with_tree(&json!({"k": "new"}));
    env.simple("app", r#"{{getv "/k"}}"#);
    env.put("out/app", "old");
    // md5 of `old` and of `new`.
    env.onetime()
        .expect_code(0)
        .expect_log(&env.expand(
            "INFO $ROOT/out/app has md5sum 149603e6c03516362a8da23f624db945 should be 22af645d1859cb5ca6da0c484f1f37ea",
        ))
        .expect_log(&env.expand("INFO Target config $ROOT/out/app out of sync"))
        .expect_log(&env.expand("INFO Target config $ROOT/out/app has been updated"));
    env.onetime_with(&["-log-level", "debug"])
        .expect_code(0)
        .expect_log(&env.expand("DEBUG Target config $ROOT/out/app in sync"));
}

#[test]
fn template_errors_are_logged_word_for_word() {
    let env = Env::with_tree(&json!({"k": "v"}));
    env.simple("app", "line one\n{{getv \"/none\"}}");
    env.onetime().expect_code(1).expect_log(
        "template: app.tmpl:2:2: executing \"app.tmpl\" at <getv \"/none\">: \
         error calling getv: key does not exist: /none",
    );
}

#[test]
fn no_value_of_the_metadata_is_ever_logged() {
    let metad = Metad::start(json!({
        "env": {"password": SECRET, "list": "{\"a\": 1}"},
        "hosts": {"i-1": {"ip": SECRET}},
    }));
    let env = Env::with_metad(&metad);
    env.simple_with(
        "app",
        r#"{{getv "/env/password"}}{{range gets "/hosts/*/ip"}}{{.Value}}{{end}}"#,
        "check_cmd = \"true\"\nreload_cmd = \"true\"",
    );
    env.simple("broken", r#"{{getv "/env/password"}}{{getv "/env/none"}}"#);
    env.simple_with(
        "failing",
        r#"{{getv "/env/password"}}"#,
        "check_cmd = \"false\"",
    );
    let debug = ["-log-level", "debug"];
    env.onetime_with(&debug)
        .expect_code(1)
        .expect_no_log(SECRET);
    env.put("out/app", "changed by hand");
    env.onetime_with(&debug)
        .expect_code(1)
        .expect_no_log(SECRET);
    env.onetime_with(&["-log-level", "debug", "-noop"])
        .expect_no_log(SECRET);
    assert!(env.read("out/app").contains(SECRET));
}

#[test]
fn a_broken_answer_is_not_quoted_in_the_log() {
    let env = Env::with_tree(&json!({}));
    env.put(
        "metadata.json",
        &format!("{{\"password\": \"{SECRET}\", oops"),
    );
    env.simple("app", "x");
    env.onetime_with(&["-log-level", "debug"])
        .expect_code(1)
        .expect_no_log(SECRET);
}

#[test]
fn many_missing_keys_are_folded_and_limited_for_a_template_and_for_a_try() {
    let hosts = (0..1000).map(|number| (format!("i-{number:06}"), json!({"ip": "10.0.0.1"})));
    let hosts: serde_json::Map<String, serde_json::Value> = hosts.collect();
    let env = Env::with_tree(&json!({"hosts": hosts}));
    let range = r#"{{range ls "/hosts"}}{{getv (printf "/hosts/%s/sid" .)}}{{end}}"#;
    for number in 0..20 {
        env.simple_with(&format!("r{number:02}"), range, "");
    }
    let run = env.onetime();
    run.expect_code(1)
        .expect_log("/hosts/*/sid: 1,000 keys, such as /hosts/i-");
    let lines = run.stderr.lines().count();
    assert!(lines <= 140, "{lines} lines:\n{}", run.stderr);
    // Keys that have nothing in common cannot be folded.
    let mixed = r#"{{range seq 1 300}}{{getv (printf "/none-%d/x-%d" . .)}}{{end}}"#;
    for number in 0..20 {
        env.simple_with(&format!("r{number:02}"), mixed, "");
    }
    let run = env.onetime();
    run.expect_code(1);
    let lines = run.stderr.lines().count();
    assert!(lines <= 260, "{lines} lines:\n{}", run.stderr);
}
