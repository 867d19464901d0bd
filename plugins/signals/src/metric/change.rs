//! When a level changed: over a bounded series looking back, and point by point with constant memory.
//!
//! Looking back it is PELT (Killick, Fearnhead and Eckley, "Optimal Detection of Changepoints With a Linear
//! Computational Cost", 2012) with the cost of a normal mean, over values in units of their own noise; point by point
//! it is Page's two-sided CUSUM (1954). A single wild point is no change of level: it is what a running median of
//! three takes out, and what `summarise` reports as the peak.

use super::robust::{Baseline, median, noise};
use super::series::Point;

/// PELT's worst case is quadratic, so a longer series is drawn together into so many medians first.
const LOOKED_AT_MAX: usize = 2000;
/// What a further change has to save, in units of ln n; 2 is the information criterion for independent noise, and
/// what machines measure is not independent.
const PENALTY: f64 = 5.0;
/// Smaller steps, in sigmas, are the noise's own wandering.
const STEP_SIGMAS_MIN: f64 = 2.0;
/// The noise counts as at least this share of all that the values span: without it, rounding would be changes.
const NOISE_SHARE_MIN: f64 = 0.01;

/// A change of level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// The time of the first point of the new level.
    pub at: f64,
    /// Medians of the stretches between this change and its neighbours.
    pub before: f64,
    pub after: f64,
    /// The step in units of the series' noise; negative downwards.
    pub sigmas: f64,
}

/// The changes of level in order of time. The points are in order of time, as `Series` puts them.
#[must_use]
pub fn change_points(points: &[Point]) -> Vec<Change> {
    let points = drawn_together(points);
    let raw: Vec<f64> = points.iter().map(|point| point.value).collect();
    let values = without_single_spikes(&raw);
    let (low, high) =
        values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
    let sigma = noise(&raw).max(NOISE_SHARE_MIN * (high - low));
    if values.len() < 2 || !sigma.is_finite() || sigma <= 0.0 {
        return Vec::new();
    }
    let scaled: Vec<f64> = values.iter().map(|value| (value - low) / sigma).collect();
    let mut starts = pelt(&scaled);
    loop {
        let changes = described(&points, &raw, &starts, sigma);
        // The smallest step goes first: what it parted is one stretch then, and its neighbours are measured anew.
        let weakest = changes.iter().enumerate().min_by(|a, b| a.1.sigmas.abs().total_cmp(&b.1.sigmas.abs()));
        match weakest {
            Some((index, change)) if change.sigmas.abs() < STEP_SIGMAS_MIN => {
                starts.remove(index);
            }
            _ => return changes,
        }
    }
}

/// What the stretches that begin at `starts` (and the first, at 0) are like.
fn described(points: &[Point], values: &[f64], starts: &[usize], sigma: f64) -> Vec<Change> {
    let stretch = |from: usize, to: usize| median(values.get(from..to).unwrap_or_default()).unwrap_or(0.0);
    let mut changes = Vec::with_capacity(starts.len());
    let mut from = 0;
    for (index, &start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(values.len());
        let (before, after) = (stretch(from, start), stretch(start, end));
        if let Some(point) = points.get(start) {
            changes.push(Change { at: point.time, before, after, sigmas: (after - before) / sigma });
        }
        from = start;
    }
    changes
}

fn drawn_together(points: &[Point]) -> Vec<Point> {
    let size = points.len().div_ceil(LOOKED_AT_MAX).max(1);
    let middle = |chunk: &[Point]| {
        let values: Vec<f64> = chunk.iter().map(|point| point.value).collect();
        Some(Point { time: chunk.first()?.time, value: median(&values)? })
    };
    points.chunks(size).filter_map(middle).collect()
}

fn without_single_spikes(values: &[f64]) -> Vec<f64> {
    let at = |index: Option<usize>| index.and_then(|index| values.get(index)).copied();
    let smooth = |(index, &value): (usize, &f64)| match (at(index.checked_sub(1)), at(Some(index + 1))) {
        (Some(before), Some(after)) => before.max(value).min(after).max(before.min(value)),
        _ => value,
    };
    values.iter().enumerate().map(smooth).collect()
}

/// Where stretches begin, the first aside, so that the squares around their means and the penalties are least.
fn pelt(values: &[f64]) -> Vec<usize> {
    let penalty = PENALTY * (values.len() as f64).ln().max(1.0);
    let mut sums = vec![(0.0, 0.0)];
    for value in values {
        let (sum, squares) = sums.last().copied().unwrap_or_default();
        sums.push((sum + value, squares + value * value));
    }
    let cost = |from: usize, to: usize| {
        let (Some(a), Some(b)) = (sums.get(from), sums.get(to)) else { return 0.0 };
        let sum = b.0 - a.0;
        ((b.1 - a.1) - sum * sum / (to - from) as f64).max(0.0)
    };
    // For each end: the least cost up to there, and where its last stretch begins.
    let mut best: Vec<(f64, usize)> = vec![(-penalty, 0)];
    let mut candidates = vec![0_usize];
    for end in 1..=values.len() {
        let total = |start: usize| best.get(start).map_or(f64::INFINITY, |so_far| so_far.0 + cost(start, end));
        let (least, start) = candidates
            .iter()
            .map(|&start| (total(start) + penalty, start))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .unwrap_or((f64::INFINITY, 0));
        candidates.retain(|&start| total(start) <= least);
        candidates.push(end);
        best.push((least, start));
    }
    let mut starts = Vec::new();
    let mut end = values.len();
    while let Some(&(_, start)) = best.get(end).filter(|(_, start)| *start > 0) {
        starts.push(start);
        end = start;
    }
    starts.reverse();
    starts
}

/// A shift that a [`Cusum`] has found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// When it began: the first point since which the evidence has not gone back to nothing.
    pub onset: f64,
    pub is_upwards: bool,
}

/// Evidence that values have left a baseline, added up point by point: constant memory, small shifts in the end too.
#[derive(Debug, Clone)]
pub struct Cusum {
    baseline: Baseline,
    up: (f64, f64),
    down: (f64, f64),
}

impl Cusum {
    /// Half of the shift, in sigmas, that is looked for; what is smaller adds no evidence.
    const SLACK: f64 = 0.5;
    /// The evidence that is enough, in sigmas: by chance it comes together once in some thousand points.
    const ENOUGH: f64 = 6.0;
    /// What one point can add, so that a single wild one is not enough by itself.
    const ONE_POINT_MAX: f64 = 4.0;

    #[must_use]
    pub fn new(baseline: Baseline) -> Self {
        Self { baseline, up: (0.0, 0.0), down: (0.0, 0.0) }
    }

    /// Take the next point; a value that is no finite number is passed over. After a shift it begins anew.
    pub fn push(&mut self, point: Point) -> Option<Shift> {
        if !point.value.is_finite() {
            return None;
        }
        let sigmas = self.baseline.sigmas(point.value).clamp(-Self::ONE_POINT_MAX, Self::ONE_POINT_MAX);
        let onset_up = add(&mut self.up, sigmas - Self::SLACK, point.time);
        let onset_down = add(&mut self.down, -sigmas - Self::SLACK, point.time);
        let (onset, is_upwards) = match (self.up.0 >= Self::ENOUGH, self.down.0 >= Self::ENOUGH) {
            (true, _) => (onset_up, true),
            (_, true) => (onset_down, false),
            _ => return None,
        };
        (self.up, self.down) = ((0.0, 0.0), (0.0, 0.0));
        Some(Shift { onset, is_upwards })
    }
}

/// Add to the evidence, which never falls below nothing; the time at which it last began.
fn add(evidence: &mut (f64, f64), more: f64, time: f64) -> f64 {
    if evidence.0 <= 0.0 {
        evidence.1 = time;
    }
    evidence.0 = (evidence.0 + more).max(0.0);
    evidence.1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[f64]) -> Vec<Point> {
        values.iter().enumerate().map(|(at, &value)| Point { time: at as f64 * 60.0, value }).collect()
    }

    /// Between -1 and 1, without any order that matters, and the same in every run.
    fn noise_at(index: usize) -> f64 {
        2.0 * ((index as f64 * 12.9898).sin() * 43_758.545_3).rem_euclid(1.0) - 1.0
    }

    #[test]
    fn step_is_found_at_its_first_point() {
        let values: Vec<f64> = (0..80).map(|at| if at < 50 { 20.0 } else { 60.0 } + noise_at(at)).collect();
        let changes = change_points(&points(&values));
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert_eq!(changes[0].at, 50.0 * 60.0);
        assert!((changes[0].before - 20.0).abs() < 1.0 && (changes[0].after - 60.0).abs() < 1.0, "{changes:?}");
    }

    #[test]
    fn up_and_down_again_are_two_changes() {
        let values: Vec<f64> =
            (0..90).map(|at| f64::from(u8::from((30..60).contains(&at))) * 9.0 + noise_at(at)).collect();
        let times: Vec<f64> = change_points(&points(&values)).iter().map(|change| change.at / 60.0).collect();
        assert_eq!(times, [30.0, 60.0]);
    }

    #[test]
    fn noise_and_single_spikes_and_constants_are_no_change() {
        let mut values: Vec<f64> = (0..200).map(noise_at).collect();
        assert_eq!(change_points(&points(&values)), []);
        values[77] = 500.0;
        assert_eq!(change_points(&points(&values)), []);
        assert_eq!(change_points(&points(&[5.0; 50])), []);
        assert_eq!(change_points(&points(&[])), []);
        assert_eq!(change_points(&points(&[1.0])), []);
    }

    #[test]
    fn step_right_after_the_first_point_is_found_in_a_short_series() {
        let mut values = vec![18.0];
        values.extend((0..14).map(|at| 92.0 + noise_at(at)));
        let changes = change_points(&points(&values));
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert_eq!(changes[0].at, 60.0);
    }

    #[test]
    fn series_beyond_the_limit_is_drawn_together_and_still_answers() {
        let count = LOOKED_AT_MAX * 10;
        let values: Vec<f64> = (0..count).map(|at| if at < count / 2 { 0.0 } else { 8.0 } + noise_at(at)).collect();
        let changes = change_points(&points(&values));
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert_eq!(changes[0].at, count as f64 / 2.0 * 60.0);
    }

    #[test]
    fn cusum_finds_a_small_lasting_shift_and_where_it_began() {
        let mut cusum = Cusum::new(Baseline { centre: 0.0, sigma: 1.0 });
        let quiet = (0..300).find_map(|at| cusum.push(Point { time: f64::from(at), value: noise_at(at as usize) }));
        assert_eq!(quiet, None);
        let found = (300..400).find_map(|at| cusum.push(Point { time: f64::from(at), value: 2.0 })).unwrap();
        assert!(found.is_upwards && (298.0..=300.0).contains(&found.onset), "{found:?}");
        let down = (400..500).find_map(|at| cusum.push(Point { time: f64::from(at), value: -2.0 }));
        assert_eq!(down, Some(Shift { onset: 400.0, is_upwards: false }));
    }

    #[test]
    fn cusum_is_not_moved_by_one_wild_point_or_what_is_no_number() {
        let mut cusum = Cusum::new(Baseline { centre: 0.0, sigma: 1.0 });
        for value in [1e12, f64::NAN, 0.0, 0.0, f64::INFINITY] {
            assert_eq!(cusum.push(Point { time: 0.0, value }), None);
        }
    }
}
