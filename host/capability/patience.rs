//! Time that a call spends waiting for people does not count against its limit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{self, Instant};

/// How long one call has waited for people. Clones count together.
#[derive(Clone, Default)]
pub struct Patience(Arc<Mutex<Waited>>);

#[derive(Default)]
struct Waited {
    /// Acts of the call that wait now, side by side.
    waiting: u32,
    since: Option<Instant>,
    before: Duration,
}

/// An act that waits, until it is dropped.
pub(crate) struct Waiting(Patience);

impl Patience {
    pub(crate) fn begin(&self) -> Waiting {
        let mut waited = self.lock();
        waited.waiting += 1;
        waited.since.get_or_insert_with(clock::monotonic);
        Waiting(self.clone())
    }

    /// The time in which at least one act of the call has waited.
    #[must_use]
    pub fn waited(&self) -> Duration {
        let waited = self.lock();
        waited.before + waited.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, Waited> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut waited = self.0.lock();
        waited.waiting = waited.waiting.saturating_sub(1);
        if waited.waiting == 0
            && let Some(since) = waited.since.take()
        {
            waited.before += since.elapsed();
        }
    }
}
