//! What a session's entries say, looked up by key: the answers for an agent that is started again.
//!
//! A call may have been begun more than once: it is begun again after a crash where that is
//! harmless. The last attempt counts, with the effects that came after it.

use std::collections::{HashMap, VecDeque};

use serde::Serialize;
use serde_json::Value;

use super::{Body, Entry, Key, Question, Status};
use crate::gate::{Act, Decision, Severity};

/// How a call or an effect ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ended {
    pub time_ms: u64,
    pub status: Status,
    /// The result of a call, the detail of an effect.
    pub value: Value,
}

/// One act inside a call, or an agent's own.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EffectRecord {
    pub key: Key,
    pub started_ms: u64,
    pub act: Act,
    pub ended: Option<Ended>,
}

/// The last attempt of one call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CallRecord {
    pub key: Key,
    pub tool: String,
    pub arguments: Value,
    pub effect: Severity,
    pub idempotent: bool,
    pub started_ms: u64,
    /// 1, or more after crashes.
    pub attempts: u32,
    pub ended: Option<Ended>,
    /// In the order in which they were begun.
    pub effects: Vec<EffectRecord>,
}

/// What is known of a call that was begun.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate<'a> {
    /// Its result is known.
    Ended(&'a Ended),
    /// Nothing that changes anything had been begun: it can be run as if for the first time.
    NotBegun,
    /// It was cut off. `done` have an outcome, `open` may or may not have taken effect.
    Unknown { done: Vec<&'a EffectRecord>, open: Vec<&'a EffectRecord> },
}

/// A call or an act that was refused: nothing of it was done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RefusalRecord {
    pub key: Key,
    pub time_ms: u64,
    pub act: Act,
    pub decision: Decision,
}

/// A wait of the agent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WaitRecord {
    pub key: Key,
    pub started_ms: u64,
    pub until_ms: u64,
    pub ended_ms: Option<u64>,
}

/// A question to a model, and its answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelRecord {
    pub key: Key,
    pub started_ms: u64,
    pub model: String,
    pub hash: String,
    pub question: Question,
    pub ended: Option<Ended>,
}

/// What the agent heard in one step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HeardRecord {
    pub time_ms: u64,
    pub texts: Vec<String>,
    pub is_over: bool,
}

/// What is known of one session.
#[derive(Clone, Debug, Default)]
pub struct History {
    models: HashMap<Key, ModelRecord>,
    heard: HashMap<Key, HeardRecord>,
    /// What was said and has not been heard.
    unheard: VecDeque<String>,
    /// Tools and models.
    offered: Option<(Value, Value)>,
    last_step: u32,
    /// What people have granted once more, each time that they did.
    overspends: Vec<String>,
    calls: HashMap<Key, CallRecord>,
    waits: HashMap<Key, WaitRecord>,
    refusals: HashMap<Key, RefusalRecord>,
    /// Acts that belong to no call.
    effects: HashMap<Key, EffectRecord>,
    /// Messages, by the name of the component that said them.
    said: HashMap<String, u32>,
    started: Option<Entry>,
    ended: Option<Entry>,
    last_ms: u64,
    resumptions: u32,
    /// The session that all of this session's ancestors come from.
    root: Option<String>,
    /// When it was forked from its parent.
    forked_ms: Option<u64>,
}

impl History {
    /// Read the entries of one session, in their order.
    #[must_use]
    pub fn load(entries: &[Entry]) -> Self {
        let mut history = Self::default();
        for entry in entries {
            history.last_ms = entry.time_ms;
            history.add(entry);
        }
        history
    }

    /// The call of this key, if it was begun. A refused one was not: see [`Self::refusal`].
    #[must_use]
    pub fn call(&self, key: &str) -> Option<&CallRecord> {
        self.calls.get(key)
    }

    #[must_use]
    pub fn wait(&self, key: &str) -> Option<&WaitRecord> {
        self.waits.get(key)
    }

    /// How many calls were asked for in one step, side by side.
    #[must_use]
    pub fn calls_in(&self, step: u32) -> usize {
        let stem = format!("{step}.");
        let is_of_step = |key: &Key| key.strip_prefix(&stem).is_some_and(|rest| !rest.contains('.'));
        self.calls.keys().filter(|key| is_of_step(key)).count()
    }

    /// The question to a model of this key.
    #[must_use]
    pub fn model(&self, key: &str) -> Option<&ModelRecord> {
        self.models.get(key)
    }

    /// All questions to models, in the order of the steps.
    #[must_use]
    pub fn models(&self) -> Vec<&ModelRecord> {
        let mut all: Vec<_> = self.models.values().collect();
        all.sort_by_key(|record| numbers(&record.key));
        all
    }

    /// What was heard in this step; none where nothing was.
    #[must_use]
    pub fn heard(&self, key: &str) -> Option<&HeardRecord> {
        self.heard.get(key)
    }

    /// What was said and has not been heard yet.
    #[must_use]
    pub fn unheard(&self) -> &VecDeque<String> {
        &self.unheard
    }

    /// The tools and models that the agent was offered.
    #[must_use]
    pub fn offered(&self) -> Option<&(Value, Value)> {
        self.offered.as_ref()
    }

    /// The last step of which anything is known.
    #[must_use]
    pub fn last_step(&self) -> u32 {
        self.last_step
    }

    /// What of the budget people have granted once more, each time that they did.
    pub fn overspends(&self) -> impl Iterator<Item = &str> {
        self.overspends.iter().map(String::as_str)
    }

    /// All calls, in the order of their keys.
    #[must_use]
    pub fn calls(&self) -> Vec<&CallRecord> {
        let mut all: Vec<_> = self.calls.values().collect();
        all.sort_by_key(|call| numbers(&call.key));
        all
    }

    /// How many messages a component of this name has said.
    #[must_use]
    pub fn said_by(&self, plugin: &str) -> u32 {
        self.said.get(plugin).copied().unwrap_or(0)
    }

    /// The refusal of the call or the act of this key.
    #[must_use]
    pub fn refusal(&self, key: &str) -> Option<&RefusalRecord> {
        self.refusals.get(key)
    }

    /// An act that belongs to no call.
    #[must_use]
    pub fn effect(&self, key: &str) -> Option<&EffectRecord> {
        self.effects.get(key)
    }

    /// The entry with which the session began.
    #[must_use]
    pub fn started(&self) -> Option<&Entry> {
        self.started.as_ref()
    }

    /// The entry with which the session ended, if it has.
    #[must_use]
    pub fn ended(&self) -> Option<&Entry> {
        self.ended.as_ref()
    }

    /// The session in which this one's first entries were written, where it is a fork: to its agent it is that one.
    #[must_use]
    pub fn root(&self) -> Option<&str> {
        self.root.as_deref()
    }

    /// When it was forked from its parent.
    #[must_use]
    pub fn forked_ms(&self) -> Option<u64> {
        self.forked_ms
    }

    /// What the journal has at a step, or at the first one after it: the step, and what, in words.
    #[must_use]
    pub fn next_recorded(&self, from: u32) -> Option<(u32, String)> {
        let step_of = |key: &Key| key.split('.').next().and_then(|step| step.parse::<u32>().ok());
        let calls = self.calls.values().map(|call| (&call.key, format!("a call of `{}`", call.tool)));
        let waits = self.waits.keys().map(|key| (key, "a wait".to_owned()));
        let models = self.models.values().map(|asked| (&asked.key, format!("a question to `{}`", asked.model)));
        let heard = self.heard.keys().map(|key| (key, "listening".to_owned()));
        let all = calls.chain(waits).chain(models).chain(heard);
        let later = all.filter_map(|(key, what)| Some((step_of(key)?, numbers(key), what)));
        later.filter(|(step, ..)| *step >= from).min().map(|(step, _, what)| (step, what))
    }

    /// The time of the last entry.
    #[must_use]
    pub fn last_ms(&self) -> u64 {
        self.last_ms
    }

    /// How often the session was taken up again.
    #[must_use]
    pub fn resumptions(&self) -> u32 {
        self.resumptions
    }

    /// The calls that were begun and of which no end is known, by key.
    #[must_use]
    pub fn open_calls(&self) -> Vec<&CallRecord> {
        let mut open: Vec<_> = self.calls.values().filter(|call| call.ended.is_none()).collect();
        open.sort_by_key(|call| numbers(&call.key));
        open
    }

    /// A step of the agent was taken.
    fn step(&mut self, key: &str) {
        let step = key.split('.').next().and_then(|step| step.parse().ok()).unwrap_or(0);
        self.last_step = self.last_step.max(step);
    }

    /// Whether the last thing that was done was a question to a model that had no answer: what failed may be mended, and
    /// the question asked again.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        self.clone().take_back_question()
    }

    /// Go back to before the last question to a model, where that had no answer and the session ended by it: it is asked
    /// again. What came after it was the agent's way to its end. False: there is no such question.
    pub fn reopen(&mut self) -> bool {
        self.ended.take().is_some() && self.take_back_question()
    }

    fn take_back_question(&mut self) -> bool {
        let step_of = |key: &str| key.split('.').next().and_then(|step| step.parse::<u32>().ok()).unwrap_or(0);
        let Some(last) = self.models.values_mut().max_by_key(|record| step_of(&record.key)) else { return false };
        let step = step_of(&last.key);
        let is_after = |key: &str| step_of(key) > step;
        let is_last = !self.calls.keys().chain(self.waits.keys()).any(|key| is_after(key));
        if !is_last || last.ended.as_ref().is_none_or(|ended| ended.status == Status::Done) {
            return false;
        }
        last.ended = None;
        let mut heard: Vec<_> = self.heard.extract_if(|key, _| is_after(key)).collect();
        heard.sort_by_key(|(key, _)| std::cmp::Reverse(step_of(key)));
        // What it was told and did not work on any more is told again.
        for text in heard.into_iter().flat_map(|(_, heard)| heard.texts.into_iter().rev()) {
            self.unheard.push_front(text);
        }
        self.last_step = step;
        true
    }

    fn add(&mut self, entry: &Entry) {
        let time_ms = entry.time_ms;
        match &entry.body {
            Body::Offered { tools, models } => {
                self.offered.get_or_insert_with(|| (tools.clone(), models.clone()));
            }
            Body::ModelAsked { key, model, hash, question } => {
                self.step(key);
                // Asked again after a crash: the question is the same.
                self.models.entry(key.clone()).or_insert_with(|| ModelRecord {
                    key: key.clone(),
                    started_ms: time_ms,
                    model: model.clone(),
                    hash: hash.clone(),
                    question: question.clone(),
                    ended: None,
                });
            }
            Body::ModelAnswered { key, status, answer } => {
                if let Some(record) = self.models.get_mut(key) {
                    record.ended.get_or_insert(Ended { time_ms, status: *status, value: answer.clone() });
                }
            }
            Body::Said { text, .. } => self.unheard.push_back(text.clone()),
            Body::Heard { key, count, is_over } => {
                self.step(key);
                let count = usize::try_from(*count).unwrap_or(usize::MAX).min(self.unheard.len());
                let texts = self.unheard.drain(..count).collect();
                self.heard.insert(key.clone(), HeardRecord { time_ms, texts, is_over: *is_over });
            }
            Body::SessionStarted { .. } => {
                self.started.get_or_insert_with(|| entry.clone());
            }
            Body::SessionEnded { .. } => self.ended = Some(entry.clone()),
            Body::SessionForked { root, .. } => {
                self.root = Some(root.clone());
                self.forked_ms = Some(time_ms);
            }
            Body::SessionResumed { .. } => {
                self.resumptions += 1;
                self.reopen();
            }
            Body::WaitStarted { key, until_ms } => {
                self.step(key);
                // A wait that is taken up again goes on for the rest only: the first intent counts.
                self.waits.entry(key.clone()).or_insert_with(|| WaitRecord {
                    key: key.clone(),
                    started_ms: time_ms,
                    until_ms: *until_ms,
                    ended_ms: None,
                });
            }
            Body::WaitEnded { key } => {
                if let Some(wait) = self.waits.get_mut(key) {
                    wait.ended_ms.get_or_insert(time_ms);
                }
            }
            Body::CallStarted { key, tool, arguments, effect, idempotent, .. } => {
                self.step(key);
                let attempts = self.calls.get(key).map_or(0, |call| call.attempts) + 1;
                let call = CallRecord {
                    key: key.clone(),
                    tool: tool.clone(),
                    arguments: arguments.clone(),
                    effect: *effect,
                    idempotent: *idempotent,
                    started_ms: time_ms,
                    attempts,
                    ended: None,
                    effects: Vec::new(),
                };
                self.calls.insert(key.clone(), call);
            }
            Body::CallEnded { key, status, result } => {
                self.step(key);
                // A call that was refused or made no sense has an answer and no beginning.
                let call = self.calls.entry(key.clone()).or_insert_with(|| CallRecord::unbegun(key, time_ms));
                call.ended = Some(Ended { time_ms, status: *status, value: result.clone() });
            }
            Body::EffectStarted { act: Act::Overspend { what, .. }, .. } => self.overspends.push(what.clone()),
            Body::EffectStarted { key, act, .. } => {
                let effect = EffectRecord { key: key.clone(), started_ms: time_ms, act: act.clone(), ended: None };
                match self.call_of(key) {
                    Some(call) => call.effects.push(effect),
                    None => {
                        self.effects.insert(key.clone(), effect);
                    }
                }
            }
            Body::EffectEnded { key, status, detail } => {
                let ended = Ended { time_ms, status: *status, value: detail.clone() };
                let effect = match self.call_of(key) {
                    // An outcome that arrives after the call was begun again belongs to no intent of this attempt.
                    Some(call) => call.effects.iter_mut().rev().find(|effect| effect.key == *key),
                    None => self.effects.get_mut(key),
                };
                if let Some(effect) = effect {
                    effect.ended.get_or_insert(ended);
                }
            }
            Body::Refused { key, act, decision, .. } => {
                let refusal = RefusalRecord { key: key.clone(), time_ms, act: act.clone(), decision: decision.clone() };
                self.refusals.insert(key.clone(), refusal);
            }
            Body::Logged { plugin, .. } => *self.said.entry(plugin.clone()).or_insert(0) += 1,
            Body::Approved { .. }
            | Body::Shadowed { .. }
            | Body::SessionPruned { .. }
            | Body::AllStopped { .. }
            | Body::AllResumed { .. }
            | Body::ApprovalAsked { .. }
            | Body::ApprovalAnswered { .. }
            | Body::ApprovalPassedOn { .. }
            | Body::ApprovalUsed { .. }
            | Body::ApprovalSettled { .. } => {}
        }
    }

    /// The call in which the effect of this key happened: `3.0` for `3.0.2`.
    fn call_of(&mut self, effect: &str) -> Option<&mut CallRecord> {
        let (call, _) = effect.rsplit_once('.')?;
        self.calls.get_mut(call)
    }
}

impl CallRecord {
    /// A call that was answered without having been begun: `tool` is empty.
    fn unbegun(key: &Key, time_ms: u64) -> Self {
        Self {
            key: key.clone(),
            tool: String::new(),
            arguments: Value::Null,
            effect: Severity::Read,
            idempotent: true,
            started_ms: time_ms,
            attempts: 0,
            ended: None,
            effects: Vec::new(),
        }
    }

    /// What is known of the last attempt.
    #[must_use]
    pub fn fate(&self) -> Fate<'_> {
        if let Some(ended) = &self.ended {
            return Fate::Ended(ended);
        }
        let (done, open): (Vec<_>, Vec<_>) = self.changes().partition(|effect| effect.ended.is_some());
        if done.is_empty() && open.is_empty() { Fate::NotBegun } else { Fate::Unknown { done, open } }
    }

    /// The acts that may have changed something. One that failed may have done a part of it.
    pub fn changes(&self) -> impl Iterator<Item = &EffectRecord> {
        self.effects.iter().filter(|effect| effect.act.severity() != Severity::Read)
    }
}

/// `3.10` comes after `3.9`.
fn numbers(key: &str) -> Vec<u64> {
    key.split('.').map(|part| part.parse().unwrap_or(u64::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::gate::{Origin, WriteMode};

    fn history(bodies: Vec<Body>) -> History {
        let entries: Vec<_> = bodies
            .into_iter()
            .zip(0_u64..)
            .map(|(body, sequence)| Entry {
                session: "s".into(),
                sequence,
                time_ms: 1_000 + sequence,
                body,
                hash: String::new(),
            })
            .collect();
        History::load(&entries)
    }

    fn call(key: &str) -> Body {
        Body::CallStarted {
            key: key.into(),
            tool: "t".into(),
            arguments: json!({}),
            effect: Severity::Write,
            idempotent: false,
            decision: Decision::allow(),
        }
    }

    fn call_ended(key: &str) -> Body {
        Body::CallEnded { key: key.into(), status: Status::Done, result: json!({"ok": []}) }
    }

    fn write(key: &str) -> Body {
        let act = Act::FileWrite { path: "/x".into(), bytes: 1, mode: WriteMode::Create, sha256: String::new() };
        Body::EffectStarted { key: key.into(), act, origin: Origin::default(), decision: Decision::allow() }
    }

    fn read(key: &str) -> Body {
        let act = Act::FileRead { path: "/x".into() };
        Body::EffectStarted { key: key.into(), act, origin: Origin::default(), decision: Decision::allow() }
    }

    fn done(key: &str) -> Body {
        Body::EffectEnded { key: key.into(), status: Status::Done, detail: Value::Null }
    }

    fn refused(key: &str) -> Body {
        let act = Act::FileRemove { path: "/".into(), recursive: true };
        Body::Refused { key: key.into(), act, origin: Origin::default(), decision: Decision::allow() }
    }

    fn asked(key: &str) -> Body {
        let question = Question { same: 0, messages: vec![], frame: None };
        Body::ModelAsked { key: key.into(), model: "m".into(), hash: "h".into(), question }
    }

    fn answered(key: &str, status: Status) -> Body {
        Body::ModelAnswered { key: key.into(), status, answer: json!({}) }
    }

    fn over(key: &str) -> [Body; 2] {
        let ended = Body::SessionEnded { status: "failed".into(), summary: String::new(), details: json!({}) };
        [Body::Heard { key: key.into(), count: 0, is_over: true }, ended]
    }

    #[test]
    fn a_session_that_ended_because_a_model_gave_no_answer_goes_back_to_its_question() {
        let resumed = || Body::SessionResumed { host: "h".into() };
        let mut bodies =
            vec![asked("1"), answered("1", Status::Done), call("2.0"), asked("3"), answered("3", Status::Failed)];
        bodies.extend(over("4"));
        let mut ended = history(bodies.clone());
        assert!(ended.is_unanswered() && ended.ended().is_some());
        assert!(ended.reopen());
        assert_eq!((ended.last_step(), ended.model("3").unwrap().ended.as_ref()), (3, None));
        assert!(ended.heard("4").is_none() && ended.ended().is_none() && ended.call("2.0").is_some());
        // What was done after it was taken up stands, also when it is read again.
        bodies.extend([resumed(), answered("3", Status::Done), call("4.0"), resumed()]);
        let on = history(bodies);
        assert_eq!(on.model("3").unwrap().ended.as_ref().unwrap().status, Status::Done);
        assert!(on.call("4.0").is_some() && on.heard("4").is_none() && !on.is_unanswered());
    }

    #[test]
    fn a_session_that_ended_otherwise_does_not_go_back() {
        for bodies in [
            vec![asked("1"), answered("1", Status::Done)],
            vec![asked("1"), answered("1", Status::Failed), call("2.0")],
            vec![call("1.0")],
        ] {
            let mut bodies = bodies;
            bodies.extend(over("5"));
            let mut ended = history(bodies);
            assert!(!ended.is_unanswered() && !ended.reopen());
        }
    }

    #[test]
    fn an_ended_call_has_its_result() {
        let history = history(vec![call("1.0"), write("1.0.0"), done("1.0.0"), call_ended("1.0")]);
        let Some(Fate::Ended(ended)) = history.call("1.0").map(CallRecord::fate) else { panic!("not ended") };
        assert_eq!((ended.time_ms, &ended.value), (1_003, &json!({"ok": []})));
        assert!(history.open_calls().is_empty());
    }

    #[test]
    fn a_call_that_only_read_was_not_begun() {
        let history = history(vec![call("1.0"), read("1.0.0"), done("1.0.0"), read("1.0.1"), refused("1.0.2")]);
        assert_eq!(history.call("1.0").unwrap().fate(), Fate::NotBegun);
    }

    #[test]
    fn a_call_that_was_cut_off_is_unknown_and_says_what_is_known() {
        let history = history(vec![call("1.0"), write("1.0.0"), done("1.0.0"), write("1.0.1")]);
        let Fate::Unknown { done, open } = history.call("1.0").unwrap().fate() else { panic!("known") };
        assert_eq!(done.iter().map(|effect| &effect.key).collect::<Vec<_>>(), ["1.0.0"]);
        assert_eq!(open.iter().map(|effect| &effect.key).collect::<Vec<_>>(), ["1.0.1"]);
    }

    #[test]
    fn the_last_attempt_of_a_call_counts() {
        let history = history(vec![
            call("1.0"),
            write("1.0.0"),
            Body::SessionResumed { host: "h".into() },
            call("1.0"),
            read("1.0.0"),
            done("1.0.0"),
        ]);
        let record = history.call("1.0").unwrap();
        assert_eq!((record.attempts, record.fate()), (2, Fate::NotBegun));
        assert_eq!(record.effects.len(), 1);
        assert_eq!(history.resumptions(), 1);
    }

    #[test]
    fn the_effects_of_calls_side_by_side_are_kept_apart() {
        let history = history(vec![call("1.0"), call("1.1"), write("1.1.0"), write("1.0.0"), done("1.1.0")]);
        assert!(history.call("1.0").unwrap().effects[0].ended.is_none());
        assert!(history.call("1.1").unwrap().effects[0].ended.is_some());
        assert_eq!(history.open_calls().iter().map(|call| &call.key).collect::<Vec<_>>(), ["1.0", "1.1"]);
    }

    #[test]
    fn open_calls_come_by_number() {
        let history = history(vec![call("10.0"), call("9.0"), call("9.10"), call("9.9")]);
        assert_eq!(
            history.open_calls().iter().map(|call| &call.key).collect::<Vec<_>>(),
            ["9.0", "9.9", "9.10", "10.0"]
        );
    }

    #[test]
    fn a_refused_call_was_not_begun() {
        let history = history(vec![refused("2.0")]);
        assert!(history.call("2.0").is_none());
        assert_eq!(history.refusal("2.0").unwrap().act.name(), "file_remove");
    }

    #[test]
    fn a_wait_that_is_taken_up_again_keeps_its_end() {
        let history = history(vec![
            Body::WaitStarted { key: "1".into(), until_ms: 5_000 },
            Body::WaitStarted { key: "1".into(), until_ms: 9_000 },
            Body::WaitEnded { key: "1".into() },
        ]);
        let wait = history.wait("1").unwrap();
        assert_eq!((wait.started_ms, wait.until_ms, wait.ended_ms), (1_000, 5_000, Some(1_002)));
        assert_eq!(history.last_ms(), 1_002);
    }

    #[test]
    fn an_act_outside_of_calls_is_found_by_its_key() {
        let history = history(vec![write("4"), done("4"), read("5.0")]);
        assert!(history.effect("4").unwrap().ended.is_some());
        assert!(history.effect("5.0").is_some());
    }
}
