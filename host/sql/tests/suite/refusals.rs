//! What is not let through, and what is: before anything is sent.

use pi_sql::{Dialect, Kind, Statement};

fn refusal(dialect: Dialect, sql: &str) -> String {
    match Statement::read(dialect, sql) {
        Ok(statement) => panic!("let through: {sql}: {:?}", statement.kind()),
        Err(error) => error.to_string(),
    }
}

const BOTH: &[Dialect] = &[Dialect::Postgres, Dialect::Sqlite];

#[test]
fn only_one_statement_that_reads_is_let_through() {
    let changes = [
        "INSERT INTO t VALUES (1)",
        "UPDATE t SET a = 1",
        "DELETE FROM t",
        "CREATE TABLE t (a int)",
        "CREATE TABLE t AS SELECT 1",
        "DROP TABLE t",
        "ALTER TABLE t ADD b int",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT a",
        "VACUUM",
        "ANALYZE t",
        "SELECT 1; DROP TABLE t",
        "SELECT 1; SELECT 2",
        "SELECT 1;;SELECT 2",
        "",
        ";",
        "-- nothing",
        "SELEC 1",
        "SELECT 1 /* open",
        "EXPLAIN DELETE FROM t",
        "EXPLAIN ANALYZE DELETE FROM t",
        "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1",
        "DROP TABLE t; SELECT 1",
        "/* SELECT 1 */ DELETE FROM t",
    ];
    for dialect in BOTH {
        for sql in changes {
            assert!(refusal(*dialect, sql).starts_with("refused: "), "{sql}");
        }
    }
}

#[test]
fn postgres_statements_that_write_or_reach_out_are_refused() {
    let statements = [
        "WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d",
        "WITH d AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM d",
        "WITH d AS (UPDATE t SET a = 1 RETURNING *) SELECT * FROM d",
        "WITH a AS (WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d) SELECT * FROM a",
        "SELECT * FROM (WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d) s",
        "SELECT * INTO u FROM t",
        "SELECT * FROM t FOR UPDATE",
        "SELECT * FROM t FOR SHARE",
        "SELECT * FROM (SELECT * FROM t FOR UPDATE) s",
        "COPY t TO '/tmp/x'",
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "COPY t FROM '/etc/passwd'",
        "DO $$ BEGIN DELETE FROM t; END $$",
        "CALL p()",
        "EXECUTE p",
        "PREPARE p AS SELECT 1",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        "SET transaction_read_only = off",
        "RESET ALL",
        "DISCARD ALL",
        "LISTEN c",
        "NOTIFY c",
        "LOCK TABLE t",
        "TRUNCATE t",
        "GRANT ALL ON t TO public",
        "LOAD 'x'",
        "DECLARE c CURSOR FOR SELECT 1",
        "FETCH ALL FROM c",
        "REFRESH MATERIALIZED VIEW m",
        "SECURITY LABEL ON TABLE t IS 'x'",
        "COMMENT ON TABLE t IS 'x'",
        "CREATE EXTENSION dblink",
        "CLUSTER t",
        "REINDEX TABLE t",
        "CHECKPOINT",
        "IMPORT FOREIGN SCHEMA s FROM SERVER x INTO y",
        "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE",
    ];
    for sql in statements {
        assert!(refusal(Dialect::Postgres, sql).starts_with("refused: "), "{sql}");
    }
}

#[test]
fn postgres_functions_with_effects_or_reach_are_refused_in_every_spelling() {
    let calls = [
        "pg_read_file('/etc/passwd')",
        "PG_READ_FILE('/etc/passwd')",
        "pg_catalog.pg_read_file('/etc/passwd')",
        "\"pg_read_file\"('/etc/passwd')",
        "pg_catalog.\"pg_read_file\"('/etc/passwd')",
        "\"pg_catalog\" . \"pg_read_binary_file\" /* x */ ('/etc/passwd')",
        "pg_read_file--\n('/etc/passwd')",
        "U&\"pg_read\\005ffile\"('/etc/passwd')",
        "pg_ls_dir('/')",
        "lo_import('/etc/passwd')",
        "lo_export(1, '/tmp/x')",
        "lo_get(1)",
        "dblink('host=x', 'DELETE FROM t')",
        "dblink_connect('host=x')",
        "pg_terminate_backend(1)",
        "pg_cancel_backend(1)",
        "pg_reload_conf()",
        "set_config('transaction_read_only', 'off', true)",
        "nextval('s')",
        "setval('s', 1)",
        "pg_advisory_lock(1)",
        "pg_try_advisory_xact_lock(1)",
        "pg_sleep(1)",
        "pg_sleep_for('1 s')",
        "query_to_xml('DELETE FROM t', true, false, '')",
        "query_to_xml_and_xmlschema('SELECT 1', true, false, '')",
        "table_to_xml('t', true, false, '')",
        "database_to_xml(true, false, '')",
        "ts_stat('SELECT 1')",
        "crosstab('SELECT 1')",
        "pg_notify('a', 'b')",
        "pg_logical_emit_message(true, 'a', 'b')",
        "pg_create_physical_replication_slot('a')",
        "pg_stat_reset()",
        "pg_switch_wal()",
        "pg_export_snapshot()",
        "txid_current()",
        "get_raw_page('t', 0)",
        "net.http_get('http://x')",
        "aws_s3.query_export_to_s3('SELECT 1', 'x')",
        "cron.schedule('x', 'y', 'z')",
    ];
    for call in calls {
        for sql in
            [format!("SELECT {call}"), format!("SELECT * FROM {call} AS x"), format!("SELECT 1 WHERE {call} IS NULL")]
        {
            assert!(refusal(Dialect::Postgres, &sql).starts_with("refused: "), "{sql}");
        }
    }
    assert!(
        refusal(Dialect::Postgres, "SELECT 1 ORDER BY (SELECT max(x) FROM pg_ls_dir('/') x)").contains("pg_ls_dir")
    );
    assert!(refusal(Dialect::Postgres, "SELECT * FROM t, LATERAL pg_read_file(t.a) f").contains("pg_read_file"));
    assert!(refusal(Dialect::Postgres, "SELECT * FROM ROWS FROM (pg_ls_dir('/')) f").contains("pg_ls_dir"));
}

#[test]
fn sqlite_statements_and_functions_that_write_or_reach_out_are_refused() {
    let statements = [
        "PRAGMA user_version = 5",
        "PRAGMA user_version",
        "PRAGMA writable_schema = 1",
        "ATTACH 'x.db' AS x",
        "DETACH x",
        "VACUUM INTO 'x.db'",
        "REPLACE INTO t VALUES (1)",
        "INSERT OR REPLACE INTO t VALUES (1)",
        "REINDEX t",
        "SELECT load_extension('x')",
        "SELECT \"load_extension\"('x')",
        "SELECT [load_extension]('x')",
        "SELECT `load_extension`('x')",
        "SELECT LOAD_EXTENSION /**/ ('x')",
        "SELECT readfile('/etc/passwd')",
        "SELECT writefile('/tmp/x', 'y')",
        "SELECT fts3_tokenizer('simple')",
        "SELECT * FROM pragma_journal_mode('off')",
        "SELECT * FROM pragma_wal_checkpoint",
        "SELECT * FROM fsdir('/')",
        "SELECT * FROM sqlite_dbpage",
        "SHOW tables",
        "SELECT :name",
        "SELECT @name",
        "SELECT ?",
    ];
    for sql in statements {
        assert!(refusal(Dialect::Sqlite, sql).starts_with("refused: "), "{sql}");
    }
    for sql in [
        "SELECT * FROM pragma_table_info('t')",
        "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_xinfo(t.name) c",
    ] {
        assert!(Statement::read(Dialect::Sqlite, sql).is_ok(), "{sql}");
    }
}

#[test]
fn what_reads_is_let_through_with_what_it_names() {
    let read = |sql| Statement::read(Dialect::Postgres, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let statement = read(
        "WITH c AS (SELECT * FROM Shop.Customers) SELECT c.Email, max(\"O\".total) FROM c JOIN \"Orders\" \"O\" USING (id) GROUP BY 1;",
    );
    assert_eq!(statement.tables(), ["Orders", "shop.customers"]);
    assert_eq!(statement.columns(), ["email", "total"]);
    assert_eq!(statement.functions(), ["max"]);
    // The name of an expression of WITH is a table's where the expression does not reach.
    assert_eq!(read("SELECT (WITH t AS (SELECT 1 AS a) SELECT a FROM t), b FROM t").tables(), ["t"]);
    assert_eq!(read("WITH t AS (SELECT * FROM t) SELECT * FROM t").tables(), ["t"]);
    assert_eq!(
        read("WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM t) SELECT * FROM t").tables(),
        [""; 0]
    );
    assert_eq!(read("EXPLAIN SELECT 1").kind(), Kind::Explain);
    assert_eq!(read("EXPLAIN (ANALYZE, FORMAT JSON) SELECT 1").kind(), Kind::ExplainAnalyze);
    assert_eq!(read("SHOW server_version").kind(), Kind::Show);
    assert_eq!(read("SELECT $1::int + $2").parameters(), 2);
    for sql in [
        "VALUES (1, 'a'), (2, 'b')",
        "SELECT DISTINCT ON (a) a, row_number() OVER (PARTITION BY b ORDER BY c) FROM t TABLESAMPLE SYSTEM (1)",
        "SELECT a ->> 'x', b::numeric(10,2), c AT TIME ZONE 'UTC', percentile_cont(0.5) WITHIN GROUP (ORDER BY d) FROM t",
        "SELECT count(*) FILTER (WHERE a) FROM t GROUP BY ROLLUP (b, c) HAVING count(*) > 1 LIMIT 5 OFFSET 2",
        "SELECT pg_wal_lsn_diff(a, b), pg_relation_size('t'), pg_get_indexdef(1) FROM t",
        "SELECT * FROM generate_series(1, 3) AS g(x), unnest(ARRAY[1]) u, LATERAL (SELECT g.x) l",
        "SELECT interval '1 day', date '2026-01-01', extract(epoch FROM now()), width_bucket(1, 2, 3, 4)",
        "SELECT 'nextval(1); DELETE FROM t' AS a -- pg_sleep(1)",
    ] {
        read(sql);
    }
    let read = |sql| Statement::read(Dialect::Sqlite, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    for sql in [
        "SELECT a FROM [t] WHERE b GLOB 'x*' AND c IS NOT NULL",
        "EXPLAIN QUERY PLAN SELECT 1",
        "SELECT strftime('%Y', a), total(b), group_concat(c, ',') FROM t LIMIT 2, 3",
        "SELECT * FROM json_each('[1]')",
    ] {
        read(sql);
    }
}

#[test]
fn a_text_that_is_too_long_or_too_deep_is_refused_and_overflows_nothing() {
    for dialect in BOTH {
        let kind = |sql: &str| Statement::read(*dialect, sql).unwrap_err().kind();
        assert_eq!(kind(&format!("SELECT 1{}", " + 1".repeat(2000))), "too_large");
        assert_eq!(kind(&format!("SELECT 1{}", "+1".repeat(4990))), "too_large");
        assert_eq!(kind(&format!("SELECT {}1{}", "(".repeat(4000), ")".repeat(4000))), "too_large");
        assert_eq!(kind(&format!("SELECT {}1", "- ".repeat(4000))), "too_large");
        // The parser tries another reading when it comes to its limit, and fails at that.
        assert!(["refused", "too_large"].contains(&kind(&format!("SELECT {}1", "NOT ".repeat(4000)))));
        assert_eq!(kind(&format!("SELECT 1{}", " UNION SELECT 1".repeat(1000))), "too_large");
        assert_eq!(kind(&format!("SELECT 1{}", "::text".repeat(3000))), "too_large");
        assert_eq!(kind(&"SELECT 1 ".repeat(20_000)), "too_large");
        let list = (0..2000).map(|number| number.to_string()).collect::<Vec<_>>().join(", ");
        assert!(Statement::read(*dialect, &format!("SELECT 1 WHERE 1 IN ({list})")).is_ok());
        assert!(Statement::read(*dialect, &format!("SELECT 1 WHERE a = 1{}", " AND a = 1".repeat(200))).is_ok());
    }
}
