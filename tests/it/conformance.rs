//! The results of the original, and of Go itself, for some thousands of templates
//! (`tests/conformance/`), in-process and by the program: the same bytes, or the same message.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Write, stderr};
use std::path::Path;
use std::sync::Arc;

use app_agent::go::time::{Local, Zone};
use app_agent::resource::funcs::{Funcs, HostEnv};
use app_agent::template::{Budget, ErrorKind, Host, Options, Template, Value};
use app_agent::tree::{Tree, View};
use serde_json::Value as Json;

use crate::env::Env;

/// One line of a file of cases.
#[derive(Clone)]
struct Case {
    id: String,
    data: String,
    template: String,
    /// The text, or the message.
    want: Result<String, String>,
}

#[test]
fn conformance() {
    let views = views();
    let cases = [cases("cases.jsonl"), cases("go.jsonl")].concat();
    let mut failed = Vec::new();
    for case in &cases {
        let got = views.get(&case.data).map(|view| render(case, view));
        if got.as_ref() != Some(&case.want) {
            failed.push(format!(
                "{} {:?}\n  want {:?}\n  got  {got:?}",
                case.id, case.template, case.want
            ));
        }
    }
    let passed = cases.len() - failed.len();
    // Straight to the terminal: what a test prints is shown only when it fails.
    writeln!(stderr(), "conformance: {passed} of {}", cases.len()).unwrap();
    assert!(
        failed.is_empty(),
        "{}\n{} cases differ",
        failed.join("\n"),
        failed.len()
    );
}

/// The resources of one run: the work of the agent grows faster than their number.
const RESOURCES: usize = 300;

/// The program renders what the original rendered, and no file where that failed; the messages are
/// the library's.
#[test]
fn the_program_conforms() {
    let tree: Json = serde_json::from_str(&read("datasets.json")).unwrap();
    let cases = cases("cases.jsonl");
    let wrong: Vec<&str> = cases
        .chunks(RESOURCES)
        .flat_map(|cases| wrong_in_one_run(&tree, cases))
        .collect();
    assert!(wrong.is_empty(), "{} differ: {wrong:?}", wrong.len());
}

/// The tables of Go in the program: one file that includes all templates that render.
#[test]
fn the_program_has_the_tables_of_go() {
    let mut env = Env::with_tree(&serde_json::from_str(&read("datasets.json")).unwrap());
    env.var("TZ", "UTC");
    let (mut template, mut want) = (String::new(), String::new());
    for case in cases("go.jsonl") {
        let Case {
            id, want: Ok(out), ..
        } = &case
        else {
            continue;
        };
        env.template(&format!("{id}.tmpl"), &case.template);
        template += &format!("{{{{include \"{id}.tmpl\"}}}}\u{2} {id}\n");
        want += &format!("{out}\u{2} {id}\n");
    }
    env.simple_with("tables", &template, "prefix = \"/kv\"");
    env.onetime().expect_code(0);
    let got = env.read("out/tables");
    let pairs = want.split('\u{2}').zip(got.split('\u{2}'));
    let different = pairs.filter(|(want, got)| want != got);
    let shown: Vec<String> = different.map(|pair| format!("{pair:?}")).collect();
    assert!(shown.is_empty() && want == got, "{}", shown.join("\n"));
}

/// Renders these cases in one run; returns those that differ.
fn wrong_in_one_run<'c>(tree: &Json, cases: &'c [Case]) -> Vec<&'c str> {
    let mut env = Env::with_tree(tree);
    env.var("TZ", "UTC");
    env.var("BB_ENV", "from-env");
    for case in cases {
        let Case { id, data, .. } = case;
        env.template(&format!("{id}.tmpl"), &case.template);
        env.resource(
            &format!("{id}.toml"),
            &format!(
                "[template]\nsrc = \"{id}.tmpl\"\ndest = \"$ROOT/out/{id}\"\nprefix = \"/{data}\"\nkeys = [\"/\"]\n"
            ),
        );
    }
    let run = env.onetime();
    run.expect_code(i32::from(cases.iter().any(|case| case.want.is_err())));
    let wrong = cases.iter().filter(|case| match &case.want {
        Ok(want) => {
            std::fs::read_to_string(env.path(&format!("out/{}", case.id)))
                .ok()
                .as_ref()
                != Some(want)
        }
        Err(_) => env.path(&format!("out/{}", case.id)).exists(),
    });
    wrong.map(|case| case.id.as_str()).collect()
}

/// The program's own path through the library: parse, execute, and the message that it logs.
fn render(case: &Case, view: &View) -> Result<String, String> {
    let around = HostEnv {
        templates: "/nonexistent".into(),
        options: Options::default(),
        variable: |name| (name == "BB_ENV").then(|| OsString::from("from-env")),
        zone: Local::new(Zone::utc()),
    };
    let mut funcs = Funcs::new(view.clone(), around);
    let name = format!("{}.tmpl", case.id);
    let parsed = Template::parse(&name, case.template.as_bytes(), funcs.functions());
    let rendered = parsed.and_then(|template| {
        template.execute(
            &mut funcs,
            &Value::Nil,
            Options::default(),
            &mut Budget::default(),
        )
    });
    match rendered {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == ErrorKind::Parse => {
            Err(format!("Unable to process template {name}, {error}"))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Every data set as the metadata service would return it below its prefix.
fn views() -> BTreeMap<String, View> {
    let all: BTreeMap<String, Json> = serde_json::from_str(&read("datasets.json")).unwrap();
    let view = |body: Json| {
        let tree = Tree::from_json(body.to_string().as_bytes()).unwrap();
        Arc::new(tree).view("", &["/".to_owned()])
    };
    all.into_iter()
        .map(|(name, body)| (name, view(body)))
        .collect()
}

fn cases(file: &str) -> Vec<Case> {
    let case = |line: &str| {
        let line: BTreeMap<String, String> = serde_json::from_str(line).unwrap();
        let want = match line.get("out") {
            Some(out) => Ok(out.clone()),
            None => Err(line["err"].clone()),
        };
        Case {
            id: line["id"].clone(),
            data: line["data"].clone(),
            template: line["tmpl"].clone(),
            want,
        }
    };
    read(file).lines().map(case).collect()
}

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/conformance")
        .join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
