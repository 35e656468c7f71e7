//! The functions in one table: name, parameters, what they return, what they read, and their help.
//!
//! The parser and the executor check calls against it; -lint, -help-functions, the fuzzers and the
//! test of docs/templates.md derive from it. Go's own functions are documented here too, so that
//! everything that lists functions has one list.

use crate::template::{Function, Type};
use Type::*;

/// The kind of value that a function returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Texts,
    Pair,
    Pairs,
    Bool,
    Int,
    Float,
    Time,
    /// It depends on the arguments.
    Varies,
}

impl Kind {
    /// The Go type's name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Text => "string",
            Kind::Texts => "[]string",
            Kind::Pair => "memkv.KVPair",
            Kind::Pairs => "memkv.KVPairs",
            Kind::Bool => "bool",
            Kind::Int => "int",
            Kind::Float => "float64",
            Kind::Time => "time.Time",
            Kind::Varies => "interface {}",
        }
    }
}

/// The input of a function besides its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The metadata: its first argument is a key.
    Key,
    /// The metadata: its first argument is a pattern for keys.
    Pattern,
    /// The metadata: its first argument is a path with keys below it.
    Listing,
    /// The machine, which may answer differently while the program runs.
    System,
}

/// The documentation of a function.
#[derive(Debug)]
pub struct Doc {
    /// The name in a template.
    pub name: &'static str,
    /// The kind of its value.
    pub result: Kind,
    /// Its input besides its arguments.
    pub reads: Option<Reading>,
    /// The arguments: `[X]` can be omitted, `X…` can be repeated.
    pub args: &'static str,
    /// The value that it returns, on one line.
    pub help: &'static str,
    /// A template that uses it, for the metadata of docs/templates.md; empty for none.
    pub example: &'static str,
}

impl Doc {
    /// The name and the arguments: `getv KEY [DEFAULT]`.
    pub fn signature(&self) -> String {
        format!("{} {}", self.name, self.args).trim_end().to_owned()
    }
}

/// The documentation of every function, confd's before Go's.
pub fn docs() -> impl Iterator<Item = &'static Doc> {
    DOCS.iter().chain(GO_DOCS)
}

/// The documentation of a function.
pub fn doc(function: &Function) -> Option<&'static Doc> {
    docs().find(|doc| doc.name == function.name)
}

impl Name {
    /// Returns true if the result may change by itself, so that it is looked at again. That of
    /// `datetime` always does, which is no reason; a file that is included is looked at by itself.
    pub(super) fn is_observed(self) -> bool {
        let doc = DOCS.get(self as usize);
        let reads_system = doc.is_some_and(|doc| doc.reads == Some(Reading::System));
        match self {
            Name::Getenv => true,
            Name::Datetime | Name::Include => false,
            _ => reads_system,
        }
    }
}

/// Makes the tables, and for each row the name that the one `match` uses.
macro_rules! functions {
    ($(
        $name:ident $text:literal [$($param:ident),*] $($more:ident)?
        -> $result:ident $($reading:ident)?: $args:literal, $help:literal, $example:literal;
    )*) => {
        /// A function; its place in [`FUNCTIONS`] is its number.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Name {
            $($name,)*
        }

        /// Their names, in the order of [`FUNCTIONS`].
        pub(super) const NAMES: &[Name] = &[$(Name::$name,)*];

        /// All functions, for the parser and the executor to check calls against.
        pub static FUNCTIONS: &[Function] = &[
            $(Function { name: $text, params: &[$($param),*], variadic: functions!(@more $($more)?) },)*
        ];

        static DOCS: &[Doc] = &[
            $(Doc {
                name: $text,
                result: Kind::$result,
                reads: functions!(@reads $($reading)?),
                args: $args,
                help: $help,
                example: $example,
            },)*
        ];
    };
    (@more) => { None };
    (@more $more:ident) => { Some($more) };
    (@reads) => { None };
    (@reads $reading:ident) => { Some(Reading::$reading) };
}

// A row: the types of the parameters and, behind the brackets, of any further ones; the result and
// what the first argument reads; the help.
functions! {
    // The original's 41.
    Exists "exists" [Str] -> Bool Key:
        "KEY", "true if the key exists; a directory is not a key", r#"{{exists "/env/name"}}"#;
    Get "get" [Str] -> Pair Key:
        "KEY", "the pair of a key, with .Key and .Value", r#"{{get "/env/ratio"}}"#;
    Gets "gets" [Str] -> Pairs Pattern:
        "PATTERN", "the pairs whose keys match, sorted by key; * and ? stop at /, [a-z] is a choice",
        r#"{{range gets "/host/*"}}{{.Key}}={{.Value}} {{end}}"#;
    Getv "getv" [Str] Str -> Text Key:
        "KEY [DEFAULT]", "the value of a key; an empty value beats the default",
        r#"{{getv "/env/ratio"}}"#;
    Getvs "getvs" [Str] -> Texts Pattern:
        "PATTERN", "the values whose keys match, sorted as strings",
        r#"{{getvs "/hosts/slave/*/sid"}}"#;
    Ls "ls" [Str] -> Texts Listing:
        "PATH", "the names directly below a path", r#"{{ls "/hosts/slave"}}"#;
    Lsdir "lsdir" [Str] -> Texts Listing:
        "PATH", "the names directly below a path that have something below them",
        r#"{{lsdir "/hosts"}}"#;
    Base "base" [Str] -> Text:
        "PATH", "the last part of a path", r#"{{base "/a/b"}}"#;
    Dir "dir" [Str] -> Text:
        "PATH", "a path without its last part", r#"{{dir "/a/b"}}"#;
    Split "split" [Str, Str] -> Texts:
        "STRING SEPARATOR", "the list of the parts", r#"{{index (split "a,b,c" ",") 1}}"#;
    Join "join" [Strings, Str] -> Text:
        "LIST SEPARATOR", "the items as one string", r#"{{join (getvs "/hosts/slave/*/ip") ","}}"#;
    ToUpper "toUpper" [Str] -> Text:
        "STRING", "the string in upper case", r#"{{toUpper "aé"}}"#;
    ToLower "toLower" [Str] -> Text:
        "STRING", "the string in lower case", r#"{{toLower "AÉ"}}"#;
    Contains "contains" [Str, Str] -> Bool:
        "STRING PART", "true if the part occurs in the string", r#"{{contains "abc" "bc"}}"#;
    Replace "replace" [Str, Str, Str, Int] -> Text:
        "STRING OLD NEW COUNT", "the string with OLD replaced by NEW, COUNT times, or always with -1",
        r#"{{replace "a.b.c" "." "-" -1}}"#;
    Map "map" [] Any -> Varies:
        "KEY VALUE…", "a map; dict is the same", r#"{{(map "a" 1 "b" 2).b}}"#;
    Json "json" [Str] -> Varies:
        "JSON", "a map from a JSON object; its numbers are floats",
        r#"{{(json (getv "/env/json")).user.name}}"#;
    JsonArray "jsonArray" [Str] -> Varies:
        "JSON", "a list from a JSON array", r#"{{len (jsonArray "[1,2]")}}"#;
    ToJson "toJson" [Any] -> Text:
        "VALUE", "the value as JSON, on one line", r#"{{toJson (map "b" "<" "a" 1)}}"#;
    ToYaml "toYaml" [Any] -> Text:
        "VALUE", "the value as YAML", r#"{{toYaml (map "a" "1")}}"#;
    Base64Encode "base64Encode" [Any] -> Text:
        "STRING", "the string in Base64", r#"{{base64Encode "secret"}}"#;
    Base64Decode "base64Decode" [Any] -> Text:
        "STRING", "the string that was encoded; anything but Base64 is an error",
        r#"{{base64Decode (getv "/env/secret")}}"#;
    Filter "filter" [Str, Any] -> Varies:
        "PATTERN LIST", "the items in which a regular expression occurs",
        r#"{{filter "s[12]$" (ls "/hosts/slave")}}"#;
    Add "add" [Any, Any] -> Varies:
        "A B", "A + B; a float if one of them is one", r#"{{add "1" 2}}"#;
    Sub "sub" [Any, Any] -> Varies:
        "A B", "A − B; a float if one of them is one", r#"{{sub 5 "1.5"}}"#;
    Mul "mul" [Any, Any] -> Varies:
        "A B", "A × B; a float if one of them is one", "{{mul 3 4}}";
    Div "div" [Any, Any] -> Varies:
        "A B", "A ÷ B, whole if both are", "{{div 7 2}} {{div 7 2.0}}";
    Mod "mod" [Any, Any] -> Varies:
        "A B", "the remainder of A ÷ B, whole numbers only", "{{mod 7 2}}";
    Max "max" [Any, Any] -> Float:
        "A B", "the larger number, as a float", r#"{{max 3 "7"}}"#;
    Min "min" [Any, Any] -> Float:
        "A B", "the smaller number, as a float", "{{min 3 0.5}}";
    Eq "eq" [Any, Any] -> Bool:
        "A B", "true if A equals B; as numbers, if both look like one", r#"{{eq "1.0" 1}}"#;
    Ne "ne" [Any, Any] -> Bool:
        "A B", "true if A does not equal B", r#"{{ne "a" "b"}}"#;
    Gt "gt" [Any, Any] -> Bool:
        "A B", "true if A > B", r#"{{gt (getv "/env/maxclients") 1000}}"#;
    Ge "ge" [Any, Any] -> Bool:
        "A B", "true if A ≥ B", "{{ge 2 3}}";
    Lt "lt" [Any, Any] -> Bool:
        "A B", "true if A < B; lists and maps count by length, two strings as text, a string beside a number as 0",
        r#"{{lt 2 "10"}}"#;
    Le "le" [Any, Any] -> Bool:
        "A B", "true if A ≤ B", "{{le 2 2}}";
    Getenv "getenv" [Str] Str -> Text:
        "NAME [DEFAULT]", "a variable of confd's environment", r#"{{getenv "NOT_SET" "x"}}"#;
    Datetime "datetime" [] -> Time System:
        "", "the time now, in the machine's zone, with Go's methods",
        r#"{{len (datetime.Format "2006-01-02")}}"#;
    LookupIp "lookupIP" [Str] -> Texts System:
        "NAME", "the IPv4 addresses of a host, sorted", r#"{{lookupIP "127.0.0.1"}}"#;
    LookupSrv "lookupSRV" [Str, Str, Str] -> Varies System:
        "SERVICE PROTO NAME", "the records of a service, each with .Target .Port .Priority .Weight",
        r#"{{range lookupSRV "zk" "tcp" "example.com"}}{{.Target}}{{end}}"#;
    FileExists "fileExists" [Str] -> Bool System:
        "PATH", "true if there is such a file", r#"{{fileExists "/"}}"#;

    // What confd's other lines have besides: text,
    TrimSuffix "trimSuffix" [Str, Str] -> Text:
        "STRING SUFFIX", "the string without the suffix, if it has it",
        r#"{{trimSuffix "a.conf" ".conf"}}"#;
    TrimPrefix "trimPrefix" [Str, Str] -> Text:
        "STRING PREFIX", "the string without the prefix, if it has it",
        r#"{{trimPrefix "i-s1" "i-"}}"#;
    Repeat "repeat" [Any, Str] -> Text:
        "COUNT STRING", "the string that many times", r#"{{repeat 3 "ab"}}"#;
    Nospace "nospace" [Str] -> Text:
        "STRING", "the string without white space", r#"{{nospace " a b "}}"#;
    Snakecase "snakecase" [Str] -> Text:
        "STRING", "the words in lower case, joined with _", r#"{{snakecase "maxClientCnxns"}}"#;
    Camelcase "camelcase" [Str] -> Text:
        "STRING", "the words joined, each but the first with a capital",
        r#"{{camelcase "max_client_cnxns"}}"#;
    Kebabcase "kebabcase" [Str] -> Text:
        "STRING", "the words in lower case, joined with -", r#"{{kebabcase "maxClientCnxns"}}"#;
    Indent "indent" [Any, Str] -> Text:
        "COUNT STRING", "the string with each line indented by COUNT spaces",
        r#"{{indent 2 "a\nb"}}"#;
    Nindent "nindent" [Any, Str] -> Text:
        "COUNT STRING", "the same as indent, after a newline", r#"{{nindent 2 "a"}}"#;
    Quote "quote" [Str] -> Text:
        "STRING", "the string in double quotes, with Go's escapes", r#"{{quote "say \"hi\""}}"#;
    Squote "squote" [Str] -> Text:
        "STRING", "the string in single quotes, with those inside doubled", r#"{{squote "it's"}}"#;
    RegexMatch "regexMatch" [Str, Str] -> Bool:
        "PATTERN STRING", "true if the pattern occurs in the string",
        r#"{{regexMatch "^i-[a-z]" "i-s1"}}"#;
    RegexFind "regexFind" [Str, Str] -> Text:
        "PATTERN STRING", "the first occurrence of the pattern, or an empty string",
        r#"{{regexFind "[0-9]+" "i-s12"}}"#;
    RegexReplaceAll "regexReplaceAll" [Str, Str, Str] -> Text:
        "PATTERN STRING NEW", "the string with every occurrence replaced; $1 is the first group",
        r#"{{regexReplaceAll "i-(.)" "i-s1" "$1:"}}"#;
    Sha256sum "sha256sum" [Str] -> Text:
        "STRING", "the SHA-256 checksum in hexadecimal", r#"{{slice (sha256sum "a") 0 8}}"#;
    // lists and maps,
    Seq "seq" [Any, Any] -> Varies:
        "FIRST LAST", "the whole numbers from FIRST to LAST, also downwards", "{{seq 3 1}}";
    Reverse "reverse" [Any] -> Varies:
        "LIST", "the list in reverse", r#"{{reverse (ls "/hosts/slave")}}"#;
    SortByLength "sortByLength" [Strings] -> Varies:
        "LIST", "the strings, the shortest first", r#"{{sortByLength (list "ccc" "a" "bb")}}"#;
    SortKvByLength "sortKVByLength" [Any] -> Varies:
        "PAIRS", "the pairs, the shortest key first", r#"{{sortKVByLength (gets "/host/*")}}"#;
    List "list" [] Any -> Varies:
        "VALUE…", "a list of the values", r#"{{list 1 "a"}}"#;
    Append "append" [Any, Any] -> Varies:
        "LIST VALUE", "the list with one more item", "{{append (list 1) 2}}";
    Dict "dict" [] Any -> Varies:
        "KEY VALUE…", "a map; map is the same", r#"{{dict "b" 1 "a" 2}}"#;
    HasKey "hasKey" [Map, Str] -> Bool:
        "MAP KEY", "true if the map has the key", r#"{{hasKey (map "a" 1) "a"}}"#;
    Keys "keys" [Map] -> Texts:
        "MAP", "the keys of a map, sorted", r#"{{keys (map "b" 1 "a" 2)}}"#;
    Values "values" [Map] -> Varies:
        "MAP", "the values of a map, sorted by key", r#"{{values (map "b" 1 "a" 2)}}"#;
    Pluck "pluck" [Str] Map -> Varies:
        "KEY MAP…", "the values of one key in several maps",
        r#"{{pluck "a" (map "a" 1) (map "a" 2)}}"#;
    FromJson "fromJson" [Str] -> Varies:
        "JSON", "any value from JSON", r#"{{(fromJson "[1,{\"a\":2}]")}}"#;
    ToPrettyJson "toPrettyJson" [Any] -> Text:
        "VALUE", "the value as JSON, on several lines", "{{toPrettyJson (list 1)}}";
    // choice,
    Default "default" [Any, Any] -> Varies:
        "DEFAULT VALUE", "the value, or the default if the value is empty",
        r#"{{default "x" (getv "/env/empty")}}"#;
    Coalesce "coalesce" [] Any -> Varies:
        "VALUE…", "the first value that is not empty", r#"{{coalesce "" 0 "x"}}"#;
    Empty "empty" [Any] -> Bool:
        "VALUE", "true if the value is empty", r#"{{empty (gets "/none/*")}}"#;
    Ternary "ternary" [Any, Any, Bool] -> Varies:
        "YES NO CONDITION", "YES if the condition is true, else NO",
        r#"{{ternary "on" "off" true}}"#;
    ParseBool "parseBool" [Str] -> Bool:
        "STRING", "the truth of 1 t T TRUE true True or 0 f F FALSE false False",
        r#"{{parseBool "true"}}"#;
    Atoi "atoi" [Str] -> Int:
        "STRING", "the whole number that a string stands for", r#"{{atoi "42"}}"#;
    // and system.
    Hostname "hostname" [] -> Text System:
        "", "the name of this machine", "{{empty hostname}}";
    LookupIpv4 "lookupIPV4" [Str] -> Texts System:
        "NAME", "the IPv4 addresses of a host, sorted", r#"{{lookupIPV4 "127.0.0.1"}}"#;
    LookupIpv6 "lookupIPV6" [Str] -> Texts System:
        "NAME", "the IPv6 addresses of a host, sorted", r#"{{lookupIPV6 "127.0.0.1"}}"#;
    LookupIfaceIpv4 "lookupIfaceIPV4" [Str] -> Text System:
        "INTERFACE", "the first IPv4 address of a network interface",
        r#"{{lookupIfaceIPV4 "none0"}}"#;
    LookupIfaceIpv6 "lookupIfaceIPV6" [Str] -> Text System:
        "INTERFACE", "the first IPv6 address of a network interface",
        r#"{{lookupIfaceIPV6 "none0"}}"#;
    Include "include" [Str] Any -> Text System:
        "FILE [VALUE]", "another file of templates, rendered with . set to the value",
        r#"{{include "banner.tmpl" "demo"}}"#;
}

/// Go's own functions, in the order of the engine's table.
#[rustfmt::skip]
static GO_DOCS: &[Doc] = &[
    go("and", Kind::Varies, "A…",
        "the first value that is empty, else the last; the rest is not evaluated",
        r#"{{and 1 "" 2}}"#),
    go("or", Kind::Varies, "A…",
        "the first value that is not empty, else the last",
        r#"{{or "" "x"}}"#),
    go("not", Kind::Bool, "A",
        "true if the value is empty",
        r#"{{not ""}}"#),
    go("len", Kind::Int, "VALUE",
        "the number of items, entries or bytes",
        r#"{{len (ls "/hosts/slave")}}"#),
    go("index", Kind::Varies, "VALUE KEY…",
        "an item by its number from 0, an entry by its key; further keys go deeper",
        r#"{{index (ls "/hosts/slave") 1}}"#),
    go("slice", Kind::Varies, "VALUE [FROM [TO]]",
        "a part of a string or list",
        r#"{{slice "abcdef" 1 3}}"#),
    go("print", Kind::Text, "VALUE…",
        "the values as text, with a space between two that are not strings",
        r#"{{print 1 2 "a" 3}}"#),
    go("printf", Kind::Text, "FORMAT VALUE…",
        "the values in Go's formats",
        r#"{{printf "%s:%05d %q %.1f" "a" 42 "b" 2.25}}"#),
    go("println", Kind::Text, "VALUE…",
        "the values as text, with a space between all and a newline",
        r#"{{println 1 "a"}}"#),
    go("html", Kind::Text, "STRING…",
        "the string with HTML's special characters escaped",
        r#"{{html "<a>"}}"#),
    go("js", Kind::Text, "STRING…",
        "the string escaped for JavaScript",
        r#"{{js "it's"}}"#),
    go("urlquery", Kind::Text, "STRING…",
        "the string escaped for a URL's query",
        r#"{{urlquery "a b&c"}}"#),
    go("call", Kind::Varies, "FUNCTION VALUE…",
        "Go's call; no value is a function here, so it always fails",
        ""),
];

const fn go(
    name: &'static str,
    result: Kind,
    args: &'static str,
    help: &'static str,
    example: &'static str,
) -> Doc {
    Doc {
        name,
        result,
        reads: None,
        args,
        help,
        example,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template;

    #[test]
    fn every_function_is_documented_once() {
        let documented: Vec<&str> = docs().map(|doc| doc.name).collect();
        let known = FUNCTIONS.iter().chain(template::go_functions());
        let known: Vec<&str> = known.map(|function| function.name).collect();
        assert_eq!(documented, known);
        let mut names = known.clone();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), known.len());
    }

    #[test]
    fn signatures_have_the_parameters() {
        for function in FUNCTIONS.iter().chain(template::go_functions()) {
            let args = doc(function).map_or("", |doc| doc.args);
            let fixed = args
                .split(' ')
                .filter(|arg| !arg.is_empty() && !arg.starts_with('['));
            let fixed = fixed.filter(|arg| !arg.ends_with('…')).count();
            let varies = args.contains('…') || args.contains('[');
            let shown = (fixed, varies);
            let Function {
                name,
                params,
                variadic,
            } = function;
            let at_least = params
                .len()
                .saturating_sub(usize::from(args.contains("A…")));
            assert!(
                fixed >= at_least && variadic.is_some() == varies,
                "{name}: {shown:?}, {params:?} {variadic:?}"
            );
        }
    }
}
