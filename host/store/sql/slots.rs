//! The table of slots: a job's time is claimed by inserting its row, which only one can.
//! What is not there is an empty text or a zero: a parameter that is null has no type in every database.

use super::attempts::Attempts;
use super::{Cells, Database, SqlStore, Statement, Transaction, ended};
use crate::store::{Lease, Slot, SlotKey, StoreError};

const COLUMNS: &str = "job, due_ms, origin, state, attempt, session, epoch, begun_ms, ended_ms, note";

impl<D: Database> SqlStore<D> {
    pub(super) async fn insert_slot(&self, lease: &Lease, slot: &Slot) -> Result<bool, StoreError> {
        let mut attempts = Attempts::new();
        let mut is_first = true;
        loop {
            let result = match self.begin_fenced(lease).await {
                Ok(mut transaction) => {
                    let result = insert_in(&mut transaction, lease, slot, is_first).await;
                    ended(transaction, result).await
                }
                Err(error) => Err(error),
            };
            match result {
                Err(error) if attempts.repeat(&error).await => is_first = false,
                result => return result,
            }
        }
    }

    pub(super) async fn update_slot(&self, lease: &Lease, slot: &Slot) -> Result<bool, StoreError> {
        let statement = Statement::new(
            "UPDATE slots SET state = ?, attempt = ?, session = ?, epoch = ?, begun_ms = ?, ended_ms = ?, note = ?
             WHERE job = ? AND due_ms = ? AND origin = ?",
        );
        let statement = statement
            .bind(&*slot.state)
            .bind(u64::from(slot.attempt))
            .bind(slot.session.as_deref().unwrap_or_default())
            .bind(lease.epoch)
            .bind(slot.begun_ms)
            .bind(slot.ended_ms.unwrap_or(0))
            .bind(&*slot.note)
            .bind(&*slot.key.job)
            .bind(slot.key.due_ms)
            .bind(&*slot.key.origin);
        self.repeat_fenced(lease, &statement).await.map(|changed| changed > 0)
    }

    pub(super) async fn read_slots(&self, job: &str, limit: u32) -> Result<Vec<Slot>, StoreError> {
        let statement = format!("SELECT {COLUMNS} FROM slots WHERE job = ? ORDER BY due_ms DESC, begun_ms DESC LIMIT ?");
        let rows = self.read(Statement::new(statement).bind(job).bind(u64::from(limit))).await?;
        rows.into_iter().map(slot_of).collect()
    }

    pub(super) async fn read_open_slots(&self, state: &str) -> Result<Vec<Slot>, StoreError> {
        let statement = format!("SELECT {COLUMNS} FROM slots WHERE state = ? ORDER BY job, due_ms");
        let rows = self.read(Statement::new(statement).bind(state)).await?;
        rows.into_iter().map(slot_of).collect()
    }

    pub(super) async fn delete_slots(
        &self,
        lease: &Lease,
        job: &str,
        before_ms: u64,
        kept: u32,
    ) -> Result<u64, StoreError> {
        let statement = Statement::new(
            "DELETE FROM slots WHERE job = ? AND ended_ms > 0 AND (due_ms < ? OR due_ms <
             (SELECT MIN(due_ms) FROM (SELECT due_ms FROM slots WHERE job = ? ORDER BY due_ms DESC LIMIT ?) AS newest))",
        );
        let statement = statement.bind(job).bind(before_ms).bind(job).bind(u64::from(kept));
        self.repeat_fenced(lease, &statement).await
    }
}

async fn insert_in(
    transaction: &mut impl Transaction,
    lease: &Lease,
    slot: &Slot,
    is_first: bool,
) -> Result<bool, StoreError> {
    let key = &slot.key;
    let statement = Statement::new(
        "INSERT INTO slots (job, due_ms, origin, state, attempt, session, epoch, begun_ms, ended_ms, note)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (job, due_ms, origin) DO NOTHING",
    );
    let statement = statement
        .bind(&*key.job)
        .bind(key.due_ms)
        .bind(&*key.origin)
        .bind(&*slot.state)
        .bind(u64::from(slot.attempt))
        .bind(slot.session.as_deref().unwrap_or_default())
        .bind(lease.epoch)
        .bind(slot.begun_ms)
        .bind(slot.ended_ms.unwrap_or(0))
        .bind(&*slot.note);
    if transaction.execute(&statement).await? > 0 {
        return Ok(true);
    }
    if is_first {
        return Ok(false);
    }
    // An attempt without an answer may have gone through.
    let statement = Statement::new("SELECT job FROM slots WHERE job = ? AND due_ms = ? AND origin = ? AND epoch = ?");
    let statement = statement.bind(&*key.job).bind(key.due_ms).bind(&*key.origin).bind(lease.epoch);
    Ok(!transaction.fetch(&statement).await?.is_empty())
}

fn slot_of(mut row: Cells) -> Result<Slot, StoreError> {
    let key = SlotKey { job: row.text()?, due_ms: row.natural()?, origin: row.text()? };
    let (state, attempt, session) = (row.text()?, row.natural()?, row.text()?);
    let (epoch, begun_ms, ended_ms, note) = (row.natural()?, row.natural()?, row.natural()?, row.text()?);
    Ok(Slot {
        key,
        state,
        attempt: u32::try_from(attempt).unwrap_or(u32::MAX),
        session: Some(session).filter(|session| !session.is_empty()),
        epoch,
        begun_ms,
        ended_ms: Some(ended_ms).filter(|ended_ms| *ended_ms > 0),
        note,
    })
}
