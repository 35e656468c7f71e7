//! Texts that do not parse, with the messages of Go 1.19.

use super::{MAX_NESTING, MAX_SOURCE, Template};
use crate::template::fixture::FUNCTIONS;
use crate::template::{Error, ErrorKind};

fn parse(text: &[u8]) -> Result<Template, Error> {
    Template::parse("t", text, &FUNCTIONS)
}

/// The line, and what is wrong.
fn problem(text: &str) -> String {
    let words = match parse(text.as_bytes()) {
        Ok(_) => "parses".to_owned(),
        Err(error) => error.to_string(),
    };
    words.trim_start_matches("template: t:").to_owned()
}

#[test]
fn errors() {
    for (text, want) in [
        ("{{", "1: unclosed action"),
        ("a\n{{\n1", "3: unclosed action started at t:2"),
        ("{{}}", "1: missing value for command"),
        ("{{if}}x{{end}}", "1: missing value for if"),
        ("{{if 1}}x", "1: unexpected EOF"),
        (
            "{{if 1}}{{else}}{{else}}{{end}}",
            "1: expected end; found {{else}}",
        ),
        (
            "{{range 1}}{{else if 1}}{{end}}",
            "1: unexpected <if> in input",
        ),
        ("{{end}}", "1: unexpected {{end}}"),
        ("{{else}}", "1: unexpected {{else}}"),
        (
            r#"{{define "t"}}{{else}}{{end}}"#,
            "1: unexpected {{else}} in define clause",
        ),
        (
            "{{define t}}{{end}}",
            r#"1: unexpected "t" in define clause"#,
        ),
        (
            "{{define \"t\"}}a{{end}}\n{{define \"t\"}}b{{end}}",
            r#"2: template: multiple definition of template "t""#,
        ),
        (
            r#"{{block "t"}}{{end}}"#,
            "1: missing value for block clause",
        ),
        (
            r#"{{block "t" .}}{{break}}{{end}}"#,
            "1: {{break}} outside {{range}}",
        ),
        (
            r#"{{if 1}}{{define "t"}}{{end}}{{end}}"#,
            "1: unexpected <define> in command",
        ),
        ("{{template}}", r#"1: unexpected "}}" in template clause"#),
        (
            r#"{{template "t" | }}"#,
            r#"1: unexpected "|" in template clause"#,
        ),
        (r#"{{template "\q"}}"#, "1: invalid syntax"),
        (
            "{{block \"b\" 1}}\n{{else}}{{end}}",
            "1: unexpected {{else}} in block clause",
        ),
        (
            "{{define \"b\"}}\n{{else}}{{end}}",
            "2: unexpected {{else}} in define clause",
        ),
        ("{{break}}", "1: {{break}} outside {{range}}"),
        ("{{continue 1}}", r#"1: unexpected "1" in {{continue}}"#),
        (
            "{{range 1}}{{break 1}}{{end}}",
            r#"1: unexpected "1" in {{break}}"#,
        ),
        ("{{1 | 2}}", "1: non executable command in pipeline stage 2"),
        (
            "{{1 | len | nil}}",
            "1: non executable command in pipeline stage 3",
        ),
        ("{{print 1 | | len}}", r#"1: unexpected "|" in command"#),
        ("{{|}}", r#"1: unexpected "|" in command"#),
        ("{{(1}}", "1: unclosed left paren"),
        ("{{1)}}", r#"1: unexpected ")" in command"#),
        ("{{()}}", "1: missing value for parenthesized pipeline"),
        ("{{(1).x}}{{1.x}}", r#"1: bad number syntax: "1.x""#),
        (r#"{{"a".x}}"#, r#"1: unexpected . after term "\"a\"""#),
        ("{{nil.x}}", r#"1: unexpected . after term "nil""#),
        ("{{..x}}", r#"1: unexpected . after term ".""#),
        ("{{$x}}", r#"1: undefined variable "$x""#),
        ("{{$x.y}}", r#"1: undefined variable "$x""#),
        ("{{$x := 1, 2}}", r#"1: unexpected "," in operand"#),
        ("{{$x, $y := 1}}", "1: too many declarations in command"),
        (
            "{{range $x, 1}}{{end}}",
            "1: range can only initialize variables",
        ),
        (
            "{{range $x, $y, $z := 1}}{{end}}",
            "1: too many declarations in range",
        ),
        ("{{nope}}", r#"1: function "nope" not defined"#),
        ("{{prnt 1}}", r#"1: function "prnt" not defined"#),
        ("{{$x=5}}", "1: bad character U+003D '='"),
        (r#"{{$x := "a\q"}}"#, "1: invalid syntax"),
        ("{{'ab'}}", "1: malformed character constant: 'ab'"),
        ("{{''}}", "1: invalid syntax"),
        ("{{08}}", r#"1: integer overflow: "08""#),
        ("{{1_}}", r#"1: illegal number syntax: "1_""#),
        ("{{1e400}}", r#"1: illegal number syntax: "1e400""#),
        ("{{1+i}}", "1: syntax error scanning complex number"),
        (
            "{{1+0x2i}}",
            r#"1: strconv.ParseFloat: parsing "+0x2": invalid syntax"#,
        ),
        (r#"{{"0123456789ab" ,}}"#, r#"1: unexpected "," in operand"#),
        ("{{if 1}}\n\n{{nope}}", r#"3: function "nope" not defined"#),
        ("{{print\n1\n@}}", r#"3: unexpected "@" in operand"#),
        ("{{/* a", "1: unclosed comment"),
        ("{{/* a */ }}", "1: comment ends before closing delimiter"),
        ("{{a-b}}", "1: bad character U+002D '-'"),
        ("{{\u{1}}}", "1: unrecognized character in action: U+0001"),
        ("{{“x”}}", "1: unrecognized character in action: U+201C '“'"),
        ("{{.", r#"1: illegal number syntax: ".""#),
        (
            "{{with 1}}{{else if 1}}{{end}}",
            "1: unexpected <if> in input",
        ),
        (
            "{{.a|.b|$.c|$|5}}",
            "1: non executable command in pipeline stage 5",
        ),
    ] {
        assert_eq!(problem(text), want, "{text}");
    }
}

#[test]
fn what_go_accepts() {
    for text in [
        "",
        "}} }",
        "{{1 |}}{{print 1 | len | }}",
        "{{$x := 1}}{{$x = 2}}{{$y = 3}}",
        "{{if 1}}{{$x := 1}}{{else}}{{$x}}{{end}}",
        "{{range $x, $y := list}}{{end}}",
        "{{define \"a\"}}{{end}}{{define \"a\"}} {{end}}{{define \"a\"}}b{{end}}{{define \"a\"}}\n{{end}}",
        "{{(print).a.b}}{{now.UTC.Year}}{{.a.b}}{{$.a}}",
        "{{with 1}}{{else with 2}}{{else with 3}}{{else}}{{end}}",
        "{{\n\tif\n1\r\n}}{{end\n}}",
        "\u{feff}{{1}}",
    ] {
        assert_eq!(problem(text), "parses", "{text}");
    }
    assert!(parse(b"\xff\xfe{{`\xff`}}\x00").is_ok());
    assert!(parse(b"{{\xff}}").is_err());
}

#[test]
fn nesting_is_limited() {
    let nested = |(open, inner, close): (&str, &str, &str), levels: u32| {
        let levels = levels as usize;
        let (open, close) = (open.repeat(levels), close.repeat(levels));
        problem(&format!("{open}{inner}{close}"))
    };
    let too_deep = format!("1: nested deeper than {MAX_NESTING} levels");
    for (text, fits) in [
        (("{{if 1}}", "x", "{{end}}"), MAX_NESTING),
        (("{{range list}}{{else}}", "x", "{{end}}"), MAX_NESTING),
        (("{{with 1}}", "x", "{{else}}{{end}}"), MAX_NESTING),
        (("{{if (1)}}", "x", "{{end}}"), MAX_NESTING - 1),
        (("{{block \"b\" 1}}", "x", "{{end}}"), 1),
    ] {
        assert_eq!(nested(text, fits), "parses", "{text:?}");
        assert_eq!(nested(text, 50_000), too_deep, "{text:?}");
    }
    let parens = |levels: u32| {
        let levels = levels as usize;
        problem(&format!(
            "{{{{{}1{}}}}}",
            "(".repeat(levels),
            ")".repeat(levels)
        ))
    };
    assert_eq!(parens(MAX_NESTING), "parses");
    assert_eq!(parens(MAX_NESTING + 1), too_deep);
    // These are long, but not deep.
    let chain = format!("{{{{if 0}}}}{}{{{{end}}}}", "{{else if 0}}".repeat(50_000));
    assert_eq!(problem(&chain), "parses");
    let pipeline = format!("{{{{1{}}}}}", " | print".repeat(50_000));
    assert_eq!(problem(&pipeline), "parses");
    let fields = format!("{{{{{}}}}}", ".a".repeat(50_000));
    assert_eq!(problem(&fields), "parses");
}

#[test]
fn errors_show_the_line_and_what_helps() {
    for (text, want) in [
        (
            "a\n\t{{ fivee }} b\r\nc",
            " 2 | \t{{ fivee }} b\n   | \t   ^^^^^\nhelp: there is a function five",
        ),
        (
            "{{zzzzzzzzzz}}",
            " 1 | {{zzzzzzzzzz}}\n   |   ^^^^^^^^^^\nhelp: write metadata as {{getv \"/…\"}}, a variable as {{$x}}, a string in quotes",
        ),
        (
            "{{$x=5}}",
            " 1 | {{$x=5}}\n   |   ^^\nhelp: put a space before the = of an assignment",
        ),
        (
            "{{ $x }}",
            " 1 | {{ $x }}\n   |    ^^\nhelp: declare it before, in the same block or around it: {{$x := …}}",
        ),
        (
            "{{if 1}}",
            " 1 | {{if 1}}\n   |   ^^\nhelp: the block that begins on line 1 has no {{end}}",
        ),
        ("é{{1}}{{\u{1}}}", " 1 | é{{1}}{{\u{fffd}}}\n   |         ^"),
    ] {
        let error = parse(text.as_bytes()).expect_err(text);
        assert_eq!(error.snippet(), want, "{text}");
        assert_eq!(error.kind(), ErrorKind::Parse);
    }
    let long = format!("{}{{{{nope}}}}{}", "x".repeat(1000), "y".repeat(1000));
    let error = parse(long.as_bytes()).expect_err("no such function");
    let lines: Vec<usize> = error.snippet().lines().map(str::len).collect();
    assert_eq!(
        lines,
        [69, 41, 81],
        "the text around the mark, the mark, and the help"
    );
}

#[test]
fn a_text_may_not_be_of_any_size() {
    let error = parse(&vec![b'x'; MAX_SOURCE + 1]).expect_err("too large");
    assert_eq!(error.to_string(), "template: t:1: larger than 64 MiB");
}

#[test]
fn words_of_other_languages_are_answered_with_ours() {
    for (text, want) in [
        ("{{upper `x`}}", "use toUpper"),
        ("{{if 1}}{{elif 2}}{{end}}", "write {{else if …}}"),
        ("{{if 1}}x{{endif}}", "write {{end}}"),
        (
            "{{keyOrDefault `/a` 1}}",
            "use getv with a default: {{getv \"/key\" \"default\"}}",
        ),
        ("{{for x in y}}", "write {{range $x := …}}"),
        (
            "{{#if 1}}",
            "write blocks without #: {{if …}}, {{range …}}; comments as {{/* … */}}",
        ),
        ("{{if 1}}x{{/if}}", "write {{end}}"),
        (
            "{{if print 1 && print 2}}",
            "write and before both values: {{if and A B}}",
        ),
        (
            "{{if print 1 || print 2}}",
            "write or before both values: {{if or A B}}",
        ),
        ("{{if !print 1}}", "write not: {{if not A}}"),
        (
            "{{if print 1 == 2}}",
            "write eq before both values: {{if eq A B}}",
        ),
        (
            "{{$x := 1}}{{if $x == 2}}",
            "write eq before both values: {{if eq A B}}",
        ),
        (
            "{{$x := 1}}{{if $x==2}}",
            "write eq before both values: {{if eq A B}}",
        ),
        (
            "{{$x := 1}}{{if $x != 2}}",
            "write ne before both values: {{if ne A B}}",
        ),
        (
            "{{$x := 1}}{{if $x<2}}",
            "write lt before both values: {{if lt A B}}",
        ),
        (
            "{{if print 1 >= 2}}",
            "write ge before both values: {{if ge A B}}",
        ),
        (
            "{{print 1 + 2}}",
            "write add before both values: {{add A B}}",
        ),
        (
            "{{print 1 / 2}}",
            "write div before both values: {{div A B}}",
        ),
        (
            "{{$x := 1}}{{$x+1}}",
            "write add before both values: {{add A B}}",
        ),
        ("{{%if x%}}", "write {{…}} instead of {%…%}"),
    ] {
        assert_eq!(help(text), want, "{text}");
    }
}

#[test]
fn slips_of_the_pen_are_answered_with_the_right_spelling() {
    for (text, want) in [
        (
            "{{-if 1}}{{end}}",
            "put a space after the {{-, as in {{- if …}}",
        ),
        ("{{if 1}}{{end-}}", "put a space before the -}}: {{end -}}"),
        ("{{x := 1}}", "names of variables begin with $: {{$x := …}}"),
        ("{{x = 1}}", "names of variables begin with $: {{$x = …}}"),
        (
            "{{range i, v := list}}{{end}}",
            "names of variables begin with $: {{range $i, $v := …}}",
        ),
        ("{{$x ：= 1}}", "replace the full-width ： with :"),
        ("{{$x ＝ 1}}", "replace the full-width ＝ with ="),
        ("{{{print 1}}}", "an action begins with {{"),
        ("{{if 1}}{{end if}}", "write {{end}}"),
        (
            "{{/* x */-}}",
            "write nothing between */ and }}, or a space: */ -}}",
        ),
        (
            "{{$x : 1}}",
            "declare a variable with :=, as in {{$x := …}}",
        ),
        ("{{$x=5}}", "put a space before the = of an assignment"),
        ("{{print（1）}}", "replace the full-width （ with ("),
        ("{{print （1）}}", "replace the full-width （ with ("),
        ("{{print “x”}}", "use straight quotes (\") instead of “"),
        (
            "{{print\u{3000}1}}",
            "replace U+3000 with an ordinary space",
        ),
        ("{{print 1，2}}", "separate arguments with a space"),
        ("{{print 1, 2}}", "separate arguments with a space"),
        ("{{print\"x\"}}", "put a space after print"),
        ("{{print 'x y'}}", "put strings in double quotes"),
        ("{{print /a/b}}", "put strings and paths in double quotes"),
        ("{{print 10.0.0.1}}", "put strings in double quotes"),
        ("{{range $i in list}}", "write {{range $i := LIST}}"),
        (
            "{{print(1)}}",
            "write arguments after the name, separated by spaces: {{getv \"/k\" \"x\"}}",
        ),
        (
            "{{list 1}}{{some-key}}",
            "names have no -; use index MAP \"some-key\"",
        ),
        ("{{print 1\n\n", "close it with }}"),
        (
            "{{range 2}}{{else if 1}}{{end}}",
            "write {{else}}{{if …}}…{{end}}{{end}}: only if has else if",
        ),
        (
            "{{range $i, list 1}}{{end}}",
            "declare both variables: {{range $index, $item := …}}",
        ),
        (
            "{{block \"x\"}}{{end}}",
            "write the dot after the name: {{block \"name\" .}}",
        ),
    ] {
        assert_eq!(help(text), want, "{text}");
    }
}

#[test]
fn an_action_that_is_not_closed_is_marked_where_it_begins() {
    let error = parse(b"a\n{{print 1\n\n").expect_err("unclosed");
    assert_eq!(
        error.to_string(),
        "template: t:4: unclosed action started at t:2"
    );
    let want = " 2 | {{print 1\n   | ^^^^^^^^^\nhelp: close it with }}";
    assert_eq!(error.snippet(), want);
}

fn help(text: &str) -> String {
    let error = parse(text.as_bytes()).expect_err(text);
    error.help().unwrap_or_default()
}
