//! The values of plugins: each change is one transaction, in which the quota is looked at.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::attempts::Attempts;
use super::{Database, SqlStore, Statement, Transaction, ended};
use crate::store::{Lease, PluginChange, PluginChanged, PluginQuota, StoreError};

const SELECT: &str = "SELECT value FROM plugin_values WHERE plugin = ? AND name = ?";

impl<D: Database> SqlStore<D> {
    pub(super) async fn read_plugin_value(&self, plugin: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let text = self.read_text(Statement::new(SELECT).bind(plugin).bind(key)).await?;
        text.map(|text| {
            STANDARD_NO_PAD
                .decode(text)
                .map_err(|_| self.corrupt(&format!("a value of the plugin `{plugin}` cannot be read")))
        })
        .transpose()
    }

    pub(super) async fn read_plugin_keys(
        &self,
        plugin: &str,
        from: u64,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let statement =
            Statement::new("SELECT name FROM plugin_values WHERE plugin = ? ORDER BY name LIMIT ? OFFSET ?");
        self.read_texts(statement.bind(plugin).bind(limit).bind(from)).await
    }

    pub(super) async fn write_plugin_values(
        &self,
        lease: &Lease,
        plugin: &str,
        change: &PluginChange,
        quota: &PluginQuota,
    ) -> Result<PluginChanged, StoreError> {
        // To set and to remove may be done twice, to add may not.
        let is_repeatable = !matches!(change, PluginChange::Increment { .. });
        let mut attempts = Attempts::new();
        loop {
            let error = match self.try_change(lease, plugin, change, quota).await {
                Err(error) => error,
                result => return result,
            };
            let again = match is_repeatable {
                true => attempts.repeat(&error).await,
                false => attempts.begin_again(&error).await,
            };
            if !again {
                return Err(error);
            }
        }
    }

    async fn try_change(
        &self,
        lease: &Lease,
        plugin: &str,
        change: &PluginChange,
        quota: &PluginQuota,
    ) -> Result<PluginChanged, StoreError> {
        let mut transaction = self.begin_fenced(lease).await?;
        match change_in(&mut transaction, plugin, change, quota).await {
            Ok(refused @ (PluginChanged::TooManyBytes | PluginChanged::TooManyKeys | PluginChanged::NoNumber)) => {
                transaction.rollback().await.map(|()| refused)
            }
            result => ended(transaction, result).await,
        }
    }
}

/// What becomes of a change; what is refused has to be rolled back.
async fn change_in(
    transaction: &mut impl Transaction,
    plugin: &str,
    change: &PluginChange,
    quota: &PluginQuota,
) -> Result<PluginChanged, StoreError> {
    let mut changed = PluginChanged::Done;
    match change {
        PluginChange::Set(pairs) => {
            for (key, value) in pairs {
                transaction.execute(&set(plugin, key, value)).await?;
            }
        }
        PluginChange::Remove(keys) => {
            for key in keys {
                let statement = Statement::new("DELETE FROM plugin_values WHERE plugin = ? AND name = ?");
                transaction.execute(&statement.bind(plugin).bind(&**key)).await?;
            }
            return Ok(changed);
        }
        PluginChange::Increment { key, by } => {
            let row = transaction.fetch(&Statement::new(SELECT).bind(plugin).bind(&**key)).await?.pop();
            let text = row.map(|mut row| row.text()).transpose()?;
            let Some(sum) = number(text.as_deref()).and_then(|number| number.checked_add(*by)) else {
                return Ok(PluginChanged::NoNumber);
            };
            transaction.execute(&set(plugin, key, sum.to_string().as_bytes())).await?;
            changed = PluginChanged::Sum(sum);
        }
    }
    let statement =
        Statement::new("SELECT COUNT(*), CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM plugin_values WHERE plugin = ?");
    for mut row in transaction.fetch(&statement.bind(plugin)).await? {
        let (keys, bytes) = (row.natural()?, row.natural()?);
        if keys > quota.keys_max {
            return Ok(PluginChanged::TooManyKeys);
        }
        if bytes > quota.bytes_max {
            return Ok(PluginChanged::TooManyBytes);
        }
    }
    Ok(changed)
}

fn set(plugin: &str, key: &str, value: &[u8]) -> Statement {
    let bytes = u64::try_from(key.len().saturating_add(value.len())).unwrap_or(u64::MAX);
    let statement = Statement::new(
        "INSERT INTO plugin_values (plugin, name, value, bytes) VALUES (?, ?, ?, ?)
         ON CONFLICT (plugin, name) DO UPDATE SET value = excluded.value, bytes = excluded.bytes",
    );
    statement.bind(plugin).bind(key).bind(STANDARD_NO_PAD.encode(value)).bind(bytes)
}

/// The number that a stored value is; 0 where there is none.
fn number(text: Option<&str>) -> Option<u64> {
    let Some(text) = text else { return Some(0) };
    let bytes = STANDARD_NO_PAD.decode(text).ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
