//! Go's package time: instants, the calendar, layouts, durations and zones.
//!
//! This file is the calendar and the arithmetic; `layout` prints, `duration` is time.Duration,
//! `zone` and `rule` are time.Location. Nothing here reads a clock or a file: a [`Time`] brings its
//! zone along.

pub mod duration;
mod layout;
mod rule;
mod zone;

use std::sync::Arc;

pub use zone::{Offset, Zone};

/// The machine's time zone. A machine has only one: all are equal.
#[derive(Clone, Debug)]
pub struct Local(Arc<Zone>);

impl Local {
    /// The machine's zone is this one.
    pub fn new(zone: Zone) -> Local {
        Local(Arc::new(zone))
    }
}

impl PartialEq for Local {
    fn eq(&self, _: &Local) -> bool {
        true
    }
}

impl Eq for Local {}

/// A time zone as a time has it, `*time.Location`: UTC or the machine's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    utc: bool,
    local: Local,
}

impl Location {
    /// `Location.String`.
    pub fn name(&self) -> &str {
        if self.utc {
            return "UTC";
        }
        self.local.0.name()
    }
}

/// A point in time: `time.Time`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Time {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Nanoseconds within the second, 0..1_000_000_000.
    pub nanos: u32,
    /// True if its calendar is read in UTC, not in the machine's zone.
    pub utc: bool,
    /// The machine's zone.
    pub local: Local,
}

/// The layout by which a time marshals itself, `time.RFC3339Nano`.
pub const RFC3339_NANO: &[u8] = b"2006-01-02T15:04:05.999999999Z07:00";

const NANOS: i128 = 1_000_000_000;

/// Seconds between Go's zero time, 0001-01-01T00:00:00Z, and 1970.
pub const ZERO: i64 = -62_135_596_800;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// `Month.String`; 1 is January.
pub fn month_name(month: u8) -> String {
    let name = usize::from(month).checked_sub(1);
    match name.and_then(|place| MONTHS.get(place)) {
        Some(name) => (*name).to_owned(),
        None => format!("%!Month({month})"),
    }
}

/// `Weekday.String`; 0 is Sunday.
pub fn weekday_name(weekday: u8) -> String {
    match DAYS.get(usize::from(weekday)) {
        Some(name) => (*name).to_owned(),
        None => format!("%!Weekday({weekday})"),
    }
}

/// An instant as a zone's calendar and clock show it.
pub struct Civil {
    pub year: i64,
    /// From 1.
    pub month: u8,
    pub day: u8,
    /// Day of the year, from 1.
    pub yday: u16,
    /// From 0, which is Sunday.
    pub weekday: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
    /// How far the zone is ahead at the instant.
    pub offset: Offset,
}

impl Civil {
    /// A time's calendar and clock.
    pub fn of(time: &Time) -> Civil {
        Civil::at(time.seconds, time.offset_at(time.seconds))
    }

    /// The calendar and the clock of an instant, in seconds since 1970, where this offset holds.
    pub fn at(seconds: i64, offset: Offset) -> Civil {
        let local = seconds.saturating_add(i64::from(offset.seconds));
        let (days, second) = (local.div_euclid(86_400), local.rem_euclid(86_400));
        let (year, month, day) = date_of(days);
        Civil {
            year,
            month,
            day,
            yday: (i128::from(days) - days_before(year.into(), 1) + 1) as u16,
            weekday: (days + 4).rem_euclid(7) as u8,
            hour: (second / 3600) as u8,
            minute: (second / 60 % 60) as u8,
            second: (second % 60) as u8,
            offset,
        }
    }
}

/// Year, month and day of a number of days since 1970, in the Gregorian calendar.
fn date_of(days: i64) -> (i64, u8, u8) {
    // Years are counted from March, so that the leap day is the last of its year; 719,468 days
    // before 1970.
    let days = days.saturating_add(719_468);
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month as u8, day as u8)
}

/// Days from 1970 to the first of a month (1 is January); wide enough for any year.
pub fn days_before(year: i128, month: i128) -> i128 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The nearest number of 64 bits.
pub fn narrow(number: i128) -> i64 {
    i64::try_from(number).unwrap_or(if number < 0 { i64::MIN } else { i64::MAX })
}

impl Time {
    fn with_nanos(&self, nanos: i128) -> Time {
        Time {
            seconds: narrow(nanos.div_euclid(NANOS)),
            nanos: nanos.rem_euclid(NANOS) as u32,
            ..self.clone()
        }
    }

    /// Nanoseconds since 1970.
    pub fn unix_nanos(&self) -> i128 {
        i128::from(self.seconds) * NANOS + i128::from(self.nanos)
    }

    /// `Time.Add`; ends at the ends of time instead of wrapping around.
    pub fn add(&self, duration: i64) -> Time {
        self.with_nanos(self.unix_nanos() + i128::from(duration))
    }

    /// `Time.Sub`: the largest or smallest duration when the difference does not fit.
    pub fn sub(&self, other: &Time) -> i64 {
        narrow(self.unix_nanos() - other.unix_nanos())
    }

    /// `Time.AddDate`: the calendar moves, the clock stays; days beyond a month's end run into the
    /// next.
    pub fn add_date(&self, years: i64, months: i64, days: i64) -> Time {
        let civil = Civil::of(self);
        let months = i128::from(civil.month) - 1 + i128::from(months);
        let year = i128::from(civil.year) + i128::from(years) + months.div_euclid(12);
        let days = days_before(year, months.rem_euclid(12) + 1) + i128::from(civil.day) - 1
            + i128::from(days);
        let clock =
            i64::from(civil.hour) * 3600 + i64::from(civil.minute) * 60 + i64::from(civil.second);
        Time {
            seconds: self.instant_of(narrow(days * 86_400 + i128::from(clock))),
            ..self.clone()
        }
    }

    /// The time since the last multiple of `duration`, counted from Go's zero time.
    fn beyond_multiple(&self, duration: i64) -> i128 {
        (self.unix_nanos() - i128::from(ZERO) * NANOS).rem_euclid(duration.into())
    }

    /// `Time.Truncate`.
    pub fn truncate(&self, duration: i64) -> Time {
        if duration <= 0 {
            return self.clone();
        }
        self.with_nanos(self.unix_nanos() - self.beyond_multiple(duration))
    }

    /// `Time.Round`: to the nearest multiple, half way up.
    pub fn round(&self, duration: i64) -> Time {
        if duration <= 0 {
            return self.clone();
        }
        let beyond = self.beyond_multiple(duration);
        let up = if beyond * 2 < duration.into() {
            0
        } else {
            i128::from(duration)
        };
        self.with_nanos(self.unix_nanos() - beyond + up)
    }

    /// `Time.Location`.
    pub fn location(&self) -> Location {
        let Time { utc, ref local, .. } = *self;
        let local = local.clone();
        Location { utc, local }
    }

    /// `Time.In`.
    pub fn in_location(&self, location: &Location) -> Time {
        Time {
            utc: location.utc,
            local: location.local.clone(),
            ..*self
        }
    }

    /// `Time.MarshalText`: RFC 3339; none for a year that this has no place for.
    pub fn marshal_text(&self) -> Option<Vec<u8>> {
        let fits = (0..10_000).contains(&Civil::of(self).year);
        fits.then(|| self.format(RFC3339_NANO))
    }

    /// `Time.MarshalBinary`: a version, seconds since year 1, nanoseconds, the offset in minutes
    /// (-1 for UTC).
    pub fn marshal_binary(&self) -> Vec<u8> {
        let offset = self.offset_at(self.seconds).seconds;
        let (minutes, seconds) = if self.utc {
            (-1, 0)
        } else {
            (offset / 60, offset % 60)
        };
        let mut out = vec![if seconds == 0 { 1 } else { 2 }];
        out.extend(self.seconds.wrapping_sub(ZERO).to_be_bytes());
        out.extend(self.nanos.to_be_bytes());
        out.extend((minutes as i16).to_be_bytes());
        if seconds != 0 {
            out.push(seconds as u8);
        }
        out
    }

    /// `Time.Format`. Layouts are bytes, since templates' strings are.
    pub fn format(&self, layout: &[u8]) -> Vec<u8> {
        layout::format(self, layout)
    }

    /// `Time.String`, without the reading of the monotonic clock (`m=+0.01`) that Go adds to what
    /// `time.Now` returns.
    pub fn to_text(&self) -> Vec<u8> {
        self.format(b"2006-01-02 15:04:05.999999999 -0700 MST")
    }

    /// `Time.GoString`, which `%#v` prints.
    pub fn to_go(&self) -> String {
        let civil = Civil::of(self);
        let zone = if self.utc { "time.UTC" } else { "time.Local" };
        format!(
            "time.Date({}, time.{}, {}, {}, {}, {}, {}, {zone})",
            civil.year,
            month_name(civil.month),
            civil.day,
            civil.hour,
            civil.minute,
            civil.second,
            self.nanos,
        )
    }

    /// The offset that its zone has at some instant, in Unix seconds.
    fn offset_at(&self, seconds: i64) -> Offset {
        if self.utc {
            return Offset::UTC;
        }
        self.local.0.offset_at(seconds)
    }

    /// The instant (Unix seconds) at which its zone's clock shows `clock`, counted as if in UTC. A
    /// time that a change of the clock skips or repeats is taken as `time.Date` takes it.
    fn instant_of(&self, clock: i64) -> i64 {
        let guess = self.offset_at(clock).seconds;
        if guess == 0 {
            return clock;
        }
        let offset = self.offset_at(clock.saturating_sub(guess.into()));
        clock.saturating_sub(offset.seconds.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Central Europe in 2021: an hour ahead of UTC, two from 28 March to 31 October.
    pub(super) fn central_europe(seconds: i64) -> Offset {
        let summer = (1_616_893_200..1_635_642_000).contains(&seconds);
        Offset {
            seconds: if summer { 7200 } else { 3600 },
            name: if summer { "CEST" } else { "CET" }.into(),
            is_dst: summer,
        }
    }

    pub(super) fn utc(seconds: i64, nanos: u32) -> Time {
        Time {
            seconds,
            nanos,
            utc: true,
            local: Local::new(Zone::of_system("Local", central_europe)),
        }
    }

    fn show(time: &Time) -> String {
        String::from_utf8_lossy(&time.to_text()).into_owned()
    }

    #[test]
    fn the_calendar_is_gregorian() {
        for (seconds, want, yday) in [
            (0, "1970-01-01 00:00:00 +0000 UTC", 1),
            (951_782_400, "2000-02-29 00:00:00 +0000 UTC", 60),
            (978_220_800, "2000-12-31 00:00:00 +0000 UTC", 366),
            (-2_203_891_200, "1900-03-01 00:00:00 +0000 UTC", 60),
            (-1, "1969-12-31 23:59:59 +0000 UTC", 365),
            (ZERO, "0001-01-01 00:00:00 +0000 UTC", 1),
            (ZERO - 1, "0000-12-31 23:59:59 +0000 UTC", 366),
            (
                ZERO - 86_400 * 366 - 1,
                "-0001-12-31 23:59:59 +0000 UTC",
                365,
            ),
            (253_402_300_800, "10000-01-01 00:00:00 +0000 UTC", 1),
        ] {
            assert_eq!(show(&utc(seconds, 0)), want);
            assert_eq!(Civil::of(&utc(seconds, 0)).yday, yday, "{want}");
        }
    }

    #[test]
    fn each_day_follows_the_one_before() {
        let mut before = date_of(-800_000);
        for days in -799_999..800_000 {
            let (year, month, day) = date_of(days);
            let next_in_month = (before.0, before.1, before.2 + 1);
            let new_year = i64::from(before.1 == 12);
            let first = day == 1 && (year, month) == (before.0 + new_year, before.1 % 12 + 1);
            assert!(
                (year, month, day) == next_in_month || first,
                "day {days}: {year}-{month}-{day} after {before:?}"
            );
            let month_start = days_before(year.into(), month.into());
            assert_eq!(month_start + i128::from(day) - 1, days.into());
            before = (year, month, day);
        }
    }

    #[test]
    fn any_number_of_seconds_is_a_date() {
        for seconds in [i64::MIN, i64::MAX] {
            assert!(!show(&utc(seconds, 0)).is_empty());
            let moved = utc(seconds, 0).add_date(i64::MAX, i64::MIN, i64::MAX);
            assert!(!show(&moved.add(i64::MAX).round(7)).is_empty());
        }
    }

    #[test]
    fn dates_move_by_the_calendar() {
        let start = utc(1_612_051_200, 5); // 2021-01-31 00:00:00
        for (years, months, days, want) in [
            (0, 1, 0, "2021-03-03 00:00:00.000000005 +0000 UTC"),
            (0, -2, 0, "2020-12-01 00:00:00.000000005 +0000 UTC"),
            (-1, 1, -2, "2020-02-29 00:00:00.000000005 +0000 UTC"),
            (0, 0, 365, "2022-01-31 00:00:00.000000005 +0000 UTC"),
            (0, 25, 0, "2023-03-03 00:00:00.000000005 +0000 UTC"),
        ] {
            assert_eq!(show(&start.add_date(years, months, days)), want);
        }
    }

    #[test]
    fn local_dates_follow_daylight_saving() {
        let start = Time {
            utc: false,
            ..utc(1_616_842_800, 0) // 2021-03-27 11:00:00
        };
        assert_eq!(show(&start), "2021-03-27 12:00:00 +0100 CET");
        let next = start.add_date(0, 0, 1);
        assert_eq!(show(&next), "2021-03-28 12:00:00 +0200 CEST");
        assert_eq!(next.sub(&start), 23 * 3600 * 1_000_000_000);
        assert_eq!(
            next.to_go(),
            "time.Date(2021, time.March, 28, 12, 0, 0, 0, time.Local)"
        );
    }

    #[test]
    fn rounding_counts_from_the_zero_time() {
        let hour = 3600 * 1_000_000_000;
        let time = utc(1_600_000_245, 500_000_000); // 12:30:45.5
        assert_eq!(show(&time.truncate(hour)), "2020-09-13 12:00:00 +0000 UTC");
        assert_eq!(show(&time.round(hour)), "2020-09-13 13:00:00 +0000 UTC");
        assert_eq!(show(&time.truncate(0)), show(&time));
        assert_eq!(
            show(&time.truncate(24 * 7 * hour)),
            "2020-09-07 00:00:00 +0000 UTC"
        );
        assert_eq!(time.sub(&utc(i64::MIN, 0)), i64::MAX);
    }
}
