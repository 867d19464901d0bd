//! How far agents may go by themselves, above all rules.

use serde::{Deserialize, Serialize};

use super::decision::{Decision, Evidence, Verdict};
use super::risk::Thresholds;

/// A bound on what the rules may allow. It never weakens what they refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Look only: whatever changes something is refused.
    Observe,
    /// Look, and say what one would do: a change is refused, and kept in the journal as a proposal.
    Propose,
    /// Each change is put to a person.
    Approve,
    /// The rules alone decide.
    #[default]
    Auto,
}

impl Profile {
    /// What the profile makes of a decision about an act that `changes` something or does not.
    pub(crate) fn bound(self, decision: &mut Decision, changes: bool, thresholds: Thresholds) {
        if !changes || self == Self::Auto || decision.verdict == Verdict::Deny {
            return;
        }
        let (name, verdict, reason, advice) = match self {
            Self::Observe => {
                ("profile_observe", Verdict::Deny, "nothing may be changed here", "look only, and report what you find")
            }
            Self::Propose => (
                "profile_propose",
                Verdict::Deny,
                "changes are proposed here, not made",
                "go on looking, and write into your report what you would do: the act is kept as a proposal",
            ),
            Self::Approve | Self::Auto => (
                "profile_approve",
                Verdict::Ask,
                "each change is put to a person here",
                "do what needs the fewest changes",
            ),
        };
        if verdict > decision.verdict {
            decision.verdict = verdict;
            decision.reason =
                if decision.reason.is_empty() { reason.to_owned() } else { format!("{reason}; {}", decision.reason) };
            decision.advice = advice.to_owned();
        }
        let points = if verdict == Verdict::Deny { 0 } else { thresholds.ask.saturating_sub(decision.risk) };
        decision.risk = decision.risk.saturating_add(points).min(100);
        decision.rules.insert(0, name.to_owned());
        decision.evidence.push(Evidence { name: name.to_owned(), points, detail: reason.to_owned() });
    }
}
