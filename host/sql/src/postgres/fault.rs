//! What a failure of PostgreSQL means to who asked.

use sqlx::postgres::PgDatabaseError;

use crate::error::Error;

/// Where it happened, and whether the text may quote values.
#[derive(Clone, Copy)]
pub(crate) struct Where<'a> {
    pub(crate) place: &'a str,
    /// There are personal columns, and a message may quote a value of one.
    pub(crate) hides_values: bool,
    pub(crate) statement_timeout_ms: u64,
}

pub(crate) fn error(error: &sqlx::Error, at: Where) -> Error {
    match error {
        sqlx::Error::Database(database) => match database.try_downcast_ref::<PgDatabaseError>() {
            Some(database) => of_code(database.code(), database.message(), at),
            None => Error::Failed { code: "database".into(), message: "the server answered in an unknown way".into() },
        },
        sqlx::Error::Tls(source) => unavailable(
            at,
            format!("no trusted TLS: {source}"),
            "give `ca_file` the certificate that signed the server's, and name the server as that names it",
        ),
        sqlx::Error::Io(source) => {
            unavailable(at, source.to_string(), "is the server running, and does the url name its host and port?")
        }
        sqlx::Error::Configuration(source) => {
            Error::settings(source.to_string(), "check the url and `ca_file` of the connection")
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::TypeNotFound { .. } => Error::Failed {
            code: "type".into(),
            message: format!("a type that cannot be read ({error}): write the column as `column::text`"),
        },
        other => unavailable(at, other.to_string(), "the connection was lost: ask again"),
    }
}

fn unavailable(at: Where, message: String, hint: &str) -> Error {
    Error::Unavailable { place: at.place.to_owned(), message, hint: hint.to_owned() }
}

fn of_code(code: &str, message: &str, at: Where) -> Error {
    let place = at.place.to_owned();
    let message = if at.hides_values && !tells_no_value(code) {
        "the message is withheld, as it may quote a value of a column that is marked as personal".to_owned()
    } else {
        message.to_owned()
    };
    match code {
        "28P01" => Error::WrongPassword { place, message },
        "28000" if message.contains("does not exist") || message.contains("password") => {
            Error::WrongPassword { place, message }
        }
        "28000" => {
            Error::Denied { place, message, hint: "pg_hba.conf of the server says who may log in from where".into() }
        }
        "3D000" => {
            Error::NoSuchDatabase { place, message, hint: "the last part of the url is the database's name".into() }
        }
        "42501" => Error::Denied {
            place,
            message,
            hint: "GRANT USAGE ON SCHEMA and GRANT SELECT ON the table to the role, or ask for something else".into(),
        },
        "57014" => Error::TimedOut {
            message: format!("it ran longer than {} ms, or was cancelled: {message}", at.statement_timeout_ms),
            hint: "narrow it by a condition on an indexed column, or sample".into(),
        },
        "55P03" => Error::TimedOut {
            message: format!("a lock is held by someone else: {message}"),
            hint: "a migration or an open transaction holds the table: ask again later".into(),
        },
        "25006" => {
            Error::refused("the statement", format!("it changes something, and the transaction only reads: {message}"))
        }
        "42P01" | "42703" | "42883" | "42704" | "3F000" | "42P02" => Error::NotFound { message },
        "53300" => unavailable(
            at,
            message,
            "the server has no connection left: lower `connections_max`, or raise the role's limit",
        ),
        _ if code.starts_with("08") || code.starts_with("57P") || code == "25P03" => {
            unavailable(at, message, "the server is starting or was shut down: ask again")
        }
        _ => Error::Failed { code: code.to_owned(), message },
    }
}

/// Classes whose messages speak of names, rights and resources, and not of values.
fn tells_no_value(code: &str) -> bool {
    ["08", "0A", "25", "28", "3D", "3F", "40", "42", "53", "54", "55", "57", "58"]
        .iter()
        .any(|class| code.starts_with(class))
}
