//! Every parser of the program as a function of any bytes: it ends, and what it has read is as it
//! must be.
//!
//! The fuzz targets in `fuzz/` are these functions, and `cargo test` runs them over the kept corpus
//! and damage to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use app_agent::backend::Backend;
use app_agent::cli::{self, Request};
use app_agent::config::Config;
use app_agent::config::table::{self, Table};
use app_agent::go::filepath::Pattern;
use app_agent::go::path;
use app_agent::go::strconv;
use app_agent::log;
use app_agent::resource::Resource;
use app_agent::resource::funcs::FUNCTIONS;
use app_agent::template::{Options, Template, Value, format};
use app_agent::tree::Tree;

use super::bytes::Bytes;
use super::host::Machineless;
use super::render::{self, small_budget};
use super::{answer, grammar, values};

/// Takes any bytes; fails by an assertion or a panic.
pub(super) type Target = fn(&[u8]);

/// All of them, by the name of their fuzz target, corpus and dictionary.
pub(super) const ALL: &[(&str, Target)] = &[
    ("flags", flags),
    ("functions", functions),
    ("glob", glob),
    ("http", http),
    ("printf", printf),
    ("recording", recording),
    ("resource", resource),
    ("settings", settings),
    ("template", template),
    ("tree", tree),
];

/// A command line, its arguments separated by NUL, and the settings that follow from it.
pub(super) fn flags(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let asked = cli::parse(text.split('\0').map(Into::into));
    if let Ok(Request::Run(args) | Request::Inspect(_, args)) = asked {
        let variable = |name: &str| {
            args.last("config-file")
                .map(|text| (name.to_owned() + text).into())
        };
        let _ = Config::without_file(&args, variable);
        if let Ok(config) = Config::without_file(&args, |_| None) {
            check_config(&config);
        }
    }
}

fn check_config(config: &Config) {
    assert!(config.interval.as_secs() >= 1);
    let prefix = config.fetch_prefix();
    assert_eq!(path::clean(prefix), prefix);
}

/// A text for one of the functions that parse: which one, the first byte says.
pub(super) fn functions(data: &[u8]) {
    const ACTIONS: &[&str] = &[
        "toPrettyJson (fromJson .)",
        "toYaml (json .)",
        "toYaml (jsonArray .)",
        "toYaml .",
        "toJson .",
        "base64Decode .",
        "regexMatch . `aaaa b 中`",
        "regexReplaceAll `(a+)(?P<x>b?)` `xaaby` .",
        "filter . (split `a,b,ab` `,`)",
        "datetime.Format .",
        "js . | urlquery | html | quote",
        "add . 1",
        "max . 1.5",
        "lt . `1e3`",
        "parseBool .",
        "atoi .",
        "camelcase . | snakecase | kebabcase | nospace",
        "split . `,` | reverse | sortByLength",
        "base . | dir",
        "printf . 1 `x` 2.5",
    ];
    let Some((choice, text)) = data.split_first() else {
        return;
    };
    let action = ACTIONS[usize::from(*choice) % ACTIONS.len()];
    let text = Value::text(text);
    let action = format!("{{{{{action}}}}}");
    let template = Template::parse("x.tmpl", action.as_bytes(), FUNCTIONS).expect("it parses");
    let run = || {
        let mut host = Machineless::new(Options::default());
        template.execute(&mut host, &text, Options::default(), &mut small_budget())
    };
    assert_eq!(run(), run());
}

/// A pattern and, after a line end, a name: `gets` neither hangs nor fails on what `filepath.Match`
/// accepts.
pub(super) fn glob(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (pattern, name) = text.split_once('\n').unwrap_or((&text, "/a/b"));
    let tree = Arc::new(Tree::from_pairs([(name, "a"), ("/a/b", "c")]));
    check_tree(&tree);
    let view = tree.view("/", &["/".to_owned()]);
    let _ = view.list(pattern);
    let _ = view.list_dirs(pattern);
    if let Ok(pattern) = Pattern::parse(pattern) {
        let all = view.leaves().filter(|(key, _)| pattern.matches(key));
        assert_eq!(view.matching(&pattern).items, all.collect::<Vec<_>>());
    }
}

/// The bytes that a metadata service sends before it hangs up, through the real client, twice on
/// one connection if that is kept.
pub(super) fn http(data: &[u8]) {
    for tree in fetch_twice(data) {
        assert!(!tree.is_empty());
        check_tree(&tree);
    }
}

/// The trees that the real client makes of an answer.
pub(super) fn fetch_twice(answer: &[u8]) -> Vec<Arc<Tree>> {
    answer::with(answer, |node| {
        let mut backend = Backend::new(&config(&["-node", node, "-prefix", "/self"]));
        let answers = [(); 2].map(|()| backend.fetch().ok());
        answers
            .into_iter()
            .flatten()
            .map(|fetched| fetched.tree)
            .collect()
    })
}

/// A format, and after a NUL the decisions that make its arguments: it prints something, and the
/// same twice.
pub(super) fn printf(data: &[u8]) {
    let split = data.iter().position(|byte| *byte == 0);
    let (format, rest) = data.split_at(split.unwrap_or(data.len()));
    let mut choices = Bytes(rest);
    let args: Vec<_> = (0..3).map(|_| values::value(&mut choices, 3)).collect();
    let once = format::sprintf(format, &args, &mut small_budget());
    assert_eq!(once, format::sprintf(format, &args, &mut small_budget()));
    let _ = strconv::parse_int(format, 0, 64);
    let _ = strconv::parse_float(format);
    let _ = strconv::unquote(format);
}

/// A file of recorded metadata: JSON or TOML.
pub(super) fn recording(data: &[u8]) {
    let file = Scratch::new("meta", data);
    let path = file.0.to_string_lossy();
    let mut backend = Backend::new(&config(&["-backend", "file", "-file", &path]));
    if let Ok(fetched) = backend.fetch() {
        check_tree(&fetched.tree);
    }
}

/// A conf.d file.
pub(super) fn resource(data: &[u8]) {
    log::set_level(log::Level::Fatal);
    let file = Scratch::new("toml", data);
    match Resource::load(&file.0, &config(&[])) {
        Ok(resource) => {
            assert!(!resource.dest().as_os_str().is_empty());
            let reload = resource.reload(vec!["/k".to_owned()]);
            assert!(reload.is_none_or(|reload| !reload.text.is_empty()));
        }
        Err(error) => check_place(&error.chain(), &file.0),
    }
}

/// A confd.toml, and any of its values.
pub(super) fn settings(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = table::parse_duration(&text);
    let _ = Table::parse(Path::new("x.toml"), &text);
    let file = Scratch::new("toml", data);
    let Ok(Request::Run(args)) = cli::parse(["-config-file".into(), file.0.clone().into()]) else {
        unreachable!("the flag is known");
    };
    match Config::load(&args, |_| None) {
        Ok(config) => check_config(&config),
        Err(error) => check_place(&error.chain(), &file.0),
    }
}

/// Any text as a template, and any decisions as a template by the grammar.
pub(super) fn template(data: &[u8]) {
    // Text begins with a brace or anything else that is not a control character.
    match data.split_first() {
        Some((0..0x20, decisions)) => {
            render::check(grammar::template(&mut Bytes(decisions)).as_bytes());
        }
        _ => render::check(data),
    }
}

/// The bodies of answers, separated by NUL: a tree each, or an error, whichever tree came before.
pub(super) fn tree(data: &[u8]) {
    let mut older: Option<Arc<Tree>> = None;
    for body in data.split(|byte| *byte == 0) {
        let parsed = Tree::from_json(body);
        let tree = Tree::following(older.as_ref(), body);
        assert_eq!(
            tree.as_deref().map_err(Clone::clone),
            parsed.as_ref().map_err(Clone::clone)
        );
        if let Ok(tree) = tree {
            check_tree(&tree);
            older = Some(tree);
        }
    }
}

/// Its keys are clean and sorted, each is there once, and has its value.
fn check_tree(tree: &Tree) {
    let keys: Vec<String> = tree.leaves().map(|(key, _)| key).collect();
    assert!(keys.is_sorted_by(|one, next| one < next), "{keys:?}");
    assert!(keys.iter().all(|key| path::clean(key) == *key), "{keys:?}");
    let again = Tree::from_pairs(tree.leaves());
    assert_eq!(&again, tree);
}

/// An error about a file has its name.
fn check_place(message: &str, path: &Path) {
    let place = path.to_string_lossy();
    assert!(message.contains(&*place), "{message}");
}

fn config(arguments: &[&str]) -> Config {
    match cli::parse(arguments.iter().map(Into::into)) {
        Ok(Request::Run(args)) => Config::without_file(&args, |_| None).expect("they are right"),
        other => unreachable!("{other:?}"),
    }
}

/// A file with these bytes, gone afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new(extension: &str, data: &[u8]) -> Scratch {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("confd-fuzz-{}-{count}.{extension}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, data).expect("a scratch file");
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing depends on it any more.
        let _ = fs::remove_file(&self.0);
    }
}
