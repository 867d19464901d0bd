//! The one door for effects: judge, ask a person if need be, see that nobody else works on the same
//! service, write the intent, let the caller act, write the outcome.
//!
//! Every host function with an effect starts with [`Door::enter`]; what it gets back is the only
//! way to write the outcome. The door knows nothing of wasmtime.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::hold::Holds;
use crate::approval::Approver;
use crate::gate::{Act, Decision, Effect, Gate, Origin, Verdict};
use crate::journal::{Body, Key, SessionJournal, Status};

/// Why an act was not let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub action: String,
    pub rule: String,
    pub reason: String,
    pub risk: u8,
    pub advice: String,
}

/// Judges acts for one origin: the gate, and a person where the gate says so. Every answer that is
/// not a plain yes is in the journal.
#[derive(Clone)]
pub struct Judge {
    pub gate: Arc<Gate>,
    pub approver: Arc<dyn Approver>,
    pub holds: Arc<Holds>,
    pub journal: SessionJournal,
    pub origin: Origin,
}

/// The door of one call of one plugin.
#[derive(Clone)]
pub struct Door {
    judge: Judge,
    /// The key of the call whose acts come through here.
    call: Key,
    next: Arc<AtomicU32>,
    /// The rules by which acts of this call were refused.
    refused_by: Arc<Mutex<BTreeSet<String>>>,
}

/// Permission to do one act, once. Dropping it without an outcome writes `abandoned`.
pub struct Pass {
    journal: SessionJournal,
    key: Key,
    is_open: bool,
}

impl Judge {
    /// Ask whether `act` may be done.
    ///
    /// # Errors
    /// The refusal, as the guest shall read it. It is in the journal as well.
    pub async fn pass(&self, key: &Key, act: &Act) -> Result<Decision, Refusal> {
        let mut decision = self.gate.decide(act, &self.origin);
        if decision.verdict == Verdict::Allow {
            return Ok(decision);
        }
        if decision.verdict == Verdict::Ask {
            let answer = self.approver.ask(act, &self.origin, &decision).await;
            self.journal.append(Body::Approved {
                key: key.clone(),
                is_granted: answer.is_granted,
                by: answer.by.clone(),
                reason: answer.reason.clone(),
            });
            if answer.is_granted {
                return Ok(decision);
            }
            let reasons = [decision.reason.as_str(), answer.reason.as_str()];
            decision.reason = reasons.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
        }
        Err(self.refuse(key, act, decision))
    }

    fn refuse(&self, key: &Key, act: &Act, decision: Decision) -> Refusal {
        let refusal = Refusal {
            action: act.summary(),
            rule: decision.rules.first().cloned().unwrap_or_else(|| "policy".into()),
            reason: decision.reason.clone(),
            risk: decision.risk,
            advice: decision.advice.clone(),
        };
        let (act, origin) = (act.clone(), self.origin.clone());
        self.journal.append(Body::Refused { key: key.clone(), act, origin, decision });
        refusal
    }
}

impl Door {
    #[must_use]
    pub fn new(judge: Judge, call: Key) -> Self {
        Self { judge, call, next: Arc::default(), refused_by: Arc::default() }
    }

    /// Whether an act of this call was refused by this rule. A refusal that a component speaks of
    /// otherwise is its own invention.
    #[must_use]
    pub fn has_refused_by(&self, rule: &str) -> bool {
        self.refused_by.lock().unwrap_or_else(PoisonError::into_inner).contains(rule)
    }

    /// The plugin, agent and session behind this door.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.judge.origin
    }

    /// The journal behind this door, for what a component says.
    #[must_use]
    pub fn journal(&self) -> &SessionJournal {
        &self.judge.journal
    }

    /// Ask for `act`. On `Ok` it may be done, once, and its intent is in the journal: for an act
    /// that changes something the intent has been stored before this returns.
    ///
    /// # Errors
    /// The refusal, as the guest shall read it. It is in the journal as well.
    pub async fn enter(&self, act: Act) -> Result<Pass, Refusal> {
        self.try_enter(act).await.inspect_err(|refusal| {
            self.refused_by.lock().unwrap_or_else(PoisonError::into_inner).insert(refusal.rule.clone());
        })
    }

    async fn try_enter(&self, act: Act) -> Result<Pass, Refusal> {
        // A guest that acts faster than the disk takes the entries waits here.
        self.judge.journal.ready().await;
        let key = format!("{}.{}", self.call, self.next.fetch_add(1, Ordering::Relaxed));
        let decision = self.judge.pass(&key, &act).await?;
        // After a person's answer: it may have taken long.
        if let Err(decision) = self.judge.holds.take(&act, &self.judge.origin) {
            return Err(self.judge.refuse(&key, &act, decision));
        }
        let journal = self.judge.journal.clone();
        let is_read = act.effect() == Effect::Read;
        let action = act.summary();
        let body = Body::EffectStarted { key: key.clone(), act, origin: self.judge.origin.clone(), decision };
        if is_read {
            journal.append(body);
        } else if let Err(error) = journal.append_durable(body).await {
            // Fail closed: an effect that cannot be written down is not done.
            return Err(Refusal {
                action,
                rule: "journal".into(),
                reason: format!("the intent could not be stored: {error}"),
                risk: 100,
                advice: "nothing was done; see `pi-host doctor` for the state of the store".into(),
            });
        }
        Ok(Pass { journal, key, is_open: true })
    }
}

impl Pass {
    /// The act was done. `detail` is what a later reader wants to know of it.
    pub fn done(mut self, detail: Value) {
        self.close(Status::Done, detail);
    }

    /// The act was tried and failed.
    pub fn failed(mut self, error: &dyn std::fmt::Display) {
        self.close(Status::Failed, json!({ "error": error.to_string() }));
    }

    fn close(&mut self, status: Status, detail: Value) {
        self.is_open = false;
        self.journal.append(Body::EffectEnded { key: std::mem::take(&mut self.key), status, detail });
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.is_open {
            self.close(Status::Abandoned, Value::Null);
        }
    }
}
