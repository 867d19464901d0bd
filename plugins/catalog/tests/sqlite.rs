//! A real SQLite database, and the connection that the library asks.

use pi_catalog::database::{Database, Dialect, Query, QueryError, Rows};
use rusqlite::Connection;
use rusqlite::types::{Value as Cell, ValueRef};
use serde_json::Value;

pub(crate) struct Sqlite {
    pub(crate) connection: Connection,
    pub(crate) rows_max: usize,
}

impl Sqlite {
    pub(crate) fn new() -> Self {
        Self { connection: Connection::open_in_memory().unwrap(), rows_max: usize::MAX }
    }

    pub(crate) fn run(&self, sql: &str) {
        if let Err(error) = self.connection.execute_batch(sql) {
            panic!("{error:?}: {sql}");
        }
    }
}

impl Database for Sqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn query(&mut self, query: &Query) -> Result<Rows, QueryError> {
        let failure = |error: rusqlite::Error| QueryError::Failed(error.to_string());
        let mut statement = self.connection.prepare(&query.statement).map_err(failure)?;
        assert!(statement.readonly(), "a statement that writes: {}", query.statement);
        let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
        let parameters = query.parameters.iter().map(|value| match value {
            Value::Null => Cell::Null,
            Value::Bool(flag) => Cell::Integer(i64::from(*flag)),
            Value::Number(number) => {
                number.as_i64().map_or_else(|| Cell::Real(number.as_f64().unwrap()), Cell::Integer)
            }
            other => Cell::Text(other.as_str().unwrap().to_owned()),
        });
        let mut cursor = statement.query(rusqlite::params_from_iter(parameters)).map_err(failure)?;
        let mut rows = Rows { columns, ..Rows::default() };
        while let Some(row) = cursor.next().map_err(failure)? {
            if rows.rows.len() == self.rows_max {
                rows.is_cut = true;
                break;
            }
            let value = |at| match row.get_ref(at).unwrap() {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => number.into(),
                ValueRef::Real(number) => number.into(),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
                ValueRef::Blob(bytes) => format!("{bytes:?}").into(),
            };
            let row: Vec<Value> = (0..rows.columns.len()).map(value).collect();
            rows.rows.push(row);
        }
        Ok(rows)
    }
}
