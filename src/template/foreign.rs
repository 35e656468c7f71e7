//! Words of other template languages and of the shell, with their equivalent here.
//!
//! The parser's help for an unknown function and -lint read this table.

/// A word that is no function here, and the help for it: an imperative without a full stop.
#[rustfmt::skip]
const WORDS: &[(&str, &str)] = &[
    // Blocks of Jinja, ERB, Handlebars and the shell.
    ("elif",            "write {{else if …}}"),
    ("elseif",          "write {{else if …}}"),
    ("elsif",           "write {{else if …}}"),
    ("elseIf",          "write {{else if …}}"),
    ("ElseIf",          "write {{else if …}}"),
    ("otherwise",       "write {{else}}"),
    ("unless",          "write {{if not …}}"),
    ("for",             "write {{range $x := …}}"),
    ("foreach",         "write {{range $x := …}}"),
    ("each",            "write {{range $x := …}}"),
    ("while",           "write {{range $x := …}}"),
    ("do",              "leave it out: {{range …}} and {{if …}} need no such word"),
    ("then",            "leave it out: {{if …}} needs no such word"),
    ("endif",           "write {{end}}"),
    ("endfor",          "write {{end}}"),
    ("endeach",         "write {{end}}"),
    ("endrange",        "write {{end}}"),
    ("endwith",         "write {{end}}"),
    ("endunless",       "write {{end}}"),
    ("endblock",        "write {{end}}"),
    ("endwhile",        "write {{end}}"),
    ("fi",              "write {{end}}"),
    ("done",            "write {{end}}"),
    ("esac",            "write {{end}}"),
    ("END",             "write {{end}}"),
    ("End",             "write {{end}}"),
    ("IF",              "write {{if …}}"),
    ("If",              "write {{if …}}"),
    ("ELSE",            "write {{else}}"),
    ("Else",            "write {{else}}"),
    ("Range",           "write {{range …}}"),
    ("switch",          "write {{if eq $x \"a\"}}…{{else if eq $x \"b\"}}…{{end}}"),
    ("case",            "write {{if eq $x \"a\"}}…{{else if eq $x \"b\"}}…{{end}}"),
    ("set",             "write {{$x := …}}, or {{$x = …}} to assign"),
    ("let",             "write {{$x := …}}"),
    ("var",             "write {{$x := …}}"),
    ("assign",          "write {{$x = …}}"),
    ("def",             "write {{define \"name\"}}…{{end}}"),
    ("macro",           "write {{define \"name\"}}…{{end}}"),
    ("partial",         "write {{template \"name\" .}}, or {{include \"file\"}}"),
    ("import",          "write {{include \"file\"}}"),
    ("tpl",             "write {{include \"file\"}}"),
    ("this",            "write . (the dot)"),
    ("self",            "write . (the dot)"),
    ("item",            "write . (the dot), or {{range $item := …}} and $item"),
    ("loop",            "write {{range $i, $x := …}} and $i"),
    ("in",              "write {{range $x := LIST}}"),
    ("None",            "write nil"),
    ("none",            "write nil"),
    ("null",            "write nil"),
    ("True",            "write true"),
    ("TRUE",            "write true"),
    ("yes",             "write true"),
    ("False",           "write false"),
    ("FALSE",           "write false"),
    ("no",              "write false"),
    ("echo",            "leave it out: an action prints its value"),
    ("puts",            "leave it out: an action prints its value"),
    // The metadata, in the words of consul-template and others.
    ("key",             "use getv: {{getv \"/key\"}}"),
    ("getkey",          "use getv: {{getv \"/key\"}}"),
    ("value",           "use getv: {{getv \"/key\"}}"),
    ("keyOrDefault",    "use getv with a default: {{getv \"/key\" \"default\"}}"),
    ("key_or_default",  "use getv with a default: {{getv \"/key\" \"default\"}}"),
    ("getvOrDefault",   "use getv with a default: {{getv \"/key\" \"default\"}}"),
    ("keyExists",       "use exists: {{if exists \"/key\"}}"),
    ("exist",           "use exists: {{if exists \"/key\"}}"),
    ("has_key",         "use exists for metadata, hasKey for a map"),
    ("service",         "use gets or getvs: {{getvs \"/hosts/*/ip\"}}"),
    ("services",        "use gets or getvs: {{getvs \"/hosts/*/ip\"}}"),
    ("nodes",           "use lsdir: {{range lsdir \"/hosts\"}}"),
    ("tree",            "use gets: {{range gets \"/dir/*\"}}{{.Key}} {{.Value}}{{end}}"),
    ("lookup",          "use getv for metadata, lookupIP for a host name"),
    ("cget",            "use get: encrypted values are not supported"),
    ("cgets",           "use gets: encrypted values are not supported"),
    ("cgetv",           "use getv: encrypted values are not supported"),
    ("cgetvs",          "use getvs: encrypted values are not supported"),
    ("required",        "leave it out: getv of a missing key fails"),
    ("fail",            "leave it out: getv of a missing key fails"),
    // Strings.
    ("upper",           "use toUpper"),
    ("uppercase",       "use toUpper"),
    ("upcase",          "use toUpper"),
    ("toupper",         "use toUpper"),
    ("lower",           "use toLower"),
    ("lowercase",       "use toLower"),
    ("downcase",        "use toLower"),
    ("tolower",         "use toLower"),
    ("title",           "use camelcase, or regexReplaceAll"),
    ("capitalize",      "use camelcase, or regexReplaceAll"),
    ("trim",            "use trimPrefix, trimSuffix or nospace"),
    ("strip",           "use trimPrefix, trimSuffix or nospace"),
    ("trimSpace",       "use trimPrefix, trimSuffix or nospace"),
    ("trimAll",         "use regexReplaceAll"),
    ("lstrip",          "use trimPrefix"),
    ("rstrip",          "use trimSuffix"),
    ("chomp",           "use trimSuffix STRING \"\\n\""),
    ("hasPrefix",       "use regexMatch \"^prefix\" STRING"),
    ("startswith",      "use regexMatch \"^prefix\" STRING"),
    ("hasSuffix",       "use regexMatch \"suffix$\" STRING"),
    ("endswith",        "use regexMatch \"suffix$\" STRING"),
    ("has",             "use contains for strings, hasKey for maps"),
    ("substr",          "use slice: {{slice STRING 0 3}}"),
    ("substring",       "use slice: {{slice STRING 0 3}}"),
    ("trunc",           "use slice: {{slice STRING 0 3}}"),
    ("splitList",       "use split: {{split STRING \",\"}}"),
    ("splitn",          "use split: {{split STRING \",\"}}"),
    ("explode",         "use split: {{split STRING \",\"}}"),
    ("implode",         "use join: {{join LIST \",\"}}"),
    ("concat",          "use print or printf: {{printf \"%s%s\" A B}}"),
    ("cat",             "use print or printf: {{printf \"%s %s\" A B}}"),
    ("format",          "use printf: {{printf \"%s\" VALUE}}"),
    ("sprintf",         "use printf: {{printf \"%s\" VALUE}}"),
    ("toString",        "use print"),
    ("string",          "use print"),
    ("str",             "use print"),
    ("regexReplace",    "use regexReplaceAll PATTERN STRING REPLACEMENT"),
    ("replaceAll",      "use replace STRING OLD NEW -1"),
    ("gsub",            "use regexReplaceAll PATTERN STRING REPLACEMENT"),
    ("match",           "use regexMatch PATTERN STRING"),
    ("regexFindAll",    "use regexFind, or filter for a list"),
    ("escape",          "use html, js or urlquery"),
    ("e",               "use html, js or urlquery"),
    ("urlencode",       "use urlquery"),
    ("b64enc",          "use base64Encode"),
    ("b64encode",       "use base64Encode"),
    ("b64dec",          "use base64Decode"),
    ("b64decode",       "use base64Decode"),
    ("sha256",          "use sha256sum"),
    // Lists and maps.
    ("length",          "use len"),
    ("size",            "use len"),
    ("count",           "use len"),
    ("first",           "use index: {{index LIST 0}}"),
    ("last",            "use index: {{index LIST (sub (len LIST) 1)}}"),
    ("rest",            "use slice: {{slice LIST 1}}"),
    ("initial",         "use slice: {{slice LIST 0 (sub (len LIST) 1)}}"),
    ("nth",             "use index: {{index LIST 0}}"),
    ("tuple",           "use list"),
    ("array",           "use list"),
    ("push",            "use append LIST VALUE"),
    ("until",           "use seq: {{seq 0 9}}"),
    ("untilStep",       "use seq: {{seq 0 9}}"),
    ("sort",            "leave it out: gets, getvs, ls and lsdir are sorted"),
    ("sortAlpha",       "leave it out: gets, getvs, ls and lsdir are sorted"),
    ("uniq",            "leave it out: ls and lsdir list each name once"),
    ("object",          "use map or dict"),
    ("hash",            "use map or dict"),
    ("parseJSON",       "use json or jsonArray"),
    ("parse_json",      "use json or jsonArray"),
    ("from_json",       "use fromJson"),
    ("data",            "use json or jsonArray"),
    ("toJSON",          "use toJson"),
    ("to_json",         "use toJson"),
    ("tojson",          "use toJson"),
    ("toYAML",          "use toYaml"),
    ("to_yaml",         "use toYaml"),
    ("toPrettyJSON",    "use toPrettyJson"),
    // Numbers, comparisons and the rest.
    ("int",             "use atoi"),
    ("int64",           "use atoi"),
    ("parseInt",        "use atoi"),
    ("float64",         "leave it out: add, sub, mul and div take numeric strings"),
    ("plus",            "use add"),
    ("inc",             "use add: {{add VALUE 1}}"),
    ("add1",            "use add: {{add VALUE 1}}"),
    ("minus",           "use sub"),
    ("subtract",        "use sub"),
    ("multiply",        "use mul"),
    ("times",           "use mul"),
    ("divide",          "use div"),
    ("modulo",          "use mod"),
    ("floor",           "use printf \"%.0f\", or div of whole numbers"),
    ("ceil",            "use printf \"%.0f\", or div of whole numbers"),
    ("round",           "use printf \"%.0f\""),
    ("equal",           "use eq"),
    ("equals",          "use eq"),
    ("is",              "use eq"),
    ("neq",             "use ne"),
    ("gte",             "use ge"),
    ("lte",             "use le"),
    ("AND",             "write and: {{if and A B}}"),
    ("OR",              "write or: {{if or A B}}"),
    ("NOT",             "write not: {{if not A}}"),
    ("defined",         "use exists: {{if exists \"/key\"}}"),
    ("isset",           "use exists: {{if exists \"/key\"}}"),
    ("isEmpty",         "use empty, or {{if not …}}"),
    ("bool",            "use parseBool"),
    ("toBool",          "use parseBool"),
    ("env",             "use getenv"),
    ("ENV",             "use getenv"),
    ("expandenv",       "use getenv"),
    ("now",             "use datetime"),
    ("date",            "use datetime: {{datetime.Format \"2006-01-02\"}}"),
    ("timestamp",       "use datetime: {{datetime.Unix}}"),
    ("typeOf",          "use printf \"%T\" VALUE"),
    ("kindOf",          "use printf \"%T\" VALUE"),
    ("file",            "use include, or fileExists"),
    ("readFile",        "use include"),
    ("lookupHost",      "use lookupIP"),
    ("resolve",         "use lookupIP"),
    ("parseInterface",  "use lookupIfaceIPV4 or lookupIfaceIPV6"),
];

/// The help for a word of another language.
pub(super) fn help(word: &str) -> Option<&'static str> {
    let found = WORDS.iter().find(|(foreign, _)| *foreign == word);
    found.map(|(_, help)| *help)
}

/// The help for fields of the dot where it is nil, such as `.host.ip` or Helm's `.Values.port`.
pub fn nil_dot_help(fields: &[&str]) -> String {
    let path = fields.join("/");
    match fields {
        ["Values" | "values" | "Env" | "env", rest @ ..] if !rest.is_empty() => {
            format!("write {{{{getv \"/env/{}\"}}}}", rest.join("/"))
        }
        _ => format!("write {{{{getv \"/{path}\"}}}}"),
    }
}

/// The operators of other languages, longest first, with the help for each.
#[rustfmt::skip]
const OPERATORS: &[(&str, &str)] = &[
    ("===", "write eq before both values: {{if eq A B}}"),
    ("!==", "write ne before both values: {{if ne A B}}"),
    ("==",  "write eq before both values: {{if eq A B}}"),
    ("!=",  "write ne before both values: {{if ne A B}}"),
    ("<>",  "write ne before both values: {{if ne A B}}"),
    ("=~",  "use regexMatch PATTERN STRING"),
    ("<=",  "write le before both values: {{if le A B}}"),
    (">=",  "write ge before both values: {{if ge A B}}"),
    ("&&",  "write and before both values: {{if and A B}}"),
    ("||",  "write or before both values: {{if or A B}}"),
    ("++",  "write {{$x = add $x 1}}"),
    ("+=",  "write {{$x = add $x 1}}"),
    ("-=",  "write {{$x = sub $x 1}}"),
    ("<",   "write lt before both values: {{if lt A B}}"),
    (">",   "write gt before both values: {{if gt A B}}"),
    ("!",   "write not: {{if not A}}"),
    ("&",   "write and before both values: {{if and A B}}"),
    ("+",   "write add before both values: {{add A B}}"),
    ("-",   "write sub before both values: {{sub A B}}"),
    ("*",   "write mul before both values: {{mul A B}}"),
    ("%",   "write mod before both values: {{mod A B}}"),
    ("?",   "write {{if …}}…{{else}}…{{end}}, or use ternary A B CONDITION"),
];

/// The help for the operator at the head of `text`.
pub(super) fn operator_help(text: &[u8]) -> Option<&'static str> {
    let found = OPERATORS
        .iter()
        .find(|(operator, _)| text.starts_with(operator.as_bytes()));
    found.map(|(_, help)| *help)
}

/// The help for a function that stands between its values, as in `A eq B`.
pub fn infix_help(name: &str) -> Option<String> {
    let right = match name {
        "eq" | "ne" | "lt" | "le" | "gt" | "ge" | "and" | "or" => format!("if {name} A B"),
        "add" | "sub" | "mul" | "div" | "mod" => format!("{name} A B"),
        _ => return None,
    };
    Some(format!("write {name} before both values: {{{{{right}}}}}"))
}

/// Characters that look like an ASCII one, with that one; a space for the spaces.
#[rustfmt::skip]
const LOOKALIKES: &[(char, char)] = &[
    ('“', '"'), ('”', '"'), ('„', '"'), ('＂', '"'), ('「', '"'), ('」', '"'), ('『', '"'), ('』', '"'),
    ('«', '"'), ('»', '"'),
    ('‘', '"'), ('’', '"'), ('＇', '"'), ('´', '"'),
    ('（', '('), ('）', ')'), ('【', '('), ('】', ')'), ('［', '('), ('］', ')'),
    ('｛', '{'), ('｝', '}'), ('，', ' '), ('、', ' '), ('；', ' '),
    ('：', ':'), ('＝', '='), ('｜', '|'), ('．', '.'), ('。', '.'), ('＄', '$'), ('／', '/'),
    ('－', '-'), ('—', '-'), ('–', '-'), ('−', '-'), ('＋', '+'), ('！', '!'),
    ('\u{3000}', ' '), ('\u{a0}', ' '), ('\u{2002}', ' '), ('\u{2003}', ' '), ('\u{2009}', ' '),
    ('\u{202f}', ' '), ('\u{200b}', ' '), ('\u{feff}', ' '),
];

/// The help for a full-width or typographic character in an action.
pub fn lookalike_help(found: char) -> Option<String> {
    let (_, ascii) = LOOKALIKES.iter().find(|(like, _)| *like == found)?;
    let code = u32::from(found);
    Some(match (found, ascii) {
        ('，' | '、' | '；', _) => "separate arguments with a space".to_owned(),
        (_, ' ') => format!("replace U+{code:04X} with an ordinary space"),
        (_, '"') => format!("use straight quotes (\") instead of {found}"),
        (_, ascii) => format!("replace the full-width {found} with {ascii}"),
    })
}
