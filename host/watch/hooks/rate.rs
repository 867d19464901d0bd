//! How many requests are taken in a second: a bucket that fills again. Pure: the time comes in.

/// So many seconds' worth may come at once.
const BURST_SECONDS: u64 = 10;

/// Requests that may still be taken, in thousandths.
#[derive(Debug)]
pub(super) struct Bucket {
    per_second: u64,
    thousandths: u64,
    last_ms: u64,
}

impl Bucket {
    pub(super) fn new(per_second: u64, now_ms: u64) -> Self {
        Self { per_second, thousandths: per_second.saturating_mul(BURST_SECONDS * 1_000), last_ms: now_ms }
    }

    /// Whether one more is taken now.
    pub(super) fn take(&mut self, now_ms: u64) -> bool {
        // A clock that was set back neither fills it nor keeps it empty for long.
        let passed = now_ms.saturating_sub(self.last_ms);
        self.last_ms = now_ms;
        let full = self.per_second.saturating_mul(BURST_SECONDS * 1_000);
        self.thousandths = self.thousandths.saturating_add(passed.saturating_mul(self.per_second)).min(full);
        match self.thousandths.checked_sub(1_000) {
            Some(left) => {
                self.thousandths = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let mut bucket = Bucket::new(2, 0);
        assert_eq!((0..100).filter(|_| bucket.take(0)).count(), 20);
        assert_eq!((1..=10).filter(|second| bucket.take(second * 500)).count(), 10);
        assert!(!bucket.take(5_000));
        bucket.take(4_000);
        assert!(bucket.take(9_000));
    }
}
