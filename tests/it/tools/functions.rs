//! `-help-functions`: the template functions, for people and for programs.

use serde_json::Value as Json;

use crate::env::Env;

#[test]
fn every_function_has_a_line_and_most_an_example() {
    let run = Env::new().run(&["-help-functions"]);
    run.expect_code(0);
    for shown in [
        "\ngetv KEY [DEFAULT]: the value of a key; an empty value beats the default\n    {{getv \"/env/ratio\"}}\n",
        "\ngets PATTERN: ",
        "\nprintf FORMAT VALUE…: the values in Go's formats\n",
        "\nhostname: the name of this machine\n",
    ] {
        assert!(run.stdout.contains(shown), "{shown}\n{}", run.stdout);
    }
    let names: Vec<String> = run
        .stdout
        .lines()
        .filter(|line| !line.starts_with(' '))
        .map(str::to_lowercase)
        .collect();
    assert!(names.is_sorted(), "{names:?}");
    assert!(names.len() > 85);
}

#[test]
fn the_functions_as_json_render_their_own_examples() {
    let run = Env::new().run(&["-help-functions", "-format", "json"]);
    run.expect_code(0);
    let told: Json = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(told["version"], 1);
    let functions = told["functions"].as_array().expect("a list");
    let function = |name: &str| {
        let mut all = functions.iter();
        all.find(|function| function["name"] == name).expect(name)
    };
    assert_eq!(function("getvs")["result"], "[]string");
    assert_eq!(function("seq")["signature"], "seq FIRST LAST");
    assert_eq!(function("add")["example"], "{{add \"1\" 2}}");
}
