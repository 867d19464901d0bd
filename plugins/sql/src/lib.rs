//! The plugin `sql`: the capability `sql` as tools.
//!
//! That statements only read, whose they are and what they may cost is decided by the host, statement by statement. Here is
//! only how tools speak of it: the first words of an error say what kind it is. `docs/databases.md` lists the fields of
//! the results.

mod lent;

use pi_catalog::database::{Database as _, Dialect, Query, QueryError};
use pi_catalog::quote::quote;
use pi_catalog::schema::Table;
use pi_catalog::snapshot;
use pi_sdk::sql;
use pi_sdk::{Content, Error, ToolPlugin, Value, json, json_content, serde_json};

use lent::Lent;

/// Rows of a sample, where nobody says how many.
const SAMPLE_ROWS: u64 = 10;
/// Bytes of a schema that one call tells: what a model can read.
const SCHEMA_BYTES_MAX: usize = 256 << 10;

struct Sql;

impl ToolPlugin for Sql {
    const MANIFEST: &'static str = include_str!("../plugin.json");

    fn call(name: &str, arguments: Value) -> Result<Vec<Content>, Error> {
        let result = match name {
            "sql_databases" => Value::Array(sql::databases().iter().map(described).collect()),
            "sql_query" => query(&arguments)?,
            "sql_schema" => schema(&arguments)?,
            "sql_sample" => sample(&arguments)?,
            _ => return Err(Error::NotFound(format!("the plugin `sql` has no tool `{name}`"))),
        };
        Ok(json_content(&result))
    }
}

pi_sdk::tool!(Sql);

fn described(it: &sql::Database) -> Value {
    let dialect = match it.dialect {
        sql::Dialect::Postgres => "postgres",
        sql::Dialect::Sqlite => "sqlite",
    };
    json!({
        "name": it.name, "dialect": dialect, "rows_max": it.rows_max, "bytes_max": it.bytes_max, "personal": it.personal,
    })
}

/// The database that is meant.
fn database(arguments: &Value) -> Result<(String, Dialect), Error> {
    let all = sql::databases();
    let name = arguments.get("database").and_then(Value::as_str);
    let found = match (name, all.as_slice()) {
        (None, [one]) => Some(one),
        (Some(name), all) => all.iter().find(|database| database.name == name),
        (None, _) => None,
    };
    let dialect = |it: &sql::Database| match it.dialect {
        sql::Dialect::Postgres => Dialect::Postgres,
        sql::Dialect::Sqlite => Dialect::Sqlite,
    };
    match (found, name) {
        (Some(found), _) => Ok((found.name.clone(), dialect(found))),
        // The host says what is not granted, and writes it down.
        (None, Some(name)) => Ok((name.to_owned(), Dialect::Postgres)),
        (None, None) if all.is_empty() => Err(Error::Failed(
            "not granted: there is no database within the grant\nhint: name one in `databases` of [grants.sql.sql] in pi.toml".into(),
        )),
        (None, None) => {
            let names: Vec<String> = all.iter().map(|database| format!("`{}`", database.name)).collect();
            Err(Error::InvalidArguments(format!("say which `database` is meant; there are {}", names.join(", "))))
        }
    }
}

fn query(arguments: &Value) -> Result<Value, Error> {
    let (name, _) = database(arguments)?;
    let statement = arguments.get("statement").and_then(Value::as_str).unwrap_or_default();
    let parameters = arguments.get("parameters").map(Value::to_string).unwrap_or_default();
    let rows_max =
        arguments.get("rows_max").and_then(Value::as_u64).map(|rows| u32::try_from(rows).unwrap_or(u32::MAX));
    lent::ask(&name, statement, &parameters, rows_max)
}

fn schema(arguments: &Value) -> Result<Value, Error> {
    let (name, dialect) = database(arguments)?;
    let mut lent = Lent { name: name.clone(), dialect };
    // When it was taken is the journal's to say.
    let taken = snapshot::take(&mut lent, &snapshot::Options::default()).map_err(|error| error_of(&error))?;
    let pattern = arguments.get("table").and_then(Value::as_str);
    let full = |table: &Table| format!("{}.{}", table.schema, table.name);
    let wanted = |table: &&Table| pattern.is_none_or(|text| matches(text, &table.name) || matches(text, &full(table)));
    let tables: Vec<&Table> = taken.tables.iter().filter(wanted).collect();
    if let (Some(pattern), true) = (pattern, tables.is_empty()) {
        let text =
            format!("there is no table `{pattern}` in `{name}`\nhint: call `sql_schema` without `table` for all");
        return Err(Error::Failed(format!("not found: {text}")));
    }
    let brief = |table: &&Table| {
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        json!({ "table": full(table), "kind": table.kind, "rows_estimated": table.rows_estimated, "columns": columns })
    };
    let mut told: Vec<Value> = match pattern {
        None => tables.iter().map(brief).collect(),
        Some(_) => tables.iter().filter_map(|table| serde_json::to_value(table).ok()).collect(),
    };
    let count = told.len();
    let mut bytes = 0;
    told.retain(|table| {
        bytes += table.to_string().len();
        bytes <= SCHEMA_BYTES_MAX
    });
    Ok(json!({
        "database": name, "tables": told, "tables_left_out": count - told.len(),
        "enums": taken.enums, "gaps": taken.gaps,
    }))
}

/// Whether a name fits a pattern, in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    if !pattern.contains('*') {
        return rest.is_empty();
    }
    let parts: Vec<&str> = parts.collect();
    let (last, middle) = parts.split_last().map_or(("", [].as_slice()), |(last, middle)| (*last, middle));
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn sample(arguments: &Value) -> Result<Value, Error> {
    let (name, dialect) = database(arguments)?;
    let table = arguments.get("table").and_then(Value::as_str).unwrap_or_default();
    let named = match table.split_once('.') {
        Some((schema, table)) => format!("{}.{}", quote(schema), quote(table)),
        None => quote(table),
    };
    let rows = arguments.get("rows_max").and_then(Value::as_u64).unwrap_or(SAMPLE_ROWS);
    let query = Query::new(format!("SELECT * FROM {named} LIMIT {rows}"));
    let mut lent = Lent { name, dialect };
    let rows = lent.query(&query).map_err(|error| error_of(&error))?;
    serde_json::to_value(&rows).map_err(|error| Error::Failed(error.to_string()))
}

/// The kind of error stands in front, so that who calls can tell them apart.
fn error_of(error: &QueryError) -> Error {
    Error::Failed(match error {
        QueryError::Refused(text) => format!("not granted: {text}"),
        QueryError::Denied(text) => format!("denied: {text}"),
        QueryError::TimedOut(text) => format!("timed out: {text}"),
        QueryError::NotFound(text) => format!("not found: {text}"),
        QueryError::Unavailable(text) => format!("unavailable: {text}"),
        QueryError::Failed(text) => text.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, name, is_match) in [
            ("orders", "orders", true),
            ("orders", "orders_2", false),
            ("orders*", "orders_2", true),
            ("*_2", "orders_2", true),
            ("public.*", "public.orders", true),
            ("p*.or*rs", "public.orders", true),
            ("*", "", true),
            ("a*b", "ab", true),
            ("a*b", "a", false),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, name), is_match, "{pattern} {name}");
        }
    }
}
