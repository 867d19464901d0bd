//! SQLite below the parser, its values and its limits.

use std::time::{Duration, Instant};

use pi_sql::{Connection, Dialect, Limits, Settings, Statement};
use serde_json::json;

use super::databases::{SHOP, Shop};

#[tokio::test(flavor = "multi_thread")]
async fn values_of_every_kind_come_as_json() {
    let shop = Shop::sqlite(
        "CREATE TABLE t (a INTEGER, b REAL, c TEXT, d BLOB, e JSON, f);
         INSERT INTO t VALUES (9223372036854775807, 1.5, 'ä😀', x'00ff', '{\"b\":1,\"a\":[2]}', NULL), (1, 9e999, CAST(x'ff' AS TEXT), x'', 'no json', -9e999)",
        |_| {},
    );
    let answer = shop.ask("SELECT * FROM t").await.unwrap();
    assert_eq!(
        answer.columns.iter().map(|column| column.kind.as_str()).collect::<Vec<_>>(),
        ["integer", "real", "text", "blob", "json", ""]
    );
    assert_eq!(
        answer.rows[0],
        [json!(i64::MAX), json!(1.5), json!("ä😀"), json!("AP8="), json!({"b": 1, "a": [2]}), json!(null)]
    );
    assert_eq!(answer.rows[1][1], json!("Infinity"));
    assert!(answer.rows[1][2].as_str().unwrap().starts_with("[not readable: it is no UTF-8"));
    assert_eq!(answer.rows[1][3..], [json!(""), json!("no json"), json!("-Infinity")]);
    let asked = shop
        .ask_with("SELECT $2, $1, $3, $4, $1", &[json!(1), json!("x"), json!(null), json!(2.5)], &Limits::default())
        .await;
    assert_eq!(asked.unwrap().rows, [[json!("x"), json!(1), json!(null), json!(2.5), json!(1)]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_and_large_cells_do_no_harm() {
    let cell = "x".repeat(1_000_000);
    let sql = format!(
        "CREATE TABLE \"\"\"; drop table t; --\" (\"select\" TEXT, \"a\nb\" TEXT); CREATE TABLE t (a);
         INSERT INTO \"\"\"; drop table t; --\" VALUES ('{cell}', 'é')"
    );
    let shop = Shop::sqlite(&sql, |settings| settings.personal = vec!["a?b".into()]);
    let answer = shop.ask("SELECT * FROM \"\"\"; drop table t; --\"").await.unwrap();
    let text = answer.rows[0][0].as_str().unwrap();
    assert!(text.len() < 17_000 && text.ends_with("… [cut at 16384 bytes]"));
    assert_eq!((answer.cells_cut, answer.masked.as_slice()), (1, ["a\nb".to_owned()].as_slice()));
    assert_eq!(shop.rows("SELECT count(*) FROM t").await, "[[0]]");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_stops_at_its_limits_and_says_so() {
    let shop = Shop::sqlite(SHOP, |settings| settings.rows_max = 1000);
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x, 'abcdefgh' FROM n";
    let answer = shop.ask(endless).await.unwrap();
    assert_eq!((answer.rows.len(), answer.is_cut), (1000, true));
    let limits = Limits { bytes_max: Some(2000), ..Limits::default() };
    let answer = shop.ask_with(endless, &[], &limits).await.unwrap();
    assert!(answer.is_cut && answer.rows.len() < 100 && answer.rows.len() > 50);
    let limits = Limits { rows_max: Some(4), ..Limits::default() };
    let answer = shop.ask_with("SELECT id FROM customers", &[], &limits).await.unwrap();
    assert_eq!((answer.rows.len(), answer.is_cut), (4, false));
    let limits = Limits { rows_max: Some(1_000_000), ..Limits::default() };
    assert_eq!(shop.ask_with(endless, &[], &limits).await.unwrap().rows.len(), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_ends_at_its_deadline_and_when_nobody_waits() {
    let shop = Shop::sqlite(SHOP, |settings| {
        settings.statement_timeout_ms = 300;
        settings.connections_max = 1;
    });
    let endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n";
    let started = Instant::now();
    assert_eq!(shop.kind(endless).await, "timed_out");
    assert!(started.elapsed() < Duration::from_secs(5));
    let long = Shop::sqlite(SHOP, |settings| settings.connections_max = 1);
    let asked = tokio::time::timeout(Duration::from_millis(200), long.ask(endless)).await;
    assert!(asked.is_err());
    // Its only connection is free again, long before the 30 s that the statement may run.
    let started = Instant::now();
    assert_eq!(long.rows("SELECT 1").await, "[[1]]");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_file_a_missing_one_and_one_that_is_none_are_told_apart() {
    let shop = Shop::sqlite(SHOP, |settings| settings.statement_timeout_ms = 400);
    let file = shop.file.clone().unwrap();
    let writer = rusqlite::Connection::open(&file).unwrap();
    writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = shop.ask("SELECT 1 FROM customers").await.unwrap_err();
    assert!(error.kind() == "timed_out" && error.to_string().contains("lock"), "{error}");
    writer.execute_batch("ROLLBACK").unwrap();
    assert_eq!(shop.rows("SELECT count(*) FROM customers").await, "[[4]]");
    // Another file in its place is read, not the one that was open.
    drop(writer);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(shop.kind("SELECT 1").await, "no_such_database");
    rusqlite::Connection::open(&file)
        .unwrap()
        .execute_batch("CREATE TABLE other (a); INSERT INTO other VALUES (7)")
        .unwrap();
    assert_eq!(shop.rows("SELECT a FROM other").await, "[[7]]");
    assert_eq!(shop.kind("SELECT 1 FROM customers").await, "not_found");
    assert_eq!(shop.kind("SELECT b FROM other").await, "not_found");
    std::fs::write(&file, "this is no database, and long enough to be looked at as one".repeat(100)).unwrap();
    assert_eq!(shop.kind("SELECT * FROM other").await, "unavailable");
    let connection = Connection::new(Settings::new("/no/such/folder/x.db")).unwrap();
    assert_eq!(connection.health().await.unwrap_err().kind(), "no_such_database");
    assert_eq!(Connection::new(Settings::new("/tmp")).unwrap().health().await.unwrap_err().kind(), "no_such_database");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_sees_one_moment_and_survives_a_failed_statement() {
    let shop = Shop::sqlite(&format!("PRAGMA journal_mode = WAL; {SHOP}"), |_| {});
    let mut snapshot = shop.connection.snapshot().await.unwrap();
    let count = Statement::read(Dialect::Sqlite, "SELECT count(*) FROM customers").unwrap();
    let wrong = Statement::read(Dialect::Sqlite, "SELECT x FROM customers").unwrap();
    let limits = Limits::default();
    assert_eq!(snapshot.query(&count, &[], &limits).await.unwrap().rows, [[json!(4)]]);
    rusqlite::Connection::open(shop.file.as_ref().unwrap()).unwrap().execute_batch("DELETE FROM customers").unwrap();
    assert_eq!(snapshot.query(&wrong, &[], &limits).await.unwrap_err().kind(), "not_found");
    assert_eq!(snapshot.query(&count, &[], &limits).await.unwrap().rows, [[json!(4)]]);
    snapshot.end().await;
    assert_eq!(shop.rows("SELECT count(*) FROM customers").await, "[[0]]");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_tables_are_looked_at_in_one_statement() {
    let mut sql = String::from("BEGIN;");
    (0..5000).for_each(|number| sql.push_str(&format!("CREATE TABLE t{number} (id INTEGER PRIMARY KEY, email TEXT);")));
    let shop = Shop::sqlite(&format!("{sql} COMMIT"), |settings| settings.personal = vec!["email".into()]);
    let answer = shop
        .ask("SELECT count(*) FROM sqlite_schema s, pragma_table_info(s.name) c WHERE s.type = 'table'")
        .await
        .unwrap();
    assert_eq!(answer.rows, [[json!(10_000)]]);
    assert_eq!(shop.ask("SELECT * FROM t4999").await.unwrap().masked, ["email"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn r_trees_and_full_text_are_read_and_health_tells_the_version() {
    let shop = Shop::sqlite(
        "CREATE VIRTUAL TABLE boxes USING rtree(id, a, b); INSERT INTO boxes VALUES (1, 0, 2);
         CREATE VIRTUAL TABLE words USING fts5(text); INSERT INTO words VALUES ('hello there')",
        |_| {},
    );
    assert_eq!(shop.rows("SELECT id FROM boxes WHERE a < 1").await, "[[1]]");
    assert_eq!(shop.rows("SELECT text FROM words WHERE words MATCH 'hello'").await, "[[\"hello there\"]]");
    assert!(shop.connection.health().await.unwrap().version.starts_with("SQLite 3."));
}
