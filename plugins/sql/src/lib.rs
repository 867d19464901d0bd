//! The plugin `sql`: the capability `sql` as tools.
//!
//! That statements only read, whose they are and what they may cost is decided by the host, statement by statement. Here is
//! only how tools speak of it. `docs/databases.md` lists the fields of the results.

mod database;

use pi_catalog::database::{Database as _, Query, QueryError};
use pi_catalog::quote::qualified;
use pi_catalog::snapshot;
use pi_sdk::sql::{self, Dialect};
use pi_sdk::{Content, Error, ToolPlugin, Value, json, json_content, serde_json};

use database::Lent;

/// Rows of a sample, where nobody says how many.
const SAMPLE_ROWS: u64 = 10;

struct Sql;

impl ToolPlugin for Sql {
    const MANIFEST: &'static str = include_str!("../plugin.json");

    fn call(name: &str, arguments: Value) -> Result<Vec<Content>, Error> {
        let result = match name {
            "sql_databases" => Value::Array(sql::databases().iter().map(database).collect()),
            "sql_query" => query(&arguments)?,
            "sql_schema" => schema(&arguments)?,
            "sql_sample" => sample(&arguments)?,
            _ => return Err(Error::NotFound(format!("the plugin `sql` has no tool `{name}`"))),
        };
        Ok(json_content(&result))
    }
}

pi_sdk::tool!(Sql);
