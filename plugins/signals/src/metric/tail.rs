//! How surprising a value is among all that came before it, upwards only: the tail of its distribution, learnt as it
//! comes, in constant memory.
//!
//! Above a high quantile (tracked by stochastic approximation, Robbins and Monro 1951) what exceeds it is taken for
//! generalised Pareto, its parameters from the mean and the variance of the excesses: peaks over threshold, as SPOT
//! does it (Siffer, Fouque, Termier and Largouet, "Anomaly Detection in Streams with Extreme Value Theory", 2017). So
//! a series that has bursts by nature is given a heavy tail, and one number means the same in every series.

/// The share of values that lie above the quantile.
const SHARE_ABOVE: f64 = 0.02;
/// What is older than so many points is forgotten: four weeks of points every five minutes.
pub(super) const MEMORY: f64 = 8000.0;
/// The heaviest tail that is believed. Beyond a half the variance would be infinite.
const SHAPE_MAX: f64 = 0.45;
/// Until so many excesses are known, their variance says nothing.
const SHAPE_FROM: f64 = 10.0;
/// The scale begins as if so many excesses of so many times the smallest size had been seen.
const PRIOR_EXCESSES: f64 = 2.0;
const PRIOR_SIZE: f64 = 6.0;
/// One excess changes what is learnt by no more than so many times the mean.
const EXCESS_CLIP: f64 = 40.0;
/// Points that only set the quantile.
const FIRST_POINTS: f64 = 20.0;
/// The least share above the quantile that is believed, so that a tail that was never seen has no infinite surprise.
const SHARE_MIN: f64 = 1e-4;
/// What has been there so many times is as rare as its count says, however far out it lies.
const REPEATS: usize = 2;
/// What is short of a value by this share of its excess was there as well: a record by a hair is no news.
const NEARLY: f64 = 0.1;
/// How many of the greatest values are remembered for that.
const GREATEST: usize = 4;
/// No value is more surprising: 10 to the minus this. Far beyond, differences mean nothing.
pub(super) const SURPRISE_MAX: f64 = 50.0;
/// Nothing is divided by less.
const TINY: f64 = 1e-12;

#[derive(Debug, Clone)]
pub(super) struct Tail {
    count: f64,
    quantile: f64,
    step: f64,
    share: f64,
    excesses: f64,
    mean: f64,
    mean_square: f64,
    /// Value, and the count at which it came.
    greatest: [(f64, f64); GREATEST],
}

impl Tail {
    pub(super) const fn new() -> Self {
        Self {
            count: 0.0,
            quantile: 0.0,
            step: 0.0,
            share: SHARE_ABOVE,
            excesses: 0.0,
            mean: 0.0,
            mean_square: 0.0,
            greatest: [(f64::MIN, f64::NEG_INFINITY); GREATEST],
        }
    }

    /// Minus the decimal logarithm of the chance of such a value or a greater one, from what came before it; 0 below
    /// the quantile and during the first `silent` points. Then learn it. Differences below `floor` mean nothing.
    #[inline]
    pub(super) fn push(&mut self, value: f64, floor: f64, silent: f64) -> f64 {
        self.count += 1.0;
        let is_above = self.count > FIRST_POINTS && value > self.quantile;
        let surprise = if is_above && self.count > silent { self.surprise(value, floor) } else { 0.0 };
        self.learn(value, floor, is_above);
        surprise
    }

    fn surprise(&self, value: f64, floor: f64) -> f64 {
        let mean = (self.mean * self.excesses + PRIOR_SIZE * floor * PRIOR_EXCESSES) / (self.excesses + PRIOR_EXCESSES);
        let mean = mean.max(floor).max(TINY);
        let distance = (value - self.quantile) / mean;
        let shape = if self.excesses > SHAPE_FROM {
            let variance = (self.mean_square - self.mean * self.mean).max(TINY * TINY);
            (0.5 * (1.0 - mean * mean / variance)).clamp(0.0, SHAPE_MAX)
        } else {
            0.5 * SHAPE_MAX
        };
        let beyond = if shape < 1e-3 { distance } else { (1.0 + shape * distance / (1.0 - shape)).ln() / shape };
        let surprise = beyond / std::f64::consts::LN_10 - self.share.max(SHARE_MIN).log10();
        let nearly = value - floor.max(NEARLY * (value - self.quantile));
        let is_as_great = |(greatest, at): &&(f64, f64)| *greatest >= nearly && self.count - at < MEMORY;
        let repeats = self.greatest.iter().filter(is_as_great).count();
        let by_count = (self.count.min(MEMORY) / repeats.max(1) as f64).log10();
        if repeats >= REPEATS { surprise.min(by_count) } else { surprise.min(SURPRISE_MAX) }
    }

    #[inline]
    fn learn(&mut self, value: f64, floor: f64, is_above: bool) {
        let first = 1.0 / self.count;
        let rate = first.max(1.0 / MEMORY);
        let distance = (value - self.quantile).abs();
        let is_first = self.count <= FIRST_POINTS;
        let distance_max = 5.0 * self.step + if is_first { distance } else { floor };
        self.step += first.max(0.002) * (distance.min(distance_max) - self.step);
        if is_first {
            self.quantile = if self.count == 1.0 { value } else { self.quantile.max(value) };
            return;
        }
        let share_rate = rate.max(0.0005);
        let move_by = (15.0 * self.step * rate.max(0.001)).max(0.001 * floor);
        if is_above {
            self.learn_excess(value - self.quantile, floor);
            self.remember(value);
            self.share += share_rate * (1.0 - self.share);
            self.quantile += move_by * (1.0 - SHARE_ABOVE);
        } else {
            self.share -= share_rate * self.share;
            self.quantile -= move_by * SHARE_ABOVE;
        }
    }

    fn learn_excess(&mut self, excess: f64, floor: f64) {
        // The first few say what size there is at all.
        let clip = if self.excesses < 3.0 { excess } else { (EXCESS_CLIP * self.mean).max(5.0 * floor).max(TINY) };
        let excess = excess.min(clip);
        self.excesses += 1.0;
        let rate = (1.0 / self.excesses).max(1.0 / (SHARE_ABOVE * MEMORY));
        self.mean += rate * (excess - self.mean);
        self.mean_square += rate * (excess * excess - self.mean_square);
    }

    /// Put it in the place of the least one, or of one that is too old to count.
    fn remember(&mut self, value: f64) {
        let count = self.count;
        let worth = |entry: &(f64, f64)| if count - entry.1 >= MEMORY { f64::MIN } else { entry.0 };
        if let Some(least) = self.greatest.iter_mut().min_by(|a, b| worth(a).total_cmp(&worth(b)))
            && (value > least.0 || count - least.1 >= MEMORY)
        {
            *least = (value, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise_at(index: usize) -> f64 {
        2.0 * ((index as f64 * 12.9898).sin() * 43_758.545_3).rem_euclid(1.0) - 1.0
    }

    #[test]
    fn farther_out_is_more_surprising() {
        let mut tail = Tail::new();
        for at in 0..2000 {
            tail.push(noise_at(at), 0.01, 100.0);
        }
        let surprises: Vec<f64> =
            [0.5, 1.5, 3.0, 6.0].iter().map(|value| tail.clone().push(*value, 0.01, 0.0)).collect();
        assert_eq!(surprises[0], 0.0);
        assert!(surprises.windows(2).all(|pair| pair[0] < pair[1]), "{surprises:?}");
        assert!(surprises[3] > 5.0 && surprises[3] <= SURPRISE_MAX, "{surprises:?}");
    }

    #[test]
    fn what_comes_again_and_again_is_as_rare_as_its_count() {
        let mut tail = Tail::new();
        let mut last = 0.0;
        for at in 0..3000 {
            last = tail.push(if at % 300 == 299 { 100.0 } else { noise_at(at) }, 0.01, 100.0);
        }
        assert!(last > 0.0 && last < 3000_f64.log10(), "{last}");
    }

    #[test]
    fn smooth_growth_and_constants_are_no_surprise() {
        let mut constant = Tail::new();
        assert!((0..3000).all(|_| constant.push(5.0, 0.1, 100.0) < 3.0));
    }

    #[test]
    fn values_of_any_size_give_a_number() {
        let mut tail = Tail::new();
        for at in 0..2000_u32 {
            let surprise = tail.push(if at % 7 == 0 { 1e100 } else { -1e100 }, 0.0, 0.0);
            assert!((0.0..=SURPRISE_MAX).contains(&surprise), "{at}: {surprise}");
        }
    }
}
