//! Small state of the host's parts, by key.

use serde_json::Value;

use super::attempts::Attempts;
use super::{Database, SqlStore, Statement, Transaction, ended};
use crate::store::{Lease, StoreError, VALUE_BYTES_MAX};

impl<D: Database> SqlStore<D> {
    pub(super) async fn read_value(&self, key: &str) -> Result<Option<Value>, StoreError> {
        let text = self.read_text(Statement::new("SELECT value FROM kv WHERE name = ?").bind(key)).await?;
        text.map(|text| self.parse(key, &text)).transpose()
    }

    pub(super) async fn read_values(&self, prefix: &str) -> Result<Vec<(String, Value)>, StoreError> {
        let statement =
            Statement::new("SELECT name, value FROM kv WHERE SUBSTR(name, 1, CAST(? AS INTEGER)) = ? ORDER BY name");
        let rows = self.read(statement.bind(prefix.chars().count() as u64).bind(prefix)).await?;
        rows.into_iter()
            .map(|mut row| {
                let name = row.text()?;
                let value = self.parse(&name, &row.text()?)?;
                Ok((name, value))
            })
            .collect()
    }

    pub(super) async fn write_value(&self, lease: &Lease, key: &str, value: &Value) -> Result<(), StoreError> {
        self.repeat_fenced(lease, &set(key, value)?).await.map(|_| ())
    }

    pub(super) async fn delete_value(&self, lease: &Lease, key: &str) -> Result<(), StoreError> {
        self.repeat_fenced(lease, &remove(key)).await.map(|_| ())
    }

    pub(super) async fn write_values(
        &self,
        lease: &Lease,
        changes: &[(String, Option<Value>)],
    ) -> Result<(), StoreError> {
        let statement = |(key, value): &(String, Option<Value>)| match value {
            Some(value) => set(key, value),
            None => Ok(remove(key)),
        };
        let statements = changes.iter().map(statement).collect::<Result<Vec<_>, _>>()?;
        self.repeat_all_fenced(lease, &statements).await.map(|_| ())
    }

    pub(super) async fn write_unfenced(&self, key: &str, value: Option<&Value>) -> Result<(), StoreError> {
        let statement = value.map_or_else(|| Ok(remove(key)), |value| set(key, value))?;
        self.repeat(&statement).await.map(|_| ())
    }

    /// Run a statement that may be run twice, as the host; how many rows it changed.
    pub(super) async fn repeat_fenced(&self, lease: &Lease, statement: &Statement) -> Result<u64, StoreError> {
        self.repeat_all_fenced(lease, std::slice::from_ref(statement)).await
    }

    /// Run statements that may be run twice, as the host and in one transaction; how many rows they changed.
    async fn repeat_all_fenced(&self, lease: &Lease, statements: &[Statement]) -> Result<u64, StoreError> {
        let mut attempts = Attempts::new();
        loop {
            let result = match self.begin_fenced(lease).await {
                Ok(mut transaction) => {
                    let result = execute_all(&mut transaction, statements).await;
                    ended(transaction, result).await
                }
                Err(error) => Err(error),
            };
            match result {
                Err(error) if attempts.repeat(&error).await => {}
                result => return result,
            }
        }
    }

    fn parse(&self, key: &str, text: &str) -> Result<Value, StoreError> {
        serde_json::from_str(text).map_err(|error| self.corrupt(&format!("the value `{key}` is no JSON: {error}")))
    }
}

fn set(key: &str, value: &Value) -> Result<Statement, StoreError> {
    let text = value.to_string();
    if text.len() > VALUE_BYTES_MAX {
        return Err(StoreError::TooLarge { what: "a value", bytes: text.len(), bytes_max: VALUE_BYTES_MAX });
    }
    let statement =
        "INSERT INTO kv (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    Ok(Statement::new(statement).bind(key).bind(text))
}

fn remove(key: &str) -> Statement {
    Statement::new("DELETE FROM kv WHERE name = ?").bind(key)
}

async fn execute_all(transaction: &mut impl Transaction, statements: &[Statement]) -> Result<u64, StoreError> {
    let mut rows = 0;
    for statement in statements {
        rows += transaction.execute(statement).await?;
    }
    Ok(rows)
}
