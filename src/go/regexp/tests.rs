//! Expressions, matches and messages against what Go 1.19 says.

use super::*;

const STEPS: u64 = 1_000_000;

fn matches(pattern: &str, text: &[u8]) -> bool {
    let regexp = Regexp::new(pattern.as_bytes()).expect(pattern);
    regexp.is_match(text, &mut STEPS.clone()).expect(pattern)
}

fn replaced(pattern: &str, text: &[u8], with: &str) -> Vec<u8> {
    let regexp = Regexp::new(pattern.as_bytes()).expect(pattern);
    let replaced = regexp.replace_all(text, with.as_bytes(), 1000, &mut STEPS.clone());
    replaced.expect(pattern)
}

#[test]
fn gos_syntax() {
    for (pattern, text, want) in [
        ("web|job", "a job", true),
        ("^vxnet-[a-z0-9]+$", "vxnet-abc", true),
        ("^ks-*$", "ks--", true),
        ("", "x", true),
        ("(?i)A", "a", true),
        ("(?i:a)B", "AB", true),
        ("(?s)a.b", "a\nb", true),
        ("(?m)^b$", "a\nb\nc", true),
        ("a$", "a\n", false),
        ("a{2}", "aa", true),
        ("^a{2,}?$", "aaa", true),
        ("^a{,2}$", "a{,2}", true),
        ("^a{01}$", "a{01}", true),
        ("^{$", "{", true),
        ("^[]a]+$", "]a", true),
        ("^[^]a]$", "b", true),
        ("^[a[]$", "[", true),
        ("^[a&&b]+$", "&", true),
        ("^[a-]$", "-", true),
        ("^[--/]$", ".", true),
        ("[[:alpha:]]b", "xb", true),
        ("^[[:^alpha:]]$", "1", true),
        ("^[\\d_-]+$", "1_-", true),
        ("^\\s$", "\u{b}", false),
        ("^[^\\s]$", "\u{b}", true),
        ("^\\w$", "é", false),
        ("^.$", "中", true),
        ("\\Qa.b\\E+", "a.bb", true),
        ("\\<\\_\\/", "<_/", true),
        ("^\\x41\\x{4e2d}\\0\\101$", "A中\0A", true),
        ("^(?P<name>a)(?:b)(c)*$", "abcc", true),
        ("(|a)*", "x", true),
        ("^*a", "a", true),
        ("#a b", "#a b", true),
        ("^a~b$", "a~b", true),
    ] {
        assert_eq!(
            matches(pattern, text.as_bytes()),
            want,
            "{pattern} {text:?}"
        );
    }
}

#[test]
fn gos_complaints() {
    for (pattern, want) in [
        ("[", "missing closing ]: `[`"),
        ("x[a", "missing closing ]: `[a`"),
        ("(a", "missing closing ): `(a`"),
        ("a)", "unexpected ): `a)`"),
        ("*", "missing argument to repetition operator: `*`"),
        ("a|*?", "missing argument to repetition operator: `*?`"),
        ("(?i)+", "missing argument to repetition operator: `+`"),
        ("a.**", "invalid nested repetition operator: `**`"),
        ("a{2}*?b", "invalid nested repetition operator: `{2}*?`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("a{3,2}", "invalid repeat count: `{3,2}`"),
        ("(a{100}){100}", "invalid repeat count: `{100}`"),
        ("\\", "trailing backslash at end of expression: ``"),
        ("\\1", "invalid escape sequence: `\\1`"),
        ("\\y", "invalid escape sequence: `\\y`"),
        ("\\x4g", "invalid escape sequence: `\\x4g`"),
        ("[\\1]", "invalid escape sequence: `\\1`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        ("[[:word1:]]", "invalid character class range: `[:word1:]`"),
        ("\\pXx", "invalid character class range: `\\pX`"),
        ("\\p", "invalid character class range: `\\p`"),
        ("\\p{Han", "invalid character class range: `\\p{Han`"),
        (
            "a[\\p{greek}]",
            "invalid character class range: `\\p{greek}`",
        ),
        ("\\x{110000}", "invalid escape sequence: `\\x{110000`"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?<", "invalid or unsupported Perl syntax: `(?<`"),
        ("(?i-)a", "invalid or unsupported Perl syntax: `(?i-)`"),
        ("(?P<n", "invalid named capture: `(?P<n`"),
        ("(?P<a b>c)", "invalid named capture: `(?P<a b>`"),
    ] {
        let found = Regexp::new(pattern.as_bytes()).map_err(|error| error.to_string());
        let want = format!("error parsing regexp: {want}");
        assert_eq!(found.err(), Some(want), "{pattern}");
    }
    let invalid = Regexp::new(b"a\xffb").map_err(|error| error.to_string());
    let want = "error parsing regexp: invalid UTF-8: `\u{fffd}b`".to_owned();
    assert_eq!(invalid.err(), Some(want));
    assert!(Regexp::new(".{900}".repeat(1000).as_bytes()).is_err());
}

#[test]
fn replacing_expands_groups() {
    for (pattern, text, with, want) in [
        ("(a)(b)?", "ab a", "<$1${2}>", "<ab> <a>"),
        ("(?P<x>\\d+)", "k12", "[$x]", "k[12]"),
        ("(?<x>\\d+)", "k12", "[${x}]", "k[12]"),
        ("(?P<n>a)|(?P<n>b)", "ab", "[$n]", "[a][b]"),
        ("a", "aa", "$$", "$$"),
        ("(a)", "a", "$1x", ""),
        ("(a)", "a", "${1", "${1"),
        ("(a)", "a", "$01", ""),
        ("(a)", "a", "$0$2$é$", "a$"),
        ("b*", "abc", "x", "xaxcx"),
        ("", "中", "-", "-中-"),
        ("(|a)*", "aab", "(x)", "(x)a(x)a(x)b(x)"),
        ("(a|b*)*", "aab", "<$1>", "<b>"),
        ("(a*)+", "aab", "<$1>", "<aa>b<>"),
        ("a+?", "aaa", "x", "xxx"),
        ("(?U)a+", "aaa", "x", "xxx"),
        ("(?U)a+?", "aaa", "x", "x"),
        ("a{2,3}?", "aaaaa", "x", "xxa"),
        ("(a|ab)(c|bcd)", "abcd", "$1-$2", "a-bcd"),
    ] {
        let replaced = replaced(pattern, text.as_bytes(), with);
        assert_eq!(String::from_utf8_lossy(&replaced), want, "{pattern}");
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_characters() {
    assert_eq!(replaced("b", b"a\xffb\xe4", "x"), b"a\xffx\xe4");
    assert_eq!(replaced("^(.)(.)", b"\xff\xfeb", "$2$1"), b"\xfe\xffb");
    assert_eq!(replaced("", b"\xff\xfe", "-"), b"-\xff-\xfe-");
    assert!(matches("^\\x{FFFD}$", b"\xff") && matches("^[^a]$", b"\xff"));
    assert!(!matches("^.$", b"\xe4\xb8"));
}

#[test]
fn unicode_classes() {
    for (pattern, text, want) in [
        ("\\p{Han}", "节点", true),
        ("\\p{Han}", "node", false),
        ("^\\P{Han}+$", "node", true),
        ("^\\p{^Han}+$", "node", true),
        ("^\\P{^Han}+$", "节", true),
        ("^\\pL+$", "aé中", true),
        ("\\PL", "aé中", false),
        ("\\PL", "a1", true),
        ("^\\p{Greek}$", "λ", true),
        ("^[\\p{Lu}0-9]+$", "É1", true),
        ("^[\\p{Lu}0-9]+$", "é1", false),
        ("^[^\\pN]$", "²", false),
        ("^[\\PN]$", "a", true),
        ("^\\p{Nd}$", "٣", true),
        ("^\\p{Zs}$", "\u{3000}", true),
        ("^\\p{Any}$", "\n", true),
        ("^\\pC$", "\u{378}", false),
        ("\\pL{1000}", "a", false),
    ] {
        assert_eq!(matches(pattern, text.as_bytes()), want, "{pattern} {text}");
    }
}

#[test]
fn folding_is_that_of_unicode() {
    for (pattern, text, want) in [
        ("(?i)é", "É", true),
        ("(?i)k", "\u{212a}", true),
        ("(?i)\u{212a}", "k", true),
        ("(?i)s", "ſ", true),
        ("(?i)ς", "Σ", true),
        ("(?i)ß", "ẞ", true),
        ("(?i)i", "İ", false),
        ("(?i)[j-l]", "\u{212a}", true),
        ("(?i)[^k]", "\u{212a}", false),
        ("(?i)^\\w$", "ſ", true),
        ("(?i)^\\W$", "ſ", false),
        ("(?i)^[[:upper:]]$", "a", true),
        ("(?i)^\\p{Lu}$", "a", true),
        ("(?i)^\\P{Lu}$", "a", false),
        ("(?i:a)b", "AB", false),
        ("((?i)a)b", "Ab", true),
        ("((?i)a)b", "AB", false),
        ("(?i)a(?-i)b", "AB", false),
    ] {
        assert_eq!(matches(pattern, text.as_bytes()), want, "{pattern} {text}");
    }
}

#[test]
fn nesting_ends_where_it_does_in_go() {
    let nested = |depth| "(".repeat(depth) + "a" + &")".repeat(depth);
    assert!(matches(&nested(999), b"a"));
    let refused = |pattern: String| match Regexp::new(pattern.as_bytes()) {
        Err(error) => error.to_string(),
        Ok(_) => String::new(),
    };
    let pattern = nested(1000);
    let want = format!("error parsing regexp: expression nests too deeply: `{pattern}`");
    assert_eq!(refused(pattern), want);
    assert!(!refused("(".repeat(100_000)).is_empty());
    assert!(!refused("(b".repeat(501) + &")".repeat(501)).is_empty());
    assert!(matches(
        &("(b".repeat(499) + &")".repeat(499)),
        &[b'b'; 499]
    ));
    assert!(matches(
        &("(?:".repeat(2000) + "a" + &")".repeat(2000)),
        b"a"
    ));
    assert!(matches("((a{1000}){0}){5}", b""));
    assert!(refused("(a{100}){11}".to_owned()).contains("invalid repeat count: `{11}`"));
}

#[test]
fn steps_end_a_search() {
    let regexp = Regexp::new(b"(a?){900}b").expect("fits");
    let text = [b'a'; 10_000];
    assert_eq!(regexp.is_match(&text, &mut 100_000), Err(OutOfSteps));
}
