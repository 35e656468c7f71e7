//! The error of a missing key: Go's line first, then which of the cases it is, and all of them in
//! one run.

use serde_json::json;

use crate::env::Env;

/// An environment of a small cluster, with this conf.d and template.
fn env(lines: &str, template: &str) -> Env {
    let env = Env::with_tree(&json!({
        "cluster": {"zone": "secret-zone"},
        "env": {"a": "secret-a", "b": "", "c": "", "d": "", "e": ""},
        "host": {"ip": "secret-ip", "sid": "secret-sid"},
        "hosts": {"i-1": {"ip": "secret-ip"}},
    }));
    env.template("app.tmpl", template);
    env.resource(
        "app.toml",
        &format!("[template]\nsrc = \"app.tmpl\"\ndest = \"$ROOT/out/app\"\n{lines}\n"),
    );
    env
}

/// The lines of the log from the first error on, without what is before its level.
fn errors(env: &Env) -> Vec<String> {
    let run = env.onetime();
    run.expect_code(1).expect_no_log("secret");
    let lines = run.stderr.lines();
    let lines = lines.map(|line| line.split_once(": ERROR ").map_or(line, |(_, text)| text));
    let from = lines.skip_while(|line| !line.starts_with("template: "));
    from.map(str::to_owned).collect()
}

#[test]
fn a_missing_key_is_told_which_case_it_is() {
    let below = "keys = [\"/host\", \"/env\"]";
    for (lines, key, answer) in [
        (below, "/nope", "the metadata has no such key"),
        (
            below,
            "/cluster/zone",
            "the metadata has /cluster/zone, but keys = [\"/host\", \"/env\"] of $TOML does not cover it",
        ),
        (
            "",
            "/host/ip",
            "the metadata has /host/ip, but $TOML has no keys, and so the template sees nothing",
        ),
        (
            below,
            "/self/host/ip",
            "there is no such key; under another prefix there is /host/ip",
        ),
        (
            "keys = [\"/\"]\nprefix = \"/host\"",
            "/hosts/i-1/ip",
            "there is no such key below prefix \"/host\" of $TOML; outside of it there is /hosts/i-1/ip",
        ),
        (
            below,
            "/host",
            "/host/ is a directory, not a value: it has ip sid",
        ),
        (
            below,
            "/env",
            "/env/ is a directory, not a value: it has a b c d and more",
        ),
        (
            below,
            "/host/sdi",
            "the metadata has no such key; did you mean /host/sid?",
        ),
        (
            below,
            "/cluster/zon",
            "the metadata has no such key; did you mean /cluster/zone? \
             (but keys = [\"/host\", \"/env\"] of $TOML does not cover it)",
        ),
        (
            below,
            "host/ip",
            "no key is ever written like that; did you mean /host/ip?",
        ),
    ] {
        let env = env(lines, &format!("x\n  {{{{getv \"{key}\"}}}}"));
        let answer = answer.replace("$TOML", "$ROOT/etc/conf.d/app.toml");
        assert_eq!(
            errors(&env)[..2],
            [
                format!(
                    "template: app.tmpl:2:4: executing \"app.tmpl\" at <getv \"{key}\">: \
                     error calling getv: key does not exist: {key}"
                ),
                env.expand(&format!("      {answer}")),
            ]
        );
    }
}

#[test]
fn one_run_reports_every_missing_key() {
    let template = "{{getv \"/q\"}}{{getv \"/host/sdi\"}}\n{{include \"inc.tmpl\"}}{{getv \"/host/ip\"}}{{get \"/z\"}}";
    let env = env("keys = [\"/\"]", template);
    env.template("inc.tmpl", "{{getv \"/host/ipp\"}}");
    let go = |place: &str, function: &str, key: &str| {
        format!(
            "template: {place} at <{function} \"{key}\">: error calling {function}: key does not exist: {key}"
        )
    };
    let no = "      the metadata has no such key".to_owned();
    assert_eq!(
        errors(&env)[..9],
        [
            go("app.tmpl:1:2: executing \"app.tmpl\"", "getv", "/q"),
            no.clone(),
            format!(
                "    {}",
                go("app.tmpl:1:15: executing \"app.tmpl\"", "getv", "/host/sdi")
            ),
            format!("{no}; did you mean /host/sid?"),
            format!(
                "    template: app.tmpl:2:2: executing \"app.tmpl\" at <include \"inc.tmpl\">: error calling include: {}",
                go("inc.tmpl:1:2: executing \"inc.tmpl\"", "getv", "/host/ipp")
            ),
            format!("{no}; did you mean /host/ip?"),
            format!(
                "    {}",
                go("app.tmpl:2:43: executing \"app.tmpl\"", "get", "/z")
            ),
            no,
            env.expand("    in $ROOT/etc/conf.d/app.toml"),
        ]
    );
}

/// The lines of the log about app.tmpl, from the first error on.
fn failure_lines(hosts: usize, template: &str) -> Vec<String> {
    let hosts: serde_json::Map<String, serde_json::Value> = (0..hosts)
        .map(|number| (format!("i-{number:06}"), json!({"ip": "10.0.0.1"})))
        .collect();
    let env = Env::with_tree(&json!({"hosts": hosts}));
    env.template("app.tmpl", template);
    env.resource(
        "app.toml",
        "[template]\nsrc = \"app.tmpl\"\ndest = \"$ROOT/out/app\"\nkeys = [\"/\"]\n",
    );
    errors(&env)
}

#[test]
fn missing_keys_of_one_place_are_folded() {
    let template =
        "{{range $host := lsdir \"/hosts\"}}\n{{getv (printf \"/hosts/%s/sid\" $host)}}{{end}}";
    let lines = failure_lines(1000, template);
    assert_eq!(lines.len(), 3, "{lines:#?}");
    assert!(
        lines[0].ends_with("error calling getv: key does not exist: /hosts/i-000000/sid"),
        "{lines:#?}"
    );
    assert_eq!(
        lines[1].trim(),
        "/hosts/*/sid: 1,000 keys, such as /hosts/i-000000/sid: the metadata has no such key"
    );
    // In a template that another one includes, too.
    let env = Env::with_tree(&json!({"hosts": {"a": {"ip": "1"}, "b": {"ip": "2"}}}));
    env.simple("app", r#"{{include "inc.tmpl"}}"#);
    env.template(
        "inc.tmpl",
        r#"{{range lsdir "/hosts"}}{{getv (printf "/hosts/%s/sid" .)}}{{end}}"#,
    );
    env.onetime()
        .expect_code(1)
        .expect_log("/hosts/*/sid: 2 keys, such as /hosts/a/sid: ");
}

#[test]
fn a_template_with_many_missing_keys_has_ten_lines_and_the_total() {
    let calls: String = (0..30)
        .map(|number| format!("{{{{getv (printf \"/hosts/%s/k{number}\" .)}}}}"))
        .collect();
    let template = format!("{{{{range lsdir \"/hosts\"}}}}{calls}{{{{end}}}}");
    let lines = failure_lines(100, &template);
    assert_eq!(lines.len(), 10, "{lines:#?}");
    assert_eq!(lines[8].trim(), "3,000 keys are missing");
}

#[test]
fn many_templates_with_missing_keys_have_a_hundred_lines() {
    let env = Env::with_tree(&json!({"hosts": {"a": {"ip": "1"}}}));
    let calls: String = (0..10)
        .map(|number| format!("{{{{getv \"/k{number}\"}}}}"))
        .collect();
    for number in 0..20 {
        env.simple(&format!("app{number:02}"), &calls);
    }
    let run = env.onetime();
    run.expect_code(1);
    let errors = run
        .stderr
        .lines()
        .skip_while(|line| !line.contains(": ERROR "));
    assert!(errors.count() <= 102, "{}", run.stderr);
    assert_eq!(
        run.at("ERROR").len(),
        20,
        "each has its line:\n{}",
        run.stderr
    );
}

#[test]
fn other_mistakes_show_their_line() {
    for (template, shown) in [
        (
            "x\n{{getv \"/host/ip\" | atoi}}",
            &[
                "       2 | {{getv \"/host/ip\" | atoi}}",
                "         |                     ^^^^",
            ][..],
        ),
        (
            "{{gtev \"/host/ip\"}}",
            &[
                "       1 | {{gtev \"/host/ip\"}}",
                "         |   ^^^^",
                "      help: there is a function getv",
            ],
        ),
    ] {
        let env = env("keys = [\"/\"]", template);
        let run = env.onetime();
        for line in shown {
            run.expect_code(1).expect_log(&format!("\n{line}\n"));
        }
    }
}
