//! A connection: cheap to clone, lazy, and back again after the database was away.
//!
//! Up to `connections_max` statements run side by side, each in a transaction of its own; a `Snapshot` is several
//! statements in one, so that they see the same data. A future that is dropped ends its statement in the database too.

use std::sync::Arc;

use pi_catalog::database::Dialect;
use serde_json::Value;

use crate::answer::{Answer, Bounds, Limits, check_parameters};
use crate::error::Error;
use crate::health::Health;
use crate::settings::Settings;
use crate::statement::Statement;
use crate::{postgres, sqlite};

/// Where statements are run.
#[derive(Clone)]
pub struct Connection {
    settings: Arc<Settings>,
    place: Place,
}

#[derive(Clone)]
enum Place {
    Postgres(Arc<postgres::Server>),
    Sqlite(Arc<sqlite::File>),
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Connection {
    /// Nothing is opened before the first statement.
    ///
    /// # Errors
    /// The settings cannot be kept.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        settings.check()?;
        let place = match settings.dialect() {
            Dialect::Postgres => Place::Postgres(Arc::new(postgres::Server::new(&settings)?)),
            Dialect::Sqlite => Place::Sqlite(Arc::new(sqlite::File::new(&settings)?)),
        };
        Ok(Self { settings: Arc::new(settings), place })
    }

    pub fn dialect(&self) -> Dialect {
        self.settings.dialect()
    }

    /// What a statement gives.
    ///
    /// # Errors
    /// See `Error`. Whatever it is, the connection can be used again.
    pub async fn query(&self, statement: &Statement, parameters: &[Value], limits: &Limits) -> Result<Answer, Error> {
        let bounds = self.check(statement, parameters, limits)?;
        match &self.place {
            Place::Postgres(server) => server.query(statement, parameters, &bounds).await,
            Place::Sqlite(file) => file.query(statement, parameters, &bounds).await,
        }
    }

    /// Several statements that see the data of one moment.
    ///
    /// # Errors
    /// The database is out of reach.
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        let held = match &self.place {
            Place::Postgres(server) => Held::Postgres(server.snapshot().await?),
            Place::Sqlite(file) => Held::Sqlite(file.snapshot().await?),
        };
        Ok(Snapshot { connection: self.clone(), held })
    }

    /// Whether it answers, and whether its role could do more than read.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn health(&self) -> Result<Health, Error> {
        match &self.place {
            Place::Postgres(server) => server.health().await,
            Place::Sqlite(file) => file.health().await,
        }
    }

    fn check(&self, statement: &Statement, parameters: &[Value], limits: &Limits) -> Result<Bounds, Error> {
        if statement.dialect() != self.dialect() {
            return Err(Error::refused(
                "the statement",
                format!("it was read as {:?}, and the connection speaks {:?}", statement.dialect(), self.dialect()),
            ));
        }
        check_parameters(statement, parameters)?;
        let bounds = Bounds::of(&self.settings, limits)?;
        if bounds.cost_max.is_some() && self.dialect() == Dialect::Sqlite {
            return Err(Error::refused("the limit `cost_max`", "SQLite estimates no costs: limit the time"));
        }
        Ok(bounds)
    }
}

/// Statements that see the data of one moment, one after the other.
pub struct Snapshot {
    connection: Connection,
    held: Held,
}

enum Held {
    Postgres(postgres::Held),
    Sqlite(sqlite::Held),
}

impl Snapshot {
    /// As `Connection::query`. After a statement that fails the next one sees the same data still.
    ///
    /// # Errors
    /// See `Error`. Where the database was lost, or a statement before this one was abandoned, the snapshot is over.
    pub async fn query(
        &mut self,
        statement: &Statement,
        parameters: &[Value],
        limits: &Limits,
    ) -> Result<Answer, Error> {
        let bounds = self.connection.check(statement, parameters, limits)?;
        match (&self.connection.place, &mut self.held) {
            (Place::Postgres(server), Held::Postgres(held)) => {
                server.query_held(held, statement, parameters, &bounds).await
            }
            (Place::Sqlite(file), Held::Sqlite(held)) => file.query_held(held, statement, parameters, &bounds).await,
            _ => Err(Error::refused("the snapshot", "it is of another connection")),
        }
    }

    /// Give its connection back. Dropping it closes the connection instead.
    pub async fn end(self) {
        match (&self.connection.place, self.held) {
            (Place::Postgres(server), Held::Postgres(held)) => server.end(held).await,
            (Place::Sqlite(file), Held::Sqlite(held)) => file.end(held),
            _ => {}
        }
    }
}
