use super::*;
use crate::cli::{self, Request};
use std::path::Path;

fn typed(args: impl IntoIterator<Item = OsString>) -> Result<Args> {
    match cli::parse(args)? {
        Request::Run(args) => Ok(args),
        other => panic!("not to run: {other:?}"),
    }
}

/// Settings from a confd.toml with this text, these variables and this command line.
fn load(file: &str, vars: &[(&str, &str)], line: &str) -> Result<Config> {
    let args = typed(line.split_whitespace().map(OsString::from))?;
    let env = |name: &str| {
        let found = vars.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| OsString::from(value))
    };
    let layers = Layers {
        file: Some(Table::parse(Path::new("confd.toml"), file)?),
        env: &env,
        args: &args,
    };
    Config::from_layers(&layers)
}

fn settings(file: &str) -> Config {
    load(file, &[], "").expect(file)
}

fn urls(config: &Config) -> Vec<&str> {
    match &config.source {
        Source::Metad(Nodes::Urls(urls)) => urls.iter().map(String::as_str).collect(),
        other => panic!("no nodes: {other:?}"),
    }
}

#[test]
fn defaults() {
    assert_eq!(
        settings(""),
        Config {
            source: Source::Metad(Nodes::Urls(vec!["http://127.0.0.1:80".to_owned()])),
            prefix: None,
            confdir: platform::usual_confdir(),
            mode: Mode::Interval,
            interval: Duration::from_secs(600),
            onetime_wait: Duration::from_secs(15),
            noop: false,
            sync_only: false,
            keep_stage_file: false,
            reconcile: false,
            strict: false,
            settle: Duration::ZERO,
            splay: Duration::ZERO,
            poll_limit: Duration::from_secs(60),
            root: None,
            log_level: Level::Info,
            warnings: Vec::new(),
        }
    );
}

#[test]
fn the_platforms_file_is_understood() {
    let config = settings(
        "confdir = \"/etc/confd\"\nbackend = \"metad\"\nnodes = [\"metadata:80\"]\nprefix = \"/self\"\n\
         scheme = \"http\"\nverbose = true\nwatch = true\nlog-level = \"debug\"\n",
    );
    assert_eq!(urls(&config), ["http://metadata:80"]);
    assert_eq!(config.fetch_prefix(), "/self");
    assert_eq!(config.mode, Mode::Watch);
    assert_eq!(config.log_level, Level::Debug);
}

#[test]
fn flags_win_over_variables_over_the_file() {
    let file = "prefix = '/file'\ninterval = 1\nnodes = ['file']\nnoop = true\nlog-level = 'warn'\nsettle = '1s'\n";
    let vars = [
        ("CONFD_PREFIX", "env"),
        ("CONFD_INTERVAL", "2"),
        ("CONFD_NODES", "e1:1, e2:2,"),
        ("CONFD_NOOP", "f"),
        ("CONFD_LOG_LEVEL", "error"),
        ("CONFD_SETTLE", "2s"),
    ];
    let none = [];
    let line = "-prefix=/flag -interval 3 -node f1 -node f2 -noop=1 -log-level fatal";
    let cases = [
        (load(file, &none, ""), "/file", 1, 1, true, Level::Warning),
        (load(file, &vars, ""), "/env", 2, 2, false, Level::Error),
        (load(file, &vars, line), "/flag", 3, 2, true, Level::Fatal),
        (load("", &vars, ""), "/env", 2, 2, false, Level::Error),
        (load("", &none, line), "/flag", 3, 2, true, Level::Fatal),
    ];
    for (config, prefix, interval, nodes, noop, log_level) in cases {
        let config = config.expect(prefix);
        assert_eq!(config.prefix.as_deref(), Some(prefix));
        assert_eq!(config.interval, Duration::from_secs(interval));
        assert_eq!(urls(&config).len(), nodes);
        assert_eq!(config.noop, noop);
        assert_eq!(config.log_level, log_level);
    }
    let config = load(file, &vars, "").expect("valid");
    assert_eq!(urls(&config), ["http://e1:1", "http://e2:2"]);
    assert_eq!(config.settle, Duration::from_secs(2));
}

#[test]
fn a_root_is_for_making_an_image_once_without_commands() {
    let file = "watch = true\nroot = '/from-the-file'\n";
    let vars = [("CONFD_ROOT", "/from-a-variable")];
    let config = load(file, &vars, "").expect("valid");
    assert_eq!((config.root, config.mode), (None, Mode::Watch));
    assert!(!config.sync_only);
    let config = load(file, &vars, "-root image").expect("valid");
    assert_eq!(config.root, Some(PathBuf::from("image")));
    assert_eq!(config.mode, Mode::Onetime);
    assert!(config.sync_only);
    let config = load(file, &[], "-root image -watch").expect("valid");
    assert_eq!(config.mode, Mode::Watch);
    assert!(config.sync_only);
}

#[test]
fn every_key_has_a_variable() {
    let vars = [
        ("CONFD_BACKEND", "file"),
        ("CONFD_CONFDIR", "/c"),
        ("CONFD_FILE", "/a.json,/b.toml"),
        ("CONFD_INTERVAL", "7"),
        ("CONFD_KEEP_STAGE_FILE", "true"),
        ("CONFD_LOG_LEVEL", "error"),
        ("CONFD_NOOP", "1"),
        ("CONFD_ONETIME_WAIT", "8s"),
        ("CONFD_POLL_LIMIT", "9s"),
        ("CONFD_PREFIX", "/p"),
        ("CONFD_SETTLE", "500ms"),
        ("CONFD_SPLAY", "10"),
        ("CONFD_STRICT", "T"),
        ("CONFD_SYNC_ONLY", "true"),
        ("CONFD_WATCH", "true"),
    ];
    let config = load("", &vars, "").expect("valid");
    assert_eq!(
        config,
        Config {
            source: Source::File(vec!["/a.json".into(), "/b.toml".into()]),
            prefix: Some("/p".to_owned()),
            confdir: PathBuf::from("/c"),
            mode: Mode::Watch,
            interval: Duration::from_secs(7),
            onetime_wait: Duration::from_secs(8),
            noop: true,
            sync_only: true,
            keep_stage_file: true,
            reconcile: false,
            strict: true,
            settle: Duration::from_millis(500),
            splay: Duration::from_secs(10),
            poll_limit: Duration::from_secs(9),
            root: None,
            log_level: Level::Error,
            warnings: Vec::new(),
        }
    );
    let srv = |vars: &[(&str, &str)]| load("", vars, "").expect("valid").source;
    assert_eq!(
        srv(&[("CONFD_SRV_DOMAIN", "example.com")]),
        Source::Metad(Nodes::Srv("_metad._tcp.example.com".to_owned()))
    );
    assert_eq!(
        srv(&[("CONFD_SRV_RECORD", "r"), ("CONFD_NODES", "a")]),
        Source::Metad(Nodes::Srv("r".to_owned()))
    );
}

#[test]
fn an_empty_value_counts_as_none() {
    let config = load(
        "prefix = '/self'\nconfdir = ''\nnodes = []\n",
        &[],
        "-prefix=",
    )
    .expect("valid");
    assert_eq!(config.prefix, None);
    assert_eq!(config.confdir, platform::usual_confdir());
    assert_eq!(urls(&config), ["http://127.0.0.1:80"]);
    let config = load("noop = true", &[("CONFD_NOOP", "")], "").expect("valid");
    assert!(config.noop);
}

#[test]
fn prefixes_are_cleaned() {
    for (written, prefix) in [
        ("self", "/self"),
        ("/self/", "/self"),
        ("//a/../self//b", "/self/b"),
        ("/", "/"),
    ] {
        let config = settings(&format!("prefix = '{written}'"));
        assert_eq!(config.prefix.as_deref(), Some(prefix), "{written}");
    }
    assert_eq!(settings("").fetch_prefix(), "/");
}

#[test]
fn backends_and_files() {
    let file = |path: &str| Source::File(vec![path.into()]);
    let cases = [
        ("backend = 'env'", "", Source::Env),
        ("backend = 'file'\nfile = '/x'", "", file("/x")),
        ("backend = 'metad'", "-file /x", file("/x")),
        ("file = '/x'\nbackend = 'env'", "", Source::Env),
        ("backend = 'metad'", "-backend env -file /x", Source::Env),
        (
            "backend = 'file'\nfile = ['/x', '/y']",
            "",
            Source::File(vec!["/x".into(), "/y".into()]),
        ),
    ];
    for (text, line, source) in cases {
        let config = load(text, &[], line).expect(text);
        assert_eq!(config.source, source, "{text} {line}");
    }
}

#[test]
fn modes() {
    let cases = [
        ("watch = true", "", Mode::Watch),
        ("watch = true", "-onetime", Mode::Onetime),
        ("watch = true", "-watch=false", Mode::Interval),
        ("", "-watch -onetime=false", Mode::Watch),
    ];
    for (text, line, mode) in cases {
        assert_eq!(load(text, &[], line).expect(text).mode, mode, "{line}");
    }
}

#[test]
fn wrong_values_are_told_with_their_place() {
    let cases = [
        (
            "a = 1\nbackend = 'etcd'",
            "",
            "",
            "confd.toml:2: backend must be metad, file or env, not \"etcd\"",
        ),
        (
            "",
            "",
            "-backend consul",
            "-backend must be metad, file or env, not \"consul\"",
        ),
        (
            "backend = 'file'",
            "",
            "",
            "confd.toml:1: backend is file, but no file is given",
        ),
        (
            "scheme = 'https'",
            "",
            "",
            "confd.toml:1: scheme must be http: this program has no TLS",
        ),
        (
            "",
            "",
            "-node https://a",
            "-node must be http: this program has no TLS: \"https://a\"",
        ),
        (
            "nodes = ['a:x']",
            "",
            "",
            "confd.toml:1: nodes must be HOST:PORT: \"a:x\"",
        ),
        (
            "nodes = [1]",
            "",
            "",
            "confd.toml:1: nodes must be a list of strings, not this list",
        ),
        (
            "interval = '5'",
            "",
            "",
            "confd.toml:1: interval must be an integer, not this string",
        ),
        (
            "interval = '5'",
            "",
            "-interval 5",
            "confd.toml:1: interval must be an integer, not this string",
        ),
        (
            "interval = 0",
            "",
            "",
            "confd.toml:1: interval must be 1 to 31622400 seconds, not 0",
        ),
        (
            "",
            "-5",
            "",
            "CONFD_INTERVAL must be 1 to 31622400 seconds, not -5",
        ),
        (
            "",
            "1.5",
            "",
            "CONFD_INTERVAL must be a whole number, not \"1.5\"",
        ),
        (
            "",
            "",
            "-interval x",
            "-interval must be a whole number, not \"x\"",
        ),
        (
            "poll_limit = '1ms'",
            "",
            "",
            "confd.toml:1: poll_limit must be 100ms at least",
        ),
        (
            "splay = 'soon'",
            "",
            "",
            "confd.toml:1: splay must be a duration such as \"1.5s\" or \"2m\", not this string",
        ),
        (
            "log-level = 'loud'",
            "",
            "",
            "confd.toml:1: log-level must be debug, info, warn, error or fatal, not \"loud\"",
        ),
        (
            "watch = 'yes'",
            "",
            "",
            "confd.toml:1: watch must be true or false, not this string",
        ),
    ];
    for (text, interval, line, expected) in cases {
        let error = load(text, &[("CONFD_INTERVAL", interval)], line).expect_err(expected);
        assert_eq!(error.to_string(), expected);
        let by_file = expected.starts_with("confd.toml");
        assert_eq!(
            matches!(error.kind(), crate::error::Kind::Config { .. }),
            by_file,
            "{expected}"
        );
    }
}

#[test]
fn every_flag_of_a_setting_is_its_key() {
    for key in keys::names(keys::SETTINGS) {
        let flagless =
            ["onetime_wait", "poll_limit", "reconcile", "settle", "splay"].contains(&key);
        let name = if key == "nodes" {
            "node".to_owned()
        } else {
            key.replace('_', "-")
        };
        assert_eq!(cli::flag_name(&name).is_none(), flagless, "{key}");
    }
}

#[test]
fn files_are_read_and_unknown_keys_are_harmless() {
    let dir = std::env::temp_dir().join(format!("confd-config-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    let path = dir.join("confd.toml");
    std::fs::write(&path, "verbose = true\nclient_cakeys = ''\nintervall = 5\n").expect("a file");
    let load = |path: &Path| {
        let args = typed(["-config-file".into(), path.into()])?;
        Config::load(&args, |_| None)
    };
    let config = load(&path).expect("harmless");
    let said: Vec<String> = config.warnings.iter().map(Warning::to_string).collect();
    let expected = format!(
        "{}:3: unknown key \"intervall\" is ignored; did you mean \"interval\"?",
        path.display()
    );
    assert_eq!(said, [expected]);
    assert_eq!(config.interval, Duration::from_secs(600));

    let missing = load(&dir.join("none.toml"));
    let said = missing.expect_err("must be there").chain();
    assert!(said.starts_with("cannot read "), "{said}");
    std::fs::remove_dir_all(&dir).expect("removed");
}
