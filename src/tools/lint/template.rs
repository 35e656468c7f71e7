//! One template, for all resources that use it.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::calls::{Checker, Mistake};
use super::code::Code;
use super::facts::ResourceFacts;
use super::keys::TemplateKeys;
use super::shape::{Shape, Variables};
use super::source::{MARK, Source};
use super::{Context, fields, keys, names};
use crate::config::table::read_file;
use crate::go::filepath::Pattern;
use crate::go::path;
use crate::resource::funcs::{FUNCTIONS, expression_fault};
use crate::template::outline::{Expr, Flaw, Outline, Usage, When};
use crate::template::{MAX_SOURCE, Problem, Template, infix_help};
use crate::tools::dump;
use crate::tools::finding::Report;

/// The number of unknown names that are reported in one template.
const MOST_UNKNOWN: usize = 50;
/// Returns true for a file that a build step joins with its neighbours, such as `00.head.tmpl` and
/// `10.body.tmpl` in `X/`, the parts of `X.tmpl`. It is no template by itself.
pub(super) fn is_part(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    matches!(
        name.as_bytes(),
        [b'0'..=b'9', b'0'..=b'9', b'.' | b'-' | b'_', ..]
    )
}

/// Checks a template file for the resources that use it.
///
/// Returns the templates that it includes; an include whose name is not a literal stands for all.
pub(super) fn check(
    path: &Path,
    users: &[ResourceFacts],
    context: &Context,
    report: &mut Report,
) -> Vec<Included> {
    let bytes = match read_file(path, MAX_SOURCE as u64) {
        Ok(bytes) => bytes,
        Err(error) => {
            report.add(names::unreadable(path, &error));
            return Vec::new();
        }
    };
    let source = Source::new(path, bytes);
    check_bytes(&source, users, report);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some(Parsed { template, is_whole }) = parse(&name, &source, report) else {
        return Vec::new();
    };
    let outline = template.outline(FUNCTIONS);
    for flaw in &outline.flaws {
        add_flaw(flaw, &source, report);
    }
    let variables = Variables::of(&outline);
    let mut mistakes = call_mistakes(&outline, &variables);
    if is_whole {
        let is_item = users.iter().any(|user| user.is_for_each);
        let top_is_nil = !users.is_empty() && !is_item;
        mistakes.extend(fields::check(&outline, &variables, top_is_nil));
    }
    for mistake in mistakes {
        report.add(source.finding(mistake.at, mistake.code, mistake.message, mistake.help));
    }
    let templates = context.config.confdir.join("templates");
    check_literals(&outline, &templates, &source, report);
    let asked = TemplateKeys::of(&outline, &variables);
    for facts in users {
        check_conditions(&outline, &variables, facts, &source, report);
        check_keys(
            &outline, &variables, &asked, facts, context, &source, report,
        );
        check_secrets(&outline, &variables, facts, report);
    }
    included(&outline, &templates)
}

/// The mistakes in the calls of all expressions.
fn call_mistakes(outline: &Outline, variables: &Variables<'_>) -> Vec<Mistake> {
    let mut checker = Checker {
        variables,
        mistakes: Vec::new(),
    };
    for statement in &outline.statements {
        checker.statement(statement);
    }
    checker.mistakes
}

/// The template that an `include` names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Included {
    /// This file.
    File(PathBuf),
    /// Any file: the name is computed.
    Any,
}

fn included(outline: &Outline, templates: &Path) -> Vec<Included> {
    let mut all = Vec::new();
    for_each_call(outline, &mut |call, _| {
        if call.function.name == "include" {
            all.push(match call.args.first() {
                Some(Expr::Text { text, .. }) => Included::File(templates.join(&*text.to_text())),
                _ => Included::Any,
            });
        }
    });
    all
}

/// Reports templates that neither a resource nor another template uses.
pub(super) fn check_unused(unused: &[&PathBuf], included: &[Included], report: &mut Report) {
    if included.contains(&Included::Any) {
        return;
    }
    for path in unused {
        let is_included = |used: &Included| matches!(used, Included::File(file) if file == *path);
        if !included.iter().any(is_included) {
            let source = Source::new(path, Vec::new());
            let message = "no resource uses this template";
            let help = "name it as src of a file in conf.d, or remove it";
            report.add(source.finding(0, Code::W214, message, help));
        }
    }
}

/// A secret in a file that every user of the machine can read.
fn check_secrets(
    outline: &Outline,
    variables: &Variables<'_>,
    facts: &ResourceFacts,
    report: &mut Report,
) {
    if !facts.is_public {
        return;
    }
    let mut secret = None;
    for_each_call(outline, &mut |call, _| {
        let key = call
            .args
            .first()
            .filter(|_| matches!(call.function.name, "getv" | "get"));
        let key = key.map(|key| Shape::of(key, variables).filled("*", str::to_owned));
        if let Some(key) = key.filter(|key| dump::is_surely_secret(path::base(key))) {
            secret.get_or_insert(key);
        }
    });
    if let Some(key) = secret {
        report.add(facts.readable_secret(&key));
    }
}

/// A mark, and lines that a shell would not read as they look.
fn check_bytes(source: &Source, users: &[ResourceFacts], report: &mut Report) {
    let bytes = &source.bytes;
    let marked = bytes.starts_with(MARK);
    if marked {
        let message = "the template and the file begin with a byte order mark";
        report.add(source.finding(0, Code::W106, message, "save it as UTF-8 without BOM"));
    }
    let text = bytes.strip_prefix(MARK).unwrap_or(bytes);
    let is_yaml =
        |facts: &ResourceFacts| facts.dest.ends_with(".yaml") || facts.dest.ends_with(".yml");
    if users.iter().any(is_yaml)
        && let Some(tab) = indenting_tab(bytes)
    {
        let message = "a tab indents this line: YAML does not allow it";
        report.add(source.finding(tab, Code::W314, message, "indent with spaces"));
    }
    if let Some(brace) = wide_braces(bytes) {
        let message = "full-width braces make no action: this is text";
        let help = "write {{ and }} with ordinary braces";
        report.add(source.finding(brace, Code::W315, message, help));
    }
    let Some(first) = bytes.windows(2).position(|pair| pair == b"\r\n") else {
        return;
    };
    let is_script = text.starts_with(b"#!");
    let reader = users.iter().find(|facts| is_script || shell_reads(facts));
    if let Some(facts) = reader {
        let message = format!("lines end in CRLF, and a shell reads {}", facts.dest);
        let help = "save it with LF line ends: a shell takes the CR as part of the last word";
        report.add(source.finding(first, Code::E107, message, help));
    }
}

/// The place of the first two opening braces of which one is full-width.
fn wide_braces(bytes: &[u8]) -> Option<usize> {
    let texts = ["｛｛", "｛{", "{｛"];
    let finds = |text: &&str| {
        let mut windows = bytes.windows(text.len());
        windows.position(|found| found == text.as_bytes())
    };
    texts.iter().filter_map(finds).min()
}

/// The place of the first tab before the text of a line, outside of actions. In a block scalar a
/// tab behind its indentation is text.
fn indenting_tab(bytes: &[u8]) -> Option<usize> {
    let mut start = 0;
    let mut in_action = false;
    // The indentation of the key whose block scalar this is.
    let mut block: Option<usize> = None;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii_start();
        let indent = &line[..line.len() - text.len()];
        let spaces = indent.iter().take_while(|byte| **byte == b' ').count();
        if !in_action && !text.is_empty() && !text.starts_with(b"{{") {
            block = block.filter(|outer| spaces > *outer);
            let tab = indent.iter().position(|byte| *byte == b'\t');
            if let Some(tab) = tab.filter(|_| block.is_none()) {
                return Some(start + tab);
            }
            if block.is_none() && begins_block_scalar(text) {
                block = Some(spaces);
            }
        }
        let opened = line.windows(2).rposition(|pair| pair == b"{{");
        let closed = line.windows(2).rposition(|pair| pair == b"}}");
        in_action = match (opened, closed) {
            (None, None) => in_action,
            (opened, closed) => opened > closed,
        };
        start += line.len();
    }
    None
}

/// Returns true for a line such as `key: |`, `- >-` or `key: |2`, whose text follows.
fn begins_block_scalar(line: &[u8]) -> bool {
    let mut words = line.trim_ascii().rsplit(u8::is_ascii_whitespace);
    let style = match words.next() {
        Some([b'|' | b'>', style @ ..]) => style,
        _ => return false,
    };
    let is_indicator = |byte: &u8| matches!(byte, b'+' | b'-' | b'1'..=b'9');
    let before = words.find(|word| !word.is_empty());
    style.iter().all(is_indicator)
        && before.is_some_and(|word| word.ends_with(b":") || word == b"-")
}

/// Returns true if a shell reads the file of a resource, by its name, its place or a command.
fn shell_reads(facts: &ResourceFacts) -> bool {
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

/// A template, perhaps with placeholders for what it does not define.
struct Parsed {
    template: Template,
    /// There are no placeholders.
    is_whole: bool,
}

/// Parses, and puts placeholders in the places of unknown functions and variables, so that all of
/// them are found.
fn parse(name: &str, source: &Source, report: &mut Report) -> Option<Parsed> {
    let mut text = source.bytes.clone();
    for unknown in 0..MOST_UNKNOWN {
        let error = match Template::parse(name, &text, FUNCTIONS) {
            Ok(template) => {
                return Some(Parsed {
                    template,
                    is_whole: unknown == 0,
                });
            }
            Err(error) => error,
        };
        let (code, missing) = match error.problem() {
            Problem::UndefinedFunction { name, .. } => (Code::E302, Some(name)),
            Problem::UndeclaredVariable(name) => (Code::E305, Some(name)),
            _ => (Code::E301, None),
        };
        let span = missing.and_then(|name| last_before(&text, name, error.offset()));
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

fn add_flaw(flaw: &Flaw, source: &Source, report: &mut Report) {
    let finding = match flaw {
        Flaw::Undeclared { pos, name } => {
            let message = format!("{name} is assigned, but not declared");
            let help =
                format!("declare it before, in the same block or around it: {{{{{name} := …}}}}");
            source.finding(*pos, Code::E305, message, help)
        }
        Flaw::Undefined { pos, name } => {
            let message = format!("template \"{name}\" is not defined");
            let help = format!("define it in this file: {{{{define \"{name}\"}}}}…{{{{end}}}}");
            source.finding(*pos, Code::E305, message, help)
        }
        Flaw::NotAFunction { pos, operator } => {
            let help = operator.as_deref().and_then(infix_help);
            let help = help.unwrap_or_else(|| {
                "the first word of an action is a function; join values with printf".to_owned()
            });
            let message = "this is no function, and gets arguments";
            source.finding(*pos, Code::E303, message, help)
        }
        Flaw::Lost { pos, name } => {
            let message = format!("this {name} ends with its block and is not used");
            let help = format!("to change the outer one, assign: {{{{{name} = …}}}}");
            source.finding(*pos, Code::W306, message, help)
        }
    };
    report.add(finding);
}

/// Literal arguments that cannot be what they should: patterns, regular expressions and included
/// files.
fn check_literals(outline: &Outline, templates: &Path, source: &Source, report: &mut Report) {
    for_each_call(outline, &mut |call, _| {
        let Some(Expr::Text { pos, text }) = call.args.first() else {
            return;
        };
        let (name, text) = (call.function.name, text.to_text());
        let (code, problem, help) = match name {
            "gets" | "getvs" if Pattern::parse(&text).is_err() => {
                let help = "close the bracket, or write \\ before it";
                (Code::E307, "invalid pattern".to_owned(), help)
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

/// Conditions that hold whether a parameter is "true" or "false": any string that is not empty
/// does.
fn check_conditions(
    outline: &Outline,
    variables: &Variables<'_>,
    facts: &ResourceFacts,
    source: &Source,
    report: &mut Report,
) {
    let Some(view) = &facts.view else {
        return;
    };
    for statement in &outline.statements {
        if statement.usage != Usage::Tested {
            continue;
        }
        for expr in conditions(&statement.expr, variables) {
            let (call, function) = match variables.resolve(expr) {
                Expr::Call(call) => (call, "getv"),
                Expr::Member { of, names, .. } if names == &["Value"] => {
                    match variables.resolve(of) {
                        Expr::Call(call) => (call, "get"),
                        _ => continue,
                    }
                }
                _ => continue,
            };
            let key = call.args.first().filter(|_| call.function.name == function);
            let Some(key) = key.map(|key| Shape::of(key, variables)) else {
                continue;
            };
            let value = key.literal().and_then(|key| Some((key, view.get(key)?)));
            if let Some((key, value)) = value.filter(|(_, value)| is_truth_value(value)) {
                let message = format!("any value of {key} counts as true, \"false\" and \"0\" too");
                let help = format!(
                    "compare it: {{{{if eq (getv \"{key}\") \"{}\"}}}}",
                    truth(value)
                );
                report.add(source.finding(expr.pos(), Code::W312, message, help));
            }
        }
    }
}

/// The expressions whose truth decides about a condition.
fn conditions<'e>(expr: &'e Expr, variables: &'e Variables<'_>) -> Vec<&'e Expr> {
    match variables.resolve(expr) {
        Expr::Call(call) if matches!(call.function.name, "and" | "or" | "not") => call
            .args
            .iter()
            .flat_map(|arg| conditions(arg, variables))
            .collect(),
        _ => vec![expr],
    }
}

/// Returns true for a value that is one of two: yes or no.
fn is_truth_value(value: &str) -> bool {
    [
        "true", "false", "yes", "no", "on", "off", "enabled", "disabled",
    ]
    .iter()
    .any(|known| value.eq_ignore_ascii_case(known))
}

/// The value that means yes, spelt like this one.
fn truth(value: &str) -> String {
    let yes = match value.to_ascii_lowercase().as_str() {
        "yes" | "no" => "yes",
        "on" | "off" => "on",
        "enabled" | "disabled" => "enabled",
        _ => "true",
    };
    let is_upper = value.chars().all(|found| found.is_ascii_uppercase());
    let is_title = value.starts_with(|found: char| found.is_ascii_uppercase());
    match (is_upper, is_title) {
        (true, _) => yes.to_ascii_uppercase(),
        (false, true) => yes[..1].to_ascii_uppercase() + &yes[1..],
        (false, false) => yes.to_owned(),
    }
}

fn check_keys(
    outline: &Outline,
    variables: &Variables<'_>,
    asked: &TemplateKeys,
    facts: &ResourceFacts,
    context: &Context,
    source: &Source,
    report: &mut Report,
) {
    for_each_call(outline, &mut |call, when| {
        if let (true, Some(finding)) = (keys::reads(call), &facts.no_keys) {
            report.add(finding.clone());
            return;
        }
        let finding = keys::check(call, when, variables, asked, facts, context, source);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tab_indents_yaml_unless_it_is_text_of_a_block_scalar() {
        for (text, want) in [
            ("a:\n\tb: 1\n", Some(3)),
            ("a:\n  \tb: 1\n", Some(5)),
            ("a: |\n  one\n  \ttwo\nb: 1\n", None),
            ("  - >-\n    \tone\n", None),
            ("a: |2 \n  \n  \tone\n", None),
            ("a: |\n\tone\n", Some(5)),
            ("a: |\n  one\nb:\n \tc: 1\n", Some(15)),
            ("a: b |\n  \tone\n", Some(9)),
            ("a: 1\n{{if true}}\n\t{{end}}\n", None),
        ] {
            assert_eq!(indenting_tab(text.as_bytes()), want, "{text:?}");
        }
    }
}
