//! How often something was changed within the last hour: times, oldest first. Pure.

use serde::{Deserialize, Serialize};

const HOUR_MS: u64 = 60 * 60 * 1_000;

/// The times of the changes of the last hour, as they are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    times_ms: Vec<u64>,
}

impl Changes {
    /// Count one more.
    ///
    /// # Errors
    /// There were `limit` already: when the next one is possible, milliseconds since 1970.
    pub fn count(&mut self, now_ms: u64, limit: u32) -> Result<(), u64> {
        // A clock that was set back has left times of the future: they count as of now, and not for ever.
        self.times_ms.iter_mut().for_each(|time| *time = (*time).min(now_ms));
        self.times_ms.retain(|time| now_ms - *time < HOUR_MS);
        let limit = limit as usize;
        if self.times_ms.len() >= limit {
            // With a limit that was lowered there may be more: the one that has to go first frees the place.
            let frees = self.times_ms.len() - limit;
            return Err(self.times_ms.get(frees).map_or(now_ms, |time| time.saturating_add(HOUR_MS)));
        }
        self.times_ms.push(now_ms);
        Ok(())
    }

    /// How many there were within the hour before `now_ms`.
    #[must_use]
    pub fn within_hour(&self, now_ms: u64) -> usize {
        self.times_ms.iter().filter(|time| now_ms.saturating_sub(**time) < HOUR_MS).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_counted_and_the_next_one_is_told_when() {
        let mut changes = Changes::default();
        assert_eq!([10, 20, 30].map(|now| changes.count(now, 2)), [Ok(()), Ok(()), Err(10 + HOUR_MS)]);
        // The first is an hour old: one has room again.
        assert_eq!(changes.count(10 + HOUR_MS, 2), Ok(()));
        assert_eq!(changes.count(11 + HOUR_MS, 2), Err(20 + HOUR_MS));
        assert_eq!(changes.within_hour(11 + HOUR_MS), 2);
    }

    #[test]
    fn a_lowered_limit_waits_until_enough_are_gone() {
        let mut changes = Changes::default();
        assert!([1, 2, 3, 4].iter().all(|now| changes.count(*now, 4).is_ok()));
        assert_eq!(changes.count(5, 2), Err(3 + HOUR_MS));
    }

    #[test]
    fn a_clock_that_was_set_back_blocks_for_an_hour_at_most() {
        let mut changes = Changes::default();
        assert_eq!(changes.count(u64::MAX - HOUR_MS, 1), Ok(()));
        assert_eq!(changes.count(100, 1), Err(100 + HOUR_MS));
        assert_eq!(changes.count(100 + HOUR_MS, 1), Ok(()));
    }
}
