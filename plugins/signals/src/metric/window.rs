//! From scores to stretches of time: alarms that belong together are one anomaly.

use super::detector::ALARM;

/// Alarms that are at most so many points apart are one anomaly.
const APART_POINTS_MAX: usize = 30;

/// A stretch of alarms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnomalyWindow {
    /// The numbers of its first and its last alarm among the points.
    pub first: usize,
    pub last: usize,
    /// The highest score within it.
    pub score: f64,
}

/// The stretches in which scores reach [`ALARM`], in order.
#[must_use]
pub fn windows(scores: &[f64]) -> Vec<AnomalyWindow> {
    let mut windows: Vec<AnomalyWindow> = Vec::new();
    for (index, &score) in scores.iter().enumerate().filter(|(_, score)| **score >= ALARM) {
        match windows.last_mut() {
            Some(window) if index - window.last <= APART_POINTS_MAX => {
                window.last = index;
                window.score = window.score.max(score);
            }
            _ => windows.push(AnomalyWindow { first: index, last: index, score }),
        }
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_near_each_other_are_one_window() {
        let mut scores = vec![0.1; 200];
        (scores[20], scores[25], scores[150]) = (0.6, 0.9, 0.5);
        assert_eq!(
            windows(&scores),
            [AnomalyWindow { first: 20, last: 25, score: 0.9 }, AnomalyWindow { first: 150, last: 150, score: 0.5 }]
        );
        assert_eq!(windows(&[]), []);
        assert_eq!(windows(&[f64::NAN, 0.49]), []);
    }
}
