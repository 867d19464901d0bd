//! When jobs woke, and what came of it: one row for each time at which a job was due, whoever ran it.

use serde::Serialize;

/// A time at which a job is due. No two rows have the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SlotKey {
    /// The job's name in `pi.toml`.
    pub job: String,
    /// When it was due, milliseconds since 1970.
    pub due_ms: u64,
    /// `schedule`, `manual` or `backfill`: what a person asks for never takes the place of what is due.
    pub origin: String,
}

/// What has become of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Slot {
    #[serde(flatten)]
    pub key: SlotKey,
    /// `running`, or how it ended; the store does not know the words.
    pub state: String,
    /// From 1 on.
    pub attempt: u32,
    /// The session of the last attempt.
    pub session: Option<String>,
    /// The epoch of the host that had it last.
    pub epoch: u64,
    pub begun_ms: u64,
    pub ended_ms: Option<u64>,
    /// One line for people.
    pub note: String,
}
