//! PostgreSQL: each statement in a read-only transaction, over the extended protocol, as the query of a cursor.
//!
//! The query is wrapped: `SELECT c1::text, ... FROM (the query) LIMIT n`. So every type there is comes as its own text, a
//! long value is cut where it is, and a masked one never leaves the server. A cursor gives rows as they are wanted.

#![allow(
    clippy::disallowed_methods,
    reason = "only how long something takes is measured, by a crate that knows no host"
)]

mod fault;
mod lookup;
mod rights;
mod session;
mod value;

use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use pi_catalog::database::Dialect;
use serde_json::Value;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Column as _, Executor, Postgres, SqlSafeStr, Statement as _};

use crate::answer::{Answer, Bounds, Column, Push};
use crate::error::{Cost, Error};
use crate::health::Health;
use crate::lineage::{self, Output, Taint};
use crate::settings::Settings;
use crate::statement::{Kind, Statement, on_large_stack};
use fault::Where;
use pi_catalog::pattern::ColumnPattern;
use session::{Lease, Sessions};
use value::Shape;

/// Rows of the first FETCH: enough for most answers, and few enough where rows are large.
const FETCH_FIRST: u64 = 100;
const FETCH_MAX: u64 = 2000;
/// The server ends a statement by itself; this is for a server, or a network, that no longer answers.
const SILENCE: Duration = Duration::from_secs(5);

const DIALECT: Dialect = Dialect::Postgres;

type Query<'q> = sqlx::query::Query<'q, Postgres, sqlx::postgres::PgArguments>;

/// A server, a role and a database.
pub(crate) struct Server {
    sessions: Sessions,
    patterns: Vec<ColumnPattern>,
}

/// The transaction of a snapshot.
pub(crate) struct Held {
    /// None when it is over.
    lease: Option<Lease>,
}

impl Server {
    pub(crate) fn new(settings: &Settings) -> Result<Self, Error> {
        Ok(Self { sessions: Sessions::new(settings)?, patterns: settings.patterns()? })
    }

    pub(crate) async fn query(
        &self,
        statement: &Statement,
        parameters: &[Value],
        bounds: &Bounds,
    ) -> Result<Answer, Error> {
        let started = Instant::now();
        let lease = self.sessions.begin("", bounds.statement_timeout_ms).await?;
        let (lease, answer) = self.within_time(lease, statement, parameters, bounds).await;
        if let Some(lease) = lease {
            lease.give_back().await;
        }
        answer.map(|answer| Answer { elapsed_ms: millis(started), ..answer })
    }

    pub(crate) async fn snapshot(&self) -> Result<Held, Error> {
        let timeout_ms = self.sessions.statement_timeout_ms();
        Ok(Held { lease: Some(self.sessions.begin("ISOLATION LEVEL REPEATABLE READ ", timeout_ms).await?) })
    }

    pub(crate) async fn query_held(
        &self,
        held: &mut Held,
        statement: &Statement,
        parameters: &[Value],
        bounds: &Bounds,
    ) -> Result<Answer, Error> {
        let started = Instant::now();
        // It is taken out for as long as the statement runs: when this future is dropped, so is the session.
        let mut lease = held.lease.take().ok_or_else(|| Error::Unavailable {
            place: self.sessions.place().to_owned(),
            message: "the snapshot is over: its connection was lost, or a statement in it was abandoned".into(),
            hint: "begin a new snapshot".into(),
        })?;
        let at = self.at(bounds);
        let timeout = format!("SAVEPOINT pi_statement; SET LOCAL statement_timeout = {}", bounds.statement_timeout_ms);
        raw(lease.connection()?, timeout).await.map_err(|error| fault::error(&error, at))?;
        let (lease, answer) = self.within_time(lease, statement, parameters, bounds).await;
        if let Some(mut lease) = lease {
            let ended = raw(
                lease.connection()?,
                "ROLLBACK TO SAVEPOINT pi_statement; RELEASE SAVEPOINT pi_statement; DEALLOCATE ALL",
            )
            .await;
            if ended.is_ok() {
                held.lease = Some(lease);
            }
        }
        answer.map(|answer| Answer { elapsed_ms: millis(started), ..answer })
    }

    pub(crate) async fn end(&self, held: Held) {
        if let Some(lease) = held.lease {
            lease.give_back().await;
        }
    }

    pub(crate) async fn health(&self) -> Result<Health, Error> {
        let timeout_ms = self.sessions.statement_timeout_ms();
        let started = Instant::now();
        let mut lease = self.sessions.begin("", timeout_ms).await?;
        let latency_ms = millis(started);
        let found = rights::health(lease.connection()?, latency_ms).await;
        let at = Where { place: self.sessions.place(), hides_values: false, statement_timeout_ms: timeout_ms };
        let health = found.map_err(|error| fault::error(&error, at))?;
        lease.give_back().await;
        Ok(health)
    }

    /// The lease comes back where it can be used again.
    async fn within_time(
        &self,
        mut lease: Lease,
        statement: &Statement,
        parameters: &[Value],
        bounds: &Bounds,
    ) -> (Option<Lease>, Result<Answer, Error>) {
        let connection = match lease.connection() {
            Ok(connection) => connection,
            Err(error) => return (None, Err(error)),
        };
        let time = Duration::from_millis(bounds.statement_timeout_ms.saturating_mul(2)) + SILENCE;
        match tokio::time::timeout(time, self.run(connection, statement, parameters, bounds)).await {
            Ok(answer) => {
                let is_lost = matches!(&answer, Err(Error::Unavailable { .. }));
                ((!is_lost).then_some(lease), answer)
            }
            Err(_) => {
                let message = format!("no answer for {} ms", time.as_millis());
                (
                    None,
                    Err(Error::TimedOut { message, hint: "the server or the network hangs: ask again later".into() }),
                )
            }
        }
    }

    fn at(&self, bounds: &Bounds) -> Where<'_> {
        let hides_values = !self.patterns.is_empty();
        Where { place: self.sessions.place(), hides_values, statement_timeout_ms: bounds.statement_timeout_ms }
    }

    async fn run(
        &self,
        connection: &mut PgConnection,
        statement: &Statement,
        parameters: &[Value],
        bounds: &Bounds,
    ) -> Result<Answer, Error> {
        let at = self.at(bounds);
        let fault = |error: sqlx::Error| fault::error(&error, at);
        let output = self.output(connection, statement, at).await?;
        if statement.kind() == Kind::Show {
            let mut answer = Answer::default();
            fetch(connection, statement.text(), &[], &[], &mut answer, bounds).await.map_err(fault)?;
            return Ok(answer);
        }
        let prepared = connection.prepare(AssertSqlSafe(statement.text()).into_sql_str()).await.map_err(fault)?;
        let oids = |types: Vec<Option<u32>>| types.into_iter().map(|oid| oid.unwrap_or(0)).collect::<Vec<u32>>();
        let types = match prepared.parameters() {
            Some(sqlx::Either::Left(types)) => oids(types.iter().map(|of| of.oid().map(|oid| oid.0)).collect()),
            _ => Vec::new(),
        };
        let columns: Vec<String> = prepared.columns().iter().map(|column| column.name().to_owned()).collect();
        let kinds = oids(prepared.columns().iter().map(|column| column.type_info().oid().map(|oid| oid.0)).collect());
        let shapes = value::shapes(connection, &kinds, &types).await.map_err(fault)?;
        // Every parameter is sent as text, and read by the server as the type that it takes there.
        let text = statement.text_with(|number| {
            let kind =
                types.get(number.wrapping_sub(1)).and_then(|oid| shapes.get(oid)).map_or("text", |shape| &shape.name);
            format!("CAST(CAST(${number} AS text) AS {kind})")
        });
        let bound: Vec<Option<String>> = parameters.iter().map(value::parameter).collect();
        let shape = |oid: &u32| shapes.get(oid).cloned().unwrap_or_default();
        let kinds: Vec<Shape> = kinds.iter().map(shape).collect();
        let names = columns
            .iter()
            .zip(&kinds)
            .map(|(name, shape)| Column { name: name.clone(), kind: shape.name.clone() })
            .collect();
        let mut answer = Answer { columns: names, ..Answer::default() };
        if let Some(cost_max) = bounds.cost_max {
            let cost = cost(connection, statement, &text, &bound, bounds).await.map_err(fault)?;
            if cost > cost_max {
                return Err(Error::TooCostly { cost: Cost(cost), cost_max: Cost(cost_max) });
            }
            answer.cost_estimated = Some(cost);
        }
        if statement.kind() != Kind::Query {
            fetch(connection, &text, &bound, &[], &mut answer, bounds).await.map_err(fault)?;
            return Ok(answer);
        }
        let taints = output.map_or_else(|| vec![Taint::Clear; columns.len()], |output| output.of(&columns));
        let masked = columns.iter().zip(&taints).filter(|(_, taint)| **taint != Taint::Clear);
        answer.masked = masked.map(|(name, _)| name.clone()).collect();
        let wrapped = value::wrapped(&text, &kinds, &taints, bounds);
        // A masked value is a text, whatever its column is.
        let kinds: Vec<Shape> = kinds
            .into_iter()
            .zip(&taints)
            .map(|(shape, taint)| if *taint == Taint::Clear { shape } else { Shape::default() })
            .collect();
        cursor(connection, &wrapped, &bound, &kinds, &mut answer, bounds).await.map_err(fault)?;
        Ok(answer)
    }

    /// What the outputs are; none where nothing is marked as personal.
    async fn output(
        &self,
        connection: &mut PgConnection,
        statement: &Statement,
        at: Where<'_>,
    ) -> Result<Option<Output>, Error> {
        let (Some(query), false) = (statement.query(), self.patterns.is_empty()) else { return Ok(None) };
        let catalog = lookup::catalog(connection, statement, query, &self.patterns, at).await?;
        on_large_stack(|| lineage::output(&catalog, query)).map(Some)
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Statements of this crate's own, without parameters, several at a time.
async fn raw(connection: &mut PgConnection, sql: impl Into<String>) -> Result<(), sqlx::Error> {
    connection.execute(AssertSqlSafe(sql.into())).await.map(drop)
}

/// One statement over the extended protocol, which takes no second one.
fn bind(sql: String, parameters: &[Option<String>]) -> Query<'static> {
    parameters.iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, value| query.bind(value.clone())).persistent(false)
}

/// What the planner expects of what would run.
async fn cost(
    connection: &mut PgConnection,
    statement: &Statement,
    text: &str,
    parameters: &[Option<String>],
    bounds: &Bounds,
) -> Result<f64, sqlx::Error> {
    let inner = match statement.kind() {
        Kind::Query => format!("SELECT * FROM ({text}\n) AS pi_rows LIMIT {}", bounds.rows_max.saturating_add(1)),
        // What is explained and not run costs nothing.
        Kind::Explain | Kind::Show => return Ok(0.0),
        Kind::ExplainAnalyze => match statement.query() {
            Some(query) => query.to_string(),
            None => return Ok(0.0),
        },
    };
    let parameters = if statement.kind() == Kind::ExplainAnalyze && statement.parameters() > 0 {
        return Err(sqlx::Error::Configuration("EXPLAIN ANALYZE takes no parameters where `cost_max` is set".into()));
    } else {
        parameters
    };
    let row = bind(format!("EXPLAIN (FORMAT JSON) {inner}"), parameters).fetch_one(connection).await?;
    let plan: Value = serde_json::from_str(&value::text(&row, 0).unwrap_or_default()).unwrap_or_default();
    // A plan that cannot be read is taken for one that costs too much.
    Ok(plan.pointer("/0/Plan/Total Cost").and_then(Value::as_f64).unwrap_or(f64::MAX))
}

async fn cursor(
    connection: &mut PgConnection,
    wrapped: &str,
    parameters: &[Option<String>],
    shapes: &[Shape],
    answer: &mut Answer,
    bounds: &Bounds,
) -> Result<(), sqlx::Error> {
    bind(format!("DECLARE pi_rows NO SCROLL CURSOR FOR {wrapped}"), parameters).execute(&mut *connection).await?;
    let (mut bytes, mut count) = (0_u64, FETCH_FIRST.min(bounds.rows_max.saturating_add(1)));
    loop {
        let query = bind(format!("FETCH FORWARD {count} FROM pi_rows"), &[]);
        let mut rows = query.fetch(&mut *connection);
        let mut got = 0_u64;
        while let Some(row) = rows.try_next().await? {
            got += 1;
            if push(&row, shapes, answer, &mut bytes, bounds) == Push::Full {
                return Ok(());
            }
        }
        drop(rows);
        if got < count {
            return Ok(());
        }
        // As many as fit into what is left, by the size of those that came.
        let each = (bytes / answer.rows.len().max(1) as u64).max(1);
        count = (bounds.bytes_max.saturating_sub(bytes) / each).clamp(1, FETCH_MAX);
    }
}

/// The rows of a statement that cannot be wrapped: a plan, a setting.
async fn fetch(
    connection: &mut PgConnection,
    text: &str,
    parameters: &[Option<String>],
    shapes: &[Shape],
    answer: &mut Answer,
    bounds: &Bounds,
) -> Result<(), sqlx::Error> {
    use sqlx::Row as _;
    let mut bytes = 0;
    let mut rows = bind(text.to_owned(), parameters).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        if answer.columns.is_empty() {
            let column =
                |column: &sqlx::postgres::PgColumn| Column { name: column.name().to_owned(), kind: "text".into() };
            answer.columns = row.columns().iter().map(column).collect();
        }
        if push(&row, shapes, answer, &mut bytes, bounds) == Push::Full {
            break;
        }
    }
    Ok(())
}

fn push(row: &PgRow, shapes: &[Shape], answer: &mut Answer, bytes: &mut u64, bounds: &Bounds) -> Push {
    use sqlx::Row as _;
    let plain = Shape::default();
    let values = (0..row.len()).map(|at| {
        let shape = shapes.get(at).unwrap_or(&plain);
        value::value(row, at, shape, bounds, &mut answer.cells_cut)
    });
    let values = values.collect();
    answer.push(values, bytes, bounds)
}
