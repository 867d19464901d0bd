//! What a failure of SQLite means to who asked.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::Error;

/// `hides_values`: there are personal columns, and the message of a statement that runs may quote a value.
pub(super) fn error(error: &rusqlite::Error, path: &Path, timeout_ms: u64, hides_values: bool) -> Error {
    let place = path.display().to_string();
    let (code, message) = match error {
        rusqlite::Error::SqliteFailure(code, message) => (code, message.clone().unwrap_or_else(|| code.to_string())),
        rusqlite::Error::SqlInputError { error, msg, .. } => (error, msg.clone()),
        other => return Error::Failed { code: "sqlite".into(), message: other.to_string() },
    };
    match code.code {
        ErrorCode::OperationInterrupted => Error::TimedOut {
            message: format!("it ran longer than {timeout_ms} ms"),
            hint: "narrow it by a condition on an indexed column, or read fewer rows".into(),
        },
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Error::TimedOut {
            message: format!("a lock is held by someone else: {message}"),
            hint: "something writes to the file: ask again later".into(),
        },
        ErrorCode::AuthorizationForStatementDenied => {
            Error::refused("the statement", format!("it does more than read: {message}"))
        }
        ErrorCode::ReadOnly => Error::refused("the statement", format!("it changes something, and the file is opened to be read: {message}")),
        ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt => Error::Unavailable {
            place,
            message,
            hint: "the file is no SQLite database, is encrypted, or is damaged: `sqlite3 FILE 'PRAGMA integrity_check'` tells".into(),
        },
        ErrorCode::CannotOpen | ErrorCode::SystemIoFailure => {
            Error::Unavailable { place, message, hint: "can the file and its folder be read, and is the disk there?".into() }
        }
        ErrorCode::PermissionDenied => {
            Error::Denied { place, message, hint: "let the user that runs this read the file and its folder".into() }
        }
        ErrorCode::TooBig => Error::Failed { code: "too_big".into(), message },
        _ if ["no such table", "no such column", "no such function", "no such view"].iter().any(|start| message.starts_with(start)) => {
            Error::NotFound { message }
        }
        _ if hides_values => Error::Failed {
            code: code.extended_code.to_string(),
            message: "the message is withheld, as it may quote a value of a column that is marked as personal".into(),
        },
        _ => Error::Failed { code: code.extended_code.to_string(), message },
    }
}
