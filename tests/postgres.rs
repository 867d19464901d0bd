//! A real PostgreSQL server of the tests' own: made by `initdb`, on a Unix socket in a temporary folder,
//! without TCP. It refuses to run as root, so a test that is root runs it as the user `postgres`.
//!
//! The server is the child of a shell that waits for the end of its input: when the tests end, however
//! they end, the server is told to end by its pid.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use pi_host::store::postgres::Address;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

const START_MAX: Duration = Duration::from_secs(60);

/// A server that may be killed and started again.
pub(crate) struct Server {
    folder: PathBuf,
    user: Option<(u32, u32)>,
    /// More settings, as arguments.
    settings: String,
    port: u16,
    shell: Option<Child>,
}

/// A schema of its own for each test.
#[derive(Clone)]
pub(crate) struct Schema {
    pub(crate) url: String,
    pub(crate) name: String,
}

/// A schema at the server that all tests share. It ends with them.
pub(crate) fn schema() -> Schema {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start("rm -rf \"$folder\"")).schema()
}

impl Schema {
    pub(crate) fn address(&self) -> Address {
        Address::parse(&self.url, None, &self.name).unwrap()
    }

    /// `[store]` of a `pi.toml`.
    pub(crate) fn section(&self) -> String {
        format!("[store]\nurl = \"{}\"\nschema = \"{}\"\n", self.url, self.name)
    }

    /// Change the tables behind the store's back.
    pub(crate) async fn run(&self, sql: &str) {
        let options: PgConnectOptions = self.url.parse().unwrap();
        let mut connection = options.connect().await.unwrap();
        let path = format!("SET search_path = \"{}\"", self.name);
        connection.execute(AssertSqlSafe(path)).await.unwrap();
        connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
        connection.close().await.unwrap();
    }

    pub(crate) async fn is_there(&self) -> bool {
        let options: PgConnectOptions = self.url.parse().unwrap();
        let mut connection = options.connect().await.unwrap();
        let sql = sqlx::query_scalar("SELECT COUNT(*) FROM pg_namespace WHERE nspname = $1").bind(self.name.clone());
        let count: i64 = sql.fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        count > 0
    }

    /// All that is in the schema, as text.
    pub(crate) async fn dump(&self) -> String {
        let options: PgConnectOptions = self.url.parse().unwrap();
        let mut connection = options.connect().await.unwrap();
        let sql = format!("SELECT CAST(schema_to_xml('{}', true, false, '') AS TEXT)", self.name);
        let dump = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        dump
    }
}

impl Server {
    /// A server of the test's own, to be killed.
    pub(crate) fn own() -> Self {
        Self::start(":")
    }

    /// One that speaks TLS at a port of 127.0.0.1, where it wants a password.
    pub(crate) fn with_tls(certificate: &Path, key: &Path) -> (Self, u16) {
        let mut server = Self::start(":");
        server.end();
        let files = [(certificate, "server.pem"), (key, "server.key")];
        for (from, to) in files.map(|(from, to)| (from, server.folder.join(to))) {
            std::fs::copy(from, &to).unwrap();
            std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600)).unwrap();
            if let Some((uid, gid)) = server.user {
                chown(&to, Some(uid), Some(gid)).unwrap();
            }
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // A socket's name has the port too.
        server.settings = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c ssl=on -c ssl_cert_file={0}/server.pem -c ssl_key_file={0}/server.key",
            server.folder.display()
        );
        server.port = port;
        server.run(":");
        (server, port)
    }

    fn start(at_the_end: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // Short: the path of a socket has 107 bytes at most.
        let folder = PathBuf::from(format!("/tmp/pi-postgres-{}-{number}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        let user = rustix::process::getuid().is_root().then(postgres_user);
        if let Some((uid, gid)) = user {
            chown(&folder, Some(uid), Some(gid)).unwrap();
        }
        let mut server = Self { folder, user, settings: "-c listen_addresses=".into(), port: 5432, shell: None };
        let made = server
            .command(&program("initdb"))
            .args([
                "--username=postgres",
                "--auth-local=trust",
                "--auth-host=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "-D",
            ])
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
            "\"$0\" -D \"$folder/data\" -k \"$folder\" $settings -c max_connections=100 &
             pid=$!; read -r end; kill -QUIT $pid 2>/dev/null; wait $pid; {at_the_end}"
        );
        let shell = self
            .command(Path::new("/bin/sh"))
            .args(["-c", &script])
            .arg(program("postgres"))
            .env("folder", &self.folder)
            .env("settings", &self.settings)
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
        let options: PgConnectOptions = self.url().parse().unwrap();
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

    fn url(&self) -> String {
        format!("postgres://postgres@localhost:{}/postgres?host={}", self.port, self.folder.display())
    }

    pub(crate) fn schema(&self) -> Schema {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Schema { url: self.url(), name: format!("test_{number}") }
    }

    fn pid(&self) -> i32 {
        let file = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        file.lines().next().unwrap().parse().unwrap()
    }

    /// SIGKILL, as a crash of the machine: its processes end, and nothing is written any more.
    pub(crate) fn kill(&mut self) {
        let pid = rustix::process::Pid::from_raw(self.pid()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        self.end();
        // Its other processes see that the first has died, and end; until then they still serve, and it cannot be started.
        let (data, deadline) = (self.folder.join("data"), Instant::now() + START_MAX);
        let is_in =
            |process: std::fs::DirEntry| std::fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == data);
        while std::fs::read_dir("/proc").unwrap().flatten().any(is_in) {
            assert!(Instant::now() < deadline, "a server that was killed does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// SIGKILL of a process that serves connections of this name.
    pub(crate) fn kill_backend(&self, application: &str) {
        let options: PgConnectOptions = self.url().parse().unwrap();
        let statement = format!("SELECT pid FROM pg_stat_activity WHERE application_name = '{application}' LIMIT 1");
        let pid: i32 = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut connection = options.connect().await.unwrap();
                sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(&mut connection).await.unwrap()
            })
        })
        .join()
        .unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }

    /// Start it again.
    pub(crate) fn restart(&mut self) {
        self.end();
        self.run(":");
    }

    fn end(&mut self) {
        if let Some(mut shell) = self.shell.take() {
            drop(shell.stdin.take());
            shell.wait().unwrap();
        }
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
        panic!("there is no `{name}`, and the store is tested against a real server: apt-get install postgresql")
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
