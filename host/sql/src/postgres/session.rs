//! Sessions with a server: made when they are wanted, kept when they are idle, ended when a statement is abandoned.
//!
//! A session that is dropped in the middle of a statement closes its socket, which a server that is computing does not
//! notice by itself: it is told to look (`client_connection_check_interval`, PostgreSQL 14), and a second connection ends
//! the process that serves it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::fault::{self, Where};
use super::raw;
use crate::error::Error;
use crate::settings::{Settings, Tls};

/// What an address may say after its question mark: the rest are settings of their own, and a misspelt one would be
/// ignored.
const PARAMETERS: &[&str] = &["host", "port", "dbname", "user"];
/// A lock is waited for as long, and then it is said that there is one.
const LOCK_TIMEOUT_MS: u64 = 5000;
/// Between two statements of a snapshot somebody computes.
const IDLE_TIMEOUT_MS: u64 = 600_000;
/// What was prepared is not asked for again, and would stay in the server for as long as the session.
const END: &str = "ROLLBACK; DEALLOCATE ALL";
const CHECK_FROM_VERSION: i32 = 140_000;

/// All sessions of one connection.
#[derive(Clone)]
pub(super) struct Sessions {
    inner: Arc<Inner>,
}

struct Inner {
    options: PgConnectOptions,
    place: String,
    free: Arc<Semaphore>,
    idle: Mutex<Vec<Session>>,
    connections_max: u32,
    connect_timeout: Duration,
    statement_timeout_ms: u64,
}

struct Session {
    connection: PgConnection,
    process: i32,
    /// With the number of the process it names this session and no later one.
    started: String,
}

/// A session in a read-only transaction, for one user.
pub(super) struct Lease {
    inner: Arc<Inner>,
    session: Option<Session>,
    _permit: OwnedSemaphorePermit,
}

impl Sessions {
    pub(super) fn new(settings: &Settings) -> Result<Self, Error> {
        let options = options(settings)?;
        let host = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        };
        let database = options.get_database().unwrap_or_else(|| options.get_username());
        let place = format!("postgres {}@{host}/{database}", options.get_username());
        let inner = Inner {
            place,
            free: Arc::new(Semaphore::new(settings.connections_max as usize)),
            idle: Mutex::new(Vec::new()),
            connections_max: settings.connections_max,
            connect_timeout: Duration::from_millis(settings.connect_timeout_ms),
            statement_timeout_ms: settings.statement_timeout_ms,
            options,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub(super) fn place(&self) -> &str {
        &self.inner.place
    }

    pub(super) fn statement_timeout_ms(&self) -> u64 {
        self.inner.statement_timeout_ms
    }

    /// A session in a transaction that only reads.
    pub(super) async fn begin(&self, isolation: &str, statement_timeout_ms: u64) -> Result<Lease, Error> {
        let wait = self.inner.connect_timeout + Duration::from_millis(statement_timeout_ms);
        let permit = match tokio::time::timeout(wait, self.inner.free.clone().acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            _ => {
                return Err(Error::TimedOut {
                    message: format!("all {} connections are busy", self.inner.connections_max),
                    hint: "ask again later, or raise `connections_max`".into(),
                });
            }
        };
        let lock_timeout_ms = LOCK_TIMEOUT_MS.min((statement_timeout_ms * 3 / 4).max(1));
        let begin = format!(
            "BEGIN {isolation}READ ONLY; SET LOCAL statement_timeout = {statement_timeout_ms}; \
             SET LOCAL lock_timeout = {lock_timeout_ms}; SET LOCAL idle_in_transaction_session_timeout = {IDLE_TIMEOUT_MS}; \
             SET LOCAL cursor_tuple_fraction = 1.0"
        );
        // One that was idle may have been lost with its server: that is no failure of the statement.
        while let Some(mut session) = self.inner.pop() {
            if let Ok(Ok(())) =
                tokio::time::timeout(self.inner.connect_timeout, raw(&mut session.connection, &*begin)).await
            {
                return Ok(self.lease(session, permit));
            }
        }
        let at = Where { place: self.place(), hides_values: false, statement_timeout_ms };
        let opened = tokio::time::timeout(self.inner.connect_timeout, async {
            let mut session = self.inner.open().await?;
            raw(&mut session.connection, &*begin).await?;
            Ok::<_, sqlx::Error>(session)
        });
        match opened.await {
            Ok(Ok(session)) => Ok(self.lease(session, permit)),
            Ok(Err(error)) => Err(fault::error(&error, at)),
            Err(_) => Err(Error::Unavailable {
                place: self.place().to_owned(),
                message: format!("no connection within {} ms", self.inner.connect_timeout.as_millis()),
                hint: "does the url name the right host and port, and does a firewall let it through?".into(),
            }),
        }
    }

    fn lease(&self, session: Session, permit: OwnedSemaphorePermit) -> Lease {
        Lease { inner: self.inner.clone(), session: Some(session), _permit: permit }
    }
}

impl Inner {
    fn pop(&self) -> Option<Session> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    async fn open(&self) -> Result<Session, sqlx::Error> {
        let mut connection = self.options.connect().await?;
        // What a role or a database has set may be otherwise; texts are read in this form.
        let settings = "SET default_transaction_read_only = on; SET standard_conforming_strings = on; SET TimeZone = 'UTC'; \
             SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; SET xmlbinary = 'base64'; \
             SET client_min_messages = error";
        raw(&mut connection, settings).await?;
        let query = "SELECT pg_backend_pid(), current_setting('server_version_num')::int, backend_start::text \
             FROM pg_stat_activity WHERE pid = pg_backend_pid()";
        let (process, version, started): (i32, i32, String) = sqlx::query_as(query).fetch_one(&mut connection).await?;
        if version >= CHECK_FROM_VERSION {
            // Not every platform has it; then the second connection is what ends a statement.
            let _ = raw(&mut connection, "SET client_connection_check_interval = '1s'").await;
        }
        Ok(Session { connection, process, started })
    }
}

impl Lease {
    pub(super) fn connection(&mut self) -> Result<&mut PgConnection, Error> {
        let place = self.inner.place.clone();
        self.session.as_mut().map(|session| &mut session.connection).ok_or_else(|| Error::Unavailable {
            place,
            message: "the connection was given back".into(),
            hint: "ask again".into(),
        })
    }

    /// End the transaction, and keep the session where that worked.
    pub(super) async fn give_back(mut self) {
        let Some(session) = self.session.as_mut() else { return };
        let ended = tokio::time::timeout(self.inner.connect_timeout, raw(&mut session.connection, END)).await;
        if matches!(ended, Ok(Ok(())))
            && let Some(session) = self.session.take()
        {
            self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let (Some(session), Ok(runtime)) = (self.session.take(), tokio::runtime::Handle::try_current()) else { return };
        let inner = self.inner.clone();
        let Session { connection, process, started } = session;
        drop(connection);
        runtime.spawn(async move {
            let ended = tokio::time::timeout(inner.connect_timeout, async {
                let mut connection = inner.options.connect().await?;
                let query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2";
                // The same text as when it began: it depends on the zone.
                raw(&mut connection, "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'").await?;
                sqlx::query(query).bind(process).bind(started).execute(&mut connection).await?;
                connection.close().await
            });
            // Where it cannot be reached, its own timeouts end the statement.
            let _ = ended.await;
        });
    }
}

/// # Errors
/// The url cannot be read, has a password, or a parameter that is a setting.
fn options(settings: &Settings) -> Result<PgConnectOptions, Error> {
    let url = &settings.url;
    let form =
        "write postgres://USER@HOST/DATABASE, or postgres://USER@localhost/DATABASE?host=/run/postgresql for a socket";
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = authority.split('/').next().unwrap_or_default();
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    if user.contains(':') {
        return Err(Error::settings(
            "the url has a password in it",
            "take it out and give it apart: a url is quoted in errors",
        ));
    }
    for key in query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split('=').next().unwrap_or_default()) {
        if !PARAMETERS.contains(&key) {
            return Err(Error::settings(
                format!("the url has a parameter that is not let through: `{key}`"),
                "these are: host, port, dbname, user; TLS, the password and timeouts are settings of their own",
            ));
        }
    }
    // What is not named would be taken from the environment, or be the name of whoever runs this.
    if user.is_empty() && !query.contains("user=") {
        return Err(Error::settings("the url names no user", form));
    }
    if authority.rsplit_once('@').map_or(authority, |(_, host)| host).is_empty() && !query.contains("host=") {
        return Err(Error::settings("the url names no host", form));
    }
    let mut options: PgConnectOptions =
        url.parse().map_err(|error: sqlx::Error| Error::settings(format!("the url cannot be read: {error}"), form))?;
    let password = settings.password.as_ref().map_or("", |secret| secret.reveal());
    options = options.password(password).application_name(&settings.application_name).statement_cache_capacity(0);
    // A statement is logged by who asks it, if at all.
    options = options.disable_statement_logging();
    let is_local = options.get_socket().is_some() || is_loopback(options.get_host());
    options = options.ssl_mode(match settings.tls {
        Tls::Automatic if is_local => PgSslMode::Prefer,
        Tls::Automatic | Tls::VerifyFull => PgSslMode::VerifyFull,
        Tls::Disable => PgSslMode::Disable,
        Tls::Prefer => PgSslMode::Prefer,
        Tls::Require => PgSslMode::Require,
        Tls::VerifyCa => PgSslMode::VerifyCa,
    });
    if let Some(file) = &settings.ca_file {
        options = options.ssl_root_cert(file);
    }
    Ok(options)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> PgSslMode {
        options(&Settings::new(url)).unwrap().get_ssl_mode()
    }

    #[test]
    fn a_server_elsewhere_has_to_prove_its_name() {
        assert!(matches!(mode("postgres://pi@db.example.com/a"), PgSslMode::VerifyFull));
        assert!(matches!(mode("postgres://pi@127.0.0.1/a"), PgSslMode::Prefer));
        assert!(matches!(mode("postgres://pi@localhost/a?host=/run/postgresql"), PgSslMode::Prefer));
    }

    #[test]
    fn a_url_with_a_password_or_a_setting_is_refused_and_not_quoted() {
        let error = |url: &str| options(&Settings::new(url)).unwrap_err().to_string();
        let with_password = error("postgres://pi:s3cr3t@db/a");
        assert!(with_password.contains("has a password in it") && !with_password.contains("s3cr3t"));
        assert!(error("postgres://pi@db/a?sslmode=disable").contains("`sslmode`"));
        assert!(error("postgres://pi@db/a?password=s3cr3t").contains("`password`"));
        assert!(error("postgres://db/a").contains("no user"));
        assert!(error("postgres://pi@/a").contains("no host"));
        assert!(error("postgres://pi@db:notaport/a").contains("cannot be read"));
    }
}
