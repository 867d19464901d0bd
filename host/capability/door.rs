//! The one door for effects: judge, ask a person if need be, see that nobody else works on the same
//! service and that no bound of `safety` is passed, write the intent, let the caller act, write the outcome.
//!
//! Every host function with an effect starts with [`Door::enter`]; what it gets back is the only
//! way to write the outcome. The door knows nothing of wasmtime.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::hold::Holds;
use super::patience::Patience;
use super::safety::Safety;
use crate::approval::{Answer, Approver, Aside, Content, Question, is_no_worse};
use crate::clock;
use crate::gate::{Act, Decision, Finding, Gate, InForce, Origin, Severity, Verdict};
use crate::journal::{Body, Key, SessionJournal, Status};
use crate::packages::audit::Audit;

/// How often one act is asked about: the policy may change while people think, they may edit it, and
/// more may become known. Danger: an approval that is asked for again and again.
const QUESTIONS_MAX: usize = 4;

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
    /// The kill switch, the autonomy of targets, limits and breakers.
    pub safety: Arc<Safety>,
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
    /// An act that changes something was let through. From then on the call cannot be run again from
    /// its beginning, so that it waits for people where it is.
    has_changed: Arc<AtomicBool>,
}

/// Permission to do one act, once. Dropping it without an outcome writes `abandoned`.
pub struct Pass {
    journal: SessionJournal,
    key: Key,
    edited: Option<Act>,
    is_by_person: bool,
    is_open: bool,
}

/// An act on its way through the door.
struct Case<'a> {
    act: Act,
    /// Of a write: what it writes.
    bytes: Option<&'a [u8]>,
    /// A person decides about it, whatever the policy says; and why.
    is_asked: Option<&'static str>,
    /// The call may be laid aside while people decide.
    may_lay_aside: bool,
    /// What is done in it is not seen act by act: a call of a tool that runs elsewhere.
    is_whole: bool,
}

impl Case<'_> {
    fn of(act: Act) -> Self {
        Self { act, bytes: None, is_asked: None, may_lay_aside: true, is_whole: false }
    }

    /// What is written, as people are shown it.
    async fn content(&self) -> Option<Content> {
        let (Some(bytes), Act::FileWrite { path, mode, .. }) = (self.bytes, &self.act) else { return None };
        let (path, bytes, mode) = (path.clone(), bytes.to_vec(), *mode);
        let shown = tokio::task::spawn_blocking(move || Content::of_write(Path::new(&path), &bytes, mode));
        shown.await.ok()
    }
}

impl Judge {
    /// Ask whether `act` may be done; what is answered is the act to be done, as people may have
    /// edited it.
    ///
    /// # Errors
    /// The refusal, as the guest shall read it. It is in the journal as well.
    pub async fn pass(&self, key: &Key, act: Act) -> Result<(Act, Decision), Refusal> {
        self.pass_case(key, Case::of(act)).await
    }

    /// As [`Judge::pass`], for a call of a tool that runs elsewhere: no act of it will come through a door, so the call
    /// itself is bounded by the autonomy of what it may change.
    ///
    /// # Errors
    /// The refusal, as the guest shall read it. It is in the journal as well.
    pub async fn pass_whole(&self, key: &Key, act: Act) -> Result<(Act, Decision), Refusal> {
        self.pass_case(key, Case { is_whole: true, ..Case::of(act) }).await
    }

    async fn pass_case(&self, key: &Key, case: Case<'_>) -> Result<(Act, Decision), Refusal> {
        let mut gate = self.gate.now();
        let mut decision = self.judged_case(&gate, &case.act, &case).await;
        if let Some(shadow) = self.gate.shadow() {
            self.shadow(key, &case, &decision, &shadow).await;
        }
        let content = if decision.verdict == Verdict::Ask { case.content().await } else { None };
        let mut act = case.act.clone();
        let mut edit_of: Option<String> = None;
        for _ in 0..QUESTIONS_MAX {
            if decision.verdict != Verdict::Ask {
                break;
            }
            let policy = gate.revision().to_owned();
            let question = Question {
                act: &act,
                origin: &self.origin,
                key,
                decision: &decision,
                policy: &policy,
                content: content.as_ref(),
                edit_of: edit_of.as_deref(),
                is_rerun: self.aside.as_ref().is_some_and(Aside::is_of_rerun),
                aside: self.aside.as_ref().filter(|_| case.may_lay_aside),
            };
            let answer = self.ask(question).await;
            if !answer.is_granted {
                let reasons = [decision.reason.as_str(), answer.reason.as_str()];
                decision.reason = reasons.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
                return Err(self.refuse(key, &act, decision));
            }
            // The answer may have taken days: what counts is the policy of now, and what is known now.
            gate = self.gate.now();
            if let Some(edited) = answer.edited {
                // What people made of it is another act: it is judged, and asked about by its own risk.
                decision = self.judged_case(&gate, &edited, &case).await;
                act = edited;
                edit_of = answer.id;
                continue;
            }
            let now = self.judged_case(&gate, &act, &case).await;
            if now.verdict == Verdict::Ask && gate.revision() == policy && is_no_worse(&now, &decision) {
                return Ok((act, now));
            }
            // What it was made of is used up with it.
            edit_of = None;
            decision = now;
        }
        if decision.verdict == Verdict::Allow {
            match edit_of {
                Some(id) if !self.approver.spend(&id).await => {
                    decision.reason = "what somebody made of it was done already, or not in time".into();
                }
                _ => return Ok((act, decision)),
            }
        }
        Err(self.refuse(key, &act, decision))
    }

    async fn judged_case(&self, gate: &Gate, act: &Act, case: &Case<'_>) -> Decision {
        let mut decision = self.judged(gate, act, case.is_whole).await;
        let Some(reason) = case.is_asked else { return decision };
        if let Act::Script { text, directory } = act {
            // Its commands do not come one by one: they are judged here, and the harder answer counts.
            let whole = gate.judge_at(text, directory, &[], clock::now_ms());
            if (whole.verdict, whole.risk) > (decision.verdict, decision.risk) {
                decision = whole;
            }
        }
        if decision.verdict == Verdict::Allow {
            decision.verdict = Verdict::Ask;
            reason.clone_into(&mut decision.reason);
        }
        decision
    }

    /// What the gate says, with what is known about the packages that the act would install.
    async fn judged(&self, gate: &Gate, act: &Act, is_whole: bool) -> Decision {
        let mut decision = gate.decide_at(act, &self.origin, clock::now_ms());
        gate.bound(&mut decision, act, self.gate.profile());
        let findings = self.findings(&decision, act).await;
        gate.add(&mut decision, findings);
        if is_whole || !matches!(act, Act::ToolCall { .. } | Act::Script { .. }) {
            self.safety.weigh(&mut decision, act, &self.origin).await;
        }
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
    async fn shadow(&self, key: &Key, case: &Case<'_>, decision: &Decision, gate: &Gate) {
        let shadow = self.judged(gate, &case.act, case.is_whole).await;
        if shadow.verdict != decision.verdict {
            let act = &case.act;
            let (key, act, origin, decision) = (key.clone(), act.clone(), self.origin.clone(), decision.clone());
            self.journal.append(Body::Shadowed { key, act, origin, decision, shadow });
        }
    }

    async fn ask(&self, question: Question<'_>) -> Answer {
        let key = question.key.to_owned();
        let waiting = self.patience.begin();
        let answer = self.approver.ask(question).await;
        drop(waiting);
        self.journal.append(Body::Approved {
            key,
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
        Self { judge, call, next: Arc::default(), refused_by: Arc::default(), has_changed: Arc::default() }
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
        self.enter_case(Case::of(act)).await
    }

    /// As [`Door::enter`], for an act that writes `bytes`: people are shown them.
    ///
    /// # Errors
    /// The refusal, as the guest shall read it. It is in the journal as well.
    pub async fn enter_write(&self, act: Act, bytes: &[u8]) -> Result<Pass, Refusal> {
        self.enter_case(Case { bytes: Some(bytes), ..Case::of(act) }).await
    }

    /// As [`Door::enter`], for an act that a person decides about whatever the policy says, and that
    /// may not wait for longer than its call.
    ///
    /// # Errors
    /// The refusal, as the guest shall read it. It is in the journal as well.
    pub async fn enter_asked(&self, act: Act, reason: &'static str) -> Result<Pass, Refusal> {
        self.enter_case(Case { is_asked: Some(reason), may_lay_aside: false, ..Case::of(act) }).await
    }

    /// As [`Door::enter`], for an act that was let through a moment ago, by this decision: to be asked about
    /// once more would ask people twice.
    ///
    /// # Errors
    /// A bound is passed meanwhile, or the intent could not be stored.
    pub async fn enter_judged(&self, act: Act, decision: Decision) -> Result<Pass, Refusal> {
        self.judge.journal.ready().await;
        let key = format!("{}.{}", self.call, self.next.fetch_add(1, Ordering::Relaxed));
        self.bounded(&key, &act, &decision).await.inspect_err(|refusal| self.note_refusal(refusal))?;
        self.begin(key, act, decision, None).await
    }

    /// Write down that `act` was refused before anybody was asked about it: it lies outside of what is granted, or
    /// may never be done. `text` is what the guest reads; what stands behind `hint:` in it is advice.
    pub async fn refuse(&self, act: &Act, rule: &'static str, text: &str) {
        self.judge.journal.ready().await;
        let key = format!("{}.{}", self.call, self.next.fetch_add(1, Ordering::Relaxed));
        let (reason, advice) = text.split_once("\nhint: ").unwrap_or((text, ""));
        let decision = Decision {
            verdict: Verdict::Deny,
            risk: 100,
            rules: vec![rule.to_owned()],
            reason: reason.to_owned(),
            advice: advice.to_owned(),
            ..Decision::allow()
        };
        let refusal = self.judge.refuse(&key, act, decision);
        self.note_refusal(&refusal);
    }

    fn note_refusal(&self, refusal: &Refusal) {
        self.refused_by.lock().unwrap_or_else(PoisonError::into_inner).insert(refusal.rule.clone());
    }

    async fn enter_case(&self, case: Case<'_>) -> Result<Pass, Refusal> {
        self.try_enter(case).await.inspect_err(|refusal| self.note_refusal(refusal))
    }

    async fn try_enter(&self, mut case: Case<'_>) -> Result<Pass, Refusal> {
        // A guest that acts faster than the disk takes the entries waits here.
        self.judge.journal.ready().await;
        let key = format!("{}.{}", self.call, self.next.fetch_add(1, Ordering::Relaxed));
        case.may_lay_aside &= !self.has_changed.load(Ordering::SeqCst);
        // Nobody is asked about what could not be done.
        let (store, _) = self.judge.journal.store();
        if let Err(decision) = self.judge.safety.may_change(store, &case.act, None).await {
            return Err(self.judge.refuse(&key, &case.act, *decision));
        }
        let asked = case.act.clone();
        let (act, decision) = self.judge.pass_case(&key, case).await?;
        let edited = (act != asked).then(|| act.clone());
        // After a person's answer: it may have taken long.
        if let Err(decision) = self.judge.holds.take(&act, &self.judge.origin) {
            return Err(self.judge.refuse(&key, &act, *decision));
        }
        self.bounded(&key, &act, &decision).await?;
        self.begin(key, act, decision, edited).await
    }

    /// The last look before the act: everything may have been stopped while people thought, and what is let through
    /// counts from now on.
    async fn bounded(&self, key: &Key, act: &Act, decision: &Decision) -> Result<(), Refusal> {
        let Judge { safety, journal, origin, .. } = &self.judge;
        let (store, _) = journal.store();
        let bounded = match safety.may_change(store, act, Some(decision)).await {
            Ok(()) => safety.count(journal, act, decision, origin).await,
            refused => refused,
        };
        bounded.map_err(|refused| self.judge.refuse(key, act, *refused))
    }

    /// Write the intent down; from then on the act may be done.
    async fn begin(&self, key: Key, act: Act, decision: Decision, edited: Option<Act>) -> Result<Pass, Refusal> {
        let is_by_person = decision.verdict == Verdict::Ask;
        let journal = self.judge.journal.clone();
        let is_read = act.severity() == Severity::Read;
        let action = act.summary();
        let body = Body::EffectStarted { key: key.clone(), act, origin: self.judge.origin.clone(), decision };
        self.has_changed.fetch_or(!is_read, Ordering::SeqCst);
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
        Ok(Pass { journal, key, edited, is_by_person, is_open: true })
    }
}

impl Pass {
    /// What people made of the act, where they did: this is to be done, not what was asked for.
    #[must_use]
    pub fn edited(&self) -> Option<&Act> {
        self.edited.as_ref()
    }

    /// A person let it through, and has seen no more of it than the act itself.
    #[must_use]
    pub fn is_by_person(&self) -> bool {
        self.is_by_person
    }

    /// The act was done. `detail` is what a later reader wants to know of it.
    pub fn done(mut self, detail: Value) {
        self.close(Status::Done, detail);
    }

    /// The act was tried and failed.
    pub fn failed(mut self, error: &dyn std::fmt::Display) {
        self.close(Status::Failed, json!({ "error": error.to_string() }));
    }

    /// The act was begun, and nobody can say whether it was done: there was no answer.
    pub fn abandoned(mut self, error: &dyn std::fmt::Display) {
        self.close(Status::Abandoned, json!({ "error": error.to_string() }));
    }

    /// It turned out, after it was let through, that the act may not be done: nothing of it was.
    pub fn refused(mut self, error: &dyn std::fmt::Display) {
        self.close(Status::Refused, json!({ "error": error.to_string() }));
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

#[cfg(test)]
mod tests;
