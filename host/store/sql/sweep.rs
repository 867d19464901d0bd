//! Payloads that no row refers to any more: what pruning leaves behind.
//!
//! A payload may be shared by sessions, and may itself refer to others. Which ones are in use is looked for within the
//! transaction that removes the rest, so that nothing can begin to refer to one meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use super::attempts::Attempts;
use super::{Cells, Database, SqlStore, Statement, Transaction, ended};
use crate::store::{Lease, StoreError};

/// How a reference looks in the text of a body or a payload, before the 64 digits. What merely looks like one keeps
/// a payload that could go, which is no harm.
const REFERENCE: &str = "\"$blob\":\"";
const DIGITS: usize = 64;

impl<D: Database> SqlStore<D> {
    pub(super) async fn remove_unused_blobs(&self, lease: &Lease) -> Result<u64, StoreError> {
        let mut attempts = Attempts::new();
        let removed = loop {
            let result = match self.begin_fenced(lease).await {
                Ok(mut transaction) => {
                    let removed = remove_unused(&mut transaction).await;
                    ended(transaction, removed).await
                }
                Err(error) => Err(error),
            };
            match result {
                // Done twice it removes nothing more.
                Err(error) if attempts.repeat(&error).await => {}
                result => break result?,
            }
        };
        self.database.forget_removed().await;
        Ok(removed)
    }
}

async fn remove_unused(transaction: &mut impl Transaction) -> Result<u64, StoreError> {
    let reference = format!("%{REFERENCE}%");
    let text = |mut row: Cells| row.text();
    let bodies = Statement::new("SELECT CAST(body AS TEXT) FROM entries WHERE body LIKE ?").bind(reference.clone());
    let bodies = transaction.fetch(&bodies).await?.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let nested = Statement::new("SELECT sha256, CAST(json AS TEXT) FROM blobs WHERE json LIKE ?").bind(reference);
    let pair = |mut row: Cells| Ok((row.text()?, row.text()?));
    let nested =
        transaction.fetch(&nested).await?.into_iter().map(pair).collect::<Result<BTreeMap<_, _>, StoreError>>()?;
    let all = transaction.fetch(&Statement::new("SELECT sha256 FROM blobs")).await?;
    let all = all.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let used = used(&bodies, &nested);
    let mut removed = 0;
    for sha256 in all.iter().filter(|sha256| !used.contains(sha256.as_str())) {
        let statement = Statement::new("DELETE FROM blobs WHERE sha256 = ?").bind(sha256.as_str());
        removed += transaction.execute(&statement).await?;
    }
    Ok(removed)
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
