//! What a check has found: data until the end, then lines for people or JSON for machines.
//!
//! Knows neither TOML nor templates.

use std::fmt::Write as _;

use crate::tools::console::{self, Colour, Style};

const WIDTH: usize = 80;

/// The indent of further lines of a finding.
const INDENT: &str = "    ";

/// Makes the codes, and the list of them all.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        /// A kind of mistake; `docs/lint.md` has the words and the cure for each. E is an error, W a warning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// All of them, in order.
            #[cfg(test)]
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The code, as printed.
            pub fn name(self) -> &'static str {
                match self {
                    $(Code::$name => stringify!($name),)*
                }
            }
        }
    };
}

codes! {
    // Files and TOML.
    /// The TOML cannot be read.
    E101;
    /// A value has the wrong type.
    E102;
    /// The program refuses the file or a value in it.
    E103;
    /// A key means nothing.
    W104;
    /// One text where a list is meant.
    W105;
    /// The file begins with a byte order mark.
    W106;
    /// A shell will read the file, and its lines end in CRLF.
    E107;
    /// The file cannot be read.
    E108;
    /// The file in conf.d is not read.
    W109;
    // Resources.
    /// There is no such template.
    E201;
    /// Two resources make one file.
    E202;
    /// `mode` without its leading zero.
    W203;
    /// A command that is found by PATH only.
    W204;
    /// `dest` is not the absolute path of a file.
    E205;
    /// A `check_cmd` that does not look at the new file.
    W206;
    /// The resource's `prefix` is not used.
    W207;
    /// The `check_cmd` is no template that works.
    E208;
    /// The template reads metadata, and `keys` names none.
    E209;
    /// The program of a command does not exist.
    W210;
    /// The program of a command cannot be run.
    E211;
    /// Everybody can write to the file.
    W212;
    /// Everybody can read a secret in the file.
    W213;
    /// No resource uses the template.
    W214;
    // Templates.
    /// The template does not parse.
    E301;
    /// There is no such function.
    E302;
    /// A function gets too few or too many arguments.
    E303;
    /// A function gets an argument of the wrong type.
    E304;
    /// A variable or template that is nowhere defined.
    E305;
    /// A variable that only lives in its block.
    W306;
    /// A pattern or regular expression that cannot be read.
    E307;
    /// A `printf` whose verbs do not fit its arguments.
    E308;
    /// The time of day in a file.
    W309;
    /// A number that may print as `1e+06`.
    W310;
    /// A string is compared with `true` or `false`.
    E311;
    /// A condition that holds for the string "false".
    W312;
    /// A field that the value does not have.
    E313;
    /// A tab indents YAML.
    W314;
    // Keys of the metadata.
    /// `keys` does not cover the key.
    E401;
    /// The key has the prefix once more.
    E402;
    /// A directory where a value is meant.
    E403;
    /// The metadata has no such key.
    E404;
    /// The metadata has no such key, but one with nearly that name.
    W405;
    /// No key is ever written like this.
    E406;
    /// The pattern stops at a `/`.
    W407;
    /// The pattern matches nothing.
    W408;
    /// The recording has the prefix at its top.
    W409;
}

impl Code {
    /// Returns true if it sets the exit status to 1.
    pub fn is_error(self) -> bool {
        self.name().starts_with('E')
    }
}

/// One mistake and its place. Ordered by place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, as shown.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    pub code: Code,
    /// The mistake.
    pub message: String,
    /// The fix.
    pub help: String,
}

impl Finding {
    /// `file:line:col: CODE message` and the help below it, within 80 columns where words allow it.
    fn write(&self, style: Style, out: &mut String) {
        let Finding {
            file,
            line,
            column,
            code,
            message,
            help,
        } = self;
        let colour = if code.is_error() {
            Colour::Red
        } else {
            Colour::Yellow
        };
        let place = format!("{file}:{line}:{column}: ");
        out.push_str(&style.show(&place));
        out.push_str(&style.paint(colour, code.name()));
        let width = place.chars().count() + code.name().len();
        fill(width, &style.show(message), out);
        if !help.is_empty() {
            let (first, rest) = help.split_once(' ').unwrap_or((help, ""));
            let _ = write!(out, "{INDENT}{first}");
            fill(INDENT.len() + first.chars().count(), &style.show(rest), out);
        }
    }

    fn to_json(&self) -> serde_json::Value {
        let severity = if self.code.is_error() {
            "error"
        } else {
            "warning"
        };
        console::json_object(vec![
            ("file", self.file.as_str().into()),
            ("line", self.line.into()),
            ("column", self.column.into()),
            ("code", self.code.name().into()),
            ("severity", severity.into()),
            ("message", self.message.as_str().into()),
            ("help", self.help.as_str().into()),
        ])
    }
}

/// Writes words behind what already fills this much of a line, broken into lines.
fn fill(mut width: usize, words: &str, out: &mut String) {
    for word in words.split_whitespace() {
        let length = word.chars().count();
        if width + 1 + length > WIDTH {
            out.push('\n');
            out.push_str(INDENT);
            width = INDENT.len();
        } else {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += length;
    }
    out.push('\n');
}

/// All findings.
#[derive(Debug, Default)]
pub struct Report {
    /// In any order, some more than once.
    found: Vec<Finding>,
}

impl Report {
    /// Takes one more.
    pub fn add(&mut self, finding: Finding) {
        self.found.push(finding);
    }

    /// Returns true if this file has an error.
    pub fn has_error_in(&self, file: &str) -> bool {
        let mut errors = self.found.iter().filter(|found| found.code.is_error());
        errors.any(|found| found.file == file)
    }

    /// The findings, sorted, each once.
    pub fn findings(&self) -> Vec<&Finding> {
        let mut findings: Vec<&Finding> = self.found.iter().collect();
        findings.sort_unstable();
        findings.dedup();
        findings
    }

    /// The number of errors and of warnings.
    pub fn count(&self) -> (usize, usize) {
        let findings = self.findings();
        let errors = findings.iter().filter(|found| found.code.is_error());
        let errors = errors.count();
        (errors, findings.len() - errors)
    }

    /// Lines for people.
    pub fn to_text(&self, style: Style) -> String {
        let mut out = String::new();
        for finding in self.findings() {
            finding.write(style, &mut out);
        }
        out
    }

    /// A JSON list.
    pub fn to_json(&self) -> String {
        console::json_list(self.findings().into_iter().map(Finding::to_json))
    }

    /// The first error, or else the first warning, in one line.
    pub fn first(&self) -> Option<String> {
        let findings = self.findings();
        let error = findings.iter().find(|found| found.code.is_error());
        let worst = error.or(findings.first())?;
        let (line, column, code) = (worst.line, worst.column, worst.code.name());
        let place = format!("{}:{line}:{column}", worst.file);
        Some(format!("{place}: {code} {}", worst.message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(line: usize, code: Code, message: &str, help: &str) -> Finding {
        Finding {
            file: "conf.d/a.toml".to_owned(),
            line,
            column: 3,
            code,
            message: message.to_owned(),
            help: help.to_owned(),
        }
    }

    #[test]
    fn findings_come_sorted_once_and_within_80_columns() {
        let mut report = Report::default();
        let long = "word ".repeat(30);
        report.add(finding(20, Code::W104, "later", ""));
        report.add(finding(3, Code::E101, long.trim(), "do this"));
        report.add(finding(3, Code::E101, long.trim(), "do this"));
        let text = report.to_text(Style::default());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines.first().map(|line| &line[..26]),
            Some("conf.d/a.toml:3:3: E101 wo")
        );
        assert!(lines.iter().all(|line| line.len() <= 80), "{text}");
        assert_eq!(
            lines
                .iter()
                .filter(|line| !line.starts_with("    "))
                .count(),
            2
        );
        assert!(text.ends_with("    do this\nconf.d/a.toml:20:3: W104 later\n"));
        assert_eq!(report.count(), (1, 1));
        assert!(report.has_error_in("conf.d/a.toml") && !report.has_error_in("b"));
    }

    #[test]
    fn machines_get_one_list() {
        let mut report = Report::default();
        assert_eq!(report.to_json(), "[]\n");
        report.add(finding(1, Code::W104, "a \"b\"", "c"));
        report.add(finding(2, Code::E101, "d", ""));
        let read: serde_json::Value = serde_json::from_str(&report.to_json()).expect("JSON");
        assert_eq!(read[0]["severity"], "warning");
        assert_eq!(read[0]["message"], "a \"b\"");
        assert_eq!(read[1]["code"], "E101");
        assert_eq!(read[1]["line"], 2);
    }

    #[test]
    fn every_code_has_its_words_and_cure() {
        let english = include_str!("../../../docs/lint.md");
        let chinese = include_str!("../../../docs/lint.zh-CN.md");
        let codes: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        for (guide, cure) in [(english, "\nCure: "), (chinese, "\n处理办法：")] {
            let titles = guide.lines().filter_map(|line| line.strip_prefix("### "));
            let described: Vec<&str> = titles
                .map(|title| title.split_once(' ').map_or(title, |(code, _)| code))
                .collect();
            assert_eq!(described, codes);
            for chapter in guide.split("\n### ").skip(1) {
                assert!(chapter.contains(cure), "no cure in\n{chapter}");
            }
        }
    }
}
