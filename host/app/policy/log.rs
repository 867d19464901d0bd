//! The decision log, in the form that Open Policy Agent writes, read off the journal.
//!
//! Source of the form: <https://www.openpolicyagent.org/docs/management-decision-logs>.

use serde::Serialize;
use serde_json::{Value, json};

use super::past::{decided, sessions};
use crate::clock;
use crate::gate::Decision;
use crate::journal::{Body, JournalError, entries};
use crate::store::Store;

/// One decision.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Logged {
    /// The session and the entry's number in it: `session show` has its surroundings.
    pub decision_id: String,
    pub timestamp: String,
    /// `pi/` and the name of the act.
    pub path: String,
    pub labels: Value,
    /// The revision of the policy in force when the session began.
    pub bundles: Value,
    pub requested_by: String,
    pub input: Value,
    pub result: Decision,
}

/// The decisions of one session, or of all, the oldest first.
///
/// # Errors
/// The store failed, or an entry cannot be read.
pub async fn log(store: &dyn Store, session: Option<&str>) -> Result<Vec<Logged>, JournalError> {
    let mut all = Vec::new();
    for id in sessions(store, session).await? {
        let (mut agent, mut revision) = (String::new(), String::new());
        for entry in entries(store, &id).await? {
            if let Body::SessionStarted { agent: name, policy, .. } = &entry.body {
                agent.clone_from(name);
                revision.clone_from(policy);
            }
            let Some(decided) = decided(&entry, &agent) else { continue };
            all.push(Logged {
                decision_id: format!("{id}/{}", entry.sequence),
                timestamp: clock::rfc3339(entry.time_ms),
                path: format!("pi/{}", decided.act.name()),
                labels: json!({ "app": "pi-host", "session": id }),
                bundles: json!({ "policy": { "revision": revision } }),
                requested_by: decided.origin.agent.clone(),
                input: json!({ "action": decided.act, "origin": decided.origin }),
                result: decided.decision,
            });
        }
    }
    all.sort_by(|a, b| a.timestamp.cmp(&b.timestamp));
    Ok(all)
}
