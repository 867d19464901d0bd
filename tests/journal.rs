//! The journal over a real SQLite file, and processes that are killed.

mod chain;
mod crash;
mod lease;
mod mask;
mod requests;
mod space;
mod speed;

use std::path::Path;
use std::sync::Arc;

use pi_host::gate::{Act, Decision, Origin, Severity, WriteMode};
use pi_host::journal::{Body, Journal};
use pi_host::store::Holder;
use pi_host::store::sqlite::SqliteStore;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

/// A store in `folder`, with this process as its host.
pub(crate) async fn journal_in(folder: &Path) -> (Arc<SqliteStore>, Journal) {
    let store = Arc::new(SqliteStore::open(&folder.join("store.db")).await.unwrap());
    let journal = Journal::begin(store.clone(), &Holder::this_process("test")).await.unwrap();
    (store, journal)
}

/// Change the file behind the store's back.
pub(crate) async fn tamper(folder: &Path, sql: &str) {
    let mut connection =
        sqlx::sqlite::SqliteConnectOptions::new().filename(folder.join("store.db")).connect().await.unwrap();
    connection.execute(AssertSqlSafe(sql.to_string())).await.unwrap();
    connection.close().await.unwrap();
}

pub(crate) fn started(agent: &str) -> Body {
    Body::SessionStarted {
        agent: agent.into(),
        component: "c0".into(),
        task: json!({"prompt": "p"}),
        policy: "p0".into(),
    }
}

pub(crate) fn said(message: &str) -> Body {
    Body::Logged { plugin: "p".into(), level: "info".into(), context: String::new(), message: message.into() }
}

pub(crate) fn call(key: &str, arguments: Value) -> Body {
    Body::CallStarted {
        key: key.into(),
        tool: "write".into(),
        arguments,
        effect: Severity::Write,
        idempotent: false,
        decision: Decision::allow(),
    }
}

pub(crate) fn writing(key: &str) -> Body {
    Body::EffectStarted {
        key: key.into(),
        act: Act::FileWrite { path: "/srv/x".into(), bytes: 3, mode: WriteMode::Replace, sha256: String::new() },
        origin: Origin { session: "s".into(), agent: "sre".into(), plugin: "files".into() },
        decision: Decision::allow(),
    }
}
