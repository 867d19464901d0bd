//! What the relations of a statement are: their columns, which of these are personal, and the queries of views.

use std::collections::BTreeSet;

use sqlparser::ast::Query;
use sqlx::postgres::PgConnection;

use super::DIALECT;
use super::fault::{self, Where};
use crate::error::Error;
use crate::relation::{Catalog, RELATIONS_MAX, Relation, RelationColumn, View, definition, holds_samples, names};
use crate::statement::{Statement, on_large_stack};
use pi_catalog::pattern::ColumnPattern;

/// A column is marked also where a table that this one inherits from, or that inherits from it, has the mark:
/// partitions have their parent's rows under names of their own.
const RELATION: &str = "
WITH RECURSIVE own AS (SELECT to_regclass($1)::oid AS oid),
up(oid) AS (SELECT oid FROM own UNION SELECT i.inhparent FROM pg_inherits i JOIN up ON i.inhrelid = up.oid),
down(oid) AS (SELECT oid FROM own UNION SELECT i.inhrelid FROM pg_inherits i JOIN down ON i.inhparent = down.oid),
family AS (SELECT oid FROM up UNION SELECT oid FROM down)
SELECT n.nspname::text, c.relname::text, a.attname::text, c.oid = own.oid,
       CASE WHEN c.relkind IN ('v', 'm') AND c.oid = own.oid AND n.nspname NOT IN ('pg_catalog', 'information_schema')
            THEN pg_get_viewdef(c.oid) END
FROM family JOIN pg_class c ON c.oid = family.oid JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN own
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.oid = own.oid DESC, a.attnum";

const OWN_FUNCTIONS: &str = "
SELECT DISTINCT p.proname::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE lower(p.proname::text) = ANY($1) AND n.nspname <> 'pg_catalog'";

type Row = (String, String, Option<String>, bool, Option<String>);

/// All that the statement names, and what its views name.
pub(super) async fn catalog(
    connection: &mut PgConnection,
    statement: &Statement,
    query: &Query,
    patterns: &[ColumnPattern],
    at: Where<'_>,
) -> Result<Catalog, Error> {
    let fault = |error: sqlx::Error| fault::error(&error, at);
    let mut catalog = Catalog::new(DIALECT);
    let functions: Vec<String> = statement.functions().to_vec();
    if !functions.is_empty() {
        let found =
            sqlx::query_scalar(OWN_FUNCTIONS).bind(functions).persistent(false).fetch_all(&mut *connection).await;
        let found: Vec<String> = found.map_err(fault)?;
        catalog.own_functions.extend(found.into_iter().map(|name| name.to_lowercase()));
    }
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
        let rows: Vec<Row> = sqlx::query_as(RELATION)
            .bind(quoted(&parts))
            .persistent(false)
            .fetch_all(&mut *connection)
            .await
            .map_err(fault)?;
        let Some((relation, inner)) = on_large_stack(|| Ok(relation(&rows, patterns)))? else { continue };
        wanted.extend(inner);
        catalog.insert(&parts, relation);
    }
    Ok(catalog)
}

/// `"a"."b""c"`.
fn quoted(parts: &[String]) -> String {
    let parts: Vec<String> = parts.iter().map(|part| format!("\"{}\"", part.replace('"', "\"\""))).collect();
    parts.join(".")
}

fn relation(rows: &[Row], patterns: &[ColumnPattern]) -> Option<(Relation, BTreeSet<Vec<String>>)> {
    let (schema, name, _, _, view) = rows.iter().find(|row| row.3)?;
    let marked: BTreeSet<&str> = rows
        .iter()
        .filter_map(|(schema, table, column, _, _)| {
            let column = column.as_deref()?;
            patterns.iter().any(|pattern| pattern.matches(schema, table, column)).then_some(column)
        })
        .collect();
    let is_system = schema == "pg_catalog";
    let columns = rows.iter().filter(|row| row.3).filter_map(|row| row.2.as_deref()).map(|column| RelationColumn {
        name: column.to_owned(),
        is_personal: marked.contains(column) || (is_system && holds_samples(name, column)),
    });
    let columns = columns.collect();
    let view = view.as_deref().map(|text| definition(DIALECT, text));
    let inner = match &view {
        Some(View::Known(query)) => names(DIALECT, query),
        _ => BTreeSet::new(),
    };
    Some((Relation { name: name.clone(), columns, view }, inner))
}
