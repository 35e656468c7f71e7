//! The functions' names and parameters, in one table: what a template may call, and with what.

use crate::template::{Function, Type};
use Type::*;

/// Makes the table, and for each row the name that the one `match` goes by.
macro_rules! functions {
    ($($name:ident $text:literal [$($param:ident),*] $($more:ident)? ;)*) => {
        /// A function; its place in [`FUNCTIONS`] is its number.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Name {
            $($name,)*
        }

        /// Their names, in the order of [`FUNCTIONS`].
        pub(super) const NAMES: &[Name] = &[$(Name::$name,)*];

        /// All functions, for the parser and the executor to check calls against.
        pub static FUNCTIONS: &[Function] = &[
            $(Function { name: $text, params: &[$($param),*], variadic: functions!(@more $($more)?) },)*
        ];
    };
    (@more) => { None };
    (@more $more:ident) => { Some($more) };
}

// The type behind the brackets is that of further arguments.
functions! {
    // The original's 41.
    Exists "exists" [Str];
    Get "get" [Str];
    Gets "gets" [Str];
    Getv "getv" [Str] Str;
    Getvs "getvs" [Str];
    Ls "ls" [Str];
    Lsdir "lsdir" [Str];
    Base "base" [Str];
    Dir "dir" [Str];
    Split "split" [Str, Str];
    Join "join" [Strings, Str];
    ToUpper "toUpper" [Str];
    ToLower "toLower" [Str];
    Contains "contains" [Str, Str];
    Replace "replace" [Str, Str, Str, Int];
    Map "map" [] Any;
    Json "json" [Str];
    JsonArray "jsonArray" [Str];
    ToJson "toJson" [Any];
    ToYaml "toYaml" [Any];
    Base64Encode "base64Encode" [Any];
    Base64Decode "base64Decode" [Any];
    Filter "filter" [Str, Any];
    Add "add" [Any, Any];
    Sub "sub" [Any, Any];
    Mul "mul" [Any, Any];
    Div "div" [Any, Any];
    Mod "mod" [Any, Any];
    Max "max" [Any, Any];
    Min "min" [Any, Any];
    Eq "eq" [Any, Any];
    Ne "ne" [Any, Any];
    Gt "gt" [Any, Any];
    Ge "ge" [Any, Any];
    Lt "lt" [Any, Any];
    Le "le" [Any, Any];
    Getenv "getenv" [Str] Str;
    Datetime "datetime" [];
    LookupIp "lookupIP" [Str];
    LookupSrv "lookupSRV" [Str, Str, Str];
    FileExists "fileExists" [Str];

    // What confd's other lines have besides: text,
    TrimSuffix "trimSuffix" [Str, Str];
    TrimPrefix "trimPrefix" [Str, Str];
    Repeat "repeat" [Any, Str];
    Nospace "nospace" [Str];
    Snakecase "snakecase" [Str];
    Camelcase "camelcase" [Str];
    Kebabcase "kebabcase" [Str];
    Indent "indent" [Any, Str];
    Nindent "nindent" [Any, Str];
    Quote "quote" [Str];
    Squote "squote" [Str];
    RegexMatch "regexMatch" [Str, Str];
    RegexFind "regexFind" [Str, Str];
    RegexReplaceAll "regexReplaceAll" [Str, Str, Str];
    Sha256sum "sha256sum" [Str];
    // lists and maps,
    Seq "seq" [Any, Any];
    Reverse "reverse" [Any];
    SortByLength "sortByLength" [Strings];
    SortKvByLength "sortKVByLength" [Any];
    List "list" [] Any;
    Append "append" [Any, Any];
    Dict "dict" [] Any;
    HasKey "hasKey" [Map, Str];
    Keys "keys" [Map];
    Values "values" [Map];
    Pluck "pluck" [Str] Map;
    FromJson "fromJson" [Str];
    ToPrettyJson "toPrettyJson" [Any];
    // choice,
    Default "default" [Any, Any];
    Coalesce "coalesce" [] Any;
    Empty "empty" [Any];
    Ternary "ternary" [Any, Any, Bool];
    ParseBool "parseBool" [Str];
    Atoi "atoi" [Str];
    // and system.
    Hostname "hostname" [];
    LookupIpv4 "lookupIPV4" [Str];
    LookupIpv6 "lookupIPV6" [Str];
    LookupIfaceIpv4 "lookupIfaceIPV4" [Str];
    LookupIfaceIpv6 "lookupIfaceIPV6" [Str];
    Include "include" [Str] Any;
}

impl Name {
    /// True when the result depends on something that is no metadata and may change while the program runs.
    pub(super) fn asks_others(self) -> bool {
        matches!(
            self,
            Name::Datetime
                | Name::LookupIp
                | Name::LookupSrv
                | Name::FileExists
                | Name::Hostname
                | Name::LookupIpv4
                | Name::LookupIpv6
                | Name::LookupIfaceIpv4
                | Name::LookupIfaceIpv6
                | Name::Include
        )
    }
}
