//! Volume, freshness, nulls, ranges, means and the other single series.

use pi_catalog::finding::{Series, Severity};

use super::{Candidate, Tests, Words, is_holiday};
use crate::habit::{self, Scale, Verdict};
use crate::profile::{Metric, Track, Window};

/// How a kind of series is judged: what it is called upwards and downwards, the floors of its effect, how specific it is.
struct Kind {
    up: &'static str,
    down: &'static str,
    /// Difference below which it is nothing: of shares in parts of one, of ratios in parts of what was expected.
    floor: f64,
    rank: u8,
    /// Whether only newly judged single buckets are looked at.
    is_single: bool,
}

const NOTHING: &str = "";

fn kind_of(metric: Metric) -> Kind {
    let kind = |up, down, floor, rank| Kind { up, down, floor, rank, is_single: false };
    match metric {
        Metric::Volume => kind("volume_rose", "volume_dropped", 0.25, 5),
        Metric::Nulls => kind("nulls_rose", "nulls_fell", 0.02, 8),
        Metric::Blanks => kind("blanks_rose", NOTHING, 0.02, 8),
        Metric::Zeros => kind("zeros_rose", NOTHING, 0.03, 7),
        Metric::Negatives => kind("negatives_rose", NOTHING, 0.01, 8),
        Metric::Unreadable => kind("unreadable_rose", NOTHING, 0.005, 9),
        Metric::Mean => kind("mean_rose", "mean_fell", 0.05, 4),
        Metric::Spread => kind("spread_rose", "spread_fell", 0.3, 3),
        Metric::Maximum => Kind { is_single: true, ..kind("maximum_rose", NOTHING, 2.0, 5) },
        Metric::Length => kind("length_rose", "length_fell", 0.15, 4),
        Metric::Distinct => kind("distinct_rose", "distinct_fell", 0.25, 3),
        Metric::TopShare => kind("top_value_grew", NOTHING, 0.1, 5),
        Metric::Duplicates => kind("duplicates_appeared", NOTHING, 0.01, 9),
        Metric::KeyDuplicates => kind("keys_repeated", NOTHING, 0.004, 9),
        Metric::Orphans => kind("orphans_appeared", NOTHING, 0.005, 9),
        Metric::Lag => kind("loads_late", NOTHING, 0.5, 7),
        Metric::Backwards => kind("moments_backwards", NOTHING, 0.01, 8),
    }
}

/// Judge one series. What finds nothing is a candidate too, for the correction.
pub(crate) fn track(track: &Track, window: &Window, judged_to: Option<i64>, tests: &mut Tests) {
    let about = match &track.column {
        Some(column) => format!("{} of `{column}`", label(track.metric)),
        None => label(track.metric).to_owned(),
    };
    if let Some(candidate) = constant(track, window) {
        tests.candidates.push(candidate);
        return;
    }
    let Some(verdict) = habit::judge(&track.points, track.scale, window.calendar, window.until, judged_to) else {
        if track.points.len() > 3 {
            tests.abstained.push(format!("{about}: fewer than {} buckets with values", habit::HISTORY_MIN));
        }
        return;
    };
    let kind = kind_of(track.metric);
    let is_up = verdict.sigmas > 0.0;
    let name = if is_up { kind.up } else { kind.down };
    let effect = effect(track, &verdict);
    let mut candidate =
        Candidate::new(if name == NOTHING { kind.up } else { name }, track.column.as_deref(), verdict.p, effect);
    candidate.is_large = name != NOTHING
        && verdict.is_beyond_habit
        && is_above_floor(track, &verdict, effect, kind.floor)
        && !(kind.is_single && verdict.to > verdict.from);
    candidate.direction = if is_up { 1 } else { -1 };
    candidate.buckets = Some((verdict.from, verdict.to));
    candidate.since = Some(window.shown(verdict.from));
    candidate.is_holiday = track.metric == Metric::Volume
        && (verdict.from..=verdict.to).all(|bucket| is_holiday(window.month_day(bucket)));
    if candidate.is_holiday && candidate.is_large {
        tests.abstained.push(format!("volume on {}: a holiday in many places", window.shown(verdict.to)));
        candidate.is_large = false;
    }
    let is_stale = track.metric == Metric::Volume && verdict.after == 0.0 && verdict.to == window.until && !is_up;
    if is_stale {
        candidate.kind = "data_stale";
    }
    candidate.rank = kind.rank + u8::from(is_stale) * 4;
    candidate.severity = severity(track.metric, effect, is_stale);
    candidate.source = track.source;
    candidate.shown = track.shown.clone();
    if candidate.is_large {
        candidate.series = Some(series(track, &verdict, window));
        candidate = candidate.said(sentence(track, &verdict, window, is_stale));
    }
    tests.candidates.push(candidate);
}

/// A measure whose newest bucket holds one value only, which never was so.
fn constant(track: &Track, window: &Window) -> Option<Candidate> {
    const ROWS_MIN: f64 = 20.0;
    let newest = track.points.get(&window.until)?;
    let earlier = track.points.range(..window.until - habit::RECENT as i64);
    let never = earlier.clone().count() >= habit::HISTORY_MIN - habit::RECENT
        && earlier.clone().all(|(_, point)| point.value > 0.0);
    if track.metric != Metric::Spread || newest.value > 1e-12 || newest.n < ROWS_MIN || !never {
        return None;
    }
    let mut candidate = Candidate::new("column_constant", track.column.as_deref(), 1e-12, 1.0);
    candidate.buckets = Some((window.until, window.until));
    candidate.since = Some(window.shown(window.until));
    candidate.severity = Severity::Warning;
    candidate.rank = 10;
    (candidate.source, candidate.shown) = (track.source, track.shown.clone());
    let column = track.column.as_deref().unwrap_or_default();
    Some(
        candidate.said(
            Words::new(&format!("`{column}` has one value in all "))
                .number("rows", newest.n)
                .then(&format!(" rows of {}, and never had before", window.shown(window.until))),
        ),
    )
}

/// The size of the change: of shares the difference, of the rest the ratio less one.
fn effect(track: &Track, verdict: &Verdict) -> f64 {
    let difference = (verdict.after - verdict.before).abs();
    match track.scale {
        Scale::Share if track.metric == Metric::Distinct => difference / verdict.before.max(1e-9),
        Scale::Share => difference,
        Scale::Count | Scale::Ratio => difference / verdict.before.abs().max(1e-9),
        Scale::Plain => difference / deviation(track).max(1e-9),
    }
    .min(1e6)
}

/// The spread of single values, out of the standard error of a typical bucket.
fn deviation(track: &Track) -> f64 {
    let all: Vec<f64> = track.points.values().map(|point| point.error * point.n.sqrt()).collect();
    pi_signals::metric::median(&all).unwrap_or(0.0)
}

fn is_above_floor(track: &Track, verdict: &Verdict, effect: f64, floor: f64) -> bool {
    let difference = (verdict.after - verdict.before).abs();
    match track.metric {
        // A rise from nothing counts sooner than one of what was always there.
        Metric::Nulls => {
            effect >= floor
                && (verdict.after > 2.0 * verdict.before || effect >= 0.1)
                && (verdict.sigmas > 0.0 || effect >= 0.2)
        }
        Metric::Blanks | Metric::Zeros => effect >= floor && (verdict.after > 1.5 * verdict.before || effect >= 0.1),
        Metric::Mean => {
            difference >= 0.1 * deviation(track)
                && (track.scale == Scale::Plain && effect >= 0.25 || track.scale == Scale::Ratio && effect >= floor)
        }
        Metric::Lag => difference >= 1_800.0 && verdict.after > (1.0 + floor) * verdict.before.abs(),
        Metric::Volume => effect >= floor && (verdict.after - verdict.before).abs() >= 5.0,
        _ => effect >= floor,
    }
}

fn severity(metric: Metric, effect: f64, is_stale: bool) -> Severity {
    match metric {
        _ if is_stale => Severity::Critical,
        Metric::Volume if effect >= 0.8 => Severity::Critical,
        Metric::Volume
        | Metric::Unreadable
        | Metric::KeyDuplicates
        | Metric::Duplicates
        | Metric::Orphans
        | Metric::Lag => Severity::Warning,
        Metric::Nulls | Metric::Blanks | Metric::Negatives | Metric::Zeros if effect >= 0.1 => Severity::Warning,
        Metric::Mean if effect >= 0.3 => Severity::Warning,
        _ => Severity::Notice,
    }
}

/// What is measured, in words.
pub(crate) fn label(metric: Metric) -> &'static str {
    match metric {
        Metric::Volume => "rows",
        Metric::Nulls => "share of nulls",
        Metric::Blanks => "share of blank texts",
        Metric::Zeros => "share of zeros",
        Metric::Negatives => "share of negative values",
        Metric::Unreadable => "share of values that are no numbers",
        Metric::Mean => "mean",
        Metric::Spread => "standard deviation",
        Metric::Maximum => "greatest value",
        Metric::Length => "mean length",
        Metric::Distinct => "different values by row",
        Metric::TopShare => "share of the most frequent value",
        Metric::Duplicates => "share of rows that are there twice",
        Metric::KeyDuplicates => "share of rows whose key is there twice",
        Metric::Orphans => "share of references that lead nowhere",
        Metric::Lag => "mean delay in seconds",
        Metric::Backwards => "share of moments before the event",
    }
}

fn sentence(track: &Track, verdict: &Verdict, window: &Window, is_stale: bool) -> Words {
    let when = span(window, verdict.from, verdict.to);
    if is_stale {
        return Words::new("no row since ")
            .then(&window.shown(verdict.from))
            .then(", where ")
            .number("expected", verdict.before)
            .then(" were expected");
    }
    let about = match &track.column {
        Some(column) => format!("{} of `{column}`: ", label(track.metric)),
        None => format!("{}: ", label(track.metric)),
    };
    let words = Words::new(&about);
    let words = match track.scale {
        Scale::Share => words
            .percent("after", verdict.after)
            .then(&when)
            .then(", where ")
            .percent("before", verdict.before)
            .then(" was expected"),
        _ => words
            .number("after", verdict.after)
            .then(&when)
            .then(", where ")
            .number("before", verdict.before)
            .then(" was expected"),
    };
    words.beside("sigmas", verdict.sigmas).beside("buckets", (verdict.to - verdict.from + 1) as f64)
}

/// ` on ...` or ` from ... to ...`.
pub(crate) fn span(window: &Window, from: i64, to: i64) -> String {
    if from == to {
        format!(" on {}", window.shown(from))
    } else {
        format!(" from {} to {}", window.shown(from), window.shown(to))
    }
}

/// What a chart draws.
pub(crate) fn series(track: &Track, verdict: &Verdict, window: &Window) -> Series {
    let first = track.points.keys().next().copied().unwrap_or(window.first).max(window.first);
    let buckets: Vec<i64> = (first..=window.until).collect();
    let band: std::collections::BTreeMap<i64, (f64, f64)> =
        verdict.band.iter().map(|&(bucket, low, high)| (bucket, (low, high))).collect();
    let value = |bucket: &i64| match track.points.get(bucket) {
        Some(point) => Some(point.value),
        None if track.scale == Scale::Count => Some(0.0),
        None => None,
    };
    Series {
        label: match &track.column {
            Some(column) => format!("{} of {column}", label(track.metric)),
            None => label(track.metric).to_owned(),
        },
        times: buckets.iter().map(|&bucket| window.shown(bucket)).collect(),
        values: buckets.iter().map(value).collect(),
        low: buckets.iter().map(|bucket| band.get(bucket).map(|band| band.0)).collect(),
        high: buckets.iter().map(|bucket| band.get(bucket).map(|band| band.1)).collect(),
        marked: buckets
            .iter()
            .enumerate()
            .filter(|(_, bucket)| (verdict.from..=verdict.to).contains(*bucket))
            .map(|(at, _)| at)
            .collect(),
    }
}
