//! A cron expression as a calendar without a zone: which readings of a wall clock it names. Croner reads the expression and
//! knows `L`, `W` and `#`; what it says is kept as bits, so that finding the next reading is a few steps whatever the
//! expression, and a date that never comes is noticed when the expression is read.
//!
//! Readings are counted in seconds since 1970-01-01 00:00 of the same clock (`civil`). Croner's own search is not used: it
//! decides by itself what a gap and a fold mean, and `walk` has to.

mod fields;

use croner::Weekday;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

use crate::error::{CronError, shortened};

pub(crate) const DAY_SECONDS: i64 = 86_400;
/// The calendar repeats itself after 400 years: what has not come by then never comes.
const MONTHS_MAX: usize = 400 * 12 + 1;

/// Which readings of a clock an expression names. Invariant: seconds, minutes, hours and months each name at least one
/// value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Calendar {
    seconds: u64,
    minutes: u64,
    hours: u64,
    months: u64,
    /// The days of a month, by how many it has (from 28 on) and the weekday of its first (from Sunday on). `L`, `W` and
    /// `#` depend on nothing else.
    days: [[u64; 7]; 4],
    /// With nicknames written out, as croner takes it.
    plain: String,
}

impl Calendar {
    /// Reads an expression of five or six fields, or `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly`,
    /// `@annually`.
    ///
    /// # Errors
    /// Which field is wrong, and what it may hold.
    pub(crate) fn read(expression: &str) -> Result<Self, CronError> {
        let plain = fields::checked(expression)?;
        let refused = |error: croner::errors::CronError| CronError::Refused {
            expression: shortened(expression),
            reason: error.to_string(),
        };
        let cron = parser().parse(&plain).map_err(refused)?;
        let pattern = &cron.pattern;
        let calendar = Self {
            seconds: bits(&pattern.seconds.values()),
            minutes: bits(&pattern.minutes.values()),
            hours: bits(&pattern.hours.values()),
            months: bits(&pattern.months.values()),
            days: days_of(pattern).map_err(refused)?,
            plain,
        };
        let is_empty = [calendar.seconds, calendar.minutes, calendar.hours, calendar.months].contains(&0);
        if is_empty {
            return Err(CronError::Refused {
                expression: shortened(expression),
                reason: "a field names no value".to_owned(),
            });
        }
        Ok(calendar)
    }

    /// In words, in English: `At 07:00, on Monday, Tuesday, ...`.
    pub(crate) fn description(&self) -> String {
        // Read again, since hardly any of ten thousand jobs is ever described.
        parser().parse(&self.plain).map_or_else(|_| self.plain.clone(), |cron| cron.describe())
    }

    /// Whether the hour field names all hours. Such a job follows time as it passes; any other hangs on a reading.
    pub(crate) fn is_every_hour(&self) -> bool {
        self.hours == (1 << 24) - 1
    }

    /// Whether any date fits. In 400 years every month begins on every weekday, February in leap years as well, so the
    /// table of days knows it without a search.
    pub(crate) fn can_fire(&self) -> bool {
        (1..=12).filter(|month| self.months & (1 << month) != 0).any(|month| {
            let lengths: &[usize] = match month {
                2 => &[0, 1],
                4 | 6 | 9 | 11 => &[2],
                _ => &[3],
            };
            lengths.iter().filter_map(|length| self.days.get(*length)).flatten().any(|days| *days != 0)
        })
    }

    /// The first reading at or after `civil`.
    pub(crate) fn first_from(&self, civil: i64) -> Option<i64> {
        let (date, second) = split(civil)?;
        if self.has_date(date)
            && let Some(time) = self.time_from(second)
        {
            return joined(date, time);
        }
        let date = self.date_from(date.tomorrow().ok()?)?;
        joined(date, self.time_from(0)?)
    }

    /// The last reading at or before `civil`.
    pub(crate) fn last_to(&self, civil: i64) -> Option<i64> {
        let (date, second) = split(civil)?;
        if self.has_date(date)
            && let Some(time) = self.time_to(second)
        {
            return joined(date, time);
        }
        let date = self.date_to(date.yesterday().ok()?)?;
        joined(date, self.time_to(DAY_SECONDS - 1)?)
    }

    fn has_date(&self, date: Date) -> bool {
        self.days_in(date) & (1 << date.day()) != 0
    }

    /// The days that fit in the month of `date`.
    fn days_in(&self, date: Date) -> u64 {
        if self.months & (1 << date.month()) == 0 {
            return 0;
        }
        let length = usize::try_from(date.days_in_month() - 28).unwrap_or(0);
        let first = usize::try_from(date.first_of_month().weekday().to_sunday_zero_offset()).unwrap_or(0);
        self.days.get(length).and_then(|by_weekday| by_weekday.get(first)).copied().unwrap_or(0)
    }

    fn date_from(&self, from: Date) -> Option<Date> {
        let mut date = from;
        for _ in 0..MONTHS_MAX {
            if let Some(day) = lowest_from(self.days_in(date), date.day().unsigned_abs().into()) {
                return Date::new(date.year(), date.month(), i8::try_from(day).ok()?).ok();
            }
            date = date.last_of_month().tomorrow().ok()?;
        }
        None
    }

    fn date_to(&self, to: Date) -> Option<Date> {
        let mut date = to;
        for _ in 0..MONTHS_MAX {
            if let Some(day) = highest_to(self.days_in(date), date.day().unsigned_abs().into()) {
                return Date::new(date.year(), date.month(), i8::try_from(day).ok()?).ok();
            }
            date = date.first_of_month().yesterday().ok()?;
        }
        None
    }

    /// The first second of a day that fits, at or after `second`.
    fn time_from(&self, second: i64) -> Option<i64> {
        let (hour, minute, rest) = clock(second);
        if self.hours & (1 << hour) != 0 {
            if self.minutes & (1 << minute) != 0
                && let Some(exact) = lowest_from(self.seconds, rest)
            {
                return Some(seconds_of(hour, minute, exact));
            }
            if let Some(later) = lowest_from(self.minutes, minute + 1) {
                return Some(seconds_of(hour, later, lowest_from(self.seconds, 0)?));
            }
        }
        let hour = lowest_from(self.hours, hour + 1)?;
        Some(seconds_of(hour, lowest_from(self.minutes, 0)?, lowest_from(self.seconds, 0)?))
    }

    /// The last second of a day that fits, at or before `second`.
    fn time_to(&self, second: i64) -> Option<i64> {
        let (hour, minute, rest) = clock(second);
        if self.hours & (1 << hour) != 0 {
            if self.minutes & (1 << minute) != 0
                && let Some(exact) = highest_to(self.seconds, rest)
            {
                return Some(seconds_of(hour, minute, exact));
            }
            if let Some(earlier) = minute.checked_sub(1).and_then(|minute| highest_to(self.minutes, minute)) {
                return Some(seconds_of(hour, earlier, highest_to(self.seconds, 59)?));
            }
        }
        let hour = hour.checked_sub(1).and_then(|hour| highest_to(self.hours, hour))?;
        Some(seconds_of(hour, highest_to(self.minutes, 59)?, highest_to(self.seconds, 59)?))
    }
}

fn parser() -> CronParser {
    CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build()
}

fn days_of(pattern: &croner::CronPattern) -> Result<[[u64; 7]; 4], croner::errors::CronError> {
    // A year and month for each length that a month can have: croner asks for nothing else of them.
    const MONTHS: [(i32, u32, u32); 4] = [(2023, 2, 28), (2024, 2, 29), (2023, 4, 30), (2023, 1, 31)];
    let mut table = [[0; 7]; 4];
    for (row, (year, month, length)) in table.iter_mut().zip(MONTHS) {
        for (days, first) in row.iter_mut().zip(0..) {
            for day in 1..=length {
                let weekday = Weekday::from_days_from_sunday((first + day - 1) % 7);
                if pattern.day_match(year, month, day, weekday)? {
                    *days |= 1 << day;
                }
            }
        }
    }
    Ok(table)
}

fn bits(values: &[u16]) -> u64 {
    values.iter().filter(|value| **value < 64).fold(0, |bits, value| bits | 1 << value)
}

fn lowest_from(bits: u64, from: u32) -> Option<u32> {
    let rest = bits & u64::MAX.checked_shl(from)?;
    (rest != 0).then(|| rest.trailing_zeros())
}

fn highest_to(bits: u64, to: u32) -> Option<u32> {
    let rest = bits & (u64::MAX >> 63_u32.saturating_sub(to));
    (rest != 0).then(|| 63 - rest.leading_zeros())
}

fn clock(second: i64) -> (u32, u32, u32) {
    let second = u32::try_from(second).unwrap_or(0);
    (second / 3600, second / 60 % 60, second % 60)
}

fn seconds_of(hour: u32, minute: u32, second: u32) -> i64 {
    i64::from(hour * 3600 + minute * 60 + second)
}

fn split(civil: i64) -> Option<(Date, i64)> {
    let date = Offset::UTC.to_datetime(Timestamp::from_second(civil).ok()?).date();
    Some((date, civil.rem_euclid(DAY_SECONDS)))
}

/// `None` at the end of the calendar, where instants end a little earlier than dates.
fn joined(date: Date, second: i64) -> Option<i64> {
    Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok().map(|midnight| midnight.as_second() + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn civil(text: &str) -> i64 {
        let reading: jiff::civil::DateTime = text.parse().unwrap();
        Offset::UTC.to_timestamp(reading).unwrap().as_second()
    }

    fn next(expression: &str, from: &str) -> String {
        let found = Calendar::read(expression).unwrap().first_from(civil(from)).unwrap();
        Offset::UTC.to_datetime(Timestamp::from_second(found).unwrap()).to_string()
    }

    #[test]
    fn finds_what_croner_means() {
        assert_eq!(next("30 2 * * *", "2026-01-01T02:30:00"), "2026-01-01T02:30:00");
        assert_eq!(next("30 2 * * *", "2026-01-01T02:30:01"), "2026-01-02T02:30:00");
        assert_eq!(next("*/10 * * * * *", "2026-01-01T23:59:51"), "2026-01-02T00:00:00");
        assert_eq!(next("0 0 29 2 *", "2097-01-01T00:00:00"), "2104-02-29T00:00:00");
        assert_eq!(next("0 9 L * *", "2026-02-01T00:00:00"), "2026-02-28T09:00:00");
        assert_eq!(next("0 9 LW * *", "2026-02-01T00:00:00"), "2026-02-27T09:00:00");
        assert_eq!(next("0 9 15W * *", "2026-08-01T00:00:00"), "2026-08-14T09:00:00");
        assert_eq!(next("0 9 * * MON#1", "2026-11-03T00:00:00"), "2026-12-07T09:00:00");
        assert_eq!(next("0 9 * * FRIL", "2026-11-03T00:00:00"), "2026-11-27T09:00:00");
        assert_eq!(next("0 0 13 * +FRI", "2026-12-01T00:00:00"), "2027-08-13T00:00:00");
        assert_eq!(next("0 0 29 FEB +MON", "2026-12-01T00:00:00"), "2044-02-29T00:00:00");
        assert_eq!(next("@weekly", "2026-11-23T00:00:00"), "2026-11-29T00:00:00");
    }

    #[test]
    fn knows_what_never_comes() {
        for expression in ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 31 2 +MON", "0 0 15 * +MON#1"] {
            assert!(!Calendar::read(expression).unwrap().can_fire(), "{expression}");
        }
        for expression in ["0 0 29 2 *", "0 0 31 * *", "0 0 30 2 MON", "0 0 29 2 +TUE", "0 0 31W * *", "0 0 * * SUN#5"]
        {
            assert!(Calendar::read(expression).unwrap().can_fire(), "{expression}");
        }
    }

    #[test]
    fn goes_back_the_way_it_came() {
        for expression in ["17 3,15 * * *", "0 9 L * *", "*/7 9-17 * * 1-5", "0 0 29 2 *", "5 4 3 2 1 *"] {
            let calendar = Calendar::read(expression).unwrap();
            let mut at = civil("1995-06-01T00:00:00");
            for _ in 0..50 {
                let found = calendar.first_from(at).unwrap();
                assert_eq!(calendar.last_to(found), Some(found));
                let following = calendar.first_from(found + 1).unwrap();
                assert_eq!(calendar.last_to(following - 1), Some(found), "{expression}");
                at = found + 1;
            }
        }
    }

    #[test]
    fn ends_with_the_calendar() {
        let calendar = Calendar::read("0 0 * * *").unwrap();
        assert_eq!(calendar.first_from(civil("9999-12-30T00:00:01")), None);
        assert_eq!(calendar.last_to(i64::MIN), None);
        assert_eq!(calendar.first_from(i64::MAX), None);
    }
}
