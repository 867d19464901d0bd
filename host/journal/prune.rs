//! Retention: the entries of sessions that ended long ago are removed, whole sessions at a time.
//!
//! What stays is a session's place in the chain over the sessions, and an entry that says how many entries there
//! were, with which hash they ended, and when they were removed. These entries stand in sessions of the host's own,
//! which are never removed: so a session that somebody has cut out is told from one that was pruned. An entry that
//! says so and the removal are one transaction. What is open, or does not verify, is left alone.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::session::entries;
use super::{Body, Journal, JournalError, OpenChains, verify};
use crate::store::{OPEN, PRUNED, SessionRecord, Store};

/// Of the id of a session that says what was pruned, and who its agent is. No agent of `pi.toml` has that name.
pub const PRUNING: &str = "prune";
const HOST: &str = "host";

/// What is known of a session whose entries were removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// When they were removed.
    pub time_ms: u64,
    pub entries: u64,
    /// The hash of the last of them.
    pub hash: String,
    pub status: String,
}

/// What pruning came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruning {
    pub pruned: Vec<Candidate>,
    /// Those that could go and were left, with the reason.
    pub left: Vec<(String, String)>,
    /// Large payloads that nobody refers to any more.
    pub payloads: u64,
    /// Agents' components that no session needs any more.
    pub components: usize,
}

/// A session that is old enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    pub session: String,
    pub agent: String,
    pub status: String,
    pub ended_ms: u64,
}

/// Whether a session is one that says what was pruned.
fn is_pruning(record: &SessionRecord) -> bool {
    record.agent == HOST && record.id.strip_prefix(PRUNING).is_some_and(|rest| rest.starts_with('-'))
}

/// The sessions that ended before a time: those that pruning would remove.
///
/// # Errors
/// The store failed.
pub async fn prunable(store: &dyn Store, before_ms: u64) -> Result<Vec<Candidate>, JournalError> {
    let all = store.sessions().await?.into_iter();
    let whole = all.filter(|record| record.status != OPEN && record.status != PRUNED && !is_pruning(record));
    let candidate = |record: SessionRecord| {
        let ended_ms = record.ended_ms.filter(|ended_ms| *ended_ms < before_ms)?;
        Some(Candidate { session: record.id, agent: record.agent, status: record.status, ended_ms })
    };
    Ok(whole.filter_map(candidate).collect())
}

/// What the journal says was pruned, by session.
///
/// # Errors
/// The store failed, or an entry cannot be read.
pub async fn tombstones(store: &dyn Store) -> Result<HashMap<String, Tombstone>, JournalError> {
    let mut found = HashMap::new();
    for record in store.sessions().await?.iter().filter(|record| is_pruning(record)) {
        for entry in entries(store, &record.id).await? {
            if let Body::SessionPruned { session, entries, hash, status, .. } = entry.body {
                found.insert(session, Tombstone { time_ms: entry.time_ms, entries, hash, status });
            }
        }
    }
    Ok(found)
}

impl Journal {
    /// Remove the entries of all sessions that ended before a time. `id` is the session that will say so. It ends early
    /// when `is_stopping` says so.
    ///
    /// # Errors
    /// The store failed. What was removed until then is in the journal.
    pub async fn prune(
        &self,
        before_ms: u64,
        id: &str,
        by: &str,
        is_stopping: &(dyn Fn() -> bool + Sync),
    ) -> Result<Pruning, JournalError> {
        let mut pruning = Pruning::default();
        // Begun with the first that can go: looks that come to nothing leave no trace.
        let mut audit = None;
        for candidate in prunable(self.store().as_ref(), before_ms).await? {
            if is_stopping() {
                break;
            }
            // Nobody takes it up or forks it between the look and the removal.
            let mut open = self.open.lock().await;
            let (entries, hash) = match self.removable(&candidate, &open).await? {
                Ok(extent) => extent,
                Err(why) => {
                    pruning.left.push((candidate.session, why));
                    continue;
                }
            };
            let audit = match &audit {
                Some(audit) => audit,
                None => {
                    let begun = self.session_in(id, &mut open).await?;
                    let task = json!({ "prune": { "ended_before_ms": before_ms, "by": by } });
                    let (component, policy) = <(String, String)>::default();
                    begun.append_durable(Body::SessionStarted { agent: HOST.into(), component, task, policy }).await?;
                    audit.insert(begun)
                }
            };
            let Candidate { session, status, ended_ms, .. } = candidate.clone();
            audit.append(Body::SessionPruned { session, entries, hash, status, ended_ms });
            audit.outlive().await?;
            pruning.pruned.push(candidate);
        }
        let Some(audit) = audit else { return Ok(pruning) };
        pruning.payloads = self.store().sweep_blobs(self.lease()).await?;
        let summary = format!("{} sessions pruned, {} left", pruning.pruned.len(), pruning.left.len());
        let left: Value = pruning.left.iter().map(|(id, why)| json!({ "session": id, "why": why })).collect();
        let details = json!({ "payloads": pruning.payloads, "left": left });
        audit.append_durable(Body::SessionEnded { status: "done".into(), summary, details }).await?;
        Ok(pruning)
    }

    /// How many entries a session has and the hash of the last; or why it has to stay.
    async fn removable(
        &self,
        candidate: &Candidate,
        open: &OpenChains,
    ) -> Result<Result<(u64, String), String>, JournalError> {
        let id = &candidate.session;
        if open.get(id).is_some_and(|chain| chain.strong_count() > 0) {
            return Ok(Err("it is still at work".into()));
        }
        let record = self.store().session(id).await?;
        if record.is_none_or(|record| record.status != candidate.status) {
            return Ok(Err("it was taken up again".into()));
        }
        let reports = verify(self.store().as_ref(), Some(id)).await?;
        if let Some(problem) = reports.iter().flat_map(|report| &report.problems).next() {
            // It is what shows that somebody has changed it.
            return Ok(Err(format!("its journal does not hold: {}", problem.detail)));
        }
        let head = self.store().head(id).await?;
        Ok(head.map(|head| (head.entries, head.hash)).ok_or_else(|| "its head is gone".to_owned()))
    }
}
