//! What the gatekeeper answers.

use serde::{Deserialize, Serialize};

use super::effect::Effect;
use super::install::Plan;

/// What happens to an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Allow,
    /// A person decides.
    Ask,
    Deny,
}

/// A named reason for risk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The id of the rule, or of what the gate found by itself (`opaque_code`, `unknown_program`).
    pub name: String,
    /// Added to the score.
    pub points: u8,
    /// What was seen, in words.
    pub detail: String,
}

/// The answer to one act, with all that a person or an agent needs to understand it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub verdict: Verdict,
    /// 0 to 100: the sum of the evidence's points, 100 at most. Of a script: of the riskiest of its
    /// pipelines, whose evidence comes first.
    pub risk: u8,
    pub evidence: Vec<Evidence>,
    /// The ids of the rules that matched, the one that decided first.
    pub rules: Vec<String>,
    /// Why, in a sentence. Empty for a plain allow.
    pub reason: String,
    /// A safer way. Empty if there is nothing to say.
    pub advice: String,
    /// What was hidden in it and runs as code, decoded; some of it, where there is much.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decoded: Vec<String>,
    /// What the commands in it would do; some of it, where there is much.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<Effect>,
    /// The packages that it would install, to be looked up by who can.
    #[serde(skip)]
    pub installs: Vec<Plan>,
}

impl Decision {
    /// Allowed, and nothing to say about it. Makes no allocation: most decisions are this one.
    #[must_use]
    pub fn allow() -> Self {
        Self {
            verdict: Verdict::Allow,
            risk: 0,
            evidence: Vec::new(),
            rules: Vec::new(),
            reason: String::new(),
            advice: String::new(),
            decoded: Vec::new(),
            effects: Vec::new(),
            installs: Vec::new(),
        }
    }
}
