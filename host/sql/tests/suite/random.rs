//! Any text at all: reading it never panics, and what is let through changes nothing.

use std::path::Path;
use std::sync::OnceLock;

use pi_sql::{Connection, Dialect, Limits, Settings, Statement};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

const SHOP: &str = super::databases::SHOP;

struct Copy {
    connection: Connection,
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    before: Vec<u8>,
}

fn copy() -> &'static Copy {
    static COPY: OnceLock<Copy> = OnceLock::new();
    COPY.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("copy.db");
        rusqlite::Connection::open(&file).unwrap().execute_batch(SHOP).unwrap();
        let mut settings = Settings::new(file.display().to_string());
        settings.statement_timeout_ms = 200;
        settings.rows_max = 10;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        Copy { connection: Connection::new(settings).unwrap(), before: hash(folder.path()), folder, runtime }
    })
}

/// Of every file in the folder: a journal, or a database that was made, counts as well.
fn hash(folder: &Path) -> Vec<u8> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.display().to_string());
        hash.update(std::fs::read(file).unwrap());
    }
    hash.finalize().to_vec()
}

/// Words from which statements that write are made as easily as those that read.
fn words() -> impl Strategy<Value = String> {
    let words = [
        "SELECT",
        "select",
        "*",
        "FROM",
        "customers",
        "orders",
        "WHERE",
        "id",
        "=",
        "1",
        "'a'",
        "(",
        ")",
        ",",
        ";",
        "WITH",
        "RECURSIVE",
        "x",
        "AS",
        "DELETE",
        "DELETE FROM customers",
        "INSERT INTO orders VALUES (1)",
        "UPDATE customers SET id = 2",
        "RETURNING *",
        "UNION ALL",
        "VALUES",
        "(1)",
        "EXPLAIN",
        "QUERY PLAN",
        "ANALYZE",
        "PRAGMA",
        "user_version",
        "= 3",
        "ATTACH",
        "'y.db'",
        "VACUUM",
        "INTO",
        "DROP TABLE",
        "CREATE TABLE",
        "--",
        "/*",
        "*/",
        "\n",
        "\"customers\"",
        "[orders]",
        "`id`",
        "load_extension('x')",
        "count(*)",
        "max(id)",
        "JOIN",
        "ON",
        "ORDER BY",
        "LIMIT",
        "REPLACE",
        "BEGIN",
        "COMMIT",
        "NULL",
        "NOT",
        "AND",
        "OR",
        "IN",
        "EXISTS",
        "$1",
        "U&",
        "\\",
        "\u{0}",
        "😀",
        "pragma_table_info('orders')",
        "json_each('[1]')",
        "CASE",
        "WHEN",
        "THEN",
        "END",
        "people",
        "fts5(a)",
        "USING",
        "CREATE VIRTUAL TABLE v",
        "x'00'",
        "1e999",
        "||",
        "->>",
    ];
    proptest::collection::vec(proptest::sample::select(words.to_vec()), 1..14).prop_map(|words| words.join(" "))
}

/// Sentences that mostly read, so that something is run.
fn sentences() -> impl Strategy<Value = String> {
    let table = proptest::sample::select(vec![
        "customers",
        "orders",
        "people",
        "plain",
        "(SELECT * FROM orders)",
        "sqlite_schema",
        "json_each('[1,2]')",
    ]);
    let column = proptest::sample::select(vec![
        "*",
        "id",
        "email",
        "count(*)",
        "max(id), min(id)",
        "1 + 1",
        "(SELECT 1)",
        "hex(randomblob(3))",
        "zeroblob(10)",
    ]);
    let end = proptest::sample::select(vec![
        "",
        " LIMIT 1",
        " ORDER BY 1",
        " GROUP BY 1",
        " UNION ALL SELECT 1",
        "; DELETE FROM orders",
        " RETURNING id",
        " -- DROP TABLE orders",
        " WHERE 1 = (SELECT 1)",
        " WHERE EXISTS (DELETE FROM orders)",
        " INTO x",
    ]);
    let start = proptest::sample::select(vec![
        "",
        "EXPLAIN ",
        "EXPLAIN QUERY PLAN ",
        "WITH x AS (SELECT 1) ",
        "WITH x AS (DELETE FROM orders RETURNING *) ",
    ]);
    (start, column, table, end)
        .prop_map(|(start, column, table, end)| format!("{start}SELECT {column} FROM {table}{end}"))
}

fn changes_nothing(sql: &str) -> Result<(), TestCaseError> {
    let Ok(statement) = Statement::read(Dialect::Sqlite, sql) else { return Ok(()) };
    let copy = copy();
    let parameters = vec![serde_json::json!(1); statement.parameters()];
    let _ = copy.runtime.block_on(copy.connection.query(&statement, &parameters, &Limits::default()));
    prop_assert_eq!(&hash(copy.folder.path()), &copy.before, "{} changed the database", sql);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_reading_panic(sql in ".{0,200}") {
        let _ = Statement::read(Dialect::Postgres, &sql);
        let _ = Statement::read(Dialect::Sqlite, &sql);
    }

    #[test]
    fn words_of_sql_in_any_order_change_nothing(sql in words()) {
        let _ = Statement::read(Dialect::Postgres, &sql);
        changes_nothing(&sql)?;
    }

    #[test]
    fn sentences_that_are_let_through_change_nothing(sql in sentences()) {
        changes_nothing(&sql)?;
    }
}
