//! The rows that the journal keeps, as the store sees them: text and numbers.

use std::sync::Arc;

use serde::Serialize;

/// One link of a chain as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub session: Arc<str>,
    pub sequence: u64,
    pub time_ms: u64,
    /// JSON. The hash is over exactly this text.
    pub body: Arc<str>,
    /// Lower-case hex.
    pub hash: String,
}

/// Where a chain ends. Kept apart from the rows, so that a cut tail shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many links the chain has.
    pub entries: u64,
    /// The last link's hash; with no links, what the first one is linked to.
    pub hash: String,
}

/// How many rows a session has, and the highest sequence among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    pub rows: u64,
    pub last: Option<u64>,
}

/// A large payload, stored once, beside the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Lower-case hex SHA-256 of `json`.
    pub sha256: String,
    pub json: Arc<str>,
}

/// A session's place in the chain over the sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    pub id: Arc<str>,
    /// 0 for the first session of the store.
    pub number: u64,
    pub created_ms: u64,
    /// Lower-case hex; the session's own chain begins with it.
    pub hash: String,
}

/// What an entry changes in the list of sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionMark {
    Started {
        session: Arc<str>,
        agent: String,
    },
    Ended {
        session: Arc<str>,
        status: String,
        summary: String,
        time_ms: u64,
    },
    /// It goes on, whatever it had ended with.
    Resumed {
        session: Arc<str>,
    },
    /// Its rows and its head are removed, and its summary; its place in the list of sessions stays, as [`PRUNED`].
    Pruned {
        session: Arc<str>,
    },
}

/// One line of the list of sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionRecord {
    pub id: String,
    pub number: u64,
    /// Empty until the session's first entry says it.
    pub agent: String,
    /// [`OPEN`], how it ended, or [`PRUNED`].
    pub status: String,
    pub created_ms: u64,
    pub ended_ms: Option<u64>,
    /// At most [`SUMMARY_CHARS_MAX`] characters.
    pub summary: String,
    pub hash: String,
}

/// The status of a session that has not ended.
pub const OPEN: &str = "open";

/// The status of a session whose entries were removed.
pub const PRUNED: &str = "pruned";

/// Characters of a session's summary in the list of sessions; the entry has all of it.
pub const SUMMARY_CHARS_MAX: usize = 2_000;

/// What is written in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    pub sessions: Vec<NewSession>,
    pub blobs: Vec<Blob>,
    pub rows: Vec<Row>,
    pub marks: Vec<SessionMark>,
    /// The new heads of all chains that grow by this batch.
    pub heads: Vec<(Arc<str>, Head)>,
}

/// What a return from [`Store::write`](super::Store::write) means. Either way a killed process
/// loses nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It is on the disk: a power cut does not lose it, nor anything written before it.
    Disk,
    /// The kernel has it: a power cut may lose it, from the end, until the next `Disk` write.
    Kernel,
}
