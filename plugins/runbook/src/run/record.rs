//! What a run says and hears: calls, answers, what became of each step, how it ended.

use serde::Serialize;
use serde_json::Value;

use crate::runbook::{Runbook, Step};

/// What to do now.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    Call(Call),
    /// Wait, then ask again.
    Wait {
        ms: u64,
    },
    Ended(Outcome),
}

/// A call of a tool, with final arguments.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Call {
    pub step: String,
    pub role: Role,
    pub tool: String,
    pub arguments: Value,
    pub is_change: bool,
    /// A person is to be asked before it, whatever the gate would allow.
    pub must_ask: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Step,
    Verify,
    Undo,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Done(Value),
    Failed(String),
    /// Not done: by policy, or by a person.
    Refused(String),
    /// It was begun, and may have taken effect.
    Unknown(String),
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Never begun.
    Left,
    Skipped,
    Done,
    Failed,
    Refused,
    Unknown,
    Proposed,
}

impl State {
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Skipped => "skipped",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Proposed => "proposed",
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every step was done, or was not needed.
    Done,
    /// No change was needed.
    NothingToDo,
    /// A step failed, and the runbook went on.
    Incomplete,
    /// What it would change is for a person to do.
    Proposed,
    /// A step failed, and what was changed before stands.
    Stopped,
    /// A step failed, and everything that was changed was taken back.
    Undone,
    /// A step failed, and not everything could be taken back.
    UndoFailed,
}

/// How an outcome is to be told by an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Done,
    NothingToDo,
    /// A person goes on.
    Escalated,
}

impl Outcome {
    pub(crate) const ALL: [(&'static str, Self); 7] = [
        ("done", Self::Done),
        ("nothing_to_do", Self::NothingToDo),
        ("incomplete", Self::Incomplete),
        ("proposed", Self::Proposed),
        ("stopped", Self::Stopped),
        ("undone", Self::Undone),
        ("undo_failed", Self::UndoFailed),
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, own)| *own == self).map_or("", |(name, _)| name)
    }

    #[must_use]
    pub fn status(self) -> Status {
        match self {
            Self::Done => Status::Done,
            Self::NothingToDo => Status::NothingToDo,
            _ => Status::Escalated,
        }
    }
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    pub id: String,
    pub title: String,
    pub tool: String,
    /// As far as they were known.
    pub arguments: Option<Value>,
    pub state: State,
    pub why: Option<String>,
    pub is_change: bool,
    /// Its change was made.
    pub is_made: bool,
    pub is_undone: bool,
    pub undo_error: Option<String>,
    /// Of its verification: in a row, and all.
    pub looks: Option<(u32, u32)>,
    pub begun_ms: Option<u64>,
    pub ended_ms: Option<u64>,
}

impl Record {
    pub(super) fn of(step: &Step, is_change: bool) -> Self {
        Self {
            id: step.id.clone(),
            title: step.title.clone(),
            tool: step.act.tool.clone(),
            arguments: None,
            state: State::Left,
            why: None,
            is_change,
            is_made: false,
            is_undone: false,
            undo_error: None,
            looks: None,
            begun_ms: None,
            ended_ms: None,
        }
    }
}

pub(super) fn summary(runbook: &Runbook, outcome: Option<Outcome>, records: &[Record]) -> String {
    let count = |is: fn(&Record) -> bool| records.iter().filter(|record| is(record)).count();
    let name = &runbook.name;
    let (done, skipped) = (count(|it| it.state == State::Done), count(|it| it.state == State::Skipped));
    let of_all = format!("{done} of {} steps done, {skipped} not needed", records.len());
    let failed: Vec<String> = records
        .iter()
        .filter(|record| matches!(record.state, State::Failed | State::Refused | State::Unknown))
        .map(|record| {
            let why = record.why.as_deref().unwrap_or_default();
            format!("the step `{}` {}: {why}", record.id, words(record.state))
        })
        .collect();
    let failed = failed.join("; ");
    match outcome {
        None => format!("Runbook `{name}` is under way: {of_all}."),
        Some(Outcome::Done) => format!("Runbook `{name}`: {of_all}."),
        Some(Outcome::NothingToDo) => format!("Runbook `{name}`: nothing had to be changed."),
        Some(Outcome::Incomplete) => format!("Runbook `{name}`: {of_all}; it went on although {failed}."),
        Some(Outcome::Proposed) => {
            let steps: Vec<_> =
                records.iter().filter(|it| it.state == State::Proposed).map(|it| it.id.as_str()).collect();
            format!("Runbook `{name}` changed nothing and proposes: {}.", steps.join(", "))
        }
        Some(Outcome::Stopped) => {
            let made: Vec<_> = records.iter().filter(|it| it.is_made).map(|it| it.id.as_str()).collect();
            let made = if made.is_empty() {
                "nothing was changed".into()
            } else {
                format!("what stands: {}", made.join(", "))
            };
            format!("Runbook `{name}` stopped: {failed}; {made}.")
        }
        Some(Outcome::Undone) => format!("Runbook `{name}` took everything back: {failed}."),
        Some(Outcome::UndoFailed) => {
            let left: Vec<String> = records
                .iter()
                .filter_map(|record| record.undo_error.as_ref().map(|why| format!("`{}` ({why})", record.id)))
                .collect();
            format!("Runbook `{name}` failed: {failed}; and what could not be taken back: {}.", left.join(", "))
        }
    }
}

fn words(state: State) -> &'static str {
    match state {
        State::Refused => "was refused",
        State::Unknown => "has an unknown outcome",
        _ => "failed",
    }
}
