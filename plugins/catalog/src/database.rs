//! How the analyst asks a database: by a trait that its caller implements.
//!
//! In a component it is the `sql` tool, in tests a connection to a real SQLite or PostgreSQL. Whoever implements it
//! enforces that statements only read; nothing here relies on being trusted.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Whose SQL is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// PostgreSQL 13 and later, and what speaks its protocol.
    Postgres,
    /// SQLite 3.38 and later.
    Sqlite,
}

/// A statement with its parameters: `$1`, `$2`, ... in both dialects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Query {
    /// One statement that reads.
    pub statement: String,
    /// Null, booleans, numbers or text, in their order.
    #[serde(default)]
    pub parameters: Vec<Value>,
}

impl Query {
    /// A statement without parameters.
    pub fn new(statement: impl Into<String>) -> Self {
        Self { statement: statement.into(), parameters: Vec::new() }
    }

    /// A statement with parameters.
    pub fn with(statement: impl Into<String>, parameters: Vec<Value>) -> Self {
        Self { statement: statement.into(), parameters }
    }
}

/// What a statement gave.
///
/// Values are JSON: integers that fit 64 bits and floats as numbers; exact decimals (`numeric`), and floats that are
/// not finite, as text; times as RFC 3339 text (without zone where the column has none), dates as `2026-11-23`, bytes as
/// base64, arrays and JSON columns as they are, everything else as the database's own text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rows {
    /// The columns' names, in order.
    pub columns: Vec<String>,
    /// A value per column.
    pub rows: Vec<Vec<Value>>,
    /// Whether there were more rows than the limit let through.
    #[serde(default)]
    pub is_cut: bool,
    /// Columns whose values were masked, as they are marked as personal data.
    #[serde(default)]
    pub masked: Vec<String>,
}

/// Why a statement gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "message")]
pub enum QueryError {
    /// The host's policy, the grant or a limit of cost refused it.
    #[error("refused: {0}")]
    Refused(String),
    /// The role may not read this.
    #[error("no right: {0}")]
    Denied(String),
    /// It ran longer than the statement may.
    #[error("timed out: {0}")]
    TimedOut(String),
    /// What it names is not there (any more).
    #[error("not there: {0}")]
    NotFound(String),
    /// The database is out of reach.
    #[error("out of reach: {0}")]
    Unavailable(String),
    /// The database says that it is wrong.
    #[error("failed: {0}")]
    Failed(String),
}

/// A connection that somebody lends.
pub trait Database {
    /// Whose SQL it speaks.
    fn dialect(&self) -> Dialect;

    /// What one statement gives.
    fn query(&mut self, query: &Query) -> Result<Rows, QueryError>;

    /// What several statements give, in their order; side by side where the lender can.
    fn query_all(&mut self, queries: &[Query]) -> Vec<Result<Rows, QueryError>> {
        queries.iter().map(|query| self.query(query)).collect()
    }
}
