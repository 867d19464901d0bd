//! What a connection is, and what it may take.
//!
//! The password is given apart from the address, in a type that prints `[redacted]`: an address is quoted in errors.
//! Limits are the connection's own; a statement may ask for less (`Limits`), never for more.

use std::path::PathBuf;

use pi_catalog::database::Dialect;

use crate::error::Error;
use pi_catalog::pattern::ColumnPattern;

/// A text that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl std::fmt::Display for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// How a server has to prove who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// `Prefer` for a socket or this machine, `VerifyFull` for any other: what stands between could pretend that the
    /// server has no TLS.
    #[default]
    Automatic,
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// A connection and its limits.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `postgres://USER@HOST[:PORT]/DATABASE[?host=/folder/of/the/socket]`, `sqlite:PATH` or a path.
    pub url: String,
    pub password: Option<Secret>,
    pub statement_timeout_ms: u64,
    pub connect_timeout_ms: u64,
    pub rows_max: u64,
    /// Of all values of an answer together, as JSON.
    pub bytes_max: u64,
    /// Longer values are cut, and say so.
    pub cell_bytes_max: u64,
    /// The total cost that PostgreSQL's planner may expect. SQLite estimates none, so there it is an error.
    pub cost_max: Option<f64>,
    pub connections_max: u32,
    pub tls: Tls,
    /// The certificate that signed the server's.
    pub ca_file: Option<PathBuf>,
    pub application_name: String,
    /// Patterns of columns with personal data: see `ColumnPattern`.
    pub personal: Vec<String>,
}

impl Settings {
    /// The address with limits that suit an agent.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            password: None,
            statement_timeout_ms: 30_000,
            connect_timeout_ms: 10_000,
            rows_max: 10_000,
            bytes_max: 8 * 1024 * 1024,
            cell_bytes_max: 16 * 1024,
            cost_max: None,
            connections_max: 2,
            tls: Tls::Automatic,
            ca_file: None,
            application_name: "pi-host".into(),
            personal: Vec::new(),
        }
    }

    pub fn dialect(&self) -> Dialect {
        if is_postgres(&self.url) { Dialect::Postgres } else { Dialect::Sqlite }
    }

    pub(crate) fn patterns(&self) -> Result<Vec<ColumnPattern>, Error> {
        let read = |text: &String| {
            ColumnPattern::parse(text).map_err(|error| {
                let hint = "write `column`, `table.column` or `schema.table.column`, with `*` for any characters";
                Error::settings(error.to_string(), hint)
            })
        };
        self.personal.iter().map(read).collect()
    }

    /// Whatever holds for both dialects.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let limits = [
            ("statement_timeout_ms", self.statement_timeout_ms),
            ("connect_timeout_ms", self.connect_timeout_ms),
            ("rows_max", self.rows_max),
            ("bytes_max", self.bytes_max),
            ("cell_bytes_max", self.cell_bytes_max),
            ("connections_max", u64::from(self.connections_max)),
        ];
        for (name, value) in limits {
            if value == 0 || value > LIMIT_MAX {
                return Err(Error::settings(
                    format!("`{name}` is {value}"),
                    format!("give it a value from 1 to {LIMIT_MAX}"),
                ));
            }
        }
        if self.cost_max.is_some_and(|cost| !cost.is_finite() || cost <= 0.0) {
            return Err(Error::settings(
                "`cost_max` is not a positive number",
                "leave it out, or give one such as 1000000",
            ));
        }
        if self.cost_max.is_some() && self.dialect() == Dialect::Sqlite {
            return Err(Error::settings(
                "`cost_max` has no meaning with SQLite, which estimates no costs",
                "leave it out, and limit the time by `statement_timeout_ms`",
            ));
        }
        if let Some((scheme, _)) = self.url.split_once("://")
            && !is_postgres(&self.url)
            && scheme != "sqlite"
        {
            return Err(Error::settings(
                format!("the url's scheme is `{scheme}`"),
                "write postgres://USER@HOST/DATABASE, sqlite:PATH or a path",
            ));
        }
        self.patterns().map(drop)
    }
}

/// Fits the 32 bits that PostgreSQL has for a time.
const LIMIT_MAX: u64 = i32::MAX as u64;

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        let mut settings = Settings::new("postgres://pi@db/a");
        settings.password = Some(Secret::new("s3cr3t"));
        assert!(!format!("{settings:?} {}", Secret::new("s3cr3t")).contains("s3cr3t"));
    }

    #[test]
    fn what_cannot_be_kept_is_an_error_that_names_it() {
        let with = |change: fn(&mut Settings)| {
            let mut settings = Settings::new("shop.db");
            change(&mut settings);
            settings.check().unwrap_err().to_string()
        };
        assert!(with(|s| s.rows_max = 0).contains("`rows_max` is 0"));
        assert!(with(|s| s.statement_timeout_ms = u64::MAX).contains("`statement_timeout_ms`"));
        assert!(with(|s| s.cost_max = Some(5.0)).contains("no meaning with SQLite"));
        assert!(with(|s| s.cost_max = Some(f64::NAN)).contains("not a positive number"));
        assert!(with(|s| s.personal = vec!["a.b.c.d".into()]).contains("`a.b.c.d`"));
        assert!(with(|s| s.url = "mysql://db/a".into()).contains("`mysql`"));
    }
}
