//! What a look is bounded by, and what the caller knows that the database does not: the time and its zone.

use serde::{Deserialize, Serialize};

/// Bounds of one look. The defaults suit a daily report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Now, in milliseconds since 1970 in UTC: the caller's clock.
    pub now_ms: i64,
    /// How far the reader's zone is ahead of UTC now. Days begin there for columns that hold instants.
    pub offset_minutes: i32,
    /// How many complete days are looked at.
    pub history_days: u32,
    /// How many rows a sample for roles, formats and quantiles holds.
    pub sample_rows_max: u64,
    /// Above so many rows (in the time window, by estimate) profiles of columns are taken from a sample of as many.
    pub scan_rows_max: u64,
    /// Statements for one table.
    pub statements_per_table_max: usize,
    /// Tables of one look; the others are named as a gap.
    pub tables_max: usize,
    /// Columns of one table that are looked at; the others are named as a gap.
    pub columns_max: usize,
    /// The share of false claims among all claims that is accepted.
    pub false_discovery_rate: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            now_ms: 0,
            offset_minutes: 0,
            history_days: 120,
            sample_rows_max: 20_000,
            scan_rows_max: 1_000_000,
            statements_per_table_max: 60,
            tables_max: 500,
            columns_max: 60,
            false_discovery_rate: 0.01,
        }
    }
}
