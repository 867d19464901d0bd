//! A real PostgreSQL server of the tests' own: made by `initdb`, on a Unix socket in a temporary folder, without TCP unless
//! a test wants a password. It refuses to run as root, so a test that is root runs it as the user `postgres`.
//!
//! The server is the child of a shell that waits for the end of its input: when the tests end, however they end, the
//! server is told to end by its pid.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

const START_MAX: Duration = Duration::from_secs(60);

/// A server that may be killed and started again.
pub(crate) struct Server {
    folder: PathBuf,
    user: Option<(u32, u32)>,
    port: u16,
    listen: &'static str,
    shell: Option<Child>,
}

/// The server that tests share. It ends with them.
pub(crate) fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start("", "rm -rf \"$folder\""))
}

impl Server {
    /// A server of the test's own, to be ended.
    pub(crate) fn own() -> Self {
        Self::start("", ":")
    }

    /// One at a port of 127.0.0.1, where it wants a password.
    pub(crate) fn with_password() -> Self {
        Self::start("127.0.0.1", ":")
    }

    fn start(listen: &'static str, at_the_end: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // Short: the path of a socket has 107 bytes at most.
        let folder = PathBuf::from(format!("/tmp/pi-sql-{}-{number}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        let user = rustix::process::getuid().is_root().then(postgres_user);
        if let Some((uid, gid)) = user {
            chown(&folder, Some(uid), Some(gid)).unwrap();
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { folder, user, port, listen, shell: None };
        let made = server
            .command(&program("initdb"))
            .args(["--username=postgres", "--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8"])
            .args(["--locale=C", "--no-sync", "-D"])
            .arg(server.folder.join("data"))
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        server.run(at_the_end);
        server
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").stdin(Stdio::null()).env_clear().env("PATH", "/usr/bin:/bin");
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn run(&mut self, at_the_end: &str) {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        let script = format!(
            "\"$0\" -D \"$folder/data\" -k \"$folder\" -p {} -c listen_addresses={} -c max_connections=100 -c fsync=off &
             pid=$!; read -r end; kill -QUIT $pid 2>/dev/null; wait $pid; {at_the_end}",
            self.port, self.listen
        );
        let shell = self
            .command(Path::new("/bin/sh"))
            .args(["-c", &script])
            .arg(program("postgres"))
            .env("folder", &self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.shell = Some(shell);
        let deadline = Instant::now() + START_MAX;
        while !self.answers() {
            let log = || std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "the server does not start: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether a query is answered. In a thread of its own: tests have a runtime already.
    fn answers(&self) -> bool {
        let options: PgConnectOptions = self.url("postgres", "postgres").parse().unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let Ok(mut connection) = options.connect().await else { return false };
                connection.execute("SELECT 1").await.is_ok() && connection.close().await.is_ok()
            })
        })
        .join()
        .unwrap()
    }

    /// By the socket, where no password is asked for.
    pub(crate) fn url(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@localhost:{}/{database}?host={}", self.port, self.folder.display())
    }

    /// By TCP, where one is.
    pub(crate) fn url_with_password(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}", self.port)
    }

    /// Statements of a superuser.
    pub(crate) async fn execute(&self, database: &str, sql: &str) {
        let options: PgConnectOptions = self.url("postgres", database).parse().unwrap();
        let mut connection = options.connect().await.unwrap();
        connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
        connection.close().await.unwrap();
    }

    /// One number, as a superuser sees it.
    pub(crate) async fn number(&self, database: &str, sql: &str) -> i64 {
        let options: PgConnectOptions = self.url("postgres", database).parse().unwrap();
        let mut connection = options.connect().await.unwrap();
        let number = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        number
    }

    /// A database of the test's own, and a role that owns nothing but may read all of it.
    pub(crate) async fn database(&self, sql: &str) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("shop_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.execute("postgres", &format!("CREATE DATABASE {name}")).await;
        self.execute("postgres", &format!("CREATE ROLE reader_{name} LOGIN; GRANT pg_read_all_data TO reader_{name}"))
            .await;
        self.execute(&name, sql).await;
        name
    }

    pub(crate) fn end(&mut self) {
        if let Some(mut shell) = self.shell.take() {
            drop(shell.stdin.take());
            shell.wait().unwrap();
        }
    }

    pub(crate) fn start_again(&mut self) {
        self.end();
        self.run(":");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn program(name: &str) -> PathBuf {
    let known = ["17", "16", "15", "14", "13"].map(|version| format!("/usr/lib/postgresql/{version}/bin"));
    let path = std::env::var("PATH").unwrap_or_default();
    let found = path.split(':').chain(known.iter().map(String::as_str)).map(|folder| Path::new(folder).join(name));
    found.into_iter().find(|program| program.is_file()).unwrap_or_else(|| {
        panic!("there is no `{name}`, and statements are tested against a real server: apt-get install postgresql")
    })
}

fn postgres_user() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("postgres:")).unwrap_or_else(|| {
        panic!("PostgreSQL does not run as root, and there is no user `postgres`: apt-get install postgresql")
    });
    let mut numbers = line.split(':').skip(2).map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}
