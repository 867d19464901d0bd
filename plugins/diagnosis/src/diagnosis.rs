//! The answer: a root cause with its confidence, the hypotheses that it won against, what was missing, what to do.

use serde::Serialize;

use crate::cause::Cause;
use crate::knowledge::Act;

/// What an incident most probably is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diagnosis {
    pub root_cause: Cause,
    /// 0 to 0.99.
    pub confidence: f64,
    /// What is sick, or was said to be.
    pub target: String,
    /// The most likely first.
    pub hypotheses: Vec<Hypothesis>,
    /// Evidence that is missing: never a sign of health.
    pub gaps: Vec<String>,
    pub actions: Vec<Action>,
    /// What people should know about the cause.
    #[serde(skip)]
    pub advice: String,
    /// What was looked at and is not it, with why.
    #[serde(skip)]
    pub ruled_out: Vec<String>,
}

/// One root cause with its case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hypothesis {
    pub root_cause: Cause,
    pub confidence: f64,
    #[serde(rename = "for")]
    pub favour: Vec<String>,
    pub against: Vec<String>,
}

/// What could be done about it. Nothing here does it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Action {
    pub act: Act,
    pub target: String,
    pub why: String,
    pub is_reversible: bool,
}
