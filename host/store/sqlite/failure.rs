//! From SQLite's result codes and the system's errors to what a person can do something about.

use std::io;
use std::path::Path;

use crate::store::StoreError;

/// Makes errors that name the store's file.
#[derive(Clone, Debug)]
pub(super) struct Failures {
    path: String,
}

/// Primary result codes: the low byte of what SQLite says.
const PERM: i32 = 3;
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const CONSTRAINT: i32 = 19;
const AUTH: i32 = 23;
const NOTADB: i32 = 26;
/// Extended codes. A quota and a limit of the file's size arrive as failed writes.
const IOERR_WRITE: i32 = IOERR | (3 << 8);
const IOERR_SHMSIZE: i32 = IOERR | (19 << 8);
/// The check of the lease: this host's epoch is not the current one.
const CONSTRAINT_CHECK: i32 = CONSTRAINT | (1 << 8);

impl Failures {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.display().to_string() }
    }

    pub(super) fn of(&self, error: sqlx::Error) -> StoreError {
        let path = self.path.clone();
        match error {
            sqlx::Error::Database(error) => {
                let code: i32 = error.code().and_then(|code| code.parse().ok()).unwrap_or_default();
                let detail = error.message().to_string();
                match (code & 0xff, code) {
                    // The only check of the schema. Who asked knows which lease it was.
                    (_, CONSTRAINT_CHECK) => StoreError::Fenced { epoch: 0 },
                    (BUSY | LOCKED, _) => StoreError::Busy { path, detail },
                    (FULL, _) | (_, IOERR_WRITE | IOERR_SHMSIZE) => StoreError::Full { path, detail },
                    (PERM | READONLY | CANTOPEN | AUTH, _) => StoreError::Unwritable { path, detail },
                    (CORRUPT | NOTADB, _) => StoreError::Corrupt { path, detail },
                    _ => StoreError::Failed { path, detail: format!("{detail}, code {code}") },
                }
            }
            sqlx::Error::Io(error) => self.of_file(&error),
            sqlx::Error::PoolTimedOut => StoreError::Busy { path, detail: "all connections are in use".into() },
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => self.corrupt(&error.to_string()),
            error => StoreError::Failed { path, detail: error.to_string() },
        }
    }

    pub(super) fn of_file(&self, error: &io::Error) -> StoreError {
        let (path, detail) = (self.path.clone(), error.to_string());
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                StoreError::Full { path, detail }
            }
            _ => StoreError::Unwritable { path, detail },
        }
    }

    pub(super) fn missing(&self) -> StoreError {
        StoreError::Missing { path: self.path.clone() }
    }

    pub(super) fn newer(&self, found: i64, known: i64) -> StoreError {
        StoreError::NewerSchema { path: self.path.clone(), found, known }
    }

    pub(super) fn corrupt(&self, detail: &str) -> StoreError {
        StoreError::Corrupt { path: self.path.clone(), detail: detail.into() }
    }

    pub(super) fn failed(&self, detail: &str) -> StoreError {
        StoreError::Failed { path: self.path.clone(), detail: detail.into() }
    }
}
