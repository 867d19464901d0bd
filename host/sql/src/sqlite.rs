//! SQLite: opened read-only, with `query_only`, an authorizer that lets reads through alone, and nothing to attach or load.
//!
//! It computes in the caller's process: a statement runs on a thread of its own, and stops at its deadline, or when
//! nobody waits for it any more, by a handler that SQLite calls as it computes.

#![allow(
    clippy::disallowed_methods,
    reason = "only how long something takes is measured, by a crate that knows no host"
)]

mod authorizer;
mod fault;
mod lookup;
mod open;
mod run;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::answer::{Answer, Bounds};
use crate::error::Error;
use crate::health::Health;
use crate::settings::Settings;
use crate::statement::Statement;
use open::Database;
use pi_catalog::pattern::ColumnPattern;

/// A database file.
pub(crate) struct File {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    patterns: Vec<ColumnPattern>,
    free: Arc<Semaphore>,
    idle: Mutex<Vec<Database>>,
    connections_max: u32,
    connect_timeout: Duration,
    statement_timeout_ms: u64,
}

/// The transaction of a snapshot.
pub(crate) struct Held {
    /// None when it is over.
    database: Option<Database>,
    permit: OwnedSemaphorePermit,
}

/// Tells the thread that nobody waits any more.
struct Abandon(Arc<AtomicBool>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl File {
    pub(crate) fn new(settings: &Settings) -> Result<Self, Error> {
        let inner = Inner {
            path: open::path(&settings.url)?,
            patterns: settings.patterns()?,
            free: Arc::new(Semaphore::new(settings.connections_max as usize)),
            idle: Mutex::new(Vec::new()),
            connections_max: settings.connections_max,
            connect_timeout: Duration::from_millis(settings.connect_timeout_ms),
            statement_timeout_ms: settings.statement_timeout_ms,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub(crate) async fn query(
        &self,
        statement: &Statement,
        parameters: &[Value],
        bounds: &Bounds,
    ) -> Result<Answer, Error> {
        let permit = self.permit(bounds.statement_timeout_ms).await?;
        let (inner, statement, parameters, bounds) =
            (self.inner.clone(), statement.clone(), parameters.to_vec(), *bounds);
        on_thread(move |is_abandoned| {
            let database = inner.database()?;
            let work = run::Work { statement: &statement, parameters: &parameters, bounds: &bounds, is_abandoned };
            let answer = run::query(&database, &inner.patterns, &work);
            inner.give_back(database);
            drop(permit);
            answer
        })
        .await
    }

    pub(crate) async fn snapshot(&self) -> Result<Held, Error> {
        let permit = self.permit(self.inner.statement_timeout_ms).await?;
        let inner = self.inner.clone();
        on_thread(move |_| {
            let database = inner.database()?;
            // The first read is what takes the moment.
            let begun = database.connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema");
            begun.map_err(|error| fault::error(&error, &inner.path, inner.statement_timeout_ms, false))?;
            Ok(Held { database: Some(database), permit })
        })
        .await
    }

    pub(crate) async fn query_held(
        &self,
        held: &mut Held,
        statement: &Statement,
        parameters: &[Value],
        bounds: &Bounds,
    ) -> Result<Answer, Error> {
        let database = held.database.take().ok_or_else(|| Error::Unavailable {
            place: self.inner.path.display().to_string(),
            message: "the snapshot is over: a statement in it was abandoned".into(),
            hint: "begin a new snapshot".into(),
        })?;
        let (inner, statement, parameters, bounds) =
            (self.inner.clone(), statement.clone(), parameters.to_vec(), *bounds);
        let (database, answer) = on_thread(move |is_abandoned| {
            let work = run::Work { statement: &statement, parameters: &parameters, bounds: &bounds, is_abandoned };
            let answer = run::query(&database, &inner.patterns, &work);
            Ok((database, answer))
        })
        .await?;
        held.database = Some(database);
        answer
    }

    pub(crate) fn end(&self, held: Held) {
        if let Some(database) = held.database {
            self.inner.give_back(database);
        }
        drop(held.permit);
    }

    pub(crate) async fn health(&self) -> Result<Health, Error> {
        let permit = self.permit(self.inner.statement_timeout_ms).await?;
        let inner = self.inner.clone();
        on_thread(move |_| {
            let started = Instant::now();
            let database = inner.database()?;
            let count =
                database.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
            count.map_err(|error| fault::error(&error, &inner.path, inner.statement_timeout_ms, false))?;
            let latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            inner.give_back(database);
            drop(permit);
            Ok(Health {
                version: format!("SQLite {}", rusqlite::version()),
                identity: inner.path.display().to_string(),
                latency_ms,
                warnings: Vec::new(),
            })
        })
        .await
    }

    async fn permit(&self, statement_timeout_ms: u64) -> Result<OwnedSemaphorePermit, Error> {
        let wait = self.inner.connect_timeout + Duration::from_millis(statement_timeout_ms);
        match tokio::time::timeout(wait, self.inner.free.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Error::TimedOut {
                message: format!("all {} connections are busy", self.inner.connections_max),
                hint: "ask again later, or raise `connections_max`".into(),
            }),
        }
    }
}

impl Inner {
    /// One that is open already, if the file is still the one that it opened.
    fn database(&self) -> Result<Database, Error> {
        let file = open::identity(&self.path)?;
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match idle {
                Some(database) if database.file == file => return Ok(database),
                Some(_) => {}
                None => return open::open(&self.path, file),
            }
        }
    }

    fn give_back(&self, database: Database) {
        if !database.connection.is_autocommit() && database.connection.execute_batch("ROLLBACK").is_err() {
            return;
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(database);
    }
}

async fn on_thread<T: Send + 'static>(
    work: impl FnOnce(Arc<AtomicBool>) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let is_abandoned = Arc::new(AtomicBool::new(false));
    let _abandon = Abandon(is_abandoned.clone());
    match tokio::task::spawn_blocking(move || work(is_abandoned)).await {
        Ok(done) => done,
        Err(error) => Err(Error::Failed { code: "thread".into(), message: error.to_string() }),
    }
}
