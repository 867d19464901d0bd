//! One statement, on the thread that computes it.

#![allow(
    clippy::disallowed_methods,
    reason = "only how long something takes is measured, by a crate that knows no host"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rusqlite::types::{Value as Bound, ValueRef};
use serde_json::Value;

use super::open::Database;
use super::{authorizer, fault, lookup};
use crate::answer::{Answer, Bounds, Column, MASK, Push, cut, float, unreadable};
use crate::error::Error;
use crate::lineage::{self, Output, Taint};
use crate::statement::{Statement, on_large_stack};
use pi_catalog::pattern::ColumnPattern;

/// Between two looks at the clock: some ten microseconds.
const STEPS: i32 = 1000;
/// A lock is waited for as long, and then it is said that there is one.
const LOCK_TIMEOUT_MS: u64 = 5000;

pub(super) struct Work<'a> {
    pub(super) statement: &'a Statement,
    pub(super) parameters: &'a [Value],
    pub(super) bounds: &'a Bounds,
    pub(super) is_abandoned: Arc<AtomicBool>,
}

pub(super) fn query(database: &Database, patterns: &[ColumnPattern], work: &Work) -> Result<Answer, Error> {
    let (connection, timeout_ms) = (&database.connection, work.bounds.statement_timeout_ms);
    let started = Instant::now();
    let path = connection.path().map(Path::new).unwrap_or_else(|| Path::new(""));
    let hides_values = !patterns.is_empty();
    let fault = |error: rusqlite::Error| fault::error(&error, path, timeout_ms, false);
    let lock_timeout = Duration::from_millis(LOCK_TIMEOUT_MS.min((timeout_ms * 3 / 4).max(1)));
    connection.busy_timeout(lock_timeout).map_err(fault)?;
    let (deadline, is_abandoned) = (started + Duration::from_millis(timeout_ms), work.is_abandoned.clone());
    let is_over = move || is_abandoned.load(Ordering::Relaxed) || Instant::now() >= deadline;
    connection.progress_handler(STEPS, Some(is_over)).map_err(fault)?;
    let (output, followed) = output(connection, work.statement, patterns, fault)?;
    let reason = authorizer::install(connection, patterns.to_vec(), followed).map_err(fault)?;
    let answer = rows(connection, work, output.as_ref(), |error, is_running| {
        fault::error(&error, path, timeout_ms, hides_values && is_running)
    });
    authorizer::remove(connection).map_err(fault)?;
    connection.progress_handler(0, None::<fn() -> bool>).map_err(fault)?;
    match (answer, reason.take()) {
        (Err(_), Some(why)) => Err(Error::refused("the statement", format!("it does more than is let through: {why}"))),
        (answer, _) => answer.map(|answer| Answer {
            elapsed_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            ..answer
        }),
    }
}

/// What the outputs are, and the tables that were followed; nothing where nothing is marked as personal.
fn output(
    connection: &rusqlite::Connection,
    statement: &Statement,
    patterns: &[ColumnPattern],
    fault: impl Fn(rusqlite::Error) -> Error,
) -> Result<(Option<Output>, BTreeSet<String>), Error> {
    let (Some(query), false) = (statement.query(), patterns.is_empty()) else { return Ok((None, BTreeSet::new())) };
    let catalog = lookup::catalog(connection, statement, query, patterns, fault)?;
    let followed = catalog.relations.values().map(|relation| relation.name.to_lowercase()).collect();
    Ok((Some(on_large_stack(|| lineage::output(&catalog, query))?), followed))
}

fn rows(
    connection: &rusqlite::Connection,
    work: &Work,
    output: Option<&Output>,
    fault: impl Fn(rusqlite::Error, bool) -> Error,
) -> Result<Answer, Error> {
    let mut prepared = connection.prepare(work.statement.text()).map_err(|error| fault(error, false))?;
    if !prepared.readonly() {
        return Err(Error::refused("the statement", "SQLite says that it changes something"));
    }
    let columns: Vec<Column> = prepared
        .columns()
        .iter()
        .map(|column| Column {
            name: column.name().to_owned(),
            kind: column.decl_type().unwrap_or_default().to_lowercase(),
        })
        .collect();
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let is_explained = work.statement.kind() != crate::Kind::Query;
    let taints = match output {
        Some(output) if !is_explained => output.of(&names),
        _ => vec![Taint::Clear; names.len()],
    };
    for (at, value) in work.parameters.iter().enumerate() {
        let index = prepared.parameter_index(&format!("${}", at + 1)).map_err(|error| fault(error, false))?;
        // A number that is not named takes nothing.
        if let Some(index) = index {
            prepared.raw_bind_parameter(index, bound(value)).map_err(|error| fault(error, false))?;
        }
    }
    let masked = names.iter().zip(&taints).filter(|(_, taint)| **taint != Taint::Clear).map(|(name, _)| name.clone());
    let is_json: Vec<bool> = columns.iter().map(|column| column.kind == "json").collect();
    let mut answer = Answer { masked: masked.collect(), columns, ..Answer::default() };
    let (mut rows, mut bytes) = (prepared.raw_query(), 0);
    while let Some(row) = rows.next().map_err(|error| fault(error, true))? {
        let mut values = Vec::with_capacity(names.len());
        for (at, taint) in taints.iter().enumerate() {
            let raw = row.get_ref(at).map_err(|error| fault(error, true))?;
            values.push(match taint {
                Taint::Clear => {
                    value(raw, is_json.get(at).copied().unwrap_or(false), work.bounds, &mut answer.cells_cut)
                }
                Taint::Column if raw == ValueRef::Null => Value::Null,
                Taint::Column | Taint::Derived => Value::String(MASK.into()),
            });
        }
        if answer.push(values, &mut bytes, work.bounds) == Push::Full {
            break;
        }
    }
    Ok(answer)
}

fn bound(value: &Value) -> Bound {
    match value {
        Value::Null => Bound::Null,
        Value::Bool(is) => Bound::Integer(i64::from(*is)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Bound::Integer(integer),
            (None, Some(float)) => Bound::Real(float),
            (None, None) => Bound::Text(number.to_string()),
        },
        Value::String(text) => Bound::Text(text.clone()),
        other => Bound::Text(other.to_string()),
    }
}

fn value(raw: ValueRef<'_>, is_json: bool, bounds: &Bounds, cells_cut: &mut u64) -> Value {
    match raw {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => Value::from(integer),
        ValueRef::Real(real) => float(real),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) if is_json && text.len() as u64 <= bounds.cell_bytes_max => {
                serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
            }
            Ok(text) => Value::String(cut(text, bounds.cell_bytes_max, cells_cut)),
            Err(error) => unreadable(&format!("it is no UTF-8: {error}")),
        },
        ValueRef::Blob(blob) => {
            // Only as much as is shown is encoded.
            let max = usize::try_from(bounds.cell_bytes_max).unwrap_or(usize::MAX);
            let text = STANDARD.encode(blob.get(..max.min(blob.len())).unwrap_or_default());
            Value::String(cut(&text, bounds.cell_bytes_max, cells_cut))
        }
    }
}
