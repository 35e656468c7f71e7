//! Random templates by the grammar of the language: most of them parse, many of them execute, some
//! are monstrous.

use super::choices::Choices;
use super::words::{
    FIELDS, FUNCTIONS, GLOBS, JSONS, Kind, METHODS, NUMBERS, ODDITIES, PATHS, REGEXES, Signature,
    TEXTS, WORDS,
};
use Kind::{Any, Bool, Glob, Json, List, Map, Number, Path, Regex, Rest, Strings, Text, Time};

/// How deep blocks and expressions of one template nest.
const DEEPEST: usize = 5;

/// A random template.
pub(crate) fn template(choices: &mut impl Choices) -> String {
    if choices.one_in(12) {
        return monster(choices);
    }
    let mut writer = Writer {
        choices,
        out: String::new(),
        variables: Vec::new(),
        depth: 0,
        defined: 0,
        ranges: 0,
        size: 0,
    };
    writer.body();
    writer.out
}

/// Templates that nobody would write: very deep, very long, or without an end.
fn monster(choices: &mut impl Choices) -> String {
    // The longest are the rarest: they take their time.
    let count = 10_usize.pow(1 + choices.below(5).min(choices.below(5)) as u32);
    let repeated = |text: &str| text.repeat(count);
    let nested = |open: &str, middle: &str, close: &str| {
        format!("{}{middle}{}", open.repeat(count), close.repeat(count))
    };
    match choices.below(22) {
        0 => format!("{{{{{}}}}}", nested("(", "1", ")")),
        1 => nested("{{if 1}}", "x", "{{end}}"),
        2 => repeated("{{if 1}}"),
        3 => nested("{{range $i, $v := ls \"/p\"}}", "x", "{{end}}"),
        4 => format!("{{{{.{}}}}}", repeated(".a")),
        5 => format!("{{{{1{}}}}}", repeated("|print")),
        6 => format!("{{{{print {}}}}}", repeated("1 ")),
        7 => "{{define \"t\"}}{{template \"t\"}}{{end}}{{template \"t\"}}".to_owned(),
        8 => "{{define \"t\"}}{{template \"t\" .}}{{template \"t\" .}}{{end}}{{template \"t\" 1}}"
            .to_owned(),
        9 => "{{$x := \"xx\"}}{{range seq 1 1000}}{{$x = printf \"%s%s\" $x $x}}{{end}}{{$x}}"
            .to_owned(),
        10 => "{{$x := list}}{{range seq 1 1000}}{{$x = list $x $x}}{{end}}{{$x}}".to_owned(),
        11 => {
            "{{$x := dict}}{{range seq 1 1000}}{{$x = dict \"a\" $x \"b\" $x}}{{end}}{{toJson $x}}"
                .to_owned()
        }
        12 => "{{range 1000000000}}{{range 1000000000}}{{end}}{{end}}".to_owned(),
        13 => format!("{{{{{}}}}}", nested("print (", "1", ")")),
        14 => format!("{{{{\"{}\"}}}}", repeated("\\u4e2d")),
        15 => format!("{{{{printf \"{}\" 1}}}}", repeated("%99999d")),
        16 => format!("{{{{define \"{}\"}}}}{{{{end}}}}", repeated("x")),
        17 => {
            format!("{{{{range seq 1 {count}}}}}{{{{range seq 1 {count}}}}}.{{{{end}}}}{{{{end}}}}")
        }
        18 => format!("{{{{repeat {count}00000 \"x\"}}}}"),
        19 => format!("{{{{fromJson \"{}\"}}}}", nested("[", "", "]")),
        20 => format!("{{{{with {}}}}}x{{{{end}}}}", repeated("$x := ")),
        _ => nested("{{/*", "", "*/}}"),
    }
}

struct Writer<'c, C> {
    choices: &'c mut C,
    out: String,
    variables: Vec<String>,
    depth: usize,
    defined: usize,
    /// Ranges around here; a define begins anew.
    ranges: usize,
    /// Expressions and actions written so far.
    size: usize,
}

impl<C: Choices> Writer<'_, C> {
    /// Whether there is room for something that nests.
    fn may_nest(&self) -> bool {
        self.depth < DEEPEST && self.size < 200
    }

    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn put_one_of(&mut self, texts: &[&str]) {
        let text = self.choices.pick(texts);
        self.put(text);
    }

    fn body(&mut self) {
        self.depth += 1;
        let known = self.variables.len();
        for _ in 0..1 + self.choices.below(5) {
            self.put_one_of(WORDS);
            self.action();
        }
        self.variables.truncate(known);
        self.depth -= 1;
    }

    fn open(&mut self) {
        self.size += 1;
        self.put_one_of(&["{{", "{{", "{{", "{{- ", "{{ "]);
    }

    fn close(&mut self) {
        self.put_one_of(&["}}", "}}", "}}", " -}}", "\n}}"]);
    }

    fn keyword(&mut self, text: &str) {
        self.open();
        self.put(text);
        self.close();
    }

    fn action(&mut self) {
        match self.choices.below(if self.may_nest() { 16 } else { 7 }) {
            0 => self.put("{{/* comment */}}"),
            1 => self.declare(),
            2 if !self.variables.is_empty() => self.assign(),
            3 if self.ranges > 0 || self.choices.one_in(30) => {
                self.keyword(["break", "continue"][self.depth % 2]);
            }
            7..=9 => self.branch("if"),
            10..=12 => self.branch("range"),
            13 => self.branch("with"),
            14 if self.depth == 1 || self.choices.one_in(30) => self.define(),
            15 => self.call_template(),
            _ => {
                self.open();
                self.pipeline(Any);
                self.close();
            }
        }
    }

    fn variable(&mut self) -> String {
        format!("$v{}", self.choices.below(6))
    }

    fn declare(&mut self) {
        self.open();
        let name = self.variable();
        self.put(&format!("{name} := "));
        self.pipeline(Any);
        // Known from here on; its own value cannot use it.
        self.variables.push(name);
        self.close();
    }

    fn assign(&mut self) {
        self.open();
        let name = self.variables[self.choices.below(self.variables.len())].clone();
        self.put(&format!("{name} = "));
        self.pipeline(Any);
        self.close();
    }

    fn branch(&mut self, word: &str) {
        let known = self.variables.len();
        self.open();
        self.put(word);
        self.put(" ");
        let mut declared = Vec::new();
        if self.choices.one_in(3) {
            let pair = word == "range" && self.choices.one_in(2);
            declared = (0..if pair { 2 } else { 1 })
                .map(|_| self.variable())
                .collect();
            self.put(&declared.join(", "));
            self.put(" := ");
        }
        let kind = match word {
            "range" => [Strings, List, Map, Number][self.choices.below(4)],
            _ => Any,
        };
        self.pipeline(kind);
        self.variables.append(&mut declared);
        self.close();
        self.ranges += usize::from(word == "range");
        self.body();
        self.ranges -= usize::from(word == "range");
        self.otherwise(word);
        self.keyword("end");
        self.variables.truncate(known);
    }

    fn otherwise(&mut self, word: &str) {
        if word != "range" && self.choices.one_in(3) {
            self.open();
            self.put(&format!("else {word} "));
            self.pipeline(Any);
            self.close();
            self.body();
        }
        if self.choices.one_in(3) {
            self.keyword("else");
            self.body();
        }
    }

    fn define(&mut self) {
        let block = self.choices.one_in(3);
        let name = self.defined;
        self.defined += 1;
        if block {
            self.put(&format!("{{{{block \"t{name}\" "));
            self.pipeline(Any);
            self.put("}}");
        } else {
            self.put(&format!("{{{{define \"t{name}\"}}}}"));
        }
        let known = std::mem::take(&mut self.variables);
        self.body();
        self.variables = known;
        self.keyword("end");
    }

    fn call_template(&mut self) {
        let count = self.defined + usize::from(self.choices.one_in(20));
        if count == 0 {
            return;
        }
        let name = self.choices.below(count);
        self.put(&format!("{{{{template \"t{name}\" "));
        self.pipeline(Any);
        self.put("}}");
    }

    fn pipeline(&mut self, kind: Kind) {
        self.expression(kind, false);
        while self.may_nest() && self.choices.one_in(4) {
            self.put(" | ");
            let (name, _) = &FUNCTIONS[self.choices.below(FUNCTIONS.len())];
            self.put(name);
            if self.choices.one_in(2) {
                self.put(" ");
                self.expression(Any, true);
            }
        }
    }

    /// A value; as an argument, a call stands in parentheses.
    fn expression(&mut self, kind: Kind, argument: bool) {
        self.size += 1;
        let kind = if self.choices.one_in(10) { Any } else { kind };
        if self.may_nest() && self.choices.one_in(2) {
            self.depth += 1;
            if argument {
                self.put("(");
            }
            self.call(kind);
            if argument {
                self.put(")");
                if self.choices.one_in(8) {
                    self.put_one_of(FIELDS);
                }
            }
            self.depth -= 1;
            return;
        }
        self.operand(kind);
    }

    fn call(&mut self, kind: Kind) {
        if kind == Time || self.choices.one_in(40) {
            self.put("datetime.");
            let (name, kinds) = METHODS[self.choices.below(METHODS.len())];
            return self.call_with(name, kinds);
        }
        let wanted = match kind {
            Strings => self
                .choices
                .pick(&["ls", "getvs", "split", "lsdir", "filter", "reverse", "gets"]),
            List => self
                .choices
                .pick(&["list", "jsonArray", "seq", "append", "values"]),
            Map => self.choices.pick(&["map", "json", "dict", "fromJson"]),
            _ => "",
        };
        let known: Vec<&Signature> = FUNCTIONS
            .iter()
            .filter(|(name, _)| wanted.is_empty() || *name == wanted)
            .collect();
        let (name, kinds) = known[self.choices.below(known.len())];
        self.call_with(name, kinds);
    }

    fn call_with(&mut self, name: &str, kinds: &[Kind]) {
        self.put(name);
        let mut count = kinds.len();
        if self.choices.one_in(20) {
            count = self.choices.below(5);
        }
        for place in 0..count {
            let kind = kinds.get(place).copied().unwrap_or(Any);
            if kind == Rest {
                for _ in 0..self.choices.below(4) {
                    self.put(" ");
                    self.expression(Any, true);
                }
            } else {
                self.put(" ");
                self.expression(kind, true);
            }
        }
    }

    fn operand(&mut self, kind: Kind) {
        if !self.variables.is_empty() && self.choices.one_in(3) {
            let name = self.variables[self.choices.below(self.variables.len())].clone();
            self.put(&name);
            if self.choices.one_in(4) {
                self.put_one_of(FIELDS);
            }
            return;
        }
        match kind {
            Path => self.quoted(PATHS),
            Glob => self.quoted(GLOBS),
            Text => self.quoted(TEXTS),
            Regex => self.quoted(REGEXES),
            Json => self.quoted(JSONS),
            Number => self.put_one_of(NUMBERS),
            Bool => self.put_one_of(&["true", "false"]),
            Strings => self.put("(ls \"/p\")"),
            List => self.put("(list 1 \"a\" nil)"),
            Map => self.put("(map \"a\" 1)"),
            Time => self.put("datetime"),
            Any | Rest => match self.choices.below(24) {
                0 if self.choices.one_in(3) => self.put_one_of(FIELDS),
                1 if self.choices.one_in(12) => self.put_one_of(ODDITIES),
                2..=4 => self.put_one_of(&["true", "$", "datetime", "'a'", "`raw\n\\`"]),
                5..=7 => self.quoted(TEXTS),
                8..=10 => self.put_one_of(NUMBERS),
                11..=13 => self.quoted(PATHS),
                14 => self.put("(list 1 nil (map))"),
                15 => self.put("(gets \"/*/*\")"),
                16 => self.put("(json \"{\\\"a\\\":{\\\"b\\\":[1,null]}}\")"),
                _ => self.put("."),
            },
        }
    }

    fn quoted(&mut self, texts: &[&str]) {
        let text = self.choices.pick(texts);
        self.put(&format!("\"{text}\""));
    }
}
