//! Every example in docs/templates.md prints what the document says, and its table is that of the
//! program. The Chinese documents have the same examples and rows.

use std::sync::Arc;

use app_agent::resource::funcs::{FUNCTIONS, Funcs, HostEnv, docs};
use app_agent::template::{Budget, Options, Template, Value};
use app_agent::tree::Tree;

use crate::env::Env;

const DOCUMENT: &str = include_str!("../../docs/templates.md");
const CHINESE: &str = include_str!("../../docs/templates.zh-CN.md");

/// The fenced blocks of the document: what stands after the fence, and the text.
fn blocks() -> Vec<(&'static str, String)> {
    blocks_of(DOCUMENT)
}

fn blocks_of(document: &'static str) -> Vec<(&'static str, String)> {
    let mut blocks = Vec::new();
    let mut lines = document.lines();
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

/// The output of a template, or its error's first line.
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

/// A row of the table of functions.
struct Row {
    signature: &'static str,
    meaning: String,
    example: &'static str,
    prints: &'static str,
}

/// The rows of the table of functions.
fn rows() -> Vec<Row> {
    rows_of(DOCUMENT, "| function | meaning |")
}

fn rows_of(document: &'static str, head: &str) -> Vec<Row> {
    let (_, table) = document.split_once(head).expect("the table");
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| {
        let cells = row.split(" |");
        let cells = cells.map(|cell| cell.trim_start_matches('|').trim());
        cells.collect::<Vec<&str>>()
    });
    let rows = cells.map(|cells| {
        assert_eq!(cells.len(), 6, "{cells:?}");
        Row {
            signature: code(cells[0]),
            meaning: cells[1].replace('`', ""),
            example: code(cells[2]),
            prints: code(cells[3]),
        }
    });
    rows.filter(|row| !row.signature.starts_with("**"))
        .collect()
}

fn code(cell: &'static str) -> &'static str {
    cell.trim_matches('`')
}

#[test]
fn the_table_is_that_of_the_program() {
    let mut rows = rows();
    let name = |row: &Row| row.signature.split(' ').next().map(str::to_owned);
    rows.sort_by_key(name);
    let mut docs: Vec<_> = docs().collect();
    docs.sort_by_key(|doc| doc.name);
    let names: Vec<_> = rows.iter().filter_map(name).collect();
    let known: Vec<_> = docs.iter().map(|doc| doc.name).collect();
    assert_eq!(names, known);
    for (row, doc) in rows.iter().zip(docs) {
        assert_eq!(row.signature, doc.signature());
        assert_eq!(row.meaning, doc.help, "{}", doc.name);
        assert_eq!(row.example, doc.example, "{}", doc.name);
    }
}

#[test]
fn the_chinese_document_has_the_same_examples() {
    assert_eq!(blocks_of(CHINESE), blocks());
    let codes = |row: &Row| [row.signature, row.example, row.prints];
    let chinese = rows_of(CHINESE, "| 函数 | 含义 |");
    let chinese: Vec<_> = chinese.iter().map(codes).collect();
    let english: Vec<_> = rows().iter().map(codes).collect();
    assert_eq!(chinese, english);
}

#[test]
fn the_functions_print_what_the_table_says() {
    for row in rows() {
        // Nobody knows what the network answers.
        if row.example.is_empty() || row.signature.starts_with("lookupSRV") {
            continue;
        }
        let want = row.prints.replace('⏎', "\n");
        assert_eq!(render(row.example, false), Ok(want), "{}", row.signature);
    }
}

#[test]
fn the_documents_of_doctor_have_the_same_rows() {
    let rows = |document: &'static str| {
        let rows = document.lines().filter_map(|line| line.strip_prefix("| "));
        let firsts = rows.filter_map(|row| row.split(" | ").next());
        // The heads of tables are translated.
        let ascii = firsts.filter(|first| first.is_ascii() && !first.ends_with("ity"));
        let ascii = ascii.filter(|first| !matches!(*first, "check" | "message"));
        ascii.map(str::to_owned).collect::<Vec<_>>()
    };
    let english = rows(include_str!("../../docs/doctor.md"));
    let chinese = rows(include_str!("../../docs/doctor.zh-CN.md"));
    assert!(english.contains(&"`commands`".to_owned()), "{english:?}");
    assert_eq!(chinese, english);
}
