//! PostgreSQL: a schema for each project, one writing connection, a few that read beside it.
//!
//! A write takes the lock of the lease's row first, so that there is one writer, in this process or
//! another, until its transaction ends. A commit is answered when it is on the server's disk, of
//! either [`Durability`]. When the connection is lost it is made anew, and what was on its way is
//! looked for before it is written again; see `sql/continuity.rs`.

mod address;
mod connection;
mod failure;
mod schema;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnection, PgListener, PgPool, PgPoolOptions};
use sqlx::{Connection, Executor};
use tokio::sync::{Mutex, Notify, OwnedMutexGuard};

use super::sql::{Cells, Database, Script, SqlStore, Statement, Transaction};
use super::{Durability, StoreError};
pub use address::{Address, AddressError, SCHEMA_BYTES_MAX};
use connection::{CONNECT_MAX, cells, connect, joined, query, set_up, within};
use failure::Failures;

/// Connections that read at the same time.
const READERS_MAX: u32 = 4;
/// Who waits for another process is told by the server; where that fails, it looks this often.
const LOOK_AFTER: Duration = Duration::from_millis(500);
/// All projects of a database use it; what is said is the schema's name.
const CHANNEL: &str = "pi_host";

/// A store in one schema of a PostgreSQL database.
pub type PostgresStore = SqlStore<PostgresDatabase>;

pub struct PostgresDatabase {
    address: Address,
    failures: Failures,
    writer: Arc<Mutex<Writer>>,
    /// How often the writing connection was lost.
    losses: Arc<AtomicU64>,
    readers: PgPool,
    listener: Mutex<Option<PgListener>>,
    /// The listener has heard something.
    heard: Notify,
}

/// The one connection of this process that writes.
struct Writer {
    /// None: it was lost.
    connection: Option<PgConnection>,
    /// A transaction was begun and its end is not known.
    is_unsettled: bool,
    losses: Arc<AtomicU64>,
}

impl SqlStore<PostgresDatabase> {
    /// Open the store at `address`; make its schema where there is none.
    ///
    /// # Errors
    /// The server cannot be reached or does not do, or the schema is of a newer pi-host or of another program.
    pub async fn open(address: Address) -> Result<Self, StoreError> {
        PostgresDatabase::connect(address, true).await.map(Self::new)
    }

    /// Open the store at `address` if there is one: for commands that only read.
    ///
    /// # Errors
    /// As [`Self::open`], and where there is no store.
    pub async fn open_existing(address: Address) -> Result<Self, StoreError> {
        PostgresDatabase::connect(address, false).await.map(Self::new)
    }

    /// Close the connections. A process that ends without it leaves no trace either.
    pub async fn close(self) {
        *self.database.listener.lock().await = None;
        self.database.readers.close().await;
        let connection = self.database.writer.lock().await.connection.take();
        if let Some(connection) = connection {
            let _ = connection.close().await;
        }
    }
}

impl PostgresDatabase {
    async fn connect(address: Address, may_make: bool) -> Result<Self, StoreError> {
        let failures = Failures::new(&address.place);
        let mut connection = connect(&address, &failures).await?;
        schema::prepare(&mut connection, &address.schema, may_make, &failures).await?;
        let schema: Arc<str> = Arc::from(address.schema.as_str());
        let readers = PgPoolOptions::new()
            .max_connections(READERS_MAX)
            .acquire_timeout(CONNECT_MAX)
            .after_connect(move |connection, _| {
                let schema = schema.clone();
                Box::pin(async move { set_up(connection, &schema).await })
            })
            .connect_lazy_with(address.options.clone());
        let losses = Arc::new(AtomicU64::new(0));
        let writer = Writer { connection: Some(connection), is_unsettled: false, losses: losses.clone() };
        Ok(Self {
            address,
            failures,
            writer: Arc::new(Mutex::new(writer)),
            losses,
            readers,
            listener: Mutex::new(None),
            heard: Notify::new(),
        })
    }

    /// The connection that writes, with no transaction open; a new one where the last was lost.
    async fn writer(&self) -> Result<OwnedMutexGuard<Writer>, StoreError> {
        let mut writer = self.writer.clone().lock_owned().await;
        if writer.is_unsettled {
            writer.lose();
        }
        if writer.connection.is_none() {
            let mut connection = connect(&self.address, &self.failures).await?;
            // It may be another server by now.
            schema::prepare(&mut connection, &self.address.schema, false, &self.failures).await?;
            writer.connection = Some(connection);
        }
        Ok(writer)
    }

    /// Run one statement outside of a transaction.
    async fn execute_on(&self, mut writer: OwnedMutexGuard<Writer>, statement: &Statement) -> Result<u64, StoreError> {
        // Until the answer is there it may have been done, or not.
        writer.is_unsettled = true;
        let connection = writer.connection.as_mut().ok_or_else(|| self.failures.silent())?;
        let result = within(&self.failures, query(statement).execute(connection)).await;
        match result {
            Err(StoreError::Unreachable { .. }) => writer.lose(),
            _ => writer.is_unsettled = false,
        }
        result.map(|done| done.rows_affected()).map_err(|error| self.failures.at_the_end(error))
    }

    /// Hear of others' writes until one is heard; for ever where that cannot be.
    async fn listen(&self) {
        let mut place = self.listener.lock().await;
        if place.is_none()
            && let Ok(mut listener) = PgListener::connect_with(&self.readers).await
            && listener.listen(CHANNEL).await.is_ok()
        {
            *place = Some(listener);
            // What was written before has not been heard.
            return;
        }
        while let Some(listener) = place.as_mut() {
            match listener.recv().await {
                Ok(heard) if heard.payload() == self.address.schema => {
                    self.heard.notify_waiters();
                    return;
                }
                Ok(_) => {}
                Err(_) => *place = None,
            }
        }
        drop(place);
        std::future::pending().await
    }
}

#[async_trait]
impl Database for PostgresDatabase {
    type Transaction = PostgresTransaction;

    fn place(&self) -> &Arc<str> {
        &self.address.place
    }

    async fn read(&self, statement: &Statement) -> Result<Vec<Cells>, StoreError> {
        let rows = within(&self.failures, query(statement).fetch_all(&self.readers)).await?;
        cells(&rows, &self.address.place).map_err(|error| self.failures.of(error))
    }

    async fn begin(&self) -> Result<PostgresTransaction, StoreError> {
        let writer = self.writer().await?;
        let mut transaction = PostgresTransaction {
            writer: Some(writer),
            schema: self.address.schema.clone(),
            place: self.address.place.clone(),
            failures: self.failures.clone(),
        };
        // Who has this row locked is the only one who writes. Dropped if it fails, and with it the connection.
        transaction.run("BEGIN; SELECT id FROM lease WHERE id = 1 FOR UPDATE").await?;
        Ok(transaction)
    }

    async fn execute(&self, statement: &Statement) -> Result<u64, StoreError> {
        self.execute_on(self.writer().await?, statement).await
    }

    async fn transact(&self, script: &Script, _: Durability, generation: u64) -> Result<(), StoreError> {
        if script.is_joinable {
            let writer = self.writer().await?;
            if self.generation() != generation {
                return Err(self.failures.renewed());
            }
            return match self.execute_on(writer, &joined(&script.statements)).await {
                // The parts of a statement have no order, so the fence may come too late to tell why a row
                // is there already. With a look it comes first.
                Err(StoreError::Corrupt { .. }) => {
                    self.losses.fetch_add(1, Ordering::AcqRel);
                    Err(self.failures.renewed())
                }
                result => result.map(|_| ()),
            };
        }
        let mut transaction = self.begin().await?;
        if self.generation() != generation {
            let _ = transaction.rollback().await;
            return Err(self.failures.renewed());
        }
        for statement in &script.statements {
            if let Err(error) = transaction.execute(statement).await {
                let _ = transaction.rollback().await;
                return Err(error);
            }
        }
        transaction.commit().await
    }

    /// A server is where its address says.
    fn check_in_place(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn now_ms(&self) -> Result<u64, StoreError> {
        let mut rows = self.read(&Statement { text: NOW.into(), values: Vec::new() }).await?;
        rows.pop().ok_or_else(|| self.failures.corrupt("it has no time"))?.natural()
    }

    fn generation(&self) -> u64 {
        self.losses.load(Ordering::Acquire)
    }

    async fn wait(&self, at_most: Duration) {
        let heard = self.heard.notified();
        tokio::select! {
            () = heard => {}
            () = self.listen() => {}
            () = tokio::time::sleep(LOOK_AFTER.min(at_most)) => {}
        }
    }
}

/// Of this moment, and not of the transaction's begin.
const NOW: &str = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";

impl Writer {
    /// The server rolls back what was open on it.
    fn lose(&mut self) {
        self.connection = None;
        self.is_unsettled = false;
        self.losses.fetch_add(1, Ordering::AcqRel);
    }
}

pub struct PostgresTransaction {
    /// None when it has ended.
    writer: Option<OwnedMutexGuard<Writer>>,
    schema: String,
    place: Arc<str>,
    failures: Failures,
}

impl PostgresTransaction {
    fn connection(&mut self) -> Result<&mut PgConnection, StoreError> {
        let connection = self.writer.as_mut().and_then(|writer| writer.connection.as_mut());
        connection.ok_or_else(|| self.failures.silent())
    }

    async fn run(&mut self, text: &'static str) -> Result<(), StoreError> {
        let failures = self.failures.clone();
        let result = within(&failures, self.connection()?.execute(text)).await;
        self.noted(result.map(|_| ()))
    }

    /// A connection that broke is not asked again.
    fn noted<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let (Err(StoreError::Unreachable { .. }), Some(writer)) = (&result, self.writer.as_mut()) {
            writer.lose();
        }
        result
    }

    /// The transaction has ended, and the connection is as it was.
    fn settle(&mut self) {
        self.writer = None;
    }
}

#[async_trait]
impl Transaction for PostgresTransaction {
    async fn execute(&mut self, statement: &Statement) -> Result<u64, StoreError> {
        let failures = self.failures.clone();
        let result = within(&failures, query(statement).execute(self.connection()?)).await;
        self.noted(result.map(|done| done.rows_affected()))
    }

    async fn fetch(&mut self, statement: &Statement) -> Result<Vec<Cells>, StoreError> {
        let failures = self.failures.clone();
        let result = within(&failures, query(statement).fetch_all(self.connection()?)).await;
        let rows = self.noted(result)?;
        cells(&rows, &self.place).map_err(|error| failures.of(error))
    }

    async fn now_ms(&mut self) -> Result<u64, StoreError> {
        let mut rows = self.fetch(&Statement { text: NOW.into(), values: Vec::new() }).await?;
        rows.pop().ok_or_else(|| self.failures.corrupt("it has no time"))?.natural()
    }

    async fn nudge(&mut self) -> Result<(), StoreError> {
        let schema = self.schema.clone();
        self.execute(&Statement::new("SELECT pg_notify(?, ?)").bind(CHANNEL).bind(schema)).await.map(|_| ())
    }

    async fn commit(mut self) -> Result<(), StoreError> {
        let result = self.run("COMMIT").await;
        match result {
            Ok(()) => {
                self.settle();
                Ok(())
            }
            // Dropped, and with it the connection.
            Err(error) => Err(self.failures.at_the_end(error)),
        }
    }

    async fn rollback(mut self) -> Result<(), StoreError> {
        if self.run("ROLLBACK").await.is_ok() {
            self.settle();
        }
        Ok(())
    }
}

impl Drop for PostgresTransaction {
    fn drop(&mut self) {
        // A closed connection is the shortest way to end what is open on it: nobody waits for its locks.
        if let Some(writer) = self.writer.as_mut() {
            writer.lose();
        }
    }
}
