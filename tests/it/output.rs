//! `output = "json"` and its like: a result that does not parse fails its resource and changes
//! nothing.

use serde_json::json;

use crate::env::Env;
use crate::metad::Metad;

fn env_with(output: &str) -> (Metad, Env) {
    let metad = Metad::start(json!({"v": "1"}));
    let env = Env::with_metad(&metad);
    let lines = format!("output = \"{output}\"\nreload_cmd = \"echo x >> $ROOT/reloads\"");
    env.simple_with("x", "{{getv \"/v\"}}", &lines);
    (metad, env)
}

#[test]
fn what_parses_is_written_and_what_does_not_changes_nothing() {
    for (output, good, bad, told) in [
        (
            "json",
            "{\"a\": 1}",
            "{\"a\":\n}",
            "line 2, column 1: expected value",
        ),
        ("toml", "a = 1\n", "a = 1\nb =\n", "line 2, column "),
        (
            "ini",
            "[a]\nb = 1\n",
            "[a\nb = 1\n",
            "line 1, column 1: the name of a section",
        ),
        (
            "xml",
            "<a b='1'/>",
            "<a>\n</b>",
            "line 2, column 1: </b> where </a> is due",
        ),
    ] {
        let (metad, env) = env_with(output);
        metad.set(json!({"v": good}));
        env.onetime().expect_code(0);
        assert_eq!(env.read("out/x"), good);
        metad.set(json!({"v": bad}));
        let told = format!("out/x: the output is not valid {output}: {told}");
        env.onetime().expect_code(1).expect_log(&told);
        assert_eq!(env.read("out/x"), good, "{output}");
        assert_eq!(env.reloads().len(), 1, "{output}");
        assert_eq!(env.lasting_names("out"), ["x"]);
    }
}

#[test]
fn a_daemon_goes_on_when_it_parses_again() {
    let (metad, env) = env_with("json");
    let daemon = env.daemon(&["-watch"]);
    env.wait_content("out/x", "1");
    metad.set(json!({"v": "{"}));
    daemon.wait_log("the output is not valid json");
    assert_eq!(env.read("out/x"), "1");
    metad.set(json!({"v": "[]"}));
    env.wait_content("out/x", "[]");
}

#[test]
fn without_it_nothing_is_checked() {
    let env = Env::with_tree(&json!({"v": "{"}));
    env.simple("x.json", "{{getv \"/v\"}}");
    env.onetime().expect_code(0);
    assert_eq!(env.read("out/x.json"), "{");
}

#[test]
fn an_unknown_format_is_refused() {
    let (_metad, env) = env_with("yaml");
    let told = "x.toml:5: output must be json, toml, ini or xml, not \"yaml\"";
    env.onetime().expect_code(1).expect_log(told);
    let lint = env.run(&["-lint", "-config-file", "etc/confd.toml"]);
    lint.expect_code(1);
    assert!(
        lint.stdout
            .contains("output must be json, toml, ini or xml"),
        "{}",
        lint.stdout
    );
}
