//! Statistics that a few wild values do not move: median, median absolute deviation, Theil and Sen's slope.
//!
//! Pure functions over finite numbers; a caller with other ones goes through `Series` first.

/// What makes the median absolute deviation of normal noise its standard deviation.
const MAD_TO_SIGMA: f64 = 1.4826;
/// The same for the mean absolute deviation, which is asked where more than half of all values are one and the same.
const MEAN_DEVIATION_TO_SIGMA: f64 = 1.2533;
/// A series that never moved still has a scale: this share of its level. Without it the first change of a constant
/// would be infinitely many sigmas, and rounding errors would be alarms.
const SCALE_SHARE_MIN: f64 = 0.005;
/// Every pair of points is compared for a slope: longer series are thinned to this many, or they would stop the host.
const SLOPE_POINTS_MAX: usize = 400;
/// Kendall's tau above which a series counts as going one way, for the number of points: see [`Trend::is_clear`].
const CLEAR_Z: f64 = 3.0;

/// The middle value; of an even number the mean of the two in the middle. Nothing of nothing.
#[must_use]
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The value below which this share of all lies, with linear interpolation. Not a number counts as the greatest.
#[must_use]
pub fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let position = share.clamp(0.0, 1.0) * last as f64;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the length")]
    let below = position.floor() as usize;
    let low = *sorted.get(below)?;
    let high = sorted.get(below + 1).copied().unwrap_or(low);
    Some(low + (high - low) * (position - below as f64))
}

/// What is normal: the level, and how far values stray from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baseline {
    pub centre: f64,
    /// As a standard deviation; never 0 unless every value is 0.
    pub sigma: f64,
}

impl Baseline {
    /// Nothing where there is no value.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let centre = median(values)?;
        let deviations: Vec<f64> = values.iter().map(|value| (value - centre).abs()).collect();
        let mut sigma = MAD_TO_SIGMA * median(&deviations)?;
        if sigma == 0.0 {
            sigma = MEAN_DEVIATION_TO_SIGMA * deviations.iter().sum::<f64>() / deviations.len() as f64;
        }
        Some(Self { centre, sigma: sigma.max(SCALE_SHARE_MIN * centre.abs()) })
    }

    /// How many sigmas a value is above the level. Where nothing ever moved from 0, any other value is a great many.
    #[must_use]
    pub fn sigmas(&self, value: f64) -> f64 {
        const A_GREAT_MANY: f64 = 1000.0;
        let distance = value - self.centre;
        if distance == 0.0 {
            return 0.0;
        }
        if self.sigma > 0.0 {
            return (distance / self.sigma).clamp(-A_GREAT_MANY, A_GREAT_MANY);
        }
        A_GREAT_MANY * distance.signum()
    }
}

/// The noise of a series, whatever its level does: from the differences of neighbours.
pub(super) fn noise(values: &[f64]) -> f64 {
    let differences: Vec<f64> = values.windows(2).filter_map(|pair| Some(pair.get(1)? - pair.first()?)).collect();
    let Some(baseline) = Baseline::of(values) else { return 0.0 };
    let from_differences = {
        let sizes: Vec<f64> = differences.iter().map(|difference| difference.abs()).collect();
        MAD_TO_SIGMA * median(&sizes).unwrap_or(0.0) / std::f64::consts::SQRT_2
    };
    from_differences.min(baseline.sigma).max(SCALE_SHARE_MIN * baseline.centre.abs())
}

/// Where a series goes, over all of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// The slope, in the metric's unit an hour: the median of the slopes between all pairs (Theil 1950, Sen 1968).
    pub per_hour: f64,
    /// What that comes to from the first to the last point.
    pub over_all: f64,
    /// Kendall's tau: 1 always upwards, -1 always downwards, 0 neither.
    pub steadiness: f64,
    /// Whether so steady a way would hardly come about by chance (Mann and Kendall's test).
    pub is_clear: bool,
}

/// The trend of `(time in seconds, value)` in order of time. Nothing below four points, or where no time passes.
#[must_use]
pub fn trend(points: &[(f64, f64)]) -> Option<Trend> {
    const SECONDS_AN_HOUR: f64 = 3600.0;
    let stride = points.len().div_ceil(SLOPE_POINTS_MAX).max(1);
    let thinned: Vec<(f64, f64)> = points.iter().step_by(stride).copied().collect();
    if thinned.len() < 4 {
        return None;
    }
    let mut slopes = Vec::with_capacity(thinned.len() * thinned.len() / 2);
    let (mut up, mut down) = (0.0_f64, 0.0_f64);
    for (index, &(time, value)) in thinned.iter().enumerate() {
        for &(later, other) in thinned.iter().skip(index + 1) {
            if later > time {
                slopes.push((other - value) / (later - time));
                up += f64::from(u8::from(other > value));
                down += f64::from(u8::from(other < value));
            }
        }
    }
    let count = thinned.len() as f64;
    let per_second = median(&slopes)?;
    let span = points.last()?.0 - points.first()?.0;
    let variance = count * (count - 1.0) * (2.0 * count + 5.0) / 18.0;
    Some(Trend {
        per_hour: per_second * SECONDS_AN_HOUR,
        over_all: per_second * span,
        steadiness: (up - down) / slopes.len() as f64,
        is_clear: ((up - down).abs() - 1.0) / variance.sqrt() > CLEAR_Z,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_even_many_lies_between_the_two_in_the_middle() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[]), None);
        assert_eq!(quantile(&[0.0, 10.0], 0.25), Some(2.5));
    }

    #[test]
    fn baseline_is_not_moved_by_wild_values() {
        let mut values = vec![10.0, 11.0, 9.0, 10.0, 10.5, 9.5, 10.0, 10.2, 9.8];
        values.extend([1e9, 1e9, -1e9]);
        let baseline = Baseline::of(&values).unwrap();
        assert!((baseline.centre - 10.0).abs() < 0.2 && baseline.sigma < 2.0, "{baseline:?}");
    }

    #[test]
    fn constant_series_has_a_scale_of_its_level() {
        let baseline = Baseline::of(&[200.0; 8]).unwrap();
        assert_eq!((baseline.centre, baseline.sigma), (200.0, 1.0));
        assert_eq!(baseline.sigmas(205.0), 5.0);
        let zero = Baseline::of(&[0.0; 8]).unwrap();
        assert_eq!((zero.sigmas(0.0), zero.sigmas(3.0), zero.sigmas(-3.0)), (0.0, 1000.0, -1000.0));
    }

    #[test]
    fn slope_is_that_of_most_points_and_not_of_the_wild_one() {
        let mut points: Vec<(f64, f64)> = (0..60).map(|minute| (f64::from(minute) * 60.0, f64::from(minute))).collect();
        points[30].1 = 1e6;
        let trend = trend(&points).unwrap();
        assert!((trend.per_hour - 60.0).abs() < 1e-6 && trend.is_clear && trend.steadiness > 0.9, "{trend:?}");
    }

    #[test]
    fn noise_without_direction_is_no_trend() {
        let points: Vec<(f64, f64)> = (0..40).map(|at| (f64::from(at), f64::from((at * 7919) % 13))).collect();
        assert!(!trend(&points).unwrap().is_clear);
        assert_eq!(super::trend(&points[..3]), None);
    }

    #[test]
    fn long_series_is_thinned_before_its_pairs_are_compared() {
        let points: Vec<(f64, f64)> = (0..100_000).map(|at| (f64::from(at), f64::from(at) * 2.0)).collect();
        let trend = trend(&points).unwrap();
        assert!((trend.over_all - 2.0 * 99_999.0).abs() < 1.0, "{trend:?}");
    }
}
