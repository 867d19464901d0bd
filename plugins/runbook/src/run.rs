//! A run as a state machine: [`Runner::next`] says which tool to call or how long to wait, [`Runner::answered`] takes
//! what came of it. It has no clock and calls nothing, so that the same answers at the same times lead to the same
//! calls: a session that was cut off is run again from its journal.
//!
//! Fails closed: what cannot be evaluated fails its step, a change whose outcome is unknown is looked at before
//! anything else is done, and is never done again.

mod record;
mod verify;

use std::collections::BTreeMap;

use serde_json::Value;

pub use record::{Answer, Call, Next, Outcome, Record, Role, State, Status};

use crate::duration;
use crate::near::shown;
use crate::parameter::Parameters;
use crate::problem::Problems;
use crate::runbook::{Act, Autonomy, OnFailure, Runbook, Step};
use crate::scope::{Given, Scope, kept};
use crate::template::Written;
use crate::tool::{Effect, Toolbox};
use verify::Looks;

/// One run of a runbook.
#[derive(Clone, Debug)]
pub struct Runner {
    runbook: Runbook,
    parameters: Parameters,
    tools: BTreeMap<String, Effect>,
    given: BTreeMap<String, Given>,
    records: Vec<Record>,
    at: usize,
    phase: Phase,
    begun_ms: Option<u64>,
    is_proposing: bool,
}

#[derive(Clone, Debug)]
enum Phase {
    /// The next step is to be begun.
    Begin,
    Called(Call),
    Looking(Looks),
    /// Steps whose changes are still to be taken back, the latest last.
    Undoing(Vec<usize>),
    Undone(Vec<usize>, Call),
    Ended(Outcome),
}

impl Runner {
    /// Begin a run.
    ///
    /// # Errors
    /// The runbook does not fit the tools, or a parameter is not right.
    pub fn new(runbook: &Runbook, given: &Parameters, tools: &Toolbox) -> Result<Self, Problems> {
        runbook.check(tools)?;
        let parameters = runbook.fill(given)?;
        let tools: BTreeMap<_, _> = tools.iter().map(|(name, tool)| (name.clone(), tool.effect)).collect();
        let is_change = |act: &Act| tools.get(&act.tool).is_none_or(|effect| *effect != Effect::Read);
        let records = runbook.steps.iter().map(|step| Record::of(step, is_change(&step.act))).collect();
        Ok(Self {
            runbook: runbook.clone(),
            parameters,
            tools,
            given: BTreeMap::new(),
            records,
            at: 0,
            phase: Phase::Begin,
            begun_ms: None,
            is_proposing: false,
        })
    }

    /// What to do now. Asked again without an answer in between, it says the same.
    pub fn next(&mut self, now_ms: u64) -> Next {
        let begun_ms = *self.begun_ms.get_or_insert(now_ms);
        let is_late = now_ms.saturating_sub(begun_ms) > self.runbook.timeout_ms;
        // Each turn either returns or comes closer to the end: a step is begun, skipped or failed once.
        loop {
            match self.phase.clone() {
                Phase::Ended(outcome) => return Next::Ended(outcome),
                Phase::Called(call) | Phase::Undone(_, call) => return Next::Call(call),
                Phase::Begin => self.begin(is_late, now_ms),
                Phase::Looking(looks) => {
                    if let Some(next) = self.look(looks, is_late, now_ms) {
                        return next;
                    }
                }
                Phase::Undoing(left) => self.undo(left),
            }
        }
    }

    /// What came of the call that [`Runner::next`] named. Without one there is nothing to answer.
    pub fn answered(&mut self, answer: Answer, now_ms: u64) {
        match std::mem::replace(&mut self.phase, Phase::Begin) {
            Phase::Called(_) => self.ended(answer, now_ms),
            Phase::Looking(looks) => self.looked(looks, answer, now_ms),
            Phase::Undone(left, _) => self.taken_back(left, answer, now_ms),
            other => self.phase = other,
        }
    }

    /// After its end: begin to take back what was changed and has a way back, the latest first, as far as nothing
    /// irreversible came after it. For whoever finds that it did not help. False: there is nothing to take back.
    #[must_use]
    pub fn take_back(&mut self) -> bool {
        if self.outcome().is_none() {
            return false;
        }
        let mut left = Vec::new();
        for (index, record) in self.records.iter().enumerate().filter(|(_, record)| record.is_made && !record.is_undone)
        {
            let has_way_back = self.runbook.steps.get(index).is_some_and(|step| step.undo.is_some());
            match has_way_back && record.undo_error.is_none() {
                true => left.push(index),
                false => left.clear(),
            }
        }
        let has_any = !left.is_empty();
        if has_any {
            self.phase = Phase::Undoing(left);
        }
        has_any
    }

    /// How it ended, where it has.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match self.phase {
            Phase::Ended(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// What became of each step, in their order.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The values that it runs with.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    #[must_use]
    pub fn runbook(&self) -> &Runbook {
        &self.runbook
    }

    fn step(&self) -> Option<Step> {
        self.runbook.steps.get(self.at).cloned()
    }

    fn scope<'a>(&'a self, own: Option<Option<&'a Value>>) -> Scope<'a> {
        Scope { parameters: &self.parameters, steps: &self.given, own }
    }

    fn record(&mut self, change: impl FnOnce(&mut Record)) {
        if let Some(record) = self.records.get_mut(self.at) {
            change(record);
        }
    }

    fn begin(&mut self, is_late: bool, now_ms: u64) {
        let Some(step) = self.step() else {
            self.phase = Phase::Ended(self.at_end());
            return;
        };
        self.record(|record| record.begun_ms = Some(now_ms));
        if is_late {
            let text = duration::text(self.runbook.timeout_ms);
            return self.failed(&step, State::Failed, format!("the runbook has taken longer than its {text}"), now_ms);
        }
        match step.when.as_ref().map_or(Ok(true), |when| self.holds(when, None)) {
            Ok(true) => {}
            Ok(false) => return self.over(&step, State::Skipped, None, Value::Null, now_ms),
            // What depends on a change that is only proposed cannot be known.
            Err(_) if self.is_proposing => {}
            Err(error) => return self.failed(&step, State::Failed, error, now_ms),
        }
        let arguments = step.act.arguments.value(&self.scope(None));
        let known = step.act.arguments.known(&self.scope(None));
        let is_change = self.records.get(self.at).is_none_or(|record| record.is_change);
        self.record(|record| record.arguments = Some(known));
        if is_change && (self.is_proposing || self.runbook.autonomy <= Autonomy::Propose) {
            self.is_proposing = true;
            let why = format!("its autonomy is `{}`", self.runbook.autonomy.name());
            return self.over(&step, State::Proposed, Some(why), Value::Null, now_ms);
        }
        if self.is_proposing {
            let why = "it comes after a change that is only proposed".to_owned();
            return self.over(&step, State::Left, Some(why), Value::Null, now_ms);
        }
        match arguments {
            Ok(arguments) => self.phase = Phase::Called(self.call(&step, &step.act, Role::Step, arguments)),
            Err(error) => self.failed(&step, State::Failed, error, now_ms),
        }
    }

    fn call(&self, step: &Step, act: &Act, role: Role, arguments: Value) -> Call {
        let is_change = self.tools.get(&act.tool).is_none_or(|effect| *effect != Effect::Read);
        let must_ask = is_change && role == Role::Step && self.runbook.autonomy == Autonomy::Approve;
        Call { step: step.id.clone(), role, tool: act.tool.clone(), arguments, is_change, must_ask }
    }

    /// Whether an expression holds; in words, where it cannot be evaluated.
    fn holds(&self, written: &Written, own: Option<Option<&Value>>) -> Result<bool, String> {
        let held = written.expression.is_true(&self.scope(own));
        held.map_err(|error| format!("`{}`: {error}", shown(&written.source)))
    }

    /// The first of several that does not hold.
    fn unmet(&self, expected: &[Written], result: &Value) -> Option<String> {
        let own = kept(result.clone());
        expected.iter().find_map(|written| match self.holds(written, Some(own.as_ref())) {
            Ok(true) => None,
            Ok(false) => Some(format!("`{}` does not hold", shown(&written.source))),
            Err(error) => Some(error),
        })
    }

    /// The call of a step has ended.
    fn ended(&mut self, answer: Answer, now_ms: u64) {
        let Some(step) = self.step() else { return };
        match answer {
            Answer::Done(result) => {
                self.record(|record| record.is_made = record.is_change);
                self.given.insert(step.id.clone(), Given::of("done", result.clone(), None));
                match self.unmet(&step.expect, &result) {
                    Some(unmet) => self.failed(&step, State::Failed, unmet, now_ms),
                    None if step.verify.is_some() => self.phase = Phase::Looking(Looks::after(None)),
                    None => self.over(&step, State::Done, None, result, now_ms),
                }
            }
            Answer::Failed(why) => self.failed(&step, State::Failed, why, now_ms),
            Answer::Refused(why) => self.failed(&step, State::Refused, why, now_ms),
            // A look shows whether it took effect; it is not done a second time.
            Answer::Unknown(why) if step.verify.is_some() => {
                self.given.insert(step.id.clone(), Given::of("unknown", Value::Null, Some(why.clone())));
                self.phase = Phase::Looking(Looks::after(Some(why)));
            }
            Answer::Unknown(why) => self.failed(&step, State::Unknown, why, now_ms),
        }
    }

    /// A step has ended well, or was not needed.
    fn over(&mut self, step: &Step, state: State, why: Option<String>, result: Value, now_ms: u64) {
        let known = self.given.get(&step.id).filter(|given| given.status == "done").cloned();
        let given = known.unwrap_or_else(|| Given::of(state.name(), result, why.clone()));
        self.given.insert(step.id.clone(), Given { status: state.name(), ..given });
        self.record(|record| {
            record.state = state;
            record.why = why;
            record.ended_ms = Some(now_ms);
        });
        self.at += 1;
        self.phase = Phase::Begin;
    }

    fn failed(&mut self, step: &Step, state: State, why: String, now_ms: u64) {
        let result = self.given.get(&step.id).and_then(|given| given.result.clone()).unwrap_or_default();
        self.given.insert(step.id.clone(), Given::of(state.name(), result, Some(why.clone())));
        self.record(|record| {
            record.state = state;
            record.why = Some(why);
            record.ended_ms = Some(now_ms);
        });
        // Of what is unknown neither its repetition nor its inverse is known to be safe.
        self.phase = match step.on_failure {
            _ if state == State::Unknown => Phase::Ended(Outcome::Stopped),
            OnFailure::Stop => Phase::Ended(Outcome::Stopped),
            OnFailure::Continue => {
                self.at += 1;
                Phase::Begin
            }
            OnFailure::Undo => {
                let made = self.records.iter().enumerate().filter(|(_, record)| record.is_made);
                let made: Vec<usize> = made.map(|(index, _)| index).collect();
                if made.is_empty() { Phase::Ended(Outcome::Stopped) } else { Phase::Undoing(made) }
            }
        };
    }

    /// Take the latest change back that still stands.
    fn undo(&mut self, mut left: Vec<usize>) {
        let Some(index) = left.pop() else {
            self.phase = Phase::Ended(Outcome::Undone);
            return;
        };
        self.at = index;
        let Some(step) = self.step() else { return };
        let Some(undo) = &step.undo else {
            self.record(|record| record.undo_error = Some("it is irreversible".into()));
            self.phase = Phase::Ended(Outcome::UndoFailed);
            return;
        };
        match undo.arguments.value(&self.scope(None)) {
            Ok(arguments) => self.phase = Phase::Undone(left, self.call(&step, undo, Role::Undo, arguments)),
            Err(error) => {
                self.record(|record| record.undo_error = Some(error));
                self.phase = Phase::Ended(Outcome::UndoFailed);
            }
        }
    }

    fn taken_back(&mut self, left: Vec<usize>, answer: Answer, now_ms: u64) {
        let error = match answer {
            Answer::Done(_) => None,
            Answer::Failed(why) | Answer::Refused(why) | Answer::Unknown(why) => Some(why),
        };
        let is_undone = error.is_none();
        self.record(|record| {
            record.is_undone = is_undone;
            record.undo_error = error;
            record.ended_ms = Some(now_ms);
        });
        // What was done before was done on a ground that is not restored.
        self.phase = if is_undone { Phase::Undoing(left) } else { Phase::Ended(Outcome::UndoFailed) };
    }

    /// What it came to, where every step was looked at.
    fn at_end(&self) -> Outcome {
        let has = |is: &dyn Fn(&Record) -> bool| self.records.iter().any(is);
        let changes = || self.records.iter().filter(|record| record.is_change);
        if has(&|record| record.state == State::Proposed) {
            Outcome::Proposed
        } else if has(&|record| matches!(record.state, State::Failed | State::Refused)) {
            Outcome::Incomplete
        } else if changes().next().is_some() && changes().all(|record| record.state == State::Skipped) {
            Outcome::NothingToDo
        } else {
            Outcome::Done
        }
    }

    /// One paragraph for a person.
    #[must_use]
    pub fn summary(&self) -> String {
        record::summary(&self.runbook, self.outcome(), &self.records)
    }
}

#[cfg(test)]
mod tests;
