//! A real PostgreSQL server of the tests' own: made by `initdb`, on a Unix socket in a temporary folder, without TCP.
//! It refuses to run as root, so a test that is root runs it as the user `postgres`.
//!
//! The server is the child of a shell that waits for the end of its input: when the tests end, however they end, the
//! server is told to end by its pid. Each test has a database of its own.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use pi_catalog::database::{Database, Dialect, Query, QueryError, Rows};
use postgres::error::SqlState;
use postgres::types::{ToSql, Type};
use postgres::{Client, NoTls, Row};
use serde_json::Value;

const START_MAX: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    folder: PathBuf,
    shell: Option<Child>,
}

/// A connection that the library asks.
pub(crate) struct Postgres {
    pub(crate) client: Client,
    /// Rows let through at once.
    pub(crate) rows_max: usize,
    /// Statements that were asked.
    pub(crate) asked: usize,
}

/// A database of the test's own on the server that all tests share.
pub(crate) struct Place {
    pub(crate) name: String,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start)
}

/// A new database.
pub(crate) fn place() -> Place {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    server().client("postgres", "postgres").batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
    Place { name }
}

impl Place {
    pub(crate) fn client(&self) -> Client {
        server().client(&self.name, "postgres")
    }

    pub(crate) fn open(&self) -> Postgres {
        self.open_as("postgres")
    }

    pub(crate) fn open_as(&self, user: &str) -> Postgres {
        let mut client = server().client(&self.name, user);
        client.batch_execute("SET default_transaction_read_only = on").unwrap();
        Postgres { client, rows_max: usize::MAX, asked: 0 }
    }

    pub(crate) fn run(&self, sql: &str) {
        if let Err(error) = self.client().batch_execute(sql) {
            panic!("{error:?}: {sql}");
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = server()
            .client("postgres", "postgres")
            .batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

impl Server {
    fn start() -> Self {
        // Short: the path of a socket has 107 bytes at most.
        let folder = PathBuf::from(format!("/tmp/pi-catalog-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        let user = (std::fs::metadata("/proc/self").unwrap().uid() == 0).then(postgres_user);
        if let Some((uid, gid)) = user {
            chown(&folder, Some(uid), Some(gid)).unwrap();
        }
        let command = |program: &Path| {
            let mut command = Command::new(program);
            command.current_dir("/").stdin(Stdio::null()).env_clear().env("PATH", "/usr/bin:/bin");
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid);
            }
            command
        };
        let made = command(&program("initdb"))
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(folder.join("data"))
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let script =
            "\"$0\" -D \"$folder/data\" -k \"$folder\" -c listen_addresses= -c max_connections=60 -c fsync=off \
             -c shared_preload_libraries=pg_stat_statements -c wal_level=logical &
             pid=$!; read -r end; kill -QUIT $pid 2>/dev/null; wait $pid; rm -rf \"$folder\"";
        let shell = command(Path::new("/bin/sh"))
            .args(["-c", script])
            .arg(program("postgres"))
            .env("folder", &folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Self { folder, shell: Some(shell) };
        let deadline = Instant::now() + START_MAX;
        while server.config("postgres", "postgres").connect(NoTls).is_err() {
            let log = || std::fs::read_to_string(server.folder.join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "the server does not start: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn config(&self, database: &str, user: &str) -> postgres::Config {
        let mut config = postgres::Config::new();
        config.host_path(&self.folder).user(user).dbname(database).application_name("test");
        config
    }

    fn client(&self, database: &str, user: &str) -> Client {
        self.config(database, user).connect(NoTls).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut shell) = self.shell.take() {
            drop(shell.stdin.take());
            shell.wait().unwrap();
        }
    }
}

fn program(name: &str) -> PathBuf {
    let versions =
        std::fs::read_dir("/usr/lib/postgresql").expect("postgresql is not installed: apt-get install postgresql");
    let mut folders: Vec<PathBuf> = versions.flatten().map(|entry| entry.path().join("bin").join(name)).collect();
    folders.sort();
    folders.into_iter().rev().find(|path| path.exists()).expect("postgresql is not installed")
}

fn postgres_user() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("postgres:")).expect("there is no user `postgres`");
    let mut parts = line.split(':').skip(2).map(|part| part.parse().unwrap());
    (parts.next().unwrap(), parts.next().unwrap())
}

impl Database for Postgres {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn query(&mut self, query: &Query) -> Result<Rows, QueryError> {
        self.asked += 1;
        let statement = self.client.prepare(&query.statement).map_err(|error| failure(&error))?;
        let parameters: Vec<Box<dyn ToSql + Sync>> =
            statement.params().iter().zip(&query.parameters).map(|(kind, value)| parameter(kind, value)).collect();
        let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|value| &**value).collect();
        let rows = self.client.query(&statement, &parameters).map_err(|error| failure(&error))?;
        Ok(Rows {
            columns: statement.columns().iter().map(|column| column.name().to_owned()).collect(),
            is_cut: rows.len() > self.rows_max,
            rows: rows.iter().take(self.rows_max).map(values).collect(),
            masked: Vec::new(),
        })
    }
}

fn failure(error: &postgres::Error) -> QueryError {
    let message = error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string);
    match error.code() {
        Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => QueryError::Denied(message),
        Some(code) if *code == SqlState::UNDEFINED_TABLE => QueryError::NotFound(message),
        Some(code) if *code == SqlState::QUERY_CANCELED => QueryError::TimedOut(message),
        _ => QueryError::Failed(message),
    }
}

fn parameter(kind: &Type, value: &Value) -> Box<dyn ToSql + Sync> {
    match (kind, value) {
        (&Type::INT8, value) => Box::new(value.as_i64()),
        (&Type::INT4, value) => Box::new(value.as_i64().map(|number| i32::try_from(number).unwrap())),
        (&Type::FLOAT8, value) => Box::new(value.as_f64()),
        (&Type::BOOL, value) => Box::new(value.as_bool()),
        (_, value) => Box::new(value.as_str().map(str::to_owned)),
    }
}

fn values(row: &Row) -> Vec<Value> {
    let value = |(at, column): (usize, &postgres::Column)| -> Value {
        match *column.type_() {
            Type::BOOL => row.get::<_, Option<bool>>(at).into(),
            Type::INT2 => row.get::<_, Option<i16>>(at).into(),
            Type::INT4 => row.get::<_, Option<i32>>(at).into(),
            Type::INT8 => row.get::<_, Option<i64>>(at).into(),
            Type::FLOAT4 => row.get::<_, Option<f32>>(at).into(),
            Type::FLOAT8 => row.get::<_, Option<f64>>(at).into(),
            Type::JSON | Type::JSONB => row.get::<_, Option<Value>>(at).unwrap_or_default(),
            Type::TEXT | Type::VARCHAR | Type::NAME => row.get::<_, Option<String>>(at).into(),
            ref other => panic!("the library asked for a {other}, which it says nowhere that it can read"),
        }
    };
    row.columns().iter().enumerate().map(value).collect()
}
