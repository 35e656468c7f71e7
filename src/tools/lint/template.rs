//! One template, for all resources that use it.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::calls::{Checker, Mistake};
use super::finding::{Code, Report};
use super::resource::Facts;
use super::shape::Variables;
use super::source::{MARK, Source};
use super::{Image, keys};
use crate::config::table::read_file;
use crate::error::{Error, Result};
use crate::go::filepath::Pattern;
use crate::resource::funcs::{FUNCTIONS, expression_fault};
use crate::template::outline::{Expr, Fault, Outline, When};
use crate::template::{MAX_SOURCE, Problem, Template};

/// So many unknown names are looked for in one template.
const MOST_UNKNOWN: usize = 50;
/// Deeper directories than anybody makes on purpose.
const DEEPEST: u32 = 16;

/// The templates that are to be checked even if no resource uses them: `include` may.
pub fn find(templates: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for name in names(templates)? {
        if name.ends_with(".tmpl") {
            found.push(templates.join(name));
        }
    }
    Ok(found)
}

/// The files below a directory, with `/` between their names, sorted; none when there is no such directory.
pub fn names(templates: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    if templates.is_dir() {
        add_names(templates, "", DEEPEST, &mut names)?;
    }
    names.sort_unstable();
    Ok(names)
}

fn add_names(dir: &Path, head: &str, depth: u32, names: &mut Vec<String>) -> Result<()> {
    let list = |source| Error::io("list", dir, source);
    for entry in fs::read_dir(dir).map_err(list)? {
        let entry = entry.map_err(list)?;
        let name = format!("{head}{}", entry.file_name().to_string_lossy());
        let path = entry.path();
        if path.is_file() {
            names.push(name);
        } else if depth > 0 && entry.file_type().map_err(list)?.is_dir() {
            add_names(&path, &format!("{name}/"), depth - 1, names)?;
        }
    }
    Ok(())
}

/// Checks a template file.
pub fn check(path: &Path, users: &[&Facts], image: &Image, report: &mut Report) -> Result<()> {
    let source = Source::new(path, read_file(path, MAX_SOURCE as u64)?);
    check_bytes(&source, users, report);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some(template) = parse(&name, &source, report) else {
        return Ok(());
    };
    let outline = template.outline(FUNCTIONS);
    for fault in &outline.faults {
        add_fault(fault, &source, report);
    }
    let variables = Variables::of(&outline);
    let mut checker = Checker {
        variables: &variables,
        mistakes: Vec::new(),
    };
    for statement in &outline.statements {
        checker.statement(statement);
    }
    for mistake in checker.mistakes {
        let Mistake {
            at,
            code,
            message,
            help,
        } = mistake;
        report.add(source.finding(at, code, message, help));
    }
    check_literals(
        &outline,
        &image.config.confdir.join("templates"),
        &source,
        report,
    );
    for facts in users {
        check_keys(&outline, &variables, facts, image, &source, report);
    }
    Ok(())
}

/// A mark, and lines that a shell would not read as they look.
fn check_bytes(source: &Source, users: &[&Facts], report: &mut Report) {
    let bytes = &source.bytes;
    let marked = bytes.starts_with(MARK);
    if marked {
        let message = "the template begins with a byte order mark, and so will the file";
        report.add(source.finding(0, Code::W106, message, "save it as UTF-8 without BOM"));
    }
    let text = bytes.strip_prefix(MARK).unwrap_or(bytes);
    let Some(first) = bytes.windows(2).position(|pair| pair == b"\r\n") else {
        return;
    };
    let is_script = text.starts_with(b"#!");
    let reader = users.iter().find(|facts| is_script || shell_reads(facts));
    if let Some(facts) = reader {
        let message = format!("lines end in CRLF, and a shell reads {}", facts.dest);
        let help = "save it with LF: a shell takes the CR as part of the last word";
        report.add(source.finding(first, Code::E107, message, help));
    }
}

/// Whether a shell will read the file that a resource makes: by its name and place, or because a command says so.
fn shell_reads(facts: &Facts) -> bool {
    const ENDINGS: &[&str] = &[".sh", ".bash", ".profile", ".env", ".bashrc"];
    const PLACES: &[&str] = &[
        "/etc/profile.d/",
        "/etc/default/",
        "/etc/sysconfig/",
        "/etc/init.d/",
    ];
    let dest = facts.dest.as_str();
    let runs = |command: &String| {
        let mut words = command
            .split_whitespace()
            .map(|word| word.trim_matches(['"', '\'', ';']));
        let before = command.split(dest).next().unwrap_or_default().trim_end();
        words.next() == Some(dest)
            || (before.len() < command.len()
                && [".", "source", "sh", "bash"].iter().any(|word| {
                    before.strip_suffix(word).is_some_and(|rest| {
                        rest.is_empty() || rest.ends_with([' ', '/', ';', '&', '|', '('])
                    })
                }))
    };
    ENDINGS.iter().any(|ending| dest.ends_with(ending))
        || PLACES.iter().any(|place| dest.starts_with(place))
        || facts.commands.iter().any(runs)
}

/// Parses, going on behind unknown functions and variables, so that all of them are found.
fn parse(name: &str, source: &Source, report: &mut Report) -> Option<Template> {
    let mut text = source.bytes.clone();
    for _ in 0..MOST_UNKNOWN {
        let error = match Template::parse(name, &text, FUNCTIONS) {
            Ok(template) => return Some(template),
            Err(error) => error,
        };
        let (code, unknown) = match error.problem() {
            Problem::UndefinedFunction { name, .. } => (Code::E302, Some(name)),
            Problem::UndeclaredVariable(name) => (Code::E305, Some(name)),
            _ => (Code::E301, None),
        };
        let span = unknown.and_then(|name| last_before(&text, name, error.offset()));
        let at = span.as_ref().map_or(error.offset(), |span| span.start);
        let help = error.help().unwrap_or_default();
        report.add(source.finding(at, code, error.problem().to_string(), help));
        // A field of the same length in place of the name: it parses, and no place moves.
        let (dot, rest) = text.get_mut(span?)?.split_first_mut()?;
        *dot = b'.';
        rest.fill(b'x');
    }
    None
}

/// Where a name stands last, at `offset` or before it: the parser may have read on.
fn last_before(text: &[u8], name: &[u8], offset: usize) -> Option<Range<usize>> {
    let head = text.get(..offset + name.len()).unwrap_or(text);
    let mut ends = (name.len()..=head.len()).rev();
    let end = ends.find(|end| head[..*end].ends_with(name))?;
    Some(end - name.len()..end)
}

fn add_fault(fault: &Fault, source: &Source, report: &mut Report) {
    let finding = match fault {
        Fault::Undeclared { pos, name } => {
            let message = format!("{name} is assigned where nothing has declared it");
            let help =
                format!("declare it before, in the same block or around it: {{{{{name} := …}}}}");
            source.finding(*pos, Code::E305, message, help)
        }
        Fault::Undefined { pos, name } => {
            let message = format!("template \"{name}\" is not defined");
            let help = format!("define it in this file: {{{{define \"{name}\"}}}}…{{{{end}}}}");
            source.finding(*pos, Code::E305, message, help)
        }
        Fault::Lost { pos, name } => {
            let message = format!("this {name} ends with its block, unused; the outer one stays");
            let help = format!("to change the outer one, assign: {{{{{name} = …}}}}");
            source.finding(*pos, Code::W306, message, help)
        }
    };
    report.add(finding);
}

/// Literal arguments that cannot be what they should: patterns, regular expressions and included files.
fn check_literals(outline: &Outline, templates: &Path, source: &Source, report: &mut Report) {
    for_each_call(outline, &mut |call, _| {
        let Some(Expr::Text { pos, text }) = call.args.first() else {
            return;
        };
        let (name, text) = (call.function.name, text.to_text());
        let (code, problem, help) = match name {
            "gets" | "getvs" if Pattern::parse(&text).is_err() => {
                let help = "close the bracket; \\ before a character takes it as it is";
                (Code::E307, "the pattern cannot be read".to_owned(), help)
            }
            "filter" | "regexMatch" | "regexFind" | "regexReplaceAll" => {
                let Some(problem) = expression_fault(&text) else {
                    return;
                };
                (
                    Code::E307,
                    problem,
                    "see the syntax of Go's regular expressions (RE2)",
                )
            }
            "include" if !templates.join(&*text).is_file() => {
                let problem = format!("there is no template {text}");
                (
                    Code::E201,
                    problem,
                    "include takes the name of a file in templates",
                )
            }
            _ => return,
        };
        report.add(source.finding(*pos, code, format!("{name}: {problem}"), help));
    });
}

fn check_keys(
    outline: &Outline,
    variables: &Variables<'_>,
    facts: &Facts,
    image: &Image,
    source: &Source,
    report: &mut Report,
) {
    for_each_call(outline, &mut |call, when| {
        if let (true, Some(finding)) = (keys::reads(call), &facts.no_keys) {
            report.add(finding.clone());
            return;
        }
        let finding = keys::check(call, when, variables, facts, image, source);
        finding.into_iter().for_each(|finding| report.add(finding));
    });
}

type Visit<'v> = dyn FnMut(&crate::template::outline::Call, When) + 'v;

fn for_each_call(outline: &Outline, visit: &mut Visit<'_>) {
    for statement in &outline.statements {
        visit_calls(&statement.expr, statement.when, visit);
    }
}

fn visit_calls(expr: &Expr, when: When, visit: &mut Visit<'_>) {
    match expr {
        Expr::Call(call) => {
            let lazy = matches!(call.function.name, "and" | "or");
            for (index, arg) in call.args.iter().enumerate() {
                let when = if lazy && index > 0 {
                    When::Sometimes
                } else {
                    when
                };
                visit_calls(arg, when, visit);
            }
            visit(call, when);
        }
        Expr::Member { of, args, .. } => {
            visit_calls(of, when, visit);
            args.iter().for_each(|arg| visit_calls(arg, when, visit));
        }
        _ => {}
    }
}
