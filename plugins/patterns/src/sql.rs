//! SQL as text: names and literals that cannot break out, expressions for time and numbers in each dialect, and the
//! reading of what comes back.
//!
//! Statements carry no parameters: they are evidence that a person copies and runs again.

use pi_catalog::database::{Dialect, Rows};
use pi_catalog::schema::Table;
use pi_signals::instant::rfc3339;
use serde_json::Value;

/// Beyond this no float is taken as a measurement; it also keeps squares finite.
const FINITE_MAX: &str = "1e150";
/// So much of a text is looked at: a cell may hold megabytes.
pub(crate) const TEXT_LOOKED_AT: usize = 120;

/// A name, quoted.
pub(crate) fn name(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// A table with its schema.
pub(crate) fn relation(table: &Table) -> String {
    format!("{}.{}", name(&table.schema), name(&table.name))
}

/// How a column holds time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeForm {
    /// PostgreSQL's `date` and `timestamp`: no zone.
    Local,
    /// PostgreSQL's `timestamptz`.
    Instant,
    /// SQLite's ISO text without zone.
    Text,
    /// SQLite's ISO text with a zone.
    TextInstant,
    /// Seconds since 1970.
    Seconds,
    /// Milliseconds since 1970.
    Milliseconds,
}

impl TimeForm {
    /// Whether values are instants, so that days begin by the reader's zone.
    pub fn is_instant(self) -> bool {
        !matches!(self, Self::Local | Self::Text)
    }

    /// Seconds since 1970 of the column's own wall clock, not shifted to the reader's zone.
    pub(crate) fn seconds(self, column: &str) -> String {
        match self {
            // `extract` gives an exact decimal, with which counting by day takes twice as long.
            Self::Local | Self::Instant => format!("date_part('epoch', {column})"),
            Self::Text | Self::TextInstant => format!("CAST(strftime('%s', {column}) AS INTEGER)"),
            Self::Seconds => column.to_owned(),
            Self::Milliseconds => format!("{column} / 1000"),
        }
    }

    /// A comparison with a moment that an index can serve.
    pub(crate) fn compare(self, column: &str, operator: &str, seconds: i64) -> String {
        let text = rfc3339(seconds.saturating_mul(1000));
        let (day, clock) = (text.get(..10).unwrap_or("1970-01-01"), text.get(11..19).unwrap_or("00:00:00"));
        match self {
            Self::Local => format!("{column} {operator} '{day} {clock}'"),
            Self::Instant => format!("{column} {operator} '{day} {clock}+00'"),
            Self::Text | Self::TextInstant => format!("{column} {operator} '{day}'"),
            Self::Seconds => format!("{column} {operator} {seconds}"),
            Self::Milliseconds => format!("{column} {operator} {}", seconds.saturating_mul(1000)),
        }
    }
}

/// A number as a float, null where it is none (text in a SQLite column, NaN, infinity).
pub(crate) fn finite(dialect: Dialect, quoted: &str) -> String {
    match dialect {
        // Compared as what it is: to turn an exact decimal into a float is slow, and fails beyond 1e308.
        Dialect::Postgres => {
            format!(
                "CASE WHEN {quoted} > -{FINITE_MAX} AND {quoted} < {FINITE_MAX} THEN CAST({quoted} AS double precision) END"
            )
        }
        Dialect::Sqlite => format!(
            "CASE WHEN typeof({quoted}) IN ('integer', 'real') AND {quoted} BETWEEN -{FINITE_MAX} AND {FINITE_MAX} THEN 1.0 * {quoted} END"
        ),
    }
}

/// A subquery whose expressions are worked out once for each row. Both databases would put them wherever they are named,
/// and work them out each time; a limit keeps SQLite from that, an offset PostgreSQL. There it also hides the columns'
/// statistics: a planner that takes each moment for a bucket of its own sorts all rows in files rather than hash them.
pub(crate) fn once(dialect: Dialect, select: &str) -> String {
    match dialect {
        Dialect::Postgres => format!("{select} OFFSET 0"),
        Dialect::Sqlite => format!("{select} LIMIT -1"),
    }
}

/// The beginning of a value as text.
pub(crate) fn text(dialect: Dialect, column: &str) -> String {
    match dialect {
        Dialect::Postgres => format!("left(CAST({column} AS text), {TEXT_LOOKED_AT})"),
        Dialect::Sqlite => format!("substr(CAST({column} AS TEXT), 1, {TEXT_LOOKED_AT})"),
    }
}

/// Of how many rows a statement reads one, where it reads a sample (`Source::part`): what it counts is so many times less.
pub(crate) fn one_of(statement: &str) -> Option<f64> {
    let number = |before: &str| -> Option<f64> {
        let (_, after) = statement.split_once(before)?;
        after.split([')', ' ']).next()?.parse().ok()
    };
    let percent = number("TABLESAMPLE SYSTEM (").filter(|percent| *percent > 0.0);
    percent.map(|percent| (100.0 / percent).round()).or_else(|| number("_rowid_ % ")).filter(|one_of| *one_of > 1.0)
}

/// A number out of JSON: exact decimals come as text.
pub(crate) fn number(value: Option<&Value>) -> Option<f64> {
    let number = match value? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.parse().ok()?,
        Value::Bool(is_true) => f64::from(u8::from(*is_true)),
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// A whole number out of JSON.
pub(crate) fn whole(value: Option<&Value>) -> Option<i64> {
    let number = number(value)?;
    #[allow(clippy::cast_possible_truncation, reason = "bounded by the comparison")]
    (number.abs() < 9e15).then_some(number.round() as i64)
}

/// A value as people read it.
pub(crate) fn shown(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// A row's value by its column's name.
pub(crate) fn cell<'a>(rows: &Rows, row: &'a [Value], column: &str) -> Option<&'a Value> {
    row.get(rows.columns.iter().position(|name| name == column)?)
}

/// A text as the mask of its form: letters as `A`, digits as `9`; computed by the database, so no value leaves it.
pub(crate) fn mask(dialect: Dialect, column: &str) -> String {
    let start = text(dialect, column);
    match dialect {
        Dialect::Postgres => {
            format!("regexp_replace(regexp_replace({start}, '[[:alpha:]]', 'A', 'g'), '[0-9]', '9', 'g')")
        }
        Dialect::Sqlite => {
            let lowered = format!("lower({start})");
            let without_letters =
                ('b'..='z').fold(lowered, |inner, letter| format!("replace({inner}, '{letter}', 'a')"));
            let without_digits =
                ('0'..='8').fold(without_letters, |inner, digit| format!("replace({inner}, '{digit}', '9')"));
            format!("replace({without_digits}, 'a', 'A')")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_inside_their_quotes() {
        assert_eq!(name("\"; drop table x; --"), "\"\"\"; drop table x; --\"");
    }

    #[test]
    fn part_that_a_statement_reads_is_known_from_it() {
        assert_eq!(one_of("SELECT 1 FROM t TABLESAMPLE SYSTEM (10.0548) REPEATABLE (7) WHERE a"), Some(10.0));
        assert_eq!(one_of("SELECT 1 FROM t WHERE _rowid_ % 3 = 0 AND a"), Some(3.0));
        assert_eq!(one_of("SELECT 1 FROM t WHERE a"), None);
    }

    #[test]
    fn exact_decimals_are_read_and_what_is_not_finite_is_none() {
        assert_eq!(number(Some(&Value::from("12.50"))), Some(12.5));
        assert_eq!(number(Some(&Value::from("NaN"))), None);
        assert_eq!(number(Some(&Value::from("Infinity"))), None);
        assert_eq!(number(Some(&Value::Null)), None);
    }
}
