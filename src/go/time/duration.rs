//! `time.Duration`: nanoseconds, from and to a string, in units and rounded.

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

/// `time.ParseDuration`: `1h2m3.5s`, with a sign before it or not; none when it is malformed or
/// does not fit.
pub fn parse(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut sum = 0_u64;
    while !rest.is_empty() {
        let nanos;
        (nanos, rest) = parse_part(rest)?;
        sum = sum.checked_add(nanos).filter(|sum| *sum <= 1 << 63)?;
    }
    if negative {
        return Some(sum.cast_signed().wrapping_neg());
    }
    i64::try_from(sum).ok()
}

/// One number with its unit, in nanoseconds, and what follows it.
fn parse_part(text: &str) -> Option<(u64, &str)> {
    let is_digit = |found: char| found.is_ascii_digit();
    let (whole, rest) = split_where(text, |found| !is_digit(found));
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => split_where(rest, |found| !is_digit(found)),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let (unit, rest) = split_where(rest, |found| found == '.' || is_digit(found));
    let unit: u64 = match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let (digits, scale) = leading_fraction(fraction);
    let part = (digits as f64 * (unit as f64 / scale)) as u64;
    let nanos = whole.checked_mul(unit)?.checked_add(part)?;
    Some((nanos, rest))
}

/// The digits that fit a number, and what to divide them by.
fn leading_fraction(digits: &str) -> (u64, f64) {
    let (mut number, mut scale) = (0_u64, 1.0);
    for digit in digits.bytes() {
        let longer = number
            .checked_mul(10)
            .map(|number| number + u64::from(digit - b'0'));
        match longer.filter(|longer| *longer <= 1 << 63) {
            Some(longer) => number = longer,
            None => break,
        }
        scale *= 10.0;
    }
    (number, scale)
}

fn split_where(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
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

/// `Duration.Seconds`, `Minutes` and `Hours`: in units of this many seconds.
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

/// `Duration.Round`: to the nearest multiple, half way away from zero; ends at the largest and
/// smallest.
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
    fn strings_are_read_as_go_reads_them() {
        for (text, want) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("5s", Some(5_000_000_000)),
            ("+1.5h", Some(5_400_000_000_000)),
            ("-1m30.25s", Some(-90_250_000_000)),
            (".5s", Some(500_000_000)),
            ("5.s", Some(5_000_000_000)),
            ("1us1µs1μs", Some(3_000)),
            ("1h1h", Some(7_200_000_000_000)),
            ("0.3333333333333333333h", Some(1_200_000_000_000)),
            ("9223372036854775807ns", Some(i64::MAX)),
            ("-9223372036854775808ns", Some(i64::MIN)),
            ("9223372036854775808ns", None),
            ("9223372036854775.808us", None),
            ("3000000h", None),
            ("", None),
            ("-", None),
            ("3", None),
            (".s", None),
            ("s", None),
            ("1d", None),
            ("1 s", None),
            ("1s ", None),
            ("--1s", None),
        ] {
            assert_eq!(parse(text), want, "{text}");
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
