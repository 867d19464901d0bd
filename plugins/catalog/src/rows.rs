//! Values of rows as Rust's, forgiving about how a lender of a connection puts them into JSON.
//!
//! A flag is a boolean in PostgreSQL and a number in SQLite; a list comes as an array, or as text of JSON. What does not
//! fit is none, never a guess.

use serde_json::Value;

use crate::database::{Database, Query, QueryError};

/// A row.
pub type Row = Vec<Value>;

/// Statements are asked for the rest at most this often: so many rows cannot be.
const PAGES_MAX: usize = 10_000;

/// All rows of a statement whose first column is a whole number that grows, and that gives the rows beyond `$1`.
///
/// A lender lets only so many rows or bytes through at once; what it cut off is asked for with the last number it gave.
pub fn read_all(database: &mut dyn Database, statement: &str) -> Result<Vec<Row>, QueryError> {
    let mut all: Vec<Row> = Vec::new();
    let mut from = i64::MIN;
    for _ in 0..PAGES_MAX {
        let mut page = database.query(&Query::with(statement, vec![Value::from(from)]))?;
        let last = page.rows.last().and_then(|row| number(row, 0));
        all.append(&mut page.rows);
        if !page.is_cut {
            return Ok(all);
        }
        match last {
            Some(last) if last > from => from = last,
            _ => {
                return Err(QueryError::Refused(
                    "a single row of the catalog is more than the limit of bytes".to_owned(),
                ));
            }
        }
    }
    Err(QueryError::Refused("the limit of rows is too small to read the catalog".to_owned()))
}

/// A text; numbers and booleans as text too.
pub fn text(row: &[Value], at: usize) -> Option<String> {
    match row.get(at)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// A text, or the empty one.
pub fn text_or_empty(row: &[Value], at: usize) -> String {
    text(row, at).unwrap_or_default()
}

/// A whole number.
pub fn number(row: &[Value], at: usize) -> Option<i64> {
    match row.get(at)? {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|float| float as i64)),
        Value::String(text) => text.parse().ok(),
        Value::Bool(flag) => Some(i64::from(*flag)),
        _ => None,
    }
}

/// A number.
pub fn float(row: &[Value], at: usize) -> Option<f64> {
    match row.get(at)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok().filter(|float: &f64| float.is_finite()),
        _ => None,
    }
}

/// True or false; none is false.
pub fn flag(row: &[Value], at: usize) -> bool {
    match row.get(at) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::Number(number)) => number.as_f64().is_some_and(|number| number != 0.0),
        Some(Value::String(text)) => matches!(text.as_str(), "t" | "true" | "1"),
        _ => false,
    }
}

/// A list, as an array or as the text of one.
pub fn array(row: &[Value], at: usize) -> Option<Vec<Value>> {
    match row.get(at)? {
        Value::Array(values) => Some(values.clone()),
        Value::String(text) => serde_json::from_str(text).ok(),
        _ => None,
    }
}

/// A list of texts.
pub fn texts(row: &[Value], at: usize) -> Vec<String> {
    let values = array(row, at).unwrap_or_default();
    values.into_iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
}
