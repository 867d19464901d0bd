//! Whether something became more or less frequent at a moment.
//!
//! Counts before and after are compared by the likelihood ratio of two Poisson rates against one, divided by how much burstier than Poisson the counts before were: logs come in bursts, and without that
//! every burst would be a change.

/// Bins over the time before, from which burstiness is estimated.
pub(crate) const BINS: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Change {
    /// The rate after by the rate before, each with half a line added, so that none is infinite.
    pub(crate) ratio: f64,
    /// About minus the logarithm of the probability (base 10) to see such a change by chance.
    pub(crate) surprise: f64,
}

/// Compares `before` lines in `span_before` with `after` lines in `span_after` (any one unit). `bins` are the counts in equal parts of the time before.
pub(crate) fn change(before: u64, span_before: f64, after: u64, span_after: f64, bins: &[u32]) -> Option<Change> {
    if span_before <= 0.0 || span_after <= 0.0 {
        return None;
    }
    let (b, a) = (before as f64, after as f64);
    let ratio = ((a + 0.5) / span_after) / ((b + 0.5) / span_before);
    let total = b + a;
    let share = span_after / (span_before + span_after);
    let part = |count: f64, expected: f64| if count > 0.0 { count * (count / expected).ln() } else { 0.0 };
    let likelihood = 2.0 * (part(a, total * share) + part(b, total * (1.0 - share)));
    let surprise = (likelihood / dispersion(bins)).max(0.0) / 2.0 / std::f64::consts::LN_10;
    Some(Change { ratio, surprise })
}

/// Variance by mean of the counts; 1 for Poisson, never less, since a timer's regularity does not make a change surprising.
fn dispersion(bins: &[u32]) -> f64 {
    let count = bins.len() as f64;
    let sum: f64 = bins.iter().map(|bin| f64::from(*bin)).sum();
    if bins.len() < 4 || sum < 4.0 {
        return 1.0;
    }
    let mean = sum / count;
    let variance = bins.iter().map(|bin| (f64::from(*bin) - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (variance / mean).max(1.0)
}

/// How sure it is that something was not there before: it would have been seen at the rate of after.
pub(crate) fn novelty(before: u64, span_before: f64, after: u64, span_after: f64) -> f64 {
    if before > 0 || after == 0 || span_before <= 0.0 {
        return 0.0;
    }
    let expected = after as f64 * span_before / span_after.max(span_before / 1e6);
    1.0 - (-expected).exp()
}

#[cfg(test)]
mod tests {
    use super::{change, novelty};

    #[test]
    fn a_rise_beyond_chance_surprises_and_chance_does_not() {
        let steady = change(1000, 100.0, 105, 10.0, &[50; 20]).unwrap();
        assert!(steady.surprise < 1.0 && (steady.ratio - 1.05).abs() < 0.01);
        let risen = change(10, 100.0, 50, 10.0, &[1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0]).unwrap();
        assert!(risen.surprise > 10.0 && risen.ratio > 40.0);
        let fallen = change(1000, 100.0, 2, 10.0, &[50; 20]).unwrap();
        assert!(fallen.surprise > 10.0 && fallen.ratio < 0.05);
    }

    #[test]
    fn a_burst_among_bursts_is_no_surprise() {
        let mut bins = [0u32; 20];
        bins[3] = 60;
        bins[11] = 55;
        let burst = change(115, 100.0, 40, 10.0, &bins).unwrap();
        assert!(burst.surprise < 1.5, "{burst:?}");
        assert_eq!(change(1, 0.0, 1, 1.0, &[]), None);
    }

    #[test]
    fn what_is_new_is_as_sure_as_it_would_have_been_seen() {
        assert!(novelty(0, 100.0, 20, 10.0) > 0.99);
        assert!(novelty(0, 1.0, 1, 100.0) < 0.05);
        assert_eq!(novelty(1, 100.0, 20, 10.0), 0.0);
    }
}
