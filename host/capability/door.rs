//! The one door for effects: judge, ask a person if need be, see that nobody else works on the same
//! service, write the intent, let the caller act, write the outcome.
//!
//! Every host function with an effect starts with [`Door::enter`]; what it gets back is the only
//! way to write the outcome. The door knows nothing of wasmtime.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::hold::Holds;
use super::patience::Patience;
use crate::approval::{Answer, Approver, Aside, Question};
use crate::clock;
use crate::gate::{Act, Decision, Finding, Gate, InForce, Origin, Severity, Verdict};
use crate::journal::{Body, Key, SessionJournal, Status};
use crate::packages::audit::Audit;

/// Policies that may come into force while people think about one act. Danger: an approval that is
/// asked for again and again.
const POLICIES_MAX: usize = 3;

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
    pub gate: Arc<InForce>,
    pub approver: Arc<dyn Approver>,
    /// Looks up the packages that a command would install; none, where nothing is looked up.
    pub audit: Option<Arc<Audit>>,
    pub holds: Arc<Holds>,
    pub journal: SessionJournal,
    pub origin: Origin,
    /// The way to lay the call aside while people decide; none, where it has to wait.
    pub aside: Option<Aside>,
    /// Counts the time that the call waits for people.
    pub patience: Patience,
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
    edited: Option<Act>,
    is_open: bool,
}

impl Judge {
    /// Ask whether `act` may be done; what is answered is the act to be done, as people may have
    /// edited it.
    ///
    /// # Errors
    /// The refusal, as the guest shall read it. It is in the journal as well.
    pub async fn pass(&self, key: &Key, act: Act) -> Result<(Act, Decision), Refusal> {
        let mut gate = self.gate.now();
        let mut decision = self.judged(&gate, &act).await;
        if let Some(shadow) = self.gate.shadow() {
            self.shadow(key, &act, &decision, &shadow).await;
        }
        for _ in 0..POLICIES_MAX {
            if decision.verdict != Verdict::Ask {
                break;
            }
            let policy = gate.revision().to_owned();
            let answer = self.ask(key, &act, &decision, &policy).await;
            if !answer.is_granted {
                let reasons = [decision.reason.as_str(), answer.reason.as_str()];
                decision.reason = reasons.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
                return Err(self.refuse(key, &act, decision));
            }
            // The answer may have taken days: what counts is the policy of now.
            gate = self.gate.now();
            let is_same_policy = gate.revision() == policy;
            let Some(edited) = answer.edited else {
                if is_same_policy {
                    return Ok((act, decision));
                }
                decision = self.judged(&gate, &act).await;
                continue;
            };
            // What people made of it is judged as well: an approver can overrule an ask, never a deny.
            let judged = self.judged(&gate, &edited).await;
            if judged.verdict != Verdict::Deny && is_same_policy {
                return Ok((edited, judged));
            }
            return Err(self.refuse(key, &edited, judged));
        }
        match decision.verdict {
            Verdict::Allow => Ok((act, decision)),
            Verdict::Ask | Verdict::Deny => Err(self.refuse(key, &act, decision)),
        }
    }

    /// What the gate says, with what is known about the packages that the act would install.
    async fn judged(&self, gate: &Gate, act: &Act) -> Decision {
        let mut decision = gate.decide_at(act, &self.origin, clock::now_ms());
        let findings = self.findings(&decision, act).await;
        gate.add(&mut decision, findings);
        decision
    }

    async fn findings(&self, decision: &Decision, act: &Act) -> Vec<Finding> {
        let (Some(audit), Act::ProcessRun { directory, .. } | Act::Script { directory, .. }) = (&self.audit, act)
        else {
            return Vec::new();
        };
        if decision.installs.is_empty() {
            return Vec::new();
        }
        let mut findings = audit.findings(&decision.installs, Path::new(directory)).await;
        if matches!(act, Act::Script { .. }) {
            // Its commands come one by one, and are asked about then.
            findings.retain(|finding| finding.verdict == Verdict::Deny);
        }
        findings
    }

    /// Note what another policy would have said.
    async fn shadow(&self, key: &Key, act: &Act, decision: &Decision, gate: &Gate) {
        let shadow = self.judged(gate, act).await;
        if shadow.verdict != decision.verdict {
            let (key, act, origin, decision) = (key.clone(), act.clone(), self.origin.clone(), decision.clone());
            self.journal.append(Body::Shadowed { key, act, origin, decision, shadow });
        }
    }

    async fn ask(&self, key: &Key, act: &Act, decision: &Decision, policy: &str) -> Answer {
        let waiting = self.patience.begin();
        let question = Question { act, origin: &self.origin, key, decision, policy, aside: self.aside.as_ref() };
        let answer = self.approver.ask(question).await;
        drop(waiting);
        self.journal.append(Body::Approved {
            key: key.clone(),
            is_granted: answer.is_granted,
            by: answer.by.clone(),
            reason: answer.reason.clone(),
            id: answer.id.clone(),
            edited: answer.edited.clone(),
        });
        answer
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

    /// The time that the call behind this door waits for people.
    #[must_use]
    pub fn patience(&self) -> &Patience {
        &self.judge.patience
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
        let asked = act.clone();
        let (act, decision) = self.judge.pass(&key, act).await?;
        let edited = (act != asked).then(|| act.clone());
        // After a person's answer: it may have taken long.
        if let Err(decision) = self.judge.holds.take(&act, &self.judge.origin) {
            return Err(self.judge.refuse(&key, &act, *decision));
        }
        let journal = self.judge.journal.clone();
        let is_read = act.severity() == Severity::Read;
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
        Ok(Pass { journal, key, edited, is_open: true })
    }
}

impl Pass {
    /// What people made of the act, where they did: this is to be done, not what was asked for.
    #[must_use]
    pub fn edited(&self) -> Option<&Act> {
        self.edited.as_ref()
    }

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
