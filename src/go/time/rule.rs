//! A time zone's rule as POSIX writes it in `TZ` and zone files in their last line:
//! `CET-1CEST,M3.5.0,M10.5.0/3`.

use std::borrow::Cow;

use super::zone::Offset;
use super::{date_of, days_before};

const DAY: i64 = 86_400;

/// The rule that holds where daylight saving time has none.
const USUAL: &str = "M3.2.0,M11.1.0";

/// A rule, read by Go's `tzset`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    standard: Offset,
    summer: Option<Summer>,
}

/// Daylight saving time, and from when to when it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Summer {
    offset: Offset,
    start: Change,
    end: Change,
}

/// The day of a change, and the second of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change {
    day: Day,
    second: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Day {
    /// `J60`: counted from 1, without 29 February.
    Julian(i64),
    /// `59`: counted from 0.
    OfYear(i64),
    /// `M3.2.0`: month, week (5 is the last), weekday.
    OfMonth(i64, i64, i64),
}

impl Rule {
    /// Reads a rule, all of it; none when it is malformed.
    pub(super) fn parse(text: &str) -> Option<Rule> {
        let mut reader = Reader(text);
        let name = reader.name()?;
        let seconds = -reader.offset()?;
        let standard = Offset {
            seconds: i32::try_from(seconds).ok()?,
            name: Cow::Owned(name.to_owned()),
            is_dst: false,
        };
        if reader.0.is_empty() {
            return Some(Rule {
                standard,
                summer: None,
            });
        }
        let name = reader.name()?;
        let seconds = match reader.0.chars().next() {
            None | Some(',') => seconds + 3600,
            Some(_) => -reader.offset()?,
        };
        let offset = Offset {
            seconds: i32::try_from(seconds).ok()?,
            name: Cow::Owned(name.to_owned()),
            is_dst: true,
        };
        let mut changes = match reader.0 {
            "" => Reader(USUAL),
            _ => Reader(reader.0.strip_prefix([',', ';'])?),
        };
        let start = changes.change()?;
        let mut changes = Reader(changes.0.strip_prefix(',')?);
        let end = changes.change()?;
        let summer = Some(Summer { offset, start, end });
        changes.0.is_empty().then_some(Rule { standard, summer })
    }

    /// The offset at an instant, in seconds since 1970.
    pub(super) fn offset_at(&self, seconds: i64) -> Offset {
        match &self.summer {
            Some(summer) if self.is_summer(summer, seconds) => summer.offset.clone(),
            _ => self.standard.clone(),
        }
    }

    fn is_summer(&self, summer: &Summer, seconds: i64) -> bool {
        let (year, ..) = date_of(seconds.div_euclid(DAY));
        let new_year = i64::try_from(days_before(year.into(), 1)).unwrap_or(0);
        let second = seconds.saturating_sub(new_year.saturating_mul(DAY));
        let start = summer.start.second_of(year) - i64::from(self.standard.seconds);
        let end = summer.end.second_of(year) - i64::from(summer.offset.seconds);
        if start <= end {
            (start..end).contains(&second)
        } else {
            // South of the equator, summer is at both ends of the year.
            !(end..start).contains(&second)
        }
    }
}

impl Change {
    /// The second of a year at which the clock changes.
    fn second_of(self, year: i64) -> i64 {
        self.day.of(year) * DAY + self.second
    }
}

impl Day {
    /// The day of a year, from 0.
    fn of(self, year: i64) -> i64 {
        let days_to = |month: i64| {
            (days_before(year.into(), month.into()) - days_before(year.into(), 1)) as i64
        };
        match self {
            Day::Julian(day) => day - 1 + i64::from(day >= 60 && days_to(3) == 60),
            Day::OfYear(day) => day,
            Day::OfMonth(month, week, weekday) => {
                let first = days_before(year.into(), month.into());
                let length = if month == 12 {
                    31
                } else {
                    days_to(month + 1) - days_to(month)
                };
                let first_weekday = (first + 4).rem_euclid(7) as i64;
                let first_such = (weekday - first_weekday).rem_euclid(7);
                let weeks = (length - 1 - first_such) / 7;
                days_to(month) + first_such + 7 * weeks.min(week - 1)
            }
        }
    }
}

/// The rest of a rule.
struct Reader<'r>(&'r str);

impl<'r> Reader<'r> {
    /// An abbreviation of three letters or more, or anything in angle brackets.
    fn name(&mut self) -> Option<&'r str> {
        if let Some(quoted) = self.0.strip_prefix('<') {
            let (name, rest) = quoted.split_once('>')?;
            self.0 = rest;
            return Some(name);
        }
        let is_end = |found: char| found.is_ascii_digit() || matches!(found, ',' | '-' | '+');
        let end = self.0.find(is_end).unwrap_or(self.0.len());
        let (name, rest) = self.0.split_at(end);
        self.0 = rest;
        let is_name = name.len() >= 3 && name.chars().all(char::is_alphabetic);
        is_name.then_some(name)
    }

    fn accept(&mut self, text: &str) -> bool {
        let rest = self.0.strip_prefix(text);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn number(&mut self, low: i64, high: i64) -> Option<i64> {
        let is_end = |found: char| !found.is_ascii_digit();
        let end = self.0.find(is_end).unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at(end);
        self.0 = rest;
        let number = digits.parse().ok()?;
        (low..=high).contains(&number).then_some(number)
    }

    /// `hh[:mm[:ss]]` with a sign, in seconds.
    fn offset(&mut self) -> Option<i64> {
        let negative = !self.accept("+") && self.accept("-");
        let mut seconds = self.number(0, 24 * 7)? * 3600;
        for unit in [60, 1] {
            if !self.accept(":") {
                break;
            }
            seconds += self.number(0, 59)? * unit;
        }
        Some(if negative { -seconds } else { seconds })
    }

    fn change(&mut self) -> Option<Change> {
        let day = if self.accept("J") {
            Day::Julian(self.number(1, 365)?)
        } else if self.accept("M") {
            let month = self.number(1, 12)?;
            let week = self.after_dot(1, 5)?;
            Day::OfMonth(month, week, self.after_dot(0, 6)?)
        } else {
            Day::OfYear(self.number(0, 365)?)
        };
        let second = if self.accept("/") {
            self.offset()?
        } else {
            2 * 3600
        };
        Some(Change { day, second })
    }

    fn after_dot(&mut self, low: i64, high: i64) -> Option<i64> {
        if self.accept(".") {
            self.number(low, high)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(rule: &str, seconds: i64) -> String {
        let Some(rule) = Rule::parse(rule) else {
            return String::new();
        };
        let Offset {
            seconds,
            name,
            is_dst,
        } = rule.offset_at(seconds);
        format!("{name} {seconds} {is_dst}")
    }

    #[test]
    fn rules_say_when_the_clock_changes() {
        // 2021: summer time in Europe from 28 March to 31 October, in New York from 14 March to 7
        // November, in Sydney until 4 April and from 3 October.
        let (europe, new_york) = ("CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT");
        let sydney = "AEST-10AEDT,M10.1.0,M4.1.0/3";
        for (rule, seconds, want) in [
            ("CST-8", 0, "CST 28800 false"),
            ("UTC+8", 0, "UTC -28800 false"),
            ("<+0330>-3:30", 0, "+0330 12600 false"),
            ("XXX-12:34:56", 0, "XXX 45296 false"),
            (europe, 1_616_893_199, "CET 3600 false"),
            (europe, 1_616_893_200, "CEST 7200 true"),
            (europe, 1_635_641_999, "CEST 7200 true"),
            (europe, 1_635_642_000, "CET 3600 false"),
            (new_york, 1_615_705_199, "EST -18000 false"),
            (new_york, 1_615_705_200, "EDT -14400 true"),
            (new_york, 1_636_264_799, "EDT -14400 true"),
            (new_york, 1_636_264_800, "EST -18000 false"),
            (sydney, 1_617_465_599, "AEDT 39600 true"),
            (sydney, 1_617_465_600, "AEST 36000 false"),
            (sydney, 1_633_190_400, "AEDT 39600 true"),
            ("AAA3BBB2,J60/0,J300", 951_879_600, "BBB -7200 true"),
            ("AAA3BBB,59/0,300", 951_793_199, "AAA -10800 false"),
        ] {
            assert_eq!(shown(rule, seconds), want, "{rule} {seconds}");
        }
    }

    #[test]
    fn malformed_rules_are_none() {
        for rule in [
            "",
            "CST",
            "CS-8",
            "Foo/Bar",
            "Local",
            "/nonexistent",
            "CST-8x",
            "CST-200",
            "<CST-8",
            "A1B2",
            "EST5EDT,",
            "EST5EDT,M3.2.0",
            "EST5EDT,M13.2.0,M11.1.0",
            "EST5EDT,M3.2.0,M11.1.0,",
            "CST-8:60",
            "EST5EDTM3.2.0",
        ] {
            assert_eq!(shown(rule, 0), "", "{rule}");
        }
    }
}
