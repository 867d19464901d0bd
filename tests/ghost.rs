//! Databases read by tools, jobs that wake by themselves, and the analyst's reports: as a user has them.

use std::path::Path;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};

use crate::model::server::{ModelServer, Reply};
use crate::project::{Project, RunningHost};

/// Run SQL on a file of SQLite, which is made where it is not there.
pub(crate) fn sql(file: &Path, script: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        connection.execute(AssertSqlSafe(script.to_owned())).await.unwrap();
    });
}

const SHOP: &str = "
    CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customers(id),
        placed_at TEXT NOT NULL, total REAL NOT NULL, state TEXT NOT NULL);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
        INSERT INTO customers SELECT i, 'name ' || i, 'c' || i || '@example.com' FROM n;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
        INSERT INTO orders SELECT i, 1 + (i * 7) % 200, datetime('now', '-' || (i / 50 + 1) || ' days', '+' || (i % 50) || ' minutes'),
            20 + (i * 13) % 50, CASE i % 3 WHEN 0 THEN 'paid' WHEN 1 THEN 'sent' ELSE 'open' END FROM n;
";

pub(crate) const READ: &str = r#"
[databases.shop]
url = "sqlite:shop.db"
personal = ["*.email"]

[grants.sql.sql]
databases = ["shop"]
"#;

pub(crate) const GHOST: &str = r#"
[grants.memory.keyvalue]

[agents.ghost]
[grants.ghost.tools]
names = ["sql_databases", "sql_query", "memory_get", "memory_put", "chart"]
[grants.ghost.log]
"#;

pub(crate) fn shop(config: &str) -> Project {
    let project = Project::with(config);
    sql(&project.path().join("shop.db"), SHOP);
    project
}

fn call(project: &Project, tool: &str, arguments: &Value) -> (Option<i32>, String) {
    let said = project.run(&["tool", "call", tool, &arguments.to_string()]);
    (said.code, format!("{}{}", said.out, said.err))
}

#[test]
fn a_database_is_read_and_personal_data_masked() {
    let project = shop(READ);
    let query =
        json!({ "statement": "SELECT count(*) AS orders FROM orders WHERE state = $1", "parameters": ["paid"] });
    let (code, text) = call(&project, "sql_query", &query);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("1000") && text.contains("orders"), "{text}");
    let (_, text) = call(&project, "sql_query", &json!({ "statement": "SELECT id, email FROM customers LIMIT 1" }));
    assert!(text.contains("masked") && !text.contains("@example.com"), "{text}");
    let (_, text) = call(&project, "sql_schema", &json!({ "table": "orders" }));
    assert!(text.contains("customers") && text.contains("placed_at"), "{text}");
    let (_, text) = call(&project, "sql_sample", &json!({ "table": "customers", "rows_max": 3 }));
    assert!(text.contains("name 3") && !text.contains("name 4") && !text.contains("@example.com"), "{text}");
}

#[test]
fn nothing_but_reading_gets_through() {
    let project = shop(READ);
    for statement in [
        "DELETE FROM orders",
        "UPDATE orders SET total = 0",
        "SELECT 1; DROP TABLE orders",
        "PRAGMA writable_schema = 1",
        "ATTACH 'other.db' AS other",
        "VACUUM",
        "SELECT load_extension('x')",
        "no sql at all",
    ] {
        let (code, text) = call(&project, "sql_query", &json!({ "statement": statement }));
        assert_eq!(code, Some(1), "{statement}: {text}");
    }
    let (_, text) = call(&project, "sql_query", &json!({ "statement": "SELECT count(*) FROM orders" }));
    assert!(text.contains("3000"), "{text}");
    // What was tried is in the journal.
    let journal = project.run(&["session", "list", "--json"]);
    assert_eq!(journal.code, Some(0));
}

#[test]
fn tables_and_databases_outside_of_the_grant_are_named_with_the_line_that_would_allow_them() {
    let project = shop(&READ.replace("databases = [\"shop\"]", "databases = [\"shop\"]\ntables = [\"*orders\"]"));
    let (code, text) = call(&project, "sql_query", &json!({ "statement": "SELECT * FROM customers" }));
    assert_eq!(code, Some(1));
    assert!(text.contains("not granted") && text.contains("`tables` in [grants.sql.sql]"), "{text}");
    let (_, text) = call(&project, "sql_query", &json!({ "database": "other", "statement": "SELECT 1" }));
    assert!(text.contains("`databases` in [grants.sql.sql]"), "{text}");
    let said = Project::with("[databases.shop]\nurl = \"postgres://a:b@c/d\"\n").run(&["tool", "list"]);
    assert!(said.err.contains("a password stands in pi.toml") && said.err.contains("password_env"), "{}", said.err);
}

#[test]
fn a_job_reports_what_changed_since_its_last_run() {
    let job = "[heartbeat.daily]\nagent = \"ghost\"\ndatabases = [\"shop\"]\ncron = \"0 7 * * *\"\nzone = \"Europe/Zurich\"\n";
    let project = shop(&format!("{READ}{GHOST}{job}"));
    let first = project.run(&["heartbeat", "run", "daily"]);
    assert_eq!(first.code, Some(0), "{}\n{}", first.out, first.err);
    assert!(first.out.contains("first look"), "{}", first.out);

    sql(
        &project.path().join("shop.db"),
        "ALTER TABLE orders RENAME COLUMN state TO status; CREATE TABLE coupons (id INTEGER PRIMARY KEY, code TEXT);",
    );
    let second = project.run(&["heartbeat", "run", "daily"]);
    assert_eq!(second.code, Some(0), "{}\n{}", second.out, second.err);
    let shown = project.run(&["report", "show", "latest", "--json"]).json();
    let text = shown["markdown"].as_str().unwrap();
    assert!(text.contains("status") && text.contains("coupons"), "{text}");
    let page = project.run(&["report", "open", "latest"]);
    let html = std::fs::read_to_string(page.out.trim()).unwrap();
    assert!(html.contains("data:image/svg+xml;base64,"), "no picture of the schema");
    let listed = project.run(&["report", "list", "--json"]).json();
    assert_eq!(listed["reports"].as_array().unwrap().len(), 2, "{listed}");

    // What people mute is not told again, and what they have read is marked.
    let finding = shown["report"]["findings"][0]["claim"].as_str().unwrap().to_owned();
    assert_eq!(project.run(&["report", "mute", "latest", "1"]).code, Some(0));
    assert!(project.run(&["report", "muted", "daily"]).out.contains("shop/"), "{finding}");
    assert_eq!(project.run(&["report", "ack", "latest"]).code, Some(0));
    assert!(project.run(&["report", "list"]).out.contains("read by"));

    let history = project.run(&["heartbeat", "history", "daily", "--json"]).json();
    let states: Vec<&str> =
        history["slots"].as_array().unwrap().iter().map(|slot| slot["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["done", "done"], "{history}");
    assert_eq!(project.run(&["session", "verify"]).code, Some(0));
}

#[test]
fn a_database_that_is_not_there_is_said_in_the_report() {
    let job = "[heartbeat.daily]\nagent = \"ghost\"\nevery = \"1h\"\n";
    let project = Project::with(&format!("{READ}{GHOST}{job}"));
    let said = project.run(&["heartbeat", "run", "daily"]);
    assert_eq!(said.code, Some(1), "{}", said.out);
    let shown = project.run(&["report", "show", "latest"]);
    assert!(shown.out.contains("could not be looked at"), "{}", shown.out);
}

#[test]
fn jobs_say_when_they_wake_and_can_be_paused() {
    let job = "[heartbeat.daily]\nagent = \"ghost\"\ncron = \"30 2 * * *\"\nzone = \"America/New_York\"\n";
    let project = shop(&format!("{READ}{GHOST}{job}"));
    let next = project.run(&["heartbeat", "next", "daily", "--count", "2", "--after", "2026-03-08T00:00:00Z"]);
    assert!(next.out.contains("2026-03-08T07:00:00Z") && next.out.contains("leaves out"), "{}", next.out);
    assert!(project.run(&["heartbeat", "list"]).out.contains("daily"));
    assert_eq!(project.run(&["heartbeat", "pause", "daily"]).code, Some(0));
    assert!(project.run(&["heartbeat", "list"]).out.contains("paused"));
    assert_eq!(project.run(&["heartbeat", "resume", "daily"]).code, Some(0));
    let none = project.run(&["heartbeat", "run", "dayly"]);
    assert_eq!(none.code, Some(1));
    assert!(none.err.contains("there is no job `dayly`") && none.err.contains("`daily`"), "{}", none.err);
}

#[test]
fn a_host_that_is_killed_runs_no_slot_twice_and_loses_none() {
    let job = "[heartbeat.often]\nagent = \"ghost\"\nevery = \"2s\"\nmisfire = \"all\"\noverlap = \"queue\"\n";
    let project = shop(&format!("{READ}{GHOST}{job}"));
    for _ in 0..3 {
        let mut host = RunningHost::start(&project);
        std::thread::sleep(std::time::Duration::from_millis(3_300));
        host.0.kill().unwrap();
        host.0.wait().unwrap();
    }
    let host = RunningHost::start(&project);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let settled = loop {
        let history = project.run(&["heartbeat", "history", "often", "--count", "200", "--json"]).json();
        let slots = history["slots"].as_array().unwrap().clone();
        let ended = slots.iter().filter(|slot| slot["state"] == "done").count();
        if ended >= 5 || std::time::Instant::now() > deadline {
            break slots;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    };
    drop(host);
    let done: Vec<&Value> = settled.iter().filter(|slot| slot["state"] == "done").collect();
    assert!(done.len() >= 5, "{settled:#?}");
    // A slot has one session, and a session one slot.
    let mut sessions: Vec<&str> = done.iter().map(|slot| slot["session"].as_str().unwrap()).collect();
    let count = sessions.len();
    sessions.sort_unstable();
    sessions.dedup();
    assert_eq!(sessions.len(), count, "{settled:#?}");
    let mut due: Vec<u64> = settled.iter().map(|slot| slot["due_ms"].as_u64().unwrap()).collect();
    due.sort_unstable();
    for pair in due.windows(2) {
        assert_eq!(pair[1] - pair[0], 2_000, "a slot is missing: {due:?}");
    }
    assert_eq!(project.run(&["session", "verify"]).code, Some(0));
}

/// A model words the summary, and nothing that is not in the findings.
#[tokio::test(flavor = "multi_thread")]
async fn a_model_words_the_summary_and_a_number_of_its_own_is_refused() {
    for (said, is_taken) in [
        ("A column of orders has a new name, and what names it as before will fail.", true),
        ("A column of orders has a new name, and 8317 dashboards will fail.", false),
    ] {
        let server = ModelServer::start(vec![Reply::text(said), Reply::text(said)]).await;
        let model = format!(
            "[models.m]\nprotocol = \"openai\"\nmodel = \"scripted\"\nbase_url = \"{}\"\n[grants.ghost.model]\nnames = [\"m\"]\n",
            server.openai_url()
        );
        let job = "[heartbeat.daily]\nagent = \"ghost\"\nevery = \"1h\"\n";
        let shown = tokio::task::spawn_blocking(move || {
            let project = shop(&format!("{READ}{GHOST}{model}{job}"));
            project.run(&["heartbeat", "run", "daily"]);
            sql(&project.path().join("shop.db"), "ALTER TABLE orders RENAME COLUMN state TO status");
            let said = project.run(&["heartbeat", "run", "daily"]);
            assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
            project.run(&["report", "show", "latest", "--json"]).json()
        })
        .await
        .unwrap();
        let summary = shown["report"]["summary"].as_str().unwrap();
        assert_eq!(summary == said, is_taken, "{summary}");
        let markdown = shown["markdown"].as_str().unwrap();
        assert!(is_taken || markdown.contains("said 8317, which is none of the facts"), "{markdown}");
        let asked = server.requests();
        let asked = asked.last().unwrap().json().to_string();
        assert!(asked.contains("status") && !asked.contains("@example.com"), "{asked}");
    }
}
