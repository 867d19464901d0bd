//! The journal's rows: one transaction a batch, one statement for all rows of a table.

use std::sync::{Arc, PoisonError};

use super::attempts::Attempts;
use super::continuity::{Standing, standing};
use super::{Cells, Database, Script, SqlStore, Statement, Transaction, ended, fence, of_lease};
use crate::store::{Batch, Durability, Extent, Head, Lease, OPEN, PRUNED, Row, SessionMark, SessionRecord, StoreError};

/// Rows of one INSERT. More of them gain nothing, and SQLite takes 32,766 arguments. Each count of
/// rows has a text of its own, which its connection keeps prepared.
const INSERT_ROWS_MAX: usize = 32;
/// A batch of so few rows, of one session, may be joined to one statement.
const TOGETHER_ROWS_MAX: usize = 16;

const SESSION_COLUMNS: &str = "SELECT id, number, agent, status, created_ms, ended_ms, summary, hash FROM sessions";

impl<D: Database> SqlStore<D> {
    pub(super) async fn write_batch(
        &self,
        lease: &Lease,
        batch: &Batch,
        durability: Durability,
    ) -> Result<(), StoreError> {
        let script = script_of(lease, batch);
        let mut attempts = Attempts::new();
        loop {
            let generation = self.database.generation();
            let is_sure = self.continuity.lock().unwrap_or_else(PoisonError::into_inner).is_sure(generation, batch);
            let result = match is_sure {
                true => self.database.transact(&script, durability, generation).await,
                false => self.write_after_look(&script, batch).await,
            };
            match result {
                // What was written although no answer came is found by the look.
                Err(error) if attempts.repeat(&error).await => {}
                result => return result.map_err(|error| of_lease(lease, error)),
            }
        }
    }

    /// Write `batch` unless it is there already, if the chains still end where this process left them.
    async fn write_after_look(&self, script: &Script, batch: &Batch) -> Result<(), StoreError> {
        let mut transaction = self.database.begin().await?;
        let generation = self.database.generation();
        let result = write_if_missing(&mut transaction, self.database.place(), script, batch).await;
        ended(transaction, result).await?;
        self.continuity.lock().unwrap_or_else(PoisonError::into_inner).looked_at(generation, batch);
        Ok(())
    }

    pub(super) async fn read_head(&self, session: &str) -> Result<Option<Head>, StoreError> {
        let row = self.read_one(Statement::new("SELECT entries, hash FROM heads WHERE session = ?").bind(session));
        row.await?.map(|mut row| Ok(Head { entries: row.natural()?, hash: row.text()? })).transpose()
    }

    pub(super) async fn read_rows(&self, session: &str, from: u64, limit: u32) -> Result<Vec<Row>, StoreError> {
        // Cast, so that a value of another type that somebody put there reads as a changed one.
        let statement = Statement::new(
            "SELECT sequence, CAST(time_ms AS BIGINT), CAST(body AS TEXT), CAST(hash AS TEXT) FROM entries
             WHERE session = ? AND sequence >= ? ORDER BY sequence LIMIT ?",
        );
        let rows = self.read(statement.bind(session).bind(from).bind(limit)).await?;
        let session: Arc<str> = Arc::from(session);
        let row = |mut row: Cells| {
            Ok(Row {
                session: session.clone(),
                sequence: row.natural()?,
                time_ms: row.natural()?,
                body: Arc::from(row.text()?),
                hash: row.text()?,
            })
        };
        rows.into_iter().map(row).collect()
    }

    pub(super) async fn read_extent(&self, session: &str) -> Result<Extent, StoreError> {
        let statement = Statement::new("SELECT COUNT(*), MAX(sequence) FROM entries WHERE session = ?").bind(session);
        let mut row = self.read_one(statement).await?.ok_or_else(|| self.corrupt("it cannot count"))?;
        Ok(Extent { rows: row.natural()?, last: row.maybe_natural()? })
    }

    pub(super) async fn read_blob(&self, sha256: &str) -> Result<Option<String>, StoreError> {
        self.read_text(Statement::new("SELECT CAST(json AS TEXT) FROM blobs WHERE sha256 = ?").bind(sha256)).await
    }

    pub(super) async fn read_sessions(&self) -> Result<Vec<SessionRecord>, StoreError> {
        let rows = self.read(Statement::new(format!("{SESSION_COLUMNS} ORDER BY number"))).await?;
        rows.into_iter().map(session_of).collect()
    }

    pub(super) async fn read_session(&self, id: &str) -> Result<Option<SessionRecord>, StoreError> {
        let statement = Statement::new(format!("{SESSION_COLUMNS} WHERE id = ?")).bind(id);
        self.read_one(statement).await?.map(session_of).transpose()
    }

    pub(super) async fn read_traces(&self) -> Result<Vec<String>, StoreError> {
        self.read_texts(Statement::new(
            "SELECT session FROM heads WHERE session <> '' UNION SELECT session FROM entries ORDER BY 1",
        ))
        .await
    }
}

async fn write_if_missing(
    transaction: &mut impl Transaction,
    place: &str,
    script: &Script,
    batch: &Batch,
) -> Result<(), StoreError> {
    let mut statements = script.statements.iter();
    // The first is the fence: from there on nobody else writes.
    if let Some(fence) = statements.next() {
        transaction.execute(fence).await?;
    }
    match standing(transaction, place, batch).await? {
        Standing::Written => return Ok(()),
        Standing::Before => {}
    }
    for statement in statements {
        transaction.execute(statement).await?;
    }
    Ok(())
}

const INSERT_BLOB: &str = "INSERT INTO blobs (sha256, json) VALUES (?, ?) ON CONFLICT (sha256) DO NOTHING";
const MARK_STARTED: &str = "UPDATE sessions SET agent = ? WHERE id = ?";
const MARK_ENDED: &str = "UPDATE sessions SET status = ?, summary = ?, ended_ms = ? WHERE id = ?";

const MARK_RESUMED: &str = "UPDATE sessions SET status = ?, summary = '', ended_ms = NULL WHERE id = ?";
const REMOVE_SESSION: [&str; 2] = ["DELETE FROM entries WHERE session = ?", "DELETE FROM heads WHERE session = ?"];
const MARK_PRUNED: &str = "UPDATE sessions SET status = ?, summary = '' WHERE id = ?";

/// The transaction of a batch.
fn script_of(lease: &Lease, batch: &Batch) -> Script {
    let mut statements = vec![fence(lease)];
    for session in &batch.sessions {
        let text = format!(
            "INSERT INTO sessions (id, number, hash, created_ms, agent, status, summary)
             VALUES (?, ?, ?, ?, '', '{OPEN}', '')"
        );
        statements.push(
            Statement::new(text)
                .bind(session.id.clone())
                .bind(session.number)
                .bind(session.hash.clone())
                .bind(session.created_ms),
        );
    }
    for blob in &batch.blobs {
        statements.push(Statement::new(INSERT_BLOB).bind(blob.sha256.clone()).bind(blob.json.clone()));
    }
    for rows in batch.rows.chunks(INSERT_ROWS_MAX) {
        statements.push(rows.iter().fold(insert_rows(rows.len()), bind_row));
    }
    for mark in &batch.marks {
        match mark {
            SessionMark::Started { session, agent } => {
                statements.push(Statement::new(MARK_STARTED).bind(agent.clone()).bind(session.clone()));
            }
            SessionMark::Ended { session, status, summary, time_ms } => statements.push(
                Statement::new(MARK_ENDED)
                    .bind(status.clone())
                    .bind(summary.clone())
                    .bind(*time_ms)
                    .bind(session.clone()),
            ),
            SessionMark::Resumed { session } => {
                statements.push(Statement::new(MARK_RESUMED).bind(OPEN).bind(session.clone()));
            }
            SessionMark::Pruned { session } => {
                statements.extend(REMOVE_SESSION.map(|text| Statement::new(text).bind(session.clone())));
                statements.push(Statement::new(MARK_PRUNED).bind(PRUNED).bind(session.clone()));
            }
        }
    }
    for heads in batch.heads.chunks(INSERT_ROWS_MAX) {
        statements.push(heads.iter().fold(insert_heads(heads.len()), bind_head));
    }
    // Everyday batches: each statement is a way to the database and back, and somebody may be waiting.
    let is_only_rows = batch.sessions.is_empty() && batch.blobs.is_empty() && batch.marks.is_empty();
    let is_joinable = is_only_rows && (1..=TOGETHER_ROWS_MAX).contains(&batch.rows.len()) && batch.heads.len() == 1;
    Script { statements, is_joinable }
}

fn insert_rows(count: usize) -> Statement {
    let tuples = vec!["(?, ?, ?, ?, ?)"; count].join(",");
    Statement::new(format!("INSERT INTO entries (session, sequence, time_ms, body, hash) VALUES {tuples}"))
}

fn insert_heads(count: usize) -> Statement {
    let tuples = vec!["(?, ?, ?)"; count].join(",");
    Statement::new(format!(
        "INSERT INTO heads (session, entries, hash) VALUES {tuples}
         ON CONFLICT (session) DO UPDATE SET entries = excluded.entries, hash = excluded.hash"
    ))
}

fn bind_row(statement: Statement, row: &Row) -> Statement {
    statement
        .bind(row.session.clone())
        .bind(row.sequence)
        .bind(row.time_ms)
        .bind(row.body.clone())
        .bind(row.hash.clone())
}

fn bind_head(statement: Statement, (session, head): &(Arc<str>, Head)) -> Statement {
    statement.bind(session.clone()).bind(head.entries).bind(head.hash.clone())
}

fn session_of(mut row: Cells) -> Result<SessionRecord, StoreError> {
    Ok(SessionRecord {
        id: row.text()?,
        number: row.natural()?,
        agent: row.text()?,
        status: row.text()?,
        created_ms: row.natural()?,
        ended_ms: row.maybe_natural()?,
        summary: row.text()?,
        hash: row.text()?,
    })
}
