//! What columns look like without their values: the database hashes them and gives the smallest hashes with their counts.
//!
//! The rows looked at are the first that the table gives, a bounded number: for what grows at its end they are the same
//! at the next run, which a random sample is not. Of two columns with one content the smallest hashes are the same (a
//! KMV sketch), and a column of few values is compared as a whole. Columns that are masked, bytes and documents have none.

use serde_json::Value;

use crate::database::{Database, Dialect, Query, QueryError, Rows};
use crate::pattern::ColumnPattern;
use crate::quote::{qualified, quote};
use crate::rows::{array, number};
use crate::schema::{Class, Column, Fingerprint, Snapshot, Table, TableKind};

/// Hashes kept of a column.
const SKETCH_MAX: usize = 128;

/// Columns of one statement. A gate in front of the database reads a thousand words and operators of one and no more,
/// and SQLite's hash has two hundred for a column.
const fn columns_max(dialect: Dialect) -> usize {
    match dialect {
        Dialect::Postgres => 8,
        Dialect::Sqlite => 4,
    }
}

/// Statements given to the lender at once.
const AT_ONCE_MAX: usize = 32;

/// How much is looked at.
#[derive(Clone, Debug)]
pub struct Sampling {
    /// Rows of each table.
    pub rows_max: u64,
    /// Tables; of more, the first by name, and the rest is a gap.
    pub tables_max: usize,
    /// Columns never looked at, as they are marked as personal data: patterns as [`ColumnPattern`] reads them. One that
    /// is none means every column: nothing is looked at by mistake.
    pub personal: Vec<String>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { rows_max: 5_000, tables_max: 500, personal: Vec::new() }
    }
}

pub(super) fn add(database: &mut dyn Database, snapshot: &mut Snapshot, sampling: &Sampling) {
    let dialect = snapshot.dialect;
    let mut jobs: Vec<(usize, Vec<usize>, Query)> = Vec::new();
    let wanted: Vec<usize> =
        snapshot.tables.iter().enumerate().filter(|(_, table)| has_rows(table)).map(|(place, _)| place).collect();
    if wanted.len() > sampling.tables_max {
        let left = wanted.len() - sampling.tables_max;
        snapshot
            .gaps
            .push(format!("the contents of {left} tables were not looked at: the limit is {}", sampling.tables_max));
    }
    for place in wanted.into_iter().take(sampling.tables_max) {
        let Some(table) = snapshot.tables.get(place) else { continue };
        let columns = columns_of(table, sampling);
        for chunk in columns.chunks(columns_max(dialect)) {
            jobs.push((place, chunk.to_vec(), Query::new(statement(dialect, table, chunk, sampling.rows_max))));
        }
    }
    for jobs in jobs.chunks(AT_ONCE_MAX) {
        let queries: Vec<Query> = jobs.iter().map(|(_, _, query)| query.clone()).collect();
        let answers = database.query_all(&queries);
        for ((place, columns, _), answer) in jobs.iter().zip(answers) {
            take_up(database, snapshot, (*place, columns), answer, sampling);
        }
    }
}

/// A statement about several columns that fails is asked again for each, as one column may be the only one refused.
fn take_up(
    database: &mut dyn Database,
    snapshot: &mut Snapshot,
    (place, columns): (usize, &[usize]),
    answer: Result<Rows, QueryError>,
    sampling: &Sampling,
) {
    match answer {
        Ok(rows) => put(snapshot, place, columns, &rows),
        Err(QueryError::Refused(_) | QueryError::Denied(_)) if columns.len() > 1 => {
            for column in columns {
                let Some(table) = snapshot.tables.get(place) else { return };
                let one = [*column];
                let query = Query::new(statement(snapshot.dialect, table, &one, sampling.rows_max));
                if let Ok(rows) = database.query(&query) {
                    put(snapshot, place, &one, &rows);
                }
            }
        }
        // One column that may not be looked at has its shape alone.
        Err(QueryError::Refused(_) | QueryError::Denied(_)) => {}
        Err(error) => {
            let path = snapshot.tables.get(place).map(Table::path).unwrap_or_default();
            snapshot.gaps.push(format!("the contents of `{path}` were not looked at: {error}"));
        }
    }
}

fn put(snapshot: &mut Snapshot, place: usize, columns: &[usize], rows: &Rows) {
    let (Some(row), Some(table)) = (rows.rows.first(), snapshot.tables.get_mut(place)) else { return };
    let count = number(row, 0).and_then(|count| u64::try_from(count).ok());
    for (at, place) in columns.iter().enumerate() {
        let is_masked = rows.columns.get(at + 1).is_some_and(|name| rows.masked.contains(name));
        if let (Some(column), Some(count), false) = (table.columns.get_mut(*place), count, is_masked) {
            column.fingerprint = array(row, at + 1).and_then(|parts| fingerprint(count, &parts));
        }
    }
}

/// `[present, distinct, [[hash, count], ...]]`.
fn fingerprint(rows: u64, parts: &[Value]) -> Option<Fingerprint> {
    let sketch = match parts.get(2)? {
        Value::Array(pairs) => {
            pairs.iter().map(|pair| Some((pair.get(0)?.as_u64()?, pair.get(1)?.as_u64()?))).collect()
        }
        Value::Null => Some(Vec::new()),
        _ => None,
    };
    Some(Fingerprint { rows, present: parts.first()?.as_u64()?, distinct: parts.get(1)?.as_u64()?, sketch: sketch? })
}

/// Views are not looked at: what they cost is not known before.
fn has_rows(table: &Table) -> bool {
    matches!(table.kind, TableKind::Table | TableKind::Partitioned | TableKind::MaterializedView)
        && table.is_readable
        && !table.is_partial
        && !table.options.iter().any(|option| option == "virtual")
}

fn columns_of(table: &Table, sampling: &Sampling) -> Vec<usize> {
    let is_personal = |column: &Column| {
        sampling.personal.iter().any(|text| {
            ColumnPattern::parse(text).map_or(true, |pattern| pattern.matches(&table.schema, &table.name, &column.name))
        })
    };
    let is_wanted = |column: &Column| !matches!(column.class, Class::Bytes | Class::Json) && !is_personal(column);
    table.columns.iter().enumerate().filter(|(_, column)| is_wanted(column)).map(|(place, _)| place).collect()
}

fn statement(dialect: Dialect, table: &Table, columns: &[usize], rows_max: u64) -> String {
    let names: Vec<String> =
        columns.iter().filter_map(|place| table.columns.get(*place)).map(|column| quote(&column.name)).collect();
    let inner: Vec<String> = names.iter().enumerate().map(|(at, name)| format!("{name} AS c{at}")).collect();
    let sketches: Vec<String> = names.iter().enumerate().map(|(at, _)| sketch(dialect, at)).collect();
    let kept = if dialect == Dialect::Postgres { "MATERIALIZED " } else { "" };
    format!(
        "WITH s AS {kept}(SELECT {} FROM {} LIMIT {rows_max}) SELECT (SELECT COUNT(*) FROM s) AS rows_seen, {}",
        inner.join(", "),
        qualified(&table.schema, &table.name),
        sketches.join(", ")
    )
}

/// The sketch of one column as one value.
fn sketch(dialect: Dialect, at: usize) -> String {
    match dialect {
        // 53 bits: what any JSON holds exactly. Long texts are cut, so that a megabyte is not hashed for each row.
        Dialect::Postgres => format!(
            "(SELECT pg_catalog.jsonb_build_array(COALESCE(SUM(g.n), 0)::int8, COUNT(*), \
             pg_catalog.jsonb_agg(pg_catalog.jsonb_build_array(g.h, g.n) ORDER BY g.h) FILTER (WHERE g.place <= {SKETCH_MAX})) \
             FROM (SELECT h.h, COUNT(*) AS n, pg_catalog.row_number() OVER (ORDER BY h.h) AS place FROM (\
             SELECT pg_catalog.hashtextextended(pg_catalog.left(s.c{at}::text, 512), 0) & 9007199254740991 AS h FROM s \
             WHERE s.c{at} IS NOT NULL) h GROUP BY h.h) g) AS c{at}"
        ),
        Dialect::Sqlite => format!(
            "(SELECT json_array(COALESCE(SUM(g.n), 0), COUNT(*), \
             json_group_array(json_array(g.h, g.n)) FILTER (WHERE g.place <= {SKETCH_MAX})) \
             FROM (SELECT h.h, COUNT(*) AS n, row_number() OVER (ORDER BY h.h) AS place FROM (\
             SELECT {} AS h FROM (SELECT CAST(s.c{at} AS TEXT) AS v FROM s WHERE s.c{at} IS NOT NULL)) h GROUP BY h.h) g) AS c{at}",
            hash_sql("v")
        ),
    }
}

/// SQLite has no function that hashes: a linear hash of the length, the first sixteen and the last eight characters,
/// modulo a prime, then spread by a multiplication. Every product stays below 2^63, where SQLite would turn to floats.
fn hash_sql(value: &str) -> String {
    let mut terms = vec![format!("length({value}) * 193927")];
    let places = (1_i64..=16).chain((1..=8).map(|back: i64| -back));
    // Knuth's multiplier for 64 bits makes factors that have nothing in common.
    let mut factor = 0x9E37_79B9_7F4A_7C15_u64;
    for place in places {
        factor = factor.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let odd = (factor >> 28) | 1;
        terms.push(format!("COALESCE(unicode(substr({value}, {place}, 1)), 0) * {odd}"));
    }
    format!("((({}) % 2147483647) * 2654435761) & 4294967295", terms.join(" + "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_the_hash_stay_whole_numbers() {
        // The largest character times the largest factor, twenty-four times.
        let largest = 0x10_FFFF_i128 * (1 << 36) * 24 + (1 << 30) * 193_927;
        assert!(largest < i128::from(i64::MAX));
        assert!(2_147_483_647_i128 * 2_654_435_761 < i128::from(i64::MAX));
    }

    #[test]
    fn statements_stay_short_enough_to_be_read_by_a_gate() {
        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            let columns: Vec<usize> = (0..columns_max(dialect)).collect();
            let mut table = Table { name: "t".into(), schema: "s".into(), ..Table::default() };
            table.columns = columns.iter().map(|at| Column { name: format!("c{at}"), ..Column::default() }).collect();
            let statement = statement(dialect, &table, &columns, 5_000);
            // More than there are: each run of letters, and each sign that is no bracket, comma or quote.
            let words = statement
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .filter(|word| word.starts_with(|c: char| c.is_alphabetic()));
            let signs = statement.chars().filter(|c| "+-*/%&|<>=.:".contains(*c)).count();
            assert!(words.count() + signs < 1_000, "{dialect:?}");
        }
    }

    #[test]
    fn what_is_not_of_the_form_is_no_fingerprint() {
        assert_eq!(fingerprint(3, &[Value::from("***")]), None);
        let good = [Value::from(2), Value::from(1), serde_json::json!([[7, 2]])];
        assert_eq!(fingerprint(3, &good).unwrap().sketch, [(7, 2)]);
        assert_eq!(fingerprint(3, &[Value::from(0), Value::from(0), Value::Null]).unwrap().present, 0);
    }
}
