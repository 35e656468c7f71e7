//! The codes of mistakes. `docs/lint.md` explains each.

use crate::tools::console;
use crate::tools::finding::{Finding, Place, Severity};

/// Defines the codes and the list of all of them.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        /// The kinds of mistakes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// All of them, in order.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The code, as printed.
            pub(crate) fn name(self) -> &'static str {
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
    /// The owner or group does not exist.
    E215;
    /// The owner or group does not exist on a machine that may not be the image.
    W216;
    /// A key without an effect.
    W217;
    /// A group of resources with the name of a group of users.
    W218;
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
    /// Full-width braces around what is meant as an action.
    W315;
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
    /// The weight of the mistake: E is an error, W a warning.
    pub(super) fn severity(self) -> Severity {
        if self.name().starts_with('E') {
            Severity::Error
        } else {
            Severity::Warning
        }
    }

    /// A mistake of this kind at `place`.
    pub(super) fn at(
        self,
        place: Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Finding {
        Finding {
            place: Some(place),
            code: self.name(),
            severity: self.severity(),
            message: one_line(&message.into()),
            help: one_line(&help.into()),
        }
    }
}

/// A finding is one line, even if the files have line breaks where there should be none.
fn one_line(text: &str) -> String {
    console::spelled_out(text, |found| !found.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_documented_with_its_cure() {
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
