//! Whether the clock can be believed. From two looks at it follows what happened between them: it was set, the machine
//! slept, or nobody looked. Which of them can be told depends on the clocks that the host reads beside the wall clock.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::duration::told;

/// One look at the clocks. The wall clock alone will do; the others tell more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// The wall clock.
    pub at: Timestamp,
    /// A clock that nobody sets and that stands still while the machine sleeps, in ms from wherever (Linux:
    /// `CLOCK_MONOTONIC`).
    pub awake_ms: Option<u64>,
    /// A clock that nobody sets and that goes on while the machine sleeps, in ms from wherever (Linux: `CLOCK_BOOTTIME`).
    pub passed_ms: Option<u64>,
}

impl Look {
    /// A look at the wall clock alone.
    pub fn wall(at: Timestamp) -> Self {
        Self { at, awake_ms: None, passed_ms: None }
    }
}

/// What happened to the clock between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "notice")]
pub enum Notice {
    /// The wall clock was set back. Slots that were decided before stay decided.
    SetBack {
        /// By how much.
        by_ms: u64,
    },
    /// The wall clock was set forward.
    SetForward {
        /// By how much.
        by_ms: u64,
    },
    /// The machine slept.
    Slept {
        /// For how long.
        for_ms: u64,
    },
    /// The machine slept or the clock was set forward: the clocks that the host reads cannot tell.
    SleptOrSetForward {
        /// How long, or how much.
        by_ms: u64,
    },
    /// Nobody looked when somebody should have: the host was down, or too busy.
    NotLooked {
        /// After the instant at which it was to look again.
        late_ms: u64,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetBack { by_ms } => write!(formatter, "the clock was set back by {}", told(*by_ms)),
            Self::SetForward { by_ms } => write!(formatter, "the clock was set forward by {}", told(*by_ms)),
            Self::Slept { for_ms } => write!(formatter, "the machine slept for {}", told(*for_ms)),
            Self::SleptOrSetForward { by_ms } => {
                write!(formatter, "the machine slept for {0}, or its clock was set forward by {0}", told(*by_ms))
            }
            Self::NotLooked { late_ms } => write!(formatter, "nobody looked for {}", told(*late_ms)),
        }
    }
}

/// Clocks that are steered gain or lose a little, and a look takes its time.
const TOLERANCE_MS: i64 = 2_000;
/// Nobody is told of a host that was busy for a moment.
const LATE_MS: i64 = 60_000;

/// What happened between `last` and `now`. `wake` is when, at `last`, it was said to look again.
pub(crate) fn notices(last: Option<&Look>, now: &Look, wake: Option<Timestamp>) -> Vec<Notice> {
    let Some(last) = last else { return Vec::new() };
    let wall_ms = now.at.as_millisecond().saturating_sub(last.at.as_millisecond());
    let passed_ms = difference(last.passed_ms, now.passed_ms);
    let awake_ms = difference(last.awake_ms, now.awake_ms);
    let mut found = Vec::new();
    match (passed_ms, awake_ms) {
        (Some(passed_ms), awake_ms) => {
            found.extend(set(wall_ms - passed_ms));
            if let Some(for_ms) = awake_ms.and_then(|awake_ms| beyond(passed_ms - awake_ms, TOLERANCE_MS)) {
                found.push(Notice::Slept { for_ms });
            }
        }
        (None, Some(awake_ms)) => match set(wall_ms - awake_ms) {
            Some(Notice::SetForward { by_ms }) => found.push(Notice::SleptOrSetForward { by_ms }),
            other => found.extend(other),
        },
        (None, None) => found.extend(set(wall_ms.min(0))),
    }
    if found.is_empty()
        && let Some(wake) = wake
        && let Some(late_ms) =
            beyond(now.at.as_millisecond() - wake.as_millisecond().max(last.at.as_millisecond()), LATE_MS)
    {
        found.push(Notice::NotLooked { late_ms });
    }
    found
}

fn set(by_ms: i64) -> Option<Notice> {
    beyond(by_ms, TOLERANCE_MS)
        .map(|by_ms| Notice::SetForward { by_ms })
        .or_else(|| beyond(by_ms.saturating_neg(), TOLERANCE_MS).map(|by_ms| Notice::SetBack { by_ms }))
}

fn beyond(value_ms: i64, tolerance_ms: i64) -> Option<u64> {
    (value_ms > tolerance_ms).then(|| value_ms.unsigned_abs())
}

/// `None` as well where the clock began anew: the machine was started in between, and the two cannot be compared.
fn difference(last_ms: Option<u64>, now_ms: Option<u64>) -> Option<i64> {
    now_ms?.checked_sub(last_ms?).and_then(|difference_ms| i64::try_from(difference_ms).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(at: &str, awake_ms: Option<u64>, passed_ms: Option<u64>) -> Look {
        Look { at: at.parse().unwrap(), awake_ms, passed_ms }
    }

    fn told(last: Look, now: Look, wake: &str) -> Vec<String> {
        notices(Some(&last), &now, Some(wake.parse().unwrap())).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn tells_sleep_from_a_clock_that_was_set() {
        let last = look("2026-01-01T10:00:00Z", Some(1_000), Some(1_000));
        let wake = "2026-01-01T10:01:00Z";
        assert_eq!(
            told(last, look("2026-01-01T18:00:00Z", Some(61_000), Some(28_801_000)), wake),
            ["the machine slept for 7h 59m"]
        );
        assert_eq!(
            told(last, look("2026-01-01T18:01:00Z", Some(61_000), Some(61_000)), wake),
            ["the clock was set forward by 8h"]
        );
        assert_eq!(
            told(last, look("2026-01-01T09:01:00Z", Some(61_000), Some(61_000)), wake),
            ["the clock was set back by 1h"]
        );
        assert_eq!(
            told(last, look("2026-01-01T20:00:00Z", Some(61_000), Some(28_801_000)), wake),
            ["the clock was set forward by 2h", "the machine slept for 7h 59m"]
        );
        assert!(told(last, look("2026-01-01T10:01:00.5Z", Some(61_000), Some(61_001)), wake).is_empty());
    }

    #[test]
    fn says_what_it_cannot_tell() {
        let wake = "2026-01-01T10:01:00Z";
        let last = look("2026-01-01T10:00:00Z", Some(1_000), None);
        assert_eq!(
            told(last, look("2026-01-01T18:01:00Z", Some(61_000), None), wake),
            ["the machine slept for 8h, or its clock was set forward by 8h"]
        );
        let last = Look::wall("2026-01-01T10:00:00Z".parse().unwrap());
        assert_eq!(told(last, Look::wall("2026-01-01T13:01:00Z".parse().unwrap()), wake), ["nobody looked for 3h"]);
        assert_eq!(
            told(last, Look::wall("2026-01-01T09:00:00Z".parse().unwrap()), wake),
            ["the clock was set back by 1h"]
        );
        // After a restart of the machine the other clocks begin anew.
        let last = look("2026-01-01T10:00:00Z", Some(900_000), Some(900_000));
        assert_eq!(told(last, look("2026-01-01T13:01:00Z", Some(5), Some(5)), wake), ["nobody looked for 3h"]);
    }
}
