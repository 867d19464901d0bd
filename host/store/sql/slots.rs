//! The table of slots: a job's time is claimed by inserting its row, or by changing the row that one has read.
//! A session that is not there is an empty text: a parameter that is null has no type in every database.

use super::attempts::Attempts;
use super::{Cells, Database, SqlStore, Statement, Transaction, ended};
use crate::store::{Lease, Slot, SlotKey, StoreError};

const COLUMNS: &str = "job, due_ms, origin, state, detail, session, epoch, note";

impl<D: Database> SqlStore<D> {
    pub(super) async fn write_slot(&self, lease: &Lease, slot: &Slot, was: Option<&Slot>) -> Result<bool, StoreError> {
        let mut attempts = Attempts::new();
        let mut is_first = true;
        loop {
            let result = match self.begin_fenced(lease).await {
                Ok(mut transaction) => {
                    let result = write_in(&mut transaction, lease, slot, was, is_first).await;
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

    pub(super) async fn read_slot(&self, key: &SlotKey) -> Result<Option<Slot>, StoreError> {
        let statement = format!("SELECT {COLUMNS} FROM slots WHERE job = ? AND due_ms = ? AND origin = ?");
        let statement = Statement::new(statement).bind(&*key.job).bind(key.due_ms).bind(&*key.origin);
        self.read_one(statement).await?.map(|row| self.slot_of(row)).transpose()
    }

    pub(super) async fn read_slots(&self, job: &str, limit: u32) -> Result<Vec<Slot>, StoreError> {
        let statement = format!("SELECT {COLUMNS} FROM slots WHERE job = ? ORDER BY due_ms DESC, origin LIMIT ?");
        let rows = self.read(Statement::new(statement).bind(job).bind(limit)).await?;
        rows.into_iter().map(|row| self.slot_of(row)).collect()
    }

    pub(super) async fn read_slots_in(&self, states: &[&str], job: Option<&str>) -> Result<Vec<Slot>, StoreError> {
        let marks = vec!["?"; states.len()].join(", ");
        let of = if job.is_some() { " AND job = ?" } else { "" };
        let statement =
            format!("SELECT {COLUMNS} FROM slots WHERE state IN ({marks}){of} ORDER BY job, due_ms, origin");
        let mut statement = states.iter().fold(Statement::new(statement), |statement, state| statement.bind(*state));
        if let Some(job) = job {
            statement = statement.bind(job);
        }
        self.read(statement).await?.into_iter().map(|row| self.slot_of(row)).collect()
    }

    pub(super) async fn delete_slot(&self, lease: &Lease, key: &SlotKey) -> Result<(), StoreError> {
        let statement = Statement::new("DELETE FROM slots WHERE job = ? AND due_ms = ? AND origin = ?");
        let statement = statement.bind(&*key.job).bind(key.due_ms).bind(&*key.origin);
        self.repeat_fenced(lease, &statement).await.map(|_| ())
    }

    fn slot_of(&self, mut row: Cells) -> Result<Slot, StoreError> {
        let key = SlotKey { job: row.text()?, due_ms: row.natural()?, origin: row.text()? };
        let (state, detail, session) = (row.text()?, row.text()?, row.text()?);
        let detail = serde_json::from_str(&detail)
            .map_err(|error| self.corrupt(&format!("the slot {key:?} is no JSON: {error}")))?;
        let session = Some(session).filter(|session| !session.is_empty());
        Ok(Slot { key, state, detail, session, epoch: row.natural()?, note: row.text()? })
    }
}

async fn write_in(
    transaction: &mut impl Transaction,
    lease: &Lease,
    slot: &Slot,
    was: Option<&Slot>,
    is_first: bool,
) -> Result<bool, StoreError> {
    let (key, detail) = (&slot.key, slot.detail.to_string());
    let session = slot.session.as_deref().unwrap_or_default();
    let statement = match was {
        None => Statement::new(
            "INSERT INTO slots (job, due_ms, origin, state, detail, session, epoch, note)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (job, due_ms, origin) DO NOTHING",
        )
        .bind(&*key.job)
        .bind(key.due_ms)
        .bind(&*key.origin)
        .bind(&*slot.state)
        .bind(&*detail)
        .bind(session)
        .bind(lease.epoch)
        .bind(&*slot.note),
        Some(was) => Statement::new(
            "UPDATE slots SET state = ?, detail = ?, session = ?, epoch = ?, note = ?
             WHERE job = ? AND due_ms = ? AND origin = ? AND state = ? AND detail = ?",
        )
        .bind(&*slot.state)
        .bind(&*detail)
        .bind(session)
        .bind(lease.epoch)
        .bind(&*slot.note)
        .bind(&*key.job)
        .bind(key.due_ms)
        .bind(&*key.origin)
        .bind(&*was.state)
        .bind(was.detail.to_string()),
    };
    if transaction.execute(&statement).await? > 0 {
        return Ok(true);
    }
    if is_first {
        return Ok(false);
    }
    // An attempt without an answer may have gone through.
    let statement = Statement::new(
        "SELECT job FROM slots WHERE job = ? AND due_ms = ? AND origin = ? AND epoch = ? AND state = ? AND detail = ?",
    );
    let statement = statement.bind(&*key.job).bind(key.due_ms).bind(&*key.origin).bind(lease.epoch);
    Ok(!transaction.fetch(&statement.bind(&*slot.state).bind(&*detail)).await?.is_empty())
}
