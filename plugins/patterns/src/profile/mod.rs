//! What a table's data is like, bucket by bucket: the statements of each dialect, and their answers as series.
//!
//! Every statement is bounded by the time window, and above `scan_rows_max` rows by a sample; each gives few rows (a
//! bucket, a bucket and value, a bucket and bin). At most `statements_per_table_max` are asked of a table: one of its
//! rows' numbers and three of its roles, one of volume (two where days are the wrong width), one of each twenty columns,
//! one of hours, one of each dimension (8), two and one of each measure (8), one of each reference (5), of each format
//! (5), of duplicates, of each key (3), of each foreign key (6), and of dependencies one and one of each (6).

mod columns;
mod relations;
mod values;
mod window;

use std::collections::BTreeMap;

use crate::habit::{Point, Scale};

pub(crate) use columns::{key_of, totals, wide};
pub(crate) use relations::{References, dependencies, duplicates, key_duplicates, orphans, references_of};
pub(crate) use values::{dimension, distributions, formats, hours, plain, reference};
pub(crate) use window::{Window, edges, window};

/// What a series measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Rows.
    Volume,
    /// Share of nulls.
    Nulls,
    /// Share of empty or blank texts.
    Blanks,
    /// Share of zeros.
    Zeros,
    /// Share of negative numbers.
    Negatives,
    /// Share of values that are no finite numbers in a column of numbers.
    Unreadable,
    /// Mean of a measure.
    Mean,
    /// Standard deviation of a measure.
    Spread,
    /// Greatest value of a measure.
    Maximum,
    /// Mean length of a text.
    Length,
    /// How many values there are.
    Distinct,
    /// Share of the most frequent value.
    TopShare,
    /// Share of rows that are there twice.
    Duplicates,
    /// Share of rows whose key is there twice.
    KeyDuplicates,
    /// Share of rows whose reference leads nowhere.
    Orphans,
    /// Seconds from the event to its loading, or to another moment.
    Lag,
    /// Share of rows in which a later moment lies before the event.
    Backwards,
}

/// A series of one measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// What is measured.
    pub metric: Metric,
    /// Of which column; none for the table.
    pub column: Option<String>,
    /// By which scale it is judged.
    pub scale: Scale,
    /// By bucket.
    pub points: BTreeMap<i64, Point>,
    /// The statement it came from, and its columns there.
    pub source: usize,
    /// The columns of the answer that show it.
    pub shown: Vec<String>,
}

/// Counts of the values of a dimension.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    /// The column; `(hour)` for hours of the day.
    pub column: String,
    /// Rows by value and bucket, and the sums of the measures.
    pub counts: BTreeMap<String, BTreeMap<i64, (f64, Vec<f64>)>>,
    /// Rows by bucket.
    pub totals: BTreeMap<i64, f64>,
    /// What is summed.
    pub measures: Vec<String>,
    /// The statement it came from.
    pub source: usize,
}

/// Counts of a measure by bin.
#[derive(Clone, Debug, PartialEq)]
pub struct Bins {
    /// The column.
    pub column: String,
    /// Upper edges of all bins but the last.
    pub edges: Vec<f64>,
    /// By bucket, for each bin.
    pub counts: BTreeMap<i64, Vec<f64>>,
    /// The statement it came from.
    pub source: usize,
}

/// Masks of a column's texts: rows in the newest bucket, in the rest of the newest week, and before.
#[derive(Clone, Debug, PartialEq)]
pub struct Formats {
    /// The column.
    pub column: String,
    /// By mask.
    pub masks: BTreeMap<String, [f64; 3]>,
    /// The statement it came from.
    pub source: usize,
}

/// Values that go together: a dependency of the second column on the first.
#[derive(Clone, Debug, PartialEq)]
pub struct Pairs {
    /// The column that decides.
    pub from: String,
    /// The column that is decided.
    pub to: String,
    /// Values, rows, and rows of the newest week.
    pub rows: Vec<(String, String, f64, f64)>,
    /// The statement it came from.
    pub source: usize,
}

/// All that was measured of a table.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Series.
    pub tracks: Vec<Track>,
    /// Dimensions.
    pub values: Vec<Values>,
    /// Distributions.
    pub bins: Vec<Bins>,
    /// Formats.
    pub formats: Vec<Formats>,
    /// Dependencies.
    pub pairs: Vec<Pairs>,
    /// Buckets that are equal in every measurement to another shortly before: the newer, the older, rows.
    pub copied: Vec<(i64, i64, f64, usize)>,
    /// Single numbers, for tables without time: name, value, out of how many, statement.
    pub totals: BTreeMap<String, (f64, f64, usize)>,
}
