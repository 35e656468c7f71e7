//! The output of templates and their errors: the tables hold those of Go 1.19, except where they
//! say otherwise.

use crate::template::fixture::{render, render_with, shown};
use crate::template::{Budget, ErrorKind, Options};

/// A value that stands alone prints as its type does.
#[test]
fn constants() {
    for (text, want) in [
        (
            "{{1}} {{-1.5}} {{0x10}} {{0x1e}} {{-0x1e}} {{1e3}} {{017}} {{1_000}} {{'a'}} {{true}}",
            "1 -1.5 16 30 -30 1000 15 1000 97 true",
        ),
        ("{{\"\\u4e2d\"}} {{`a\n`}} {{\"a\\tb\"}}", "中 a\n a\tb"),
        (
            "{{1i}} {{1-2.5i}} {{0i}} {{.}} {{$}} {{$.x.y}}",
            "(0+1i) (1-2.5i) (0+0i) <no value> <no value> <no value>",
        ),
        (
            "{{9223372036854775808}}",
            r#"template: t:1:2: executing "t" at <9223372036854775808>: 9223372036854775808 overflows int"#,
        ),
        (
            "{{(nil)}}",
            r#"template: t:1:3: executing "t" at <nil>: nil is not a command"#,
        ),
        (
            "{{nil | print}}",
            r#"template: t:1:2: executing "t" at <nil>: nil is not a command"#,
        ),
        ("{{print nil}}", "<nil>"),
        (
            "{{(1 2)}}",
            r#"template: t:1:3: executing "t" at <1>: can't give argument to non-function 1"#,
        ),
        (
            r#"{{"a" 1}}"#,
            r#"template: t:1:2: executing "t" at <"a">: can't give argument to non-function "a""#,
        ),
    ] {
        assert_eq!(shown(text), want, "{text}");
    }
}

/// Arguments are counted, then checked one by one.
#[test]
fn arguments() {
    for (text, want) in [
        (
            "{{five 1}}",
            r#"template: t:1:2: executing "t" at <five>: wrong number of args for five: want 0 got 1"#,
        ),
        (
            "{{five | five}}",
            r#"template: t:1:9: executing "t" at <five>: wrong number of args for five: want 0 got 1"#,
        ),
        ("{{1 | print 2 | print 3}}", "32 1"),
        (
            "{{add 1}}",
            r#"template: t:1:2: executing "t" at <add>: wrong number of args for add: want 2 got 1"#,
        ),
        (
            "{{1 | add}}",
            r#"template: t:1:6: executing "t" at <add>: wrong number of args for add: want 2 got 1"#,
        ),
        ("{{5 | add 1}}", "6"),
        (
            "{{printf}}",
            r#"template: t:1:2: executing "t" at <printf>: wrong number of args for printf: want at least 1 got 0"#,
        ),
        (
            "{{1 | printf}}",
            r#"template: t:1:6: executing "t" at <printf>: wrong type for value; expected string; got int"#,
        ),
        (r#"{{"%d" | printf}}"#, "%!d(MISSING)"),
        (
            r#"{{split 1 "a"}}"#,
            r#"template: t:1:8: executing "t" at <1>: expected string; found 1"#,
        ),
        (
            r#"{{split nil "a"}}"#,
            r#"template: t:1:8: executing "t" at <nil>: cannot assign nil to string"#,
        ),
        (
            r#"{{split . "a"}}"#,
            r#"template: t:1:8: executing "t" at <.>: invalid value; expected string"#,
        ),
        (
            r#"{{split five "a"}}"#,
            r#"template: t:1:8: executing "t" at <five>: wrong type for value; expected string; got int"#,
        ),
        (
            r#"{{five | split "a"}}"#,
            r#"template: t:1:15: executing "t" at <"a">: wrong type for value; expected string; got int"#,
        ),
        ("{{add 1.0 2}} {{add 'a' 1+0i}}", "3 98"),
        (
            "{{add 1.5 2}}",
            r#"template: t:1:6: executing "t" at <1.5>: expected integer; found 1.5"#,
        ),
        (
            r#"{{add "1" 2}}"#,
            r#"template: t:1:6: executing "t" at <"1">: expected integer; found "1""#,
        ),
        (
            "{{i64 5}} {{dur 5}} {{i64 five}}",
            r#"template: t:1:26: executing "t" at <five>: wrong type for value; expected int64; got int"#,
        ),
        (
            "{{dur (i64 5)}}",
            r#"template: t:1:11: executing "t" at <5>: wrong type for value; expected time.Duration; got int64"#,
        ),
        (
            "{{flag true}} {{flag 1}}",
            r#"template: t:1:21: executing "t" at <1>: expected bool; found 1"#,
        ),
        (
            r#"{{join "a" ","}}"#,
            r#"template: t:1:7: executing "t" at <"a">: can't handle "a" for arg of type []string"#,
        ),
        (
            r#"{{join (list 1) ","}}"#,
            r#"template: t:1:13: executing "t" at <1>: wrong type for value; expected []string; got []interface {}"#,
        ),
        (
            r#"{{join nil ","}} {{lst nil}} {{mp nil}} {{lst (list 1)}} {{mp (map "a" 1)}}"#,
            " 0 0 1 1",
        ),
        (
            "{{tm nil}}",
            r#"template: t:1:5: executing "t" at <nil>: cannot assign nil to time.Time"#,
        ),
        (
            "{{tm 1}}",
            r#"template: t:1:5: executing "t" at <1>: can't handle 1 for arg of type time.Time"#,
        ),
        (
            "{{fail}}",
            r#"template: t:1:2: executing "t" at <fail>: error calling fail: as asked"#,
        ),
        (
            "{{print 1 fail}}",
            r#"template: t:1:10: executing "t" at <fail>: error calling fail: as asked"#,
        ),
        (
            r#"{{range list nil}}{{split . ""}}{{end}}"#,
            r#"template: t:1:26: executing "t" at <.>: wrong type for value; expected string; got interface {}"#,
        ),
    ] {
        assert_eq!(shown(text), want, "{text}");
    }
}

/// Fields of maps and structs, and methods.
#[test]
fn fields() {
    for (text, want) in [
        (
            r#"{{(map "a" 1).a}} {{(map "a" 1).b}} {{(map "a" 1).b.c}}"#,
            "1 <no value> <no value>",
        ),
        (
            r#"{{(map "a" 1).a.b}}"#,
            r#"template: t:1:11: executing "t" at <1>: can't evaluate field b in type interface {}"#,
        ),
        (
            r#"{{(map "a" nil).a.b}}"#,
            r#"template: t:1:11: executing "t" at <nil>: nil pointer evaluating interface {}.b"#,
        ),
        (r#"{{((map "a" nil).a).b}}"#, "<no value>"),
        (
            r#"{{(map "a" 1).a 2}}"#,
            r#"template: t:1:11: executing "t" at <1>: a is not a method but has arguments"#,
        ),
        (
            r#"{{$m := map "a" (map "b" 2)}}{{$m.a.b}} {{$m.a}} {{len $m.a}}"#,
            "2 map[b:2] 1",
        ),
        (
            r#"{{$m := map "a" 1}}{{$m.a.b.c}}"#,
            r#"template: t:1:23: executing "t" at <$m.a.b.c>: can't evaluate field b in type interface {}"#,
        ),
        (
            "{{range list 1}}{{.x}}{{end}}",
            r#"template: t:1:18: executing "t" at <.x>: can't evaluate field x in type interface {}"#,
        ),
        (
            "{{range list nil}}{{.}}{{.x}}{{end}}",
            r#"template: t:1:25: executing "t" at <.x>: nil pointer evaluating interface {}.x"#,
        ),
        (
            r#"{{with pair "k" "v"}}{{.Key}}={{.Value}} {{.}}{{end}}"#,
            "k=v {k v}",
        ),
        (
            r#"{{(pair "k" "v").value}}"#,
            r#"template: t:1:12: executing "t" at <"v">: can't evaluate field value in type memkv.KVPair"#,
        ),
        (
            r#"{{(pair "k" "v").Key 1}}"#,
            r#"template: t:1:12: executing "t" at <"v">: Key has arguments but cannot be invoked as function"#,
        ),
        (
            r#"{{1 | (pair "k" "v").Key}}"#,
            r#"template: t:1:16: executing "t" at <"v">: Key has arguments but cannot be invoked as function"#,
        ),
        ("{{srv.Target}} {{srv.Port}} {{srv}}", "h. 80 {h. 80 1 2}"),
        (
            "{{srv.Name}}",
            r#"template: t:1:2: executing "t" at <srv>: can't evaluate field Name in type *net.SRV"#,
        ),
        (
            r#"{{now.Year}} {{now.Format "2006"}} {{"2006" | now.Format}} {{now.UTC.Unix}}"#,
            "2017 2017 2017 1500000000",
        ),
        (
            "{{now.Format}}",
            r#"template: t:1:2: executing "t" at <now>: wrong number of args for Format: want 1 got 0"#,
        ),
        (
            "{{now.Clock}}",
            r#"template: t:1:2: executing "t" at <now>: can't call method/function "Clock" with 3 results"#,
        ),
        (
            "{{now.wall}}",
            r#"template: t:1:2: executing "t" at <now>: wall is an unexported field of struct type time.Time"#,
        ),
        (
            r#"{{(pairs "b" "a").Len}} {{(pairs "b" "a").Less 0 1}} {{(pairs "b" "a").Less 1 0}}"#,
            "2 false true",
        ),
        (
            r#"{{(pairs "a").Less 0 9}}"#,
            r#"template: t:1:13: executing "t" at <(pairs "a").Less>: error calling Less: runtime error: index out of range [9] with length 1"#,
        ),
        (
            r#"{{(pairs "a").Swap 0 0}}"#,
            r#"template: t:1:9: executing "t" at <"a">: can't call method/function "Swap" with 0 results"#,
        ),
    ] {
        assert_eq!(shown(text), want, "{text}");
    }
}

/// Variables live from their declaration to the end of the block.
#[test]
fn variables() {
    for (text, want) in [
        (
            "{{$x := 1}}{{$x 2}}",
            r#"template: t:1:13: executing "t" at <$x>: can't give argument to non-function $x"#,
        ),
        (
            "{{$x := 1}}{{1 | $x}}",
            r#"template: t:1:17: executing "t" at <$x>: can't give argument to non-function $x"#,
        ),
        (
            "{{$x = 1}}",
            r#"template: t:1:7: executing "t" at <1>: undefined variable: $x"#,
        ),
        (
            "{{if 0}}{{$x := 1}}{{else}}{{$x}}{{end}}",
            r#"template: t:1:29: executing "t" at <$x>: undefined variable: $x"#,
        ),
        (
            "{{$x := $x}}",
            r#"template: t:1:8: executing "t" at <$x>: undefined variable: $x"#,
        ),
        (
            "{{or 1 ($x := 2)}}{{$x}}",
            r#"template: t:1:20: executing "t" at <$x>: undefined variable: $x"#,
        ),
        ("{{or 0 ($x := 2)}}{{$x}}", "22"),
        (
            "{{$x := 1}}{{if 1}}{{$x = 2}}{{$x := 3}}{{$x = 4}}{{end}}{{$x}}",
            "2",
        ),
        (
            "{{$x := 1}}{{range list 1 2}}{{$x}}{{$x = .}}{{$x := 9}}{{end}}{{$x}}",
            "112",
        ),
        (
            "{{$i := 0}}{{$x := 0}}{{range $i, $x = list 7 8}}{{$i}}{{$x}} {{end}}{{$i}}{{$x}}",
            "07 18 18",
        ),
        (
            "{{$x := 0}}{{$y := 5}}{{range $x = list 1 2}}{{$y}}{{end}}{{$x}}{{$y}}",
            "12[1 2]2",
        ),
        (
            "{{with $x := 5}}{{$x}}{{end}}{{with $x := 0}}{{else}}{{$x}}{{end}}",
            "50",
        ),
        ("{{if $x := 0}}{{else if $y := 1}}{{$x}}{{$y}}{{end}}", "01"),
        ("{{$ := 1}}{{$}}{{.}}", "1<no value>"),
    ] {
        assert_eq!(shown(text), want, "{text}");
    }
}

/// Branches and loops.
#[test]
fn control() {
    for (text, want) in [
        (
            r#"{{if 0}}a{{else if ""}}b{{else if 1.5}}c{{else}}d{{end}}"#,
            "c",
        ),
        (
            "{{with 1}}{{.}}{{end}}{{with 0}}{{.}}{{else}}{{.}}{{end}}",
            "1<no value>",
        ),
        (
            r#"{{if (list)}}1{{end}}{{if map}}2{{end}}{{if srv}}3{{end}}{{if now}}4{{end}}{{if 0i}}5{{end}}{{if pair "" ""}}6{{end}}"#,
            "346",
        ),
        (
            r#"{{range $k, $v := map "b" 1 "a" (list 2)}}{{$k}}{{$v}}{{end}}"#,
            "a[2]b1",
        ),
        (
            r#"{{range $i, $c := split "x,y" ","}}{{$i}}{{$c}}{{end}}"#,
            "0x1y",
        ),
        (
            r#"{{range pairs "b" "a"}}{{.Key}}{{.Value}} {{end}}"#,
            "bbv aav ",
        ),
        (
            r#"{{range "abc"}}{{end}}"#,
            r#"template: t:1:8: executing "t" at <"abc">: range can't iterate over abc"#,
        ),
        (
            "{{range 1.5}}{{end}}",
            r#"template: t:1:8: executing "t" at <1.5>: range can't iterate over 1.5"#,
        ),
        ("{{range .}}a{{else}}b{{end}}{{range map}}a{{end}}", "b"),
        (
            "{{range $i, $e := list 1 2}}{{if $i}}{{with 1}}{{break}}{{end}}{{end}}{{$e}}{{end}}.",
            "1.",
        ),
        (
            "{{range list 1 0 3}}{{if not .}}{{continue}}{{end}}{{.}}{{end}}.",
            "13.",
        ),
        (
            "{{range list 1 2}}{{range list 3 4}}{{break}}{{end}}{{.}}{{end}}",
            "12",
        ),
    ] {
        assert_eq!(shown(text), want, "{text}");
    }
}

/// Templates within the template.
#[test]
fn templates() {
    for (text, want) in [
        (
            r#"{{define "u"}}[{{.}}{{$}}]{{end}}{{template "u"}}{{template "u" 1}}{{$x := 2}}{{template "u" $x}}"#,
            "[<no value><no value>][11][22]",
        ),
        (
            r#"{{template "u"}}"#,
            r#"template: t:1:11: executing "t" at <{{template "u"}}>: template "u" not defined"#,
        ),
        (
            r#"{{with 1}}{{template "u" print . 1}}{{end}}"#,
            r#"template: t:1:21: executing "t" at <{{template "u" print . 1}}>: template "u" not defined"#,
        ),
        (
            r#"{{template "u" ($x := 1)}}{{define "u"}}{{.}}{{end}}{{$x}}"#,
            "11",
        ),
        (r#"{{block "b" 1}}{{.}}{{end}}{{template "b" 2}}"#, "12"),
        (
            "{{define \"a\n\"}}",
            "template: t:1: unterminated quoted string",
        ),
        (
            "  {{fail}}{{end}}{{template \"a\n\"}}",
            "template: t:1: unexpected {{end}}",
        ),
        (r#"{{define "t"}}main{{end}} "#, "main"),
        (
            r#"{{define "u"}} {{end}}{{define "u"}}b{{end}}{{template "u"}}"#,
            "b",
        ),
    ] {
        assert_eq!(shown(text), want, "{text}");
    }
}

/// Go's own functions.
#[test]
fn builtins() {
    for (text, want) in [
        (
            "{{and}}",
            r#"template: t:1:2: executing "t" at <and>: wrong number of args for and: want at least 1 got 0"#,
        ),
        (
            r#"{{and 1 0 fail}} {{or 1 fail}} {{or 0 "" nil}} {{and 1 2}} {{0 | and 1}} {{0 | or 0}} {{1 | and 0}}"#,
            "0 1 <no value> 2 0 0 0",
        ),
        (
            "{{or 0 fail}}",
            r#"template: t:1:7: executing "t" at <fail>: error calling fail: as asked"#,
        ),
        (
            r#"{{not 0}} {{not 1}} {{not "" | not}}"#,
            "true false false",
        ),
        (
            r#"{{len "é"}} {{len (list 1 2)}} {{len (map "a" 1)}} {{len (pairs "a")}}"#,
            "2 2 1 1",
        ),
        (
            "{{len nil}}",
            r#"template: t:1:2: executing "t" at <len nil>: error calling len: reflect: call of reflect.Value.Type on zero Value"#,
        ),
        (
            "{{len srv}}",
            r#"template: t:1:2: executing "t" at <len srv>: error calling len: len of type net.SRV"#,
        ),
        (
            "{{len now.Location}}",
            r#"template: t:1:2: executing "t" at <len now.Location>: error calling len: len of type time.Location"#,
        ),
        (
            "{{range list nil}}{{len .}}{{end}}",
            r#"template: t:1:20: executing "t" at <len .>: error calling len: len of nil pointer"#,
        ),
        (
            r#"{{index (list 1 2) 1}} {{index (map "a" 1) "a"}} {{index (map "a" 1) "b"}} {{index "abc" 1}} {{index (list 1)}}"#,
            "2 1 <no value> 98 [1]",
        ),
        (r#"{{index (list (map "a" (list 7))) 0 "a" 0}}"#, "7"),
        (
            "{{index nil 1}}",
            r#"template: t:1:2: executing "t" at <index nil 1>: error calling index: index of untyped nil"#,
        ),
        (
            "{{index (list nil) 0 1}}",
            r#"template: t:1:2: executing "t" at <index (list nil) 0 1>: error calling index: index of nil pointer"#,
        ),
        (
            "{{index (list 1) 1}}",
            r#"template: t:1:2: executing "t" at <index (list 1) 1>: error calling index: reflect: slice index out of range"#,
        ),
        (
            r#"{{index "a" 1}}"#,
            r#"template: t:1:2: executing "t" at <index "a" 1>: error calling index: reflect: string index out of range"#,
        ),
        (
            "{{index (list 1) 2}}",
            r#"template: t:1:2: executing "t" at <index (list 1) 2>: error calling index: index out of range: 2"#,
        ),
        (
            "{{index (list 1) -1}}",
            r#"template: t:1:2: executing "t" at <index (list 1) -1>: error calling index: index out of range: -1"#,
        ),
        (
            r#"{{index (list 1) "0"}}"#,
            r#"template: t:1:2: executing "t" at <index (list 1) "0">: error calling index: cannot index slice/array with type string"#,
        ),
        (
            "{{index (list 1) nil}}",
            r#"template: t:1:2: executing "t" at <index (list 1) nil>: error calling index: cannot index slice/array with nil"#,
        ),
        (
            r#"{{index (map "a" 1) 1}}"#,
            r#"template: t:1:2: executing "t" at <index (map "a" 1) 1>: error calling index: value has type int; should be string"#,
        ),
        (
            r#"{{index (map "a" 1) nil}}"#,
            r#"template: t:1:2: executing "t" at <index (map "a" 1) nil>: error calling index: value is nil; should be of type string"#,
        ),
        (
            "{{index srv 0}}",
            r#"template: t:1:2: executing "t" at <index srv 0>: error calling index: can't index item of type net.SRV"#,
        ),
        (
            r#"{{slice "abcd" 1}} {{slice "abcd" 1 3}} {{slice "abcd"}} {{slice (list 1 2 3) 1}} {{slice (split "a,b,c" ",") 0 2 3}}"#,
            "bcd bc abcd [2 3] [a b]",
        ),
        (
            "{{slice nil}}",
            r#"template: t:1:2: executing "t" at <slice nil>: error calling slice: slice of untyped nil"#,
        ),
        (
            r#"{{slice "abc" 1 2 3}}"#,
            r#"template: t:1:2: executing "t" at <slice "abc" 1 2 3>: error calling slice: cannot 3-index slice a string"#,
        ),
        (
            "{{slice (list 1) 1 2 3 4}}",
            r#"template: t:1:2: executing "t" at <slice (list 1) 1 2 3 4>: error calling slice: too many slice indexes: 4"#,
        ),
        (
            r#"{{slice "abc" 2 1}}"#,
            r#"template: t:1:2: executing "t" at <slice "abc" 2 1>: error calling slice: invalid slice index: 2 > 1"#,
        ),
        (
            r#"{{slice "abc" 4}}"#,
            r#"template: t:1:2: executing "t" at <slice "abc" 4>: error calling slice: index out of range: 4"#,
        ),
        (
            r#"{{slice (split "a,b" ",") 0 2 1}}"#,
            r#"template: t:1:2: executing "t" at <slice (split "a,b" ",") 0 2 1>: error calling slice: invalid slice index: 2 > 1"#,
        ),
        (
            r#"{{slice (map "a" 1) 1}}"#,
            r#"template: t:1:2: executing "t" at <slice (map "a" 1) 1>: error calling slice: can't slice item of type map[string]interface {}"#,
        ),
        (
            r#"{{html "<a b='c'>&" nil 1}} {{js "it's <b>"}} {{urlquery "a b" "é/?"}}"#,
            r"&lt;a b=&#39;c&#39;&gt;&amp;&lt;no value&gt;1 it\'s \u003Cb\u003E a+b%C3%A9%2F%3F",
        ),
        ("{{html srv 1}} {{print srv}}", "{h. 80 1 2} 1 &{h. 80 1 2}"),
        (
            "{{call nil}}",
            r#"template: t:1:2: executing "t" at <call nil>: error calling call: call of nil"#,
        ),
        (
            "{{call five}}",
            r#"template: t:1:2: executing "t" at <call five>: error calling call: non-function of type int"#,
        ),
        (
            r#"{{printf "%s-%d|%5.1f" "a" 1 1.25}} {{println 1 "a"}}"#,
            "a-1|  1.2 1 a\n",
        ),
    ] {
        assert_eq!(shown(text), want, "{text}");
    }
}

/// Errors show the innermost node, in Go's spelling.
#[test]
fn places() {
    for (text, want) in [
        ("{{print", "template: t:1: unclosed action"),
        (r#"  (printf "%q""#, r#"  (printf "%q""#),
        ("  fail)", "  fail)"),
        ("}}", "}}"),
        (
            r#"{{print   (  1|print  2 )  (list  "a" `b`) .x.y $.z  (fail).a|len}}"#,
            r#"template: t:1:54: executing "t" at <fail>: error calling fail: as asked"#,
        ),
        (
            "{{$x   :=  5 }}{{with  $x = fail}}{{end}}",
            r#"template: t:1:28: executing "t" at <fail>: error calling fail: as asked"#,
        ),
        (
            "{{list 1 | len | fail | print}}",
            r#"template: t:1:17: executing "t" at <fail>: wrong number of args for fail: want 0 got 1"#,
        ),
        (
            r#"{{template "u"  ( 1 )   |  print}}"#,
            r#"template: t:1:11: executing "t" at <{{template "u" (1) | print}}>: template "u" not defined"#,
        ),
        ("a", "a"),
        (
            "b {{ fail }}",
            r#"template: t:1:5: executing "t" at <fail>: error calling fail: as asked"#,
        ),
        (
            "é {{fail}}",
            r#"template: t:1:5: executing "t" at <fail>: error calling fail: as asked"#,
        ),
    ] {
        assert_eq!(shown(text), want, "{text}");
    }
}

/// Newer Go, where REFERENCE.md asks for it.
#[test]
fn newer_go() {
    for (text, want) in [
        ("{{range 3}}{{.}}{{end}}", "012"),
        (
            "{{range $i := 2}}{{$i}}{{end}}{{range 0}}a{{else}}b{{end}}",
            "01b",
        ),
        ("{{range add -2 1}}a{{else}}b{{end}}", "b"),
        ("{{range i64 2}}{{printf \"%T\" .}} {{end}}", "int64 int64 "),
        (
            "{{range $i, $x := 3}}{{end}}",
            "template: t:1:18: executing \"t\" at <3>: can't use 3 to iterate over more than one variable",
        ),
        ("{{with 0}}a{{else with 2}}{{.}}{{else}}b{{end}}", "2"),
        (
            "{{with $x := 0}}a{{else with $y := 0}}b{{else}}{{$x}}{{$y}}{{.}}{{end}}",
            "00<no value>",
        ),
    ] {
        assert_eq!(shown(text), want, "{text}");
    }
}

#[test]
fn strict_look_ups_find_or_fail() {
    let strict = |text: &str| {
        let options = Options { strict: true };
        let result = render_with(text, options, &mut Budget::default());
        result.unwrap_or_else(|error| error.to_string())
    };
    for (text, want) in [
        (
            r#"{{(map "a" nil).a}}{{index (map "a" 1) "a"}}"#,
            "<no value>1",
        ),
        (
            r#"{{(map "a" 1).b}}"#,
            r#"template: t:1:11: executing "t" at <1>: map has no entry for key "b""#,
        ),
        (
            r#"{{index (map "a" 1) "b"}}"#,
            r#"template: t:1:2: executing "t" at <index (map "a" 1) "b">: error calling index: map has no entry for key "b""#,
        ),
        (
            "{{.x}}",
            r#"template: t:1:2: executing "t" at <.x>: nil data; no entry for key "x""#,
        ),
    ] {
        assert_eq!(strict(text), want, "{text}");
    }
}

/// One rendering reports all missing keys, with Go's error first.
#[test]
fn missing_keys_are_collected() {
    let texts = |text: &str| -> Vec<String> {
        let error = render(text).expect_err(text);
        let further = error.further().iter().map(|error| error.to_string());
        std::iter::once(error.to_string()).chain(further).collect()
    };
    let missing = |column: usize, key: &str| {
        format!(
            "template: t:1:{column}: executing \"t\" at <key \"{key}\">: error calling key: key does not exist: {key}"
        )
    };
    let all = texts(r#"{{key "a"}} {{key "b"}} {{range list 1 2}}{{key "c"}}{{end}}"#);
    assert_eq!(all, [missing(2, "a"), missing(14, "b"), missing(44, "c")]);
    let consequence = texts(r#"{{$x := key "a"}}{{index $x 5}}{{key "b"}}"#);
    assert_eq!(consequence, [missing(8, "a")]);
    assert_eq!(texts(r#"{{fail}}{{key "a"}}"#).len(), 1);
    let many = texts(r#"{{range 1000}}{{printf "k%d" . | key}}{{end}}"#);
    assert_eq!(many.len(), 1, "one place is one error");
    let places = "{{key `a`}}".repeat(1000);
    assert_eq!(texts(&places).len(), 100, "then it stops");
}

#[test]
fn nested_renderings_keep_their_places() {
    let error = render(r#"{{print (include "a\n{{fail}}")}}"#).expect_err("fails within");
    assert_eq!(
        error.to_string(),
        r#"template: t:1:9: executing "t" at <include "a\n{{fail}}">: error calling include: "#
            .to_owned()
            + r#"template: included:2:2: executing "included" at <fail>: error calling fail: as asked"#
    );
    assert_eq!(error.kind(), ErrorKind::Exec);
    assert_eq!(error.snippet(), " 2 | {{fail}}\n   |   ^^^^");
    let error = render(r#"{{include "{{key `a`}}{{key `b`}}"}}{{key "c"}}"#);
    let error = error.expect_err("three keys are missing");
    assert_eq!(error.kind(), ErrorKind::Missing);
    assert_eq!(error.further().len(), 2);
}

#[test]
fn errors_show_what_a_function_takes() {
    let help = |text: &str| {
        let snippet = render(text).expect_err(text).snippet();
        snippet.lines().last().unwrap_or_default().to_owned()
    };
    for (text, want) in [
        ("{{add 1}}", "help: add takes 2 arguments: int, int"),
        (
            "{{printf}}",
            "help: printf takes at least 1 argument: string, interface {}…",
        ),
        ("{{five 1}}", "help: five takes no arguments"),
        (
            "{{(pair `k` `v`).Kee}}",
            "help: a memkv.KVPair has the fields Key and Value",
        ),
        ("{{fail}}", "   |   ^^^^"),
        (
            "{{1 | split \"a\"}}",
            "help: split takes 2 arguments: string, string",
        ),
        (
            "{{index (list 1 2) 5}}",
            "help: list 1 2 has 2 elements, from index 0 to 1",
        ),
        (
            "{{$none := split \"\" \",\"}}{{$none = slice $none 1}}{{index $none 0}}",
            "help: $none (slice $none 1) is empty: nothing matches; use it inside {{if …}} or {{with …}}",
        ),
        (
            "{{print printf}}",
            "help: put the inner call in parentheses: (printf …)",
        ),
        (
            "{{split printf \"%s\" \"a\" \"b\"}}",
            "help: put the inner call in parentheses: split (printf …)",
        ),
        (
            "{{if (list 1) and (list 2)}}{{end}}",
            "help: write and before both values: {{if and A B}}",
        ),
        (
            "{{$x := 1}}{{if $x or 2}}{{end}}",
            "help: write or before both values: {{if or A B}}",
        ),
        (
            "{{if split \"a\" or 2}}{{end}}",
            "help: write or before both values: {{if or A B}}",
        ),
        (
            "{{if len (list 1) or 2}}{{end}}",
            "help: write or before both values: {{if or A B}}",
        ),
        (
            "{{if and or 1 2}}{{end}}",
            "help: put the inner call in parentheses: (or …)",
        ),
    ] {
        assert_eq!(help(text), want, "{text}");
    }
}

/// A template that would not end, or not fit, is an error.
#[test]
fn limits() {
    for (text, want) in [
        (
            "{{range 1000000000}}{{end}}",
            "the template takes too many steps",
        ),
        (
            "{{range 1000000000}}x{{end}}",
            "the template takes too many steps",
        ),
        (
            r#"{{$x := "a"}}{{range 100}}{{$x = twice $x}}{{end}}"#,
            "the template makes too much text",
        ),
        (
            r#"{{$x := "a"}}{{range 100}}{{$x = print $x $x}}{{end}}"#,
            "the template makes too much text",
        ),
        (
            "{{$x := list 1 1}}{{range 60}}{{$x = list $x $x}}{{end}}",
            "error calling list: the template makes too large a value",
        ),
        (
            r#"{{define "u"}}x{{template "u"}}{{end}}{{template "u"}}"#,
            "exceeded maximum template depth (100000)",
        ),
        (
            r#"{{define "u"}}{{if 1}}{{template "v" .}}{{end}}{{end}}{{define "v"}}{{range list 1 2}}{{template "u" .}}{{end}}{{end}}{{template "u"}}"#,
            "exceeded maximum template depth (100000)",
        ),
        (
            r#"{{define "u"}}{{template "u"}}{{template "u"}}{{end}}{{template "u"}}"#,
            "exceeded maximum template depth (100000)",
        ),
        (
            "{{$x := list}}{{range 1000}}{{$x = list $x}}{{end}}",
            "error calling list: the template nests too deep",
        ),
        (
            r#"{{include "{{include .}}"}}"#,
            "the template nests too deep",
        ),
    ] {
        let error = render(text).expect_err(text);
        assert!(error.to_string().contains(want), "{text}: {error}");
    }
}

/// As deep as it goes, in the 2 MiB of a test's thread.
#[test]
fn depth_fits_the_stack() {
    let parens = |levels: usize, inner: &str| {
        format!("{}{inner}{}", "(print ".repeat(levels), ")".repeat(levels))
    };
    assert_eq!(shown(&format!("{{{{{}}}}}", parens(100, "1"))), "1");
    let blocks = format!("{}x{}", "{{if 1}}".repeat(100), "{{end}}".repeat(100));
    assert_eq!(shown(&blocks), "x");
    // Each rendering parses and executes the next one at the bottom of its own depth.
    for levels in [0, 1, 10, 50, 90] {
        let text = format!("{{{{{}}}}}", parens(levels, "(include .)"));
        let text = format!("{{{{include `{text}`}}}}");
        let error = render(&text).expect_err("never ends");
        assert_eq!(error.kind(), ErrorKind::Limit, "{levels}: {error}");
    }
}

#[test]
fn templates_may_call_each_other_deep() {
    let text = r#"{{define "down"}}{{if .}}{{template "down" (add . -1)}}{{end}}.{{end}}{{template "down" 50000}}"#;
    let out = render(text).expect("Go lets it");
    assert_eq!(out.len(), 50_001);
}
