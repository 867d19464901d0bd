//! SQLite: one file, one writing connection, a few that read beside it.
//!
//! The file is in WAL mode: reading never waits for writing, in this process or another. A write of
//! [`Durability::Disk`] commits with `synchronous=FULL`, one of `Kernel` with `NORMAL`. SIGKILL
//! loses no commit of either kind; a power cut loses none before the last `Disk` one, and never
//! damages the file.

mod entries;
mod failure;
mod lease;
mod plugin_values;
mod requests;
mod schema;
mod sweep;
mod values;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::Mutex;

use super::{
    Answer, Batch, Durability, Extent, Head, Held, Holder, Lease, LeaseError, NewRequest, Outcome, PluginChange,
    PluginChanged, PluginQuota, Request, Row, SessionRecord, Store, StoreError,
};
use failure::Failures;

/// How long a statement waits for another process that writes.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// Statements that a connection keeps prepared: a few dozen, and one for each count of rows.
const PREPARED_MAX: usize = 128;
/// Connections that read at the same time.
const READERS_MAX: u32 = 4;

/// A store in one SQLite file.
pub struct SqliteStore {
    failures: Failures,
    path: PathBuf,
    /// Device and inode of the file that was opened.
    file: (u64, u64),
    writer: Mutex<Writer>,
    readers: SqlitePool,
}

/// The one connection of this process that writes.
struct Writer {
    connection: SqliteConnection,
    durability: Durability,
    /// A transaction was begun and its end is not known.
    is_unsettled: bool,
}

impl SqliteStore {
    /// Open the store at `path`; make it, and its folder, where there is none.
    ///
    /// # Errors
    /// The file is damaged, of a newer pi-host, cannot be written, or there is no space.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let failures = Failures::new(path);
        make_file(path).map_err(|error| failures.of_file(&error))?;
        Self::connect(path, failures).await
    }

    /// Open the store at `path` if there is one: for commands that only read.
    ///
    /// # Errors
    /// As [`Self::open`], and where there is no store.
    pub async fn open_existing(path: &Path) -> Result<Self, StoreError> {
        let failures = Failures::new(path);
        match fs::metadata(path) {
            Ok(_) => Self::connect(path, failures).await,
            Err(error) if error.kind() == ErrorKind::NotFound => Err(failures.missing()),
            Err(error) => Err(failures.of_file(&error)),
        }
    }

    async fn connect(path: &Path, failures: Failures) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(BUSY_WAIT)
            .statement_cache_capacity(PREPARED_MAX)
            .synchronous(SqliteSynchronous::Full)
            // What is pruned shall not stay readable in the file's free pages.
            .pragma("secure_delete", "ON")
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(|error| failures.of(error))?;
        schema::prepare(&mut connection, &failures).await?;
        let readers = SqlitePoolOptions::new().max_connections(READERS_MAX).connect_lazy_with(options);
        let file = identity(path).map_err(|error| failures.of_file(&error))?;
        Ok(Self {
            failures,
            path: path.to_owned(),
            file,
            writer: Mutex::new(Writer { connection, durability: Durability::Disk, is_unsettled: false }),
            readers,
        })
    }

    /// The file is the one that was opened. One that was removed could still be written, and nobody
    /// would ever read it.
    fn check_in_place(&self) -> Result<(), StoreError> {
        match identity(&self.path) {
            Ok(file) if file == self.file => Ok(()),
            Ok(_) => Err(self.failures.of_file(&std::io::Error::other("it was replaced while it was open"))),
            Err(error) => Err(self.failures.of_file(&error)),
        }
    }

    /// Close the connections, and with the last one of all processes the -wal file as well.
    pub async fn close(self) {
        self.readers.close().await;
        // A failure leaves the -wal file, which the next one to open the store takes up.
        let _ = self.writer.into_inner().connection.close().await;
    }
}

fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

/// The folder is for the owner only: arguments and outputs of tools are in the journal.
fn make_file(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    // SQLite gives its other files the mode of this one.
    fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop)
}

#[async_trait]
impl Store for SqliteStore {
    async fn write(&self, lease: &Lease, batch: &Batch, durability: Durability) -> Result<(), StoreError> {
        self.check_in_place()?;
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
        self.check_in_place()?;
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
        self.check_in_place()?;
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
        self.check_in_place()?;
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
        self.check_in_place()?;
        self.write_plugin_values(lease, plugin, change, quota).await
    }
}
