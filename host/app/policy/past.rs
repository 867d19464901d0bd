//! Past decisions: judged again under another policy, and as a shadow policy saw them.

use serde::Serialize;

use crate::capability::hold::{HANDED_OVER, HELD};
use crate::clock;
use crate::gate::{Act, Decision, Gate, Origin, Verdict};
use crate::journal::{Body, Entry, JournalError, entries};
use crate::store::Store;

/// What a policy makes of past acts.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Replayed {
    /// Acts that were judged again.
    pub decisions: u64,
    pub changed: Vec<Change>,
}

/// An act that would be decided otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    pub session: String,
    pub sequence: u64,
    pub time: String,
    pub agent: String,
    pub action: String,
    pub was: Verdict,
    pub is: Verdict,
    pub was_rules: Vec<String>,
    pub is_rules: Vec<String>,
    pub reason: String,
}

/// What a shadow policy would have decided otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Shadowed {
    pub changed: Vec<Change>,
}

/// One decision of the journal.
pub(super) struct Decided {
    pub act: Act,
    pub origin: Origin,
    pub decision: Decision,
}

/// Judge the acts of the journal again; of one session, or of all.
///
/// # Errors
/// The store failed, or an entry cannot be read.
pub async fn replay(store: &dyn Store, gate: &Gate, session: Option<&str>) -> Result<Replayed, JournalError> {
    let mut replayed = Replayed::default();
    for id in sessions(store, session).await? {
        let mut agent = String::new();
        for entry in entries(store, &id).await? {
            if let Body::SessionStarted { agent: name, .. } = &entry.body {
                agent.clone_from(name);
            }
            let Some(decided) = decided(&entry, &agent) else { continue };
            replayed.decisions += 1;
            let now = gate.decide_at(&decided.act, &decided.origin, entry.time_ms);
            if now.verdict != decided.decision.verdict {
                replayed.changed.push(change(&entry, &decided.act, &decided.origin, &decided.decision, &now));
            }
        }
    }
    Ok(replayed)
}

/// What the journal says of a shadow policy.
///
/// # Errors
/// The store failed, or an entry cannot be read.
pub async fn shadowed(store: &dyn Store) -> Result<Shadowed, JournalError> {
    let mut shadowed = Shadowed::default();
    for id in sessions(store, None).await? {
        for entry in entries(store, &id).await? {
            if let Body::Shadowed { act, origin, decision, shadow, .. } = &entry.body {
                shadowed.changed.push(change(&entry, act, origin, decision, shadow));
            }
        }
    }
    Ok(shadowed)
}

pub(super) async fn sessions(store: &dyn Store, only: Option<&str>) -> Result<Vec<String>, JournalError> {
    let all = store.sessions().await?.into_iter().map(|session| session.id);
    let found: Vec<String> = all.filter(|id| only.is_none_or(|only| only == id)).collect();
    match only {
        Some(only) if found.is_empty() => {
            Err(JournalError(format!("there is no session (`pi-host session list` has them): {only}")))
        }
        _ => Ok(found),
    }
}

/// The decision that an entry holds. One that was made by who holds a service, and not by the policy, is none.
pub(super) fn decided(entry: &Entry, agent: &str) -> Option<Decided> {
    let decided = match &entry.body {
        Body::EffectStarted { act, origin, decision, .. } | Body::Refused { act, origin, decision, .. } => {
            Decided { act: act.clone(), origin: origin.clone(), decision: decision.clone() }
        }
        Body::CallStarted { tool, arguments, effect, idempotent, decision, .. } => Decided {
            act: Act::ToolCall {
                tool: tool.clone(),
                effect: *effect,
                idempotent: *idempotent,
                arguments: arguments.clone(),
            },
            origin: Origin { session: entry.session.clone(), agent: agent.to_owned(), plugin: String::new() },
            decision: decision.clone(),
        },
        _ => return None,
    };
    let is_of_policy = !decided.decision.rules.iter().any(|rule| rule == HELD || rule == HANDED_OVER);
    is_of_policy.then_some(decided)
}

fn change(entry: &Entry, act: &Act, origin: &Origin, was: &Decision, is: &Decision) -> Change {
    Change {
        session: entry.session.clone(),
        sequence: entry.sequence,
        time: clock::rfc3339(entry.time_ms),
        agent: origin.agent.clone(),
        action: act.summary(),
        was: was.verdict,
        is: is.verdict,
        was_rules: was.rules.clone(),
        is_rules: is.rules.clone(),
        reason: is.reason.clone(),
    }
}
