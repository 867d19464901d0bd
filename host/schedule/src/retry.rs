//! When a run that failed is tried again. The instant follows from the record alone, so that whichever host looks next
//! comes to the same one, and nothing has to be remembered between looks.

use std::time::Duration;

use jiff::Timestamp;

use crate::jitter;
use crate::job::Job;
use crate::slot::SlotKey;

impl Job {
    /// When the slot `key`, whose attempt number `attempt` ended by failing at `ended_at`, is tried again; `None` where it
    /// has been tried as often as it may. The wait is `first * factor^(attempt - 1)`, varied by `jitter`, at most `max`.
    pub fn retry_at(&self, key: &SlotKey, attempt: u32, ended_at: Timestamp) -> Option<Timestamp> {
        at(self, key, attempt, ended_at)
    }
}

pub(crate) fn at(job: &Job, key: &SlotKey, attempt: u32, ended_at: Timestamp) -> Option<Timestamp> {
    let rule = job.retrying();
    if attempt > rule.attempts {
        return None;
    }
    let power = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
    let seconds = rule.first.as_secs_f64() * rule.factor.powi(power);
    let varied = 1.0 + rule.jitter * (2.0 * jitter::part(jitter::spread("retry", &key.job, key.at, attempt)) - 1.0);
    let wait = Duration::try_from_secs_f64(seconds * varied).unwrap_or(rule.max).min(rule.max);
    // Whole milliseconds: what a store keeps of a time.
    let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    ended_at.checked_add(Duration::from_millis(wait_ms)).ok()
}
