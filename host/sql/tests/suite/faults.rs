//! A PostgreSQL that is down, restarted, slow, locked, or does not let one in: each is told apart.

use std::time::{Duration, Instant};

use pi_sql::{Connection, Dialect, Error, Limits, Secret, Settings, Statement};
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Executor};

use super::databases::{SHOP, Shop};
use super::server::{Server, shared};

async fn one(connection: &Connection) -> Result<String, Error> {
    let statement = Statement::read(Dialect::Postgres, "SELECT 1").unwrap();
    connection
        .query(&statement, &[], &Limits::default())
        .await
        .map(|answer| serde_json::to_string(&answer.rows).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_away_is_found_again() {
    let mut server = Server::own();
    let connection = Connection::new(Settings::new(server.url("postgres", "postgres"))).unwrap();
    assert_eq!(one(&connection).await.unwrap(), "[[1]]");
    // Its idle connection is dead after this, which is no failure of the statement.
    tokio::task::block_in_place(|| server.start_again());
    assert_eq!(one(&connection).await.unwrap(), "[[1]]");
    let mut snapshot = connection.snapshot().await.unwrap();
    tokio::task::block_in_place(|| server.end());
    let error = one(&connection).await.unwrap_err();
    assert!(error.kind() == "unavailable" && error.to_string().contains("hint: "), "{error}");
    let statement = Statement::read(Dialect::Postgres, "SELECT 1").unwrap();
    for _ in 0..2 {
        let error = snapshot.query(&statement, &[], &Limits::default()).await.unwrap_err();
        assert_eq!(error.kind(), "unavailable", "{error}");
    }
    drop(snapshot);
    tokio::task::block_in_place(|| server.start_again());
    assert_eq!(one(&connection).await.unwrap(), "[[1]]");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_statement_and_a_locked_table_time_out() {
    let shop = Shop::postgres(SHOP, |settings| settings.statement_timeout_ms = 500).await;
    let started = Instant::now();
    assert_eq!(
        shop.kind("SELECT count(*) FROM generate_series(1, 100000000) a, generate_series(1, 1000) b").await,
        "timed_out"
    );
    let options: PgConnectOptions = shared().url("postgres", &shop.database).parse().unwrap();
    let mut writer = options.connect().await.unwrap();
    writer.execute("BEGIN; LOCK TABLE customers IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let error = shop.ask("SELECT count(*) FROM customers").await.unwrap_err();
    assert!(error.kind() == "timed_out" && error.to_string().contains("a lock is held"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5));
    writer.execute("ROLLBACK").await.unwrap();
    assert_eq!(shop.rows("SELECT count(*) FROM customers").await, "[[4]]");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_a_missing_database_and_missing_rights_are_told_apart() {
    let server = Server::with_password();
    server
        .execute(
            "postgres",
            "CREATE ROLE ann LOGIN PASSWORD 's3cr3t'; CREATE TABLE private (a integer); CREATE TABLE open (a integer);
        GRANT SELECT ON open TO ann",
        )
        .await;
    let with = |database: &str, password: Option<&str>| {
        let mut settings = Settings::new(server.url_with_password("ann", database));
        settings.password = password.map(Secret::new);
        Connection::new(settings).unwrap()
    };
    assert_eq!(one(&with("postgres", Some("s3cr3t"))).await.unwrap(), "[[1]]");
    for password in [Some("hunter2"), None] {
        let error = one(&with("postgres", password)).await.unwrap_err();
        assert_eq!(error.kind(), "wrong_password", "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
    assert_eq!(one(&with("nowhere", Some("s3cr3t"))).await.unwrap_err().kind(), "no_such_database");
    let ask = async |sql| {
        let statement = Statement::read(Dialect::Postgres, sql).unwrap();
        with("postgres", Some("s3cr3t")).query(&statement, &[], &Limits::default()).await
    };
    let error = ask("SELECT * FROM private").await.unwrap_err();
    assert!(error.kind() == "denied" && error.to_string().contains("permission denied for table private"), "{error}");
    assert_eq!(ask("SELECT * FROM gone").await.unwrap_err().kind(), "not_found");
    assert_eq!(ask("SELECT b FROM open").await.unwrap_err().kind(), "not_found");
    assert_eq!(ask("SELECT rolpassword FROM pg_authid").await.unwrap_err().kind(), "denied");
    assert_eq!(ask("SELECT a FROM open").await.unwrap().rows, Vec::<Vec<serde_json::Value>>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_where_nobody_listens_or_answers_is_out_of_reach() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let connection = Connection::new(Settings::new(format!("postgres://pi@127.0.0.1:{port}/a"))).unwrap();
    assert_eq!(one(&connection).await.unwrap_err().kind(), "unavailable");
    // It accepts, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut settings = Settings::new(format!("postgres://pi@{}/a", silent.local_addr().unwrap()));
    settings.connect_timeout_ms = 200;
    let started = Instant::now();
    let error = one(&Connection::new(settings).unwrap()).await.unwrap_err();
    assert!(error.kind() == "unavailable" && error.to_string().contains("200 ms"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_dropped_between_two_statements_is_not_there() {
    let shop = Shop::postgres(SHOP, |settings| settings.connections_max = 1).await;
    assert_eq!(shop.rows("SELECT count(*) FROM orders").await, "[[2]]");
    shared().execute(&shop.database, "DROP TABLE orders").await;
    assert_eq!(shop.kind("SELECT count(*) FROM orders").await, "not_found");
    shared().execute(&shop.database, "CREATE TABLE orders (id text); INSERT INTO orders VALUES ('a')").await;
    assert_eq!(shop.ask("SELECT id FROM orders").await.unwrap().rows, [[json!("a")]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_connection_is_waited_for_and_then_told() {
    let shop = Shop::postgres(SHOP, |settings| {
        settings.connections_max = 1;
        settings.connect_timeout_ms = 200;
        settings.statement_timeout_ms = 200;
    })
    .await;
    let snapshot = shop.connection.snapshot().await.unwrap();
    let error = shop.ask("SELECT 1").await.unwrap_err();
    assert!(error.kind() == "timed_out" && error.to_string().contains("all 1 connections are busy"), "{error}");
    snapshot.end().await;
    assert_eq!(shop.rows("SELECT 1").await, "[[1]]");
}
