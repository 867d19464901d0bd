//! The statements in PostgreSQL's dialect, at a real server of the test's own: made by `initdb`, on a Unix socket in a
//! temporary folder, as the user `postgres` where the test is root (the server refuses root).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may end where the world is not as it should be")]

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use pi_catalog::database::{Database, Dialect, Query, QueryError, Rows};
use pi_catalog::schema::{Class, Column, Snapshot, Table, TableKind};
use pi_patterns::{Memory, Options, look};
use postgres::{Client, NoTls, SimpleQueryMessage};
use serde_json::Value;

struct Server {
    folder: PathBuf,
    child: Child,
}

impl Server {
    fn start() -> Self {
        let folder = PathBuf::from(format!("/tmp/pi-patterns-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
        let fields: Vec<&str> =
            passwd.lines().find(|line| line.starts_with("postgres:")).expect("a user `postgres`").split(':').collect();
        let (uid, gid): (u32, u32) = (fields[2].parse().unwrap(), fields[3].parse().unwrap());
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL").flatten();
        let programs = versions.map(|version| version.path().join("bin")).max().unwrap();
        let command = |name: &str| {
            #[allow(clippy::disallowed_methods, reason = "the test is the outside world")]
            let mut command = Command::new(programs.join(name));
            command.current_dir("/").stdin(Stdio::null()).env_clear().env("PATH", "/usr/bin:/bin");
            if is_root {
                command.uid(uid).gid(gid);
            }
            command
        };
        if is_root {
            chown(&folder, Some(uid), Some(gid)).unwrap();
        }
        let made = command("initdb")
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(folder.join("data"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let child = command("postgres")
            .arg("-D")
            .arg(folder.join("data"))
            .arg("-k")
            .arg(&folder)
            .args(["-c", "listen_addresses=", "-c", "fsync=off"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { folder, child }
    }

    fn connect(&self) -> Client {
        let address = format!("host={} user=postgres dbname=postgres", self.folder.display());
        for _ in 0..600 {
            if let Ok(client) = Client::connect(&address, NoTls) {
                return client;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("the server does not start");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

struct Postgres(Client);

impl Database for Postgres {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn query(&mut self, query: &Query) -> Result<Rows, QueryError> {
        let answer = self.0.simple_query(&query.statement).map_err(|error| {
            let code = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
            let text = error
                .as_db_error()
                .map_or_else(|| error.to_string(), |error| format!("{}: {}", error.message(), query.statement));
            match code.as_str() {
                "42P01" => QueryError::NotFound(text),
                "57014" => QueryError::TimedOut(text),
                "42501" => QueryError::Denied(text),
                _ => QueryError::Failed(text),
            }
        })?;
        let mut rows = Rows::default();
        for message in answer {
            match message {
                SimpleQueryMessage::RowDescription(columns) => {
                    rows.columns = columns.iter().map(|column| column.name().to_owned()).collect()
                }
                SimpleQueryMessage::Row(row) => {
                    rows.rows.push((0..row.len()).map(|at| row.get(at).map_or(Value::Null, Value::from)).collect())
                }
                _ => {}
            }
        }
        Ok(rows)
    }
}

fn column(name: &str, data_type: &str, class: Class) -> Column {
    Column { name: name.into(), data_type: data_type.into(), class, is_nullable: true, ..Column::default() }
}

fn snapshot(rows_estimated: u64) -> Snapshot {
    let columns = vec![
        column("id", "bigint", Class::Integer),
        column("ordered_at", "timestamp with time zone", Class::TimestampTz),
        column("day", "date", Class::Date),
        column("loaded_at", "timestamp without time zone", Class::Timestamp),
        column("channel", "text", Class::Text),
        column("city", "text", Class::Text),
        column("country", "text", Class::Text),
        column("price", "numeric(10,2)", Class::Decimal),
        column("weight", "double precision", Class::Float),
        column("voucher", "text", Class::Text),
        column("customer_id", "bigint", Class::Integer),
        column("is_gift", "boolean", Class::Boolean),
        column("document", "json", Class::Json),
        column("tags", "text[]", Class::Array),
        column("token", "uuid", Class::Uuid),
    ];
    let table = |name: &str, columns: Vec<Column>, kind| Table {
        schema: "public".into(),
        name: name.into(),
        kind,
        columns,
        primary_key: vec!["id".into()],
        rows_estimated: Some(rows_estimated),
        ..Table::default()
    };
    let customers = vec![column("id", "bigint", Class::Integer), column("segment", "text", Class::Text)];
    let tables = vec![
        table("customers", customers, TableKind::Table),
        table("orders", columns.clone(), TableKind::Table),
        table("broken", vec![column("x", "integer", Class::Integer)], TableKind::View),
    ];
    Snapshot {
        dialect: Dialect::Postgres,
        taken: String::new(),
        origin: None,
        version: None,
        tables,
        enums: Vec::new(),
        missing: Vec::new(),
        gaps: Vec::new(),
    }
}

/// 70 days of 200 orders until 2025-03-10 in UTC; what changes is in the newest day.
const TABLES: &str = "
    CREATE TABLE customers (id bigint PRIMARY KEY, segment text);
    INSERT INTO customers SELECT i, CASE i % 3 WHEN 0 THEN 'a' ELSE 'b' END FROM generate_series(1, 300) AS i;
    CREATE TABLE orders (id bigint PRIMARY KEY, ordered_at timestamptz, day date, loaded_at timestamp, channel text, city text, country text, price numeric(10,2), weight double precision,
      voucher text, customer_id bigint, is_gift boolean, document json, tags text[], token uuid);
    SELECT setseed(0.4);
    INSERT INTO orders SELECT i, t, t::date, (t AT TIME ZONE 'UTC') + interval '5 minutes' * random(), (ARRAY['web','app','store'])[1 + floor(random() * 3)::int],
      (ARRAY['Bern','Basel','Wien','Graz'])[1 + i % 4], (ARRAY['CH','CH','AT','AT'])[1 + i % 4], round((20 * exp(0.4 * random()))::numeric, 2), 5 + random(),
      'AB-' || (1000 + floor(random() * 9000))::int, 1 + floor(random() * 300)::int, random() < 0.2, '{\"a\": 1}', ARRAY['x'], gen_random_uuid()
      FROM (SELECT i, timestamptz '2025-03-10 23:59:00+00' - interval '1 day' * (i / 200) - interval '7 minutes' * (i % 200) AS t FROM generate_series(0, 13999) AS i) AS s;
    UPDATE orders SET weight = 'NaN' WHERE id % 97 = 0;
    UPDATE orders SET weight = 'Infinity' WHERE id % 197 = 1;
    UPDATE orders SET ordered_at = 'infinity' WHERE id = 9001;
    UPDATE orders SET ordered_at = '9999-12-31' WHERE id = 9002;
    CREATE VIEW broken AS SELECT 1 / 0 AS x;";

/// 2025-03-11 at six in the morning.
const NOW_MS: i64 = 1_741_672_800_000;

#[test]
fn changes_are_found_in_postgresql_and_bad_values_are_no_gaps() {
    let server = Server::start();
    let mut database = Postgres(server.connect());
    database.0.batch_execute(TABLES).unwrap();
    let options = Options { now_ms: NOW_MS, ..Options::default() };

    let quiet = look(&mut database, &snapshot(14_000), &Memory::default(), &options);
    let gaps: Vec<_> = quiet.gaps.iter().filter(|gap| gap.table != "public.broken").collect();
    assert!(gaps.is_empty(), "{gaps:#?}");
    assert!(
        quiet.gaps.iter().any(|gap| gap.table == "public.broken" && gap.what.contains("division by zero")),
        "{:?}",
        quiet.gaps
    );
    let claims: Vec<&String> = quiet.findings.iter().map(|finding| &finding.claim).collect();
    assert!(claims.len() <= 1, "{claims:#?}");
    let orders = quiet.tables.iter().find(|table| table.table == "public.orders").unwrap();
    assert_eq!(orders.roles.time.as_ref().unwrap().name, "ordered_at", "{:?}", orders.roles.time);
    assert!(orders.tests > 30, "{}", orders.tests);

    // A sample of a part of the blocks speaks the same dialect.
    let sampled = look(
        &mut database,
        &snapshot(14_000),
        &Memory::default(),
        &Options { scan_rows_max: 4_000, sample_rows_max: 2_000, ..options.clone() },
    );
    assert!(
        sampled.gaps.iter().all(|gap| gap.table == "public.broken" || gap.what.starts_with("duplicates")),
        "{:#?}",
        sampled.gaps
    );

    let newest = "ordered_at >= '2025-03-10 00:00+00' AND ordered_at < '2025-03-11 00:00+00'";
    for (kind, change) in [
        ("volume_dropped", format!("DELETE FROM orders WHERE {newest} AND id % 5 > 1")),
        ("nulls_rose", format!("UPDATE orders SET channel = NULL WHERE {newest} AND id % 3 = 0")),
        ("category_vanished", format!("UPDATE orders SET channel = 'web' WHERE {newest} AND channel = 'store'")),
        ("category_new", format!("UPDATE orders SET channel = 'kiosk' WHERE {newest} AND id % 6 = 0")),
        ("mean_rose", format!("UPDATE orders SET price = price * 10 WHERE {newest}")),
        ("format_new", format!("UPDATE orders SET voucher = id || '/X' WHERE {newest} AND id % 4 = 0")),
        (
            "orphans_appeared",
            format!("UPDATE orders SET customer_id = customer_id + 100000 WHERE {newest} AND id % 10 = 0"),
        ),
        ("dependency_broken", format!("UPDATE orders SET country = 'CH' WHERE {newest} AND id % 5 = 0")),
        ("unreadable_rose", format!("UPDATE orders SET weight = 'NaN' WHERE {newest} AND id % 4 = 0")),
        ("data_stale", format!("DELETE FROM orders WHERE {newest}")),
    ] {
        let mut transaction = server.connect();
        transaction.batch_execute("BEGIN").unwrap();
        transaction.batch_execute(&change).unwrap();
        let mut inside = Postgres(transaction);
        let changed = snapshot(14_000);
        // Inside of a transaction a statement that fails would end it, and the view does.
        let tables = changed.tables.iter().filter(|table| table.kind == TableKind::Table).cloned().collect();
        let report = look(
            &mut inside,
            &Snapshot { tables, ..changed },
            &quiet.memory,
            &Options { now_ms: NOW_MS, ..Options::default() },
        );
        let kinds: Vec<String> =
            report.findings.iter().map(|finding| format!("{}: {}", finding.kind, finding.claim)).collect();
        // The newest bucket was judged before: only what is judged again each time can be seen with this memory.
        let fresh = look(
            &mut inside,
            &snapshot_tables(),
            &Memory::default(),
            &Options { now_ms: NOW_MS, ..Options::default() },
        );
        let found = fresh.findings.iter().chain(&report.findings).any(|finding| finding.kind == kind);
        assert!(
            found,
            "{kind}: {kinds:?}, {:?}",
            fresh.findings.iter().map(|finding| &finding.claim).collect::<Vec<_>>()
        );
    }
}

fn snapshot_tables() -> Snapshot {
    let mut snapshot = snapshot(14_000);
    snapshot.tables.retain(|table| table.kind == TableKind::Table);
    snapshot
}
