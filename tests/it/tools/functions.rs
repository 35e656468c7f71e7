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

#[test]
fn the_document_has_every_field_of_the_json() {
    let document = include_str!("../../../docs/json.md");
    let chinese = include_str!("../../../docs/json.zh-CN.md");
    let env = Env::with_tree(&serde_json::json!({"k": "v"}));
    env.simple("app", "{{getv \"/k\"}}");
    env.simple("bad", "{{getv \"/nope\"}}");
    env.put("x.tmpl", "x");
    let config = ["-format", "json", "-config-file", "$ROOT/etc/confd.toml"];
    for tool in ["-diff", "-get=/k", "-render=x.tmpl", "-help-functions"] {
        let run = env.run(&[&[tool], &config[..]].concat());
        let told: Json = serde_json::from_str(&run.stdout).expect("JSON");
        let mut names = Vec::new();
        fields(&told, &mut names);
        assert!(names.len() > 1, "{tool}");
        for name in names {
            let documented = format!("`{name}`");
            for page in [document, chinese] {
                let known = page.contains(&documented) || name == "version";
                assert!(known, "{tool}: {name}");
            }
        }
    }
}

/// The names of all fields of an object and of the objects in it.
fn fields(value: &Json, names: &mut Vec<String>) {
    match value {
        Json::Object(entries) => {
            for (name, below) in entries {
                names.push(name.clone());
                fields(below, names);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| fields(item, names)),
        _ => {}
    }
}
