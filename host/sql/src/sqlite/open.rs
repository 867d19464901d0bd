//! Opening a file so that nothing can be written through it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use super::fault;
use crate::error::Error;

/// One value, or one row of a sorter: more would be held in this process.
const VALUE_BYTES_MAX: i32 = 64 * 1024 * 1024;
/// Words of a LIKE pattern cost their square.
const PATTERN_BYTES_MAX: i32 = 1000;
const CACHE_KIB: i32 = 8 * 1024;

/// An open file.
pub(super) struct Database {
    pub(super) connection: Connection,
    /// Which file it is, whatever is at the path now.
    pub(super) file: (u64, u64),
}

/// # Errors
/// It names no file.
pub(super) fn path(url: &str) -> Result<PathBuf, Error> {
    let path = match url.strip_prefix("sqlite:") {
        Some(rest) if rest.contains('?') => {
            return Err(Error::settings(
                "the url has parameters",
                "write sqlite:PATH: how it is opened is not a choice",
            ));
        }
        Some(rest) => rest.strip_prefix("//").unwrap_or(rest),
        None => url,
    };
    if path.is_empty() || path.starts_with(':') {
        return Err(Error::settings(format!("`{url}` names no file"), "write sqlite:PATH or a path"));
    }
    Ok(PathBuf::from(path))
}

/// Which file is at the path.
pub(super) fn identity(path: &Path) -> Result<(u64, u64), Error> {
    let place = || path.display().to_string();
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => Ok((found.dev(), found.ino())),
        Ok(_) => Err(Error::NoSuchDatabase {
            place: place(),
            message: "it is no file".into(),
            hint: "the path names the database file itself".into(),
        }),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Err(Error::Denied {
            place: place(),
            message: error.to_string(),
            hint: "let the user that runs this read the file and its folder".into(),
        }),
        Err(error) => Err(Error::NoSuchDatabase {
            place: place(),
            message: error.to_string(),
            hint: "check the path; a file is never made".into(),
        }),
    }
}

pub(super) fn open(path: &Path, file: (u64, u64)) -> Result<Database, Error> {
    let fault = |error: rusqlite::Error| fault::error(&error, path, 0, false);
    // Without SQLITE_OPEN_URI: a name such as `file:x?mode=rw` is a name.
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(fault)?;
    let switches = [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        // A view or a virtual table of a hostile file must not call what has effects.
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        // `"x"` is a name: as a text where there is no such column it would be read otherwise here than there.
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true),
    ];
    for (switch, is_on) in switches {
        connection.set_db_config(switch, is_on).map_err(fault)?;
    }
    let limits = [
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN_BYTES_MAX),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ];
    for (limit, max) in limits {
        connection.set_limit(limit, max).map_err(fault)?;
    }
    // A file that is cut off while it is mapped would end the process.
    let pragmas = format!(
        "PRAGMA query_only = ON; PRAGMA mmap_size = 0; PRAGMA cell_size_check = ON; PRAGMA cache_size = -{CACHE_KIB}"
    );
    connection.execute_batch(&pragmas).map_err(fault)?;
    Ok(Database { connection, file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_file_and_not_how_it_is_opened() {
        assert_eq!(path("sqlite:shop.db").unwrap(), Path::new("shop.db"));
        assert_eq!(path("sqlite:///data/shop.db").unwrap(), Path::new("/data/shop.db"));
        assert_eq!(path("/data/a?b.db").unwrap(), Path::new("/data/a?b.db"));
        for url in ["sqlite:", "", "sqlite::memory:", ":memory:", "sqlite:shop.db?mode=rwc"] {
            assert_eq!(path(url).unwrap_err().kind(), "settings", "{url}");
        }
    }
}
