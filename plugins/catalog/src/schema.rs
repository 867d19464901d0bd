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
    /// Which database it was: the server's own number and the database's; equal only where identities can be compared.
    #[serde(default)]
    pub origin: Option<String>,
    /// The server's version, as it says it.
    #[serde(default)]
    pub version: Option<String>,
    /// Tables, views and partitions.
    pub tables: Vec<Table>,
    /// Enumerated types.
    #[serde(default)]
    pub enums: Vec<Enum>,
    /// What could not be read, and why.
    #[serde(default)]
    pub gaps: Vec<String>,
    /// What is absent here because it could not be read: nothing may be concluded from its absence.
    #[serde(default)]
    pub missing: Vec<Section>,
}

/// A part of the catalog that is read by a statement of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// Indexes.
    Indexes,
    /// Keys, checks and foreign keys.
    Constraints,
    /// The texts of views.
    Views,
    /// What views read.
    Reads,
    /// Enumerated types.
    Enums,
    /// What people wrote about tables and columns.
    Comments,
    /// Who may do what.
    Grants,
}

/// What kind of relation it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    /// Rows of its own.
    #[default]
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// Which columns a view reads: `schema.table.column`, sorted.
    #[serde(default)]
    pub reads_columns: Vec<String>,
    /// The number that the database knows it by, whatever its name; within one origin.
    #[serde(default)]
    pub identity: Option<u64>,
    /// Whether texts of it (defaults, expressions, checks) are absent as somebody had locked it whole: it is not compared.
    #[serde(default)]
    pub is_partial: bool,
    /// Whether the role may read its rows.
    #[serde(default = "yes")]
    pub is_readable: bool,
    /// `strict`, `without_rowid`, `virtual`, `unlogged`, sorted.
    #[serde(default)]
    pub options: Vec<String>,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    #[default]
    Other,
}

/// A column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// Whether the database computes it; its expression is in `default`.
    #[serde(default)]
    pub is_generated: bool,
    /// What people wrote about it.
    #[serde(default)]
    pub comment: Option<String>,
    /// The number that the database knows it by within its table, whatever its name; never given again.
    #[serde(default)]
    pub identity: Option<u32>,
    /// What its values looked like, without the values.
    #[serde(default)]
    pub fingerprint: Option<Fingerprint>,
}

/// What a column's values looked like, computed by the database from a bounded number of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Rows looked at.
    pub rows: u64,
    /// Of them, rows with a value.
    pub present: u64,
    /// Values that differ, among those.
    pub distinct: u64,
    /// The values with the smallest hashes, each with how often it occurred, by hash: all of them where `distinct` is not more.
    pub sketch: Vec<(u64, u64)>,
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Columns that it carries without being ordered by them.
    #[serde(default)]
    pub included: Vec<String>,
    /// Whether a constraint (a key, unique, exclusion) is made by it, so that it cannot go alone.
    #[serde(default)]
    pub is_constraint: bool,
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

fn yes() -> bool {
    true
}

impl Table {
    /// `schema.table`, as other tables name it.
    pub fn path(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether it is a stored query.
    pub fn is_view(&self) -> bool {
        matches!(self.kind, TableKind::View | TableKind::MaterializedView)
    }
}

impl Snapshot {
    /// The table of this schema and name.
    pub fn table(&self, schema: &str, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.schema == schema && table.name == name)
    }
}
