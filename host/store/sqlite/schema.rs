//! The tables, and how they came to be: one step a version, each in one transaction.

use std::time::Duration;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Executor};

use super::failure::Failures;
use crate::store::StoreError;

/// The schema that this program writes and reads.
const VERSION: i64 = STEPS.len() as i64;

/// What leads from each version to the next. A step that was published is never changed.
const STEPS: [&str; 2] = [
    "
    CREATE TABLE schema_version (id BIGINT PRIMARY KEY, version BIGINT NOT NULL);
    INSERT INTO schema_version (id, version) VALUES (1, 0);

    CREATE TABLE sessions (
        id TEXT PRIMARY KEY, number BIGINT NOT NULL UNIQUE, hash TEXT NOT NULL, created_ms BIGINT NOT NULL,
        agent TEXT NOT NULL, status TEXT NOT NULL, summary TEXT NOT NULL, ended_ms BIGINT);
    CREATE TABLE entries (
        session TEXT NOT NULL, sequence BIGINT NOT NULL, time_ms BIGINT NOT NULL, body TEXT NOT NULL,
        hash TEXT NOT NULL, PRIMARY KEY (session, sequence));
    CREATE TABLE heads (session TEXT PRIMARY KEY, entries BIGINT NOT NULL, hash TEXT NOT NULL);
    CREATE TABLE blobs (sha256 TEXT PRIMARY KEY, json TEXT NOT NULL);

    -- Every write of a host sets `writer` to the epoch of its lease: the check refuses all but the current one.
    CREATE TABLE lease (
        id BIGINT PRIMARY KEY, host TEXT NOT NULL, name TEXT NOT NULL, pid BIGINT NOT NULL,
        start_time BIGINT NOT NULL, machine TEXT NOT NULL, epoch BIGINT NOT NULL, writer BIGINT NOT NULL,
        since_ms BIGINT NOT NULL, expires_ms BIGINT NOT NULL, CHECK (writer = epoch));
    INSERT INTO lease (id, host, name, pid, start_time, machine, epoch, writer, since_ms, expires_ms)
        VALUES (1, '', '', 0, 0, '', 0, 0, 0, 0);

    CREATE TABLE requests (
        id TEXT PRIMARY KEY, number BIGINT NOT NULL UNIQUE, kind TEXT NOT NULL, payload TEXT NOT NULL,
        idempotent BIGINT NOT NULL, state TEXT NOT NULL, epoch BIGINT NOT NULL, response TEXT,
        created_ms BIGINT NOT NULL, expires_ms BIGINT NOT NULL);
    CREATE INDEX requests_by_state ON requests (state, number);

    CREATE TABLE kv (name TEXT PRIMARY KEY, value TEXT NOT NULL);
",
    "
    -- `value` in base64; `bytes` of key and value, for the quota.
    CREATE TABLE plugin_values (
        plugin TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, bytes BIGINT NOT NULL,
        PRIMARY KEY (plugin, name));
",
];

/// Changing to WAL needs the file for itself, and does not wait for it.
const WAL_RETRIES: u32 = 50;
const WAL_RETRY_AFTER: Duration = Duration::from_millis(20);

/// Bring the file to this program's schema, or say why not. Several processes may do it at once.
pub(super) async fn prepare(connection: &mut SqliteConnection, failures: &Failures) -> Result<(), StoreError> {
    let found = version(connection, failures).await?;
    use_wal(connection, failures).await?;
    if found == VERSION {
        return Ok(());
    }
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(|error| failures.of(error))?;
    // Another process may have done it in between.
    let found = version(&mut transaction, failures).await?;
    for (from, step) in (0..).zip(STEPS) {
        if from >= found {
            transaction.execute(step).await.map_err(|error| failures.of(error))?;
        }
    }
    sqlx::query("UPDATE schema_version SET version = ? WHERE id = 1")
        .bind(VERSION)
        .execute(&mut *transaction)
        .await
        .map_err(|error| failures.of(error))?;
    transaction.commit().await.map_err(|error| failures.of(error))
}

/// 0 for an empty file.
async fn version(connection: &mut SqliteConnection, failures: &Failures) -> Result<i64, StoreError> {
    let of = |error| failures.of(error);
    let tables: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table'")
        .fetch_all(&mut *connection)
        .await
        .map_err(of)?;
    if tables.is_empty() {
        return Ok(0);
    }
    if !tables.iter().any(|table| table == "schema_version") {
        return Err(failures.corrupt("it is the database of another program"));
    }
    let found: Option<i64> = sqlx::query_scalar("SELECT version FROM schema_version WHERE id = 1")
        .fetch_optional(connection)
        .await
        .map_err(of)?;
    match found {
        Some(found) if found > VERSION => Err(failures.newer(found, VERSION)),
        Some(found) if found > 0 => Ok(found),
        _ => Err(failures.corrupt("its schema has no version")),
    }
}

async fn use_wal(connection: &mut SqliteConnection, failures: &Failures) -> Result<(), StoreError> {
    let mut retries = 0;
    loop {
        match sqlx::query_scalar::<_, String>("PRAGMA journal_mode = WAL").fetch_one(&mut *connection).await {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => return Err(failures.failed(&format!("its file system has no WAL, only `{mode}`"))),
            Err(error) => match failures.of(error) {
                StoreError::Busy { .. } if retries < WAL_RETRIES => {
                    retries += 1;
                    tokio::time::sleep(WAL_RETRY_AFTER).await;
                }
                error => return Err(error),
            },
        }
    }
}
