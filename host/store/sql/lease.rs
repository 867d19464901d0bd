//! The lease's row. Taking, prolonging and giving back are each one transaction, and their times are
//! of the clock that all hosts of the database share.

use super::attempts::Attempts;
use super::{Cells, Database, SqlStore, Statement, Transaction, ended};
use crate::store::{Held, Holder, LEASE_MS, Lease, LeaseError, StoreError};

const SELECT: &str = "SELECT host, name, pid, start_time, machine, epoch, since_ms, expires_ms FROM lease WHERE id = 1";

impl<D: Database> SqlStore<D> {
    pub(super) async fn acquire_lease(&self, holder: &Holder) -> Result<Lease, LeaseError> {
        let mut attempts = Attempts::new();
        loop {
            let result = match self.database.begin().await {
                Ok(mut transaction) => {
                    let result = self.acquire_in(&mut transaction, holder).await;
                    ended(transaction, result).await
                }
                Err(error) => Err(error),
            };
            match result {
                Ok(Ok(lease)) => return Ok(lease),
                Ok(Err(held)) => return Err(LeaseError::HeldBy(held)),
                Err(error) if attempts.repeat(&error).await => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The lease, or who has it.
    async fn acquire_in(
        &self,
        transaction: &mut D::Transaction,
        holder: &Holder,
    ) -> Result<Result<Lease, Held>, StoreError> {
        let row = transaction.fetch(&Statement::new(SELECT)).await?.pop();
        let held = held_of(row.ok_or_else(|| self.corrupt("it has lost the row of its lease"))?)?;
        let now_ms = transaction.now_ms().await?;
        // One's own is what an attempt without an answer has left.
        if !held.host.is_empty() && held.host != holder.host && !held.is_over(now_ms) {
            return Ok(Err(held));
        }
        let lease = Lease { host: holder.host.clone(), epoch: held.epoch + 1 };
        let statement = Statement::new(
            "UPDATE lease SET host = ?, name = ?, pid = ?, start_time = ?, machine = ?, epoch = ?, writer = ?,
             since_ms = ?, expires_ms = ? WHERE id = 1",
        );
        let statement = statement
            .bind(&*holder.host)
            .bind(&*holder.name)
            .bind(holder.pid)
            .bind(holder.start_time)
            .bind(&*holder.machine)
            .bind(lease.epoch)
            .bind(lease.epoch)
            .bind(now_ms)
            .bind(now_ms + LEASE_MS);
        transaction.execute(&statement).await?;
        Ok(Ok(lease))
    }

    pub(super) async fn renew_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        // One attempt: it comes again by itself, and what is written meanwhile shall not wait for it.
        let mut transaction = self.database.begin().await?;
        let result = renew_in(&mut transaction, lease).await;
        ended(transaction, result).await
    }

    pub(super) async fn release_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        // The epoch goes up, so that not even a straggler of this host writes any more.
        let statement = Statement::new(
            "UPDATE lease SET host = '', expires_ms = 0, epoch = epoch + 1, writer = epoch + 1
             WHERE id = 1 AND epoch = ? AND host = ?",
        );
        self.repeat(&statement.bind(lease.epoch).bind(&*lease.host)).await.map(|_| ())
    }

    pub(super) async fn read_holder(&self) -> Result<Option<Held>, StoreError> {
        let Some(row) = self.read_one(Statement::new(SELECT)).await? else { return Ok(None) };
        let held = held_of(row)?;
        let is_held = !held.host.is_empty() && !held.is_over(self.now_ms().await?);
        Ok(is_held.then_some(held))
    }

    /// Run a statement that may be run twice; how many rows it changed.
    pub(super) async fn repeat(&self, statement: &Statement) -> Result<u64, StoreError> {
        let mut attempts = Attempts::new();
        loop {
            match self.database.execute(statement).await {
                Err(error) if attempts.repeat(&error).await => {}
                result => return result,
            }
        }
    }
}

async fn renew_in(transaction: &mut impl Transaction, lease: &Lease) -> Result<(), StoreError> {
    let expires_ms = transaction.now_ms().await? + LEASE_MS;
    let statement = Statement::new("UPDATE lease SET expires_ms = ? WHERE id = 1 AND epoch = ? AND host = ?")
        .bind(expires_ms)
        .bind(lease.epoch)
        .bind(&*lease.host);
    match transaction.execute(&statement).await? {
        0 => Err(StoreError::Fenced { epoch: lease.epoch }),
        _ => Ok(()),
    }
}

fn held_of(mut row: Cells) -> Result<Held, StoreError> {
    Ok(Held {
        host: row.text()?,
        name: row.text()?,
        pid: u32::try_from(row.natural()?).unwrap_or(0),
        start_time: row.natural()?,
        machine: row.text()?,
        epoch: row.natural()?,
        since_ms: row.natural()?,
        expires_ms: row.natural()?,
    })
}
