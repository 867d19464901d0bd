//! The one door for effects: judge, ask a person if need be, write the intent, let the caller act,
//! write the outcome.
//!
//! Every host function with an effect starts with [`Door::enter`]; what it gets back is the only
//! way to write the outcome. The door knows nothing of wasmtime.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use serde_json::{Value, json};

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

/// The door of one call of one plugin.
#[derive(Clone)]
pub struct Door {
    gate: Arc<Gate>,
    approver: Arc<dyn Approver>,
    journal: SessionJournal,
    origin: Origin,
    /// The key of the call whose acts come through here.
    call: Key,
    next: Arc<AtomicU32>,
}

/// Permission to do one act, once. Dropping it without an outcome writes `abandoned`.
pub struct Pass {
    journal: SessionJournal,
    key: Key,
    is_open: bool,
}

impl Door {
    #[must_use]
    pub fn new(gate: Arc<Gate>, approver: Arc<dyn Approver>, journal: SessionJournal, origin: Origin, call: Key) -> Self {
        Self { gate, approver, journal, origin, call, next: Arc::new(AtomicU32::new(0)) }
    }

    /// The plugin, agent and session behind this door.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Ask for `act`. On `Ok` it may be done, once, and its intent is in the journal: for an act
    /// that changes something the intent has been stored before this returns.
    ///
    /// # Errors
    /// The refusal, as the guest shall read it. It is in the journal as well.
    pub async fn enter(&self, act: Act) -> Result<Pass, Refusal> {
        let key = format!("{}.{}", self.call, self.next.fetch_add(1, Ordering::Relaxed));
        let decision = self.gate.decide(&act, &self.origin);
        match decision.verdict {
            Verdict::Allow => {}
            Verdict::Deny => return Err(self.refuse(key, act, decision)),
            Verdict::Ask => {
                let answer = self.approver.ask(&act, &self.origin, &decision).await;
                self.journal.append(Body::Approved {
                    key: key.clone(),
                    is_granted: answer.is_granted,
                    by: answer.by.clone(),
                    reason: answer.reason.clone(),
                });
                if !answer.is_granted {
                    let mut decision = decision;
                    decision.reason = if decision.reason.is_empty() {
                        answer.reason
                    } else {
                        format!("{}; {}", decision.reason, answer.reason)
                    };
                    return Err(self.refuse(key, act, decision));
                }
            }
        }
        let is_read = act.effect() == Effect::Read;
        let action = act.summary();
        let body = Body::EffectStarted { key: key.clone(), act, origin: self.origin.clone(), decision };
        if is_read {
            self.journal.append(body);
        } else if let Err(error) = self.journal.append_durable(body).await {
            // Fail closed: an effect that cannot be written down is not done.
            return Err(Refusal {
                action,
                rule: "journal".into(),
                reason: format!("the intent could not be stored: {error}"),
                risk: 100,
                advice: "nothing was done; see `pi-host doctor` for the state of the store".into(),
            });
        }
        Ok(Pass { journal: self.journal.clone(), key, is_open: true })
    }

    fn refuse(&self, key: Key, act: Act, decision: Decision) -> Refusal {
        let refusal = Refusal {
            action: act.summary(),
            rule: decision.rules.first().cloned().unwrap_or_else(|| "policy".into()),
            reason: decision.reason.clone(),
            risk: decision.risk,
            advice: decision.advice.clone(),
        };
        self.journal.append(Body::Refused { key, act, origin: self.origin.clone(), decision });
        refusal
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
