//! The output of the tools for people: colours, lines of the terminal's width, and a word on stderr
//! when something takes long.
//!
//! Knows nothing of what is printed, except that it may come from somebody who wants to play with
//! the terminal.

use std::env;
use std::ffi::OsString;
use std::fmt::{Display, Write as _};
use std::io::{self, ErrorKind, IsTerminal, Write as _};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread::Builder;
use std::time::Duration;

use crate::cli::Args;
use crate::error::{Error, Result};
use crate::platform;

/// The columns of a terminal that does not say how many it has.
const WIDTH: usize = 80;
/// The fewest columns that lines are wrapped to.
const NARROWEST: usize = 40;
/// The time after which a wait is reported.
const NOTICE_AFTER: Duration = Duration::from_secs(1);

/// A colour of text, or its weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    Bold,
    Red,
    Green,
    Yellow,
    Cyan,
}

impl Colour {
    /// The parameter of ECMA-48's SGR.
    fn code(self) -> u8 {
        match self {
            Colour::Bold => 1,
            Colour::Red => 31,
            Colour::Green => 32,
            Colour::Yellow => 33,
            Colour::Cyan => 36,
        }
    }
}

/// The form of what is printed, which depends on where stdout goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// With colours.
    colours: bool,
    /// With control characters spelt out.
    escapes: bool,
    /// The columns to wrap lines to; none for lines that are left whole.
    width: Option<usize>,
}

impl Style {
    /// For a terminal: lines of its width, and colours, unless `NO_COLOR` is set (no-color.org) or
    /// it has none. For anything else: whole lines, which grep can search, and plain bytes.
    pub fn of_stdout() -> Style {
        let terminal = io::stdout().is_terminal();
        let columns = terminal.then(platform::terminal_columns).flatten();
        Style::new(terminal, columns, |name| env::var_os(name))
    }

    /// Plain lines of this width.
    #[cfg(test)]
    pub fn of_width(width: usize) -> Style {
        Style {
            width: Some(width),
            ..Style::default()
        }
    }

    fn new(
        terminal: bool,
        columns: Option<usize>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Style {
        let unwanted = variable("NO_COLOR").is_some_and(|text| !text.is_empty());
        let unable = !platform::HAS_COLOURS || variable("TERM").is_some_and(|term| term == "dumb");
        let asked = variable("COLUMNS").and_then(|text| text.to_str()?.parse().ok());
        let width = asked.or(columns).unwrap_or(WIDTH).max(NARROWEST);
        Style {
            colours: terminal && !unwanted && !unable,
            escapes: terminal,
            width: terminal.then_some(width),
        }
    }

    /// The text in this colour.
    pub fn paint(self, colour: Colour, text: &str) -> String {
        if self.colours {
            format!("\x1b[{}m{text}\x1b[m", colour.code())
        } else {
            text.to_owned()
        }
    }

    /// One line of somebody else's text: what would move the cursor or more is spelt out on a
    /// terminal.
    pub fn show(self, line: &str) -> String {
        if self.escapes {
            spelled_out(line, |found| !found.is_control() || found == '\t')
        } else {
            line.to_owned()
        }
    }
}

/// The text with all characters that are not harmless written as in Rust's sources: `\n`,
/// `\u{9b}`.
pub(super) fn spelled_out(text: &str, is_harmless: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for found in text.chars() {
        if is_harmless(found) {
            shown.push(found)
        } else {
            shown.extend(found.escape_default())
        }
    }
    shown
}

impl Style {
    /// Breaks the lines of `text` between words so that they fit beside a margin of `indent`
    /// columns; the first line has its margin already. A longer word stays whole, so that a path
    /// can be copied.
    pub fn wrap(self, text: &str, indent: usize) -> String {
        self.wrap_after(text, indent, indent)
    }

    /// The same after something that fills the first line up to the column `start`; if that is not
    /// the margin, a space comes between.
    pub fn wrap_after(self, text: &str, start: usize, indent: usize) -> String {
        let mut wrapped = String::with_capacity(text.len());
        let (mut column, mut is_first) = (start, start == indent);
        for (number, line) in text.lines().enumerate() {
            if number > 0 {
                // Writing into a String cannot fail.
                let _ = write!(wrapped, "\n{:indent$}", "");
                (column, is_first) = (indent, true);
            }
            for word in line.split(' ') {
                let needed = word.chars().count() + usize::from(!is_first);
                let is_full = self.width.is_some_and(|most| column + needed > most);
                if is_full && column > indent {
                    let _ = write!(wrapped, "\n{:indent$}", "");
                    column = indent;
                } else if !is_first {
                    wrapped.push(' ');
                    column += 1;
                }
                wrapped.push_str(word);
                column += word.chars().count();
                is_first = false;
            }
        }
        wrapped
    }
}

/// Writes to stdout. Nobody reading any more (`confd -diff | head`) is not an error.
pub fn print(text: &str) -> Result<()> {
    print_bytes(text.as_bytes())
}

/// The same for bytes of any encoding. A terminal gets no control characters except line breaks,
/// tabs and the codes of colours, wherever they come from.
pub fn print_bytes(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    let shown;
    let bytes = if stdout.is_terminal() {
        shown = without_controls(&String::from_utf8_lossy(bytes));
        shown.as_bytes()
    } else {
        bytes
    };
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::io("write to", "stdout".as_ref(), error))
        }
        _ => Ok(()),
    }
}

/// The text with all other control characters written as JSON writes them: `\u009b`.
pub(super) fn without_controls(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = rest.chars().next() {
        let length = match found {
            '\r' if rest.starts_with("\r\n") => 2,
            '\x1b' => colour_length(rest),
            '\n' | '\t' => 1,
            _ if found.is_control() => 0,
            _ => found.len_utf8(),
        };
        if length == 0 {
            let _ = write!(shown, "\\u{:04x}", u32::from(found));
        }
        let (head, tail) = rest.split_at(length.max(found.len_utf8()));
        shown.push_str(head.get(..length).unwrap_or_default());
        rest = tail;
    }
    shown
}

/// The length of the code of a colour, such as `\x1b[31m`, at the start of a text; zero when there
/// is none.
fn colour_length(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\x1b[") else {
        return 0;
    };
    let is_parameter = |byte: &u8| byte.is_ascii_digit() || *byte == b';';
    let count = parameters
        .bytes()
        .take_while(|byte| is_parameter(byte))
        .count();
    match parameters.as_bytes().get(count) {
        Some(b'm') => "\x1b[".len() + count + 1,
        _ => 0,
    }
}

/// [`Style::wrap`] for a table of 80 columns.
pub fn wrap(text: &str, indent: usize) -> String {
    let style = Style {
        width: Some(WIDTH),
        ..Style::default()
    };
    style.wrap(text, indent)
}

/// Writes a line about the work to stderr.
pub fn note(message: impl Display) {
    // Who does not read stderr misses only this.
    let _ = writeln!(io::stderr(), "confd: {message}");
}

/// The forms of output that `-format` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
}

impl Format {
    /// The form of the output.
    pub fn from_args(args: &Args) -> Result<Format> {
        match args.last("format") {
            None | Some("" | "text") => Ok(Format::Text),
            Some("json") => Ok(Format::Json),
            Some(other) => Err(Error::usage(format!(
                "-format must be text or json, not {other:?}"
            ))),
        }
    }
}

/// A number and a noun: `1 error`, `2 errors`.
pub fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// Returns the result of `work`. When that takes over a second, stderr gets the line
/// `confd: still WHAT ...`.
pub fn with_progress<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let done = announce_later(what);
    let result = work();
    drop(done);
    result
}

/// Prints a line on stderr after a second, unless the sender is dropped before.
fn announce_later(what: &str) -> SyncSender<()> {
    let (done, waiting) = mpsc::sync_channel(1);
    let line = format!("confd: still {what} ...\n");
    let announce = move || {
        if waiting.recv_timeout(NOTICE_AFTER) == Err(RecvTimeoutError::Timeout) {
            // The line is a convenience: a closed stderr is no error.
            let _ = io::stderr().write_all(line.as_bytes());
        }
    };
    // Nor is a thread that cannot be started.
    let _ = Builder::new().spawn(announce);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(terminal: bool, variables: &[(&str, &str)]) -> Style {
        Style::new(terminal, None, |name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn colours_are_for_terminals_that_have_and_want_them() {
        for (terminal, variable, value, colours) in [
            (true, "TERM", "xterm", platform::HAS_COLOURS),
            (true, "NO_COLOR", "", platform::HAS_COLOURS),
            (true, "NO_COLOR", "1", false),
            (true, "NO_COLOR", "0", false),
            (true, "TERM", "dumb", false),
            (false, "TERM", "xterm", false),
        ] {
            let painted = style(terminal, &[(variable, value)]).paint(Colour::Red, "x");
            let expected = if colours { "\x1b[31mx\x1b[m" } else { "x" };
            assert_eq!(painted, expected, "{terminal} {variable}={value}");
        }
    }

    #[test]
    fn a_terminal_gets_colours_and_no_other_controls() {
        for (text, shown) in [
            ("a\tb\r\nä\n", "a\tb\r\nä\n"),
            ("\x1b[31mred\x1b[m \x1b[1;4m", "\x1b[31mred\x1b[m \x1b[1;4m"),
            ("\x1b[2J\x1b[31", "\\u001b[2J\\u001b[31"),
            ("\x1b", "\\u001b"),
            ("\u{9b}2J\r\0\x7f", "\\u009b2J\\u000d\\u0000\\u007f"),
        ] {
            assert_eq!(without_controls(text), shown);
        }
    }

    #[test]
    fn control_characters_never_reach_a_terminal() {
        let line = "a\tb\x1b[2J\r\u{9b}2J ä";
        let shown = style(true, &[("NO_COLOR", "1")]).show(line);
        assert_eq!(shown, "a\tb\\u{1b}[2J\\r\\u{9b}2J ä");
        assert_eq!(style(false, &[]).show(line), line);
    }

    #[test]
    fn lines_break_between_words_only() {
        let word = "x".repeat(30);
        let long = "/".repeat(90);
        let cases = [
            (String::new(), String::new()),
            (format!("{word} {word}"), format!("{word} {word}")),
            (
                format!("{word} {word} {word}"),
                format!("{word} {word}\n   {word}"),
            ),
            (format!("a {long} b"), format!("a\n   {long}\n   b")),
            ("a\nb".to_owned(), "a\n   b".to_owned()),
            (
                format!("{} 12345 6", "y".repeat(71)),
                format!("{} 12345\n   6", "y".repeat(71)),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(Style::of_width(80).wrap(&text, 3), expected);
        }
        let long = "word ".repeat(60);
        assert_eq!(Style::default().wrap(&long, 3), long);
    }

    #[test]
    fn lines_have_the_width_of_the_terminal() {
        for (terminal, columns, variable, width) in [
            (true, Some(120), "", Some(120)),
            (true, Some(120), "60", Some(60)),
            (true, Some(120), "wide", Some(120)),
            (true, None, "", Some(80)),
            (true, Some(3), "", Some(40)),
            (false, None, "60", None),
        ] {
            let style = Style::new(terminal, columns, |name| {
                (name == "COLUMNS").then(|| OsString::from(variable))
            });
            assert_eq!(style.width, width, "{terminal} {columns:?} {variable:?}");
        }
    }

    #[test]
    fn the_work_is_done_and_its_result_returned() {
        assert_eq!(with_progress("trying", || 7), 7);
    }
}
