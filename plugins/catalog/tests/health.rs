//! Each check of health on a database that really has it; and a healthy one, in which nothing is found.

use std::time::{Duration, Instant};

use pi_catalog::database::Database;
use pi_catalog::health::{Ailment, Health, Thresholds, examine};

use crate::postgres_server::{Place, place};
use crate::sqlite::Sqlite;

/// Limits that a test can pass in a second, each for the check that it is about.
fn thresholds() -> Thresholds {
    Thresholds { unused_days: 0.0, ..Thresholds::default() }
}

fn of<'a>(health: &'a Health, kind: &str) -> Vec<&'a Ailment> {
    health.ailments.iter().filter(|ailment| ailment.finding.kind == kind).collect()
}

fn claims(health: &Health, kind: &str) -> Vec<String> {
    of(health, kind).iter().map(|ailment| ailment.finding.claim.clone()).collect()
}

/// Looks until the check finds something: statistics arrive a moment later.
fn until(place: &Place, thresholds: &Thresholds, kind: &str) -> Health {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let health = examine(&mut place.open(), thresholds);
        if !of(&health, kind).is_empty() {
            return health;
        }
        assert!(Instant::now() < deadline, "{kind} was not found: {health:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The evidence runs again, and shows the same things.
fn evidence_holds(place: &Place, ailment: &Ailment) {
    let evidence = &ailment.finding.evidence[0];
    let again =
        place.open().query(&evidence.query).unwrap_or_else(|error| panic!("{error}: {}", evidence.query.statement));
    assert_eq!(again.columns, evidence.rows.columns);
    assert_eq!(again.rows.len(), 1, "{}", evidence.query.statement);
}

#[test]
fn a_healthy_database_has_nothing() {
    let place = place();
    place.run(
        "CREATE TABLE a (id int PRIMARY KEY, x text); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a, y int);
         CREATE INDEX b_a ON b (a); CREATE INDEX b_y ON b (y, id); INSERT INTO a SELECT i, 'x' FROM generate_series(1, 20000) i;
         INSERT INTO b SELECT i, i, i FROM generate_series(1, 20000) i",
    );
    place.run("VACUUM ANALYZE");
    let health = examine(&mut place.open(), &Thresholds::default());
    // The server is shared: what is about all of it (locks, long transactions) belongs to other tests.
    let own: Vec<&Ailment> =
        health.ailments.iter().filter(|ailment| !ailment.finding.subject.table.is_empty()).collect();
    assert!(own.is_empty(), "{own:?}");
    assert!(health.gaps.iter().any(|gap| gap.starts_with("unused indexes: the statistics are")), "{:?}", health.gaps);
    assert!(health.gaps.iter().any(|gap| gap.contains("pg_stat_statements is not there")), "{:?}", health.gaps);
}

#[test]
fn indexes_unused_duplicate_overlapping_and_missing() {
    let place = place();
    place.run(
        "CREATE TABLE a (id int PRIMARY KEY, x int UNIQUE, y int, z text);
         CREATE TABLE \"b; drop\" (id int, a int REFERENCES a, y int);
         INSERT INTO a SELECT i, i, i, 'z' || i FROM generate_series(1, 50000) i;
         INSERT INTO \"b; drop\" SELECT i, 1 + i % 50000, i FROM generate_series(1, 20000) i;
         CREATE INDEX a_y ON a (y); CREATE INDEX a_y_again ON a (y); CREATE INDEX a_y_z ON a (y, z); CREATE INDEX a_x ON a (x);
         CREATE INDEX a_y_other ON a (y DESC); CREATE INDEX a_y_part ON a (y) WHERE y > 3; CREATE INDEX a_lower ON a (lower(z));
         CREATE UNIQUE INDEX a_z ON a (z);",
    );
    place.run("VACUUM ANALYZE");
    place.run("SET enable_seqscan = off; SELECT * FROM a WHERE lower(z) = 'z7'; SELECT pg_stat_force_next_flush()");
    let health = until(&place, &thresholds(), "index_unused");
    let told = |kind: &str| -> Vec<String> {
        claims(&health, kind).iter().map(|claim| claim.split('`').nth(1).unwrap().to_owned()).collect()
    };
    let mut duplicate = told("index_duplicate");
    duplicate.sort();
    assert_eq!(duplicate, ["a_x", "a_y_again"]);
    let mut overlapping = told("index_overlapping");
    overlapping.sort();
    assert_eq!(overlapping, ["a_y", "a_y_again"]);
    let unused = told("index_unused");
    assert!(unused.contains(&"a_y_other".to_owned()) && !unused.contains(&"a_z".to_owned()), "{unused:?}");
    assert!(!unused.contains(&"a_lower".to_owned()), "it was read: {unused:?}");
    assert!(!unused.iter().any(|name| name.contains("key")), "{unused:?}");
    let missing = of(&health, "foreign_key_without_index");
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].mend, ["CREATE INDEX CONCURRENTLY ON \"public\".\"b; drop\" (\"a\");"]);
    for ailment in of(&health, "index_duplicate").into_iter().chain(missing).chain(of(&health, "index_unused")) {
        evidence_holds(&place, ailment);
    }
    // What is proposed is a statement that works, and mends it.
    for statement in of(&health, "index_duplicate")
        .iter()
        .chain(&of(&health, "foreign_key_without_index"))
        .flat_map(|ailment| &ailment.mend)
    {
        place.run(statement);
    }
    let after = examine(&mut place.open(), &thresholds());
    assert!(
        of(&after, "index_duplicate").is_empty() && of(&after, "foreign_key_without_index").is_empty(),
        "{after:?}"
    );
}

#[test]
fn an_index_whose_build_failed_is_invalid() {
    let place = place();
    place.run("CREATE TABLE t (x int); INSERT INTO t VALUES (1), (1)");
    assert!(place.client().batch_execute("CREATE UNIQUE INDEX CONCURRENTLY t_x ON t (x)").is_err());
    let health = examine(&mut place.open(), &thresholds());
    let found = of(&health, "index_invalid");
    assert_eq!(
        found[0].finding.claim,
        "The index `t_x` of `public.t` is invalid: each write keeps it, no read uses it."
    );
    evidence_holds(&place, found[0]);
}

#[test]
fn a_constraint_that_was_not_checked() {
    let place = place();
    place.run("CREATE TABLE t (x int); ALTER TABLE t ADD CONSTRAINT positive CHECK (x > 0) NOT VALID");
    let health = examine(&mut place.open(), &thresholds());
    let found = of(&health, "constraint_not_validated");
    evidence_holds(&place, found[0]);
    place.run(&found[0].mend[0]);
    assert!(of(&examine(&mut place.open(), &thresholds()), "constraint_not_validated").is_empty());
}

#[test]
fn sequences_near_their_end() {
    let place = place();
    place.run(
        "CREATE TABLE serials (id serial, x int); SELECT setval('serials_id_seq', 2000000000);
         CREATE TABLE identities (id smallint GENERATED ALWAYS AS IDENTITY); SELECT setval('identities_id_seq', 25000);
         CREATE SEQUENCE wide; CREATE TABLE narrow (id int DEFAULT nextval('wide')); ALTER SEQUENCE wide OWNED BY narrow.id; SELECT setval('wide', 1900000000);
         CREATE TABLE fine (id bigserial); SELECT setval('fine_id_seq', 2000000000);
         CREATE SEQUENCE round MAXVALUE 10 CYCLE; SELECT setval('round', 10);",
    );
    let health = examine(&mut place.open(), &thresholds());
    let mut found: Vec<String> = of(&health, "sequence_near_end")
        .iter()
        .map(|ailment| {
            format!(
                "{:?} {}.{}",
                ailment.finding.severity,
                ailment.finding.subject.table,
                ailment.finding.subject.column.as_deref().unwrap()
            )
        })
        .collect();
    found.sort();
    assert_eq!(found, ["Critical serials.id", "Warning identities.id", "Warning narrow.id"]);
    for ailment in of(&health, "sequence_near_end") {
        evidence_holds(&place, ailment);
        for statement in &ailment.mend {
            place.run(statement);
        }
    }
    assert!(of(&examine(&mut place.open(), &thresholds()), "sequence_near_end").is_empty());
}

#[test]
fn transactions_that_are_open_and_locks_that_wait() {
    let place = place();
    place.run("CREATE TABLE t (x int); INSERT INTO t VALUES (1)");
    let mut holder = place.client();
    holder.batch_execute("BEGIN; UPDATE t SET x = 2").unwrap();
    let holder_pid: i32 = holder.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let mut waiter = place.client();
    let waiter_pid: i32 = waiter.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let waiting = std::thread::spawn(move || waiter.batch_execute("UPDATE t SET x = 3"));
    let thresholds =
        Thresholds { lock_seconds: 0.2, idle_in_transaction_seconds: 0.2, transaction_seconds: 0.2, ..thresholds() };
    let deadline = Instant::now() + Duration::from_secs(20);
    let ours = |health: &Health, kind: &str, pid: i32| -> Option<Ailment> {
        of(health, kind).into_iter().find(|ailment| ailment.finding.numbers["pid"] == f64::from(pid)).cloned()
    };
    let health = loop {
        let health = examine(&mut place.open(), &thresholds);
        if ours(&health, "lock_blocked", waiter_pid).is_some()
            && ours(&health, "idle_in_transaction", holder_pid).is_some()
        {
            break health;
        }
        assert!(Instant::now() < deadline, "{health:?}");
    };
    let blocked = ours(&health, "lock_blocked", waiter_pid).unwrap();
    assert_eq!(blocked.finding.numbers["blocker"], f64::from(holder_pid));
    assert!(blocked.finding.claim.contains("public.t"), "{}", blocked.finding.claim);
    assert!(ours(&health, "transaction_long", waiter_pid).is_some(), "{health:?}");
    evidence_holds(&place, &blocked);
    // A lock never makes the look itself wait: the table is locked for everybody else.
    let terminate = blocked.mend.iter().find(|statement| statement.contains("terminate")).unwrap();
    place.run(terminate);
    waiting.join().unwrap().unwrap();
    assert!(ours(&examine(&mut place.open(), &thresholds), "lock_blocked", waiter_pid).is_none());
}

#[test]
fn a_table_under_an_exclusive_lock_does_not_make_the_look_wait() {
    let place = place();
    place.run("CREATE TABLE t (x int PRIMARY KEY DEFAULT 3, CHECK (x > 0)); CREATE INDEX t_x ON t ((x + 1)) WHERE x > 5; INSERT INTO t VALUES (1); CREATE VIEW v AS SELECT x FROM t");
    let before = pi_catalog::snapshot::take(&mut place.open(), &crate::snapshots::sampled()).unwrap();
    let mut holder = place.client();
    holder.batch_execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE").unwrap();
    let mut database = place.open();
    database.client.batch_execute("SET statement_timeout = '5s'").unwrap();
    let health = examine(&mut database, &thresholds());
    assert!(!health.gaps.iter().any(|gap| gap.contains("timed out")), "{:?}", health.gaps);
    let snapshot = pi_catalog::snapshot::take(&mut database, &crate::snapshots::sampled()).unwrap();
    assert_eq!(snapshot.gaps, ["somebody has locked `public.t`: defaults, expressions and contents were not read"]);
    assert_eq!(snapshot.tables.len(), 2);
    assert_eq!(pi_catalog::diff::diff(&before, &snapshot, &[]), []);
}

#[test]
fn a_slot_that_nobody_uses() {
    let place = place();
    let name = format!("slot_{}", place.name);
    place.run(&format!("SELECT pg_create_logical_replication_slot('{name}', 'test_decoding'); CREATE TABLE t (x int); INSERT INTO t SELECT * FROM generate_series(1, 10000)"));
    let health = examine(&mut place.open(), &Thresholds { slot_bytes: 100_000.0, ..thresholds() });
    let found: Vec<&Ailment> =
        of(&health, "slot_inactive").into_iter().filter(|ailment| ailment.finding.claim.contains(&name)).collect();
    assert_eq!(found.len(), 1, "{health:?}");
    place.run(&found[0].mend[0]);
    let after = examine(&mut place.open(), &Thresholds { slot_bytes: 0.0, ..thresholds() });
    assert!(!claims(&after, "slot_inactive").iter().any(|claim| claim.contains(&name)));
}

#[test]
fn connections_near_the_limit() {
    let place = place();
    let _held = place.client();
    let health = examine(&mut place.open(), &Thresholds { connections_share: 0.01, ..thresholds() });
    let found = of(&health, "connections_near_limit");
    assert_eq!(found[0].finding.numbers["allowed"], 57.0);
    assert!(found[0].finding.numbers["used"] >= 2.0);
}

#[test]
fn autovacuum_that_is_off_behind_or_never_was() {
    let place = place();
    place.run(
        "CREATE TABLE off (x int) WITH (autovacuum_enabled = false); CREATE TABLE fresh (x int) WITH (autovacuum_vacuum_threshold = 1000000000, autovacuum_enabled = false);
         INSERT INTO fresh SELECT * FROM generate_series(1, 20000); SELECT pg_stat_force_next_flush()",
    );
    let health = until(&place, &thresholds(), "table_never_analyzed");
    assert_eq!(of(&health, "autovacuum_off").len(), 2);
    let never = of(&health, "table_never_analyzed");
    assert_eq!(never[0].finding.numbers["rows"], 20000.0);
    evidence_holds(&place, never[0]);
    place.run(&never[0].mend[0]);
    assert!(of(&examine(&mut place.open(), &thresholds()), "table_never_analyzed").is_empty());
}

#[test]
fn dead_rows_that_autovacuum_does_not_remove() {
    let place = place();
    place.run("CREATE TABLE t (x int); INSERT INTO t SELECT * FROM generate_series(1, 20000); ANALYZE t; UPDATE t SET x = x + 1; UPDATE t SET x = x + 1; SELECT pg_stat_force_next_flush()");
    let health = until(&place, &Thresholds { rows: 1000.0, ..thresholds() }, "autovacuum_behind");
    let found = of(&health, "autovacuum_behind");
    assert_eq!((found[0].finding.numbers["dead"], found[0].finding.numbers["begins_at"]), (40000.0, 4050.0));
    evidence_holds(&place, found[0]);
}

#[test]
fn bloat_is_estimated_and_mended() {
    let place = place();
    place.run(
        "CREATE TABLE t (x int, y text); CREATE INDEX t_x ON t (x); CREATE TABLE dense (x int, y text); CREATE INDEX dense_x ON dense (x);
         INSERT INTO t SELECT i, repeat('y', 100) FROM generate_series(1, 60000) i; INSERT INTO dense SELECT i, repeat('y', 100) FROM generate_series(1, 60000) i;
         DELETE FROM t WHERE x % 20 <> 0",
    );
    place.run("VACUUM ANALYZE");
    let thresholds = Thresholds { bloat_bytes: 500_000.0, ..thresholds() };
    let health = until(&place, &thresholds, "table_bloated");
    let found = of(&health, "table_bloated");
    assert_eq!(found.len(), 1, "{:?}", claims(&health, "table_bloated"));
    // 1 in 20 rows is left: 95 % are free, and the estimate is near it.
    let share = found[0].finding.numbers["share_percent"];
    assert!((93.0..97.0).contains(&share), "{share}");
    let indexes = of(&health, "index_bloated");
    assert_eq!(indexes.len(), 1, "{:?}", claims(&health, "index_bloated"));
    evidence_holds(&place, found[0]);
    evidence_holds(&place, indexes[0]);
    for ailment in [found[0], indexes[0]] {
        place.run(&ailment.mend[0]);
    }
    place.run("VACUUM ANALYZE");
    let after = examine(&mut place.open(), &thresholds);
    assert!(of(&after, "table_bloated").is_empty() && of(&after, "index_bloated").is_empty(), "{after:?}");
}

#[test]
fn the_age_of_transactions_is_counted() {
    let place = place();
    let health = examine(&mut place.open(), &thresholds());
    assert!(of(&health, "transactions_wraparound").is_empty());
    let low = Thresholds { transactions: 0.0, transactions_critical: 1e12, ..thresholds() };
    let health = examine(&mut place.open(), &low);
    let found = of(&health, "transactions_wraparound");
    let own: Vec<&&Ailment> =
        found.iter().filter(|ailment| ailment.finding.claim.contains(&format!("`{}`", place.name))).collect();
    let age: i32 = place
        .client()
        .query_one("SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()", &[])
        .unwrap()
        .get(0);
    assert!((own[0].finding.numbers["age"] - f64::from(age)).abs() < 1000.0, "{age} {own:?}");
    assert!(!of(&health, "multixacts_wraparound").is_empty());
}

#[test]
fn slow_statements_are_told_where_the_extension_is() {
    let place = place();
    place.run("CREATE SCHEMA stats; CREATE EXTENSION pg_stat_statements SCHEMA stats");
    let mut client = place.client();
    for second in 1..=3 {
        client.batch_execute(&format!("SELECT pg_sleep(0.03), {second} AS marked_slow")).unwrap();
    }
    let thresholds = Thresholds { statement_ms: 20.0, statement_calls: 3.0, ..thresholds() };
    let health = examine(&mut place.open(), &thresholds);
    let slow = of(&health, "statement_slow");
    assert_eq!(slow.len(), 1, "{health:?}");
    assert!(
        slow[0].finding.claim.contains("marked_slow") && slow[0].finding.claim.contains("$1"),
        "{}",
        slow[0].finding.claim
    );
    assert_eq!(slow[0].finding.numbers["calls"], 3.0);
    evidence_holds(&place, slow[0]);
}

#[test]
fn tables_that_are_read_whole_again_and_again() {
    let place = place();
    place.run("CREATE TABLE t (x int); INSERT INTO t SELECT * FROM generate_series(1, 5000); ANALYZE t; DO $$ BEGIN FOR i IN 1..20 LOOP PERFORM count(*) FROM t; END LOOP; END $$; SELECT pg_stat_force_next_flush()");
    let thresholds = Thresholds { rows: 100.0, whole_reads: 20.0, ..thresholds() };
    let health = until(&place, &thresholds, "table_read_whole");
    evidence_holds(&place, of(&health, "table_read_whole")[0]);
}

#[test]
fn a_role_that_is_no_monitor_has_gaps() {
    let place = place();
    place.run("CREATE ROLE little LOGIN; CREATE TABLE t (x int)");
    let _other = place.client();
    let health = examine(&mut place.open_as("little"), &thresholds());
    assert!(health.gaps.iter().any(|gap| gap.contains("grant pg_monitor")), "{:?}", health.gaps);
    assert!(!health.gaps.iter().any(|gap| gap.contains("failed")), "{:?}", health.gaps);
}

#[test]
fn sqlite_shows_what_a_select_can_see() {
    let mut database = Sqlite::new();
    database.run(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, x INT UNIQUE); CREATE TABLE b (id INTEGER PRIMARY KEY, a INT REFERENCES a (id), y INT);
         CREATE INDEX b_y ON b (y); CREATE INDEX b_y2 ON b (y); CREATE INDEX b_y3 ON b (y, id); CREATE INDEX a_x ON a (x);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO a SELECT i, i FROM n; INSERT INTO b SELECT id, id, id FROM a;
         CREATE TABLE gone AS SELECT * FROM b; INSERT INTO gone SELECT * FROM gone; DROP TABLE gone;",
    );
    let thresholds = Thresholds { free_bytes: 1000.0, free_share: 0.1, ..Thresholds::default() };
    let health = examine(&mut database, &thresholds);
    assert_eq!(health.gaps, Vec::<String>::new());
    let told: Vec<(String, Vec<String>)> =
        health.ailments.iter().map(|ailment| (ailment.finding.kind.clone(), ailment.mend.clone())).collect();
    let mut kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(
        kinds,
        ["file_has_free_pages", "foreign_key_without_index", "index_duplicate", "index_duplicate", "index_overlapping"]
    );
    for (kind, mend) in &told {
        if kind != "index_overlapping" {
            mend.iter().for_each(|statement| database.run(statement));
        }
    }
    let after = examine(&mut database, &thresholds);
    assert!(after.ailments.iter().all(|ailment| ailment.finding.kind == "index_overlapping"), "{after:?}");
}

#[test]
fn sqlite_shows_keys_that_lead_nowhere_and_says_no_more_of_them() {
    let mut database = Sqlite::new();
    database.run(
        "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (id INTEGER PRIMARY KEY, a INT REFERENCES a (id));
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO b SELECT i, NULL FROM n;
         PRAGMA foreign_keys = OFF; DROP TABLE a",
    );
    let health = examine(&mut database, &Thresholds::default());
    assert_eq!(health.ailments.len(), 1, "{health:?}");
    let finding = &health.ailments[0].finding;
    assert!(
        finding.claim.starts_with("The foreign key `a` of `main.b` leads to `main.a`, which is not there;"),
        "{}",
        finding.claim
    );
    assert_eq!(finding.evidence[0].rows.rows, [[serde_json::json!("a"), serde_json::json!("a"), serde_json::json!(0)]]);
}

#[test]
fn two_ailments_of_one_table_are_about_two_indexes() {
    let mut database = Sqlite::new();
    database.run(
        "CREATE TABLE b (y INT, z INT); CREATE INDEX y1 ON b (y); CREATE INDEX y2 ON b (y); CREATE INDEX y3 ON b (y)",
    );
    let health = examine(&mut database, &Thresholds::default());
    let about: Vec<Option<String>> =
        health.ailments.iter().map(|ailment| ailment.finding.subject.dimension.clone()).collect();
    assert_eq!(about, [Some("y2".to_owned()), Some("y3".to_owned())]);
}
