//! What a session, and an agent on one day, may spend: tokens, money, calls, changes, time.
//!
//! What is spent is counted from the journal's own entries, in a replay as in the first run, so that a session which
//! is taken up again has spent what it had. The day's count is shared by all sessions of an agent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock;
use crate::config::{AtLimit, BudgetConfig, Spend};
use crate::model::Completion;

/// Milliseconds of a day: one begins at midnight UTC.
pub const DAY_MS: u64 = 86_400_000;

/// What was spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    pub tokens: u64,
    /// Billionths of a US dollar.
    pub nano_usd: u64,
    pub calls: u64,
    /// Calls that may change something.
    pub changes: u64,
}

impl Spent {
    /// One answer of a model.
    #[must_use]
    pub fn of(completion: &Completion) -> Self {
        let usage = completion.usage;
        Self {
            tokens: usage.input_all().saturating_add(usage.output),
            nano_usd: completion.cost_nano_usd.unwrap_or(0),
            ..Self::default()
        }
    }

    /// One call of a tool.
    #[must_use]
    pub fn call(is_change: bool) -> Self {
        Self { calls: 1, changes: u64::from(is_change), ..Self::default() }
    }

    fn add(&mut self, other: &Self) {
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.nano_usd = self.nano_usd.saturating_add(other.nano_usd);
        self.calls = self.calls.saturating_add(other.calls);
        self.changes = self.changes.saturating_add(other.changes);
    }

    /// What has reached its limit first: its name, what was spent and what may be.
    fn over(&self, limit: &Spend) -> Option<(&'static str, u64, u64)> {
        let usd = limit.usd.map(nano);
        [
            ("tokens", self.tokens, limit.tokens),
            ("billionths of a US dollar", self.nano_usd, usd),
            ("calls of tools", self.calls, limit.calls),
            ("calls that change something", self.changes, limit.changes),
        ]
        .into_iter()
        .find_map(|(what, spent, limit)| limit.filter(|limit| spent >= *limit).map(|limit| (what, spent, limit)))
    }
}

/// Dollars as the billionths in which they are counted.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a budget is a positive number, checked as it is read"
)]
fn nano(usd: f64) -> u64 {
    (usd * 1e9) as u64
}

/// What all sessions of each agent have spent today.
#[derive(Clone, Default)]
pub struct Days {
    by_agent: Arc<Mutex<BTreeMap<String, (u64, Spent)>>>,
}

impl Days {
    /// Count what was spent at a time. What is of another day than the latest does not count.
    pub fn add(&self, agent: &str, time_ms: u64, spent: &Spent) {
        let day = time_ms / DAY_MS;
        let mut by_agent = self.by_agent.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = by_agent.entry(agent.to_owned()).or_insert((day, Spent::default()));
        if day > entry.0 {
            *entry = (day, Spent::default());
        }
        if day == entry.0 {
            entry.1.add(spent);
        }
    }

    /// What an agent has spent today.
    #[must_use]
    pub fn today(&self, agent: &str) -> Spent {
        let today = clock::now_ms() / DAY_MS;
        let by_agent = self.by_agent.lock().unwrap_or_else(PoisonError::into_inner);
        by_agent.get(agent).filter(|(day, _)| *day == today).map(|(_, spent)| *spent).unwrap_or_default()
    }
}

/// A limit that is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Over {
    pub what: String,
    pub spent: u64,
    pub limit: u64,
    /// Whether people may be asked for more.
    pub may_ask: bool,
}

impl std::fmt::Display for Over {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the budget is spent: {} of {} {}", self.spent, self.limit, self.what)
    }
}

/// The budget of one session.
pub(super) struct Budget {
    agent: String,
    config: BudgetConfig,
    days: Days,
    began_ms: u64,
    spent: Mutex<Spent>,
    /// How often people have granted the same amount again.
    raised: Mutex<u64>,
}

impl Budget {
    pub(super) fn new(agent: &str, config: BudgetConfig, days: Days, began_ms: u64) -> Self {
        let (spent, raised) = Default::default();
        Self { agent: agent.to_owned(), config, days, began_ms, spent, raised }
    }

    /// Count what the session's journal says was spent. The day's count has had it already, or gets it from `spend_now`.
    pub(super) fn spend(&self, spent: &Spent) {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner).add(spent);
    }

    /// Count for the day what has just been spent.
    pub(super) fn spend_today(&self, time_ms: u64, spent: &Spent) {
        self.days.add(&self.agent, time_ms, spent);
    }

    /// People have granted the same amount again.
    pub(super) fn raise(&self) {
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    }

    /// The first limit that is reached.
    pub(super) fn over(&self, now_ms: u64) -> Option<Over> {
        let factor = 1 + *self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = *self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let may_ask = self.config.at_limit == AtLimit::Ask;
        let told = |(what, spent, limit): (&str, u64, u64), whose: &str| Over {
            what: format!("{what}, {whose}"),
            spent,
            limit,
            may_ask,
        };
        let session = self.config.session.times(factor);
        if let Some(over) = spent.over(&session) {
            return Some(told(over, "for the session"));
        }
        let minutes = now_ms.saturating_sub(self.began_ms) / 60_000;
        if let Some(limit) =
            self.config.minutes.map(|limit| limit.saturating_mul(factor)).filter(|limit| minutes >= *limit)
        {
            return Some(told(("minutes", minutes, limit), "for the session"));
        }
        let day = self.config.day.times(factor);
        self.days.today(&self.agent).over(&day).map(|over| told(over, &format!("for `{}` today", self.agent)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> BudgetConfig {
        BudgetConfig {
            session: Spend { tokens: Some(100), ..Spend::default() },
            day: Spend { usd: Some(0.5), ..Spend::default() },
            minutes: Some(10),
            at_limit: AtLimit::Ask,
        }
    }

    fn tokens(tokens: u64) -> Spent {
        Spent { tokens, ..Spent::default() }
    }

    #[test]
    fn a_session_stops_at_its_tokens_and_goes_on_when_people_grant_as_many_again() {
        let budget = Budget::new("pi", config(), Days::default(), 0);
        budget.spend(&tokens(99));
        assert_eq!(budget.over(0), None);
        budget.spend(&tokens(1));
        let over = budget.over(0).unwrap();
        assert_eq!((over.spent, over.limit, over.may_ask), (100, 100, true));
        assert!(over.to_string().contains("100 of 100 tokens"), "{over}");
        budget.raise();
        assert_eq!(budget.over(0), None);
        budget.spend(&tokens(100));
        assert_eq!(budget.over(0).unwrap().limit, 200);
    }

    #[test]
    fn minutes_count_from_the_beginning() {
        let budget = Budget::new("pi", config(), Days::default(), 60_000);
        assert_eq!(budget.over(10 * 60_000), None);
        assert_eq!(budget.over(11 * 60_000).unwrap().what, "minutes, for the session");
    }

    #[test]
    fn the_day_is_shared_by_the_sessions_of_an_agent_and_ends_at_midnight() {
        let days = Days::default();
        let one = Budget::new("pi", config(), days.clone(), clock::now_ms());
        let other = Budget::new("pi", config(), days.clone(), clock::now_ms());
        let spent = Spent { nano_usd: 500_000_000, ..Spent::default() };
        one.spend_today(clock::now_ms(), &spent);
        assert!(other.over(clock::now_ms()).unwrap().what.contains("`pi` today"));
        days.add("pi", clock::now_ms() + DAY_MS, &Spent::default());
        assert_eq!(other.over(clock::now_ms()), None);
        assert_eq!(days.today("sre"), Spent::default());
    }
}
