//! The journal's rows: one transaction a batch, one statement for all rows of a table.

use std::sync::Arc;

use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments};
use sqlx::{AssertSqlSafe, Executor};

use super::{SqliteStore, Writer};
use crate::store::{Batch, Durability, Extent, Head, Lease, OPEN, PRUNED, Row, SessionMark, SessionRecord, StoreError};

/// Rows of one INSERT. More of them gain nothing, and SQLite takes 32,766 arguments.
const INSERT_ROWS_MAX: usize = 32;
/// A batch of so few rows, of one session, is written by one text.
const TOGETHER_ROWS_MAX: usize = 16;

/// Each count of rows has a text of its own, and stays prepared: the connection keeps
/// [`PREPARED_MAX`](super::PREPARED_MAX) of them.
type Statement = Query<'static, Sqlite, SqliteArguments>;

type SessionRow = (String, i64, String, String, i64, Option<i64>, String, String);
const SESSION_COLUMNS: &str = "SELECT id, number, agent, status, created_ms, ended_ms, summary, hash FROM sessions";

impl SqliteStore {
    pub(super) async fn write_batch(
        &self,
        lease: &Lease,
        batch: &Batch,
        durability: Durability,
    ) -> Result<(), StoreError> {
        let statements = statements_of(lease, batch);
        let mut writer = self.writer.lock().await;
        writer.transact(durability, statements).await.map_err(|error| self.fenced(lease, error))
    }

    pub(super) async fn read_head(&self, session: &str) -> Result<Option<Head>, StoreError> {
        let row: Option<(i64, String)> = sqlx::query_as("SELECT entries, hash FROM heads WHERE session = ?")
            .bind(session)
            .fetch_optional(&self.readers)
            .await
            .map_err(|error| self.failures.of(error))?;
        Ok(row.map(|(entries, hash)| Head { entries: natural(entries), hash }))
    }

    pub(super) async fn read_rows(&self, session: &str, from: u64, limit: u32) -> Result<Vec<Row>, StoreError> {
        // Cast, so that a value of another type that somebody put there reads as a changed one.
        let rows: Vec<(i64, i64, String, String)> = sqlx::query_as(
            "SELECT sequence, CAST(time_ms AS BIGINT), CAST(body AS TEXT), CAST(hash AS TEXT) FROM entries
             WHERE session = ? AND sequence >= ? ORDER BY sequence LIMIT ?",
        )
        .bind(session)
        .bind(whole(from))
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await
        .map_err(|error| self.failures.of(error))?;
        let session: Arc<str> = Arc::from(session);
        let row = |(sequence, time_ms, body, hash): (i64, i64, String, String)| Row {
            session: session.clone(),
            sequence: natural(sequence),
            time_ms: natural(time_ms),
            body: Arc::from(body),
            hash,
        };
        Ok(rows.into_iter().map(row).collect())
    }

    pub(super) async fn read_extent(&self, session: &str) -> Result<Extent, StoreError> {
        let (rows, last): (i64, Option<i64>) =
            sqlx::query_as("SELECT COUNT(*), MAX(sequence) FROM entries WHERE session = ?")
                .bind(session)
                .fetch_one(&self.readers)
                .await
                .map_err(|error| self.failures.of(error))?;
        Ok(Extent { rows: natural(rows), last: last.map(natural) })
    }

    pub(super) async fn read_blob(&self, sha256: &str) -> Result<Option<String>, StoreError> {
        sqlx::query_scalar("SELECT CAST(json AS TEXT) FROM blobs WHERE sha256 = ?")
            .bind(sha256)
            .fetch_optional(&self.readers)
            .await
            .map_err(|error| self.failures.of(error))
    }

    pub(super) async fn read_sessions(&self) -> Result<Vec<SessionRecord>, StoreError> {
        let rows: Vec<SessionRow> = sqlx::query_as(AssertSqlSafe(format!("{SESSION_COLUMNS} ORDER BY number")))
            .fetch_all(&self.readers)
            .await
            .map_err(|error| self.failures.of(error))?;
        Ok(rows.into_iter().map(session_of).collect())
    }

    pub(super) async fn read_session(&self, id: &str) -> Result<Option<SessionRecord>, StoreError> {
        let row: Option<SessionRow> = sqlx::query_as(AssertSqlSafe(format!("{SESSION_COLUMNS} WHERE id = ?")))
            .bind(id)
            .fetch_optional(&self.readers)
            .await
            .map_err(|error| self.failures.of(error))?;
        Ok(row.map(session_of))
    }

    pub(super) async fn read_traces(&self) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar("SELECT session FROM heads WHERE session <> '' UNION SELECT session FROM entries ORDER BY 1")
            .fetch_all(&self.readers)
            .await
            .map_err(|error| self.failures.of(error))
    }
}

impl Writer {
    /// Run `statements`, which are one whole transaction.
    async fn transact(&mut self, durability: Durability, statements: Vec<Statement>) -> Result<(), sqlx::Error> {
        self.settle().await?;
        if self.durability != durability {
            let pragma = match durability {
                Durability::Disk => "PRAGMA synchronous = FULL",
                Durability::Kernel => "PRAGMA synchronous = NORMAL",
            };
            self.connection.execute(pragma).await?;
            self.durability = durability;
        }
        self.is_unsettled = true;
        for statement in statements {
            if let Err(error) = statement.execute(&mut self.connection).await {
                // At once: an open transaction keeps every other process from writing.
                self.settle().await?;
                return Err(error);
            }
        }
        self.is_unsettled = false;
        Ok(())
    }

    /// End what a failed or a cancelled transaction left behind.
    pub(super) async fn settle(&mut self) -> Result<(), sqlx::Error> {
        if self.is_unsettled {
            // It fails where the failure itself has ended the transaction, or COMMIT had gone through.
            let _ = self.connection.execute("ROLLBACK").await;
            self.is_unsettled = false;
        }
        Ok(())
    }
}

const BEGIN: &str = "BEGIN IMMEDIATE; UPDATE lease SET writer = ? WHERE id = 1;";
const INSERT_BLOB: &str = "INSERT INTO blobs (sha256, json) VALUES (?, ?) ON CONFLICT (sha256) DO NOTHING";
const MARK_STARTED: &str = "UPDATE sessions SET agent = ? WHERE id = ?";
const MARK_ENDED: &str = "UPDATE sessions SET status = ?, summary = ?, ended_ms = ? WHERE id = ?";
const REMOVE_SESSION: [&str; 2] = ["DELETE FROM entries WHERE session = ?", "DELETE FROM heads WHERE session = ?"];
const MARK_PRUNED: &str = "UPDATE sessions SET status = ?, summary = '' WHERE id = ?";
const COMMIT: &str = "COMMIT";

/// The transaction of a batch. Everyday ones are a single text of several statements: each text is
/// one way to the connection's thread and back, and somebody may be waiting.
fn statements_of(lease: &Lease, batch: &Batch) -> Vec<Statement> {
    let is_only_rows = batch.sessions.is_empty() && batch.blobs.is_empty() && batch.marks.is_empty();
    if is_only_rows && (1..=TOGETHER_ROWS_MAX).contains(&batch.rows.len()) && batch.heads.len() == 1 {
        let text = format!("{BEGIN}{};{};{COMMIT}", insert_rows(batch.rows.len()), insert_heads(1));
        let statement = batch.rows.iter().fold(statement(text).bind(whole(lease.epoch)), bind_row);
        return vec![batch.heads.iter().fold(statement, bind_head)];
    }
    let mut statements = vec![statement(BEGIN).bind(whole(lease.epoch))];
    for session in &batch.sessions {
        let text = format!(
            "INSERT INTO sessions (id, number, hash, created_ms, agent, status, summary)
             VALUES (?, ?, ?, ?, '', '{OPEN}', '')"
        );
        statements.push(
            statement(text)
                .bind(session.id.clone())
                .bind(whole(session.number))
                .bind(session.hash.clone())
                .bind(whole(session.created_ms)),
        );
    }
    for blob in &batch.blobs {
        statements.push(statement(INSERT_BLOB).bind(blob.sha256.clone()).bind(blob.json.clone()));
    }
    for rows in batch.rows.chunks(INSERT_ROWS_MAX) {
        statements.push(rows.iter().fold(statement(insert_rows(rows.len())), bind_row));
    }
    for mark in &batch.marks {
        match mark {
            SessionMark::Started { session, agent } => {
                statements.push(statement(MARK_STARTED).bind(agent.clone()).bind(session.clone()));
            }
            SessionMark::Ended { session, status, summary, time_ms } => statements.push(
                statement(MARK_ENDED)
                    .bind(status.clone())
                    .bind(summary.clone())
                    .bind(whole(*time_ms))
                    .bind(session.clone()),
            ),
            SessionMark::Pruned { session } => {
                statements.extend(REMOVE_SESSION.map(|text| statement(text).bind(session.clone())));
                statements.push(statement(MARK_PRUNED).bind(PRUNED).bind(session.clone()));
            }
        }
    }
    for heads in batch.heads.chunks(INSERT_ROWS_MAX) {
        statements.push(heads.iter().fold(statement(insert_heads(heads.len())), bind_head));
    }
    statements.push(statement(COMMIT));
    statements
}

/// Every text is made of constants and of question marks: nothing of what is stored is in it.
fn statement(text: impl Into<String>) -> Statement {
    sqlx::query(AssertSqlSafe(text.into()))
}

fn insert_rows(count: usize) -> String {
    let tuples = vec!["(?, ?, ?, ?, ?)"; count].join(",");
    format!("INSERT INTO entries (session, sequence, time_ms, body, hash) VALUES {tuples}")
}

fn insert_heads(count: usize) -> String {
    let tuples = vec!["(?, ?, ?)"; count].join(",");
    format!(
        "INSERT INTO heads (session, entries, hash) VALUES {tuples}
         ON CONFLICT (session) DO UPDATE SET entries = excluded.entries, hash = excluded.hash"
    )
}

fn bind_row(statement: Statement, row: &Row) -> Statement {
    statement
        .bind(row.session.clone())
        .bind(whole(row.sequence))
        .bind(whole(row.time_ms))
        .bind(row.body.clone())
        .bind(row.hash.clone())
}

fn bind_head(statement: Statement, (session, head): &(Arc<str>, Head)) -> Statement {
    statement.bind(session.clone()).bind(whole(head.entries)).bind(head.hash.clone())
}

fn session_of((id, number, agent, status, created_ms, ended_ms, summary, hash): SessionRow) -> SessionRecord {
    SessionRecord {
        id,
        number: natural(number),
        agent,
        status,
        created_ms: natural(created_ms),
        ended_ms: ended_ms.map(natural),
        summary,
        hash,
    }
}

/// SQL's integers are signed. No count and no time of ours comes near the end.
pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A negative number, which nobody wrote, reads as 0, and verification finds it.
pub(super) fn natural(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
