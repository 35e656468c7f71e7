//! The clock, compared with those of the servers, the times of files and the year of this program.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Case;
use crate::agent::status;
use crate::config;
use crate::go::time::days_before;
use crate::log::{self, age};
use crate::tools::finding::{Finding, Severity};

/// 2026-01-01: a clock that shows an earlier day than that of this program's release is wrong.
const MADE: u64 = 1_767_225_600;
/// The difference in seconds that is not reported: an answer may have been under way for some of
/// it.
const TOLERANCE: u64 = 60;
const HELP: &str = "set it, and run ntpd or chronyd: clusters and certificates depend on it";

/// Checks the clock by itself and against the times of files.
pub(super) fn check(case: &Case) -> Vec<Finding> {
    vec![judge(status::now(), newest(case))]
}

/// The newest of confd's files.
fn newest(case: &Case) -> Option<(String, u64)> {
    let mut files = case.resource_files();
    files.extend(config::settings_file(&case.args));
    files.push(status::file(&case.config.confdir));
    let mut newest = None;
    for path in &files {
        let time = fs::metadata(path).and_then(|meta| meta.modified());
        let time = time.map_or(0, seconds);
        if newest.is_none_or(|(_, known)| known < time) {
            newest = Some((path, time));
        }
    }
    newest.map(|(path, time)| (path.display().to_string(), time))
}

fn seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn judge(now: u64, newest: Option<(String, u64)>) -> Finding {
    let time = log::local_time(now.cast_signed());
    if now < MADE {
        let message = format_args!("{time} is before the release of this program");
        return Finding::new("clock", Severity::Error, message, HELP);
    }
    match newest {
        Some((file, written)) if written > now + TOLERANCE => Finding::new(
            "clock",
            Severity::Warning,
            format_args!(
                "{time}, but {file} was written {} later",
                age(written - now)
            ),
            HELP,
        ),
        _ => Finding::ok("clock", time),
    }
}

/// Compares the clock with the `Date` of an answer that has just come; `None` when they agree.
pub(super) fn compare(node: &str, date: &str) -> Option<Finding> {
    let (there, here) = (parse_date(date)?, status::now());
    let word = if here < there { "behind" } else { "ahead of" };
    let gap = here.abs_diff(there);
    let message = format_args!("{} {word} that of {node}", age(gap));
    let finding = Finding::new("clock", Severity::Warning, message, HELP);
    (gap > TOLERANCE).then_some(finding)
}

/// `Tue, 24 Nov 2026 19:55:21 GMT` (RFC 9110), as seconds since 1970.
fn parse_date(text: &str) -> Option<u64> {
    let text = text.replace(':', " ");
    let words: Vec<&str> = text.split(' ').collect();
    let [_, day, month, year, hour, minute, second, "GMT"] = words.as_slice() else {
        return None;
    };
    let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let place = months
        .find(month)
        .filter(|place| place % 3 == 0 && month.len() == 3)?;
    let number = |text: &str| text.parse::<u16>().ok().map(i128::from);
    let days = days_before(number(year)?, place as i128 / 3 + 1) + number(day)? - 1;
    let time = (number(hour)? * 60 + number(minute)?) * 60 + number(second)?;
    (days * 86_400 + time).try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_servers_are_read() {
        for (text, seconds) in [
            ("Tue, 24 Nov 2026 19:55:21 GMT", Some(1_795_550_121)),
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sat, 29 Feb 2020 12:00:00 GMT", Some(1_582_977_600)),
            ("Tuesday, 24-Nov-26 19:55:21 GMT", None),
            ("Tue, 24 anF 2026 19:55:21 GMT", None),
            ("Tue, 24 Nov 2026 19:55:21 CST", None),
            ("Tue, -4 Nov 2026 19:55:21 GMT", None),
            ("", None),
        ] {
            assert_eq!(parse_date(text), seconds, "{text}");
        }
    }

    #[test]
    fn a_clock_is_judged_by_what_it_cannot_show() {
        let file = |time| Some(("/etc/confd/confd.toml".to_owned(), time));
        for (now, newest, severity, words) in [
            (MADE - 1, None, Severity::Error, "before the release"),
            (MADE + 500, None, Severity::Ok, "2026-01-01"),
            (MADE + 500, file(MADE + 560), Severity::Ok, ""),
            (
                MADE,
                file(MADE + 7200),
                Severity::Warning,
                "/etc/confd/confd.toml was written 2 hours later",
            ),
        ] {
            let found = judge(now, newest);
            assert_eq!(found.severity, severity, "{found:?}");
            assert!(found.message.contains(words), "{found:?}");
        }
    }
}
