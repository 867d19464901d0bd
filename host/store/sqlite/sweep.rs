//! Payloads that no row refers to any more: what pruning leaves behind.
//!
//! A payload may be shared by sessions, and may itself refer to others. Which ones are in use is looked for within the
//! transaction that removes the rest, so that nothing can begin to refer to one meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::Executor as _;

use super::SqliteStore;
use crate::store::{Lease, StoreError};

/// How a reference looks in the text of a body or a payload, before the 64 digits. What merely looks like one keeps
/// a payload that could go, which is no harm.
const REFERENCE: &str = "\"$blob\":\"";
const DIGITS: usize = 64;

impl SqliteStore {
    pub(super) async fn remove_unused_blobs(&self, lease: &Lease) -> Result<u64, StoreError> {
        let of = |error| self.failures.of(error);
        let mut writer = self.writer.lock().await;
        writer.settle().await.map_err(of)?;
        let mut transaction = writer.begin_fenced(lease).await.map_err(|error| self.fenced(lease, error))?;
        let bodies: Vec<String> = sqlx::query_scalar("SELECT CAST(body AS TEXT) FROM entries WHERE INSTR(body, ?) > 0")
            .bind(REFERENCE)
            .fetch_all(&mut *transaction)
            .await
            .map_err(of)?;
        let nested: Vec<(String, String)> =
            sqlx::query_as("SELECT sha256, CAST(json AS TEXT) FROM blobs WHERE INSTR(json, ?) > 0")
                .bind(REFERENCE)
                .fetch_all(&mut *transaction)
                .await
                .map_err(of)?;
        let nested = nested.into_iter().collect();
        let used = used(&bodies, &nested);
        let all: Vec<String> =
            sqlx::query_scalar("SELECT sha256 FROM blobs").fetch_all(&mut *transaction).await.map_err(of)?;
        let mut removed = 0;
        for sha256 in all.iter().filter(|sha256| !used.contains(sha256.as_str())) {
            let done = sqlx::query("DELETE FROM blobs WHERE sha256 = ?").bind(sha256).execute(&mut *transaction);
            removed += done.await.map_err(of)?.rows_affected();
        }
        transaction.commit().await.map_err(of)?;
        // What was removed shall not stay readable in the write-ahead log either. Where somebody reads beside it, the
        // next checkpoint does it.
        let _ = writer.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
        Ok(removed)
    }
}

/// What the bodies refer to, and what that refers to in turn.
fn used<'t>(bodies: &'t [String], nested: &'t BTreeMap<String, String>) -> BTreeSet<&'t str> {
    let mut used = BTreeSet::new();
    let mut next: Vec<&str> = bodies.iter().flat_map(|body| references(body)).collect();
    while let Some(sha256) = next.pop() {
        if used.insert(sha256)
            && let Some(text) = nested.get(sha256)
        {
            next.extend(references(text));
        }
    }
    used
}

fn references(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices(REFERENCE).filter_map(|(at, found)| {
        let begin = at + found.len();
        text.get(begin..begin + DIGITS)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_of_a_payload_is_in_use() {
        let (a, b, c) = ("a".repeat(64), "b".repeat(64), "c".repeat(64));
        let body = |sha256: &str| format!("{{\"x\":{{\"$blob\":\"{sha256}\",\"bytes\":1}}}}");
        let nested = BTreeMap::from([(a.clone(), body(&b)), (c.clone(), body(&a))]);
        let bodies = [body(&a)];
        assert_eq!(used(&bodies, &nested), BTreeSet::from([a.as_str(), b.as_str()]));
        assert_eq!(references("\"$blob\":\"short").count(), 0);
    }
}
