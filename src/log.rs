//! One line an event, to stderr: `2016-10-11T13:54:41+08:00 HOST confd[PID]: LEVEL message`. For a
//! process without a stderr, to a file that takes its place.
//!
//! Every event is a single write, so that the lines of several threads never mix. Knows nothing of
//! what it logs: that values of metadata stay out of it is its callers' care.

mod file;

use std::fmt::{self, Display, Write as _};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::go::time::{Civil, Local, Time};
use crate::platform;
use crate::threads;

pub use file::{LARGEST, LogFile};

/// The levels of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Debug,
    Info,
    Warning,
    Error,
    Fatal,
}

impl Level {
    /// The names that `log-level` takes, as the original does: in any case, `panic` being one more
    /// word for `fatal`.
    pub fn parse(name: &str) -> Option<Level> {
        match name.to_ascii_lowercase().as_str() {
            "debug" => Some(Level::Debug),
            "info" => Some(Level::Info),
            "warn" | "warning" => Some(Level::Warning),
            "error" => Some(Level::Error),
            "fatal" | "panic" => Some(Level::Fatal),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warning => "WARNING",
            Level::Error => "ERROR",
            Level::Fatal => "FATAL",
        }
    }
}

static LOWEST: AtomicU8 = AtomicU8::new(Level::Info as u8);

/// From now on, only events of this level and above are written. INFO until then.
pub fn set_level(level: Level) {
    LOWEST.store(level as u8, Ordering::Relaxed);
}

static PLAIN: AtomicBool = AtomicBool::new(false);

/// From now on, events look like `confd: LEVEL message`: for a person who has typed a command and
/// sees only its own.
pub fn speak_plainly() {
    PLAIN.store(true, Ordering::Relaxed);
}

static PATH: OnceLock<PathBuf> = OnceLock::new();
static FILE: Mutex<Option<LogFile>> = Mutex::new(None);

/// From now on, events go to this file, which is rotated, and so does all else that is written to
/// stderr: the last words of a panic, for one. While the file cannot be opened they are lost, which
/// is better than not to work.
pub fn write_to(path: PathBuf) {
    let path = PATH.get_or_init(|| path);
    *file_in_use() = open(path);
}

fn open(path: &Path) -> Option<LogFile> {
    let file = LogFile::open(path, LARGEST).ok()?;
    platform::set_stderr(file.file());
    Some(file)
}

fn file_in_use() -> MutexGuard<'static, Option<LogFile>> {
    threads::lock(&FILE)
}

/// Logs a detail for developers of an image.
pub fn debug(message: impl Display) {
    log(Level::Debug, &message);
}

/// Logs an expected event.
pub fn info(message: impl Display) {
    log(Level::Info, &message);
}

/// Logs a problem that was handled.
pub fn warning(message: impl Display) {
    log(Level::Warning, &message);
}

/// Logs a failure.
pub fn error(message: impl Display) {
    log(Level::Error, &message);
}

/// Logs the reason why the program ends. The caller ends it.
pub fn fatal(message: impl Display) {
    log(Level::Fatal, &message);
}

/// An event of a level that depends.
pub fn at(level: Level, message: impl Display) {
    log(level, &message);
}

fn log(level: Level, message: &dyn Display) {
    if (level as u8) < LOWEST.load(Ordering::Relaxed) {
        return;
    }
    let origin = if PLAIN.load(Ordering::Relaxed) {
        "confd".to_owned()
    } else {
        origin()
    };
    let line = format_event(&origin, level, message);
    // A log that cannot be written (full disk, closed pipe) is no reason to stop looking after the
    // node's files.
    let _ = match PATH.get().filter(|_| platform::HAS_SERVICES) {
        Some(path) => write_to_file(path, &origin, &line),
        None => io::stderr().lock().write_all(line.as_bytes()),
    };
}

fn write_to_file(path: &Path, origin: &str, line: &str) -> io::Result<()> {
    let mut file = file_in_use();
    if file.is_none() {
        *file = open(path);
    }
    match &mut *file {
        Some(file) => write_rotated(file, origin, line),
        None => Ok(()),
    }
}

fn write_rotated(file: &mut LogFile, origin: &str, line: &str) -> io::Result<()> {
    match file.make_room(line.len()) {
        Ok(None) => {}
        Ok(Some(old)) => {
            platform::set_stderr(file.file());
            drop(old);
        }
        Err(error) => {
            let message = format!("{}; going on in the same log file", error.chain());
            file.write(format_event(origin, Level::Warning, &message).as_bytes())?;
        }
    }
    file.write(line.as_bytes())
}

/// When and where: `2016-10-11T13:54:41+08:00 HOST confd[PID]`.
fn origin() -> String {
    static HOST: OnceLock<String> = OnceLock::new();
    let host = HOST.get_or_init(platform::hostname);
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs().cast_signed());
    format_origin(&local_time(seconds), host)
}

/// A moment, in seconds since 1970, as the log writes it: local time in RFC 3339.
pub fn local_time(seconds: i64) -> String {
    stamp(seconds, platform::local_zone())
}

fn stamp(seconds: i64, local: Local) -> String {
    let time = Time {
        seconds,
        nanos: 0,
        utc: false,
        local,
    };
    let Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
        offset,
        ..
    } = Civil::of(&time);
    let sign = if offset.seconds < 0 { '-' } else { '+' };
    let ahead = offset.seconds.unsigned_abs() / 60;
    let (hours, minutes) = (ahead / 60, ahead % 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{sign}{hours:02}:{minutes:02}"
    )
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

fn format_origin(time: &str, host: &str) -> String {
    format!("{time} {host} confd[{}]", std::process::id())
}

fn format_event(origin: &str, level: Level, message: &dyn Display) -> String {
    let mut event = format!("{origin}: {} ", level.name());
    // Writing into a String cannot fail; a Display that does leaves the event shorter.
    let _ = write!(Escaped(&mut event), "{message}");
    event.push('\n');
    event
}

/// Keeps an event to one line, and whatever follows it recognisable: further lines are indented, so
/// that no text from a command or a file can pass for an event, and control characters are spelt
/// out.
struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '\n' => self.0.push_str("\n    "),
                '\t' => self.0.push('\t'),
                other if other.is_control() => self.0.extend(other.escape_default()),
                other => self.0.push(other),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::time::Zone;

    #[test]
    fn stamps_are_local_with_the_offset() {
        let cases = [
            (1_476_165_281, "XXX-8", "2016-10-11T13:54:41+08:00"),
            (0, "UTC0", "1970-01-01T00:00:00+00:00"),
            (951_782_400, "UTC0", "2000-02-29T00:00:00+00:00"),
            (1_735_689_599, "XXX3:30", "2024-12-31T20:29:59-03:30"),
            (1_735_689_599, "XXX-5:45", "2025-01-01T05:44:59+05:45"),
            (-1, "UTC0", "1969-12-31T23:59:59+00:00"),
        ];
        for (seconds, rule, want) in cases {
            let zone = Zone::of_rule(rule).expect(rule);
            assert_eq!(stamp(seconds, Local::new(zone)), want);
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

    fn event(message: &str) -> String {
        let origin = format_origin("1970-01-01T00:00:00+00:00", "i-1");
        format_event(&origin, Level::Warning, &message)
    }

    #[test]
    fn an_event_is_one_line() {
        let pid = std::process::id();
        assert_eq!(
            event("Target config /etc/x in sync"),
            format!(
                "1970-01-01T00:00:00+00:00 i-1 confd[{pid}]: WARNING Target config /etc/x in sync\n"
            )
        );
    }

    #[test]
    fn no_message_can_pass_for_another_event() {
        let cases = [
            ("a\nb\n\nc", " a\n    b\n    \n    c\n"),
            ("a\tb", " a\tb\n"),
            ("a\r\nb", " a\\r\n    b\n"),
            ("\x1b[31mred\0", " \\u{1b}[31mred\\u{0}\n"),
            ("größe 节点", " größe 节点\n"),
        ];
        for (message, end) in cases {
            assert!(event(message).ends_with(&format!("WARNING{end}")));
        }
    }

    #[test]
    fn a_person_is_spoken_to_without_time_and_place() {
        let event = format_event("confd", Level::Error, &"no [template] section");
        assert_eq!(event, "confd: ERROR no [template] section\n");
    }

    #[test]
    fn levels_have_the_names_of_the_original() {
        let cases = [
            ("debug", Some(Level::Debug)),
            ("Info", Some(Level::Info)),
            ("warn", Some(Level::Warning)),
            ("WARNING", Some(Level::Warning)),
            ("error", Some(Level::Error)),
            ("fatal", Some(Level::Fatal)),
            ("panic", Some(Level::Fatal)),
            ("notice", None),
            ("", None),
        ];
        for (name, level) in cases {
            assert_eq!(Level::parse(name), level, "{name}");
        }
    }
}
