//! Small state of the host's parts, by key, and what all of a host's smaller writes begin with.

use serde_json::Value;
use sqlx::sqlite::Sqlite;
use sqlx::{Connection, Transaction};

use super::entries::whole;
use super::failure::is_fenced;
use super::{SqliteStore, Writer};
use crate::store::{Lease, StoreError, VALUE_BYTES_MAX};

impl SqliteStore {
    pub(super) async fn read_value(&self, key: &str) -> Result<Option<Value>, StoreError> {
        let text: Option<String> = sqlx::query_scalar("SELECT value FROM kv WHERE name = ?")
            .bind(key)
            .fetch_optional(&self.readers)
            .await
            .map_err(|error| self.failures.of(error))?;
        text.map(|text| self.parse(key, &text)).transpose()
    }

    pub(super) async fn read_values(&self, prefix: &str) -> Result<Vec<(String, Value)>, StoreError> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT name, value FROM kv WHERE SUBSTR(name, 1, ?) = ? ORDER BY name")
                .bind(whole(prefix.chars().count() as u64))
                .bind(prefix)
                .fetch_all(&self.readers)
                .await
                .map_err(|error| self.failures.of(error))?;
        rows.into_iter()
            .map(|(name, text)| {
                let value = self.parse(&name, &text)?;
                Ok((name, value))
            })
            .collect()
    }

    pub(super) async fn write_value(&self, lease: &Lease, key: &str, value: &Value) -> Result<(), StoreError> {
        let of = |error| self.failures.of(error);
        let text = value.to_string();
        if text.len() > VALUE_BYTES_MAX {
            return Err(StoreError::TooLarge { what: "a value", bytes: text.len(), bytes_max: VALUE_BYTES_MAX });
        }
        let mut writer = self.writer.lock().await;
        writer.settle().await.map_err(of)?;
        let mut transaction = writer.begin_fenced(lease).await.map_err(|error| self.fenced(lease, error))?;
        sqlx::query(
            "INSERT INTO kv (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(key)
        .bind(text)
        .execute(&mut *transaction)
        .await
        .map_err(of)?;
        transaction.commit().await.map_err(of)
    }

    pub(super) async fn delete_value(&self, lease: &Lease, key: &str) -> Result<(), StoreError> {
        let of = |error| self.failures.of(error);
        let mut writer = self.writer.lock().await;
        writer.settle().await.map_err(of)?;
        let mut transaction = writer.begin_fenced(lease).await.map_err(|error| self.fenced(lease, error))?;
        sqlx::query("DELETE FROM kv WHERE name = ?").bind(key).execute(&mut *transaction).await.map_err(of)?;
        transaction.commit().await.map_err(of)
    }

    pub(super) fn fenced(&self, lease: &Lease, error: sqlx::Error) -> StoreError {
        if is_fenced(&error) { StoreError::Fenced { epoch: lease.epoch } } else { self.failures.of(error) }
    }

    fn parse(&self, key: &str, text: &str) -> Result<Value, StoreError> {
        serde_json::from_str(text)
            .map_err(|error| self.failures.corrupt(&format!("the value `{key}` is no JSON: {error}")))
    }
}

impl Writer {
    /// A transaction that the database refuses to any host but the current one.
    pub(super) async fn begin_fenced(&mut self, lease: &Lease) -> Result<Transaction<'_, Sqlite>, sqlx::Error> {
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("UPDATE lease SET writer = ? WHERE id = 1")
            .bind(whole(lease.epoch))
            .execute(&mut *transaction)
            .await?;
        Ok(transaction)
    }
}
