//! The streaming detector: each point gets a score in 0..=1 from itself and those before it, in constant time and
//! memory, with one set of parameters for all series.
//!
//! A point is looked at from six sides: its value against a slow level, its step, a short and a longer mean against
//! that level, and what the time of day and of the week leave unexplained. Each side has two tails (`tail.rs`) that
//! say how surprising it is *in this series*. The strongest counts, and a part of the second. What follows a surprise
//! is held back for a while unless it is clearly stronger: an anomaly is told once.
//!
//! To add a side: a field, two tails and a line in `surprise`; judge it by `pi-host detect eval`.

use super::season::Season;
use super::tail::{MEMORY, SURPRISE_MAX, Tail};

/// A score from which on a point is an anomaly: a surprise of [`ALARM_SURPRISE`].
pub const ALARM: f64 = 0.5;
/// One in ten thousand, for the strongest of twelve tails.
const ALARM_SURPRISE: f64 = 4.0;

/// The means, in points.
const LEVEL: f64 = 1250.0;
const SHORT: f64 = 11.0;
const LONGER: f64 = 50.0;
/// What is smaller than this share of a series' spread means nothing, however constant the series was.
const FLOOR_SHARE: f64 = 0.02;
/// Points in which a side only learns.
const SILENT: f64 = 100.0;
const SILENT_SEASON: f64 = 200.0;
const DAY: f64 = 86_400.0;
/// How much each side's surprise counts: what has proved right less often counts for less.
const TRUST_VALUE: f64 = 1.05;
const TRUST_STEP: f64 = 0.92;
const TRUST_SHORT: f64 = 1.0;
const TRUST_LONGER: f64 = 1.12;
const TRUST_DAY: f64 = 1.15;
const TRUST_WEEK: f64 = 0.8;
/// The part of the second strongest side that is added: what shows on two sides is less likely chance.
const SECOND_SHARE: f64 = 0.15;
/// The week has to leave at most this share of what the day leaves, or it says nothing that the day does not.
const WEEK_SHARE_MAX: f64 = 0.8;
/// From this surprise on, what follows is held back, for so many points at most and this share of the series so far.
const HOLD_FROM: f64 = 3.0;
const HOLD_POINTS_MAX: f64 = 90.0;
const HOLD_SHARE: f64 = 0.08;
/// Held back to this share, and at most to where holding begins, unless it is stronger by up to so much.
const HELD_SHARE: f64 = 0.3;
const STRONGER_BY: f64 = 2.0;
/// Values are clipped to this, so that no square of one is infinite.
const VALUE_MAX: f64 = 1e100;
/// The least spread there is.
const SPREAD_MIN: f64 = 1e-12;

/// Scores points as they come.
#[derive(Debug, Clone)]
pub struct Detector {
    count: f64,
    first_time: f64,
    previous: f64,
    mean: f64,
    variance: f64,
    level: f64,
    level_scatter: f64,
    short: f64,
    longer: f64,
    day: Season,
    week: Season,
    day_seen: f64,
    day_variance: f64,
    of_value: Tails,
    of_step: Tails,
    of_short: Tails,
    of_longer: Tails,
    of_day: Tails,
    of_week: Tails,
    hold: f64,
    held_peak: f64,
}

impl Default for Detector {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector {
    #[must_use]
    pub fn new() -> Self {
        Self {
            count: 0.0,
            first_time: 0.0,
            previous: 0.0,
            mean: 0.0,
            variance: 0.0,
            level: 0.0,
            level_scatter: 0.0,
            short: 0.0,
            longer: 0.0,
            day: Season::new(96, DAY, 3.25 * DAY, 13.0),
            week: Season::new(168, 7.0 * DAY, 15.0 * DAY, 2.7),
            day_seen: 0.0,
            day_variance: 0.0,
            of_value: Tails::new(),
            of_step: Tails::new(),
            of_short: Tails::new(),
            of_longer: Tails::new(),
            of_day: Tails::new(),
            of_week: Tails::new(),
            hold: 0.0,
            held_peak: 0.0,
        }
    }

    /// The score of the next point, in 0..=1; the time is in seconds since 1970. A point that is not finite scores 0
    /// and leaves no trace: it says nothing about the series.
    pub fn push(&mut self, time: f64, value: f64) -> f64 {
        if !time.is_finite() || !value.is_finite() {
            return 0.0;
        }
        let surprise = self.surprise(time, value.clamp(-VALUE_MAX, VALUE_MAX));
        let told = self.told_once(surprise);
        1.0 / (1.0 + (ALARM_SURPRISE - told).exp())
    }

    /// How surprising a point is, from the strongest side. Then learn it.
    fn surprise(&mut self, time: f64, value: f64) -> f64 {
        if self.count == 0.0 {
            self.first_time = time;
            (self.previous, self.mean, self.level, self.short, self.longer) = (value, value, value, value, value);
        }
        self.count += 1.0;
        let first = 1.0 / self.count;
        let floor = FLOOR_SHARE * self.spread(value, first.max(1.0 / MEMORY));
        let mut sides = Sides::default();

        let above = value - self.level;
        sides.add(self.of_value.push(above, floor, SILENT), TRUST_VALUE);
        self.learn_level(above, floor, first.max(1.0 / LEVEL));

        let step = value - self.previous;
        self.previous = value;
        sides.add(self.of_step.push(step, floor, SILENT), TRUST_STEP);

        self.short += first.max(1.0 / SHORT) * (value - self.short);
        sides.add(self.of_short.push(self.short - self.level, 0.7 * floor, SILENT), TRUST_SHORT);
        self.longer += first.max(1.0 / LONGER) * (value - self.longer);
        sides.add(self.of_longer.push(self.longer - self.level, 0.5 * floor, SILENT), TRUST_LONGER);

        let since_first = time - self.first_time;
        if let Some(left) = self.day.push(since_first, time, value, floor) {
            self.day_seen += 1.0;
            let distance = value - self.mean;
            let square_max = if self.day_seen > 50.0 { 16.0 * self.day_variance.max(floor * floor) } else { f64::MAX };
            let square = (distance * distance).min(square_max);
            self.day_variance += (1.0 / self.day_seen).max(0.001) * (square - self.day_variance);
            let surprise = self.of_day.push(left, 0.7 * floor, SILENT_SEASON);
            if self.day.left < self.day_variance {
                sides.add(surprise, TRUST_DAY);
            }
        }
        if let Some(left) = self.week.push(since_first, time, value, floor) {
            let surprise = self.of_week.push(left, 0.7 * floor, SILENT_SEASON);
            if self.week.left < WEEK_SHARE_MAX * self.day.left.min(self.day_variance) {
                sides.add(surprise, TRUST_WEEK);
            }
        }
        (sides.strongest + SECOND_SHARE * sides.second).min(SURPRISE_MAX)
    }

    /// The standard deviation of all that came so far, wild values clipped.
    fn spread(&mut self, value: f64, rate: f64) -> f64 {
        let before = value - self.mean;
        self.mean += rate * before;
        let square = before * (value - self.mean);
        let square = if self.count > 50.0 { square.min(9.0 * self.variance + SPREAD_MIN) } else { square };
        self.variance += rate * (square - self.variance);
        self.variance.sqrt().max(1e-9 * value.abs()).max(SPREAD_MIN)
    }

    fn learn_level(&mut self, above: f64, floor: f64, rate: f64) {
        let is_first = self.count <= 20.0;
        let clip = 3.0 * self.level_scatter + floor;
        let scatter_max = if is_first { f64::MAX } else { 5.0 * self.level_scatter + floor };
        self.level_scatter += rate * (above.abs().min(scatter_max) - self.level_scatter);
        self.level += rate * if is_first { above } else { above.clamp(-clip, clip) };
    }

    /// Hold back what follows a surprise and is not clearly stronger.
    fn told_once(&mut self, surprise: f64) -> f64 {
        let hold = HOLD_POINTS_MAX.min(HOLD_SHARE * self.count);
        if self.hold <= 0.0 {
            if surprise >= HOLD_FROM {
                (self.hold, self.held_peak) = (hold, surprise);
            }
            return surprise;
        }
        self.hold -= 1.0;
        if surprise > self.held_peak + (self.held_peak - HOLD_FROM).clamp(0.0, STRONGER_BY) {
            (self.hold, self.held_peak) = (hold, surprise);
            return surprise;
        }
        (HELD_SHARE * surprise).min(HOLD_FROM)
    }
}

/// The two tails of one side.
#[derive(Debug, Clone)]
struct Tails {
    up: Tail,
    down: Tail,
}

impl Tails {
    const fn new() -> Self {
        Self { up: Tail::new(), down: Tail::new() }
    }

    #[inline]
    fn push(&mut self, value: f64, floor: f64, silent: f64) -> [f64; 2] {
        [self.up.push(value, floor, silent), self.down.push(-value, floor, silent)]
    }
}

/// The surprises of the two strongest tails.
#[derive(Default)]
struct Sides {
    strongest: f64,
    second: f64,
}

impl Sides {
    #[inline]
    fn add(&mut self, surprises: [f64; 2], trust: f64) {
        for surprise in surprises.map(|surprise| surprise * trust) {
            if surprise > self.strongest {
                self.second = self.strongest;
                self.strongest = surprise;
            } else if surprise > self.second {
                self.second = surprise;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: f64 = 300.0;

    fn noise_at(index: usize) -> f64 {
        2.0 * ((index as f64 * 12.9898).sin() * 43_758.545_3).rem_euclid(1.0) - 1.0
    }

    fn scores(value: impl Fn(usize) -> f64, count: usize) -> Vec<f64> {
        let mut detector = Detector::new();
        (0..count).map(|at| detector.push(at as f64 * STEP, value(at))).collect()
    }

    fn alarms(scores: &[f64]) -> Vec<usize> {
        scores.iter().enumerate().filter(|(_, score)| **score >= ALARM).map(|(at, _)| at).collect()
    }

    #[test]
    fn noise_and_constants_raise_no_alarm() {
        assert_eq!(alarms(&scores(|at| 50.0 + noise_at(at), 4000)), []);
        assert_eq!(alarms(&scores(|_| 45.0, 4000)), []);
        assert_eq!(alarms(&scores(|_| 0.0, 4000)), []);
    }

    #[test]
    fn spike_is_an_alarm_at_its_point_and_is_told_once() {
        let scores = scores(|at| if (2000..2005).contains(&at) { 80.0 } else { 20.0 + noise_at(at) }, 2100);
        assert_eq!(alarms(&scores), [2000]);
    }

    #[test]
    fn lasting_drop_is_an_alarm() {
        let found = alarms(&scores(|at| if at < 2500 { 60.0 } else { 35.0 } + 4.0 * noise_at(at), 3000));
        assert_eq!(found.first(), Some(&2500));
        assert!(found.len() <= 2, "{found:?}");
    }

    #[test]
    fn daily_peak_is_usual_and_a_day_without_it_is_not() {
        let day = |at: usize| if (96..192).contains(&(at % 288)) { 80.0 } else { 20.0 };
        let missing = 288 * 10..288 * 11;
        let scores = scores(|at| if missing.contains(&at) { 20.0 } else { day(at) } + noise_at(at), 288 * 14);
        let found = alarms(&scores);
        let late: Vec<usize> = found.iter().copied().filter(|at| *at > 288 * 5).collect();
        assert!(late.first().is_some_and(|at| missing.contains(at)), "{found:?}");
        assert!(late.len() <= 2, "{found:?}");
    }

    #[test]
    fn score_of_a_point_does_not_depend_on_later_ones() {
        let value = |at: usize| 10.0 + noise_at(at) + if at % 500 == 499 { 30.0 } else { 0.0 };
        let (whole, part) = (scores(value, 3000), scores(value, 1500));
        assert_eq!(whole[..1500], part[..]);
    }

    #[test]
    fn whatever_is_pushed_the_score_is_between_0_and_1() {
        let wild = [f64::NAN, f64::INFINITY, f64::MAX, f64::MIN, 0.0, -0.0, 1e-300, -1e300, f64::NEG_INFINITY, 3.0];
        let mut detector = Detector::new();
        for at in 0..20_000_usize {
            let time = wild[(at / 7) % wild.len()] + at as f64;
            let score = detector.push(time, wild[at % wild.len()] * noise_at(at));
            assert!((0.0..=1.0).contains(&score), "{at}: {score}");
        }
    }

    #[test]
    fn point_that_is_no_number_leaves_no_trace() {
        let mut with = Detector::new();
        let mut without = Detector::new();
        for at in 0..500 {
            if at % 10 == 3 {
                assert_eq!(with.push(at as f64 * STEP, f64::NAN), 0.0);
            }
            assert_eq!(with.push(at as f64 * STEP, noise_at(at)), without.push(at as f64 * STEP, noise_at(at)));
        }
    }
}
