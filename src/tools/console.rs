//! What the tools print for people: colours where they are wanted, lines of 80 columns, a word when it takes long.
//!
//! Knows nothing of what is printed, but that it may come from somebody who wants to play with the terminal.

use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal, Write as _};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::thread::Builder;
use std::time::Duration;

use serde_json::{Map, Value as Json};

use crate::cli::Args;
use crate::error::{Error, Result};
use crate::platform;

/// The columns of a console.
pub const WIDTH: usize = 80;
/// What takes longer is spoken of.
const PATIENCE: Duration = Duration::from_secs(1);

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

/// How to print to where stdout goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// With colours.
    colours: bool,
    /// With control characters spelt out.
    escapes: bool,
}

impl Style {
    /// For a terminal: colours, unless `NO_COLOR` is set (no-color.org) or it has none. For anything else: plain bytes.
    pub fn of_stdout() -> Style {
        Style::new(io::stdout().is_terminal(), |name| env::var_os(name))
    }

    fn new(terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> Style {
        let unwanted = variable("NO_COLOR").is_some_and(|text| !text.is_empty());
        let unable = !platform::HAS_COLOURS || variable("TERM").is_some_and(|term| term == "dumb");
        Style {
            colours: terminal && !unwanted && !unable,
            escapes: terminal,
        }
    }

    /// The text in this colour.
    pub fn paint(self, colour: Colour, text: &str) -> String {
        match self.colours {
            true => format!("\x1b[{}m{text}\x1b[m", colour.code()),
            false => text.to_owned(),
        }
    }

    /// One line of somebody else's text: what would move the cursor or more is spelt out on a terminal.
    pub fn show(self, line: &str) -> String {
        let is_harmless = |c: char| !c.is_control() || c == '\t';
        if !self.escapes || line.chars().all(is_harmless) {
            return line.to_owned();
        }
        let mut shown = String::with_capacity(line.len());
        for character in line.chars() {
            match is_harmless(character) {
                true => shown.push(character),
                false => shown.extend(character.escape_default()),
            }
        }
        shown
    }
}

/// Writes to stdout. Nobody reading any more (`confd -diff | head`) is not an error.
pub fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::io("write to", "stdout".as_ref(), error))
        }
        _ => Ok(()),
    }
}

/// Breaks `text` between words so that it fits beside a margin of `indent` columns; the first line has its margin already.
/// A longer word stays whole, so that a path can be copied.
pub fn wrap(text: &str, indent: usize) -> String {
    let mut wrapped = String::with_capacity(text.len());
    for (number, line) in text.lines().enumerate() {
        let mut column = indent;
        if number > 0 {
            let _ = write!(wrapped, "\n{:indent$}", "");
        }
        for word in line.split(' ') {
            let width = word.chars().count();
            if column > indent && column + 1 + width > WIDTH {
                let _ = write!(wrapped, "\n{:indent$}", "");
                column = indent;
            } else if column > indent {
                wrapped.push(' ');
                column += 1;
            }
            wrapped.push_str(word);
            column += width;
        }
    }
    wrapped
}

/// Whether `-format` asks for JSON; else it is text.
pub fn wants_json(args: &Args) -> Result<bool> {
    match args.last("format") {
        None | Some("" | "text") => Ok(false),
        Some("json") => Ok(true),
        Some(other) => Err(Error::usage(format!(
            "-format must be text or json, not {other:?}"
        ))),
    }
}

/// A JSON list, one item a line.
pub fn json_list(items: impl IntoIterator<Item = Json>) -> String {
    let mut list = String::from("[");
    for (index, item) in items.into_iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        // Writing into a String cannot fail.
        let _ = write!(list, "{comma}\n{item}");
    }
    list.push_str(if list.len() == 1 { "]\n" } else { "\n]\n" });
    list
}

/// A JSON object of these fields.
pub fn json_object(fields: Vec<(&str, Json)>) -> Json {
    let mut object = Map::new();
    for (name, value) in fields {
        object.insert(name.to_owned(), value);
    }
    Json::Object(object)
}

/// A time span in its largest whole unit: `1 minute`, `47 hours`.
pub fn age(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// Does `work`, and says on stderr that it is at it when that takes over a second. `what` goes on after "confd: still ".
pub fn patiently<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let done = speak_later(what);
    let result = work();
    drop(done);
    result
}

/// Speaks of it after a second, unless the sender is dropped before.
fn speak_later(what: &str) -> SyncSender<()> {
    let (done, waiting) = mpsc::sync_channel(1);
    let line = format!("confd: still {what} ...\n");
    let speak = move || {
        if waiting.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            // Only a comfort: whoever has closed stderr does without.
            let _ = io::stderr().write_all(line.as_bytes());
        }
    };
    // The same holds where there is no thread for it.
    let _ = Builder::new().spawn(speak);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(terminal: bool, variables: &[(&str, &str)]) -> Style {
        Style::new(terminal, |name| {
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
    fn nobody_moves_the_cursor_of_a_terminal() {
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
            assert_eq!(wrap(&text, 3), expected);
        }
    }

    #[test]
    fn ages_are_whole_units() {
        for (seconds, text) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (3599, "59 minutes"),
            (3600, "1 hour"),
            (172_799, "47 hours"),
            (172_800, "2 days"),
        ] {
            assert_eq!(age(seconds), text);
        }
    }

    #[test]
    fn the_work_is_done_and_its_result_returned() {
        assert_eq!(patiently("trying", || 7), 7);
    }
}
