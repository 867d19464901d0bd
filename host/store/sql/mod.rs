//! A store in a database that speaks SQL: what is written and read, said once for all of them.
//!
//! Every write is one transaction. A host's begins by setting `writer` in the row of the lease, which
//! a check refuses to all but the current host; so the lease cannot change hands while it goes on.
//! What a database does in its own way, such as its connections, its errors and how it is waited
//! for, is behind [`Database`].

mod attempts;
mod continuity;
mod database;
mod entries;
mod lease;
mod plugin_values;
mod requests;
pub(super) mod schema;
mod slots;
mod sweep;
mod values;

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::{
    Answer, Batch, Durability, Extent, Head, Held, Holder, Lease, LeaseError, NewRequest, Outcome, PluginChange,
    PluginChanged, PluginQuota, Request, Row, SessionRecord, Slot, SlotKey, Store, StoreError,
};
use attempts::Attempts;
use continuity::Continuity;
pub use database::{Cell, Cells, Database, Script, Statement, Transaction};

/// A store in one database.
pub struct SqlStore<D> {
    pub(super) database: D,
    continuity: Mutex<Continuity>,
}

impl<D: Database> SqlStore<D> {
    pub(super) fn new(database: D) -> Self {
        Self { database, continuity: Mutex::default() }
    }

    /// The rows of a statement that changes nothing.
    async fn read(&self, statement: Statement) -> Result<Vec<Cells>, StoreError> {
        let mut attempts = Attempts::new();
        loop {
            match self.database.read(&statement).await {
                Err(error) if attempts.repeat(&error).await => {}
                result => return result,
            }
        }
    }

    async fn read_one(&self, statement: Statement) -> Result<Option<Cells>, StoreError> {
        Ok(self.read(statement).await?.pop())
    }

    async fn read_text(&self, statement: Statement) -> Result<Option<String>, StoreError> {
        self.read_one(statement).await?.map(|mut row| row.text()).transpose()
    }

    async fn read_texts(&self, statement: Statement) -> Result<Vec<String>, StoreError> {
        self.read(statement).await?.into_iter().map(|mut row| row.text()).collect()
    }

    async fn now_ms(&self) -> Result<u64, StoreError> {
        let mut attempts = Attempts::new();
        loop {
            match self.database.now_ms().await {
                Err(error) if attempts.repeat(&error).await => {}
                result => return result,
            }
        }
    }

    /// A transaction that the database refuses to any host but the current one.
    async fn begin_fenced(&self, lease: &Lease) -> Result<D::Transaction, StoreError> {
        let mut transaction = self.database.begin().await?;
        match transaction.execute(&fence(lease)).await {
            Ok(_) => Ok(transaction),
            Err(error) => ended(transaction, Err(of_lease(lease, error))).await,
        }
    }

    fn corrupt(&self, detail: &str) -> StoreError {
        StoreError::Corrupt { path: self.database.place().to_string(), detail: detail.into() }
    }
}

/// The statement that the lease's check refuses to any host but the current one.
fn fence(lease: &Lease) -> Statement {
    Statement::new("UPDATE lease SET writer = ? WHERE id = 1").bind(lease.epoch)
}

/// The database knows that a write was fenced off, and not of whom.
fn of_lease(lease: &Lease, error: StoreError) -> StoreError {
    match error {
        StoreError::Fenced { .. } => StoreError::Fenced { epoch: lease.epoch },
        error => error,
    }
}

/// Commit what went well, and roll back what did not: at once, since others wait for it.
async fn ended<T>(transaction: impl Transaction, result: Result<T, StoreError>) -> Result<T, StoreError> {
    match result {
        Ok(value) => transaction.commit().await.map(|()| value),
        Err(error) => {
            // The first error is the one that tells why; without its end the transaction changes nothing either.
            let _ = transaction.rollback().await;
            Err(error)
        }
    }
}

#[async_trait]
impl<D: Database> Store for SqlStore<D> {
    async fn write(&self, lease: &Lease, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        self.database.check_in_place()?;
        self.write_batch(lease, batch, durability).await
    }

    async fn head(&self, session: &str) -> Result<Option<Head>, StoreError> {
        self.read_head(session).await
    }

    async fn rows(&self, session: &str, from: u64, limit: u32) -> Result<Vec<Row>, StoreError> {
        self.read_rows(session, from, limit).await
    }

    async fn extent(&self, session: &str) -> Result<Extent, StoreError> {
        self.read_extent(session).await
    }

    async fn blob(&self, sha256: &str) -> Result<Option<String>, StoreError> {
        self.read_blob(sha256).await
    }

    async fn sweep_blobs(&self, lease: &Lease) -> Result<u64, StoreError> {
        self.database.check_in_place()?;
        self.remove_unused_blobs(lease).await
    }

    async fn sessions(&self) -> Result<Vec<SessionRecord>, StoreError> {
        self.read_sessions().await
    }

    async fn session(&self, id: &str) -> Result<Option<SessionRecord>, StoreError> {
        self.read_session(id).await
    }

    async fn traces(&self) -> Result<Vec<String>, StoreError> {
        self.read_traces().await
    }

    async fn acquire(&self, holder: &Holder) -> Result<Lease, LeaseError> {
        self.acquire_lease(holder).await
    }

    async fn renew(&self, lease: &Lease) -> Result<(), StoreError> {
        self.database.check_in_place()?;
        self.renew_lease(lease).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        self.release_lease(lease).await
    }

    async fn holder(&self) -> Result<Option<Held>, StoreError> {
        self.read_holder().await
    }

    async fn push_request(&self, request: NewRequest) -> Result<String, StoreError> {
        self.leave_request(request).await
    }

    async fn take_requests(&self, lease: &Lease) -> Result<Vec<Request>, StoreError> {
        self.database.check_in_place()?;
        self.claim_requests(lease).await
    }

    async fn answer(&self, lease: &Lease, id: &str, response: Value) -> Result<(), StoreError> {
        self.answer_request(lease, id, &response).await
    }

    async fn outcome(&self, id: &str) -> Result<Outcome, StoreError> {
        self.read_outcome(id).await
    }

    async fn withdraw(&self, id: &str) -> Result<bool, StoreError> {
        self.withdraw_request(id).await
    }

    async fn wait_answer(&self, id: &str, timeout: Duration) -> Result<Answer, StoreError> {
        self.await_answer(id, timeout).await
    }

    async fn value(&self, key: &str) -> Result<Option<Value>, StoreError> {
        self.read_value(key).await
    }

    async fn values(&self, prefix: &str) -> Result<Vec<(String, Value)>, StoreError> {
        self.read_values(prefix).await
    }

    async fn set_value(&self, lease: &Lease, key: &str, value: &Value) -> Result<(), StoreError> {
        self.write_value(lease, key, value).await
    }

    async fn remove_value(&self, lease: &Lease, key: &str) -> Result<(), StoreError> {
        self.delete_value(lease, key).await
    }

    async fn change_values(&self, lease: &Lease, changes: &[(String, Option<Value>)]) -> Result<(), StoreError> {
        self.database.check_in_place()?;
        self.write_values(lease, changes).await
    }

    async fn set_for_all(&self, key: &str, value: Option<&Value>) -> Result<(), StoreError> {
        self.database.check_in_place()?;
        self.write_unfenced(key, value).await
    }

    async fn put_slot(&self, lease: &Lease, slot: &Slot, was: Option<&Slot>) -> Result<bool, StoreError> {
        self.database.check_in_place()?;
        self.write_slot(lease, slot, was).await
    }

    async fn slot(&self, key: &SlotKey) -> Result<Option<Slot>, StoreError> {
        self.read_slot(key).await
    }

    async fn slots(&self, job: &str, limit: u32) -> Result<Vec<Slot>, StoreError> {
        self.read_slots(job, limit).await
    }

    async fn slots_in(&self, states: &[&str], job: Option<&str>) -> Result<Vec<Slot>, StoreError> {
        self.read_slots_in(states, job).await
    }

    async fn remove_slot(&self, lease: &Lease, key: &SlotKey) -> Result<(), StoreError> {
        self.database.check_in_place()?;
        self.delete_slot(lease, key).await
    }

    async fn plugin_value(&self, plugin: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read_plugin_value(plugin, key).await
    }

    async fn plugin_keys(&self, plugin: &str, from: u64, limit: u32) -> Result<Vec<String>, StoreError> {
        self.read_plugin_keys(plugin, from, limit).await
    }

    async fn change_plugin_values(
        &self,
        lease: &Lease,
        plugin: &str,
        change: &PluginChange,
        quota: &PluginQuota,
    ) -> Result<PluginChanged, StoreError> {
        self.database.check_in_place()?;
        self.write_plugin_values(lease, plugin, change, quota).await
    }
}
