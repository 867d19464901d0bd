//! What people's answers teach: acts that were asked about again and again, and always allowed.
//!
//! It only proposes. What is proposed never reaches further than what people have agreed to: the
//! same program and subcommand, or the same tool, of the same rules.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::approval::{Pending, State, all};
use crate::gate::Act;
use crate::store::{Store, StoreError};

/// So many yeses, by people, and no no, before anything is proposed.
const YESES_MIN: usize = 3;
/// Findings about what the policy does not know of a program: these a line in `programs` answers.
const UNKNOWN: &[&str] = &["unknown_program", "changes_state"];

/// A change of the policy that people's answers speak for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Proposal {
    /// What was asked about, in words.
    pub what: String,
    /// The rules that asked.
    pub rules: Vec<String>,
    pub approved: usize,
    /// Who approved it.
    pub by: Vec<String>,
    /// What to write into the policy, and where.
    pub place: String,
    pub change: Value,
    /// Approvals that speak for it.
    pub approvals: Vec<String>,
}

#[derive(Default)]
struct Answers<'a> {
    yes: Vec<&'a Pending>,
    no: usize,
}

/// Read the approvals of a store.
///
/// # Errors
/// The store failed.
pub async fn learn(store: &dyn Store) -> Result<Vec<Proposal>, StoreError> {
    let found = all(store).await?;
    let mut groups: BTreeMap<(String, Vec<String>), Answers<'_>> = BTreeMap::new();
    for pending in found.iter().filter(|pending| pending.edited.is_none()) {
        let mut rules = pending.decision.rules.clone();
        rules.sort();
        let answers = groups.entry((kind(&pending.act), rules)).or_default();
        match pending.state {
            State::Granted | State::Used => answers.yes.push(pending),
            State::Denied => answers.no += 1,
            State::Waiting | State::Withdrawn | State::Edited => {}
        }
    }
    let ready = groups.into_iter().filter(|(_, answers)| answers.no == 0 && answers.yes.len() >= YESES_MIN);
    Ok(ready.map(|((what, rules), answers)| proposal(what, rules, &answers.yes)).collect())
}

fn proposal(what: String, rules: Vec<String>, yes: &[&Pending]) -> Proposal {
    let mut by: Vec<String> = yes.iter().flat_map(|pending| pending.deciders()).collect();
    by.sort();
    by.dedup();
    let is_unknown = !rules.is_empty() && rules.iter().all(|rule| UNKNOWN.contains(&rule.as_str()));
    let words: Vec<&str> = what.split(' ').collect();
    let (place, change) = match words.as_slice() {
        [program, verbs @ ..] if is_unknown && !program.starts_with('`') => {
            let verbs = if verbs.is_empty() { json!(["-"]) } else { json!([verbs.join(" ")]) };
            ("programs".to_owned(), json!({ "names": [program], "read": [], "write": verbs }))
        }
        _ => (
            format!("rules: {}", rules.join(", ")),
            json!({ "hint": "see whether their points are too many, or their conditions too wide, for this" }),
        ),
    };
    Proposal {
        what,
        rules,
        approved: yes.len(),
        by,
        place,
        change,
        approvals: yes.iter().map(|pending| pending.id.clone()).collect(),
    }
}

/// What two acts have in common when a person would call them the same.
fn kind(act: &Act) -> String {
    match act {
        Act::ProcessRun { argv, .. } => {
            let program = argv.first().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
            let verb = argv
                .get(1)
                .filter(|word| !word.starts_with('-') && word.chars().all(|c| c.is_alphanumeric() || c == '-'));
            verb.map_or_else(|| program.to_owned(), |verb| format!("{program} {verb}"))
        }
        Act::ToolCall { tool, .. } => format!("`{tool}`"),
        other => format!("`{}`", other.name()),
    }
}
