//! Every example in docs/templates.md prints what the document says, and its table has every function.

use std::sync::Arc;

use app_agent::resource::funcs::{FUNCTIONS, Funcs, HostEnv};
use app_agent::template::{Budget, Options, Template, Value};
use app_agent::tree::Tree;

use crate::env::Env;

const DOCUMENT: &str = include_str!("../../docs/templates.md");

/// Go's own functions, which the engine brings along.
const BUILTINS: &[&str] = &[
    "and", "call", "html", "index", "js", "len", "not", "or", "print", "printf", "println",
    "slice", "urlquery",
];

/// The fenced blocks: what stands after the fence, and the text.
fn blocks() -> Vec<(&'static str, String)> {
    let mut blocks = Vec::new();
    let mut lines = DOCUMENT.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((kind, text.join("\n")));
        }
    }
    blocks
}

fn metadata() -> Arc<Tree> {
    let block = blocks()
        .into_iter()
        .find(|(kind, _)| *kind == "json metadata");
    let (_, text) = block.expect("the document shows its metadata");
    Arc::new(Tree::from_json(text.as_bytes()).expect("which is JSON"))
}

/// What a template prints, or its error's first line.
fn render(text: &str, strict: bool) -> Result<String, String> {
    let env = Env::new();
    env.template("banner.tmpl", "# {{.}}\n");
    let options = Options { strict };
    let view = metadata().view("/", &["/".to_owned()]);
    let mut host = Funcs::new(
        view,
        HostEnv::of_process(&env.path("etc/templates"), options),
    );
    let template = Template::parse("example.tmpl", text.as_bytes(), FUNCTIONS);
    let rendered = template.and_then(|template| {
        template.execute(&mut host, &Value::Nil, options, &mut Budget::default())
    });
    match rendered {
        Ok(text) => Ok(String::from_utf8(text).expect("UTF-8")),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn the_examples_print_what_the_document_says() {
    let blocks = blocks();
    let templates = blocks
        .iter()
        .enumerate()
        .filter(|(_, (kind, _))| *kind == "template");
    let mut checked = 0;
    for (place, (_, text)) in templates {
        let answers = blocks[place + 1..].iter();
        for (kind, want) in answers.take_while(|(kind, _)| *kind != "template") {
            let want = want.clone();
            match *kind {
                "output" => assert_eq!(render(text, false), Ok(want), "{text}"),
                "error" => assert_eq!(render(text, false), Err(want), "{text}"),
                "strict" => assert_eq!(render(text, true), Err(want), "{text}"),
                _ => continue,
            }
            checked += 1;
        }
    }
    assert!(checked > 5);
}

/// The rows of the table of functions: signature, example, what it prints.
fn rows() -> Vec<[&'static str; 3]> {
    let (_, table) = DOCUMENT
        .split_once("| function | meaning |")
        .expect("the table");
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| {
        row.split(" |")
            .map(|cell| cell.trim_start_matches('|').trim())
    });
    let rows = cells.map(|cells| {
        let cells: Vec<_> = cells.collect();
        assert_eq!(cells.len(), 6, "{cells:?}");
        [cells[0], cells[2], cells[3]]
    });
    rows.filter(|[signature, ..]| !signature.starts_with("**"))
        .collect()
}

fn code(cell: &str) -> &str {
    cell.trim_matches('`')
}

#[test]
fn the_table_has_every_function() {
    let mut documented: Vec<&str> = rows()
        .iter()
        .map(|[signature, ..]| code(signature).split(' ').next().unwrap_or_default())
        .collect();
    let mut known: Vec<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
    known.extend(BUILTINS);
    documented.sort_unstable();
    known.sort_unstable();
    known.dedup();
    assert_eq!(documented, known);
}

#[test]
fn the_functions_print_what_the_table_says() {
    for [signature, example, prints] in rows() {
        if example.is_empty() {
            continue;
        }
        let want = code(prints).replace('⏎', "\n");
        assert_eq!(render(code(example), false), Ok(want), "{signature}");
    }
}
