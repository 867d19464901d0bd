//! How often a store that cannot be reached is tried again, and what may be tried again.

use std::time::Duration;

use crate::clock::{self, Instant};
use crate::store::StoreError;

/// A server that is started anew is back within seconds. Who waits longer than this is told: an
/// effect whose intent cannot be stored is not done, and a lease that cannot be prolonged runs out.
const TRIED_FOR: Duration = Duration::from_secs(10);
const FIRST_AFTER: Duration = Duration::from_millis(20);
const AFTER_MAX: Duration = Duration::from_millis(500);

pub(super) struct Attempts {
    begun: Instant,
    after: Duration,
}

impl Attempts {
    pub(super) fn new() -> Self {
        Self { begun: clock::monotonic(), after: FIRST_AFTER }
    }

    /// Whether to try what failed once more; waits before it says yes. Only what may be done twice
    /// may ask: after [`StoreError::Uncertain`] it may have been done.
    pub(super) async fn repeat(&mut self, error: &StoreError) -> bool {
        matches!(error, StoreError::Unreachable { .. } | StoreError::Uncertain { .. }) && self.wait().await
    }

    /// As [`Self::repeat`], for what must not be done twice.
    pub(super) async fn begin_again(&mut self, error: &StoreError) -> bool {
        matches!(error, StoreError::Unreachable { .. }) && self.wait().await
    }

    async fn wait(&mut self) -> bool {
        if self.begun.elapsed() + self.after > TRIED_FOR {
            return false;
        }
        tokio::time::sleep(self.after).await;
        self.after = (self.after * 2).min(AFTER_MAX);
        true
    }
}
