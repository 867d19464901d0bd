//! The circuit breaker: after so many failures in a row nothing is changed for a while, then one session may try. Pure.
//!
//! Closed: sessions change what they may. Open: none does. Half-open, when its time is over: the first that comes has
//! the one attempt; if it fails the breaker is open again, for the whole time.

use serde::{Deserialize, Serialize};

/// The breaker of one target, or of all together, as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// Failures in a row.
    pub failures: u32,
    /// Since when it is open. None: it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_ms: Option<u64>,
    /// The session that has the one attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<String>,
    /// Since when it has it: one that does not end keeps it for as long as the breaker would be open, and no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_ms: Option<u64>,
    /// The session that failed last.
    #[serde(default)]
    pub last: String,
}

/// Whether a session may change something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    Closed,
    /// Nobody may before this time, milliseconds since 1970.
    Open {
        until_ms: u64,
    },
    /// Another session has the attempt.
    Tried {
        by: String,
    },
    /// The attempt is free.
    Free,
    /// It is the session's own attempt.
    Own,
}

impl Breaker {
    #[must_use]
    pub fn standing(&self, session: &str, now_ms: u64, open_ms: u64) -> Standing {
        let Some(opened_ms) = self.opened_ms else { return Standing::Closed };
        if self.attempt.as_deref() == Some(session) {
            return Standing::Own;
        }
        // A clock that was set back makes it no longer than its whole time.
        let until_ms = opened_ms.min(now_ms).saturating_add(open_ms);
        match &self.attempt {
            _ if now_ms < until_ms => Standing::Open { until_ms },
            Some(by) if now_ms < self.attempt_ms.unwrap_or(0).min(now_ms).saturating_add(open_ms) => {
                Standing::Tried { by: by.clone() }
            }
            _ => Standing::Free,
        }
    }

    /// Give the attempt to a session.
    pub fn try_by(&mut self, session: &str, now_ms: u64) {
        self.attempt = Some(session.to_owned());
        self.attempt_ms = Some(now_ms);
    }

    /// A session that changed something has failed. True: it opened, or is open anew.
    pub fn failed(&mut self, session: &str, now_ms: u64, failures_max: u32) -> bool {
        if self.last == session {
            // A host that was killed between this and the session's end has counted it.
            return false;
        }
        self.failures = self.failures.saturating_add(1);
        session.clone_into(&mut self.last);
        let is_attempt = self.attempt.as_deref() == Some(session);
        if is_attempt || (self.opened_ms.is_none() && self.failures >= failures_max) {
            self.opened_ms = Some(now_ms);
            self.attempt = None;
            self.attempt_ms = None;
            return true;
        }
        false
    }

    /// A session that changed something has succeeded. One that was begun before the breaker opened closes it no more
    /// than one that is not its attempt.
    pub fn succeeded(&mut self, session: &str) {
        if self.opened_ms.is_none() || self.attempt.as_deref() == Some(session) {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN_MS: u64 = 1_000;

    fn open() -> Breaker {
        let mut breaker = Breaker::default();
        assert_eq!(
            [breaker.failed("a", 10, 3), breaker.failed("b", 20, 3), breaker.failed("c", 30, 3)],
            [false, false, true]
        );
        breaker
    }

    #[test]
    fn opens_at_the_limit_and_not_before() {
        let mut breaker = Breaker::default();
        breaker.failed("a", 1, 2);
        assert_eq!(breaker.standing("b", 2, OPEN_MS), Standing::Closed);
        breaker.succeeded("b");
        breaker.failed("c", 3, 2);
        assert_eq!(breaker.standing("d", 4, OPEN_MS), Standing::Closed, "a success in between ends the row");
        breaker.failed("d", 5, 2);
        assert_eq!(breaker.standing("e", 6, OPEN_MS), Standing::Open { until_ms: 5 + OPEN_MS });
    }

    #[test]
    fn one_session_has_the_attempt_and_its_end_decides() {
        let mut breaker = open();
        assert_eq!(breaker.standing("d", 29 + OPEN_MS, OPEN_MS), Standing::Open { until_ms: 30 + OPEN_MS });
        assert_eq!(breaker.standing("d", 30 + OPEN_MS, OPEN_MS), Standing::Free);
        breaker.try_by("d", 1_900);
        assert_eq!(breaker.standing("d", 2_000, OPEN_MS), Standing::Own);
        assert_eq!(breaker.standing("e", 2_000, OPEN_MS), Standing::Tried { by: "d".into() });
        assert_eq!(breaker.standing("e", 2_900, OPEN_MS), Standing::Free, "it never ended");
        let mut healed = breaker.clone();
        healed.succeeded("d");
        assert_eq!(healed, Breaker::default());
        assert!(breaker.failed("d", 3_000, 3));
        assert_eq!(breaker.standing("e", 3_001, OPEN_MS), Standing::Open { until_ms: 3_000 + OPEN_MS });
    }

    #[test]
    fn who_was_at_work_before_it_opened_does_not_close_it() {
        let mut breaker = open();
        breaker.succeeded("z");
        assert_eq!(breaker.standing("d", 40, OPEN_MS), Standing::Open { until_ms: 30 + OPEN_MS });
    }
}
