//! `Time.Format`: a layout shows how the reference time, Mon Jan 2 15:04:05 MST 2006, would be
//! printed.

use super::{Civil, Time, month_name, weekday_name};

/// One recognised part of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    LongYear,
    Year,
    LongMonth,
    Month,
    ZeroMonth,
    NumMonth,
    LongWeekday,
    Weekday,
    ZeroDay,
    UnderDay,
    Day,
    ZeroYearDay,
    UnderYearDay,
    Hour,
    ZeroHour12,
    Hour12,
    ZeroMinute,
    Minute,
    ZeroSecond,
    Second,
    UpperPm,
    LowerPm,
    ZoneName,
    ZoneOffset(OffsetStyle),
    /// A fraction of a second: the separator, the number of places, whether trailing zeros are left
    /// out.
    Fraction(u8, usize, bool),
}

/// How `-0700` and its relatives print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OffsetStyle {
    /// `Z` for UTC.
    z: bool,
    colon: bool,
    minutes: bool,
    seconds: bool,
}

const fn offset(z: bool, colon: bool, minutes: bool, seconds: bool) -> Part {
    Part::ZoneOffset(OffsetStyle {
        z,
        colon,
        minutes,
        seconds,
    })
}

/// Of several that fit at one place the first counts.
const PARTS: [(&str, Part); 33] = [
    ("January", Part::LongMonth),
    ("Jan", Part::Month),
    ("Monday", Part::LongWeekday),
    ("Mon", Part::Weekday),
    ("MST", Part::ZoneName),
    ("01", Part::ZeroMonth),
    ("02", Part::ZeroDay),
    ("03", Part::ZeroHour12),
    ("04", Part::ZeroMinute),
    ("05", Part::ZeroSecond),
    ("06", Part::Year),
    ("002", Part::ZeroYearDay),
    ("15", Part::Hour),
    ("1", Part::NumMonth),
    ("2006", Part::LongYear),
    ("2", Part::Day),
    ("_2", Part::UnderDay),
    ("__2", Part::UnderYearDay),
    ("3", Part::Hour12),
    ("4", Part::Minute),
    ("5", Part::Second),
    ("PM", Part::UpperPm),
    ("pm", Part::LowerPm),
    ("-070000", offset(false, false, true, true)),
    ("-07:00:00", offset(false, true, true, true)),
    ("-0700", offset(false, false, true, false)),
    ("-07:00", offset(false, true, true, false)),
    ("-07", offset(false, false, false, false)),
    ("Z070000", offset(true, false, true, true)),
    ("Z07:00:00", offset(true, true, true, true)),
    ("Z0700", offset(true, false, true, false)),
    ("Z07:00", offset(true, true, true, false)),
    ("Z07", offset(true, false, false, false)),
];

/// Prints `time` the way `layout` shows; text that is no part of the reference time stays
/// unchanged.
pub(super) fn format(time: &Time, layout: &[u8]) -> Vec<u8> {
    let civil = Civil::of(time);
    let mut out = Vec::with_capacity(layout.len() + 8);
    let mut rest = layout;
    while let [byte, after @ ..] = rest {
        match next_part(rest) {
            Some((part, width)) => {
                push_part(&mut out, part, &civil, time.nanos);
                rest = rest.get(width..).unwrap_or_default();
            }
            None => {
                out.push(*byte);
                rest = after;
            }
        }
    }
    out
}

/// The part of the reference time that a layout's text begins with, and its length in bytes.
fn next_part(text: &[u8]) -> Option<(Part, usize)> {
    if let [b'.' | b',', digit @ (b'0' | b'9'), ..] = text {
        return next_fraction(text, *digit);
    }
    let fits = |name: &str, part: Part| {
        text.strip_prefix(name.as_bytes())
            .is_some_and(|rest| match part {
                // "Janet" and "Month" are words.
                Part::Month | Part::Weekday => !rest.first().is_some_and(u8::is_ascii_lowercase),
                // "_2006" is an underscore and a year.
                Part::UnderDay => !rest.starts_with(b"006"),
                _ => true,
            })
    };
    let (name, part) = PARTS.iter().find(|(name, part)| fits(name, *part))?;
    Some((*part, name.len()))
}

/// A separator and zeros or nines that no other digit follows.
fn next_fraction(text: &[u8], digit: u8) -> Option<(Part, usize)> {
    let (separator, digits) = text.split_first()?;
    let places = digits.iter().take_while(|byte| **byte == digit).count();
    if digits.get(places).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    Some((
        Part::Fraction(*separator, places, digit == b'9'),
        places + 1,
    ))
}

fn push_part(out: &mut Vec<u8>, part: Part, civil: &Civil, nanos: u32) {
    let hour12 = match civil.hour % 12 {
        0 => 12,
        hour => hour,
    };
    let text = match part {
        Part::LongYear if civil.year < 0 => format!("-{:04}", civil.year.unsigned_abs()),
        Part::LongYear => format!("{:04}", civil.year),
        Part::Year => format!("{:02}", civil.year.unsigned_abs() % 100),
        Part::LongMonth => month_name(civil.month),
        Part::Month => month_name(civil.month).chars().take(3).collect(),
        Part::ZeroMonth => format!("{:02}", civil.month),
        Part::NumMonth => civil.month.to_string(),
        Part::LongWeekday => weekday_name(civil.weekday),
        Part::Weekday => weekday_name(civil.weekday).chars().take(3).collect(),
        Part::ZeroDay => format!("{:02}", civil.day),
        Part::UnderDay => format!("{:2}", civil.day),
        Part::Day => civil.day.to_string(),
        Part::ZeroYearDay => format!("{:03}", civil.yday),
        Part::UnderYearDay => format!("{:3}", civil.yday),
        Part::Hour => format!("{:02}", civil.hour),
        Part::ZeroHour12 => format!("{hour12:02}"),
        Part::Hour12 => hour12.to_string(),
        Part::ZeroMinute => format!("{:02}", civil.minute),
        Part::Minute => civil.minute.to_string(),
        Part::ZeroSecond => format!("{:02}", civil.second),
        Part::Second => civil.second.to_string(),
        Part::UpperPm => if civil.hour >= 12 { "PM" } else { "AM" }.to_owned(),
        Part::LowerPm => if civil.hour >= 12 { "pm" } else { "am" }.to_owned(),
        Part::ZoneName => return push_zone_name(out, civil),
        Part::ZoneOffset(style) => offset_text(civil.offset.seconds, style),
        Part::Fraction(separator, places, short) => {
            return push_fraction(out, nanos, separator, places, short);
        }
    };
    out.extend_from_slice(text.as_bytes());
}

/// The abbreviation; where a zone has none, its offset.
fn push_zone_name(out: &mut Vec<u8>, civil: &Civil) {
    let name = civil.offset.name.as_bytes();
    out.extend_from_slice(name);
    if name.is_empty() {
        let style = OffsetStyle {
            z: false,
            colon: false,
            minutes: true,
            seconds: false,
        };
        out.extend_from_slice(offset_text(civil.offset.seconds, style).as_bytes());
    }
}

fn offset_text(offset: i32, style: OffsetStyle) -> String {
    if style.z && offset == 0 {
        return "Z".to_owned();
    }
    let sign = if offset < 0 { '-' } else { '+' };
    let seconds = offset.unsigned_abs();
    let colon = if style.colon { ":" } else { "" };
    let mut text = format!("{sign}{:02}", seconds / 3600);
    if style.minutes {
        text.push_str(&format!("{colon}{:02}", seconds / 60 % 60));
    }
    if style.seconds {
        text.push_str(&format!("{colon}{:02}", seconds % 60));
    }
    text
}

/// At most nine places, however many the layout shows.
fn push_fraction(out: &mut Vec<u8>, nanos: u32, separator: u8, places: usize, short: bool) {
    let digits = format!("{nanos:09}");
    let mut digits = digits.get(..places).unwrap_or(&digits);
    if short {
        digits = digits.trim_end_matches('0');
        if digits.is_empty() {
            return;
        }
    }
    out.push(separator);
    out.extend_from_slice(digits.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::tests::{central_europe, utc};
    use super::super::{Local, Offset, Zone};
    use super::*;

    fn show(time: &Time, layout: &str) -> String {
        String::from_utf8_lossy(&format(time, layout.as_bytes())).into_owned()
    }

    #[test]
    fn every_part_of_the_reference_time() {
        let time = utc(1_233_810_057, 12_345_600); // Thursday 2009-02-05 05:00:57.0123456
        for (layout, want) in [
            ("2006 06 01 1 Jan January", "2009 09 02 2 Feb February"),
            ("02 2 _2 002 __2", "05 5  5 036  36"),
            ("15 03 3 04 4 05 5 PM pm", "05 05 5 00 0 57 57 AM am"),
            ("Mon Monday MST", "Thu Thursday UTC"),
            ("Z0700 Z07:00 Z07 Z070000 Z07:00:00", "Z Z Z Z Z"),
            (
                "-0700 -07:00 -07 -070000 -07:00:00",
                "+0000 +00:00 +00 +000000 +00:00:00",
            ),
            ("05.000 05,000000 05.0", "57.012 57,012345 57.0"),
            ("05.999 05.9 05,999999999", "57.012 57 57,0123456"),
            ("05.000000000000", "57.012345600"),
            ("05.001 05.0001", "57.002 57.0002"),
            ("Mon Jan _2 15:04:05 2006", "Thu Feb  5 05:00:57 2009"),
            (
                "2006-01-02T15:04:05.999999999Z07:00",
                "2009-02-05T05:00:57.0123456Z",
            ),
            ("Janet Month Mono", "Janet Month Mono"),
            ("_2006 _20060", "_2009 _20090"),
            ("no layout here", "no layout here"),
            ("15h", "05h"),
            ("中文", "中文"),
            ("", ""),
        ] {
            assert_eq!(show(&time, layout), want, "{layout}");
        }
    }

    #[test]
    fn noon_and_midnight() {
        assert_eq!(show(&utc(43_200, 0), "3PM 03pm 15"), "12PM 12pm 12");
        assert_eq!(show(&utc(0, 0), "3PM 03pm 15"), "12AM 12am 00");
        assert_eq!(show(&utc(86_399, 0), "3:04PM"), "11:59PM");
    }

    #[test]
    fn zones() {
        let local = |seconds, zone| Time {
            utc: false,
            local: Local::new(Zone::of_system("Local", zone)),
            ..utc(seconds, 0)
        };
        let layout = "15:04 MST Z07:00 -07 -07:00:00";
        assert_eq!(
            show(&local(1_620_000_000, central_europe), layout),
            "02:00 CEST +02:00 +02 +02:00:00"
        );
        let newfoundland = |_| Offset {
            seconds: -(3 * 3600 + 1800 + 52),
            name: "".into(),
            is_dst: false,
        };
        assert_eq!(
            show(&local(0, newfoundland), layout),
            "20:29 -0330 -03:30 -03 -03:30:52"
        );
    }

    #[test]
    fn years_before_and_after_four_digits() {
        assert_eq!(show(&utc(-62_167_219_201, 0), "2006 06"), "-0001 01");
        assert_eq!(show(&utc(253_402_300_800, 0), "2006 06"), "10000 00");
    }
}
