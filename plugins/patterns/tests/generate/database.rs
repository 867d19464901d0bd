//! SQLite as a `Database`, with its schema as a snapshot.

use pi_catalog::database::{Database, Dialect, Query, QueryError, Rows};
use pi_catalog::schema::{Class, Column, ForeignKey, Snapshot, Table, TableKind};
use rusqlite::types::ValueRef;
use serde_json::Value;

/// What happens before a statement.
pub(crate) type BeforeEach = Box<dyn FnMut(&rusqlite::Connection, &str) -> Option<QueryError>>;

pub(crate) struct Sqlite {
    pub(crate) connection: rusqlite::Connection,
    /// Statements that were asked.
    pub(crate) asked: usize,
    /// Run before each statement: what makes a database hostile.
    pub(crate) before_each: Option<BeforeEach>,
    /// Columns whose values are masked in answers.
    pub(crate) marked: Vec<String>,
}

impl Sqlite {
    pub(crate) fn new() -> Self {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        // As SQLite does by itself; the library that the tests bundle is built the other way round, and references that
        // lead nowhere could not be written.
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        Self { connection, asked: 0, before_each: None, marked: Vec::new() }
    }

    pub(crate) fn run(&self, sql: &str) {
        self.connection.execute_batch(sql).unwrap();
    }

    /// The schema as the catalog would tell it.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let list = |sql: &str| -> Vec<(String, String)> {
            let mut statement = self.connection.prepare(sql).unwrap();
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            rows.map(Result::unwrap).collect()
        };
        let tables = list("SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name");
        let tables = tables.into_iter().map(|(name, kind)| self.table(&name, &kind)).collect();
        Snapshot {
            dialect: Dialect::Sqlite,
            taken: String::new(),
            origin: None,
            version: None,
            tables,
            enums: Vec::new(),
            missing: Vec::new(),
            gaps: Vec::new(),
        }
    }

    fn table(&self, name: &str, kind: &str) -> Table {
        let quoted = name.replace('"', "\"\"");
        let mut columns = Vec::new();
        let mut keys: Vec<(i64, String)> = Vec::new();
        // A view that fails has no columns to tell.
        if let Ok(mut statement) = self.connection.prepare(&format!("PRAGMA table_info(\"{quoted}\")")) {
            let mut rows = statement.query([]).unwrap();
            while let Ok(Some(row)) = rows.next() {
                let (column, data_type, key): (String, String, i64) =
                    (row.get(1).unwrap(), row.get(2).unwrap(), row.get(5).unwrap());
                if key > 0 {
                    keys.push((key, column.clone()));
                }
                let class = class_of(&data_type);
                columns.push(Column { name: column, data_type, class, is_nullable: true, ..Column::default() });
            }
        }
        if columns.is_empty() {
            columns.push(Column {
                name: "x".into(),
                data_type: String::new(),
                class: Class::Other,
                is_nullable: true,
                ..Column::default()
            });
        }
        keys.sort();
        let mut foreign_keys = Vec::new();
        let mut statement = self.connection.prepare(&format!("PRAGMA foreign_key_list(\"{quoted}\")")).unwrap();
        let mut rows = statement.query([]).unwrap();
        while let Ok(Some(row)) = rows.next() {
            let (target, from, to): (String, String, Option<String>) =
                (row.get(2).unwrap(), row.get(3).unwrap(), row.get(4).unwrap());
            foreign_keys.push(ForeignKey {
                name: String::new(),
                columns: vec![from],
                target: format!("main.{target}"),
                target_columns: to.into_iter().collect(),
                on_delete: "NO ACTION".into(),
                is_validated: false,
            });
        }
        Table {
            schema: "main".into(),
            name: name.into(),
            kind: if kind == "view" { TableKind::View } else { TableKind::Table },
            columns,
            primary_key: keys.into_iter().map(|key| key.1).collect(),
            foreign_keys,
            ..Table::default()
        }
    }
}

fn class_of(data_type: &str) -> Class {
    match data_type.to_uppercase().as_str() {
        "INTEGER" => Class::Integer,
        "REAL" => Class::Float,
        "NUMERIC" => Class::Decimal,
        "BLOB" => Class::Bytes,
        "JSON" => Class::Json,
        "DATE" => Class::Date,
        "TIMESTAMP" | "DATETIME" => Class::Timestamp,
        "TEXT" => Class::Text,
        _ => Class::Other,
    }
}

impl Database for Sqlite {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn query(&mut self, query: &Query) -> Result<Rows, QueryError> {
        self.asked += 1;
        if let Some(before) = &mut self.before_each
            && let Some(error) = before(&self.connection, &query.statement)
        {
            return Err(error);
        }
        let failed = |error: rusqlite::Error| {
            let text = error.to_string();
            if text.contains("no such table") { QueryError::NotFound(text) } else { QueryError::Failed(text) }
        };
        let mut statement = self.connection.prepare_cached(&query.statement).map_err(failed)?;
        let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
        let width = columns.len();
        let masked = columns.iter().filter(|column| self.marked.contains(column)).cloned().collect();
        let mut answer = Rows { columns, masked, ..Rows::default() };
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let cell = |at| match row.get_ref(at).unwrap() {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => Value::from(number),
                ValueRef::Real(number) if number.is_finite() => Value::from(number),
                ValueRef::Real(number) => Value::from(number.to_string()),
                ValueRef::Text(text) => Value::from(String::from_utf8_lossy(text).into_owned()),
                ValueRef::Blob(_) => Value::from("blob"),
            };
            answer.rows.push((0..width).map(cell).collect());
        }
        Ok(answer)
    }
}
