//! `time.Duration`: nanoseconds, as text, in units and rounded.

const SECOND: i64 = 1_000_000_000;

/// `Duration.String`: `1h2m3.5s`, below a second `1.5ms`, `2µs`, `3ns`; zero is `0s`.
pub fn to_text(duration: i64) -> String {
    let nanos = duration.unsigned_abs();
    let sign = if duration < 0 { "-" } else { "" };
    match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{nanos}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", decimal(nanos, 3)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", decimal(nanos, 6)),
        _ => {
            let (minutes, rest) = (nanos / 60_000_000_000, nanos % 60_000_000_000);
            let seconds = decimal(rest, 9);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{sign}{seconds}s"),
                (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

/// `number / 10^places` without trailing zeros.
fn decimal(number: u64, places: u32) -> String {
    let unit = 10_u64.pow(places);
    let text = format!(
        "{}.{:0width$}",
        number / unit,
        number % unit,
        width = places as usize
    );
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `Duration.Seconds`, `Minutes` and `Hours`: in units of so many seconds.
pub fn in_units(duration: i64, seconds: i64) -> f64 {
    let unit = seconds * SECOND;
    (duration / unit) as f64 + (duration % unit) as f64 / unit as f64
}

/// `Duration.Truncate`: toward zero to a multiple.
pub fn truncate(duration: i64, multiple: i64) -> i64 {
    if multiple <= 0 {
        return duration;
    }
    duration - duration % multiple
}

/// `Duration.Round`: to the nearest multiple, half way away from zero; ends at the largest and smallest.
pub fn round(duration: i64, multiple: i64) -> i64 {
    if multiple <= 0 {
        return duration;
    }
    let rest = (duration % multiple).unsigned_abs();
    let truncated = truncate(duration, multiple);
    if rest < multiple.unsigned_abs() - rest {
        truncated
    } else {
        truncated.saturating_add(multiple * duration.signum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_go_text() {
        for (nanos, want) in [
            (0, "0s"),
            (1, "1ns"),
            (1100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (245_000_000_000, "4m5s"),
            (245_001_000_000, "4m5.001s"),
            (18_367_001_000_000, "5h6m7.001s"),
            (480_000_000_001, "8m0.000000001s"),
            (3_600_000_000_000, "1h0m0s"),
            (-1_500_000, "-1.5ms"),
            (i64::MAX, "2562047h47m16.854775807s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(to_text(nanos), want);
        }
    }

    #[test]
    fn units_and_rounding() {
        assert_eq!(in_units(5_400_000_000_000, 3600).to_string(), "1.5");
        assert_eq!(in_units(-1_500_000_000, 1).to_string(), "-1.5");
        for (duration, multiple, cut, nearest) in [
            (1_499, 1_000, 1_000, 1_000),
            (1_500, 1_000, 1_000, 2_000),
            (-1_500, 1_000, -1_000, -2_000),
            (7, 0, 7, 7),
            (7, -3, 7, 7),
            (i64::MAX, i64::MAX - 1, i64::MAX - 1, i64::MAX - 1),
            (i64::MAX, 1 << 62, 1 << 62, i64::MAX),
            (i64::MIN, 5 << 60, -(5 << 60), i64::MIN),
        ] {
            assert_eq!(truncate(duration, multiple), cut, "{duration} {multiple}");
            assert_eq!(round(duration, multiple), nearest, "{duration} {multiple}");
        }
    }
}
