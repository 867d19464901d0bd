//! A list of points as it comes from outside, and what it is once its defects are named.
//!
//! The rules: a point whose time or value is no finite number is left out; points are put in order of time; of several
//! at one time the last one counts; beyond `POINTS_MAX` the latest are kept. Nothing is made up: a gap stays a gap.

use super::robust::median;

/// Points that a series keeps, the latest. A source that sends more would fill the memory of whoever looks at it.
pub const POINTS_MAX: usize = 200_000;
/// Gaps that are listed; a series of nothing but gaps would fill the report otherwise.
pub const GAPS_MAX: usize = 100;
/// An interval so many times the usual one is a gap.
const GAP_FACTOR: f64 = 3.0;

/// One measurement. The time is in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub time: f64,
    pub value: f64,
}

/// A stretch without points, from the last point before it to the first after it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    pub from: f64,
    pub to: f64,
}

/// What was wrong with a list of points.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Defects {
    /// Left out: the time or the value is no finite number.
    pub not_finite: usize,
    /// Put where they belong: they came after a later one.
    pub out_of_order: usize,
    /// Left out: a later entry has the same time.
    pub duplicates: usize,
    /// Left out: the series was longer than [`POINTS_MAX`].
    pub beyond_limit: usize,
    /// The first [`GAPS_MAX`] of them.
    pub gaps: Vec<Gap>,
}

/// Points in strict order of time, all finite.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    points: Vec<Point>,
    /// The usual interval in seconds; 0 where there are fewer than two points.
    pub step: f64,
    pub defects: Defects,
}

impl Series {
    /// Put points in order, and say what was wrong with them.
    #[must_use]
    pub fn of(points: &[Point]) -> Self {
        let mut defects = Defects { beyond_limit: points.len().saturating_sub(POINTS_MAX), ..Defects::default() };
        let taken = points.iter().skip(defects.beyond_limit);
        let mut kept: Vec<Point> = taken.copied().filter(|p| p.time.is_finite() && p.value.is_finite()).collect();
        defects.not_finite = points.len() - defects.beyond_limit - kept.len();
        let mut latest = f64::NEG_INFINITY;
        for point in &kept {
            defects.out_of_order += usize::from(point.time < latest);
            latest = latest.max(point.time);
        }
        // The order is stable, so of equal times the last that came stands last.
        kept.sort_by(|a, b| a.time.total_cmp(&b.time));
        let mut points: Vec<Point> = Vec::with_capacity(kept.len());
        for point in kept {
            match points.last_mut() {
                #[allow(clippy::float_cmp, reason = "the same instant, as it was written")]
                Some(last) if last.time == point.time => {
                    *last = point;
                    defects.duplicates += 1;
                }
                _ => points.push(point),
            }
        }
        let intervals: Vec<f64> = pairs(&points).map(|(a, b)| b.time - a.time).collect();
        let step = median(&intervals).unwrap_or(0.0);
        let wide = pairs(&points).filter(|(a, b)| step > 0.0 && b.time - a.time > GAP_FACTOR * step);
        defects.gaps = wide.map(|(a, b)| Gap { from: a.time, to: b.time }).take(GAPS_MAX).collect();
        Self { points, step, defects }
    }

    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    #[must_use]
    pub fn values(&self) -> Vec<f64> {
        self.points.iter().map(|point| point.value).collect()
    }
}

pub(super) fn pairs(points: &[Point]) -> impl Iterator<Item = (Point, Point)> {
    points.iter().copied().zip(points.iter().copied().skip(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(of: &[(f64, f64)]) -> Vec<Point> {
        of.iter().map(|&(time, value)| Point { time, value }).collect()
    }

    #[test]
    fn defects_are_named_and_the_rest_is_in_order() {
        let series = Series::of(&points(&[
            (60.0, 1.0),
            (0.0, 2.0),
            (120.0, f64::NAN),
            (f64::INFINITY, 1.0),
            (60.0, 3.0),
            (180.0, 4.0),
        ]));
        assert_eq!(series.points(), points(&[(0.0, 2.0), (60.0, 3.0), (180.0, 4.0)]));
        let defects = &series.defects;
        assert_eq!((defects.not_finite, defects.out_of_order, defects.duplicates), (2, 1, 1));
    }

    #[test]
    fn stretch_without_points_is_a_gap() {
        let mut given: Vec<(f64, f64)> = (0..10).map(|at| (f64::from(at) * 60.0, 1.0)).collect();
        given.extend((0..10).map(|at| (4000.0 + f64::from(at) * 60.0, 1.0)));
        assert_eq!(Series::of(&points(&given)).defects.gaps, [Gap { from: 540.0, to: 4000.0 }]);
    }

    #[test]
    fn beyond_the_limit_the_latest_points_are_kept() {
        let given: Vec<Point> = (0..POINTS_MAX + 5).map(|at| Point { time: at as f64, value: 0.0 }).collect();
        let series = Series::of(&given);
        assert_eq!((series.points().len(), series.defects.beyond_limit), (POINTS_MAX, 5));
        assert_eq!(series.points().first().map(|point| point.time), Some(5.0));
    }

    #[test]
    fn nothing_is_a_series_without_points() {
        assert_eq!(Series::of(&[]), Series::default());
    }
}
