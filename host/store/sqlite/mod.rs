//! SQLite: one file, one writing connection, a few that read beside it.
//!
//! The file is in WAL mode: reading never waits for writing, in this process or another. A write of
//! [`Durability::Disk`] commits with `synchronous=FULL`, one of `Kernel` with `NORMAL`. SIGKILL
//! loses no commit of either kind; a power cut loses none before the last `Disk` one, and never
//! damages the file.

mod failure;
mod schema;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::query::Query;
use sqlx::sqlite::{
    Sqlite, SqliteArguments, SqliteConnectOptions, SqliteConnection, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row as _, TypeInfo, ValueRef};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::sql::{Cell, Cells, Database, Script, SqlStore, Statement, Transaction};
use super::{Durability, StoreError};
use crate::clock;
use failure::Failures;

/// How long a statement waits for another process that writes.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// Statements that a connection keeps prepared: a few dozen, and one for each count of rows.
const PREPARED_MAX: usize = 128;
/// Connections that read at the same time.
const READERS_MAX: u32 = 4;
/// How often who waits for another process looks.
const POLL: Duration = Duration::from_millis(20);

/// A store in one SQLite file.
pub type SqliteStore = SqlStore<SqliteDatabase>;

pub struct SqliteDatabase {
    place: Arc<str>,
    failures: Failures,
    path: PathBuf,
    /// Device and inode of the file that was opened.
    file: (u64, u64),
    writer: Arc<Mutex<Writer>>,
    readers: SqlitePool,
}

/// The one connection of this process that writes.
struct Writer {
    connection: SqliteConnection,
    durability: Durability,
    /// A transaction was begun and its end is not known.
    is_unsettled: bool,
}

impl SqlStore<SqliteDatabase> {
    /// Open the store at `path`; make it, and its folder, where there is none.
    ///
    /// # Errors
    /// The file is damaged, of a newer pi-host, cannot be written, or there is no space.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let failures = Failures::new(path);
        make_file(path).map_err(|error| failures.of_file(&error))?;
        SqliteDatabase::connect(path, failures).await.map(Self::new)
    }

    /// Open the store at `path` if there is one: for commands that only read.
    ///
    /// # Errors
    /// As [`Self::open`], and where there is no store.
    pub async fn open_existing(path: &Path) -> Result<Self, StoreError> {
        let failures = Failures::new(path);
        match fs::metadata(path) {
            Ok(_) => SqliteDatabase::connect(path, failures).await.map(Self::new),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(failures.missing()),
            Err(error) => Err(failures.of_file(&error)),
        }
    }

    /// Close the connections, and with the last one of all processes the -wal file as well.
    pub async fn close(self) {
        self.database.readers.close().await;
        if let Some(writer) = Arc::into_inner(self.database.writer) {
            // A failure leaves the -wal file, which the next one to open the store takes up.
            let _ = writer.into_inner().connection.close().await;
        }
    }
}

impl SqliteDatabase {
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
        let writer = Writer { connection, durability: Durability::Disk, is_unsettled: false };
        Ok(Self {
            place: Arc::from(path.display().to_string()),
            failures,
            path: path.to_owned(),
            file,
            writer: Arc::new(Mutex::new(writer)),
            readers,
        })
    }

    fn cells(&self, rows: &[SqliteRow]) -> Result<Vec<Cells>, StoreError> {
        let cells = |row| cells_of(row).map(|cells| Cells::new(&self.place, cells));
        rows.iter().map(cells).collect::<Result<_, _>>().map_err(|error| self.failures.of(error))
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
impl Database for SqliteDatabase {
    type Transaction = SqliteTransaction;

    fn place(&self) -> &Arc<str> {
        &self.place
    }

    async fn read(&self, statement: &Statement) -> Result<Vec<Cells>, StoreError> {
        let rows = query(statement).fetch_all(&self.readers).await.map_err(|error| self.failures.of(error))?;
        self.cells(&rows)
    }

    async fn begin(&self) -> Result<SqliteTransaction, StoreError> {
        let mut writer = self.writer.clone().lock_owned().await;
        let of = |error| self.failures.of(error);
        writer.settle().await;
        writer.durability(Durability::Disk).await.map_err(of)?;
        writer.is_unsettled = true;
        writer.connection.execute(BEGIN).await.map_err(of)?;
        Ok(SqliteTransaction { writer: Some(writer), place: self.place.clone(), failures: self.failures.clone() })
    }

    async fn execute(&self, statement: &Statement) -> Result<u64, StoreError> {
        let mut writer = self.writer.lock().await;
        let of = |error| self.failures.of(error);
        writer.settle().await;
        writer.durability(Durability::Disk).await.map_err(of)?;
        let done = query(statement).execute(&mut writer.connection).await.map_err(of)?;
        Ok(done.rows_affected())
    }

    async fn transact(&self, script: &Script, durability: Durability, _: u64) -> Result<(), StoreError> {
        let joined = script.is_joinable.then(|| [joined(&script.statements)]);
        let statements = joined.as_ref().map_or(&*script.statements, |joined| joined);
        let mut writer = self.writer.lock().await;
        writer.transact(durability, statements, script.is_joinable).await.map_err(|error| self.failures.of(error))
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

    async fn now_ms(&self) -> Result<u64, StoreError> {
        Ok(clock::now_ms())
    }

    /// A file is not lost and found again.
    fn generation(&self) -> u64 {
        0
    }

    /// Of the write-ahead log. Where somebody reads beside it, the next checkpoint does it.
    async fn forget_removed(&self) {
        let mut writer = self.writer.lock().await;
        writer.settle().await;
        let _ = writer.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
    }

    async fn wait(&self, at_most: Duration) {
        tokio::time::sleep(POLL.min(at_most)).await;
    }
}

/// The lock is taken at once, so that nobody who began earlier can make COMMIT fail.
const BEGIN: &str = "BEGIN IMMEDIATE";
const COMMIT: &str = "COMMIT";

/// One text: each is one way to the connection's thread and back.
fn joined(statements: &[Statement]) -> Statement {
    let texts: Vec<&str> = statements.iter().map(|statement| &*statement.text).collect();
    Statement {
        text: format!("{BEGIN};{};{COMMIT}", texts.join(";")).into(),
        values: statements.iter().flat_map(|statement| statement.values.iter().cloned()).collect(),
    }
}

impl Writer {
    /// Run `statements`, which are one whole transaction. With `is_whole` they begin and end it themselves.
    async fn transact(
        &mut self,
        durability: Durability,
        statements: &[Statement],
        is_whole: bool,
    ) -> Result<(), sqlx::Error> {
        self.settle().await;
        self.durability(durability).await?;
        self.is_unsettled = true;
        let result = self.run(statements, is_whole).await;
        match result {
            Ok(()) => self.is_unsettled = false,
            // At once: an open transaction keeps every other process from writing.
            Err(_) => self.settle().await,
        }
        result
    }

    async fn run(&mut self, statements: &[Statement], is_whole: bool) -> Result<(), sqlx::Error> {
        if !is_whole {
            self.connection.execute(BEGIN).await?;
        }
        for statement in statements {
            query(statement).execute(&mut self.connection).await?;
        }
        if !is_whole {
            self.connection.execute(COMMIT).await?;
        }
        Ok(())
    }

    async fn durability(&mut self, durability: Durability) -> Result<(), sqlx::Error> {
        if self.durability != durability {
            let pragma = match durability {
                Durability::Disk => "PRAGMA synchronous = FULL",
                Durability::Kernel => "PRAGMA synchronous = NORMAL",
            };
            self.connection.execute(pragma).await?;
            self.durability = durability;
        }
        Ok(())
    }

    /// End what a failed or a cancelled transaction left behind.
    async fn settle(&mut self) {
        if self.is_unsettled {
            // It fails where the failure itself has ended the transaction, or COMMIT had gone through.
            let _ = self.connection.execute("ROLLBACK").await;
            self.is_unsettled = false;
        }
    }
}

pub struct SqliteTransaction {
    /// None when it has ended.
    writer: Option<OwnedMutexGuard<Writer>>,
    place: Arc<str>,
    failures: Failures,
}

impl SqliteTransaction {
    fn connection(&mut self) -> Result<&mut SqliteConnection, StoreError> {
        let writer = self.writer.as_mut().ok_or_else(|| self.failures.failed("the transaction has ended"))?;
        Ok(&mut writer.connection)
    }
}

#[async_trait]
impl Transaction for SqliteTransaction {
    async fn execute(&mut self, statement: &Statement) -> Result<u64, StoreError> {
        let result = query(statement).execute(self.connection()?).await;
        result.map(|done| done.rows_affected()).map_err(|error| self.failures.of(error))
    }

    async fn fetch(&mut self, statement: &Statement) -> Result<Vec<Cells>, StoreError> {
        let rows = query(statement).fetch_all(self.connection()?).await.map_err(|error| self.failures.of(error))?;
        let cells = |row| cells_of(row).map(|cells| Cells::new(&self.place, cells));
        rows.iter().map(cells).collect::<Result<_, _>>().map_err(|error| self.failures.of(error))
    }

    async fn now_ms(&mut self) -> Result<u64, StoreError> {
        Ok(clock::now_ms())
    }

    /// Who waits looks by itself.
    async fn nudge(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn commit(mut self) -> Result<(), StoreError> {
        self.connection()?.execute(COMMIT).await.map_err(|error| self.failures.of(error))?;
        if let Some(mut writer) = self.writer.take() {
            writer.is_unsettled = false;
        }
        Ok(())
    }

    async fn rollback(mut self) -> Result<(), StoreError> {
        if let Some(mut writer) = self.writer.take() {
            writer.settle().await;
        }
        Ok(())
    }
}

impl Drop for SqliteTransaction {
    fn drop(&mut self) {
        // At once, and not when this process writes again: an open transaction keeps every other from writing.
        if let Some(mut writer) = self.writer.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move { writer.settle().await });
        }
    }
}

fn query(statement: &Statement) -> Query<'_, Sqlite, SqliteArguments> {
    let query = sqlx::query(AssertSqlSafe(statement.text.clone().into_owned()));
    statement.values.iter().fold(query, |query, value| match value {
        Cell::Null => query.bind(None::<i64>),
        Cell::Number(number) => query.bind(*number),
        Cell::Text(text) => query.bind(text.clone()),
        Cell::Shared(text) => query.bind(text.clone()),
    })
}

fn cells_of(row: &SqliteRow) -> Result<Vec<Cell>, sqlx::Error> {
    (0..row.len())
        .map(|index| {
            let value = row.try_get_raw(index)?;
            if value.is_null() {
                return Ok(Cell::Null);
            }
            let kind = value.type_info().name().to_owned();
            match kind.as_str() {
                "INTEGER" => row.try_get_unchecked(index).map(Cell::Number),
                _ => row.try_get(index).map(Cell::Text),
            }
        })
        .collect()
}
