//! A snapshot of a schema: what there is, as the database's own catalog tells it.
//!
//! Everything is sorted by name (columns by position), so that equal schemas are equal values and a snapshot written as
//! JSON has one form. Names are kept as they are, hostile ones too: whoever puts one into SQL quotes it.

use serde::{Deserialize, Serialize};

use crate::database::Dialect;

/// All that the connection's role can see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Whose catalog it was.
    pub dialect: Dialect,
    /// When it was taken, RFC 3339 in UTC; the caller's clock.
    pub taken: String,
    /// Tables, views and partitions.
    pub tables: Vec<Table>,
    /// Enumerated types.
    #[serde(default)]
    pub enums: Vec<Enum>,
    /// What could not be read, and why.
    #[serde(default)]
    pub gaps: Vec<String>,
}

/// What kind of relation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    /// Rows of its own.
    Table,
    /// A table whose rows lie in partitions.
    Partitioned,
    /// One of a partitioned table's parts.
    Partition,
    /// A stored query.
    View,
    /// A stored query with its rows kept.
    MaterializedView,
    /// Somebody else's rows.
    Foreign,
}

/// A relation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// `public`, `main`, ...
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: TableKind,
    /// In the order of their position.
    pub columns: Vec<Column>,
    /// The primary key's columns in their order; empty where there is none.
    #[serde(default)]
    pub primary_key: Vec<String>,
    /// Foreign keys.
    #[serde(default)]
    pub foreign_keys: Vec<ForeignKey>,
    /// Indexes, those of keys included.
    #[serde(default)]
    pub indexes: Vec<Index>,
    /// Checks by name and text.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// A view's text.
    #[serde(default)]
    pub definition: Option<String>,
    /// What a view reads: `schema.table`, sorted.
    #[serde(default)]
    pub reads: Vec<String>,
    /// A partition's parent, `schema.table`.
    #[serde(default)]
    pub parent: Option<String>,
    /// Who may do what: `role: SELECT, INSERT`, sorted.
    #[serde(default)]
    pub grants: Vec<String>,
    /// The catalog's estimate of its rows; none where it has none.
    #[serde(default)]
    pub rows_estimated: Option<u64>,
    /// Its size on disk in bytes, indexes excluded.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// What people wrote about it.
    #[serde(default)]
    pub comment: Option<String>,
}

/// What a column's values are like, whatever the database calls its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Whole numbers.
    Integer,
    /// Exact fractions.
    Decimal,
    /// Floating point.
    Float,
    /// Words.
    Text,
    /// True or false.
    Boolean,
    /// A day.
    Date,
    /// A day and time without zone.
    Timestamp,
    /// An instant.
    TimestampTz,
    /// A time of day.
    Time,
    /// A span of time.
    Interval,
    /// A UUID.
    Uuid,
    /// A document.
    Json,
    /// Bytes.
    Bytes,
    /// One of a list.
    Enum,
    /// Several of something.
    Array,
    /// None of these.
    Other,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The type as the database writes it: `numeric(10,2)`.
    pub data_type: String,
    /// What its values are like.
    pub class: Class,
    /// Whether it may be null.
    pub is_nullable: bool,
    /// Its default's text.
    #[serde(default)]
    pub default: Option<String>,
    /// Whether the database computes it.
    #[serde(default)]
    pub is_generated: bool,
    /// What people wrote about it.
    #[serde(default)]
    pub comment: Option<String>,
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// Its name; empty where it has none.
    pub name: String,
    /// Columns here.
    pub columns: Vec<String>,
    /// The other table, `schema.table`.
    pub target: String,
    /// Columns there.
    pub target_columns: Vec<String>,
    /// `CASCADE`, `NO ACTION`, ...
    pub on_delete: String,
    /// Whether the database has checked all rows.
    pub is_validated: bool,
}

/// An index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// Columns or expressions, in order.
    pub columns: Vec<String>,
    /// Whether values occur once.
    pub is_unique: bool,
    /// Whether it makes the primary key.
    pub is_primary: bool,
    /// Whether it can be used (an interrupted concurrent build leaves one that cannot).
    pub is_valid: bool,
    /// `btree`, `gin`, ...
    pub method: String,
    /// The condition of a partial index.
    #[serde(default)]
    pub condition: Option<String>,
}

/// A check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Its name; empty where it has none.
    pub name: String,
    /// Its text.
    pub expression: String,
    /// Whether the database has checked all rows.
    pub is_validated: bool,
}

/// An enumerated type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enum {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// In the order of the type.
    pub values: Vec<String>,
}
