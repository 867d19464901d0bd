//! What is usual at a time of the day or of the week: a mean for each slot, learnt as points come.
//!
//! The caller is told how far the latest points are from that, smoothed over a few, and how much of all movement the
//! season leaves unexplained: only a season that explains something may raise an alarm.

/// The share of a slot's mean that a new point makes up in the long run.
const RATE_MIN: f64 = 0.075;
/// Points in a slot from which a wild one is clipped.
const CLIPPED_FROM: f64 = 3.0;
const CLIP_SIGMAS: f64 = 4.0;
/// The memory of the variance, in points, and the points from which a wild one is clipped.
const VARIANCE_MEMORY: f64 = 1000.0;
const VARIANCE_CLIPPED_FROM: f64 = 50.0;
const VARIANCE_CLIP: f64 = 16.0;

#[derive(Debug, Clone)]
pub(super) struct Season {
    slots: Vec<(f64, f64)>,
    period: f64,
    /// Seconds from the first point until the slots are asked.
    learning: f64,
    smoothing: f64,
    seen: f64,
    smoothed: f64,
    /// The mean square of what the season leaves.
    pub(super) left: f64,
}

impl Season {
    pub(super) fn new(slots: usize, period: f64, learning: f64, smoothing: f64) -> Self {
        Self {
            slots: vec![(0.0, 0.0); slots],
            period,
            learning,
            smoothing: 1.0 / smoothing,
            seen: 0.0,
            smoothed: 0.0,
            left: 0.0,
        }
    }

    /// How far the latest points are from what is usual now; nothing while that is being learnt. Then learn the point.
    pub(super) fn push(&mut self, since_first: f64, time: f64, value: f64, floor: f64) -> Option<f64> {
        let turns = time / self.period;
        // Not `rem_euclid`: a remainder is a long function in Wasm, and this is asked twice a point.
        let position = (turns - turns.floor()) * self.slots.len() as f64;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the number of slots")]
        let index = (position as usize).min(self.slots.len().saturating_sub(1));
        let slot = self.slots.get_mut(index)?;
        let residual = value - slot.0;
        let clip = if slot.1 > CLIPPED_FROM { CLIP_SIGMAS * self.left.sqrt() + floor } else { f64::MAX };
        let is_learnt = since_first > self.learning && slot.1 > 0.0;
        slot.1 += 1.0;
        slot.0 += (1.0 / slot.1).max(RATE_MIN) * residual.clamp(-clip, clip);
        if !is_learnt {
            return None;
        }
        self.seen += 1.0;
        let square = residual * residual;
        let square_max =
            if self.seen > VARIANCE_CLIPPED_FROM { VARIANCE_CLIP * self.left.max(floor * floor) } else { f64::MAX };
        self.left += (1.0 / self.seen).max(1.0 / VARIANCE_MEMORY) * (square.min(square_max) - self.left);
        let rate = if self.seen == 1.0 { 1.0 } else { self.smoothing };
        self.smoothed += rate * (residual - self.smoothed);
        Some(self.smoothed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_at_its_hour_leaves_nothing_and_the_same_value_at_another_hour_does() {
        const DAY: f64 = 86_400.0;
        let mut season = Season::new(24, DAY, 2.0 * DAY, 1.0);
        let usual = |hour: usize| if hour % 24 < 12 { 10.0 } else { 90.0 };
        for hour in 0..24 * 6 {
            let time = hour as f64 * 3600.0;
            if let Some(left) = season.push(time, time, usual(hour), 0.1) {
                assert!(left.abs() < 1e-9, "{hour}: {left}");
            }
        }
        let time = 6.0 * DAY;
        assert_eq!(season.push(time, time, 90.0, 0.1), Some(80.0));
    }
}
