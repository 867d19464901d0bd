//! What other commands ask of the host that runs: they write a request, the host picks it up within
//! a second, and its answer is written beside it.

use serde::Serialize;
use serde_json::Value;

/// A request to be left.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRequest {
    /// What is asked, in the vocabulary of whoever serves it: `tool_call`, `approve`, `stop`.
    pub kind: String,
    pub payload: Value,
    /// Whether doing it twice is harmless: only then it is done again when the host that had
    /// claimed it died.
    pub is_idempotent: bool,
    /// So long from now on. A host that comes later does not do it any more: who asked has gone away.
    pub valid_ms: u64,
}

/// A request that the host has claimed and has to answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub id: String,
    pub kind: String,
    pub payload: Value,
    pub created_ms: u64,
}

/// What has become of a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "state", content = "response", rename_all = "snake_case")]
pub enum Outcome {
    /// No host has taken it yet.
    Waiting,
    /// The host is at it.
    Claimed,
    Answered(Value),
    /// The host that had claimed it died: it may have been done.
    Unknown,
    /// Nobody took it in time; it was not done and will not be.
    Withdrawn,
}

/// What came of waiting for an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Response(Value),
    /// The host had taken it, and died or did not answer in time: it may have been done.
    Unknown,
    /// No host took it; it was not done and will not be.
    Withdrawn,
}
