//! The output of yaml.v2, or that of its rules.

use super::*;

fn yaml(value: &Value) -> String {
    String::from_utf8(encode(value, &mut Budget::default()).unwrap()).unwrap()
}

fn text(text: &str) -> String {
    yaml(&Value::text(text))
}

fn map(entries: &[(&str, Value)]) -> Value {
    let entries = entries
        .iter()
        .map(|(key, value)| (Str::from(*key), value.clone()));
    Value::map(entries.collect()).unwrap()
}

fn list(items: &[Value]) -> Value {
    Value::list(items.to_vec()).unwrap()
}

#[test]
fn quotes() {
    for plain in [
        "abc", "1e3", "1.", "=", "a'b", "a\\b", "a:b", "?a", "-a", ":a", "a#b", "yES", "tRUE",
        "中文", "null_", "0x", "a\u{a0}b", "_1", "<<",
    ] {
        assert_eq!(text(plain), format!("{plain}\n"));
    }
    for single in [
        ",", "a: b", "- a", "# c", "a #c", "trail ", " a", "*a", "`a", "-", "?", ":", "a:",
        "--- a", "...", "@", "%",
    ] {
        assert_eq!(text(single), format!("'{single}'\n"));
    }
    for double in [
        "",
        "true",
        "True",
        "TRUE",
        "y",
        "NO",
        "off",
        "~",
        "Null",
        ".inf",
        "+.INF",
        "-.inf",
        ".nan",
        ".5",
        "0x10",
        "010",
        "08",
        "0o7",
        "0b11",
        "-0b1",
        "+5",
        "1_000",
        "1.5",
        "1e+3",
        "-.5e-3",
        "1:30",
        "190:20:30.15",
        "-1:05",
        "18446744073709551615",
    ] {
        assert_eq!(text(double), format!("\"{double}\"\n"));
    }
    for (special, want) in [
        ("a\tb", r#""a\tb""#),
        ("😀", r#""\U0001F600""#),
        ("\u{1}\"\\", r#""\x01\"\\""#),
        ("a\u{feff}", r#""a\uFEFF""#),
        ("a \nb", r#""a \nb""#),
        ("\u{85}x", r#""\Nx""#),
        ("it's: x", "'it''s: x'"),
        ("+.nan", "+.nan"),
    ] {
        assert_eq!(text(special), format!("{want}\n"));
    }
    assert_eq!(yaml(&Value::Str(b"\xff\xfe"[..].into())), "!!binary //4=\n");
}

#[test]
fn lines() {
    for (lines, want) in [
        ("a\nb", "|-\n  a\n  b\n"),
        ("a\n", "|\n  a\n"),
        ("a\n\n", "|+\n  a\n\n"),
        ("\n", "|2+\n\n"),
        ("  a\n b", "|2-\n    a\n   b\n"),
        ("a\n ", "\"a\\n \"\n"),
        ("\u{2028}a", "'\u{2028}  a'\n"),
    ] {
        assert_eq!(text(lines), want, "{lines:?}");
    }
    let nested = map(&[("k", list(&[Value::text("a\nb\n")]))]);
    assert_eq!(yaml(&nested), "k:\n- |\n  a\n  b\n");
}

#[test]
fn long_lines_are_folded_at_spaces_behind_column_80() {
    let long = "0123456789 ".repeat(10) + "x";
    let folded = "0123456789 ".repeat(7) + "0123456789\n  0123456789 0123456789 x\n";
    assert_eq!(text(&format!("a{long}")), format!("a{folded}"));
    assert_eq!(
        text(&format!("#{long}")),
        format!("'#{}", folded.replace("x\n", "x'\n"))
    );
    let key = map(&[(long.as_str(), Value::Int(1))]);
    assert_eq!(yaml(&key), format!("{long}: 1\n"));
}

#[test]
fn blocks() {
    let inner = map(&[("x", list(&[])), ("y", map(&[]))]);
    for (value, want) in [
        (Value::Nil, "null\n"),
        (list(&[]), "[]\n"),
        (Value::nil_map(), "{}\n"),
        (
            list(&[
                list(&[Value::Int(1), Value::Int(2)]),
                list(std::slice::from_ref(&inner)),
            ]),
            "- - 1\n  - 2\n- - x: []\n    \"y\": {}\n",
        ),
        (
            map(&[("a", list(&[Value::Nil])), ("b", inner)]),
            "a:\n- null\nb:\n  x: []\n  \"y\": {}\n",
        ),
        (map(&[("a\nb", Value::Int(1))]), "? |-\n  a\n  b\n: 1\n"),
        (
            map(&[(&"k".repeat(129), list(&[Value::Int(1)]))]),
            &format!("? {}\n: - 1\n", "k".repeat(129)),
        ),
        (
            list(&[map(&[
                ("a", Value::Int(1)),
                ("b", map(&[("c", Value::Int(2))])),
            ])]),
            "- a: 1\n  b:\n    c: 2\n",
        ),
    ] {
        assert_eq!(yaml(&value), want);
    }
}

#[test]
fn numbers_have_a_float32s_digits() {
    for (number, want) in [
        (3.0, "3"),
        (1e6, "1e+06"),
        (123456.0, "123456"),
        (1234567.0, "1.234567e+06"),
        (0.1, "0.1"),
        (1e-5, "1e-05"),
        (std::f64::consts::PI, "3.1415927"),
        (16777217.0, "1.6777216e+07"),
        (1e39, ".inf"),
        (-1e39, "-.inf"),
        (f64::NAN, ".nan"),
        (1e-50, "0"),
    ] {
        assert_eq!(yaml(&Value::Float(number)), format!("{want}\n"));
    }
}

#[test]
fn keys_are_sorted_naturally() {
    let keys = ["b", "a", "C", "10", "9", "a10", "a9", "a-1", "_", "", "ab"];
    let entries: Vec<_> = keys.iter().map(|key| (*key, Value::Nil)).collect();
    let order: Vec<String> = yaml(&map(&entries))
        .lines()
        .map(|line| line.replace(": null", ""))
        .collect();
    assert_eq!(
        order,
        [
            "\"\"", "_", "\"9\"", "\"10\"", "C", "a", "a-1", "a9", "a10", "ab", "b"
        ]
    );
}

#[test]
fn a_byte_order_mark_escapes_everything() {
    assert_eq!(text("\u{feff}a b"), "\"\\uFEFF\\x61\\x20\\x62\"\n");
    assert_eq!(text("\u{feff}中\u{a0}"), "\"\\uFEFF\\u4E2D\\_\"\n");
    assert_eq!(text("a\u{feff}b"), "\"a\\uFEFFb\"\n");
}

#[test]
fn merge_keys_need_no_quotes() {
    let merge = map(&[("<<", Value::text("<<")), ("l", list(&[Value::text("<<")]))]);
    assert_eq!(yaml(&merge), "<<: <<\nl:\n- <<\n");
}

#[test]
fn letters_and_digits_of_keys_are_those_of_unicode() {
    let order = |keys: &[&str]| {
        let keys: Vec<Str> = keys.iter().map(|key| Str::from(*key)).collect();
        let sorted = scalar::sorted(keys.iter().collect(), &mut Budget::default());
        let sorted: Vec<_> = sorted.unwrap().into_iter().map(Str::to_text).collect();
        sorted.join(" ")
    };
    // A combining mark is no letter; Arabic digits are digits, with values of yaml.v2's own.
    assert_eq!(order(&["xa", "x\u{345}", "x1"]), "x\u{345} x1 xa");
    assert_eq!(
        order(&["x\u{661}0", "x\u{661}", "x9"]),
        "x9 x\u{661} x\u{661}0"
    );
    assert_eq!(order(&["k10", "k9", "k09"]), "k9 k09 k10");
}

#[test]
fn bytes_are_numbers() {
    assert_eq!(yaml(&Value::Bytes(b"ab"[..].into())), "- 97\n- 98\n");
}
