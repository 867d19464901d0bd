//! The journal: append-only, one hash chain a session, intent before outcome.
//!
//! It is the session, the audit trail and the resume point: forks begin with a copy of it, pruning leaves a trace in it. It knows nothing of components or of
//! policies: it takes bodies, links them, and hands rows to the [`crate::store`].
//!
//! What survives: an entry of which `append_durable` returned survives SIGKILL and power cut, and so
//! does every entry of its session before it. Entries of `append` are written within some 2 ms;
//! SIGKILL loses those that were still on their way, a power cut those after the last durable
//! one. What is lost is always the end of a chain, so the rest verifies.

mod chain;
mod entry;
mod export;
mod fork;
mod mask;
mod overview;
mod payload;
mod prune;
mod render;
mod replay;
mod session;
mod verify;
mod writer;

pub use entry::{Body, Entry, Key, Question, Status};
pub use export::{Exported, export};
pub use fork::{FORK_BYTES_MAX, ForkError, Forked, fork_default, forkable};
pub use mask::Mask;
pub use overview::{Listed, Overview, Parent, completion, list, overview};
pub use payload::BODY_BYTES_MAX;
pub use prune::{Candidate, PRUNING, Pruning, Tombstone, prunable, tombstones};
pub use render::{Line, SessionView, cost, list_text, read, show, show_text, status_text, verdict, verify_text};
pub use replay::{CallRecord, EffectRecord, Ended, Fate, HeardRecord, History, ModelRecord, RefusalRecord, WaitRecord};
pub use session::{Followed, SessionJournal, entries};
pub use verify::{Finding, Problem, Report, verify};
pub use writer::{Health, QUEUE_BYTES_HIGH, QUEUE_BYTES_MAX};

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use tokio::sync::Mutex;

use crate::clock;
use crate::store::{Batch, Durability, Head, Holder, LEDGER, Lease, LeaseError, NewSession, Store, StoreError};
use chain::Hash;
use session::{Chain, Followers};
use writer::Writer;

/// A store that refused or failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct JournalError(pub String);

impl From<StoreError> for JournalError {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

/// The journals of all sessions of one host. It holds the store's lease, and prolongs it, until it
/// is closed, or until it and all [`SessionJournal`]s are dropped.
pub struct Journal {
    store: Arc<dyn Store>,
    writer: Arc<Writer>,
    /// The sessions that are open, so that one chain never has two ends.
    open: Mutex<OpenChains>,
    followers: Followers,
}

type OpenChains = HashMap<String, Weak<Chain>>;

/// Entries that wait for a slow follower: beyond this it misses the oldest.
const FOLLOWED_MAX: usize = 4_096;

impl Journal {
    /// Become the host of `store`, and write its journal. Needs a tokio runtime.
    ///
    /// # Errors
    /// Another host holds the store, or the store failed.
    pub async fn begin(store: Arc<dyn Store>, holder: &Holder) -> Result<Self, LeaseError> {
        let lease = store.acquire(holder).await?;
        Ok(Self::open(store, lease))
    }

    /// Write the journal of `store` under a lease that is already held. Needs a tokio runtime.
    #[must_use]
    pub fn open(store: Arc<dyn Store>, lease: Lease) -> Self {
        let writer = Writer::start(store.clone(), lease);
        let (followers, _) = tokio::sync::broadcast::channel(FOLLOWED_MAX);
        Self { store, writer, open: Mutex::new(HashMap::new()), followers }
    }

    /// Keep nothing that this finds, in any session, from now on. The first one stays.
    pub fn hide(&self, mask: Arc<dyn Mask>) {
        self.writer.hide(mask);
    }

    /// The lease under which it writes: for the other writes of this host.
    #[must_use]
    pub fn lease(&self) -> &Lease {
        self.writer.lease()
    }

    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Hear of each entry of all sessions as it is appended. A slow follower misses the oldest.
    #[must_use]
    pub fn follow(&self) -> tokio::sync::broadcast::Receiver<Arc<Followed>> {
        self.followers.subscribe()
    }

    /// The journal of a session: a new one, or going on where the chain ended.
    ///
    /// # Errors
    /// The store failed, or the chain's end does not match its head: then nothing may be appended.
    pub async fn session(&self, id: &str) -> Result<SessionJournal, JournalError> {
        if id == LEDGER {
            return Err(JournalError("a session's id may not be empty".into()));
        }
        self.session_in(id, &mut *self.open.lock().await).await
    }

    async fn session_in(&self, id: &str, open: &mut OpenChains) -> Result<SessionJournal, JournalError> {
        if let Some(chain) = open.get(id).and_then(Weak::upgrade) {
            return Ok(SessionJournal::new(chain));
        }
        let (head, time_ms) = match self.store.session(id).await? {
            Some(_) => self.end_of(id).await?,
            None => self.add_session(id).await?,
        };
        let hash = parse(id, &head)?;
        let chain = Arc::new(Chain::new(id, head.entries, hash, time_ms, self.writer.clone(), self.followers.clone()));
        open.retain(|_, chain| chain.strong_count() > 0);
        open.insert(id.to_string(), Arc::downgrade(&chain));
        Ok(SessionJournal::new(chain))
    }

    /// Wait until everything that was appended so far, of all sessions, is stored.
    ///
    /// # Errors
    /// The store could not write.
    pub async fn flush(&self) -> Result<(), JournalError> {
        self.writer.flush(Durability::Disk).await
    }

    /// Whether the journal can still write, and what it could not.
    #[must_use]
    pub fn health(&self) -> Health {
        self.writer.health()
    }

    /// Store what is left, give the lease back, and write no more. Call it before the process ends.
    ///
    /// # Errors
    /// The store could not write.
    pub async fn close(&self) -> Result<(), JournalError> {
        self.writer.close().await
    }

    /// Where a session's chain ends, and at what time.
    async fn end_of(&self, id: &str) -> Result<(Head, u64), JournalError> {
        let damaged = |what: &str| {
            JournalError(format!("the journal of session `{id}` {what}; see `pi-host session verify {id}`"))
        };
        let head = self.store.head(id).await?.ok_or_else(|| damaged("has lost its head"))?;
        let from = head.entries.saturating_sub(1);
        let tail = self.store.rows(id, from, 2).await?;
        match (head.entries, tail.as_slice()) {
            (0, []) => Ok((head, 0)),
            (1.., [last]) if last.sequence == from && last.hash == head.hash => Ok((head, last.time_ms)),
            _ => Err(damaged("does not end where its head says")),
        }
    }

    /// Give a new session its place in the chain over the sessions.
    async fn add_session(&self, id: &str) -> Result<(Head, u64), JournalError> {
        let ledger = self.store.head(LEDGER).await?;
        let (number, previous) = match &ledger {
            Some(head) => (head.entries, parse("ledger", head)?),
            None => (0, chain::ORIGIN),
        };
        let created_ms = clock::now_ms();
        let hash = chain::to_hex(&chain::link_session(&previous, number, created_ms, id));
        let head = Head { entries: 0, hash: hash.clone() };
        let batch = Batch {
            sessions: vec![NewSession { id: Arc::from(id), number, created_ms, hash: hash.clone() }],
            heads: vec![(Arc::from(LEDGER), Head { entries: number + 1, hash }), (Arc::from(id), head.clone())],
            ..Batch::default()
        };
        self.store.write(self.lease(), &batch, Durability::Kernel).await?;
        Ok((head, created_ms))
    }
}

fn parse(id: &str, head: &Head) -> Result<Hash, JournalError> {
    chain::from_hex(&head.hash).ok_or_else(|| {
        JournalError(format!("the head of `{id}` is no hash; see `pi-host session verify`: {}", head.hash))
    })
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.writer.detach();
    }
}
