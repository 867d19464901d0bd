//! What bounds agents beyond the policy: the kill switch, the autonomy of each target, the limits of changes and the
//! circuit breaker. All of it is asked at the door, of each act with its final arguments; an agent has no part in it.
//!
//! What is counted is in the store and nowhere else: it holds over restarts and for the next host, and is written under
//! the lease, so that a host that was taken over counts nothing. People are stopped by the kill switch, and by nothing
//! else here.

pub mod breaker;
pub mod rate;
pub mod switch;
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex as Turn;

use super::hold::PERSON;
use crate::clock;
use crate::config::{Autonomy, SafetyConfig};
use crate::gate::{Act, Decision, Origin, Severity, Verdict};
use crate::journal::{Body, Entry, SessionJournal};
use crate::store::{Store, StoreError};
use crate::supervisor::Supervisor;
use breaker::{Breaker, Standing};
use rate::Changes;
use switch::{STOPPED_ALL, stopped};
pub use target::is_change;
pub(crate) use target::services_of;

/// The rules of refusals.
pub const AUTONOMY: &str = "autonomy";
pub const RATE_LIMITED: &str = "rate_limited";
pub const BREAKER_OPEN: &str = "breaker_open";
/// A limit that cannot be counted.
const SAFETY: &str = "safety";

/// Keys of the store; behind each stands a service, for all together nothing.
pub const CHANGES: &str = "safety/changes/";
pub const BREAKER: &str = "safety/breaker/";
const SETTLED: &str = "safety/settled/";
/// The name of all services together. No service has it.
const ALL: &str = "";

/// The bounds of one host. Shared by all its sessions.
pub struct Safety {
    config: SafetyConfig,
    supervisor: Arc<Supervisor>,
    /// The service that a session was woken for.
    woken: Mutex<BTreeMap<String, String>>,
    /// What each session that runs has changed: what an act changed cannot always be told from it later.
    changed: Mutex<BTreeMap<String, Changed>>,
    /// Counting is reading and writing: one at a time.
    turn: Turn<()>,
}

/// When a session that changed a service has ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Settled {
    session: String,
    ended_ms: u64,
}

/// What a session has changed.
#[derive(Clone, Debug, Default)]
struct Changed {
    services: BTreeSet<String>,
    /// What needs them and was healthy before.
    healthy_before: BTreeSet<String>,
}

/// What became of what a session changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    pub service: String,
    pub is_healed: bool,
}

impl Safety {
    #[must_use]
    pub fn new(config: SafetyConfig, supervisor: Arc<Supervisor>) -> Self {
        let (woken, changed) = (Mutex::default(), Mutex::default());
        Self { config, supervisor, woken, changed, turn: Turn::new(()) }
    }

    /// A session begins that was woken for a service: what it changes that is no service's by itself is that one's.
    pub fn begin(&self, session: &str, service: &str) {
        locked(&self.woken).insert(session.to_owned(), service.to_owned());
    }

    /// A session is over.
    pub fn end(&self, session: &str) {
        locked(&self.woken).remove(session);
        locked(&self.changed).remove(session);
    }

    /// Make a decision as strict as the autonomy of what the act changes wants it: never milder.
    pub async fn weigh(&self, decision: &mut Decision, act: &Act, origin: &Origin) {
        if origin.agent == PERSON || decision.verdict == Verdict::Deny || !is_change(act, decision) {
            return;
        }
        let services = self.services(act, decision, origin).await;
        let autonomy = |service: &String| self.supervisor.autonomy(service).unwrap_or(Autonomy::Auto);
        let Some(service) = services.iter().min_by_key(|service| autonomy(service)) else { return };
        let (verdict, reason, advice) = match autonomy(service) {
            Autonomy::Observe => (
                Verdict::Deny,
                format!("`{service}` is only observed: no agent changes anything about it"),
                "report what you have found; `[services.NAME] autonomy` in pi.toml says how far agents may go",
            ),
            Autonomy::Propose => (
                Verdict::Deny,
                format!("on `{service}` agents propose, and people act"),
                "put it into the report as a proposal: this act with its arguments, why, what it may break and how it is undone",
            ),
            Autonomy::Approve => (Verdict::Ask, format!("a person decides about each change of `{service}`"), ""),
            Autonomy::Auto if target::is_by_itself(act, decision, &services, &self.supervisor) => return,
            Autonomy::Auto => (
                Verdict::Ask,
                format!(
                    "by themselves agents do on `{service}` only what can be undone, or the restart of that one alone"
                ),
                "",
            ),
        };
        if verdict <= decision.verdict {
            return;
        }
        decision.verdict = verdict;
        decision.reason = reason;
        if !advice.is_empty() {
            advice.clone_into(&mut decision.advice);
        }
        decision.rules.insert(0, AUTONOMY.to_owned());
    }

    /// Whether anything may be changed now: asked before people are, and again after they have answered.
    ///
    /// # Errors
    /// The refusal, where everything is stopped or that cannot be known.
    pub async fn may_change(
        &self,
        store: &dyn Store,
        act: &Act,
        decision: Option<&Decision>,
    ) -> Result<(), Box<Decision>> {
        let is_change = match (act, decision) {
            // Whether a native program changes anything is known when it has been judged.
            (Act::ProcessRun { .. }, None) => false,
            (Act::ProcessRun { .. }, Some(decision)) => is_change(act, decision),
            _ => act.severity() > Severity::Read,
        };
        if !is_change {
            return Ok(());
        }
        match stopped(store).await {
            Ok(None) => Ok(()),
            Ok(Some(stopped)) => Err(refusal(
                STOPPED_ALL,
                stopped.words(),
                "change nothing; look as much as you like, and say in the report what is left to do. A person ends it with `pi-host resume-all`",
            )),
            Err(error) => Err(refusal(
                STOPPED_ALL,
                format!("it cannot be known whether everything is stopped: {error}"),
                "nothing was done; see `pi-host doctor` for the state of the store",
            )),
        }
    }

    /// Count a change before it is done. What is let through has been counted, whatever becomes of it.
    ///
    /// # Errors
    /// The refusal: which limit, and when it is possible again.
    pub async fn count(
        &self,
        journal: &SessionJournal,
        act: &Act,
        decision: &Decision,
        origin: &Origin,
    ) -> Result<(), Box<Decision>> {
        if origin.agent == PERSON || !is_change(act, decision) {
            return Ok(());
        }
        let services = self.services(act, decision, origin).await;
        if services.is_empty() && self.config.changes_per_hour == 0 {
            return Ok(());
        }
        let (store, lease) = journal.store();
        let session = &origin.session;
        let _turn = self.turn.lock().await;
        let now_ms = clock::now_ms();
        let mut changes = Vec::new();
        let failed = |error: StoreError| {
            let advice = "nothing was done; see `pi-host doctor` for the state of the store";
            refusal(SAFETY, format!("the limits of changes cannot be looked at: {error}"), advice)
        };
        for service in &services {
            self.cooled(store, service, session, now_ms).await?;
        }
        let guarded = services.iter().map(String::as_str).chain((!services.is_empty()).then_some(ALL));
        for name in guarded.clone() {
            if let Some(change) = self.unbroken(store, name, session, now_ms).await? {
                changes.push(change);
            }
        }
        let limits = guarded
            .filter(|name| *name != ALL)
            .map(|name| (name, self.config.changes_per_target_per_hour))
            .chain([(ALL, self.config.changes_per_hour)]);
        for (name, limit) in limits.filter(|(_, limit)| *limit > 0) {
            let key = format!("{CHANGES}{name}");
            let mut counted: Changes = read(store, &key).await.map_err(failed)?;
            if let Err(free_ms) = counted.count(now_ms, limit) {
                let reason = format!("agents changed {} {limit} times within an hour, which is the limit", what(name));
                return Err(refusal(RATE_LIMITED, reason, &again(free_ms)));
            }
            changes.push((key, Some(serde_json::to_value(counted).unwrap_or_default())));
        }
        if !changes.is_empty() {
            store.change_values(lease, &changes).await.map_err(failed)?;
        }
        if !services.is_empty() {
            let mut all = locked(&self.changed);
            let changed = all.entry(session.clone()).or_default();
            for service in services {
                if !changed.services.contains(&service) {
                    changed.healthy_before.extend(self.supervisor.healthy_that_need(&service));
                    changed.services.insert(service);
                }
            }
        }
        Ok(())
    }

    /// Another session that changed the service has ended long enough ago.
    async fn cooled(&self, store: &dyn Store, service: &str, session: &str, now_ms: u64) -> Result<(), Box<Decision>> {
        let cooldown_ms = self.config.cooldown_seconds.saturating_mul(1_000);
        if cooldown_ms == 0 {
            return Ok(());
        }
        let unread = |error: StoreError| refusal(SAFETY, format!("the cool-down cannot be looked at: {error}"), "");
        let settled = store.value(&format!("{SETTLED}{service}")).await.map_err(unread)?;
        let settled = settled.and_then(|value| serde_json::from_value::<Settled>(value).ok());
        let Some(settled) = settled.filter(|settled| settled.session != session) else { return Ok(()) };
        let until_ms = settled.ended_ms.min(now_ms).saturating_add(cooldown_ms);
        if now_ms >= until_ms {
            return Ok(());
        }
        let reason =
            format!("`{service}` was changed by the session `{}` and is let alone for a while", settled.session);
        Err(refusal(RATE_LIMITED, reason, &again(until_ms)))
    }

    /// The breaker lets the session through; what is to be stored of it, where it takes the attempt.
    async fn unbroken(
        &self,
        store: &dyn Store,
        name: &str,
        session: &str,
        now_ms: u64,
    ) -> Result<Option<(String, Option<Value>)>, Box<Decision>> {
        if self.config.failures_in_a_row_max == 0 {
            return Ok(None);
        }
        let key = format!("{BREAKER}{name}");
        let unread =
            |error: StoreError| refusal(SAFETY, format!("the circuit breaker cannot be looked at: {error}"), "");
        let mut breaker: Breaker = read(store, &key).await.map_err(unread)?;
        let failures = breaker.failures;
        let reason = |more: &str| {
            format!(
                "{failures} sessions in a row changed {} and did not heal it: agents only propose now{more}",
                what(name)
            )
        };
        match breaker.standing(session, now_ms, self.open_ms()) {
            Standing::Closed | Standing::Own => Ok(None),
            Standing::Open { until_ms } => Err(refusal(
                BREAKER_OPEN,
                reason(""),
                &format!("put it into the report as a proposal; {}", again(until_ms)),
            )),
            Standing::Tried { by } => Err(refusal(
                BREAKER_OPEN,
                reason(&format!(", and the one attempt is the session's `{by}`")),
                "put it into the report as a proposal; it is possible again when that session has healed it",
            )),
            Standing::Free => {
                breaker.try_by(session, now_ms);
                Ok(Some((key, Some(serde_json::to_value(breaker).unwrap_or_default()))))
            }
        }
    }

    /// The services that a session has changed, by its journal and by what was seen of it.
    pub async fn changed_by(&self, session: &str, entries: &[Entry]) -> BTreeSet<String> {
        let mut changed = locked(&self.changed).get(session).cloned().unwrap_or_default().services;
        for entry in entries {
            if let Body::EffectStarted { act, origin, decision, .. } = &entry.body
                && origin.agent != PERSON
                // What a fork's parent has changed is the parent's.
                && origin.session == session
                && is_change(act, decision)
            {
                changed.extend(self.services(act, decision, origin).await);
            }
        }
        changed
    }

    /// What needs what a session has changed, and was healthy before: as far as this host has seen it.
    #[must_use]
    pub fn healthy_before(&self, session: &str) -> BTreeSet<String> {
        locked(&self.changed).get(session).cloned().unwrap_or_default().healthy_before
    }

    /// What a session that has ended says of the services that it changed.
    ///
    /// # Errors
    /// It could not be stored.
    pub async fn settle(&self, journal: &SessionJournal, effects: &[Effect]) -> Result<Vec<String>, StoreError> {
        let (store, lease) = journal.store();
        let session = journal.id();
        let _turn = self.turn.lock().await;
        let now_ms = clock::now_ms();
        let (mut changes, mut opened) = (Vec::new(), Vec::new());
        let Some(is_healed) = effects.iter().map(|effect| effect.is_healed).reduce(|all, one| all && one) else {
            return Ok(opened);
        };
        let all = Effect { service: ALL.to_owned(), is_healed };
        for Effect { service, is_healed } in effects.iter().chain([&all]) {
            if service != ALL {
                let settled = Settled { session: session.to_owned(), ended_ms: now_ms };
                changes.push((format!("{SETTLED}{service}"), Some(serde_json::to_value(settled).unwrap_or_default())));
            }
            if self.config.failures_in_a_row_max == 0 {
                continue;
            }
            let key = format!("{BREAKER}{service}");
            let mut breaker: Breaker = read(store, &key).await?;
            if *is_healed {
                breaker.succeeded(session);
            } else if breaker.failed(session, now_ms, self.config.failures_in_a_row_max) {
                opened.push(what(service));
            }
            let value = (breaker != Breaker::default()).then(|| serde_json::to_value(&breaker).unwrap_or_default());
            changes.push((key, value));
        }
        store.change_values(lease, &changes).await?;
        Ok(opened)
    }

    fn open_ms(&self) -> u64 {
        self.config.breaker_minutes.saturating_mul(60_000)
    }

    /// What an act changes; where it is no service's by itself, the service that its session was woken for.
    async fn services(&self, act: &Act, decision: &Decision, origin: &Origin) -> Vec<String> {
        let services = target::changed_by(act, &self.supervisor).await;
        if !services.is_empty() || !target::is_of_incident(act, decision) {
            return services;
        }
        locked(&self.woken).get(&origin.session).cloned().into_iter().collect()
    }
}

/// A value of the store; one that is not there, or that cannot be read, has its first state. What cannot be read is
/// counted anew: it would lock a target for good otherwise.
async fn read<T: for<'a> Deserialize<'a> + Default>(store: &dyn Store, key: &str) -> Result<T, StoreError> {
    Ok(store.value(key).await?.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default())
}

/// How a key's name is told.
#[must_use]
pub fn what(name: &str) -> String {
    if name == ALL { "services".to_owned() } else { format!("`{name}`") }
}

fn again(time_ms: u64) -> String {
    format!("it is possible again at {}", clock::rfc3339(time_ms))
}

fn refusal(rule: &str, reason: String, advice: &str) -> Box<Decision> {
    Box::new(Decision {
        verdict: Verdict::Deny,
        risk: 100,
        rules: vec![rule.to_owned()],
        reason,
        advice: advice.to_owned(),
        ..Decision::allow()
    })
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Plain data: whole after a panic elsewhere as well.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
