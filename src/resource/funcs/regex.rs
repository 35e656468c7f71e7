//! Go's regular expressions (RE2, Perl flags) on top of regex-lite.
//!
//! Both match alike, but are not written alike: a pattern is read by Go's rules, with Go's words for what is wrong
//! with it, and written anew in a form that regex-lite cannot take for anything else. Unicode classes (`\pL`) are
//! beyond regex-lite and refused.

use std::fmt::Write;

use regex_lite::{Regex, RegexBuilder};

use crate::template::{Budget, CallError};

/// The largest count in `x{n,m}`, also multiplied over nested ones: Go's limit.
const MAX_REPEAT: u32 = 1000;
/// How deep groups may nest.
const MAX_GROUPS: usize = 200;
/// The bytes that a compiled expression may take.
const MAX_COMPILED: usize = 1 << 20;

/// What it takes to compile one state.
const STEPS_A_STATE: u64 = 16;

/// A compiled expression.
#[derive(Debug)]
pub(super) struct Expression {
    regex: Regex,
    /// About how many states a match has to keep for every byte of the text.
    size: u64,
}

impl Expression {
    /// `regexp.Compile`.
    pub(super) fn new(pattern: &[u8], budget: &mut Budget) -> Result<Expression, CallError> {
        let Ok(pattern) = std::str::from_utf8(pattern) else {
            let shown = String::from_utf8_lossy(pattern);
            return Err(fault("invalid UTF-8", &shown));
        };
        let mut reader = Reader::new(pattern);
        reader.read()?;
        let (written, size) = reader.finish();
        budget.spend_steps(size.saturating_mul(STEPS_A_STATE))?;
        let regex = RegexBuilder::new(&written)
            .size_limit(MAX_COMPILED)
            .nest_limit(u32::try_from(MAX_GROUPS).unwrap_or(u32::MAX) * 2)
            .build()
            .map_err(|_| fault("expression too large", pattern))?;
        Ok(Expression { regex, size })
    }

    fn charge(&self, text: &str, budget: &mut Budget) -> Result<(), CallError> {
        let length = text.len() as u64 + 1;
        Ok(budget.spend_steps(length.saturating_mul(self.size) / 4)?)
    }

    /// Whether the expression matches anywhere in the text.
    pub(super) fn is_match(&self, text: &[u8], budget: &mut Budget) -> Result<bool, CallError> {
        let text = String::from_utf8_lossy(text);
        self.charge(&text, budget)?;
        Ok(self.regex.is_match(&text))
    }

    /// The first match, or nothing.
    pub(super) fn find(&self, text: &[u8], budget: &mut Budget) -> Result<String, CallError> {
        let text = String::from_utf8_lossy(text);
        self.charge(&text, budget)?;
        let found = self.regex.find(&text);
        Ok(found.map_or_else(String::new, |found| found.as_str().to_owned()))
    }

    /// `ReplaceAllString`: `$1` and `${name}` stand for groups.
    pub(super) fn replace_all(
        &self,
        text: &[u8],
        replacement: &[u8],
        budget: &mut Budget,
    ) -> Result<Vec<u8>, CallError> {
        let text = String::from_utf8_lossy(text);
        self.charge(&text, budget)?;
        let replacement = String::from_utf8_lossy(replacement);
        let (mut out, mut done) = (String::new(), 0);
        for groups in self.regex.captures_iter(&text) {
            let Some(whole) = groups.get(0) else { continue };
            let before = out.len();
            out.push_str(text.get(done..whole.start()).unwrap_or_default());
            groups.expand(&replacement, &mut out);
            budget.spend_bytes(out.len() - before)?;
            budget.spend_steps(self.size)?;
            done = whole.end();
        }
        let rest = text.get(done..).unwrap_or_default();
        budget.spend_bytes(rest.len())?;
        out.push_str(rest);
        Ok(out.into_bytes())
    }
}

/// What is wrong with a pattern, and the part of it, in the words of Go's `*syntax.Error`.
fn fault(problem: &str, part: &str) -> CallError {
    CallError::failed(format!("error parsing regexp: {problem}: `{part}`"))
}

/// A group that is open, or the whole expression.
#[derive(Default)]
struct Group {
    /// Whether there is something that `*` could repeat.
    operand: bool,
    /// States of the group so far, and of its last operand.
    size: u64,
    last_size: u64,
    /// The highest product of nested counts so far, and in the last operand.
    repeat: u32,
    last_repeat: u32,
}

impl Group {
    fn add(&mut self, size: u64, repeat: u32) {
        self.operand = true;
        self.size += size;
        self.last_size = size;
        self.repeat = self.repeat.max(repeat);
        self.last_repeat = repeat;
    }
}

/// Reads Go's syntax, writes regex-lite's.
struct Reader<'p> {
    pattern: &'p str,
    rest: &'p str,
    out: String,
    open: Vec<Group>,
    group: Group,
    names: Vec<&'p str>,
    /// What is left of the pattern from the last repetition on, when nothing came after it.
    repeated: Option<&'p str>,
}

impl<'p> Reader<'p> {
    fn new(pattern: &'p str) -> Self {
        Reader {
            pattern,
            rest: pattern,
            out: String::with_capacity(pattern.len() * 2),
            open: Vec::new(),
            group: Group::default(),
            names: Vec::new(),
            repeated: None,
        }
    }

    fn finish(self) -> (String, u64) {
        (self.out, self.group.size.max(1))
    }

    /// The part of the pattern from `from` to where the reader is.
    fn since(&self, from: &'p str) -> &'p str {
        from.get(..from.len() - self.rest.len()).unwrap_or(from)
    }

    fn next(&mut self) -> Option<char> {
        let mut rest = self.rest.chars();
        let found = rest.next();
        self.rest = rest.as_str();
        found
    }

    fn accept(&mut self, text: &str) -> bool {
        let after = self.rest.strip_prefix(text);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn read(&mut self) -> Result<(), CallError> {
        loop {
            let (start, repeated) = (self.rest, self.repeated.take());
            let Some(found) = self.next() else { break };
            match found {
                '(' if self.rest.starts_with('?') => self.flags(start)?,
                '(' => self.enter("(", start)?,
                ')' => self.leave()?,
                '|' => {
                    self.out.push('|');
                    self.group.operand = false;
                }
                '^' | '$' | '.' => {
                    self.out.push(found);
                    self.group.add(1, 1);
                }
                '[' => self.class(start)?,
                '*' | '+' | '?' => self.repeat(start, repeated, None)?,
                '{' => match self.counts() {
                    Some(counts) => self.repeat(start, repeated, Some(counts))?,
                    None => self.literal('{'),
                },
                '\\' => self.backslash(start)?,
                literal => self.literal(literal),
            }
        }
        if self.open.is_empty() {
            Ok(())
        } else {
            Err(fault("missing closing )", self.pattern))
        }
    }

    fn literal(&mut self, literal: char) {
        push_literal(&mut self.out, literal);
        self.group.add(1, 1);
    }

    fn enter(&mut self, written: &str, start: &str) -> Result<(), CallError> {
        if self.open.len() >= MAX_GROUPS {
            return Err(fault("expression nests too deeply", start));
        }
        self.out.push_str(written);
        self.open.push(std::mem::take(&mut self.group));
        Ok(())
    }

    fn leave(&mut self) -> Result<(), CallError> {
        let Some(outer) = self.open.pop() else {
            return Err(fault("unexpected )", self.pattern));
        };
        self.out.push(')');
        let inner = std::mem::replace(&mut self.group, outer);
        self.group.add(inner.size + 1, inner.repeat.max(1));
        Ok(())
    }

    /// `(?i)`, `(?i:` and `(?P<name>`; the parenthesis has been read.
    fn flags(&mut self, start: &'p str) -> Result<(), CallError> {
        self.accept("?");
        if self.rest.starts_with("P<") && self.rest.len() > 2 {
            return self.named(start);
        }
        let flags = self.rest;
        let (mut negated, mut any) = (false, false);
        while let Some(found) = self.next() {
            match found {
                'i' | 'm' | 's' | 'U' => any = true,
                '-' if !negated => (negated, any) = (true, false),
                ':' | ')' if !negated || any => {
                    let written = format!("(?{}", self.since(flags));
                    if found == ':' {
                        return self.enter(&written, start);
                    }
                    if written != "(?)" {
                        self.out.push_str(&written);
                    }
                    return Ok(());
                }
                _ => break,
            }
        }
        Err(fault(
            "invalid or unsupported Perl syntax",
            self.since(start),
        ))
    }

    fn named(&mut self, start: &'p str) -> Result<(), CallError> {
        self.accept("P<");
        let Some((name, after)) = self.rest.split_once('>') else {
            return Err(fault("invalid named capture", start));
        };
        self.rest = after;
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(word) {
            return Err(fault("invalid named capture", self.since(start)));
        }
        if self.names.contains(&name) {
            return Err(fault("invalid named capture", name));
        }
        self.names.push(name);
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            // A name to Go, not to regex-lite.
            return self.enter("(", start);
        }
        self.enter(&format!("(?P<{name}>"), start)
    }

    /// Repeats the last operand; the operator has been read, but for a `?` behind it.
    fn repeat(
        &mut self,
        start: &'p str,
        before: Option<&'p str>,
        counts: Option<(u32, Option<u32>)>,
    ) -> Result<(), CallError> {
        let operator = self.since(start);
        let lazy = self.accept("?");
        if let Some(before) = before {
            return Err(fault(
                "invalid nested repetition operator",
                self.since(before),
            ));
        }
        if !self.group.operand {
            return Err(fault(
                "missing argument to repetition operator",
                self.since(start),
            ));
        }
        let times = match counts {
            Some((low, high)) => high.unwrap_or(low).max(low),
            None => 1,
        };
        let repeat = self.group.last_repeat.saturating_mul(times.max(1));
        let wrong = counts.is_some_and(|(low, high)| high.is_some_and(|high| low > high));
        if wrong || times > MAX_REPEAT || (times >= 2 && repeat > MAX_REPEAT) {
            return Err(fault("invalid repeat count", self.since(start)));
        }
        match counts {
            None => self.out.push_str(operator),
            Some((low, None)) => _ = write!(self.out, "{{{low},}}"),
            Some((low, Some(high))) => _ = write!(self.out, "{{{low},{high}}}"),
        }
        if lazy {
            self.out.push('?');
        }
        let grown = self.group.last_size.saturating_mul(u64::from(times.max(1)));
        self.group.size += grown - self.group.last_size;
        self.group.last_size = grown;
        self.group.last_repeat = repeat;
        self.group.repeat = self.group.repeat.max(repeat);
        self.repeated = Some(start);
        Ok(())
    }

    /// `n}`, `n,}` or `n,m}`; anything else leaves the brace a literal. Too large numbers stay too large.
    fn counts(&mut self) -> Option<(u32, Option<u32>)> {
        let (inside, after) = self.rest.split_once('}')?;
        let number = |digits: &str| {
            let proper = digits == "0" || !digits.starts_with('0');
            let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            (proper && all).then(|| digits.parse().unwrap_or(MAX_REPEAT + 1))
        };
        let counts = match inside.split_once(',') {
            None => {
                let count = number(inside)?;
                (count, Some(count))
            }
            Some((low, "")) => (number(low)?, None),
            Some((low, high)) => (number(low)?, Some(number(high)?)),
        };
        self.rest = after;
        Some(counts)
    }

    /// A backslash outside of a class; it has been read.
    fn backslash(&mut self, start: &'p str) -> Result<(), CallError> {
        if self.accept("Q") {
            let (quoted, after) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
            quoted.chars().for_each(|literal| self.literal(literal));
            self.rest = after;
            return Ok(());
        }
        match self.rest.chars().next() {
            Some(place @ ('A' | 'z' | 'b' | 'B')) => _ = write!(self.out, "\\{place}"),
            Some('p' | 'P') => return Err(self.unicode_class(start)),
            name => match name.and_then(perl_class) {
                Some(class) => _ = write!(self.out, "[{class}]"),
                None => {
                    let literal = self.escape(start)?;
                    self.literal(literal);
                    return Ok(());
                }
            },
        }
        self.next();
        self.group.add(1, 1);
        Ok(())
    }

    /// `\pL` and `\p{Greek}`: Go's words for a class that it does not know.
    fn unicode_class(&mut self, start: &'p str) -> CallError {
        self.next();
        let braced = self.rest.starts_with('{');
        match self.rest.split_once('}').filter(|_| braced) {
            Some((_, after)) => self.rest = after,
            None => _ = self.next(),
        }
        fault("invalid character class range", self.since(start))
    }

    /// The character that an escape stands for; the backslash has been read.
    fn escape(&mut self, start: &'p str) -> Result<char, CallError> {
        let Some(found) = self.next() else {
            return Err(fault("trailing backslash at end of expression", ""));
        };
        let octal_next = self.rest.starts_with(|c: char| c.is_digit(8));
        let character = match found {
            // One digit alone would be a back-reference, which there is not.
            '0'..='7' if found == '0' || octal_next => {
                let mut number = u32::from(found) - u32::from('0');
                for _ in 0..2 {
                    let Some(digit) = self.rest.chars().next().and_then(|c| c.to_digit(8)) else {
                        break;
                    };
                    number = number * 8 + digit;
                    self.next();
                }
                char::from_u32(number)
            }
            'x' => self.hex(),
            'a' => Some('\x07'),
            'f' => Some('\x0c'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\x0b'),
            other if other.is_ascii() && !other.is_ascii_alphanumeric() => Some(other),
            _ => None,
        };
        character.ok_or_else(|| fault("invalid escape sequence", self.since(start)))
    }

    /// `7F` or `{10FFFF}`
    fn hex(&mut self) -> Option<char> {
        let braced = self.accept("{");
        let (mut number, mut digits) = (0_u32, 0);
        while let Some(digit) = self.rest.chars().next().and_then(|c| c.to_digit(16)) {
            number = number.checked_mul(16)?.checked_add(digit)?;
            digits += 1;
            self.next();
            if !braced && digits == 2 {
                return char::from_u32(number);
            }
        }
        let closed = braced && digits > 0 && self.accept("}");
        if closed {
            return char::from_u32(number);
        }
        self.next();
        None
    }

    /// A class; its bracket has been read.
    fn class(&mut self, start: &'p str) -> Result<(), CallError> {
        let negated = self.accept("^");
        self.out.push_str(if negated { "[^" } else { "[" });
        let mut first = true;
        while first || !self.rest.starts_with(']') {
            first = false;
            let item = self.rest;
            if self.posix_class()? {
                continue;
            }
            if let Some(after) = item.strip_prefix('\\') {
                let name = after.chars().next();
                if let Some('p' | 'P') = name {
                    self.rest = after;
                    return Err(self.unicode_class(item));
                }
                if let Some(class) = name.and_then(perl_class) {
                    self.rest = after;
                    self.next();
                    self.out.push_str(class);
                    continue;
                }
            }
            let low = self.class_character(start)?;
            let mut high = low;
            if self.rest.len() >= 2 && self.rest.starts_with('-') && !self.rest.starts_with("-]") {
                self.accept("-");
                high = self.class_character(start)?;
                if high < low {
                    return Err(fault("invalid character class range", self.since(item)));
                }
            }
            push_literal(&mut self.out, low);
            if high != low {
                self.out.push('-');
                push_literal(&mut self.out, high);
            }
        }
        self.accept("]");
        self.out.push(']');
        self.group.add(1, 1);
        Ok(())
    }

    fn class_character(&mut self, class: &str) -> Result<char, CallError> {
        let start = self.rest;
        match self.next() {
            Some('\\') => self.escape(start),
            Some(found) => Ok(found),
            None => Err(fault("missing closing ]", class)),
        }
    }

    /// `[:alpha:]` and its kin.
    fn posix_class(&mut self) -> Result<bool, CallError> {
        let Some((name, after)) = self
            .rest
            .strip_prefix("[:")
            .and_then(|rest| rest.split_once(":]"))
        else {
            return Ok(false);
        };
        let plain = name.strip_prefix('^').unwrap_or(name);
        let known = [
            "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print",
            "punct", "space", "upper", "word", "xdigit",
        ];
        if !known.contains(&plain) {
            return Err(fault(
                "invalid character class range",
                &format!("[:{name}:]"),
            ));
        }
        _ = write!(self.out, "[:{name}:]");
        self.rest = after;
        Ok(true)
    }
}

/// The inside of the class that `\d` and its kin stand for: Go's `\s` has no vertical tab.
fn perl_class(name: char) -> Option<&'static str> {
    Some(match name {
        'd' => r"0-9",
        'D' => r"\x{0}-\x{2F}\x{3A}-\x{10FFFF}",
        's' => r"\x{9}\x{A}\x{C}\x{D}\x{20}",
        'S' => r"\x{0}-\x{8}\x{B}\x{E}-\x{1F}\x{21}-\x{10FFFF}",
        'w' => r"0-9A-Za-z\x{5F}",
        'W' => r"\x{0}-\x{2F}\x{3A}-\x{40}\x{5B}-\x{5E}\x{60}\x{7B}-\x{10FFFF}",
        _ => return None,
    })
}

/// Writes a character so that it can mean nothing but itself.
fn push_literal(out: &mut String, literal: char) {
    if literal.is_ascii() && !literal.is_ascii_alphanumeric() {
        _ = write!(out, "\\x{{{:X}}}", u32::from(literal));
    } else {
        out.push(literal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::Limit;

    fn compile(pattern: &[u8]) -> Result<Expression, CallError> {
        Expression::new(pattern, &mut Budget::default())
    }

    fn matches(pattern: &str, text: &str) -> bool {
        let expression = compile(pattern.as_bytes()).expect(pattern);
        expression
            .is_match(text.as_bytes(), &mut Budget::default())
            .expect(pattern)
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
            assert_eq!(matches(pattern, text), want, "{pattern} {text:?}");
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
            ("\\pZx", "invalid character class range: `\\pZ`"),
            (
                "a[\\p{Greek}]",
                "invalid character class range: `\\p{Greek}`",
            ),
            ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
            ("(?<n>a)", "invalid or unsupported Perl syntax: `(?<`"),
            ("(?i-)a", "invalid or unsupported Perl syntax: `(?i-)`"),
            ("(?P<n", "invalid named capture: `(?P<n`"),
            ("(?P<a b>c)", "invalid named capture: `(?P<a b>`"),
        ] {
            let want = CallError::failed(format!("error parsing regexp: {want}"));
            assert_eq!(compile(pattern.as_bytes()).err(), Some(want), "{pattern}");
        }
        assert!(compile(b"\xff").is_err());
        assert!(compile("(".repeat(100_000).as_bytes()).is_err());
        assert!(compile(".{900}".repeat(1000).as_bytes()).is_err());
    }

    #[test]
    fn replacing_expands_groups() {
        let replaced = |pattern: &str, text: &str, with: &str| {
            let expression = compile(pattern.as_bytes()).expect(pattern);
            let out =
                expression.replace_all(text.as_bytes(), with.as_bytes(), &mut Budget::default());
            String::from_utf8(out.expect(pattern)).expect(pattern)
        };
        for (pattern, text, with, want) in [
            ("(a)(b)?", "ab a", "<$1${2}>", "<ab> <a>"),
            ("(?P<x>\\d+)", "k12", "[$x]", "k[12]"),
            ("a", "aa", "$$", "$$"),
            ("(a)", "a", "$1x", ""),
            ("b*", "abc", "x", "xaxcx"),
            ("", "中", "-", "-中-"),
        ] {
            assert_eq!(replaced(pattern, text, with), want, "{pattern}");
        }
    }

    #[test]
    fn matching_is_charged() {
        let expression = compile(b"(a?){900}").expect("fits");
        let mut budget = Budget {
            steps: 1000,
            ..Budget::default()
        };
        assert_eq!(
            expression.is_match(&[b'a'; 100], &mut budget),
            Err(Limit::Steps.into())
        );
    }
}
