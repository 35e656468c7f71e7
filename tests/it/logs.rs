//! The log: the form of a line, the words that people search for, and what must never be in it.

use serde_json::json;

use crate::env::Env;
use crate::metad::Metad;

const SECRET: &str = "s3cr3t-v4lue";

/// Splits `2016-10-11T13:54:41+08:00 HOST confd[PID]: LEVEL message`; none when the line is not of that form.
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
    // What follows in an event of several lines is indented, so that it cannot be taken for another event.
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
