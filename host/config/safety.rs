//! `[safety]` and `[services.NAME] autonomy`: how far agents go by themselves, how often, and when they stop.
//!
//! Plain data. What is done with it stands in `capability/safety`.

use serde::{Deserialize, Serialize};

/// Largest limit of changes. Danger: the time of each change of the last hour is kept in one value of the store.
const CHANGES_MAX: u32 = 10_000;
/// A breaker that is open for longer than a week is a setting, not a pause.
const BREAKER_MINUTES_MAX: u64 = 7 * 24 * 60;
const COOLDOWN_SECONDS_MAX: u64 = 24 * 60 * 60;

/// How far agents may go on a target by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Autonomy {
    /// They look, and change nothing.
    Observe,
    /// They say in their report what they would do.
    Propose,
    /// A person decides about each change.
    Approve,
    /// As the policy says, as far as it can be undone; the rest is asked about.
    Auto,
}

impl Autonomy {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Propose => "propose",
            Self::Approve => "approve",
            Self::Auto => "auto",
        }
    }
}

/// Limits on what agents change. People are bound by none of them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SafetyConfig {
    /// Changes of anything within an hour, by all agents together. 0: no limit.
    pub changes_per_hour: u32,
    /// Changes of one service within an hour. 0: no limit.
    pub changes_per_target_per_hour: u32,
    /// After so many sessions in a row that changed a service and did not heal it, agents change it no more; after so
    /// many over all services, they change none. 0: no limit.
    pub failures_in_a_row_max: u32,
    /// So long they only propose; then one session may try.
    pub breaker_minutes: u64,
    /// After a session that changed a service, no other one changes it for so long.
    pub cooldown_seconds: u64,
}

impl Default for SafetyConfig {
    fn default() -> Self {
        Self {
            changes_per_hour: 0,
            changes_per_target_per_hour: 60,
            failures_in_a_row_max: 3,
            breaker_minutes: 30,
            cooldown_seconds: 0,
        }
    }
}

impl SafetyConfig {
    /// # Errors
    /// The place, what is wrong there, and what to do.
    pub(super) fn check(&self) -> Result<(), (String, &'static str, String)> {
        let wrong = |key: &str, what, hint: String| Err((format!("[safety] {key}"), what, hint));
        for (key, limit) in [
            ("changes_per_hour", self.changes_per_hour),
            ("changes_per_target_per_hour", self.changes_per_target_per_hour),
        ] {
            if limit > CHANGES_MAX {
                return wrong(
                    key,
                    "it is too large to limit anything",
                    format!("write {CHANGES_MAX} at most, or 0 for no limit"),
                );
            }
        }
        if self.breaker_minutes == 0 || self.breaker_minutes > BREAKER_MINUTES_MAX {
            let hint = format!("write 1 to {BREAKER_MINUTES_MAX}; `failures_in_a_row_max = 0` turns the breaker off");
            return wrong("breaker_minutes", "no breaker can be open for so long", hint);
        }
        if self.cooldown_seconds > COOLDOWN_SECONDS_MAX {
            let hint =
                format!("write {COOLDOWN_SECONDS_MAX} at most; `autonomy = \"propose\"` keeps agents away for good");
            return wrong("cooldown_seconds", "it is longer than a day", hint);
        }
        Ok(())
    }
}
