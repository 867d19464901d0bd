//! `pi:sql`: statements that only read, on the databases of `pi.toml`, each judged and journalled before it is run.
//!
//! The way of every statement: read it in full (`pi_sql::Statement`), hold what it names against the grant ([`grant`]),
//! enter the door, and run it under the limits of its database. That it only reads is enforced three times: by the
//! parser, by the gate's own reading, and by the database (a read-only transaction, a file opened for reading). Passwords
//! stay in [`databases`]; values of columns that are marked as personal are masked before they reach anybody.

pub mod databases;
mod grant;

use pi_sql::{Answer, Dialect, Error as SqlError, Limits, Statement};
use serde_json::{Value, json};

use super::bindings::pi::sql::sql::{self, Error, Host};
use super::door::Door;
use super::secret::scan::Scan;
use super::state::CallState;
use crate::gate::explain::escaped;
use crate::gate::{Act, SqlDialect};

pub use grant::SqlState;

/// Longest statement. Danger: it stands in an act, and so in the journal.
const STATEMENT_BYTES_MAX: usize = 64 << 10;
/// Longest parameters of one statement. Danger: the host holds them.
const PARAMETERS_BYTES_MAX: usize = 1 << 20;
/// Longest name of a database. Danger: as of a statement.
const NAME_BYTES_MAX: usize = 128;

impl Host for CallState {
    async fn databases(&mut self) -> wasmtime::Result<Vec<sql::Database>> {
        Ok(self.sql.as_ref().map(|sql| sql.databases().map(described).collect()).unwrap_or_default())
    }

    async fn query(
        &mut self,
        database: String,
        statement: String,
        parameters: String,
        rows_max: Option<u32>,
    ) -> wasmtime::Result<Result<String, Error>> {
        let Some(sql) = self.sql.clone() else {
            let plugin = &self.door.origin().plugin;
            return Ok(Err(Error::NotGranted(format!("add [grants.{plugin}.sql] to pi.toml"))));
        };
        let asked = Asked { database, statement, parameters, rows_max };
        let (door, scan) = (self.door.clone(), self.scan.clone());
        Ok(asked.answer(&sql, &door, &scan).await)
    }
}

/// A statement as the guest asks for it.
struct Asked {
    database: String,
    statement: String,
    parameters: String,
    rows_max: Option<u32>,
}

impl Asked {
    async fn answer(self, sql: &SqlState, door: &Door, scan: &Scan) -> Result<String, Error> {
        let parameters = self.parameters()?;
        let plugin = door.origin().plugin.clone();
        let Some(database) = sql.database(&self.database) else {
            let text = sql.not_granted(&self.database, &plugin);
            return Err(refused(door, &self.act(SqlDialect::Postgres, &[], parameters.len()), text).await);
        };
        let connection = &database.connection;
        let dialect = match connection.dialect() {
            Dialect::Postgres => SqlDialect::Postgres,
            Dialect::Sqlite => SqlDialect::Sqlite,
        };
        let statement = match Statement::read(connection.dialect(), &self.statement) {
            Ok(statement) => statement,
            // What was tried is in the journal: a statement that would change something is no typing error.
            Err(error @ SqlError::Refused { .. }) => {
                let text = error.to_string();
                door.refuse(&self.act(dialect, &[], parameters.len()), "sql_reads_only", &text).await;
                return Err(Error::Invalid(text));
            }
            Err(error) => return Err(Error::Invalid(error.to_string())),
        };
        let tables = statement.tables().to_vec();
        let act = self.act(dialect, &tables, parameters.len());
        if scan.finds(self.statement.as_bytes()) || scan.finds(self.parameters.as_bytes()) {
            const TEXT: &str = "the statement holds the value of a secret of pi.toml\nhint: leave it out";
            door.refuse(&act, "secret_in_request", TEXT).await;
            return Err(Error::NotGranted(TEXT.into()));
        }
        if let Err(text) = sql.covers(&tables, &plugin) {
            return Err(refused(door, &act, text).await);
        }
        let pass = door.enter(act).await.map_err(|refusal| Error::Refused(refusal.into()))?;
        if pass.edited().is_some() {
            let text = "what an approver made of the statement cannot be run: only as it was asked for";
            pass.failed(&text);
            return Err(Error::Failed(text.into()));
        }
        let limits = Limits { rows_max: self.rows_max.map(u64::from), ..Limits::default() };
        match connection.query(&statement, &parameters, &limits).await {
            Ok(answer) => {
                pass.done(json!({ "rows": answer.rows.len(), "is_cut": answer.is_cut }));
                Ok(scan.hidden(&written(answer).to_string()).into_owned())
            }
            Err(error) => {
                let text = scan.hidden(&error.to_string()).into_owned();
                pass.failed(&text);
                Err(told(&error, text))
            }
        }
    }

    fn parameters(&self) -> Result<Vec<Value>, Error> {
        if self.database.len() > NAME_BYTES_MAX {
            return Err(Error::Invalid(format!("a database has a name of {NAME_BYTES_MAX} bytes at most")));
        }
        if self.statement.len() > STATEMENT_BYTES_MAX {
            let bytes = self.statement.len();
            return Err(Error::Invalid(format!("the statement has {bytes} bytes, more than {STATEMENT_BYTES_MAX}")));
        }
        if self.parameters.len() > PARAMETERS_BYTES_MAX {
            let bytes = self.parameters.len();
            return Err(Error::Invalid(format!("the parameters have {bytes} bytes, more than {PARAMETERS_BYTES_MAX}")));
        }
        if self.parameters.is_empty() {
            return Ok(Vec::new());
        }
        serde_json::from_str(&self.parameters)
            .map_err(|error| Error::Invalid(format!("the parameters are no JSON array: {error}")))
    }

    fn act(&self, dialect: SqlDialect, tables: &[String], parameters: usize) -> Act {
        Act::SqlQuery {
            database: escaped(&self.database),
            dialect,
            statement: self.statement.clone(),
            tables: tables.to_vec(),
            parameters,
        }
    }
}

/// Write a refusal down, before anybody was asked.
async fn refused(door: &Door, act: &Act, text: String) -> Error {
    door.refuse(act, "not_granted", &text).await;
    Error::NotGranted(text)
}

/// The answer as JSON. How long it took is not told: the same question has the same answer.
fn written(answer: Answer) -> Value {
    let columns = answer.columns.into_iter().map(|column| json!({ "name": column.name, "type": column.kind }));
    json!({
        "columns": columns.collect::<Vec<_>>(), "rows": answer.rows, "is_cut": answer.is_cut,
        "cells_cut": answer.cells_cut, "masked": answer.masked,
    })
}

fn told(error: &SqlError, text: String) -> Error {
    // The kind is said by the variant.
    let kinds = ["refused: ", "out of reach: ", "timed out: ", "too costly: ", "not there: ", "failed: "];
    let text = kinds.iter().find_map(|kind| text.strip_prefix(kind)).unwrap_or(&text).to_owned();
    match error {
        SqlError::Refused { .. } => Error::Invalid(text),
        SqlError::NotFound { .. } => Error::NotFound(text),
        SqlError::Denied { .. } => Error::Denied(text),
        SqlError::TooCostly { .. } => Error::TooCostly(text),
        SqlError::TimedOut { .. } => Error::TimedOut(text),
        SqlError::Unavailable { .. } | SqlError::WrongPassword { .. } | SqlError::NoSuchDatabase { .. } => {
            Error::Unavailable(text)
        }
        _ => Error::Failed(text),
    }
}

fn described((name, database): (&str, &databases::Database)) -> sql::Database {
    sql::Database {
        name: name.to_owned(),
        dialect: match database.connection.dialect() {
            Dialect::Postgres => sql::Dialect::Postgres,
            Dialect::Sqlite => sql::Dialect::Sqlite,
        },
        rows_max: database.config.rows_max,
        bytes_max: database.config.bytes_max,
        personal: database.config.personal.clone(),
    }
}
