//! The agent `runbook`: drives the runner of `pi-runbook` with the tools of its session, and keeps the account from
//! which the report is written.
//!
//! The runner decides, this crate calls. It has no clock but the journal's, so that a session that was cut off is run
//! again from its journal. `account.rs` is what it tells of itself (docs/incidents.md has the form).

mod account;

use account::Account;
use pi_runbook::{Answer, Call, Effect, Next, Parameters, Runbook, Runner, Status, Tool, Toolbox};
use pi_sdk::{AgentPlugin, Content, Error, Outcome, Task, Value, logging, session, tools};
use serde::Deserialize;

/// What the host gives.
#[derive(Deserialize)]
struct Input {
    runbook: Source,
    #[serde(default)]
    parameters: Parameters,
    #[serde(default)]
    alert: Value,
}

#[derive(Deserialize)]
struct Source {
    name: String,
    text: String,
}

struct Agent;

impl AgentPlugin for Agent {
    fn run(task: Task) -> Result<Outcome, String> {
        let input: Input =
            serde_json::from_str(&task.input).map_err(|error| format!("the input makes no sense: {error}"))?;
        let name = &input.runbook.name;
        let wrong = |problems: pi_runbook::Problems| format!("the runbook `{name}` cannot be run: {problems}");
        let runbook = Runbook::parse(name, &input.runbook.text).map_err(wrong)?;
        let mut runner = Runner::new(&runbook, &input.parameters, &toolbox()).map_err(wrong)?;
        let mut account = Account::new(task.id, input.alert);
        loop {
            match runner.next(session::now()) {
                Next::Ended(outcome) => {
                    let status = match outcome.status() {
                        Status::Done => pi_sdk::Status::Done,
                        Status::NothingToDo => pi_sdk::Status::NothingToDo,
                        Status::Escalated => pi_sdk::Status::Escalated,
                    };
                    let details = account.details(&runner, outcome).to_string();
                    return Ok(Outcome { status, summary: runner.summary(), details });
                }
                Next::Wait { ms } => session::sleep(u32::try_from(ms).unwrap_or(u32::MAX)),
                Next::Call(call) => {
                    let answer = called(&call);
                    let now_ms = session::now();
                    account.called(&call, &answer, now_ms);
                    runner.answered(answer, now_ms);
                    account.saw(&runner, &call, now_ms);
                }
            }
        }
    }
}

pi_sdk::agent!(Agent);

fn toolbox() -> Toolbox {
    let tools = tools::available().into_iter().map(|tool| {
        let effect = match tool.effect {
            pi_sdk::Effect::Read => Effect::Read,
            pi_sdk::Effect::Write => Effect::Write,
            pi_sdk::Effect::Destructive => Effect::Destructive,
        };
        // A schema that cannot be read is the host's to enforce: here it allows anything.
        let schema = serde_json::from_str(&tool.input_schema).unwrap_or_default();
        (tool.name, Tool { effect, schema })
    });
    tools.collect()
}

fn called(call: &Call) -> Answer {
    if call.is_change {
        logging::log(logging::Level::Info, "runbook", &format!("{}: {} {}", call.step, call.tool, call.arguments));
    }
    let request = tools::Request { name: call.tool.clone(), arguments: call.arguments.to_string() };
    match tools::call(&[request]).into_iter().next() {
        Some(Ok(content)) => Answer::Done(value(content)),
        Some(Err(Error::Refused(it))) => {
            let advice = if it.advice.is_empty() { String::new() } else { format!("; advice: {}", it.advice) };
            Answer::Refused(format!("{}: by the rule `{}`: {}{advice}", it.action, it.rule, it.reason))
        }
        Some(Err(Error::Unknown(text))) => Answer::Unknown(text),
        Some(Err(Error::NotFound(text) | Error::Failed(text) | Error::InvalidArguments(text) | Error::Limit(text))) => {
            Answer::Failed(text)
        }
        None => Answer::Unknown("the host gave no answer".into()),
    }
}

/// The JSON document of a result, or else its text.
fn value(content: Vec<Content>) -> Value {
    let mut text = String::new();
    for part in content {
        match part {
            Content::Json(json) => return serde_json::from_str(&json).unwrap_or(Value::String(json)),
            Content::Text(part) => text.push_str(&part),
            Content::Blob(_) => {}
        }
    }
    Value::String(text)
}
