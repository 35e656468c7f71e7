//! Formats and values against what Go 1.19 prints.

use std::rc::Rc;

use super::super::value::{Pair, Service, Str};
use super::*;
use crate::go::time::{Local, Time, Zone};

fn budget() -> Budget {
    Budget {
        bytes: 1_000_000,
        ..Budget::default()
    }
}

fn text(bytes: Result<Vec<u8>, Limit>) -> String {
    String::from_utf8_lossy(&bytes.expect("within the budget")).into_owned()
}

fn printf(format: &str, args: &[Value]) -> String {
    text(sprintf(format.as_bytes(), args, &mut budget()))
}

fn strings(items: &[&str]) -> Value {
    Value::Strings(items.iter().map(|item| Str::from(*item)).collect())
}

fn list(items: &[Value]) -> Value {
    Value::list(items.to_vec()).expect("flat")
}

fn map(entries: &[(&str, Value)]) -> Value {
    let entries: Vec<(Str, Value)> = entries
        .iter()
        .map(|(key, value)| (Str::from(*key), value.clone()))
        .collect();
    Value::map(entries).expect("flat")
}

fn pair(key: &str, value: &str) -> Pair {
    Pair {
        key: Str::from(key),
        value: Str::from(value),
    }
}

fn service() -> Service {
    Service {
        target: Str::from("a.example."),
        port: 80,
        priority: 1,
        weight: 20,
    }
}

fn time() -> Value {
    Value::Time(Rc::new(Time {
        seconds: 1_620_000_000,
        nanos: 5,
        utc: true,
        local: Local::new(Zone::utc()),
    }))
}

fn one(format: &str, value: impl Into<Value>, want: &str) {
    assert_eq!(printf(format, &[value.into()]), want, "{format}");
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Int(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Value {
        Value::Float(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::text(text)
    }
}

#[test]
fn integers() {
    for (format, number, want) in [
        ("%d", 42, "42"),
        ("%5d|%[1]d", 42, "   42|42"),
        ("%-5d|", 42, "42   |"),
        ("%05d", -42, "-0042"),
        ("%-05d|", -42, "-42  |"),
        ("%0-5d|", -42, "-42  |"),
        ("%+d", 42, "+42"),
        ("% d", 42, " 42"),
        ("%+ d", 42, "+42"),
        ("%.5d", 42, "00042"),
        ("%8.5d", -42, "  -00042"),
        ("%08.5d", -42, "  -00042"),
        ("%.0d|", 0, "|"),
        ("%3.0d|", 0, "   |"),
        ("%b", -5, "-101"),
        ("%#b", 5, "0b101"),
        ("%o %#[1]o %[1]O", 8, "10 010 0o10"),
        ("%#o", 0, "0"),
        ("%x", -255, "-ff"),
        ("%#x", 255, "0xff"),
        ("%#X", 255, "0XFF"),
        ("%#08x", 255, "0x000000ff"),
        ("%c", 0x4e2d, "中"),
        ("%c", -1, "\u{fffd}"),
        ("%4c|", 65, "   A|"),
        ("%q", 10, r"'\n'"),
        ("%+q", 0x4e2d, r"'\u4e2d'"),
        ("%q", 0x11_0000, "'\u{fffd}'"),
        ("%U", 0x4e2d, "U+4E2D"),
        ("%#U", 0x4e2d, "U+4E2D '中'"),
        ("%#U", 10, "U+000A"),
        ("%08U|", 65, "  U+0041|"),
        ("%.6U", 65, "U+000041"),
        ("%v", i64::MIN, "-9223372036854775808"),
        ("%x", i64::MIN, "-8000000000000000"),
        ("%#v", 7, "7"),
        ("%s", 7, "%!s(int=7)"),
        ("%5t", 7, "%!t(int=    7)"),
        ("%p", 7, "%!p(int=7)"),
        ("%w", 7, "%!w(int=7)"),
    ] {
        one(format, number, want);
    }
    one("%#v %[1]v %#[1]x", Value::Uint8(97), "0x61 97 0x61");
    one("%d %#[1]v", Value::Uint16(80), "80 0x50");
    one("%v %[1]T", Value::Int64(-1), "-1 int64");
}

#[test]
fn floats() {
    for (format, number, want) in [
        ("%v", 1e6, "1e+06"),
        ("%v", 123_456.0, "123456"),
        ("%v", 1e21, "1e+21"),
        ("%g", 0.000_01, "1e-05"),
        ("%f", 1.0, "1.000000"),
        ("%.0f", 2.5, "2"),
        ("%#.0f", 2.5, "2."),
        ("%8.3f|", -3.25, "  -3.250|"),
        ("%08.3f", -3.25, "-003.250"),
        ("%+08.3f", 3.25, "+003.250"),
        ("% 08.3f", 3.25, " 003.250"),
        ("%08.3f", 3.25, "0003.250"),
        ("%-8.2e|", 31415.9, "3.14e+04|"),
        ("%E", 0.0, "0.000000E+00"),
        ("%#g", 1.0, "1.00000"),
        ("%#g", 0.0, "0.00000"),
        ("%#.3g", 1e6, "1.00e+06"),
        ("%#g", 0.5, "0.500000"),
        ("%.3g", 1234.5, "1.23e+03"),
        ("%G", 1e-7, "1E-07"),
        ("%F", 1.5, "1.500000"),
        ("%x", 1.0, "0x1p+00"),
        ("%#x", 4.0, "0x1.0000p+02"),
        ("%#X", 4.0, "0X1.P+02"),
        ("%b", 4.0, "4503599627370496p-50"),
        ("%#v", 1.0, "1"),
        ("%#v", 1e8, "1e+08"),
        ("%v", f64::NAN, "NaN"),
        ("%+v|%+[1]g", f64::NAN, "NaN|+NaN"),
        ("%08g", f64::INFINITY, "    +Inf"),
        ("% g", f64::INFINITY, " Inf"),
        ("%-8g|", f64::NEG_INFINITY, "-Inf    |"),
        ("%d", 1.5, "%!d(float64=1.5)"),
        ("%+#d", 1.5, "%!d(float64=+1.50000)"),
    ] {
        one(format, number, want);
    }
    one("%v", Value::Complex(1.0, -2.5), "(1-2.5i)");
    one("%+6.1f", Value::Complex(1.0, 2.0), "(  +1.0  +2.0i)");
    one("%d", Value::Complex(1.0, 2.0), "%!d(complex128=(1+2i))");
}

#[test]
fn texts() {
    for (format, value, want) in [
        ("%s", "héllo", "héllo"),
        ("%7s|", "héllo", "  héllo|"),
        ("%-7s|", "héllo", "héllo  |"),
        ("%07s", "abc", "0000abc"),
        ("%.2s|", "héllo", "hé|"),
        ("%5.1s|", "中文", "    中|"),
        ("%q", "a\n\"", r#""a\n\"""#),
        ("%#q", "a\"b", "`a\"b`"),
        ("%#q", "a`b", r#""a`b""#),
        ("%+q", "中", r#""\u4e2d""#),
        ("%8q|", "ab", r#"    "ab"|"#),
        ("%.1q", "ab", r#""a""#),
        ("%x", "hello", "68656c6c6f"),
        ("%X", "中", "E4B8AD"),
        ("% x", "abc", "61 62 63"),
        ("%#x", "abc", "0x616263"),
        ("%# x", "abc", "0x61 0x62 0x63"),
        ("%# X", "abc", "0X61 0X62 0X63"),
        ("%.2x|%8.1[1]x", "abc", "6162|      61"),
        ("%8x|", "ab", "    6162|"),
        ("%-8x|", "ab", "6162    |"),
        ("%08x", "ab", "00006162"),
        ("%4x|", "", "    |"),
        ("%v", "a", "a"),
        ("%#v", "a\n", r#""a\n""#),
        ("%d", "a", "%!d(string=a)"),
        ("%6d", "a", "%!d(string=     a)"),
        ("%T", "a", "string"),
        ("%.2T|", "a", "st|"),
        ("%y", "a", "%!y(string=a)"),
        ("%中", "a", "%!中(string=a)"),
    ] {
        one(format, value, want);
    }
    let invalid = Value::text(&b"\xffa\xe4"[..]);
    one("%q", invalid.clone(), r#""\xffa\xe4""#);
    let padded = sprintf(b"%5s|%.1s", &[invalid.clone(), invalid], &mut budget());
    assert_eq!(padded.as_deref(), Ok(&b"  \xffa\xe4|\xff"[..]));
}

#[test]
fn nil_and_bool() {
    for (format, want) in [
        ("%v", "<nil>"),
        ("%7v|", "  <nil>|"),
        ("%.2v", "<nil>"),
        ("%T", "<nil>"),
        ("%s", "%!s(<nil>)"),
        ("%+d", "%!d(<nil>)"),
    ] {
        one(format, Value::Nil, want);
    }
    one("%t %[1]v %6[1]t", Value::Bool(true), "true true   true");
    one("%6t|%-6[1]t", Value::Bool(false), " false|false ");
    one("%s", Value::Bool(true), "%!s(bool=true)");
}

#[test]
fn lists_and_maps() {
    let mixed = list(&[
        Value::Float(1.0),
        Value::text("a"),
        Value::Nil,
        map(&[("b", list(&[Value::Int(2)]))]),
    ]);
    for (format, want) in [
        ("%v", "[1 a <nil> map[b:[2]]]"),
        ("%3v", "[  1   a <nil> map[  b:[  2]]]"),
        ("%s", "[%!s(float64=1) a <nil> map[b:[%!s(int=2)]]]"),
        (
            "%#v",
            r#"[]interface {}{1, "a", interface {}(nil), map[string]interface {}{"b":[]interface {}{2}}}"#,
        ),
        ("%T", "[]interface {}"),
        ("%w", "%!w([]interface {}=[1 a <nil> map[b:[2]]])"),
    ] {
        one(format, mixed.clone(), want);
    }
    one("%q", strings(&["a", "b\n"]), r#"["a" "b\n"]"#);
    one("%#v", strings(&["a"]), r#"[]string{"a"}"#);
    one("%v|%#[1]v", strings(&[]), "[]|[]string{}");
    one(
        "%v",
        map(&[("b", 1.into()), ("a", "x".into())]),
        "map[a:x b:1]",
    );
    one("%d", map(&[("a", 1.into())]), "map[%!d(string=a):1]");
}

#[test]
fn pairs_and_services() {
    let only = Value::Pair(Rc::new(pair("/k", "v")));
    one("%v", only.clone(), "{/k v}");
    one("%+v", only.clone(), "{Key:/k Value:v}");
    one("%#v", only.clone(), r#"memkv.KVPair{Key:"/k", Value:"v"}"#);
    one("%3s|%T", only, "{ /k   v}|%!T(MISSING)");
    let pairs = Value::Pairs([pair("/a", "1"), pair("/b", "2")].into());
    one("%v", pairs.clone(), "[{/a 1} {/b 2}]");
    one(
        "%#v",
        pairs,
        r#"memkv.KVPairs{memkv.KVPair{Key:"/a", Value:"1"}, memkv.KVPair{Key:"/b", Value:"2"}}"#,
    );
    let record = Value::Service(Rc::new(service()));
    one("%v", record.clone(), "&{a.example. 80 1 20}");
    one(
        "%+v",
        record.clone(),
        "&{Target:a.example. Port:80 Priority:1 Weight:20}",
    );
    one("%T", record.clone(), "*net.SRV");
    let all = Value::Services([service()].into());
    one("%v", all, "[&{a.example. 80 1 20}]");
    let mut out = b">".to_vec();
    assert_eq!(print_value(&record, &mut out, &mut budget()), Ok(()));
    assert_eq!(out, b">{a.example. 80 1 20}");
}

#[test]
fn times_print_their_string() {
    one("%v", time(), "2021-05-03 00:00:00.000000005 +0000 UTC");
    one("%.4s", time(), "2021");
    one(
        "%#v",
        time(),
        "time.Date(2021, time.May, 3, 0, 0, 0, 5, time.UTC)",
    );
    one(
        "%v %[1]d %[1]T %#[1]v",
        Value::Duration(1_500_000_000),
        "1.5s 1500000000 time.Duration 1500000000",
    );
    one("%z", Value::Duration(1000), "%!z(time.Duration=1000)");
    let Value::Time(time) = time() else { return };
    let zone = Value::Location(Rc::new(time.location()));
    one(
        "%v %[1]s %[1]q %[1]T",
        zone,
        "UTC UTC \"UTC\" *time.Location",
    );
    one("%v %[1]d %02[1]d", Value::Month(5), "May 5 05");
    one("%02d", Value::Month(5), "05");
    one("%q %x", Value::Weekday(1), r#""Monday" %!x(MISSING)"#);
    one(
        "%v",
        list(&[Value::Month(1), Value::Duration(0)]),
        "[January 0s]",
    );
}

#[test]
fn formats_choose_their_arguments() {
    let args = [Value::Int(1), Value::Int(2), Value::Int(3)];
    for (format, want) in [
        ("%[3]d %[1]d", "3 1"),
        ("%[2]d %d", "2 3"),
        ("%[2]*[1]d|", " 1|"),
        ("%[3]*.[2]*[1]f|", "%!f(int= 01)|"),
        ("%[5]d", "%!d(BADINDEX)"),
        ("%[0]d", "%!d(BADINDEX)"),
        ("%[x]d", "%!d(BADINDEX)"),
        ("%[]d", "%!d(BADINDEX)"),
        ("%[-1]d", "%!d(BADINDEX)"),
        ("%[1d", "%!d(BADINDEX)"),
        ("%[3]2d", "%!d(BADINDEX)"),
        ("%[3].2d", "%!d(BADINDEX)"),
        ("%[", "%!(NOVERB)"),
        ("%d %d %d", "1 2 3"),
        ("%d", "1%!(EXTRA int=2, int=3)"),
        ("none", "none%!(EXTRA int=1, int=2, int=3)"),
        ("%d %d %d %d", "1 2 3 %!d(MISSING)"),
        ("%*d%d", "23"),
        ("%.*d%d", "23"),
    ] {
        assert_eq!(printf(format, &args), want, "{format}");
    }
}

#[test]
fn broken_formats_are_shown() {
    for (format, args, want) in [
        ("%", &[][..], "%!(NOVERB)"),
        ("%-", &[], "%!(NOVERB)"),
        ("%.", &[Value::Int(3)], "%!.(int=3)"),
        ("%d", &[], "%!d(MISSING)"),
        ("%%", &[], "%"),
        ("%5%|", &[], "%|"),
        ("%!", &[Value::Int(1)], "%!!(int=1)"),
        (
            "%010.2",
            &["12345".into()],
            "%!(NOVERB)%!(EXTRA string=12345)",
        ),
        ("%*d", &["a".into(), Value::Int(4)], "%!(BADWIDTH)4"),
        (
            "%*d",
            &[Value::Int(1_000_001), Value::Int(4)],
            "%!(BADWIDTH)4",
        ),
        ("%*d|", &[Value::Int(-5), Value::Int(4)], "4    |"),
        ("%0*d|", &[Value::Int(-5), Value::Int(4)], "4    |"),
        ("%.*d", &[Value::Int(-1), Value::Int(4)], "%!(BADPREC)4"),
        ("%*", &[Value::Int(4)], "%!(NOVERB)"),
        ("%*d", &[], "%!(BADWIDTH)%!d(MISSING)"),
        (
            "%99999999999d",
            &[Value::Int(4)],
            "%!(NOVERB)%!(EXTRA int=4)",
        ),
        ("x", &[Value::Nil], "x%!(EXTRA <nil>)"),
    ] {
        assert_eq!(printf(format, args), want, "{format}");
    }
}

#[test]
fn operands_are_spaced_as_in_go() {
    let args = [
        Value::Int(1),
        Value::Int(2),
        "a".into(),
        "b".into(),
        Value::Nil,
        Value::Bool(true),
    ];
    assert_eq!(text(sprint(&args, &mut budget())), "1 2ab<nil> true");
    assert_eq!(text(sprintln(&args, &mut budget())), "1 2 a b <nil> true\n");
    assert_eq!(text(sprint(&[], &mut budget())), "");
    assert_eq!(
        text(sprint_printed(&args, &mut budget())),
        "1 2ab<no value>true"
    );
    assert_eq!(text(sprintln(&[], &mut budget())), "\n");
}

#[test]
fn a_value_prints_as_in_go() {
    for (value, want) in [
        (Value::Nil, "<no value>"),
        (Value::text("x"), "x"),
        (list(&[Value::Nil]), "[<nil>]"),
        (Value::Float(2e9), "2e+09"),
    ] {
        let mut out = Vec::new();
        assert_eq!(print_value(&value, &mut out, &mut budget()), Ok(()));
        assert_eq!(String::from_utf8_lossy(&out), want);
    }
}

#[test]
fn the_budget_ends_what_would_not() {
    let mut bomb = Value::text("");
    for _ in 0..20 {
        bomb = list(&[bomb.clone(), bomb]);
    }
    let wide = list(&vec![Value::Int(1); 100]);
    for (format, value) in [
        ("%v", bomb),
        ("%1000000d", wide.clone()),
        ("%.1000000f", wide),
        ("%9999999d", Value::Int(1)),
        ("%.9999999f", Value::Float(0.5)),
        ("%-9999999.9999999d", Value::Int(1)),
    ] {
        let mut budget = budget();
        assert!(
            sprintf(format.as_bytes(), &[value], &mut budget).is_err(),
            "{format}"
        );
    }
}

#[test]
fn what_is_printed_is_charged() {
    let mut budget = budget();
    let before = budget.bytes;
    assert!(sprintf(b"%100000d", &[Value::Int(1)], &mut budget).is_ok());
    assert_eq!(before - budget.bytes, 100_000);
}

#[test]
fn plain_formats_print_as_the_others_do() {
    let numbers = [
        0,
        7,
        -7,
        10,
        -10,
        123_456_789,
        i64::MAX,
        i64::MIN,
        -1,
        i64::MIN + 1,
    ];
    for number in numbers {
        assert_eq!(decimal(number, &mut [0; 20]), number.to_string().as_bytes());
    }
    let args = [Value::text("é"), Value::Int(-5), Value::Int64(6)];
    for (format, plain) in [
        ("%s:%d-%d", true),
        ("%s%d%d!", true),
        ("%s:%d", false),
        ("%s:%d:%d:%d", false),
        ("%d:%d:%d", false),
        ("%5s:%d:%d", false),
        ("%s:%d:%d%%", false),
        ("%s:%d:%d%", false),
        ("%s:%d:%x", false),
    ] {
        let mut out = b"before".to_vec();
        assert_eq!(
            print_plain(&mut out, format.as_bytes(), &args),
            plain,
            "{format}"
        );
        let mut budget = Budget::default();
        let slow = Printer::run(&mut budget, |printer| {
            Format::new(format.as_bytes(), &args, printer).run()
        });
        let mut fast = Vec::new();
        fprintf(&mut fast, format.as_bytes(), &args, &mut Budget::default()).unwrap();
        assert_eq!(Ok(fast), slow, "{format}");
    }
}
