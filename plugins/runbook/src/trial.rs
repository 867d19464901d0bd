//! The tests that a runbook carries: tools that answer as the test says, and a look whether the runbook calls what is
//! expected, in order, and ends as is expected. Time passes as the runbook waits.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::Value;

use crate::parameter::Parameters;
use crate::problem::{Place, Problem};
use crate::run::{Answer, Call, Next, Outcome, Role, Runner};
use crate::runbook::Runbook;
use crate::tool::Toolbox;

/// A test.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    pub name: String,
    pub(crate) place: Place,
    pub(crate) parameters: Parameters,
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) outcome: Outcome,
}

/// A call that is expected, with its answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exchange {
    pub(crate) place: Place,
    pub(crate) tool: String,
    pub(crate) arguments: Option<Value>,
    pub(crate) answer: Answer,
    pub(crate) times: u32,
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    pub name: String,
    pub line: usize,
    pub calls: usize,
    pub outcome: Option<Outcome>,
    /// Empty: it came out as it says.
    pub problems: Vec<Problem>,
}

impl Verdict {
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.problems.is_empty()
    }
}

impl Trial {
    /// Play it.
    #[must_use]
    pub fn run(&self, runbook: &Runbook, tools: &Toolbox) -> Verdict {
        let mut verdict =
            Verdict { name: self.name.clone(), line: self.place.line, calls: 0, outcome: None, problems: Vec::new() };
        let mut runner = match Runner::new(runbook, &self.parameters, tools) {
            Ok(runner) => runner,
            Err(problems) => {
                verdict.problems = problems.0;
                return verdict;
            }
        };
        let mut expected: VecDeque<(&Exchange, u32)> =
            self.exchanges.iter().map(|exchange| (exchange, exchange.times)).collect();
        let mut now_ms = 0;
        loop {
            match runner.next(now_ms) {
                Next::Wait { ms } => now_ms += ms.max(1),
                Next::Ended(outcome) => {
                    verdict.outcome = Some(outcome);
                    break;
                }
                Next::Call(call) => match self.answer(&mut expected, &call) {
                    Ok(answer) => {
                        verdict.calls += 1;
                        runner.answered(answer, now_ms);
                    }
                    Err(problem) => {
                        verdict.problems.push(problem);
                        return verdict;
                    }
                },
            }
        }
        if let Some((exchange, times)) = expected.front() {
            let message = format!("`{}` was expected {times} more times, and was not called", exchange.tool);
            verdict.problems.push(Problem::new(exchange.place, message));
        }
        if verdict.outcome != Some(self.outcome) {
            let (is, expected) = (verdict.outcome.map_or("", Outcome::name), self.outcome.name());
            let message = format!("it ended as `{is}`, and `{expected}` was expected: {}", runner.summary());
            verdict.problems.push(Problem::new(self.place, message));
        }
        verdict
    }

    fn answer(&self, expected: &mut VecDeque<(&Exchange, u32)>, call: &Call) -> Result<Answer, Problem> {
        let role = match call.role {
            Role::Step => "",
            Role::Verify => " (verify)",
            Role::Undo => " (undo)",
        };
        let called = format!("the step `{}`{role} called `{}` with {}", call.step, call.tool, call.arguments);
        let Some((exchange, times)) = expected.front_mut() else {
            return Err(Problem::new(self.place, format!("{called}, and no more calls were expected")));
        };
        let is_other = exchange.tool != call.tool;
        if is_other || exchange.arguments.as_ref().is_some_and(|arguments| *arguments != call.arguments) {
            let arguments =
                exchange.arguments.as_ref().map(|arguments| format!(" with {arguments}")).unwrap_or_default();
            let message = format!("{called}, and `{}`{arguments} was expected", exchange.tool);
            return Err(Problem::new(exchange.place, message));
        }
        let answer = exchange.answer.clone();
        *times -= 1;
        if *times == 0 {
            expected.pop_front();
        }
        Ok(answer)
    }
}
