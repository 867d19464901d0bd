//! When jobs woke, and what came of it: one row for each time at which a job was due, whoever ran it.

use serde::Serialize;
use serde_json::Value;

/// A time at which a job is due. No two rows have the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct SlotKey {
    /// The job's name in `pi.toml`.
    pub job: String,
    /// When it was due, milliseconds since 1970.
    pub due_ms: u64,
    /// What made it: what a person asks for never takes the place of what is due.
    pub origin: String,
}

/// What has become of it. The store does not know the words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Slot {
    #[serde(flatten)]
    pub key: SlotKey,
    /// One word, by which it is found.
    pub state: String,
    /// All that is known of the state.
    pub detail: Value,
    /// The session of the last attempt.
    pub session: Option<String>,
    /// The epoch of the host that wrote it last.
    pub epoch: u64,
    /// One line for people.
    pub note: String,
}
