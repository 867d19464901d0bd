//! Brings a file to this program's schema, in one transaction.

use std::time::Duration;

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Executor};

use super::failure::Failures;
use crate::store::StoreError;
use crate::store::sql::schema::{Found, STEPS, VERSION, found};

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
    match found(&tables) {
        Found::Empty => return Ok(0),
        Found::Foreign => return Err(failures.corrupt("it is the database of another program")),
        Found::Ours => {}
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
