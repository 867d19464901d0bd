//! From PostgreSQL's error codes and the network's errors to what a person can do something about.

use std::sync::Arc;

use crate::store::StoreError;

/// Makes errors that name the server, the database and the schema.
#[derive(Clone, Debug)]
pub(super) struct Failures {
    place: Arc<str>,
}

impl Failures {
    pub(super) fn new(place: &Arc<str>) -> Self {
        Self { place: place.clone() }
    }

    pub(super) fn of(&self, error: sqlx::Error) -> StoreError {
        let path = self.place.to_string();
        match error {
            sqlx::Error::Database(error) => {
                let (code, detail) = (error.code().unwrap_or_default().into_owned(), error.message().to_owned());
                match code.as_str() {
                    // check_violation: the only check of the schema. Who asked knows which lease it was.
                    "23514" => StoreError::Fenced { epoch: 0 },
                    // A lock or a statement took too long, or two waited for each other.
                    "55P03" | "57014" | "40001" | "40P01" => StoreError::Busy { path, detail },
                    "53100" => StoreError::Full { path, detail },
                    // It is a stand-by, starts, stops, or has no connection free.
                    "25006" | "25P03" | "53300" | "57P01" | "57P02" | "57P03" => {
                        StoreError::Unreachable { path, detail }
                    }
                    "3D000" => StoreError::Refused { path, detail },
                    "42501" => StoreError::Unwritable { path, detail },
                    // A table or a column is not there, or a row is there that the current host has not written.
                    "42P01" | "42703" | "3F000" | "23505" | "XX001" | "XX002" => StoreError::Corrupt { path, detail },
                    code if code.starts_with("08") => StoreError::Unreachable { path, detail },
                    code if code.starts_with("28") => StoreError::Refused { path, detail },
                    code => StoreError::Failed { path, detail: format!("{detail}, code {code}") },
                }
            }
            // What TLS finds wrong, a certificate that nobody knows, arrives as data that are not valid.
            sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                StoreError::Refused { path, detail: format!("TLS: {error}") }
            }
            sqlx::Error::Tls(error) => StoreError::Refused { path, detail: format!("TLS: {error}") },
            sqlx::Error::Configuration(error) => StoreError::Refused { path, detail: error.to_string() },
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => self.corrupt(&error.to_string()),
            sqlx::Error::PoolTimedOut => StoreError::Unreachable { path, detail: "no connection in time".into() },
            // An unknown kind of answer is that of a connection that broke.
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed | sqlx::Error::PoolClosed => {
                StoreError::Unreachable { path, detail: error.to_string() }
            }
            error => StoreError::Failed { path, detail: error.to_string() },
        }
    }

    pub(super) fn silent(&self) -> StoreError {
        StoreError::Unreachable { path: self.place.to_string(), detail: "the server does not answer".into() }
    }

    pub(super) fn renewed(&self) -> StoreError {
        StoreError::Unreachable { path: self.place.to_string(), detail: "the connection was lost".into() }
    }

    /// What a failure means where the end of a transaction was on its way.
    pub(super) fn at_the_end(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Unreachable { path, detail } => StoreError::Uncertain { path, detail },
            error => error,
        }
    }

    pub(super) fn missing(&self) -> StoreError {
        StoreError::Missing { path: self.place.to_string() }
    }

    pub(super) fn newer(&self, found: i64, known: i64) -> StoreError {
        StoreError::NewerSchema { path: self.place.to_string(), found, known }
    }

    pub(super) fn corrupt(&self, detail: &str) -> StoreError {
        StoreError::Corrupt { path: self.place.to_string(), detail: detail.into() }
    }

    pub(super) fn unfit(&self, detail: &str) -> StoreError {
        StoreError::Unfit { path: self.place.to_string(), detail: detail.into() }
    }
}
