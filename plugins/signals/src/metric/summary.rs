//! What a metric did: one look back over a bounded series, for who has to explain an alarm.
//!
//! The onset is where the run of changes began that led to the strongest step, at or before the moment that is asked
//! about; before and after are medians, the size is in sigmas of what was normal before.

use super::change::{Change, change_points};
use super::counter::{counter_resets, is_counter};
use super::robust::{Baseline, Trend, median, noise, trend};
use super::series::{Defects, Point, Series};

/// What is within this share of a limit is at it.
const NEAR_LIMIT: f64 = 0.95;
/// So many points in a row at a limit are no chance.
const SATURATED_ROW: usize = 3;
/// Points from which a stretch has a scatter of its own.
const BASELINE_POINTS_MIN: usize = 5;
/// Within so many sigmas of the old level a metric has recovered.
const RECOVERED_SIGMAS: f64 = 3.0;
/// The points at the end that say where a metric is now.
const LATEST_POINTS: usize = 3;
/// How many intervals after the moment that is asked about a change may still begin: clocks and averages differ.
const LATE_INTERVALS: f64 = 2.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Up,
    Down,
    Steady,
}

/// The point that is farthest from the usual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    pub time: f64,
    pub value: f64,
    pub sigmas: f64,
}

/// How a metric stands to a limit that it cannot exceed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Saturation {
    pub limit: f64,
    /// The share of all points that are at the limit.
    pub share: f64,
    /// The longest row of such points.
    pub longest: usize,
    /// Whether that row is too long for chance.
    pub is_saturated: bool,
}

/// What a metric did.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricFinding {
    /// How many points there were to look at.
    pub points: usize,
    /// When the change began, in seconds since 1970; nothing where the level stayed.
    pub onset: Option<f64>,
    pub direction: Direction,
    /// The level before the onset, and the one that the change led to; both the median of all where it stayed.
    pub before: f64,
    pub after: f64,
    /// The change in sigmas of what was normal before; negative downwards.
    pub sigmas: f64,
    /// Where the metric is at the end.
    pub latest: f64,
    /// Whether there was a change and the end is back at the level before it.
    pub has_recovered: bool,
    pub peak: Peak,
    pub trend: Option<Trend>,
    /// Only where a limit was given.
    pub saturation: Option<Saturation>,
    /// Whether it looks like a counter, whose rates say more than its values; and when it began anew.
    pub is_counter: bool,
    pub resets: Vec<f64>,
    pub changes: Vec<Change>,
    pub defects: Defects,
}

/// What a metric did, seen from a moment (an alarm's time; the end of the series without one). Nothing where no point
/// is left to look at, which is a gap in the evidence and no sign of health.
#[must_use]
pub fn summarise(points: &[Point], around: Option<f64>) -> Option<MetricFinding> {
    let series = Series::of(points);
    let points = series.points();
    let values = series.values();
    let overall = Baseline::of(&values)?;
    let changes = change_points(points);
    let late = LATE_INTERVALS * series.step;
    let run = run_of(&changes, around.map(|moment| moment + late));
    let (before, after, onset) = match run {
        Some((first, last)) => (first.before, last.after, Some(first.at)),
        None => (overall.centre, overall.centre, None),
    };
    let normal: Vec<f64> =
        points.iter().filter(|point| onset.is_none_or(|onset| point.time < onset)).map(|point| point.value).collect();
    let scale = match Baseline::of(&normal) {
        Some(baseline) if normal.len() >= BASELINE_POINTS_MIN => Baseline { centre: before, ..baseline },
        _ => Baseline { centre: before, sigma: noise(&values) },
    };
    let sigmas = scale.sigmas(after);
    let latest = median(values.get(values.len().saturating_sub(LATEST_POINTS)..)?)?;
    let is_back =
        scale.sigmas(latest).abs() <= RECOVERED_SIGMAS || (latest - before).abs() < 0.1 * (after - before).abs();
    let far = |point: &&Point| (point.value - overall.centre).abs();
    let peak = points.iter().max_by(|a, b| far(a).total_cmp(&far(b)))?;
    let timed: Vec<(f64, f64)> = points.iter().map(|point| (point.time, point.value)).collect();
    let is_counter = is_counter(points);
    Some(MetricFinding {
        points: points.len(),
        onset,
        direction: match sigmas {
            _ if onset.is_none() => Direction::Steady,
            up if up > 0.0 => Direction::Up,
            _ => Direction::Down,
        },
        before,
        after,
        sigmas,
        latest,
        has_recovered: onset.is_some() && is_back,
        peak: Peak { time: peak.time, value: peak.value, sigmas: overall.sigmas(peak.value) },
        trend: trend(&timed),
        saturation: None,
        is_counter,
        resets: if is_counter { counter_resets(points) } else { Vec::new() },
        changes,
        defects: series.defects,
    })
}

/// The same, and how the metric stands to a limit that it cannot exceed (100 of a percentage, the connections allowed).
#[must_use]
pub fn summarise_limited(points: &[Point], around: Option<f64>, limit: f64) -> Option<MetricFinding> {
    let values = Series::of(points).values();
    summarise(points, around).map(|finding| MetricFinding { saturation: saturation(&values, limit), ..finding })
}

/// How values stand to a limit above 0. Nothing without values, or for a limit that is none.
#[must_use]
pub fn saturation(values: &[f64], limit: f64) -> Option<Saturation> {
    if values.is_empty() || !limit.is_finite() || limit <= 0.0 {
        return None;
    }
    let (mut at_limit, mut row, mut longest) = (0_usize, 0_usize, 0_usize);
    for value in values {
        row = if *value >= NEAR_LIMIT * limit { row + 1 } else { 0 };
        at_limit += usize::from(row > 0);
        longest = longest.max(row);
    }
    let share = at_limit as f64 / values.len() as f64;
    Some(Saturation { limit, share, longest, is_saturated: longest >= SATURATED_ROW.min(values.len()) })
}

/// The change that the strongest step of a series belongs to, ramps joined: when it began, from which level, to which.
/// The points are in order of time. A look that costs no more than [`change_points`], for who wants nothing else.
#[must_use]
pub fn shift(points: &[Point], around: Option<f64>) -> Option<Change> {
    let changes = change_points(points);
    let (first, last) = run_of(&changes, around)?;
    Some(Change { at: first.at, before: first.before, after: last.after, sigmas: last.sigmas })
}

/// The strongest change until a moment (of all, where none is that early) with those of the same direction that touch
/// it: a ramp is a run of steps. The first and the last of the run.
fn run_of(changes: &[Change], until: Option<f64>) -> Option<(Change, Change)> {
    let strength = |entry: &(usize, &Change)| entry.1.sigmas.abs();
    let in_time = changes.iter().enumerate().filter(|(_, change)| until.is_none_or(|until| change.at <= until));
    let (strongest, change) = in_time
        .max_by(|a, b| strength(a).total_cmp(&strength(b)))
        .or_else(|| changes.iter().enumerate().max_by(|a, b| strength(a).total_cmp(&strength(b))))?;
    let is_same_way = |other: &&Change| other.sigmas.is_sign_positive() == change.sigmas.is_sign_positive();
    let first = changes.iter().take(strongest + 1).rev().take_while(is_same_way).last();
    let last = changes.iter().skip(strongest).take_while(is_same_way).last();
    Some((*first.unwrap_or(change), *last.unwrap_or(change)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: impl IntoIterator<Item = f64>) -> Vec<Point> {
        values.into_iter().enumerate().map(|(at, value)| Point { time: at as f64 * 60.0, value }).collect()
    }

    fn wobble(index: usize) -> f64 {
        2.0 * ((index as f64 * 12.9898).sin() * 43_758.545_3).rem_euclid(1.0) - 1.0
    }

    #[test]
    fn step_has_onset_direction_and_size() {
        let finding =
            summarise(&points((0..60).map(|at| if at < 40 { 15.0 } else { 90.0 } + wobble(at))), Some(45.0 * 60.0))
                .unwrap();
        assert_eq!((finding.onset, finding.direction), (Some(2400.0), Direction::Up));
        assert!(finding.sigmas > 20.0 && !finding.has_recovered, "{finding:?}");
        assert!((finding.before - 15.0).abs() < 1.0 && (finding.after - 90.0).abs() < 1.0, "{finding:?}");
    }

    #[test]
    fn steady_metric_has_no_onset() {
        let finding = summarise(&points((0..60).map(|at| 50.0 + wobble(at))), None).unwrap();
        assert_eq!((finding.onset, finding.direction, finding.sigmas), (None, Direction::Steady, 0.0));
        assert!(!finding.has_recovered && finding.changes.is_empty(), "{finding:?}");
    }

    #[test]
    fn ramp_begins_where_it_left_the_old_level() {
        let value = |at: usize| 10.0 + wobble(at) * 0.3 + at.saturating_sub(30) as f64 * 4.0;
        let finding = summarise(&points((0..60).map(value)), None).unwrap();
        let onset = finding.onset.unwrap() / 60.0;
        assert!((30.0..=34.0).contains(&onset), "{onset}");
        assert!(finding.direction == Direction::Up && finding.after > 100.0, "{finding:?}");
    }

    #[test]
    fn metric_that_came_back_has_recovered() {
        let value = |at: usize| if (20..35).contains(&at) { 95.0 } else { 20.0 } + wobble(at);
        let finding = summarise(&points((0..60).map(value)), Some(21.0 * 60.0)).unwrap();
        assert_eq!((finding.onset, finding.direction, finding.has_recovered), (Some(1200.0), Direction::Up, true));
    }

    #[test]
    fn later_stronger_change_is_not_taken_for_the_one_before_the_alarm() {
        let value = |at: usize| match at {
            0..20 => 10.0,
            20..50 => 40.0,
            _ => 400.0,
        };
        let finding = summarise(&points((0..80).map(|at| value(at) + wobble(at))), Some(25.0 * 60.0)).unwrap();
        assert_eq!(finding.changes.len(), 2);
        assert_eq!(finding.onset, Some(1200.0));
    }

    #[test]
    fn shift_is_the_whole_ramp_from_where_it_began() {
        let value = |at: usize| if at < 30 { 10.0 } else { 10.0 + 5.0 * ((at - 30) / 4) as f64 };
        let shift = shift(&points((0..60).map(|at| value(at) + 0.1 * wobble(at))), None).unwrap();
        assert!((1_800.0..=2_400.0).contains(&shift.at) && shift.before < 12.0 && shift.after > 35.0, "{shift:?}");
        assert_eq!(super::shift(&points([5.0; 20]), None), None);
    }

    #[test]
    fn metric_at_its_limit_is_saturated() {
        let at_limit = points([40.0, 50.0, 99.0, 100.0, 100.0, 98.0]);
        let saturation = summarise_limited(&at_limit, None, 100.0).unwrap().saturation.unwrap();
        assert_eq!((saturation.longest, saturation.is_saturated), (4, true));
        assert!(!super::saturation(&[96.0, 10.0, 97.0, 20.0], 100.0).unwrap().is_saturated);
        assert_eq!(super::saturation(&[1.0], f64::NAN), None);
        assert_eq!(super::saturation(&[], 100.0), None);
    }

    #[test]
    fn nothing_to_look_at_is_no_finding() {
        assert_eq!(summarise(&[], None), None);
        assert_eq!(summarise(&[Point { time: 0.0, value: f64::NAN }], None), None);
        let one = summarise(&[Point { time: 5.0, value: 3.0 }], Some(5.0)).unwrap();
        assert_eq!((one.points, one.onset, one.latest, one.trend), (1, None, 3.0, None));
    }

    #[test]
    fn numbers_of_any_size_give_finite_findings() {
        let wild = points([f64::MAX, f64::MIN, 1e308, -1e308, 0.0, f64::MIN_POSITIVE, f64::MAX]);
        let finding = summarise(&wild, None).unwrap();
        assert!(finding.sigmas.abs() <= 1000.0, "{finding:?}");
    }
}
