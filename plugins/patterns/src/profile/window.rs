//! The window of time that is looked at, and how wide its buckets are.

use std::collections::BTreeMap;

use pi_catalog::database::Dialect;
use pi_signals::instant::{date_of, rfc3339};

use super::{Metric, Track};
use crate::habit::{Calendar, HISTORY_MIN, Point, Scale};
use crate::options::Options;
use crate::roles::{Source, TimeColumn};
use crate::session::Session;
use crate::sql;

const DAY_S: i64 = 86_400;
/// Hours that are looked at where days are too few.
const HOURS_DAYS: i64 = 14;
/// Rows a day below which weeks are looked at.
const ROWS_A_DAY_MIN: f64 = 4.0;

/// The window: which rows, and how they fall into buckets.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) time: TimeColumn,
    pub(crate) calendar: Calendar,
    /// The first bucket that has rows.
    pub(crate) first: i64,
    /// The last bucket that is over in every reading of the column's zone.
    pub(crate) until: i64,
    offset_s: i64,
    /// Seconds of the newest row, by the column's own clock.
    pub(crate) newest_s: Option<f64>,
    /// Rows of each bucket, the incomplete ones included.
    pub(crate) rows: BTreeMap<i64, f64>,
    /// The statement of the volume.
    pub(crate) source: usize,
}

impl Window {
    fn at(time: &TimeColumn, calendar: Calendar, options: &Options) -> Self {
        let offset_s = i64::from(options.offset_minutes) * 60;
        let now_s = options.now_ms.div_euclid(1000);
        let mut window = Self {
            time: time.clone(),
            calendar,
            first: 0,
            until: 0,
            offset_s: if time.form.is_instant() { offset_s } else { 0 },
            newest_s: None,
            rows: BTreeMap::new(),
            source: 0,
        };
        // Whether a column without zone holds the reader's time or UTC is not known: a bucket counts as complete when
        // it is over in both.
        let now_local = now_s + if time.form.is_instant() { offset_s } else { offset_s.min(0) };
        window.until = window.bucket_of(now_local) - 1;
        window
    }

    fn width_s(&self) -> i64 {
        match self.calendar {
            Calendar::Hours => 3_600,
            Calendar::Days => DAY_S,
            Calendar::Weeks => 7 * DAY_S,
        }
    }

    /// Weeks begin on Monday; 1970 began on a Thursday.
    fn shift_s(&self) -> i64 {
        if self.calendar == Calendar::Weeks { 3 * DAY_S } else { 0 }
    }

    fn bucket_of(&self, local_s: i64) -> i64 {
        (local_s + self.shift_s()).div_euclid(self.width_s())
    }

    /// Local seconds at which a bucket begins.
    pub(crate) fn start_s(&self, bucket: i64) -> i64 {
        bucket * self.width_s() - self.shift_s()
    }

    /// A bucket as people read it.
    pub(crate) fn shown(&self, bucket: i64) -> String {
        let start = self.start_s(bucket);
        let (year, month, day) = date_of(start.div_euclid(DAY_S));
        match self.calendar {
            Calendar::Hours => rfc3339(start * 1000).replace('Z', "").replace('T', " "),
            _ => format!("{year:04}-{month:02}-{day:02}"),
        }
    }

    /// The month and day on which a bucket begins.
    pub(crate) fn month_day(&self, bucket: i64) -> (i64, i64) {
        let (_, month, day) = date_of(self.start_s(bucket).div_euclid(DAY_S));
        (month, day)
    }

    /// How many buckets a number of days is.
    pub(crate) fn buckets_in(&self, days: i64) -> i64 {
        (days * DAY_S / self.width_s()).max(1)
    }

    /// The bucket of a row as an expression; `prefix` is `t.` in a join.
    pub(crate) fn bucket(&self, dialect: Dialect, prefix: &str) -> String {
        let seconds = self.time.form.seconds(&format!("{prefix}{}", sql::name(&self.time.name)));
        let add = self.offset_s + self.shift_s();
        let shifted = if add == 0 { seconds } else { format!("{seconds} + {add}") };
        match dialect {
            Dialect::Postgres => format!("CAST(floor(({shifted}) / {}) AS bigint)", self.width_s()),
            Dialect::Sqlite => format!("CAST(({shifted}) AS INTEGER) / {}", self.width_s()),
        }
    }

    /// The hour of the day of a row as an expression.
    pub(crate) fn hour(&self, dialect: Dialect) -> String {
        let seconds = self.time.form.seconds(&sql::name(&self.time.name));
        match dialect {
            Dialect::Postgres => {
                format!("CAST(floor(({seconds} + {}) / 3600) AS bigint) % 24", self.offset_s)
            }
            Dialect::Sqlite => format!("CAST(({seconds} + {}) AS INTEGER) / 3600 % 24", self.offset_s),
        }
    }

    /// The condition of all rows from a bucket to the end of the last complete one.
    pub(crate) fn condition(&self, from: i64, prefix: &str) -> String {
        self.between(from, self.until + 1, prefix)
    }

    /// The condition of all rows from a bucket to the beginning of another.
    pub(crate) fn between(&self, from: i64, end: i64, prefix: &str) -> String {
        let column = format!("{prefix}{}", sql::name(&self.time.name));
        let form = self.time.form;
        let (mut from_s, mut end_s) = (self.start_s(from) - self.offset_s, self.start_s(end) - self.offset_s);
        if matches!(form, sql::TimeForm::Text | sql::TimeForm::TextInstant) {
            // Text is compared by its day: a day more on each side, and what is too much falls into other buckets.
            (from_s, end_s) =
                (from_s.div_euclid(DAY_S) * DAY_S - DAY_S, (end_s + 2 * DAY_S - 1).div_euclid(DAY_S) * DAY_S);
        }
        format!("{} AND {}", form.compare(&column, ">=", from_s), form.compare(&column, "<", end_s))
    }

    /// Whether a bucket belongs to the window and is complete.
    pub(crate) fn holds(&self, bucket: i64) -> bool {
        (self.first..=self.until).contains(&bucket)
    }

    /// The volume as a series.
    pub(crate) fn track(&self) -> Track {
        let points = self.rows.range(self.first..=self.until);
        Track {
            metric: Metric::Volume,
            column: None,
            scale: Scale::Count,
            points: points.map(|(&bucket, &rows)| (bucket, Point { value: rows, n: rows, error: 0.0 })).collect(),
            source: self.source,
            shown: vec!["rows".into()],
        }
    }

    fn is_long_enough(&self) -> bool {
        self.until - self.first + 1 >= HISTORY_MIN as i64
    }
}

/// Count rows by day; by hour where there are too few days, by week where there are too few rows. Nothing, with the
/// reason, where neither makes a habit.
pub(crate) fn window(
    session: &mut Session<'_>,
    source: &Source,
    time: &TimeColumn,
    options: &Options,
) -> Option<Result<Window, String>> {
    let days = count(session, source, time, Calendar::Days, i64::from(options.history_days), options)?;
    if days.rows.is_empty() {
        return Some(Err(format!("`{}` has no moment in the last {} days", time.name, options.history_days)));
    }
    let span = (days.until - days.first + 1).max(1) as f64;
    let rows_a_day = days.rows.values().sum::<f64>() / span;
    if days.is_long_enough() && rows_a_day >= ROWS_A_DAY_MIN {
        return Some(Ok(days));
    }
    if days.is_long_enough() {
        let weeks = count(session, source, time, Calendar::Weeks, 2 * 364, options)?;
        let too_few = format!("fewer than {} weeks with rows, and {rows_a_day:.1} rows a day", HISTORY_MIN);
        return Some(if weeks.is_long_enough() { Ok(weeks) } else { Err(too_few) });
    }
    if rows_a_day >= 24.0 * ROWS_A_DAY_MIN && !time.is_date && span >= 4.0 {
        let hours = count(session, source, time, Calendar::Hours, HOURS_DAYS, options)?;
        if hours.until - hours.first >= 3 * 24 {
            return Some(Ok(hours));
        }
    }
    Some(Err(format!("{span} days of history; {HISTORY_MIN} are the least")))
}

fn count(
    session: &mut Session<'_>,
    source: &Source,
    time: &TimeColumn,
    calendar: Calendar,
    days: i64,
    options: &Options,
) -> Option<Window> {
    let mut window = Window::at(time, calendar, options);
    let from = window.until + 1 - window.buckets_in(days);
    let seconds = time.form.seconds(&sql::name(&time.name));
    // The incomplete bucket is counted as well: it says how fresh the table is.
    let moments = format!(
        "SELECT {} AS bucket, {seconds} AS moment FROM {} WHERE {}",
        window.bucket(session.dialect, ""),
        source.relation,
        window.between(from, window.until + 3, "")
    );
    let statement = format!(
        "SELECT bucket, count(*) AS rows, max(moment) AS newest FROM ({}) AS s GROUP BY bucket ORDER BY bucket",
        sql::once(session.dialect, &moments)
    );
    let (number, answer) = session.ask("how many rows there are by time", statement)?;
    for row in &answer.rows {
        let (Some(bucket), Some(rows)) = (sql::whole(row.first()), sql::number(row.get(1))) else { continue };
        if bucket >= from && bucket <= window.until + 2 {
            window.rows.insert(bucket, rows);
            let newest =
                sql::number(row.get(2)).filter(|&newest| newest <= options.now_ms as f64 / 1e3 + 2.0 * 86_400.0);
            window.newest_s = newest.into_iter().chain(window.newest_s).reduce(f64::max);
        }
    }
    window.first = *window.rows.keys().next().unwrap_or(&(window.until + 1));
    if window.first == from && calendar != Calendar::Weeks {
        // The first bucket may be cut by the window's edge in another zone.
        window.first += 1;
    }
    window.source = number;
    Some(window)
}

/// How many rows have no moment, one far ahead, or one before 1990.
pub(crate) fn edges(
    session: &mut Session<'_>,
    source: &Source,
    time: &TimeColumn,
    options: &Options,
) -> Option<(usize, [f64; 3])> {
    let column = sql::name(&time.name);
    let ahead = time.form.compare(&column, ">=", options.now_ms / 1000 + 3 * DAY_S);
    let old = time.form.compare(&column, "<", 631_152_000);
    let statement = format!(
        "SELECT sum(CASE WHEN {column} IS NULL THEN 1 ELSE 0 END) AS without, sum(CASE WHEN {ahead} THEN 1 ELSE 0 END) AS ahead, sum(CASE WHEN {old} THEN 1 ELSE 0 END) AS before_1990 FROM {}",
        source.relation
    );
    let (number, answer) = session.ask("which rows lie outside of any time", statement)?;
    let row = answer.rows.first()?;
    Some((number, [0, 1, 2].map(|at| sql::number(row.get(at)).unwrap_or(0.0))))
}
