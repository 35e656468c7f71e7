//! Reads Go's syntax (RE2 with Perl's flags) and makes the program, in one pass: every group that
//! is open has the code of its branches, and an operator works on the code of the last operand.

use super::class::Class;
use super::first::FirstBytes;
use super::program::{Assertion, Code, Inst, Repeat, alternate};
use super::{Error, Regexp};
use crate::go::unicode;

/// The largest count in `x{n,m}`, also multiplied over nested ones: Go's limit.
const MAX_REPEAT: u32 = 1000;
/// How deep operators and groups may nest: Go's limit.
const MAX_HEIGHT: u32 = 1000;
/// The groups that may be open at once: those without a number do not count as height in Go.
const MAX_OPEN: usize = 1 << 16;
/// The instructions that a program may have.
const MAX_CODE: usize = 1 << 18;
/// The instructions times the slots that a program may have: what its threads may take.
const MAX_THREADS: usize = 1 << 22;
/// The bytes that a program's classes may take.
const MAX_CLASSES: usize = 4 << 20;

type Result<T> = std::result::Result<T, Error>;

/// The flags of a part of the expression.
#[derive(Clone, Copy, Default)]
struct Flags {
    /// `i`
    fold: bool,
    /// `m`
    lines: bool,
    /// `s`
    dot_newline: bool,
    /// `U`
    lazy: bool,
}

impl Flags {
    fn set(&mut self, name: char, on: bool) -> bool {
        match name {
            'i' => self.fold = on,
            'm' => self.lines = on,
            's' => self.dot_newline = on,
            'U' => self.lazy = on,
            _ => return false,
        }
        true
    }
}

/// The properties of a piece of the expression.
#[derive(Clone, Copy, Default)]
struct Shape {
    /// True if it may match nothing.
    nullable: bool,
    /// The height of its tree.
    height: u32,
    /// The highest product of nested counts in it.
    repeat: u32,
}

/// A group that is open, or the whole expression.
struct Group {
    /// Its number, if it is remembered.
    number: Option<u32>,
    /// The flags around it.
    flags: Flags,
    /// The branches before the one that is read, and their shapes as one.
    branches: Vec<Code>,
    shapes: Option<Shape>,
    /// The branch that is read: its code, and the shape of all but the last operand.
    code: Code,
    shape: Option<Shape>,
    /// Where the last operand begins in the code, and its shape; none at the start of a branch.
    last: Option<(usize, Shape)>,
}

impl Group {
    fn new(number: Option<u32>, flags: Flags) -> Group {
        Group {
            number,
            flags,
            branches: Vec::new(),
            shapes: None,
            code: Code::new(),
            shape: None,
            last: None,
        }
    }

    fn push(&mut self, code: &[Inst], shape: Shape) {
        if let Some((_, last)) = self.last {
            self.shape = Some(match self.shape {
                None => last,
                Some(before) => Shape {
                    nullable: before.nullable && last.nullable,
                    height: before.height.max(last.height),
                    repeat: before.repeat.max(last.repeat),
                },
            });
        }
        self.last = Some((self.code.len(), shape));
        self.code.extend_from_slice(code);
    }

    /// Ends a branch.
    fn bar(&mut self) {
        let nothing = Shape {
            nullable: true,
            height: 1,
            repeat: 1,
        };
        let branch = match (self.shape.take(), self.last.take()) {
            (Some(before), Some((_, last))) => Shape {
                nullable: before.nullable && last.nullable,
                height: 1 + before.height.max(last.height),
                repeat: before.repeat.max(last.repeat),
            },
            (None, Some((_, only))) => only,
            (_, None) => nothing,
        };
        self.shapes = Some(match self.shapes {
            None => branch,
            Some(others) => Shape {
                nullable: others.nullable || branch.nullable,
                height: others.height.max(branch.height),
                repeat: others.repeat.max(branch.repeat),
            },
        });
        self.branches.push(std::mem::take(&mut self.code));
    }

    /// All of it as one operand.
    fn finish(mut self) -> (Code, Shape) {
        self.bar();
        let mut shape = self.shapes.unwrap_or_default();
        shape.height += u32::from(self.branches.len() > 1);
        let mut code = alternate(self.branches);
        if let Some(number) = self.number {
            shape.height += 1;
            code.insert(0, Inst::Save(2 * number));
            code.push(Inst::Save(2 * number + 1));
        }
        (code, shape)
    }
}

/// Reads an expression and makes its program.
pub(super) fn parse(pattern: &str) -> Result<Regexp> {
    let mut reader = Reader {
        pattern,
        rest: pattern,
        flags: Flags::default(),
        open: Vec::new(),
        group: Group::new(Some(0), Flags::default()),
        names: vec![None],
        classes: Vec::new(),
        classes_size: 0,
        repeated: None,
    };
    reader.read()?;
    reader.finish()
}

struct Reader<'p> {
    pattern: &'p str,
    rest: &'p str,
    flags: Flags,
    open: Vec<Group>,
    group: Group,
    /// The groups' names, by number.
    names: Vec<Option<String>>,
    classes: Vec<Class>,
    classes_size: usize,
    /// The rest of the pattern from the last repetition on, when nothing came after it.
    repeated: Option<&'p str>,
}

impl<'p> Reader<'p> {
    fn finish(self) -> Result<Regexp> {
        let slots = 2 * self.names.len();
        let (mut code, _) = self.group.finish();
        code.push(Inst::Match);
        if code.len().saturating_mul(slots) > MAX_THREADS {
            return Err(Error::new("expression too large", self.pattern));
        }
        Ok(Regexp {
            anchored: code.get(1) == Some(&Inst::Assert(Assertion::BeginText)),
            first: FirstBytes::of(&code, &self.classes),
            code,
            classes: self.classes,
            names: self.names,
        })
    }

    /// The part of the pattern from `from` to where the reader is.
    fn since(&self, from: &'p str) -> &'p str {
        from.get(..from.len() - self.rest.len()).unwrap_or(from)
    }

    fn error<T>(&self, problem: &'static str, from: &'p str) -> Result<T> {
        Err(Error::new(problem, self.since(from)))
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
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

    fn read(&mut self) -> Result<()> {
        loop {
            let (start, repeated) = (self.rest, self.repeated.take());
            let Some(found) = self.next() else { break };
            match found {
                '(' if self.rest.starts_with('?') => self.flags(start)?,
                '(' => self.enter_numbered(None)?,
                ')' => self.leave()?,
                '|' => self.group.bar(),
                '^' if self.flags.lines => self.assert(Assertion::BeginLine)?,
                '^' => self.assert(Assertion::BeginText)?,
                '$' if self.flags.lines => self.assert(Assertion::EndLine)?,
                '$' => self.assert(Assertion::EndText)?,
                '.' if self.flags.dot_newline => self.single(Inst::Any)?,
                '.' => self.single(Inst::AnyButNewline)?,
                '[' => self.class(start)?,
                '*' => self.repeat(start, repeated, (0, None))?,
                '+' => self.repeat(start, repeated, (1, None))?,
                '?' => self.repeat(start, repeated, (0, Some(1)))?,
                '{' => match self.counts() {
                    Some(counts) => self.repeat(start, repeated, counts)?,
                    None => self.literal('{'.into())?,
                },
                '\\' => self.backslash(start)?,
                literal => self.literal(literal.into())?,
            }
        }
        if self.open.is_empty() {
            Ok(())
        } else {
            Err(Error::new("missing closing )", self.pattern))
        }
    }

    fn push(&mut self, code: &[Inst], shape: Shape) -> Result<()> {
        if shape.height > MAX_HEIGHT {
            return Err(Error::new("expression nests too deeply", self.pattern));
        }
        if self.group.code.len() + code.len() > MAX_CODE {
            return Err(Error::new("expression too large", self.pattern));
        }
        self.group.push(code, shape);
        Ok(())
    }

    /// A piece of one instruction that takes a character.
    fn single(&mut self, inst: Inst) -> Result<()> {
        let shape = Shape {
            nullable: false,
            height: 1,
            repeat: 1,
        };
        self.push(&[inst], shape)
    }

    fn assert(&mut self, assertion: Assertion) -> Result<()> {
        let shape = Shape {
            nullable: true,
            height: 1,
            repeat: 1,
        };
        self.push(&[Inst::Assert(assertion)], shape)
    }

    fn literal(&mut self, code: u32) -> Result<()> {
        if self.flags.fold && unicode::simple_fold(code) != code {
            let mut class = Class::default();
            class.add(code, code, true);
            return self.push_class(class.finish());
        }
        self.single(Inst::Char(code))
    }

    fn push_class(&mut self, class: Class) -> Result<()> {
        let known = self.classes.iter().position(|other| *other == class);
        let index = known.unwrap_or(self.classes.len());
        if known.is_none() {
            self.classes_size += class.size();
            self.classes.push(class);
        }
        if self.classes_size > MAX_CLASSES {
            return Err(Error::new("expression too large", self.pattern));
        }
        self.single(Inst::Class(index as u32))
    }

    fn enter(&mut self, number: Option<u32>) -> Result<()> {
        if self.open.len() >= MAX_OPEN {
            return Err(Error::new("expression nests too deeply", self.pattern));
        }
        let outer = std::mem::replace(&mut self.group, Group::new(number, self.flags));
        self.open.push(outer);
        Ok(())
    }

    fn enter_numbered(&mut self, name: Option<String>) -> Result<()> {
        let number = self.names.len() as u32;
        self.names.push(name);
        self.enter(Some(number))
    }

    fn leave(&mut self) -> Result<()> {
        let Some(outer) = self.open.pop() else {
            return Err(Error::new("unexpected )", self.pattern));
        };
        let inner = std::mem::replace(&mut self.group, outer);
        self.flags = inner.flags;
        let (code, shape) = inner.finish();
        self.push(&code, shape)
    }

    /// `(?i)`, `(?i:` and `(?P<name>`; the parenthesis has been read.
    fn flags(&mut self, start: &'p str) -> Result<()> {
        self.accept("?");
        for opening in ["P<", "<"] {
            if self.rest.starts_with(opening) && self.rest.len() > opening.len() {
                self.accept(opening);
                return self.named(start);
            }
        }
        let mut flags = self.flags;
        let (mut negated, mut any) = (false, false);
        while let Some(found) = self.next() {
            match found {
                '-' if !negated => (negated, any) = (true, false),
                ':' if !negated || any => {
                    self.enter(None)?;
                    self.flags = flags;
                    return Ok(());
                }
                ')' if !negated || any => {
                    self.flags = flags;
                    return Ok(());
                }
                name if flags.set(name, !negated) => any = true,
                _ => break,
            }
        }
        self.error("invalid or unsupported Perl syntax", start)
    }

    /// The name of a group, up to its `>`. Two groups may have the same.
    fn named(&mut self, start: &'p str) -> Result<()> {
        let Some((name, after)) = self.rest.split_once('>') else {
            return Err(Error::new("invalid named capture", start));
        };
        self.rest = after;
        let is_word = |found: char| found.is_ascii_alphanumeric() || found == '_';
        if name.is_empty() || !name.chars().all(is_word) {
            return self.error("invalid named capture", start);
        }
        self.enter_numbered(Some(name.to_owned()))
    }

    /// Repeats the last operand; the operator has been read, except a `?` behind it.
    fn repeat(
        &mut self,
        start: &'p str,
        before: Option<&'p str>,
        (min, max): (u32, Option<u32>),
    ) -> Result<()> {
        let counted = start.starts_with('{');
        if counted && (min > MAX_REPEAT || max.is_some_and(|max| max > MAX_REPEAT || min > max)) {
            return self.error("invalid repeat count", start);
        }
        let greedy = self.accept("?") == self.flags.lazy;
        if let Some(before) = before {
            return self.error("invalid nested repetition operator", before);
        }
        let Some((from, shape)) = self.group.last else {
            return self.error("missing argument to repetition operator", start);
        };
        let times = max.unwrap_or(min);
        let product = match (counted, times) {
            (true, 0) => 1,
            (true, _) => shape.repeat.saturating_mul(times),
            (false, _) => shape.repeat,
        };
        if counted && (min >= 2 || times >= 2) && product > MAX_REPEAT {
            return self.error("invalid repeat count", start);
        }
        let repeat = Repeat {
            min,
            max,
            greedy,
            nullable: shape.nullable,
        };
        let shape = Shape {
            nullable: shape.nullable || min == 0,
            height: shape.height + 1,
            repeat: product,
        };
        self.replace_last(from, repeat, shape)?;
        self.repeated = Some(start);
        Ok(())
    }

    fn replace_last(&mut self, from: usize, repeat: Repeat, shape: Shape) -> Result<()> {
        let operand = self.group.code.split_off(from);
        if from.saturating_add(repeat.size(operand.len())) > MAX_CODE {
            return Err(Error::new("expression too large", self.pattern));
        }
        if shape.height > MAX_HEIGHT {
            return Err(Error::new("expression nests too deeply", self.pattern));
        }
        self.group.code.extend(repeat.apply(&operand));
        self.group.last = Some((from, shape));
        Ok(())
    }

    /// `n}`, `n,}` or `n,m}`; anything else leaves the brace a literal. Too large numbers stay too
    /// large.
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
    fn backslash(&mut self, start: &'p str) -> Result<()> {
        if self.accept("Q") {
            let (quoted, after) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
            self.rest = after;
            return quoted
                .chars()
                .try_for_each(|found| self.literal(found.into()));
        }
        let assertion = match self.peek() {
            Some('A') => Some(Assertion::BeginText),
            Some('z') => Some(Assertion::EndText),
            Some('b') => Some(Assertion::WordBoundary),
            Some('B') => Some(Assertion::NoWordBoundary),
            _ => None,
        };
        if let Some(assertion) = assertion {
            self.next();
            return self.assert(assertion);
        }
        let mut class = Class::default();
        if self.named_class(start, &mut class)? {
            return self.push_class(class.finish());
        }
        let literal = self.escape(start)?;
        self.literal(literal)
    }

    /// `\d` and its kin, `\pL`, `\p{Greek}`; the backslash has been read. False for anything else.
    fn named_class(&mut self, start: &'p str, class: &mut Class) -> Result<bool> {
        let Some(name) = self.peek() else {
            return Ok(false);
        };
        if matches!(name, 'p' | 'P') {
            self.next();
            self.unicode_class(start, name == 'P', class)?;
            return Ok(true);
        }
        let Some(ranges) = perl_class(name.to_ascii_lowercase()) else {
            return Ok(false);
        };
        self.next();
        class.add_class(ranges, name.is_ascii_uppercase(), self.flags.fold);
        Ok(true)
    }

    fn unicode_class(&mut self, start: &'p str, negated: bool, class: &mut Class) -> Result<()> {
        let name = if self.accept("{") {
            let Some((name, after)) = self.rest.split_once('}') else {
                return Err(Error::new("invalid character class range", start));
            };
            self.rest = after;
            name
        } else {
            let rest = self.rest;
            self.next();
            self.since(rest)
        };
        let (negated, name) = match name.strip_prefix('^') {
            Some(name) => (!negated, name),
            None => (negated, name),
        };
        if name == "Any" {
            class.add_class(&[(0, unicode::MAX)], negated, false);
            return Ok(());
        }
        let Some(ranges) = unicode::ranges(name) else {
            return self.error("invalid character class range", start);
        };
        class.add_class(&ranges, negated, self.flags.fold);
        Ok(())
    }

    /// The character that an escape stands for; the backslash has been read.
    fn escape(&mut self, start: &'p str) -> Result<u32> {
        let Some(found) = self.next() else {
            return Err(Error::new("trailing backslash at end of expression", ""));
        };
        let octal_next = self.peek().is_some_and(|c| c.is_digit(8));
        let code = match found {
            // One digit alone would be a back-reference, which there is not.
            '0'..='7' if found == '0' || octal_next => Some(self.octal(found)),
            'x' => self.hex(),
            'a' => Some(0x07),
            'f' => Some(0x0c),
            'n' => Some(0x0a),
            'r' => Some(0x0d),
            't' => Some(0x09),
            'v' => Some(0x0b),
            other if other.is_ascii() && !other.is_ascii_alphanumeric() => Some(other.into()),
            _ => None,
        };
        match code {
            Some(code) => Ok(code),
            None => self.error("invalid escape sequence", start),
        }
    }

    /// At most three digits, of which the first has been read.
    fn octal(&mut self, first: char) -> u32 {
        let mut number = first.to_digit(8).unwrap_or(0);
        for _ in 0..2 {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else {
                break;
            };
            number = number * 8 + digit;
            self.next();
        }
        number
    }

    /// `7F` or `{10FFFF}`
    fn hex(&mut self) -> Option<u32> {
        if !self.accept("{") {
            let (high, low) = (self.next()?, self.next()?);
            return Some(high.to_digit(16)? * 16 + low.to_digit(16)?);
        }
        let (mut number, mut digits) = (0, 0);
        loop {
            match self.next()? {
                '}' => return (digits > 0).then_some(number),
                digit => number = number * 16 + digit.to_digit(16)?,
            }
            if number > unicode::MAX {
                return None;
            }
            digits += 1;
        }
    }

    /// A class; its bracket has been read.
    fn class(&mut self, start: &'p str) -> Result<()> {
        let negated = self.accept("^");
        let mut class = Class::default();
        let mut first = true;
        while first || !self.rest.starts_with(']') {
            first = false;
            self.class_item(start, &mut class)?;
        }
        self.accept("]");
        let class = class.finish();
        self.push_class(if negated { class.negated() } else { class })
    }

    fn class_item(&mut self, start: &'p str, class: &mut Class) -> Result<()> {
        let item = self.rest;
        if self.posix_class(class)? {
            return Ok(());
        }
        if self.accept("\\") {
            if self.named_class(item, class)? {
                return Ok(());
            }
            self.rest = item;
        }
        let low = self.class_character(start)?;
        let mut high = low;
        if self.rest.len() >= 2 && self.rest.starts_with('-') && !self.rest.starts_with("-]") {
            self.accept("-");
            high = self.class_character(start)?;
            if high < low {
                return self.error("invalid character class range", item);
            }
        }
        class.add(low, high, self.flags.fold);
        Ok(())
    }

    fn class_character(&mut self, class: &'p str) -> Result<u32> {
        let start = self.rest;
        match self.next() {
            Some('\\') => self.escape(start),
            Some(found) => Ok(found.into()),
            None => Err(Error::new("missing closing ]", class)),
        }
    }

    /// `[:alpha:]` and its kin.
    fn posix_class(&mut self, class: &mut Class) -> Result<bool> {
        let start = self.rest;
        let Some(inside) = start.strip_prefix("[:") else {
            return Ok(false);
        };
        let Some((name, after)) = inside.split_once(":]") else {
            return Ok(false);
        };
        self.rest = after;
        let (negated, plain) = match name.strip_prefix('^') {
            Some(plain) => (true, plain),
            None => (false, name),
        };
        let Some(ranges) = posix_class(plain) else {
            return self.error("invalid character class range", start);
        };
        class.add_class(ranges, negated, self.flags.fold);
        Ok(true)
    }
}

type Ranges = &'static [(u32, u32)];

/// The characters of `\d`, `\s` and `\w`: Go's `\s` has no vertical tab.
fn perl_class(name: char) -> Option<Ranges> {
    Some(match name {
        'd' => &[(0x30, 0x39)],
        's' => &[(0x09, 0x0a), (0x0c, 0x0d), (0x20, 0x20)],
        'w' => &[(0x30, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7a)],
        _ => return None,
    })
}

fn posix_class(name: &str) -> Option<Ranges> {
    Some(match name {
        "alnum" => &[(0x30, 0x39), (0x41, 0x5a), (0x61, 0x7a)],
        "alpha" => &[(0x41, 0x5a), (0x61, 0x7a)],
        "ascii" => &[(0, 0x7f)],
        "blank" => &[(0x09, 0x09), (0x20, 0x20)],
        "cntrl" => &[(0, 0x1f), (0x7f, 0x7f)],
        "digit" => &[(0x30, 0x39)],
        "graph" => &[(0x21, 0x7e)],
        "lower" => &[(0x61, 0x7a)],
        "print" => &[(0x20, 0x7e)],
        "punct" => &[(0x21, 0x2f), (0x3a, 0x40), (0x5b, 0x60), (0x7b, 0x7e)],
        "space" => &[(0x09, 0x0d), (0x20, 0x20)],
        "upper" => &[(0x41, 0x5a)],
        "word" => &[(0x30, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7a)],
        "xdigit" => &[(0x30, 0x39), (0x41, 0x46), (0x61, 0x66)],
        _ => return None,
    })
}
