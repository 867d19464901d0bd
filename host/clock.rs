//! The only place that reads time.
//!
//! Everything else asks here, so that what depends on time can be found and replayed. A session's
//! agent never gets this time: it sees the time of its last journal entry.

#![allow(clippy::disallowed_methods, reason = "this is the place that reads time")]

use std::time::{SystemTime, UNIX_EPOCH};

pub use std::time::{Duration, Instant};

/// Milliseconds since 1970-01-01T00:00:00Z, by the system's clock.
#[must_use]
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A point on the clock that never goes back.
#[must_use]
pub fn monotonic() -> Instant {
    Instant::now()
}

/// Two clocks that nobody sets, in milliseconds from wherever: one that stands still while the machine sleeps, and one
/// that goes on.
#[must_use]
pub fn steady() -> (Option<u64>, Option<u64>) {
    use rustix::time::{ClockId, clock_gettime};
    let ms = |clock: ClockId| {
        let time = clock_gettime(clock);
        let seconds = u64::try_from(time.tv_sec).ok()?.checked_mul(1_000)?;
        seconds.checked_add(u64::try_from(time.tv_nsec / 1_000_000).ok()?)
    };
    (ms(ClockId::Monotonic), ms(ClockId::Boottime))
}

/// RFC 3339 in UTC with milliseconds, for people and for files.
#[must_use]
pub fn rfc3339(time_ms: u64) -> String {
    i64::try_from(time_ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map_or_else(|| format!("{time_ms} ms"), |time| format!("{time:.3}"))
}
