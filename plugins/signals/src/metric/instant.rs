//! The time of a point as text: RFC 3339, and the same with a space and without an offset, which is UTC.
//!
//! Here and not in a crate, because the component that reads points should stay small and takes nothing else of dates.

/// Seconds since 1970 in UTC, or nothing where the text is no such time. A leap second counts as the one before it.
#[must_use]
pub fn seconds_of(text: &str) -> Option<f64> {
    let (date, rest) = text.trim().split_at_checked(10)?;
    let mut parts = date.split('-');
    let (year, month, day) = (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, offset) = split_offset(rest)?;
    let (whole, fraction) = time.split_once('.').unwrap_or((time, "0"));
    if fraction.is_empty() || fraction.len() > 12 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut parts = whole.split(':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let second = parts.next().map_or(Some(0), |second| digits(second, 2))?;
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let fraction: f64 = format!("0.{fraction}").parse().ok()?;
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second.min(59) - offset;
    Some(seconds as f64 + fraction)
}

/// The time of day, and the seconds by which it is ahead of UTC.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(time) = text.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let Some(at) = text.rfind(['+', '-']) else { return Some((text, 0)) };
    let (time, offset) = text.split_at_checked(at)?;
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    (hours < 24 && minutes < 60).then_some((time, sign * (hours * 3600 + minutes * 60)))
}

fn digits(text: &str, length: usize) -> Option<i64> {
    let is_number = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days in the proleptic Gregorian calendar, as Howard Hinnant's `days_from_civil` counts them.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_each_form() {
        assert_eq!(seconds_of("1970-01-01T00:00:00Z"), Some(0.0));
        assert_eq!(seconds_of("2014-04-10 07:15:00.000000"), Some(1_397_114_100.0));
        assert_eq!(seconds_of("2026-03-26T12:00:00.5+02:00"), Some(1_774_519_200.5));
        assert_eq!(seconds_of("2026-03-26T10:00:00-00:30"), Some(1_774_521_000.0));
        assert_eq!(seconds_of(" 2016-02-29T23:59:60Z "), Some(1_456_790_399.0));
        assert_eq!(seconds_of("2024-01-01T10:20"), seconds_of("2024-01-01T10:20:00Z"));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "yesterday",
            "2014-04-10",
            "2014-13-10T00:00:00Z",
            "2014-02-30T00:00:00Z",
            "2014-04-10T24:00:00Z",
            "2014-04-10T00:00:00+2",
            "2014-04-10T00:00:00.Z",
            "2014-04-10T00:00:00Z\u{e9}",
            "2014-04-1\u{e9}T00:00:00Z",
            "+014-04-10T00:00:00Z",
            "2014-04-10T1:00:00Z",
        ] {
            assert_eq!(seconds_of(text), None, "{text}");
        }
    }
}
