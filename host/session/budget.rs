//! What a session, and an agent on one day, may spend: tokens, money, calls, changes, time.
//!
//! What is spent is counted from the journal's own entries, in a replay as in the first run, so that a session which
//! is taken up again has spent what it had. The day's count is shared by all sessions of an agent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::model::completion_of;
use crate::clock;
use crate::config::{AtLimit, BudgetConfig, Spend};
use crate::gate::{Act, Severity};
use crate::journal::{Body, Entry};
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

    /// A call that was answered without having been begun: it changed nothing. One for which no budget was left
    /// is none.
    #[must_use]
    pub fn of_unbegun(result: &Value) -> Option<Self> {
        let is_over = result.pointer("/error/kind").and_then(Value::as_str) == Some("limit");
        (!is_over).then(|| Self::call(false))
    }

    fn add(&mut self, other: &Self) {
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.nano_usd = self.nano_usd.saturating_add(other.nano_usd);
        self.calls = self.calls.saturating_add(other.calls);
        self.changes = self.changes.saturating_add(other.changes);
    }

    /// What has reached its limit first: its name, what was spent and what may be. `raised` says how often people have
    /// granted an amount once more.
    fn over(&self, limit: &Spend, wanted: Wanted, raised: impl Fn(&str) -> u64) -> Option<(&'static str, u64, u64)> {
        let usd = limit.usd.map(nano);
        let calls = limit.calls.filter(|_| wanted != Wanted::Question);
        let changes = limit.changes.filter(|_| wanted == Wanted::Change);
        [
            ("tokens", self.tokens, limit.tokens),
            ("billionths of a US dollar", self.nano_usd, usd),
            ("calls of tools", self.calls, calls),
            ("calls that change something", self.changes, changes),
        ]
        .into_iter()
        .filter_map(|(what, spent, limit)| Some((what, spent, limit?.saturating_mul(1 + raised(what)))))
        .find(|(_, spent, limit)| spent >= limit)
    }
}

/// What is to be done next. An agent that may call no more may still say what it came to, and one that may change no more
/// may still look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// To a model.
    Question,
    Call,
    /// A call that may change something.
    Change,
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
    by_agent: Arc<Mutex<BTreeMap<String, Day>>>,
}

/// One agent's day.
#[derive(Default)]
struct Day {
    number: u64,
    spent: Spent,
    /// How often people have granted an amount once more, by its name.
    raised: BTreeMap<String, u64>,
}

impl Days {
    /// Count what was spent at a time. What is of another day than the latest does not count.
    pub fn add(&self, agent: &str, time_ms: u64, spent: &Spent) {
        self.with(agent, time_ms, |day| day.spent.add(spent));
    }

    /// Count what the entries of a session say was spent: for a host that starts in the middle of a day.
    pub fn count(&self, agent: &str, entries: &[Entry]) {
        let of_agent = of_day(agent);
        // What a fork has copied was spent, and granted, in the session that it comes from.
        let own = entries.iter().rposition(|entry| matches!(entry.body, Body::SessionForked { .. }));
        let own = own.map_or(0, |at| at + 1);
        let key_of = |entry: &Entry| match &entry.body {
            Body::CallStarted { key, .. } => Some(key.clone()),
            _ => None,
        };
        let mut known: BTreeSet<String> = entries.iter().take(own).filter_map(key_of).collect();
        for entry in entries.iter().skip(own) {
            let spent = match &entry.body {
                Body::ModelAnswered { answer, .. } => completion_of(answer).map(|completion| Spent::of(&completion)),
                // A call that was run again after a crash is one call.
                Body::CallStarted { key, effect, .. } => {
                    known.insert(key.clone()).then(|| Spent::call(*effect != Severity::Read))
                }
                Body::CallEnded { key, result, .. } if !known.contains(key) => Spent::of_unbegun(result),
                Body::EffectStarted { act: Act::Overspend { what, .. }, .. } => {
                    if let Some(what) = what.strip_suffix(&of_agent) {
                        self.raise(agent, entry.time_ms, what);
                    }
                    None
                }
                _ => None,
            };
            if let Some(spent) = spent {
                self.add(agent, entry.time_ms, &spent);
            }
        }
    }

    /// What an agent has spent today.
    #[must_use]
    pub fn today(&self, agent: &str) -> Spent {
        let mut today = Spent::default();
        self.with(agent, clock::now_ms(), |day| today = day.spent);
        today
    }

    /// People have granted an amount once more, for this day.
    fn raise(&self, agent: &str, time_ms: u64, what: &str) {
        self.with(agent, time_ms, |day| *day.raised.entry(what.to_owned()).or_default() += 1);
    }

    fn over(&self, agent: &str, time_ms: u64, limit: &Spend, wanted: Wanted) -> Option<(&'static str, u64, u64)> {
        let mut over = None;
        self.with(agent, time_ms, |day| {
            over = day.spent.over(limit, wanted, |what| day.raised.get(what).copied().unwrap_or(0));
        });
        over
    }

    /// The agent's day at this time, unless a later one has begun.
    fn with(&self, agent: &str, time_ms: u64, work: impl FnOnce(&mut Day)) {
        let number = time_ms / DAY_MS;
        let mut by_agent = self.by_agent.lock().unwrap_or_else(PoisonError::into_inner);
        let day = by_agent.entry(agent.to_owned()).or_default();
        if number > day.number {
            *day = Day { number, ..Day::default() };
        }
        if number == day.number {
            work(day);
        }
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

/// What stands behind the name of an amount that is the session's.
const OF_SESSION: &str = ", for the session";

/// What stands behind the name of an amount that is the day's.
fn of_day(agent: &str) -> String {
    format!(", for `{agent}` today")
}

/// The budget of one session.
pub(super) struct Budget {
    agent: String,
    config: BudgetConfig,
    days: Days,
    began_ms: u64,
    spent: Mutex<Spent>,
    /// How often people have granted an amount once more, by its name. Who grants more tokens grants no more money.
    raised: Mutex<BTreeMap<String, u64>>,
    /// Held while people are asked: calls side by side ask once.
    pub asking: tokio::sync::Mutex<()>,
}

impl Budget {
    pub(super) fn new(agent: &str, config: BudgetConfig, days: Days, began_ms: u64) -> Self {
        let (spent, raised, asking) = Default::default();
        Self { agent: agent.to_owned(), config, days, began_ms, spent, raised, asking }
    }

    /// Count what the session's journal says was spent. The day's count has had it already, or gets it from `spend_now`.
    pub(super) fn spend(&self, spent: &Spent) {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner).add(spent);
    }

    /// Count for the day what has just been spent.
    pub(super) fn spend_today(&self, time_ms: u64, spent: &Spent) {
        self.days.add(&self.agent, time_ms, spent);
    }

    /// A call that was counted as a change was not begun.
    pub(super) fn give_back_change(&self, time_ms: u64) {
        let give_back = |spent: &mut Spent| spent.changes = spent.changes.saturating_sub(1);
        give_back(&mut self.spent.lock().unwrap_or_else(PoisonError::into_inner));
        self.days.with(&self.agent, time_ms, |day| give_back(&mut day.spent));
    }

    /// People have granted an amount once more, at a limit that was reached.
    pub(super) fn raise(&self, time_ms: u64, what: &str) {
        self.restore([what]);
        if let Some(what) = what.strip_suffix(&of_day(&self.agent)) {
            self.days.raise(&self.agent, time_ms, what);
        }
    }

    /// What people had granted in the session before. What they grant for the day is the day's.
    pub(super) fn restore<'a>(&self, granted: impl IntoIterator<Item = &'a str>) {
        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        for what in granted.into_iter().filter_map(|what| what.strip_suffix(OF_SESSION)) {
            *raised.entry(what.to_owned()).or_default() += 1;
        }
    }

    /// The first limit that is reached, of those that count for what is wanted.
    pub(super) fn over(&self, now_ms: u64, wanted: Wanted) -> Option<Over> {
        let raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        let raised = |what: &str| raised.get(what).copied().unwrap_or(0);
        let spent = *self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let may_ask = self.config.at_limit == AtLimit::Ask;
        if let Some((what, spent, limit)) = spent.over(&self.config.session, wanted, raised) {
            return Some(Over { what: format!("{what}{OF_SESSION}"), spent, limit, may_ask });
        }
        // Of what goes on while people think, no more is told than that it is spent: a question that changes with
        // every minute would be another one whenever it is answered.
        let minutes = now_ms.saturating_sub(self.began_ms) / 60_000;
        let limit = self.config.minutes.map(|limit| limit.saturating_mul(1 + raised("minutes")));
        if let Some(limit) = limit.filter(|limit| minutes >= *limit) {
            return Some(Over { what: format!("minutes{OF_SESSION}"), spent: limit, limit, may_ask });
        }
        let (what, _, limit) = self.days.over(&self.agent, now_ms, &self.config.day, wanted)?;
        Some(Over { what: format!("{what}{}", of_day(&self.agent)), spent: limit, limit, may_ask })
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
        assert_eq!(budget.over(0, Wanted::Call), None);
        budget.spend(&tokens(1));
        let over = budget.over(0, Wanted::Call).unwrap();
        assert_eq!((over.spent, over.limit, over.may_ask), (100, 100, true));
        assert!(over.to_string().contains("100 of 100 tokens"), "{over}");
        budget.raise(0, &over.what);
        assert_eq!(budget.over(0, Wanted::Call), None);
        budget.spend(&tokens(100));
        assert_eq!(budget.over(0, Wanted::Call).unwrap().limit, 200);
    }

    #[test]
    fn who_grants_more_of_one_thing_grants_no_more_of_another() {
        let session = Spend { tokens: Some(100), calls: Some(1), ..Spend::default() };
        let budget = Budget::new("pi", BudgetConfig { session, ..config() }, Days::default(), 0);
        budget.spend(&tokens(100));
        budget.raise(0, &budget.over(0, Wanted::Call).unwrap().what);
        assert_eq!(budget.over(0, Wanted::Call), None);
        budget.spend(&Spent::call(false));
        assert_eq!(budget.over(0, Wanted::Call).unwrap().what, "calls of tools, for the session");
    }

    #[test]
    fn what_is_granted_for_the_day_holds_for_all_sessions_and_until_midnight() {
        let days = Days::default();
        let one = Budget::new("pi", config(), days.clone(), 0);
        let other = Budget::new("pi", config(), days.clone(), 0);
        let half = Spent { nano_usd: 500_000_000, ..Spent::default() };
        one.spend_today(0, &half);
        let over = one.over(0, Wanted::Call).unwrap();
        assert_eq!(over.what, "billionths of a US dollar, for `pi` today");
        one.raise(0, &over.what);
        assert_eq!(other.over(0, Wanted::Call), None);
        other.spend_today(0, &half);
        // The question is the same however much more is spent meanwhile, or its answer would be to another one.
        assert_eq!(
            (other.over(0, Wanted::Call).unwrap().spent, other.over(0, Wanted::Call).unwrap().limit),
            (1_000_000_000, 1_000_000_000)
        );
        days.add("pi", DAY_MS, &half);
        let tomorrow = Budget::new("pi", config(), days, DAY_MS);
        assert_eq!(tomorrow.over(DAY_MS, Wanted::Call).unwrap().limit, 500_000_000);
    }

    #[test]
    fn a_call_that_was_not_begun_is_no_change_and_one_without_budget_no_call() {
        let refused = serde_json::json!({ "error": { "kind": "refused", "refusal": {} } });
        assert_eq!(Spent::of_unbegun(&refused), Some(Spent::call(false)));
        assert_eq!(Spent::of_unbegun(&serde_json::json!({ "error": { "kind": "limit" } })), None);
        let budget = Budget::new("pi", config(), Days::default(), 0);
        budget.spend(&Spent::call(true));
        budget.spend_today(clock::now_ms(), &Spent::call(true));
        budget.give_back_change(clock::now_ms());
        assert_eq!(budget.days.today("pi"), Spent::call(false));
    }

    #[test]
    fn who_may_change_no_more_may_look_and_who_may_call_no_more_may_speak() {
        let session = Spend { tokens: Some(100), calls: Some(2), changes: Some(1), ..Spend::default() };
        let budget = Budget::new("pi", BudgetConfig { session, ..config() }, Days::default(), 0);
        let wants = [Wanted::Question, Wanted::Call, Wanted::Change];
        let may = || wants.map(|wanted| budget.over(0, wanted).is_none());
        budget.spend(&Spent::call(true));
        assert_eq!(may(), [true, true, false]);
        budget.spend(&Spent::call(false));
        assert_eq!(may(), [true, false, false]);
        budget.spend(&tokens(100));
        assert_eq!(may(), [false, false, false]);
    }

    #[test]
    fn minutes_count_from_the_beginning() {
        let budget = Budget::new("pi", config(), Days::default(), 60_000);
        assert_eq!(budget.over(10 * 60_000, Wanted::Call), None);
        assert_eq!(budget.over(11 * 60_000, Wanted::Call).unwrap().what, "minutes, for the session");
    }

    #[test]
    fn the_day_is_shared_by_the_sessions_of_an_agent_and_ends_at_midnight() {
        let days = Days::default();
        let one = Budget::new("pi", config(), days.clone(), clock::now_ms());
        let other = Budget::new("pi", config(), days.clone(), clock::now_ms());
        let spent = Spent { nano_usd: 500_000_000, ..Spent::default() };
        one.spend_today(clock::now_ms(), &spent);
        assert!(other.over(clock::now_ms(), Wanted::Call).unwrap().what.contains("`pi` today"));
        days.add("pi", clock::now_ms() + DAY_MS, &Spent::default());
        assert_eq!(other.over(clock::now_ms(), Wanted::Call), None);
        assert_eq!(days.today("sre"), Spent::default());
    }
}
