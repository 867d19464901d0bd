//! Where a server is, who asks, and which schema is this project's. Errors never show a password.

use std::sync::Arc;

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::config::is_loopback;

/// PostgreSQL cuts longer names off, and two projects would meet.
pub const SCHEMA_BYTES_MAX: usize = 63;
/// Statements that a connection keeps prepared: a few dozen, and one for each count of rows.
const PREPARED_MAX: usize = 128;
/// What an address may say after its question mark. Any other key would be ignored, such as a misspelt `sslmode`.
const PARAMETERS: &[&str] =
    &["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "port", "dbname", "user", "application_name"];

/// A server, a database in it, and a schema in that.
#[derive(Clone, Debug)]
pub struct Address {
    pub(super) options: PgConnectOptions,
    pub(super) schema: String,
    /// For errors.
    pub(super) place: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error(
        "the address of the store cannot be read: {0}\nhint: write postgres://USER@HOST/DATABASE, or postgres://USER@localhost/DATABASE?host=/run/postgresql for a socket"
    )]
    Form(String),
    #[error(
        "the address of the store has a parameter that is not known: `{0}`\nhint: these are known: sslmode, sslrootcert, sslcert, sslkey, host, port, dbname, user, application_name"
    )]
    Parameter(String),
    #[error(
        "a schema's name is made of 1 to 63 small letters, digits and `_`, and begins with a letter: `{0}`\nhint: give each project a schema of its own"
    )]
    Schema(String),
}

impl Address {
    /// `password` is used where the address has none; without it, `PGPASSWORD` or the user's passfile is.
    ///
    /// # Errors
    /// The address or the schema's name cannot be one.
    pub fn parse(url: &str, password: Option<&str>, schema: &str) -> Result<Self, AddressError> {
        if !is_name(schema) {
            return Err(AddressError::Schema(schema.to_owned()));
        }
        let parsed = reqwest::Url::parse(url).map_err(|error| AddressError::Form(error.to_string()))?;
        if !matches!(parsed.scheme(), "postgres" | "postgresql") {
            return Err(AddressError::Form(format!("its scheme is `{}`", parsed.scheme())));
        }
        if let Some((key, _)) = parsed.query_pairs().find(|(key, _)| !PARAMETERS.contains(&&**key)) {
            return Err(AddressError::Parameter(key.into_owned()));
        }
        let mut options: PgConnectOptions = url.parse().map_err(|error: sqlx::Error| {
            // The values of parameters are no secrets; a password is not among what can fail.
            AddressError::Form(error.to_string())
        })?;
        if let Some(password) = password.filter(|_| parsed.password().is_none()) {
            options = options.password(password);
        }
        let is_local = options.get_socket().is_some() || is_loopback(options.get_host());
        let says_mode = parsed.query_pairs().any(|(key, _)| key == "sslmode");
        if !is_local && !says_mode && matches!(options.get_ssl_mode(), PgSslMode::Prefer) {
            // What stands between could pretend that the server has no TLS, and read the journal along.
            options = options.ssl_mode(PgSslMode::VerifyFull);
        }
        if options.get_application_name().is_none() {
            options = options.application_name("pi-host");
        }
        options = options.statement_cache_capacity(PREPARED_MAX);
        let host = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        };
        let database = options.get_database().unwrap_or_else(|| options.get_username());
        let place = format!("postgres {}@{host}/{database}, schema {schema}", options.get_username());
        Ok(Self { options, schema: schema.to_owned(), place: Arc::from(place) })
    }
}

/// It stands in statements as it is.
fn is_name(schema: &str) -> bool {
    schema.len() <= SCHEMA_BYTES_MAX
        && schema.starts_with(|c: char| c.is_ascii_lowercase())
        && schema.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        // PostgreSQL keeps these names for itself.
        && !schema.starts_with("pg_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_named_without_its_password() {
        let address = Address::parse("postgres://pi:s3cr3t@db.example.com/agents", None, "shop").unwrap();
        assert_eq!(&*address.place, "postgres pi@db.example.com:5432/agents, schema shop");
    }

    #[test]
    fn a_server_elsewhere_has_to_prove_its_name_unless_the_address_says_otherwise() {
        let mode = |url: &str| Address::parse(url, None, "shop").unwrap().options.get_ssl_mode();
        assert!(matches!(mode("postgres://pi@db.example.com/a"), PgSslMode::VerifyFull));
        assert!(matches!(mode("postgres://pi@db.example.com/a?sslmode=require"), PgSslMode::Require));
        assert!(matches!(mode("postgres://pi@127.0.0.1/a"), PgSslMode::Prefer));
        assert!(matches!(mode("postgres://pi@localhost/a?host=/run/postgresql"), PgSslMode::Prefer));
    }

    #[test]
    fn what_cannot_be_an_address_is_an_error_that_says_how_one_looks() {
        let error = |url: &str| Address::parse(url, None, "shop").unwrap_err().to_string();
        assert!(error("mysql://pi@db/a").contains("its scheme is `mysql`"));
        assert!(error("postgres://pi@db/a?sslmod=require").contains("not known: `sslmod`"));
        assert!(error("postgres://pi@db/a?password=x").contains("not known: `password`"));
        assert!(error("db.example.com").contains("postgres://USER@HOST/DATABASE"));
        assert!(error("postgres://pi@db/a?sslmode=perhaps").contains("cannot be read"));
    }

    #[test]
    fn a_name_that_would_be_cut_or_could_end_a_statement_is_no_schema() {
        let parse = |schema: &str| Address::parse("postgres://pi@db/a", None, schema);
        assert!(parse(&"a".repeat(SCHEMA_BYTES_MAX)).is_ok());
        for schema in ["", "Shop", "1shop", "a\"; DROP", "pg_shop", "a-b", &"a".repeat(SCHEMA_BYTES_MAX + 1)] {
            assert_eq!(parse(schema).unwrap_err(), AddressError::Schema(schema.to_owned()));
        }
    }
}
