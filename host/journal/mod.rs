//! The journal: append-only, one hash chain a session, intent before outcome.
//!
//! It is the session, the audit trail and the resume point. It knows nothing of components or of
//! policies: it takes bodies, links them, and hands rows to the [`crate::store`].

mod entry;

pub use entry::{Body, Entry, Key, Status};

use std::sync::Arc;

/// A store that refused or failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct JournalError(pub String);

/// The journal of one session. Clones append to the same chain.
#[derive(Clone)]
pub struct SessionJournal {
    _inner: Arc<()>,
}

impl SessionJournal {
    /// Append without waiting until it is stored: entries are written in groups, in order. Returns
    /// the entry's time, milliseconds since 1970.
    pub fn append(&self, _body: Body) -> u64 {
        unimplemented!()
    }

    /// Append and wait until it, and all before it, is stored.
    ///
    /// # Errors
    /// The store could not write (disk full, lease lost). Nothing was stored.
    pub async fn append_durable(&self, _body: Body) -> Result<u64, JournalError> {
        unimplemented!()
    }
}
