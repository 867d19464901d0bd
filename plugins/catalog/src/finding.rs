//! A finding: one thing that a look at a database found, with what shows it.
//!
//! Schema differences, database health and patterns in data all speak in this form, so that a report can rank, draw and
//! word them without knowing who found them. A finding claims nothing that its evidence does not show: each number in
//! the sentence is in `numbers`, and each statement under `evidence` can be run again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::database::{Query, Rows};

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What was found, in `snake_case`; never renamed: `column_renamed`, `volume_dropped`, `index_unused`.
    pub kind: String,
    /// What it is about.
    pub subject: Subject,
    /// How much it matters.
    pub severity: Severity,
    /// One sentence for people; every number in it is in `numbers`.
    pub claim: String,
    /// What the sentence counts and measures.
    #[serde(default)]
    pub numbers: BTreeMap<String, f64>,
    /// What shows it.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// How likely this would be by chance, before the correction for many tests.
    #[serde(default)]
    pub p_value: Option<f64>,
    /// How large the effect is, from 0.
    #[serde(default)]
    pub effect: Option<f64>,
    /// What a chart draws.
    #[serde(default)]
    pub series: Option<Series>,
    /// Which values of which dimension make the change.
    #[serde(default)]
    pub contributors: Vec<Contributor>,
    /// When it began, where that is known.
    #[serde(default)]
    pub since: Option<String>,
}

/// What a finding is about: as much of it as applies.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// Its schema; empty where the finding is about the database as a whole.
    #[serde(default)]
    pub schema: String,
    /// Its table, or what else a schema holds; empty where the finding is about the schema or database.
    #[serde(default)]
    pub table: String,
    /// Its column.
    #[serde(default)]
    pub column: Option<String>,
    /// A part of the table: `country = 'CH'`.
    #[serde(default)]
    pub dimension: Option<String>,
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Worth a look when there is time.
    Notice,
    /// Somebody should look.
    Warning,
    /// Somebody should look now.
    Critical,
}

/// A statement that shows it, and what it gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Runs again.
    pub query: Query,
    /// What it gave; few rows.
    pub rows: Rows,
}

/// Values over time, with what was expected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// What is measured, with its unit.
    pub label: String,
    /// RFC 3339, or days; as many as there are values.
    pub times: Vec<String>,
    /// What was measured.
    pub values: Vec<Option<f64>>,
    /// The lower edge of what was expected; empty where nothing was.
    #[serde(default)]
    pub low: Vec<Option<f64>>,
    /// The upper edge.
    #[serde(default)]
    pub high: Vec<Option<f64>>,
    /// Places of the values that the finding is about.
    #[serde(default)]
    pub marked: Vec<usize>,
}

/// A value of a dimension, and its part in the change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contributor {
    /// The column.
    pub dimension: String,
    /// The value.
    pub value: String,
    /// The measure before.
    pub before: f64,
    /// The measure after.
    pub after: f64,
    /// Its part of the whole change, as a fraction; negative where it went the other way.
    pub share: f64,
}

impl Finding {
    /// A finding with a sentence and nothing more; what else it has is added by `with_*`.
    pub fn new(kind: &str, subject: Subject, severity: Severity, claim: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            subject,
            severity,
            claim: claim.into(),
            numbers: BTreeMap::new(),
            evidence: Vec::new(),
            p_value: None,
            effect: None,
            series: None,
            contributors: Vec::new(),
            since: None,
        }
    }

    /// A number of the sentence.
    #[must_use]
    pub fn with_number(mut self, name: &str, value: f64) -> Self {
        self.numbers.insert(name.to_owned(), value);
        self
    }

    /// A statement that shows it, with what it gave.
    #[must_use]
    pub fn with_evidence(mut self, query: Query, rows: Rows) -> Self {
        self.evidence.push(Evidence { query, rows });
        self
    }
}

impl Subject {
    /// The database as a whole.
    pub fn database() -> Self {
        Self::default()
    }

    /// A table, or what else a schema holds.
    pub fn table(schema: &str, table: &str) -> Self {
        Self { schema: schema.to_owned(), table: table.to_owned(), column: None, dimension: None }
    }

    /// A column.
    pub fn column(schema: &str, table: &str, column: &str) -> Self {
        Self { column: Some(column.to_owned()), ..Self::table(schema, table) }
    }
}
