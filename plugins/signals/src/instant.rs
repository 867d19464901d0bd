//! Moments as text: RFC 3339 and its usual neighbours, read and written. The one calendar of those who have no clock
//! and no library for dates, because a component that reads points and logs should stay small.
//!
//! Reading is lenient where sources are: a blank for the `T`, no zone (taken as UTC), an offset without its colon, a
//! date alone. What is left of a text after a time makes it none. `logs::parse_time` reads the many other forms in
//! which logs begin their lines, by the same calendar.

const MS: i64 = 1_000;
const DAY_S: i64 = 86_400;

/// Milliseconds since 1970 in UTC, or nothing where the text is no such time. A leap second counts as the one before it.
#[must_use]
pub fn milliseconds_of(text: &str) -> Option<i64> {
    let read = read(text)?;
    Some(read.seconds * MS + i64::from(read.nanoseconds / 1_000_000))
}

/// Seconds since 1970 with their fraction. A date alone is none here: a point of a series has a time.
#[must_use]
pub fn seconds_of(text: &str) -> Option<f64> {
    let read = read(text).filter(|read| read.has_time)?;
    Some(read.seconds as f64 + f64::from(read.nanoseconds) / 1e9)
}

/// `2026-04-18T10:44:58Z`, with milliseconds where there are any.
#[must_use]
pub fn rfc3339(milliseconds: i64) -> String {
    let (days, rest) = (milliseconds.div_euclid(DAY_S * MS), milliseconds.rem_euclid(DAY_S * MS));
    let (year, month, day) = date_of(days);
    let (hour, minute, second, ms) = (rest / 3_600_000, rest / 60_000 % 60, rest / MS % 60, rest % MS);
    let fraction = if ms > 0 { format!(".{ms:03}") } else { String::new() };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// Days since 1970 of a day of the proleptic Gregorian calendar, as Howard Hinnant's `days_from_civil` counts them;
/// nothing where the calendar has no such day.
#[must_use]
pub fn days_of(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// The other way, Hinnant's `civil_from_days`: year, month, day.
#[must_use]
pub fn date_of(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

struct Read {
    seconds: i64,
    nanoseconds: u32,
    has_time: bool,
}

fn read(text: &str) -> Option<Read> {
    let text = text.trim();
    let (date, rest) = text.split_at_checked(10)?;
    let mut parts = date.split('-');
    let (year, month, day) = (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    if parts.next().is_some() {
        return None;
    }
    let midnight = days_of(year, month, day)? * DAY_S;
    if rest.is_empty() {
        return Some(Read { seconds: midnight, nanoseconds: 0, has_time: false });
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let clock_end = rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.' | ',')).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at_checked(clock_end)?;
    let (whole, fraction) = clock.split_once(['.', ',']).unwrap_or((clock, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut parts = whole.split(':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let second = parts.next().map_or(Some(0), |second| digits(second, 2))?;
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let nanoseconds = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let seconds = midnight + hour * 3_600 + minute * 60 + second.min(59) - offset_seconds(zone.trim())?;
    Some(Read { seconds, nanoseconds, has_time: true })
}

/// How far a zone is ahead of UTC: nothing, `Z`, `+02:00`, `+0200`, `+02`.
fn offset_seconds(zone: &str) -> Option<i64> {
    if zone.is_empty() || zone.eq_ignore_ascii_case("z") || zone.eq_ignore_ascii_case("utc") {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let figures = zone.get(1..)?;
    let (hours, minutes) = match (figures.split_once(':'), figures.len()) {
        (Some((hours, minutes)), _) => (hours, minutes),
        (None, 4) => figures.split_at_checked(2)?,
        (None, _) => (figures, "00"),
    };
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
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
        let noon = milliseconds_of("2024-02-29T12:00:00Z");
        for text in [
            "2024-02-29T13:00:00+01:00",
            "2024-02-29T13:00:00+0100",
            "2024-02-29T13:00:00+01",
            "2024-02-29 12:00:00",
            "2024-02-29T12:00:00,000Z",
            "2024-02-29 12:00:00 UTC",
        ] {
            assert_eq!(milliseconds_of(text), noon, "{text}");
        }
    }

    #[test]
    fn a_date_alone_is_its_midnight_and_no_time_of_a_point() {
        assert_eq!(milliseconds_of("1970-01-02"), Some(86_400_000));
        assert_eq!(seconds_of("1970-01-02"), None);
    }

    #[test]
    fn writes_and_reads_the_same_moment() {
        for text in ["1970-01-01T00:00:00Z", "2024-02-29T12:34:56.789Z", "1969-12-31T23:59:59Z"] {
            assert_eq!(milliseconds_of(text).map(rfc3339).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "yesterday",
            "2014-13-10T00:00:00Z",
            "2014-02-30T00:00:00Z",
            "2014-04-10T24:00:00Z",
            "2014-04-10T00:00:00+2",
            "2014-04-10T00:00:00 CET",
            "2014-04-10T00:00:00.Z",
            "2014-04-10T00:00:00Z\u{e9}",
            "2014-04-1\u{e9}T00:00:00Z",
            "+014-04-10T00:00:00Z",
            "2014-04-10T1:00:00Z",
            "2014-04-10T12:61:00Z",
        ] {
            assert_eq!(milliseconds_of(text), None, "{text}");
        }
    }
}
