//! A database as the host lends it.

use pi_catalog::database::{Database, Dialect, Query, QueryError, Rows};
use pi_sdk::sql;
use pi_sdk::{Error, Value, serde_json};

/// A database within the grant, by its name.
pub struct Lent {
    pub name: String,
    pub dialect: Dialect,
}

impl Database for Lent {
    fn dialect(&self) -> Dialect {
        self.dialect
    }

    fn query(&mut self, query: &Query) -> Result<Rows, QueryError> {
        let parameters = Value::from(query.parameters.clone()).to_string();
        let text = sql::query(&self.name, &query.statement, &parameters, None).map_err(of_query)?;
        let mut value: Value = serde_json::from_str(&text).map_err(|error| QueryError::Failed(error.to_string()))?;
        if let Some(columns) = value.get_mut("columns").and_then(Value::as_array_mut) {
            for column in columns {
                if let Some(name) = column.get("name").cloned() {
                    *column = name;
                }
            }
        }
        serde_json::from_value(value).map_err(|error| QueryError::Failed(format!("the rows cannot be read: {error}")))
    }
}

/// Run one statement; the host's answer as it is.
pub fn ask(database: &str, statement: &str, parameters: &str, rows_max: Option<u32>) -> Result<Value, Error> {
    let text = sql::query(database, statement, parameters, rows_max).map_err(|error| match error {
        sql::Error::Refused(refusal) => Error::Refused(refusal),
        sql::Error::Invalid(text) => Error::InvalidArguments(text),
        sql::Error::NotGranted(text) => Error::Failed(format!("not granted: {text}")),
        sql::Error::NotFound(text) => Error::Failed(format!("not found: {text}")),
        sql::Error::Denied(text) => Error::Failed(format!("denied: {text}")),
        sql::Error::TooCostly(text) => Error::Failed(format!("too costly: {text}")),
        sql::Error::TimedOut(text) => Error::Failed(format!("timed out: {text}")),
        sql::Error::Unavailable(text) => Error::Failed(format!("unavailable: {text}")),
        sql::Error::Failed(text) => Error::Failed(text),
    })?;
    serde_json::from_str(&text).map_err(|error| Error::Failed(format!("the host's answer is no JSON: {error}")))
}

fn of_query(error: sql::Error) -> QueryError {
    match error {
        sql::Error::Refused(refusal) => QueryError::Refused(refusal.reason),
        sql::Error::NotGranted(text) | sql::Error::Invalid(text) | sql::Error::TooCostly(text) => {
            QueryError::Refused(text)
        }
        sql::Error::NotFound(text) => QueryError::NotFound(text),
        sql::Error::Denied(text) => QueryError::Denied(text),
        sql::Error::TimedOut(text) => QueryError::TimedOut(text),
        sql::Error::Unavailable(text) => QueryError::Unavailable(text),
        sql::Error::Failed(text) => QueryError::Failed(text),
    }
}
