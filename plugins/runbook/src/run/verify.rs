//! Looks in a row that prove a step: the same call again and again, until as many in a row show what is expected, or
//! too few are left to get there.

use super::{Answer, Next, Phase, Role, Runner, State};

#[derive(Clone, Debug, Default)]
pub(super) struct Looks {
    row: u32,
    count: u32,
    /// Not before.
    next_ms: Option<u64>,
    is_called: bool,
    /// Why it is not known whether the step was done at all.
    unknown: Option<String>,
}

impl Looks {
    pub(super) fn after(unknown: Option<String>) -> Self {
        Self { unknown, ..Self::default() }
    }
}

impl Runner {
    /// The next look, or the wait before it; none, where there is none any more.
    pub(super) fn look(&mut self, mut looks: Looks, is_late: bool, now_ms: u64) -> Option<Next> {
        let Some((step, verify)) = self.step().and_then(|step| Some((step.clone(), step.verify?))) else {
            self.phase = Phase::Begin;
            self.at += 1;
            return None;
        };
        if !looks.is_called {
            if is_late {
                self.unproved(&looks, "the runbook's time is over".into(), now_ms);
                return None;
            }
            if let Some(ms) = looks.next_ms.map(|next_ms| next_ms.saturating_sub(now_ms)).filter(|ms| *ms > 0) {
                return Some(Next::Wait { ms });
            }
        }
        match verify.act.arguments.value(&self.scope(None)) {
            Ok(arguments) => {
                looks.is_called = true;
                self.phase = Phase::Looking(looks);
                Some(Next::Call(self.call(&step, &verify.act, Role::Verify, arguments)))
            }
            Err(error) => {
                self.unproved(&looks, error, now_ms);
                None
            }
        }
    }

    pub(super) fn looked(&mut self, mut looks: Looks, answer: Answer, now_ms: u64) {
        let Some((step, verify)) = self.step().and_then(|step| Some((step.clone(), step.verify?))) else { return };
        if !looks.is_called {
            // Nobody was asked.
            self.phase = Phase::Looking(looks);
            return;
        }
        looks.is_called = false;
        looks.count += 1;
        looks.next_ms = Some(now_ms.saturating_add(verify.every_ms));
        let unmet = match answer {
            Answer::Done(result) => self.unmet(&verify.expect, &result),
            Answer::Failed(why) | Answer::Unknown(why) => Some(why),
            Answer::Refused(why) => return self.unproved(&looks, why, now_ms),
        };
        looks.row = if unmet.is_none() { looks.row + 1 } else { 0 };
        let (row, count) = (looks.row, looks.count);
        self.record(|record| record.looks = Some((row, count)));
        if looks.row >= verify.in_a_row {
            self.record(|record| record.is_made = record.is_change);
            let note =
                looks.unknown.map(|_| "its outcome was unknown, and the verification shows that it took effect".into());
            return self.over(&step, State::Done, note, serde_json::Value::Null, now_ms);
        }
        let left = verify.attempts.saturating_sub(looks.count);
        if left < verify.in_a_row.saturating_sub(looks.row) {
            let why = unmet.unwrap_or_else(|| "too few looks are left".into());
            let why =
                format!("not verified by {} looks, of which {} in a row were needed: {why}", count, verify.in_a_row);
            return self.unproved(&looks, why, now_ms);
        }
        self.phase = Phase::Looking(looks);
    }

    fn unproved(&mut self, looks: &Looks, why: String, now_ms: u64) {
        let Some(step) = self.step() else { return };
        match &looks.unknown {
            None => self.failed(&step, State::Failed, why, now_ms),
            Some(unknown) => self.failed(&step, State::Unknown, format!("{unknown}; {why}"), now_ms),
        }
    }
}
