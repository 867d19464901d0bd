//! Counters: metrics that only grow, but begin anew when what counts is restarted.

use super::series::{Point, pairs};

/// Points below which nothing is said about being a counter.
const POINTS_MIN: usize = 5;
/// A fall to at most this share of what was reached is a restart; a smaller one belongs to a gauge.
const RESET_SHARE_MAX: f64 = 0.5;
/// The share of steps that must not fall.
const GROWING_SHARE_MIN: f64 = 0.9;

/// Whether the points look like a counter: never negative, growing, and falling only by restarts.
#[must_use]
pub fn is_counter(points: &[Point]) -> bool {
    if points.len() < POINTS_MIN || points.iter().any(|point| point.value < 0.0) {
        return false;
    }
    let (mut growing, mut gentle_falls, mut steps) = (0_usize, 0_usize, 0_usize);
    for (before, after) in pairs(points) {
        steps += 1;
        growing += usize::from(after.value > before.value);
        gentle_falls += usize::from(after.value < before.value && !is_reset(before, after));
    }
    gentle_falls == 0 && growing as f64 >= GROWING_SHARE_MIN * steps as f64
}

fn is_reset(before: Point, after: Point) -> bool {
    after.value < RESET_SHARE_MAX * before.value
}

/// The times at which a counter had begun anew.
#[must_use]
pub fn counter_resets(points: &[Point]) -> Vec<f64> {
    pairs(points).filter(|&(before, after)| is_reset(before, after)).map(|(_, after)| after.time).collect()
}

/// The growth a second between neighbours, at the time of the later one. After a restart the counter began at 0, so
/// its value is the growth, as Prometheus reckons it.
#[must_use]
pub fn rates(points: &[Point]) -> Vec<Point> {
    let grown =
        |before: Point, after: Point| if after.value < before.value { after.value } else { after.value - before.value };
    pairs(points)
        .filter(|(before, after)| after.time > before.time)
        .map(|(before, after)| Point { time: after.time, value: grown(before, after) / (after.time - before.time) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[f64]) -> Vec<Point> {
        values.iter().enumerate().map(|(at, &value)| Point { time: at as f64 * 10.0, value }).collect()
    }

    #[test]
    fn counter_that_begins_anew_is_a_counter_and_its_rate_stays_positive() {
        let counter = points(&[100.0, 110.0, 120.0, 130.0, 140.0, 150.0, 160.0, 170.0, 180.0, 190.0, 200.0, 5.0, 15.0]);
        assert!(is_counter(&counter));
        assert_eq!(counter_resets(&counter), [110.0]);
        let rates = rates(&counter);
        assert_eq!(rates.len(), 12);
        assert!(rates.iter().all(|rate| rate.value == 1.0 || rate.value == 0.5), "{rates:?}");
    }

    #[test]
    fn gauge_is_no_counter() {
        assert!(!is_counter(&points(&[5.0, 6.0, 5.5, 6.5, 6.0, 7.0])));
        assert!(!is_counter(&points(&[1.0, 2.0, 3.0])));
        assert!(!is_counter(&points(&[-3.0, -2.0, -1.0, 0.0, 1.0, 2.0])));
        assert!(!is_counter(&points(&[4.0; 20])));
    }
}
