//! The keys of confd.toml and of a resource: name, kind, default and help, one row each.
//!
//! The reader, the flags and their help, -lint, and the tests of README and of the fuzzers'
//! dictionaries derive from these tables. What a value means is decided by whoever reads it.

/// The kind of value that a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    String,
    /// A list of strings; a single string is a list of one.
    Strings,
    /// A whole number of at most 64 bits.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A string in Go's duration syntax, or a whole number of seconds.
    Duration,
    /// A section, or an inline table.
    Section,
    /// Any value.
    Any,
}

/// A key that confd reads.
#[derive(Debug)]
pub struct Key {
    /// The name, as documented; any case and both `-` and `_` are accepted.
    pub name: &'static str,
    /// The kind of its value.
    pub kind: Kind,
    /// The default as written in a file; empty for none.
    pub default: &'static str,
    /// Its effect, on one line.
    pub help: &'static str,
}

const fn key(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Key {
    Key {
        name,
        kind,
        default,
        help,
    }
}

/// The keys of confd.toml.
#[rustfmt::skip]
pub const SETTINGS: &[Key] = &[
    key("backend",         Kind::String,   "metad",        "read metadata from metad, file or env"),
    key("confdir",         Kind::String,   "/etc/confd",   "read conf.d and templates here"),
    key("file",            Kind::Strings,  "",             "read recorded metadata, JSON or TOML; repeat to merge"),
    key("interval",        Kind::Integer,  "600",          "check everything again after this many seconds"),
    key("keep-stage-file", Kind::Boolean,  "false",        "keep staged files"),
    key("log-level",       Kind::String,   "info",         "log at debug, info, warn, error or fatal"),
    key("nodes",           Kind::Strings,  "127.0.0.1:80", "ask metad here; repeat for more"),
    key("noop",            Kind::Boolean,  "false",        "log what would change, change nothing"),
    key("onetime_wait",    Kind::Duration, "15s",          "with -onetime, wait this long for metadata"),
    key("poll_limit",      Kind::Duration, "60s",          "renew a long poll after this time"),
    key("prefix",          Kind::String,   "",             "use this part of the metadata, such as /self"),
    key("reconcile",       Kind::Boolean,  "false",        "in watch mode, put back at the interval what others change"),
    key("scheme",          Kind::String,   "http",         "use this protocol; only http"),
    key("settle",          Kind::Duration, "0s",           "wait until metadata has not changed for this long"),
    key("splay",           Kind::Duration, "0s",           "wait up to this long, at random, before a change"),
    key("srv_domain",      Kind::String,   "",             "find the nodes at _metad._tcp.NAME"),
    key("srv_record",      Kind::String,   "",             "find the nodes at this SRV record"),
    key("strict",          Kind::Boolean,  "false",        "treat warnings about a resource as errors"),
    key("sync-only",       Kind::Boolean,  "false",        "write files, run no check_cmd or reload_cmd"),
    key("watch",           Kind::Boolean,  "false",        "apply every change of the metadata at once"),
];

/// Keys of confd.toml for other backends or without a meaning, accepted without a warning.
pub const UNUSED_SETTINGS: &[&str] = &[
    "app_id",
    "auth_token",
    "auth_type",
    "basic_auth",
    "client_ca_keys",
    "client_cakeys",
    "client_cert",
    "client_key",
    "debug",
    "password",
    "quiet",
    "secret_keyring",
    "table",
    "user_id",
    "username",
    "verbose",
];

/// The keys of a resource's `[template]` section.
#[rustfmt::skip]
pub const RESOURCE: &[Key] = &[
    key("src",                Kind::String,   "",      "the template, below templates"),
    key("dest",               Kind::String,   "",      "the file to render; a link is followed"),
    key("keys",               Kind::Strings,  "",      "the metadata that the template can see, below the prefix"),
    key("prefix",             Kind::String,   "",      "put before keys where no global prefix is set"),
    key("mode",               Kind::String,   "",      "the octal mode; by default that of dest, else 0644"),
    key("uid",                Kind::Integer,  "",      "the owner as a number"),
    key("gid",                Kind::Integer,  "",      "the group as a number"),
    key("owner",              Kind::String,   "",      "the owner as a name, or \"owner:group\""),
    key("group",              Kind::String,   "",      "swapped all or none with others of it; the group as a name"),
    key("check_cmd",          Kind::String,   "",      "must succeed before the swap; {{.src}} is the staged file"),
    key("check_cmd_timeout",  Kind::Duration, "",      "kills a check_cmd that runs longer"),
    key("reload_cmd",         Kind::String,   "",      "runs after the swap"),
    key("reload_cmd_timeout", Kind::Duration, "",      "kills a reload_cmd that runs longer"),
    key("reload_retry",       Kind::Boolean,  "false", "repeats a failed reload until it succeeds"),
    key("output",             Kind::String,   "",      "fails unless the result is valid json, toml, ini or xml"),
    key("reconcile",          Kind::Boolean,  "false", "puts back at the interval what others change, in watch mode too"),
    key("on_reload_failure",  Kind::String,   "keep",  "keeps the new files, or with rollback brings the old ones back"),
    key("for_each",           Kind::String,   "",      "makes one file for each item of this pipeline; dest has {{.}}"),
    key("block",              Kind::String,   "",      "makes only the lines between two markers of this name"),
    key("comment",            Kind::String,   "#",     "begins the markers of a block; \"<!-- -->\" also ends them"),
    key("insert",             Kind::String,   "end",   "adds a block at the begin or the end of the file"),
    key("create_only",        Kind::Boolean,  "false", "makes the file if it is missing, and never changes it"),
    key("skip_empty",         Kind::Boolean,  "false", "leaves the file alone when the result is empty"),
    key("backup",             Kind::Integer,  "0",     "keeps this many former versions beside the file"),
    key("strict",             Kind::Boolean,  "false", "treats warnings about this resource as errors"),
];

/// Returns the key of that name. Meant for constants: panics when there is none.
pub const fn setting(name: &str) -> &'static Key {
    let mut index = 0;
    while index < SETTINGS.len() {
        if same(SETTINGS[index].name.as_bytes(), name.as_bytes()) {
            return &SETTINGS[index];
        }
        index += 1;
    }
    panic!("no such setting")
}

const fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut index = 0;
    while index < one.len() {
        if one[index] != other[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// The names of some keys.
pub fn names(keys: &'static [Key]) -> impl Iterator<Item = &'static str> {
    keys.iter().map(|key| key.name)
}

/// Returns true if two names are spellings of one key: `Log-Level` and `log_level` are.
pub fn is_same(one: &str, other: &str) -> bool {
    let plain = |byte: u8| match byte.to_ascii_lowercase() {
        b'-' => b'_',
        byte => byte,
    };
    one.bytes().map(plain).eq(other.bytes().map(plain))
}

/// The one spelling of a key's many: lower case, with `_`.
pub fn canonical(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

/// The names of some keys, each with the kind of its value.
pub fn kinds(keys: &'static [Key]) -> Vec<(&'static str, Kind)> {
    keys.iter().map(|key| (key.name, key.kind)).collect()
}
