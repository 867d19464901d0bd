//! The way from a text to a decision, for people: what was read, what it carries, what was found.

use serde::Serialize;

use super::decision::Decision;

/// Steps that are kept. Danger: a loop of ten thousand commands, each with its findings.
pub(super) const STEPS_MAX: usize = 2_000;

/// How a command was read, and what it came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trace {
    pub steps: Vec<Step>,
    pub decision: Decision,
}

/// One step; those that follow from it stand behind it, one level deeper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    pub depth: usize,
    /// `pipeline`, `command`, what a command `carries`, `decoded` text, `effect`, `finding`.
    pub kind: &'static str,
    pub text: String,
    /// Of a pipeline: where it stands in the text, from and to, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<(usize, usize)>,
    /// Of a finding.
    #[serde(skip_serializing_if = "is_zero")]
    pub points: u8,
}

fn is_zero(points: &u8) -> bool {
    *points == 0
}
