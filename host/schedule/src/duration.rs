//! Lengths of time as people write them: `90s`, `1h30m`, `2 weeks`. A day is 24 hours here, whatever the clocks of a zone
//! do; what has to follow the calendar is a cron expression. Months and years have no fixed length and are refused.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

use crate::error::Error;

/// Reads `text` as a length from `least` to `most`, both in seconds.
///
/// # Errors
/// Where it cannot be read or is outside of the bounds; `field` is named.
pub(crate) fn read(field: &'static str, text: &str, least_seconds: u64, most_seconds: u64) -> Result<Duration, Error> {
    let wrong = |reason: String| Error::value(field, text, reason);
    let is_plain = text.trim().chars().all(|letter| letter.is_ascii_digit());
    if is_plain && !text.trim().is_empty() {
        return Err(wrong("a length needs its unit, as in `90s`, `15m`, `1h30m`, `7d`".to_owned()));
    }
    let span: Span = text
        .trim()
        .parse()
        .map_err(|_| wrong("this is no length of time; write it as in `90s`, `15m`, `1h30m`, `7d`".to_owned()))?;
    if span.get_months() != 0 || span.get_years() != 0 {
        return Err(wrong("months and years differ in length; write days, or use `cron`".to_owned()));
    }
    let length = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .ok()
        .and_then(|signed| Duration::try_from(signed).ok())
        .ok_or_else(|| wrong("this is no length of time that can be waited for".to_owned()))?;
    if length < Duration::from_secs(least_seconds) || length > Duration::from_secs(most_seconds) {
        return Err(wrong(format!("at least {} and at most {}", short(least_seconds), short(most_seconds))));
    }
    Ok(length)
}

/// A number of seconds in its largest whole unit: `7d`, `90m`.
fn short(seconds: u64) -> String {
    match seconds {
        0 => "0s".to_owned(),
        seconds if seconds % 86_400 == 0 => format!("{}d", seconds / 86_400),
        seconds if seconds % 3_600 == 0 => format!("{}h", seconds / 3_600),
        seconds if seconds % 60 == 0 => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

/// A length for people, in its two largest units: `3h 20m`, `45s`, `120ms`.
pub(crate) fn told(length_ms: u64) -> String {
    const UNITS: [(u64, &str); 5] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];
    let Some(first) = UNITS.iter().position(|(size, _)| length_ms >= *size) else { return "0s".to_owned() };
    let mut parts = Vec::new();
    let mut rest_ms = length_ms;
    for (size, unit) in UNITS.iter().skip(first).take(2) {
        // Nobody wants the milliseconds of something that took seconds.
        if rest_ms >= *size && (*size > 1 || parts.is_empty()) {
            parts.push(format!("{}{unit}", rest_ms / size));
        }
        rest_ms %= size;
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, seconds) in
            [("90s", 90), ("15m", 900), ("1h30m", 5_400), ("1h 30m", 5_400), ("7d", 604_800), ("2 weeks", 1_209_600)]
        {
            assert_eq!(read("every", text, 0, 10_000_000), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn names_the_field_and_what_is_allowed() {
        let said = |text| read("every", text, 1, 86_400).unwrap_err().to_string();
        assert_eq!(said("15"), "`every`: a length needs its unit, as in `90s`, `15m`, `1h30m`, `7d`: `15`");
        assert_eq!(
            said("2 months"),
            "`every`: months and years differ in length; write days, or use `cron`: `2 months`"
        );
        assert_eq!(said("0s"), "`every`: at least 1s and at most 1d: `0s`");
        assert_eq!(said("-5m"), "`every`: this is no length of time that can be waited for: `-5m`");
        assert_eq!(
            said("soon"),
            "`every`: this is no length of time; write it as in `90s`, `15m`, `1h30m`, `7d`: `soon`"
        );
        assert!(read("every", "", 1, 60).is_err());
        assert!(read("every", "99999999999999999999h", 1, 60).is_err());
    }

    #[test]
    fn tells_the_two_largest_units() {
        assert_eq!(told(12_000_000), "3h 20m");
        assert_eq!(told(45_300), "45s");
        assert_eq!(told(120), "120ms");
        assert_eq!(told(0), "0s");
    }
}
