//! The flags, parsed with getopts by Go's grammar: `-x v`, `-x=v`, `--x v`, `--x=v`. Looks nothing
//! up.
//!
//! A flag is one row in [`GROUPS`]; the parser, the help and the hint for a misspelt flag derive
//! from it. The help of a flag that is a setting stands in [`keys::SETTINGS`].

use std::ffi::OsString;
use std::fmt::Write as _;

use getopts::{Fail, HasArg, Matches, Occur, Options, ParsingStyle};

use crate::error::{Error, Result};
use crate::go::strconv;
use crate::keys;
use crate::nearest::nearest;
use crate::version;

/// The kinds of flags.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `-watch`, `-watch=false`.
    Switch,
    /// `-prefix /self`, with the value's name in the help. The last one counts.
    Value(&'static str),
    /// `-node a -node b`, with the value's name in the help. All of them count.
    Repeated(&'static str),
    /// `-redact`, `-redact=a,b`: a switch with an optional value. All of them count.
    Detailed(&'static str),
}

struct Flag {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    /// The value without the flag; empty for none.
    default: &'static str,
}

const fn flag(name: &'static str, kind: Kind, help: &'static str) -> Flag {
    Flag {
        name,
        kind,
        help,
        default: "",
    }
}

/// The flag of a setting: its help and default are those of the key.
const fn setting(name: &'static str, kind: Kind, key: &str) -> Flag {
    let key = keys::setting(key);
    Flag {
        default: key.default,
        ..flag(name, kind, key.help)
    }
}

/// Credentials of backends that this program does not have: accepted, so that old command lines go
/// on working.
const fn unused(name: &'static str, kind: Kind) -> Flag {
    flag(name, kind, "")
}

struct Group {
    title: &'static str,
    flags: &'static [Flag],
}

use Kind::{Detailed, Repeated, Switch, Value};

#[rustfmt::skip]
const GROUPS: &[Group] = &[
    Group { title: "Run", flags: &[
        flag("onetime",            Switch,                "render everything once, then exit"),
        setting("watch",           Switch,                "watch"),
        setting("interval",        Value("SECONDS"),      "interval"),
        setting("noop",            Switch,                "noop"),
        setting("sync-only",       Switch,                "sync-only"),
        setting("strict",          Switch,                "strict"),
        setting("keep-stage-file", Switch,                "keep-stage-file"),
    ] },
    Group { title: "Metadata", flags: &[
        setting("backend",         Value("NAME"),         "backend"),
        setting("node",            Repeated("HOST:PORT"), "nodes"),
        setting("prefix",          Value("PATH"),         "prefix"),
        setting("scheme",          Value("NAME"),         "scheme"),
        setting("srv-domain",      Value("NAME"),         "srv_domain"),
        setting("srv-record",      Value("NAME"),         "srv_record"),
        setting("file",            Repeated("PATH"),      "file"),
    ] },
    Group { title: "Inspect", flags: &[
        flag("diff",               Switch,                "show what would change; exit 3 if anything would"),
        flag("show-secrets",       Switch,                "with -diff: include files that not everyone may read"),
        flag("against",            Value("N"),            "with -diff: compare files with N versions before"),
        flag("dump",               Value("PATH"),         "write this node's metadata to PATH; - for stdout"),
        flag("redact",             Detailed("KEYS"),      "with -dump: hide what looks secret, and these keys"),
        flag("root",               Value("PATH"),         "write below PATH instead of /, run no command"),
        flag("status",             Switch,                "show daemon and file status; exit 1 if unhealthy"),
        flag("doctor",             Switch,                "check this node for common problems, with fixes"),
        flag("lint",               Switch,                "check settings, resources and templates"),
        flag("render",             Value("FILE"),         "render one template to stdout; - for stdin"),
        flag("keys",               Repeated("PATH"),      "with -render: see only this part of the metadata"),
        flag("get",                Value("PATH"),         "print a value, a directory or what matches"),
        flag("rehearse",           Value("PATH"),         "render the life cycle of a recorded cluster"),
        flag("expect",             Value("PATH"),         "with -rehearse: compare with the files below PATH"),
        flag("update",             Switch,                "with -expect: rewrite the files below PATH"),
        flag("check",              Switch,                "with -rehearse: run each check_cmd"),
        flag("format",             Value("NAME"),         "with a tool: print text or json (text)"),
    ] },
    Group { title: "Settings", flags: &[
        flag("config-file",        Value("PATH"),         "read settings here (/etc/confd/confd.toml)"),
        setting("confdir",         Value("PATH"),         "confdir"),
        setting("log-level",       Value("LEVEL"),        "log-level"),
        flag("version",            Switch,                "print the version"),
        flag("help",               Switch,                "print this help"),
        flag("help-functions",     Switch,                "print the template functions, with examples"),
    ] },
];

#[rustfmt::skip]
const UNUSED: &[Flag] = &[
    unused("app-id",         Value("")),
    unused("auth-token",     Value("")),
    unused("auth-type",      Value("")),
    unused("basic-auth",     Switch),
    unused("client-ca-keys", Value("")),
    unused("client-cert",    Value("")),
    unused("client-key",     Value("")),
    unused("password",       Value("")),
    unused("table",          Value("")),
    unused("user-id",        Value("")),
    unused("username",       Value("")),
];

fn flags() -> impl Iterator<Item = &'static Flag> {
    let used = GROUPS.iter().flat_map(|group| group.flags);
    used.chain(UNUSED)
}

fn flag_named(name: &str) -> Option<&'static Flag> {
    flags().find(|flag| flag.name == name)
}

/// The name of a flag that is called so, if there is one.
pub fn flag_name(name: &str) -> Option<&'static str> {
    flag_named(name).map(|flag| flag.name)
}

/// The command line, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Args {
    /// By flag, in the order typed; a switch is `true` or `false`.
    values: Vec<(&'static str, Vec<String>)>,
}

impl Args {
    /// Returns true if a switch is on. The last occurrence counts.
    pub fn is_on(&self, name: &str) -> bool {
        self.last(name) == Some("true")
    }

    /// Returns true if a flag was given, and not just to switch it off.
    pub fn is_given(&self, name: &str) -> bool {
        let has_value = |flag: &Flag| matches!(flag.kind, Value(_) | Repeated(_));
        let has_value = flag_named(name).is_some_and(has_value);
        self.last(name)
            .is_some_and(|text| has_value || text != "false")
    }

    /// The last value of a flag.
    pub fn last(&self, name: &str) -> Option<&str> {
        self.all(name).last().map(String::as_str)
    }

    /// All values of a flag, in order.
    pub fn all(&self, name: &str) -> &[String] {
        debug_assert!(flag_named(name).is_some(), "no flag {name}");
        let given = self.values.iter().find(|(flag, _)| *flag == name);
        given.map_or(&[], |(_, texts)| texts)
    }
}

/// The request of a command line.
#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    /// Print this text.
    Help(String),
    /// Print this text.
    Version(String),
    /// Run the agent.
    Run(Args),
    /// Run a tool.
    Inspect(Tool, Args),
}

/// The inspection tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Shows what would change.
    Diff,
    /// Writes the metadata into a file.
    Dump,
    /// Shows the state of the daemon.
    Status,
    /// Checks this node for common problems.
    Doctor,
    /// Checks settings, resources and templates.
    Lint,
    /// Renders the life cycle of a recorded cluster.
    Rehearse,
    /// One template.
    Render,
    /// A part of the metadata.
    Get,
    /// The template functions.
    HelpFunctions,
}

/// The tools by their flags.
const TOOLS: &[(&str, Tool)] = &[
    ("diff", Tool::Diff),
    ("dump", Tool::Dump),
    ("status", Tool::Status),
    ("doctor", Tool::Doctor),
    ("lint", Tool::Lint),
    ("rehearse", Tool::Rehearse),
    ("render", Tool::Render),
    ("get", Tool::Get),
    ("help-functions", Tool::HelpFunctions),
];

/// The flags that belong to some tools. Without the tool they are an error, not a daemon.
const DETAILS: &[(&str, &[&str])] = &[
    ("show-secrets", &["diff"]),
    ("against", &["diff"]),
    ("redact", &["dump"]),
    ("keys", &["render"]),
    ("expect", &["rehearse"]),
    ("update", &["rehearse"]),
    ("check", &["rehearse"]),
    (
        "format",
        &[
            "diff",
            "status",
            "doctor",
            "lint",
            "rehearse",
            "render",
            "get",
            "help-functions",
        ],
    ),
];

/// Parses the arguments after the program's name. Errors are one line that names the flag.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Request> {
    let mut texts = Vec::new();
    for arg in args {
        texts.push(text(arg)?);
    }
    parse_texts(&texts)
}

fn text(arg: OsString) -> Result<String> {
    arg.into_string()
        .map_err(|arg| Error::usage(format!("{arg:?} is not UTF-8 text")))
}

fn parse_texts(args: &[String]) -> Result<Request> {
    let args = parse_flags(args)?;
    Ok(if args.is_on("help") {
        Request::Help(help())
    } else if args.is_on("version") {
        Request::Version(version::LINE.to_owned())
    } else {
        match tool(&args)? {
            Some(tool) => Request::Inspect(tool, args),
            None => Request::Run(args),
        }
    })
}

/// The requested tool, at most one.
fn tool(args: &Args) -> Result<Option<Tool>> {
    let mut asked = TOOLS.iter().filter(|(name, _)| args.is_given(name));
    let first = asked.next();
    if let (Some((one, _)), Some((other, _))) = (first, asked.next()) {
        let message = format!("-{one} and -{other} cannot be combined");
        return Err(Error::usage(message));
    }
    for (detail, tools) in DETAILS {
        if args.is_given(detail) && !first.is_some_and(|(name, _)| tools.contains(name)) {
            let message = format!("-{detail} goes with -{}", tools.join(" or -"));
            return Err(Error::usage(message));
        }
    }
    if let Some(format) = args
        .last("format")
        .filter(|name| !["text", "json"].contains(name))
    {
        let message = format!("-format must be text or json, not {format:?}");
        return Err(Error::usage(message));
    }
    Ok(first.map(|(_, tool)| *tool))
}

fn parse_flags(args: &[String]) -> Result<Args> {
    let matches = options().parse(args).map_err(explain)?;
    if let Some(stray) = matches.free.first() {
        let before = args.len() - matches.free.len();
        return Err(stray_argument(
            stray,
            args.get(..before).unwrap_or_default(),
        ));
    }
    let mut values = Vec::new();
    for flag in flags() {
        let given = match flag.kind {
            Switch => switches(&matches, flag.name)?,
            Detailed(_) => details(&matches, flag.name),
            Value(_) | Repeated(_) => matches.opt_strs(flag.name),
        };
        if !given.is_empty() {
            values.push((flag.name, given));
        }
    }
    Ok(Args { values })
}

fn options() -> Options {
    let mut options = Options::new();
    options
        .long_only(true)
        .parsing_style(ParsingStyle::StopAtFirstFree);
    for flag in flags() {
        let short = if flag.name == "help" { "h" } else { "" };
        let has_value = match flag.kind {
            Switch | Detailed(_) => HasArg::Maybe,
            Value(_) | Repeated(_) => HasArg::Yes,
        };
        // As in Go, any flag may come again; the last one counts.
        options.opt(short, flag.name, "", "", has_value, Occur::Multi);
    }
    options
}

/// The values of a switch: `true` or `false` for each occurrence.
fn switches(matches: &Matches, name: &str) -> Result<Vec<String>> {
    let mut given = details(matches, name);
    for text in &mut given {
        let Ok(truth) = strconv::parse_bool(text.as_bytes()) else {
            let message = format!("-{name} must be true or false, not {text:?}");
            return Err(Error::usage(message));
        };
        *text = truth.to_string();
    }
    Ok(given)
}

/// The values of a flag with an optional value: the value, or `true`, for each occurrence.
fn details(matches: &Matches, name: &str) -> Vec<String> {
    let mut given = matches.opt_strs_pos(name).into_iter().peekable();
    let mut values = Vec::new();
    for position in matches.opt_positions(name) {
        values.push(match given.next_if(|(at, _)| *at == position) {
            Some((_, value)) => value,
            None => "true".to_owned(),
        });
    }
    values
}

fn explain(fail: Fail) -> Error {
    Error::usage(match fail {
        Fail::UnrecognizedOption(name) => {
            let hint = nearest(&name, flags().map(|flag| flag.name));
            match hint {
                Some(meant) => format!("unknown flag -{name}; did you mean -{meant}?"),
                None => format!("unknown flag -{name}; -help lists them"),
            }
        }
        Fail::ArgumentMissing(name) => format!("-{name} needs a value"),
        // The rest is about required, single or valueless flags: none is declared so.
        other => other.to_string(),
    })
}

/// An argument that belongs to no flag; `before` are those in front of it.
fn stray_argument(stray: &str, before: &[String]) -> Error {
    let flag_of = |argument: &String| {
        let name = argument.strip_prefix('-')?;
        flag_named(name.trim_start_matches('-'))
    };
    let mut flags = before.iter().rev().map(flag_of);
    let (last, last_but_one) = (flags.next().flatten(), flags.next().flatten());
    let hint = if let Some(Flag {
        name,
        kind: Detailed(_),
        ..
    }) = last
    {
        format!("; -{name} takes it as -{name}={stray}")
    } else if let (
        Some(Flag { name: taken, .. }),
        Some(Flag {
            name,
            kind: Value(_) | Repeated(_),
            ..
        }),
    ) = (last, last_but_one)
    {
        format!("; -{name} needs a value and has taken -{taken}")
    } else if strconv::parse_bool(stray.as_bytes()).is_ok() {
        format!("; a switch takes it as -watch={stray}")
    } else {
        String::new()
    };
    Error::usage(format!("unexpected argument {stray:?}{hint}"))
}

/// A flag as the help, the manual page and the completion show it.
#[derive(Debug)]
pub struct Row {
    /// The title of its group.
    pub group: &'static str,
    /// The name, without "-".
    pub name: &'static str,
    /// The name of its value; `None` for a switch.
    pub value: Option<&'static str>,
    /// The value may be left out, and stands behind "=".
    pub is_optional: bool,
    /// Its effect, and its default.
    pub help: String,
}

impl Row {
    /// The flag with its value, such as `-node HOST:PORT`.
    pub fn typed(&self) -> String {
        match self.value {
            None => format!("-{}", self.name),
            Some(value) if self.is_optional => format!("-{}[={value}]", self.name),
            Some(value) => format!("-{} {value}", self.name),
        }
    }
}

/// The flags that have an effect, by group.
pub fn rows() -> impl Iterator<Item = Row> {
    let rows = |group: &'static Group| group.flags.iter().map(|flag| row(group.title, flag));
    GROUPS.iter().flat_map(rows)
}

fn row(group: &'static str, flag: &Flag) -> Row {
    let value = match flag.kind {
        Switch => None,
        Value(value) | Repeated(value) | Detailed(value) => Some(value),
    };
    let has_default = matches!(flag.kind, Value(_) | Repeated(_)) && !flag.default.is_empty();
    let default = if has_default {
        format!(" ({})", flag.default)
    } else {
        String::new()
    };
    Row {
        group,
        name: flag.name,
        value,
        is_optional: matches!(flag.kind, Detailed(_)),
        help: format!("{}{default}", flag.help),
    }
}

/// The names of the flags that are accepted without effect.
pub fn unused_flags() -> impl Iterator<Item = &'static str> {
    UNUSED.iter().map(|flag| flag.name)
}

/// The output of `-help`: one screen of 80 columns.
fn help() -> String {
    let mut text = String::from(
        "Usage: confd [FLAGS]\n\
         Renders configuration files from cluster metadata and reloads their services.\n",
    );
    let mut title = "";
    for row in rows() {
        if row.group != title {
            title = row.group;
            let _ = writeln!(text, "\n{title}:");
        }
        let _ = writeln!(text, "  {:<20}  {}", row.typed(), row.help);
    }
    text.push_str(
        "\nMost flags are also keys of confd.toml (log-level) and environment variables\n\
         (CONFD_LOG_LEVEL). Flags override variables, and variables override keys.\n\
         Accepted without effect:\n",
    );
    text.push_str(&unused_lines());
    text
}

fn unused_lines() -> String {
    let mut lines = String::new();
    let mut width = 0;
    for flag in UNUSED {
        if width + flag.name.len() > 74 {
            lines.push('\n');
            width = 0;
        }
        let gap = if width == 0 { "  -" } else { " -" };
        lines.push_str(gap);
        lines.push_str(flag.name);
        width += gap.len() + flag.name.len();
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_line(line: &str) -> Result<Args> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse_flags(&args)
    }

    #[test]
    fn the_grammar_is_that_of_go() {
        let cases = [
            ("", ""),
            ("-prefix /a", "prefix: /a"),
            ("-prefix=/a", "prefix: /a"),
            ("--prefix /a", "prefix: /a"),
            ("--prefix=/a=b", "prefix: /a=b"),
            ("-prefix=", "prefix: "),
            ("-prefix -watch", "prefix: -watch"),
            ("-prefix --", "prefix: --"),
            ("-prefix - --", "prefix: -"),
            ("-prefix a -prefix b", "prefix: a b"),
            ("-node a --node=b", "node: a b"),
            ("-watch", "watch: true"),
            ("--watch=T", "watch: true"),
            ("-watch=0", "watch: false"),
            (
                "-watch=false -onetime -watch",
                "onetime: true, watch: false true",
            ),
            ("-h -password p", "help: true, password: p"),
            ("-basic-auth -table t --", "basic-auth: true, table: t"),
            ("-redact -redact=a,b -dump -", "dump: -, redact: true a,b"),
        ];
        for (line, expected) in cases {
            let args = parse_line(line).expect(line);
            let given = args.values.iter();
            let given: Vec<String> = given
                .map(|(name, values)| format!("{name}: {}", values.join(" ")))
                .collect();
            assert_eq!(given.join(", "), expected, "{line}");
        }
    }

    #[test]
    fn the_last_one_counts() {
        let args = parse_line("-watch -noop=false -watch=f -prefix a -prefix b").expect("valid");
        assert!(!args.is_on("watch"));
        assert!(!args.is_on("noop"));
        assert!(!args.is_on("onetime"));
        assert_eq!(args.last("prefix"), Some("b"));
        assert_eq!(args.last("confdir"), None);
    }

    #[test]
    fn wrong_lines_are_told_in_one_line() {
        let cases = [
            ("-wathc", "unknown flag -wathc; did you mean -watch?"),
            (
                "--conf-file=x",
                "unknown flag -conf-file; did you mean -config-file?",
            ),
            ("-zzz", "unknown flag -zzz; -help lists them"),
            ("-x", "unknown flag -x; -help lists them"),
            ("-prefix", "-prefix needs a value"),
            (
                "-watch=maybe",
                "-watch must be true or false, not \"maybe\"",
            ),
            ("-watch=", "-watch must be true or false, not \"\""),
            (
                "-watch false",
                "unexpected argument \"false\"; a switch takes it as -watch=false",
            ),
            ("-watch x -noop", "unexpected argument \"x\""),
            (
                "-rehearse -confdir etc",
                "unexpected argument \"etc\"; -rehearse needs a value and has taken -confdir",
            ),
            (
                "-redact pin -noop",
                "unexpected argument \"pin\"; -redact takes it as -redact=pin",
            ),
            ("-", "unexpected argument \"-\""),
            ("-- -watch", "unexpected argument \"-watch\""),
            ("---watch", "unknown flag --watch; did you mean -watch?"),
        ];
        for (line, expected) in cases {
            let error = parse_line(line).expect_err(line);
            assert!(
                matches!(error.kind(), crate::error::Kind::Usage(_)),
                "{line}"
            );
            assert_eq!(error.to_string(), expected, "{line}");
        }
    }

    #[test]
    fn one_tool_at_a_time_and_its_details_with_it() {
        let asked = |line: &str| parse(line.split_whitespace().map(OsString::from));
        let cases = [
            ("-diff -show-secrets", Ok(Some(Tool::Diff))),
            ("-diff -against 1", Ok(Some(Tool::Diff))),
            ("-diff=false", Ok(None)),
            ("-dump - -redact=pin", Ok(Some(Tool::Dump))),
            ("-dump false", Ok(Some(Tool::Dump))),
            ("-onetime -root /tmp", Ok(None)),
            ("-onetime -redact", Err("-redact goes with -dump")),
            ("-diff -redact", Err("-redact goes with -dump")),
            ("-dump - -diff", Err("-diff and -dump cannot be combined")),
        ];
        for (line, expected) in cases {
            let tool = asked(line).map(|asked| match asked {
                Request::Inspect(tool, _) => Some(tool),
                _ => None,
            });
            let tool = tool.map_err(|error| error.to_string());
            assert_eq!(tool, expected.map_err(str::to_owned), "{line}");
        }
    }

    #[test]
    fn help_and_version_are_all_that_is_done() {
        let asked = |line: &str| parse(line.split_whitespace().map(OsString::from)).expect(line);
        assert_eq!(asked("-onetime -version -h"), Request::Help(help()));
        let version = version::LINE.to_owned();
        assert_eq!(asked("-version -noop"), Request::Version(version));
        let args = parse_line("-noop").expect("valid");
        assert_eq!(asked("-noop"), Request::Run(args));
    }

    #[test]
    fn the_help_fits_one_screen() {
        let help = help();
        assert!(help.lines().count() <= 60, "{help}");
        for line in help.lines() {
            assert!(line.len() <= 80 && line.trim_end() == line, "{line:?}");
        }
        for flag in flags() {
            assert!(help.contains(&format!("-{}", flag.name)), "{}", flag.name);
        }
    }
}
