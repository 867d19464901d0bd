//! Brings a project's schema to what this program knows, in one transaction that only one process at a
//! time is in, and refuses a server that could not keep what it is told.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor};

use super::connection::within;
use super::failure::Failures;
use crate::store::StoreError;
use crate::store::sql::schema::{Found, STEPS, VERSION, found};

/// The oldest server whose statements are known to do.
const SERVER_MIN: i64 = 130_000;
/// How long the migration of another process is waited for.
const LOCK: &str = "SET LOCAL lock_timeout = 30000; SELECT pg_advisory_xact_lock(hashtextextended('pi-host', 0))";

/// Look at the server and at the schema, and bring it to this program's version. With `may_make` a
/// schema that is not there is made.
pub(super) async fn prepare(
    connection: &mut PgConnection,
    schema: &str,
    may_make: bool,
    failures: &Failures,
) -> Result<(), StoreError> {
    check_server(connection, failures).await?;
    match version(connection, schema, failures).await? {
        VERSION => return Ok(()),
        0 if !may_make => return Err(failures.missing()),
        _ => {}
    }
    within(failures, connection.execute("BEGIN")).await?;
    let result = migrate(connection, schema, failures).await;
    let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = within(failures, connection.execute(end)).await;
    result.and(ended.map(|_| ()))
}

async fn migrate(connection: &mut PgConnection, schema: &str, failures: &Failures) -> Result<(), StoreError> {
    within(failures, connection.execute(LOCK)).await?;
    // Another process may have done it in between.
    let found = version(connection, schema, failures).await?;
    if found == 0 {
        let text = format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\"");
        within(failures, connection.execute(AssertSqlSafe(text))).await?;
    }
    for (from, step) in (0..).zip(STEPS) {
        if from >= found {
            // In the order of their bytes, as everywhere else, whatever language the server speaks.
            let step = step.replace(" TEXT", " TEXT COLLATE \"C\"");
            within(failures, connection.execute(AssertSqlSafe(step))).await?;
        }
    }
    let set = sqlx::query("UPDATE schema_version SET version = $1 WHERE id = 1").bind(VERSION);
    within(failures, set.execute(&mut *connection)).await.map(|_| ())
}

async fn check_server(connection: &mut PgConnection, failures: &Failures) -> Result<(), StoreError> {
    let settings = sqlx::query_as(
        "SELECT CAST(current_setting('server_version_num') AS BIGINT), current_setting('server_encoding'),
                current_setting('fsync'), current_setting('full_page_writes')",
    );
    let (version, encoding, fsync, full_pages): (i64, String, String, String) =
        within(failures, settings.fetch_one(&mut *connection)).await?;
    if version < SERVER_MIN {
        return Err(failures.unfit(&format!("PostgreSQL 13 or newer is needed, and this is: {version}")));
    }
    if encoding != "UTF8" {
        return Err(failures.unfit(&format!("the database's encoding has to be UTF8, and is: {encoding}")));
    }
    // What such a server acknowledges may be gone after a power cut, or damaged.
    if fsync != "on" || full_pages != "on" {
        return Err(failures.unfit("`fsync` or `full_page_writes` is off: it does not keep what it acknowledges"));
    }
    Ok(())
}

/// 0 where there is nothing yet.
async fn version(connection: &mut PgConnection, schema: &str, failures: &Failures) -> Result<i64, StoreError> {
    let tables = sqlx::query_scalar(
        "SELECT CAST(c.relname AS TEXT) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = $1 AND c.relkind IN ('r', 'p')",
    );
    let tables: Vec<String> = within(failures, tables.bind(schema).fetch_all(&mut *connection)).await?;
    match found(&tables) {
        Found::Empty => return Ok(0),
        Found::Foreign => return Err(failures.corrupt("it is the schema of another program")),
        Found::Ours => {}
    }
    let version = sqlx::query_scalar("SELECT version FROM schema_version WHERE id = 1");
    match within(failures, version.fetch_optional(&mut *connection)).await? {
        Some(found) if found > VERSION => Err(failures.newer(found, VERSION)),
        Some(found) if found > 0 => Ok(found),
        _ => Err(failures.corrupt("its schema has no version")),
    }
}
