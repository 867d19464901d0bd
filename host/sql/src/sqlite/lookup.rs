//! What the relations of a statement are: their columns, which of these are personal, and the queries of views.

use std::collections::BTreeSet;

use pi_catalog::database::Dialect;
use rusqlite::{Connection, OptionalExtension};
use sqlparser::ast::Query;

use crate::error::Error;
use crate::relation::{Catalog, RELATIONS_MAX, Relation, RelationColumn, View, definition, holds_samples, names};
use crate::statement::{Statement, on_large_stack};
use pi_catalog::pattern::ColumnPattern;

const DIALECT: Dialect = Dialect::Sqlite;

/// # Errors
/// The file cannot be read, or the statement asks for a personal key by its other name.
pub(super) fn catalog(
    connection: &Connection,
    statement: &Statement,
    query: &Query,
    patterns: &[ColumnPattern],
    fault: impl Fn(rusqlite::Error) -> Error,
) -> Result<Catalog, Error> {
    let mut catalog = Catalog::new(DIALECT);
    let mut wanted = on_large_stack(|| Ok(names(DIALECT, query)))?;
    let mut known: BTreeSet<Vec<String>> = BTreeSet::new();
    while let Some(parts) = wanted.pop_first() {
        if !known.insert(parts.clone()) {
            continue;
        }
        if known.len() > RELATIONS_MAX {
            let (size, max) = (known.len() as u64, RELATIONS_MAX as u64);
            return Err(Error::TooLarge { what: "tables and views that one statement reaches".into(), size, max });
        }
        let Some(found) = relation(connection, &parts, patterns).map_err(&fault)? else { continue };
        let other_names = ["rowid", "oid", "_rowid_"];
        let names_key = statement.columns().iter().any(|column| other_names.contains(&column.to_lowercase().as_str()));
        if found.is_key_personal && names_key {
            return Err(Error::refused(
                format!("the rowid of `{}`", found.relation.name),
                "it is the table's key, which is marked as personal",
            ));
        }
        if let Some(View::Known(query)) = &found.relation.view {
            wanted.extend(on_large_stack(|| Ok(names(DIALECT, query)))?);
        }
        catalog.insert(&parts, found.relation);
    }
    Ok(catalog)
}

struct Found {
    relation: Relation,
    /// `INTEGER PRIMARY KEY`: `rowid` is another name of it.
    is_key_personal: bool,
}

fn relation(
    connection: &Connection,
    parts: &[String],
    patterns: &[ColumnPattern],
) -> Result<Option<Found>, rusqlite::Error> {
    let Some(name) = parts.last() else { return Ok(None) };
    if parts.len() > 2 || parts.first().is_some_and(|schema| parts.len() == 2 && !schema.eq_ignore_ascii_case("main")) {
        return Ok(None);
    }
    let query = "SELECT name, type, coalesce(sql, '') FROM sqlite_schema WHERE lower(name) = lower(?1) AND type IN ('table', 'view')";
    let found: Option<(String, String, String)> =
        connection.query_row(query, [name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    // `sqlite_schema` itself, and functions that are read as tables, are in no schema.
    let (name, kind, sql) = found.unwrap_or_else(|| (name.clone(), "table".into(), String::new()));
    let mut statement = connection.prepare("SELECT name, type, pk, hidden FROM pragma_table_xinfo(?1)")?;
    let columns: Vec<(String, String, i64, i64)> = statement
        .query_map([&name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<Result<_, _>>()?;
    if columns.is_empty() {
        return Ok(None);
    }
    let is_all = holds_words(&sql) || is_shadow(connection, &name, patterns)?;
    let is_marked = |column: &str| {
        is_all
            || holds_samples(&name.to_lowercase(), column)
            || patterns.iter().any(|pattern| pattern.matches("main", &name, column))
    };
    let is_key_personal =
        columns.iter().any(|(column, of, key, _)| *key == 1 && of.eq_ignore_ascii_case("integer") && is_marked(column));
    let view = (kind == "view").then(|| on_large_stack(|| Ok(definition(DIALECT, &sql))).unwrap_or(View::Unknown));
    // Hidden columns of virtual tables are not in `*`, and can be named: they come last.
    let (shown, hidden): (Vec<_>, Vec<_>) = columns.iter().partition(|(.., hidden)| *hidden != 1);
    let columns = shown.into_iter().chain(hidden.into_iter().filter(|(column, ..)| is_marked(column)));
    let columns =
        columns.map(|(column, ..)| RelationColumn { name: column.clone(), is_personal: is_marked(column) }).collect();
    Ok(Some(Found { relation: Relation { name, columns, view }, is_key_personal }))
}

/// A list of the words of a full-text index.
fn holds_words(sql: &str) -> bool {
    let sql = sql.to_lowercase();
    sql.starts_with("create virtual table")
        && ["fts5vocab", "fts4aux", "fts3tokenize", "spellfix"].iter().any(|module| sql.contains(module))
}

/// A table in which a virtual table keeps its columns, under other names.
fn is_shadow(connection: &Connection, name: &str, patterns: &[ColumnPattern]) -> Result<bool, rusqlite::Error> {
    let query = "SELECT v.name, c.name FROM sqlite_schema AS v, pragma_table_xinfo(v.name) AS c \
         WHERE v.type = 'table' AND v.sql LIKE 'create virtual table%' \
         AND lower(substr(?1, 1, length(v.name) + 1)) = lower(v.name) || '_'";
    let mut statement = connection.prepare(query)?;
    let mut rows = statement.query([name])?;
    while let Some(row) = rows.next()? {
        let (table, column): (String, String) = (row.get(0)?, row.get(1)?);
        if patterns.iter().any(|pattern| pattern.matches("main", &table, &column)) {
            return Ok(true);
        }
    }
    Ok(false)
}
