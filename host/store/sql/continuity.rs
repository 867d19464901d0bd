//! Whether a database still ends where this process left it, after its connection was lost.
//!
//! A commit whose answer was lost may or may not have happened, and a server that comes back may be
//! one that never had the newest entries: a stand-by, a backup. Linking to what is not there would
//! leave a gap that nobody could explain, so each chain is looked at again, once, before it grows.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Statement, Transaction};
use crate::store::{Batch, Head, LEDGER, StoreError};

/// Chains that are remembered as looked at. Danger: a host may have any number of sessions in its
/// life. Beyond this they are looked at again, which costs a query.
const LOOKED_AT_MAX: usize = 100_000;

/// Which chains were looked at since the connection was last made anew.
#[derive(Default)]
pub(super) struct Continuity {
    generation: u64,
    looked_at: HashSet<Arc<str>>,
}

impl Continuity {
    /// Whether `batch` may be written without a look.
    pub(super) fn is_sure(&mut self, generation: u64, batch: &Batch) -> bool {
        if generation != self.generation || self.looked_at.len() > LOOKED_AT_MAX {
            *self = Self { generation, looked_at: HashSet::new() };
        }
        // The first connection: this process has written nothing before it.
        generation == 0 || batch.heads.iter().all(|(session, _)| self.looked_at.contains(session))
    }

    pub(super) fn looked_at(&mut self, generation: u64, batch: &Batch) {
        if generation == self.generation {
            self.looked_at.extend(batch.heads.iter().map(|(session, _)| session.clone()));
        }
    }
}

/// What the database has of a batch.
pub(super) enum Standing {
    /// Nothing of it, and all before it.
    Before,
    /// All of it: an earlier attempt went through.
    Written,
}

/// Look at the ends of the chains that `batch` makes longer.
pub(super) async fn standing(
    transaction: &mut impl Transaction,
    place: &str,
    batch: &Batch,
) -> Result<Standing, StoreError> {
    let mut written = 0;
    for (session, head) in &batch.heads {
        let statement = Statement::new("SELECT entries, hash FROM heads WHERE session = ?").bind(session.clone());
        let found = match transaction.fetch(&statement).await?.pop() {
            Some(mut row) => Some(Head { entries: row.natural()?, hash: row.text()? }),
            None => None,
        };
        if found.as_ref() == Some(head) {
            written += 1;
            continue;
        }
        let (entries, before) = (found.map(|head| head.entries), entries_before(batch, session, head));
        if entries != before {
            let chain = match &**session {
                LEDGER => "the chain over the sessions".to_owned(),
                id => format!("the chain of `{id}`"),
            };
            let detail = match (entries, before) {
                (Some(entries), Some(before)) => {
                    format!("{chain} ends at {entries}, and {before} entries of it were stored")
                }
                (Some(_), None) => format!("{chain} is there, and was not begun"),
                (None, _) => format!("{chain} is gone"),
            };
            return Err(StoreError::Corrupt { path: place.to_owned(), detail });
        }
    }
    match written {
        0 => Ok(Standing::Before),
        all if all == batch.heads.len() => Ok(Standing::Written),
        // A batch is written whole or not at all.
        _ => Err(StoreError::Corrupt { path: place.to_owned(), detail: "it has a part of a transaction".into() }),
    }
}

/// How long a chain has to be so that `batch` fits on it. None: it has no head yet.
fn entries_before(batch: &Batch, session: &Arc<str>, head: &Head) -> Option<u64> {
    if **session == *LEDGER {
        return head.entries.checked_sub(1).filter(|entries| *entries > 0);
    }
    if batch.sessions.iter().any(|new| new.id == *session) {
        return None;
    }
    batch.rows.iter().find(|row| row.session == *session).map(|row| row.sequence)
}
