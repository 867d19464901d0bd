//! Values of every type there is, by way of the text that the server itself writes for them.

use std::collections::HashMap;

use serde_json::Value;
use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};

use crate::answer::{Bounds, MASK, cut, float, unreadable};
use crate::lineage::Taint;

/// What a type is.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    /// As SQL writes it, with its schema where it needs one.
    pub(super) name: String,
    form: Form,
}

/// How its text becomes JSON, and how the server is asked for the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    #[default]
    Text,
    Bool,
    Integer,
    Float,
    Timestamp,
    TimestampWithZone,
    Bytes,
    Json,
    /// Of elements that JSON has.
    Array,
    /// Of elements that go as text.
    TextArray,
    /// It has no value and no text.
    Void,
}

/// What the server knows of these types.
pub(super) async fn shapes(
    connection: &mut PgConnection,
    columns: &[u32],
    parameters: &[u32],
) -> Result<HashMap<u32, Shape>, sqlx::Error> {
    let mut oids: Vec<i64> = columns.iter().chain(parameters).map(|oid| i64::from(*oid)).collect();
    oids.sort_unstable();
    oids.dedup();
    if oids.is_empty() {
        return Ok(HashMap::new());
    }
    let query = "SELECT t.oid::bigint, format_type(t.oid, NULL), t.typname::text, \
         CASE WHEN t.typcategory = 'A' AND t.typlen = -1 AND t.typelem <> 0 THEN e.typname::text END \
         FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem WHERE t.oid::bigint = ANY($1)";
    let rows: Vec<(i64, String, String, Option<String>)> =
        sqlx::query_as(query).bind(oids).persistent(false).fetch_all(connection).await?;
    let shape = |(oid, name, own, element): (i64, String, String, Option<String>)| {
        Some((u32::try_from(oid).ok()?, Shape { name, form: form(&own, element.as_deref()) }))
    };
    Ok(rows.into_iter().filter_map(shape).collect())
}

fn form(name: &str, element: Option<&str>) -> Form {
    // These look like arrays and write themselves as texts.
    if ["int2vector", "oidvector"].contains(&name) {
        return Form::Text;
    }
    if let Some(element) = element {
        let as_json = [
            "bool",
            "int2",
            "int4",
            "int8",
            "float4",
            "float8",
            "text",
            "varchar",
            "bpchar",
            "name",
            "json",
            "jsonb",
            "date",
            "timestamp",
            "timestamptz",
            "uuid",
        ];
        return if as_json.contains(&element) { Form::Array } else { Form::TextArray };
    }
    match name {
        "bool" => Form::Bool,
        "int2" | "int4" | "int8" | "oid" => Form::Integer,
        "float4" | "float8" => Form::Float,
        "timestamp" => Form::Timestamp,
        "timestamptz" => Form::TimestampWithZone,
        "bytea" => Form::Bytes,
        "json" | "jsonb" => Form::Json,
        "void" => Form::Void,
        _ => Form::Text,
    }
}

/// The query with its columns as texts: cut, and masked where they are personal.
pub(super) fn wrapped(text: &str, shapes: &[Shape], taints: &[Taint], bounds: &Bounds) -> String {
    let names: Vec<String> = (1..=shapes.len()).map(|number| format!("c{number}")).collect();
    // Characters: never fewer than so many bytes. One more shows that there is more.
    let long = bounds.cell_bytes_max.saturating_add(1);
    let columns = names.iter().zip(shapes).zip(taints.iter().chain(std::iter::repeat(&Taint::Derived)));
    let columns: Vec<String> = columns
        .map(|((name, shape), taint)| match (taint, shape.form) {
            (Taint::Column, _) => format!("CASE WHEN {name} IS NULL THEN NULL ELSE '{MASK}' END"),
            (Taint::Derived, _) => format!("'{MASK}'::text"),
            (Taint::Clear, Form::Bool | Form::Integer | Form::Float | Form::Timestamp | Form::TimestampWithZone) => {
                format!("{name}::text")
            }
            (Taint::Clear, Form::Bytes) => {
                format!("translate(encode(substring({name} from 1 for {long}), 'base64'), E'\\n', '')")
            }
            (Taint::Clear, Form::Array) => format!("left(to_json({name})::text, {long})"),
            (Taint::Clear, Form::TextArray) => format!("left(to_json({name}::text[])::text, {long})"),
            (Taint::Clear, Form::Void) => "NULL::text".to_owned(),
            (Taint::Clear, Form::Text | Form::Json) => format!("left({name}::text, {long})"),
        })
        .collect();
    let alias = if names.is_empty() { String::new() } else { format!("({})", names.join(", ")) };
    format!(
        "SELECT {} FROM ({text}\n) AS pi_rows{alias} LIMIT {}",
        columns.join(", "),
        bounds.rows_max.saturating_add(1)
    )
}

/// What the server is given for a parameter.
pub(super) fn parameter(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The text of a column; none for NULL and for what is no text.
pub(super) fn text(row: &PgRow, at: usize) -> Option<String> {
    row.try_get_raw(at).ok()?.as_str().ok().map(str::to_owned)
}

pub(super) fn value(row: &PgRow, at: usize, shape: &Shape, bounds: &Bounds, cells_cut: &mut u64) -> Value {
    use sqlx::ValueRef as _;
    let text = match row.try_get_raw(at) {
        Ok(raw) if raw.is_null() => return Value::Null,
        Ok(raw) => match raw.as_str() {
            Ok(text) => text,
            Err(error) => return unreadable(&error.to_string()),
        },
        Err(error) => return unreadable(&error.to_string()),
    };
    if text.len() as u64 > bounds.cell_bytes_max {
        return Value::String(cut(text, bounds.cell_bytes_max, cells_cut));
    }
    let own = || Value::String(text.to_owned());
    match shape.form {
        Form::Text | Form::Bytes | Form::Void => own(),
        Form::Bool => Value::Bool(text == "true"),
        Form::Integer => text.parse::<i64>().map_or_else(|_| own(), Value::from),
        Form::Float => text.parse::<f64>().map_or_else(|_| own(), float),
        Form::Timestamp => Value::String(text.replacen(' ', "T", 1)),
        // The zone of the session is UTC.
        Form::TimestampWithZone => Value::String(text.replacen(' ', "T", 1).replacen("+00", "Z", 1)),
        Form::Json | Form::Array | Form::TextArray => serde_json::from_str(text).unwrap_or_else(|_| own()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_column_is_not_read_and_a_long_one_is_cut_by_the_server() {
        let shape = |form| Shape { name: "x".into(), form };
        let bounds =
            Bounds { rows_max: 10, bytes_max: 100, cell_bytes_max: 20, statement_timeout_ms: 1, cost_max: None };
        let shapes = [shape(Form::Text), shape(Form::Integer), shape(Form::Text), shape(Form::Text)];
        assert_eq!(
            wrapped("SELECT 1", &shapes, &[Taint::Clear, Taint::Clear, Taint::Column, Taint::Derived], &bounds),
            "SELECT left(c1::text, 21), c2::text, CASE WHEN c3 IS NULL THEN NULL ELSE '[masked]' END, '[masked]'::text \
             FROM (SELECT 1\n) AS pi_rows(c1, c2, c3, c4) LIMIT 11"
        );
        // A column of which nothing is known is masked.
        assert!(wrapped("SELECT 1", &shapes, &[], &bounds).starts_with("SELECT '[masked]'::text, '[masked]'::text,"));
    }
}
