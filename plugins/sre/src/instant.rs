//! Milliseconds since 1970 as RFC 3339 in UTC, and back. The agent has no clock and no library for
//! one; this is the whole of the calendar that it needs.

/// `2026-04-18T10:44:58.120Z`.
pub fn rfc3339(time_ms: u64) -> String {
    let (days, rest) = (time_ms / 86_400_000, time_ms % 86_400_000);
    let (year, month, day) = civil(i64::try_from(days).unwrap_or(i64::MAX / 2));
    let (hour, minute, second, ms) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60, rest % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// Read what [`rfc3339`] writes, with any number of decimals, and any offset.
pub fn parse(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let separators = [(4, '-'), (7, '-'), (13, ':'), (16, ':')];
    if !separators.iter().all(|(at, c)| text.get(*at..).is_some_and(|rest| rest.starts_with(*c))) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let rest = text.get(19..)?;
    let decimals: String = rest.strip_prefix('.').unwrap_or("").chars().take_while(char::is_ascii_digit).collect();
    let ms: i64 = format!("{decimals:0<3}").get(..3)?.parse().ok()?;
    let zone = rest.trim_start_matches('.').trim_start_matches(|c: char| c.is_ascii_digit());
    let offset_minutes = offset(zone)?;
    let days = days(year, month, day);
    let total = ((days * 24 + hour) * 60 + minute - offset_minutes) * 60 + second;
    u64::try_from(total * 1_000 + ms).ok()
}

fn offset(zone: &str) -> Option<i64> {
    if zone.is_empty() || zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let hours: i64 = zone.get(1..3)?.parse().ok()?;
    let minutes: i64 = zone.get(4..6).unwrap_or("0").parse().ok()?;
    Some(sign * (hours * 60 + minutes))
}

// The two conversions are Howard Hinnant's `civil_from_days` and `days_from_civil`.
fn civil(days: i64) -> (i64, i64, i64) {
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

fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_shifted + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads_the_same_instant() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_709_210_096_789), "2024-02-29T12:34:56.789Z");
        for time in [0, 951_782_400_000, 1_709_210_096_789, 4_102_444_799_999] {
            assert_eq!(parse(&rfc3339(time)), Some(time));
        }
    }

    #[test]
    fn reads_an_offset_and_any_number_of_decimals() {
        assert_eq!(parse("2024-02-29T13:34:56.7+01:00"), Some(1_709_210_096_700));
        assert_eq!(parse("2024-02-29T12:34:56Z"), Some(1_709_210_096_000));
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in ["", "now", "2024-02-29", "2024-02-29T12:34", "é024-02-29T12:34:56Z"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
