//! From data to pixels, for plotters: a straight line between two ends, and nothing outside of them.
//!
//! Plotters' own ranges choose their marks by adding steps, and never end where a step is lost in rounding; this one has no
//! marks of its own (`number.rs`, `time.rs` choose them).

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// `low` must be below `high` and both finite; anything else becomes 0 to 1.
    pub(crate) fn new(low: f64, high: f64) -> Self {
        if low < high && (high - low).is_finite() { Self { low, high } } else { Self { low: 0.0, high: 1.0 } }
    }

    /// The part of the way from the low end to the high one, 0 to 1.
    pub(crate) fn part(&self, value: f64) -> f64 {
        let part = (value - self.low) / (self.high - self.low);
        if part.is_nan() { 0.0 } else { part.clamp(0.0, 1.0) }
    }
}

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let (from, to) = (f64::from(limit.0), f64::from(limit.1));
        (from + (to - from) * self.part(*value)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        Vec::new()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Scale {
    fn format(value: &f64) -> String {
        value.to_string()
    }
}
