//! The values of plugins: each change is one transaction, in which the quota is looked at.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sqlx::Transaction;
use sqlx::sqlite::{Sqlite, SqliteConnection};

use super::SqliteStore;
use super::entries::{natural, whole};
use crate::store::{Lease, PluginChange, PluginChanged, PluginQuota, StoreError};

impl SqliteStore {
    pub(super) async fn read_plugin_value(&self, plugin: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let text: Option<String> = sqlx::query_scalar("SELECT value FROM plugin_values WHERE plugin = ? AND name = ?")
            .bind(plugin)
            .bind(key)
            .fetch_optional(&self.readers)
            .await
            .map_err(|error| self.failures.of(error))?;
        text.map(|text| {
            STANDARD_NO_PAD
                .decode(text)
                .map_err(|_| self.failures.corrupt(&format!("a value of the plugin `{plugin}` cannot be read")))
        })
        .transpose()
    }

    pub(super) async fn read_plugin_keys(
        &self,
        plugin: &str,
        from: u64,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar("SELECT name FROM plugin_values WHERE plugin = ? ORDER BY name LIMIT ? OFFSET ?")
            .bind(plugin)
            .bind(i64::from(limit))
            .bind(whole(from))
            .fetch_all(&self.readers)
            .await
            .map_err(|error| self.failures.of(error))
    }

    pub(super) async fn write_plugin_values(
        &self,
        lease: &Lease,
        plugin: &str,
        change: &PluginChange,
        quota: &PluginQuota,
    ) -> Result<PluginChanged, StoreError> {
        let of = |error| self.failures.of(error);
        let mut writer = self.writer.lock().await;
        writer.settle().await.map_err(of)?;
        let mut transaction: Transaction<'_, Sqlite> =
            writer.begin_fenced(lease).await.map_err(|error| self.fenced(lease, error))?;
        let mut changed = PluginChanged::Done;
        match change {
            PluginChange::Set(pairs) => {
                for (key, value) in pairs {
                    set(&mut transaction, plugin, key, value).await.map_err(of)?;
                }
            }
            PluginChange::Remove(keys) => {
                for key in keys {
                    sqlx::query("DELETE FROM plugin_values WHERE plugin = ? AND name = ?")
                        .bind(plugin)
                        .bind(key)
                        .execute(&mut *transaction)
                        .await
                        .map_err(of)?;
                }
            }
            PluginChange::Increment { key, by } => {
                let text: Option<String> =
                    sqlx::query_scalar("SELECT value FROM plugin_values WHERE plugin = ? AND name = ?")
                        .bind(plugin)
                        .bind(key)
                        .fetch_optional(&mut *transaction)
                        .await
                        .map_err(of)?;
                let Some(sum) = number(text.as_deref()).and_then(|number| number.checked_add(*by)) else {
                    transaction.rollback().await.map_err(of)?;
                    return Ok(PluginChanged::NoNumber);
                };
                set(&mut transaction, plugin, key, sum.to_string().as_bytes()).await.map_err(of)?;
                changed = PluginChanged::Sum(sum);
            }
        }
        if !matches!(change, PluginChange::Remove(_)) {
            let (keys, bytes): (i64, i64) =
                sqlx::query_as("SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM plugin_values WHERE plugin = ?")
                    .bind(plugin)
                    .fetch_one(&mut *transaction)
                    .await
                    .map_err(of)?;
            let beyond = match () {
                () if natural(keys) > quota.keys_max => Some(PluginChanged::TooManyKeys),
                () if natural(bytes) > quota.bytes_max => Some(PluginChanged::TooManyBytes),
                () => None,
            };
            if let Some(beyond) = beyond {
                transaction.rollback().await.map_err(of)?;
                return Ok(beyond);
            }
        }
        transaction.commit().await.map_err(of)?;
        Ok(changed)
    }
}

async fn set(connection: &mut SqliteConnection, plugin: &str, key: &str, value: &[u8]) -> Result<(), sqlx::Error> {
    let bytes = u64::try_from(key.len().saturating_add(value.len())).unwrap_or(u64::MAX);
    sqlx::query(
        "INSERT INTO plugin_values (plugin, name, value, bytes) VALUES (?, ?, ?, ?)
         ON CONFLICT (plugin, name) DO UPDATE SET value = excluded.value, bytes = excluded.bytes",
    )
    .bind(plugin)
    .bind(key)
    .bind(STANDARD_NO_PAD.encode(value))
    .bind(whole(bytes))
    .execute(connection)
    .await
    .map(|_| ())
}

/// The number that a stored value is; 0 where there is none.
fn number(text: Option<&str>) -> Option<u64> {
    let Some(text) = text else { return Some(0) };
    let bytes = STANDARD_NO_PAD.decode(text).ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
