//! The journal and its store, over a real SQLite file and over a real PostgreSQL server, and processes that are
//! killed. What is said of both is tested on both, by `on_both!`.

/// Each of these claims, an `async fn(place: Place)`, on each database.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(crate::journal::Place::file()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(crate::journal::Place::schema()).await;
            }
        }
    )*};
}

mod chain;
mod crash;
mod lease;
mod mask;
mod plugin_values;
mod requests;
mod server;
mod slots;
mod space;
mod speed;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use pi_host::gate::{Act, Decision, Origin, Severity, WriteMode};
use pi_host::journal::{Body, Journal};
use pi_host::store::postgres::PostgresStore;
use pi_host::store::sqlite::SqliteStore;
use pi_host::store::{Holder, Store, StoreError};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use tempfile::TempDir;

use crate::postgres::{self, Schema};

/// Where a test keeps its store.
pub(crate) enum Place {
    File(TempDir),
    Schema(Schema),
}

/// How a process that a test starts is told its place.
const FOLDER: &str = "PI_TEST_STORE_FOLDER";
const URL: &str = "PI_TEST_STORE_URL";
const SCHEMA: &str = "PI_TEST_STORE_SCHEMA";

impl Place {
    pub(crate) fn file() -> Self {
        Self::File(tempfile::tempdir().unwrap())
    }

    pub(crate) fn schema() -> Self {
        Self::Schema(postgres::schema())
    }

    /// An empty one of the same kind.
    pub(crate) fn another(&self) -> Self {
        match self {
            Self::File(_) => Self::file(),
            Self::Schema(_) => Self::schema(),
        }
    }

    pub(crate) async fn try_open(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match self {
            Self::File(folder) => Arc::new(SqliteStore::open(&folder.path().join("store.db")).await?),
            Self::Schema(schema) => Arc::new(PostgresStore::open(schema.address()).await?),
        })
    }

    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        self.try_open().await.unwrap()
    }

    pub(crate) async fn open_existing(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match self {
            Self::File(folder) => Arc::new(SqliteStore::open_existing(&folder.path().join("store.db")).await?),
            Self::Schema(schema) => Arc::new(PostgresStore::open_existing(schema.address()).await?),
        })
    }

    /// A store with this process as its host.
    pub(crate) async fn journal(&self) -> (Arc<dyn Store>, Journal) {
        let store = self.open().await;
        let journal = Journal::begin(store.clone(), &Holder::this_process("test")).await.unwrap();
        (store, journal)
    }

    /// Change the tables behind the store's back.
    pub(crate) async fn tamper(&self, sql: &str) {
        match self {
            Self::File(folder) => tamper(folder.path(), sql).await,
            Self::Schema(schema) => schema.run(sql).await,
        }
    }

    /// Whether what is stored has these words anywhere.
    pub(crate) async fn holds(&self, text: &str) -> bool {
        match self {
            Self::File(folder) => {
                let files = std::fs::read_dir(folder.path()).unwrap();
                let files = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
                files.into_iter().any(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
            }
            Self::Schema(schema) => schema.dump().await.contains(text),
        }
    }

    /// This program again, for the one test `name`, which finds its place by [`Self::given`].
    pub(crate) fn process(&self, name: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", name, "--nocapture"]);
        match self {
            Self::File(folder) => command.env(FOLDER, folder.path()),
            Self::Schema(schema) => command.env(URL, &schema.url).env(SCHEMA, &schema.name),
        };
        command
    }
}

/// The store that the process that started this one has named, with this process as its host.
pub(crate) async fn given() -> Option<(Arc<dyn Store>, Journal)> {
    let store: Arc<dyn Store> = match (std::env::var_os(FOLDER), std::env::var(URL), std::env::var(SCHEMA)) {
        (Some(folder), ..) => Arc::new(SqliteStore::open(&Path::new(&folder).join("store.db")).await.unwrap()),
        (None, Ok(url), Ok(name)) => Arc::new(PostgresStore::open(Schema { url, name }.address()).await.unwrap()),
        _ => return None,
    };
    let journal = Journal::begin(store.clone(), &Holder::this_process("test")).await.unwrap();
    Some((store, journal))
}

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
