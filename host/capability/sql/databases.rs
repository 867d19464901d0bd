//! The databases of `pi.toml`. Nothing is connected to before the first statement, and no password leaves `pi_sql`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use pi_sql::{Connection, Secret, Settings};

use crate::config::{DatabaseConfig, read_private, variable};

/// Longest password. Danger: a device or a disk image in the place of its file.
const PASSWORD_BYTES_MAX: u64 = 4 << 10;

/// A database of `pi.toml` that cannot be used as it is written.
#[derive(Debug, thiserror::Error)]
#[error("[databases.{database}]: {what}\nhint: {hint}")]
pub struct DatabaseError {
    pub database: String,
    pub what: String,
    pub hint: String,
}

/// A database, with what `pi.toml` says of it.
pub struct Database {
    pub config: DatabaseConfig,
    pub connection: Connection,
}

/// By their names in `pi.toml`.
#[derive(Clone, Default)]
pub struct Databases {
    known: BTreeMap<String, Arc<Database>>,
}

impl Databases {
    /// What stands in `pi.toml`. Files are relative to `directory`.
    ///
    /// # Errors
    /// A database that cannot be used as it is written.
    pub fn new(config: &BTreeMap<String, DatabaseConfig>, directory: &Path) -> Result<Self, DatabaseError> {
        let mut known = BTreeMap::new();
        for (name, config) in config {
            let wrong = |what: String, hint: String| DatabaseError { database: name.clone(), what, hint };
            let password = password(config, directory).map_err(|(what, hint)| wrong(what, hint))?;
            let connection = Connection::new(settings(name, config, directory, password))
                .map_err(|error| wrong(error.to_string(), "docs/databases.md shows one".into()))?;
            known.insert(name.clone(), Arc::new(Database { config: config.clone(), connection }));
        }
        Ok(Self { known })
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Database>> {
        self.known.get(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.known.keys().map(String::as_str)
    }
}

/// The passwords of `pi.toml`'s databases, with the names by which people are told of them: they are kept out of what
/// models and journals see. What cannot be read is left out: [`Databases::new`] says why.
#[must_use]
pub fn passwords(config: &BTreeMap<String, DatabaseConfig>, directory: &Path) -> Vec<(String, String)> {
    let of = |(name, config): (&String, &DatabaseConfig)| {
        Some((format!("databases.{name}"), password(config, directory).ok().flatten()?))
    };
    config.iter().filter_map(of).collect()
}

fn settings(name: &str, config: &DatabaseConfig, directory: &Path, password: Option<String>) -> Settings {
    let url = match config.url.strip_prefix("sqlite:") {
        Some(file) => format!("sqlite:{}", directory.join(file).display()),
        None => config.url.clone(),
    };
    Settings {
        url,
        password: password.map(Secret::new),
        statement_timeout_ms: config.statement_timeout_ms,
        connect_timeout_ms: config.connect_timeout_ms,
        rows_max: u64::from(config.rows_max),
        bytes_max: config.bytes_max,
        cost_max: config.cost_max,
        connections_max: config.connections_max,
        ca_file: config.ca_file.as_ref().map(|file| directory.join(file)),
        application_name: format!("pi-host {name}"),
        personal: config.personal.clone(),
        ..Settings::new(String::new())
    }
}

fn password(config: &DatabaseConfig, directory: &Path) -> Result<Option<String>, (String, String)> {
    if let Some(name) = &config.password_env {
        let missing = || (format!("the variable {name} is not set"), format!("set {name}, or correct `password_env`"));
        return variable(name).map(Some).ok_or_else(missing);
    }
    let Some(file) = &config.password_file else { return Ok(None) };
    let text = read_private(&directory.join(file), PASSWORD_BYTES_MAX)?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err((format!("the file `{file}` is empty"), "write the password into it".into())),
        password => Ok(Some(password.to_owned())),
    }
}
