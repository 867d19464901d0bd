//! The lease's row. Taking, prolonging and giving back are each one transaction.

use sqlx::Connection;

use super::SqliteStore;
use super::entries::{natural, whole};
use crate::clock;
use crate::store::{Held, Holder, LEASE_MS, Lease, LeaseError, StoreError};

type LeaseRow = (String, String, i64, i64, String, i64, i64, i64);
const SELECT: &str = "SELECT host, name, pid, start_time, machine, epoch, since_ms, expires_ms FROM lease WHERE id = 1";

impl SqliteStore {
    pub(super) async fn acquire_lease(&self, holder: &Holder) -> Result<Lease, LeaseError> {
        let of = |error| self.failures.of(error);
        let mut writer = self.writer.lock().await;
        writer.settle().await.map_err(of)?;
        let mut transaction = writer.connection.begin_with("BEGIN IMMEDIATE").await.map_err(of)?;
        let row: Option<LeaseRow> = sqlx::query_as(SELECT).fetch_optional(&mut *transaction).await.map_err(of)?;
        let row = row.ok_or_else(|| self.failures.corrupt("it has lost the row of its lease"))?;
        let now_ms = clock::now_ms();
        let held = held_of(row);
        if !held.host.is_empty() && !held.is_over(now_ms) {
            return Err(LeaseError::HeldBy(held));
        }
        let lease = Lease { host: holder.host.clone(), epoch: held.epoch + 1 };
        sqlx::query(
            "UPDATE lease SET host = ?, name = ?, pid = ?, start_time = ?, machine = ?, epoch = ?, writer = ?,
             since_ms = ?, expires_ms = ? WHERE id = 1",
        )
        .bind(&holder.host)
        .bind(&holder.name)
        .bind(i64::from(holder.pid))
        .bind(whole(holder.start_time))
        .bind(&holder.machine)
        .bind(whole(lease.epoch))
        .bind(whole(lease.epoch))
        .bind(whole(now_ms))
        .bind(whole(now_ms + LEASE_MS))
        .execute(&mut *transaction)
        .await
        .map_err(of)?;
        transaction.commit().await.map_err(of)?;
        Ok(lease)
    }

    pub(super) async fn renew_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        let of = |error| self.failures.of(error);
        let mut writer = self.writer.lock().await;
        writer.settle().await.map_err(of)?;
        let done = sqlx::query("UPDATE lease SET expires_ms = ? WHERE id = 1 AND epoch = ? AND host = ?")
            .bind(whole(clock::now_ms() + LEASE_MS))
            .bind(whole(lease.epoch))
            .bind(&lease.host)
            .execute(&mut writer.connection)
            .await
            .map_err(of)?;
        if done.rows_affected() == 0 {
            return Err(StoreError::Fenced { epoch: lease.epoch });
        }
        Ok(())
    }

    pub(super) async fn release_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        let of = |error| self.failures.of(error);
        let mut writer = self.writer.lock().await;
        writer.settle().await.map_err(of)?;
        // The epoch goes up, so that not even a straggler of this host writes any more.
        sqlx::query(
            "UPDATE lease SET host = '', expires_ms = 0, epoch = epoch + 1, writer = epoch + 1
             WHERE id = 1 AND epoch = ? AND host = ?",
        )
        .bind(whole(lease.epoch))
        .bind(&lease.host)
        .execute(&mut writer.connection)
        .await
        .map_err(of)?;
        Ok(())
    }

    pub(super) async fn read_holder(&self) -> Result<Option<Held>, StoreError> {
        let row: Option<LeaseRow> =
            sqlx::query_as(SELECT).fetch_optional(&self.readers).await.map_err(|error| self.failures.of(error))?;
        Ok(row.map(held_of).filter(|held| !held.host.is_empty() && !held.is_over(clock::now_ms())))
    }
}

fn held_of((host, name, pid, start_time, machine, epoch, since_ms, expires_ms): LeaseRow) -> Held {
    Held {
        host,
        name,
        pid: u32::try_from(pid).unwrap_or(0),
        start_time: natural(start_time),
        machine,
        epoch: natural(epoch),
        since_ms: natural(since_ms),
        expires_ms: natural(expires_ms),
    }
}
