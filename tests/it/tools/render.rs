//! `-render` and `-get`: one template, one value, from a recording or a live node.

use std::fs::File;

use serde_json::{Value as Json, json};

use crate::env::Env;
use crate::metad::Metad;

fn cluster() -> Json {
    json!({
        "host": {"ip": "10.0.0.1", "motd": "two\nlines"},
        "hosts": {"web": {"i-1": {"ip": "10.0.0.1"}, "i-2": {"ip": "10.0.0.2"}}},
        "env": {"port": "80"},
    })
}

fn recording() -> Env {
    let env = Env::new();
    env.put("meta.json", &cluster().to_string());
    env
}

const RECORDED: [&str; 2] = ["-file", "meta.json"];

fn run(env: &Env, arguments: &[&str]) -> crate::env::Run {
    env.run(&[arguments, &RECORDED].concat())
}

#[test]
fn a_template_is_rendered_from_a_recording() {
    let env = recording();
    env.put(
        "x.tmpl",
        "{{range getvs \"/hosts/web/*/ip\"}}{{.}}\n{{end}}é\u{1}",
    );
    let rendered = run(&env, &["-render", "x.tmpl"]);
    rendered.expect_code(0);
    assert_eq!(rendered.stdout, "10.0.0.1\n10.0.0.2\né\u{1}");
    assert_eq!(rendered.stderr, "");

    let json = run(&env, &["-render", "x.tmpl", "-format", "json"]);
    let told: Json = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(told["version"], 1);
    assert_eq!(told["content"], "10.0.0.1\n10.0.0.2\né\u{1}");
}

#[test]
fn a_template_is_rendered_from_standard_input() {
    let env = recording();
    env.put("x.tmpl", "{{getv \"/env/port\"}}");
    let mut command = env.command(&[&["-render", "-"], &RECORDED[..]].concat());
    command.stdin(File::open(env.path("x.tmpl")).expect("the template"));
    assert_eq!(env.finish(command).stdout, "80");

    env.put("x.tmpl", "a\n{{getv \"/env/prt\"}}");
    let mut command = env.command(&[&["-render", "-"], &RECORDED[..]].concat());
    command.stdin(File::open(env.path("x.tmpl")).expect("the template"));
    let failed = env.finish(command);
    failed
        .expect_code(1)
        .expect_log("template: stdin:2:2: executing \"stdin\"")
        .expect_log("did you mean /env/port?");
    assert_eq!(failed.stdout, "");
}

#[test]
fn a_template_below_confdir_is_found_and_includes_others() {
    let env = recording();
    env.template("sub/x.tmpl", "{{include \"y.tmpl\" 1}}");
    env.template("y.tmpl", "y{{.}}");
    let rendered = run(&env, &["-render", "sub/x.tmpl", "-confdir", "etc"]);
    assert_eq!(rendered.stdout, "y1");
    run(&env, &["-render", "none.tmpl", "-confdir", "etc"])
        .expect_code(1)
        .expect_log("cannot read none.tmpl: ");
}

#[test]
fn keys_prefix_and_strict_are_those_of_a_resource() {
    let env = recording();
    env.put(
        "x.tmpl",
        "{{getv \"/env/port\" \"none\"}} {{getv \"/host/ip\"}}",
    );
    let seen = run(&env, &["-render", "x.tmpl", "-keys", "/env,/host"]);
    assert_eq!(seen.stdout, "80 10.0.0.1");
    let seen = run(&env, &["-render", "x.tmpl", "-keys", "/host"]);
    assert_eq!(seen.stdout, "none 10.0.0.1");
    run(&env, &["-render", "x.tmpl", "-keys", "/env"])
        .expect_code(1)
        .expect_log("keys = [\"/env\"] of the command line does not cover it");

    env.put("x.tmpl", "{{getvs \"/*/ip\"}}");
    let below = run(&env, &["-render", "x.tmpl", "-prefix", "/hosts/web"]);
    assert_eq!(below.stdout, "[10.0.0.1 10.0.0.2]");
    env.put("x.tmpl", "{{getv \"/host/ip\"}}");
    let whole = run(&env, &["-render", "x.tmpl", "-prefix", "/self"]);
    assert_eq!(whole.stdout, "10.0.0.1", "what is below /self was recorded");

    env.put("x.tmpl", "{{(map \"a\" 1).b}}");
    assert_eq!(run(&env, &["-render", "x.tmpl"]).stdout, "<no value>");
    run(&env, &["-render", "x.tmpl", "-strict"])
        .expect_code(1)
        .expect_log("map has no entry for key \"b\"");
}

#[test]
fn both_ask_a_live_node() {
    let metad = Metad::start(cluster());
    let env = Env::with_metad(&metad);
    env.put("x.tmpl", "{{getv \"/env/port\"}}");
    let config = ["-config-file", "etc/confd.toml"];
    let rendered = env.run(&[&["-render", "x.tmpl"], &config[..]].concat());
    assert_eq!(rendered.stdout, "80");
    let got = env.run(&[&["-get", "/env/port"], &config[..]].concat());
    assert_eq!(got.stdout, "80\n");
}

#[test]
fn a_value_and_a_directory_are_printed() {
    let env = recording();
    for (path, printed) in [
        ("/env/port", "80\n"),
        ("env/port/", "80\n"),
        ("/host/motd", "two\nlines\n"),
        ("/host", "ip: 10.0.0.1\nmotd: \"two\\nlines\"\n"),
        (
            "/hosts/",
            "web\n  i-1\n    ip: 10.0.0.1\n  i-2\n    ip: 10.0.0.2\n",
        ),
        (
            "/hosts/*/*/ip",
            "/hosts/web/i-1/ip: 10.0.0.1\n/hosts/web/i-2/ip: 10.0.0.2\n",
        ),
    ] {
        let got = run(&env, &["-get", path]);
        got.expect_code(0);
        assert_eq!(got.stdout, printed, "{path}");
    }
    let all = run(&env, &["-get", "/"]);
    assert!(
        all.stdout.starts_with("env\n  port: 80\nhost\n"),
        "{}",
        all.stdout
    );
}

#[test]
fn what_is_got_is_also_json() {
    let env = recording();
    for (path, value) in [
        ("/env/port", json!("80")),
        ("/", cluster()),
        ("/hosts/web", cluster()["hosts"]["web"].clone()),
        ("/env/*", json!({"/env/port": "80"})),
    ] {
        let got = run(&env, &["-get", path, "-format", "json"]);
        let told: Json = serde_json::from_str(&got.stdout).expect("JSON");
        assert_eq!(told, json!({"version": 1, "path": path, "value": value}));
    }
}

#[test]
fn what_is_not_there_exits_1_and_names_what_is_near() {
    let env = recording();
    for (path, told) in [
        (
            "/env/prt",
            "/env/prt: the metadata has no such key; did you mean /env/port?",
        ),
        ("/hostss", "did you mean /hosts?"),
        (
            "/nothing/like/it",
            "/nothing/like/it: the metadata has no such key",
        ),
        ("/env/x*", "/env/x*: the pattern matches no key"),
    ] {
        let run = run(&env, &["-get", path]);
        run.expect_code(1).expect_log(told);
        assert_eq!(run.stdout, "");
    }
    run(&env, &["-get", "/env/[a"])
        .expect_code(2)
        .expect_log("syntax error in pattern");
}
