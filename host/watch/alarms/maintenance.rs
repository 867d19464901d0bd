//! Maintenance: when alarms of some targets are noted and wake nobody.
//!
//! A window is once (from, to) or daily in a time zone, where it may pass midnight. Daily times are those of the clock
//! on the wall: a night on which it is changed makes a window an hour longer or shorter. Pure: the time comes in.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::config::MaintenanceConfig;
use crate::gate::explain::escaped;

/// One window.
#[derive(Clone, Debug)]
pub struct Maintenance {
    pub name: String,
    /// `*` stands for anything.
    targets: Vec<String>,
    span: Span,
}

#[derive(Clone, Debug)]
enum Span {
    Once { from_ms: u64, to_ms: u64 },
    Daily { from: Time, to: Time, days: Vec<Weekday>, zone: TimeZone },
}

/// What is wrong with a window, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("[[maintenance]] {name}: {what}\nhint: {hint}")]
pub struct MaintenanceError {
    pub name: String,
    pub what: String,
    pub hint: &'static str,
}

impl Maintenance {
    /// The window that stands at `number` in the file.
    ///
    /// # Errors
    /// It names no target, no time, or two.
    pub fn of(config: &MaintenanceConfig, number: usize) -> Result<Self, MaintenanceError> {
        let name = config.name.clone().unwrap_or_else(|| format!("number {}", number + 1));
        let wrong =
            |what: &str, hint: &'static str| Err(MaintenanceError { name: escaped(&name), what: escaped(what), hint });
        if config.targets.is_empty() {
            return wrong("there are no `targets`", "name some: targets = [\"db-*\"]; [\"*\"] is all of them");
        }
        let span = match (&config.from, &config.to, &config.daily) {
            (Some(from), Some(to), None) if config.days.is_empty() && config.zone.is_none() => {
                let (Some(from_ms), Some(to_ms)) = (time_ms(from), time_ms(to)) else {
                    return wrong("`from` or `to` is no time", "write \"2026-11-23T22:00:00+01:00\", in quotes");
                };
                if from_ms >= to_ms {
                    return wrong("it ends before it begins", "`to` comes after `from`");
                }
                Span::Once { from_ms, to_ms }
            }
            (None, None, Some(daily)) => {
                let times = daily.split_once('-').and_then(|(from, to)| Some((clock(from)?, clock(to)?)));
                let Some((from, to)) = times.filter(|(from, to)| from != to) else {
                    return wrong("`daily` is no span of a day", "write \"22:30-04:00\"");
                };
                let Some(days) = config.days.iter().map(|day| weekday(day)).collect::<Option<Vec<_>>>() else {
                    return wrong("`days` holds what is no day", "write mon, tue, wed, thu, fri, sat or sun");
                };
                let zone = match config.zone.as_deref() {
                    None | Some("UTC") => TimeZone::UTC,
                    Some(zone) => match TimeZone::get(zone) {
                        Ok(zone) => zone,
                        Err(_) => {
                            let hint = "write a name such as \"Europe/Berlin\"; the system needs the package `tzdata`";
                            return wrong(&format!("there is no time zone `{zone}`"), hint);
                        }
                    },
                };
                Span::Daily { from, to, days, zone }
            }
            _ => return wrong("it is not clear when", "write `from` and `to`, or `daily` (with `days` and `zone`)"),
        };
        Ok(Self { name, targets: config.targets.clone(), span })
    }

    /// Whether it is now, for this target.
    #[must_use]
    pub fn covers(&self, target: &str, now_ms: u64) -> bool {
        self.targets.iter().any(|pattern| matches(pattern, target)) && self.span.holds(now_ms)
    }
}

impl Span {
    fn holds(&self, now_ms: u64) -> bool {
        match self {
            Span::Once { from_ms, to_ms } => (*from_ms..*to_ms).contains(&now_ms),
            Span::Daily { from, to, days, zone } => {
                let now = i64::try_from(now_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
                let Some(now) = now.map(|now| now.to_zoned(zone.clone())) else { return false };
                let (time, today) = (now.time(), now.date());
                let is_day = |day: Weekday| days.is_empty() || days.contains(&day);
                if from < to {
                    return time >= *from && time < *to && is_day(today.weekday());
                }
                // It passes midnight: the morning belongs to the day before.
                let is_before = || today.checked_sub(1.day()).is_ok_and(|day| is_day(day.weekday()));
                (time >= *from && is_day(today.weekday())) || (time < *to && is_before())
            }
        }
    }
}

fn time_ms(text: &str) -> Option<u64> {
    u64::try_from(text.trim().parse::<Timestamp>().ok()?.as_millisecond()).ok()
}

/// `22:30`; `24:00` is the end of the day.
fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    let is_number = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(hour) || !is_number(minute) {
        return None;
    }
    match (hour.parse::<i8>().ok()?, minute.parse::<i8>().ok()?) {
        (24, 0) => Some(Time::midnight()),
        (hour, minute) => Time::new(hour, minute, 0, 0).ok(),
    }
}

fn weekday(text: &str) -> Option<Weekday> {
    Some(match text {
        "mon" => Weekday::Monday,
        "tue" => Weekday::Tuesday,
        "wed" => Weekday::Wednesday,
        "thu" => Weekday::Thursday,
        "fri" => Weekday::Friday,
        "sat" => Weekday::Saturday,
        "sun" => Weekday::Sunday,
        _ => return None,
    })
}

/// Whether a name is one of those that a pattern with `*` stands for. Takes time in proportion to both, whatever they
/// hold: a name comes from outside.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> MaintenanceConfig {
        toml::from_str(&format!("targets = [\"db-*\"]\n{text}")).unwrap()
    }

    fn at(text: &str) -> u64 {
        time_ms(text).unwrap()
    }

    #[test]
    fn a_window_that_is_once_holds_from_its_begin_to_before_its_end() {
        let text = "from = \"2026-11-23T22:00:00+01:00\"\nto = \"2026-11-23T23:00:00+01:00\"";
        let window = Maintenance::of(&config(text), 0).unwrap();
        for (time, expected) in [
            ("2026-11-23T20:59:59Z", false),
            ("2026-11-23T21:00:00Z", true),
            ("2026-11-23T21:59:59Z", true),
            ("2026-11-23T22:00:00Z", false),
        ] {
            assert_eq!(window.covers("db-1", at(time)), expected, "{time}");
        }
        assert!(!window.covers("web", at("2026-11-23T21:30:00Z")));
    }

    #[test]
    fn a_daily_window_is_by_the_clock_of_its_zone_and_passes_midnight() {
        let text = "daily = \"22:30-04:00\"\ndays = [\"sat\"]\nzone = \"Europe/Berlin\"";
        let window = Maintenance::of(&config(text), 0).unwrap();
        for (time, expected) in [
            // The 25th of July 2026 is a Saturday, in summer time; the 28th of November too, in winter time.
            ("2026-07-25T20:29:59Z", false),
            ("2026-07-25T20:30:00Z", true),
            ("2026-07-26T01:59:59Z", true),
            ("2026-07-26T02:00:00Z", false),
            ("2026-07-26T21:00:00Z", false),
            ("2026-11-28T20:30:00Z", false),
            ("2026-11-28T21:30:00Z", true),
            ("2026-11-29T02:59:59Z", true),
        ] {
            assert_eq!(window.covers("db-1", at(time)), expected, "{time}");
        }
        let window = Maintenance::of(&config("daily = \"00:00-24:00\""), 0);
        assert!(window.is_err(), "a day without an end is no window");
        let evening = Maintenance::of(&config("daily = \"22:00-24:00\""), 0).unwrap();
        assert!(
            evening.covers("db-1", at("2026-11-28T23:59:59Z")) && !evening.covers("db-1", at("2026-11-28T00:00:00Z"))
        );
    }

    #[test]
    fn a_window_that_cannot_be_is_an_error_that_says_what_to_write() {
        for text in [
            "",
            "from = \"2026-11-23T22:00:00Z\"",
            "from = \"tomorrow\"\nto = \"2026-11-23T22:00:00Z\"",
            "from = \"2026-11-23T22:00:00Z\"\nto = \"2026-11-23T21:00:00Z\"",
            "daily = \"22:30\"",
            "daily = \"25:00-26:00\"",
            "daily = \"+1:00-02:00\"",
            "daily = \"01:00-02:00\"\ndays = [\"monday\"]",
            "daily = \"01:00-02:00\"\nzone = \"Mars/Olympus\"",
            "daily = \"01:00-02:00\"\nfrom = \"2026-11-23T22:00:00Z\"",
        ] {
            let error = Maintenance::of(&config(text), 2).unwrap_err().to_string();
            assert!(error.starts_with("[[maintenance]] number 3: ") && error.contains("\nhint: "), "{text}: {error}");
        }
        assert!(Maintenance::of(&toml::from_str("daily = \"01:00-02:00\"").unwrap(), 0).is_err());
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, name, expected) in [
            ("*", "anything", true),
            ("db", "db", true),
            ("db", "db-1", false),
            ("db-*", "db-1", true),
            ("*-db", "a-db", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxc", false),
            ("a*a", "a", false),
            ("**", "", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
