//! Random files for `-lint`: it reads all of them, and finds an error where the program would.

use std::collections::BTreeSet;
use std::fs;

use app_agent::resource::funcs::FUNCTIONS;
use app_agent::template::Template;
use serde_json::{Value as Json, json};

use super::choices::Choices;
use super::{dictionary, for_seeds, grammar, mutate};
use crate::env::Env;

const TOML: &str = "# made by hand\n[template]\nsrc = \"a.tmpl\"\ndest = '/opt/a'\nkeys = [\"/\", '/hosts']\nmode = \"0644\"\n\
                    uid = 0\nowner = \"mysql\"\nreload_retry = true\ncheck_cmd = \"/bin/x {{.src}}\"\nreload_cmd = \"\"\"\nx\n\"\"\"\n";
/// Files of each kind in one run.
const FILES: usize = 60;

#[test]
fn random_files_are_linted() {
    let [in_template, in_toml] = ["template", "resource"].map(dictionary);
    for_seeds(3, |mut choices| {
        let env = Env::with_tree(&json!({"host": {"ip": "1"}, "hosts": {"i-1": {"ip": "1"}}}));
        let mut broken: BTreeSet<String> = BTreeSet::new();
        for number in 0..FILES {
            let text = grammar::template(&mut choices);
            let text = if choices.one_in(2) {
                text.into_bytes()
            } else {
                mutate::mutate(text.as_bytes(), TOML.as_bytes(), &in_template, &mut choices)
            };
            let file = format!("etc/templates/{number}.tmpl");
            if Template::parse("x", text.as_slice(), FUNCTIONS).is_err() {
                broken.insert(file.clone());
            }
            fs::write(env.path(&file), &text).expect("a template");
            // Its conf.d file is whole, so that its keys are looked at.
            let whole = TOML.replace("a.tmpl", &format!("{number}.tmpl"));
            env.resource(&format!("{number}.toml"), &whole);
            let damaged = mutate::mutate(TOML.as_bytes(), TOML.as_bytes(), &in_toml, &mut choices);
            fs::write(env.path(&format!("etc/conf.d/x{number}.toml")), damaged).expect("a file");
        }
        let run = env.run(&[
            "-lint",
            "-config-file",
            "$ROOT/etc/confd.toml",
            "-format",
            "json",
        ]);
        run.expect_code(1);
        let report: Json = serde_json::from_str(&run.stdout).expect("JSON");
        let found = report["findings"].as_array().expect("a list");
        let syntax = |code: &str| matches!(code, "E301" | "E302" | "E305");
        let with_errors = found.iter().filter_map(|finding| {
            let file = finding["file"].as_str()?;
            syntax(finding["code"].as_str()?).then(|| file.to_owned())
        });
        let with_errors: BTreeSet<String> = with_errors.collect();
        let missed: Vec<&String> = broken.difference(&with_errors).collect();
        assert!(missed.is_empty(), "do not parse: {missed:?}");
    });
}
