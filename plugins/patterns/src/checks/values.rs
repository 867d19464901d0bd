//! Values of dimensions: new, vanished, renamed, more or fewer; and how a table usually is.

use std::collections::BTreeMap;

use pi_catalog::finding::{Contributor, Series, Severity};

use super::tracks::span;
use super::words::quoted;
use super::{Candidate, Tests, Words};
use crate::habit::{self, Calendar, Point, RECENT, Scale};
use crate::profile::{Metric, Track, Values, Window};

/// Values of a smaller share are not judged by themselves.
const SHARE_MIN: f64 = 0.01;
/// A share that moved by less is nothing to tell.
const SHARE_STEP_MIN: f64 = 0.05;
/// So many rows of a value must have been expected before its absence says something.
const EXPECTED_MIN: f64 = 15.0;
/// So many rows of a value must be there before it counts as new.
const NEW_ROWS_MIN: f64 = 10.0;

/// Judge a dimension's values.
pub(crate) fn values(values: &Values, window: &Window, judged_to: Option<i64>, tests: &mut Tests) {
    let first = values.totals.keys().next().copied().unwrap_or(window.until).max(window.first);
    if window.until - first + 1 < habit::HISTORY_MIN as i64 {
        tests.abstained.push(format!("values of `{}`: fewer than {} buckets", values.column, habit::HISTORY_MIN));
        return;
    }
    let vanished = vanished(values, window, first);
    let new = new(values, window, first);
    tests.candidates.extend(constant(values, window));
    if let Some(renamed) = renamed(values, &vanished, &new, window) {
        tests.candidates.push(renamed);
        return;
    }
    let is_settled = vanished.is_empty() && new.is_empty();
    tests.candidates.extend(vanished);
    tests.candidates.extend(new);
    shifted(values, window, judged_to, is_settled, tests);
}

fn rows(values: &Values, value: &str, range: std::ops::RangeInclusive<i64>) -> f64 {
    values.counts.get(value).map_or(0.0, |counts| counts.range(range).map(|(_, (rows, _))| rows).sum())
}

fn total(values: &Values, range: std::ops::RangeInclusive<i64>) -> f64 {
    if range.is_empty() { 0.0 } else { values.totals.range(range).map(|(_, rows)| rows).sum() }
}

/// Values that were always there and are gone at the end.
fn vanished(values: &Values, window: &Window, first: i64) -> Vec<Candidate> {
    let mut found = Vec::new();
    for (value, counts) in &values.counts {
        let Some((&last, _)) = counts.range(first..=window.until).next_back() else { continue };
        let gap = window.until - last;
        if gap == 0 || gap > RECENT as i64 || total(values, last + 1..=window.until) <= 0.0 {
            continue;
        }
        let longest = longest_gap(values, counts.keys().copied().filter(|&bucket| bucket >= first), first);
        let a_bucket = rows(values, value, first..=last) / (last - first + 1) as f64;
        let expected = a_bucket * gap as f64;
        // A value that came late, or comes and goes, has no habit to break.
        if gap <= longest || expected < EXPECTED_MIN || counts.len() < habit::HISTORY_MIN - RECENT {
            continue;
        }
        let share = rows(values, value, first..=last) / total(values, first..=last).max(1.0);
        // Counts stray more than Poisson's: half of the rows is what is held against chance.
        let mut candidate = Candidate::new(
            "category_vanished",
            Some(&values.column),
            (-expected / 2.0).exp().max(1e-300),
            share.max(0.05),
        );
        candidate.buckets = Some((last + 1, window.until));
        candidate.direction = -1;
        candidate.since = Some(window.shown(last + 1));
        candidate.severity = Severity::Warning;
        candidate.rank = 8;
        candidate.value = Some(value.clone());
        candidate.dimension = Some(format!("{} = {}", values.column, quoted(value)));
        candidate.source = values.source;
        candidate.series = Some(series(values, value, window, last + 1, window.until));
        candidate.explains_rows = share;
        candidate.contributors = vec![Contributor {
            dimension: values.column.clone(),
            value: value.clone(),
            before: a_bucket,
            after: 0.0,
            share: 1.0,
        }];
        found.push(
            candidate.said(
                Words::new(&format!(
                    "`{}`: {} has gone since {}, where ",
                    values.column,
                    quoted(value),
                    window.shown(last + 1)
                ))
                .number("expected", expected)
                .then(" rows were expected (")
                .percent("share", share)
                .then(" of all before)"),
            ),
        );
    }
    found.sort_by(|a, b| a.p.total_cmp(&b.p));
    found
}

/// The longest stretch of buckets with rows in which none had the value.
fn longest_gap(values: &Values, present: impl Iterator<Item = i64>, first: i64) -> i64 {
    let mut longest = 0;
    let mut previous = first - 1;
    for bucket in present {
        longest = longest.max(values.totals.range(previous + 1..bucket).count() as i64);
        previous = bucket;
    }
    longest
}

/// Values that were never there before the newest week.
fn new(values: &Values, window: &Window, first: i64) -> Vec<Candidate> {
    let week = window.until - RECENT as i64;
    let firsts: BTreeMap<&String, i64> =
        values.counts.iter().filter_map(|(value, counts)| Some((value, *counts.keys().next()?))).collect();
    // A dimension that gains values all the time is not news when it does: the first two weeks show all that there are.
    let habitual = firsts.values().filter(|&&bucket| bucket > first + 14 && bucket <= week).count();
    let expected = habitual as f64 * RECENT as f64 / (week - first - 14).max(1) as f64;
    let mut found = Vec::new();
    for (&value, &from) in firsts.iter().filter(|(_, from)| **from > week) {
        let (count, all) = (rows(values, value, from..=window.until), total(values, from..=window.until));
        let share = count / all.max(1.0);
        if count < NEW_ROWS_MIN || share < SHARE_MIN {
            continue;
        }
        let before = total(values, first..=from - 1);
        // Had it the same share before, it would have been seen; and how often values appear here anyway.
        let p =
            (-share * before / 2.0).exp().max(1e-300).max(if expected > 0.0 { 1.0 - (-expected).exp() } else { 0.0 });
        let mut candidate = Candidate::new("category_new", Some(&values.column), p, share);
        candidate.is_large = expected < 0.3;
        candidate.buckets = Some((from, window.until));
        candidate.direction = 1;
        candidate.since = Some(window.shown(from));
        candidate.severity = Severity::Notice;
        candidate.rank = 7;
        candidate.value = Some(value.clone());
        candidate.dimension = Some(format!("{} = {}", values.column, quoted(value)));
        candidate.source = values.source;
        candidate.series = Some(series(values, value, window, from, window.until));
        candidate.explains_rows = share;
        candidate.contributors = vec![Contributor {
            dimension: values.column.clone(),
            value: value.clone(),
            before: 0.0,
            after: count,
            share: 1.0,
        }];
        found.push(
            candidate.said(
                Words::new(&format!(
                    "`{}`: {} is new since {}, with ",
                    values.column,
                    quoted(value),
                    window.shown(from)
                ))
                .number("rows", count)
                .then(" rows (")
                .percent("share", share)
                .then(" of all since)"),
            ),
        );
    }
    found.sort_by(|a, b| b.effect.total_cmp(&a.effect));
    found
}

/// One value has gone and another has come in its place.
fn renamed(values: &Values, vanished: &[Candidate], new: &[Candidate], window: &Window) -> Option<Candidate> {
    let (gone, come) = (vanished.first()?, new.first()?);
    let ratio = come.effect / gone.effect;
    let (gone_from, come_from) = (gone.buckets?.0, come.buckets?.0);
    if !(0.6..=1.6).contains(&ratio) || (gone_from - come_from).abs() > 1 {
        return None;
    }
    let (old, name) = (gone.value.as_deref()?, come.value.as_deref()?);
    let mut candidate = gone.clone();
    candidate.kind = "category_renamed";
    candidate.rank = 9;
    candidate.explains_rows = 0.0;
    candidate.direction = 0;
    candidate.value = come.value.clone();
    candidate.contributors.extend(come.contributors.clone());
    let from = window.shown(gone_from);
    Some(
        candidate.said(
            Words::new(&format!(
                "`{}`: {} seems to be called {} since {from}: ",
                values.column,
                quoted(old),
                quoted(name)
            ))
            .percent("share_before", gone.effect)
            .then(" of rows before, ")
            .percent("share_after", come.effect)
            .then(" after"),
        ),
    )
}

/// A dimension with one value left in the newest bucket.
fn constant(values: &Values, window: &Window) -> Option<Candidate> {
    const ROWS_MIN: f64 = 20.0;
    let differing = |bucket: i64| values.counts.values().filter(|counts| counts.contains_key(&bucket)).count();
    let rows = values.totals.get(&window.until).copied()?;
    let earlier: Vec<i64> = values
        .totals
        .iter()
        .filter(|&(&bucket, &n)| bucket < window.until - RECENT as i64 && n >= 0.5 * rows)
        .map(|(&bucket, _)| bucket)
        .collect();
    let is_first = earlier.len() >= habit::HISTORY_MIN - RECENT && earlier.iter().all(|&bucket| differing(bucket) > 1);
    if rows < ROWS_MIN || differing(window.until) != 1 || !is_first {
        return None;
    }
    let mut candidate = Candidate::new("column_constant", Some(&values.column), 1e-9, 1.0);
    candidate.buckets = Some((window.until, window.until));
    candidate.since = Some(window.shown(window.until));
    candidate.severity = Severity::Warning;
    candidate.rank = 10;
    candidate.source = values.source;
    Some(
        candidate.said(
            Words::new(&format!("`{}` has one value in all ", values.column))
                .number("rows", rows)
                .then(&format!(" rows of {}, and never had before", window.shown(window.until))),
        ),
    )
}

/// Shares that moved: each value is a test, the strongest is told with the others as its contributors.
fn shifted(values: &Values, window: &Window, judged_to: Option<i64>, is_settled: bool, tests: &mut Tests) {
    let all: f64 = values.totals.values().sum();
    let mut shifts: Vec<Candidate> = Vec::new();
    for (value, counts) in &values.counts {
        let sum: f64 = counts.values().map(|(rows, _)| rows).sum();
        if sum < SHARE_MIN * all || values.counts.len() < 2 {
            continue;
        }
        let points: BTreeMap<i64, Point> = values
            .totals
            .iter()
            .map(|(&bucket, &n)| {
                (bucket, Point { value: counts.get(&bucket).map_or(0.0, |(rows, _)| rows / n), n, error: 0.0 })
            })
            .collect();
        let Some(verdict) = habit::judge(&points, Scale::Share, window.calendar, window.until, judged_to) else {
            continue;
        };
        let step = (verdict.after - verdict.before).abs();
        let mut candidate = Candidate::new("category_shifted", Some(&values.column), verdict.p, step);
        candidate.is_large = is_settled
            && verdict.is_beyond_habit
            && step >= SHARE_STEP_MIN
            && (step >= 0.3 * verdict.before || step >= 0.1);
        candidate.direction = if verdict.sigmas > 0.0 { 1 } else { -1 };
        candidate.buckets = Some((verdict.from, verdict.to));
        candidate.since = Some(window.shown(verdict.from));
        candidate.rank = 3;
        candidate.value = Some(value.clone());
        candidate.dimension = Some(format!("{} = {}", values.column, quoted(value)));
        candidate.source = values.source;
        if candidate.is_large {
            candidate.series = Some(series(values, value, window, verdict.from, verdict.to));
            candidate.contributors = crate::contributors::of_shares(values, verdict.from, verdict.to);
            candidate = candidate.said(
                Words::new(&format!("`{}`: {} makes ", values.column, quoted(value)))
                    .percent("after", verdict.after)
                    .then(&format!(" of the rows{}, where ", span(window, verdict.from, verdict.to)))
                    .percent("before", verdict.before)
                    .then(" was expected"),
            );
        }
        shifts.push(candidate);
    }
    tests.candidates.extend(shifts);
}

/// A value's share over time.
fn series(values: &Values, value: &str, window: &Window, from: i64, to: i64) -> Series {
    let buckets: Vec<i64> = values.totals.keys().copied().collect();
    let counts = values.counts.get(value);
    Series {
        label: format!("rows with {} = {}", values.column, quoted(value)),
        times: buckets.iter().map(|&bucket| window.shown(bucket)).collect(),
        values: buckets
            .iter()
            .map(|bucket| Some(counts.and_then(|counts| counts.get(bucket)).map_or(0.0, |(rows, _)| *rows)))
            .collect(),
        low: Vec::new(),
        high: Vec::new(),
        marked: buckets
            .iter()
            .enumerate()
            .filter(|(_, bucket)| (from..=to).contains(*bucket))
            .map(|(at, _)| at)
            .collect(),
    }
}

/// How the rows of a table usually come: a trend, a weekday, a day of the month, an hour. It is no news, and is marked so.
pub(crate) fn descriptions(volume: &Track, hours: Option<&Values>, window: &Window) -> Vec<Candidate> {
    let mut found = Vec::new();
    let points: Vec<(f64, f64)> =
        volume.points.iter().map(|(&bucket, point)| (window.start_s(bucket) as f64, point.value)).collect();
    let rows: Vec<f64> = points.iter().map(|point| point.1).collect();
    let middle = pi_signals::metric::median(&rows).unwrap_or(0.0);
    if let Some(trend) = pi_signals::metric::trend(&points)
        .filter(|trend| trend.is_clear && middle > 0.0 && trend.over_all.abs() > 0.2 * middle)
    {
        let words = Words::new("rows ")
            .then(if trend.over_all > 0.0 { "grow" } else { "shrink" })
            .then(" by ")
            .number("rows_a_day", trend.per_hour.abs() * 24.0)
            .then(" a day");
        found.push(described("volume_trend", volume, words));
    }
    if window.calendar == Calendar::Days && volume.metric == Metric::Volume && middle > 0.0 {
        let mut weekdays: [Vec<f64>; 7] = Default::default();
        for (&bucket, point) in &volume.points {
            if let Some(list) = usize::try_from(bucket.rem_euclid(7)).ok().and_then(|at| weekdays.get_mut(at)) {
                list.push(point.value);
            }
        }
        let names = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
        let mut levels: Vec<(f64, &str)> = weekdays
            .iter()
            .zip(names)
            .filter_map(|(list, name)| Some((pi_signals::metric::median(list)?, name)))
            .collect();
        levels.sort_by(|a, b| a.0.total_cmp(&b.0));
        if let (Some(low), Some(high)) = (levels.first(), levels.last())
            && high.0 > 1.3 * low.0
        {
            let words = Words::new(&format!("{} is the busiest weekday with ", high.1))
                .number("rows_most", high.0)
                .then(&format!(" rows, {} the quietest with ", low.1))
                .number("rows_least", low.0);
            found.push(described("volume_by_weekday", volume, words));
        }
    }
    if let Some(hours) = hours {
        let all: f64 = hours.totals.values().sum();
        let busiest = hours
            .counts
            .iter()
            .map(|(hour, counts)| (counts.values().map(|(rows, _)| rows).sum::<f64>(), hour))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((rows, hour)) = busiest.filter(|(rows, _)| *rows > 0.08 * all) {
            let words = Words::new("the hour from ")
                .number("hour", hour.parse().unwrap_or(0.0))
                .then(" on is the busiest, with ")
                .percent("share", rows / all.max(1.0))
                .then(" of all rows");
            let mut candidate = described("volume_by_hour", volume, words);
            (candidate.source, candidate.shown) = (hours.source, Vec::new());
            found.push(candidate);
        }
    }
    found
}

fn described(kind: &'static str, volume: &Track, words: Words) -> Candidate {
    let mut candidate = Candidate::new(kind, None, 1.0, 0.0).said(words);
    candidate.severity = Severity::Info;
    (candidate.source, candidate.shown) = (volume.source, volume.shown.clone());
    candidate
}
