//! `[agents.X.budget]`: what a session, and an agent on one day, may spend.

use serde::{Deserialize, Serialize};

/// What an agent may spend. What is not named has no limit.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetConfig {
    /// Of one session.
    pub session: Spend,
    /// Of all sessions of the agent on one day, which begins at midnight UTC.
    pub day: Spend,
    /// How long a session may take, waiting for people included.
    pub minutes: Option<u64>,
    /// What happens at a limit.
    pub at_limit: AtLimit,
}

/// Amounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Spend {
    /// Of questions and answers together.
    pub tokens: Option<u64>,
    /// US dollars, by the `price` of each model.
    pub usd: Option<f64>,
    /// Calls of tools.
    pub calls: Option<u64>,
    /// Calls of tools that may change something.
    pub changes: Option<u64>,
}

/// What happens at a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AtLimit {
    /// The agent is told, and can do no more.
    #[default]
    Stop,
    /// People are asked whether it may spend as much again.
    Ask,
}

impl Spend {
    /// What is no amount.
    pub(super) fn wrong(&self) -> Option<&'static str> {
        self.usd.is_some_and(|usd| !(0.0..=1e9).contains(&usd)).then_some("usd is not between 0 and a thousand million")
    }
}
