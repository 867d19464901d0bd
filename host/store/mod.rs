//! Where state is kept: the trait, and two databases behind it.
//!
//! The store knows rows, not what they mean: hashing, bodies and replay are the journal's. Every
//! write that belongs to a host carries its [`Lease`], and the database refuses it once another
//! host has taken over. Reading needs no lease and works beside a writing host.
//!
//! `sql/` says once what is written and read; tables hold only text and 64-bit integers, and the
//! statements are plain SQL. A database implements `sql::Database` in a folder beside `sqlite/`.

mod error;
mod lease;
mod plugin_value;
pub mod postgres;
mod record;
mod request;
mod slot;
pub mod sql;
pub mod sqlite;

pub use error::StoreError;
pub use lease::{Held, Holder, LEASE_MS, Lease, LeaseError};
pub use plugin_value::{PluginChange, PluginChanged, PluginQuota};
pub use record::{
    Batch, Blob, Durability, Extent, Head, NewSession, OPEN, PRUNED, Row, SUMMARY_CHARS_MAX, SessionMark, SessionRecord,
};
pub use request::{Answer, NewRequest, Outcome, Request};
pub use slot::{Slot, SlotKey};

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

/// Bytes of the payload or the response of one request: what a `tool call` may carry.
pub const REQUEST_BYTES_MAX: usize = 64 << 20;
/// Requests that wait at the same time: without a host nobody takes them away.
pub const REQUESTS_MAX: u64 = 1_000;
/// Bytes of one value of the key-value table.
pub const VALUE_BYTES_MAX: usize = 16 << 20;

/// Everything that outlives a process.
#[async_trait]
pub trait Store: Send + Sync {
    // The journal's rows.

    /// Write all of `batch` or nothing.
    async fn write(&self, lease: &Lease, batch: &Batch, durability: Durability) -> Result<(), StoreError>;
    /// The head of a session's chain; of [`LEDGER`], the chain over the sessions.
    async fn head(&self, session: &str) -> Result<Option<Head>, StoreError>;
    /// The rows of a session from `from` on, in order, at most `limit`.
    async fn rows(&self, session: &str, from: u64, limit: u32) -> Result<Vec<Row>, StoreError>;
    /// How far a session's rows go, whatever its head says.
    async fn extent(&self, session: &str) -> Result<Extent, StoreError>;
    async fn blob(&self, sha256: &str) -> Result<Option<String>, StoreError>;
    /// Remove the payloads that no row refers to any more, in itself or by another payload; how many there were.
    async fn sweep_blobs(&self, lease: &Lease) -> Result<u64, StoreError>;
    /// All sessions, in the order in which they were opened.
    async fn sessions(&self) -> Result<Vec<SessionRecord>, StoreError>;
    async fn session(&self, id: &str) -> Result<Option<SessionRecord>, StoreError>;
    /// The sessions that have rows or a head, whether or not the list of sessions has them.
    async fn traces(&self) -> Result<Vec<String>, StoreError>;

    // The lease: one host a store.

    /// Become the host of this store.
    async fn acquire(&self, holder: &Holder) -> Result<Lease, LeaseError>;
    /// Prolong the lease.
    async fn renew(&self, lease: &Lease) -> Result<(), StoreError>;
    /// Give the lease back. It is no error if it is no longer held.
    async fn release(&self, lease: &Lease) -> Result<(), StoreError>;
    /// Who is the host now, if anybody: not one whose process is dead or whose lease has run out.
    async fn holder(&self) -> Result<Option<Held>, StoreError>;

    // Requests: what other commands ask of the host.

    /// Leave a request for the host; the answer is its id.
    async fn push_request(&self, request: NewRequest) -> Result<String, StoreError>;
    /// Claim all requests that wait, oldest first. Those that a dead host had claimed come again
    /// where that is harmless; the others are answered as unknown.
    async fn take_requests(&self, lease: &Lease) -> Result<Vec<Request>, StoreError>;
    async fn answer(&self, lease: &Lease, id: &str, response: Value) -> Result<(), StoreError>;
    /// What has become of a request.
    async fn outcome(&self, id: &str) -> Result<Outcome, StoreError>;
    /// Take a request back that nobody has claimed. False: somebody has.
    async fn withdraw(&self, id: &str) -> Result<bool, StoreError>;
    /// Wait for the answer to a request. When it does not come in time the request is taken back,
    /// and the answer is `Withdrawn`, or `Unknown` if the host had it already.
    async fn wait_answer(&self, id: &str, timeout: Duration) -> Result<Answer, StoreError>;

    // Small state of the host's parts.

    async fn value(&self, key: &str) -> Result<Option<Value>, StoreError>;
    /// The values whose keys begin with `prefix`, by key.
    async fn values(&self, prefix: &str) -> Result<Vec<(String, Value)>, StoreError>;
    async fn set_value(&self, lease: &Lease, key: &str, value: &Value) -> Result<(), StoreError>;
    async fn remove_value(&self, lease: &Lease, key: &str) -> Result<(), StoreError>;
    /// Set these values and remove those of None, all or nothing.
    async fn change_values(&self, lease: &Lease, changes: &[(String, Option<Value>)]) -> Result<(), StoreError>;

    /// Set what holds for every host of this store, whoever holds the lease; None removes it. To stop everything must
    /// not wait for a host that hangs: this alone of all values is written without a lease.
    async fn set_for_all(&self, key: &str, value: Option<&Value>) -> Result<(), StoreError>;

    // When jobs were due.

    /// Write down what becomes of a time at which a job is due: the first of it, or a change of what was read. False:
    /// somebody else has written it meanwhile, and nothing was changed.
    async fn put_slot(&self, lease: &Lease, slot: &Slot, was: Option<&Slot>) -> Result<bool, StoreError>;
    async fn slot(&self, key: &SlotKey) -> Result<Option<Slot>, StoreError>;
    /// The newest of a job, at most `limit`.
    async fn slots(&self, job: &str, limit: u32) -> Result<Vec<Slot>, StoreError>;
    /// Those of a job, or of all jobs, that are in one of these states, in their order.
    async fn slots_in(&self, states: &[&str], job: Option<&str>) -> Result<Vec<Slot>, StoreError>;
    async fn remove_slot(&self, lease: &Lease, key: &SlotKey) -> Result<(), StoreError>;

    // What plugins keep for themselves.

    async fn plugin_value(&self, plugin: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError>;
    /// The keys of a plugin in order, from the place `from` on, at most `limit`.
    async fn plugin_keys(&self, plugin: &str, from: u64, limit: u32) -> Result<Vec<String>, StoreError>;
    /// Make all of a change, or nothing of it.
    async fn change_plugin_values(
        &self,
        lease: &Lease,
        plugin: &str,
        change: &PluginChange,
        quota: &PluginQuota,
    ) -> Result<PluginChanged, StoreError>;
}

/// The name of the chain over the sessions, in the table of heads. No session has it.
pub const LEDGER: &str = "";
