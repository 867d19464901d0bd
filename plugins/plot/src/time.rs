//! Moments: read from text or seconds, marked on an axis at full minutes, hours, days, months or years of a zone, and told.
//!
//! The days and hours are those of the zone that the chart names, with its summer time. Every loop counts its marks.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Marks of one axis.
const TICKS_MAX: usize = 60;
/// Within the years -9998 to 9998, with room for every zone.
const SECONDS_MAX: f64 = 2.53e11;
const DAY: f64 = 86_400.0;

/// A moment: seconds since 1970, or text as `2026-03-26T10:00:00Z`, `2026-03-26 10:00` or `2026-03-26` (in the chart's zone).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Moment {
    Seconds(f64),
    Text(String),
}

impl From<f64> for Moment {
    fn from(seconds: f64) -> Self {
        Self::Seconds(seconds)
    }
}

impl From<&str> for Moment {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// The zone in which a chart's days begin.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    zone: TimeZone,
    pub(crate) name: String,
}

impl Clock {
    /// `None` is UTC.
    pub(crate) fn of(zone: Option<&str>) -> Result<Self, Error> {
        let name = zone.unwrap_or("UTC");
        let found = if name == "UTC" { Ok(TimeZone::UTC) } else { TimeZone::get(name) };
        match found {
            Ok(zone) => Ok(Self { zone, name: name.to_owned() }),
            Err(_) => Err(Error::invalid(
                "zone",
                format!("`{}` is no time zone; give a name such as `UTC` or `Europe/Berlin`", crate::text::clean(name)),
            )),
        }
    }

    /// Seconds since 1970. `field` is named where the text is no moment.
    pub(crate) fn seconds(&self, moment: &Moment, field: impl FnOnce() -> String) -> Result<f64, Error> {
        let (seconds, given) = match moment {
            Moment::Seconds(seconds) => (Some(*seconds), seconds.to_string()),
            Moment::Text(text) => (self.read(text.trim()), text.clone()),
        };
        match seconds.filter(|it| it.is_finite() && it.abs() <= SECONDS_MAX) {
            Some(seconds) => Ok(seconds),
            None => Err(Error::invalid(
                field(),
                format!(
                    "`{}` is no moment; give seconds since 1970, or text such as `2026-03-26T10:00:00Z`, `2026-03-26 10:00` or `2026-03-26`",
                    crate::text::fit(&given, 1.0, crate::text::Weight::Regular, 40.0)
                ),
            )),
        }
    }

    fn read(&self, text: &str) -> Option<f64> {
        if text.len() > 64 {
            return None;
        }
        if let Ok(stamp) = text.parse::<Timestamp>() {
            return Some(in_seconds(stamp));
        }
        let civil = text.parse::<DateTime>().ok().or_else(|| format!("{text}-01").parse().ok())?;
        Some(in_seconds(civil.to_zoned(self.zone.clone()).ok()?.timestamp()))
    }

    fn zoned(&self, seconds: f64) -> Option<Zoned> {
        let nanoseconds = (seconds.rem_euclid(1.0) * 1e9) as i32;
        let stamp = Timestamp::new(seconds.floor() as i64, nanoseconds.clamp(0, 999_999_999)).ok()?;
        Some(stamp.to_zoned(self.zone.clone()))
    }

    fn offset(&self, seconds: f64) -> f64 {
        self.zoned(seconds).map_or(0.0, |it| f64::from(it.offset().seconds()))
    }

    fn written(&self, seconds: f64, form: &str) -> String {
        self.zoned(seconds).and_then(|it| jiff::fmt::strtime::format(form, &it).ok()).unwrap_or_default()
    }

    /// Whether all are the beginning of a day: then the time of the day says nothing.
    pub(crate) fn are_days(&self, mut moments: impl Iterator<Item = f64>) -> bool {
        moments.all(|it| (it + self.offset(it)).rem_euclid(DAY) == 0.0)
    }

    /// A moment in a sentence.
    pub(crate) fn told(&self, seconds: f64, as_day: bool) -> String {
        let form = match () {
            () if as_day => "%Y-%m-%d",
            () if seconds.rem_euclid(60.0) == 0.0 => "%Y-%m-%d %H:%M",
            () => "%Y-%m-%d %H:%M:%S",
        };
        self.written(seconds, form)
    }

    /// Marks on `low..high`, at most `count` of them: place, label, and the label of what it is part of (its day, its year).
    pub(crate) fn ticks(&self, low: f64, high: f64, count: usize) -> Vec<(f64, String, String)> {
        let span = (high - low).max(1e-3);
        let most = count.clamp(1, TICKS_MAX) as f64;
        let found = STEPS.iter().find(|step| span / step.seconds() <= most);
        let step = found.copied().unwrap_or(Step::Years(5_000));
        let (fine, coarse) = step.forms();
        let places = match step {
            Step::Seconds(step) => self.by_seconds(low, high, step),
            Step::Days(days) => self.by_days(low, high, days),
            Step::Months(months) => self.by_months(low, high, months),
            Step::Years(years) => self.by_months(low, high, years.saturating_mul(12)),
        };
        places
            .into_iter()
            .map(|at| {
                (at, self.written(at, fine), if coarse.is_empty() { String::new() } else { self.written(at, coarse) })
            })
            .collect()
    }

    /// Full seconds, minutes and hours of the zone's own clock.
    fn by_seconds(&self, low: f64, high: f64, step: f64) -> Vec<f64> {
        let aligned = |at: f64| {
            let offset = self.offset(at);
            ((at + offset) / step).ceil() * step - offset
        };
        let mut found = Vec::new();
        let mut at = aligned(low);
        for _ in 0..TICKS_MAX {
            if at > high {
                break;
            }
            found.push(at);
            // Where the clock is put forward or back the next full hour is nearer or farther.
            let offset = self.offset(at + step);
            let next = ((at + step + offset) / step).round() * step - offset;
            at = if next > at + step * 0.4 { next } else { at + step };
        }
        found
    }

    fn by_days(&self, low: f64, high: f64, days: i64) -> Vec<f64> {
        let Some(first) = self.zoned(low).map(|it| it.date()) else { return Vec::new() };
        // Weeks begin on Mondays; 1970 began on a Thursday.
        let number = ((low + self.offset(low)) / DAY).floor() as i64 + 3;
        let back = number.rem_euclid(days.max(1));
        let Ok(mut date) = first.checked_sub(Span::new().days(back)) else { return Vec::new() };
        let mut found = Vec::new();
        for _ in 0..=TICKS_MAX {
            match self.begin_of(date) {
                Some(at) if at > high => break,
                Some(at) if at >= low => found.push(at),
                _ => {}
            }
            match date.checked_add(Span::new().days(days)) {
                Ok(next) => date = next,
                Err(_) => break,
            }
        }
        found
    }

    fn by_months(&self, low: f64, high: f64, months: i64) -> Vec<f64> {
        let Some(first) = self.zoned(low).map(|it| it.date()) else { return Vec::new() };
        let mut number =
            (i64::from(first.year()) * 12 + i64::from(first.month()) - 1).div_euclid(months.max(1)) * months;
        let mut found = Vec::new();
        for _ in 0..=TICKS_MAX + 1 {
            let year = i16::try_from(number.div_euclid(12)).ok();
            let month = i8::try_from(number.rem_euclid(12) + 1).ok();
            if let (Some(year), Some(month)) = (year, month)
                && let Some(at) = Date::new(year, month, 1).ok().and_then(|date| self.begin_of(date))
            {
                if at > high {
                    break;
                }
                if at >= low {
                    found.push(at);
                }
            }
            number = number.saturating_add(months);
        }
        found
    }

    fn begin_of(&self, date: Date) -> Option<f64> {
        Some(in_seconds(date.to_zoned(self.zone.clone()).ok()?.timestamp()))
    }
}

fn in_seconds(stamp: Timestamp) -> f64 {
    stamp.as_second() as f64 + f64::from(stamp.subsec_nanosecond()) / 1e9
}

#[derive(Clone, Copy)]
enum Step {
    Seconds(f64),
    Days(i64),
    Months(i64),
    Years(i64),
}

const STEPS: &[Step] = &[
    Step::Seconds(0.001),
    Step::Seconds(0.01),
    Step::Seconds(0.1),
    Step::Seconds(0.5),
    Step::Seconds(1.0),
    Step::Seconds(2.0),
    Step::Seconds(5.0),
    Step::Seconds(10.0),
    Step::Seconds(15.0),
    Step::Seconds(30.0),
    Step::Seconds(60.0),
    Step::Seconds(120.0),
    Step::Seconds(300.0),
    Step::Seconds(600.0),
    Step::Seconds(900.0),
    Step::Seconds(1_800.0),
    Step::Seconds(3_600.0),
    Step::Seconds(7_200.0),
    Step::Seconds(10_800.0),
    Step::Seconds(21_600.0),
    Step::Seconds(43_200.0),
    Step::Days(1),
    Step::Days(2),
    Step::Days(7),
    Step::Days(14),
    Step::Months(1),
    Step::Months(2),
    Step::Months(3),
    Step::Months(6),
    Step::Years(1),
    Step::Years(2),
    Step::Years(5),
    Step::Years(10),
    Step::Years(20),
    Step::Years(50),
    Step::Years(100),
    Step::Years(200),
    Step::Years(500),
    Step::Years(1_000),
    Step::Years(2_000),
];

impl Step {
    fn seconds(self) -> f64 {
        match self {
            Self::Seconds(seconds) => seconds,
            Self::Days(days) => days as f64 * DAY,
            Self::Months(months) => months as f64 * 30.4 * DAY,
            Self::Years(years) => years as f64 * 365.2 * DAY,
        }
    }

    /// How a mark is written, and what it is part of.
    fn forms(self) -> (&'static str, &'static str) {
        match self {
            Self::Seconds(step) if step < 1.0 => ("%H:%M:%S.%3f", "%-d %b %Y"),
            Self::Seconds(step) if step < 60.0 => ("%H:%M:%S", "%-d %b %Y"),
            Self::Seconds(_) => ("%H:%M", "%a %-d %b %Y"),
            Self::Days(_) => ("%-d %b", "%Y"),
            Self::Months(_) => ("%b", "%Y"),
            Self::Years(_) => ("%Y", ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(zone: &str, from: &str, to: &str) -> String {
        let clock = Clock::of(Some(zone)).unwrap();
        let at = |text: &str| clock.seconds(&Moment::from(text), String::new).unwrap();
        clock.ticks(at(from), at(to), 8).iter().map(|it| it.1.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn marks_are_full_hours_days_months_and_years_of_the_zone() {
        assert_eq!(
            labels("UTC", "2026-03-26T10:07:00Z", "2026-03-26T11:01:00Z"),
            "10:10 10:20 10:30 10:40 10:50 11:00"
        );
        assert_eq!(
            labels("Asia/Kolkata", "2026-03-26 00:00", "2026-03-26 23:00"),
            "00:00 03:00 06:00 09:00 12:00 15:00 18:00 21:00"
        );
        assert_eq!(labels("UTC", "2026-03-01", "2026-03-31"), "2 Mar 9 Mar 16 Mar 23 Mar 30 Mar");
        assert_eq!(labels("UTC", "2026-01-01", "2026-06-15"), "Jan Feb Mar Apr May Jun");
        assert_eq!(labels("UTC", "2019-06-01", "2026-06-15"), "2020 2021 2022 2023 2024 2025 2026");
    }

    #[test]
    fn marks_stay_on_full_hours_where_the_clock_is_put_forward_and_back() {
        assert_eq!(
            labels("Europe/Berlin", "2026-03-28 20:00", "2026-03-29 20:00"),
            "21:00 00:00 03:00 06:00 09:00 12:00 15:00 18:00"
        );
        assert_eq!(
            labels("Europe/Berlin", "2026-10-24 20:00", "2026-10-25 18:00"),
            "21:00 00:00 03:00 06:00 09:00 12:00 15:00 18:00"
        );
    }

    #[test]
    fn text_that_is_no_moment_is_named_and_a_zone_that_is_none_too() {
        let clock = Clock::of(None).unwrap();
        let error = clock.seconds(&Moment::from("soon"), || "series[0].times[3]".into()).unwrap_err().to_string();
        assert!(error.starts_with("`series[0].times[3]`: `soon` is no moment"), "{error}");
        assert!(clock.seconds(&Moment::Seconds(f64::NAN), String::new).is_err());
        assert!(clock.seconds(&Moment::Seconds(1e18), String::new).is_err());
        assert!(Clock::of(Some("Mars/Olympus")).unwrap_err().to_string().contains("`zone`"));
        assert_eq!(clock.seconds(&Moment::from("2026-03"), String::new).unwrap(), 1_772_323_200.0);
    }

    #[test]
    fn no_span_has_too_many_marks() {
        let clock = Clock::of(Some("America/Santiago")).unwrap();
        for low in [-SECONDS_MAX, -1e9, 0.0, 1.5, 1e9, SECONDS_MAX - 1.0] {
            for span in [0.0, 1e-9, 0.5, 1.0, 60.0, 1e5, 1e7, 1e9, 1e11, 4e11] {
                assert!(clock.ticks(low, (low + span).min(SECONDS_MAX), 8).len() <= 10, "{low} {span}");
            }
        }
    }
}
