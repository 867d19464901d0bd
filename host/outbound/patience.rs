//! How long a channel waits and how often it tries again: every wait has an end.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::{self, Duration};

/// Doublings beyond this would overflow; the cap is reached long before.
const DOUBLINGS_MAX: u32 = 20;

/// The limits of waiting. The defaults suit Slack; tests shorten them.
#[derive(Clone, Debug)]
pub struct Patience {
    /// Tries of one request. Danger: a host that hammers a service which is down.
    pub attempts: u32,
    /// The first wait between tries; each further one is twice as long, and a random part of it is left out.
    pub first_ms: u64,
    /// The longest wait between tries, and between connections.
    pub longest_ms: u64,
    /// The longest `Retry-After` that is waited for. Danger: an answer that silences the channel for a day.
    pub retry_after_ms_max: u64,
    /// One request, connection and answer together, and the first word on a web socket.
    pub request_ms_max: u64,
    /// A web socket that is silent for so long is asked for a sign of life; then it is given up.
    pub silence_ms_max: u64,
    /// A connection that lasted so long was a good one: the next begins without a wait.
    pub steady_ms: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 4,
            first_ms: 500,
            longest_ms: 60_000,
            retry_after_ms_max: 30_000,
            request_ms_max: 10_000,
            silence_ms_max: 45_000,
            steady_ms: 30_000,
        }
    }
}

impl Patience {
    /// The wait after so many failures in a row, between half of its length and all of it: hosts that
    /// lost the same service must not come back at the same moment.
    pub(crate) fn wait(&self, failures: u32, jitter: &Jitter) -> Duration {
        if failures == 0 {
            return Duration::ZERO;
        }
        let doublings = (failures - 1).min(DOUBLINGS_MAX);
        let full = self.first_ms.saturating_mul(1_u64 << doublings).min(self.longest_ms);
        let half = full / 2;
        Duration::from_millis(half + jitter.below(full - half + 1))
    }

    pub(crate) fn request(&self) -> Duration {
        Duration::from_millis(self.request_ms_max)
    }
}

/// Numbers that differ from host to host; not for secrets (SplitMix64).
pub(crate) struct Jitter(AtomicU64);

impl Jitter {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(clock::now_ms() ^ (u64::from(std::process::id()) << 32)))
    }

    fn below(&self, bound: u64) -> u64 {
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).checked_rem(bound).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_limit_and_no_further() {
        let patience = Patience { first_ms: 100, longest_ms: 1_000, ..Patience::default() };
        let jitter = Jitter::new();
        assert_eq!(patience.wait(0, &jitter), Duration::ZERO);
        for (failures, most) in [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1_000), (64, 1_000), (u32::MAX, 1_000)] {
            for _ in 0..100 {
                let wait = u64::try_from(patience.wait(failures, &jitter).as_millis()).unwrap();
                assert!((most / 2..=most).contains(&wait), "{failures}: {wait}");
            }
        }
    }

    #[test]
    fn waits_differ() {
        let (patience, jitter) = (Patience::default(), Jitter::new());
        let waits: std::collections::BTreeSet<_> = (0..50).map(|_| patience.wait(4, &jitter)).collect();
        assert!(waits.len() > 10, "{waits:?}");
    }
}
