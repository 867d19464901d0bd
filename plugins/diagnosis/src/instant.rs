//! Moments as milliseconds since 1970, and RFC 3339. This crate has no clock, and no library for one: this is the
//! whole of the calendar that it needs.
//!
//! Reading is lenient where sources are: a blank for the `T`, no zone (taken as UTC), a date alone.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment, in milliseconds since 1970 in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub i64);

impl Instant {
    /// Read RFC 3339 with any number of decimals and any offset; `None` is what is no time.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let number = |from: usize, to: usize| -> Option<i64> {
            let digits = text.get(from..to)?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let is = |at: usize, wanted: &[u8]| text.as_bytes().get(at).is_some_and(|byte| wanted.contains(byte));
        if !is(4, b"-") || !is(7, b"-") {
            return None;
        }
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let start = days(year, month, day) * 86_400_000;
        if text.len() == 10 {
            return Some(Self(start));
        }
        if !is(10, b"Tt ") || !is(13, b":") {
            return None;
        }
        let (hour, minute) = (number(11, 13)?, number(14, 16)?);
        let (second, mut at) = if is(16, b":") { (number(17, 19)?, 19) } else { (0, 16) };
        if hour > 24 || minute > 59 || second > 60 {
            return None;
        }
        let mut ms = 0;
        if is(at, b".,") {
            let decimals: String = text.get(at + 1..)?.chars().take_while(char::is_ascii_digit).collect();
            at += 1 + decimals.len();
            ms = format!("{decimals:0<3}").get(..3)?.parse().ok()?;
        }
        let offset = offset_minutes(text.get(at..)?.trim())?;
        Some(Self(start + ((hour * 60 + minute - offset) * 60 + second) * 1_000 + ms))
    }

    /// Seconds from `earlier` to this moment.
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        (self.0.saturating_sub(earlier.0)) as f64 / 1_000.0
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, rest) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        let (year, month, day) = civil(days);
        let (hour, minute, second, ms) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1_000 % 60, rest % 1_000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if ms > 0 { write!(f, ".{ms:03}Z") } else { write!(f, "Z") }
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Instant;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a time by RFC 3339, like \"2026-04-18T10:45:00Z\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Instant, E> {
                Instant::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

fn offset_minutes(zone: &str) -> Option<i64> {
    if zone.is_empty() || zone.eq_ignore_ascii_case("z") || zone.eq_ignore_ascii_case("utc") {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: String = zone.get(1..)?.chars().filter(|c| *c != ':').collect();
    let hours: i64 = digits.get(..2)?.parse().ok()?;
    let minutes: i64 = if digits.len() > 2 { digits.get(2..4)?.parse().ok()? } else { 0 };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
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
    fn writes_and_reads_the_same_moment() {
        for text in ["1970-01-01T00:00:00Z", "2024-02-29T12:34:56.789Z", "2026-03-27T10:00:00Z"] {
            assert_eq!(Instant::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn reads_offsets_decimals_blanks_and_missing_zones() {
        let noon = Instant::parse("2024-02-29T12:00:00Z");
        for text in
            ["2024-02-29T13:00:00+01:00", "2024-02-29 12:00:00", "2024-02-29T12:00:00.000000Z", "2024-02-29T12:00Z"]
        {
            assert_eq!(Instant::parse(text), noon, "{text}");
        }
        assert_eq!(Instant::parse("2024-02-29").unwrap().to_string(), "2024-02-29T00:00:00Z");
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in
            ["", "now", "2024-13-01", "2024-02-29T25", "2024-02-29T12:61:00Z", "2024-02-29T12:00:00 CET", "é024-02-29"]
        {
            assert_eq!(Instant::parse(text), None, "{text}");
        }
    }
}
