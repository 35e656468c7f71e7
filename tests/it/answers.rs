//! What a missing key is told: Go's line first, then which of the cases it is, and all of them in one run.

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
