//! PostgreSQL below the parser, its values, its limits, and many statements at once.

use std::time::{Duration, Instant};

use pi_sql::{Connection, Dialect, Limits, Settings, Statement};
use serde_json::{Value, json};

use super::databases::{SHOP, Shop};
use super::server::shared;

#[tokio::test(flavor = "multi_thread")]
async fn values_of_every_type_come_as_json() {
    let shop = Shop::postgres(
        "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
         CREATE TYPE pair AS (a integer, b text); CREATE SCHEMA \"Odd\"; CREATE TYPE \"Odd\".\"Mood\" AS ENUM ('x')",
        |_| {},
    )
    .await;
    for (sql, value) in [
        ("true", json!(true)),
        ("1::smallint", json!(1)),
        ("9223372036854775807::bigint", json!(i64::MAX)),
        ("0.1::real", json!(0.1)),
        ("'NaN'::float8", json!("NaN")),
        ("'-Infinity'::float8", json!("-Infinity")),
        ("1.50::numeric", json!("1.50")),
        ("'NaN'::numeric", json!("NaN")),
        ("'Infinity'::numeric", json!("Infinity")),
        ("12345678901234567890.123456789::numeric", json!("12345678901234567890.123456789")),
        ("'12.34'::money", json!("$12.34")),
        ("'ä😀'::text", json!("ä😀")),
        ("'ab'::char(4)", json!("ab")),
        ("'a'::\"char\"", json!("a")),
        ("'a'::name", json!("a")),
        ("date '2026-11-23'", json!("2026-11-23")),
        ("date '9999-12-31'", json!("9999-12-31")),
        ("date '0044-03-15 BC'", json!("0044-03-15 BC")),
        ("'infinity'::date", json!("infinity")),
        ("time '10:00'", json!("10:00:00")),
        ("timestamp '2026-11-23 10:00:00.5'", json!("2026-11-23T10:00:00.5")),
        ("timestamptz '2026-11-23 10:00:00+02'", json!("2026-11-23T08:00:00Z")),
        ("'infinity'::timestamptz", json!("infinity")),
        ("'-infinity'::timestamp", json!("-infinity")),
        ("timestamptz '9999-12-31 23:59:59+00'", json!("9999-12-31T23:59:59Z")),
        ("interval '1 day 2 hours'", json!("1 day 02:00:00")),
        ("'\\x00ff'::bytea", json!("AP8=")),
        ("'{\"b\": 1, \"a\": [null]}'::json", json!({"b": 1, "a": [null]})),
        ("'{\"a\": 1}'::jsonb", json!({"a": 1})),
        ("ARRAY[1, NULL, 3]", json!([1, null, 3])),
        ("ARRAY[[1, 2], [3, 4]]", json!([[1, 2], [3, 4]])),
        ("ARRAY['a', 'b\"c']", json!(["a", "b\"c"])),
        ("ARRAY[1.50, 'NaN']::numeric[]", json!(["1.50", "NaN"])),
        ("ARRAY['happy']::mood[]", json!(["happy"])),
        ("'{}'::integer[]", json!([])),
        ("'[1,5)'::int4range", json!("[1,5)")),
        ("'{[1,3),[5,7)}'::int4multirange::text", json!("{[1,3),[5,7)}")),
        ("'10.0.0.1/8'::inet", json!("10.0.0.1/8")),
        ("'08:00:2b:01:02:03'::macaddr", json!("08:00:2b:01:02:03")),
        ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", json!("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
        ("B'101'", json!("101")),
        ("point '(1,2)'", json!("(1,2)")),
        ("'happy'::mood", json!("happy")),
        ("'x'::\"Odd\".\"Mood\"", json!("x")),
        ("5::positive", json!(5)),
        ("ROW(1, 'a')::pair", json!("(1,a)")),
        ("ROW(1, 'a')", json!("(1,a)")),
        ("to_tsvector('simple', 'a b')", json!("'a':1 'b':2")),
        ("'<a/>'::xml", json!("<a/>")),
        ("'pg_class'::regclass", json!("pg_class")),
        ("NULL", json!(null)),
        ("'1'::xid", json!("1")),
        ("'0/16B3748'::pg_lsn", json!("0/16B3748")),
    ] {
        let answer = shop.ask(&format!("SELECT {sql} AS v")).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(answer.rows, [[value]], "{sql}");
    }
    // The driver knows no multiranges; the connection is as good as before.
    let error = shop.ask("SELECT '{[1,3)}'::int4multirange").await.unwrap_err();
    assert_eq!(error.kind(), "failed");
    assert!(error.to_string().contains("::text"), "{error}");
    let answer = shop.ask("SELECT histogram_bounds, most_common_vals FROM pg_stats LIMIT 3").await.unwrap();
    assert_eq!(answer.columns[0].kind, "anyarray");
    assert_eq!(shop.ask("SELECT FROM pg_class LIMIT 2").await.unwrap().rows.len(), 2);
    assert_eq!(shop.rows("SHOW server_encoding").await, "[[\"UTF8\"]]");
    assert!(shop.rows("EXPLAIN SELECT 1").await.contains("Result"));
    assert_eq!(shop.rows("VALUES (1, 'a'), (2, 'b') -- c").await, "[[1,\"a\"],[2,\"b\"]]");
    assert_eq!(shop.rows("SELECT * FROM pg_tablespace LIMIT 0").await, "[]");
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_what_the_statement_takes() {
    let shop = Shop::postgres(&format!("{SHOP} CREATE TYPE mood AS ENUM ('sad')"), |_| {}).await;
    let limits = Limits::default();
    let sql = "SELECT $1::timestamptz, $2 + 1, $3::mood, $4::numeric, $5 AND true, $6::text, $7::jsonb, $2";
    let parameters = [
        json!("2026-01-01T00:00:00Z"),
        json!(41),
        json!("sad"),
        json!(1.5),
        json!(true),
        json!("'; DROP TABLE customers; --"),
        json!("[1]"),
    ];
    let answer = shop.ask_with(sql, &parameters, &limits).await.unwrap();
    let expected = [
        json!("2026-01-01T00:00:00Z"),
        json!(42),
        json!("sad"),
        json!("1.5"),
        json!(true),
        json!("'; DROP TABLE customers; --"),
        json!([1]),
        json!(41),
    ];
    assert_eq!(answer.rows, [expected]);
    let answer =
        shop.ask_with("SELECT id FROM customers WHERE id >= $1 AND placed($2)", &[json!(1), json!(2)], &limits).await;
    assert_eq!(answer.unwrap_err().kind(), "not_found");
    let answer = shop
        .ask_with("SELECT id FROM customers WHERE country = $1 ORDER BY id LIMIT $2", &[json!("FR"), json!(1)], &limits)
        .await;
    assert_eq!(answer.unwrap().rows, [[json!(2)]]);
    for wrong in [vec![], vec![json!(1), json!(2)], vec![json!([1])], vec![json!({})]] {
        assert_eq!(shop.ask_with("SELECT $1::int", &wrong, &limits).await.unwrap_err().kind(), "refused");
    }
    assert_eq!(shop.ask_with("SELECT $1::int", &[json!("x")], &limits).await.unwrap_err().kind(), "failed");
    assert_eq!(shop.ask_with("SELECT $1::int", &[Value::Null], &limits).await.unwrap().rows, [[json!(null)]]);
}

/// The parser does not know what a function does: the transaction does.
#[tokio::test(flavor = "multi_thread")]
async fn functions_and_views_that_write_are_stopped_by_the_transaction() {
    let sql = format!(
        "{SHOP}
         CREATE SEQUENCE s;
         CREATE FUNCTION wipe() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN DELETE FROM customers; RETURN 1; END $$;
         CREATE FUNCTION wipe_as_owner() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN DELETE FROM customers; RETURN 1; END $$;
         CREATE FUNCTION open_up() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
           SET LOCAL transaction_read_only = off; DELETE FROM customers; RETURN 1; END $$;
         CREATE FUNCTION open_up_by_call() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
           PERFORM set_config('transaction_read_only', 'off', false); DELETE FROM customers; RETURN 1; END $$;
         CREATE FUNCTION end_it() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN COMMIT; DELETE FROM customers; RETURN 1; END $$;
         CREATE FUNCTION make() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN CREATE TABLE made (a integer); RETURN 1; END $$;
         CREATE FUNCTION count_on() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT nextval(''s'')';
         CREATE FUNCTION write_out() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN EXECUTE 'UPDATE customers SET id = id + 100'; RETURN 1; END $$;
         CREATE VIEW sly AS SELECT wipe_as_owner() AS a;
         CREATE FUNCTION compare(integer, integer) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN DELETE FROM customers; RETURN true; END $$;
         CREATE OPERATOR @> (LEFTARG = integer, RIGHTARG = integer, FUNCTION = compare)"
    );
    let shop = Shop::postgres(&sql, |_| {}).await;
    let superuser = Connection::new(Settings::new(shared().url("postgres", &shop.database))).unwrap();
    for sql in [
        "SELECT wipe()",
        "SELECT wipe_as_owner()",
        "SELECT open_up()",
        "SELECT open_up_by_call()",
        "SELECT end_it()",
        "SELECT make()",
        "SELECT count_on()",
        "SELECT write_out()",
        "SELECT * FROM sly",
        "SELECT id FROM customers WHERE id OPERATOR(public.@>) 1",
        "EXPLAIN ANALYZE SELECT wipe_as_owner()",
        "SELECT * FROM wipe()",
    ] {
        let statement = Statement::read(Dialect::Postgres, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        for connection in [&shop.connection, &superuser] {
            let error = connection.query(&statement, &[], &Limits::default()).await.unwrap_err();
            assert!(["refused", "failed", "denied"].contains(&error.kind()), "{sql}: {error}");
        }
    }
    assert_eq!(shared().number(&shop.database, "SELECT sum(id) FROM customers").await, 10);
    assert_eq!(shared().number(&shop.database, "SELECT count(*) FROM pg_class WHERE relname = 'made'").await, 0);
    assert_eq!(shared().number(&shop.database, "SELECT last_value FROM s").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_stops_at_its_limits_and_never_pulls_the_rest() {
    let shop = Shop::postgres(SHOP, |settings| settings.rows_max = 1000).await;
    // Were it pulled, or counted, this would take minutes.
    let endless = "SELECT x, 'abcdefgh' AS t FROM generate_series(1, 1000000000) x, generate_series(1, 1000) y";
    let started = Instant::now();
    let statement = "SELECT a.relname, b.relname, c.relname FROM pg_class a, pg_class b, pg_class c, pg_class d";
    let answer = shop.ask(statement).await.unwrap();
    assert_eq!((answer.rows.len(), answer.is_cut), (1000, true));
    let limits = Limits { bytes_max: Some(5000), ..Limits::default() };
    let answer = shop.ask_with(statement, &[], &limits).await.unwrap();
    assert!(answer.is_cut && answer.rows.len() > 20 && answer.rows.len() < 500, "{}", answer.rows.len());
    assert!(started.elapsed() < Duration::from_secs(10));
    let limits = Limits { cost_max: Some(1000.0), ..Limits::default() };
    let error =
        shop.ask_with("SELECT count(*) FROM pg_class a, pg_class b, pg_class c", &[], &limits).await.unwrap_err();
    assert!(error.kind() == "too_costly" && error.to_string().contains("1000 is let through"), "{error}");
    let answer = shop.ask_with("SELECT id FROM customers WHERE id = $1", &[json!(1)], &limits).await.unwrap();
    assert!(answer.cost_estimated.unwrap() > 0.0 && answer.rows == [[json!(1)]]);
    assert_eq!(
        shop.ask_with(&format!("EXPLAIN ANALYZE {endless}"), &[], &limits).await.unwrap_err().kind(),
        "too_costly"
    );
    let large =
        shop.ask("SELECT repeat('é', 500000) AS a, decode(repeat('00', 1000000), 'hex') AS b, 1 AS c").await.unwrap();
    assert!(large.rows[0][0].as_str().unwrap().ends_with("[cut at 16384 bytes]") && large.rows[0][2] == json!(1));
    assert_eq!(large.cells_cut, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_nobody_waits_for_ends_in_the_server_too() {
    let shop = Shop::postgres(SHOP, |settings| settings.connections_max = 1).await;
    let long = "SELECT count(*) FROM generate_series(1, 100000000) a, generate_series(1, 1000) b";
    let running = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader_{}' AND query LIKE 'FETCH%' AND state = 'active'",
        shop.database
    );
    let connection = shop.connection.clone();
    let statement = Statement::read(Dialect::Postgres, long).unwrap();
    let asked = tokio::spawn(async move { connection.query(&statement, &[], &Limits::default()).await });
    let deadline = Instant::now() + Duration::from_secs(10);
    while shared().number(&shop.database, &running).await == 0 {
        assert!(Instant::now() < deadline, "it never ran");
    }
    asked.abort();
    let abandoned = Instant::now();
    while shared().number(&shop.database, &running).await > 0 {
        assert!(abandoned.elapsed() < Duration::from_secs(5), "it still runs");
    }
    // Its place is free again.
    assert_eq!(shop.rows("SELECT 1").await, "[[1]]");
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_run_side_by_side_up_to_the_limit_and_a_snapshot_sees_one_moment() {
    let shop = Shop::postgres(SHOP, |settings| settings.connections_max = 3).await;
    let asked = (0..12).map(|number| {
        let (connection, sql) =
            (shop.connection.clone(), format!("SELECT {number} FROM generate_series(1, 200000) LIMIT 1 OFFSET 199999"));
        tokio::spawn(async move {
            let statement = Statement::read(Dialect::Postgres, &sql).unwrap();
            connection.query(&statement, &[], &Limits::default()).await.unwrap().rows
        })
    });
    for (number, answer) in asked.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(answer.await.unwrap(), [[json!(number)]]);
    }
    let sessions = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader_{}'", shop.database);
    assert_eq!(shared().number(&shop.database, &sessions).await, 3);
    let mut snapshot = shop.connection.snapshot().await.unwrap();
    let limits = Limits::default();
    let read = |sql| Statement::read(Dialect::Postgres, sql).unwrap();
    assert_eq!(snapshot.query(&read("SELECT count(*) FROM customers"), &[], &limits).await.unwrap().rows, [[json!(4)]]);
    shared().execute(&shop.database, "DELETE FROM customers WHERE id = 1").await;
    assert_eq!(snapshot.query(&read("SELECT 1 / 0"), &[], &limits).await.unwrap_err().kind(), "failed");
    assert_eq!(snapshot.query(&read("SELECT count(*) FROM customers"), &[], &limits).await.unwrap().rows, [[json!(4)]]);
    assert_eq!(shop.rows("SELECT count(*) FROM customers").await, "[[3]]");
    snapshot.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_and_five_thousand_tables_do_no_harm() {
    let hostile = "\"\"\"; drop table t; --\"";
    let sql = format!(
        "CREATE TABLE t (a integer); CREATE TABLE {hostile} (\"'; drop table t; --\" text, \"select\" integer);
         INSERT INTO {hostile} VALUES ('x', 1);"
    );
    let shop = Shop::postgres(&sql, |settings| settings.personal = vec!["*drop table t*".into()]).await;
    let many = "DO $$ BEGIN FOR i IN 1..5000 LOOP EXECUTE format('CREATE TABLE many_%s (id integer, email text)', i);
         IF i % 500 = 0 THEN COMMIT; END IF; END LOOP; END $$";
    shared().execute(&shop.database, many).await;
    let answer = shop.ask(&format!("SELECT * FROM {hostile}")).await.unwrap();
    assert_eq!(answer.rows, [[json!("[masked]"), json!(1)]]);
    assert_eq!(shop.rows("SELECT count(*) FROM t").await, "[[0]]");
    assert_eq!(
        shop.rows("SELECT count(*) FROM information_schema.columns WHERE table_name LIKE 'many%'").await,
        "[[10000]]"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn health_warns_of_a_role_that_may_write_with_the_sql_of_one_that_may_not() {
    let shop = Shop::postgres(SHOP, |_| {}).await;
    let health = shop.connection.health().await.unwrap();
    assert!(health.version.starts_with("PostgreSQL ") && health.warnings.is_empty(), "{health:?}");
    let superuser = Connection::new(Settings::new(shared().url("postgres", &shop.database))).unwrap();
    let warnings = superuser.health().await.unwrap().warnings;
    assert!(warnings[0].text.contains("is a superuser"), "{warnings:?}");
    shared().execute(&shop.database, &format!("GRANT INSERT ON orders TO reader_{}", shop.database)).await;
    let warnings = shop.connection.health().await.unwrap().warnings;
    assert_eq!(warnings[0].text, format!("the role `reader_{}` may write, such as to `public.orders`", shop.database));
    // The SQL it gives makes a role of which there is nothing to warn.
    let sql = warnings[0].sql.clone().unwrap().replace("pi_reader", &format!("made_{}", shop.database));
    shared().execute(&shop.database, &sql).await;
    let made =
        Connection::new(Settings::new(shared().url(&format!("made_{}", shop.database), &shop.database))).unwrap();
    assert!(made.health().await.unwrap().warnings.is_empty());
    let statement = Statement::read(Dialect::Postgres, "SELECT count(*) FROM customers").unwrap();
    assert_eq!(made.query(&statement, &[], &Limits::default()).await.unwrap().rows, [[json!(4)]]);
}
